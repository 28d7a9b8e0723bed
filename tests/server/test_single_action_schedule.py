"""Single action schedules: each of the five types, patterns, and both nights of daylight saving (class 22)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import ExecutionTime, SingleActionSchedule, SingleActionScheduleType
from cosemic.server.scripts import NO_SCRIPT
from cosemic.server.single_action_schedule import SingleActionScheduleObject
from cosemic.server.state import StateFile
from cosemic.values import DataAccessResult, Date, Time
from tests.effort import examples
from tests.server.time_support import BEGIN_2026, END_2026, Running, at, on, script, stamp, utc

NAME = "0-0:15.0.0"
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
OTHER = DataAccessResult.OTHER_REASON
SUCCESS = DataAccessResult.SUCCESS


def when(date: str, time: str) -> ExecutionTime:
    return ExecutionTime(at(time), on(date))


def scheduled(running: Running, *times: ExecutionTime, kind: int = 5, **options: Any) -> SingleActionScheduleObject:
    return running.device.add(
        SingleActionScheduleObject(
            running.device, running.clock, NAME, script(1), times, SingleActionScheduleType(kind), **options
        )
    )


def encoded(*times: ExecutionTime) -> EncodedData:
    return EncodedData.from_typed(SingleActionSchedule.execution_time.type.encode(times))


def test_a_script_runs_at_its_dates_and_times_and_once() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, when("2026-01-02", "06:00"), when("2026-01-05", "07:30:15"))
    assert running.local(utc(2026, 2, 1)) == [("01-02 06:00:00", 1), ("01-05 07:30:15", 1)]
    assert running.local(utc(2027, 2, 1)) == []


def test_patterns_come_again_and_again() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, when("*-*-01", "00:00"), when("*-*-* 7", "12:00"))
    assert [time for time, _ in running.local(utc(2026, 3, 1, 12))] == [
        *("01-04 12:00:00", "01-11 12:00:00", "01-18 12:00:00", "01-25 12:00:00"),
        *("02-01 00:00:00", "02-01 12:00:00", "02-08 12:00:00", "02-15 12:00:00", "02-22 12:00:00"),
        *("03-01 00:00:00", "03-01 12:00:00"),
    ]


def test_an_hour_may_be_any_hour() -> None:
    running = Running(utc(2026, 1, 1, 10, 30))
    scheduled(running, when("*-*-*", "*:15"), kind=1)
    assert [time for time, _ in running.local(utc(2026, 1, 1, 13))] == [
        "01-01 12:15:00", "01-01 13:15:00",
    ]  # fmt: skip


def test_months_of_daylight_saving_are_those_of_the_clock() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, ExecutionTime(at("12:00"), Date.of(month=0xFE, day_of_month=1)))
    assert running.local(utc(2027, 1, 1)) == [("03-01 12:00:00", 1)]


def test_two_entries_of_one_time_run_the_script_once() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, when("*-*-01", "06:00"), when("*-*-* 7", "06:00"), kind=3)
    assert running.local(utc(2026, 2, 2))[-2:] == [("01-25 06:00:00", 1), ("02-01 06:00:00", 1)]


def test_an_entry_without_any_field_never_runs() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, ExecutionTime(Time.of(), Date.of()), kind=1)
    assert running.go(utc(2027, 1, 1)) == []


def test_a_time_that_is_already_past_or_just_now_does_not_run() -> None:
    running = Running(utc(2026, 1, 1, 11))
    scheduled(running)
    assert running.set(22, NAME, 4, encoded(when("2026-01-01", "12:00"), when("2026-01-01", "11:00"))) is SUCCESS
    assert running.go(utc(2026, 1, 2)) == []


@pytest.mark.parametrize(
    ("kind", "times", "fine"),
    [
        (1, [], True),
        (1, [("*-*-*", "06:00")], True),
        (1, [("2026-01-01", "06:00")], True),
        (1, [("2026-01-01", "06:00"), ("2026-01-02", "06:00")], False),
        (2, [("2026-01-01", "06:00"), ("2026-01-02", "06:00")], True),
        (2, [("2026-01-01", "06:00"), ("2026-01-02", "07:00")], False),
        (2, [("*-01-01", "06:00")], False),
        (3, [("*-*-01", "06:00"), ("2026-01-02", "06:00")], True),
        (3, [("*-*-01", "06:00"), ("2026-01-02", "07:00")], False),
        (4, [("2026-01-01", "06:00"), ("2026-01-02", "07:00")], True),
        (4, [("2026-01-*", "06:00")], False),
        (5, [("2026-01-*", "06:00"), ("*-02-*", "07:00")], True),
        (5, [("2026-02-30", "07:00")], False),
        (5, [("2026-01-01 1", "07:00")], False),  # a Thursday
    ],
)
def test_entries_have_to_fit_the_type(kind: int, times: list[tuple[str, str]], fine: bool) -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, kind=kind)
    entries = [when(*one) for one in times]
    assert running.set(22, NAME, 4, encoded(*entries)) is (SUCCESS if fine else OTHER)
    assert running.view.get(22, NAME, 4) == encoded(*(entries if fine else []))


def test_a_type_has_to_fit_the_entries_and_none_fits_all() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, when("2026-01-02", "06:00"), when("*-*-01", "07:00"), kind=5)
    for kind in (1, 2, 3, 4):
        assert running.set(22, NAME, 3, EncodedData.of(DataType.ENUM, kind)) is OTHER
    assert running.set(22, NAME, 3, EncodedData.of(DataType.ENUM, 6)) is DataAccessResult.TYPE_UNMATCHED
    assert running.view.get(22, NAME, 3).value() == 5
    running.set(22, NAME, 4, encoded())
    for kind in (1, 2, 3, 4, 5):
        assert running.set(22, NAME, 3, EncodedData.of(DataType.ENUM, kind)) is SUCCESS


def test_a_time_out_of_range_is_refused() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running)
    assert running.set(22, NAME, 4, encoded(ExecutionTime(Time(bytes((24, 0, 0, 0))), on()))) is OTHER


def test_what_cannot_be_is_refused_when_the_object_is_made() -> None:
    running = Running(utc(2026, 1, 1))
    with pytest.raises(ConfigurationError, match="type cannot be"):
        scheduled(running, when("*-*-01", "06:00"), kind=2)


def test_another_script_may_be_written_and_no_script_does_nothing() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, when("*-*-*", "06:00"))
    item = SingleActionSchedule.executed_script.type
    assert running.set(22, NAME, 2, EncodedData.from_typed(item.encode(script(7)))) is SUCCESS
    assert running.go(utc(2026, 1, 2))[0][1] == 7
    assert running.set(22, NAME, 2, EncodedData.from_typed(item.encode(NO_SCRIPT))) is SUCCESS
    running.happened.clear()
    assert running.go(utc(2026, 1, 3)) == []
    assert running.names() == []


def test_a_script_that_is_not_there_does_not_stop_time() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, when("*-*-*", "06:00"))
    item = SingleActionSchedule.executed_script.type
    running.set(22, NAME, 2, EncodedData.from_typed(item.encode(script(77))))
    assert running.go(utc(2026, 1, 2)) == []
    running.set(22, NAME, 2, EncodedData.from_typed(item.encode(script(2))))
    assert running.local(utc(2026, 1, 3)) == [("01-02 06:00:00", 2)]


def test_what_is_not_writable_is_not_written() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, writable=False)
    assert running.set(22, NAME, 4, encoded()) is DataAccessResult.READ_WRITE_DENIED


def test_entries_outlive_the_process(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        running = Running(utc(2026, 1, 1), file.of("meter"))
        scheduled(running, when("*-*-*", "06:00"))
        running.set(22, NAME, 4, encoded(when("*-*-*", "08:00")))
    with StateFile(tmp_path / "state") as file:
        again = Running(utc(2026, 1, 1), file.of("meter"))
        scheduled(again, when("*-*-*", "06:00"))
        assert again.local(utc(2026, 1, 2)) == [("01-01 08:00:00", 1)]


# ---- daylight saving -------------------------------------------------------------------------------------------------


def test_the_skipped_hour_is_made_up_for_at_the_switch_and_the_repeated_one_comes_once() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, when("*-*-* 7", "02:30"))
    ran = [moment for moment, _ in running.go(utc(2026, 12, 1))]
    assert BEGIN_2026 in ran
    assert END_2026 - 30 * MINUTE in ran
    assert END_2026 + 30 * MINUTE not in ran
    assert len(ran) == 48


def minute_by_minute(one: ExecutionTime, since: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    """Look at every minute: what the clock shows for the first time then, and at the switch what it skips."""
    found = []
    moment = since + MINUTE
    while moment <= until:
        shown = moment.astimezone(BERLIN)
        newly = [] if shown.fold else [shown]
        if moment == BEGIN_2026:
            newly += [shown.replace(hour=2, minute=minute) for minute in range(60)]
        if any(one.date.matches(local.date()) and one.time.matches(local.time()) for local in newly):
            found.append(moment)
        moment += MINUTE
    return found


@pytest.mark.slow
@given(
    switch=st.sampled_from([BEGIN_2026, END_2026]),
    before=st.integers(1, 1500),
    steps=st.lists(st.integers(1, 200), max_size=5),
    date=st.sampled_from(["*-*-*", "*-*-* 7", "*-*-last", "2026-*-* 1", "*-*-29", "2026-10-25", "*-*-25 7"]),
    hour=st.sampled_from(["*", "0", "1", "2", "3", "14"]),
    minute=st.sampled_from(["*", "0", "17", "59"]),
)
@examples(40)
def test_executions_are_those_of_a_look_at_every_minute(
    switch: dt.datetime, before: int, steps: list[int], date: str, hour: str, minute: str
) -> None:
    since, until = switch - before * MINUTE, switch + DAY
    one = when(date, f"{hour}:{minute}:0")
    running = Running(since)
    scheduled(running, one)
    ran = []
    for step in steps:
        ran += running.go(running.now + step * MINUTE)
    ran += running.go(until)
    assert [moment for moment, _ in ran] == minute_by_minute(one, since, until)


@pytest.mark.slow
@given(
    date=st.builds(
        Date.of,
        month=st.none() | st.integers(1, 12),
        day_of_month=st.none() | st.integers(1, 31) | st.sampled_from([0xFD, 0xFE]),
        day_of_week=st.none() | st.integers(1, 7),
    ),
    hour=st.integers(0, 23),
    start=st.datetimes(dt.datetime(2025, 1, 1), dt.datetime(2027, 1, 1)),
)
@examples(60)
def test_the_next_execution_is_the_first_hour_that_matches(date: Date, hour: int, start: dt.datetime) -> None:
    since = start.replace(minute=30, second=0, microsecond=0, tzinfo=dt.UTC)
    running = Running(since)
    scheduled(running, ExecutionTime(Time.of(hour=hour, minute=0), date))
    due = running.device.clockwork
    running.device.advance()
    expected = None
    for number in range(1, 400 * 24):
        moment = since.replace(minute=0) + number * dt.timedelta(hours=1)
        shown = moment.astimezone(BERLIN)
        skipped = shown.hour == 3 and (moment - MINUTE).astimezone(BERLIN).hour == 1
        if not shown.fold and date.matches(shown.date()) and (shown.hour == hour or (skipped and hour == 2)):
            expected = moment
            break
    switches = running.clock.zone.next_switch(since)
    if expected is not None and (switches is None or expected <= switches):
        assert due.next_due() == expected
    elif expected is not None:
        assert [moment for moment, _ in running.go(expected)] == [expected]


# ---- the clock is changed, power fails -------------------------------------------------------------------------------


def test_an_execution_that_the_clock_passes_over_is_made_up_for_once() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, when("*-*-*", "*:00"))
    assert running.set_clock(stamp("2026-01-03 05:30")) is SUCCESS
    assert running.ran == [(utc(2026, 1, 1), 1)]


def test_what_was_missed_may_be_left_out() -> None:
    running = Running(utc(2026, 1, 1))
    scheduled(running, when("*-*-*", "*:00"), make_up=False)
    running.set_clock(stamp("2026-01-03 05:30"))
    assert running.ran == []
    running.set_clock(stamp("2026-01-03 05:59:30"))
    running.set_clock(stamp("2026-01-03 06:00:10"))  # a correction
    assert len(running.ran) == 1


def test_an_execution_that_comes_again_is_done_again() -> None:
    running = Running(utc(2026, 1, 1, 4, 30))
    scheduled(running, when("*-*-*", "06:00"))
    assert running.local(utc(2026, 1, 1, 6)) == [("01-01 06:00:00", 1)]
    running.set_clock(stamp("2026-01-01 05:30"))
    assert [time for time, _ in running.local(utc(2026, 1, 2, 5, 0))] == ["01-01 06:00:00"]
