"""The response time-out of a primary station (IEC 62056-46): from what was sent to the end of what answers it.

It begins when the octets have been handed out and the time is told, and leaves them the time that they take on the
line. Every frame of the answer begins it anew. It does not run out inside a frame, as long as not more has come than
the own echo and twice the longest burst that was agreed: noise prolongs it no further.
"""

from __future__ import annotations

from typing import Final

from cosemic.link.contract import UNARMED
from cosemic.link.hdlc.negotiation import Agreement
from cosemic.link.hdlc.settings import HdlcSettings

_OVERHEAD: Final = 32
"""More than the octets of a frame beside its information field."""


class ResponseTimer:
    """Keeps the time of one station."""

    def __init__(self, settings: HdlcSettings) -> None:
        self.deadline: float | None = None
        """When it runs out; None while nothing is awaited."""
        self._settings = settings
        self._handed_out = 0
        self._heard = 0

    def start(self, octets: int) -> None:
        """So many octets are handed out, and an answer is awaited."""
        self.deadline = UNARMED
        self._handed_out, self._heard = octets, 0

    def stop(self) -> None:
        """Nothing is awaited any more."""
        self.deadline = None

    def arm(self, now: float) -> None:
        """Tell the time after the octets were handed out."""
        if self.deadline == UNARMED:
            self.deadline = now + self._settings.response_timeout + self._handed_out * self._settings.octet_time

    def go_on(self, now: float) -> None:
        """A frame of the answer came, and it is not the last."""
        self.deadline = now + self._settings.response_timeout

    def hear(self, octets: int, agreement: Agreement, now: float) -> None:
        """Octets came, and a frame goes on."""
        self._heard += octets
        longest = agreement.window_rx * (agreement.max_info_rx + _OVERHEAD)
        if self.deadline is not None and self._heard <= self._handed_out + 2 * longest:
            self.deadline = max(self.deadline, now + self._settings.inter_octet_timeout)

    def has_run_out(self, now: float) -> bool:
        """Whether the deadline has come."""
        return self.deadline is not None and now >= self.deadline
