"""The decoder of compact-array (Data tag 13; IEC 62056-5-3, Data), bounded and iterative.

::

    13  TypeDescription  length in octets  contents: the values without their tags and counts, end to end

How many elements there are follows from the length; an element that takes no octets is therefore refused. Nulls take no
octets, so a row of many columns may stand in one octet, and n octets would stand for n * n / 4 values. They may stand
for no more than :func:`~cosemic.codec.typed.most_values` says, which no honest array comes near.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Any, Final, NamedTuple

from cosemic.codec.data_type import BY_TAG, TOTAL, UNPACK_FROM, DataType
from cosemic.codec.length import read_length
from cosemic.codec.typed import DONT_CARE, CompactArray, TypeDescription, most_values
from cosemic.errors import DecodeError
from cosemic.values import BitString, Date, DateTime, Time

CONVERT: Final[dict[int, Callable[[bytes], Any]]] = {25: DateTime, 26: Date, 27: Time}
"""What makes the native of the octets of a date-time, date or time."""
TOO_MANY: Final = "fewer values: the limit of nodes is reached"
TOO_DENSE: Final = "fewer values for the octets of the compact-array: most of them would take none"
TOO_DEEP: Final = "less nesting: the limit of depth is reached"


def decode_compact(buffer: bytes, position: int, depth: int, nodes: int, typed: bool) -> tuple[Any, int, int]:
    """Decode the compact-array whose tag stands before ``position``: value, position behind it, nodes left over.

    depth, nodes: how many levels of nesting and values are still allowed, this one included. Raises DecodeError with
    offsets into ``buffer`` and the path below this array.
    """
    found = _read_head(buffer, position, depth, nodes)
    if found.layout.width and (found.end - found.contents) // found.layout.width * found.layout.values > found.allowed:
        raise DecodeError(found.too_many, found.contents)
    elements, left = _read_contents(buffer, found, typed)
    value = (DataType.COMPACT_ARRAY, CompactArray(elements, found.description)) if typed else elements
    return value, found.end, left


def skip_compact(buffer: bytes, position: int, depth: int, nodes: int) -> tuple[int, int]:
    """Return position behind the compact-array and nodes left over, as :func:`decode_compact` does, without its value.

    Takes exactly what that takes; raises DecodeError, IndexError or UnicodeDecodeError for anything else, and does not
    say where. Work is linear in the octets, however many values they stand for.
    """
    found = _read_head(buffer, position, depth, nodes)
    position, end, layout = found.contents, found.end, found.layout
    left = found.allowed
    if layout.width is not None:
        elements, rest = divmod(end - position, layout.width or 1)
        left -= elements * layout.values
        if rest or left < 0:
            raise IndexError
    else:
        while position < end:
            left -= layout.values
            if left < 0:
                raise IndexError
            position = _skip_element(buffer, position, end, layout.steps)
    return end, found.nodes - (found.allowed - left)


class _Layout(NamedTuple):
    """What one value of a description holds and takes.

    values: it and all inside it. steps: how to pass over it: octets of fixed size (a number), a string (its type), an
    array whose elements vary in size (number of elements, steps of one).
    """

    values: int
    steps: list[Any]

    @property
    def width(self) -> int | None:
        """Octets that it takes; None where that varies."""
        if not self.steps:
            return 0
        only = self.steps[0]
        return only if len(self.steps) == 1 and type(only) is int else None

    def times(self, count: int) -> _Layout:
        """Layout of an array of so many."""
        width = self.width
        if width is None and count:
            return _Layout(1 + count * self.values, [(count, self.steps)])
        return _Layout(1 + count * self.values, [count * width] if count and width else [])


def _plain_layout(data_type: DataType) -> _Layout:
    size = TOTAL[data_type]
    if data_type is DataType.STRUCTURE or size == 1:
        return _Layout(1, [])
    return _Layout(1, [size - 1 if size else data_type])


_PLAIN: Final = {data_type: (TypeDescription(data_type), _plain_layout(data_type)) for data_type in DataType}
"""Description and layout of a value that holds no others."""


def _together(members: Iterable[_Layout]) -> _Layout:
    """Layout of a structure; sizes that stand side by side make one step."""
    values = 1
    steps: list[Any] = []
    for member in members:
        values += member.values
        first, *others = member.steps or [None]
        if type(first) is int and steps and type(steps[-1]) is int:
            steps[-1] += first
        elif first is not None:
            steps.append(first)
        steps += others
    return _Layout(values, steps)


class _Head(NamedTuple):
    """Description of a compact-array, where its contents stand, nodes left over, and values allowed in the contents."""

    description: TypeDescription
    layout: _Layout
    contents: int
    end: int
    nodes: int
    allowed: int

    @property
    def too_many(self) -> str:
        """What is expected where more values than are allowed stand."""
        return TOO_MANY if self.allowed == self.nodes else TOO_DENSE


def _read_head(buffer: bytes, position: int, depth: int, nodes: int) -> _Head:
    begin = position
    try:
        description, layout, position, used = _read_description(buffer, position, depth)
        nodes -= used
        if depth <= 0 or nodes < 0:
            raise DecodeError(TOO_DEEP if depth <= 0 else TOO_MANY, position)
        count, position = read_length(buffer, position)
        if count > len(buffer) - position:
            raise DecodeError(f"{count} octets of compact-array, {len(buffer) - position} are left", len(buffer))
        if count and layout.width == 0:
            raise DecodeError("elements of a compact-array that take at least one octet", position)
    except IndexError:
        raise DecodeError("more octets of a compact-array", len(buffer)) from None
    end = position + count
    return _Head(description, layout, position, end, nodes, min(nodes, most_values(end - begin)))


def _read_description(buffer: bytes, position: int, depth: int) -> tuple[TypeDescription, _Layout, int, int]:
    """Read a TypeDescription: it, its layout, the position behind it, and how many types it names."""
    used = 0
    stack: list[tuple[DataType, int, int, list[TypeDescription], list[_Layout]]] = []
    while True:
        tag = buffer[position]
        position += 1
        used += 1
        data_type = BY_TAG[tag]
        if data_type is None or data_type is DataType.COMPACT_ARRAY:
            raise DecodeError(f"the tag of a type in a compact-array, not {tag:02x}", position - 1)
        if tag == 1 or tag == 2:
            if len(stack) + 1 >= depth:
                raise DecodeError(TOO_DEEP, position - 1)
            if tag == 1:
                count, members = buffer[position] << 8 | buffer[position + 1], 1
                position += 2
            else:
                count = 0
                members, position = read_length(buffer, position)
                if members > len(buffer) - position:
                    raise DecodeError(f"{members} types in the {len(buffer) - position} octets that are left", position)
            if members:
                stack.append((data_type, count, members, [], []))
                continue
        done, layout = _PLAIN[data_type]
        while stack:
            container, count, members, found, layouts = stack[-1]
            found.append(done)
            layouts.append(layout)
            if len(found) < members:
                break
            done = TypeDescription(container, tuple(found), count)
            layout = layout.times(count) if container is DataType.ARRAY else _together(layouts)
            stack.pop()
        else:
            return done, layout, position, used


def _read_contents(buffer: bytes, head: _Head, typed: bool) -> tuple[list[Any], int]:
    """Read the elements: them, and the nodes left over."""
    description, each, position, end = head.description, head.layout.values, head.contents, head.end
    left = head.allowed
    stack: list[tuple[list[Any], Iterator[TypeDescription], DataType]] = []
    items: list[Any] = []
    kind = DataType.ARRAY
    pending: Iterator[TypeDescription] = iter(())
    try:
        while True:
            for one in pending:
                data_type = one.type
                if data_type is DataType.STRUCTURE or data_type is DataType.ARRAY:
                    members: Iterable[TypeDescription] = one.elements
                    if data_type is DataType.ARRAY:
                        members = repeat(one.elements[0], one.count)
                    stack.append((items, pending, kind))
                    items, pending, kind = [], iter(members), data_type
                    break
                value, position = _read_plain(buffer, position, data_type, end)
                items.append((data_type, value) if typed else value)
            else:
                if stack:
                    closed: Any = tuple(items) if typed or kind is DataType.STRUCTURE else items
                    closed = (kind, closed) if typed else closed
                    items, pending, kind = stack.pop()
                    items.append(closed)
                elif position < end:
                    # Counted before it is made: an element may stand for far more values than it has octets.
                    left -= each
                    if left < 0:
                        raise DecodeError(head.too_many, position)
                    pending = iter((description,))
                else:
                    return items, head.nodes - (head.allowed - left)
    except (IndexError, struct.error):
        error = DecodeError("the contents of the compact-array to end with an element", end)
    except DecodeError as found:
        error = found
    indices = [len(frame[0]) for frame in stack] + [len(items)]
    raise DecodeError(error.expected, error.offset, "".join(f"[{index}]" for index in indices))


def _skip_element(buffer: bytes, position: int, end: int, steps: Iterable[Any]) -> int:
    """Return the position behind one element of varying size; raises IndexError where it reaches beyond ``end``."""
    stack: list[Iterator[Any]] = []
    turns = iter(steps)
    while True:
        for step in turns:
            if type(step) is int:
                position += step
            elif type(step) is tuple:
                stack.append(turns)
                # Each turn takes at least one octet: what takes none is no step.
                turns = chain.from_iterable(repeat(step[1], step[0]))
                break
            else:
                count, start = read_length(buffer, position)
                position = start + ((count + 7) // 8 if step is DataType.BIT_STRING else count)
                if position > end:
                    raise IndexError
                if step is DataType.UTF8_STRING:
                    buffer[start:position].decode("utf-8")
        else:
            if not stack:
                if position > end:
                    raise IndexError
                return position
            turns = stack.pop()


def _read_plain(buffer: bytes, position: int, data_type: DataType, end: int) -> tuple[Any, int]:
    """Read a value that is no container and stands without its tag; it must not reach beyond ``end``."""
    unpack = UNPACK_FROM[data_type]
    if unpack is not None:
        stop = position + TOTAL[data_type] - 1
        if stop > end:
            raise IndexError
        return unpack(buffer, position - 1)[0], stop
    if data_type is DataType.NULL_DATA:
        return None, position
    if data_type is DataType.DONT_CARE:
        return DONT_CARE, position
    if data_type in CONVERT:
        stop = position + TOTAL[data_type] - 1
        if stop > end:
            raise IndexError
        return CONVERT[data_type](buffer[position:stop]), stop
    count, start = read_length(buffer, position)
    stop = start + ((count + 7) // 8 if data_type is DataType.BIT_STRING else count)
    if stop > end:
        raise IndexError
    octets = buffer[start:stop]
    if data_type is DataType.OCTET_STRING:
        return octets, stop
    if data_type is DataType.BIT_STRING:
        return BitString.from_octets(octets, count), stop
    return read_text(octets, data_type, start), stop


def read_text(octets: bytes, tag: int, start: int) -> str:
    """Make the text of a visible- or utf8-string; raises DecodeError, counted from ``start``, for what is no UTF-8."""
    if tag == DataType.VISIBLE_STRING:
        return octets.decode("latin-1")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DecodeError("UTF-8 text", start + error.start) from None
