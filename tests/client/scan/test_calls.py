"""Links that only ask who is there: HDLC addresses, TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cosemic.client.scan import NORMAL, QUICK, THOROUGH, Answer, Depth, Target
from cosemic.client.scan.calls import HdlcCalls, Heard, State, TlsCall
from cosemic.client.scan.routes import from_serial_number, hdlc_addresses, places, routes
from cosemic.errors import ConnectionLost
from cosemic.faults import ByteStream, Station, StreamFaults, VirtualTime
from cosemic.link.contract import LinkConnected, LinkDisconnected, LinkFailed
from cosemic.link.hdlc import FLAG, HdlcAddress, HdlcSecondaryLink, HdlcStreamReader
from cosemic.link.hdlc.frame import Control, encode_frame
from cosemic.stack import link_factory, parse_url
from cosemic.values.enumerations import FrameType
from tests.transport.certificates import Authority

CLIENT = HdlcAddress(16)
ADDRESSES = [HdlcAddress(1), HdlcAddress(1, 16, 2), HdlcAddress(1, 17, 4)]


def sent_by(calls: HdlcCalls) -> list[tuple[HdlcAddress, FrameType]]:
    return [(one.destination, one.control.type) for one in HdlcStreamReader().receive(calls.octets_to_send())]


def response(server: HdlcAddress, kind: FrameType, client: HdlcAddress = CLIENT) -> bytes:
    return FLAG + encode_frame(client, server, Control(kind)) + FLAG


def begun(patience: float = 1.0) -> HdlcCalls:
    calls = HdlcCalls(16, ADDRESSES, patience)
    calls.connect()
    assert sent_by(calls) == [(ADDRESSES[0], FrameType.SNRM)]
    assert calls.tick(0.0) == []
    return calls


def test_addresses_are_called_in_order_each_with_its_time_and_then_it_has_failed() -> None:
    calls = begun()
    assert calls.deadline() == 1.0
    assert calls.tick(0.9) == []
    assert calls.tick(1.0) == []
    assert sent_by(calls) == [(ADDRESSES[1], FrameType.SNRM)]
    calls.tick(1.0)
    calls.tick(2.0)
    assert sent_by(calls) == [(ADDRESSES[2], FrameType.SNRM)]
    calls.tick(2.0)
    (event,) = calls.tick(3.0)
    assert isinstance(event, LinkFailed)
    assert (calls.heard, calls.state, calls.deadline()) == (None, State.OVER, None)


def test_who_answers_ua_is_left_in_order() -> None:
    calls = begun()
    assert calls.receive(response(ADDRESSES[0], FrameType.UA), 0.2) == []
    assert sent_by(calls) == [(ADDRESSES[0], FrameType.DISC)]
    assert calls.receive(response(ADDRESSES[0], FrameType.UA), 0.3) == [LinkDisconnected(1, 16)]
    assert calls.heard == Heard(Answer.UA, ADDRESSES[0])


def test_who_does_not_answer_disc_is_left_all_the_same() -> None:
    calls = begun()
    calls.receive(response(ADDRESSES[0], FrameType.UA), 0.2)
    calls.octets_to_send()
    calls.tick(0.2)
    assert calls.tick(1.2) == [LinkDisconnected(1, 16)]


@pytest.mark.parametrize(("kind", "answer"), [(FrameType.DM, Answer.DM), (FrameType.FRMR, Answer.FRMR)])
def test_who_refuses_is_there(kind: FrameType, answer: Answer) -> None:
    calls = begun()
    assert calls.receive(response(ADDRESSES[0], kind), 0.2) == [LinkDisconnected(1, 16)]
    assert calls.heard == Heard(answer, ADDRESSES[0])
    assert sent_by(calls) == []


def test_an_answer_that_comes_late_is_that_of_the_address_it_names() -> None:
    calls = begun()
    calls.tick(1.0)
    calls.octets_to_send()
    calls.tick(1.0)
    calls.tick(2.0)
    calls.octets_to_send()
    calls.tick(2.0)
    calls.receive(response(ADDRESSES[1], FrameType.UA), 2.1)
    assert calls.heard == Heard(Answer.UA, ADDRESSES[1])


@pytest.mark.parametrize(
    "octets",
    [
        response(HdlcAddress(2), FrameType.UA),  # another logical device
        response(ADDRESSES[0], FrameType.UA, HdlcAddress(1)),  # to another client
        response(ADDRESSES[0], FrameType.UA)[:-3] + b"\x00\x00\x7e",  # damaged
        FLAG + encode_frame(ADDRESSES[0], CLIENT, Control(FrameType.SNRM)) + FLAG,  # an echo
    ],
)
def test_what_is_no_answer_to_a_call_is_passed_over(octets: bytes) -> None:
    calls = begun()
    assert calls.receive(octets, 0.5) == []
    assert (calls.heard, calls.state) == (None, State.CALLING)


@pytest.mark.parametrize("everybody", [0x7F, 0x7E])
def test_who_was_called_as_one_of_all_is_named_by_its_own_number(everybody: int) -> None:
    calls = HdlcCalls(16, [HdlcAddress(1, everybody, 2)], 1.0)
    calls.connect()
    calls.receive(response(HdlcAddress(1, 33, 2), FrameType.UA), 0.1)
    assert calls.heard == Heard(Answer.UA, HdlcAddress(1, 33, 2))


@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(0, 3))
@example([b"", b"~\xa0"], 0)  # the answer is hidden by a frame that does not go on
def test_whatever_comes_it_ends_in_bounded_time(pieces: list[bytes], answered: int) -> None:
    calls = HdlcCalls(16, ADDRESSES, 1.0)
    calls.connect()
    now, events = 0.0, []
    stream = [*pieces, *([response(ADDRESSES[answered], FrameType.UA)] if answered < 3 else [])]
    for _ in range(60):
        calls.octets_to_send()
        events += calls.tick(now)
        if stream:
            events += calls.receive(stream.pop(0), now)
        now += 0.25
    assert len(events) == 1
    assert calls.state is State.OVER
    assert (calls.heard is None) == isinstance(events[0], LinkFailed)


def test_a_line_that_is_never_silent_keeps_no_call_waiting() -> None:
    calls = begun()
    now = 0.0
    while now < 3.5:
        calls.receive(FLAG + b"\xa7\xff\x21", now)  # begins a frame of 2047 octets, again and again
        calls.tick(now)
        calls.octets_to_send()
        assert calls.state is State.OVER or calls.deadline() is not None
        now += 0.1
    assert calls.state is State.OVER


def test_it_is_told_the_time_only_when_that_leads_to_something() -> None:
    calls = begun()
    calls.receive(FLAG + b"\xa0\x1e\x21", 0.9)
    deadline = calls.deadline()
    assert deadline == 1.0
    calls.tick(deadline)
    assert sent_by(calls) == [(ADDRESSES[1], FrameType.SNRM)]


@given(st.integers(0, 500), st.sampled_from([(1,), (2,), (4,)]))
def test_over_a_failing_line_the_right_address_is_found_or_none(seed: int, sizes: tuple[int, ...]) -> None:
    time = VirtualTime()
    faults = StreamFaults(bit_error_rate=1e-3, chunks=(3, 1, 7))
    stream = ByteStream(time, from_client=faults, from_server=faults, seed=seed)
    lower = None if sizes == (1,) else {2: 16, 4: 17}[sizes[0]]
    Station(HdlcSecondaryLink(lower, sizes=sizes), stream.server)
    calls = HdlcCalls(16, ADDRESSES, 1.0)
    station = Station(calls, stream.client)
    station.connect()
    assert time.run_until_idle(limit=300.0)
    assert calls.heard in (None, Heard(Answer.UA, ADDRESSES[{1: 0, 2: 1, 4: 2}[sizes[0]]]))
    assert calls.state is State.OVER


def test_a_call_carries_no_apdu() -> None:
    calls = HdlcCalls(16, ADDRESSES, 1.0)
    assert (calls.connected, calls.connection_oriented, calls.line_to_set()) == (False, True, None)
    with pytest.raises(ConnectionLost):
        calls.send(b"\x60")


# ---- TLS -------------------------------------------------------------------------------------------------------------


def test_the_hello_of_tls_is_one_that_a_server_takes(tmp_path: Path) -> None:
    call = TlsCall(1.0)
    call.connect()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Authority(tmp_path).issue("meter").both)
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(call.octets_to_send())
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    assert call.receive(outgoing.read(), 0.1) == [LinkConnected(0, 0)]
    assert call.deadline() is None


@pytest.mark.parametrize("octets", [b"login: ", b"\x7e\xa0", b"\x00\x01"])
def test_what_is_no_record_of_tls_is_none(octets: bytes) -> None:
    call = TlsCall(1.0)
    call.connect()
    call.octets_to_send()
    assert call.receive(octets[:1], 0.1) == []
    (event,) = call.receive(octets[1:], 0.1)
    assert isinstance(event, LinkFailed)


def test_no_answer_to_the_hello_is_none() -> None:
    call = TlsCall(1.0)
    call.connect()
    call.octets_to_send()
    call.tick(5.0)
    assert call.tick(5.9) == []
    (event,) = call.tick(6.0)
    assert isinstance(event, LinkFailed)


# ---- what is tried ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [QUICK, NORMAL, THOROUGH])
def test_every_route_has_a_url_that_names_its_stack(depth: Depth) -> None:
    for target in (Target(device="/dev/tty USB0"), Target(device="COM3"), Target("h", 4059), Target("::1", 4001)):
        for place in places(target, depth):
            for route in routes(target, place, depth, "12345678"):
                options = {"station": 7} if route.framing.value == "mbus" and not route.sign_on else {}
                address = parse_url(route.url(client=16, server=1, **options))
                assert (address.framing, address.medium) == (route.framing, route.medium)
                assert (address.device, address.host) == (target.device, target.host)
                if route.medium.value != "tls":
                    link_factory(address)(16, 1)


def test_the_likely_goes_first() -> None:
    serial = [str(one) for one in routes(Target(device="COM3"), "COM3", NORMAL)]
    assert serial[:4] == ["HDLC 9600 8N1", "IEC 62056-21 mode E 300 7E1", "M-Bus 2400 8E1", "HDLC 19200 8N1"]
    meter = [str(one) for one in routes(Target("h", 4059), "h:4059", QUICK)]
    assert meter == ["wrapper over TCP", "HDLC over TCP", "IEC 62056-21 mode E over TCP", "M-Bus over TCP"]
    converter = [str(one) for one in routes(Target("h", 4001), "h:4001", NORMAL)]
    assert converter[0] == "HDLC over TCP"
    assert converter[-2:] == ["wrapper over TLS", "wrapper over UDP"]


def test_addresses_from_a_serial_number_come_before_guesses() -> None:
    # Reference, transports 3.2: last four digits + 1000.
    assert from_serial_number("12345678") == [6678, 5678, 94, 78]
    assert hdlc_addresses(NORMAL, "12345678")[:2] == [HdlcAddress(1), HdlcAddress(1, 6678, 4)]
    assert HdlcAddress(1, 6678, 4).octets.hex() == "0002682d"
    assert from_serial_number("7") == [1007, 23]
    assert from_serial_number("") == []


@given(st.text("0123456789", max_size=32))
def test_every_address_that_is_called_is_one_and_is_called_once(serial_number: str) -> None:
    for depth in (QUICK, NORMAL, THOROUGH):
        found = hdlc_addresses(depth, serial_number)
        assert len(set(found)) == len(found)
        assert all(one.size in (1, 2, 4) and one.upper in depth.devices for one in found)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/dev/ttyUSB0", Target(device="/dev/ttyUSB0")),
        ("./reader", Target(device="./reader")),
        ("../ports/reader", Target(device="../ports/reader")),
        ("COM12", Target(device="COM12")),
        ("rfc2217://h:4001", Target(device="rfc2217://h:4001")),
        ("10.0.0.7", Target("10.0.0.7")),
        ("10.0.0.7:4001", Target("10.0.0.7", 4001)),
        ("fe80::1%eth0", Target("fe80::1%eth0")),
        ("[::1]:4059", Target("::1", 4059)),
        ("[::1]", Target("::1")),
        ("comet", Target("comet")),
    ],
)
def test_places_are_read_as_they_are_written(text: str, target: Target) -> None:
    assert Target.parse(text) == target
    assert Target.parse(str(target)) == target
