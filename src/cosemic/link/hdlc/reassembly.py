"""Segments of HDLC frames into messages (IEC 62056-46; pushes of real meters).

A message is the information fields of consecutive I frames, or of consecutive UI frames, of one pair of addresses; the
segmentation bit is 1 in all but the last. The LLC octets stand in the first segment only.

====================================  ==================================================================
a segment of an open message          it is joined, in the order of arrival
I, N(S) and information as before     the segment repeated: passed over
I, N(S) neither as before nor next    a segment is missing: the message is dropped
it begins with LLC octets (UI; I      the end of the message before was lost: that one is dropped,
where a segment is missing)           this segment begins a new one
SNRM, DISC, UA, DM, FRMR              the connection is made or gone: open messages of both directions are dropped
====================================  ==================================================================

Some meters push I frames outside any connection and never count N(S): the same number with other information is the
next segment. Frames with wrong check sequences are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from cosemic.link.hdlc.fields import split_llc
from cosemic.link.hdlc.frame import HdlcAddress, HdlcFrame
from cosemic.values.enumerations import FrameType

MAX_OCTETS = 1 << 20
MAX_OPEN = 16

_BLOCK = 0xE0
"""general-block-transfer."""
_CONNECTION = frozenset((FrameType.SNRM, FrameType.DISC, FrameType.UA, FrameType.DM, FrameType.FRMR))
_Key: TypeAlias = tuple[HdlcAddress, HdlcAddress, FrameType]


@dataclass(frozen=True, slots=True)
class HdlcMessage:
    """What one or more frames carried: ``octets`` without the LLC octets, ``llc`` these, None where there were none."""

    frames: tuple[HdlcFrame, ...]
    octets: bytes
    llc: bytes | None


def is_whole(message: HdlcMessage, llc: bytes) -> bool:
    """Whether a message in UI frames carries an APDU from its beginning.

    Without LLC octets it is the rest of one whose first segment was lost; only blocks of general block transfer are
    sent so. UI frames have no numbers: that a segment between the first and the last is missing cannot be told.
    """
    return message.octets != b"" and (message.llc == llc or (message.llc is None and message.octets[0] == _BLOCK))


class _Open:
    """A message of which segments are missing yet; without ``frames`` it is dropped up to its end."""

    __slots__ = ("frames", "octets")

    def __init__(self) -> None:
        self.frames: list[HdlcFrame] = []
        self.octets = 0


class HdlcReassembler:
    """Joins segments, for each pair of addresses on its own.

    ``max_octets`` bounds the frames of one message, ``max_open`` how many messages may be open at once (the oldest is
    dropped for a new one).
    """

    def __init__(self, *, max_octets: int = MAX_OCTETS, max_open: int = MAX_OPEN) -> None:
        self._max_octets = max_octets
        self._max_open = max_open
        self._open: dict[_Key, _Open] = {}
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """How many messages were begun and given up."""
        return self._dropped

    @property
    def pending(self) -> int:
        """How many messages are open."""
        return len(self._open)

    def receive(self, frame: HdlcFrame) -> HdlcMessage | None:
        """Take the next frame; return the message that it completes."""
        type_ = frame.control.type
        if not frame.fcs_ok or frame.hcs_ok is False:
            return None
        if type_ in _CONNECTION:
            self._disconnect(frame)
            return None
        if type_ is not FrameType.I and type_ is not FrameType.UI:
            return None
        key = (frame.destination, frame.source, type_)
        message = self._open.get(key)
        if message is None:
            return self._begin(key, frame)
        relation = _relation(message, frame)
        if relation is _Relation.NEXT:
            return self._join(key, message, frame)
        if relation is _Relation.FIRST:
            self._drop(key)
            return self._begin(key, frame)
        if relation is _Relation.BEHIND_A_GAP:
            self._skip(key, message, frame)
        return None

    def _begin(self, key: _Key, frame: HdlcFrame) -> HdlcMessage | None:
        if not frame.segmented:
            return _message([frame])
        if len(self._open) >= self._max_open:
            self._drop(next(iter(self._open)))
        self._open[key] = message = _Open()
        return self._join(key, message, frame)

    def _join(self, key: _Key, message: _Open, frame: HdlcFrame) -> HdlcMessage | None:
        message.octets += frame.length
        if message.octets > self._max_octets:
            self._skip(key, message, frame)
            return None
        message.frames.append(frame)
        if frame.segmented:
            return None
        del self._open[key]
        return _message(message.frames)

    def _skip(self, key: _Key, message: _Open, frame: HdlcFrame) -> None:
        """Let go of the segments, and pass over the rest of the message up to its end."""
        message.frames.clear()
        if not frame.segmented:
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        del self._open[key]
        self._dropped += 1

    def _disconnect(self, frame: HdlcFrame) -> None:
        ends = {frame.destination, frame.source}
        for key in [key for key in self._open if {key[0], key[1]} == ends]:
            self._drop(key)


class _Relation(Enum):
    """How a frame stands to the open message of its addresses."""

    NEXT = auto()
    REPEATED = auto()
    FIRST = auto()
    BEHIND_A_GAP = auto()


def _relation(message: _Open, frame: HdlcFrame) -> _Relation:
    counted = False
    gap = not message.frames
    if not gap and frame.control.ns is not None:
        last = message.frames[-1]
        step = (frame.control.ns - (last.control.ns or 0)) % 8
        if step == 0 and frame.segmented and frame.information == last.information:
            return _Relation.REPEATED
        counted = step == 1
        gap = step > 1
    if not counted and split_llc(frame.information)[0] is not None:
        return _Relation.FIRST
    return _Relation.BEHIND_A_GAP if gap else _Relation.NEXT


def _message(frames: list[HdlcFrame]) -> HdlcMessage:
    llc, octets = split_llc(b"".join(frame.information for frame in frames))
    return HdlcMessage(tuple(frames), octets, llc)
