"""Sessions of IEC 62056-21 in every mode: what is said, when, and how the ports are set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cosemic.errors import (
    AssociationError,
    ConfigurationError,
    DecodeError,
    EncodeError,
    NotAssociated,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    ServiceFailed,
)
from cosemic.faults import StreamFaults
from cosemic.link.iec21 import (
    ClientSettings,
    Command,
    DataMessage,
    DataReadout,
    DataSet,
    EnterProgramming,
    Execute,
    Failed,
    Identification,
    Iec21Client,
    Listen,
    MeterData,
    Mode,
    Password,
    Read,
    ServerSettings,
    SessionBegan,
    SessionEnded,
    SignedOff,
    SignedOn,
    SignOff,
    WakeUp,
    Write,
)
from cosemic.link.iec21.commands import CommandServer
from cosemic.link.iec21.messages import Signal
from cosemic.link.iec21.session import SIGNAL_QUIET
from cosemic.link.iec21.sign_on import State
from cosemic.values import LineSettings, Secret
from tests.link.iec21_stations import DATASETS, MODE_A, MODE_B, MODE_C, MODE_E, OCTET_BY_OCTET, PASSWORD, Bench

T_R = 0.2
FAST = Identification("CSm", "5", "FAST")


def seconds(octets: int, baud: int = 300) -> float:
    """How long characters of 7E1 take."""
    return octets * 10 / baud


# ---- read-out, mode by mode ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identification", [MODE_A, MODE_B, MODE_C, MODE_E, FAST], ids=str)
@pytest.mark.parametrize("echo", [False, True])
def test_the_read_out_of_each_mode_comes_complete(identification: Identification, echo: bool) -> None:
    bench = Bench(identification, echo=echo)
    readout = bench.ask(DataReadout())
    assert readout.datasets == DATASETS
    assert readout.device == identification
    assert str(readout.value("1-0:1.8.0")) == "123400 Wh"
    assert bench.ask(DataReadout()).datasets == DATASETS


def test_mode_a_stays_at_300_baud() -> None:
    bench = Bench(MODE_A)
    bench.ask(DataReadout())
    bench.time.run_until_idle()
    assert bench.reader_lines == bench.meter_lines == [(0.0, "300 7E1")]
    assert bench.reader.mode is Mode.A
    assert bench.meter_events() == [SessionBegan(Mode.A), SessionEnded()]


@pytest.mark.parametrize("identification", [MODE_A, MODE_B], ids=str)
def test_an_old_meter_sends_without_frame(identification: Identification) -> None:
    bench = Bench(identification, server={"framed": False})
    assert bench.ask(DataReadout()).datasets == DATASETS
    assert not any(b"\x02" in octets for _, octets in bench.heard("client"))


def test_mode_b_changes_the_rate_with_the_identification() -> None:
    bench = Bench(MODE_B)
    bench.ask(DataReadout())
    bench.time.run_until_idle()
    identified = seconds(5) + T_R + seconds(10)
    assert bench.reader_lines[:2] == bench.meter_lines[:2] == [(0.0, "300 7E1"), (round(identified, 3), "9600 7E1")]
    assert [line for _, line in bench.reader_lines[2:]] == [line for _, line in bench.meter_lines[2:]] == ["300 7E1"]
    assert bench.heard("server") == [(pytest.approx(seconds(1)), b"/?!\r\n")]


def test_mode_c_selects_the_rate_and_acknowledges_the_read_out() -> None:
    bench = Bench(MODE_C)
    bench.ask(DataReadout())
    bench.time.run_until_idle()
    selected = seconds(5) + T_R + seconds(10) + T_R + seconds(6)
    block = 1 + sum(len(each.encode()) + 2 for each in DATASETS) + 3 + 2
    ended = selected + T_R + seconds(block, 9600) + T_R + seconds(1, 9600)
    lines = [(0.0, "300 7E1"), (round(selected, 3), "9600 7E1"), (round(ended, 3), "300 7E1")]
    assert bench.reader_lines == lines
    assert bench.meter_lines == [*lines[:2], (round(ended + SIGNAL_QUIET, 3), "300 7E1")]
    assert [octets for _, octets in bench.heard("server")] == [b"/?!\r\n", b"\x06050\r\n", b"\x06"]
    assert bench.meter_events() == [SessionBegan(Mode.C), SessionEnded()]


def test_a_fast_meter_is_answered_after_20_ms() -> None:
    bench = Bench(FAST)
    bench.ask(DataReadout())
    identified = seconds(5) + 0.02 + seconds(len(FAST.encode()))
    assert bench.reader_lines[1] == (round(identified + 0.02 + seconds(6), 3), "9600 7E1")


def test_a_rate_beyond_what_the_reader_can_is_declined() -> None:
    bench = Bench(MODE_C, client=ClientSettings(most_baud=4800))
    assert bench.ask(DataReadout()).datasets == DATASETS
    assert [line for _, line in bench.reader_lines] == ["300 7E1"]
    assert b"\x06000\r\n" in [octets for _, octets in bench.heard("server")]


def test_a_rate_that_both_agreed_on_is_used() -> None:
    rates = {"0": 300, "7": 57600}
    bench = Bench(Identification("CSM", "7"), client=ClientSettings(rates=rates), server={"rates": rates})
    assert bench.ask(DataReadout()).datasets == DATASETS
    assert bench.reader_lines[1][1] == bench.meter_lines[1][1] == "57600 7E1"


def test_a_makers_own_list_is_asked_for_by_its_option() -> None:
    bench = Bench(MODE_C)
    asked: list[int] = []
    bench.data.readout = lambda option: asked.append(option) or [DataSet("1", ("2",))]
    assert bench.ask(DataReadout(7)).datasets == (DataSet("1", ("2",)),)
    assert asked == [7]


class Silent(Iec21Client):
    """A reader that never selects anything."""

    def _unmoved(self, message: Identification) -> list[Any]:
        self.identification = message
        self.mode = Mode.C
        self._go(State.READING_OUT, 10.0)
        return []

    TRANSITIONS = Iec21Client.TRANSITIONS | {(State.SIGNING_ON, Identification): _unmoved}


def test_without_option_select_the_meter_reads_out_at_300_baud() -> None:
    bench = Bench(MODE_C)
    bench.reader_driver._machine = bench.reader = Silent(ClientSettings())
    assert bench.ask(DataReadout()).datasets == DATASETS
    (_, identification), (at, _) = bench.heard("client")
    quiet = at - seconds(1) - (seconds(5) + T_R + seconds(len(identification)))
    assert 1.5 <= quiet <= 2.2 + T_R
    assert [line for _, line in bench.meter_lines] == ["300 7E1"]


@pytest.mark.parametrize("wrong", [b"\x06060\r\n", b"\x060X0\r\n", b"\x06053\r\n", b"\x06252\r\n", b"\x06 50\r\n"])
def test_an_option_select_that_was_not_offered_leads_to_the_read_out_at_300_baud(wrong: bytes) -> None:
    bench = Bench(MODE_C)
    bench.stream.client.write(b"/?!\r\n")
    bench.time.call_later(1.0, bench.stream.client.write, wrong)
    bench.time.run_until_idle()
    assert bench.meter_events()[0] == SessionBegan(Mode.C)
    assert [line for _, line in bench.meter_lines] == ["300 7E1"]


def test_a_device_address_chooses_the_meter() -> None:
    bench = Bench(MODE_C, client=ClientSettings(address="00012345"), server={"address": "12345"})
    assert bench.ask(DataReadout()).datasets == DATASETS
    assert bench.heard("server")[0][1] == b"/?00012345!\r\n"
    other = Bench(MODE_C, client=ClientSettings(address="12346"), server={"address": "12345"})
    with pytest.raises(ResponseTimeout):
        other.ask(DataReadout())
    assert other.heard("client") == []
    anybody = Bench(MODE_C, server={"address": "12345"})
    assert anybody.ask(DataReadout()).datasets == DATASETS


def test_mode_d_is_heard_without_a_word() -> None:
    bench = Bench(Identification("CSM", "3", "D-1"), server={"mode_d": True})
    bench.time.call_later(30.0, bench.meter.push)
    bench.time.call_later(30.0, bench.meter_driver.go_on)
    assert bench.ask(Listen(60.0)).datasets == DATASETS
    bench.meter.push([DataSet("1.8.0", ("7*kWh",))])
    bench.meter_driver.go_on()
    assert str(bench.ask(Listen()).value("1.8.0")) == "7000 Wh"
    assert bench.heard("server") == []
    assert bench.reader_lines == bench.meter_lines == [(0.0, "2400 7E1")]
    assert b"/CSM3D-1\r\n\r\n0.0.0(00010213)\r\n" in bench.heard("client")[0][1]
    with pytest.raises(ResponseTimeout):
        bench.ask(Listen(5.0))


def test_only_a_meter_in_mode_d_pushes() -> None:
    with pytest.raises(ConfigurationError):
        Bench(MODE_C).meter.push()


def test_listening_goes_on_after_a_telegram_that_begins_in_the_middle() -> None:
    bench = Bench(Identification("CSM", "3", "D-1"), server={"mode_d": True})
    bench.stream.server.write(b".8.0(1*kWh)\r\n!\r\n")
    for _ in range(2):
        bench.meter.push()
    bench.meter_driver.go_on()
    assert bench.ask(Listen()).datasets == DATASETS


# ---- wake-up ---------------------------------------------------------------------------------------------------------


def test_a_sleeping_meter_is_woken_with_nuls_for_2_1_to_2_3_seconds_and_a_pause() -> None:
    bench = Bench(client=ClientSettings(wake_up=WakeUp.NORMAL), server={"wake_up": WakeUp.NORMAL})
    assert bench.ask(DataReadout()).datasets == DATASETS
    (first, nuls), (request, octets), *_ = bench.heard("server")
    assert set(nuls) == {0}
    assert octets == b"/?!\r\n"
    assert 2.1 <= seconds(len(nuls)) <= 2.3
    ended = first - seconds(1) + seconds(len(nuls))
    assert 1.5 <= request - seconds(1) - ended <= 1.7
    with pytest.raises(ResponseTimeout):
        Bench(server={"wake_up": WakeUp.NORMAL}).ask(DataReadout())


def test_a_fast_wake_up_stops_at_the_acknowledgement_and_ends_with_b1() -> None:
    bench = Bench(client=ClientSettings(wake_up=WakeUp.FAST), server={"wake_up": WakeUp.FAST})
    assert isinstance(bench.ask(EnterProgramming()), SignedOn)
    bench.ask(SignOff())
    bench.time.run_until_idle()
    sent = bench.heard("server")
    assert 0.5 <= seconds(len(sent[0][1])) <= 0.6
    assert [octets for _, octets in sent[1:]] == [b"/?!\r\n", b"\x06051\r\n", Command("B1").encode()]
    assert bench.meter.state.name == "ASLEEP"
    deaf = Bench(client=ClientSettings(wake_up=WakeUp.FAST, attempts=1), server={"wake_up": WakeUp.NORMAL})
    with pytest.raises(ResponseTimeout, match="wake-up"):
        deaf.ask(DataReadout())
    assert deaf.time.now - deaf.begin >= 4.5


# ---- programming mode ------------------------------------------------------------------------------------------------


def programming(**arguments: Any) -> Bench:
    """A bench whose reader has entered programming mode."""
    bench = Bench(**arguments)
    bench.ask(EnterProgramming())
    return bench


@pytest.mark.parametrize("echo", [False, True])
def test_a_session_in_programming_mode(echo: bool) -> None:
    bench = Bench(echo=echo, data={"operand": "1234567"})
    entered = bench.ask(EnterProgramming())
    assert entered == SignedOn(MODE_C, Mode.C, LineSettings(9600, 7, entered.line.parity), (DataSet("", ("1234567",)),))
    assert bench.ask(Read("1.8.0")) == (DataSet("1.8.0", ("000123.4*kWh",)),)
    with pytest.raises(ServiceFailed, match="ER04"):
        bench.ask(Write("1.8.1*01", "2*kWh"))
    assert bench.ask(Password(PASSWORD)) is None
    assert bench.ask(Write("1.8.1*01", "2*kWh")) is None
    assert bench.data.values["1.8.1*01"] == "2*kWh"
    for command in ("W2", "W3", "W4", "W5"):
        assert bench.ask(Write("1.8.1*01", f"{command}*kWh", command, 5)) is None
        assert bench.data.values["1.8.1*01"] == f"{command}*kWh"
    with pytest.raises(ServiceFailed) as caught:
        bench.ask(Read("9.9.9"))
    assert (caught.value.code, caught.value.label, caught.value.subject) == (2, "ER02", "9.9.9")
    with pytest.raises(ServiceFailed, match="ER03"):
        bench.ask(Write("1.8.0", "0*kWh"))
    with pytest.raises(ServiceFailed, match="ER01"):
        bench.ask(Read("1.8.0", command="R0"))
    assert bench.ask(SignOff()) is None
    bench.time.run_until_idle()
    assert [line for _, line in bench.reader_lines] == ["300 7E1", "9600 7E1", "300 7E1"]
    assert bench.meter_lines == bench.reader_lines
    assert bench.meter_events() == [SessionBegan(Mode.C, programming=True), SessionEnded()]
    assert bench.ask(DataReadout()).value("1.8.1*01") == "W5*kWh"


def test_commands_have_the_octets_of_the_standard() -> None:
    bench = programming()
    bench.ask(Read("1.8.0"))
    bench.ask(Password(PASSWORD))
    bench.ask(SignOff())
    sent = [octets for _, octets in bench.heard("server")]
    assert sent[2:4] == [b"\x01R1\x021.8.0()\x03\x5a", b"\x01P1\x02(00000000)\x03\x61"]
    bench.time.run_until_idle()
    assert bench.heard("server")[-1][1] == b"\x01B0\x03\x71"


@pytest.mark.parametrize("identification", [MODE_A, MODE_B], ids=str)
def test_modes_a_and_b_have_programming_mode_behind_the_read_out(identification: Identification) -> None:
    bench = Bench(identification)
    entered = bench.ask(EnterProgramming())
    assert entered.readout.datasets == DATASETS
    assert bench.ask(Read("F.F")) == (DataSet("F.F", ("00",)),)
    bench.ask(SignOff())
    assert bench.ask(DataReadout()).datasets == DATASETS


@pytest.mark.parametrize("command", ["R3", "R4", "R6"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_long_answers_come_in_partial_blocks(command: str, size: int) -> None:
    bench = programming(server={"block_size": size})
    text = "x" * 60 + "*kWh"
    bench.data.values["1.8.0"] = text
    assert bench.ask(Read("1.8.0", command=command)) == (DataSet("1.8.0", (text,)),)
    wire = b"".join(octets for _, octets in bench.heard("client"))
    assert wire.count(b"\x04") >= -(-len(f"1.8.0({text})") // size) - 1


def test_answers_without_address_are_of_the_address_asked_for() -> None:
    bench = programming(server={"answers_with_address": False})
    assert bench.ask(Read("1.8.0")) == (DataSet("1.8.0", ("000123.4*kWh",)),)
    assert DataMessage(b"(000123.4*kWh)").encode() in [octets for _, octets in bench.heard("client")]


def test_formatted_commands_are_executed_with_the_password() -> None:
    done: list[str] = []
    actions: dict[str, Callable[[str], str | None]] = {"X": done.append, "Y": lambda value: value * 2}
    bench = programming(data={"actions": actions})
    with pytest.raises(ServiceFailed, match="ER04"):
        bench.ask(Execute("X", "1"))
    bench.ask(Password(PASSWORD))
    assert bench.ask(Execute("X", "1")) == ()
    assert bench.ask(Execute("Y", "1")) == (DataSet("Y", ("11",)),)
    with pytest.raises(ServiceFailed, match="ER02"):
        bench.ask(Execute("Z"))
    assert done == ["1"]


def test_the_secure_algorithm_proves_itself_on_the_operand() -> None:
    bench = programming(data={"password": None, "operand": lambda: "17", "verify": lambda a, b: int(a) + 1 == int(b)})
    with pytest.raises(ServiceFailed, match="ER05"):
        bench.ask(Password(Secret.password("17"), "P2"))
    bench.ask(Password(Secret.password("18"), "P2"))
    assert bench.ask(Write("1.8.1*01", "2*kWh")) is None


def test_wrong_passwords_end_the_session() -> None:
    bench = programming()
    for _ in range(2):
        with pytest.raises(ServiceFailed, match="ER05"):
            bench.ask(Password(Secret.password("11111111")))
    assert isinstance(bench.event(Password(Secret.password("11111111"))), Failed)
    bench.time.run_until_idle()
    assert isinstance(bench.reader_driver.events[-1][1], SignedOff)
    assert isinstance(bench.meter_events()[-1].error, ProtocolError)
    assert bench.meter_lines[-1][1] == bench.reader_lines[-1][1] == "300 7E1"


@pytest.mark.parametrize(("reader", "meter"), [(None, 60.0), (60.0, 90.0)])
def test_a_silent_session_is_ended_by_either_side(reader: float | None, meter: float) -> None:
    bench = programming(client=ClientSettings(silence=reader), server={"silence": meter})
    entered = bench.time.now
    assert bench.time.run_until_idle()
    assert 59.0 <= bench.time.now - entered <= 62.0
    (_, event) = bench.reader_driver.events[-1]
    assert isinstance(event, SignedOff)
    assert isinstance(bench.meter_events()[-1], SessionEnded)
    assert (bench.meter_events()[-1].error is None) == (reader is not None)
    with pytest.raises(NotAssociated):
        bench.reader.send(Read("1.8.0"))
    assert bench.ask(DataReadout()).datasets == DATASETS


def test_requests_out_of_place_are_refused_and_send_nothing() -> None:
    bench = Bench()
    with pytest.raises(NotAssociated):
        bench.reader.send(Read("1.8.0"))
    with pytest.raises(EncodeError):
        Bench(client=ClientSettings(address="("))
    bench.ask(EnterProgramming())
    with pytest.raises(EncodeError):
        bench.reader.send(Write("1.8.0", "(1)"))
    with pytest.raises(AssociationError, match="sign off"):
        bench.reader.send(DataReadout())
    bench.reader.send(Read("1.8.0"))
    assert bench.reader.busy
    with pytest.raises(AssociationError, match="being served"):
        bench.reader.send(Read("1.8.0"))
    with pytest.raises(EncodeError):
        ServerSettings(identification=Identification("?", "5"))


def test_a_request_that_is_given_up_ends_the_session() -> None:
    bench = programming()
    bench.reader.send(Read("1.8.0"))
    bench.reader.cancel()
    bench.reader_driver.go_on()
    bench.time.run_until_idle()
    assert bench.meter_events()[-1] == SessionEnded()
    assert bench.ask(DataReadout()).datasets == DATASETS
    bench.time.run_until_idle()
    bench.reader.cancel()
    bench.reader.resume()
    bench.meter.resume()
    assert bench.reader.state.name == bench.meter.state.name == "IDLE"


def test_an_own_echo_is_filtered_even_where_every_octet_counts() -> None:
    bench = Bench(echo=True, client=ClientSettings(echo=True), server={"echo": True})
    assert bench.ask(DataReadout()).datasets == DATASETS
    bench.ask(EnterProgramming())
    assert bench.ask(Read("1.8.0")) == (DataSet("1.8.0", ("000123.4*kWh",)),)
    without = Bench(client=ClientSettings(echo=True))
    assert without.ask(DataReadout()).datasets == DATASETS


# ---- what goes wrong, one thing at a time ----------------------------------------------------------------------------


def spoilt(*numbers: int, change: int = 1, at: int = -1) -> StreamFaults:
    """Change an octet of the writes with these numbers."""

    def alter(number: int, octets: bytes) -> bytes:
        if number not in numbers:
            return octets
        wrong = bytearray(octets)
        wrong[at] ^= change
        return bytes(wrong)

    return StreamFaults(chunks=(1,), alter=alter)


def truncated(*numbers: int, by: int = 2) -> StreamFaults:
    """Leave out the last octets of the writes with these numbers."""
    return StreamFaults(chunks=(1,), alter=lambda number, octets: octets[:-by] if number in numbers else octets)


@pytest.mark.parametrize("faults", [spoilt(1, 2, 3), truncated(1, 2, 3), truncated(1, 2, by=1)])
def test_a_damaged_read_out_is_asked_for_three_times_more(faults: StreamFaults) -> None:
    bench = Bench(from_server=faults)
    assert bench.ask(DataReadout()).datasets == DATASETS
    bench.time.run_until_idle()
    sent = [octets for _, octets in bench.heard("server")]
    assert sent[-1] == b"\x06"
    assert 2 <= sent.count(b"\x15") <= 3
    assert sent.count(b"/?!\r\n") == 1


def test_a_read_out_that_stays_damaged_is_a_declared_error() -> None:
    bench = Bench(from_server=spoilt(*range(1, 5), *range(6, 10), *range(11, 15)))
    with pytest.raises(ProtocolError, match="BCC"):
        bench.ask(DataReadout())
    bench.time.run_until_idle()
    sent = [octets for _, octets in bench.heard("server")]
    assert sent.count(b"\x15") == 9
    assert sent.count(b"/?!\r\n") == 3
    assert bench.reader_lines[-1][1] == "300 7E1"
    assert bench.ask(DataReadout()).datasets == DATASETS


def test_a_lost_identification_is_asked_for_again() -> None:
    bench = Bench(from_server=StreamFaults(chunks=(1,), alter=lambda number, octets: octets if number else b""))
    assert bench.ask(DataReadout()).datasets == DATASETS


def test_a_lost_option_select_leads_to_another_sign_on() -> None:
    bench = Bench(from_client=spoilt(1, at=0, change=0x40))
    assert bench.ask(DataReadout()).datasets == DATASETS
    assert [octets for _, octets in bench.heard("server")].count(b"/?!\r\n") == 2


def test_a_damaged_command_is_repeated_when_the_meter_asks() -> None:
    bench = programming(from_client=spoilt(2, 3))
    assert bench.ask(Read("1.8.0")) == (DataSet("1.8.0", ("000123.4*kWh",)),)
    assert bench.ask(SignOff()) is None


def test_a_damaged_password_is_not_repeated_by_itself() -> None:
    bench = programming(from_client=spoilt(2))
    with pytest.raises(ServiceFailed, match="NAK"):
        bench.ask(Password(PASSWORD))
    assert bench.ask(Password(PASSWORD)) is None


def test_a_damaged_answer_is_asked_for_again_block_by_block() -> None:
    bench = programming(server={"block_size": 6}, from_server=spoilt(2, 4, 5))
    assert bench.ask(Read("1.8.0", command="R3")) == (DataSet("1.8.0", ("000123.4*kWh",)),)


@pytest.mark.parametrize("disturbed", [b"\x01", b"\xff\x15", b"\x01\x15"])
def test_nak_is_answered_to_nak_until_it_is_an_error_and_no_block_is_left_out(disturbed: bytes) -> None:
    bench = programming(server={"block_size": 6}, from_server=spoilt(3), from_client=instead(4, disturbed))
    with pytest.raises(ProtocolError, match="again and again"):
        bench.ask(Read("1.8.0", command="R3"))
    assert [octets for _, octets in bench.heard("server")][3:] == [b"\x06", disturbed, *[b"\x15"] * 2]


def test_a_disturbed_acknowledgement_is_asked_for_again() -> None:
    bench = programming(server={"block_size": 6}, from_client=instead(3, b"\xff\x06"))
    assert bench.ask(Read("1.8.0", command="R3")) == (DataSet("1.8.0", ("000123.4*kWh",)),)
    bench = programming(data={"password": None}, from_server=instead(2, b"\xff\x06"))
    assert bench.ask(Write("1.8.1*01", "2*kWh")) is None


def test_a_change_whose_acknowledgement_is_never_heard_is_unknown_and_not_refused() -> None:
    always = StreamFaults(chunks=(1,), alter=lambda number, octets: b"\xff" + octets if number > 1 else octets)
    bench = programming(data={"password": None}, from_server=always)
    with pytest.raises(OutcomeUnknown):
        bench.ask(Write("1.8.1*01", "2*kWh"))
    assert bench.data.values["1.8.1*01"] == "2*kWh"


def test_noise_long_before_an_acknowledgement_does_not_disturb_it() -> None:
    bench = programming(data={"password": None})
    bench.time.call_later(0.25, bench.stream.server.write, b"\xff")
    assert bench.ask(Write("1.8.1*01", "2*kWh")) is None
    assert b"\x15" not in [octets for _, octets in bench.heard("server")]


def test_a_disturbed_nak_is_never_answered_with_what_was_acknowledged_before() -> None:
    bench = programming(from_server=instead(3, b"\xff\x15"), from_client=spoilt(3))
    bench.ask(Password(PASSWORD))
    with pytest.raises((ServiceFailed, OutcomeUnknown)):
        bench.ask(Write("1.8.1*01", "2*kWh"))
    assert bench.data.values["1.8.1*01"] == "1.5*kWh"


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_lost_acknowledgement_of_a_block_is_an_error_and_no_wrong_value(at: int) -> None:
    bench = programming(server={"block_size": 6}, from_client=spoilt(3 + at, at=0, change=0x40))
    with pytest.raises(ResponseTimeout):
        bench.ask(Read("1.8.0", command="R3"))
    bench.time.run_until_idle()
    assert isinstance(bench.reader_driver.events[-1][1], SignedOff)
    assert bench.ask(DataReadout()).datasets == DATASETS


@pytest.mark.parametrize("request_", [Write("1.8.1*01", "2*kWh"), Execute("X", "1")])
def test_a_change_that_is_not_answered_is_unknown(request_: Write | Execute) -> None:
    done: list[str] = []
    bench = programming(
        data={"password": None, "actions": {"X": done.append}}, from_server=spoilt(2, at=0, change=0x40)
    )
    with pytest.raises(OutcomeUnknown) as caught:
        bench.ask(request_)
    assert caught.value.subject == request_.address
    assert done or bench.data.values["1.8.1*01"] == "2*kWh"


def instead(number: int, octets: bytes) -> StreamFaults:
    """Send other octets in place of the write with that number."""
    return StreamFaults(chunks=(1,), alter=lambda at, original: octets if at == number else original)


def test_an_answer_that_is_no_data_set_ends_the_session() -> None:
    bench = programming(from_server=instead(2, DataMessage(b"1.8.0(").encode()))
    with pytest.raises(DecodeError):
        bench.ask(Read("1.8.0"))
    assert isinstance(bench.reader_driver.events[-1][1], SignedOff)
    assert bench.ask(DataReadout()).datasets == DATASETS


def test_a_read_out_and_an_operand_that_are_no_data_sets_are_asked_for_anew() -> None:
    assert Bench(from_server=instead(1, DataMessage(b"(").encode())).ask(DataReadout()).datasets == DATASETS
    assert Bench(from_server=instead(1, Command("P0", b"(").encode())).ask(EnterProgramming()).operand


def test_data_in_answer_to_a_write_leaves_its_outcome_unknown() -> None:
    bench = programming(data={"password": None}, from_server=instead(2, DataMessage(b"1.8.0(1)").encode()))
    with pytest.raises(OutcomeUnknown):
        bench.ask(Write("1.8.1*01", "2*kWh"))


def test_an_answer_that_never_ends_is_cut_off_at_its_bound() -> None:
    bench = programming(client=ClientSettings(max_octets=15), server={"block_size": 6})
    with pytest.raises(ProtocolError, match="15 octets"):
        bench.ask(Read("1.8.0", command="R3"))


def test_a_command_that_is_never_understood_is_given_up() -> None:
    bench = programming(from_client=spoilt(2, 3, 4, 5))
    with pytest.raises(ServiceFailed, match="NAK"):
        bench.ask(Read("1.8.0"))
    assert bench.ask(Read("1.8.0")) == (DataSet("1.8.0", ("000123.4*kWh",)),)


def test_a_malformed_command_is_declined() -> None:
    bench = programming(from_client=instead(2, Command("R1", b"1.8.0(").encode()))
    with pytest.raises(ServiceFailed, match="ER06"):
        bench.ask(Read("1.8.0"))
    bench = programming(from_client=instead(2, Command("X1", b"1.8.0()").encode()))
    with pytest.raises(ServiceFailed, match="ER01"):
        bench.ask(Read("1.8.0"))


@pytest.mark.parametrize("between", [Command("W1", b"1.8.1*01(2)"), Command("R1", b"1.8.1*01()")], ids=str)
def test_another_command_ends_a_write_in_blocks(between: Command) -> None:
    data = MeterData({"1.8.0": "0", "1.8.1*01": "1"}, writable=("1.8.0", "1.8.1*01"))
    commands = CommandServer(data, ServerSettings())
    commands.serve(Command("W3", b"1.8.0(7", more=True))
    (answer,) = commands.serve(between)
    assert answer is Signal.ACK or answer == DataMessage(b"1.8.1*01(1)")
    (answer,) = commands.serve(Command("W3", b"8)"))
    assert data.values["1.8.0"] == "0"
    assert isinstance(answer, DataMessage)
    assert answer.error


def test_a_write_in_blocks_is_bounded() -> None:
    bench = programming(data={"password": None}, server={"max_octets": 50})
    with pytest.raises(ServiceFailed, match="ER06"):
        bench.ask(Write("1.8.1*01", "x" * 60, "W3", 10))


def test_a_peer_that_never_ends_a_message_is_left_in_bounded_time() -> None:
    bench = Bench(client=ClientSettings(longest_message=20.0, attempts=1, repeats=0))
    bench.meter_driver._machine = _Babbler()
    with pytest.raises((ResponseTimeout, ProtocolError)):
        bench.ask(DataReadout(), limit=60)
    assert bench.time.now - bench.begin > 20


class _Babbler:
    """Sends the beginning of a message, and a character a second for ever."""

    def __init__(self) -> None:
        self._due: list[bytes] = []
        self._next: float | None = None

    def receive(self, octets: bytes, now: float) -> None:
        if b"\n" in octets:
            self._due.append(MODE_A.encode() + b"\x02")
            self._next = now + 1

    def octets_to_send(self) -> bytes:
        return self._due.pop(0) if self._due else b""

    def line_to_set(self) -> None:
        return None

    def deadline(self) -> float | None:
        return self._next

    def tick(self, now: float) -> None:
        if self._next is not None and now >= self._next:
            self._due.append(b"1")
            self._next = now + 1


@pytest.mark.parametrize("noise", [b"\x00", b"/", b"\x02", b"\x01", b"\x06", b"\x15", b"!\r\n", b"\xff" * 40])
def test_noise_before_any_message_does_no_harm(noise: bytes) -> None:
    for side in ("from_client", "from_server"):
        faults = StreamFaults(chunks=(1,), alter=lambda _, octets: noise + octets)
        bench = Bench(**{side: faults})
        try:
            assert bench.ask(DataReadout()).datasets == DATASETS
        except (ResponseTimeout, ProtocolError):
            assert noise in (b"\x01", b"\x02", b"/")
        bench.time.run_until_idle()
        assert bench.reader_lines[-1][1] == bench.meter_lines[-1][1] == "300 7E1"


def test_a_meter_that_signs_off_is_heard() -> None:
    bench = programming()
    bench.stream.server.write(Command("B0").encode())
    bench.time.run_until_idle()
    assert isinstance(bench.reader_driver.events[-1][1], SignedOff)
    bench = programming(data={"password": None})
    bench.meter_driver.go_on = lambda: None
    bench.time.call_later(0.5, bench.stream.server.write, Command("B0").encode())
    with pytest.raises(OutcomeUnknown):
        bench.ask(Write("1.8.1*01", "2*kWh"))


def test_octets_that_come_together_are_taken_one_by_one() -> None:
    for identification in (MODE_A, MODE_B, MODE_C):
        together = StreamFaults(chunks=(1 << 16,), gathered=0.05)
        bench = Bench(
            identification,
            client=ClientSettings(response_timeout=30.0),
            server={"acknowledgement_timeout": 2.2},
            from_client=OCTET_BY_OCTET,
            from_server=together,
        )
        assert bench.ask(DataReadout()).datasets == DATASETS
