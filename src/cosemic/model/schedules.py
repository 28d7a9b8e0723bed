"""Interface classes for control by time (IEC 62056-6-2, 5.5): scripts, and what runs them.

::

    Script table             what is done: lists of attribute writes and method calls
    Schedule                 when: weekdays, special days, a time of day, a range of dates
    Special days table       which dates are special, and what day they count as
    Activity calendar        when: seasons of weeks of days, an active and a passive copy
    Single action schedule   when: at given dates and times
"""

from __future__ import annotations

from typing import Any, Final

from cosemic.model.common import ActionItem, ControlZero
from cosemic.model.compound import AnyData, ArrayOf, Structure, field
from cosemic.model.enumerated import EnumOf
from cosemic.model.formats import DateOctets, DateTimeOctets, LogicalName, TimeOctets
from cosemic.model.interface_class import InterfaceClass, attribute, method, static
from cosemic.model.types import BitStringData, Boolean, Integer, LongUnsigned, OctetString, Unsigned
from cosemic.values import BitString, Date, DateTime, Enumeration, Obis, Time

# ---- Script table ----------------------------------------------------------------------------------------------------


class ServiceId(Enumeration):
    """What an action of a script does."""

    WRITE_ATTRIBUTE = 1
    EXECUTE_METHOD = 2


class ActionSpecification(Structure, name="action_specification"):
    """One action of a script; index is that of the attribute or method.

    parameter: the value to write or the parameter of the method; native when read, ``(DataType, value)`` to be sent.
    """

    service_id: ServiceId | int = field(EnumOf(ServiceId))
    class_id: int = field(LongUnsigned)
    logical_name: Obis = field(LogicalName)
    index: int = field(Integer)
    parameter: Any = field(AnyData)


class Script(Structure, name="script"):
    """Actions that run as one; identifier 0 is reserved."""

    script_identifier: int = field(LongUnsigned)
    actions: tuple[ActionSpecification, ...] = field(ArrayOf(ActionSpecification))


class ScriptTable(InterfaceClass, class_id=9, version=0, name="Script table"):
    """Lists of actions, each of which is run as one: by execute, or by whatever refers to it."""

    scripts = attribute(2, ArrayOf(Script), static)

    execute = method(1, LongUnsigned, sn_offset=0x20)
    """script_identifier."""


# ---- Schedule, Special days table ------------------------------------------------------------------------------------


class ScheduleTableEntry(Structure, name="schedule_table_entry"):
    """A script, and when it runs.

    index: 1 to 9999. validity_window: minutes after switch_time in which the script is still run after a power failure;
    0xFFFF: at any time. exec_weekdays: Monday first. exec_specdays: day_ids of the Special days table on which the
    script runs as well, one bit each (unsure: which bit stands for which is recalled, not seen in a text).
    """

    index: int = field(LongUnsigned)
    enable: bool = field(Boolean)
    script_logical_name: Obis = field(LogicalName)
    script_selector: int = field(LongUnsigned)
    switch_time: Time = field(TimeOctets)
    validity_window: int = field(LongUnsigned)
    exec_weekdays: BitString = field(BitStringData[7])
    exec_specdays: BitString = field(BitStringData)
    begin_date: Date = field(DateOctets)
    end_date: Date = field(DateOctets)


class EnableDisable(Structure):
    """Entries by index, both ends inclusive: range A is disabled, range B enabled."""

    first_index_a: int = field(LongUnsigned)
    last_index_a: int = field(LongUnsigned)
    first_index_b: int = field(LongUnsigned)
    last_index_b: int = field(LongUnsigned)


class IndexRange(Structure):
    """Entries by index, both ends inclusive."""

    first_index: int = field(LongUnsigned)
    last_index: int = field(LongUnsigned)


class Schedule(InterfaceClass, class_id=10, version=0, name="Schedule"):
    """Scripts that run at a time of day, on weekdays and special days, within a range of dates."""

    entries = attribute(2, ArrayOf(ScheduleTableEntry), static)

    enable_disable = method(1, EnableDisable, sn_offset=0x20)
    insert = method(2, ScheduleTableEntry, sn_offset=0x28)
    delete = method(3, IndexRange, sn_offset=0x30)


class SpecDayEntry(Structure, name="spec_day_entry"):
    """A special day, and the day_id of the Activity calendar that it counts as."""

    index: int = field(LongUnsigned)
    specialday_date: Date = field(DateOctets)
    day_id: int = field(Unsigned)


class SpecialDaysTable(InterfaceClass, class_id=11, version=0, name="Special days table"):
    """Dates on which Schedule and Activity calendar take another day than the weekday says."""

    entries = attribute(2, ArrayOf(SpecDayEntry), static)

    insert = method(1, SpecDayEntry, sn_offset=0x10)
    delete = method(2, LongUnsigned, sn_offset=0x18)
    """index of the entry."""


# ---- Activity calendar -----------------------------------------------------------------------------------------------


class Season(Structure, name="season"):
    """From when on which week is in force; a start without year comes every year."""

    season_profile_name: bytes = field(OctetString)
    season_start: DateTime = field(DateTimeOctets)
    week_name: bytes = field(OctetString)


class WeekProfile(Structure, name="week_profile"):
    """The day_id of each weekday."""

    week_profile_name: bytes = field(OctetString)
    monday: int = field(Unsigned)
    tuesday: int = field(Unsigned)
    wednesday: int = field(Unsigned)
    thursday: int = field(Unsigned)
    friday: int = field(Unsigned)
    saturday: int = field(Unsigned)
    sunday: int = field(Unsigned)


class DayProfileAction(Structure, name="day_profile_action"):
    """A script, and the time of day at which it runs."""

    start_time: Time = field(TimeOctets)
    script_logical_name: Obis = field(LogicalName)
    script_selector: int = field(LongUnsigned)


class DayProfile(Structure, name="day_profile"):
    """What happens on a day."""

    day_id: int = field(Unsigned)
    day_schedule: tuple[DayProfileAction, ...] = field(ArrayOf(DayProfileAction))


_SEASONS: Final = ArrayOf(Season)
_WEEKS: Final = ArrayOf(WeekProfile)
_DAYS: Final = ArrayOf(DayProfile)


class ActivityCalendar(InterfaceClass, class_id=20, version=0, name="Activity calendar"):
    """Seasons of weeks of days of scripts, twice: the active copy is in force, the passive one waits to replace it."""

    calendar_name_active = attribute(2, OctetString, static)
    season_profile_active = attribute(3, _SEASONS, static)
    week_profile_table_active = attribute(4, _WEEKS, static)
    day_profile_table_active = attribute(5, _DAYS, static)
    calendar_name_passive = attribute(6, OctetString, static)
    season_profile_passive = attribute(7, _SEASONS, static)
    week_profile_table_passive = attribute(8, _WEEKS, static)
    day_profile_table_passive = attribute(9, _DAYS, static)
    activate_passive_calendar_time = attribute(10, DateTimeOctets, static)
    """All fields not specified: only activate_passive_calendar does it."""

    activate_passive_calendar = method(1, ControlZero, sn_offset=0x50)


# ---- Single action schedule ------------------------------------------------------------------------------------------


class SingleActionScheduleType(Enumeration):
    """How many entries execution_time has, and whether their dates may have wildcards."""

    ONE_ENTRY_WILDCARD_DATE_ALLOWED = 1
    N_ENTRIES_SAME_TIME_NO_WILDCARD_DATE = 2
    N_ENTRIES_SAME_TIME_WILDCARD_DATE = 3
    N_ENTRIES_DIFFERENT_TIME_NO_WILDCARD_DATE = 4
    N_ENTRIES_DIFFERENT_TIME_WILDCARD_DATE = 5


class ExecutionTime(Structure):
    """When a script runs."""

    time: Time = field(TimeOctets)
    date: Date = field(DateOctets)


class SingleActionSchedule(InterfaceClass, class_id=22, version=0, name="Single action schedule"):
    """One script that runs at given dates and times."""

    executed_script = attribute(2, ActionItem, static)
    type = attribute(3, EnumOf(SingleActionScheduleType), static)
    execution_time = attribute(4, ArrayOf(ExecutionTime), static)
