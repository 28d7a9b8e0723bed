"""From octets on a medium to APDUs: HDLC, wrapper, M-Bus, gateway prefix, general block transfer.

::

    7E ...           HDLC frames (IEC 62056-46), segments joined, LLC octets taken off
    0001 ...         wrapper (IEC 62056-4-7)
    68 L L 68 ...    M-Bus frames (EN 13757-2), segments joined
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
from cosemic.errors import DecodeError
from cosemic.inspector.hdlc import HdlcLayer, find_frames, hdlc_apdus, is_empty, segments
from cosemic.inspector.mbus import (
    MbusLayer,
    WirelessMbusLayer,
    find_wired,
    is_wired,
    joined,
    read_wireless,
    wired_apdus,
)
from cosemic.inspector.message import Message, MessageReader
from cosemic.link.hdlc import FLAG, HdlcReassembler
from cosemic.link.wrapper import WrapperHeader, decode_wrapper

Block: TypeAlias = apdu.GeneralBlockTransfer
GatewayPrefix: TypeAlias = apdu.GatewayRequest | apdu.GatewayResponse

GBT_TAG: Final = b"\xe0"
_GATEWAY_TAGS: Final = (b"\xe6", b"\xe7")


@dataclass(frozen=True, slots=True)
class GbtLayer:
    """The blocks of one run, as they came."""

    blocks: tuple[Block, ...]


Layer: TypeAlias = HdlcLayer | MbusLayer | WirelessMbusLayer | WrapperHeader | GatewayPrefix | GbtLayer


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a stream: ``message`` is None where it cannot be read, and ``error`` says why.

    blocks: None where no block transfer was used.
    """

    blocks: tuple[Block, ...] | None
    message: Message | None
    error: str | None = None


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
        hdlc, parts = hdlc_apdus(octets, reader.quirks, reader.limits)
        return _unwrap(parts, reader, (hdlc,))
    if octets[:2] == b"\x00\x01":
        header, inside = decode_wrapper(octets)
        try:
            return _unwrap([inside], reader, (header,))
        except DecodeError as error:
            raise error.within("", 8) from None
    if is_wired(octets):
        wired, parts = wired_apdus(octets, reader.limits)
        return _unwrap(parts, reader, (wired,))
    return _unwrap([octets], reader, ())


def read_by_radio(octets: bytes, reader: MessageReader) -> tuple[tuple[Layer, ...], Message]:
    """Read one APDU out of a wireless M-Bus frame. Raises DecodeError when there is none, or a part of one."""
    layer = read_wireless(octets)
    return _unwrap([layer.segment.part], reader, (layer,))


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

    Where there is no right HDLC frame in it, M-Bus frames are looked for. Raises DecodeError when there are none.
    """
    found = find_frames(octets, reader.quirks, damaged=False)
    if not found.frames:
        return _read_mbus_messages(octets, reader)
    stream = _Stream(reader, [HdlcLayer(segments(found.frames))])
    reassembler = HdlcReassembler(max_octets=reader.limits.octets)
    dropped = 0
    for frame in found.frames:
        message = None if is_empty(frame) else reassembler.receive(frame)
        stream.lost(reassembler.dropped - dropped)
        dropped = reassembler.dropped
        if message is not None:
            stream.take(message.octets, (message.frames[0].destination, message.frames[0].source))
    stream.lost(reassembler.pending)
    return stream.finished()


def _read_mbus_messages(octets: bytes, reader: MessageReader) -> tuple[tuple[Layer, ...], tuple[Entry, ...]]:
    frames = find_wired(octets, damaged=False).frames
    if not frames:
        raise DecodeError("a stream of HDLC or M-Bus frames", 0)
    stream = _Stream(reader, [MbusLayer(frames)])
    for message in joined(frames, reader.limits):
        if message is None:
            stream.lost(1)
        else:
            stream.take(message.part, (message.destination, message.source))
    return stream.finished()


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

    def take(self, octets: bytes, sender: object) -> None:
        """Add what one message brings: an entry, or a block to the run of its sender."""
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
        self._add(sender, block)

    def finished(self) -> tuple[tuple[Layer, ...], tuple[Entry, ...]]:
        """Add what was begun and not finished; return all."""
        self.entries.extend(_entry_of(run, self.reader) for run in self.runs.values() if not run.ended)
        return tuple(self.layers), tuple(self.entries)

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
