"""Activity calendar of a device (class 20; IEC 62056-6-2, 5.5): tariffs by season, week and day.

What holds at a local time says :class:`~cosemic.server.calendar_plan.CalendarPlan`. The scripts that hold are run when
they begin to; at the start of the device, after a change of the clock, of the calendar or of the special days, and
after a power failure they are run if others were run last. So only the last of the actions that were missed is made up
for, as the standard says, at its place among those of a Schedule.

activate_passive_calendar copies the passive calendar over the active one; at activate_passive_calendar_time that
happens by itself, once the clock comes to show it. A time that is already past does nothing.

============  ==========================================================================================================
other-reason  a name or day_id twice in one table; a season_start that is no date; a start_time that is no one time of
              day, or more than 1000 of them; an activation time that is no one moment; activating a calendar with a
              week or day_id that it does not have
============  ==========================================================================================================

The device tells ``calendar-activated`` (calendar_name), ``season-changed`` (season), ``day-profile-switched`` (day_id).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from cosemic.errors import DecodeError
from cosemic.model import ActionItem, ActivityCalendar
from cosemic.server.agenda import CALENDAR_RANK, Task
from cosemic.server.calendar_plan import CalendarPlan, InForce, is_season_start, is_start_time
from cosemic.server.clock import ClockObject
from cosemic.server.kept import MOST_ELEMENTS, KeptObject, are_different, refuse, refuse_unless
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused
from cosemic.server.recurrence import RESOLUTION
from cosemic.server.scripts import run_script
from cosemic.server.special_days import SpecialDaysObject
from cosemic.server.state import load_json, save_json
from cosemic.values import DateTime, Obis

_TABLES: Final = ("calendar_name", "season_profile", "week_profile_table", "day_profile_table")
_ACTIVE: Final = tuple(f"{table}_active" for table in _TABLES)
_PASSIVE: Final = tuple(f"{table}_passive" for table in _TABLES)
_TIME: Final = "activate_passive_calendar_time"
_IN_FORCE: Final = "in_force"


class ActivityCalendarObject(KeptObject):
    """An activity calendar.

    device: whose scripts it runs. clock: its clock. values: of attributes, by name; what is not given is empty.
    special_days: the table that says which days are special. writable: clients with the right to may write the passive
    calendar and its time of activation; active_writable: the active calendar too.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        instance_id: Obis | str = "0-0:13.0.0",
        values: Mapping[str, Any] | None = None,
        *,
        special_days: SpecialDaysObject | None = None,
        writable: bool = True,
        active_writable: bool = False,
    ) -> None:
        self._device = device
        self._clock = clock
        self._special_days = special_days
        self._in_force = InForce()
        self._planned: CalendarPlan | None = None
        empty: dict[str, Any] = {name: b"" if "name" in name else () for name in (*_ACTIVE, *_PASSIVE)}
        super().__init__(
            ActivityCalendar(instance_id),
            {**empty, _TIME: DateTime.of(), **(values or {})},
            writable=(*((*_PASSIVE, _TIME) if writable else ()), *(_ACTIVE if active_writable else ())),
            methods={"activate_passive_calendar": lambda _, situation: self.activate(situation.now)},
        )
        clock.connect(device)
        clock.agenda.add(self)
        clock.changed.append(lambda change: self._forget())
        if special_days is not None:
            special_days.changed.append(self._revise)

    @property
    def in_force(self) -> InForce:
        """What holds since the calendar was last looked at."""
        return self._in_force

    # ---- as a planner -----------------------------------------------------------------------------------------------

    def next(self, floor: dt.datetime) -> dt.datetime | None:
        """Return when something else may hold next, or the passive calendar is to be activated."""
        activation = self._activation()
        coming = [self._plan.next(floor), activation if activation is not None and activation >= floor else None]
        return min((at for at in coming if at is not None), default=None)

    def tasks(self, since: dt.datetime, until: dt.datetime, *, made_up: bool) -> Iterator[Task]:
        """Return the activation that is due, and the change to what holds then."""
        activation = self._activation()
        if activation is not None and since <= activation < until:
            yield Task(activation, CALENDAR_RANK, self._activate_if_consistent)
        begun = self._plan.in_force(until - RESOLUTION).since or since
        yield Task(max(begun, since), CALENDAR_RANK, partial(self._settle, until - RESOLUTION))

    def _settle(self, local: dt.datetime, at: dt.datetime) -> None:
        """Run the scripts that hold at a local time, unless they were run last."""
        before, now = self._in_force, self._plan.in_force(local)
        if now == before:
            return
        self._in_force = now
        save_json(self.memory, _IN_FORCE, _to_json(now))
        if now.season != before.season:
            self._device.tell("season-changed", at, season=now.season)
        if now.day_id != before.day_id:
            self._device.tell("day-profile-switched", at, day_id=now.day_id)
        if (now.since, now.actions) != (before.since, before.actions):
            for action in now.actions:
                run_script(self._device, action, at)

    # ---- activation -------------------------------------------------------------------------------------------------

    def activate(self, at: dt.datetime) -> None:
        """Let the passive calendar take the place of the active one. Raises AccessRefused."""
        if not self._plan_of(_PASSIVE).is_consistent():
            refuse()
        for active, passive in zip(_ACTIVE, _PASSIVE, strict=True):
            self.keep(active, self.value(passive))
        self._device.tell("calendar-activated", at, calendar_name=self.value(_ACTIVE[0]))
        self._revise(at)

    def _activate_if_consistent(self, at: dt.datetime) -> bool:
        try:
            self.activate(at)
        except AccessRefused:
            return False
        return True

    def _activation(self) -> dt.datetime | None:
        """When the passive calendar is to be activated, in naive local time."""
        stamp: DateTime = self.value(_TIME)
        try:
            return None if stamp.is_unspecified else self._local(stamp)
        except OverflowError:  # in the zone that the clock has by now it lies beyond the calendar
            return None

    def _local(self, stamp: DateTime) -> dt.datetime:
        return self._clock.zone.shown(self._clock.moment(stamp)).replace(tzinfo=None)

    # ---- attributes -------------------------------------------------------------------------------------------------

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse tables in which something cannot be found or has no time. Raises AccessRefused."""
        if name == _TIME:
            refuse_unless(value.is_unspecified or self._is_one_moment(value))
        elif name.startswith("season"):
            refuse_unless(are_different(season.season_profile_name for season in value))
            refuse_unless(all(is_season_start(season.season_start) for season in value))
        elif name.startswith("week"):
            refuse_unless(are_different(week.week_profile_name for week in value))
        elif name.startswith("day"):
            refuse_unless(are_different(day.day_id for day in value))
            refuse_unless(sum(len(day.day_schedule) for day in value) <= MOST_ELEMENTS)
            refuse_unless(all(is_start_time(one.start_time) for day in value for one in day.day_schedule))

    def _is_one_moment(self, stamp: DateTime) -> bool:
        if None in (stamp.hour, stamp.minute):
            return False
        try:
            self._local(stamp)
            return stamp.day_of_week in (None, stamp.to_date().isoweekday())
        except (DecodeError, OverflowError):
            return False

    def taken(self, name: str, at: dt.datetime) -> None:
        """Let what holds by now hold."""
        self._revise(at)

    def restore(self) -> None:
        """Take up the calendars that were kept, and what was in force. Raises StoreError."""
        super().restore()
        kept = load_json(self.memory, _IN_FORCE)
        if kept is not None:
            self._in_force = _from_json(kept)
        self._revise()

    def _revise(self, at: dt.datetime | None = None) -> None:
        self._forget()
        self._clock.agenda.revise(at)

    def _forget(self) -> None:
        self._planned = None

    @property
    def _plan(self) -> CalendarPlan:
        if self._planned is None:
            self._planned = self._plan_of(_ACTIVE)
        return self._planned

    def _plan_of(self, names: tuple[str, ...]) -> CalendarPlan:
        _, seasons, weeks, days = (self.value(name) for name in names)
        return CalendarPlan(seasons, weeks, days, self._special_day, self._clock.months)

    def _special_day(self, day: dt.date) -> int | None:
        return None if self._special_days is None else self._special_days.day_id(day, self._clock.months)


def _to_json(held: InForce) -> list[Any]:
    return [
        None if held.season is None else held.season.hex(),
        held.day_id,
        None if held.since is None else held.since.isoformat(),
        [[action.script_logical_name.octets.hex(), action.script_selector] for action in held.actions],
    ]


def _from_json(kept: list[Any]) -> InForce:
    season, day_id, since, actions = kept
    return InForce(
        None if season is None else bytes.fromhex(season),
        day_id,
        None if since is None else dt.datetime.fromisoformat(since),
        tuple(ActionItem(Obis(bytes.fromhex(name)), selector) for name, selector in actions),
    )
