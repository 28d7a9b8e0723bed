"""When a profile captures: at local times, by a clock that may be set (class 7 capture_period; IEC 62056-6-2, 5.2).

A schedule knows local times only; :class:`CaptureTimes` tells at which moments the clock of the meter shows them::

    clock shows   01:30  01:45  02:00 | 03:00  03:15     set forward, or daylight saving begins: a gap
    clock shows   02:30  02:45  03:00 | 02:00  02:15     set back, or daylight saving ends: captured again

The time to which a clock is set is not captured itself. A local time that daylight saving skips is captured when it
would have been shown, with the time that is shown then. One that it repeats is captured twice where the period divides
the shift, else once, as that of midnight is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple, Protocol

from cosemic.server.clock import ClockObject

_ORIGIN: Final = dt.datetime(2001, 1, 1)
"""Midnight of a Monday: periods that do not divide a day are counted from here."""
MOST_AT_ONCE: Final = 4096
"""Captures that are told of together, however long nobody has asked."""
Moment = dt.datetime
_MARGIN: Final = dt.timedelta(hours=3)
"""More than daylight saving shifts a clock."""


class Schedule(Protocol):
    """Tells when captures are due, in naive local time."""

    def at_or_before(self, moment: dt.datetime) -> dt.datetime:
        """Return the last capture that is due at a moment."""

    def after(self, moment: dt.datetime) -> dt.datetime:
        """Return the first capture that is due behind a moment."""

    def earlier(self, due: dt.datetime, count: int) -> dt.datetime:
        """Return the capture ``count`` captures before one."""


class Every:
    """Captures every so many seconds, counted from midnight where they divide a day."""

    def __init__(self, seconds: int) -> None:
        self.step = dt.timedelta(seconds=seconds)

    def at_or_before(self, moment: dt.datetime) -> dt.datetime:
        """Return the last capture that is due at a moment."""
        return moment - (moment - _ORIGIN) % self.step

    def after(self, moment: dt.datetime) -> dt.datetime:
        """Return the first capture that is due behind a moment."""
        return moment - (moment - _ORIGIN) % self.step + self.step

    def earlier(self, due: dt.datetime, count: int) -> dt.datetime:
        """Return the capture ``count`` steps before one."""
        return due - count * self.step


class Monthly:
    """Captures at midnight on the first of each month."""

    def at_or_before(self, moment: dt.datetime) -> dt.datetime:
        """Return the last capture that is due at a moment."""
        return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)

    def after(self, moment: dt.datetime) -> dt.datetime:
        """Return the first capture that is due behind a moment."""
        return self.at_or_before(self.at_or_before(moment) + dt.timedelta(days=32))

    def earlier(self, due: dt.datetime, count: int) -> dt.datetime:
        """Return the capture ``count`` months before one."""
        year, month = divmod(due.year * 12 + due.month - 1 - count, 12)
        return due.replace(year=year, month=month + 1)


class _Coming(NamedTuple):
    """The first capture behind any moment from ``behind`` on to just before it: true time, and by the clock (aware)."""

    behind: Moment
    at: Moment
    shown: Moment
    local: Moment
    """What is shown, naive."""


class CaptureTimes:
    """The moments (true time, aware) at which captures are due."""

    def __init__(self, clock: ClockObject, schedule: Schedule) -> None:
        self._clock = clock
        self._schedule = schedule
        self._known: _Coming | None = None

    def forget(self) -> None:
        """Find out anew what is due: the clock has changed."""
        self._known = None

    def after(self, moment: Moment) -> Moment:
        """Return the first capture behind a moment."""
        return self._following(moment).at

    def within(self, after: Moment, until: Moment, most: int | None = None) -> list[tuple[Moment, Moment]]:
        """Return captures behind ``after`` up to and including ``until``, and what the clock shows then (aware).

        most: of more than these the last ones; None: of more than :data:`MOST_AT_ONCE` the first ones.
        """
        if most is None:
            return list(islice(self._between(after, until), MOST_AT_ONCE))
        return list(self._between(max(after, self._room_for(until, most)), until))[-most:]

    def passed(self, before: Moment, after: Moment) -> bool:
        """Tell whether a clock that is set from one local time to another passes over a capture, or comes upon it."""
        return self._schedule.after(before.replace(tzinfo=None)) <= after.replace(tzinfo=None)

    def _between(self, after: Moment, until: Moment) -> Iterator[tuple[Moment, Moment]]:
        while (coming := self._following(after)).at <= until:
            yield coming.at, coming.shown
            after = coming.at

    def _room_for(self, until: Moment, most: int) -> Moment:
        """A moment with at least ``most`` captures between it and ``until``."""
        local, schedule = self._local(until), self._schedule
        try:
            return until - (local - schedule.earlier(schedule.at_or_before(local), most)) - _MARGIN
        except (OverflowError, ValueError):  # before the calendar begins
            return dt.datetime.min.replace(tzinfo=dt.UTC)

    def _following(self, after: Moment) -> _Coming:
        known = self._known
        if known is not None and known.behind <= after < known.at:
            return known
        local = known.local if known is not None and known.at == after else self._local(after)
        self._known = coming = self._found(after, local)
        return coming

    def _found(self, after: Moment, local: Moment) -> _Coming:
        """The first capture behind a moment at which the clock shows ``local``."""
        due = self._schedule.after(local)
        at = after + (due - local)
        shown = self._clock.time(at)
        seen = shown.replace(tzinfo=None)
        if seen != due and seen != self._schedule.at_or_before(seen):
            # Daylight saving begins or ends on the way.
            corrected = at + (due - seen)
            if corrected > after and (there := self._clock.time(corrected)).replace(tzinfo=None) == due:
                return _Coming(after, corrected, there, due)
        return _Coming(after, at, shown, seen)

    def _local(self, moment: Moment) -> Moment:
        return self._clock.time(moment).replace(tzinfo=None)
