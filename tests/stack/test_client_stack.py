"""Wrapper and association as one machine."""

from __future__ import annotations

import pytest

from cosemic.association.control import State
from cosemic.association.requests import Aborted, Completed, Event, Failed, Get, Open, Release
from cosemic.association.server import ServerAssociation
from cosemic.association.settings import ClientSettings
from cosemic.errors import AssociationError, ConnectionLost, EncodeError, ProtocolError
from cosemic.link.contract import ApduReceived, LinkConnected, LinkDisconnected, LinkEvent
from cosemic.link.wrapper import WrapperLink
from cosemic.stack import ClientStack
from tests.association.samples import REGISTER, VALUE, Shelf, settings


class Meter:
    """A server behind a wrapper that answers on the SAPs asked for."""

    def __init__(self) -> None:
        self.link = WrapperLink()
        self.associations: dict[tuple[int, int], ServerAssociation] = {}

    def answer(self, octets: bytes) -> bytes:
        for event in self.link.receive(octets, 0.0):
            assert isinstance(event, ApduReceived)
            pair = event.source, event.destination
            association = self.associations.setdefault(pair, ServerAssociation(settings()[1], Shelf()))
            association.receive(event.apdu, 0.0)
            self.link.send(association.octets_to_send(), source=pair[1], destination=pair[0])
        return self.link.octets_to_send()


def ask(stack: ClientStack, meter: Meter, request: object) -> object:
    stack.send(request)  # type: ignore[arg-type]
    stack.tick(0.0)
    (event,) = stack.receive(meter.answer(stack.octets_to_send()), 0.0)
    assert isinstance(event, Completed)
    return event.result


def test_a_request_travels_from_the_client_sap_to_the_server_sap() -> None:
    stack, meter = ClientStack(ClientSettings(), 16, 1), Meter()
    stack.send(Open())
    octets = stack.octets_to_send()
    assert octets[:6].hex() == "000100100001"
    assert octets[6:8] == (len(octets) - 8).to_bytes(2)
    stack.receive(meter.answer(octets), 0.0)
    assert ask(stack, meter, Get(REGISTER)) == VALUE
    assert ask(stack, meter, Release()) is None
    traffic = stack.traffic
    assert traffic.round_trips == 3
    assert traffic.octets_sent > 0 < traffic.octets_received


def test_apdus_between_other_saps_are_passed_over() -> None:
    stack, meter = ClientStack(ClientSettings(), 16, 1), Meter()
    stack.send(Open())
    answer = meter.answer(stack.octets_to_send())
    for saps in ("00010011", "00020010", "00100001"):
        assert stack.receive(answer[:2] + bytes.fromhex(saps) + answer[6:], 0.0) == []
    assert [type(event) for event in stack.receive(answer, 0.0)] == [Completed]


def test_a_stream_that_is_no_wrapper_aborts_the_association() -> None:
    stack, meter = ClientStack(ClientSettings(), 16, 1), Meter()
    ask(stack, meter, Open())
    stack.send(Get(REGISTER))
    failed, aborted = stack.receive(b"\x7e\xa0\x07", 0.0)
    assert isinstance(failed, Failed)
    assert isinstance(aborted, Aborted)
    assert isinstance(aborted.error, ProtocolError)
    assert stack.association.state is State.INACTIVE
    assert stack.receive(b"\0\1" * 50, 0.0) == []


def test_an_answer_before_octets_that_are_none_is_still_an_answer() -> None:
    stack, meter = ClientStack(ClientSettings(), 16, 1), Meter()
    ask(stack, meter, Open())
    stack.send(Get(REGISTER))
    completed, aborted = stack.receive(meter.answer(stack.octets_to_send()) + b"\xff\xff", 0.0)
    assert isinstance(completed, Completed)
    assert isinstance(aborted, Aborted)


def test_another_association_can_take_the_place_of_the_present_one() -> None:
    stack, meter = ClientStack(ClientSettings(), 16, 1), Meter()
    ask(stack, meter, Open())
    ask(stack, meter, Release())
    stack.use(ClientSettings(), 17, 2)
    ask(stack, meter, Open())
    assert set(meter.associations) == {(16, 1), (17, 2)}
    stack.send(Get(REGISTER))
    with pytest.raises(AssociationError, match="being served"):
        stack.use(ClientSettings(), 18, 1)


def test_between_saps_with_an_unanswered_opening_nothing_is_opened_again() -> None:
    stack, meter = ClientStack(ClientSettings(), 16, 1), Meter()
    stack.send(Open())
    late = meter.answer(stack.octets_to_send())
    stack.cancel()
    with pytest.raises(AssociationError, match="connect again"):
        stack.use(ClientSettings(), 16, 1)
    stack.use(ClientSettings(), 17, 1)
    stack.send(Open())
    assert stack.receive(late, 0.0) == []  # it is told by its SAPs
    (event,) = stack.receive(meter.answer(stack.octets_to_send()), 0.0)
    assert isinstance(event, Completed)
    with pytest.raises(AssociationError, match="connect again"):
        stack.use(ClientSettings(), 16, 1)


def test_losing_the_medium_ends_everything() -> None:
    stack = ClientStack(ClientSettings(), 16, 1)
    stack.send(Open())
    lost = ConnectionLost("gone")
    failed, aborted = stack.lost(lost)
    assert isinstance(failed, Failed)
    assert aborted == Aborted(lost)
    assert stack.deadline() is None


def test_time_outs_are_those_of_the_association() -> None:
    stack = ClientStack(ClientSettings(response_timeout=2.0), 16, 1)
    assert stack.deadline() is None
    stack.send(Open())
    stack.tick(5.0)
    assert stack.deadline() == 7.0
    (event,) = stack.tick(7.0)
    assert isinstance(event, Failed)


FIRST_BLOCK = bytes.fromhex("c40241 00 00000001 00 04 0904 0102")
"""get-response-with-datablock: not the last, block 1, four octets."""


class Scripted:
    """A link with a data link connection, of which the test says what happens."""

    connection_oriented = True

    def __init__(self, most: int = 1000) -> None:
        self.connected = False
        self.most = most
        self.next: list[LinkEvent] = []
        self.sent: list[bytes] = []

    def connect(self) -> None:
        self.next.append(LinkConnected(1, 16))
        self.connected = True

    def disconnect(self) -> None:
        self.connected = False

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        if not self.connected:
            raise ConnectionLost("the link is not connected")
        if len(apdu) > self.most:
            raise EncodeError("the APDU is too long for this link")
        self.sent.append(apdu)

    def octets_to_send(self) -> bytes:
        return b""

    def line_to_set(self) -> None:
        return None

    def deadline(self) -> None:
        return None

    def receive(self, octets: object, now: float) -> list[LinkEvent]:
        events, self.next = self.next, []
        if any(isinstance(event, LinkDisconnected) for event in events):
            self.connected = False
        return events

    def tick(self, now: float) -> list[LinkEvent]:
        return self.receive(b"", now)


class OverScripted:
    """A client and a server over it, between which the association stands."""

    def __init__(self) -> None:
        self.link = Scripted()
        self.stack = ClientStack(ClientSettings(), 16, 1, link=lambda client, server: self.link)
        self.server = ServerAssociation(settings()[1], Shelf())
        self.stack.send(Open())
        self.stack.tick(0.0)
        (event,) = self.answer()
        assert isinstance(event, Completed)

    def answer(self) -> list[Event]:
        self.server.receive(self.link.sent.pop(), 0.0)
        self.link.next = [ApduReceived(self.server.octets_to_send(), 1, 16)]
        return self.stack.receive(b"?", 0.0)


def test_a_data_link_connection_that_ends_behind_a_block_ends_the_request() -> None:
    both = OverScripted()
    both.stack.send(Get(REGISTER))
    both.link.next = [ApduReceived(FIRST_BLOCK, 1, 16), LinkDisconnected(1, 16, ConnectionLost("DM"))]
    failed, aborted = both.stack.receive(b"?", 0.0)
    assert isinstance(failed, Failed)
    assert isinstance(aborted, Aborted)
    assert str(failed.error) == str(aborted.error) == "DM"


def test_a_request_that_the_link_does_not_take_leaves_the_association_free() -> None:
    both = OverScripted()
    both.link.most = 5
    with pytest.raises(EncodeError):
        both.stack.send(Get(REGISTER))
    assert not both.stack.busy
    both.link.most = 1000
    both.stack.send(Get(REGISTER))
    (event,) = both.answer()
    assert isinstance(event, Completed)
    assert event.result == VALUE


def test_an_apdu_in_the_middle_that_the_link_does_not_take_ends_the_association() -> None:
    both = OverScripted()
    both.stack.send(Get(REGISTER))
    both.link.most = 5
    both.link.next = [ApduReceived(FIRST_BLOCK, 1, 16)]
    failed, aborted = both.stack.receive(b"?", 0.0)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, EncodeError)
    assert isinstance(aborted, Aborted)


def test_a_medium_that_is_gone_leaves_no_data_link_connection_to_end() -> None:
    both = OverScripted()
    with pytest.raises(AssociationError, match="disconnect first"):
        both.stack.use(ClientSettings(), 17, 1)
    both.stack.lost(ConnectionLost("gone"))
    assert not both.stack.linked
    both.stack.use(ClientSettings(), 17, 1)
