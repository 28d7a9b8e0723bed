"""Rows of a profile as a server keeps them: encoded once, in the order of the buffer (class 7; IEC 62056-6-2, 5.2).

::

    sort_method          order of the buffer                 a new row, when the buffer is full
    fifo                 as captured                         pushes out the oldest
    lifo                 the newest first                    pushes out the oldest
    largest, smallest    by sort_object, then as captured    pushes out the last one, where it comes before that;
    nearest_to_zero      by the size of sort_object          else it is not kept
    furthest_from_zero

A row has a *rank*: octets by which sorted rows are put in order (:func:`rank`), the least first. Beside it stands the
moment of its capture by the clock of the meter (hundredths of a second since 1970, UTC), by which a range is found.
Rows are kept in memory, or on disk (:mod:`cosemic.server.stored_rows`): :class:`Rows` is the contract of both.
"""

from __future__ import annotations

import math
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import islice
from operator import le
from typing import Any, Final, NamedTuple, Protocol

from cosemic.model import SortMethod

UNSORTED: Final = frozenset({SortMethod.FIFO, SortMethod.LIFO})
"""Methods that go by the order of capture alone."""
_BY_SIZE: Final = frozenset({SortMethod.NEAREST_TO_ZERO, SortMethod.FURTHEST_FROM_ZERO})
_DESCENDING: Final = frozenset({SortMethod.LARGEST, SortMethod.FURTHEST_FROM_ZERO})
_WHOLE: Final = 9
"""Octets that hold every whole number of Data, biased by :data:`_BIAS` so that none is negative."""
_BIAS: Final = 1 << 64
_INVERTED: Final = bytes(range(255, -1, -1))
_LAST: Final = b"\xff"


def rank(method: SortMethod, value: Any) -> bytes:
    """Return the rank of a row whose sort_object is ``value``; what is no number comes last."""
    if method in UNSORTED:
        return b""
    if not isinstance(value, int | float) or (isinstance(value, float) and math.isnan(value)):
        return _LAST
    if method in _BY_SIZE:
        value = abs(value)
    if isinstance(value, float):
        octets = struct.pack(">d", value + 0.0)
        # Of negative numbers all bits are turned, of others the sign: then octets compare as the numbers do.
        octets = octets.translate(_INVERTED) if octets[0] & 0x80 else bytes((octets[0] | 0x80,)) + octets[1:]
    else:
        octets = (value + _BIAS).to_bytes(_WHOLE)
    return b"\x00" + (octets.translate(_INVERTED) if method in _DESCENDING else octets)


class Entry(NamedTuple):
    """A row to be kept: its octets, the moment of its capture, its rank."""

    octets: bytes
    moment: int
    rank: bytes = b""


class Rows(Protocol):
    """Rows of one profile, at most so many as there is room for."""

    def __len__(self) -> int:
        """Return how many there are."""

    def add(self, entries: Sequence[Entry]) -> None:
        """Take rows in the order of their capture. Raises StoreError."""

    def clear(self) -> None:
        """Drop all. Raises StoreError."""

    def numbered(self, start: int, stop: int) -> list[bytes]:
        """Return rows by their place in the buffer, from 0; there are so many. Raises StoreError."""

    def between(self, first: int | None, last: int | None) -> list[bytes]:
        """Return, in the order of the buffer, rows whose moment lies within two, both inclusive; None: no bound.

        Raises StoreError.
        """


class MemoryRows:
    """Rows in memory; they end with the process."""

    def __init__(self, capacity: int, method: SortMethod = SortMethod.FIFO) -> None:
        self.capacity = capacity
        self._sorted = method not in UNSORTED
        self._newest_first = method is SortMethod.LIFO
        # Sorted rows in the order of the buffer; others as they were captured.
        self._rows: list[bytes] = []
        self._moments = array("q")
        self._ranks: list[bytes] = []
        self._rising = True

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, entries: Sequence[Entry]) -> None:
        """Take rows in the order of their capture."""
        if self._sorted:
            for entry in entries:
                self._insert(entry)
            return
        for octets, moment, _ in entries:
            self._rows.append(octets)
            if self._moments and moment < self._moments[-1]:
                self._rising = False
            self._moments.append(moment)
        if (excess := len(self._rows) - self.capacity) > 0:
            del self._rows[:excess]
            del self._moments[:excess]
            self._rising = self._rising or all(map(le, self._moments, islice(self._moments, 1, None)))

    def _insert(self, entry: Entry) -> None:
        place = bisect_right(self._ranks, entry.rank)
        if place >= self.capacity:
            return
        self._rows.insert(place, entry.octets)
        self._moments.insert(place, entry.moment)
        self._ranks.insert(place, entry.rank)
        for kept in (self._rows, self._moments, self._ranks):
            del kept[self.capacity :]

    def clear(self) -> None:
        """Drop all."""
        self._rows.clear()
        self._ranks.clear()
        del self._moments[:]
        self._rising = True

    def numbered(self, start: int, stop: int) -> list[bytes]:
        """Return rows by their place in the buffer, from 0."""
        if not self._newest_first:
            return self._rows[start:stop]
        count = len(self._rows)
        return self._rows[count - stop : count - start][::-1]

    def between(self, first: int | None, last: int | None) -> list[bytes]:
        """Return rows whose moment lies within two, both inclusive; None: no bound. By bisection while moments rise."""
        moments = self._moments
        if self._rising and not self._sorted:
            start = 0 if first is None else bisect_left(moments, first)
            found = self._rows[start : len(moments) if last is None else bisect_right(moments, last)]
        else:
            found = [
                row
                for row, moment in zip(self._rows, moments, strict=True)
                if (first is None or first <= moment) and (last is None or moment <= last)
            ]
        return found[::-1] if self._newest_first else found
