"""What a client does where the meter refuses its invocation counter (reference, security 3; application layer 14).

An exception-response invocation-counter-error names the lowest counter that the meter accepts. Anybody can have sent
it, so that it is a proposal: it is taken up once in an association, upwards only, by ``max_counter_jump`` of the
dialect at most (further only before any answer was ever authenticated under this key), and kept when an authenticated
answer has confirmed it (:class:`~cosemic.security.counters.TransmitCounter`)::

    opening, reading                            asked again with the raised counter
    change, the refusal was authenticated       asked again: it was not taken
    change, the refusal came in clear           OutcomeUnknown: it may be forged, and the change may have been made. A
                                                reading confirms the counter, so that the next request is served
    opening refused with deciphering-error,     the counter is read through the public client, and proposed; or the
    as by servers that do not say more          one behind those that were proposed before, where it is higher
    opening not answered, where a proposal      the one behind those is proposed, over a new connection
    before came to nothing
    with short names, refused in clear          the next call opens the association anew, which does the same: which
                                                request an answer belongs to could not be told any more
"""

from __future__ import annotations

import logging
from typing import Final

from cosemic.errors import AssociationRejected, CosemicError, ExceptionReceived, InvocationCounterError
from cosemic.security import TransmitCounter

_LOG: Final = logging.getLogger("cosemic.client")
_UNDECIPHERED: Final = "application-reference: deciphering-error"


def proposed_by(error: BaseException | None) -> int | None:
    """Return the counter that an error of the meter proposes, directly or as the cause; None where it does not."""
    while error is not None:
        if isinstance(error, ExceptionReceived):
            return error.invocation_counter
        error = error.__cause__
    return None


def may_be_counter(error: CosemicError) -> bool:
    """Whether an opening may have been refused for its counter, by a server that does not say so."""
    return isinstance(error, AssociationRejected) and error.service_error == _UNDECIPHERED


class Resynchronisation:
    """The one of an association. limit: largest step of a counter."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._transmit: TransmitCounter | None = None
        self.used = False

    def take_up(self, value: int, transmit: TransmitCounter, error: CosemicError) -> None:
        """Draw from ``value`` on, on trial. Raises ``error``, with a note, where that cannot be."""
        if self.used:
            error.add_note("the invocation counter was raised before in this association, and is refused again")
            raise error
        self.used = True
        try:
            if transmit.known:
                transmit.propose(value, self._limit)
            elif not transmit.start_from(value):
                raise InvocationCounterError(f"the own counter is not below {value}")
        except InvocationCounterError as refused:
            error.add_note(f"the invocation counter {value} that the meter proposes was not taken: {refused}")
            raise error from None
        self._transmit = transmit
        _LOG.warning("the meter refuses our invocation counter: going on at %d, on trial (%s)", value, error)

    def settle(self) -> None:
        """Go back to the own counter where no authenticated answer has confirmed the proposal."""
        transmit, self._transmit = self._transmit, None
        if transmit is not None and transmit.trying:
            transmit.abandon()
