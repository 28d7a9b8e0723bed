"""The plain encoder of Data: typed values to octets (IEC 62056-5-3, Data)."""

from __future__ import annotations

import struct
from typing import Any, Final

from cosemic.codec.data_type import FIXED_FORMAT, DataType
from cosemic.codec.length import encode_length
from cosemic.codec.limits import DEFAULT_LIMITS, Limits
from cosemic.codec.typed import Typed, TypeDescription, describe, most_values
from cosemic.errors import EncodeError
from cosemic.values import BitString, Date, DateTime, Time

# A boolean is packed as the number that it is: the format "?" would make TRUE of any text.
_FORMATS: Final = {t: f.replace("?", "B") for t, f in FIXED_FORMAT.items() if "s" not in f}
_PACK: Final = {t: struct.Struct(">" + f).pack for t, f in _FORMATS.items()}
_TAGGED_PACK: Final = {t: struct.Struct(">B" + f).pack for t, f in _FORMATS.items()}
_DATES: Final[dict[DataType, tuple[type[DateTime] | type[Date] | type[Time], int]]] = {
    DataType.DATE_TIME: (DateTime, 12),
    DataType.DATE: (Date, 5),
    DataType.TIME: (Time, 4),
}
UNFIT: Final = (struct.error, TypeError, ValueError, AttributeError, KeyError, IndexError, OverflowError,
                RecursionError)  # fmt: skip
"""What Python raises for a value that does not fit the type it is to be sent as."""


def encode(typed: Typed, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Encode one typed value; raises EncodeError when a value does not fit its type, or is nested too deeply."""
    parts: list[bytes] = []
    try:
        pack = _TAGGED_PACK.get(typed[0])
        if pack is not None:
            data_type, value = typed
            return pack(data_type, value)
        _encode_into(parts, typed, limits.depth)
    except UNFIT as error:
        if isinstance(error, EncodeError):
            raise
        # The value itself is not told: it may be a secret.
        raise EncodeError(f"this is no {_expected(typed)}: {error}") from None
    return b"".join(parts)


def _expected(typed: object) -> str:
    """What a value was to be encoded as."""
    match typed:
        case (DataType() as data_type, _) if data_type in _TAGGED_PACK:
            return data_type.label
    return "typed Data value"


def _encode_into(parts: list[bytes], typed: Typed, depth: int) -> None:
    data_type, value = typed
    if data_type == DataType.ARRAY or data_type == DataType.STRUCTURE:
        if depth <= 0:
            raise EncodeError("the value is nested too deeply")
        parts.append(bytes((data_type,)) + encode_length(len(value)))
        for element in value:
            kind, inner = element
            pack = _TAGGED_PACK.get(kind)
            if pack is not None:
                parts.append(pack(kind, inner))
            elif kind == 9 and type(inner) is bytes:
                parts += (b"\x09" + encode_length(len(inner)), inner)
            elif kind == 0:
                parts.append(b"\x00")
            else:
                _encode_into(parts, element, depth - 1)
    elif data_type == DataType.COMPACT_ARRAY:
        if depth <= 0:
            raise EncodeError("the value is nested too deeply")
        description = getattr(value, "description", None) or describe(value[0], depth - 1)
        if len(value) and not description.has_width():
            raise EncodeError("the elements of a compact-array take at least one octet")
        contents: list[bytes] = []
        for element in value:
            _encode_as(contents, element, description)
        octets = b"".join(contents)
        body = description.encode() + encode_length(len(octets)) + octets
        if len(value) * description.values() > most_values(len(body)):
            raise EncodeError("most values of a compact-array take at least one octet")
        parts += (b"\x13", body)
    else:
        parts += (bytes((data_type,)), _contents(DataType(data_type), value))


def _encode_as(parts: list[bytes], typed: Typed, description: TypeDescription) -> None:
    """Encode a value without tags, as an element of a compact-array."""
    data_type, value = typed
    if data_type != description.type:
        raise EncodeError("all elements of a compact-array have one type")
    if data_type != DataType.ARRAY and data_type != DataType.STRUCTURE:
        parts.append(_contents(description.type, value))
        return
    members = description.elements if data_type == DataType.STRUCTURE else description.elements * description.count
    if len(value) != len(members):
        raise EncodeError("all elements of a compact-array have one number of members")
    for element, member in zip(value, members, strict=True):
        _encode_as(parts, element, member)


def _contents(data_type: DataType, value: Any) -> bytes:
    """Octets of a value that is no container, without its tag."""
    pack = _PACK.get(data_type)
    if pack is not None:
        return pack(value)
    if data_type in _DATES:
        kind, size = _DATES[data_type]
        octets: bytes = value.octets if isinstance(value, kind) else value
        if len(octets) != size:
            raise EncodeError(f"{data_type.label} has {size} octets, not {len(octets)}")
        return octets + b""
    match data_type:
        case DataType.NULL_DATA | DataType.DONT_CARE:
            return b""
        case DataType.OCTET_STRING:
            return encode_length(len(value)) + memoryview(value).tobytes()
        case DataType.VISIBLE_STRING | DataType.UTF8_STRING:
            text = value.encode("latin-1" if data_type is DataType.VISIBLE_STRING else "utf-8")
            return encode_length(len(text)) + bytes(text)
        case DataType.BIT_STRING:
            return encode_length(len(value)) + BitString(value).octets
    raise EncodeError(f"{data_type.label} cannot stand here")
