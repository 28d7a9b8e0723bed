"""General block transfer of confirmed services, sans-IO (IEC 62056-5-3; reference, application layer 16).

::

    client                                       server
    request, plain                        -->
                                          <--    block 1, not streaming
    acknowledgement 1: up to 1, window w  -->
                                          <--    blocks 2 ... w+1, all but the last streaming
    acknowledgement 2: up to w+1          -->    ... until the last block, which is not acknowledged

A request that is long goes the same way, block 1 alone, since the window of the server is not known. Its last block
passes the turn; the answer begins with up to a window of blocks, numbered after the acknowledgements that were sent.

What comes without streaming passes the turn. Who has it::

    has blocks that are not acknowledged   sends as many of them as the other side takes, from the first of these on
    waits for blocks                       acknowledges what is complete; where one is missing, it asks for that alone
                                           with window 1, or for all from there on (``Dialect.block_recovery``)
    has everything                         has nothing to do

Blocks that are kept are dropped when they come again. On media that double and delay, each turn is taken once: what is
older than what was sent last passes none, or the two sides would send every window for every double ever after. A
server that hears nothing but repetitions takes the turn all the same after :data:`QUIET` seconds.

An acknowledgement that is lost leaves a gap before the first block of an answer, which nobody can fill. It is asked for
with window 1: the block that comes is the lowest there is.

Bounds: ``most`` octets, a window of blocks ahead, :data:`MOST_AT_ONCE` octets sent in one turn; turns without progress
end the transfer after ``retries`` of them with an abort (LB=1, STR=0, BN=0, BNA=0).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cosemic.apdu import BlockControl, GeneralBlockTransfer
from cosemic.association.blocks import LARGEST_NUMBER, IncomingBlocks, OutgoingBlocks, block_size
from cosemic.dialect import BlockRecovery
from cosemic.errors import CosemicError, ProtocolError

QUIET: Final = 0.25
"""Seconds within which doubles come."""
MOST_AT_ONCE: Final = 1 << 18
"""Octets that one turn sends at most, however large the window; one block in any case."""
ABORT: Final = GeneralBlockTransfer(BlockControl.of(last_block=True, streaming=False, window=0), 0, 0, b"").encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTerms:
    """How one side transfers blocks.

    window: blocks that it takes at a time, 1 to 63. room: octets of the longest APDU that the other side takes. most:
    octets of an APDU that it takes in blocks. retries: turns in a row without progress. recovery: how it asks for what
    is missing. lossy: the medium doubles and delays, so that what cannot be is late.
    """

    window: int
    room: int
    most: int
    retries: int
    recovery: BlockRecovery = BlockRecovery.GO_BACK
    lossy: bool = False


class BlockExchange:
    """One request and its answer, so far as they are sent in blocks.

    asks: this side is the client, which acknowledges with last-block set, for it has nothing to send any more. seal:
    puts each block into an envelope of its own. What is to be sent is in ``due``, in order.
    """

    def __init__(self, terms: BlockTerms, *, asks: bool, seal: Callable[[bytes], bytes] | None = None) -> None:
        self.due: deque[bytes] = deque()
        self.seal = seal
        self.heard = False
        """Whether anything has come in blocks."""
        self.moved = False
        """Whether what came last was new, or has passed the turn."""
        self.answering = False
        """Whether nothing is awaited of the other side any more but acknowledgements."""
        self.aborted = False
        """Whether this side has ended it; nothing but the abort is due then."""
        self._terms = terms
        self._asks = asks
        self._incoming = IncomingBlocks(terms.most, terms.window)
        self._outgoing: OutgoingBlocks | None = None
        self._next = 1
        """Number of the next block or acknowledgement."""
        self._sent = 0
        """Highest number sent."""
        self._sent_at = 0.0
        self._acknowledged = 0
        """Highest number that the other side has acknowledged."""
        self._peer_window = 1
        """What the other side takes; one block before it has said more."""
        self._highest = 0
        """Highest number that came."""
        self._granted = terms.window
        """Last number of the window that the other side was given."""
        self._exact = False
        """The other side names the acknowledgement that it answers."""
        self._probe = -1
        """Number of the acknowledgement that asks for the lowest block there is."""
        self._mark: tuple[int, int] | None = None
        """What had been reached when the turn was taken last."""
        self._tries = 0
        self._restarts = 0

    # ---- what is sent -----------------------------------------------------------------------------------------------

    def send(self, apdu: bytes, now: float = 0.0) -> None:
        """Take the APDU of this side; its first blocks are due. Raises ServiceFailed where it is too long."""
        self._outgoing = OutgoingBlocks(apdu, block_size(self._terms.room), self._next)
        self._next = self._outgoing.last + 1
        self.answering = not self._asks
        self._tries = 0
        self._mark = self._reached
        self._send_window(self._outgoing, now)

    def again(self, now: float = 0.0) -> bool:
        """Say what was said last once more; False where that was often enough: the transfer is aborted then."""
        try:
            self._take_turn(now)
        except CosemicError:  # nor can it be protected where counters fail
            return False
        return True

    def abort(self) -> None:
        """Tell the other side that this is over."""
        self.aborted = True
        self.due.clear()
        self._put(ABORT)

    @property
    def finished(self) -> bool:
        """Whether every block of this side was sent, and nothing but acknowledgements is awaited."""
        outgoing = self._outgoing
        return self.answering and (outgoing is None or self._sent >= outgoing.last)

    @property
    def sending(self) -> bool:
        """Whether blocks of this side have not been sent yet."""
        return self._outgoing is not None and self._sent < self._outgoing.last

    @property
    def acknowledged(self) -> bool:
        """Whether a block of this side has reached the other one."""
        return self._acknowledged > 0

    def _send_window(self, outgoing: OutgoingBlocks, now: float) -> None:
        first = max(self._acknowledged + 1, outgoing.first)
        window = min(self._peer_window, max(MOST_AT_ONCE // self._terms.room, 1))
        end = min(first + window - 1, outgoing.last)
        self.due.clear()
        for number in range(first, end + 1):
            self._put(
                outgoing.block(
                    number,
                    streaming=number < end,
                    window=self._terms.window,
                    acknowledged=self._incoming.last,
                )
            )
        self._sent = max(self._sent, end)
        self._sent_at = now

    def _acknowledge(self, now: float) -> None:
        incoming, window = self._incoming, self._terms.window
        number = min(self._next, LARGEST_NUMBER)
        self._next = number + 1
        # Only what took several turns to be asked for can have been acknowledged in between.
        hidden = incoming.first is None and self._outgoing is not None and self._outgoing.last > 1
        if incoming.gap and (hidden or self._terms.recovery is BlockRecovery.SINGLE_FETCH):
            window = 1
        self._probe = number if incoming.gap and hidden else -1
        control = BlockControl.of(last_block=self._asks, streaming=False, window=window)
        self.due.clear()
        self._put(GeneralBlockTransfer(control, number, incoming.last, b"").encode())
        self._sent = number
        self._sent_at = now
        self._granted = incoming.last + window

    def _put(self, apdu: bytes) -> None:
        self.due.append(apdu if self.seal is None else self.seal(apdu))

    # ---- what comes -------------------------------------------------------------------------------------------------

    def begins_anew(self, block: GeneralBlockTransfer) -> bool:
        """Whether block 1 of a request is that of another one than the present, seen by the server."""
        if not self._incoming.is_first(block.block_data):
            return True
        return self.finished and not self._terms.lossy

    def receive(self, block: GeneralBlockTransfer, now: float = 0.0) -> bytes | None:
        """Take a block or an acknowledgement; return the APDU of the other side once it is complete.

        Raises ProtocolError where the transfer is over: the other side has aborted it, broken a rule, or gets nowhere;
        an abort is due then, unless it came from there.
        """
        self.moved = False
        if not self._sent and block.block_number_ack:
            # Nothing was sent that it could acknowledge: some name the last block of the transfer before (pydlms).
            block = GeneralBlockTransfer(block.block_control, block.block_number, 0, block.block_data)
        control, number, data = block.block_control, block.block_number, block.block_data
        if is_abort(block):
            self.due.clear()
            raise ProtocolError("the other side has aborted the block transfer: ask again")
        if number == 0 or block.block_number_ack > self._sent:
            if self._terms.lossy:
                return None
            raise self._refused(f"block {number} acknowledges {block.block_number_ack}, {self._sent} was sent last")
        self.heard = True
        advanced = block.block_number_ack > self._acknowledged
        self._acknowledged = max(self._acknowledged, block.block_number_ack)
        unheard = number > self._highest or advanced
        if unheard or number == self._highest:
            self._peer_window = control.window or 1  # what is older says no more what the other side takes
        self._highest = max(self._highest, number)
        incoming = self._incoming
        acknowledges = not data and (self.answering or incoming.first is None)
        if acknowledges:
            incoming.acknowledged(number)
        elif self._asks and incoming.begins_anew(number, data):
            incoming = self._begin_anew()
        new = not (acknowledges or self.answering) and self._take(incoming, block)
        if incoming.complete and not self.answering:
            if self.sending:
                raise self._refused("the meter answered before it had the whole request: ask again")
            self.answering = self.moved = True
            return incoming.joined()
        self.moved = new
        streaming = control.streaming and not control.last_block and (number < self._granted or incoming.first is None)
        if not streaming and self._passes_turn(block, new, unheard and acknowledges, now):
            self.moved = True
            self._take_turn(now)
        return None

    def _take(self, incoming: IncomingBlocks, block: GeneralBlockTransfer) -> bool:
        """Take a block with data, or an empty one among them; whether it is new."""
        control, number = block.block_control, block.block_number
        unbegun = incoming.first is None
        try:
            new = incoming.take(number, block.block_data, last_block=control.last_block)
        except ProtocolError:
            self.abort()
            raise
        answers = block.block_number_ack == self._probe and not control.streaming
        if incoming.first is None and incoming.gap and answers and number == incoming.lowest_kept:
            incoming.begin_with(number)
        if unbegun and incoming.first is not None:
            self._granted = max(self._granted, incoming.first - 1 + self._terms.window)
        return new

    def _begin_anew(self) -> IncomingBlocks:
        """Take the other side at its word that its APDU is another one now: the last one asked for."""
        self._restarts += 1
        if self._terms.lossy or self._restarts > self._terms.retries:
            raise self._refused("the answer was begun anew in the middle: ask again")
        self._incoming = IncomingBlocks(self._terms.most, self._terms.window)
        return self._incoming

    def _passes_turn(self, block: GeneralBlockTransfer, new: bool, acknowledgement: bool, now: float) -> bool:
        """Whether the turn is this side's now: not for what is doubled, or older than what was sent last."""
        own = self._outgoing.last if self._outgoing is not None else 0
        if block.block_number_ack > own:
            self._exact = True
        if block.block_number_ack == self._sent or acknowledgement or (new and not self._exact):
            return True
        return not self._asks and now - self._sent_at >= QUIET

    def _take_turn(self, now: float) -> None:
        """Do what is next. Raises ProtocolError where the transfer gets nowhere."""
        outgoing = self._outgoing
        sending = outgoing is not None and self._acknowledged < outgoing.last
        if not sending and self.answering:
            return
        reached = self._reached
        self._tries = self._tries + 1 if reached == self._mark else 0
        self._mark = reached
        if self._tries > (self._terms.retries if self.heard or self._terms.lossy else 0):
            raise self._refused(f"the block transfer got no further in {self._tries} attempts: check the line")
        if sending:
            assert outgoing is not None
            self._send_window(outgoing, now)
        else:
            self._acknowledge(now)

    @property
    def _reached(self) -> tuple[int, int]:
        """Blocks of this side that are acknowledged, and of the other that are complete."""
        own = 0 if self._outgoing is None else min(self._acknowledged, self._outgoing.last)
        return own, self._incoming.last if self._incoming.first is not None else 0

    def _refused(self, why: str) -> ProtocolError:
        self.abort()
        return ProtocolError(why)


def is_abort(block: GeneralBlockTransfer) -> bool:
    """Whether this ends a transfer: LB=1, STR=0, BN=0, BNA=0, without data."""
    control = block.block_control
    return (
        control.last_block
        and not control.streaming
        and not (block.block_number or block.block_number_ack or block.block_data)
    )
