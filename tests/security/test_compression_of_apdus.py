"""Compressed APDUs between two sides: what is compressed, what never is, what is refused and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from cosemic.dialect import STANDARD, CipheredForm
from cosemic.errors import (
    CosemicError,
    DecipheringError,
    DecodeError,
    EncodeError,
    InvocationCounterError,
    PolicyViolation,
)
from cosemic.security import (
    Envelope,
    Protection,
    SecurityContext,
    SecurityControl,
    SecurityMaterial,
    compress,
    decompress,
    open_envelope,
    protect,
    security_suite,
    unprotect,
)
from cosemic.security import lanes as lanes_module
from cosemic.security import protection as protection_module
from cosemic.security.compressible import is_compressible
from cosemic.security.envelopes import PLAIN_TAGS, seal_envelope
from cosemic.security.protection import FAILED, NOT_EXPANDED
from tests.security.samples import CLIENT, EK, GET, INITIATE, SERVER, client, key, material, server

EK2 = bytes(range(32))
AK2 = bytes(range(0xD0, 0xF0))
AK = AK2[:16]
AUTHENTICATED = Protection.AUTHENTICATED
ENCRYPTED = Protection.ENCRYPTED
BOTH = AUTHENTICATED | ENCRYPTED
SWITCHED_ON = STANDARD.but(compression=True, ciphered_form=CipheredForm.GENERAL)
PROFILE = b"\xc4\x01\xc1\x00\x01\x28" + b"".join(
    bytes.fromhex(f"0204090C07EA0B15FF{hour:02X}0F00FFFFC40006{400_000 + 137 * hour:08X}1100") for hour in range(40)
)
suites = pytest.mark.parametrize("suite", [1, 2])
general = pytest.mark.parametrize("envelope", [Envelope.GENERAL_GLO, Envelope.GENERAL_DED], ids=lambda each: each.name)


def keys_of(suite: int) -> SecurityMaterial:
    length = 32 if suite == 2 else 16
    return material(
        suite=security_suite(suite),
        encryption_key=key(EK2[:length]),
        authentication_key=key(AK2[:length]),
        broadcast_key=key(EK2[:length][::-1]),
        dedicated_key=key(bytes(range(0x40, 0x40 + length))),
    )


def pair(suite: int, **server_options: Any) -> tuple[SecurityContext, SecurityContext]:
    """Return a meter that sends, and a client that receives."""
    options = {"dialect": SWITCHED_ON} | server_options
    return server(keys=keys_of(suite), dialect=SWITCHED_ON), client(keys=keys_of(suite), **options)


def control_of(apdu: bytes) -> int:
    return open_envelope(apdu).content[0]


def sealed(
    suite: int, control: int, octets: bytes, *, counter: int = 0, envelope: Envelope = Envelope.GENERAL_GLO
) -> bytes:
    """Return an APDU from the server with that security control, around octets that are not compressed any further."""
    keys = keys_of(suite)
    under = keys.dedicated_key if envelope.dedicated else keys.encryption_key
    assert under is not None
    content = protect(SecurityControl(control), under, keys.authentication_key, SERVER, counter, octets)
    return seal_envelope(envelope, 0xC4, SERVER, content)


def refused(receiver: SecurityContext, apdu: bytes, error: type[CosemicError], message: str = "") -> None:
    """Assert that an APDU is refused and that the counter stands where it stood."""
    before = receiver.receive.lowest, receiver.receive.volatile
    with pytest.raises(error) as caught:
        receiver.unprotect_apdu(apdu)
    assert message in str(caught.value)
    assert (receiver.receive.lowest, receiver.receive.volatile) == before


@suites
@general
@pytest.mark.parametrize("protection", [AUTHENTICATED, BOTH])
def test_an_apdu_that_shrinks_goes_out_compressed(suite: int, envelope: Envelope, protection: Protection) -> None:
    sender, receiver = pair(suite, require=protection)
    apdu = sender.protect_apdu(PROFILE, envelope, protection=protection)
    control = 0x80 | int(protection) << 4 | suite
    assert control_of(apdu) == control
    assert len(apdu) < len(PROFILE) / 2
    result = receiver.unprotect_apdu(apdu)
    assert result == (PROFILE, True, bool(protection & ENCRYPTED), control, 0)
    with pytest.raises(InvocationCounterError):
        receiver.unprotect_apdu(apdu)


@suites
@pytest.mark.parametrize("protection", [AUTHENTICATED, BOTH])
def test_compressed_octets_are_what_is_authenticated_and_encrypted(suite: int, protection: Protection) -> None:
    ek, ak = (EK2, AK2) if suite == 2 else (EK2[:16], AK)
    packet, nonce = compress(PROFILE), SERVER + bytes(4)
    control = bytes((0x80 | int(protection) << 4 | suite,))
    if protection is BOTH:
        body = AESGCM(ek).encrypt(nonce, packet, control + ak)[:-4]
    else:
        body = packet + AESGCM(ek).encrypt(nonce, b"", control + ak + packet)[:12]
    sender, _ = pair(suite)
    apdu = sender.protect_apdu(PROFILE, Envelope.GENERAL_GLO, protection=protection)
    assert open_envelope(apdu).content == control + bytes(4) + body


@suites
@general
@pytest.mark.parametrize("apdu", [GET, b"\xc4\x01\xc1\x00\x06\x00\x00\x04\xd2"], ids=["request", "response"])
def test_an_apdu_that_does_not_shrink_goes_out_as_it_is(suite: int, envelope: Envelope, apdu: bytes) -> None:
    sender, receiver = pair(suite)
    protected = sender.protect_apdu(apdu, envelope)
    assert control_of(protected) == 0x30 | suite
    assert receiver.unprotect_apdu(protected).plaintext == apdu


@suites
def test_nothing_is_compressed_and_nothing_compressed_is_taken_unless_it_is_switched_on(suite: int) -> None:
    sender, off = pair(suite, dialect=STANDARD)
    refused(off, sender.protect_apdu(PROFILE), DecipheringError, FAILED)
    silent = server(keys=keys_of(suite), dialect=SWITCHED_ON.but(compression=False))
    plain = silent.protect_apdu(PROFILE)
    assert control_of(plain) == 0x30 | suite
    assert off.unprotect_apdu(plain).plaintext == PROFILE
    assert not STANDARD.compression


@suites
@pytest.mark.parametrize("envelope", [Envelope.GLO, Envelope.DED], ids=lambda each: each.name)
def test_service_specific_envelopes_are_never_compressed(suite: int, envelope: Envelope) -> None:
    sender, receiver = pair(suite)
    assert control_of(sender.protect_apdu(PROFILE, envelope)) == 0x30 | suite
    compressed = sealed(suite, 0xB0 | suite, compress(PROFILE), counter=5, envelope=envelope)
    refused(receiver, compressed, DecipheringError, FAILED)
    # Nor after a general one with the same security control was taken.
    like = Envelope.kind(dedicated=envelope.dedicated, general=True)
    receiver.unprotect_apdu(sealed(suite, 0xB0 | suite, compress(PROFILE), counter=4, envelope=like))
    refused(receiver, compressed, DecipheringError, FAILED)


def test_suite_0_has_no_compression() -> None:
    sender = server(dialect=SWITCHED_ON)
    receiver = client(dialect=SWITCHED_ON)
    assert control_of(sender.protect_apdu(PROFILE)) == 0x30
    content = protect(SecurityControl(0xB0), key(EK), material().authentication_key, SERVER, 7, compress(PROFILE))
    refused(receiver, seal_envelope(Envelope.GENERAL_GLO, 0xC4, SERVER, content), DecipheringError, FAILED)


@suites
def test_without_authentication_nothing_is_compressed_or_expanded(suite: int) -> None:
    sender, receiver = pair(suite, require=ENCRYPTED)
    protected = sender.protect_apdu(PROFILE, protection=ENCRYPTED)
    assert control_of(protected) == 0x20 | suite
    assert receiver.unprotect_apdu(protected).plaintext == PROFILE
    refused(receiver, sealed(suite, 0xA0 | suite, compress(PROFILE), counter=1), DecipheringError, FAILED)


@suites
def test_what_is_sent_to_all_is_compressed_under_the_broadcast_key(suite: int) -> None:
    sender, receiver = pair(suite)
    apdu = sender.protect_apdu(PROFILE, Envelope.GENERAL_GLO, broadcast=True)
    assert control_of(apdu) == 0xF0 | suite
    refused(receiver, apdu, DecipheringError, FAILED)
    assert receiver.unprotect_apdu(apdu, broadcast=True).plaintext == PROFILE


@suites
@pytest.mark.parametrize("protection", [AUTHENTICATED, BOTH])
def test_nothing_is_expanded_before_the_tag_is_verified(
    suite: int, protection: Protection, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, receiver = pair(suite, require=protection)
    apdu = sender.protect_apdu(PROFILE[:150], protection=protection)
    assert control_of(apdu) & 0x80
    expanded: list[bytes] = []
    monkeypatch.setattr(
        lanes_module, "expanded", lambda packet, most: expanded.append(packet) or decompress(packet, most)
    )
    for bit in range(len(apdu) * 8):
        changed = bytearray(apdu)
        changed[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises((DecodeError, DecipheringError, PolicyViolation, InvocationCounterError)):
            receiver.unprotect_apdu(bytes(changed))
    assert not expanded
    assert receiver.receive.lowest == 0
    assert receiver.unprotect_apdu(apdu).plaintext == PROFILE[:150]
    assert len(expanded) == 1


@suites
def test_what_the_policy_refuses_is_not_expanded(suite: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sender, receiver = pair(suite)
    monkeypatch.setattr(lanes_module, "expanded", lambda packet, most: pytest.fail("expanded"))
    refused(receiver, sender.protect_apdu(PROFILE, protection=AUTHENTICATED), PolicyViolation, "not encrypted")


@suites
def test_what_expands_beyond_the_largest_apdu_is_refused_and_changes_nothing(suite: int) -> None:
    sender, receiver = pair(suite, expand_to=1024)
    refused(receiver, sealed(suite, 0xB0 | suite, compress(b"\xc4" + bytes(1024))), DecipheringError, NOT_EXPANDED)
    exactly = b"\xc4" + bytes(1023)
    assert receiver.unprotect_apdu(sender.protect_apdu(exactly)).plaintext == exactly
    for none in (0, 0xFFFF):
        _, receiver = pair(suite, expand_to=none)
        refused(receiver, sealed(suite, 0xB0 | suite, compress(b"\xc4" + bytes(65535))), DecipheringError, NOT_EXPANDED)
        longest = b"\xc4" + bytes(65534)
        assert receiver.unprotect_apdu(sealed(suite, 0xB0 | suite, compress(longest))).plaintext == longest


@suites
def test_the_largest_apdu_may_be_agreed_upon_later(suite: int) -> None:
    sender, receiver = pair(suite, expand_to=100)
    for octets, fits in ((len(PROFILE), True), (len(PROFILE) - 1, False), (0, True), (1, False)):
        receiver.set_largest_apdu(octets)
        apdu = sender.protect_apdu(PROFILE)
        if fits:
            assert receiver.unprotect_apdu(apdu).plaintext == PROFILE
        else:
            with pytest.raises(DecipheringError, match="cannot be expanded"):
                receiver.unprotect_apdu(apdu)


@suites
@pytest.mark.parametrize("packet", [b"", b"\xff", b"\x82", b"\x82\x03\x00", PROFILE], ids=len)
def test_an_authentic_apdu_that_is_no_packet_is_refused_and_changes_nothing(suite: int, packet: bytes) -> None:
    _, receiver = pair(suite)
    refused(receiver, sealed(suite, 0xB0 | suite, packet), DecipheringError, NOT_EXPANDED)


@suites
@pytest.mark.parametrize("inside", [b"", b"\xdb\x00", b"\x60" * 40])
def test_what_comes_out_of_a_packet_is_an_apdu_that_may_be_in_the_envelope(suite: int, inside: bytes) -> None:
    _, receiver = pair(suite)
    refused(receiver, sealed(suite, 0xB0 | suite, compress(inside)), DecodeError)


# ---- What is never compressed ----------------------------------------------------------------------------------------

SAME = bytes(200)
SECURITY_SETUP = bytes.fromhex("0040 00002B0000FF")
ASSOCIATION_LN = bytes.fromhex("000F 0000280000FF")
IMAGE_TRANSFER = bytes.fromhex("0012 00002C0000FF")
NEVER = {
    "initiate-request with a dedicated key": INITIATE + SAME,
    "initiate-response": b"\x08\x00" + SAME,
    "ACTION change_HLS_secret": b"\xc3\x01\xc1" + ASSOCIATION_LN + b"\x02\x01\x09\x81\xc8" + SAME,
    "SET of the secret of LLS": b"\xc1\x01\xc1" + ASSOCIATION_LN + b"\x07\x00\x09\x81\xc8" + SAME,
    "ACTION reply_to_HLS_authentication": b"\xc3\x01\xc1" + ASSOCIATION_LN + b"\x01\x01\x09\x81\xc8" + SAME,
    **{
        f"ACTION on Security setup, method {method}": b"\xc3\x01\xc1" + SECURITY_SETUP + bytes((method, 1)) + SAME
        for method in range(1, 9)
    },
    "SET of Security setup": b"\xc1\x01\xc1" + SECURITY_SETUP + b"\x02\x00\x09\x81\xc8" + SAME,
    "ACTION set_encryption_key of M-Bus client": b"\xc3\x01\xc1\x00\x48" + SAME,
    "ACTION transfer of Data protection": b"\xc3\x01\xc1\x00\x1e" + SAME,
    "SET of PPP setup": b"\xc1\x01\xc1\x00\x2c" + SAME,
    "SET of Data": b"\xc1\x01\xc1\x00\x01" + SAME,
    "ACTION on a class above 255": b"\xc3\x01\xc1\x01\x12" + SAME,
    "ACTION, first block": b"\xc3\x04\xc1" + IMAGE_TRANSFER + SAME,
    "ACTION, later block": b"\xc3\x06\xc1" + IMAGE_TRANSFER + SAME,
    "ACTION with list": b"\xc3\x03\xc1\x02" + IMAGE_TRANSFER + SAME,
    "SET, first block": b"\xc1\x02\xc1" + IMAGE_TRANSFER + SAME,
    "SET, later block": b"\xc1\x03\xc1" + IMAGE_TRANSFER + SAME,
    "SET with list": b"\xc1\x04\xc1\x02" + IMAGE_TRANSFER + SAME,
    "ACCESS": b"\xd9" + SAME,
    "Read, which can invoke methods": b"\x05" + SAME,
    "Write": b"\x06" + SAME,
    "unconfirmed Write": b"\x16" + SAME,
    "ACTION response": b"\xc7" + SAME,
}
ALWAYS = {
    "GET response": PROFILE,
    "Read response": b"\x0c" + SAME,
    "information report": b"\x18" + SAME,
    "data-notification": b"\x0f" + SAME,
    "event-notification": b"\xc2" + SAME,
    "ACCESS response": b"\xda" + SAME,
    "GET": b"\xc0\x01\xc1" + SAME,
    "ACTION image_block_transfer": b"\xc3\x01\xc1" + IMAGE_TRANSFER + b"\x02\x01" + SAME,
    "SET of Activity calendar": b"\xc1\x01\xc1\x00\x14" + SAME,
    "SET of Special days table": b"\xc1\x01\xc1\x00\x0b" + SAME,
    "SET of Profile generic": b"\xc1\x01\xc1\x00\x07" + SAME,
}


@suites
@pytest.mark.parametrize("name", NEVER)
def test_what_may_carry_a_key_or_password_goes_out_as_it_is(suite: int, name: str) -> None:
    apdu = NEVER[name]
    assert len(compress(apdu)) < len(apdu) / 2
    sender, receiver = pair(suite)
    protected = sender.protect_apdu(apdu)
    assert control_of(protected) == 0x30 | suite
    assert len(protected) > len(apdu)
    assert receiver.unprotect_apdu(protected).plaintext == apdu


@suites
@pytest.mark.parametrize("name", ALWAYS)
def test_what_holds_no_secret_is_compressed(suite: int, name: str) -> None:
    apdu = ALWAYS[name]
    sender, receiver = pair(suite)
    protected = sender.protect_apdu(apdu)
    assert control_of(protected) == 0xB0 | suite
    assert receiver.unprotect_apdu(protected).plaintext == apdu


@given(st.binary(max_size=12))
def test_whether_an_apdu_may_be_compressed_is_told_of_any_octets(apdu: bytes) -> None:
    if is_compressible(apdu):
        assert apdu[0] in PLAIN_TAGS


@suites
def test_an_apdu_that_no_envelope_holds_is_refused_as_ever(suite: int) -> None:
    sender, _ = pair(suite)
    for apdu in (b"\x60" + SAME, b"\xdb" + SAME, b"\xe0" + SAME):
        with pytest.raises(EncodeError):
            sender.protect_apdu(apdu)
    assert sender.transmit.next() == 0


# ---- protect and unprotect -------------------------------------------------------------------------------------------

controls = st.sampled_from([0x11, 0x31, 0x51, 0x71, 0x12, 0x32])


@given(
    controls,
    st.one_of(st.binary(max_size=300), st.builds(lambda one, n: one * n, st.binary(max_size=9), st.integers(0, 99))),
)
def test_what_was_compressed_and_protected_comes_back(control: int, plain: bytes) -> None:
    ek, ak = key(EK2[: 32 if control & 2 else 16]), key(AK2[: 32 if control & 2 else 16])
    meta = bytes(5)
    octets = protect(SecurityControl(control), ek, ak, CLIENT, 9, plain, meta, compressing=True)
    shrinks = len(compress(plain)) < len(plain)
    assert octets[0] == (control | 0x80 if shrinks else control)
    result = unprotect(octets, ek, ak, CLIENT, meta, expand_to=len(plain) or 1)
    assert result == (plain, True, bool(control & 0x20), octets[0], 9)
    if shrinks:
        with pytest.raises(DecipheringError, match=FAILED):
            unprotect(octets, ek, ak, CLIENT, meta)
        with pytest.raises(DecipheringError, match=NOT_EXPANDED[:30]):
            unprotect(octets, ek, ak, CLIENT, meta, expand_to=len(plain) - 1)


@pytest.mark.parametrize("control", [0x30, 0x10, 0x20, 0x21, 0x22, 0x01, 0x33, 0x3F])
def test_compression_needs_a_suite_that_has_it_and_authentication(control: int) -> None:
    ek, ak = key(EK2[:16]), key(AK)
    with pytest.raises(EncodeError):
        protect(SecurityControl(control), ek, ak, CLIENT, 9, PROFILE, compressing=True)
    compressed = SecurityControl(control | 0x80)
    if control & 0x30:
        octets = protect(compressed, ek, ak, CLIENT, 9, compress(PROFILE))
        with pytest.raises(DecipheringError, match=FAILED):
            unprotect(octets, ek, ak, CLIENT, expand_to=1 << 20)


def test_unprotect_expands_only_what_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    ek, ak = key(EK2[:16]), key(AK)
    octets = protect(SecurityControl(0x31), ek, ak, CLIENT, 9, PROFILE, compressing=True)
    monkeypatch.setattr(protection_module, "decompress", lambda packet, most: pytest.fail("expanded"))
    for bit in range(len(octets) * 8):
        changed = bytearray(octets)
        changed[bit // 8] ^= 0x80 >> bit % 8
        try:
            result = unprotect(bytes(changed), ek, ak, CLIENT, expand_to=1 << 16)
        except DecipheringError:
            continue
        assert not result.authenticated or changed[0] == 0x31 ^ 0x20
