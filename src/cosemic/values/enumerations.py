"""The enumerations of the application layer (IEC 62056-5-3): results, diagnostics, errors.

Each member has the code that stands on the wire and ``label``, the name of the standard in lower-kebab-case. A code
without a name stays a plain integer: :func:`lookup` gives the table with which a decoder turns an octet into one or the
other. Members are in the case of constants: ``DataAccessResult.READ_WRITE_DENIED``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from types import MappingProxyType
from typing import Final, Self, TypeVar

from cosemic.errors import ConfigurationError


class Enumeration(IntEnum):
    """Base of the enumerations: codes with the names of the standard.

    label: the name in lower-kebab-case, ``read-write-denied``.
    """

    label: str

    def __init__(self, code: int) -> None:
        self.label = self._name_.lower().replace("_", "-")

    @classmethod
    def from_label(cls, label: str) -> Self:
        """Return the member with that name. Raises ConfigurationError when there is none."""
        for member in cls:
            if member.label == label:
                return member
        raise ConfigurationError(f"{label!r} is not one of {', '.join(member.label for member in cls)}")


Member = TypeVar("Member", bound=IntEnum)


@cache
def lookup(enumeration: type[Member]) -> tuple[Member | int, ...]:
    """Return 256 entries, one for each octet: the member with that code, or the code itself where it has no name."""
    members: dict[int, Member] = {int(member): member for member in enumeration}
    return tuple(members.get(code, code) for code in range(256))


class DataAccessResult(Enumeration):
    """data-access-result of GET, SET and ACCESS (also the errors of SN read and write)."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_GET_ABORTED = 15
    NO_LONG_GET_IN_PROGRESS = 16
    LONG_SET_ABORTED = 17
    NO_LONG_SET_IN_PROGRESS = 18
    DATA_BLOCK_NUMBER_INVALID = 19
    OTHER_REASON = 250


class ActionResult(Enumeration):
    """action-result of ACTION."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_ACTION_ABORTED = 15
    NO_LONG_ACTION_IN_PROGRESS = 16
    OTHER_REASON = 250


class ServiceClass(Enumeration):
    """Bit 6 of invoke-id-and-priority."""

    UNCONFIRMED = 0
    CONFIRMED = 1


class Priority(Enumeration):
    """Bit 7 of invoke-id-and-priority."""

    NORMAL = 0
    HIGH = 1


class ApplicationContext(Enumeration):
    """Last arc of the application-context-name 2.16.756.5.8.1.x."""

    LN = 1
    SN = 2
    LN_CIPHERED = 3
    SN_CIPHERED = 4

    @classmethod
    def of(cls, *, short_names: bool, ciphered: bool) -> ApplicationContext:
        """Return the context with this referencing, with or without ciphering."""
        return cls(1 + short_names + 2 * ciphered)

    @property
    def short_names(self) -> bool:
        """Whether objects are referred to by short names."""
        return not self & 1

    @property
    def ciphered(self) -> bool:
        """Whether services may be ciphered."""
        return self > ApplicationContext.SN


class AuthenticationMechanism(Enumeration):
    """Last arc of the mechanism-name 2.16.756.5.8.2.x: how the client (and the server, from 2 on) proves itself."""

    LOWEST = 0
    LLS = 1
    HLS = 2
    HLS_MD5 = 3
    HLS_SHA1 = 4
    HLS_GMAC = 5
    HLS_SHA256 = 6
    HLS_ECDSA = 7


class AssociationResult(Enumeration):
    """result of the AARE."""

    ACCEPTED = 0
    REJECTED_PERMANENT = 1
    REJECTED_TRANSIENT = 2


class UserDiagnostic(Enumeration):
    """result-source-diagnostic of the AARE, choice acse-service-user."""

    NULL = 0
    NO_REASON_GIVEN = 1
    APPLICATION_CONTEXT_NAME_NOT_SUPPORTED = 2
    CALLING_AP_TITLE_NOT_RECOGNIZED = 3
    CALLING_AP_INVOCATION_IDENTIFIER_NOT_RECOGNIZED = 4
    CALLING_AE_QUALIFIER_NOT_RECOGNIZED = 5
    CALLING_AE_INVOCATION_IDENTIFIER_NOT_RECOGNIZED = 6
    CALLED_AP_TITLE_NOT_RECOGNIZED = 7
    CALLED_AP_INVOCATION_IDENTIFIER_NOT_RECOGNIZED = 8
    CALLED_AE_QUALIFIER_NOT_RECOGNIZED = 9
    CALLED_AE_INVOCATION_IDENTIFIER_NOT_RECOGNIZED = 10
    AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNIZED = 11
    AUTHENTICATION_MECHANISM_NAME_REQUIRED = 12
    AUTHENTICATION_FAILURE = 13
    AUTHENTICATION_REQUIRED = 14


class ProviderDiagnostic(Enumeration):
    """result-source-diagnostic of the AARE, choice acse-service-provider."""

    NULL = 0
    NO_REASON_GIVEN = 1
    NO_COMMON_ACSE_VERSION = 2


class ReleaseRequestReason(Enumeration):
    """reason of the RLRQ."""

    NORMAL = 0
    URGENT = 1
    USER_DEFINED = 30


class ReleaseResponseReason(Enumeration):
    """reason of the RLRE."""

    NORMAL = 0
    NOT_FINISHED = 1
    USER_DEFINED = 30


class ProtocolVersionBit(Enumeration):
    """Bits of the protocol-version of AARQ and AARE, first bit 0."""

    VERSION1 = 0


class AcseRequirement(Enumeration):
    """Bits of sender- and responder-acse-requirements, first bit 0."""

    AUTHENTICATION = 0
    APPLICATION_CONTEXT_NEGOTIATION = 1


class StateError(Enumeration):
    """state-error of the exception-response."""

    SERVICE_NOT_ALLOWED = 1
    SERVICE_UNKNOWN = 2


class ServiceError(Enumeration):
    """service-error of the exception-response."""

    OPERATION_NOT_POSSIBLE = 1
    SERVICE_NOT_SUPPORTED = 2
    OTHER_REASON = 3
    PDU_TOO_LONG = 4
    DECIPHERING_ERROR = 5
    INVOCATION_COUNTER_ERROR = 6


class ErrorService(Enumeration):
    """Choice of the confirmedServiceError: the service that failed."""

    INITIATE_ERROR = 1
    GET_STATUS = 2
    GET_NAME_LIST = 3
    GET_VARIABLE_ATTRIBUTE = 4
    READ = 5
    WRITE = 6
    GET_DATA_SET_ATTRIBUTE = 7
    GET_TI_ATTRIBUTE = 8
    CHANGE_SCOPE = 9
    START = 10
    STOP = 11
    RESUME = 12
    MAKE_USABLE = 13
    INITIATE_LOAD = 14
    LOAD_SEGMENT = 15
    TERMINATE_LOAD = 16
    INITIATE_UP_LOAD = 17
    UP_LOAD_SEGMENT = 18
    TERMINATE_UP_LOAD = 19


class ErrorClass(Enumeration):
    """Choice of ServiceError in the confirmedServiceError; its values are those of :data:`ERROR_VALUES`."""

    APPLICATION_REFERENCE = 0
    HARDWARE_RESOURCE = 1
    VDE_STATE_ERROR = 2
    SERVICE = 3
    DEFINITION = 4
    ACCESS = 5
    INITIATE = 6
    LOAD_DATA_SET = 7
    CHANGE_SCOPE = 8
    TASK = 9
    OTHER = 10


class KeyId(Enumeration):
    """key-id of an identified key in key-info."""

    GLOBAL_UNICAST_ENCRYPTION_KEY = 0
    GLOBAL_BROADCAST_ENCRYPTION_KEY = 1


class KekId(Enumeration):
    """kek-id of a wrapped key in key-info."""

    MASTER_KEY = 0


class GatewayType(Enumeration):
    """Direction of a message through a gateway: prefix E6 or E7."""

    REQUEST = 0
    RESPONSE = 1


class FrameType(Enumeration):
    """HDLC frame types (IEC 62056-46); the numbers are ours, the labels upper case."""

    I = 0  # noqa: E741 - the standard's name of the information frame
    RR = 1
    RNR = 2
    SNRM = 3
    DISC = 4
    UA = 5
    DM = 6
    FRMR = 7
    UI = 8

    def __init__(self, code: int) -> None:
        self.label = self._name_


class SmlBody(Enumeration):
    """Choice of SML-MessageBody (BSI TR-03109-1, annex)."""

    OPEN_REQUEST = 256
    OPEN_RESPONSE = 257
    CLOSE_REQUEST = 512
    CLOSE_RESPONSE = 513
    GET_PROFILE_PACK_REQUEST = 768
    GET_PROFILE_PACK_RESPONSE = 769
    GET_PROFILE_LIST_REQUEST = 1024
    GET_PROFILE_LIST_RESPONSE = 1025
    GET_PROC_PARAMETER_REQUEST = 1280
    GET_PROC_PARAMETER_RESPONSE = 1281
    SET_PROC_PARAMETER_REQUEST = 1536
    SET_PROC_PARAMETER_RESPONSE = 1537
    GET_LIST_REQUEST = 1792
    GET_LIST_RESPONSE = 1793
    ATTENTION_RESPONSE = 65281


class TicMode(Enumeration):
    """Tele-information: how label, value and check character are set apart."""

    HISTORIC = 0
    STANDARD = 1


ERROR_VALUES: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        ErrorClass.APPLICATION_REFERENCE: (
            "other",
            "time-elapsed",
            "application-unreachable",
            "application-reference-invalid",
            "application-context-unsupported",
            "provider-communication-error",
            "deciphering-error",
        ),
        ErrorClass.HARDWARE_RESOURCE: (
            "other",
            "memory-unavailable",
            "processor-resource-unavailable",
            "mass-storage-unavailable",
            "other-resource-unavailable",
        ),
        ErrorClass.VDE_STATE_ERROR: (
            "other",
            "no-dlms-context",
            "loading-data-set",
            "status-nochange",
            "status-inoperable",
        ),
        ErrorClass.SERVICE: ("other", "pdu-size", "service-unsupported"),
        ErrorClass.DEFINITION: (
            "other",
            "object-undefined",
            "object-class-inconsistent",
            "object-attribute-inconsistent",
        ),
        ErrorClass.ACCESS: (
            "other",
            "scope-of-access-violated",
            "object-access-invalid",
            "hardware-fault",
            "object-unavailable",
        ),
        ErrorClass.INITIATE: (
            "other",
            "dlms-version-too-low",
            "incompatible-conformance",
            "pdu-size-too-short",
            "refused-by-the-vde-handler",
        ),
        ErrorClass.LOAD_DATA_SET: (
            "other",
            "primitive-out-of-sequence",
            "not-loadable",
            "dataset-size-too-large",
            "not-awaited-segment",
            "interpretation-failure",
            "storage-failure",
            "data-set-not-ready",
        ),
        ErrorClass.CHANGE_SCOPE: (),
        ErrorClass.TASK: ("other", "no-remote-control", "ti-stopped", "ti-running", "ti-unusable"),
        ErrorClass.OTHER: ("other",),
    }
)
"""Names of the values of each error class of the confirmedServiceError, by code; change-scope has none."""


def error_value_label(error_class: int, value: int) -> str | int:
    """Return the name of an error value of the confirmedServiceError; the value itself where it has no name."""
    labels = ERROR_VALUES.get(error_class, ())
    return labels[value] if 0 <= value < len(labels) else value


def error_value(error_class: ErrorClass, label: str) -> int:
    """Return the code of a named error value. Raises ConfigurationError when the class has no such value."""
    labels = ERROR_VALUES[error_class]
    if label not in labels:
        raise ConfigurationError(
            f"{label!r} is not an error value of {error_class.label}: {', '.join(labels) or 'none'}"
        )
    return labels.index(label)
