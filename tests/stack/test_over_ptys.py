"""A full session over real serial ports: pseudo-terminals, with the drivers and the clocks of this machine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import pytest

from cosemic.cli import main
from cosemic.client import BlockingMeter, Meter
from cosemic.link.contract import Link
from cosemic.link.hdlc import HdlcSecondaryLink
from cosemic.link.iec21 import Identification, Iec21Server, MeterData, ModeEServerLink, ServerSettings
from cosemic.link.mbus import BUS, MbusSlaveLink
from cosemic.link.modem import AnsweringModemLink
from cosemic.model import LoadProfile
from cosemic.server import PhysicalDevice
from cosemic.server.meter_ports import MeterPort
from cosemic.simulator import HouseholdMeter
from cosemic.values import OPTICAL, LineSettings
from tests.stack.full_session import NOW, assert_right, full, household, security
from tests.stack.telephone import NUMBER, Exchange
from tests.transport.ptys import PtyPair

FACES = ("asyncio", "blocking")
SECURITY = ("none", "hls-gmac")
STATION = 17


def mode_e() -> Link:
    settings = ServerSettings(identification=Identification("CSm", "5", "COSEMIC", escapes="2"))
    return ModeEServerLink(HdlcSecondaryLink(STATION), Iec21Server(MeterData({"0.0.0": "1"}), settings))


async def converse(url: str, meter: HouseholdMeter, face: str, port: MeterPort) -> tuple[int, LoadProfile]:
    settings: Mapping[str, Any] = security(meter, certified=False)
    async with port:
        if face == "asyncio":
            async with Meter.connect(url, settings) as client:
                return await client.run(full(client.session))

        def blocking() -> tuple[int, LoadProfile]:
            with BlockingMeter.connect(url, settings) as client:
                return client.run(full(client.session))

        return await asyncio.to_thread(blocking)


def nobody_is_associated(meter: HouseholdMeter) -> bool:
    return not any(client.agreements or client.pending for client in meter.clients)


@contextmanager
def wired(link: Callable[[], Link], line: LineSettings, meter: HouseholdMeter) -> Iterator[tuple[PtyPair, MeterPort]]:
    with PtyPair() as pair:
        yield pair, MeterPort.on_serial(PhysicalDevice(meter), pair.paths[1], link, line=line)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", SECURITY)
def test_a_session_in_hdlc(kind: str, face: str) -> None:
    meter = household(kind)
    links: list[HdlcSecondaryLink] = []

    def link() -> Link:
        links.append(HdlcSecondaryLink(STATION))
        return links[-1]

    with wired(link, LineSettings(19_200), meter) as (pair, port):
        url = f"hdlc://{pair.paths[0]}?station={STATION}&baud=19200&max_pdu=400"
        assert_right(asyncio.run(converse(url, meter, face, port)), meter)
        assert {baud for _, _, baud in pair.log} == {19_200}
    assert links[0].connections == ()
    assert nobody_is_associated(meter)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", SECURITY)
def test_a_session_on_the_m_bus(kind: str, face: str) -> None:
    meter = household(kind)
    with wired(lambda: MbusSlaveLink(5), BUS, meter) as (pair, port):
        url = f"mbus://{pair.paths[0]}?station=5&max_pdu=400"
        assert_right(asyncio.run(converse(url, meter, face, port)), meter)
    assert nobody_is_associated(meter)


@pytest.mark.slow
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", SECURITY)
def test_a_session_in_mode_e(kind: str, face: str) -> None:
    meter = household(kind)
    with wired(mode_e, OPTICAL, meter) as (pair, port):
        url = f"iec21://{pair.paths[0]}?station={STATION}&max_pdu=400"
        assert_right(asyncio.run(converse(url, meter, face, port)), meter)
        # Sign-on at 300 baud and HDLC at 9600, for the public client too where the counter is asked for.
        rates = [baud for baud, _ in groupby(baud for side, _, baud in pair.log if side == 0)]
        assert rates == [300, 9600] * (2 if kind == "hls-gmac" else 1)
        assert pair.passed(0).startswith(b"/?!\r\n")
    assert nobody_is_associated(meter)


@pytest.mark.slow
@pytest.mark.parametrize("face", FACES)
def test_a_session_over_modems(face: str) -> None:
    meter = household()
    with Exchange() as exchange:
        here, there = exchange.paths

        def link() -> Link:
            return AnsweringModemLink(lambda: HdlcSecondaryLink(STATION))

        port = MeterPort.on_serial(PhysicalDevice(meter), there, link, line=LineSettings(9600))
        url = f"modem://{here}?station={STATION}&dial={NUMBER}&max_pdu=400"
        assert_right(asyncio.run(converse(url, meter, face, port)), meter)
        assert len(exchange.network.calls) == 1
        assert not exchange.modems[0].engaged
        assert [command[:3] for command in exchange.modems[0].commands] == ["ATZ", "ATD", "ATH"]
    assert nobody_is_associated(meter)


LINE = re.compile(
    r"\d\d:\d\d:\d\d\.\d{6} (?:connected to (\S+)|(->|<-) (medium|apdu)  *(\d+)  ([0-9a-f]+)(?:  (\w+))?)"
)


def test_a_trace_shows_the_frames_on_the_port_and_the_apdus_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    meter = household()
    with wired(lambda: HdlcSecondaryLink(STATION), LineSettings(9600), meter) as (pair, port):

        async def read() -> int:
            async with port:
                url = f"hdlc://{pair.paths[0]}?station={STATION}&client=16"
                return await asyncio.to_thread(main, ["read", url, "3/1-0:1.8.0", "--trace", "-"])

        assert asyncio.run(read()) == 0
        printed = capsys.readouterr()
        energy = meter.curve.imported(NOW.timestamp()) / 1000
        assert printed.out == f"3/1-0:1.8.0  Active energy import (+A), time integral 1  {energy:.3f} kWh\n"
        first, *rest = (LINE.fullmatch(line) for line in printed.err.splitlines())
        assert first is not None
        assert first[1] == pair.paths[0]
        lines = [line.groups() for line in rest if line is not None]
        assert len(lines) == len(rest)
        for side, arrow in enumerate(("->", "<-")):
            octets = b"".join(bytes.fromhex(line[4]) for line in lines if line[1:3] == (arrow, "medium"))
            assert octets == pair.passed(side)
        assert all(len(line[4]) == 2 * int(line[3]) for line in lines)
        names = [line[5] for line in lines if line[2] == "apdu"]
        assert names == ["AARQ", "AARE", "GetRequestWithList", "GetResponseWithList", "RLRQ", "RLRE"]
        for number, line in enumerate(lines):
            if line[2] == "apdu":  # it stands before the frame that takes it, and behind the one that has brought it
                frame = lines[number + 1 if line[1] == "->" else number - 1]
                assert frame[1:3] == (line[1], "medium")
                assert line[4] in frame[4]
