"""Device addresses and data headers of the M-Bus (EN 13757-3, EN 13757-7).

::

    device address     identification (4)  manufacturer (2)  version (1)  device type (1)     headers, selection
    the same by radio  manufacturer (2)  identification (4)  version (1)  device type (1)     EN 13757-4
    short header       ACC (1)  STS (1)  CW (2)
    long header        device address (8)  ACC (1)  STS (1)  CW (2)

All numbers are little-endian. The identification is eight BCD digits; manufacturer is three letters of five bits each,
``((c1 - 64) << 10) | ((c2 - 64) << 5) | (c3 - 64)``. In a selection a digit F, a manufacturer FFFF, a version or device
type FF stands for any. ACC counts messages, STS is the state of the device, bits 8 to 12 of the configuration word CW
are the security mode of the transport layer: 0 none, 5 AES-CBC, 7 AES-CBC with a derived key, 8 CTR, 9 GCM, 10 CCM,
13 TLS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from struct import Struct
from typing import Final, TypeAlias

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.contract import Octets

ANY_MANUFACTURER: Final = 0xFFFF
ANY: Final = 0xFF
"""Any version or device type, in a selection."""

_ADDRESS: Final = Struct("<IHBB")
_RADIO_ADDRESS: Final = Struct("<HIBB")
_SHORT: Final = Struct("<BBH")
_DIGITS: Final = re.compile("[0-9A-F]{8}")
_LETTERS: Final = re.compile("[A-Z]{3}")
_SECURITY_MODE: Final = 0x1F00


def manufacturer_code(letters: str) -> int:
    """Return the number of a manufacturer, of whom ``letters`` are the three FLAG letters. Raises EncodeError."""
    if not _LETTERS.fullmatch(letters):
        raise EncodeError(f"a manufacturer is three capital letters, not {letters!r}")
    first, second, third = (ord(letter) - 64 for letter in letters)
    return first << 10 | second << 5 | third


def manufacturer_letters(code: int) -> str:
    """Return the three letters; where the number stands for no letters, its four hexadecimal digits."""
    letters = "".join(chr(64 + (code >> shift & 0x1F)) for shift in (10, 5, 0))
    return letters if code < 0x8000 and _LETTERS.fullmatch(letters) else f"{code:04X}"


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """Who a device is: the secondary address of the wired M-Bus, the link address by radio.

    identification: eight digits, 0 to 9, or F for any. manufacturer: its number, see :func:`manufacturer_code`.
    Raises EncodeError where a field does not fit.
    """

    identification: str
    manufacturer: int = ANY_MANUFACTURER
    version: int = ANY
    device_type: int = ANY

    def __post_init__(self) -> None:
        if not _DIGITS.fullmatch(self.identification):
            raise EncodeError(f"an M-Bus identification is eight digits, not {self.identification!r}")
        if not (0 <= self.manufacturer <= 0xFFFF and 0 <= self.version <= 0xFF and 0 <= self.device_type <= 0xFF):
            raise EncodeError("manufacturer of 16 bits, version and device type of 8 are in an M-Bus device address")

    def encode(self) -> bytes:
        """Return the eight octets as headers and selections have them."""
        return _ADDRESS.pack(int(self.identification, 16), self.manufacturer, self.version, self.device_type)

    def encode_radio(self) -> bytes:
        """Return the eight octets as frames of the wireless M-Bus have them."""
        return _RADIO_ADDRESS.pack(self.manufacturer, int(self.identification, 16), self.version, self.device_type)

    @classmethod
    def decode(cls, octets: Octets) -> DeviceAddress:
        """Read the eight octets of a header or selection. Raises DecodeError where there are more or fewer."""
        identification, manufacturer, version, device_type = _unpack(_ADDRESS, octets, "device address")
        return cls(f"{identification:08X}", manufacturer, version, device_type)

    @classmethod
    def decode_radio(cls, octets: Octets) -> DeviceAddress:
        """Read the eight octets of a wireless frame. Raises DecodeError where there are more or fewer."""
        manufacturer, identification, version, device_type = _unpack(_RADIO_ADDRESS, octets, "link address")
        return cls(f"{identification:08X}", manufacturer, version, device_type)

    def selects(self, device: DeviceAddress) -> bool:
        """Whether this address, with its parts that stand for any, is that of ``device``."""
        digits = zip(self.identification, device.identification, strict=True)
        return (
            all(wanted in ("F", digit) for wanted, digit in digits)
            and self.manufacturer in (ANY_MANUFACTURER, device.manufacturer)
            and self.version in (ANY, device.version)
            and self.device_type in (ANY, device.device_type)
        )

    def __str__(self) -> str:
        manufacturer = manufacturer_letters(self.manufacturer)
        return f"{self.identification} {manufacturer} version {self.version} type {self.device_type:02X}"


@dataclass(frozen=True, slots=True)
class ShortHeader:
    """ACC, STS and CW."""

    access_number: int = 0
    status: int = 0
    configuration: int = 0

    @property
    def security_mode(self) -> int:
        """How the transport layer protects what follows; 0 is not at all."""
        return (self.configuration & _SECURITY_MODE) >> 8

    def encode(self) -> bytes:
        """Return the four octets. Raises EncodeError where a field does not fit."""
        fields = (self.access_number, self.status, self.configuration)
        if not all(0 <= field <= limit for field, limit in zip(fields, (0xFF, 0xFF, 0xFFFF), strict=True)):
            raise EncodeError(f"ACC, STS and CW of an M-Bus header are of 8, 8 and 16 bits, not {fields}")
        return _SHORT.pack(*fields)

    @classmethod
    def decode(cls, octets: Octets) -> ShortHeader:
        """Read the four octets. Raises DecodeError where there are more or fewer."""
        return cls(*_unpack(_SHORT, octets, "short header"))


@dataclass(frozen=True, slots=True)
class LongHeader:
    """The address of a device, which may be another than the one that the frame names, before the short header."""

    device: DeviceAddress
    rest: ShortHeader = ShortHeader()

    @property
    def security_mode(self) -> int:
        """How the transport layer protects what follows; 0 is not at all."""
        return self.rest.security_mode

    def encode(self) -> bytes:
        """Return the twelve octets."""
        return self.device.encode() + self.rest.encode()

    @classmethod
    def decode(cls, octets: Octets) -> LongHeader:
        """Read the twelve octets. Raises DecodeError where there are more or fewer."""
        if len(octets) != LONG_HEADER:
            raise DecodeError(f"{LONG_HEADER} octets are a long header, not {len(octets)}", 0, "mbus.header")
        return cls(DeviceAddress.decode(octets[:8]), ShortHeader.decode(octets[8:]))


Header: TypeAlias = ShortHeader | LongHeader
SHORT_HEADER: Final = _SHORT.size
LONG_HEADER: Final = _ADDRESS.size + SHORT_HEADER


def _unpack(layout: Struct, octets: Octets, what: str) -> tuple[int, ...]:
    if len(octets) != layout.size:
        raise DecodeError(f"{layout.size} octets are a {what}, not {len(octets)}", 0, "mbus.header")
    return layout.unpack(octets)
