"""The end of a billing period (IEC 62056-6-1, billing periods; IEC 62056-6-2, 5.2 and 6.2: classes 1, 7, 9 and 22).

::

    Single action schedule 0-0:15.0.0 --> Script table 0-0:10.0.1, script 1 --> Billing.end
                                                                                 |
    1. counter 0-0:0.1.0 counts on, time stamp 0-0:0.1.2 is that of now          |
    2. the profile 0-0:98.1.0 captures: registers and maxima of the period <-----'
    3. maxima and registers of the period are reset

0-0:0.1.1 is the number of entries of the profile. Where the profile cannot capture, the end of the period is refused,
and nothing is changed. The counter comes back to 0 where its modulus is 100, to 1 where it is another one.

The device tells ``billing-period-ended`` (detail counter), and ``demand-reset`` where maxima were reset.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final, Protocol

from cosemic.codec import DataType, EncodedData
from cosemic.errors import CosemicError
from cosemic.model import ProfileGeneric
from cosemic.server.clock import ClockObject
from cosemic.server.demand import MaximumDemandObject
from cosemic.server.local_time import NOT_SPECIFIED
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused, data
from cosemic.server.state import FORGETFUL, load_json, save_json
from cosemic.values import DateTime, Obis

COUNTER: Final = Obis("0-0:0.1.0")
AVAILABLE: Final = Obis("0-0:0.1.1")
TIME_STAMP: Final = Obis("0-0:0.1.2")
BILLING_PROFILE: Final = Obis("0-0:98.1.0")
_DECIMAL: Final = 100
_NOW: Final = EncodedData.of(DataType.INTEGER, 0)


class Resettable(Protocol):
    """Something that begins anew with each billing period."""

    def reset(self, at: dt.datetime) -> None:
        """Begin anew at a moment of true time."""


class Billing:
    """The billing periods of a device; adds the three objects that tell of them.

    device: that gets them. clock: its clock. resets: what begins anew, such as maxima. profile: that captures, if there
    is one. modulus: of the counter, at most 65 536. counter, available, time_stamp: names of the objects, by default
    those of scheme 1. begun: counter and time stamp as configured.

    Raises ConfigurationError where the device has such objects already; StoreError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        resets: Sequence[Resettable] = (),
        *,
        profile: Obis | None = BILLING_PROFILE,
        modulus: int = _DECIMAL,
        counter: Obis = COUNTER,
        available: Obis = AVAILABLE,
        time_stamp: Obis = TIME_STAMP,
        begun: tuple[int, DateTime] = (0, NOT_SPECIFIED),
    ) -> None:
        self._device = device
        self._clock = clock
        self._resets = tuple(resets)
        self._profile = profile
        self._modulus = modulus
        self._memory = FORGETFUL if device.state is None else device.state.of(f"billing {counter}")
        kept = load_json(self._memory, "period")
        self._state: tuple[int, DateTime] = begun if kept is None else _from_json(*kept)
        device.add(data(counter, DataType.LONG_UNSIGNED, lambda now: self._state[0]))
        device.add(data(time_stamp, DataType.OCTET_STRING, lambda now: self._state[1].octets))
        if profile is not None:
            device.add(data(available, DataType.DOUBLE_LONG_UNSIGNED, lambda now: self._entries(profile, now)))

    @property
    def counter(self) -> int:
        """Number of the last billing period that has ended, by the modulus; 0 before the first."""
        return self._state[0]

    def end(self, at: dt.datetime) -> None:
        """End the billing period at a moment of true time. Raises AccessRefused where the profile does; StoreError."""
        before, number = self._state, self._state[0] + 1
        if number >= self._modulus:
            number = 0 if self._modulus == _DECIMAL else (number - 1) % self._modulus + 1
        self._state = number, self._clock.stamp(at)
        if self._profile is not None:
            try:
                self._device.invoke(ProfileGeneric.class_id, self._profile, ProfileGeneric.capture.index, _NOW, at)
            except (AccessRefused, CosemicError):
                self._state = before
                raise
        save_json(self._memory, "period", [number, self._state[1].octets.hex()])
        for one in self._resets:
            one.reset(at)
        self._device.tell("billing-period-ended", at, counter=number)
        if any(isinstance(one, MaximumDemandObject) for one in self._resets):
            self._device.tell("demand-reset", at)

    def _entries(self, profile: Obis, now: dt.datetime) -> int:
        entries: int = self._device.read(
            ProfileGeneric.class_id, profile, ProfileGeneric.entries_in_use.index, now
        ).value()
        return entries


def _from_json(counter: int, stamp: str) -> tuple[int, DateTime]:
    return counter, DateTime(bytes.fromhex(stamp))
