"""xDLMS Initiate and the error APDUs (IEC 62056-5-3).

::

    01 [dedicated-key] response-allowed [quality-of-service] version conformance client-max-receive-pdu-size
    08 [quality-of-service] version conformance server-max-receive-pdu-size vaa-name
    0E service error-class value                conformance: 5F 1F 04 00 and three octets (BER, [APPLICATION 31])
    D8 state-error service-error [invocation-counter]
"""

from __future__ import annotations

from typing import Annotated, Final

from cosemic.codec import Default, Fixed, Hook, Integer8, OctetString, Sequence, Unsigned8, Unsigned16
from cosemic.errors import DecodeError, EncodeError
from cosemic.values import Conformance, ErrorClass, ErrorService, ServiceError, StateError

_CONFORMANCE_TAG: Final = b"\x5f\x1f\x04\x00"
_SEEN: Final[dict[bytes, Conformance]] = {}
"""Conformance blocks that were read before: making the flags anew takes longer than all the rest."""
_MOST_SEEN: Final = 256


def _read_conformance(buffer: bytes, position: int) -> tuple[Conformance, int]:
    """Two tag octets, or the one-octet tag 5F 04 00 that old stacks send on HDLC."""
    head = 4 if buffer[position : position + 4] == _CONFORMANCE_TAG else 3
    if head == 3 and buffer[position : position + 3] != b"\x5f\x04\x00":
        raise DecodeError("the conformance block 5f1f0400 and three octets", position)
    end = position + head + 3
    if end > len(buffer):
        raise DecodeError(f"{end - len(buffer)} more octets of the conformance block", len(buffer))
    conformance = Conformance(int.from_bytes(buffer[end - 3 : end], "big"))
    if head == 4 and len(_SEEN) < _MOST_SEEN:
        _SEEN[buffer[position:end]] = conformance
    return conformance, end


def _write_conformance(value: Conformance) -> bytes:
    return _CONFORMANCE_TAG + int(value).to_bytes(3, "big")


ConformanceBlock = Annotated[Conformance, Hook(_read_conformance, _write_conformance, Conformance, seen=_SEEN, size=7)]


class InitiateRequest(Sequence, tag=1):
    """InitiateRequest; a dedicated key may only stand in one that is ciphered."""

    dedicated_key: OctetString | None
    response_allowed: Annotated[bool, Default(Fixed("BOOLEAN", "?"), True)]
    proposed_quality_of_service: Integer8 | None
    proposed_dlms_version_number: Unsigned8
    proposed_conformance: ConformanceBlock
    client_max_receive_pdu_size: Unsigned16

    def __repr__(self) -> str:
        key = "None" if self.dedicated_key is None else "<secret>"
        return (
            f"InitiateRequest(dedicated_key={key}, response_allowed={self.response_allowed}, "
            f"proposed_quality_of_service={self.proposed_quality_of_service}, "
            f"proposed_dlms_version_number={self.proposed_dlms_version_number}, "
            f"proposed_conformance={self.proposed_conformance!r}, "
            f"client_max_receive_pdu_size={self.client_max_receive_pdu_size})"
        )


class InitiateResponse(Sequence, tag=8):
    """InitiateResponse; ``vaa_name`` 0007 for LN, FA00 for SN referencing."""

    negotiated_quality_of_service: Integer8 | None
    negotiated_dlms_version_number: Unsigned8
    negotiated_conformance: ConformanceBlock
    server_max_receive_pdu_size: Unsigned16
    vaa_name: Unsigned16


class ConfirmedServiceError(Sequence, tag=14):
    """ConfirmedServiceError; the names of ``error_value`` depend on the class (values.error_value_label)."""

    service: ErrorService
    error_class: ErrorClass
    error_value: Unsigned8


def _read_service_error(buffer: bytes, position: int) -> tuple[tuple[ServiceError | int, int | None], int]:
    if position >= len(buffer):
        raise DecodeError("a service-error", len(buffer))
    code = buffer[position]
    error = ServiceError(code) if code in ServiceError._value2member_map_ else code
    if error != ServiceError.INVOCATION_COUNTER_ERROR:
        return (error, None), position + 1
    end = position + 5
    if end > len(buffer):
        raise DecodeError(f"{end - len(buffer)} more octets of the invocation counter", len(buffer))
    return (error, int.from_bytes(buffer[position + 1 : end], "big")), end


def _write_service_error(value: tuple[ServiceError | int, int | None]) -> bytes:
    error, counter = value
    if (error == ServiceError.INVOCATION_COUNTER_ERROR) != (counter is not None):
        raise EncodeError("an invocation counter goes with invocation-counter-error, and with nothing else")
    return bytes((error,)) + (b"" if counter is None else counter.to_bytes(4, "big"))


class ExceptionResponse(Sequence, tag=216):
    """ExceptionResponse; never protected, so what it says is a hint.

    ``service_error`` is the error and, with invocation-counter-error, the lowest counter that would be accepted.
    """

    state_error: StateError
    service_error: Annotated[
        tuple[ServiceError | int, int | None], Hook(_read_service_error, _write_service_error, tuple)
    ]
