"""Both HDLC stations against each other over media that fail: right data or a declared error, in bounded time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cosemic.errors import TransportError
from cosemic.faults.media import FAULTLESS, StreamFaults
from cosemic.link.contract import ApduReceived, LinkConnected, LinkDisconnected, LinkEvent, LinkFailed
from cosemic.link.hdlc import HdlcAddress, HdlcSettings
from cosemic.values import LineSettings
from tests.effort import examples
from tests.link.hdlc_stations import BOUND, METER, Pair, answer_to, frames_of, request_for

ROOMS = st.sampled_from([32, 33, 128, 500, 2030])
WINDOWS = st.integers(1, 7)
STATIONS = st.builds(
    HdlcSettings,
    max_info_transmit=ROOMS,
    max_info_receive=ROOMS,
    window_transmit=WINDOWS,
    window_receive=WINDOWS,
    inter_octet_timeout=st.sampled_from([0.05, 0.5]),
    info_counts_frame=st.booleans(),
)
RARE = st.sampled_from([0.0, 0.0, 0.02, 0.1])
FAULTS = st.builds(
    StreamFaults,
    chunks=st.sampled_from([(), (1,), (7, 3, 100), (128,)]),
    latency=st.sampled_from([0.0, 0.1]),
    jitter=st.sampled_from([0.0, 0.01]),
    bit_error_rate=st.sampled_from([0.0, 0.0, 1e-4]),
    octet_loss=st.sampled_from([0.0, 0.0, 1e-3]),
    frame_loss=RARE,
    frame_corruption=RARE,
    noise=RARE,
    frames=st.just(frames_of),
)
ADDRESSES = st.sampled_from([HdlcAddress(1), METER, HdlcAddress(16, 1000), HdlcAddress(16)])
LENGTHS = st.integers(2, 700)


class Stations(RuleBasedStateMachine):
    """A client that does as it likes; what comes to either end is what the other sent, in order, and nothing twice."""

    @initialize(
        client=STATIONS, server=STATIONS, address=ADDRESSES, there=FAULTS, back=FAULTS, seed=st.integers(0, 1 << 32),
        echo=st.booleans(),
    )  # fmt: skip
    def begin(self, client: HdlcSettings, server: HdlcSettings, address: HdlcAddress, **medium: Any) -> None:
        there, back, seed, echo = (medium[name] for name in ("there", "back", "seed", "echo"))
        self.requests: list[bytes] = []
        self.served: list[bytes] = []
        self.notices: list[bytes] = []
        self.number = 0
        self.pair = Pair(
            client, server_settings=server, server=address, answer=self.serve, seed=seed, echo=echo, half_duplex=echo,
            from_client=there, from_server=back,
        )  # fmt: skip
        self.address = address

    def serve(self, request: bytes) -> bytes:
        self.served.append(request)
        return answer_to(request)

    def events(self, known: int) -> list[LinkEvent]:
        return [event for _, event in self.pair.client.events[known:]]

    @property
    def over(self) -> bool:
        return self.pair.client.ended or self.pair.client.error is not None

    @precondition(lambda self: not self.over and not self.pair.primary.connected)
    @rule()
    def connect(self) -> None:
        event = self.pair.connect()
        assert isinstance(event, LinkConnected | LinkFailed)
        if isinstance(event, LinkFailed):
            assert isinstance(event.error, TransportError)

    @precondition(lambda self: not self.over and self.pair.primary.connected)
    @rule(length=LENGTHS, own=LENGTHS)
    def exchange(self, length: int, own: int) -> None:
        self.number += 1
        request = request_for(self.number, length, own)
        self.requests.append(request)
        pair = self.pair
        known, start = len(pair.client.events), pair.time.now
        pair.client.send(request)

        def ended() -> bool:
            return any(event != self.notice(event) for event in self.events(known))

        assert pair.time.run_until(ended, BOUND), "neither answer nor error"
        assert pair.time.now - start <= BOUND
        event = next(event for event in self.events(known) if event != self.notice(event))
        if isinstance(event, ApduReceived):
            assert event == ApduReceived(answer_to(request), self.address.upper, 16)
            assert self.served[-1] == request
        else:
            assert isinstance(event, LinkDisconnected)
            assert event.error is not None

    def notice(self, event: LinkEvent) -> LinkEvent | None:
        """The event, if it is a notification that the meter has sent."""
        return event if isinstance(event, ApduReceived) and event.apdu in self.notices else None

    @rule()
    def notify(self) -> None:
        """In one frame: of more the medium may lose one between, which nobody can tell."""
        self.number += 1
        self.notices.append(b"notice" + self.number.to_bytes(4, "big"))
        self.pair.meter.notify(self.notices[-1], source=self.address.upper, destination=16)

    @precondition(lambda self: not self.over)
    @rule(seconds=st.sampled_from([0.01, 1.0, 30.0, 150.0]))
    def wait(self, seconds: float) -> None:
        self.pair.time.run_for(seconds)

    @precondition(lambda self: not self.over)
    @rule()
    def poll(self) -> None:
        self.pair.primary.poll()
        self.pair.client.go_on()

    @precondition(lambda self: not self.over and self.pair.primary.connected)
    @rule()
    def disconnect(self) -> None:
        known = len(self.pair.client.events)
        self.pair.primary.disconnect()
        self.pair.client.go_on()
        assert self.pair.time.run_until(
            lambda: any(isinstance(event, LinkDisconnected) for event in self.events(known)), BOUND
        )

    @invariant()
    def what_was_served_was_asked_for_in_order_and_once(self) -> None:
        if hasattr(self, "requests"):
            asked = iter(self.requests)
            assert all(any(request == each for each in asked) for request in self.served)

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.close()
            told = [event.apdu for event in self.events(0) if isinstance(event, ApduReceived)]
            notices = iter(self.notices)
            assert all(any(apdu == each for each in notices) for apdu in told if apdu.startswith(b"notice"))


TestStations = Stations.TestCase
TestStations.settings = examples(40, stateful_step_count=8, deadline=None)


@given(
    station=STATIONS,
    lengths=st.lists(st.tuples(LENGTHS, LENGTHS), min_size=1, max_size=3),
    echo=st.booleans(),
    chunks=st.sampled_from([(), (1,), (13, 2)]),
)
@examples(50)
def test_without_faults_everything_arrives_and_nothing_is_repeated(
    station: HdlcSettings, lengths: list[tuple[int, int]], echo: bool, chunks: tuple[int, ...]
) -> None:
    faults = StreamFaults(chunks=chunks, latency=0.1)
    pair = Pair(station, from_client=faults, from_server=faults, echo=echo, half_duplex=echo)
    assert pair.connect() == LinkConnected(1, 16)
    for number, (length, own) in enumerate(lengths):
        request = request_for(number, length, own)
        assert pair.exchange(request) == ApduReceived(answer_to(request), 1, 16)
    assert pair.time.now - 1000 < 0.2 * (3 + sum(1 + (length + own + 40) // 16 for length, own in lengths))
    pair.close()


def complete(pair: Pair, exchanges: int, own: int, length: int) -> None:
    """All exchanges on one connection, or on as many as it takes; each has its right answer."""
    assert pair.connect() == LinkConnected(1, 16)
    for number in range(exchanges):
        request = request_for(number, length, own)
        assert pair.exchange(request) == ApduReceived(answer_to(request), 1, 16), number


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("window", [1, 7])
def test_10000_exchanges_with_one_frame_in_a_hundred_corrupted_complete_with_right_data(window: int) -> None:
    faults = StreamFaults(frames=frames_of, frame_corruption=0.01)
    station = HdlcSettings(window_transmit=window, window_receive=window)
    pair = Pair(station, from_client=faults, from_server=faults, seed=20)
    complete(pair, 10_000, 40, 300)
    corrupted = [port.counts.frames_corrupted for port in pair.stream.ports]
    sent = [port.counts.frames for port in pair.stream.ports]
    assert all(0.008 < bad / all_ < 0.012 for bad, all_ in zip(corrupted, sent, strict=True))
    pair.close()


@pytest.mark.slow
@pytest.mark.no_cover
def test_1000_exchanges_at_bit_error_rate_1e_4_complete_with_right_data() -> None:
    faults = StreamFaults(bit_error_rate=1e-4)
    pair = Pair(HdlcSettings(repeats=8), from_client=faults, from_server=faults, seed=4)
    complete(pair, 1000, 300, 300)
    assert all(port.counts.bits_inverted > 100 for port in pair.stream.ports)
    pair.close()


@pytest.mark.slow
@pytest.mark.no_cover
def test_at_bit_error_rate_1e_2_each_of_1000_exchanges_ends_in_a_declared_error_in_bounded_time() -> None:
    ends = []
    faults = StreamFaults(bit_error_rate=1e-2)
    for seed in range(1000):
        pair = Pair(from_client=faults, from_server=faults, seed=seed)
        event = pair.connect()
        if isinstance(event, LinkConnected):
            event = pair.exchange(request_for(seed, 120, 120))
        assert isinstance(event, LinkFailed | LinkDisconnected)
        assert isinstance(event.error, TransportError)
        assert pair.time.now - 1000 < 60
        pair.close()
        ends.append(type(event))
    assert set(ends) == {LinkFailed, LinkDisconnected}


def seconds_for(window: int, faults: StreamFaults = FAULTLESS) -> float:
    station = HdlcSettings(window_transmit=window, window_receive=window)
    faults = replace(faults, latency=0.1)
    pair = Pair(station, from_client=faults, from_server=faults, seed=7)
    pair.connect()
    start = pair.time.now
    for number in range(10):
        request = request_for(number, 5000, 200)
        assert pair.exchange(request) == ApduReceived(answer_to(request), 1, 16)
    return pair.time.now - start


def test_window_7_is_faster_than_window_1_over_a_link_of_100_ms(capsys: pytest.CaptureFixture[str]) -> None:
    one, seven = seconds_for(1), seconds_for(7)
    with capsys.disabled():
        print("\n10 answers of 5,000 octets over a link of 100 ms each way, in virtual time: ", end="")
        print(f"window 1 {one:.1f} s, window 7 {seven:.1f} s, {one / seven:.1f} times as fast")
    assert one > 4 * seven


@pytest.mark.parametrize("baud", [300, 9600])
def test_a_slow_line_is_waited_for(baud: int) -> None:
    """At 300 Bd a frame takes five seconds, longer than the response time-out."""
    line = LineSettings(baud, 8, "N", 1)
    station = HdlcSettings(response_timeout=2.0, octet_time=10 / baud, repeats=0)
    faults = StreamFaults(chunks=(1,))
    pair = Pair(
        station, line=line, half_duplex=True, echo=True, server=HdlcAddress(16), from_client=faults, from_server=faults
    )
    assert pair.connect() == LinkConnected(16, 16)
    request = request_for(1, 1000, 100)
    assert pair.exchange(request) == ApduReceived(answer_to(request), 16, 16)
    pair.close()


def test_a_connection_that_the_meter_left_is_declared_lost() -> None:
    pair = Pair(server_settings=HdlcSettings(inactivity_timeout=30.0))
    pair.connect()
    pair.time.run_for(31)
    event = pair.exchange(b"\x00\x05late")
    assert isinstance(event, LinkDisconnected)
    assert "(DM)" in str(event.error)
    assert pair.connect() == LinkConnected(1, 16)
    assert pair.exchange(b"\x00\x05again") == ApduReceived(answer_to(b"\x00\x05again"), 1, 16)
    pair.close()


def test_a_cut_connection_is_declared_by_the_medium_and_a_hanging_one_by_the_link() -> None:
    pair = Pair(from_server=StreamFaults(hang_at=40))
    pair.connect()
    event = pair.exchange(b"\x00\x05hang")
    assert isinstance(event, LinkDisconnected)
    assert pair.time.now - 1000 == pytest.approx(20.0)
    pair.close()


def test_a_confirmation_without_answer_leaves_the_link_at_rest() -> None:
    """As of an unconfirmed service in I frames: the meter has nothing to say, and is not polled for ever."""
    pair = Pair(answer=lambda _: None)
    pair.connect()
    pair.client.send(b"\x00\x05unconfirmed")
    pair.time.run_for(100)
    assert [type(event) for _, event in pair.client.events] == [LinkConnected]
    assert pair.primary.deadline() is None
    pair.close()
