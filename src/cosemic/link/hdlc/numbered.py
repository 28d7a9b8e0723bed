"""Numbered information transfer on one connection (IEC 62056-46, ISO/IEC 13239): I frames both ways, either station.

::

        acknowledged      sent, not acknowledged      not sent yet
    ... -------------- | ----------------------- | ------------------ ...
                      V(A)                      V(S)                       at most ``window`` between them
    ... -------------- | ...                                               of the peer's: V(R) is expected next
        received      V(R)

All numbers are modulo 8. An APDU is sent with its LLC octets before it, in segments of at most ``room`` octets; the
segmentation bit is 1 in all but the last. The turn is passed with P/F = 1: whoever gets it knows by N(R) what of its
last burst arrived, and sends everything from N(R) on again (there is no REJ in this profile).

====================  ================================================================================
N(R) in V(A)..V(S)    what stands before it is acknowledged
any other N(R)        invalid: nothing changes; the stations differ in what they make of it
N(S) = V(R)           taken, V(R) goes on
N(S) within a window  frames before it were lost: discarded, the answer's N(R) asks for them
any other N(S)        sent again although it arrived: discarded
====================  ================================================================================
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import TypeAlias

from cosemic.errors import ProtocolError
from cosemic.link.hdlc.fields import split_llc
from cosemic.link.hdlc.frame import I_CONTROLS, Control
from cosemic.link.hdlc.negotiation import Agreement
from cosemic.values.enumerations import FrameType

Segment: TypeAlias = tuple[bytes, bool]
"""An information field and the segmentation bit of its frame."""
Outgoing: TypeAlias = tuple[Control, bytes, bool]
"""A frame without its addresses: control, information field, segmentation bit."""


class Arrival(Enum):
    """What became of an I frame."""

    TAKEN = auto()
    BEHIND_A_GAP = auto()
    REPEATED = auto()


def segments(octets: bytes, room: int) -> list[Segment]:
    """Cut into information fields of at most ``room`` octets."""
    if 0 < len(octets) <= room:
        return [(octets, False)]
    last = len(octets) - room
    return [(octets[start : start + room], start < last) for start in range(0, len(octets), room)]


class NumberedTransfer:
    """The sequence variables of one connection, what waits to be sent, and the message that is being received.

    room: octets of information that a frame to the peer may carry. agreement: for the windows. max_apdu bounds the
    message that is being received.
    """

    def __init__(self, llc: bytes, room: int, agreement: Agreement, max_apdu: int) -> None:
        self.vr = 0
        """V(R): number of the next I frame of the peer."""
        self._va = 0
        self._sent = 0
        self._llc = llc
        self._room = room
        self._window = agreement.window_tx
        self._peers_window = agreement.window_rx
        self._max_octets = max_apdu + len(llc)
        self._segments: deque[Segment] = deque()
        self._received: list[bytes] = []
        self._octets = 0

    @property
    def vs(self) -> int:
        """V(S): number of the next I frame that was not sent before."""
        return (self._va + self._sent) % 8

    @property
    def due(self) -> bool:
        """Whether there is anything that the peer has not acknowledged."""
        return bool(self._segments)

    @property
    def waiting(self) -> int:
        """How many octets at most the peer has not acknowledged."""
        return len(self._segments) * self._room

    @property
    def outstanding(self) -> bool:
        """Whether anything that was sent is not acknowledged."""
        return self._sent > 0

    @property
    def receiving(self) -> bool:
        """Whether a message of the peer has begun and not ended."""
        return bool(self._received)

    def put(self, apdu: bytes) -> None:
        """Take an APDU to be sent behind those before."""
        self._segments += segments(self._llc + apdu, self._room)

    def burst(self) -> list[Outgoing]:
        """Return the I frames that are to be sent now: all from V(A) on, as far as the window goes.

        The last one passes the turn.
        """
        waiting, va = self._segments, self._va
        self._sent = sent = min(len(waiting), self._window)
        (going_on, last), nr = I_CONTROLS, self.vr
        frames = [(going_on[nr][(va + at) % 8], *waiting[at]) for at in range(sent - 1)]
        if sent:
            frames.append((last[nr][(va + sent - 1) % 8], *waiting[sent - 1]))
        return frames

    def supervisory(self, type_: FrameType) -> Outgoing:
        """Return an RR or RNR, which passes the turn."""
        return Control(type_, None, self.vr), b"", False

    def acknowledge(self, nr: int) -> int | None:
        """Take an N(R); return how many I frames it acknowledges, None where it is invalid."""
        count = (nr - self._va) % 8
        if count > self._sent:
            return None
        for _ in range(count):
            self._segments.popleft()
        self._va = nr
        self._sent -= count
        return count

    def arrival(self, ns: int) -> Arrival:
        """Return what an I frame of this number is."""
        ahead = (ns - self.vr) % 8
        if not ahead:
            return Arrival.TAKEN
        return Arrival.BEHIND_A_GAP if ahead < self._peers_window else Arrival.REPEATED

    def take(self, information: bytes, segmented: bool) -> bytes | None:
        """Take the information of the I frame that is expected; return the APDU that it completes.

        Raises ProtocolError where the message becomes longer than any APDU that was agreed.
        """
        self.vr = (self.vr + 1) % 8
        if not segmented and not self._received and len(information) <= self._max_octets:
            return split_llc(information)[1]
        if information:
            self._received.append(information)
        self._octets += len(information)
        if self._octets > self._max_octets:
            raise ProtocolError(
                f"an APDU in segments is longer than the {self._max_octets - len(self._llc)} octets that are allowed: "
                "check the max-receive-pdu-size that was agreed"
            )
        if segmented:
            return None
        octets = b"".join(self._received)
        self._received.clear()
        self._octets = 0
        return split_llc(octets)[1]
