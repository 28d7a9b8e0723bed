"""A driver in virtual time: one sans-IO link at one end of a medium.

::

    secondary = Station(HdlcSecondary(...), stream.server, on_event=answer)
    primary = Station(HdlcPrimary(...), stream.client)
    primary.connect()
    time.run_until_idle()
    assert [event for _, event in primary.events] == [LinkConnected(1, 16)]

It does what :mod:`cosemic.link.contract` asks of a driver: hands in what comes, sends what is due until there is
nothing, hands the line to be set to the port, tells the time right after sending and when the deadline has come, and
closes the medium when the link has failed.

Bounds: the last :data:`MOST_EVENTS` events are kept. A machine that is never done (it always has something to send, or
its deadline stays in the past when the time is told) ends in RuntimeError: a real driver would spin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from cosemic.errors import ConnectionLost, CosemicError, TransportError
from cosemic.faults.virtual_time import Timer, VirtualTime
from cosemic.link.contract import Link, LinkFailed
from cosemic.transport import wording
from cosemic.transport.contract import Receiver
from cosemic.values import LineSettings

MOST_EVENTS: Final = 1 << 16
MOST_STEPS: Final = 10_000
"""Sendings and ticks at one time, after which a machine is taken never to come to rest."""


class StationPort(Protocol):
    """What a station is put on: the port of a stream or bus, or a connection of datagrams."""

    @property
    def peer(self) -> str:
        """The other end."""

    @property
    def time(self) -> VirtualTime:
        """The time."""

    def attach(self, receiver: Receiver, /) -> None:
        """Take the receiver."""

    def write(self, octets: bytes, /) -> None:
        """Send octets."""

    def set_line(self, line: LineSettings, /) -> None:
        """Set the line when what was written has left."""

    def close(self) -> None:
        """End it."""


class Machine(Protocol):
    """What can be driven: links, and the stacks on them."""

    def receive(self, octets: bytes, now: float, /) -> Sequence[Any] | None:
        """Take octets of the medium."""

    def octets_to_send(self) -> bytes:
        """Return what is due."""

    def line_to_set(self) -> LineSettings | None:
        """Return how the port is to be set."""

    def deadline(self) -> float | None:
        """Return when the time is to be told."""

    def tick(self, now: float, /) -> Sequence[Any] | None:
        """Tell the time."""


class Driver:
    """A sans-IO machine at a port; requests are for those who make one to add, and to call :meth:`go_on` after.

    on_event: is called with each event, after it was kept; it may ask the machine for more.
    """

    def __init__(self, machine: Machine, port: StationPort, on_event: Callable[[Any], object] | None = None) -> None:
        self.port = port
        self.time = port.time
        self.events: list[tuple[float, Any]] = []
        """Times and events, in order."""
        self.on_event = on_event
        self.ended = False
        """Whether the medium has ended."""
        self.error: CosemicError | None = None
        """What ended the link or the medium; None where this side closed it in order, or nothing has ended."""
        self._machine = machine
        self._timer: Timer | None = None
        self._working = False
        self._closing = False
        port.attach(self)

    def go_on(self) -> None:
        """Send what is due, and wait for the deadline; to be called after anything was asked of the machine itself."""
        if self._working or self._closing or self.ended:
            return
        self._working = True
        try:
            self._work()
        finally:
            self._working = False
        if self.over():
            self.close()
        else:
            self._wait()

    def close(self) -> None:
        """Close the medium after what was sent."""
        if not self._closing:
            self._closing = True
            self._stop()
            self.port.close()

    def octets_received(self, octets: bytes, /) -> None:
        """Hand in what came."""
        self._take(self._machine.receive(octets, self.time.now))
        self.go_on()

    def connection_lost(self, error: TransportError | None, /) -> None:
        """The medium has ended."""
        self._stop()
        self.ended = True
        self.error = self.error or error

    def over(self) -> bool:
        """Whether the medium is to be closed, now that what was due has been sent."""
        return self.error is not None

    def refuse_after_the_end(self) -> None:
        """Raise ConnectionLost where nothing can be sent any more."""
        if self._closing or self.ended:
            raise wording.closed_here(self.port.peer) if self.error is None else ConnectionLost(str(self.error))

    def failure(self, event: Any) -> CosemicError | None:
        """Return the error of an event after which the medium is to be closed."""
        return event.error if isinstance(event, LinkFailed) else None

    def _work(self) -> None:
        """Send, and tell the time after sending, until nothing comes of it."""
        sent = False
        for _ in range(MOST_STEPS):
            octets = self._machine.octets_to_send()
            if octets:
                sent = True
                try:
                    self.port.write(octets)
                except TransportError:
                    return  # connection_lost is about to tell the same
            line = self._machine.line_to_set()
            if line is not None:
                self.port.set_line(line)
            if octets or line is not None:
                continue
            deadline = self._machine.deadline()
            if not sent and (deadline is None or deadline > self.time.now):
                return
            sent = False
            self._take(self._machine.tick(self.time.now))
        raise RuntimeError(f"{MOST_STEPS} sendings and ticks at {self.time.now} s: the machine does not come to rest")

    def _wait(self) -> None:
        """See to it that the machine is told the time at its deadline."""
        deadline = self._machine.deadline()
        if self._timer is not None:
            if self._timer.when == deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = self.time.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._take(self._machine.tick(self.time.now))
        self.go_on()

    def _take(self, events: Sequence[Any] | None) -> None:
        working, self._working = self._working, True
        try:
            for event in events or ():
                if len(self.events) >= MOST_EVENTS:
                    del self.events[: MOST_EVENTS // 2]
                self.events.append((self.time.now, event))
                if not self.ended:
                    self.error = self.error or self.failure(event)
                if self.on_event is not None:
                    self.on_event(event)
        finally:
            self._working = working

    def _stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


class Station(Driver):
    """A link at a port. Requests raise ConnectionLost after the end of the medium."""

    def __init__(self, link: Link, port: StationPort, *, on_event: Callable[[Any], object] | None = None) -> None:
        super().__init__(link, port, on_event)
        self.link = link

    def connect(self) -> None:
        """Ask for the data link connection."""
        self.refuse_after_the_end()
        self.link.connect()
        self.go_on()

    def disconnect(self) -> None:
        """Ask for the end of the data link connection."""
        self.refuse_after_the_end()
        self.link.disconnect()
        self.go_on()

    def send(self, apdu: bytes, *, source: int | None = None, destination: int | None = None) -> None:
        """Send an APDU."""
        self.refuse_after_the_end()
        self.link.send(apdu, source=source, destination=destination)
        self.go_on()
