"""A year of a device's life is the same however it is asked for: hour by hour, in one go, or through restarts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosemic.codec import DataType
from cosemic.model import Clock, ExecutionTime, RegisterActivation, SpecDayEntry, ValueDefinition
from cosemic.server.activity_calendar import ActivityCalendarObject
from cosemic.server.local_time import NO_DAYLIGHT_SAVING
from cosemic.server.objects import CosemObject, data
from cosemic.server.register_activation import RegisterActivationObject
from cosemic.server.register_monitor import RegisterMonitorObject
from cosemic.server.schedule import ScheduleObject
from cosemic.server.scripts import ScriptTableObject, executing, writing
from cosemic.server.single_action_schedule import SingleActionScheduleObject
from cosemic.server.special_days import SpecialDaysObject
from cosemic.server.state import DeviceState, StateFile
from cosemic.values import Obis
from tests.server.test_activity_calendar import ACTIVE, NIGHT
from tests.server.test_register_activation import DAY, EXPORT, T1, T2
from tests.server.test_register_activation import NIGHT as NIGHT_MASK
from tests.server.test_register_monitor import pair
from tests.server.test_schedule import entry
from tests.server.time_support import CLOCK, Running, at, on, script, stamp, utc

FIRST, LAST = utc(2026, 1, 1), utc(2027, 1, 1)
HOUR = dt.timedelta(hours=1)
TARIFFS = "0-0:10.0.101"


class Meter(Running):
    """A meter with everything that lives by time."""

    def __init__(self, now: dt.datetime = FIRST, state: DeviceState | None = None) -> None:
        super().__init__(now, state)
        device, clock = self.device, self.clock
        special = device.add(SpecialDaysObject(entries=[SpecDayEntry(1, on("*-12-25"), 4)]))
        masks = device.add(RegisterActivationObject("0-0:14.0.0", (T1, T2, EXPORT), (DAY, NIGHT_MASK), b"day"))
        masks.changing.append(lambda moment: self.ran.append((moment, 100 + masks.active_mask[0])))
        mask = RegisterActivation("0-0:14.0.0").active_mask
        shift = executing(Clock(CLOCK).shift_time, 30)
        device.add(
            ScriptTableObject(device, TARIFFS, {1: [writing(mask, b"day")], 2: [writing(mask, b"night")], 3: [shift]})
        )
        values = {**ACTIVE, **NIGHT, "activate_passive_calendar_time": stamp("2026-11-15 13:00")}
        device.add(ActivityCalendarObject(device, clock, values=values, special_days=special))
        entries = [
            entry(1, "02:30", number=3, days="0000001"),
            entry(2, "02:30", number=4, begin="*-10-01", end="*-04-30"),
            entry(3, "12:00", number=5, special="0001", days="0000000"),
        ]
        device.add(ScheduleObject(device, clock, entries=entries, special_days=special))
        for name, time, date, item in (
            ("0-0:15.0.0", "00:00", on("*-*-01"), script(6)),
            ("0-0:15.0.1", "06:00", on(), type(script(1))(Obis(TARIFFS), 1)),
            ("0-0:15.0.2", "22:00", on(), type(script(1))(Obis(TARIFFS), 2)),
            ("0-0:15.0.3", "03:33", on("*-*-* 3"), type(script(1))(Obis(TARIFFS), 3)),
        ):
            device.add(SingleActionScheduleObject(device, clock, name, item, [ExecutionTime(at(time), date)]))
        device.add(
            CosemObject(
                data("0-0:96.8.0", DataType.UNSIGNED, 0).interface, {"value": lambda now: (DataType.UNSIGNED, now.hour)}
            )
        )
        device.add(
            RegisterMonitorObject(
                device, "0-0:16.0.0", ValueDefinition(1, Obis("0-0:96.8.0"), 2),
                [(DataType.UNSIGNED, 17)], [pair(7, 8)], period=6 * 3600,
            )
        )  # fmt: skip


@pytest.fixture(scope="module")
def year() -> tuple[Any, Any]:
    """What happens in a year that is asked for in one go."""
    meter = Meter()
    return meter.go(LAST), [(one.name, one.at, dict(one.details)) for one in meter.happened]


@pytest.mark.slow
def test_a_year_in_one_go_is_complete(year: tuple[Any, Any]) -> None:
    ran, happened = year
    counts = {number: sum(one == number for _, one in ran) for number in (5, 6, 7, 8, 200, 210)}
    assert counts == {5: 1, 6: 12, 7: 365, 8: 365, 200: 366, 210: 364}  # the mask before each change
    names = [name for name, _, _ in happened]
    wanted = {"daylight-saving-changed": 2, "calendar-activated": 1, "clock-adjusted": 52}
    assert {name: names.count(name) for name in wanted} == wanted


@pytest.mark.slow
@pytest.mark.no_cover
def test_a_year_hour_by_hour_is_the_same(year: tuple[Any, Any]) -> None:
    meter = Meter()
    ran = meter.go(LAST, HOUR)
    assert ran == year[0]
    assert [(one.name, one.at, dict(one.details)) for one in meter.happened] == year[1]


@pytest.mark.slow
@pytest.mark.no_cover
@given(st.lists(st.integers(1, 60 * 24 * 60), min_size=1, max_size=30))
@settings(max_examples=2)
def test_a_year_in_any_steps_is_the_same(year: tuple[Any, Any], minutes: list[int]) -> None:
    meter = Meter()
    ran = []
    for step in minutes:
        if meter.now + step * dt.timedelta(minutes=1) < LAST:
            ran += meter.go(meter.now + step * dt.timedelta(minutes=1))
    ran += meter.go(LAST)
    assert ran == year[0]
    assert [(one.name, one.at, dict(one.details)) for one in meter.happened] == year[1]


@pytest.mark.slow
def test_a_year_through_restarts_is_the_same(year: tuple[Any, Any], tmp_path: Path) -> None:
    ran: list[Any] = []
    now = FIRST
    for until in (*(utc(2026, month, 1, 0, 0, 7) for month in range(2, 13, 2)), LAST):
        with StateFile(tmp_path / "state") as file:
            meter = Meter(now, file.of("meter"))
            now = until
            ran += meter.go(now)
            meter.device.commit()
    assert ran == year[0]


def test_a_script_that_sets_the_clock_within_the_sequence_loses_nothing() -> None:
    running = Running(utc(2026, 1, 1))
    forwards = executing(Clock(CLOCK).shift_time, 900)
    running.device.add(ScriptTableObject(running.device, TARIFFS, {1: [forwards]}))
    entries = [entry(1, "06:00", number=1), entry(3, "06:00", number=3), entry(4, "06:10", number=4)]
    jump = entry(2, "06:00")
    entries.append(type(jump)(**{**vars(jump), "script_logical_name": Obis(TARIFFS), "script_selector": 1}))
    running.device.add(ScheduleObject(running.device, running.clock, entries=entries))
    assert [number for _, number in running.go(utc(2026, 1, 1, 12))] == [1, 4, 3]
    assert running.clock.offset == dt.timedelta(seconds=900)


def test_a_script_that_sets_the_clock_forwards_again_and_again_comes_to_an_end() -> None:
    running = Running(utc(2026, 1, 1))
    forwards = executing(Clock(CLOCK).shift_time, 900)
    running.device.add(ScriptTableObject(running.device, TARIFFS, {1: [forwards]}))
    every_minute = type(script(1))(Obis(TARIFFS), 1)
    running.device.add(
        SingleActionScheduleObject(
            running.device, running.clock, "0-0:15.0.0", every_minute, [ExecutionTime(at("*:*:0"), on())]
        )
    )
    running.go(utc(2026, 1, 1, 0, 5))
    assert running.clock.offset == dt.timedelta(seconds=5 * 900)  # once a minute, and not again for what it skips


def test_nothing_is_done_while_the_power_is_away_even_where_tables_change() -> None:
    running = Running(utc(2026, 1, 1))
    calendar = running.device.add(ActivityCalendarObject(running.device, running.clock, values={**ACTIVE, **NIGHT}))
    running.go(utc(2026, 1, 1, 12))
    running.device.tell("power-down", running.now)
    calendar.activate(running.now)
    running.set_clock(stamp("2026-01-02 20:00"))
    assert running.go(utc(2026, 1, 2)) == []
    running.device.tell("power-up", running.now)
    assert [number for _, number in running.go(running.now)] == [9]


def test_a_clock_alone_does_nothing_and_harms_nothing() -> None:
    running = Running(utc(2026, 1, 1), daylight_saving=NO_DAYLIGHT_SAVING)
    assert running.go(utc(2026, 1, 2)) == []
    running.set_clock(stamp("2027-01-01 00:00"))
    running.set_clock(stamp("2025-01-01 00:00"))
    assert running.device.clockwork.next_due() is None
