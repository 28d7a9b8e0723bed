"""UDP on asyncio for a server or a listener: each peer address has its own connection and receiver.

There are no connections in UDP; a peer is one while it is heard::

    first datagram  --> connection, and its receiver made
    datagram        --> to that receiver, whole
    silence         --> after idle_timeout it is let go (connection_lost(None)); the next datagram makes another one

Bounds: ``max_peers`` at a time. While there are so many, datagrams of further addresses are passed over, so that forged
addresses cannot end what is under way; datagrams that wait to be sent are bounded as in
:mod:`cosemic.transport.udp`.

Groups may be joined, so that multicast comes too; broadcast comes by itself where all addresses are listened on. An
answer always goes to the one peer.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias, cast

from cosemic.errors import TransportError
from cosemic.transport import wording
from cosemic.transport.contract import Receiver
from cosemic.transport.datagrams import MulticastGroup, bound_sockets
from cosemic.transport.lifetime import Starts
from cosemic.transport.listening import SocketAddress
from cosemic.transport.udp import send_datagram

IDLE_TIME = 600.0
"""Seconds of silence after which a peer is let go, where nothing else is said."""


class UdpPeer:
    """Datagrams to and from one peer of a server (:class:`cosemic.transport.contract.Connection`)."""

    def __init__(self, endpoint: _Endpoint, address: SocketAddress, ended: Callable[[UdpPeer], None]) -> None:
        self._endpoint = endpoint
        self._address = address
        self._ended = ended
        self._receiver: Receiver | None = None
        self._closing = False
        self.heard = 0.0
        """When the last datagram came, on the clock of the event loop."""

    @property
    def peer(self) -> str:
        """The address and port of the other end."""
        return wording.endpoint(*self._address[:2])

    def write(self, octets: bytes, /) -> None:
        """Send one datagram without waiting. Raises ConnectionLost after the end."""
        if self._closing:
            raise wording.closed_here(self.peer)
        self._endpoint.send(self, octets, self._address)

    def close(self) -> None:
        """Let the peer go; what it sends next makes another connection. Does no harm when repeated."""
        self.end(None)

    def received(self, octets: bytes, make: ReceiverFactory) -> None:
        """Hand a datagram on, the first one to a new receiver."""
        if self._receiver is None:
            self._receiver = make(self)
        if not self._closing:
            self._receiver.octets_received(octets)

    def end(self, error: TransportError | None) -> None:
        """Tell the receiver, in a turn of its own, that this was it."""
        if self._closing:
            return
        self._closing = True
        self._ended(self)
        asyncio.get_running_loop().call_soon(self._tell, error)

    def _tell(self, error: TransportError | None) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.connection_lost(error)


ReceiverFactory: TypeAlias = Callable[[UdpPeer], Receiver]


class UdpServer(Starts):
    """Receives datagrams; ``receiver`` makes the receiver of each peer.

    ``host`` is an address or a name, or several; None stands for all addresses of the machine. ``port`` 0 takes a free
    one. ``groups`` are joined. ``max_peers``, ``idle_timeout`` (seconds): see above. Use it as an asynchronous context
    manager, or call :meth:`start` and :meth:`close`.
    """

    def __init__(
        self,
        receiver: ReceiverFactory,
        host: str | Sequence[str] | None,
        port: int,
        *,
        groups: Sequence[MulticastGroup] = (),
        max_peers: int = 1024,
        idle_timeout: float = IDLE_TIME,
    ) -> None:
        self._make_receiver = receiver
        self._host = host
        self._port = port
        self._groups = groups
        self._max_peers = max_peers
        self._idle_timeout = idle_timeout
        self._endpoints: list[_Endpoint] = []
        self._peers: OrderedDict[tuple[_Endpoint, SocketAddress], UdpPeer] = OrderedDict()
        """The one that has been silent longest comes first."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; while there is none, the one asked for."""
        return self._endpoints[0].port if self._endpoints else self._port

    @property
    def connections(self) -> frozenset[UdpPeer]:
        """The peers that are heard now."""
        return frozenset(self._peers.values())

    async def start(self) -> None:
        """Listen. Raises ConfigurationError where an address cannot be taken, or a group not joined."""
        loop = asyncio.get_running_loop()
        sockets = bound_sockets(self._host, self._port, self._groups)
        try:
            while sockets:
                sock = sockets[0]
                sock.setblocking(False)
                port = int(sock.getsockname()[1])
                _, endpoint = await loop.create_datagram_endpoint(partial(_Endpoint, self._received, port), sock=sock)
                self._endpoints.append(endpoint)
                del sockets[0]
        except BaseException:
            for sock in sockets[1:]:  # the first is the event loop's
                sock.close()
            await self.close()
            raise

    async def close(self) -> None:
        """Listen no more, let all peers go, and wait until all receivers know."""
        endpoints, self._endpoints = self._endpoints, []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for peer in self.connections:
            peer.close()
        for endpoint in endpoints:
            endpoint.close()
        await asyncio.gather(*(endpoint.closed for endpoint in endpoints))

    def _received(self, endpoint: _Endpoint, octets: bytes, address: SocketAddress) -> None:
        peer = self._peers.get((endpoint, address))
        if peer is None:
            if len(self._peers) >= self._max_peers or endpoint not in self._endpoints:
                return
            peer = UdpPeer(endpoint, address, partial(self._gone, (endpoint, address)))
            self._peers[endpoint, address] = peer
        peer.heard = asyncio.get_running_loop().time()
        self._peers.move_to_end((endpoint, address))
        if self._timer is None:
            self._let_idle_go()
        try:
            peer.received(octets, self._make_receiver)
        except BaseException as error:
            peer.end(wording.broken(peer.peer, error))
            raise

    def _gone(self, key: tuple[_Endpoint, SocketAddress], _: UdpPeer) -> None:
        del self._peers[key]

    def _let_idle_go(self) -> None:
        """Let those go that have been silent for too long, and look again when the next one has been."""
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._peers:
            oldest = next(iter(self._peers.values()))
            due = oldest.heard + self._idle_timeout
            if due > loop.time():
                self._timer = loop.call_at(due, self._let_idle_go)
                return
            oldest.close()


class _Endpoint(asyncio.DatagramProtocol):
    """One socket of a server."""

    def __init__(self, received: Callable[[_Endpoint, bytes, SocketAddress], None], port: int) -> None:
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None
        self._writing: UdpPeer | None = None
        self.port = port
        self.closed = asyncio.get_running_loop().create_future()

    def send(self, peer: UdpPeer, octets: bytes, address: SocketAddress) -> None:
        if self._transport is None:
            return
        self._writing = peer
        try:
            send_datagram(self._transport, octets, address)
        finally:
            self._writing = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: SocketAddress) -> None:
        if data:
            self._received(self, data, addr)

    def error_received(self, exc: Exception) -> None:
        # What is not said while a datagram is handed over is of an earlier one, to whomever: it ends nobody.
        if self._writing is not None:
            self._writing.end(wording.broken(self._writing.peer, exc))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
