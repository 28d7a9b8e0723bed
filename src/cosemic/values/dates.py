"""COSEM date and time, and the rules that they share with date-time (IEC 62056-6-2, 4.1.6.1; Data tags 26 and 27).

::

    date  year(2) month day-of-month day-of-week   5 octets
    time  hour minute second hundredths            4 octets

FF (year FFFF) is *not specified*: any value. What stands there is therefore one day or time, or a pattern:

- month FD, FE: the month in which daylight saving ends, begins;
- day of month FE, FD: the last, the second last day; with a day of week the last, the second last such weekday;
- day of month and day of week without a year: the first such weekday on or after that day.
"""

from __future__ import annotations

import calendar
import datetime as dt
from typing import ClassVar, Final, NoReturn, Self

from cosemic.errors import ConfigurationError, DecodeError, EncodeError

NOT_SPECIFIED: Final = 0xFF
DAYLIGHT_SAVINGS_END: Final = 0xFD
"""Month: the one in which daylight saving ends."""
DAYLIGHT_SAVINGS_BEGIN: Final = 0xFE
"""Month: the one in which daylight saving begins."""
SECOND_LAST_DAY: Final = 0xFD
"""Day of month: the second last of the month."""
LAST_DAY: Final = 0xFE
"""Day of month: the last of the month."""

_YEAR_NOT_SPECIFIED: Final = 0xFFFF
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = {DAYLIGHT_SAVINGS_END: "dst-end", DAYLIGHT_SAVINGS_BEGIN: "dst-begin"}
_DAYS: Final = {SECOND_LAST_DAY: "second-last", LAST_DAY: "last"}


class _Stamp:
    """Octets that are read field by field; immutable, equal and hashed by their octets."""

    __slots__ = ("octets",)
    octets: bytes
    _SIZE: ClassVar[int]

    def __init__(self, octets: bytes | bytearray | memoryview) -> None:
        if len(octets) != self._SIZE:
            raise DecodeError(f"{self._SIZE} octets of a {type(self).__name__}, not {len(octets)}")
        _set_octets(self, bytes(octets))

    def __eq__(self, other: object) -> bool:
        return self.octets == other.octets if isinstance(other, _Stamp) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.octets)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} cannot be changed")

    def __reduce__(self) -> tuple[type[Self], tuple[bytes]]:
        return type(self), (self.octets,)


_set_octets: Final = _Stamp.__dict__["octets"].__set__


class DateFields(_Stamp):
    """The first five octets of date-time and date."""

    __slots__ = ()

    @property
    def year(self) -> int | None:
        """The year; None: not specified."""
        year = int.from_bytes(self.octets[:2])
        return None if year == _YEAR_NOT_SPECIFIED else year

    @property
    def month(self) -> int | None:
        """The month, 1 to 12, DAYLIGHT_SAVINGS_END or DAYLIGHT_SAVINGS_BEGIN; None: not specified."""
        return _specified(self.octets[2])

    @property
    def day_of_month(self) -> int | None:
        """The day, 1 to 31, LAST_DAY or SECOND_LAST_DAY; None: not specified."""
        return _specified(self.octets[3])

    @property
    def day_of_week(self) -> int | None:
        """The weekday, 1 Monday to 7 Sunday; None: not specified."""
        return _specified(self.octets[4])

    def to_date(self) -> dt.date:
        """Return the one day that is meant; the day of week is not checked against a day of month that is given.

        Raises DecodeError when it is a pattern of days, or no day of the calendar.
        """
        year, month, day = self.year, self.month, self.day_of_month
        if year is None or month is None or day is None or month in _MONTHS:
            raise DecodeError(f"one day, but {date_text(self)} is a pattern of days", path="date")
        try:
            if day in _DAYS:
                day = _from_end(year, month, day, self.day_of_week)
            return dt.date(year, month, day)
        except ValueError:
            raise DecodeError(f"a day of the calendar, not {date_text(self)}", path="date") from None

    def _is_one_day(self) -> bool:
        return self.year is not None and self.month not in (None, *_MONTHS) and self.day_of_month is not None

    def _matches_date(self, day: dt.date, daylight_savings: tuple[int, int] | None) -> bool:
        month = self.month
        if month in _MONTHS:
            if daylight_savings is None:
                raise ConfigurationError(
                    f"{date_text(self)} depends on the clock: give the months in which daylight saving begins and ends"
                )
            month = daylight_savings[month == DAYLIGHT_SAVINGS_END]
        year, day_of_month, weekday = self.year, self.day_of_month, self.day_of_week
        if year not in (None, day.year) or weekday not in (None, day.isoweekday()):
            return False
        if year is None and weekday is not None and day_of_month is not None and day_of_month not in _DAYS:
            # The first such weekday on or after the day, which may be one of the month before.
            candidates = (dt.date.fromordinal(day.toordinal() - ago) for ago in range(min(7, day.toordinal())))
            return any(start.day == day_of_month and month in (None, start.month) for start in candidates)
        if month not in (None, day.month):
            return False
        if day_of_month in _DAYS:
            day_of_month = _from_end(day.year, day.month, day_of_month, weekday)
        return day_of_month in (None, day.day)


class TimeFields(_Stamp):
    """The four octets of hour to hundredths."""

    __slots__ = ()
    _TIME: ClassVar[int]
    """Octets that stand before the hour."""

    @property
    def hour(self) -> int | None:
        """The hour, 0 to 23; None: not specified."""
        return _specified(self.octets[self._TIME])

    @property
    def minute(self) -> int | None:
        """The minute, 0 to 59; None: not specified."""
        return _specified(self.octets[self._TIME + 1])

    @property
    def second(self) -> int | None:
        """The second, 0 to 59; None: not specified."""
        return _specified(self.octets[self._TIME + 2])

    @property
    def hundredths(self) -> int | None:
        """Hundredths of a second, 0 to 99; None: not specified."""
        return _specified(self.octets[self._TIME + 3])

    def to_time(self) -> dt.time:
        """Return the time of day; 0 for what is not specified behind the last specified field (``14:*:*`` is 14:00:00).

        Raises DecodeError when it is a pattern (every hour at minute 15), or no time of day.
        """
        hour, minute, second, hundredths = self.octets[self._TIME : self._TIME + 4]
        if (hour == NOT_SPECIFIED != minute) or (minute == NOT_SPECIFIED != second):
            raise DecodeError(f"one time of day, but {time_text(self)} is a pattern", self._TIME, "time")
        fields = [0 if field == NOT_SPECIFIED else field for field in (hour, minute, second, hundredths)]
        try:
            return dt.time(fields[0], fields[1], fields[2], fields[3] * 10_000)
        except ValueError:
            raise DecodeError(f"a time of day, not {time_text(self)}", self._TIME, "time") from None

    def _is_one_time(self) -> bool:
        return NOT_SPECIFIED not in self.octets[self._TIME : self._TIME + 3]

    def _matches_time(self, time: dt.time | dt.datetime) -> bool:
        return (
            self.hour in (None, time.hour)
            and self.minute in (None, time.minute)
            and self.second in (None, time.second)
            and self.hundredths in (None, time.microsecond // 10_000)
        )


class Date(DateFields):
    """A date of five octets; any five are taken and kept. Raises DecodeError for another number of octets.

    >>> str(Date.of(month=3, day_of_month=LAST_DAY, day_of_week=7))
    '*-03-last Sun'
    """

    __slots__ = ()
    _SIZE = 5

    @classmethod
    def of(
        cls,
        *,
        year: int | None = None,
        month: int | None = None,
        day_of_month: int | None = None,
        day_of_week: int | None = None,
    ) -> Self:
        """Make a date from its fields; None is *not specified*. Raises EncodeError for a value out of range."""
        return cls(date_octets(year, month, day_of_month, day_of_week))

    @classmethod
    def from_date(cls, date: dt.date) -> Self:
        """Make a date, with its day of week."""
        return cls(date_octets(date.year, date.month, date.day, date.isoweekday()))

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for more than one day."""
        return not self._is_one_day()

    @property
    def is_unspecified(self) -> bool:
        """Whether no field is specified."""
        return self.octets == b"\xff" * 5

    def matches(self, date: dt.date, *, daylight_savings: tuple[int, int] | None = None) -> bool:
        """Tell whether ``date`` is one of the days that are meant.

        daylight_savings: the months in which it begins and ends; raises ConfigurationError where that is needed.
        """
        return self._matches_date(date, daylight_savings)

    def __str__(self) -> str:
        return date_text(self)


class Time(TimeFields):
    """A time of four octets; any four are taken and kept. Raises DecodeError for another number of octets."""

    __slots__ = ()
    _SIZE = 4
    _TIME = 0

    @classmethod
    def of(
        cls,
        *,
        hour: int | None = None,
        minute: int | None = None,
        second: int | None = None,
        hundredths: int | None = None,
    ) -> Self:
        """Make a time from its fields; None is *not specified*. Raises EncodeError for a value out of range."""
        return cls(time_octets(hour, minute, second, hundredths))

    @classmethod
    def from_time(cls, time: dt.time) -> Self:
        """Make a time, cut to hundredths of a second."""
        return cls(time_octets(time.hour, time.minute, time.second, time.microsecond // 10_000))

    @property
    def is_wildcard(self) -> bool:
        """Whether hour, minute or second is not specified."""
        return not self._is_one_time()

    @property
    def is_unspecified(self) -> bool:
        """Whether no field is specified."""
        return self.octets == b"\xff" * 4

    def matches(self, time: dt.time) -> bool:
        """Tell whether ``time`` has the fields that are specified."""
        return self._matches_time(time)

    def __str__(self) -> str:
        return time_text(self)


def _specified(octet: int) -> int | None:
    return None if octet == NOT_SPECIFIED else octet


def _from_end(year: int, month: int, rule: int, weekday: int | None) -> int:
    """Return the day of month that LAST_DAY or SECOND_LAST_DAY means; ValueError where there is no such month."""
    if not (dt.MINYEAR <= year <= dt.MAXYEAR and 1 <= month <= 12):
        raise ValueError
    first_weekday, days = calendar.monthrange(year, month)
    ago = LAST_DAY - rule
    if weekday is None:
        return days - ago
    if not 1 <= weekday <= 7:
        raise ValueError
    last_weekday = (first_weekday + days - 1) % 7
    return days - (last_weekday - (weekday - 1)) % 7 - 7 * ago


def octet(name: str, value: int | None, least: int, greatest: int, also: dict[int, str] | None = None) -> int:
    """Return the octet of one field, NOT_SPECIFIED for None. Raises EncodeError out of range."""
    if value is None:
        return NOT_SPECIFIED
    if not (least <= value <= greatest or (also and value in also)):
        raise EncodeError(f"{name} {value} is not within {least} to {greatest}")
    return value


def date_octets(year: int | None, month: int | None, day_of_month: int | None, day_of_week: int | None) -> bytes:
    """Return the five octets of a date. Raises EncodeError out of range."""
    if year is not None and not 0 <= year < _YEAR_NOT_SPECIFIED:
        raise EncodeError(f"year {year} is not within 0 to 65534")
    return (_YEAR_NOT_SPECIFIED if year is None else year).to_bytes(2) + bytes(
        (
            octet("month", month, 1, 12, _MONTHS),
            octet("day_of_month", day_of_month, 1, 31, _DAYS),
            octet("day_of_week", day_of_week, 1, 7),
        )
    )


def time_octets(hour: int | None, minute: int | None, second: int | None, hundredths: int | None) -> bytes:
    """Return the four octets of a time. Raises EncodeError out of range."""
    return bytes(
        (
            octet("hour", hour, 0, 23),
            octet("minute", minute, 0, 59),
            octet("second", second, 0, 59),
            octet("hundredths", hundredths, 0, 99),
        )
    )


def date_text(stamp: DateFields) -> str:
    """Return ``2026-11-20``, or a pattern: ``*-03-last Sun``."""
    year, month, day, weekday = stamp.year, stamp.month, stamp.day_of_month, stamp.day_of_week
    text = "-".join(
        (
            "*" if year is None else f"{year:04}",
            "*" if month is None else _MONTHS.get(month, f"{month:02}"),
            "*" if day is None else _DAYS.get(day, f"{day:02}"),
        )
    )
    if weekday is None or (stamp._is_one_day() and day not in _DAYS):
        return text
    return f"{text} {_WEEKDAYS[weekday - 1] if 1 <= weekday <= 7 else weekday}"


def time_text(stamp: TimeFields) -> str:
    """Return ``14:30:00``, with hundredths where there are any, ``*`` for what is not specified."""
    text = ":".join("*" if field is None else f"{field:02}" for field in (stamp.hour, stamp.minute, stamp.second))
    return f"{text}.{stamp.hundredths:02}" if stamp.hundredths else text
