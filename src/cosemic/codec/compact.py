"""The decoder of compact-array (Data tag 13; IEC 62056-5-3, Data), bounded and iterative.

::

    13  TypeDescription  length in octets  contents: the values without their tags and counts, end to end

How many elements there are follows from the length; an element that takes no octets is therefore refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any, Final

from cosemic.codec.data_type import BY_TAG, TOTAL, UNPACK_FROM, DataType
from cosemic.codec.length import read_length
from cosemic.codec.typed import DONT_CARE, CompactArray, TypeDescription
from cosemic.errors import DecodeError
from cosemic.values import BitString, Date, DateTime, Time

CONVERT: Final[dict[int, Callable[[bytes], Any]]] = {25: DateTime, 26: Date, 27: Time}
"""What makes the native of the octets of a date-time, date or time."""
TOO_MANY: Final = "fewer values: the limit of nodes is reached"
TOO_DEEP: Final = "less nesting: the limit of depth is reached"


def decode_compact(buffer: bytes, position: int, depth: int, nodes: int, typed: bool) -> tuple[Any, int, int]:
    """Decode the compact-array whose tag stands before ``position``: value, position behind it, nodes left over.

    depth, nodes: how many levels of nesting and values are still allowed, this one included. Raises DecodeError with
    offsets into ``buffer`` and the path below this array.
    """
    try:
        description, position, used = _read_description(buffer, position, depth)
        nodes -= used
        if depth <= 0 or nodes < 0:
            raise DecodeError(TOO_DEEP if depth <= 0 else TOO_MANY, position)
        count, position = read_length(buffer, position)
        if count > len(buffer) - position:
            raise DecodeError(f"{count} octets of compact-array, {len(buffer) - position} are left", len(buffer))
        if count and not description.has_width():
            raise DecodeError("elements of a compact-array that take at least one octet", position)
    except IndexError:
        raise DecodeError("more octets of a compact-array", len(buffer)) from None
    end = position + count
    elements, left = _read_contents(buffer, position, end, description, nodes, typed)
    return (DataType.COMPACT_ARRAY, CompactArray(elements, description)) if typed else elements, end, left


def _read_description(buffer: bytes, position: int, depth: int) -> tuple[TypeDescription, int, int]:
    """Read a TypeDescription: it, the position behind it, and how many types it names."""
    used = 0
    stack: list[tuple[DataType, int, int, list[TypeDescription]]] = []
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
                stack.append((data_type, count, members, []))
                continue
        done = TypeDescription(data_type)
        while stack:
            container, count, members, found = stack[-1]
            found.append(done)
            if len(found) < members:
                break
            done = TypeDescription(container, tuple(found), count)
            stack.pop()
        else:
            return done, position, used


def _read_contents(
    buffer: bytes, position: int, end: int, description: TypeDescription, nodes: int, typed: bool
) -> tuple[list[Any], int]:
    """Read elements up to ``end``: them, and the nodes left over. ``end`` lies in the buffer."""
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
                    nodes -= one.count or len(one.elements)
                    if nodes < 0:
                        raise DecodeError(TOO_MANY, position)
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
                    nodes -= 1
                    if nodes < 0:
                        raise DecodeError(TOO_MANY, position)
                    pending = iter((description,))
                else:
                    return items, nodes
    except (IndexError, struct.error):
        error = DecodeError("the contents of the compact-array to end with an element", end)
    except DecodeError as found:
        error = found
    indices = [len(frame[0]) for frame in stack] + [len(items)]
    raise DecodeError(error.expected, error.offset, "".join(f"[{index}]" for index in indices))


def _read_plain(buffer: bytes, position: int, data_type: DataType, end: int) -> tuple[Any, int]:
    """Read a value that is no container and stands without its tag; it must not reach beyond ``end``."""
    unpack = UNPACK_FROM[data_type]
    if unpack is not None:
        stop = position + TOTAL[data_type] - 1
        if stop > end:
            raise IndexError
        return unpack(buffer, position - 1)[0], stop
    if data_type in CONVERT:
        stop = position + TOTAL[data_type] - 1
        if stop > end:
            raise IndexError
        return CONVERT[data_type](buffer[position:stop]), stop
    if data_type is DataType.NULL_DATA:
        return None, position
    if data_type is DataType.DONT_CARE:
        return DONT_CARE, position
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
