"""The status of a profile's entries: AMR profile status of DSMR, SMR and IDIS meters (0-0:96.10.e, class 1).

::

    bit 7 power down       happened in the interval      bit 3 daylight saving    is active
    bit 5 clock adjusted   by more than its limit        bit 2 data not valid     marked, or along with bit 0 or 1
    bit 6, 4               0                             bit 1 clock invalid      as the clock itself says
                                                         bit 0 critical error     stands until it is taken back

An interval goes from one capture of a profile up to the next, the moment of which belongs to what follows. Profiles of
different periods may share one status: each finds what happened since its own last capture.
"""

from __future__ import annotations

import datetime as dt
from functools import reduce
from operator import or_
from typing import Any, Final, NamedTuple, Protocol

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import CaptureObjectDefinition, Data
from cosemic.model.profile_status import AMRProfileStatus
from cosemic.server.clock import ClockChange, ClockObject
from cosemic.server.logical_device import Happening, LogicalDevice
from cosemic.server.objects import CosemObject
from cosemic.server.state import load_json, save_json
from cosemic.values import BitString, ClockStatus, Obis

_NOT_VALID: Final = int(AMRProfileStatus.DATA_NOT_VALID)
_SERIOUS: Final = int(AMRProfileStatus.CRITICAL_ERROR | AMRProfileStatus.CLOCK_INVALID)
_TOLD: Final = int(ClockStatus.INVALID_VALUE | ClockStatus.DAYLIGHT_SAVING_ACTIVE)
_BY_CLOCK: Final = {
    0: 0,
    int(ClockStatus.INVALID_VALUE): int(AMRProfileStatus.CLOCK_INVALID),
    int(ClockStatus.DAYLIGHT_SAVING_ACTIVE): int(AMRProfileStatus.DAYLIGHT_SAVING),
    _TOLD: int(AMRProfileStatus.CLOCK_INVALID | AMRProfileStatus.DAYLIGHT_SAVING),
}
"""Bits by what the clock says of its time."""
_TYPES: Final = frozenset(
    {DataType.UNSIGNED, DataType.LONG_UNSIGNED, DataType.DOUBLE_LONG_UNSIGNED, DataType.BIT_STRING}
)
_MARKED_BY: Final = {"power-down": AMRProfileStatus.POWER_DOWN, "power-up": AMRProfileStatus.POWER_DOWN}
_MOST_MARKS: Final = 100
"""Beyond, the oldest are put together."""


class Taker(Protocol):
    """A profile that captures the status."""

    @property
    def last_capture(self) -> dt.datetime | None:
        """When it captured last."""

    def catch_up(self, now: dt.datetime) -> None:
        """Capture what is due at ``now``."""


class _Mark(NamedTuple):
    at: dt.datetime
    bits: int


class ProfileStatusObject(CosemObject):
    """A profile status. Marks power failures that the device tells, and changes of the clock.

    data_type: unsigned, long-unsigned, double-long-unsigned, or bit-string, whose first bit is bit 0.

    Raises ConfigurationError for another type.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        instance_id: Obis | str = "0-0:96.10.1",
        *,
        data_type: DataType = DataType.UNSIGNED,
    ) -> None:
        if data_type not in _TYPES:
            raise ConfigurationError(f"a profile status is an unsigned number or a bit-string, not {data_type.label}")
        self.standing = AMRProfileStatus(0)
        """What holds until it is taken back, such as a critical error."""
        self.takers: list[Taker] = []
        self._clock = clock
        self._data_type = data_type
        self._marks: list[_Mark] = []
        super().__init__(Data(instance_id), {"value": self._shown})
        clock.changed.append(self._clock_changed)
        device.listeners.append(self._heard)

    @property
    def captured_as(self) -> CaptureObjectDefinition:
        """The capture object that it is in a profile."""
        return CaptureObjectDefinition(Data.class_id, self.instance_id, Data.value.index, 0)

    def mark(self, bits: AMRProfileStatus, at: dt.datetime) -> None:
        """Have the interval in which ``at`` (true time) lies bear some bits. Raises StoreError."""
        for taker in self.takers:
            taker.catch_up(at)
        marks, captures = self._marks, [taker.last_capture for taker in self.takers]
        known = [capture for capture in captures if capture is not None]
        if len(known) == len(captures) and known:
            marks = [mark for mark in marks if mark.at >= min(known)]
        if marks and all(capture is None or capture <= marks[-1].at for capture in captures):
            marks[-1] = _Mark(marks[-1].at, marks[-1].bits | int(bits))
        else:
            marks.append(_Mark(at, int(bits)))
        if len(marks) > _MOST_MARKS:
            marks[:2] = [_Mark(marks[1].at, marks[0].bits | marks[1].bits)]
        self._marks = marks
        save_json(self.memory, "marks", [(mark.at.isoformat(), mark.bits) for mark in marks])

    def restore(self) -> None:
        """Take up the marks. Raises StoreError."""
        super().restore()
        kept: list[tuple[str, int]] = load_json(self.memory, "marks") or []
        self._marks = [_Mark(dt.datetime.fromisoformat(at), bits) for at, bits in kept]

    def over(self, since: dt.datetime | None, until: dt.datetime) -> AMRProfileStatus:
        """Return the status of the interval [since, until) as it is captured at its end; since None: the first one."""
        marked = (mark.bits for mark in self._marks if (since is None or since <= mark.at) and mark.at < until)
        return self._with_clock(reduce(or_, marked, 0), until)

    def encoded(self, bits: int) -> EncodedData:
        """Return a status as it is sent."""
        value: Any = int(bits)
        if self._data_type is DataType.BIT_STRING:
            value = BitString(f"{value:08b}"[::-1])
        return EncodedData.of(self._data_type, value)

    def _shown(self, now: dt.datetime) -> EncodedData:
        """The status of the interval that has begun last."""
        captures = (taker.last_capture for taker in self.takers)
        since = max((capture for capture in captures if capture is not None), default=None)
        marked = (mark.bits for mark in self._marks if since is None or since <= mark.at)
        return self.encoded(self._with_clock(reduce(or_, marked, 0), now))

    def _with_clock(self, marked: int, at: dt.datetime) -> AMRProfileStatus:
        bits = marked | int(self.standing) | _BY_CLOCK[int(self._clock.status(at)) & _TOLD]
        return AMRProfileStatus(bits | _NOT_VALID if bits & _SERIOUS else bits)

    def _clock_changed(self, change: ClockChange) -> None:
        if abs(change.after - change.before) > self._clock.synchronisation_limit:
            self.mark(AMRProfileStatus.CLOCK_ADJUSTED, change.at)

    def _heard(self, happening: Happening) -> None:
        bits = _MARKED_BY.get(happening.name)
        if bits is not None:
            self.mark(bits, happening.at)
