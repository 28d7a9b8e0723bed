"""Lies about general block transfer (IEC 62056-5-3; reference, application layer 16).

The answer to a request that is short comes as one block; the others are asked for by acknowledgements, two at a time
(``GENERAL_READING``). A request that is long goes the same way (``GENERAL_WRITING``); of a change that was not answered
the client can only say OutcomeUnknown. Whoever finds a rule broken aborts::

    E0 80 0000 0000 00
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from cosemic.apdu import BlockControl, GeneralBlockTransfer
from cosemic.errors import (
    DecipheringError,
    DecodeError,
    ExceptionReceived,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
)
from cosemic.faults.lies.lie import Fails, Family, Lie, Moment, Right, Says, Setting, Silent, Tell
from cosemic.faults.lies.scene import Said, Scene
from cosemic.faults.lies.telling import bare, instead, plain, wire

ABORT: Final = "e0800000000000"
_ABORTS: Final = Says(ABORT)
_TAG: Final = b"\xe0"
_RULE: Final = "16: on a protocol violation the transfer is aborted"
_RETRIES: Final = "16: the same acknowledgement again without progress, and the transfer is aborted"
_PIECE: Final = bytes(64)

_lie: Final = partial(Lie, family=Family.GENERAL_BLOCKS, setting=Setting.BLOCKS)
_reading: Final = partial(_lie, moment=Moment.GENERAL_READING)
_writing: Final = partial(_lie, moment=Moment.GENERAL_WRITING)
_Change = Callable[[GeneralBlockTransfer, Scene], "Sequence[bytes] | None"]


def _blocks(change: _Change) -> Tell:
    """Send other APDUs for a block or an acknowledgement; anything else is let pass."""

    def tell(said: Said, scene: Scene) -> Sequence[bytes] | None:
        return change(GeneralBlockTransfer.decode(said.apdu), scene) if said.apdu[:1] == _TAG else None

    return tell


def _with(block: GeneralBlockTransfer, **fields: Any) -> bytes:
    """A block with other fields: last, streaming, window, number, acknowledged, data."""
    control = block.block_control
    return GeneralBlockTransfer(
        BlockControl.of(
            last_block=fields.get("last", control.last_block),
            streaming=fields.get("streaming", control.streaming),
            window=fields.get("window", control.window),
        ),
        fields.get("number", block.block_number),
        fields.get("acknowledged", block.block_number_ack),
        fields.get("data", block.block_data),
    ).encode()


def _with_data(**fields: Any) -> Tell:
    """A block that brings something, with other fields; functions get the block."""

    def change(block: GeneralBlockTransfer, scene: Scene) -> Sequence[bytes] | None:
        if not block.block_data:
            return None
        return [_with(block, **{name: value(block) if callable(value) else value for name, value in fields.items()})]

    return _blocks(change)


def _acknowledging(**fields: Any) -> Tell:
    """An acknowledgement with other fields; functions get it."""

    def change(block: GeneralBlockTransfer, scene: Scene) -> Sequence[bytes] | None:
        if block.block_data:
            return None
        return [_with(block, **{name: value(block) if callable(value) else value for name, value in fields.items()})]

    return _blocks(change)


def _other(block: GeneralBlockTransfer) -> bytes:
    return bytes(octet ^ 0x55 for octet in block.block_data)


def _the_one_before(block: GeneralBlockTransfer, scene: Scene) -> Sequence[bytes]:
    """Nothing but block 1 again."""
    first = next(each for each in scene.said if each[:1] == _TAG)
    return [_with(GeneralBlockTransfer.decode(first), acknowledged=block.block_number_ack)]


def _endless(size: int) -> Tell:
    """Block after block from the one that is due on, and never the last; each passes the turn."""

    def change(block: GeneralBlockTransfer, scene: Scene) -> Sequence[bytes]:
        numbers = range(block.block_number, block.block_number + 500)
        return [_with(block, number=number, last=False, streaming=False, data=bytes(size)) for number in numbers]

    return _blocks(change)


def _one_way(numbers: Sequence[int], size: int = 64) -> list[bytes]:
    """Blocks that nobody acknowledges."""
    control = BlockControl.of(last_block=False, streaming=True, window=0)
    return [GeneralBlockTransfer(control, number, 0, bytes(size)).encode() for number in numbers]


def _sealed(said: Said, scene: Scene) -> Sequence[bytes] | None:
    """The block in an envelope of its own."""
    if said.apdu[:1] != _TAG:
        return None
    block = GeneralBlockTransfer.decode(said.apdu)
    return [scene.seals.general(_with(block, data=block.block_data[:100]))]


def _in_block(octets: bytes, scene: Scene) -> bytes:
    """A short APDU in one block that acknowledges the request."""
    return _TAG + b"\x81\0\1\0\1" + bytes((len(octets),)) + octets


_ANSWERS: Final = (
    _reading("gbt-acknowledged-ahead", "the acknowledgement of what was not sent yet", _RULE,
             tell=_with_data(acknowledged=9), server=Fails(ProtocolError)),
    _reading("gbt-block-beyond", "a block far beyond the window",
             "16: it is dropped; the one that is missing is asked for again",
             tell=_with_data(number=40), server=Right()),
    _reading("gbt-never-last", "a last block that says that more follow", "16: what is asked for behind it never comes",
             tell=_with_data(last=False), times=None, server=Fails(ResponseTimeout)),
    _reading("gbt-endless", "block after block, and never the last", "CL-08: the client stops at a limit",
             tell=_endless(240), server=Fails(ProtocolError)),
    _reading("gbt-last-early", "a block in the middle that says it is the last", "16: the joined octets are one APDU",
             tell=_with_data(last=True), server=Fails(DecodeError)),
    _reading("gbt-last-early-ciphered", "the same of a ciphered APDU", "16: protect first, then cut: its tag is wrong",
             tell=_with_data(last=True), setting=Setting.CIPHERED_BLOCKS, server=Fails(DecodeError)),
    _reading("gbt-block-changed", "a block twice, with other contents",
             "16: a repetition keeps its number, and its contents",
             tell=_blocks(lambda block, scene: [_with(block, data=_other(block), streaming=True), _with(block)]),
             server=Fails(ProtocolError)),
    _reading("gbt-octets-changed", "a block with other contents, in a ciphered association",
             "16: protect first, then cut: the tag is checked over the whole",
             tell=_with_data(data=_other), setting=Setting.CIPHERED_BLOCKS, server=Fails(DecipheringError)),
    _reading("gbt-window-none", "a window of 0 in a block", "16: 0 to 63; a sender that takes no blocks can send them",
             tell=_with_data(window=0), times=None, server=Right()),
    _reading("gbt-number-none", "number 0", "16: numbers go from 1 on", tell=_with_data(number=0),
             server=Fails(ProtocolError)),
    _reading("gbt-block-twice", "every block twice", "16: what is in order already is dropped",
             tell=wire(lambda octets, scene: [octets, octets]), times=None, server=Right()),
    _reading("gbt-block-empty", "a block without data that is not the last", "15, 16: such a transfer need not end",
             tell=_with_data(data=b"", last=False, streaming=False), server=Fails(ProtocolError)),
    _reading("gbt-no-progress", "the block before, for every one that is asked for", _RETRIES,
             tell=_blocks(_the_one_before), times=None, server=Fails(ProtocolError)),
    _reading("gbt-aborted", "an abort in the middle", "16: the transfer has ended", tell=bare(ABORT),
             server=Fails(ProtocolError)),
    _reading("gbt-exception", "an exception-response in the middle", "16: it ends the transfer", tell=bare("d80103"),
             server=Fails(ExceptionReceived)),
    _reading("gbt-value-amid-blocks", "an answer in one APDU in the middle",
             "16: who has used blocks goes on with them until the answer is complete",
             tell=instead("c40141001105"), server=Fails(ProtocolError)),
    _reading("gbt-of-another-exchange", "the first block of another answer in the middle",
             "16: block 1 begins anew; what is joined of two is no APDU",
             tell=_blocks(lambda block, scene: [_with(block, number=1, data=b"\xc4\x01\x41\0\x09\x05" + _PIECE[:1]),
                                                _with(block)]),
             server=Fails(DecodeError)),
    _reading("gbt-block-too-long", "a block longer than the client takes", "18: the negotiated size binds every APDU",
             tell=_with_data(data=bytes(2000)), server=Fails(ProtocolError)),
    _reading("gbt-sealed", "a block in an envelope of its own",
             "16: protect first, then cut; a block is none of the APDUs that are protected",
             tell=_sealed, setting=Setting.CIPHERED_BLOCKS, server=Fails(DecodeError), ahead=True),
    _writing("gbt-answered-early", "success in a block before the last one was sent",
             "16: the server answers only after the last block", tell=plain(
                 lambda octets, scene: b"\xe0\x81\0\1\0\1\x04\xc5\x01\x41\0"), server=Fails(OutcomeUnknown)),
    _writing("gbt-answered-early-plain", "success as it is before the last block was sent",
             "16: the server answers only after the last block", tell=instead("c5014100"),
             server=Fails(OutcomeUnknown)),
    _writing("gbt-acknowledges-nothing", "acknowledgements that acknowledge nothing", _RETRIES,
             tell=_acknowledging(acknowledged=0), times=None, server=Fails(OutcomeUnknown)),
    _writing("gbt-acknowledges-ahead", "the acknowledgement of all blocks when one was sent", _RULE,
             tell=_acknowledging(acknowledged=4), server=Fails(OutcomeUnknown)),
    _writing("gbt-takes-none", "a window of 0 in every acknowledgement", "16: one block at a time is the least",
             tell=_acknowledging(window=0), times=None, server=Right()),
    _writing("gbt-request-aborted", "an abort of the request", "16: the transfer has ended", tell=bare(ABORT),
             server=Fails(OutcomeUnknown)),
)  # fmt: skip

_REQUESTS: Final = (
    _writing("gbt-request-endless", "block after block of a request, and never the last",
             "16: aborted at a limit; memory is bounded", tell=_endless(240), client=_ABORTS),
    _writing("gbt-request-block-changed", "a block twice, with other contents", _RULE, passing=1,
             tell=_blocks(lambda block, scene: [_with(block, data=_other(block), last=False, streaming=True),
                                                _with(block)]), client=_ABORTS),
    _writing("gbt-request-last-early", "a block in the middle that says it is the last",
             "16: the joined octets are one APDU", tell=_with_data(last=True), client=Says("d80103")),
    _writing("gbt-request-acknowledges-ahead", "the acknowledgement of what was not sent yet", _RULE, passing=1,
             tell=_with_data(acknowledged=9), client=_ABORTS),
    _reading("gbt-acknowledged-ahead-by-client", "the acknowledgement of what was not sent yet", _RULE,
             tell=_acknowledging(acknowledged=9), client=_ABORTS),
    _reading("gbt-asks-endlessly", "the same acknowledgement fifty times", _RETRIES,
             tell=_blocks(lambda block, scene: [_with(block, number=number) for number in range(1, 51)]),
             client=_ABORTS),
    _reading("gbt-aborted-by-client", "an abort in the middle", "16: the transfer has ended; nothing is answered",
             tell=bare(ABORT), client=Silent()),
    _reading("gbt-window-none-by-client", "a window of 0 in an acknowledgement",
             "16: one block at a time is as few as there is", tell=_acknowledging(window=0), client=Right()),
    _lie("gbt-block-of-nothing", "block 7 of a transfer that nobody began", "16: nothing can come of it: aborted",
         tell=bare("e0010007000004c0014100"), client=_ABORTS),
    _lie("gbt-acknowledges-no-transfer", "an acknowledgement without a transfer", "16: nothing is to be sent",
         tell=bare("e0810001000700"), client=Silent()),
    _lie("gbt-one-way-gap", "unconfirmed blocks with a gap", "16: a gap discards the message, and nothing is answered",
         tell=wire(lambda octets, scene: _one_way((1, 2, 4, 5))), client=Silent()),
    _lie("gbt-one-way-endless", "unconfirmed blocks, and never the last", "16: discarded at a limit, memory is bounded",
         tell=wire(lambda octets, scene: _one_way(range(1, 200), 240)), client=Silent()),
    _lie("gbt-request-sealed", "a block in an envelope of its own", "16: protect first, then cut; no service",
         tell=lambda said, scene: [scene.seals.general(_in_block(said.apdu, scene))],
         setting=Setting.CIPHERED_BLOCKS, client=Says("d80105"), ahead=True),
)  # fmt: skip

GENERAL_BLOCK_LIES: Final = (*_ANSWERS, *_REQUESTS)
