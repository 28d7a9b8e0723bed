"""A profile of a meter, written for tests by the words of IEC 62056-6-2, class 7; it has whims."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import DataType, EncodedData
from cosemic.model import CaptureObjectDefinition, EntryDescriptor, ProfileGeneric, RangeDescriptor, SortMethod
from cosemic.server import CosemObject
from cosemic.server.objects import AccessRefused, Situation
from cosemic.values import DataAccessResult, DateTime, Obis

R = DataAccessResult
PROFILE = "1-0:99.1.0"
Cell = tuple[DataType, Any]


def captured(code: str, class_id: int = 3, attribute: int = 2) -> CaptureObjectDefinition:
    return CaptureObjectDefinition(class_id, Obis(code), attribute, 0)


CLOCK = captured("0-0:1.0.0", 8)


class ProfileMeter(CosemObject):
    """rows: a moment and the cells behind the stamp for each, oldest first; ``stamps`` makes the stamp of a moment.

    refuses: data-access-result by what is asked: ``columns``, ``rows``. ignores: ``columns``, ``rows`` that are asked
    for and not heeded. ``asked``: what came.
    """

    def __init__(
        self,
        columns: Sequence[CaptureObjectDefinition],
        rows: Sequence[tuple[dt.datetime, tuple[Cell, ...]]],
        *,
        period: int = 900,
        method: SortMethod = SortMethod.FIFO,
        sort_object: CaptureObjectDefinition | None = None,
        stamps: Any = DateTime.from_datetime,
        name: str = PROFILE,
    ) -> None:
        self.columns = list(columns)
        self.period = period
        newest_first = method in (SortMethod.LIFO, SortMethod.LARGEST)
        self.rows = [
            (moment, ((DataType.OCTET_STRING, stamps(moment).octets), *cells))
            for moment, cells in (reversed(rows) if newest_first else rows)
        ]
        self.refuses: dict[str, DataAccessResult] = {}
        self.ignores: set[str] = set()
        self.asked: list[RangeDescriptor | EntryDescriptor | None] = []
        super().__init__(
            ProfileGeneric(name),
            {
                "buffer": self.whole,
                "capture_objects": tuple(columns),
                "capture_period": period,
                "sort_method": method,
                "sort_object": sort_object or captured("0-0:0.0.0*0", 0, 0),
                "entries_in_use": len(rows),
                "profile_entries": max(len(rows), 1),
            },
        )

    def selectors(self, attribute_id: int) -> tuple[int, ...]:
        return (1, 2) if attribute_id == 2 else ()

    def whole(self, now: dt.datetime) -> EncodedData:
        self.asked.append(None)
        return self.encoded(range(len(self.rows)), range(len(self.columns)))

    def select(self, attribute_id: int, selection: SelectiveAccessDescriptor, situation: Situation) -> EncodedData:
        typed = selection.access_parameters.typed()
        if selection.access_selector == 1:
            by_range = RangeDescriptor.decode(typed)
            self.asked.append(by_range)
            rows: Sequence[int] = self.between(by_range.from_value, by_range.to_value)
            chosen = [self.columns.index(one) for one in by_range.selected_values]
        else:
            by_entry = EntryDescriptor.decode(typed)
            self.asked.append(by_entry)
            rows = range(len(self.rows))[by_entry.from_entry - 1 : by_entry.to_entry or None]
            chosen = list(
                range(len(self.columns))[by_entry.from_selected_value - 1 : by_entry.to_selected_value or None]
            )
        everything = list(range(len(self.columns)))
        for what, limited in (("rows", True), ("columns", bool(chosen) and chosen != everything)):
            if limited and what in self.refuses:
                raise AccessRefused(self.refuses[what])
        if "columns" in self.ignores:
            chosen = everything
        return self.encoded(range(len(self.rows)) if "rows" in self.ignores else rows, chosen or everything)

    def between(self, first: bytes, last: bytes) -> list[int]:
        """Rows between two bounds, both inclusive; bounds without deviation are on the wall of the stamps."""
        bounds = [DateTime(octets) for octets in (first, last)]
        if bounds[0].deviation is None:
            walls = [bound.octets[:4] + bound.octets[5:8] for bound in bounds]
            stamps = [cells[0][1][:4] + cells[0][1][5:8] for _, cells in self.rows]
            return [at for at, stamp in enumerate(stamps) if walls[0] <= stamp <= walls[1]]
        begin, end = (bound.to_datetime() for bound in bounds)
        return [at for at, (moment, _) in enumerate(self.rows) if begin <= moment <= end]

    def encoded(self, rows: Sequence[int], columns: Sequence[int]) -> EncodedData:
        chosen = [(DataType.STRUCTURE, tuple(self.rows[row][1][at] for at in columns)) for row in rows]
        return EncodedData.from_typed((DataType.ARRAY, tuple(chosen)))
