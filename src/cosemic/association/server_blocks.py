"""General block transfer between the protection of a server's association and its lower layer (IEC 62056-5-3;
reference, application layer 16).

::

    request that came in blocks           answered in blocks, however short the answer is
    request that came as it is            answered as it is, where the answer fits into one APDU, else in blocks
    block 1 of another request            begins anew; what was open is dropped
    block of no open transfer             refused with an abort; an acknowledgement is passed over
    window 0, acknowledging nothing       joined as it comes, and never acknowledged: unconfirmed services
    longer than max-receive-pdu-size      exception-response pdu-too-long

The request may be as long as ``ServerSettings.max_transfer``, and is deciphered when it is whole. The answer is kept
until the next request, or until nothing was heard of the client for ``(1 + block_retries) * block_timeout``; a request
that stays incomplete for so long is aborted.

Where answers are kept (:mod:`cosemic.association.kept_answers`), what cannot be is taken for late, and a request that
comes again while its answer is on the way gets the same blocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from cosemic.apdu import GeneralBlockTransfer
from cosemic.association.blocks import GENERAL_BLOCK_TRANSFER
from cosemic.association.client_blocks import least, sealing
from cosemic.association.general_block_transfer import ABORT, BlockExchange, BlockTerms, is_abort
from cosemic.association.service_provider import Agreement, ServerSettings
from cosemic.association.settings import plain_room
from cosemic.association.unconfirmed_blocks import UnconfirmedBlocks, is_unconfirmed
from cosemic.dialect import Quirk
from cosemic.errors import CosemicError, ProtocolError
from cosemic.security import SecurityContext, Unprotected
from cosemic.values import Conformance

TAG: Final = GENERAL_BLOCK_TRANSFER


class ServerBlocks:
    """Joins what a server gets and cuts what it answers; ``due`` is what it has to send, in order."""

    def __init__(self, settings: ServerSettings) -> None:
        self.due: deque[bytes] = deque()
        self.asked = False
        """Whether the request at hand came in blocks."""
        self._settings = settings
        self._terms: BlockTerms | None = None
        self._whole = 0
        self._sealed = False
        self._exchange: BlockExchange | None = None
        self._one_way = UnconfirmedBlocks(0)
        self._seal: Callable[[bytes], bytes] | None = None
        self._opened: dict[bool, Unprotected] = {}
        """The least protection of the blocks of the open transfer: of what nobody acknowledges, and of what is."""
        self._now = 0.0
        self._heard_at = 0.0

    def agree(self, agreement: Agreement, settings: ServerSettings) -> None:
        """Learn what was agreed upon."""
        self.drop()
        self._settings = settings
        self._terms = None
        if not agreement.conformance & Conformance.GENERAL_BLOCK_TRANSFER:
            return
        self._whole = agreement.max_send_pdu_size or 0xFFFF
        ciphered = agreement.application_context.ciphered
        self._sealed = ciphered and Quirk.CIPHERED_BLOCKS in settings.dialect.quirks
        most = settings.largest_joined
        self._one_way = UnconfirmedBlocks(most)
        self._terms = BlockTerms(
            window=settings.block_window,
            room=plain_room(self._whole, protected=True, general=True) if self._sealed else self._whole,
            most=most,
            retries=settings.block_retries,
            recovery=settings.dialect.block_recovery,
            lossy=settings.keep_answers,
        )

    @property
    def agreed(self) -> bool:
        """Whether blocks are agreed upon."""
        return self._terms is not None

    def takes(self, tag: int, *, sealed: bool) -> bool:
        """Whether an APDU with this tag is a block, in the only form that is taken: sealed, or not, in an envelope."""
        return tag == TAG and self._terms is not None and sealed is self._sealed

    @property
    def answering(self) -> bool:
        """Whether an answer is on its way of which blocks are still to be sent, or handed out."""
        return bool(self.due) or (self._exchange is not None and self._exchange.sending)

    # ---- what comes -------------------------------------------------------------------------------------------------

    def at(self, now: float) -> None:
        """Another APDU has come."""
        self._now = now
        self.asked = False

    def receive(self, octets: bytes, *, to_all: bool) -> bytes | None:
        """Take a block; return the request that it completes. Raises DecodeError for what is no block."""
        block = GeneralBlockTransfer.decode(octets, self._settings.limits)
        self._heard_at = self._now
        terms = self._terms
        assert terms is not None
        if is_abort(block):
            self.drop()
            return None
        if to_all or is_unconfirmed(block):
            return self._take_one_way(block)
        exchange = self._exchange
        if block.block_number == 1 and block.block_data and (exchange is None or exchange.begins_anew(block)):
            exchange = self._begin(terms)
        if exchange is None:
            if block.block_data and not terms.lossy:
                self.due = deque((ABORT,))
            return None
        try:
            joined = exchange.receive(block, self._now)
        except CosemicError:
            self._exchange = None
            return None
        self.asked = joined is not None
        return joined

    def receive_sealed(self, opened: Unprotected, context: SecurityContext, *, to_all: bool) -> Unprotected | None:
        """Take a block that came in an envelope; return the request that it completes. Raises DecodeError."""
        block = GeneralBlockTransfer.decode(opened.plaintext, self._settings.limits)
        one_way = to_all or is_unconfirmed(block)
        before, self._seal = self._exchange, sealing(context, context.send)
        joined = self.receive(opened.plaintext, to_all=to_all)
        begins = block.block_number == 1 if one_way else self._exchange is not before
        known = None if begins else self._opened.get(one_way)
        opened = self._opened[one_way] = opened if known is None else least(known, opened)
        return None if joined is None else opened._replace(plaintext=joined)

    def _take_one_way(self, block: GeneralBlockTransfer) -> bytes | None:
        try:
            return self._one_way.take(block) or None
        except ProtocolError:
            return None

    def _begin(self, terms: BlockTerms) -> BlockExchange:
        exchange = self._exchange = BlockExchange(terms, asks=False, seal=self._seal)
        self.due = exchange.due
        return exchange

    # ---- what is sent -----------------------------------------------------------------------------------------------

    def reply(self, plain: bytes, protected: bytes, seal: Callable[[bytes], bytes] | None) -> bool:
        """Take an answer where it goes in blocks; False where it is sent as it is.

        seal: protects a block as the answer is to be. Raises ServiceFailed where it needs too many, CosemicError.
        """
        terms, exchange = self._terms, self._exchange if self.asked else None
        if terms is None or (exchange is None and len(protected) <= self._whole):
            self._exchange = None
            return False
        if exchange is None:
            exchange = self._begin(terms)
        self._heard_at = self._now
        exchange.seal = seal if self._sealed else None
        exchange.send(plain if self._sealed else protected, self._now)
        return True

    def goes_on(self) -> bool:
        """Whether the answer to the request that came again is on its way already; its first block is sent again."""
        exchange = self._exchange
        if exchange is None or self.asked:
            return False
        if not exchange.acknowledged:
            exchange.again(self._now)
        return True

    def refused(self) -> None:
        """The request at hand is answered with an error, which is never in blocks."""
        if self.asked:
            self._exchange = None

    def drop(self) -> None:
        """Forget the transfer; what is due goes out."""
        self._exchange = None
        self._one_way.drop()

    # ---- time -------------------------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        exchange, settings = self._exchange, self._settings
        if exchange is None:
            return None
        return self._heard_at + settings.block_timeout * (1 + settings.block_retries * exchange.answering)

    def tick(self, now: float) -> None:
        """Ask for what is missing, or forget what nobody fetches."""
        exchange, deadline = self._exchange, self.deadline()
        if exchange is None or deadline is None or now < deadline:
            return
        self._heard_at = now
        if exchange.answering or not exchange.again(now):
            self._exchange = None


__all__ = ["ServerBlocks", "sealing"]
