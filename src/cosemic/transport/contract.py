"""What a connection is, whatever carries its octets.

On asyncio octets are handed to a :class:`Receiver` as they come; blocking code asks for them::

    Receiver                    Connection                BlockingConnection
    octets_received(octets)     write(octets)             write(octets)
    connection_lost(error)      close()                   read(deadline) -> octets
                                                          close()

Deadlines are points in time on :func:`time.monotonic`, in seconds.

On a datagram medium each write is one datagram, and so is what a receiver or reader is given at a time.

Some connections can do more, and say so by what they have::

    set_line(line)          ConfigurableConnection, BlockingConfigurableConnection: a serial port
    peer_certificate        CertifiedConnection: TCP, which may be secured by TLS
"""

from __future__ import annotations

from typing import Protocol

from cosemic.errors import TransportError
from cosemic.values import LineSettings


class Receiver(Protocol):
    """Takes what comes over one connection. Its methods are called one at a time and must not block."""

    def octets_received(self, octets: bytes, /) -> None:
        """Take the next octets, one or more."""

    def connection_lost(self, error: TransportError | None, /) -> None:
        """Learn, exactly once and as the last call, that the connection has ended.

        ``error`` is None where this side closed it, ConnectionLost where the peer closed it or the medium failed.
        """


class Connection(Protocol):
    """A connection on asyncio."""

    @property
    def peer(self) -> str:
        """The other end, for messages."""

    def write(self, octets: bytes, /) -> None:
        """Hand octets to the medium, in order, without waiting. Raises ConnectionLost after the end."""

    def close(self) -> None:
        """End the connection after what was written; nothing is received any more. Does no harm when repeated."""


class ConfigurableConnection(Connection, Protocol):
    """A connection on asyncio over a port whose rate and character format can be set."""

    def set_line(self, line: LineSettings, /) -> None:
        """Set the port in order with what is written, without waiting: what was written before leaves it first.

        Raises ConnectionLost after the end. A port that cannot be set so ends the connection.
        """


class CertifiedConnection(Protocol):
    """A connection, on asyncio or blocking, whose other end may have proved who it is by a certificate (TLS)."""

    @property
    def peer_certificate(self) -> bytes | None:
        """The certificate (DER); None where there is none, as without TLS."""


class BlockingConnection(Protocol):
    """A connection for blocking code."""

    @property
    def peer(self) -> str:
        """The other end, for messages."""

    def write(self, octets: bytes, /) -> None:
        """Send octets. Raises ConnectionLost where the peer takes them no more."""

    def read(self, deadline: float | None = None) -> bytes:
        """Return the next octets, one or more; none at the end of the stream.

        Raises ResponseTimeout where nothing has come when the deadline passes, ConnectionLost where the connection
        breaks or was closed here.
        """

    def close(self) -> None:
        """End the connection. Does no harm when repeated."""


class BlockingConfigurableConnection(BlockingConnection, Protocol):
    """A connection for blocking code over a port whose rate and character format can be set."""

    def set_line(self, line: LineSettings, /) -> None:
        """Wait until what was written has left the port, then set it.

        Raises ConnectionLost where the port cannot be set so, or has gone.
        """
