"""The gateway prefix of IEC 62056-5-3, Annex C: the client's side, and a gateway in front of meters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, ConnectionLost
from cosemic.faults import ByteStream, Driver, Station, StreamFaults, VirtualTime
from cosemic.faults.gateways import GatewayStations
from cosemic.link.contract import ApduReceived, Link, LinkDisconnected, LinkEvent, LinkFailed
from cosemic.link.gateway import DeviceId, Gateway, GatewayLine, GatewayLink, Unreachable, expects_answer
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink, HdlcSecondaryLink, HdlcSettings
from cosemic.link.modem import ModemLink, State
from cosemic.link.sms import SmsLink
from cosemic.link.wrapper import WrapperLink, decode_wrapper
from cosemic.values import GatewayType
from tests.faults.support import Heard
from tests.link.samples import in_pieces
from tests.vectors import Record, each_record, octets

GET = bytes.fromhex("c001c100080000010000ff0200")
UNCONFIRMED_SET = bytes.fromhex("c1018100080000010000ff0200" + "1105")
ANSWER = bytes.fromhex("c401c1001105")
NOTIFICATION = bytes.fromhex("0f0000000100" + "1105")
NOT_POSSIBLE, OTHER_REASON = (bytes.fromhex("d801" + error) for error in ("01", "03"))
CLIENT, SERVER = 16, 1


def prefixed(tag: int, network: int, address: bytes, apdu: bytes) -> bytes:
    """The prefix as the reference text draws it."""
    return bytes((tag, network, len(address))) + address + apdu


def wpdu(source: int, destination: int, apdu: bytes) -> bytes:
    return b"\x00\x01" + b"".join(number.to_bytes(2, "big") for number in (source, destination, len(apdu))) + apdu


def link_to(network: int, address: bytes, **options: bool) -> GatewayLink:
    return GatewayLink(WrapperLink(CLIENT, SERVER), network, address, **options)


def received(link: Link, apdu: bytes) -> list[LinkEvent]:
    return link.receive(wpdu(SERVER, CLIENT, apdu), 0.0)


# ---- the client's side ----------------------------------------------------------------------------------------------


@each_record("apdu", where=lambda record: record["hex"][:2] in ("e6", "e7"))
def test_recorded_prefix_is_made_and_taken_off(record: Record) -> None:
    layer = record["expected"]["layers"][0]["gateway"]
    link = link_to(layer["network_id"], bytes.fromhex(layer["device_address"]))
    whole = octets(record)
    apdu = whole[3 + len(bytes.fromhex(layer["device_address"])) :]
    link.send(apdu)
    assert decode_wrapper(link.octets_to_send())[1][1:] == whole[1:]
    assert received(link, whole) == [ApduReceived(apdu, SERVER, CLIENT)]


def test_request_inside_the_wrapper_is_that_of_the_reference() -> None:
    link = GatewayLink(WrapperLink(1, 1), 1, b"1234")
    link.send(GET)
    assert link.octets_to_send().hex() == "0001000100010014e6010431323334" + GET.hex()


@given(st.integers(0, 255), st.binary(max_size=127), st.binary(min_size=1, max_size=300))
def test_every_address_round_trips(network: int, address: bytes, apdu: bytes) -> None:
    link = link_to(network, address)
    link.send(apdu)
    assert decode_wrapper(link.octets_to_send())[1] == prefixed(0xE6, network, address, apdu)
    for tag in (0xE6, 0xE7):
        assert received(link, prefixed(tag, network, address, apdu)) == [ApduReceived(apdu, SERVER, CLIENT)]


@pytest.mark.parametrize(
    "apdu",
    [
        prefixed(0xE7, 1, b"ab", ANSWER),
        prefixed(0xE7, 0, b"ac", ANSWER),
        prefixed(0xE7, 0, b"abc", ANSWER),
        prefixed(0xE7, 0, b"a", ANSWER),
        prefixed(0xE7, 0, b"ab", b""),
        ANSWER,
        b"\xe7",
    ],
    ids=["other network", "other address", "longer address", "shorter address", "nothing inside", "no prefix", "cut"],
)
def test_what_is_for_others_is_passed_over(apdu: bytes) -> None:
    link = link_to(0, b"ab")
    assert received(link, apdu) == []
    assert link.passed_over == 1


def test_error_of_the_gateway_without_prefix_is_delivered_unless_told_otherwise() -> None:
    assert received(link_to(0, b"ab"), NOT_POSSIBLE) == [ApduReceived(NOT_POSSIBLE, SERVER, CLIENT)]
    assert received(link_to(0, b"ab", unprefixed_errors=False), NOT_POSSIBLE) == []


@pytest.mark.parametrize("network, address", [(-1, b""), (256, b""), (0, bytes(128))])
def test_what_cannot_stand_in_a_prefix_is_refused(network: int, address: bytes) -> None:
    with pytest.raises(ConfigurationError):
        link_to(network, address)


def test_failures_of_the_inner_link_are_told() -> None:
    events = link_to(0, b"ab").receive(b"\x00\x02", 0.0)
    assert [type(event) for event in events] == [LinkFailed]


def test_everything_else_is_that_of_the_inner_link() -> None:
    stream = ByteStream(VirtualTime())
    inner = HdlcPrimaryLink(CLIENT, HdlcAddress(1, 17))
    client = Station(GatewayLink(inner, 0, b"ab"), stream.client)
    Station(HdlcSecondaryLink(17), stream.server)
    assert client.link.connection_oriented
    assert not client.link.connected
    client.connect()
    assert stream.time.run_until_idle()
    assert client.link.connected
    client.disconnect()
    assert stream.time.run_until_idle()
    assert [type(event).__name__ for _, event in client.events] == ["LinkConnected", "LinkDisconnected"]
    assert client.link.line_to_set() is None
    assert client.link.deadline() is None


# ---- the gateway ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "apdu, expected",
    [
        (GET, True),
        (UNCONFIRMED_SET, False),
        (bytes.fromhex("c3018100080000010000ff0200"), False),
        (bytes.fromhex("d94000000100"), True),
        (bytes.fromhex("d90000000100"), False),
        (bytes.fromhex("e0c0000100000100"), True),
        (bytes.fromhex("e080000100000100"), True),
        (bytes.fromhex("e000000100000100"), True),
        (bytes.fromhex("e040000100000100"), False),
        (bytes.fromhex("1601020008010f01"), False),
        (bytes.fromhex("3600"), False),
        (bytes.fromhex("601d"), True),
        (bytes.fromhex("c80a"), True),
        (b"\xc0", True),
        (b"\xe0", True),
    ],
)
def test_whether_a_device_answers(apdu: bytes, expected: bool) -> None:
    assert expects_answer(apdu) is expected


class Lan:
    """A client, a gateway, and meters on lines of their own that answer with their name and what they were asked."""

    def __init__(
        self, *, faults: StreamFaults | None = None, chunks: tuple[int, ...] = (), seed: int = 0, **options: object
    ) -> None:
        self.time = VirtualTime()
        faults = faults or StreamFaults(chunks=chunks)
        self.upper = ByteStream(self.time, from_client=faults, from_server=faults, seed=seed)
        self.gateway = Gateway(WrapperLink(), **options)  # type: ignore[arg-type]  # options of the tests
        self.stations = GatewayStations(self.gateway, self.upper.server)
        self.lines: dict[GatewayLine, Driver] = {}
        self.asked: list[tuple[str, bytes]] = []
        self.silent: set[str] = set()
        self.delay = 1.0
        self.client = Station(WrapperLink(), self.upper.client)
        self.meters: dict[str, Station] = {}

    def meter(self, name: str, network: int = 0) -> GatewayLine:
        stream = ByteStream(self.time)
        line = self.gateway.line(DeviceId(network, name.encode()), WrapperLink())
        self.lines[line] = self.stations.add(line, stream.client)
        meter = Station(WrapperLink(), stream.server, on_event=lambda event: self.take(name, event))
        self.meters[name] = meter
        return line

    def take(self, name: str, event: LinkEvent) -> None:
        assert isinstance(event, ApduReceived)
        self.asked.append((name, event.apdu))
        if name not in self.silent and expects_answer(event.apdu):
            self.time.call_later(self.delay, self.answer, name, event)

    def answer(self, name: str, event: ApduReceived) -> None:
        answer = ANSWER + name.encode() + event.apdu[-1:]
        self.meters[name].send(answer, source=event.destination, destination=event.source)

    def ask(self, apdu: bytes, client: int = CLIENT, server: int = SERVER) -> None:
        self.client.send(apdu, source=client, destination=server)

    def run(self) -> list[tuple[bytes, int, int]]:
        assert self.time.run_until_idle()
        return [tuple(event) for _, event in self.client.events]


def numbered(number: int) -> bytes:
    return GET[:-1] + bytes((number,))


def test_gateway_takes_the_prefix_off_and_puts_it_on() -> None:
    lan = Lan()
    lan.meter("m1")
    lan.meter("m2", network=7)
    lan.ask(prefixed(0xE6, 0, b"m1", numbered(1)))
    lan.ask(prefixed(0xE6, 7, b"m2", numbered(2)), client=32, server=5)
    assert sorted(lan.run()) == [
        (prefixed(0xE7, 0, b"m1", ANSWER + b"m1\x01"), SERVER, CLIENT),
        (prefixed(0xE7, 7, b"m2", ANSWER + b"m2\x02"), 5, 32),
    ]
    assert lan.asked == [("m1", numbered(1)), ("m2", numbered(2))]


def test_each_device_has_one_request_at_a_time_in_order() -> None:
    lan = Lan()
    lan.meter("m1")
    lan.meter("m2")
    for number in range(3):
        lan.ask(prefixed(0xE6, 0, b"m1", numbered(number)))
    lan.ask(prefixed(0xE6, 0, b"m2", numbered(9)))
    lan.time.run_for(0.5)
    assert lan.asked == [("m1", numbered(0)), ("m2", numbered(9))]
    answers = [apdu for apdu, _, _ in lan.run()]
    assert [apdu for apdu in answers if b"m1" in apdu[6:]] == [
        prefixed(0xE7, 0, b"m1", ANSWER + b"m1" + bytes((number,))) for number in range(3)
    ]
    assert lan.time.now - 1000.0 == pytest.approx(3.0)


def test_unconfirmed_requests_are_not_waited_for() -> None:
    lan = Lan()
    lan.meter("m1")
    for _ in range(3):
        lan.ask(prefixed(0xE6, 0, b"m1", UNCONFIRMED_SET))
    assert lan.run() == []
    assert lan.asked == [("m1", UNCONFIRMED_SET)] * 3
    assert lan.time.now == 1000.0


def test_own_device_is_reached_without_a_prefix() -> None:
    lan = Lan()
    lan.meter("m1")
    lan.ask(GET)
    lan.run()
    own = [event for _, event in lan.stations.upper.events]
    assert own == [ApduReceived(GET, CLIENT, SERVER)]
    lan.gateway.send(ANSWER, source=SERVER, destination=CLIENT)
    lan.stations.upper.go_on()
    assert lan.run() == [(ANSWER, SERVER, CLIENT)]
    assert lan.asked == []


@pytest.mark.parametrize("unreachable", Unreachable)
def test_unknown_and_silent_devices_are_answered_for_or_not(unreachable: Unreachable) -> None:
    lan = Lan(unreachable=unreachable, timeout=4.0)
    lan.meter("m1")
    lan.silent.add("m1")
    lan.ask(prefixed(0xE6, 0, b"no", GET))
    lan.ask(prefixed(0xE6, 0, b"m1", GET))
    lan.ask(prefixed(0xE6, 0, b"no", UNCONFIRMED_SET))
    told = [] if unreachable is Unreachable.SILENCE else [b"no", b"m1"]
    assert lan.run() == [(prefixed(0xE7, 0, name, NOT_POSSIBLE), SERVER, CLIENT) for name in told]
    assert lan.time.now - 1000.0 == pytest.approx(4.0)
    lan.silent.clear()
    lan.ask(prefixed(0xE6, 0, b"m1", numbered(5)))
    assert lan.run()[len(told) :] == [(prefixed(0xE7, 0, b"m1", ANSWER + b"m1\x05"), SERVER, CLIENT)]


def test_late_answer_still_goes_up() -> None:
    lan = Lan(timeout=4.0)
    lan.meter("m1")
    lan.delay = 6.0
    lan.ask(prefixed(0xE6, 0, b"m1", numbered(1)))
    assert [apdu[5:] for apdu, _, _ in lan.run()] == [NOT_POSSIBLE, ANSWER + b"m1\x01"]


def test_more_requests_than_allowed_are_refused_at_once() -> None:
    lan = Lan(most_pending=3)
    lan.meter("m1")
    lan.meter("m2")
    for number in range(3):
        lan.ask(prefixed(0xE6, 0, b"m1", numbered(number)))
    lan.ask(prefixed(0xE6, 0, b"m2", numbered(9)))
    answers = [apdu for apdu, _, _ in lan.run()]
    assert answers[0] == prefixed(0xE7, 0, b"m2", OTHER_REASON)
    assert len(answers) == 4
    assert sum(line.pending for line in lan.lines) == 0


@pytest.mark.parametrize(
    "apdu",
    [b"\xe6", b"\xe6\x00", b"\xe6\x00\x05ab", prefixed(0xE6, 0, b"m1", b""), prefixed(0xE7, 0, b"m1", ANSWER)],
)
def test_prefix_that_cannot_be_read_is_passed_over(apdu: bytes) -> None:
    lan = Lan()
    lan.meter("m1")
    lan.ask(apdu)
    assert lan.run() == []
    assert lan.asked == []
    assert lan.gateway.passed_over == 1


@pytest.mark.parametrize("prefix, tag", [(GatewayType.RESPONSE, 0xE7), (GatewayType.REQUEST, 0xE6)])
def test_pushes_of_devices_go_up_while_a_request_waits(prefix: GatewayType, tag: int) -> None:
    lan = Lan(push_prefix=prefix)
    lan.meter("m1")
    lan.ask(prefixed(0xE6, 0, b"m1", numbered(1)))
    lan.time.run_for(0.5)
    lan.meters["m1"].send(NOTIFICATION, source=SERVER, destination=103)
    assert lan.run() == [
        (prefixed(tag, 0, b"m1", NOTIFICATION), SERVER, 103),
        (prefixed(0xE7, 0, b"m1", ANSWER + b"m1\x01"), SERVER, CLIENT),
    ]


def test_notification_to_the_client_that_waits_is_no_answer() -> None:
    lan = Lan(push_prefix=GatewayType.REQUEST)
    lan.meter("m1")
    for number in (1, 2):
        lan.ask(prefixed(0xE6, 0, b"m1", numbered(number)))
    lan.time.run_for(0.5)
    lan.meters["m1"].send(NOTIFICATION, source=SERVER, destination=CLIENT)
    lan.time.run_for(0.1)
    assert lan.asked == [("m1", numbered(1))]
    assert [apdu[0] for apdu, _, _ in lan.run()] == [0xE6, 0xE7, 0xE7]


def test_line_that_fails_is_told_and_answered_for() -> None:
    lan = Lan()
    line = lan.meter("m1")
    lan.silent.add("m1")
    for number in range(2):
        lan.ask(prefixed(0xE6, 0, b"m1", numbered(number)))
    lan.time.run_for(0.5)
    lan.meters["m1"].port.write(b"\x7e\xa0")
    lan.time.run_for(0.1)
    assert isinstance(lan.lines[line].events[-1][1], LinkFailed)
    lan.ask(prefixed(0xE6, 0, b"m1", numbered(3)))
    assert [apdu for apdu, _, _ in lan.run()] == [prefixed(0xE7, 0, b"m1", NOT_POSSIBLE)] * 3


def test_apdu_that_the_line_cannot_carry_is_refused() -> None:
    lan = Lan()
    lan.gateway.line(DeviceId(0, b"s"), SmsLink("+491"))
    lan.ask(prefixed(0xE6, 0, b"s", bytes(40_000)))
    assert [apdu for apdu, _, _ in lan.run()] == [prefixed(0xE7, 0, b"s", OTHER_REASON)]


def test_saps_that_the_line_does_not_have_are_refused() -> None:
    lan = Lan()
    narrow = ByteStream(lan.time)
    line = lan.gateway.bus({DeviceId(0, b"h"): lambda client, server: HdlcPrimaryLink(client, HdlcAddress(server, 17))})
    lan.stations.add(line, narrow.client)
    lan.ask(prefixed(0xE6, 0, b"h", GET), client=0x100)
    assert [apdu for apdu, _, _ in lan.run()] == [prefixed(0xE7, 0, b"h", NOT_POSSIBLE)]


def test_answer_too_long_for_the_upper_link_is_counted() -> None:
    lan = Lan()
    lan.meter("m1")
    lan.meters["m1"].send(bytes((0xC4,)) * 65_535, source=SERVER, destination=CLIENT)
    assert lan.run() == []
    assert lan.gateway.not_delivered == 1


def test_device_is_named_once() -> None:
    gateway = Gateway(WrapperLink())
    gateway.line(DeviceId(0, b"m1"), WrapperLink())
    with pytest.raises(ConfigurationError, match="another line"):
        gateway.bus({DeviceId(0, b"m1"): lambda *saps: WrapperLink()})
    with pytest.raises(ConfigurationError):
        Gateway(WrapperLink(), timeout=0.0)


# ---- a bus of HDLC stations behind a gateway ------------------------------------------------------------------------


class Bus(Lan):
    """Two HDLC meters on one line behind the gateway, told apart by their lower addresses."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # options of the tests
        self.stream = ByteStream(self.time)
        settings = HdlcSettings(response_timeout=1.0)
        self.hdlc = HdlcSecondaryLink(settings=settings, devices=(1, 2))
        self.line = self.gateway.bus(
            {
                DeviceId(0, bytes((lower,))): lambda client, server, lower=lower: HdlcPrimaryLink(  # type: ignore[misc]
                    client, HdlcAddress(server, lower), settings
                )
                for lower in (17, 18)
            },
            most_links=3,
        )
        self.lines[self.line] = self.stations.add(self.line, self.stream.client)
        self.meters["h"] = Station(self.hdlc, self.stream.server, on_event=self._heard)

    def run(self) -> list[tuple[bytes, int, int]]:
        """Not so long that meters leave their connections."""
        self.time.run_for(60.0)
        return [tuple(event) for _, event in self.client.events]

    def _heard(self, event: LinkEvent) -> None:
        if isinstance(event, ApduReceived):
            self.asked.append(("h", event.apdu))
            if "h" not in self.silent:
                self.hdlc.send(ANSWER + event.apdu[-1:], source=event.destination, destination=event.source)


def test_devices_on_a_bus_are_connected_when_they_are_asked() -> None:
    bus = Bus()
    bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(1)))
    bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(2)), client=32)
    bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(3)))
    assert bus.run() == [
        (prefixed(0xE7, 0, bytes((17,)), ANSWER + bytes((number,))), SERVER, client)
        for number, client in ((1, 16), (2, 32), (3, 16))
    ]
    assert sorted(bus.hdlc.connections) == [(16, 1), (32, 1)]


def test_device_that_refuses_the_connection_is_answered_for_and_tried_again() -> None:
    bus = Bus(timeout=30.0)
    bus.ask(prefixed(0xE6, 0, bytes((17,)), GET), server=3)
    assert bus.run() == [(prefixed(0xE7, 0, bytes((17,)), NOT_POSSIBLE), 3, CLIENT)]
    bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(1)), server=2)
    assert bus.run()[1:] == [(prefixed(0xE7, 0, bytes((17,)), ANSWER + b"\x01"), 2, CLIENT)]
    assert not bus.lines[bus.line].ended


def test_device_that_does_not_connect_in_time_is_given_up() -> None:
    bus = Bus(timeout=2.0)
    Heard(bus.stream.server)
    bus.ask(prefixed(0xE6, 0, bytes((18,)), GET))
    bus.time.run_for(2.5)
    assert [event.apdu for _, event in bus.client.events] == [prefixed(0xE7, 0, bytes((18,)), NOT_POSSIBLE)]
    assert bus.line.pending == 0
    assert bus.line.deadline() is None


def test_device_that_was_off_is_connected_anew_when_it_is_asked_again() -> None:
    bus = Bus(timeout=30.0)
    meter = bus.stream.server.receiver
    assert meter is not None
    Heard(bus.stream.server)
    bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(1)))
    assert bus.run() == [(prefixed(0xE7, 0, bytes((17,)), NOT_POSSIBLE), SERVER, CLIENT)]
    bus.stream.server.attach(meter)
    bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(2)))
    assert bus.run()[1:] == [(prefixed(0xE7, 0, bytes((17,)), ANSWER + b"\x02"), SERVER, CLIENT)]


def test_lost_line_is_answered_for_until_another_takes_its_place() -> None:
    bus = Bus()
    bus.silent.add("h")
    for number in range(2):
        bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(number)))
    bus.time.run_for(1.0)
    bus.stream.server.close()
    bus.time.run_for(1.0)
    bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(2)))
    bus.time.run_for(1.0)
    assert [event.apdu for _, event in bus.client.events] == [prefixed(0xE7, 0, bytes((17,)), NOT_POSSIBLE)] * 3
    bus.gateway.remove(bus.line, bus.time.now)
    stream = ByteStream(bus.time)
    line = bus.gateway.line(DeviceId(0, bytes((17,))), WrapperLink())
    bus.stations.add(line, stream.client)
    bus.meters["m"] = Station(WrapperLink(), stream.server, on_event=lambda event: bus.take("m", event))
    bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(4)))
    assert bus.run()[-1][0] == prefixed(0xE7, 0, bytes((17,)), ANSWER + b"m\x04")


def test_links_of_a_client_that_has_gone_are_disconnected() -> None:
    bus = Bus()
    for client in (16, 32):
        bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(1)), client=client)
    bus.run()
    assert bus.hdlc.connected
    bus.gateway.lost(bus.time.now)
    bus.stations.serve()
    bus.run()
    assert not bus.hdlc.connected
    assert bus.line.pending == 0
    bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(5)))
    assert bus.run()[-1][0] == prefixed(0xE7, 0, bytes((17,)), ANSWER + b"\x05")


def test_client_that_goes_while_its_device_is_being_connected_is_forgotten() -> None:
    bus = Bus()
    Heard(bus.stream.server)
    for number in range(2):
        bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(number)))
    bus.time.run_for(0.5)
    bus.gateway.lost(bus.time.now)
    assert bus.line.pending == 0
    assert bus.line.deadline() is None
    bus.time.run_for(60.0)
    assert bus.client.events == []


def test_links_that_end_by_themselves_are_not_disconnected() -> None:
    """Both links are to be ended, one after the other; the meter ends the second while the first is being ended."""
    links = {}

    def make(client: int, server: int) -> HdlcPrimaryLink:
        links[client] = HdlcPrimaryLink(client, HdlcAddress(server, 17), HdlcSettings(response_timeout=1.0))
        return links[client]

    bus = Bus()
    bus.gateway.remove(bus.line, 0.0)
    line = bus.gateway.bus({DeviceId(0, bytes((17,))): make})
    stream = ByteStream(bus.time)
    bus.stations.add(line, stream.client)
    bus.meters["h"] = Station(bus.hdlc, stream.server, on_event=bus._heard)
    for client in (16, 32):
        bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(1)), client=client)
    bus.run()
    bus.gateway.lost(bus.time.now)
    bus.hdlc.disconnect()
    bus.stations.serve()
    bus.run()
    assert line.pending == 0
    assert not any(link.connected for link in links.values())


def test_device_on_a_line_of_its_own_that_does_not_connect_is_called_off() -> None:
    lan = Lan(timeout=20.0)
    cable = ByteStream(lan.time)
    dialled = Heard(cable.server)
    link = ModemLink(WrapperLink(), dial="123", init=())
    lan.stations.add(lan.gateway.line(DeviceId(0, b"far"), link), cable.client)
    lan.ask(prefixed(0xE6, 0, b"far", GET))
    lan.time.run_for(19.0)
    assert dialled.octets == b"ATD123\r"
    lan.time.run_for(30.0)
    assert dialled.octets == b"ATD123\r\r"
    assert link.state is State.READY
    assert lan.run() == [(prefixed(0xE7, 0, b"far", NOT_POSSIBLE), SERVER, CLIENT)]


def test_answers_find_no_client_while_none_is_connected() -> None:
    gateway = Gateway(HdlcSecondaryLink(20))
    line = gateway.line(DeviceId(0, b"m1"), WrapperLink())
    assert line.receive(wpdu(SERVER, CLIENT, NOTIFICATION), 0.0) == []
    assert gateway.not_delivered == 1
    assert not gateway.connected
    assert gateway.connection_oriented


def test_links_on_a_line_are_bounded() -> None:
    bus = Bus()
    for client in range(16, 20):
        bus.ask(prefixed(0xE6, 0, bytes((17,)), numbered(1)), client=client)
    answers = [apdu[4:] for apdu, _, _ in bus.run()]
    assert answers == [ANSWER + b"\x01"] * 3 + [NOT_POSSIBLE]


def test_end_of_an_upper_connection_ends_those_below() -> None:
    """The upper link is HDLC itself: its DISC is told by LinkDisconnected with the SAPs of the client."""
    time = VirtualTime()
    above, below = ByteStream(time), ByteStream(time)
    gateway = Gateway(HdlcSecondaryLink(20))
    line = gateway.bus({DeviceId(0, b"h"): lambda client, server: HdlcPrimaryLink(client, HdlcAddress(server, 17))})
    stations = GatewayStations(gateway, above.server)
    stations.add(line, below.client)
    meter = HdlcSecondaryLink(17)
    Station(meter, below.server)
    client = Station(GatewayLink(HdlcPrimaryLink(CLIENT, HdlcAddress(1, 20)), 0, b"h"), above.client)
    client.connect()
    time.run_until_idle(5.0)
    client.send(GET)
    time.run_for(5.0)
    assert meter.connections == ((CLIENT, 1),)
    client.disconnect()
    time.run_for(5.0)
    assert not meter.connected
    assert LinkDisconnected(CLIENT, 1) in [event for _, event in stations.upper.events]


# ---- failing media --------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from(["m1", "m2", "m3", "no"]), st.integers(0, 255)), max_size=12),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(0, 1000),
)
def test_every_request_is_answered_once_by_its_device_however_the_medium_cuts(
    requests: list[tuple[str, int]], chunks: list[int], seed: int
) -> None:
    lan = Lan(faults=StreamFaults(chunks=tuple(chunks), latency=0.2, jitter=0.5), seed=seed, timeout=30.0)
    for name in ("m1", "m2", "m3"):
        lan.meter(name)
    for name, number in requests:
        lan.ask(prefixed(0xE6, 0, name.encode(), numbered(number)))
    answers = lan.run()
    for name in ("m1", "m2", "m3"):
        mine = [apdu for apdu, _, _ in answers if apdu[3:5] == name.encode()]
        expected = [ANSWER + name.encode() + bytes((number,)) for to, number in requests if to == name]
        assert mine == [prefixed(0xE7, 0, name.encode(), answer) for answer in expected]
    assert len(answers) == len(requests)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_any_octets_are_survived_and_cuts_make_no_difference(noise: bytes, cuts: list[int]) -> None:
    stream = wpdu(CLIENT, SERVER, GET) + noise
    seen = []
    for pieces in ([stream], in_pieces(stream, cuts)):
        gateway = Gateway(WrapperLink())
        gateway.line(DeviceId(0, b""), WrapperLink())
        events = [event for piece in pieces for event in gateway.receive(piece, 0.0)]
        seen.append([str(event.error) if isinstance(event, LinkFailed) else event for event in events])
    assert seen[0] == seen[1]


def test_gateway_goes_on_after_the_client_is_gone() -> None:
    lan = Lan()
    lan.meter("m1")
    lan.ask(prefixed(0xE6, 0, b"m1", numbered(1)))
    lan.time.run_for(0.1)
    lan.client.close()
    assert lan.time.run_until_idle()
    with pytest.raises(ConnectionLost):
        lan.client.send(GET)
