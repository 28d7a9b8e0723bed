"""HDLC frames, and what they carry (IEC 62056-46): ``7E frame 7E frame 7E``, segments joined, LLC octets taken off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cosemic.codec import Limits
from cosemic.dialect import Quirk
from cosemic.errors import DecodeError
from cosemic.link.hdlc import FLAG, HdlcFrame, HdlcMessage, HdlcReassembler, HdlcStreamReader, decode_frame
from cosemic.link.hdlc.checks import checks
from cosemic.link.hdlc.frame import MAX_HEADER, MAX_LENGTH, decode_header
from cosemic.values import FrameType

_CARRIERS: Final = (FrameType.I, FrameType.UI)
_CLOSING_FLAGS: Final = 16
"""How many flags are tried as the end of a frame whose length field is wrong; bounds the work on hostile octets."""


@dataclass(frozen=True, slots=True)
class HdlcLayer:
    """The frames of all segments."""

    frames: tuple[HdlcFrame, ...]


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


def is_empty(frame: HdlcFrame) -> bool:
    """Whether it is an I or UI frame that carries nothing."""
    return frame.control.type in _CARRIERS and not frame.information


def hdlc_apdus(octets: bytes, quirks: frozenset[Quirk], limits: Limits) -> tuple[HdlcLayer, list[bytes]]:
    """Read the APDUs in right frames. Raises DecodeError where a frame is wrong, or segments are missing."""
    frames = find_frames(octets, quirks, damaged=True)
    for number, frame in enumerate(frames.frames):
        if not frame.fcs_ok or frame.hcs_ok is False:
            wrong = "header" if frame.hcs_ok is False else "frame"
            raise DecodeError(f"a right {wrong} check sequence in frame {number + 1}", 0, "hdlc")
    if frames.strays:
        raise DecodeError(f"HDLC frames and flags alone: {frames.strays} octets belong to no frame", 0, "hdlc")
    messages, lost = reassemble(frames.frames, limits)
    if lost or not messages:
        raise DecodeError("all segments of an APDU", 0, "hdlc")
    return HdlcLayer(segments(frames.frames)), [message.octets for message in messages]


def reassemble(frames: tuple[HdlcFrame, ...], limits: Limits) -> tuple[list[HdlcMessage], int]:
    """Join segments: the messages, and how many were begun and not finished."""
    reassembler = HdlcReassembler(max_octets=limits.octets)
    found = [reassembler.receive(frame) for frame in frames if not is_empty(frame)]
    return [message for message in found if message is not None], reassembler.dropped + reassembler.pending
