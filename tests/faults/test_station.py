"""What drives a link: octets, time, line, ends; and the wrapper over every medium."""

from __future__ import annotations

import time as machine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConnectionLost, ProtocolError, ResponseTimeout
from cosemic.faults import Bus, ByteStream, DatagramFaults, Network, Station, StreamFaults, VirtualTime
from cosemic.faults import station as module
from cosemic.faults.station import StationPort
from cosemic.link.contract import ApduReceived, LinkConnected, LinkDisconnected, LinkEvent, LinkFailed, Octets
from cosemic.link.wrapper import WrapperLink
from cosemic.values import LineSettings
from cosemic.values.line_settings import OPTICAL, Parity
from tests.faults.support import settle

FAST = LineSettings(9600, 7, Parity.EVEN)


class StopAndWait:
    """A link for these tests: each line is answered with ``+`` within a second, or sent again, three times.

    ``F`` switches the line to :data:`FAST` at both ends, behind the ``+`` of the answer; ``!`` breaks the rules.
    """

    def __init__(self, *, spins: bool = False) -> None:
        self.connected = False
        self.connection_oriented = True
        self.spins = spins
        self.ticks: list[float] = []
        self._due: list[bytes | LineSettings] = []
        self._waiting: bytes | None = None
        self._left = 0
        self._deadline: float | None = None
        self._line: LineSettings | None = None

    def connect(self) -> None:
        self.send(b"F")

    def disconnect(self) -> None:
        self.send(b"D")

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        self._waiting, self._left, self._deadline = apdu, 3, 0.0
        self._due.append(apdu + b"\n")

    def octets_to_send(self) -> bytes:
        if self._due and isinstance(self._due[0], bytes):
            octets = self._due.pop(0)
            assert isinstance(octets, bytes)
            return octets
        return b""

    def line_to_set(self) -> LineSettings | None:
        if self._due and isinstance(self._due[0], LineSettings):
            line = self._due.pop(0)
            assert isinstance(line, LineSettings)
            return line
        return None

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        events: list[LinkEvent] = []
        for line in bytes(octets).splitlines():
            if line == b"+":
                if self._waiting == b"F":
                    self._due.append(FAST)
                    events.append(LinkConnected(1, 2))
                if self._waiting == b"D":
                    events.append(LinkDisconnected(1, 2))
                self._waiting = self._deadline = None
            elif line == b"!":
                self._due.append(b"?\n")
                events.append(LinkFailed(ProtocolError("broken")))
            else:
                events.append(ApduReceived(line, 1, 2))
                self._due.append(b"+\n")
                if line == b"F":
                    self._due.append(FAST)
        return events

    def deadline(self) -> float | None:
        return self._deadline

    def tick(self, now: float) -> list[LinkEvent]:
        self.ticks.append(now)
        if self._deadline == 0.0 and not self.spins:
            self._deadline = now + 1.0
        if self._deadline is None or self._waiting is None or now < self._deadline or self.spins:
            return []
        if not self._left:
            self._deadline = None
            return [LinkFailed(ResponseTimeout("no answer"))]
        self._left -= 1
        self._due.append(self._waiting + b"\n")
        self._deadline = 0.0
        return []


def happened(station: Station) -> list[Any]:
    return [event for _, event in station.events]


def apdus(station: Station) -> list[bytes]:
    return [event.apdu for event in happened(station) if isinstance(event, ApduReceived)]


def stop_and_wait(**faults: Any) -> tuple[VirtualTime, ByteStream, Station, Station]:
    time = VirtualTime()
    stream = ByteStream(time, line=OPTICAL, **faults)
    return time, stream, Station(StopAndWait(), stream.client), Station(StopAndWait(), stream.server)


def test_a_line_is_switched_behind_the_octets_before_it() -> None:
    time, stream, client, server = stop_and_wait()
    client.connect()
    settle(time)
    # "F\n" and "+\n" take 2/30 s each; the server switches behind its answer, the client when it has read it.
    assert happened(client) == [LinkConnected(1, 2)]
    assert stream.server.line_changes == [(pytest.approx(1000 + 4 / 30), FAST)]
    assert stream.client.line_changes == [(pytest.approx(1000 + 4 / 30), FAST)]
    begun = time.now
    client.send(b"data")
    settle(time)
    assert apdus(server) == [b"F", b"data"]
    assert server.events[-1][0] == pytest.approx(begun + 5 * 10 / 9600)
    assert stream.client.counts.octets_misread == stream.server.counts.octets_misread == 0
    client.disconnect()
    settle(time)
    assert happened(client)[-1] == LinkDisconnected(1, 2)


def test_the_time_is_told_right_after_sending_and_at_the_deadline_exactly() -> None:
    time, stream, client, _ = stop_and_wait(from_client=StreamFaults(frame_loss=1))
    client.send(b"lost")
    assert client.link.ticks == [1000.0]  # type: ignore[attr-defined]  # of the link above
    settle(time)
    assert client.link.ticks == [1000.0, 1001.0, 1001.0, 1002.0, 1002.0, 1003.0, 1003.0, 1004.0]  # type: ignore[attr-defined]  # of the link above
    assert stream.client.counts.frames_lost == 4


def test_a_link_that_failed_ends_the_medium() -> None:
    time, stream, client, _ = stop_and_wait(from_client=StreamFaults(frame_loss=1))
    client.send(b"lost")
    settle(time)
    assert client.events == [(1004.0, LinkFailed(client.error))]  # type: ignore[arg-type]  # not None
    assert isinstance(client.error, ResponseTimeout)
    assert client.ended
    assert stream.client.closed
    with pytest.raises(ConnectionLost, match="no answer"):
        client.send(b"more")


def test_what_is_due_is_sent_before_the_medium_is_closed_for_a_failure() -> None:
    time, stream, client, server = stop_and_wait()
    client.send(b"!")
    settle(time)
    assert isinstance(server.error, ProtocolError)
    assert stream.journal.at("client") == b"?\n"


def test_an_event_may_be_answered_from_within() -> None:
    time, _, client, server = stop_and_wait()

    def answer(event: LinkEvent) -> None:
        if isinstance(event, ApduReceived):
            server.send(event.apdu.upper())

    server.on_event = answer
    client.send(b"question")
    settle(time)
    assert apdus(client) == [b"QUESTION"]


def test_the_end_of_the_medium_ends_the_station_and_its_timers() -> None:
    time = VirtualTime()
    stream = ByteStream(time, from_server=StreamFaults(latency=0.5))
    client, server = Station(StopAndWait(), stream.client), Station(StopAndWait(), stream.server)
    client.send(b"anybody?")
    server.close()
    server.close()
    settle(time)
    assert time.now == 1000.5
    assert (server.ended, server.error) == (True, None)
    assert isinstance(client.error, ConnectionLost)
    with pytest.raises(ConnectionLost):
        client.send(b"?")
    with pytest.raises(ConnectionLost):
        server.connect()


def test_a_machine_that_would_spin_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STEPS", 50)
    stream = ByteStream(VirtualTime())
    station = Station(StopAndWait(spins=True), stream.client)
    with pytest.raises(RuntimeError, match="come to rest"):
        station.send(b"hello")


def test_a_line_is_set_before_the_octets_behind_it() -> None:
    time = VirtualTime()
    stream = ByteStream(time, line=OPTICAL)
    client = StopAndWait()
    station = Station(client, stream.client)
    stream.server.set_line(FAST)
    client._due += [FAST, b"hello\n"]
    station.go_on()
    assert time.run_until_idle()
    assert stream.client.line_changes == [(1000.0, FAST)]
    assert stream.client.counts.octets_written == 6
    assert stream.client.counts.octets_misread == 0


def test_the_time_is_told_after_sending_though_the_deadline_is_far() -> None:
    stream = ByteStream(VirtualTime())
    link = StopAndWait()
    station = Station(link, stream.client)
    link._waiting, link._deadline = b"waits", 1500.0
    link._due.append(b"something else\n")
    station.go_on()
    assert link.ticks == [1000.0]
    assert stream.time.run_until(lambda: station.ended)
    assert stream.time.now == 1500.0


def test_what_is_due_at_the_moment_of_a_cut_does_no_harm() -> None:
    time = VirtualTime()
    stream = ByteStream(time, from_server=StreamFaults(cut_at=1))
    client = Station(StopAndWait(), stream.client)
    time.call_at(1001.0, stream.server.write, b"?")
    client.send(b"unanswered")
    settle(time)
    assert (time.now, client.ended) == (1001.0, True)
    assert isinstance(client.error, ConnectionLost)
    assert "cut" in str(client.error)


def test_a_deadline_that_has_passed_is_told_at_once() -> None:
    stream = ByteStream(VirtualTime())
    link = StopAndWait()
    station = Station(link, stream.client)
    link._waiting, link._left, link._deadline = b"again", 1, 999.0
    station.go_on()
    settle(stream.time)
    assert link.ticks[0] == 1000.0
    assert stream.client.counts.writes == 1


def test_the_newest_events_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_EVENTS", 10)
    time = VirtualTime()
    stream = ByteStream(time)
    client, server = Station(WrapperLink(16, 1), stream.client), Station(WrapperLink(), stream.server)
    for number in range(25):
        client.send(bytes((number,)))
    settle(time)
    assert len(server.events) <= 10
    assert apdus(server)[-1] == b"\x18"


@given(st.integers(0, 500), st.sampled_from((0.0, 0.1, 0.3)))
def test_every_request_ends_in_its_answer_or_an_error_in_bounded_time(seed: int, loss: float) -> None:
    time, _, client, server = stop_and_wait(
        from_client=StreamFaults(frame_loss=loss), from_server=StreamFaults(frame_loss=loss), seed=seed
    )
    sent = []
    for number in range(5):
        if client.ended:
            break
        sent.append(b"%d" % number)
        client.send(sent[-1])
        assert time.run_until_idle(limit=10.0)
    came = [apdu for at, apdu in enumerate(apdus(server)) if not at or apdus(server)[at - 1] != apdu]
    assert came == (sent if not client.ended else sent[: len(came)])
    assert client.ended or len(sent) == 5


# ---- the wrapper over every medium ----------------------------------------------------------------------------------


def answering(port: StationPort) -> Station:
    """A server that answers each APDU with its octets in reverse."""

    def answer(event: LinkEvent) -> None:
        if isinstance(event, ApduReceived):
            server.send(event.apdu[::-1], source=event.destination, destination=event.source)

    server = Station(WrapperLink(), port, on_event=answer)
    return server


APDUS = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


def in_turn(time: VirtualTime, client: Station, requests: list[bytes]) -> None:
    for request in requests:
        client.send(request)
        settle(time)
    assert apdus(client) == [request[::-1] for request in requests]
    assert not client.ended


@given(APDUS, st.lists(st.integers(1, 20), max_size=3), st.booleans(), st.sampled_from((None, OPTICAL)))
def test_the_wrapper_over_a_stream(requests: list[bytes], chunks: list[int], half: bool, line: Any) -> None:
    time = VirtualTime()
    faults = StreamFaults(chunks=chunks, latency=0.1, jitter=0.1)
    stream = ByteStream(time, line=line, half_duplex=half, from_client=faults, from_server=faults)
    answering(stream.server)
    in_turn(time, Station(WrapperLink(16, 1), stream.client), requests)


@given(APDUS)
def test_the_wrapper_over_datagrams(requests: list[bytes]) -> None:
    time = VirtualTime()
    network = Network(time, DatagramFaults(latency=2.0, jitter=1.0))
    network.station("meter").listen(answering)
    in_turn(time, Station(WrapperLink(16, 1), network.station("client").connected("meter")), requests)


@given(APDUS)
def test_the_wrapper_over_a_bus(requests: list[bytes]) -> None:
    time = VirtualTime()
    bus = Bus(time, LineSettings(9600))
    answering(bus.station("meter"))
    others = [Station(WrapperLink(), bus.station(name)) for name in ("one", "two")]
    in_turn(time, Station(WrapperLink(16, 1), bus.station("client")), requests)
    said = [apdu for request in requests for apdu in (request, request[::-1])]
    assert [apdus(other) for other in others] == [said, said]


def test_ten_thousand_exchanges_take_a_few_seconds() -> None:
    time = VirtualTime()
    faults = StreamFaults(latency=0.01)
    stream = ByteStream(time, line=LineSettings(9600), from_client=faults, from_server=faults)
    answering(stream.server)
    client = Station(WrapperLink(16, 1), stream.client)
    begun = machine.perf_counter()
    for _ in range(10_000):
        client.send(b"\xc0\x01\xc1\x00\x08\x00\x00\x01\x00\x00\xff\x02\x00")
        time.run_until_idle()
    assert len(client.events) == 10_000
    assert machine.perf_counter() - begun < 30
