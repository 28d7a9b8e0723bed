"""Two tariffs of a simulated meter, switched by its activity calendar (classes 6, 9, 11 and 20; IEC 62056-6-2, 5.5).

::

    Activity calendar     working days 0:00 script 2, 6:00 script 1, 22:00 script 2; other days 0:00 script 2
      --> Script table    1: active_mask "T1"; 2: active_mask "T2"
        --> Register activation     "T1": 1-0:1.8.1, 1-0:2.8.1; "T2": 1-0:1.8.2, 1-0:2.8.2

Special days are those of :data:`cosemic.simulator.customers.HOLIDAYS`. All of it can be written by clients.
"""

from __future__ import annotations

from typing import Final

from cosemic.codec import DataType
from cosemic.model import (
    DayProfile,
    DayProfileAction,
    ObjectDefinition,
    Register,
    RegisterActivation,
    RegisterActMask,
    Season,
    SpecDayEntry,
    WeekProfile,
)
from cosemic.server import (
    ActivityCalendarObject,
    ClockObject,
    LogicalDevice,
    RegisterActivationObject,
    ScriptTableObject,
    SpecialDaysObject,
    data,
    writing,
)
from cosemic.simulator.customers import HOLIDAYS, SLOT, SLOTS_OF_AN_HOUR, TARIFF_1
from cosemic.simulator.names import (
    ACTIVE_TARIFF,
    CALENDAR,
    ENERGY_TARIFF_1,
    ENERGY_TARIFF_2,
    EXPORT_TARIFF_1,
    EXPORT_TARIFF_2,
    SPECIAL_DAYS,
    TARIFF_SCRIPTS,
    TARIFFS,
)
from cosemic.values import Date, DateTime, Time

T1, T2 = b"T1", b"T2"
"""Names of the tariffs: of their masks."""
_WORKING_DAY, _FREE_DAY = 1, 2
_REGISTERS: Final = tuple(
    ObjectDefinition(Register.class_id, name)
    for name in (ENERGY_TARIFF_1, EXPORT_TARIFF_1, ENERGY_TARIFF_2, EXPORT_TARIFF_2)
)
_MASKS: Final = (RegisterActMask(T1, (1, 2)), RegisterActMask(T2, (3, 4)))
_SWITCHES: Final = {
    number: (writing(RegisterActivation(TARIFFS).active_mask, name),) for number, name in enumerate((T1, T2), 1)
}


def _at(slot: int, script: int) -> DayProfileAction:
    hour, rest = divmod(slot, SLOTS_OF_AN_HOUR)
    start = Time.of(hour=hour, minute=rest * SLOT // 60, second=0, hundredths=0)
    return DayProfileAction(start, TARIFF_SCRIPTS, script)


_CALENDAR: Final = {
    "calendar_name_active": b"standard",
    "season_profile_active": (Season(b"year", DateTime.of(), b"week"),),
    "week_profile_table_active": (WeekProfile(b"week", *(_WORKING_DAY,) * 5, *(_FREE_DAY,) * 2),),
    "day_profile_table_active": (
        DayProfile(_WORKING_DAY, (_at(0, 2), _at(TARIFF_1.start, 1), _at(TARIFF_1.stop, 2))),
        DayProfile(_FREE_DAY, (_at(0, 2),)),
    ),
}
_HOLIDAYS: Final = tuple(
    SpecDayEntry(number, Date.of(month=month, day_of_month=day), _FREE_DAY)
    for number, (month, day) in enumerate(HOLIDAYS, 1)
)


class Tariffs:
    """The tariffs of a device; adds their objects. It begins in tariff 2, as at midnight.

    ``activation``, ``special_days``, ``calendar``: the objects. Raises ConfigurationError, StoreError.
    """

    def __init__(self, device: LogicalDevice, clock: ClockObject) -> None:
        self.activation = device.add(RegisterActivationObject(TARIFFS, _REGISTERS, _MASKS, T2))
        device.add(data(ACTIVE_TARIFF, DataType.OCTET_STRING, lambda now: self.activation.active_mask))
        device.add(ScriptTableObject(device, TARIFF_SCRIPTS, _SWITCHES))
        self.special_days = device.add(SpecialDaysObject(SPECIAL_DAYS, _HOLIDAYS))
        self.calendar = device.add(
            ActivityCalendarObject(
                device, clock, CALENDAR, _CALENDAR, special_days=self.special_days, active_writable=True
            )
        )
