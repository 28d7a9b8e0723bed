"""Services with short-name referencing (IEC 62056-5-3): Read, Write, UnconfirmedWrite, InformationReport.

::

    05 count { variable }                    0C count { read result }
    06 count { variable }  count { Data }    0D count { write result }
    16 count { variable }  count { Data }
    18 [current-time]  count { variable }  count { Data }
"""

from __future__ import annotations

from typing import Annotated

from cosemic.codec import (
    EncodedData,
    Hook,
    Null,
    OctetString,
    Sequence,
    TaggedChoice,
    Unsigned8,
    Unsigned16,
    alternative,
    alternatives,
    encode_length,
    read_length,
)
from cosemic.errors import DecodeError
from cosemic.values import DataAccessResult


class ParameterizedAccess(Sequence):
    """Parameterized-Access: a variable name with a selector."""

    variable_name: Unsigned16
    selector: Unsigned8
    parameter: EncodedData


class BlockNumberAccess(Sequence):
    """Block-Number-Access: the number of the block just received."""

    block_number: Unsigned16


class ReadDataBlockAccess(Sequence):
    """Read-Data-Block-Access: a piece of a long request."""

    last_block: bool
    block_number: Unsigned16
    raw_data: OctetString


class WriteDataBlockAccess(Sequence):
    """Write-Data-Block-Access: announces a piece of a long write."""

    last_block: bool
    block_number: Unsigned16


VariableAccessSpecification = Annotated[
    int | ParameterizedAccess | BlockNumberAccess | ReadDataBlockAccess | WriteDataBlockAccess,
    alternatives(
        variable_name=(2, Unsigned16),
        parameterized_access=(4, ParameterizedAccess),
        block_number_access=(5, BlockNumberAccess),
        read_data_block_access=(6, ReadDataBlockAccess),
        write_data_block_access=(7, WriteDataBlockAccess),
    ),
]
"""Variable-Access-Specification; a bare int is a variable-name, the short name read as unsigned."""


class DataBlockResult(Sequence):
    """Data-Block-Result: a piece of a long answer."""

    last_block: bool
    block_number: Unsigned16
    raw_data: OctetString


class ReadResult(TaggedChoice):
    """One entry of a ReadResponse."""

    data: EncodedData = alternative(0)
    data_access_error: DataAccessResult = alternative(1)
    data_block_result: DataBlockResult = alternative(2)
    block_number: Unsigned16 = alternative(3)


class WriteResult(TaggedChoice):
    """One entry of a WriteResponse."""

    success: Null = alternative(0)
    data_access_error: DataAccessResult = alternative(1)
    block_number: Unsigned16 = alternative(2)


class ReadRequest(Sequence, tag=5):
    """ReadRequest."""

    variable_access_specification: tuple[VariableAccessSpecification, ...]


class ReadResponse(Sequence, tag=12):
    """ReadResponse."""

    result: tuple[ReadResult, ...]


class WriteRequest(Sequence, tag=6):
    """WriteRequest."""

    variable_access_specification: tuple[VariableAccessSpecification, ...]
    list_of_data: tuple[EncodedData, ...]


class WriteResponse(Sequence, tag=13):
    """WriteResponse."""

    result: tuple[WriteResult, ...]


class UnconfirmedWriteRequest(Sequence, tag=22):
    """UnconfirmedWriteRequest."""

    variable_access_specification: tuple[VariableAccessSpecification, ...]
    list_of_data: tuple[EncodedData, ...]


def _read_current_time(buffer: bytes, position: int) -> tuple[bytes | None, int]:
    """OPTIONAL GeneralizedTime; one family of meters sends 0C and a COSEM date-time without presence octet."""
    flag = buffer[position : position + 1]
    if flag == b"\x00":
        return None, position + 1
    if flag == b"\x01":
        count, start = read_length(buffer, position + 1)
    elif flag == b"\x0c":
        count, start = 12, position + 1
    else:
        raise DecodeError("presence 00 or 01 of the current-time", position)
    if start + count > len(buffer):
        raise DecodeError(f"{start + count - len(buffer)} more octets of the current-time", len(buffer))
    return buffer[start : start + count], start + count


def _write_current_time(value: bytes | None) -> bytes:
    return b"\x00" if value is None else b"\x01" + encode_length(len(value)) + value


class InformationReportRequest(Sequence, tag=24):
    """InformationReportRequest; ``current_time`` holds GeneralizedTime text, or twelve octets from some meters."""

    current_time: Annotated[bytes | None, Hook(_read_current_time, _write_current_time, bytes)]
    variable_access_specification: tuple[VariableAccessSpecification, ...]
    list_of_data: tuple[EncodedData, ...]
