"""Protecting and unprotecting octets: round trips, the two ways of verifying, and everything that is refused."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, CosemicError, DecipheringError, DecodeError, EncodeError
from cosemic.security import NO_AUTHENTICATION_KEY, SecurityControl, protect, unprotect
from cosemic.security.protection import FAILED, TWO_PASS_LIMIT, verify_in_context, verify_in_two_passes
from cosemic.security.unverified import decipher_unverified
from tests.security.samples import AK, CLIENT, EK, GET, SERVER, key

AUTHENTICATED = SecurityControl(0x10)
ENCRYPTED = SecurityControl(0x20)
BOTH = SecurityControl(0x30)
controls = st.sampled_from([AUTHENTICATED, ENCRYPTED, BOTH, SecurityControl(0x70), SecurityControl(0x50)])
aes_keys = st.one_of(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32))
counters = st.integers(0, 0xFFFF_FFFE)


@given(controls, aes_keys, st.binary(max_size=32), st.binary(max_size=600), counters, st.binary(max_size=30))
def test_what_was_protected_comes_back(
    control: SecurityControl, ek: bytes, ak: bytes, plain: bytes, counter: int, extra: bytes
) -> None:
    octets = protect(control, key(ek), key(ak), SERVER, counter, plain, extra)
    result = unprotect(octets, key(ek), key(ak), SERVER, extra)
    assert result == (plain, control.authenticated, control.encrypted, control, counter)
    assert decipher_unverified(octets, key(ek), SERVER) == plain


@given(aes_keys, st.binary(min_size=12, max_size=12), st.binary(max_size=60), st.binary(max_size=4096), st.booleans())
def test_two_passes_and_context_agree_on_every_tag(
    ek: bytes, nonce: bytes, aad: bytes, body: bytes, encrypted: bool
) -> None:
    handle = key(ek)
    if encrypted:
        sealed = handle.aead.encrypt(nonce, body, aad)
        ciphered, tag = sealed[:-16], sealed[-16:-4]
    else:
        ciphered, tag = body, handle.aead.encrypt(nonce, b"", aad + body)[:12]
    for verify in (verify_in_two_passes, verify_in_context):
        assert verify(handle, nonce, aad, ciphered, tag, encrypted) == body
        with pytest.raises(DecipheringError) as caught:
            verify(handle, nonce, aad, ciphered, bytes([tag[0] ^ 1]) + tag[1:], encrypted)
        assert str(caught.value) == FAILED


@pytest.mark.parametrize("size", [TWO_PASS_LIMIT - 1, TWO_PASS_LIMIT, TWO_PASS_LIMIT + 1, 70_000])
@pytest.mark.parametrize("control", [AUTHENTICATED, BOTH])
def test_long_octets_are_verified_too(size: int, control: SecurityControl) -> None:
    plain = secrets.token_bytes(size)
    octets = protect(control, key(EK), key(AK), SERVER, 7, plain)
    assert unprotect(octets, key(EK), key(AK), SERVER).plaintext == plain
    changed = bytearray(octets)
    changed[-20] ^= 0x40
    with pytest.raises(DecipheringError):
        unprotect(bytes(changed), key(EK), key(AK), SERVER)


@pytest.mark.parametrize("control", [AUTHENTICATED, BOTH])
@pytest.mark.parametrize("plain", [GET, b""], ids=["get-request", "nothing"])
def test_every_flipped_bit_is_refused_or_seen_to_be_unauthenticated(control: SecurityControl, plain: bytes) -> None:
    octets = protect(control, key(EK), key(AK), SERVER, 7, plain, b"\0" * 5)
    for bit in range(len(octets) * 8):
        changed = bytearray(octets)
        changed[bit // 8] ^= 0x80 >> bit % 8
        try:
            result = unprotect(bytes(changed), key(EK), key(AK), SERVER, b"\0" * 5)
        except DecipheringError:
            continue
        # Without the authentication bit the tag is taken for ciphertext: nothing vouches for such octets.
        assert not result.authenticated
        assert changed[0] in (control ^ 0x10, 0x20)


@pytest.mark.parametrize("control", [AUTHENTICATED, BOTH])
def test_wrong_key_title_and_further_data_are_one_and_the_same_error(control: SecurityControl) -> None:
    octets = protect(control, key(EK), key(AK), SERVER, 7, GET, b"meta")
    wrong = [
        (key(AK), key(AK), SERVER, b"meta"),
        (key(EK), key(EK), SERVER, b"meta"),
        (key(EK), NO_AUTHENTICATION_KEY, SERVER, b"meta"),
        (key(EK), key(AK), CLIENT, b"meta"),
        (key(EK), key(AK), SERVER, b"metb"),
        (key(EK), key(AK), SERVER, b""),
    ]
    messages = set()
    for arguments in wrong:
        with pytest.raises(DecipheringError) as caught:
            unprotect(octets, *arguments)
        messages.add(str(caught.value))
    assert messages == {FAILED}


@pytest.mark.parametrize("control", [AUTHENTICATED, BOTH])
def test_octets_without_room_for_a_tag_are_refused(control: SecurityControl) -> None:
    for size in range(12):
        with pytest.raises(DecodeError):
            unprotect(control.octet + bytes(4 + size), key(EK), key(AK), SERVER)
    for size in range(5):
        with pytest.raises(DecodeError):
            unprotect((control.octet + bytes(4))[:size], key(EK), key(AK), SERVER)


@pytest.mark.parametrize("control", [0x00, 0x40, 0x01])
def test_a_control_that_protects_nothing_is_refused(control: int) -> None:
    with pytest.raises(DecipheringError):
        unprotect(bytes((control,)) + bytes(4) + GET, key(EK), key(AK), SERVER)
    with pytest.raises(EncodeError):
        protect(SecurityControl(control), key(EK), key(AK), SERVER, 7, GET)


def test_last_counter_is_neither_sent_nor_read() -> None:
    with pytest.raises(EncodeError):
        protect(BOTH, key(EK), key(AK), SERVER, 0xFFFF_FFFF, GET)
    sealed = key(EK).aead.encrypt(SERVER + b"\xff" * 4, GET, BOTH.octet + AK)[:-4]
    with pytest.raises(DecipheringError):
        unprotect(BOTH.octet + b"\xff" * 4 + sealed, key(EK), key(AK), SERVER)


def test_missing_authentication_key_is_said() -> None:
    with pytest.raises(ConfigurationError, match="authentication key"):
        protect(BOTH, key(EK), None, SERVER, 7, GET)
    octets = protect(BOTH, key(EK), key(AK), SERVER, 7, GET)
    with pytest.raises(DecipheringError, match="authentication key"):
        unprotect(octets, key(EK), None, SERVER)
    with pytest.raises(ConfigurationError, match="16 or 32"):
        protect(BOTH, key(EK[:15]), key(AK), SERVER, 7, GET)
    with pytest.raises(EncodeError):
        protect(BOTH, key(EK), key(AK), SERVER[:7], 7, GET)


def test_encryption_only_is_marked_and_is_never_a_fallback() -> None:
    both = protect(BOTH, key(EK), key(AK), SERVER, 7, GET)
    stripped = ENCRYPTED.octet + both[1:-12]
    result = unprotect(stripped, key(EK), key(AK), SERVER)
    assert (result.plaintext, result.authenticated) == (GET, False)


def test_plaintext_is_not_in_a_repr() -> None:
    result = unprotect(protect(BOTH, key(EK), key(AK), SERVER, 7, b"\x01secret"), key(EK), key(AK), SERVER)
    assert "secret" not in repr(result)
    assert "7 octets" in repr(result)


@given(st.binary(max_size=80))
def test_any_octets_give_a_result_or_an_error_of_ours(octets: bytes) -> None:
    try:
        result = unprotect(octets, key(EK), key(AK), SERVER)
    except CosemicError:
        pass
    else:
        assert not result.authenticated
    try:
        decipher_unverified(octets, key(EK), SERVER)
    except DecodeError:
        assert len(octets) < 17


def test_unverified_reading_needs_a_key_only_for_what_is_encrypted() -> None:
    octets = protect(AUTHENTICATED, key(EK), key(AK), SERVER, 7, GET)
    assert decipher_unverified(octets, None, b"") == GET
    with pytest.raises(DecodeError):
        decipher_unverified(protect(BOTH, key(EK), key(AK), SERVER, 7, GET), None, SERVER)


@pytest.mark.parametrize("control", [0x10, 0x20, 0x30])
def test_an_independent_implementation_reads_and_writes_the_same_octets(control: int) -> None:
    gcm = pytest.importorskip("pydlms.security.gcm")
    theirs = pytest.importorskip("pydlms.security.suites").SecurityControl.from_byte(control)
    for size in (1, 15, 16, 17, 300, 5000):
        plain = secrets.token_bytes(size)
        ours = protect(SecurityControl(control), key(EK), key(AK), CLIENT, size, plain)
        assert gcm.encrypt(theirs, EK, AK, CLIENT, size, plain) == ours[5:]
        assert gcm.decrypt(theirs, EK, AK, CLIENT, size, ours[5:]) == plain
