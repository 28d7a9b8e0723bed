"""What is due runs in order of time, once, and before it is asked for."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.server.clockwork import Clockwork, Order

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


class Every:
    """Due every so many seconds from the start; notes when it ran; in batches where it is told to."""

    def __init__(self, name: str, seconds: int, log: list[tuple[str, int]], *, batches: bool = False) -> None:
        self.name = name
        self.seconds = seconds
        self.log = log
        self.batches = batches

    def due(self, after: dt.datetime) -> dt.datetime | None:
        passed = (after - START) // SECOND
        return START + (passed // self.seconds + 1) * self.seconds * SECOND

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        self.log.append((self.name, (at - START) // SECOND))
        while self.batches and (following := at + self.seconds * SECOND) < until:
            at = following
            self.log.append((self.name, (at - START) // SECOND))
        return at


def test_processes_run_in_order_of_time_then_of_order_then_of_adding() -> None:
    log: list[tuple[str, int]] = []
    clockwork = Clockwork(START)
    clockwork.add(Every("late", 2, log), Order.SUPERVISING)
    clockwork.add(Every("first", 2, log), Order.CAPTURING)
    clockwork.add(Every("second", 3, log), Order.CAPTURING)
    clockwork.advance(START + 6 * SECOND)
    assert log == [
        ("first", 2), ("late", 2), ("second", 3), ("first", 4), ("late", 4), ("first", 6), ("second", 6), ("late", 6),
    ]  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(1, 7), st.booleans()), min_size=1, max_size=5),
    st.lists(st.integers(0, 9), max_size=12),
)
def test_many_steps_do_the_same_as_one(periods: list[tuple[int, bool]], steps: list[int]) -> None:
    logs: list[list[tuple[str, int]]] = []
    for moments in ([sum(steps)], [sum(steps[: n + 1]) for n in range(len(steps))]):
        log: list[tuple[str, int]] = []
        clockwork = Clockwork(START)
        for number, (seconds, batches) in enumerate(periods):
            clockwork.add(Every(str(number), seconds, log, batches=batches), Order.CAPTURING)
        for moment in moments:
            clockwork.advance(START + moment * SECOND)
        logs.append(log)
    whole, parts = logs
    assert whole == parts
    expected = [
        (str(n), t) for t in range(1, sum(steps) + 1) for n, (seconds, _) in enumerate(periods) if t % seconds == 0
    ]
    assert whole == expected


def test_nothing_is_made_up_for_that_lies_before_the_first_advance() -> None:
    log: list[tuple[str, int]] = []
    clockwork = Clockwork()
    clockwork.add(Every("one", 1, log), Order.CAPTURING)
    assert clockwork.next_due() is None
    clockwork.advance(START + 10 * SECOND)
    assert log == []
    assert clockwork.next_due() == START + 11 * SECOND


def test_a_clock_that_goes_back_changes_nothing() -> None:
    log: list[tuple[str, int]] = []
    clockwork = Clockwork(START)
    clockwork.add(Every("one", 2, log), Order.CAPTURING)
    clockwork.advance(START + 5 * SECOND)
    clockwork.advance(START + 2 * SECOND)
    clockwork.advance(START + 5 * SECOND)
    assert log == [("one", 2), ("one", 4)]
    assert clockwork.done == START + 5 * SECOND


class Changing:
    """Makes another process due at another time, once, while it runs."""

    def __init__(self, clockwork: Clockwork, other: Every) -> None:
        self.clockwork = clockwork
        self.other = other

    def due(self, after: dt.datetime) -> dt.datetime | None:
        return START + 4 * SECOND if after < START + 4 * SECOND else None

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        self.other.seconds = 5
        self.clockwork.reconsider()
        self.clockwork.advance(at + 100 * SECOND)  # must not run anything in the middle
        return at


@pytest.mark.parametrize("order", [Order.SWITCHING, Order.MEASURING])
def test_what_a_process_changes_holds_from_then_on(order: Order) -> None:
    log: list[tuple[str, int]] = []
    clockwork = Clockwork(START)
    other = Every("other", 2, log)
    clockwork.add(other, Order.CAPTURING)
    clockwork.add(Changing(clockwork, other), order)
    clockwork.advance(START + 12 * SECOND)
    assert [second for _, second in log] == [2, 4, 5, 10]


class Stuck:
    """Never gets ahead."""

    def due(self, after: dt.datetime) -> dt.datetime | None:
        return START + SECOND

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        return at


def test_a_process_that_never_gets_ahead_is_an_error_and_no_endless_loop() -> None:
    clockwork = Clockwork(START)
    clockwork.add(Stuck(), Order.CAPTURING)
    with pytest.raises(ConfigurationError, match="again and again"):
        clockwork.advance(START + 2 * SECOND)
