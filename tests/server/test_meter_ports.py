"""A meter on media of every kind, read by the client over real sockets and ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cosemic.client import BlockingMeter, Meter
from cosemic.client.incoming import IncomingMeters
from cosemic.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    CosemicError,
    ResponseTimeout,
    TransportError,
)
from cosemic.link.contract import LinkEvent
from cosemic.link.hdlc import HdlcSecondaryLink
from cosemic.link.wrapper import WrapperLink
from cosemic.server import MeterServer, PhysicalDevice
from cosemic.server.meter_ports import MeterPort, UdpMeterServer
from cosemic.server.meter_server import MeterConnection
from cosemic.simulator import HouseholdMeter
from cosemic.stack import parse_url
from cosemic.transport.tcp import TcpConnection, connect
from cosemic.transport.tls import tls_context
from cosemic.values import LineSettings
from tests.transport.certificates import HEAD_END_TITLE, Authority
from tests.transport.ptys import PtyPair
from tests.transport.samples import run

pytestmark = pytest.mark.slow

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


def test_a_meter_that_connects_is_who_its_certificate_says(tmp_path: Path) -> None:
    async def body() -> None:
        authority = Authority(tmp_path)
        url = f"tls://127.0.0.1?{CLIENT}&ca={authority.file}&certificate={authority.issue('head-end').both}"
        with pytest.raises(ConfigurationError, match="leave name= out"):
            IncomingMeters(f"{url}&name=head-end")
        for name, good in ((METER.hex(), True), (METER[::-1].hex(), False), ("stranger", False)):
            tls = tls_context(trusted=authority.file, certificate=authority.issue(name).both, check_host=False)
            async with (
                IncomingMeters(url, {"server_title": METER.hex()}, port=0) as incoming,
                MeterPort.calling(household(), "127.0.0.1", incoming.port, tls=tls),
            ):
                meter = await anext(incoming)
                if good:
                    async with meter:
                        assert str(await meter.read(ENERGY))
                else:
                    with pytest.raises(AuthenticationFailed):
                        await meter.open()

    run(body)


@pytest.mark.parametrize("own", [True, False])
def test_a_meter_that_connects_serves_the_client_of_the_certificate(tmp_path: Path, own: bool) -> None:
    async def body() -> None:
        authority = Authority(tmp_path)
        meter = HouseholdMeter(1, profile_days=1, security="hls-gmac")
        security = dict(meter.plan.protection().client_settings()) | {"server_title": meter.system_title.hex()}
        title = bytes.fromhex(str(security["system_title"]))
        ours = authority.issue((title if own else title[::-1]).hex()).both
        theirs = authority.issue(meter.system_title.hex()).both
        tls = tls_context(trusted=authority.file, certificate=theirs, check_host=False)
        url = f"tls://127.0.0.1?client=1&timeout=1&ca={authority.file}&certificate={ours}"
        async with (
            IncomingMeters(url, security, port=0) as incoming,
            MeterPort.calling(PhysicalDevice(meter), "127.0.0.1", incoming.port, tls=tls),
        ):
            client = await anext(incoming)
            if own:
                async with client:
                    assert str(await client.read(ENERGY))
            else:
                with pytest.raises(TransportError):
                    await client.open()
                assert not any(each.agreements for each in meter.clients)

    run(body)


def test_a_meter_can_be_opened_again_after_another_one_was_found(tmp_path: Path) -> None:
    async def body() -> None:
        authority = Authority(tmp_path)
        wrong, right = (
            tls_context(server=True, trusted=authority.file, certificate=authority.issue(title.hex()).both)
            for title in (METER[::-1], METER)
        )
        async with MeterServer(household(), port=0, tls=wrong) as server:
            port = server.port
            own = authority.issue(HEAD_END_TITLE.hex()).both
            url = f"tls://127.0.0.1:{port}?{CLIENT}&timeout=2&ca={authority.file}&certificate={own}"
            meter = Meter.connect(url, {"server_title": METER.hex()})
            with pytest.raises(AuthenticationFailed):
                await meter.open()
            async with MeterServer(household(), host="127.0.0.2", port=port, tls=right):
                again = parse_url(url.replace("127.0.0.1", "127.0.0.2"))
                meter._plan.address = again
                async with meter:
                    assert str(await meter.read(ENERGY))

    run(body)


def test_an_answer_that_is_lost_does_not_cost_the_connection_that_only_the_meter_can_make() -> None:
    async def body() -> None:
        async with IncomingMeters(f"tcp://127.0.0.1?{CLIENT}&timeout=0.1", port=0) as incoming:
            relay = Deaf(household())
            relay.connection = await connect("127.0.0.1", incoming.port, relay, timeout=5)
            async with await anext(incoming) as meter:
                relay.deaf = True
                with pytest.raises(ResponseTimeout):
                    await meter.read(ENERGY)
                relay.deaf = False
                assert str(await meter.read(ENERGY))

    run(body)


class Deaf:
    """A meter that can be made to pass over what comes."""

    def __init__(self, device: PhysicalDevice) -> None:
        self.device = device
        self.deaf = False
        self.connection: TcpConnection | None = None
        self.served: MeterConnection | None = None

    def octets_received(self, octets: bytes, /) -> None:
        assert self.connection is not None
        self.served = self.served or MeterConnection(self.device, self.connection)
        if not self.deaf:
            self.served.octets_received(octets)

    def connection_lost(self, error: object, /) -> None: ...


def test_meters_that_have_gone_before_they_are_taken_are_passed_over() -> None:
    async def body() -> None:
        async with IncomingMeters(f"tcp://127.0.0.1?{CLIENT}", port=0) as incoming:
            for _ in range(3):
                async with MeterPort.calling(household(), "127.0.0.1", incoming.port):
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.01)
            async with (
                MeterPort.calling(household(), "127.0.0.1", incoming.port),
                await asyncio.wait_for(anext(incoming), 5) as meter,
            ):
                assert str(await meter.read(ENERGY))

    run(body)


def test_waiting_for_meters_ends_with_the_listening_and_can_begin_again() -> None:
    async def body() -> None:
        incoming = IncomingMeters(f"tcp://127.0.0.1?{CLIENT}", port=0)
        for _ in range(2):
            async with incoming:
                waiting = [asyncio.create_task(count(incoming)) for _ in range(2)]
                async with MeterPort.calling(household(), "127.0.0.1", incoming.port):
                    while not any(task.done() for task in waiting) and incoming._arrived.qsize():
                        await asyncio.sleep(0)
            assert sum(await asyncio.gather(*waiting)) <= 1

    run(body)


async def count(incoming: IncomingMeters) -> int:
    return len([meter async for meter in incoming])


def test_a_meter_without_security_settings_is_let_go() -> None:
    async def body() -> None:
        def nobody(peer: str) -> None:
            raise ConfigurationError(f"{peer} is not known")

        over = asyncio.Event()
        async with (
            IncomingMeters(f"tcp://127.0.0.1?{CLIENT}", nobody, port=0) as incoming,
            MeterPort.calling(household(), "127.0.0.1", incoming.port, ended=over.set),
        ):
            with pytest.raises(ConfigurationError, match="is not known"):
                await anext(incoming)
            await asyncio.wait_for(over.wait(), 5)

    run(body)


def test_a_port_is_free_again_when_the_meter_is_closed() -> None:
    async def body() -> None:
        with PtyPair() as pair:
            over: list[bool] = []
            for times in (1, 2):
                async with MeterPort.on_serial(
                    household(),
                    pair.paths[1],
                    HdlcSecondaryLink,
                    line=LineSettings(9600),
                    ended=lambda: over.append(True),
                ):
                    pass
                assert len(over) == times

    run(body)


def test_a_link_without_meter_leaves_no_connection_behind() -> None:
    async def body() -> None:
        def broken() -> WrapperLink:
            raise ConfigurationError("no link")

        over = asyncio.Event()
        async with IncomingMeters(f"tcp://127.0.0.1?{CLIENT}", port=0) as incoming:
            with pytest.raises(ConfigurationError):
                await MeterPort.calling(household(), "127.0.0.1", incoming.port, broken, ended=over.set).start()
            await asyncio.wait_for(over.wait(), 5)

    run(body)


def test_a_link_that_speaks_while_its_connection_is_closing_harms_nobody() -> None:
    async def body() -> None:
        class Talking(WrapperLink):
            def deadline(self) -> float:
                return 0.0

            def tick(self, now: float) -> list[LinkEvent]:
                self.send(b"\0", source=1, destination=16)
                return []

        class Closed:
            peer = "the client"
            written = 0

            def write(self, octets: bytes, /) -> None:
                self.written += 1
                raise ConnectionLost("closed here")

            def close(self) -> None: ...

        closed = Closed()
        served = MeterConnection(household(), closed, link=Talking())
        served.begin()
        while closed.written < 3:
            await asyncio.sleep(0)
        served.connection_lost(None)

    run(body)
