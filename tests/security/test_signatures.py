"""Signatures r || s: the published ones, every refusal with one message, and the library's own form nowhere."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import DecipheringError, SignatureInvalid
from cosemic.security import PublicKey, SecuritySuite, SigningKey, SoftwareSigningKey
from cosemic.security.elliptic import _ecdsa, curve_of
from cosemic.security.signatures import FAILED, verify
from tests import vectors
from tests.effort import examples
from tests.security.curves import (
    CLIENT_SIGNING,
    EPHEMERAL_Q,
    EPHEMERAL_SIGNATURE,
    ONE_PASS_Q,
    ONE_PASS_SIGNATURE,
    REVERSE_Q,
    REVERSE_SIGNATURE,
    SERVER_SIGNING,
    SIGNED_BY,
    SIGNED_PART,
    SIGNED_SIGNATURE,
    SUITE_1,
    SUITE_2,
)

both_suites = pytest.mark.parametrize("suite", [SUITE_1, SUITE_2], ids=["suite-1", "suite-2"])
SIGNERS: dict[str, SoftwareSigningKey] = {}


def signer(suite: SecuritySuite) -> SigningKey:
    return SIGNERS.setdefault(suite.name, SoftwareSigningKey.generate(suite))


def refused(public: PublicKey, data: bytes, signature: bytes) -> None:
    with pytest.raises(SignatureInvalid) as caught:
        verify(public, data, signature)
    assert str(caught.value) == FAILED
    assert isinstance(caught.value, DecipheringError)


PUBLISHED = {
    "ephemeral unified model, client": (CLIENT_SIGNING.public, b"\0" + EPHEMERAL_Q, EPHEMERAL_SIGNATURE),
    "one-pass, client": (CLIENT_SIGNING.public, ONE_PASS_Q, ONE_PASS_SIGNATURE),
    "one-pass, server": (SERVER_SIGNING.public, REVERSE_Q, REVERSE_SIGNATURE),
    "general-signing": (PublicKey.of(SIGNED_BY, SUITE_1), SIGNED_PART, SIGNED_SIGNATURE),
}


@pytest.mark.parametrize(("public", "data", "signature"), PUBLISHED.values(), ids=PUBLISHED)
def test_published_signature_holds_over_these_octets_alone(public: PublicKey, data: bytes, signature: bytes) -> None:
    verify(public, data, signature)
    for other in (b"\x01" + data, b"\x00" + data, b"\xdf" + data, data[1:], data[:-1], data + b"\0", b""):
        refused(public, other, signature)


@pytest.mark.parametrize(("public", "data", "signature"), PUBLISHED.values(), ids=PUBLISHED)
def test_every_flipped_bit_of_a_published_signature_is_refused(
    public: PublicKey, data: bytes, signature: bytes
) -> None:
    for bit in range(0, len(signature) * 8, 3):
        changed = bytearray(signature)
        changed[bit // 8] ^= 0x80 >> bit % 8
        refused(public, data, bytes(changed))


@vectors.each_record("ecdsa")
def test_recorded_signature(record: vectors.Record) -> None:
    given_keys = vectors.keys(record)
    suite = SUITE_1 if len(given_keys["public_key"]) == 64 else SUITE_2
    public = PublicKey.of(given_keys["public_key"], suite)
    if record["expected"]["valid"]:
        verify(public, vectors.octets(record), given_keys["signature"])
    else:
        refused(public, vectors.octets(record), given_keys["signature"])


@both_suites
@examples(25)
@given(data=st.binary(max_size=300), changed=st.binary(max_size=300))
def test_what_was_signed_holds_and_nothing_else(suite: SecuritySuite, data: bytes, changed: bytes) -> None:
    key = signer(suite)
    signature = key.sign(data)
    assert len(signature) == suite.signature_length
    verify(key.public, data, signature)
    if changed != data:
        refused(key.public, changed, signature)
    refused(SoftwareSigningKey.generate(suite).public, data, signature)


@both_suites
def test_r_and_s_are_padded_to_whole_coordinates(suite: SecuritySuite) -> None:
    curve = curve_of(suite)
    assert curve.plain_signature(encode_dss_signature(1, 2)) == encode(1, 2, suite)
    assert curve.der_signature(encode(1, 2, suite)) == encode_dss_signature(1, 2)
    last = curve.order - 1
    assert curve.der_signature(encode(last, last, suite)) == encode_dss_signature(last, last)


def encode(r: int, s: int, suite: SecuritySuite) -> bytes:
    length = suite.coordinate_length
    return r.to_bytes(length, "big") + s.to_bytes(length, "big")


@both_suites
def test_r_and_s_of_zero_or_not_below_the_order_never_reach_the_library(suite: SecuritySuite) -> None:
    curve = curve_of(suite)
    key = signer(suite)
    good = key.sign(b"data")
    length = curve.length
    r, s = int.from_bytes(good[:length], "big"), int.from_bytes(good[length:], "big")
    highest = 256**length - 1
    wrong = [(0, s), (r, 0), (0, 0), (curve.order, s), (r, curve.order), (highest, s), (r, highest), (highest, highest)]
    wrong += [(each + curve.order, other) for each, other in [(r, s)] if each + curve.order <= highest]
    wrong += [(each, other + curve.order) for each, other in [(r, s)] if other + curve.order <= highest]
    for pair in wrong:
        assert curve.der_signature(encode(*pair, suite)) is None
        refused(key.public, b"data", encode(*pair, suite))
    verify(key.public, b"data", good)
    verify(key.public, b"data", encode(r, curve.order - s, suite))


@both_suites
def test_signatures_of_another_length_or_in_der_are_refused(suite: SecuritySuite) -> None:
    key = signer(suite)
    good = key.sign(b"data")
    half = suite.coordinate_length
    der = curve_of(suite).der_signature(good)
    assert der is not None
    wrong = [b"", good[:-1], good + b"\0", b"\0" + good, good[:half], good * 2, der]
    wrong += [b"\0" + good[:half] + b"\0" + good[half:], good[:half] + b"\0" + good[half:]]
    for each in wrong:
        refused(key.public, b"data", each)


def test_signature_of_the_other_suite_is_refused() -> None:
    refused(signer(SUITE_1).public, b"data", signer(SUITE_2).sign(b"data"))
    refused(signer(SUITE_2).public, b"data", signer(SUITE_1).sign(b"data"))


@both_suites
@given(signature=st.binary(max_size=200) | st.binary(min_size=64, max_size=64) | st.binary(min_size=96, max_size=96))
def test_any_octets_are_refused_as_signature(suite: SecuritySuite, signature: bytes) -> None:
    refused(signer(suite).public, b"data", signature)


@both_suites
def test_the_library_verifies_what_is_signed_and_the_other_way_round(suite: SecuritySuite) -> None:
    key = signer(suite)
    algorithm = ec.ECDSA(hashes.SHA256() if suite is SUITE_1 else hashes.SHA384())
    signature = key.sign(b"data")
    half = suite.coordinate_length
    r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    key.public.to_cryptography().verify(encode_dss_signature(r, s), b"data", algorithm)
    private = SIGNERS[suite.name].to_cryptography()
    verify(key.public, b"data", curve_of(suite).plain_signature(private.sign(b"data", algorithm)))


def test_a_library_without_deterministic_signatures_signs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def older(algorithm: hashes.HashAlgorithm) -> str:
        return f"a random k, {algorithm.name}"

    monkeypatch.setattr(ec, "ECDSA", older)
    assert str(_ecdsa(hashes.SHA256())) == "a random k, sha256"
