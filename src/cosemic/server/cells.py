"""Rows of a profile as octets: structures, put together from their cells and cut into them (IEC 62056-5-3, Data).

::

    row      02 columns  cell cell ...           each cell one Data, with its tag
    buffer   01 rows     row row ...

Where all rows have the octets of one shape, they are cut at the places at which the first one is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cosemic.codec import EncodedData, encode_length, read_length
from cosemic.codec.encoded import scan
from cosemic.codec.shape import LEAST_ELEMENTS, learn

NO_CELL: Final = b"\x00"
"""null-data: there was no value to capture."""


def row_of(cells: Sequence[bytes]) -> bytes:
    """Return a row of encoded cells."""
    return b"\x02" + encode_length(len(cells)) + b"".join(cells)


def buffer_of(rows: Sequence[bytes]) -> EncodedData:
    """Return rows as an array."""
    return EncodedData(b"\x01" + encode_length(len(rows)) + b"".join(rows))


def elements(octets: bytes) -> list[bytes]:
    """Return the elements of an encoded array or structure."""
    count, position = read_length(octets, 1)
    length = _common_length(octets, position, count)
    if length:
        return [octets[at : at + length] for at in range(position, len(octets), length)]
    return [octets[first:last] for first, last in _bounds(octets)]


def cut(rows: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield the cells of each row."""
    joined = b"".join(rows) if len(rows) >= LEAST_ELEMENTS else b""
    if joined and _common_length(joined, 0, len(rows)):
        bounds = _bounds(rows[0])
        for row in rows:
            yield [row[first:last] for first, last in bounds]
    else:
        for row in rows:
            yield [row[first:last] for first, last in _bounds(row)]


def _common_length(octets: bytes, position: int, count: int) -> int:
    """Length of each of the ``count`` elements from ``position`` on, where all have one shape; else 0."""
    if count < LEAST_ELEMENTS or (shape := learn(octets, position, count)) is None:
        return 0
    return shape.length if shape.holds_for(octets, position, count) else 0


def _bounds(octets: bytes) -> list[tuple[int, int]]:
    """Where each element of an encoded array or structure begins and ends."""
    count, position = read_length(octets, 1)
    bounds = []
    for _ in range(count):
        end = scan(octets, position)
        bounds.append((position, end))
        position = end
    return bounds
