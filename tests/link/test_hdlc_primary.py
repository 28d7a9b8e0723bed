"""The primary station: its frames octet by octet, and what it makes of everything that a meter may send."""

from __future__ import annotations

import pytest

from cosemic.errors import (
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    EncodeError,
    ProtocolError,
    ResponseTimeout,
)
from cosemic.link.contract import ApduReceived, Link, LinkConnected, LinkDisconnected, LinkEvent, LinkFailed
from cosemic.link.hdlc import Control, FrameReject, HdlcAddress, HdlcPrimaryLink, HdlcSettings
from cosemic.link.hdlc.primary import State
from cosemic.values.enumerations import FrameType
from tests.link.hdlc_stations import brief, flagged, sent
from tests.vectors import octets, record, records

CLIENT = HdlcAddress(16)
METER = HdlcAddress(1)
SNRM = bytes.fromhex("7ea0070321930f017e")
UA = bytes.fromhex("7ea01e210373c37a818012050180060180070400000001080400000001533b7e")
DISC = bytes.fromhex("7ea00703215303c77e")
DM = bytes.fromhex("7ea00721031f6be97e")
WIDE = HdlcSettings(max_info_transmit=32, max_info_receive=32, window_transmit=7, window_receive=7)
UA_WIDE = bytes.fromhex("81801205012006012007040000000708040000 0007")
LLC = b"\xe6\xe7\x00"


def from_meter(control: Control, information: bytes = b"", segmented: bool = False) -> bytes:
    return flagged(CLIENT, METER, control, information, segmented)


def i(ns: int, nr: int, information: bytes, *, pf: int = 1, segmented: bool = False) -> bytes:
    return from_meter(Control(FrameType.I, ns, nr, pf), information, segmented)


def rr(nr: int) -> bytes:
    return from_meter(Control(FrameType.RR, None, nr))


def rnr(nr: int) -> bytes:
    return from_meter(Control(FrameType.RNR, None, nr))


def connected(settings: HdlcSettings | None = None, ua: bytes = UA) -> HdlcPrimaryLink:
    link = HdlcPrimaryLink(16, METER, settings)
    link.connect()
    sent(link)
    assert link.receive(ua, 0.0) == [LinkConnected(1, 16)]
    return link


def lost(events: list[LinkEvent]) -> Exception | None:
    (event,) = events
    assert isinstance(event, LinkDisconnected)
    assert event[:2] == (1, 16)
    return event.error


def silent_until_told(link: HdlcPrimaryLink) -> tuple[list[list[str]], list[LinkEvent]]:
    """Let the meter be silent until the link says something; return what it sent, and the events."""
    tries = []
    for _ in range(50):
        deadline = link.deadline()
        assert deadline is not None
        events = link.tick(deadline)
        if events:
            return tries, events
        if frames := brief(sent(link, deadline)):
            tries.append(frames)
    raise AssertionError("never told")


def test_session_of_the_reference_text_octet_by_octet() -> None:
    link = HdlcPrimaryLink(16, METER)
    contract: Link = link
    contract.connect()
    assert link.octets_to_send() == SNRM
    assert link.octets_to_send() == b""
    assert not link.connected
    assert link.receive(UA, 0.0) == [LinkConnected(1, 16)]
    assert link.connected
    link.send(octets(record("gx-ln-hdlc-aarq"))[11:-3])
    assert link.octets_to_send() == octets(record("gx-ln-hdlc-aarq"))
    assert link.receive(i(0, 1, LLC + b"aare"), 1.0) == [ApduReceived(b"aare", 1, 16)]
    link.send(bytes.fromhex("c001c100080000010000ff0200"), source=16, destination=1)
    assert link.octets_to_send() == bytes.fromhex("7e a019 03 21 32 6fd8 e6e600 c001c100080000010000ff0200 601a 7e")
    assert link.receive(i(1, 2, LLC + b"clock"), 2.0) == [ApduReceived(b"clock", 1, 16)]
    link.disconnect()
    assert not link.connected
    assert link.octets_to_send() == DISC
    assert link.receive(DM, 3.0) == [LinkDisconnected(1, 16)]
    assert link.state is State.DISCONNECTED
    assert link.deadline() is None
    assert link.line_to_set() is None


def test_numbers_of_a_recorded_client_go_round() -> None:
    link = connected()
    recorded = [each for each in records("apdu") if each["id"].startswith("gx-ln-hdlc-")]
    assert len(recorded) == 7
    for number, each in enumerate(recorded):
        frame = octets(each)
        link.send(frame[11:-3])
        assert link.octets_to_send() == frame, each["id"]
        link.receive(i(number % 8, (number + 1) % 8, LLC + b"\xc4"), 0.0)


def test_recorded_object_list_is_polled_for_its_segments() -> None:
    link = HdlcPrimaryLink(16, METER)
    link.connect()
    assert link.octets_to_send() == octets(record("hdlc-tcp-00"))
    assert link.receive(octets(record("hdlc-tcp-01")), 0.0) == [LinkConnected(1, 16)]
    link.send(b"aarq")
    sent(link)
    link.receive(i(0, 1, LLC + b"aare"), 0.0)
    request = octets(record("hdlc-tcp-04"))
    link.send(request[11:-3])
    assert link.octets_to_send() == request
    assert link.receive(octets(record("hdlc-tcp-05")), 0.0) == []
    assert link.octets_to_send() == octets(record("hdlc-tcp-06"))


@pytest.mark.parametrize(
    "server, answering",
    [
        (HdlcAddress(1), HdlcAddress(1, 17, 4)),
        (HdlcAddress(1, 17, 2), HdlcAddress(1, 17, 4)),
        (HdlcAddress(1, 17, 4), HdlcAddress(1, 17, 2)),
        (HdlcAddress(1, 17, 2), HdlcAddress(1)),
        (HdlcAddress(1, 0x7F, 2), HdlcAddress(1, 17, 2)),
    ],
)
def test_answers_in_another_length_of_the_same_address_are_taken(server: HdlcAddress, answering: HdlcAddress) -> None:
    link = HdlcPrimaryLink(16, server)
    link.connect()
    sent(link)
    assert link.receive(flagged(CLIENT, answering, Control(FrameType.UA)), 0.0) == [LinkConnected(1, 16)]


@pytest.mark.parametrize(
    "destination, source",
    [
        (CLIENT, HdlcAddress(2, 17)),
        (CLIENT, HdlcAddress(1, 18)),
        (HdlcAddress(17), HdlcAddress(1, 17)),
        (HdlcAddress(1, 17), CLIENT),
        (HdlcAddress(16, 1), HdlcAddress(1, 17)),
    ],
)
def test_frames_of_others_and_to_others_are_passed_over(destination: HdlcAddress, source: HdlcAddress) -> None:
    link = HdlcPrimaryLink(16, HdlcAddress(1, 17))
    link.connect()
    sent(link)
    assert link.receive(flagged(destination, source, Control(FrameType.UA)), 0.0) == []
    assert not link.connected


def test_connecting_is_repeated_and_then_fails() -> None:
    link = HdlcPrimaryLink(16, HdlcAddress(1, 17), HdlcSettings(repeats=2, response_timeout=3.0))
    link.connect()
    sent(link)
    tries, events = silent_until_told(link)
    assert tries == [["SNRM P"], ["SNRM P"]]
    (event,) = events
    assert isinstance(event, LinkFailed)
    assert isinstance(event.error, ConnectionFailed)
    assert "SNRM sent 3 times, 3 s each" in str(event.error)
    assert "server 1/17 from client SAP 16" in str(event.error)
    assert link.state is State.FAILED
    assert (link.receive(UA, 99.0), link.tick(99.0), link.octets_to_send(), link.deadline()) == ([], [], b"", None)
    link.disconnect()
    with pytest.raises(ConnectionFailed, match="make a new one"):
        link.connect()


@pytest.mark.parametrize("type_", [FrameType.DM, FrameType.FRMR])
def test_a_refusal_is_asked_for_again_at_once_and_then_told(type_: FrameType) -> None:
    link = HdlcPrimaryLink(16, METER)
    link.connect()
    for _ in range(3):
        assert brief(sent(link)) == ["SNRM P"]
        assert link.receive(from_meter(Control(type_)), 0.0) == []
    assert brief(sent(link)) == ["SNRM P"]
    (event,) = link.receive(from_meter(Control(type_)), 0.0)
    assert isinstance(event, LinkFailed)
    assert f"refuses an HDLC connection ({type_.label} to SNRM)" in str(event.error)


def test_a_refusal_of_an_old_frame_does_not_hinder_connecting() -> None:
    link = HdlcPrimaryLink(16, METER)
    link.connect()
    sent(link)
    link.receive(DM, 0.0)
    assert brief(sent(link)) == ["SNRM P"]
    assert link.receive(UA + UA, 0.0) == [LinkConnected(1, 16)]


def test_connecting_twice_sends_one_snrm_and_a_connection_stays() -> None:
    link = HdlcPrimaryLink(16, METER)
    link.connect()
    link.connect()
    assert link.octets_to_send() == SNRM
    link.receive(UA, 0.0)
    link.connect()
    assert link.connected
    assert link.octets_to_send() == b""


@pytest.mark.parametrize(
    "own, ua, agreed",
    [
        ((128, 128, 1, 1), "", (128, 128, 1, 1)),
        ((2030, 2030, 7, 7), "", (128, 128, 1, 1)),
        ((2030, 2030, 7, 7), "818014050207d0060207d0070400000007080400000007", (2000, 2000, 7, 7)),
        ((2030, 1000, 7, 2), "818014050207d0060207d0070400000007080400000005", (2000, 1000, 5, 2)),
        ((2030, 2030, 7, 7), "8180080502020006020100", (256, 512, 1, 1)),
        ((2030, 2030, 7, 7), "8180080502010006020200", (256, 256, 1, 1)),
        ((64, 2030, 1, 7), "81800e0502010006020200070103080105", (64, 256, 1, 3)),
        ((2030, 2030, 7, 7), "818006050100060100", (128, 128, 1, 1)),
        ((2030, 2030, 7, 7), "818003050501", (128, 128, 1, 1)),
    ],
)
def test_what_is_agreed_is_the_least_that_both_said(
    own: tuple[int, int, int, int], ua: str, agreed: tuple[int, int, int, int]
) -> None:
    """Where 05 and 06 of the UA differ it is not sure whose they are: the client sends by the smaller one."""
    settings = HdlcSettings(
        max_info_transmit=own[0], max_info_receive=own[1], window_transmit=own[2], window_receive=own[3]
    )
    link = connected(settings, from_meter(Control(FrameType.UA), bytes.fromhex(ua)))
    assert link.agreement == agreed
    link.send(bytes(15_000))
    burst = sent(link)
    assert (len(burst), len(burst[0].information)) == (agreed[2], agreed[0])


def test_a_meter_that_counts_the_whole_frame_gets_shorter_segments() -> None:
    link = connected(HdlcSettings(info_counts_frame=True))
    link.send(bytes(300))
    (frame,) = sent(link)
    assert 2 + frame.length == 128


def test_segments_are_sent_one_for_each_acknowledgement() -> None:
    link = connected(HdlcSettings(max_info_transmit=32), UA)
    link.send(bytes(60))
    assert brief(sent(link)) == ["I 0 0 P+"]
    assert link.receive(rr(1), 0.0) == []
    second = sent(link)
    assert brief(second) == ["I 1 0 P"]
    assert len(second[0].information) == 31


def test_windows_are_sent_as_bursts_with_the_poll_in_the_last_frame() -> None:
    link = connected(WIDE, from_meter(Control(FrameType.UA), UA_WIDE))
    assert link.agreement == (32, 32, 7, 7)
    link.send(bytes(32 * 9 - 3))
    assert brief(sent(link)) == [*[f"I {n} 0+" for n in range(6)], "I 6 0 P+"]
    link.receive(rr(7), 0.0)
    assert brief(sent(link)) == ["I 7 0+", "I 0 0 P"]


def test_a_burst_that_arrived_in_part_goes_on_where_it_broke() -> None:
    link = connected(WIDE, from_meter(Control(FrameType.UA), UA_WIDE))
    link.send(bytes(32 * 8 - 3))
    sent(link)
    link.receive(rr(3), 0.0)
    assert brief(sent(link)) == ["I 3 0+", "I 4 0+", "I 5 0+", "I 6 0+", "I 7 0 P"]


def test_a_burst_of_the_meter_is_taken_and_what_was_lost_of_it_asked_for() -> None:
    link = connected(WIDE, from_meter(Control(FrameType.UA), UA_WIDE))
    link.send(b"get")
    sent(link)
    link.receive(i(0, 1, LLC + b"a", pf=0, segmented=True), 0.0)
    assert brief(sent(link)) == []
    link.receive(i(2, 1, b"c", pf=0, segmented=True) + i(3, 1, b"d"), 0.0)
    assert brief(sent(link)) == ["RR 1 P"]
    assert link.receive(i(1, 1, b"b", pf=0, segmented=True) + i(2, 1, b"c", pf=0, segmented=True), 0.0) == []
    assert link.receive(i(3, 1, b"d"), 0.0) == [ApduReceived(b"abcd", 1, 16)]


def test_a_burst_whose_beginning_was_lost_is_asked_for_at_once() -> None:
    link = connected(WIDE, from_meter(Control(FrameType.UA), UA_WIDE))
    link.send(b"get")
    sent(link)
    link.receive(i(1, 1, b"second"), 0.0)
    assert brief(sent(link)) == ["RR 0 P"]
    whole = i(0, 1, LLC + b"first", pf=0, segmented=True) + i(1, 1, b"second")
    assert link.receive(whole, 0.0) == [ApduReceived(b"firstsecond", 1, 16)]
    link.send(b"next")
    assert brief(sent(link)) == ["I 1 2 P"]
    assert link.receive(i(1, 1, b"second"), 0.0) == []
    assert brief(sent(link)) == []


def test_a_burst_that_breaks_off_again_and_again_goes_on_as_long_as_something_comes() -> None:
    link = connected(WIDE, from_meter(Control(FrameType.UA), UA_WIDE))
    link.send(b"get")
    sent(link)
    for number in range(20):
        assert link.receive(i(number % 8, 1, LLC, pf=0, segmented=True), 0.0) == []
        assert link.tick(link.deadline() or 0.0) == []
        assert brief(sent(link)) == [f"RR {(number + 1) % 8} P"]


def test_a_silent_meter_gets_the_same_frame_again_and_then_the_connection_is_lost() -> None:
    link = connected(HdlcSettings(repeats=2, response_timeout=4.0))
    link.send(b"get")
    assert brief(sent(link, 100.0)) == ["I 0 0 P"]
    assert link.deadline() == 104.0
    tries, events = silent_until_told(link)
    assert tries == [["I 0 0 P"], ["I 0 0 P"]]
    error = lost(events)
    assert isinstance(error, ResponseTimeout)
    assert "sent 3 times, 4 s each" in str(error)
    assert link.deadline() is None
    link.connect()
    assert brief(sent(link)) == ["SNRM P"]
    assert link.receive(UA, 200.0) == [LinkConnected(1, 16)]


def test_a_meter_that_is_polled_in_vain_is_polled_again() -> None:
    link = connected()
    link.send(b"get")
    sent(link)
    link.receive(i(0, 1, LLC + b"a", segmented=True), 0.0)
    assert brief(sent(link)) == ["RR 1 P"]
    tries, events = silent_until_told(link)
    assert tries == [["RR 1 P"]] * 3
    assert isinstance(lost(events), ResponseTimeout)


def test_repetitions_begin_anew_when_one_had_effect() -> None:
    link = connected(HdlcSettings(repeats=1, max_info_transmit=32))
    link.send(bytes(32 * 20))
    for number in range(20):
        sent(link)
        link.tick(link.deadline() or 0.0)
        assert brief(sent(link)) == [f"I {number % 8} 0 P+"]
        assert link.receive(rr((number + 1) % 8), 0.0) == []


def test_a_meter_that_answers_and_never_takes_anything_loses_the_connection() -> None:
    link = connected(HdlcSettings(repeats=3))
    link.send(b"get")
    for _ in range(3):
        assert brief(sent(link)) == ["I 0 0 P"]
        assert link.receive(rr(0), 0.0) == []
    assert brief(sent(link)) == ["I 0 0 P"]
    assert isinstance(lost(link.receive(rr(0), 0.0)), ResponseTimeout)


def test_an_answer_that_is_not_there_yet_is_polled_for_and_not_for_ever() -> None:
    link = connected(HdlcSettings(poll_interval=0.25, polling_timeout=2.0))
    link.send(b"get")
    sent(link)
    now, polls = 10.0, 0
    link.receive(rr(1), now)
    while (deadline := link.deadline()) is not None:
        assert deadline == now + 0.25
        assert brief(sent(link)) == []
        now = deadline
        link.tick(now)
        assert brief(sent(link, now)) == ["RR 0 P"]
        polls += 1
        assert link.receive(rr(1), now) == []
    assert polls == 8
    assert link.connected
    link.send(b"next")
    assert brief(sent(link)) == ["I 1 0 P"]


def test_after_an_apdu_one_poll_asks_whether_another_follows() -> None:
    link = connected()
    link.send(b"get")
    sent(link)
    link.receive(i(0, 1, LLC + b"one"), 0.0)
    link.tick(link.deadline() or 0.0)
    assert brief(sent(link)) == ["RR 1 P"]
    assert link.receive(i(1, 1, LLC + b"two"), 1.0) == [ApduReceived(b"two", 1, 16)]
    link.tick(link.deadline() or 0.0)
    assert brief(sent(link)) == ["RR 2 P"]
    assert link.receive(rr(1), 2.0) == []
    assert link.deadline() is None


def test_a_busy_meter_is_polled_until_it_is_ready() -> None:
    link = connected()
    link.send(b"get")
    sent(link)
    link.receive(rnr(0), 0.0)
    assert brief(sent(link)) == []
    assert link.deadline() == 0.2
    link.tick(0.2)
    assert brief(sent(link)) == ["RR 0 P"]
    link.receive(rr(0), 0.3)
    assert brief(sent(link)) == ["I 0 0 P"]


def test_a_meter_that_stays_busy_loses_the_connection() -> None:
    link = connected(HdlcSettings(poll_interval=1.0, polling_timeout=5.0))
    link.send(b"get")
    sent(link)
    for now in range(20):
        events = link.receive(rnr(0), float(now))
        if events:
            break
        link.tick(link.deadline() or 0.0)
        assert brief(sent(link, float(now))) == ["RR 0 P"]
    assert now == 5
    assert "busy (RNR) for 5 s" in str(lost(events))


def test_a_frame_that_was_taken_before_neither_counts_nor_passes_the_turn() -> None:
    link = connected()
    link.send(b"get")
    sent(link)
    first = i(0, 1, LLC + b"one")
    assert link.receive(first, 0.0) == [ApduReceived(b"one", 1, 16)]
    assert link.receive(first, 0.0) == []
    link.send(b"next")
    assert brief(sent(link)) == ["I 1 1 P"]
    assert link.receive(first, 0.0) == []
    assert brief(sent(link)) == []
    assert link.receive(i(1, 2, LLC + b"two"), 0.0) == [ApduReceived(b"two", 1, 16)]


def test_a_frame_with_an_invalid_number_is_discarded_and_named_at_the_end() -> None:
    link = connected(HdlcSettings(repeats=0))
    link.send(b"get")
    sent(link)
    assert link.receive(i(0, 2, LLC + b"wrong"), 0.0) == []
    _, events = silent_until_told(link)
    assert "it answered with N(R) 2 where V(S) is 1" in str(lost(events))


def test_dm_and_frmr_end_the_connection() -> None:
    link = connected()
    link.send(b"get")
    sent(link)
    error = lost(link.receive(DM, 0.0))
    assert isinstance(error, ConnectionLost)
    assert "(DM)" in str(error)
    assert brief(sent(link)) == []
    link = connected()
    reject = FrameReject(0x10, 0, 0, False, information_too_long=True)
    error = lost(link.receive(from_meter(Control(FrameType.FRMR), reject.encode()), 0.0))
    assert isinstance(error, ProtocolError)
    assert "information too long in control 10" in str(error)
    link = connected()
    assert "unreadable" in str(lost(link.receive(from_meter(Control(FrameType.FRMR), b"?"), 0.0)))


def test_an_apdu_without_end_ends_the_connection() -> None:
    link = HdlcPrimaryLink(16, METER, max_apdu=1000)
    link.connect()
    sent(link)
    link.receive(UA, 0.0)
    events: list[LinkEvent] = []
    for number in range(20):
        events = link.receive(i(number % 8, 0, bytes(128), segmented=True), 0.0)
        if events:
            break
    assert number == 1003 // 128
    assert isinstance(lost(events), ProtocolError)


def test_disconnecting_waits_for_the_turn_at_most_one_time_out() -> None:
    link = connected()
    link.send(b"get")
    sent(link)
    link.disconnect()
    assert brief(sent(link)) == []
    link.tick(link.deadline() or 0.0)
    assert brief(sent(link)) == ["DISC P"]
    tries, events = silent_until_told(link)
    assert tries == [["DISC P"]] * 3
    assert events == [LinkDisconnected(1, 16)]


def test_disconnecting_while_connecting() -> None:
    link = HdlcPrimaryLink(16, METER)
    link.connect()
    link.disconnect()
    sent(link)
    assert link.receive(UA, 0.0) == []
    assert brief(sent(link)) == ["DISC P"]
    assert link.receive(from_meter(Control(FrameType.UA)), 0.0) == [LinkDisconnected(1, 16)]
    link.connect()
    link.disconnect()
    sent(link)
    assert link.receive(DM, 0.0) == [LinkDisconnected(1, 16)]


def test_disconnecting_what_is_not_connected_does_nothing() -> None:
    link = HdlcPrimaryLink(16, METER)
    link.disconnect()
    assert link.octets_to_send() == b""
    link.connect()
    assert link.octets_to_send() == SNRM


def test_events_of_the_meter_in_ui_frames_are_given_in_every_state() -> None:
    link = HdlcPrimaryLink(16, HdlcAddress(1, 17))
    ui = Control(FrameType.UI, pf=0)
    pushed = flagged(CLIENT, HdlcAddress(1, 0x7E), ui, LLC + b"\x0f")
    assert link.receive(pushed, 0.0) == [ApduReceived(b"\x0f", 1, 16)]
    assert link.receive(flagged(HdlcAddress(0x7F), HdlcAddress(2, 17), ui, LLC + b"\x0f"), 0.0) == [
        ApduReceived(b"\x0f", 2, 0x7F)
    ]
    first = flagged(CLIENT, HdlcAddress(1, 17), ui, LLC + b"\x0fa", segmented=True)
    assert link.receive(first + flagged(CLIENT, HdlcAddress(1, 17), ui, b"b"), 0.0) == [ApduReceived(b"\x0fab", 1, 16)]
    for other in (
        flagged(HdlcAddress(17), HdlcAddress(1, 17), ui, LLC + b"\x0f"),
        flagged(CLIENT, HdlcAddress(1, 18), ui, LLC + b"\x0f"),
        flagged(CLIENT, HdlcAddress(1, 17), ui, b"\xe6\xe6\x00\x0f"),
        flagged(CLIENT, HdlcAddress(1, 17), ui, b"the rest of one whose beginning was lost"),
        flagged(CLIENT, HdlcAddress(1, 17), ui),
    ):
        assert link.receive(other, 0.0) == []
    block = flagged(CLIENT, HdlcAddress(1, 17), ui, b"\xe0block")
    assert link.receive(block, 0.0) == [ApduReceived(b"\xe0block", 1, 16)]


def test_an_event_in_the_turn_of_the_meter_is_given_and_the_answer_still_awaited() -> None:
    link = connected()
    link.send(b"get")
    sent(link)
    ui = from_meter(Control(FrameType.UI, pf=0), LLC + b"\xc2")
    assert link.receive(ui, 3.0) == [ApduReceived(b"\xc2", 1, 16)]
    assert link.deadline() == 8.0
    assert link.receive(i(0, 1, LLC + b"one"), 4.0) == [ApduReceived(b"one", 1, 16)]


@pytest.mark.parametrize(
    "server, everybody",
    [(METER, HdlcAddress(0x7F)), (HdlcAddress(1, 17, 2), HdlcAddress(0x7F, 0x7F)), (HdlcAddress(1, 17, 4), None)],
)
def test_broadcasts_are_ui_frames_that_nobody_answers(server: HdlcAddress, everybody: HdlcAddress | None) -> None:
    everybody = everybody or HdlcAddress(0x3FFF, 0x3FFF, 4)
    link = HdlcPrimaryLink(16, server)
    link.send(bytes(200), destination=everybody.upper)
    frames = sent(link)
    assert brief(frames) == ["UI+", "UI"]
    assert {frame.destination for frame in frames} == {everybody}
    assert b"".join(frame.information for frame in frames) == b"\xe6\xe6\x00" + bytes(200)
    assert link.deadline() is None


def test_a_broadcast_waits_until_the_turn_is_here() -> None:
    link = connected()
    link.send(b"get")
    sent(link)
    link.send(b"all", destination=0x7F)
    assert brief(sent(link)) == []
    link.receive(i(0, 1, LLC + b"one"), 0.0)
    assert brief(sent(link)) == ["UI"]
    link.send(b"next")
    assert brief(sent(link)) == ["I 1 1 P"]


def test_polling_for_events() -> None:
    link = HdlcPrimaryLink(16, METER)
    link.poll()
    assert brief(sent(link)) == ["UI P"]
    link = connected()
    link.poll()
    assert brief(sent(link)) == ["RR 0 P"]


def test_what_does_not_belong_to_the_connection_is_not_sent() -> None:
    link = HdlcPrimaryLink(16, METER)
    with pytest.raises(ConnectionLost, match="call connect"):
        link.send(b"get")
    link = connected()
    with pytest.raises(EncodeError, match="source SAP 1 on an HDLC connection of client SAP 16"):
        link.send(b"get", source=1)
    with pytest.raises(EncodeError, match="SAP 2 on an HDLC connection to SAP 1"):
        link.send(b"get", destination=2)
    assert link.octets_to_send() == b""
    for client in (0, 128):
        with pytest.raises(ConfigurationError):
            HdlcPrimaryLink(client, METER)


def test_the_response_time_out_begins_with_what_comes_where_nobody_told_the_time() -> None:
    link = connected(HdlcSettings(response_timeout=5.0))
    link.send(b"get")
    assert link.octets_to_send() != b""
    assert link.deadline() == 0.0
    link.receive(b"", 7.0)
    assert link.deadline() == 12.0


def test_the_response_time_out_waits_for_what_is_still_being_sent_and_received() -> None:
    link = connected(HdlcSettings(octet_time=0.03, response_timeout=2.0))
    link.send(bytes(100))
    sent(link, 10.0)
    assert link.deadline() == pytest.approx(12.0 + 0.03 * (9 + 103 + 2 + 2 - 2))
    answer = i(0, 1, LLC + bytes(100))
    now = 14.0
    for octet in answer[:-1]:
        assert link.receive(bytes((octet,)), now) == []
        now += 0.1
    assert link.receive(answer[-1:], now) == [ApduReceived(bytes(100), 1, 16)]


def test_a_frame_that_breaks_off_is_given_up_and_noise_does_not_prolong_for_ever() -> None:
    link = connected(HdlcSettings(inter_octet_timeout=0.5))
    link.send(b"get")
    sent(link, 1.0)
    answer = i(0, 1, LLC + b"one")
    link.receive(answer[:8], 2.0)
    assert link.deadline() == 2.5
    link.tick(2.5)
    assert link.receive(answer, 2.6) == [ApduReceived(b"one", 1, 16)]
    link.send(b"get")
    sent(link, 3.0)
    now = 3.0
    events: list[LinkEvent] = []
    while not events and now < 60:
        now += 0.01
        events = link.receive(b"\x7e\xa7", now)
        if (link.deadline() or now) <= now:
            events += link.tick(now)
            link.octets_to_send()
            link.tick(now)
    assert isinstance(lost(events), ResponseTimeout)


def test_an_answer_that_noise_had_hidden_is_found_when_the_response_time_out_ends() -> None:
    link = connected(HdlcSettings(inter_octet_timeout=60.0, response_timeout=5.0))
    link.send(b"get")
    sent(link, 1.0)
    beginning = i(0, 1, bytes(2030))[:10]
    assert link.receive(beginning, 2.0) == []
    assert link.receive(bytes(400), 2.0) == []
    assert link.receive(i(0, 1, LLC + b"one"), 2.0) == []
    assert link.receive(bytes(10), 30.0) == []
    assert link.tick(62.0) == [ApduReceived(b"one", 1, 16)]
    assert link.state is State.HOLDING


@pytest.mark.parametrize("server", [METER, HdlcAddress(16), HdlcAddress(1, 17, 4)])
def test_own_frames_that_come_back_are_passed_over(server: HdlcAddress) -> None:
    """With client SAP 16 and server 16 own and foreign frames have the same addresses."""
    link = HdlcPrimaryLink(16, server)
    link.connect()
    assert link.receive(link.octets_to_send(), 0.0) == []
    assert link.receive(flagged(CLIENT, server, Control(FrameType.UA)), 0.0) == [LinkConnected(server.upper, 16)]
    link.send(b"get")
    assert link.receive(link.octets_to_send(), 0.0) == []
    answer = flagged(CLIENT, server, Control(FrameType.I, 0, 1), LLC + b"a", segmented=True)
    assert link.receive(answer, 0.0) == []
    poll = link.octets_to_send()
    assert link.receive(poll, 0.0) == []
    assert link.octets_to_send() == b""
    answer = flagged(CLIENT, server, Control(FrameType.I, 1, 1), b"b")
    assert link.receive(answer, 0.0) == [ApduReceived(b"ab", server.upper, 16)]


def test_behind_the_echo_an_answer_that_looks_like_the_question_is_an_answer() -> None:
    link = HdlcPrimaryLink(16, HdlcAddress(16))
    link.connect()
    link.receive(link.octets_to_send(), 0.0)
    link.receive(flagged(CLIENT, CLIENT, Control(FrameType.UA)), 0.0)
    link.poll()
    poll = link.octets_to_send()
    link.receive(poll, 0.0)
    assert link.state is State.AWAITING
    link.receive(poll, 0.0)
    assert link.state is State.HOLDING


def test_without_echo_an_answer_that_looks_like_the_question_is_an_answer() -> None:
    link = HdlcPrimaryLink(16, HdlcAddress(16))
    link.connect()
    sent(link)
    link.receive(flagged(CLIENT, CLIENT, Control(FrameType.UA)), 0.0)
    link.poll()
    poll = link.octets_to_send()
    link.receive(poll, 0.0)
    assert link.state is State.HOLDING
