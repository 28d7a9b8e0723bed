"""HDLC frames in a stream of octets (IEC 62056-46).

::

    7E frame 7E frame 7E 7E 7E frame 7E          one flag may close a frame and open the next; several are fill

There is no stuffing: 7E occurs freely inside frames, so the length field delimits. A flag opens a frame when

1. format, addresses and control field can begin a frame of that length,
2. the HCS is right, where there is an information field,
3. a flag stands where the length says that the frame ends, and
4. the FCS is right;

otherwise the search goes on one octet after that flag. Each condition is looked at as soon as its octets are there:
noise that looks like an opening flag is given up after a dozen octets, not after the 2047 it may announce.

No octet is looked at again because more octets came. Work is linear in the octets, memory is one frame and what is
handed in.
"""

from __future__ import annotations

from cosemic.errors import DecodeError
from cosemic.link.contract import Octets
from cosemic.link.hdlc.frame import FLAG, MAX_HEADER, MIN_LENGTH, HdlcFrame, decode_header, frame_of

_FLAG = FLAG[0]
_DECISIVE = 3
"""A flag and the two octets behind it say whether a frame may begin there, and how long it is."""


class HdlcStreamReader:
    """Finds frames in a stream that may be cut anywhere and disturbed anywhere.

    ``damaged``: also give frames between flags whose HCS or FCS is wrong, marked as such, and go on at their closing
    flag (conditions 2 and 4 are not asked for). This is for looking at captures; a station never takes them.
    """

    def __init__(self, *, damaged: bool = False) -> None:
        self._damaged = damaged
        self._buffer = bytearray()
        self._needed = 1
        self._discarded = 0

    @property
    def discarded(self) -> int:
        """How many octets were passed over that are neither flags nor part of a frame that was given."""
        return self._discarded

    @property
    def pending(self) -> int:
        """How many octets behind an opening flag wait for the rest of their frame."""
        return max(len(self._buffer) - 1, 0)

    def receive(self, octets: Octets) -> list[HdlcFrame]:
        """Take octets of the stream; return the frames that they complete, in order."""
        if len(self._buffer) <= 1 and (frame := self._whole(octets)) is not None:
            self._buffer[:] = FLAG
            self._needed = _DECISIVE
            return [frame]
        self._buffer += octets
        return self._frames() if len(self._buffer) >= self._needed else []

    def finish(self) -> list[HdlcFrame]:
        """Say that nothing follows (end of the capture, inter-octet time-out); return what an open frame had hidden.

        An unfinished frame is given up, and the octets behind its opening flag are searched. What is received
        afterwards begins anew.
        """
        frames: list[HdlcFrame] = []
        while len(self._buffer) > 1:
            del self._buffer[0]
            frames += self._frames()
        return frames

    def _whole(self, octets: Octets) -> HdlcFrame | None:
        """Return the frame that is these octets, flag to flag: nearly all of a conversation come so."""
        closing = len(octets) - 1
        if closing <= MIN_LENGTH or octets[0] != _FLAG or octets[closing] != _FLAG or octets[1] & 0xF0 != 0xA0:
            return None
        if (octets[1] & 0x07) << 8 | octets[2] != closing - 1:
            return None
        return self._frame(bytes(octets), 1, closing)

    def _frames(self) -> list[HdlcFrame]:
        """Take all frames out of the buffer; leave it empty, or beginning with a flag that may open a frame.

        ``_needed`` is how long it has to be for the next decision on that frame.
        """
        octets = bytes(self._buffer)
        frames: list[HdlcFrame] = []
        start, end, needed = 0, len(octets), 0
        while start < end:
            if octets[start] != _FLAG:
                flag = octets.find(FLAG, start)
                following = flag if flag >= 0 else end
                self._discarded += following - start
                start = following
                continue
            content = start + 1
            if end < content + 2:
                needed = content + 2
                break
            first = octets[content]
            length = (first & 0x07) << 8 | octets[content + 1]
            if first & 0xF0 != 0xA0 or length < MIN_LENGTH:
                start = content
                continue
            closing = content + length
            behind = closing + 1
            if end < behind:
                known = content + min(length, MAX_HEADER + 2)
                if end < known or self._may_begin(octets, content, length):
                    needed = known if end < known else behind
                    break
            elif octets[closing] == _FLAG:
                frame = self._frame(octets, content, closing)
                if frame is not None:
                    frames.append(frame)
                    start = behind if behind < end and octets[behind] == _FLAG else closing
                    continue
            start = content
        del self._buffer[:start]
        self._needed = max(needed - start, 1)
        return frames

    def _frame(self, octets: bytes, content: int, closing: int) -> HdlcFrame | None:
        """Return the frame between these flags, if it is one."""
        try:
            header = decode_header(octets, closing - content, content)
        except DecodeError:
            return None
        frame = frame_of(header, octets, content, closing, self._damaged)
        return frame if frame.fcs_ok or self._damaged else None

    def _may_begin(self, octets: bytes, content: int, length: int) -> bool:
        """Whether format to control, and the HCS if there is one, can begin a frame of this length."""
        try:
            header = decode_header(octets, length, content)
        except DecodeError:
            return False
        end = content + header.end
        return self._damaged or length == header.end + 2 or octets[end : end + 2] == header.check
