"""The hour that the end of daylight saving repeats: which pass of it a stamp without deviation means.

What speaks for the first or the second pass, in this order:

1. the daylight saving bit of the clock status, where the meter keeps it: where it agrees with the zone in the rows
   outside of the hour, and differs between two passes;
2. the order of the rows: behind the one step back in time begins the second pass;
3. of a single pass, its neighbours: it lies behind the row before it and before the row behind it, and continues one
   of them without a gap, where it does not continue both.

Where nothing does, the first pass is taken and the row is doubtful. A row that is written just before the clock goes
back carries the time at which it goes back (``03:00``); it has the choice as well, and is the end of the hour behind
the second pass unless the same signs say that it ends the first one.

Moments are microseconds, as in :mod:`cosemic.model.profile_stamps`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple


class Choice(NamedTuple):
    """The two moments that a stamp may stand for; ``daylight``: the daylight saving bit, None without clock status."""

    early: int
    late: int
    daylight: bool | None


class StampedRow(NamedTuple):
    """A row with a stamp, and those without that hang on it.

    number: of the row. end: the moment that is taken where nothing speaks for the other. before, behind: how far the
    rows without stamp reach in time.
    """

    number: int
    end: int
    choice: Choice | None
    before: int
    behind: int

    def first(self, moment: int) -> int:
        """When the earliest row of it ends, where it ends itself at a moment."""
        return moment - self.before

    def last(self, moment: int) -> int:
        """When the latest row of it ends."""
        return moment + self.behind


Run = list[tuple[StampedRow, Choice]]
"""Rows in one repeated hour, one behind the other."""


def choose(rows: Sequence[StampedRow], period: int, *, daylight_bit: bool) -> Iterator[tuple[int, int | None]]:
    """Yield the number of each row that has a choice, and the moment that it means; None where that is not known.

    rows: in order of time, as far as it is known. period: capture_period. daylight_bit: whether the meter keeps it.
    """
    run: Run = []
    left: int | None = None
    for row, behind in pairwise([*rows, None]):
        assert row is not None
        if row.choice is None:
            left = row.last(row.end)
            continue
        run.append((row, row.choice))
        if behind is not None and behind.choice is not None and _is_same_hour(row.choice, behind.choice):
            continue
        right = None if behind is None else behind.first(behind.end)
        for (one, _), end in zip(run, _ends(run, left, right, period, daylight_bit), strict=True):
            yield one.number, end
        run, left = [], row.last(row.end)


def _is_same_hour(one: Choice, other: Choice) -> bool:
    return abs(one.early - other.early) <= one.late - one.early


def _ends(run: Run, left: int | None, right: int | None, period: int, daylight_bit: bool) -> list[int | None]:
    """The moments of a run between two neighbours, of which the ends nearest to it are given."""
    shift = run[0][1].late - run[0][1].early
    early = [(row.first(choice.early), row.last(choice.early)) for row, choice in run]
    falls = [
        number
        for number, ((_, last), (first, _)) in enumerate(pairwise(early), 1)
        if first < last or (first == last and period == shift)
    ]
    said = {choice.daylight for _, choice in run}
    if daylight_bit and None not in said and not (falls and len(said) == 1):
        return [choice.early if choice.daylight else choice.late for _, choice in run]
    if len(falls) == 1 and _lie_between(left, early[0][0], early[-1][1] + shift, right):
        return [choice.early if number < falls[0] else choice.late for number, (_, choice) in enumerate(run)]
    if falls:
        return [None] * len(run)
    return _single_pass(run, left, right, period)


def _single_pass(run: Run, left: int | None, right: int | None, period: int) -> list[int | None]:
    """The moments of rows that never step back in time."""
    # A stamp of the time at which the clock goes back ends the hour, as it does on any other day.
    doubtful = [(row, choice) for row, choice in run if row.end == choice.early]
    certain: list[int | None] = [row.end for row, _ in run[len(doubtful) :]]
    if not doubtful:
        return certain
    (row, choice), (end_row, end_choice) = doubtful[0], doubtful[-1]
    if certain:
        right = run[len(doubtful)][0].first(run[len(doubtful)][0].end)
    early = row.first(choice.early), end_row.last(end_choice.early)
    late = row.first(choice.late), end_row.last(end_choice.late)
    fits = _lie_between(left, *early, right), _lie_between(left, *late, right)
    if fits == (True, True):
        fits = _follows(left, early[0], period), _follows(late[1], right, period)
    if fits[0] == fits[1]:
        return [None] * len(doubtful) + certain
    return [choice.early if fits[0] else choice.late for _, choice in doubtful] + certain


def _lie_between(left: int | None, first: int, last: int, right: int | None) -> bool:
    """Whether rows lie between their neighbours, and do not meet them."""
    return (left is None or left < first) and (right is None or last < right)


def _follows(end: int | None, next_end: int | None, period: int) -> bool:
    """Whether one row ends a capture_period after another."""
    if end is None or next_end is None or not period:
        return False
    return abs(next_end - end - period) < period // 2
