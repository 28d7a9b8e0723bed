"""TCP for blocking code, plain or with TLS: one socket, deadlines, no threads."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import time
from collections.abc import Sequence
from math import inf
from typing import Any, ClassVar, Final, cast

from cosemic.errors import ResponseTimeout
from cosemic.transport import wording
from cosemic.transport.lifetime import Closes
from cosemic.transport.listening import listeners

READ_SIZE = 66560
"""The most octets one read returns: a little more than 64 KiB, so that the longest APDU comes whole in its wrapper."""

_NOT_NOW: Final = (TimeoutError, BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket says that would have to wait longer than it may."""


class BlockingSocketConnection(Closes):
    """A connection on a socket that is connected (:class:`cosemic.transport.contract.BlockingConnection`).

    ``timeout``: seconds that the peer may take to accept what is written. One thread uses it at a time.
    """

    _ends: ClassVar = True
    """Whether no octets are the end, as in a stream."""

    def __init__(self, sock: socket.socket, peer: str, timeout: float) -> None:
        self._peer = peer
        self._timeout = timeout
        self._waits = inf
        """The time-out of the socket in seconds; that which connecting left is taken as too long."""
        self._socket: socket.socket | None = sock

    @property
    def peer(self) -> str:
        """The other end: the host and port asked for, or the address of the client."""
        return self._peer

    @property
    def peer_certificate(self) -> bytes | None:
        """The certificate (DER) with which the other end proved who it is; None without TLS, and after the end."""
        return self._socket.getpeercert(binary_form=True) if isinstance(self._socket, ssl.SSLSocket) else None

    def write(self, octets: bytes, /) -> None:
        """Send octets. Raises ConnectionLost where the peer does not take them; the connection is closed then."""
        sock = self._open()
        try:
            sent = sock.send(octets)
            if sent == len(octets):
                return
        except _NOT_NOW:
            sent = 0
        except OSError as error:
            self.close()
            raise wording.broken(self._peer, error) from error
        self._write_all(sock, octets[sent:])

    def read(self, deadline: float | None = None) -> bytes:
        """Return the next octets, up to 66,560; none at the end of the stream.

        ``deadline``: on :func:`time.monotonic`; None waits for ever. What has come already is returned even after it.
        Raises ResponseTimeout where nothing comes by then (the connection stays open), ConnectionLost where the
        connection breaks.
        """
        sock = self._open()
        try:
            # The time-out of the socket is changed only where it is too long: that is one system call less a read. One
            # that ends too early is set anew below.
            left = inf if deadline is None else max(deadline - time.monotonic(), 0.0)
            if self._waits > left:
                self._set_timeout(sock, left)
            while True:
                waited: OSError | None = None
                try:
                    octets = sock.recv(READ_SIZE)
                    if octets or self._ends:
                        return octets
                except _NOT_NOW as error:
                    if isinstance(error, TimeoutError) and not wording.is_timeout(error):
                        raise  # the operating system gave the connection up
                    waited = error
                left = inf if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    raise wording.nothing_came(self._peer) from waited
                self._set_timeout(sock, left)
        except OSError as error:
            self.close()
            raise wording.broken(self._peer, error) from error

    def close(self) -> None:
        """End the connection. Does no harm when repeated."""
        sock, self._socket = self._socket, None
        if sock is None:
            return
        try:
            if isinstance(sock, ssl.SSLSocket):
                # The peer is told that this is the end (close_notify), and not waited for.
                with contextlib.suppress(OSError, ValueError):
                    sock.settimeout(0)
                    sock.unwrap()
        finally:
            sock.close()

    def _write_all(self, sock: socket.socket, octets: bytes) -> None:
        """Send what the peer did not take at once."""
        try:
            self._set_timeout(sock, self._timeout)
            sock.sendall(octets)
        except TimeoutError as error:
            self.close()
            raise wording.not_taken(self._peer, self._timeout) from error
        except OSError as error:
            self.close()
            raise wording.broken(self._peer, error) from error

    def _set_timeout(self, sock: socket.socket, seconds: float) -> None:
        self._waits = seconds
        sock.settimeout(None if seconds == inf else seconds)

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise wording.closed_here(self._peer)
        return self._socket


class BlockingTcpConnection(BlockingSocketConnection):
    """A TCP connection (:class:`cosemic.transport.contract.BlockingConnection`); TCP_NODELAY, IPv4 and IPv6.

    ``timeout``: seconds that connecting may take in all, the TLS handshake among them (where the host has several
    addresses each gets its share), and that the peer may take to accept what is written. ``tls``: what
    :func:`cosemic.transport.tls.tls_context` gives; ``server_name``: the name in the server's certificate, where it is
    not ``host``.
    Raises ConnectionFailed where nobody answers, AuthenticationFailed where the server's certificate is not good. One
    thread uses it at a time.
    """

    def __init__(
        self,
        host: str,
        port: int,
        timeout: float,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> None:
        peer = wording.endpoint(host, port)
        end = time.monotonic() + timeout
        error: OSError | None = None
        secured = False
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            for number, (family, type_, protocol, _, address) in enumerate(addresses):
                share = max((end - time.monotonic()) / (len(addresses) - number), 0.001)
                until = time.monotonic() + share
                try:
                    secured = False
                    sock = _connected(socket.socket(family, type_, protocol), address, share)
                    if tls is not None:
                        secured = True
                        name = server_name or wording.without_scope(host)
                        sock = _secured(sock, tls, until, server_name=name)
                    super().__init__(sock, peer, timeout)
                    return
                except OSError as failed:
                    error = failed
        except OSError as failed:
            error = failed
        if secured and error is not None:
            raise wording.not_secured(peer, error) from error
        if error is None or wording.is_timeout(error):
            raise wording.unanswered(peer, timeout) from error
        raise wording.unreachable(peer, error) from error


class BlockingTcpListener(Closes):
    """Listens on TCP for blocking code: meters that connect to their head-end, one at a time.

    ``host``, ``port`` and ``tls`` as of :class:`cosemic.transport.tcp.TcpServer`; ``timeout``: seconds that a client
    may take for its TLS handshake, and later to accept what is written. Raises ConfigurationError where an address
    cannot be taken.
    """

    def __init__(
        self,
        host: str | Sequence[str] | None,
        port: int,
        *,
        timeout: float = 10.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout = timeout
        self._tls = tls
        self._sockets = listeners(host, port)
        self._port = int(self._sockets[0].getsockname()[1])
        self._selector = selectors.DefaultSelector()
        for sock in self._sockets:
            sock.setblocking(False)  # who waited may have gone
            self._selector.register(sock, selectors.EVENT_READ)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    def accept(self, deadline: float | None = None) -> BlockingSocketConnection:
        """Return the connection of the next client.

        ``deadline``: on :func:`time.monotonic`; None waits for ever. Raises ResponseTimeout where nobody has connected
        by then; ConnectionFailed and AuthenticationFailed where the TLS handshake with a client fails, after which
        others may be accepted; ConnectionLost after :meth:`close`.
        """
        if not self._sockets:
            raise wording.closed_here(f"port {self._port}")
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            for key, _ in self._selector.select(left):
                listener = cast(socket.socket, key.fileobj)
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    return self._accepted(*listener.accept())
            if deadline is not None and time.monotonic() >= deadline:
                raise ResponseTimeout(f"nobody has connected to port {self._port} in time: wait on, or check the meter")

    def close(self) -> None:
        """Listen no more. Does no harm when repeated; connections go on."""
        sockets, self._sockets = self._sockets, []
        self._selector.close()
        for sock in sockets:
            sock.close()

    def _accepted(self, sock: socket.socket, address: Any) -> BlockingSocketConnection:
        sock.setblocking(True)  # some systems hand on what the listener is
        peer = wording.endpoint(*address[:2])
        with contextlib.suppress(OSError):  # the peer may have gone already
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            try:
                sock = _secured(sock, self._tls, time.monotonic() + self._timeout, server_side=True)
            except OSError as error:
                raise wording.not_secured(peer, error) from error
        return BlockingSocketConnection(sock, peer, self._timeout)


def _connected(sock: socket.socket, address: Any, timeout: float) -> socket.socket:
    try:
        sock.settimeout(timeout)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _secured(
    sock: socket.socket,
    tls: ssl.SSLContext,
    until: float,
    *,
    server_name: str | None = None,
    server_side: bool = False,
) -> ssl.SSLSocket:
    try:
        secured = tls.wrap_socket(
            sock, server_side=server_side, server_hostname=server_name, do_handshake_on_connect=False
        )
    except BaseException:
        sock.close()
        raise
    try:
        secured.settimeout(max(until - time.monotonic(), 0.001))
        secured.do_handshake()
    except BaseException:
        secured.close()
        raise
    return secured
