"""What carries octets from a port to the ports that hear it: time on the line, faults, collisions, arrival.

::

    port.write --Impairment--> Transmission [begin, end) --queue--> pieces --as each hearer reads them--> receiver

A port sends one thing at a time: what is written while it sends goes after that. An octet is on the line for the time
of one character of the sender's :class:`LineSettings`, for none where it has no line settings (a network), and arrives
when it has left the line, and after the latency. Where two ports of a shared line send at the same time, the octets
that overlap are garbled, of both.

Bounds: :data:`MOST_UNDER_WAY` octets under way from a port, beyond which the connection breaks; one call of virtual
time waits for each port that sends, however much it sends; a port keeps its last :data:`MOST_LINE_CHANGES`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import cycle, repeat
from math import ceil
from typing import Final

from cosemic.errors import ConfigurationError, TransportError
from cosemic.faults.media import Counts, Impairment, Journal, StreamFaults
from cosemic.faults.uart import as_received
from cosemic.faults.virtual_time import Timer, VirtualTime
from cosemic.transport import wording
from cosemic.transport.contract import Receiver
from cosemic.values import LineSettings

MOST_UNDER_WAY: Final = 1 << 24
"""Octets."""
MOST_LINE_CHANGES: Final = 1 << 14
"""Those that a port keeps."""
_ROUNDING: Final = 1e-6
"""Part of a character by which times may differ and still be the same."""


class Transmission:
    """Octets that go onto the line together, from ``begin`` on, sent with these settings."""

    __slots__ = ("begin", "collided", "end", "line", "octets", "seconds")

    def __init__(self, octets: bytearray, begin: float, line: LineSettings | None) -> None:
        self.octets = octets
        self.begin = begin
        self.line = line
        self.seconds = 0.0 if line is None else line.seconds(1)
        self.end = self.left_at(len(octets))
        self.collided: set[int] = set()

    def left_at(self, count: int) -> float:
        """Return when so many octets have left the line."""
        return self.begin + count * self.seconds

    def overlapped(self, other: Transmission) -> range:
        """Return which octets are on the line while those of the other are."""
        first = int((other.begin - self.begin) / self.seconds + _ROUNDING)
        last = ceil((other.end - self.begin) / self.seconds - _ROUNDING)
        return range(max(first, 0), min(last, len(self.octets)))


class Port:
    """One station's end of a medium: a connection (:class:`cosemic.transport.contract.Connection`) with a line.

    Media make ports. Give it what takes the octets with :meth:`attach`; what comes before is lost.
    """

    def __init__(self, medium: Medium, name: str, line: LineSettings | None, faults: StreamFaults, seed: str) -> None:
        self.name = name
        self.line_changes: list[tuple[float, LineSettings]] = []
        """Times and settings of all changes of the line, in order."""
        self.receiver: Receiver | None = None
        self.closed = False
        self.closed_by_peer = False
        """Whether the other end closed the connection, in order."""
        self._medium = medium
        self._line = line
        self._next_line = line
        self._impairment = Impairment(faults, f"{seed}/{name}")
        self._busy_until = medium.time.now
        self._to_others = _Delivery(self._impairment, medium, partial(medium.hearers, self))
        self._echo: _Delivery | None = None
        if medium.echo:
            own = Impairment(StreamFaults(chunks=faults.chunks), f"{seed}/{name}/echo")
            self._echo = _Delivery(own, medium, lambda: (self,))

    @property
    def peer(self) -> str:
        """The other end, for messages."""
        return self._medium.peer_of(self)

    @property
    def time(self) -> VirtualTime:
        """The time of the medium."""
        return self._medium.time

    @property
    def counts(self) -> Counts:
        """What has happened to the octets written here."""
        return self._impairment.counts

    @property
    def line(self) -> LineSettings | None:
        """How the port is set; None where the medium has no rate."""
        return self._line

    @property
    def busy_until(self) -> float:
        """When the last octet written will have left the port."""
        return max(self._busy_until, self.time.now)

    def attach(self, receiver: Receiver, /) -> None:
        """Hand what comes to this receiver from now on."""
        self.receiver = receiver

    def set_line(self, line: LineSettings, /) -> None:
        """Set rate and format: of what is written from now on, and of what is read once all written before has left.

        Without effect on a medium without a rate.
        """
        if self._next_line is None:
            return
        self._next_line = line
        if self._busy_until <= self.time.now:
            self._change(line)
        else:
            self.time.call_at(self._busy_until, self._change, line)

    def write(self, octets: bytes, /) -> None:
        """Put octets on the line behind those written before. Raises ConnectionLost after the end."""
        if self.closed:
            raise wording.closed_here(self.peer)
        if not octets:
            return
        line = self._impairment.on_line(octets)
        if not line:
            return
        transmission = Transmission(line, self.busy_until, self._next_line)
        self._busy_until = transmission.end
        self._medium.begin(transmission, self._impairment)
        if self._echo is not None:
            self._echo.add(transmission)
        if not self._to_others.add(transmission):
            self._medium.break_off(f"more than {MOST_UNDER_WAY} octets under way")

    def _change(self, line: LineSettings) -> None:
        self._line = line
        if len(self.line_changes) >= MOST_LINE_CHANGES:
            del self.line_changes[: MOST_LINE_CHANGES // 2]
        self.line_changes.append((self.time.now, line))

    def close(self) -> None:
        """End the connection: what was written still arrives. Does no harm when repeated."""
        if not self.closed:
            self.end(None)
            self._to_others.close(partial(self._medium.left, self))

    def end(self, error: TransportError | None) -> None:
        """Receive no more; the receiver is told soon, once."""
        self.closed = True
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            self.time.call_soon(receiver.connection_lost, error)

    def reopen(self) -> None:
        """Open it again after it was closed, as a serial port; give it a receiver then."""
        self.closed = False
        self._medium.joined(self)

    def arrive(self, octets: bytes, sent: LineSettings | None, counts: Counts) -> None:
        """Hand octets in as this port reads them."""
        if self._line is not None and sent is not None and sent != self._line:
            counts.octets_misread += len(octets)
            octets = as_received(octets, sent, self._line)
        if self.closed or self.receiver is None:
            counts.octets_unheard += len(octets)
        elif octets:
            self._medium.journal.add(self.time.now, self.name, octets)
            self.receiver.octets_received(octets)


class Medium:
    """Ports that hear each other.

    shared: they send on one line, where what is sent at the same time collides. echo: each hears itself too. told: the
    end of one port is told to the others, as on a connection.
    """

    def __init__(self, time: VirtualTime, *, shared: bool, echo: bool, told: bool) -> None:
        self.time = time
        self.echo = echo
        self.journal = Journal()
        """What was handed in, at all ports."""
        self.ports: list[Port] = []
        self._shared = shared
        self._told = told
        self._on_line: list[Transmission] = []

    def begin(self, transmission: Transmission, impairment: Impairment) -> None:
        """Take a transmission onto the line; it collides with what is there at the same time."""
        if not self._shared or not transmission.seconds:
            return
        now = self.time.now
        self._on_line = [each for each in self._on_line if each.end > now]
        for other in self._on_line:
            for one, by in ((transmission, other), (other, transmission)):
                for at in one.overlapped(by):
                    if at not in one.collided:
                        one.collided.add(at)
                        impairment.counts.octets_collided += 1
                        impairment.garble(one.octets, at)
        self._on_line.append(transmission)

    def hearers(self, sender: Port) -> list[Port]:
        """Return who hears what a port sends, beside itself."""
        return [port for port in self.ports if port is not sender]

    def peer_of(self, port: Port) -> str:
        """Return the name of who is at the other end."""
        return ", ".join(each.name for each in self.hearers(port)) or "nobody"

    def joined(self, port: Port) -> None:
        """A port is there, or there again."""
        if port not in self.ports:
            self.ports.append(port)

    def left(self, left: Port) -> None:
        """A port was closed, and all that it sent has arrived."""
        if not self._told:
            if left.closed and left in self.ports:
                self.ports.remove(left)
            return
        for port in self.hearers(left):
            if not port.closed:
                port.closed_by_peer = True
                port.end(wording.closed_by_peer(left.name))

    def break_off(self, reason: str = "cut") -> None:
        """Let the medium fail: all ports learn it, and what is under way is lost."""
        for port in self.ports:
            if not port.closed:
                port.end(wording.broken(self.peer_of(port), reason))


class _Delivery:
    """What is under way in one direction, in order."""

    def __init__(self, impairment: Impairment, medium: Medium, hearers: Callable[[], Iterable[Port]]) -> None:
        faults = impairment.faults
        if any(size < 1 for size in faults.chunks):
            raise ConfigurationError("chunks are of one octet or more")
        self._impairment = impairment
        self._medium = medium
        self._hearers = hearers
        self._chunks = cycle(faults.chunks) if faults.chunks else repeat(MOST_UNDER_WAY)
        self._queue: deque[Transmission] = deque()
        self._under_way = 0
        self._handed_out = 0
        """Octets of the first transmission that have arrived."""
        self._arrived = 0
        self._timer: Timer | None = None
        self._gathered = bytearray()
        self._gathered_line: LineSettings | None = None
        self._closing: tuple[float, Callable[[], object]] | None = None
        """When it was closed, and whom to tell when that has arrived."""

    def add(self, transmission: Transmission) -> bool:
        """Take what goes onto the line; return whether there was room for it."""
        if self._under_way + len(transmission.octets) > MOST_UNDER_WAY:
            return False
        self._under_way += len(transmission.octets)
        self._queue.append(transmission)
        if self._timer is None:
            self._next()
        return True

    def close(self, closed: Callable[[], object]) -> None:
        """Call, once, when all that was sent has arrived."""
        self._closing = self._medium.time.now, closed
        if self._timer is None:
            self._next()

    def _next(self) -> None:
        """Wait for the next piece, or for the end after the last."""
        self._timer = None
        time = self._medium.time
        if self._queue:
            first = self._queue[0]
            end = min(self._handed_out + next(self._chunks), len(first.octets))
            self._timer = time.call_at(first.left_at(end) + self._impairment.delay(), self._arrive, end)
        elif self._closing is not None:
            when, closed = self._closing
            self._closing = None
            self._timer = time.call_at(when + self._impairment.delay(), self._close, closed)

    def _close(self, closed: Callable[[], object]) -> None:
        self._hand_in()
        closed()
        self._next()

    def _arrive(self, end: int) -> None:
        first = self._queue[0]
        piece = bytes(first.octets[self._handed_out : end])
        self._under_way -= len(piece)
        self._handed_out = end
        if end == len(first.octets):
            self._queue.popleft()
            self._handed_out = 0
        self._next()
        piece = self._limited(piece)
        gathered = self._impairment.faults.gathered
        if not gathered:
            self._pass(piece, first.line)
        elif piece:
            if self._gathered and self._gathered_line != first.line:
                self._hand_in()
            if not self._gathered:
                self._medium.time.call_later(gathered, self._hand_in)
            self._gathered += piece
            self._gathered_line = first.line
        cut = self._impairment.faults.cut_at
        if cut is not None and self._arrived >= cut:
            self._hand_in()
            self._medium.break_off()

    def _limited(self, piece: bytes) -> bytes:
        """Return what of a piece comes before the cut or hang."""
        faults, counts = self._impairment.faults, self._impairment.counts
        if faults.cut_at is not None or faults.hang_at is not None:
            limit = min(each for each in (faults.cut_at, faults.hang_at) if each is not None)
            room = max(limit - self._arrived, 0)
            counts.octets_unheard += max(len(piece) - room, 0)
            piece = piece[:room]
        self._arrived += len(piece)
        return piece

    def _hand_in(self) -> None:
        """Hand in what was gathered."""
        octets = bytes(self._gathered)
        self._gathered.clear()
        self._pass(octets, self._gathered_line)

    def _pass(self, octets: bytes, line: LineSettings | None) -> None:
        if octets:
            counts = self._impairment.counts
            counts.octets_delivered += len(octets)
            for port in self._hearers():
                port.arrive(octets, line, counts)
