"""M-Bus frames, wired and by radio, and what they carry (EN 13757-2, -3, -4; IEC 62056-7-3).

::

    68 L L 68 ... 16, 10 C A CS 16, E5     wired frames, end to end; E5 is passed over
    L C M A ...                            one wireless frame, with its CRCs or without
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cosemic.codec import Limits
from cosemic.errors import DecodeError
from cosemic.inspector.message import Message
from cosemic.link.mbus import (
    LAST_SEGMENT_CI,
    MbusFrame,
    MbusStreamReader,
    Reassembler,
    Segment,
    WirelessFormat,
    WirelessFrame,
    carries_dlms,
    decode_segment,
    decode_wireless,
    manufacturer_letters,
    split_layers,
)
from cosemic.link.mbus.extended import WirelessLayer


@dataclass(frozen=True, slots=True)
class MbusLayer:
    """The wired frames, as they came."""

    frames: tuple[MbusFrame, ...]


@dataclass(frozen=True, slots=True)
class WirelessMbusLayer:
    """One wireless frame, the layers inside it, and the segment behind them."""

    frame: WirelessFrame
    format: WirelessFormat
    layers: tuple[WirelessLayer, ...]
    segment: Segment


@dataclass(frozen=True, slots=True)
class MbusEntry:
    """A wired frame that stands for itself: ``message`` where it holds a whole APDU."""

    frame: MbusFrame
    message: Message | None


@dataclass(frozen=True, slots=True)
class WiredFrames:
    """Frames found in a stream; ``strays`` counts octets that are neither E5 nor part of a frame."""

    frames: tuple[MbusFrame, ...]
    strays: int


def is_wired(octets: bytes) -> bool:
    """Whether octets begin like a long M-Bus frame."""
    return octets[:1] == b"\x68" and octets[3:4] == b"\x68"


def find_wired(octets: bytes, *, damaged: bool) -> WiredFrames:
    """Find the frames in a stream; ``damaged``: those with a wrong checksum or stop octet too."""
    reader = MbusStreamReader(damaged=damaged)
    found = reader.receive(octets)
    found += reader.finish()
    return WiredFrames(tuple(each for each in found if isinstance(each, MbusFrame)), reader.discarded)


def only_frames(octets: bytes) -> WiredFrames:
    """Find the frames in octets that are nothing else. Raises DecodeError where other octets stand there, or none."""
    found = find_wired(octets, damaged=True)
    if found.strays or not found.frames:
        raise DecodeError(f"M-Bus frames alone: {found.strays} octets belong to no frame", 0, "mbus")
    return found


def wired_apdus(octets: bytes, limits: Limits) -> tuple[MbusLayer, list[bytes]]:
    """Read the APDUs in right frames. Raises DecodeError where a frame is wrong, or segments are missing."""
    frames = only_frames(octets).frames
    for number, frame in enumerate(frames):
        if not frame.right:
            wrong = "stop octet 16" if frame.checksum_ok else "checksum"
            raise DecodeError(f"the right {wrong} in frame {number + 1}", 0, "mbus")
    found = list(joined(frames, limits))
    apdus = [each.part for each in found if each is not None]
    if not apdus or None in found:
        raise DecodeError("all segments of an APDU", 0, "mbus")
    return MbusLayer(frames), apdus


def joined(frames: Iterable[MbusFrame], limits: Limits) -> Iterator[Segment | None]:
    """Yield the messages of frames, and None for each that was begun and not finished, or cannot be read."""
    reassembler = Reassembler(max_octets=limits.octets)
    told = False
    for frame in frames:
        if not carries_dlms(frame.ci):
            continue
        dropped = reassembler.dropped
        try:
            message = reassembler.receive(segment_of(frame))
        except DecodeError:
            yield None
            continue
        if reassembler.dropped > dropped:
            yield None
            told = not reassembler.pending
        if message is not None:
            yield message
        elif not reassembler.pending and not told:
            yield None
        told = message is None and not reassembler.pending
    if reassembler.pending:
        yield None


def segment_of(frame: MbusFrame) -> Segment:
    """Return what a frame carries. Raises DecodeError where that is nothing of DLMS, or cannot be read."""
    if frame.ci is None:
        raise DecodeError("a CI field", 0, "mbus.ci")
    return decode_segment(frame.ci, frame.user_data)


def read_wireless(octets: bytes) -> WirelessMbusLayer:
    """Read one wireless frame that carries a whole APDU. Raises DecodeError where it does not."""
    frame, format = decode_wireless(octets)
    layers, ci, rest = split_layers(frame.payload)
    segment = decode_segment(ci, rest)
    if segment.number or not segment.last:
        raise DecodeError(f"a whole APDU, not segment {segment.number} of several", 0, "wmbus")
    return WirelessMbusLayer(frame, format, layers, segment)


def mbus_frame_dict(frame: MbusFrame) -> dict[str, Any]:
    """Return the dictionary of a wired M-Bus frame without its user data."""
    saps: tuple[int | None, int | None] = (None, None)
    if frame.ci is not None and frame.ci <= LAST_SEGMENT_CI and len(frame.user_data) > 1:
        saps = frame.user_data[0], frame.user_data[1]
    return {
        "short": frame.short,
        "c": frame.c,
        "a": frame.a,
        "ci": frame.ci,
        "source": saps[0],
        "destination": saps[1],
        "checksum_ok": frame.checksum_ok,
        "stop_ok": frame.stop_ok,
    }


def wireless_dict(layer: WirelessMbusLayer) -> dict[str, Any]:
    """Return the dictionary of a wireless frame and the segment in it."""
    sender, segment = layer.frame.sender, layer.segment
    return {
        "format": layer.format.value,
        "c": layer.frame.c,
        "manufacturer": manufacturer_letters(sender.manufacturer),
        "identification": sender.identification,
        "version": sender.version,
        "device_type": sender.device_type,
        "ci": segment.ci,
        "source": segment.source,
        "destination": segment.destination,
    }
