"""Receiving notifications outside associations, sans-IO (IEC 62056-5-3; reference, application layer 12, security 17).

:class:`NotificationReceiver` has the one contract of the house; its octets are whole APDUs of one link, and nothing is
asked for. What comes is joined, deciphered, held against policy and counters, and read, in this order::

    general-block-transfer, unconfirmed    joined; the APDU in it goes on
    ciphered                               opened with the keys of its system title, or of the known sender
    general-ciphering, general-signing     opened with those of its originator, where they are known
    in clear                               taken where no protection is demanded
    0F, 18, C2                             Notified
    anything else, or anything wrong       NotificationRefused; nothing is answered

A confirmed data-notification is confirmed at once, when the application says so (after what it brings was stored), or
never: on one-way media nobody hears it, and many meters ask for it all the same. What is repeated because its
confirmation was lost is delivered once and confirmed again. A confirmation is protected as the notification was.

Memory is bounded: one message in blocks for each receiver, and ``most_held`` octets of them for all; for each sender a
context and the digests of its latest confirmed notifications; ``most_originators`` senders, whose keys must be known.
:class:`Originators` is what the receivers of all links share, so that a sender that connects again is known again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from cosemic import apdu as a
from cosemic.association.notifications import UNSOLICITED, NotificationRefused, Notified, Repeats
from cosemic.association.originators import Keys, KnownOriginator, Originator, Originators
from cosemic.association.server_layers import LAYER_TAGS, VOUCHES
from cosemic.association.settings import BOTH, SYSTEM_TITLE_LENGTH
from cosemic.association.unconfirmed_blocks import GENERAL_BLOCK_TRANSFER, UnconfirmedBlocks, is_unconfirmed
from cosemic.codec import DEFAULT_LIMITS, Limits
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import (
    AssociationError,
    ConfigurationError,
    CosemicError,
    PolicyViolation,
    ProtocolError,
)
from cosemic.security import (
    PROCESS_COUNTERS,
    CounterStore,
    Protection,
    is_ciphered,
    system_title_of,
)
from cosemic.security.general import read_header


class Confirming(Enum):
    """When a data-notification that asks for it is confirmed."""

    AT_ONCE = "at-once"
    WHEN_TOLD = "when-told"
    """By :meth:`NotificationReceiver.confirm`."""
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivingSettings:
    """What notifications are taken.

    keys: finds the keys of a sender; None: nothing ciphered is taken. system_title: the own one, 8 octets; needed to
    confirm what is ciphered. counters: where the counters of senders are kept. require: least protection; NONE takes
    what comes in clear too. broadcast: what comes under the broadcast key of a sender is taken. confirming: when.
    max_octets: of a notification that comes in blocks. most_held: octets of blocks of messages that are not complete,
    of all receivers that share their :class:`Originators`. block_timeout: seconds after which a message in blocks that
    stands still is dropped. repeat_window: seconds for which a confirmed notification is remembered. most_originators:
    senders that are remembered. dialect: as of :class:`~cosemic.security.SecurityContext`. limits: bounds of decoding.

    Raises ConfigurationError.
    """

    keys: Keys | None = None
    system_title: bytes = b""
    counters: CounterStore = PROCESS_COUNTERS
    require: Protection = BOTH
    broadcast: bool = False
    confirming: Confirming = Confirming.AT_ONCE
    max_octets: int = 1 << 20
    most_held: int = 1 << 26
    block_timeout: float = 30.0
    repeat_window: float = 600.0
    most_originators: int = 4096
    dialect: Dialect = STANDARD
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if len(self.system_title) not in (0, SYSTEM_TITLE_LENGTH):
            raise ConfigurationError(f"the own system title has {len(self.system_title)} octets, not 8")
        if self.require and self.keys is None:
            raise ConfigurationError("protection is demanded, and no keys are given: nothing could be taken")
        if min(self.max_octets, self.most_held, self.most_originators) < 1:
            raise ConfigurationError("max_octets, most_held and most_originators are 1 or more")
        if not self.block_timeout > 0:
            raise ConfigurationError(f"block_timeout is in seconds and above 0, not {self.block_timeout}")


@dataclass(frozen=True, slots=True)
class ConfirmationFailed:
    """A notification was delivered, and its confirmation could not be protected: its sender will repeat it."""

    notified: Notified
    error: CosemicError


ReceiverEvent = Notified | NotificationRefused | ConfirmationFailed
__all__ = [
    "ConfirmationFailed",
    "Confirming",
    "Keys",
    "NotificationReceiver",
    "Originator",
    "Originators",
    "ReceiverEvent",
    "ReceivingSettings",
    "read",
]


class NotificationReceiver:
    """Takes the notifications that come over one link.

    settings: which. originators: shared with the receivers of other links; keys, counters and policy are its own.
    """

    def __init__(self, settings: ReceivingSettings, *, originators: Originators | None = None) -> None:
        self._originators = Originators(settings) if originators is None else originators
        self.settings = settings
        self._blocks = UnconfirmedBlocks(self.settings.max_octets)
        self._repeats = Repeats(self.settings.repeat_window)
        """Of what came in clear: anybody may have sent it, so that it counts for this link alone."""
        self.sender: bytes | None = None
        """System title of who is at the other end, where that is known: for what is ciphered and names no sender."""
        self._due: deque[bytes] = deque()
        self._deadline: float | None = None

    # ---- the contract -----------------------------------------------------------------------------------------------

    def send(self, request: Notified) -> None:
        """Confirm a notification; the same as :meth:`confirm`."""
        self.confirm(request)

    def receive(self, octets: bytes, now: float) -> list[ReceiverEvent]:
        """Take one APDU; return what it means: at most one notification."""
        octets = bytes(octets)
        title: bytes | None = None
        try:
            if octets[:1] == bytes((GENERAL_BLOCK_TRANSFER,)):
                whole = self._join(octets, now)
                if whole is None:
                    return []
                octets = whole
            known: KnownOriginator | None = None
            notified = None
            if octets[:1] and octets[0] in LAYER_TAGS:
                title = read_header(octets)[0].originator
                known = self._originators.find(title)
                octets, notified = self._open_layers(known, octets)
                if not notified.protection:
                    known = None  # as in clear: nothing of the sender's is touched
            elif is_ciphered(octets):
                title = system_title_of(octets) or self.sender
                known = self._originators.find(title)
                octets, notified = self._open(known, octets)
            else:
                if self.settings.require:
                    raise PolicyViolation(
                        "the notification came in clear: let the meter protect it, or take it with "
                        "require=Protection.NONE, when anybody may be its sender"
                    )
                notified = Notified(read(octets, self.settings.limits))
        except CosemicError as error:
            return [NotificationRefused(error, title)]
        if not self._confirms(notified):
            return [notified]
        invoke = _invoke_of(notified)
        repeats = self._repeats if known is None else known.repeats
        came_before = repeats.came_before(invoke.invoke_id, octets, now)
        events: list[ReceiverEvent] = [] if came_before else [notified]
        if self.settings.confirming is Confirming.AT_ONCE or repeats.confirmed(invoke.invoke_id):
            try:
                self._confirm(notified, known, b"")
            except CosemicError as error:
                events.append(ConfirmationFailed(notified, error))
        return events

    def octets_to_send(self) -> bytes:
        """Return the next APDU that is due, or nothing."""
        return self._due.popleft() if self._due else b""

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        return self._deadline

    def tick(self, now: float) -> list[ReceiverEvent]:
        """Drop a message in blocks that stands still."""
        if self._deadline is None or now < self._deadline:
            return []
        self.drop()
        return [NotificationRefused(ProtocolError("a notification in blocks was not completed in time"))]

    # ---- beside the contract ----------------------------------------------------------------------------------------

    def confirm(self, notified: Notified, date_time: bytes = b"") -> None:
        """Confirm a notification; data-notification-confirm is due afterwards. date_time: 12 octets, or none.

        Does no harm when repeated. Raises AssociationError for one that asks for no confirmation, or gets none by the
        settings; SecurityError, ConfigurationError where the confirmation cannot be protected.
        """
        if not self._confirms(notified):
            raise AssociationError("this notification is not to be confirmed: it asks for none, or none can be sent")
        known = self._originators.find(notified.system_title) if notified.protection else None
        self._confirm(notified, known, date_time)

    def forget(self, notified: Notified) -> None:
        """Let a notification that was not confirmed come again: it could not be kept."""
        if self._confirms(notified):
            known = self._originators.find(notified.system_title) if notified.protection else None
            (self._repeats if known is None else known.repeats).forget(_invoke_of(notified).invoke_id)

    def drop(self) -> None:
        """Forget a message in blocks that is not complete, as when the link has ended."""
        self._deadline = None
        self._originators.held -= self._blocks.held
        self._blocks.drop()

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _join(self, octets: bytes, now: float) -> bytes | None:
        """Take a block; return the APDU that it completes. Raises DecodeError, ProtocolError."""
        block = a.GeneralBlockTransfer.decode(octets, self.settings.limits)
        if not is_unconfirmed(block):
            raise ProtocolError("a notification comes in blocks that want to be acknowledged: only others are taken")
        before = self._blocks.held
        try:
            whole = self._blocks.take(block)
        finally:
            self._originators.held += self._blocks.held - before
            self._deadline = now + self.settings.block_timeout if self._blocks.under_way else None
        if self._originators.held > self.settings.most_held:
            self.drop()
            raise ProtocolError("too many notifications come in blocks at a time: this one is lost")
        return whole

    def _open(self, known: KnownOriginator, octets: bytes) -> tuple[bytes, Notified]:
        """Return a ciphered notification, plain and as it was read. Raises CosemicError."""
        if known.require & Protection.SIGNED:
            raise PolicyViolation("the notification is not signed, as the settings demand")
        opened = known.context.unprotect_apdu(octets, broadcast=self.settings.broadcast)
        control = opened.security_control
        notified = Notified(
            read(opened.plaintext, self.settings.limits),
            known.originator.system_title,
            Protection(control.protection),
            opened.authenticated,
            control.broadcast,
        )
        return opened.plaintext, notified

    def _open_layers(self, known: KnownOriginator, octets: bytes) -> tuple[bytes, Notified]:
        """The same of one in layers of general protection. Raises CosemicError."""
        layered = known.open_layers(octets, self.settings.broadcast)
        apdu = read(layered.apdu, self.settings.limits)
        notified = Notified(
            apdu,
            (layered.third_party or known.originator.system_title) if layered.applied else None,
            layered.applied,
            bool(layered.applied & VOUCHES),
            layered.found.broadcast,
        )
        if notified.protection and self._confirms(notified):
            known.remember(_invoke_of(notified).invoke_id, layered)
        return layered.apdu, notified

    def _confirms(self, notified: Notified) -> bool:
        """Whether a notification is to be confirmed: never under the broadcast key, which all meters hold."""
        if self.settings.confirming is Confirming.NEVER or notified.broadcast:
            return False
        if not self.settings.dialect.differences.data_notification_confirm:
            return False
        return notified.wants_confirmation

    def _confirm(self, notified: Notified, known: KnownOriginator | None, date_time: bytes) -> None:
        """Confirmation is due. Raises SecurityError, ConfigurationError."""
        invoke = _invoke_of(notified)
        octets = a.DataNotificationConfirm(invoke, date_time).encode()
        if known is not None:
            if known.nameless:
                raise ConfigurationError("what is ciphered is confirmed under the own system title: give system_title")
            octets = known.confirmation(invoke.invoke_id, octets, notified.protection)
        self._due.append(octets)
        (self._repeats if known is None else known.repeats).confirm(invoke.invoke_id)


def _invoke_of(notified: Notified) -> a.LongInvokeIdAndPriority:
    """The long-invoke-id of a data-notification."""
    assert isinstance(notified.apdu, a.DataNotification)
    return notified.apdu.long_invoke_id_and_priority


def read(octets: bytes, limits: Limits) -> a.DataNotification | a.EventNotificationRequest | a.InformationReportRequest:
    """Return a notification. Raises ProtocolError for any other APDU, DecodeError."""
    kind = UNSOLICITED.get(octets[0]) if octets else None
    if kind is None:
        tag = f"tag {octets[0]:02x}" if octets else "no octets at all"
        raise ProtocolError(f"what came is no notification: {tag}")
    apdu: a.DataNotification | a.EventNotificationRequest | a.InformationReportRequest = kind.decode(octets, limits)
    return apdu
