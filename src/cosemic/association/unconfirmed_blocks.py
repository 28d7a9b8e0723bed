"""General block transfer of what is not confirmed: cut by the sender, joined by the receiver, nothing acknowledged
(IEC 62056-5-3; reference, application layer 16, "Unconfirmed").

::

    E0 control block-number 0000 data     window 0 in all blocks; streaming in all but the last (some: in the last too)

    block 1                            begins a message; what was not complete is dropped
    the next one                       joined
    the one that came last, again      passed over
    any other                          the message is dropped, and what follows of it passed over

What is joined is the whole APDU, protected before it was cut.
"""

from __future__ import annotations

from typing import Final

from cosemic.apdu import BlockControl, GeneralBlockTransfer
from cosemic.errors import ProtocolError, ServiceFailed

GENERAL_BLOCK_TRANSFER: Final = 0xE0
_HEADER: Final = 7
"""Octets of a general-block-transfer APDU beside its data, where the length takes one octet."""
_MOST_BLOCKS: Final = 0xFFFF


def cut(octets: bytes, max_pdu_size: int, *, last_streaming: bool = False) -> list[bytes]:
    """Return an APDU in blocks that are no longer than ``max_pdu_size`` octets, 12 or more.

    last_streaming: the last block says that more follow, as all others do. Raises ServiceFailed for more than 65535
    blocks.
    """
    size = max_pdu_size - _HEADER
    if size > 127:  # the length of the data takes two octets, or three
        size -= 1 if size <= 256 else 2
    count = -(-len(octets) // size)
    if count > _MOST_BLOCKS:
        raise ServiceFailed(f"{count} blocks of {size} octets are too many: 65535 at most", label="pdu-too-long")
    blocks = []
    for number in range(1, count + 1):
        last = number == count
        control = BlockControl.of(last_block=last, streaming=not last or last_streaming, window=0)
        data = octets[(number - 1) * size : number * size]
        blocks.append(GeneralBlockTransfer(control, number, 0, data).encode())
    return blocks


def is_unconfirmed(block: GeneralBlockTransfer) -> bool:
    """Whether a block belongs to a transfer that nobody acknowledges."""
    return block.block_control.window == 0 and block.block_number_ack == 0


class UnconfirmedBlocks:
    """Joins blocks; holds ``most`` octets at most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._joined = bytearray()
        self._last = 0

    @property
    def held(self) -> int:
        """Octets of the message that is under way."""
        return len(self._joined)

    @property
    def under_way(self) -> bool:
        """Whether blocks of a message are still to come."""
        return self._last != 0

    def take(self, block: GeneralBlockTransfer) -> bytes | None:
        """Take a block; return the APDU that it completes.

        Raises ProtocolError where a message is dropped because of it: a block is missing, or it is too long.
        """
        number = block.block_number
        if number == 1:
            self.drop()
        elif not self._last or number == self._last:
            return None
        elif number != self._last + 1:
            missed = self._last + 1
            self.drop()
            raise ProtocolError(f"block {number} came in place of block {missed}: the notification is lost")
        if len(self._joined) + len(block.block_data) > self._most:
            self.drop()
            raise ProtocolError(f"the blocks of a notification are longer than {self._most} octets together")
        self._joined += block.block_data
        self._last = number
        if not block.block_control.last_block:
            return None
        whole = bytes(self._joined)
        self.drop()
        return whole

    def drop(self) -> None:
        """Forget what was not complete."""
        self._joined.clear()
        self._last = 0
