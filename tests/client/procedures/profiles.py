"""Profiles with rows that tests give, selected as class 7 describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import DataType, EncodedData
from cosemic.model import CaptureObjectDefinition, EntryDescriptor, ProfileGeneric, RangeDescriptor, Reading, SortMethod
from cosemic.server import CosemObject
from cosemic.server.objects import AccessRefused, Situation
from cosemic.values import DataAccessResult, DateTime, Obis

CLOCK = (8, "0-0:1.0.0", 2)
Typed = tuple[DataType, Any]


def captured(class_id: int, obis: str, attribute: int) -> CaptureObjectDefinition:
    return CaptureObjectDefinition(class_id, Obis(obis), attribute, 0)


class Recorded(CosemObject):
    """A profile of typed rows whose first cell is the stamp; selective: whether it selects by time."""

    def __init__(
        self,
        obis: str,
        columns: Sequence[tuple[int, str, int]],
        rows: Sequence[Sequence[Typed]],
        *,
        selective: bool = True,
        capture_period: int = 0,
    ) -> None:
        self.rows = list(rows)
        self.selective = selective
        self.ranges = 0
        super().__init__(
            ProfileGeneric(obis),
            {
                "buffer": lambda now: _array(self.rows),
                "capture_objects": [captured(*one) for one in columns],
                "capture_period": capture_period,
                "sort_method": SortMethod.FIFO,
                "sort_object": captured(0, "0-0:0.0.0*0", 0),
                "entries_in_use": lambda now: len(self.rows),
                "profile_entries": 100,
            },
        )

    def selectors(self, attribute_id: int) -> tuple[int, ...]:
        return (1, 2) if self.selective else ()

    def select(self, attribute_id: int, selection: SelectiveAccessDescriptor, situation: Situation) -> EncodedData:
        if not self.selective:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        if selection.access_selector == 2:
            entries = EntryDescriptor.decode(selection.access_parameters.typed(), Reading())
            assert (entries.from_entry, entries.to_entry) == (1, 0)
            return _array(self.rows)
        self.ranges += 1
        bounds = RangeDescriptor.decode(selection.access_parameters.typed(), Reading())
        first, last = (DateTime(bound).to_datetime() for bound in (bounds.from_value, bounds.to_value))
        return _array([row for row in self.rows if first <= DateTime(row[0][1]).to_datetime() <= last])


def _array(rows: Sequence[Sequence[Typed]]) -> EncodedData:
    return EncodedData.from_typed((DataType.ARRAY, tuple((DataType.STRUCTURE, tuple(row)) for row in rows)))


def stamped(moment: Any, *cells: Typed) -> tuple[Typed, ...]:
    """A row: a moment (aware), and cells."""
    return (DataType.OCTET_STRING, DateTime.from_datetime(moment).octets), *cells
