"""A sender against a receiver over a medium that loses and doubles: delivered exactly once, or reported undelivered."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cosemic import apdu as a
from cosemic.association.notifications import Notified, NotifyData
from cosemic.association.notified import NotificationReceiver, Originators, ReceivingSettings
from cosemic.association.notifying import (
    Delivered,
    NotificationSender,
    NotifyingEvent,
    NotifyingSettings,
    Sent,
    Undelivered,
)
from cosemic.codec import DataType, EncodedData
from cosemic.security import Protection
from tests.association.notification_samples import due, receiving, sending

MOST_UNDER_WAY = 12


class Notifications(RuleBasedStateMachine):
    """One meter, one receiver that may be connected anew, and what is under way between them, in order."""

    @initialize(
        ciphered=st.booleans(),
        max_pdu_size=st.sampled_from((0, 48, 64)),
        repetitions=st.integers(0, 3),
    )
    def begin(self, ciphered: bool, max_pdu_size: int, repetitions: int) -> None:
        self.ciphered = ciphered
        if ciphered:
            self.receiving = receiving()
            self.settings = sending(max_pdu_size=max_pdu_size, repetitions=repetitions, response_timeout=10)
        else:  # of blocks in clear, those of two messages could be mistaken for one when some are lost
            self.receiving = ReceivingSettings(require=Protection.NONE)
            self.settings = NotifyingSettings(repetitions=repetitions, response_timeout=10)
        self.originators = Originators(self.receiving)
        self.receiver = NotificationReceiver(self.receiving, originators=self.originators)
        self.sender = NotificationSender(self.settings)
        self.now = 1000.0
        self.number = 0
        self.there: list[bytes] = []
        self.back: list[bytes] = []
        self.recorded: list[bytes] = []
        self.asked: dict[int, NotifyData] = {}
        self.ended: dict[int, NotifyingEvent] = {}
        self.delivered: Counter[int] = Counter()

    def carry(self) -> None:
        for apdu in due(self.sender):
            self.there.append(apdu)
            self.recorded.append(apdu)
        self.note(self.sender.tick(self.now))

    def note(self, events: list[NotifyingEvent]) -> None:
        for event in events:
            assert isinstance(event.request, NotifyData)
            number = event.request.body.value()[0]
            assert number not in self.ended
            self.ended[number] = event
            assert isinstance(event, Sent) is not event.request.confirmed

    @precondition(lambda self: not self.sender.busy and len(self.there) < MOST_UNDER_WAY)
    @rule(confirmed=st.booleans(), length=st.sampled_from((0, 20, 100)))
    def notify(self, confirmed: bool, length: int) -> None:
        self.number += 1
        body = EncodedData.from_typed(
            (
                DataType.STRUCTURE,
                [(DataType.DOUBLE_LONG_UNSIGNED, self.number), (DataType.OCTET_STRING, bytes(length))],
            )
        )
        self.asked[self.number] = request = NotifyData(body, confirmed=confirmed)
        self.sender.send(request)
        self.carry()

    @precondition(lambda self: self.there)
    @rule(times=st.sampled_from((0, 1, 1, 1, 2)))
    def arrive(self, times: int) -> None:
        apdu = self.there.pop(0)
        for _ in range(times):
            self.received(apdu)

    def received(self, apdu: bytes) -> None:
        for event in self.receiver.receive(apdu, self.now):
            if isinstance(event, Notified):
                assert isinstance(event.apdu, a.DataNotification)
                number, _ = event.apdu.notification_body.value()
                self.delivered[number] += 1
                assert event.apdu.notification_body == self.asked[number].body
                assert event.authenticated is self.ciphered
        self.back += due(self.receiver)

    @precondition(lambda self: self.back)
    @rule(times=st.sampled_from((0, 1, 1, 2)))
    def confirmed(self, times: int) -> None:
        apdu = self.back.pop(0)
        for _ in range(times):
            self.note(self.sender.receive(apdu, self.now))
        self.carry()

    @precondition(lambda self: self.sender.busy)
    @rule()
    def time_out(self) -> None:
        self.now = max(self.now, self.sender.deadline() or 0.0)
        self.carry()
        self.carry()

    @rule()
    def connect_anew(self) -> None:
        self.there.clear()
        self.back.clear()
        self.receiver = NotificationReceiver(self.receiving, originators=self.originators)
        if not self.ciphered:  # in clear nobody is known again
            self.sender.cancel()
            self.asked.clear()
            self.delivered.clear()
            self.ended.clear()

    @precondition(lambda self: self.ciphered and self.recorded)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """An attacker sends again what was sent before, when all of it has arrived or is lost."""
        if not self.there:
            self.received(data.draw(st.sampled_from(self.recorded)))

    @precondition(lambda self: self.ciphered)
    @rule(forged=st.integers(1, 50))
    def forge(self, forged: int) -> None:
        confirmation = a.DataNotificationConfirm(a.LongInvokeIdAndPriority.of(forged), b"").encode()
        self.note(self.sender.receive(confirmation, self.now))
        self.received(a.DataNotification(a.LongInvokeIdAndPriority.of(forged), b"", EncodedData(b"\x00")).encode())

    @invariant()
    def each_is_delivered_once_at_most_and_what_is_said_is_true(self) -> None:
        if not hasattr(self, "asked"):
            return
        for number, count in self.delivered.items():
            if self.asked[number].confirmed or self.ciphered:
                assert count == 1, f"{number} was delivered {count} times"
        for number, event in self.ended.items():
            if isinstance(event, Delivered):
                assert self.delivered[number] == 1

    def teardown(self) -> None:
        if not hasattr(self, "asked"):
            return
        for _ in range(10):
            if self.sender.busy:
                self.time_out()
        assert not self.sender.busy
        for number, request in self.asked.items():
            assert isinstance(self.ended[number], Delivered | Undelivered if request.confirmed else Sent)


TestNotifications = Notifications.TestCase
