"""How an HDLC station is set: what it negotiates, and how long it waits (IEC 62056-46; IHDLCSetup, IEC 62056-6-2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.link.hdlc.fields import DEFAULT_MAX_INFO, DEFAULT_WINDOW
from cosemic.link.hdlc.frame import HdlcAddress

MAX_APDU: Final = 0xFFFF
"""The longest APDU that a station joins from segments, in octets."""
_FRAME_OCTETS: Final = 2 + 2 + 1 + 2 + 2
"""Flags, format, control, HCS and FCS."""
_BOUNDS: Final = {
    "max_info_transmit": (32, 2030),
    "max_info_receive": (32, 2030),
    "window_transmit": (1, 7),
    "window_receive": (1, 7),
    "repeats": (0, 100),
}
_POSITIVE: Final = (
    "response_timeout", "inter_octet_timeout", "poll_interval", "polling_timeout", "answer_delay",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HdlcSettings:
    """What one station negotiates and how it keeps time; times in seconds.

    max_info_transmit, max_info_receive: octets of information fields that it can send and take (32..2030).
    window_transmit, window_receive: I frames that it can send and take before an acknowledgement (1..7).
    response_timeout: (primary) silence after its frames before it repeats them. octet_time: seconds that an octet takes
        on the line, waited in addition for each octet sent; 0 where the medium says when they have left, or is fast.
    repeats: (primary) how often in a row it repeats what has no effect, before it gives up.
    inter_octet_timeout: silence inside a frame that ends it. The standard's 25 ms hold for the line itself; what an
        operating system or a network hands up comes in pieces with longer gaps.
    inactivity_timeout: (secondary) silence after which it leaves the connection; 0: never.
    poll_interval: (primary) between polls for an answer that the peer does not have yet, or while it is busy.
    polling_timeout: (primary) how long it polls so: a peer that has no answer is left alone then, one that is busy has
        lost the connection.
    answer_delay: (secondary) how long it keeps the turn for an answer before it says that it has none yet.
    info_counts_frame: the quirk of meters whose maximum information field length counts the whole frame with its flags:
        information fields that are sent are shorter by 9 octets and the addresses.

    Raises ConfigurationError where a number is out of its bounds.
    """

    max_info_transmit: int = DEFAULT_MAX_INFO
    max_info_receive: int = DEFAULT_MAX_INFO
    window_transmit: int = DEFAULT_WINDOW
    window_receive: int = DEFAULT_WINDOW
    response_timeout: float = 5.0
    octet_time: float = 0.0
    repeats: int = 3
    inter_octet_timeout: float = 0.5
    inactivity_timeout: float = 120.0
    poll_interval: float = 0.2
    polling_timeout: float = 60.0
    answer_delay: float = 0.5
    info_counts_frame: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigurationError(f"HDLC {name} {getattr(self, name)} is not in {low}..{high}: correct it")
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"HDLC {name} {getattr(self, name)} is no time: give seconds above 0")
        if self.octet_time < 0 or self.inactivity_timeout < 0:
            raise ConfigurationError("HDLC octet_time and inactivity_timeout are seconds from 0 on")

    def room(self, max_info: int, one: HdlcAddress, other: HdlcAddress) -> int:
        """Return how many octets of information a frame between these addresses may carry.

        ``max_info`` is the length that was agreed.
        """
        overhead = _FRAME_OCTETS + one.size + other.size if self.info_counts_frame else 0
        return max(max_info - overhead, 1)
