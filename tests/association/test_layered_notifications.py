"""Notifications outside associations, in general-ciphering and general-signing."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.notifications import NotificationRefused, Notified, NotifyData
from cosemic.association.notified import Confirming, NotificationReceiver, Originator
from cosemic.association.notifying import Delivered, NotificationSender, Sent, Undelivered
from cosemic.errors import ConfigurationError, DecipheringError, PolicyViolation
from cosemic.security import MemoryCounterStore, Protection
from cosemic.security.general import Layer, LayerPlan, read_header
from cosemic.security.general.party_keys import KnownPartyKeys
from cosemic.values import ServiceClass
from tests.association.general_samples import ALL, BOTH, SIGNED, K, by_anybody, keys, known_to, material, parties
from tests.association.notification_samples import due, receiving, sending
from tests.association.samples import CLIENT_TITLE, OTHER_TITLE, SERVER_TITLE, octets

suites = pytest.mark.parametrize("suite", [1, 2])


def plan(key_info: K | None = None, signed: bool = True) -> LayerPlan:
    layers = [Layer(recipient=CLIENT_TITLE, key_info=key_info)]
    if signed:
        layers.append(Layer(recipient=CLIENT_TITLE, protection=SIGNED))
    return LayerPlan(tuple(layers))


def meter(suite: int = 1, layers: LayerPlan | None = None, ours: dict[str, Any] | None = None, **more: Any) -> Any:
    """A meter that reports to the client."""
    given = {"material": material(suite), "layers": layers or plan(K.ONE_PASS)}
    given["parties"] = parties(SERVER_TITLE, suite, **({"keys": keys(suite, CLIENT_TITLE)} | (ours or {})))
    return NotificationSender(sending(**(given | more)))


def head_end(suite: int = 1, require: Protection = BOTH | SIGNED, **more: Any) -> NotificationReceiver:
    known = Originator(
        SERVER_TITLE, material(suite), require=require, parties=parties(CLIENT_TITLE, suite, **more.pop("theirs", {}))
    )
    return NotificationReceiver(receiving(known, **more))


@suites
@pytest.mark.parametrize("kind", sorted(ALL, key=lambda each: each.name), ids=lambda each: each.name)
def test_what_a_meter_reports_in_layers_is_told(suite: int, kind: K) -> None:
    one, other = meter(suite, plan(kind)), head_end(suite)
    one.send(NotifyData(octets(20)))
    (apdu,) = due(one)
    assert apdu[0] == 0xDD
    (event,) = other.receive(apdu, 1.0)
    assert isinstance(event, Notified)
    assert (event.system_title, event.protection, event.authenticated) == (SERVER_TITLE, BOTH | SIGNED, True)
    assert event.apdu.notification_body == octets(20)  # type: ignore[union-attr]
    assert due(other) == []
    assert isinstance(one.tick(1.0)[0], Sent)
    (refused,) = other.receive(apdu, 2.0)
    assert isinstance(refused, NotificationRefused)


@suites
@pytest.mark.parametrize("confirming", [Confirming.AT_ONCE, Confirming.WHEN_TOLD])
def test_it_is_confirmed_in_the_same_layers(suite: int, confirming: Confirming) -> None:
    one, other = meter(suite), head_end(suite, confirming=confirming)
    one.send(NotifyData(octets(20), confirmed=True))
    (apdu,) = due(one)
    one.tick(0.0)
    (event,) = other.receive(apdu, 1.0)
    assert isinstance(event, Notified)
    if confirming is Confirming.WHEN_TOLD:
        assert due(other) == []
        other.confirm(event)
    (confirmation,) = due(other)
    assert confirmation[0] == 0xDD
    assert read_header(confirmation)[0].transaction_id == read_header(apdu)[0].transaction_id
    (delivered,) = one.receive(confirmation, 2.0)
    assert isinstance(delivered, Delivered)


def test_a_repetition_is_told_once_and_confirmed_again() -> None:
    one, other = meter(repetitions=1), head_end()
    one.send(NotifyData(octets(20), confirmed=True))
    assert len(other.receive(due(one)[0], 1.0)) == 1
    one.tick(1.0)
    assert len(due(other)) == 1  # and lost
    one.tick(100.0)
    (again,) = due(one)
    assert other.receive(again, 100.0) == []
    (delivered,) = one.receive(due(other)[0], 101.0)
    assert isinstance(delivered, Delivered)


def test_a_confirmation_without_layers_counts_for_nothing() -> None:
    one, other = meter(), head_end()
    one.send(NotifyData(octets(20), confirmed=True))
    other.receive(due(one)[0], 1.0)
    one.tick(1.0)
    weak = NotificationReceiver(receiving(Originator(SERVER_TITLE, material(1))))
    plain = NotificationSender(sending(material=material(1)), long_invoke_id=0)
    plain.send(NotifyData(octets(20), confirmed=True))
    weak.receive(due(plain)[0], 1.0)
    (downgraded,) = due(weak)
    assert downgraded[0] == 0xDB
    assert one.receive(downgraded, 2.0) == []
    assert one.busy
    (failed,) = one.tick(100.0)
    assert isinstance(failed, Undelivered)


@pytest.mark.parametrize("repeated", [False, True], ids=["of-another", "of-a-repetition"])
def test_nobody_without_keys_confirms_with_a_transaction_id_that_was_seen(repeated: bool) -> None:
    one = meter(repetitions=1)
    one.send(NotifyData(octets(20), confirmed=True))
    seen = read_header(due(one)[0])[0].transaction_id
    one.tick(0.0)
    if repeated:
        one.tick(100.0)
    else:
        one.cancel()
        one.send(NotifyData(octets(21), confirmed=True))
    due(one)
    number = a.LongInvokeIdAndPriority.of(one.long_invoke_id)
    forged = by_anybody(a.DataNotificationConfirm(number, b"").encode(), seen, CLIENT_TITLE, SERVER_TITLE)
    assert one.receive(forged, 101.0) == []
    assert one.busy


@pytest.mark.parametrize("confirming", [Confirming.AT_ONCE, Confirming.WHEN_TOLD])
def test_what_anybody_writes_around_a_notification_holds_up_no_confirmation(confirming: Confirming) -> None:
    """Where notifications in clear are taken too."""
    one, other = meter(), head_end(require=Protection.NONE, confirming=confirming)
    one.send(NotifyData(octets(20), confirmed=True))
    (apdu,) = due(one)
    one.tick(0.0)
    number = a.LongInvokeIdAndPriority.of(1, service_class=ServiceClass.CONFIRMED)
    forged = by_anybody(a.DataNotification(number, b"", octets(3)).encode(), b"12345678")
    (anonymous,) = other.receive(forged, 1.0)
    (event,) = other.receive(apdu, 1.0)
    assert isinstance(anonymous, Notified)
    assert isinstance(event, Notified)
    assert anonymous.system_title is None
    other.receive(forged, 1.5)
    if confirming is Confirming.WHEN_TOLD:
        other.confirm(event)
    answers = due(other)
    assert [answer[0] for answer in answers if answer[0] != 0x10] == [0xDD]
    (delivered,) = [event for answer in answers for event in one.receive(answer, 2.0)]
    assert isinstance(delivered, Delivered)


def test_a_sender_goes_on_with_the_keys_that_are_believed_now() -> None:
    believed = KnownPartyKeys()
    one, other = meter(layers=plan(K.GLOBAL_UNICAST), ours={"keys": believed}), head_end()
    one.send(NotifyData(octets(20)))
    other.receive(due(one)[0], 1.0)
    one.tick(1.0)
    certified = keys(1, CLIENT_TITLE)
    believed._signing.update(certified._signing)
    believed._agreement.update(certified._agreement)
    one.send(NotifyData(octets(21), confirmed=True))
    other.receive(due(one)[0], 2.0)
    (event,) = one.receive(due(other)[0], 3.0)
    assert isinstance(event, Delivered)


@suites
def test_what_is_not_as_demanded_is_refused_and_changes_nothing(suite: int) -> None:
    counters = MemoryCounterStore()
    other = head_end(suite, counters=counters)
    known = other.settings.keys(SERVER_TITLE)  # type: ignore[misc]
    assert known is not None
    assert known.parties is not None

    def refused(sender: Any) -> Any:
        sender.send(NotifyData(octets(20)))
        (event,) = other.receive(due(sender)[0], 1.0)
        assert isinstance(event, NotificationRefused)
        assert counters._receive == {}
        assert known_to(known.parties.transactions) == {}
        return event.error

    assert isinstance(refused(meter(suite, plan(K.ONE_PASS, signed=False))), PolicyViolation)
    plain = NotificationSender(sending(material=material(suite)))
    assert isinstance(refused(plain), PolicyViolation)
    assert isinstance(refused(meter(suite, system_title=OTHER_TITLE)), DecipheringError)
    stranger = parties(CLIENT_TITLE, suite)
    assert isinstance(
        refused(
            meter(
                suite,
                ours={"signing_key": stranger.signing_key, "keys": keys(suite, OTHER_TITLE)},
                layers=plan(K.GLOBAL_UNICAST),
            )
        ),
        DecipheringError,
    )


def test_what_is_confirmed_too_late_is_left_to_be_repeated() -> None:
    one, other = meter(layers=plan(K.GLOBAL_UNICAST)), head_end(confirming=Confirming.WHEN_TOLD)
    events: list[Any] = []
    for _ in range(66):
        one.send(NotifyData(octets(3), confirmed=True))
        events += other.receive(due(one)[0], 1.0)
        one.cancel()
    other.confirm(events[-1])
    assert due(other)[0][0] == 0xDD
    with pytest.raises(DecipheringError, match="too long ago"):
        other.confirm(events[0])
    assert due(other) == []


def test_layers_of_a_sender_without_parties_are_refused() -> None:
    other = NotificationReceiver(receiving(Originator(SERVER_TITLE, material(1))))
    one = meter()
    one.send(NotifyData(octets(20)))
    (event,) = other.receive(due(one)[0], 1.0)
    assert isinstance(event, NotificationRefused)
    assert isinstance(event.error, DecipheringError)


def test_a_long_one_is_cut_after_it_was_protected() -> None:
    one, other = meter(max_pdu_size=128), head_end()
    one.send(NotifyData(octets(500)))
    blocks = due(one)
    assert {apdu[0] for apdu in blocks} == {0xE0}
    events = [event for apdu in blocks for event in other.receive(apdu, 1.0)]
    (event,) = events
    assert isinstance(event, Notified)


@pytest.mark.parametrize(
    "changed",
    [
        {"parties": None},
        {"recipient_title": None},
        {"material": None},
        {"layers": LayerPlan(())},
        {"recipient_title": OTHER_TITLE},
    ],
    ids=str,
)
def test_settings_that_do_not_go_together(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        meter(**changed)
