"""Tariff calendars: seasons of weeks of days of scripts, and the days that are special (classes 20 and 11).

A calendar comes into force in three steps: it is validated, written into the passive copy and read back, and activated,
at once or at a time. What validation finds::

    names of weeks and seasons, ids of days      are there once each, none is empty
    week of a season, days of a week             are there
    seasons                                      begin in order, no two at one time
    day schedule                                 is in order of time, no two actions at one time, no time has wildcards
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.procedures.changing import called, stamp, written
from cosemic.client.procedures.reading import read_as
from cosemic.client.steps import Now, Procedure
from cosemic.client.timepiece import aware
from cosemic.errors import ConfigurationError, ServiceFailed
from cosemic.model import (
    ActivityCalendar,
    DayProfile,
    Season,
    SpecDayEntry,
    SpecialDaysTable,
    WeekProfile,
)
from cosemic.values import DateTime, Obis

CALENDAR: Final = Obis("0-0:13.0.0")
SPECIAL_DAYS: Final = Obis("0-0:11.0.0")
NOT_SPECIFIED: Final = DateTime.of()
"""As activate_passive_calendar_time: the calendar is not activated by itself."""
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class TariffCalendar:
    """One copy of a calendar: its name, its seasons, the weeks they name, the days these name."""

    name: bytes
    seasons: tuple[Season, ...]
    weeks: tuple[WeekProfile, ...]
    days: tuple[DayProfile, ...]

    def problems(self) -> tuple[str, ...]:
        """Return everything that validation finds, in words; nothing for a calendar that can be activated."""
        return tuple(_problems(self))


@dataclass(frozen=True, slots=True)
class Calendars:
    """Both copies, and when the passive one is activated; a time of which nothing is specified: not by itself."""

    active: TariffCalendar
    passive: TariffCalendar
    activate_passive_calendar_time: DateTime


@dataclass(frozen=True, slots=True)
class _CalendarState:
    calendar_name_active: bytes
    season_profile_active: tuple[Season, ...]
    week_profile_table_active: tuple[WeekProfile, ...]
    day_profile_table_active: tuple[DayProfile, ...]
    calendar_name_passive: bytes
    season_profile_passive: tuple[Season, ...]
    week_profile_table_passive: tuple[WeekProfile, ...]
    day_profile_table_passive: tuple[DayProfile, ...]
    activate_passive_calendar_time: DateTime


@dataclass(frozen=True, slots=True)
class _SpecialDays:
    entries: tuple[SpecDayEntry, ...]


class CalendarProcedures(ProcedureGroup):
    """Tariff calendar and special days of a meter.

    What is not answered is read back: ChangeNotMade or OutcomeUnknown tell what is known.
    """

    def read(self, *, obis: Obis | str = CALENDAR) -> Procedure[Calendars]:
        """Read both copies of the calendar. Raises DataAccessError, DecodeError. IEC 62056-6-2, 5.5, class 20."""
        found = yield from read_as(self.session, _CalendarState, ActivityCalendar(obis))
        return Calendars(
            TariffCalendar(
                found.calendar_name_active,
                found.season_profile_active,
                found.week_profile_table_active,
                found.day_profile_table_active,
            ),
            TariffCalendar(
                found.calendar_name_passive,
                found.season_profile_passive,
                found.week_profile_table_passive,
                found.day_profile_table_passive,
            ),
            found.activate_passive_calendar_time,
        )

    def write(self, calendar: TariffCalendar, *, validate: bool = True, obis: Obis | str = CALENDAR) -> Procedure[None]:
        """Write the passive copy, and read it back; it stays passive.

        validate: refuse what cannot be activated. Raises ConfigurationError with all that is wrong with the calendar;
        EncodeError, DataAccessError, ChangeNotMade, OutcomeUnknown; ServiceFailed where the meter keeps something else.
        IEC 62056-6-2, 5.5, class 20.
        """
        problems = calendar.problems() if validate else ()
        if problems:
            raise ConfigurationError(f"the calendar cannot be activated: {'; '.join(problems)}")
        target = ActivityCalendar(obis)
        # In this order no reference leads nowhere on the way, and the name comes when everything is there.
        yield from written(self.session, target.day_profile_table_passive, calendar.days)
        yield from written(self.session, target.week_profile_table_passive, calendar.weeks)
        yield from written(self.session, target.season_profile_passive, calendar.seasons)
        yield from written(self.session, target.calendar_name_passive, calendar.name)
        kept = (yield from self.read(obis=obis)).passive
        if kept != calendar:
            parts = ("name", "seasons", "weeks", "days")
            other = ", ".join(part for part in parts if getattr(kept, part) != getattr(calendar, part))
            raise ServiceFailed(
                f"{target!r}: the meter took the passive calendar, and keeps other {other}: read it, do not activate",
                label="kept-otherwise",
                subject=repr(target),
            )

    def activate(self, at: dt.datetime | None = None, *, obis: Obis | str = CALENDAR) -> Procedure[None]:
        """Activate the passive copy; at a time, which is the meter's own where it is naive, or now.

        Raises ConfigurationError for a time that is over; ActionFailed, DataAccessError; ServiceFailed where another
        calendar is active afterwards; ChangeNotMade, OutcomeUnknown. IEC 62056-6-2, 5.5, class 20.
        """
        target = ActivityCalendar(obis)
        if at is not None:
            if aware(at, self.session.zone) <= (yield Now()):
                raise ConfigurationError(f"{at} is over: give a time to come, or none to activate it now")
            yield from written(self.session, target.activate_passive_calendar_time, stamp(self.session, at))
            return
        before = yield from self.read(obis=obis)

        def made() -> Procedure[bool | None]:
            active = (yield from self.read(obis=obis)).active
            return active == before.passive if before.active != before.passive else None

        yield from called(self.session, target.activate_passive_calendar, 0, made)
        active = (yield from self.read(obis=obis)).active
        if active != before.passive:
            raise ServiceFailed(
                f"{target!r}: the meter activated {before.passive.name!r}, and has {active.name!r} active: read both",
                label="not-activated",
                subject=repr(target),
            )

    def cancel_activation(self, *, obis: Obis | str = CALENDAR) -> Procedure[None]:
        """Do not activate the passive copy by itself: no activate_passive_calendar_time.

        Raises DataAccessError, ChangeNotMade, OutcomeUnknown. IEC 62056-6-2, 5.5, class 20.
        """
        yield from written(self.session, ActivityCalendar(obis).activate_passive_calendar_time, NOT_SPECIFIED)

    # ---- special days ------------------------------------------------------------------------------------------------

    def special_days(self, *, obis: Obis | str = SPECIAL_DAYS) -> Procedure[tuple[SpecDayEntry, ...]]:
        """Read the special days. Raises DataAccessError, DecodeError. IEC 62056-6-2, 5.5, class 11."""
        return (yield from read_as(self.session, _SpecialDays, SpecialDaysTable(obis))).entries

    def insert_special_day(self, entry: SpecDayEntry, *, obis: Obis | str = SPECIAL_DAYS) -> Procedure[None]:
        """Insert a special day; one of the same index is replaced.

        Raises ActionFailed, EncodeError, ChangeNotMade, OutcomeUnknown. IEC 62056-6-2, 5.5, class 11.
        """

        def made() -> Procedure[bool | None]:
            return entry in (yield from self.special_days(obis=obis))

        yield from called(self.session, SpecialDaysTable(obis).insert, entry, made)

    def delete_special_day(self, index: int, *, obis: Obis | str = SPECIAL_DAYS) -> Procedure[None]:
        """Delete the special day of an index.

        Raises ActionFailed, EncodeError, ChangeNotMade, OutcomeUnknown. IEC 62056-6-2, 5.5, class 11.
        """

        def made() -> Procedure[bool | None]:
            return all(one.index != index for one in (yield from self.special_days(obis=obis)))

        yield from called(self.session, SpecialDaysTable(obis).delete, index, made)

    def replace_special_days(
        self, entries: Sequence[SpecDayEntry], *, obis: Obis | str = SPECIAL_DAYS
    ) -> Procedure[None]:
        """Write all special days in place of those that are there.

        Raises ConfigurationError for an index or date that comes twice; EncodeError, DataAccessError, ChangeNotMade,
        OutcomeUnknown. IEC 62056-6-2, 5.5, class 11.
        """
        for what in ("index", "specialday_date"):
            twice = _repeated([getattr(one, what) for one in entries])
            if twice:
                raise ConfigurationError(f"special days: {what} {', '.join(map(str, twice))} comes more than once")
        yield from written(self.session, SpecialDaysTable(obis).entries, tuple(entries))


# ---- validation ------------------------------------------------------------------------------------------------------


def _repeated(values: Sequence[object]) -> list[object]:
    return [value for value, count in Counter(values).items() if count > 1]


def _problems(calendar: TariffCalendar) -> Iterator[str]:
    weeks = {week.week_profile_name for week in calendar.weeks}
    days = {day.day_id for day in calendar.days}
    for what, names in (
        ("season", [one.season_profile_name for one in calendar.seasons]),
        ("week", [one.week_profile_name for one in calendar.weeks]),
        ("day", [one.day_id for one in calendar.days]),
    ):
        yield from (f"{what} {name!r} comes more than once" for name in _repeated(names))
        if not names:
            yield f"there is no {what}"
        if b"" in names:
            yield f"a {what} has no name"
    for season in calendar.seasons:
        if season.week_name not in weeks:
            yield f"season {season.season_profile_name!r} names week {season.week_name!r}, which is not there"
    for week in calendar.weeks:
        for weekday in WEEKDAYS:
            day = getattr(week, weekday)
            if day not in days:
                yield f"{weekday} of week {week.week_profile_name!r} is day {day}, which is not there"
    for one, other in pairwise(calendar.seasons):
        if _begins(one) >= _begins(other):
            yield f"season {other.season_profile_name!r} does not begin behind {one.season_profile_name!r}"
    for one_day in calendar.days:
        yield from _problems_of(one_day)


def _begins(season: Season) -> bytes:
    """What puts seasons in order: year to hundredths, without the day of the week; what is not specified comes last."""
    octets = season.season_start.octets
    return octets[:4] + octets[5:9]


def _problems_of(day: DayProfile) -> Iterator[str]:
    times = [action.start_time for action in day.day_schedule]
    if any(time.is_wildcard for time in times):
        yield f"an action of day {day.day_id} has a time with wildcards"
    for one, other in pairwise(times):
        if one.octets >= other.octets:
            yield f"day {day.day_id}: {other} does not come behind {one}"


class AsyncCalendar(AsyncGroup):
    """Tariff calendar and special days of a meter, on asyncio."""

    read = asynchronously(CalendarProcedures.read)
    write = asynchronously(CalendarProcedures.write)
    activate = asynchronously(CalendarProcedures.activate)
    cancel_activation = asynchronously(CalendarProcedures.cancel_activation)
    special_days = asynchronously(CalendarProcedures.special_days)
    insert_special_day = asynchronously(CalendarProcedures.insert_special_day)
    delete_special_day = asynchronously(CalendarProcedures.delete_special_day)
    replace_special_days = asynchronously(CalendarProcedures.replace_special_days)


class BlockingCalendar(BlockingGroup):
    """Tariff calendar and special days of a meter, for blocking code."""

    read = blocking(CalendarProcedures.read)
    write = blocking(CalendarProcedures.write)
    activate = blocking(CalendarProcedures.activate)
    cancel_activation = blocking(CalendarProcedures.cancel_activation)
    special_days = blocking(CalendarProcedures.special_days)
    insert_special_day = blocking(CalendarProcedures.insert_special_day)
    delete_special_day = blocking(CalendarProcedures.delete_special_day)
    replace_special_days = blocking(CalendarProcedures.replace_special_days)
