"""The server's side of an application association, sans-IO (IEC 62056-5-3; reference, application layer 6.4, 14, 18).

One :class:`ServerAssociation` serves one pair of client SAP and server SAP of a connection. Its octets are whole APDUs:
``receive`` takes one, ``octets_to_send`` returns one at a time. It never raises for what a peer sends; it answers as
the standard says::

    AARQ that is refused                         AARE rejected-permanent, diagnostic, ConfirmedServiceError
    service outside the association              exception-response service-not-allowed, operation-not-possible
    ... before pass 3 of HLS has succeeded       the same; nothing but reply_to_HLS_authentication is served
    APDU not known, or not agreed upon           exception-response service-unknown, service-not-supported
    protection wrong                             exception-response service-not-allowed, deciphering-error
    protection less than the policy demands      exception-response service-not-allowed, operation-not-possible
    counter too low                              exception-response service-not-allowed, invocation-counter-error
    longer than max-receive-pdu-size             exception-response service-not-allowed, pdu-too-long
    f(StoC) wrong                                action-result read-write-denied, and the association is gone
    authentication failed too often before       the same, or AARE rejected-transient, authentication-failure
    key, counter or object that fails            exception-response service-not-allowed, other-reason
    answer that cannot be protected as it must   exception-response service-not-allowed, operation-not-possible

Unconfirmed requests (service-class 0) are executed and never answered, not even with an error; in an association that
was opened without an answer (response-allowed FALSE) nothing else is served.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from cosemic import apdu as a
from cosemic.association.accepting import Refusal, accept
from cosemic.association.client_history import ClientHistory
from cosemic.association.control import SERVER, ControlFunction, State, Transition
from cosemic.association.opening import REPLY_TO_HLS_AUTHENTICATION
from cosemic.association.service_provider import Access, Agreement, ServerSettings, ServiceProvider
from cosemic.association.serving import Serving, Unservable
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import ResponseForm
from cosemic.errors import (
    AssociationError,
    AuthenticationFailed,
    ConfigurationError,
    CosemicError,
    DecodeError,
    InvocationCounterError,
    PolicyViolation,
    SecurityError,
)
from cosemic.security import Envelope, HlsServer, Protection, SecurityContext, Unprotected
from cosemic.security.hls import Randomness
from cosemic.values import (
    ActionResult,
    AuthenticationMechanism,
    Conformance,
    ReleaseResponseReason,
    ServiceClass,
    ServiceError,
    StateError,
)


@dataclass(frozen=True, slots=True)
class Associated:
    """An association was opened, and both sides have proved what they had to."""

    client_title: bytes | None


@dataclass(frozen=True, slots=True)
class Refused:
    """An association was refused; ``authentication``: because the client has not proved itself."""

    reason: str
    authentication: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """The association is over: the client has released it, or the lower layer is gone."""


ServerEvent = Associated | Refused | Released
_OPERATION_NOT_POSSIBLE: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)
_PDU_TOO_LONG: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG)
_OTHER_REASON: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.OTHER_REASON)
_NOT_SUPPORTED: Final = (StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)
_REQUEST_TAGS: Final = frozenset((0xC0, 0xC1, 0xC3))
_INITIATE_REQUEST: Final = 0x01


class ServerAssociation:
    """One association of a logical device.

    settings: how it may be opened. provider: the objects behind it. randomness: makes challenges. history: what is
    remembered of the client, shared by all its associations with one logical device; None: of this object alone.
    """

    def __init__(
        self,
        settings: ServerSettings,
        provider: ServiceProvider,
        *,
        randomness: Randomness = secrets.token_bytes,
        history: ClientHistory | None = None,
    ) -> None:
        self.settings = settings
        self.provider = provider
        self._history = history or ClientHistory()
        self.context: SecurityContext | None = None
        self._randomness = randomness
        self._control = ControlFunction(SERVER)
        self._control.move(Transition.CONNECT)
        self._serving: Serving | None = None
        self._hls: HlsServer | None = None
        self.agreement: Agreement | None = None
        """What was agreed upon, as long as the association stands or is pending."""
        self._answers = True
        self._due: list[bytes] = []

    @property
    def state(self) -> State:
        """State of the control function."""
        return self._control.state

    def send(self, request: bytes) -> None:
        """Take a whole APDU that the device sends of its own accord; it is protected as the association demands.

        Raises EncodeError for an APDU that is never protected, SecurityError when it cannot be.
        """
        if self.context is not None and request:
            envelope = self.context.envelope
            general = envelope.general or not envelope.holds(request[0])
            envelope = Envelope.kind(dedicated=envelope.dedicated, general=general)
            request = self.context.protect_apdu(request, envelope)
        self._due.append(request)

    def octets_to_send(self) -> bytes:
        """Return the next APDU that is due, or nothing."""
        return self._due.pop(0) if self._due else b""

    def deadline(self) -> float | None:
        """Return None: a server waits for its client."""
        return None

    def tick(self, now: float) -> list[ServerEvent]:
        """Return nothing: a server waits for its client."""
        return []

    def receive(self, octets: bytes, now: float) -> list[ServerEvent]:
        """Take one APDU of the client; its answer is due afterwards. Without effect once the lower layer is lost.

        now: seconds, of one clock for all who share a history.
        """
        octets = bytes(octets)
        tag = octets[0] if octets else -1
        state = self._control.state
        if state is State.INACTIVE:
            return []
        if tag == 0x60:
            return self._open(octets, now)
        if tag == 0x62:
            return self._release(octets)
        serving = self._serving
        if serving is None:
            self._except(*_OPERATION_NOT_POSSIBLE)
            return []
        applied, envelope = Protection.NONE, None
        if self.context is not None:
            envelope = Envelope.of(octets)
            if envelope is not None and envelope.general and not serving.agreed & Conformance.GENERAL_PROTECTION:
                self._except(*_NOT_SUPPORTED)
                return []
            opened = self._unprotect(self.context, octets)
            if opened is None:
                return []
            octets = opened.plaintext
            applied = Protection(opened.security_control.protection)
        if not octets or octets[0] not in _REQUEST_TAGS:
            self._except(*_NOT_SUPPORTED)
            return []
        if 0 < self.settings.max_pdu_size < len(octets):
            self._except(*_PDU_TOO_LONG)
            return []
        try:
            request = a.decode(octets, self.settings.limits)
        except DecodeError:
            self._except(*_OTHER_REASON)
            return []
        return self._serve(serving, request, applied, envelope, now)

    def lost(self) -> list[ServerEvent]:
        """The lower layer is gone (COSEM-ABORT.indication)."""
        was = self._control.state
        self._end(Transition.ABORT)
        self._due.clear()
        return [] if was in (State.IDLE, State.INACTIVE) else [Released()]

    # ---- services ---------------------------------------------------------------------------------------------------

    def _unprotect(self, context: SecurityContext, octets: bytes) -> Unprotected | None:
        """Take the protection off a request; where that cannot be, answer why."""
        try:
            return context.unprotect_apdu(octets)
        except InvocationCounterError as error:
            lowest = error.lowest_acceptable or 0
            self._except(StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR, lowest)
        except PolicyViolation:
            self._except(*_OPERATION_NOT_POSSIBLE)
        except (SecurityError, DecodeError, ConfigurationError):
            self._except(StateError.SERVICE_NOT_ALLOWED, ServiceError.DECIPHERING_ERROR)
        except CosemicError:
            self._except(*_OTHER_REASON)
        return None

    def _serve(
        self, serving: Serving, request: Any, applied: Protection, envelope: Envelope | None, now: float
    ) -> list[ServerEvent]:
        confirmed = request.invoke_id_and_priority.service_class is ServiceClass.CONFIRMED
        if confirmed and not self._answers:
            self._except(*_OPERATION_NOT_POSSIBLE)
            return []
        if self._control.state is State.ASSOCIATION_PENDING:
            if (
                confirmed
                and isinstance(request, a.ActionRequestNormal)
                and request.cosem_method_descriptor == REPLY_TO_HLS_AUTHENTICATION
            ):
                return self._authenticate(request, applied, envelope, now)
            if confirmed:
                self._except(*_OPERATION_NOT_POSSIBLE)
            return []
        access = Access(applied, self.agreement)
        try:
            response = serving.serve(request, access).encode()
        except Unservable as error:
            if confirmed:
                self._except(error.state_error, error.service_error)
            return []
        except CosemicError:
            if confirmed:
                self._except(*_OTHER_REASON)
            return []
        if confirmed:
            self._reply(response, envelope, applied | access.response)
        return []

    def _authenticate(
        self, request: a.ActionRequestNormal, applied: Protection, envelope: Envelope | None, now: float
    ) -> list[ServerEvent]:
        """Pass 3, the one attempt, and pass 4."""
        hls, self._hls = self._hls, None
        invoke = request.invoke_id_and_priority
        value = request.method_invocation_parameters
        self._control.move(Transition.AUTHENTICATE)
        try:
            if self._history.refuses(now):
                # Challenges that were handed out before do not get around the pause.
                raise AssociationError("authentication failed too often: this client has to wait")
            if hls is None or value is None or value.type is not DataType.OCTET_STRING:
                raise AuthenticationFailed("pass 3 brings no octet-string")
            hls.verify(value.value())
            proof = EncodedData.of(DataType.OCTET_STRING, hls.answer())
        except CosemicError as error:
            if isinstance(error, AuthenticationFailed):
                self._history.failed(now)
            denied = a.ActionResponseWithOptionalData(ActionResult.READ_WRITE_DENIED)
            self._reply(a.ActionResponseNormal(invoke, denied).encode(), envelope, applied)
            self._end(Transition.REFUSED)
            return [Refused(str(error), True)]
        self._history.succeeded()
        answer = a.ActionResponseWithOptionalData(ActionResult.SUCCESS, proof)
        self._control.move(Transition.ACCEPTED)
        self._reply(a.ActionResponseNormal(invoke, answer).encode(), envelope, applied)
        assert self.agreement is not None
        return [Associated(self.agreement.client_title)]

    # ---- opening and release ----------------------------------------------------------------------------------------

    def _open(self, octets: bytes, now: float) -> list[ServerEvent]:
        self._forget()
        self._control.move(Transition.OPEN)
        try:
            accepted = accept(octets, self.settings, self._randomness, self._history, now)
        except Refusal as refusal:
            self._control.move(Transition.REFUSED)
            if refusal.aare is not None:
                self._due.append(refusal.aare.encode())
            return [Refused(str(refusal), refusal.authentication)]
        self.context = accepted.context
        self._hls = accepted.hls
        self.agreement = accepted.agreement
        settings = self.settings
        self._serving = Serving(
            self.provider,
            accepted.agreement.conformance,
            accepted.room,
            settings.dialect,
            settings.limits,
            settings.max_transfer,
        )
        self._answers = accepted.response_allowed
        if self._answers:
            self._due.append(accepted.aare.encode())
        if self._hls is not None:
            self._control.move(Transition.CHALLENGED)
            return []
        if settings.mechanism is not AuthenticationMechanism.LOWEST:
            self._history.succeeded()
        self._control.move(Transition.ACCEPTED)
        return [Associated(accepted.agreement.client_title)]

    def _release(self, octets: bytes) -> list[ServerEvent]:
        try:
            information = a.RLRQ.decode(octets, self.settings.limits).user_information
            if information is not None and self.context is not None:
                # A ciphered InitiateRequest authenticates the release; one that is wrong releases nothing.
                initiate = self.context.unprotect_apdu(information).plaintext
                if initiate[0] != _INITIATE_REQUEST:
                    raise DecodeError("an InitiateRequest", 0, "rlrq.user-information")
        except CosemicError:
            self._except(StateError.SERVICE_NOT_ALLOWED, ServiceError.DECIPHERING_ERROR)
            return []
        was = self._control.state
        self._control.move(Transition.RELEASE)
        self._due.append(a.RLRE(reason=ReleaseResponseReason.NORMAL).encode())
        self._end(Transition.RELEASED)
        return [] if was is State.IDLE else [Released()]

    # ---- answers ----------------------------------------------------------------------------------------------------

    def _reply(self, octets: bytes, envelope: Envelope | None, protection: Protection) -> None:
        """Answer in the envelope of the request, with the protection of the request, the policy and the rights."""
        try:
            if self.context is not None:
                wanted = protection | self.context.send
                octets = self.context.protect_apdu(octets, self._response_envelope(envelope), protection=wanted)
            elif protection:
                raise PolicyViolation("the answer is to be protected, in an association without ciphering")
        except CosemicError:
            self._except(*_OPERATION_NOT_POSSIBLE)
        else:
            self._due.append(octets)

    def _response_envelope(self, envelope: Envelope | None) -> Envelope:
        assert self.context is not None
        form = self.settings.dialect.response_form
        if envelope is None:
            envelope = Envelope.kind(dedicated=self.context.envelope.dedicated, general=False)
        if form is not ResponseForm.MIRRORED:
            envelope = Envelope.kind(dedicated=envelope.dedicated, general=form is ResponseForm.GENERAL)
        return envelope

    def _except(self, state: StateError, error: ServiceError, counter: int | None = None) -> None:
        """exception-response; always in clear."""
        self._due.append(a.ExceptionResponse(state, (error, counter)).encode())

    def _end(self, transition: Transition) -> None:
        self._control.move(transition)
        self._forget()

    def _forget(self) -> None:
        if self._hls is not None:
            self._hls.close()
        self._hls = self._serving = self.context = self.agreement = None
