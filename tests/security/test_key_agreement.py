"""The three schemes of key agreement and their KDF: published values, both sides, and everything that is refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosemic.dialect import STANDARD, EphemeralSignature
from cosemic.errors import ConfigurationError, CosemicError, DecipheringError, DecodeError, SignatureInvalid
from cosemic.security import (
    NO_AUTHENTICATION_KEY,
    Algorithm,
    EphemeralAgreement,
    Key,
    PublicKey,
    SecuritySuite,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    kdf,
    one_pass_originator,
    one_pass_recipient,
    security_suite,
    static_unified,
    unprotect,
    unwrap_key,
    wrap_key,
)
from cosemic.security.key_agreement import KEY_IDS, MASTER_KEY_ID
from cosemic.values.secret import Secret
from tests import vectors
from tests.effort import examples
from tests.security.curves import (
    CLIENT_SIGNING,
    EPHEMERAL_Q,
    EPHEMERAL_SIGNATURE,
    EPHEMERAL_V,
    EPHEMERAL_Z,
    ONE_PASS_Q,
    ONE_PASS_SIGNATURE,
    ONE_PASS_U,
    ONE_PASS_Z,
    PARTY_U,
    PARTY_V,
    REVERSE_Z,
    SERVER_SIGNING,
    STATIC_V,
    SUITE_1,
    SUITE_2,
    Recording,
    octets,
)

both_suites = pytest.mark.parametrize("suite", [SUITE_1, SUITE_2], ids=["suite-1", "suite-2"])
ARC_6 = STANDARD.but(kdf_algorithm_arc=6)
GURUX = STANDARD.but(ephemeral_signature=EphemeralSignature.KEY_ID_AND_Q)

SIGNING = {
    suite: (SoftwareSigningKey.generate(suite), SoftwareSigningKey.generate(suite)) for suite in (SUITE_1, SUITE_2)
}
STATIC = {
    suite: (SoftwareAgreementKey.generate(suite), SoftwareAgreementKey.generate(suite)) for suite in (SUITE_1, SUITE_2)
}


def wire(hexadecimal: str) -> Key:
    return Key(Secret(octets(hexadecimal)))


# --- the derivation of keys


PUBLISHED = {
    "ephemeral, arc 5": (EPHEMERAL_Z, PARTY_U, PARTY_V, 5, "C5F4512846EDE51CFB8CCF59F08A694E"),
    "ephemeral, arc 6": (EPHEMERAL_Z, PARTY_U, PARTY_V, 6, "E025CA6F9EE8D2B40F993739D44CFBC0"),
    "one-pass, arc 5": (ONE_PASS_Z, PARTY_U, PARTY_V, 5, "59A71FD81C929A86A99438DA17A66C05"),
    "one-pass, arc 6": (ONE_PASS_Z, PARTY_U, PARTY_V, 6, "8CD08FF02EAC71712DE8449DC8331833"),
    "one-pass back, arc 5": (REVERSE_Z, PARTY_V, PARTY_U, 5, "F0184BDA9466BFA4601A64A7EF46504A"),
    "one-pass back, arc 6": (REVERSE_Z, PARTY_V, PARTY_U, 6, "E357F06755CBF5C2C31457FE3CD1D5B8"),
}


@pytest.mark.parametrize(("z", "party_u", "party_v", "arc", "key"), PUBLISHED.values(), ids=PUBLISHED)
def test_published_key_follows_from_z(z: bytes, party_u: bytes, party_v: bytes, arc: int, key: str) -> None:
    dialect = STANDARD.but(kdf_algorithm_arc=arc)
    assert kdf(SUITE_1, z, Algorithm.AES_GCM_128, party_u, party_v, dialect) == wire(key)
    assert kdf(SUITE_1, bytearray(z), Algorithm.AES_GCM_128, party_u, party_v, dialect) == wire(key)
    assert kdf(SUITE_1, z, Algorithm.AES_GCM_128, party_v, party_u, dialect) != wire(key)


@vectors.each_record("kdf")
def test_recorded_derivation(record: vectors.Record) -> None:
    values = vectors.keys(record)
    algorithm = Algorithm(values["algorithm_id"][-1])
    assert algorithm.identifier(values["algorithm_id"][3]) == values["algorithm_id"]
    key = kdf(SUITE_1, vectors.octets(record), algorithm, values["system_title_u"], values["system_title_v"])
    assert key.reveal().hex() == record["expected"]["derived_key"]


@vectors.each_record("ecdh-kdf")
def test_recorded_agreement(record: vectors.Record) -> None:
    values = vectors.keys(record)
    own = SoftwareAgreementKey.of(values["private_v"], SUITE_1)
    z = own.exchange(PublicKey.of(vectors.octets(record), SUITE_1))
    assert z.hex() == record["expected"]["z"]
    key = kdf(SUITE_1, z, Algorithm.AES_GCM_128, values["system_title_u"], values["system_title_v"])
    assert key.reveal().hex() == record["expected"]["derived_key"]


def test_suite_2_derives_256_bits_with_sha_384() -> None:
    z = bytes(range(48))
    derived = {}
    for algorithm, last in ((Algorithm.AES_GCM_256, b"\x01"), (Algorithm.AES_WRAP_256, b"\x03")):
        for arc, middle in ((5, b"\x05"), (6, b"\x06")):
            identifier = b"\x60\x85\x74" + middle + b"\x08\x03" + last
            expected = hashlib.sha384(b"\0\0\0\1" + z + identifier + PARTY_U + PARTY_V).digest()[:32]
            key = kdf(SUITE_2, z, algorithm, PARTY_U, PARTY_V, STANDARD.but(kdf_algorithm_arc=arc))
            assert key.reveal() == expected
            derived[algorithm, arc] = key.reveal()
    assert len(set(derived.values())) == 4


def test_algorithm_is_that_of_the_use_and_the_suite() -> None:
    names = {
        suite.id: (Algorithm.for_encryption(suite).name, Algorithm.for_wrapping(suite).name)
        for suite in (SUITE_1, SUITE_2)
    }
    assert names == {1: ("AES_GCM_128", "AES_WRAP_128"), 2: ("AES_GCM_256", "AES_WRAP_256")}
    assert {each.name: (each.value, each.key_length) for each in Algorithm} == {
        "AES_GCM_128": (0, 16),
        "AES_GCM_256": (1, 32),
        "AES_WRAP_128": (2, 16),
        "AES_WRAP_256": (3, 32),
    }


def test_keys_of_another_length_than_the_suites_are_not_derived() -> None:
    for suite, length, algorithm in (
        (SUITE_1, 32, Algorithm.AES_GCM_256),
        (SUITE_1, 32, Algorithm.AES_WRAP_256),
        (SUITE_2, 48, Algorithm.AES_GCM_128),
        (SUITE_2, 48, Algorithm.AES_WRAP_128),
        (SUITE_1, 31, Algorithm.AES_GCM_128),
        (SUITE_1, 48, Algorithm.AES_GCM_128),
        (SUITE_2, 32, Algorithm.AES_GCM_256),
        (security_suite(0), 32, Algorithm.AES_GCM_128),
    ):
        with pytest.raises(ConfigurationError, match=f"suite {suite.id}"):
            kdf(suite, bytes(length), algorithm, PARTY_U, PARTY_V)


@pytest.mark.parametrize("arc", [0, 4, 7, 256, -1])
def test_an_arc_that_is_neither_of_the_two_is_refused(arc: int) -> None:
    with pytest.raises(ConfigurationError, match="5 or 6"):
        kdf(SUITE_1, bytes(32), Algorithm.AES_GCM_128, PARTY_U, PARTY_V, STANDARD.but(kdf_algorithm_arc=arc))


# --- C(1e,1s), one-pass


def published_one_pass(**changed: Any) -> Key:
    given_values: dict[str, Any] = {
        "own": STATIC_V,
        "signer": CLIENT_SIGNING.public,
        "key_ciphered_data": ONE_PASS_Q + ONE_PASS_SIGNATURE,
        "originator_title": PARTY_U,
        "recipient_title": PARTY_V,
        "suite": SUITE_1,
    }
    return one_pass_recipient(**(given_values | changed))


def test_published_key_ciphered_data_gives_the_published_key() -> None:
    assert published_one_pass() == wire("59A71FD81C929A86A99438DA17A66C05")
    assert published_one_pass(dialect=ARC_6) == wire("8CD08FF02EAC71712DE8449DC8331833")


def test_originator_with_the_published_ephemeral_key_makes_the_published_key() -> None:
    for dialect, expected in (
        (STANDARD, "59A71FD81C929A86A99438DA17A66C05"),
        (ARC_6, "8CD08FF02EAC71712DE8449DC8331833"),
    ):
        key, data = one_pass_originator(
            CLIENT_SIGNING,
            STATIC_V.public,
            PARTY_U,
            PARTY_V,
            suite=SUITE_1,
            dialect=dialect,
            make_ephemeral=lambda _: ONE_PASS_U,
        )
        assert key == wire(expected)
        assert data[:64] == ONE_PASS_Q
        assert published_one_pass(key_ciphered_data=data, dialect=dialect) == key


def test_published_access_request_opens_with_the_agreed_key() -> None:
    record = vectors.record("general-ciphering-access-request")
    assert published_one_pass().reveal() == vectors.keys(record)["ek"]


@both_suites
@examples(20)
@given(
    titles=st.lists(st.binary(min_size=8, max_size=8), min_size=2, max_size=2, unique=True), arc=st.sampled_from([5, 6])
)
def test_one_pass_agrees_on_both_sides(suite: SecuritySuite, titles: list[bytes], arc: int) -> None:
    (signing, _), (static, _) = SIGNING[suite], STATIC[suite]
    dialect = STANDARD.but(kdf_algorithm_arc=arc)
    key, data = one_pass_originator(signing, static.public, *titles, suite=suite, dialect=dialect)
    assert len(key) == suite.key_length
    assert len(data) == suite.public_key_length + suite.signature_length
    assert one_pass_recipient(static, signing.public, data, *titles, suite=suite, dialect=dialect) == key
    other, _ = one_pass_originator(signing, static.public, *titles, suite=suite, dialect=dialect)
    assert other != key
    turned = one_pass_recipient(static, signing.public, data, *titles[::-1], suite=suite, dialect=dialect)
    assert turned != key


@both_suites
def test_one_pass_signature_is_in_the_one_form_of_the_dialect(suite: SecuritySuite) -> None:
    (signing, _), (static, _) = SIGNING[suite], STATIC[suite]
    titles = PARTY_U, PARTY_V
    for spoken, other in ((STANDARD, GURUX), (GURUX, STANDARD)):
        key, data = one_pass_originator(signing, static.public, *titles, suite=suite, dialect=spoken)
        assert one_pass_recipient(static, signing.public, data, *titles, suite=suite, dialect=spoken) == key
        with pytest.raises(SignatureInvalid):
            one_pass_recipient(static, signing.public, data, *titles, suite=suite, dialect=other)


@both_suites
def test_one_pass_signature_is_verified_before_anything_is_computed(suite: SecuritySuite) -> None:
    (signing, stranger), (static, _) = SIGNING[suite], STATIC[suite]
    own = Recording(static)
    _, data = one_pass_originator(signing, static.public, PARTY_U, PARTY_V, suite=suite)
    for bit in range(0, len(data) * 8, 29):
        changed = bytearray(data)
        changed[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(SignatureInvalid):
            one_pass_recipient(own, signing.public, bytes(changed), PARTY_U, PARTY_V, suite=suite)
    with pytest.raises(SignatureInvalid):
        one_pass_recipient(own, stranger.public, data, PARTY_U, PARTY_V, suite=suite)
    assert not own.given
    one_pass_recipient(own, signing.public, data, PARTY_U, PARTY_V, suite=suite)
    assert len(own.given) == 1


@both_suites
def test_signed_octets_that_are_no_point_are_refused_before_the_exchange(suite: SecuritySuite) -> None:
    (signing, _), (static, _) = SIGNING[suite], STATIC[suite]
    own = Recording(static)
    for q in (bytes(suite.public_key_length), b"\xff" * suite.public_key_length):
        with pytest.raises(DecodeError, match="point of the curve"):
            one_pass_recipient(own, signing.public, q + signing.sign(q), PARTY_U, PARTY_V, suite=suite)
    assert not own.given


@both_suites
@given(data=st.binary(max_size=200))
def test_any_key_ciphered_data_are_an_error_of_ours(suite: SecuritySuite, data: bytes) -> None:
    (signing, _), (static, _) = SIGNING[suite], STATIC[suite]
    length = suite.public_key_length + suite.signature_length
    with pytest.raises(SignatureInvalid if len(data) == length else DecodeError):
        one_pass_recipient(static, signing.public, data, PARTY_U, PARTY_V, suite=suite)


@both_suites
def test_z_is_wiped_also_when_the_derivation_fails(suite: SecuritySuite) -> None:
    (signing, _), (static, peer) = SIGNING[suite], STATIC[suite]
    own = Recording(static)
    ephemerals: list[Recording] = []

    def make(of: SecuritySuite) -> Recording:
        ephemerals.append(Recording(SoftwareAgreementKey.generate(of)))
        return ephemerals[-1]

    _, data = one_pass_originator(signing, static.public, PARTY_U, PARTY_V, suite=suite, make_ephemeral=make)
    one_pass_recipient(own, signing.public, data, PARTY_U, PARTY_V, suite=suite)
    static_unified(own, peer.public, PARTY_U, PARTY_V, b"1", suite=suite)
    with pytest.raises(ConfigurationError):
        static_unified(own, peer.public, PARTY_U, PARTY_V, b"1", suite=suite, dialect=STANDARD.but(kdf_algorithm_arc=7))
    given_away = [*own.given, *(z for each in ephemerals for z in each.given)]
    assert len(given_away) == 4
    assert all(z == bytes(suite.coordinate_length) for z in given_away)


# --- C(0e,2s), static unified model


@both_suites
@examples(20)
@given(transaction_id=st.binary(min_size=1, max_size=300))
def test_static_keys_agree_by_transaction_id_and_direction(suite: SecuritySuite, transaction_id: bytes) -> None:
    own, peer = STATIC[suite]
    there = static_unified(own, peer.public, PARTY_U, PARTY_V, transaction_id, suite=suite)
    assert static_unified(peer, own.public, PARTY_U, PARTY_V, transaction_id, suite=suite) == there
    assert static_unified(own, peer.public, PARTY_V, PARTY_U, transaction_id, suite=suite) != there
    assert static_unified(own, peer.public, PARTY_U, PARTY_V, transaction_id + b"\0", suite=suite) != there
    hashed = hashlib.sha256 if suite is SUITE_1 else hashlib.sha384
    size = len(transaction_id)
    length = (
        bytes((size,)) if size < 128 else b"\x81" + bytes((size,)) if size < 256 else b"\x82" + size.to_bytes(2, "big")
    )
    algorithm = octets("60857405080300" if suite is SUITE_1 else "60857405080301")
    information = algorithm + PARTY_U + length + transaction_id + PARTY_V
    digest = hashed(b"\0\0\0\1" + own.exchange(peer.public) + information).digest()
    assert there.reveal() == digest[: suite.key_length]


def test_static_agreement_without_a_transaction_id_is_refused() -> None:
    own, peer = STATIC[SUITE_1]
    with pytest.raises(DecipheringError, match="transaction-id"):
        static_unified(own, peer.public, PARTY_U, PARTY_V, b"", suite=SUITE_1)


def test_published_message_under_a_static_key_opens() -> None:
    """A public test message of the UK profile: authentication only, no authentication key, arc 06."""
    content = octets("DF090200000000000003EB0800DB1234567890A00890B3D51F30010000000200210CDA200003EB0000010001020000")
    sealed = octets("1100000000") + content + octets("F4E3A029790221B3B6549478")
    key, title = wire("913BAAEA0A6789652EB42D236EFBB2F4"), octets("00DB1234567890A0")
    assert unprotect(sealed, key, NO_AUTHENTICATION_KEY, title, bytes(5)).plaintext == content
    for extra in (b"", bytes(4), bytes(6)):
        with pytest.raises(DecipheringError):
            unprotect(sealed, key, NO_AUTHENTICATION_KEY, title, extra)


# --- C(2e,0s), ephemeral unified model


def sides(suite: SecuritySuite, **more: Any) -> tuple[EphemeralAgreement, EphemeralAgreement]:
    client, server = SIGNING[suite]
    return (
        EphemeralAgreement(client, server.public, PARTY_U, PARTY_V, suite=suite, **more),
        EphemeralAgreement(server, client.public, PARTY_U, PARTY_V, suite=suite, **more),
    )


@pytest.mark.parametrize(
    ("dialect", "guek"),
    [(STANDARD, "C5F4512846EDE51CFB8CCF59F08A694E"), (ARC_6, "E025CA6F9EE8D2B40F993739D44CFBC0")],
    ids=["arc-5", "arc-6"],
)
def test_published_offer_gives_the_published_guek(dialect: Any, guek: str) -> None:
    server = EphemeralAgreement(
        SERVER_SIGNING,
        CLIENT_SIGNING.public,
        PARTY_U,
        PARTY_V,
        suite=SUITE_1,
        dialect=dialect,
        make_ephemeral=lambda _: EPHEMERAL_V,
    )
    answer, key = server.answer(0, EPHEMERAL_Q + EPHEMERAL_SIGNATURE)
    assert key == wire(guek)
    assert answer[:64] == EPHEMERAL_V.public.octets
    with pytest.raises(SignatureInvalid):
        server.answer(1, EPHEMERAL_Q + EPHEMERAL_SIGNATURE)


@both_suites
@settings(max_examples=10)
@given(key_ids=st.sets(st.sampled_from(sorted(KEY_IDS)), min_size=1), arc=st.sampled_from([5, 6]))
def test_ephemeral_keys_agree_on_both_sides(suite: SecuritySuite, key_ids: set[int], arc: int) -> None:
    client, server = sides(suite, dialect=STANDARD.but(kdf_algorithm_arc=arc))
    offers = [(key_id, client.offer(key_id)) for key_id in key_ids]
    answers, at_server = server.answer_all(offers)
    at_client = client.accept_all(answers)
    assert at_client == at_server
    assert set(at_client) == key_ids
    assert len({key.reveal() for key in at_client.values()}) == len(key_ids)
    assert all(len(key) == suite.key_length for key in at_client.values())
    assert len({data[: suite.public_key_length] for _, data in [*offers, *answers]}) == 2 * len(key_ids)
    with pytest.raises(DecipheringError):
        client.accept_all(answers)


@both_suites
@pytest.mark.parametrize("key_id", sorted(KEY_IDS))
def test_agreed_key_is_that_of_its_use(suite: SecuritySuite, key_id: int) -> None:
    """The master key is made for key wrap, the others for GCM: Z of both sides is computed here once more."""
    ephemeral = {suite: (SoftwareAgreementKey.generate(suite), SoftwareAgreementKey.generate(suite))}[suite]
    client, server = sides(suite)
    client._make_ephemeral, server._make_ephemeral = (lambda _, each=each: each for each in ephemeral)
    answer, key = server.answer(key_id, client.offer(key_id))
    assert client.accept(key_id, answer) == key
    last = (2 if key_id == MASTER_KEY_ID else 0) + (1 if suite is SUITE_2 else 0)
    z = ephemeral[0].exchange(ephemeral[1].public)
    assert key == kdf(suite, z, Algorithm(last), PARTY_U, PARTY_V)
    if key_id == MASTER_KEY_ID:
        secret = Secret(bytes(range(suite.key_length)))
        assert unwrap_key(key, wrap_key(key, secret, suite), suite) == secret


@both_suites
def test_a_forged_or_foreign_offer_is_refused_and_so_are_all_with_it(suite: SecuritySuite) -> None:
    client, server = sides(suite)
    made: list[SecuritySuite] = []

    def make(of: SecuritySuite) -> SoftwareAgreementKey:
        made.append(of)
        return SoftwareAgreementKey.generate(of)

    server._make_ephemeral = make
    good, other = client.offer(0), client.offer(2)
    bad_bit = good[:-1] + bytes((good[-1] ^ 1,))
    unsigned = SoftwareAgreementKey.generate(suite).public.octets + good[suite.public_key_length :]
    signing = SIGNING[suite][0]
    no_point = bytes(suite.public_key_length)
    for offers, error in (
        ([(2, other), (0, bad_bit)], SignatureInvalid),
        ([(2, other), (0, unsigned)], SignatureInvalid),
        ([(2, other), (1, good)], SignatureInvalid),
        ([(2, other), (0, good[:-1])], DecodeError),
        ([(2, other), (0, no_point + signing.sign(b"\0" + no_point))], DecodeError),
        ([(0, good), (0, good)], DecipheringError),
        ([(0, good), (4, good)], DecipheringError),
        ([(0, good), (256, good)], DecipheringError),
        ([(-1, good)], DecipheringError),
    ):
        with pytest.raises(error):
            server.answer_all(offers)
    assert not made
    assert set(server.answer_all([(0, good), (2, other)])[1]) == {0, 2}


@both_suites
def test_answers_are_those_to_the_offers_and_are_taken_once(suite: SecuritySuite) -> None:
    def answered(*key_ids: int) -> tuple[EphemeralAgreement, list[tuple[int, bytes]]]:
        client, server = sides(suite)
        return client, server.answer_all([(each, client.offer(each)) for each in key_ids])[0]

    client, answers = answered(0, 1)
    for wrong in ([], answers[:1], answers + answers[:1], [*answers, (2, answers[0][1])], [answers[0], answers[0]]):
        client, answers = answered(0, 1)
        with pytest.raises(DecipheringError):
            client.accept_all(wrong)
        with pytest.raises(DecipheringError):  # one attempt: the ephemeral keys are gone
            client.accept_all(answers)
    client, answers = answered(0, 1)
    with pytest.raises(SignatureInvalid):
        client.accept_all([(0, answers[1][1]), (1, answers[0][1])])
    client, _ = answered(0)
    with pytest.raises(SignatureInvalid):  # its own offer, handed back
        client.accept(0, answered(0)[0].offer(1))
    client, _ = sides(suite)
    with pytest.raises(SignatureInvalid):
        client.accept(0, client.offer(0))


def test_only_agreed_keys_are_offered_each_once() -> None:
    client, _ = sides(SUITE_1)
    client.offer(3)
    for key_id in (3, 4, -1, 256):
        with pytest.raises(ConfigurationError, match="cannot be offered"):
            client.offer(key_id)


# --- keys and titles of all schemes


@pytest.mark.parametrize(
    "titles", [(PARTY_U, PARTY_U), (PARTY_U[:7], PARTY_V), (PARTY_U, PARTY_V + b"\0"), (b"", PARTY_V), (PARTY_U, b"")]
)
def test_titles_are_two_and_of_8_octets(titles: tuple[bytes, bytes]) -> None:
    (client, server), (own, peer) = SIGNING[SUITE_1], STATIC[SUITE_1]
    calls = (
        lambda: EphemeralAgreement(client, server.public, *titles, suite=SUITE_1),
        lambda: one_pass_originator(client, peer.public, *titles, suite=SUITE_1),
        lambda: one_pass_recipient(own, client.public, bytes(128), *titles, suite=SUITE_1),
        lambda: static_unified(own, peer.public, *titles, b"1", suite=SUITE_1),
    )
    for call in calls:
        with pytest.raises(DecipheringError, match="system titles"):
            call()


@pytest.mark.parametrize(("suite", "other"), [(SUITE_1, SUITE_2), (SUITE_2, SUITE_1)], ids=["suite-1", "suite-2"])
def test_keys_are_on_the_curve_of_the_suite_and_not_the_own_ones(suite: SecuritySuite, other: SecuritySuite) -> None:
    titles = PARTY_U, PARTY_V
    (client, _), (own, peer) = SIGNING[suite], STATIC[suite]
    foreign_signing, foreign = SIGNING[other][0], STATIC[other][0]
    calls = (
        lambda: EphemeralAgreement(client, foreign_signing.public, *titles, suite=suite),
        lambda: EphemeralAgreement(foreign_signing, client.public, *titles, suite=suite),
        lambda: EphemeralAgreement(client, client.public, *titles, suite=suite),
        lambda: one_pass_originator(client, foreign.public, *titles, suite=suite),
        lambda: one_pass_originator(client, peer.public, *titles, suite=security_suite(0)),
        lambda: one_pass_recipient(foreign, client.public, bytes(192), *titles, suite=suite),
        lambda: static_unified(own, foreign.public, *titles, b"1", suite=suite),
        lambda: static_unified(own, own.public, *titles, b"1", suite=suite),
    )
    for call in calls:
        with pytest.raises(ConfigurationError, match=r"suite|own one"):
            call()


def test_no_error_shows_a_key() -> None:
    (client, _), (own, peer) = SIGNING[SUITE_1], STATIC[SUITE_1]
    secrets = [key.to_secret().reveal().hex() for key in (client, own, peer)]
    secrets.append(own.exchange(peer.public).hex())
    shown = [repr(static_unified(own, peer.public, PARTY_U, PARTY_V, b"1", suite=SUITE_1))]
    for arguments in ({"transaction_id": b""}, {"dialect": STANDARD.but(kdf_algorithm_arc=9)}, {"suite": SUITE_2}):
        values: dict[str, Any] = {"transaction_id": b"1", "suite": SUITE_1} | arguments
        with pytest.raises(CosemicError) as caught:
            static_unified(own, peer.public, PARTY_U, PARTY_V, **values)
        shown.append(str(caught.value) + repr(caught.value))
    assert not any(secret in text.lower() for secret in secrets for text in shown)
