"""The APDU with which a server says that a request cannot be served (IEC 62056-5-3; reference, application layer 14).

With logical names that is exception-response, always in clear. With short names it is confirmedServiceError, of the
service read or write; where the protection of the request could be taken off, it is protected in the same way::

    operation-not-possible       vde-state-error no-dlms-context; in an association access scope-of-access-violated
    service-not-supported        service service-unsupported
    pdu-too-long                 service pdu-size
    deciphering-error            application-reference deciphering-error
    invocation-counter-error     the same: there is no room for the counter
    other-reason                 service other

Outside an association it depends on the request which of the two it is, and on what may be opened. An UnconfirmedWrite
is not answered at all.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Final, NamedTuple

from cosemic import apdu as a
from cosemic.association.answering import Reason, response_envelope
from cosemic.errors import CosemicError
from cosemic.security import Envelope, Protection, SecurityContext
from cosemic.security.envelopes import INNER_TAGS
from cosemic.values import ApplicationContext, ErrorClass, ErrorService, ServiceError, error_value

_WRITE: Final = 0x06
_UNCONFIRMED_WRITE: Final = 0x16
_SHORT_NAMES: Final = frozenset((0x05, _WRITE, _UNCONFIRMED_WRITE))


def _error(error_class: ErrorClass, label: str) -> tuple[ErrorClass, int]:
    return error_class, error_value(error_class, label)


_OUTSIDE: Final = _error(ErrorClass.VDE_STATE_ERROR, "no-dlms-context")
_ERRORS: Final = {
    ServiceError.OPERATION_NOT_POSSIBLE: _error(ErrorClass.ACCESS, "scope-of-access-violated"),
    ServiceError.SERVICE_NOT_SUPPORTED: _error(ErrorClass.SERVICE, "service-unsupported"),
    ServiceError.PDU_TOO_LONG: _error(ErrorClass.SERVICE, "pdu-size"),
    ServiceError.DECIPHERING_ERROR: _error(ErrorClass.APPLICATION_REFERENCE, "deciphering-error"),
    ServiceError.INVOCATION_COUNTER_ERROR: _error(ErrorClass.APPLICATION_REFERENCE, "deciphering-error"),
}
_OTHER: Final = _error(ErrorClass.SERVICE, "other")


class AtHand(NamedTuple):
    """What is known of the APDU that is served: its tag, and how it was protected, as far as it was read."""

    tag: int
    applied: Protection = Protection.NONE
    envelope: Envelope | None = None


def has_short_names(tag: int) -> bool:
    """Whether an APDU with that tag, or inside an envelope with it, is a request with short names."""
    return INNER_TAGS.get(tag, tag) in _SHORT_NAMES


def error_octets(
    reason: Reason,
    at_hand: AtHand,
    agreed: ApplicationContext | None,
    offered: Collection[ApplicationContext],
    context: SecurityContext | None,
    *,
    associated: bool,
    general: bool = True,
) -> bytes:
    """Return the APDU, empty where nothing is answered.

    agreed: the application context of the association that stands or is pending. offered: those that may be opened.
    general: as of :func:`~cosemic.association.answering.response_envelope`.
    """
    inner = INNER_TAGS.get(at_hand.tag, at_hand.tag)
    if inner == _UNCONFIRMED_WRITE:
        return b""
    if agreed is not None:
        short_names = agreed.short_names
    else:
        short_names = inner in _SHORT_NAMES or all(name.short_names for name in offered)
    state, error, *counter = reason
    if not short_names:
        return a.ExceptionResponse(state, (error, counter[0] if counter else None)).encode()
    outside = error is ServiceError.OPERATION_NOT_POSSIBLE and not associated
    service = ErrorService.WRITE if inner == _WRITE else ErrorService.READ
    error_class, value = _OUTSIDE if outside else _ERRORS.get(error, _OTHER)
    octets = a.ConfirmedServiceError(service, error_class, value).encode()
    if at_hand.applied and context is not None:
        with suppress(CosemicError):  # it says nothing that may not be said in clear
            envelope = response_envelope(context, at_hand.envelope, octets[0], general=general)
            return context.protect_apdu(octets, envelope, protection=at_hand.applied | context.send)
    return octets
