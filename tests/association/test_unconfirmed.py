"""Service class and priority: unconfirmed requests end when they are sent, high priority only where it was agreed."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.client import ClientAssociation
from cosemic.association.control import State
from cosemic.association.repeating import RepeatingClient
from cosemic.association.requests import (
    Access,
    Action,
    ActionList,
    Completed,
    Get,
    GetList,
    Open,
    Release,
    Request,
    Set,
    SetList,
)
from cosemic.association.server_events import Associated, Refused
from cosemic.association.settings import ClientSettings, PreEstablished, to_all_stations
from cosemic.errors import AssociationError, ConfigurationError, NotAssociated, ServiceFailed
from cosemic.security import MemoryCounterStore, Protection, SecurityMaterial, is_ciphered
from cosemic.values import Conformance, DataAccessResult, Priority, Secret, ServiceClass
from tests.association.samples import (
    AK,
    CLIENT_TITLE,
    ECHO,
    EK,
    QUIET,
    REGISTER,
    SERVER_TITLE,
    VALUE,
    M,
    Talk,
    listed,
    octets,
    settings,
    talk,
)

UNCONFIRMED: Any = {"service_class": ServiceClass.UNCONFIRMED}
HIGH: Any = {"priority": Priority.HIGH}
KINDS = [
    (Get, (REGISTER,), ["get"]),
    (GetList, (listed(REGISTER, REGISTER),), ["get", "get"]),
    (Set, (REGISTER, VALUE), ["set"]),
    (SetList, (listed(REGISTER, REGISTER), (VALUE, VALUE)), ["set", "set"]),
    (Action, (ECHO, VALUE), ["action"]),
    (ActionList, ((ECHO, QUIET), (VALUE, VALUE)), ["action", "action"]),
    (Access, ((Get(REGISTER), Set(REGISTER, VALUE)),), ["get", "set"]),
]
every_kind = pytest.mark.parametrize(("kind", "given", "calls"), KINDS, ids=[one[0].__name__ for one in KINDS])


def invoke_of(apdu: bytes) -> Any:
    message = a.decode(apdu)
    if isinstance(message, a.AccessRequest | a.AccessResponse):
        return message.long_invoke_id_and_priority
    return message.invoke_id_and_priority


@every_kind
def test_an_unconfirmed_request_is_done_when_it_was_sent_and_nothing_is_owed(
    kind: Any, given: tuple[Any, ...], calls: list[str]
) -> None:
    conversation = talk()
    client = conversation.client
    request: Request = kind(*given, **UNCONFIRMED)
    client.send(request)
    assert client.tick(5.0) == []  # it has not left yet
    apdu = client.octets_to_send()
    (event,) = client.tick(5.0)
    assert isinstance(event, Completed)
    assert (event.request, event.result) == (request, None)
    assert not client.busy
    assert client.deadline() is None
    assert invoke_of(apdu).service_class is ServiceClass.UNCONFIRMED
    conversation.server.receive(apdu, 0.0)
    assert conversation.server.octets_to_send() == b""
    assert [name for name, _ in conversation.shelf.calls] == calls
    assert conversation.ask(Get(REGISTER)) == VALUE  # and the answer is taken for what it is


def test_the_octets_of_service_class_and_priority_are_those_of_the_reference() -> None:
    """application_layer.md 7: bit 6 is set in a confirmed request, bit 7 for a high priority; id in bits 0 to 3."""
    conversation = talk()
    for more, octet in (({}, 0x41), (HIGH, 0xC2), (UNCONFIRMED, 0x03), (UNCONFIRMED | HIGH, 0x84)):
        conversation.event(Set(REGISTER, VALUE, **more))
        assert conversation.requests[-1][2] == octet
    conversation.event(Access((Get(REGISTER),), **UNCONFIRMED, **HIGH))
    assert conversation.requests[-1][1:5] == bytes.fromhex("80000001")


@every_kind
@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_the_server_copies_the_priority(kind: Any, given: tuple[Any, ...], calls: list[str], ciphered: bool) -> None:
    conversation = talk(ciphered=ciphered)
    seen: list[bytes] = []
    conversation.client.observer = lambda sent, plain: seen.append(plain)
    for priority in (Priority.NORMAL, Priority.HIGH):
        conversation.ask(kind(*given, priority=priority))
        asked, answered = seen[-2:] if ciphered else (conversation.requests[-1], conversation.answers[-1])
        assert invoke_of(asked).priority is invoke_of(answered).priority is priority


@every_kind
def test_a_high_priority_that_was_not_agreed_is_not_sent(kind: Any, given: tuple[Any, ...], calls: list[str]) -> None:
    conversation = talk(server={"conformance": ~Conformance.PRIORITY_MGMT_SUPPORTED})
    assert not conversation.client.opened.conformance & Conformance.PRIORITY_MGMT_SUPPORTED  # type: ignore[union-attr]
    before = len(conversation.requests)
    for more in (HIGH, HIGH | UNCONFIRMED):
        with pytest.raises(ServiceFailed, match="did not agree to priority-mgmt"):
            conversation.ask(kind(*given, **more))
    assert len(conversation.requests) == before
    conversation.ask(kind(*given))


def test_a_long_answer_of_high_priority_keeps_it_in_every_block() -> None:
    conversation = talk(client={"max_pdu_size": 40})
    conversation.shelf.put(REGISTER, octets(200))
    assert conversation.ask(Get(REGISTER, **HIGH)) == octets(200)
    assert {apdu[2] for apdu in conversation.requests[1:] + conversation.answers[1:]} == {0xC1}


@pytest.mark.parametrize(
    "request_", [Set(REGISTER, octets(100), **UNCONFIRMED), Action(ECHO, octets(99), **UNCONFIRMED)]
)
def test_an_unconfirmed_request_is_not_cut_into_blocks(request_: Request) -> None:
    conversation = talk(server={"max_pdu_size": 60, "conformance": ~Conformance.GENERAL_BLOCK_TRANSFER})
    before = len(conversation.requests)
    with pytest.raises(ServiceFailed, match="one APDU") as caught:
        conversation.ask(request_)
    assert caught.value.label == "pdu-too-long"
    assert len(conversation.requests) == before
    assert not conversation.client.busy
    assert conversation.ask(Get(REGISTER)) == VALUE


def test_fifteen_unconfirmed_requests_leave_every_invoke_id_free() -> None:
    conversation = talk()
    for _ in range(40):
        assert conversation.ask(Set(REGISTER, VALUE, **UNCONFIRMED)) is None
    assert conversation.ask(Get(REGISTER)) == VALUE
    assert len(conversation.shelf.calls) == 41


def test_an_invoke_id_that_owes_an_answer_is_passed_by_whatever_its_priority() -> None:
    conversation = talk()
    client = conversation.client
    client.send(Get(REGISTER, **HIGH))
    owed = client.octets_to_send()[2] & 0x0F
    client.cancel()
    for _ in range(20):
        client.send(Set(REGISTER, VALUE, **UNCONFIRMED))
        assert client.octets_to_send()[2] & 0x0F != owed
        client.tick(1.0)


def test_one_that_is_cancelled_before_it_left_is_not_sent() -> None:
    conversation = talk()
    conversation.client.send(Set(REGISTER, VALUE, **UNCONFIRMED))
    conversation.client.cancel()
    assert conversation.client.octets_to_send() == b""
    assert not conversation.client.busy


def test_a_client_that_repeats_sends_it_once_and_holds_nothing_back() -> None:
    client = RepeatingClient(ClientSettings(repetitions=3, datagram_lifetime=100.0))
    conversation = Talk()
    conversation.client = client
    conversation.open()
    began = conversation.now
    for _ in range(30):
        conversation.ask(Set(REGISTER, VALUE, **UNCONFIRMED))
    assert conversation.now == began
    assert len(conversation.requests) == 31


# ---- an association that is opened without an answer ----------------------------------------------------------------


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
@pytest.mark.parametrize("mechanism", [M.LOWEST, M.LLS], ids=lambda each: each.label)
def test_an_association_is_opened_without_an_answer(mechanism: M, ciphered: bool) -> None:
    conversation = talk(mechanism, ciphered=ciphered, opened=False, client={"response_allowed": False})
    opened = conversation.open()
    assert (opened.confirmed, opened.max_pdu_size) == (False, 0)
    assert conversation.answers == []
    assert conversation.server_events == [Associated(CLIENT_TITLE if ciphered else None)]
    assert conversation.ask(Set(REGISTER, octets(300), **UNCONFIRMED)) is None
    assert conversation.shelf.values[REGISTER.encode()] == octets(300)
    assert is_ciphered(conversation.requests[-1]) is ciphered
    with pytest.raises(AssociationError, match="only unconfirmed requests"):
        conversation.ask(Get(REGISTER))
    sent = len(conversation.requests)
    conversation.ask(Release())
    assert conversation.client.state is State.IDLE
    assert (len(conversation.requests), conversation.answers) == (sent, [])
    conversation.open()  # and again, in place of the first
    conversation.ask(Set(REGISTER, octets(2), **UNCONFIRMED))
    assert conversation.shelf.values[REGISTER.encode()] == octets(2)


def test_the_initiate_request_says_that_no_answer_is_wanted() -> None:
    """application_layer.md 6.1: dedicated-key absent, response-allowed present and FALSE."""
    conversation = talk(opened=False, client={"response_allowed": False})
    conversation.open()
    assert a.AARQ.decode(conversation.requests[0]).user_information[:4] == bytes.fromhex("01000100")  # type: ignore[index]


def test_whoever_is_refused_so_does_not_hear_of_it() -> None:
    client, _ = settings(M.LLS, client={"response_allowed": False, "secret": Secret.password(b"wrong")})
    conversation = Talk(client, settings(M.LLS)[1])
    conversation.open()
    assert conversation.ask(Set(REGISTER, octets(2), **UNCONFIRMED)) is None
    assert isinstance(conversation.server_events[0], Refused)
    assert (conversation.answers, conversation.shelf.calls) == ([], [])


@pytest.mark.parametrize("mechanism", [M.HLS_MD5, M.HLS_GMAC], ids=lambda each: each.label)
def test_high_level_security_needs_an_answer(mechanism: M) -> None:
    with pytest.raises(ConfigurationError, match="no high level security"):
        settings(mechanism, client={"response_allowed": False})


# ---- pre-established, and to all stations ---------------------------------------------------------------------------


def test_nothing_is_asked_in_a_pre_established_association_that_is_not_confirmed() -> None:
    beforehand = PreEstablished(confirmed=False)
    conversation = Talk(*settings(client={"pre_established": beforehand}, server={"pre_established": beforehand}))
    with pytest.raises(NotAssociated):
        conversation.ask(Set(REGISTER, VALUE, **UNCONFIRMED))
    assert conversation.open().confirmed is False
    for refused in (Get(REGISTER), Set(REGISTER, VALUE), Action(ECHO)):
        with pytest.raises(AssociationError, match="nothing is answered"):
            conversation.ask(refused)
    assert conversation.requests == []
    conversation.ask(Set(REGISTER, octets(3), **UNCONFIRMED))
    assert conversation.shelf.values[REGISTER.encode()] == octets(3)
    with pytest.raises(ServiceFailed):
        conversation.ask(Set(REGISTER, octets(3), **UNCONFIRMED, **HIGH))  # not agreed beforehand


BROADCAST_KEY = Secret(bytes(range(0x40, 0x50)), "broadcast key")


def with_broadcast_key() -> SecurityMaterial:
    return SecurityMaterial.of(
        Secret(EK, "encryption key"), Secret(AK, "authentication key"), broadcast_key=BROADCAST_KEY
    )


def test_what_is_sent_to_all_goes_under_the_broadcast_key_and_has_counters_of_its_own() -> None:
    counters = MemoryCounterStore()
    ours, theirs = settings(
        ciphered=True,
        client={"material": with_broadcast_key(), "counters": counters},
        server={"material": with_broadcast_key(), "pre_established": PreEstablished(), "client_title": CLIENT_TITLE},
    )
    conversation = Talk(to_all_stations(ours), theirs)
    conversation.open()
    for number in range(3):
        conversation.client.send(Set(REGISTER, octets(number), **UNCONFIRMED))
        apdu = conversation.client.octets_to_send()
        assert apdu[2] == 0x70  # security control: broadcast, authenticated and encrypted, suite 0
        assert conversation.client.tick(1.0)
        conversation.server.receive_broadcast(apdu, 0.0)
        assert conversation.shelf.values[REGISTER.encode()] == octets(number)
        assert conversation.shelf.protection[-1] == Protection.AUTHENTICATED | Protection.ENCRYPTED
        conversation.server.receive_broadcast(apdu, 0.0)  # a double
    assert len(conversation.shelf.calls) == 3
    identity = with_broadcast_key().encryption_key.identity
    assert counters.transmit_state(identity, CLIENT_TITLE).next == 0


def test_to_all_stations_with_ciphering_needs_the_broadcast_key() -> None:
    ours, _ = settings(M.HLS_GMAC, ciphered=True, client={"server_title": SERVER_TITLE})
    with pytest.raises(ConfigurationError, match="no broadcast key"):
        to_all_stations(ours)
    assert to_all_stations(settings(M.LLS)[0]).mechanism is M.LOWEST


def test_the_plain_number_of_a_request_costs_nothing_more_than_before() -> None:
    """Confirmed requests of normal priority take their octet from a table, whatever was asked before."""
    client = ClientAssociation(ClientSettings())
    conversation = Talk()
    conversation.client = client
    conversation.open()
    conversation.ask(Get(REGISTER, **HIGH))
    conversation.ask(Get(REGISTER))
    assert client._terms.invoke is a.InvokeIdAndPriority.of(2, ServiceClass.CONFIRMED, Priority.NORMAL)
    assert conversation.ask(Set(REGISTER, VALUE)) is DataAccessResult.SUCCESS
    assert isinstance(conversation.event(Release()), Completed)
    assert isinstance(conversation.event(Open()), Completed)


@pytest.mark.parametrize("handed_out", [False, True])
def test_an_opening_without_an_answer_that_is_cancelled_does_not_stand(handed_out: bool) -> None:
    client = ClientAssociation(ClientSettings(response_allowed=False))
    client.send(Open())
    if handed_out:
        client.octets_to_send()
    client.cancel()
    assert (client.state, client.opened, client.octets_to_send()) == (State.IDLE, None, b"")
    with pytest.raises(NotAssociated):
        client.send(Set(REGISTER, VALUE, **UNCONFIRMED))
    client.send(Open())  # nothing is owed: it can be opened again
    assert client.octets_to_send()[0] == 0x60
