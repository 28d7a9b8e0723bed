"""A meter on media of every kind, read by the client over real sockets and ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cosemic.client import BlockingMeter, Meter
from cosemic.client.incoming import IncomingMeters
from cosemic.errors import AuthenticationFailed, ConfigurationError, ConnectionFailed, CosemicError
from cosemic.link.hdlc import HdlcSecondaryLink
from cosemic.server import MeterServer, PhysicalDevice
from cosemic.server.meter_ports import MeterPort, UdpMeterServer
from cosemic.simulator import HouseholdMeter
from cosemic.transport.tls import tls_context
from cosemic.values import LineSettings
from tests.transport.certificates import HEAD_END_TITLE, Authority
from tests.transport.ptys import PtyPair
from tests.transport.samples import run

ENERGY = "1-0:1.8.0"
CLIENT = "client=16&server=1"


def household() -> PhysicalDevice:
    return PhysicalDevice(HouseholdMeter(1, profile_days=1))


async def session(url: str, security: object = None) -> object:
    async with Meter.connect(url, security) as meter:  # type: ignore[arg-type]  # settings of any form
        first = await meter.read(ENERGY)
        assert len(await meter.objects()) > 10
        return first


def test_over_udp_on_both_faces() -> None:
    async def body() -> None:
        async with UdpMeterServer(household(), port=0) as server:
            url = f"udp://127.0.0.1:{server.port}?{CLIENT}"
            one = await session(url)

            def blocking() -> object:
                with BlockingMeter.connect(url) as meter:
                    return meter.read(ENERGY)

            assert await asyncio.to_thread(blocking) == one

    run(body)


def test_over_hdlc_on_tcp_the_data_link_connection_is_made_and_ended() -> None:
    async def body() -> None:
        links: list[HdlcSecondaryLink] = []

        def link() -> HdlcSecondaryLink:
            links.append(HdlcSecondaryLink(17))
            return links[-1]

        async with MeterServer(household(), port=0, link=link) as server:
            url = f"hdlc+tcp://127.0.0.1:{server.port}?{CLIENT}&station=17"
            async with Meter.connect(url) as meter:
                await meter.read(ENERGY)
                assert links[0].connections == ((16, 1),)
            assert links[0].connections == ()

    run(body)


def test_over_a_serial_port() -> None:
    async def body() -> None:
        with PtyPair() as pair:
            here, there = pair.paths
            line = LineSettings(19_200)
            async with MeterPort.on_serial(household(), there, lambda: HdlcSecondaryLink(17), line=line):
                await session(f"hdlc://{here}?{CLIENT}&station=17&baud=19200")
            assert pair.baud(0) == 19_200

    run(body)


@asynccontextmanager
async def secured(folder: Path) -> AsyncIterator[tuple[MeterServer, Authority, Path]]:
    authority = Authority(folder)
    own = authority.issue(METER.hex().upper())
    context = tls_context(server=True, trusted=authority.file, certificate=own.both)
    async with MeterServer(household(), port=0, tls=context) as server:
        yield server, authority, authority.issue(HEAD_END_TITLE.hex().upper()).both


METER = bytes.fromhex("4d4d4d0000bc614e")


def test_over_tls_with_certificates_on_both_sides_and_the_title_of_the_meter(tmp_path: Path) -> None:
    async def body() -> None:
        async with secured(tmp_path) as (server, authority, own):
            url = f"tls://127.0.0.1:{server.port}?{CLIENT}&ca={authority.file}&certificate={own}"
            await session(url, {"server_title": METER.hex(), "system_title": HEAD_END_TITLE.hex()})
            with pytest.raises(AuthenticationFailed, match="title"):
                await session(url, {"server_title": METER[::-1].hex()})
            with pytest.raises(ConfigurationError, match="server_title"):
                await session(url)
            with pytest.raises(CosemicError):
                await session(
                    f"tls://127.0.0.1:{server.port}?{CLIENT}&ca={authority.file}", {"server_title": METER.hex()}
                )

    run(body)


@pytest.mark.parametrize("named", ["own", "another", "none"])
def test_a_client_is_who_its_certificate_says(tmp_path: Path, named: str) -> None:
    async def body() -> None:
        authority = Authority(tmp_path)
        meter = HouseholdMeter(1, profile_days=1, security="hls-gmac")
        security = dict(meter.plan.protection().client_settings())
        title = bytes.fromhex(str(security["system_title"]))
        names = {"own": title.hex().upper(), "another": title[::-1].hex().upper(), "none": "head-end"}
        context = tls_context(server=True, trusted=authority.file, certificate=authority.issue(METER.hex()).both)
        async with MeterServer(meter, port=0, tls=context) as server:
            own = authority.issue(names[named]).both
            url = f"tls://127.0.0.1:{server.port}?client=1&ca={authority.file}&certificate={own}&name={METER.hex()}"
            if named == "own":
                await session(url, security)
            else:
                with pytest.raises(CosemicError):
                    await session(url, security)
                assert not any(client.agreements for client in meter.clients)

    run(body)


def test_a_meter_that_connects_by_itself_becomes_a_client_session() -> None:
    async def body() -> None:
        over = asyncio.Event()
        async with IncomingMeters(f"tcp://127.0.0.1?{CLIENT}", port=0) as incoming:
            calling = MeterPort.calling(household(), "127.0.0.1", incoming.port, ended=over.set)
            async with calling:
                meter = await anext(incoming)
                async with meter:
                    assert str(await meter.read(ENERGY))
                await asyncio.wait_for(over.wait(), 5)
                with pytest.raises(ConnectionFailed, match="until the meter connects again"):
                    await meter.open()
            async with calling, await anext(incoming) as again:
                assert str(await again.read(ENERGY))

    run(body)


def test_meters_that_connect_speak_the_link_of_the_url() -> None:
    async def body() -> None:
        async with (
            IncomingMeters(f"hdlc+tcp://127.0.0.1:1?{CLIENT}", lambda peer: None, port=0) as incoming,
            MeterPort.calling(household(), "127.0.0.1", incoming.port, HdlcSecondaryLink),
            await anext(incoming) as meter,
        ):
            assert str(await meter.read(ENERGY))

    run(body)


def test_a_meter_connects_once() -> None:
    async def body() -> None:
        async with (
            IncomingMeters(f"tcp://127.0.0.1?{CLIENT}", port=0) as incoming,
            MeterPort.calling(household(), "127.0.0.1", incoming.port) as calling,
        ):
            with pytest.raises(ConfigurationError):
                await calling.start()

    run(body)


def test_meters_do_not_connect_over_serial_ports_or_datagrams() -> None:
    for url in ("udp://127.0.0.1", "hdlc:///dev/ttyS0"):
        with pytest.raises(ConfigurationError):
            IncomingMeters(url)
