"""One APDU in blocks, on its way out and on its way in (IEC 62056-5-3; reference, application layer 16).

::

    OutgoingBlocks     one APDU, cut: block ``first`` to block ``last``
    IncomingBlocks     what has come of the peer's: ``last`` is the highest number in order, later ones are kept

Numbers go from 1 to 65535; an acknowledgement takes one too, so that an answer seldom begins with block 1.
"""

from __future__ import annotations

from typing import Final

from cosemic.apdu import BlockControl, GeneralBlockTransfer
from cosemic.association.settings import LARGEST_WINDOW
from cosemic.association.transfers import block_room
from cosemic.errors import ProtocolError, ServiceFailed

GENERAL_BLOCK_TRANSFER: Final = 0xE0
LARGEST_NUMBER: Final = 0xFFFF
"""Of a block."""
_LONGEST_PROTECTION: Final = 64
"""Octets that protection adds to an APDU at the most."""
_EMPTY_BLOCK: Final = 7
"""Octets of a general-block-transfer APDU without data."""


def block_size(room: int) -> int:
    """Return the octets of data in a general-block-transfer APDU of at most ``room`` octets."""
    return block_room(_EMPTY_BLOCK, room)


def blocks_room(max_pdu_size: int) -> int:
    """Return the octets of the longest plain APDU that can be sent in blocks to who takes ``max_pdu_size`` of them."""
    return LARGEST_NUMBER * max(block_size(max_pdu_size or 0xFFFF), 0) - _LONGEST_PROTECTION


class OutgoingBlocks:
    """An APDU in blocks of ``size`` octets, numbered from ``first`` on.

    Raises ServiceFailed where it needs more blocks than can be numbered.
    """

    __slots__ = ("_octets", "_size", "first", "last")

    def __init__(self, octets: bytes, size: int, first: int) -> None:
        self._octets = octets
        self._size = size
        self.first = first
        count = -(-len(octets) // size) if size > 0 else LARGEST_NUMBER + 1
        self.last = first + count - 1
        if self.last > LARGEST_NUMBER:
            raise ServiceFailed(
                f"{len(octets)} octets take more than {LARGEST_NUMBER} blocks of the size that the other side takes: "
                "ask for less at a time",
                label="pdu-too-long",
            )

    def block(self, number: int, *, streaming: bool, window: int, acknowledged: int) -> bytes:
        """Return a block as APDU. window, acknowledged: what its sender can take, and has got."""
        control = BlockControl.of(last_block=number == self.last, streaming=streaming, window=window)
        at = (number - self.first) * self._size
        return GeneralBlockTransfer(control, number, acknowledged, self._octets[at : at + self._size]).encode()


class IncomingBlocks:
    """What has come of one APDU; holds ``most`` octets of it at most, and blocks ``ahead`` of the last one in order."""

    __slots__ = ("_ahead", "_held", "_kept", "_most", "_parts", "_whole", "final", "first", "last")

    def __init__(self, most: int, ahead: int) -> None:
        self._most = most
        self._ahead = ahead
        self.last = 0
        """Highest number in order, of blocks and acknowledgements."""
        self.first: int | None = None
        """Number of the first block; None before it has come."""
        self.final: int | None = None
        """Number of the last block, once it is known."""
        self._parts: list[bytes] = []
        self._kept: dict[int, bytes] = {}
        """Blocks behind a gap."""
        self._held = 0
        self._whole = False

    @property
    def complete(self) -> bool:
        """Whether every block has come."""
        return self._whole

    @property
    def gap(self) -> bool:
        """Whether blocks have come behind one that has not."""
        return bool(self._kept)

    @property
    def lowest_kept(self) -> int:
        """Lowest number behind the gap."""
        return min(self._kept)

    def acknowledged(self, number: int) -> None:
        """Count an acknowledgement of the peer, which has no data: it sends them only where no block of it is open."""
        self.last = max(self.last, number)

    def begins_anew(self, number: int, data: bytes) -> bool:
        """Whether a block is the first one once more, with other contents: it is that of another APDU."""
        return number == self.first and data != self._parts[0]

    def is_first(self, data: bytes) -> bool:
        """Whether the first block has these contents."""
        return self.first is not None and data == self._parts[0]

    def take(self, number: int, data: bytes, *, last_block: bool) -> bool:
        """Take a block; return whether it is new.

        Raises ProtocolError where it is another one than before, empty, comes after the last, or is too much.
        """
        if self.first is None:
            # Some count their acknowledgements not at all, so that the answer begins with a number they had before.
            self.last = min(self.last, number - 1)
        elif number <= self.last:
            at = number - self.first
            if 0 <= at < len(self._parts) and data != self._parts[at]:
                raise _changed(number)
            return False
        if (kept := self._kept.get(number)) is not None:
            if kept != data:
                raise _changed(number)
            return False
        if number > self.last + self._ahead + (LARGEST_WINDOW if self.first is None else 0):
            return False
        if not data and not last_block:
            raise ProtocolError(f"block {number} has no data and is not the last: the transfer need not end")
        if self.final is not None and (number > self.final or last_block):
            raise ProtocolError(f"block {number} came, where block {self.final} was said to be the last")
        self._held += len(data)
        if self._held > self._most:
            raise ProtocolError(f"the blocks are longer than {self._most} octets together: raise the limit")
        if last_block:
            if self._kept and max(self._kept) > number:
                raise ProtocolError(f"block {number} is said to be the last, and later ones have come")
            self.final = number
        self._kept[number] = data
        self._join()
        return True

    def begin_with(self, number: int) -> None:
        """Learn that this block, which is kept behind a gap, is the first one: the peer has sent none before it."""
        self.last = number - 1
        self._join()

    def joined(self) -> bytes:
        """Return the APDU; of its blocks the first alone is held any longer, to be known again."""
        octets = b"".join(self._parts)
        del self._parts[1:]
        return octets

    def _join(self) -> None:
        """Take over what follows the last block in order."""
        number = self.last + 1
        while (data := self._kept.pop(number, None)) is not None:
            if self.first is None:
                self.first = number
            self._parts.append(data)
            number += 1
        self.last = number - 1
        self._whole = self.final is not None and self.last >= self.final


def _changed(number: int) -> ProtocolError:
    return ProtocolError(f"block {number} came again with other contents: ask again")
