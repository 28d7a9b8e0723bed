"""Several meters and associations on one connection."""

from __future__ import annotations

import asyncio

import pytest

from cosemic.client.shared import SharedMedium
from cosemic.errors import ConfigurationError, ConnectionLost, CosemicError
from cosemic.link.hdlc import HdlcSecondaryLink
from cosemic.server import LogicalDevice, MeterServer, PhysicalDevice
from cosemic.server.meter_server import MeterConnection
from cosemic.simulator import HouseholdMeter
from cosemic.transport.contract import Connection, Receiver
from cosemic.transport.tcp import TcpConnection, TcpServer
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
            medium.meter() as meter,
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
