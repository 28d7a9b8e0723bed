"""Event logs of a device: profiles of the time and code of what happens (class 7; IEC 62056-6-2, 6.2).

::

    device.tell --> event --> its code in this log --> 0-0:96.11.e, and a row of 0-0:99.98.e: clock, code, ...

What has no code in a log is not in it. Of a clock that is changed two events are logged, one with the time before. To
clear a log is an event: it is the first entry afterwards, and the device tells ``event-log-cleared`` (detail obis).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from cosemic.codec import DataType
from cosemic.model import CaptureObjectDefinition, Clock, Data
from cosemic.model.event_names import EVENT_CODE, Companion
from cosemic.server.clock import ClockObject
from cosemic.server.event_codes import M_BUS_LOG, event_codes, events
from cosemic.server.logical_device import Happening, LogicalDevice
from cosemic.server.objects import AccessRefused, data
from cosemic.server.profile import ProfileObject
from cosemic.server.state import FORGETFUL, load_json, save_json
from cosemic.values import Obis

_M_BUS_CODE: Final = 4
_GREATEST_UNSIGNED: Final = 0xFF
_CLEARED: Final = "event-log-cleared"


class EventLog:
    """An event log; adds the profile and the object with the code of the last event to its device.

    device: that tells what happens. clock: its clock. instance_id: of the profile. codes: by the name of the event or
    happening; of the companion where they are not given. entries: room in the log. data_type: of the code; unsigned, or
    long-unsigned where a code needs it. columns: what is captured besides, and the types of that.

    Raises ConfigurationError where the device has such objects already; StoreError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        instance_id: Obis | str,
        codes: Mapping[str, int] | None = None,
        *,
        companion: Companion = Companion.IDIS,
        entries: int = 100,
        data_type: DataType | None = None,
        columns: Sequence[tuple[CaptureObjectDefinition, DataType]] = (),
    ) -> None:
        name = instance_id if isinstance(instance_id, Obis) else Obis(instance_id)
        self.codes = dict(event_codes(companion, name) if codes is None else codes)
        """Codes of this log by name."""
        if data_type is None:
            short = all(code <= _GREATEST_UNSIGNED for code in self.codes.values())
            data_type = DataType.UNSIGNED if short else DataType.LONG_UNSIGNED
        self._device = device
        self._clock = clock
        self._columns = [captured for captured, _ in columns]
        a, c, d = EVENT_CODE
        code = Obis(bytes((a, name.b, c, d, _M_BUS_CODE if (name.c, name.d) == M_BUS_LOG else name.e, 255)))
        self._memory = FORGETFUL if device.state is None else device.state.of(f"event log {name}")
        self._last: int = load_json(self._memory, "last") or 0
        device.add(data(code, data_type, lambda now: self._last))
        time = CaptureObjectDefinition(Clock.class_id, clock.instance_id, Clock.time.index, 0)
        captured = CaptureObjectDefinition(Data.class_id, code, Data.value.index, 0)
        types = (DataType.OCTET_STRING, data_type, *(kind for _, kind in columns))
        self.profile = device.add(
            ProfileObject(device, name, (time, captured, *self._columns), entries, clock=clock, types=types)
        )
        device.listeners.append(self._happened)

    @property
    def last_code(self) -> int:
        """Code of the last event; 0 before the first."""
        return self._last

    def log(self, code: int, at: dt.datetime, shown: dt.datetime | None = None) -> None:
        """Log an event that has happened at a moment of true time; shown: another time to stamp it with.

        Raises EncodeError, StoreError.
        """
        shown = self._clock.time(at) if shown is None else shown
        self._last = code
        save_json(self._memory, "last", code)
        stamp = self._clock.stamp(at, shown).octets
        self.profile.extend([((stamp, code, *(self._value(one, at) for one in self._columns)), shown)])

    def _happened(self, happening: Happening) -> None:
        own = happening.details.get("obis") == self.profile.instance_id
        if happening.name == "profile-cleared" and own:
            self._device.tell(_CLEARED, happening.at, obis=self.profile.instance_id)
        elif happening.name != _CLEARED or own:
            for name, shown in events(happening):
                if name in self.codes:
                    self.log(self.codes[name], happening.at, shown)

    def _value(self, captured: CaptureObjectDefinition, at: dt.datetime) -> object:
        try:
            return self._device.read(captured.class_id, captured.logical_name, captured.attribute_index, at).value()
        except AccessRefused:
            return None
