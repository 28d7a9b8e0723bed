"""The end of a call, told in the middle of its data: the modem falls back to command mode and says NO CARRIER.

::

    verbose     ... CR LF NO CARRIER CR LF, and silence       whatever stands before
    numeric     ... 3 CR, and silence                         only behind 7E, the flag that ends a frame

The same octets may be data: it is the silence that tells. The end of what came is kept back while it may be such a
message, for :data:`HELD` seconds where it has only begun, and for ``guard`` seconds where it is whole; what comes in
that time makes it data again. A modem in command mode may echo what is still sent: that breaks no silence.
A frame of HDLC ends in 7E and is never kept back.

Bound: the last :data:`MOST_ECHOED` octets that were sent are remembered, and as many kept back.
"""

from __future__ import annotations

from typing import Final

from cosemic.link.contract import Octets

HELD: Final = 0.25
"""Seconds; a modem says the message at the rate of the port, without a pause."""
MOST_ECHOED: Final = 4096
_VERBOSE: Final = b"\r\nNO CARRIER\r\n"
_NUMERIC: Final = b"3\r"
_FLAG: Final = 0x7E


class CarrierWatch:
    """Looks for NO CARRIER in the data of one call. numeric: the modem says it as a number. guard: seconds."""

    def __init__(self, *, numeric: bool, guard: float) -> None:
        self.deadline: float | None = None
        """When what is kept back is to be decided on."""
        self._numeric = numeric
        self._message = _NUMERIC if numeric else _VERBOSE
        self._guard = guard
        self._held = b""
        self._whole = False
        self._last = _FLAG
        self._sent = b""

    def sent(self, octets: bytes) -> None:
        """Learn what is sent into the call."""
        self._sent = (self._sent + octets)[-MOST_ECHOED:]

    def receive(self, octets: Octets, now: float) -> bytes:
        """Take data; return what of all that came is data for certain."""
        came = self._held + bytes(octets)
        known = self.deadline if self._whole else None
        at = self._whole_at(came)
        self._whole = at is not None
        if at is not None:
            self.deadline = known if known is not None and at == 0 else now + self._guard
        else:
            at = len(came) - self._begun(came)
            self.deadline = now + HELD if at < len(came) else None
        self._held = came[at:]
        return self._certain(came[:at])

    def expire(self) -> bytes | None:
        """The deadline has come; return the octets that were data after all, or None: the carrier is lost."""
        held, self._held, self.deadline = self._held, b"", None
        return None if self._whole else self._certain(held)

    def _whole_at(self, came: bytes) -> int | None:
        """Return where the message stands with nothing behind it, but for an echo."""
        at = came.rfind(self._message)
        if at < 0 or not self._may_stand(came, at) or came[at + len(self._message) :] not in self._sent:
            return None
        return at

    def _begun(self, came: bytes) -> int:
        """Return how many octets at the end may be the beginning of the message."""
        for length in range(min(len(self._message) - 1, len(came)), 0, -1):
            if came.endswith(self._message[:length]) and self._may_stand(came, len(came) - length):
                return length
        return 0

    def _may_stand(self, came: bytes, at: int) -> bool:
        return not self._numeric or (came[at - 1] if at else self._last) == _FLAG

    def _certain(self, data: bytes) -> bytes:
        if data:
            self._last = data[-1]
        return data
