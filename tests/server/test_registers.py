"""Registers: values that are kept, measured, counted and captured, and their resets (classes 3 and 4)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import ExtendedRegister, Register, ScalerUnit
from cosemic.server import ClockObject, LogicalDevice
from cosemic.server.registers import CountingRegisterObject, ExtendedRegisterObject, RegisterObject, ValueStatus
from cosemic.values import DateTime, Unit
from tests.server.running import DENIED, REFUSED, START, SUCCESS, UNMATCHED, Running, curve, unsigned

WATT_HOURS = ScalerUnit(0, Unit.of("Wh"))
VOLTS = ScalerUnit(-1, Unit.of("V"))
HOUR = dt.timedelta(hours=1)
ENERGY = Register("1-0:1.8.0")
KEPT = Register("1-0:0.4.2")
MAXIMUM = ExtendedRegister("1-0:1.6.0")


def kept(device: LogicalDevice) -> RegisterObject:
    return device.add(
        RegisterObject(
            KEPT.instance_id, DataType.LONG_UNSIGNED, VOLTS, 100, default=7, writable=("value", "scaler_unit")
        )
    )


def test_a_kept_value_is_written_in_its_type_only() -> None:
    meter = Running(kept)
    assert meter.put(KEPT.value, EncodedData.of(DataType.LONG_UNSIGNED, 400)) is SUCCESS
    assert meter.put(KEPT.value, unsigned(500)) is UNMATCHED
    assert meter.get(KEPT.value) == 400


def test_reset_gives_a_kept_value_the_default_of_the_instance_for_good(tmp_path: Path) -> None:
    meter = Running(kept, tmp_path / "state")
    assert meter.call(KEPT.reset) is SUCCESS
    assert meter.get(KEPT.value) == 7
    assert meter.set(KEPT.scaler_unit, ScalerUnit(1, Unit.of("V"))) is SUCCESS
    meter.killed()
    assert meter.get(KEPT.value) == 7
    assert meter.get(KEPT.scaler_unit) == ScalerUnit(1, Unit.of("V"))


def test_a_measured_value_follows_time_and_has_no_reset() -> None:
    def build(device: LogicalDevice) -> RegisterObject:
        return device.add(RegisterObject("1-0:32.7.0", DataType.LONG_UNSIGNED, VOLTS, lambda now: 2300 + now.hour))

    meter = Running(build)
    voltage = Register("1-0:32.7.0")
    assert meter.get(voltage.value) == 2312
    meter.after(hours=5)
    assert meter.get(voltage.value) == 2317
    assert meter.call(voltage.reset) is DENIED
    assert not meter.parts.invocable


def test_a_measured_value_cannot_be_writable() -> None:
    with pytest.raises(ConfigurationError):
        RegisterObject("1-0:32.7.0", DataType.LONG_UNSIGNED, VOLTS, lambda now: 1, writable=("value",))


def counting(device: LogicalDevice) -> CountingRegisterObject:
    return device.add(
        CountingRegisterObject(ENERGY.instance_id, WATT_HOURS, curve(100), default=3, writable=("value", "scaler_unit"))
    )


def test_a_counting_register_shows_its_source() -> None:
    meter = Running(counting)
    assert meter.get(ENERGY.value) == curve(100)(START)
    meter.after(hours=1)
    assert meter.get(ENERGY.value) == curve(100)(START) + 400


def test_a_counting_register_counts_on_from_its_reset(tmp_path: Path) -> None:
    meter = Running(counting, tmp_path / "state")
    meter.after(hours=1)
    assert meter.call(ENERGY.reset) is SUCCESS
    assert meter.get(ENERGY.value) == 3
    meter.after(hours=2)
    assert meter.get(ENERGY.value) == 803
    meter.killed()
    assert meter.get(ENERGY.value) == 803
    assert meter.parts.counted(meter.now) == curve(100)(meter.now)


def test_a_counting_register_counts_on_from_what_is_written(tmp_path: Path) -> None:
    meter = Running(counting, tmp_path / "state")
    assert meter.put(ENERGY.value, unsigned(5_000)) is SUCCESS
    assert meter.put(ENERGY.value, EncodedData.of(DataType.LONG_UNSIGNED, 9)) is UNMATCHED
    assert meter.put(ENERGY.value, EncodedData.of(DataType.OCTET_STRING, b"9")) is UNMATCHED
    assert meter.set(ENERGY.scaler_unit, ScalerUnit(3, Unit.of("Wh"))) is SUCCESS
    meter.after(minutes=30)
    meter.killed()
    assert meter.get(ENERGY.value) == 5_200
    assert meter.get(ENERGY.scaler_unit) == ScalerUnit(3, Unit.of("Wh"))


def test_a_register_that_is_not_writable_refuses() -> None:
    meter = Running(lambda device: device.add(CountingRegisterObject(ENERGY.instance_id, WATT_HOURS, curve(1))))
    assert meter.put(ENERGY.value, EncodedData.of(DataType.LONG_UNSIGNED, 9)) is DENIED


def test_a_signed_counting_register_takes_no_negative_reading() -> None:
    meter = Running(
        lambda device: device.add(
            CountingRegisterObject(
                ENERGY.instance_id, WATT_HOURS, curve(1), data_type=DataType.DOUBLE_LONG, writable=("value",)
            )
        )
    )
    assert meter.put(ENERGY.value, EncodedData.of(DataType.DOUBLE_LONG, -1)) is REFUSED
    assert meter.put(ENERGY.value, EncodedData.of(DataType.DOUBLE_LONG, 0)) is SUCCESS


def test_a_counting_register_rolls_over_where_its_type_ends() -> None:
    def build(device: LogicalDevice) -> CountingRegisterObject:
        source = curve(100, begun=(1 << 32) - 50 - curve(100)(START))
        return device.add(CountingRegisterObject(ENERGY.instance_id, WATT_HOURS, source))

    meter = Running(build)
    assert meter.get(ENERGY.value) == (1 << 32) - 50
    meter.after(hours=1)
    assert meter.get(ENERGY.value) == 350
    assert meter.parts.counted(meter.now) == (1 << 32) + 350


def test_a_register_that_does_not_count_stands_still(tmp_path: Path) -> None:
    counts = True
    register = CountingRegisterObject(
        ENERGY.instance_id, WATT_HOURS, curve(100), counts=lambda: counts, begun=1_000, mark=curve(100)(START)
    )
    for moment, expected in ((0, 1_000), (1, 1_400), (2, 1_800)):
        assert register.counted(START + moment * HOUR) == expected
    register.settle(START + 2 * HOUR)
    counts = False
    assert register.counted(START + 5 * HOUR) == 1_800
    register.settle(START + 5 * HOUR)
    counts = True
    assert register.counted(START + 6 * HOUR) == 2_200


def maximum(device: LogicalDevice) -> ExtendedRegisterObject:
    clock = device.add(ClockObject(utc_offset=60, device=device))
    return device.add(
        ExtendedRegisterObject(clock, MAXIMUM.instance_id, DataType.DOUBLE_LONG_UNSIGNED, VOLTS, default=2)
    )


def test_an_extended_register_knows_when_its_value_was_captured(tmp_path: Path) -> None:
    meter = Running(maximum, tmp_path / "state")
    assert meter.get(MAXIMUM.capture_time) == DateTime.of()
    meter.parts.capture(77, START, ValueStatus.IRREGULAR)
    meter.device.commit()
    meter.killed()
    assert meter.get(MAXIMUM.value) == 77
    assert meter.get(MAXIMUM.status) == 2
    assert str(meter.get(MAXIMUM.capture_time)) == "2026-01-31 13:00:00+01:00"


def test_reset_of_an_extended_register_says_so_with_its_time() -> None:
    meter = Running(maximum)
    meter.parts.capture(77, START)
    meter.after(minutes=5)
    assert meter.call(MAXIMUM.reset) is SUCCESS
    assert (meter.get(MAXIMUM.value), meter.get(MAXIMUM.status)) == (2, ValueStatus.RESET)
    assert str(meter.get(MAXIMUM.capture_time)) == "2026-01-31 13:05:00+01:00"
