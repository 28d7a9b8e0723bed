"""Profile generic of a server, with range and entry selection (class 7 version 1; IEC 62056-6-2, 5.2).

::

    range_descriptor   restricting_object, from_value .. to_value both inclusive, selected_values (none: all columns)
    entry_descriptor   from_entry .. to_entry, from_selected_value .. to_selected_value; from 1, to 0 is the last

A range over the clock column compares moments. A bound may leave fields unspecified: without a whole date it is no
bound; what is unspecified of the time is the first such moment in from_value, the last in to_value; without deviation
it is in the zone of the meter. A range over any other column compares values.

========================  ==========================================================
type-unmatched            the parameters are not those of the selector
scope-of-access-violated  an unknown selector, or an object that is no column here
========================  ==========================================================
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import EncodedData
from cosemic.errors import ConfigurationError, DecodeError
from cosemic.model import (
    CaptureObjectDefinition,
    EntryDescriptor,
    ProfileGeneric,
    RangeDescriptor,
    Reading,
    SortMethod,
)
from cosemic.model.compound import Structure
from cosemic.server.clock import EPOCH, ClockObject
from cosemic.server.objects import AccessRefused, CosemObject, Handler, Situation
from cosemic.server.rows import ProfileRows
from cosemic.values import DataAccessResult, DateTime, Obis

BUFFER: Final = ProfileGeneric.buffer.index
RANGE: Final = 1
ENTRY: Final = 2
_NO_OBJECT: Final = CaptureObjectDefinition(0, Obis(bytes(6)), 0, 0)
_CENTISECOND: Final = dt.timedelta(milliseconds=10)
_NOT_SPECIFIED: Final = 0xFF


def centiseconds(moment: dt.datetime) -> int:
    """Return an aware moment as hundredths of a second since 1970, UTC: what rows are found by."""
    return (moment - EPOCH) // _CENTISECOND


class ProfileObject(CosemObject):
    """A profile.

    capture_objects: the columns. rows: their values; ``rows.types`` in the same order. clock: tells what bounds without
    deviation mean; needed where a column is a clock. capture_period: seconds, 0 for entries that events make.
    refresh: called with ``now`` before each service, to capture what is due. capture: serves the method of that name.

    Raises ConfigurationError where columns and types differ in number.
    """

    def __init__(
        self,
        instance_id: Obis | str,
        capture_objects: Sequence[CaptureObjectDefinition],
        rows: ProfileRows,
        *,
        clock: ClockObject | None = None,
        capture_period: int = 0,
        refresh: Callable[[dt.datetime], None] | None = None,
        capture: Callable[[dt.datetime], None] | None = None,
    ) -> None:
        if len(capture_objects) != len(rows.types):
            raise ConfigurationError(f"{len(capture_objects)} capture objects for rows of {len(rows.types)} values")
        self.capture_objects = tuple(capture_objects)
        self.rows = rows
        self._clock = clock
        self._refresh = refresh
        methods: dict[str, Handler] = {"reset": lambda _, situation: self._reset(situation)}
        if capture is not None:
            methods["capture"] = lambda _, situation: capture(situation.now)
        super().__init__(
            ProfileGeneric(instance_id),
            {
                "buffer": lambda now: self._everything(now),
                "capture_objects": self.capture_objects,
                "capture_period": capture_period,
                "sort_method": SortMethod.FIFO,
                "sort_object": _NO_OBJECT,
                "entries_in_use": lambda now: len(self._fresh(now)),
                "profile_entries": rows.capacity,
            },
            methods=methods,
        )

    def selectors(self, attribute_id: int) -> tuple[int, ...]:
        """Return the selectors of the buffer."""
        return (RANGE, ENTRY) if attribute_id == BUFFER else ()

    def select(self, attribute_id: int, selection: SelectiveAccessDescriptor, situation: Situation) -> EncodedData:
        """Return a part of the buffer. Raises AccessRefused; see the module's table."""
        if attribute_id != BUFFER or selection.access_selector not in (RANGE, ENTRY):
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        self._fresh(situation.now)
        if selection.access_selector == RANGE:
            return self._range(_parameters(RangeDescriptor, selection))
        return self._entries(_parameters(EntryDescriptor, selection))

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _fresh(self, now: dt.datetime) -> ProfileRows:
        if self._refresh is not None:
            self._refresh(now)
        return self.rows

    def _everything(self, now: dt.datetime) -> EncodedData:
        rows = self._fresh(now)
        return rows.array_of(range(len(rows)), range(len(rows.types)))

    def _reset(self, situation: Situation) -> None:
        self._fresh(situation.now).clear()

    def _entries(self, entries: EntryDescriptor) -> EncodedData:
        count, width = len(self.rows), len(self.capture_objects)
        stop = min(entries.to_entry or count, count)
        start = min(max(entries.from_entry, 1) - 1, stop)
        last = entries.to_selected_value or width
        column = max(entries.from_selected_value, 1) - 1
        if not column < last <= width:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        return self.rows.array_of(range(start, stop), range(column, last))

    def _range(self, bounds: RangeDescriptor) -> EncodedData:
        column = self._column(bounds.restricting_object)
        columns = [self._column(one) for one in bounds.selected_values] or range(len(self.capture_objects))
        captured = self.capture_objects[column]
        if (captured.class_id, captured.attribute_index) == (8, 2) and self._clock is not None:
            first = self._bound(bounds.from_value, self._clock, last=False)
            last = self._bound(bounds.to_value, self._clock, last=True)
            return self.rows.array_of(self.rows.between(first, last), columns)
        return self.rows.array_of(self._matching(column, bounds.from_value, bounds.to_value), columns)

    def _column(self, wanted: CaptureObjectDefinition) -> int:
        try:
            return self.capture_objects.index(wanted)
        except ValueError:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED) from None

    def _matching(self, column: int, first: Any, last: Any) -> list[int]:
        """Number the rows whose value in a column lies within two; null-data never does."""
        values = [row[column] for row in self.rows.natives(range(len(self.rows)))]
        try:
            return [number for number, value in enumerate(values) if value is not None and first <= value <= last]
        except TypeError:
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED) from None

    @staticmethod
    def _bound(value: Any, clock: ClockObject, *, last: bool) -> int | None:
        """Return the moment of a bound by the clock, None where it does not bound."""
        try:
            stamp = value if isinstance(value, DateTime) else DateTime(value)
            if None in (stamp.year, stamp.month, stamp.day_of_month):
                return None
            return centiseconds(clock.moment(_filled(stamp, last)))
        except (DecodeError, TypeError):
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED) from None


def _filled(stamp: DateTime, last: bool) -> DateTime:
    """Return a stamp whose unspecified fields of the time are the first or last ones."""
    octets = stamp.octets
    ends = (23, 59, 59, 99) if last else (0, 0, 0, 0)
    time = bytes(end if octet == _NOT_SPECIFIED else octet for octet, end in zip(octets[5:9], ends, strict=True))
    return DateTime(octets[:5] + time + octets[9:])


def _parameters(declared: type[Structure], selection: SelectiveAccessDescriptor) -> Any:
    try:
        return declared.decode(selection.access_parameters.typed(), Reading())
    except DecodeError:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED) from None
