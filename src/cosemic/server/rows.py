"""Rows of a profile as a server keeps them: encoded once, joined when they are asked for.

Each row is the octets of its structure, so that a buffer is served by joining them. Beside them stands the moment of
each row (hundredths of a second since 1970, UTC), where one column is a clock; while moments rise, a range is found by
bisection.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import le
from typing import Any

from cosemic.codec import DataType, EncodedData, encode_length
from cosemic.codec.encoded import scan
from cosemic.codec.rows import encode_rows
from cosemic.errors import ConfigurationError


class ProfileRows:
    """At most ``capacity`` rows, oldest first; a new one drops the oldest (sort method FIFO).

    types: of the columns. Raises ConfigurationError for no columns or no capacity.
    """

    def __init__(self, types: Sequence[DataType], capacity: int) -> None:
        if not types or capacity < 1:
            raise ConfigurationError("a profile has at least one column and room for one entry")
        self.types = tuple(types)
        self.capacity = capacity
        self._rows: list[bytes] = []
        self._moments = array("q")
        self._rising = True

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, row: Sequence[Any], moment: int = 0) -> None:
        """Add one row of natives. Raises EncodeError for a value that does not fit its column."""
        self.extend([(row, moment)])

    def extend(self, rows: Iterable[tuple[Sequence[Any], int]]) -> None:
        """Add rows of natives with their moments, in this order. Raises EncodeError."""
        added = list(rows)
        octets = encode_rows(self.types, [row for row, _ in added])
        position = 1 + len(encode_length(len(added)))
        for _, moment in added:
            end = scan(octets, position)
            self._rows.append(octets[position:end])
            position = end
            if self._moments and moment < self._moments[-1]:
                self._rising = False
            self._moments.append(moment)
        if (excess := len(self._rows) - self.capacity) > 0:
            del self._rows[:excess]
            del self._moments[:excess]
            self._rising = self._rising or _is_rising(self._moments)

    def clear(self) -> None:
        """Drop all rows."""
        self._rows.clear()
        del self._moments[:]
        self._rising = True

    def between(self, first: int | None, last: int | None) -> Sequence[int]:
        """Return the numbers, from 0, of the rows whose moment lies within two, both inclusive; None: no bound."""
        moments = self._moments
        if self._rising:
            start = 0 if first is None else bisect_left(moments, first)
            return range(start, len(moments) if last is None else bisect_right(moments, last))
        return [
            number
            for number, moment in enumerate(moments)
            if (first is None or first <= moment) and (last is None or moment <= last)
        ]

    def array_of(self, numbers: Sequence[int], columns: Sequence[int]) -> EncodedData:
        """Return rows, by number, as the buffer is sent; ``columns``: which of them, by number from 0."""
        if tuple(columns) != tuple(range(len(self.types))):
            types = [self.types[column] for column in columns]
            return EncodedData.from_rows(types, [[row[column] for column in columns] for row in self.natives(numbers)])
        rows: Iterator[bytes]
        if isinstance(numbers, range) and numbers.step == 1:
            rows = islice(self._rows, numbers.start, max(numbers.start, numbers.stop))
        else:
            rows = (self._rows[number] for number in numbers)
        return EncodedData(b"\x01" + encode_length(len(numbers)) + b"".join(rows))

    def natives(self, numbers: Sequence[int]) -> list[tuple[Any, ...]]:
        """Return rows, by number, as natives."""
        everything = range(len(self.types))
        return list(self.array_of(numbers, everything).value()) if len(numbers) else []


def _is_rising(moments: array[int]) -> bool:
    return all(map(le, moments, islice(moments, 1, None)))
