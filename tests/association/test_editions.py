"""Editions of IEC 62056-5-3: one switch of the dialect, in server and client."""

from __future__ import annotations

import pytest

from cosemic import apdu as a
from cosemic.apdu.notification import TimeWithoutLength
from cosemic.association.notifications import NotifyEvent
from cosemic.association.notifying import NotificationSender, NotifyingSettings
from cosemic.association.requests import Access, Get
from cosemic.dialect import EDITIONS, STANDARD, Edition
from cosemic.errors import ServiceFailed
from cosemic.values import Conformance
from tests.association.samples import REGISTER, VALUE, secure, talk

TIME = bytes.fromhex("07ea0b14050e1e0000ffc400")


def bit(number: int) -> int:
    return 1 << (23 - number)


RESERVED = {
    Edition.GREEN_BOOK_7: bit(1) | bit(2) | bit(6) | bit(16) | bit(17),
    Edition.GREEN_BOOK_8: bit(6),
    Edition.GREEN_BOOK_9: bit(6),
    Edition.GREEN_BOOK_10: 0,
    Edition.GREEN_BOOK_11: 0,
}


@pytest.mark.parametrize("edition", Edition, ids=lambda one: one.value)
@pytest.mark.parametrize("side", ["client", "server"])
def test_what_an_edition_reserves_is_neither_proposed_nor_offered(edition: Edition, side: str) -> None:
    conversation = talk(**{side: {"dialect": STANDARD.but(edition=edition)}})
    initiate = a.InitiateRequest.decode(a.AARQ.decode(conversation.requests[0]).user_information or b"")
    if side == "client":
        assert not initiate.proposed_conformance & RESERVED[edition]
    agreed = conversation.client.opened.conformance  # type: ignore[union-attr]
    assert not agreed & RESERVED[edition]
    assert bool(agreed & Conformance.ACCESS) == (edition is not Edition.GREEN_BOOK_7)
    assert conversation.ask(Get(REGISTER)) == VALUE
    if edition is Edition.GREEN_BOOK_7:
        with pytest.raises(ServiceFailed, match="access"):
            conversation.ask(Access((Get(REGISTER),)))


def test_ciphering_does_without_general_protection() -> None:
    conversation = secure(client={"dialect": STANDARD.but(edition=Edition.GREEN_BOOK_7)})
    assert conversation.ask(Get(REGISTER)) == VALUE
    assert not conversation.client.opened.conformance & Conformance.GENERAL_PROTECTION  # type: ignore[union-attr]


def test_every_edition_has_its_differences_and_the_newest_is_the_standard() -> None:
    assert set(EDITIONS) == set(Edition)
    assert STANDARD.edition is Edition.GREEN_BOOK_11
    assert {one: int(EDITIONS[one].reserved) for one in Edition} == RESERVED
    assert [one.value for one in Edition if EDITIONS[one].data_notification_confirm] == ["9", "10", "11"]


def event(edition: Edition, time: bytes | None) -> bytes:
    notifier = NotificationSender(NotifyingSettings(dialect=STANDARD.but(edition=edition)))
    notifier.send(NotifyEvent(REGISTER, VALUE, time))
    return notifier.octets_to_send()


def test_the_time_of_an_event_in_both_forms() -> None:
    """application_layer.md 12: 01 and twelve octets, or 01 0C and twelve octets; both are read."""
    for edition, head in ((Edition.GREEN_BOOK_7, "c201"), (Edition.GREEN_BOOK_11, "c2010c")):
        octets = event(edition, TIME)
        assert octets.startswith(bytes.fromhex(head) + TIME)
        read = a.EventNotificationRequest.decode(octets)
        assert (read.time, read.attribute_value) == (TIME, VALUE)
        assert event(edition, None).startswith(b"\xc2\x00")


def test_a_time_that_could_not_be_read_without_its_length_keeps_it() -> None:
    for time in (b"", b"\x06" * 12, TIME[:7]):
        made = a.EventNotificationRequest(TimeWithoutLength(time), REGISTER, VALUE)
        assert a.EventNotificationRequest.decode(made.encode()).time == time


@pytest.mark.parametrize("edition", [Edition.GREEN_BOOK_8, Edition.GREEN_BOOK_9], ids=lambda one: one.value)
def test_a_data_notification_is_confirmed_from_edition_9_on(edition: Edition) -> None:
    conversation = talk(client={"dialect": STANDARD.but(edition=edition)})
    notification = bytes.fromhex("0f400000010002021100 1105".replace(" ", ""))
    (notified,) = conversation.client.receive(notification, 0.0)
    assert type(notified).__name__ == "Notified"
    due = conversation.client.octets_to_send()
    assert due == (b"" if edition is Edition.GREEN_BOOK_8 else bytes.fromhex("104000000100"))
