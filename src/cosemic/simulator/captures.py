"""Captures that a clock makes due: load profile, daily and billing values.

An entry is stamped with the time at which it is captured, so that it stands for the interval that ends there. What is
due is captured when somebody asks. When the clock of the meter is changed, what was due before is captured first; an
interval that is passed over leaves a gap, one that comes again is captured again, and the next entry says so in its
status.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from cosemic.server import ClockObject, ProfileRows, centiseconds

Row = Callable[[dt.datetime, dt.datetime, bool], Sequence[Any]]
"""Makes a row: true time of the capture (UTC), the same by the clock of the meter, whether the clock was changed."""


class Schedule(Protocol):
    """Tells when captures are due, by the clock of the meter."""

    def at_or_before(self, moment: dt.datetime) -> dt.datetime:
        """Return the last capture that is due at a moment."""

    def after(self, due: dt.datetime) -> dt.datetime:
        """Return the capture that follows one."""

    def earlier(self, due: dt.datetime, count: int) -> dt.datetime:
        """Return a moment with at least ``count`` captures between it and a capture."""


class Every:
    """Captures every so many seconds of local time, which divide a day."""

    def __init__(self, seconds: int) -> None:
        self.step = dt.timedelta(seconds=seconds)

    def at_or_before(self, moment: dt.datetime) -> dt.datetime:
        """Return the last capture that is due at a moment."""
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + (moment - midnight) // self.step * self.step

    def after(self, due: dt.datetime) -> dt.datetime:
        """Return the capture that follows one."""
        return due + self.step

    def earlier(self, due: dt.datetime, count: int) -> dt.datetime:
        """Return the capture ``count`` steps before one."""
        return due - count * self.step


class Monthly:
    """Captures at midnight on the first of each month."""

    def at_or_before(self, moment: dt.datetime) -> dt.datetime:
        """Return the last capture that is due at a moment."""
        return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)

    def after(self, due: dt.datetime) -> dt.datetime:
        """Return the capture that follows one."""
        return self.at_or_before(due + dt.timedelta(days=32))

    def earlier(self, due: dt.datetime, count: int) -> dt.datetime:
        """Return the capture ``count`` months before one."""
        year, month = divmod(due.year * 12 + due.month - 1 - count, 12)
        return due.replace(year=year, month=month + 1)


class Captures:
    """Fills the rows of a profile as time passes.

    rows: to be filled. clock: of the meter. schedule: when. row: makes each entry. since: the first moment (true time)
    of which there is anything to capture.
    """

    def __init__(self, rows: ProfileRows, clock: ClockObject, schedule: Schedule, row: Row, since: dt.datetime) -> None:
        self.rows = rows
        self._clock = clock
        self._schedule = schedule
        self._row = row
        self._since = since
        self._last: dt.datetime | None = None
        self._changed_at: dt.datetime | None = None
        self._adjusted = False
        clock.changing.append(self._clock_changes)

    def catch_up(self, now: dt.datetime) -> None:
        """Capture what is due at ``now`` (true time)."""
        clock, schedule = self._clock, self._schedule
        shown = clock.time(now)
        last = self._last
        if last is None:
            # What would be dropped again is not captured at all.
            due = schedule.earlier(schedule.at_or_before(shown), self.rows.capacity)
            last = max(due, schedule.at_or_before(clock.time(self._since)))
        elif self._changed_at is not None:
            last = schedule.at_or_before(clock.time(self._changed_at))
        self._changed_at = None
        made = []
        while (due := schedule.after(last)) <= shown:
            made.append((self._row(due - clock.offset, due, self._adjusted), centiseconds(due)))
            self._adjusted = False
            last = due
        self._last = last
        self.rows.extend(made)

    def capture(self, now: dt.datetime) -> None:
        """Capture one entry at once, beside the schedule (method capture)."""
        self.catch_up(now)
        shown = self._clock.time(now)
        self.rows.append(self._row(now, shown, self._adjusted), centiseconds(shown))

    def _clock_changes(self, now: dt.datetime) -> None:
        self.catch_up(now)
        self._changed_at = now
        self._adjusted = True
