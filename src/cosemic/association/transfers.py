"""Long transfers as the server sees them (IEC 62056-5-3; reference, application layer 15).

::

    LongAnswer     raw data that is fetched block by block (get-request-next, action-request-next-pblock)
    LongRequest    raw data that comes block by block (set-request-with-datablock, action-request-with-pblock)

At most one of each kind is open in an association; a new request abandons it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cosemic.apdu import DataBlockG, DataBlockSA
from cosemic.association.service_provider import Access


@dataclass(slots=True)
class LongAnswer:
    """Raw data on its way out: ``number`` is that of the block sent last.

    ``access`` is that of the request: every block is protected as its answer must be.
    """

    access: Access
    raw: bytes
    room: int
    at: int = 0
    number: int = 0
    last: tuple[bool, int, bytes] = (False, 0, b"")

    def allows(self, access: Access) -> bool:
        """Whether a block is asked for with no less protection than the whole was: rights may depend on it."""
        return not self.access.applied & ~access.applied and access.third_party == self.access.third_party

    def next_block(self, access: Access) -> tuple[bool, int, bytes]:
        """Cut the next block: whether it is the last, its number, its octets."""
        access.require_response(self.access.response)
        piece = self.raw[self.at : self.at + self.room]
        self.at += len(piece)
        self.number += 1
        self.last = (self.at >= len(self.raw), self.number, piece)
        return self.last

    def same_block(self, access: Access) -> tuple[bool, int, bytes]:
        """Give the last block again."""
        access.require_response(self.access.response)
        return self.last

    @property
    def finished(self) -> bool:
        """Whether the last block has been cut."""
        return self.number > 0 and self.at >= len(self.raw)


def block_room(empty_block: int, room: int) -> int:
    """Octets of raw data in an APDU of at most ``room`` octets that takes ``empty_block`` without any."""
    free = room - empty_block
    return free if free < 128 else free - (free.bit_length() + 7) // 8


def empty_block_g(make: Callable[[DataBlockG], Any]) -> int:
    """Octets of a get-response-with-datablock without raw data."""
    return len(make(DataBlockG(False, 1, b"")).encode())


def empty_block_sa(make: Callable[[DataBlockSA], Any]) -> int:
    """Octets of an APDU with an empty DataBlock-SA."""
    return len(make(DataBlockSA(False, 1, b"")).encode())


@dataclass(slots=True)
class LongRequest:
    """Raw data on its way in, and what is done with it when it is complete.

    ``access`` holds the least protection of all blocks. ``expected`` is the number of the next block; ``most`` bounds
    the octets held.
    """

    access: Access
    finish: Callable[[bytes], Any]
    is_list: bool
    most: int
    expected: int = 1
    total: int = 0
    parts: list[bytes] = field(default_factory=list)

    def take(self, block: DataBlockSA, access: Access) -> bool:
        """Take a block; False when it is out of turn or too much. Nothing is executed before the last block."""
        self.access.applied &= access.applied
        self.total += len(block.raw_data)
        if block.block_number != self.expected or self.total > self.most:
            return False
        if access.third_party != self.access.third_party:
            return False
        if block.raw_data:  # of what is empty any number may come
            self.parts.append(block.raw_data)
        self.expected += 1
        return True

    def raw(self) -> bytes:
        """All blocks, joined once."""
        return b"".join(self.parts)
