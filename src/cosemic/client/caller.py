"""One connection that was made from outside: what comes first says what it is (IEC 62056-9-7; transports 1 and 2).

::

    notifications                       pushed; more may follow
    nothing for ``patience`` seconds    somebody who wants to be read: it is asked who it is
    silence of ``quiet`` seconds        after a notification the same, where the connection is kept open
    silence of ``idle`` seconds         a known meter that nobody reads, and that has pushed: the connection is closed
    nothing whole in ``idle`` seconds   noted as a stranger, and closed, however much comes
    anything else                       noted as a stranger, and closed

WPDUs are cut here: a session that takes the connection over gets those between its SAPs, and pushes go on.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from struct import Struct
from typing import Final, Protocol

from cosemic.association.notifications import Notified
from cosemic.association.notified import NotificationReceiver, ReceiverEvent
from cosemic.client.recognising import Recognised
from cosemic.errors import ConnectionLost, CosemicError, DecodeError, ProtocolError, TransportError
from cosemic.link.wrapper import HEADER_LENGTH, VERSION, WrapperHeader, decode_wrapper
from cosemic.transport.contract import Connection, Receiver

_HEADER: Final = Struct(">HHHH")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. patience: without a word, before the other end is asked who it is. quiet: of silence after a
    notification, before it is taken for an announcement. waiting: until a session is taken. idle: of silence of a meter
    that pushes, before its connection is closed; a stranger has as long to bring one notification that counts.
    """

    patience: float = 5.0
    quiet: float = 5.0
    waiting: float = 60.0
    idle: float = 3600.0


class Host(Protocol):
    """Who decides about callers."""

    def receiver(self) -> NotificationReceiver:
        """Return what takes the notifications of one caller; it confirms when it is told."""

    def heard(self, caller: Caller, events: list[ReceiverEvent], header: WrapperHeader) -> None:
        """Learn what a caller has sent, and between which SAPs."""

    def silent(self, caller: Caller) -> None:
        """Learn that a caller waits, it may be to be read."""

    def wrong(self, caller: Caller, error: CosemicError) -> None:
        """Learn that a caller sends what is no WPDU."""

    def gone(self, caller: Caller) -> None:
        """Learn that the connection has ended."""


class Caller:
    """The receiver of one connection, until a session takes it over (:class:`cosemic.transport.contract.Receiver`).

    datagrams: over UDP, where each is a WPDU of its own; nobody waits there to be read.
    """

    def __init__(self, connection: Connection, host: Host, patience: Patience, *, datagrams: bool = False) -> None:
        self.connection = connection
        self.recognised: Recognised | None = None
        self.notified = 0
        """Notifications that were taken."""
        self.refused = 0
        self.offers = 0
        """How often it was offered as a session."""
        self.rests = False
        """Whether it has pushed and was offered, and has been silent since."""
        self.ended = False
        self.receiver: Final = host.receiver()
        self._host = host
        self._patience = patience
        self._datagrams = datagrams
        self._cut = bytearray()
        self._session: Receiver | None = None
        self._saps: frozenset[tuple[int, int]] = frozenset()
        """Source and destination of what is for the session."""
        self._timer: asyncio.TimerHandle | None = None
        self._block_timer: asyncio.TimerHandle | None = None
        self._error: TransportError | None = None
        self._until = asyncio.get_running_loop().time() + patience.idle
        """When a stranger is to have said something that counts."""
        self._wait(patience.patience)

    @property
    def taken(self) -> bool:
        """Whether a session has the connection."""
        return self._session is not None

    @property
    def peer(self) -> str:
        """The other end."""
        return self.connection.peer

    def close(self) -> None:
        """End the connection; nothing more is taken from it."""
        self._end()
        self.connection.close()

    # ---- handing over -----------------------------------------------------------------------------------------------

    def take(self, session: Receiver, saps: frozenset[tuple[int, int]]) -> Connection:
        """Give the connection to a session, which gets what comes between these SAPs, the meter's first.

        Raises ConnectionLost where it has ended, or another session has it.
        """
        if self.ended or self._session is not None:
            raise self._error or ConnectionLost("the connection that the meter made is gone: wait until it calls again")
        self._stop()
        self._session, self._saps = session, saps
        return self.connection

    def take_back(self) -> None:
        """The session that asked who it is has ended, and the connection goes on."""
        self._session = None

    def offered(self) -> None:
        """Wait until a session takes it; where none does, it is silent again."""
        self.offers += 1
        self._wait(self._patience.waiting)

    def offer_later(self) -> None:
        """Be silent again after some seconds: it cannot be offered now."""
        self._wait(self._patience.quiet)

    def rest(self) -> None:
        """Wait for what it pushes next."""
        self.rests = True
        self._wait(self._patience.idle)

    # ---- what comes -------------------------------------------------------------------------------------------------

    def octets_received(self, octets: bytes, /) -> None:
        """Take what comes, or hand it on."""
        if self._datagrams:
            with suppress(DecodeError):
                self._take(octets)
            if self.recognised is None and not self.notified and self.receiver.deadline() is None:
                self.close()  # anybody can send one, from any address
        else:
            self._cut += octets
            self._take_stream()

    def _take_stream(self) -> None:
        cut = self._cut
        while len(cut) >= HEADER_LENGTH and not self.ended:
            version, source, destination, length = _HEADER.unpack_from(cut)
            if version != VERSION:
                cut.clear()
                self._host.wrong(self, ProtocolError("what comes is no wrapper (IEC 62056-4-7)"))
                return
            end = HEADER_LENGTH + length
            if len(cut) < end:
                return
            whole = bytes(cut[:end])
            del cut[:end]
            if self._session is not None and (source, destination) in self._saps:
                self._session.octets_received(whole)
            else:
                self._take(whole)

    def _take(self, wpdu: bytes) -> None:
        """Take a WPDU. Raises DecodeError."""
        header, apdu = decode_wrapper(wpdu)
        if not apdu or self.ended:
            return
        now = asyncio.get_running_loop().time()
        self.rests = False
        self._wait(self._patience.quiet)
        recognised = self.recognised
        self.receiver.sender = None if recognised is None else recognised.security.client.server_title
        events = self.receiver.receive(apdu, now)
        if events:
            self._host.heard(self, events, header)
        self._answer(header)
        self._watch_blocks(header)
        if not self.ended and not self.notified and self.recognised is None and now > self._until:
            self._host.wrong(self, ProtocolError("it sends and sends, and no notification that counts has come"))

    def _watch_blocks(self, header: WrapperHeader) -> None:
        """Have a message in blocks dropped that stands still."""
        deadline = self.receiver.deadline()
        if self._block_timer is not None:
            self._block_timer.cancel()
            self._block_timer = None
        if deadline is not None and not self.ended:
            self._block_timer = asyncio.get_running_loop().call_at(deadline, self._blocks_stand_still, header, deadline)

    def _blocks_stand_still(self, header: WrapperHeader, deadline: float) -> None:
        self._block_timer = None
        self._host.heard(self, self.receiver.tick(deadline), header)

    def confirm(self, notified: Notified, header: WrapperHeader) -> None:
        """Confirm a notification that came between these SAPs; nothing where the connection has ended.

        Raises AssociationError for one that is not to be confirmed, SecurityError.
        """
        self.receiver.confirm(notified)
        self._answer(header)

    def _answer(self, header: WrapperHeader) -> None:
        while apdu := self.receiver.octets_to_send():
            back = WrapperHeader(header.destination, header.source, len(apdu)).encode()
            with suppress(TransportError):
                self.connection.write(back + apdu)

    def connection_lost(self, error: TransportError | None, /) -> None:
        """Learn of the end."""
        self._end()
        self._error = error
        if self._session is not None:
            self._session.connection_lost(error)
        self._host.gone(self)

    def _end(self) -> None:
        self._stop()
        self.ended = True
        self.receiver.drop()
        if self._block_timer is not None:
            self._block_timer.cancel()
            self._block_timer = None

    def _silent(self) -> None:
        self._timer = None
        self._host.silent(self)

    def _wait(self, seconds: float) -> None:
        self._stop()
        if not self._datagrams and self._session is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._silent)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
