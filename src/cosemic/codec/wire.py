"""How one ASN.1 type stands in A-XDR octets (IEC 61334-6), twice.

Each :class:`Wire` knows the plain way (:meth:`Wire.read`, :meth:`Wire.write`: slow, with the path of every field, the
source of all error messages) and how to write itself into a straight-line function
(:meth:`Wire.generate_read`, :meth:`Wire.generate_write`). Both give the same on every input; tests hold them together.

==========================  =====================================================
ASN.1                       octets
==========================  =====================================================
Unsigned8 ... Integer32     1, 2, 4 octets
BOOLEAN, ENUMERATED         1 octet
OCTET STRING                length, octets; fixed size: octets
SEQUENCE                    its fields
SEQUENCE OF                 count, elements
OPTIONAL                    00 absent, 01 value
DEFAULT                     00 the default, 01 value
CHOICE                      tag number of the alternative, value
Data                        tag, value
==========================  =====================================================
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from typing import Any, Final

from cosemic.codec.cursor import Cursor as Cursor
from cosemic.codec.data_type import TOTAL
from cosemic.codec.encoded import EncodedData, scan_counted
from cosemic.codec.generator import Reader, Unfit, Writer
from cosemic.codec.length import encode_length, long_length
from cosemic.errors import EncodeError
from cosemic.values import Obis


def scope() -> dict[str, Any]:
    """Names that every straight-line function may use."""
    return {
        "TOTAL": TOTAL,
        "Unfit": Unfit,
        "length": encode_length,
        "long_length": long_length,
        "scan": scan_counted,
    }


class Wire(ABC):
    """One ASN.1 type in A-XDR."""

    python: tuple[type, ...] = ()
    """Types of the values, where alternatives of a CHOICE are told apart by them."""

    @abstractmethod
    def read(self, cursor: Cursor) -> Any:
        """Read one value the plain way; raises DecodeError."""

    @abstractmethod
    def write(self, value: Any) -> bytes:
        """Encode one value the plain way; raises EncodeError, struct.error, TypeError or AttributeError."""

    @abstractmethod
    def generate_read(self, to: Reader) -> str:
        """Add the lines that read one value; returns the expression of it, valid after a flush."""

    @abstractmethod
    def generate_write(self, to: Writer, value: str) -> None:
        """Add the terms that write the value of an expression."""


class Fixed(Wire):
    """A number or octets of fixed size, or what a table or function makes of them."""

    def __init__(
        self,
        what: str,
        format: str,
        *,
        table: Sequence[Any] | None = None,
        make: Callable[[Any], Any] | None = None,
        python: type = int,
    ) -> None:
        self.what = what
        self.python = (python,)
        self._format = format
        # A boolean is packed as the number that it is: the format "?" would make TRUE of any text.
        self._pack_format = format.replace("?", "B")
        self._struct = struct.Struct(">" + format)
        self._table = table
        self._make = make

    def read(self, cursor: Cursor) -> Any:
        start = cursor.position
        (value,) = self._struct.unpack(cursor.take(self._struct.size, self.what))
        if self._table is not None:
            return self._table[value]
        with cursor.located(start):
            return value if self._make is None else self._make(value)

    def write(self, value: Any) -> bytes:
        if self._format.endswith("s"):
            self._sized(value)
        return struct.pack(">" + self._pack_format, value)

    def _sized(self, value: Any) -> Any:
        # struct cuts and fills up octets silently.
        if len(value) != self._struct.size:
            raise EncodeError(f"{self.what} has {self._struct.size} octets, not {len(value)}")
        return value

    def generate_read(self, to: Reader) -> str:
        variable = to.fixed(self._format)
        if self._table is not None:
            return f"{to.name('table', self._table)}[{variable}]"
        return variable if self._make is None else f"{to.name('make', self._make)}({variable})"

    def generate_write(self, to: Writer, value: str) -> None:
        if self._format.endswith("s"):
            value = f"({value} if len({value}) == {self._struct.size} else {to.name('sized', self._sized)}({value}))"
        to.fixed(self._pack_format, value)


def enumerated(kind: type[IntEnum]) -> Fixed:
    """ENUMERATED: one octet; a number without a name stays an int."""
    table = [kind._value2member_map_.get(octet, octet) for octet in range(256)]
    return Fixed(kind.__name__, "B", table=table)


def _obis() -> Fixed:
    # The six octets were counted by the format already, so Obis need not check them again.
    return Fixed("Cosem-Object-Instance-Id", "6s", make=partial(bytes.__new__, Obis), python=Obis)


class OctetString(Wire):
    """OCTET STRING of variable size, or of ``size`` octets."""

    python = (bytes,)

    def __init__(self, size: int | None = None) -> None:
        self.size = size

    def read(self, cursor: Cursor) -> bytes:
        count = cursor.length() if self.size is None else self.size
        return cursor.take(count, "an octet string")

    def write(self, value: bytes) -> bytes:
        if self.size is not None:
            if len(value) != self.size:
                raise EncodeError(f"an octet string of {self.size} octets, not {len(value)}")
            return value + b""
        return encode_length(len(value)) + value

    def generate_read(self, to: Reader) -> str:
        if self.size is not None:
            return to.fixed(f"{self.size}s")
        return to.octets(to.count())

    def generate_write(self, to: Writer, value: str) -> None:
        if self.size is not None:
            to.term(f"{to.name('write', self.write)}({value})")
        else:
            to.term(f"length(len({value}))")
            to.term(value)


class Rest(Wire):
    """Everything up to the end of the APDU."""

    python = (bytes,)

    def read(self, cursor: Cursor) -> bytes:
        return cursor.take(len(cursor.buffer) - cursor.position, "the rest")

    def write(self, value: bytes) -> bytes:
        return value + b""

    def generate_read(self, to: Reader) -> str:
        at = to.at()
        to.line(f"if {at} > size: raise Unfit")
        to.line("end = size")
        return to.upto_end(at)

    def generate_write(self, to: Writer, value: str) -> None:
        to.term(value)


class DataWire(Wire):
    """Data: kept encoded, its extent checked."""

    python = (EncodedData,)

    def read(self, cursor: Cursor) -> EncodedData:
        with cursor.located():
            end, cursor.nodes = scan_counted(cursor.buffer, cursor.position, cursor.limits, cursor.nodes)
        return EncodedData(cursor.take(end - cursor.position, "Data"))

    def write(self, value: EncodedData) -> bytes:
        return value.octets + b""

    def generate_read(self, to: Reader) -> str:
        to.counts_nodes()
        at = to.at()
        to.line(f"end = TOTAL[buf[{at}]]")
        to.line(f"if end: end += {at}")
        to.line(f"else: end, nodes = scan(buf, {at}, limits, nodes)")
        variable = to.name("d")
        to.line(f"{variable} = {to.made(EncodedData)}")
        to.line(f"{variable}.octets = {to.upto_end(at)}")
        return variable

    def generate_write(self, to: Writer, value: str) -> None:
        to.term(f"{value}.octets")


class Default(Wire):
    """DEFAULT: 00 the default value, 01 and the value."""

    def __init__(self, inner: Wire, default: bool | int | None) -> None:
        self.inner = inner
        self.default = default
        self._is_default = f"is {default}" if default is None else f"== {default!r}"

    def read(self, cursor: Cursor) -> Any:
        flag = cursor.take(1, "a presence flag")[0]
        if flag > 1:
            raise cursor.error(f"00 (absent) or 01 (a value follows), not {flag:02x}", cursor.position - 1)
        return self.inner.read(cursor) if flag else self.default

    def write(self, value: Any) -> bytes:
        absent = value is None if self.default is None else value == self.default
        return b"\x00" if absent else b"\x01" + self.inner.write(value)

    def generate_read(self, to: Reader) -> str:
        flag = to.fixed("B")
        variable = to.name("v")
        with to.branch(f"if {flag} == 0:"):
            to.line(f"{variable} = {self.default!r}")
        with to.branch(f"elif {flag} == 1:"):
            expression = self.inner.generate_read(to)
            to.settle()
            to.line(f"{variable} = {expression}")
        to.line("else: raise Unfit")
        to.moved()
        return variable

    def generate_write(self, to: Writer, value: str) -> None:
        to.term(f"(b'\\x00' if {value} {self._is_default} else b'\\x01' + {to.apart(self.inner, value)})")


class Optional(Default):
    """OPTIONAL: 00 absent (None), 01 and the value."""

    def __init__(self, inner: Wire) -> None:
        super().__init__(inner, None)


def generate_read_of_flagged(to: Reader, fields: list[Default]) -> list[str]:
    """Read OPTIONAL and DEFAULT fields that stand side by side: mostly all of them are absent."""
    variables = [to.name("v") for _ in fields]
    at, count = to.at(), len(fields)
    with to.branch(f"if buf[{at} : {at} + {count}] == {bytes(count)!r}:"):
        to.line(f"{', '.join(variables)} = {', '.join(repr(field.default) for field in fields)}")
        to.skip(count)
    with to.branch("else:"):
        for variable, field in zip(variables, fields, strict=True):
            to.line(f"{variable} = {field.generate_read(to)}")
    to.moved()
    return variables


class SequenceOf(Wire):
    """SEQUENCE OF: count and elements, as a tuple."""

    python = (tuple,)

    def __init__(self, inner: Wire) -> None:
        self.inner = inner

    def read(self, cursor: Cursor) -> tuple[Any, ...]:
        count = cursor.length()
        left = len(cursor.buffer) - cursor.position
        if count > left:
            raise cursor.error(f"{count} elements in the {left} octets that are left")
        if count > cursor.nodes:
            raise cursor.error(f"no more than {cursor.nodes} elements")
        cursor.nodes -= count
        found = []
        for index in range(count):
            cursor.path.append(f"[{index}]")
            found.append(self.inner.read(cursor))
            cursor.path.pop()
        return tuple(found)

    def write(self, value: tuple[Any, ...]) -> bytes:
        return encode_length(len(value)) + b"".join(map(self.inner.write, value))

    def generate_read(self, to: Reader) -> str:
        count = to.count()
        found = to.name("v")
        to.counts_nodes()
        to.line(f"nodes -= {count}")
        to.line(f"if {count} > size - p or nodes < 0: raise Unfit")
        to.line(f"{found} = []")
        with to.branch(f"for _ in range({count}):"):
            expression = self.inner.generate_read(to)
            to.settle()
            to.line(f"{found}.append({expression})")
        return f"tuple({found})"

    def generate_write(self, to: Writer, value: str) -> None:
        item = to.name("i")
        to.term(f"length(len({value}))")
        to.term(f"b''.join([{to.apart(self.inner, item)} for {item} in {value}])")


class Hook(Wire):
    """A form that no declaration derives: two named functions.

    ``read(buffer, position) -> (value, position)`` raises DecodeError; ``write(value) -> octets``. ``seen`` may hold
    immutable values of octets that were read before, all of ``size`` octets.
    """

    def __init__(
        self,
        read: Callable[[bytes, int], tuple[Any, int]],
        write: Callable[[Any], bytes],
        python: type = object,
        *,
        seen: dict[bytes, Any] | None = None,
        size: int = 0,
    ) -> None:
        self._read = read
        self._write = write
        self.python = (python,)
        self._seen = seen
        self._size = size

    def read(self, cursor: Cursor) -> Any:
        with cursor.located():
            value, cursor.position = self._read(cursor.buffer, cursor.position)
        return value

    def write(self, value: Any) -> bytes:
        return self._write(value)

    def generate_read(self, to: Reader) -> str:
        variable = to.name("v")
        if self._seen is None:
            to.line(f"{variable}, p = {to.name('hook', self._read)}(buf, {to.at()})")
        else:
            to.settle()
            to.line(f"{variable} = {to.name('seen', self._seen)}.get(buf[p : p + {self._size}])")
            to.line(f"if {variable} is None: {variable}, p = {to.name('hook', self._read)}(buf, p)")
            to.line(f"else: p += {self._size}")
        to.moved()
        return variable

    def generate_write(self, to: Writer, value: str) -> None:
        to.term(f"{to.name('hook', self._write)}({value})")


BOOLEAN: Final = Fixed("BOOLEAN", "?", python=bool)
OBIS: Final = _obis()
DATA: Final = DataWire()
