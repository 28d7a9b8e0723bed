"""What a push setup lists, read for its client (class 40; IEC 62056-6-2, 5.3; data_index as for profile buffers).

::

    attribute_index   n         attribute n
                      0         all attributes of the class: a structure, null-data for what cannot be read
    data_index        0         the whole attribute
                      n         the n-th element of its structure or array, up to 0FFF
                      KCNN      of the buffer of a profile: range K of NN, the first C columns (0: all)

    K  1            the last NN entries
       B            the last NN seconds
       7, 8, 9, A   the last NN complete minutes, hours, days, months, and what came since
       C, D, E, F   the last NN complete minutes, hours, days, months

    restriction       by_date   entries captured from a day or moment to another, both inclusive
                      by_entry  entries by number, from 1 on; 0 is the last
    columns           of the buffer; none: all

Values are read with the rights of the push client's association: what it may not read, or not without more protection
than the push has, is null-data, and so is what is not there. Only the logical name of the push setup itself, which says
what the message is, needs no right. Intervals are stamped at their end: what was captured at 00:00 belongs to the day
before (unsure: a switch of the dialect).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cosemic.association.service_provider import Access
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import EncodeError
from cosemic.model import CaptureObjectDefinition, ProfileGeneric
from cosemic.model.push import (
    PushObjectDefinition,
    RestrictedObjectDefinition,
    RestrictionByDate,
    RestrictionByEntry,
    RestrictionElement,
    RestrictionType,
)
from cosemic.security import Protection
from cosemic.server.cells import NO_CELL, elements, row_of
from cosemic.server.clients import HIDDEN, AdmittedClient
from cosemic.server.clock import ClockObject
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused, CosemObject, Situation
from cosemic.server.profile import BUFFER, ProfileObject
from cosemic.server.profile_buffer import ProfileBuffer
from cosemic.server.push.refusal import PushRefused
from cosemic.values import Date, DateTime, Obis

PushObject = CaptureObjectDefinition | RestrictedObjectDefinition | PushObjectDefinition
Sent = Mapping[Obis, dt.datetime]
"""Up to which moment, by the clock of the meter, the entries of a buffer count as sent."""
GREATEST_ELEMENT: Final = 0x0FFF
MOST_COLUMNS: Final = 255
MOST_OCTETS: Final = 1 << 20
"""Of the values of one push."""
_UNRESTRICTED: Final = RestrictionElement(RestrictionType.NONE, None)
_CONTAINERS: Final = (DataType.ARRAY, DataType.STRUCTURE)
_LAST_ENTRIES: Final = 0x1
_LAST_SECONDS: Final = 0xB
_UNITS: Final = {
    0x7: "minute",
    0x8: "hour",
    0x9: "day",
    0xA: "month",
    0xC: "minute",
    0xD: "hour",
    0xE: "day",
    0xF: "month",
}
_UP_TO_NOW: Final = range(0x7, 0xB)
_ELAPSED: Final = {"minute": dt.timedelta(minutes=1), "hour": dt.timedelta(hours=1)}
_NEVER: Final = DateTime.of()


def restriction_of(pushed: PushObject) -> RestrictionElement:
    """Return which entries of a buffer are pushed."""
    return getattr(pushed, "restriction", _UNRESTRICTED)


def columns_of(pushed: PushObject) -> tuple[CaptureObjectDefinition, ...]:
    """Return which columns of a buffer are pushed; none: all."""
    return getattr(pushed, "columns", ())


_RESTRICTIONS: Final[Mapping[int, type[Any]]] = {
    RestrictionType.NONE: type(None),
    RestrictionType.BY_DATE: RestrictionByDate,
    RestrictionType.BY_ENTRY: RestrictionByEntry,
}
"""What goes with each type."""


def is_buffer(pushed: PushObject) -> bool:
    """Whether the buffer of a profile is pushed."""
    return pushed.class_id == ProfileGeneric.class_id and pushed.attribute_index == BUFFER


def is_whole_buffer(pushed: PushObject) -> bool:
    """Whether all entries of a buffer are pushed: of these a confirmed push leaves out what counts as sent."""
    unrestricted = restriction_of(pushed).restriction_type == RestrictionType.NONE
    return is_buffer(pushed) and not pushed.data_index and unrestricted


def can_be(pushed: PushObject) -> bool:
    """Whether an element of push_object_list says one thing, whatever the device has."""
    restriction, selects = restriction_of(pushed), pushed.data_index > GREATEST_ELEMENT
    expected = _RESTRICTIONS.get(restriction.restriction_type)
    if expected is None or not isinstance(restriction.restriction_value, expected):
        return False
    if len(columns_of(pushed)) > MOST_COLUMNS:
        return False
    restricts = restriction.restriction_type != RestrictionType.NONE or bool(columns_of(pushed))
    if selects:
        return (
            is_buffer(pushed) and not restricts and pushed.data_index >> 12 in (_LAST_ENTRIES, _LAST_SECONDS, *_UNITS)
        )
    return not restricts or (is_buffer(pushed) and not pushed.data_index)


@dataclass(frozen=True, slots=True)
class PushView:
    """The objects of a device as a push to one client shows them.

    own: the push setup. applied: protection of the push. at: true time. sent: what of whole buffers is left out.
    """

    device: LogicalDevice
    clock: ClockObject
    client: AdmittedClient
    own: CosemObject
    applied: Protection
    at: dt.datetime
    sent: Sent = field(default_factory=dict)
    dialect: Dialect = STANDARD

    def body(self, push_object_list: Sequence[PushObject]) -> EncodedData:
        """Return the values of all that is listed, in that order, as a structure.

        Raises PushRefused for more than :data:`MOST_OCTETS`; StoreError.
        """
        values, size = [], 0
        for pushed in push_object_list:
            values.append(self.value(pushed))
            size += len(values[-1])
            if size > MOST_OCTETS:
                raise PushRefused(f"more than {MOST_OCTETS} octets to push at once: restrict what is listed")
        return EncodedData(row_of(values))

    def value(self, pushed: PushObject) -> bytes:
        """Return what one element stands for, encoded; null-data for what cannot be had. Raises StoreError."""
        served = self.device.object_for(self.client, pushed.class_id, pushed.logical_name)
        if served is None:
            return NO_CELL
        if pushed.attribute_index == 0:
            whole = [self._read(served, index).octets for index in sorted(served.interface.attributes) if index > 0]
            return row_of(whole)
        if (
            is_buffer(pushed)
            and isinstance(served, ProfileObject)
            and (pushed.data_index > GREATEST_ELEMENT or not pushed.data_index)
        ):
            return self._buffer(served, pushed)
        value = self._read(served, pushed.attribute_index)
        if not pushed.data_index:
            return value.octets
        found = elements(value.octets) if value.type in _CONTAINERS else []
        return found[pushed.data_index - 1] if pushed.data_index <= len(found) else NO_CELL

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _may_read(self, served: CosemObject, attribute: int) -> bool:
        if served is self.own and attribute == 1:
            return True
        key = served.class_id, served.instance_id
        right = self.client.rights.get(key, HIDDEN).attribute(attribute)
        return right.readable and not (right.requires.request | right.requires.response) & ~self.applied

    def _read(self, served: CosemObject, attribute: int) -> EncodedData:
        access = Access(self.applied)
        situation = Situation(self.at, self.client.client_sap, access=access)
        found = self._allowed(served, attribute, lambda: served.read(attribute, None, situation))
        # What the object has read for the client may need more.
        return EncodedData(NO_CELL) if access.response & ~self.applied else found

    def _allowed(self, served: CosemObject, attribute: int, read: Callable[[], EncodedData]) -> EncodedData:
        if not self._may_read(served, attribute):
            return EncodedData(NO_CELL)
        try:
            return read()
        except (AccessRefused, EncodeError):
            return EncodedData(NO_CELL)

    def _buffer(self, profile: ProfileObject, pushed: PushObject) -> bytes:
        return self._allowed(profile, BUFFER, lambda: self._part(profile.fresh(self.at), pushed)).octets

    def _part(self, buffer: ProfileBuffer, pushed: PushObject) -> EncodedData:
        """Return the part of a buffer that is pushed. Raises AccessRefused."""
        columns = buffer.column_numbers(columns_of(pushed))
        chosen = restriction_of(pushed).restriction_value
        if isinstance(chosen, RestrictionByDate):
            return buffer.dated(_stamp(chosen.from_date), _stamp(chosen.to_date), columns)
        if isinstance(chosen, RestrictionByEntry):
            return buffer.entries(chosen.from_entry, chosen.to_entry, columns)
        if pushed.data_index:
            return self._selected(buffer, pushed.data_index, columns)
        return buffer.captured(self.sent.get(pushed.logical_name), None, columns)

    def _selected(self, buffer: ProfileBuffer, data_index: int, columns: Sequence[int]) -> EncodedData:
        """Return the part of a buffer that a data_index above the elements selects."""
        kind, first, count = data_index >> 12, data_index >> 8 & 0xF, data_index & 0xFF
        columns = columns[:first] if first else columns
        if kind == _LAST_ENTRIES:
            return buffer.newest(count, columns)
        now = self.clock.time(self.at)
        if kind == _LAST_SECONDS:
            return buffer.captured(now - dt.timedelta(seconds=count), None, columns)
        begin, end = self._complete(_UNITS[kind], count, now)
        until = None if kind in _UP_TO_NOW else end
        if not self.dialect.intervals_stamped_at_end:
            begin, until = begin - _CENTISECOND, None if until is None else until - _CENTISECOND
        return buffer.captured(begin, until, columns)

    def _complete(self, unit: str, count: int, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        """When the last complete minutes, hours, days or months begin and end, by the clock of the meter."""
        if unit in _ELAPSED:
            second = now.replace(second=0, microsecond=0)
            end = second if unit == "minute" else second.replace(minute=0)
            return end - count * _ELAPSED[unit], end
        midnight = dt.datetime.combine(now.date(), dt.time.min)
        if unit == "day":
            last, since = midnight, midnight - dt.timedelta(days=count)
        else:
            last = midnight.replace(day=1)
            months = last.year * 12 + last.month - 1 - count
            since = last.replace(year=months // 12, month=months % 12 + 1)
        return self.clock.zone.first(since), self.clock.zone.first(last)


_CENTISECOND: Final = dt.timedelta(milliseconds=10)


def _stamp(bound: Date | DateTime) -> DateTime:
    """Return a day as a stamp without time: from its first moment, or to its last one."""
    return bound if isinstance(bound, DateTime) else DateTime(bound.octets + _NEVER.octets[5:])
