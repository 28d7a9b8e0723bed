"""The limiter: durations met exactly, each action once, emergencies by the clock of the meter (class 71)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, StoreError
from cosemic.model import (
    ActionItem,
    Clock,
    ControlMode,
    DisconnectControlVersion0,
    EmergencyProfile,
    Limiter,
    LimiterActions,
    ProfileGeneric,
    ScalerUnit,
    ValueDefinition,
)
from cosemic.server import ClockObject, LogicalDevice, ProfileObject
from cosemic.server.disconnect import DisconnectControlObject
from cosemic.server.limiter import LimiterObject
from cosemic.server.registers import RegisterObject
from cosemic.server.scripts import ScriptTableObject
from cosemic.values import DateTime, Obis, Unit
from tests.effort import examples
from tests.server.running import REFUSED, START, SUCCESS, UNMATCHED, Running, unsigned

LIMITER = Limiter("0-0:17.0.0")
CLOCK = Clock("0-0:1.0.0")
POWER = Obis("1-0:1.7.0")
SCRIPTS = Obis("0-0:10.0.106")
WATTS = ScalerUnit(0, Unit.of("W"))
SECOND = dt.timedelta(seconds=1)
LIMIT = (DataType.DOUBLE_LONG_UNSIGNED, 1000)
EMERGENCY = (DataType.DOUBLE_LONG_UNSIGNED, 300)
BEGIN = dt.datetime(2026, 1, 31, 15, 0)
"""By the clock of the meter: two hours after the start."""


@dataclass
class Meter:
    limiter: LimiterObject
    power: dict[str, Any]
    log: list[tuple[str, int]] = field(default_factory=list)


def build(device: LogicalDevice, power: Callable[[dt.datetime], Any] | None = None, **changed: Any) -> Meter:
    """Power as it is in the parts, or as a function of time; actions note the second in which they run."""
    clock = device.add(ClockObject(utc_offset=60, device=device))
    now: dict[str, Any] = {"value": 0}
    device.add(RegisterObject(POWER, DataType.DOUBLE_LONG_UNSIGNED, WATTS, power or (lambda at: now["value"])))
    settings: dict[str, Any] = {
        "over": ActionItem(SCRIPTS, 1),
        "under": ActionItem(SCRIPTS, 2),
        "emergency": EMERGENCY,
        "min_over": 30,
        "min_under": 120,
        "period": 60,
    } | changed
    limiter = device.add(
        LimiterObject(device, clock, LIMITER.instance_id, ValueDefinition(3, POWER, 2), LIMIT, **settings)
    )
    meter = Meter(limiter, now)

    def noting(name: str) -> Callable[[dt.datetime], None]:
        return lambda at: meter.log.append((name, (at - START) // SECOND))

    device.add(ScriptTableObject(device, SCRIPTS, {1: noting("over"), 2: noting("under")}))
    return meter


def steps(*powers: int, each: int = 300) -> Callable[[dt.datetime], int]:
    """So much power in each span of so many seconds; the last one for good."""
    return lambda at: powers[min((at - START) // (each * SECOND), len(powers) - 1)]


def test_an_action_is_done_once_the_value_has_been_over_for_the_duration() -> None:
    meter = Running(partial(build, power=steps(500, 1500, 1500, 1500, 1500)))
    meter.after(hours=1)
    assert meter.parts.log == [("over", 330)]
    assert meter.names() == ["limiter-exceeded", "script-executed"]
    assert meter.parts.limiter.exceeded


def test_the_other_action_follows_when_the_value_has_been_under_for_its_own_duration() -> None:
    meter = Running(partial(build, power=steps(1500, 200, 1500, 200)))
    meter.after(hours=1)
    assert meter.parts.log == [("over", 90), ("under", 420), ("over", 630), ("under", 1020)]
    assert [name for name in meter.names() if name.startswith("limiter")] == [
        "limiter-exceeded", "limiter-normal", "limiter-exceeded", "limiter-normal",
    ]  # fmt: skip


def test_a_value_at_the_threshold_is_not_over_it() -> None:
    meter = Running(partial(build, power=steps(1000, 1001)))
    meter.to(START + 299 * SECOND)
    assert meter.parts.log == []
    meter.after(hours=1)
    assert meter.parts.log == [("over", 330)]


def test_a_value_that_comes_back_before_the_duration_is_over_does_nothing() -> None:
    meter = Running(partial(build, power=steps(1500, 500, each=120), min_over=121))
    meter.after(hours=1)
    assert meter.parts.log == []


def test_without_a_duration_it_acts_at_once() -> None:
    meter = Running(partial(build, power=steps(500, 1500), min_over=0))
    meter.after(hours=1)
    assert meter.parts.log == [("over", 300)]


def test_where_there_is_no_value_a_duration_begins_anew() -> None:
    def power(at: dt.datetime) -> int:
        passed = (at - START) // SECOND
        return -1 if 60 < passed <= 120 else 1500  # does not fit the type of the register

    meter = Running(partial(build, power=power, min_over=100))
    meter.after(hours=1)
    assert meter.parts.log == [("over", 280)]


@pytest.mark.parametrize(
    "wanted", [ValueDefinition(3, Obis("1-0:9.9.9"), 2), ValueDefinition(1, Obis("0-0:42.0.0"), 2)]
)
def test_a_value_that_is_not_there_or_no_number_is_neither_over_nor_under(wanted: ValueDefinition) -> None:
    meter = Running(partial(build, power=steps(1500)))
    assert meter.set(LIMITER.monitored_value, wanted) is SUCCESS
    meter.after(hours=1)
    assert meter.parts.log == []
    assert meter.set(LIMITER.monitored_value, ValueDefinition(3, POWER, 2)) is SUCCESS
    meter.after(hours=1)
    assert meter.parts.log == [("over", 3630)]


def test_without_a_value_to_look_at_nothing_is_due() -> None:
    meter = Running(build)
    assert meter.set(LIMITER.monitored_value, ValueDefinition(0, Obis(bytes(6)), 0)) is SUCCESS
    assert meter.parts.limiter.due(START) is None


def test_a_written_threshold_counts_at_once() -> None:
    meter = Running(partial(build, min_over=0))
    meter.parts.power["value"] = 800
    meter.after(seconds=77)
    assert meter.put(LIMITER.threshold_normal, unsigned(700)) is SUCCESS
    assert meter.parts.log == [("over", 77)]
    assert meter.get(LIMITER.threshold_active) == 700
    assert meter.names()[:3] == ["limiter-threshold-changed", "limiter-exceeded", "script-executed"]
    assert meter.put(LIMITER.threshold_emergency, unsigned(10)) is SUCCESS
    assert "limiter-threshold-changed" not in meter.names()


def test_a_written_duration_counts_at_once() -> None:
    meter = Running(partial(build, power=steps(1500), min_over=5000))
    meter.after(seconds=100)
    assert meter.set(LIMITER.min_over_threshold_duration, 70) is SUCCESS
    meter.after(hours=1)
    assert meter.parts.log == [("over", 130)]


@pytest.mark.parametrize(
    "value",
    [EncodedData.of(DataType.LONG_UNSIGNED, 5), EncodedData.of(DataType.OCTET_STRING, b"5")],
    ids=["long-unsigned", "octets"],
)
def test_a_threshold_keeps_its_type(value: EncodedData) -> None:
    meter = Running(build)
    assert meter.put(LIMITER.threshold_normal, value) is UNMATCHED
    assert meter.get(LIMITER.threshold_normal) == 1000


@pytest.mark.parametrize("threshold", [(DataType.OCTET_STRING, b"5"), (DataType.BOOLEAN, True)])
def test_a_threshold_is_a_number(threshold: Any) -> None:
    device = LogicalDevice("TST")
    with pytest.raises(ConfigurationError):
        LimiterObject(device, ClockObject(), LIMITER.instance_id, ValueDefinition(3, POWER, 2), threshold)


def test_a_list_cannot_be_monitored() -> None:
    def build_with_profile(device: LogicalDevice) -> Meter:
        meter = build(device)
        device.add(ProfileObject(device, "1-0:99.1.0", (), 10))
        return meter

    meter = Running(build_with_profile)
    buffer = ValueDefinition(7, Obis("1-0:99.1.0"), ProfileGeneric.buffer.index)
    assert meter.set(LIMITER.monitored_value, buffer) is REFUSED
    assert meter.get(LIMITER.monitored_value) == ValueDefinition(3, POWER, 2)


def test_it_looks_at_least_once_a_second() -> None:
    with pytest.raises(ConfigurationError):
        Running(partial(build, period=0))


# ---- emergencies -----------------------------------------------------------------------------------------------------


def emergency(begin: dt.datetime = BEGIN, duration: int = 600, number: int = 5) -> EmergencyProfile:
    return EmergencyProfile(number, DateTime.from_datetime(begin), duration)


def test_an_emergency_has_its_own_threshold_from_begin_to_end() -> None:
    meter = Running(partial(build, power=steps(500)))
    assert meter.set(LIMITER.emergency_profile_group_id_list, (3, 5)) is SUCCESS
    assert meter.set(LIMITER.emergency_profile, emergency()) is SUCCESS
    for passed, active in ((0, False), (7199, False), (7200, True), (7799, True), (7800, False)):
        meter.to(START + passed * SECOND)
        assert meter.get(LIMITER.emergency_profile_active) is active
        assert meter.get(LIMITER.threshold_active) == (300 if active else 1000)
    meter.after(hours=1)
    assert meter.parts.log == [("over", 7230), ("under", 7920)]
    assert [one.at for one in meter.told if one.name == "limiter-threshold-changed"] == [
        START + 7200 * SECOND, START + 7800 * SECOND,
    ]  # fmt: skip


def test_an_emergency_of_another_group_is_none() -> None:
    meter = Running(partial(build, power=steps(500), groups=(3,), profile=emergency()))
    meter.after(hours=3)
    assert meter.parts.log == []
    assert meter.set(LIMITER.emergency_profile_group_id_list, (5,)) is SUCCESS
    assert meter.get(LIMITER.emergency_profile_active) is False  # it is over
    assert meter.set(LIMITER.emergency_profile, emergency(duration=7200)) is SUCCESS
    assert meter.get(LIMITER.emergency_profile_active) is True
    assert meter.set(LIMITER.emergency_profile_group_id_list, ()) is SUCCESS
    assert meter.get(LIMITER.emergency_profile_active) is False


def test_an_emergency_goes_by_the_clock_of_the_meter() -> None:
    meter = Running(partial(build, groups=(5,), profile=emergency()))
    assert meter.set(CLOCK.time, DateTime.from_datetime(BEGIN)) is SUCCESS
    assert meter.get(LIMITER.emergency_profile_active) is True
    meter.after(minutes=10)
    assert meter.get(LIMITER.emergency_profile_active) is False


def test_begin_and_end_of_an_emergency_are_met_exactly_by_a_clock_that_is_wrong() -> None:
    meter = Running(
        partial(build, power=steps(500), groups=(5,), profile=emergency(), min_over=0, min_under=0, period=10_000)
    )
    assert meter.call(CLOCK.shift_time, 61) is SUCCESS
    meter.after(hours=4)
    assert meter.parts.log == [("over", 7139), ("under", 7739)]


def test_no_activation_time_is_no_emergency_and_a_pattern_is_refused() -> None:
    meter = Running(partial(build, groups=(0, 5), profile=emergency()))
    assert meter.set(LIMITER.emergency_profile, EmergencyProfile(5, DateTime.of(hour=12), 60)) is REFUSED
    assert meter.get(LIMITER.emergency_profile) == emergency()
    assert meter.set(LIMITER.emergency_profile, EmergencyProfile(5, DateTime.of(), 0xFFFF_FFFF)) is SUCCESS
    assert meter.get(LIMITER.emergency_profile_active) is False


def test_an_emergency_without_an_end_within_the_calendar_holds() -> None:
    meter = Running(partial(build, groups=(5,)))
    late = DateTime.from_datetime(dt.datetime(9998, 1, 1, tzinfo=dt.UTC))
    assert meter.set(LIMITER.emergency_profile, EmergencyProfile(5, late, 0xFFFF_FFFF)) is SUCCESS
    meter.after(hours=1)
    assert meter.get(LIMITER.emergency_profile_active) is False
    assert meter.set(LIMITER.emergency_profile, emergency(dt.datetime(2026, 1, 1), 0xFFFF_FFFF)) is SUCCESS
    assert meter.get(LIMITER.emergency_profile_active) is True


# ---- power failures ------------------------------------------------------------------------------------------


def test_in_a_power_failure_nothing_is_looked_at_and_then_a_duration_begins_anew(tmp_path: Path) -> None:
    meter = Running(partial(build, power=steps(1500), min_over=100), tmp_path / "state")
    meter.after(seconds=120)
    meter.device.happened("power-down")
    meter.after(seconds=300)
    meter.killed()
    meter.after(seconds=300)
    assert not meter.parts.limiter.exceeded
    meter.device.happened("power-up")
    meter.after(seconds=99)
    assert not meter.parts.limiter.exceeded
    meter.after(seconds=1)
    assert meter.parts.limiter.exceeded


# ---- together ------------------------------------------------------------------------------------------------


def test_it_disconnects_and_reconnects_the_supply() -> None:
    switches: list[DisconnectControlObject] = []

    def build_switch(device: LogicalDevice) -> Meter:
        switch = device.add(DisconnectControlObject(device, mode=ControlMode.MODE_5))
        switches.append(switch)
        meter = build(device, lambda at: 1500 if switch.connected else 0, over=ActionItem(Obis("0-1:10.0.106"), 1),
                      under=ActionItem(Obis("0-1:10.0.106"), 2))  # fmt: skip
        device.add(ScriptTableObject(device, "0-1:10.0.106", {1: switch.local_disconnect, 2: switch.local_reconnect}))
        return meter

    meter = Running(build_switch)
    meter.after(minutes=10)
    happened = [(one.name, (one.at - START) // SECOND) for one in meter.told if one.name.startswith("local")]
    # Seen at 60, over for 30 s; what the switch does counts from then on: under for 120 s, over for 30 s, and so on.
    assert happened == [
        ("local-disconnection", 90), ("local-reconnection", 210), ("local-disconnection", 240),
        ("local-reconnection", 360), ("local-disconnection", 390), ("local-reconnection", 510),
        ("local-disconnection", 540),
    ]  # fmt: skip
    assert meter.get(DisconnectControlVersion0("0-0:96.3.10").output_state) is False


def test_actions_can_be_written() -> None:
    meter = Running(partial(build, power=steps(1500)))
    nothing = ActionItem(Obis(bytes(6)), 0)
    assert meter.set(LIMITER.actions, LimiterActions(nothing, nothing)) is SUCCESS
    meter.after(hours=1)
    assert meter.parts.log == []
    assert meter.parts.limiter.exceeded


@examples(30)
@given(
    st.lists(st.integers(1, 900), min_size=1, max_size=15),
    st.lists(st.sampled_from([200, 999, 1001, 5000]), min_size=1, max_size=12),
    st.integers(0, 400),
    st.integers(0, 400),
)
def test_one_jump_is_as_many_steps(passed: list[int], powers: list[int], over: int, under: int) -> None:
    make = partial(
        build, power=steps(*powers, each=100), min_over=over, min_under=under, groups=(5,), profile=emergency()
    )
    jump, walk = Running(make), Running(make)
    for seconds in passed:
        walk.after(seconds=seconds)
    jump.to(walk.now)
    assert jump.parts.log == walk.parts.log
    for before, after in zip(jump.parts.log, jump.parts.log[1:], strict=False):
        assert before[0] != after[0]


@examples(15)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=10))
def test_a_killed_meter_goes_on_as_if_nothing_had_been(
    tmp_path_factory: pytest.TempPathFactory, passed: list[int]
) -> None:
    make = partial(build, power=steps(1500, 1500, 200, 200, 1500, each=150), min_over=100, min_under=170)
    killed, other = Running(make, tmp_path_factory.mktemp("limiter") / "state"), Running(make)
    log: list[tuple[str, int]] = []
    for seconds in passed:
        killed.after(seconds=seconds)
        other.after(seconds=seconds)
        log += killed.parts.log
        killed.killed()
        assert killed.parts.limiter.exceeded is other.parts.limiter.exceeded
    assert log == other.parts.log


def test_written_attributes_survive(tmp_path: Path) -> None:
    meter = Running(build, tmp_path / "state")
    assert meter.put(LIMITER.threshold_normal, unsigned(700)) is SUCCESS
    assert meter.set(LIMITER.emergency_profile, emergency()) is SUCCESS
    meter.killed()
    assert meter.get(LIMITER.threshold_normal) == 700
    assert meter.get(LIMITER.emergency_profile) == emergency()


def test_a_value_that_cannot_be_kept_stops_the_device() -> None:
    def power(at: dt.datetime) -> int:
        raise StoreError("the disk is full")

    meter = Running(partial(build, power=power))
    with pytest.raises(StoreError):
        meter.after(hours=1)
