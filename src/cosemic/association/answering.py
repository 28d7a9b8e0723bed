"""How a server answers: the reasons of an exception-response, and the envelope of an answer (IEC 62056-5-3; reference,
application layer 14).

What of a ciphered request is wrong::

    counter too low                              service-not-allowed, invocation-counter-error, the lowest acceptable
    protection less than the policy demands      service-not-allowed, operation-not-possible
    title, key, tag, envelope                    service-not-allowed, deciphering-error
    the counters themselves fail                 service-not-allowed, other-reason
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from cosemic.apdu import AccessRequest, InitiateRequest, ReadRequest, UnconfirmedWriteRequest, WriteRequest
from cosemic.dialect import Dialect, ResponseForm
from cosemic.errors import (
    ConfigurationError,
    CosemicError,
    DecodeError,
    InvocationCounterError,
    PolicyViolation,
    SecurityError,
)
from cosemic.security import Envelope, SecurityContext
from cosemic.values import ServiceClass, ServiceError, StateError

Reason: TypeAlias = tuple[StateError, ServiceError] | tuple[StateError, ServiceError, int]
"""With the counter, where it is that."""
OPERATION_NOT_POSSIBLE: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)
PDU_TOO_LONG: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG)
OTHER_REASON: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.OTHER_REASON)
DECIPHERING_ERROR: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.DECIPHERING_ERROR)
NOT_SUPPORTED: Final = (StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)


_INVOKE_AT: Final = {0xC0: 2, 0xC1: 2, 0xC3: 2, 0xD9: 1}
"""Where invoke-id and service class of a request stand, by its tag."""
_CONFIRMED: Final = 0x40
_UNCONFIRMED_WRITE: Final = b"\x16"


def not_unprotected(error: CosemicError) -> Reason:
    """Return the reason where the protection of a request cannot be taken off."""
    if isinstance(error, InvocationCounterError):
        lowest = error.lowest_acceptable or 0
        return StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR, lowest
    if isinstance(error, PolicyViolation):
        return OPERATION_NOT_POSSIBLE
    if isinstance(error, SecurityError | DecodeError | ConfigurationError):
        return DECIPHERING_ERROR
    return OTHER_REASON


def is_unconfirmed(octets: bytes) -> bool:
    """Whether octets in clear begin as an unconfirmed request, which is not answered, not even with an error."""
    at = _INVOKE_AT.get(octets[0]) if octets else None
    return octets[:1] == _UNCONFIRMED_WRITE or (at is not None and len(octets) > at and not octets[at] & _CONFIRMED)


def wants_answer(request: Any, envelope: Envelope | None, dialect: Dialect, *, answers: bool) -> bool:
    """Whether a request that came in that envelope is confirmed, or answered all the same.

    answers: of what came by this way something is answered at all.
    """
    if isinstance(request, ReadRequest | WriteRequest | UnconfirmedWriteRequest):
        return not isinstance(request, UnconfirmedWriteRequest)
    if not isinstance(request, AccessRequest):
        return bool(request.invoke_id_and_priority.service_class is ServiceClass.CONFIRMED)
    if dialect.answer_general_access and answers and envelope is not None and envelope.general:
        return True
    return request.long_invoke_id_and_priority.service_class is ServiceClass.CONFIRMED


def wants_aare(information: bytes | None) -> bool:
    """Whether an AARQ wants to be answered, so far as its user-information can be read without keys."""
    try:
        return information is None or InitiateRequest.decode(information).response_allowed
    except DecodeError:
        return True


def response_envelope(
    context: SecurityContext, envelope: Envelope | None, tag: int, *, general: bool = True
) -> Envelope:
    """Return the envelope of the answer to a request in that envelope, None for in clear, as the dialect wants it.

    tag: of the answer; a general envelope holds what has no ciphered form of its own. general: general-protection was
    agreed upon; otherwise the answer is in the service-specific form whatever the dialect wants.
    """
    form = context.dialect.response_form
    if envelope is None:
        envelope = Envelope.kind(dedicated=context.envelope.dedicated, general=False)
    if form is not ResponseForm.MIRRORED:
        envelope = Envelope.kind(dedicated=envelope.dedicated, general=general and form is ResponseForm.GENERAL)
    if not envelope.holds(tag):
        envelope = Envelope.kind(dedicated=envelope.dedicated, general=True)
    return envelope
