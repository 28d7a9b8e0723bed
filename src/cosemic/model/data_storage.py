"""Interface classes for parameters and measurement data (IEC 62056-6-2, 5.2): registers, profiles, tables.

::

    Data                  one value of any type
    Register              a value with scaler and unit
    Extended register     the same, with status and capture_time
    Demand register       averages over periods
    Register activation   which registers count at a time
    Profile generic       rows of attribute values
    Register table        one attribute of many objects that differ in value group E
"""

from __future__ import annotations

from typing import Any, Final

from cosemic.model.common import (
    CaptureObjectDefinition,
    ControlZero,
    EntryDescriptor,
    ObjectDefinition,
    ProfileEntry,
    RangeDescriptor,
    RegisterValue,
    ScalerUnit,
    SimpleValue,
    ValueDefinition,
)
from cosemic.model.compound import AnyData, ArrayOf, Choice, CompactArrayOf, Structure, Unverified, field
from cosemic.model.enumerated import EnumOf
from cosemic.model.formats import DateTimeOctets, LogicalName
from cosemic.model.forms import SeenAlso
from cosemic.model.interface_class import (
    InterfaceClass,
    Selector,
    attribute,
    dynamic,
    method,
    static,
    static_or_dynamic,
)
from cosemic.model.types import (
    BitStringData,
    DoubleLongUnsigned,
    Integer,
    Long64Unsigned,
    LongUnsigned,
    NullData,
    OctetString,
    Unsigned,
    Utf8String,
    VisibleString,
)
from cosemic.values import Enumeration, Obis


class Data(InterfaceClass, class_id=1, version=0, name="Data"):
    """One value of whatever type the instance has: a parameter, an identifier, a counter, a status."""

    value = attribute(2, AnyData, static_or_dynamic)


class Register(InterfaceClass, class_id=3, version=0, name="Register"):
    """A process value or a status with its scaler and unit."""

    value = attribute(2, RegisterValue, dynamic)
    scaler_unit = attribute(3, ScalerUnit, static)

    reset = method(1, ControlZero, sn_offset=0x28)


StatusValue: Final[Choice[SimpleValue]] = Choice(
    NullData, BitStringData, DoubleLongUnsigned, OctetString, VisibleString, Utf8String, Unsigned, LongUnsigned,
    Long64Unsigned, name="status_value",
)  # fmt: skip
"""What is to be known about a value; the meaning of the bits is the instance's."""


class ExtendedRegister(InterfaceClass, class_id=4, version=0, name="Extended register"):
    """A register with a status, and the time at which its value was captured."""

    value = attribute(2, RegisterValue, dynamic)
    scaler_unit = attribute(3, ScalerUnit, static)
    status = attribute(4, StatusValue, dynamic)
    capture_time = attribute(5, DateTimeOctets, dynamic)

    reset = method(1, ControlZero, sn_offset=0x38)


class DemandRegister(InterfaceClass, class_id=5, version=0, name="Demand register"):
    """The average of a quantity over number_of_periods times ``period`` seconds: the running and the last one.

    One period: block demand. More: sliding demand, of which last_average_value is new at the end of each period.
    """

    current_average_value = attribute(2, RegisterValue, dynamic, default=0)
    last_average_value = attribute(3, RegisterValue, dynamic, default=0)
    scaler_unit = attribute(4, ScalerUnit, static)
    status = attribute(5, StatusValue, dynamic)
    capture_time = attribute(6, DateTimeOctets, dynamic)
    start_time_current = attribute(7, DateTimeOctets, dynamic)
    period = attribute(8, DoubleLongUnsigned.within(1), static)
    number_of_periods = attribute(9, LongUnsigned.within(1), static, default=1)

    reset = method(1, ControlZero, sn_offset=0x48)
    next_period = method(2, ControlZero, sn_offset=0x50)


class RegisterActMask(Structure, name="register_act_mask"):
    """A group of registers under a name; the indices are those of register_assignment, from 1."""

    mask_name: bytes = field(OctetString)
    index_list: tuple[int, ...] = field(ArrayOf(Unsigned))


class RegisterActivation(InterfaceClass, class_id=6, version=0, name="Register activation"):
    """Tariffs: groups of registers, of which one counts at a time; an empty active_mask stops all of them."""

    register_assignment = attribute(2, ArrayOf(ObjectDefinition), static)
    mask_list = attribute(3, ArrayOf(RegisterActMask), static)
    active_mask = attribute(4, OctetString, dynamic)
    """mask_name of the group that counts."""

    add_register = method(1, ObjectDefinition, sn_offset=0x30)
    add_mask = method(2, RegisterActMask, sn_offset=0x38)
    delete_mask = method(3, OctetString, sn_offset=0x40)
    """mask_name."""


class SortMethod(Enumeration):
    """Order in which a full profile keeps its entries."""

    FIFO = 1
    LIFO = 2
    LARGEST = 3
    SMALLEST = 4
    NEAREST_TO_ZERO = 5
    FURTHEST_FROM_ZERO = 6


ProfileBuffer: Final[Choice[tuple[tuple[Any, ...], ...]]] = Choice(CompactArrayOf(ProfileEntry), ArrayOf(ProfileEntry))
"""Rows; null-data in one stands for what can be told from the row before (:mod:`cosemic.model.profile`)."""


class _ProfileGeneric(InterfaceClass):
    """What both versions share."""

    capture_period = attribute(4, DoubleLongUnsigned, static)
    """Seconds; 0: entries are captured on events only."""
    sort_method = attribute(5, EnumOf(SortMethod), static, default=SortMethod.FIFO)
    sort_object = attribute(6, CaptureObjectDefinition, static)
    """All zero where the entries are kept in order of time."""
    entries_in_use = attribute(7, DoubleLongUnsigned, dynamic, default=0)
    profile_entries = attribute(8, DoubleLongUnsigned.within(1), static, default=1)

    reset = method(1, ControlZero, sn_offset=0x58)
    capture = method(2, ControlZero, sn_offset=0x60)


class ProfileGeneric(_ProfileGeneric, class_id=7, version=1, name="Profile generic"):
    """A table of attribute values, captured by time or event: load profile, billing values, event log."""

    buffer = attribute(
        2,
        ProfileBuffer,
        dynamic,
        selectors=(
            Selector(1, "range_descriptor", RangeDescriptor),
            Selector(2, "entry_descriptor", EntryDescriptor),
        ),
    )
    capture_objects = attribute(3, ArrayOf(CaptureObjectDefinition), static)


def _whole_attributes(definitions: tuple[ValueDefinition, ...]) -> tuple[CaptureObjectDefinition, ...]:
    return tuple(CaptureObjectDefinition(one.class_id, one.logical_name, one.attribute_index, 0) for one in definitions)


class ProfileGenericVersion0(_ProfileGeneric, class_id=7, version=0, name="Profile generic"):
    """The first form: parts of the buffer are read with two methods, whose short name offsets are inferred."""

    buffer = attribute(2, ProfileBuffer, dynamic)
    capture_objects = attribute(
        3,
        ArrayOf(CaptureObjectDefinition),
        static,
        seen_also=(SeenAlso(ArrayOf(ValueDefinition), _whole_attributes),),
    )

    get_buffer_by_range = method(3, RangeDescriptor, returns=ArrayOf(ProfileEntry), sn_offset=0x68)
    get_buffer_by_index = method(4, EntryDescriptor, returns=ArrayOf(ProfileEntry), sn_offset=0x70)


TableCellEntry: Final[Choice[Any]] = Choice(Unsigned, Unverified, name="table_cell_entry")
"""Value group E of a cell; whether it may be of other types than unsigned is not known."""


_CELLS: Final[Choice[tuple[Any, ...]]] = Choice(CompactArrayOf(AnyData), ArrayOf(AnyData))


class TableCellDefinition(Structure):
    """Which attribute of which objects: value group E of logical_name is 255, group_E_values are put in its place."""

    class_id: int = field(LongUnsigned)
    logical_name: Obis = field(LogicalName)
    group_E_values: tuple[Any, ...] = field(ArrayOf(TableCellEntry))  # noqa: N815 - the standard's name
    attribute_index: int = field(Integer)


class RegisterTable(InterfaceClass, class_id=61, version=0, name="Register table"):
    """One attribute of many objects that differ in value group E only, with one scaler and unit."""

    table_cell_values = attribute(2, _CELLS, dynamic)
    table_cell_definition = attribute(3, TableCellDefinition, static)
    scaler_unit = attribute(4, ScalerUnit, static)

    reset = method(1, ControlZero, sn_offset=0x28)
    capture = method(2, ControlZero, sn_offset=0x30)
