"""Wired M-Bus frames of EN 13757-2: octets, checksums, and finding them in streams."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType as FrameType_

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.mbus import E5, MbusFrame, MbusStreamReader, SingleCharacter, Telegram, decode_frame
from tests.link.mbus_samples import FRAMES
from tests.vectors import Record, each_record, octets

STANDARD = [
    # SND_NKE, REQ_UD2 with FCB, a selection of identification 12345678, an application reset, E5
    ("1040014116", MbusFrame(0x40, 1)),
    ("107b017c16", MbusFrame(0x7B, 1)),
    ("680b0b6873fd5278563412ffffffffd216", MbusFrame(0x73, 0xFD, 0x52, bytes.fromhex("78563412ffffffff"))),
    ("6803036853fe50a116", MbusFrame(0x53, 0xFE, 0x50)),
    ("e5", E5),
]


def found(data: bytes, *, damaged: bool = False, cut: int | None = None) -> list[Telegram]:
    """The frames in a stream, handed in whole or in pieces, up to its end."""
    reader = MbusStreamReader(damaged=damaged)
    step = cut or max(len(data), 1)
    frames = [frame for start in range(0, len(data), step) for frame in reader.receive(data[start : start + step])]
    return frames + reader.finish()


def mbus_records(record: Record) -> bool:
    return any("mbus" in layer for layer in record["expected"].get("layers", ())) or record["kind"] == "amis"


@pytest.mark.parametrize(("text", "frame"), STANDARD)
def test_frames_of_the_standard_are_written_and_read(text: str, frame: Telegram) -> None:
    assert frame.encode().hex() == text
    assert decode_frame(bytes.fromhex(text)) == frame


@each_record("apdu", "amis", where=mbus_records)
def test_frames_of_real_meters_are_found_and_written_again(record: Record) -> None:
    data = octets(record)
    frames = found(data)
    assert b"".join(frame.encode() for frame in frames) == data


@given(FRAMES)
def test_what_is_written_is_read(frame: MbusFrame) -> None:
    assert decode_frame(frame.encode()) == frame
    assert found(frame.encode()) == [frame]


@given(FRAMES, st.data())
def test_a_single_wrong_bit_is_never_a_right_frame(frame: MbusFrame, data: st.DataObject) -> None:
    octets = bytearray(frame.encode())
    bit = data.draw(st.integers(0, 8 * len(octets) - 1))
    octets[bit // 8] ^= 1 << bit % 8
    try:
        read = decode_frame(octets)
    except DecodeError:
        return
    assert isinstance(read, MbusFrame)
    assert not read.right


@given(st.binary(max_size=300))
def test_any_octets_are_a_frame_or_one_error(octets: bytes) -> None:
    try:
        frame = decode_frame(octets)
    except DecodeError:
        return
    if isinstance(frame, SingleCharacter) or frame.right:
        assert frame.encode() == octets


@pytest.mark.parametrize(
    "text",
    ["", "68", "6803", "680303", "68030368", "6802026853fe51" + "16", "6803046853fe50a116", "1040014116ff", "e5e5"],
)
def test_what_is_no_frame_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_frame(bytes.fromhex(text))


@pytest.mark.parametrize(
    "frame",
    [
        MbusFrame(256, 0),
        MbusFrame(0, -1),
        MbusFrame(0, 0, 256),
        MbusFrame(0, 0, 0, bytes(253)),
        MbusFrame(0, 0, None, b"1"),
    ],
)
def test_what_fits_no_frame_is_not_written(frame: MbusFrame) -> None:
    with pytest.raises(EncodeError):
        frame.encode()


# ---- streams ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.one_of(FRAMES, st.just(E5)), max_size=6), st.integers(1, 7))
def test_a_stream_may_be_cut_anywhere(frames: list[Telegram], cut: int) -> None:
    data = b"".join(frame.encode() for frame in frames)
    reader = MbusStreamReader()
    read = [frame for start in range(0, len(data), cut) for frame in reader.receive(data[start : start + cut])]
    assert read == frames
    assert (reader.pending, reader.discarded) == (0, 0)


@given(st.binary(max_size=60), st.integers(1, 5))
def test_noise_cut_anywhere_gives_the_same_frames(noise: bytes, cut: int) -> None:
    frame = MbusFrame(0x53, 1, 0x10, b"\x10\x01\xc0").encode()
    assert found(noise + frame + noise + frame, cut=cut) == found(noise + frame + noise + frame)


@pytest.mark.parametrize(
    "start", ["68", "10", "e5", "6868", "680303", "68ffff68", "686868686868", "10101010", "6803036868"]
)
@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_every_start_octet_that_begins_no_frame_is_recovered_from(start: str, cut: int) -> None:
    frames = [
        MbusFrame(0x53, 1, 0x00, b"\x01\x67" + bytes(range(200))),
        MbusFrame(0x53, 1, 0x11, b"\x01\x67\x68\x10\xe5"),
    ]
    data = b"".join(frame.encode() for frame in frames)
    right = [frame for frame in found(bytes.fromhex(start) + data, cut=cut) if isinstance(frame, MbusFrame)]
    assert right == frames


def test_a_stream_joined_in_the_middle_of_a_frame_gives_the_frames_after_it() -> None:
    first, second = MbusFrame(8, 1, 0x72, bytes(range(0x60, 0xA0))), MbusFrame(8, 1, 0x72, b"abc")
    data = first.encode() + second.encode()
    for start in range(1, len(first.encode())):
        assert [frame for frame in found(data[start:]) if frame != E5] == [second]


def test_a_damaged_frame_is_passed_over_with_the_frames_that_it_carries() -> None:
    inner = MbusFrame(0x53, 1, 0x10, b"\x10\x01inner")
    outer = bytearray(MbusFrame(0x53, 1, 0x10, b"\x10\x01" + inner.encode()).encode())
    outer[8] ^= 4
    after = MbusFrame(0x5B, 1)
    assert found(bytes(outer) + after.encode()) == [after]


def test_an_acknowledgement_counts_only_where_a_frame_may_begin() -> None:
    frame = MbusFrame(0x5B, 1)
    assert found(b"\xe5\xe5" + frame.encode() + b"\xe5") == [E5, E5, frame, E5]
    assert found(b"\x00\xe5\xe5") == []
    reader = MbusStreamReader()
    assert reader.receive(b"\x00\xe5\x68") == []
    reader.reset()
    assert reader.receive(b"\xe5") == [E5]
    assert reader.discarded == 3


def test_what_hid_behind_the_start_of_a_frame_is_found_at_the_end() -> None:
    frame = MbusFrame(0x5B, 1)
    reader = MbusStreamReader()
    assert reader.receive(b"\x68\xff\xff\x68" + frame.encode()) == []
    assert reader.finish() == [frame]
    assert reader.discarded == 4


@given(FRAMES, st.data())
def test_damaged_frames_are_shown_where_that_is_asked_for(frame: MbusFrame, data: st.DataObject) -> None:
    octets = bytearray(frame.encode())
    start = 1 if frame.short else 4
    at = data.draw(st.integers(start, len(octets) - 2))
    octets[at] ^= data.draw(st.integers(1, 255))
    (shown,) = found(bytes(octets), damaged=True)
    assert isinstance(shown, MbusFrame)
    assert (shown.checksum_ok, shown.stop_ok) == (False, True)


def calls(work: Callable[[], object]) -> int:
    """Number of Python and C calls that a piece of work takes."""
    seen = 0

    def profile(_frame: FrameType_, event: str, _argument: object) -> None:
        nonlocal seen
        seen += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.parametrize(
    "pattern", ["68", "10", "e5", "68ffff68", "6803036800000016", "68686868", "1000000016", "680b0b68"]
)
@pytest.mark.parametrize("cut", [1, 4000])
def test_work_is_linear_in_what_looks_like_frames(pattern: str, cut: int) -> None:
    data = (bytes.fromhex(pattern) * 4000)[:4000]
    once, twice = calls(lambda: found(data[:2000], cut=cut)), calls(lambda: found(data, cut=cut))
    assert twice <= 2.1 * once + 100
    assert twice <= 20 * len(data)


def test_a_frame_is_not_looked_at_before_it_is_whole() -> None:
    reader = MbusStreamReader()
    pieces = [bytes((octet,)) for octet in MbusFrame(0x53, 1, 0x10, bytes(252)).encode()]
    for piece in pieces[:4]:
        reader.receive(piece)
    assert calls(lambda: [reader.receive(piece) for piece in pieces[4:-1]]) <= 2 * len(pieces) + 10
    assert len(reader.receive(pieces[-1])) == 1


def test_memory_is_one_frame() -> None:
    reader = MbusStreamReader()
    for _ in range(1000):
        assert reader.receive(b"\x68\xff\xff\x68") == []
        assert reader.pending <= 261
