"""Keys as handles, key material of an association, security controls."""

from __future__ import annotations

import copy
import pickle

import pytest

from cosemic.errors import ConfigurationError, DecipheringError
from cosemic.security import (
    ASSOCIATION_SUITES,
    NO_AUTHENTICATION_KEY,
    SUITES,
    Protection,
    SecurityControl,
    SecurityMaterial,
    security_suite,
    unwrap_key,
    wrap_key,
)
from cosemic.values.secret import Secret
from tests.security.samples import AK, DEDICATED, EK, GBEK, key, material


def test_no_octets_of_a_key_are_shown() -> None:
    for shown in (repr(key(EK)), repr(material(kek=key(GBEK))), repr(key(EK).aead), key(EK).identity.hex()):
        for octets in (EK, AK, GBEK):
            assert octets.hex() not in shown.lower()
            assert octets[:6].hex() not in shown.lower()
            assert repr(octets) not in shown


def test_keys_are_not_pickled_and_copies_are_the_same_handle() -> None:
    handle = key(EK)
    with pytest.raises(TypeError):
        pickle.dumps(handle)
    assert copy.copy(handle) is copy.deepcopy(handle) is handle


def test_identity_is_that_of_the_value_and_the_same_in_every_process() -> None:
    assert key(EK).identity == key(EK).identity == bytes.fromhex("c4933121013143a1967d4f37553921aa")
    assert len({key(EK).identity, key(AK).identity, NO_AUTHENTICATION_KEY.identity}) == 3
    assert key(EK) == key(EK) != key(AK)
    assert key(EK) != EK
    assert {key(EK): 1}[key(EK)] == 1
    assert bool(NO_AUTHENTICATION_KEY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"encryption_key": key(EK[:15])},
        {"encryption_key": key(bytes(32))},
        {"encryption_key": NO_AUTHENTICATION_KEY},
        {"authentication_key": key(AK[:8])},
        {"broadcast_key": key(bytes(17))},
        {"kek": key(bytes(24))},
        {"dedicated_key": key(bytes(15))},
        {"dedicated_key": key(b"")},
        {"suite": security_suite(2)},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_keys_of_another_length_than_the_suites_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        material(**wrong)
    assert EK.hex() not in str(caught.value)


@pytest.mark.parametrize("equal_to", ["encryption_key", "broadcast_key"])
def test_a_dedicated_key_that_is_a_global_one_is_refused(equal_to: str) -> None:
    keys = material(broadcast_key=key(GBEK))
    with pytest.raises(ConfigurationError, match="fresh"):
        keys.with_dedicated_key(key(EK if equal_to == "encryption_key" else GBEK))
    assert keys.with_dedicated_key(key(DEDICATED)).dedicated_key == key(DEDICATED)


def test_material_is_made_from_secrets() -> None:
    made = SecurityMaterial.of(Secret(EK), Secret(AK), broadcast_key=Secret(GBEK), kek=Secret(DEDICATED))
    assert made == material(broadcast_key=key(GBEK), kek=key(DEDICATED))
    assert SecurityMaterial.of(Secret(EK)).authentication_key is None


def test_table_of_suites() -> None:
    assert {number: (suite.key_length, suite.wrapped_key_length) for number, suite in SUITES.items()} == {
        0: (16, 24),
        1: (16, 24),
        2: (32, 40),
    }
    assert sorted(ASSOCIATION_SUITES) == [0, 1, 2]
    with pytest.raises(ConfigurationError, match="suite 3"):
        security_suite(3)


@pytest.mark.parametrize("value", range(256))
def test_every_security_control_tells_its_bits(value: int) -> None:
    control = SecurityControl(value)
    assert control == value
    assert control is SecurityControl(value)
    assert control.octet == bytes((value,))
    parts = (control.compressed, control.broadcast, control.encrypted, control.authenticated, control.suite)
    assert parts == (value >= 128, bool(value & 64), bool(value & 32), bool(value & 16), value % 16)
    if not control.compressed:
        assert control is SecurityControl.of(
            control.suite,
            authenticated=control.authenticated,
            encrypted=control.encrypted,
            broadcast=control.broadcast,
        )
    assert bool(control.protection & Protection.AUTHENTICATED) == control.authenticated
    assert bool(control.protection & Protection.ENCRYPTED) == control.encrypted


def test_security_controls_cannot_be_changed_and_pickle_to_themselves() -> None:
    control = SecurityControl(0x30)
    with pytest.raises(AttributeError):
        control.encrypted = False
    assert pickle.loads(pickle.dumps(control)) == control
    assert repr(control) == "SecurityControl(0x30: encryption, authentication, suite 0)"
    for outside in (-1, 256):
        with pytest.raises(ValueError):
            SecurityControl(outside)


def test_wrapped_keys_of_another_length_or_changed_are_one_error() -> None:
    suite = security_suite(0)
    kek = key(GBEK)
    wrapped = wrap_key(kek, Secret(EK), suite)
    long = wrap_key(key(bytes(32)), Secret(bytes(32)), security_suite(2))
    wrong = [b"", wrapped[:-1], wrapped + b"\0", wrapped[:16], long, bytes([wrapped[0] ^ 1]) + wrapped[1:]]
    messages = set()
    for each in wrong:
        with pytest.raises(DecipheringError) as caught:
            unwrap_key(kek, each, suite)
        messages.add(str(caught.value))
    with pytest.raises(DecipheringError) as caught:
        unwrap_key(key(AK), wrapped, suite)
    assert messages == {str(caught.value)}
    with pytest.raises(DecipheringError):
        unwrap_key(key(bytes(32)), wrapped, security_suite(2))


def test_only_keys_of_the_suite_are_wrapped() -> None:
    suite = security_suite(0)
    with pytest.raises(ConfigurationError):
        wrap_key(key(bytes(32)), Secret(EK), suite)
    with pytest.raises(ConfigurationError):
        wrap_key(key(GBEK), Secret(bytes(24)), suite)
    with pytest.raises(ConfigurationError):
        unwrap_key(key(bytes(32)), bytes(24), suite)
