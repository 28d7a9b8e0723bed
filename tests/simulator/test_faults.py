"""Faults as they are said: when they hold, in which meters, and what cannot be said."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.simulator import (
    ClockWrong,
    CounterJump,
    Fault,
    FaultOrder,
    Faults,
    Gaps,
    NoAnswer,
    Reboot,
    Reset,
    Slow,
    Time,
    WrongKey,
    fault_order,
)
from cosemic.simulator.faults import FAULTS, fault_from
from tests.simulator.support import NOW

SERIALS = range(1_000_001, 1_000_041)


def test_all_faults_have_their_names() -> None:
    assert list(FAULTS) == [
        "no-answer", "slow", "reset", "wrong-key", "counter-jump", "clock-wrong", "gaps", "reboot"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "fault", "share"),
    [
        ("no-answer", NoAnswer(), 1.0),
        ("no-answer:executes=true@10%", NoAnswer(executes=True), 0.1),
        ("slow:delay=5", Slow(delay=5.0), 1.0),
        ("slow:delay=0.25,begin=60,length=30,every=600@5%", Slow(delay=0.25, begin=60, length=30, every=600), 0.05),
        ("reset:after=3", Reset(after=3), 1.0),
        ("wrong-key@100%", WrongKey(), 1.0),
        ("counter-jump:by=5", CounterJump(by=5), 1.0),
        ("clock-wrong:seconds=-90,invalid=false", ClockWrong(seconds=-90.0), 1.0),
        ("gaps:each=3600,longest=60@2.5%", Gaps(each=3600.0, longest=60.0), 0.025),
        ("reboot", Reboot(), 1.0),
    ],
)
def test_a_fault_is_said_in_a_line(text: str, fault: Fault, share: float) -> None:
    order = fault_order(text)
    assert (order.fault, round(order.share, 9), order.serials) == (fault, share, ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no-anwser", "is no-answer meant"),
        ("", "a fault is one of no-answer, slow"),
        ("slow:delya=3", "is delay meant"),
        ("slow:delay", "is written as delay=2"),
        ("slow:delay=much", "delay of fault slow is a number, not 'much'"),
        ("slow:delay=-1", "is 0 to 3"),
        ("slow:delay=inf", "is 0 to 3"),
        ("reset:after=1.5", "after of fault reset is a whole number"),
        ("reset:after=0", "is 1 to 3"),
        ("reboot:after=-2", "is 1 to 3"),
        ("counter-jump:by=0", "is 1 to 3"),
        ("no-answer:executes=1", "true or false"),
        ("clock-wrong:seconds=-1e9", "is -3"),
        ("slow@", "10%"),
        ("slow@0%", "10%"),
        ("slow@101%", "10%"),
        ("slow@10", "10%"),
        ("slow@x%", "10%"),
        ("slow:length=60,every=30", "after its length"),
        ("slow:every=0", "after 0 s"),
        ("gaps:longest=0.5", "1 s or more"),
        ("gaps:each=100,longest=60", "up to half"),
    ],
)
def test_what_is_no_fault_is_refused_and_says_what_is_meant(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        fault_order(text)


def test_a_share_of_the_meters_is_drawn_by_the_seed() -> None:
    order = FaultOrder(Slow(), 0.25)
    chosen = order.chosen(SERIALS, 1)
    assert len(chosen) == 10
    assert chosen <= set(SERIALS)
    assert chosen == order.chosen(SERIALS, 1) != order.chosen(SERIALS, 2)
    assert chosen != FaultOrder(Reset(), 0.25).chosen(SERIALS, 1)
    assert len(FaultOrder(Slow(), 0.01).chosen(SERIALS, 1)) == 1
    assert FaultOrder(Slow()).chosen(SERIALS, 1) == set(SERIALS)


def test_meters_are_named_by_serial_number() -> None:
    assert FaultOrder(Slow(), serials=(1_000_004,)).chosen(SERIALS, 1) == {1_000_004}
    with pytest.raises(ConfigurationError, match="no meter has serial number 7"):
        FaultOrder(Slow(), serials=(1_000_004, 7)).chosen(SERIALS, 1)


@given(
    begin=st.integers(0, 100),
    length=st.none() | st.integers(0, 50),
    every=st.none() | st.integers(1, 100),
    passed=st.integers(-10, 1000),
)
def test_spells_are_counted_from_the_begin_on(begin: int, length: int | None, every: int | None, passed: int) -> None:
    if length is not None and every is not None and length > every:
        return
    said = {"begin": begin, "length": length, "every": every}
    fault = fault_from("slow", {name: one for name, one in said.items() if one is not None})
    starts = [begin] if every is None else range(begin, begin + 1100, every)
    expected = None
    for number, start in enumerate(starts):
        if start <= passed and (length is None or passed < start + length):
            expected = number
    assert fault.spell(float(passed)) == expected


class TestFaults:
    """The faults of one meter."""

    def setup_method(self) -> None:
        self.time = Time(NOW, speed=0)
        self.faults = Faults(self.time, seed=3)

    def test_a_fault_holds_from_the_moment_at_which_it_is_put_on(self) -> None:
        slow = Slow(begin=10, length=5)
        self.faults.add(slow)
        held = []
        for _ in range(20):
            held.append(self.faults.active(Slow) is slow)
            self.time.step(seconds=1)
        assert held == [False] * 10 + [True] * 5 + [False] * 5

    def test_another_of_its_kind_takes_its_place(self) -> None:
        self.faults.add(Slow(delay=1), NoAnswer())
        self.faults.add(Slow(delay=2))
        assert list(self.faults) == [Slow(delay=2), NoAnswer()]
        self.faults.remove(NoAnswer, Reset)
        assert list(self.faults) == [Slow(delay=2)]
        self.faults.clear()
        assert list(self.faults) == []
        assert self.faults.active(Slow) is None

    def test_what_comes_once_comes_once_in_each_spell(self) -> None:
        self.faults.add(ClockWrong(length=10, every=60))
        struck = []
        for _ in range(13):
            struck.append(self.faults.strikes(ClockWrong) is not None)
            self.time.step(seconds=10)
        assert struck == [True, False, False, False, False, False] * 2 + [True]
        self.faults.add(ClockWrong(length=10, every=60))
        assert self.faults.strikes(ClockWrong)

    def test_answers_are_counted_in_each_spell(self) -> None:
        self.faults.add(Reboot(every=60))
        assert [self.faults.answers(Reboot) for _ in range(3)] == [1, 2, 3]
        self.time.step(minutes=1)
        assert self.faults.answers(Reboot) == 1

    def test_chance_is_that_of_the_seed(self) -> None:
        drawn = [self.faults.drawn(Reset, number, 10) for number in range(200)]
        assert set(drawn) == set(range(1, 11))
        assert drawn == [Faults(self.time, 3).drawn(Reset, number, 10) for number in range(200)]
        assert drawn != [Faults(self.time, 4).drawn(Reset, number, 10) for number in range(200)]

    def test_another_moment_can_be_asked_for(self) -> None:
        self.faults.add(Gaps(begin=60))
        assert self.faults.active(Gaps) is None
        assert self.faults.active(Gaps, NOW + dt.timedelta(minutes=1)) == Gaps(begin=60)


def test_only_gaps_without_bounds_have_always_been_there() -> None:
    bounds: list[dict[str, Any]] = [{}, {"begin": 1.0}, {"length": 5.0}, {"every": 9.0}]
    assert [Gaps(**one).always for one in bounds] == [True, False, False, False]
