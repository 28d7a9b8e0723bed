"""The common data types of COSEM and their sizes (IEC 62056-5-3 Data, IEC 62056-6-2 clause 4.1.5).

::

    Data = tag (1 octet), value
    fixed size        value of 0, 1, 2, 4, 5, 8 or 12 octets
    bit-string        length in bits, octets
    octet-, visible-, utf8-string     length in octets, octets
    array, structure  number of elements, elements
    compact-array     TypeDescription, length in octets, values without their tags
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final


class DataType(IntEnum):
    """Tag of a Data value; ``label`` is its name in the standard."""

    label: str

    NULL_DATA = 0
    ARRAY = 1
    STRUCTURE = 2
    BOOLEAN = 3
    BIT_STRING = 4
    DOUBLE_LONG = 5
    DOUBLE_LONG_UNSIGNED = 6
    FLOATING_POINT = 7
    """Of IEC 61334-4-41:1996, float32 today. Old octets that hold it are read; no type of COSEM is declared with it."""
    OCTET_STRING = 9
    VISIBLE_STRING = 10
    UTF8_STRING = 12
    BCD = 13
    INTEGER = 15
    LONG = 16
    UNSIGNED = 17
    LONG_UNSIGNED = 18
    COMPACT_ARRAY = 19
    LONG64 = 20
    LONG64_UNSIGNED = 21
    ENUM = 22
    FLOAT32 = 23
    FLOAT64 = 24
    DATE_TIME = 25
    DATE = 26
    TIME = 27
    DELTA_INTEGER = 28
    DELTA_LONG = 29
    DELTA_DOUBLE_LONG = 30
    DELTA_UNSIGNED = 31
    DELTA_LONG_UNSIGNED = 32
    DELTA_DOUBLE_LONG_UNSIGNED = 33
    DONT_CARE = 255

    def __new__(cls, tag: int) -> DataType:
        member = int.__new__(cls, tag)
        member._value_ = tag
        return member

    def __init__(self, tag: int) -> None:
        self.label = self.name.lower().replace("_", "-")

    @property
    def is_delta(self) -> bool:
        """Whether the value is a difference to the previous one of the same column."""
        return 28 <= self <= 33


FIXED_FORMAT: Final = {
    DataType.BOOLEAN: "?",
    DataType.DOUBLE_LONG: "i",
    DataType.DOUBLE_LONG_UNSIGNED: "I",
    DataType.BCD: "B",
    DataType.INTEGER: "b",
    DataType.LONG: "h",
    DataType.UNSIGNED: "B",
    DataType.LONG_UNSIGNED: "H",
    DataType.LONG64: "q",
    DataType.LONG64_UNSIGNED: "Q",
    DataType.ENUM: "B",
    DataType.FLOATING_POINT: "f",
    DataType.FLOAT32: "f",
    DataType.FLOAT64: "d",
    DataType.DATE_TIME: "12s",
    DataType.DATE: "5s",
    DataType.TIME: "4s",
    DataType.DELTA_INTEGER: "b",
    DataType.DELTA_LONG: "h",
    DataType.DELTA_DOUBLE_LONG: "i",
    DataType.DELTA_UNSIGNED: "B",
    DataType.DELTA_LONG_UNSIGNED: "H",
    DataType.DELTA_DOUBLE_LONG_UNSIGNED: "I",
}
"""``struct`` format (big-endian) of every type with a value of fixed size."""

BY_TAG: Final[tuple[DataType | None, ...]] = tuple(
    DataType(tag) if tag in DataType._value2member_map_ else None for tag in range(256)
)
"""Tag octet to type; None where the tag is reserved."""

TOTAL: Final = tuple(
    0 if t is None else 1 if tag in (0, 255) else 1 + struct.calcsize(FIXED_FORMAT[t]) if t in FIXED_FORMAT else 0
    for tag, t in enumerate(BY_TAG)
)
"""Octets of a value of fixed size, its tag included, by tag; 0 where the size varies or the tag is reserved."""

_NUMBERS: Final = tuple(
    struct.Struct(">x" + FIXED_FORMAT[t]) if t in FIXED_FORMAT and "s" not in FIXED_FORMAT[t] else None
    for t in (t or DataType.NULL_DATA for t in BY_TAG)
)

UNPACK: Final[tuple[Callable[[bytes], tuple[Any, ...]] | None, ...]] = tuple(
    None if number is None else number.unpack for number in _NUMBERS
)
"""Reads a boolean or number, given exactly its octets with the tag; by tag, None for other types."""

UNPACK_FROM: Final[tuple[Callable[[bytes, int], tuple[Any, ...]] | None, ...]] = tuple(
    None if number is None else number.unpack_from for number in _NUMBERS
)
"""Reads a boolean or number out of a buffer, given where its tag stands; by tag, None for other types."""
