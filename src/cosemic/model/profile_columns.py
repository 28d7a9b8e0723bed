"""Columns of a profile, and the selection of rows by time or number (IEC 62056-6-2, class 7).

::

    range_descriptor   selector 1   restricting_object, from_value .. to_value (both inclusive), selected_values
    entry_descriptor   selector 2   from_entry .. to_entry, columns from .. to; all count from 1, 0 is the last
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cosemic.codec import DataType, Typed
from cosemic.dialect import MeasuredSide
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

_SCALERS: Final = frozenset((class_id, index) for (class_id, _), index in _SCALED.items())

_CLOCK: Final = (8, 2)
_VALUES: Final = ((1, 2), (3, 2), (4, 2))
"""Class and attribute of what may hold a time under a code of its own: UNIX clock, time of billing."""

_STATUS: Final = (5, 10, 240)
"""Group D of C = 96: internal operating status, status register, and the status of VDEW load profiles (96.240.12)."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a profile: what is captured, and scaler and unit where its values have them.

    side: of the measuring transformers, where it is known and makes a difference.
    """

    capture_object: CaptureObjectDefinition
    scaler_unit: ScalerUnit | None = None
    side: MeasuredSide | None = None

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
        return self._key == _CLOCK or (self._key in _VALUES and (self.obis.a, self.obis.c, self.obis.d) == (0, 1, 1))

    @property
    def is_billing_time(self) -> bool:
        """Whether it is the time at which a billing period was closed (0-b:0.1.2, 1-b:0.1.2)."""
        return self._key in _VALUES and self.obis.a in (0, 1) and self.obis[2:5] == b"\0\1\2"

    @property
    def is_status(self) -> bool:
        """Whether it is a status register, an internal operating status or a VDEW status (0-b:96.10.e, 96.5.e)."""
        if self.obis.c != 96 or self.obis.d not in _STATUS or self.attribute != 2:
            return False
        return self.obis.d != 240 or self.obis.e == 12

    @property
    def is_time(self) -> bool:
        """Whether the values are times: capture_time, start_time_current, the time of a clock, the time of billing."""
        known = interface_class(self.capture_object.class_id)
        declared = known.attributes.get(self.attribute) if known else None
        return self.is_billing_time or (declared is not None and declared.type is DateTimeOctets)

    @property
    def _key(self) -> tuple[int, int]:
        return self.capture_object.class_id, self.attribute

    def value(self, cell: Any) -> Any:
        """Return the value of a cell: a Quantity where there is a scaler, what its attribute is declared as elsewhere.

        That is a DateTime for a time, an Obis for a logical_name, a ScalerUnit for a scaler_unit. Cells that are no
        such thing, and those of a part of an attribute (data_index), stay as they are.
        """
        return self.values((cell,))[0]

    def values(self, cells: Iterable[Any]) -> list[Any]:
        """Return the values of many cells; see :meth:`value`."""
        if self.scaler_unit is not None:
            scaler, unit = self.scaler_unit.scaler, self.scaler_unit.unit
            return [
                Quantity(cell, scaler, unit) if isinstance(cell, int | float) and not isinstance(cell, bool) else cell
                for cell in cells
            ]
        convert = None if self.capture_object.data_index else self._declared()
        return list(cells) if convert is None else [convert(cell) for cell in cells]

    def _declared(self) -> Callable[[Any], Any] | None:
        """What makes the values of the attribute; None where cells are values."""
        if self.attribute == 1:
            return lambda cell: Obis(cell) if isinstance(cell, bytes) and len(cell) == 6 else cell
        if self._key in _SCALERS:
            return lambda cell: scaler_unit_in(cell) or cell
        if self.is_time:
            return lambda cell: DateTime(cell) if isinstance(cell, bytes) and len(cell) == 12 else cell
        return None

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
            "side": self.side.value if self.side is not None else None,
        }


def clock_of(columns: Sequence[Column]) -> int | None:
    """Return the index of the column that stamps the rows; None where there is none.

    It is the first clock, or the time of billing in billing profiles without one.
    """
    clock = next((index for index, column in enumerate(columns) if column.is_clock), None)
    return clock if clock is not None else next((n for n, one in enumerate(columns) if one.is_billing_time), None)


def scaler_unit_in(cell: Any) -> ScalerUnit | None:
    """Return scaler and unit of a cell that captures them; None for anything else."""
    if not isinstance(cell, tuple) or len(cell) != 2 or any(type(one) is not int for one in cell):
        return None
    scaler, unit = cell
    return ScalerUnit(scaler, Unit(unit)) if -128 <= scaler <= 127 and 0 <= unit <= 255 else None


def scaler_unit_captured(captured: CaptureObjectDefinition) -> AttributeReference[ScalerUnit] | None:
    """Return the scaler_unit that is captured itself; None where something else is."""
    if (captured.class_id, captured.attribute_index) not in _SCALERS or captured.data_index:
        return None
    return AttributeReference(captured.class_id, captured.logical_name, captured.attribute_index, Register.scaler_unit)


def scaler_unit_of(captured: CaptureObjectDefinition) -> AttributeReference[ScalerUnit] | None:
    """Return the attribute that holds scaler and unit of what is captured; None where it has none."""
    if captured.data_index:
        return None
    return scaler_unit_for(captured.class_id, captured.logical_name, captured.attribute_index)


def scaler_unit_for(class_id: int, logical_name: Obis, attribute_index: int) -> AttributeReference[ScalerUnit] | None:
    """Return the attribute that holds scaler and unit of an attribute; None where it has none."""
    index = _SCALED.get((class_id, attribute_index))
    return None if index is None else AttributeReference(class_id, logical_name, index, Register.scaler_unit)


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
    period: int = 0,
    zone: dt.tzinfo | None = None,
    with_deviation: bool = True,
    inverted_deviation: bool = False,
    selected_values: Sequence[CaptureObjectDefinition] = (),
) -> AccessSelection:
    """Return the selection of the rows that [since, until) needs.

    Rows are stamped at the end of their interval: the row stamped ``until`` is wanted, and the one of an interval whose
    middle lies before ``until`` is stamped up to half a period later. The row stamped ``since`` comes along and is
    dropped by :meth:`LoadProfile.from_buffer`.

    period: capture_period in seconds.
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
    in_seconds = columns[index].is_clock and clock.class_id != _CLOCK[0]

    def bound(moment: dt.datetime) -> Bound:
        if in_seconds:
            return int(moment.timestamp())
        local = moment.astimezone(zone) if zone else moment
        return local if with_deviation else local.replace(tzinfo=None)

    try:
        last = until + dt.timedelta(seconds=period / 2)
    except OverflowError:
        last = until
    return range_descriptor(clock, bound(since), bound(last), selected_values, inverted_deviation=inverted_deviation)


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
