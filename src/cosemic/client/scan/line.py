"""Drives one link on asyncio through the making of its connection, and looks at what comes back meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from cosemic.errors import ConnectionLost, CosemicError, TransportError
from cosemic.link.contract import Link, LinkConnected, LinkDisconnected, LinkEvent, LinkFailed
from cosemic.stack import Address, Layer, Trace
from cosemic.transport.contract import Connection, Receiver
from cosemic.transport.outlet import send_due
from cosemic.values import LineSettings

Connector: TypeAlias = Callable[[Address, Receiver], Awaitable[Connection]]
"""Makes a connection over the medium of an address. Raises ConnectionFailed."""
_SHOWN: Final = 16
"""Octets that are kept of what came."""


class LinkDriver:
    """A link on one connection (:class:`cosemic.transport.contract.Receiver`)."""

    def __init__(self, link: Link, trace: Trace | None = None) -> None:
        self.echoed = False
        """Whether the medium gave back what was sent."""
        self.came = b""
        """The first octets that came and are no echo."""
        self.count = 0
        """How many octets came."""
        self._link = link
        self._trace = trace
        self._loop = asyncio.get_running_loop()
        self._connection: Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._first: bytes | None = None
        """What is left to come of the echo of the first octets sent."""
        self._end: asyncio.Future[LinkEvent] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()

    async def run(self, address: Address, connect: Connector) -> LinkEvent:
        """Connect, and return what the link says: LinkConnected, LinkDisconnected or LinkFailed.

        Raises ConnectionFailed where the medium cannot be connected. The medium is closed afterwards.
        """
        self._connection = await connect(address, self)
        try:
            if self._trace is not None:
                self._trace.connected(self._connection.peer)
            self._link.connect()
            self._go_on()
            return await self._end
        finally:
            await self._close()

    async def _close(self) -> None:
        """Send what is left to be said, and wait until the medium has ended."""
        if self._timer is not None:
            self._timer.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            await asyncio.shield(self._gone)

    def octets_received(self, octets: bytes, /) -> None:
        """Hand in what came."""
        self._seen(False, octets)
        self.count += len(octets)
        echo = self._echo(octets)
        self.came += octets[len(echo) :][: _SHOWN - len(self.came)]
        self._take(self._link.receive(octets, self._loop.time()))
        self._go_on()

    def _echo(self, octets: bytes) -> bytes:
        """Return what of the octets is the echo of the first ones sent; later ones may be repeated by a meter."""
        if self._first is None or not self._first.startswith(octets[: len(self._first)]):
            self._first = b""
            return b""
        echo = octets[: len(self._first)]
        self._first = self._first[len(echo) :]
        self.echoed = self.echoed or bool(echo and not self._first)
        return echo

    def connection_lost(self, error: TransportError | None, /) -> None:
        """The medium has ended."""
        self._connection = None
        if not self._gone.done():
            self._gone.set_result(None)
        self._over(LinkFailed(error or ConnectionLost("closed here")))

    def _take(self, events: list[LinkEvent]) -> None:
        for event in events:
            if isinstance(event, LinkConnected | LinkDisconnected | LinkFailed):
                self._over(event)

    def _over(self, event: LinkEvent) -> None:
        if not self._end.done():
            self._end.set_result(event)

    def _go_on(self) -> None:
        """Send what is due, tell the time after sending, and wait for the deadline."""
        link, connection = self._link, self._connection
        if connection is None:
            return
        try:
            send_due(self, connection)
        except CosemicError as error:
            self._over(LinkFailed(error))
            return
        if self._end.done():
            return
        self._take(link.tick(self._loop.time()))
        deadline = link.deadline()
        if self._timer is not None:
            self._timer.cancel()
        if deadline is not None and not self._end.done():
            self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        self._take(self._link.tick(self._loop.time()))
        self._go_on()

    def octets_to_send(self) -> bytes:
        """Return what the link has to send, having looked at it."""
        octets = self._link.octets_to_send()
        if octets:
            if self._first is None:
                self._first = octets
            self._seen(True, octets)
        return octets

    def line_to_set(self) -> LineSettings | None:
        """Return how the link wants the port set."""
        return self._link.line_to_set()

    def _seen(self, sent: bool, octets: bytes) -> None:
        if self._trace is not None:
            self._trace.octets(Layer.MEDIUM, sent, octets)
