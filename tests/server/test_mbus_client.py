"""M-Bus client: a slave is installed, captured, keyed and forgotten (class 72)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, EncodeError
from cosemic.model import (
    CaptureDefinitionElement,
    Clock,
    EncryptionKeyStatus,
    ExtendedRegister,
    MBusClient,
    MBusClientVersion0,
    MBusClientVersion1,
    MBusDataElement,
    ScalerUnit,
)
from cosemic.server import ClockObject, LogicalDevice
from cosemic.server.mbus_client import ADDRESSES, MBusClientObject, MBusIdentity
from cosemic.server.objects import AccessRefused
from cosemic.server.registers import ExtendedRegisterObject
from cosemic.values import DataAccessResult, Obis, Unit
from tests.server.running import DENIED, NOT_NOW, REFUSED, START, SUCCESS, UNMATCHED, Running

CUBIC_METRES = ScalerUnit(-3, Unit.of("m³"))
CLIENT = MBusClientVersion1("0-1:24.1.0")
VALUE = ExtendedRegister("0-1:24.2.1")
KEY = bytes(range(16))
VOLUME = CaptureDefinitionElement(b"\x0c", b"\x13")


IDENTITY = MBusIdentity(12345678, 0x2D2C, 27, 3)


@dataclass
class Slave:
    identity: MBusIdentity = IDENTITY
    log: list[tuple[str, Any]] = field(default_factory=list)
    refuses_keys: bool = False
    error: Exception | None = None

    def values(self, definition: Sequence[CaptureDefinitionElement], at: dt.datetime) -> Sequence[Any]:
        if self.error is not None:
            raise self.error
        self.log.append(("capture", tuple(definition)))
        return [int((at - START).total_seconds())]

    def synchronize_clock(self, at: dt.datetime) -> None:
        self.log.append(("clock", at))

    def take(self, data: Sequence[MBusDataElement], at: dt.datetime) -> None:
        self.log.append(("data", tuple(data)))

    def take_key(self, wrapped: bytes) -> None:
        if self.refuses_keys:
            raise AccessRefused(DataAccessResult.HARDWARE_FAULT)
        self.log.append(("key", wrapped))


@dataclass
class Meter:
    client: MBusClientObject
    slave: Slave


def build(device: LogicalDevice, version: int = 1, **changed: Any) -> Meter:
    clock = device.add(ClockObject(utc_offset=60, device=device))
    value = device.add(ExtendedRegisterObject(clock, VALUE.instance_id, DataType.DOUBLE_LONG_UNSIGNED, CUBIC_METRES))
    slave = Slave()
    client = MBusClientObject(
        device, clock, CLIENT.instance_id, slave, [value], capture_definition=[VOLUME], version=version, **changed
    )
    device.add(client)
    device.add(MBusClientObject(device, clock, "0-2:24.1.0", Slave()))
    device.add(MBusClientObject(device, clock, "0-3:24.1.0"))
    return Meter(client, slave)


def installed(path: Path | None = None, **changed: Any) -> Running[Meter]:
    meter = Running(partial(build, **changed), path)
    assert meter.call(CLIENT.slave_install, 1) is SUCCESS
    return meter


def test_an_installed_slave_is_known_and_stays_so(tmp_path: Path) -> None:
    meter = installed(tmp_path / "state")
    meter.killed()
    assert meter.get(CLIENT.primary_address) == 1
    assert meter.get(CLIENT.identification_number) == 12345678
    assert meter.get(CLIENT.manufacturer_id) == 0x2D2C
    assert meter.get(CLIENT.version_) == 27
    assert meter.get(CLIENT.device_type) == 3
    assert meter.call(CLIENT.slave_install, 2) is NOT_NOW
    assert meter.get(CLIENT.primary_address) == 1


def test_the_device_tells_of_a_new_slave() -> None:
    assert "new-device-found-m-bus-channel-1" in installed().names()


def test_addresses_are_free_ones() -> None:
    meter = installed()
    other = MBusClientVersion1("0-2:24.1.0")
    assert meter.call(other.slave_install, 1) is REFUSED
    assert meter.call(other.slave_install, 251) is REFUSED
    assert meter.call(other.slave_install, 0) is SUCCESS
    assert meter.get(other.primary_address) == 2


def test_where_all_addresses_are_taken_there_is_none_left() -> None:
    def build_many(device: LogicalDevice) -> None:
        clock = ClockObject()
        for channel in range(1, 252):
            client = device.add(MBusClientObject(device, clock, Obis(bytes((0, channel, 24, 1, 0, 255))), Slave()))
            if channel not in (100, 251):
                client.keep("primary_address", channel)

    meter = Running(build_many)
    assert meter.call(MBusClientVersion1("0-251:24.1.0").slave_install, 0) is SUCCESS
    assert meter.get(MBusClientVersion1("0-251:24.1.0").primary_address) == 100
    assert meter.call(MBusClientVersion1("0-100:24.1.0").slave_install, 0) is REFUSED
    assert list(ADDRESSES) == list(range(1, 251))


def test_without_a_slave_nothing_answers() -> None:
    meter = Running(build)
    client = MBusClientVersion1("0-3:24.1.0")
    assert meter.call(client.slave_install, 5) is NOT_NOW
    for call, parameter in (
        (CLIENT.slave_deinstall, None), (CLIENT.capture, None), (CLIENT.reset_alarm, None),
        (CLIENT.synchronize_clock, None), (CLIENT.data_send, ()), (CLIENT.set_encryption_key, KEY),
        (CLIENT.transfer_key, KEY),
    ):  # fmt: skip
        assert meter.call(call, parameter) is NOT_NOW
    assert meter.parts.client.key is None
    assert meter.parts.slave.log == []


def test_values_are_captured_by_the_clock_of_the_meter(tmp_path: Path) -> None:
    meter = installed(tmp_path / "state")
    meter.after(hours=2, minutes=30)
    assert meter.get(VALUE.value) == 7200
    assert str(meter.get(VALUE.capture_time)) == "2026-01-31 15:00:00+01:00"
    assert meter.parts.slave.log == [("capture", (VOLUME,))] * 2
    assert meter.get(CLIENT.access_number) == 2
    meter.killed()
    meter.after(minutes=30)
    assert meter.get(VALUE.value) == 10_800
    assert meter.get(CLIENT.access_number) == 3


@pytest.mark.parametrize("period", [3600, 0])
def test_captures_follow_a_clock_that_is_set(period: int) -> None:
    meter = installed(capture_period=period)
    for _ in range(2):
        assert meter.call(Clock("0-0:1.0.0").shift_time, 900) is SUCCESS
    meter.after(minutes=45)
    assert meter.get(VALUE.value) == (1800 if period else 0)


def test_access_numbers_have_one_octet() -> None:
    meter = installed(capture_period=60)
    meter.after(minutes=257)
    assert meter.get(CLIENT.access_number) == 1


def test_a_slave_that_is_gone_is_not_captured() -> None:
    meter = installed()
    meter.parts.client.slave = None
    meter.after(hours=2)
    assert meter.get(CLIENT.access_number) == 0
    assert meter.call(CLIENT.capture) is NOT_NOW


@pytest.mark.parametrize("error", [AccessRefused(DataAccessResult.TEMPORARY_FAILURE), EncodeError("no number")])
def test_a_slave_that_does_not_answer_does_not_stop_time(error: Exception) -> None:
    meter = installed()
    meter.parts.slave.error = error
    meter.after(hours=2)
    assert meter.get(CLIENT.access_number) == 0
    meter.parts.slave.error = None
    meter.after(hours=1)
    assert (meter.get(CLIENT.access_number), meter.get(VALUE.value)) == (1, 10_800)


def test_the_capture_period_is_taken_at_once_and_0_means_on_demand() -> None:
    meter = installed()
    assert meter.set(CLIENT.capture_period, 600) is SUCCESS
    meter.after(minutes=10)
    assert meter.get(VALUE.value) == 600
    assert meter.set(CLIENT.capture_period, 59) is REFUSED
    assert meter.get(CLIENT.capture_period) == 600
    assert meter.set(CLIENT.capture_period, 0) is SUCCESS
    meter.after(hours=2)
    assert meter.get(VALUE.value) == 600
    assert meter.call(CLIENT.capture) is SUCCESS
    assert meter.get(VALUE.value) == 7800


def test_the_alarm_of_a_slave_is_reset() -> None:
    meter = installed()
    meter.parts.client.report(status=4, alarm=9)
    assert (meter.get(CLIENT.status), meter.get(CLIENT.alarm)) == (4, 9)
    assert meter.call(CLIENT.reset_alarm) is SUCCESS
    assert (meter.get(CLIENT.status), meter.get(CLIENT.alarm)) == (4, 0)


def test_clock_and_data_go_to_the_slave() -> None:
    meter = installed()
    record = MBusDataElement(b"\x04", b"\x6d", (DataType.UNSIGNED, 5))
    assert meter.call(CLIENT.synchronize_clock) is SUCCESS
    assert meter.call(CLIENT.data_send, (record,)) is SUCCESS
    assert meter.parts.slave.log == [("clock", START), ("data", (MBusDataElement(b"\x04", b"\x6d", 5),))]


def test_a_key_is_set_transferred_and_then_in_use(tmp_path: Path) -> None:
    meter = installed(tmp_path / "state")
    status = EncryptionKeyStatus
    assert meter.call(CLIENT.set_encryption_key, KEY) is SUCCESS
    assert meter.get(CLIENT.encryption_key_status) is status.ENCRYPTION_KEY_SET
    assert meter.call(CLIENT.transfer_key, b"wrapped") is SUCCESS
    assert meter.parts.slave.log == [("key", b"wrapped")]
    assert meter.get(CLIENT.encryption_key_status) is status.ENCRYPTION_KEY_SET_AND_TRANSFERRED
    assert meter.call(CLIENT.capture) is SUCCESS
    assert meter.get(CLIENT.encryption_key_status) is status.ENCRYPTION_KEY_IN_USE
    meter.killed()
    assert meter.parts.client.key is not None
    assert meter.parts.client.key.reveal() == KEY
    assert KEY.hex() not in repr(meter.parts.client.key) + repr(vars(meter.parts.client))
    assert meter.call(CLIENT.transfer_key, b"other") is SUCCESS
    assert meter.get(CLIENT.encryption_key_status) is status.ENCRYPTION_KEY_TRANSFERRED


def test_keys_are_taken_off() -> None:
    meter = installed()
    assert meter.call(CLIENT.set_encryption_key, KEY) is SUCCESS
    assert meter.call(CLIENT.set_encryption_key, b"") is SUCCESS
    assert meter.parts.client.key is None
    assert meter.get(CLIENT.encryption_key_status) is EncryptionKeyStatus.NO_ENCRYPTION_KEY


def test_a_key_that_is_none_or_refused_changes_nothing() -> None:
    meter = installed()
    assert (
        meter.view.act(72, "0-1:24.1.0", 7, EncodedData.of(DataType.OCTET_STRING, b"short")).result.name
        == UNMATCHED.name
    )
    assert meter.call(CLIENT.transfer_key, b"") is REFUSED
    meter.parts.slave.refuses_keys = True
    assert meter.call(CLIENT.transfer_key, b"wrapped") is DataAccessResult.HARDWARE_FAULT
    assert meter.get(CLIENT.encryption_key_status) is EncryptionKeyStatus.NO_ENCRYPTION_KEY


def test_deinstalling_forgets_all(tmp_path: Path) -> None:
    meter = installed(tmp_path / "state")
    assert meter.call(CLIENT.set_encryption_key, KEY) is SUCCESS
    assert meter.call(CLIENT.slave_deinstall) is SUCCESS
    meter.killed()
    assert meter.get(CLIENT.primary_address) == meter.get(CLIENT.identification_number) == 0
    assert meter.parts.client.key is None
    assert meter.get(CLIENT.encryption_key_status) is EncryptionKeyStatus.NO_ENCRYPTION_KEY
    meter.after(hours=3)
    assert meter.parts.slave.log == []
    assert meter.call(CLIENT.slave_install, 7) is SUCCESS


def test_version_0_has_keys_without_a_status() -> None:
    meter = Running(partial(build, version=0))
    client = MBusClientVersion0(CLIENT.instance_id)
    assert meter.call(client.slave_install, 1) is SUCCESS
    assert meter.call(client.set_encryption_key, KEY) is SUCCESS
    assert meter.call(client.transfer_key, b"wrapped") is SUCCESS
    assert meter.call(client.capture) is SUCCESS
    assert meter.parts.client.key is not None
    assert meter.call(client.set_encryption_key, b"") is SUCCESS
    assert meter.view.get(72, "0-1:24.1.0", 14) is DENIED


def test_versions_are_0_to_2() -> None:
    other = Running(partial(build, version=2))
    assert other.get(MBusClient(CLIENT.instance_id).encryption_key_status) is EncryptionKeyStatus.NO_ENCRYPTION_KEY
    with pytest.raises(ConfigurationError):
        Running(partial(build, version=3))
