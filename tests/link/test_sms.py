"""APDUs in short messages: the short wrapper, messages in parts, and a modem in PDU mode."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, ConnectionFailed, EncodeError, TransportError
from cosemic.faults import ByteStream, DatagramFaults, Network, Station, StreamFaults, VirtualTime
from cosemic.faults.sms import SmsModem, SmsPort
from cosemic.link.contract import ApduReceived, LinkEvent, LinkFailed
from cosemic.link.sms import (
    Concatenation,
    Deliver,
    SmsLink,
    SmsModemLink,
    SmsState,
    SmsTimes,
    Submit,
    UserData,
    decode_tpdu,
)
from cosemic.link.sms.link import MOST_MESSAGES
from cosemic.link.sms.modem import announced, indicated
from cosemic.values import LineSettings
from tests.link.samples import in_pieces

GET = bytes.fromhex("c001c100080000010000ff0200")
HEAD_END, METER = "+4915112345678", "+491711234567"


def submitted(link: SmsLink) -> list[Submit]:
    """What is due, one datagram a message."""
    found = []
    while octets := link.octets_to_send():
        message = decode_tpdu(octets)
        assert isinstance(message, Submit)
        found.append(message)
    return found


def delivered(message: Submit, originator: str = METER) -> bytes:
    return Deliver(originator, message.user_data).encode()


def parts_of(apdu: bytes, reference: int = 0) -> list[bytes]:
    link = SmsLink(HEAD_END, 1, 16, reference=reference)
    link.send(apdu)
    return [delivered(message) for message in submitted(link)]


# ---- the short wrapper ----------------------------------------------------------------------------------------------


def test_user_data_are_client_sap_server_sap_and_apdu() -> None:
    link = SmsLink(METER, 16, 1)
    link.send(GET)
    (message,) = submitted(link)
    assert message.destination == METER
    assert message.user_data == UserData(bytes((16, 1)) + GET)
    assert message.data_coding == 0x04


def test_answer_comes_with_the_saps_of_the_meter_first() -> None:
    link = SmsLink(METER, 16, 1)
    octets = Deliver(METER, UserData(bytes((1, 16)) + GET)).encode()
    assert link.receive(octets, 0.0) == [ApduReceived(GET, 1, 16)]


@pytest.mark.parametrize(
    "length, sizes", [(1, [3]), (138, [140]), (139, [134, 7]), (266, [134, 134]), (267, [134, 134, 1])]
)
def test_parts_have_134_octets(length: int, sizes: list[int]) -> None:
    link = SmsLink(METER, 16, 1)
    link.send(bytes(length))
    messages = submitted(link)
    assert [len(message.user_data.octets) for message in messages] == sizes
    assert all(message.user_data.concatenation for message in messages) is (len(sizes) > 1)
    assert all(len(message.user_data.header + message.user_data.octets) <= 140 for message in messages)


def test_longest_apdu_goes_in_255_parts() -> None:
    link = SmsLink(METER, 16, 1)
    link.send(bytes(34_168))
    assert len(submitted(link)) == 255
    with pytest.raises(EncodeError, match="34168"):
        link.send(bytes(34_169))
    assert submitted(link) == []


def test_references_tell_messages_apart_and_wrap() -> None:
    link = SmsLink(METER, 16, 1, reference=255)
    for _ in range(2):
        link.send(bytes(200))
    messages = submitted(link)
    assert [message.user_data.concatenation for message in messages] == [
        Concatenation(255, 2, 1), Concatenation(255, 2, 2), Concatenation(0, 2, 1), Concatenation(0, 2, 2),
    ]  # fmt: skip
    assert [message.reference for message in messages] == [0, 1, 2, 3]


def test_ports_of_a_project_stand_in_the_header_and_are_asked_for() -> None:
    link = SmsLink(METER, 16, 1, ports=(4059, 9200))
    link.send(bytes(127))
    link.send(bytes(200))
    whole, *parts = submitted(link)
    assert whole.user_data.ports == (4059, 9200)
    assert [len(part.user_data.octets) for part in parts] == [128, 74]
    swapped = Deliver(METER, UserData(bytes((1, 16)) + GET, ports=(9200, 4059))).encode()
    assert link.receive(swapped, 0.0) == [ApduReceived(GET, 1, 16)]
    assert link.receive(Deliver(METER, UserData(bytes((1, 16)) + GET)).encode(), 0.0) == []


def test_meter_answers_the_number_that_wrote_last_between_the_saps() -> None:
    meter = SmsLink()
    with pytest.raises(EncodeError, match="whom to answer"):
        meter.send(GET, source=1, destination=16)
    for originator, client in ((HEAD_END, 16), ("12345", 17), ("+99", 16)):
        meter.receive(Deliver(originator, UserData(bytes((client, 1)) + GET)).encode(), 0.0)
    meter.send(GET, source=1, destination=16)
    meter.send(GET, source=1, destination=17)
    assert [message.destination for message in submitted(meter)] == ["+99", "12345"]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xff",
        Deliver("+999", UserData(bytes((1, 16)) + GET)).encode(),
        Deliver(METER, UserData(bytes((1, 16)))).encode(),
        Deliver(METER, UserData(bytes((1, 16)) + GET), data_coding=0).encode()[:-1],
        Deliver(METER, UserData(bytes((1, 16)) + GET), data_coding=8).encode(),
        Submit(METER, UserData(bytes((1, 16)) + GET)).encode(),
        Deliver(METER, UserData(bytes((1, 16)) + GET, Concatenation(1, 0, 0))).encode(),
        Deliver(METER, UserData(bytes((1, 16)) + GET, Concatenation(1, 2, 3))).encode(),
        Deliver(METER, UserData(bytes((1, 16)) + GET, Concatenation(1, 2, 0))).encode(),
    ],
    ids=["nothing", "octet", "number", "no apdu", "text", "ucs2", "submit", "no parts", "part 3 of 2", "part 0"],
)
def test_messages_of_others_and_of_another_form_are_passed_over(octets: bytes) -> None:
    link = SmsLink(METER, 16, 1)
    assert link.receive(octets, 0.0) == []
    assert link.passed_over == 1
    assert link.deadline() is None


def test_what_cannot_be_is_refused_before_anything_is_sent() -> None:
    for arguments in (("x",), (METER, 256), (METER, 1, -1)):
        with pytest.raises(ConfigurationError):
            SmsLink(*arguments)  # type: ignore[arg-type]  # some are wrong
    with pytest.raises(ConfigurationError):
        SmsLink(METER, ports=(1, 65_536))
    with pytest.raises(ConfigurationError):
        SmsLink(METER, validity=256)
    link = SmsLink(METER)
    with pytest.raises(EncodeError, match="SAP"):
        link.send(GET)
    with pytest.raises(EncodeError, match="one octet"):
        link.send(GET, source=256, destination=1)
    assert (link.connected, link.connection_oriented, link.line_to_set()) == (True, False, None)


# ---- parts ----------------------------------------------------------------------------------------------------------


@given(
    st.binary(min_size=139, max_size=800), st.randoms(use_true_random=False), st.lists(st.integers(0, 7), max_size=6)
)
def test_parts_come_in_any_order_and_more_than_once(apdu: bytes, order: object, repeated: list[int]) -> None:
    parts = parts_of(apdu)
    parts += [parts[at % len(parts)] for at in repeated]
    order.shuffle(parts)  # type: ignore[attr-defined]  # it is a Random
    link = SmsLink(METER, 16, 1)
    events = [event for part in parts for event in link.receive(part, 0.0)]
    assert events == [ApduReceived(apdu, 1, 16)]


def test_lost_parts_are_given_up_after_their_time() -> None:
    link = SmsLink(METER, 16, 1, reassembly_timeout=100.0)
    first, second = parts_of(bytes(200))
    assert link.receive(first, 10.0) == []
    assert link.deadline() == 110.0
    assert link.tick(109.0) == []
    assert link.given_up == 0
    assert link.tick(110.0) == []
    assert link.given_up == 1
    assert link.deadline() is None
    assert link.receive(second, 111.0) == []
    assert link.receive(first, 112.0) == [ApduReceived(bytes(200), 1, 16)]


def test_reference_that_is_used_again_begins_anew() -> None:
    link = SmsLink(METER, 16, 1)
    old, new = parts_of(b"a" * 200), parts_of(b"b" * 200)
    assert link.receive(old[0], 0.0) == []
    assert link.receive(new[0], 0.0) == []
    assert link.receive(new[1], 0.0) == [ApduReceived(b"b" * 200, 1, 16)]
    assert link.given_up == 1
    assert [event for part in old for event in link.receive(part, 1.0)] == [ApduReceived(b"a" * 200, 1, 16)]


def test_messages_of_different_senders_are_not_mixed() -> None:
    link = SmsLink()
    one, other = (SmsLink(HEAD_END, 1, 16) for _ in range(2))
    one.send(b"a" * 200)
    other.send(b"b" * 200)
    pairs = zip(submitted(one), submitted(other), strict=True)
    events = [
        event
        for first, second in pairs
        for octets in (delivered(first, "+1"), delivered(second, "+2"))
        for event in link.receive(octets, 0.0)
    ]
    assert [event.apdu[:1] for event in events if isinstance(event, ApduReceived)] == [b"a", b"b"]


def test_open_messages_are_bounded_and_the_oldest_gives_way() -> None:
    link = SmsLink(METER, 16, 1)
    messages = [parts_of(bytes(200), reference) for reference in range(MOST_MESSAGES + 1)]
    for first, _ in messages:
        link.receive(first, 0.0)
    assert link.given_up == 1
    assert link.receive(messages[0][1], 0.0) == []
    assert link.receive(messages[-1][1], 0.0) == [ApduReceived(bytes(200), 1, 16)]


@given(st.lists(st.binary(max_size=170), max_size=30))
def test_any_octets_are_survived(datagrams: list[bytes]) -> None:
    link = SmsLink()
    for at, datagram in enumerate(datagrams):
        for event in link.receive(datagram, float(at)):
            assert isinstance(event, ApduReceived)


@given(
    st.lists(st.binary(min_size=1, max_size=500), min_size=1, max_size=4),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from([0.0, 0.5]),
    st.integers(0, 1000),
)
def test_over_a_failing_network_what_comes_is_what_was_sent(
    apdus: list[bytes], loss: float, duplication: float, seed: int
) -> None:
    time = VirtualTime()
    faults = DatagramFaults(
        latency=3.0, jitter=20.0, loss=loss, duplication=duplication, reordering=0.3, held_back=60.0
    )
    network = Network(time, faults, seed=seed)
    meter = Station(SmsLink(), SmsPort(network.station(METER)))
    client = Station(SmsLink(METER, 16, 1), SmsPort(network.station(HEAD_END)))
    for apdu in apdus:
        client.send(apdu)
    assert time.run_until_idle()
    came = [event.apdu for _, event in meter.events]
    assert set(came) <= set(apdus)
    if not loss:
        assert set(came) == set(apdus)
    assert meter.link.deadline() is None


# ---- the modem ------------------------------------------------------------------------------------------------------


def test_texts_between_port_and_modem() -> None:
    """The submission that every primer shows: 22 octets behind the length of the service centre."""
    tpdu = bytes.fromhex("11000B916407281553F80000AA0AE8329BFD4697D9EC37")
    assert announced(tpdu) == (b"AT+CMGS=23\r", b"0011000B916407281553F80000AA0AE8329BFD4697D9EC37\x1a")
    line = "07911326040000F0040B911346610089F60000208062917314080CC8F71D14969741F977FD07"
    for announcement in ("+CMT: ,30", "+CMT: 30", '+CMT: "",30', '+CMT: "+31641600986",30', "+CMT:,30"):
        assert indicated(announcement, line) == bytes.fromhex(line)[8:]
    for announcement in ("+CMT: ,29", "+CMTI: 30", "+CMT: x"):
        assert indicated(announcement, line) is None
    assert indicated("+CMT: ,30", "OK") is None


class Phones:
    """A head-end and a meter, each behind a modem of its own."""

    def __init__(
        self,
        *,
        cable: StreamFaults | None = None,
        network: DatagramFaults | None = None,
        seed: int = 0,
        answer: Callable[[bytes], bytes] = lambda apdu: b"\xc4" + apdu[::-1],
    ) -> None:
        self.time = VirtualTime()
        faults = cable or StreamFaults()
        self.network = Network(self.time, network or DatagramFaults(latency=4.0), seed=seed)
        cables = [
            ByteStream(self.time, line=LineSettings(9600), from_client=faults, from_server=faults, seed=seed)
            for _ in range(2)
        ]
        self.modems = [
            SmsModem(self.network.station(number), cable.server)
            for number, cable in zip((HEAD_END, METER), cables, strict=True)
        ]
        self.link = SmsModemLink(SmsLink(METER, 16, 1))
        self.client = Station(self.link, cables[0].client)
        self.meter = Station(SmsModemLink(SmsLink()), cables[1].client, on_event=self._answer)
        self.answer = answer
        self.meter.go_on()
        self.time.run_for(1.0)

    def _answer(self, event: LinkEvent) -> None:
        if isinstance(event, ApduReceived):
            self.meter.link.send(self.answer(event.apdu), source=event.destination, destination=event.source)

    def ask(self, apdu: bytes) -> list[LinkEvent]:
        self.client.send(apdu)
        assert self.time.run_until_idle()
        return [event for _, event in self.client.events]


def test_request_and_answer_over_two_modems() -> None:
    phones = Phones()
    assert phones.ask(GET) == [ApduReceived(b"\xc4" + GET[::-1], 1, 16)]
    assert phones.modems[0].commands == ["ATE0", "AT+CMGF=0", "AT+CNMI=2,2,0,0,0", "AT+CMGS=28"]
    assert phones.link.deadline() is None


def test_long_requests_and_answers_over_two_modems() -> None:
    phones = Phones(answer=lambda apdu: b"\xc4" + apdu * 3)
    assert phones.ask(GET * 20) == [ApduReceived(b"\xc4" + GET * 60, 1, 16)]


def test_modem_that_echoes_is_understood() -> None:
    phones = Phones()
    for modem in phones.modems:
        modem.echo = True
    assert phones.ask(GET * 20) == [ApduReceived(b"\xc4" + (GET * 20)[::-1], 1, 16)]


def test_modem_that_refuses_a_message_is_asked_again() -> None:
    phones = Phones()
    phones.modems[0].failures = 2
    assert phones.ask(GET) == [ApduReceived(b"\xc4" + GET[::-1], 1, 16)]
    assert phones.time.now > 1020.0


def test_message_that_is_refused_again_and_again_is_a_declared_error() -> None:
    phones = Phones()
    phones.modems[0].failures = 3
    (event,) = phones.ask(GET)
    assert isinstance(event, LinkFailed)
    assert isinstance(event.error, TransportError)
    assert "+CMS ERROR: 500" in str(event.error)
    assert "3 attempts" in str(event.error)
    assert phones.link.deadline() is None
    assert phones.link.receive(b"\r\nOK\r\n", 5000.0) == []


def test_modem_without_power_is_a_declared_error() -> None:
    time = VirtualTime()
    cable = ByteStream(time, line=LineSettings(9600))
    SmsModem(Network(time).station(HEAD_END), cable.server).mute = True
    client = Station(SmsModemLink(SmsLink(METER, 16, 1)), cable.client)
    client.send(GET)
    assert time.run_until_idle()
    (event,) = [event for _, event in client.events]
    assert isinstance(event.error, ConnectionFailed)
    assert "ATE0" in str(event.error)
    assert time.now - 1000.0 == pytest.approx(15.0, abs=1.0)


def test_command_that_the_modem_refuses_is_named() -> None:
    link = SmsModemLink(SmsLink(METER, 16, 1), attempts=1)
    assert link.octets_to_send() == b"ATE0\r"
    link.tick(0.0)
    link.receive(b"ATE0\r\r\nOK\r\n", 0.1)
    assert link.octets_to_send() == b"AT+CMGF=0\r"
    (event,) = link.receive(b"\r\n+CMS ERROR: 310\r\n", 0.2)
    assert isinstance(event, LinkFailed)
    assert "AT+CMGF=0 (+CMS ERROR: 310)" in str(event.error)
    assert link.state is SmsState.FAILED


def test_message_without_confirmation_is_not_sent_twice() -> None:
    phones = Phones()
    phones.modems[0].sending_takes = 100.0
    assert phones.ask(GET) == [ApduReceived(b"\xc4" + GET[::-1], 1, 16)]
    assert [command for command in phones.modems[0].commands if "CMGS" in command] == ["AT+CMGS=28"]


def test_prompt_that_does_not_come_is_a_declared_error() -> None:
    phones = Phones()
    phones.modems[0].say = lambda octets: None  # type: ignore[method-assign]  # it has become silent
    (event,) = phones.ask(GET)
    assert isinstance(event, LinkFailed)
    assert "no answer in time" in str(event.error)


def test_message_that_is_left_open_is_cancelled_and_sent_again() -> None:
    link = SmsModemLink(SmsLink(METER, 16, 1), init=(), times=SmsTimes(command=5.0, pause=7.0))
    assert (link.connected, link.connection_oriented, link.line_to_set()) == (True, False, None)
    link.send(GET)
    assert link.octets_to_send() == b"AT+CMGS=28\r"
    link.tick(0.0)
    assert link.tick(5.0) == []
    assert link.octets_to_send() == b"\x1b\r"
    assert link.deadline() == 12.0
    assert link.tick(12.0) == []
    assert link.octets_to_send() == b"AT+CMGS=28\r"
    with pytest.raises(ConfigurationError):
        SmsModemLink(SmsLink(), attempts=0)


def test_message_that_comes_while_one_is_sent_is_taken() -> None:
    link = SmsModemLink(SmsLink(METER, 16, 1), init=())
    link.send(GET)
    assert link.octets_to_send() == b"AT+CMGS=28\r"
    link.tick(0.0)
    tpdu = Deliver(METER, UserData(bytes((1, 16)) + b"\x0f\x00")).encode()
    line = b"\r\n+CMT: ,%d\r\n00%s\r\n" % (len(tpdu), tpdu.hex().encode())
    assert link.receive(line, 0.1) == [ApduReceived(b"\x0f\x00", 1, 16)]
    assert link.receive(b"\r\n> ", 0.2) == []
    assert link.octets_to_send().endswith(GET.hex().upper().encode() + b"\x1a")
    assert link.receive(b"\r\n+CMT: ,9\r\n+CMGS: 7\r\n\r\nOK\r\n", 0.3) == []
    assert (link.state, link.passed_over) == (SmsState.READY, 1)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(1, 300), st.integers(0, 100))
def test_cuts_and_delays_of_the_cable_make_no_difference(chunks: list[int], length: int, seed: int) -> None:
    phones = Phones(cable=StreamFaults(chunks=tuple(chunks), latency=0.05, jitter=0.3), seed=seed)
    apdu = bytes(at & 0xFF for at in range(length))
    assert phones.ask(apdu) == [ApduReceived(b"\xc4" + apdu[::-1], 1, 16)]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_any_octets_of_a_modem_give_the_same_however_cut(noise: bytes, cuts: list[int]) -> None:
    tpdu = Deliver(METER, UserData(bytes((1, 16)) + GET)).encode()
    stream = noise + b"\r\n+CMT: ,%d\r\n00%s\r\n" % (len(tpdu), tpdu.hex().encode()) + noise
    seen = []
    for pieces in ([stream], in_pieces(stream, cuts)):
        link = SmsModemLink(SmsLink(METER, 16, 1), attempts=1)
        link.octets_to_send()
        link.tick(0.0)
        events = [event for piece in pieces for event in link.receive(piece, 1.0)]
        seen.append([str(event.error) if isinstance(event, LinkFailed) else event for event in events])
    assert seen[0] == seen[1]
