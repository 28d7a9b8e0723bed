"""The value of attribute 0: all attributes of an object in one structure (reference, application layer 7).

::

    GET    structure { attribute 1, attribute 2 ... }    null-data for what the client may not see
    SET    the same                                      null-data for what is to stay as it is
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cosemic.codec import DEFAULT_LIMITS, DataType, EncodedData, Limits, encode_length
from cosemic.codec.encoded import scan
from cosemic.codec.length import read_length
from cosemic.errors import DecodeError

ALL_ATTRIBUTES: Final = 0
"""attribute-id that stands for all."""
NO_DATA: Final = EncodedData.of(DataType.NULL_DATA)
_STRUCTURE: Final = bytes((DataType.STRUCTURE,))


def joined(values: Sequence[EncodedData]) -> EncodedData:
    """Return the structure of the values of all attributes."""
    return EncodedData(_STRUCTURE + encode_length(len(values)) + b"".join(value.octets for value in values))


def split(value: EncodedData, limits: Limits = DEFAULT_LIMITS) -> list[EncodedData]:
    """Return the values of the attributes. Raises DecodeError for anything but one structure."""
    octets = value.octets
    if octets[:1] != _STRUCTURE:
        raise DecodeError("a structure of all attributes", 0)
    if scan(octets, 0, limits) != len(octets):
        raise DecodeError("the end of the structure", len(octets))
    count, at = read_length(octets, 1)
    values = []
    for _ in range(count):
        start, at = at, scan(octets, at, limits)
        values.append(EncodedData(octets[start:at]))
    return values
