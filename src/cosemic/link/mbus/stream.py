"""M-Bus frames in a stream of octets (EN 13757-2).

Nothing marks the frames but their own octets: a frame begins with 10, or with 68 L L 68, and its stop octet 16 stands
where its length says. What else stands there is passed over octet by octet, so that a frame is found whatever came
before it. A long frame in which only the checksum is wrong was damaged on its way: it is passed over as a whole, so
that nothing it carries is taken for a frame.

The single character E5 has no structure at all. It counts only where a frame may begin that nothing strange stands
before: behind a right frame, behind another E5, or after :meth:`MbusStreamReader.reset`.

No octet is looked at again because more octets came. Work is linear in the octets, memory is one frame and what is
handed in.
"""

from __future__ import annotations

from cosemic.link.contract import Octets
from cosemic.link.mbus.frame import E5, SINGLE, Telegram, frame_length, frame_of


class MbusStreamReader:
    """Finds frames in a stream that may be cut anywhere and disturbed anywhere.

    ``damaged``: also give frames whose checksum or (long frames alone) stop octet is wrong, marked as such. This is for
    looking at captures; a station never takes them.
    """

    def __init__(self, *, damaged: bool = False) -> None:
        self._damaged = damaged
        self._buffer = bytearray()
        self._needed = 1
        self._aligned = True
        self._discarded = 0

    @property
    def discarded(self) -> int:
        """How many octets were passed over that are no part of a frame that was given."""
        return self._discarded

    @property
    def pending(self) -> int:
        """How many octets wait for the rest of their frame."""
        return len(self._buffer)

    def receive(self, octets: Octets) -> list[Telegram]:
        """Take octets of the stream; return the frames that they complete, in order."""
        self._buffer += octets
        return self._frames() if len(self._buffer) >= self._needed else []

    def reset(self) -> None:
        """Forget what waits for its rest: the line was silent, and what comes now begins a frame."""
        self._discarded += len(self._buffer)
        self._buffer.clear()
        self._needed = 1
        self._aligned = True

    def finish(self) -> list[Telegram]:
        """Say that nothing follows; return what hid behind the start of a frame that never ended, then reset."""
        frames: list[Telegram] = []
        while self._buffer:
            self._pass_over(1)
            del self._buffer[0]
            frames += self._frames()
        self.reset()
        return frames

    def _frames(self) -> list[Telegram]:
        """Take all frames out of the buffer; leave it empty, or beginning with what may be one."""
        buffer = self._buffer
        frames: list[Telegram] = []
        start, end = 0, len(buffer)
        needed = 1
        while start < end:
            if buffer[start] == SINGLE and self._aligned:
                frames.append(E5)
                start += 1
                continue
            length = frame_length(buffer, start)
            if length is None:
                self._pass_over(1)
                start += 1
                continue
            if start + length > end:
                needed = length
                break
            frame = frame_of(bytes(buffer[start : start + length]))
            if frame.right or (self._damaged and (frame.stop_ok or (frame.checksum_ok and not frame.short))):
                frames.append(frame)
                self._aligned = True
            elif frame.stop_ok and not frame.short:
                self._discarded += length
                self._aligned = True
            else:
                self._pass_over(1)
                length = 1
            start += length
        del buffer[:start]
        self._needed = needed
        return frames

    def _pass_over(self, count: int) -> None:
        self._discarded += count
        self._aligned = False
