"""Every APDU of ACSE and of the COSEMpdu module (IEC 62056-5-3), declared once.

:func:`decode` reads any of them; each object has ``encode()``.
"""

from __future__ import annotations

from typing import Any, Final

from cosemic.apdu.access import (
    AccessRequest,
    AccessRequestSpecification,
    AccessRequestWithSelection,
    AccessResponse,
    AccessResponseSpecification,
)
from cosemic.apdu.acse import (
    AARE,
    AARQ,
    AUTHENTICATION_REQUIREMENT,
    RLRE,
    RLRQ,
    AuthenticationBits,
    AuthenticationValue,
    ResultSourceDiagnostic,
    lengthen,
)
from cosemic.apdu.action import (
    ActionRequest,
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestWithFirstPblock,
    ActionRequestWithList,
    ActionRequestWithListAndFirstPblock,
    ActionRequestWithPblock,
    ActionResponse,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithPblock,
    BareActionResponse,
    bare_action_response,
)
from cosemic.apdu.common import (
    ActionResponseWithOptionalData,
    CosemAttributeDescriptor,
    CosemAttributeDescriptorWithSelection,
    CosemMethodDescriptor,
    DataBlockG,
    DataBlockSA,
    GetDataResult,
    InvokeIdAndPriority,
    LongInvokeIdAndPriority,
    SelectiveAccessDescriptor,
)
from cosemic.apdu.get import (
    GetRequest,
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponse,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
)
from cosemic.apdu.initiate import ConfirmedServiceError, ExceptionResponse, InitiateRequest, InitiateResponse
from cosemic.apdu.notification import DataNotification, DataNotificationConfirm, EventNotificationRequest
from cosemic.apdu.protection import (
    DEDICATED,
    GLOBAL,
    PLAIN,
    AgreedKey,
    BlockControl,
    GatewayRequest,
    GatewayResponse,
    GeneralBlockTransfer,
    GeneralCiphering,
    GeneralDedCiphering,
    GeneralGloCiphering,
    GeneralSigning,
    IdentifiedKey,
    ServiceSpecificCiphering,
    WrappedKey,
)
from cosemic.apdu.set import (
    SetRequest,
    SetRequestNormal,
    SetRequestWithDatablock,
    SetRequestWithFirstDatablock,
    SetRequestWithList,
    SetRequestWithListAndFirstDatablock,
    SetResponse,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    SetResponseNormal,
    SetResponseWithList,
)
from cosemic.apdu.short_name import (
    BlockNumberAccess,
    DataBlockResult,
    InformationReportRequest,
    ParameterizedAccess,
    ReadDataBlockAccess,
    ReadRequest,
    ReadResponse,
    ReadResult,
    UnconfirmedWriteRequest,
    WriteDataBlockAccess,
    WriteRequest,
    WriteResponse,
    WriteResult,
)
from cosemic.codec import DEFAULT_LIMITS, BerSequence, Choice, Limits, Sequence
from cosemic.codec.generator import UNFIT, Unfit
from cosemic.errors import DecodeError

Apdu = Sequence | BerSequence
"""What :func:`decode` returns: an object of one of the classes of this room."""

COSEM_PDU: Final[tuple[type[Any], ...]] = (
    InitiateRequest, ReadRequest, WriteRequest, InitiateResponse, ReadResponse, WriteResponse, ConfirmedServiceError,
    DataNotification, DataNotificationConfirm, UnconfirmedWriteRequest, InformationReportRequest,
    AARQ, AARE, RLRQ, RLRE,
    GetRequest, SetRequest, EventNotificationRequest, ActionRequest, GetResponse, SetResponse, ActionResponse,
    ExceptionResponse, AccessRequest, AccessResponse,
    GeneralGloCiphering, GeneralDedCiphering, GeneralCiphering, GeneralSigning, GeneralBlockTransfer,
    GatewayRequest, GatewayResponse,
)  # fmt: skip
"""The CHOICE at the top, in the order of the tags; the glo- and ded- APDUs come beside it."""


def _entry(kind: type[Any]) -> tuple[int, type[Any]]:
    if issubclass(kind, Choice | BerSequence):
        return kind.tag, kind
    return kind.prefix[0], kind


_BY_TAG: Final[dict[int, type[Any]]] = dict(map(_entry, COSEM_PDU)) | dict.fromkeys(PLAIN, ServiceSpecificCiphering)


def _refuse(buf: bytes, size: int, limits: Limits) -> Any:
    raise Unfit


def _readers(kind: type[Any]) -> list[Any]:
    """The straight-line readers of a type by the octet behind its tag: in a CHOICE that of the alternative."""
    if not issubclass(kind, Choice):
        return [kind._read_fast] * 256
    return [kind.by_number[n]._read_fast if n in kind.by_number else _refuse for n in range(256)]


_REFUSING: Final = [_refuse] * 256
_BY_KIND: Final = {kind: _readers(kind) for kind in _BY_TAG.values()}
_FAST: Final = [_BY_KIND[_BY_TAG[octet]] if octet in _BY_TAG else _REFUSING for octet in range(256)]


def decode(octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Decode exactly one APDU, told by its tag: an object of its class.

    Raises DecodeError (offset, path, what was expected) for anything else; octets behind the APDU included.
    """
    try:
        if type(octets) is bytes and (size := len(octets)) <= limits.octets:
            return _FAST[octets[0]][octets[1]](octets, size, limits)
    except (*UNFIT, KeyError):
        pass  # the plain reader below reads it, or says what is wrong
    if len(octets) == 0:
        raise DecodeError("an APDU, not nothing", 0)
    kind = _BY_TAG.get(octets[0])
    if kind is None:
        raise DecodeError(f"the tag of an APDU, not {octets[0]:02x}", 0)
    return kind.decode(octets, limits)


__all__ = [
    "AARE", "AARQ", "AUTHENTICATION_REQUIREMENT", "COSEM_PDU", "DEDICATED", "GLOBAL", "PLAIN", "RLRE", "RLRQ",
    "AccessRequest", "AccessRequestSpecification", "AccessRequestWithSelection", "AccessResponse",
    "AccessResponseSpecification", "ActionRequest", "ActionRequestNextPblock", "ActionRequestNormal",
    "ActionRequestWithFirstPblock", "ActionRequestWithList", "ActionRequestWithListAndFirstPblock",
    "ActionRequestWithPblock", "ActionResponse", "ActionResponseNextPblock", "ActionResponseNormal",
    "ActionResponseWithList", "ActionResponseWithOptionalData", "ActionResponseWithPblock", "AgreedKey", "Apdu",
    "AuthenticationBits", "AuthenticationValue", "BareActionResponse", "BlockControl", "BlockNumberAccess",
    "ConfirmedServiceError", "CosemAttributeDescriptor", "CosemAttributeDescriptorWithSelection",
    "CosemMethodDescriptor", "DataBlockG", "DataBlockResult", "DataBlockSA", "DataNotification",
    "DataNotificationConfirm", "EventNotificationRequest", "ExceptionResponse", "GatewayRequest", "GatewayResponse",
    "GeneralBlockTransfer", "GeneralCiphering", "GeneralDedCiphering", "GeneralGloCiphering", "GeneralSigning",
    "GetDataResult", "GetRequest", "GetRequestNext", "GetRequestNormal", "GetRequestWithList", "GetResponse",
    "GetResponseNormal", "GetResponseWithDatablock", "GetResponseWithList", "IdentifiedKey",
    "InformationReportRequest", "InitiateRequest", "InitiateResponse", "InvokeIdAndPriority",
    "LongInvokeIdAndPriority", "ParameterizedAccess", "ReadDataBlockAccess", "ReadRequest", "ReadResponse",
    "ReadResult", "ResultSourceDiagnostic", "SelectiveAccessDescriptor", "ServiceSpecificCiphering", "SetRequest",
    "SetRequestNormal", "SetRequestWithDatablock", "SetRequestWithFirstDatablock", "SetRequestWithList",
    "SetRequestWithListAndFirstDatablock", "SetResponse", "SetResponseDatablock", "SetResponseLastDatablock",
    "SetResponseLastDatablockWithList", "SetResponseNormal", "SetResponseWithList", "UnconfirmedWriteRequest",
    "WrappedKey", "WriteDataBlockAccess", "WriteRequest", "WriteResponse", "WriteResult", "bare_action_response",
    "decode", "lengthen",
]  # fmt: skip
