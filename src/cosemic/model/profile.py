"""What the buffer of a Profile generic means: rows of values and when they hold (IEC 62056-6-2, class 7).

A buffer is an array of rows, a row a structure with one cell for each capture object. A cell may be::

    an absolute value      itself
    null-data              the same as in the row before; for the clock, where an empty octet-string says the same,
                           one capture_period after it
    a delta type           the difference to the row before, in the same column
    dont-care              no value

A row is stamped when it is captured, at the *end* of its interval: the row of 00:00 belongs to the day before. An
interval starts one capture_period before its end, but not before the end of the row before it; where the period is of
whole days, at the same local time. A capture_period of 0 means rows captured on events: they have a stamp, and no
interval.

Rows come out in order of time whatever the sort_method was. What is doubtful about a row is said in its :class:`Mark`;
rows are never merged or dropped for it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Final, NamedTuple

from cosemic.codec import DONT_CARE, DataType, EncodedData
from cosemic.errors import DecodeError
from cosemic.model.data_storage import SortMethod
from cosemic.model.profile_columns import Column, clock_of
from cosemic.model.types import is_typed, native
from cosemic.values import BitString, ClockStatus, Date, DateTime, Time

UTC: Final = dt.UTC
_DAY: Final = 86_400
_DAYLIGHT_SAVING: Final = dt.timedelta(hours=1)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=UTC)


class Mark(IntFlag):
    """What is remarkable about a row."""

    CLOCK_INVALID = 1
    """The clock status says that the stamp is invalid."""
    CLOCK_DOUBTFUL = 2
    """The clock status says that the stamp is doubtful."""
    STAMP_DERIVED = 4
    """The stamp was null: the one before and a capture_period."""
    NO_STAMP = 8
    """There is no stamp, or it is no moment of the calendar."""
    ZONE_ASSUMED = 16
    """The stamp has no deviation and no time zone was given: it was read as UTC."""
    SHORT_INTERVAL = 32
    """The row before ended within the capture_period: power failure, or the clock was set."""
    REPEATED = 64
    """Another row has the same interval."""

    def names(self) -> list[str]:
        """Return the kebab-case names of the marks that are set."""
        return [name.lower().replace("_", "-") for name, mark in Mark.__members__.items() if self & mark]


class Row(NamedTuple):
    """A row: its interval in UTC (None where it has none), the values of the columns, and how far to trust it.

    Values with scaler and unit are a Quantity; times a DateTime; None where there is none. ``status`` is the value of
    the first status column (0-b:96.10.e or 96.5.e), which stands among the values too.
    """

    interval_start: dt.datetime | None
    interval_end: dt.datetime | None
    values: tuple[Any, ...]
    status: Any
    clock_status: ClockStatus | None
    marks: Mark


NOTHING: Final = Mark(0)


@dataclass(slots=True)
class _Entry:
    """A row while it is worked on; ``cells`` as sent, without the clock."""

    cells: tuple[Any, ...]
    end: dt.datetime | None = None
    start: dt.datetime | None = None
    clock_status: ClockStatus | None = None
    marks: Mark = NOTHING


class LoadProfile:
    """Rows of a profile with the columns they belong to.

    columns: without the clock, whose stamps have become the intervals. capture_period: seconds; 0: on events.
    """

    def __init__(self, columns: tuple[Column, ...], capture_period: int, entries: Sequence[_Entry]) -> None:
        self.columns = columns
        self.capture_period = capture_period
        self._entries = entries

    @classmethod
    def from_buffer(
        cls,
        buffer: EncodedData | Iterable[Sequence[Any]],
        columns: Sequence[Column],
        capture_period: int,
        *,
        sort_method: SortMethod | int = SortMethod.FIFO,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        zone: dt.tzinfo | None = None,
        inverted_deviation: bool = False,
        nulls_repeat: bool = True,
    ) -> LoadProfile:
        """Give the rows of a buffer their meaning.

        buffer: as it came; or rows of native cells, of typed cells where they hold deltas.
        columns: one for each cell, in the order of capture_objects (or of selected_values).
        capture_period: seconds. sort_method: of the profile.
        since, until: keep the intervals that lie in [since, until), by their middle; events by their stamp.
        zone: of the meter, for stamps without deviation, and for days of 23 and 25 hours.
        inverted_deviation: the meter counts the deviation the other way round.
        nulls_repeat: null-data repeats the value before; False: it stands for no value. Null stamps always advance.

        Raises DecodeError for octets that are no buffer, a row that does not fit the columns, or a delta without base.
        """
        rows = _rows_of(buffer) if isinstance(buffer, EncodedData) else buffer
        descending = sort_method in (SortMethod.LIFO, SortMethod.LARGEST)
        stamps = _Stamps(-capture_period if descending else capture_period, zone, inverted_deviation)
        at = clock_of(columns)
        entries = []
        for cells in _resolved(rows, columns, at, nulls_repeat):
            entry = _Entry(cells if at is None else cells[:at] + cells[at + 1 :])
            stamps.put(entry, None if at is None else cells[at])
            entries.append(entry)
        if descending:
            entries.reverse()
        if all(entry.end is not None for entry in entries):
            entries.sort(key=lambda entry: entry.end or _EPOCH)
        _set_intervals(entries, capture_period, zone)
        kept = [entry for entry in entries if _within(entry, since, until)]
        return cls(tuple(one for index, one in enumerate(columns) if index != at), capture_period, kept)

    def __len__(self) -> int:
        return len(self._entries)

    def rows(self) -> Iterator[Row]:
        """Yield the rows in order of time."""
        columns = self.columns
        status_at = next((index for index, one in enumerate(columns) if one.is_status), None)
        for entry in self._entries:
            values = tuple(column.value(cell) for column, cell in zip(columns, entry.cells, strict=True))
            status = None if status_at is None else values[status_at]
            yield Row(entry.start, entry.end, values, status, entry.clock_status, entry.marks)

    __iter__ = rows

    def to_dict(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes: columns with scaler and unit; rows with values *as sent*, without scaler.

        Octets and COSEM dates are hexadecimal, intervals ISO 8601 in UTC, marks and clock status lists of names.
        """
        return {
            "capture_period": self.capture_period,
            "columns": [column.to_dict() for column in self.columns],
            "rows": [
                {
                    "interval_start": _iso(entry.start),
                    "interval_end": _iso(entry.end),
                    "values": [_plain(cell) for cell in entry.cells],
                    "clock_status": None if entry.clock_status is None else entry.clock_status.names(),
                    "marks": entry.marks.names(),
                }
                for entry in self._entries
            ],
        }


# ---- cells -----------------------------------------------------------------------------------------------------------

_LEAST_DELTA: Final = DataType.DELTA_INTEGER
_GREATEST_DELTA: Final = DataType.DELTA_DOUBLE_LONG_UNSIGNED
_DELTA_TAG: Final = re.compile(rb"[\x1c-\x21]")
"""Octets without it hold no delta; with it they may."""


def _rows_of(buffer: EncodedData) -> Iterable[Sequence[Any]]:
    """Rows of native cells; of typed ones where there are deltas, which natives do not tell from numbers."""
    if _DELTA_TAG.search(buffer.octets):
        tag, rows = buffer.typed()
        if tag not in (DataType.ARRAY, DataType.COMPACT_ARRAY) or any(row[0] is not DataType.STRUCTURE for row in rows):
            raise DecodeError("an array of structures")
        if any(_LEAST_DELTA <= cell[0] <= _GREATEST_DELTA for row in rows for cell in row[1]):
            return [row[1] for row in rows]
    natives = buffer.value()
    if not isinstance(natives, list) or not all(isinstance(row, tuple) for row in natives):
        raise DecodeError("an array of structures")
    return natives


def _resolved(
    rows: Iterable[Sequence[Any]], columns: Sequence[Column], clock: int | None, nulls_repeat: bool
) -> Iterator[tuple[Any, ...]]:
    """Rows with absolute cells; the clock's null stays None."""
    before: list[Any] = [None] * len(columns)
    for number, row in enumerate(rows):
        if len(row) != len(columns):
            raise DecodeError(f"{len(columns)} columns, not {len(row)}", path=f"buffer[{number}]")
        if all(cell is not None and cell is not DONT_CARE and type(cell) is not tuple for cell in row):
            before = list(row)
            yield tuple(row)
            continue
        cells = []
        for index, cell in enumerate(row):
            delta = False
            if is_typed(cell):
                delta = cell[0].is_delta
                cell = native(cell)
            if cell is None:
                cell = before[index] if nulls_repeat and index != clock else None
            elif delta:
                base = before[index]
                if not isinstance(base, int) or isinstance(base, bool):
                    raise DecodeError("a number before the first delta", path=f"buffer[{number}][{index}]")
                cell = base + cell
            elif cell is DONT_CARE:
                cell = None
            cells.append(cell)
            if cell is not None:
                before[index] = cell
        yield tuple(cells)


# ---- stamps and intervals --------------------------------------------------------------------------------------------


class _Stamps:
    """Turns the cells of the clock into moments, one after the other."""

    def __init__(self, step: int, zone: dt.tzinfo | None, inverted_deviation: bool) -> None:
        self.step = dt.timedelta(seconds=step)
        self.zone = zone
        self.inverted_deviation = inverted_deviation
        self.before: dt.datetime | None = None

    def put(self, entry: _Entry, cell: Any) -> None:
        """Set end, clock status and marks of an entry."""
        try:
            if cell is None or cell == b"":
                if self.before is not None:
                    entry.end = self.before + self.step
                    entry.marks |= Mark.STAMP_DERIVED
            elif isinstance(cell, int) and not isinstance(cell, bool):
                entry.end = _EPOCH + dt.timedelta(seconds=cell)
            else:
                self._put_date_time(entry, cell if isinstance(cell, DateTime) else DateTime(cell))
        except (DecodeError, OverflowError, TypeError):
            entry.end = None
        if entry.end is None:
            entry.marks |= Mark.NO_STAMP
        else:
            self.before = entry.end

    def _put_date_time(self, entry: _Entry, stamp: DateTime) -> None:
        status = entry.clock_status = stamp.clock_status
        if status:
            entry.marks |= Mark.CLOCK_INVALID if status & ClockStatus.INVALID_VALUE else NOTHING
            entry.marks |= Mark.CLOCK_DOUBTFUL if status & ClockStatus.DOUBTFUL_VALUE else NOTHING
        if stamp.deviation is None and self.zone is None:
            entry.marks |= Mark.ZONE_ASSUMED
        moment = stamp.to_datetime(self.zone or UTC, inverted_deviation=self.inverted_deviation)
        end = moment.astimezone(UTC)
        if stamp.deviation is None and status is None and self.before is not None:
            # in the hour that is repeated only the order of the rows tells which of the two it is
            second = moment.replace(fold=1).astimezone(UTC)
            expected = self.before + self.step
            end = min(end, second, key=lambda candidate: abs(candidate - expected))
        entry.end = end


def _set_intervals(entries: list[_Entry], capture_period: int, zone: dt.tzinfo | None) -> None:
    """Set the starts, and the marks that come from the neighbour; entries are in order of time."""
    period = dt.timedelta(seconds=capture_period)
    days = capture_period and capture_period % _DAY == 0
    before: _Entry | None = None
    for entry in entries:
        end = entry.end
        if end is None or not capture_period:
            continue
        if before is not None and before.end == end:
            before.marks |= Mark.REPEATED
            entry.marks |= Mark.REPEATED
            entry.start = before.start
        else:
            entry.start = _start(end, period, zone if days else None)
            last = before.end if before else None
            if last is not None and entry.start is not None and last < end:
                if days and abs(last - entry.start) <= _DAYLIGHT_SAVING:
                    entry.start = last
                elif last > entry.start:
                    entry.start = last
                    entry.marks |= Mark.SHORT_INTERVAL
        before = entry


def _start(end: dt.datetime, period: dt.timedelta, zone: dt.tzinfo | None) -> dt.datetime | None:
    """One period before the end; with a zone by the clock on the wall."""
    try:
        return (end.astimezone(zone) - period).astimezone(UTC) if zone else end - period
    except OverflowError:
        return None


def _within(entry: _Entry, since: dt.datetime | None, until: dt.datetime | None) -> bool:
    if entry.end is None:
        return True
    middle = entry.end if entry.start is None else entry.start + (entry.end - entry.start) / 2
    return (since is None or since <= middle) and (until is None or middle < until)


# ---- to plain values -------------------------------------------------------------------------------------------------


def _iso(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _plain(value: Any) -> Any:
    if value is DONT_CARE:
        return None
    if isinstance(value, DateTime | Date | Time):
        return value.octets.hex()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, BitString) else value
