"""From octets on a medium to APDUs: HDLC, wrapper, gateway prefix, general block transfer.

::

    7E ...           HDLC frames (IEC 62056-46), segments joined, LLC octets taken off
    0001 ...         wrapper (IEC 62056-4-7)
    E6, E7 ...       gateway prefix (IEC 62056-5-3, annex C)
    E0 ...           general block transfer (IEC 62056-5-3): blocks 1, 2, 3 ... to the last one, joined

Blocks make runs. A run ends with the block that says it is the last one, before a new block 1, and with the stream. It
is a message when its blocks are 1, 2, 3 ... to the last one; the block just received may come again, the last one too:
where its acknowledgement was lost it is sent once more, and is no new run.

In a stream of several messages each one that was begun and not finished is an entry with an error, at the end of the
stream as before a new one. An I frame that comes again, same N(S) and octets, is a message again: meters that push I
frames outside any connection never count, so nothing tells a repetition from the same push once more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from cosemic import apdu
from cosemic.codec import Limits
from cosemic.codec.wire import Cursor
from cosemic.dialect import Quirk
from cosemic.errors import DecodeError
from cosemic.inspector.message import Message, MessageReader
from cosemic.link.hdlc import FLAG, HdlcFrame, HdlcMessage, HdlcReassembler, HdlcStreamReader, decode_frame
from cosemic.link.hdlc.checks import checks
from cosemic.link.hdlc.frame import MAX_HEADER, MAX_LENGTH, decode_header
from cosemic.link.wrapper import WrapperHeader, decode_wrapper
from cosemic.values import FrameType

Block: TypeAlias = apdu.GeneralBlockTransfer
GatewayPrefix: TypeAlias = apdu.GatewayRequest | apdu.GatewayResponse

GBT_TAG: Final = b"\xe0"
_GATEWAY_TAGS: Final = (b"\xe6", b"\xe7")
_CARRIERS: Final = (FrameType.I, FrameType.UI)
_CLOSING_FLAGS: Final = 16
"""How many flags are tried as the end of a frame whose length field is wrong; bounds the work on hostile octets."""


@dataclass(frozen=True, slots=True)
class HdlcLayer:
    """The frames of all segments."""

    frames: tuple[HdlcFrame, ...]


@dataclass(frozen=True, slots=True)
class GbtLayer:
    """The blocks of one run, as they came."""

    blocks: tuple[Block, ...]


Layer: TypeAlias = HdlcLayer | WrapperHeader | GatewayPrefix | GbtLayer


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a stream: ``message`` is None where it cannot be read, and ``error`` says why.

    blocks: None where no block transfer was used.
    """

    blocks: tuple[Block, ...] | None
    message: Message | None
    error: str | None = None


# ---- HDLC ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames found in a stream; ``strays`` counts octets that are neither flags nor part of a frame."""

    frames: tuple[HdlcFrame, ...]
    strays: int


def find_frames(octets: bytes, quirks: frozenset[Quirk], *, damaged: bool) -> Frames:
    """Find the HDLC frames in a stream; ``damaged``: those with wrong checks too."""
    if Quirk.HDLC_LENGTH_MISMATCH in quirks:
        return _find_between_flags(octets, damaged)
    reader = HdlcStreamReader(damaged=damaged)
    frames = reader.receive(octets)
    strays = reader.pending
    frames += reader.finish()
    return Frames(tuple(frames), strays + reader.discarded)


def _find_between_flags(octets: bytes, damaged: bool) -> Frames:
    """Find frames by their flags and check sequences alone, the length field being wrong in some."""
    frames = []
    strays = 0
    flag = octets.find(FLAG)
    strays += flag if flag >= 0 else len(octets)
    while 0 <= flag < len(octets) - 1:
        following = octets.find(FLAG, flag + 1)
        found, closing = _frame_from(octets, flag + 1, following, damaged)
        if found is not None:
            frames.append(found)
        else:
            closing = following
            strays += (following if following >= 0 else len(octets)) - flag - 1
        flag = closing
    return Frames(tuple(frames), strays)


def _frame_from(octets: bytes, start: int, closing: int, damaged: bool) -> tuple[HdlcFrame | None, int]:
    """Return the frame from ``start`` up to a flag, the one at ``closing`` or a later one, and where this stands."""
    if octets[start] & 0xF0 != 0xA0:
        return None, closing
    try:
        # What cannot begin a frame of any length is not tried with each flag.
        header = decode_header(octets[start : start + MAX_HEADER], MAX_LENGTH)
    except (DecodeError, IndexError):
        return None, closing
    announced = (octets[start] & 0x07) << 8 | octets[start + 1]
    for _ in range(_CLOSING_FLAGS):
        if closing < 0:
            break
        frame = octets[start:closing]
        if len(frame) >= header.end + 2 and (checks(frame) or (damaged and len(frame) == announced)):
            try:
                return decode_frame(frame, length_mismatch=True), closing
            except DecodeError:
                pass  # the octets between header and FCS are too few for an information field
        closing = octets.find(FLAG, closing + 1)
    return None, closing


def segments(frames: tuple[HdlcFrame, ...]) -> tuple[HdlcFrame, ...]:
    """Return the frames that carry pieces of APDUs."""
    return tuple(frame for frame in frames if frame.control.type in _CARRIERS and frame.information)


def _is_empty(frame: HdlcFrame) -> bool:
    """Whether it is an I or UI frame that carries nothing."""
    return frame.control.type in _CARRIERS and not frame.information


# ---- general block transfer ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Run:
    """Blocks of one sender that belong together."""

    blocks: list[Block] = field(default_factory=list)

    def takes(self, block: Block) -> bool:
        """Whether ``block`` belongs to this run: no new block 1 does, and behind the last block only its repetition."""
        if not self.blocks:
            return True
        if _repeats(self.blocks[-1], block):
            return True
        return not self.ended and block.block_number != 1

    def add(self, block: Block) -> None:
        """Take the next block."""
        self.blocks.append(block)

    @property
    def ended(self) -> bool:
        """Whether the last block has come."""
        return bool(self.blocks) and self.blocks[-1].block_control.last_block

    def joined(self) -> bytes:
        """Return what the blocks carry. Raises DecodeError unless they are 1, 2, 3 ... to the last one."""
        parts: list[bytes] = []
        before: Block | None = None
        for block in self.blocks:
            if before is not None and _repeats(before, block):
                continue
            due = 1 if before is None else before.block_number + 1
            if block.block_number != due:
                raise DecodeError(f"block {due}, not {block.block_number}", 0, "general-block-transfer.block_number")
            parts.append(block.block_data)
            before = block
        if not self.ended:
            raise DecodeError("the last block: the message is not finished", 0, "general-block-transfer.block_control")
        return b"".join(parts)


def _repeats(before: Block, block: Block) -> bool:
    """Whether a block is the one before, sent again; its acknowledgement may be a newer one."""
    if before.block_control.last_block and not block.block_control.last_block:
        return False
    return (block.block_number, block.block_data) == (before.block_number, before.block_data)


def split_blocks(octets: bytes, limits: Limits) -> list[Block]:
    """Read general-block-transfer APDUs that stand end to end. Raises DecodeError for anything else."""
    cursor = Cursor(octets, limits, "general-block-transfer")
    blocks = []
    while cursor.position < len(octets):
        if cursor.take(1, "a tag") != GBT_TAG:
            raise cursor.error("the tag e0 of a general-block-transfer", cursor.position - 1)
        blocks.append(Block.wire.read(cursor))
    return blocks


# ---- one APDU --------------------------------------------------------------------------------------------------------


def read_one(octets: bytes, reader: MessageReader) -> tuple[tuple[Layer, ...], Message]:
    """Read one APDU out of its layers. Raises DecodeError when there is none, or more than one, or octets are left."""
    if octets[:1] == FLAG:
        frames = find_frames(octets, reader.quirks, damaged=True)
        parts, outer = _apdus_of(frames, reader.limits)
        return _unwrap(parts, reader, outer)
    if octets[:2] == b"\x00\x01":
        header, inside = decode_wrapper(octets)
        try:
            return _unwrap([inside], reader, (header,))
        except DecodeError as error:
            raise error.within("", 8) from None
    if octets[:1] == b"\x68" and octets[3:4] == b"\x68":
        raise DecodeError("HDLC, a wrapper or an APDU: M-Bus frames are not read", 0)
    return _unwrap([octets], reader, ())


def _apdus_of(frames: Frames, limits: Limits) -> tuple[list[bytes], tuple[Layer, ...]]:
    for number, frame in enumerate(frames.frames):
        if not frame.fcs_ok or frame.hcs_ok is False:
            wrong = "header" if frame.hcs_ok is False else "frame"
            raise DecodeError(f"a right {wrong} check sequence in frame {number + 1}", 0, "hdlc")
    if frames.strays:
        raise DecodeError(f"HDLC frames and flags alone: {frames.strays} octets belong to no frame", 0, "hdlc")
    messages, lost = reassemble(frames.frames, limits)
    if lost or not messages:
        raise DecodeError("all segments of an APDU", 0, "hdlc")
    return [message.octets for message in messages], (HdlcLayer(segments(frames.frames)),)


def reassemble(frames: tuple[HdlcFrame, ...], limits: Limits) -> tuple[list[HdlcMessage], int]:
    """Join segments: the messages, and how many were begun and not finished."""
    reassembler = HdlcReassembler(max_octets=limits.octets)
    found = [reassembler.receive(frame) for frame in frames if not _is_empty(frame)]
    return [message for message in found if message is not None], reassembler.dropped + reassembler.pending


def _unwrap(parts: list[bytes], reader: MessageReader, outer: tuple[Layer, ...]) -> tuple[tuple[Layer, ...], Message]:
    """Take off gateway prefix and block transfer, each at most once."""
    layers = list(outer)
    prefix, parts = _without_gateway(parts, reader)
    if prefix is not None:
        layers.append(prefix)
    if all(part[:1] == GBT_TAG for part in parts):
        run = Run()
        for block in _blocks_of(parts, reader.limits):
            if not run.takes(block):
                raise DecodeError("one message; several stand here", 0, "general-block-transfer")
            run.add(block)
        carried = _carried(run)
        if carried is None:
            return tuple(layers), reader.read(parts[0])
        layers.append(GbtLayer(tuple(run.blocks)))
        parts = [carried]
        if prefix is None:
            prefix, parts = _without_gateway(parts, reader)
            if prefix is not None:
                layers.append(prefix)
    if len(parts) > 1:
        raise DecodeError(f"one APDU; {len(parts)} stand here: use the kind messages", 0)
    return tuple(layers), reader.read(parts[0])


def _blocks_of(parts: list[bytes], limits: Limits) -> list[Block]:
    """Blocks that stand end to end where there is no layer below, else one block in each message of that layer."""
    return split_blocks(parts[0], limits) if len(parts) == 1 else [Block.decode(part, limits) for part in parts]


def _carried(run: Run) -> bytes | None:
    """Return what a run carries; None where it is a single block that is an APDU of its own."""
    try:
        # An acknowledgement may have number 1 and be the last block, but it carries nothing.
        return run.joined() or None
    except DecodeError:
        if len(run.blocks) > 1:
            raise
        return None


def _without_gateway(parts: list[bytes], reader: MessageReader) -> tuple[GatewayPrefix | None, list[bytes]]:
    if not parts or any(part[:1] not in _GATEWAY_TAGS for part in parts):
        return None, parts
    prefixes: list[GatewayPrefix] = [apdu.decode(part, reader.limits) for part in parts]
    return prefixes[0], [prefix.user_information for prefix in prefixes]


# ---- several messages ------------------------------------------------------------------------------------------------


def read_messages(octets: bytes, reader: MessageReader) -> tuple[tuple[Layer, ...], tuple[Entry, ...]]:
    """Read all messages of an HDLC stream, in the order of completion; frames with wrong checks are dropped.

    Raises DecodeError when there is no right frame in it.
    """
    found = find_frames(octets, reader.quirks, damaged=False)
    if not found.frames:
        raise DecodeError("a stream of HDLC frames", 0, "hdlc")
    stream = _Stream(reader, [HdlcLayer(segments(found.frames))])
    reassembler = HdlcReassembler(max_octets=reader.limits.octets)
    dropped = 0
    for frame in found.frames:
        message = None if _is_empty(frame) else reassembler.receive(frame)
        stream.lost(reassembler.dropped - dropped)
        dropped = reassembler.dropped
        if message is not None:
            stream.take(message)
    stream.lost(reassembler.pending)
    stream.entries.extend(_entry_of(run, reader) for run in stream.runs.values() if not run.ended)
    return tuple(stream.layers), tuple(stream.entries)


@dataclass(slots=True)
class _Stream:
    """What was found in a stream so far; ``runs`` are the last ones of each sender, with their place in ``entries``."""

    reader: MessageReader
    layers: list[Layer]
    entries: list[Entry] = field(default_factory=list)
    runs: dict[object, Run] = field(default_factory=dict)
    places: dict[object, int] = field(default_factory=dict)

    def lost(self, count: int) -> None:
        """Add the entries of messages whose segments are not all there."""
        self.entries += [Entry(None, None, "segments are missing")] * count

    def take(self, message: HdlcMessage) -> None:
        """Add what one message brings: an entry, or a block to the run of its sender."""
        octets = message.octets
        try:
            prefix, (octets,) = _without_gateway([octets], self.reader)
            if prefix is not None:
                self.layers.append(prefix)
            if octets[:1] != GBT_TAG:
                self.entries.append(Entry(None, self.reader.read(octets)))
                return
            block = Block.decode(octets, self.reader.limits)
        except DecodeError as error:
            self.entries.append(Entry(None, None, str(error)))
            return
        self._add((message.frames[0].destination, message.frames[0].source), block)

    def _add(self, sender: object, block: Block) -> None:
        run = self.runs.get(sender)
        if run is None or not run.takes(block):
            if run is not None and not run.ended:
                self.entries.append(_entry_of(run, self.reader))
            run = self.runs[sender] = Run()
        repeated = run.ended
        run.add(block)
        if repeated:
            place = self.places[sender]
            self.entries[place] = replace(self.entries[place], blocks=tuple(run.blocks))
        elif run.ended:
            self.places[sender] = len(self.entries)
            self.entries.append(_entry_of(run, self.reader))


def _entry_of(run: Run, reader: MessageReader) -> Entry:
    blocks = tuple(run.blocks)
    try:
        return Entry(blocks, reader.read(run.joined()))
    except DecodeError as error:
        return Entry(blocks, None, str(error))
