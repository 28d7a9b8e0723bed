"""TCP for blocking code: one socket, deadlines, no threads."""

from __future__ import annotations

import socket
import time
from math import inf
from types import TracebackType
from typing import Any

from cosemic.errors import ResponseTimeout
from cosemic.transport import wording

READ_SIZE = 65536
"""The most octets one read returns."""


class BlockingTcpConnection:
    """A TCP connection (:class:`cosemic.transport.contract.BlockingConnection`); TCP_NODELAY, IPv4 and IPv6.

    ``timeout``: seconds that connecting may take in all (where the host has several addresses each gets its share), and
    that the peer may take to accept what is written.
    Raises ConnectionFailed where nobody answers. One thread uses it at a time.
    """

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._peer = wording.endpoint(host, port)
        self._timeout = timeout
        self._waits = inf
        """The time-out of the socket in seconds; that which connecting left is taken as too long."""
        self._socket: socket.socket | None = self._connected(host, port)

    @property
    def peer(self) -> str:
        """The other end: the host and port asked for."""
        return self._peer

    def write(self, octets: bytes, /) -> None:
        """Send octets. Raises ConnectionLost where the peer does not take them; the connection is closed then."""
        sock = self._open()
        try:
            sent = sock.send(octets)
            if sent == len(octets):
                return
        except (TimeoutError, BlockingIOError):
            sent = 0
        except OSError as error:
            self.close()
            raise wording.broken(self._peer, error) from error
        self._write_all(sock, octets[sent:])

    def read(self, deadline: float | None = None) -> bytes:
        """Return the next octets, up to 65,536; none at the end of the stream.

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
                try:
                    return sock.recv(READ_SIZE)
                except (TimeoutError, BlockingIOError) as error:
                    if not isinstance(error, BlockingIOError) and not wording.is_timeout(error):
                        raise  # the operating system gave the connection up
                    left = inf if deadline is None else deadline - time.monotonic()
                    if left <= 0:
                        raise ResponseTimeout(
                            f"{self._peer} sent nothing in time: repeat, or allow more time"
                        ) from error
                    self._set_timeout(sock, left)
        except OSError as error:
            self.close()
            raise wording.broken(self._peer, error) from error

    def close(self) -> None:
        """End the connection. Does no harm when repeated."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def __enter__(self) -> BlockingTcpConnection:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

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

    def _connected(self, host: str, port: int) -> socket.socket:
        end = time.monotonic() + self._timeout
        error: OSError | None = None
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            for number, (family, type_, protocol, _, address) in enumerate(addresses):
                share = (end - time.monotonic()) / (len(addresses) - number)
                try:
                    return _connected(socket.socket(family, type_, protocol), address, max(share, 0.001))
                except OSError as failed:
                    error = failed
        except OSError as failed:
            error = failed
        if error is None or wording.is_timeout(error):
            raise wording.unanswered(self._peer, self._timeout) from error
        raise wording.unreachable(self._peer, error) from error


def _connected(sock: socket.socket, address: Any, timeout: float) -> socket.socket:
    try:
        sock.settimeout(timeout)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock
