"""Columns of a profile, and the selection of rows by time or number (IEC 62056-6-2, class 7).

::

    range_descriptor   selector 1   restricting_object, from_value .. to_value (both inclusive), selected_values
    entry_descriptor   selector 2   from_entry .. to_entry, columns from .. to; all count from 1, 0 is the last
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cosemic.codec import DataType, Typed
from cosemic.errors import ConfigurationError
from cosemic.model.common import CaptureObjectDefinition, EntryDescriptor, RangeDescriptor, ScalerUnit
from cosemic.model.data_storage import ProfileGeneric, Register
from cosemic.model.formats import DateTimeOctets
from cosemic.model.interface_class import AccessSelection, AttributeReference, interface_class
from cosemic.model.obis_names import describe
from cosemic.model.types import is_typed
from cosemic.values import DateTime, Obis, Quantity, Unit

_SCALED: Final = {(3, 2): 3, (4, 2): 3, (5, 2): 4, (5, 3): 4}
"""Class and attribute of a scaled value, and the attribute that holds its scaler_unit."""

_TIMES: Final = frozenset({(4, 5), (5, 6), (5, 7)})
"""Class and attribute of the times of Extended and Demand register: capture_time, start_time_current."""

_CLOCK: Final = (8, 2)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a profile: what is captured, and scaler and unit where its values have them."""

    capture_object: CaptureObjectDefinition
    scaler_unit: ScalerUnit | None = None

    @property
    def obis(self) -> Obis:
        """Logical name of the object."""
        return self.capture_object.logical_name

    @property
    def attribute(self) -> int:
        """Number of the attribute."""
        return self.capture_object.attribute_index

    @property
    def unit(self) -> Unit | None:
        """Unit of the values."""
        return self.scaler_unit.unit if self.scaler_unit else None

    @property
    def scaler(self) -> int | None:
        """Power of ten of the values."""
        return self.scaler_unit.scaler if self.scaler_unit else None

    @property
    def name(self) -> str:
        """What is captured, in words; attributes other than the second by their name or number."""
        name = describe(self.obis, self.capture_object.class_id)
        if self.attribute == 2:
            return name
        return (
            f"{name}, {AttributeReference.of(self.capture_object.class_id, self.obis, self.attribute).attribute.name}"
        )

    @property
    def is_clock(self) -> bool:
        """Whether it is the time of a Clock, or the seconds of a UNIX clock (0-b:1.1.e)."""
        key = self.capture_object.class_id, self.attribute
        return key == _CLOCK or (key in ((1, 2), (3, 2)) and (self.obis.a, self.obis.c, self.obis.d) == (0, 1, 1))

    @property
    def is_status(self) -> bool:
        """Whether it is a status register, or an internal operating status (0-b:96.10.e, 96.5.e)."""
        return self.attribute == 2 and self.obis.c == 96 and self.obis.d in (5, 10)

    def value(self, cell: Any) -> Any:
        """Return the value of a cell: a Quantity where there is a scaler, a DateTime where it is a time."""
        if self.scaler_unit is not None and isinstance(cell, int | float) and not isinstance(cell, bool):
            return Quantity(cell, self.scaler_unit.scaler, self.scaler_unit.unit)
        if isinstance(cell, bytes) and len(cell) == 12 and self._is_time():
            return DateTime(cell)
        return cell

    def _is_time(self) -> bool:
        key = self.capture_object.class_id, self.attribute
        known = interface_class(key[0])
        declared = known.attributes.get(key[1]) if known else None
        return key in _TIMES or (declared is not None and declared.type is DateTimeOctets)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes."""
        return {
            "class_id": self.capture_object.class_id,
            "obis": str(self.obis),
            "attribute": self.attribute,
            "data_index": self.capture_object.data_index,
            "name": self.name,
            "scaler": self.scaler,
            "unit": self.unit.symbol if self.unit is not None else None,
        }


def clock_of(columns: Sequence[Column]) -> int | None:
    """Return the index of the column that stamps the rows: the first clock; None where there is none."""
    return next((index for index, column in enumerate(columns) if column.is_clock), None)


def scaler_unit_of(captured: CaptureObjectDefinition) -> AttributeReference[ScalerUnit] | None:
    """Return the attribute that holds scaler and unit of what is captured; None where it has none."""
    index = _SCALED.get((captured.class_id, captured.attribute_index))
    if index is None or captured.data_index:
        return None
    return AttributeReference(captured.class_id, captured.logical_name, index, Register.scaler_unit)


Bound = DateTime | dt.datetime | int | Typed
"""A bound of a range: a time, the seconds of a UNIX clock, or any typed value."""


def range_descriptor(
    restricting_object: CaptureObjectDefinition,
    from_value: Bound,
    to_value: Bound,
    selected_values: Sequence[CaptureObjectDefinition] = (),
    *,
    inverted_deviation: bool = False,
) -> AccessSelection:
    """Return the selection of the rows whose ``restricting_object`` lies within two values, both inclusive.

    A DateTime or datetime goes out as octet-string of 12 octets (a naive datetime without deviation), an int as
    double-long-unsigned. ``selected_values`` empty: all columns. Raises EncodeError.
    """
    parameters = RangeDescriptor(
        restricting_object,
        _bound(from_value, inverted_deviation),
        _bound(to_value, inverted_deviation),
        tuple(selected_values),
    )
    return ProfileGeneric.buffer.selector("range_descriptor").select(parameters)


def entry_descriptor(
    from_entry: int = 1, to_entry: int = 0, from_selected_value: int = 1, to_selected_value: int = 0
) -> AccessSelection:
    """Return the selection of rows and columns by number, from 1; ``to_...`` 0 is the last. Raises EncodeError."""
    parameters = EntryDescriptor(from_entry, to_entry, from_selected_value, to_selected_value)
    return ProfileGeneric.buffer.selector("entry_descriptor").select(parameters)


def range_of(
    columns: Sequence[Column],
    since: dt.datetime,
    until: dt.datetime,
    *,
    zone: dt.tzinfo | None = None,
    with_deviation: bool = True,
    inverted_deviation: bool = False,
    selected_values: Sequence[CaptureObjectDefinition] = (),
) -> AccessSelection:
    """Return the selection of the rows that [since, until) needs.

    Rows are stamped at the end of their interval: the row stamped ``until`` is wanted, the one stamped ``since`` comes
    along and is dropped by :meth:`LoadProfile.from_buffer`.

    since, until: aware. zone: of the meter; the bounds go out in its local time. with_deviation: False for meters that
    take bounds only without deviation.

    Raises ConfigurationError for naive bounds, or where no column is a clock; EncodeError.
    """
    index = clock_of(columns)
    if index is None:
        raise ConfigurationError("the profile captures no clock: select its rows by number (entry_descriptor)")
    if since.tzinfo is None or until.tzinfo is None:
        raise ConfigurationError("since and until need a time zone: datetime(..., tzinfo=...)")
    clock = columns[index].capture_object

    def bound(moment: dt.datetime) -> Bound:
        if clock.class_id != _CLOCK[0]:
            return int(moment.timestamp())
        local = moment.astimezone(zone) if zone else moment
        return local if with_deviation else local.replace(tzinfo=None)

    return range_descriptor(clock, bound(since), bound(until), selected_values, inverted_deviation=inverted_deviation)


def _bound(value: Bound, inverted_deviation: bool) -> Typed:
    if isinstance(value, dt.datetime):
        value = DateTime.from_datetime(value, inverted_deviation=inverted_deviation)
    if isinstance(value, DateTime):
        return DataType.OCTET_STRING, value.octets
    if isinstance(value, int):
        return DataType.DOUBLE_LONG_UNSIGNED, value
    if is_typed(value):
        return value
    raise ConfigurationError(f"{value!r} is no bound of a range: give a time, a number, or (DataType, value)")
