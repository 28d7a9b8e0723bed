"""Units against the table of the reference; quantities are exact."""

from __future__ import annotations

import copy
import math
import pickle
import struct
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, EncodeError
from cosemic.values import Quantity, Unit
from tests.vectors import reference

SPELT_IN_UCUM = {62: "10*-2.mol/mol", 70: "dB[mW]", 71: "dB[uV]", 147: "100000.[Btu_IT]", 148: "100000.[Btu_59]"}
"""Where the reference explains in words what UCUM can spell."""
INTEGERS = st.integers(-(2**63), 2**64 - 1)
SCALERS = st.integers(-128, 127)


def exact(quantity: Quantity) -> Fraction:
    return Fraction(quantity.raw) * Fraction(10) ** quantity.scaler


def test_the_table_is_that_of_the_reference() -> None:
    rows: list[dict[str, Any]] = yaml.safe_load(reference("units.yaml").read_text(encoding="utf-8"))["units"]
    assert {row["code"] for row in rows} == {code for code in range(256) if Unit(code).is_known}
    for row in rows:
        unit = Unit(row["code"])
        assert (unit.symbol, unit.name, unit.quantity) == (row["symbol"], row["name"], row["quantity"])
        assert unit.ucum == SPELT_IN_UCUM.get(row["code"], row["ucum"] or "")
        assert Unit.of(row["symbol"]).symbol == row["symbol"]
        assert Unit.of(row["symbol"]) <= unit
        for symbol in row.get("symbol_also", ()):
            assert Unit.of(symbol) == Unit.of(row["symbol"])


def test_a_unit_is_its_code() -> None:
    unit = Unit(30)
    assert (unit, str(unit), repr(unit)) == (30, "Wh", "Unit(30: Wh)")
    assert pickle.loads(pickle.dumps(unit)) == copy.copy(unit) == unit
    assert type(pickle.loads(pickle.dumps(unit))) is Unit


def test_a_code_without_a_row_stays_a_number() -> None:
    unit = Unit(200)
    assert (unit, unit.symbol, unit.name, unit.quantity, unit.ucum) == (200, "unit 200", "", "", "")
    assert repr(unit) == "Unit(200)"


def test_what_is_no_unit_is_refused() -> None:
    for code in (-1, 256):
        with pytest.raises(EncodeError):
            Unit(code)
    with pytest.raises(ConfigurationError, match="kWh"):
        Unit.of("kWh")


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (Quantity(12345678, 0, Unit(30)), "12345678 Wh"),
        (Quantity(12345600, -3, Unit(13)), "12345.600 m³"),
        (Quantity(12, 3, Unit(30)), "12000 Wh"),
        (Quantity(-5, -1, Unit(9)), "-0.5 °C"),
        (Quantity(7), "7"),
        (Quantity(7, -1, Unit(200)), "0.7 unit 200"),
        (Quantity(0.1, 0, Unit(35)), "0.1 V"),
        (Quantity(struct.unpack(">f", struct.pack(">f", 230.1))[0], 0, Unit(35)), "230.1 V"),
        (Quantity(struct.unpack(">f", struct.pack(">f", 1234.567))[0], 0, Unit(35)), "1234.567 V"),
        (Quantity(2.5, 3, Unit(27)), "2500 W"),
        (Quantity(1e300, 0, Unit(27)), "1" + "0" * 300 + " W"),
        (Quantity(math.nan, 0, Unit(27)), "NaN W"),
        (Quantity(-math.inf, 2, Unit(27)), "-Infinity W"),
    ],
)
def test_a_quantity_prints_in_the_unit_as_sent(quantity: Quantity, text: str) -> None:
    assert str(quantity) == text


@given(INTEGERS, SCALERS)
def test_the_value_is_exact(raw: int, scaler: int) -> None:
    quantity = Quantity(raw, scaler, Unit(30))
    assert Fraction(quantity.value) == exact(quantity)
    assert Fraction(quantity.to("kWh")) == exact(quantity) / 1000
    assert Fraction(str(quantity).removesuffix(" Wh")) == exact(quantity)


@given(st.floats(allow_nan=False, allow_infinity=False), SCALERS)
def test_the_value_of_a_float_is_exact_too(raw: float, scaler: int) -> None:
    quantity = Quantity(raw, scaler, Unit(35))
    assert Fraction(quantity.value) == exact(quantity)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_printed_float32_reads_back_as_the_same_float32(raw: float) -> None:
    text = str(Quantity(raw))
    assert struct.pack(">f", float(text)) == struct.pack(">f", raw)
    assert len(text.replace("-", "").replace(".", "").strip("0")) <= 9


@pytest.mark.parametrize(
    ("code", "unit", "value"),
    [
        (30, "kWh", "1.5"),
        (30, "MWh", "0.0015"),
        (30, "Wh", "1500"),
        (35, "mV", "1500000"),
        (33, "µA", "1500000000"),
        (33, "uA", "1500000000"),
        (26, "kJ/h", "1.5"),
        (13, "m³", "1500"),
        (200, "unit 200", "1500"),
    ],
)
def test_conversion_by_prefix_is_exact(code: int, unit: str, value: str) -> None:
    assert Quantity(15, 2, Unit(code)).to(unit) == Decimal(value)


@pytest.mark.parametrize(
    ("code", "unit"),
    [
        (30, "kvarh"),
        (30, "J"),
        (30, ""),
        (13, "km³"),
        (17, "mm³/d"),
        (9, "m°C"),
        (48, "kV²h"),
        (20, "Mkg"),
        (4, "kd"),
        (200, "kunit 200"),
    ],
)
def test_what_a_prefix_cannot_say_is_refused(code: int, unit: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be given"):
        Quantity(1, 0, Unit(code)).to(unit)


@given(INTEGERS, INTEGERS, st.integers(-9, 9), st.integers(-9, 9))
def test_quantities_of_one_unit_compare_and_add_by_value(a: int, b: int, scaler_a: int, scaler_b: int) -> None:
    one, other = Quantity(a, scaler_a, Unit(30)), Quantity(b, scaler_b, Unit(30))
    x, y = exact(one), exact(other)
    assert (one == other, one < other, one <= other, one > other, one >= other) == (
        x == y,
        x < y,
        x <= y,
        x > y,
        x >= y,
    )
    assert (exact(one + other), exact(one - other)) == (x + y, x - y)
    assert (one - other).scaler == min(scaler_a, scaler_b)


@given(st.integers(-(2**31), 2**31), st.integers(-20, 20), st.integers(0, 20))
def test_equal_quantities_hash_alike(raw: int, scaler: int, shift: int) -> None:
    one, other = Quantity(raw * 10**shift, scaler - shift, Unit(30)), Quantity(raw, scaler, Unit(30))
    assert one == other
    assert hash(one) == hash(other)


def test_different_units_do_not_mix() -> None:
    energy, power = Quantity(1, 0, Unit(30)), Quantity(1, 0, Unit(27))
    assert energy != power
    assert energy != 1
    for operation in ("__lt__", "__le__", "__gt__", "__ge__", "__add__", "__sub__"):
        assert getattr(energy, operation)(power) is NotImplemented
        assert getattr(energy, operation)(1) is NotImplemented
    with pytest.raises(TypeError):
        energy + power


def test_not_a_number_is_neither_less_nor_greater_nor_equal() -> None:
    nan, one = Quantity(math.nan), Quantity(1)
    assert [nan < one, nan <= one, nan > one, nan >= one, nan == one] == [False] * 5
    assert [one < nan, one <= nan, one > nan, one >= nan, one == nan] == [False] * 5
    assert math.isnan(float(nan))


def test_floats_add_as_floats() -> None:
    assert (Quantity(1.5, 0, Unit(35)) + Quantity(5, -1, Unit(35))) == Quantity(2.0, 0, Unit(35))


def test_a_quantity_keeps_what_was_sent() -> None:
    quantity = Quantity(1234, -2, 35)  # type: ignore[arg-type]  # a plain code is taken too
    assert (quantity.raw, quantity.scaler, quantity.unit) == (1234, -2, Unit(35))
    assert type(quantity.unit) is Unit
    assert float(quantity) == 12.34
    assert pickle.loads(pickle.dumps(quantity)) == copy.deepcopy(quantity) == quantity
    with pytest.raises(AttributeError):
        quantity.raw = 1  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize("scaler", [-129, 128, 10**18])
def test_a_scaler_beyond_an_octet_is_refused(scaler: int) -> None:
    with pytest.raises(EncodeError, match="scaler"):
        Quantity(1, scaler)
