"""Objects of our meter that behave: they count, switch, follow calendars, log, and take images; one of every class.

They stand beside the registers and the load profile of :mod:`interop.meter`, on the same clock. What clients do to them
(:mod:`interop.deeds`) shows in what the device tells, and in their attributes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from cosemic.codec import DataType
from cosemic.model import (
    ActionItem,
    CaptureObjectDefinition,
    ControlMode,
    ObjectDefinition,
    RegisterActivation,
    ScalerUnit,
    ValueDefinition,
)
from cosemic.model.data_storage import RegisterActMask, TableCellDefinition
from cosemic.model.image_transfer import ImageToActivateInfo
from cosemic.model.mbus import CaptureDefinitionElement
from cosemic.model.monitors import ActionSet, EmergencyProfile
from cosemic.model.schedules import (
    DayProfile,
    DayProfileAction,
    ExecutionTime,
    ScheduleTableEntry,
    Season,
    SpecDayEntry,
    WeekProfile,
)
from cosemic.server import (
    ActivityCalendarObject,
    Alarms,
    ArbitratorObject,
    Billing,
    ClockObject,
    DemandRegisterObject,
    DisconnectControlObject,
    ErrorRegister,
    EventLog,
    Image,
    ImageTransferObject,
    LimiterObject,
    LogicalDevice,
    MaximumDemandObject,
    MBusClientObject,
    MeteredEnergy,
    ProfileObject,
    RegisterActivationObject,
    RegisterMonitorObject,
    RegisterObject,
    RegisterTableObject,
    ScheduleObject,
    ScriptTableObject,
    SingleActionScheduleObject,
    SpecialDaysObject,
    Supply,
    any_image,
    data,
    writing,
)
from cosemic.values import BitString, Date, DateTime, Obis, Time, Unit
from interop import meter

_WATT_HOURS, _WATTS = ScalerUnit(0, Unit.of("Wh")), ScalerUnit(0, Unit.of("W"))
_COUNTER = DataType.DOUBLE_LONG_UNSIGNED
_TARIFF_SCRIPTS, _BILLING_SCRIPTS = Obis(meter.TARIFF_SCRIPTS), Obis("0-0:10.0.1")
_DAY_TARIFF, _NIGHT_TARIFF = ActionItem(_TARIFF_SCRIPTS, 1), ActionItem(_TARIFF_SCRIPTS, 2)
_POWER = ValueDefinition(5, Obis("1-0:1.4.0"), 3)


def _clock(hour: int) -> Time:
    return Time.of(hour=hour, minute=0, second=0, hundredths=0)


def _drawn(at: dt.datetime) -> int:
    """The energy that the meter draws: 360 W all the time."""
    return (at - meter.FIRST) // dt.timedelta(seconds=10)


def _energy(device: LogicalDevice, clock: ClockObject) -> None:
    assigned = [ObjectDefinition(3, Obis(f"1-0:1.9.{tariff}")) for tariff in (1, 2)]
    masks = [RegisterActMask(b"day", (1,)), RegisterActMask(b"night", (2,)), RegisterActMask(meter.PEAK, (1, 2))]
    activation = device.add(
        RegisterActivationObject(Obis(meter.REGISTER_ACTIVATION), registers=assigned, masks=masks, active_mask=b"day")
    )
    supply = Supply(device)
    total = MeteredEnergy(device, supply, activation).add("1-0:1.9.0", _WATT_HOURS, _drawn, tariffs=(0, 0))
    demand = device.add(DemandRegisterObject(device, clock, _POWER.logical_name, _WATTS, total.counted))
    maximum = device.add(MaximumDemandObject(clock, "1-0:1.6.0", demand))
    volts = ScalerUnit(-1, Unit.of("V"))
    device.add(RegisterObject("1-0:32.7.0", DataType.LONG_UNSIGNED, volts, lambda now: 2305))
    device.add(RegisterObject(Obis(meter.KEPT_REGISTER), _COUNTER, _WATT_HOURS, 17, writable=("value",)))
    device.add(RegisterObject("1-0:31.7.0", DataType.FLOAT32, ScalerUnit(0, Unit.of("A")), 1.5))
    cells = TableCellDefinition(3, Obis("1-0:1.9.255"), (0, 1, 2), 2)
    table = device.add(RegisterTableObject(device, "1-0:98.10.0", cells, _WATT_HOURS))
    table.capture(meter.FIRST)
    columns = [CaptureObjectDefinition(*one, 0) for one in ((8, clock.instance_id, 2), (3, total.instance_id, 2))]
    billing = ProfileObject(device, Obis(meter.BILLING), columns, 13, clock=clock)
    device.add(billing)
    ended = Billing(device, clock, [maximum])
    mask = RegisterActivation(activation.instance_id).active_mask
    device.add(ScriptTableObject(device, _BILLING_SCRIPTS, {1: ended.end}))
    scripts = {1: [writing(mask, b"day")], 2: [writing(mask, b"night")], meter.PEAK_SCRIPT: [writing(mask, meter.PEAK)]}
    device.add(ScriptTableObject(device, _TARIFF_SCRIPTS, scripts))
    monthly = ExecutionTime(_clock(0), Date.of(day_of_month=1))
    device.add(SingleActionScheduleObject(device, clock, "0-0:15.0.0", ActionItem(_BILLING_SCRIPTS, 1), [monthly]))


def _calendar(device: LogicalDevice, clock: ClockObject) -> None:
    holiday = SpecDayEntry(1, Date.of(month=12, day_of_month=25), 2)
    special_days = device.add(SpecialDaysObject(Obis(meter.SPECIAL_DAYS), [holiday]))
    day = DayProfile(1, (DayProfileAction(_clock(6), *_fields(_DAY_TARIFF)),))
    night = DayProfile(2, (DayProfileAction(_clock(22), *_fields(_NIGHT_TARIFF)),))
    winter = DateTime.of(month=10, day_of_month=1, hour=0, minute=0, second=0, hundredths=0)
    values: dict[str, Any] = {
        "calendar_name": b"2026",
        "season_profile": [Season(b"winter", winter, b"week")],
        "week_profile_table": [WeekProfile(b"week", 1, 1, 1, 1, 1, 2, 2)],
        "day_profile_table": [day, night],
    }
    both = {f"{name}_{copy}": value for copy in ("active", "passive") for name, value in values.items()}
    device.add(ActivityCalendarObject(device, clock, Obis(meter.CALENDAR), both, special_days=special_days))
    entry = ScheduleTableEntry(
        1,
        True,
        *_fields(_NIGHT_TARIFF),
        _clock(22),
        60,
        BitString("1111100"),
        BitString("01"),
        Date.of(month=1, day_of_month=1),
        Date.of(month=12, day_of_month=31),
    )
    device.add(ScheduleObject(device, clock, "0-0:12.0.0", [entry], special_days=special_days))


def _fields(item: ActionItem) -> tuple[Obis, int]:
    return item.script_logical_name, item.script_selector


def _control(device: LogicalDevice, clock: ClockObject) -> None:
    # Mode 4: a client connects the supply again without a hand at the meter.
    device.add(DisconnectControlObject(device, Obis(meter.BREAKER), ControlMode.MODE_4))
    for version in (1, 2):
        device.add(DisconnectControlObject(device, f"0-{version}:96.3.10", ControlMode.MODE_2, version=version))
    threshold = (_COUNTER, 5_000)
    device.add(
        RegisterMonitorObject(device, "0-0:16.0.0", _POWER, [threshold], [ActionSet(_NIGHT_TARIFF, _DAY_TARIFF)])
    )
    emergency = EmergencyProfile(7, DateTime(meter.clock_octets(meter.FIRST)), 3_600)
    device.add(
        LimiterObject(
            device,
            clock,
            Obis(meter.LIMITER),
            _POWER,
            threshold,
            emergency=(_COUNTER, 2_000),
            over=_NIGHT_TARIFF,
            under=_DAY_TARIFF,
            min_over=120,
            min_under=60,
            profile=emergency,
            groups=(7, 8),
        )
    )
    permissions, weightings = [BitString("11"), BitString("01")], [(5, 2), (0, 9)]
    device.add(ArbitratorObject(device, "0-0:96.3.20", [_DAY_TARIFF, _NIGHT_TARIFF], permissions, weightings))
    definition = [CaptureDefinitionElement(b"\x04", b"\x06"), CaptureDefinitionElement(b"\x0c", b"\x78")]
    for version in range(3):
        device.add(
            MBusClientObject(device, clock, f"0-{1 + version}:24.1.0", capture_definition=definition, version=version)
        )


def _expected(image: Image) -> Sequence[ImageToActivateInfo]:
    """Take the one image that clients are to send."""
    return any_image(image) if (image.identifier, image.content) == (meter.IMAGE_IDENTIFIER, meter.IMAGE) else ()


def furnish(device: LogicalDevice, clock: ClockObject) -> None:
    """Add the objects to a device with that clock."""
    _energy(device, clock)
    _calendar(device, clock)
    _control(device, clock)
    Alarms(device)
    ErrorRegister(device)
    for number in range(5):
        EventLog(device, clock, f"0-0:99.98.{number}")
    device.add(ImageTransferObject(device, Obis(meter.IMAGE_TRANSFER), block_size=meter.IMAGE_BLOCK, check=_expected))
    device.add(data(Obis(meter.MESSAGE), DataType.OCTET_STRING, b"nothing yet", writable=True))
