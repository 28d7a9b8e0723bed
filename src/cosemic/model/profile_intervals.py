"""Which intervals the rows of a profile stand for, and which are missing.

A row is stamped at the end of its interval, which starts one capture_period before, but not before the end of the row
before it; where the period is of whole days, at the same time on the wall. Intervals belong to a range by their
middle, so that stamps some seconds off change nothing. Moments are microseconds since 1970 in UTC, as in
:mod:`cosemic.model.profile_stamps`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from cosemic.model.profile_stamps import DAY, SECOND, Mark, instant, moment_of, shifted, zone_of_days

_DAYLIGHT_SAVING: Final = 3600 * SECOND
_MONTH_END: Final = DAY * SECOND
"""How far the row that closes a month may be stamped from its end."""
_LAST_MONTH: Final = 12 * dt.MAXYEAR + 11
_REPEATED: Final = int(Mark.REPEATED)
_SHORT_INTERVAL: Final = int(Mark.SHORT_INTERVAL)


class Interval(NamedTuple):
    """A span of time in UTC; ``end`` is not part of it."""

    start: dt.datetime
    end: dt.datetime


def starts_of(ends: Sequence[int | None], marks: list[int], period: int, zone: dt.tzinfo | None) -> list[int | None]:
    """Return where the intervals start, and set the marks that come from the neighbour.

    ends: in order of time; None has no interval. period: seconds; 0: no row has one. zone: for periods of whole days.
    """
    starts: list[int | None] = [None] * len(ends)
    if not period:
        return starts
    days = period % DAY == 0
    wall = zone_of_days(period, zone)
    before: int | None = None
    last: int | None = None
    for index, end in enumerate(ends):
        if end is None:
            continue
        if end == last and before is not None:
            marks[before] |= _REPEATED
            marks[index] |= _REPEATED
            starts[index] = starts[before]
        else:
            start = shifted(end, -period, wall)
            if last is not None and start is not None and last < end:
                if days and abs(last - start) <= _DAYLIGHT_SAVING:
                    start = last
                elif last > start:
                    start = last
                    marks[index] |= _SHORT_INTERVAL
            starts[index] = start
        before, last = index, end
    return starts


def within(
    starts: Sequence[int | None], ends: Sequence[int | None], since: int | None, until: int | None
) -> list[int] | None:
    """Return the numbers of the rows that belong to [since, until) or have no stamp; None: all of them."""
    kept = [
        index
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
        if end is None
        or (
            (since is None or 2 * since <= (2 * end if start is None else start + end))
            and (until is None or (2 * end if start is None else start + end) < 2 * until)
        )
    ]
    return kept if len(kept) < len(ends) else None


def missing(
    covered: Sequence[tuple[int, int]], since: int, until: int, period: int, zone: dt.tzinfo | None
) -> Iterator[tuple[int, int]]:
    """Yield the intervals of [since, until) that no row covers.

    covered: start and end of each row, in order of time. period: seconds, how long an interval is expected to be.
    zone: of the meter, for days of 23 and 25 hours. Intervals are laid beside the rows that are there; where there is
    none, from midnight of the meter on.
    """
    if not covered:
        yield from _laid(_grid(since, period, zone), period, zone, since, until)
        return
    ahead = reversed([(start, end) for end, start in _laid(covered[0][0], -period, zone, since)])
    yield from (one for one in ahead if sum(one) < 2 * until)
    at = covered[0][0]
    for start, end in covered:
        if at < start:
            for begin, stop in _laid(at, period, zone, max(at, since), min(start, until)):
                yield begin, min(stop, start)
        at = end
    yield from _laid(at, period, zone, since, until)


def _laid(at: int, step: int, zone: dt.tzinfo | None, since: int, until: int = 0) -> Iterator[tuple[int, int]]:
    """Intervals side by side from ``at`` on whose middle lies in [since, until); a negative step: back to ``since``."""
    wall = zone_of_days(step, zone)
    while (behind := shifted(at, step, wall)) is not None:
        if at + behind < 2 * since if step < 0 else at + behind >= 2 * until:
            return
        if at + behind >= 2 * since:
            yield at, behind
        at = behind


def _grid(since: int, period: int, zone: dt.tzinfo | None) -> int:
    """Where the first interval begins when no row says it: counted from midnight of the meter."""
    midnight = instant(_midnight(since, zone))
    if period >= DAY:
        return midnight
    return since - (since - midnight) % (period * SECOND)


def _midnight(moment: int, zone: dt.tzinfo | None) -> dt.datetime:
    there = moment_of(moment).astimezone(zone or dt.UTC)
    return there.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def missing_months(
    ends: Sequence[int | None], since: int, until: int, zone: dt.tzinfo | None
) -> Iterator[tuple[int, int]]:
    """Yield the months of the meter, with their middle in [since, until), at whose end no row was captured."""
    first = _midnight(since, zone).replace(day=1)
    start = instant(first)
    month = first.year * 12 + first.month - 1
    closed = [end for end in ends if end is not None]
    while start < until and month < _LAST_MONTH:
        month += 1
        end = instant(first.replace(year=month // 12, month=month % 12 + 1))
        if 2 * since <= start + end < 2 * until and not any(abs(one - end) <= _MONTH_END for one in closed):
            yield start, end
        start = end
