"""Notifications as they come: from real meters, in blocks, repeated, replayed, forged; and what is confirmed."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.notifications import NotificationRefused, Notified, NotifyData, NotifyEvent
from cosemic.association.notified import (
    ConfirmationFailed,
    Confirming,
    NotificationReceiver,
    Originator,
    Originators,
    ReceivingSettings,
)
from cosemic.association.notifying import Delivered, NotificationSender, NotifyingSettings
from cosemic.association.unconfirmed_blocks import cut
from cosemic.codec import DataType, EncodedData
from cosemic.errors import (
    AssociationError,
    ConfigurationError,
    CounterExhausted,
    DecipheringError,
    DecodeError,
    InvocationCounterError,
    PolicyViolation,
    ProtocolError,
)
from cosemic.link.hdlc.reassembly import HdlcReassembler
from cosemic.link.hdlc.stream import HdlcStreamReader
from cosemic.link.mbus import MbusPushLink
from cosemic.security import Envelope, MemoryCounterStore, Protection, SecurityControl, SecurityMaterial, protect
from cosemic.values import Secret
from tests.association.notification_samples import due, receiver, receiving, sender, sending, with_broadcast_key
from tests.association.samples import AK, BOTH, CLIENT_TITLE, CLOCK, EK, OTHER_TITLE, SERVER_TITLE, material, octets
from tests.vectors import book

NONE = Protection.NONE
VALUE = EncodedData.of(DataType.LONG_UNSIGNED, 5)
PLAIN = bytes.fromhex("0f0000000100120005")
CONFIRMED = bytes.fromhex("0f4000000100120005")
EVENT = bytes.fromhex("c20000080000010000ff02120005")


def open_to_all(**more: Any) -> NotificationReceiver:
    """Takes what comes in clear."""
    return NotificationReceiver(ReceivingSettings(**{"require": NONE} | more))


def pushed(machine: NotificationSender, request: Any = None) -> list[bytes]:
    """The APDUs of one notification."""
    machine.send(request or NotifyData(VALUE))
    found = due(machine)
    machine.tick(1.0)
    return found


def refusal(machine: NotificationReceiver, octets_: bytes, now: float = 1.0) -> Exception:
    (event,) = machine.receive(octets_, now)
    assert isinstance(event, NotificationRefused)
    assert due(machine) == []
    return event.error


# ---- what real meters send --------------------------------------------------------------------------------------


def apdus_of(identifier: str) -> list[bytes]:
    """The APDUs of a record, out of the frames in which they came."""
    record = book().get(identifier)
    if record is None:
        pytest.skip("no vectors")
    raw = bytes.fromhex(record["hex"])
    if raw[0] == 0x7E:
        reassembler, reader = HdlcReassembler(), HdlcStreamReader()
        messages = [reassembler.receive(frame) for frame in [*reader.receive(raw), *reader.finish()]]
        return [one.octets for one in messages if one is not None]
    if raw[0] == 0x68:
        link = MbusPushLink()
        return [one.apdu for one in link.receive(raw, 0.0)]  # type: ignore[union-attr]
    return [raw]


def contents(identifier: str) -> list[dict[str, Any]]:
    """The notifications that a record holds, as its ``expected`` says."""
    expected = book()[identifier]["expected"]
    found = []
    for message in expected.get("messages", [expected]):
        apdu = message.get("apdu")
        if apdu is not None:  # an incomplete message has none
            found.append(apdu.get("content", apdu))
    return found


PLAIN_RECORDS = [
    "iskra-am550-segmented", "kaifa-ma304h3e-list2", "norway-aidon-1phase", "lg-e450-plain-two", "lg-e450-plain-alt",
    "lg-e450-extended-registers", "lg-e570-vse2026-load", "iskra-am550-vse2026", "kamstrup-no-hdlc-list1",
    "kamstrup-hdlc-list2", "kaifa-hdlc-list1", "kaifa-hdlc-list2", "kaifa-hdlc-list3", "kaifa-salzburg-plain",
    "evn-decrypted", "ref-data-notification", "ref-data-notification-time", "openspodes-36",
    "conf-sn-information-report", "ref-sn-information-report", "ref-sn-information-report-time",
    "ref-sn-information-report-cosem-time", "ref-event-notification", "ref-event-notification-time",
    "ref-event-notification-time-fixed",
]  # fmt: skip
CIPHERED_RECORDS = [
    ("kamstrup-omnipower-encrypted", BOTH),
    ("lg-e450-gbt-encrypted", BOTH),
    ("iskra-am550-wels", Protection.ENCRYPTED),
    ("kaifa-netz-noe-mbus", Protection.ENCRYPTED),
]


def check(notified: Notified, expected: dict[str, Any]) -> None:
    apdu = notified.apdu
    kinds = {
        a.DataNotification: "data-notification",
        a.EventNotificationRequest: "event-notification-request",
        a.InformationReportRequest: "information-report-request",
    }
    assert kinds[type(apdu)] == expected["apdu"]
    if isinstance(apdu, a.DataNotification):
        number = expected["long_invoke_id_and_priority"]
        assert apdu.long_invoke_id_and_priority.invoke_id == number["invoke_id"]
        assert apdu.long_invoke_id_and_priority.service_class.label == number["service_class"]
        assert apdu.date_time.hex() == (expected["date_time"] or "")


@pytest.mark.parametrize("identifier", PLAIN_RECORDS)
def test_what_real_meters_push_in_clear_is_taken_where_no_protection_is_demanded(identifier: str) -> None:
    machine = open_to_all(confirming=Confirming.NEVER)
    came = [event for apdu in apdus_of(identifier) for event in machine.receive(apdu, 1.0)]
    events = [event for event in came if isinstance(event, Notified)]
    expected = contents(identifier)
    assert len(events) == len(expected) > 0
    assert len(came) == len(events) or len(book()[identifier]["expected"].get("messages", ())) > len(events)
    for event, wanted in zip(events, expected, strict=True):
        assert (event.protection, event.authenticated, event.system_title) == (NONE, False, None)
        check(event, wanted)
    assert due(machine) == []


@pytest.mark.parametrize(("identifier", "require"), CIPHERED_RECORDS, ids=[one for one, _ in CIPHERED_RECORDS])
def test_what_real_meters_push_ciphered_is_taken_with_their_keys_once(identifier: str, require: Protection) -> None:
    apdus = apdus_of(identifier)
    record = book()[identifier]
    ((wanted,), outer) = contents(identifier), record["expected"]
    outer = outer.get("messages", [outer])[0]["apdu"]
    title = bytes.fromhex(outer["system_title"])
    keys = {name: Secret(bytes.fromhex(value)) for name, value in record["keys"].items()}
    known = Originator(title, SecurityMaterial.of(keys["ek"], keys.get("ak")), require)
    machine = receiver(known)
    events = [event for apdu in apdus for event in machine.receive(apdu, 1.0)]
    (event,) = events
    assert isinstance(event, Notified)
    assert event.system_title == title
    assert event.protection == require
    assert event.authenticated == bool(require & Protection.AUTHENTICATED)
    check(event, wanted)
    again = [event for apdu in apdus for event in machine.receive(apdu, 2.0)]
    assert [type(one.error) for one in again if isinstance(one, NotificationRefused)] == [InvocationCounterError]
    stranger = receiver(Originator(OTHER_TITLE, material()))
    for other in (stranger, *([] if require == BOTH else [receiver(Originator(title, known.material, BOTH))])):
        (refused,) = [event for apdu in apdus for event in other.receive(apdu, 3.0)]
        assert isinstance(refused, NotificationRefused)
        assert refused.system_title == title


def test_what_real_meters_authenticate_is_not_taken_without_the_authentication_key() -> None:
    apdus = apdus_of("lg-e450-encrypted-no-pushlist")
    key = Secret(bytes.fromhex(book()["lg-e450-encrypted-no-pushlist"]["keys"]["ek"]))
    for require in (Protection.ENCRYPTED, NONE):
        machine = receiver(Originator(bytes.fromhex("4c475a6773781fd0"), SecurityMaterial.of(key), require))
        (event,) = [event for apdu in apdus for event in machine.receive(apdu, 1.0)]
        assert isinstance(event, NotificationRefused)
        assert "authentication key" in str(event.error)


# ---- what is taken ----------------------------------------------------------------------------------------------


def test_a_ciphered_notification_is_authenticated_and_names_its_sender() -> None:
    (event,) = receiver().receive(pushed(sender())[0], 1.0)
    assert isinstance(event, Notified)
    assert event.apdu.encode() == PLAIN
    assert (event.system_title, event.protection, event.authenticated) == (SERVER_TITLE, BOTH, True)
    assert not event.broadcast


def test_what_comes_in_clear_is_refused_where_protection_is_demanded() -> None:
    machine = receiver()
    assert isinstance(refusal(machine, PLAIN), PolicyViolation)
    assert isinstance(refusal(machine, EVENT), PolicyViolation)


def test_what_is_protected_less_than_the_sender_has_to_is_refused() -> None:
    for less in (Protection.AUTHENTICATED, Protection.ENCRYPTED):
        assert isinstance(refusal(receiver(), pushed(sender(protection=less))[0]), PolicyViolation)
        lenient = receiver(Originator(SERVER_TITLE, material(), less))
        (event,) = lenient.receive(pushed(sender(protection=less))[0], 1.0)
        assert isinstance(event, Notified)
        assert event.authenticated == (less is Protection.AUTHENTICATED)


def test_a_replay_is_refused_also_by_the_receiver_of_another_link() -> None:
    shared = Originators(receiving())
    (apdu,) = pushed(machine := sender())
    assert isinstance(receiver(shared=shared).receive(apdu, 1.0)[0], Notified)
    assert isinstance(refusal(receiver(shared=shared), apdu), InvocationCounterError)
    assert isinstance(receiver(shared=shared).receive(pushed(machine)[0], 2.0)[0], Notified)


def test_a_replay_without_authentication_is_refused_as_long_as_its_sender_is_remembered() -> None:
    lenient = Originator(SERVER_TITLE, material(), Protection.ENCRYPTED)
    shared = Originators(receiving(lenient))
    (apdu,) = pushed(sender(protection=Protection.ENCRYPTED))
    assert isinstance(receiver(shared=shared).receive(apdu, 1.0)[0], Notified)
    assert isinstance(refusal(receiver(shared=shared), apdu), InvocationCounterError)


def test_a_changed_octet_anywhere_is_refused_and_changes_nothing() -> None:
    machine = receiver()
    (apdu,) = pushed(sender())
    for at in range(len(apdu)):
        for bit in (0x01, 0x40):
            changed = bytearray(apdu)
            changed[at] ^= bit
            (event,) = machine.receive(bytes(changed), 1.0) or [None]
            assert not isinstance(event, Notified), f"octet {at}"
            assert due(machine) == []
    for length in range(len(apdu)):
        assert not any(isinstance(one, Notified) for one in machine.receive(apdu[:length], 1.0))
    assert isinstance(machine.receive(apdu, 1.0)[0], Notified), "the counter has not moved"


def test_our_own_title_is_a_reflection() -> None:
    machine = receiver(Originator(CLIENT_TITLE, material()))
    own = NotificationSender(sending(system_title=CLIENT_TITLE, recipient_title=SERVER_TITLE))
    assert "our own" in str(refusal(machine, pushed(own)[0]))


def test_a_sender_that_is_not_known_is_refused_by_its_title() -> None:
    machine = receiver()
    stranger = NotificationSender(sending(system_title=OTHER_TITLE))
    (event,) = machine.receive(pushed(stranger)[0], 1.0)
    assert isinstance(event, NotificationRefused)
    assert event.system_title == OTHER_TITLE
    assert OTHER_TITLE.hex() in str(event.error)


def test_an_envelope_without_title_is_opened_where_the_keys_say_whose_it_is() -> None:
    (apdu,) = pushed(sender())
    nameless = b"\xdb\x00" + apdu[10:]
    assert isinstance(refusal(receiver(), nameless), DecipheringError)
    known = Originator(SERVER_TITLE, material())
    machine = NotificationReceiver(receiving(keys=lambda title: known if title is None else None))
    (event,) = machine.receive(nameless, 1.0)
    assert isinstance(event, Notified)
    assert event.system_title == SERVER_TITLE


def test_keys_that_are_of_another_title_than_asked_for_are_not_used() -> None:
    known = Originator(OTHER_TITLE, material())
    machine = NotificationReceiver(receiving(keys=lambda title: known))
    assert isinstance(refusal(machine, pushed(sender())[0]), DecipheringError)


def test_new_keys_of_a_sender_count_from_the_next_notification_on() -> None:
    fresh = SecurityMaterial.of(Secret(AK), Secret(EK))
    held = {SERVER_TITLE: Originator(SERVER_TITLE, material())}
    machine = NotificationReceiver(receiving(keys=held.get))
    (apdu,) = pushed(old := sender())
    assert isinstance(machine.receive(apdu, 1.0)[0], Notified)
    held[SERVER_TITLE] = Originator(SERVER_TITLE, fresh)
    assert isinstance(refusal(machine, pushed(old)[0]), DecipheringError)
    assert isinstance(machine.receive(pushed(sender(material=fresh))[0], 1.0)[0], Notified)


def test_the_broadcast_key_is_taken_where_it_is_allowed_and_marked() -> None:
    known = Originator(SERVER_TITLE, with_broadcast_key())
    (apdu,) = pushed(sender(material=with_broadcast_key(), broadcast=True))
    assert isinstance(refusal(receiver(known), apdu), DecipheringError)
    machine = receiver(known, broadcast=True)
    (event,) = machine.receive(apdu, 1.0)
    assert isinstance(event, Notified)
    assert event.broadcast
    assert isinstance(refusal(machine, apdu), InvocationCounterError)
    # One that asks for a confirmation nevertheless gets none.
    context = sending(material=with_broadcast_key()).context()
    assert context is not None
    asks = context.protect_apdu(CONFIRMED, Envelope.GENERAL_GLO, broadcast=True)
    machine = receiver(known, broadcast=True)
    (event,) = machine.receive(asks, 1.0)
    assert isinstance(event, Notified)
    assert event.wants_confirmation
    assert due(machine) == []


@pytest.mark.parametrize(
    "octets_", ["", "c4014100120005", "104000000100", "d80101", "60", "0f00", "0f0000000100120005ff", "dd00", "ff"]
)
def test_what_is_no_notification_is_refused(octets_: str) -> None:
    assert isinstance(refusal(open_to_all(), bytes.fromhex(octets_)), ProtocolError | DecodeError)


def test_another_apdu_inside_the_envelope_is_refused() -> None:
    context = sending().context()
    assert context is not None
    inside = context.protect_apdu(bytes.fromhex("c001c100080000010000ff0200"), Envelope.GENERAL_GLO)
    assert isinstance(refusal(receiver(), inside), ProtocolError)


# ---- blocks -----------------------------------------------------------------------------------------------------


def blocks(length: int = 150) -> list[bytes]:
    return cut(a.DataNotification(a.LongInvokeIdAndPriority(1), b"", octets(length)).encode(), 64)


def joined(events: list[Any]) -> list[EncodedData]:
    return [one.apdu.notification_body for one in events if isinstance(one, Notified)]


def test_blocks_are_joined_and_a_repeated_one_is_passed_over() -> None:
    machine = open_to_all()
    one, two, three = blocks()
    events = []
    for block in (one, one, two, two, two, three, three):
        events += machine.receive(block, 1.0)
    assert joined(events) == [octets(150)]
    assert len(events) == 1
    assert machine.deadline() is None


def test_a_gap_or_a_step_back_loses_the_message_and_the_next_one_is_taken() -> None:
    one, two, three = blocks()
    for order in ((one, three, two), (one, two, three, one, three, two, three)):
        machine = open_to_all()
        events = [event for block in order for event in machine.receive(block, 1.0)]
        (refused,) = [event for event in events if isinstance(event, NotificationRefused)]
        assert "block 3 came in place of block 2" in str(refused.error)
        assert len(joined(events)) == (len(order) > 3)
        events = [event for block in (one, two, three) for event in machine.receive(block, 1.0)]
        assert joined(events) == [octets(150)]


def test_block_1_begins_anew_whatever_was_open() -> None:
    machine = open_to_all()
    one, two, _ = blocks()
    events = [event for block in (one, two, *blocks(160)) for event in machine.receive(block, 1.0)]
    assert joined(events) == [octets(160)]


def test_the_last_block_may_stream() -> None:
    machine = open_to_all()
    apdus = cut(blocks()[0], 40, last_streaming=True)
    assert apdus[-1][1] == 0xC0
    one, two, three = blocks()
    events = [event for block in (one, two, b"\xe0\xc0" + three[2:]) for event in machine.receive(block, 1.0)]
    assert joined(events) == [octets(150)]


def test_blocks_that_want_acknowledgement_and_blocks_in_blocks_are_refused() -> None:
    machine = open_to_all()
    assert isinstance(refusal(machine, bytes.fromhex("e0810001000000")), ProtocolError)
    (inner, *_) = blocks()
    nested = cut(inner, 40)
    events = [event for block in nested for event in machine.receive(block, 1.0)]
    assert [type(one) for one in events] == [NotificationRefused]


def test_ciphered_pieces_are_refused() -> None:
    """Protect first, then cut: not the other way round."""
    control = SecurityControl.of(0, authenticated=True, encrypted=True)
    key, ak = material().encryption_key, material().authentication_key
    piece = protect(control, key, ak, SERVER_TITLE, 1, blocks()[0])
    assert isinstance(refusal(receiver(), a.GeneralGloCiphering(SERVER_TITLE, piece).encode()), DecodeError)


def test_what_all_links_together_hold_of_messages_in_blocks_is_bounded() -> None:
    settings = ReceivingSettings(require=NONE, most_held=40)
    shared = Originators(settings)
    one, two = (NotificationReceiver(settings, originators=shared) for _ in range(2))
    first, second, *_ = cut(PLAIN + bytes(100), 32)
    assert one.receive(first, 0.0) == []
    (event,) = two.receive(first, 0.0)
    assert isinstance(event, NotificationRefused)
    assert "at a time" in str(event.error)
    assert two.deadline() is None
    one.drop()
    assert shared.held == 0
    assert two.receive(first, 0.0) == []
    assert isinstance(two.receive(second, 0.0)[0], NotificationRefused)
    assert shared.held == 0


def test_what_is_held_of_a_message_in_blocks_is_bounded_in_octets_and_in_time() -> None:
    machine = open_to_all(max_octets=1000, block_timeout=30)
    endless = [
        a.GeneralBlockTransfer(a.BlockControl.of(last_block=False, streaming=True, window=0), n, 0, bytes(100)).encode()
        for n in range(1, 20)
    ]
    events = [event for block in endless for event in machine.receive(block, 1.0)]
    assert [type(one) for one in events] == [NotificationRefused]
    assert machine.deadline() is None
    machine.receive(endless[0], 5.0)
    assert machine.deadline() == 35.0
    assert machine.tick(34.0) == []
    (event,) = machine.tick(35.0)
    assert isinstance(event, NotificationRefused)
    assert machine.receive(endless[1], 36.0) == []
    assert machine.deadline() is None


# ---- confirmations ----------------------------------------------------------------------------------------------


def test_a_confirmed_notification_is_confirmed_at_once_with_its_number() -> None:
    machine = open_to_all()
    (event,) = machine.receive(CONFIRMED, 1.0)
    assert isinstance(event, Notified)
    assert [one.hex() for one in due(machine)] == ["104000000100"]
    machine.receive(PLAIN, 1.0)
    machine.receive(EVENT, 1.0)
    assert due(machine) == []


def test_a_ciphered_one_is_confirmed_under_the_same_protection_and_its_sender_takes_it() -> None:
    meter, machine = sender(), receiver()
    request = NotifyData(VALUE, confirmed=True)
    (apdu,) = pushed(meter, request)
    machine.receive(apdu, 2.0)
    (answer,) = due(machine)
    assert answer[:10] == b"\xdb\x08" + CLIENT_TITLE
    assert answer[11] == 0x30
    assert meter.receive(answer, 3.0) == [Delivered(request, b"")]


def test_an_authenticated_one_is_confirmed_with_no_less() -> None:
    known = Originator(SERVER_TITLE, material(), Protection.AUTHENTICATED)
    for protection in (Protection.AUTHENTICATED, BOTH):
        machine = receiver(known)
        machine.receive(pushed(sender(protection=protection), NotifyData(VALUE, confirmed=True))[0], 1.0)
        (answer,) = due(machine)
        assert answer[11] >> 4 & 3 == protection


def test_a_repetition_is_delivered_once_and_confirmed_again() -> None:
    for shared in (False, True):
        meter = sender(repetitions=3, response_timeout=1)
        settings = receiving()
        originators = Originators(settings)
        machine = NotificationReceiver(settings, originators=originators)
        request = NotifyData(VALUE, confirmed=True)
        meter.send(request)
        events = []
        for now in (1.0, 2.0, 3.0):
            (apdu,) = due(meter)
            meter.tick(now)
            if shared:
                machine = NotificationReceiver(settings, originators=originators)
            events += machine.receive(apdu, now)
            (answer,) = due(machine)
            meter.tick(now + 1)
        assert [type(one) for one in events] == [Notified]
        assert meter.receive(answer, 4.5) == [Delivered(request, b"")]


def test_the_same_number_with_other_contents_is_another_notification() -> None:
    machine = open_to_all()
    other = CONFIRMED[:-1] + b"\x06"
    events = [event for apdu in (CONFIRMED, other, CONFIRMED) for event in machine.receive(apdu, 1.0)]
    assert len(events) == 3
    assert len(due(machine)) == 3


def test_after_the_window_the_same_octets_are_a_notification_of_their_own() -> None:
    machine = open_to_all(repeat_window=600)
    assert len(machine.receive(CONFIRMED, 1.0)) == 1
    assert machine.receive(CONFIRMED, 600.0) == []
    assert len(machine.receive(CONFIRMED, 1201.0)) == 1


def test_a_confirmation_may_wait_until_what_came_is_stored() -> None:
    machine = open_to_all(confirming=Confirming.WHEN_TOLD)
    (event,) = machine.receive(CONFIRMED, 1.0)
    assert isinstance(event, Notified)
    assert machine.receive(CONFIRMED, 2.0) == [], "repeated meanwhile: delivered once"
    assert due(machine) == []
    machine.confirm(event)
    assert len(due(machine)) == 1
    assert machine.receive(CONFIRMED, 3.0) == []
    assert len(due(machine)) == 1, "its confirmation was lost: confirmed again"
    machine.send(event)
    assert len(due(machine)) == 1
    (event,) = machine.receive(PLAIN, 1.0)
    with pytest.raises(AssociationError):
        machine.confirm(event)  # type: ignore[arg-type]


def test_on_one_way_media_nothing_is_answered_and_each_is_delivered() -> None:
    machine = open_to_all(confirming=Confirming.NEVER)
    (first,), (second,) = machine.receive(CONFIRMED, 1.0), machine.receive(CONFIRMED, 2.0)
    assert first == second, "such meters never count: the same octets are another reading"
    assert due(machine) == []
    with pytest.raises(AssociationError):
        machine.confirm(first)  # type: ignore[arg-type]


def test_a_confirmation_that_cannot_be_protected_is_told() -> None:
    class Exhausted(MemoryCounterStore):
        def change_transmit(self, *_: Any) -> Any:
            raise CounterExhausted("no counter is left")

    machine = receiver(counters=Exhausted())
    events = machine.receive(pushed(sender(), NotifyData(VALUE, confirmed=True))[0], 1.0)
    assert [type(one) for one in events] == [Notified, ConfirmationFailed]
    assert due(machine) == []


def test_what_is_remembered_is_bounded() -> None:
    machine = open_to_all()
    for number in range(1000):
        apdu = a.DataNotification(a.LongInvokeIdAndPriority.of(number), b"", VALUE).encode()
        assert len(machine.receive(apdu, 1.0)) == 1
        due(machine)
    assert len(machine._repeats._known) <= 16
    titles = [b"METER" + number.to_bytes(3, "big") for number in range(50)]
    settings = receiving(*(Originator(title, material()) for title in titles), most_originators=10)
    originators = Originators(settings)
    for title in titles:
        one = NotificationReceiver(settings, originators=originators)
        assert isinstance(one.receive(pushed(NotificationSender(sending(system_title=title)))[0], 1.0)[0], Notified)
        assert len(originators._known) <= 10
    for stranger in range(100):
        title = b"XXX" + stranger.to_bytes(5, "big")
        refusal(one, pushed(NotificationSender(sending(system_title=title)))[0])
    assert len(originators._known) <= 10


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({}, "no keys are given"),
        ({"require": NONE, "system_title": b"short"}, "8"),
        ({"require": NONE, "max_octets": 0}, "max_octets"),
        ({"require": NONE, "block_timeout": 0.0}, "block_timeout"),
    ],
)
def test_settings_that_cannot_be_are_refused(more: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        ReceivingSettings(**more)


def test_events_of_a_plain_sender_reach_a_plain_receiver() -> None:
    meter = NotificationSender(NotifyingSettings(max_pdu_size=64))
    machine = open_to_all()
    events = []
    for request in (NotifyEvent(CLOCK, octets(100)), NotifyData(octets(100))):
        events += [event for apdu in pushed(meter, request) for event in machine.receive(apdu, 1.0)]
    assert [type(one.apdu) for one in events if isinstance(one, Notified)] == [
        a.EventNotificationRequest,
        a.DataNotification,
    ]


def test_each_sender_may_have_a_title_and_counters_of_its_own_and_without_a_title_nothing_is_confirmed() -> None:
    counters = MemoryCounterStore()
    named = Originator(SERVER_TITLE, material(), own_title=CLIENT_TITLE, counters=counters)
    request = NotifyData(VALUE, confirmed=True)
    machine = receiver(named, system_title=b"")
    meter = sender()
    assert [type(one) for one in machine.receive(pushed(meter, request)[0], 1.0)] == [Notified]
    assert meter.receive(due(machine)[0], 2.0) == [Delivered(request, b"")]
    assert counters.lowest_acceptable(material().encryption_key.identity, SERVER_TITLE) == 1
    nameless = receiver(Originator(SERVER_TITLE, material()), system_title=b"")
    events = nameless.receive(pushed(sender(), request)[0], 1.0)
    assert [type(one) for one in events] == [Notified, ConfirmationFailed]
    assert due(nameless) == []


def test_what_could_not_be_kept_may_come_again_until_it_is_confirmed() -> None:
    machine = open_to_all(confirming=Confirming.WHEN_TOLD)
    (event,) = machine.receive(CONFIRMED, 1.0)
    assert isinstance(event, Notified)
    machine.forget(event)
    assert len(machine.receive(CONFIRMED, 2.0)) == 1
    machine.confirm(event)
    due(machine)
    machine.forget(event)
    assert machine.receive(CONFIRMED, 3.0) == []
