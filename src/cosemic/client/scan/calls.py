"""Links that only ask who is there: the HDLC addresses of a line one after the other, and TLS. Sans-IO.

:class:`HdlcCalls` is a primary station (IEC 62056-46) that calls many addresses, and stays with none::

    CALLING --- SNRM to the next address ---> UA: LEAVING      DM, FRMR: it is there, OVER
       ^                                      |   DISC ---> UA, DM, or silence: OVER
       +--- silence for ``patience``          |
            after the last one: LinkFailed

==========  ===============================  ==============================================================
state       answers of any address called    silence
==========  ===============================  ==============================================================
IDLE        -                                (none)
CALLING     UA: LEAVING; DM, FRMR: OVER      the next address; after the last OVER, LinkFailed
LEAVING     UA, DM, FRMR: OVER               OVER
OVER        -                                (none)
==========  ===============================  ==============================================================

OVER with an answer is LinkDisconnected: behind a sign-on of IEC 62056-21 the line then goes back. An answer that comes
late is known by its address. One frame and the addresses are all that is kept.

:class:`TlsCall` sends a ClientHello and looks at the first octets that come: a record of TLS (RFC 8446, 5.1) is
``16 03`` (handshake) or ``15 03`` (alert), whatever it says of certificates.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from cosemic.client.scan.results import Answer
from cosemic.errors import ConnectionFailed, ConnectionLost
from cosemic.link.contract import UNARMED, LinkConnected, LinkDisconnected, LinkEvent, LinkFailed, Octets
from cosemic.link.hdlc.addresses import same_station
from cosemic.link.hdlc.frame import Control, HdlcAddress, HdlcFrame
from cosemic.link.hdlc.line import FrameLine
from cosemic.values import LineSettings
from cosemic.values.enumerations import FrameType

_ANSWERS: Final = {FrameType.UA: Answer.UA, FrameType.DM: Answer.DM, FrameType.FRMR: Answer.FRMR}
_INTER_OCTET: Final = 0.5
"""Seconds of silence that end a frame."""
_TLS_RECORDS: Final = (b"\x16\x03", b"\x15\x03")


class _Call:
    """What both calls have of the contract of links: they carry no APDUs."""

    @property
    def connection_oriented(self) -> bool:
        """Return True: something is connected, or not."""
        return True

    @property
    def connected(self) -> bool:
        """Return False: no APDU is sent over it."""
        return False

    def line_to_set(self) -> LineSettings | None:
        """Return None: no port is changed."""
        return None

    def disconnect(self) -> None:
        """Do nothing: it ends by itself."""

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Raise ConnectionLost: nothing is sent here."""
        raise ConnectionLost("this link only asks who is there")


class State(Enum):
    """As in the table of this module."""

    IDLE = auto()
    CALLING = auto()
    LEAVING = auto()
    OVER = auto()


_WAITING: Final = (State.CALLING, State.LEAVING)


@dataclass(frozen=True, slots=True)
class Heard:
    """Who answered: with what, and how it is addressed."""

    answer: Answer
    address: HdlcAddress


class HdlcCalls(_Call):
    """Calls addresses until one answers.

    client: SAP that SNRM comes from. addresses: in their order. patience: seconds from the end of a call until the
    next one; the time of the line included. calling: is told of each address before it is called.
    """

    def __init__(
        self,
        client: int,
        addresses: Sequence[HdlcAddress],
        patience: float,
        calling: Callable[[HdlcAddress], None] = lambda address: None,
    ) -> None:
        self.heard: Heard | None = None
        """Who answered; None: nobody yet."""
        self.state = State.IDLE
        self._client = HdlcAddress(client)
        self._addresses = list(addresses)
        self._patience = patience
        self._tell = calling
        self._called: list[HdlcAddress] = []
        self._line = FrameLine(_INTER_OCTET, frozenset((FrameType.SNRM, FrameType.DISC)))
        self._deadline: float | None = None

    def connect(self) -> None:
        """Call the first address."""
        if self.state is State.IDLE:
            self.state = State.CALLING
            self._call()

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the stream, cut and disturbed anywhere."""
        events: list[LinkEvent] = []
        for frame in self._line.receive(octets, now):
            self._take(frame, events)
        return events

    def octets_to_send(self) -> bytes:
        """Return the frame that is due."""
        octets = self._line.octets_to_send()
        if octets and self.state in _WAITING:
            self._deadline = UNARMED
        return octets

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        if self.state not in _WAITING:
            return None
        times = (self._deadline, self._line.deadline())
        return min((at for at in times if at is not None), default=None)

    def tick(self, now: float) -> list[LinkEvent]:
        """Start the time of the last call, or let it run out."""
        events: list[LinkEvent] = []
        for frame in self._line.tick(now):
            self._take(frame, events)
        if self._deadline == UNARMED:
            self._deadline = now + self._patience
        elif self._deadline is not None and now >= self._deadline:
            for frame in self._line.give_up():
                self._take(frame, events)
            if self._deadline is not None:  # nobody was hidden by what has not come to its end
                self._deadline = None
                self._silence(events)
        return events

    def _call(self) -> None:
        address = self._addresses.pop(0)
        self._called.append(address)
        self._tell(address)
        self._line.put(address, self._client, Control(FrameType.SNRM))

    def _silence(self, events: list[LinkEvent]) -> None:
        if self.state is State.LEAVING:
            self._end(events)
        elif self._addresses:
            self._call()
        else:
            self.state = State.OVER
            events.append(LinkFailed(ConnectionFailed(f"no UA, DM or FRMR from {len(self._called)} HDLC addresses")))

    def _take(self, frame: HdlcFrame, events: list[LinkEvent]) -> None:
        answer = _ANSWERS.get(frame.control.type)
        if answer is None or frame.destination != self._client:
            return
        if self.state is State.LEAVING:
            self._end(events)
            return
        called = next((one for one in reversed(self._called) if same_station(frame.source, one)), None)
        if self.state is not State.CALLING or called is None:
            return
        self.heard = Heard(answer, _addressed(called, frame.source))
        if answer is Answer.UA:
            self.state = State.LEAVING
            self._deadline = None
            self._line.put(called, self._client, Control(FrameType.DISC))
        else:
            self._end(events)

    def _end(self, events: list[LinkEvent]) -> None:
        self.state = State.OVER
        self._deadline = None
        events.append(LinkDisconnected(self._called[-1].upper, self._client.upper))


def _addressed(called: HdlcAddress, answered: HdlcAddress) -> HdlcAddress:
    """Return the address to use: as it was called, with its own number where it was called as one of all."""
    everybody = called.lower is not None and called.lower >= called.all_station - 1
    same = answered.size == called.size and answered.lower is not None
    return answered if everybody and same else called


class TlsCall(_Call):
    """Says hello in TLS; LinkConnected where TLS answers, LinkFailed where anything else or nothing does.

    patience: seconds that an answer may take.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._due = b""
        self._came = bytearray()
        self._deadline: float | None = None
        self._over = False

    def connect(self) -> None:
        """Say hello. No certificate is looked at: nothing is sent beyond the hello."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        outgoing = ssl.MemoryBIO()
        try:
            context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
        except ssl.SSLWantReadError:
            self._due = outgoing.read()

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Look at the first octets."""
        self._came += octets
        if self._over or len(self._came) < 2:
            return []
        return self._end(bytes(self._came[:2]) in _TLS_RECORDS)

    def octets_to_send(self) -> bytes:
        """Return the hello, once."""
        octets, self._due = self._due, b""
        if octets:
            self._deadline = UNARMED
        return octets

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        return self._deadline

    def tick(self, now: float) -> list[LinkEvent]:
        """Start the time of the hello, or let it run out."""
        if self._deadline == UNARMED:
            self._deadline = now + self._patience
        elif self._deadline is not None and now >= self._deadline:
            return self._end(False)
        return []

    def _end(self, tls: bool) -> list[LinkEvent]:
        self._over = True
        self._deadline = None
        self._came.clear()
        return [LinkConnected(0, 0) if tls else LinkFailed(ConnectionFailed("no TLS record came"))]
