"""How a serial port is set: rate and character format (IEC 62056-21, 5; 62056-46)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Parity(Enum):
    """The parity bit of a character; the values are the letters of ``8N1`` and ``7E1``."""

    NONE = "N"
    EVEN = "E"
    ODD = "O"


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Rate in baud, and the character: data bits (7 or 8), parity, stop bits (1 or 2).

    ``str()`` gives ``9600 8N1``.
    """

    baud: int
    data_bits: int = 8
    parity: Parity = Parity.NONE
    stop_bits: int = 1

    @property
    def bits(self) -> int:
        """Bits that one character takes on the line, the start bit among them."""
        return 1 + self.data_bits + (self.parity is not Parity.NONE) + self.stop_bits

    def seconds(self, octets: int) -> float:
        """Return how long so many characters take."""
        return octets * self.bits / self.baud

    def __str__(self) -> str:
        return f"{self.baud} {self.data_bits}{self.parity.value}{self.stop_bits}"


OPTICAL: Final = LineSettings(300, 7, Parity.EVEN)
"""Where IEC 62056-21 begins."""
