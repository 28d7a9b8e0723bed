"""Demand: averages over the periods of the local clock, block and sliding, and their maximum (classes 5 and 4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import Clock, DemandRegister, ExtendedRegister, Register, ScalerUnit
from cosemic.server import ClockObject, LogicalDevice
from cosemic.server.demand import DemandRegisterObject, MaximumDemandObject
from cosemic.server.local_time import CENTRAL_EUROPEAN
from cosemic.server.registers import CountingRegisterObject, ValueStatus
from cosemic.values import DateTime, Unit
from tests.effort import examples
from tests.server.running import REFUSED, START, SUCCESS, UNMATCHED, Running, curve, unsigned

WATTS = ScalerUnit(0, Unit.of("W"))
DEMAND = DemandRegister("1-0:1.4.0")
MAXIMUM = ExtendedRegister("1-0:1.6.0")
CLOCK = Clock("0-0:1.0.0")
QUARTER = dt.timedelta(minutes=15)
SOURCE = curve(100, 700, 50, 0, 300)
NORMAL, RESET, IRREGULAR = 0, ValueStatus.RESET, ValueStatus.IRREGULAR


@dataclass
class Meter:
    clock: ClockObject
    demand: DemandRegisterObject
    maximum: MaximumDemandObject
    counts: list[bool]


def build(device: LogicalDevice, source: Callable[[dt.datetime], int] = SOURCE, **changed: Any) -> Meter:
    clock = device.add(ClockObject(utc_offset=60, daylight_saving=CENTRAL_EUROPEAN, device=device))
    demand = device.add(DemandRegisterObject(device, clock, DEMAND.instance_id, WATTS, source, **changed))
    counts = [True]
    maximum = device.add(MaximumDemandObject(clock, MAXIMUM.instance_id, demand, counts=lambda: counts[0]))
    return Meter(clock, demand, maximum, counts)


def sliding(periods: int, **changed: Any) -> Callable[[LogicalDevice], Meter]:
    return partial(build, number_of_periods=periods, **changed)


def average(begin: dt.datetime, end: dt.datetime, seconds: int) -> int:
    return (SOURCE(end) - SOURCE(begin)) * 3600 // seconds


def shown(stamp: DateTime) -> str:
    return str(stamp)[:19]


def test_block_demand_rises_in_the_period_and_becomes_the_last_one_at_its_end() -> None:
    meter = Running(build)
    meter.after(minutes=5)
    assert meter.get(DEMAND.current_average_value) == average(START, meter.now, 900)
    assert meter.get(DEMAND.last_average_value) == 0
    assert shown(meter.get(DEMAND.start_time_current)) == "2026-01-31 13:00:00"
    meter.to(START + QUARTER)
    assert meter.get(DEMAND.current_average_value) == 0
    assert meter.get(DEMAND.last_average_value) == average(START, START + QUARTER, 900)
    assert shown(meter.get(DEMAND.capture_time)) == "2026-01-31 13:15:00"
    assert shown(meter.get(DEMAND.start_time_current)) == "2026-01-31 13:15:00"
    assert meter.get(DEMAND.status) == NORMAL


def test_a_load_that_does_not_change_is_its_own_average() -> None:
    meter = Running(partial(build, source=curve(250)))
    meter.after(hours=1, minutes=7, seconds=30)
    assert meter.get(DEMAND.last_average_value) == 1000
    assert meter.get(DEMAND.current_average_value) == 500


@pytest.mark.parametrize("periods", [2, 3, 5])
def test_sliding_demand_is_the_average_of_the_last_periods_and_the_window_moves_by_one(periods: int) -> None:
    meter = Running(sliding(periods, period=300))
    five = dt.timedelta(minutes=5)
    for number in range(1, 12):
        meter.to(START + number * five)
        begin = START + max(0, number - periods) * five
        assert meter.get(DEMAND.last_average_value) == average(begin, meter.now, periods * 300)
        assert meter.get(DEMAND.status) == (NORMAL if number >= periods else IRREGULAR)
        window = START + max(0, number - periods + 1) * five
        assert meter.get(DEMAND.current_average_value) == average(window, meter.now, periods * 300)
        assert meter.get(DEMAND.start_time_current).to_datetime().astimezone(dt.UTC) == window


def test_a_meter_that_starts_within_a_period_measures_a_short_one() -> None:
    meter = Running(build, start=START + dt.timedelta(minutes=4))
    meter.after(hours=1)
    assert shown(meter.get(DEMAND.capture_time)) == "2026-01-31 14:00:00"
    assert meter.get(DEMAND.status) == NORMAL
    other = Running(build, start=START + dt.timedelta(minutes=4))
    other.to(START + QUARTER)
    assert other.get(DEMAND.status) == IRREGULAR
    assert other.get(DEMAND.last_average_value) == average(START + dt.timedelta(minutes=4), START + QUARTER, 900)


def test_before_time_passes_there_is_nothing() -> None:
    device = LogicalDevice("TST", now=lambda: START)
    parts = build(device)
    assert parts.demand.current(START) == 0
    assert device.read(5, DEMAND.instance_id, 7, START).value() == DateTime.of().octets


def test_periods_end_by_the_local_clock_also_where_that_is_wrong() -> None:
    meter = Running(partial(build, period=3600))
    ahead = meter.parts.clock.time(START) + dt.timedelta(minutes=59)
    assert meter.set(CLOCK.time, DateTime.from_datetime(ahead)) is SUCCESS
    meter.after(minutes=1)
    assert shown(meter.get(DEMAND.capture_time)) == "2026-01-31 14:00:00"


@pytest.mark.parametrize(
    "night", [dt.datetime(2026, 3, 28, 20, tzinfo=dt.UTC), dt.datetime(2026, 10, 24, 20, tzinfo=dt.UTC)]
)
def test_daylight_saving_leaves_the_periods_alone(night: dt.datetime) -> None:
    meter = Running(build, start=night)
    ends: list[tuple[dt.datetime, ValueStatus]] = []
    meter.parts.demand.ended.append(lambda value, at, status: ends.append((at, status)))
    meter.after(hours=12)
    assert ends == [(night + number * QUARTER, ValueStatus(0)) for number in range(1, 49)]


def test_next_period_ends_the_period_now_and_the_next_one_is_shorter() -> None:
    meter = Running(build)
    meter.after(minutes=10)
    assert meter.call(DEMAND.next_period) is SUCCESS
    assert meter.get(DEMAND.last_average_value) == average(START, meter.now, 900)
    assert meter.get(DEMAND.status) == IRREGULAR
    assert meter.get(DEMAND.current_average_value) == 0
    assert shown(meter.get(DEMAND.start_time_current)) == "2026-01-31 13:10:00"
    ended = meter.now
    meter.after(minutes=5)
    assert meter.get(DEMAND.last_average_value) == average(ended, meter.now, 900)
    assert shown(meter.get(DEMAND.capture_time)) == "2026-01-31 13:15:00"


def test_reset_drops_both_averages() -> None:
    meter = Running(sliding(3))
    meter.after(minutes=40)
    meter.told.clear()
    before = meter.get(MAXIMUM.value)
    assert meter.call(DEMAND.reset) is SUCCESS
    assert meter.get(DEMAND.last_average_value) == meter.get(DEMAND.current_average_value) == 0
    assert meter.get(DEMAND.status) == RESET
    assert shown(meter.get(DEMAND.capture_time)) == shown(meter.get(DEMAND.start_time_current)) == "2026-01-31 13:40:00"
    assert meter.get(MAXIMUM.value) == before
    begin = meter.now
    meter.after(minutes=5)
    assert meter.get(DEMAND.last_average_value) == average(begin, meter.now, 2700)


def test_other_periods_begin_anew(tmp_path: Path) -> None:
    meter = Running(build, tmp_path / "state")
    meter.after(minutes=20)
    assert meter.set(DEMAND.period, 1800) is SUCCESS
    assert meter.set(DEMAND.number_of_periods, 2) is SUCCESS
    assert meter.get(DEMAND.last_average_value) == 0
    assert meter.get(DEMAND.status) == RESET
    begin = meter.now
    meter.killed()
    meter.to(START + dt.timedelta(minutes=30))
    assert meter.get(DEMAND.last_average_value) == average(begin, meter.now, 3600)
    assert meter.get(DEMAND.period) == 1800


@pytest.mark.parametrize("period", [1, 59, 86_401, 0xFFFF_FFFF])
def test_a_period_out_of_reach_is_refused_and_changes_nothing(period: int) -> None:
    meter = Running(build)
    meter.after(minutes=20)
    before = meter.get(DEMAND.last_average_value)
    assert meter.set(DEMAND.period, period) is REFUSED
    assert (meter.get(DEMAND.period), meter.get(DEMAND.last_average_value)) == (900, before)
    with pytest.raises(ConfigurationError):
        Running(partial(build, period=period))


def test_a_window_out_of_reach_is_refused() -> None:
    meter = Running(build)
    assert meter.set(DEMAND.number_of_periods, 101) is REFUSED
    assert meter.set(DEMAND.number_of_periods, 100) is SUCCESS
    assert meter.put(DEMAND.number_of_periods, unsigned(5)) is UNMATCHED
    assert meter.put(DEMAND.period, EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, 0)) is UNMATCHED


def test_scaler_and_unit_may_be_written_without_touching_the_averages() -> None:
    meter = Running(partial(build, writable=("scaler_unit",)))
    meter.after(minutes=20)
    before = meter.get(DEMAND.last_average_value)
    assert meter.set(DEMAND.scaler_unit, ScalerUnit(0, Unit.of("var"))) is SUCCESS
    assert meter.get(DEMAND.last_average_value) == before


@pytest.mark.parametrize(
    ("energy", "demand", "expected"), [(0, 0, 400), (0, -1, 4000), (3, 0, 400_000), (0, 2, 4), (-3, 0, 0)]
)
def test_scalers_of_energy_and_demand_are_converted(energy: int, demand: int, expected: int) -> None:
    def build_scaled(device: LogicalDevice) -> None:
        clock = device.add(ClockObject(device=device))
        scaler_unit = ScalerUnit(demand, Unit.of("W"))
        device.add(
            DemandRegisterObject(device, clock, DEMAND.instance_id, scaler_unit, curve(100), energy_scaler=energy)
        )

    meter = Running(build_scaled)
    meter.after(minutes=15)
    assert meter.get(DEMAND.last_average_value) == expected


def test_an_average_beyond_the_type_is_its_end_and_time_goes_on() -> None:
    meter = Running(partial(build, source=curve(20_000, 100), data_type=DataType.LONG_UNSIGNED))
    meter.after(minutes=15)
    assert meter.get(DEMAND.last_average_value) == meter.get(MAXIMUM.value) == 65_535
    meter.after(minutes=15)
    assert meter.get(DEMAND.last_average_value) == 400


def test_resetting_or_writing_the_register_makes_no_demand() -> None:
    def build_on_register(device: LogicalDevice) -> Meter:
        energy = Register("1-0:1.8.0")
        watt_hours = ScalerUnit(0, Unit.of("Wh"))
        register = device.add(CountingRegisterObject(energy.instance_id, watt_hours, curve(250), writable=("value",)))
        return build(device, register.counted)

    meter = Running(build_on_register)
    meter.after(minutes=5)
    assert meter.call(Register("1-0:1.8.0").reset) is SUCCESS
    meter.after(minutes=5)
    assert meter.put(Register("1-0:1.8.0").value, unsigned(4_000_000_000)) is SUCCESS
    meter.after(minutes=5)
    assert meter.get(DEMAND.last_average_value) == meter.get(MAXIMUM.value) == 1000


def test_setting_the_clock_into_another_period_ends_the_present_one() -> None:
    meter = Running(build)
    meter.after(minutes=20)
    begin = START + QUARTER
    time = meter.parts.clock.time(meter.now)
    assert meter.set(CLOCK.time, DateTime.from_datetime(time + dt.timedelta(minutes=10, seconds=30))) is SUCCESS
    assert meter.get(DEMAND.last_average_value) == average(begin, meter.now, 900)
    assert meter.get(DEMAND.status) == IRREGULAR
    assert shown(meter.get(DEMAND.capture_time)) == "2026-01-31 13:30:30"
    changed = meter.now
    meter.after(minutes=14, seconds=30)
    assert meter.get(DEMAND.last_average_value) == average(changed, meter.now, 900)
    assert shown(meter.get(DEMAND.capture_time)) == "2026-01-31 13:45:00"


def test_setting_the_clock_within_a_period_lets_it_go_on_and_makes_no_maximum() -> None:
    meter = Running(partial(build, source=curve(250)))
    meter.after(minutes=10)
    time = meter.parts.clock.time(meter.now)
    assert meter.set(CLOCK.time, DateTime.from_datetime(time - dt.timedelta(minutes=9))) is SUCCESS
    meter.after(minutes=14)
    assert meter.get(DEMAND.last_average_value) == 1000  # 24 minutes of 1000 W
    assert meter.get(DEMAND.status) == IRREGULAR
    assert meter.get(MAXIMUM.value) == 1000


def test_another_zone_ends_the_period_and_daylight_saving_does_not() -> None:
    meter = Running(build, start=dt.datetime(2026, 7, 1, tzinfo=dt.UTC))
    meter.after(minutes=20)
    before = meter.get(DEMAND.start_time_current)
    assert meter.set(CLOCK.daylight_savings_enabled, False) is SUCCESS
    assert meter.get(DEMAND.start_time_current) == before
    meter.after(minutes=10)
    assert meter.get(DEMAND.status) == NORMAL
    before = meter.get(DEMAND.start_time_current)
    assert meter.set(CLOCK.time_zone, -75) is SUCCESS
    assert meter.get(DEMAND.start_time_current) != before


def test_the_maximum_is_the_greatest_average_with_the_end_of_its_period() -> None:
    meter = Running(build)
    meter.after(hours=5)
    assert meter.get(MAXIMUM.value) == 2800
    begin = next(
        START + n * QUARTER for n in range(20) if average(START + n * QUARTER, START + (n + 1) * QUARTER, 900) == 2800
    )
    assert meter.get(MAXIMUM.capture_time).to_datetime().astimezone(dt.UTC) == begin + QUARTER
    assert meter.get(MAXIMUM.status) == NORMAL
    assert meter.call(MAXIMUM.reset) is SUCCESS
    assert (meter.get(MAXIMUM.value), meter.get(MAXIMUM.status)) == (0, RESET)
    meter.after(minutes=15)
    assert meter.get(MAXIMUM.value) == meter.get(DEMAND.last_average_value)


def test_a_maximum_of_a_tariff_takes_what_ends_while_it_counts() -> None:
    meter = Running(build)
    meter.parts.counts[0] = False
    meter.after(hours=5)
    assert meter.get(MAXIMUM.value) == 0
    meter.parts.counts[0] = True
    meter.after(hours=5)
    assert meter.get(MAXIMUM.value) == 2800


def everything(meter: Running[Meter]) -> list[Any]:
    names = ("current_average_value", "last_average_value", "status", "capture_time", "start_time_current")
    attributes = [getattr(DEMAND, name) for name in names]
    return [meter.get(one) for one in (*attributes, MAXIMUM.value, MAXIMUM.status, MAXIMUM.capture_time)]


@examples(40)
@given(
    st.lists(st.integers(1, 4000), min_size=1, max_size=15), st.integers(1, 4), st.sampled_from([60, 420, 900, 3600])
)
def test_one_jump_is_as_many_steps(steps: list[int], periods: int, period: int) -> None:
    jump, walk = Running(sliding(periods, period=period)), Running(sliding(periods, period=period))
    for seconds in steps:
        walk.after(seconds=seconds)
        walk.get(DEMAND.current_average_value)
    jump.to(walk.now)
    assert everything(jump) == everything(walk)


@examples(20)
@given(st.lists(st.integers(1, 1800), min_size=1, max_size=8), st.integers(1, 3))
def test_a_killed_meter_goes_on_as_if_nothing_had_been(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], periods: int
) -> None:
    folder = tmp_path_factory.mktemp("demand")
    killed, other = Running(sliding(periods), folder / "state"), Running(sliding(periods))
    for seconds in steps:
        killed.after(seconds=seconds)
        killed.killed()
        other.after(seconds=seconds)
        assert everything(killed) == everything(other)
