"""A client's association over a medium that loses, doubles and delays APDUs: UDP (IEC 62056-9-7; reference,
transports 2).

:class:`RepeatingClient` is a :class:`~cosemic.association.client.ClientAssociation` that repeats what is not answered
within the response time-out, ``ClientSettings.repetitions`` times::

    GET, get-request-next    the same APDU with the same invoke-id, under ciphering protected anew with another counter
    SET, ACTION              the same where the server keeps its answers (``repeat_changes``); else OutcomeUnknown
    ACCESS                   like these where it sets or acts, else like GET, with the same long-invoke-id
    opening                  begun anew from the AARQ, for passes 3 and 4 belong to one challenge
    release                  RLRQ with its ciphered InitiateRequest made anew

What comes is the answer to what was sent last, or it is passed over and the time-out goes on::

    answer with another invoke-id, or to another service      late
    block or acknowledgement that was received                doubled
    invocation counter used before                            doubled, or late
    what cannot be read, or deciphered                        kept back
    error APDU: it names no request                           kept back; without ciphering, where nothing was
                                                              repeated lately, it is the answer
    invocation-counter-error that asks for no more than was   passed over: a double of ours was refused
    sent
    anything before the request has left                      late

What was kept back is told when all repetitions are used up. Two answers must not be joined: a meter that does not keep
its answers begins a long one anew for each repetition, so that it is asked for anew, with another invoke-id; and where
a block comes again with other contents, the request fails.

A transfer in general blocks (:mod:`cosemic.association.general_block_transfer`) repeats its own: ``block_retries`` or
``repetitions`` times in a row to no avail, whichever is more; nothing is asked for anew while it is open. Blocks do not
say which request they belong to: the next one waits until those of the last are gone.

Without ciphering nothing but the invoke-id tells answers apart. It is used again, and an association opened again, only
after ``datagram_lifetime``: there are :data:`EXCHANGES_AT_A_TIME` requests within it at most.

Bounds: ``(1 + repetitions) * response_timeout`` for each APDU sent, and for an opening as a whole;
:data:`~cosemic.association.client.MOST_PASSED_OVER` APDUs passed over until the answer comes.
"""

from __future__ import annotations

import secrets
from collections import deque
from typing import Any, Final

from cosemic import apdu as a
from cosemic.association.client import ClientAssociation
from cosemic.association.control import Transition
from cosemic.association.exchanges import SERVICES
from cosemic.association.opening import release_association
from cosemic.association.requests import Event, Failed, Open, Release, Request, may_change
from cosemic.association.service_class import take_number
from cosemic.association.settings import ClientSettings
from cosemic.errors import (
    AssociationRejected,
    AuthenticationFailed,
    CosemicError,
    ExceptionReceived,
    InvocationCounterError,
    ProtocolError,
    SecurityError,
    ServiceErrorReceived,
)
from cosemic.link.contract import UNARMED
from cosemic.security import is_ciphered, open_envelope
from cosemic.security.hls import Randomness

EXCHANGES_AT_A_TIME: Final = 10
"""Fewer than there are invoke-ids, and than a server takes for late (:mod:`cosemic.association.kept_answers`)."""
MOST_PROOFS: Final = 2
"""Proofs of one opening that a server may refuse: it counts them, and holds up who fails too often."""
_FETCHES: Final = (a.GetRequestNext, a.ActionRequestNextPblock)
_FIRST_READS: Final = (a.GetRequestNormal, a.GetRequestWithList)
_ERRORS: Final = (ExceptionReceived, ServiceErrorReceived)
_COUNTER: Final = slice(1, 5)
"""Invocation counter in ciphered content, behind the security control."""
_TWICE: Final = "the meter may have begun its long answer twice: read again"
_RESPONSE: Final = 4
"""Between the tags of a request and its response."""


def client_association(settings: ClientSettings) -> ClientAssociation:
    """Return what opens and uses an association as these settings say."""
    return RepeatingClient(settings) if settings.repetitions else ClientAssociation(settings)


class RepeatingClient(ClientAssociation):
    """One application association of a client that repeats; see :class:`ClientAssociation` for the contract."""

    def __init__(self, settings: ClientSettings, *, randomness: Randomness = secrets.token_bytes) -> None:
        super().__init__(settings, randomness=randomness)
        self._message: Any = None
        """What was sent last, plain."""
        self._protected = b""
        """The same as it was sent."""
        self._accepted: Any = None
        """The answer before that."""
        self._left = 0
        self._sendings = 0
        """How often the message was sent."""
        self._openings = 0
        self._proofs = 0
        self._now = 0.0
        self._strays_until = 0.0
        """Answers to what was sent twice may come until then."""
        self._read_anew = False
        self._not_before = 0.0
        """What is due waits until then; 0: it is not held back."""
        self._blocks_until = 0.0
        """Blocks of what was asked before may come until then."""
        self._last_sent: deque[float] = deque(maxlen=EXCHANGES_AT_A_TIME)
        """When the latest exchanges have sent something last."""

    # ---- the contract -----------------------------------------------------------------------------------------------

    def send(self, request: Request) -> None:
        """Take a request; see :meth:`ClientAssociation.send`. It may be held back until :meth:`tick` says so."""
        super().send(request)
        self._left = self._allowed(request)
        self._sendings = self._openings = 1
        self._proofs = 0
        self._read_anew = False
        self._accepted = None
        # Nothing is answered to an unconfirmed request that could be taken for the answer to another one.
        self._not_before = self._earliest(request) if self._at_once is None else 0.0

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Take one APDU; return the event that ends the request, if it does."""
        if self._due or self._not_before:
            return []
        if self._may_have_begun_twice(octets):
            return self._begun_twice(now)
        request, message, deadline = self._request, self._message, self._deadline
        self._now = now
        events = super().receive(octets, now)
        if request is None:
            return events
        if self._blocks.moved:
            self._in_blocks(now)
        if not events:
            if self._read_anew:
                return self._begin_reading(request, now)
            if self._message is not message:
                self._go_on(request, now)
        elif isinstance(request, Open) and isinstance(events[0], Failed) and self._may_open_anew(events[0].error):
            # The time-out that goes on lets late answers die out, before the AARQ is sent again.
            self._request, self._deadline, self._kept_back = request, deadline, events[0].error
            return events[1:]
        return events

    def octets_to_send(self) -> bytes:
        """Return the APDU that is due, or nothing."""
        return b"" if self._not_before else super().octets_to_send()

    def tick(self, now: float) -> list[Event]:
        """Start the response time-out of a request just sent, repeat it, or give it up."""
        deadline, request = self._deadline, self._request
        if deadline is None or request is None:
            return []
        if self._at_once is not None:
            return super().tick(now)
        if self._not_before > now:
            self._deadline = self._not_before
            return []
        if deadline == UNARMED or self._not_before:
            self._not_before = 0.0
            self._deadline = now + self._timeout
            self._last_sent.append(now)
            return []
        if self._blocks.open and now >= deadline:
            self._in_blocks(now)
            return super().tick(now)
        if now < deadline or not self._left:
            return super().tick(now)
        self._left -= 1
        try:
            self._repeat(request)
        except CosemicError as error:
            return [self._fail(request, error)]
        self._strays_until = now + self.settings.datagram_lifetime
        self._has_sent(now)
        self._deadline = now + self._timeout
        return []

    # ---- what is sent -----------------------------------------------------------------------------------------------

    def _allowed(self, request: Request) -> int:
        """How often what is sent may be repeated."""
        settings = self.settings
        return 0 if may_change(request) and not settings.repeat_changes else settings.repetitions

    def _earliest(self, request: Request) -> float:
        """When a request may leave; 0: at once. Ciphered answers are told apart by their counters."""
        last, lifetime = self._last_sent, self.settings.datagram_lifetime
        blocks = 0.0 if isinstance(request, Open | Release) else self._blocks_until
        if self.settings.ciphered or isinstance(request, Release):
            return blocks
        if isinstance(request, Open):
            return last[-1] + lifetime if last else 0.0
        return max(blocks, last[0] + lifetime if len(last) == EXCHANGES_AT_A_TIME else 0.0)

    def _transmit(self, message: Any, unconfirmed: bool = False) -> None:
        super()._transmit(message, unconfirmed)
        self._message, self._protected = message, self._due

    def _repeat(self, request: Request) -> None:
        """Send the request, or the block of it that is not answered, again. Raises CosemicError."""
        if isinstance(request, Open | Release) and self._exchange is not None:
            self._exchange.close()
        if isinstance(request, Open):
            self._openings += 1
            self._sendings = 1
            self._end(Transition.REFUSED)
            self._exchange = self._begin(request)
        elif isinstance(request, Release):
            self._exchange = release_association(self)
            self._transmit(next(self._exchange))
        else:
            self._sendings += 1
            self._transmit(self._message)

    def _begin_reading(self, request: Request, now: float) -> list[Event]:
        """Ask for everything anew, under another invoke-id."""
        self._read_anew = False
        self._left -= 1
        self._sendings = 1
        assert self._exchange is not None
        self._exchange.close()
        service = SERVICES[type(request)]
        take_number(request, service.numbering, self._terms, self._owed)
        self._exchange = service.exchange(request, self._terms)
        try:
            self._transmit(next(self._exchange))
        except CosemicError as error:
            return [self._fail(request, error)]
        self._not_before = self._earliest(request)
        self._deadline = UNARMED
        return self.tick(now)

    def _go_on(self, request: Request, now: float) -> None:
        """The next APDU of an exchange was made."""
        self._has_sent(now)
        self._sendings = 1
        if not isinstance(request, Open):
            self._left = self._allowed(request)

    def _may_open_anew(self, error: CosemicError) -> bool:
        """Whether an opening may have failed because a late answer was taken for the present one."""
        if not self._left:
            return False
        if isinstance(error, InvocationCounterError):
            return True
        if self._openings < 2:
            return False
        if isinstance(error, AuthenticationFailed):
            self._proofs += 1
            return self._proofs < MOST_PROOFS
        return isinstance(error, SecurityError) or (
            isinstance(error, AssociationRejected) and error.service_error is not None
        )

    def _in_blocks(self, now: float) -> None:
        """Blocks were exchanged: they have no number of the request, and may come for a while yet."""
        self._has_sent(now)
        self._blocks_until = now + self.settings.datagram_lifetime

    def _may_have_begun_twice(self, octets: bytes) -> bool:
        """Whether a request that was repeated is answered in blocks by a server that may answer each one anew."""
        return self._sendings > 1 and not self.settings.repeat_changes and self._blocks.begins_long(octets)

    def _begun_twice(self, now: float) -> list[Event]:
        request = self._request
        assert request is not None
        if not self._left:
            return [self._fail(request, ProtocolError(_TWICE))]
        self._in_blocks(now)
        return self._begin_reading(request, now)

    def _has_sent(self, now: float) -> None:
        """Something more was sent of the present exchange."""
        if self._last_sent:
            self._last_sent[-1] = now

    def _silence(self) -> str:
        tries = max(self._sendings, self._openings)
        return super()._silence() if tries < 2 else f"{super()._silence()}, {tries} times over"

    def _owe(self) -> None:
        # An answer that still comes is late, whichever it is; that to an opening or release could not be told.
        if isinstance(self._request, Open | Release):
            super()._owe()

    # ---- what comes -------------------------------------------------------------------------------------------------

    def _read(self, octets: bytes, request: Request | None) -> Any:
        """Return the APDU that answers what was sent last, None for any other. Raises CosemicError."""
        try:
            response = super()._read(octets, request)
        except InvocationCounterError:
            return None
        except _ERRORS as error:
            ciphered, authenticated = self.context is not None, self._refused
            self._refused = ciphered and authenticated
            if self._refused or (not ciphered and self._now >= self._strays_until):
                raise
            if not self._refuses_double(error):
                self._kept_back = error
            return None
        except CosemicError as error:
            self._kept_back = error
            return None
        message = self._message
        if response is None or not _answers(message, response) or self._comes_again(message, response):
            return None
        if self._sendings > 1 and not self.settings.repeat_changes and _begins_long(message, response):
            if not self._left:
                raise ProtocolError(_TWICE)
            self._read_anew = True
            return None
        self._accepted = response
        return response

    def _refuses_double(self, error: CosemicError) -> bool:
        """Whether the server has seen the counter of what was sent last: it refuses an earlier one then."""
        wanted = error.invocation_counter if isinstance(error, ExceptionReceived) else None
        if wanted is None or not is_ciphered(self._protected):
            return False
        return wanted <= int.from_bytes(open_envelope(self._protected).content[_COUNTER]) + 1

    def _comes_again(self, message: Any, response: Any) -> bool:
        """Whether a response is that to an earlier block. Raises ProtocolError where it is another one than before."""
        if not isinstance(message, _FETCHES):
            sent = getattr(message, "datablock", None) or getattr(message, "pblock", None)
            acknowledged = getattr(response, "block_number", None)
            return sent is not None and acknowledged is not None and acknowledged < sent.block_number
        if isinstance(response, a.ActionResponseNextPblock):
            return True
        number = _block_number(response)
        if number is None or number > message.block_number:
            return False
        if number == message.block_number and response != self._accepted:
            raise ProtocolError(f"the meter sent block {number} again with other contents: read again")
        return True


def _answers(message: Any, response: Any) -> bool:
    """Whether a response is of the service that was asked for."""
    if isinstance(message, a.AARQ):
        return isinstance(response, a.AARE)
    if isinstance(message, a.RLRQ):
        return isinstance(response, a.RLRE)
    if isinstance(response, a.AARE | a.RLRE):
        return False
    if isinstance(message, a.AccessRequest):
        return isinstance(response, a.AccessResponse)
    return bool(response.prefix[0] == message.prefix[0] + _RESPONSE)


def _block_number(response: Any) -> int | None:
    """The number of the block that a response brings; None where it brings none."""
    if isinstance(response, a.GetResponseWithDatablock):
        block = response.result
        return block.block_number if isinstance(block.result, bytes) else None
    return response.pblock.block_number if isinstance(response, a.ActionResponseWithPblock) else None


def _begins_long(message: Any, response: Any) -> bool:
    """Whether more blocks are to be fetched after the first."""
    long = isinstance(message, _FIRST_READS) and isinstance(response, a.GetResponseWithDatablock)
    return long and not response.result.last_block
