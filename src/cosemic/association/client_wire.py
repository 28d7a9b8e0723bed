"""What lies between the services of a client's association and its lower layer: protection, then blocks (IEC 62056-5-3;
reference, application layer 7, 14, 16).

::

    request   --protect-->    APDU --cut, where it is long--> octets_to_send
    answer    <--decode--     <--unprotect-- APDU <--joined-- receive

What comes is told apart here: the answer to the present request, one that comes too late, an error, a notification.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from cosemic import apdu as a
from cosemic.association.client_blocks import ClientBlocks
from cosemic.association.client_layers import LAYER_TAGS, ClientLayers, applied_by
from cosemic.association.control import CLIENT, ControlFunction, State, Transition
from cosemic.association.known_rights import KnownRights, needed_by
from cosemic.association.notifications import UNSOLICITED
from cosemic.association.received_errors import received_error
from cosemic.association.requests import Event, Open, Opened, PassOn, Release, Request
from cosemic.association.settings import ClientSettings, plain_room
from cosemic.association.terms import (
    FIRST_INVOKE_ID,
    GENERAL_PROTECTION,
    Numbering,
    Terms,
)
from cosemic.association.unnumbered import UNNUMBERED_RESPONSES, comes_in_turn
from cosemic.association.unsolicited import Unsolicited
from cosemic.dialect import Quirk
from cosemic.errors import (
    ConfigurationError,
    CosemicError,
    DecodeError,
    ServiceFailed,
)
from cosemic.security import Envelope, Protection, SecurityContext, Unprotected, check_protection
from cosemic.values import Conformance

_ACSE: Final[dict[int, tuple[type[Any], type[Any]]]] = {0x61: (Open, a.AARE), 0x63: (Release, a.RLRE)}
"""Which request an ACSE APDU answers, by its tag."""
_ERRORS: Final = frozenset((0xD8, 0x0E))
"""exception-response and confirmedServiceError."""
_NEVER_CIPHERED: Final = _ERRORS | frozenset(_ACSE)
_RESPONSES: Final = frozenset((0xC4, 0xC5, 0xC7, 0xDA)) | UNNUMBERED_RESPONSES
_ACSE_REQUESTS: Final = frozenset((0x60, 0x62))
_ACCESS_REQUEST: Final = 0xD9
_ACCESS_RESPONSE: Final = 0xDA
_COPIED: Final = 0x8F
"""Invoke-id and priority, which an answer copies; the bits between are reserved."""
_COPIED_LONG: Final = 0x80FFFFFF
"""The same of the long form."""


class ClientWire:
    """The lower half of :class:`~cosemic.association.client.ClientAssociation`; settings: how it is opened."""

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self.context: SecurityContext | None = None
        """Security context of the association that stands or is being opened."""
        self.opened: Opened | None = None
        """What was agreed; None unless associated."""
        self.observer: Callable[[bool, bytes], None] | None = None
        """Sees the plaintext of ciphered APDUs: those sent (True) before they are protected, those received after."""
        self._control = ControlFunction(CLIENT)
        self._control.move(Transition.CONNECT)
        self._terms = Terms(FIRST_INVOKE_ID, 0, 0, settings.limits)
        self._quirks = settings.dialect.quirks
        self._due = b""
        self._blocks = ClientBlocks(settings)
        self._asked = 0
        """Tag of what was made last, plain."""
        self._owed: list[a.InvokeIdAndPriority | a.LongInvokeIdAndPriority] = []
        self._kept_back: CosemicError | None = None
        self._most = 0
        """Octets of the longest APDU that may come; 0: any."""
        self._sent = False
        self._refused = False
        """The server says that it has not done what was asked for, and it is nobody else who says so."""
        self._error_protected = False
        """An error came as protected as any answer."""
        self._unsolicited = Unsolicited(
            settings.ciphered, settings.limits, confirms=settings.dialect.differences.data_notification_confirm
        )
        self._notified: list[Event] = []
        """What came last, where it was a notification."""
        self._received_at = 0.0
        self._known_rights = settings.rights
        self._chooses = settings.parties is not None or settings.rights is not None
        """There may be layers around requests, or more is demanded of their protection than the settings say."""
        self._layers: ClientLayers | None = None
        self._layers_of: SecurityContext | None = None
        self._believed: tuple[object, ...] = ()
        """Public keys of the server that the layers were made with."""
        self._room = self._general_room = self._layers_room = 0
        """What is taken: plain, in a general envelope, and with all that is around it."""
        self._rights = Protection.NONE
        """What access rights demand of the answer to the present request."""

    @property
    def state(self) -> State:
        """State of the control function."""
        return self._control.state

    def know_rights(self, rights: KnownRights | None) -> None:
        """Hold requests and answers against these access rights from now on, in place of those of the settings.

        None: nothing is known of them. What is being asked goes on as it began.
        """
        self._known_rights = rights
        self._chooses = self.settings.parties is not None or rights is not None
        if not self._chooses:
            self._rights = Protection.NONE

    def octets_to_send(self) -> bytes:
        """Return the APDU that is due, or nothing."""
        due = self._due
        if due:
            self._due = b""
            self._sent = True
        elif self._blocks.due:
            due = self._blocks.due.popleft()
            self._sent = True
        elif self._unsolicited.due and not self._blocks.open:
            # Its counter is drawn now: it may not pass a request that is still on its way in blocks.
            due = self._unsolicited.confirmation(self.context)
        return due

    def agree(self, agreed: Conformance, server_max_pdu_size: int) -> None:
        """Take over what the InitiateResponse says: it holds for everything that is sent from now on."""
        protected = self.settings.ciphered and bool(self.settings.protection)
        room = plain_room(server_max_pdu_size, protected=protected, general=self.settings.general)
        general_room = plain_room(server_max_pdu_size, protected=protected, general=True)
        room = self._blocks.agree(agreed, server_max_pdu_size, room)
        if self._blocks.agreed:
            general_room = max(room, general_room)
            if self.context is not None:
                self.context.set_largest_apdu(self.settings.limits.octets)
        before = self._terms
        self._room, self._general_room = room, general_room
        self._layers_room = room if self._blocks.agreed else server_max_pdu_size or 0xFFFF
        terms = self._terms = Terms(FIRST_INVOKE_ID, room, int(agreed), self.settings.limits, general_room)
        terms.confirmed = self.settings.confirmed
        self._most = 0 if Quirk.LONG_ANSWERS in self._quirks else self.settings.max_pdu_size
        if self._chooses:
            self._know_layers()
        if self.settings.pre_established is None:  # the server knows of a beginning, and owes nothing of before
            self._owed.clear()
        else:
            terms.invoke, terms.long_invoke = before.invoke, before.long_invoke

    def _know_layers(self) -> ClientLayers | None:
        """Return what puts layers around requests in the present association. Raises ConfigurationError."""
        settings, context = self.settings, self.context
        if settings.parties is None or settings.server_title is None or context is None:
            return self._layers
        believed = settings.parties.believed(settings.server_title)
        if self._layers_of is not context or believed != self._believed:
            largest = settings.limits.octets if self._blocks.agreed else settings.max_pdu_size
            self._layers = self._unsolicited.layers = ClientLayers.of(settings, context, largest)
            self._layers_of, self._believed = context, believed
        return self._layers

    def _choose_layers(self, request: Any) -> None:
        """Take up the layers of a request, None for pass 3, and what access rights demand of it and of its answer.

        Raises PolicyViolation where it would be protected less than that, ConfigurationError for layers that cannot be.
        """
        settings, context = self.settings, self.context
        plan = getattr(request, "layers", None) or settings.layers
        settings.check_plan(plan)
        third_party = b""
        if isinstance(request, PassOn):
            third_party = settings.originator_of(request.apdu)
            if plan is None:
                raise ConfigurationError("what is handed on for a third party goes in layers of our own: name them")
        layers = self._know_layers()
        needed = needed_by(request, self._known_rights)
        self._rights = needed.response
        if plan is None:
            sent = Protection.NONE if context is None else context.send
            self._rights |= (settings.require or Protection.NONE) & Protection.SIGNED
        else:
            sent = applied_by(plan) | self._sealed_inside(request)
        check_protection(needed.request, sent, "the request")
        if context is None:  # no answer could be protected
            check_protection(needed.response, Protection.NONE, "the answer")
        terms = self._terms
        terms.room, terms.general_room = self._room, self._general_room
        if layers is not None:
            sealed = self._sealed_inside(request)
            layers.begin(plan, self._rights, sealed=sealed, third_party=third_party)
            if plan is not None:
                terms.need(GENERAL_PROTECTION)
                room = layers.room(self._layers_room, plan)
                if sealed:
                    room = plain_room(max(room, 1), protected=True, general=True)
                terms.room = terms.general_room = room

    def _sealed_inside(self, request: Any) -> Protection:
        """What the ciphered form inside the layers of a request applies."""
        if self.context is None or not self.settings.sealed_inside or isinstance(request, PassOn):
            return Protection.NONE
        return self.context.send

    def _transmit(self, message: Any, unconfirmed: bool = False) -> None:
        octets: bytes = message.encode()
        self._asked = octets[0]
        if octets[0] not in _ACSE_REQUESTS:
            room, envelope = self._terms.room, None
            layers = self._layers
            layered = layers is not None and layers.asking
            if octets[0] == _ACCESS_REQUEST and self.settings.protection and self.context is not None:
                # There is no ciphered form of its own.
                self._terms.need(GENERAL_PROTECTION)
                room = self._terms.general_room
                envelope = Envelope.kind(dedicated=self.context.envelope.dedicated, general=True)
            if len(octets) > room:
                raise ServiceFailed(
                    f"the request takes {len(octets)} octets, and the meter takes {max(room, 0)} at most: "
                    "ask for less at a time",
                    label="pdu-too-long",
                )
            plain = octets
            if self.context is not None:
                if self.observer is not None:
                    self.observer(True, octets)
                if layers is not None and layered:
                    sealed = octets
                    if layers.sealed:
                        sealed = self.context.protect_apdu(octets, envelope)
                    octets = layers.protect(sealed, octets)
                else:
                    octets = self.context.protect_apdu(octets, envelope)
            if self._blocks.agreed:
                octets = self._blocks.send(plain, octets, self.context, unconfirmed=unconfirmed)
        self._due = octets

    def _read(self, octets: bytes, request: Request | None) -> Any:
        """Return the APDU that answers the present or last request, None for any other. Raises CosemicError."""
        tag = octets[0] if octets else -1
        context = self.context
        authenticated = protected = layered = False
        layers = self._layers
        opened: Unprotected | None = None
        if context is not None and tag not in _NEVER_CIPHERED:
            layered = layers is not None and tag in LAYER_TAGS
            if layers is not None and layered:
                opened = layers.open(octets, context)
                if layers.handed_on:
                    return layers.for_third_party(opened.plaintext)
            else:
                opened = self._blocks.opened or context.unprotect_apdu(octets)
            octets, authenticated = opened.plaintext, opened.authenticated
            protected = authenticated or opened.encrypted
            if self.observer is not None:
                self.observer(False, octets)
            tag = octets[0] if octets else -1
            if tag in UNSOLICITED:
                self._notified += self._unsolicited.take(octets, opened, context, self._received_at)
                return None
        if tag not in _RESPONSES:
            if layers is not None and layered and not layers.answers(layered=True):
                return None
            self._error_protected = context is None or protected
            return self._read_other(tag, octets, request, authenticated)
        response, terms = self._decode(octets), self._terms
        if tag in UNNUMBERED_RESPONSES:
            invoke, mine = FIRST_INVOKE_ID, not self._due and comes_in_turn(tag, self._asked)
        elif tag == _ACCESS_RESPONSE:
            invoke, mine = response.long_invoke_id_and_priority, terms.numbering is Numbering.LONG
            mine = mine and not (invoke ^ terms.long_invoke) & _COPIED_LONG
        else:
            invoke, mine = response.invoke_id_and_priority, terms.numbering is Numbering.SHORT
            mine = mine and not (invoke ^ terms.invoke) & _COPIED
        if mine and self._chooses and opened is not None:
            if layers is not None:
                mine = layers.answers(layered=layered)
            if not layered:
                check_protection(self._rights, opened.security_control.protection, "the answer")
        if not mine:
            self._settle_late(invoke)
            return None
        if self._owed:
            self._owed.clear()
        proves = authenticated and (layers is None or layers.proves_counter)
        if proves and context is not None and self.opened is not None:
            context.confirm()
        return response

    def _late(self, octets: bytes, now: float) -> list[Event]:
        """Take what comes while nothing is asked and answers are owed: it settles some, or is a notification."""
        self._received_at = now
        self._blocks.opened = None
        with suppress(CosemicError):  # whatever it is, there is no request that could fail
            self._read(octets, None)
        notified, self._notified = self._notified, []
        return notified

    def _read_other(self, tag: int, octets: bytes, request: Request | None, authenticated: bool) -> Any:
        """Read what is no response of a data transfer service."""
        if tag in _ACSE:
            answers, kind = _ACSE[tag]
            if not isinstance(request, answers):
                return None
            if Quirk.ACSE_SHORT_LENGTHS in self._quirks:
                octets = a.lengthen(octets)
            return kind.decode(octets, self.settings.limits)
        if tag in _ERRORS:
            error = received_error(octets)
            if self._owed:
                del self._owed[0]
                self._kept_back = error
                return None
            # In an association with ciphering it is a hint, unless it came ciphered itself.
            self._refused = self.context is None or authenticated
            raise error
        self._decode(octets)
        return None

    def _settle_late(self, invoke: a.InvokeIdAndPriority | a.LongInvokeIdAndPriority) -> None:
        """A late answer came: nothing older than it will."""
        copied = _COPIED if isinstance(invoke, a.InvokeIdAndPriority) else _COPIED_LONG
        for at, one in enumerate(self._owed):
            if type(one) is type(invoke) and not (one ^ invoke) & copied:
                del self._owed[: at + 1]
                return

    def _decode(self, octets: bytes) -> Any:
        try:
            return a.decode(octets, self._terms.limits)
        except DecodeError:
            if Quirk.ACTION_RESPONSE_BARE_RESULT not in self._quirks or octets[:2] != b"\xc7\x01":
                raise
            return a.bare_action_response(octets, self._terms.limits)
