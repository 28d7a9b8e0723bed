"""The client's side of an application association, sans-IO (IEC 62056-5-3).

:class:`ClientAssociation` has the one contract of the house; its octets are whole APDUs: ``receive`` takes one,
``octets_to_send`` returns the one that is due. One request is served at a time; the next may be sent when the event of
the last has come. The states are those of :mod:`cosemic.association.control`.

A request ends in :class:`Completed`, :class:`Failed` or, when the lower layer is lost, :class:`Aborted`. A change (SET,
ACTION) that was sent and whose answer is missing, or cannot be trusted, fails with OutcomeUnknown.

What nobody asks for is passed over: notifications, and answers that come too late. A request that was given up still
*owes* its answer. Answers come in the order of the requests, so the right answer to the present request settles what
older ones owe. An invoke-id is not used again while it owes an answer. Error APDUs have no invoke-id: one that may
belong to an older request is kept back, and told when the answer to the present one does not come.

``tick(now)`` after ``send`` starts the response time-out; opening and release of an association that is pre-established
cost no APDU, and have ended then.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from cosemic import apdu as a
from cosemic.association.control import CLIENT, ControlFunction, State, Transition, refusal
from cosemic.association.exchanges import SERVICES
from cosemic.association.opening import open_association, release_association
from cosemic.association.received_errors import received_error
from cosemic.association.requests import CHANGES, Aborted, Completed, Event, Failed, Open, Opened, Release, Request
from cosemic.association.settings import ClientSettings, plain_room
from cosemic.association.terms import FIRST_INVOKE_ID, Exchange, Terms, next_invoke_id
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
    ServiceFailed,
)
from cosemic.link.contract import UNARMED
from cosemic.security import SecurityContext
from cosemic.security.hls import Randomness
from cosemic.values import Conformance

MOST_PASSED_OVER: Final = 64
"""APDUs that nobody asked for, in a row, after which the peer is taken as broken."""
_ACSE: Final[dict[int, tuple[type[Any], type[Any]]]] = {0x61: (Open, a.AARE), 0x63: (Release, a.RLRE)}
"""Which request an ACSE APDU answers, by its tag."""
_ERRORS: Final = frozenset((0xD8, 0x0E))
"""exception-response and confirmedServiceError."""
_NEVER_CIPHERED: Final = _ERRORS | frozenset(_ACSE)
_UNNUMBERED: Final = (Open, Release)
"""Requests whose answers have no invoke-id."""
_REFUSALS: Final = (ExceptionReceived, ServiceErrorReceived)
_RESPONSES: Final = frozenset((0xC4, 0xC5, 0xC7))
_UNSOLICITED: Final = frozenset((0x0F, 0x18, 0xC2))
"""data-notification, information-report, event-notification: they may come at any time."""
_COPIED: Final = 0x8F
"""Invoke-id and priority, which an answer copies; the bits between are reserved."""


class ClientAssociation:
    """One application association, opened and used by a client.

    settings: how it is opened. randomness: makes dedicated keys and challenges. Create it on a lower layer that is
    connected; :meth:`lost` tells when that is gone.
    """

    def __init__(self, settings: ClientSettings, *, randomness: Randomness = secrets.token_bytes) -> None:
        self.settings = settings
        self.randomness = randomness
        self.context: SecurityContext | None = None
        """Security context of the association that stands or is being opened."""
        self.opened: Opened | None = None
        """What was agreed; None unless associated."""
        self.observer: Callable[[bool, bytes], None] | None = None
        """Sees the plaintext of ciphered APDUs: those sent (True) before they are protected, those received after."""
        self.unanswered = False
        """An opening or release was given up: its late answer could not be told from that to the next one."""
        self._control = ControlFunction(CLIENT)
        self._control.move(Transition.CONNECT)
        self._terms = Terms(FIRST_INVOKE_ID, 0, 0, settings.limits)
        self._quirks = settings.dialect.quirks
        self._timeout = settings.response_timeout
        self._due = b""
        self._request: Request | None = None
        self._exchange: Exchange | None = None
        self._deadline: float | None = None
        self._owed: list[a.InvokeIdAndPriority] = []
        self._kept_back: CosemicError | None = None
        self._passed_over = 0
        self._sent = False
        self._refused = False
        self._at_once: Completed | None = None
        """What has come of a request that needs no answer; told at the next tick."""

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

        Raises AssociationError when another request is being served, or the state does not allow this one;
        ServiceFailed when it was not agreed upon or does not fit; EncodeError, SecurityError: nothing was sent then.
        """
        if self._request is not None:
            raise AssociationError("a request is being served: wait for its answer, or cancel it")
        self._passed_over = 0
        self._sent = self._refused = False
        self._kept_back = None
        service = SERVICES.get(type(request))
        if service is not None:
            if self._control.state is not State.ASSOCIATED:
                raise refusal(self._control.state, Transition.SERVICE)
            terms = self._terms
            terms.invoke = next_invoke_id(terms.invoke, self._owed)
            exchange = service.exchange(request, terms)
            try:
                self._transmit(next(exchange))
            except BaseException:
                exchange.close()
                raise
        else:
            exchange = self._begin(request)
        self._request, self._exchange, self._deadline = request, exchange, UNARMED

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Take one APDU; return the event that ends the request, if it does."""
        exchange, request = self._exchange, self._request
        if exchange is None or request is None:
            return []
        response = None
        try:
            response = self._read(bytes(octets), request)
            if response is None:
                self._passed_over += 1
                if self._passed_over > MOST_PASSED_OVER:
                    raise ProtocolError("the peer sends nothing but what nobody asked for: close the connection")
                return []
            self._passed_over = 0
            self._transmit(exchange.send(response))
        except StopIteration as done:
            self._request = self._exchange = self._deadline = None
            return [Completed(request, done.value)]
        except CosemicError as error:
            if response is None and not isinstance(error, _REFUSALS):
                self._owe()
            return [self._fail(request, error)]
        self._deadline = now + self._timeout
        return []

    def octets_to_send(self) -> bytes:
        """Return the APDU that is due, or nothing."""
        due = self._due
        if due:
            self._due = b""
            self._sent = True
        return due

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        return self._deadline

    def tick(self, now: float) -> list[Event]:
        """Start the response time-out of a request just sent, or let it run out."""
        deadline, request = self._deadline, self._request
        if deadline is None or request is None:
            return []
        if self._at_once is not None:
            done = self._at_once
            self._drop()
            return [done]
        if deadline == UNARMED:
            self._deadline = now + self._timeout
            return []
        if now < deadline:
            return []
        if isinstance(request, Release) and self.settings.dialect.release_unanswered_is_released:
            self._give_up()
            return [Completed(request, None)]
        advice = "check the line, or raise the response time-out"
        if self._control.state is State.ASSOCIATION_PENDING and isinstance(request, Open):
            advice += "; many meters are also silent where the client or server SAP is wrong"
        error = self._kept_back or ResponseTimeout(f"{self._silence()}: {advice}")
        self._give_up()
        return [Failed(request, self._unknown(request, error))]

    # ---- beside the contract ----------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Give up the request being served; an answer that still comes is passed over.

        Of a change nobody knows whether it was made. After an opening or release connect anew: :attr:`unanswered`.
        """
        if self._at_once is not None:
            self._drop()
        elif self._request is not None:
            self._give_up()

    def lost(self, error: CosemicError) -> list[Event]:
        """The lower layer is gone (COSEM-ABORT.indication): every request is over, and so is the association."""
        request = self._request
        self._drop()
        self._end(Transition.ABORT)
        events: list[Event] = []
        if request is not None:
            events.append(Failed(request, self._unknown(request, error)))
        return [*events, Aborted(error)]

    # ---- what the opening uses --------------------------------------------------------------------------------------

    def challenged(self) -> None:
        """The AARE accepted, and authentication goes on."""
        self._control.move(Transition.CHALLENGED)

    def authenticating(self) -> a.InvokeIdAndPriority:
        """Pass 3 of high level security is next; returns its invoke-id and priority."""
        self._control.move(Transition.AUTHENTICATE)
        return self._terms.invoke

    def accepted(self, opened: Opened) -> None:
        """The association stands."""
        self._control.move(Transition.ACCEPTED)
        self.opened = opened

    def released(self) -> None:
        """The association is released."""
        self._end(Transition.RELEASED)

    def agree(self, agreed: Conformance, server_max_pdu_size: int) -> None:
        """Take over what the InitiateResponse says: it holds for everything that is sent from now on."""
        protected = self.settings.ciphered and bool(self.settings.protection)
        room = plain_room(server_max_pdu_size, protected=protected, general=self.settings.general)
        invoke = self._terms.invoke
        if self.settings.pre_established is None:  # the server knows of a beginning, and owes nothing of before
            invoke = FIRST_INVOKE_ID
            self._owed.clear()
        self._terms = Terms(invoke, room, int(agreed), self.settings.limits)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _begin(self, request: Request) -> Exchange:
        """Start an opening or release."""
        opening = type(request) is Open
        if opening and self.unanswered:
            raise AssociationError("an opening or release before this one was not answered: connect again")
        self._control.move(Transition.OPEN if opening else Transition.RELEASE)
        # Room is agreed by the opening; AARQ and RLRQ are limited by the lower layer alone.
        exchange = open_association(self) if opening else release_association(self)
        try:
            self._transmit(next(exchange))
        except StopIteration as done:
            self._at_once = Completed(request, done.value)
        except BaseException:
            exchange.close()
            self._end(Transition.REFUSED if opening else Transition.RELEASED)
            raise
        return exchange

    def _transmit(self, message: Any) -> None:
        octets: bytes = message.encode()
        if octets[0] >= 0xC0:
            if len(octets) > self._terms.room:
                raise ServiceFailed(
                    f"the request takes {len(octets)} octets, and the meter takes {max(self._terms.room, 0)} at most: "
                    "ask for less at a time",
                    label="pdu-too-long",
                )
            if self.context is not None:
                if self.observer is not None:
                    self.observer(True, octets)
                octets = self.context.protect_apdu(octets)
        self._due = octets

    def _read(self, octets: bytes, request: Request) -> Any:
        """Return the APDU that answers the present request, None for one that does not. Raises CosemicError."""
        tag = octets[0] if octets else -1
        context = self.context
        authenticated = False
        if context is not None and tag not in _NEVER_CIPHERED:
            opened = context.unprotect_apdu(octets)
            octets, authenticated = opened.plaintext, opened.authenticated
            if self.observer is not None:
                self.observer(False, octets)
            tag = octets[0] if octets else -1
        if tag not in _RESPONSES:
            return self._read_other(tag, octets, request, authenticated)
        response = self._decode(octets)
        invoke = response.invoke_id_and_priority
        if (invoke ^ self._terms.invoke) & _COPIED:
            self._settle_late(invoke & _COPIED)
            return None
        if self._owed:
            self._owed.clear()
        if authenticated and context is not None and self.opened is not None:
            context.confirm()
        return response

    def _read_other(self, tag: int, octets: bytes, request: Request, authenticated: bool) -> Any:
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
        if tag not in _UNSOLICITED:
            self._decode(octets)
        return None

    def _settle_late(self, invoke: int) -> None:
        """A late answer came: nothing older than it will."""
        owed = [one & _COPIED for one in self._owed]
        if invoke in owed:
            del self._owed[: owed.index(invoke) + 1]

    def _decode(self, octets: bytes) -> Any:
        try:
            return a.decode(octets, self._terms.limits)
        except DecodeError:
            if Quirk.ACTION_RESPONSE_BARE_RESULT not in self._quirks or octets[:2] != b"\xc7\x01":
                raise
            return a.bare_action_response(octets, self._terms.limits)

    def _fail(self, request: Request, error: CosemicError) -> Failed:
        self._drop()
        if isinstance(request, _UNNUMBERED):
            self._end(Transition.REFUSED if isinstance(request, Open) else Transition.RELEASED)
        return Failed(request, self._unknown(request, error))

    def _give_up(self) -> None:
        """End the request without an answer, which may still come."""
        request = self._request
        self._owe()
        self._drop()
        if isinstance(request, _UNNUMBERED):
            self._end(Transition.REFUSED if isinstance(request, Open) else Transition.RELEASED)

    def _owe(self) -> None:
        if self._due or not self._sent:
            return
        if isinstance(self._request, _UNNUMBERED):
            self.unanswered = True
        else:
            self._owed.append(self._terms.invoke)

    def _silence(self) -> str:
        return f"no answer within {self._timeout:g} s"

    def _unknown(self, request: Request, error: CosemicError) -> CosemicError:
        """What a change ends in when it was sent and its answer is missing or cannot be trusted."""
        refused = self._refused and isinstance(error, _REFUSALS)
        if refused or not self._sent or not isinstance(request, CHANGES):
            return error
        unknown = OutcomeUnknown(f"{error} - the change may have been made: read it back before sending it again")
        unknown.__cause__ = error
        return unknown

    def _drop(self) -> None:
        exchange, self._exchange = self._exchange, None
        self._request = self._deadline = self._at_once = None
        self._due = b""
        if exchange is not None:
            exchange.close()

    def _end(self, transition: Transition) -> None:
        if self._control.allows(transition):
            self._control.move(transition)
        self.opened = None
        self.context = None
