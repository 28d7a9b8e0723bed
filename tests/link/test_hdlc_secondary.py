"""The secondary station: what it answers to everything that a client may send, and to which addresses."""

from __future__ import annotations

import pytest

from cosemic.errors import ConfigurationError, ConnectionLost, EncodeError, ProtocolError
from cosemic.link.contract import ApduReceived, Link, LinkConnected, LinkDisconnected, LinkEvent
from cosemic.link.hdlc import (
    Control,
    FrameReject,
    HdlcAddress,
    HdlcFrame,
    HdlcParameters,
    HdlcSecondaryLink,
    HdlcSettings,
    decode_frame,
)
from cosemic.values.enumerations import FrameType
from tests.link.hdlc_stations import brief, flagged, sent
from tests.vectors import octets, record

CLIENT = HdlcAddress(16)
METER = HdlcAddress(1, 17)
LLC = b"\xe6\xe6\x00"
WIDE = HdlcSettings(max_info_transmit=32, max_info_receive=32, window_transmit=3, window_receive=3)
SNRM = Control(FrameType.SNRM)
DISC = Control(FrameType.DISC)


def to_meter(control: Control, information: bytes = b"", segmented: bool = False) -> bytes:
    return flagged(METER, CLIENT, control, information, segmented)


def i(ns: int, nr: int, information: bytes, *, pf: int = 1, segmented: bool = False) -> bytes:
    return to_meter(Control(FrameType.I, ns, nr, pf), information, segmented)


def rr(nr: int, pf: int = 1) -> bytes:
    return to_meter(Control(FrameType.RR, None, nr, pf))


def connected(settings: HdlcSettings | None = None, parameters: bytes = b"") -> HdlcSecondaryLink:
    link = HdlcSecondaryLink(17, settings=settings)
    assert link.receive(to_meter(SNRM, parameters), 0.0) == [LinkConnected(16, 1)]
    assert brief(sent(link)) == ["UA P"]
    return link


def wide() -> HdlcSecondaryLink:
    return connected(WIDE, HdlcParameters(2030, 2030, 7, 7).encode())


def sent_after(link: HdlcSecondaryLink, frame: bytes) -> list[HdlcFrame]:
    assert link.receive(frame, 1.0) == []
    return sent(link, 1.0)


def rejected(link: HdlcSecondaryLink, frame: bytes) -> tuple[FrameReject, Exception | None]:
    (event,) = link.receive(frame, 0.0)
    assert isinstance(event, LinkDisconnected)
    (answer,) = sent(link)
    assert answer.control == Control(FrameType.FRMR)
    assert not link.connected
    return FrameReject.decode(answer.information), event.error


def test_session_of_the_reference_text_octet_by_octet() -> None:
    link = HdlcSecondaryLink()
    contract: Link = link
    contract.connect()
    assert link.octets_to_send() == b""
    assert link.receive(octets(record("hdlc-tcp-00")), 0.0) == [LinkConnected(16, 1)]
    assert link.octets_to_send() == octets(record("hdlc-tcp-01"))
    assert link.connections == ((16, 1),)
    aarq = octets(record("gx-ln-hdlc-aarq"))
    assert link.receive(aarq, 0.0) == [ApduReceived(aarq[11:-3], 16, 1)]
    link.send(b"aare")
    (answer,) = sent(link)
    assert (answer.control, answer.information) == (Control(FrameType.I, 0, 1), b"\xe6\xe7\x00aare")
    assert link.receive(bytes.fromhex("7ea00703215303c77e"), 0.0) == [LinkDisconnected(16, 1)]
    assert brief(sent(link)) == ["UA P"]
    link.receive(bytes.fromhex("7ea00703215303c77e"), 0.0)
    assert link.octets_to_send() == bytes.fromhex("7ea00721031f6be97e")
    assert link.deadline() is None
    assert link.line_to_set() is None


def test_recorded_object_list_is_sent_in_its_segments() -> None:
    """That meter counts the whole frame in its maximum information field length."""
    link = HdlcSecondaryLink(settings=HdlcSettings(info_counts_frame=True))
    link.receive(octets(record("hdlc-tcp-00")), 0.0)
    sent(link)
    link.receive(flagged(HdlcAddress(1), CLIENT, Control(FrameType.I, 0, 0), LLC + b"aarq"), 0.0)
    link.send(b"aare")
    sent(link)
    assert [type(event) for event in link.receive(octets(record("hdlc-tcp-04")), 0.0)] == [ApduReceived]
    segment = octets(record("hdlc-tcp-05"))
    link.send(segment[11:-3] + bytes(100))
    assert link.octets_to_send() == segment
    assert link.receive(octets(record("hdlc-tcp-06")), 0.0) == []
    (following,) = sent(link)
    assert brief([following]) == ["I 2 2 P"]
    assert following.information == bytes(100)


@pytest.mark.parametrize(
    "control",
    [Control(FrameType.I, 0, 0), Control(FrameType.RR, None, 0), Control(FrameType.RNR, None, 0), DISC],
    ids=lambda control: control.type.label,
)
def test_without_connection_everything_that_polls_is_answered_by_dm(control: Control) -> None:
    link = HdlcSecondaryLink(17)
    assert link.receive(to_meter(control), 0.0) == []
    assert brief(sent(link)) == ["DM P"]
    link.receive(to_meter(control._replace(pf=0)), 0.0)
    assert brief(sent(link)) == []


@pytest.mark.parametrize("type_", [FrameType.UA, FrameType.DM, FrameType.FRMR])
def test_responses_of_others_are_passed_over(type_: FrameType) -> None:
    link = connected()
    assert link.receive(to_meter(Control(type_)), 0.0) == []
    assert link.connected
    assert brief(sent(link)) == []


@pytest.mark.parametrize(
    "asked, own, answered",
    [
        ("", (128, 128, 1, 1), (128, 128, 1, 1)),
        ("818000", (2030, 2030, 7, 7), (128, 128, 1, 1)),
        ("", (64, 100, 1, 1), (64, 100, 1, 1)),
        ("818014050207d0060207d0070400000007080400000007", (500, 600, 2, 3), (500, 600, 2, 3)),
        ("81800c0501c8060140070106080104", (2030, 2030, 7, 7), (64, 200, 4, 6)),
        ("8180040502ffff", (2030, 2030, 7, 7), (128, 2030, 1, 1)),
        ("818003050100", (2030, 2030, 7, 7), (128, 128, 1, 1)),
        ("8180040501", (2030, 2030, 7, 7), None),
        ("818003060110", (2030, 2030, 7, 7), None),
        ("ff", (2030, 2030, 7, 7), None),
    ],
)
def test_ua_answers_from_the_servers_viewpoint_and_dm_where_nothing_can_be_agreed(
    asked: str, own: tuple[int, int, int, int], answered: tuple[int, int, int, int] | None
) -> None:
    settings = HdlcSettings(
        max_info_transmit=own[0], max_info_receive=own[1], window_transmit=own[2], window_receive=own[3]
    )
    link = HdlcSecondaryLink(17, settings=settings)
    events = link.receive(to_meter(SNRM, bytes.fromhex(asked)), 0.0)
    (answer,) = sent(link)
    if answered is None:
        assert (brief([answer]), events) == (["DM P"], [])
    else:
        assert brief([answer]) == ["UA P"]
        assert HdlcParameters.decode(answer.information) == HdlcParameters(*answered)
        assert events == [LinkConnected(16, 1)]


def test_snrm_on_a_connection_ends_it_and_begins_anew() -> None:
    link = connected()
    link.receive(i(0, 0, LLC + b"get", segmented=True), 0.0)
    assert brief(sent(link)) == ["RR 1 P"]
    assert link.receive(to_meter(SNRM), 0.0) == [LinkDisconnected(16, 1), LinkConnected(16, 1)]
    assert brief(sent(link)) == ["UA P"]
    assert link.receive(i(0, 0, LLC + b"get"), 0.0) == [ApduReceived(b"get", 16, 1)]
    assert link.receive(to_meter(SNRM, b"?"), 0.0) == [LinkDisconnected(16, 1)]
    assert brief(sent(link)) == ["DM P"]


@pytest.mark.parametrize("form", [HdlcAddress(1), HdlcAddress(1, 17), HdlcAddress(1, 17, 4), HdlcAddress(1, 0x7E)])
def test_answers_have_the_form_of_address_that_the_client_used(form: HdlcAddress) -> None:
    link = HdlcSecondaryLink(17)
    for control, information in ((SNRM, b""), (Control(FrameType.I, 0, 0), LLC + b"get")):
        link.receive(flagged(form, CLIENT, control, information), 0.0)
        if information:
            link.send(b"answer", source=1, destination=16)
        (answer,) = sent(link)
        assert (answer.source, answer.destination) == (form, CLIENT)
    link.receive(flagged(HdlcAddress(1), CLIENT, Control(FrameType.RR, None, 1)), 0.0)
    assert [answer.source for answer in sent(link)] == [HdlcAddress(1)]


@pytest.mark.parametrize(
    "destination, source",
    [
        (HdlcAddress(1, 18), CLIENT),
        (HdlcAddress(1, 18, 4), CLIENT),
        (HdlcAddress(3, 17), CLIENT),
        (HdlcAddress(0, 17), CLIENT),
        (HdlcAddress(1, 0), CLIENT),
        (HdlcAddress(1, 0x7F), CLIENT),
        (HdlcAddress(0x7F, 17), CLIENT),
        (HdlcAddress(0x3FFF, 0x3FFF), CLIENT),
        (HdlcAddress(1), CLIENT),
        (HdlcAddress(1, 17), HdlcAddress(0)),
        (HdlcAddress(1, 17), HdlcAddress(16, 1)),
    ],
)
def test_nobody_answers_for_another_station_for_no_station_or_for_all(
    destination: HdlcAddress, source: HdlcAddress
) -> None:
    link = HdlcSecondaryLink(17, {1, 2}, sizes={2, 4})
    for control in (SNRM, DISC, Control(FrameType.RR, None, 0)):
        assert link.receive(flagged(destination, source, control), 0.0) == []
    assert brief(sent(link)) == []


def test_each_pair_of_client_and_device_has_a_connection_of_its_own() -> None:
    link = HdlcSecondaryLink(17, max_connections=3)
    for client, device in ((16, 1), (1, 1), (16, 2)):
        address = HdlcAddress(device, 17)
        assert link.receive(flagged(address, HdlcAddress(client), SNRM), 0.0) == [LinkConnected(client, device)]
    assert len(sent(link)) == 3
    assert link.receive(flagged(HdlcAddress(3, 17), CLIENT, SNRM), 0.0) == []
    assert brief(sent(link)) == ["DM P"]
    for client, device in ((16, 1), (1, 1), (16, 2)):
        frame = flagged(HdlcAddress(device, 17), HdlcAddress(client), Control(FrameType.I, 0, 0), LLC + b"get")
        assert link.receive(frame, 0.0) == [ApduReceived(b"get", client, device)]
        link.send(b"one", source=device, destination=client)
        (answer,) = sent(link)
        assert (answer.control, answer.destination.upper) == (Control(FrameType.I, 0, 1), client)
    with pytest.raises(EncodeError, match="3 HDLC connections stand"):
        link.send(b"to whom")
    link.send(b"to nobody", source=9, destination=9)
    assert brief(sent(link)) == []


def test_the_answer_waits_for_the_turn_and_goes_in_windows() -> None:
    link = wide()
    link.receive(i(0, 0, LLC + b"get", pf=0), 0.0)
    link.send(bytes(32 * 5 - 3))
    assert brief(sent(link)) == []
    link.receive(rr(0), 0.0)
    assert brief(sent(link)) == ["I 0 1+", "I 1 1+", "I 2 1 P+"]
    link.receive(rr(2), 0.0)
    assert brief(sent(link)) == ["I 2 1+", "I 3 1+", "I 4 1 P"]


def test_what_the_client_did_not_get_is_sent_again_from_its_number_on() -> None:
    link = connected()
    link.receive(i(0, 0, LLC + b"get"), 0.0)
    link.send(b"answer")
    first = link.octets_to_send()
    assert link.receive(i(0, 0, LLC + b"get"), 1.0) == []
    assert link.octets_to_send() == first
    link.receive(rr(0), 2.0)
    assert link.octets_to_send() == first
    link.receive(rr(1), 3.0)
    assert brief(sent(link)) == ["RR 1 P"]


def test_a_frame_that_is_not_expected_is_discarded_and_answered_with_the_present_number() -> None:
    link = wide()
    assert link.receive(i(1, 0, b"second"), 0.0) == []
    assert brief(sent(link)) == ["RR 0 P"]
    assert link.receive(i(0, 0, LLC + b"a", pf=0, segmented=True) + i(2, 0, b"c"), 0.0) == []
    assert brief(sent(link)) == ["RR 1 P"]
    assert link.receive(i(1, 0, b"b", pf=0, segmented=True) + i(2, 0, b"c"), 0.0) == [ApduReceived(b"abc", 16, 1)]


def test_the_turn_is_kept_for_an_answer_that_takes_its_time() -> None:
    link = connected(HdlcSettings(answer_delay=0.5))
    link.receive(i(0, 0, LLC + b"get"), 10.0)
    assert brief(sent(link)) == []
    assert link.deadline() == 10.5
    link.receive(i(0, 0, LLC + b"get"), 10.2)
    assert link.deadline() == 10.5
    link.tick(10.5)
    assert brief(sent(link)) == ["RR 1 P"]
    link.receive(rr(0), 11.0)
    assert brief(sent(link)) == []
    link.send(b"late")
    assert brief(sent(link)) == ["I 0 1 P"]
    assert link.deadline() == 131.0


def test_the_turn_is_not_kept_where_there_is_no_answer() -> None:
    link = connected(HdlcSettings(answer_delay=0.5))
    link.receive(i(0, 0, LLC + b"get"), 10.0)
    link.unanswered(2, 16)
    assert brief(sent(link)) == []
    link.unanswered(1, 16)
    assert brief(sent(link)) == ["RR 1 P"]
    link.receive(i(1, 0, LLC + b"a", segmented=True), 11.0)
    assert brief(sent(link)) == ["RR 2 P"]
    link.receive(i(2, 0, b"b"), 12.0)
    assert brief(sent(link)) == []
    assert link.deadline() == 12.5


def test_a_busy_station_takes_no_i_frame_and_says_so() -> None:
    link = connected()
    link.busy = True
    assert link.receive(i(0, 0, LLC + b"get"), 0.0) == []
    assert brief(sent(link)) == ["RNR 0 P"]
    link.busy = False
    assert link.receive(rr(0), 0.0) == []
    assert brief(sent(link)) == ["RR 0 P"]
    assert link.receive(i(0, 0, LLC + b"get"), 0.0) == [ApduReceived(b"get", 16, 1)]


def test_rules_that_are_broken_are_rejected_with_their_reason() -> None:
    reject, error = rejected(connected(), rr(1))
    assert reject == FrameReject(0x31, 0, 0, False, invalid_nr=True)
    assert isinstance(error, ProtocolError)
    assert "client SAP 16 broke the rules of HDLC (FRMR: invalid nr)" in str(error)
    reject, _ = rejected(connected(), i(0, 0, bytes(129)))
    assert reject == FrameReject(0x10, 0, 0, False, information_too_long=True)
    reject, _ = rejected(connected(), to_meter(Control(FrameType.RR, None, 0), b"?"))
    assert reject == FrameReject(0x11, 0, 0, False, information_not_permitted=True)
    link = HdlcSecondaryLink(17, max_apdu=100)
    link.receive(to_meter(SNRM), 0.0)
    sent(link)
    reject, _ = rejected(link, i(0, 0, bytes(104)))
    assert reject == FrameReject(0x10, 0, 1, False, information_too_long=True)


def test_a_client_that_acknowledges_nothing_is_not_listened_to_for_ever() -> None:
    link = connected()
    taken = 0
    for number in range(1000):
        for event in link.receive(i(taken % 8, 0, LLC + b"get"), number / 1000):
            assert isinstance(event, ApduReceived)
            taken += 1
            link.send(bytes(60_000))
        assert brief(sent(link))[0].startswith("I 0")
    assert 0 < taken < 30
    acknowledged = 0
    while brief(sent_after(link, rr((acknowledged := acknowledged + 1) % 8)))[0].startswith("I"):
        assert acknowledged < 30_000
    assert link.receive(i(taken % 8, acknowledged % 8, LLC + b"get"), 2.0) == [ApduReceived(b"get", 16, 1)]


def test_a_client_that_is_silent_loses_its_connection() -> None:
    link = connected(HdlcSettings(inactivity_timeout=30.0))
    assert link.deadline() == 30.0
    link.receive(rr(0), 20.0)
    sent(link)
    assert link.tick(49.9) == []
    (event,) = link.tick(50.0)
    assert isinstance(event, LinkDisconnected)
    assert isinstance(event.error, ConnectionLost)
    assert "client SAP 16 has been silent for 30 s (inactivity time-out)" in str(event.error)
    assert link.deadline() is None
    link.receive(rr(0), 51.0)
    assert brief(sent(link)) == ["DM P"]


def test_without_inactivity_time_out_a_connection_stays() -> None:
    link = connected(HdlcSettings(inactivity_timeout=0.0))
    assert link.deadline() is None
    assert link.tick(1e9) == []
    assert link.connected


def test_leaving_tells_each_connection_with_the_next_call() -> None:
    link = connected()
    link.disconnect()
    assert not link.connected
    assert link.deadline() == 0.0
    assert link.tick(1.0) == [LinkDisconnected(16, 1)]
    assert link.deadline() is None
    link.receive(i(0, 0, LLC + b"get"), 2.0)
    assert brief(sent(link)) == ["DM P"]


@pytest.mark.parametrize(
    "destination",
    [METER, HdlcAddress(0x7F), HdlcAddress(0x7F, 0x7F), HdlcAddress(0x3FFF, 0x3FFF), HdlcAddress(1, 0x3FFF)],
)
def test_ui_for_this_station_or_for_all_is_given_and_not_answered(destination: HdlcAddress) -> None:
    link = HdlcSecondaryLink(17, {1}, sizes={2})
    ui = Control(FrameType.UI, pf=0)
    expected: list[LinkEvent] = [ApduReceived(b"set", 16, 1 if destination.upper == 1 else 0x7F)]
    assert link.receive(flagged(destination, CLIENT, ui, LLC + b"set"), 0.0) == expected
    parts = flagged(destination, CLIENT, ui, LLC + b"s", segmented=True) + flagged(destination, CLIENT, ui, b"et")
    assert link.receive(parts, 0.0) == expected
    polling = Control(FrameType.UI)
    assert link.receive(flagged(destination, CLIENT, polling, LLC + b"set"), 0.0) == expected
    assert brief(sent(link)) == []
    assert link.receive(flagged(destination, CLIENT, ui), 0.0) == []


def held(frames: list[HdlcFrame]) -> list[tuple[HdlcAddress, bytes]]:
    return [(frame.source, frame.information) for frame in frames if frame.control.type is FrameType.UI]


def test_events_are_held_until_the_client_passes_the_turn() -> None:
    link = connected()
    link.notify(b"one", destination=16)
    link.notify(b"two", source=2, destination=16)
    link.notify(b"other", destination=1)
    assert brief(sent(link)) == []
    link.receive(i(0, 0, LLC + b"get"), 0.0)
    link.send(b"answer")
    frames = sent(link)
    assert brief(frames) == ["UI", "UI", "I 0 1 P"]
    assert held(frames) == [(METER, b"\xe6\xe7\x00one"), (HdlcAddress(2, 17), b"\xe6\xe7\x00two")]
    link.receive(to_meter(Control(FrameType.UI)), 0.0)
    assert brief(sent(link)) == ["I 0 1 P"]


def test_events_are_fetched_without_connection_by_an_empty_ui_that_polls() -> None:
    link = HdlcSecondaryLink(17)
    for number in range(20):
        link.notify(bytes((number,)) * 100, destination=16)
    link.receive(to_meter(Control(FrameType.UI)), 0.0)
    frames = sent(link)
    assert brief(frames) == [*["UI"] * 15, "UI P"]
    assert held(frames)[0] == (METER, b"\xe6\xe7\x00" + bytes((4,)) * 100)
    link.receive(to_meter(Control(FrameType.UI)), 0.0)
    assert brief(sent(link)) == []


@pytest.mark.parametrize("lower, source", [(17, HdlcAddress(1, 17)), (None, HdlcAddress(1))])
def test_a_push_goes_at_once_in_segments(lower: int | None, source: HdlcAddress) -> None:
    link = HdlcSecondaryLink(lower)
    link.notify(bytes(200), destination=103, held=False)
    frames = sent(link)
    assert brief(frames) == ["UI+", "UI"]
    assert {(frame.source, frame.destination) for frame in frames} == {(source, HdlcAddress(103))}


@pytest.mark.parametrize("server", [HdlcAddress(1, 17), HdlcAddress(16)])
def test_own_frames_that_come_back_are_passed_over(server: HdlcAddress) -> None:
    """A station that takes any address, with client SAP 16: its own frames look as if they were for device 16."""
    link = HdlcSecondaryLink()
    link.receive(flagged(server, CLIENT, SNRM), 0.0)
    ua = link.octets_to_send()
    assert link.receive(ua, 0.0) == []
    link.receive(flagged(server, CLIENT, Control(FrameType.RR, None, 0)), 0.0)
    ready = link.octets_to_send()
    assert decode_frame(ready[1:-1]).control.type is FrameType.RR
    assert link.receive(ready, 0.0) == []
    link.notify(b"event", destination=16)
    link.receive(flagged(server, CLIENT, Control(FrameType.RR, None, 0)), 0.0)
    assert link.receive(link.octets_to_send(), 0.0) == []
    assert link.octets_to_send() == b""


def test_impossible_stations_are_refused() -> None:
    for lower in (0, 0x3FFE):
        with pytest.raises(ConfigurationError):
            HdlcSecondaryLink(lower)


@pytest.mark.parametrize(
    "setting",
    [
        {"max_info_transmit": 31},
        {"max_info_receive": 2031},
        {"window_transmit": 0},
        {"window_receive": 8},
        {"repeats": -1},
        {"response_timeout": 0.0},
        {"poll_interval": -1.0},
        {"octet_time": -0.1},
        {"inactivity_timeout": -1.0},
    ],
)
def test_impossible_settings_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        HdlcSettings(**setting)  # type: ignore[arg-type]  # each value has the type of its field
