"""HLS mechanism 7, both sides: the signatures, every way to cheat, and whose certificates are believed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from cosemic.errors import AuthenticationFailed, CertificateError, ConfigurationError, CosemicError
from cosemic.security import (
    HlsClient,
    HlsCredentials,
    HlsServer,
    KnownSigners,
    MemoryCounterStore,
    OutstandingChallenges,
    PeerCertificates,
    PublicKey,
    SecurityContext,
    SecurityMaterial,
    SoftwareSigningKey,
    security_suite,
)
from cosemic.security.certificates import (
    Certificate,
    CertificateAuthority,
    CertificateStore,
    OwnKeyPair,
    RevocationLists,
    TrustedSigners,
)
from cosemic.security.certificates.revocation import RevocationList
from cosemic.values import AuthenticationMechanism, Secret
from tests.security.laboratory import AGREEMENT, AT, CLIENT, METER, SIGNATURE, YEAR, Token, issued, new_key, new_root

MECHANISM = AuthenticationMechanism.HLS_ECDSA
THIRD = bytes.fromhex("4D4D4D00DEADBEEF")
suites = pytest.mark.parametrize("suite", [1, 2])
KEYS = {suite: {title: new_key(suite) for title in (CLIENT, METER, THIRD)} for suite in (1, 2)}
HASHES = {1: hashes.SHA256(), 2: hashes.SHA384()}


def known(suite: int) -> KnownSigners:
    return KnownSigners({title: key.public for title, key in KEYS[suite].items()})


def side(title: bytes, suite: int = 1, **changed: Any) -> HlsCredentials:
    given = {"mechanism": MECHANISM, "own_title": title, "signing_key": KEYS[suite][title], "signers": known(suite)}
    return HlsCredentials(**(given | changed))


def opening(suite: int = 1, **of_server: Any) -> tuple[HlsClient, HlsServer]:
    asking = HlsClient(side(CLIENT, suite), outstanding=OutstandingChallenges())
    return asking, HlsServer(side(METER, suite, **of_server), asking.challenge, CLIENT)


def again(asking: HlsClient, answering: HlsServer) -> HlsServer:
    """A server in the same state: what a test needs to try more than once."""
    return HlsServer(answering.credentials, asking.challenge, CLIENT, randomness=lambda _: answering.challenge)


def twin(asking: HlsClient, answering: HlsServer) -> HlsClient:
    """A client in the same state, that has answered."""
    made = HlsClient(asking.credentials, randomness=lambda _: asking.challenge, outstanding=OutstandingChallenges())
    made.answer(answering.challenge, METER)
    return made


def holds(key: SoftwareSigningKey, value: bytes, data: bytes, suite: int) -> None:
    """The signature, looked at by the library alone."""
    half = len(value) // 2
    der = encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))
    key.public.to_cryptography().verify(der, data, ec.ECDSA(HASHES[suite]))


# ---- the formulas ----------------------------------------------------------------------------------------------------


@suites
def test_both_sides_sign_titles_and_challenges_in_the_order_of_the_standard(suite: int) -> None:
    asking, answering = opening(suite)
    ctos, stoc = asking.challenge, answering.challenge
    assert len(ctos) == len(stoc) == 32
    proof = asking.answer(stoc, METER)
    assert len(proof) == {1: 64, 2: 96}[suite]
    holds(KEYS[suite][CLIENT], proof, CLIENT + METER + stoc + ctos, suite)
    answering.verify(proof)
    answer = answering.answer()
    holds(KEYS[suite][METER], answer, METER + CLIENT + ctos + stoc, suite)
    assert not asking.proved
    asking.verify(answer)
    assert asking.proved
    assert answering.proved


@pytest.mark.parametrize("suite", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_every_flipped_bit_of_either_signature_is_refused(suite: int) -> None:
    asking, answering = opening(suite)
    proof = asking.answer(answering.challenge, METER)
    for bit in range(len(proof) * 8):
        changed = bytearray(proof)
        changed[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(AuthenticationFailed):
            again(asking, answering).verify(bytes(changed))
    answering.verify(proof)
    answer = answering.answer()
    for bit in range(len(answer) * 8):
        changed = bytearray(answer)
        changed[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(AuthenticationFailed):
            twin(asking, answering).verify(bytes(changed))
    twin(asking, answering).verify(answer)


@suites
def test_numbers_out_of_range_and_other_forms_are_refused_like_any_wrong_one(suite: int) -> None:
    asking, answering = opening(suite)
    proof = asking.answer(answering.challenge, METER)
    half, order = len(proof) // 2, KEYS[suite][CLIENT].public.curve.order
    r, s = proof[:half], proof[half:]
    n = order.to_bytes(half, "big")
    wrong = [
        bytes(half) + s, r + bytes(half), n + s, r + n, b"\xff" * half + s, r + b"\xff" * half, bytes(2 * half),
        proof[:-1], proof + b"\0", b"", b"\0" + proof, r, s + r,
        encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")),
    ]  # fmt: skip
    said = set()
    for value in wrong:
        with pytest.raises(AuthenticationFailed) as caught:
            again(asking, answering).verify(value)
        said.add(str(caught.value))
    assert len(said) == 1
    answering.verify(proof)


@suites
def test_only_the_private_key_of_the_certificate_makes_a_proof(suite: int) -> None:
    for key in (new_key(suite), KEYS[suite][THIRD]):
        asking = HlsClient(side(CLIENT, suite, signing_key=key), outstanding=OutstandingChallenges())
        answering = HlsServer(side(METER, suite), asking.challenge, CLIENT)
        proof = asking.answer(answering.challenge, METER)
        with pytest.raises(AuthenticationFailed):
            answering.verify(proof)


@suites
def test_proofs_of_another_opening_title_or_side_are_refused(suite: int) -> None:
    asking, answering = opening(suite)
    proof = asking.answer(answering.challenge, METER)
    answering.verify(proof)
    answer = answering.answer()
    # Replayed to another opening.
    other, other_server = opening(suite)
    with pytest.raises(AuthenticationFailed):
        other_server.verify(proof)
    other.answer(other_server.challenge, METER)
    with pytest.raises(AuthenticationFailed):
        other.verify(answer)
    # Handed back, to the side that has made it.
    with pytest.raises(AuthenticationFailed):
        twin(asking, answering).verify(proof)
    with pytest.raises(AuthenticationFailed):
        again(asking, answering).verify(answer)
    # Given under the name of another client.
    pretender = HlsServer(answering.credentials, asking.challenge, THIRD, randomness=lambda _: answering.challenge)
    with pytest.raises(AuthenticationFailed):
        pretender.verify(proof)


@suites
def test_a_server_that_is_given_two_attempts_takes_one(suite: int) -> None:
    asking, answering = opening(suite)
    proof = asking.answer(answering.challenge, METER)
    with pytest.raises(AuthenticationFailed):
        answering.verify(bytes(len(proof)))
    with pytest.raises(AuthenticationFailed, match="out of turn"):
        answering.verify(proof)


# ---- keys that do not fit --------------------------------------------------------------------------------------------


def test_our_own_public_key_is_never_that_of_the_peer() -> None:
    ours = KnownSigners({METER: KEYS[1][CLIENT].public})
    asking = HlsClient(side(CLIENT, signers=ours), outstanding=OutstandingChallenges())
    with pytest.raises(AuthenticationFailed, match="our own"):
        asking.answer(bytes(range(32)), METER)
    with pytest.raises(AuthenticationFailed, match="our own"):
        HlsServer(side(METER, signers=KnownSigners({CLIENT: KEYS[1][METER].public})), bytes(range(32)), CLIENT)


def test_keys_on_two_curves_prove_nothing_to_each_other() -> None:
    asking = HlsClient(side(CLIENT, signers=known(2)), outstanding=OutstandingChallenges())
    with pytest.raises(AuthenticationFailed, match="P-384, and we on P-256"):
        asking.answer(bytes(range(32)), METER)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({"signing_key": None}, "private key"),
        ({"signers": None}, "trust anchors"),
        ({"own_title": b""}, "8 octets"),
        ({"own_title": CLIENT[:7]}, "8 octets"),
    ],
)
def test_credentials_that_lack_something_are_refused(missing: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        side(CLIENT, **missing)


def context(suite: int) -> SecurityContext:
    length = security_suite(suite).key_length
    keys = SecurityMaterial.of(Secret(bytes(range(length))), Secret(bytes(range(1, 1 + length))), suite=suite)
    return SecurityContext(CLIENT, METER, keys, MemoryCounterStore())


@pytest.mark.parametrize(
    ("keys", "signs", "message"),
    [(0, 1, "needs security suite 1 or 2"), (1, 2, "on P-256, not on P-384"), (2, 1, "on P-384, not on P-256")],
)
def test_the_private_key_is_one_of_the_suite_of_the_association(keys: int, signs: int, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        side(CLIENT, signs, context=context(keys))


@suites
def test_a_context_beside_it_keeps_its_counters(suite: int) -> None:
    beside = context(suite)
    asking = HlsClient(side(CLIENT, suite, context=beside), outstanding=OutstandingChallenges())
    answering = HlsServer(side(METER, suite), asking.challenge, CLIENT)
    answering.verify(asking.answer(answering.challenge, METER))
    asking.verify(answering.answer())
    assert beside.transmit.next() == 0


def test_a_private_key_elsewhere_is_asked_to_sign_and_for_nothing_else() -> None:
    token = Token(KEYS[1][CLIENT])
    asking = HlsClient(side(CLIENT, signing_key=token), outstanding=OutstandingChallenges())
    answering = HlsServer(side(METER), asking.challenge, CLIENT)
    answering.verify(asking.answer(answering.challenge, METER))
    assert token.signed == [CLIENT + METER + answering.challenge + asking.challenge]


def test_titles_of_known_signers_are_whole() -> None:
    with pytest.raises(ConfigurationError, match="8 octets"):
        KnownSigners({CLIENT[:7]: KEYS[1][CLIENT].public})
    with pytest.raises(CertificateError, match=METER.hex().upper()):
        KnownSigners({CLIENT: KEYS[1][CLIENT].public}).signer(METER)


# ---- certificates ----------------------------------------------------------------------------------------------------


class World:
    """A root, a meter that trusts it, and a client with a certificate of it."""

    def __init__(self, suite: int = 1) -> None:
        self.suite = suite
        self.root = new_root(suite)
        self.key = new_key(suite)
        self.certificate = self.issue(self.key)
        self.now = AT
        self.store = CertificateStore(METER, security_suite(suite), anchors=(self.root.certificate,))
        self.signers = TrustedSigners(self.store, lambda: self.now)

    def issue(self, key: SoftwareSigningKey, title: bytes = CLIENT, **more: Any) -> Certificate:
        times = {"not_before": AT - dt.timedelta(days=1), "not_after": AT + YEAR}
        return self.root.issue(key.public, title, more.pop("use", SIGNATURE), **(times | more))

    def judged(self, presented: bytes | None, title: bytes = CLIENT, signers: PeerCertificates | None = None) -> None:
        """The whole exchange, as far as it comes."""
        found: PeerCertificates = signers or self.signers
        server = side(METER, self.suite, signers=found)
        client = HlsClient(
            side(CLIENT, self.suite, signing_key=self.key, own_title=title), outstanding=OutstandingChallenges()
        )
        answering = HlsServer(server, client.challenge, title, presented)
        answering.verify(client.answer(answering.challenge, METER))


@suites
def test_a_presented_certificate_that_leads_to_an_anchor_is_believed(suite: int) -> None:
    world = World(suite)
    world.judged(world.certificate.octets)
    with pytest.raises(CertificateError, match="no certificate"):
        world.judged(None)
    world.store.import_certificate(world.certificate.octets, AT)
    world.judged(None)


def wrong(world: World) -> dict[str, Callable[[], bytes]]:
    day = dt.timedelta(days=1)
    p384 = new_key(2)
    strange = new_root(world.suite)
    return {
        "expired": lambda: world.issue(world.key, not_before=AT - YEAR, not_after=AT - day).octets,
        "not yet valid": lambda: world.issue(world.key, not_before=AT + day).octets,
        "another title": lambda: world.issue(world.key, THIRD).octets,
        "for key agreement": lambda: world.issue(world.key, use=AGREEMENT).octets,
        "of another root": lambda: issued(strange, CLIENT).octets,
        "of a CA": lambda: world.root.certificate.octets,
        "on another curve": lambda: new_root(2).issue(
            p384.public, CLIENT, SIGNATURE, not_before=AT - day, not_after=AT + YEAR
        ).octets,
        "changed": lambda: world.certificate.octets[:-1] + bytes((world.certificate.octets[-1] ^ 1,)),
        "cut off": lambda: world.certificate.octets[:-1],
        "followed by more": lambda: world.certificate.octets + b"\0",
        "nothing of the kind": lambda: b"certificate",
        "very long": lambda: b"\x30\x83\x0f\xff\xff" + bytes(100_000),
    }  # fmt: skip


@pytest.mark.parametrize("what", sorted(wrong(World())))
@pytest.mark.parametrize("imported", [False, True], ids=["alone", "beside an imported one"])
def test_a_presented_certificate_that_does_not_hold_is_refused(what: str, imported: bool) -> None:
    world = World()
    if imported:
        world.store.import_certificate(world.certificate.octets, AT)
    before = world.store.certificates
    presented = wrong(world)[what]()
    with pytest.raises(CertificateError):
        world.judged(presented)
    assert world.store.certificates == before


def test_time_goes_on_for_certificates_that_were_imported() -> None:
    world = World()
    world.store.import_certificate(world.certificate.octets, AT)
    world.judged(None)
    world.now = AT + 2 * YEAR
    with pytest.raises(CertificateError, match="expired"):
        world.judged(None)
    with pytest.raises(CertificateError, match="expired"):
        world.judged(world.certificate.octets)


def test_the_certificate_of_another_key_proves_nothing() -> None:
    world = World()
    with pytest.raises(AuthenticationFailed):
        world.judged(world.issue(new_key()).octets)


def test_revoked_certificates_are_refused_where_lists_are_held() -> None:
    world = World()
    lists = RevocationLists()
    world.store.revocation = lists
    lists.add(world.root.revocation_list(AT - dt.timedelta(hours=2), AT + YEAR), world.root.certificate)
    world.judged(world.certificate.octets)
    lists.add(revoking(world.root, world.certificate), world.root.certificate)
    with pytest.raises(CertificateError, match="revoked"):
        world.judged(world.certificate.octets)


def revoking(root: CertificateAuthority, certificate: Certificate) -> RevocationList:
    root.revoke(certificate.serial_number, AT - dt.timedelta(hours=1))
    return root.revocation_list(AT - dt.timedelta(hours=1), AT + YEAR)


def test_removing_a_certificate_shuts_its_entity_out_where_presented_ones_do_not_count() -> None:
    world = World()
    strict = TrustedSigners(world.store, lambda: AT, take_presented=False)
    with pytest.raises(CertificateError, match="no certificate"):
        world.judged(world.certificate.octets, signers=strict)
    world.store.import_certificate(world.certificate.octets, AT)
    world.judged(world.certificate.octets, signers=strict)
    # What is presented is not even looked at.
    world.judged(b"nonsense", signers=strict)


def test_nothing_is_signed_for_a_server_whose_certificate_does_not_hold() -> None:
    world = World()
    token = Token(KEYS[1][CLIENT])
    for presented in (None, b"nonsense", world.issue(new_key(), THIRD).octets):
        asking = HlsClient(side(CLIENT, signing_key=token, signers=world.signers), outstanding=OutstandingChallenges())
        with pytest.raises(CosemicError) as caught:
            asking.answer(bytes(range(32)), THIRD[::-1], presented)
        assert isinstance(caught.value, CertificateError)
        with pytest.raises(AuthenticationFailed, match="out of turn"):
            asking.answer(bytes(range(32)), METER)
    assert token.signed == []


def test_own_key_pairs_of_a_store_serve_as_they_are() -> None:
    world = World()
    key = SoftwareSigningKey.generate(security_suite(1))
    issued_ = world.root.issue(key.public, METER, SIGNATURE, not_before=AT - YEAR, not_after=AT + YEAR)
    world.store.install(OwnKeyPair(key), issued_.octets, AT)
    server = HlsServer(
        side(METER, signing_key=world.store.signing_key(), signers=world.signers),
        bytes(range(32)),
        CLIENT,
        world.certificate.octets,
    )
    assert len(server.challenge) == 32
    assert isinstance(world.store.signing_key().public, PublicKey)
    assert replace(server.credentials).title == METER
