"""Types that several interface classes share (IEC 62056-6-2, 4.3 and clause 5, common data structures).

The names given to types are those of the reference tables.
"""

from __future__ import annotations

from typing import Any, Final

from cosemic.model.compound import ArrayOf, Choice, Structure, StructureOf, field
from cosemic.model.formats import DateData, DateTimeData, LogicalName, TimeData, UnitCode
from cosemic.model.forms import Alias
from cosemic.model.types import (
    Bcd,
    BitStringData,
    Boolean,
    DoubleLong,
    DoubleLongUnsigned,
    Enum,
    Float32,
    Float64,
    Integer,
    Long,
    Long64,
    Long64Unsigned,
    LongUnsigned,
    NullData,
    OctetString,
    Unsigned,
    Utf8String,
    VisibleString,
)
from cosemic.values import BitString, Date, DateTime, Obis, Quantity, Time, Unit

SimpleValue = bool | int | float | str | bytes | BitString | DateTime | Date | Time | None
"""Native value of a simple type."""

ControlZero: Final = Integer.constant(0).named("control_zero")
"""The parameter of methods that need none: integer 0."""

RegisterValue: Final[Choice[SimpleValue]] = Choice(
    NullData, BitStringData, DoubleLong, DoubleLongUnsigned, OctetString, VisibleString, Utf8String, Integer, Long,
    Unsigned, LongUnsigned, Long64, Long64Unsigned, Float32, Float64, name="register_value",
)  # fmt: skip
"""A process value or status. Older texts also list bcd and boolean; both are read."""

SimpleData: Final[Choice[SimpleValue]] = Choice(
    Boolean, BitStringData, DoubleLong, DoubleLongUnsigned, OctetString, VisibleString, Utf8String, Bcd, Integer, Long,
    Unsigned, LongUnsigned, Long64, Long64Unsigned, Enum, Float32, Float64, DateTimeData, DateData, TimeData,
    name="simple_data",
)  # fmt: skip
"""Any simple type; in practice that of the attribute it is compared with."""


Threshold: Final = Alias(SimpleData, "threshold")
"""What a monitored value is held against; of the type of the monitored attribute, with its scaler and unit."""


class ScalerUnit(Structure, name="scal_unit_type"):
    """scaler_unit: value = raw * 10 ** scaler, in unit."""

    scaler: int = field(Integer)
    unit: Unit = field(UnitCode)

    def of(self, raw: int | float) -> Quantity:
        """Return a raw value with this scaler and unit."""
        return Quantity(raw, self.scaler, self.unit)


class ObjectDefinition(Structure, name="object_definition"):
    """Which object."""

    class_id: int = field(LongUnsigned)
    logical_name: Obis = field(LogicalName)


class ValueDefinition(Structure, name="value_definition"):
    """Which attribute."""

    class_id: int = field(LongUnsigned)
    logical_name: Obis = field(LogicalName)
    attribute_index: int = field(Integer)


class MethodDefinition(Structure, name="method_definition"):
    """Which method."""

    class_id: int = field(LongUnsigned)
    logical_name: Obis = field(LogicalName)
    method_index: int = field(Integer)


class CaptureObjectDefinition(Structure, name="capture_object_definition"):
    """Which attribute, and what of it: data_index 0 is all, n the n-th element of its structure or array.

    Negative attribute numbers are the manufacturer's.
    """

    class_id: int = field(LongUnsigned)
    logical_name: Obis = field(LogicalName)
    attribute_index: int = field(Integer)
    data_index: int = field(LongUnsigned)


class ActionItem(Structure, name="action_item"):
    """Which script of which Script table; a name of zeros only: no action."""

    script_logical_name: Obis = field(LogicalName)
    script_selector: int = field(LongUnsigned)


class RangeDescriptor(Structure, name="range_descriptor"):
    """Selective access to a profile by value: entries whose restricting_object lies within two values, both inclusive.

    No selected_values: all columns. In the values a time is an octet-string of 12 octets.
    """

    restricting_object: CaptureObjectDefinition = field(CaptureObjectDefinition)
    from_value: Any = field(SimpleData)
    to_value: Any = field(SimpleData)
    selected_values: tuple[CaptureObjectDefinition, ...] = field(ArrayOf(CaptureObjectDefinition))


class EntryDescriptor(Structure, name="entry_descriptor"):
    """Selective access to a profile by number: entries and columns count from 1; to_... 0 is the last."""

    from_entry: int = field(DoubleLongUnsigned)
    to_entry: int = field(DoubleLongUnsigned)
    from_selected_value: int = field(LongUnsigned)
    to_selected_value: int = field(LongUnsigned)


ProfileEntry: Final = StructureOf(name="profile_entry")
"""A row of a profile: one element for each capture object, in their order."""
