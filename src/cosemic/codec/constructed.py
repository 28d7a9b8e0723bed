"""SEQUENCE, CHOICE and NULL in A-XDR (IEC 61334-6): the wires that declared classes are made of.

::

    SEQUENCE    its fields, one after the other
    CHOICE      tag number of the alternative, value
    NULL        nothing
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, cast

from cosemic.codec.cursor import Cursor
from cosemic.codec.generator import Reader, Writer
from cosemic.codec.wire import Default, Wire, generate_read_of_flagged
from cosemic.errors import EncodeError


class SequenceWire(Wire):
    """The fields of a declared sequence, one after the other."""

    def __init__(self, cls: type[Any], fields: dict[str, Wire]) -> None:
        self.cls = cls
        self.fields = fields
        self.python = (cls,)

    def read(self, cursor: Cursor) -> Any:
        value = object.__new__(self.cls)
        for name, field in self.fields.items():
            cursor.path.append(name)
            setattr(value, name, field.read(cursor))
            cursor.path.pop()
        return value

    def write(self, value: Any) -> bytes:
        return b"".join(field.write(getattr(value, name)) for name, field in self.fields.items())

    def generate_read(self, to: Reader) -> str:
        expressions: list[str] = []
        for flagged, run in groupby(self.fields.values(), lambda field: isinstance(field, Default)):
            fields = list(run)
            if flagged and len(fields) > 1:
                expressions += generate_read_of_flagged(to, cast(list[Default], fields))
            else:
                expressions += (field.generate_read(to) for field in fields)
        to.at()
        variable = to.name("o")
        to.line(f"{variable} = {to.made(self.cls)}")
        for name, expression in zip(self.fields, expressions, strict=True):
            to.line(f"{variable}.{name} = {expression}")
        return variable

    def generate_write(self, to: Writer, value: str) -> None:
        for name, field in self.fields.items():
            field.generate_write(to, f"{value}.{name}")


class ChoiceWire(Wire):
    """Alternatives told apart by their tag number."""

    def __init__(self, by_name: dict[str, tuple[int, Wire]]) -> None:
        self.by_name = by_name

    def _read_alternative(self, cursor: Cursor) -> tuple[str, Any]:
        tag = cursor.take(1, "the tag of an alternative")[0]
        for name, (number, wire) in self.by_name.items():
            if tag == number:
                cursor.path.append(name)
                value = wire.read(cursor)
                cursor.path.pop()
                return name, value
        known = ", ".join(f"{number:02x} {name}" for name, (number, _) in self.by_name.items())
        raise cursor.error(f"one of the alternatives {known}, not {tag:02x}", cursor.position - 1)

    def generate_read(self, to: Reader) -> str:
        tag = to.fixed("B")
        variable = to.name("v")
        word = "if"
        for name, (number, wire) in self.by_name.items():
            with to.branch(f"{word} {tag} == {number}:"):
                expression = wire.generate_read(to)
                to.settle()
                to.line(f"{variable} = {self._made(to, name, expression)}")
            word = "elif"
        to.line("else: raise Unfit")
        to.moved()
        return variable

    def _made(self, to: Reader, name: str, expression: str) -> str:
        return expression


class ByTypeWire(ChoiceWire):
    """A CHOICE without objects of its own: the Python type of the value tells the alternative."""

    def __init__(self, by_name: dict[str, tuple[int, Wire]]) -> None:
        super().__init__(by_name)
        self.python = tuple(kind for _, wire in by_name.values() for kind in wire.python)

    def read(self, cursor: Cursor) -> Any:
        return self._read_alternative(cursor)[1]

    def _find(self, value: object) -> tuple[int, Wire]:
        for number, wire in self.by_name.values():
            if isinstance(value, wire.python):
                return number, wire
        raise EncodeError(f"{type(value).__name__} is no alternative of {', '.join(self.by_name)}")

    def name_of(self, value: object) -> str:
        """Name of the alternative that a value is."""
        for name, (_, wire) in self.by_name.items():
            if isinstance(value, wire.python):
                return name
        raise EncodeError(f"{type(value).__name__} is no alternative of {', '.join(self.by_name)}")

    def write(self, value: Any) -> bytes:
        number, wire = self._find(value)
        return bytes((number,)) + wire.write(value)

    def generate_write(self, to: Writer, value: str) -> None:
        cases = []
        for number, wire in self.by_name.values():
            kind = to.name("Kind", wire.python)
            cases.append(f"{bytes((number,))!r} + {to.apart(wire, value)} if isinstance({value}, {kind})")
        to.term(f"({' else '.join(cases)} else {to.name('write', self.write)}({value}))")


class TaggedWire(ChoiceWire):
    """A CHOICE whose value is a TaggedChoice."""

    def __init__(self, cls: type[Any], by_name: dict[str, tuple[int, Wire]]) -> None:
        super().__init__(by_name)
        self.cls = cls
        self.python = (cls,)

    def read(self, cursor: Cursor) -> Any:
        return self.cls(*self._read_alternative(cursor))

    def write(self, value: Any) -> bytes:
        try:
            number, wire = self.by_name[value.alternative]
        except KeyError:
            raise EncodeError(f"{value.alternative!r} is no alternative of {', '.join(self.by_name)}") from None
        return bytes((number,)) + wire.write(value.value)

    def _made(self, to: Reader, name: str, expression: str) -> str:
        return f"{to.name('Class', self.cls)}({name!r}, {expression})"

    def generate_write(self, to: Writer, value: str) -> None:
        cases = [
            f"{bytes((number,))!r} + {to.apart(wire, f'{value}.value')} if {value}.alternative == {name!r}"
            for name, (number, wire) in self.by_name.items()
        ]
        to.term(f"({' else '.join(cases)} else {to.name('write', self.write)}({value}))")


class NullWire(Wire):
    """NULL: no octets."""

    python = (type(None),)

    def read(self, cursor: Cursor) -> None:
        return None

    def write(self, value: None) -> bytes:
        return b""

    def generate_read(self, to: Reader) -> str:
        return "None"

    def generate_write(self, to: Writer, value: str) -> None:
        return None
