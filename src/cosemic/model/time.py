"""Interface class for time: Clock (IEC 62056-6-2, 5.5)."""

from __future__ import annotations

from typing import Final

from cosemic.model.common import ControlZero
from cosemic.model.compound import Structure, field
from cosemic.model.enumerated import BitsOf, EnumOf
from cosemic.model.formats import DateTimeOctets
from cosemic.model.interface_class import InterfaceClass, attribute, dynamic, method, static
from cosemic.model.types import Boolean, Integer, Long, Unsigned
from cosemic.values import ClockStatus, DateTime, Enumeration

ClockStatusBits: Final = BitsOf(Unsigned, ClockStatus, "clock_status")


class ClockBase(Enumeration):
    """What drives the clock."""

    NOT_DEFINED = 0
    INTERNAL_CRYSTAL = 1
    MAINS_50_HZ = 2
    MAINS_60_HZ = 3
    GPS = 4
    RADIO_CONTROLLED = 5


class PresetAdjustingTime(Structure):
    """A time to be set by adjust_to_preset_time, and the interval in which that is allowed."""

    preset_time: DateTime = field(DateTimeOctets)
    validity_interval_start: DateTime = field(DateTimeOctets)
    validity_interval_end: DateTime = field(DateTimeOctets)


class Clock(InterfaceClass, class_id=8, version=0, name="Clock"):
    """Date and time with time zone and daylight saving, and the ways to adjust them.

    time_zone and daylight_savings_deviation are in minutes; time_zone has the sign of the deviation in a date-time.
    """

    time = attribute(2, DateTimeOctets, dynamic)
    time_zone = attribute(3, Long.within(-720, 840), static)
    status = attribute(4, ClockStatusBits, dynamic)
    daylight_savings_begin = attribute(5, DateTimeOctets, static)
    daylight_savings_end = attribute(6, DateTimeOctets, static)
    daylight_savings_deviation = attribute(7, Integer.within(-120, 120), static)
    daylight_savings_enabled = attribute(8, Boolean, static)
    clock_base = attribute(9, EnumOf(ClockBase), static)

    adjust_to_quarter = method(1, ControlZero, sn_offset=0x60)
    adjust_to_measuring_period = method(2, ControlZero, sn_offset=0x68)
    adjust_to_minute = method(3, ControlZero, sn_offset=0x70)
    adjust_to_preset_time = method(4, ControlZero, sn_offset=0x78)
    preset_adjusting_time = method(5, PresetAdjustingTime, sn_offset=0x80)
    shift_time = method(6, Long.within(-900, 900), sn_offset=0x88)
    """Seconds."""
