"""Thresholds: values with scaler and unit of what they are held against (threshold, IEC 62056-6-2, 4.3).

A threshold has the type of the monitored attribute; it is written in the type that the present one has, or else in the
type of the monitored value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosemic.client.answers import denied, scaler_unit
from cosemic.client.scaling import Readable, raw_value, scaler_of
from cosemic.client.steps import Procedure
from cosemic.codec import DataType, EncodedData
from cosemic.errors import EncodeError
from cosemic.model import AttributeReference, ScalerUnit, ValueDefinition
from cosemic.values import Quantity

if TYPE_CHECKING:
    from cosemic.client.session import Session


def monitored(value: ValueDefinition) -> AttributeReference[Any]:
    """Return the attribute that is monitored."""
    return AttributeReference.of(value.class_id, value.logical_name, value.attribute_index)


def monitored_unit(session: Session, value: ValueDefinition) -> Procedure[ScalerUnit | None]:
    """Return scaler and unit of a monitored attribute, which are those of its thresholds; None where it has none."""
    reference = scaler_of(monitored(value))
    if reference is None:
        return None
    if reference not in session.scalers:
        (found,) = yield from session.get_many([reference])
        session.scalers[reference] = scaler_unit(reference, found)
    return session.scalers[reference]


def threshold_of(
    session: Session, value: ValueDefinition, wanted: Readable, present: EncodedData | None
) -> Procedure[EncodedData]:
    """Return a threshold as it is sent: a Quantity exactly in the scaler of the monitored attribute, a number as it is.

    present: a threshold that is there. Raises EncodeError for another unit, or what cannot be written without rounding.
    """
    about = monitored(value)
    if present is None or present.type is DataType.NULL_DATA:
        (found,) = yield from session.get_many([about])
        if not isinstance(found, EncodedData):
            raise denied("read", about, found)
        if found.type is DataType.NULL_DATA:
            raise EncodeError(
                f"{about} and its threshold have no value, so the type of a threshold is not known: write it typed"
            )
        present = found
    if isinstance(wanted, Quantity):
        return raw_value(about, wanted, (yield from monitored_unit(session, value)), present)
    try:
        return EncodedData.of(present.type, wanted)
    except (EncodeError, TypeError) as error:
        raise EncodeError(f"a threshold of {about} is of type {present.type.label}: {error}") from None
