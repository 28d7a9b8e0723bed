"""Enumerations and named bits as attribute types (IEC 62056-6-2): values of enum, of the unsigned types, of bit-string.

The values themselves are Python enumerations::

    class SortMethod(Enumeration):              class ClockStatus(IntFlag):
        FIFO = 1                                    INVALID_VALUE = 1 << 0

    EnumOf(SortMethod)                          BitsOf(Unsigned, ClockStatus)

Bit 0 of a number is its least significant one; bit 0 of a bit-string is the one that is sent first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum, IntFlag
from typing import Generic, TypeVar

from cosemic.codec import DataType, Typed
from cosemic.errors import EncodeError
from cosemic.model.types import STRICT, Bits, Enum, Notation, Number, Reading, short
from cosemic.values import BitString

E = TypeVar("E", bound=IntEnum)
F = TypeVar("F", bound=IntFlag)


class EnumOf(Notation, Generic[E]):
    """enum with the values of ``values``; a value that is not listed stays a number and is a deviation.

    ranges: values that share one name, such as those left to the manufacturer. members: those of ``values`` that are
    listed, where a version has not all of them. labels: printed form of members whose name does not say it.
    """

    def __init__(
        self,
        values: type[E],
        name: str = "",
        ranges: Mapping[str, range] | None = None,
        *,
        members: Iterable[E] | None = None,
        labels: Mapping[E, str] | None = None,
    ) -> None:
        self.values = values
        self.name = name
        self.ranges = dict(ranges or {})
        self.listed = {member.value: member for member in (values if members is None else members)}
        self.labels = dict(labels or {})

    def tags(self) -> frozenset[DataType]:
        """Return the tag of enum."""
        return Enum.tags()

    def definition(self) -> str:
        """Return the values, their names and labels."""
        items = [
            f"{member.value}: {member.name.lower()}" + (f" '{self.labels[member]}'" if member in self.labels else "")
            for member in self.listed.values()
        ]
        items += [f"{span[0]}..{span[-1]}: {name}" for name, span in self.ranges.items()]
        return f"enum {{ {', '.join(items)} }}"

    def _shared(self, number: int) -> bool:
        return any(number in span for span in self.ranges.values())

    def decode(self, typed: Typed, reading: Reading = STRICT) -> E | int:
        """Return the member, or the number that is not listed."""
        number = Enum.decode(typed, reading)
        member = self.listed.get(number)
        if member is not None:
            return member
        if not self._shared(number):
            reading.report(self.notation(), str(number))
        return number

    def encode(self, value: E | int) -> Typed:
        """Return the typed value; raises EncodeError for one that is not listed."""
        if not isinstance(value, int) or isinstance(value, bool) or not (value in self.listed or self._shared(value)):
            raise EncodeError(f"{short(value)} is no value of {self.notation()}")
        return Enum.encode(int(value))


class BitsOf(Notation, Generic[F]):
    """A number or bit-string whose bits have names; reserved bits that are 1 are kept, and are a deviation."""

    def __init__(self, carrier: Number | Bits, flags: type[F], name: str = "") -> None:
        self.carrier = carrier
        self.flags = flags
        self.name = name
        self.known = sum(flag.value for flag in flags)

    def tags(self) -> frozenset[DataType]:
        """Return the tag of the carrier."""
        return self.carrier.tags()

    def definition(self) -> str:
        """Return the carrier, the bits and their names."""
        items = (f"{flag.value.bit_length() - 1}: {flag.name.lower()}" for flag in self.flags if flag.name)
        return f"{self.carrier.definition()} bits {{ {', '.join(items)} }}"

    def decode(self, typed: Typed, reading: Reading = STRICT) -> F:
        """Return the bits that are 1."""
        received = self.carrier.decode(typed, reading)
        number = int(received[::-1] or "0", 2) if isinstance(received, BitString) else received
        if number & ~self.known:
            reading.report(self.notation(), f"reserved bits {number & ~self.known:#x}")
        return self.flags(number)

    def encode(self, value: F) -> Typed:
        """Return the typed bits; raises EncodeError for reserved ones, or where they do not fit."""
        if not isinstance(value, int) or value & ~self.known:
            raise EncodeError(f"{short(value)} is no {self.notation()}")
        if isinstance(self.carrier, Number):
            return self.carrier.encode(int(value))
        size = self.carrier.sizes[0][0] if self.carrier.sizes else self.known.bit_length()
        return self.carrier.encode(BitString(f"{int(value):0{size}b}"[::-1]))
