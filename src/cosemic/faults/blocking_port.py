"""A port for blocking code (:class:`cosemic.transport.contract.BlockingConnection`): its reads let virtual time pass.

A deadline is a point on :func:`time.monotonic`: what is left until then is how many virtual seconds a read waits. What
the other stations do, they do while this one reads.
"""

from __future__ import annotations

import time as machine
from collections import deque
from typing import Final

from cosemic.errors import ResponseTimeout, TransportError
from cosemic.faults.port import Port
from cosemic.transport import wording
from cosemic.values import LineSettings

LONGEST: Final = 86_400.0
"""Seconds of virtual time that a read without a deadline waits where time goes on without octets."""


class BlockingPort:
    """One end of a medium for blocking code; a closed port is opened again, where the medium allows it."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._came: deque[bytes] = deque()
        self._ended = False
        self._error: TransportError | None = None
        if port.line is not None:
            port.reopen()
        if port.closed:
            self._ended = True
        port.attach(self)

    @property
    def peer(self) -> str:
        """The other end, for messages."""
        return self._port.peer

    def write(self, octets: bytes, /) -> None:
        """Send octets. Raises ConnectionLost after the end."""
        self._port.write(octets)

    def set_line(self, line: LineSettings, /) -> None:
        """Wait until what was written has left, and set the port."""
        self._port.set_line(line)
        self._port.time.run_for(self._port.busy_until - self._port.time.now)

    def read(self, deadline: float | None = None) -> bytes:
        """Return the next octets; none where the other end has closed.

        Raises ResponseTimeout when the deadline has passed or nothing can come any more, ConnectionLost where the
        connection broke or was closed here.
        """
        time = self._port.time
        end = None if deadline is None else time.now + max(deadline - machine.monotonic(), 0.0)
        time.run_until(lambda: self._came or self._ended, LONGEST if end is None else end - time.now)
        if self._came:
            return self._came.popleft()
        if not self._ended:
            if end is not None:
                time.run_for(end - time.now)
            raise ResponseTimeout(f"{self.peer} sent nothing in time: repeat, or allow more time")
        if self._port.closed_by_peer:
            return b""
        raise self._error or wording.closed_here(self.peer)

    def close(self) -> None:
        """End the connection. Does no harm when repeated."""
        self._port.close()
        self._ended = True
        self._came.clear()

    def octets_received(self, octets: bytes, /) -> None:
        """Take what comes."""
        self._came.append(octets)

    def connection_lost(self, error: TransportError | None, /) -> None:
        """Learn of the end."""
        self._ended = True
        self._error = error
