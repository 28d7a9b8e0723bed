"""What a simulated meter can be told to do: supply switch, limiter, schedules, and what it would send by itself.

======================  ==============================================================================
0-0:96.3.10             disconnect control, mode 4: disconnected and reconnected by a client at once
0-0:17.0.0              limiter of the power drawn: opens the switch above 25 kW for a minute
0-0:10.0.106            scripts: 1 remote_disconnect, 2 remote_reconnect, 3 and 4 the same by the meter itself
0-0:15.0.1              their schedule
0-0:10.0.107, 15.0.2    activation of an image, and its schedule
0-0:12.0.0              schedule, empty
0-0:16.0.0              register monitor of the voltage, without thresholds
0-0:25.9.0              push setup: what stands in it is kept; nothing is pushed, and no method is there
======================  ==============================================================================
"""

from __future__ import annotations

from typing import Final

from cosemic.codec import DataType
from cosemic.model import (
    ActionItem,
    CaptureObjectDefinition,
    ControlMode,
    Data,
    DisconnectControlVersion0,
    ImageTransfer,
    PushMessage,
    PushSetupVersion0,
    Register,
    SendDestinationAndMethod,
    TransportService,
    ValueDefinition,
)
from cosemic.server import (
    ClockObject,
    DisconnectControlObject,
    LimiterObject,
    LogicalDevice,
    RegisterMonitorObject,
    ScheduleObject,
    ScriptTableObject,
    SingleActionScheduleObject,
    SpecialDaysObject,
    executing,
)
from cosemic.server.kept import KeptObject
from cosemic.simulator import names

LIMIT: Final = 25_000
"""Watts."""
EMERGENCY_LIMIT: Final = 5_000
_LOCAL_DISCONNECT, _LOCAL_RECONNECT = (ActionItem(names.BREAKER_SCRIPTS, number) for number in (3, 4))
_PUSHED: Final = (CaptureObjectDefinition(Data.class_id, names.SERIAL_NUMBER, 2, 0),)
_NOWHERE: Final = SendDestinationAndMethod(TransportService.TCP, b"", PushMessage.A_XDR_APDU)


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
        push = {
            "push_object_list": _PUSHED,
            "send_destination_and_method": _NOWHERE,
            "communication_window": (),
            "randomisation_start_interval": 0,
            "number_of_retries": 0,
            "repetition_delay": 0,
        }
        device.add(KeptObject(PushSetupVersion0(names.PUSH_SETUP), push, writable=push))


def breaker_of(device: LogicalDevice) -> DisconnectControlObject:
    """Add the disconnect control to a device. Raises ConfigurationError, StoreError."""
    return device.add(DisconnectControlObject(device, names.BREAKER, ControlMode.MODE_4))
