"""Local time of a meter: its zone, and daylight saving by the rule of its clock (IEC 62056-6-2, 5.5: Clock).

::

    begin   *-03-last Sun 02:00     in normal time        UTC  00:30      01:00      01:30
    end     *-10-last Sun 03:00     in daylight saving    begin 01:30 ... 03:00 ...  03:30     02:00-03:00 is skipped
                                                          end   02:30 ... 02:00 ...  02:30     02:00-03:00 comes twice

A switch that gives its deviation from UTC is meant in that. A rule without year holds every year; daylight saving is
active where the last begin is behind the last end. Where begin or end is not specified there is none.

What happens at a local time happens once: at its first occurrence, and where it is skipped, at the switch
(:meth:`LocalTime.first`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.server.recurrence import RESOLUTION, Months, days_from, is_day, is_time
from cosemic.values import DateTime
from cosemic.values.dates import DAYLIGHT_SAVINGS_BEGIN, DAYLIGHT_SAVINGS_END, LAST_DAY, SECOND_LAST_DAY

NOT_SPECIFIED: Final = DateTime.of()
MOST_MINUTES: Final = 840
"""Furthest from UTC that a date-time can say."""
_NONE: Final = dt.timedelta(0)
_NEVER: Final = dt.datetime.max
_Span = tuple[dt.datetime, dt.datetime, bool]


@dataclass(frozen=True, slots=True)
class DaylightSaving:
    """The rule of a clock. begin, end: when it switches; deviation: minutes; enabled: whether it does."""

    begin: DateTime = NOT_SPECIFIED
    end: DateTime = NOT_SPECIFIED
    deviation: int = 60
    enabled: bool = True

    @property
    def months(self) -> Months | None:
        """The months in which it begins and ends, whether it is enabled or not; None where that is not said."""
        begin, end = self.begin.month, self.end.month
        return None if begin is None or end is None else (begin, end)


NO_DAYLIGHT_SAVING: Final = DaylightSaving(enabled=False)
CENTRAL_EUROPEAN: Final = DaylightSaving(
    DateTime.of(month=3, day_of_month=LAST_DAY, day_of_week=7, hour=2, minute=0, second=0, hundredths=0),
    DateTime.of(month=10, day_of_month=LAST_DAY, day_of_week=7, hour=3, minute=0, second=0, hundredths=0),
)
"""For a zone one hour east of UTC."""


def is_switch(stamp: DateTime) -> bool:
    """Whether a date-time can be begin or end: nothing specified, or one moment of one year or of every year."""
    if stamp.is_unspecified:
        return True
    once_a_month = stamp.day_of_month is not None and stamp.month not in (
        None,
        DAYLIGHT_SAVINGS_BEGIN,
        DAYLIGHT_SAVINGS_END,
    )
    one_time = None not in (stamp.hour, stamp.minute) and is_time(stamp)
    leap_days_only = (stamp.year, stamp.month, stamp.day_of_month) == (None, 2, 29)
    minutes = abs(stamp.deviation or 0)
    return once_a_month and one_time and is_day(stamp) and not leap_days_only and minutes <= MOST_MINUTES


class FixedOffset(dt.tzinfo):
    """A fixed offset from UTC, of which ``saving`` is daylight saving."""

    def __init__(self, offset: dt.timedelta, saving: dt.timedelta) -> None:
        self._offset = offset
        self._saving = saving

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        """Return the whole offset."""
        return self._offset

    def dst(self, moment: dt.datetime | None) -> dt.timedelta:
        """Return the part that is daylight saving."""
        return self._saving

    def tzname(self, moment: dt.datetime | None) -> str:
        """Return the name of the offset: ``UTC+02:00``."""
        return str(dt.timezone(self._offset))

    def __repr__(self) -> str:
        return f"<FixedOffset {self.tzname(None)}>"


class LocalTime(dt.tzinfo):
    """The time zone of a clock.

    standard: minutes east of UTC in normal time. rule: of daylight saving. inverted_deviation: the deviation that a
    switch may give has the sign against the standard.
    """

    def __init__(self, standard: int, rule: DaylightSaving, *, inverted_deviation: bool = False) -> None:
        self.standard = dt.timedelta(minutes=standard)
        self.saving = dt.timedelta(minutes=rule.deviation)
        self.rule = rule
        self.switches = rule.enabled and not (rule.begin.is_unspecified or rule.end.is_unspecified)
        """Whether there is daylight saving at all."""
        self._inverted = inverted_deviation
        self._normal = FixedOffset(self.standard, _NONE)
        self._shifted = FixedOffset(self.standard + self.saving, self.saving)
        self._occurrences: dict[tuple[bool, int], dt.datetime] = {}
        self._span: _Span = (dt.datetime.min, dt.datetime.min if self.switches else _NEVER, False)

    # ---- from UTC ---------------------------------------------------------------------------------------------------

    def is_saving(self, moment: dt.datetime) -> bool:
        """Whether daylight saving is active at a moment (aware)."""
        return self._saves(_utc(moment))

    def shown(self, moment: dt.datetime) -> dt.datetime:
        """Return the local time of a moment, aware; its tzinfo is the fixed offset of then."""
        utc = _utc(moment)
        zone = self._shifted if self._saves(utc) else self._normal
        return (utc + zone.utcoffset(None)).replace(tzinfo=zone)

    def next_switch(self, moment: dt.datetime) -> dt.datetime | None:
        """Return the first moment (UTC, aware) behind one at which daylight saving begins or ends; None for none."""
        found = self._switch_behind(_utc(moment))
        return None if found is None else found.replace(tzinfo=dt.UTC)

    def fixed(self, moment: dt.datetime) -> dt.datetime:
        """Return a moment in this zone with the fixed offset of then as its tzinfo."""
        offset = self.utcoffset(moment)
        return moment.replace(tzinfo=self._normal if offset == self.standard else self._shifted, fold=0)

    def unseen(self, moment: dt.datetime) -> dt.datetime:
        """Return the least local time, naive, that has not been shown up to and including a moment."""
        utc = _utc(moment)
        local = utc + self._offset(utc)
        first = self._first(local)
        if first < utc and (switch := self._switch_behind(first)) is not None:
            return switch + self._offset(
                switch - RESOLUTION
            )  # shown for the second time: what follows the switch is next
        return local + RESOLUTION

    # ---- to UTC -----------------------------------------------------------------------------------------------------

    def first(self, local: dt.datetime) -> dt.datetime:
        """Return the moment (UTC, aware) of a naive local time: the first of two, or the switch where it is skipped."""
        return self._first(local).replace(tzinfo=dt.UTC)

    def _first(self, local: dt.datetime) -> dt.datetime:
        early, late, shown = self._moments(local)
        return early if shown else self._switch_behind(early) or late

    def _moments(self, local: dt.datetime) -> tuple[dt.datetime, dt.datetime, bool]:
        """The first and last moment (naive UTC) of a local time, and whether it is shown.

        Where it is skipped: what they would be with the greater and the smaller offset.
        """
        normal = local - self.standard
        if not self.switches:
            return normal, normal, True
        shifted = normal - self.saving
        found = sorted({one for one, saves in ((normal, False), (shifted, True)) if self._saves(one) is saves})
        return (found[0], found[-1], True) if found else (min(normal, shifted), max(normal, shifted), False)

    # ---- as tzinfo (PEP 495) ----------------------------------------------------------------------------------------

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        """Return the offset of a local time; its fold chooses where it comes twice or is skipped."""
        if moment is None or not self.switches or not dt.MINYEAR < moment.year < dt.MAXYEAR:
            return self.standard
        local = moment.replace(tzinfo=None, fold=0)
        early, late, shown = self._moments(local)
        return local - (late if bool(moment.fold) is shown else early)

    def dst(self, moment: dt.datetime | None) -> dt.timedelta:
        """Return the part of the offset that is daylight saving."""
        return self.utcoffset(moment) - self.standard

    def tzname(self, moment: dt.datetime | None) -> str:
        """Return the name of the offset."""
        return str(dt.timezone(self.utcoffset(moment)))

    def fromutc(self, moment: dt.datetime) -> dt.datetime:
        """Return the local time of a moment in UTC."""
        utc = moment.replace(tzinfo=None)
        local = utc + self._offset(utc)
        return local.replace(tzinfo=self, fold=int(self._moments(local)[0] < utc))

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _offset(self, utc: dt.datetime) -> dt.timedelta:
        return self.standard + self.saving if self._saves(utc) else self.standard

    def _saves(self, utc: dt.datetime) -> bool:
        return self._span_of(utc)[2]

    def _switch_behind(self, utc: dt.datetime) -> dt.datetime | None:
        end = self._span_of(utc)[1]
        return None if end == _NEVER else end

    def _span_of(self, utc: dt.datetime) -> _Span:
        """From when until when it is as at a moment, and whether that is daylight saving; the last is remembered."""
        if not self._span[0] <= utc < self._span[1]:
            last, saves = self._state(utc)
            coming = sorted(at for begins in (True, False) for at in self._around(begins, utc) if at > utc)
            self._span = last, next((at for at in coming if self._state(at)[1] is not saves), _NEVER), saves
        return self._span

    def _state(self, utc: dt.datetime) -> tuple[dt.datetime, bool]:
        """When the last begin or end was, and which it was."""
        begin, end = (
            max((at for at in self._around(begins, utc) if at <= utc), default=None) for begins in (True, False)
        )
        if begin is None:
            return end or utc, False
        return (begin, True) if end is None or end < begin else (end, False)

    def _around(self, begins: bool, utc: dt.datetime) -> list[dt.datetime]:
        """Switches of one kind from one year before a moment to two years behind it."""
        year = (self.rule.begin if begins else self.rule.end).year
        first, last = dt.MINYEAR + 1, dt.MAXYEAR - 1
        years = range(max(utc.year - 1, first), min(utc.year + 3, last)) if year is None else (year,)
        return [self._occurrence(begins, one) for one in years]

    def _occurrence(self, begins: bool, year: int) -> dt.datetime:
        """When the switch that belongs to a year is, in naive UTC."""
        key = begins, year
        if key not in self._occurrences:
            stamp = self.rule.begin if begins else self.rule.end
            month, day = stamp.octets[2:4]
            found = next(days_from(stamp, dt.date(year, month, day if day <= 31 else 1)))
            offset = self.standard if begins else self.standard + self.saving
            if stamp.deviation is not None:
                offset = dt.timedelta(minutes=stamp.deviation if self._inverted else -stamp.deviation)
            self._occurrences[key] = dt.datetime.combine(found, stamp.to_time()) - offset
        return self._occurrences[key]


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


# ---- rules of time zones ---------------------------------------------------------------------------------------------


def rule_of(zone: dt.tzinfo, year: int) -> tuple[int, DaylightSaving]:
    """Return what a clock needs for a time zone, such as ``ZoneInfo("Europe/Berlin")``, by its rule from a year on.

    The minutes east of UTC in normal time, and the rule of daylight saving. Raises ConfigurationError where the rule
    does not fit a clock: more than two switches a year, or days that no pattern describes.
    """
    found = [_switches(zone, one) for one in range(year, year + _YEARS_TO_FIT)]
    start = dt.datetime(year, 1, 1, tzinfo=dt.UTC).astimezone(zone)
    standard = (start.utcoffset() or _NONE) - (start.dst() or _NONE)
    if not any(found):
        return standard // _MINUTE, NO_DAYLIGHT_SAVING
    begins, ends = ([at for each in found for at, into in each if into is kind] for kind in (True, False))
    if len(begins) != len(found) or len(ends) != len(found):
        raise ConfigurationError(f"daylight saving of {zone} does not switch twice a year: give the rule itself")
    saving = (begins[0] + RESOLUTION).astimezone(zone).dst() or _NONE
    return standard // _MINUTE, DaylightSaving(
        _pattern([at + standard for at in begins], zone),
        _pattern([at + standard + saving for at in ends], zone),
        saving // _MINUTE,
    )


_YEARS_TO_FIT: Final = 10
_MINUTE: Final = dt.timedelta(minutes=1)


def _switches(zone: dt.tzinfo, year: int) -> list[tuple[dt.datetime, bool]]:
    """Moments of a year (UTC, aware) at which daylight saving begins (True) or ends, to the minute."""

    @lru_cache
    def saves(minute: int) -> bool:
        return bool((start + minute * _MINUTE).astimezone(zone).dst())

    start = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
    day = 24 * 60
    found = []
    for low in range(0, 366 * day, day):
        high = low + day
        if saves(low) is saves(high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if saves(middle) is saves(low) else (low, middle)
        found.append((start + high * _MINUTE, saves(high)))
    return [(at, into) for at, into in found if at.year == year]


def _pattern(locals_: list[dt.datetime], zone: dt.tzinfo) -> DateTime:
    """The one pattern of a local time that all years agree on."""
    one = locals_[0]
    rules = [(LAST_DAY, one.isoweekday()), (SECOND_LAST_DAY, one.isoweekday()), (one.day, None)]
    rules += [(day, one.isoweekday()) for day in range(max(one.day - 6, 1), one.day + 1)]
    for day, weekday in rules:
        pattern = DateTime.of(
            month=one.month, day_of_month=day, day_of_week=weekday,
            hour=one.hour, minute=one.minute, second=0, hundredths=0,
        )  # fmt: skip
        if all(pattern.matches(each.replace(tzinfo=None)) for each in locals_):
            return pattern
    raise ConfigurationError(f"daylight saving of {zone} follows no pattern of days: give the rule itself")
