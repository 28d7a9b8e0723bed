"""The columns of a profile buffer: cells as they came, made absolute (IEC 62056-6-2, class 7).

A cell may be::

    an absolute value      itself
    null-data              the same as in the row before
    a delta type           the difference to the row before, in the same column
    dont-care              no value

Buffers whose rows all have the octets of one shape come as columns of NumPy, where that is installed; nothing is looked
at row by row then. Everything else gives the same as sequences of natives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final, TypeGuard

from cosemic.codec import DONT_CARE, DataType, EncodedData
from cosemic.errors import DecodeError
from cosemic.model.types import is_typed, native
from cosemic.values import BitString, Date, DateTime, Quantity, Time

_DELTA_TAG: Final = re.compile(rb"[\x1c-\x21]")
"""Octets without it hold no delta; with it they may."""

Cells = Sequence[Any]
"""Natives, or a column of NumPy whose numbers are read as they were sent."""


def columns_of(buffer: EncodedData | Iterable[Sequence[Any]], width: int) -> list[Cells]:
    """Return the cells by column: natives, typed ones where there are deltas; an empty buffer has no columns.

    width: of the rows, where they are given as rows. Raises DecodeError for what is no array of structures of one
    length.
    """
    if isinstance(buffer, EncodedData):
        if not _has_deltas(buffer):
            return buffer.columns()
        rows: Sequence[Sequence[Any]] = [row[1] for row in buffer.typed()[1]]
    else:
        rows = list(buffer)
    for number, row in enumerate(rows):
        if len(row) != width:
            raise DecodeError(f"{width} columns, not {len(row)}", path=f"buffer[{number}]")
    return list(zip(*rows, strict=True))


def _has_deltas(buffer: EncodedData) -> bool:
    if not _DELTA_TAG.search(buffer.octets):
        return False
    shape = buffer.shape()
    if shape is not None:
        return any(field.type.is_delta for field in shape.fields)
    tag, rows = buffer.typed()
    if tag not in (DataType.ARRAY, DataType.COMPACT_ARRAY) or any(row[0] is not DataType.STRUCTURE for row in rows):
        raise DecodeError("an array of structures")
    return any(cell[0].is_delta for row in rows for cell in row[1])


def absolute(cells: Cells, column: int, *, nulls_repeat: bool) -> Cells:
    """Return the cells of a column as absolute values, None where there is none.

    column: its number, for messages. nulls_repeat: null-data is the value before; False: it is no value. Raises
    DecodeError for a delta without a number before it.
    """
    if is_array(cells):
        return cells if cells.dtype.kind in "iuf" else as_list(cells)
    if not any(cell is None or cell is DONT_CARE or type(cell) is tuple for cell in cells):
        return cells
    found: list[Any] = []
    before: Any = None
    for number, cell in enumerate(cells):
        delta = False
        if is_typed(cell):
            delta = cell[0].is_delta
            cell = native(cell)
        if cell is None:
            cell = before if nulls_repeat else None
        elif delta:
            if not isinstance(before, int) or isinstance(before, bool):
                raise DecodeError("a number before the first delta", path=f"buffer[{number}][{column}]")
            cell = before + cell
        elif cell is DONT_CARE:
            cell = None
        if cell is not None:
            before = cell
        found.append(cell)
    return found


def is_array(cells: Cells) -> TypeGuard[Any]:
    """Whether the cells are an array of NumPy."""
    return hasattr(cells, "dtype")


def taken(cells: Cells, rows: Sequence[int]) -> Cells:
    """Return the cells of some rows, in that order."""
    return cells[list(rows)] if is_array(cells) else [cells[row] for row in rows]


def joined(parts: Sequence[Cells]) -> Cells:
    """Return the cells of several buffers behind each other."""
    return list(chain.from_iterable(as_list(part) for part in parts))


def as_list(cells: Cells) -> Sequence[Any]:
    """Return the cells as natives."""
    return cells.tolist() if is_array(cells) else cells


def plain(cell: Any) -> Any:
    """Return a cell as ``json.dumps`` takes it: octets and COSEM dates hexadecimal."""
    if type(cell) is int or cell is None:
        return cell
    if cell is DONT_CARE:
        return None
    if isinstance(cell, DateTime | Date | Time):
        return cell.octets.hex()
    if isinstance(cell, bytes):
        return cell.hex()
    if isinstance(cell, tuple | list):
        return [plain(one) for one in cell]
    return str(cell) if isinstance(cell, BitString | Quantity) else cell
