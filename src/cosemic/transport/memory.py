"""Both ends of a connection in one process, for tests and simulators: no sockets, no sleeping, always the same order.

What one end writes is queued and given to the other in the order of writing, never from within ``write``::

    memory_pair(...)            both ends are receivers on asyncio; the event loop gives out the queue
    BlockingMemoryConnection    one end is blocking code; its read() gives out the queue until there is something to
                                return. When the queue is empty nothing can come any more: the time-out is immediate.

``chunk`` cuts what is delivered into pieces of at most so many octets, as a medium may.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeAlias

from cosemic.errors import ResponseTimeout, TransportError
from cosemic.transport import wording
from cosemic.transport.contract import Connection, Receiver

ReceiverFactory: TypeAlias = Callable[[Connection], Receiver]


class _Schedule(Protocol):
    """Calls later, in the order of scheduling (as ``call_soon`` of an event loop)."""

    def __call__(self, call: Callable[[], None], /) -> object: ...


class MemoryConnection:
    """One end (:class:`cosemic.transport.contract.Connection`); made in pairs by :func:`memory_pair`."""

    def __init__(self, peer: str, schedule: _Schedule, chunk: int | None) -> None:
        self._peer = peer
        self._schedule = schedule
        self._chunk = chunk
        self._other: MemoryConnection = self
        self._receiver: Receiver | None = None
        self._closing = False
        self._ended_by_peer = False

    @property
    def peer(self) -> str:
        """The name of the other end."""
        return self._peer

    @property
    def ended_by_peer(self) -> bool:
        """Whether the other end closed the connection, in order."""
        return self._ended_by_peer

    def write(self, octets: bytes, /) -> None:
        """Queue octets for the other end. Raises ConnectionLost after the end."""
        if self._closing:
            raise wording.closed_here(self._peer)
        size = self._chunk or len(octets)
        for start in range(0, len(octets), size or 1):
            self._schedule(partial(self._other._deliver, bytes(octets[start : start + size])))

    def close(self) -> None:
        """End the connection: the other end learns it after what was written. Does no harm when repeated."""
        if self._closing:
            return
        self._closing = True
        self._schedule(lambda: self._end(None))
        self._schedule(self._other._end_of_stream)

    def break_off(self, reason: str = "cut") -> None:
        """Let the medium fail: both ends learn it, after what is queued already."""
        for end in (self, self._other):
            self._schedule(partial(end._end, wording.broken(end.peer, reason)))

    def _deliver(self, octets: bytes) -> None:
        if self._receiver is not None and not self._closing:
            self._receiver.octets_received(octets)

    def _end_of_stream(self) -> None:
        if not self._closing:
            self._ended_by_peer = True
            self._end(wording.closed_by_peer(self._peer))

    def _end(self, error: TransportError | None) -> None:
        self._closing = True
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.connection_lost(error)


def memory_pair(
    client: ReceiverFactory, server: ReceiverFactory, *, chunk: int | None = None
) -> tuple[MemoryConnection, MemoryConnection]:
    """Return the client's and the server's end of a connection on the running event loop.

    ``client`` and ``server`` make the receivers; the server's is made first, as it would be listening.
    """
    return _pair(client, server, asyncio.get_running_loop().call_soon, chunk)


class BlockingMemoryConnection:
    """The client's end for blocking code (:class:`cosemic.transport.contract.BlockingConnection`).

    ``server`` makes the receiver at the other end, which is run from within :meth:`read`.
    """

    def __init__(self, server: ReceiverFactory, *, chunk: int | None = None) -> None:
        self._queue: deque[Callable[[], None]] = deque()
        self._inbox = _Inbox()
        self._connection, _ = _pair(lambda _: self._inbox, server, self._queue.append, chunk)

    @property
    def peer(self) -> str:
        """The name of the other end."""
        return self._connection.peer

    def write(self, octets: bytes, /) -> None:
        """Queue octets for the other end. Raises ConnectionLost after the end."""
        self._connection.write(octets)

    def read(self, deadline: float | None = None) -> bytes:
        """Return the next octets; none at the end of the stream.

        Runs the other end until it has sent something. ``deadline`` is not used: where nothing is left to run,
        ResponseTimeout is raised at once. Raises ConnectionLost where the connection broke or was closed here.
        """
        inbox = self._inbox
        while self._queue and not inbox.octets:
            self._queue.popleft()()
        if inbox.octets:
            return inbox.octets.popleft()
        if self._connection.ended_by_peer:
            return b""
        if inbox.ended:
            raise inbox.error or wording.closed_here(self.peer)
        raise ResponseTimeout(f"{self.peer} sent nothing in time: repeat, or allow more time")

    def close(self) -> None:
        """End the connection; the other end learns it. Does no harm when repeated."""
        self._connection.close()
        while self._queue:
            self._queue.popleft()()
        self._inbox.octets.clear()


class _Inbox:
    """Keeps what came for blocking code."""

    def __init__(self) -> None:
        self.octets: deque[bytes] = deque()
        self.ended = False
        self.error: TransportError | None = None

    def octets_received(self, octets: bytes, /) -> None:
        self.octets.append(octets)

    def connection_lost(self, error: TransportError | None, /) -> None:
        self.ended = True
        self.error = error


def _pair(
    client: ReceiverFactory, server: ReceiverFactory, schedule: _Schedule, chunk: int | None
) -> tuple[MemoryConnection, MemoryConnection]:
    one, other = (MemoryConnection(peer, schedule, chunk) for peer in ("memory server", "memory client"))
    one._other, other._other = other, one
    other._receiver = server(other)
    one._receiver = client(one)
    return one, other
