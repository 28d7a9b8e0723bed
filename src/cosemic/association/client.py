"""The client's side of an application association, sans-IO (IEC 62056-5-3).

:class:`ClientAssociation` has the one contract of the house; its octets are whole APDUs: ``receive`` takes one,
``octets_to_send`` returns the one that is due. One request is served at a time; the next may be sent when the event of
the last has come. The states are those of :mod:`cosemic.association.control`.

A request ends in :class:`Completed`, :class:`Failed` or, when the lower layer is lost, :class:`Aborted`. A change (SET,
ACTION) that was sent and whose answer is missing, or cannot be trusted, fails with OutcomeUnknown.

Notifications become :class:`Notified`, whenever they come (:mod:`cosemic.association.unsolicited`); of those that come
while a request is served not more than :data:`MOST_PASSED_OVER`. Answers that come too late are passed over. A request
that was given up still *owes* its answer. Answers come in the order of the requests, so the right answer to the present
request settles what older ones owe. An invoke-id is not used again while it owes an answer. Error APDUs have no
invoke-id: one that may belong to an older request is kept back, and told when the answer to the present one does not
come. The services with short names have no invoke-id (:mod:`cosemic.association.unnumbered`).

``tick(now)`` after ``send`` starts the response time-out; opening and release of an association that is pre-established
cost no APDU, and have ended then.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from cosemic.association.client_wire import ClientWire
from cosemic.association.control import State, Transition, refusal
from cosemic.association.exchanges import SERVICES
from cosemic.association.opening import open_association, release_association
from cosemic.association.received_errors import refuse_long
from cosemic.association.requests import (
    Aborted,
    Completed,
    Event,
    Failed,
    Open,
    Opened,
    PassOn,
    Release,
    Request,
    may_change,
)
from cosemic.association.service_class import refuse_blocks, take_number
from cosemic.association.settings import ClientSettings
from cosemic.association.terms import (
    Exchange,
    Numbering,
    Terms,
)
from cosemic.association.unnumbered import UNANSWERED
from cosemic.association.unsolicited import MAY_BE_UNSOLICITED
from cosemic.errors import (
    AssociationError,
    ConnectionLost,
    CosemicError,
    ExceptionReceived,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    ServiceErrorReceived,
)
from cosemic.link.contract import UNARMED
from cosemic.security.hls import Randomness

MOST_PASSED_OVER: Final = 64
"""APDUs that nobody asked for, in a row, after which the peer is taken as broken."""
_UNNUMBERED: Final = (Open, Release)
"""Requests whose answers have no invoke-id."""
_REFUSALS: Final = (ExceptionReceived, ServiceErrorReceived)


class ClientAssociation(ClientWire):
    """One application association, opened and used by a client.

    settings: how it is opened. randomness: makes dedicated keys and challenges. Create it on a lower layer that is
    connected; :meth:`lost` tells when that is gone.
    """

    def __init__(self, settings: ClientSettings, *, randomness: Randomness = secrets.token_bytes) -> None:
        super().__init__(settings)
        self.randomness = randomness
        self.unanswered = False
        """An opening, release or request with short names was given up: its late answer could not be told from that to
        the next one."""
        self._timeout = settings.response_timeout
        self._request: Request | None = None
        self._exchange: Exchange | None = None
        self._deadline: float | None = None
        self._passed_over = 0
        self._at_once: Completed | None = None
        """What has come of a request that needs no answer; told at the next tick."""

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
        self._sent = self._refused = self._error_protected = False
        self._kept_back = None
        service = SERVICES.get(type(request))
        if service is not None:
            if self._control.state is not State.ASSOCIATED:
                raise refusal(self._control.state, Transition.SERVICE)
            if self.unanswered and service.short_names:
                raise AssociationError(UNANSWERED)
            terms = self._terms
            if self._chooses or getattr(request, "layers", None) is not None or type(request) is PassOn:
                self._choose_layers(request)
            unconfirmed = take_number(request, service.numbering, terms, self._owed)
            exchange = service.exchange(request, terms)
            try:
                message = next(exchange)
                if unconfirmed:
                    refuse_blocks(message)
                self._transmit(message, unconfirmed)
            except BaseException:
                exchange.close()
                raise
            if unconfirmed:
                exchange.close()  # nothing is taken for an answer
                self._at_once = Completed(request, None)
                self._request, self._deadline = request, UNARMED
                return
        else:
            exchange = self._begin(request)
        self._request, self._exchange, self._deadline = request, exchange, UNARMED

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Take one APDU; return the event that ends the request, if it does, or the notification that it is."""
        exchange, request = self._exchange, self._request
        if exchange is None or request is None:
            if self._owed and not self._unsolicited.takes(octets, idle=False):
                return self._late(bytes(octets), now)
            if not self._unsolicited.takes(octets, idle=True):
                return []
            return [*self._unsolicited.receive(bytes(octets), self.context, now)]
        response = None
        self._received_at = now
        try:
            apdu = bytes(octets)
            if apdu[:1] in MAY_BE_UNSOLICITED and self._unsolicited.takes(apdu, idle=False):
                self._notified += self._unsolicited.receive(apdu, self.context, now)
            else:
                if 0 < self._most < len(octets):
                    refuse_long(octets, self._most)
                if self._blocks.agreed:
                    whole = self._blocks.receive(apdu, self.context)
                    if whole is None:
                        if self._blocks.moved:
                            self._deadline = now + self._timeout
                        return []
                    apdu = whole
                response = self._read(apdu, request)
                if response is not None and self._blocks.open:
                    self._blocks.refuse_mixed()
            if response is None:
                self._passed_over += 1
                if self._passed_over > MOST_PASSED_OVER:
                    raise ProtocolError("the peer sends nothing but what nobody asked for: close the connection")
                notified, self._notified = self._notified, []
                return notified
            self._passed_over = 0
            self._transmit(exchange.send(response))
        except StopIteration as done:
            self._request = self._exchange = self._deadline = None
            if self._blocks.agreed:
                self._blocks.drop()
            return [Completed(request, done.value)]
        except CosemicError as error:
            if response is None and not (isinstance(error, _REFUSALS) and self._ends_it(request)):
                self._owe()
            notified, self._notified = self._notified, []
            return [self._fail(request, error), *notified]
        self._deadline = now + self._timeout
        return []

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        return self._deadline

    def tick(self, now: float) -> list[Event]:
        """Start the response time-out of a request just sent, or let it run out."""
        deadline, request = self._deadline, self._request
        if deadline is None or request is None:
            return []
        if self._at_once is not None:
            if self._due or self._blocks.due:  # it is told when that was handed out
                return []
            done = self._at_once
            self._drop()
            return [done]
        if deadline == UNARMED:
            self._deadline = now + self._timeout
            return []
        if now < deadline:
            return []
        if self._blocks.again():
            self._deadline = now + self._timeout
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
            opening = isinstance(self._request, Open) and self.settings.pre_established is None
            self._drop()
            if opening:  # its AARQ may never leave, and nobody was told that it stands
                self._control.move(Transition.RELEASE)
                self._end(Transition.RELEASED)
        elif self._request is not None:
            self._give_up()

    def lost(self, error: CosemicError, refused: bool = False) -> list[Event]:
        """The lower layer is gone (COSEM-ABORT.indication): every request is over, and so is the association.

        refused: it says that the peer has not taken what was sent last. With ciphering that is but a hint.
        """
        request = self._request
        self._refused = refused and self.context is None
        self._drop()
        self._end(Transition.ABORT)
        events: list[Event] = []
        if request is not None:
            events.append(Failed(request, self._unknown(request, error)))
        return [*events, Aborted(error)]

    def left(self) -> None:
        """The data link connection was ended in order, and with it the association: it can be opened on the next."""
        self._drop()
        self._end(Transition.ABORT)
        self._control.move(Transition.CONNECT)

    # ---- what the opening uses --------------------------------------------------------------------------------------

    def challenged(self) -> None:
        """The AARE accepted, and authentication goes on."""
        self._control.move(Transition.CHALLENGED)

    def authenticating(self) -> Terms:
        """Pass 3 of high level security is next; returns what holds for it."""
        self._control.move(Transition.AUTHENTICATE)
        if self._chooses:
            self._choose_layers(None)
        return self._terms

    def accepted(self, opened: Opened) -> None:
        """The association stands."""
        self._control.move(Transition.ACCEPTED)
        self.opened = opened

    def released(self) -> None:
        """The association is released."""
        self._end(Transition.RELEASED)

    def send_unanswered(self, message: Any) -> None:
        """Send what opens the association without an answer."""
        self._transmit(message)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _begin(self, request: Request) -> Exchange:
        """Start an opening or release."""
        opening = type(request) is Open
        if not isinstance(request, _UNNUMBERED):
            raise AssociationError(f"{type(request).__name__} is no request of an association")
        if opening and self.unanswered:
            raise AssociationError(UNANSWERED)
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
        terms = self._terms
        if isinstance(self._request, _UNNUMBERED) or terms.numbering is Numbering.NONE:
            self.unanswered = True
        elif terms.numbering is not Numbering.TRANSACTION:
            self._owed.append(terms.long_invoke if terms.numbering is Numbering.LONG else terms.invoke)

    def _ends_it(self, request: Request) -> bool:
        """Whether an error APDU ends what the server owes. With short names a forged one would shift all answers."""
        by_place = self._terms.numbering is Numbering.NONE and not isinstance(request, _UNNUMBERED)
        return self._error_protected or not by_place

    def _silence(self) -> str:
        return f"no answer within {self._timeout:g} s"

    def _unknown(self, request: Request, error: CosemicError) -> CosemicError:
        """What a change ends in when it was sent and its answer is missing or cannot be trusted."""
        refused = self._refused and isinstance(error, (*_REFUSALS, ConnectionLost))
        if refused or not self._sent or not may_change(request):
            return error
        unknown = OutcomeUnknown(f"{error} - the change may have been made: read it back before sending it again")
        unknown.__cause__ = error
        return unknown

    def _drop(self) -> None:
        exchange, self._exchange = self._exchange, None
        self._request = self._deadline = self._at_once = None
        self._due = b""
        self._blocks.drop()
        if exchange is not None:
            exchange.close()

    def _end(self, transition: Transition) -> None:
        if self._control.allows(transition):
            self._control.move(transition)
        self.opened = None
        self.context = None
