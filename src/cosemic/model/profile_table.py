"""The rows of a profile by column, put in order of time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cosemic.codec import EncodedData
from cosemic.errors import DecodeError
from cosemic.model.profile_cells import Cells, as_list, columns_of, taken
from cosemic.model.profile_columns import Column
from cosemic.model.profile_intervals import starts_of
from cosemic.model.profile_stamps import SECOND, Mark, Stamps, read_stamps
from cosemic.model.types import Deviation
from cosemic.values import ClockStatus


@dataclass(slots=True)
class Table:
    """The rows by column, in order of time; moments in microseconds since 1970, cells as sent, without the clock."""

    starts: list[int | None]
    ends: list[int | None]
    clock_status: list[ClockStatus | None]
    marks: list[int]
    cells: list[Cells]

    def taken(self, rows: Sequence[int]) -> Table:
        """Return some rows, in that order."""
        each = (self.starts, self.ends, self.clock_status, self.marks)
        starts, ends, clock_status, marks = ([one[row] for row in rows] for one in each)
        return Table(starts, ends, clock_status, marks, [taken(cells, rows) for cells in self.cells])  # type: ignore[arg-type]  # each keeps its type


def received(
    buffer: EncodedData | Iterable[Sequence[Any]],
    columns: Sequence[Column],
    selected: Sequence[Column],
    deviations: list[Deviation],
) -> tuple[Sequence[Column], list[Cells]]:
    """Return the columns that a buffer has, and their cells; no cells where it has no rows.

    selected: the columns that it is to have; all of ``columns`` are a deviation. Raises DecodeError for others.
    """
    cells = columns_of(buffer, len(selected))
    if len(cells) in (0, len(selected)):
        return selected, cells
    if len(cells) != len(columns):
        raise DecodeError(f"{len(selected)} columns, not {len(cells)}", path="buffer[0]")
    deviations.append(Deviation("buffer", f"{len(selected)} columns", f"all {len(columns)}"))
    return columns, cells


def table_of(
    clock: Cells | None,
    cells: list[Cells],
    rows: int,
    period: int,
    *,
    entries: tuple[int, int] | None,
    descending: bool,
    zone: dt.tzinfo | None,
    inverted_deviation: bool,
) -> Table:
    """Return rows of absolute cells in order of time; ``clock``: the cells of the stamps, None without any.

    The others are those of :meth:`cosemic.model.profile.LoadProfile.from_buffer`.
    """
    if clock is None:
        stamps = Stamps([None] * rows, [None] * rows, [int(Mark.NO_STAMP)] * rows)
    else:
        stamps = read_stamps(
            as_list(clock), period, descending=descending, zone=zone, inverted_deviation=inverted_deviation
        )
    table = Table([None] * rows, stamps.ends, stamps.clock_status, stamps.marks, cells)
    order: Sequence[int] = range(rows)
    if entries is not None:
        order = order[max(entries[0] - 1, 0) : entries[1] or None]
    if descending:
        order = order[::-1]
    ends = [stamps.ends[row] for row in order]
    known = [end for end in ends if end is not None]
    if len(known) == len(ends) and any(before > after for before, after in pairwise(known)):
        order = sorted(order, key=lambda row: stamps.ends[row] or 0)
    if order != range(rows):
        table = table.taken(order)
    table.starts = starts_of(table.ends, table.marks, period, zone)
    return table


def outside(ends: Sequence[int | None], since: int | None, until: int | None, period: int) -> int:
    """How many rows a range from since to until, both inclusive, does not hold; stamps may be off by half a period."""
    half = period * SECOND // 2
    return sum(
        end is not None and ((since is not None and end < since - half) or (until is not None and end > until + half))
        for end in ends
    )
