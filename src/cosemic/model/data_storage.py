"""Interface classes for parameters and measurement data: Data, Register, Profile generic (IEC 62056-6-2, 5.2)."""

from __future__ import annotations

from typing import Any, Final

from cosemic.model.common import (
    CaptureObjectDefinition,
    ControlZero,
    EntryDescriptor,
    ProfileEntry,
    RangeDescriptor,
    RegisterValue,
    ScalerUnit,
    ValueDefinition,
)
from cosemic.model.compound import AnyData, ArrayOf, Choice, CompactArrayOf
from cosemic.model.enumerated import EnumOf
from cosemic.model.interface_class import (
    InterfaceClass,
    SeenAlso,
    Selector,
    attribute,
    dynamic,
    method,
    static,
    static_or_dynamic,
)
from cosemic.model.types import DoubleLongUnsigned
from cosemic.values import Enumeration


class Data(InterfaceClass, class_id=1, version=0, name="Data"):
    """One value of whatever type the instance has: a parameter, an identifier, a counter, a status."""

    value = attribute(2, AnyData, static_or_dynamic)


class Register(InterfaceClass, class_id=3, version=0, name="Register"):
    """A process value or a status with its scaler and unit."""

    value = attribute(2, RegisterValue, dynamic)
    scaler_unit = attribute(3, ScalerUnit, static)

    reset = method(1, ControlZero, sn_offset=0x28)


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
