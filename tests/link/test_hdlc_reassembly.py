"""Segments into messages: recorded pushes and sessions, and what goes wrong on a line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cosemic.link.hdlc import (
    LLC_RESPONSE,
    Control,
    HdlcAddress,
    HdlcFrame,
    HdlcMessage,
    HdlcReassembler,
    HdlcStreamReader,
    decode_frame,
    encode_frame,
    split_llc,
)
from cosemic.values.enumerations import FrameType
from tests.link.samples import described
from tests.vectors import Record, compare, each_record, octets

METER = HdlcAddress(1, 17)
READER = HdlcAddress(103, 127)
APDU = bytes(range(60))


def ui(content: bytes, *, segmented: bool = False, source: HdlcAddress = METER) -> HdlcFrame:
    return decode_frame(encode_frame(READER, source, Control(FrameType.UI, pf=0), content, segmented=segmented))


def i(ns: int, content: bytes, *, segmented: bool = False, source: HdlcAddress = METER) -> HdlcFrame:
    return decode_frame(encode_frame(READER, source, Control(FrameType.I, ns % 8, 0), content, segmented=segmented))


def other(type_: FrameType, *, nr: int | None = None) -> HdlcFrame:
    return decode_frame(encode_frame(METER, READER, Control(type_, None, nr)))


def parts(apdu: bytes, count: int) -> list[bytes]:
    whole = LLC_RESPONSE + apdu
    size = -(-len(whole) // count)
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def ui_segments(apdu: bytes, count: int) -> list[HdlcFrame]:
    pieces = parts(apdu, count)
    return [ui(piece, segmented=number < len(pieces) - 1) for number, piece in enumerate(pieces)]


def i_segments(apdu: bytes, count: int, ns: int = 0) -> list[HdlcFrame]:
    pieces = parts(apdu, count)
    return [i(ns + number, piece, segmented=number < len(pieces) - 1) for number, piece in enumerate(pieces)]


def joined(frames: list[HdlcFrame], reassembler: HdlcReassembler | None = None) -> list[HdlcMessage]:
    reassembler = reassembler or HdlcReassembler()
    return [message for frame in frames if (message := reassembler.receive(frame)) is not None]


def contents(frames: list[HdlcFrame]) -> list[bytes]:
    return [message.octets for message in joined(frames)]


def hdlc_layer(record: Record) -> Any:
    return record["expected"]["layers"][0]["hdlc"]


@each_record("apdu", where=lambda record: record["hex"].startswith("7e"))
def test_recorded_frames_are_one_message_or_one_block_each(record: Record) -> None:
    """Blocks of general block transfer are messages here; what they carry together is not HDLC's."""
    messages = joined(HdlcStreamReader().receive(octets(record)))
    blocks = next((layer["gbt"] for layer in record["expected"]["layers"] if "gbt" in layer), None)
    assert len(messages) == (1 if blocks is None else len(blocks))
    frames = [described(frame)["frame"] for message in messages for frame in message.frames]
    assert compare(hdlc_layer(record), frames) == []
    assert messages[0].llc is not None
    for message in messages[1:]:
        assert message.octets[0] == 0xE0


@each_record("messages")
def test_recorded_stream_is_cut_where_its_messages_end(record: Record) -> None:
    messages = joined(HdlcStreamReader().receive(octets(record)))
    expected = record["expected"]["messages"]
    assert len(messages) == sum(len(each["gbt"] or [None]) for each in expected)
    for message in messages:
        assert message.octets[0] in (0x0F, 0xE0)
        assert message.llc == LLC_RESPONSE or message.octets[0] == 0xE0


@given(st.binary(min_size=1, max_size=200), st.integers(1, 9), st.integers(0, 7))
def test_segments_are_joined_without_llc(apdu: bytes, count: int, ns: int) -> None:
    numbered = i_segments(apdu, count, ns)
    assert joined(numbered) == [HdlcMessage(tuple(numbered), apdu, LLC_RESPONSE)]
    assume(not any(split_llc(piece)[0] for piece in parts(apdu, count)[1:]))
    unnumbered = ui_segments(apdu, count)
    assert joined(unnumbered) == [HdlcMessage(tuple(unnumbered), apdu, LLC_RESPONSE)]


def test_frames_of_others_and_acknowledgements_come_between() -> None:
    one, two, three = i_segments(APDU, 3)
    foreign = i(5, LLC_RESPONSE + b"\x0f", source=HdlcAddress(2))
    notification = ui(LLC_RESPONSE + b"\xc2")
    poll = other(FrameType.RR, nr=1)
    frames = [one, poll, foreign, two, notification, poll, three]
    assert contents(frames) == [b"\x0f", b"\xc2", APDU]


def test_a_repeated_segment_is_passed_over() -> None:
    one, two, three = i_segments(APDU, 3, ns=6)
    assert contents([one, one, two, two, two, three]) == [APDU]


def test_equal_segments_of_unconfirmed_frames_are_all_taken() -> None:
    frames = [ui(LLC_RESPONSE, segmented=True), ui(b"\x00", segmented=True), ui(b"\x00", segmented=True), ui(b"\x01")]
    assert contents(frames) == [b"\x00\x00\x01"]


def test_a_push_in_information_frames_that_never_count_is_joined() -> None:
    frames = [i(0, LLC_RESPONSE + b"\x0f\x01", segmented=True), i(0, b"\x02", segmented=True), i(0, b"\x03")]
    assert contents(frames) == [b"\x0f\x01\x02\x03"]
    equal_end = [i(0, LLC_RESPONSE + b"\x0f", segmented=True), i(0, b"\x02", segmented=True), i(0, b"\x02")]
    assert contents(equal_end) == [b"\x0f\x02\x02"]


@pytest.mark.parametrize("missing", [1, 2])
def test_a_missing_numbered_segment_drops_its_message_only(missing: int) -> None:
    frames = i_segments(APDU, 5)
    del frames[missing]
    reassembler = HdlcReassembler()
    following = i_segments(APDU[::-1], 3, ns=5)
    assert [message.octets for message in joined(frames + following, reassembler)] == [APDU[::-1]]
    assert (reassembler.dropped, reassembler.pending) == (1, 0)


def test_numbers_that_come_round_again_do_not_close_a_gap() -> None:
    frames = i_segments(APDU, 12)
    assert len(frames) > 10
    del frames[2]
    assert contents(frames) == []


@pytest.mark.parametrize("segments", [ui_segments, i_segments])
def test_a_lost_end_does_not_take_the_next_message_with_it(segments: Any) -> None:
    unfinished = segments(APDU, 4)[:2]
    following = segments(APDU[::-1], 3)
    if segments is i_segments:
        following = i_segments(APDU[::-1], 3, ns=4)
    assert contents(unfinished + following) == [APDU[::-1]]


def test_a_numbered_segment_may_look_like_llc() -> None:
    frames = [i(0, LLC_RESPONSE + b"\x01", segmented=True), i(1, LLC_RESPONSE + b"\x02")]
    assert contents(frames) == [b"\x01" + LLC_RESPONSE + b"\x02"]


@pytest.mark.parametrize("type_", [FrameType.SNRM, FrameType.DISC, FrameType.UA, FrameType.DM, FrameType.FRMR])
def test_connecting_and_disconnecting_drop_what_is_open(type_: FrameType) -> None:
    reassembler = HdlcReassembler()
    one, two, _ = i_segments(APDU, 3)
    elsewhere = i(0, LLC_RESPONSE + b"\x01", segmented=True, source=HdlcAddress(2))
    assert joined([elsewhere, one, two, other(type_)], reassembler) == []
    assert (reassembler.dropped, reassembler.pending) == (1, 1)


def test_damaged_frames_are_passed_over() -> None:
    whole = bytearray(encode_frame(READER, METER, Control(FrameType.UI), LLC_RESPONSE + APDU))
    whole[-1] ^= 1
    assert joined([decode_frame(whole)]) == []


def test_a_single_frame_without_llc_says_so() -> None:
    assert joined([ui(b"\xe0\x80")]) == [HdlcMessage((ui(b"\xe0\x80"),), b"\xe0\x80", None)]


@pytest.mark.parametrize("frame", [ui(bytes(100), segmented=True), ui(b"", segmented=True)])
def test_an_endless_message_is_dropped_up_to_its_end(frame: HdlcFrame) -> None:
    reassembler = HdlcReassembler(max_octets=1000)
    for _ in range(200):
        assert reassembler.receive(frame) is None
        assert len(next(iter(reassembler._open.values())).frames) <= 1000 // frame.length
    assert reassembler.receive(ui(b"\x01")) is None
    assert (reassembler.dropped, reassembler.pending) == (1, 0)
    assert [message.octets for message in joined(ui_segments(APDU, 2), reassembler)] == [APDU]


def test_too_many_open_messages_drop_the_oldest() -> None:
    reassembler = HdlcReassembler(max_open=3)
    starts = [ui(LLC_RESPONSE + bytes((number,)), segmented=True, source=HdlcAddress(number)) for number in range(10)]
    joined(starts, reassembler)
    assert (reassembler.dropped, reassembler.pending) == (7, 3)
    assert [message.octets for message in joined([ui(b"\xff", source=HdlcAddress(9))], reassembler)] == [b"\x09\xff"]


FRAMES = st.one_of(
    st.builds(ui, st.sampled_from([b"", LLC_RESPONSE, b"\x01"]), segmented=st.booleans()),
    st.builds(i, st.integers(0, 7), st.sampled_from([b"", LLC_RESPONSE, b"\x01"]), segmented=st.booleans()),
    st.sampled_from([other(FrameType.RR, nr=0), other(FrameType.UA)]),
)


@given(st.lists(FRAMES, max_size=30))
def test_any_frames_are_messages_or_dropped(frames: list[HdlcFrame]) -> None:
    reassembler = HdlcReassembler(max_octets=40, max_open=2)
    for message in joined(frames, reassembler):
        *segments, last = message.frames
        assert all(segment.segmented for segment in segments)
        assert not last.segmented
        assert (message.llc or b"") + message.octets == b"".join(frame.information for frame in message.frames)
    assert reassembler.pending <= 2
