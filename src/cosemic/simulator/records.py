"""What a simulated meter records: load profile, daily and billing values, events, power failures (class 7 and others).

======================  ==============================================================================
1-0:99.1.0              load profile: clock, status 0-0:96.10.1, 1.8.0, 2.8.0; every 900 s unless said
1-0:99.2.0              daily values: clock, status 0-0:96.10.2, 1.8.1, 1.8.2, 2.8.1, 2.8.2
0-0:98.1.0              billing values: clock, 1.8.0 .. 2, 2.8.0 .. 2, 1.6.0 and its time
0-0:99.98.0, 1, 2       event logs of IDIS: standard, fraud, disconnect control
1-0:99.97.0             power failures of more than three minutes: clock, seconds (0-0:96.7.19)
======================  ==============================================================================

Billing periods are closed by the Single action schedule 0-0:15.0.0 at the beginning of each month.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from cosemic.codec import DataType
from cosemic.model import (
    ActionItem,
    CaptureObjectDefinition,
    Clock,
    Data,
    ExecutionTime,
    ExtendedRegister,
    Register,
    ScalerUnit,
)
from cosemic.server import (
    Alarms,
    Billing,
    ClockObject,
    DemandRegisterObject,
    ErrorRegister,
    EventLog,
    LogicalDevice,
    MaximumDemandObject,
    ProfileObject,
    ProfileStatusObject,
    ScriptTableObject,
    SingleActionScheduleObject,
    data,
)
from cosemic.server.logical_device import Happening
from cosemic.server.registers import Source
from cosemic.server.state import FORGETFUL, load_json, save_json
from cosemic.simulator import names
from cosemic.simulator.customers import DAY, SLOT
from cosemic.values import Date, DateTime, Obis, Time, Unit

STAMP: Final = DataType.OCTET_STRING
COUNT: Final = DataType.DOUBLE_LONG_UNSIGNED
WATTS: Final = ScalerUnit(0, Unit.of("W"))
LOAD_TYPES: Final = (STAMP, DataType.UNSIGNED, COUNT, COUNT)
DAILY_TYPES: Final = (STAMP, DataType.UNSIGNED, *(COUNT,) * 4)
BILLING_TYPES: Final = (STAMP, *(COUNT,) * 7, STAMP)
DAILY_ENTRIES: Final = 40
_BILLING_ENTRIES: Final = 13
_FIRST_OF_MONTH: Final = ExecutionTime(Time.of(hour=0, minute=0, second=0, hundredths=0), Date.of(day_of_month=1))
_WRITABLE: Final = ("capture_objects", "capture_period", "sort_method", "sort_object", "profile_entries")
_LONG: Final = dt.timedelta(minutes=3)
_FAILURES_LOGGED: Final = 10


def _captured(class_id: int, name: Obis, attribute: int = 2) -> CaptureObjectDefinition:
    return CaptureObjectDefinition(class_id, name, attribute, 0)


def _registers(*captured: Obis) -> list[CaptureObjectDefinition]:
    return [_captured(Register.class_id, name) for name in captured]


_TIME: Final = _captured(Clock.class_id, names.CLOCK)
_LOAD: Final = (_TIME, _captured(Data.class_id, names.STATUS), *_registers(names.ENERGY, names.EXPORT))
_TARIFFS: Final = (names.ENERGY_TARIFF_1, names.ENERGY_TARIFF_2, names.EXPORT_TARIFF_1, names.EXPORT_TARIFF_2)
_DAILY: Final = (_TIME, _captured(Data.class_id, names.DAILY_STATUS), *_registers(*_TARIFFS))
_BILLED: Final = (names.ENERGY, *_TARIFFS[:2], names.EXPORT, *_TARIFFS[2:])
_BILLING: Final = (
    _TIME,
    *_registers(*_BILLED),
    *(_captured(ExtendedRegister.class_id, names.MAXIMUM_DEMAND, attribute) for attribute in (2, 5)),
)


class Records:
    """The records of a device; adds their objects.

    drawn: total of the energy drawn, of which the demand is measured. load_entries, capture_period: of the load
    profile. periods: number of the last billing period, and when it was closed.

    Raises ConfigurationError, StoreError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        drawn: Source,
        *,
        load_entries: int,
        capture_period: int,
        periods: tuple[int, DateTime],
    ) -> None:
        self.status = device.add(ProfileStatusObject(device, clock, names.STATUS))
        self.daily_status = device.add(ProfileStatusObject(device, clock, names.DAILY_STATUS))
        self.demand = device.add(DemandRegisterObject(device, clock, names.DEMAND, WATTS, drawn, period=SLOT))
        self.maximum = device.add(MaximumDemandObject(clock, names.MAXIMUM_DEMAND, self.demand))

        def profile(
            name: Obis, captured: Sequence[CaptureObjectDefinition], entries: int, **options: Any
        ) -> ProfileObject:
            return device.add(
                ProfileObject(device, name, captured, entries, clock=clock, writable=_WRITABLE, **options)
            )

        self.load = profile(names.LOAD_PROFILE, _LOAD, load_entries, capture_period=capture_period, status=self.status)
        self.daily = profile(names.DAILY_VALUES, _DAILY, DAILY_ENTRIES, capture_period=DAY, status=self.daily_status)
        self.billed = profile(names.BILLING_VALUES, _BILLING, _BILLING_ENTRIES)
        self.billing = Billing(device, clock, (self.maximum,), profile=names.BILLING_VALUES, begun=periods)
        device.add(ScriptTableObject(device, names.BILLING_SCRIPTS, {1: self.billing.end}))
        end = ActionItem(names.BILLING_SCRIPTS, 1)
        device.add(SingleActionScheduleObject(device, clock, names.END_OF_BILLING, end, (_FIRST_OF_MONTH,)))
        self.error_register = ErrorRegister(device)
        self.alarms = Alarms(device)
        self.event_logs = {
            name: EventLog(device, clock, name) for name in (names.EVENT_LOG, names.FRAUD_LOG, names.BREAKER_LOG)
        }
        self.power_failures = PowerFailureRecord(device, clock)


class PowerFailureRecord:
    """Counts the power failures that a device tells, and logs the long ones; adds the objects of that.

    ``since``: when the present one began, true time; None while there is power. Raises ConfigurationError, StoreError.
    """

    def __init__(self, device: LogicalDevice, clock: ClockObject) -> None:
        self._clock = clock
        self._memory = FORGETFUL if device.state is None else device.state.of("power failures")
        kept: list[Any] = load_json(self._memory, "record") or [0, 0, 0, None]
        self._count, self._long, self._last = map(int, kept[:3])
        self.since: dt.datetime | None = kept[3] and dt.datetime.fromisoformat(kept[3])
        device.add(data(names.POWER_FAILURES, DataType.LONG_UNSIGNED, lambda now: self._count & 0xFFFF))
        device.add(data(names.LONG_POWER_FAILURES, DataType.LONG_UNSIGNED, lambda now: self._long & 0xFFFF))
        device.add(data(names.LAST_POWER_FAILURE, COUNT, lambda now: self._last))
        columns = (_TIME, _captured(Data.class_id, names.LAST_POWER_FAILURE))
        self._log = device.add(
            ProfileObject(device, names.POWER_FAILURE_LOG, columns, _FAILURES_LOGGED, clock=clock, types=(STAMP, COUNT))
        )
        device.listeners.append(self._happened)

    def _happened(self, happening: Happening) -> None:
        at = happening.at
        if happening.name == "power-down" and self.since is None:
            self.since = at
            self._count += 1
        elif happening.name == "power-up" and self.since is not None:
            lasted, self.since = at - self.since, None
            if lasted > _LONG:
                self._long += 1
                self._last = round(lasted.total_seconds())
                self._log.extend([((self._clock.stamp(at).octets, self._last), self._clock.time(at))])
        else:
            return
        since = self.since and self.since.isoformat()
        save_json(self._memory, "record", [self._count, self._long, self._last, since])
