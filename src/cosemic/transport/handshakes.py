"""TLS handshakes of those who connect to a server on asyncio.

asyncio makes a server's protocol before it knows whether the handshake succeeds, tells nobody why it fails, and does
not end what is under way when the server closes. So each newcomer is greeted here::

    accepted --> handshake --> proved: TcpConnection, and with it the receiver
                    |
                    +--> refused(error): certificate not good, no TLS, too slow, too many at a time

Bounds: :data:`MOST_HANDSHAKES` at a time, :data:`HANDSHAKE_TIME` for each.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast

from cosemic.errors import ConnectionFailed, CosemicError
from cosemic.transport import wording

HANDSHAKE_TIME = 10.0
"""How long, in seconds, a client may take to prove who it is."""

MOST_HANDSHAKES: Final = 256
"""How many clients may be proving who they are at a time; those beyond are turned away."""

SHUTDOWN_TIME: Final = 10.0
"""Seconds until asyncio ends a connection that the peer does not end; connections cut it earlier themselves."""


class Handshakes:
    """The handshakes under way. ``connection`` makes the protocol of those who get in."""

    def __init__(
        self,
        connection: Callable[[], asyncio.BufferedProtocol],
        refused: Callable[[CosemicError], None] | None,
    ) -> None:
        self._connection = connection
        self._refused = refused
        self._tasks: set[asyncio.Task[None]] = set()

    def newcomer(self, tls: ssl.SSLContext) -> asyncio.Protocol:
        """Return the protocol of one who has just connected."""
        return _Newcomer(self, tls)

    async def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def begin(self, tls: ssl.SSLContext, transport: asyncio.Transport) -> None:
        """Greet a newcomer."""
        peer = wording.endpoint(*(transport.get_extra_info("peername") or ("the peer", 0))[:2])
        if len(self._tasks) >= MOST_HANDSHAKES:
            transport.abort()
            self._tell(ConnectionFailed(f"{peer} was turned away: {MOST_HANDSHAKES} TLS handshakes are under way"))
            return
        task = asyncio.get_running_loop().create_task(self._greet(tls, transport, peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _greet(self, tls: ssl.SSLContext, transport: asyncio.Transport, peer: str) -> None:
        early = _Early()
        try:
            async with asyncio.timeout(HANDSHAKE_TIME):
                secured = await asyncio.get_running_loop().start_tls(
                    transport,
                    early,
                    tls,
                    server_side=True,
                    ssl_handshake_timeout=2 * HANDSHAKE_TIME,
                    ssl_shutdown_timeout=SHUTDOWN_TIME,
                )
        except OSError as error:
            transport.abort()
            self._tell(wording.not_secured(peer, error))
        except BaseException:
            transport.abort()
            raise
        else:
            # In a call of its own: a receiver that cannot be made is told as with plain TCP.
            asyncio.get_running_loop().call_soon(self._admit, cast(asyncio.Transport, secured), early)

    def _admit(self, secured: asyncio.Transport, early: _Early) -> None:
        connection = self._connection()
        secured.set_protocol(connection)
        try:
            connection.connection_made(secured)
        finally:
            early.hand_on(connection)

    def _tell(self, error: CosemicError) -> None:
        if self._refused is not None:
            self._refused(error)


class _Newcomer(asyncio.Protocol):
    """Begins the handshake; octets go past it."""

    def __init__(self, handshakes: Handshakes, tls: ssl.SSLContext) -> None:
        self._handshakes = handshakes
        self._tls = tls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._handshakes.begin(self._tls, cast(asyncio.Transport, transport))


class _Early(asyncio.Protocol):
    """Keeps what comes between the end of the handshake and the making of the connection: a turn of the event loop."""

    def __init__(self) -> None:
        self._octets: list[bytes] = []
        self._ended = False
        self._error: Exception | None = None

    def data_received(self, data: bytes) -> None:
        self._octets.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._error = exc

    def hand_on(self, connection: asyncio.BufferedProtocol) -> None:
        for octets in self._octets:
            buffer = cast(memoryview, connection.get_buffer(len(octets)))
            for start in range(0, len(octets), len(buffer)):
                piece = octets[start : start + len(buffer)]
                buffer[: len(piece)] = piece
                connection.buffer_updated(len(piece))
        if self._ended:
            connection.connection_lost(self._error)
