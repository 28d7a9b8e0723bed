"""What both HDLC stations do between octets and frames: flags, resynchronisation, inter-octet time-out, own echo.

A medium may give back what is sent on it (optical heads, two-wire RS-485). Most frames tell their sender by their
addresses; where client and server have the same, only their order does. That a medium echoes is learned from the first
frame that only this station can have sent (SNRM of a client, UA of a server); from then on what comes back of the last
sending is passed over, once for each frame.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from cosemic.link.contract import Octets
from cosemic.link.hdlc.frame import FLAG, Control, HdlcAddress, HdlcFrame, encode_frame
from cosemic.link.hdlc.stream import HdlcStreamReader
from cosemic.values.enumerations import FrameType

POLL: Final = 1
"""The P/F bit of a frame that passes the turn."""


_Sent: TypeAlias = tuple[Control, bytes, bytes, bytes]
"""What an echo of a frame is known by: control, information, destination, source; what differs most often first."""


class FrameLine:
    """Frames on a medium. inter_octet_timeout: seconds of silence that end an unfinished frame.

    betrayed_by: the types that no peer of this station sends.
    """

    def __init__(self, inter_octet_timeout: float, betrayed_by: frozenset[FrameType]) -> None:
        self.echoes = False
        """Whether the medium gives back what is sent."""
        self.receiving = False
        """Whether a frame has begun and not ended."""
        self._reader = HdlcStreamReader()
        self._timeout = inter_octet_timeout
        self._betrayed_by = betrayed_by
        self._deadline: float | None = None
        self._due: list[bytes] = []
        self._sent: list[_Sent] = []
        self._controls: set[Control] = set()
        """Of what was sent: most frames of the peer have another, and need no closer look."""
        self._all_handed_out = True

    def put(
        self,
        destination: HdlcAddress,
        source: HdlcAddress,
        control: Control,
        information: bytes = b"",
        segmented: bool = False,
    ) -> None:
        """Take a frame to be sent. Raises EncodeError where it would be too long."""
        frame = encode_frame(destination, source, control, information, segmented=segmented, flags=FLAG)
        if self._all_handed_out:
            self._all_handed_out = False
            self._sent.clear()
            self._controls.clear()
        self._due.append(frame)
        self._controls.add(control)
        self._sent.append((control, information, destination.octets, source.octets))

    def octets_to_send(self) -> bytes:
        """Return the frames that are due, each between flags of its own."""
        due = self._due
        if not due:
            return b""
        octets = due[0] if len(due) == 1 else b"".join(due)
        due.clear()
        self._all_handed_out = True
        return octets

    def receive(self, octets: Octets, now: float) -> list[HdlcFrame]:
        """Take octets; return the frames that the peer has sent."""
        frames = self._reader.receive(octets)
        self.receiving = receiving = self._reader.pending > 0
        self._deadline = now + self._timeout if receiving else None
        for frame in frames:
            if frame.control in self._controls:
                return self._of_the_peer(frames)
        return frames

    def deadline(self) -> float | None:
        """Return when an unfinished frame is given up."""
        return self._deadline

    def tick(self, now: float) -> list[HdlcFrame]:
        """Give up a frame that does not go on; return what it had hidden."""
        if self._deadline is None or now < self._deadline:
            return []
        return self.give_up()

    def give_up(self) -> list[HdlcFrame]:
        """Give up an unfinished frame; return what it had hidden."""
        self._deadline = None
        self.receiving = False
        return self._of_the_peer(self._reader.finish())

    def _of_the_peer(self, frames: list[HdlcFrame]) -> list[HdlcFrame]:
        return [frame for frame in frames if not self._is_echo(frame)]

    def _is_echo(self, frame: HdlcFrame) -> bool:
        came = (frame.control, frame.information, frame.destination.octets, frame.source.octets)
        if came not in self._sent:
            return False
        self.echoes = self.echoes or frame.control.type in self._betrayed_by
        if self.echoes:
            self._sent.remove(came)
        return self.echoes
