"""``decode``: octets into layers, names and values.

================  ====================================  ======================================================
kind              octets                                ``Decoded`` holds
================  ====================================  ======================================================
apdu (or None)    one APDU, naked or inside layers      ``layers``, ``message`` (its ``apdu``)
messages          an HDLC or M-Bus stream, several      ``layers``, ``entries``
                  messages
hdlcframe         one HDLC frame without flags          ``frames``
hdlcstream        HDLC frames with flags                ``frames``
gbt-frames        general-block-transfer APDUs          ``layers`` (the blocks), ``octets`` (what they join to)
data              one A-XDR Data                        ``data``
mbusstream        wired M-Bus frames, each for itself   ``mbus_frames``
wmbus             one wireless M-Bus frame, with CRCs   ``layers``, ``message``
                  or without
amis              wired M-Bus frames, the last long one ``mbus_frames``, ``plaintext``
                  in OMS security mode 5
p1                one P1 telegram                       ``telegram``
readout           one read-out of IEC 62056-21          ``readout``
progcmd           one programming command of it         ``command``
================  ====================================  ======================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cosemic import apdu as pdus
from cosemic.codec import DEFAULT_LIMITS, EncodedData, Limits, decode_whole
from cosemic.dialect import Quirk
from cosemic.errors import ConfigurationError, DecipheringError, DecodeError
from cosemic.inspector.arguments import Keys, KeyValue, Octets, octets_of, quirks_of
from cosemic.inspector.format1 import Format1, Json, command_dict, p1_dict, readout_dict
from cosemic.inspector.hdlc import HdlcLayer, find_frames
from cosemic.inspector.layers import (
    Block,
    Entry,
    GbtLayer,
    Layer,
    Run,
    read_by_radio,
    read_messages,
    read_one,
    split_blocks,
)
from cosemic.inspector.mbus import (
    MbusEntry,
    MbusLayer,
    WirelessMbusLayer,
    mbus_frame_dict,
    only_frames,
    segment_of,
    wireless_dict,
)
from cosemic.inspector.message import Message, MessageReader
from cosemic.link.hdlc import HdlcAddress, HdlcFrame, HdlcParameters, decode_frame, split_llc
from cosemic.link.iec21 import CapturedCommand, Readout, read_command, read_readout
from cosemic.link.mbus import LONG_HEADER, LongHeader, MbusFrame
from cosemic.link.wrapper import WrapperHeader
from cosemic.security.mbus import decipher_mode_5
from cosemic.telegram import P1Telegram, read_p1
from cosemic.values import FrameType


@dataclass(frozen=True, slots=True)
class FrameEntry:
    """A frame that stands for itself: ``parameters`` in SNRM and UA, ``message`` where it holds a whole APDU."""

    frame: HdlcFrame
    parameters: HdlcParameters | None
    message: Message | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What ``decode`` found.

    kind: as in the table above. octets: the data itself (in kind gbt-frames what the blocks carry, in amis the header).
    plaintext: of kind amis.
    """

    kind: str
    octets: bytes = field(repr=False)
    layers: tuple[Layer, ...] = ()
    message: Message | None = None
    entries: tuple[Entry, ...] = ()
    frames: tuple[FrameEntry, ...] = ()
    mbus_frames: tuple[MbusEntry, ...] = ()
    plaintext: bytes = field(default=b"", repr=False)
    data: EncodedData | None = None
    telegram: P1Telegram | None = None
    readout: Readout | None = None
    command: CapturedCommand | None = None
    limits: Limits = field(default=DEFAULT_LIMITS, repr=False)

    @property
    def apdu(self) -> Any:
        """The APDU inside the layers, an object of one of the classes of :mod:`cosemic.apdu`; None in other kinds."""
        return None if self.message is None else self.message.apdu

    def to_dict(self) -> dict[str, Json]:
        """Return plain dictionaries, lists and values, ready for JSON: format 1, the fixed form of all decoded data."""
        return _DICTIONARIES[self.kind](self, Format1(self.limits))

    def explain(self) -> str:
        """Return a tree for people: offsets, the standard's names, OBIS names, dates, units."""
        from cosemic.inspector.tree import explain  # the OBIS names are not needed for anything else here

        return explain(self)


def decode(
    data: Octets | str,
    *,
    keys: Mapping[str, KeyValue] | None = None,
    kind: str | None = None,
    quirks: Iterable[str | Quirk] = (),
    limits: Limits = DEFAULT_LIMITS,
    expand: bool = False,
) -> Decoded:
    """Read octets: what they are, layer by layer, with the standard's names.

    data: octets, or hexadecimal text with any of the usual separators.
    keys: octets (or hexadecimal text, or Secrets) by name: ``ek``, ``ak``, ``gbek``, ``dk``, ``kek``, ``system_title``,
    ``mbus_key`` for kind amis, and the keys of parties: :mod:`cosemic.inspector.arguments`.
    kind: what the data is, see the table of this module; None is one APDU, naked or inside layers.
    quirks: names of deviations that are tolerated (:class:`~cosemic.dialect.Quirk`).
    limits: bounds of work and memory.
    expand: compressed content (ITU-T V.44) is expanded and read.

    Where a key is missing, or a tag wrong, content that deciphers all the same is shown and marked by ``tag_ok``:
    nobody vouches for it. Raises DecodeError when the data is not what ``kind`` says; ConfigurationError for arguments
    that cannot be meant.

    >>> cosemic.decode("C401C100 1105").to_dict()["apdu"]["result"]
    {'data': ['unsigned', 5]}
    """
    reader = MessageReader(Keys.of(keys), quirks_of(quirks), limits, expand)
    read = _KINDS.get("apdu" if kind is None else kind)
    if read is None:
        raise ConfigurationError(f"no kind is called {kind!r}: use {', '.join(_KINDS)}")
    octets = octets_of(data)
    if len(octets) > limits.octets:
        raise DecodeError(f"no more than {limits.octets} octets", limits.octets)
    return read(octets, reader)


# ---- reading ---------------------------------------------------------------------------------------------------------


def _apdu(octets: bytes, reader: MessageReader) -> Decoded:
    layers, message = read_one(octets, reader)
    return Decoded(kind="apdu", octets=octets, layers=layers, message=message, limits=reader.limits)


def _messages(octets: bytes, reader: MessageReader) -> Decoded:
    layers, entries = read_messages(octets, reader)
    return Decoded(kind="messages", octets=octets, layers=layers, entries=entries, limits=reader.limits)


def _data(octets: bytes, reader: MessageReader) -> Decoded:
    decode_whole(octets, reader.limits)
    return Decoded(kind="data", octets=octets, data=EncodedData(octets), limits=reader.limits)


def _p1(octets: bytes, reader: MessageReader) -> Decoded:
    return Decoded(kind="p1", octets=octets, telegram=read_p1(octets), limits=reader.limits)


def _readout(octets: bytes, reader: MessageReader) -> Decoded:
    return Decoded(kind="readout", octets=octets, readout=read_readout(octets), limits=reader.limits)


def _progcmd(octets: bytes, reader: MessageReader) -> Decoded:
    return Decoded(kind="progcmd", octets=octets, command=read_command(octets), limits=reader.limits)


def _hdlcframe(octets: bytes, reader: MessageReader) -> Decoded:
    frame = decode_frame(octets, length_mismatch=Quirk.HDLC_LENGTH_MISMATCH in reader.quirks)
    return Decoded(kind="hdlcframe", octets=octets, frames=(_entry(frame, reader),), limits=reader.limits)


def _hdlcstream(octets: bytes, reader: MessageReader) -> Decoded:
    found = find_frames(octets, reader.quirks, damaged=True)
    if found.strays or not found.frames:
        raise DecodeError(f"HDLC frames and flags alone: {found.strays} octets belong to no frame", 0, "hdlc")
    frames = tuple(_entry(frame, reader) for frame in found.frames)
    return Decoded(kind="hdlcstream", octets=octets, frames=frames, limits=reader.limits)


def _mbusstream(octets: bytes, reader: MessageReader) -> Decoded:
    frames = tuple(_mbus_entry(frame, reader) for frame in only_frames(octets).frames)
    return Decoded(kind="mbusstream", octets=octets, mbus_frames=frames, limits=reader.limits)


def _mbus_entry(frame: MbusFrame, reader: MessageReader) -> MbusEntry:
    try:
        segment = segment_of(frame)
        return MbusEntry(frame, reader.read(segment.part) if segment.last and not segment.number else None)
    except DecodeError:
        return MbusEntry(frame, None)


def _wmbus(octets: bytes, reader: MessageReader) -> Decoded:
    layers, message = read_by_radio(octets, reader)
    return Decoded(kind="wmbus", octets=octets, layers=layers, message=message, limits=reader.limits)


def _amis(octets: bytes, reader: MessageReader) -> Decoded:
    frames = only_frames(octets).frames
    carrying = [frame for frame in frames if len(frame.user_data) > LONG_HEADER]
    if not carrying:
        raise DecodeError("a long frame with a long header and octets behind it", 0, "amis")
    content = carrying[-1].user_data
    if reader.keys.mbus_key is None:
        raise DecodeError("content that can be deciphered: give the key mbus_key", 0, "amis")
    header = LongHeader.decode(content[:LONG_HEADER])
    address, number = header.device.encode_radio(), header.rest.access_number
    try:
        plaintext = decipher_mode_5(content[LONG_HEADER:], reader.keys.mbus_key, address, number)
    except DecipheringError as error:
        raise DecodeError(str(error), 0, "amis") from None
    entries = tuple(MbusEntry(frame, None) for frame in frames)
    return Decoded(kind="amis", octets=header.encode(), mbus_frames=entries, plaintext=plaintext, limits=reader.limits)


def _gbt_frames(octets: bytes, reader: MessageReader) -> Decoded:
    run = Run()
    for block in split_blocks(octets, reader.limits):
        if not run.takes(block):
            raise DecodeError("the blocks of one message", 0, "general-block-transfer")
        run.add(block)
    layer = GbtLayer(tuple(run.blocks))
    return Decoded(kind="gbt-frames", octets=run.joined(), layers=(layer,), limits=reader.limits)


def _entry(frame: HdlcFrame, reader: MessageReader) -> FrameEntry:
    """What a frame holds by itself; what cannot be read is left out, because a frame may be damaged."""
    kind = frame.control.type
    parameters, message = None, None
    try:
        if kind in (FrameType.SNRM, FrameType.UA) and frame.information:
            parameters = HdlcParameters.decode(frame.information)
        elif kind in (FrameType.I, FrameType.UI) and not frame.segmented:
            llc, octets = split_llc(frame.information)
            if llc is not None:
                message = reader.read(octets)
    except DecodeError:
        return FrameEntry(frame, None, None)
    return FrameEntry(frame, parameters, message)


_KINDS: Final[dict[str, Callable[[bytes, MessageReader], Decoded]]] = {
    "apdu": _apdu,
    "messages": _messages,
    "hdlcframe": _hdlcframe,
    "hdlcstream": _hdlcstream,
    "gbt-frames": _gbt_frames,
    "mbusstream": _mbusstream,
    "wmbus": _wmbus,
    "amis": _amis,
    "data": _data,
    "p1": _p1,
    "readout": _readout,
    "progcmd": _progcmd,
}
KINDS: Final = tuple(_KINDS)
"""The kinds that ``decode`` takes."""


# ---- dictionaries of layers and kinds --------------------------------------------------------------------------------


def layer_dict(layer: Layer) -> dict[str, Json]:
    """Return the dictionary of one layer."""
    if isinstance(layer, HdlcLayer):
        return {"hdlc": [frame_dict(frame) for frame in layer.frames]}
    if isinstance(layer, MbusLayer):
        return {"mbus": [mbus_frame_dict(frame) for frame in layer.frames]}
    if isinstance(layer, WirelessMbusLayer):
        return {"wmbus": wireless_dict(layer)}
    if isinstance(layer, GbtLayer):
        return {"gbt": [_block_dict(block) for block in layer.blocks]}
    if isinstance(layer, WrapperHeader):
        wrapper = {name: getattr(layer, name) for name in ("version", "source", "destination", "length")}
        return {"wrapper": wrapper}
    return {
        "gateway": {
            "type": "request" if isinstance(layer, pdus.GatewayRequest) else "response",
            "network_id": layer.network_id,
            "device_address": layer.physical_device_address.hex(),
        }
    }


def frame_dict(frame: HdlcFrame) -> dict[str, Json]:
    """Return the dictionary of a frame without its information."""
    control = frame.control
    return {
        "segmented": frame.segmented,
        "length": frame.length,
        "destination": _address_dict(frame.destination),
        "source": _address_dict(frame.source),
        "control": {"type": control.type.label, "ns": control.ns, "nr": control.nr, "pf": control.pf},
        "fcs_ok": frame.fcs_ok,
        "hcs_ok": frame.hcs_ok,
    }


def _address_dict(address: HdlcAddress) -> dict[str, Json]:
    return {"upper": address.upper, "lower": address.lower}


def _block_dict(block: Block) -> dict[str, Json]:
    control = block.block_control
    return {
        "last_block": control.last_block,
        "streaming": control.streaming,
        "window": control.window,
        "block_number": block.block_number,
        "block_number_ack": block.block_number_ack,
    }


def _apdu_or_null(message: Message | None, format1: Format1) -> Json:
    return None if message is None else format1.message(message)


def _entry_dict(entry: Entry, format1: Format1) -> dict[str, Json]:
    found: dict[str, Json] = {
        "gbt": None if entry.blocks is None else [_block_dict(block) for block in entry.blocks],
        "apdu": _apdu_or_null(entry.message, format1),
    }
    if entry.error is not None:
        found["error"] = entry.error
    return found


def _frame_entry_dict(entry: FrameEntry, format1: Format1) -> dict[str, Json]:
    parameters = entry.parameters
    names = ("max_info_tx", "max_info_rx", "window_tx", "window_rx")
    return {
        "frame": frame_dict(entry.frame),
        "information": entry.frame.information.hex(),
        "parameters": None if parameters is None else {name: getattr(parameters, name) for name in names},
        "apdu": _apdu_or_null(entry.message, format1),
    }


_DICTIONARIES: Final[dict[str, Callable[[Decoded, Format1], dict[str, Json]]]] = {
    "apdu": lambda decoded, format1: {
        "layers": [layer_dict(layer) for layer in decoded.layers],
        "apdu": _apdu_or_null(decoded.message, format1),
    },
    "messages": lambda decoded, format1: {
        "layers": [layer_dict(layer) for layer in decoded.layers],
        "messages": [_entry_dict(entry, format1) for entry in decoded.entries],
    },
    "hdlcframe": lambda decoded, format1: _frame_entry_dict(decoded.frames[0], format1),
    "hdlcstream": lambda decoded, format1: {"frames": [_frame_entry_dict(entry, format1) for entry in decoded.frames]},
    "mbusstream": lambda decoded, format1: {
        "frames": [
            {
                "frame": mbus_frame_dict(entry.frame),
                "information": entry.frame.user_data.hex(),
                "apdu": _apdu_or_null(entry.message, format1),
            }
            for entry in decoded.mbus_frames
        ]
    },
    "wmbus": lambda decoded, format1: {
        "layers": [layer_dict(layer) for layer in decoded.layers],
        "apdu": _apdu_or_null(decoded.message, format1),
    },
    "amis": lambda decoded, _: {
        "frames": [mbus_frame_dict(entry.frame) for entry in decoded.mbus_frames],
        "header": decoded.octets.hex(),
        "plaintext": decoded.plaintext.hex(),
    },
    "gbt-frames": lambda decoded, _: {**layer_dict(decoded.layers[0]), "apdu_octets": decoded.octets.hex()},
    "data": lambda decoded, format1: {"data": format1.data(decoded.data or EncodedData(b""))},
    "p1": lambda decoded, _: {} if decoded.telegram is None else p1_dict(decoded.telegram),
    "readout": lambda decoded, _: {} if decoded.readout is None else readout_dict(decoded.readout),
    "progcmd": lambda decoded, _: {} if decoded.command is None else command_dict(decoded.command),
}
