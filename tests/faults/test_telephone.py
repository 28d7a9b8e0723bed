"""The simulated telephone network by itself, and whole sessions over modems, gateways and short messages."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.requests import Get, Open, Release
from cosemic.association.settings import ClientSettings
from cosemic.errors import ConfigurationError, ConnectionLost, CosemicError, ExceptionReceived
from cosemic.faults import ByteStream, Station, StreamFaults, VirtualTime
from cosemic.faults.gateways import GatewayStations
from cosemic.faults.modem import SimulatedModem, TelephoneNetwork
from cosemic.faults.sessions import ClientStation, MeterStation
from cosemic.link.contract import ApduReceived, Link, LinkEvent
from cosemic.link.gateway import DeviceId, Gateway, GatewayLink
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink, HdlcSecondaryLink, HdlcSettings
from cosemic.link.modem import AnsweringModemLink, ModemLink
from cosemic.link.wrapper import WrapperLink
from cosemic.server import PhysicalDevice
from cosemic.server.meter_session import MeterSession
from cosemic.stack import ClientStack
from cosemic.stack.client_stack import Disconnect
from cosemic.values import LineSettings, Obis
from tests.faults.support import Heard, settle
from tests.server.support import device_with

NAME = b"TST0000000000001"
GET_NAME = Get(CosemAttributeDescriptor(1, Obis("0-0:42.0.0"), 2), None)
CABLE = LineSettings(9600)


class Line:
    """Two modems, and people at their terminals."""

    def __init__(self, **options: Any) -> None:
        self.time = VirtualTime()
        self.network = TelephoneNetwork(self.time, **options)
        self.modems: list[SimulatedModem] = []
        self.terminals: list[Heard] = []
        self.ports = []
        for number in ("1", "2"):
            cable = ByteStream(self.time, line=CABLE)
            self.modems.append(self.network.modem(number, cable.server))
            self.terminals.append(Heard(cable.client))
            self.ports.append(cable.client)

    def type(self, who: int, text: bytes, wait: float = 0.5) -> bytes:
        """Type something; return what was read since."""
        before = len(self.terminals[who].octets)
        self.ports[who].write(text)
        self.time.run_for(wait)
        return self.terminals[who].octets[before:]

    def connected(self) -> Line:
        self.type(1, b"ATE0S0=1\r")
        assert self.type(0, b"ATE0D2\r", 10.0).endswith(b"\r\nCONNECT 9600\r\n")
        return self


def test_commands_are_echoed_and_answered_in_both_forms() -> None:
    line = Line()
    assert line.type(0, b"ATZ\r") == b"ATZ\r\r\nOK\r\n"
    assert line.type(0, b"ATE0V0\r") == b"ATE0V0\r0\r"
    assert line.type(0, b"AT&F1X4S7=60\r") == b"0\r"
    assert line.type(0, b"AT?\r") == b"4\r"
    assert line.type(0, b"hello\r") == b""
    assert line.type(0, b"ATA\r") == b"3\r"
    assert line.type(0, b"ATO\r") == b"3\r"


def test_telephone_rings_until_it_is_answered() -> None:
    line = Line()
    line.type(0, b"ATDT2\r", 12.0)
    assert line.terminals[1].octets == b"\r\nRING\r\n" * 2
    assert line.type(1, b"ATA\r", 4.0).endswith(b"\r\nCONNECT 9600\r\n")
    assert line.type(0, b"over") == b""
    assert line.terminals[1].octets.endswith(b"over")


def test_caller_is_told_what_is_wrong() -> None:
    line = Line(patience=20.0)
    assert line.type(0, b"ATE0D9\r", 5.0).endswith(b"\r\nNO CARRIER\r\n")
    assert line.type(0, b"ATD2\r", 25.0) == b"\r\nNO ANSWER\r\n"
    line.type(1, b"ATD9\r", 1.0)
    assert line.type(0, b"ATD2\r", 5.0) == b"\r\nBUSY\r\n"
    line.network.out_of_order = True
    assert line.type(0, b"ATD2\r", 5.0) == b"\r\nNO DIALTONE\r\n"
    line.network.out_of_order = False
    line.type(0, b"ATD2\r", 1.0)
    assert line.type(0, b"x", 1.0) == b"\r\nNO CARRIER\r\n"
    assert not line.modems[0].engaged
    assert not line.modems[1].engaged


def test_escape_needs_silence_before_and_after() -> None:
    line = Line().connected()
    assert line.type(0, b"a+++", 3.0) == b""
    assert line.type(0, b"+++b", 3.0) == b""
    assert line.type(0, b"++", 3.0) == b""
    assert line.terminals[1].octets.endswith(b"a++++++b++")
    assert line.type(0, b"+++", 3.0) == b"\r\nOK\r\n"
    assert line.type(0, b"ATO\r") == b"\r\nCONNECT 9600\r\n"
    line.type(0, b"again")
    assert line.terminals[1].octets.endswith(b"again")


def test_hanging_up_is_no_carrier_to_the_other() -> None:
    line = Line().connected()
    line.type(0, b"+++", 3.0)
    assert line.type(0, b"ATH\r", 1.0) == b"\r\nOK\r\n"
    assert line.terminals[1].octets.endswith(b"\r\nNO CARRIER\r\n")
    assert not line.modems[1].engaged


def test_carrier_is_lost_at_an_octet_and_both_are_told() -> None:
    line = Line(from_caller=StreamFaults(cut_at=5)).connected()
    line.type(0, b"12345678", 1.0)
    assert line.terminals[1].octets.endswith(b"12345\r\nNO CARRIER\r\n")
    assert line.terminals[0].octets.endswith(b"\r\nNO CARRIER\r\n")


def test_a_call_takes_the_time_of_its_rate() -> None:
    line = Line(line=LineSettings(300))
    line.type(1, b"ATE0S0=1\r")
    assert line.type(0, b"ATE0D2\r", 10.0).endswith(b"\r\nCONNECT 300\r\n")
    line.type(0, bytes(60), 1.9)
    assert b"\x00" not in line.terminals[1].octets
    line.time.run_for(0.4)
    assert line.terminals[1].octets.endswith(bytes(60))


def test_number_is_given_once() -> None:
    line = Line()
    with pytest.raises(ConfigurationError):
        line.network.modem("1", ByteStream(line.time).server)


# ---- sessions -------------------------------------------------------------------------------------------------------


def served(link: Link, port: Any) -> MeterStation:
    station = MeterStation(MeterSession(PhysicalDevice(device_with()), link), port)
    station.go_on()
    return station


def asking(link: Link, port: Any) -> ClientStation:
    return ClientStation(ClientStack(ClientSettings(response_timeout=60.0), 16, 1, link=lambda *saps: link), port)


class Exchange:
    """A head-end and a meter with a telephone number, HDLC over the call."""

    def __init__(self, **options: Any) -> None:
        self.time = VirtualTime()
        self.network = TelephoneNetwork(self.time, **options)
        cables = [ByteStream(self.time, line=CABLE) for _ in range(2)]
        for number, cable in zip("12", cables, strict=True):
            self.network.modem(number, cable.server)
        settings = HdlcSettings(response_timeout=3.0)
        self.answering = AnsweringModemLink(lambda: HdlcSecondaryLink(17, settings=settings))
        self.meter = served(self.answering, cables[1].client)
        self.link = ModemLink(HdlcPrimaryLink(16, HdlcAddress(1, 17), settings), dial="2")
        self.client = asking(self.link, cables[0].client)
        self.time.run_for(5.0)


def test_a_session_over_a_call() -> None:
    exchange = Exchange()
    for _ in range(2):
        exchange.client.ask(Open())
        assert exchange.client.ask(GET_NAME).value() == NAME
        exchange.client.ask(Release())
        exchange.client.ask(Disconnect())
        exchange.time.run_for(10.0)
    assert len(exchange.network.calls) == 2
    assert not exchange.link.connected


def test_an_opening_to_an_engaged_meter_fails_in_words() -> None:
    exchange = Exchange()
    exchange.network.out_of_order = True
    with pytest.raises(CosemicError, match="dialling tone"):
        exchange.client.ask(Open())


def test_a_call_that_breaks_aborts_the_association_and_the_meter_takes_the_next() -> None:
    exchange = Exchange()
    exchange.client.ask(Open())
    exchange.network.calls[0].break_off()
    with pytest.raises(ConnectionLost, match="NO CARRIER"):
        exchange.client.ask(GET_NAME)
    exchange.time.run_for(10.0)
    cable = ByteStream(exchange.time, line=CABLE)
    exchange.network.modem("3", cable.server)
    again = asking(ModemLink(HdlcPrimaryLink(16, HdlcAddress(1, 17)), dial="2"), cable.client)
    again.ask(Open())
    assert again.ask(GET_NAME).value() == NAME


@pytest.mark.parametrize("upper", ["wrapper", "hdlc"])
def test_sessions_with_meters_behind_a_gateway(upper: str) -> None:
    time = VirtualTime()
    above, bus = ByteStream(time), ByteStream(time, line=CABLE)
    stations = GatewayStations(Gateway(WrapperLink() if upper == "wrapper" else HdlcSecondaryLink(20)), above.server)
    gateway = stations.gateway
    device = DeviceId(3, b"meter")
    line = gateway.bus({device: lambda client, server: HdlcPrimaryLink(client, HdlcAddress(server, 17))})
    stations.add(line, bus.client)
    served(HdlcSecondaryLink(17), bus.server)
    inner = WrapperLink() if upper == "wrapper" else HdlcPrimaryLink(16, HdlcAddress(1, 20))
    client = asking(GatewayLink(inner, 3, b"meter"), above.client)
    for _ in range(2):
        client.ask(Open())
        assert client.ask(GET_NAME).value() == NAME
        client.ask(Release())
    if client.stack.linked:
        client.ask(Disconnect())
    client.close()
    settle(time)
    assert gateway.passed_over == line.pending == 0


def test_a_session_with_a_meter_that_the_gateway_does_not_know() -> None:
    time = VirtualTime()
    above = ByteStream(time)
    GatewayStations(Gateway(WrapperLink()), above.server)
    client = asking(GatewayLink(WrapperLink(), 0, b"nobody"), above.client)
    with pytest.raises(ExceptionReceived):
        client.ask(Open())


def test_a_station_keeps_what_a_link_without_association_tells() -> None:
    exchange = Exchange()
    events: list[LinkEvent] = []
    cable = ByteStream(exchange.time, line=CABLE)
    exchange.network.modem("3", cable.server)
    link = ModemLink(HdlcPrimaryLink(16, HdlcAddress(1, 17)), dial="2")
    station = Station(link, cable.client, on_event=events.append)
    station.connect()
    exchange.time.run_for(30.0)
    station.send(bytes.fromhex("601da109060760857405080101be10040e01000000065f1f0400001e1dffff"))
    exchange.time.run_for(10.0)
    assert [type(event).__name__ for event in events] == ["LinkConnected", "ApduReceived"]
    assert isinstance(events[1], ApduReceived)
    assert events[1].apdu[0] == 0x61
