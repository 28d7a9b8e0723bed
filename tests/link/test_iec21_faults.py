"""Readers and meters of IEC 62056-21 over lines that fail: right data or a declared error, in bounded virtual time."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cosemic.errors import CosemicError, OutcomeUnknown, ServiceFailed
from cosemic.faults import StreamFaults
from cosemic.link.iec21 import (
    ClientSettings,
    Completed,
    DataReadout,
    DataSet,
    EnterProgramming,
    Execute,
    Failed,
    Identification,
    Iec21Client,
    Iec21Server,
    Listen,
    MeterData,
    Password,
    Read,
    ServerSettings,
    SignedOff,
    SignOff,
    Write,
)
from cosemic.link.iec21.line import EchoFilter, HalfDuplexLine, Quiet
from cosemic.link.iec21.sign_on import State
from cosemic.values import OPTICAL, LineSettings
from tests.effort import examples
from tests.link.iec21_stations import DATASETS, MODE_A, MODE_B, MODE_C, MODE_E, PASSWORD, Bench

BOUND = 400.0
"""Seconds in which any request of these tests ends: three sign-ons at 300 baud, each with a rest before it."""
CHUNKS = st.sampled_from([(1,), (3, 1), (16,)])


def bad_line(chance: random.Random, corruption: float, loss: float, noise: float, **arguments: Any) -> StreamFaults:
    """Faults that a BCC sees, and ACK and NAK survive: one wrong bit in a message, or it is lost, or noise before it.

    Beyond that the protocol has nothing to hold against it: two wrong octets may hide each other in a BCC, and an octet
    of noise that stands alone where a message was lost may be an ACK.
    """

    def alter(_: int, octets: bytes) -> bytes:
        what = chance.random()
        if what < loss:
            return b""
        if what < loss + corruption:
            wrong = bytearray(octets)
            wrong[chance.randrange(len(wrong))] ^= 1 << chance.randrange(7)
            return bytes(wrong)
        return chance.randbytes(chance.randint(1, 8)) + octets if what < loss + corruption + noise else octets

    return StreamFaults(alter=alter, **arguments)


FAULTS = st.builds(
    bad_line,
    st.integers(0, 1 << 32).map(random.Random),
    st.sampled_from((0.0, 0.1, 0.5)),
    st.sampled_from((0.0, 0.1, 0.3)),
    st.sampled_from((0.0, 0.2)),
    chunks=CHUNKS,
    latency=st.sampled_from((0.0, 0.05)),
    jitter=st.sampled_from((0.0, 0.02)),
)
DELAYS = st.builds(
    StreamFaults, chunks=CHUNKS, latency=st.sampled_from((0.0, 0.05, 0.2)), jitter=st.sampled_from((0.0, 0.1))
)
IDENTIFICATIONS = st.sampled_from((MODE_A, MODE_B, MODE_C, MODE_E, Identification("CSm", "6", "fast")))


@examples(60)
@given(IDENTIFICATIONS, DELAYS, DELAYS, st.booleans(), st.booleans())
def test_delays_and_pieces_change_nothing(
    identification: Identification, there: StreamFaults, back: StreamFaults, framed: bool, echo: bool
) -> None:
    bench = Bench(identification, from_client=there, from_server=back, server={"framed": framed}, echo=echo)
    assert bench.ask(DataReadout(), BOUND).datasets == DATASETS
    assert bench.ask(EnterProgramming(), BOUND).identification == identification
    assert bench.ask(Read("1.8.0"), BOUND) == (DataSet("1.8.0", ("000123.4*kWh",)),)
    bench.ask(SignOff(), BOUND)
    bench.time.run_until_idle()
    assert (bench.reader.state.name, bench.meter.state.name) == ("IDLE", "IDLE")


@examples(60)
@given(st.sampled_from((MODE_B, MODE_C, MODE_E)), FAULTS, FAULTS)
def test_a_read_out_over_a_bad_line_is_right_or_an_error(
    identification: Identification, there: StreamFaults, back: StreamFaults
) -> None:
    bench = Bench(identification, from_client=there, from_server=back)
    event = bench.event(DataReadout(), BOUND)
    if isinstance(event, Completed):
        # A damaged baud character makes it mode A, where the lines are taken without frame: nothing checks them then.
        assert event.result.datasets == DATASETS or bench.reader.mode is not bench.meter.mode
    else:
        assert isinstance(event, Failed)
        assert isinstance(event.error, CosemicError)
    assert bench.time.run_until_idle()
    assert bench.reader_lines[-1][1] == bench.meter_lines[-1][1] == "300 7E1"
    assert (bench.reader.state.name, bench.meter.state.name) == ("IDLE", "IDLE")


@examples(30)
@given(FAULTS)
def test_mode_d_over_a_bad_line_is_heard_or_not(back: StreamFaults) -> None:
    bench = Bench(Identification("CSM", "3", "D"), server={"mode_d": True}, from_server=back)
    for seconds in range(0, 50, 10):
        bench.time.call_later(seconds, bench.meter.push)
        bench.time.call_later(seconds, bench.meter_driver.go_on)
    assert isinstance(bench.event(Listen(60.0), BOUND), Completed | Failed)


class ProgrammingOverABadLine(RuleBasedStateMachine):
    """Any order of requests; the model is what the meter's memory may hold."""

    @initialize(there=FAULTS, back=FAULTS, size=st.sampled_from((3, 20, 500)))
    def begin(self, there: StreamFaults, back: StreamFaults, size: int) -> None:
        self.executed: list[str] = []
        self.bench = Bench(
            from_client=there,
            from_server=back,
            server={"block_size": size, "silence": 30.0},
            data={"actions": {"X": self.executed.append}},
        )
        self.may_hold = {self.bench.data.values["1.8.1*01"]}
        self.sure = 0
        self.unsure = 0

    def ask(self, request: Any) -> Any:
        event = self.bench.event(request, BOUND)
        assert isinstance(event, Completed | Failed)
        assert event.request is request
        # SignedOff comes with the failure that ended the session.
        assert all(isinstance(each, Completed | Failed | SignedOff) for _, each in self.bench.reader_driver.events)
        if isinstance(event, Failed):
            assert isinstance(event.error, CosemicError)
            return event.error
        return event.result

    @property
    def programming(self) -> bool:
        return self.bench.reader.state is State.PROGRAMMING

    @precondition(lambda self: not self.programming)
    @rule()
    def enter(self) -> None:
        self.ask(EnterProgramming())

    @precondition(lambda self: self.programming)
    @rule()
    def password(self) -> None:
        self.ask(Password(PASSWORD))

    @precondition(lambda self: self.programming)
    @rule(address=st.sampled_from(("0.0.0", "1.8.0", "1.8.1*01", "9.9")), command=st.sampled_from(("R1", "R3")))
    def read(self, address: str, command: str) -> None:
        found = self.ask(Read(address, command=command))
        if isinstance(found, CosemicError):
            return
        ((name, (value,)),) = ((each.address, each.values) for each in found)
        assert name == address
        values = self.may_hold if address == "1.8.1*01" else {self.bench.data.values[address]}
        assert value in values

    @precondition(lambda self: self.programming)
    @rule(value=st.sampled_from(("1*kWh", "22*kWh", "x" * 40)), command=st.sampled_from(("W1", "W3")))
    def write(self, value: str, command: str) -> None:
        outcome = self.ask(Write("1.8.1*01", value, command, 8))
        holds = self.bench.data.values["1.8.1*01"]
        if outcome is None:
            self.may_hold = {value}
        elif isinstance(outcome, OutcomeUnknown):
            self.may_hold.add(value)
        assert holds in self.may_hold

    @precondition(lambda self: self.programming)
    @rule()
    def execute(self) -> None:
        before = len(self.executed)
        outcome = self.ask(Execute("X", "1"))
        times = len(self.executed) - before
        if outcome == ():
            assert times == 1
        elif isinstance(outcome, ServiceFailed):
            assert times == 0
        else:
            assert times <= 1

    @precondition(lambda self: self.programming)
    @rule()
    def sign_off(self) -> None:
        self.ask(SignOff())

    @rule(seconds=st.sampled_from((1.0, 100.0)))
    def wait(self, seconds: float) -> None:
        self.bench.time.run_for(seconds)

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            assert self.bench.time.run_until_idle()
            assert (self.bench.reader.state.name, self.bench.meter.state.name) == ("IDLE", "IDLE")
            if not self.bench.reader_lines:
                return
            assert self.bench.reader_lines[-1][1] == self.bench.meter_lines[-1][1] == "300 7E1"


ProgrammingOverABadLine.TestCase.settings = examples(25, stateful_step_count=12, deadline=None)
TestProgrammingOverABadLine = ProgrammingOverABadLine.TestCase


@examples(100)
@given(st.lists(st.tuples(st.binary(max_size=20), st.floats(0.0, 3.0)), max_size=10), st.booleans())
def test_any_octets_at_any_time_are_an_event_at_most(pieces: list[tuple[bytes, float]], reading: bool) -> None:
    reader, meter = Iec21Client(ClientSettings(attempts=2)), Iec21Server(MeterData({"1": "2"}), ServerSettings())
    reader.send(DataReadout() if reading else EnterProgramming())
    now = 0.0
    for machine in (reader, meter):
        for octets, seconds in [*pieces, *[(b"", 70.0)] * 12]:
            now += seconds
            machine.receive(octets, now)
            for _ in range(20):
                machine.tick(now)
                machine.octets_to_send()
                machine.line_to_set()
            assert (deadline := machine.deadline()) is None or deadline == 0.0 or deadline < now + 1000.0
    assert not reader.busy
    assert meter.state.name == "IDLE"


# ---- the line --------------------------------------------------------------------------------------------------------


def test_steps_are_taken_in_order_and_at_their_time() -> None:
    line = HalfDuplexLine(OPTICAL)
    line.put(b"/?!\r\n", Quiet(0.2, 1.5), b"1", b"2", LineSettings(9600), b"3")
    assert line.octets_to_send() == b"/?!\r\n"
    assert line.octets_to_send() == b""
    assert line.deadline() == 0.0
    line.tick(10.0)
    assert line.deadline() == pytest.approx(10.0 + 5 / 30 + 0.2)
    line.tick(10.2)
    assert line.octets_to_send() == b""
    line.tick(10.4)
    assert line.octets_to_send() == b"12"
    assert line.line_to_set() == LineSettings(9600)
    assert line.line_to_set() is None
    assert line.octets_to_send() == b""
    line.tick(10.4)
    assert line.octets_to_send() == b"3"
    line.tick(10.4)
    assert line.free_at == pytest.approx(10.4 + 2 / 30 + 1 / 960)
    assert not line.busy
    assert line.deadline() is None


def test_an_answer_waits_until_the_line_is_quiet_but_not_for_ever() -> None:
    line = HalfDuplexLine(OPTICAL)
    line.heard(b"noise", 0.0)
    line.put(Quiet(0.2, 1.5), b"1")
    now = 0.0
    while line.speaking and now < 5:
        line.heard(b"noise", now)
        line.octets_to_send()
        now += 0.1
    assert 1.5 <= now <= 1.7


def test_the_wait_for_an_answer_begins_when_the_own_octets_have_left() -> None:
    reader = Iec21Client(ClientSettings(response_timeout=2.0), line=OPTICAL)
    reader.send(DataReadout())
    assert reader.octets_to_send() == b""
    reader.tick(0.0)
    assert reader.octets_to_send() == b"/?!\r\n"
    reader.tick(0.0)
    assert reader.deadline() == pytest.approx(5 / 30 + 2.0)


@given(st.binary(min_size=1, max_size=20), st.binary(max_size=20), st.lists(st.integers(0, 40), max_size=4))
def test_an_echo_is_taken_out_however_it_is_cut(own: bytes, others: bytes, cuts: list[int]) -> None:
    echo = EchoFilter()
    echo.sent(own)
    stream = own + others
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    heard = b"".join(echo.received(stream[a:b], on_line=False) for a, b in itertools.pairwise(edges))
    assert heard == others


@given(st.binary(min_size=1, max_size=20), st.integers(0, 19), st.integers(1, 255), st.binary(max_size=20))
def test_a_damaged_echo_is_taken_out_while_own_octets_are_on_the_line(
    own: bytes, at: int, change: int, others: bytes
) -> None:
    echo = EchoFilter()
    echo.sent(own)
    damaged = bytearray(own)
    damaged[at % len(own)] ^= change
    assert echo.received(bytes(damaged), on_line=True) + echo.received(others, on_line=False) == others


def test_without_echo_nothing_is_lost() -> None:
    echo = EchoFilter()
    echo.sent(b"/?!\r\n")
    assert echo.received(b"/", on_line=False) == b""
    assert echo.received(b"ABC5\r\n", on_line=False) == b"/ABC5\r\n"
    assert echo.received(b"/?", on_line=False) == b"/?"
