"""An invocation counter that is read through the public client, over a link on which each client has its connection."""

from __future__ import annotations

import asyncio

import pytest

from cosemic.client import BlockingMeter, Meter
from cosemic.link.hdlc import HdlcSecondaryLink
from cosemic.server import PhysicalDevice
from cosemic.server.meter_server import MeterConnection
from cosemic.simulator import HouseholdMeter
from cosemic.transport.contract import Receiver
from cosemic.transport.tcp import TcpConnection, TcpServer
from tests.transport.samples import run

NAME = "1/0-0:42.0.0:2"
PUBLIC_CLIENT_BEGINS = ["SNRM", "AARQ", "GET", "RLRQ", "DISC"]


class HangsUp:
    """A meter that closes its first connection instead of taking a frame."""

    def __init__(self, instead_of: str | None) -> None:
        self.meter = HouseholdMeter(1, profile_days=1, security="hls-gmac")
        self.device = PhysicalDevice(self.meter)
        self.frames = PUBLIC_CLIENT_BEGINS.index(instead_of) if instead_of else -1
        self.connections: list[_Ends] = []

    def __call__(self, connection: TcpConnection) -> Receiver:
        self.connections.append(_Ends(self.device, connection, -1 if self.connections else self.frames))
        return self.connections[-1]


class _Ends(MeterConnection):
    def __init__(self, device: PhysicalDevice, connection: TcpConnection, frames: int) -> None:
        super().__init__(device, connection, link=HdlcSecondaryLink(17))
        self.connection = connection
        self.frames = frames

    def octets_received(self, octets: bytes, /) -> None:
        if self.frames == 0:
            self.connection.close()
            return
        self.frames -= 1
        super().octets_received(octets)


@pytest.mark.parametrize("face", ["asyncio", "blocking"])
@pytest.mark.parametrize("instead_of", [None, *PUBLIC_CLIENT_BEGINS])
def test_a_meter_that_hangs_up_on_the_public_client_is_opened_on_another_connection(
    instead_of: str | None, face: str
) -> None:
    async def body() -> None:
        server = HangsUp(instead_of)
        security = dict(server.meter.plan.protection().client_settings())
        async with TcpServer(server, "127.0.0.1", 0) as listening:
            url = f"hdlc+tcp://127.0.0.1:{listening.port}?client=1&station=17"

            def blocking() -> object:
                with BlockingMeter.connect(url, security) as meter:
                    return meter.read(NAME)

            if face == "blocking":
                assert await asyncio.to_thread(blocking)
            else:
                async with Meter.connect(url, security) as meter:
                    assert await meter.read(NAME)
            assert len(server.connections) == (2 if instead_of else 1)

    run(body)
