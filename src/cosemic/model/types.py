"""What an attribute value or method parameter looks like: the declared types over Data (IEC 62056-6-2, 4).

A type reads a typed value, ``(DataType, value)``, into Python and writes it back::

    Unsigned                        17 unsigned              int
    Long.within(-900, 900)          16 long                  int
    OctetString[8]                   9 octet-string          bytes
    LogicalName                      9 octet-string of 6     Obis
    DateTimeOctets                   9 octet-string of 12    DateTime
    EnumOf(SortMethod)              22 enum                  SortMethod, or int where the value is not listed
    ArrayOf(ScalerUnit)              1 array                 tuple of ScalerUnit
    class ScalerUnit(Structure)      2 structure             itself
    Choice(NullData, Integer)        one of several, told apart by the tag
    AnyData                          any Data                its native value

Sizes, limits, constants and lists of values bind the sender: ``encode`` raises EncodeError. What comes in is judged by
a :class:`Reading`: a strict one refuses it with DecodeError; a tolerant one takes every value whose meaning is plain
and notes a :class:`Deviation`. ``notation()`` is the type in one line, with names in place of the types that have one;
``definition()`` is what stands behind a name.

The simple types are here; the rest in :mod:`cosemic.model.formats`, :mod:`~cosemic.model.enumerated` and
:mod:`~cosemic.model.compound`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from cosemic.codec import DataType, Typed
from cosemic.errors import DecodeError, EncodeError
from cosemic.values import BitString

T = TypeVar("T")

INTEGERS: Final = frozenset(
    {
        DataType.INTEGER, DataType.LONG, DataType.DOUBLE_LONG, DataType.LONG64, DataType.UNSIGNED,
        DataType.LONG_UNSIGNED, DataType.DOUBLE_LONG_UNSIGNED, DataType.LONG64_UNSIGNED, DataType.ENUM, DataType.BCD,
    }
)  # fmt: skip
"""Types whose value is a whole number: one in place of the other loses nothing."""

CONTAINERS: Final = frozenset({DataType.ARRAY, DataType.STRUCTURE, DataType.COMPACT_ARRAY})
"""Types whose value is made of other values."""

_TEXTS: Final = frozenset({DataType.VISIBLE_STRING, DataType.UTF8_STRING})
_FLOATS: Final = frozenset({DataType.FLOAT32, DataType.FLOAT64})


@dataclass(frozen=True, slots=True)
class Deviation:
    """Something that came otherwise than declared, and could be read all the same."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        said = f"{self.expected} expected, {self.found} found"
        return f"{self.path}: {said}" if self.path else said


@dataclass(slots=True)
class Reading:
    """How values that came are judged, and what was noticed.

    strict: refuse every deviation with DecodeError; otherwise take what is plain and note it in ``deviations``.
    seen_also: read the other forms that devices in the field send (a quirk).
    """

    strict: bool = False
    seen_also: bool = False
    deviations: list[Deviation] = field(default_factory=list)

    def report(self, expected: str, found: str) -> None:
        """Note a deviation; raises DecodeError where the reading is strict."""
        if self.strict:
            raise DecodeError(f"{expected}, not {found}")
        self.deviations.append(Deviation("", expected, found))

    def prefix(self, since: int, path: str) -> int:
        """Put ``path`` in front of the deviations from number ``since`` on; returns their number."""
        deviations = self.deviations
        for number in range(since, len(deviations)):
            inner = deviations[number].path
            joined = path + inner if inner.startswith("[") or not inner else f"{path}.{inner}"
            deviations[number] = replace(deviations[number], path=joined)
        return len(deviations)


STRICT: Final = Reading(strict=True)
"""Refuses every deviation."""


class CosemType(Protocol[T]):
    """A declared type: an instance of one of the classes of this package, or a subclass of Structure."""

    def decode(self, typed: Typed, reading: Reading = STRICT) -> T:
        """Return the Python value; raises DecodeError (path, what was expected)."""
        ...

    def encode(self, value: T) -> Typed:
        """Return the typed form of ``value``; raises EncodeError when it does not fit the declaration."""
        ...

    def tags(self) -> frozenset[DataType]:
        """Tags that a value of this type may have, as declared."""
        ...

    def notation(self) -> str:
        """The type in the notation of the reference tables: its name, or its definition."""
        ...

    def definition(self) -> str:
        """What stands behind the name."""
        ...


class Notation(ABC):
    """The name under which a type is known to the tables; base of the types that are instances."""

    name: str = ""

    def notation(self) -> str:
        """Return the name, or the definition where there is none."""
        return self.name or self.definition()

    @abstractmethod
    def definition(self) -> str:
        """Return the type in the notation of the tables."""

    def named(self, name: str) -> Self:
        """Return the same type under a name."""
        same = copy(self)
        same.name = name
        return same

    def __repr__(self) -> str:
        return f"<{self.notation()}>"


def native(typed: Typed) -> Any:
    """Return the native value of a typed one, as ``EncodedData.value()`` gives it."""
    tag, value = typed
    if tag is DataType.STRUCTURE:
        return tuple(native(element) for element in value)
    if tag is DataType.ARRAY or tag is DataType.COMPACT_ARRAY:
        return [native(element) for element in value]
    return value


def is_typed(value: object) -> bool:
    """Whether ``value`` is a typed value: ``(DataType, value)``."""
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], DataType)


def label(typed: Typed) -> str:
    """Name of the type of a value."""
    return typed[0].label


def short(value: object) -> str:
    """Show a value in a message."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


class Primitive(Notation):
    """A simple type: its tag, and the tags that say the same in another width."""

    def __init__(self, tag: DataType, interchangeable: frozenset[DataType] = frozenset()) -> None:
        self.tag = tag
        self.interchangeable = interchangeable

    def tags(self) -> frozenset[DataType]:
        """Return the tag of the type."""
        return frozenset((self.tag,))

    def definition(self) -> str:
        """Return the name of the data type."""
        return self.tag.label

    def received(self, typed: Typed, reading: Reading) -> Any:
        """Return the value, after a look at its tag."""
        tag, value = typed
        if tag is not self.tag:
            if tag not in self.interchangeable:
                raise DecodeError(f"{self.tag.label}, not {label(typed)}")
            reading.report(self.tag.label, tag.label)
        return value


_RANGE: Final = {
    DataType.BCD: (0, 255), DataType.ENUM: (0, 255),
    DataType.INTEGER: (-(1 << 7), (1 << 7) - 1), DataType.UNSIGNED: (0, (1 << 8) - 1),
    DataType.LONG: (-(1 << 15), (1 << 15) - 1), DataType.LONG_UNSIGNED: (0, (1 << 16) - 1),
    DataType.DOUBLE_LONG: (-(1 << 31), (1 << 31) - 1), DataType.DOUBLE_LONG_UNSIGNED: (0, (1 << 32) - 1),
    DataType.LONG64: (-(1 << 63), (1 << 63) - 1), DataType.LONG64_UNSIGNED: (0, (1 << 64) - 1),
}  # fmt: skip


class Number(Primitive):
    """A whole number, with limits where the standard sets some."""

    def __init__(self, tag: DataType, low: int | None = None, high: int | None = None) -> None:
        super().__init__(tag, INTEGERS)
        self.limits = (low, high)
        least, most = _RANGE[tag]
        self.low = least if low is None else low
        self.high = most if high is None else high

    def within(self, low: int, high: int | None = None) -> Number:
        """Return the same type with limits, both inclusive."""
        return Number(self.tag, low, high)

    def constant(self, value: int) -> Number:
        """Return the same type with only one value."""
        return Number(self.tag, value, value)

    def definition(self) -> str:
        """Return the data type and its limits."""
        low, high = self.limits
        if low is None:
            return self.tag.label
        limits = low if low == high else f"{low}..{'' if high is None else high}"
        return f"{self.tag.label}({limits})"

    def decode(self, typed: Typed, reading: Reading = STRICT) -> int:
        """Return the number; another integer type and a number outside the limits are deviations."""
        value: int = self.received(typed, reading)
        if not self.low <= value <= self.high:
            reading.report(self.definition(), str(value))
        return value

    def encode(self, value: int) -> Typed:
        """Return the typed number; raises EncodeError outside the limits."""
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise EncodeError(f"{short(value)} is no {self.definition()}")
        return self.tag, int(value)


Sizes = int | slice | tuple[int, ...]


def spans_of(sizes: Sizes) -> tuple[tuple[int, int | None], ...]:
    """Least and greatest size of what stands in the brackets: ``6``, ``0, 16`` or ``1:``."""
    if isinstance(sizes, slice):
        return ((sizes.start, sizes.stop),)
    return tuple((size, size) for size in (sizes if isinstance(sizes, tuple) else (sizes,)))


def sizes_notation(sizes: tuple[tuple[int, int | None], ...]) -> str:
    """Sizes in brackets, or nothing."""
    spans = (str(low) if low == high else f"{low}..{'' if high is None else high}" for low, high in sizes)
    return f"[{', '.join(spans)}]" if sizes else ""


def fits(size: int, sizes: tuple[tuple[int, int | None], ...]) -> bool:
    """Whether one of the sizes allows ``size``."""
    return not sizes or any(low <= size and (high is None or size <= high) for low, high in sizes)


class Text(Primitive):
    """octet-, visible-, utf8- or bit-string; ``OctetString[6]``, ``[0, 16]``, ``[1:]`` limit its size.

    The size of an octet-string and of text is counted in octets and characters, that of a bit-string in bits.
    """

    def __init__(self, tag: DataType, sizes: tuple[tuple[int, int | None], ...] = ()) -> None:
        super().__init__(tag, _TEXTS if tag in _TEXTS else frozenset())
        self.sizes = sizes

    def definition(self) -> str:
        """Return the data type and its sizes."""
        return self.tag.label + sizes_notation(self.sizes)

    def measured(self, typed: Typed, reading: Reading) -> Any:
        """Return the value, after a look at tag and size."""
        value = self.received(typed, reading)
        if not fits(len(value), self.sizes):
            reading.report(self.definition(), f"size {len(value)}")
        return value

    def sized(self, value: Any, kind: type[bytes] | type[str]) -> Typed:
        """Return the typed string; raises EncodeError."""
        if not isinstance(value, kind) or not fits(len(value), self.sizes):
            raise EncodeError(f"{short(value)} is no {self.definition()}")
        return self.tag, value


class Octets(Text):
    """octet-string."""

    def __init__(self, sizes: tuple[tuple[int, int | None], ...] = ()) -> None:
        super().__init__(DataType.OCTET_STRING, sizes)

    def __getitem__(self, sizes: Sizes) -> Octets:
        return Octets(spans_of(sizes))

    def decode(self, typed: Typed, reading: Reading = STRICT) -> bytes:
        """Return the octets; another size is a deviation."""
        value: bytes = self.measured(typed, reading)
        return value

    def encode(self, value: bytes) -> Typed:
        """Return the typed octets; raises EncodeError."""
        return self.sized(value, bytes)


class Characters(Text):
    """visible-string or utf8-string."""

    def __getitem__(self, sizes: Sizes) -> Characters:
        return Characters(self.tag, spans_of(sizes))

    def decode(self, typed: Typed, reading: Reading = STRICT) -> str:
        """Return the text; another size, and the other type of text, are deviations."""
        value: str = self.measured(typed, reading)
        return value

    def encode(self, value: str) -> Typed:
        """Return the typed text; raises EncodeError, also for a visible-string that is not ASCII."""
        if isinstance(value, BitString) or (
            self.tag is DataType.VISIBLE_STRING and isinstance(value, str) and not value.isascii()
        ):
            raise EncodeError(f"{short(value)} is no {self.definition()}")
        return self.sized(value, str)


class Bits(Text):
    """bit-string."""

    def __init__(self, sizes: tuple[tuple[int, int | None], ...] = ()) -> None:
        super().__init__(DataType.BIT_STRING, sizes)

    def __getitem__(self, sizes: Sizes) -> Bits:
        return Bits(spans_of(sizes))

    def decode(self, typed: Typed, reading: Reading = STRICT) -> BitString:
        """Return the bits; another number of bits is a deviation."""
        value: BitString = self.measured(typed, reading)
        return value

    def encode(self, value: BitString) -> Typed:
        """Return the typed bits; raises EncodeError."""
        return self.sized(value, BitString)


class Plain(Primitive, Generic[T]):
    """A simple type whose values are those of one Python class: null-data, boolean, floats, date-time, date, time."""

    def __init__(self, tag: DataType, python: type[T], interchangeable: frozenset[DataType] = frozenset()) -> None:
        super().__init__(tag, interchangeable)
        self.python = python

    def decode(self, typed: Typed, reading: Reading = STRICT) -> T:
        """Return the value; the other width of a float is a deviation."""
        value: T = self.received(typed, reading)
        return value

    def encode(self, value: T) -> Typed:
        """Return the typed value; raises EncodeError for another class."""
        if self.python is float and isinstance(value, int) and not isinstance(value, bool):
            return self.tag, float(value)
        if not isinstance(value, self.python):
            raise EncodeError(f"{short(value)} is no {self.definition()}")
        return self.tag, value


NullData: Final = Plain(DataType.NULL_DATA, type(None))
Boolean: Final = Plain(DataType.BOOLEAN, bool)
BitStringData: Final = Bits()
DoubleLong: Final = Number(DataType.DOUBLE_LONG)
DoubleLongUnsigned: Final = Number(DataType.DOUBLE_LONG_UNSIGNED)
OctetString: Final = Octets()
VisibleString: Final = Characters(DataType.VISIBLE_STRING)
Utf8String: Final = Characters(DataType.UTF8_STRING)
Bcd: Final = Number(DataType.BCD)
Integer: Final = Number(DataType.INTEGER)
Long: Final = Number(DataType.LONG)
Unsigned: Final = Number(DataType.UNSIGNED)
LongUnsigned: Final = Number(DataType.LONG_UNSIGNED)
Long64: Final = Number(DataType.LONG64)
Long64Unsigned: Final = Number(DataType.LONG64_UNSIGNED)
Enum: Final = Number(DataType.ENUM)
Float32: Final = Plain(DataType.FLOAT32, float, _FLOATS)
Float64: Final = Plain(DataType.FLOAT64, float, _FLOATS)
