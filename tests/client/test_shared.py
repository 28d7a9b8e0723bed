"""Several meters and associations on one connection."""

from __future__ import annotations

import asyncio

import pytest

from cosemic.client.shared import SharedMedium
from cosemic.errors import (
    AssociationError,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    CosemicError,
    ProtocolError,
)
from cosemic.link.hdlc import HdlcSecondaryLink
from cosemic.server import LogicalDevice, MeterServer, PhysicalDevice
from cosemic.server.meter_server import MeterConnection
from cosemic.simulator import HouseholdMeter
from cosemic.transport.contract import Connection, Receiver
from cosemic.transport.tcp import TcpConnection, TcpServer
from tests.client.meters import QUICK
from tests.transport.samples import run

ENERGY = "1-0:1.8.0"
NAME = "1/0-0:42.0.0:2"


def test_associations_of_two_clients_run_side_by_side_on_one_connection() -> None:
    async def body() -> None:
        meter = HouseholdMeter(1, profile_days=1, security="lls")
        password = meter.plan.protection().client_settings()
        async with MeterServer(meter, port=0) as server, SharedMedium(f"tcp://127.0.0.1:{server.port}") as medium:
            one = medium.meter("client=16&server=1")
            other = medium.meter(f"client={password['client_sap']}&server=1", dict(password))
            async with one, other:
                assert server.connections == 1
                found = await asyncio.gather(*(each.read(NAME) for each in (one, other) for _ in range(10)))
                assert len(set(found)) == 1
            async with one:
                assert await one.read(NAME) == found[0]
            assert server.connections == 1
        assert one.traffic.round_trips > 0

    run(body)


class Bus:
    """Meters that hear everything on one connection, as behind a converter to a two-wire bus."""

    def __init__(self, *devices: LogicalDevice) -> None:
        self.devices = [PhysicalDevice(device) for device in devices]

    def __call__(self, connection: TcpConnection) -> Receiver:
        return _OnBus(
            [
                MeterConnection(device, connection, link=HdlcSecondaryLink(17 + number))
                for number, device in enumerate(self.devices)
            ]
        )


class _OnBus:
    def __init__(self, stations: list[MeterConnection]) -> None:
        self.stations = stations

    def octets_received(self, octets: bytes, /) -> None:
        for station in self.stations:
            station.octets_received(octets)

    def connection_lost(self, error: object, /) -> None:
        for station in self.stations:
            station.connection_lost(None)


def test_meters_on_one_bus_are_read_in_turn_whoever_asks() -> None:
    async def body() -> None:
        meters = [HouseholdMeter(serial, profile_days=1) for serial in (1, 2, 3)]
        async with (
            TcpServer(Bus(*meters), "127.0.0.1", 0) as server,
            SharedMedium(f"hdlc+tcp://127.0.0.1:{server.port}") as bus,
        ):
            readers = [bus.meter(f"client=16&station={17 + number}") for number in range(3)]
            await asyncio.gather(*(reader.open() for reader in readers))
            names = await asyncio.gather(*(reader.read(NAME) for _ in range(3) for reader in readers))
            assert len(set(names)) == 3
            assert names[:3] == names[3:6] == names[6:]
            await asyncio.gather(*(reader.close() for reader in readers))

    run(body)


def test_a_medium_that_breaks_is_told_to_all_and_opened_again_when_one_connects() -> None:
    async def body() -> None:
        device = PhysicalDevice(HouseholdMeter(1, profile_days=1))
        connections: list[Connection] = []

        def answering(connection: TcpConnection) -> Receiver:
            connections.append(connection)
            return MeterConnection(device, connection)

        async with (
            TcpServer(answering, "127.0.0.1", 0) as server,
            SharedMedium(f"tcp://127.0.0.1:{server.port}?client=16") as medium,
            medium.meter(recovery=QUICK) as meter,
        ):
            first = await meter.read(NAME)
            connections[0].close()
            assert await meter.read(NAME) == first
            assert len(connections) == 2

    run(body)


def test_a_closed_medium_ends_its_meters() -> None:
    async def body() -> None:
        async with MeterServer(HouseholdMeter(1, profile_days=1), port=0) as server:
            medium = SharedMedium(f"tcp://127.0.0.1:{server.port}")
            meter = medium.meter("client=16")
            await meter.open()
            await medium.close()
            with pytest.raises(CosemicError):
                await asyncio.gather(meter.write("1/0-0:96.1.0:2", "x"))
            await meter.close()
            await medium.close()

    run(body)


@pytest.mark.parametrize("url", ["iec21:///dev/ttyUSB0", "modem:///dev/ttyUSB0?dial=1", "tls://h?ca=x", "http://h"])
def test_what_cannot_be_shared(url: str) -> None:
    with pytest.raises(ConfigurationError):
        SharedMedium(url)


def test_a_closed_medium_is_not_opened_again() -> None:
    async def body() -> None:
        async with MeterServer(HouseholdMeter(1, profile_days=1), port=0) as server:
            medium = SharedMedium(f"tcp://127.0.0.1:{server.port}")
            async with medium, medium.meter("client=16") as meter:
                await medium.close()
                with pytest.raises(ConfigurationError, match="was closed"):
                    await meter.read(NAME)
            async with medium, medium.meter("client=16") as meter:
                assert await meter.read(NAME)

    run(body)


def test_closing_waits_for_who_is_joining() -> None:
    async def body() -> None:
        async with MeterServer(HouseholdMeter(1, profile_days=1), port=0) as server:
            medium = SharedMedium(f"tcp://127.0.0.1:{server.port}")
            opening = asyncio.create_task(medium.meter("client=16").open())
            await asyncio.sleep(0)
            await medium.close()
            with pytest.raises(CosemicError):
                await opening
            while server.connections:
                await asyncio.sleep(0)

    run(body)


class Halves:
    """A meter whose first long answer comes in two parts: the second when it has more to say."""

    def __init__(self, device: PhysicalDevice) -> None:
        self.device = device
        self.first_half = asyncio.Event()
        self.rest = b""
        self.peer = "the client"

    def __call__(self, connection: TcpConnection) -> Receiver:
        self.connection = connection
        return MeterConnection(self.device, self)

    def write(self, octets: bytes, /) -> None:
        half = len(octets) // 2 if len(octets) > 100 and not self.first_half.is_set() else len(octets)
        self.connection.write(self.rest + octets[:half])
        self.rest = octets[half:]
        if self.rest:
            self.first_half.set()

    def close(self) -> None:
        self.connection.close()


def test_who_joins_while_another_is_answered_does_not_see_half_an_answer() -> None:
    async def body() -> None:
        meter = HouseholdMeter(1, profile_days=1, security="lls")
        password = meter.plan.protection().client_settings()
        halves = Halves(PhysicalDevice(meter))
        async with (
            TcpServer(halves, "127.0.0.1", 0) as server,
            SharedMedium(f"tcp://127.0.0.1:{server.port}") as medium,
            medium.meter("client=16") as one,
        ):
            objects = asyncio.create_task(one.objects())
            await halves.first_half.wait()
            await asyncio.sleep(0.01)  # it has come
            async with medium.meter(f"client={password['client_sap']}", dict(password)) as other:
                assert other.opened
            assert await objects

    run(body)


def test_a_stream_that_is_no_wrapper_ends_the_medium_with_a_reason() -> None:
    async def body() -> None:
        class Hdlc:
            def __init__(self, connection: TcpConnection) -> None:
                self.connection = connection

            def octets_received(self, octets: bytes, /) -> None:
                self.connection.write(b"\x7e\xa0\x07\x03\x21\x93\x0f\x01\x7e")

            def connection_lost(self, error: object, /) -> None: ...

        async with (
            TcpServer(Hdlc, "127.0.0.1", 0) as server,
            SharedMedium(f"tcp://127.0.0.1:{server.port}") as medium,
        ):
            with pytest.raises(ProtocolError, match="looks like HDLC"):
                await medium.meter("client=16").open()
            while server.connections:
                await asyncio.sleep(0)

    run(body)


class Silent(_OnBus):
    """Meters on a bus that can be cut, so that nothing is heard of them; keeps what was sent to them."""

    def __init__(self, *meters: LogicalDevice) -> None:
        super().__init__([])
        self.bus = Bus(*meters)
        self.cut = False
        self.heard: list[bytes] = []
        self.peer = "the client"

    def __call__(self, connection: TcpConnection) -> Receiver:
        self.connection = connection
        on_bus = self.bus(self)  # type: ignore[arg-type]  # stands between
        assert isinstance(on_bus, _OnBus)
        self.stations = on_bus.stations
        return self

    def octets_received(self, octets: bytes, /) -> None:
        self.heard.append(octets)
        super().octets_received(octets)

    def write(self, octets: bytes, /) -> None:
        if not self.cut:
            self.connection.write(octets)

    def close(self) -> None:
        self.connection.close()


def test_a_call_that_is_given_up_says_nothing_in_the_turn_of_another() -> None:
    async def body() -> None:
        silent = Silent(*(HouseholdMeter(serial, profile_days=1) for serial in (1, 2)))
        async with (
            TcpServer(silent, "127.0.0.1", 0) as server,
            SharedMedium(f"hdlc+tcp://127.0.0.1:{server.port}?timeout=0.2&client=16") as bus,
            bus.meter("station=17") as one,
            bus.meter("station=18") as other,
        ):
            silent.cut = True
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(one.read(NAME), 0.02)
            silent.heard.clear()
            await asyncio.sleep(0.15)
            given_up = bytes((1 << 1, 17 << 1 | 1))  # the other one may say something
            assert not [octets for octets in silent.heard if octets[3:5] == given_up]
            silent.cut = False
            assert await one.read(NAME) != await other.read(NAME)

    run(body)


def test_a_station_that_does_not_answer_leaves_the_others_alone() -> None:
    async def body() -> None:
        async with (
            TcpServer(Bus(HouseholdMeter(1, profile_days=1)), "127.0.0.1", 0) as server,
            SharedMedium(f"hdlc+tcp://127.0.0.1:{server.port}?timeout=0.2&retries=1&client=16") as bus,
            bus.meter("station=17") as one,
        ):
            with pytest.raises(ConnectionFailed, match="no UA"):
                await bus.meter("station=99").open()
            assert await one.read(NAME)
            assert one.traffic.round_trips == 2  # it was not opened again

    run(body)


def test_one_meter_at_a_time_is_between_a_pair_of_saps() -> None:
    async def body() -> None:
        meter = HouseholdMeter(1, profile_days=1, security="hls-gmac")
        security = dict(meter.plan.protection().client_settings())
        async with (
            MeterServer(meter, port=0) as server,
            SharedMedium(f"tcp://127.0.0.1:{server.port}") as medium,
            medium.meter("client=16") as public,
        ):
            with pytest.raises(AssociationError, match="between client SAP 16 and server SAP 1 too"):
                await medium.meter("client=16").open()
            # Its counter is not read, since that takes the public client away from the other; 0 is right here.
            async with medium.meter(f"client={security['client_sap']}", security) as secured:
                assert await public.read(NAME) == await secured.read(NAME)
            assert public.traffic.round_trips == 2

    run(body)


def test_nothing_is_sent_after_leaving() -> None:
    async def body() -> None:
        class Deaf:
            def octets_received(self, octets: bytes, /) -> None: ...

            def connection_lost(self, error: object, /) -> None: ...

        async with (
            MeterServer(HouseholdMeter(1, profile_days=1), port=0) as server,
            SharedMedium(f"tcp://127.0.0.1:{server.port}") as medium,
        ):
            branch = await medium.join(Deaf())
            branch.close()
            branch.close()
            with pytest.raises(ConnectionLost):
                branch.write(b"x")

    run(body)
