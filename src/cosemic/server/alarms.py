"""Alarms and errors of a device: registers of bits that what happens sets (class 1; IEC 62056-6-2, 6.2; companions).

::

    happening --> bit --> alarm register 0-0:97.98.0     set until a client clears it, or what caused it has ended
                            | alarm filter 0-0:97.98.10  a bit that is newly set, and is set in the filter
                            v
                          alarm descriptor 0-0:97.98.20  set until a client clears it; the device tells ``alarm-raised``

The error register (0-0:97.97.0) is the first of them alone. Clients clear bits by writing what is left; a bit that is
not set cannot be written (other-reason). The numbers of the bits are those that Dutch head-end software reads (unsure
for others). The device tells ``alarm-raised`` (details obis, bits), ``alarm-register-cleared`` and
``error-register-cleared`` (detail obis).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cosemic.codec import DataType
from cosemic.errors import ConfigurationError
from cosemic.model import Data
from cosemic.server.event_codes import events
from cosemic.server.kept import KeptObject, refuse_unless
from cosemic.server.logical_device import Happening, LogicalDevice
from cosemic.server.objects import Situation, data
from cosemic.values import Obis

ERROR_BITS: Final[Mapping[str, int]] = {
    "clock-invalid": 0,
    "replace-battery": 1,
    "program-memory-error": 8,
    "ram-error": 9,
    "non-volatile-memory-error": 10,
    "measurement-system-error": 11,
    "watchdog-error": 12,
}
"""Bits of the error register by event."""
ALARM_BITS: Final[Mapping[str, int]] = {
    **ERROR_BITS,
    "power-up": 2,
    **dict.fromkeys(("terminal-cover-removed", "meter-cover-removed", "strong-dc-field-detected"), 13),
    **{
        f"{event}-m-bus-channel-{channel}": first + channel - 1
        for event, first in (("communication-error", 16), ("fraud-attempt", 20), ("new-device-found", 24))
        for channel in range(1, 5)
    },
}
"""Bits of the first alarm register by event."""
ENDS: Final[Mapping[str, int]] = {
    "clock-set": 0,
    **{f"communication-works-again-m-bus-channel-{channel}": 15 + channel for channel in range(1, 5)},
}
"""Bits by the event that ends what has set them."""
_ALL: Final = 0xFFFF_FFFF


class BitRegister(KeptObject):
    """A register whose bits the device sets, and clients clear.

    cleared: called with true time when a client has cleared something. Raises ConfigurationError.
    """

    def __init__(self, instance_id: Obis | str, cleared: Callable[[dt.datetime], None]) -> None:
        self._cleared = cleared
        self._before = 0
        super().__init__(Data(instance_id), {"value": _value(0)}, writable=("value",))

    @property
    def bits(self) -> int:
        """The bits that are set."""
        bits: int = self.value("value")
        return bits

    def become(self, bits: int) -> None:
        """Set these bits, and no others. Raises StoreError."""
        if bits != self.bits:
            self.keep("value", _value(bits))

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse to set bits. Raises AccessRefused."""
        if at is not None and isinstance(value, int):  # what is of another type is refused as that
            refuse_unless(not value & ~self.bits)
            self._before = self.bits

    def taken(self, name: str, at: dt.datetime) -> None:
        """Say that bits were cleared."""
        if self.bits != self._before:
            self._cleared(at)


class ErrorRegister:
    """An error register of a device.

    device: that tells what happens, and gets the register. bits: by event; ends: by the event that clears them.

    Raises ConfigurationError where the device has such an object already; StoreError.
    """

    happening = "error-register-cleared"

    def __init__(
        self,
        device: LogicalDevice,
        instance_id: Obis | str = "0-0:97.97.0",
        bits: Mapping[str, int] = ERROR_BITS,
        ends: Mapping[str, int] = ENDS,
    ) -> None:
        self._device = device
        self._bits = dict(bits)
        self._ends = dict(ends)
        self.register = device.add(BitRegister(instance_id, self._cleared))
        device.listeners.append(self._happened)

    def risen(self, bits: int, at: dt.datetime) -> None:
        """Do what follows from bits that are newly set."""

    def _happened(self, happening: Happening) -> None:
        names = [name for name, _ in events(happening)]
        before = self.register.bits
        after = (before & ~_mask(self._ends, names)) | _mask(self._bits, names)
        self.register.become(after)
        if after & ~before:
            self.risen(after & ~before, happening.at)

    def _cleared(self, at: dt.datetime) -> None:
        self._device.tell(self.happening, at, obis=self.register.instance_id)


class Alarms(ErrorRegister):
    """An alarm register of a device, with its filter and its descriptor.

    number: 1 for 0-0:97.98.0, .10 and .20, up to 10. enabled: the filter, as configured. bits, ends: by event.

    Raises ConfigurationError where the device has such objects already, or for another number; StoreError.
    """

    happening = "alarm-register-cleared"

    def __init__(
        self,
        device: LogicalDevice,
        number: int = 1,
        bits: Mapping[str, int] = ALARM_BITS,
        ends: Mapping[str, int] = ENDS,
        *,
        enabled: int = _ALL,
    ) -> None:
        if number not in range(1, 11):
            raise ConfigurationError(f"alarm registers are numbered from 1 to 10, not {number}")
        super().__init__(device, f"0-0:97.98.{number - 1}", bits, ends)
        self.filter = device.add(data(f"0-0:97.98.{number + 9}", DataType.DOUBLE_LONG_UNSIGNED, enabled, writable=True))
        self.descriptor = device.add(BitRegister(f"0-0:97.98.{number + 19}", lambda at: None))

    def risen(self, bits: int, at: dt.datetime) -> None:
        """Raise the alarms that the filter lets through. Raises StoreError."""
        enabled: int = self.filter.read(Data.value.index, None, Situation(at)).value()
        if raised := bits & enabled:
            self.descriptor.become(self.descriptor.bits | raised)
            self._device.tell("alarm-raised", at, obis=self.descriptor.instance_id, bits=raised)


def _mask(bits: Mapping[str, int], names: Sequence[str]) -> int:
    return sum({1 << bits[name] for name in names if name in bits})


def _value(bits: int) -> tuple[DataType, int]:
    return DataType.DOUBLE_LONG_UNSIGNED, bits
