"""Arrays whose elements all have the octets of one shape, as load profiles have.

The first element is learnt: which of its octets are constant (tags, counts, lengths) and which hold values. When the
constant octets of all elements agree, one ``struct`` or NumPy pass yields all values; where they differ, the plain
decoder of :mod:`cosemic.codec.data` gives the same result, only slower.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, Final

from cosemic.codec.data_type import FIXED_FORMAT, TOTAL, DataType
from cosemic.codec.typed import DONT_CARE
from cosemic.values import BitString, Date, DateTime, Time

MOST_HEADERS: Final = 256
"""An element with more octets of tags, counts and lengths than this is left to the plain decoder."""

DEEPEST: Final = 16
"""An element that nests more containers than this is left to the plain decoder."""

LEAST_ELEMENTS: Final = 8
"""Below this number of elements learning a shape does not pay."""

LEAST_FOR_NUMPY: Final = 50
"""Below this number of elements NumPy does not pay."""

LEAST_FOR_WORDS: Final = 1500
"""Below this number of elements NumPy is no faster than slices in comparing the constant octets."""

_NUMPY_FORMAT: Final = {"?": "u1", "b": "i1", "B": "u1", "h": ">i2", "H": ">u2", "i": ">i4", "I": ">u4", "q": ">i8",
                        "Q": ">u8", "f": ">f4", "d": ">f8"}  # fmt: skip
_NULL: Final = -1
_DONT_CARE: Final = -2
_WORD: Final = 8


@cache
def numpy() -> Any:
    """Return the NumPy module, or None where it is not installed."""
    try:
        import numpy as np
    except ImportError:
        return None
    return np


@dataclass(frozen=True, slots=True)
class Field:
    """One value of an element: its octets start at ``offset``; ``bits`` only of a bit-string."""

    type: DataType
    offset: int
    size: int
    bits: int = 0

    @property
    def format(self) -> str:
        """``struct`` format of the value."""
        return FIXED_FORMAT.get(self.type) or f"{self.size}s"

    @property
    def convert(self) -> Callable[[bytes], Any] | None:
        """What makes the native of the unpacked octets; None where they are the native."""
        match self.type:
            case DataType.VISIBLE_STRING:
                return _text
            case DataType.BIT_STRING:
                return lambda octets: BitString.from_octets(octets, self.bits)
            case DataType.DATE_TIME:
                return DateTime
            case DataType.DATE:
                return Date
            case DataType.TIME:
                return Time
        return None


def _text(octets: bytes) -> str:
    return octets.decode("latin-1")


@dataclass(frozen=True)
class Shape:
    """Where the values of an element stand, and which octets around them never change.

    constants: (offset, octet) of each octet that is the same in all elements.
    fields: the values in order.
    template: how they nest: a field number, -1 for null-data, -2 for dont-care, or a pair of container
        type and members.
    nodes, depth: values in an element, containers included, and how far these nest.
    """

    length: int
    constants: tuple[tuple[int, int], ...]
    fields: tuple[Field, ...]
    template: Any
    nodes: int
    depth: int

    def holds_for(self, buffer: bytes, start: int, count: int) -> bool:
        """Whether the ``count`` elements from ``start`` on have this shape; so many octets must be there."""
        length = self.length
        end = start + length * count
        if count >= LEAST_FOR_WORDS and length >= _WORD and (np := numpy()) is not None:
            for offset, mask, expected in self._words:
                words = np.ndarray((count,), np.uint64, buffer, start + offset, (length,))
                if int(np.bitwise_or.reduce(words ^ np.uint64(expected))) & mask:
                    return False
            return True
        slices = ((buffer[start + offset : end : length], bytes((octet,))) for offset, octet in self.constants)
        return all(found == octet * count for found, octet in slices)

    @cached_property
    def _words(self) -> tuple[tuple[int, int, int], ...]:
        """The constants again, as (offset, mask, expected) of words of eight octets inside an element."""
        words: list[tuple[int, bytearray, bytearray]] = []
        for offset, octet in self.constants:
            if not words or offset >= words[-1][0] + _WORD:
                words.append((min(offset, self.length - _WORD), bytearray(_WORD), bytearray(_WORD)))
            at, mask, expected = words[-1]
            mask[offset - at], expected[offset - at] = 0xFF, octet
        order = sys.byteorder
        return tuple((at, int.from_bytes(m, order), int.from_bytes(e, order)) for at, m, e in words)

    @cached_property
    def _struct(self) -> struct.Struct:
        parts, at = [">"], 0
        for field in self.fields:
            parts.append(f"{field.offset - at}x{field.format}")
            at = field.offset + field.size
        return struct.Struct("".join(parts) + f"{self.length - at}x")

    @cached_property
    def _build(self) -> Callable[[tuple[Any, ...]], Any] | None:
        """From the unpacked fields to the element; None where the tuple itself is the element."""
        converters = {f"c{number}": field.convert for number, field in enumerate(self.fields) if field.convert}
        if self.template == (DataType.STRUCTURE, tuple(range(len(self.fields)))) and not converters:
            return None

        def text(node: Any) -> str:
            if node == _NULL:
                return "None"
            if node == _DONT_CARE:
                return "DONT_CARE"
            if isinstance(node, int):
                return f"c{node}(t[{node}])" if f"c{node}" in converters else f"t[{node}]"
            container, inside = node
            joined = "".join(f"{text(member)}, " for member in inside)
            return f"[{joined}]" if container is DataType.ARRAY else f"({joined})"

        # The expression is made of numbers and fixed names only; nothing of the data enters it.
        return eval(f"lambda t: {text(self.template)}", {"DONT_CARE": DONT_CARE, **converters})  # type: ignore[no-any-return]  # noqa: S307

    def elements(self, buffer: bytes, start: int, count: int) -> list[Any]:
        """All elements as natives; must have been checked by :meth:`holds_for`."""
        unpacked = self._struct.iter_unpack(memoryview(buffer)[start : start + count * self.length])
        build = self._build
        return list(unpacked) if build is None else list(map(build, unpacked))

    def columns(self, buffer: bytes, start: int, count: int) -> list[Any] | None:
        """Members of the structures as columns, or None where the elements are no structures of plain values.

        NumPy arrays (big-endian views of ``buffer``; octet strings as void) where NumPy is present and pays, tuples
        otherwise. Must have been checked by :meth:`holds_for`.
        """
        if not isinstance(self.template, tuple) or self.template[0] is not DataType.STRUCTURE:
            return None
        members: tuple[Any, ...] = self.template[1]
        if not all(isinstance(member, int) for member in members):
            return None
        found: list[Any]
        if count >= LEAST_FOR_NUMPY and numpy() is not None:
            found = self._numpy_columns(buffer, start, count)
        else:
            unpacked = self._struct.iter_unpack(memoryview(buffer)[start : start + count * self.length])
            found = [
                column if field.convert is None else tuple(map(field.convert, column))
                for field, column in zip(self.fields, zip(*unpacked, strict=True), strict=True)
            ]
        return [
            found[member] if member >= 0 else (None if member == _NULL else DONT_CARE,) * count for member in members
        ]

    def _numpy_columns(self, buffer: bytes, start: int, count: int) -> list[Any]:
        np = numpy()
        found: list[Any] = []
        for field, (dtype, convert) in zip(self.fields, self._dtypes, strict=True):
            column = np.ndarray((count,), dtype, buffer, start + field.offset, (self.length,))
            if convert is not None:
                column = tuple(map(convert, column.tolist()))
            elif field.type is DataType.BOOLEAN:
                column = column.astype(bool)
            found.append(column)
        return found

    @cached_property
    def _dtypes(self) -> tuple[tuple[Any, Callable[[bytes], Any] | None], ...]:
        np = numpy()
        return tuple((np.dtype(_NUMPY_FORMAT.get(f.format, f"V{f.size}")), f.convert) for f in self.fields)


def learn(buffer: bytes, position: int, count: int) -> Shape | None:
    """Return the shape of the element at ``position``.

    None where it is cut off, has no fixed shape, is too rich to be worth it, or does not fit ``count`` times.
    """
    headers = bytearray()
    at = position
    left = 1
    try:
        while left:
            tag = buffer[at]
            total = TOTAL[tag]
            if total:
                headers.append(tag)
            elif tag == 9 or tag == 10 or tag == 4 or tag == 1 or tag == 2:
                size = buffer[at + 1]
                if size > 127:
                    return None
                headers += buffer[at : at + 2]
                total = 2
                if tag < 3:
                    left += size
                else:
                    total += size if tag != 4 else (size + 7) // 8
            else:
                return None
            if len(headers) > MOST_HEADERS:
                return None
            at += total
            left -= 1
    except IndexError:
        return None
    if position + count * (at - position) > len(buffer):
        return None
    return _shape(bytes(headers))


@lru_cache(maxsize=64)
def _shape(headers: bytes) -> Shape | None:
    """Make the shape of the elements with these constant octets; None where it nests too deeply."""
    constants: list[tuple[int, int]] = []
    fields: list[Field] = []
    nodes = deepest = 0
    stack: list[tuple[DataType, int, list[Any]]] = []
    offset = at = 0
    while True:
        tag = headers[at]
        data_type = DataType(tag)
        nodes += 1
        size, bits, header = TOTAL[tag] - 1, 0, 1
        if size < 0:
            header, size = 2, headers[at + 1]
        constants += ((offset + n, headers[at + n]) for n in range(header))
        offset += header
        at += header
        node: Any
        if tag == 1 or tag == 2:
            deepest = max(deepest, len(stack) + 1)
            if deepest > DEEPEST:
                return None
            if size:
                stack.append((data_type, size, []))
                continue
            node = (data_type, ())
        elif tag == 0 or tag == 255:
            node = _NULL if tag == 0 else _DONT_CARE
        else:
            if tag == 4:
                size, bits = (size + 7) // 8, size
            node = len(fields)
            fields.append(Field(data_type, offset, size, bits))
            offset += size
        while stack:
            container, count, members = stack[-1]
            members.append(node)
            if len(members) < count:
                break
            node = (container, tuple(members))
            stack.pop()
        else:
            return Shape(offset, tuple(constants), tuple(fields), node, nodes, deepest)
