"""Serial ports on asyncio, on every system: a client's or a server's end alike.

What is written and what the line is set to are orders, carried out one after the other::

    octets          handed to the port
    LineSettings    once all octets before have left the port: it is set
    the end         once all octets have left, or CLOSE_TIME after close(): it is closed, and the receiver told

Where the event loop can watch the port (POSIX) it reads and writes itself, and a thread waits only for octets to leave.
Elsewhere (Windows, RFC 2217) one thread reads, and a thread carries out each order. Threads end with the connection.

A server's end does not read from a client that does not read: while more than :data:`MOST_WAITING` octets wait to be
written nothing is read, so that memory stays bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import threading
import time
from collections import deque
from enum import Enum
from functools import partial
from math import inf
from typing import Final, TypeAlias

from cosemic.errors import ConnectionLost
from cosemic.transport import tcp, wording
from cosemic.transport.contract import Receiver
from cosemic.transport.serial_port import (
    DEFAULT_LINE,
    PLAIN,
    READ_SIZE,
    TICK,
    Port,
    PortOpening,
    SerialOptions,
    close_port,
    discard_output,
    drain_port,
    gone,
    has_descriptor,
    most_at_once,
    read_port,
    set_line,
    socket_address,
    write_port,
)
from cosemic.values import LineSettings

CLOSE_TIME = 5.0
"""How long, in seconds, octets that were written may take to leave after close(); then they are thrown away."""

MOST_WAITING: Final = 1 << 16
"""Octets."""


class _End(Enum):
    """The last order."""

    END = "end"


_Order: TypeAlias = bytes | LineSettings | _End


class SerialConnection:
    """A serial port (:class:`cosemic.transport.contract.ConfigurableConnection`); made by :func:`open_serial`.

    This one works through threads.
    """

    def __init__(
        self, port: Port, name: str, line: LineSettings, timeout: float, receiver: Receiver, pause: bool
    ) -> None:
        self._port = port
        self._peer = name
        self._line = line
        self._timeout = timeout
        self._most_waiting = MOST_WAITING if pause else inf
        self._receiver: Receiver | None = receiver
        self._loop = asyncio.get_running_loop()
        self._orders: deque[_Order] = deque()
        self._waiting = 0
        """Octets in orders."""
        self._worker: threading.Thread | None = None
        self._reader: threading.Thread | None = None
        self._taken = threading.Event()
        self._leaves = 0.0
        """When what was written has left at the earliest, on time.monotonic."""
        self._closing = False
        self._given_up = False
        """Whether octets that have not left are not waited for."""
        self._error: ConnectionLost | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._closed = self._loop.create_future()
        self._begin_reading()

    @property
    def peer(self) -> str:
        """The name of the port."""
        return self._peer

    def write(self, octets: bytes, /) -> None:
        """Send octets without waiting. Raises ConnectionLost after the end."""
        self._refuse_if_closed()
        if octets:
            self._waiting += len(octets)
            self._order(bytes(octets))

    def set_line(self, line: LineSettings, /) -> None:
        """Set the port in order with what is written, without waiting: what was written before leaves it first.

        Raises ConnectionLost after the end. A port that cannot be set so ends the connection.
        """
        self._refuse_if_closed()
        self._order(line)

    def close(self) -> None:
        """End the connection after what was written, which may take CLOSE_TIME; nothing is received any more."""
        if self._closing:
            return
        self._closing = True
        self._end_reading()
        self._cut = self._loop.call_later(CLOSE_TIME, self._give_up)
        self._order(_End.END)

    async def wait_closed(self) -> None:
        """Wait until the connection has ended and its receiver knows."""
        await asyncio.shield(self._closed)

    def _refuse_if_closed(self) -> None:
        if self._closing:
            raise wording.closed_here(self._peer)

    def _order(self, order: _Order) -> None:
        self._orders.append(order)
        self._go_on()

    def _go_on(self) -> None:
        """Carry out what is next, unless something is being carried out."""
        while self._orders and self._worker is None and self._carry_out(self._orders.popleft()):
            continue

    def _carry_out(self, order: _Order) -> bool:
        """Begin to carry out an order; return whether it has been."""
        self._worker = threading.Thread(target=self._work, args=(order,), name=f"cosemic {self._peer}", daemon=True)
        self._worker.start()
        return False

    def _work(self, order: _Order) -> None:
        """In a thread: carry out an order, and say so."""
        error: OSError | None = None
        try:
            if isinstance(order, bytes):
                write_port(self._port, order, most_at_once(self._line, self._timeout))
            elif isinstance(order, LineSettings):
                drain_port(self._port, self._leaves - time.monotonic())
                set_line(self._port, order)
            else:
                self._work_end()
        except OSError as failed:
            error = failed
        self._tell(partial(self._carried_out, order, error))

    def _work_end(self) -> None:
        try:
            if not self._given_up:
                drain_port(self._port, self._leaves - time.monotonic())
        finally:
            if self._reader is not None:
                self._reader.join()
            if self._given_up:  # the system would go on waiting for them
                discard_output(self._port)
            close_port(self._port)

    def _carried_out(self, order: _Order, error: OSError | None) -> None:
        if self._worker is not None:
            self._worker.join()
            self._worker = None
        if isinstance(order, _End):
            self._finish()
            return
        if isinstance(order, bytes):
            self._written(len(order))
        else:
            self._line = order
        if error is not None:
            self._fail(self._what_happened(error))
        self._go_on()

    def _written(self, octets: int) -> None:
        self._waiting = max(self._waiting - octets, 0)
        self._leaves = max(self._leaves, time.monotonic()) + self._line.seconds(octets)

    def _what_happened(self, error: OSError) -> ConnectionLost:
        late = wording.is_timeout(error)
        lost = wording.not_taken(self._peer, self._timeout) if late else gone(self._peer, error)
        lost.__cause__ = error
        return lost

    def _fail(self, error: ConnectionLost) -> None:
        """End, since the port has failed."""
        if self._given_up:
            return
        self._error = error
        self._closing = True
        self._end_reading()
        self._give_up()

    def _give_up(self) -> None:
        """Throw away what has not left, and close."""
        if self._given_up:
            return
        self._given_up = True
        self._orders.clear()
        self._waiting = 0
        discard_output(self._port)
        self._order(_End.END)

    def _finish(self) -> None:
        if self._closed.done():
            return
        if self._cut is not None:
            self._cut.cancel()
        receiver, self._receiver = self._receiver, None
        try:
            if receiver is not None:
                receiver.connection_lost(self._error)
        finally:
            self._closed.set_result(None)

    def _received(self, octets: bytes) -> None:
        if self._closing or self._receiver is None:
            return
        try:
            self._receiver.octets_received(octets)
        except BaseException as error:
            self._fail(wording.broken(self._peer, error))
            raise

    def _take(self, octets: bytes) -> None:
        """Hand on what the thread has read; only then does it read on."""
        try:
            self._received(octets)
        finally:
            self._taken.set()

    def _begin_reading(self) -> None:
        self._reader = threading.Thread(target=self._read, name=f"cosemic {self._peer}", daemon=True)
        self._reader.start()

    def _end_reading(self) -> None:
        """Without effect where a thread reads: it looks for itself."""

    def _read(self) -> None:
        """In a thread: hand on what comes."""
        try:
            while not self._closing:
                if self._waiting > self._most_waiting:
                    time.sleep(TICK)
                elif octets := read_port(self._port):
                    self._tell(partial(self._take, octets))
                    while not self._taken.wait(TICK) and not self._closing:
                        continue
                    self._taken.clear()
        except OSError as error:
            self._tell(partial(self._fail, self._what_happened(error)))

    def _tell(self, call: partial[None]) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop may have ended
            self._loop.call_soon_threadsafe(call)


class WatchedSerialConnection(SerialConnection):
    """A serial port that the event loop watches (POSIX)."""

    def __init__(
        self, port: Port, name: str, line: LineSettings, timeout: float, receiver: Receiver, pause: bool
    ) -> None:
        self._descriptor: int = port.fd
        self._nothing = False
        super().__init__(port, name, line, timeout, receiver, pause)

    def _carry_out(self, order: _Order) -> bool:
        if not isinstance(order, bytes):
            return super()._carry_out(order)
        try:
            sent = os.write(self._descriptor, order)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            # Not now: the caller is told in order, not from within write().
            self._loop.call_soon(self._fail, self._what_happened(error))
            return False
        self._written(sent)
        if sent == len(order):
            return True
        self._orders.appendleft(order[sent:])
        self._loop.add_writer(self._descriptor, self._writable)
        self._watch()
        return False

    def _writable(self) -> None:
        self._loop.remove_writer(self._descriptor)
        self._go_on()
        self._watch()

    def _begin_reading(self) -> None:
        self._loop.add_reader(self._descriptor, self._readable)

    def _end_reading(self) -> None:
        self._loop.remove_reader(self._descriptor)

    def _give_up(self) -> None:
        if not self._given_up:
            self._loop.remove_writer(self._descriptor)
        super()._give_up()

    def _watch(self) -> None:
        """Read while not too much waits to be written."""
        if self._closing:
            return
        if self._waiting > self._most_waiting:
            self._end_reading()
        else:
            self._begin_reading()

    def _readable(self) -> None:
        try:
            octets = os.read(self._descriptor, READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(self._what_happened(error))
            return
        if octets:
            self._nothing = False
            self._received(octets)
        elif self._nothing:  # a port that has gone can always be read, and has nothing
            self._fail(self._what_happened(OSError(errno.EIO, "it can be read, and has nothing")))
        else:
            self._nothing = True


async def open_serial(
    name: str,
    receiver: Receiver,
    *,
    line: LineSettings = DEFAULT_LINE,
    timeout: float = 5.0,
    options: SerialOptions = PLAIN,
    pause: bool = False,
) -> SerialConnection | tcp.TcpConnection:
    """Open a port; ``receiver`` gets what comes. ``name`` as in :mod:`cosemic.transport.serial_port`.

    ``line``: how it is set; ``timeout``: seconds that opening it may take, and that it may take to accept what is
    written; ``pause``: whether this is a server's end, see above. ``socket://`` gives plain TCP. Raises
    ConfigurationError where pyserial is missing or the name means nothing, ConnectionFailed where the port is not
    there, not ours, or taken. Where the call is cancelled no port stays open.
    """
    address = socket_address(name)
    if address is not None:
        return await tcp.connect(*address, receiver, timeout=timeout)
    opening = PortOpening(name, line, options, timeout)
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().run_in_executor(None, opening.open)
        port = opening.take()
    except BaseException as error:
        opening.abandon()
        if isinstance(error, TimeoutError):
            raise wording.unanswered(name, timeout) from error
        raise
    kind = WatchedSerialConnection if has_descriptor(port) else SerialConnection
    return kind(port, name, line, timeout, receiver, pause)
