"""General block transfer between the protection of a client's association and its lower layer (IEC 62056-5-3;
reference, application layer 16).

::

    request --protect--> APDU --cut, where it is long--> blocks
    answer <--unprotect-- APDU <--joined-- blocks, where the server cuts it

A request that fits into one APDU is sent as it is, so that the answer to it comes as it is where it is short
(``Dialect.block_requests``: in one block). What is not confirmed is cut all the same, and nothing comes back.

Blocks with window 0 that acknowledge nothing are of a notification, and do not come here
(:mod:`cosemic.association.unsolicited`).

With :attr:`Quirk.CIPHERED_BLOCKS` in a ciphered association it is the other way round: cut first, each block in an
envelope of its own, and as little protected as the least protected block is what they join to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from cosemic.apdu import BlockControl, GeneralBlockTransfer
from cosemic.association.blocks import GENERAL_BLOCK_TRANSFER, blocks_room
from cosemic.association.general_block_transfer import BlockExchange, BlockTerms
from cosemic.association.settings import ClientSettings, plain_room
from cosemic.association.unconfirmed_blocks import cut
from cosemic.dialect import Quirk
from cosemic.errors import ProtocolError
from cosemic.security import Envelope, Protection, SecurityContext, Unprotected, is_ciphered
from cosemic.security.suite import CONTROLS
from cosemic.values import Conformance

_TAG: Final = bytes((GENERAL_BLOCK_TRANSFER,))
_CONTROL: Final = 1
"""Where block-control stands in a block."""


class ClientBlocks:
    """Cuts what a client sends and joins what it gets; ``due`` is what it has to send, in order."""

    def __init__(self, settings: ClientSettings) -> None:
        self.due: deque[bytes] = deque()
        self.agreed = False
        """Whether blocks are agreed upon."""
        self.moved = False
        """Whether what came last has brought the transfer further."""
        self.opened: Unprotected | None = None
        """What came last without its protection, where it was taken off here."""
        self._settings = settings
        self._sealed = settings.ciphered and Quirk.CIPHERED_BLOCKS in settings.dialect.quirks
        self._whole = 0
        """Octets of the longest APDU that the server takes; 0: any."""
        self._terms: BlockTerms | None = None
        self._exchange: BlockExchange | None = None
        self._abort_due = False
        """``due`` is the abort of the last transfer, until it was handed out."""
        self._blocks_opened: Unprotected | None = None
        """The least protection of the blocks of the open transfer."""

    @property
    def going_on(self) -> bool:
        """Whether a transfer is open of which the server has sent something."""
        return self._exchange is not None and self._exchange.heard

    @property
    def open(self) -> bool:
        """Whether a transfer is open."""
        return self._exchange is not None

    def begins_long(self, octets: bytes) -> bool:
        """Whether this is the first of several blocks."""
        if not self.agreed or self.open or octets[:1] != _TAG or len(octets) < _CONTROL + 1:
            return False
        return not BlockControl(octets[_CONTROL]).last_block

    def agree(self, agreed: Conformance, max_pdu_size: int, room: int) -> int:
        """Learn what was agreed upon; return the octets of the longest plain APDU, ``room`` where there are no blocks.

        max_pdu_size: server-max-receive-pdu-size.
        """
        settings = self._settings
        self.agreed = settings.general_blocks and bool(agreed & Conformance.GENERAL_BLOCK_TRANSFER)
        self._whole = max_pdu_size or 0xFFFF
        self.drop()
        if not self.agreed:
            return room
        of_a_block = plain_room(self._whole, protected=True, general=True) if self._sealed else self._whole
        self._terms = BlockTerms(
            window=settings.block_window,
            room=of_a_block,
            most=settings.limits.octets,
            retries=max(settings.block_retries, settings.repetitions),
            recovery=settings.dialect.block_recovery,
            lossy=settings.repetitions > 0,
        )
        return blocks_room(of_a_block)

    def send(self, plain: bytes, protected: bytes, context: SecurityContext | None, *, unconfirmed: bool) -> bytes:
        """Take a request; return it as it is sent, nothing where it goes in blocks: they are due.

        Raises ServiceFailed where it needs too many of them.
        """
        terms = self._terms
        self.drop()
        if terms is None or not self.agreed:
            return protected
        if len(protected) <= self._whole and (unconfirmed or not self._settings.dialect.block_requests):
            return protected
        if unconfirmed:
            streaming = self._settings.dialect.unconfirmed_last_block_streaming
            self.due = deque((*self.due, *cut(protected, self._whole, last_streaming=streaming)))
            self._abort_due = False
            return b""
        self._begin(terms, context).send(plain if self._sealed else protected)
        return b""

    def receive(self, octets: bytes, context: SecurityContext | None) -> bytes | None:
        """Take what came; return it, or the APDU that it completes, or None while more blocks are to come.

        Raises CosemicError where the transfer is over, or a block cannot be read or its protection taken off.
        """
        self.moved, self.opened = False, None
        if not self._sealed or context is None:
            return self._take(octets, context) if octets[:1] == _TAG else octets
        if not is_ciphered(octets) and octets[:1] != _TAG:
            return octets
        opened = context.unprotect_apdu(octets)
        self.opened = opened
        if opened.plaintext[:1] != _TAG:
            return opened.plaintext
        begun, self.opened = self._blocks_opened if self.open else None, None
        joined = self._take(opened.plaintext, context)
        self._blocks_opened = opened if begun is None else least(begun, opened)
        if joined is not None:
            self.opened = self._blocks_opened._replace(plaintext=joined)
        return joined

    def again(self) -> bool:
        """Nothing comes: send once more what the open transfer needs; False where there is none, or it is of no use."""
        return self._exchange is not None and self._exchange.again()

    def refuse_mixed(self) -> None:
        """Refuse an answer in one APDU where the server has begun with blocks, or has not got the whole request.

        Raises ProtocolError; an abort is due then.
        """
        exchange = self._exchange
        if exchange is not None and (exchange.heard or exchange.sending):
            exchange.abort()
            raise ProtocolError("the meter answered in one APDU in the middle of a block transfer: ask again")

    def drop(self) -> None:
        """Forget the transfer; an abort that is due goes out."""
        exchange, self._exchange = self._exchange, None
        self._abort_due = bool(self.due) and (self._abort_due or (exchange is not None and exchange.aborted))
        if not self._abort_due:
            self.due = deque()

    def _begin(self, terms: BlockTerms, context: SecurityContext | None) -> BlockExchange:
        seal = sealing(context, context.send) if self._sealed and context is not None else None
        exchange = self._exchange = BlockExchange(terms, asks=True, seal=seal)
        self._blocks_opened = None
        self._abort_due = False
        self.due = exchange.due
        return exchange

    def _take(self, octets: bytes, context: SecurityContext | None) -> bytes | None:
        block = GeneralBlockTransfer.decode(octets, self._settings.limits)
        exchange, terms = self._exchange, self._terms
        if terms is None:
            return None
        if exchange is None:
            if block.block_number != 1 or block.block_number_ack or not block.block_data:
                return None  # of a transfer that was given up
            exchange = self._begin(terms, context)
        joined = exchange.receive(block)
        self.moved = exchange.moved
        if joined is not None:
            self.drop()
        return joined


def sealing(context: SecurityContext, protection: Protection) -> Callable[[bytes], bytes]:
    """Return what puts each block into an envelope of its own."""
    envelope = Envelope.kind(dedicated=context.envelope.dedicated, general=True)
    return lambda apdu: context.protect_apdu(apdu, envelope, protection=protection)


def least(one: Unprotected, other: Unprotected) -> Unprotected:
    """Return the second with no more protection than both have had."""
    control = CONTROLS[int(one.security_control) & int(other.security_control)]
    return other._replace(
        authenticated=one.authenticated and other.authenticated,
        encrypted=one.encrypted and other.encrypted,
        security_control=control,
    )
