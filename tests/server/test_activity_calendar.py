"""The Activity calendar: seasons, weeks, special days, activation, and what holds after time has jumped (class 20)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import ActivityCalendar, DayProfile, DayProfileAction, Season, SpecDayEntry, WeekProfile
from cosemic.server.activity_calendar import ActivityCalendarObject
from cosemic.server.schedule import ScheduleObject
from cosemic.server.special_days import SpecialDaysObject
from cosemic.server.state import StateFile
from cosemic.values import DataAccessResult, Date, DateTime, Time
from tests.effort import examples
from tests.server.test_schedule import entry
from tests.server.time_support import BEGIN_2026, END_2026, SCRIPTS, Running, at, on, stamp, utc

NAME = "0-0:13.0.0"
OTHER = DataAccessResult.OTHER_REASON
SUCCESS = DataAccessResult.SUCCESS
SUMMER = Season(b"summer", stamp("*-03-last 7 00:00"), b"summer")
WINTER = Season(b"winter", stamp("*-10-last 7 00:00"), b"winter")


def week(name: bytes, workday: int, weekend: int) -> WeekProfile:
    return WeekProfile(name, workday, workday, workday, workday, workday, weekend, weekend)


def day(day_id: int, *actions: tuple[str, int]) -> DayProfile:
    return DayProfile(day_id, tuple(DayProfileAction(at(time), SCRIPTS, number) for time, number in actions))


SEASONS = (SUMMER, WINTER)
WEEKS = (week(b"summer", 1, 2), week(b"winter", 3, 2))
DAYS = (
    day(1, ("06:00", 1), ("22:00", 2)), day(2, ("00:00", 2)), day(3, ("22:00", 2), ("07:00", 1)), day(4, ("00:00", 4)),
)  # fmt: skip
ACTIVE = {
    "calendar_name_active": b"2026",
    "season_profile_active": SEASONS,
    "week_profile_table_active": WEEKS,
    "day_profile_table_active": DAYS,
}
NIGHT = {
    "calendar_name_passive": b"night",
    "season_profile_passive": (Season(b"all", DateTime.of(), b"all"),),
    "week_profile_table_passive": (week(b"all", 9, 9),),
    "day_profile_table_passive": (day(9, ("00:00", 9)),),
}


def calendar(
    running: Running, values: dict[str, Any] | None = None, special: list[SpecDayEntry] | None = None, **options: Any
) -> ActivityCalendarObject:
    days = running.device.add(SpecialDaysObject(entries=special or []))
    return running.device.add(
        ActivityCalendarObject(
            running.device, running.clock, NAME, ACTIVE if values is None else values, special_days=days, **options
        )
    )


def write(running: Running, attribute: int, value: Any) -> DataAccessResult:
    declared = ActivityCalendar.attributes[attribute].type
    return running.set(20, NAME, attribute, EncodedData.from_typed(declared.encode(value)))


def told(running: Running) -> list[tuple[Any, ...]]:
    return [
        (one.name, *one.details.values())
        for one in running.happened
        if one.name in ("calendar-activated", "season-changed", "day-profile-switched")
    ]


# ---- what holds ------------------------------------------------------------------------------------------------------


def test_scripts_run_by_season_weekday_and_time() -> None:
    running = Running(utc(2026, 3, 26, 12))  # Thursday, winter
    calendar(running)
    running.device.advance()
    running.ran.clear()
    assert running.local(utc(2026, 3, 31, 12)) == [
        *(("03-26 22:00:00", 2), ("03-27 07:00:00", 1), ("03-27 22:00:00", 2)),
        *(("03-28 00:00:00", 2), ("03-29 00:00:00", 2)),
        *(("03-30 06:00:00", 1), ("03-30 22:00:00", 2), ("03-31 06:00:00", 1)),
    ]


def test_when_the_device_starts_what_holds_by_then_is_run() -> None:
    running = Running(utc(2026, 3, 26, 12))
    calendar(running)
    running.device.advance()
    assert running.ran == [(utc(2026, 3, 26, 12), 1)]
    night = Running(utc(2026, 3, 26, 3))  # since the evening before
    calendar(night)
    night.device.advance()
    assert [number for _, number in night.ran] == [2]


def test_a_special_day_takes_the_place_of_the_weekday() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running, special=[SpecDayEntry(1, on("2026-07-03"), 4), SpecDayEntry(2, on("2026-07-04"), 77)])
    assert running.local(utc(2026, 7, 5, 1))[1:] == [
        *(("07-01 22:00:00", 2), ("07-02 06:00:00", 1), ("07-02 22:00:00", 2)),
        *(("07-03 00:00:00", 4), ("07-05 00:00:00", 2)),  # the 4th has a day profile that is not there
    ]


def test_a_day_that_becomes_special_today_is_special_at_once() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running)
    running.device.advance()
    today = SpecDayEntry.encode(SpecDayEntry(1, on("2026-07-01"), 4))
    running.act(11, "0-0:11.0.0", 1, EncodedData.from_typed(today))
    assert [number for _, number in running.ran] == [1, 4]
    running.act(11, "0-0:11.0.0", 2, EncodedData.of(DataType.LONG_UNSIGNED, 1))
    assert [number for _, number in running.ran] == [1, 4, 1]


def test_a_season_may_begin_within_a_day() -> None:
    running = Running(utc(2026, 6, 30, 12))
    values = {
        **ACTIVE,
        "season_profile_active": (
            Season(b"a", DateTime.of(), b"summer"), Season(b"b", stamp("2026-07-01 14:30"), b"winter"),
        ),
        "day_profile_table_active": (day(1, ("00:00", 1), ("20:00", 2)), day(2), day(3, ("12:00", 3), ("18:00", 4))),
    }  # fmt: skip
    calendar(running, values)
    assert running.local(utc(2026, 7, 1, 20))[1:] == [
        *(("06-30 20:00:00", 2), ("07-01 00:00:00", 1), ("07-01 14:30:00", 3), ("07-01 18:00:00", 4)),
    ]


def test_of_two_seasons_that_start_together_the_later_one_holds() -> None:
    running = Running(utc(2026, 7, 1, 12))
    twins = (Season(b"a", stamp("*-01-01 00:00"), b"summer"), Season(b"b", stamp("*-01-01 00:00"), b"winter"))
    served = calendar(running, {**ACTIVE, "season_profile_active": twins})
    running.device.advance()
    assert served.in_force.season == b"b"


def test_a_season_of_another_year_has_not_begun() -> None:
    running = Running(utc(2026, 7, 1, 12))
    served = calendar(
        running, {**ACTIVE, "season_profile_active": (Season(b"a", stamp("2026-07-03 00:00"), b"summer"),)}
    )
    running.device.advance()
    assert (served.in_force.season, running.ran) == (None, [])
    assert running.local(utc(2026, 7, 3, 5)) == [("07-03 06:00:00", 1)]


def test_all_actions_of_one_start_time_run_in_their_order() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running, {**ACTIVE, "day_profile_table_active": (day(1, ("06:00", 5), ("06:00", 3)), day(2), day(3))})
    assert [number for _, number in running.go(utc(2026, 7, 2, 12))] == [5, 3, 5, 3]


def test_an_empty_calendar_does_nothing() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running, {})
    assert running.go(utc(2027, 7, 1, 12)) == []
    assert told(running) == []
    assert running.device.clockwork.next_due() is not None  # daylight saving only
    assert running.view.get(20, NAME, 10).value() == DateTime.of().octets


def test_seasons_and_day_profiles_are_told_when_they_change() -> None:
    running = Running(utc(2026, 3, 27, 12))
    calendar(running)
    running.device.advance()
    running.happened.clear()
    running.go(utc(2026, 3, 30, 12))
    assert told(running) == [
        ("day-profile-switched", 2), ("season-changed", b"summer"), ("day-profile-switched", 1),
    ]  # fmt: skip


@pytest.mark.slow
@given(
    data=st.data(),
    start=st.dates(dt.date(2026, 3, 20), dt.date(2026, 4, 5)) | st.dates(dt.date(2026, 10, 15), dt.date(2026, 11, 5)),
)
@examples(25)
def test_scripts_are_those_of_a_look_at_every_minute(data: st.DataObject, start: dt.date) -> None:
    times = st.dictionaries(st.integers(0, 287).map(lambda n: n * 5), st.integers(1, 9), min_size=1, max_size=3)
    profiles = {day_id: data.draw(times) for day_id in (1, 2, 3, 4)}
    table = tuple(
        day(day_id, *((f"{minute // 60}:{minute % 60}", number) for minute, number in actions.items()))
        for day_id, actions in profiles.items()
    )
    special = data.draw(st.dictionaries(st.dates(start, start + dt.timedelta(9)), st.integers(1, 4), max_size=2))
    entries = [SpecDayEntry(number, Date.from_date(one), id_) for number, (one, id_) in enumerate(special.items())]
    running = Running(dt.datetime.combine(start, dt.time(12), dt.UTC))
    calendar(running, {**ACTIVE, "day_profile_table_active": table}, entries)
    running.device.advance()
    running.ran.clear()
    until = running.now + dt.timedelta(days=8)
    first, last = (running.clock.time(moment).replace(tzinfo=None) for moment in (running.now, until))
    expected = []
    for number in range(1, (last - first) // dt.timedelta(minutes=1) + 1):
        local = first + number * dt.timedelta(minutes=1)
        today = local.date()
        summer = dt.date(2026, 3, 29) <= today < dt.date(2026, 10, 25)
        day_id = special.get(today) or (2 if local.isoweekday() > 5 else 1 if summer else 3)
        if (script := profiles[day_id].get(local.hour * 60 + local.minute)) is not None:
            expected.append((running.clock.true_time(local), script))
    assert running.go(until) == last_of_each_moment(expected)


def last_of_each_moment(expected: list[tuple[dt.datetime, int]]) -> list[tuple[dt.datetime, int]]:
    """Of what falls into the skipped hour only the last holds."""
    return list({moment: (moment, number) for moment, number in expected}.values())


# ---- where time does not simply go on --------------------------------------------------------------------------------


def test_after_a_power_failure_only_the_last_action_is_made_up_for() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running)
    running.go(utc(2026, 7, 1, 13))
    running.device.tell("power-down", running.now)
    assert running.go(utc(2026, 7, 3, 12)) == []
    running.device.tell("power-up", running.now)
    assert running.go(running.now) == [(utc(2026, 7, 3, 12), 1)]
    running.device.tell("power-down", running.now)
    running.device.tell("power-up", running.now)
    assert running.go(running.now) == []


def test_the_last_action_comes_at_its_place_among_those_of_a_schedule() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running)
    entries = [entry(5, "05:59"), entry(6, "06:00"), entry(7, "06:01")]
    running.device.add(ScheduleObject(running.device, running.clock, entries=entries))
    running.go(utc(2026, 7, 1, 13))
    running.device.tell("power-down", running.now)
    running.go(utc(2026, 7, 2, 12))
    running.device.tell("power-up", running.now)
    assert [number for _, number in running.go(running.now)] == [5, 1, 6, 7]


@pytest.mark.parametrize(
    ("clock", "ran"),
    [
        ("2026-07-01 21:59:59", []),
        ("2026-07-01 22:30:00", [2]),
        ("2026-07-02 21:00:00", [1]),
        ("2026-07-04 01:00:00", [2]),
        ("2026-07-01 05:00:00", [2]),  # the evening before
        ("2026-07-01 06:30:00", []),
        ("2026-01-01 12:00:00", [1]),
    ],
)
def test_after_the_clock_is_set_what_holds_by_it_is_run(clock: str, ran: list[int]) -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running)
    running.go(utc(2026, 7, 1, 13))
    assert running.set_clock(stamp(clock)) is SUCCESS
    assert [number for _, number in running.ran] == ran


def test_a_correction_back_over_an_action_does_not_undo_it() -> None:
    running = Running(utc(2026, 7, 1, 19))
    calendar(running)
    assert running.local(utc(2026, 7, 1, 20, 0, 10))[-1] == ("07-01 22:00:00", 2)
    running.set_clock(stamp("2026-07-01 21:59:40"))
    assert running.go(utc(2026, 7, 1, 21)) == []


def test_the_repeated_hour_does_not_undo_what_holds() -> None:
    values = {**ACTIVE, "day_profile_table_active": (day(1), day(2, ("00:00", 1), ("02:30", 2)), day(3))}
    running = Running(END_2026 - dt.timedelta(hours=6))
    calendar(running, values)
    running.go(END_2026 - dt.timedelta(minutes=31))
    assert running.go(END_2026 + dt.timedelta(hours=12)) == [(END_2026 - dt.timedelta(minutes=30), 2)]


def test_in_the_skipped_hour_the_last_action_holds() -> None:
    values = {**ACTIVE, "day_profile_table_active": (day(1), day(2, ("00:00", 1), ("02:10", 2), ("02:50", 3)), day(3))}
    running = Running(BEGIN_2026 - dt.timedelta(hours=1))
    calendar(running, values)
    running.device.advance()
    running.ran.clear()
    assert running.go(BEGIN_2026 + dt.timedelta(hours=12)) == [(BEGIN_2026, 3)]


def test_what_was_run_last_outlives_the_process(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        running = Running(utc(2026, 7, 1, 12), file.of("meter"))
        calendar(running)
        assert len(running.go(utc(2026, 7, 1, 13))) == 1
        running.device.commit()
    with StateFile(tmp_path / "state") as file:
        again = Running(utc(2026, 7, 1, 14), file.of("meter"))
        served = calendar(again)
        assert [number for _, number in again.go(utc(2026, 7, 2, 3))] == [2]
        assert served.in_force.season == b"summer"


def test_a_calendar_without_seasons_is_kept_too(tmp_path: Path) -> None:
    special = [SpecDayEntry(1, on("2026-07-01"), 4)]
    for runs in (1, 0):
        with StateFile(tmp_path / "state") as file:
            running = Running(utc(2026, 7, 1, 12), file.of("meter"))
            calendar(running, {**ACTIVE, "season_profile_active": ()}, special)
            assert len(running.go(utc(2026, 7, 2, 12))) == runs
            running.device.commit()


# ---- activation ------------------------------------------------------------------------------------------------------


def test_activation_copies_the_passive_calendar_and_lets_it_hold_at_once() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running, {**ACTIVE, **NIGHT})
    running.device.advance()
    running.ran.clear()
    running.happened.clear()
    assert running.act(20, NAME, 1) == "success"
    assert running.ran == [(utc(2026, 7, 1, 12), 9)]
    assert told(running) == [
        ("calendar-activated", b"night"), ("season-changed", b"all"), ("day-profile-switched", 9),
    ]  # fmt: skip
    assert all(running.view.get(20, NAME, n) == running.view.get(20, NAME, n + 4) for n in range(2, 6))
    assert running.act(20, NAME, 1) == "success"
    assert len(running.ran) == 1


def test_a_calendar_is_activated_at_its_time() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running, {**ACTIVE, **NIGHT})
    assert write(running, 10, stamp("2026-07-02 14:00")) is SUCCESS
    assert running.local(utc(2026, 7, 4))[1:] == [
        *(("07-01 22:00:00", 2), ("07-02 06:00:00", 1), ("07-02 14:00:00", 9)),
        *(("07-03 00:00:00", 9), ("07-04 00:00:00", 9)),
    ]


def test_a_time_of_activation_may_give_its_deviation() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running, {**ACTIVE, **NIGHT})
    assert write(running, 10, stamp("2026-07-01 13:00", deviation=0)) is SUCCESS
    assert running.local(utc(2026, 7, 1, 20))[1:] == [("07-01 15:00:00", 9)]


def test_an_activation_that_power_or_clock_passed_over_is_made_up_for() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running, {**ACTIVE, **NIGHT, "activate_passive_calendar_time": stamp("2026-07-02 14:00")})
    running.device.advance()
    running.ran.clear()
    running.set_clock(stamp("2026-07-05 12:00"))
    assert [number for _, number in running.ran] == [9]


def test_a_time_of_activation_that_is_past_does_nothing() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running, {**ACTIVE, **NIGHT})
    running.device.advance()
    assert write(running, 10, stamp("2026-07-01 13:59")) is SUCCESS
    running.go(utc(2026, 7, 2))
    assert running.view.get(20, NAME, 2).value() == b"2026"


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (7, (Season(b"all", DateTime.of(), b"nowhere"),)),
        (8, (week(b"all", 9, 8),)),
        (9, (day(8, ("00:00", 9)),)),
    ],
)
def test_a_calendar_that_names_what_it_does_not_have_is_not_activated(attribute: int, value: Any) -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running, {**ACTIVE, **NIGHT})
    assert write(running, attribute, value) is SUCCESS
    before = [running.view.get(20, NAME, number) for number in range(2, 6)]
    assert running.act(20, NAME, 1) == "other-reason"
    assert write(running, 10, stamp("2026-07-01 15:00")) is SUCCESS
    running.go(utc(2026, 7, 1, 20))
    assert [running.view.get(20, NAME, number) for number in range(2, 6)] == before
    assert "calendar-activated" not in running.names()


# ---- attributes ------------------------------------------------------------------------------------------------------

PAST_MIDNIGHT = DayProfile(1, (DayProfileAction(Time(b"\x18\0\0\0"), SCRIPTS, 1),))


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (7, (SUMMER, SUMMER)),
        (7, (Season(b"a", stamp("*-02-30 00:00"), b"w"),)),
        (7, (Season(b"a", stamp("*-03-01 *:30"), b"w"),)),
        (8, (WEEKS[0], WEEKS[0])),
        (9, (DAYS[0], DAYS[0])),
        (9, (day(1, ("*:00", 1)),)),
        (9, (day(1, ("12:*:00", 1)),)),
        (9, (day(1, ("*:*:*", 1)),)),
        (9, (PAST_MIDNIGHT,)),
        (10, stamp("2026-07-* 14:00")),
        (10, stamp("*-07-01 14:00")),
        (10, stamp("2026-07-01 *:00")),
        (10, stamp("2026-07-01 14:*")),
        (10, stamp("2026-07-01 1 14:00")),  # a Wednesday
        (10, stamp("2026-02-30 14:00")),
        (10, stamp("9999-12-31 23:59", deviation=840)),
        (10, stamp("1-01-01 00:00")),
    ],
)
def test_what_has_no_meaning_is_refused_and_changes_nothing(attribute: int, value: Any) -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running, {**ACTIVE, **NIGHT})
    before = running.view.get(20, NAME, attribute)
    assert write(running, attribute, value) is OTHER
    assert running.view.get(20, NAME, attribute) == before
    declared = ActivityCalendar.attributes[attribute].name
    with pytest.raises(ConfigurationError, match=f"{declared} cannot be"):
        ActivityCalendarObject(running.device, running.clock, "0-1:13.0.0", {declared: value})


@pytest.mark.parametrize("start", ["*-03-last 7 02:00", "2026-03-01 00:00", "*-*-01 00:00", "*-03-01 02:*:*"])
def test_a_season_starts_at_one_time_of_any_days(start: str) -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running)
    assert write(running, 7, (Season(b"a", stamp(start), b"w"),)) is SUCCESS


def test_the_passive_calendar_is_written_and_the_active_one_where_it_may_be() -> None:
    running = Running(utc(2026, 7, 1, 12))
    calendar(running)
    for attribute, value in zip(range(6, 10), NIGHT.values(), strict=True):
        assert write(running, attribute, value) is SUCCESS
        assert write(running, attribute - 4, value) is DataAccessResult.READ_WRITE_DENIED
    free = Running(utc(2026, 7, 1, 12))
    calendar(free, active_writable=True, writable=False)
    free.device.advance()
    free.ran.clear()
    for attribute, value in zip(range(2, 6), NIGHT.values(), strict=True):
        assert write(free, attribute, value) is SUCCESS
        assert write(free, attribute + 4, value) is DataAccessResult.READ_WRITE_DENIED
    assert free.ran == [(utc(2026, 7, 1, 12), 9)]


def test_without_a_table_no_day_is_special() -> None:
    running = Running(utc(2026, 7, 1, 12))
    running.device.add(ActivityCalendarObject(running.device, running.clock, NAME, ACTIVE))
    assert len(running.go(utc(2026, 7, 2, 12))) == 3


def test_calendars_outlive_the_process(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        running = Running(utc(2026, 7, 1, 12), file.of("meter"))
        calendar(running)
        for attribute, value in zip(range(6, 10), NIGHT.values(), strict=True):
            write(running, attribute, value)
        running.act(20, NAME, 1)
    with StateFile(tmp_path / "state") as file:
        again = Running(utc(2026, 7, 1, 12), file.of("meter"))
        calendar(again)
        assert again.view.get(20, NAME, 2).value() == b"night"
        assert again.local(utc(2026, 7, 2, 12)) == [("07-02 00:00:00", 9)]
