"""Load profiles as tables of Arrow, polars and pandas."""

from __future__ import annotations

import datetime as dt
import math
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy
import pandas
import polars
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DONT_CARE, DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import AMRProfileStatus, LoadProfile, ScalerUnit, TransformerRatios
from cosemic.model.profile_frames import names_of
from cosemic.values import BitString, ClockStatus, DateTime, Obis, Unit
from tests.effort import examples
from tests.model.profiles import BERLIN, CLOCK, ENERGY, STATUS, at, column, stamp

D = DataType
VALUE = "active_energy_import_time_integral_1"
MOST = (1 << 64) - 1


def profile(*cells: Any, scaler: int | None = -1, **how: Any) -> LoadProfile:
    """A profile of one column, a row for each cell."""
    scaler_unit = None if scaler is None else ScalerUnit(scaler, Unit(30))
    rows = [(stamp(at(10) + number * dt.timedelta(minutes=15)), cell) for number, cell in enumerate(cells)]
    columns = [CLOCK, column("1-0:1.8.0", scaler_unit=scaler_unit)]
    return LoadProfile.from_buffer(rows, columns, 900, nulls_repeat=False, **how)


def values(found: LoadProfile, **how: Any) -> list[Any]:
    return found.to_arrow(**how).column(VALUE).to_pylist()  # type: ignore[no-any-return]  # a list


def test_a_table_has_intervals_values_and_what_is_remarkable() -> None:
    rows = [
        (stamp(at(10, 15), clock_status=0x80), 0x80, 12345),
        (stamp(at(10, 20)), 0, None),
        (stamp(at(10, 30)), 0x21, 12350),
    ]
    table = LoadProfile.from_buffer(rows, [CLOCK, STATUS, ENERGY], 900, status=AMRProfileStatus).to_arrow()
    assert table.column_names == [
        "interval_start", "interval_end", "status_register_1", VALUE, "status", "clock_status", "marks",
    ]  # fmt: skip
    assert table.to_pylist() == [
        {"interval_start": at(10), "interval_end": at(10, 15), "status_register_1": 0x80, VALUE: Decimal("1234.5"),
         "status": "power-down", "clock_status": "daylight-saving-active", "marks": ""},
        {"interval_start": at(10, 15), "interval_end": at(10, 20), "status_register_1": 0, VALUE: Decimal("1234.5"),
         "status": "", "clock_status": "", "marks": "short-interval"},
        {"interval_start": at(10, 20), "interval_end": at(10, 30), "status_register_1": 0x21, VALUE: Decimal("1235.0"),
         "status": "critical-error,clock-adjusted", "clock_status": "", "marks": "short-interval,data-invalid"},
    ]  # fmt: skip
    assert table.schema.field("interval_start").type == pyarrow.timestamp("us", "UTC")
    assert table.schema.field(VALUE).type == pyarrow.decimal128(18, 1)


def test_what_a_column_holds_stands_in_its_metadata() -> None:
    table = profile(5, ratios=TransformerRatios(Fraction(40))).to_arrow()
    assert table.schema.field(VALUE).metadata == {
        b"obis": b"1-0:1.8.0*255", b"class_id": b"3", b"attribute": b"2", b"data_index": b"0", b"scaler": b"-1",
        b"unit": b"Wh", b"side": b"secondary", b"name": b"Active energy import (+A), time integral 1",
    }  # fmt: skip
    assert table.schema.metadata == {b"capture_period": b"900"}


def test_polars_and_pandas_hold_what_arrow_holds() -> None:
    found = profile(12345, None, 0)
    frame = found.to_polars()
    assert frame.schema["interval_end"] == polars.Datetime("us", "UTC")
    assert frame.schema[VALUE] == polars.Decimal(18, 1)
    assert frame[VALUE].to_list() == [Decimal("1234.5"), None, Decimal("0.0")]
    assert frame["interval_end"].to_list() == [at(10), at(10, 15), at(10, 30)]
    plain = found.to_pandas()
    assert str(plain.dtypes["interval_end"]) == "datetime64[us, UTC]"
    assert (plain[VALUE].dtype, plain[VALUE][0], math.isnan(plain[VALUE][1])) == (numpy.dtype("float64"), 1234.5, True)
    assert plain[VALUE].diff().describe()["count"] == 0
    exact = found.to_pandas(numbers="exact")[VALUE]
    assert exact.dtype == pandas.ArrowDtype(pyarrow.decimal128(18, 1))
    assert exact.sum() == Decimal("1234.5")
    assert exact.dropna().diff().iloc[-1] == Decimal("-1234.5")


def test_floats_are_the_nearest_ones() -> None:
    assert values(profile(12345, 3, None), numbers="float") == [1234.5, 0.3, None]
    assert values(profile(3, scaler=-3), numbers="float") == [0.003]
    assert values(profile(3, scaler=3), numbers="float") == [3000.0]
    assert values(profile(2.5, 1, None, scaler=-1)) == [0.25, 0.1, None], "sent as floating point"
    assert values(profile(2.5, 1, scaler=None)) == [2.5, 1.0]


@pytest.mark.parametrize(
    ("raw", "scaler", "kind"),
    [
        (5, -3, pyarrow.decimal128(18, 3)),
        (5, -30, pyarrow.decimal128(30, 30)),
        (5, 2, pyarrow.decimal128(20, 0)),
        (-MOST // 2, 0, pyarrow.decimal128(19, 0)),
        (MOST, -1, pyarrow.decimal128(20, 1)),
        (MOST, 18, pyarrow.decimal128(38, 0)),
        (10**37, -2, pyarrow.decimal128(38, 2)),
        (-(10**30), 3, pyarrow.decimal128(38, 0)),
    ],
)
def test_decimals_are_as_wide_as_they_have_to_be(raw: int, scaler: int, kind: Any) -> None:
    array = profile(raw, None, scaler=scaler).to_arrow().column(VALUE)
    assert array.type == kind
    assert array.to_pylist() == [Decimal(raw).scaleb(scaler), None]


@pytest.mark.parametrize(
    ("raw", "scaler"), [(5, -39), (MOST, 19), (10**38, 0), (-(10**400), 0), (10**400, -1), (5, 127), (5, -128)]
)
def test_beyond_38_digits_numbers_are_floats(raw: int, scaler: int) -> None:
    (found,) = values(profile(raw, scaler=scaler))
    try:
        expected = float(Decimal(raw).scaleb(scaler))
    except OverflowError:
        expected = math.copysign(math.inf, raw)
    assert found == pytest.approx(expected)
    assert values(profile(raw, scaler=scaler), numbers="float") == [found]


def test_numbers_without_scaler_are_integers() -> None:
    def kind(*cells: Any) -> Any:
        return profile(*cells, scaler=None).to_arrow().column(VALUE).type

    assert (kind(5, None), kind(MOST, 5), kind(1 << 64)) == (
        pyarrow.int64(), pyarrow.uint64(), pyarrow.decimal128(38, 0),
    )  # fmt: skip
    assert values(profile(MOST, None, scaler=None)) == [MOST, None]
    assert values(profile(1 << 64, None, scaler=None)) == [1 << 64, None]
    assert values(profile(MOST, -1, scaler=None)) == [MOST, -1]


@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        ([True, None], pyarrow.bool_(), [True, None]),
        ([b"\x01", None], pyarrow.binary(), [b"\x01", None]),
        (["id", None], pyarrow.string(), ["id", None]),
        ([BitString("0101")], pyarrow.string(), ["0101"]),
        ([(1, b"\xff", [None]), 5], pyarrow.string(), ['[1, "ff", [null]]', "5"]),
        ([None, None], pyarrow.null(), [None, None]),
        ([], pyarrow.null(), []),
    ],
)
def test_what_is_no_number_keeps_its_kind(cells: list[Any], kind: Any, expected: list[Any]) -> None:
    array = profile(*cells, scaler=None).to_arrow().column(VALUE)
    assert (array.type, array.to_pylist()) == (kind, expected)


def test_a_column_of_numbers_that_is_empty_has_the_type_of_one_that_is_not() -> None:
    for cells in ([], [None]):
        assert profile(*cells).to_arrow().schema.field(VALUE).type == pyarrow.decimal128(18, 1)
    empty = LoadProfile.from_buffer(EncodedData(b"\1\0"), [CLOCK, ENERGY], 900)
    assert empty.to_arrow().schema.types == profile(5).to_arrow().schema.types


def test_names_and_scalers_are_text_and_times_are_moments() -> None:
    when = [stamp(at(9)), stamp(dt.datetime(2026, 7, 1, 12)), b"\xff" * 12, None]
    columns = [CLOCK, column("1-0:1.6.0", 4, 1), column("1-0:1.6.0", 4, 3), column("1-0:1.6.0", 4, 5)]
    rows = [(stamp(at(10 + number)), Obis("1-0:1.6.0").octets, (-1, 27), one) for number, one in enumerate(when)]
    found = LoadProfile.from_buffer(rows, columns, 3600, zone=BERLIN, nulls_repeat=False)
    name, scaler, time = found.to_arrow().columns[2:5]
    assert name.to_pylist() == ["1-0:1.6.0*255"] * 4
    assert scaler.to_pylist() == ["10^-1 W"] * 4
    assert time.type == pyarrow.timestamp("us", "UTC")
    assert time.to_pylist() == [at(9), at(10, day=1, month=7), None, None]
    inverted = [
        (stamp(at(10)), Obis("1-0:1.6.0").octets, (-1, 27), stamp(at(9, tzinfo=BERLIN), inverted_deviation=True))
    ]
    found = LoadProfile.from_buffer(inverted, columns, 3600, inverted_deviation=True)
    assert found.to_arrow().column(4).to_pylist() == [at(8)]
    never = LoadProfile.from_buffer([(*rows[0][:3], None)], columns, 3600)
    assert never.to_arrow().column(4).type == pyarrow.timestamp("us", "UTC")


def test_rows_without_interval_or_clock_status_have_nulls() -> None:
    table = LoadProfile.from_buffer([(b"?", 5)], [CLOCK, ENERGY], 900).to_arrow()
    (row,) = table.to_pylist()
    assert (row["interval_start"], row["interval_end"], row["clock_status"], row["marks"]) == (
        None,
        None,
        None,
        "no-stamp",
    )


def test_a_status_without_known_meaning_shows_the_numbers_of_its_bits() -> None:
    rows = [(stamp(at(10)), 5), (stamp(at(11)), b"x"), (stamp(at(12)), [1])]
    found = LoadProfile.from_buffer(rows, [CLOCK, STATUS], 3600)
    assert found.to_arrow().column("status").to_pylist() == ["bit-0,bit-2", None, None]


def test_names_of_columns_are_readable_and_no_two_are_the_same() -> None:
    columns = [
        ENERGY, column("1-0:1.8.0", 3, 3), column("1-0:1.8.1"), column("1-0:1.8.0"), column("1-0:1.8.0", data_index=2),
        column("1-1:1.8.0"), column("0-0:96.10.1", 1),
    ]  # fmt: skip
    assert names_of(columns) == [
        f"{VALUE}_1_0_1_8_0", f"{VALUE}_scaler_unit", f"{VALUE}_rate_1", f"{VALUE}_1_0_1_8_0_2",
        f"{VALUE}_1_0_1_8_0_2_2", f"{VALUE}_1_1_1_8_0", "status_register_1",
    ]  # fmt: skip
    assert names_of(columns, "obis") == [
        "1-0:1.8.0", "1-0:1.8.0:3", "1-0:1.8.1", "1-0:1.8.0_2", "1-0:1.8.0[2]", "1-1:1.8.0", "0-0:96.10.1",
    ]  # fmt: skip
    assert profile(5).to_polars(names="obis").columns[2] == "1-0:1.8.0"


@given(
    st.lists(st.sampled_from([ENERGY, column("1-0:1.8.0"), column("1-1:1.8.0"), column("1-0:1.8.0", 3, 3), STATUS])),
    st.sampled_from(["readable", "obis"]),
)
def test_any_columns_have_distinct_names(columns: list[Any], names: Any) -> None:
    found = names_of(columns, names)
    assert len(set(found)) == len(columns) == len(found)
    assert not {"interval_start", "interval_end", "status", "clock_status", "marks"} & set(found)


@pytest.mark.parametrize(
    ("library", "method"),
    [("pyarrow", "to_arrow"), ("polars", "to_polars"), ("pandas", "to_pandas"), ("pyarrow", "to_pandas")],
)
def test_a_library_that_is_missing_is_named_with_the_extra(
    library: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigurationError) as caught:
        getattr(profile(5), method)()
    assert str(caught.value) == f"{library} is not installed: pip install cosemic[data]"


TYPES = {
    D.UNSIGNED: (0, 255), D.INTEGER: (-128, 127), D.LONG_UNSIGNED: (0, 65535),
    D.DOUBLE_LONG: (-(1 << 31), (1 << 31) - 1), D.LONG64: (-(1 << 63), (1 << 63) - 1), D.LONG64_UNSIGNED: (0, MOST),
}  # fmt: skip


@examples(50)
@given(st.data(), st.sampled_from(list(TYPES)), st.integers(-40, 20), st.sampled_from([3, 60]), st.booleans())
def test_columns_that_came_as_arrays_and_rows_give_the_same_table(
    data: st.DataObject, kind: DataType, scaler: int, count: int, reverse: bool
) -> None:
    cells = data.draw(st.lists(st.integers(*TYPES[kind]), min_size=count, max_size=count))
    stamps = [stamp(at(0) + number * dt.timedelta(minutes=15), clock_status=number % 2) for number in range(count)]
    if reverse:
        stamps.reverse()
    flags = [bool(cell % 2) for cell in cells]
    columns = [CLOCK, STATUS, column("1-0:1.8.0", scaler_unit=ScalerUnit(scaler, Unit(30))), column("0-0:96.1.0", 1)]
    rows = list(zip(stamps, [c % 256 for c in cells], cells, flags, strict=True))
    buffer = EncodedData.from_rows([D.OCTET_STRING, D.UNSIGNED, kind, D.BOOLEAN], rows)
    fast = LoadProfile.from_buffer(buffer, columns, 900)
    slow = LoadProfile.from_buffer(rows, columns, 900)
    assert list(fast) == list(slow)
    assert fast.to_dict() == slow.to_dict()
    assert fast.to_arrow().equals(slow.to_arrow())
    assert fast.to_arrow(numbers="float").equals(slow.to_arrow(numbers="float"))
    if -38 <= scaler <= 18:
        assert fast.to_arrow().column(VALUE).to_pylist() == [row.values[1].value for row in fast]


def test_floats_that_came_as_an_array_are_scaled_too() -> None:
    rows = [(stamp(at(0) + number * dt.timedelta(minutes=15)), number / 2) for number in range(60)]
    buffer = EncodedData.from_rows([D.OCTET_STRING, D.FLOAT32], rows)
    assert values(LoadProfile.from_buffer(buffer, [CLOCK, ENERGY], 900)) == [number / 2 / 10 for number in range(60)]


def test_date_times_in_an_array_of_rows_are_moments() -> None:
    moments = [at(0) + number * dt.timedelta(minutes=15) for number in range(60)]
    rows = [(stamp(moment), stamp(moment)) for moment in moments]
    buffer = EncodedData.from_rows([D.OCTET_STRING, D.OCTET_STRING], rows)
    found = LoadProfile.from_buffer(buffer, [CLOCK, column("1-0:1.6.0", 4, 5)], 900)
    assert found.to_arrow().column(2).to_pylist() == moments
    assert next(found.rows()).values == (DateTime(stamp(moments[0])),)
    assert next(found.rows()).clock_status == ClockStatus(0)


any_cell = st.one_of(
    st.none(), st.booleans(), st.integers(-(1 << 70), 1 << 70), st.floats(), st.text(max_size=3), st.just(DONT_CARE),
    st.binary(max_size=13), st.sampled_from([BitString("01"), DateTime(b"\xff" * 12), (1, (2, None)), [b"x"], (5, 30)]),
)  # fmt: skip


@given(
    st.lists(st.tuples(st.binary(min_size=12, max_size=12), any_cell, any_cell, any_cell), max_size=5),
    st.integers(-128, 127),
    st.sampled_from(["exact", "float"]),
)
def test_any_cells_have_a_table(rows: list[Any], scaler: int, numbers: Any) -> None:
    scaled = column("1-0:1.8.0", scaler_unit=ScalerUnit(scaler, Unit(30)))
    columns = [CLOCK, STATUS, scaled, column("1-0:1.6.0", 4, 5)]
    found = LoadProfile.from_buffer(rows, columns, 900, status=AMRProfileStatus)
    assert found.to_arrow(numbers=numbers).num_rows == len(rows) == len(found.to_polars())
    assert len(found.to_pandas()) == len(list(found))
