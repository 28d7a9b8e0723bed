"""When the rows of a profile were captured: the moments that the cells of its clock mean (IEC 62056-6-2, class 7).

::

    octet-string of 12, date-time     a local time; with its deviation, or in the time zone of the meter
    unsigned number                   seconds of a UNIX clock
    null-data, empty octet-string     one capture_period after the row before (before it, where rows come newest first)

A local time without deviation stands for two moments in the hour that the end of daylight saving repeats: see
:mod:`cosemic.model.profile_passes`.

Moments are microseconds since 1970 in UTC here, so that a hundred thousand of them are quickly worked on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Final, NamedTuple

from cosemic.errors import ConfigurationError, DecodeError
from cosemic.model.profile_passes import Choice, StampedRow, choose
from cosemic.values import ClockStatus, DateTime

UTC: Final = dt.UTC
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Final = 1_000_000
DAY: Final = 86_400
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_DATE: Final = slice(0, 4)
_REST: Final = slice(9, 12)
_NOT_SPECIFIED: Final = 0xFF
_SAMPLE: Final = 1000
"""Rows that are looked at to learn whether a meter keeps the daylight saving bit."""


class Mark(IntFlag):
    """What is remarkable about a row."""

    CLOCK_INVALID = 1
    """The clock status, or the status of the row, says that the stamp is invalid."""
    CLOCK_DOUBTFUL = 2
    """The clock status says that the stamp is doubtful."""
    STAMP_DERIVED = 4
    """The stamp was null: the one before and a capture_period."""
    NO_STAMP = 8
    """There is no stamp, or it is no moment of the calendar."""
    ZONE_ASSUMED = 16
    """The stamp has no deviation and no time zone was given: it was read as UTC."""
    SHORT_INTERVAL = 32
    """The row before ended within the capture_period: power failure, or the clock was set."""
    REPEATED = 64
    """Another row has the same interval."""
    AMBIGUOUS_HOUR = 128
    """The stamp lies in the hour that the end of daylight saving repeats, and nothing tells which of the two it is."""
    SKIPPED_HOUR = 256
    """The stamp lies in the hour that the beginning of daylight saving skips: is the time zone the meter's?"""
    DATA_INVALID = 512
    """The status of the row says that its values are not to be relied on."""

    def names(self) -> list[str]:
        """Return the kebab-case names of the marks that are set."""
        return [name.lower().replace("_", "-") for name, mark in Mark.__members__.items() if self & mark]


NOTHING: Final = Mark(0)
_DERIVED: Final = int(Mark.STAMP_DERIVED)
_AMBIGUOUS: Final = int(Mark.AMBIGUOUS_HOUR)


def instant(moment: dt.datetime) -> int:
    """Return an aware moment as microseconds since 1970.

    Raises ConfigurationError where it has no time zone, OverflowError where it is outside of the calendar.
    """
    if moment.tzinfo is None:
        raise ConfigurationError(f"{moment} has no time zone: datetime(..., tzinfo=...)")
    return (moment.astimezone(UTC) - EPOCH) // _MICROSECOND


def moment_of(microseconds: int) -> dt.datetime:
    """Return the moment in UTC."""
    return EPOCH + dt.timedelta(microseconds=microseconds)


_FIRST: Final = instant(dt.datetime.min.replace(tzinfo=UTC))
_LAST: Final = instant(dt.datetime.max.replace(tzinfo=UTC))


def zone_of_days(period: int, zone: dt.tzinfo | None) -> dt.tzinfo | None:
    """Return the zone by whose clock on the wall a period is counted: whole days are, hours are not."""
    return zone if period % DAY == 0 else None


def shifted(end: int, seconds: int, zone: dt.tzinfo | None) -> int | None:
    """Return a moment some seconds later; with a zone by the clock on the wall. None outside of the calendar."""
    if zone is not None:
        try:
            # A day that ends when the clock is changed ends at the time that it showed before.
            there = (moment_of(end) - _MICROSECOND).astimezone(zone) + _MICROSECOND
            return instant(there + dt.timedelta(seconds=seconds))
        except OverflowError:
            return None
    moved = end + seconds * SECOND
    return moved if _FIRST <= moved <= _LAST else None


@dataclass(slots=True)
class Stamps:
    """One entry for each row: where its interval ends, the clock status and the marks."""

    ends: list[int | None]
    clock_status: list[ClockStatus | None]
    marks: list[int]


class _Moment(NamedTuple):
    end: int
    clock_status: ClockStatus | None
    marks: int
    choice: Choice | None = None


def read_stamps(
    cells: Sequence[Any],
    period: int,
    *,
    descending: bool = False,
    zone: dt.tzinfo | None = None,
    inverted_deviation: bool = False,
) -> Stamps:
    """Give the cells of a clock their meaning.

    cells: as they came, one for each row. period: capture_period in seconds. descending: the newest row is first.
    zone: of the meter, for stamps without deviation. inverted_deviation: the meter counts it the other way round.
    """
    reader = _ClockReader(zone, inverted_deviation)
    found = Stamps([None] * len(cells), [None] * len(cells), [0] * len(cells))
    ends, marks = found.ends, found.marks
    choices: dict[int, Choice] = {}
    for index, cell in enumerate(cells):
        if cell is None or cell == b"":
            marks[index] = _DERIVED
            continue
        try:
            moment = reader.read(cell)
        except (DecodeError, OverflowError, TypeError):
            marks[index] = Mark.NO_STAMP
            continue
        ends[index], found.clock_status[index], marks[index] = moment[:3]
        if moment.choice is not None:
            choices[index] = moment.choice
    if choices:
        _choose(found, choices, period, descending, zone)
    _derive(found, -period if descending else period, zone_of_days(period, zone))
    return found


class _ClockReader:
    """Reads the cells of one clock. A day that has no change of the clock is worked out once."""

    def __init__(self, zone: dt.tzinfo | None, inverted_deviation: bool) -> None:
        self._zone = zone
        self._inverted_deviation = inverted_deviation
        self._days: dict[bytes, _Moment | None] = {}

    def read(self, cell: Any) -> _Moment:
        """Return the moment of a cell. Raises DecodeError, OverflowError, TypeError where it is none."""
        if isinstance(cell, int) and not isinstance(cell, bool):
            end = cell * SECOND
            if not _FIRST <= end <= _LAST:
                raise OverflowError
            return _Moment(end, None, 0)
        octets = cell.octets if isinstance(cell, DateTime) else cell
        if not isinstance(octets, bytes) or len(octets) != 12:
            raise DecodeError("a time")
        hour, minute, second, hundredths = octets[5:9]
        if hour < 24 and minute < 60 and second < 60 and (hundredths < 100 or hundredths == _NOT_SPECIFIED):
            key = octets[_DATE] + octets[_REST]
            if key not in self._days:
                self._days[key] = self._whole_day(octets)
            day = self._days[key]
            if day is not None:
                passed = ((hour * 60 + minute) * 60 + second) * SECOND + hundredths % _NOT_SPECIFIED * 10_000
                return _Moment(day.end + passed, day.clock_status, day.marks)
        return self._worked_out(octets)

    def _whole_day(self, octets: bytes) -> _Moment | None:
        """The beginning of a day; None where its hours are not of one time."""
        try:
            first = self._worked_out(octets[:5] + b"\0\0\0\0" + octets[_REST])
            last = self._worked_out(octets[:5] + b"\x17\x3b\x3b\0" + octets[_REST])
        except (DecodeError, OverflowError):
            return None
        even = last.end - first.end == (DAY - 1) * SECOND and not first.choice and not last.choice
        return first if even else None

    def _worked_out(self, octets: bytes) -> _Moment:
        stamp = DateTime(octets)
        status = stamp.clock_status
        marks = 0
        if status:
            marks |= Mark.CLOCK_INVALID if status & ClockStatus.INVALID_VALUE else 0
            marks |= Mark.CLOCK_DOUBTFUL if status & ClockStatus.DOUBTFUL_VALUE else 0
        moment = stamp.to_datetime(UTC, inverted_deviation=self._inverted_deviation)
        if stamp.deviation is not None:
            return _Moment(instant(moment), status, marks)
        if self._zone is None:
            return _Moment(instant(moment), status, marks | Mark.ZONE_ASSUMED)
        end, early, late, skipped = _in_zone(moment, self._zone)
        daylight = None if status is None else bool(status & ClockStatus.DAYLIGHT_SAVING_ACTIVE)
        choice = Choice(early, late, daylight) if early != late else None
        return _Moment(end, status, marks | (Mark.SKIPPED_HOUR if skipped else 0), choice)


def _in_zone(local: dt.datetime, zone: dt.tzinfo) -> tuple[int, int, int, bool]:
    """Read a time on the wall, whatever its tzinfo.

    Returns the moment that is taken where nothing is known, the earliest and the latest that it may be, and whether it
    is a time that the clock skips.
    """
    first, second = (instant(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if first < second:
        return first, first, second, False
    try:
        before = local - _MICROSECOND
    except OverflowError:
        return first, first, first, False
    early, late = (instant(before.replace(tzinfo=zone, fold=fold)) + 1 for fold in (0, 1))
    if first == second:
        return first, min(first, early), first, False
    return first, first, first, early > late


def _choose(found: Stamps, choices: dict[int, Choice], period: int, descending: bool, zone: dt.tzinfo | None) -> None:
    """Set the ends of the rows that have a choice, and mark those of which nothing is known."""
    ends = found.ends
    stamped = [index for index, end in enumerate(ends) if end is not None]
    rows = []
    for index, behind in zip(stamped, [*stamped[1:], len(ends)], strict=True):
        reach = (behind - index - 1) * period * SECOND
        end = ends[index] or 0
        rows.append(StampedRow(index, end, choices.get(index), *((reach, 0) if descending else (0, reach))))
    daylight_bit = zone is not None and _keeps_daylight_bit(found, zone, choices)
    for index, chosen in choose(rows[::-1] if descending else rows, period * SECOND, daylight_bit=daylight_bit):
        if chosen is None:
            found.marks[index] |= _AMBIGUOUS
        else:
            ends[index] = chosen


def _keeps_daylight_bit(found: Stamps, zone: dt.tzinfo, choices: dict[int, Choice]) -> bool:
    """Whether the daylight saving bit agrees with the zone wherever the time is certain."""
    summers: dict[int, dt.timedelta] = {}
    for index in range(0, len(found.ends), len(found.ends) // _SAMPLE + 1):
        end, status = found.ends[index], found.clock_status[index]
        if end is None or status is None or index in choices:
            continue
        local = moment_of(end).astimezone(zone)
        if local.year not in summers:
            offsets = (dt.datetime(local.year, month, 1, tzinfo=zone).utcoffset() for month in (1, 7))
            summers[local.year] = min(offset or dt.timedelta(0) for offset in offsets)
        if bool(status & ClockStatus.DAYLIGHT_SAVING_ACTIVE) != (local.utcoffset() != summers[local.year]):
            return False
    return True


def _derive(found: Stamps, step: int, zone: dt.tzinfo | None) -> None:
    """Set the ends of the rows without stamp, one step after the other from the last stamp on."""
    ends, marks = found.ends, found.marks
    base: int | None = None
    steps = doubt = 0
    for index, end in enumerate(ends):
        if end is not None:
            base, steps, doubt = end, 0, marks[index] & _AMBIGUOUS
        elif marks[index] == _DERIVED:
            steps += step
            ends[index] = None if base is None else shifted(base, steps, zone)
            marks[index] = int(Mark.NO_STAMP) if ends[index] is None else _DERIVED | doubt
