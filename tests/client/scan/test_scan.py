"""What a scan finds, and what it says of it; in virtual time, and so to the second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from cosemic.client.scan import NORMAL, QUICK, THOROUGH, Answer, Report, Verdict
from cosemic.errors import ConfigurationError, ConnectionFailed
from cosemic.faults import StreamFaults
from cosemic.link.contract import Link
from cosemic.link.hdlc import FLAG, HdlcAddress, HdlcSecondaryLink, HdlcStreamReader
from cosemic.link.hdlc.frame import Control, encode_frame
from cosemic.link.iec21 import Identification, Iec21Server, MeterData, ModeEServerLink, ServerSettings
from cosemic.link.mbus import BUS, DeviceAddress, MbusSlaveLink
from cosemic.link.wrapper import WrapperLink
from cosemic.values import OPTICAL, LineSettings, Parity
from cosemic.values.enumerations import FrameType
from tests.client.scan.meters import NAME, Scripted, World, meter, silence

PORT = "/dev/ttyUSB0"
MODE_E = Identification("CSM", "5", "E-1", "2")
MODE_C = Identification("CSM", "5", "C-1")


def hdlc(lower: int | None = None, *sizes: int) -> Callable[[], Link]:
    return lambda: HdlcSecondaryLink(lower, sizes=sizes or (1, 2, 4))


ANY_HDLC = hdlc()


def mode_e(inner: Callable[[], Link] = ANY_HDLC, **settings: Any) -> Callable[[], Link]:
    said: dict[str, Any] = {"identification": MODE_E} | settings
    return lambda: ModeEServerLink(inner(), Iec21Server(MeterData({"0.0.0": "1"}), ServerSettings(**said)))


def frames(answer: Callable[[HdlcAddress, HdlcAddress, FrameType], tuple[HdlcAddress, FrameType] | None]) -> Scripted:
    """A station that answers frames: to whom, from whom, and of which type."""

    def answered(octets: bytes) -> bytes:
        sent = b""
        for frame in HdlcStreamReader().receive(octets):
            said = answer(frame.destination, frame.source, frame.control.type)
            if said is not None:
                sent += FLAG + encode_frame(frame.source, said[0], Control(said[1])) + FLAG
        return sent

    return Scripted(answered)


def urls(report: Report, verdict: Verdict = Verdict.OPEN) -> list[str]:
    return [one.url for one in report.findings if one.verdict is verdict]


# ---- at a serial port ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "line", "url"),
    [
        (hdlc(), LineSettings(9600), "hdlc:///dev/ttyUSB0?client=16&server=1"),
        (hdlc(), LineSettings(19200), "hdlc:///dev/ttyUSB0?client=16&server=1&baud=19200"),
        (hdlc(), LineSettings(300), "hdlc:///dev/ttyUSB0?client=16&server=1&baud=300"),
        (hdlc(17, 4), LineSettings(2400), "hdlc:///dev/ttyUSB0?client=16&server=1&station=17&address=4&baud=2400"),
        (hdlc(17, 2), LineSettings(9600), "hdlc:///dev/ttyUSB0?client=16&server=1&station=17"),
        (hdlc(1, 4), LineSettings(9600), "hdlc:///dev/ttyUSB0?client=16&server=1&station=1&address=4"),
        (lambda: MbusSlaveLink(42), BUS, "mbus:///dev/ttyUSB0?client=16&server=1&station=42"),
        (mode_e(), OPTICAL, "iec21:///dev/ttyUSB0?client=16&server=1"),
        (mode_e(hdlc(16, 2)), OPTICAL, "iec21:///dev/ttyUSB0?client=16&server=1&station=16"),
    ],
)
def test_a_meter_at_a_serial_port_is_found(link: Callable[[], Link], line: LineSettings, url: str) -> None:
    report = World(meter(link), line).scan(PORT)
    assert report.best is not None
    assert (report.best.url, report.best.verdict, report.best.name) == (url, Verdict.OPEN, NAME)
    assert report.complete


def test_another_parity_is_found_by_a_thorough_scan() -> None:
    line = LineSettings(19200, 8, Parity.EVEN)
    report = World(meter(hdlc()), line).scan(PORT, depth=THOROUGH, patience=0.5)
    assert urls(report) == ["hdlc:///dev/ttyUSB0?client=16&server=1&line=19200-8E1"]


@pytest.mark.parametrize(
    ("lower", "options"),
    [(6678, "&station=6678"), (5678, "&station=5678"), (94, "&station=94"), (78, "&station=78&address=4")],
)
def test_addresses_are_made_from_the_serial_number(lower: int, options: str) -> None:
    sizes = (2,) if options == "&station=94" else (4,)
    served = meter(hdlc(lower, *sizes))
    assert World(served).scan(PORT, depth=QUICK).best is None
    assert urls(World(served).scan(PORT, depth=QUICK, serial_number="12345678")) == [
        f"hdlc:///dev/ttyUSB0?client=16&server=1{options}"
    ]


def test_a_bus_of_optical_meters_is_called_by_the_serial_number() -> None:
    def only_by_address(octets: bytes) -> bytes:
        return MODE_C.encode() if octets == b"/?12345678!\r\n" else b""

    world = World(Scripted(only_by_address), OPTICAL)
    (found,) = world.scan(PORT, depth=QUICK, serial_number="12345678").findings
    assert (found.verdict, found.identification) == (Verdict.OTHER, "/CSM5C-1")


def test_a_device_on_the_mbus_that_shares_it_with_others_is_selected_by_its_serial_number() -> None:
    class Shared(MbusSlaveLink):
        """Answers FE as a collision does: with what nobody can read."""

        def _is_meant(self, address: int) -> bool:
            return address != 0xFE and super()._is_meant(address)

    report = World(meter(lambda: Shared(7, secondary=DeviceAddress("12345678"))), BUS).scan(
        PORT, depth=QUICK, serial_number="12345678"
    )
    assert urls(report) == ["mbus:///dev/ttyUSB0?client=16&server=1&identification=12345678"]


def test_the_echo_of_an_optical_head_is_noticed_and_told_in_the_url() -> None:
    world = World(meter(mode_e(echo=True)), OPTICAL, echo=True, half_duplex=True)
    assert urls(world.scan(PORT, depth=QUICK)) == ["iec21:///dev/ttyUSB0?client=16&server=1&echo=yes"]


def test_a_meter_behind_an_echo_without_sign_on_is_found() -> None:
    world = World(meter(hdlc(17, 4)), echo=True, half_duplex=True)
    assert urls(world.scan(PORT, depth=QUICK)) == ["hdlc:///dev/ttyUSB0?client=16&server=1&station=17&address=4"]


def test_a_noisy_line_hides_no_meter() -> None:
    faults = StreamFaults(noise=0.3, chunks=(1, 3))
    world = World(meter(hdlc(16, 2)), from_server=faults, from_client=faults)
    assert urls(world.scan(PORT, depth=QUICK)) == ["hdlc:///dev/ttyUSB0?client=16&server=1&station=16"]


def test_a_meter_that_answers_to_all_is_named_by_its_own_number() -> None:
    def answer(to: HdlcAddress, client: HdlcAddress, kind: FrameType) -> tuple[HdlcAddress, FrameType] | None:
        return (HdlcAddress(1, 99, 2), FrameType.UA) if (to.size, to.lower) in ((2, 0x7F), (2, 99)) else None

    (found,) = World(frames(answer)).scan(PORT, depth=NORMAL, patience=0.3).findings
    assert (found.verdict, found.answer) == (Verdict.SILENT, Answer.UA)
    assert found.url == "hdlc:///dev/ttyUSB0?client=16&server=1&station=99"


# ---- clients ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [WrapperLink, hdlc(), mode_e(), lambda: MbusSlaveLink(5)])
def test_clients_that_want_a_password_or_keys_are_told_as_such(link: Callable[[], Link]) -> None:
    report = World(hosts={4059: meter(link, "hls-gmac")}).scan("10.0.0.7:4059", patience=0.5)
    assert {one.client_sap: one.verdict for one in report.findings} == {
        16: Verdict.OPEN,
        2: Verdict.PROTECTED,
        1: Verdict.PROTECTED,
    }
    assert all(
        one.text.startswith("found, but it wants a password or keys: add --security") for one in report.findings[1:]
    )
    assert all("client=1&" in one.url or "client=2&" in one.url for one in report.findings[1:])


def test_a_meter_that_is_protected_altogether_is_the_best_there_is() -> None:
    report = World(meter(hdlc(), "hls-gmac")).scan(PORT, depth=QUICK, clients=(1, 2))
    assert report.best is not None
    assert (report.best.verdict, report.best.url) == (
        Verdict.PROTECTED,
        "hdlc:///dev/ttyUSB0?client=1&server=1",
    )


@pytest.mark.parametrize("link", [WrapperLink, hdlc()])
def test_a_meter_with_short_names_alone_is_found_and_told_in_the_url(link: Callable[[], Link]) -> None:
    report = World(hosts={4059: meter(link, "hls-gmac", "sn")}).scan("10.0.0.7:4059", patience=0.5)
    found = {one.client_sap: (one.verdict, "referencing=sn" in one.url, one.name) for one in report.findings}
    assert found == {
        16: (Verdict.OPEN, True, NAME),
        2: (Verdict.PROTECTED, True, None),
        1: (Verdict.PROTECTED, False, None),
    }
    assert report.findings[0].text == "works without password and keys, with short names"


def test_clients_that_nobody_knows_are_one_finding_where_none_is_known() -> None:
    report = World(meter(hdlc())).scan(PORT, depth=QUICK, clients=(5, 6))
    (found,) = report.findings
    assert (found.verdict, found.answer, found.url) == (
        Verdict.SILENT,
        Answer.UA,
        "hdlc:///dev/ttyUSB0?client=5&server=1",
    )
    assert "asked as 5, 6" in found.text
    assert report.best is None


def test_a_station_that_refuses_a_client_with_dm_is_there_and_takes_another() -> None:
    def answer(to: HdlcAddress, client: HdlcAddress, kind: FrameType) -> tuple[HdlcAddress, FrameType] | None:
        return (to, FrameType.DM if client.upper == 16 else FrameType.UA) if to.size == 1 else None

    report = World(frames(answer)).scan(PORT, depth=QUICK)
    assert [(one.verdict, one.answer, one.client_sap) for one in report.findings] == [
        (Verdict.REFUSED, Answer.DM, 16),
    ]
    assert "DM to SNRM" in report.findings[0].text


def test_a_station_that_hears_one_client_only_is_called_from_it_too() -> None:
    def answer(to: HdlcAddress, client: HdlcAddress, kind: FrameType) -> tuple[HdlcAddress, FrameType] | None:
        return (to, FrameType.UA) if client.upper == 1 and to.size == 1 else None

    (found,) = World(frames(answer)).scan(PORT, depth=NORMAL, patience=0.1).findings
    assert (found.client_sap, found.verdict) == (1, Verdict.SILENT)


@pytest.mark.parametrize(
    ("apdu", "answer"),
    [("d80102", Answer.EXCEPTION), ("0e010600", Answer.SERVICE_ERROR)],
)
def test_a_meter_that_answers_with_an_error_is_refusing(apdu: str, answer: Answer) -> None:
    def wrapped(octets: bytes) -> bytes:
        body = bytes.fromhex(apdu)
        return b"\x00\x01" + octets[4:6] + octets[2:4] + len(body).to_bytes(2) + body

    report = World(hosts={4059: Scripted(wrapped)}).scan("h:4059", depth=QUICK)
    assert [(one.verdict, one.answer) for one in report.findings] == [(Verdict.REFUSED, answer)] * 2


# ---- on a network ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "port", "url"),
    [
        (WrapperLink, 4059, "tcp://h:4059?client=16&server=1"),
        (WrapperLink, 4001, "tcp://h:4001?client=16&server=1"),
        (hdlc(), 4059, "hdlc+tcp://h:4059?client=16&server=1"),
        (hdlc(17, 4), 4001, "hdlc+tcp://h:4001?client=16&server=1&station=17&address=4"),
        (mode_e(), 4001, "iec21+tcp://h:4001?client=16&server=1"),
        (lambda: MbusSlaveLink(3), 10001, "mbus+tcp://h:10001?client=16&server=1&station=3"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_meter_on_a_network_is_found(link: Callable[[], Link], port: int, url: str, named: bool) -> None:
    world = World(hosts={port: meter(link)})
    report = world.scan(f"h:{port}" if named else "h")
    assert report.best is not None
    assert (report.best.url, report.best.name) == (url, NAME)


def test_ports_can_be_named_and_ipv6_too() -> None:
    world = World(hosts={7777: meter(WrapperLink)})
    assert urls(world.scan("[::1]", ports=(7776, 7777), depth=QUICK)) == ["tcp://[::1]:7777?client=16&server=1"]


def test_tls_is_told_and_nothing_is_said_in_it() -> None:
    heard = b""

    def server(octets: bytes) -> bytes | None:
        nonlocal heard
        if octets[:2] != b"\x16\x03":
            return None
        heard += octets
        return bytes.fromhex("15030300020228")  # alert, fatal, handshake-failure

    report = World(hosts={4059: Scripted(server)}).scan("h:4059", patience=0.2)
    (found,) = report.findings
    assert (found.verdict, found.answer, found.url) == (Verdict.OTHER, Answer.TLS, "")
    assert "tls://" in found.text
    assert heard[5] == 1  # one client_hello


def test_a_peer_that_closes_is_not_asked_as_every_client() -> None:
    world = World(hosts={4059: Scripted(lambda octets: None)})
    report = world.scan("h:4059", depth=QUICK, clients=(1, 2, 3, 4, 5))
    assert report.findings == ()
    wrapped = [one for one in world.connected if one.framing.value == "wrapper"]
    assert len(wrapped) == 2
    assert any("closed" in hint for hint in report.hints)


def test_a_converter_that_needs_a_moment_between_connections_is_waited_for() -> None:
    world = World(hosts={4001: meter(hdlc(), "lls")})
    connect, free_at = world.connect, 0.0

    async def one_at_a_time(address: Any, receiver: Any) -> Any:
        nonlocal free_at
        if world.time.now < free_at:
            raise ConnectionFailed("busy")
        free_at = world.time.now + 0.4
        return await connect(address, receiver)

    world.connect = one_at_a_time  # type: ignore[method-assign]  # one that takes connections slowly
    report = world.scan("h:4001", depth=QUICK, patience=0.3)
    assert urls(report) == ["hdlc+tcp://h:4001?client=16&server=1"]
    assert report.hints == ()


def test_a_meter_that_closes_after_each_refusal_is_asked_as_every_client() -> None:
    def closing(port: Any) -> None:
        meter(WrapperLink, "hls-gmac")(port)
        write = port.write

        def write_and_close(octets: bytes) -> None:
            write(octets)
            port.close()

        port.write = write_and_close

    report = World(hosts={4059: closing}).scan("h:4059", depth=QUICK, clients=(1, 2, 3, 1))
    assert [(one.client_sap, one.verdict) for one in report.findings] == [
        (1, Verdict.PROTECTED),
        (2, Verdict.PROTECTED),
        (1, Verdict.PROTECTED),
    ]


def test_a_meter_in_mode_c_is_named_and_what_it_lacks_is_said() -> None:
    def answer(octets: bytes) -> bytes:
        return MODE_C.encode() if octets.startswith(b"/?!") else b""

    (found,) = World(hosts={4001: Scripted(answer)}).scan("h:4001", depth=QUICK).findings
    assert (found.verdict, found.identification) == (Verdict.OTHER, "/CSM5C-1")
    assert "does not offer mode E" in found.text


def test_octets_that_fit_nothing_are_a_hint_and_no_meter() -> None:
    report = World(hosts={4001: Scripted(lambda octets: b"login: ")}).scan("h:4001", depth=QUICK)
    assert report.findings == ()
    assert any(hint.startswith("HDLC over TCP: ") and "6c 6f 67 69 6e" in hint for hint in report.hints)


# ---- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [QUICK, NORMAL, THOROUGH])
@pytest.mark.parametrize(("target", "most"), [(PORT, 3600.0), ("h:4059", 1200.0), ("h:4001", 1200.0)])
def test_where_nothing_answers_nothing_is_found_within_the_estimate(depth: Any, target: str, most: float) -> None:
    world = World(hosts={4059: silence, 4001: silence})
    scanner = world.scanner(target, depth=depth)
    report = world.run(scanner.run)
    assert (report.findings, report.best, report.complete) == ((), None, True)
    assert report.seconds <= scanner.estimate + 0.5
    assert report.seconds >= 0.5 * scanner.estimate
    assert scanner.estimate < most
    assert report.trials == world.steps[-1].of == len(world.steps)


def test_a_quick_scan_of_a_serial_port_takes_seconds_and_a_normal_one_minutes() -> None:
    assert World().scanner(PORT, depth=QUICK).estimate < 30
    assert World().scanner(PORT).estimate < 400


def test_progress_goes_on_and_the_time_that_is_left_does_not_grow() -> None:
    world = World(hosts={4059: silence})
    world.scan("h:4059")
    assert all(one.done < next_one.done for one, next_one in pairwise(world.steps))
    assert all(one.seconds_left >= next_one.seconds_left for one, next_one in pairwise(world.steps))
    assert world.steps[0].what == "wrapper over TCP, client SAP 16"
    assert world.steps[0].seconds_left == pytest.approx(world.scanner("h:4059").estimate)


def test_once_a_link_is_found_only_its_clients_are_left_to_try() -> None:
    world = World(meter(hdlc()))
    world.scan(PORT, clients=(16, 1))
    assert [(one.what, one.of - one.done) for one in world.steps[-2:]] == [
        ("HDLC 9600 8N1, client SAP 16", 2),
        ("HDLC 9600 8N1, client SAP 1", 1),
    ]


def test_what_was_found_before_it_was_stopped_is_reported() -> None:
    world = World(meter(hdlc(), "lls"))
    scanner = world.scanner(PORT)

    async def stopped() -> Report:
        task = asyncio.create_task(scanner.run())
        while not scanner.report().findings:
            await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return scanner.report()

    report = world.run(stopped)
    assert urls(report) == ["hdlc:///dev/ttyUSB0?client=16&server=1"]
    assert not report.complete
    assert world.serial.client.closed


def test_a_thorough_scan_goes_on_after_a_meter_was_found() -> None:
    world = World(hosts={4059: meter(WrapperLink), 4001: meter(hdlc())})
    report = world.scan("h", depth=THOROUGH, patience=0.2)
    assert set(urls(report)) == {"tcp://h:4059?client=16&server=1", "hdlc+tcp://h:4001?client=16&server=1"}


# ---- arguments -------------------------------------------------------------------------------------------------------


def test_a_serial_port_that_cannot_be_opened_is_an_error() -> None:
    async def refuse(*_: Any) -> Any:
        raise ConnectionFailed("there is no port")

    world = World()
    world.connect = refuse  # type: ignore[method-assign]  # one that fails
    with pytest.raises(ConnectionFailed, match="no port"):
        world.scan(PORT)


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("", {}),
        ("tcp://h:4059", {}),
        ("h:0", {}),
        ("h:port", {}),
        (":4059", {}),
        ("a b", {}),
        (PORT, {"serial_number": "12 34"}),
        (PORT, {"serial_number": "A1"}),
        (PORT, {"clients": (0,)}),
        (PORT, {"patience": 0}),
        (PORT, {"patience": -1.0}),
        (PORT, {"patience": float("nan")}),
        (PORT, {"patience": float("inf")}),
    ],
)
def test_what_cannot_be_scanned_is_refused_before_anything_is_sent(target: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        World().scanner(target, **options)
