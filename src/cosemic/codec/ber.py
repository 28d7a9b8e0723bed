"""BER, as far as ACSE needs it (ISO/IEC 8825-1; IEC 62056-5-3, ACSE-1 module).

::

    60 len { tag len contents }    tag: context 80..9E primitive, A0..BE constructed; definite lengths only
    [n] EXPLICIT                   A0+n len inner-tag inner-len contents
    [n] IMPLICIT                   80+n len contents

A :class:`BerSequence` declares its fields with :func:`tagged`; they are written in the declared order and read in any.
As in A-XDR there are two readers: a straight-line one for fields in the declared order with lengths of one octet, and
the plain one for everything else and for the error messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, dataclass_transform

from cosemic.codec.declared import as_octets, label
from cosemic.codec.encoder import UNFIT as UNWRITABLE
from cosemic.codec.generator import UNFIT, Generator, Unfit
from cosemic.codec.length import encode_length, read_length
from cosemic.codec.limits import DEFAULT_LIMITS, Limits
from cosemic.errors import DecodeError, EncodeError
from cosemic.values import BitString

_LONGEST_IDENTIFIER: Final = 64
"""Octets of an OBJECT IDENTIFIER; an arc without bounds would cost more to print than to send."""


class ObjectIdentifier(bytes):
    """The contents octets of an OBJECT IDENTIFIER; ``str()`` gives the dotted numbers."""

    __slots__ = ()

    def __str__(self) -> str:
        arcs: list[int] = []
        number = 0
        for octet in self:
            number = number << 7 | octet & 0x7F
            if octet < 0x80:
                arcs.append(number)
                number = 0
        if not arcs:
            return ""
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))

    def __repr__(self) -> str:
        return f"ObjectIdentifier({self})"


@dataclass(frozen=True, slots=True)
class Form:
    """How the contents of one tag are read and written.

    known: contents that are met most, all of one length, and their values, which must be immutable.
    octets_in: where the form is an OCTET STRING behind a tag of its own, that tag and what makes the
        value of its octets.
    """

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    known: dict[bytes, Any] = field(default_factory=dict)
    octets_in: tuple[int, Callable[[bytes], Any] | None] | None = None

    def knowing(self, values: Iterable[Any]) -> Form:
        """Return the same form with these values known."""
        known = {self.write(value): value for value in values}
        length = len(next(iter(known)))
        return Form(self.read, self.write, {octets: v for octets, v in known.items() if len(octets) == length})


def _read_octet_string(contents: bytes) -> bytes:
    return contents


def _write_octet_string(value: bytes) -> bytes:
    return value + b""


def _read_integer(contents: bytes) -> int:
    if not 1 <= len(contents) <= 8:
        raise DecodeError(f"an INTEGER of one to eight octets, not {len(contents)}")
    # One octet from 80 to FF is an unsigned id of a sender that left out the leading 00.
    return int.from_bytes(contents, "big", signed=len(contents) > 1)


def _write_integer(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + (2 if -0x80 <= value < 0 else 1), "big", signed=True)


def _read_object_identifier(contents: bytes) -> ObjectIdentifier:
    if not contents or contents[-1] & 0x80:
        raise DecodeError("a complete OBJECT IDENTIFIER", len(contents))
    if len(contents) > _LONGEST_IDENTIFIER:
        raise DecodeError(f"an OBJECT IDENTIFIER of at most {_LONGEST_IDENTIFIER} octets", _LONGEST_IDENTIFIER)
    return ObjectIdentifier(contents)


def _write_object_identifier(value: ObjectIdentifier) -> bytes:
    try:
        return _read_object_identifier(value) + b""
    except DecodeError as error:
        raise EncodeError(error.expected) from None


def _read_bit_string(contents: bytes) -> BitString:
    if not contents or contents[0] > 7 or (len(contents) == 1 and contents[0]):
        raise DecodeError("a BIT STRING: number of unused bits, octets")
    return BitString.from_octets(contents[1:], 8 * (len(contents) - 1) - contents[0])


def _write_bit_string(value: str) -> bytes:
    return bytes((-len(value) % 8,)) + BitString(value).octets


OCTETS: Final = Form(_read_octet_string, _write_octet_string)
INTEGER: Final = Form(_read_integer, _write_integer)
OBJECT_IDENTIFIER: Final = Form(_read_object_identifier, _write_object_identifier)
BIT_STRING: Final = Form(_read_bit_string, _write_bit_string)
GRAPHIC_STRING: Final = Form(lambda contents: contents.decode("latin-1"), lambda value: bytes(value.encode("latin-1")))


def explicit(tag: int, inner: Form) -> Form:
    """[n] EXPLICIT: one value with a tag of its own, and nothing behind it."""
    head = bytes((tag,))

    def read(contents: bytes) -> Any:
        if contents[:1] != head:
            raise DecodeError(f"the tag {tag:02x}, not {contents[:1].hex() or 'the end'}")
        length, start = read_length(contents, 1)
        if start + length != len(contents):
            raise DecodeError(f"{length} octets, not {len(contents) - start}", min(start + length, len(contents)))
        try:
            return inner.read(contents[start:])
        except DecodeError as error:
            raise error.within("", start) from None

    def write(value: Any) -> bytes:
        octets = inner.write(value)
        return head + encode_length(len(octets)) + octets

    known = {head + encode_length(len(contents)) + contents: value for contents, value in inner.known.items()}
    return Form(read, write, known, (tag, None) if inner is OCTETS else None)


def one_of(by_tag: dict[int, Form], make: Callable[[int, Any], Any], split: Callable[[Any], tuple[int, Any]]) -> Form:
    """[n] EXPLICIT in front of a CHOICE: ``make(tag, value)`` builds the value, ``split(value)`` takes it apart."""
    forms = {tag: explicit(tag, form) for tag, form in by_tag.items()}

    def read(contents: bytes) -> Any:
        form = forms.get(contents[0]) if contents else None
        if form is None:
            raise DecodeError(f"one of the tags {', '.join(f'{tag:02x}' for tag in by_tag)}")
        return make(contents[0], form.read(contents))

    def write(value: Any) -> bytes:
        tag, inner = split(value)
        return forms[tag].write(inner)

    known = {octets: make(tag, value) for tag, form in forms.items() for octets, value in form.known.items()}
    return Form(read, write, known)


_REQUIRED: Final = object()


def tagged(tag: int, form: Form, *, also: tuple[int, Form] | None = None, default: Any = _REQUIRED) -> Any:
    """A field with its tag octet, optional where it has a ``default`` (None: it is absent).

    ``also`` is a second tag octet under which it is read, and the form behind it.
    """
    return _Tagged(tag, form, also, default is None)


@dataclass(frozen=True, slots=True)
class _Tagged:
    tag: int
    form: Form
    also: tuple[int, Form] | None
    optional: bool


def _runs(marks: dict[str, _Tagged]) -> list[list[tuple[str, _Tagged]]]:
    """The fields, with neighbours together that are optional and have consecutive tags."""
    runs: list[list[tuple[str, _Tagged]]] = []
    for name, mark in marks.items():
        before = runs[-1][-1][1] if runs else None
        if before is not None and before.optional and mark.optional and mark.tag == before.tag + 1:
            runs[-1].append((name, mark))
        else:
            runs.append([(name, mark)])
    return runs


def _straight_pair(to: Generator, one: tuple[str, _Tagged], other: tuple[str, _Tagged]) -> None:
    """Add the lines that read two fields, both at once where they hold what is met most."""
    (name, mark), (following, after) = one, other
    pairs = {
        first + second: (value, last)
        for first, value in _with_header(mark).items()
        for second, last in _with_header(after).items()
    }
    length = len(next(iter(pairs)))
    to.line(f"if tag == {mark.tag} and (pair := {to.name('pairs', pairs)}.get(buf[p : p + {length}])) is not None:")
    to.indent += 1
    to.line(f"o.{name}, o.{following} = pair")
    to.line(f"p += {length}")
    to.line("tag = buf[p] if p < size else 0")
    to.indent -= 1
    to.line("else:")
    to.indent += 1
    _straight_field(to, *one)
    _straight_field(to, *other)
    to.indent -= 1


def _with_header(mark: _Tagged) -> dict[bytes, Any]:
    """The known contents of a field behind their tag and length."""
    return {bytes((mark.tag, len(contents))) + contents: value for contents, value in mark.form.known.items()}


def _straight_field(to: Generator, name: str, mark: _Tagged) -> None:
    """Add the lines that read one field where its tag stands; a KeyError leaves rare forms to the plain reader."""
    form = mark.form
    to.line(f"if tag == {mark.tag}:")
    to.indent += 1
    if form.known:
        known = _with_header(mark)
        length = len(next(iter(known)))
        to.line(f"o.{name} = {to.name('known', known)}[buf[p : p + {length}]]")
        to.line(f"p += {length}")
    elif form.octets_in is not None:
        inner, make = form.octets_in
        ends = {bytes((mark.tag, n, inner, n - 2)): n + 2 for n in range(2, 128)}
        to.line(f"end = p + {to.name('ends', ends)}[buf[p : p + 4]]")
        to.line(f"o.{name} = {to.name('make', make) if make else ''}(buf[p + 4 : end])")
        to.line("p = end")
    else:
        to.line("n = buf[p + 1]")
        to.line("if n > 127: raise Unfit")
        to.line("end = p + 2 + n")
        to.line(f"o.{name} = {to.name('read', form.read)}(buf[p + 2 : end])")
        to.line("p = end")
    to.line("tag = buf[p] if p < size else 0")
    to.indent -= 1
    if not mark.optional:
        to.line("else: raise Unfit")


def _straight_line(cls: Any, marks: dict[str, _Tagged]) -> Any:
    """Make ``read(buf, size, limits)``: fields in the declared order, all lengths but the first of one octet."""
    to = Generator({"Unfit": Unfit})
    to.line("if buf[1] == size - 2 and size < 130: p = 2")
    to.line("elif buf[1] == 129 and buf[2] == size - 3: p = 3")
    to.line("else: raise Unfit")
    to.line(f"o = {to.made(cls)}")
    to.line("tag = buf[p] if p < size else 0")
    for run in _runs(marks):
        if len(run) > 2:
            # Most of these are absent: one question for all.
            to.line(f"if {run[0][1].tag} <= tag <= {run[-1][1].tag}:")
            to.indent += 1
        at = 0
        while at < len(run):
            pair = run[at : at + 2]
            if len(pair) == 2 and all(mark.form.known for _, mark in pair):
                _straight_pair(to, *pair)
                at += 2
            else:
                _straight_field(to, *run[at])
                at += 1
        to.indent = 1
    to.line("if p != size: raise Unfit")
    to.line("return o")
    return to.function("read", "buf, size, limits")


@dataclass_transform(kw_only_default=True, field_specifiers=(tagged,))
class _Declared(type):
    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, tag: int | None = None
    ) -> _Declared:
        marks = {key: mark for key, mark in namespace.items() if isinstance(mark, _Tagged)}
        rest = {key: value for key, value in namespace.items() if key not in marks}
        if not bases:
            return super().__new__(mcs, name, bases, rest)
        names = tuple(marks)
        made: Any = super().__new__(
            mcs, name, bases, {**rest, "__slots__": names, "__fields__": names, "__match_args__": names}
        )
        made.tag = tag
        made._marks = marks
        made._writers = tuple((key, bytes((mark.tag,)), mark.form.write, mark.optional) for key, mark in marks.items())
        made._readers = {}
        for key, mark in marks.items():
            made._readers[mark.tag] = (key, mark.form.read)
            if mark.also is not None:
                made._readers[mark.also[0]] = (key, mark.also[1].read)
        made._read_fast = staticmethod(_straight_line(made, marks))
        return made  # type: ignore[no-any-return]  # made above


class BerSequence(metaclass=_Declared):
    """A SEQUENCE (or SET) with a tag of its own, in BER."""

    __slots__ = ()
    __fields__: ClassVar[tuple[str, ...]] = ()
    tag: ClassVar[int]
    _marks: ClassVar[dict[str, _Tagged]]
    _readers: ClassVar[dict[int, tuple[str, Callable[[bytes], Any]]]]
    _read_fast: ClassVar[Any]
    _writers: ClassVar[tuple[tuple[str, bytes, Callable[[Any], bytes], bool], ...]]

    def __init__(self, **fields: Any) -> None:
        take = fields.pop
        for name in self.__fields__:
            setattr(self, name, take(name, None))
        if fields:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(fields)}")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> None:
            # A slot that the straight-line reader has not filled: most fields of most APDUs are absent.
            if name not in self.__fields__:
                raise AttributeError(f"{type(self).__name__} has no field {name}")

    @classmethod
    def decode(cls, octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Decode exactly one value; raises DecodeError (offset, path, what was expected)."""
        octets = as_octets(octets, limits)
        if octets[:1] == bytes((cls.tag,)):
            try:
                return cls._read_fast(octets, len(octets), limits)  # type: ignore[no-any-return]  # it makes one of cls
            except (*UNFIT, KeyError):
                pass  # the plain reader below reads it, or says what is wrong
        return cls._decode_plain(octets, limits)

    @classmethod
    def _decode_plain(cls, octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Decode with the plain reader only: fields in any order, lengths in any form, and the error messages."""
        path = label(cls.__name__)
        if octets[:1] != bytes((cls.tag,)):
            raise DecodeError(f"the tag {cls.tag:02x}", 0, path)
        position, size = 0, len(octets)
        found: dict[str, Any] = {}
        try:
            length, position = read_length(octets, 1)
            if position + length != size:
                end = min(size, position + length)
                raise DecodeError(f"{length} octets as the length says, not {size - position}", end)
            while position < size:
                tag = octets[position]
                if tag not in cls._readers:
                    raise DecodeError(f"a field of {path}, not the tag {tag:02x}", position)
                name, read = cls._readers[tag]
                if name in found:
                    raise DecodeError(f"the field {name} once", position)
                length, start = read_length(octets, position + 1)
                position = start + length
                if position > size:
                    raise DecodeError(f"{length} octets of {name}, {size - start} are left", size)
                try:
                    found[name] = read(octets[start:position])
                except DecodeError as error:
                    raise error.within(name, start) from None
            for name, mark in cls._marks.items():
                if not mark.optional and name not in found:
                    raise DecodeError(f"the field {name}", size)
        except DecodeError as error:
            raise error.within(path) from None
        return cls(**found)

    def encode(self) -> bytes:
        """Encode in the declared order; raises EncodeError when a field does not fit its type."""
        parts: list[bytes] = []
        for name, head, write, optional in self._writers:
            value = getattr(self, name)
            if value is None:
                if not optional:
                    raise EncodeError(f"{label(type(self).__name__)} needs {name}")
                continue
            try:
                octets = write(value)
            except UNWRITABLE as error:
                raise EncodeError(f"{label(type(self).__name__)}.{name}: {error}") from None
            parts += (head, encode_length(len(octets)), octets)
        body = b"".join(parts)
        return bytes((self.tag,)) + encode_length(len(body)) + body

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in self.__fields__)

    __hash__ = None  # type: ignore[assignment]  # fields can be set

    def __repr__(self) -> str:
        given = ((field, getattr(self, field)) for field in self.__fields__)
        return f"{type(self).__name__}({', '.join(f'{f}={v!r}' for f, v in given if v is not None)})"
