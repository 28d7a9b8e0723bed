"""Master and slave of a wired M-Bus, frame by frame (EN 13757-2, IEC 62056-7-3)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from cosemic.errors import (
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    DecodeError,
    EncodeError,
    ProtocolError,
    ResponseTimeout,
)
from cosemic.faults import StreamFaults
from cosemic.link.contract import ApduReceived, LinkConnected, LinkDisconnected, LinkFailed
from cosemic.link.mbus import (
    DeviceAddress,
    LongHeader,
    MbusFrame,
    MbusMasterLink,
    MbusSlaveLink,
    SapOrder,
    ShortHeader,
    segments,
)
from tests.link.mbus_samples import CLIENT, CONNECTED, SERVER, Line, answer_to

E5 = b"\xe5"
NKE = bytes.fromhex("1040054516")
DEVICE = DeviceAddress("12345678", 0x2CCD, 1, 2)
SELECTION = bytes.fromhex("680b0b6853fd5278563412cd2c0102b216")


def snd_ud(c: int, part: bytes, ci: int = 0x10, a: int = 5) -> bytes:
    return MbusFrame(c, a, ci, bytes((CLIENT, SERVER)) + part).encode()


def rsp_ud(part: bytes, ci: int = 0x10, c: int = 0x08, a: int = 5) -> bytes:
    return MbusFrame(c, a, ci, bytes((SERVER, CLIENT)) + part).encode()


def req_ud2(c: int, a: int = 5) -> bytes:
    return MbusFrame(c, a).encode()


class Driven:
    """A link with what it sends, at times that the test sets."""

    def __init__(self, link: Any) -> None:
        self.link = link
        self.now = 100.0
        self.events: list[Any] = []

    def sent(self) -> bytes:
        octets = self.link.octets_to_send()
        self.events += self.link.tick(self.now)
        return octets

    def got(self, octets: bytes) -> bytes:
        self.events += self.link.receive(octets, self.now)
        return self.sent()

    def overdue(self) -> bytes:
        deadline = self.link.deadline()
        assert deadline is not None
        assert deadline > self.now
        self.now = deadline
        self.events += self.link.tick(self.now)
        return self.sent()


def master(**settings: Any) -> Driven:
    driven = Driven(MbusMasterLink(**{"address": 5, "source": CLIENT, "destination": SERVER, **settings}))
    driven.link.connect()
    return driven


def connected(**settings: Any) -> Driven:
    driven = master(**settings)
    assert driven.sent() == NKE
    assert driven.got(E5) == b""
    assert driven.events == [LinkConnected(SERVER, settings.get("source", CLIENT) or 0)]
    driven.events.clear()
    return driven


def slave(**settings: Any) -> Driven:
    return Driven(MbusSlaveLink(5, **settings))


# ---- the master ------------------------------------------------------------------------------------------------------


def test_an_exchange_has_the_frames_of_the_standard() -> None:
    one = connected()
    one.link.send(b"request")
    assert one.sent() == snd_ud(0x73, b"request")
    assert one.got(E5) == req_ud2(0x7B)
    assert one.got(rsp_ud(b"answer")) == b""
    assert one.events == [ApduReceived(b"answer", SERVER, CLIENT)]
    one.link.send(b"more")
    assert one.sent() == snd_ud(0x53, b"more")
    assert one.got(E5) == req_ud2(0x5B)
    assert one.got(rsp_ud(b"of ", 0x00)) == req_ud2(0x7B)
    assert one.got(rsp_ud(b"it", 0x11)) == b""
    assert one.events[1:] == [ApduReceived(b"of it", SERVER, CLIENT)]
    assert one.link.deadline() is None


def test_a_long_request_goes_out_in_segments_each_acknowledged() -> None:
    one = connected(max_part=3)
    one.link.send(b"abcdefgh")
    assert one.sent() == snd_ud(0x73, b"abc", 0x00)
    assert one.got(E5) == snd_ud(0x53, b"def", 0x01)
    assert one.got(E5) == snd_ud(0x73, b"gh", 0x12)
    assert one.got(E5) == req_ud2(0x7B)


def test_a_frame_is_repeated_unchanged_and_then_the_link_is_down() -> None:
    one = connected(repetitions=2)
    one.link.send(b"request")
    one.link.send(b"another")
    first = one.sent()
    assert [one.overdue(), one.overdue()] == [first, first]
    assert one.overdue() == b""
    (event,) = one.events
    assert isinstance(event, LinkDisconnected)
    assert (event.source, event.destination) == (SERVER, CLIENT)
    assert isinstance(event.error, ResponseTimeout)
    assert not one.link.connected
    assert one.link.deadline() is None
    with pytest.raises(ConnectionLost):
        one.link.send(b"third")
    one.link.connect()
    assert one.sent() == NKE
    assert one.got(E5) == b""
    assert one.events[1:] == [CONNECTED]
    one.link.send(b"fourth")
    assert one.sent() == snd_ud(0x73, b"fourth")


def test_a_lost_answer_is_asked_for_with_the_same_frame_count() -> None:
    one = connected()
    one.link.send(b"request")
    one.sent()
    assert one.got(E5) == req_ud2(0x7B)
    assert one.overdue() == req_ud2(0x7B)
    damaged = bytearray(rsp_ud(b"answer"))
    damaged[8] ^= 1
    assert one.got(bytes(damaged)) == b""
    assert one.overdue() == req_ud2(0x7B)
    assert one.got(rsp_ud(b"answer")) == b""
    assert one.events == [ApduReceived(b"answer", SERVER, CLIENT)]


def test_nobody_there_is_a_failure_of_the_link() -> None:
    one = master(repetitions=1)
    assert [one.sent(), one.overdue(), one.overdue()] == [NKE, NKE, b""]
    (event,) = one.events
    assert isinstance(event, LinkFailed)
    assert "baud rate" in str(event.error)
    assert one.got(E5) == b""
    assert one.events == [event]
    with pytest.raises(ConnectionFailed, match="make a new one"):
        one.link.connect()
    assert one.sent() == b""


@pytest.mark.parametrize("nothing", [E5, MbusFrame(0x08, 5, 0x72, bytes(12)).encode()])
def test_a_meter_that_has_nothing_yet_is_asked_again_after_a_pause(nothing: bytes) -> None:
    one = connected(poll_interval=0.25)
    one.link.send(b"request")
    one.sent()
    asked = one.got(E5)
    assert one.got(nothing) == b""
    assert one.link.deadline() == pytest.approx(one.now + 0.25)
    again = one.overdue()
    # RSP_UD was an answer, so the next frame is a new one; E5 was none.
    assert again == (asked if nothing == E5 else req_ud2(0x5B))
    assert one.got(rsp_ud(b"answer")) == b""
    assert len(one.events) == 1


def test_a_request_without_an_answer_ends_in_silence() -> None:
    one = connected(answer_timeout=2.0, poll_interval=0.5)
    one.link.send(b"unconfirmed")
    one.sent()
    one.got(E5)
    for _ in range(4):
        assert one.got(E5) == b""
        assert one.overdue()
    assert one.got(E5) == b""
    assert one.link.deadline() is None
    assert one.link.connected
    assert one.events == []


def test_a_request_goes_before_asking_on_for_the_answer_to_the_last_one() -> None:
    one = connected()
    one.link.send(b"first")
    one.sent()
    one.got(E5)
    one.got(E5)
    one.link.send(b"second")
    assert one.sent() == snd_ud(0x53, b"second")


def test_requests_wait_for_the_answer_before_them() -> None:
    one = connected()
    one.link.send(b"first")
    one.link.send(b"second")
    assert one.sent() == snd_ud(0x73, b"first")
    assert one.got(E5) == snd_ud(0x53, b"second")
    assert one.got(E5) == req_ud2(0x7B)


def test_more_is_asked_for_while_the_meter_demands_access() -> None:
    one = connected()
    one.link.send(b"request")
    one.sent()
    one.got(E5)
    assert one.got(rsp_ud(b"one", c=0x28)) == req_ud2(0x5B)
    assert one.got(rsp_ud(b"two")) == b""
    assert [event.apdu for event in one.events] == [b"one", b"two"]


def test_an_idle_meter_is_polled_once() -> None:
    one = connected()
    one.link.poll()
    assert one.sent() == req_ud2(0x7B)
    assert one.got(E5) == b""
    assert one.link.deadline() is None
    one.link.poll()
    assert one.sent() == req_ud2(0x7B)
    assert one.got(rsp_ud(b"event")) == b""
    assert one.events == [ApduReceived(b"event", SERVER, CLIENT)]


def test_an_echo_and_frames_of_others_are_passed_over() -> None:
    one = connected()
    one.link.send(b"request")
    frame = one.sent()
    assert one.got(frame) == b""
    assert one.got(E5) == req_ud2(0x7B)
    assert one.got(req_ud2(0x7B) + rsp_ud(b"other", a=6)) == b""
    assert one.got(rsp_ud(b"answer")) == b""
    assert [event.apdu for event in one.events] == [b"answer"]


def test_what_came_before_a_frame_was_sent_is_no_answer_to_it() -> None:
    one = connected(max_part=3)
    one.link.send(b"abcdef")
    one.sent()
    assert one.got(E5 + E5) == snd_ud(0x53, b"def", 0x11)
    assert one.link.receive(E5, one.now) == []
    assert one.sent() == req_ud2(0x7B)


def test_an_acknowledgement_inside_noise_is_none() -> None:
    one = connected()
    one.link.send(b"request")
    one.sent()
    assert one.got(b"\x00\xe5") == b""
    assert one.overdue() == snd_ud(0x73, b"request")
    assert one.got(E5) == req_ud2(0x7B)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([rsp_ud(b"a", 0x00), rsp_ud(b"b", 0x12)], ProtocolError),
        ([rsp_ud(b"a" * 200, number) for number in range(6)], ProtocolError),
        ([MbusFrame(0x08, 5, 0x7D, bytes.fromhex("00000005") + b"\1\1").encode()], DecodeError),
    ],
    ids=["segment missing", "too long", "encrypted"],
)
def test_an_answer_that_cannot_be_joined_ends_the_connection(answers: list[bytes], kind: type[Exception]) -> None:
    one = connected(max_apdu=1000)
    one.link.send(b"request")
    one.sent()
    one.got(E5)
    for answer in answers:
        one.got(answer)
    (event,) = one.events
    assert isinstance(event, LinkDisconnected)
    assert isinstance(event.error, kind)


def test_a_segment_that_comes_twice_is_passed_over_and_for_ever_is_an_error() -> None:
    one = connected(answer_timeout=1.0, poll_interval=0.3)
    one.link.send(b"request")
    one.sent()
    one.got(E5)
    assert one.got(rsp_ud(b"a", 0x00)) == req_ud2(0x5B)
    for _ in range(4):
        assert one.got(rsp_ud(b"a", 0x00)) == b""
        assert one.overdue()
    one.got(rsp_ud(b"a", 0x00))
    (event,) = one.events
    assert isinstance(event.error, ResponseTimeout)


def test_a_late_answer_that_comes_twice_does_not_upset_the_frame_count() -> None:
    one, meter = connected(), slave(max_part=1)
    one.link.send(b"request")
    assert meter.got(one.sent()) == E5
    question = one.got(E5)
    meter.link.send(b"abc", source=SERVER, destination=CLIENT)
    late = meter.got(question)
    again = meter.got(one.overdue())
    following = meter.got(one.got(late))
    assert one.got(again) == b""
    assert one.got(following) == b""
    answer = meter.got(one.overdue())
    while question := one.got(answer):
        answer = meter.got(question)
    assert one.events == [ApduReceived(b"abc", SERVER, CLIENT)]


def test_the_link_is_ended_by_a_reset() -> None:
    one = connected()
    one.link.disconnect()
    assert one.sent() == NKE
    with pytest.raises(ConnectionLost):
        one.link.send(b"late")
    one.link.disconnect()
    assert one.sent() == b""
    assert one.got(E5) == b""
    assert one.events == [LinkDisconnected(SERVER, CLIENT)]
    assert not one.link.connected
    one.link.disconnect()
    assert one.sent() == b""


def test_a_selection_begins_by_ending_every_other() -> None:
    one = master(address=None, secondary=DEVICE)
    assert one.sent().hex() == "1040fd3d16"
    assert one.overdue() == SELECTION
    assert one.got(E5) == b""
    assert one.events == [CONNECTED]
    one.link.send(b"request")
    assert one.sent() == snd_ud(0x73, b"request", a=0xFD)
    assert one.got(E5) == req_ud2(0x7B, 0xFD)
    assert one.got(rsp_ud(b"answer", a=77)) == b""
    assert one.events[1:] == [ApduReceived(b"answer", SERVER, CLIENT)]


def test_no_meter_of_that_secondary_address_is_a_failure() -> None:
    one = master(address=None, secondary=DEVICE, repetitions=0)
    assert one.sent().hex() == "1040fd3d16"
    assert one.got(E5) == SELECTION
    assert one.overdue() == b""
    assert "12345678 KFM" in str(one.events[0].error)


@pytest.mark.parametrize("header", [ShortHeader(7), LongHeader(DEVICE, ShortHeader(7))])
@pytest.mark.parametrize("swapped", [False, True])
def test_saps_of_an_answer_behind_a_header_are_taken_in_either_order(header: Any, swapped: bool) -> None:
    one = connected(header=header)
    one.link.send(b"request")
    sent = one.sent()
    assert sent[6] == (0x60 if isinstance(header, LongHeader) else 0x61)
    assert sent[-11:-2] == bytes((CLIENT, SERVER)) + b"request"
    one.got(E5)
    saps = bytes((CLIENT, SERVER) if swapped else (SERVER, CLIENT))
    one.got(MbusFrame(0x08, 5, 0x7D, bytes(4) + saps + b"answer").encode())
    assert one.events == [ApduReceived(b"answer", SERVER, CLIENT)]


@pytest.mark.parametrize(
    "settings",
    [
        {"address": 251},
        {"address": -1},
        {"address": 255},
        {"address": None},
        {"secondary": DEVICE},
        {"source": 256},
        {"max_part": 0},
        {"max_part": 251},
        {"response_timeout": 0},
        {"repetitions": -1},
        {"poll_interval": 0},
        {"answer_timeout": 0},
    ],
    ids=str,
)
def test_settings_of_a_master_that_cannot_be_meant_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        master(**settings)


def test_what_cannot_be_sent_is_refused_and_harms_nothing() -> None:
    one = connected(source=None)
    with pytest.raises(EncodeError, match="SAP"):
        one.link.send(b"request")
    with pytest.raises(EncodeError):
        one.link.send(b"request", source=256)
    one.link.send(b"request", source=CLIENT)
    assert one.sent() == snd_ud(0x73, b"request")
    with pytest.raises(EncodeError):
        connected(header=ShortHeader()).link.send(bytes(247))


# ---- the slave -------------------------------------------------------------------------------------------------------


def test_a_slave_acknowledges_requests_and_hands_out_answers() -> None:
    one = slave()
    assert one.got(NKE) == E5
    assert one.got(snd_ud(0x73, b"re", 0x00)) == E5
    assert one.got(snd_ud(0x53, b"quest", 0x11)) == E5
    assert one.events == [ApduReceived(b"request", CLIENT, SERVER)]
    assert one.got(req_ud2(0x7B)) == E5
    one.link.send(b"answer" * 50, source=SERVER, destination=CLIENT)
    assert one.got(req_ud2(0x7B)) == rsp_ud((b"answer" * 50)[:250], 0x00)
    assert one.got(req_ud2(0x5B)) == rsp_ud((b"answer" * 50)[250:], 0x11)
    assert one.got(req_ud2(0x7B)) == E5


def test_a_repeated_request_is_acknowledged_and_not_executed_again() -> None:
    one = slave()
    one.got(NKE)
    for _ in range(3):
        assert one.got(snd_ud(0x73, b"once")) == E5
    assert len(one.events) == 1
    assert one.got(snd_ud(0x53, b"once")) == E5
    assert len(one.events) == 2


def test_a_repeated_question_gets_the_same_answer() -> None:
    one = slave()
    for apdu in (b"first", b"second"):
        one.link.send(apdu, source=SERVER, destination=CLIENT)
    assert one.got(req_ud2(0x7B)) == rsp_ud(b"first", c=0x28)
    assert one.got(req_ud2(0x7B)) == rsp_ud(b"first", c=0x28)
    assert one.got(req_ud2(0x5B)) == rsp_ud(b"second")
    assert one.got(req_ud2(0x5B)) == rsp_ud(b"second")
    assert one.got(req_ud2(0x7B)) == E5


def test_a_master_that_counts_all_its_frames_together_is_understood() -> None:
    one = slave()
    one.got(NKE)
    assert one.got(snd_ud(0x73, b"first")) == E5
    one.link.send(b"answer", source=SERVER, destination=CLIENT)
    assert one.got(req_ud2(0x5B)) == rsp_ud(b"answer")
    assert one.got(snd_ud(0x73, b"second")) == E5
    assert len(one.events) == 2


def test_a_frame_that_is_not_counted_is_no_repetition() -> None:
    one = slave()
    for _ in range(2):
        assert one.got(snd_ud(0x43, b"again")) == E5
    assert len(one.events) == 2


def test_a_reset_forgets_answers_and_half_a_request() -> None:
    one = slave()
    one.got(snd_ud(0x73, b"half", 0x00))
    one.link.send(b"answer", source=SERVER, destination=CLIENT)
    assert one.got(NKE) == E5
    assert one.got(snd_ud(0x73, b"rest", 0x11)) == E5
    assert one.events == []
    assert one.got(req_ud2(0x7B)) == E5


def test_an_answer_that_was_not_fetched_to_its_end_makes_room_for_the_next() -> None:
    one = slave(max_part=2)
    one.link.send(b"abcd", source=SERVER, destination=CLIENT)
    assert one.got(req_ud2(0x7B)) == rsp_ud(b"ab", 0x00)
    assert one.got(snd_ud(0x73, b"request")) == E5
    one.link.send(b"ef", source=SERVER, destination=CLIENT)
    assert one.got(req_ud2(0x5B)) == rsp_ud(b"ef")


@pytest.mark.parametrize(("address", "answered"), [(5, True), (0xFE, True), (6, False), (0xFF, False), (0xFD, False)])
def test_only_frames_that_are_meant_for_it_are_answered(address: int, answered: bool) -> None:
    for octets in (MbusFrame(0x40, address).encode(), MbusFrame(0x7A, address).encode(), req_ud2(0x7B, address)):
        assert slave().got(octets) == (E5 if answered else b"")


def test_a_broadcast_is_executed_and_not_answered() -> None:
    one = slave()
    assert one.got(snd_ud(0x53, b"all", a=0xFF)) == b""
    assert len(one.events) == 1


def test_frames_of_secondary_stations_and_damaged_ones_are_passed_over() -> None:
    one = slave()
    damaged = bytearray(snd_ud(0x73, b"request"))
    damaged[9] ^= 0x10
    for octets in (E5, rsp_ud(b"mine"), bytes(damaged), b"\x10\x40\x05\x46\x16", b"noise"):
        assert one.got(octets) == b""
    assert one.got(MbusFrame(0x73, 5, 0x51, b"M-Bus data").encode()) == E5
    assert one.got(MbusFrame(0x53, 5, 0x00, b"").encode()) == E5
    assert one.got(MbusFrame(0x44, 5, 0x10, b"\x10\x01").encode()) == b""
    assert one.events == []


@pytest.mark.parametrize(
    "wanted",
    [
        DEVICE,
        DeviceAddress("12345678"),
        DeviceAddress("FFFFFFFF", 0x2CCD),
        DeviceAddress("1F3F5F7F", 0xFFFF, 1, 2),
    ],
)
@pytest.mark.parametrize("high_first", [False, True])
def test_a_meter_is_selected_by_its_secondary_address(wanted: DeviceAddress, high_first: bool) -> None:
    one = slave(secondary=DEVICE)
    octets = wanted.encode()[::-1] if high_first else wanted.encode()
    selection = MbusFrame(0x73, 0xFD, 0x56 if high_first else 0x52, octets).encode()
    assert one.got(selection) == E5
    assert one.link.selected
    assert one.got(snd_ud(0x73, b"request", a=0xFD)) == E5
    one.link.send(b"answer", source=SERVER, destination=CLIENT)
    assert one.got(req_ud2(0x7B, 0xFD)) == rsp_ud(b"answer")
    assert one.got(MbusFrame(0x40, 0xFD).encode()) == E5
    assert not one.link.selected
    assert one.got(MbusFrame(0x40, 0xFD).encode()) == b""
    assert one.got(req_ud2(0x7B, 0xFD)) == b""


@pytest.mark.parametrize(
    "octets", [DeviceAddress("12345679").encode(), b"", bytes(7), bytes.fromhex("aaaaaaaa") + bytes(4)]
)
def test_another_selection_ends_the_own_one(octets: bytes) -> None:
    one = slave(secondary=DEVICE)
    assert one.got(SELECTION) == E5
    assert one.got(MbusFrame(0x53, 0xFD, 0x52, octets).encode()) == b""
    assert not one.link.selected
    assert slave().got(SELECTION) == b""


@pytest.mark.parametrize("order", SapOrder)
@pytest.mark.parametrize(("ci", "device"), [(0x60, DEVICE), (0x61, DEVICE), (0x60, None)])
def test_answers_stand_in_the_form_of_the_request(ci: int, device: DeviceAddress | None, order: SapOrder) -> None:
    one = slave(secondary=device, sap_order=order)
    header = DEVICE.encode() + bytes(4) if ci == 0x60 else bytes(4)
    assert one.got(MbusFrame(0x73, 5, ci, header + b"\x10\x01request").encode()) == E5
    assert one.events == [ApduReceived(b"request", CLIENT, SERVER)]
    one.link.send(b"answer", source=SERVER, destination=CLIENT)
    saps = b"\x01\x10" if order is SapOrder.SOURCE_FIRST else b"\x10\x01"
    long = ci == 0x60 and device is not None
    own = DEVICE.encode() if long else b""
    expected = MbusFrame(0x08, 5, 0x7C if long else 0x7D, own + b"\x01\x00\x00\x00" + saps + b"answer")
    assert one.got(req_ud2(0x7B)) == expected.encode()


def test_half_a_frame_is_forgotten_when_the_line_falls_silent() -> None:
    one = slave()
    assert one.got(snd_ud(0x73, b"request")[:-3]) == b""
    assert one.overdue() == b""
    assert one.got(snd_ud(0x73, b"request")) == E5
    assert one.link.deadline() is None


def test_what_waits_is_bounded() -> None:
    one = slave(max_waiting=3)
    for number in range(10):
        one.link.send(bytes((number,)), source=SERVER, destination=CLIENT)
    assert one.link.waiting == 3
    assert one.got(req_ud2(0x7B)) == rsp_ud(b"\x07", c=0x28)


def test_an_answer_that_is_being_fetched_is_not_pushed_out() -> None:
    one = slave(max_waiting=2, max_part=1)
    one.link.send(b"ab", source=SERVER, destination=CLIENT)
    assert one.got(req_ud2(0x7B)) == rsp_ud(b"a", 0x00)
    for late in (b"c", b"d"):
        one.link.send(late, source=SERVER, destination=CLIENT)
    assert one.link.waiting == 2
    assert one.got(req_ud2(0x5B)) == rsp_ud(b"b", 0x11, c=0x28)
    assert one.got(req_ud2(0x7B)) == rsp_ud(b"d", 0x10)


def test_where_only_one_apdu_may_wait_a_new_one_stands_for_one_half_fetched() -> None:
    one = slave(max_waiting=1, max_part=1)
    for apdu in (b"ab", b"cd"):
        one.link.send(apdu, source=SERVER, destination=CLIENT)
        assert one.got(req_ud2(0x7B if apdu == b"ab" else 0x5B)) == rsp_ud(apdu[:1], 0x00)
    assert one.got(req_ud2(0x7B)) == rsp_ud(b"d", 0x11)
    assert one.got(req_ud2(0x5B)) == E5


@pytest.mark.parametrize(
    "settings",
    [{"address": 251}, {"max_part": 251}, {"source": -1}, {"inter_octet_timeout": 0}, {"max_waiting": 0}],
    ids=str,
)
def test_settings_of_a_slave_that_cannot_be_meant_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        MbusSlaveLink(**{"address": 5, **settings})


# ---- both on a bus ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("size", [0, 1, 249, 250, 251, 5000])
def test_requests_and_answers_of_any_length_pass(size: int, echo: bool) -> None:
    line = Line(echo=echo)
    meter = line.meter(5)
    reader = line.reader(5)
    assert reader.connect()
    request = bytes(range(256)) * 20
    assert reader.ask(request[:size]) == [answer_to(request[:size])]
    assert meter.executed == [request[:size]]
    reader.station.disconnect()
    reader.rest()
    assert reader.events[-1] == LinkDisconnected(SERVER, CLIENT)


def test_each_of_many_meters_is_read_by_its_primary_and_its_secondary_address() -> None:
    line = Line()
    devices = [DeviceAddress(f"0000000{number}", 0x2CCD, 1, 2) for number in range(5)]
    meters = [line.meter(number, secondary=device) for number, device in enumerate(devices)]
    for number, device in enumerate(devices):
        for reader in (line.reader(number), line.reader(secondary=device)):
            assert reader.connect()
            request = f"to {number}".encode()
            assert reader.ask(request) == [answer_to(request)]
    for number, meter in enumerate(meters):
        assert meter.executed == [f"to {number}".encode()] * 2


def test_several_selected_meters_collide_and_the_next_selection_works() -> None:
    line = Line()
    device = DeviceAddress("00000001")
    meters = [line.meter(number, secondary=DeviceAddress(f"0000000{number}")) for number in range(3)]
    line.reader(secondary=DeviceAddress("FFFFFFFF"), repetitions=1).connect()
    assert all(meter.station.link.selected for meter in meters)
    reader = line.reader(secondary=device)
    assert reader.connect()
    assert reader.ask(b"request") == [answer_to(b"request")]
    assert [meter.executed for meter in meters] == [[], [b"request"], []]


def test_a_meter_that_needs_time_is_waited_for() -> None:
    line = Line()
    meter = line.meter(5, answers=lambda apdu: [])
    reader = line.reader(5)
    reader.connect()
    reader.station.send(b"request")
    line.time.run_for(3.0)
    assert meter.executed == [b"request"]
    meter.station.send(b"late", source=SERVER, destination=CLIENT)
    reader.rest()
    assert reader.apdus() == [b"late"]


def test_a_slow_bus_is_no_reason_to_repeat() -> None:
    counted: list[bytes] = []

    def count(_: int, frame: bytes) -> bytes:
        counted.append(frame)
        return frame

    line = Line()
    line.meter(5, faults=StreamFaults(latency=0.2))
    reader = line.reader(5, faults=StreamFaults(alter=count, latency=0.2))
    reader.connect()
    assert reader.ask(bytes(2000))
    assert all(before != after for before, after in pairwise(counted))


def test_the_form_with_segments_is_joined_by_the_slave_however_it_is_cut() -> None:
    one = slave()
    frames = [
        MbusFrame(0x73 if n % 2 == 0 else 0x53, 5, each.ci, each.encode())
        for n, each in enumerate(segments(bytes(range(100)) * 10, CLIENT, SERVER, max_part=40))
    ]
    for frame in frames:
        sent = b""
        for octet in frame.encode():
            sent += one.got(bytes((octet,)))
        assert sent == E5
    assert [event.apdu for event in one.events] == [bytes(range(100)) * 10]


def test_the_contract_is_kept_where_there_is_nothing_to_do() -> None:
    for link in (MbusSlaveLink(5), MbusMasterLink(5)):
        assert link.line_to_set() is None
        assert link.octets_to_send() == b""
        assert link.deadline() is None
        assert link.tick(1.0) == []
        link.disconnect()
        assert link.octets_to_send() == b""
    meter = MbusSlaveLink(5)
    meter.connect()
    assert meter.connected
    assert not MbusMasterLink(5).connected
    assert MbusMasterLink(5).connection_oriented
    assert not meter.connection_oriented
