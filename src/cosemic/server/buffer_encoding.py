"""How the rows of a profile buffer go out: whole, with null-data, or as compact-array (class 7; IEC 62056-6-2, 5.2).

::

    whole           02 03  09 0c 07ea0b14 .. 1400 ..  11 00  06 00003039
                    02 03  09 0c 07ea0b14 .. 1415 ..  11 00  06 0000303a
    null-data       02 03  09 0c 07ea0b14 .. 1400 ..  11 00  06 00003039
                    02 03  00                         00     06 0000303a     stamp one capture_period later, same status
    compact-array   13  02 03 09 11 06  length  { 0c 07ea0b14 ..  00  00003039 } ...

With null-data the first row of an answer is always whole, a stamp that says more than its time (another deviation or
daylight saving, a clock that is invalid or doubtful) too. A cell without value, where null-data would be taken for the
value before, goes out as dont-care (unsure: the standard does not say how else to send it).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple

from cosemic.codec import DEFAULT_LIMITS, CompactArray, DataType, EncodedData
from cosemic.codec.typed import describe
from cosemic.errors import DecodeError, EncodeError
from cosemic.server.cells import NO_CELL, buffer_of, cut, row_of
from cosemic.server.clock import EPOCH
from cosemic.values import ClockStatus, DateTime

_DONT_CARE: Final = bytes((DataType.DONT_CARE,))
_PLAIN_STATUS: Final = (None, ClockStatus(0), ClockStatus.DAYLIGHT_SAVING_ACTIVE)


class BufferEncoding(Enum):
    """How a buffer goes out."""

    WHOLE = "whole"
    """Every value of every row."""
    NULL_DATA = "null-data"
    """null-data for a value equal to that of the row before, and for a stamp that follows from it."""
    COMPACT_ARRAY = "compact-array"
    """One description for all rows; where they are not all of one type, or there are none: whole."""


def encode_buffer(
    rows: Sequence[bytes], encoding: BufferEncoding, clock: int | None = None, step: dt.timedelta = dt.timedelta(0)
) -> EncodedData:
    """Return rows as they go out.

    clock: number of the column whose stamps may be left out; step: from one row to the next, negative where the newest
    comes first, 0 for stamps that always go out.
    """
    if encoding is BufferEncoding.NULL_DATA:
        return buffer_of(list(_without_repetitions(rows, clock, step)))
    if encoding is BufferEncoding.COMPACT_ARRAY and rows:
        return _compact(rows)
    return buffer_of(rows)


def _compact(rows: Sequence[bytes]) -> EncodedData:
    whole = buffer_of(rows)
    try:
        elements = whole.typed()[1]
        description = describe(elements[0], DEFAULT_LIMITS.depth)
        return EncodedData.from_typed((DataType.COMPACT_ARRAY, CompactArray(elements, description)))
    except (EncodeError, DecodeError):  # of several types, or more than one decode may cost
        return whole


class _Stamp(NamedTuple):
    moment: dt.datetime
    rest: bytes


def _without_repetitions(rows: Sequence[bytes], clock: int | None, step: dt.timedelta) -> Iterator[bytes]:
    before: list[bytes] = []
    stamp: _Stamp | None = None
    for cells in cut(rows):
        before = before or [NO_CELL] * len(cells)
        sent = []
        for column, cell in enumerate(cells):
            if column == clock:
                previous, stamp = stamp, _stamp(cell) if step else None
                sent.append(NO_CELL if _follows(previous, stamp, step) else cell)
            elif cell in (NO_CELL, _DONT_CARE):
                sent.append(NO_CELL if before[column] == NO_CELL else _DONT_CARE)
            elif cell == before[column]:
                sent.append(NO_CELL)
            else:
                before[column] = cell
                sent.append(cell)
        yield row_of(sent)


def _follows(previous: _Stamp | None, stamp: _Stamp | None, step: dt.timedelta) -> bool:
    if previous is None or stamp is None:
        return False
    return stamp.moment - previous.moment == step and stamp.rest == previous.rest


def _stamp(cell: bytes) -> _Stamp | None:
    """What a stamp says, where that is no more than when it was; seconds of a UNIX clock say no more."""
    value = EncodedData(cell).value()
    try:
        if isinstance(value, int):
            return _Stamp(EPOCH + dt.timedelta(seconds=value), b"")
        stamp = value if isinstance(value, DateTime) else DateTime(value)
        if stamp.deviation is None or stamp.clock_status not in _PLAIN_STATUS:
            return None
        return _Stamp(stamp.to_datetime(dt.UTC), stamp.octets[9:])
    except (DecodeError, OverflowError, TypeError):
        return None
