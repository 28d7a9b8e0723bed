"""A measured value as a meter sends it: integer, scaler and unit, converted without loss.

``value = raw * 10 ** scaler`` in ``unit`` (scaler_unit of class Register, IEC 62056-6-2, 4.3.2).
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from cosemic.errors import ConfigurationError, EncodeError
from cosemic.values.unit import Unit

_PREFIXES: Final = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "m": -3, "µ": -6, "u": -6, "n": -9}
_WITH_PREFIXES: Final = frozenset((7, 11, 12, 19, *range(21, 39), *range(40, 45), 51, 52, 57, 60, 61, 63, 64, 65))
"""Units of which kilo, milli ... are thousandfold and thousandth: none with a power, none outside of SI."""
_NO_UNIT: Final = Unit(255)
_FLOAT32_OVERFLOW: Final = 3.4028235677973366e38
"""The least number that rounds to no finite float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """A value with scaler and unit as sent; exact.

    raw: the number of the attribute; an int, or a float where the meter sends float32 or float64.
    scaler: the power of ten, -128 to 127; raises EncodeError outside.
    unit: a :class:`Unit`, or its code; 255, a number without unit, is printed without symbol.

    Quantities of one unit compare by value (1 with scaler 3 equals 1000 with scaler 0), add and subtract; those of
    different units are never equal, and anything else between them raises TypeError. IEC 62056-6-2, 4.3.2.

    >>> energy = Quantity(12345678, 0, Unit(30))
    >>> str(energy), str(energy.to("kWh"))
    ('12345678 Wh', '12345.678')
    """

    raw: int | float
    scaler: int = 0
    unit: Unit = _NO_UNIT

    def __post_init__(self) -> None:
        # Bounded here, because a power of ten without bound costs memory without bound when it is printed.
        if not -128 <= self.scaler <= 127:
            raise EncodeError(f"a scaler is -128 to 127, not {self.scaler}")
        if type(self.unit) is not Unit:
            object.__setattr__(self, "unit", Unit(self.unit))

    @property
    def value(self) -> Decimal:
        """The number in the unit as sent, exact: ``raw * 10 ** scaler``."""
        return _scaled(self.raw, self.scaler)

    def to(self, unit: str) -> Decimal:
        """Return the number in a multiple of the unit, exact: ``.to("kWh")`` of a quantity in Wh.

        Raises ConfigurationError for anything but the unit's own symbol behind an SI prefix (P T G M k m µ u n).
        """
        symbol = self.unit.symbol
        exponent = _PREFIXES.get(unit.removesuffix(symbol)) if unit.endswith(symbol) else None
        if exponent is None or (exponent and self.unit not in _WITH_PREFIXES):
            raise ConfigurationError(f"a quantity in {symbol} cannot be given in {unit!r}")
        return _scaled(self.raw, self.scaler - exponent)

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self) -> str:
        number = _scaled(_shortest(self.raw) if isinstance(self.raw, float) else self.raw, self.scaler)
        return f"{number:f}" if self.unit == _NO_UNIT else f"{number:f} {self.unit}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.unit == other.unit and self.value == other.value

    def __hash__(self) -> int:
        return hash((self.unit, self.value))

    def __lt__(self, other: Quantity) -> bool:
        return self._compared(other, operator.lt) if self._is_like(other) else NotImplemented

    def __le__(self, other: Quantity) -> bool:
        return self._compared(other, operator.le) if self._is_like(other) else NotImplemented

    def __gt__(self, other: Quantity) -> bool:
        return self._compared(other, operator.gt) if self._is_like(other) else NotImplemented

    def __ge__(self, other: Quantity) -> bool:
        return self._compared(other, operator.ge) if self._is_like(other) else NotImplemented

    def __add__(self, other: Quantity) -> Quantity:
        return self._combined(other, operator.add) if self._is_like(other) else NotImplemented

    def __sub__(self, other: Quantity) -> Quantity:
        return self._combined(other, operator.sub) if self._is_like(other) else NotImplemented

    def _is_like(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.unit == other.unit

    def _compared(self, other: Quantity, relation: Callable[[Decimal, Decimal], bool]) -> bool:
        mine, theirs = self.value, other.value
        # Decimal raises where a float says that NaN is neither less nor greater.
        return not (mine.is_nan() or theirs.is_nan()) and relation(mine, theirs)

    def _combined(self, other: Quantity, operation: Callable[[Any, Any], Any]) -> Quantity:
        scaler = min(self.scaler, other.scaler)
        mine, theirs = (each.raw * 10 ** (each.scaler - scaler) for each in (self, other))
        return Quantity(operation(mine, theirs), scaler, self.unit)


def _scaled(raw: float | str, exponent: int) -> Decimal:
    """Return ``raw * 10 ** exponent``; unlike Decimal.scaleb never rounded to the digits of the context."""
    number = Decimal(raw)
    sign, digits, own = number.as_tuple()
    return Decimal((sign, digits, own + exponent)) if isinstance(own, int) else number


def _shortest(raw: float) -> str:
    """Return the fewest digits that stand for a float; a float32 has fewer than the float64 that now holds it."""
    if math.isfinite(raw) and abs(raw) < _FLOAT32_OVERFLOW and _as_float32(raw) == raw:
        shorter = (f"{raw:.{digits}g}" for digits in range(1, 9))
        near = (text for text in shorter if abs(float(text)) < _FLOAT32_OVERFLOW)
        return next((text for text in near if _as_float32(float(text)) == raw), f"{raw:.9g}")
    return repr(raw)


def _as_float32(number: float) -> float:
    return float(struct.unpack(">f", struct.pack(">f", number))[0])
