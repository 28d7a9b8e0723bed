"""A modem that dials a meter, against a simulated telephone network: calls, refusals, broken calls, hanging up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, ConnectionFailed, ConnectionLost, CosemicError
from cosemic.faults import ByteStream, Station, StreamFaults, VirtualTime
from cosemic.faults.modem import TelephoneNetwork
from cosemic.link.contract import ApduReceived, LinkConnected, LinkDisconnected, LinkEvent, LinkFailed
from cosemic.link.hdlc import HdlcSettings
from cosemic.link.modem import ModemLink, ModemTimes, State
from cosemic.link.wrapper import WrapperLink
from cosemic.values import LineSettings
from tests.faults.support import Heard
from tests.link.samples import in_pieces
from tests.link.telephones import CLIENT, GET, HEAD_END, METER, SERVER, Telephones

ANSWER = ApduReceived(GET[::-1] * 20, SERVER, CLIENT)


def error_of(event: LinkEvent) -> CosemicError:
    assert isinstance(event, LinkFailed)
    return event.error


def wrapped(**options: object) -> ModemLink:
    return ModemLink(WrapperLink(CLIENT, SERVER), dial=METER, **options)  # type: ignore[arg-type]  # any of them


def sent(link: ModemLink, now: float = 0.0) -> bytes:
    """What is due, after which the time is told, as a driver does."""
    octets = link.octets_to_send()
    assert link.octets_to_send() == b""
    link.tick(now)
    return octets


# ---- a call ---------------------------------------------------------------------------------------------------------


def test_call_is_made_used_and_ended_in_order() -> None:
    phones = Telephones()
    assert phones.link.connection_oriented
    assert phones.connect() == LinkConnected(SERVER, CLIENT)
    assert phones.link.connected
    assert phones.link.rate == 9600
    assert phones.ask() == ANSWER
    assert phones.ask() == ANSWER
    assert phones.disconnect() == LinkDisconnected(SERVER, CLIENT)
    assert phones.link.state is State.READY
    assert phones.modems[0].commands == ["ATZ", f"ATD{METER}", "ATH"]
    assert phones.modems[1].commands == ["ATZ", "ATS0=0", "ATA"]
    assert not phones.network.calls[0].client.receiver
    phones.time.run_for(5.0)
    assert phones.answering.state is State.READY
    assert phones.told_to_meter == ["LinkConnected", "ApduReceived", "ApduReceived", "LinkDisconnected"]
    assert phones.link.deadline() is None


def test_number_can_be_called_again_afterwards() -> None:
    phones = Telephones()
    for _ in range(2):
        assert isinstance(phones.connect(), LinkConnected)
        assert phones.ask() == ANSWER
        assert isinstance(phones.disconnect(), LinkDisconnected)
        phones.time.run_for(20.0)
    assert len(phones.network.calls) == 2
    assert len(phones.secondaries) == 3


@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("verbose", [True, False])
def test_echo_and_form_of_the_results_make_no_difference(echo: bool, verbose: bool) -> None:
    set_up = [f"ATE{echo:d}", f"ATV{verbose:d}"]
    phones = Telephones(init=set_up, answering={"init": set_up})
    assert phones.connect() == LinkConnected(SERVER, CLIENT)
    assert phones.link.rate == 9600
    assert phones.ask() == ANSWER
    assert phones.disconnect() == LinkDisconnected(SERVER, CLIENT)
    assert (phones.modems[0].echo, phones.modems[0].verbose) == (echo, verbose)


def test_wrapper_over_a_call_is_connected_with_the_call() -> None:
    time = VirtualTime()
    network = TelephoneNetwork(time)
    cables = [ByteStream(time, line=LineSettings(19200)) for _ in range(2)]
    network.modem(HEAD_END, cables[0].server)
    other = network.modem(METER, cables[1].server)
    other.answer_after = 1
    called = Heard(cables[1].client)
    client = Station(wrapped(), cables[0].client)
    client.connect()
    time.run_for(30.0)
    client.send(GET)
    time.run_for(30.0)
    assert called.octets.endswith(bytes.fromhex("000100100001000d") + GET)
    client.disconnect()
    assert time.run_until_idle()
    assert [event for _, event in client.events] == [LinkConnected(0, 0), LinkDisconnected(0, 0)]
    assert called.octets.endswith(b"\r\nNO CARRIER\r\n")


def test_pulses_pauses_and_exchange_digits_are_dialled() -> None:
    link = ModemLink(WrapperLink(), dial="T0,+49 (555) 12-34", init=())
    link.connect()
    assert sent(link) == b"ATDT0,+49 (555) 12-34\r"


@pytest.mark.parametrize("dial", ["", "T", "12\r", "555;", "abc", "1" * 65, "12AT+CFUN"])
def test_what_is_no_number_is_refused(dial: str) -> None:
    with pytest.raises(ConfigurationError, match="telephone number"):
        ModemLink(WrapperLink(), dial=dial)


@pytest.mark.parametrize("init", ["Z", "ATZ\rATH", ["ATZ", "ATÄ"], "AT" + "&" * 300])
def test_what_is_no_command_is_refused(init: str | list[str]) -> None:
    with pytest.raises(ConfigurationError, match="modem command"):
        wrapped(init=init)
    with pytest.raises(ConfigurationError):
        wrapped(attempts=0)


# ---- no call --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble, words",
    [
        ("busy", "engaged (BUSY)"),
        ("no answer", "does not answer (NO ANSWER)"),
        ("no number", "(NO CARRIER)"),
        ("no dialtone", "no dialling tone (NO DIALTONE)"),
    ],
)
def test_call_that_does_not_come_about_is_tried_again_and_declared(trouble: str, words: str) -> None:
    phones = Telephones(dial="999" if trouble == "no number" else METER, times=ModemTimes(pause=7.0))
    phones.network.out_of_order = trouble == "no dialtone"
    if trouble == "no answer":
        phones.modems[1].mute = True
    if trouble == "busy":
        phones.modems[1].fail_after(1e6, None)  # type: ignore[arg-type]  # never told
    error = error_of(phones.connect())
    assert isinstance(error, ConnectionFailed)
    assert words in str(error)
    assert "3 attempts" in str(error)
    assert phones.modems[0].commands.count(f"ATD{phones.link._number}") == 3
    assert phones.link.state is State.FAILED
    assert phones.link.deadline() is None


def test_call_comes_about_at_a_later_attempt() -> None:
    phones = Telephones()
    phones.network.out_of_order = True
    phones.client.connect()
    phones.time.run_for(12.0)
    phones.network.out_of_order = False
    assert phones.event() == LinkConnected(SERVER, CLIENT)
    assert phones.ask() == ANSWER


def test_modem_that_tells_nothing_is_given_up_after_the_time_of_a_call() -> None:
    phones = Telephones(times=ModemTimes(call=20.0, pause=5.0), attempts=2)
    phones.modems[1].mute = True
    begin = phones.time.now
    error = error_of(phones.connect())
    assert "within 20 s" in str(error)
    assert "2 attempts" in str(error)
    assert phones.time.now - begin == pytest.approx(45.0, abs=1.0)


def test_modem_without_power_is_a_declared_error() -> None:
    phones = Telephones(times=ModemTimes(command=4.0))
    phones.modems[0].mute = True
    begin = phones.time.now
    error = error_of(phones.connect())
    assert isinstance(error, ConnectionFailed)
    assert "does not answer ATZ within 4 s, not even after +++ and ATH: check its power" in str(error)
    assert phones.time.now - begin < 40.0


def test_call_of_an_earlier_run_is_ended_before_dialling() -> None:
    """The modem was left online: it hears ATZ as data until it is called back with +++."""
    phones = Telephones()
    phones.connect()
    again = ModemLink(WrapperLink(), dial=METER)
    client = Station(again, phones.cables[0].client)
    client.connect()
    phones.time.run_for(60.0)
    assert phones.modems[0].commands == ["ATZ", f"ATD{METER}", "ATH", "ATZ", f"ATD{METER}"]
    assert [type(event).__name__ for _, event in client.events] == ["LinkConnected"]


@pytest.mark.parametrize("said", [b"\r\nERROR\r\n", b"4\r"])
def test_command_and_number_that_the_modem_refuses_are_named(said: bytes) -> None:
    link = wrapped(init=["AT&F", "AT&Q5"])
    link.connect()
    assert sent(link) == b"AT&F\r"
    assert link.receive(b"\r\nOK\r\n", 0.1) == []
    assert sent(link) == b"AT&Q5\r"
    (event,) = link.receive(said, 0.2)
    error = error_of(event)
    assert isinstance(error, ConfigurationError)
    assert "refuses AT&Q5" in str(error)
    other = wrapped(init=())
    other.connect()
    assert sent(other) == b"ATD5551234\r"
    assert "refuses to dial 5551234" in str(error_of(other.receive(said, 0.2)[0]))


def test_meter_without_hdlc_is_hung_up_before_the_failure_is_told() -> None:
    phones = Telephones(settings=HdlcSettings(response_timeout=1.0, repeats=1))
    phones.meter.close()
    phones.modems[1].answer_after = 1
    error = error_of(phones.connect())
    assert isinstance(error, ConnectionFailed)
    assert phones.modems[0].commands[-1] == "ATH"
    assert phones.modems[0].engaged is False


# ---- broken calls ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verbose", [True, False])
def test_carrier_lost_while_nothing_is_said(verbose: bool) -> None:
    phones = Telephones(init=[f"ATV{verbose:d}"])
    phones.connect()
    phones.network.calls[0].break_off()
    error = error_of(phones.event())
    assert isinstance(error, ConnectionLost)
    assert "NO CARRIER" in str(error)
    assert not phones.link.connected
    with pytest.raises(ConnectionLost):
        phones.link.send(GET)


@given(st.integers(0, 700), st.booleans(), st.integers(0, 100))
def test_carrier_lost_at_any_octet_is_right_data_or_a_declared_error(cut: int, up: bool, seed: int) -> None:
    faults = StreamFaults(cut_at=cut)
    phones = Telephones(network={"from_caller" if up else "from_called": faults}, seed=seed, attempts=1)
    event = phones.connect()
    for _ in range(2):
        if not isinstance(event, LinkFailed):
            event = phones.ask()
            assert event == ANSWER or isinstance(event, LinkFailed)
    if not isinstance(event, LinkFailed):
        event = phones.disconnect()
        assert isinstance(event, LinkDisconnected | LinkFailed)
    assert phones.link.deadline() is None
    phones.time.run_for(400.0)
    assert phones.answering.state is State.READY
    assert phones.told_to_meter.count("LinkConnected") == phones.told_to_meter.count("LinkDisconnected")
    assert phones.answering.deadline() is None
    assert phones.time.next_call is None


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.sampled_from([1200, 2400, 9600]),
    st.binary(min_size=1, max_size=400),
    st.integers(0, 100),
)
def test_session_over_chunks_delays_and_slow_lines(chunks: list[int], baud: int, apdu: bytes, seed: int) -> None:
    phones = Telephones(
        cable=StreamFaults(chunks=tuple(chunks), latency=0.01, jitter=0.05),
        network={"line": LineSettings(baud), "from_caller": StreamFaults(latency=0.1, jitter=0.1)},
        settings=HdlcSettings(response_timeout=10.0),
        seed=seed,
    )
    assert phones.connect() == LinkConnected(SERVER, CLIENT)
    assert phones.ask(apdu) == ApduReceived(apdu[::-1] * 20, SERVER, CLIENT)
    assert phones.disconnect() == LinkDisconnected(SERVER, CLIENT)


def test_text_of_the_modem_in_the_data_is_data() -> None:
    phones = Telephones()
    phones.connect()
    apdu = b"\r\nNO CARRIER\r\n+++ATH\r"
    assert phones.ask(apdu) == ApduReceived(apdu[::-1] * 20, SERVER, CLIENT)
    assert phones.ask(apdu[::-1]) == ApduReceived(apdu * 20, SERVER, CLIENT)


# ---- hanging up -----------------------------------------------------------------------------------------------------


def test_escape_stands_alone_between_two_guard_times() -> None:
    phones = Telephones(times=ModemTimes(guard=1.5))
    phones.connect()
    begin = phones.time.now
    phones.disconnect()
    came = [entry for entry in phones.cables[0].journal if entry.station == "server" and entry.at >= begin]
    texts = [entry.octets for entry in came]
    escape = texts.index(b"+++")
    assert came[escape].at - came[escape - 1].at > 1.0
    assert came[escape + 1].octets == b"ATH\r"
    assert came[escape + 1].at - came[escape].at > 1.0


def test_modem_that_does_not_hear_the_escape_is_told_to_hang_up_all_the_same() -> None:
    phones = Telephones(times=ModemTimes(command=2.0))
    phones.connect()
    phones.modems[0].guard = 100.0
    begin = phones.time.now
    assert isinstance(phones.disconnect(), LinkDisconnected)
    assert phones.time.now - begin < 20.0


def test_escape_is_sent_once_more_where_the_first_is_not_heard() -> None:
    phones = Telephones(times=ModemTimes(command=2.0))
    phones.connect()
    phones.modems[0].guard = 100.0
    phones.client.disconnect()
    phones.time.run_for(3.0)
    phones.modems[0].guard = 1.0
    assert isinstance(phones.event(), LinkDisconnected)
    assert phones.modems[0].commands[-1] == "ATH"
    assert not phones.modems[0].engaged


def test_meter_that_does_not_agree_to_the_end_is_hung_up_on_in_time() -> None:
    phones = Telephones(times=ModemTimes(ending=2.0), settings=HdlcSettings(response_timeout=60.0))
    phones.connect()
    phones.meter.close()
    begin = phones.time.now
    assert phones.disconnect() == LinkDisconnected(0, 0)
    assert phones.time.now - begin < 8.0
    assert not phones.modems[0].engaged


@pytest.mark.parametrize("after", [0.0005, 0.05, 4.0])
def test_call_that_is_being_made_can_be_taken_back(after: float) -> None:
    phones = Telephones()
    phones.client.connect()
    phones.time.run_for(after)
    assert phones.disconnect() == LinkDisconnected(0, 0)
    phones.time.run_for(30.0)
    assert phones.link.state is State.READY
    assert not phones.modems[0].engaged
    assert not phones.modems[1].engaged
    assert isinstance(phones.connect(), LinkConnected)


def test_pause_between_attempts_can_be_ended() -> None:
    phones = Telephones()
    phones.network.out_of_order = True
    phones.client.connect()
    assert phones.time.run_until(lambda: phones.link.state is State.PAUSING, 60.0)
    assert phones.disconnect() == LinkDisconnected(0, 0)
    assert phones.time.run_until_idle()
    assert phones.told == ["LinkDisconnected"]


def test_call_that_comes_about_while_it_is_taken_back_is_ended() -> None:
    link = wrapped(init=(), times=ModemTimes(guard=1.0))
    link.connect()
    assert sent(link) == b"ATD5551234\r"
    link.disconnect()
    assert sent(link, 1.0) == b"\r"
    assert link.receive(b"\r\nCONNECT 9600\r\n", 1.1) == []
    assert link.deadline() == pytest.approx(2.1)
    assert link.tick(2.2) == []
    assert sent(link, 2.2) == b"+++"
    assert link.receive(b"\r\nOK\r\n", 3.3) == []
    assert sent(link, 3.3) == b"ATH\r"
    assert link.receive(b"\r\nOK\r\n", 3.4) == [LinkDisconnected(0, 0)]


def test_disconnecting_while_an_earlier_call_is_ended_goes_no_further() -> None:
    link = wrapped()
    link.connect()
    assert sent(link) == b"ATZ\r"
    link.tick(5.0)
    assert link.state is State.QUIET
    link.disconnect()
    link.tick(10.0)
    assert sent(link, 10.0) == b"+++"
    link.receive(b"\r\nOK\r\n", 11.5)
    assert sent(link, 11.5) == b"ATH\r"
    assert link.receive(b"\r\nOK\r\n", 11.6) == [LinkDisconnected(0, 0)]
    assert sent(link, 11.6) == b""


def test_nothing_is_asked_of_a_link_without_a_call() -> None:
    link = wrapped()
    link.disconnect()
    assert link.octets_to_send() == b""
    assert link.deadline() is None
    assert link.line_to_set() is None
    assert not link.connected
    with pytest.raises(ConnectionLost, match="no call stands"):
        link.send(GET)


def test_connecting_twice_dials_once() -> None:
    phones = Telephones()
    phones.client.connect()
    phones.client.connect()
    phones.event()
    phones.client.connect()
    assert phones.modems[0].commands == ["ATZ", f"ATD{METER}"]


# ---- any octets -----------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.sampled_from(
            [
                b"OK",
                b"\r\n",
                b"CONNECT 9600",
                b"BUSY",
                b"NO CARRIER",
                b"ERROR",
                b"0\r",
                b"1\r",
                b"3\r",
                b"RING",
                b"\x00",
                b"ATZ\r",
            ]
        ),
        max_size=12,
    ),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_any_words_of_a_modem_give_the_same_however_cut(words: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(words)
    seen = []
    for pieces in ([stream], in_pieces(stream, cuts)):
        link = wrapped(attempts=1)
        link.connect()
        link.octets_to_send()
        link.tick(0.0)
        events = [event for piece in pieces for event in link.receive(piece, 1.0)]
        for now in range(2, 400):
            link.octets_to_send()
            events += link.tick(float(now))
        seen.append([str(event.error) if isinstance(event, LinkFailed) else event for event in events])
    assert seen[0] == seen[1]
