"""M-Bus client of a device (class 72 versions 0 to 2; IEC 62056-6-2, 5.7; EN 13757-3): a slave, its values, its keys.

::

    slave_install            primary_address, who the slave is (address 0: the first free one of 1 to 250)
    capture, capture_period  values of the slave, as capture_definition asks --> 0-b:24.2.1, 0-b:24.2.2 ...
    set_encryption_key       NO_ENCRYPTION_KEY -> SET           \\_ SET_AND_TRANSFERRED -> IN_USE with the next capture
    transfer_key             NO_ENCRYPTION_KEY -> TRANSFERRED   /
    slave_deinstall          all of this is forgotten

The bus is not here: a slave is a handler (:class:`MBusSlave`). Versions 1 and 2 behave alike; what version 2 changes is
not known (unsure). Captures are due where the clock of the meter shows a multiple of capture_period.

==================  ====================================================================================================
other-reason        an address beyond 250 or in use; a capture_period of less than 60 s; a key to be transferred of no
                    octets
temporary-failure   slave_install: a slave is installed, or none answers; all else: no slave is installed
==================  ====================================================================================================

The device tells ``new-device-found-m-bus-channel-b`` when a slave is installed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

from cosemic.errors import ConfigurationError, EncodeError
from cosemic.model import (
    CaptureDefinitionElement,
    EncryptionKeyStatus,
    MBusClient,
    MBusClientVersion0,
    MBusClientVersion1,
    MBusDataElement,
)
from cosemic.server.capture_times import CaptureTimes, Every
from cosemic.server.clock import ClockChange, ClockObject
from cosemic.server.clockwork import Order
from cosemic.server.kept import KeptObject, refuse_unless
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused
from cosemic.server.registers import ExtendedRegisterObject
from cosemic.values import DataAccessResult, Obis, Secret

_VERSIONS: Final = {0: MBusClientVersion0, 1: MBusClientVersion1, 2: MBusClient}
ADDRESSES: Final = range(1, 251)
_LEAST_PERIOD: Final = 60
_KEY: Final = "key"
_KIND: Final = "M-Bus encryption key"
_STATUS: Final = "encryption_key_status"
_NO_SLAVE: Final = {
    "primary_address": 0,
    "identification_number": 0,
    "manufacturer_id": 0,
    "version": 0,
    "device_type": 0,
    "access_number": 0,
    "status": 0,
    "alarm": 0,
}
_NO_KEY: Final = {"configuration": 0, _STATUS: EncryptionKeyStatus.NO_ENCRYPTION_KEY}


class MBusIdentity(NamedTuple):
    """Who a slave is, as the header of its telegrams says (EN 13757-3)."""

    identification_number: int
    manufacturer_id: int
    version: int
    device_type: int


class MBusSlave(Protocol):
    """A slave on the bus."""

    @property
    def identity(self) -> MBusIdentity:
        """Who it is."""

    def values(self, definition: Sequence[CaptureDefinitionElement], at: dt.datetime) -> Sequence[Any]:
        """Return values as the registers of the channel take them, in their order.

        Raises AccessRefused where it does not answer.
        """

    def synchronize_clock(self, at: dt.datetime) -> None:
        """Take the time of the meter."""

    def take(self, data: Sequence[MBusDataElement], at: dt.datetime) -> None:
        """Take data records."""

    def take_key(self, wrapped: bytes) -> None:
        """Take a key that is wrapped with the default key of the slave. Raises AccessRefused."""


class MBusClientObject(KeptObject):
    """An M-Bus client.

    device: in whose clockwork it captures. clock: its clock. slave: on this channel; None as long as there is none.
    registers: of its values. port: logical name of the M-Bus port. capture_definition, capture_period: as configured.
    version: 0 to 2. writable: names of attributes that clients may write.

    Raises ConfigurationError, EncodeError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        instance_id: Obis | str,
        slave: MBusSlave | None = None,
        registers: Sequence[ExtendedRegisterObject] = (),
        *,
        port: Obis | str = "0-0:24.6.0",
        capture_definition: Sequence[CaptureDefinitionElement] = (),
        capture_period: int = 3600,
        version: int = 1,
        writable: Collection[str] = ("capture_definition", "capture_period"),
    ) -> None:
        if version not in _VERSIONS:
            raise ConfigurationError(f"M-Bus client has versions 0 to 2, not {version}")
        self.slave = slave
        self.key: Secret | None = None
        """The key for telegrams of the slave; None where they are not encrypted."""
        self._device = device
        self._clock = clock
        self._registers = tuple(registers)
        self._empty = _NO_SLAVE | (_NO_KEY if version else {})
        static = {
            "mbus_port_reference": Obis(port) if isinstance(port, str) else port,
            "capture_definition": tuple(capture_definition),
            "capture_period": capture_period,
        }
        super().__init__(
            _VERSIONS[version](instance_id),
            static | self._empty,
            writable=writable,
            methods={
                "slave_install": lambda address, situation: self.install(address, situation.now),
                "slave_deinstall": lambda _, situation: self.deinstall(),
                "capture": lambda _, situation: self.capture(situation.now),
                "reset_alarm": lambda _, situation: self._reset_alarm(),
                "synchronize_clock": lambda _, situation: self._installed().synchronize_clock(situation.now),
                "data_send": lambda data, situation: self._installed().take(data, situation.now),
                "set_encryption_key": lambda key, situation: self._set_key(key),
                "transfer_key": lambda wrapped, situation: self._transfer_key(wrapped),
            },
        )
        self._times = self._schedule()
        clock.changed.append(self._clock_changed)
        device.run(self, Order.MEASURING)

    @property
    def installed(self) -> bool:
        """Whether a slave is installed."""
        return bool(self.value("primary_address"))

    def install(self, address: int, at: dt.datetime) -> None:
        """Install the slave under a primary address; 0: the first free one. Raises AccessRefused, StoreError."""
        if self.installed or self.slave is None:
            raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)
        taken = self._addresses()
        wanted = address or next((free for free in ADDRESSES if free not in taken), 0)
        refuse_unless(wanted in ADDRESSES and wanted not in taken)
        self._become({"primary_address": wanted, **self.slave.identity._asdict()})
        self._device.clockwork.reconsider()
        self._device.tell(f"new-device-found-m-bus-channel-{self.instance_id.b}", at, obis=self.instance_id)

    def deinstall(self) -> None:
        """Forget the slave and its keys. Raises AccessRefused, StoreError."""
        self._installed()
        self._become(self._empty)
        self._take_key(None)
        self._device.clockwork.reconsider()

    def capture(self, at: dt.datetime) -> None:
        """Capture the values of the slave at a moment of true time. Raises AccessRefused, EncodeError, StoreError."""
        values = self._installed().values(self.value("capture_definition"), at)
        for register, value in zip(self._registers, values, strict=False):
            register.capture(value, at)
        self.keep("access_number", (self.value("access_number") + 1) % 256)
        if self._key_status is EncryptionKeyStatus.ENCRYPTION_KEY_SET_AND_TRANSFERRED:
            self.keep(_STATUS, EncryptionKeyStatus.ENCRYPTION_KEY_IN_USE)

    def report(self, *, status: int | None = None, alarm: int | None = None) -> None:
        """Take what the slave reports of itself. Raises EncodeError, StoreError."""
        self._become({name: value for name, value in (("status", status), ("alarm", alarm)) if value is not None})

    # ---- as a process -----------------------------------------------------------------------------------------------

    def due(self, after: dt.datetime) -> dt.datetime | None:
        """Return when values are captured next."""
        return self._times.after(after) if self._times is not None and self.installed else None

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        """Capture, if the slave answers."""
        with suppress(AccessRefused, EncodeError):  # no answer, or a value that does not fit, must not stop time
            self.capture(at)
        return at

    # ---- attributes, state ------------------------------------------------------------------------------------------

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse captures that never end. Raises AccessRefused."""
        refuse_unless(name != "capture_period" or not value or value >= _LEAST_PERIOD)

    def taken(self, name: str, at: dt.datetime) -> None:
        """Capture at other times."""
        self._times = self._schedule()
        self._device.clockwork.reconsider()

    def restore(self) -> None:
        """Take up the slave and its key. Raises StoreError."""
        super().restore()
        self._times = self._schedule()
        octets = self.memory.load(_KEY)
        self.key = None if octets is None else Secret(octets, _KIND)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _clock_changed(self, change: ClockChange) -> None:
        if self._times is not None:
            self._times.forget()

    def _schedule(self) -> CaptureTimes | None:
        period = self.value("capture_period")
        return CaptureTimes(self._clock, Every(period)) if period else None

    def _installed(self) -> MBusSlave:
        if not self.installed or self.slave is None:
            raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)
        return self.slave

    def _addresses(self) -> set[int]:
        """Addresses in use on all channels."""
        name = self.instance_id
        names = (Obis(bytes((name.a, channel, *name[2:]))) for channel in range(256))
        clients = (self._device.object(self.class_id, one) for one in names)
        return {one.value("primary_address") for one in clients if isinstance(one, MBusClientObject)}

    def _become(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self.keep(name, value)

    def _reset_alarm(self) -> None:
        self._installed()
        self.keep("alarm", 0)

    # ---- keys -------------------------------------------------------------------------------------------------------

    @property
    def _key_status(self) -> EncryptionKeyStatus | None:
        """The encryption_key_status, which version 0 does not have."""
        status: EncryptionKeyStatus | None = self.value(_STATUS) if _STATUS in self._empty else None
        return status

    def _reach(self, step: EncryptionKeyStatus) -> None:
        """Come one step further with the key; a key in use is set and transferred, and a new one replaces it."""
        status = self._key_status
        if status is not None:
            known = status if status < EncryptionKeyStatus.ENCRYPTION_KEY_SET_AND_TRANSFERRED else 0
            self.keep(_STATUS, EncryptionKeyStatus(known | step))

    def _set_key(self, octets: bytes) -> None:
        self._installed()
        self._take_key(Secret(octets, _KIND) if octets else None)
        if octets:
            self._reach(EncryptionKeyStatus.ENCRYPTION_KEY_SET)
        elif self._key_status is not None:
            self.keep(_STATUS, EncryptionKeyStatus.NO_ENCRYPTION_KEY)

    def _take_key(self, key: Secret | None) -> None:
        self.key = key
        self.memory.save(_KEY, None if key is None else key.reveal())

    def _transfer_key(self, wrapped: bytes) -> None:
        slave = self._installed()
        refuse_unless(bool(wrapped))
        slave.take_key(wrapped)
        self._reach(EncryptionKeyStatus.ENCRYPTION_KEY_TRANSFERRED)
