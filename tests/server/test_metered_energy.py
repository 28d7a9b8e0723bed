"""Totals and tariff registers: exact to the unit, whatever switches them and whenever the meter is asked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.model import (
    ActionItem,
    ControlMode,
    ExecutionTime,
    ObjectDefinition,
    Register,
    RegisterActivation,
    RegisterActMask,
    ScalerUnit,
)
from cosemic.server import ClockObject, LogicalDevice
from cosemic.server.disconnect import DisconnectControlObject
from cosemic.server.metered_energy import MeteredEnergy, Supply
from cosemic.server.register_activation import RegisterActivationObject
from cosemic.server.registers import CountingRegisterObject
from cosemic.server.scripts import ScriptTableObject, writing
from cosemic.server.single_action_schedule import SingleActionScheduleObject
from cosemic.values import Date, Obis, Time, Unit
from tests.effort import examples
from tests.server.running import START, SUCCESS, Running, curve, number

WATT_HOURS = ScalerUnit(0, Unit.of("Wh"))
TOTAL, DAY, NIGHT = (Register(f"1-0:1.8.{tariff}") for tariff in range(3))
ACTIVATION = RegisterActivation("0-0:14.0.0")
SCRIPTS = Obis("0-0:10.0.100")
SOURCE = curve(13, 207, 0, 951)
MOMENTS = st.integers(0, 7_200_000_000)


@dataclass
class Meter:
    switch: DisconnectControlObject
    supply: Supply
    energy: MeteredEnergy
    total: CountingRegisterObject


def build(device: LogicalDevice) -> Meter:
    clock = device.add(ClockObject(utc_offset=60, device=device))
    switch = device.add(DisconnectControlObject(device, mode=ControlMode.MODE_5))
    activation = device.add(
        RegisterActivationObject(
            ACTIVATION.instance_id,
            [ObjectDefinition(3, DAY.instance_id), ObjectDefinition(3, NIGHT.instance_id)],
            [RegisterActMask(b"day", (1,)), RegisterActMask(b"night", (2,))],
            b"day",
        )
    )
    supply = Supply(device, switch)
    energy = MeteredEnergy(device, supply, activation)
    total = energy.add(TOTAL.instance_id, WATT_HOURS, SOURCE, tariffs=(5_000, 3_000))
    scripts = {
        1: [writing(ACTIVATION.active_mask, b"day")],
        2: [writing(ACTIVATION.active_mask, b"night")],
    }
    device.add(ScriptTableObject(device, SCRIPTS, scripts))
    for script, hour in ((1, 6), (2, 22)):
        device.add(
            SingleActionScheduleObject(
                device,
                clock,
                Obis(bytes((0, 0, 15, 0, script, 255))),
                ActionItem(SCRIPTS, script),
                [ExecutionTime(Time.of(hour=hour, minute=0, second=0, hundredths=0), Date.of())],
            )
        )
    return Meter(switch, supply, energy, total)


def readings(meter: Running[Meter]) -> tuple[int, int, int]:
    total, day, night = (number(meter.get(register.value)) for register in (TOTAL, DAY, NIGHT))
    return total, day, night


def test_at_first_tariffs_have_their_shares_and_the_rest_is_that_of_the_active_one() -> None:
    meter = Running(build)
    assert readings(meter) == (SOURCE(START), SOURCE(START) - 3_000, 3_000)


def test_tariffs_switch_exactly_however_late_the_meter_is_asked() -> None:
    meter = Running(build)
    meter.to(START + dt.timedelta(days=40, minutes=7))
    night = 3_000
    for day in range(40):
        switched = START + dt.timedelta(days=day, hours=9)  # 22:00 by its clock
        night += SOURCE(switched + dt.timedelta(hours=8)) - SOURCE(switched)
    assert readings(meter) == (SOURCE(meter.now), SOURCE(meter.now) - night, night)


def test_nothing_counts_while_the_supply_is_disconnected(tmp_path: Path) -> None:
    meter = Running(build, tmp_path / "state")
    meter.after(minutes=40)
    assert meter.view.act(70, "0-0:96.3.10", 1).result == 0
    before = readings(meter)
    meter.after(hours=20)
    meter.killed()
    assert readings(meter) == before
    assert not meter.parts.supply.on
    assert meter.view.act(70, "0-0:96.3.10", 2).result == 0
    meter.parts.switch.manual_reconnect(meter.now)
    meter.device.commit()
    reconnected = meter.now
    meter.after(hours=1)
    assert readings(meter)[0] == before[0] + SOURCE(meter.now) - SOURCE(reconnected)


def test_nothing_counts_during_a_power_failure(tmp_path: Path) -> None:
    meter = Running(build, tmp_path / "state")
    meter.after(minutes=40)
    meter.device.happened("power-down")
    before = readings(meter)
    meter.after(hours=3)
    meter.killed()
    assert readings(meter) == before
    meter.device.happened("power-down")
    meter.after(hours=1)
    meter.device.happened("power-up")
    up = meter.now
    meter.after(hours=1)
    assert readings(meter)[0] == before[0] + SOURCE(meter.now) - SOURCE(up)


def test_followers_of_the_supply_are_told_before_it_changes() -> None:
    meter = Running(build)
    seen: list[tuple[bool, dt.datetime]] = []
    meter.parts.supply.changing.append(lambda at: seen.append((meter.parts.supply.on, at)))
    meter.parts.switch.local_disconnect(START)
    meter.device.happened("power-down")
    meter.device.happened("power-up")
    meter.parts.switch.local_reconnect(START)
    assert seen == [(True, START), (False, START), (False, START), (False, START)]


def test_a_reading_costs_one_call_of_the_source_after_many_switches() -> None:
    calls = 0

    def counted(at: dt.datetime) -> int:
        nonlocal calls
        calls += 1
        return SOURCE(at)

    def build_counted(device: LogicalDevice) -> CountingRegisterObject:
        return MeteredEnergy(device, Supply(device)).add("1-0:2.8.0", WATT_HOURS, counted, writable=("value",))

    meter = Running(build_counted)
    for _ in range(100):
        meter.device.happened("power-down")
        meter.device.happened("power-up")
    meter.after(days=30)
    calls = 0
    assert meter.get(Register("1-0:2.8.0").value) == SOURCE(meter.now)
    assert calls == 1


def test_the_same_quantity_is_not_added_twice() -> None:
    meter = Running(build)
    with pytest.raises(ConfigurationError):
        meter.parts.energy.add(TOTAL.instance_id, WATT_HOURS, SOURCE)


OPERATIONS = st.lists(
    st.tuples(
        MOMENTS,
        st.sampled_from(
            ["read", "day", "night", "disconnect", "reconnect", "press", "power-down", "power-up", "kill", "local"]
        ),
    ),
    max_size=25,
)


def perform(meter: Running[Meter], operation: str) -> None:
    if operation in ("day", "night"):
        assert meter.set(ACTIVATION.active_mask, operation.encode()) is SUCCESS
    elif operation in ("disconnect", "reconnect"):
        meter.view.act(70, "0-0:96.3.10", 1 if operation == "disconnect" else 2)
    elif operation == "press":
        meter.parts.switch.press_button(meter.now)
        meter.device.commit()
    elif operation == "local":
        meter.parts.switch.local_reconnect(meter.now)
        meter.device.commit()
    elif operation.startswith("power"):
        meter.device.happened(operation)
    elif operation == "kill":
        meter.killed()


@examples(40)
@given(OPERATIONS)
def test_tariffs_sum_up_to_the_total_which_is_what_the_source_brought_while_on(
    operations: list[tuple[int, str]],
) -> None:
    with TemporaryDirectory() as folder:
        meter = Running(build, Path(folder) / "state")
        drawn = SOURCE(START)
        switched_on: dt.datetime | None = START
        seen = [readings(meter)]
        for microseconds, operation in operations:
            meter.to(meter.now + dt.timedelta(microseconds=microseconds))
            perform(meter, operation)
            on = meter.parts.switch.connected and meter.parts.supply.on
            if switched_on is not None and not on:
                drawn += SOURCE(meter.now) - SOURCE(switched_on)
                switched_on = None
            elif switched_on is None and on:
                switched_on = meter.now
            seen.append(readings(meter))
            running = 0 if switched_on is None else SOURCE(meter.now) - SOURCE(switched_on)
            assert seen[-1][0] == drawn + running
        for total, day, night in seen:
            assert day + night == total
        for before, after in pairwise(seen):
            assert all(one <= other for one, other in zip(before, after, strict=True))


@examples(25)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=20))
def test_one_jump_is_as_many_steps(steps: list[int]) -> None:
    jump, walk = Running(build), Running(build)
    for seconds in steps:
        walk.after(seconds=seconds)
        readings(walk)
    jump.to(walk.now)
    assert readings(jump) == readings(walk)
