"""Our HDLC stations against other people's, in process: pydlms-client both ways, gurux-dlms' frames both ways."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic.link.contract import ApduReceived, LinkConnected, LinkDisconnected, LinkEvent
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink, HdlcSecondaryLink, HdlcSettings
from tests.link.hdlc_stations import answer_to, frames_of, request_for

ADDRESSES = [HdlcAddress(1), HdlcAddress(1, 17), HdlcAddress(1, 1000)]
SIZES = [(2, 2), (120, 120), (125, 125), (126, 126), (1500, 40), (40, 1500), (9000, 9000)]
STATIONS = [
    HdlcSettings(),
    HdlcSettings(max_info_transmit=32, max_info_receive=32, window_transmit=7, window_receive=7),
    HdlcSettings(max_info_transmit=2030, max_info_receive=500, window_transmit=3, window_receive=1),
]


class Meter:
    """Our secondary station with an application that answers at once; a peer's client calls it."""

    def __init__(self, lower: int | None, settings: HdlcSettings) -> None:
        self.link = HdlcSecondaryLink(lower, settings=settings)
        self.events: list[LinkEvent] = []

    def __call__(self, octets: bytes) -> bytes:
        for event in self.link.receive(octets, 0.0):
            self.events.append(event)
            if isinstance(event, ApduReceived) and not event.apdu.startswith(b"unconfirmed"):
                self.link.send(answer_to(event.apdu), source=event.destination, destination=event.source)
        return self.link.octets_to_send()


class Client:
    """Our primary station, and a peer's meter that is called with what it sends."""

    def __init__(self, server: HdlcAddress, settings: HdlcSettings) -> None:
        self.link = HdlcPrimaryLink(16, server, settings)
        self.meter: Any = None
        self.due: list[bytes] = []

    def sendall(self, octets: bytes) -> None:
        self.due.append(bytes(octets))

    def pump(self) -> list[LinkEvent]:
        """Let both go on until neither has anything to send."""
        events: list[LinkEvent] = []
        while octets := self.link.octets_to_send():
            self.link.tick(0.0)
            self.meter.feed(octets)
            came, self.due = b"".join(self.due), []
            events += self.link.receive(came, 0.0)
        return events


# ---- pydlms-client ---------------------------------------------------------------------------------------------------


def pydlms_address(pydlms: Any, address: HdlcAddress) -> Any:
    from pydlms.hdlc.address import HdlcAddress as PeersAddress

    return PeersAddress(address.upper, address.lower, address.size)


@pytest.mark.parametrize("settings", STATIONS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_pydlms_client_at_our_meter(pydlms: Any, address: HdlcAddress, settings: HdlcSettings) -> None:
    from pydlms.hdlc.connection import HdlcLink, HdlcParameters
    from pydlms.transports.base import LoopbackTransport

    meter = Meter(address.lower, settings)
    parameters = HdlcParameters(2030, 2030, 7, 7)
    link = HdlcLink(LoopbackTransport(meter), 16, pydlms_address(pydlms, address), parameters, retries=0)
    link.connect()
    assert link.negotiated.max_info_tx == settings.max_info_receive
    assert link.negotiated.window_rx == settings.window_transmit
    for number, (length, own) in enumerate(SIZES):
        request = request_for(number, length, own)
        link.send_apdu(request)
        assert link.receive_apdu() == answer_to(request)
    for number in range(3):
        meter.link.notify(b"event %d" % number, destination=16)
    assert link.trigger_pushes() == 3
    assert [link.receive_push() for _ in range(3)] == [b"event 0", b"event 1", b"event 2"]
    link.send_unconfirmed(b"unconfirmed", broadcast=True)
    broadcast = meter.events[-1]
    assert isinstance(broadcast, ApduReceived)
    assert (broadcast.apdu, broadcast.source) == (b"unconfirmed", 16)
    link.disconnect()
    assert meter.events[0] == LinkConnected(16, 1)
    assert meter.events[-1] == LinkDisconnected(16, 1)


class _Application:
    """What the peer's meter asks for answers."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def handle_all(self, apdu: bytes, _: Any) -> list[bytes]:
        self.requests.append(apdu)
        return [answer_to(apdu)]

    def take_pushes(self) -> list[Any]:
        return []


@pytest.mark.parametrize("window", [1, 7])
@pytest.mark.parametrize("address", ADDRESSES)
def test_our_client_at_the_meter_of_pydlms(pydlms: Any, address: HdlcAddress, window: int) -> None:
    from pydlms.simulator import HdlcServer

    client = Client(address, HdlcSettings(window_transmit=7, max_info_transmit=2030, max_info_receive=2030))
    application = _Application()
    client.meter = HdlcServer(application, client, max_info=200, window=window)
    client.link.connect()
    assert client.pump() == [LinkConnected(1, 16)]
    assert client.link.agreement == (200, 200, 1, 1)
    for number, (length, own) in enumerate(SIZES):
        request = request_for(number, length, own)
        client.link.send(request)
        assert client.pump() == [ApduReceived(answer_to(request), 1, 16)]
    assert len(application.requests) == len(SIZES)
    assert client.meter.window_overruns == 0
    client.link.disconnect()
    assert client.pump() == [LinkDisconnected(1, 16)]


@pytest.mark.parametrize("lost", [{1}, {2, 4}, {3}])
def test_frames_that_the_meter_of_pydlms_loses_are_sent_again(pydlms: Any, lost: set[int]) -> None:
    from pydlms.simulator import HdlcServer

    client = Client(HdlcAddress(1), HdlcSettings())
    client.meter = HdlcServer(_Application(), client, drop=lost)
    client.link.connect()
    client.pump()
    request = request_for(1, 10, 500)
    client.link.send(request)
    events = client.pump()
    for _ in range(5):
        client.link.tick(client.link.deadline() or 0.0)
        events += client.pump()
    assert events == [ApduReceived(answer_to(request), 1, 16)]


# ---- gurux-dlms ------------------------------------------------------------------------------------------------------


@pytest.fixture
def gurux() -> Any:
    return pytest.importorskip("gurux_dlms", reason="gurux-dlms is not installed (dependency group peers)")


GET = bytes.fromhex("c001c1000100002a0000ff0200")


def get_response(length: int) -> bytes:
    """A get-response-normal with an octet-string."""
    value = bytes(number % 251 for number in range(length))
    return b"\xc4\x01\xc1\x00\x09\x82" + length.to_bytes(2, "big") + value


@pytest.mark.parametrize("length", [1, 100, 119, 120, 1000, 4000])
@pytest.mark.parametrize("settings", [STATIONS[0], HdlcSettings(max_info_transmit=2030, max_info_receive=2030)])
def test_gurux_client_at_our_meter(gurux: Any, settings: HdlcSettings, length: int) -> None:
    """It asks for segments with RR; its requests come as they are recorded from it."""
    from gurux_dlms.enums import Authentication, InterfaceType

    link = HdlcSecondaryLink(settings=settings)
    client = gurux.GXDLMSClient(True, 16, 1, Authentication.NONE, None, InterfaceType.HDLC)
    client.hdlcSettings.maxInfoTX = client.hdlcSettings.maxInfoRX = 2030

    def exchange(frame: Any, reply: Any) -> list[LinkEvent]:
        events = link.receive(bytes(frame), 0.0)
        if any(isinstance(event, ApduReceived) for event in events):
            link.send(get_response(length))
        assert client.getData(bytearray(link.octets_to_send()), reply)
        return events

    reply = gurux.GXReplyData()
    assert exchange(client.snrmRequest(), reply) == [LinkConnected(16, 1)]
    client.parseUAResponse(reply.data)
    assert client.hdlcSettings.maxInfoRX == settings.max_info_transmit
    for _ in range(10):
        reply = gurux.GXReplyData()
        (frame,) = client.read(gurux.objects.GXDLMSData("0.0.42.0.0.255"), 2)
        (event,) = exchange(frame, reply)
        assert isinstance(event, ApduReceived)
        assert event.apdu[3:] == GET[3:]
        while reply.isMoreData():
            assert exchange(client.receiverReady(reply.moreData), reply) == []
        assert bytes(reply.value) == get_response(length)[8:]
    assert exchange(client.disconnectRequest(), gurux.GXReplyData()) == [LinkDisconnected(16, 1)]


class _GuruxMeter:
    """A meter of gurux-dlms' own frame builder and reader; which frame is asked for is all that is ours."""

    def __init__(self, answer: bytes, client: Client) -> None:
        from gurux_dlms import GXByteBuffer, GXReplyData
        from gurux_dlms.enums import InterfaceType
        from gurux_dlms.GXDLMS import GXDLMS
        from gurux_dlms.GXDLMSSettings import GXDLMSSettings

        self.hdlc, self.buffer, self.reply = GXDLMS, GXByteBuffer, GXReplyData
        self.settings = GXDLMSSettings(True, None)
        self.settings.interfaceType = InterfaceType.HDLC
        self.settings.clientAddress, self.settings.serverAddress = 16, 1
        self.answer = answer
        self.due = GXByteBuffer()
        self.requests: list[bytes] = []
        self.client = client

    def feed(self, octets: bytes) -> None:
        for frame in frames_of(octets):
            control = frame[5]
            if control == 0x93:
                self.settings.resetFrameSequence()
                self.client.sendall(self.hdlc.getHdlcFrame(self.settings, 0x73, self.buffer()))
                continue
            reply = self.reply()
            assert self.hdlc.getHdlcData(True, self.settings, self.buffer(frame), reply, None)
            if control == 0x53:
                self.client.sendall(self.hdlc.getHdlcFrame(self.settings, 0x73, self.buffer()))
                continue
            if control & 1:
                following = self.settings.getNextSend(False)
            else:
                following = 0
                self.requests.append(frame[11:-3])
                self.due = self.buffer(b"\xe6\xe7\x00" + self.answer)
            self.client.sendall(self.hdlc.getHdlcFrame(self.settings, following, self.due))


@pytest.mark.parametrize("length", [1, 100, 1000, 4000])
def test_our_client_at_a_meter_that_gurux_frames(gurux: Any, length: int) -> None:
    client = Client(HdlcAddress(1), HdlcSettings())
    client.meter = _GuruxMeter(get_response(length), client)
    client.link.connect()
    assert client.pump() == [LinkConnected(1, 16)]
    for _ in range(10):
        client.link.send(GET)
        assert client.pump() == [ApduReceived(get_response(length), 1, 16)]
    assert client.meter.requests == [GET] * 10
    client.link.disconnect()
    assert client.pump() == [LinkDisconnected(1, 16)]
