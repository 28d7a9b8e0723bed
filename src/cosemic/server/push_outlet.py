"""Carries what a device sends by itself, on asyncio: TCP and UDP, in the wrapper (IEC 62056-9-7; class 40).

::

    Outbox --take--> line to that destination: connected, sent, confirmed --finish--> Outbox
                     the next notification to it, or some seconds without any: the line is closed

There is one connection for each destination, and one notification at a time on it. A destination that could not be
reached is tried again after a pause, which grows. What has waited here until its communication window closed is given
back unsent. What is asked over such a connection is answered by the device: a
head-end may read a meter that has dialled in. What is known of an unconfirmed notification::

    TCP   sent          it stands in a connection that has not broken within ``settle`` seconds
          acknowledged  the receiver has taken it to the end, and ended the connection in order
    UDP   sent          nothing has come back within ``settle`` seconds that says that nobody listens
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from cosemic.association.notifying import Delivered, NotificationSender, NotifyingEvent, Undelivered
from cosemic.errors import ConnectionLost, CosemicError, TransportError
from cosemic.link.contract import ApduReceived, LinkFailed
from cosemic.link.wrapper import DatagramWrapperLink, WrapperHeader, WrapperLink
from cosemic.model.push import TransportService
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.meter_session import MeterSession
from cosemic.server.physical_device import PhysicalDevice
from cosemic.server.push.outbox import MOST_WAITING, Delivery, Destination, Outbox, Outgoing, Result
from cosemic.transport.lifetime import Starts
from cosemic.transport.tcp import TcpConnection, connect
from cosemic.transport.udp import UdpConnection, connect_udp

CONNECT_TIMEOUT: Final = 10.0
SETTLE: Final = 0.1
LINGER: Final = 5.0
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
POLL: Final = 1.0
"""Seconds, all of them."""
_LEAST_WAIT: Final = 0.01
_FOR_SENDERS: Final = frozenset((0x10, 0x0E, 0xD8, 0xDB))
"""Tags of what may answer a notification: confirmation, errors, and a ciphered confirmation."""
_Wire = WrapperLink | DatagramWrapperLink


class _Line:
    """A connection to one destination (:class:`cosemic.transport.contract.Receiver`), as long as it stands."""

    def __init__(self, device: PhysicalDevice, destination: Destination) -> None:
        self._udp = destination.transport_service is TransportService.UDP
        self._link: _Wire = DatagramWrapperLink() if self._udp else WrapperLink()
        self._session = MeterSession(device, DatagramWrapperLink() if self._udp else WrapperLink())
        self._destination = destination
        self._connection: TcpConnection | UdpConnection | None = None
        self._outgoing: Outgoing | None = None
        self._sender: NotificationSender | None = None
        self._events: list[NotifyingEvent] = []
        self._stirred = asyncio.Event()
        self.heard = 0
        """How often something came."""
        self.ended = False
        self._error: TransportError | None = None

    @property
    def standing(self) -> bool:
        """Whether it is connected."""
        return self._connection is not None and not self.ended

    async def open(self, timeout: float) -> None:
        """Connect. Raises TransportError."""
        host, port = self._destination.host, self._destination.port
        connecting = connect_udp if self._udp else connect
        self._connection = await connecting(host, port, self, timeout=timeout)

    def close(self) -> None:
        """End the connection."""
        self.ended = True
        if self._connection is not None:
            self._connection.close()

    # ---- one notification -------------------------------------------------------------------------------------------

    async def carry(self, outgoing: Outgoing, settle: float, patience: float) -> Result:
        """Send a notification, and say what became of it; patience: seconds to wait for the end of a connection."""
        sender = NotificationSender(outgoing.settings)
        self._outgoing, self._sender = outgoing, sender
        self._events.clear()
        try:
            sender.send(outgoing.notification)
            event = await self._event(sender)
        except CosemicError as error:
            return Result(Delivery.FAILED, str(error))
        finally:
            self._sender = None
        if isinstance(event, Delivered):
            return Result(Delivery.CONFIRMED)
        if isinstance(event, Undelivered):
            return Result(Delivery.FAILED, str(event.error))
        ends = outgoing.wanted is Delivery.ACKNOWLEDGED and isinstance(self._connection, TcpConnection)
        if ends and isinstance(self._connection, TcpConnection):
            self._connection.finish()
        await self._end(patience if ends else settle)
        if self._error is not None and self._error.__cause__ is not None:
            return Result(Delivery.FAILED, str(self._error))
        return Result(Delivery.ACKNOWLEDGED if ends and self.ended else Delivery.SENT)

    async def _event(self, sender: NotificationSender) -> NotifyingEvent:
        """Drive a sender to the event that ends its notification."""
        loop = asyncio.get_running_loop()
        while True:
            self._flush(sender)
            self._events += sender.tick(loop.time())
            self._flush(sender)
            if self._events:
                return self._events[0]
            deadline = sender.deadline()
            await self._stir(None if deadline is None else deadline - loop.time())

    async def _end(self, timeout: float) -> None:
        """Wait for the end of the connection, at most so long."""
        loop = asyncio.get_running_loop()
        last = loop.time() + timeout
        while not self.ended and loop.time() < last:
            await self._stir(last - loop.time())

    async def _stir(self, timeout: float | None) -> None:
        """Wait until something happens, or time has passed."""
        self._stirred.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if timeout is None else max(timeout, 0.0)):
                await self._stirred.wait()

    def _flush(self, sender: NotificationSender) -> None:
        outgoing = self._outgoing
        assert outgoing is not None
        while apdu := sender.octets_to_send():
            self._link.send(apdu, source=outgoing.source, destination=outgoing.client)
        self._write(self._link)

    def _write(self, machine: _Wire | MeterSession) -> None:
        """Send what is due. Raises ConnectionLost."""
        while octets := machine.octets_to_send():
            if self._connection is None:
                raise ConnectionLost(f"{self._destination} is not connected")
            self._connection.write(octets)

    # ---- what comes -------------------------------------------------------------------------------------------------

    def octets_received(self, octets: bytes, /) -> None:
        """Take a confirmation, or answer a request."""
        now = asyncio.get_running_loop().time()
        self.heard += 1
        for event in self._link.receive(octets, now):
            if isinstance(event, LinkFailed):
                self.close()
            elif isinstance(event, ApduReceived):
                self._take(event, now)
        self._stirred.set()

    def _take(self, event: ApduReceived, now: float) -> None:
        outgoing, sender = self._outgoing, self._sender
        pair = event.source, event.destination
        if sender is not None and outgoing is not None and event.apdu[0] in _FOR_SENDERS:
            if pair == (outgoing.client, outgoing.source):
                self._events += sender.receive(event.apdu, now)
            return
        header = WrapperHeader(event.source, event.destination, len(event.apdu))
        self._session.receive(header.encode() + event.apdu, now)
        with suppress(TransportError):  # connection_lost tells the same
            self._write(self._session)
        if self._session.ended:
            self.close()

    def connection_lost(self, error: TransportError | None, /) -> None:
        """End what is under way."""
        self.ended = True
        self._error = error
        self._session.lost()
        if self._sender is not None:
            self._events += self._sender.lost(
                error or ConnectionLost(f"{self._destination}: the connection was closed")
            )
        self._stirred.set()


@dataclass(slots=True)
class _Queue:
    """What waits for one destination; ``more`` is set when something is added."""

    waiting: deque[tuple[Outbox, Outgoing]]
    more: asyncio.Event = field(default_factory=asyncio.Event)


class PushOutlet(Starts):
    """Sends what the logical devices of a physical device want sent, from :meth:`start` to :meth:`close`.

    connect_timeout: seconds. settle: see the module's text. linger: seconds that a connection stays without use. poll:
    seconds between two looks at whether something is due, at most. ready: asked before each whether there is power.
    """

    def __init__(
        self,
        *devices: LogicalDevice | PhysicalDevice,
        connect_timeout: float = CONNECT_TIMEOUT,
        settle: float = SETTLE,
        linger: float = LINGER,
        first_pause: float = FIRST_PAUSE,
        poll: float = POLL,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        only = devices[0] if len(devices) == 1 else None
        logical = [device for device in devices if isinstance(device, LogicalDevice)]
        self._device = only if isinstance(only, PhysicalDevice) else PhysicalDevice(*logical)
        self._connect_timeout = connect_timeout
        self._settle = settle
        self._linger = linger
        self._first_pause = first_pause
        self._poll = poll
        self._ready = ready
        self._queues: dict[Destination, _Queue] = {}
        self._pauses: dict[Destination, tuple[float, float]] = {}
        """Of destinations that could not be reached: the pause, in seconds, and when it is over."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tells = True
        self._seen: dict[Outbox, tuple[float, dt.datetime]] = {}
        """What time it was for whom, at the last look."""

    @property
    def outboxes(self) -> tuple[Outbox, ...]:
        """What is carried."""
        return tuple(device.outbox for device in self._device.devices)

    async def start(self) -> None:
        """Begin."""
        self.begin()

    def begin(self) -> None:
        """Begin, in the event loop that runs."""
        self._loop = asyncio.get_running_loop()
        for outbox in self.outboxes:
            outbox.listeners.append(self._stir)
        self._stir()

    async def close(self) -> None:
        """End all connections; what was under way counts as failed."""
        self.cut(tells=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, *, tells: bool = False) -> None:
        """End all at once; unless told, as when power is cut: the device never learns what was under way."""
        self._tells = tells
        for outbox in self.outboxes:
            if self._stir in outbox.listeners:
                outbox.listeners.remove(self._stir)
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _stir(self) -> None:
        """Look soon: the device is busy now, or another thread is."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop has just ended
                loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        """Take what the devices want sent, and see when there may be more."""
        if self._loop is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        wait = self._poll
        for outbox in self.outboxes if self._ready() else ():
            while (outgoing := outbox.take()) is not None:
                self._add(outbox, outgoing)
            due, now = outbox.next_due(), outbox.now()
            speed = self._speed(outbox, now)
            if due is not None:
                wait = min(wait, max((due - now).total_seconds() / speed, _LEAST_WAIT))
        self._timer = self._loop.call_later(wait, self._look)

    def _speed(self, outbox: Outbox, now: dt.datetime) -> float:
        """Return how many seconds pass for the device in each one; simulated time may be faster."""
        here = asyncio.get_running_loop().time()
        before, then = self._seen.get(outbox, (here, now))
        self._seen[outbox] = here, now
        passed = here - before
        return max((now - then).total_seconds() / passed, 1.0) if passed > 0 else 1.0

    def _add(self, outbox: Outbox, outgoing: Outgoing) -> None:
        queue = self._queues.get(outgoing.destination)
        if queue is not None:
            queue.waiting.append((outbox, outgoing))
            queue.more.set()
            return
        queue = self._queues[outgoing.destination] = _Queue(deque(((outbox, outgoing),)))
        task = asyncio.get_running_loop().create_task(self._serve(outgoing.destination, queue))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, destination: Destination, queue: _Queue) -> None:
        """Send what waits for a destination, until nothing does."""
        line: _Line | None = None
        try:
            while queue.waiting:
                if line is None or line.ended:
                    await self._pause(destination)
                    line = _Line(self._device, destination)
                outbox, outgoing = queue.waiting[0]
                if outgoing.until is not None and outgoing.until <= outbox.now():
                    result = Result(Delivery.FAILED, "its communication window has closed", late=True)
                else:
                    result = await self._attempt(line, outgoing)
                    self._remember(destination, failed=result.delivery is Delivery.FAILED)
                queue.waiting.popleft()
                outbox.finish(outgoing, result)
                if not queue.waiting:
                    await self._rest(queue, line)
        finally:
            del self._queues[destination]
            if line is not None:
                line.close()
            for outbox, outgoing in queue.waiting if self._tells else ():
                outbox.finish(outgoing, Result(Delivery.FAILED, "the device has stopped sending"))

    async def _attempt(self, line: _Line, outgoing: Outgoing) -> Result:
        try:
            if not line.standing:
                await line.open(self._connect_timeout)
        except TransportError as error:
            line.close()
            return Result(Delivery.FAILED, str(error))
        result = await line.carry(outgoing, self._settle, self._connect_timeout)
        if not result.delivery or outgoing.wanted is Delivery.ACKNOWLEDGED:
            line.close()
        return result

    async def _rest(self, queue: _Queue, line: _Line) -> None:
        """Wait for more to send, as long as the connection is used."""
        heard = -1
        while not queue.waiting and not line.ended and heard != line.heard:
            heard = line.heard
            queue.more.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._linger):
                    await queue.more.wait()

    async def _pause(self, destination: Destination) -> None:
        """Wait until a destination that could not be reached may be tried again."""
        _, until = self._pauses.get(destination, (0.0, 0.0))
        await asyncio.sleep(max(until - asyncio.get_running_loop().time(), 0.0))

    def _remember(self, destination: Destination, *, failed: bool) -> None:
        before, _ = self._pauses.pop(destination, (0.0, 0.0))
        if failed:
            if len(self._pauses) >= MOST_WAITING:
                self._pauses.clear()
            pause = min(max(2 * before, self._first_pause), LONGEST_PAUSE)
            self._pauses[destination] = pause, asyncio.get_running_loop().time() + pause
