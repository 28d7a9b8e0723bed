"""Profile generic of a server (class 7 versions 0 and 1; IEC 62056-6-2, 5.2).

::

    capture_period, schedule ---.
    capture (method) -----------+--> a row: attributes of the device, or a function of time --> buffer --> GET
    device.invoke, capture() ---'

A profile captures in the clockwork of its device, at the local times that its capture_period is counted to
(:mod:`cosemic.server.capture_times`); one whose rows are a function of time need not: it captures what is due when
somebody asks. Of what is due at once and would be dropped again, only the rest is captured.

Where time does not simply go on::

    clock set               what was due before is captured; what is passed over is a gap, what comes again is captured
                            again
    clock corrected         within the limit of the clock: a time that is passed over is captured at once, one that
                            comes again is not captured again
    power failure           nothing is captured from power-down to power-up

Rows are kept where the device keeps its state, in memory where it has none. Attributes that are configured to be
writable are capture_objects, capture_period, sort_method, sort_object, profile_entries: a change of one of them resets
the buffer. profile_entries beyond the room there is becomes that room.

In version 1 parts of the buffer are read by selective access, in version 0 with get_buffer_by_range and
get_buffer_by_index.

========================  ==================================================================================
type-unmatched            the parameters are not those of the selector
scope-of-access-violated  an unknown selector, or an object that is no column here
read-write-denied         a new column that the client may not read itself
other-reason              a column that the device does not have; a sort_object that is no column; see
                          :mod:`cosemic.server.profile_configuration`
========================  ==================================================================================
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import DataType, EncodedData, encode_rows
from cosemic.errors import ConfigurationError, DecodeError
from cosemic.model import (
    CaptureObjectDefinition,
    EntryDescriptor,
    ProfileGeneric,
    ProfileGenericVersion0,
    RangeDescriptor,
    Reading,
    SortMethod,
)
from cosemic.model.compound import Structure
from cosemic.model.profile_status import AMRProfileStatus
from cosemic.server.buffer_encoding import BufferEncoding
from cosemic.server.capture_times import CaptureTimes, Every, Schedule
from cosemic.server.capturing import Capture, CapturedAttributes, ComputedRows, RowFunction, Source, is_there
from cosemic.server.cells import elements
from cosemic.server.clock import EPOCH, ClockChange, ClockObject
from cosemic.server.clockwork import Order
from cosemic.server.logical_device import Happening, LogicalDevice
from cosemic.server.objects import AccessRefused, CosemObject, Handler, Situation
from cosemic.server.profile_buffer import ProfileBuffer
from cosemic.server.profile_configuration import NO_OBJECT, ProfileConfiguration
from cosemic.server.profile_status import ProfileStatusObject
from cosemic.server.recurrence import RESOLUTION
from cosemic.server.rows import UNSORTED, MemoryRows
from cosemic.server.state import load_json, save_json
from cosemic.server.stored_rows import StoredRows
from cosemic.values import DataAccessResult, Obis

BUFFER: Final = ProfileGeneric.buffer.index
RANGE: Final = 1
ENTRY: Final = 2
_VERSIONS: Final = {0: ProfileGenericVersion0, 1: ProfileGeneric}
_ATTRIBUTES: Final = tuple(item.name for item in ProfileConfiguration.fields_declared)
_NO_STATUS: Final = AMRProfileStatus(0)


class ProfileObject(CosemObject):
    """A profile of a device, to be added to it.

    capture_objects: the columns. profile_entries: room for so many rows. clock: of the meter; needed by what captures
    by time. capture_period: seconds, 0 for captures on events. schedule: captures by it instead of the period.
    row, types: a function that makes the rows, and the types of their values; since: from when on there is something
    to make. status: the object whose column is the status of the interval. encoding: how the buffer goes out.
    writable: names of attributes that may be written. most_entries: the greatest profile_entries; as configured.
    recorded: rows are given (:meth:`extend`), and nothing is captured by time. version: 0 or 1.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        instance_id: Obis | str,
        capture_objects: Sequence[CaptureObjectDefinition],
        profile_entries: int,
        *,
        clock: ClockObject | None = None,
        capture_period: int = 0,
        sort_method: SortMethod = SortMethod.FIFO,
        sort_object: CaptureObjectDefinition = NO_OBJECT,
        schedule: Schedule | None = None,
        row: RowFunction | None = None,
        types: Sequence[DataType] = (),
        since: dt.datetime | None = None,
        status: ProfileStatusObject | None = None,
        encoding: BufferEncoding = BufferEncoding.WHOLE,
        writable: Collection[str] = (),
        most_entries: int | None = None,
        recorded: bool = False,
        version: int = 1,
    ) -> None:
        configuration = ProfileConfiguration(
            tuple(capture_objects), capture_period, sort_method, sort_object, profile_entries
        )
        configuration.check()
        if version not in _VERSIONS:
            raise ConfigurationError(f"Profile generic has versions 0 and 1, not {version}")
        by_time = bool(capture_period or schedule or "capture_period" in writable)
        if clock is None and by_time:
            raise ConfigurationError("a profile that captures by time needs the clock of the meter")
        if types and len(types) != len(configuration.capture_objects):
            raise ConfigurationError(
                f"{len(configuration.capture_objects)} capture objects for rows of {len(types)} values"
            )
        if row is not None and not types:
            raise ConfigurationError("a function that makes rows needs the types of their values")
        if types and "capture_objects" in writable:
            raise ConfigurationError("rows of given types have columns that cannot be written")
        self._device = device
        self._clock = clock
        self._schedule = schedule
        self._row = row
        self._types = tuple(types)
        self._status = status
        self._encoding = encoding
        self._recorded = recorded
        self._writable = frozenset(writable)
        self._most_entries = profile_entries if most_entries is None else most_entries
        self._reached = since
        """True time up to which all is captured."""
        self._seen = EPOCH
        """What the clock had shown, when all before it was captured, as it was changed."""
        self._down = False
        self._kept = False
        self.last_capture: dt.datetime | None = None
        """When the last row was captured, in true time."""
        super().__init__(
            _VERSIONS[version](instance_id),
            {
                "buffer": lambda now: self.fresh(now).everything(),
                "entries_in_use": lambda now: len(self.fresh(now)),
                **{name: getattr(configuration, name) for name in _ATTRIBUTES},
            },
            writers={name: partial(self._write, name) for name in writable},
            methods=self._handlers(version),
        )
        self._take(configuration)
        if status is not None:
            status.takers.append(self)
        if clock is not None and by_time and not recorded:
            clock.changing.append(self._clock_changing)
            clock.changed.append(self._clock_changed)
            device.listeners.append(self._heard)
            if row is None:
                device.run(self, Order.CAPTURING)

    def _handlers(self, version: int) -> dict[str, Handler]:
        handlers: dict[str, Handler] = {
            "reset": lambda _, situation: self._reset(situation.now),
            "capture": lambda _, situation: self.capture(situation.now),
        }
        if version == 0:
            handlers["get_buffer_by_range"] = lambda bounds, situation: self.fresh(situation.now).by_range(bounds)
            handlers["get_buffer_by_index"] = lambda entries, situation: self.fresh(situation.now).by_entry(entries)
        return handlers

    # ---- for the device ---------------------------------------------------------------------------------------------

    def capture(self, at: dt.datetime) -> None:
        """Capture one row now. Raises StoreError, EncodeError."""
        self.catch_up(at)
        self._capture_at(at)

    def extend(self, rows: Iterable[tuple[Sequence[Any], dt.datetime]], types: Sequence[DataType] = ()) -> None:
        """Take rows made elsewhere: natives of the given types, and when they were captured by the clock of the meter.

        types: of the columns, for a profile that was made without.

        Raises EncodeError, StoreError.
        """
        made = list(rows)
        self._keep(elements(encode_rows(types or self._types, [row for row, _ in made])), [shown for _, shown in made])

    def catch_up(self, now: dt.datetime) -> None:
        """Make the rows that are due at ``now``, where a function makes them. Raises StoreError, EncodeError."""
        if self._row is None or self._times is None or self._down:
            return
        if self._reached is None:
            self._reached = now
        while self._times.after(self._reached) <= now:
            self._capture(self._times.within(self._reached, now, self._room))

    def due(self, after: dt.datetime) -> dt.datetime | None:
        """Return the first capture behind a moment; None for none."""
        if self._times is None or self._down:
            return None
        return self._times.after(after if self._reached is None else max(after, self._reached))

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        """Capture what is due at ``at`` and up to ``until``, exclusive; return the last of these moments."""
        if self._times is None or self._clock is None or self._down:
            return at  # something else that was due at this moment has seen to that
        due = [(at, self._clock.time(at)), *self._times.within(at, until - RESOLUTION, self._room)]
        self._capture(due)
        return due[-1][0]

    def restore(self) -> None:
        """Take up what was kept. Rows that were captured under another configuration are dropped. Raises StoreError."""
        super().restore()
        kept_progress = load_json(self.memory, "progress")
        if kept_progress is not None:
            reached, last, self._down = kept_progress
            self._reached, self.last_capture = (one and dt.datetime.fromisoformat(one) for one in (reached, last))
        octets = self.memory.load("configuration")
        if octets is None:
            return
        kept = ProfileConfiguration.decode(EncodedData(octets).typed())
        wanted = replace(self._configuration, **{name: getattr(kept, name) for name in self._writable})
        try:
            wanted.check()
        except ConfigurationError:  # what was written does not fit what is configured now
            wanted = self._configuration
        self._kept = wanted == kept
        self._take(wanted)
        if not self._kept:
            self._buffer.rows.clear()
            self._device.commit()

    # ---- services ---------------------------------------------------------------------------------------------------

    def selectors(self, attribute_id: int) -> tuple[int, ...]:
        """Return the selectors of the buffer."""
        return (RANGE, ENTRY) if attribute_id == BUFFER and self.interface.version else ()

    def select(self, attribute_id: int, selection: SelectiveAccessDescriptor, situation: Situation) -> EncodedData:
        """Return a part of the buffer. Raises AccessRefused; see the module's table."""
        if selection.access_selector not in self.selectors(attribute_id):
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        buffer = self.fresh(situation.now)
        if selection.access_selector == RANGE:
            return buffer.by_range(_parameters(RangeDescriptor, selection))
        return buffer.by_entry(_parameters(EntryDescriptor, selection))

    def fresh(self, now: dt.datetime) -> ProfileBuffer:
        """Return the buffer with all that is due. Raises StoreError, EncodeError."""
        self.catch_up(now)
        return self._buffer

    def _reset(self, now: dt.datetime) -> None:
        self.fresh(now).rows.clear()
        self._device.tell("profile-cleared", now, obis=self.instance_id)

    def _write(self, name: str, value: Any, situation: Situation) -> None:
        if name == "profile_entries":
            value = min(value, self._most_entries)
        wanted = replace(self._configuration, **{name: value})
        if wanted == self._configuration:
            return
        try:
            wanted.check()
        except ConfigurationError:
            raise AccessRefused(DataAccessResult.OTHER_REASON) from None
        if not all(is_there(self._device, one, situation.now) for one in wanted.capture_objects):
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        known, buffer = set(self._configuration.capture_objects), (self.class_id, self.instance_id, BUFFER)
        for one in wanted.capture_objects:
            column = one.class_id, one.logical_name, one.attribute_index
            if one not in known and not self._device.may_read_through(situation, column, buffer):
                raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        self._buffer.rows.clear()
        self._take(wanted)
        self._keep_configuration()
        self._reach(situation.now)
        self._device.tell("profile-cleared", situation.now, obis=self.instance_id)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _take(self, configuration: ProfileConfiguration) -> None:
        """Go by a configuration from here on."""
        self._configuration = configuration
        for name in _ATTRIBUTES:
            self.put(name, getattr(configuration, name))
        state, entries, method = self._device.state, configuration.profile_entries, configuration.sort_method
        name = f"{self.class_id}/{self.instance_id}"
        rows = MemoryRows(entries, method) if state is None else StoredRows(state, name, entries, method)
        self._buffer = ProfileBuffer(configuration, rows, self._clock, self._encoding)
        self._source: Source
        if self._row is not None:
            self._source = ComputedRows(self._row, self._types)
        else:
            self._source = CapturedAttributes(self._device, configuration.capture_objects, self._status)
        schedule = self._schedule or (Every(configuration.capture_period) if configuration.capture_period else None)
        self._times: CaptureTimes | None = None
        if schedule is not None and self._clock is not None and not self._recorded:
            self._times = CaptureTimes(self._clock, schedule)

    def _capture_at(self, at: dt.datetime) -> None:
        self._capture([(at, at if self._clock is None else self._clock.time(at))])

    def _capture(self, moments: Sequence[tuple[dt.datetime, dt.datetime]]) -> None:
        """Capture at moments of which true time and that of the clock are given."""
        captures, since = [], self.last_capture
        for at, shown in moments:
            status = _NO_STATUS if self._status is None else self._status.over(since, at)
            captures.append(Capture(at, shown, status))
            since = at
        if self._configuration.capture_objects:
            self._keep(self._source.rows(captures), [capture.shown for capture in captures])
        self.last_capture = since
        # Behind it already where the clock was corrected backwards.
        self._reached = max(self._reached or moments[-1][0], moments[-1][0])
        if self._row is not None or self._status is not None:
            self._keep_progress()

    def _keep(self, rows: Sequence[bytes], shown: Sequence[dt.datetime]) -> None:
        self._buffer.add(rows, shown)
        if not self._kept:
            self._keep_configuration()

    def _keep_configuration(self) -> None:
        octets = EncodedData.from_typed(ProfileConfiguration.encode(self._configuration)).octets
        self.memory.save("configuration", octets)
        self._kept = True

    @property
    def _room(self) -> int | None:
        """How many captures are worth while: those before would be dropped again. None: all may have a place."""
        configuration = self._configuration
        return configuration.profile_entries if configuration.sort_method in UNSORTED else None

    def _reach(self, moment: dt.datetime) -> None:
        """Leave out what is due up to a moment and not captured."""
        self._reached = moment
        if self._times is not None:
            self._times.forget()
        self._device.clockwork.reconsider()
        self._keep_progress()

    def _keep_progress(self) -> None:
        """Keep what the clockwork of the device does not know itself."""
        moments = (one and one.isoformat() for one in (self._reached, self.last_capture))
        save_json(self.memory, "progress", [*moments, self._down])

    # ---- where time does not simply go on ---------------------------------------------------------------------------

    def _clock_changing(self, now: dt.datetime) -> None:
        assert self._clock is not None
        self.catch_up(now)
        self._seen = self._clock.time(max(self._reached or now, now))
        self._reach(now)

    def _clock_changed(self, change: ClockChange) -> None:
        if self._times is None or self._clock is None:
            return
        self._times.forget()
        moved = abs(change.after - change.before)
        if self._down or not moved or moved > self._clock.synchronisation_limit:
            return
        if change.after < self._seen:
            self._reach(change.at + (self._seen - change.after))
        elif self._times.passed(self._seen, change.after):
            self._capture_at(change.at)

    def _heard(self, happening: Happening) -> None:
        if happening.name == "power-down" and not self._down:
            self.catch_up(happening.at)
            self._down = True
            self._reach(happening.at)
        elif happening.name == "power-up" and self._down:
            self._down = False
            self._reach(happening.at)


def _parameters(declared: type[Structure], selection: SelectiveAccessDescriptor) -> Any:
    try:
        return declared.decode(selection.access_parameters.typed(), Reading())
    except DecodeError:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED) from None
