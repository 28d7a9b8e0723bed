"""What an Activity calendar wants at a local time (class 20; IEC 62056-6-2, 5.5): seasons, weeks, days, actions.

::

    season   the one whose start came last; of two that start together the later in the list
    week     week_name of the season: a day_id for each weekday
    day      day_id of the Special days table where the date is special, else that of the week: actions by start_time
    action   the last one up to now, be it of a day before; all those with its start_time

A season without any field in its start has been there ever since. A name or day_id that no table has means a day
without actions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cosemic.errors import DecodeError
from cosemic.model import ActionItem, DayProfile, Season, WeekProfile
from cosemic.server.recurrence import Months, is_day, is_time, last_moment, next_moment
from cosemic.values import DateTime, Time

_DAY: Final = dt.timedelta(days=1)
_EVER_SINCE: Final = dt.datetime.min
_FURTHEST_BACK: Final = 366
"""Days; further back no action is still in force."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds at a local time. season, day_id: None for none. since: start of the actions, naive local time."""

    season: bytes | None = None
    day_id: int | None = None
    since: dt.datetime | None = None
    actions: tuple[ActionItem, ...] = ()


class CalendarPlan:
    """One calendar. special_day: tells the day_id of a special date. months: those of daylight saving."""

    def __init__(
        self,
        seasons: Sequence[Season],
        weeks: Sequence[WeekProfile],
        days: Sequence[DayProfile],
        special_day: Callable[[dt.date], int | None],
        months: Months | None,
    ) -> None:
        self._seasons = seasons
        self._weeks = {
            week.week_profile_name: (
                week.monday, week.tuesday, week.wednesday, week.thursday, week.friday, week.saturday, week.sunday,
            )
            for week in weeks
        }  # fmt: skip
        self._days = {
            day.day_id: sorted(
                (
                    (one.start_time.to_time(), ActionItem(one.script_logical_name, one.script_selector))
                    for one in day.day_schedule
                ),
                key=lambda timed: timed[0],
            )
            for day in days
        }
        self._special_day = special_day
        self._months = months
        self._held: tuple[dt.datetime, dt.datetime, Season | None] = (dt.datetime.max, dt.datetime.min, None)
        """From when until when the season is known, and which it is."""

    def is_consistent(self) -> bool:
        """Whether every name and day_id that is used is there."""
        day_ids = {day_id for week in self._weeks.values() for day_id in week}
        return all(season.week_name in self._weeks for season in self._seasons) and day_ids <= self._days.keys()

    def in_force(self, local: dt.datetime) -> InForce:
        """Return what holds at a local time."""
        season = self._season(local)
        day_id = self._day_id(local, season)
        since, actions = self._last_actions(local)
        return InForce(None if season is None else season.season_profile_name, day_id, since, actions)

    def next(self, floor: dt.datetime) -> dt.datetime | None:
        """Return the first local time, not before ``floor``, at which something else may hold; None: never."""
        if not self._seasons and not self._days:
            return None
        midnight = dt.datetime.combine(floor.date(), dt.time.min)
        coming = [midnight if midnight == floor else midnight + _DAY]
        for season in self._seasons:
            stamp = season.season_start
            start = None if stamp.is_unspecified else next_moment(stamp, stamp, floor, self._months)
            coming += [] if start is None else [start]
        day_id = self._day_id(floor, self._season(floor))
        starts = (dt.datetime.combine(floor.date(), start) for start, _ in self._actions(day_id))
        coming += [start for start in starts if start >= floor]
        return min(coming)

    def _season(self, local: dt.datetime) -> Season | None:
        begun, until, found = self._held
        if not begun <= local <= until:
            begun, found = _EVER_SINCE, None
            for season in self._seasons:
                stamp = season.season_start
                start = _EVER_SINCE if stamp.is_unspecified else last_moment(stamp, stamp, local, self._months)
                if start is not None and start >= begun:
                    found, begun = season, start
            self._held = begun, local, found  # none has begun in between
        return found

    def _day_id(self, local: dt.datetime, season: Season | None) -> int | None:
        special = self._special_day(local.date())
        if special is not None:
            return special
        week = None if season is None else self._weeks.get(season.week_name)
        return None if week is None else week[local.weekday()]

    def _actions(self, day_id: int | None) -> Sequence[tuple[dt.time, ActionItem]]:
        return () if day_id is None else self._days.get(day_id, ())

    def _last_actions(self, local: dt.datetime) -> tuple[dt.datetime | None, tuple[ActionItem, ...]]:
        for _ in range(_FURTHEST_BACK if any(self._days.values()) else 0):
            actions = self._actions(self._day_id(local, self._season(local)))
            begun = [start for start, _ in actions if start <= local.time()]
            if begun:
                since = dt.datetime.combine(local.date(), begun[-1])
                return since, tuple(action for start, action in actions if start == begun[-1])
            local = dt.datetime.combine(local.date() - _DAY, dt.time.max)
        return None, ()


def is_season_start(stamp: DateTime) -> bool:
    """Whether a date-time can start a season: nothing specified, or a date or pattern of dates, at one time of day."""
    return stamp.is_unspecified or (is_day(stamp) and _is_one_time(stamp.time))


def is_start_time(time: Time) -> bool:
    """Whether a time can start an action: one time of day."""
    return time.hour is not None and _is_one_time(time)


def _is_one_time(time: Time) -> bool:
    try:
        time.to_time()
    except DecodeError:
        return False
    return is_time(time)
