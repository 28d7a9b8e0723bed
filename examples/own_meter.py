"""A meter of one's own, put together from the parts of ``cosemic.server``.

    python examples/own_meter.py [PORT]

serves it on TCP, and keeps its state in ``own_meter.sqlite``. What it measures is a :class:`Load`: three functions of
time. Everything else stands here, object by object, as it is configured; clients read and change it.
"""

import asyncio
import datetime as dt
import math
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol
from zoneinfo import ZoneInfo

from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType
from cosemic.model import (
    ActionItem,
    ActionSpecification,
    CaptureObjectDefinition,
    ControlMode,
    Data,
    DayProfile,
    DayProfileAction,
    DisconnectControlVersion0,
    ExecutionTime,
    ImageTransfer,
    ObjectDefinition,
    ProfileGeneric,
    RegisterActivation,
    RegisterActMask,
    ScalerUnit,
    Season,
    SpecDayEntry,
    ValueDefinition,
    WeekProfile,
)
from cosemic.server import (
    ActivityCalendarObject,
    Admission,
    Alarms,
    Billing,
    ClockObject,
    DemandRegisterObject,
    DisconnectControlObject,
    EventLog,
    Image,
    ImageTransferObject,
    LimiterObject,
    LogicalDevice,
    MaximumDemandObject,
    MeteredEnergy,
    MeterServer,
    ProfileObject,
    ProfileStatusObject,
    RegisterActivationObject,
    RegisterObject,
    ScheduleObject,
    ScriptTableObject,
    SingleActionScheduleObject,
    SpecialDaysObject,
    Supply,
    crc32_at_end,
    data,
    executing,
    managing,
    only,
    reading,
    rule_of,
    writing,
)
from cosemic.server.kept import KeptObject
from cosemic.server.logical_device import utc_now
from cosemic.server.scripts import BuiltIn
from cosemic.server.state import DeviceState, StateFile
from cosemic.values import AuthenticationMechanism, Date, DateTime, Obis, Secret, Time, Unit

ZONE = ZoneInfo("Europe/Berlin")
NAME = "OWN0000000000001"
PASSWORD = Secret.password("12345678")
WATT_HOURS, WATTS = ScalerUnit(0, Unit.of("Wh")), ScalerUnit(0, Unit.of("W"))
UNSIGNED, NUMBER = DataType.UNSIGNED, DataType.DOUBLE_LONG_UNSIGNED
TARIFFS, BILLING, SWITCHING, FIRMWARE, OUTPUTS = (Obis(f"0-0:10.0.{e}") for e in (100, 1, 106, 107, 103))
"""Script tables, by what their scripts do."""
CLOCK = "8/0-0:1.0.0"


class Load(Protocol):
    """What is to be measured, at a moment (aware): energy drawn and fed in, in Wh, which never fall; power, in W."""

    def imported(self, at: dt.datetime) -> int: ...
    def exported(self, at: dt.datetime) -> int: ...
    def power(self, at: dt.datetime) -> int: ...


class OwnMeter(LogicalDevice):
    """A household meter with two tariffs. state: what outlives the process; None: nothing does."""

    def __init__(
        self,
        load: Load,
        name: str = NAME,
        *,
        state: DeviceState | None = None,
        now: Callable[[], dt.datetime] = utc_now,
        start: dt.datetime | None = None,
        days: int = 40,
    ) -> None:
        super().__init__(name, now=now, state=state, start=start)
        utc_offset, rule = rule_of(ZONE, now().year)
        self.clock = self.add(ClockObject(utc_offset=utc_offset, daylight_saving=rule, device=self))
        self.breaker = self.add(DisconnectControlObject(self, mode=ControlMode.MODE_4))
        self._add_energy(load)
        self._add_tariffs()
        self._add_profiles(days)
        self._add_billing()
        self._add_switching()
        self._add_firmware()
        self._add_logs()
        locked = ServerSettings(mechanism=AuthenticationMechanism.LLS, secret=PASSWORD)
        self.admit(Admission(client_sap=1, settings=locked, rights=managing()))
        public = only(reading(), "0-0:40.0.0", "0-0:42.0.0", "0-0:1.0.0", "1-0:0.2.0")
        self.admit(Admission(client_sap=16, settings=ServerSettings(), rights=public))

    # ---- what may happen to the meter itself -------------------------------------------------------------------------

    def power_failed(self) -> None:
        """Nothing is measured or done from now on."""
        self.happened("power-down")

    def power_returned(self) -> None:
        """Go on, and make up for what is to be made up for."""
        self.happened("power-up")

    def press_button(self) -> None:
        """Press the button at the meter: connect the supply, or disconnect it, where the control mode allows it."""
        self.breaker.press_button(self.advance())
        self.commit()

    # ---- its objects -------------------------------------------------------------------------------------------------

    def _add_energy(self, load: Load) -> None:
        rates = [ObjectDefinition(3, Obis(f"1-0:1.8.{tariff}")) for tariff in (1, 2)]
        masks = [RegisterActMask(b"day", (1,)), RegisterActMask(b"night", (2,))]
        activation = self.add(RegisterActivationObject(registers=rates, masks=masks, active_mask=b"night"))
        supply = Supply(self, self.breaker)
        energy = MeteredEnergy(self, supply, activation)
        total = energy.add("1-0:1.8.0", WATT_HOURS, load.imported, tariffs=(0, 0))
        energy.add("1-0:2.8.0", WATT_HOURS, load.exported)
        self.add(RegisterObject("1-0:1.7.0", NUMBER, WATTS, lambda now: load.power(now) if supply.on else 0))
        demand = self.add(DemandRegisterObject(self, self.clock, "1-0:1.4.0", WATTS, total.counted, period=900))
        self.maximum = self.add(MaximumDemandObject(self.clock, "1-0:1.6.0", demand))

    def _add_tariffs(self) -> None:
        mask, shown = RegisterActivation("0-0:14.0.0").active_mask, Data("0-0:96.14.0").value
        self.add(data(shown.instance_id, UNSIGNED, 2, writable=True))
        scripts = {n: [writing(mask, name), writing(shown, (UNSIGNED, n))] for n, name in ((1, b"day"), (2, b"night"))}
        self.add(ScriptTableObject(self, TARIFFS, scripts))
        holidays = ((1, 1), (12, 25), (12, 26))
        entries = [SpecDayEntry(n, every_year(*day), 2) for n, day in enumerate(holidays, 1)]
        self.special_days = self.add(SpecialDaysObject(entries=entries))
        week = {
            "calendar_name_active": b"standard",
            "season_profile_active": [Season(b"year", DateTime.of(month=1, day_of_month=1), b"week")],
            "week_profile_table_active": [WeekProfile(b"week", 1, 1, 1, 1, 1, 2, 2)],
            "day_profile_table_active": [
                DayProfile(1, (tariff(1, at(6)), tariff(2, at(22)))),
                DayProfile(2, (tariff(2, at(0)),)),
            ],
        }
        self.add(ActivityCalendarObject(self, self.clock, "0-0:13.0.0", week, special_days=self.special_days))

    def _add_profiles(self, days: int) -> None:
        status = self.add(ProfileStatusObject(self, self.clock, "0-0:96.10.1"))
        total, day, night, fed_in = "3/1-0:1.8.0", "3/1-0:1.8.1", "3/1-0:1.8.2", "3/1-0:2.8.0"
        self._add_profile("1-0:99.1.0", days * 96, [CLOCK, "1/0-0:96.10.1", total, fed_in], 900, status)
        self._add_profile("1-0:99.2.0", days, [CLOCK, day, night, fed_in], 86_400)
        maximum = ["4/1-0:1.6.0", "4/1-0:1.6.0#5"]
        self._add_profile("0-0:98.1.0", 15, [CLOCK, "1/0-0:0.1.0", total, day, night, fed_in, *maximum])
        self._add_profile("0-0:99.98.7", 10 * days, [CLOCK, "1/0-0:96.3.2"])

    def _add_billing(self) -> None:
        billing = Billing(self, self.clock, [self.maximum])
        self.add(ScriptTableObject(self, BILLING, {1: billing.end}))
        monthly = ExecutionTime(at(0), Date.of(day_of_month=1))
        self.add(SingleActionScheduleObject(self, self.clock, "0-0:15.0.0", ActionItem(BILLING, 1), [monthly]))

    def _add_switching(self) -> None:
        breaker, output = DisconnectControlVersion0(self.breaker.instance_id), Data("0-0:96.3.2").value
        scripts: dict[int, BuiltIn | list[ActionSpecification]] = {
            1: [executing(breaker.remote_disconnect)],
            2: [executing(breaker.remote_reconnect)],
            3: self.breaker.local_disconnect,
            4: self.breaker.local_reconnect,
        }
        self.add(ScriptTableObject(self, SWITCHING, scripts))
        self.add(SingleActionScheduleObject(self, self.clock, "0-0:15.0.1", ActionItem(SWITCHING, 1)))
        self.add(
            LimiterObject(
                self, self.clock, "0-0:17.0.0", ValueDefinition(3, Obis("1-0:1.7.0"), 2), (NUMBER, 9_000),
                over=ActionItem(SWITCHING, 3), under=ActionItem(SWITCHING, 4), min_over=900, min_under=600,
                groups=[1], period=300,
            )
        )  # fmt: skip
        self.add(data(output.instance_id, UNSIGNED, 0, writable=True))
        log = executing(ProfileGeneric("0-0:99.98.7").capture)
        self.add(ScriptTableObject(self, OUTPUTS, {n: [writing(output, (UNSIGNED, n)), log] for n in range(1, 9)}))
        self.add(ScheduleObject(self, self.clock, "0-0:12.0.0", special_days=self.special_days))

    def _add_firmware(self) -> None:
        firmware = self.add(KeptObject(Data("1-0:0.2.0"), {"value": (DataType.OCTET_STRING, b"1.0")}))

        def activate(image: Image, at: dt.datetime) -> bool:
            firmware.keep("value", (DataType.OCTET_STRING, image.identifier))
            return True

        self.add(ImageTransferObject(self, "0-0:44.0.0", check=crc32_at_end, activate=activate))
        script = [executing(ImageTransfer("0-0:44.0.0").image_activate)]
        self.add(ScriptTableObject(self, FIRMWARE, {1: script}))
        self.add(SingleActionScheduleObject(self, self.clock, "0-0:15.0.2", ActionItem(FIRMWARE, 1)))

    def _add_logs(self) -> None:
        EventLog(self, self.clock, "0-0:99.98.0", entries=1000)
        EventLog(self, self.clock, "0-0:99.98.2", entries=1000)
        Alarms(self)

    def _add_profile(
        self, name: str, entries: int, columns: list[str], period: int = 0, status: ProfileStatusObject | None = None
    ) -> None:
        captured = [captured_as(column) for column in columns]
        self.add(ProfileObject(self, name, captured, entries, clock=self.clock, capture_period=period, status=status))


def captured_as(column: str) -> CaptureObjectDefinition:
    """Return a capture object from its class and name, with another attribute than 2 behind a #."""
    class_id, _, name = column.partition("/")
    name, _, attribute = name.partition("#")
    return CaptureObjectDefinition(int(class_id), Obis(name), int(attribute or 2), 0)


def at(hour: int, minute: int = 0) -> Time:
    """Return a time of day."""
    return Time.of(hour=hour, minute=minute, second=0, hundredths=0)


def every_year(month: int, day: int) -> Date:
    """Return a date without a year."""
    return Date.of(month=month, day_of_month=day)


def tariff(number: int, since: Time) -> DayProfileAction:
    """Return the action of a day by which a tariff holds from a time on."""
    return DayProfileAction(since, TARIFFS, number)


class RisingAndFalling:
    """A load that rises and falls with the day, as energy and as its derivative, since 2026."""

    def _days(self, at: dt.datetime) -> float:
        return (at - dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(days=1)

    def imported(self, at: dt.datetime) -> int:
        days = self._days(at)
        return int(24 * (600 * days - 400 * math.sin(math.tau * days) / math.tau))

    def exported(self, at: dt.datetime) -> int:
        return int(24 * 100 * self._days(at))

    def power(self, at: dt.datetime) -> int:
        return int(600 - 400 * math.cos(math.tau * self._days(at)))


async def main(port: int = 4059) -> None:
    """Serve the meter until interrupted."""
    with StateFile("own_meter.sqlite") as file:
        meter = OwnMeter(RisingAndFalling(), state=file.of(NAME))
        async with MeterServer(meter, port=port) as server:
            print(f"cosemic read '{server.url(client_sap=16)}' 1-0:0.2.0", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*map(int, sys.argv[1:])))
