"""Rows of natives to an array of structures, as the buffer of a profile is sent (IEC 62056-5-3, Data).

::

    01 count { 02 columns { type value } }

Rows whose values all have the size of those in the first row are packed one ``struct`` a row, and the octets between
the values, the same in all rows, are filled in for all rows at once. Other rows go through the plain encoder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import starmap
from operator import itemgetter
from typing import Any, Final

from cosemic.codec.data_type import FIXED_FORMAT, DataType
from cosemic.codec.encoder import UNFIT, encode
from cosemic.codec.length import encode_length
from cosemic.errors import EncodeError

_NULL: Final = (DataType.NULL_DATA, None)


def encode_rows(types: Sequence[DataType], rows: Iterable[Sequence[Any]]) -> bytes:
    """Encode rows as an array of structures; the first type is that of the first value of each row, and so on.

    None is null-data in any column. Raises EncodeError when a row has another number of values than ``types``, or a
    value does not fit its type; arrays, structures and compact-arrays are given as they stand in a typed value.

    >>> encode_rows([DataType.UNSIGNED, DataType.LONG], [(1, -1), (2, None)]).hex()
    '01020202110110ffff0202110200'
    """
    try:
        rows = rows if isinstance(rows, list | tuple) else list(rows)
        head = b"\x01" + encode_length(len(rows))
        return head + (_packed(tuple(types), rows) or _plain(types, rows))
    except UNFIT as error:
        if isinstance(error, EncodeError):
            raise
        raise EncodeError(f"these are no rows: {error}") from None


def _plain(types: Sequence[DataType], rows: Sequence[Sequence[Any]]) -> bytes:
    """Encode value by value."""
    parts = []
    for row in rows:
        if len(row) != len(types):
            raise EncodeError(f"a row of {len(types)} values, not {len(row)}")
        values = [_NULL if value is None else (kind, value) for kind, value in zip(types, row, strict=True)]
        parts.append(encode((DataType.STRUCTURE, values)))
    return b"".join(parts)


def _packed(types: tuple[DataType, ...], rows: Sequence[Sequence[Any]]) -> bytes | None:
    """Encode rows of one shape, None where they are not."""
    try:
        sizes = tuple(len(rows[0][n]) if kind is DataType.OCTET_STRING else 0 for n, kind in enumerate(types))
        layout = _layout(types, sizes)
        if layout is None:
            return None
        for number, size in enumerate(sizes):
            # struct cuts and fills up octets silently.
            if types[number] is DataType.OCTET_STRING and set(map(len, map(itemgetter(number), rows))) != {size}:
                return None
        pack, length, constants = layout
        body = bytearray().join(starmap(pack, rows))
    except UNFIT:
        return None
    for offset, octet in constants:
        body[offset::length] = bytes((octet,)) * len(rows)
    return bytes(body)


@lru_cache(maxsize=64)
def _layout(types: tuple[DataType, ...], sizes: tuple[int, ...]) -> tuple[Any, int, tuple[tuple[int, int], ...]] | None:
    """How a row of these types is packed: pack function, octets of a row, and (offset, octet) of what never changes."""
    head = b"\x02" + encode_length(len(types))
    formats, constants = [">", f"{len(head)}x"], list(enumerate(head))
    for kind, size in zip(types, sizes, strict=True):
        before = bytes((kind,))
        form = FIXED_FORMAT.get(kind, "s").replace("?", "B")
        if kind is DataType.OCTET_STRING:
            before += encode_length(size)
            form = f"{size}s"
        elif "s" in form:
            return None
        constants += enumerate(before, struct.calcsize("".join(formats)))
        formats += (f"{len(before)}x", form)
    row = struct.Struct("".join(formats))
    return row.pack, row.size, tuple(constants)
