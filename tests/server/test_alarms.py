"""Alarm and error registers: bits that happenings set and end, filtered into the descriptor, cleared by clients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import Data
from cosemic.server import LogicalDevice
from cosemic.server.alarms import ALARM_BITS, Alarms, ErrorRegister
from cosemic.values import Obis
from tests.server.running import REFUSED, SUCCESS, UNMATCHED, Running, unsigned

ALARM, FILTER, DESCRIPTOR = (Data(f"0-0:97.98.{e}") for e in (0, 10, 20))
ERROR = Data("0-0:97.97.0")
POWER_UP, FRAUD, BATTERY = 1 << 2, 1 << 13, 1 << 1


@dataclass
class Meter:
    alarms: Alarms
    errors: ErrorRegister


def build(device: LogicalDevice, enabled: int = 0xFFFF_FFFF) -> Meter:
    return Meter(Alarms(device, enabled=enabled), ErrorRegister(device))


def values(meter: Running[Meter]) -> tuple[object, object]:
    return meter.get(ALARM.value), meter.get(DESCRIPTOR.value)


def test_what_happens_sets_its_bit_in_register_and_descriptor() -> None:
    meter = Running(build)
    meter.device.happened("power-up")
    meter.device.happened("terminal-cover-removed")
    meter.device.happened("terminal-cover-closed")
    assert values(meter) == (POWER_UP | FRAUD, POWER_UP | FRAUD)
    raised = [one.details for one in meter.told if one.name == "alarm-raised"]
    assert raised == [{"obis": DESCRIPTOR.instance_id, "bits": bits} for bits in (POWER_UP, FRAUD)]


def test_a_bit_that_is_set_already_raises_no_alarm_again() -> None:
    meter = Running(build)
    meter.device.happened("meter-cover-removed")
    assert meter.put(DESCRIPTOR.value, unsigned(0)) is SUCCESS
    meter.names()
    meter.device.happened("terminal-cover-removed")
    assert values(meter) == (FRAUD, 0)
    assert meter.names() == ["terminal-cover-removed"]
    assert meter.put(ALARM.value, unsigned(0)) is SUCCESS
    meter.device.happened("terminal-cover-removed")
    assert values(meter) == (FRAUD, FRAUD)


def test_the_filter_keeps_bits_out_of_the_descriptor() -> None:
    meter = Running(partial(build, enabled=FRAUD))
    meter.device.happened("power-up")
    assert values(meter) == (POWER_UP, 0)
    assert "alarm-raised" not in meter.names()
    assert meter.put(FILTER.value, unsigned(BATTERY)) is SUCCESS
    meter.device.happened("replace-battery")
    meter.device.happened("terminal-cover-removed")
    assert values(meter) == (POWER_UP | BATTERY | FRAUD, BATTERY)


def test_what_ends_clears_the_bit_of_the_register_alone() -> None:
    meter = Running(build)
    meter.device.happened("clock-invalid")
    meter.device.happened("communication-error-m-bus-channel-3")
    assert values(meter) == (1 | 1 << 18, 1 | 1 << 18)
    meter.device.happened("clock-set", before=meter.now, after=meter.now)
    meter.device.happened("communication-works-again-m-bus-channel-3")
    assert values(meter) == (0, 1 | 1 << 18)


def test_clients_clear_bits_and_set_none() -> None:
    meter = Running(build)
    meter.device.happened("power-up")
    meter.device.happened("terminal-cover-removed")
    meter.names()
    assert meter.put(ALARM.value, unsigned(POWER_UP | BATTERY)) is REFUSED
    assert meter.put(ALARM.value, EncodedData.of(DataType.OCTET_STRING, b"\0")) is UNMATCHED
    assert meter.put(ALARM.value, EncodedData.of(DataType.UNSIGNED, 0)) is UNMATCHED
    assert meter.put(ALARM.value, unsigned(POWER_UP | FRAUD)) is SUCCESS
    assert values(meter) == (POWER_UP | FRAUD, POWER_UP | FRAUD)
    assert meter.names() == ["parameter-written"]
    assert meter.put(ALARM.value, unsigned(POWER_UP)) is SUCCESS
    assert values(meter) == (POWER_UP, POWER_UP | FRAUD)
    assert meter.names() == ["alarm-register-cleared", "parameter-written"]
    assert meter.put(DESCRIPTOR.value, unsigned(0)) is SUCCESS
    assert meter.names() == ["parameter-written"]


def test_the_error_register_has_the_errors_alone() -> None:
    meter = Running(build)
    for name in ("ram-error", "watchdog-error", "power-up"):
        meter.device.happened(name)
    assert meter.get(ERROR.value) == 1 << 9 | 1 << 12
    meter.names()
    assert meter.put(ERROR.value, unsigned(0)) is SUCCESS
    assert meter.names() == ["error-register-cleared", "parameter-written"]
    assert meter.get(ALARM.value) == 1 << 9 | 1 << 12 | POWER_UP


def test_bits_survive(tmp_path: Path) -> None:
    meter = Running(build, tmp_path / "state")
    meter.device.happened("terminal-cover-removed")
    meter.device.happened("power-up")
    assert meter.put(DESCRIPTOR.value, unsigned(FRAUD)) is SUCCESS
    meter.killed()
    assert values(meter) == (POWER_UP | FRAUD, FRAUD)


def test_a_second_alarm_register_has_objects_of_its_own() -> None:
    def build_two(device: LogicalDevice) -> tuple[Alarms, Alarms]:
        return Alarms(device), Alarms(device, 2, {"voltage-sag": 0}, {})

    meter = Running(build_two)
    meter.device.happened("voltage-sag")
    assert [meter.get(Data(f"0-0:97.98.{e}").value) for e in (0, 1, 20, 21)] == [0, 1, 0, 1]
    for number in (0, 11):
        with pytest.raises(ConfigurationError, match="1 to 10"):
            Alarms(meter.device, number)
    with pytest.raises(ConfigurationError):
        Alarms(meter.device, 2)
    assert meter.parts[1].descriptor.instance_id == Obis("0-0:97.98.21")


def test_numbers_of_bits_fit_the_register() -> None:
    assert set(ALARM_BITS.values()) <= set(range(32))
    assert {bit for name, bit in ALARM_BITS.items() if name.startswith("new-device")} == {24, 25, 26, 27}
