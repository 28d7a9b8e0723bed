"""ASN.1 types as Python classes: the fields in the standard's order, encoder and decoder derived as the class is made.

::

    class GetRequestNormal(Sequence):
        invoke_id_and_priority: InvokeIdAndPriority
        cosem_attribute_descriptor: CosemAttributeDescriptor
        access_selection: SelectiveAccessDescriptor | None = None

    class GetRequest(Choice, tag=192):
        normal: GetRequestNormal = alternative(1)
        next: GetRequestNext = alternative(2)

An annotation says how a field stands in octets: a declared class; ``X | None`` for OPTIONAL; ``tuple[X, ...]`` for
SEQUENCE OF; an IntEnum for ENUMERATED; bool, Obis, EncodedData; or ``Annotated[python type, Wire]`` (the primitives
below). A :class:`Choice` of sequences has no objects of its own: its value is the alternative. ``alternatives(...)``
does the same for a CHOICE inside a sequence whose alternatives differ in their Python types; a :class:`TaggedChoice`
keeps the name of the alternative beside the value.

A top-level type (one with ``tag``, or an alternative of one) encodes and decodes with its tag octets.
"""

from __future__ import annotations

import sys
import types
import typing
from enum import IntEnum
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Self, dataclass_transform

from cosemic.codec import wire as w
from cosemic.codec.constructed import ByTypeWire, NullWire, SequenceWire, TaggedWire
from cosemic.codec.cursor import Cursor
from cosemic.codec.encoded import EncodedData
from cosemic.codec.encoder import UNFIT as UNWRITABLE
from cosemic.codec.generator import UNFIT, Reader, Writer
from cosemic.codec.limits import DEFAULT_LIMITS, Limits
from cosemic.codec.wire import Wire
from cosemic.errors import DecodeError, EncodeError
from cosemic.values import Obis

Unsigned8 = Annotated[int, w.Fixed("Unsigned8", "B")]
Unsigned16 = Annotated[int, w.Fixed("Unsigned16", "H")]
Unsigned32 = Annotated[int, w.Fixed("Unsigned32", "I")]
Integer8 = Annotated[int, w.Fixed("Integer8", "b")]
Integer16 = Annotated[int, w.Fixed("Integer16", "h")]
OctetString = Annotated[bytes, w.OctetString()]
RestOctets = Annotated[bytes, w.Rest()]
Null = Annotated[None, NullWire()]


def alternative(number: int) -> Any:
    """The tag number of an alternative of a CHOICE."""
    return _Alternative(number)


def alternatives(**by_name: tuple[int, Any]) -> Wire:
    """A CHOICE whose alternatives differ in their Python types: ``alternatives(data=(0, EncodedData), ...)``."""
    return ByTypeWire({name: (number, wire_of(kind)) for name, (number, kind) in by_name.items()})


class _Alternative:
    def __init__(self, number: int) -> None:
        self.number = number


def wire_of(annotation: Any) -> Wire:
    """Return how an annotation stands in octets; raises TypeError where it says nothing about that."""
    if typing.get_origin(annotation) is Annotated:
        for mark in annotation.__metadata__:
            if isinstance(mark, Wire):
                return mark
        return wire_of(annotation.__origin__)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(annotation) if part is not type(None)]
        if len(inner) == 1 and len(typing.get_args(annotation)) == 2:
            return w.Optional(wire_of(inner[0]))
    if typing.get_origin(annotation) is tuple:
        element, ellipsis = typing.get_args(annotation)
        if ellipsis is Ellipsis:
            return w.SequenceOf(wire_of(element))
    if isinstance(annotation, type):
        if isinstance(own := getattr(annotation, "wire", None), Wire):
            return own
        if issubclass(annotation, IntEnum):
            return w.enumerated(annotation)
        if annotation in _SIMPLE:
            return _SIMPLE[annotation]
    raise TypeError(f"{annotation!r} does not say how it stands in octets")


_SIMPLE: dict[type, Wire] = {bool: w.BOOLEAN, Obis: w.OBIS, EncodedData: w.DATA}


class Declared(type):
    """Makes a class out of a declaration: slots, constructor, equality, repr, encoder and decoder."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, tag: int | None = None
    ) -> Declared:
        if not bases:
            return super().__new__(mcs, name, bases, namespace)
        probe = types.new_class(name, (), exec_body=lambda ns: ns.update(_annotations(namespace)))
        module = vars(sys.modules[namespace["__module__"]])
        hints = typing.get_type_hints(probe, module, include_extras=True)
        defaults = {field: namespace.pop(field) for field in hints if field in namespace}
        return bases[0].__declare__(mcs, name, bases, namespace, hints, defaults, tag)  # type: ignore[attr-defined, no-any-return]  # every base declares


def _annotations(namespace: dict[str, Any]) -> dict[str, Any]:
    """The part of a class namespace that holds its annotations (PEP 649 keeps them in a function from 3.14 on)."""
    return {key: namespace[key] for key in ("__annotations__", "__annotate__", "__annotate_func__", "__module__")
            if key in namespace}  # fmt: skip


def _slotted(
    mcs: type,
    name: str,
    bases: tuple[type, ...],
    namespace: dict[str, Any],
    fields: list[str],
    defaults: dict[str, Any],
) -> Any:
    """Make the class with slots and an ``__init__`` for ``fields``."""
    namespace = {**namespace, "__slots__": tuple(fields), "__match_args__": tuple(fields), "__fields__": tuple(fields)}
    cls: Any = type.__new__(mcs, name, bases, namespace)
    scope: dict[str, Any] = {f"_{field}": value for field, value in defaults.items()}
    parameters = [f"{field}=_{field}" if field in defaults else field for field in fields]
    if defaults and any(f in defaults and g not in defaults for f, g in pairwise(fields)):
        raise TypeError(f"{name}: a field without default follows one with default")
    body = "".join(f"\n    self.{field} = {field}" for field in fields) or "\n    return"
    exec(f"def __init__({', '.join(['self', *parameters])}):{body}", scope)  # noqa: S102  # names of declared fields only
    cls.__init__ = scope["__init__"]
    return cls


@dataclass_transform(field_specifiers=(alternative,))
class Sequence(metaclass=Declared):
    """A SEQUENCE; its subclasses declare the fields."""

    __slots__ = ()
    __fields__: ClassVar[tuple[str, ...]] = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    wire: ClassVar[Any]
    prefix: ClassVar[bytes] = b""
    """Tag octets in front of the fields, where the type is a whole APDU."""
    _read_fast: ClassVar[Any]
    _write_fast: ClassVar[Any]

    @classmethod
    def __declare__(
        cls, mcs: type, name: str, bases: tuple[type, ...], namespace: dict[str, Any], hints: dict[str, Any],
        defaults: dict[str, Any], tag: int | None,
    ) -> Any:  # fmt: skip
        made = _slotted(mcs, name, bases, namespace, list(hints), defaults)
        made.wire = SequenceWire(made, {field: wire_of(hint) for field, hint in hints.items()})
        _derive(made, b"" if tag is None else bytes((tag,)))
        return made

    @classmethod
    def decode(cls, octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Decode exactly one value; raises DecodeError (offset, path, what was expected)."""
        octets = as_octets(octets, limits)
        if octets.startswith(cls.prefix):
            try:
                return cls._read_fast(octets, len(octets), limits)  # type: ignore[no-any-return]  # it makes one of cls
            except UNFIT:
                pass  # the plain reader below says what is wrong
        return cls._decode_plain(octets, limits)

    @classmethod
    def _decode_plain(cls, octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Decode with the plain reader only: same values, and the error messages."""
        cursor = Cursor(octets, limits, label(cls.__name__))
        for number in cls.prefix:
            if cursor.take(1, "a tag")[0] != number:
                raise cursor.error(f"the tag {number:02x}", cursor.position - 1)
        value = cls.wire.read(cursor)
        if cursor.position != len(octets):
            raise cursor.error(f"the end, not {len(octets) - cursor.position} more octets")
        return value  # type: ignore[no-any-return]  # made by the wire of this class

    def encode(self) -> bytes:
        """Encode; raises EncodeError when a field does not fit its type."""
        try:
            return self._write_fast()  # type: ignore[no-any-return]  # generated
        except UNWRITABLE as error:
            if isinstance(error, EncodeError):
                raise
            raise EncodeError(f"{label(type(self).__name__)}: {error}") from None

    def _encode_plain(self) -> bytes:
        """Encode with the plain writer: the same octets."""
        return self.prefix + bytes(self.wire.write(self))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in self.__fields__)

    __hash__ = None  # type: ignore[assignment]  # fields can be set

    def __repr__(self) -> str:
        fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in self.__fields__)
        return f"{type(self).__name__}({fields})"


def _derive(cls: Any, prefix: bytes) -> None:
    """Give a sequence its tag octets, and make its reader and writer with them."""
    cls.prefix = prefix
    reader = Reader(len(prefix), w.scope())
    expression = cls.wire.generate_read(reader)
    reader.line(f"if {reader.at()} != size: raise Unfit")
    reader.line(f"return {expression}")
    cls._read_fast = staticmethod(reader.function("read", "buf, size, limits"))
    writer = Writer(w.scope())
    for octet in prefix:
        writer.constant(octet)
    cls.wire.generate_write(writer, "self")
    writer.line(f"return {writer.sum()}")
    cls._write_fast = writer.function("write", "self")


class Choice(metaclass=Declared):
    """A CHOICE of sequences, each an APDU of its own; the value is the alternative."""

    __slots__ = ()
    tag: ClassVar[int]
    by_number: ClassVar[dict[int, Any]] = {}

    @classmethod
    def __declare__(
        cls, mcs: type, name: str, bases: tuple[type, ...], namespace: dict[str, Any], hints: dict[str, Any],
        defaults: dict[str, Any], tag: int | None,
    ) -> Any:  # fmt: skip
        made: Any = type.__new__(mcs, name, bases, {**namespace, "__slots__": ()})
        made.by_number = {defaults[field].number: kind for field, kind in hints.items()}
        made.names = {kind: field for field, kind in hints.items()}
        made.tag = tag
        for number, kind in made.by_number.items():
            _derive(kind, bytes((tag or 0, number)))
        for field, kind in hints.items():
            setattr(made, field, kind)
        return made

    @classmethod
    def decode(cls, octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
        """Decode one APDU: an object of the alternative's class; raises DecodeError."""
        octets = as_octets(octets, limits)
        path = label(cls.__name__)
        if len(octets) < 2:
            raise DecodeError("a tag and an alternative", len(octets), path)
        if octets[0] != cls.tag:
            raise DecodeError(f"the tag {cls.tag:02x}", 0, path)
        kind = cls.by_number.get(octets[1])
        if kind is None:
            known = ", ".join(f"{n:02x} {label(k.__name__)}" for n, k in cls.by_number.items())
            raise DecodeError(f"one of the alternatives {known}, not {octets[1]:02x}", 1, path)
        return kind.decode(octets, limits)


class TaggedChoice(metaclass=Declared):
    """A CHOICE whose alternatives share Python types: ``alternative`` names the one that ``value`` is."""

    __slots__ = ("alternative", "value")
    __match_args__ = ("alternative", "value")
    wire: ClassVar[Any]
    alternative: str
    value: Any

    def __init__(self, alternative: str, value: Any = None) -> None:
        self.alternative = alternative
        self.value = value

    @classmethod
    def __declare__(
        cls, mcs: type, name: str, bases: tuple[type, ...], namespace: dict[str, Any], hints: dict[str, Any],
        defaults: dict[str, Any], tag: int | None,
    ) -> Any:  # fmt: skip
        made: Any = type.__new__(mcs, name, bases, {**namespace, "__slots__": ()})
        made.wire = TaggedWire(made, {field: (defaults[field].number, wire_of(kind)) for field, kind in hints.items()})
        return made

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (self.alternative, self.value) == (other.alternative, other.value)

    __hash__ = None  # type: ignore[assignment]  # fields can be set

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.alternative!r}, {self.value!r})"


def as_octets(octets: bytes | bytearray | memoryview, limits: Limits) -> bytes:
    if len(octets) > limits.octets:
        raise DecodeError(f"no more than {limits.octets} octets", limits.octets)
    return octets if type(octets) is bytes else bytes(octets)


def label(name: str) -> str:
    """GetRequestNormal -> get-request-normal."""
    return "".join(
        "-" + c.lower() if c.isupper() and i and not name[i - 1].isupper() else c.lower() for i, c in enumerate(name)
    )
