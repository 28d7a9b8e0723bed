"""How a server answers: the reasons of an exception-response, and the envelope of an answer (IEC 62056-5-3; reference,
application layer 14).

What of a ciphered request is wrong::

    counter too low                              service-not-allowed, invocation-counter-error, the lowest acceptable
    protection less than the policy demands      service-not-allowed, operation-not-possible
    title, key, tag, envelope                    service-not-allowed, deciphering-error
    the counters themselves fail                 service-not-allowed, other-reason
"""

from __future__ import annotations

from typing import Final, TypeAlias

from cosemic.dialect import ResponseForm
from cosemic.errors import (
    ConfigurationError,
    CosemicError,
    DecodeError,
    InvocationCounterError,
    PolicyViolation,
    SecurityError,
)
from cosemic.security import Envelope, SecurityContext
from cosemic.values import ServiceError, StateError

Reason: TypeAlias = tuple[StateError, ServiceError] | tuple[StateError, ServiceError, int]
"""With the counter, where it is that."""
OPERATION_NOT_POSSIBLE: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)
PDU_TOO_LONG: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG)
OTHER_REASON: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.OTHER_REASON)
DECIPHERING_ERROR: Final = (StateError.SERVICE_NOT_ALLOWED, ServiceError.DECIPHERING_ERROR)
NOT_SUPPORTED: Final = (StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)


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


def response_envelope(context: SecurityContext, envelope: Envelope | None) -> Envelope:
    """Return the envelope of the answer to a request in that envelope, None for in clear, as the dialect wants it."""
    form = context.dialect.response_form
    if envelope is None:
        envelope = Envelope.kind(dedicated=context.envelope.dedicated, general=False)
    if form is not ResponseForm.MIRRORED:
        envelope = Envelope.kind(dedicated=envelope.dedicated, general=form is ResponseForm.GENERAL)
    return envelope
