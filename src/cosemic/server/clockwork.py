"""What a logical device does as time passes: processes that are due at moments of their own.

A process says when it is due; the clockwork runs whatever is due, in order of time, before a service is answered.
Nothing runs by itself, and no timer is needed: a meter that is asked after a week does in one go what it would have
done in that week. A process is told the moment at which it was due, never the moment at which it is made up for.

::

    time ---|-------o------o-----x------o-------------> now
            done    run    run   run    run             advance(now)

All moments are true time: aware, as ``now`` of the device gives it. What is due by the clock of the meter (schedules,
captures, calendars) follows from :class:`~cosemic.server.clock.ClockObject`; when that changes, the device first does
what is due before, and then has every process say anew when it is due (:meth:`Clockwork.reconsider`).

Of processes that are due at the same moment those with the lower ``order`` come first, then those that were added
first.
"""

from __future__ import annotations

import datetime as dt
from enum import IntEnum
from typing import Final, Protocol

from cosemic.errors import ConfigurationError
from cosemic.server.recurrence import RESOLUTION


class Order(IntEnum):
    """Which of several processes due at one moment comes first."""

    MEASURING = 0
    """Demand periods and registers: what is captured afterwards is complete."""
    CAPTURING = 10
    """Profiles: with the values of the interval that ends."""
    SWITCHING = 20
    """Schedules, calendars and scripts: what holds from now on."""
    SUPERVISING = 30
    """Limiters, monitors and connection: they see all that happened before."""


class Process(Protocol):
    """Something that a device does at certain moments."""

    def due(self, after: dt.datetime) -> dt.datetime | None:
        """Return the first moment behind ``after`` at which there is something to do; None: none as things stand."""

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        """Do what is due at ``at``; return ``at``.

        Until ``until`` (exclusive) nothing else of the device is due: what this process has to do before may be done in
        the same call; then the last of these moments is returned.
        """


class _Entry:
    """A process with its place and the moment at which it is due."""

    __slots__ = ("due", "order", "process")

    def __init__(self, process: Process, order: int) -> None:
        self.process = process
        self.order = order
        self.due: dt.datetime | None = None


MOST_AT_ONE_MOMENT: Final = 10_000
"""Runs without getting ahead; more is a process that never comes to an end."""


class Clockwork:
    """The processes of a device. start: moment (aware) up to which all is done; None: that of the first advance."""

    def __init__(self, start: dt.datetime | None = None) -> None:
        self._done = start
        self._entries: list[_Entry] = []
        self._next: dt.datetime | None = None
        self._running = False
        self._stale = False

    @property
    def done(self) -> dt.datetime | None:
        """The moment up to which everything is done; None before the first advance."""
        return self._done

    def start(self, at: dt.datetime) -> None:
        """Say up to which moment everything is done already, as after a restart."""
        self._done = at
        self.reconsider()

    def add(self, process: Process, order: Order) -> None:
        """Take a process."""
        entry = _Entry(process, order)
        self._entries.append(entry)
        self._entries.sort(key=lambda one: one.order)
        self.reconsider()

    def reconsider(self) -> None:
        """Have every process say anew when it is due: something that it goes by has changed."""
        self._stale = True

    def next_due(self) -> dt.datetime | None:
        """Return when something is due next; None for nothing, or before the first advance."""
        if self._stale and self._done is not None and not self._running:
            self._ask_all(self._done)
        return self._next

    def advance(self, now: dt.datetime) -> None:
        """Do what is due up to and including ``now``; a moment before the last one changes nothing.

        A process that makes another service of the device run, which advances again, is not disturbed by it.
        Raises ConfigurationError for a process that is due again and again at one moment.
        """
        if self._running or (self._done is not None and now <= self._done and not self._stale):
            return
        if self._done is None:
            self._done = now
        if self._stale:
            self._ask_all(self._done)
        if self._next is None or self._next > now:
            self._done = max(self._done, now)
            return
        self._running = True
        try:
            self._run(now)
        finally:
            self._running = False
        self._done = max(self._done, now)

    def _run(self, now: dt.datetime) -> None:
        still = 0
        while (entry := self._first()) is not None and entry.due is not None and entry.due <= now:
            at = entry.due
            others = [one.due for one in self._entries if one is not entry and one.due is not None]
            last = entry.process.run(at, max(at, min([*others, now + RESOLUTION])))
            assert self._done is not None
            still = 0 if last > self._done else still + 1
            if still > MOST_AT_ONE_MOMENT:
                raise ConfigurationError(f"{entry.process!r} is due at {at} again and again")
            self._done = max(self._done, last)
            if self._stale:
                # What has run at this moment has run: only the one that ran is asked from here on.
                self._ask_others(entry, last)
            entry.due = entry.process.due(last)
        self._next = self._earliest()

    def _ask_others(self, ran: _Entry, at: dt.datetime) -> None:
        self._stale = False
        for one in self._entries:
            if one is not ran and (one.due is None or one.due != at):
                one.due = one.process.due(at)

    def _ask_all(self, after: dt.datetime) -> None:
        self._stale = False
        for one in self._entries:
            one.due = one.process.due(after)
        self._next = self._earliest()

    def _earliest(self) -> dt.datetime | None:
        return min((one.due for one in self._entries if one.due is not None), default=None)

    def _first(self) -> _Entry | None:
        """The entry that is due first; of equals the one that stands first."""
        due = [one for one in self._entries if one.due is not None]
        return min(due, key=lambda one: one.due, default=None)  # type: ignore[arg-type,return-value]  # none is None here
