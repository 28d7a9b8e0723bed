"""Notifications in an association: they come whenever they like, disturb no request, and are what they have to be."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.control import State
from cosemic.association.notifications import Notified
from cosemic.association.requests import Completed, Get, Open, Release, Set
from cosemic.association.server_events import NotificationConfirmed
from cosemic.association.unconfirmed_blocks import cut
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, CipheredForm
from cosemic.errors import EncodeError, NotAssociated, ServiceFailed
from cosemic.security import Envelope, Protection
from cosemic.values import Conformance
from tests.association.notification_samples import due
from tests.association.samples import BOTH, REGISTER, SERVER_TITLE, VALUE, M, Talk, octets, secure, talk

DATA = bytes.fromhex("0f0000000100120005")
CONFIRMED = bytes.fromhex("0f4000000100120005")
EVENT = bytes.fromhex("c20000080000010000ff02120005")
REPORT = bytes.fromhex("1800010201080111 05".replace(" ", ""))
LARGE = a.DataNotification(a.LongInvokeIdAndPriority(1), b"", octets(300)).encode()

FORMS = {
    "plain": lambda: talk(),
    "glo": lambda: secure(),
    "ded": lambda: secure(client={"dedicated_key": True}),
    "general": lambda: secure(dialect=STANDARD.but(ciphered_form=CipheredForm.GENERAL)),
}
forms = pytest.mark.parametrize("form", FORMS)


def sent(conversation: Talk, apdu: bytes) -> list[bytes]:
    """What the server sends for a notification of its own."""
    conversation.server.send(apdu)
    return due(conversation.server)


def told(conversation: Talk, octets_: bytes) -> list[Any]:
    return conversation.client.receive(octets_, conversation.now)


# ---- at the client ----------------------------------------------------------------------------------------------


@forms
@pytest.mark.parametrize("apdu", [DATA, EVENT], ids=["data", "event"])
def test_a_notification_is_told_while_nothing_is_asked(form: str, apdu: bytes) -> None:
    conversation = FORMS[form]()
    (octets_,) = sent(conversation, apdu)
    (event,) = told(conversation, octets_)
    assert isinstance(event, Notified)
    assert event.apdu.encode() == apdu
    expected = (None, Protection.NONE, False) if form == "plain" else (SERVER_TITLE, BOTH, True)
    assert (event.system_title, event.protection, event.authenticated) == expected
    assert due(conversation.client) == []
    assert conversation.ask(Get(REGISTER)) == VALUE


def test_nothing_is_told_to_a_client_that_has_not_proved_itself() -> None:
    conversation = talk(M.HLS_SHA1, opened=False)
    conversation.client.send(Open())
    conversation.step()
    assert conversation.server.state is State.ASSOCIATION_PENDING
    with pytest.raises(NotAssociated):
        conversation.server.send(DATA)
    assert conversation.server.receive(bytes.fromhex("104000000100"), conversation.now) == [], "nor is it believed"
    assert due(conversation.server) == []


@forms
def test_a_notification_does_not_disturb_the_request_that_is_served(form: str) -> None:
    conversation = FORMS[form]()
    conversation.shelf.put(REGISTER, octets(500))
    conversation.client.send(Get(REGISTER))
    conversation.client.tick(conversation.now)
    deadline = conversation.client.deadline()
    notifications = [*sent(conversation, DATA), *sent(conversation, EVENT)]
    for octets_ in notifications:
        assert [type(one) for one in told(conversation, octets_)] == [Notified]
        assert conversation.client.deadline() == deadline
    events: list[Any] = []
    while not events:
        events = conversation.step()
    assert isinstance(events[0], Completed)
    assert events[0].result == octets(500)


@forms
def test_a_confirmed_one_is_confirmed_at_once_and_the_server_is_told(form: str) -> None:
    conversation = FORMS[form]()
    for busy in (False, True):
        if busy:
            conversation.client.send(Get(REGISTER))
            conversation.server.receive(conversation.client.octets_to_send(), conversation.now)
            due(conversation.server)
        number = bytes((busy + 1,))
        (octets_,) = sent(conversation, CONFIRMED[:4] + number + CONFIRMED[5:])
        assert [type(one) for one in told(conversation, octets_)] == [Notified]
        (confirmation,) = due(conversation.client)
        if form != "plain":
            assert Envelope.of(confirmation) in (Envelope.GENERAL_GLO, Envelope.GENERAL_DED)
        (event,) = conversation.server.receive(confirmation, conversation.now)
        assert isinstance(event, NotificationConfirmed)
        assert event.confirmation.long_invoke_id_and_priority.invoke_id == busy + 1
        assert due(conversation.server) == [], "nothing is answered to a confirmation"


@forms
def test_confirmation_and_request_reach_the_server_in_the_order_of_their_counters(form: str) -> None:
    conversation = FORMS[form]()
    (octets_,) = sent(conversation, CONFIRMED)
    conversation.client.send(Get(REGISTER))
    told(conversation, octets_)
    events = []
    for apdu in due(conversation.client):
        events += conversation.server.receive(apdu, conversation.now)
    assert [type(one) for one in events] == [NotificationConfirmed]
    (answer,) = due(conversation.server)
    assert told(conversation, answer)[0].result == VALUE


def test_what_waits_to_be_confirmed_is_bounded() -> None:
    conversation = talk()
    for number in range(1000):
        told(conversation, a.DataNotification(a.LongInvokeIdAndPriority(0x40000000 + number), b"", VALUE).encode())
    assert len(due(conversation.client)) <= 64


@forms
def test_a_repeated_one_is_told_once_and_confirmed_again(form: str) -> None:
    conversation = FORMS[form]()
    told_of = []
    for _ in range(3):
        (octets_,) = sent(conversation, CONFIRMED)
        told_of += told(conversation, octets_)
        assert len(due(conversation.client)) == 1
    assert len(told_of) == 1


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("form", ["glo", "ded", "general"])
def test_what_is_not_protected_as_it_must_be_is_passed_over(form: str, busy: bool) -> None:
    conversation = FORMS[form]()
    context = conversation.server.context
    assert context is not None
    glo = Envelope.kind(dedicated=context.material.dedicated_key is not None, general=False)
    good = context.protect_apdu(EVENT, glo)
    bad = [
        DATA,
        EVENT,
        REPORT,
        CONFIRMED,
        good[:-1] + bytes((good[-1] ^ 1,)),
        good[:20],
        context.protect_apdu(EVENT, glo, protection=Protection.AUTHENTICATED),
        context.protect_apdu(EVENT, glo, protection=Protection.ENCRYPTED),
    ]
    if busy:
        conversation.client.send(Get(REGISTER))
    for octets_ in bad:
        assert told(conversation, octets_) == []
    own = conversation.client.context
    assert own is not None
    assert told(conversation, own.protect_apdu(EVENT, glo)) == [], "reflected"
    fresh = context.protect_apdu(EVENT, glo)
    assert len(told(conversation, fresh)) == 1
    assert told(conversation, fresh) == [], "a replay"
    if busy:
        assert isinstance(conversation.step()[0], Completed)
    else:
        assert due(conversation.client) == []
        assert conversation.ask(Get(REGISTER)) == VALUE


def test_a_late_answer_in_a_general_envelope_is_passed_over() -> None:
    conversation = FORMS["general"]()
    conversation.client.send(Get(REGISTER))
    conversation.server.receive(conversation.client.octets_to_send(), conversation.now)
    conversation.client.cancel()
    (late,) = due(conversation.server)
    assert told(conversation, late) == []
    assert conversation.ask(Get(REGISTER)) == VALUE


def test_outside_an_association_with_ciphering_nothing_is_taken_in_clear() -> None:
    conversation = secure(opened=False)
    assert told(conversation, DATA) == []
    assert talk(opened=False).client.receive(DATA, 1.0) != []
    conversation.ask(Open())
    conversation.ask(Release())
    assert told(conversation, DATA) == []
    assert conversation.client._unsolicited.refused == 2


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("form", ["plain", "general"])
def test_notifications_in_blocks_are_joined(form: str, busy: bool) -> None:
    conversation = FORMS[form]()
    whole = LARGE
    if form != "plain":
        assert conversation.server.context is not None
        whole = conversation.server.context.protect_apdu(LARGE, Envelope.GENERAL_GLO)
    if busy:
        conversation.client.send(Get(REGISTER))
    events = [event for block in cut(whole, 64) for event in told(conversation, block)]
    assert [one.apdu.encode() for one in events] == [LARGE]
    if busy:
        assert isinstance(conversation.step()[0], Completed)


def test_a_report_comes_in_an_association_with_short_names_too() -> None:
    conversation = talk()
    (event,) = told(conversation, REPORT)
    assert event.apdu.list_of_data == (EncodedData.of(DataType.UNSIGNED, 5),)


# ---- at the server ----------------------------------------------------------------------------------------------


def test_a_server_sends_notifications_of_its_association_and_nothing_else() -> None:
    conversation = talk()
    assert sent(conversation, DATA) == [DATA]
    for octets_ in (b"", b"\xc4\x01\x41\x00\x00", b"\x10\x40\x00\x00\x01\x00"):
        with pytest.raises(EncodeError):
            conversation.server.send(octets_)
    with pytest.raises(ServiceFailed, match="information-report"):
        conversation.server.send(REPORT)
    with pytest.raises(NotAssociated):
        talk(opened=False).server.send(DATA)
    assert due(conversation.server) == []


@pytest.mark.parametrize(
    ("missing", "apdu"),
    [(Conformance.DATA_NOTIFICATION, DATA), (Conformance.EVENT_NOTIFICATION, EVENT)],
)
def test_what_was_not_agreed_upon_is_not_sent(missing: Conformance, apdu: bytes) -> None:
    conversation = talk(client={"conformance": Conformance((1 << 24) - 1) & ~missing})
    with pytest.raises(ServiceFailed, match=missing.names()[0]):
        conversation.server.send(apdu)
    assert due(conversation.server) == []


def test_what_the_client_does_not_take_is_refused_without_block_transfer() -> None:
    conversation = talk(client={"max_pdu_size": 100, "conformance": Conformance.GET | Conformance.DATA_NOTIFICATION})
    with pytest.raises(ServiceFailed, match="general-block-transfer"):
        conversation.server.send(LARGE)
    assert due(conversation.server) == []


@pytest.mark.parametrize("form", ["plain", "general"])
def test_what_the_client_does_not_take_at_once_comes_in_blocks(form: str) -> None:
    more: dict[str, Any] = {"client": {"max_pdu_size": 100, "general_blocks": True}}
    general = STANDARD.but(ciphered_form=CipheredForm.GENERAL)
    conversation = talk(**more) if form == "plain" else secure(dialect=general, **more)
    blocks = sent(conversation, LARGE)
    assert {block[0] for block in blocks} == {0xE0}
    assert max(map(len, blocks)) <= 100
    (event,) = [event for block in blocks for event in told(conversation, block)]
    assert event.apdu.encode() == LARGE


@pytest.mark.parametrize("octets_", ["10", "1040", "104000000105", "10400000010100ff"])
def test_a_confirmation_that_cannot_be_read_is_passed_over(octets_: str) -> None:
    conversation = talk()
    assert conversation.server.receive(bytes.fromhex(octets_), 1.0) == []
    assert due(conversation.server) == []
    assert conversation.ask(Get(REGISTER)) == VALUE


def test_a_confirmation_in_clear_is_none_where_protection_is_demanded() -> None:
    conversation = secure()
    assert conversation.server.receive(bytes.fromhex("104000000100"), 1.0) == []
    assert due(conversation.server)[0][0] == 0xD8


def test_a_change_is_not_disturbed_either() -> None:
    conversation = secure()
    conversation.client.send(Set(REGISTER, VALUE))
    for octets_ in sent(conversation, EVENT):
        assert [type(one) for one in told(conversation, octets_)] == [Notified]
    assert isinstance(conversation.step()[0], Completed)


# ---- beside general block transfer ------------------------------------------------------------------------------


def long_answers(form: str, **server: Any) -> Talk:
    blocks = {"general_blocks": True, "max_pdu_size": 128}
    ciphered = {} if form == "plain" else {"ciphered": True}
    conversation = talk(*(() if form == "plain" else (M.HLS_GMAC,)), client=blocks, server=server, **ciphered)
    conversation.shelf.put(REGISTER, octets(1000))
    return conversation


@pytest.mark.parametrize("form", ["plain", "ciphered"])
def test_a_notification_waits_for_the_end_of_an_answer_in_blocks(form: str) -> None:
    conversation = long_answers(form)
    conversation.client.send(Get(REGISTER))
    conversation.client.tick(conversation.now)
    events: list[Any] = []
    for step in range(100):
        events += conversation.step()
        if step == 1:
            conversation.server.send(EVENT)
            conversation.server.send(DATA)
        if any(isinstance(one, Completed) for one in events):
            break
    (completed,) = (one for one in events if isinstance(one, Completed))
    assert completed.result == octets(1000)
    later = [event for apdu in due(conversation.server) for event in told(conversation, apdu)]
    notified = [one.apdu.encode() for one in events + later if isinstance(one, Notified)]
    assert notified == [EVENT, DATA]


def test_what_waits_for_the_end_of_an_answer_is_bounded_and_goes_with_the_association() -> None:
    conversation = long_answers("plain")
    conversation.client.send(Get(REGISTER))
    conversation.step()
    for _ in range(64):
        conversation.server.send(EVENT)
    with pytest.raises(ServiceFailed, match="wait for the end"):
        conversation.server.send(EVENT)
    with pytest.raises(EncodeError):
        conversation.server.send(b"")
    due(conversation.server)
    conversation.server.receive(conversation.requests[0], conversation.now)
    assert [apdu[0] for apdu in due(conversation.server)] == [0x61], "they were for the association before"
    conversation.server.lost()
    assert due(conversation.server) == []


@pytest.mark.parametrize("form", ["plain", "ciphered"])
def test_a_confirmation_waits_for_the_end_of_a_transfer_in_blocks(form: str) -> None:
    conversation = long_answers(form, max_pdu_size=128)
    conversation.client.send(Set(REGISTER, octets(5000)))
    conversation.client.tick(conversation.now)
    assert conversation.step() == []
    window = due(conversation.client)
    (octets_,) = sent(conversation, CONFIRMED)
    assert isinstance(told(conversation, octets_)[0], Notified)
    assert due(conversation.client) == [], "its counter would pass that of the request"
    for block in window:
        conversation.server.receive(block, conversation.now)
    events = [event for answer in due(conversation.server) for event in told(conversation, answer)]
    while not events:
        events += conversation.step()
    assert isinstance(events[0], Completed)
    confirmed = [event for apdu in due(conversation.client) for event in conversation.server.receive(apdu, 1.0)]
    assert [type(one) for one in confirmed] == [NotificationConfirmed]


def test_a_notification_that_is_longer_than_agreed_ends_no_request() -> None:
    conversation = talk(client={"max_pdu_size": 64})
    conversation.client.send(Get(REGISTER))
    assert [type(one) for one in told(conversation, LARGE)] == [Notified]
    assert isinstance(conversation.step()[0], Completed)
