"""Lengths of A-XDR (IEC 61334-6) and BER, the same octets in both.

::

    00..7F          the length itself
    81 xx .. 84 xxxxxxxx      one to four octets of length follow

Non-minimal forms occur in the field and are read; the minimal form is sent. The indefinite form ``80`` is refused.
"""

from __future__ import annotations

import struct
from typing import Final

from cosemic.errors import DecodeError

SHORT: Final = tuple(bytes((n,)) for n in range(128))
_TWO_OCTETS: Final = struct.Struct(">BH").pack


def encode_length(number: int) -> bytes:
    """Return the minimal form of a length or count."""
    if number < 128:
        return SHORT[number]
    if 255 < number < 65536:
        return _TWO_OCTETS(0x82, number)
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def long_length(buffer: bytes, position: int, first: int) -> tuple[int, int]:
    """Read the rest of a length whose first octet, ``first``, is above 7F; ``position`` stands behind that octet.

    Returns the length and the position behind it. Raises DecodeError when it is cut off, indefinite or of more than
    four octets.
    """
    count = first & 0x7F
    if not 1 <= count <= 4:
        raise DecodeError(f"a length of one to four octets, not the form {first:02x}", position - 1)
    end = position + count
    if end > len(buffer):
        raise DecodeError(f"{end - len(buffer)} more octets of a length", len(buffer))
    return int.from_bytes(buffer[position:end], "big"), end


def read_length(buffer: bytes, position: int) -> tuple[int, int]:
    """Read a length at ``position``: the length and the position behind it."""
    if position >= len(buffer):
        raise DecodeError("a length", len(buffer))
    first = buffer[position]
    if first < 128:
        return first, position + 1
    return long_length(buffer, position + 1, first)
