"""The typed form of Data: ``(DataType, value)``, nested, and what a compact-array adds to it (IEC 62056-5-3 Data).

::

    TypeDescription = type tag                                    any type but array, structure, compact-array
                    | 01 number of elements (2 octets), TypeDescription of the element
                    | 02 count, that many TypeDescriptions
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cosemic.codec.data_type import DataType
from cosemic.codec.length import encode_length
from cosemic.errors import EncodeError

Typed = tuple[DataType, Any]
"""A tag and its value."""


class DontCare:
    """The value of dont-care: any value will do. There is one, :data:`DONT_CARE`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "DONT_CARE"

    def __reduce__(self) -> str:
        return "DONT_CARE"


DONT_CARE: Final = DontCare()
_VALUES_PER_OCTET: Final = 16
_VALUES_MORE: Final = 64


@dataclass(frozen=True, slots=True)
class TypeDescription:
    """Type of the elements of a compact-array.

    ``elements`` holds the descriptions of a structure's members, or the one of an array's elements; ``count`` the
    number of elements of an array.
    """

    type: DataType
    elements: tuple[TypeDescription, ...] = ()
    count: int = 0

    def encode(self) -> bytes:
        """Octets of the description; raises EncodeError for an array of more than 65,535 elements."""
        if self.type == DataType.STRUCTURE:
            return b"\x02" + encode_length(len(self.elements)) + b"".join(e.encode() for e in self.elements)
        if self.type == DataType.ARRAY:
            if self.count > 0xFFFF:
                raise EncodeError(f"an array in a compact-array has at most 65535 elements, not {self.count}")
            return b"\x01" + self.count.to_bytes(2, "big") + self.elements[0].encode()
        return bytes((self.type,))

    def has_width(self) -> bool:
        """Whether a value of this type takes at least one octet inside a compact-array."""
        if self.type == DataType.ARRAY and not self.count:
            return False
        if self.elements:
            return any(element.has_width() for element in self.elements)
        return self.type not in (DataType.NULL_DATA, DataType.DONT_CARE, DataType.STRUCTURE)

    def values(self) -> int:
        """How many values one of this type is: it and all inside it."""
        inside = sum(element.values() for element in self.elements)
        return 1 + (inside * self.count if self.type == DataType.ARRAY else inside)


def most_values(octets: int) -> int:
    """How many values a compact-array may hold whose description, length and contents take so many octets."""
    return _VALUES_PER_OCTET * octets + _VALUES_MORE


class CompactArray(tuple[Typed, ...]):
    """Typed elements of a compact-array with their common description."""

    description: TypeDescription

    def __new__(cls, elements: Iterable[Typed], description: TypeDescription) -> CompactArray:
        new = super().__new__(cls, elements)
        new.description = description
        return new

    def __getnewargs__(self) -> tuple[tuple[Typed, ...], TypeDescription]:
        return tuple(self), self.description


def describe(typed: Typed, depth: int) -> TypeDescription:
    """Return the TypeDescription of a typed value.

    Raises EncodeError for an array of unequal or no elements, and beyond ``depth`` levels of nesting.
    """
    data_type, value = DataType(typed[0]), typed[1]
    if data_type is DataType.COMPACT_ARRAY:
        raise EncodeError("a compact-array cannot stand inside a compact-array")
    if data_type is not DataType.STRUCTURE and data_type is not DataType.ARRAY:
        return TypeDescription(data_type)
    if depth <= 0:
        raise EncodeError("the value is nested too deeply")
    kinds = [describe(element, depth - 1) for element in value]
    if data_type is DataType.STRUCTURE:
        return TypeDescription(data_type, tuple(kinds))
    if len(set(kinds)) != 1:
        raise EncodeError("an array in a compact-array has at least one element, and all of one type")
    return TypeDescription(data_type, (kinds[0],), len(kinds))
