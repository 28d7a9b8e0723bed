"""When a pattern of date and time comes next, by local time (IEC 62056-6-2, 4.1.6.1; the patterns: ``values.dates``).

::

    date  *-03-last Sun     any year, last Sunday of March          *-*-15 Mon   first Monday on or after each 15th
    time  14:*:*            14:00:00: 0 behind the last field       *:15:*       each hour, at minute 15, second 0

A field of the time that is not specified is any value before a specified one, and 0 behind the last one; without any
field it is midnight. Dates are found month by month, so that the work does not depend on how rare a pattern is; the
rarest of the calendar, 29 February on a given weekday, comes at least every 40 years.

All here is naive local time; what it is on the nights of daylight saving says
:class:`~cosemic.server.local_time.LocalTime`.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from cosemic.errors import DecodeError
from cosemic.values import Date
from cosemic.values.dates import (
    DAYLIGHT_SAVINGS_BEGIN,
    DAYLIGHT_SAVINGS_END,
    LAST_DAY,
    NOT_SPECIFIED,
    SECOND_LAST_DAY,
    DateFields,
    TimeFields,
)

Months = tuple[int, int]
"""The months in which daylight saving begins and ends: what months FE and FD of a date mean."""

YEARS: Final = 40
"""How long the rarest pattern of the calendar lets wait."""
RESOLUTION: Final = dt.timedelta(microseconds=1)
"""That of all moments and local times."""
_DAY: Final = dt.timedelta(days=1)
_WEEK: Final = dt.timedelta(days=7)
_LONG_MONTHS: Final = (3, 10)
"""Stand in for those of daylight saving, where only the day of the month is in question."""
_FIELDS_OF_TIME: Final = (24, 60, 60, 100)


def days_from(date: DateFields, first: dt.date, months: Months | None = None) -> Iterator[dt.date]:
    """Return the days that a date stands for, from ``first`` on, in order.

    months: those of daylight saving; without them a date that depends on them stands for no day.
    """
    start = first - _WEEK
    for year in _years(date, start.year, min(start.year + YEARS + 1, dt.MAXYEAR - 1)):
        for month in range(start.month if year == start.year else 1, 13):
            yield from (day for day in _days_of(date, year, month, months) if day >= first)


def days_until(date: DateFields, last: dt.date, months: Months | None = None) -> Iterator[dt.date]:
    """Return the days that a date stands for, from ``last`` back, in order."""
    for year in reversed(_years(date, max(last.year - YEARS - 1, dt.MINYEAR + 1), last.year)):
        for month in range(last.month if year == last.year else 12, 0, -1):
            yield from (day for day in reversed(_days_of(date, year, month, months)) if day <= last)


def last_day(date: DateFields, last: dt.date, months: Months | None = None) -> dt.date | None:
    """Return the last day that a date stands for, up to and including ``last``; None for none.

    What lies before the last two months is remembered: for day after day of a year even a rare date is cheap.
    """
    before = last.replace(day=1) - _DAY
    for month in (last, before):
        found = [day for day in _days_of(date, month.year, month.month, months) if day <= last]
        if found:
            return found[-1]
    return _last_day_until(date, before, months)


@lru_cache(maxsize=4096)
def _last_day_until(date: DateFields, last: dt.date, months: Months | None) -> dt.date | None:
    return next(days_until(date, last, months), None)


def is_day(date: DateFields) -> bool:
    """Whether a date can be a day of the calendar: fields in range, one day on the weekday that is given with it."""
    year = 2000 if date.year is None else date.year
    if not dt.MINYEAR < year < dt.MAXYEAR:
        return False
    return next(days_from(date, dt.date(year, 1, 1), _LONG_MONTHS), None) is not None


def is_time(time: TimeFields) -> bool:
    """Whether the fields of a time that are specified are in range."""
    fields = (time.hour, time.minute, time.second, time.hundredths)
    return all(value is None or value < count for value, count in zip(fields, _FIELDS_OF_TIME, strict=True))


def next_time(time: TimeFields, floor: dt.time) -> dt.time | None:
    """Return the first time of day, not before ``floor``, that a valid time stands for; None: not on this day."""
    wanted = (floor.hour, floor.minute, floor.second, -(-floor.microsecond // 10_000))
    found = _least(_choices(time), wanted)
    return None if found is None else dt.time(found[0], found[1], found[2], found[3] * 10_000)


def last_time(time: TimeFields, ceiling: dt.time) -> dt.time | None:
    """Return the last time of day, not behind ``ceiling``, that a valid time stands for; None: not on this day."""
    # Counted down from the end of the day, the last time is the least.
    mirrored = [
        range(count - one.stop, count - one.start) for one, count in zip(_choices(time), _FIELDS_OF_TIME, strict=True)
    ]
    wanted = (ceiling.hour, ceiling.minute, ceiling.second, ceiling.microsecond // 10_000)
    found = _least(mirrored, [count - 1 - one for one, count in zip(wanted, _FIELDS_OF_TIME, strict=True)])
    if found is None:
        return None
    hour, minute, second, hundredths = (count - 1 - one for one, count in zip(found, _FIELDS_OF_TIME, strict=True))
    return dt.time(hour, minute, second, hundredths * 10_000)


def next_moment(
    date: DateFields, time: TimeFields, floor: dt.datetime, months: Months | None = None
) -> dt.datetime | None:
    """Return the first local time, not before ``floor``, that a date and a valid time stand for together; or None."""
    for day in days_from(date, floor.date(), months):
        found = next_time(time, floor.time() if day == floor.date() else dt.time.min)
        if found is not None:
            return dt.datetime.combine(day, found)
    return None


def last_moment(
    date: DateFields, time: TimeFields, ceiling: dt.datetime, months: Months | None = None
) -> dt.datetime | None:
    """Return the last local time, not behind ``ceiling``, that a date and a valid time stand for together; or None."""
    limit = ceiling
    while (day := last_day(date, limit.date(), months)) is not None:
        found = last_time(time, ceiling.time() if day == ceiling.date() else dt.time.max)
        if found is not None:
            return dt.datetime.combine(day, found)
        limit = dt.datetime.combine(day - _DAY, dt.time.max)
    return None


def is_on(date: Date, day: dt.date, months: Months | None = None) -> bool:
    """Whether a date stands for a day among others."""
    known = months is not None or date.month not in (DAYLIGHT_SAVINGS_BEGIN, DAYLIGHT_SAVINGS_END)
    return known and date.matches(day, daylight_savings=months)


def _years(date: DateFields, first: int, last: int) -> range:
    """The years, from first to last, in which the days of a date may begin."""
    if date.year is not None:
        first, last = max(first, date.year), min(last, date.year)
    return range(first, last + 1)


def _days_of(date: DateFields, year: int, month: int, months: Months | None) -> Sequence[dt.date]:
    """The days that belong to a month, in order; a weekday on or after a day may be one of the month behind."""
    wanted, day, weekday = date.month, date.day_of_month, date.day_of_week
    if wanted in (DAYLIGHT_SAVINGS_BEGIN, DAYLIGHT_SAVINGS_END):
        wanted = None if months is None else months[wanted == DAYLIGHT_SAVINGS_END]
        if wanted is None:
            return ()
    if date.year not in (None, year) or wanted not in (None, month):
        return ()
    if day in (LAST_DAY, SECOND_LAST_DAY):
        try:
            return (Date(year.to_bytes(2) + bytes((month, day, weekday or NOT_SPECIFIED))).to_date(),)
        except DecodeError:
            return ()
    first_weekday, length = calendar.monthrange(year, month)
    if day is None:
        if weekday is None:
            return [dt.date(year, month, number) for number in range(1, length + 1)]
        start = (weekday - 1 - first_weekday) % 7 + 1
        return [dt.date(year, month, number) for number in range(start, length + 1, 7)] if 1 <= weekday <= 7 else ()
    if not 1 <= day <= length:
        return ()
    start_day = dt.date(year, month, day)
    ahead = 0 if weekday is None else (weekday - start_day.isoweekday()) % 7
    if (ahead and date.year is not None) or not 1 <= (weekday or 1) <= 7:
        return ()
    return (start_day + ahead * _DAY,)


def _choices(time: TimeFields) -> tuple[range, ...]:
    fields = [time.hour, time.minute, time.second, time.hundredths]
    last = max((place for place, value in enumerate(fields) if value is not None), default=-1)
    return tuple(
        range(value, value + 1) if value is not None else range(count if place < last else 1)
        for place, (value, count) in enumerate(zip(fields, _FIELDS_OF_TIME, strict=True))
    )


def _least(choices: Sequence[range], floor: Sequence[int]) -> tuple[int, ...] | None:
    """The least combination of one of each that is not before ``floor``, compared field by field."""
    if not choices:
        return ()
    here, deeper = choices[0], choices[1:]
    if floor[0] in here and (rest := _least(deeper, floor[1:])) is not None:
        return floor[0], *rest
    above = max(here.start, floor[0] + 1)
    return None if above >= here.stop else (above, *(one.start for one in deeper))
