"""Authentication mechanisms on both sides: the right answers, and every way to cheat."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.dialect import STANDARD
from cosemic.errors import (
    AuthenticationFailed,
    ConfigurationError,
    DecipheringError,
    InvocationCounterError,
    PolicyViolation,
)
from cosemic.security import (
    SERVED_MECHANISMS,
    HlsClient,
    HlsCredentials,
    HlsServer,
    MemoryCounterStore,
    OutstandingChallenges,
    Protection,
    aes_128_ecb,
    make_challenge,
    password_matches,
)
from cosemic.security.hls import gmac, gmac_control, sha256, verify_gmac
from cosemic.values.enumerations import AuthenticationMechanism as Mechanism
from cosemic.values.secret import Secret
from tests.security.samples import AK, CLIENT, CTOS, EK, GET, SERVER, STOC, client, credentials, key, material, server

mechanisms = pytest.mark.parametrize("mechanism", sorted(SERVED_MECHANISMS), ids=lambda each: each.label)
hashes = pytest.mark.parametrize(
    "mechanism",
    [Mechanism.HLS, Mechanism.HLS_MD5, Mechanism.HLS_SHA1, Mechanism.HLS_SHA256],
    ids=lambda each: each.label,
)


def opening(mechanism: Mechanism, **of_server: object) -> tuple[HlsClient, HlsServer]:
    asking = HlsClient(credentials(mechanism, "client"), outstanding=OutstandingChallenges())
    return asking, HlsServer(credentials(mechanism, "server", **of_server), asking.challenge, CLIENT)


def test_served_mechanisms() -> None:
    assert sorted(SERVED_MECHANISMS) == [2, 3, 4, 5, 6, 7]


@mechanisms
def test_both_sides_prove_themselves(mechanism: Mechanism) -> None:
    asking, answering = opening(mechanism)
    answering.verify(asking.answer(answering.challenge, SERVER))
    assert not asking.proved
    assert not answering.proved
    asking.verify(answering.answer())
    assert asking.proved
    assert answering.proved


@mechanisms
def test_every_flipped_bit_of_a_proof_is_refused(mechanism: Mechanism) -> None:
    asking, answering = opening(mechanism)
    value = asking.answer(answering.challenge, SERVER)
    for bit in range(len(value) * 8):
        changed = bytearray(value)
        changed[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(AuthenticationFailed):
            again(asking, answering).verify(bytes(changed))
    for other in (b"", value[:-1], value + b"\0"):
        with pytest.raises(AuthenticationFailed):
            again(asking, answering).verify(other)
    answering.verify(value)


def again(asking: HlsClient, answering: HlsServer) -> HlsServer:
    """Return a server in the same state: what a test needs to try more than once."""
    return HlsServer(answering.credentials, asking.challenge, CLIENT, randomness=lambda _: answering.challenge)


@mechanisms
def test_a_server_judges_one_attempt_and_answers_once(mechanism: Mechanism) -> None:
    asking, answering = opening(mechanism)
    value = asking.answer(answering.challenge, SERVER)
    with pytest.raises(AuthenticationFailed):
        answering.verify(bytes(len(value)))
    with pytest.raises(AuthenticationFailed, match="out of turn"):
        answering.verify(value)
    asking, answering = opening(mechanism)
    with pytest.raises(AuthenticationFailed, match="out of turn"):
        answering.answer()
    asking, answering = opening(mechanism)
    answering.verify(asking.answer(answering.challenge, SERVER))
    answering.answer()
    with pytest.raises(AuthenticationFailed, match="out of turn"):
        answering.answer()


@mechanisms
@pytest.mark.parametrize("value", [None, b"", b"\0" * 16, b"\0" * 17, b"\0" * 32], ids=repr)
def test_success_without_a_right_proof_is_failure(mechanism: Mechanism, value: bytes | None) -> None:
    asking, answering = opening(mechanism)
    asking.answer(answering.challenge, SERVER)
    with pytest.raises(AuthenticationFailed):
        asking.verify(value)
    assert not asking.proved
    with pytest.raises(AuthenticationFailed, match="out of turn"):
        asking.verify(value)


@mechanisms
def test_a_client_does_not_verify_before_it_has_answered(mechanism: Mechanism) -> None:
    asking, answering = opening(mechanism)
    with pytest.raises(AuthenticationFailed, match="out of turn"):
        asking.verify(bytes(17))
    with pytest.raises(AuthenticationFailed, match="out of turn"):
        asking.answer(answering.challenge, SERVER)


# Reflection


@mechanisms
def test_own_challenge_sent_back_is_refused(mechanism: Mechanism) -> None:
    asking, _ = opening(mechanism)
    with pytest.raises(AuthenticationFailed, match="ours"):
        asking.answer(asking.challenge, SERVER)


@mechanisms
def test_challenge_of_another_opening_is_refused_while_it_is_outstanding(mechanism: Mechanism) -> None:
    outstanding = OutstandingChallenges()
    own = credentials(mechanism, "client")
    one, other = (HlsClient(own, outstanding=outstanding) for _ in range(2))
    with pytest.raises(AuthenticationFailed, match="ours"):
        one.answer(other.challenge, SERVER)
    assert len(outstanding) == 1
    other.close()
    other.close()
    assert len(outstanding) == 0


def test_outstanding_challenges_are_those_of_one_secret() -> None:
    outstanding = OutstandingChallenges()
    one, other = (
        HlsClient(credentials(Mechanism.HLS_MD5, "client", secret=Secret(secret)), outstanding=outstanding)
        for secret in (b"one secret", b"other secret")
    )
    assert one.answer(other.challenge, SERVER)
    fixed = [
        HlsClient(credentials(Mechanism.HLS_MD5, "client"), outstanding=outstanding, randomness=lambda _: CTOS)
        for _ in range(2)
    ]
    fixed[0].close()
    with pytest.raises(AuthenticationFailed, match="ours"):
        fixed[1].answer(CTOS, SERVER)


def test_challenges_are_forgotten_when_an_opening_ends() -> None:
    outstanding = OutstandingChallenges()

    def begin() -> HlsClient:
        return HlsClient(credentials(Mechanism.HLS_SHA256, "client"), outstanding=outstanding)

    def wrong_proof(each: HlsClient) -> None:
        each.answer(STOC, SERVER)
        each.verify(b"wrong")

    failing: list[Callable[[HlsClient], object]] = [
        lambda each: each.close(),
        lambda each: each.verify(b""),
        lambda each: each.answer(b"short", SERVER),
        lambda each: each.answer(STOC, CLIENT),
        wrong_proof,
    ]
    for fail in failing:
        each = begin()
        assert len(outstanding) == 1
        with contextlib.suppress(AuthenticationFailed):
            fail(each)
        assert len(outstanding) == 0


@mechanisms
def test_own_title_of_the_peer_is_refused(mechanism: Mechanism) -> None:
    asking, answering = opening(mechanism)
    with pytest.raises(AuthenticationFailed, match="our own"):
        asking.answer(answering.challenge, CLIENT)
    with pytest.raises(AuthenticationFailed, match="our own"):
        HlsServer(credentials(mechanism, "server"), asking.challenge, SERVER)


@hashes
def test_a_server_that_hands_back_the_clients_own_proof_is_refused(mechanism: Mechanism) -> None:
    asking, answering = opening(mechanism)
    value = asking.answer(answering.challenge, SERVER)
    with pytest.raises(AuthenticationFailed):
        asking.verify(value)


@mechanisms
def test_challenges_of_another_length_are_refused(mechanism: Mechanism) -> None:
    shortest = 32 if mechanism is Mechanism.HLS_ECDSA else 8
    for length in (0, 7, shortest - 1, 65, 200):
        asking, _ = opening(mechanism)
        with pytest.raises(AuthenticationFailed, match=f"not {shortest} to 64"):
            asking.answer(bytes(length), SERVER)
        with pytest.raises(AuthenticationFailed, match=f"not {shortest} to 64"):
            HlsServer(credentials(mechanism, "server"), bytes(length), CLIENT)
        with pytest.raises(ConfigurationError, match=f"has {shortest} to 64"):
            HlsClient(credentials(mechanism, "client"), length=length)
    for length in (shortest, 64):
        answering = HlsServer(credentials(mechanism, "server"), bytes(length), CLIENT, length=length)
        assert len(answering.challenge) == length


@pytest.mark.parametrize(
    "mechanism", [Mechanism.HLS_GMAC, Mechanism.HLS_SHA256, Mechanism.HLS_ECDSA], ids=lambda each: each.label
)
@pytest.mark.parametrize("title", [None, b"", SERVER[:7], SERVER + b"\0"], ids=repr)
def test_titles_are_needed_where_the_formula_holds_them(mechanism: Mechanism, title: bytes | None) -> None:
    asking, answering = opening(mechanism)
    with pytest.raises(AuthenticationFailed, match="8 octets"):
        asking.answer(answering.challenge, title)
    with pytest.raises(AuthenticationFailed, match="8 octets"):
        HlsServer(credentials(mechanism, "server"), asking.challenge, title)


@pytest.mark.parametrize(
    "mechanism", [Mechanism.HLS, Mechanism.HLS_MD5, Mechanism.HLS_SHA1], ids=lambda each: each.label
)
def test_titles_are_not_needed_elsewhere(mechanism: Mechanism) -> None:
    asking = HlsClient(credentials(mechanism, "client", own_title=b""))
    answering = HlsServer(credentials(mechanism, "server", own_title=b""), asking.challenge, None)
    answering.verify(asking.answer(answering.challenge, None))
    asking.verify(answering.answer())
    assert asking.proved


def test_another_title_than_was_agreed_is_refused() -> None:
    asking, answering = opening(Mechanism.HLS_GMAC)
    with pytest.raises(DecipheringError):
        asking.answer(answering.challenge, SERVER[::-1])
    assert not asking.proved


def test_same_challenge_on_both_sides_is_refused() -> None:
    with pytest.raises(AuthenticationFailed, match="same"):
        HlsServer(credentials(Mechanism.HLS_MD5, "server"), CTOS, CLIENT, randomness=lambda _: CTOS)


def test_titles_of_the_formula_of_mechanism_6_have_8_octets() -> None:
    for titles in ((CLIENT[:7], SERVER), (CLIENT, b"")):
        with pytest.raises(AuthenticationFailed, match="8 octets"):
            sha256(STOC, CTOS, *titles, Secret(b"secret"))


# Mechanism 5


def test_gmac_counts_with_the_apdus_and_its_value_may_be_below_the_apdu_around_it() -> None:
    of_client, of_server = client(), server()
    asking = HlsClient(HlsCredentials(mechanism=Mechanism.HLS_GMAC, context=of_client))
    answering = HlsServer(HlsCredentials(mechanism=Mechanism.HLS_GMAC, context=of_server), asking.challenge, CLIENT)
    of_server.unprotect_apdu(of_client.protect_apdu(GET))
    value = asking.answer(answering.challenge, SERVER)
    around = of_client.protect_apdu(GET)
    assert (value[1:5], around[3:7]) == (b"\0\0\0\1", b"\0\0\0\2")
    of_server.unprotect_apdu(around)
    answering.verify(value)
    assert of_server.receive.lowest == 3


def test_gmac_value_uses_up_its_counter_so_that_it_is_no_apdu() -> None:
    of_client, of_server = client(), server(require=Protection.AUTHENTICATED)
    apdu_as_challenge = GET.ljust(16, b"\0")
    asking = HlsClient(HlsCredentials(mechanism=Mechanism.HLS_GMAC, context=of_client))
    value = asking.answer(apdu_as_challenge, SERVER)
    forged = b"\xc8" + bytes((17 + len(apdu_as_challenge),)) + value[:5] + apdu_as_challenge + value[5:]
    assert server(require=Protection.AUTHENTICATED).unprotect_apdu(forged).plaintext == apdu_as_challenge
    answering = HlsServer(
        HlsCredentials(mechanism=Mechanism.HLS_GMAC, context=of_server),
        asking.challenge,
        CLIENT,
        randomness=lambda _: apdu_as_challenge,
    )
    answering.verify(value)
    with pytest.raises(InvocationCounterError):
        of_server.unprotect_apdu(forged)
    with pytest.raises(PolicyViolation):
        server(require=Protection.NONE, gmac_offered=True).unprotect_apdu(forged)


def test_gmac_of_a_former_opening_is_refused() -> None:
    of_client, of_server = client(), server()
    own = HlsCredentials(mechanism=Mechanism.HLS_GMAC, context=of_server)
    asking = HlsClient(HlsCredentials(mechanism=Mechanism.HLS_GMAC, context=of_client))
    first = HlsServer(own, asking.challenge, CLIENT)
    value = asking.answer(first.challenge, SERVER)
    first.verify(value)
    with pytest.raises(AuthenticationFailed):
        HlsServer(own, asking.challenge, CLIENT).verify(value)


def test_control_of_gmac_is_exactly_the_one_the_dialect_says() -> None:
    bare = gmac_control(1, without_suite=True)
    full = gmac_control(1)
    assert (bare, full) == (0x10, 0x11)
    for sent, expected in ((bare, full), (full, bare)):
        value = gmac(STOC, key(EK), key(AK), CLIENT, 1, sent)
        assert verify_gmac(value, STOC, key(EK), key(AK), CLIENT, sent) == 1
        with pytest.raises(AuthenticationFailed):
            verify_gmac(value, STOC, key(EK), key(AK), CLIENT, expected)
    dialect = STANDARD.but(gmac_control_without_suite=True)
    asking = HlsClient(HlsCredentials(mechanism=Mechanism.HLS_GMAC, context=client(dialect=dialect)))
    assert asking.answer(STOC, SERVER)[0] == 0x10


def test_gmac_never_uses_or_takes_the_last_counter() -> None:
    with pytest.raises(AuthenticationFailed):
        gmac(STOC, key(EK), key(AK), CLIENT, 0xFFFF_FFFF, gmac_control(0))
    tag = key(EK).aead.encrypt(CLIENT + b"\xff" * 4, b"", b"\x10" + AK + STOC)[:12]
    with pytest.raises(AuthenticationFailed):
        verify_gmac(b"\x10" + b"\xff" * 4 + tag, STOC, key(EK), key(AK), CLIENT, gmac_control(0))


# Secrets, challenges, transformations


@pytest.mark.parametrize(
    "missing",
    [
        {"mechanism": Mechanism.HLS_MD5},
        {"mechanism": Mechanism.HLS_MD5, "secret": Secret(b"")},
        {"mechanism": Mechanism.HLS_SHA256, "secret": Secret(b"s")},
        {"mechanism": Mechanism.HLS_SHA256, "secret": Secret(b"s"), "own_title": CLIENT[:7]},
        {"mechanism": Mechanism.HLS_GMAC, "secret": Secret(b"s")},
        {"mechanism": Mechanism.HLS_GMAC, "context": client(keys=material(authentication_key=None))},
        {"mechanism": Mechanism.HLS_ECDSA, "secret": Secret(b"s")},
        {"mechanism": Mechanism.LLS, "secret": Secret(b"s")},
        {"mechanism": Mechanism.LOWEST},
    ],
    ids=lambda missing: "-".join(map(str, (missing["mechanism"].label, *missing))),
)
def test_credentials_that_lack_something_are_refused(missing: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        HlsCredentials(**missing)


@hashes
def test_another_secret_is_refused(mechanism: Mechanism) -> None:
    asking, answering = opening(mechanism, secret=Secret(b"another secret!!"))
    with pytest.raises(AuthenticationFailed):
        answering.verify(asking.answer(answering.challenge, SERVER))


def test_password_is_right_or_not() -> None:
    assert password_matches(Secret(b"12345678"), b"12345678")
    for wrong in (b"", b"1234567", b"123456789", b"12345679", b"\0" * 8):
        assert not password_matches(Secret(b"12345678"), wrong)
    assert not password_matches(Secret(b""), b"")


def test_challenges_are_fresh_and_of_the_length_asked_for() -> None:
    assert len({make_challenge() for _ in range(1000)}) == 1000
    assert len(make_challenge()) == 16
    assert [len(make_challenge(length)) for length in (8, 64)] == [8, 64]
    assert make_challenge(8, lambda length: b"x" * length) == b"xxxxxxxx"
    seen = set(b"".join(make_challenge(64) for _ in range(100)))
    assert len(seen) == 256
    for length in (0, 7, 65):
        with pytest.raises(ConfigurationError):
            make_challenge(length)


def test_aes_128_ecb_is_that_of_fips_197() -> None:
    plain = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert aes_128_ecb(plain, Secret(bytes(range(16)))).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"


@given(st.binary(min_size=8, max_size=64), st.binary(min_size=1, max_size=16))
def test_aes_128_ecb_fills_up_with_zeros(challenge: bytes, secret: bytes) -> None:
    padded = challenge + bytes(-len(challenge) % 16)
    value = aes_128_ecb(challenge, Secret(secret))
    assert value == aes_128_ecb(padded, Secret(secret + bytes(16 - len(secret))))
    assert len(value) == len(padded)
    assert value[:16] == aes_128_ecb(padded[:16], Secret(secret))


@pytest.mark.parametrize("secret", [b"", bytes(17)], ids=len)
def test_aes_128_ecb_takes_secrets_of_1_to_16_octets(secret: bytes) -> None:
    with pytest.raises(ConfigurationError):
        aes_128_ecb(CTOS, Secret(secret))


def test_transformation_of_mechanism_2_can_be_another_one() -> None:
    def transformation(challenge: bytes, secret: Secret) -> bytes:
        return hashlib.blake2s(challenge, key=secret.reveal()).digest()

    asking = HlsClient(credentials(Mechanism.HLS, "client", transformation=transformation))
    own = credentials(Mechanism.HLS, "server", transformation=transformation)
    answering = HlsServer(own, asking.challenge, CLIENT)
    value = asking.answer(answering.challenge, SERVER)
    assert value == hashlib.blake2s(answering.challenge, key=b"SECRET0123456789").digest()
    answering.verify(value)
    with pytest.raises(AuthenticationFailed):
        HlsServer(credentials(Mechanism.HLS, "server"), CTOS, CLIENT).verify(value)


def test_contexts_with_one_store_use_one_counter_for_gmac_too() -> None:
    store = MemoryCounterStore()
    values = [
        HlsClient(HlsCredentials(mechanism=Mechanism.HLS_GMAC, context=client(store))).answer(STOC, SERVER)
        for _ in range(3)
    ]
    assert [value[1:5] for value in values] == [bytes((0, 0, 0, n)) for n in range(3)]
