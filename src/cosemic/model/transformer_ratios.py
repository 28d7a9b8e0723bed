"""Values on both sides of measuring transformers (IEC 62056-6-1, general objects of electricity, 1-b:0.4.e).

::

    current          1-b:0.4.2 / 1-b:0.4.5      A; with voltage: W, VA, var, Wh, VAh, varh
    voltage          1-b:0.4.3 / 1-b:0.4.6      V
    overall          1-b:0.4.4 / 1-b:0.4.7      powers and energies, where current and voltage are not given

primary = secondary * ratio. A denominator that a meter does not have is 1. Power factors, angles, frequencies, counts
and everything that is not electricity are the same on both sides. Whether a meter registers primary or secondary values
its codes do not say: it is a switch of the dialect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from cosemic.dialect import MeasuredSide
from cosemic.errors import ConfigurationError
from cosemic.model.common import ScalerUnit
from cosemic.values import Obis, Quantity, Unit

_POWERS: Final = frozenset(range(27, 33))
_CURRENT: Final = {33: 1, 49: 2}
_VOLTAGE: Final = {35: 1, 48: 2}
"""Codes of units: W to varh; A, A²h; V, V²h."""

_PAIRS: Final = {"current": (2, 5), "voltage": (3, 6), "overall": (4, 7)}
"""Group E of numerator and denominator under 1-b:0.4.e."""
_MOST_DIGITS: Final = 40
"""Decimal places up to which a ratio is looked at."""


@dataclass(frozen=True, slots=True)
class TransformerRatios:
    """Ratios of the transformers that a meter measures through, and on which side of them its values are.

    current, voltage: primary / secondary, ``Fraction(200, 5)``. overall: for powers and energies; None: the product of
    both. side: that of the values. Raises ConfigurationError for a ratio that is not positive.
    """

    current: Fraction = Fraction(1)
    voltage: Fraction = Fraction(1)
    overall: Fraction | None = None
    side: MeasuredSide = MeasuredSide.SECONDARY

    def __post_init__(self) -> None:
        for ratio in (self.current, self.voltage, self.overall):
            if ratio is not None and ratio <= 0:
                raise ConfigurationError(f"a transformer ratio is positive, not {ratio}")

    @classmethod
    def read(cls, values: Mapping[int, Any], side: MeasuredSide = MeasuredSide.SECONDARY) -> TransformerRatios | None:
        """Return the ratios from the values of 1-b:0.4.e by group E; None where no numerator is there.

        values: numbers, or quantities. Raises ConfigurationError for what is no ratio.
        """
        found = {
            name: _number(values[over]) / _number(values.get(under, 1))
            for name, (over, under) in _PAIRS.items()
            if over in values
        }
        if not found:
            return None
        overall = None if "current" in found or "voltage" in found else found.get("overall")
        one = Fraction(1)
        return cls(found.get("current", one), found.get("voltage", one), overall, side)

    def of(self, obis: Obis, unit: Unit | None) -> Fraction | None:
        """Return primary / secondary of the values under a code; None where both sides are the same by nature."""
        code = None if unit is None else int(unit)
        if obis.a != 1 or code is None:
            return None
        if code in _POWERS:
            return self.current * self.voltage if self.overall is None else self.overall
        if code in _CURRENT:
            return self.current ** _CURRENT[code]
        return self.voltage ** _VOLTAGE[code] if code in _VOLTAGE else None


RATIO_OBJECTS: Final = tuple(sorted(e for pair in _PAIRS.values() for e in pair))
"""Group E of the objects 1-b:0.4.e that hold ratios."""


def exact(ratio: Fraction, scaler_unit: ScalerUnit) -> tuple[int, ScalerUnit]:
    """Return by what raw values are multiplied, and their scaler and unit afterwards, for an exact ``* ratio``.

    Raises ConfigurationError where the ratio is no decimal number (1/3).
    """
    digits = next((digits for digits in range(_MOST_DIGITS) if 10**digits % ratio.denominator == 0), None)
    if digits is None or scaler_unit.scaler - digits < -128:
        raise ConfigurationError(f"the transformer ratio {ratio} is no decimal number: values cannot be given exactly")
    return int(ratio * 10**digits), ScalerUnit(scaler_unit.scaler - digits, scaler_unit.unit)


def _number(value: Any) -> Fraction:
    number = value.value if isinstance(value, Quantity) else value
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
        raise ConfigurationError(f"{value!r} is no transformer ratio")
    try:
        found = Fraction(str(number))
    except ValueError:  # NaN, infinity
        found = Fraction(0)
    if found <= 0:
        raise ConfigurationError(f"{value} is no transformer ratio")
    return found
