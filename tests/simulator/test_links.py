"""Simulated meters over every link, on real sockets and at a real pseudo-terminal; and that a scan finds them there."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from cosemic.client import Meter
from cosemic.client.recovery import NONE
from cosemic.client.scan import NORMAL, QUICK, Report, Scanner, Verdict
from cosemic.errors import ConfigurationError, ConnectionLost, CosemicError
from cosemic.faults import ByteStream, Driver, VirtualTime
from cosemic.faults.virtual_loop import VirtualLoop
from cosemic.link.iec21 import DataReadout, Iec21Client, ModeEServerLink
from cosemic.link.wrapper import DatagramWrapperLink
from cosemic.simulator import (
    Faults,
    Fleet,
    MeterLink,
    MeterPlan,
    NoAnswer,
    Reboot,
    Reset,
    SimulatedMeter,
    Slow,
    load_fleet,
    served_port,
)
from cosemic.simulator.faulty_connection import FaultyConnection
from cosemic.simulator.plan import plans_of
from cosemic.stack import parse_url
from cosemic.values import OPTICAL, LineSettings, Parity
from tests.simulator.clients import beside, energy_of, served
from tests.simulator.support import NOW, standing

if sys.platform != "win32":
    from tests.transport.ptys import PtyPair

QUICK_LINKS = [
    MeterLink(),
    MeterLink(udp=True),
    MeterLink(link="hdlc"),
    MeterLink(link="hdlc", station=17),
    MeterLink(link="hdlc", station="serial", address_octets=4),
    MeterLink(link="mbus"),
    MeterLink(link="mbus", station="serial"),
]
MODE_E = [MeterLink(link="iec21"), MeterLink(link="iec21", station=17, address_octets=2)]
needs_ptys = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")


def fleet_of(link: MeterLink, **options: Any) -> Fleet:
    said: dict[str, Any] = {"kinds": ("none",), "now": lambda: NOW, "profile_days": 1} | options
    return Fleet.of(1, 3, link=link, **said)


def with_slow(quick: list[Any], slow: list[Any]) -> list[Any]:
    return [*quick, *(pytest.param(one, marks=pytest.mark.slow) for one in slow)]


async def found_at(target: str, **options: Any) -> Report:
    said: dict[str, Any] = {"depth": QUICK, "clients": (16,), "serial_number": "1000001"} | options
    return await Scanner(target, **said).run()


# ---- on a network ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", with_slow(QUICK_LINKS, MODE_E), ids=str)
def test_a_meter_is_read_over_its_link_with_the_url_of_its_endpoint(link: MeterLink) -> None:
    fleet = fleet_of(link)

    async def work(fleet: Fleet) -> None:
        (endpoint,) = fleet.endpoints
        async with Meter.connect(endpoint.url) as meter:
            assert (await meter.read("1-0:1.8.0")).raw == endpoint.site.plan.curve().imported(NOW.timestamp())

    served(fleet, work)


def test_security_is_the_same_over_every_link() -> None:
    fleet = Fleet(
        [
            MeterPlan(serial=number, security="hls-gmac", profile_days=1, link=link)
            for number, link in enumerate(QUICK_LINKS)
        ],
        now=lambda: NOW,
    )
    expected = [site.plan.curve().imported(NOW.timestamp()) for site in fleet.sites]
    assert beside(fleet, lambda: [energy_of(one) for one in fleet.endpoints]) == expected


@pytest.mark.parametrize("link", with_slow(QUICK_LINKS[:5], QUICK_LINKS[5:] + MODE_E), ids=str)
def test_a_scan_finds_the_meter_and_its_url_works(link: MeterLink) -> None:
    async def work(fleet: Fleet) -> None:
        report = await found_at(f"127.0.0.1:{fleet.sites[0].port}", patience=0.4, depth=depth)
        assert report.best is not None
        assert report.best.verdict is Verdict.OPEN
        assert report.best.name == "CSM0000001000001"
        async with Meter.connect(report.best.url) as meter:
            assert (await meter.read("1-0:1.8.0")).raw > 0
        found, told = parse_url(report.best.url), parse_url(fleet.endpoints[0].url)
        assert (found.framing, found.medium) == (told.framing, told.medium)
        if link.address_octets is not None or link.link == "mbus":
            assert found.station == told.station

    depth = NORMAL if link.udp else QUICK
    served(fleet_of(link), work)


def test_a_scan_of_a_port_where_nobody_listens_ends_at_once() -> None:
    async def work(fleet: Fleet) -> None:
        port = fleet.sites[0].port
        await fleet.close()
        report = await found_at(f"127.0.0.1:{port}")
        assert (report.findings, report.complete) == ((), True)
        assert any("refused the connection" in hint for hint in report.hints)
        assert report.seconds < 1

    served(fleet_of(MeterLink()), work)


# ---- at a serial port ------------------------------------------------------------------------------------------------


@needs_ptys
@pytest.mark.parametrize("link", with_slow(QUICK_LINKS[2:5], QUICK_LINKS[5:] + MODE_E), ids=str)
def test_a_scan_finds_a_meter_at_a_pseudo_terminal_and_it_is_read_there(link: MeterLink) -> None:
    async def body() -> None:
        plans = plans_of(1, 3, (None,), ("none",), link=link, profile_days=1)
        with PtyPair() as ptys:
            async with Fleet(plans, device=ptys.paths[1], now=lambda: NOW) as fleet:
                report = await found_at(ptys.paths[0], patience=0.4)
                assert report.best is not None
                async with Meter.connect(report.best.url) as meter:
                    energy = await meter.read("1-0:1.8.0")
                assert energy.raw == plans[0].curve().imported(NOW.timestamp())
                (endpoint,) = fleet.endpoints
                rates = {rate for port, _, rate in ptys.log if port == 1}
                assert rates == ({300, 9600} if link.link == "iec21" else {link.line.baud})
                assert endpoint.url.replace(ptys.paths[1], ptys.paths[0]).startswith(report.best.url.split("?")[0])

    asyncio.run(body())


async def read_thrice(url: str) -> None:
    async with Meter.connect(url, recovery=NONE) as meter:
        for _ in range(3):
            await meter.get("3/1-0:1.8.0:2")


@needs_ptys
@pytest.mark.parametrize("fault", [Reset(after=3), Reboot(after=3), NoAnswer()])
def test_a_meter_at_a_serial_port_that_falls_silent_is_there_again_afterwards(fault: Any) -> None:
    async def body() -> None:
        plans = plans_of(1, 3, (None,), ("none",), link=MeterLink(link="hdlc"), profile_days=1)
        with PtyPair() as ptys:
            async with Fleet(plans, device=ptys.paths[1], now=lambda: NOW) as fleet:
                site = fleet.sites[0]
                site.faults.add(fault)
                url = f"hdlc://{ptys.paths[0]}?client=16&timeout=0.2&retries=0"
                with pytest.raises(CosemicError):
                    await read_thrice(url)
                site.faults.clear()
                async with Meter.connect(f"hdlc://{ptys.paths[0]}?client=16&timeout=2") as meter:
                    assert (await meter.read("1-0:1.8.0")).raw > 0

    asyncio.run(body())


@needs_ptys
def test_one_meter_fits_at_a_serial_port_and_it_needs_a_link_with_frames() -> None:
    with pytest.raises(ConfigurationError, match="one fits there"):
        Fleet(plans_of(2, 0, (None,), ("none",), link=MeterLink(link="hdlc")), device="/dev/ttyUSB0")
    with pytest.raises(ConfigurationError, match="name the link"):
        Fleet(plans_of(1, 0, (None,), ("none",)), device="/dev/ttyUSB0")


def test_a_port_that_is_not_there_is_told() -> None:
    fleet = Fleet(plans_of(1, 0, (None,), ("none",), link=MeterLink(link="hdlc")), device="/dev/no-such-port")
    with pytest.raises(ConfigurationError, match="no-such-port"):
        asyncio.run(fleet.start())


# ---- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_faults_stand_before_every_link() -> None:
    async def work(fleet: Fleet) -> None:
        (endpoint,) = fleet.endpoints
        endpoint.site.faults.add(NoAnswer())
        with pytest.raises(CosemicError):
            await Meter.connect(f"{endpoint.url}&timeout=0.2&retries=0").open()
        endpoint.site.faults.clear()
        endpoint.site.faults.add(Slow(delay=0.02))
        async with Meter.connect(endpoint.url) as meter:
            await meter.read("1-0:1.8.0")

    for link in (MeterLink(link="hdlc"), MeterLink(udp=True)):
        served(fleet_of(link), work)


def test_a_reset_on_udp_is_silence_and_the_association_is_gone() -> None:
    async def work(fleet: Fleet) -> None:
        (endpoint,) = fleet.endpoints
        async with Meter.connect(f"{endpoint.url}&timeout=0.2&retries=0") as meter:
            endpoint.site.reboot()
            with pytest.raises(CosemicError):
                await meter.run(meter.session.get("3/1-0:1.8.0:2"))

    served(fleet_of(MeterLink(udp=True)), work)


class Recorded:
    """A port that writes down what it is told."""

    peer = "port"

    def __init__(self) -> None:
        self.told: list[Any] = []

    def write(self, octets: bytes) -> None:
        self.told.append(octets)

    def set_line(self, line: LineSettings) -> None:
        self.told.append(line)

    def close(self) -> None:
        self.told.append("closed")


class Talker:
    """A receiver that changes the line, and ends."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.ends: list[object] = []

    def begin(self) -> None: ...

    def octets_received(self, octets: bytes) -> None:
        self.connection.write(octets)
        self.connection.set_line(LineSettings(9600))
        if octets == b"end":
            self.connection.close()

    def connection_lost(self, error: object) -> None:
        self.ends.append(error)


def test_a_served_port_is_set_as_at_the_beginning_when_a_session_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    port, talkers = Recorded(), []

    async def open_serial(name: str, receiver: object, **options: Any) -> Recorded:
        assert (name, options) == ("COM3", {"line": OPTICAL, "pause": True})
        return port

    def talker(connection: Any) -> Talker:
        talkers.append(Talker(connection))
        return talkers[-1]

    monkeypatch.setattr(served_port, "open_serial", open_serial)
    served = served_port.ServedPort(talker, "COM3", OPTICAL)

    async def body() -> None:
        await served.start()
        served.octets_received(b"one")
        served.octets_received(b"end")
        assert (len(served.connections), talkers[0].ends) == (0, [None])
        with pytest.raises(ConnectionLost):
            talkers[0].connection.write(b"late")
        talkers[0].connection.set_line(LineSettings(300))
        served.octets_received(b"two")
        await served.close()
        served.octets_received(b"three")

    asyncio.run(body())
    fast = LineSettings(9600)
    assert port.told == [b"one", fast, b"end", fast, OPTICAL, b"two", fast, "closed"]
    assert [one.ends for one in talkers] == [[None], [None]]


def test_a_late_answer_leaves_before_the_line_is_changed_that_comes_after_it() -> None:
    port = Recorded()
    time = VirtualTime()

    class Place:
        faults = Faults(lambda: NOW, 1)

        def prepare(self) -> bool:
            return True

        def reboot(self) -> None: ...

        def left(self, connection: object) -> None: ...

    async def body() -> None:
        Place.faults.add(Slow(delay=2.0))
        connection = FaultyConnection(Place(), port, 1, Talker)  # type: ignore[arg-type]  # what it needs of a device
        connection.octets_received(b"one")
        assert port.told == []
        await asyncio.sleep(3.0)

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(time)) as runner:
        runner.run(body())
    assert port.told == [b"one", LineSettings(9600)]


# ---- IEC 62056-21 beside DLMS ----------------------------------------------------------------------------------------


def test_a_meter_in_mode_e_is_read_out_in_mode_c_too() -> None:
    meter = SimulatedMeter(MeterPlan(serial=77, profile_days=1, billing_periods=0), now=standing())
    time = VirtualTime()
    stream = ByteStream(time, line=OPTICAL, half_duplex=True)
    link = MeterLink(link="iec21").make(77, lambda: meter)
    assert isinstance(link, ModeEServerLink)
    Driver(link, stream.server).go_on()
    reader = Iec21Client()
    driver = Driver(reader, stream.client)
    reader.send(DataReadout())
    driver.go_on()
    time.run_until(lambda: driver.events, 120)
    readout = driver.events[0][1].result
    assert readout.dataset("0.0.0").values == ("77",)
    assert readout.value("1.8.0").to("Wh") == meter.plan.curve().imported(NOW.timestamp())


# ---- what can be said ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"link": "hdcl"}, "is hdlc meant"),
        ({"link": "hdlc", "udp": True}, "UDP carries the wrapper only"),
        ({"station": 17}, "knows no station"),
        ({"link": "hdlc", "station": 15}, "16 to 16381"),
        ({"link": "hdlc", "station": 16382}, "16 to 16381"),
        ({"link": "mbus", "station": 251}, "1 to 250"),
        ({"link": "mbus", "station": "own"}, "a decimal number or 'serial', not 'own'"),
        ({"link": "mbus", "address_octets": 2}, "only HDLC addresses"),
        ({"link": "hdlc", "address_octets": 2}, "1 octet without a station"),
        ({"link": "hdlc", "station": 17, "address_octets": 1}, "2 or 4 with one"),
        ({"link": "hdlc", "station": 126, "address_octets": 2}, "16 to 125"),
        ({"link": "hdlc", "station": "serial", "address_octets": 2}, "16 to 125"),
    ],
)
def test_links_that_cannot_be_are_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        MeterLink(**said)


@pytest.mark.parametrize(
    ("link", "serial", "url"),
    [
        (MeterLink(), 7, "tcp://h:1?client=16&server=1"),
        (MeterLink(udp=True), 7, "udp://h:1?client=16&server=1"),
        (MeterLink(link="hdlc", station="serial"), 12345678, "hdlc+tcp://h:1?client=16&server=1&station=6678"),
        (
            MeterLink(link="hdlc", station=17, address_octets=4),
            7,
            "hdlc+tcp://h:1?client=16&server=1&station=17&address=4",
        ),
        (MeterLink(link="iec21"), 7, "iec21+tcp://h:1?client=16&server=1"),
        (MeterLink(link="mbus"), 7, "mbus+tcp://h:1?client=16&server=1&station=1"),
        (MeterLink(link="mbus", station="serial"), 12345678, "mbus+tcp://h:1?client=16&server=1&station=79"),
    ],
)
def test_the_url_says_how_a_meter_is_reached(link: MeterLink, serial: int, url: str) -> None:
    assert link.url(serial, 16, endpoint="h:1") == url
    assert parse_url(url).client_sap == 16
    if link.link != "wrapper":
        device = parse_url(link.url(serial, 16, device="/dev/tty 0"))
        assert (device.device, device.station) == ("/dev/tty 0", link.station_of(serial))


def test_a_datagram_is_one_wrapper_pdu() -> None:
    assert isinstance(MeterLink(udp=True).make(1, lambda: pytest.fail("not asked for")), DatagramWrapperLink)


def test_the_line_is_that_of_the_link() -> None:
    assert MeterLink(link="hdlc").line == LineSettings(9600)
    assert MeterLink(link="mbus").line == LineSettings(2400, 8, Parity.EVEN)
    assert MeterLink(link="iec21").line == OPTICAL


def test_a_fleet_file_says_the_link_of_each_group_and_the_serial_port(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(
        """
        [[meters]]
        count = 2
        link = "hdlc"
        station = "serial"
        [[meters]]
        udp = true
        [[meters]]
        link = "mbus"
        station = 9
        """
    )
    settings = load_fleet(path)
    assert [plan.link for plan in settings.plans] == [
        MeterLink(link="hdlc", station="serial"),
        MeterLink(link="hdlc", station="serial"),
        MeterLink(udp=True),
        MeterLink(link="mbus", station=9),
    ]
    path.write_text('serial = "/dev/ttyS9"\n[meter]\nlink = "iec21"\n')
    (site,) = load_fleet(path).fleet().sites
    assert site.url(16) == "iec21:///dev/ttyS9?client=16&server=1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[meter]\nlink = "hdcl"', "is hdlc meant"),
        ('[meter]\nlink = "hdlc"\nstation = 3', "16 to 16381"),
        ("[meter]\nlink = 3", "link of .meter. is a text"),
        ("[meter]\nudp = 1", "true or false"),
        ('[meter]\nlnk = "hdlc"', "is link meant"),
    ],
)
def test_a_fleet_file_with_a_wrong_link_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        load_fleet(path)
