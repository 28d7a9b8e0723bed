"""What the bits of a status column say, where a companion specification tells it.

The standard leaves status words to the instance (IEC 62056-6-1, 0-b:96.10.e, 96.5.e); a companion or a maker fills
them. Each filling is a class of bits here, given to :meth:`LoadProfile.from_buffer` as ``status``; without one, the
status stays as it was sent::

    bit   AMRProfileStatus (DSMR, SMR, IDIS)   VDEWStatus (VDEW, L+G)
    7     power down                           power down
    6     recovered value (SMR 5; else 0)      power up
    5     clock adjusted                       clock adjusted
    4     0                                    reset
    3     daylight saving                      season changed
    2     data not valid                       measured value disturbed
    1     clock invalid                        power reserve of the clock exhausted
    0     critical error                       fatal error

VDEW words of more than one octet have the device's own bits above these; they are kept.
"""

from __future__ import annotations

from enum import IntFlag
from functools import reduce
from operator import or_
from typing import Any, Final, Self

from cosemic.model.profile_stamps import NOTHING, Mark
from cosemic.values import BitString

_MARKS: Final = {
    "CLOCK_INVALID": Mark.CLOCK_INVALID,
    "RESERVE_EXHAUSTED": Mark.CLOCK_INVALID,
    "CRITICAL_ERROR": Mark.DATA_INVALID,
    "FATAL_ERROR": Mark.DATA_INVALID,
    "DATA_NOT_VALID": Mark.DATA_INVALID,
    "VALUE_DISTURBED": Mark.DATA_INVALID,
}


def bits_of(value: Any) -> int | None:
    """Return a status word as a number; None for what is no number and no bits.

    Bit 0 of a number is its least significant one, that of a bit-string the one sent first.
    """
    if isinstance(value, BitString):
        return sum(1 << number for number, bit in enumerate(value) if bit == "1")
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def status_names(value: Any) -> list[str] | None:
    """Return names of the bits that are set in a status, ``bit-9`` where none is known; None for what has no bits."""
    if isinstance(value, ProfileStatus):
        return value.names()
    bits = bits_of(value)
    return None if bits is None else [f"bit-{bit.bit_length() - 1}" for bit in _single_bits(bits)]


def _single_bits(bits: int) -> list[int]:
    return [1 << number for number in range(bits.bit_length()) if bits >> number & 1]


class ProfileStatus(IntFlag):
    """Bits of a status column; a companion's own are a subclass, an IntFlag. Bits without a name are kept."""

    @classmethod
    def of(cls, value: Any) -> Self | None:
        """Return the bits of a status as it was sent; None for what is no number and no bits."""
        bits = bits_of(value)
        return None if bits is None else cls(bits)

    def names(self) -> list[str]:
        """Return the kebab-case names of the bits that are set, ``bit-9`` where one has no name."""
        known = {int(bit): name.lower().replace("_", "-") for name, bit in type(self).__members__.items()}
        return [known.get(bit, f"bit-{bit.bit_length() - 1}") for bit in _single_bits(int(self))]

    @property
    def marks(self) -> Mark:
        """What the status says of its row: bits that every companion means alike have the same name in all of them."""
        return reduce(
            or_, (_MARKS.get(name, NOTHING) for name, bit in type(self).__members__.items() if self & bit), NOTHING
        )


class AMRProfileStatus(ProfileStatus):
    """AMR profile status of DSMR, SMR and IDIS meters: 0-0:96.10.e."""

    CRITICAL_ERROR = 0x01
    CLOCK_INVALID = 0x02
    DATA_NOT_VALID = 0x04
    DAYLIGHT_SAVING = 0x08
    CLOCK_ADJUSTED = 0x20
    RECOVERED_VALUE = 0x40
    POWER_DOWN = 0x80


class VDEWStatus(ProfileStatus):
    """Status of load profiles by the VDEW specification: 0-0:96.240.12 of L+G meters."""

    FATAL_ERROR = 0x01
    RESERVE_EXHAUSTED = 0x02
    VALUE_DISTURBED = 0x04
    SEASON_CHANGED = 0x08
    RESET = 0x10
    CLOCK_ADJUSTED = 0x20
    POWER_UP = 0x40
    POWER_DOWN = 0x80
