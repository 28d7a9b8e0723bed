"""One HDLC frame: the frames of the reference text, recorded frames, and any octets."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.hdlc import Control, HdlcAddress, HdlcFrame, decode_frame, encode_frame
from cosemic.link.hdlc.checks import check_sequence, checks
from cosemic.values.enumerations import FrameType
from tests.link.samples import (
    ADDRESSES,
    BIT,
    CONTROLS,
    THREE,
    described,
    encoded_again,
    plain_check_sequence,
    without_apdu,
)
from tests.vectors import Record, compare, each_record, octets, record, reference


def test_check_sequence_has_the_check_value_of_the_reference_text() -> None:
    assert check_sequence(b"123456789") == (0x906E).to_bytes(2, "little")


@given(st.binary(max_size=300))
def test_check_sequence_is_that_of_the_plain_definition(content: bytes) -> None:
    sequence = check_sequence(content)
    assert sequence == plain_check_sequence(content)
    assert checks(content + sequence)


@given(st.binary(min_size=2, max_size=60))
def test_only_the_right_check_sequence_checks(content: bytes) -> None:
    assert checks(content) == (plain_check_sequence(content[:-2]) == content[-2:])


def frames_of_the_reference_text() -> list[Any]:
    """Each frame that section 3.1 writes between flags."""
    text = reference("transports.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (`7E .*?) \|$", text, flags=re.MULTILINE)
    found = [(name, frame) for name, row in rows for frame in re.findall(r"`7E ([0-9A-F ]+) 7E`", row)]
    return [pytest.param(bytes.fromhex(frame), id=f"{name} {number}") for number, (name, frame) in enumerate(found)]


@pytest.mark.parametrize("octets", frames_of_the_reference_text())
def test_frame_of_the_reference_text_is_read_and_made(octets: bytes) -> None:
    frame = decode_frame(octets)
    assert frame.fcs_ok
    assert frame.hcs_ok is (True if frame.information else None)
    assert encoded_again(frame) == octets


def test_the_reference_text_has_frames() -> None:
    assert len(frames_of_the_reference_text()) == 8


CLIENT = HdlcAddress(16)
SERVER = HdlcAddress(1)
LONG_SERVER = HdlcAddress(1, 17, 4)
PARAMETERS = bytes.fromhex("818012050180060180070400000001080400000001")
LONG_PARAMETERS = bytes.fromhex("8180140502008006020080070400000001080400000001")
GET_CLOCK = bytes.fromhex("e6e600c001c100080000010000ff0200")


@pytest.mark.parametrize(
    "destination, source, control, information, frame",
    [
        (SERVER, CLIENT, Control(FrameType.SNRM), b"", "A007 03 21 93 0F01"),
        (SERVER, CLIENT, Control(FrameType.SNRM), PARAMETERS, f"A01E 03 21 93 CD3B {PARAMETERS.hex()} 533B"),
        (CLIENT, SERVER, Control(FrameType.UA), PARAMETERS, f"A01E 21 03 73 C37A {PARAMETERS.hex()} 533B"),
        (
            LONG_SERVER,
            SERVER,
            Control(FrameType.SNRM),
            LONG_PARAMETERS,
            f"A023 00020023 03 93 2143 {LONG_PARAMETERS.hex()} CE6A",
        ),
        (SERVER, CLIENT, Control(FrameType.I, 1, 1), GET_CLOCK, f"A019 03 21 32 6FD8 {GET_CLOCK.hex()} 601A"),
        (SERVER, CLIENT, Control(FrameType.RR, None, 1), b"", "A007 03 21 31 1787"),
        (SERVER, CLIENT, Control(FrameType.DISC), b"", "A007 03 21 53 03C7"),
        (CLIENT, SERVER, Control(FrameType.DM), b"", "A007 21 03 1F 6BE9"),
    ],
)
def test_fields_make_the_frames_that_the_reference_text_names(
    destination: HdlcAddress, source: HdlcAddress, control: Control, information: bytes, frame: str
) -> None:
    content = bytes.fromhex(frame)
    assert encode_frame(destination, source, control, information) == content
    has = decode_frame(content)
    assert (has.destination, has.source, has.control, has.information) == (destination, source, control, information)


@pytest.mark.parametrize(
    "address, content",
    [
        (HdlcAddress(1, 1000), "00020ED1"),
        (HdlcAddress(1, 17, 4), "00020023"),
        (HdlcAddress(1, 17), "0223"),
        (HdlcAddress(103, 127), "CEFF"),
        (HdlcAddress(103, 74), "CE95"),
        (HdlcAddress(0, 1), "0003"),
        (HdlcAddress(0x3FFF, 0x3FFF), "FEFEFEFF"),
        (HdlcAddress(0x7F), "FF"),
    ],
)
def test_addresses(address: HdlcAddress, content: str) -> None:
    assert address.encode() == bytes.fromhex(content)
    assert decode_frame(encode_frame(address, CLIENT, Control(FrameType.UI))).destination == address
    assert decode_frame(encode_frame(CLIENT, address, Control(FrameType.UI))).source == address


@pytest.mark.parametrize(
    "upper, lower, size",
    [(128, None, 0), (-1, None, 0), (1, None, 2), (1, 1, 1), (1, 1, 3), (1, 128, 2), (0x4000, 1, 4), (1, 0x4000, 0)],
)
def test_impossible_addresses_are_refused(upper: int, lower: int | None, size: int) -> None:
    with pytest.raises(EncodeError):
        HdlcAddress(upper, lower, size)


@pytest.mark.parametrize(
    "type_, octet, pf",
    [
        (FrameType.SNRM, 0x93, 1),
        (FrameType.DISC, 0x53, 1),
        (FrameType.UA, 0x73, 1),
        (FrameType.DM, 0x1F, 1),
        (FrameType.FRMR, 0x97, 1),
        (FrameType.UI, 0x13, 1),
        (FrameType.UI, 0x03, 0),
        (FrameType.DM, 0x0F, 0),
    ],
)
def test_unnumbered_control_fields(type_: FrameType, octet: int, pf: int) -> None:
    assert Control(type_, pf=pf).encode() == octet


@given(THREE, THREE, BIT)
def test_numbered_control_fields(ns: int, nr: int, pf: int) -> None:
    assert Control(FrameType.I, ns, nr, pf).encode() == nr << 5 | pf << 4 | ns << 1
    assert Control(FrameType.RR, None, nr, pf).encode() == nr << 5 | pf << 4 | 0x01
    assert Control(FrameType.RNR, None, nr, pf).encode() == nr << 5 | pf << 4 | 0x05


@pytest.mark.parametrize(
    "control",
    [
        Control(FrameType.I, 8, 0),
        Control(FrameType.I),
        Control(FrameType.RR),
        Control(FrameType.UA, 1),
        Control(FrameType.UI, pf=2),
    ],
)
def test_impossible_control_fields_are_refused(control: Control) -> None:
    with pytest.raises(EncodeError):
        control.encode()


@given(ADDRESSES, ADDRESSES, CONTROLS, st.binary(max_size=200), st.booleans())
def test_round_trip(
    destination: HdlcAddress, source: HdlcAddress, control: Control, information: bytes, segmented: bool
) -> None:
    content = encode_frame(destination, source, control, information, segmented=segmented)
    hcs_ok = True if information else None
    expected = HdlcFrame(segmented, len(content), destination, source, control, information, True, hcs_ok)
    assert decode_frame(content) == expected
    for wrong in (content[:-1], content + b"\x00"):
        with pytest.raises(DecodeError):
            decode_frame(wrong)


@given(st.binary(max_size=20), st.integers(0, 0xFFF), st.booleans())
def test_any_octets_give_a_frame_or_a_decode_error(content: bytes, format_: int, length_mismatch: bool) -> None:
    plausible = bytes((0xA0, len(content) + 2)) + content
    for candidate in (content, (0xA000 | format_).to_bytes(2, "big") + content, plausible):
        try:
            frame = decode_frame(candidate, length_mismatch=length_mismatch)
        except DecodeError:
            continue
        if not length_mismatch and frame.fcs_ok and frame.hcs_ok is not False:
            assert encoded_again(frame) == candidate


@each_record("hdlcframe")
def test_recorded_frame(record: Record) -> None:
    frame = decode_frame(octets(record))
    assert compare(without_apdu(record["expected"]), described(frame)) == []
    assert encoded_again(frame) == octets(record)


def test_lying_length_field_is_a_quirk() -> None:
    lies = record("hdlc-snrm-length-lies")
    with pytest.raises(DecodeError, match="length field says 11"):
        decode_frame(octets(lies))
    tolerant = decode_frame(octets(lies), length_mismatch=True)
    assert compare(without_apdu(lies["expected"]["tolerant"]), described(tolerant)) == []
    damaged = octets(lies)[:-1] + b"\x00"
    with pytest.raises(DecodeError, match="neither"):
        decode_frame(damaged, length_mismatch=True)


def test_every_flipped_bit_is_told_by_the_checks_or_refused() -> None:
    whole = encode_frame(SERVER, CLIENT, Control(FrameType.I, 1, 1), GET_CLOCK)
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        in_header = bit // 8 < 7
        try:
            frame = decode_frame(content)
        except DecodeError:
            assert in_header
            continue
        assert not frame.fcs_ok
        assert frame.hcs_ok is not in_header


@pytest.mark.parametrize(
    "content, path, offset",
    [
        ("", "hdlc", 0),
        ("a00603219300", "hdlc", 6),
        ("b0070321930f01", "hdlc.format", 0),
        ("a0080321930f01", "hdlc.format", 0),
        ("a0090002032193abcd", "hdlc.destination", 2),
        ("a00b0000000003219300ab", "hdlc.destination", 2),
        ("a00903000221930f01", "hdlc.source", 3),
        ("a0070300020002", "hdlc.source", 3),
        ("a007030002000f", "hdlc.control", 7),
        ("a0070321ff0f01", "hdlc.control", 4),
        ("a0070321190f01", "hdlc.control", 4),
        ("a0080321930f0102", "hdlc", 5),
        ("a0090321930f010203", "hdlc", 5),
    ],
)
def test_what_is_no_frame_is_refused_with_the_place(content: str, path: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_frame(bytes.fromhex(content))
    assert (caught.value.path, caught.value.offset) == (path, offset)


def test_the_longest_frame() -> None:
    content = encode_frame(LONG_SERVER, CLIENT, Control(FrameType.I, 0, 0), bytes(2035), segmented=True)
    assert len(content) == 2047
    assert content[:2].hex() == "afff"
    assert decode_frame(content).information == bytes(2035)
    with pytest.raises(EncodeError):
        encode_frame(LONG_SERVER, CLIENT, Control(FrameType.I, 0, 0), bytes(2036))
