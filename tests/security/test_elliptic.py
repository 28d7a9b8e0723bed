"""Public keys are points of their curve; private keys are handles that show nothing."""

from __future__ import annotations

import contextlib
import copy
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, DecodeError
from cosemic.security import PublicKey, SecuritySuite, SoftwareAgreementKey, SoftwareSigningKey, security_suite
from cosemic.security.elliptic import CURVES, Curve, curve_of, wipe
from cosemic.values.secret import Secret
from tests.security.curves import (
    CLIENT_Q,
    CLIENT_SIGNING,
    EPHEMERAL_Q,
    EPHEMERAL_V,
    EPHEMERAL_Z,
    ONE_PASS_Q,
    ONE_PASS_U,
    ONE_PASS_Z,
    SERVER_Q,
    SERVER_SIGNING,
    STATIC_V,
    SUITE_1,
    SUITE_2,
)

both_suites = pytest.mark.parametrize("suite", [SUITE_1, SUITE_2], ids=["suite-1", "suite-2"])
SOFTWARE = [SoftwareSigningKey, SoftwareAgreementKey]


def small_x(curve: Curve) -> tuple[int, int]:
    """Return the point with the smallest x: x + p still fits into the octets of a coordinate."""
    for x in range(100):
        square = (x**3 - 3 * x + curve.b) % curve.p
        y = pow(square, (curve.p + 1) // 4, curve.p)
        if y * y % curve.p == square:
            return x, y
    raise AssertionError


def encoded(x: int, y: int, curve: Curve) -> bytes:
    return x.to_bytes(curve.length, "big") + y.to_bytes(curve.length, "big")


def test_table_of_suites_names_curves_hashes_and_lengths() -> None:
    def row(suite: SecuritySuite) -> tuple[object, ...]:
        lengths = suite.coordinate_length, suite.public_key_length, suite.signature_length
        return suite.curve, suite.hash_name, *lengths

    assert row(security_suite(0)) == (None, None, 0, 0, 0)
    assert row(security_suite(1)) == ("P-256", "sha256", 32, 64, 64)
    assert row(security_suite(2)) == ("P-384", "sha384", 48, 96, 96)
    for suite in (SUITE_1, SUITE_2):
        assert (curve_of(suite).name, curve_of(suite).hash_name) == (suite.curve, suite.hash_name)
    with pytest.raises(ConfigurationError, match="suite 0"):
        curve_of(security_suite(0))


@both_suites
def test_a_point_of_the_curve_is_read_and_written(suite: SecuritySuite) -> None:
    key = PublicKey.of(encoded(*small_x(curve_of(suite)), curve_of(suite)), suite)
    assert len(key.octets) == suite.public_key_length
    assert key.suite_curve == suite.curve
    assert key.to_cryptography().key_size == 8 * suite.coordinate_length
    assert PublicKey.from_cryptography(key.to_cryptography()) == key
    assert copy.copy(key) is copy.deepcopy(key) is key
    assert pickle.loads(pickle.dumps(key)) == key
    assert {key: 1}[PublicKey.of(bytes(bytearray(key.octets)), suite)] == 1
    assert key != key.octets
    assert key.octets.hex() in repr(key)


@both_suites
def test_coordinates_of_p_and_above_are_refused_though_they_are_on_the_curve_modulo_p(suite: SecuritySuite) -> None:
    curve = curve_of(suite)
    x, y = small_x(curve)
    assert PublicKey.of(encoded(x, y, curve), suite)
    assert x + curve.p < 256**curve.length
    with pytest.raises(DecodeError, match=f"point of the curve {curve.name}"):
        PublicKey.of(encoded(x + curve.p, y, curve), suite)
    with pytest.raises(DecodeError):
        PublicKey.of(encoded(x, curve.p, curve), suite)
    with pytest.raises(DecodeError):
        PublicKey.of(b"\xff" * suite.public_key_length, suite)


@both_suites
@given(data=st.data())
def test_points_of_other_curves_are_refused(suite: SecuritySuite, data: st.DataObject) -> None:
    """What an invalid-curve attack sends: the formulas of addition take no b, so its order may be small."""
    curve = curve_of(suite)
    coordinates = st.integers(0, curve.p - 1)
    x, y = data.draw(coordinates), data.draw(coordinates | st.just(0))
    on_curve = (y * y - x**3 + 3 * x - curve.b) % curve.p == 0
    assert curve.has(x, y) == on_curve
    if not on_curve:
        with pytest.raises(DecodeError):
            PublicKey.of(encoded(x, y, curve), suite)


@both_suites
def test_points_of_order_two_and_the_origin_are_refused(suite: SecuritySuite) -> None:
    for x in range(50):
        with pytest.raises(DecodeError, match="point of the curve"):
            PublicKey.of(encoded(x, 0, curve_of(suite)), suite)


@both_suites
def test_every_flipped_bit_leaves_the_curve(suite: SecuritySuite) -> None:
    octets = SoftwareAgreementKey.generate(suite).public.octets
    for bit in range(len(octets) * 8):
        changed = bytearray(octets)
        changed[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(DecodeError):
            PublicKey.of(bytes(changed), suite)


@both_suites
def test_other_lengths_and_forms_of_a_public_key_are_refused(suite: SecuritySuite) -> None:
    octets = SoftwareAgreementKey.generate(suite).public.octets
    length = suite.coordinate_length
    for wrong in (b"", b"\x00", octets[:-1], octets + b"\0", b"\x04" + octets, b"\x02" + octets[:length], octets * 2):
        with pytest.raises(DecodeError, match=f"{2 * length} octets"):
            PublicKey.of(wrong, suite)
    with pytest.raises(DecodeError):
        PublicKey.of(octets, SUITE_2 if suite is SUITE_1 else SUITE_1)


@given(st.binary(max_size=100) | st.binary(min_size=64, max_size=64) | st.binary(min_size=96, max_size=96))
def test_any_octets_give_a_key_or_a_decode_error(octets: bytes) -> None:
    for suite in (SUITE_1, SUITE_2):
        with contextlib.suppress(DecodeError):
            assert PublicKey.of(octets, suite).octets == octets


def test_a_key_on_a_curve_of_no_suite_is_refused() -> None:
    for curve in (ec.SECP521R1(), ec.SECP256K1(), ec.SECP224R1()):
        with pytest.raises(DecodeError, match="not on"):
            PublicKey.from_cryptography(ec.generate_private_key(curve).public_key())


def test_published_scalars_give_the_published_public_keys() -> None:
    assert CLIENT_SIGNING.public.octets == CLIENT_Q
    assert SERVER_SIGNING.public.octets == SERVER_Q
    assert ONE_PASS_U.public.octets == ONE_PASS_Q


def test_published_z() -> None:
    assert EPHEMERAL_V.exchange(PublicKey.of(EPHEMERAL_Q, SUITE_1)) == EPHEMERAL_Z
    assert STATIC_V.exchange(PublicKey.of(ONE_PASS_Q, SUITE_1)) == ONE_PASS_Z
    assert ONE_PASS_U.exchange(STATIC_V.public) == ONE_PASS_Z


def test_z_that_begins_with_zeros_keeps_its_length() -> None:
    # The scalar 1 makes Z the x of the peer, so that a peer with a small x makes a Z of almost nothing but zeros.
    for suite in (SUITE_1, SUITE_2):
        curve = curve_of(suite)
        x, y = small_x(curve)
        one = SoftwareAgreementKey.of((1).to_bytes(curve.length, "big"), suite)
        assert one.exchange(PublicKey.of(encoded(x, y, curve), suite)) == x.to_bytes(curve.length, "big")


def test_keys_on_different_curves_agree_on_nothing() -> None:
    with pytest.raises(ConfigurationError, match="P-256 and P-384"):
        STATIC_V.exchange(SoftwareAgreementKey.generate(SUITE_2).public)


def test_wiped_octets_are_zeros_in_place() -> None:
    octets = bytearray(b"\x01\x02\x03")
    wipe(octets)
    assert octets == bytes(3)


@pytest.mark.parametrize("kind", SOFTWARE)
@both_suites
def test_scalars_are_of_the_suite_and_below_the_order(
    kind: type[SoftwareSigningKey | SoftwareAgreementKey], suite: SecuritySuite
) -> None:
    order, length = curve_of(suite).order, suite.coordinate_length
    for number in (1, 2, order - 1):
        scalar = number.to_bytes(length, "big")
        assert kind.of(scalar, suite).to_secret().reveal() == scalar
        assert kind.of(Secret(scalar), suite).public == kind.of(scalar, suite).public
    for wrong in (
        bytes(length),
        order.to_bytes(length, "big"),
        b"\xff" * length,
        b"\x01" * (length - 1),
        b"\0" + b"\x01" * length,
    ):
        with pytest.raises(ConfigurationError, match="check the key file") as caught:
            kind.of(wrong, suite)
        assert wrong.hex() not in str(caught.value)
    with pytest.raises(ConfigurationError):
        kind.generate(security_suite(0))


@pytest.mark.parametrize("kind", SOFTWARE)
@both_suites
def test_private_keys_show_nothing_and_are_not_pickled(
    kind: type[SoftwareSigningKey | SoftwareAgreementKey], suite: SecuritySuite
) -> None:
    key = kind.generate(suite)
    assert key.public != kind.generate(suite).public
    scalar = key.to_secret().reveal()
    assert len(scalar) == suite.coordinate_length
    for shown in (repr(key), str(key), repr(key.to_secret()), repr(vars(type(key)))):
        assert scalar.hex() not in shown.lower()
        assert str(int.from_bytes(scalar, "big")) not in shown
        assert repr(scalar) not in shown
    assert key.public.octets.hex() in repr(key)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="key store"):
            pickle.dumps(key, protocol)
    assert copy.copy(key) is copy.deepcopy(key) is key
    assert kind.of(key.to_secret(), suite).public == key.public


def test_curve_parameters_are_those_of_the_library() -> None:
    """The base point and its order hold only for the right p, b and order."""
    for curve in CURVES.values():
        one = ec.derive_private_key(1, curve.cryptography).public_key().public_numbers()
        last = ec.derive_private_key(curve.order - 1, curve.cryptography).public_key().public_numbers()
        assert curve.has(one.x, one.y)
        assert (last.x, last.y) == (one.x, curve.p - one.y)
        with pytest.raises(ValueError):
            ec.derive_private_key(curve.order, curve.cryptography)
