"""Communication windows: when a device may send (attribute communication_window of class 40; IEC 62056-6-2, 5.3).

::

    start_time  *-*-* 22:00:00     open from the last start on, until an end comes
    end_time    *-*-* 06:00:00     the end itself is outside; where both come at one moment the window goes on

Both are patterns of local time, by the clock of the meter; one that gives its deviation is meant in that. A start
without any field is "since ever", an end without any is "for ever"; no windows at all: always. What happens at a local
time happens once, as everywhere (:mod:`cosemic.server.local_time`): at its first occurrence in the night in which an
hour comes twice, at the switch where it is skipped.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from cosemic.model.push import WindowElement
from cosemic.server.clock import ClockObject
from cosemic.server.local_time import MOST_MINUTES
from cosemic.server.recurrence import RESOLUTION, is_day, is_time, last_moment, next_moment
from cosemic.values import DateTime

MOST_WINDOWS: Final = 32
_MOST_TRIES: Final = 16
"""Starts that are looked at: of a window that begins and ends within a skipped hour nothing is left that night."""
_Comes = tuple[dt.datetime, dt.datetime]
"""A moment, and the local time that it is: of what falls into a skipped hour that tells the order."""


def is_window(element: WindowElement) -> bool:
    """Whether both ends of a window are date-times that can be."""
    return all(
        is_time(stamp) and (stamp.date.is_unspecified or is_day(stamp)) and abs(stamp.deviation or 0) <= MOST_MINUTES
        for stamp in (element.start_time, element.end_time)
    )


class Windows:
    """Communication windows by a clock; all moments are true time, aware."""

    def __init__(self, clock: ClockObject, elements: Sequence[WindowElement]) -> None:
        self._clock = clock
        self._elements = tuple(elements)

    def is_open(self, at: dt.datetime) -> bool:
        """Whether it may be sent at a moment."""
        return not self._elements or any(self._is_open(one, at) for one in self._elements)

    def opening(self, at: dt.datetime) -> dt.datetime | None:
        """Return the first moment, not before ``at``, at which it may be sent; None: never again."""
        if self.is_open(at):
            return at
        return min((found for one in self._elements if (found := self._opening(one, at)) is not None), default=None)

    def closing(self, at: dt.datetime) -> dt.datetime | None:
        """Return when the windows that are open at a moment are closed again, all of them; None: never."""
        ends = [self._next(one.end_time, at) for one in self._elements if self._is_open(one, at)]
        return None if not ends or None in ends else max(end for end in ends if end is not None)[0]

    # ---- one window -------------------------------------------------------------------------------------------------

    def _is_open(self, one: WindowElement, at: dt.datetime) -> bool:
        end = self._last(one.end_time, at)
        if one.start_time.is_unspecified:
            return end is None
        start = self._last(one.start_time, at)
        return start is not None and (end is None or end <= start)

    def _opening(self, one: WindowElement, at: dt.datetime) -> dt.datetime | None:
        if one.start_time.is_unspecified:
            return None  # it was open from the beginning, and is closed for good
        for _ in range(_MOST_TRIES):
            start = self._next(one.start_time, at)
            if start is None or self._is_open(one, start[0]):
                return None if start is None else start[0]
            at = start[0]
        return None

    # ---- one end ----------------------------------------------------------------------------------------------------

    def _last(self, stamp: DateTime, at: dt.datetime) -> _Comes | None:
        """When an end of a window came last, up to and including a moment; None: never."""
        if stamp.is_unspecified:
            return None
        found = last_moment(stamp.date, stamp.time, self._unseen(stamp, at) - RESOLUTION, self._clock.months)
        return None if found is None else (self._moment(stamp, found), found)

    def _next(self, stamp: DateTime, at: dt.datetime) -> _Comes | None:
        """When an end of a window comes next, behind a moment; None: never."""
        if stamp.is_unspecified:
            return None
        found = next_moment(stamp.date, stamp.time, self._unseen(stamp, at), self._clock.months)
        return None if found is None else (self._moment(stamp, found), found)

    def _unseen(self, stamp: DateTime, at: dt.datetime) -> dt.datetime:
        """The least local time, naive, that has not been shown at a moment."""
        if stamp.deviation is None:
            return self._clock.unseen(at)
        shown = at + self._clock.offset + self._clock.ahead(stamp.deviation)
        return shown.astimezone(dt.UTC).replace(tzinfo=None) + RESOLUTION

    def _moment(self, stamp: DateTime, local: dt.datetime) -> dt.datetime:
        if stamp.deviation is None:
            return self._clock.true_time(local)
        return local.replace(tzinfo=dt.UTC) - self._clock.ahead(stamp.deviation) - self._clock.offset
