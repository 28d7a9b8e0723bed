"""UDP on asyncio to one peer: each write is one datagram, each that comes is given to the receiver whole.

Nothing says whether a datagram arrives: time-outs and repetition belong to the layers above (IEC 62056-9-7). What is
said is that nobody listens (ICMP): the connection ends with ConnectionLost. Multicast and broadcast go out the same
way; nothing comes back over them, since answers have another address.

Datagrams that the system does not take at once wait, up to :data:`MOST_WAITING` octets; those beyond are lost, as they
may be on any network.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final, cast

from cosemic.errors import ConnectionLost, TransportError
from cosemic.transport import wording
from cosemic.transport.contract import Receiver
from cosemic.transport.datagrams import UdpOptions, connected_socket

MOST_WAITING: Final = 1 << 20
"""Octets that wait to be sent."""

_TO_ONE: Final = UdpOptions()


class UdpConnection(asyncio.DatagramProtocol):
    """Datagrams to and from one peer (:class:`cosemic.transport.contract.Connection`); made by :func:`connect_udp`.

    The methods below :meth:`wait_closed` are called by the event loop.
    """

    def __init__(self, peer: str, receiver: Receiver) -> None:
        self._peer = peer
        self._receiver: Receiver | None = receiver
        self._transport: asyncio.DatagramTransport | None = None
        self._error: ConnectionLost | None = None
        self._closing = False
        self._closed = asyncio.get_running_loop().create_future()

    @property
    def peer(self) -> str:
        """The other end: the host and port asked for."""
        return self._peer

    def write(self, octets: bytes, /) -> None:
        """Send one datagram without waiting. Raises ConnectionLost after the end."""
        if self._transport is None or self._closing:
            raise wording.closed_here(self._peer)
        send_datagram(self._transport, octets)

    def close(self) -> None:
        """End the connection after what was written; nothing is received any more. Does no harm when repeated."""
        self._end(None)

    async def wait_closed(self) -> None:
        """Wait until the connection has ended and its receiver knows."""
        await asyncio.shield(self._closed)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Hand a datagram on."""
        if data and self._receiver is not None and not self._closing:
            self._receiver.octets_received(data)

    def error_received(self, exc: Exception) -> None:
        """End: the peer, or a network on the way, says that datagrams do not arrive."""
        error = wording.broken(self._peer, exc)
        error.__cause__ = exc
        self._end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: tell the receiver."""
        error: TransportError | None = self._error
        if exc is not None and error is None:
            error = wording.broken(self._peer, exc)
        self._closing = True
        receiver, self._receiver = self._receiver, None
        try:
            if receiver is not None:
                receiver.connection_lost(error)
        finally:
            if not self._closed.done():
                self._closed.set_result(None)

    def _end(self, error: ConnectionLost | None) -> None:
        if self._transport is None or self._closing:
            return
        self._closing = True
        self._error = error
        if error is None:
            self._transport.close()
        else:  # what waits would not arrive either
            self._transport.abort()


def send_datagram(
    transport: asyncio.DatagramTransport, octets: bytes, address: tuple[object, ...] | None = None
) -> None:
    """Send one datagram, or lose it where too much waits already."""
    # All event loops have it; it is only not declared for datagrams.
    if cast(asyncio.WriteTransport, transport).get_write_buffer_size() + len(octets) <= MOST_WAITING:
        transport.sendto(octets, address)


async def connect_udp(
    host: str, port: int, receiver: Receiver, *, timeout: float, options: UdpOptions = _TO_ONE
) -> UdpConnection:
    """Be ready to exchange datagrams with a peer; ``receiver`` gets what comes from it.

    ``host`` may be a link-local address with its interface (``fe80::1%eth0``), a multicast address, or, where
    ``options`` say so, a broadcast address. ``timeout``: seconds that finding the address of a name may take. Raises
    ConnectionFailed where there is no address or no route; whether somebody listens is not known before an answer.
    """
    peer = wording.endpoint(host, port)
    loop = asyncio.get_running_loop()
    try:
        try:
            # A numeric address needs no resolver, which asyncio would run in a thread.
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            async with asyncio.timeout(timeout):
                addresses = [*await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)]
        sock = connected_socket(addresses, options)
    except OSError as error:
        if wording.is_timeout(error):
            raise wording.unanswered(peer, timeout) from error
        raise wording.unreachable(peer, error) from error
    sock.setblocking(False)
    _, connection = await loop.create_datagram_endpoint(lambda: UdpConnection(peer, receiver), sock=sock)
    return connection
