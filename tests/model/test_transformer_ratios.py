"""Values on both sides of measuring transformers: labelled, and converted exactly when asked."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.dialect import MeasuredSide
from cosemic.errors import ConfigurationError
from cosemic.model import LoadProfile, ScalerUnit, TransformerRatios
from cosemic.model.transformer_ratios import exact
from cosemic.values import Obis, Quantity, Unit
from tests.model.profiles import CLOCK, STATUS, at, column, stamp

PRIMARY, SECONDARY = MeasuredSide.PRIMARY, MeasuredSide.SECONDARY
RATIOS = TransformerRatios(Fraction(200, 5), Fraction(20_000, 100))


def register(code: str, unit: str, scaler: int = 0) -> Any:
    return column(code, scaler_unit=ScalerUnit(scaler, Unit.of(unit)))


COLUMNS = [
    CLOCK, STATUS, register("1-0:1.8.0", "Wh"), register("1-0:32.7.0", "V", -1), register("1-0:31.7.0", "A", -2),
    register("1-0:14.7.0", "Hz", -2), register("0-1:24.2.1", "m³", -3), column("1-0:2.8.0"),
]  # fmt: skip
ROW = (stamp(at(10)), 0, 1000, 577, 250, 5001, 77, 9)


def profile(ratios: TransformerRatios | None, *rows: tuple[Any, ...]) -> LoadProfile:
    return LoadProfile.from_buffer(rows or [ROW], COLUMNS, 900, ratios=ratios)


def test_ratios_are_numerators_by_denominators() -> None:
    assert TransformerRatios.read({2: 200, 5: 5, 3: 20_000, 6: 100}) == RATIOS
    assert TransformerRatios.read({2: Quantity(400, -1, Unit(255))}) == TransformerRatios(Fraction(40))
    assert TransformerRatios.read({3: 1.5}, PRIMARY) == TransformerRatios(Fraction(1), Fraction(3, 2), None, PRIMARY)
    assert TransformerRatios.read({4: Decimal("8000"), 7: 2}) == TransformerRatios(overall=Fraction(4000))
    assert TransformerRatios.read({2: 40, 4: 8000}) == TransformerRatios(Fraction(40)), "the parts say more"
    assert TransformerRatios.read({5: 5, 6: 100}) is None
    assert TransformerRatios.read({}) is None


@pytest.mark.parametrize("value", [0, -5, True, "40", None, float("nan"), float("inf")])
def test_what_is_no_ratio_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError):
        TransformerRatios.read({2: value})


def test_a_ratio_is_positive() -> None:
    with pytest.raises(ConfigurationError):
        TransformerRatios(voltage=Fraction(0))


def test_each_quantity_has_its_ratio() -> None:
    def ratio(unit: str, code: str = "1-0:1.8.0", ratios: TransformerRatios = RATIOS) -> Fraction | None:
        return ratios.of(Obis(code), Unit.of(unit))

    both, current, voltage = 40 * 200, 40, 200
    assert [ratio(unit) for unit in ("W", "VA", "var", "Wh", "VAh", "varh")] == [both] * 6
    assert [ratio(unit) for unit in ("A", "A²h", "V", "V²h")] == [current, current**2, voltage, voltage**2]
    assert [ratio(unit) for unit in ("Hz", "°", "s", "m³")] == [None] * 4
    assert RATIOS.of(Obis("1-0:1.8.0"), None) is None
    assert ratio("Wh", "0-1:24.2.1") is None
    overall = TransformerRatios(overall=Fraction(100))
    assert (ratio("Wh", ratios=overall), ratio("A", ratios=overall)) == (100, 1)


def test_values_are_labelled_and_stay_as_they_were_sent() -> None:
    found = profile(RATIOS)
    assert [one.side for one in found.columns] == [None, *[SECONDARY] * 3, None, None, None]
    assert next(found.rows()).values == next(profile(None).rows()).values
    assert {one.side for one in profile(None).columns} == {None}
    assert [one["side"] for one in found.to_dict()["columns"]][:2] == [None, "secondary"]


def test_a_meter_that_registers_primary_values_is_labelled_so_and_converted_by_nothing() -> None:
    found = profile(TransformerRatios(RATIOS.current, RATIOS.voltage, side=PRIMARY))
    assert [one.side for one in found.columns][1:4] == [PRIMARY] * 3
    assert next(found.primary().rows()) == next(found.rows())


def test_a_quantity_that_is_measured_directly_is_primary() -> None:
    found = profile(TransformerRatios(Fraction(40)))
    assert [one.side for one in found.columns][1:4] == [SECONDARY, PRIMARY, SECONDARY]


def test_primary_values_are_exact() -> None:
    found = profile(RATIOS).primary()
    wanted = (0, Quantity(8_000_000, 0, 30), Quantity(115_400, -1, 35), Quantity(10_000, -2, 33))
    assert next(found.rows()).values[:4] == wanted
    assert next(found.rows()).values[4:] == next(profile(None).rows()).values[4:]
    assert [one.side for one in found.columns][1:4] == [PRIMARY] * 3
    assert next(found.primary().rows()) == next(found.rows()), "twice is once"


def test_a_ratio_with_decimals_gives_more_of_them() -> None:
    found = profile(TransformerRatios(Fraction(15, 4))).primary()
    energy = next(found.rows()).values[1]
    assert (energy.raw, energy.scaler, energy.value) == (375_000, -2, Decimal(3750))


def test_what_is_no_number_stays_as_it_is() -> None:
    found = profile(RATIOS, (stamp(at(10)), 0, None, b"x", 2.5, 1, 2, 3)).primary()
    assert next(found.rows()).values[1:4] == (None, b"x", Quantity(100.0, -2, 33))


@pytest.mark.parametrize("ratios", [None, TransformerRatios(Fraction(100, 3)), TransformerRatios(Fraction(1, 10**50))])
def test_what_cannot_be_converted_exactly_is_refused(ratios: TransformerRatios | None) -> None:
    with pytest.raises(ConfigurationError, match="ratio"):
        profile(ratios).primary()


def test_a_scaler_that_would_not_fit_its_octet_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        exact(Fraction(1, 10), ScalerUnit(-128, Unit(30)))


@given(st.integers(-(1 << 63), 1 << 64), st.integers(-20, 20), st.integers(1, 10**6), st.integers(0, 9))
def test_conversion_multiplies_and_nothing_else(raw: int, scaler: int, over: int, digits: int) -> None:
    ratio = Fraction(over, 10**digits)
    factor, scaler_unit = exact(ratio, ScalerUnit(scaler, Unit(30)))
    converted = Fraction(raw * factor) * Fraction(10) ** scaler_unit.scaler
    assert converted == raw * ratio * Fraction(10) ** scaler
