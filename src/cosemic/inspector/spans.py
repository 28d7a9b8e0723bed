"""Where in the octets of an APDU each of its fields stands.

The plain reader of the codec walks through a declared class field by field and keeps the path of where it is; a
:class:`_Trail` in place of that path notes the position at each step. ACSE fields are found by their BER tags. The
values inside a Data are found by walking over its tags.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from cosemic import apdu
from cosemic.codec import BerSequence, CompactArray, DataType, Limits, Sequence, TaggedChoice, decode_data, read_length
from cosemic.codec.wire import Cursor

_CONTAINERS: Final = (DataType.ARRAY, DataType.STRUCTURE)


@dataclass(slots=True)
class Span:
    """A field with its value, from ``start`` up to but without ``end``; ``members`` are the fields inside it."""

    name: str
    start: int
    end: int = 0
    value: Any = None
    members: list[Span] = field(default_factory=list)


class _Trail(list[str]):
    """The path of a cursor, which notes where each of its steps begins and ends."""

    def __init__(self, cursor: Cursor, top: Span) -> None:
        super().__init__(cursor.path)
        self._cursor = cursor
        self._open = [top]

    def append(self, name: str) -> None:
        super().append(name)
        span = Span(name, self._cursor.position)
        self._open[-1].members.append(span)
        self._open.append(span)

    def pop(self, *_: Any) -> str:
        self._open.pop().end = self._cursor.position
        return super().pop()


def spans(pdu: Any, octets: bytes, limits: Limits) -> list[Span]:
    """Return the fields of an APDU that was decoded from ``octets``."""
    top = Span("", 0, len(octets), pdu)
    if isinstance(pdu, BerSequence):
        return list(_ber_fields(pdu, octets))
    start = 2 if isinstance(pdu, apdu.BareActionResponse) else len(pdu.prefix)
    cursor = Cursor(octets, limits, "", start)
    cursor.path = _Trail(cursor, top)
    type(pdu).wire.read(cursor)
    pending = [(pdu, span) for span in top.members]
    while pending:
        holder, span = pending.pop()
        span.value = _member(holder, span.name)
        pending.extend((span.value, inner) for inner in span.members)
    return top.members


def _member(holder: Any, name: str) -> Any:
    if name.startswith("["):
        return holder[int(name[1:-1])]
    if isinstance(holder, TaggedChoice):
        return holder.value
    # The alternative of a CHOICE without objects of its own is a step of the path, but the value is the same.
    return getattr(holder, name) if isinstance(holder, Sequence) and name in holder.__fields__ else holder


def _ber_fields(pdu: BerSequence, octets: bytes) -> Iterator[Span]:
    _, position = read_length(octets, 1)
    while position < len(octets):
        name, _ = pdu._readers[octets[position]]
        length, start = read_length(octets, position + 1)
        yield Span(name, position, start + length, getattr(pdu, name))
        position = start + length


class DataSpan(NamedTuple):
    """One value inside a Data: its place, nesting, type, and native value (of a container the count)."""

    start: int
    end: int
    depth: int
    type: DataType
    value: Any


def data_spans(octets: bytes, limits: Limits) -> Iterator[DataSpan]:
    """Walk over the values of one Data in order; elements of a compact-array, without tags, share its place."""
    position = 0
    open_containers: list[tuple[int, int]] = []  # elements and elements seen
    while True:
        while open_containers and open_containers[-1][0] == open_containers[-1][1]:
            open_containers.pop()
        if not open_containers and position:
            return
        if open_containers:
            count, seen = open_containers[-1]
            open_containers[-1] = (count, seen + 1)
        depth = len(open_containers)
        kind = DataType(octets[position])
        if kind in _CONTAINERS:
            count, end = read_length(octets, position + 1)
            yield DataSpan(position, end, depth, kind, count)
            open_containers.append((count, 0))
        else:
            (_, value), end = decode_data(octets, position, limits, typed=True)
            if isinstance(value, CompactArray):
                yield DataSpan(position, end, depth, kind, len(value))
                yield from _compact(value, position, end, depth + 1)
            else:
                yield DataSpan(position, end, depth, kind, value)
        position = end


def _compact(elements: Any, start: int, end: int, depth: int) -> Iterator[DataSpan]:
    pending = [(typed, depth) for typed in reversed(elements)]
    while pending:
        (kind, value), level = pending.pop()
        if kind in _CONTAINERS:
            yield DataSpan(start, end, level, kind, len(value))
            pending.extend((typed, level + 1) for typed in reversed(value))
        else:
            yield DataSpan(start, end, level, kind, value)
