"""Frames of the wireless M-Bus (EN 13757-4), as a radio module hands them to a host.

::

    frame            L C M (2) A (6) | CI and what follows
    format A         first block 10 octets, CRC, then blocks of 16 octets (the last one of what is left), each with CRC;
                     L counts C to the end without the CRCs
    format B         first and second block together up to 126 octets, CRC, then the rest, CRC, where there is more;
                     L counts C to the end with the CRCs
    stripped         the module has checked the CRCs and taken them away; L counts C to the end

The CRC is that of EN 13757-4: polynomial 3D65, start 0, inverted, high octet first; the check value of ``123456789`` is
C2B7. M and A are the address of the sender. C as in :mod:`~cosemic.link.mbus.frame`, and from meters SND_NR 44 (send,
no reply), SND_IR 46 (installation request), ACC_NR 47 (access, no reply).

Modules differ in whether they correct L of a format B frame when they take away its CRCs; one that leaves it is
``STRIPPED_B``, and has to be named, because such a frame looks like one that was cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.contract import Octets
from cosemic.link.mbus.header import DeviceAddress

FIRST_BLOCK: Final = 10
"""L, C, M and A."""
BLOCK_A: Final = 16
BLOCKS_B: Final = 126
"""Octets of format B before its first CRC: the first block and up to 116 of the second."""
CRC_LENGTH: Final = 2
MAX_LENGTH: Final = 255

_POLYNOMIAL: Final = 0x3D65


def _table_entry(octet: int) -> int:
    register = octet << 8
    for _ in range(8):
        register = register << 1 ^ (_POLYNOMIAL if register & 0x8000 else 0)
    return register & 0xFFFF


_TABLE: Final = tuple(map(_table_entry, range(256)))


def crc(octets: Octets) -> int:
    """Return the CRC of EN 13757-4."""
    register = 0
    for octet in octets:
        register = register << 8 & 0xFFFF ^ _TABLE[register >> 8 ^ octet]
    return register ^ 0xFFFF


class WirelessFormat(Enum):
    """How a frame is cut into blocks."""

    A = "A"
    B = "B"
    STRIPPED = "stripped"
    STRIPPED_B = "stripped-b"
    """CRCs of format B taken away, L still counting them."""


@dataclass(frozen=True, slots=True)
class WirelessFrame:
    """A frame without its CRCs: ``payload`` begins with the CI field, ``sender`` is M and A."""

    c: int
    sender: DeviceAddress
    payload: bytes

    def encode(self, format: WirelessFormat = WirelessFormat.A) -> bytes:
        """Return the frame. Raises EncodeError where it is longer than the length field can say."""
        if not 0 <= self.c <= 0xFF:
            raise EncodeError(f"C of an M-Bus frame is an octet, not {self.c}")
        content = bytes((self.c,)) + self.sender.encode_radio() + self.payload
        length = len(content)
        if format in _COUNTING_CRCS:
            length += CRC_LENGTH * len(_blocks(1 + length, WirelessFormat.B))
        if length > MAX_LENGTH:
            raise EncodeError(f"a wireless M-Bus frame has at most {MAX_LENGTH} octets behind L, not {length}")
        frame = bytes((length,)) + content
        encoded, start = b"", 0
        for end in _blocks(len(frame), format):
            block = frame[start:end]
            encoded += block + crc(block).to_bytes(CRC_LENGTH, "big")
            start = end
        return encoded or frame


def decode_wireless(octets: Octets, format: WirelessFormat | None = None) -> tuple[WirelessFrame, WirelessFormat]:
    """Read one frame; return it and the format that it has.

    ``format`` None: A, B and stripped are tried, told apart by the length, and the last two by the CRCs. Raises
    DecodeError where the length or a CRC is wrong.
    """
    received = bytes(octets)
    if not received:
        raise DecodeError("a wireless M-Bus frame", 0, "wmbus")
    tried = (WirelessFormat.A, WirelessFormat.B, WirelessFormat.STRIPPED) if format is None else (format,)
    fitting = [each for each in tried if _octets(received[0], each) == len(received)]
    if not fitting:
        raise DecodeError(f"as many octets as L {received[0]} says, not {len(received)}", 0, "wmbus.length")
    for each in fitting:
        content = _without_crcs(received, each)
        if content is not None:
            sender = DeviceAddress.decode_radio(content[2:FIRST_BLOCK])
            return WirelessFrame(content[1], sender, content[FIRST_BLOCK:]), each
    raise DecodeError(f"right CRCs of a wireless M-Bus frame of format {fitting[0].value}", 0, "wmbus.crc")


_COUNTING_CRCS: Final = frozenset((WirelessFormat.B, WirelessFormat.STRIPPED_B))


def _blocks(length: int, format: WirelessFormat) -> list[int]:
    """Return where the blocks end that a CRC follows, in a frame of so many octets without CRCs."""
    if format is WirelessFormat.A:
        return [FIRST_BLOCK, *range(FIRST_BLOCK + BLOCK_A, length, BLOCK_A), length]
    if format is WirelessFormat.B:
        return [length] if length <= BLOCKS_B else [BLOCKS_B, length]
    return []


def _octets(length_field: int, format: WirelessFormat) -> int | None:
    """Return how many octets a frame with this L has, None where no frame has it."""
    length = length_field + 1
    if format in _COUNTING_CRCS:
        length -= _counted_crcs(length)
        if length_field + 1 != length + CRC_LENGTH * len(_blocks(length, WirelessFormat.B)):
            return None
    return length + CRC_LENGTH * len(_blocks(length, format)) if length > FIRST_BLOCK else None


def _counted_crcs(length: int) -> int:
    """Return how many octets of a format B frame of so many octets are CRCs."""
    return CRC_LENGTH if length <= BLOCKS_B + CRC_LENGTH else 2 * CRC_LENGTH


def _without_crcs(received: bytes, format: WirelessFormat) -> bytes | None:
    """Return the octets without CRCs, None where one is wrong."""
    length = received[0] + 1
    if format is WirelessFormat.B:
        length -= _counted_crcs(length)
    content = b""
    offset = 0
    for end in _blocks(length, format):
        block = received[offset : offset + end - len(content)]
        offset += len(block) + CRC_LENGTH
        if crc(block) != int.from_bytes(received[offset - CRC_LENGTH : offset], "big"):
            return None
        content += block
    return content or received
