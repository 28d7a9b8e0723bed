"""When patterns of date and time come next: against a look at each day, and each time of day."""

from __future__ import annotations

import datetime as dt
from itertools import islice

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cosemic.server.recurrence import (
    YEARS,
    days_from,
    days_until,
    is_day,
    is_on,
    is_time,
    last_moment,
    last_time,
    next_moment,
    next_time,
)
from cosemic.values import Date, Time
from tests.effort import examples
from tests.server.time_support import at, on

MONTHS = (3, 10)
FIRST = dt.date(2023, 11, 20)
YEAR = 366

days = st.dates(dt.date(2023, 1, 1), dt.date(2028, 12, 31))


def maybe(values: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    return st.none() | values


dates = st.builds(
    Date.of,
    year=maybe(st.integers(2023, 2027)),
    month=maybe(st.integers(1, 12) | st.sampled_from([0xFD, 0xFE])),
    day_of_month=maybe(st.integers(1, 31) | st.sampled_from([0xFD, 0xFE])),
    day_of_week=maybe(st.integers(1, 7)),
)
times = st.builds(
    Time.of, hour=maybe(st.integers(0, 23)), minute=maybe(st.integers(0, 59)), second=maybe(st.integers(0, 59))
)
coarse_times = st.builds(
    Time.of, hour=maybe(st.integers(0, 23)), minute=maybe(st.sampled_from([0, 1, 30, 59])), second=st.just(0)
)


@given(dates, days)
def test_days_are_those_that_the_date_matches_and_no_others(date: Date, first: dt.date) -> None:
    wanted = [
        day for number in range(2 * YEAR) if date.matches(day := first + dt.timedelta(number), daylight_savings=MONTHS)
    ]
    last = first + dt.timedelta(2 * YEAR - 1)
    found = []
    for day in days_from(date, first, MONTHS):
        if day > last:
            break
        found.append(day)
    assert found == wanted


@given(dates, days)
def test_days_are_the_same_backwards(date: Date, last: dt.date) -> None:
    first = last - dt.timedelta(2 * YEAR)
    forwards = [day for day in islice(days_from(date, first, MONTHS), 2 * YEAR + 1) if day <= last]
    backwards = [day for day in islice(days_until(date, last, MONTHS), 2 * YEAR + 1) if day >= first]
    assert backwards == forwards[::-1]


def test_the_rarest_day_of_the_calendar_is_found() -> None:
    leap_sunday = Date.of(month=2, day_of_month=29)
    sundays = [day for day in days_from(leap_sunday, dt.date(2072, 3, 1)) if day.isoweekday() == 1]
    assert sundays[0] == dt.date(2112, 2, 29)  # 2100 is no leap year
    assert sundays[0].year - 2072 == YEARS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("*-03-last 7", "2026-03-29"),
        ("*-02-last", "2026-02-28"),
        ("*-*-15 1", "2026-01-19"),
        ("*-12-28 5", "2026-01-02"),
        ("2026-05-05", "2026-05-05"),
        ("2026-05-05 2", "2026-05-05"),
    ],
)
def test_a_pattern_has_the_days_of_the_calendar(text: str, found: str) -> None:
    assert next(days_from(on(text), dt.date(2026, 1, 1))).isoformat() == found


@pytest.mark.parametrize("text", ["2026-05-05 3", "2025-05-05", "*-02-30", "2026-02-29"])
def test_a_date_that_is_none_has_no_days(text: str) -> None:
    assert list(days_from(on(text), dt.date(2026, 1, 1))) == []


def test_months_of_daylight_saving_need_a_clock_that_has_them() -> None:
    begin = Date.of(month=0xFE, day_of_month=1)
    assert next(days_from(begin, dt.date(2026, 1, 1), MONTHS)) == dt.date(2026, 3, 1)
    assert list(days_from(begin, dt.date(2026, 1, 1))) == []
    assert is_on(begin, dt.date(2026, 3, 1), MONTHS)
    assert not is_on(begin, dt.date(2026, 3, 1))
    assert is_on(on("*-03-01"), dt.date(2026, 3, 1))


@examples(25)
@given(dates)
def test_a_date_is_a_day_if_it_ever_comes(date: Date) -> None:
    every_day = (dt.date(2000, 1, 1) + dt.timedelta(number) for number in range(41 * YEAR))
    assert is_day(date) == any(date.matches(day, daylight_savings=(3, 10)) for day in every_day)


@pytest.mark.parametrize(
    "octets",
    ["07ea0d01ff", "07ea0c00ff", "07ea0c20ff", "ffff0cfe09", "ffff0c0109", "0000ffff01", "270fffffff", "0001ffffff"],
)
def test_fields_out_of_range_are_no_day(octets: str) -> None:
    assert not is_day(Date(bytes.fromhex(octets)))


def test_fields_out_of_range_are_no_time() -> None:
    assert is_time(Time(bytes((23, 59, 59, 99))))
    assert is_time(Time(bytes((255, 255, 255, 255))))
    for octets in ((24, 0, 0, 0), (0, 60, 0, 0), (0, 0, 60, 0), (0, 0, 0, 100)):
        assert not is_time(Time(bytes(octets)))


@pytest.mark.parametrize(
    ("pattern", "floor", "found"),
    [
        ("*:15", "10:00:00", "10:15:00"),
        ("*:15", "10:15:00.010000", "11:15:00"),
        ("*:15", "23:30:00", None),
        ("14:*:*", "10:00:00", "14:00:00"),  # what is not specified behind the last field is 0
        ("14:*:*", "14:00:01", None),
        ("*:*:*", "00:00:00", "00:00:00"),
        ("*:*:*", "00:00:01", None),
        ("*:*:30", "10:00:31", "10:01:30"),
        ("14:*:30", "14:59:31", None),
        ("*:00", "09:59:59.995000", "10:00:00"),
    ],
)
def test_the_next_time_of_a_pattern(pattern: str, floor: str, found: str | None) -> None:
    wanted = None if found is None else dt.time.fromisoformat(found)
    assert next_time(at(pattern), dt.time.fromisoformat(floor)) == wanted


@pytest.mark.slow
@pytest.mark.no_cover
@settings(max_examples=8)
@given(times, st.times())
@example(Time.of(hour=12, minute=30), dt.time(12, 30))
def test_next_and_last_time_are_those_of_every_second(pattern: Time, bound: dt.time) -> None:
    filled = pattern.octets
    last = max((place for place in range(4) if filled[place] != 0xFF), default=-1)
    pattern_of_seconds = Time(filled[: last + 1] + bytes(3 - last))
    seconds = (dt.time(number // 3600, number // 60 % 60, number % 60) for number in range(86400))
    matching = [time for time in seconds if pattern_of_seconds.matches(time)]
    assert next_time(pattern, bound) == min((time for time in matching if time >= bound), default=None)
    assert last_time(pattern, bound) == max((time for time in matching if time <= bound), default=None)


@given(dates, coarse_times, st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2026, 1, 1)))
def test_the_last_moment_before_the_next_one_lies_behind(date: Date, time: Time, bound: dt.datetime) -> None:
    after, before = next_moment(date, time, bound, MONTHS), last_moment(date, time, bound, MONTHS)
    assert after is None or (after >= bound and last_moment(date, time, after, MONTHS) == after)
    assert before is None or (before <= bound and next_moment(date, time, before, MONTHS) == before)
    if after is not None and after != bound:
        assert last_moment(date, time, after - dt.timedelta(microseconds=1), MONTHS) == before
