"""How a server judges an RLRQ, and what it answers (IEC 62056-5-3; reference, application layer 5.3).

::

    without user-information                             released; in a ciphered context only where the dialect does
                                                         not require a protected release
    with an InitiateRequest, ciphered as at the opening  released; the RLRE carries an InitiateResponse so protected
    with anything else, in a ciphered context            not released
"""

from __future__ import annotations

from typing import Final

from cosemic import apdu as a
from cosemic.association.accepting import initiate_response
from cosemic.association.service_provider import Agreement, ServerSettings
from cosemic.errors import DecodeError, PolicyViolation
from cosemic.security import Envelope, Protection, SecurityContext
from cosemic.values import ReleaseResponseReason

_INITIATE_REQUEST: Final = 0x01


def release(
    octets: bytes, settings: ServerSettings, context: SecurityContext | None, agreement: Agreement | None
) -> a.RLRE:
    """Return the answer to an RLRQ. Raises CosemicError where it releases nothing."""
    information = a.RLRQ.decode(octets, settings.limits).user_information
    answer = a.RLRE(reason=ReleaseResponseReason.NORMAL)
    if context is None or agreement is None:
        return answer
    if information is None:
        if settings.dialect.require_protected_release:
            raise PolicyViolation("the release is not protected, and has to be")
        return answer
    opened = context.unprotect_apdu(information)
    if opened.plaintext[0] != _INITIATE_REQUEST:
        raise DecodeError("an InitiateRequest", 0, "rlrq.user-information")
    if settings.dialect.protect_release:
        envelope = Envelope.of(information)
        kind = Envelope.kind(dedicated=False, general=envelope is not None and envelope.general)
        applied = context.send | Protection(opened.security_control.protection)
        response = initiate_response(settings, agreement.conformance, agreement.application_context)
        answer.user_information = context.protect_apdu(response, kind, protection=applied)
    return answer
