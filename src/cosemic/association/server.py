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

With short names it is confirmedServiceError in place of exception-response (:mod:`cosemic.association.error_apdus`).

Unconfirmed requests (service-class 0) are executed and never answered, not even with an error; in an association that
was opened without an answer (response-allowed FALSE), and of what is sent to all stations, nothing else is served.

Where it is pre-established, the association stands from the beginning, and whenever none that took its place does. It
ends with the lower layer: RLRQ is answered like a service that is not possible (the text only says that there is none).

Where answers are kept (:mod:`cosemic.association.kept_answers`), what comes again is executed once. An association that
stands is then ended by an AARQ that is accepted, and not by one that is refused: it may be a late double.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Any, Final

from cosemic import apdu as a
from cosemic.association.accepting import Accepted, accept, stands
from cosemic.association.answering import (
    NOT_SUPPORTED,
    OPERATION_NOT_POSSIBLE,
    OTHER_REASON,
    PDU_TOO_LONG,
    Reason,
    is_unconfirmed,
    not_unprotected,
    wants_answer,
)
from cosemic.association.client_history import ClientHistory
from cosemic.association.control import State, Transition
from cosemic.association.error_apdus import AtHand, has_short_names
from cosemic.association.kept_answers import KeptAnswers
from cosemic.association.passes import accepted as proved
from cosemic.association.passes import fetches_proof, is_pass_3, proof_in
from cosemic.association.passes import refused as not_proved
from cosemic.association.refusal import Refusal
from cosemic.association.releasing import release
from cosemic.association.server_blocks import TAG as BLOCK
from cosemic.association.server_events import Associated, NotificationConfirmed, Refused, Released, ServerEvent
from cosemic.association.server_wire import ServerWire
from cosemic.association.service_provider import Access, ServerSettings, ServiceProvider
from cosemic.association.serving import REQUEST_TAGS, Serving, Unservable
from cosemic.codec import DataType, EncodedData
from cosemic.errors import (
    AssociationError,
    AuthenticationFailed,
    CosemicError,
    DecodeError,
)
from cosemic.security import Envelope, HlsServer, Protection
from cosemic.security.hls import Randomness
from cosemic.values import (
    AuthenticationMechanism,
    Conformance,
    ServiceError,
    StateError,
)

_AARQ: Final = 0x60
_RLRQ: Final = 0x62
_DATA_NOTIFICATION_CONFIRM: Final = b"\x10"


class ServerAssociation(ServerWire):
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
        super().__init__(settings)
        self.provider = provider
        self._history = history or ClientHistory()
        self._randomness = randomness
        self._serving: Serving | None = None
        self._hls: HlsServer | None = None
        self._proof: EncodedData | None = None
        """Pass 4, until it is fetched: pass 3 came by Write."""
        self._answers = True
        self._stand()

    def receive(self, octets: bytes, now: float) -> list[ServerEvent]:
        """Take one APDU of the client; its answer is due afterwards. Without effect once the lower layer is lost.

        now: seconds, of one clock for all who share a history.
        """
        octets = bytes(octets)
        tag, received = octets[0] if octets else -1, len(octets)
        self._at_hand = AtHand(tag)
        self._layered = None
        state = self._control.state
        if state is State.INACTIVE:
            return []
        if tag == _AARQ:
            return self._open(octets, now)
        if tag == _RLRQ:
            return self._release(octets)
        serving = self._serving
        if serving is None:
            late = tag == BLOCK and self.settings.keep_answers  # of an association that has ended
            if not late and not is_unconfirmed(octets):
                self._except(*OPERATION_NOT_POSSIBLE)
            return []
        blocks, in_blocks = self._blocks, False
        blocks.at(now)
        if blocks.takes(tag, sealed=False):
            whole = self._joined(octets)
            if whole is None:
                return []
            octets, in_blocks = whole, True
            self._at_hand = AtHand(octets[0])
        applied, envelope = Protection.NONE, None
        if self.context is not None and self._is_layered(octets):
            layered = self._unwrap(self.context, octets)
            if layered is None:
                return []
            octets, applied, envelope = layered.apdu, layered.applied, Envelope.GENERAL_GLO
        elif self.context is not None:
            envelope = Envelope.of(octets)
            if envelope is not None and envelope.general and not serving.agreed & Conformance.GENERAL_PROTECTION:
                self._except(*NOT_SUPPORTED)
                return []
            opened = self._unprotect(self.context, octets)
            if opened is not None and blocks.takes(opened.plaintext[0], sealed=True):
                opened, in_blocks = self._joined_sealed(opened, self.context), True
            if opened is None:
                return []
            octets = opened.plaintext
            applied = Protection(opened.security_control.protection)
            self._at_hand = AtHand(octets[0] if octets else -1, applied, envelope)
        if octets[:1] == _DATA_NOTIFICATION_CONFIRM and serving.agreed & Conformance.DATA_NOTIFICATION:
            return self._confirmed(octets)
        if not octets or octets[0] not in REQUEST_TAGS:
            self._except(*NOT_SUPPORTED)
            return []
        if 0 < self.settings.max_pdu_size < min(len(octets), received) and not in_blocks:
            self._refuse_unread(octets, PDU_TOO_LONG)
            return []
        try:
            request = a.decode(octets, self.settings.limits)
        except DecodeError:
            self._refuse_unread(octets, OTHER_REASON)
            return []
        answers = self._answers and not self._to_all
        confirmed = wants_answer(request, envelope, self.settings.dialect, answers=answers)
        numbered = confirmed and not has_short_names(octets[0])
        if self._kept is not None and numbered and self._came_before(self._kept, octets, applied, envelope, now):
            return []
        return self._serve(serving, request, confirmed, applied, envelope, now)

    def receive_broadcast(self, octets: bytes, now: float) -> None:
        """Take an APDU sent to all stations: unconfirmed requests are served, and nothing is answered.

        They belong to the association that stands, and may come under the broadcast key; all else is passed over.
        Associations under one key need counters of their own: in one store the second would find a replay.
        """
        if self._control.state is not State.ASSOCIATED or not octets or octets[0] in (_AARQ, _RLRQ):
            return
        due = len(self._due)
        self._to_all = True
        try:
            self.receive(octets, now)
        finally:
            self._to_all = False
            del self._due[due:]

    def lost(self) -> list[ServerEvent]:
        """The lower layer is gone (COSEM-ABORT.indication)."""
        was = self._control.state
        self._end(Transition.ABORT)
        self._due.clear()
        self._blocks.due.clear()
        return [] if was in (State.IDLE, State.INACTIVE) else [Released()]

    # ---- services ---------------------------------------------------------------------------------------------------

    def _refuse_unread(self, octets: bytes, reason: Reason) -> None:
        """Answer a request that was not read, unless it begins as an unconfirmed one."""
        if not is_unconfirmed(octets):
            self._except(*reason)

    def _confirmed(self, octets: bytes) -> list[ServerEvent]:
        """Take a data-notification-confirm of the client, who was notified; nothing is answered."""
        if self._control.state is not State.ASSOCIATED or self._third_party:
            return []
        with suppress(DecodeError):
            return [NotificationConfirmed(a.DataNotificationConfirm.decode(octets, self.settings.limits))]
        return []

    def _came_before(
        self, kept: KeptAnswers, octets: bytes, applied: Protection, envelope: Envelope | None, now: float
    ) -> bool:
        """Answer a confirmed request that was served from what was kept, or pass it over; note any other as served."""
        if self._to_all:
            return False
        if kept.repeats(octets, now):
            if kept.answer is None:
                self._except(*OTHER_REASON)
            elif not self._blocks.goes_on():
                self._reply(kept.answer.octets, envelope, applied, kept.answer.protection)
            return True
        if kept.comes_late(octets, now):
            return True
        kept.serve(octets, now)
        return False

    def _serve(
        self,
        serving: Serving,
        request: Any,
        confirmed: bool,
        applied: Protection,
        envelope: Envelope | None,
        now: float,
    ) -> list[ServerEvent]:
        if confirmed and (self._to_all or not self._answers):
            self._except(*OPERATION_NOT_POSSIBLE)
            return []
        unanswerable = confirmed and not self._answerable
        if unanswerable or self._control.state is State.ASSOCIATION_PENDING:
            if confirmed and not unanswerable and is_pass_3(request):
                return self._authenticate(request, applied, envelope, now)
            if confirmed:
                self._refuse_unexecuted(*OPERATION_NOT_POSSIBLE)
            return []
        access = Access(applied, self.agreement, self._third_party, signable=not confirmed or self._signable)
        proof, self._proof = self._proof, None
        if proof is not None and fetches_proof(request):
            self._reply(proved(request, proof).encode(), envelope, applied)
            return []
        try:
            response = serving.serve(request, access, answered=confirmed, most=self._room_in_layers(confirmed)).encode()
        except Unservable as error:
            if confirmed:
                self._refuse_unexecuted(error.state_error, error.service_error)
            return []
        except CosemicError:
            if confirmed:
                self._except(*OTHER_REASON)
            return []
        if confirmed:
            self._reply(response, envelope, applied, access.response)
        return []

    def _refuse_unexecuted(self, state: StateError, error: ServiceError) -> None:
        """Refuse a confirmed request of which nothing was executed: it may be tried again."""
        if self._kept is not None and not has_short_names(self._at_hand.tag):
            self._kept.forget_last()
        self._except(state, error)

    def _authenticate(
        self, request: Any, applied: Protection, envelope: Envelope | None, now: float
    ) -> list[ServerEvent]:
        """Pass 3, the one attempt, and pass 4."""
        hls, self._hls = self._hls, None
        value = proof_in(request)
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
            self._reply(not_proved(request).encode(), envelope, applied)
            self._end(Transition.REFUSED)
            return [Refused(str(error), True)]
        self._history.succeeded()
        self._control.move(Transition.ACCEPTED)
        self._proof = proof if isinstance(request, a.WriteRequest) else None
        self._reply(proved(request, proof).encode(), envelope, applied)
        assert self.agreement is not None
        return [Associated(self.agreement.client_title)]

    # ---- opening and release ----------------------------------------------------------------------------------------

    def _open(self, octets: bytes, now: float) -> list[ServerEvent]:
        if self._kept is not None and self._kept.opened_by(octets):
            self._due += self._kept.opening
            return []
        try:
            accepted = accept(octets, self.settings, self._randomness, self._history, now)
        except Refusal as refusal:
            if self._kept is None and not self._pre_established:
                self._control.move(Transition.OPEN)
                self._end(Transition.REFUSED)
            if refusal.aare is not None:
                self._due.append(refusal.aare.encode())
            return [Refused(str(refusal), refusal.authentication)]
        self._forget()
        self._take(accepted)
        settings = self.settings
        opening = [accepted.aare.encode()] if self._answers and accepted.aare is not None else []
        self._due += opening
        if settings.keep_answers:
            self._kept = KeptAnswers(octets, opening, settings.max_transfer)
        if self._hls is not None:
            self._control.move(Transition.CHALLENGED)
            return []
        if settings.mechanism is not AuthenticationMechanism.LOWEST:
            self._history.succeeded()
        self._control.move(Transition.ACCEPTED)
        return [Associated(accepted.agreement.client_title)]

    def _stand(self) -> None:
        """A pre-established association stands, unless its counters cannot be read: then nothing is served."""
        beforehand = self.settings.pre_established
        if beforehand is not None and self._control.state is State.IDLE:
            with suppress(CosemicError):
                self._take(stands(self.settings, beforehand))
                self._control.move(Transition.ACCEPTED)

    def _take(self, accepted: Accepted) -> None:
        """Serve from now on what was agreed."""
        self._control.move(Transition.OPEN)
        self.context = accepted.context
        self._hls = accepted.hls
        self.agreement = accepted.agreement
        agreement = accepted.agreement
        self._serving = Serving(
            self.provider,
            self.settings,
            agreement.conformance,
            accepted.room,
            short_names=agreement.application_context.short_names,
        )
        self._answers = accepted.response_allowed
        self._blocks.agree(agreement, self.settings)
        if self.context is not None and agreement.conformance & Conformance.GENERAL_BLOCK_TRANSFER:
            self.context.set_largest_apdu(self.settings.largest_joined)

    @property
    def _pre_established(self) -> bool:
        """Whether what stands is the association that is pre-established."""
        return self.agreement is not None and self.agreement.pre_established

    def _release(self, octets: bytes) -> list[ServerEvent]:
        if self._pre_established:
            self._except(*OPERATION_NOT_POSSIBLE)
            return []
        try:
            answer = release(octets, self.settings, self.context, self.agreement)
        except CosemicError as error:
            self._except(*(OTHER_REASON if self.context is None else not_unprotected(error)))
            return []
        was = self._control.state
        self._control.move(Transition.RELEASE)
        self._due.append(answer.encode())
        self._end(Transition.RELEASED)
        return [] if was is State.IDLE else [Released()]

    # ---- the end ----------------------------------------------------------------------------------------------------

    def _end(self, transition: Transition) -> None:
        self._control.move(transition)
        self._forget()
        self._stand()

    def _forget(self) -> None:
        if self._hls is not None:
            self._hls.close()
        self._blocks.drop()
        self._held.clear()
        self._hls = self._serving = self.context = self.agreement = self._kept = self._proof = None
        self._layers_of = self._layered = None
