"""COSEM date-time and its clock status (IEC 62056-6-2, 4.1.6.1; Data tag 25, or the same octets in an octet-string).

::

    year(2) month day-of-month day-of-week hour minute second hundredths deviation(2) clock-status   12 octets

FF (year FFFF, deviation 8000) is *not specified*; the patterns of date and time are those of ``dates``.

deviation is in minutes, UTC = local time + deviation: Central European winter time is -60. Some meters invert the sign,
so whatever reads or makes a deviation takes ``inverted_deviation``. Where the daylight saving bit of the clock status
is set, the deviation includes the shift.
"""

from __future__ import annotations

import datetime as dt
import struct
from enum import IntFlag
from functools import lru_cache
from typing import Final, Self

from cosemic.errors import ConfigurationError, DecodeError, EncodeError
from cosemic.values.dates import (
    NOT_SPECIFIED,
    Date,
    DateFields,
    Time,
    TimeFields,
    date_octets,
    date_text,
    octet,
    time_octets,
    time_text,
)

_FIELDS: Final = struct.Struct(">H7BhB")
_DEVIATION_NOT_SPECIFIED: Final = -0x8000
_GREATEST_DEVIATION: Final = 840


class ClockStatus(IntFlag):
    """The last octet of a date-time; bits 4 to 6 are reserved and kept as they come. IEC 62056-6-2, 4.1.6.1."""

    INVALID_VALUE = 0x01
    DOUBTFUL_VALUE = 0x02
    DIFFERENT_CLOCK_BASE = 0x04
    INVALID_CLOCK_STATUS = 0x08
    DAYLIGHT_SAVING_ACTIVE = 0x80

    def names(self) -> list[str]:
        """The kebab-case names of the bits that are set."""
        return [name.lower().replace("_", "-") for name, bit in ClockStatus.__members__.items() if int(self) & bit]


class DateTime(DateFields, TimeFields):
    """A date-time of twelve octets; any twelve are taken and kept. Raises DecodeError for another number of octets.

    >>> str(DateTime(bytes.fromhex("07ea0b14050e1e0000ffc400")))
    '2026-11-20 14:30:00+01:00'
    """

    __slots__ = ()
    _SIZE = 12
    _TIME = 5

    @classmethod
    def of(
        cls,
        *,
        year: int | None = None,
        month: int | None = None,
        day_of_month: int | None = None,
        day_of_week: int | None = None,
        hour: int | None = None,
        minute: int | None = None,
        second: int | None = None,
        hundredths: int | None = None,
        deviation: int | None = None,
        clock_status: int | None = None,
    ) -> Self:
        """Make a date-time from its fields as they are sent; None is *not specified*.

        deviation: minutes, -840 to 840, in the sign that the meter uses. Raises EncodeError for a value out of range.
        """
        return cls(
            date_octets(year, month, day_of_month, day_of_week)
            + time_octets(hour, minute, second, hundredths)
            + _deviation_octets(deviation)
            + bytes([octet("clock_status", clock_status, 0, 255)])
        )

    @classmethod
    def from_datetime(
        cls, moment: dt.datetime, *, clock_status: int | None = None, inverted_deviation: bool = False
    ) -> Self:
        """Make a date-time, cut to hundredths of a second.

        moment: aware, then deviation and daylight saving bit are those of its zone; or naive, the meter's own local
            time, then both are not specified.
        clock_status: the octet to send instead.
        inverted_deviation: the meter counts the deviation as UTC + deviation = local time.

        Raises EncodeError when the offset from UTC is not a whole number of minutes, or more than 14 hours.
        """
        offset = moment.utcoffset()
        deviation = None
        if offset is not None:
            minutes, rest = divmod(offset, dt.timedelta(minutes=1))
            if rest:
                raise EncodeError(f"the offset from UTC, {offset}, is not a whole number of minutes")
            deviation = minutes if inverted_deviation else -minutes
            if clock_status is None:
                clock_status = ClockStatus.DAYLIGHT_SAVING_ACTIVE if moment.dst() else 0
        return cls.of(
            year=moment.year,
            month=moment.month,
            day_of_month=moment.day,
            day_of_week=moment.isoweekday(),
            hour=moment.hour,
            minute=moment.minute,
            second=moment.second,
            hundredths=moment.microsecond // 10_000,
            deviation=deviation,
            clock_status=clock_status,
        )

    @property
    def deviation(self) -> int | None:
        """Minutes as sent; by the standard UTC = local time + deviation. None: not specified."""
        deviation = int.from_bytes(self.octets[9:11], signed=True)
        return None if deviation == _DEVIATION_NOT_SPECIFIED else deviation

    @property
    def clock_status(self) -> ClockStatus | None:
        """The status bits; None: not specified."""
        return None if self.octets[11] == NOT_SPECIFIED else ClockStatus(self.octets[11])

    @property
    def date(self) -> Date:
        """The first five octets."""
        return Date(self.octets[:5])

    @property
    def time(self) -> Time:
        """Hour to hundredths."""
        return Time(self.octets[5:9])

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for more than one second: a field of year to second is not specified, or is a rule."""
        return not (self._is_one_day() and self._is_one_time())

    @property
    def is_unspecified(self) -> bool:
        """Whether no field of year to hundredths is specified: in a range, no bound."""
        return self.octets[:9] == b"\xff" * 9

    def to_datetime(self, zone: dt.tzinfo | None = None, *, inverted_deviation: bool = False) -> dt.datetime:
        """Return the one moment that is meant, aware.

        zone: the meter's time zone, used where the deviation is not specified; in the hour that the end of daylight
            saving repeats, the daylight saving bit of the clock status chooses.
        inverted_deviation: the meter counts the deviation as UTC + deviation = local time.

        What is not specified behind the last specified field of the time is 0. Raises DecodeError for a pattern, or
        where the octets are no moment of the calendar; ConfigurationError where neither deviation nor zone is there.
        """
        year, month, day, _, hour, minute, second, hundredths, deviation, _ = _FIELDS.unpack(self.octets)
        try:
            # A field that is not specified, or is a rule, is out of range here (month, day, hour ... 253 to 255).
            local = dt.datetime(year, month, day, hour, minute, second, hundredths % NOT_SPECIFIED * 10_000)
        except ValueError:
            local = dt.datetime.combine(self.to_date(), self.to_time())
        if deviation != _DEVIATION_NOT_SPECIFIED:
            return local.replace(tzinfo=_fixed_zone(deviation, inverted_deviation))
        if zone is None:
            raise ConfigurationError(f"{self} has no deviation from UTC: give the time zone of the meter")
        earlier, later = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
        status = self.clock_status
        if status is None or earlier.utcoffset() == later.utcoffset():
            return earlier
        return earlier if bool(earlier.dst()) == bool(status & ClockStatus.DAYLIGHT_SAVING_ACTIVE) else later

    def matches(
        self,
        moment: dt.datetime,
        *,
        daylight_savings: tuple[int, int] | None = None,
        inverted_deviation: bool = False,
    ) -> bool:
        """Tell whether ``moment`` is one of those that are meant.

        moment: naive, the meter's local time; an aware one is seen in the offset of the deviation, if there is one.
        daylight_savings: the months in which it begins and ends; raises ConfigurationError where that is needed.

        Raises DecodeError where the deviation is out of range.
        """
        deviation = self.deviation
        if deviation is not None and moment.tzinfo is not None:
            zone = _fixed_zone(deviation, inverted_deviation)
            try:
                moment = moment.astimezone(zone)
            except OverflowError:
                return False
        return self._matches_time(moment) and self._matches_date(moment.date(), daylight_savings)

    def __str__(self) -> str:
        deviation, status, offset, marks = self.deviation, self.clock_status, "", ""
        if deviation is not None:
            hours, minutes = divmod(abs(deviation), 60)
            offset = f"{'-' if deviation > 0 else '+'}{hours:02}:{minutes:02}"
        if status and status != ClockStatus.DAYLIGHT_SAVING_ACTIVE:
            names = [name for name in status.names() if name != "daylight-saving-active"]
            marks = f" ({', '.join(names)})" if names else ""
        return f"{date_text(self)} {time_text(self)}{offset}{marks}"


@lru_cache(maxsize=128)
def _fixed_zone(deviation: int, inverted: bool) -> dt.timezone:
    if abs(deviation) > _GREATEST_DEVIATION:
        raise DecodeError(f"a deviation of -840 to 840 minutes, not {deviation}", 9, "deviation")
    return dt.timezone(dt.timedelta(minutes=deviation if inverted else -deviation))


def _deviation_octets(deviation: int | None) -> bytes:
    if deviation is not None and abs(deviation) > _GREATEST_DEVIATION:
        raise EncodeError(f"deviation {deviation} is not within -840 to 840 minutes")
    return (_DEVIATION_NOT_SPECIFIED if deviation is None else deviation).to_bytes(2, signed=True)
