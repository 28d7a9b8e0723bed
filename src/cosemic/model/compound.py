"""Types made of other types (IEC 62056-6-2): structures, arrays, choices, and Data of any kind.

A structure is a class; its fields stand in the order of the standard and have its names::

    class ObjectDefinition(Structure, name="object_definition"):
        class_id: int = field(LongUnsigned)
        logical_name: Obis = field(LogicalName)

Its objects compare, hash and print by their fields. Trailing fields with ``default=None`` may be absent. Fewer fields
than are needed cannot be read at all; more are a deviation, and dropped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, cast, dataclass_transform, overload

from cosemic.codec import DEFAULT_LIMITS, CompactArray, DataType, Typed
from cosemic.codec.typed import describe
from cosemic.errors import DecodeError, EncodeError
from cosemic.model.types import (
    CONTAINERS,
    STRICT,
    CosemType,
    Notation,
    Primitive,
    Reading,
    fits,
    is_typed,
    label,
    native,
    short,
    sizes_notation,
)

T = TypeVar("T")
_TYPE: Final = "cosem type"


@overload
def field(declared: CosemType[T]) -> T: ...
@overload
def field(declared: CosemType[T], *, default: None) -> T | None: ...
@overload
def field(declared: CosemType[T], *, default: T) -> T: ...
def field(declared: CosemType[T], *, default: Any = dataclasses.MISSING) -> Any:
    """Declare a field of a structure.

    default: the value the standard gives it; None for a trailing field that may be absent.
    """
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata={_TYPE: declared})
    return dataclasses.field(default=default, metadata={_TYPE: declared})


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field of a structure: name, type, whether it may be absent, default of the standard."""

    name: str
    type: CosemType[Any]
    optional: bool
    default: Any


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Structure:
    """Base of the declared structures; the class is the type, its objects are the values."""

    fields_declared: ClassVar[tuple[Field, ...]] = ()
    type_name: ClassVar[str] = ""

    def __init_subclass__(cls, name: str = "") -> None:
        dataclasses.dataclass(frozen=True)(cls)
        cls.type_name = name
        cls.fields_declared = tuple(
            Field(
                item.name,
                item.metadata[_TYPE],
                item.default is None,
                None if item.default is dataclasses.MISSING else item.default,
            )
            for item in dataclasses.fields(cast(Any, cls))
        )

    @classmethod
    def tags(cls) -> frozenset[DataType]:
        """Return the tag of structure."""
        return frozenset((DataType.STRUCTURE,))

    @classmethod
    def notation(cls) -> str:
        """Return the name, or the definition where there is none."""
        return cls.type_name or cls.definition()

    @classmethod
    def definition(cls) -> str:
        """Return the fields in the notation of the tables."""
        fields = (
            f"{item.name}{'?' if item.optional else ''}: {item.type.notation()}"
            + (f" = {item.default}" if item.default is not None else "")
            for item in cls.fields_declared
        )
        return f"structure {{ {', '.join(fields)} }}"

    @classmethod
    def decode(cls, typed: Typed, reading: Reading = STRICT) -> Self:
        """Return the object; raises DecodeError naming the field."""
        tag, elements = typed
        if tag is not DataType.STRUCTURE:
            raise DecodeError(f"structure of {cls.type_name or cls.__name__}, not {label(typed)}")
        declared = cls.fields_declared
        if len(elements) > len(declared):
            reading.report(f"{len(declared)} elements of {cls.type_name or cls.__name__}", str(len(elements)))
        values = []
        seen = len(reading.deviations)
        for item, element in zip(declared, elements, strict=False):
            try:
                values.append(item.type.decode(element, reading))
            except DecodeError as error:
                raise error.within(item.name) from None
            if len(reading.deviations) > seen:
                seen = reading.prefix(seen, item.name)
        for item in declared[len(values) :]:
            if not item.optional:
                raise DecodeError(f"{len(declared)} elements of {cls.type_name or cls.__name__}, not {len(elements)}")
            values.append(None)
        return cls(*values)

    @classmethod
    def encode(cls, value: Self) -> Typed:
        """Return the typed structure; raises EncodeError naming the field."""
        if not isinstance(value, cls):
            raise EncodeError(f"{short(value)} is no {cls.__name__}")
        elements = []
        absent = ""
        for item in cls.fields_declared:
            content = getattr(value, item.name)
            if item.optional and content is None:
                absent = item.name
                continue
            if absent:
                raise EncodeError(f"{item.name} of {cls.__name__} cannot be sent without {absent}")
            try:
                elements.append(item.type.encode(content))
            except EncodeError as error:
                raise EncodeError(f"{item.name} of {cls.__name__}: {error}") from None
        return DataType.STRUCTURE, tuple(elements)


def _decode_all(element: CosemType[T], typed: Typed, reading: Reading) -> tuple[T, ...]:
    values = []
    seen = len(reading.deviations)
    for index, one in enumerate(typed[1]):
        try:
            values.append(element.decode(one, reading))
        except DecodeError as error:
            raise error.within(f"[{index}]") from None
        if len(reading.deviations) > seen:
            seen = reading.prefix(seen, f"[{index}]")
    return tuple(values)


def _encode_all(element: CosemType[T], values: Sequence[T]) -> tuple[Typed, ...]:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise EncodeError(f"{short(values)} is no sequence of {element.notation()}")
    encoded = []
    for index, value in enumerate(values):
        try:
            encoded.append(element.encode(value))
        except EncodeError as error:
            raise EncodeError(f"[{index}]: {error}") from None
    return tuple(encoded)


class ArrayOf(Notation, Generic[T]):
    """array of one type; a compact-array in its place is a deviation."""

    def __init__(self, element: CosemType[T], sizes: tuple[tuple[int, int | None], ...] = (), name: str = "") -> None:
        self.element = element
        self.sizes = sizes
        self.name = name

    def tags(self) -> frozenset[DataType]:
        """Return the tag of array."""
        return frozenset((DataType.ARRAY,))

    def definition(self) -> str:
        """Return the type of the elements, and how many there may be."""
        return f"array{sizes_notation(self.sizes)} of {self.element.notation()}"

    def decode(self, typed: Typed, reading: Reading = STRICT) -> tuple[T, ...]:
        """Return the elements; raises DecodeError naming the element."""
        if typed[0] is DataType.COMPACT_ARRAY:
            reading.report("array", "compact-array")
        elif typed[0] is not DataType.ARRAY:
            raise DecodeError(f"array of {self.element.notation()}, not {label(typed)}")
        if not fits(len(typed[1]), self.sizes):
            reading.report(self.definition(), f"{len(typed[1])} elements")
        return _decode_all(self.element, typed, reading)

    def encode(self, value: Sequence[T]) -> Typed:
        """Return the typed array; raises EncodeError naming the element."""
        elements = _encode_all(self.element, value)
        if not fits(len(elements), self.sizes):
            raise EncodeError(f"{len(elements)} elements are no {self.definition()}")
        return DataType.ARRAY, elements


class CompactArrayOf(Notation, Generic[T]):
    """compact-array: elements with one common description."""

    def __init__(self, element: CosemType[T]) -> None:
        self.element = element

    def tags(self) -> frozenset[DataType]:
        """Return the tag of compact-array."""
        return frozenset((DataType.COMPACT_ARRAY,))

    def definition(self) -> str:
        """Return the type of the elements."""
        return f"compact-array of {self.element.notation()}"

    def decode(self, typed: Typed, reading: Reading = STRICT) -> tuple[T, ...]:
        """Return the elements; raises DecodeError naming the element."""
        if typed[0] is DataType.ARRAY:
            reading.report("compact-array", "array")
        elif typed[0] is not DataType.COMPACT_ARRAY:
            raise DecodeError(f"compact-array of {self.element.notation()}, not {label(typed)}")
        return _decode_all(self.element, typed, reading)

    def encode(self, value: Sequence[T]) -> Typed:
        """Return the typed compact-array; raises EncodeError where it is empty, or its elements are not of one type."""
        elements = _encode_all(self.element, value)
        if not elements:
            raise EncodeError("an empty compact-array has no description of its elements: send an array")
        return DataType.COMPACT_ARRAY, CompactArray(elements, describe(elements[0], DEFAULT_LIMITS.depth))


class StructureOf(Notation):
    """structure of as many elements as the object says at run time, such as a row of a profile.

    Reads natives; writes typed values.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name

    def tags(self) -> frozenset[DataType]:
        """Return the tag of structure."""
        return frozenset((DataType.STRUCTURE,))

    def definition(self) -> str:
        """Return the notation."""
        return "structure of any"

    def decode(self, typed: Typed, reading: Reading = STRICT) -> tuple[Any, ...]:
        """Return the native elements."""
        if typed[0] is not DataType.STRUCTURE:
            raise DecodeError(f"structure, not {label(typed)}")
        return tuple(map(native, typed[1]))

    def encode(self, value: Sequence[Any]) -> Typed:
        """Return the typed structure of typed elements; raises EncodeError."""
        return DataType.STRUCTURE, _encode_all(AnyData, value)


class AnyType(Notation):
    """Data of any type: reads natives, writes typed values ``(DataType, value)``.

    unverified: the tables do not know what stands here; read and written in the same way.
    """

    def __init__(self, unverified: bool = False) -> None:
        self.unverified = unverified

    def tags(self) -> frozenset[DataType]:
        """Return every tag."""
        return frozenset(DataType)

    def definition(self) -> str:
        """Return the notation."""
        return "unverified" if self.unverified else "any"

    def decode(self, typed: Typed, reading: Reading = STRICT) -> Any:
        """Return the native value."""
        return native(typed)

    def encode(self, value: Any) -> Typed:
        """Return the typed value that was given; raises EncodeError for anything else."""
        if not is_typed(value):
            raise EncodeError(f"{short(value)} has no type: give (DataType, value)")
        typed: Typed = value
        return typed


AnyData: Final = AnyType()
Unverified: Final = AnyType(unverified=True)


class Choice(Notation, Generic[T]):
    """CHOICE: one of several types, told apart by the tag.

    Alternatives may be given with their names (``none=NullData``). A simple type that is not listed is a deviation
    where all that are listed are simple. ``encode`` takes a Python value that fits exactly one alternative, or a typed
    value ``(DataType, value)`` that fits one.
    """

    def __init__(self, *alternatives: CosemType[Any], name: str = "", **named: CosemType[Any]) -> None:
        self.name = name
        self.alternatives = alternatives + tuple(named.values())
        self.names = ("",) * len(alternatives) + tuple(named)
        self.simple: bool = all(
            isinstance(one, Primitive) or (isinstance(one, Choice) and one.simple) for one in self.alternatives
        )

    def tags(self) -> frozenset[DataType]:
        """Return the tags of all alternatives."""
        return frozenset().union(*(one.tags() for one in self.alternatives))

    def definition(self) -> str:
        """Return the alternatives."""
        items = (
            f"{n}: {one.notation()}" if n else one.notation()
            for n, one in zip(self.names, self.alternatives, strict=True)
        )
        return f"CHOICE {{ {', '.join(items)} }}"

    def decode(self, typed: Typed, reading: Reading = STRICT) -> T:
        """Return the value of the alternative that it is; raises DecodeError where it is none."""
        failure: DecodeError | None = None
        seen = len(reading.deviations)
        for one in self.alternatives:
            if typed[0] in one.tags():
                try:
                    return cast(T, one.decode(typed, reading))
                except DecodeError as error:
                    failure = error
                    del reading.deviations[seen:]
        if failure is None:
            wanted = self.name or "one of " + ", ".join(one.notation() for one in self.alternatives)
            if not self.simple or typed[0] in CONTAINERS:
                raise DecodeError(f"{wanted}, not {label(typed)}")
            reading.report(wanted, label(typed))
            return cast(T, native(typed))
        raise failure

    def encode(self, value: T | Typed) -> Typed:
        """Return the typed value; raises EncodeError where it fits none or more than one alternative."""
        if is_typed(value):
            typed = cast(Typed, value)
            try:
                self.decode(typed)
            except DecodeError as error:
                raise EncodeError(f"{short(value)} is no {self.notation()}: {error.expected}") from None
            return typed
        found = []
        for one in self.alternatives:
            try:
                found.append(one.encode(value))
            except EncodeError:
                continue
        if len(found) != 1:
            tags = ", ".join(label(one) for one in found)
            raise EncodeError(
                f"{short(value)} is no {self.notation()}"
                if not found
                else f"{short(value)} could be {tags}: give (DataType, value)"
            )
        return found[0]
