"""The client's side of an application association, sans-IO (IEC 62056-5-3).

:class:`ClientAssociation` has the one contract of the house; its octets are whole APDUs: ``receive`` takes one,
``octets_to_send`` returns one at a time until it returns none. One request is served at a time; the next may be sent
when the event of the last has come. The states are those of :mod:`cosemic.association.control`.

A request ends in :class:`Completed`, :class:`Failed` or, when the lower layer is lost, :class:`Aborted`. What nobody
asked for (answers that came too late: another invoke-id; notifications) is passed over. A change (SET, ACTION) that was
sent and whose answer is missing, or cannot be trusted, fails with OutcomeUnknown.

``tick(now)`` after ``send`` starts the response time-out.
"""

from __future__ import annotations

from typing import Any, Final

from cosemic import apdu as a
from cosemic.association.control import CLIENT, ControlFunction, State, Transition
from cosemic.association.exchanges import SERVICES, Exchange, Terms
from cosemic.association.opening import open_association, released_information
from cosemic.association.requests import CHANGES, Aborted, Completed, Event, Failed, Open, Opened, Release, Request
from cosemic.association.settings import ClientSettings
from cosemic.dialect import Quirk
from cosemic.errors import (
    AssociationError,
    CosemicError,
    DecodeError,
    ExceptionReceived,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    ServiceErrorReceived,
)
from cosemic.security import SecurityContext
from cosemic.values import Conformance, Priority, ReleaseRequestReason, ServiceClass, error_value_label

UNARMED: Final = 0.0
"""Deadline of a request whose time-out has not been started yet: ``tick`` is due at once."""
MOST_PASSED_OVER: Final = 64
"""APDUs that nobody asked for, in a row, after which the peer is taken as broken."""
_ACSE: Final[dict[int, Any]] = {0x61: a.AARE, 0x63: a.RLRE}
_RESPONSES: Final = frozenset((0xC4, 0xC5, 0xC7))
_INVOKE_IDS: Final = {
    priority: tuple(a.InvokeIdAndPriority.of(n, ServiceClass.CONFIRMED, priority) for n in range(16))
    for priority in Priority
}


class ClientAssociation:
    """One application association, opened and used by a client.

    settings: how it is opened. Create it on a lower layer that is connected; :meth:`lost` tells when that is gone.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self.context: SecurityContext | None = None
        """Security context of the association that stands or is being opened."""
        self.opened: Opened | None = None
        """What was agreed; None unless associated."""
        self._control = ControlFunction(CLIENT)
        self._control.move(Transition.CONNECT)
        self._due: list[bytes] = []
        self._request: Request | None = None
        self._exchange: Exchange | None = None
        self._deadline: float | None = None
        self._invoke = 0
        self._passed_over = 0
        self._terms = Terms(_INVOKE_IDS[Priority.NORMAL][0], 0xFFFF, Conformance(0), settings.limits)
        self._sent = False

    @property
    def state(self) -> State:
        """State of the control function."""
        return self._control.state

    @property
    def busy(self) -> bool:
        """Whether a request is being served."""
        return self._request is not None

    # ---- the contract -----------------------------------------------------------------------------------------------

    def send(self, request: Request) -> None:
        """Take a request; its first APDU is due afterwards.

        Raises AssociationError when another request is being served or the state does not allow this one, ServiceFailed
        when it was not agreed upon, and EncodeError: nothing was sent then.
        """
        if self._request is not None:
            raise AssociationError("a request is being served: wait for its answer, or cancel it")
        kind = type(request)
        service = SERVICES.get(kind)
        exchange: Exchange
        if service is not None:
            self._control.move(Transition.SERVICE)
            self._invoke = self._invoke % 15 + 1
            settings = self._terms
            self._terms = Terms(
                _INVOKE_IDS[Priority.NORMAL][self._invoke], settings.room, settings.agreed, settings.limits
            )
            exchange = service.exchange(request, self._terms)
        elif kind is Open:
            self._control.move(Transition.OPEN)
            exchange = open_association(self)
        else:
            self._control.move(Transition.RELEASE)
            exchange = self._release()
        try:
            self._sent = False
            self._transmit(next(exchange))
        except BaseException:
            if kind is Open:
                self._control.move(Transition.REFUSED)
            elif kind is Release:
                self._end(Transition.RELEASED)
            raise
        self._request, self._exchange, self._deadline = request, exchange, UNARMED
        self._passed_over = 0

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Take one APDU; return the event that ends the request, if it does."""
        exchange, request = self._exchange, self._request
        if exchange is None or request is None:
            return []
        try:
            response = self._read(octets)
            if response is None:
                self._passed_over += 1
                if self._passed_over > MOST_PASSED_OVER:
                    raise ProtocolError("the peer sends nothing but what nobody asked for: close the connection")
                return []
            self._transmit(exchange.send(response))
        except StopIteration as done:
            self._request = self._exchange = self._deadline = None
            return [Completed(request, done.value)]
        except CosemicError as error:
            return [self._fail(request, error)]
        self._deadline = now + self.settings.response_timeout
        return []

    def octets_to_send(self) -> bytes:
        """Return the next APDU that is due, or nothing."""
        return self._due.pop(0) if self._due else b""

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        return self._deadline

    def tick(self, now: float) -> list[Event]:
        """Start the response time-out of a request just sent, or let it run out."""
        deadline = self._deadline
        if deadline is None or self._request is None:
            return []
        if deadline == UNARMED:
            self._deadline = now + self.settings.response_timeout
            return []
        if now < deadline:
            return []
        request = self._request
        if isinstance(request, Release) and self.settings.dialect.release_unanswered_is_released:
            self._drop()
            self._end(Transition.RELEASED)
            return [Completed(request, None)]
        waited = f"no answer within {self.settings.response_timeout:g} s"
        return [self._fail(request, ResponseTimeout(f"{waited}: check the line, or raise the response time-out"))]

    # ---- beside the contract ----------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Give up the request being served; an answer that still comes is passed over (another invoke-id)."""
        request = self._request
        self._drop()
        self._due.clear()
        if isinstance(request, Open | Release):
            self._end(Transition.REFUSED if isinstance(request, Open) else Transition.RELEASED)

    def lost(self, error: CosemicError) -> list[Event]:
        """The lower layer is gone (COSEM-ABORT.indication): every request is over, and so is the association."""
        request = self._request
        self._drop()
        self._due.clear()
        self._end(Transition.ABORT)
        events: list[Event] = []
        if request is not None:
            events.append(Failed(request, self._unknown(request, error)))
        return [*events, Aborted(error)]

    # ---- what exchanges use -----------------------------------------------------------------------------------------

    def challenged(self) -> None:
        """The AARE accepted, and authentication goes on."""
        self._control.move(Transition.CHALLENGED)

    def accepted(self, opened: Opened) -> None:
        """The association stands."""
        self._control.move(Transition.ACCEPTED)
        self.opened = opened

    def agree(self, agreed: Conformance, server_max_pdu_size: int) -> None:
        """Take over what the InitiateResponse says: it holds for everything that is sent from now on."""
        room = server_max_pdu_size or 0xFFFF
        if self.settings.ciphered:
            # Tag, length, security control, counter and authentication tag; the title of a general envelope.
            room -= 21 + (9 if self.settings.general else 0)
        high = Priority.HIGH if agreed & Conformance.PRIORITY_MGMT_SUPPORTED else Priority.NORMAL
        self._terms = Terms(_INVOKE_IDS[high][0], room, agreed, self.settings.limits)

    def _release(self) -> Exchange:
        information = released_information(self)
        response = yield a.RLRQ(reason=ReleaseRequestReason.NORMAL, user_information=information)
        if not isinstance(response, a.RLRE):
            raise ProtocolError(f"the meter answered the release with {type(response).__name__}")
        self._end(Transition.RELEASED)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _transmit(self, message: Any) -> None:
        octets = message.encode()
        if self.context is not None and octets[0] >= 0xC0:
            octets = self.context.protect_apdu(octets)
        self._due.append(octets)
        self._sent = True

    def _read(self, octets: bytes) -> Any:
        """Return the APDU that answers the present request, None for one that does not. Raises CosemicError."""
        octets = bytes(octets)
        tag = octets[0] if octets else -1
        if tag in _ACSE:
            if isinstance(self._request, Open if tag == 0x61 else Release):
                if Quirk.ACSE_SHORT_LENGTHS in self.settings.dialect.quirks:
                    octets = a.lengthen(octets)
                return _ACSE[tag].decode(octets, self.settings.limits)
            return None
        if tag == 0xD8:
            raise received_exception(a.ExceptionResponse.decode(octets))
        if tag == 0x0E:
            raise received_service_error(a.ConfirmedServiceError.decode(octets))
        if self.context is not None:
            opened = self.context.unprotect_apdu(octets)
            octets = opened.plaintext
            if opened.authenticated:
                self.context.confirm()
            tag = octets[0] if octets else -1
        response = self._decode(octets)
        if tag not in _RESPONSES:
            return None
        # Priority is copied by the server, as the invoke-id is; the bits between are reserved.
        return response if (response.invoke_id_and_priority ^ self._terms.invoke) & 0x8F == 0 else None

    def _decode(self, octets: bytes) -> Any:
        if Quirk.ACTION_RESPONSE_BARE_RESULT not in self.settings.dialect.quirks or octets[:2] != b"\xc7\x01":
            return a.decode(octets, self.settings.limits)
        try:
            return a.decode(octets, self.settings.limits)
        except DecodeError:
            return a.bare_action_response(octets, self.settings.limits)

    def _fail(self, request: Request, error: CosemicError) -> Failed:
        self._drop()
        if isinstance(request, Open):
            self._end(Transition.REFUSED)
        elif isinstance(request, Release):
            self._end(Transition.RELEASED)
        return Failed(request, self._unknown(request, error))

    def _unknown(self, request: Request, error: CosemicError) -> CosemicError:
        """What a change ends in when it was sent and its answer is missing or cannot be trusted."""
        if (
            not self._sent
            or not isinstance(request, CHANGES)
            or isinstance(error, ExceptionReceived | ServiceErrorReceived)
        ):
            return error
        unknown = OutcomeUnknown(f"{error} - the change may have been made: read it back before sending it again")
        unknown.__cause__ = error
        return unknown

    def _drop(self) -> None:
        exchange, self._exchange = self._exchange, None
        self._request = self._deadline = None
        if exchange is not None:
            exchange.close()

    def _end(self, transition: Transition) -> None:
        if self._control.allows(transition):
            self._control.move(transition)
        self.opened = None
        self.context = None


def received_exception(apdu: a.ExceptionResponse) -> ExceptionReceived:
    """The error for an exception-response; it is never protected, so what it says is a hint."""
    error, counter = apdu.service_error
    state = getattr(apdu.state_error, "label", str(apdu.state_error))
    label = getattr(error, "label", str(error))
    hints = {
        "operation-not-possible": "open the association first, or check that this service is allowed in it",
        "service-not-supported": "the meter does not know this service",
        "pdu-too-long": "ask for less at a time",
        "deciphering-error": "check the keys and the system titles on both sides",
        "invocation-counter-error": f"the meter expects {counter} or more",
    }
    hint = hints.get(label, "the meter gives no other reason")
    return ExceptionReceived(f"the meter answered exception-response {state}, {label}: {hint}", state, label, counter)


def received_service_error(apdu: a.ConfirmedServiceError) -> ServiceErrorReceived:
    """The error for a confirmedServiceError."""
    service = getattr(apdu.service, "label", str(apdu.service))
    kind = getattr(apdu.error_class, "label", str(apdu.error_class))
    value = error_value_label(apdu.error_class, apdu.error_value)
    text = f"{service}, {kind}: {value}"
    return ServiceErrorReceived(f"the meter answered confirmedServiceError {text}", apdu.error_value, text)
