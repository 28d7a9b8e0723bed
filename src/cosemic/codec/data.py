"""The plain decoder of Data (IEC 62056-5-3), bounded and iterative.

========================  ==================  ==========================
Data                      native              JSON (format 1)
========================  ==================  ==========================
null-data                 None                ``["null-data"]``
array, compact-array      list                list of elements
structure                 tuple               list of elements
boolean                   bool                true, false
bit-string                BitString (a str)   ``"0101"``
integers, enum, bcd       int                 number
float32, float64          float               number
octet-string              bytes               hex
visible-, utf8-string     str                 text
date-time, date, time     DateTime ...        hex
delta types               int                 number
dont-care                 DONT_CARE           ``["dont-care"]``
========================  ==================  ==========================

The *typed* form keeps the tag: ``(DataType, value)``, where the value of an array or structure is a tuple of typed
values, and that of a compact-array a :class:`CompactArray` of them. Only encoded and typed forms can be sent again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import repeat
from typing import Any

from cosemic.codec.compact import CONVERT, TOO_DEEP, TOO_MANY, decode_compact, read_text
from cosemic.codec.data_type import BY_TAG, TOTAL, UNPACK_FROM, DataType
from cosemic.codec.encoder import encode
from cosemic.codec.length import long_length
from cosemic.codec.limits import DEFAULT_LIMITS, Limits
from cosemic.codec.typed import DONT_CARE, CompactArray, Typed, TypeDescription
from cosemic.errors import DecodeError
from cosemic.values import BitString

__all__ = ["DONT_CARE", "CompactArray", "TypeDescription", "Typed", "decode", "decode_whole", "encode"]


def decode(
    buffer: bytes, position: int = 0, limits: Limits = DEFAULT_LIMITS, *, typed: bool = False
) -> tuple[Any, int]:
    """Decode one Data that starts at ``position``: the value and the position behind it.

    ``typed`` chooses between natives and typed values. One flat loop with a stack of the open containers. Work and
    memory are linear in the octets read and bounded by ``limits``. Raises DecodeError (offset into ``buffer``, path,
    what was expected).
    """
    size = len(buffer)
    nodes = limits.nodes
    stack: list[tuple[list[Any], Iterator[None], int]] = []
    items: list[Any] = []  # values of the container now open,
    pending: Iterator[None] = repeat(None, 1)  # as many turns as values are still to come,
    kind = 0  # and its tag
    value: Any
    try:
        while True:
            for _ in pending:
                tag = buffer[position]
                unpack = UNPACK_FROM[tag]
                if unpack is not None:
                    value = unpack(buffer, position)[0]
                    position += TOTAL[tag]
                elif tag == 0:
                    value = None
                    position += 1
                elif tag == 9 or tag == 10 or tag == 12 or tag == 4:
                    count = buffer[position + 1]
                    start = position + 2
                    if count > 127:
                        count, start = long_length(buffer, start, count)
                    stop = start + (count if tag != 4 else (count + 7) // 8)
                    if stop > size:
                        raise DecodeError(f"{stop - size} more octets of {DataType(tag).label}", size)
                    value = buffer[start:stop]
                    if tag == 4:
                        value = BitString.from_octets(value, count)
                    elif tag != 9:
                        value = read_text(value, tag, start)
                    position = stop
                elif tag == 1 or tag == 2:
                    count = buffer[position + 1]
                    start = position + 2
                    if count > 127:
                        count, start = long_length(buffer, start, count)
                    if count > size - start:
                        raise DecodeError(f"{count} elements in the {size - start} octets that are left", position + 1)
                    nodes -= count
                    if nodes < 0:
                        raise DecodeError(TOO_MANY, position + 1)
                    if len(stack) >= limits.depth:
                        raise DecodeError(TOO_DEEP, position)
                    stack.append((items, pending, kind))
                    items, pending, kind = [], repeat(None, count), tag
                    position = start
                    break
                elif tag == 19:
                    depth = limits.depth - len(stack)
                    value, position, nodes = decode_compact(buffer, position + 1, depth, nodes, typed)
                    items.append(value)
                    continue
                elif 25 <= tag <= 27:
                    stop = position + TOTAL[tag]
                    if stop > size:
                        raise IndexError
                    value = CONVERT[tag](buffer[position + 1 : stop])
                    position = stop
                elif tag == 255:
                    value = DONT_CARE
                    position += 1
                else:
                    raise DecodeError(f"a Data tag, not {tag:02x}", position)
                items.append((BY_TAG[tag], value) if typed else value)
            else:
                if not stack:
                    return items[0], position
                value = tuple(items) if typed or kind == 2 else items
                if typed:
                    value = (BY_TAG[kind], value)
                items, pending, kind = stack.pop()
                items.append(value)
    except (IndexError, struct.error):
        error = DecodeError("more octets of a Data value", size)
    except DecodeError as found:
        error = found
    indices = [len(frame[0]) for frame in stack[1:]] + ([len(items)] if stack else [])
    raise error.within("".join(f"[{index}]" for index in indices))


def decode_whole(buffer: bytes, limits: Limits = DEFAULT_LIMITS, *, typed: bool = False) -> Any:
    """Decode ``buffer`` as exactly one Data; octets behind it are a DecodeError."""
    if len(buffer) > limits.octets:
        raise DecodeError(f"no more than {limits.octets} octets", limits.octets)
    value, end = decode(buffer, 0, limits, typed=typed)
    if end != len(buffer):
        raise DecodeError(f"the end of the Data, not {len(buffer) - end} more octets", end)
    return value
