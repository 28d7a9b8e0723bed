"""The modem of a meter: rings, calls one after the other, callers that vanish, a modem without power."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, ConnectionLost
from cosemic.link.contract import ApduReceived, Link, LinkConnected, LinkDisconnected, LinkFailed
from cosemic.link.modem import AnsweringModemLink, ModemTimes, State
from cosemic.link.wrapper import WrapperLink
from tests.link.samples import in_pieces
from tests.link.telephones import CLIENT, METER, SERVER, Telephones

GET = bytes.fromhex("c001c100080000010000ff0200")
WPDU = bytes.fromhex("000100100001000d") + GET


def prepared(**options: object) -> AnsweringModemLink:
    """A link whose modem was set up."""
    link = AnsweringModemLink(lambda: WrapperLink(), **options)  # type: ignore[arg-type]  # any of them
    for command in (b"ATZ\r", b"ATS0=%d\r" % (2 if options.get("auto_answer") else 0)):
        assert link.octets_to_send() == command
        link.tick(0.0)
        assert link.receive(command + b"\r\nOK\r\n", 0.1) == []
    assert link.state is State.READY
    return link


def test_call_is_answered_after_so_many_rings() -> None:
    link = prepared(rings=3)
    for now in (5.0, 10.0):
        link.receive(b"\r\nRING\r\n", now)
        assert link.octets_to_send() == b""
    link.receive(b"\r\nRING\r\n", 15.0)
    assert link.octets_to_send() == b"ATA\r"
    assert link.state is State.CALLING


def test_rings_of_an_earlier_call_do_not_count() -> None:
    link = prepared(rings=2)
    for now in (5.0, 60.0, 120.0):
        link.receive(b"2\r", now)
        assert link.octets_to_send() == b""
    link.receive(b"2\r", 125.0)
    assert link.octets_to_send() == b"ATA\r"


def test_modem_that_answers_by_itself_is_left_to_it_for_a_while() -> None:
    link = prepared(rings=2, auto_answer=True)
    for now in (5.0, 10.0, 15.0):
        link.receive(b"\r\nRING\r\n", now)
        assert link.octets_to_send() == b""
    assert link.receive(b"\r\nCONNECT 2400\r\n" + WPDU, 16.0) == [ApduReceived(GET, CLIENT, SERVER)]
    assert link.rate == 2400
    late = prepared(rings=2, auto_answer=True)
    for now in (5.0, 10.0, 15.0, 20.0):
        late.receive(b"\r\nRING\r\n", now)
    assert late.octets_to_send() == b"ATA\r"


def test_auto_answer_over_the_network() -> None:
    phones = Telephones(answering={"auto_answer": True, "rings": 2})
    assert phones.connect() == LinkConnected(SERVER, CLIENT)
    assert phones.modems[1].commands == ["ATZ", "ATS0=2"]


@pytest.mark.parametrize("result", [b"NO CARRIER", b"ERROR", b"NO ANSWER", b"BUSY"])
def test_call_that_does_not_come_about_leaves_the_modem_ready(result: bytes) -> None:
    link = prepared()
    link.receive(b"\r\nRING\r\n", 5.0)
    assert link.octets_to_send() == b"ATA\r"
    assert link.receive(b"\r\n" + result + b"\r\n", 20.0) == []
    assert link.state is State.READY
    assert link.deadline() is None


def test_caller_who_hangs_up_before_the_call_stands_is_given_up() -> None:
    link = prepared(times=ModemTimes(call=30.0))
    link.receive(b"\r\nRING\r\n", 5.0)
    link.octets_to_send()
    assert link.deadline() == 35.0
    assert link.tick(35.0) == []
    assert (link.state, link.octets_to_send()) == (State.READY, b"\r")


def test_end_of_a_call_is_told_to_every_connection() -> None:
    link = prepared()
    link.receive(b"\r\nCONNECT\r\n" + WPDU + bytes.fromhex("000100200001000d") + GET, 5.0)
    assert link.receive(b"\r\nNO CARRIER\r\n", 6.0) == []
    events = link.tick(7.0)
    assert [(event.source, event.destination) for event in events if isinstance(event, LinkDisconnected)] == [
        (16, 1),
        (32, 1),
    ]
    assert all(isinstance(event.error, ConnectionLost) for event in events if isinstance(event, LinkDisconnected))
    assert link.state is State.READY


def test_nothing_of_a_caller_is_left_to_the_next() -> None:
    link = prepared()
    assert link.receive(b"\r\nCONNECT\r\n" + WPDU[:9], 5.0) == []
    link.receive(b"\r\nNO CARRIER\r\n", 6.0)
    link.tick(7.0)
    assert link.receive(b"\r\nCONNECT\r\n" + WPDU, 20.0) == [ApduReceived(GET, CLIENT, SERVER)]


def test_caller_who_says_nothing_is_cut_off() -> None:
    phones = Telephones(answering={"inactivity_timeout": 30.0})
    phones.connect()
    begin = phones.time.now
    event = phones.event()
    assert isinstance(event, LinkFailed)
    assert phones.modems[1].commands[-1] == "ATH"
    assert 30.0 < phones.time.now - begin < 40.0
    assert phones.told_to_meter == ["LinkConnected", "LinkDisconnected"]
    assert phones.answering.state is State.READY


def test_caller_may_stay_where_the_time_is_without_limit() -> None:
    link = prepared(inactivity_timeout=0.0)
    link.receive(b"\r\nCONNECT\r\n" + WPDU, 5.0)
    assert link.deadline() is None


def test_caller_who_speaks_otherwise_is_hung_up_on() -> None:
    link = prepared()
    link.receive(b"\r\nCONNECT\r\n" + WPDU, 5.0)
    assert link.receive(b"\x7e\xa0", 6.0) == []
    assert link.state is State.QUIET
    link.tick(link.deadline() or 0.0)
    assert link.octets_to_send() == b"+++"
    link.receive(b"\r\nOK\r\n", 10.0)
    assert link.octets_to_send() == b"ATH\r"
    (event,) = link.receive(b"\r\nOK\r\n", 10.1)
    assert isinstance(event, LinkDisconnected)
    assert "tcp" in str(event.error) or "WPDU" in str(event.error)
    assert link.state is State.READY


def test_meter_can_hang_up() -> None:
    phones = Telephones()
    phones.connect()
    phones.meter.disconnect()
    assert isinstance(phones.event(), LinkFailed)
    assert phones.modems[1].commands[-1] == "ATH"
    link = prepared()
    link.disconnect()
    assert link.octets_to_send() == b""


def test_modem_that_gets_power_later_is_found() -> None:
    link = AnsweringModemLink(lambda: WrapperLink(), times=ModemTimes(command=5.0, pause=10.0))
    assert link.octets_to_send() == b"ATZ\r"
    assert link.tick(0.0) == []
    assert link.tick(5.0) == []
    assert isinstance(link.trouble, ConnectionLost)
    assert link.deadline() == 15.0
    assert link.tick(15.0) == []
    assert link.octets_to_send() == b"ATZ\r"
    assert link.receive(b"ERROR\r", 16.0) == []
    assert isinstance(link.trouble, ConfigurationError)
    assert link.tick(26.0) == []
    assert link.octets_to_send() == b"ATZ\r"
    link.receive(b"OK\r", 27.0)
    assert link.octets_to_send() == b"ATS0=0\r"
    link.receive(b"OK\r", 28.0)
    assert link.trouble is None
    assert (link.state, link.deadline()) == (State.READY, None)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="rings"):
        AnsweringModemLink(lambda: WrapperLink(), rings=0)
    link: Link = AnsweringModemLink(lambda: WrapperLink())
    link.connect()
    assert not link.connected
    with pytest.raises(ConnectionLost, match="no call stands"):
        link.send(GET)


def test_number_of_the_meter_is_engaged_during_a_call() -> None:
    phones = Telephones()
    phones.connect()
    assert phones.modems[1].engaged
    phones.disconnect()
    phones.time.run_for(5.0)
    assert not phones.modems[1].engaged
    assert METER in phones.modems[0].commands[1]


@given(
    st.lists(
        st.sampled_from(
            [b"OK", b"\r\n", b"CONNECT 9600", b"NO CARRIER", b"RING", b"ERROR", b"1\r", b"2\r", WPDU, b"\x00"]
        ),
        max_size=12,
    ),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_any_words_of_a_modem_give_the_same_however_cut(words: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(words)
    seen = []
    for pieces in ([stream], in_pieces(stream, cuts)):
        link = prepared()
        events = [event for piece in pieces for event in link.receive(piece, 1.0)]
        for now in range(2, 700):
            link.octets_to_send()
            events += link.tick(float(now))
        assert not any(isinstance(event, LinkFailed) for event in events)
        seen.append([str(event) for event in events])
        assert link.state is State.READY
    assert seen[0] == seen[1]
