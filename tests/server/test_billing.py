"""The end of a billing period: counter and time stamp, the profile that captures, what is reset, in that order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cosemic.codec import DataType
from cosemic.errors import ConfigurationError, EncodeError
from cosemic.model import (
    ActionItem,
    CaptureObjectDefinition,
    Data,
    ExecutionTime,
    ExtendedRegister,
    ProfileGeneric,
    Register,
    ScalerUnit,
    ScriptTable,
)
from cosemic.server import ClockObject, CosemObject, LogicalDevice, ProfileObject
from cosemic.server.billing import BILLING_PROFILE, Billing
from cosemic.server.demand import DemandRegisterObject, MaximumDemandObject
from cosemic.server.metered_energy import MeteredEnergy, Supply
from cosemic.server.objects import AccessRefused
from cosemic.server.scripts import ScriptTableObject
from cosemic.server.single_action_schedule import SingleActionScheduleObject
from cosemic.values import DataAccessResult, Date, DateTime, Obis, Time, Unit
from tests.server.running import START, SUCCESS, Running, curve

WATT_HOURS, WATTS = ScalerUnit(0, Unit.of("Wh")), ScalerUnit(0, Unit.of("W"))
SOURCE = curve(100, 700, 50, 0, 300)
COUNTER, AVAILABLE, STAMP = (Data(f"0-0:0.1.{e}") for e in range(3))
MAXIMUM = ExtendedRegister("1-0:1.6.0")
PROFILE = ProfileGeneric(BILLING_PROFILE)
SCRIPTS = ScriptTable("0-0:10.0.1")
MONTH_ENDS = [dt.datetime(2026, month, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))) for month in (2, 3, 4)]


@dataclass
class Meter:
    billing: Billing
    maximum: MaximumDemandObject
    demand: DemandRegisterObject


def build(
    device: LogicalDevice, *, profile: bool = True, source: Callable[[dt.datetime], int] = SOURCE, **changed: Any
) -> Meter:
    clock = device.add(ClockObject(utc_offset=60, device=device))
    total = MeteredEnergy(device, Supply(device)).add("1-0:1.8.0", WATT_HOURS, source)
    demand = device.add(DemandRegisterObject(device, clock, "1-0:1.4.0", WATTS, total.counted))
    maximum = device.add(MaximumDemandObject(clock, MAXIMUM.instance_id, demand))
    columns = [
        (1, STAMP.instance_id, 2),
        (3, Obis("1-0:1.8.0"), 2),
        (4, MAXIMUM.instance_id, 2),
        (4, MAXIMUM.instance_id, 5),
    ]
    if profile:
        device.add(
            ProfileObject(
                device, BILLING_PROFILE, [CaptureObjectDefinition(*one, 0) for one in columns], 13, clock=clock
            )
        )
    billing = Billing(device, clock, [maximum], **changed)
    device.add(ScriptTableObject(device, SCRIPTS.instance_id, {1: billing.end}))
    monthly = ExecutionTime(Time.of(hour=0, minute=0, second=0, hundredths=0), Date.of(day_of_month=1))
    device.add(SingleActionScheduleObject(device, clock, "0-0:15.0.0", ActionItem(SCRIPTS.instance_id, 1), [monthly]))
    return Meter(billing, maximum, demand)


def test_before_the_first_end_there_is_nothing() -> None:
    meter = Running(build)
    assert meter.get(COUNTER.value) == meter.parts.billing.counter == 0
    assert meter.get(AVAILABLE.value) == 0
    assert meter.get(STAMP.value) == DateTime.of().octets


def test_each_month_is_closed_exactly_however_late_the_meter_is_asked() -> None:
    meter = Running(build)
    meter.to(dt.datetime(2026, 4, 10, 12, 34, tzinfo=dt.UTC))
    rows = meter.get(PROFILE.buffer)
    assert len(rows) == meter.get(AVAILABLE.value) == meter.get(COUNTER.value) == 3
    for row, end in zip(rows, MONTH_ENDS, strict=True):
        stamp, energy, maximum, captured = row
        assert DateTime(stamp).to_datetime() == end
        assert energy == SOURCE(end)
        assert maximum == 2800
        assert DateTime(captured).to_datetime() <= end
    assert meter.get(STAMP.value) == rows[-1][0]
    ended = [one for one in meter.told if one.name == "billing-period-ended"]
    assert [(one.at, one.details["counter"]) for one in ended] == [(end, n) for n, end in enumerate(MONTH_ENDS, 1)]


def test_the_demand_of_the_last_period_still_belongs_to_the_month() -> None:
    def rising(at: dt.datetime) -> int:
        return ((at - START) // dt.timedelta(seconds=1)) ** 2 // 10_000

    meter = Running(partial(build, source=rising))
    meter.to(MONTH_ENDS[0])
    (_, _, maximum, captured) = meter.get(PROFILE.buffer)[0]
    assert maximum == (rising(meter.now) - rising(meter.now - dt.timedelta(minutes=15))) * 4
    assert DateTime(captured).to_datetime() == MONTH_ENDS[0]
    assert meter.get(MAXIMUM.value) == 0


def test_maxima_are_reset_after_the_profile_has_captured_them() -> None:
    meter = Running(build)
    meter.after(hours=5)
    meter.names()
    assert meter.call(SCRIPTS.execute, 1) is SUCCESS
    assert meter.get(PROFILE.buffer)[0][2] == 2800
    assert meter.get(MAXIMUM.value) == 0
    assert meter.get(MAXIMUM.capture_time) == DateTime(meter.get(STAMP.value))
    assert meter.names() == ["billing-period-ended", "demand-reset", "script-executed"]


def test_the_state_survives(tmp_path: Path) -> None:
    meter = Running(build, tmp_path / "state")
    meter.to(dt.datetime(2026, 3, 10, tzinfo=dt.UTC))
    before = meter.get(COUNTER.value), meter.get(STAMP.value), meter.get(PROFILE.buffer), meter.get(MAXIMUM.value)
    meter.killed()
    assert (
        meter.get(COUNTER.value),
        meter.get(STAMP.value),
        meter.get(PROFILE.buffer),
        meter.get(MAXIMUM.value),
    ) == before
    meter.to(dt.datetime(2026, 4, 10, tzinfo=dt.UTC))
    assert meter.get(COUNTER.value) == 3


@pytest.mark.parametrize(("modulus", "expected"), [(100, [99, 0, 1]), (12, [3, 4, 5]), (99, [99, 1, 2])])
def test_the_counter_comes_back_to_0_of_100_and_to_1_of_others(modulus: int, expected: list[int]) -> None:
    meter = Running(partial(build, modulus=modulus))
    for _ in range(98):
        meter.parts.billing.end(START)
    found = []
    for _ in range(3):
        meter.parts.billing.end(START)
        found.append(meter.get(COUNTER.value))
    assert found == expected


def test_without_a_profile_periods_end_all_the_same() -> None:
    meter = Running(partial(build, profile=False))
    meter.after(hours=5)
    assert meter.call(SCRIPTS.execute, 1) is DataAccessResult.OTHER_REASON
    other = Running(lambda device: Billing(device, device.add(ClockObject(device=device)), profile=None))
    other.parts.end(START)
    assert other.get(COUNTER.value) == 1
    assert other.names() == ["billing-period-ended"]
    assert other.device.object(1, AVAILABLE.instance_id) is None


def refusing(error: Exception) -> Callable[[Any, Any], None]:
    def capture(_: Any, situation: Any) -> None:
        raise error

    return capture


@pytest.mark.parametrize(
    "error", [AccessRefused(DataAccessResult.TEMPORARY_FAILURE), EncodeError("no value")], ids=["refused", "unfit"]
)
def test_where_the_profile_cannot_capture_nothing_is_changed(error: Exception) -> None:
    def build_refusing(device: LogicalDevice) -> Meter:
        served = CosemObject(ProfileGeneric(BILLING_PROFILE), {}, methods={"capture": refusing(error)})
        device.add(served)
        return build(device, profile=False)

    meter = Running(build_refusing)
    meter.after(hours=5)
    with pytest.raises(type(error)):
        meter.parts.billing.end(meter.now)
    assert meter.get(COUNTER.value) == 0
    assert meter.get(STAMP.value) == DateTime.of().octets
    assert meter.get(MAXIMUM.value) == 2800
    assert "billing-period-ended" not in meter.names()


def test_registers_of_the_period_begin_anew() -> None:
    def build_period(device: LogicalDevice) -> Billing:
        clock = device.add(ClockObject(device=device))
        energy = MeteredEnergy(device, Supply(device)).add("1-0:1.9.0", WATT_HOURS, SOURCE)
        return Billing(device, clock, [energy], profile=None)

    meter = Running(build_period)
    meter.after(hours=1)
    meter.parts.end(meter.now)
    begin = meter.now
    meter.after(hours=1)
    assert meter.get(Register("1-0:1.9.0").value) == SOURCE(meter.now) - SOURCE(begin)
    assert meter.names() == ["billing-period-ended"]


def test_two_schemes_have_objects_of_their_own() -> None:
    def build_two(device: LogicalDevice) -> tuple[Billing, Billing]:
        clock = device.add(ClockObject(device=device))
        first = Billing(device, clock, profile=None)
        names: dict[str, Any] = {
            name: Obis(f"0-0:0.1.{e}") for e, name in enumerate(("counter", "available", "time_stamp"), 3)
        }
        return first, Billing(device, clock, profile=None, **names)

    meter = Running(build_two)
    meter.parts[1].end(START)
    assert meter.get(COUNTER.value) == 0
    assert meter.get(Data("0-0:0.1.3").value) == 1
    with pytest.raises(ConfigurationError):
        Billing(meter.device, ClockObject())


def test_the_counter_is_a_long_unsigned_and_the_time_stamp_octets() -> None:
    meter = Running(build)
    found = [meter.view.get(1, str(one.instance_id), 2).type for one in (COUNTER, AVAILABLE, STAMP)]
    assert found == [DataType.LONG_UNSIGNED, DataType.DOUBLE_LONG_UNSIGNED, DataType.OCTET_STRING]
