"""The pushes of one push setup as a process of its device (class 40; IEC 62056-6-2, 5.3).

See :mod:`cosemic.server.push_setup_object` for what happens, and :mod:`cosemic.server.push.attempts` for when.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from cosemic.association.notifications import NotifyData
from cosemic.codec import EncodedData
from cosemic.dialect import Dialect
from cosemic.errors import DecodeError
from cosemic.model.push import PushOperationMethod, TransportService
from cosemic.server.clock import ClockChange, ClockObject
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.push.attempts import Attempts, Chance, beginning, repetition_delay
from cosemic.server.push.destination import destination_of, port_of
from cosemic.server.push.outbox import Delivery, Outgoing, Result
from cosemic.server.push.protection import LARGEST_APDU, LARGEST_IN_DATAGRAM, push_protection, sending
from cosemic.server.push.refusal import PushRefused
from cosemic.server.push.selection import PushView, is_whole_buffer
from cosemic.server.push.windows import Windows
from cosemic.server.state import load_json, save_json
from cosemic.values import Obis

if TYPE_CHECKING:
    from cosemic.server.push_setup_object import PushSetupObject

USUAL_CONFIRMATION_INTERVAL: Final = 30
"""Seconds to wait for a confirmation, where none are set."""
LATEST: Final = dt.timedelta(minutes=5)
"""An attempt that is made up for longer than this afterwards begins now, with the values of now."""
_WANTED: Final = {
    PushOperationMethod.UNCONFIRMED_RETRY_ON_LOWER_LAYER_FAILURE: Delivery.SENT,
    PushOperationMethod.UNCONFIRMED_RETRY_ON_MISSING_LOWER_LAYER_CONFIRMATION: Delivery.ACKNOWLEDGED,
    PushOperationMethod.CONFIRMED_RETRY_ON_MISSING_CONFIRMATION: Delivery.CONFIRMED,
}
_MISSING: Final = {
    Delivery.SENT: "it could not be sent",
    Delivery.ACKNOWLEDGED: "the lower layer of the receiver has not confirmed it",
    Delivery.CONFIRMED: "the receiver has not confirmed it",
}
_RESTARTED: Final = "the device was started again before it knew what became of the attempt"
_NO_WINDOW: Final = "no communication window comes any more: correct communication_window"
_STATE: Final = "push"
_BODY: Final = "push body"


class PushProcess:
    """What is under way for a push setup; chance: what randomness is drawn from."""

    def __init__(
        self, setup: PushSetupObject, device: LogicalDevice, clock: ClockObject, chance: Chance, dialect: Dialect
    ) -> None:
        self.attempts: Attempts | None = None
        """The push under way."""
        self._setup = setup
        self._device = device
        self._clock = clock
        self._chance = chance
        self._dialect = dialect
        self._body = b""
        self._sent: dict[Obis, dt.datetime] = {}
        self._reports: list[Obis] = []
        """Buffers of which the message holds all that was not sent."""
        self._current: Outgoing | None = None
        self._unknown = False
        self._down = False
        clock.changed.append(self._clock_changed)

    # ---- what triggers and ends it ----------------------------------------------------------------------------------

    def trigger(self, at: dt.datetime) -> None:
        """Push, in addition to what is under way where that has begun already. Raises StoreError."""
        if self.attempts is None:
            self._plan(at)
        elif self.attempts.under_way or self.attempts.failed:
            self.attempts.again = True
            self._save()

    def reset(self) -> None:
        """Give up what is under way, and forget what counts as sent. Raises StoreError."""
        self._sent.clear()
        self._drop()
        self._save()

    def make_anew(self) -> None:
        """Make the message again at the next attempt: what is listed, or for whom, has changed. Raises StoreError."""
        self._reports.clear()
        if self.attempts is not None:
            self.attempts.invoke_id = None
            self._save()

    def replan(self, at: dt.datetime) -> None:
        """Look again when what waits may begin: the windows, or the clock, have changed. Raises StoreError."""
        attempts, windows = self.attempts, self._windows
        if attempts is None or attempts.due is None:
            return
        opening = windows.opening(max(at, attempts.earliest))
        closing = None if opening is None else windows.closing(opening)
        if not windows.is_open(attempts.due) or (closing is not None and closing <= attempts.due):
            self._postpone(attempts, at)

    def power(self, on: bool) -> None:
        """Learn that power fails, or is back. Raises StoreError."""
        self._down = not on
        self._save()
        self._device.clockwork.reconsider()

    # ---- as a process -----------------------------------------------------------------------------------------------

    def due(self, after: dt.datetime) -> dt.datetime | None:
        """Return when an attempt begins."""
        if self.attempts is None or self._down:
            return None
        if self._unknown:
            return after
        return None if self.attempts.due is None else max(after, self.attempts.due)

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        """Begin an attempt, where that is allowed."""
        attempts = self.attempts
        if attempts is None or self._down:
            return at
        if self._unknown:
            self._unknown = False
            self._failed(attempts, _RESTARTED, at)
        elif attempts.due is not None and attempts.due <= at:
            now = self._device.now()
            if now - at > LATEST:  # nobody was there to send it then
                attempts.earliest = attempts.due = now
                self._save()
            elif self._windows.is_open(at):
                self._begin(attempts, at)
            else:
                self._postpone(attempts, at)
        return at

    # ---- what is kept -----------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Go on with what was under way. Raises StoreError."""
        kept = load_json(self._setup.memory, _STATE)
        if kept is None:
            return
        attempts, sent, reports, self._down = kept
        self.attempts = None if attempts is None else Attempts.from_json(attempts)
        self._sent = {Obis(name): dt.datetime.fromisoformat(moment) for name, moment in sent.items()}
        self._reports = list(map(Obis, reports))
        self._body = self._setup.memory.load(_BODY) or b""
        self._unknown = self.attempts is not None and self.attempts.under_way
        self._device.clockwork.reconsider()

    def _save(self) -> None:
        attempts = None if self.attempts is None else self.attempts.to_json()
        sent = {str(name): moment.isoformat() for name, moment in self._sent.items()}
        save_json(self._setup.memory, _STATE, [attempts, sent, list(map(str, self._reports)), self._down])

    # ---- attempts ---------------------------------------------------------------------------------------------------

    @property
    def _windows(self) -> Windows:
        return Windows(self._clock, self._setup.value("communication_window"))

    def _beginning(self, earliest: dt.datetime) -> dt.datetime | None:
        interval: int = self._setup.value("randomisation_start_interval")
        return beginning(self._windows, earliest, interval, self._chance)

    def _plan(self, at: dt.datetime) -> None:
        self.attempts = Attempts(at, at)
        self._wait_until(self.attempts, self._beginning(at), at)

    def _postpone(self, attempts: Attempts, at: dt.datetime) -> None:
        self._wait_until(attempts, self._beginning(max(at, attempts.earliest)), at)

    def _wait_until(self, attempts: Attempts, due: dt.datetime | None, at: dt.datetime) -> None:
        if due is None:
            self._give_up(_NO_WINDOW, at)
            return
        attempts.due = due
        self._save()
        self._device.clockwork.reconsider()
        self._device.outbox.stir()

    def _begin(self, attempts: Attempts, at: dt.datetime) -> None:
        try:
            outgoing = self._outgoing(attempts, at)
        except PushRefused as refused:
            self._give_up(str(refused), at)
            return
        attempts.due = None
        self._current = outgoing
        self._save()
        if not self._device.outbox.put(outgoing):
            self._current = None
            self._failed(attempts, "too many notifications wait to be sent", at)

    def _failed(self, attempts: Attempts, reason: str, at: dt.datetime) -> None:
        """Repeat it later, or give it up."""
        retries: int = self._setup.value("number_of_retries")
        attempts.failed += 1
        left = retries - attempts.failed
        if left < 0:
            self._give_up(reason, at)
            return
        self._tell("push-attempt-failed", at, reason=reason, retries_left=left + 1)
        delay = repetition_delay(self._setup.value("repetition_delay"), attempts.failed)
        attempts.earliest = at + delay  # where no window is open then, it is put off
        self._wait_until(attempts, attempts.earliest, at)

    def _give_up(self, reason: str, at: dt.datetime) -> None:
        self._tell("push-failed", at, reason=reason)
        self._over(at)

    def _over(self, at: dt.datetime) -> None:
        again = self.attempts is not None and self.attempts.again
        self._drop()
        self._save()
        if again:
            self._plan(at)

    def _drop(self) -> None:
        if self._current is not None:
            self._device.outbox.withdraw(self._current)
        self._current = self.attempts = None
        self._unknown = False
        self._reports.clear()
        if self._body:
            self._body = b""
            self._setup.memory.save(_BODY, None)
        self._device.clockwork.reconsider()

    def _tell(self, name: str, at: dt.datetime, **details: object) -> None:
        self._device.tell(name, at, obis=self._setup.instance_id, **details)

    # ---- one attempt ------------------------------------------------------------------------------------------------

    def _outgoing(self, attempts: Attempts, at: dt.datetime) -> Outgoing:
        """Return what is sent. Raises PushRefused, StoreError."""
        setup, device = self._setup, self._device
        destination = destination_of(
            setup.value("send_destination_and_method"), port_of(device, setup.port_reference, at)
        )
        client = setup.push_client()
        wanted = _WANTED[setup.operation_method]
        if wanted is Delivery.CONFIRMED and not self._dialect.differences.data_notification_confirm:
            raise PushRefused("the edition knows no confirmation of data-notifications: change push_operation_method")
        interval = setup.confirmation_parameters.confirmation_interval or USUAL_CONFIRMATION_INTERVAL
        layers = setup.protection_parameters
        largest = LARGEST_IN_DATAGRAM if destination.transport_service is TransportService.UDP else LARGEST_APDU
        general = setup.general(client)
        settings = sending(
            client, layers,
            response_timeout=float(interval), largest=largest, dialect=self._dialect, general=general,
        )  # fmt: skip
        if attempts.invoke_id is None:
            listed = setup.value("push_object_list")
            if not listed:
                raise PushRefused("nothing is listed to push: write push_object_list")
            confirmed = wanted is Delivery.CONFIRMED
            view = PushView(
                device, self._clock, client, setup, push_protection(client, layers, general), at,
                self._sent_before() if confirmed else {}, self._dialect,
            )  # fmt: skip
            self._body = view.body(listed).octets
            self._reports = [one.logical_name for one in listed if is_whole_buffer(one)] if confirmed else []
            setup.memory.save(_BODY, self._body)
            attempts.stamp = self._clock.stamp(at).octets
            attempts.reached = self._clock.time(at)
            attempts.invoke_id = device.outbox.next_invoke_id()
        notification = NotifyData(
            EncodedData(self._body),
            confirmed=wanted is Delivery.CONFIRMED,
            date_time=attempts.stamp,
            long_invoke_id=attempts.invoke_id,
        )
        outgoing = Outgoing(
            destination, device.sap, client.client_sap, notification, settings, wanted,
            lambda result, moment: self._told(outgoing, result, moment), self._windows.closing(at),
        )  # fmt: skip
        return outgoing

    def _told(self, outgoing: Outgoing, result: Result, at: dt.datetime) -> None:
        """Learn what has become of an attempt. Raises StoreError."""
        attempts = self.attempts
        if attempts is None or self._current is not outgoing:
            return
        self._current = None
        if result.late:
            self._postpone(attempts, at)
            return
        if result.delivery < outgoing.wanted:
            self._failed(attempts, result.reason or _MISSING[outgoing.wanted], at)
            return
        if outgoing.wanted is Delivery.CONFIRMED:
            if attempts.reached is not None:
                self._sent |= dict.fromkeys(self._reports, attempts.reached)
            listed = {one.logical_name for one in self._setup.value("push_object_list")}
            self._sent = {name: moment for name, moment in self._sent.items() if name in listed}
            self._setup.keep("last_confirmation_date_time", self._clock.stamp(at))
        self._tell("push-delivered", at, delivery=result.delivery.name.lower())
        self._over(at)

    def _sent_before(self) -> dict[Obis, dt.datetime]:
        """Up to when the entries of each whole buffer count as sent."""
        start = self._setup.confirmation_parameters.confirmation_start_date
        sent = dict(self._sent)
        if not start.is_unspecified:
            try:
                moment = self._clock.moment(start)
            except DecodeError:
                return sent
            for one in self._setup.value("push_object_list"):
                sent[one.logical_name] = max(moment, sent.get(one.logical_name, moment))
        return sent

    def _clock_changed(self, change: ClockChange) -> None:
        """What comes again when the clock was put back has not been sent."""
        if change.sets_time:
            self._sent = {name: min(moment, change.after) for name, moment in self._sent.items()}
            if self.attempts is not None and self.attempts.reached is not None:
                self.attempts.reached = min(self.attempts.reached, change.after)
            self._save()
        self.replan(change.at)
