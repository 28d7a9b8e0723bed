"""TCP on asyncio, plain or with TLS: a client's connection, and a server that makes a receiver for each connection.

Made of asyncio's callback Protocols, not of its streams: octets go from the event loop to the receiver in one call.
They are read into one buffer for all connections of a thread: asyncio would ask for 256 KiB anew for each read, which
takes longer than all the rest of a round trip.
TCP_NODELAY is set, since every APDU is waited for; IPv4 and IPv6.

A server does not read from a client that does not read: while more than the high-water mark of the event loop's write
buffer waits to be sent, reading pauses, so that memory stays bounded. With TLS it makes the receiver of a connection
once both sides have proved who they are (:mod:`cosemic.transport.handshakes`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, cast

from cosemic.errors import CosemicError, TransportError
from cosemic.transport import wording
from cosemic.transport.contract import Receiver
from cosemic.transport.handshakes import Handshakes
from cosemic.transport.lifetime import Starts
from cosemic.transport.listening import BACKLOG, listeners

CLOSE_TIME = 5.0
"""How long, in seconds, octets that were written may take to leave after close(); then the connection is cut."""

_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
READ_SIZE = 66560
"""The most octets one read returns: a little more than 64 KiB, so that the longest APDU comes whole in its wrapper."""


class _Buffers(threading.local):
    """The read buffer of each thread: an event loop reads and hands on in one step, one connection after the other."""

    def __init__(self) -> None:
        self.octets = memoryview(bytearray(READ_SIZE))


_BUFFERS = _Buffers()


class TcpConnection(asyncio.BufferedProtocol):
    """A TCP connection (:class:`cosemic.transport.contract.Connection`); made by :func:`connect` and TcpServer.

    The methods below :meth:`wait_closed` are called by the event loop.
    """

    def __init__(
        self,
        receiver: Callable[[TcpConnection], Receiver],
        ended: Callable[[TcpConnection], None] | None = None,
        *,
        peer: str = "",
        pause: bool = False,
    ) -> None:
        self._make_receiver = receiver
        self._ended = ended
        self._peer = peer
        self._pause = pause
        self._receiver: Receiver | None = None
        self._transport: asyncio.Transport | None = None
        self._closing = False
        self._cut: asyncio.TimerHandle | None = None
        self._closed = asyncio.get_running_loop().create_future()
        self._buffer = _BUFFERS.octets

    @property
    def peer(self) -> str:
        """The other end: the host and port asked for, or the address of the client."""
        return self._peer

    @property
    def peer_certificate(self) -> bytes | None:
        """The certificate (DER) with which the other end proved who it is; None without TLS, and after the end."""
        secured = None if self._transport is None else self._transport.get_extra_info("ssl_object")
        return cast(ssl.SSLObject, secured).getpeercert(binary_form=True) if secured is not None else None

    def write(self, octets: bytes, /) -> None:
        """Send octets without waiting. Raises ConnectionLost after the end."""
        if self._transport is None or self._transport.is_closing():
            raise wording.closed_here(self._peer)
        self._transport.write(octets)

    def close(self) -> None:
        """End the connection after what was written, which may take CLOSE_TIME; nothing is received any more."""
        if self._transport is None or self._closing:
            return
        self._closing = True
        self._transport.close()
        self._cut = asyncio.get_running_loop().call_later(CLOSE_TIME, self._transport.abort)

    def finish(self) -> None:
        """Send no more, and wait for the peer to end it: where it does in order, it has taken all that was written."""
        if self._transport is None or self._closing:
            return
        self._closing = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:  # TLS knows no such half
            self._transport.close()

    def reset(self) -> None:
        """End the connection at once: what was written and waits is lost, and the peer sees a reset."""
        if self._transport is None:
            return
        self._closing = True
        with contextlib.suppress(OSError):  # it may have ended already
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    async def wait_closed(self) -> None:
        """Wait until the connection has ended and its receiver knows."""
        await asyncio.shield(self._closed)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: make the receiver."""
        # Not asked with isinstance: the transports of other event loops need not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        with contextlib.suppress(OSError):  # the peer may have gone already
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._peer:
            self._peer = wording.endpoint(*(transport.get_extra_info("peername") or ("the peer", 0))[:2])
        try:
            self._receiver = self._make_receiver(self)
        except BaseException:
            self._transport.abort()
            raise

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where to read to."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand octets on."""
        if self._receiver is not None:
            self._receiver.octets_received(bytes(self._buffer[:nbytes]))

    def pause_writing(self) -> None:
        """Read no more from a peer that does not read."""
        if self._pause and self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        if self._pause and self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: tell the receiver."""
        if self._cut is not None:
            self._cut.cancel()
        error: TransportError | None = None
        if exc is not None:
            error = wording.broken(self._peer, exc)
            error.__cause__ = exc
        elif not self._closing:
            error = wording.closed_by_peer(self._peer, self.peer_certificate is not None)
        self._closing = True
        receiver, self._receiver = self._receiver, None
        try:
            if receiver is not None:
                receiver.connection_lost(error)
        finally:
            if self._ended is not None:
                self._ended(self)
            if not self._closed.done():
                self._closed.set_result(None)


async def connect(
    host: str,
    port: int,
    receiver: Receiver,
    *,
    timeout: float,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
) -> TcpConnection:
    """Connect to a TCP server; ``receiver`` gets what comes.

    ``timeout``: seconds in all, the TLS handshake among them; where the host has several addresses each gets its share.
    ``tls``: what :func:`cosemic.transport.tls.tls_context` gives; ``server_name``: the name in the server's
    certificate, where it is not ``host``.
    Raises ConnectionFailed where nobody answers, AuthenticationFailed where the server's certificate is not good.
    Where the call is cancelled no socket stays open.
    """
    peer = wording.endpoint(host, port)
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    error: OSError | None = None
    secured: dict[str, Any] = {}
    if tls is not None:
        secured = {"ssl": tls, "server_hostname": server_name or wording.without_scope(host)}
        # Both are kept shorter here, by the time-out and by CLOSE_TIME.
        secured |= {"ssl_handshake_timeout": timeout + CLOSE_TIME, "ssl_shutdown_timeout": 2 * CLOSE_TIME}
    reached = False
    try:
        async with asyncio.timeout_at(end):
            addresses = await _addresses(host, port)
        for number, (family, type_, protocol, _, address) in enumerate(addresses):
            share = (end - loop.time()) / (len(addresses) - number)
            try:
                async with asyncio.timeout(share):
                    reached = False
                    sock = await _connected(socket.socket(family, type_, protocol), address)
                    reached = True
                    _, connection = await loop.create_connection(
                        lambda: TcpConnection(lambda _: receiver, peer=peer), sock=sock, **secured
                    )
                    return connection
            except OSError as failed:
                error = failed
    except OSError as failed:
        error = failed
    if tls is not None and reached and error is not None:
        raise wording.not_secured(peer, error) from error
    if error is None or wording.is_timeout(error):
        raise wording.unanswered(peer, timeout) from error
    raise wording.unreachable(peer, error) from error


async def _addresses(host: str, port: int) -> list[tuple[int, int, int, str, Any]]:
    try:
        # A numeric address needs no resolver, which asyncio would run in a thread.
        return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)]
    except socket.gaierror:
        return [*await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)]


async def _connected(sock: socket.socket, address: Any) -> socket.socket:
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


ReceiverFactory: TypeAlias = Callable[[TcpConnection], Receiver]


class TcpServer(Starts):
    """Listens on TCP; ``receiver`` makes the receiver of each connection.

    ``host`` is an address or a name, or several; None stands for all addresses of the machine, IPv4 and IPv6. ``port``
    0 takes a free one. ``tls``: what :func:`cosemic.transport.tls.tls_context` gives for a server. ``refused`` is told
    why a client did not get in (TLS): AuthenticationFailed, where its certificate is not good, or ConnectionFailed. Use
    it as an asynchronous context manager, or call :meth:`start` and :meth:`close`.

    A meter that connects to its head-end becomes a client session here as well: ``receiver`` gives what drives the
    session, or a :class:`cosemic.transport.incoming.IncomingConnection` that waits for it.
    """

    def __init__(
        self,
        receiver: ReceiverFactory,
        host: str | Sequence[str] | None,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        refused: Callable[[CosemicError], None] | None = None,
    ) -> None:
        self._make_receiver = receiver
        self._host = host
        self._port = port
        self._tls = tls
        self._servers: list[asyncio.Server] = []
        self._connections: set[TcpConnection] = set()
        self._handshakes = Handshakes(self._connection, refused)

    @property
    def port(self) -> int:
        """The port that is listened on; while there is none, the one asked for."""
        return int(self._servers[0].sockets[0].getsockname()[1]) if self._servers else self._port

    @property
    def connections(self) -> frozenset[TcpConnection]:
        """The connections that are open now."""
        return frozenset(self._connections)

    async def start(self) -> None:
        """Listen. Raises ConfigurationError where an address cannot be taken."""
        loop = asyncio.get_running_loop()
        newcomer = self._connection if self._tls is None else partial(self._handshakes.newcomer, self._tls)
        try:
            for sock in listeners(self._host, self._port):
                self._servers.append(
                    await loop.create_server(newcomer, sock=sock, backlog=BACKLOG, start_serving=False)
                )
            for server in self._servers:
                await server.start_serving()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Listen no more, end all connections, and wait until all receivers know."""
        if not self._servers:
            return
        servers, self._servers = self._servers, []
        # A selector loop loses the socket of a connection that is being accepted while its server closes: accept
        # nothing new, give what is under way the few turns it takes, then close.
        for each in [sock for server in servers for sock in server.sockets]:
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().remove_reader(each.fileno())
        for _ in range(3):
            await asyncio.sleep(0)
        for server in servers:
            server.close()
        await self._handshakes.close()
        while connections := self.connections:
            for connection in connections:
                connection.close()
            await asyncio.gather(*(connection.wait_closed() for connection in connections))

    def _connection(self) -> TcpConnection:
        return TcpConnection(self._accept, self._connections.discard, pause=True)

    def _accept(self, connection: TcpConnection) -> Receiver:
        self._connections.add(connection)
        return self._make_receiver(connection)
