"""Confirmed services over UDP (IEC 62056-9-7): the right data or a declared error, and no change made twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cosemic.association.requests import Action, ActionList, Get, GetList, Open, Release, Request, Set, SetList
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, CosemicError, OutcomeUnknown
from cosemic.faults import DatagramFaults
from cosemic.link.wrapper import ALL_STATION, DatagramWrapperLink
from cosemic.stack import ClientStack
from cosemic.values import ActionResult, DataAccessResult
from tests.association.samples import ECHO, REGISTER, M, attribute, listed, octets
from tests.effort import examples
from tests.stack.over_udp import Field

GMAC = {"mechanism": M.HLS_GMAC, "ciphered": True}
KINDS: tuple[dict[str, Any], ...] = ({}, {"mechanism": M.HLS_GMAC}, {"ciphered": True}, GMAC)
MOST_BLOCKS = 30
LONG = 1 << 16


def number(value: int) -> EncodedData:
    return EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, value)


@pytest.mark.parametrize("kind", [KINDS[0], GMAC], ids=["plain", "ciphered"])
def test_a_thousand_values_are_read_where_every_fifth_datagram_is_lost(kind: dict[str, Any]) -> None:
    faults = DatagramFaults(latency=0.05, jitter=0.02, loss=0.2, duplication=0.05, reordering=0.05, held_back=0.5)
    field = Field(faults, client={"repetitions": 8}, **kind)
    field.client.ask(Open())
    for value in range(1000):
        field.shelf.put(REGISTER, number(value))
        assert field.client.ask(Get(REGISTER)) == number(value)
    field.client.ask(Release())
    assert len(field.shelf.calls) == 1000
    assert field.network.counts.lost > 400
    field.assert_that_no_counter_was_repeated()


@pytest.mark.parametrize("kind", [KINDS[0], GMAC], ids=["plain", "ciphered"])
def test_long_values_are_read_and_written_where_every_fifth_datagram_is_lost(kind: dict[str, Any]) -> None:
    faults = DatagramFaults(latency=0.05, loss=0.2, duplication=0.1, reordering=0.1, held_back=0.5)
    field = Field(faults, client={"repetitions": 8, "max_pdu_size": 200}, server={"max_pdu_size": 200}, **kind)
    field.client.ask(Open())
    for seed in range(10):
        value = octets(2000, seed)
        assert field.client.ask(Set(REGISTER, value)) == DataAccessResult.SUCCESS
        assert field.client.ask(Get(REGISTER)) == value
        assert field.client.ask(Action(ECHO, value)).return_parameters == value
    assert set(field.executed().values()) == {1}


def long_transfers(count: int, option: dict[str, Any]) -> int:
    """How many of so many transfers of 64 KiB in blocks come right; the others end in a declared error."""
    faults = DatagramFaults(latency=0.05, jitter=0.02, loss=0.05, duplication=0.05, reordering=0.05, held_back=0.5)
    sizes = {"max_pdu_size": 1024}
    field = Field(faults, client={"repetitions": 8, **sizes}, server=sizes | option)
    field.client.ask(Open())
    right = 0
    for seed in range(count):
        value = octets(LONG, seed)
        try:
            if seed % 2:
                right += field.client.ask(Set(REGISTER, value)) == DataAccessResult.SUCCESS
                assert field.shelf.values[REGISTER.encode()] == value
            else:
                field.shelf.put(REGISTER, value)
                right += field.client.ask(Get(REGISTER)) == value
        except CosemicError:
            assert field.associated
    assert field.network.counts.lost > count
    return right


def test_service_specific_blocks_come_right_where_one_in_twenty_is_lost_and_answers_are_kept() -> None:
    assert long_transfers(4, {"keep_answers": True}) == 4


@pytest.mark.slow
def test_of_a_thousand_transfers_99_in_a_hundred_come_right_at_one_in_twenty() -> None:
    assert long_transfers(1000, {"keep_answers": True}) >= 990


def test_a_meter_that_keeps_nothing_is_read_right_all_the_same() -> None:
    faults = DatagramFaults(latency=0.05, jitter=0.3, loss=0.2, duplication=0.1)
    client = {"repetitions": 8, "max_pdu_size": 100, "repeat_changes": False}
    field = Field(faults, client=client, server={"keep_answers": False}, **GMAC)
    field.client.ask(Open())
    read = 0
    for seed in range(200):
        field.shelf.put(REGISTER, octets(150, seed))
        try:
            value = field.client.ask(Get(REGISTER))
        except CosemicError:
            if not field.associated:
                break
            continue
        assert value == octets(150, seed) or isinstance(value, DataAccessResult)
        read += value == octets(150, seed)
    assert read > 50


def test_nothing_is_asked_of_all_stations() -> None:
    with pytest.raises(ConfigurationError, match="name the SAP of one logical device"):
        ClientStack(ClientSettings(), 16, ALL_STATION, link=lambda client, server: DatagramWrapperLink())
    stack = ClientStack(ClientSettings(), 16, 1, link=lambda client, server: DatagramWrapperLink())
    with pytest.raises(ConfigurationError):
        stack.use(ClientSettings(), 16, ALL_STATION)


def test_repetitions_work_over_a_stream_too() -> None:
    stack = ClientStack(ClientSettings(repetitions=1), 16, 1)
    assert not stack.steady
    stack.send(Open())
    stack.tick(0.0)
    first = stack.octets_to_send()
    assert stack.tick(10.0) == []
    assert stack.octets_to_send() == first


class OverUdp(RuleBasedStateMachine):
    """Any requests over any faults, against what the shelf says."""

    @initialize(
        loss=st.sampled_from([0.0, 0.1, 0.2, 0.4]),
        duplication=st.sampled_from([0.0, 0.1, 0.4]),
        reordering=st.sampled_from([0.0, 0.2, 0.4]),
        latency=st.sampled_from([0.0, 0.02, 0.3]),
        jitter=st.sampled_from([0.0, 0.2]),
        repetitions=st.sampled_from([1, 3, 8]),
        kind=st.sampled_from(KINDS),
        seed=st.integers(0, 1 << 16),
    )
    def begin(
        self,
        loss: float,
        duplication: float,
        reordering: float,
        latency: float,
        jitter: float,
        repetitions: int,
        kind: dict[str, Any],
        seed: int,
    ) -> None:
        faults = DatagramFaults(
            latency=latency, jitter=jitter, loss=loss, duplication=duplication, reordering=reordering, held_back=0.7
        )
        sizes = {"max_pdu_size": 100}
        self.field = Field(faults, seed=seed, client={"repetitions": repetitions} | sizes, server=sizes, **kind)
        self.serial = 0

    def ask(self, request: Request, apdus: int = 1) -> Any:
        """The result, or the error; either comes in time."""
        began = self.field.time.now
        try:
            result = self.field.client.ask(request)
        except CosemicError as error:
            result = error
        assert self.field.time.now - began <= self.field.bound(apdus, request)
        return result

    def fresh(self, length: int) -> EncodedData:
        self.serial += 1
        return octets(length, self.serial) if length else number(self.serial)

    @property
    def can_open(self) -> bool:
        return not self.field.associated and not self.field.lost

    @precondition(lambda self: self.can_open)
    @rule()
    def open(self) -> None:
        self.ask(Open(), 2)

    @precondition(lambda self: self.field.associated)
    @rule()
    def release(self) -> None:
        self.ask(Release())

    @precondition(lambda self: self.field.associated)
    @rule(count=st.integers(1, 16), where=st.integers(0, 2))
    def get(self, count: int, where: int) -> None:
        for _ in range(count):
            value = self.fresh(0)
            self.field.shelf.put(attribute(where), value)
            self.right(self.ask(Get(attribute(where))), value)

    @precondition(lambda self: self.field.associated)
    @rule(length=st.sampled_from([90, 400, 1200]))
    def get_long(self, length: int) -> None:
        value = self.fresh(length)
        self.field.shelf.put(attribute(4), value)
        self.right(self.ask(Get(attribute(4)), MOST_BLOCKS), value)

    @precondition(lambda self: self.field.associated)
    @rule(length=st.sampled_from([0, 100]))
    def get_list(self, length: int) -> None:
        values = self.fresh(length), self.fresh(length)
        for where, value in enumerate(values):
            self.field.shelf.put(attribute(where), value)
        self.right(self.ask(GetList(listed(attribute(0), attribute(1))), MOST_BLOCKS), values)

    @precondition(lambda self: self.field.associated)
    @rule(length=st.sampled_from([0, 20, 400]))
    def set(self, length: int) -> None:
        value = self.fresh(length)
        self.changed("set", self.ask(Set(attribute(9), value), MOST_BLOCKS), value)

    @precondition(lambda self: self.field.associated)
    @rule(length=st.sampled_from([0, 20, 100]))
    def set_list(self, length: int) -> None:
        values = self.fresh(length), self.fresh(length)
        answer = self.ask(SetList(listed(attribute(8), attribute(9)), values), MOST_BLOCKS)
        for at, value in enumerate(values):
            self.changed("set", answer if isinstance(answer, CosemicError) else answer[at], value)

    @precondition(lambda self: self.field.associated)
    @rule(length=st.sampled_from([0, 20, 400]))
    def action(self, length: int) -> None:
        value = self.fresh(length)
        self.acted(self.ask(Action(ECHO, value), 2 * MOST_BLOCKS), value)

    @precondition(lambda self: self.field.associated)
    @rule(length=st.sampled_from([0, 100]))
    def action_list(self, length: int) -> None:
        values = self.fresh(length), self.fresh(length)
        answer = self.ask(ActionList((ECHO, ECHO), values), 2 * MOST_BLOCKS)
        for at, value in enumerate(values):
            self.acted(answer if isinstance(answer, CosemicError) else answer[at], value)

    @rule(seconds=st.sampled_from([0.1, 5.0, 1000.0]))
    def wait(self, seconds: float) -> None:
        self.field.time.run_for(seconds)

    def right(self, answer: Any, value: Any) -> None:
        """What was read is what is there."""
        if not isinstance(answer, CosemicError):
            assert answer == value

    def acted(self, answer: Any, value: EncodedData) -> None:
        if not isinstance(answer, CosemicError) and answer.result == ActionResult.SUCCESS:
            assert answer.return_parameters == value
            answer = DataAccessResult.SUCCESS
        self.changed("action", answer, value)

    def changed(self, kind: str, answer: Any, value: EncodedData) -> None:
        """What is said of a change is so."""
        made = self.field.executed()[kind, value.octets]
        if isinstance(answer, OutcomeUnknown):
            assert made <= 1
        elif isinstance(answer, CosemicError):
            assert made == 0
        else:
            assert answer == DataAccessResult.SUCCESS
            assert made == 1

    @invariant()
    def no_change_is_made_twice(self) -> None:
        assert max(self.field.executed().values(), default=0) <= 1

    def teardown(self) -> None:
        field = getattr(self, "field", None)
        if field is None:
            return
        assert field.time.run_until_idle(), "something is left behind"
        assert max(field.executed().values(), default=0) <= 1
        field.assert_that_no_counter_was_repeated()


TestOverUdp = OverUdp.TestCase
TestOverUdp.settings = examples(40, stateful_step_count=25, deadline=None)
