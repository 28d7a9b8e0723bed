"""Control characters, block check and rates of IEC 62056-21 (clauses 5 and 6.2; the tables of 6.3.14).

Characters are of 7 bits with even parity and one stop bit; a session begins at 300 baud.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import xor
from types import MappingProxyType
from typing import Final

from cosemic.link.contract import Octets
from cosemic.values import LineSettings
from cosemic.values.line_settings import Parity

SOH: Final = 0x01
STX: Final = 0x02
ETX: Final = 0x03
EOT: Final = 0x04
"""Stands in place of ETX where another partial block follows."""
ACK: Final = 0x06
NAK: Final = 0x15

RATES: Final[Mapping[str, int]] = MappingProxyType(
    {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}
)
"""Baud characters of modes C and E. 7, 8 and 9 are reserved: some makers agreed on 57,600 and more for them."""
MODE_B_RATES: Final[Mapping[str, int]] = MappingProxyType(
    {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}
)


def line_at(baud: int) -> LineSettings:
    """Return the character format of this standard at a rate."""
    return LineSettings(baud, 7, Parity.EVEN)


MODE_D_LINE: Final = line_at(2400)
"""Mode D has no sign-on, and thus one rate."""


def block_check(octets: Octets) -> int:
    """Return the BCC: the exclusive-or of the octets behind the first SOH or STX up to and with ETX or EOT.

    It sees every single wrong octet. Two may hide each other; only the parity of the characters helps then.
    """
    return reduce(xor, octets, 0)
