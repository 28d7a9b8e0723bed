"""Headers, CI fields and segments of DLMS over M-Bus (IEC 62056-7-3, EN 13757-3, EN 13757-7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.mbus import (
    DeviceAddress,
    LongHeader,
    MbusFrame,
    MbusStreamReader,
    Reassembler,
    SapOrder,
    Segment,
    ShortHeader,
    carries_dlms,
    decode_segment,
    manufacturer_code,
    manufacturer_letters,
    segments,
)
from cosemic.link.mbus.transport import behind_header
from tests.link.mbus_samples import DEVICES, OCTET
from tests.vectors import octets, record

DEVICE = DeviceAddress("12345678", manufacturer_code("KFM"), 1, 2)


def wired(name: str) -> list[MbusFrame]:
    return [frame for frame in MbusStreamReader().receive(octets(record(name))) if isinstance(frame, MbusFrame)]


# ---- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("letters", "code"), [("KFM", 0x2CCD), ("SIE", 0x4D25), ("AAA", 0x0421), ("ZZZ", 0x6B5A)])
def test_manufacturers_are_three_letters_of_five_bits(letters: str, code: int) -> None:
    first, second, third = map(ord, letters)
    assert manufacturer_code(letters) == code == (first - 64) << 10 | (second - 64) << 5 | (third - 64)
    assert manufacturer_letters(code) == letters


@pytest.mark.parametrize("code", [0, 0xFFFF, 0x8421, 0x001F])
def test_a_number_that_is_no_letters_is_shown_as_digits(code: int) -> None:
    assert manufacturer_letters(code) == f"{code:04X}"


@pytest.mark.parametrize("letters", ["", "kfm", "KF", "KFMM", "K1M"])
def test_other_manufacturers_are_refused(letters: str) -> None:
    with pytest.raises(EncodeError):
        manufacturer_code(letters)


def test_a_long_header_has_the_octets_of_the_standard() -> None:
    header = LongHeader(DEVICE, ShortHeader(0x2A, 0x10, 0))
    assert header.encode().hex() == "78563412" + "cd2c" + "01" + "02" + "2a" + "10" + "0000"
    assert DEVICE.encode_radio().hex() == "cd2c" + "78563412" + "01" + "02"
    assert str(DEVICE) == "12345678 KFM version 1 type 02"


@given(DEVICES, OCTET, OCTET, st.integers(0, 0xFFFF))
def test_headers_are_read_as_written(device: DeviceAddress, number: int, status: int, word: int) -> None:
    short = ShortHeader(number, status, word)
    assert ShortHeader.decode(short.encode()) == short
    assert LongHeader.decode(LongHeader(device, short).encode()) == LongHeader(device, short)
    assert DeviceAddress.decode(device.encode()) == device == DeviceAddress.decode_radio(device.encode_radio())
    assert short.security_mode == word >> 8 & 31


@given(DEVICES, DEVICES, st.sets(st.integers(0, 10)))
def test_a_selection_leaves_open_what_stands_for_any(
    device: DeviceAddress, other: DeviceAddress, open_: set[int]
) -> None:
    digits = "".join("F" if n in open_ else digit for n, digit in enumerate(device.identification))
    wanted = DeviceAddress(
        digits,
        0xFFFF if 8 in open_ else device.manufacturer,
        0xFF if 9 in open_ else device.version,
        0xFF if 10 in open_ else device.device_type,
    )
    assert wanted.selects(device)
    same = all(mine in ("F", theirs) for mine, theirs in zip(digits, other.identification, strict=True))
    same = same and all(
        mine in (any_, theirs)
        for mine, theirs, any_ in (
            (wanted.manufacturer, other.manufacturer, 0xFFFF),
            (wanted.version, other.version, 0xFF),
            (wanted.device_type, other.device_type, 0xFF),
        )
    )
    assert wanted.selects(other) == same


@pytest.mark.parametrize("octets_", [b"", bytes(3), bytes(5)])
def test_headers_of_other_lengths_are_refused(octets_: bytes) -> None:
    for kind in (ShortHeader, LongHeader, DeviceAddress):
        with pytest.raises(DecodeError):
            kind.decode(octets_)


@pytest.mark.parametrize(
    "wrong", [("1234567",), ("1234567x",), ("12345678", 65536), ("12345678", 0, 256), ("12345678", 0, 0, -1)]
)
def test_addresses_that_cannot_be_are_refused(wrong: tuple[str]) -> None:
    with pytest.raises(EncodeError):
        DeviceAddress(*wrong)


# ---- segments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["kaifa-netz-noe-mbus", "kaifa-tirol-example", "elster-kmswest-mbus"])
def test_an_apdu_is_cut_into_the_frames_of_the_meter(name: str) -> None:
    frames = wired(name)
    reassembler = Reassembler()
    message = None
    for frame in frames:
        assert message is None
        message = reassembler.receive(decode_segment(frame.ci or 0, frame.user_data))
    assert message is not None
    assert (message.source, message.destination) == (1, 103)
    cut = segments(message.part, 1, 103, max_part=245)
    assert b"".join(MbusFrame(0x53, 0xFF, each.ci, each.encode()).encode() for each in cut) == octets(record(name))


@given(st.binary(max_size=3000), st.integers(1, 250), OCTET, OCTET)
def test_segments_are_joined_to_what_was_cut(apdu: bytes, size: int, source: int, destination: int) -> None:
    size = max(size, len(apdu) // 40)
    reassembler = Reassembler()
    cut = list(segments(apdu, source, destination, max_part=size))
    read = [decode_segment(each.ci, each.encode()) for each in cut]
    assert read == cut
    assert [each.ci & 15 for each in cut] == [number % 16 for number in range(len(cut))]
    *before, last = [reassembler.receive(each) for each in read]
    assert set(before) <= {None}
    assert last is not None
    assert (last.part, last.source, last.destination) == (apdu, source, destination)
    assert not reassembler.pending


@given(st.integers(2, 16), st.data())
def test_a_lost_or_repeated_segment_drops_the_message_and_the_next_one_is_read(count: int, data: st.DataObject) -> None:
    cut = list(segments(bytes(range(count)), 1, 103, max_part=1))
    at = data.draw(st.integers(0, count - 1))
    repeated = data.draw(st.booleans())
    came = [*cut[: at + 1], *cut[at:]] if repeated else [*cut[:at], *cut[at + 1 :]]
    reassembler = Reassembler()
    found = [reassembler.receive(each) for each in came]
    whole = [number for number, each in enumerate(found) if each is not None]
    # Segment 0 again begins again; the last one again comes too late to do harm.
    assert whole == ([count] if repeated and at == 0 else [count - 1] if repeated and at == count - 1 else [])
    assert reassembler.receive(Segment(0x07, 1, 103, b"of another message")) is None
    again = [reassembler.receive(each) for each in segments(b"next", 1, 103, max_part=2)]
    assert again[-1] is not None
    assert again[-1].part == b"next"


@given(st.integers(33, 60), st.data())
def test_the_second_half_of_a_long_message_is_no_message(count: int, data: st.DataObject) -> None:
    cut = list(segments(bytes(range(count)), 1, 103, max_part=1))
    lost = data.draw(st.integers(0, count - 1).filter(lambda n: n % 16 != 15))
    reassembler = Reassembler()
    assert {reassembler.receive(each) for each in cut[:lost] + cut[lost + 1 :]} == {None}


def test_a_segment_that_came_twice_is_passed_over_where_a_master_asked_again() -> None:
    first, second, third = segments(b"abcdef", 1, 16, max_part=2)
    reassembler = Reassembler(repetitions=True)
    assert [reassembler.receive(each) for each in (first, first, second, second)] == [None] * 4
    message = reassembler.receive(third)
    assert message is not None
    assert message.part == b"abcdef"
    assert reassembler.dropped == 0


def test_segments_of_other_saps_are_another_message() -> None:
    reassembler = Reassembler()
    first, second = segments(b"abcd", 1, 16, max_part=2)
    assert reassembler.receive(first) is None
    assert reassembler.receive(Segment(second.ci, 1, 17, second.part)) is None
    assert (reassembler.pending, reassembler.dropped) == (False, 1)


@pytest.mark.parametrize("part", [b"", b"1" * 250])
def test_what_an_endless_message_holds_is_bounded(part: bytes) -> None:
    reassembler = Reassembler(max_octets=1000)
    for number in range(5000):
        assert reassembler.receive(Segment(number % 16, 1, 2, part)) is None
        assert reassembler.octets <= 1000
    assert reassembler.dropped == 1


@pytest.mark.parametrize("form", [ShortHeader(1, 2, 0), LongHeader(DEVICE, ShortHeader(1, 2, 0))])
@pytest.mark.parametrize("from_meter", [False, True])
def test_an_apdu_stands_behind_a_header_in_one_frame(form: ShortHeader | LongHeader, from_meter: bool) -> None:
    segment = behind_header(b"apdu", 1, 16, form, from_meter=from_meter)
    long = isinstance(form, LongHeader)
    assert (
        segment.ci
        == {(True, False): 0x60, (False, False): 0x61, (True, True): 0x7C, (False, True): 0x7D}[long, from_meter]
    )
    assert segment.encode() == form.encode() + b"\x01\x10apdu"
    assert decode_segment(segment.ci, segment.encode()) == segment
    reassembler = Reassembler()
    assert reassembler.receive(segment) == segment
    room = 250 - len(form.encode())
    assert len(behind_header(bytes(room), 1, 16, form, from_meter=from_meter).encode()) == 252
    with pytest.raises(EncodeError, match="in segments"):
        behind_header(bytes(room + 1), 1, 16, form, from_meter=from_meter)


def test_the_order_of_saps_behind_a_header_is_a_switch() -> None:
    up = behind_header(b"", 1, 16, ShortHeader(), from_meter=True)
    assert up.encode(SapOrder.CLIENT_FIRST)[-2:] == b"\x10\x01"
    assert up.encode(SapOrder.SOURCE_FIRST)[-2:] == b"\x01\x10"
    assert decode_segment(0x7D, up.encode(SapOrder.CLIENT_FIRST), SapOrder.CLIENT_FIRST) == up
    down = behind_header(b"", 16, 1, ShortHeader(), from_meter=False)
    assert down.encode(SapOrder.CLIENT_FIRST) == down.encode(SapOrder.SOURCE_FIRST)
    (segment,) = segments(b"", 1, 16)
    assert segment.encode(SapOrder.CLIENT_FIRST) == b"\x01\x10"


@pytest.mark.parametrize(
    ("ci", "user_data"),
    [
        (0x10, b""),
        (0x00, b"\x01"),
        (0x72, bytes(20)),
        (0x20, bytes(9)),
        (0x7D, bytes(5)),
        (0x60, bytes(13)),
        (0x61, b"\0\0\0\5\1\1"),
    ],
)
def test_what_carries_no_apdu_is_refused(ci: int, user_data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_segment(ci, user_data)


def test_ci_fields_of_dlms() -> None:
    assert {ci for ci in range(256) if carries_dlms(ci)} == {*range(0x20), 0x60, 0x61, 0x7C, 0x7D}
    assert not carries_dlms(None)


@given(st.integers(0, 255), st.binary(max_size=30))
def test_any_octets_are_a_segment_or_one_error(ci: int, user_data: bytes) -> None:
    try:
        segment = decode_segment(ci, user_data)
    except DecodeError:
        return
    assert segment.encode() == user_data
