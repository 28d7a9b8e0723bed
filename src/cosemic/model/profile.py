"""What the buffer of a Profile generic means: rows of values and when they hold (IEC 62056-6-2, class 7).

How cells become values is told in :mod:`~cosemic.model.profile_cells` (null-data, deltas), which moments stamps mean in
:mod:`~cosemic.model.profile_stamps`, which intervals they end in :mod:`~cosemic.model.profile_intervals`::

    buffer ──cells──> columns ──clock──> ends ──capture_period──> intervals ──[since, until)──> LoadProfile

A row is stamped when it is captured, at the *end* of its interval: the row of 00:00 belongs to the day before. A
capture_period of 0 means rows captured on events: they have a stamp, and no interval.

Rows come out in order of time whatever the sort_method was. What is doubtful about a row is said in its :class:`Mark`;
rows are never merged or dropped for it, and values are never multiplied but when asked for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, repeat
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cosemic.codec import EncodedData
from cosemic.dialect import MeasuredSide
from cosemic.errors import ConfigurationError
from cosemic.model.data_storage import SortMethod
from cosemic.model.profile_cells import Cells, absolute, as_list, joined, plain
from cosemic.model.profile_columns import Column, clock_of
from cosemic.model.profile_frames import Names, Numbers, arrow_table, pandas_frame, polars_frame
from cosemic.model.profile_intervals import Interval, missing, missing_months, starts_of, within
from cosemic.model.profile_scales import at_one_scale, with_captured_scalers
from cosemic.model.profile_stamps import Mark, instant, moment_of
from cosemic.model.profile_status import ProfileStatus
from cosemic.model.profile_table import Table, outside, received, table_of
from cosemic.model.transformer_ratios import TransformerRatios, exact
from cosemic.model.types import Deviation
from cosemic.values import BitString, ClockStatus

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow


class Row(NamedTuple):
    """A row: its interval in UTC (None where it has none), the values of the columns, and how far to trust it.

    Values with scaler and unit are a Quantity; times a DateTime; None where there is none. ``status`` is the value of
    the first status column (0-b:96.10.e or 96.5.e), which stands among the values too; its bits where their meaning is
    known.
    """

    interval_start: dt.datetime | None
    interval_end: dt.datetime | None
    values: tuple[Any, ...]
    status: Any
    clock_status: ClockStatus | None
    marks: Mark


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LoadProfile:
    """Rows of a profile with the columns they belong to.

    columns: without the clock, whose stamps have become the intervals. capture_period: seconds; 0: on events.
    since, until: the range that was asked for. zone: of the meter. inverted_deviation: it counts the deviation the
    other way round. status: what the bits of the status mean. ratios: of the transformers that it measures through.
    deviations: what it did otherwise than it was asked. table: the rows by column.
    """

    columns: tuple[Column, ...]
    capture_period: int
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    zone: dt.tzinfo | None = None
    inverted_deviation: bool = False
    status: type[ProfileStatus] | None = None
    ratios: TransformerRatios | None = None
    deviations: tuple[Deviation, ...] = ()
    table: Table

    @classmethod
    def from_buffer(
        cls,
        buffer: EncodedData | Iterable[Sequence[Any]],
        columns: Sequence[Column],
        capture_period: int,
        *,
        selected: Sequence[Column] | None = None,
        kept: Sequence[Column] | None = None,
        entries: tuple[int, int] | None = None,
        asked: bool = False,
        sort_method: SortMethod | int = SortMethod.FIFO,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        zone: dt.tzinfo | None = None,
        inverted_deviation: bool = False,
        nulls_repeat: bool = True,
        status: type[ProfileStatus] | None = None,
        ratios: TransformerRatios | None = None,
    ) -> LoadProfile:
        """Give the rows of a buffer their meaning.

        buffer: as it came; or rows of native cells, of typed cells where they hold deltas.
        columns: of the profile, in the order of capture_objects. capture_period: seconds. sort_method: of the profile.
        selected: those of the columns that the buffer is to have; a meter may send all of them all the same.
        kept: those of the columns that are kept; None: all.
        entries: first and last row to keep, in the order of the buffer, from 1; last 0: to the end.
        since, until: keep the intervals that lie in [since, until), by their middle; events by their stamp.
        asked: the meter was asked for these rows only: entries are cut only where there are more, and rows outside of
        the range are a deviation.
        zone: of the meter, for stamps without deviation, and for days of 23 and 25 hours.
        inverted_deviation: the meter counts the deviation the other way round.
        nulls_repeat: null-data repeats the value before; False: it stands for no value. Null stamps always advance.
        status: what the bits of the status column mean. ratios: of the transformers, to label the values.

        Raises DecodeError for octets that are no buffer, a row that does not fit the columns, or a delta without base.
        """
        deviations: list[Deviation] = []
        sent, cells = received(buffer, columns, columns if selected is None else selected, deviations)
        clock = clock_of(sent)
        cells = [absolute(one, at, nulls_repeat=nulls_repeat and at != clock) for at, one in enumerate(cells)]
        rows = len(cells[0]) if cells else 0
        if asked and entries is not None and (not entries[1] or rows <= entries[1] - entries[0] + 1):
            entries = None
        elif asked and entries is not None:
            deviations.append(Deviation("buffer", f"rows {entries[0]} to {entries[1]}", f"{rows} rows"))
        chosen = [at for at, column in enumerate(sent) if at != clock and (kept is None or column in kept)]
        table = table_of(
            cells[clock] if clock is not None and cells else None,
            [cells[at] if cells else [] for at in chosen],
            rows,
            capture_period,
            entries=entries,
            descending=sort_method in (SortMethod.LIFO, SortMethod.LARGEST),
            zone=zone,
            inverted_deviation=inverted_deviation,
        )
        first, last = (None if bound is None else instant(bound) for bound in (since, until))
        within_range = within(table.starts, table.ends, first, last)
        if within_range is not None:
            others = outside(table.ends, first, last, capture_period) if asked else 0
            if others:
                deviations.append(Deviation("buffer", "only rows of the range", f"{others} others"))
            table = table.taken(within_range)
        found, table.cells = with_captured_scalers([sent[at] for at in chosen], table.cells)
        if status is not None:
            _mark_by_status(table, found, status)
        return cls(
            columns=tuple(_labelled(column, ratios) for column in found),
            capture_period=capture_period,
            since=since,
            until=until,
            zone=zone,
            inverted_deviation=inverted_deviation,
            status=status,
            ratios=ratios,
            deviations=tuple(deviations),
            table=table,
        )

    @classmethod
    def join(cls, parts: Sequence[LoadProfile]) -> LoadProfile:
        """Return the rows of several parts of one profile, read one after the other, as one.

        Raises ConfigurationError for no part, or for parts of different columns.
        """
        if len({tuple(column.capture_object for column in part.columns) for part in parts}) != 1:
            raise ConfigurationError("parts of one profile, with the same columns, can be joined, and nothing else")
        if len(parts) == 1:
            return parts[0]
        columns: list[Column] = []
        cells: list[Cells] = []
        for at, column in enumerate(parts[0].columns):
            scales = chain.from_iterable(repeat(part.columns[at].scaler_unit, len(part)) for part in parts)
            joint, scale = at_one_scale(joined([part.table.cells[at] for part in parts]), list(scales))
            columns.append(replace(column, scaler_unit=scale if len(joint) else column.scaler_unit))
            cells.append(joint)
        tables = [part.table for part in parts]
        return replace(
            parts[0],
            columns=tuple(columns),
            until=parts[-1].until,
            deviations=tuple(dict.fromkeys(chain.from_iterable(part.deviations for part in parts))),
            table=Table(
                [one for table in tables for one in table.starts],
                [one for table in tables for one in table.ends],
                [one for table in tables for one in table.clock_status],
                [one for table in tables for one in table.marks],
                cells,
            ),
        )

    def __len__(self) -> int:
        return len(self.table.ends)

    # ---- rows -------------------------------------------------------------------------------------------------------

    def rows(self) -> Iterator[Row]:
        """Yield the rows in order of time."""
        table = self.table
        columns = [column.values(as_list(cells)) for column, cells in zip(self.columns, table.cells, strict=True)]
        marks = {mark: Mark(mark) for mark in set(table.marks)}
        for start, end, cells, status, clock_status, mark in self._row_by_row(columns):
            yield Row(_moment(start), _moment(end), cells, status, clock_status, marks[mark])

    __iter__ = rows

    def _row_by_row(self, columns: Sequence[Sequence[Any]]) -> Iterable[tuple[Any, ...]]:
        """Start, end, cells of the columns, status, clock status and marks of each row; ``columns``: all cells."""
        table = self.table
        cells: Iterable[tuple[Any, ...]] = zip(*columns, strict=True) if columns else repeat((), len(self))
        statuses = self.statuses() or repeat(None, len(self))
        return zip(table.starts, table.ends, cells, statuses, table.clock_status, table.marks, strict=True)

    def statuses(self) -> list[Any] | None:
        """Return the status of each row, its bits where their meaning is known; None where none is captured."""
        cells = _status_cells(self.columns, self.table)
        if cells is None or self.status is None:
            return cells
        return [cell if (bits := self.status.of(cell)) is None else bits for cell in cells]

    def tail(self, count: int) -> LoadProfile:
        """Return the newest rows, at most ``count`` of them."""
        size = len(self)
        return replace(self, table=self.table.taken(range(max(size - count, 0), size)))

    # ---- what is not there, and what is there twice -----------------------------------------------------------------

    def gaps(
        self,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        *,
        every: dt.timedelta | Literal["month"] | None = None,
    ) -> list[Interval]:
        """Return the intervals in [since, until) that no row stands for, in order of time.

        since, until: aware; those that were asked for where they are left out, else those of the rows.
        every: how long an interval is, where the capture_period does not say it: of whole seconds; or months of the
        meter, which the rows of a billing profile close.

        Days are those of the meter, of 23 to 25 hours. Raises ConfigurationError where nothing says how long an
        interval is.
        """
        table, period = self.table, self.capture_period
        starts = table.starts
        if every is not None and every != "month":
            period = every // dt.timedelta(seconds=1)
            starts = starts_of(table.ends, [0] * len(self), period, self.zone)
        if period <= 0 and every != "month":
            raise ConfigurationError(
                "rows are captured on events: say how often they are expected, every=timedelta(...) or every='month'"
            )
        pairs = zip(starts, table.ends, strict=True)
        covered = sorted((start, end) for start, end in pairs if start is not None and end is not None)
        stamped = [end for end in table.ends if end is not None]
        begin, stop = since or self.since, until or self.until
        if stamped:
            first, last = covered[0][0] if covered else min(stamped), max(stamped)
        elif begin is None or stop is None:
            return []
        first = first if begin is None else instant(begin)
        last = last if stop is None else instant(stop)
        if every == "month":
            found = missing_months(stamped, first, last, self.zone)
        else:
            found = missing(covered, first, last, period, self.zone)
        return [Interval(moment_of(start), moment_of(end)) for start, end in found]

    def duplicates(self) -> list[list[Row]]:
        """Return the rows of which several have the same interval, those of each interval together."""
        repeated = [row for row in self.rows() if row.marks & Mark.REPEATED]
        return [list(same) for _, same in groupby(repeated, key=lambda row: row.interval_end)]

    # ---- both sides of transformers ---------------------------------------------------------------------------------

    def primary(self) -> LoadProfile:
        """Return the profile with all values on the primary side of the measuring transformers, exact.

        Values that are on it already, and those that transformers do not change, stay as they are. Raises
        ConfigurationError where the ratios are not known, or are no decimal numbers.
        """
        if self.ratios is None:
            raise ConfigurationError(
                "no transformer ratios are known: read the profile with ratios='read', or give them"
            )
        columns, cells = list(self.columns), list(self.table.cells)
        for at, column in enumerate(columns):
            ratio = self.ratios.of(column.obis, column.unit)
            if column.side is not MeasuredSide.SECONDARY or ratio is None or column.scaler_unit is None:
                continue
            factor, scaler_unit = exact(ratio, column.scaler_unit)
            columns[at] = replace(column, scaler_unit=scaler_unit, side=MeasuredSide.PRIMARY)
            cells[at] = [
                cell * factor if isinstance(cell, int | float) and not isinstance(cell, bool) else cell
                for cell in as_list(cells[at])
            ]
        return replace(self, columns=tuple(columns), table=replace(self.table, cells=cells))

    # ---- to other forms ---------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes: columns with scaler and unit; rows with values *as sent*, without scaler.

        Octets and COSEM dates are hexadecimal, intervals ISO 8601 in UTC, marks, status and clock status lists of
        names; the status is None where the meaning of its bits is not known.
        """
        table = self.table
        columns = [[plain(cell) for cell in as_list(cells)] for cells in table.cells]
        marks = {mark: Mark(mark).names() for mark in set(table.marks)}
        return {
            "capture_period": self.capture_period,
            "columns": [column.to_dict() for column in self.columns],
            "rows": [
                {
                    "interval_start": _iso(start),
                    "interval_end": _iso(end),
                    "values": list(cells),
                    "status": status.names() if isinstance(status, ProfileStatus) else None,
                    "clock_status": None if clock_status is None else clock_status.names(),
                    "marks": list(marks[mark]),
                }
                for start, end, cells, status, clock_status, mark in self._row_by_row(columns)
            ],
            "deviations": [str(deviation) for deviation in self.deviations],
        }

    def to_arrow(self, *, numbers: Numbers = "exact", names: Names = "readable") -> pyarrow.Table:
        """Return an Arrow table; see :mod:`cosemic.model.profile_frames` for its columns.

        numbers: ``"exact"`` decimals, or ``"float"``. names: of the columns, ``"readable"`` or ``"obis"``. Raises
        ConfigurationError where pyarrow is not installed.
        """
        return arrow_table(self, numbers, names)

    def to_polars(self, *, numbers: Numbers = "exact", names: Names = "readable") -> polars.DataFrame:
        """Return a polars DataFrame with the columns of :meth:`to_arrow`.

        Raises ConfigurationError where polars or pyarrow is not installed.
        """
        return polars_frame(self, numbers, names)

    def to_pandas(self, *, numbers: Numbers = "float", names: Names = "readable") -> pandas.DataFrame:
        """Return a pandas DataFrame with the columns of :meth:`to_arrow`, numbers as all of pandas understands them.

        numbers: ``"exact"`` for decimals of Arrow, which add up and compare, and which ``describe`` does not know.
        Raises ConfigurationError where pandas or pyarrow is not installed.
        """
        return pandas_frame(self, numbers, names)


# ---- helpers ---------------------------------------------------------------------------------------------------------


def _status_cells(columns: Sequence[Column], table: Table) -> list[Any] | None:
    at = next((index for index, column in enumerate(columns) if column.is_status), None)
    return None if at is None else columns[at].values(as_list(table.cells[at]))


def _mark_by_status(table: Table, columns: Sequence[Column], status: type[ProfileStatus]) -> None:
    """Set the marks that the status of a row means."""
    marks: dict[Any, int] = {}
    for row, cell in enumerate(_status_cells(columns, table) or ()):
        if not isinstance(cell, int | BitString):
            continue
        if cell not in marks:
            bits = status.of(cell)
            marks[cell] = 0 if bits is None else int(bits.marks)
        table.marks[row] |= marks[cell]


def _labelled(column: Column, ratios: TransformerRatios | None) -> Column:
    """A column that says on which side of the transformers its values are."""
    ratio = ratios.of(column.obis, column.unit) if ratios is not None else None
    if ratios is None or ratio is None:
        return column
    return replace(column, side=MeasuredSide.PRIMARY if ratio == 1 else ratios.side)


# ---- to plain values -------------------------------------------------------------------------------------------------


def _moment(microseconds: int | None) -> dt.datetime | None:
    return None if microseconds is None else moment_of(microseconds)


def _iso(microseconds: int | None) -> str | None:
    return None if microseconds is None else moment_of(microseconds).isoformat()
