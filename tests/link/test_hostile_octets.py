"""Octets that were found to be hostile: they raised an exception, lost a message, or waited for ever."""

from __future__ import annotations

import pytest

from cosemic.association.requests import Failed, Open
from cosemic.association.settings import ClientSettings
from cosemic.errors import ConnectionFailed, EncodeError
from cosemic.link.contract import ApduReceived, LinkFailed
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink
from cosemic.link.iec21 import Command, DataMessage, Iec21Server, MeterData, ServerSettings, WakeUp
from cosemic.link.iec21.commands import CommandServer
from cosemic.link.iec21.server import State
from cosemic.link.modem import ModemLink
from cosemic.link.sms import Deliver, SmsLink, SmsModemLink, UserData
from cosemic.link.sms.modem import SmsState, announced
from cosemic.server import PhysicalDevice
from cosemic.server.meter_session import MeterSession
from cosemic.stack import ClientStack
from tests.server.support import device_with

GET = bytes.fromhex("c001c100080000010000ff0200")
AARQ = bytes.fromhex("601da109060760857405080101be10040e01000000065f1f0400001e1dffff")
NUMBER = "+491711234567"
NAMED = bytes.fromhex("0407d0d4f29c0e0004") + bytes(7)
"""SMS-DELIVER of a sender with a name in place of a number, up to its user data."""


def from_a_name(source: int, destination: int, apdu: bytes) -> bytes:
    return NAMED + bytes((len(apdu) + 2, source, destination)) + apdu


# ---- IEC 62056-21 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"a/b", b"a(b", b"!", b"\xb9"])
def test_a_written_value_that_could_not_be_read_out_again_is_declined(value: bytes) -> None:
    data = MeterData({"0.9.1": "old"}, writable=("0.9.1",))
    server = CommandServer(data, ServerSettings())
    assert server.serve(Command("W1", b"0.9.1(%b)" % value)) == [DataMessage(b"(ER06)")]
    assert server.serve(Command("R1", b"0.9.1()")) == [DataMessage(b"0.9.1(old)")]


def test_a_value_that_no_data_set_can_hold_is_answered_with_an_error() -> None:
    server = CommandServer(MeterData({"0.9.1": lambda: "12/31"}), ServerSettings())
    assert server.serve(Command("R1", b"0.9.1()")) == [DataMessage(b"(ER06)")]


def test_nuls_and_the_request_behind_them_may_come_in_one_piece() -> None:
    server = Iec21Server(MeterData({}), ServerSettings(wake_up=WakeUp.NORMAL))
    server.receive(bytes(66) + b"/?!\r\n", 10.0)
    assert server.state is State.IDENTIFIED


def test_a_fast_wake_up_is_acknowledged_40_ms_after_the_last_nul() -> None:
    server = Iec21Server(MeterData({}), ServerSettings(wake_up=WakeUp.FAST))
    server.octets_to_send()
    server.line_to_set()
    server.tick(0.0)
    server.receive(bytes(16), 10.0)
    assert server.octets_to_send() == b""
    assert server.deadline() == pytest.approx(10.04)
    server.tick(10.04)
    assert server.octets_to_send() == b"\x06"


# ---- short messages -------------------------------------------------------------------------------------------------


def test_nobody_is_answered_where_the_last_sender_has_a_name_and_no_number() -> None:
    link = SmsLink()
    link.receive(Deliver(NUMBER, UserData(bytes((16, 1)) + GET)).encode(), 0.0)
    assert link.receive(from_a_name(16, 1, GET), 1.0) == [ApduReceived(GET, 16, 1)]
    with pytest.raises(EncodeError, match="whom to answer"):
        link.send(GET, source=1, destination=16)


def test_a_name_whose_octets_look_like_a_number_is_not_that_number() -> None:
    link = SmsLink("91", 16, 1)
    named_91 = bytes.fromhex("0402d0910004") + bytes(7)
    assert link.receive(named_91 + bytes((len(GET) + 2, 1, 16)) + GET, 0.0) == []
    assert link.passed_over == 1


def test_a_meter_goes_on_where_an_answer_cannot_be_sent() -> None:
    session = MeterSession(PhysicalDevice(device_with()), SmsLink())
    session.receive(from_a_name(16, 1, AARQ), 0.0)
    assert session.octets_to_send() == b""
    assert not session.ended
    session.receive(Deliver(NUMBER, UserData(bytes((16, 1)) + AARQ)).encode(), 1.0)
    assert session.octets_to_send() != b""


def test_a_message_that_is_told_right_behind_the_prompt_does_not_hide_it() -> None:
    link = SmsModemLink(SmsLink(NUMBER, 16, 1), init="ATE0")
    link.send(GET)
    assert link.octets_to_send() == b"ATE0\r"
    link.receive(b"\r\nOK\r\n", 1.0)
    assert link.octets_to_send().startswith(b"AT+CMGS=")
    other = Deliver(NUMBER, UserData(bytes((1, 16)) + GET)).encode()
    events = link.receive(b"\r\n> \r\n+CMT: ,%d\r\n00%b\r\n" % (len(other), other.hex().encode()), 2.0)
    assert events == [ApduReceived(GET, 1, 16)]
    assert link.state is SmsState.SENDING
    sent = SmsLink(NUMBER, 16, 1)
    sent.send(GET)
    assert link.octets_to_send() == announced(sent.octets_to_send())[1]


# ---- modems ---------------------------------------------------------------------------------------------------------


def dialling() -> ModemLink:
    return ModemLink(HdlcPrimaryLink(16, HdlcAddress(1, 17)), dial="200")


def test_a_modem_link_that_has_failed_does_not_pretend_to_dial_again() -> None:
    link = dialling()
    link.connect()
    assert link.octets_to_send() == b"ATZ\r"
    assert [type(event) for event in link.receive(b"\r\nERROR\r\n", 1.0)] == [LinkFailed]
    with pytest.raises(ConnectionFailed, match="make a new one"):
        link.connect()


def test_a_client_is_not_kept_waiting_by_a_link_that_has_failed() -> None:
    stack = ClientStack(ClientSettings(), 16, 1, link=lambda client, server: dialling())
    stack.send(Open())
    stack.octets_to_send()
    failed, _ = stack.receive(b"\r\nERROR\r\n", 1.0)
    assert isinstance(failed, Failed)
    with pytest.raises(ConnectionFailed, match="make a new one"):
        stack.send(Open())
    assert not stack.busy
