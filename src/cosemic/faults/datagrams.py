"""A network of datagrams in virtual time: UDP, wireless M-Bus, a mesh, an LPWAN.

::

    network = Network(time, DatagramFaults(loss=0.3, latency=2.0, mtu=222), seed=1)
    meter = network.station("meter:4059")
    meter.attach(lambda octets, source: ...)
    network.station("head-end:4059").send(octets, "meter:4059")

A datagram comes whole, twice, late or not at all. A station may join groups; a datagram to a group, or to
:data:`BROADCAST`, comes to all members but the sender, each copy with faults of its own.
:meth:`DatagramPort.connected` makes a connection with one peer of it, a datagram for each write, on which a
:class:`~cosemic.faults.station.Station` can be put.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from cosemic.errors import ConfigurationError, TransportError
from cosemic.faults.media import Journal
from cosemic.faults.virtual_time import VirtualTime
from cosemic.transport import wording
from cosemic.transport.contract import Receiver
from cosemic.values import LineSettings

BROADCAST: Final = "*"
MOST_PEERS: Final = 1024
"""Connections of a port at a time; datagrams of others are not heard."""
MOST_UNDER_WAY: Final = 1 << 16
"""Datagrams; what comes on top is lost, as in a full queue of a router."""
DatagramReceiver = Callable[[bytes, str], object]
"""Takes the octets of a datagram, and the address that it came from."""


@dataclass(frozen=True, slots=True)
class DatagramFaults:
    """What befalls datagrams. Probabilities are from 0 to 1, times in seconds."""

    latency: float = 0.0
    jitter: float = 0.0
    """Up to so much later, each on its own: datagrams overtake each other."""
    loss: float = 0.0
    duplication: float = 0.0
    """Probability that a second one comes, with a delay of its own."""
    reordering: float = 0.0
    """Probability that one is held back by ``held_back``."""
    held_back: float = 1.0
    corruption: float = 0.0
    """Probability that an octet is replaced by another: on media without the checksum of UDP."""
    mtu: int | None = None
    """Octets of the longest datagram; a longer one is lost."""
    fragmented: bool = False
    """A longer one than the MTU goes in so many fragments instead: it is lost when one of them is."""


FAULTLESS: Final = DatagramFaults()


@dataclass(slots=True)
class DatagramCounts:
    """What has happened to the datagrams of a network; each copy to a member of a group counts."""

    sent: int = 0
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    held_back: int = 0
    corrupted: int = 0
    too_long: int = 0
    unheard: int = 0
    """Nobody was at the address any more."""


class Network:
    """Stations that reach each other by address. faults: of each datagram. seed: of all chance."""

    def __init__(self, time: VirtualTime, faults: DatagramFaults = FAULTLESS, *, seed: int = 0) -> None:
        self.time = time
        self.faults = faults
        self.counts = DatagramCounts()
        self.journal = Journal()
        """What was handed in, at all stations."""
        self._random = Random(f"{seed}/datagrams")
        self._stations: dict[str, DatagramPort] = {}
        self._under_way = 0

    def station(self, address: str) -> DatagramPort:
        """Put a station at an address. Raises ConfigurationError where there is one."""
        if address in self._stations or address == BROADCAST:
            raise ConfigurationError(f"{address} is in use: give each station an address of its own")
        self._stations[address] = DatagramPort(self, address)
        return self._stations[address]

    def members(self, address: str) -> list[DatagramPort]:
        """Return the stations that an address stands for."""
        if address in self._stations:
            return [self._stations[address]]
        return [each for each in self._stations.values() if address == BROADCAST or address in each.groups]

    def send(self, sender: DatagramPort, octets: bytes, to: str) -> None:
        """Send a datagram."""
        members = [member for member in self.members(to) if member is not sender or to == sender.address]
        self.counts.unheard += not members
        for member in members:
            self.counts.sent += 1
            self._send(sender.address, bytes(octets), member)

    def leave(self, station: DatagramPort) -> None:
        """Free the address of a station."""
        del self._stations[station.address]

    def _send(self, source: str, octets: bytes, member: DatagramPort) -> None:
        faults, counts, random = self.faults, self.counts, self._random
        fragments = 1
        if faults.mtu is not None and len(octets) > faults.mtu:
            if not faults.fragmented:
                counts.too_long += 1
                return
            fragments = -(-len(octets) // faults.mtu)
        if sum(random.random() < faults.loss for _ in range(fragments)):
            counts.lost += 1
            return
        copies = 1 + (random.random() < faults.duplication)
        counts.duplicated += copies - 1
        for _ in range(copies):
            if self._under_way >= MOST_UNDER_WAY:
                counts.lost += 1
                continue
            self._under_way += 1
            self.time.call_later(self._delay(), self._arrive, source, self._spoilt(octets), member)

    def _delay(self) -> float:
        faults = self.faults
        delay = faults.latency + (self._random.uniform(0, faults.jitter) if faults.jitter else 0.0)
        if self._random.random() < faults.reordering:
            self.counts.held_back += 1
            delay += faults.held_back
        return delay

    def _spoilt(self, octets: bytes) -> bytes:
        if not octets or self._random.random() >= self.faults.corruption:
            return octets
        self.counts.corrupted += 1
        spoilt = bytearray(octets)
        spoilt[self._random.randrange(len(spoilt))] ^= self._random.randrange(1, 256)
        return bytes(spoilt)

    def _arrive(self, source: str, octets: bytes, member: DatagramPort) -> None:
        self._under_way -= 1
        if member.closed:
            self.counts.unheard += 1
            return
        self.counts.delivered += 1
        self.journal.add(self.time.now, member.address, octets)
        member.arrive(octets, source)


class DatagramPort:
    """A station of a :class:`Network`; ``groups`` are the addresses that it has joined."""

    def __init__(self, network: Network, address: str) -> None:
        self.address = address
        self.groups: set[str] = set()
        self.closed = False
        self._network = network
        self._receiver: DatagramReceiver | None = None
        self._connections: dict[str, DatagramConnection] = {}

    @property
    def time(self) -> VirtualTime:
        """The time of the network."""
        return self._network.time

    def attach(self, receiver: DatagramReceiver) -> None:
        """Hand what comes to this receiver from now on, but for what belongs to a connection."""
        self._receiver = receiver

    def listen(self, accept: Callable[[DatagramConnection], object]) -> None:
        """Make a connection of each peer that sends something, and hand it to ``accept``, which attaches a receiver."""

        def first(octets: bytes, source: str) -> None:
            if len(self._connections) >= MOST_PEERS:
                self._network.counts.unheard += 1
                return
            connection = self.connected(source)
            accept(connection)
            connection.arrive(octets)

        self.attach(first)

    def join(self, group: str) -> None:
        """Take part in a multicast group."""
        self.groups.add(group)

    def send(self, octets: bytes, to: str) -> None:
        """Send a datagram to a station, a group or :data:`BROADCAST`. Raises ConnectionLost after the end."""
        if self.closed:
            raise wording.closed_here(to)
        self._network.send(self, octets, to)

    def connected(self, peer: str) -> DatagramConnection:
        """Return a connection with a peer: it takes what comes from there, whatever address it was sent to."""
        self._connections[peer] = connection = DatagramConnection(self, peer)
        return connection

    def close(self) -> None:
        """Receive no more. Does no harm when repeated."""
        if not self.closed:
            self.closed = True
            self._network.leave(self)
            for connection in list(self._connections.values()):
                connection.close()

    def arrive(self, octets: bytes, source: str) -> None:
        """Take a datagram."""
        connection = self._connections.get(source)
        if connection is not None:
            connection.arrive(octets)
        elif self._receiver is not None:
            self._receiver(octets, source)
        else:
            self._network.counts.unheard += 1

    def forget(self, peer: str) -> None:
        """A connection was closed."""
        self._connections.pop(peer, None)


class DatagramConnection:
    """One peer's datagrams (:class:`cosemic.transport.contract.Connection`); each write is one."""

    def __init__(self, port: DatagramPort, peer: str) -> None:
        self.closed = False
        self._port = port
        self._peer = peer
        self._receiver: Receiver | None = None

    @property
    def peer(self) -> str:
        """The address of the peer."""
        return self._peer

    @property
    def time(self) -> VirtualTime:
        """The time of the network."""
        return self._port.time

    def attach(self, receiver: Receiver, /) -> None:
        """Hand what comes to this receiver from now on."""
        self._receiver = receiver

    def set_line(self, line: LineSettings, /) -> None:
        """Do nothing: there is no line."""

    def write(self, octets: bytes, /) -> None:
        """Send a datagram. Raises ConnectionLost after the end."""
        if self.closed:
            raise wording.closed_here(self._peer)
        self._port.send(octets, self._peer)

    def close(self) -> None:
        """End it here; the peer is not told. Does no harm when repeated."""
        if not self.closed:
            self.closed = True
            self._port.forget(self._peer)
            self.time.call_soon(self._end, None)

    def arrive(self, octets: bytes) -> None:
        """Take a datagram of the peer."""
        if self._receiver is not None:
            self._receiver.octets_received(octets)

    def _end(self, error: TransportError | None) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.connection_lost(error)
