"""Data that stays encoded until somebody asks for its value (design: decode late, decode once)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, cast

from cosemic.codec.compact import skip_compact
from cosemic.codec.data import decode, decode_whole
from cosemic.codec.data_type import BY_TAG, TOTAL, UNPACK, DataType
from cosemic.codec.encoder import encode
from cosemic.codec.length import long_length, read_length
from cosemic.codec.limits import DEFAULT_LIMITS, Limits
from cosemic.codec.rows import encode_rows
from cosemic.codec.shape import LEAST_ELEMENTS, Shape, learn
from cosemic.codec.typed import Typed
from cosemic.errors import DecodeError


def scan(buffer: bytes, position: int, limits: Limits = DEFAULT_LIMITS) -> int:
    """Return the position behind the Data at ``position`` without making its value.

    Accepts exactly what :func:`cosemic.codec.data.decode` accepts, and raises the same DecodeError.
    """
    return scan_counted(buffer, position, limits, limits.nodes)[0]


def scan_counted(buffer: bytes, position: int, limits: Limits, nodes: int) -> tuple[int, int]:
    """Do what :func:`scan` does where only ``nodes`` values are still allowed; return also how many are left over."""
    found = _extent(buffer, position, limits, nodes)
    if found is None:  # the plain decoder says what is wrong
        return decode(buffer, position, Limits(limits.depth, nodes, limits.octets))[1], 0
    return found


def _extent(buffer: bytes, position: int, limits: Limits, nodes: int) -> tuple[int, int] | None:
    """Return position behind the Data and nodes left over; None where it is malformed or beyond a limit."""
    size = len(buffer)
    stack: list[int] = []
    left = 1
    try:
        while True:
            while left:
                tag = buffer[position]
                left -= 1
                total = TOTAL[tag]
                if total:
                    position += total
                    continue
                if tag == 19:
                    position, nodes = skip_compact(buffer, position + 1, limits.depth - len(stack), nodes)
                    continue
                count = buffer[position + 1]
                position += 2
                if count > 127:
                    count, position = long_length(buffer, position, count)
                if tag == 9 or tag == 10:
                    position += count
                elif tag == 1 or tag == 2:
                    nodes -= count
                    if count > size - position or nodes < 0 or len(stack) >= limits.depth:
                        return None
                    if tag == 1 and count >= LEAST_ELEMENTS and (shape := learn(buffer, position, count)) is not None:
                        inner = count * (shape.nodes - 1)
                        fits = inner <= nodes and len(stack) + shape.depth < limits.depth
                        if fits and shape.holds_for(buffer, position, count):
                            nodes -= inner
                            position += count * shape.length
                            continue
                    stack.append(left)
                    left = count
                elif tag == 4:
                    position += (count + 7) // 8
                elif tag == 12:
                    if position + count > size:
                        return None
                    buffer[position : position + count].decode("utf-8")
                    position += count
                else:
                    return None
            if not stack:
                return (position, nodes) if position <= size else None
            left = stack.pop()
    except (IndexError, DecodeError, UnicodeDecodeError):
        return None


class EncodedData:
    """One Data value as it came, or as it is to be sent.

    ``octets`` hold exactly one Data when they come out of a decoder; :meth:`value` and :meth:`typed` raise DecodeError
    for anything else. Two are equal when their octets are.
    """

    __slots__ = ("octets",)
    octets: bytes

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    @classmethod
    def of(cls, data_type: DataType, value: object = None) -> EncodedData:
        """Encode a typed value: ``EncodedData.of(DataType.UNSIGNED, 5)``; raises EncodeError."""
        return cls(encode((data_type, value)))

    @classmethod
    def from_typed(cls, typed: Typed) -> EncodedData:
        """Encode the form that :meth:`typed` gives; raises EncodeError."""
        return cls(encode(typed))

    @classmethod
    def from_rows(cls, types: Sequence[DataType], rows: Iterable[Sequence[Any]]) -> EncodedData:
        """Encode rows of natives as an array of structures, as :func:`cosemic.codec.rows.encode_rows` does."""
        return cls(encode_rows(types, rows))

    @property
    def type(self) -> DataType:
        """Type of the value, from its tag; raises DecodeError for a reserved tag."""
        data_type = BY_TAG[self.octets[0]] if self.octets else None
        if data_type is None:
            raise DecodeError("a Data tag", 0)
        return data_type

    def value(self, limits: Limits = DEFAULT_LIMITS) -> Any:
        """Decode to natives (table in :mod:`cosemic.codec.data`); raises DecodeError."""
        octets = self.octets
        try:
            unpack = UNPACK[octets[0]]
            if unpack is not None:
                return unpack(octets)[0]
            if octets[0] == 1 and (found := self._uniform(limits)) is not None:
                shape, start, count = found
                return shape.elements(octets, start, count)
        except (IndexError, struct.error):
            pass  # the plain decoder says what is wrong
        return decode_whole(octets, limits)

    def typed(self, limits: Limits = DEFAULT_LIMITS) -> Typed:
        """Decode to ``(DataType, value)``, nested; raises DecodeError."""
        octets = self.octets
        try:
            unpack = UNPACK[octets[0]]
            if unpack is not None:
                return cast(Typed, (BY_TAG[octets[0]], unpack(octets)[0]))
        except (IndexError, struct.error):
            pass  # the plain decoder says what is wrong
        return cast(Typed, decode_whole(octets, limits, typed=True))

    def columns(self, limits: Limits = DEFAULT_LIMITS) -> list[Any]:
        """Decode an array of structures (a profile buffer) to one sequence for each member.

        Where all rows have one shape and NumPy is present, the sequences are NumPy arrays that view the octets
        (numbers big-endian as sent, octet strings as void); else tuples. Raises DecodeError for malformed octets, and
        for anything but an array or compact-array of structures of one length.
        """
        if self.octets[:1] == b"\x01" and (found := self._uniform(limits)) is not None:
            shape, start, count = found
            columns = shape.columns(self.octets, start, count)
            if columns is not None:
                return columns
        rows = decode_whole(self.octets, limits)
        if not isinstance(rows, list) or not all(isinstance(row, tuple) for row in rows):
            raise DecodeError("an array of structures", 0)
        if len(set(map(len, rows))) > 1:
            raise DecodeError("rows of one length", 0)
        return list(zip(*rows, strict=True))

    def shape(self, limits: Limits = DEFAULT_LIMITS) -> Shape | None:
        """Return what all elements of an array have in common; None where they differ, or are too few to look."""
        found = self._uniform(limits) if self.octets[:1] == b"\x01" else None
        return found[0] if found is not None else None

    def _uniform(self, limits: Limits) -> tuple[Shape, int, int] | None:
        """Shape, start and number of the elements, when all have one shape and reach to the end."""
        octets = self.octets
        if len(octets) > limits.octets:
            return None
        try:
            count, start = read_length(octets, 1)
        except DecodeError:
            return None
        if count < LEAST_ELEMENTS or (shape := learn(octets, start, count)) is None:
            return None
        if count * shape.nodes > limits.nodes or shape.depth >= limits.depth:
            return None
        if start + count * shape.length != len(octets) or not shape.holds_for(octets, start, count):
            return None
        return shape, start, count

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EncodedData):
            return self.octets == other.octets
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.octets)

    def __repr__(self) -> str:
        text = self.octets.hex()
        return f"EncodedData({text if len(text) <= 64 else text[:60] + '...'})"
