"""Sending notifications to one destination, sans-IO (IEC 62056-5-3; reference, application layer 12 and 16).

:class:`NotificationSender` has the one contract of the house; its octets are whole APDUs, one for each call of
``octets_to_send``. It sends one notification at a time; the next may be sent when the event of the last has come::

    unconfirmed                               Sent         the octets are handed to the medium: nobody knows more
    confirmed, confirmation came              Delivered
    confirmed, none came, or a refusal came   Undelivered

What is protected is protected first, in general-glo-ciphering as a rule, and then cut into general block transfer,
unconfirmed, where the receiver takes no APDU as long. A repetition has the long-invoke-id of the first and, ciphered, a
counter of its own. A confirmation counts when it has that long-invoke-id and is protected as required. What else comes,
late confirmations included, is passed over: anybody may have sent it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from cosemic import apdu as a
from cosemic.apdu.notification import TimeWithoutLength
from cosemic.association.client_layers import ClientLayers, applied_by
from cosemic.association.notifications import (
    DATA_NOTIFICATION_CONFIRM,
    LARGEST_LONG_INVOKE_ID,
    Notification,
    NotifyData,
)
from cosemic.association.parties import GeneralParties, check_parties
from cosemic.association.received_errors import received_error
from cosemic.association.settings import BOTH, LEAST_PDU_SIZE, SYSTEM_TITLE_LENGTH, check_keys
from cosemic.association.unconfirmed_blocks import cut
from cosemic.codec import DEFAULT_LIMITS, Limits
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import (
    AssociationError,
    ConfigurationError,
    CosemicError,
    DecipheringError,
    ExceptionReceived,
    ResponseTimeout,
    SecurityError,
    ServiceErrorReceived,
    ServiceFailed,
)
from cosemic.link.contract import UNARMED
from cosemic.security import (
    PROCESS_COUNTERS,
    CounterStore,
    Envelope,
    Protection,
    SecurityContext,
    SecurityMaterial,
)
from cosemic.security.general import LayerPlan

_ERRORS: Final = frozenset((0xD8, 0x0E))
_LARGEST_ANSWER: Final = 64
"""Octets to which a compressed answer may expand: a confirmation or an error is shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyingSettings:
    """How notifications to one destination are sent.

    system_title: the sender's own, 8 octets; needed with keys. material: the keys; None sends in clear. counters: where
    invocation counters are kept, shared by all that use the same keys. protection: of what is sent. require: least
    protection of a confirmation; None: the same. recipient_title: the receiver's system title, needed to check
    confirmations that are ciphered. broadcast: under the broadcast key; then nothing can be confirmed. general: in
    general-glo-ciphering; False: in the service-specific envelope, where the APDU has one. max_pdu_size: largest APDU
    that the receiver takes, in octets, 12 to 65535, or 0 for no limit. block_transfer: longer ones are cut; otherwise
    they are refused. response_timeout: seconds to wait for a confirmation. repetitions: how often it is sent again when
    none came. parties, layers: who protects what by general-ciphering and general-signing, and the layers of each
    notification, in place of the others; with keys and recipient_title; a confirmation then has to come in layers.
    limits: bounds of what is decoded.

    Raises ConfigurationError for what does not fit together.
    """

    system_title: bytes = b""
    material: SecurityMaterial | None = None
    counters: CounterStore = PROCESS_COUNTERS
    protection: Protection = BOTH
    require: Protection | None = None
    recipient_title: bytes | None = None
    broadcast: bool = False
    general: bool = True
    max_pdu_size: int = 0
    block_transfer: bool = True
    response_timeout: float = 10.0
    repetitions: int = 0
    parties: GeneralParties | None = None
    layers: LayerPlan | None = None
    dialect: Dialect = STANDARD
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if self.max_pdu_size and not LEAST_PDU_SIZE <= self.max_pdu_size <= 0xFFFF:
            raise ConfigurationError(f"max_pdu_size is 0 or 12 to 65535 octets, not {self.max_pdu_size}")
        if not self.response_timeout > 0:
            raise ConfigurationError(f"response_timeout is in seconds and above 0, not {self.response_timeout}")
        if self.repetitions < 0:
            raise ConfigurationError(f"repetitions are 0 or more, not {self.repetitions}")
        if self.recipient_title is not None and len(self.recipient_title) != SYSTEM_TITLE_LENGTH:
            raise ConfigurationError(f"the system title of the receiver has {len(self.recipient_title)} octets, not 8")
        if self.recipient_title is not None and self.recipient_title == self.system_title:
            raise ConfigurationError("the system title of the receiver is our own: one of them is set wrongly")
        if self.material is not None:
            check_keys(self.material, self.protection)
            check_keys(self.material, self.require or self.protection, layered=self.layers is not None)
            if self.broadcast and self.material.broadcast_key is None:
                raise ConfigurationError("notifications under the broadcast key need that key")
            self.context()
        if self.layers is not None or self.parties is not None:
            self._check_layers(self.layers, self.parties)

    def _check_layers(self, layers: LayerPlan | None, parties: GeneralParties | None) -> None:
        if self.material is None or self.recipient_title is None or layers is None or parties is None:
            raise ConfigurationError("layers need parties, keys and the system title of the receiver beside them")
        check_parties(parties, self.system_title, self.material, self.dialect)
        if not layers.layers or any(one.recipient not in (self.recipient_title, b"") for one in layers.layers):
            raise ConfigurationError("the layers of a notification are for its receiver: name recipient_title")

    def general_protection(self) -> ClientLayers | None:
        """Return what puts layers around notifications, with the keys of this moment; None without layers.

        Raises ConfigurationError.
        """
        if self.layers is None or self.parties is None or self.material is None or self.recipient_title is None:
            return None
        required = applied_by(self.layers) if self.require is None else self.require
        protection = self.parties.protection(
            self.system_title,
            self.recipient_title,
            self.material,
            self.counters,
            dialect=self.dialect,
            encryption_alone=required & BOTH == Protection.ENCRYPTED,
            expand_to=_LARGEST_ANSWER,
        )
        return ClientLayers(protection, self.recipient_title, self.require, usual=self.layers)

    def context(self) -> SecurityContext | None:
        """Return a fresh security context, or None where no keys are given."""
        if self.material is None:
            return None
        return SecurityContext(
            self.system_title,
            self.recipient_title,
            self.material,
            self.counters,
            send=self.protection,
            require=(self.protection if self.require is None else self.require) & BOTH,
            dialect=self.dialect,
            expand_to=_LARGEST_ANSWER,
        )


@dataclass(frozen=True, slots=True)
class Sent:
    """An unconfirmed notification was handed to the medium."""

    request: Notification


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has confirmed; ``date_time`` is what its confirmation says: 12 octets, or none."""

    request: NotifyData
    date_time: bytes


@dataclass(frozen=True, slots=True)
class Undelivered:
    """No confirmation came that counts; the receiver may have the notification nevertheless."""

    request: Notification
    error: CosemicError


NotifyingEvent = Sent | Delivered | Undelivered


class NotificationSender:
    """Sends notifications to one destination.

    settings: how. long_invoke_id: that of the last data-notification sent before, 0 to 16777215; keep
    :attr:`long_invoke_id` over a restart so that a receiver does not take a new one for a repetition.
    """

    def __init__(self, settings: NotifyingSettings, *, long_invoke_id: int = 0) -> None:
        self.settings = settings
        self.long_invoke_id = long_invoke_id
        """That of the last data-notification."""
        self._context = settings.context()
        self._layers: ClientLayers | None = None
        self._believed: tuple[object, ...] | None = None
        """Public keys that the layers were made with."""
        self._renew()
        self._due: deque[bytes] = deque()
        self._request: Notification | None = None
        self._deadline: float | None = None
        self._attempts = 0
        self._hint: CosemicError | None = None

    @property
    def busy(self) -> bool:
        """Whether the event of the last notification is still to come."""
        return self._request is not None

    # ---- the contract -----------------------------------------------------------------------------------------------

    def send(self, request: Notification) -> None:
        """Take a notification; its octets are due afterwards.

        Raises AssociationError when another one is under way; ConfigurationError for a confirmed one where no
        confirmation could be checked; ServiceFailed when it is too long; EncodeError, SecurityError. Nothing is sent
        then.
        """
        if self._request is not None:
            raise AssociationError("a notification is under way: wait for its event, or cancel it")
        if isinstance(request, NotifyData):
            self._check_confirmable(request)
            if request.long_invoke_id is None:
                request.long_invoke_id = self.long_invoke_id = self.long_invoke_id + 1 & LARGEST_LONG_INVOKE_ID
        self._due.extend(self._octets_of(request))
        self._request, self._deadline = request, UNARMED
        self._attempts = 1
        self._hint = None

    def receive(self, octets: bytes, now: float) -> list[NotifyingEvent]:
        """Take one APDU; return the event that ends the notification, if it does."""
        request = self._request
        if not isinstance(request, NotifyData) or not request.confirmed:
            return []
        try:
            confirmation = self._read(bytes(octets))
        except (ExceptionReceived, ServiceErrorReceived) as error:
            if self._context is None:
                return [self._undelivered(request, error)]
            self._hint = error  # in clear, so that anybody may have sent it
            return []
        except CosemicError as error:
            if isinstance(error, SecurityError):
                self._hint = error
            return []
        if confirmation is None or confirmation.long_invoke_id_and_priority.invoke_id != request.long_invoke_id:
            return []
        self.cancel()
        return [Delivered(request, confirmation.date_time)]

    def octets_to_send(self) -> bytes:
        """Return the next APDU that is due, or nothing."""
        return self._due.popleft() if self._due else b""

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        return self._deadline

    def tick(self, now: float) -> list[NotifyingEvent]:
        """Start the time-out of what was just sent, or let it run out: the notification is repeated, or given up."""
        deadline, request = self._deadline, self._request
        if deadline is None or request is None or self._due:
            return []
        if not isinstance(request, NotifyData) or not request.confirmed:
            self.cancel()
            return [Sent(request)]
        if deadline != UNARMED:
            if now < deadline:
                return []
            if self._attempts > self.settings.repetitions:
                times = "" if self._attempts == 1 else f", sent {self._attempts} times"
                silence = ResponseTimeout(
                    f"no confirmation within {self.settings.response_timeout:g} s{times}: "
                    "check the destination, or raise the response time-out"
                )
                return [self._undelivered(request, self._hint or silence)]
            try:
                self._due.extend(self._octets_of(request))
            except CosemicError as error:
                return [self._undelivered(request, error)]
            self._attempts += 1
        self._deadline = now + self.settings.response_timeout
        return []

    # ---- beside the contract ----------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Give up the notification under way; nothing more of it is sent, and no event comes."""
        self._request = self._deadline = None
        self._due.clear()

    def lost(self, error: CosemicError) -> list[NotifyingEvent]:
        """The lower layer is gone: what is under way is undelivered."""
        request = self._request
        return [] if request is None else [self._undelivered(request, error)]

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _check_confirmable(self, request: NotifyData) -> None:
        if not request.confirmed or self._context is None:
            return
        if self.settings.broadcast:
            raise ConfigurationError("what is sent under the broadcast key is never confirmed")
        if self.settings.recipient_title is None:
            raise ConfigurationError("a confirmed notification with ciphering needs the system title of the receiver")

    def _renew(self) -> None:
        """Go on with the public keys that count now. Raises ConfigurationError."""
        parties, title = self.settings.parties, self.settings.recipient_title
        believed = () if parties is None or title is None else parties.believed(title)
        if believed != self._believed:
            self._layers, self._believed = self.settings.general_protection(), believed

    def _octets_of(self, request: Notification) -> list[bytes]:
        """Return a notification as APDUs that the receiver takes, protected anew."""
        message = request.apdu()
        older = self.settings.dialect.differences.event_time_without_length
        if older and isinstance(message, a.EventNotificationRequest) and message.time is not None:
            message.time = TimeWithoutLength(message.time)
        octets = message.encode()
        self._renew()
        if self._layers is not None:
            self._layers.begin(self.settings.layers)
            octets = self._layers.protect(octets, octets)
        elif self._context is not None:
            envelope = Envelope.kind(dedicated=False, general=self.settings.general)
            if not envelope.holds(octets[0]):
                envelope = Envelope.GENERAL_GLO
            octets = self._context.protect_apdu(octets, envelope, broadcast=self.settings.broadcast)
        most = self.settings.max_pdu_size
        if not most or len(octets) <= most:
            return [octets]
        if not self.settings.block_transfer:
            raise ServiceFailed(
                f"the notification takes {len(octets)} octets, the receiver takes {most} at most: push less at once",
                label="pdu-too-long",
            )
        return cut(octets, most, last_streaming=self.settings.dialect.unconfirmed_last_block_streaming)

    def _read(self, octets: bytes) -> a.DataNotificationConfirm | None:
        """Return a confirmation that is protected as required, None for anything else. Raises CosemicError."""
        if octets[:1] and octets[0] in _ERRORS:
            raise received_error(octets)
        if self._layers is not None:
            octets = self._layers.open(octets, self._context).plaintext
        elif self._context is not None:
            opened = self._context.unprotect_apdu(octets)
            octets = opened.plaintext
            if not opened.authenticated and self._context.require & Protection.AUTHENTICATED:
                raise DecipheringError("the confirmation is not authenticated")
        if octets[:1] != bytes((DATA_NOTIFICATION_CONFIRM,)):
            return None
        return a.DataNotificationConfirm.decode(octets, self.settings.limits)

    def _undelivered(self, request: Notification, error: CosemicError) -> Undelivered:
        self.cancel()
        return Undelivered(request, error)
