"""A way to a meter for each scheme of URLs, in virtual time: the medium that the URL names, and the meter at its end.

The client is built from the URL as ever; only the connection is made here::

    client == port ... medium ... port == link of the meter == MeterSession == device
                                  port == Gateway == line ... medium ... the same            gateway+...
                       cable = modem ... call ... modem = cable                              modem...
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

from cosemic.faults import Bus, ByteStream, DatagramFaults, Network, Port, StreamFaults, VirtualTime
from cosemic.faults.blocking_port import BlockingPort
from cosemic.faults.datagrams import DatagramConnection
from cosemic.faults.gateways import GatewayStations
from cosemic.faults.media import FAULTLESS
from cosemic.faults.modem import TelephoneNetwork
from cosemic.faults.sessions import MeterStation
from cosemic.faults.station import StationPort
from cosemic.link.contract import Link, LinkConnected, LinkDisconnected, LinkEvent, Octets
from cosemic.link.gateway import DeviceId, Gateway
from cosemic.link.hdlc import HdlcSecondaryLink
from cosemic.link.iec21 import Identification, Iec21Server, MeterData, ModeEServerLink, ServerSettings
from cosemic.link.mbus import MbusSlaveLink
from cosemic.link.modem import AnsweringModemLink
from cosemic.link.wrapper import DatagramWrapperLink, WrapperLink
from cosemic.server import PhysicalDevice
from cosemic.server.meter_server import MeterConnection
from cosemic.server.meter_session import MeterSession
from cosemic.stack import Address, Framing, Medium, media
from cosemic.stack.links import line_of
from cosemic.transport.contract import Receiver
from cosemic.values import LineSettings

STATION = 17
MBUS_STATION = 5
NUMBER = "5551234"
NETWORK, DEVICE = 1, b"\x0a\x0b"
_OPTIONS = {
    Framing.HDLC: f"station={STATION}",
    Framing.IEC21: f"station={STATION}",
    Framing.MODEM: f"station={STATION}&dial={NUMBER}",
    Framing.MBUS: f"station={MBUS_STATION}",
}
_SECURED = "ca=roots.pem&certificate=own.pem"
Served: TypeAlias = MeterStation | MeterConnection


def url(scheme: str, *options: str) -> str:
    """Return the URL by which the meter is reached."""
    name = scheme.removeprefix("gateway+")
    framing = Framing.WRAPPER if name in ("tcp", "tls", "udp") else Framing(name.partition("+")[0])
    network = framing is Framing.WRAPPER or "+" in name
    found = [_OPTIONS.get(framing, ""), *options]
    if name.endswith("tls"):
        found.append(_SECURED)
    if scheme != name:
        found.append(f"network={NETWORK}&meter={DEVICE.hex()}")
    return f"{scheme}://{'meter.example:4059' if network else '/dev/ttyUSB0'}?{'&'.join(filter(None, found))}"


class Watched:
    """A link whose events are kept."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.events: list[LinkEvent] = []

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        events = self.link.receive(octets, now)
        self.events += events
        return events

    def tick(self, now: float) -> list[LinkEvent]:
        events = self.link.tick(now)
        self.events += events
        return events

    def __getattr__(self, name: str) -> Any:
        return getattr(self.link, name)


class Way:
    """The medium of one URL, and a meter.

    certificates: of meter and client, in DER. faults: of both directions. datagrams: the same of UDP. on_loop: the
    meter is served as on an event loop, by MeterConnection.
    """

    def __init__(
        self,
        device: PhysicalDevice,
        *,
        time: VirtualTime | None = None,
        certificates: tuple[bytes, bytes] = (b"", b""),
        faults: StreamFaults = FAULTLESS,
        datagrams: DatagramFaults = DatagramFaults(),  # noqa: B008 - frozen
        seed: int = 0,
        on_loop: bool = False,
    ) -> None:
        self.time = time or VirtualTime()
        self.links: list[Watched] = []
        """Of the meter, or of the gateway and then of the meter, for each connection."""
        self.ports: list[Any] = []
        """Those that the client was given, in order."""
        self._device = device
        self._certificates = certificates
        self._faults = {"from_client": faults, "from_server": faults}
        self._calls = {"from_caller": faults, "from_called": faults, "seed": seed}
        self._network = Network(self.time, datagrams, seed=seed)
        self._bus = faults
        self._seed = seed
        self._on_loop = on_loop
        self._serial: Any = None
        self._damaging: list[Port] = []
        self._calls_made: list[ByteStream] = []

    # ---- in place of the media of this machine ----------------------------------------------------------------------

    def take_the_place_of_media(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let every client connect here, and let the clocks of blocking code be virtual."""
        clock = SimpleNamespace(monotonic=self.time, sleep=self.time.run_for)
        monkeypatch.setattr(media, "connect", self.connect)
        monkeypatch.setattr(media, "connect_blocking", self.connect_blocking)
        monkeypatch.setattr("cosemic.client.blocking.time", clock)
        monkeypatch.setattr("cosemic.faults.blocking_port.machine", clock)

    async def connect(self, address: Address, receiver: Receiver) -> Any:
        """As :func:`cosemic.stack.media.connect`."""
        port = self._port(address)
        port.attach(receiver)
        return port

    def connect_blocking(self, address: Address) -> BlockingPort:
        """As :func:`cosemic.stack.media.connect_blocking`."""
        port = self._port(address)
        made = BlockingPort(port)
        if address.medium is Medium.TLS:
            vars(made)["peer_certificate"] = self._certificates[0]
        return made

    def _port(self, address: Address) -> Any:
        """Return the client's end of a connection, with somebody at the other one."""
        if address.medium is Medium.SERIAL:
            assert address.device == "/dev/ttyUSB0"
            if self._serial is None:
                self._serial = self._connected(address, line_of(address))
            elif self._serial.closed:
                self._serial.reopen()
            port = self._serial
        else:
            assert (address.host, address.port) == ("meter.example", 4059)
            port = self._datagrams(address) if address.medium is Medium.UDP else self._connected(address, None)
        if address.medium is Medium.TLS:
            port.peer_certificate = self._certificates[0]
        self.ports.append(port)
        return port

    def _connected(self, address: Address, line: LineSettings | None) -> Any:
        time, framing = self.time, address.framing
        if framing is Framing.MODEM:
            network = TelephoneNetwork(time, **self._calls)  # type: ignore[arg-type]  # as declared there
            cable, other = ByteStream(time, line=line), ByteStream(time, line=LineSettings(9600))
            self._calls_made = network.calls
            network.modem("5550000", cable.server)
            network.modem(NUMBER, other.server)
            self._serve(address, other.client)
            return cable.client
        if framing is Framing.MBUS and line is not None:
            bus = Bus(time, line, faults=self._bus, seed=self._seed)
            meter, master = bus.station("meter"), bus.station("master")
            self._damaging += meter, master
            self._serve(address, meter)
            return master
        half_duplex = line is not None and (framing is Framing.IEC21 or address.echo)
        stream = ByteStream(
            time,
            line=line,
            half_duplex=half_duplex,
            echo=address.echo,
            seed=self._seed + len(self.ports),
            **self._faults,
        )
        self._damaging += stream.client, stream.server
        self._serve(address, stream.server)
        return stream.client

    def _datagrams(self, address: Address) -> Any:
        number = len(self.ports)
        here, there = self._network.station(f"client {number}"), self._network.station(f"meter {number}")
        there.listen(lambda connection: self._serve(address, connection))
        port: DatagramConnection = here.connected(there.address)
        # What a blocking port asks of the port of a stream.
        vars(port).update(line=None, closed_by_peer=False, busy_until=0.0)
        return port

    # ---- the other end ----------------------------------------------------------------------------------------------

    def _serve(self, address: Address, port: Any) -> None:
        upper = self._watched(_LINKS[address.framing](address))
        if address.medium is Medium.TLS:
            port.peer_certificate = self._certificates[1]
        if not address.gateway:
            self._meter(upper, port, certified=address.medium is Medium.TLS)
            return
        below = ByteStream(self.time)
        stations = GatewayStations(Gateway(upper), port)
        stations.add(stations.gateway.line(DeviceId(NETWORK, DEVICE), WrapperLink()), below.client)
        self._meter(self._watched(WrapperLink()), below.server)
        stations.upper.go_on()

    def _meter(self, link: Any, port: StationPort, *, certified: bool = False) -> None:
        if self._on_loop:
            connection = MeterConnection(self._device, port, link=link, certified=certified, clock=self.time)
            port.attach(connection)
            connection.begin()
        else:
            session = MeterSession(self._device, link, certified=certified, certificate=self._certificates[1])
            MeterStation(session, port).go_on()

    def _watched(self, link: Link) -> Watched:
        self.links.append(Watched(link))
        return self.links[-1]

    # ---- what is left -----------------------------------------------------------------------------------------------

    def assert_that_nothing_is_left(self) -> None:
        """After a session that was closed: no connection, no association, nothing that time would bring."""
        assert self.ports
        assert all(port.closed for port in self.ports)
        assert self.time.run_until_idle()
        assert self.time.next_call is None
        assert all(port.closed for call in self._calls_made for port in (call.client, call.server))
        for device in self._device.devices:
            assert not any(client.agreements or client.pending for client in device.clients)
        for watched in self.links:
            assert watched.deadline() is None
            stands: set[tuple[int, int]] = set()
            for event in watched.events:
                if isinstance(event, LinkConnected):
                    stands.add((event.source, event.destination))
                elif isinstance(event, LinkDisconnected):
                    assert event.error is None
                    stands.discard((event.source, event.destination))
            assert not stands

    @property
    def damaged(self) -> int:
        """How many frames did not come as they were sent."""
        ports = [*self._damaging, *(port for call in self._calls_made for port in (call.client, call.server))]
        return sum(port.counts.frames_corrupted for port in ports)

    @property
    def disconnected(self) -> int:
        """How many data link connections were ended in order."""
        return sum(isinstance(event, LinkDisconnected) for watched in self.links for event in watched.events)


def scheduled(loop: asyncio.AbstractEventLoop) -> list[Any]:
    """What an event loop would still do."""
    return [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]  # no other way


def _hdlc(address: Address) -> Link:
    return HdlcSecondaryLink(STATION)


def _iec21(address: Address) -> Link:
    offers_mode_e = Identification("CSM", "5", "COSEMIC", escapes="2")
    settings = ServerSettings(identification=offers_mode_e, echo=address.echo)
    return ModeEServerLink(HdlcSecondaryLink(STATION), Iec21Server(MeterData({"0.0.0": "1"}), settings))


_LINKS: dict[Framing, Callable[[Address], Link]] = {
    Framing.WRAPPER: lambda address: DatagramWrapperLink() if address.medium is Medium.UDP else WrapperLink(),
    Framing.HDLC: _hdlc,
    Framing.IEC21: _iec21,
    Framing.MODEM: lambda address: AnsweringModemLink(lambda: HdlcSecondaryLink(STATION)),
    Framing.MBUS: lambda address: MbusSlaveLink(MBUS_STATION),
}
