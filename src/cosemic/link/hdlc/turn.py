"""What the primary station does with the turn while the connection stands (IEC 62056-46, two-way alternate).

The turn is passed by P = 1 and comes back with F = 1. What is done with it, the first that applies:

=====================================================  ===============================================================
the peer is busy (RNR)                                 RR after ``poll_interval``; lost after ``polling_timeout``
I frames are not acknowledged, or new                  these, as far as the window goes, P = 1 in the last one
I frames of the peer were lost, its message goes on    RR
an answer is awaited, or another may follow            RR after ``poll_interval``; kept after ``polling_timeout``
otherwise                                              it is kept
=====================================================  ===============================================================

What has to be sent again, by time-out or because the peer did not get it, is sent ``repeats`` times without effect
before the connection is lost. Effect is an acknowledgement of anything, or an I frame that was expected.

An I frame that was taken before does not bring the turn: it answers a frame that was repeated too early, and the answer
to the last one is still to come. A frame with an invalid N(R) is discarded.
"""

from __future__ import annotations

from enum import Enum, auto

from cosemic.errors import CosemicError, ResponseTimeout
from cosemic.link.hdlc.frame import HdlcFrame
from cosemic.link.hdlc.numbered import Arrival, NumberedTransfer, Outgoing
from cosemic.link.hdlc.settings import HdlcSettings
from cosemic.values.enumerations import FrameType


class _Expected(Enum):
    """What may come when the secondary is polled."""

    NOTHING = auto()
    ANSWER = auto()
    MORE = auto()
    """An APDU came; whether another one follows only a poll tells."""


_NOTHING, _ANSWER, _MORE = _Expected
_I, _RNR = FrameType.I, FrameType.RNR


class Turn:
    """The turn of one connection. transfer: its I frames."""

    def __init__(self, transfer: NumberedTransfer, settings: HdlcSettings) -> None:
        self.poll_at: float | None = None
        """When the peer is polled next."""
        self.fresh = False
        """Whether the turn was passed with I frames of which none was sent before."""
        self.complaint = ""
        """What was wrong with frames that were discarded."""
        self._transfer = transfer
        self._settings = settings
        self._expected = _NOTHING
        self._polling = False
        self._polling_since: float | None = None
        self._busy = False
        self._effect = False
        self._gap = False
        self._repeats = 0

    def put(self, apdu: bytes) -> None:
        """Take an APDU to be sent, whose answer is awaited."""
        self._transfer.put(apdu)
        self._expected = _ANSWER
        self._polling_since = None

    def poll(self) -> None:
        """Send RR with this or the next turn, unless there are I frames to send."""
        self._polling = True

    def tick(self, now: float) -> None:
        """Tell the time."""
        if self.poll_at is not None and now >= self.poll_at:
            self.poll_at = None
            self._polling = True

    def use(self) -> list[Outgoing]:
        """Return the frames that pass the turn; none: it is kept."""
        transfer = self._transfer
        self.fresh = False
        if transfer.due and not self._busy:
            self.fresh = not transfer.outstanding
            frames = transfer.burst()
        elif self._polling:
            frames = [transfer.supervisory(FrameType.RR)]
        else:
            return []
        self.poll_at = None
        self._polling = self._effect = self._gap = False
        return frames

    def take(self, frame: HdlcFrame) -> tuple[bool, bytes | None]:
        """Take an I, RR or RNR; return whether it counts for the turn, and the APDU that it completes.

        Raises ProtocolError where the APDU becomes too long.
        """
        transfer, control = self._transfer, frame.control
        acknowledged = transfer.acknowledge(control.nr or 0)
        if acknowledged is None:
            self.complaint = f", last it answered with N(R) {control.nr} where V(S) is {transfer.vs}"
            return False, None
        self._effect = self._effect or acknowledged > 0
        self._busy = control.type is _RNR
        if control.type is not _I:
            return True, None
        if control.ns != transfer.vr:
            arrival = transfer.arrival(control.ns or 0)
            self._gap = self._gap or arrival is Arrival.BEHIND_A_GAP
            return arrival is Arrival.BEHIND_A_GAP, None
        self._effect = True
        apdu = transfer.take(frame.information, frame.segmented)
        if apdu:
            self._expected = _MORE
        return True, apdu

    def came(self, now: float) -> CosemicError | None:
        """The turn came back; return why the connection is lost, if it is."""
        transfer = self._transfer
        if self._effect:
            self._repeats = 0
            self._polling_since = None
        elif (transfer.outstanding and not self._busy) or self._gap:
            if not self.another_try():
                return self.lost()
        elif self._expected is _MORE:
            self._expected = _NOTHING
        receiving = transfer.receiving
        if self._gap or (receiving and self._effect):
            self._polling = True
        elif self._busy or receiving or self._expected is not _NOTHING:
            return self._wait(now)
        return None

    def timed_out(self) -> CosemicError | None:
        """No answer came; the turn is taken to send the same again. Return why the connection is lost, if it is."""
        if self._effect:
            self._repeats = 0
        self._polling = True
        return None if self.another_try() else self.lost()

    def another_try(self) -> bool:
        """Count a repetition; return whether it may be made."""
        self._repeats += 1
        return self._repeats <= self._settings.repeats

    def lost(self) -> CosemicError:
        """Return the error of too many repetitions."""
        settings = self._settings
        return ResponseTimeout(
            f"the HDLC connection is lost: frames sent {settings.repeats + 1} times, {settings.response_timeout:g} s "
            f"each, without effect{self.complaint}: check the line, or raise response_timeout or repeats"
        )

    def _wait(self, now: float) -> CosemicError | None:
        """Poll after a while, but not for ever."""
        settings = self._settings
        if self._polling_since is None:
            self._polling_since = now
        if now - self._polling_since < settings.polling_timeout:
            self.poll_at = now + settings.poll_interval
            return None
        self._expected = _NOTHING
        self._polling_since = None
        if not self._busy:
            return None
        waited = f"the meter has been busy (RNR) for {settings.polling_timeout:g} s"
        return ResponseTimeout(f"{waited}: try again later, or raise polling_timeout")
