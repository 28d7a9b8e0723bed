"""What lies between the services of a server's association and its lower layer: protection, then blocks (IEC 62056-5-3;
reference, application layer 14, 16).

::

    answer        --protect-->    APDU --cut, where it is long or was asked for in blocks--> octets_to_send
    error         ------------------------------------------------------------------------>
    notification  --protect-->    when no answer in blocks is on its way any more ---------->
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Final

from cosemic.association.announcing import MOST_HELD, announced, check_announced
from cosemic.association.answering import (
    NOT_SUPPORTED,
    OPERATION_NOT_POSSIBLE,
    OTHER_REASON,
    PDU_TOO_LONG,
    not_unprotected,
    response_envelope,
)
from cosemic.association.blocks import blocks_room
from cosemic.association.control import SERVER, ControlFunction, State, Transition
from cosemic.association.error_apdus import AtHand, error_octets
from cosemic.association.kept_answers import KeptAnswers
from cosemic.association.server_blocks import ServerBlocks, sealing
from cosemic.association.server_events import ServerEvent
from cosemic.association.server_layers import LAYER_TAGS, LayeredRequest, ServerLayers
from cosemic.association.service_provider import Agreement, ServerSettings
from cosemic.errors import (
    CosemicError,
    DecodeError,
    PolicyViolation,
    ServiceFailed,
)
from cosemic.security import Envelope, Protection, SecurityContext, Unprotected
from cosemic.values import (
    Conformance,
    ServiceError,
    StateError,
)

_SERVICE_ERROR: Final = b"\x0e"
"""Tag of confirmedServiceError."""


class ServerWire:
    """The lower half of :class:`~cosemic.association.server.ServerAssociation`; settings: how it may be opened."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.context: SecurityContext | None = None
        self.agreement: Agreement | None = None
        """What was agreed upon, as long as the association stands or is pending."""
        self._control = ControlFunction(SERVER)
        self._control.move(Transition.CONNECT)
        self._at_hand = AtHand(-1)
        self._to_all = False
        """The APDU at hand was sent to all stations."""
        self._kept: KeptAnswers | None = None
        self._due: list[bytes] = []
        self._held: deque[bytes] = deque()
        """Notifications, plain, that wait for the end of an answer in blocks."""
        self._blocks = ServerBlocks(settings)
        self._layers: ServerLayers | None = None
        self._layers_of: SecurityContext | None = None
        self._believed: tuple[object, ...] = ()
        """Public keys of the others that the layers were made with."""
        self._layered: LayeredRequest | None = None
        """The request at hand, where it came in layers of general protection."""

    @property
    def state(self) -> State:
        """State of the control function."""
        return self._control.state

    def send(self, request: bytes) -> None:
        """Take a whole APDU that the device sends of its own accord; it is protected as the association demands.

        What the client does not take at once goes in blocks. Raises NotAssociated, ServiceFailed for what was not
        agreed upon or is too long, EncodeError for what is no notification, SecurityError when it cannot be protected.
        """
        # A client that has yet to prove itself is told nothing.
        agreement = self.agreement if self._control.state is State.ASSOCIATED else None
        if not self._blocks.answering:
            self._due += announced(request, agreement, self.context, self.settings.dialect, self._announcing())
            return
        # Its counter may not pass that of an answer which is still on its way.
        check_announced(request, agreement, self.context)
        if len(self._held) >= MOST_HELD:
            raise ServiceFailed("too many notifications wait for the end of an answer: send this one later")
        self._held.append(request)

    def octets_to_send(self) -> bytes:
        """Return the next APDU that is due, or nothing."""
        while self._held and not (self._due or self._blocks.due or self._blocks.answering):
            with suppress(CosemicError):  # the association is another one by now
                held, dialect = self._held.popleft(), self.settings.dialect
                self._due += announced(held, self.agreement, self.context, dialect, self._announcing())
        if self._due:
            return self._due.pop(0)
        return self._blocks.due.popleft() if self._blocks.due else b""

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, while blocks are transferred; None else: a server waits for its client."""
        return self._blocks.deadline()

    def tick(self, now: float) -> list[ServerEvent]:
        """Ask for blocks that are missing, and forget those that nobody fetches."""
        self._blocks.tick(now)
        return []

    def _unprotect(self, context: SecurityContext, octets: bytes) -> Unprotected | None:
        """Take the protection off a request; where that cannot be, answer why."""
        if self.settings.policy.requires.request & Protection.SIGNED:
            self._except(*OPERATION_NOT_POSSIBLE)  # nothing is signed in this form
            return None
        try:
            return context.unprotect_apdu(octets, broadcast=self._to_all)
        except CosemicError as error:
            self._except(*not_unprotected(error))
        return None

    def _is_layered(self, octets: bytes) -> bool:
        """Whether an APDU has layers of general protection, and may have such."""
        return self.settings.parties is not None and bool(octets) and octets[0] in LAYER_TAGS

    def _unwrap(self, context: SecurityContext, octets: bytes) -> LayeredRequest | None:
        """Take the layers off a request; where that cannot be, answer why."""
        if not self._general:
            self._except(*NOT_SUPPORTED)
            return None
        try:
            layered = self._layered = self._layers_with(context).open(octets, context, to_all=self._to_all)
        except CosemicError as error:
            self._except(*not_unprotected(error))
            return None
        self._at_hand = AtHand(layered.apdu[0] if layered.apdu else -1)
        return layered

    @property
    def _third_party(self) -> bytes:
        """Title of the third party whose request is at hand; empty where it is that of the client."""
        return b"" if self._layered is None else self._layered.third_party

    @property
    def _signs_answers(self) -> bool:
        """Whether the policy asks for signed answers: a request has to come in layers then, to be answered in such."""
        return bool(self.settings.policy.requires.response & Protection.SIGNED)

    @property
    def _signable(self) -> bool:
        """Whether an answer to the request at hand can be signed: it came in layers, and there is a key."""
        return self._layered is not None and self._layers is not None and self._layers.signs

    @property
    def _answerable(self) -> bool:
        """Whether an answer to the request at hand can be as protected as the policy demands of all."""
        if self._layered is None or self._layers is None:
            return not self._signs_answers
        return self._layers.answerable(self._layered)

    def _announcing(self) -> ServerLayers | None:
        """Return what notifications are protected with: layers where the policy asks for signed answers."""
        if self.context is None or not self._signs_answers:
            return None
        return self._layers_with(self.context)

    def _layers_with(self, context: SecurityContext) -> ServerLayers:
        """Return what opens layers with the keys of this moment. Raises CosemicError."""
        parties, title = self.settings.parties, context.peer_title
        believed = () if parties is None or title is None else parties.believed(title)
        if self._layers is None or self._layers_of is not context or believed != self._believed:
            blocks = self.agreement is not None and self.agreement.conformance & Conformance.GENERAL_BLOCK_TRANSFER
            largest = self.settings.largest_joined if blocks else self.settings.max_pdu_size
            self._layers, self._layers_of = ServerLayers.of(self.settings, context, largest), context
            self._believed = believed
        return self._layers

    def _room_in_layers(self, answered: bool) -> int | None:
        """Octets of the longest plain answer to a request in layers; None where it came in none."""
        if not answered or self._layered is None or self._layers is None or self.agreement is None:
            return None
        size = self.agreement.max_send_pdu_size or 0xFFFF
        if self.agreement.conformance & Conformance.GENERAL_BLOCK_TRANSFER:
            size = blocks_room(size)
        return size - self._layers.overhead(self._layered)

    def _joined(self, octets: bytes) -> bytes | None:
        """Take a block; return the request that it completes."""
        if 0 < self.settings.max_pdu_size < len(octets):
            self._except(*PDU_TOO_LONG)
            return None
        try:
            return self._blocks.receive(octets, to_all=self._to_all)
        except DecodeError:
            self._except(*OTHER_REASON)
            return None

    def _joined_sealed(self, opened: Unprotected, context: SecurityContext) -> Unprotected | None:
        """The same of a block in an envelope of its own."""
        try:
            return self._blocks.receive_sealed(opened, context, to_all=self._to_all)
        except DecodeError:
            self._except(*OTHER_REASON)
            return None

    @property
    def _general(self) -> bool:
        """Whether general-protection was agreed upon."""
        return self.agreement is not None and bool(self.agreement.conformance & Conformance.GENERAL_PROTECTION)

    def _reply(
        self, octets: bytes, envelope: Envelope | None, applied: Protection, rights: Protection = Protection.NONE
    ) -> None:
        """Answer in the envelope of the request, with the protection of the request, the policy and the rights."""
        layered = self._layered
        protection = rights if layered is not None else applied | rights
        if self._kept is not None:
            self._kept.keep(octets, protection)
        plain, seal, context = octets, None, self.context
        try:
            if context is not None and layered is not None:
                octets = self._layers_with(context).answer(octets, layered, rights, context)
                most = 0 if self.agreement is None else self.agreement.max_send_pdu_size
                if most and len(octets) > most and not self._blocks.agreed:
                    raise ServiceFailed("the answer in its layers is longer than the client takes")
            elif context is not None:
                wanted = protection | context.send
                envelope = response_envelope(context, envelope, octets[0], general=self._general)
                octets = context.protect_apdu(octets, envelope, protection=wanted)
                seal = sealing(context, wanted)
            elif protection:
                raise PolicyViolation("the answer is to be protected, in an association without ciphering")
            if not self._blocks.reply(plain, octets, seal):
                self._due.append(octets)
        except ServiceFailed:
            self._except(*PDU_TOO_LONG)
        except CosemicError:
            self._except(*OPERATION_NOT_POSSIBLE)

    def _except(self, state: StateError, error: ServiceError, counter: int | None = None) -> None:
        """exception-response, always in clear; with short names confirmedServiceError, protected like the request."""
        self._blocks.refused()
        if error is ServiceError.PDU_TOO_LONG and not self.settings.dialect.differences.pdu_too_long:
            error = ServiceError.OTHER_REASON
        reason = (state, error) if counter is None else (state, error, counter)
        agreed = None if self.agreement is None else self.agreement.application_context
        associated = self._control.state is State.ASSOCIATED
        offered = self.settings.context_names
        octets = error_octets(
            reason, self._at_hand, agreed, offered, self.context, associated=associated, general=self._general
        )
        if self._layered is not None and octets[:1] == _SERVICE_ERROR and self.context is not None:
            with suppress(CosemicError):  # it says nothing that may not be said in clear
                layers = self._layers_with(self.context)
                octets = layers.answer(octets, self._layered, Protection.NONE, self.context)
        if octets:
            self._due.append(octets)
