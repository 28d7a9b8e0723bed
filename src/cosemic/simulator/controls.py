"""What a simulated meter can be told to do: supply switch, limiter, schedules, and what it would send by itself.

======================  ==============================================================================
0-0:96.3.10             disconnect control, mode 4: disconnected and reconnected by a client at once
0-0:17.0.0              limiter of the power drawn: opens the switch above 25 kW for a minute
0-0:10.0.106            scripts: 1 remote_disconnect, 2 remote_reconnect, 3 and 4 the same by the meter itself
0-0:15.0.1              their schedule
0-0:10.0.107, 15.0.2    activation of an image, and its schedule
0-0:12.0.0              schedule, empty
0-0:16.0.0              register monitor of the voltage, without thresholds
0-0:25.9.0              push setup, version 2: name, time, serial number, energies and power; nowhere, unless said
0-0:10.0.108, 15.0.4    push script, and its schedule: every quarter of an hour where a destination is said
======================  ==============================================================================
"""

from __future__ import annotations

from random import Random
from typing import Final

from cosemic.codec import DataType
from cosemic.model import (
    ActionItem,
    Clock,
    ControlMode,
    Data,
    DisconnectControlVersion0,
    ExecutionTime,
    ImageTransfer,
    PushSetup,
    Register,
    SingleActionScheduleType,
    ValueDefinition,
)
from cosemic.model.push import (
    PushMessage,
    PushObjectDefinition,
    RestrictionElement,
    RestrictionType,
    SendDestinationAndMethod,
    TransportService,
)
from cosemic.server import (
    ClockObject,
    DisconnectControlObject,
    LimiterObject,
    LogicalDevice,
    PushSetupObject,
    RegisterMonitorObject,
    ScheduleObject,
    ScriptTableObject,
    SingleActionScheduleObject,
    SpecialDaysObject,
    executing,
)
from cosemic.simulator import names
from cosemic.simulator.plan import MeterPlan
from cosemic.values import Date, Time

LIMIT: Final = 25_000
"""Watts."""
EMERGENCY_LIMIT: Final = 5_000
_LOCAL_DISCONNECT, _LOCAL_RECONNECT = (ActionItem(names.BREAKER_SCRIPTS, number) for number in (3, 4))
_UNRESTRICTED: Final = RestrictionElement(RestrictionType.NONE, None)
_PUSHED: Final = tuple(
    PushObjectDefinition(class_id, name, attribute, 0, _UNRESTRICTED, ())
    for class_id, name, attribute in (
        (PushSetup.class_id, names.PUSH_SETUP, 1),
        (Clock.class_id, names.CLOCK, 2),
        (Data.class_id, names.SERIAL_NUMBER, 2),
        (Register.class_id, names.ENERGY, 2),
        (Register.class_id, names.EXPORT, 2),
        (Register.class_id, names.POWER, 2),
    )
)
PUSH_PERIOD: Final = 15
"""Minutes."""


class Controls:
    """The controls of a device that has a clock, special days, and registers of power and voltage; adds their objects.

    The disconnect control, which the supply goes by, is made before. Raises ConfigurationError, StoreError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        breaker: DisconnectControlObject,
        special_days: SpecialDaysObject,
        plan: MeterPlan,
    ) -> None:
        remote = DisconnectControlVersion0(names.BREAKER)
        device.add(
            ScriptTableObject(
                device,
                names.BREAKER_SCRIPTS,
                {
                    1: (executing(remote.remote_disconnect, 0),),
                    2: (executing(remote.remote_reconnect, 0),),
                    3: breaker.local_disconnect,
                    4: breaker.local_reconnect,
                },
            )
        )
        self.limiter = device.add(
            LimiterObject(
                device,
                clock,
                names.LIMITER,
                ValueDefinition(Register.class_id, names.POWER, Register.value.index),
                (DataType.DOUBLE_LONG_UNSIGNED, LIMIT),
                emergency=(DataType.DOUBLE_LONG_UNSIGNED, EMERGENCY_LIMIT),
                over=_LOCAL_DISCONNECT,
                under=_LOCAL_RECONNECT,
                min_over=60,
                min_under=60,
                period=900,
            )
        )
        activate = executing(ImageTransfer(names.IMAGE_TRANSFER).image_activate, 0)
        device.add(ScriptTableObject(device, names.IMAGE_SCRIPTS, {1: (activate,)}))
        for schedule, script in (
            (names.BREAKER_SCHEDULE, ActionItem(names.BREAKER_SCRIPTS, 1)),
            (names.IMAGE_SCHEDULE, ActionItem(names.IMAGE_SCRIPTS, 1)),
        ):
            device.add(SingleActionScheduleObject(device, clock, schedule, script))
        device.add(ScheduleObject(device, clock, names.SCHEDULE, special_days=special_days))
        voltage = ValueDefinition(Register.class_id, names.VOLTAGE, Register.value.index)
        device.add(RegisterMonitorObject(device, names.VOLTAGE_MONITOR, voltage))
        self.push = _push_of(device, clock, plan)


def _push_of(device: LogicalDevice, clock: ClockObject, plan: MeterPlan) -> PushSetupObject:
    """Add push setup, script and schedule; the client that can read everything is pushed to."""
    push = device.add(
        PushSetupObject(
            device,
            clock,
            names.PUSH_SETUP,
            _PUSHED,
            SendDestinationAndMethod(TransportService.TCP, (plan.push or "").encode(), PushMessage.A_XDR_APDU),
            version=2,
            number_of_retries=3,
            repetition_delay=60,
            push_client_SAP=plan.protection().client_sap,
            randomness=Random(plan.curve_seed),
        )
    )
    script = executing(PushSetup(names.PUSH_SETUP).push, 0)
    device.add(ScriptTableObject(device, names.PUSH_SCRIPTS, {1: (script,)}))
    times = [
        ExecutionTime(Time.of(minute=minute, second=0, hundredths=0), Date.of()) for minute in range(0, 60, PUSH_PERIOD)
    ]
    device.add(
        SingleActionScheduleObject(
            device,
            clock,
            names.PUSH_SCHEDULE,
            ActionItem(names.PUSH_SCRIPTS, 1),
            times if plan.push else (),
            SingleActionScheduleType.N_ENTRIES_DIFFERENT_TIME_WILDCARD_DATE,
            make_up=False,
        )
    )
    return push


def breaker_of(device: LogicalDevice) -> DisconnectControlObject:
    """Add the disconnect control to a device. Raises ConfigurationError, StoreError."""
    return device.add(DisconnectControlObject(device, names.BREAKER, ControlMode.MODE_4))
