"""A connection that the other end made, kept until somebody takes it: a meter that reports to its head-end.

Many meters open the connection themselves (IEC 62056-9-7; Push setup, Auto connect), say who they are, and are then
read over it. The listener accepts, the layers above look who it is, and a client session takes the connection over::

    incoming: asyncio.Queue[IncomingConnection]
    server = TcpServer(lambda connection: IncomingConnection(connection, incoming.put_nowait), None, 4059)
    arrival = await incoming.get()
    connection = arrival.take(receiver)         # what has come already follows in the next turn of the event loop

Bounds: :data:`MOST_KEPT` octets are kept; a peer that sends more before it is taken is closed, as is one that nobody
takes for ``timeout``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from cosemic.errors import TransportError
from cosemic.transport import wording
from cosemic.transport.contract import Connection, Receiver

MOST_KEPT: Final = 1 << 16
"""Octets."""

AnyConnection = TypeVar("AnyConnection", bound=Connection)


class IncomingConnection(Generic[AnyConnection]):
    """The receiver of a connection until :meth:`take` gives it another one; works on any medium.

    ``arrived`` is told once the connection is there. ``timeout``: seconds until it has to be taken.
    """

    def __init__(
        self,
        connection: AnyConnection,
        arrived: Callable[[IncomingConnection[AnyConnection]], object],
        *,
        timeout: float = 60.0,
    ) -> None:
        self.connection = connection
        self._receiver: Receiver | None = None
        self._octets: list[bytes] = []
        self._size = 0
        self._ended = False
        self._error: TransportError | None = None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(timeout, connection.close)
        loop.call_soon(arrived, self)

    @property
    def peer(self) -> str:
        """The other end, for messages."""
        return self.connection.peer

    @property
    def ended(self) -> bool:
        """Whether the connection is over."""
        return self._ended

    @property
    def kept(self) -> bytes:
        """What has come so far and nobody has taken: it may say who the other end is."""
        return b"".join(self._octets)

    def take(self, receiver: Receiver) -> AnyConnection:
        """Return the connection; ``receiver`` gets what has come, and all that follows.

        Raises ConnectionLost where it has ended already, or another took it.
        """
        if self._ended or self._receiver is not None:
            raise self._error or wording.closed_here(self.peer)
        self._timer.cancel()
        self._receiver = receiver
        asyncio.get_running_loop().call_soon(self._hand_on)
        return self.connection

    def octets_received(self, octets: bytes, /) -> None:
        """Keep octets, or hand them on."""
        if self._receiver is not None:
            self._hand_on()
            self._receiver.octets_received(octets)
            return
        self._octets.append(octets)
        self._size += len(octets)
        if self._size > MOST_KEPT:
            self._octets.clear()
            self.connection.close()

    def connection_lost(self, error: TransportError | None, /) -> None:
        """Learn of the end, or tell it on."""
        self._timer.cancel()
        self._hand_on()
        self._ended = True
        self._error = error
        if self._receiver is not None:
            self._receiver.connection_lost(error)

    def _hand_on(self) -> None:
        if self._receiver is not None:
            kept, self._octets = self._octets, []
            for octets in kept:
                self._receiver.octets_received(octets)
