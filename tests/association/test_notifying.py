"""Notifications as they leave: octets, numbers, protection, blocks, confirmations and repetitions."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.notifications import NotifyData, NotifyEvent, ReportInformation
from cosemic.association.notifying import (
    Delivered,
    NotificationSender,
    NotifyingSettings,
    Sent,
    Undelivered,
)
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD
from cosemic.errors import (
    AssociationError,
    ConfigurationError,
    ConnectionLost,
    DecipheringError,
    EncodeError,
    ExceptionReceived,
    ResponseTimeout,
    ServiceFailed,
)
from cosemic.security import Envelope, MemoryCounterStore, Protection, SecurityContext, open_envelope
from cosemic.values import Obis, Priority
from tests.association.notification_samples import due, sender, with_broadcast_key
from tests.association.samples import (
    BOTH,
    CLIENT_TITLE,
    CLOCK,
    OTHER_TITLE,
    SERVER_TITLE,
    material,
    octets,
)

VALUE = EncodedData.of(DataType.LONG_UNSIGNED, 5)
TIME = bytes.fromhex("07EA0B14050E1E0000FFC400")


def plain(**more: Any) -> NotificationSender:
    return NotificationSender(NotifyingSettings(**more))


def peer() -> SecurityContext:
    return SecurityContext(CLIENT_TITLE, SERVER_TITLE, material(), MemoryCounterStore())


def confirmation(number: int, context: SecurityContext | None = None, **how: Any) -> bytes:
    apdu = a.DataNotificationConfirm(a.LongInvokeIdAndPriority.of(number), b"").encode()
    return apdu if context is None else context.protect_apdu(apdu, Envelope.GENERAL_GLO, **how)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (NotifyData(VALUE), "0f00000001 00 120005"),
        (NotifyData(VALUE, date_time=TIME, priority=Priority.HIGH), "0f80000001 0c07ea0b14050e1e0000ffc400 120005"),
        (NotifyData(VALUE, confirmed=True), "0f40000001 00 120005"),
        (NotifyEvent(CLOCK, VALUE), "c2 00 0008 0000010000ff 02 120005"),
        (NotifyEvent(CLOCK, VALUE, TIME), "c2 01 0c07ea0b14050e1e0000ffc400 0008 0000010000ff 02 120005"),
        (ReportInformation((0xFA00,), (VALUE,)), "18 00 01 02fa00 01 120005"),
        (
            ReportInformation((0x0108,), (VALUE,), b"20261120143000Z"),
            "18 01 0f 32303236313132303134333030305a 01 020108 01 120005",
        ),
    ],
    ids=["data", "data-time-high", "data-confirmed", "event", "event-time", "report", "report-time"],
)
def test_each_notification_has_the_octets_of_its_service(request_: Any, expected: str) -> None:
    machine = plain()
    machine.send(request_)
    assert [one.hex() for one in due(machine)] == [expected.replace(" ", "")]


def test_data_notifications_are_counted_and_the_count_goes_round_after_24_bits() -> None:
    machine = NotificationSender(NotifyingSettings(), long_invoke_id=0xFFFFFE)
    numbers = []
    for _ in range(3):
        machine.send(NotifyData(VALUE))
        numbers += [int.from_bytes(one[1:5]) for one in due(machine)]
        assert isinstance(machine.tick(1.0)[0], Sent)
    assert numbers == [0xFFFFFF, 0, 1]
    assert machine.long_invoke_id == 1


def test_an_unconfirmed_notification_is_sent_when_the_medium_has_it_and_not_before() -> None:
    machine = plain()
    request = NotifyData(VALUE)
    machine.send(request)
    assert machine.tick(5.0) == [], "nothing was handed out yet"
    with pytest.raises(AssociationError):
        machine.send(NotifyData(VALUE))
    assert len(due(machine)) == 1
    assert machine.deadline() is not None
    assert machine.tick(5.0) == [Sent(request)]
    assert machine.deadline() is None
    assert machine.tick(6.0) == []
    assert not machine.busy


def test_a_confirmation_with_the_right_number_delivers() -> None:
    machine = plain(response_timeout=10)
    request = NotifyData(VALUE, confirmed=True)
    machine.send(request)
    due(machine)
    assert machine.tick(100.0) == []
    assert machine.deadline() == 110.0
    assert machine.receive(confirmation(2), 101.0) == [], "that of another notification"
    assert (
        machine.receive(b"", 101.0) == machine.receive(b"\x10\x00", 101.0) == machine.receive(b"\xc4\x01", 101.0) == []
    )
    with_time = a.DataNotificationConfirm(a.LongInvokeIdAndPriority.of(1), TIME).encode()
    assert machine.receive(with_time, 102.0) == [Delivered(request, TIME)]
    assert machine.receive(with_time, 102.0) == [], "the same again is passed over"
    assert machine.deadline() is None


def test_a_notification_is_repeated_as_often_as_the_settings_say_and_then_undelivered() -> None:
    machine = plain(response_timeout=10, repetitions=2)
    request = NotifyData(VALUE, confirmed=True)
    machine.send(request)
    sent = [due(machine)]
    assert machine.tick(100.0) == []
    assert machine.tick(109.9) == []
    assert due(machine) == []
    for now in (110.0, 120.0):
        assert machine.tick(now) == []
        sent.append(due(machine))
        assert machine.deadline() == now + 10
    (event,) = machine.tick(130.0)
    assert isinstance(event, Undelivered)
    assert isinstance(event.error, ResponseTimeout)
    assert "sent 3 times" in str(event.error)
    assert sent[0] == sent[1] == sent[2]
    assert len(sent[0]) == 1
    assert not machine.busy


def test_a_repetition_by_the_application_keeps_the_number() -> None:
    machine = plain()
    request = NotifyData(VALUE, confirmed=True)
    machine.send(request)
    (first,) = due(machine)
    machine.cancel()
    machine.send(NotifyData(VALUE))
    (second,) = due(machine)
    machine.tick(1.0)
    machine.send(request)
    assert due(machine) == [first]
    assert (int.from_bytes(first[1:5]) & 0xFFFFFF, int.from_bytes(second[1:5])) == (1, 2)


def test_what_is_ciphered_travels_in_general_glo_ciphering_under_the_title_of_the_sender() -> None:
    machine = sender()
    machine.send(NotifyData(VALUE))
    (ciphered,) = due(machine)
    assert ciphered[0] == 0xDB
    assert open_envelope(ciphered).system_title == SERVER_TITLE
    assert open_envelope(ciphered).content[0] == 0x30
    assert peer().unprotect_apdu(ciphered).plaintext.hex() == "0f0000000100120005"


def test_an_event_may_travel_in_its_own_envelope_and_data_cannot() -> None:
    machine = sender(general=False)
    tags = []
    for request in (NotifyEvent(CLOCK, VALUE), ReportInformation((0xFA00,), (VALUE,)), NotifyData(VALUE)):
        machine.send(request)
        tags += [one[0] for one in due(machine)]
        machine.tick(1.0)
    assert tags == [0xCA, 0x38, 0xDB]


def test_under_the_broadcast_key_the_security_control_says_so_and_nothing_is_confirmed() -> None:
    machine = sender(material=with_broadcast_key(), broadcast=True)
    machine.send(NotifyData(VALUE))
    (ciphered,) = due(machine)
    assert open_envelope(ciphered).content[0] == 0x70
    machine.tick(1.0)
    with pytest.raises(ConfigurationError, match="never confirmed"):
        machine.send(NotifyData(VALUE, confirmed=True))
    assert not machine.busy


def test_a_ciphered_repetition_takes_a_counter_of_its_own() -> None:
    machine = sender(repetitions=2, response_timeout=1)
    machine.send(NotifyData(VALUE, confirmed=True))
    sent = due(machine)
    for now in (1.0, 2.0, 3.0):
        machine.tick(now)
        sent += due(machine)
    context = peer()
    opened = [context.unprotect_apdu(one) for one in sent]  # none is a replay
    assert len({one.invocation_counter for one in opened}) == len(sent) == 3
    assert {one.plaintext for one in opened} == {bytes.fromhex("0f4000000100120005")}


def test_only_a_confirmation_that_is_protected_as_required_counts() -> None:
    machine = sender(response_timeout=10)
    request = NotifyData(VALUE, confirmed=True)
    machine.send(request)
    (own,) = due(machine)
    machine.tick(100.0)
    context = peer()
    good = confirmation(1, context)
    for bad in (
        confirmation(1),  # in clear
        own,  # reflected
        confirmation(1, context, protection=Protection.AUTHENTICATED),
        confirmation(1, context, protection=Protection.ENCRYPTED),
        good[:-1] + bytes((good[-1] ^ 1,)),
        confirmation(2, context),
        good[:40],
    ):
        assert machine.receive(bad, 101.0) == []
    fresh = confirmation(1, context)
    assert machine.receive(fresh, 102.0) == [Delivered(request, b"")]
    machine.send(again := NotifyData(VALUE, confirmed=True, long_invoke_id=1))
    due(machine)
    machine.tick(103.0)
    assert machine.receive(fresh, 104.0) == [], "a replay"
    assert machine.receive(confirmation(1, context), 104.0) == [Delivered(again, b"")]


def test_an_exception_response_ends_it_in_clear_and_is_a_hint_where_keys_are() -> None:
    refusal = bytes.fromhex("D80105")
    machine = plain()
    machine.send(NotifyData(VALUE, confirmed=True))
    due(machine)
    machine.tick(100.0)
    (event,) = machine.receive(refusal, 101.0)
    assert isinstance(event, Undelivered)
    assert isinstance(event.error, ExceptionReceived)

    machine = sender(response_timeout=10)
    machine.send(NotifyData(VALUE, confirmed=True))
    due(machine)
    machine.tick(100.0)
    assert machine.receive(refusal, 101.0) == []
    (event,) = machine.tick(110.0)
    assert isinstance(event, Undelivered)
    assert isinstance(event.error, ExceptionReceived)


def test_a_forged_confirmation_is_named_when_no_other_comes() -> None:
    machine = sender(response_timeout=10)
    machine.send(NotifyData(VALUE, confirmed=True))
    due(machine)
    machine.tick(100.0)
    forged = confirmation(1, peer())
    machine.receive(forged[:-1] + bytes((forged[-1] ^ 1,)), 101.0)
    (event,) = machine.tick(110.0)
    assert isinstance(event, Undelivered)
    assert isinstance(event.error, DecipheringError)


def test_what_is_too_long_is_protected_and_then_cut() -> None:
    machine = sender(max_pdu_size=64)
    machine.send(NotifyData(octets(150)))
    blocks = [a.GeneralBlockTransfer.decode(one) for one in due(machine)]
    assert [one.block_number for one in blocks] == list(range(1, len(blocks) + 1))
    assert [one.block_control.last_block for one in blocks] == [False] * (len(blocks) - 1) + [True]
    assert [one.block_control.streaming for one in blocks] == [True] * (len(blocks) - 1) + [False]
    assert {(one.block_control.window, one.block_number_ack) for one in blocks} == {(0, 0)}
    whole = b"".join(one.block_data for one in blocks)
    assert whole[0] == 0xDB
    assert a.decode(peer().unprotect_apdu(whole).plaintext).notification_body == octets(150)


@pytest.mark.parametrize("size", [*range(12, 24), 64, *range(130, 140), *range(258, 268), 1024])
def test_no_block_is_longer_than_the_receiver_takes_and_none_shorter_than_need_be(size: int) -> None:
    machine = plain(max_pdu_size=size)
    machine.send(NotifyData(octets(5000)))
    blocks = due(machine)
    lengths = {len(one) for one in blocks[:-1]}
    assert len(lengths) == 1
    assert size - 1 <= lengths.pop() <= size
    assert len(blocks[-1]) <= size


def test_the_last_block_streams_too_where_the_dialect_says_so() -> None:
    machine = plain(max_pdu_size=64, dialect=STANDARD.but(unconfirmed_last_block_streaming=True))
    machine.send(NotifyData(octets(150)))
    assert [one[1] for one in due(machine)] == [0x40, 0x40, 0xC0]


def test_an_apdu_of_just_the_size_is_not_cut() -> None:
    whole = a.DataNotification(a.LongInvokeIdAndPriority.of(1, service_class=0), b"", octets(60)).encode()  # type: ignore[arg-type]
    for size, count in ((len(whole), 1), (len(whole) - 1, 2)):
        machine = plain(max_pdu_size=size)
        machine.send(NotifyData(octets(60)))
        assert len(due(machine)) == count


def test_without_block_transfer_what_is_too_long_is_refused_and_nothing_is_sent() -> None:
    machine = plain(max_pdu_size=64, block_transfer=False)
    with pytest.raises(ServiceFailed) as caught:
        machine.send(NotifyData(octets(150)))
    assert caught.value.label == "pdu-too-long"
    assert due(machine) == []
    assert not machine.busy
    machine = plain(max_pdu_size=12)
    with pytest.raises(ServiceFailed, match="65535"):
        machine.send(NotifyData(octets(0xFFFF * 5)))
    assert not machine.busy


def test_a_lost_connection_leaves_it_undelivered() -> None:
    machine = plain()
    assert machine.lost(ConnectionLost("gone")) == []
    machine.send(request := NotifyData(VALUE))
    (event,) = machine.lost(error := ConnectionLost("gone"))
    assert event == Undelivered(request, error)
    assert due(machine) == []


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"max_pdu_size": 11}, "max_pdu_size"),
        ({"response_timeout": 0}, "response_timeout"),
        ({"repetitions": -1}, "repetitions"),
        ({"recipient_title": b"short"}, "receiver"),
        ({"recipient_title": SERVER_TITLE, "system_title": SERVER_TITLE}, "our own"),
        ({"material": material()}, "system title"),
        ({"material": material(), "system_title": SERVER_TITLE, "broadcast": True}, "broadcast key"),
    ],
)
def test_settings_that_cannot_be_are_refused(more: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        NotifyingSettings(**more)


def test_a_confirmation_that_could_not_be_checked_is_not_asked_for() -> None:
    machine = sender(recipient_title=None)
    with pytest.raises(ConfigurationError, match="system title of the receiver"):
        machine.send(NotifyData(VALUE, confirmed=True))
    machine.send(NotifyData(VALUE))
    assert len(due(machine)) == 1


def test_what_cannot_be_encoded_is_refused_and_the_sender_goes_on() -> None:
    machine = plain()
    with pytest.raises(EncodeError):
        machine.send(NotifyEvent(a.CosemAttributeDescriptor(8, Obis("0-0:1.0.0"), 1000), VALUE))
    assert not machine.busy
    machine.send(NotifyEvent(CLOCK, VALUE))
    assert len(due(machine)) == 1


def test_titles_of_others_do_not_confirm() -> None:
    machine = sender()
    machine.send(NotifyData(VALUE, confirmed=True))
    due(machine)
    machine.tick(1.0)
    other = SecurityContext(OTHER_TITLE, SERVER_TITLE, material(), MemoryCounterStore(), send=BOTH)
    assert machine.receive(confirmation(1, other), 2.0) == []
    assert machine.busy
