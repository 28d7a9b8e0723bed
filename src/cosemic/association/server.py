"""The server's side of an application association, sans-IO (IEC 62056-5-3; application_layer.md 6.4, 14, 18).

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
    f(StoC) wrong                                action-result read-write-denied, and the association is gone

Unconfirmed requests (service-class 0) are executed and never answered.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from cosemic import apdu as a
from cosemic.association.accepting import Refusal, accept
from cosemic.association.control import SERVER, ControlFunction, State, Transition
from cosemic.association.opening import REPLY_TO_HLS_AUTHENTICATION
from cosemic.association.service_provider import Access, ServerSettings, ServiceProvider
from cosemic.association.serving import Serving
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import ResponseForm
from cosemic.errors import (
    AuthenticationFailed,
    CosemicError,
    DecodeError,
    InvocationCounterError,
    PolicyViolation,
    SecurityError,
)
from cosemic.security import Envelope, HlsServer, Protection, SecurityContext
from cosemic.security.hls import Randomness
from cosemic.values import (
    ActionResult,
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
    """An association was refused, or authentication failed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Released:
    """The association is over: the client has released it, or the lower layer is gone."""


ServerEvent = Associated | Refused | Released
_OPERATION_NOT_POSSIBLE: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)
_NOT_SUPPORTED: Final = (StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)
_REQUEST_TAGS: Final = frozenset((0xC0, 0xC1, 0xC3))


class ServerAssociation:
    """One association of a logical device.

    settings: how it may be opened. provider: the objects behind it. randomness: makes challenges.
    """

    def __init__(
        self, settings: ServerSettings, provider: ServiceProvider, *, randomness: Randomness = secrets.token_bytes
    ) -> None:
        self.settings = settings
        self.provider = provider
        self.context: SecurityContext | None = None
        self._randomness = randomness
        self._control = ControlFunction(SERVER)
        self._control.move(Transition.CONNECT)
        self._serving: Serving | None = None
        self._hls: HlsServer | None = None
        self._client_title: bytes | None = None
        self._due: list[bytes] = []

    @property
    def state(self) -> State:
        """State of the control function."""
        return self._control.state

    def send(self, request: bytes) -> None:
        """Take a whole APDU that the device sends of its own accord; it is protected as the association demands."""
        self._reply(request, self.context.envelope if self.context is not None else None, Protection.NONE)

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
        """Take one APDU of the client; its answer is due afterwards."""
        octets = bytes(octets)
        tag = octets[0] if octets else -1
        if tag == 0x60:
            return self._open(octets)
        if tag == 0x62:
            return self._release(octets)
        if self._control.state not in (State.ASSOCIATED, State.ASSOCIATION_PENDING):
            self._except(*_OPERATION_NOT_POSSIBLE)
            return []
        applied, envelope = Protection.NONE, None
        if self.context is not None:
            envelope = Envelope.of(octets)
            try:
                opened = self.context.unprotect_apdu(octets)
            except InvocationCounterError as error:
                counter = error.lowest_acceptable
                self._except(StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR, counter or 0)
                return []
            except PolicyViolation:
                self._except(*_OPERATION_NOT_POSSIBLE)
                return []
            except (SecurityError, DecodeError):
                self._except(StateError.SERVICE_NOT_ALLOWED, ServiceError.DECIPHERING_ERROR)
                return []
            octets = opened.plaintext
            applied = Protection(opened.security_control.protection)
        if not octets or octets[0] not in _REQUEST_TAGS:
            self._except(*_NOT_SUPPORTED)
            return []
        try:
            request = a.decode(octets, self.settings.limits)
        except DecodeError:
            self._except(StateError.SERVICE_NOT_ALLOWED, ServiceError.OTHER_REASON)
            return []
        return self._serve(request, applied, envelope)

    def lost(self) -> list[ServerEvent]:
        """The lower layer is gone (COSEM-ABORT.indication)."""
        was = self._control.state
        self._end(Transition.ABORT)
        self._due.clear()
        return [] if was in (State.IDLE, State.INACTIVE) else [Released()]

    # ---- services ---------------------------------------------------------------------------------------------------

    def _serve(self, request: Any, applied: Protection, envelope: Envelope | None) -> list[ServerEvent]:
        if self._control.state is State.ASSOCIATION_PENDING:
            if (
                isinstance(request, a.ActionRequestNormal)
                and request.cosem_method_descriptor == REPLY_TO_HLS_AUTHENTICATION
            ):
                return self._authenticate(request, applied, envelope)
            self._except(*_OPERATION_NOT_POSSIBLE)
            return []
        access = Access(applied, self._client_title)
        assert self._serving is not None
        response = self._serving.serve(request, access)
        if response is None:
            self._except(*_NOT_SUPPORTED)
        elif request.invoke_id_and_priority & 0x40:
            self._reply(response.encode(), envelope, applied | access.response)
        return []

    def _authenticate(
        self, request: a.ActionRequestNormal, applied: Protection, envelope: Envelope | None
    ) -> list[ServerEvent]:
        """Pass 3, the one attempt, and pass 4."""
        hls, self._hls = self._hls, None
        invoke = request.invoke_id_and_priority
        value = request.method_invocation_parameters
        try:
            if hls is None or value is None or value.type is not DataType.OCTET_STRING:
                raise AuthenticationFailed("pass 3 brings no octet-string, or comes twice")
            hls.verify(value.value())
            proof = EncodedData.of(DataType.OCTET_STRING, hls.answer())
        except CosemicError as error:
            denied = a.ActionResponseWithOptionalData(ActionResult.READ_WRITE_DENIED)
            self._reply(a.ActionResponseNormal(invoke, denied).encode(), envelope, applied)
            self._end(Transition.REFUSED)
            return [Refused(str(error))]
        answer = a.ActionResponseWithOptionalData(ActionResult.SUCCESS, proof)
        self._control.move(Transition.ACCEPTED)
        if invoke.service_class is ServiceClass.CONFIRMED:
            self._reply(a.ActionResponseNormal(invoke, answer).encode(), envelope, applied)
        return [Associated(self._client_title)]

    # ---- opening and release ----------------------------------------------------------------------------------------

    def _open(self, octets: bytes) -> list[ServerEvent]:
        self._forget()
        self._control.move(Transition.OPEN)
        try:
            accepted = accept(octets, self.settings, self._randomness)
        except Refusal as refusal:
            self._control.move(Transition.REFUSED)
            self._due.append(refusal.aare.encode())
            return [Refused(str(refusal))]
        except DecodeError as error:
            self._control.move(Transition.REFUSED)
            return [Refused(f"AARQ that cannot be read: {error}")]
        self.context = accepted.context
        self._hls = accepted.hls
        self._client_title = accepted.client_title
        self._serving = Serving(
            self.provider, accepted.agreed, accepted.room, self.settings.dialect, self.settings.limits
        )
        if accepted.response_allowed:
            self._due.append(accepted.aare.encode())
        if self._hls is not None:
            self._control.move(Transition.CHALLENGED)
            return []
        self._control.move(Transition.ACCEPTED)
        return [Associated(self._client_title)]

    def _release(self, octets: bytes) -> list[ServerEvent]:
        try:
            request = a.RLRQ.decode(octets)
            information = request.user_information
            if information is not None and self.context is not None:
                # A ciphered InitiateRequest authenticates the release; one that is wrong releases nothing.
                self.context.unprotect_apdu(information)
        except (DecodeError, SecurityError):
            self._except(StateError.SERVICE_NOT_ALLOWED, ServiceError.DECIPHERING_ERROR)
            return []
        was = self._control.state
        self._control.move(Transition.RELEASE)
        self._due.append(a.RLRE(reason=ReleaseResponseReason.NORMAL).encode())
        self._end(Transition.RELEASED)
        return [] if was is State.IDLE else [Released()]

    # ---- answers ----------------------------------------------------------------------------------------------------

    def _reply(self, octets: bytes, envelope: Envelope | None, protection: Protection) -> None:
        if self.context is not None:
            wanted = protection | self.context.send
            form = self.settings.dialect.response_form
            if wanted and (envelope is None or form is not ResponseForm.MIRRORED):
                dedicated = envelope.dedicated if envelope is not None else self.context.envelope.dedicated
                general = envelope.general if envelope is not None else False
                if form is not ResponseForm.MIRRORED:
                    general = form is ResponseForm.GENERAL
                envelope = Envelope.kind(dedicated=dedicated, general=general)
            octets = self.context.protect_apdu(octets, envelope, protection=wanted)
        self._due.append(octets)

    def _except(self, state: StateError, error: ServiceError, counter: int | None = None) -> None:
        """exception-response; always in clear."""
        self._due.append(a.ExceptionResponse(state, (error, counter)).encode())

    def _end(self, transition: Transition) -> None:
        self._control.move(transition)
        self._forget()

    def _forget(self) -> None:
        if self._hls is not None:
            self._hls.close()
        self._hls = self._serving = self.context = self._client_title = None
