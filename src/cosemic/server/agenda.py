"""What a device does at local times: schedules, calendars and single actions, in one sequence (IEC 62056-6-2, 5.5).

A planner knows at which local times there is something to do; the agenda does it when its clock comes to show them, and
once. What the standard says of Schedule when the clock does not simply go on holds for all planners:

==========================  ============================================================================================
daylight saving begins      what falls into the skipped hour is done at the switch
daylight saving ends        what falls into the repeated hour is not done again
small change of the clock   up to its synchronisation_limit: nothing is lost, nothing done twice
clock set forwards          what was missed is made up for, as the planner allows
clock set backwards         what comes again is done again
power failure               from power-down on nothing is done; after power-up as when the clock is set forwards
==========================  ============================================================================================

``power-down`` and ``power-up`` are happenings of the device, told when it has done what is due before. A power failure
outlives the process: one that starts because power is back tells so.

What is made up for, or falls into the skipped hour, is done in the order of its local times; each thing once, however
often it was missed. Nothing is made up for that is more than a year back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from cosemic.server.recurrence import RESOLUTION
from cosemic.server.state import FORGETFUL, Memory, load_json, save_json

if TYPE_CHECKING:
    from cosemic.server.clock import ClockChange, ClockObject
    from cosemic.server.logical_device import Happening

K = TypeVar("K")
LONGEST_MADE_UP: Final = dt.timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do. local: its time, naive. rank: of what is to be done at the same time, the lower comes first."""

    local: dt.datetime
    rank: int
    run: Callable[[dt.datetime], object]
    """Called with true time."""


CALENDAR_RANK: Final = 0
"""An Activity calendar comes before the entries of a Schedule, whose rank is their index, 1 to 9999."""
SINGLE_ACTION_RANK: Final = 10_000


class Planner(Protocol):
    """Something that is done at local times."""

    def next(self, floor: dt.datetime) -> dt.datetime | None:
        """Return the first local time, naive, not before ``floor``, at which there may be something to do; or None."""

    def tasks(self, since: dt.datetime, until: dt.datetime, *, made_up: bool) -> Iterable[Task]:
        """Return what is to be done at local times from ``since`` to before ``until``.

        made_up: these times were missed, so that what is too old by now is left out. Both may be the same: then what
        has to hold by now is put right.
        """


class Coming(Generic[K]):
    """When each of several things comes next, looked for only when it has not been found yet."""

    def __init__(self, search: Callable[[K, dt.datetime], dt.datetime | None]) -> None:
        self._search = search
        self._found: dict[K, tuple[dt.datetime, dt.datetime | None]] = {}

    def forget(self) -> None:
        """Look for everything anew."""
        self._found.clear()

    def of(self, key: K, floor: dt.datetime) -> dt.datetime | None:
        """Return when one comes next, not before ``floor``; None: never."""
        asked, found = self._found.get(key, (dt.datetime.max, None))
        if asked > floor or (found is not None and found < floor):
            found = self._search(key, floor)
            self._found[key] = floor, found
        return found

    def first(self, keys: Iterable[K], floor: dt.datetime) -> dt.datetime | None:
        """Return when the first of several comes, not before ``floor``."""
        return min((at for key in keys if (at := self.of(key, floor)) is not None), default=None)


class Agenda:
    """The planners that go by a clock, as one process of its device."""

    def __init__(self, clock: ClockObject) -> None:
        self._clock = clock
        self._planners: list[Planner] = []
        self._coming: Coming[int] = Coming(lambda number, floor: self._planners[number].next(floor))
        self._memory: Memory = FORGETFUL
        self._after: dt.datetime | None = None
        self._unsettled = False
        self._held: dt.datetime | None = None
        """Local time before which all is done, though the clock was put back behind it."""
        self._down: dt.datetime | None = None
        """Local time before which all was done when power failed."""
        self._up: dt.datetime | None = None
        """When power came back, until what was missed is made up for."""
        self._seen = dt.datetime.min
        clock.changing.append(self._clock_changing)

    def add(self, planner: Planner) -> None:
        """Take a planner."""
        self._planners.append(planner)
        self.revise()

    def revise(self, at: dt.datetime | None = None) -> None:
        """Look anew at what is due, and put right what has to hold: something that planners go by has changed.

        at: do so now, at this true time; otherwise as soon as the device does what is due.
        """
        self._coming.forget()
        self._clock.reconsider()
        if at is None or self._down is not None:
            self._unsettled = True
        else:
            self._do(self._floor(at), self._floor(at), at, made_up=False)

    def attach(self, memory: Memory) -> None:
        """Go on with what was kept in the memory of the clock. Raises StoreError."""
        self._memory = memory
        kept = load_json(memory, "agenda")
        if kept is not None:
            self._held, self._down, self._up = (one and dt.datetime.fromisoformat(one) for one in kept)

    # ---- as a process -----------------------------------------------------------------------------------------------

    def due(self, after: dt.datetime) -> dt.datetime | None:
        """Return when a planner has something to do next; ``after`` itself where something has to be put right."""
        self._after = after
        if self._down is not None:
            return None if self._up is None else max(after, self._up)
        if self._unsettled:
            return after
        coming = self._coming.first(range(len(self._planners)), self._floor(after))
        return None if coming is None else self._clock.true_time(coming)

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        """Do what is due."""
        self._unsettled = False
        if self._down is not None:
            since, until = self._down, self._floor(at)
            self._down = self._up = None
            self._save()
            self._do(min(since, until), until, at, made_up=True)
            return at
        before = at if self._after is None or at <= self._after else at - RESOLUTION
        self._do(self._floor(before), self._floor(at), at, made_up=False)
        return at

    def _floor(self, at: dt.datetime) -> dt.datetime:
        """The least local time that is not done at ``at``."""
        unseen = self._clock.unseen(at)
        return unseen if self._held is None else max(unseen, self._held)

    def _do(self, since: dt.datetime, until: dt.datetime, at: dt.datetime, *, made_up: bool) -> None:
        since = max(since, until - LONGEST_MADE_UP)
        tasks = [task for planner in self._planners for task in planner.tasks(since, until, made_up=made_up)]
        for task in sorted(tasks, key=lambda one: (one.local, one.rank)):
            task.run(at)

    # ---- where time does not simply go on ---------------------------------------------------------------------------

    def _clock_changing(self, now: dt.datetime) -> None:
        self._seen = self._floor(now)

    def clock_changed(self, change: ClockChange) -> None:
        """Make up for what a change of the clock has passed over, or see to it that nothing is done twice."""
        self._coming.forget()
        self._held = None
        seen, unseen = self._seen, self._clock.unseen(change.at)
        corrected = not change.sets_time or abs(unseen - seen) <= self._clock.synchronisation_limit
        if corrected and unseen < seen:
            self._held = seen
        self._save()
        if self._down is None and not (corrected and unseen < seen):
            self._do(min(seen, unseen), unseen, change.at, made_up=not corrected)

    def happened(self, happening: Happening) -> None:
        """Stand still from ``power-down`` on, until ``power-up``."""
        if happening.name == "power-down":
            self._up = None
            if self._down is None:
                self._down = self._floor(happening.at)
            self._save()
            self._clock.reconsider()
        elif happening.name == "power-up" and self._down is not None:
            self._up = happening.at
            self._save()
            self._clock.reconsider()

    def _save(self) -> None:
        kept = (self._held, self._down, self._up)
        save_json(self._memory, "agenda", [one and one.isoformat() for one in kept])
