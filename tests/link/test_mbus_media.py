"""M-Bus over a bus that fails: right data or a declared error in bounded virtual time, and nothing executed twice.

The acknowledgement of M-Bus is a single octet, so noise may look like one. A request that got lost behind such an octet
has no answer, and the link falls silent when ``answer_timeout`` is over: the response time-out of the association, in
whose place these tests look at the clock, declares that.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cosemic.faults import StreamFaults
from cosemic.link.contract import LinkFailed
from cosemic.link.mbus import DeviceAddress
from tests.effort import examples
from tests.link.mbus_samples import Line, Meter, Reader, answer_to

FAULTS = st.builds(
    StreamFaults,
    chunks=st.sampled_from(((), (1,), (3, 1, 7))),
    latency=st.sampled_from((0.0, 0.01, 0.1)),
    octet_loss=st.sampled_from((0.0, 0.001, 0.01)),
    frame_loss=st.sampled_from((0.0, 0.05, 0.3)),
    frame_corruption=st.sampled_from((0.0, 0.05, 0.3)),
    noise=st.sampled_from((0.0, 0.05, 0.3)),
)
SETTINGS = {"answer_timeout": 5.0}
LONGEST_EXCHANGE = 400.0
"""Seconds: frames of the longest request here, each with its repetitions, and the time-out of the answer."""


def device(number: int) -> DeviceAddress:
    return DeviceAddress(f"0000{number:04}", 0x2CCD, 1, 2)


class BusOfMeters(RuleBasedStateMachine):
    """One master at a time and three meters, on a bus of any faults."""

    @initialize(meter_faults=FAULTS, master_faults=FAULTS, seed=st.integers(0, 1000), echo=st.booleans())
    def build(self, meter_faults: StreamFaults, master_faults: StreamFaults, seed: int, echo: bool) -> None:
        self.line = Line(seed=seed, echo=echo)
        self.faults = master_faults
        self.meters: list[Meter] = [
            self.line.meter(number, faults=meter_faults, secondary=device(number)) for number in range(3)
        ]
        self.readers: dict[tuple[int, bool], Reader] = {}
        self.sent: list[list[bytes]] = [[], [], []]
        self.received: list[list[bytes]] = [[], [], []]

    def reader(self, number: int, secondary: bool) -> Reader:
        reader = self.readers.get((number, secondary))
        if reader is None or reader.station.ended:
            address: dict[str, Any] = {"secondary": device(number)} if secondary else {"address": number}
            reader = self.line.reader(faults=self.faults, **address, **SETTINGS)
            self.readers[number, secondary] = reader
        return reader

    @rule(number=st.integers(0, 2), secondary=st.booleans(), size=st.integers(0, 900), count=st.integers(1, 3))
    def exchange(self, number: int, secondary: bool, size: int, count: int) -> None:
        reader = self.reader(number, secondary)
        began, told = self.line.time.now, len(reader.errors())
        if secondary or not reader.station.link.connected:
            # Another meter may have been selected since.
            reader.station.link.disconnect()
            reader.station.go_on()
            reader.rest()
        if not reader.station.link.connected and not reader.connect():
            assert isinstance(reader.events[-1], LinkFailed)
            return
        for _ in range(count):
            if not reader.station.link.connected:
                assert len(reader.errors()) > told
                return
            request = len(self.sent[number]).to_bytes(2, "big") + bytes(size)
            self.sent[number].append(request)
            before = len(reader.apdus())
            reader.station.send(request)
            reader.rest(LONGEST_EXCHANGE)
            came = reader.apdus()[before:]
            self.received[number] += came
            # A late answer to a request before this one may come in front of it.
            assert all(apdu in map(answer_to, self.sent[number]) for apdu in came)
        assert self.line.time.now - began <= (count + 2) * LONGEST_EXCHANGE

    @rule(number=st.integers(0, 2))
    def poll(self, number: int) -> None:
        reader = self.readers.get((number, False))
        if reader is not None and not reader.station.ended:
            reader.station.link.poll()
            reader.station.go_on()
            reader.rest(LONGEST_EXCHANGE)

    @invariant()
    def nothing_is_executed_that_was_not_sent_nor_twice(self) -> None:
        if not hasattr(self, "meters"):
            return
        for meter, sent in zip(self.meters, self.sent, strict=True):
            assert len(set(meter.executed)) == len(meter.executed)
            assert set(meter.executed) <= set(sent)

    @invariant()
    def nothing_is_left_behind(self) -> None:
        if not hasattr(self, "line"):
            return
        assert self.line.time.next_call is None
        assert all(reader.station.link.deadline() is None for reader in self.readers.values())
        assert all(meter.station.link.waiting <= 16 for meter in self.meters)


class TestBusOfMeters(BusOfMeters.TestCase):
    settings = settings(max_examples=6, stateful_step_count=8, deadline=None)


@pytest.mark.slow
@pytest.mark.no_cover
class TestBusOfMetersAtLength(BusOfMeters.TestCase):
    settings = examples(60, stateful_step_count=12, deadline=None)


@given(st.integers(0, 1000), st.sampled_from((0.02, 0.1)))
@examples(20)
def test_single_lost_and_damaged_frames_are_made_good(seed: int, rate: float) -> None:
    line = Line(seed=seed)
    meter = line.meter(7, faults=StreamFaults(frame_loss=rate / 2, frame_corruption=rate / 2))
    reader = line.reader(7, faults=StreamFaults(frame_loss=rate / 2, frame_corruption=rate / 2), repetitions=9)
    assert reader.connect()
    for number in range(20):
        request = bytes((number,)) * 400
        assert reader.ask(request) == [answer_to(request)]
    assert len(meter.executed) == 20
    assert reader.errors() == []


@pytest.mark.parametrize("frame", range(9))
@pytest.mark.parametrize("what", ["lost", "damaged"])
@pytest.mark.parametrize("station", ["master", "meter"])
def test_each_frame_of_an_exchange_may_be_lost_once(frame: int, what: str, station: str) -> None:
    def alter(number: int, octets: bytes) -> bytes:
        if number != frame:
            return octets
        return b"" if what == "lost" else octets[:-1] + bytes((octets[-1] ^ 0x40,))

    faults = StreamFaults(alter=alter)
    line = Line()
    meter = line.meter(7, **({"faults": faults} if station == "meter" else {}))
    reader = line.reader(7, **({"faults": faults} if station == "master" else {}))
    assert reader.connect()
    request = bytes(range(200)) * 4
    assert reader.ask(request) == [answer_to(request)]
    assert meter.executed == [request]
