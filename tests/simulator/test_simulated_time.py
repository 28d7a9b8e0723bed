"""Time that runs faster, is stepped, and goes on in the next process."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from cosemic.errors import ConfigurationError
from cosemic.server.state import StateFile
from cosemic.simulator import Time
from tests.simulator.support import BERLIN, NOW, meter_at, value


class Seconds:
    """A clock of a machine."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("speed", [0, 0.5, 1, 60, 86_400])
def test_time_passes_at_its_speed(speed: float) -> None:
    clock = Seconds()
    time = Time(NOW, speed, clock=clock)
    clock.now += 10
    assert time() - NOW == dt.timedelta(seconds=10 * speed)


def test_time_is_utc_and_begins_now_unless_told() -> None:
    before = dt.datetime.now(dt.UTC)
    assert before <= Time()() <= dt.datetime.now(dt.UTC)
    started = Time(dt.datetime(2026, 3, 1, 12, tzinfo=BERLIN), speed=0)()
    assert (started, started.tzinfo) == (dt.datetime(2026, 3, 1, 11, tzinfo=dt.UTC), dt.UTC)


def test_the_speed_can_be_changed_without_a_leap() -> None:
    clock = Seconds()
    time = Time(NOW, 60, clock=clock)
    clock.now += 1
    time.speed = 0
    clock.now += 100
    assert (time() - NOW, time.speed) == (dt.timedelta(minutes=1), 0)
    time.speed = 2
    clock.now += 1
    assert time() - NOW == dt.timedelta(seconds=62)


def test_steps_come_on_top() -> None:
    time = Time(NOW, speed=0)
    assert time.step(days=1, minutes=5) == time() == NOW + dt.timedelta(days=1, minutes=5)


def test_a_meter_lives_in_it() -> None:
    clock = Seconds()
    meter, _ = meter_at(Time(NOW, 3600, clock=clock))
    before = value(meter, 3, "1-0:1.8.0")
    clock.now += 5
    assert value(meter, 3, "1-0:1.8.0") == meter.curve.imported(NOW.timestamp() + 5 * 3600) > before
    assert value(meter, 7, "1-0:99.1.0", 7) == 192


@pytest.mark.parametrize("speed", [-1, float("inf"), float("nan")])
def test_speeds_that_cannot_be_are_refused(speed: float) -> None:
    with pytest.raises(ConfigurationError, match="speed of 0 or more"):
        Time(NOW, speed)
    time = Time(NOW)
    with pytest.raises(ConfigurationError):
        time.speed = speed


def test_a_start_without_an_offset_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="offset from UTC"):
        Time(dt.datetime(2026, 3, 1))


def test_at_the_end_of_the_calendar_it_says_so() -> None:
    clock = Seconds()
    time = Time(dt.datetime(9999, 1, 1, tzinfo=dt.UTC), 1e9, clock=clock)
    clock.now += 100
    with pytest.raises(ConfigurationError, match="end of the calendar"):
        time()


def test_kept_time_goes_on_as_if_it_had_gone_on_meanwhile(tmp_path: Path) -> None:
    clock = Seconds()
    with StateFile(tmp_path / "state") as file:
        memory = file.of("time")
        assert not Time.is_kept(memory)
        assert Time.kept(memory, NOW, 60, clock=clock)() == NOW
        assert Time.is_kept(memory)
    clock.now += 10
    with StateFile(tmp_path / "state") as file:
        later = Time.kept(file.of("time"), NOW, 60, clock=clock)
        assert later() == NOW + dt.timedelta(minutes=10)
        clock.now += 10
        slower = Time.kept(file.of("time"), NOW, 1, clock=clock)
        assert slower() == NOW + dt.timedelta(minutes=20)
        clock.now += 10
        assert slower() == NOW + dt.timedelta(minutes=20, seconds=10)
