"""Wireless M-Bus frames (EN 13757-4) in all their formats, and the layers inside them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.mbus import (
    DeviceAddress,
    ExtendedLinkLayer,
    FragmentationLayer,
    WirelessFormat,
    WirelessFrame,
    decode_wireless,
    split_layers,
)
from cosemic.link.mbus.wireless import crc
from cosemic.security.mbus import decipher_mode_5
from cosemic.values import Secret
from tests.link.mbus_samples import DEVICES, OCTET

FRAMES = st.builds(WirelessFrame, OCTET, DEVICES, st.binary(min_size=1, max_size=240))
FORMATS = st.sampled_from(WirelessFormat)
WITH_CRCS = (WirelessFormat.A, WirelessFormat.B)

OMS_GAS_METER = bytes.fromhex(
    "2e449315785634123303 3363  7a2a0020255923c95aaa26d1b2e7493b c2ad"
    "013ec4a6f6d3529b520edff0ea6defc9 55b2  9d6d69ebf3 ec8a"
)
"""SND_NR of the gas meter in annex N of OMS volume 2, format A."""
EN_WATER_METER = bytes.fromhex("1444ae0c785634120107 8c2027780b13436587 7ac5")
"""SND_NR of the water meter in the examples of EN 13757-4, format B."""


def plain_crc(octets: bytes) -> int:
    """The CRC bit by bit."""
    register = 0
    for octet in octets:
        for bit in range(7, -1, -1):
            feedback = (register >> 15) ^ (octet >> bit & 1)
            register = (register << 1 & 0xFFFF) ^ (0x3D65 if feedback else 0)
    return register ^ 0xFFFF


@given(st.binary(max_size=300))
def test_the_crc_is_that_of_the_standard(octets: bytes) -> None:
    assert crc(octets) == plain_crc(octets)
    assert crc(b"123456789") == 0xC2B7


def test_the_example_of_oms_is_read_and_written_in_format_a() -> None:
    frame, format = decode_wireless(OMS_GAS_METER)
    assert format is WirelessFormat.A
    assert (frame.c, str(frame.sender)) == (0x44, "12345678 ELS version 51 type 03")
    assert frame.payload[:5].hex() == "7a2a002025"
    assert frame.encode(WirelessFormat.A) == OMS_GAS_METER
    stripped = OMS_GAS_METER[:10] + OMS_GAS_METER[12:28] + OMS_GAS_METER[30:46] + OMS_GAS_METER[48:53]
    assert decode_wireless(stripped) == (frame, WirelessFormat.STRIPPED)
    plaintext = decipher_mode_5(
        frame.payload[5:], Secret.from_hex("0102030405060708090a0b0c0d0e0f11"), frame.sender.encode_radio(), 0x2A
    )
    assert plaintext.hex() == "2f2f0c1427048502046d32371f1502fd1700002f2f2f2f2f2f2f2f2f2f2f2f2f"


def test_the_example_of_the_standard_is_read_and_written_in_format_b() -> None:
    frame, format = decode_wireless(EN_WATER_METER)
    assert format is WirelessFormat.B
    assert (frame.c, str(frame.sender)) == (0x44, "12345678 CEN version 1 type 07")
    assert frame.encode(WirelessFormat.B) == EN_WATER_METER
    (layer,), ci, rest = split_layers(frame.payload)
    assert layer == ExtendedLinkLayer(0x20, 0x27)
    assert (ci, rest.hex()) == (0x78, "0b13436587")
    assert decode_wireless(EN_WATER_METER[:-2], WirelessFormat.STRIPPED_B)[0] == frame
    with pytest.raises(DecodeError):
        decode_wireless(EN_WATER_METER[:-2])


@given(FRAMES, FORMATS)
def test_what_is_written_is_read(frame: WirelessFrame, format: WirelessFormat) -> None:
    octets = frame.encode(format)
    assert decode_wireless(octets, format) == (frame, format)
    if format is not WirelessFormat.STRIPPED_B:
        assert decode_wireless(octets) == (frame, format)


@pytest.mark.parametrize("length", [1, 5, 6, 7, 21, 22, 23, 115, 116, 117, 118, 119, 240])
def test_blocks_are_those_of_the_standard(length: int) -> None:
    frame = WirelessFrame(0x44, DeviceAddress("12345678", 0x2CCD, 1, 2), bytes(range(length)))
    a, b = frame.encode(WirelessFormat.A), frame.encode(WirelessFormat.B)
    plain = frame.encode(WirelessFormat.STRIPPED)
    assert plain[0] == a[0] == 9 + length
    assert len(a) == 10 + 2 + length + 2 * -(-length // 16)
    assert plain_crc(a[:10]) == int.from_bytes(a[10:12], "big")
    assert plain_crc(a[12 : 12 + min(length, 16)]) == int.from_bytes(a[12 + min(length, 16) :][:2], "big")
    assert b[0] == len(b) - 1
    if length <= 116:
        assert b == bytes((len(plain) + 1,)) + plain[1:] + plain_crc(b[:-2]).to_bytes(2, "big")
    else:
        assert plain_crc(b[:126]) == int.from_bytes(b[126:128], "big")
        assert plain_crc(b[128:-2]) == int.from_bytes(b[-2:], "big")
        assert b[128:-2] == plain[126:]


@given(FRAMES, st.sampled_from(WITH_CRCS), st.data())
def test_a_single_wrong_bit_is_refused(frame: WirelessFrame, format: WirelessFormat, data: st.DataObject) -> None:
    octets = bytearray(frame.encode(format))
    bit = data.draw(st.integers(0, 8 * len(octets) - 1))
    octets[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DecodeError):
        decode_wireless(octets, format)


@given(FRAMES, FORMATS, st.data())
def test_a_frame_that_is_cut_off_is_refused(frame: WirelessFrame, format: WirelessFormat, data: st.DataObject) -> None:
    octets = frame.encode(format)
    with pytest.raises(DecodeError):
        decode_wireless(octets[: data.draw(st.integers(0, len(octets) - 1))], format)


@given(st.binary(max_size=80), st.none() | FORMATS)
def test_any_octets_are_a_frame_or_one_error(octets: bytes, format: WirelessFormat | None) -> None:
    try:
        frame, found = decode_wireless(octets, format)
    except DecodeError:
        return
    assert frame.encode(found) == octets


def test_a_frame_that_is_too_long_is_not_written() -> None:
    device = DeviceAddress("00000000")
    longest = {
        WirelessFormat.A: 246,
        WirelessFormat.B: 242,
        WirelessFormat.STRIPPED: 246,
        WirelessFormat.STRIPPED_B: 242,
    }
    for format, length in longest.items():
        assert WirelessFrame(0x44, device, bytes(length)).encode(format)
        with pytest.raises(EncodeError):
            WirelessFrame(0x44, device, bytes(length + 1)).encode(format)
    with pytest.raises(EncodeError):
        WirelessFrame(256, device, b"").encode()


# ---- layers ----------------------------------------------------------------------------------------------------------


@given(OCTET, OCTET, st.none() | DEVICES, st.none() | st.integers(0, (1 << 29) - 1), st.binary(max_size=40))
def test_extended_link_layers_end_where_their_payload_begins(
    control: int, number: int, receiver: DeviceAddress | None, session: int | None, payload: bytes
) -> None:
    layer = ExtendedLinkLayer(control, number, receiver, session)
    octets = layer.encode(b"\x10" + payload)
    ci = {(False, False): 0x8C, (False, True): 0x8D, (True, False): 0x8E, (True, True): 0x8F}
    assert octets[0] == ci[receiver is not None, session is not None]
    assert split_layers(octets) == ((layer,), 0x10, payload)


def test_an_encrypted_or_damaged_extended_link_layer_is_refused() -> None:
    good = ExtendedLinkLayer(0, 1, None, 5).encode(b"\x10abc")
    with pytest.raises(DecodeError, match="CRC"):
        split_layers(good[:-1] + b"d")
    with pytest.raises(DecodeError, match="encryption"):
        split_layers(ExtendedLinkLayer(0, 1, None, 1 << 29).encode(b"\x10abc"))
    for wrong in (ExtendedLinkLayer(256, 0), ExtendedLinkLayer(0, -1), ExtendedLinkLayer(0, 0, None, 1 << 32)):
        with pytest.raises(EncodeError):
            wrong.encode(b"\x10")


def test_the_authentication_layer_of_oms_is_read() -> None:
    layers, ci, rest = split_layers(bytes.fromhex("900f002c2549ee0a0077c19d3d1a08abcd7a290000"))
    assert layers == (FragmentationLayer(0, False, 0x25, None, 0x000AEE49, bytes.fromhex("77c19d3d1a08abcd"), None),)
    assert (ci, rest.hex()) == (0x7A, "290000")
    (layer,), ci, rest = split_layers(bytes.fromhex("90" + "05" + "0130" + "05" + "2c01" + "7a00"))
    assert layer == FragmentationLayer(1, False, 0x05, ml=0x012C)
    assert (ci, rest) == (0x7A, b"\0")


@pytest.mark.parametrize(
    "text",
    ["", "8c", "8c00", "8d0000", "90", "9002", "9003002c", "90020040", "9002020010", "900200", "8c0000" * 5 + "10"],
)
def test_layers_that_are_cut_off_or_fragments_are_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        split_layers(bytes.fromhex(text))


@given(st.binary(max_size=60), st.sampled_from((b"", b"\x90", b"\x8c", b"\x8f")))
def test_any_payload_is_layers_or_one_error(payload: bytes, ci: bytes) -> None:
    try:
        layers, _, rest = split_layers(ci + payload)
    except DecodeError:
        return
    assert len(layers) <= 4
    assert payload.endswith(rest)
