"""Load profiles as tables of Arrow, polars and pandas: made column by column, a hundred thousand rows at a time.

::

    interval_start, interval_end    timestamp[us, UTC]; null where a row has none
    one for each capture object     see below; null where there is no value
    status                          names of the bits that are set, "power-down,clock-adjusted"; where one is captured
    clock_status                    names of the bits that are set; null where the clock gives none
    marks                           names of the marks, "short-interval"; "" for a row without remark

    value with scaler and unit      decimal128(18, -scaler), wider where it has to be: exactly what the meter sent, in
                                    the unit as sent; float64 for numbers="float", for values sent as floating point,
                                    and beyond 38 digits
    number without scaler           int64, uint64 where it needs that; float64
    time                            timestamp[us, UTC]; null where it is no moment
    nothing at all                  null
    octets, text, truth             binary, string, bool
    anything else                   string

A decimal column has the scale of the meter, so that nothing is rounded; a factor of ten above one is multiplied in.
Names are readable ones, from the description of the OBIS code, made different by the code where two are the same; or
codes, ``1-0:1.8.0``, with ``:5`` behind for attributes other than the second. What a column holds stands in the
metadata of its Arrow field: obis, class_id, attribute, data_index, name, unit, scaler, side.

These libraries are the ``data`` extra; nothing else of the package needs them.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from decimal import Decimal
from itertools import chain, count
from typing import TYPE_CHECKING, Any, Final, Literal

from cosemic.errors import ConfigurationError, DecodeError
from cosemic.model.common import ScalerUnit
from cosemic.model.profile_cells import Cells, is_array, plain
from cosemic.model.profile_columns import Column
from cosemic.model.profile_stamps import Mark, instant
from cosemic.model.profile_status import status_names
from cosemic.values import DateTime

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from cosemic.model.profile import LoadProfile

Numbers = Literal["exact", "float"]
Names = Literal["readable", "obis"]

_DIGITS: Final = 38
"""Digits of a decimal128."""
_USUAL: Final = 18
"""Digits that a decimal column has, where they suffice: sums, differences and products stay within 38."""
_RESERVED: Final = ("interval_start", "interval_end", "status", "clock_status", "marks")


def arrow_table(profile: LoadProfile, numbers: Numbers, names: Names) -> pyarrow.Table:
    """Return the Arrow table of a profile. Raises ConfigurationError where pyarrow is not installed."""
    pa = _library("pyarrow")
    table, encoder = profile.table, _Encoder(pa, profile, numbers)
    arrays = [_moments(pa, table.starts), _moments(pa, table.ends)]
    fields = [pa.field(name, one.type) for name, one in zip(_RESERVED, arrays, strict=False)]
    for name, column, cells in zip(names_of(profile.columns, names), profile.columns, table.cells, strict=True):
        array = encoder.encode(column, cells)
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=_metadata(column)))
    statuses = profile.statuses()
    texts = {} if statuses is None else {"status": _texts(statuses, status_names)}
    texts["clock_status"] = _texts(table.clock_status, lambda status: None if status is None else status.names())
    texts["marks"] = _texts(table.marks, lambda marks: Mark(marks).names())
    for name, found in texts.items():
        arrays.append(pa.array(found, pa.string()))
        fields.append(pa.field(name, pa.string()))
    about = {"capture_period": str(profile.capture_period)}
    return pa.table(arrays, schema=pa.schema(fields, metadata=about))


def polars_frame(profile: LoadProfile, numbers: Numbers, names: Names) -> polars.DataFrame:
    """Return the polars DataFrame of a profile. Raises ConfigurationError where a library is not installed."""
    frame: polars.DataFrame = _library("polars").from_arrow(arrow_table(profile, numbers, names))
    return frame


def pandas_frame(profile: LoadProfile, numbers: Numbers, names: Names) -> pandas.DataFrame:
    """Return the pandas DataFrame of a profile. Raises ConfigurationError where a library is not installed."""
    pd, pa = _library("pandas"), _library("pyarrow")
    table = arrow_table(profile, numbers, names)
    frame: pandas.DataFrame = table.to_pandas(
        types_mapper=lambda kind: pd.ArrowDtype(kind) if pa.types.is_decimal(kind) else None
    )
    return frame


def names_of(columns: Sequence[Column], names: Names = "readable") -> list[str]:
    """Return a name for each column, no two the same, none of those of the other columns of a table."""
    codes = [_code(column) for column in columns]
    wanted = codes if names == "obis" else [_slug(column.name) for column in columns]
    counted = Counter([*wanted, *_RESERVED])
    used = set(_RESERVED)
    found = []
    for name, code in zip(wanted, codes, strict=True):
        distinct = name if counted[name] == 1 or names == "obis" else f"{name}_{_slug(code)}"
        free = (one for one in chain([distinct], (f"{distinct}_{n}" for n in count(2))) if one not in used)
        found.append(next(free))
        used.add(found[-1])
    return found


def _code(column: Column) -> str:
    captured = column.capture_object
    text = str(captured.logical_name).removesuffix("*255")
    if captured.attribute_index != 2:
        text += f":{captured.attribute_index}"
    return text + (f"[{captured.data_index}]" if captured.data_index else "")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"\([^)]*\)", "", text.lower())).strip("_")


def _metadata(column: Column) -> dict[str, str]:
    return {key: str(value) for key, value in column.to_dict().items() if value is not None}


def _texts(values: Iterable[Any], names: Callable[[Any], list[str] | None]) -> list[str | None]:
    known: dict[Any, str | None] = {}
    found = []
    for value in values:
        key = value if isinstance(value, Hashable) else None
        if key not in known:
            told = names(value)
            known[key] = None if told is None else ",".join(told)
        found.append(known[key])
    return found


def _moments(pa: Any, microseconds: Sequence[int | None]) -> Any:
    return pa.array(microseconds, pa.int64()).view(pa.timestamp("us", "UTC"))


class _Encoder:
    """Makes Arrow arrays of the cells of a profile."""

    def __init__(self, pa: Any, profile: LoadProfile, numbers: Numbers) -> None:
        self._pa = pa
        self._profile = profile
        self._exact = numbers == "exact"

    def encode(self, column: Column, cells: Cells) -> Any:
        """Return the array of one column."""
        pa = self._pa
        if is_array(cells):
            array = pa.array(cells.astype(cells.dtype.newbyteorder("=")))
            whole = cells.dtype.kind in "iu"
            return self._scaled(array.cast(pa.int64() if whole and cells.dtype != ">u8" else array.type), column, whole)
        values = cells if column.scaler_unit is not None else column.values(cells)
        kinds = {type(value) for value in values if value is not None}
        if not kinds and column.scaler_unit is None:
            return pa.nulls(len(values), pa.timestamp("us", "UTC") if column.is_time else None)
        if kinds <= {int}:
            whole = self._integers(values)
            return self._wide(values, column) if whole is None else self._scaled(whole, column, True)
        if kinds <= {int, float}:
            return self._scaled(pa.array(map(_float, values), pa.float64()), column, False)
        if kinds == {DateTime}:
            return _moments(pa, [None if value is None else self._moment(value) for value in values])
        if kinds == {bool} or kinds == {bytes}:
            return pa.array(values)
        return pa.array([None if value is None else _text(value) for value in values], pa.string())

    def _integers(self, values: Sequence[int | None]) -> Any:
        """An array of 64 bits; None where they do not suffice."""
        for kind in (self._pa.int64(), self._pa.uint64()):
            try:
                return self._pa.array(values, kind)
            except OverflowError:
                continue
        return None

    def _scaled(self, array: Any, column: Column, whole: bool) -> Any:
        """Numbers of 64 bits with the scaler of their column."""
        pa, scaler = self._pa, column.scaler
        if scaler is None:
            return array
        compute = _library("pyarrow.compute")
        if whole and self._exact and len(array) - array.null_count:
            bounds = compute.min_max(array)
            greatest = max(-bounds["min"].as_py(), bounds["max"].as_py())
        else:
            greatest = 0
        digits = max(_USUAL, len(str(greatest))) + max(scaler, 0)
        if not whole or not self._exact or max(digits, -scaler) > _DIGITS:
            array = array.cast(pa.float64(), safe=False)
            power = 10.0 ** abs(scaler)
            return compute.divide(array, power) if scaler < 0 else compute.multiply(array, power)
        raw = array.cast(pa.decimal128(_DIGITS, 0))
        if scaler > 0:
            raw = self._as(raw, _DIGITS, -scaler).cast(pa.decimal128(_DIGITS, 0))
        return self._as(raw, max(digits, -scaler), max(-scaler, 0))

    def _as(self, array: Any, digits: int, scale: int) -> Any:
        """The same integers under another decimal type."""
        pa = self._pa
        return pa.Array.from_buffers(pa.decimal128(digits, scale), len(array), array.buffers(), array.null_count)

    def _wide(self, values: Sequence[int | None], column: Column) -> Any:
        """Integers of more than 64 bits."""
        pa, scaler = self._pa, column.scaler or 0
        digits = max(len(str(abs(value))) for value in values if value is not None) + max(scaler, 0)
        if not self._exact or max(digits, -scaler) > _DIGITS:
            return self._scaled(pa.array(map(_float, values), pa.float64()), column, False)
        decimals = [None if value is None else Decimal(value) * 10 ** max(scaler, 0) for value in values]
        raw = pa.array(decimals, pa.decimal128(_DIGITS, 0))
        return self._as(raw, _DIGITS, max(-scaler, 0))

    def _moment(self, value: DateTime) -> int | None:
        profile = self._profile
        try:
            return instant(value.to_datetime(profile.zone or dt.UTC, inverted_deviation=profile.inverted_deviation))
        except (DecodeError, OverflowError):
            return None


def _float(value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:
        return float("inf") if value is not None and value > 0 else float("-inf")


def _text(value: Any) -> str:
    if isinstance(value, ScalerUnit):
        return f"10^{value.scaler} {value.unit}"
    return json.dumps(plain(value)) if isinstance(value, tuple | list) else str(value)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigurationError(f"{name.partition('.')[0]} is not installed: pip install cosemic[data]") from None
