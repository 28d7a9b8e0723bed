"""HDLC frames in streams: cut, joined, disturbed, and made to be hard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.link.hdlc import FLAG, Control, HdlcAddress, HdlcFrame, HdlcStreamReader, decode_frame, encode_frame
from cosemic.link.hdlc import frame as frame_module
from cosemic.values.enumerations import FrameType
from tests.link.samples import ADDRESSES, CONTROLS, described, in_pieces, plain_check_sequence, without_apdu
from tests.vectors import Record, compare, each_record, octets

FRAMES = st.builds(
    encode_frame,
    ADDRESSES,
    ADDRESSES,
    CONTROLS,
    st.lists(st.sampled_from([b"\x7e", b"\x7e\xa0\x07", b"\x7d", b"\x00"]), max_size=12).map(b"".join),
    segmented=st.booleans(),
)
FLAGGED = FRAMES.map(lambda frame: FLAG + frame + FLAG)
NOISE = st.lists(st.sampled_from([b"\x7e", b"\xa0\x07", b"\xa7\xff", b"\x03\x21\x93", b"\x0f\x01"]), max_size=8).map(
    b"".join
)
SNRM = bytes.fromhex("a0070321930f01")
RR = bytes.fromhex("a00703213117 87")
I_FRAME = bytes.fromhex("a01903 21 32 6fd8 e6e600 c001c100080000010000ff0200 601a")


def read(stream: bytes, *, damaged: bool = False) -> list[HdlcFrame]:
    reader = HdlcStreamReader(damaged=damaged)
    return reader.receive(stream) + reader.finish()


def searched(stream: bytes, *, damaged: bool = False) -> list[HdlcFrame]:
    """The rule of the reference text word for word, on the whole stream: slow and plain."""
    frames = []
    start = stream.find(FLAG)
    while start >= 0:
        length = int.from_bytes(stream[start + 1 : start + 3], "big") & 0x7FF
        end = start + 1 + length
        try:
            frame = decode_frame(stream[start + 1 : end])
        except ValueError:
            frame = None
        checked = frame is not None and (damaged or (frame.fcs_ok and frame.hcs_ok is not False))
        if frame is not None and checked and stream[end : end + 1] == FLAG:
            frames.append(frame)
            start = end
        else:
            start = stream.find(FLAG, start + 1)
    return frames


@each_record("hdlcstream")
def test_recorded_stream(record: Record) -> None:
    reader = HdlcStreamReader(damaged=True)
    frames = reader.receive(octets(record)) + reader.finish()
    assert (
        compare([without_apdu(each) for each in record["expected"]["frames"]], [described(each) for each in frames])
        == []
    )
    assert reader.discarded == 0


@each_record("apdu", where=lambda record: record["hex"].startswith("7e"))
def test_recorded_apdu_in_hdlc_has_the_frames_that_were_recorded(record: Record) -> None:
    frames = read(octets(record))
    assert compare(record["expected"]["layers"][0]["hdlc"], [described(frame)["frame"] for frame in frames]) == []


@each_record("messages")
def test_recorded_messages_are_frames_throughout(record: Record) -> None:
    reader = HdlcStreamReader()
    frames = [frame for octet in octets(record) for frame in reader.receive(bytes((octet,)))]
    assert frames == searched(octets(record))
    assert (reader.discarded, reader.pending) == (0, 0)


@given(st.lists(st.tuples(FRAMES, st.sampled_from([FLAG, FLAG * 2, FLAG * 5])), max_size=5), st.lists(st.integers(0)))
def test_frames_between_single_shared_and_fill_flags(frames: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = FLAG + b"".join(frame + flags for frame, flags in frames)
    reader = HdlcStreamReader()
    found = [frame for piece in in_pieces(stream, cuts) for frame in reader.receive(piece)]
    assert found == [decode_frame(frame) for frame, _ in frames]
    assert reader.discarded == 0


@given(
    st.lists(st.one_of(NOISE, FRAMES, FRAMES.map(lambda frame: FLAG + frame + FLAG))),
    st.lists(st.integers(0)),
    st.booleans(),
)
def test_cutting_a_disturbed_stream_makes_no_difference(parts: list[bytes], cuts: list[int], damaged: bool) -> None:
    stream = b"".join(parts)
    reader = HdlcStreamReader(damaged=damaged)
    frames = [frame for piece in in_pieces(stream, cuts) for frame in reader.receive(piece)] + reader.finish()
    assert frames == searched(stream, damaged=damaged)
    carried = sum(frame.length for frame in frames)
    assert reader.discarded <= len(stream) - carried
    octet_by_octet = HdlcStreamReader(damaged=damaged)
    assert [f for o in stream for f in octet_by_octet.receive(bytes((o,)))] + octet_by_octet.finish() == frames
    assert octet_by_octet.discarded == reader.discarded
    for used in (reader, octet_by_octet):
        assert used.receive(FLAG + RR + FLAG) == [decode_frame(RR)]


@given(st.binary(max_size=200))
def test_any_octets_raise_nothing(stream: bytes) -> None:
    assert read(stream) == searched(stream)
    assert read(b"\x7e\xa0" + stream, damaged=True) == searched(b"\x7e\xa0" + stream, damaged=True)


@pytest.mark.parametrize("damage", [3, 6, 12, 24])
def test_a_damaged_frame_is_lost_and_the_next_one_is_not(damage: int) -> None:
    damaged = bytearray(I_FRAME)
    damaged[damage] ^= 0x10
    stream = FLAG + damaged + FLAG + RR + FLAG
    reader = HdlcStreamReader()
    assert reader.receive(stream) == [decode_frame(RR)]
    assert reader.discarded == len(I_FRAME)
    first, second = read(stream, damaged=True)
    assert not first.fcs_ok
    assert second == decode_frame(RR)


def test_a_frame_with_right_fcs_and_wrong_hcs_is_no_frame() -> None:
    frame = bytearray(I_FRAME[:-2])
    frame[5] ^= 1
    wrong = bytes(frame) + plain_check_sequence(bytes(frame))
    assert read(FLAG + wrong + FLAG + RR + FLAG) == [decode_frame(RR)]
    marked = read(FLAG + wrong + FLAG, damaged=True)
    assert [(each.fcs_ok, each.hcs_ok) for each in marked] == [(True, False)]


def test_noise_that_announces_a_long_frame_does_not_hold_up_the_next_one() -> None:
    reader = HdlcStreamReader()
    noise = bytes.fromhex("7ea7ff0321")
    frames = [frame for octet in noise + FLAG + SNRM + FLAG for frame in reader.receive(bytes((octet,)))]
    frames += reader.receive(bytes(4))
    assert frames == [decode_frame(SNRM)]


def test_an_unfinished_frame_hides_nothing_at_the_end() -> None:
    hiding = encode_frame(HdlcAddress(1), HdlcAddress(16), Control(FrameType.I, 0, 0), FLAG + SNRM + FLAG + bytes(9))
    reader = HdlcStreamReader()
    assert reader.receive(FLAG + hiding[:-4]) == []
    assert reader.pending == len(hiding) - 4
    assert reader.finish() == [decode_frame(SNRM)]
    assert reader.pending == 0
    assert reader.receive(FLAG + RR + FLAG) == [decode_frame(RR)]


def test_after_an_unfinished_frame_the_next_is_given_at_once() -> None:
    reader = HdlcStreamReader()
    assert reader.receive(FLAG + I_FRAME[:-4]) == []
    assert reader.finish() == []
    assert reader.discarded == len(I_FRAME) - 4
    assert reader.receive(FLAG + RR + FLAG) == [decode_frame(RR)]


def test_a_frame_that_stands_inside_another_is_its_content() -> None:
    outer = encode_frame(HdlcAddress(1), HdlcAddress(16), Control(FrameType.I, 0, 0), FLAG + SNRM + FLAG)
    assert read(FLAG + outer + FLAG) == [decode_frame(outer)]


@pytest.mark.parametrize("stream", [SNRM + FLAG, FLAG + SNRM, SNRM])
def test_without_both_flags_there_is_no_frame(stream: bytes) -> None:
    assert read(stream) == []


def test_memory_is_bounded_by_one_frame() -> None:
    reader = HdlcStreamReader()
    header = encode_frame(HdlcAddress(1), HdlcAddress(16), Control(FrameType.I, 0, 0), bytes(2036))[:7]
    for _ in range(2000):
        reader.receive((FLAG + header) * 3)
        assert reader.pending <= 2048


@pytest.mark.parametrize("period", ["7e", "7ea7", "7ea7fd", "7ea7ff0321", "7ea0070321930f00", "longest"])
@pytest.mark.parametrize("cut", [1, 7, 100_000])
def test_work_is_linear_in_the_octets(period: str, cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts the octets that check sequences are made of and the flags that are looked at."""
    work = 0

    def counted(check: Callable[[bytes], object]) -> Callable[[bytes], object]:
        def count(content: bytes) -> object:
            nonlocal work
            work += len(content)
            return check(content)

        return count

    for name in ("check_sequence", "checks", "continues"):
        monkeypatch.setattr(frame_module, name, counted(getattr(frame_module, name)))
    unit = bytes.fromhex(period) if period != "longest" else adversary()
    stream = unit * (40_000 // len(unit))
    reader = HdlcStreamReader()
    for start in range(0, len(stream), cut):
        reader.receive(stream[start : start + cut])
    reader.finish()
    assert work <= 2047 / 8 * len(stream)


def adversary() -> bytes:
    """A header with right HCS, repeated so that a flag stands wherever it says its frame ends."""
    content = encode_frame(HdlcAddress(1), HdlcAddress(16), Control(FrameType.I, 0, 0), bytes(2015 - 9))
    header = content[:7]
    assert len(content) == 2015
    return FLAG + header


def test_the_adversary_of_the_work_test_is_one() -> None:
    """Its flags do stand where the frames end, so that only the FCS tells."""
    assert len(read(adversary() * 400)) == 0
    assert len(read(adversary() * 400, damaged=True)) > 0
