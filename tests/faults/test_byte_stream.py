"""Byte streams: order, chunks, time on the line, echo, ends; and the same course every time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, ConnectionLost
from cosemic.faults import ByteStream, StreamFaults, VirtualTime
from cosemic.faults import port as module
from cosemic.values import LineSettings
from cosemic.values.line_settings import OPTICAL, Parity
from tests.faults.support import Heard, both, settle

WRITES = st.lists(
    st.tuples(st.booleans(), st.binary(max_size=40), st.sampled_from((0.0, 0.0, 0.003, 1.0))), max_size=12
)
CHUNKS = st.lists(st.integers(1, 9), max_size=4)
LINES = st.sampled_from((None, OPTICAL, LineSettings(9600), LineSettings(115200)))
SECONDS = st.sampled_from((0.0, 0.001, 0.5))


@given(WRITES, CHUNKS, LINES, SECONDS, SECONDS, SECONDS, st.integers(0, 9))
def test_nothing_is_lost_or_out_of_order_however_it_is_cut_and_delayed(
    writes: list[tuple[bool, bytes, float]],
    chunks: list[int],
    line: LineSettings | None,
    latency: float,
    jitter: float,
    gathered: float,
    seed: int,
) -> None:
    time = VirtualTime()
    faults = StreamFaults(chunks=chunks, latency=latency, jitter=jitter, gathered=gathered)
    stream = ByteStream(time, line=line, from_client=faults, from_server=faults, seed=seed)
    client, server = both(stream)
    for by_client, octets, pause in writes:
        (stream.client if by_client else stream.server).write(octets)
        time.run_for(pause)
    settle(time)
    assert server.octets == b"".join(octets for by_client, octets, _ in writes if by_client)
    assert client.octets == b"".join(octets for by_client, octets, _ in writes if not by_client)
    counts = stream.client.counts
    assert counts.octets_written == counts.octets_delivered == len(server.octets)
    assert counts.octets_unheard == 0
    assert server.times == sorted(server.times)


def test_chunks_come_in_turn_and_none_spans_two_writes() -> None:
    time = VirtualTime()
    stream = ByteStream(time, from_client=StreamFaults(chunks=(1, 4)))
    _, server = both(stream)
    stream.client.write(b"0123456")
    stream.client.write(b"789")
    settle(time)
    assert [octets for _, octets in server.pieces] == [b"0", b"1234", b"5", b"6", b"7", b"89"]


def test_gathered_writes_come_together() -> None:
    time = VirtualTime()
    stream = ByteStream(time, from_client=StreamFaults(gathered=0.5))
    _, server = both(stream)
    stream.client.write(b"one")
    time.run_for(0.25)
    stream.client.write(b"two")
    time.run_for(0.5)
    stream.client.write(b"three")
    stream.client.close()
    settle(time)
    assert list(zip(server.times, (octets for _, octets in server.pieces), strict=True)) == [
        (0.5, b"onetwo"),
        (0.75, b"three"),
    ]


@given(
    st.integers(1, 60), st.sampled_from((300, 1200, 9600)), st.sampled_from((7, 8)), st.sampled_from(Parity), SECONDS
)
def test_each_octet_comes_when_its_last_bit_has_left_and_the_latency_has_passed(
    count: int, baud: int, data_bits: int, parity: Parity, latency: float
) -> None:
    time = VirtualTime()
    line = LineSettings(baud, data_bits, parity)
    stream = ByteStream(time, line=line, from_client=StreamFaults(chunks=(1,), latency=latency))
    _, server = both(stream)
    stream.client.write(bytes(count))
    bits = 1 + data_bits + (parity is not Parity.NONE) + 1
    assert stream.client.busy_until - 1000 == pytest.approx(count * bits / baud)
    settle(time)
    assert server.times == pytest.approx([number * bits / baud + latency for number in range(1, count + 1)])


def test_three_hundred_baud_are_thirty_octets_a_second() -> None:
    time = VirtualTime()
    stream = ByteStream(time, line=OPTICAL)
    _, server = both(stream)
    stream.client.write(b"a" * 30)
    stream.client.write(b"b" * 60)
    settle(time)
    assert server.times == pytest.approx([1.0, 3.0])
    assert stream.client.busy_until == time.now


def test_both_directions_go_at_the_same_time_on_a_full_duplex_line() -> None:
    time = VirtualTime()
    stream = ByteStream(time, line=OPTICAL)
    client, server = both(stream)
    stream.client.write(b"question")
    stream.server.write(b"answered")
    settle(time)
    assert (client.octets, server.octets) == (b"answered", b"question")
    assert client.times == server.times == pytest.approx([8 / 30])


def test_half_duplex_garbles_exactly_what_overlaps() -> None:
    time = VirtualTime()
    stream = ByteStream(time, line=OPTICAL, half_duplex=True)
    client, server = both(stream)
    stream.client.write(b"0123456789")
    time.run_for(6 / 30)
    stream.server.write(b"abcdefgh")
    settle(time)
    assert server.octets[:6] == b"012345"
    assert all(ours != theirs for ours, theirs in zip(server.octets[6:], b"6789", strict=True))
    assert all(ours != theirs for ours, theirs in zip(client.octets[:4], b"abcd", strict=True))
    assert client.octets[4:] == b"efgh"
    assert stream.client.counts.octets_collided + stream.server.counts.octets_collided == 8


def test_half_duplex_in_turn_is_faultless() -> None:
    time = VirtualTime()
    stream = ByteStream(time, line=LineSettings(9600), half_duplex=True)
    client = Heard(stream.client, lambda octets: len(client.pieces) < 50 and stream.client.write(octets + b"?"))
    server = Heard(stream.server, lambda octets: stream.server.write(octets + b"!"))
    stream.client.write(b"?")
    settle(time)
    assert client.pieces[-1][1] == b"?!" * 50
    assert stream.client.counts.octets_collided == stream.server.counts.octets_collided == 0
    assert len(server.pieces) == 50


def test_an_echo_is_heard_when_the_octets_have_left_before_the_answer() -> None:
    time = VirtualTime()
    stream = ByteStream(
        time, line=OPTICAL, half_duplex=True, echo=True, from_client=StreamFaults(chunks=(2,), latency=0.1)
    )
    client = Heard(stream.client)
    Heard(stream.server, lambda octets: octets.islower() and stream.server.write(octets.upper()))
    stream.client.write(b"hm")
    settle(time)
    assert [octets for _, octets in client.pieces] == [b"hm", b"HM"]
    assert client.times == pytest.approx([2 / 30, 4 / 30 + 0.1])


def test_the_end_comes_after_what_was_written_and_late_octets_are_not_heard() -> None:
    time = VirtualTime()
    stream = ByteStream(time, from_client=StreamFaults(latency=1.0), from_server=StreamFaults(latency=1.0))
    client, server = both(stream)
    stream.client.write(b"last words")
    stream.server.write(b"too late")
    stream.client.close()
    stream.client.close()
    with pytest.raises(ConnectionLost, match="closed"):
        stream.client.write(b"more")
    settle(time)
    assert server.pieces == [(1001.0, b"last words")]
    assert client.pieces == []
    assert client.ends == [(1000.0, None)]
    [(at, error)] = server.ends
    assert at == 1001.0
    assert isinstance(error, ConnectionLost)
    assert stream.server.counts.octets_unheard == len(b"too late")
    with pytest.raises(ConnectionLost):
        stream.server.write(b"more")


def test_a_serial_port_tells_nobody_and_can_be_opened_again() -> None:
    time = VirtualTime()
    stream = ByteStream(time, line=OPTICAL)
    client, server = both(stream)
    stream.client.write(b"one")
    stream.client.close()
    settle(time)
    stream.server.write(b"anybody?")
    settle(time)
    assert (client.ends, server.ends, client.pieces) == ([(1000.0, None)], [], [])
    stream.client.reopen()
    again = Heard(stream.client)
    stream.server.write(b"hello")
    stream.client.write(b"two")
    settle(time)
    assert (again.octets, server.octets) == (b"hello", b"onetwo")


@given(st.integers(0, 30), CHUNKS)
def test_a_cut_lets_exactly_so_many_octets_through_and_tells_both_ends(at: int, chunks: list[int]) -> None:
    time = VirtualTime()
    stream = ByteStream(time, from_server=StreamFaults(cut_at=at, chunks=chunks))
    client, server = both(stream)
    octets = bytes(range(40))
    stream.server.write(octets[:17])
    stream.server.write(octets[17:])
    settle(time)
    assert client.octets == octets[:at]
    for heard in client, server:
        [(_, error)] = heard.ends
        assert isinstance(error, ConnectionLost)
        assert "cut" in str(error)


@given(st.integers(0, 30), CHUNKS)
def test_a_hang_lets_exactly_so_many_octets_through_and_tells_nobody(at: int, chunks: list[int]) -> None:
    time = VirtualTime()
    stream = ByteStream(time, from_server=StreamFaults(hang_at=at, chunks=chunks))
    client, server = both(stream)
    octets = bytes(range(40))
    stream.server.write(octets)
    stream.client.write(octets)
    settle(time)
    assert (client.octets, server.octets) == (octets[:at], octets)
    assert client.ends == server.ends == []
    assert stream.server.counts.octets_unheard == 40 - at


def test_a_sender_that_nobody_listens_to_fills_the_medium_and_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNDER_WAY", 100)
    time = VirtualTime()
    stream = ByteStream(time, line=OPTICAL)
    client, _ = both(stream)
    stream.client.write(bytes(100))
    stream.client.write(b"1")
    settle(time)
    assert "under way" in str(client.ends[0][1])


def test_a_chunk_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        ByteStream(VirtualTime(), from_client=StreamFaults(chunks=(1, 0)))


# ---- lines that change ----------------------------------------------------------------------------------------------


def test_the_line_changes_when_what_was_written_has_left_and_what_is_written_next_goes_at_the_new_rate() -> None:
    time = VirtualTime()
    stream = ByteStream(time, line=OPTICAL)
    _, server = both(stream)
    fast = LineSettings(9600, 7, Parity.EVEN)
    stream.client.write(b"\x06050\r\n")
    stream.client.set_line(fast)
    stream.client.write(b"at 9600")
    stream.server.set_line(fast)
    assert stream.client.line == OPTICAL
    settle(time)
    assert stream.client.line == fast
    assert stream.client.line_changes == [(pytest.approx(1000.2), fast)]
    assert stream.server.line_changes == [(1000.0, fast)]
    # The server was too early: it read the first message at the wrong rate.
    assert b"050" not in server.octets
    assert server.octets.endswith(b"at 9600")
    assert server.times[-1] == pytest.approx(0.2 + 70 / 9600)
    assert stream.client.counts.octets_misread == 6


def test_a_port_at_another_rate_hears_something_else_until_it_is_set_right() -> None:
    time = VirtualTime()
    stream = ByteStream(time, line=LineSettings(9600))
    _, server = both(stream)
    stream.client.set_line(LineSettings(4800))
    stream.client.write(b"hello")
    settle(time)
    assert server.octets != b"hello"
    wrong = len(server.octets)
    stream.server.set_line(LineSettings(4800))
    stream.client.write(b"hello")
    settle(time)
    assert server.octets[wrong:] == b"hello"


def test_the_newest_changes_of_the_line_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LINE_CHANGES", 10)
    stream = ByteStream(VirtualTime(), line=OPTICAL)
    for baud in range(300, 330):
        stream.client.set_line(LineSettings(baud))
    assert len(stream.client.line_changes) <= 10
    assert stream.client.line_changes[-1] == (1000.0, LineSettings(329))


def test_a_network_has_no_line_to_set() -> None:
    time = VirtualTime()
    stream = ByteStream(time)
    _, server = both(stream)
    stream.client.set_line(OPTICAL)
    stream.client.write(b"hello")
    settle(time)
    assert server.pieces == [(1000.0, b"hello")]
    assert (stream.client.line, stream.client.line_changes) == (None, [])


def test_the_journal_keeps_what_came_and_where_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosemic.faults.media.JOURNAL_OCTETS", 10)
    time = VirtualTime()
    stream = ByteStream(time)
    both(stream)
    for octets in (b"12345", b"67", b"890"):
        stream.client.write(octets)
    stream.server.write(b"x")
    settle(time)
    assert stream.journal.at("server") == b"67890"
    assert (1000.0, "client", b"x") in [tuple(each) for each in stream.journal]
    assert len(stream.journal) == 3
