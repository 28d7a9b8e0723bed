"""The buffer of a profile: rows kept in order, and the parts of it that are asked for (class 7; IEC 62056-6-2, 5.2).

::

    range_descriptor   restricting_object, from_value .. to_value both inclusive, selected_values (none: all columns)
    entry_descriptor   from_entry .. to_entry, from_selected_value .. to_selected_value; from 1, to 0 is the last

Entries are numbered in the order of the buffer, which is that of the sort_method.

A range over a time compares moments. A bound may leave fields unspecified: without a whole date it is no bound; what is
unspecified of the time is the first such moment in from_value, the last in to_value; without deviation it is in the
zone of the meter. Moments of captures are found by index. A range over any other column compares values.

========================  ==========================================================
type-unmatched            a bound cannot be compared with what the column holds
scope-of-access-violated  an object that is no column here, or more than there are
========================  ==========================================================
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final

from cosemic.codec import EncodedData
from cosemic.errors import DecodeError
from cosemic.model import (
    CaptureObjectDefinition,
    Clock,
    Column,
    EntryDescriptor,
    RangeDescriptor,
    SortMethod,
    interface_class,
)
from cosemic.model.formats import DateTimeOctets
from cosemic.model.profile_columns import clock_of
from cosemic.server.buffer_encoding import BufferEncoding, encode_buffer
from cosemic.server.cells import buffer_of, cut, row_of
from cosemic.server.clock import EPOCH, ClockObject
from cosemic.server.objects import AccessRefused
from cosemic.server.profile_configuration import ProfileConfiguration
from cosemic.server.rows import Entry, Rows, rank
from cosemic.values import DataAccessResult, DateTime

_CENTISECOND: Final = dt.timedelta(milliseconds=10)
_NOT_SPECIFIED: Final = 0xFF
_AT_A_TIME: Final = 4096
"""Rows that are looked at together."""
_RISING: Final = frozenset({SortMethod.FIFO, SortMethod.SMALLEST})
_FALLING: Final = frozenset({SortMethod.LIFO, SortMethod.LARGEST})


def centiseconds(moment: dt.datetime) -> int:
    """Return an aware moment as hundredths of a second since 1970, UTC: what rows are found by."""
    return (moment - EPOCH) // _CENTISECOND


class ProfileBuffer:
    """A buffer. clock: of the meter; it tells what a time without deviation means."""

    def __init__(
        self, configuration: ProfileConfiguration, rows: Rows, clock: ClockObject | None, encoding: BufferEncoding
    ) -> None:
        self.rows = rows
        self._configuration = configuration
        self._captured = configuration.capture_objects
        self._clock = clock
        self._encoding = encoding

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, rows: Sequence[bytes], shown: Sequence[dt.datetime]) -> None:
        """Take encoded rows, and when they were captured by the clock of the meter (aware). Raises StoreError."""
        moments = list(map(centiseconds, shown))
        method, column = self._configuration.sort_method, self._configuration.sort_column
        if column is None:
            self.rows.add(list(map(Entry, rows, moments)))
            return
        if column == self._own_stamp:
            values: Sequence[Any] = moments
        else:
            read = self._time_of if _is_time(self._captured[column]) else _itself
            values = [read(EncodedData(cells[column]).value()) for cells in cut(rows)]
        ranks = (rank(method, value) for value in values)
        self.rows.add(list(map(Entry, rows, moments, ranks)))

    def everything(self) -> EncodedData:
        """Return the buffer. Raises StoreError."""
        return self._answer(self.rows.numbered(0, len(self.rows)))

    def by_entry(self, entries: EntryDescriptor) -> EncodedData:
        """Return rows and columns by number. Raises AccessRefused, StoreError."""
        count, width = len(self.rows), len(self._captured)
        stop = min(entries.to_entry or count, count)
        start = min(max(entries.from_entry, 1) - 1, stop)
        last = entries.to_selected_value or width
        column = max(entries.from_selected_value, 1) - 1
        if not column < last <= width:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        return self._answer(self.rows.numbered(start, stop), range(column, last))

    def by_range(self, bounds: RangeDescriptor) -> EncodedData:
        """Return rows that a column selects. Raises AccessRefused, StoreError."""
        column = self._column(bounds.restricting_object)
        if len(bounds.selected_values) > len(self._captured):
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        columns = [self._column(one) for one in bounds.selected_values] or range(len(self._captured))
        if not _is_time(self._captured[column]):
            return self._answer(self._matching(column, _itself, bounds.from_value, bounds.to_value), columns)
        first, last = self._bound(bounds.from_value, last=False), self._bound(bounds.to_value, last=True)
        if column == self._own_stamp:
            return self._answer(self.rows.between(first, last), columns)
        return self._answer(self._matching(column, self._time_of, first, last), columns)

    # ---- for other objects of the device ----------------------------------------------------------------------------

    def column_numbers(self, wanted: Sequence[CaptureObjectDefinition]) -> Sequence[int]:
        """Return the places of columns; of all where none is named. Raises AccessRefused."""
        return [self._column(one) for one in wanted] or range(len(self._captured))

    def newest(self, count: int, columns: Sequence[int]) -> EncodedData:
        """Return the rows captured last, in the order of the buffer; where it is sorted, its last ones."""
        there = len(self.rows)
        count = min(count, there)
        start = 0 if self._configuration.sort_method is SortMethod.LIFO else there - count
        return self._answer(self.rows.numbered(start, start + count), columns)

    def captured(self, behind: dt.datetime | None, until: dt.datetime | None, columns: Sequence[int]) -> EncodedData:
        """Return rows captured behind one moment and up to another, by the clock of the meter (aware); None: any."""
        first = None if behind is None else centiseconds(behind) + 1
        return self._answer(self.rows.between(first, None if until is None else centiseconds(until)), columns)

    def entries(self, first: int, last: int, columns: Sequence[int]) -> EncodedData:
        """Return rows by number, from 1 on; last 0: up to the last one."""
        stop = min(last or len(self.rows), len(self.rows))
        return self._answer(self.rows.numbered(min(max(first, 1) - 1, stop), stop), columns)

    def dated(self, first: DateTime, last: DateTime, columns: Sequence[int]) -> EncodedData:
        """Return rows captured within two stamps, both inclusive, as in a range. Raises AccessRefused."""
        between = self.rows.between(self._bound(first, last=False), self._bound(last, last=True))
        return self._answer(between, columns)

    # ---- inside -----------------------------------------------------------------------------------------------------

    @cached_property
    def _own_stamp(self) -> int | None:
        """The column that holds the time of the capture."""
        if self._clock is None:
            return None
        stamp = CaptureObjectDefinition(Clock.class_id, self._clock.instance_id, Clock.time.index, 0)
        return self._captured.index(stamp) if stamp in self._captured else None

    def _column(self, wanted: CaptureObjectDefinition) -> int:
        try:
            return self._captured.index(wanted)
        except ValueError:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED) from None

    def _answer(self, rows: Sequence[bytes], columns: Sequence[int] | None = None) -> EncodedData:
        selected: Sequence[CaptureObjectDefinition] = self._captured
        if columns is not None and tuple(columns) != tuple(range(len(selected))):
            rows = [row_of([cells[column] for column in columns]) for cells in cut(rows)]
            selected = [selected[column] for column in columns]
        if self._encoding is not BufferEncoding.NULL_DATA:
            return encode_buffer(rows, self._encoding)
        clock = clock_of([Column(one) for one in selected])
        return encode_buffer(rows, self._encoding, clock, self._step(None if clock is None else selected[clock]))

    def _step(self, clock: CaptureObjectDefinition | None) -> dt.timedelta:
        """From one stamp to the next, where rows stand in the order of their stamps."""
        configuration = self._configuration
        method, by_time = configuration.sort_method, configuration.sort_column is None
        if not by_time and configuration.sort_object != clock:
            return dt.timedelta(0)
        sign = (method in _RISING) - (method in _FALLING)
        return dt.timedelta(seconds=sign * configuration.capture_period)

    def _matching(self, column: int, read: Callable[[Any], Any], first: Any, last: Any) -> list[bytes]:
        """Return the rows whose value in a column lies within two; one without value never does."""
        found: list[bytes] = []
        try:
            for rows, natives in self._in_parts():
                values = (read(row[column]) for row in natives)
                found += (
                    row
                    for row, value in zip(rows, values, strict=True)
                    if value is not None and (first is None or first <= value) and (last is None or value <= last)
                )
        except TypeError:
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED) from None
        return found

    def _in_parts(self) -> Iterator[tuple[list[bytes], Sequence[Any]]]:
        count = len(self.rows)
        for start in range(0, count, _AT_A_TIME):
            rows = self.rows.numbered(start, min(start + _AT_A_TIME, count))
            yield rows, buffer_of(rows).value()

    def _moment(self, stamp: DateTime) -> int:
        """Return the moment that is meant. Raises DecodeError for a pattern, or where there is no such moment."""
        return centiseconds(stamp.to_datetime(dt.UTC) if self._clock is None else self._clock.moment(stamp))

    def _time_of(self, value: Any) -> int | None:
        """Return the moment that a cell holds, None for none."""
        try:
            return self._moment(value if isinstance(value, DateTime) else DateTime(value))
        except (DecodeError, TypeError):
            return None

    def _bound(self, value: Any, *, last: bool) -> int | None:
        """Return the moment of a bound, None where it does not bound."""
        try:
            stamp = value if isinstance(value, DateTime) else DateTime(value)
            if None in (stamp.year, stamp.month, stamp.day_of_month):
                return None
            return self._moment(_filled(stamp, last))
        except (DecodeError, TypeError):
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED) from None


def _itself(value: Any) -> Any:
    return value


def _is_time(captured: CaptureObjectDefinition) -> bool:
    known = interface_class(captured.class_id)
    declared = known.attributes.get(captured.attribute_index) if known else None
    return declared is not None and declared.type is DateTimeOctets and not captured.data_index


def _filled(stamp: DateTime, last: bool) -> DateTime:
    """Return a stamp whose unspecified fields of the time are the first or last ones."""
    octets = stamp.octets
    ends = (23, 59, 59, 99) if last else (0, 0, 0, 0)
    time = bytes(end if octet == _NOT_SPECIFIED else octet for octet, end in zip(octets[5:9], ends, strict=True))
    return DateTime(octets[:5] + time + octets[9:])
