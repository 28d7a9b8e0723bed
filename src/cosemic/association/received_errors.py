"""The error APDUs of a server as errors of ours (IEC 62056-5-3; reference, application layer 14).

::

    D8    exception-response       ExceptionReceived       never protected by itself: a hint
    0E    confirmedServiceError    ServiceErrorReceived
"""

from __future__ import annotations

from typing import Final

from cosemic import apdu as a
from cosemic.errors import ExceptionReceived, ProtocolError, ServiceErrorReceived
from cosemic.values import error_value_label

_HINTS: Final = {
    "operation-not-possible": "open the association first; or check that this service is allowed in it, and that the "
    "request is protected as the security policy of the meter demands",
    "service-not-supported": "the meter does not know this service, or did not agree to it",
    "pdu-too-long": "ask for less at a time",
    "deciphering-error": "check the keys and the system titles on both sides",
}
_SERVICE_HINTS: Final = {
    "vde-state-error: no-dlms-context": _HINTS["operation-not-possible"],
    "service: service-unsupported": _HINTS["service-not-supported"],
    "service: pdu-size": _HINTS["pdu-too-long"],
    "application-reference: deciphering-error": _HINTS["deciphering-error"] + ", and the invocation counter",
    "access: scope-of-access-violated": "this client may not do that here, or not with this protection",
    "access: object-access-invalid": "this client may not do that with this object",
    "definition: object-undefined": "the meter has no object with this short name: read its object_list anew",
}
_ANY_SIZE: Final = frozenset((0x61, 0x63))
"""AARE and RLRE: the lower layer alone limits them."""


def refuse_long(octets: bytes, most: int) -> None:
    """Raise ProtocolError for an APDU that is longer than ``most`` octets, which we said we take."""
    if octets[0] not in _ANY_SIZE:
        raise ProtocolError(
            f"the meter sent an APDU of {len(octets)} octets, and it was told to send {most} at most: open with a "
            "larger max_pdu_size, or name the quirk long-answers in the dialect"
        )


def received_error(octets: bytes) -> ExceptionReceived | ServiceErrorReceived:
    """The error for either of the two, by its tag. Raises DecodeError."""
    if octets[:1] == b"\xd8":
        return received_exception(a.ExceptionResponse.decode(octets))
    return received_service_error(a.ConfirmedServiceError.decode(octets))


def received_exception(apdu: a.ExceptionResponse) -> ExceptionReceived:
    """The error for an exception-response; it is never protected, so what it says is a hint."""
    error, counter = apdu.service_error
    state = getattr(apdu.state_error, "label", str(apdu.state_error))
    label = getattr(error, "label", str(error))
    hint = _HINTS.get(label, "the meter gives no other reason")
    if counter is not None:
        hint = f"the meter expects {counter} or more"
    return ExceptionReceived(f"the meter answered exception-response {state}, {label}: {hint}", state, label, counter)


def received_service_error(apdu: a.ConfirmedServiceError) -> ServiceErrorReceived:
    """The error for a confirmedServiceError."""
    service = getattr(apdu.service, "label", str(apdu.service))
    error = service_error_text(apdu)
    text, hint = f"{service}, {error}", _SERVICE_HINTS.get(error, "the meter gives no other reason")
    return ServiceErrorReceived(f"the meter answered confirmedServiceError {text}: {hint}", apdu.error_value, text)


def service_error_text(apdu: a.ConfirmedServiceError) -> str:
    """Class and value of a confirmedServiceError: ``initiate: dlms-version-too-low``."""
    kind = getattr(apdu.error_class, "label", str(apdu.error_class))
    return f"{kind}: {error_value_label(apdu.error_class, apdu.error_value)}"
