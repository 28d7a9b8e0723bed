"""A meter on a wired M-Bus: a server's link (IEC 62056-7-3, EN 13757-2).

It never begins. Each frame of the master that is meant for it has one answer, at once::

    ================  ================================  ====================================================
    frame             it comes for the first time       again: A, function and FCB of the frame before
    ================  ================================  ====================================================
    SND_NKE           E5; frame count, answers, half    (the same)
                      a request are forgotten
    SND_UD            E5; the segment is joined         E5
    SND_UD CI 52, 56  to FD: E5 where the address is    (the same)
                      ours, else we are not selected
    REQ_UD2           the next segment of the answers   the same RSP_UD
                      in RSP_UD; E5 where none waits
    REQ_UD1           E5: there is no data of class 1   E5
    ================  ================================  ====================================================

A frame is meant for the meter when A is its primary address, FE, or FD while it is selected; FF is taken and not
answered. SND_NKE to FD ends the selection, and the meter that was selected answers it. In CI 56 the address stands high
octet first; parts of a selection may stand for any.

What makes a repetition is the frame right before it, so that masters that count SND_UD and REQ_UD2 together, and those
that count them apart, are both understood; a frame whose FCV is 0 never is one. A REQ_UD2 that was answered with E5 is
no repetition either: there may be an answer by now.

ACD is set while more APDUs wait behind the one that is being fetched (see :mod:`~cosemic.link.mbus.master`). Bounds:
one frame, one request of ``max_apdu`` octets, ``max_waiting`` APDUs to be fetched; a further one pushes the oldest out
that is not being fetched.
What is left of a frame when the line was silent for ``inter_octet_timeout`` is forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from cosemic.errors import ConfigurationError, DecodeError
from cosemic.link.connectionless import Connectionless
from cosemic.link.contract import ApduReceived, LinkEvent, Octets
from cosemic.link.mbus.frame import (
    ACD,
    ALL_ANSWER,
    BROADCAST,
    E5,
    FCB,
    FCV,
    MAX_ADDRESS,
    REQ_UD1,
    REQ_UD2,
    RSP_UD,
    SELECT,
    SELECTED,
    SND_NKE,
    SND_UD,
    MbusFrame,
)
from cosemic.link.mbus.header import DeviceAddress, Header, LongHeader, ShortHeader
from cosemic.link.mbus.sending import Sender
from cosemic.link.mbus.stream import MbusStreamReader
from cosemic.link.mbus.transport import MAX_OCTETS as MAX_APDU
from cosemic.link.mbus.transport import (
    MAX_PART,
    Reassembler,
    SapOrder,
    Segment,
    carries_dlms,
    decode_segment,
)

SELECT_HIGH_FIRST: Final = 0x56
MAX_WAITING: Final = 16


class MbusSlaveLink(Connectionless):
    """A meter with a primary address (0 to 250) and, where it has one, a secondary one.

    What is sent waits until the master asks. A reset by the master is no matter of the association.

    source, destination: SAPs used where ``send`` names none: the logical device and the client of a push that the
    master fetches. Answers stand in the form of the request before them (segments, short or long header).
    sap_order: in which the SAPs behind a header are *sent*. max_part: octets of an APDU in one segment, 1 to 250.

    Raises ConfigurationError for what cannot be meant.
    """

    def __init__(
        self,
        address: int,
        *,
        secondary: DeviceAddress | None = None,
        source: int | None = None,
        destination: int | None = None,
        sap_order: SapOrder = SapOrder.SOURCE_FIRST,
        inter_octet_timeout: float = 0.2,
        max_part: int = MAX_PART,
        max_apdu: int = MAX_APDU,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        if not 0 <= address <= MAX_ADDRESS:
            raise ConfigurationError(f"M-Bus address {address} is not in 0..{MAX_ADDRESS}")
        if inter_octet_timeout <= 0 or max_waiting < 1:
            raise ConfigurationError("inter_octet_timeout is above 0 s, max_waiting 1 or more")
        self._address = address
        self._secondary = secondary
        self._sender = Sender(source, destination, max_part=max_part, from_meter=True)
        self._order = sap_order
        self._inter_octet_timeout = inter_octet_timeout
        self._reader = MbusStreamReader()
        self._reassembler = Reassembler(max_octets=max_apdu)
        self._max_waiting = max_waiting
        self._waiting: deque[deque[Segment]] = deque()
        self._fetching = False
        self._due: list[bytes] = []
        self._deadline: float | None = None
        self._selected = False
        self._last: tuple[int, int, int] | None = None
        self._response = b""

    # ---- the contract ------------------------------------------------------------------------------------------------

    @property
    def selected(self) -> bool:
        """Whether the master has selected this meter by its secondary address."""
        return self._selected

    @property
    def waiting(self) -> int:
        """How many APDUs wait to be fetched, or are being fetched."""
        return len(self._waiting)

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Keep an APDU until the master fetches it.

        Raises EncodeError where it does not fit the form of the request, or a SAP is missing or no octet.
        """
        segments = self._sender.segments(apdu, source, destination)
        if len(self._waiting) == self._max_waiting:
            self._fetching = self._fetching and self._max_waiting > 1
            del self._waiting[self._fetching]
        self._waiting.append(segments)

    def octets_to_send(self) -> bytes:
        """Return the answers that are due."""
        octets = b"".join(self._due)
        self._due.clear()
        return octets

    def deadline(self) -> float | None:
        """Return when a frame that was begun is given up."""
        return self._deadline

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the bus, cut anywhere; those of other stations too."""
        events: list[LinkEvent] = []
        for telegram in self._reader.receive(octets):
            if isinstance(telegram, MbusFrame) and telegram.from_primary and self._is_meant(telegram.a):
                answer = self._answer(telegram, events)
                if answer and telegram.a != BROADCAST:
                    self._due.append(answer)
        self._deadline = now + self._inter_octet_timeout if self._reader.pending else None
        return events

    def tick(self, now: float) -> list[LinkEvent]:
        """Give up a frame of which nothing came for too long."""
        if self._deadline is not None and now >= self._deadline:
            self._reader.reset()
            self._deadline = None
        return []

    # ---- frames of the master ----------------------------------------------------------------------------------------

    def _is_meant(self, address: int) -> bool:
        # A selection is for every meter to look at.
        return address in (self._address, ALL_ANSWER, BROADCAST, SELECTED)

    def _answer(self, frame: MbusFrame, events: list[LinkEvent]) -> bytes:
        if frame.a == SELECTED and frame.function == SND_UD and frame.ci in (SELECT, SELECT_HIGH_FIRST):
            return self._select(frame)
        if frame.a == SELECTED and not self._selected:
            return b""
        handler = HANDLERS.get((frame.function, frame.short))
        if handler is None:
            return b""
        count = (frame.a, frame.function, frame.c & FCB) if frame.c & FCV else None
        repeated = count is not None and count == self._last
        self._last = count
        return handler(self, frame, repeated, events)

    def _select(self, frame: MbusFrame) -> bytes:
        octets = frame.user_data if frame.ci == SELECT else frame.user_data[::-1]
        try:
            wanted = DeviceAddress.decode(octets)
        except DecodeError:
            self._selected = False
            return b""
        self._selected = self._secondary is not None and wanted.selects(self._secondary)
        if not self._selected:
            return b""
        self._last = None
        return E5.encode()

    def _reset(self, frame: MbusFrame, repeated: bool, events: list[LinkEvent]) -> bytes:
        self._last = None
        self._response = b""
        self._waiting.clear()
        self._reassembler.reset()
        self._fetching = False
        self._sender.header = None
        if frame.a == SELECTED:
            self._selected = False
        return E5.encode()

    def _user_data(self, frame: MbusFrame, repeated: bool, events: list[LinkEvent]) -> bytes:
        if repeated or not carries_dlms(frame.ci):
            return E5.encode()
        assert frame.ci is not None
        if self._fetching:
            # The master begins anew: what is left of an answer it has not fetched to its end is of no use.
            self._waiting.popleft()
            self._fetching = False
        try:
            segment = decode_segment(frame.ci, frame.user_data)
        except DecodeError:
            # It has come whole, so the link acknowledges it; what cannot be read has no answer.
            return E5.encode()
        message = self._reassembler.receive(segment)
        if message is not None:
            self._sender.header = self._header_for(message)
            events.append(ApduReceived(message.part, message.source, message.destination))
        return E5.encode()

    def _request(self, frame: MbusFrame, repeated: bool, events: list[LinkEvent]) -> bytes:
        if repeated and self._response:
            return self._response
        self._response = b""
        if not self._waiting:
            return E5.encode()
        segment = self._waiting[0].popleft()
        self._fetching = bool(self._waiting[0])
        if not self._fetching:
            self._waiting.popleft()
        acd = ACD if len(self._waiting) > self._fetching else 0
        self._response = MbusFrame(RSP_UD | acd, self._address, segment.ci, segment.encode(self._order)).encode()
        return self._response

    def _header_for(self, request: Segment) -> Header | None:
        """Return what stands before the SAPs of an answer: as in the request, a long header with our own address."""
        if request.header is None:
            return None
        if isinstance(request.header, LongHeader) and self._secondary is not None:
            return LongHeader(self._secondary)
        return ShortHeader()

    def _alarm(self, frame: MbusFrame, repeated: bool, events: list[LinkEvent]) -> bytes:
        return E5.encode()


_Handler = Callable[[MbusSlaveLink, MbusFrame, bool, "list[LinkEvent]"], bytes]

HANDLERS: Final[dict[tuple[int, bool], _Handler]] = {
    (SND_NKE, True): MbusSlaveLink._reset,
    (SND_UD, False): MbusSlaveLink._user_data,
    (REQ_UD2, True): MbusSlaveLink._request,
    (REQ_UD1, True): MbusSlaveLink._alarm,
}
"""The table at the top of this module: what is done with a function, in short frames and in long ones."""
