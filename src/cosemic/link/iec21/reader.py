"""Messages of IEC 62056-21 in a stream of octets that may be cut anywhere and disturbed anywhere.

A message begins with a character of its own, and only what the state of the session expects is looked for:

=========  ==============================  ===============================================
expected   begins with                     ends with
=========  ==============================  ===============================================
LINE       ``/``                           LF
DATA       STX                             ETX or EOT, and the BCC behind it
COMMAND    SOH                             the same
SELECT     ACK                             LF, its sixth octet
SIGNAL     ACK, NAK                        the same octet, with nothing else next to it
TEXT       any printable character         ``!`` CR LF
=========  ==============================  ===============================================

ACK and NAK have no check at all, and noise has them by chance. They are taken only where they stand alone: the machine
says when the line is quiet (:meth:`MessageReader.give_up`, :meth:`MessageReader.calm`).

What lies between messages is passed over: NULs of a wake-up, the echo of an optical head, noise. Octets are taken one
message at a time (:meth:`MessageReader.next`), because each may change what is expected next.

Bounds: a line is of :data:`MAX_LINE` octets, any other message of ``max_octets``. No octet is searched twice for the
same thing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Flag, auto
from functools import cache
from typing import Final

from cosemic.errors import DecodeError
from cosemic.link.contract import Octets
from cosemic.link.iec21.characters import ACK, NAK, SOH, STX
from cosemic.link.iec21.messages import DataMessage, Identification, Message, OptionSelect, Request, Signal, read_block

MAX_LINE: Final = 80
MAX_OCTETS: Final = 1 << 20
_LINE_LEAD: Final = ord("/")
_SELECT_LENGTH: Final = 6
_END: Final = re.compile(rb"[\x03\x04]")
_TEXT_END: Final = re.compile(rb"!\r\n|[\x01\x02]")


class Expected(Flag):
    """Which messages are looked for, as in the table of this module."""

    NOTHING = 0
    LINE = auto()
    DATA = auto()
    COMMAND = auto()
    SELECT = auto()
    SIGNAL = auto()
    TEXT = auto()


@dataclass(frozen=True, slots=True)
class Damaged:
    """A message that began and cannot be read: a wrong BCC, no end, too many octets. lead: its first octet."""

    lead: int


_LEADS: Final = {
    Expected.LINE: b"/",
    Expected.DATA: b"\x02",
    Expected.COMMAND: b"\x01",
    Expected.SELECT: b"\x06",
    Expected.SIGNAL: b"\x06\x15",
    Expected.TEXT: bytes(range(0x21, 0x7F)),
}


@cache
def _leads(expected: Expected) -> re.Pattern[bytes]:
    wanted = b"".join(lead for each, lead in _LEADS.items() if each in expected)
    return re.compile(rb"[%b]" % re.escape(wanted) if wanted else rb"(?!)")


class MessageReader:
    """Finds messages. max_octets: the longest message that is taken."""

    def __init__(self, *, max_octets: int = MAX_OCTETS) -> None:
        self.expected = Expected.NOTHING
        self._max_octets = max_octets
        self._buffer = bytearray()
        self._begun = False
        self._searched = 0
        self._passed = 1
        self._disturbed = False

    @property
    def signalled(self) -> bool:
        """Whether what has begun is ACK or NAK, which quiet makes a message."""
        return self._begun and Expected.SIGNAL in self.expected and self._buffer[0] in (ACK, NAK)

    @property
    def pending(self) -> bool:
        """Whether a message has begun whose end is not there yet."""
        return self._begun

    def reset(self) -> None:
        """Forget what has come."""
        self._buffer.clear()
        self._begun = self._disturbed = False

    def calm(self) -> None:
        """Say that the line was quiet: what comes next stands next to nothing."""
        self._disturbed = self._begun

    def feed(self, octets: Octets) -> None:
        """Take octets of the stream."""
        self._buffer += octets

    def next(self) -> Message | Damaged | None:
        """Return the next message that is complete, or None."""
        while self._begun or self._find_lead():
            length = self._length()
            if length is None:
                if len(self._buffer) <= self._max_octets:
                    return None
                lead = self._buffer[0]
                self.reset()
                return Damaged(lead)
            if length:
                octets = bytes(self._buffer[:length])
                self._drop(length)
                self._disturbed = False
                return _read(octets)
            self._drop(self._passed)
            self._disturbed = True
        return None

    def give_up(self) -> Signal | Damaged | None:
        """Say that the message that has begun does not go on: the line is quiet.

        It is damaged, unless it is a signal that stands alone. What follows its first octet is searched anew by
        :meth:`next`.
        """
        if not self._begun:
            return None
        lead, alone = self._buffer[0], self.signalled and not self._disturbed
        self._drop(1)
        return Signal(lead) if alone else Damaged(lead)

    def rest(self) -> bytes:
        """Return what has come and belongs to no message, and forget it."""
        octets = bytes(self._buffer)
        self.reset()
        return octets

    def _drop(self, length: int) -> None:
        del self._buffer[:length]
        self._begun = False

    def _find_lead(self) -> bool:
        found = _leads(self.expected).search(self._buffer)
        if found is None:
            if self.expected and self._buffer:
                self._buffer.clear()
                self._disturbed = True
            return False
        start = found.start()
        if start:
            del self._buffer[:start]
            self._disturbed = True
        self._begun = True
        self._searched = 1
        return True

    def _length(self) -> int | None:
        """Return how long the message at the start is, None where its end is missing.

        0: none begins there, and ``_passed`` octets are passed over.
        """
        self._passed = 1
        buffer, lead, start = self._buffer, self._buffer[0], self._searched
        self._searched = len(buffer)
        if lead in (SOH, STX):
            end = _END.search(buffer, start)
            if end is None:
                return None
            self._searched = end.start()
            return end.end() + 1 if end.end() < len(buffer) else None
        if lead == ACK and Expected.SELECT in self.expected:
            if len(buffer) < _SELECT_LENGTH:
                return None
            if buffer[_SELECT_LENGTH - 1 : _SELECT_LENGTH] == b"\n":
                return _SELECT_LENGTH
            return 0
        if lead == _LINE_LEAD and Expected.LINE in self.expected:
            end_of_line = buffer.find(b"\n", start) + 1
            return end_of_line if 0 < end_of_line <= MAX_LINE else 0 if len(buffer) > MAX_LINE else None
        if Expected.TEXT in self.expected:
            found = _TEXT_END.search(buffer, max(start - 2, 0))
            if found is None:
                return None
            if found.end() - found.start() > 1:
                return found.end()
            self._passed = found.start()
            return 0
        return None if len(buffer) == 1 else 0


def _read(octets: bytes) -> Message | Damaged:
    lead = octets[0]
    try:
        if lead in (SOH, STX):
            return read_block(octets)
        if lead == ACK:
            return OptionSelect.decode(octets)
        if lead == _LINE_LEAD:
            return _read_line(octets)
    except DecodeError:
        return Damaged(lead)
    return DataMessage(octets)


def _read_line(octets: bytes) -> Request | Identification:
    """Read the last message of a line: noise, or the echo of a request whose end was lost, may stand before it."""
    at = octets.rfind(b"/")
    while at > 0:
        try:
            return _one_line(octets[at:])
        except DecodeError:
            at = octets.rfind(b"/", 0, at)
    return _one_line(octets)


def _one_line(octets: bytes) -> Request | Identification:
    return Request.decode(octets) if octets[1:2] == b"?" else Identification.decode(octets)
