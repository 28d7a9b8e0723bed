"""What clients do to a meter, and how it is known that they have done it.

A deed is a reading by its name (:mod:`interop.driver`): the client does it, reads the outcome from the meter, and
prints that. Against our meter (:mod:`interop.watched`) it counts only if the meter, too, tells that it has happened.

=============  =================================================================================================
entries        the load profile from the third to the seventh entry, by entry_descriptor
read-out       all registers of the view, one by one or in lists: `[logical name in hex, value]` of the two of energy
events         the event log: `[clock in hex, code]` of all entries
billing        the billing profile: `[clock in hex, energy imported]` of all entries
message        a Data object is written: the octet-string read back, in hex
long-message   the same with more octets than fit in one APDU
value          a Register is written: the number read back
read-list      two attributes of the register in one GET with list: its value, scaler and unit
write-list     SET with list of a Data object, a Register, and one that must not be written: both read back, and which
               have failed, counted from 0
act-list       ACTION with list: remote_disconnect, a method that there is not, remote_reconnect, remote_disconnect:
               which have failed, and control_state
access-read    the same two attributes by ACCESS
access         one ACCESS: the energy is read, the Data object written and read, what there is not is read, the
               switch connected and its state read: the three values, and which have failed
long-access    one ACCESS: the Data object is written, with more octets than fit in one APDU, and read
holiday        an entry is inserted in the Special days table: `[index, date in hex, day_id]` of all entries
calendar       the active calendar is written to the passive one under a new name, which is activated: the name
threshold      threshold_normal of the Limiter is written: the number read back
tariff         a script is executed that changes the active mask of Register activation: its name in hex
notified       before an answer come a data-notification and an event-notification, with short names an
               information-report: the numbers in them
image          an image is transferred, verified and activated: image_transfer_status
disconnect     remote_disconnect: control_state
reconnect      remote_reconnect: control_state
set-clock      the time is written: the time, in hex
shift-clock    shift_time: the time, in hex
synchronise    the clock, which is off by then, is corrected: `set`
=============  =================================================================================================
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from interop import meter

HOLIDAYS = [[1, "ffff0c19ff", 2], [meter.NEW_HOLIDAY[0], meter.NEW_HOLIDAY[1].hex(), meter.NEW_HOLIDAY[2]]]
ACTIVATED, DISCONNECTED, CONNECTED = 6, 0, 1
_PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True)
class About:
    """A moment that a clock shows, or up to a minute later."""

    moment: datetime

    def __eq__(self, other: object) -> bool:
        octets = bytes.fromhex(other) if isinstance(other, str) else b""
        if len(octets) != 12:
            return False
        year, month, day, _, hour, minute, second = struct.unpack_from(">H6B", octets)
        shown = datetime(year, month, day, hour, minute, second, tzinfo=self.moment.tzinfo)
        return self.moment <= shown <= self.moment + _PATIENCE

    __hash__ = object.__hash__


@dataclass(frozen=True)
class Deed:
    """expected: what the client reads afterwards. happening, details: what our meter tells; nothing where nothing is
    to be told."""

    expected: Any
    happening: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def _written(class_id: int, name: bytes, attribute: int) -> tuple[str, dict[str, Any]]:
    return "parameter-written", {"class_id": class_id, "obis": name, "attribute": attribute}


def cells(rows: list[meter.Row]) -> list[list[Any]]:
    """What a client prints of rows of the load profile."""
    return [[meter.clock_octets(stamp).hex(), *rest] for stamp, *rest in rows]


def _history(rows: list[tuple[datetime, int]]) -> list[list[Any]]:
    return [[meter.clock_octets(stamp).hex(), number] for stamp, number in rows]


DEEDS = {
    "entries": Deed(cells(meter.entries())),
    "read-out": Deed(sorted([name.hex(), raw] for name, (raw, _, _) in meter.REGISTERS.items())),
    "events": Deed(_history(meter.EVENTS)),
    "billing": Deed(_history(meter.BILLINGS)),
    "message": Deed(meter.NEW_MESSAGE.hex(), *_written(1, meter.MESSAGE, 2)),
    "long-message": Deed(meter.LONG_MESSAGE.hex(), *_written(1, meter.MESSAGE, 2)),
    "read-list": Deed(list(meter.REGISTERS[meter.ENERGY_IMPORT])),
    "access-read": Deed(list(meter.REGISTERS[meter.ENERGY_IMPORT])),
    "write-list": Deed([meter.OTHER_MESSAGE.hex(), meter.OTHER_VALUE, [2]], *_written(1, meter.MESSAGE, 2)),
    "act-list": Deed([[1], DISCONNECTED], "remote-disconnection", {"obis": meter.BREAKER}),
    "access": Deed(
        [meter.REGISTERS[meter.ENERGY_IMPORT][0], meter.ACCESSED_MESSAGE.hex(), CONNECTED, [3]],
        *_written(1, meter.MESSAGE, 2),
    ),
    "long-access": Deed(meter.LONG_MESSAGE[::-1].hex(), *_written(1, meter.MESSAGE, 2)),
    "notified": Deed([meter.NEW_VALUE, meter.OTHER_VALUE]),
    "value": Deed(meter.NEW_VALUE, *_written(3, meter.KEPT_REGISTER, 2)),
    "holiday": Deed(HOLIDAYS),
    "calendar": Deed(meter.NEW_CALENDAR.hex(), "calendar-activated", {"calendar_name": meter.NEW_CALENDAR}),
    "threshold": Deed(meter.NEW_THRESHOLD, *_written(71, meter.LIMITER, 4)),
    "tariff": Deed(meter.PEAK.hex(), "script-executed", {"script_identifier": meter.PEAK_SCRIPT}),
    "image": Deed(ACTIVATED, "image-activated", {"obis": meter.IMAGE_TRANSFER}),
    "disconnect": Deed(DISCONNECTED, "remote-disconnection", {"obis": meter.BREAKER}),
    "reconnect": Deed(CONNECTED, "remote-reconnection", {"obis": meter.BREAKER}),
    "set-clock": Deed(About(meter.CLOCK_SET), "clock-set"),
    "shift-clock": Deed(About(meter.CLOCK_SET + timedelta(seconds=meter.CLOCK_SHIFT)), "clock-adjusted"),
    "synchronise": Deed("set"),
}

DONE_TO_OURS = (
    "entries", "message", "value", "holiday", "calendar", "threshold", "tariff", "image", "disconnect", "reconnect",
    "set-clock", "shift-clock",
)  # fmt: skip
"""What other clients do to our meter."""
DONE_BY_OURS = (
    "entries", "read-list", "access-read", "read-out", "events", "billing", "image", "disconnect", "reconnect",
    "set-clock", "shift-clock", "synchronise",
)  # fmt: skip
"""What our client does to the meters of others."""
NOTIFIED = "notified"
AT_ONCE = ("read-list", "access-read", "write-list", "act-list", "access", "long-message", "long-access")
"""Several things in one request, or one in several."""
