"""What modems say: result codes in every form, and the end of a call in the middle of its data."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cosemic.link.modem.carrier import HELD, CarrierWatch
from cosemic.link.modem.results import MOST_LINE, CommandLines, Result, read_answer
from tests.link.samples import in_pieces

NO_CARRIER = b"\r\nNO CARRIER\r\n"


@pytest.mark.parametrize(
    "line, result, rate",
    [
        ("OK", Result.OK, None),
        ("0", Result.OK, None),
        ("CONNECT", Result.CONNECT, None),
        ("CONNECT 9600", Result.CONNECT, 9600),
        ("CONNECT 2400/V42BIS", Result.CONNECT, 2400),
        ("CONNECT/ARQ/V34/LAPM", Result.CONNECT, None),
        ("connect 1200", Result.CONNECT, 1200),
        ("1", Result.CONNECT, None),
        ("5", Result.CONNECT, 1200),
        ("12", Result.CONNECT, 9600),
        ("RING", Result.RING, None),
        ("2", Result.RING, None),
        ("NO CARRIER", Result.NO_CARRIER, None),
        ("3", Result.NO_CARRIER, None),
        ("ERROR", Result.ERROR, None),
        ("+CME ERROR: 10", Result.ERROR, None),
        ("NO DIALTONE", Result.NO_DIALTONE, None),
        ("NO DIAL TONE", Result.NO_DIALTONE, None),
        ("6", Result.NO_DIALTONE, None),
        ("BUSY", Result.BUSY, None),
        ("7", Result.BUSY, None),
        ("NO ANSWER", Result.NO_ANSWER, None),
        ("8", Result.NO_ANSWER, None),
    ],
)
def test_result_codes_of_v250(line: str, result: Result, rate: int | None) -> None:
    answer = read_answer(line)
    assert answer is not None
    assert (answer.result, answer.rate, answer.numeric) == (result, rate, line.isdecimal())


@pytest.mark.parametrize(
    "line", ["ATZ", "ATDT123", "CONNECTED", "OKAY", "CARRIER 9600", "9", "99", "+CREG: 1", "PROTOCOL: LAPM"]
)
def test_echo_and_information_are_no_results(line: str) -> None:
    assert read_answer(line) is None


@given(st.lists(st.integers(0, 60), max_size=8))
def test_lines_are_the_same_however_cut(cuts: list[int]) -> None:
    stream = b"ATE0\r\r\nOK\r\n\r\nCONNECT 9600\r\n\x7e\xa0"
    lines, found = CommandLines(), []
    for piece in in_pieces(stream, cuts):
        lines.add(piece)
        while (line := lines.next_line()) is not None:
            found.append(line)
    assert found == ["ATE0", "OK", "CONNECT 9600"]
    assert lines.take() == b"\x7e\xa0"
    assert lines.take() == b""


def test_unfinished_line_is_bounded_and_its_end_kept() -> None:
    lines = CommandLines()
    for _ in range(100):
        lines.add(bytes(100))
        assert lines.next_line() is None
    assert len(lines.unfinished()) == MOST_LINE
    lines.add(b"\r\nOK\r")
    lines.next_line()
    assert lines.next_line() in (None, "OK")


# ---- carrier --------------------------------------------------------------------------------------------------------


def passed(watch: CarrierWatch, pieces: list[bytes], pause: float = 0.0) -> tuple[bytes, bool]:
    """Data that came through, and whether the carrier was lost, with so much silence between pieces and after them."""
    now, data = 0.0, b""
    for piece in pieces:
        data += watch.receive(piece, now)
        now += pause
        if watch.deadline is not None and now >= watch.deadline:
            expired = watch.expire()
            if expired is None:
                return data, True
            data += expired
    while watch.deadline is not None:
        expired = watch.expire()
        if expired is None:
            return data, True
        data += expired
    return data, False


@given(st.binary(max_size=40), st.lists(st.integers(0, 60), max_size=5))
def test_message_and_silence_end_the_call(data: bytes, cuts: list[int]) -> None:
    watch = CarrierWatch(numeric=False, guard=1.0)
    assert passed(watch, in_pieces(data + NO_CARRIER, cuts)) == (data, True)


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"NO CARRIER", b"NO", NO_CARRIER, b"\x7e", b"3\r", b"\x00"]), max_size=8),
    st.booleans(),
)
def test_what_goes_on_is_data_whatever_it_is(parts: list[bytes], numeric: bool) -> None:
    data = b"".join(parts) + b"."
    watch = CarrierWatch(numeric=numeric, guard=1.0)
    assert passed(watch, [data[at : at + 1] for at in range(len(data))]) == (data, False)


def test_beginning_of_the_message_is_let_through_after_a_while() -> None:
    watch = CarrierWatch(numeric=False, guard=1.0)
    assert watch.receive(b"abc\r", 5.0) == b"abc"
    assert watch.deadline == 5.0 + HELD
    assert watch.expire() == b"\r"
    assert watch.deadline is None


def test_frames_of_hdlc_are_never_kept_back() -> None:
    for numeric in (False, True):
        watch = CarrierWatch(numeric=numeric, guard=1.0)
        assert watch.receive(b"\x7e\xa0\x07\x21\x03\x1f\x6b\xe9\x7e", 0.0)[-1] == 0x7E
        assert watch.deadline is None


def test_number_ends_the_call_only_behind_a_flag() -> None:
    assert passed(CarrierWatch(numeric=True, guard=1.0), [b"\x7e\xa0\x7e", b"3", b"\r"]) == (b"\x7e\xa0\x7e", True)
    assert passed(CarrierWatch(numeric=True, guard=1.0), [b"3\r"]) == (b"", True)
    assert passed(CarrierWatch(numeric=True, guard=1.0), [b"\x7e\xa03\r"]) == (b"\x7e\xa03\r", False)
    assert passed(CarrierWatch(numeric=True, guard=1.0), [NO_CARRIER]) == (NO_CARRIER, False)


@given(st.binary(min_size=1, max_size=30), st.lists(st.integers(0, 80), max_size=5))
def test_echo_of_what_is_still_sent_breaks_no_silence(sent: bytes, cuts: list[int]) -> None:
    assume(NO_CARRIER not in sent)
    watch = CarrierWatch(numeric=False, guard=1.0)
    watch.sent(b"earlier")
    watch.sent(sent)
    assert passed(watch, in_pieces(b"data" + NO_CARRIER + sent, cuts)) == (b"data", True)


def test_echo_does_not_put_the_decision_off() -> None:
    watch = CarrierWatch(numeric=False, guard=1.0)
    watch.sent(b"abcabc")
    assert watch.receive(NO_CARRIER, 5.0) == b""
    assert watch.receive(b"abc", 5.5) == b""
    assert watch.deadline == 6.0
    assert watch.receive(b"d", 5.7) == NO_CARRIER + b"abcd"
    assert watch.deadline is None
