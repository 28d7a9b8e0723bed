"""Values with scaler and unit: what a register holds, as a Quantity, both ways (IEC 62056-6-2, 4.3.2)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from cosemic.codec import DataType, EncodedData
from cosemic.errors import EncodeError
from cosemic.model import AttributeReference, ScalerUnit
from cosemic.model.common import SimpleValue
from cosemic.model.profile_columns import scaler_unit_for
from cosemic.values import DataAccessResult, Quantity

Readable = Quantity | SimpleValue
"""What the value of a register reads as: a Quantity, or what was sent where the meter tells no unit."""
_FLOATS: Final = frozenset((DataType.FLOAT32, DataType.FLOAT64, DataType.FLOATING_POINT))
_INTEGERS: Final = frozenset(
    (
        DataType.INTEGER, DataType.LONG, DataType.DOUBLE_LONG, DataType.LONG64,
        DataType.UNSIGNED, DataType.LONG_UNSIGNED, DataType.DOUBLE_LONG_UNSIGNED, DataType.LONG64_UNSIGNED,
    )
)  # fmt: skip


def scaler_of(reference: AttributeReference[Any]) -> AttributeReference[ScalerUnit] | None:
    """Return the attribute that holds scaler and unit of a value; None where it has none."""
    return scaler_unit_for(reference.class_id, reference.instance_id, reference.attribute_id)


def with_unit(value: Any, unit: ScalerUnit | None) -> Any:
    """Return a number with its scaler and unit, anything else as it is."""
    if unit is None or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return unit.of(value)


def raw_value(
    reference: AttributeReference[Any],
    value: Quantity,
    unit: ScalerUnit | None,
    present: EncodedData | DataAccessResult | None,
) -> EncodedData:
    """Return what stands for a quantity in a register, exactly; of the type of the value that is there at present.

    Raises EncodeError where the register has no unit or another one, or its scaler is too coarse.
    """
    if unit is None:
        raise EncodeError(f"{reference}: the meter gives it no scaler and unit: write the number as it is to be sent")
    if unit.unit != value.unit:
        raise EncodeError(f"{reference} is in {unit.unit}, not in {value.unit}")
    kind = present.type if isinstance(present, EncodedData) else None
    if not value.value.is_finite():
        raise EncodeError(f"{reference}: {value} is no number to be written")
    exact = Fraction(value.value) / Fraction(10) ** unit.scaler
    if kind in _FLOATS:
        octets = EncodedData.of(kind, float(exact))
        if Fraction(octets.value()) == exact:
            return octets
    elif exact.denominator == 1:
        raw = int(exact)
        return EncodedData.of(kind, raw) if kind in _INTEGERS else EncodedData.from_typed(reference.encode(raw))
    raise EncodeError(f"{reference} has the scaler {unit.scaler}: {value} cannot be written in it without rounding")
