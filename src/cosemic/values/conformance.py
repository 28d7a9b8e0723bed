"""The conformance block: which services client and server can use (IEC 62056-5-3, xDLMS Initiate).

A BIT STRING of 24 bits, three octets on the wire; the standard counts the bits from the most significant one::

    octet 1: 0 reserved ... 7 reserved    octet 2: 8 attribute0-supported-with-set ... 15    octet 3: 16 ... 23 action
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag
from typing import Any, Final, Self

from cosemic.errors import ConfigurationError, DecodeError

_REMEMBERED: Final = 1024


class Conformance(IntFlag):
    """The conformance block: what client and server can do (IEC 62056-5-3, 24 bits).

    Bit 0 of the standard is the most significant: ``1 << 23``.
    """

    RESERVED_ZERO = 1 << 23
    GENERAL_PROTECTION = 1 << 22
    GENERAL_BLOCK_TRANSFER = 1 << 21
    READ = 1 << 20
    WRITE = 1 << 19
    UNCONFIRMED_WRITE = 1 << 18
    DELTA_VALUE_ENCODING = 1 << 17
    RESERVED_SEVEN = 1 << 16
    ATTRIBUTE0_SUPPORTED_WITH_SET = 1 << 15
    PRIORITY_MGMT_SUPPORTED = 1 << 14
    ATTRIBUTE0_SUPPORTED_WITH_GET = 1 << 13
    BLOCK_TRANSFER_WITH_GET_OR_READ = 1 << 12
    BLOCK_TRANSFER_WITH_SET_OR_WRITE = 1 << 11
    BLOCK_TRANSFER_WITH_ACTION = 1 << 10
    MULTIPLE_REFERENCES = 1 << 9
    INFORMATION_REPORT = 1 << 8
    DATA_NOTIFICATION = 1 << 7
    ACCESS = 1 << 6
    PARAMETERIZED_ACCESS = 1 << 5
    GET = 1 << 4
    SET = 1 << 3
    SELECTIVE_ACCESS = 1 << 2
    EVENT_NOTIFICATION = 1 << 1
    ACTION = 1 << 0

    @classmethod
    def _missing_(cls, value: object) -> Any:
        # enum remembers each combination for good, which makes it fast; but a peer can send sixteen million of them.
        combination = super()._missing_(value)
        if len(cls._value2member_map_) > _REMEMBERED:
            cls._value2member_map_.pop(value, None)
            if combination.name not in cls._member_map_:  # what is inverted is remembered under both values
                cls._value2member_map_.pop(combination.value, None)
        return combination

    @classmethod
    def from_octets(cls, octets: bytes) -> Self:
        """Return the bits of the three octets of the BIT STRING. Raises DecodeError when there are not three."""
        if len(octets) != 3:
            raise DecodeError(f"a conformance block of 3 octets, not {len(octets)}")
        return cls(int.from_bytes(octets))

    @classmethod
    def from_names(cls, names: Iterable[str]) -> Self:
        """Return the bits with these kebab-case names. Raises ConfigurationError for a name that is not a bit."""
        bits = cls(0)
        for name in names:
            member = cls.__members__.get(name.upper().replace("-", "_"))
            if member is None:
                raise ConfigurationError(f"{name!r} is not a conformance bit")
            bits |= member
        return bits

    @property
    def octets(self) -> bytes:
        """The three octets of the BIT STRING."""
        return int(self).to_bytes(3)

    def names(self) -> list[str]:
        """The kebab-case names of the bits that are 1, first bit first."""
        return [label for bit, label in _CONFORMANCE_LABELS if int(self) & bit]


_CONFORMANCE_LABELS: Final = tuple(
    (int(bit), name.lower().replace("_", "-")) for name, bit in Conformance.__members__.items()
)

SHARED_CONFORMANCE: Final = (
    Conformance.GENERAL_PROTECTION
    | Conformance.GENERAL_BLOCK_TRANSFER
    | Conformance.DELTA_VALUE_ENCODING
    | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ
    | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.DATA_NOTIFICATION
)
"""Bits that mean something with both kinds of referencing."""

LN_ONLY_CONFORMANCE: Final = (
    Conformance.ATTRIBUTE0_SUPPORTED_WITH_SET
    | Conformance.PRIORITY_MGMT_SUPPORTED
    | Conformance.ATTRIBUTE0_SUPPORTED_WITH_GET
    | Conformance.BLOCK_TRANSFER_WITH_ACTION
    | Conformance.ACCESS
    | Conformance.GET
    | Conformance.SET
    | Conformance.SELECTIVE_ACCESS
    | Conformance.EVENT_NOTIFICATION
    | Conformance.ACTION
)
"""Bits that mean something with logical name referencing only."""

SN_ONLY_CONFORMANCE: Final = (
    Conformance.READ
    | Conformance.WRITE
    | Conformance.UNCONFIRMED_WRITE
    | Conformance.INFORMATION_REPORT
    | Conformance.PARAMETERIZED_ACCESS
)
"""Bits that mean something with short name referencing only."""

LN_CONFORMANCE: Final = SHARED_CONFORMANCE | LN_ONLY_CONFORMANCE
"""Every bit of logical name referencing."""

SN_CONFORMANCE: Final = SHARED_CONFORMANCE | SN_ONLY_CONFORMANCE
"""Every bit of short name referencing."""
