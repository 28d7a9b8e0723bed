"""Serial ports for blocking code, on every system, through pyserial: one port, deadlines, no threads."""

from __future__ import annotations

import time
from math import inf

from cosemic.transport import wording
from cosemic.transport.blocking import BlockingTcpConnection
from cosemic.transport.lifetime import Closes
from cosemic.transport.serial_port import (
    DEFAULT_LINE,
    PLAIN,
    Port,
    SerialOptions,
    close_port,
    drain_port,
    gone,
    has_come,
    most_at_once,
    open_port,
    read_port,
    set_line,
    socket_address,
    write_port,
)
from cosemic.values import LineSettings


def open_serial_blocking(
    name: str, *, line: LineSettings = DEFAULT_LINE, timeout: float = 5.0, options: SerialOptions = PLAIN
) -> BlockingSerialConnection | BlockingTcpConnection:
    """Open a port; ``name`` as in :mod:`cosemic.transport.serial_port`; ``socket://`` gives plain TCP.

    ``line``: how it is set; ``timeout``: seconds that connecting to a serial server may take, and that the port may
    take to accept what is written. Raises ConfigurationError where pyserial is missing or the name means nothing,
    ConnectionFailed where the port is not there, not ours, or taken.
    """
    address = socket_address(name)
    if address is not None:
        return BlockingTcpConnection(*address, timeout)
    return BlockingSerialConnection(name, line, timeout, options)


class BlockingSerialConnection(Closes):
    """A serial port (:class:`cosemic.transport.contract.BlockingConfigurableConnection`); one thread uses it at a time.

    Arguments as of :func:`open_serial_blocking`.
    """

    def __init__(
        self, name: str, line: LineSettings = DEFAULT_LINE, timeout: float = 5.0, options: SerialOptions = PLAIN
    ) -> None:
        self._peer = name
        self._line = line
        self._timeout = timeout
        self._leaves = 0.0
        """When what was written has left at the earliest, on time.monotonic."""
        self._port: Port | None = open_port(name, line, options, timeout)

    @property
    def peer(self) -> str:
        """The name of the port."""
        return self._peer

    def write(self, octets: bytes, /) -> None:
        """Send octets. Raises ConnectionLost where the port has gone, or does not take them."""
        port = self._open()
        try:
            write_port(port, octets, most_at_once(self._line, self._timeout))
        except TimeoutError as error:
            self.close()
            raise wording.not_taken(self._peer, self._timeout) from error
        except OSError as error:
            self.close()
            raise gone(self._peer, error) from error
        self._leaves = max(self._leaves, time.monotonic()) + self._line.seconds(len(octets))

    def read(self, deadline: float | None = None) -> bytes:
        """Return the next octets, up to 65,536; there is no end of the stream.

        ``deadline``: on :func:`time.monotonic`; None waits for ever. It is kept to a twentieth of a second. What has
        come already is returned even after it. Raises ResponseTimeout where nothing comes by then, ConnectionLost where
        the port has gone.
        """
        port = self._open()
        end = inf if deadline is None else deadline
        try:
            while time.monotonic() < end or has_come(port):
                if octets := read_port(port):
                    return octets
        except OSError as error:
            self.close()
            raise gone(self._peer, error) from error
        raise wording.nothing_came(self._peer)

    def set_line(self, line: LineSettings, /) -> None:
        """Wait until what was written has left the port, then set it.

        Raises ConnectionLost where the port cannot be set so, or has gone.
        """
        port = self._open()
        try:
            drain_port(port, self._leaves - time.monotonic())
            set_line(port, line)
        except OSError as error:
            self.close()
            raise gone(self._peer, error) from error
        self._line = line

    def close(self) -> None:
        """Close the port. Does no harm when repeated."""
        port, self._port = self._port, None
        if port is not None:
            close_port(port)

    def _open(self) -> Port:
        if self._port is None:
            raise wording.closed_here(self._peer)
        return self._port
