"""Time that passes from call to call, by itself and under an event loop."""

from __future__ import annotations

import asyncio
import time as machine

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.faults import VirtualTime
from cosemic.faults import virtual_time as module
from cosemic.faults.virtual_loop import VirtualLoop

DELAYS = st.lists(st.sampled_from((0.0, 0.25, 0.5, 1.0, 60.0)), max_size=30)


@given(DELAYS)
def test_calls_come_in_the_order_of_their_times_and_then_of_asking(delays: list[float]) -> None:
    time = VirtualTime(10.0)
    made: list[tuple[float, int]] = []
    for number, delay in enumerate(delays):
        time.call_later(delay, lambda number=number: made.append((time.now, number)))
    assert time.run_until_idle()
    assert made == sorted((10.0 + delay, number) for number, delay in enumerate(delays))
    assert time.now == 10.0 + max(delays, default=0.0)


def test_a_call_in_the_past_is_made_now_and_not_from_within() -> None:
    time = VirtualTime(10.0)
    made: list[str] = []

    def first() -> None:
        time.call_at(3.0, made.append, "past")
        time.call_soon(made.append, "soon")
        made.append("first")

    time.call_soon(first)
    time.call_soon(made.append, "second")
    assert time.run_until_idle()
    assert (made, time.now) == (["first", "second", "past", "soon"], 10.0)


def test_a_cancelled_call_is_not_made_and_not_waited_for() -> None:
    time = VirtualTime()
    timer = time.call_later(5.0, pytest.fail)
    assert not timer.cancelled()
    timer.cancel()
    assert timer.cancelled()
    assert time.next_call is None
    assert time.run_until_idle()
    assert time.now == 1000.0


def test_time_stops_at_the_limit_and_goes_on_from_there() -> None:
    time = VirtualTime(0.0)
    made: list[float] = []
    time.call_at(10.0, lambda: made.append(time()))
    assert not time.run_until_idle(limit=9.0)
    assert (time.now, made, time.next_call) == (9.0, [], 10.0)
    time.run_for(0.5)
    assert time.time() == 9.5
    assert time.run_until_idle(limit=9.0)
    assert made == [10.0]


def test_time_runs_until_something_is_so() -> None:
    time = VirtualTime(0.0)
    made: list[int] = []
    for second in range(10):
        time.call_at(second, made.append, second)
    assert time.run_until(lambda: len(made) == 3)
    assert (made, time.now) == ([0, 1, 2], 2.0)
    assert time.run_until(lambda: len(made) == 3)
    assert not time.run_until(lambda: len(made) == 30, limit=5.0)
    assert (len(made), time.now) == (8, 7.0)
    assert not time.run_until(lambda: len(made) == 30)
    assert len(made) == 10


def test_time_that_stands_still_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CALLS_AT_ONCE", 100)
    time = VirtualTime()

    def again() -> None:
        time.call_soon(again)

    again()
    with pytest.raises(RuntimeError, match="calls itself"):
        time.run_until_idle()


def test_an_event_loop_waits_an_hour_in_no_time() -> None:
    time = VirtualTime(100.0)
    seen: list[float] = []

    async def wait() -> float:
        time.call_later(1800.0, lambda: seen.append(asyncio.get_running_loop().time()))
        await asyncio.gather(asyncio.sleep(3600), asyncio.sleep(10))
        return asyncio.get_running_loop().time()

    begun = machine.monotonic()
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(time)) as runner:
        assert runner.run(wait()) == pytest.approx(3700.0)
    assert seen == [1900.0]
    assert machine.monotonic() - begun < 60


def test_an_event_loop_that_waits_for_nothing_is_an_error() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with (
        asyncio.Runner(loop_factory=lambda: VirtualLoop(VirtualTime())) as runner,
        pytest.raises(RuntimeError, match="nothing is left"),
    ):
        runner.run(wait())
