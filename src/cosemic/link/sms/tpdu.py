"""Short messages as they pass between a mobile station and its service centre (3GPP TS 23.040, 9.2).

::

    SMS-SUBMIT    first-octet TP-MR TP-DA TP-PID TP-DCS [TP-VP] TP-UDL TP-UD          from the station
    SMS-DELIVER   first-octet TP-OA TP-PID TP-DCS TP-SCTS(7) TP-UDL TP-UD             to the station

    first octet   bits 1-0 TP-MTI: 00 DELIVER, 01 SUBMIT; SUBMIT: bits 4-3 TP-VPF; bit 6 TP-UDHI
    address       digits(1) type-of-number-and-plan(1) digits, two an octet, the first in the low half; F fills
    TP-DCS        04: data of 8 bits
    TP-UD         [UDHL(1) { IEI(1) length(1) data }] octets, 140 at most; the header is there where TP-UDHI is 1

Information elements: ``00 03 reference total part`` a part of a longer message, ``08 04`` the same with a reference
of 16 bits, ``05 04`` destination and source port of 16 bits.

Messages in the alphabets for text are read as well, as octets: it is for the user of the data to refuse them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cosemic.errors import DecodeError, EncodeError

MAX_USER_DATA: Final = 140
"""Octets of TP-UD, the header among them."""
MAX_PARTS: Final = 255
DATA_8_BIT: Final = 0x04
CONCATENATED_8_BIT: Final = 0x00
CONCATENATED_16_BIT: Final = 0x08
PORTS_16_BIT: Final = 0x05
_MTI: Final = 0x03
_DELIVER: Final = 0x00
_SUBMIT: Final = 0x01
_UDHI: Final = 0x40
_VALIDITY: Final = 0x18
_VALIDITY_OCTETS: Final = {0x00: 0, 0x08: 7, 0x10: 1, 0x18: 7}
_INTERNATIONAL: Final = 0x91
_UNKNOWN: Final = 0x81
_ALPHANUMERIC: Final = 0x50
_DIGITS: Final = "0123456789*#abc"
_NUMBER: Final = re.compile(r"\+?[0-9*#]{1,20}")


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Which part of which longer message this is; parts count from 1."""

    reference: int
    total: int
    part: int


@dataclass(frozen=True, slots=True)
class UserData:
    """TP-UD: octets, and what of the header is known here. ports: destination and source."""

    octets: bytes
    concatenation: Concatenation | None = None
    ports: tuple[int, int] | None = None

    @property
    def header(self) -> bytes:
        """The header with its length, or nothing."""
        elements = b""
        if self.ports is not None:
            elements += bytes((PORTS_16_BIT, 4)) + b"".join(port.to_bytes(2, "big") for port in self.ports)
        if self.concatenation is not None:
            one = self.concatenation
            elements += bytes((CONCATENATED_8_BIT, 3, one.reference, one.total, one.part))
        return bytes((len(elements),)) + elements if elements else b""


@dataclass(frozen=True, slots=True)
class Deliver:
    """SMS-DELIVER.

    originator: ``+`` and digits, or digits; ``?`` and hexadecimal octets where it is a name. timestamp: the seven
    octets of TP-SCTS, as they came.
    """

    originator: str
    user_data: UserData
    data_coding: int = DATA_8_BIT
    timestamp: bytes = bytes(7)

    def encode(self) -> bytes:
        """Return the TPDU. Raises EncodeError for what does not fit."""
        first = _DELIVER | 0x04 | _header_flag(self.user_data)
        head = bytes((first,)) + encode_number(self.originator) + bytes((0, self.data_coding))
        return head + self.timestamp + _encode_user_data(self.user_data)


@dataclass(frozen=True, slots=True)
class Submit:
    """SMS-SUBMIT. destination: as in :class:`Deliver`. reference: TP-MR, 0 to 255. validity: TP-VP, relative."""

    destination: str
    user_data: UserData
    reference: int = 0
    data_coding: int = DATA_8_BIT
    validity: int | None = None

    def encode(self) -> bytes:
        """Return the TPDU. Raises EncodeError for what does not fit."""
        relative = self.validity is not None
        first = _SUBMIT | (0x10 if relative else 0) | _header_flag(self.user_data)
        head = bytes((first, self.reference)) + encode_number(self.destination) + bytes((0, self.data_coding))
        return (
            head + (bytes((self.validity,)) if self.validity is not None else b"") + _encode_user_data(self.user_data)
        )


def is_number(text: str) -> bool:
    """Whether a message can be sent there: a telephone number, not a name."""
    return _NUMBER.fullmatch(text) is not None


def encode_number(number: str) -> bytes:
    """Return a telephone number as an address; raises EncodeError for one that cannot be."""
    if not is_number(number):
        raise EncodeError(f"{number!r} is no telephone number: + and up to 20 digits")
    digits = number.removeprefix("+")
    halves = [_DIGITS.index(digit) for digit in digits] + [0xF] * (len(digits) % 2)
    packed = bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))
    return bytes((len(digits), _INTERNATIONAL if number[0] == "+" else _UNKNOWN)) + packed


def decode_tpdu(octets: bytes) -> Deliver | Submit:
    """Read one TPDU. Raises DecodeError for anything but exactly one SMS-DELIVER or SMS-SUBMIT."""
    reader = _Reader(octets)
    first = reader.octet("first octet")
    kind = first & _MTI
    if kind not in (_DELIVER, _SUBMIT):
        raise DecodeError(f"SMS-DELIVER or SMS-SUBMIT, not message type {kind}", 0, "TP-MTI")
    reference = reader.octet("TP-MR") if kind == _SUBMIT else 0
    number = _read_number(reader)
    reader.octet("TP-PID")
    coding = reader.octet("TP-DCS")
    passed = reader.take(_VALIDITY_OCTETS[first & _VALIDITY] if kind == _SUBMIT else 7, "TP-VP or TP-SCTS")
    user_data = _read_user_data(reader, bool(first & _UDHI), coding)
    if reader.left:
        raise DecodeError(f"{reader.left} octets after the end of the TPDU", reader.position, "TP-UD")
    if kind == _DELIVER:
        return Deliver(number, user_data, coding, passed)
    return Submit(number, user_data, reference, coding, passed[0] if len(passed) == 1 else None)


def is_8_bit(coding: int) -> bool:
    """Return whether TP-DCS says that the user data are octets (TS 23.038, 4)."""
    group = coding >> 4
    if group < 0x8:
        return coding & 0x0C == 0x04
    return group == 0xF and bool(coding & 0x04)


class _Reader:
    """Reads octets that begin at ``base`` of the whole."""

    def __init__(self, octets: bytes, base: int = 0) -> None:
        self._octets = octets
        self._base = base
        self.position = 0

    @property
    def left(self) -> int:
        return len(self._octets) - self.position

    def take(self, count: int, field: str) -> bytes:
        if self.left < count:
            raise DecodeError(f"{count - self.left} more octets of {field}", self._base + len(self._octets), field)
        self.position += count
        return self._octets[self.position - count : self.position]

    def octet(self, field: str) -> int:
        return self.take(1, field)[0]


def _read_number(reader: _Reader) -> str:
    digits = reader.octet("address")
    kind = reader.octet("address")
    packed = reader.take((digits + 1) // 2, "address")
    halves = [half for octet in packed for half in (octet & 0x0F, octet >> 4)][:digits]
    if kind & 0x70 == _ALPHANUMERIC:
        return "?" + packed.hex()
    if 0xF in halves:
        raise DecodeError(f"{digits} digits, not fill", reader.position, "address")
    return ("+" if kind & 0x70 == 0x10 else "") + "".join(_DIGITS[half] for half in halves)


def _header_flag(user_data: UserData) -> int:
    return _UDHI if user_data.header else 0


def _encode_user_data(user_data: UserData) -> bytes:
    octets = user_data.header + user_data.octets
    if len(octets) > MAX_USER_DATA:
        raise EncodeError(f"a short message carries {MAX_USER_DATA} octets, not {len(octets)}")
    return bytes((len(octets),)) + octets


def _read_user_data(reader: _Reader, has_header: bool, coding: int) -> UserData:
    length = reader.octet("TP-UDL")
    if not is_8_bit(coding) and coding & 0x0C == 0:
        length = (length * 7 + 7) // 8  # TP-UDL counts septets in the default alphabet
    if length > MAX_USER_DATA:
        raise DecodeError(f"{MAX_USER_DATA} octets at most, not {length}", reader.position - 1, "TP-UDL")
    base = reader.position
    body = _Reader(reader.take(length, "TP-UD"), base)
    if not has_header:
        return UserData(body.take(body.left, "TP-UD"))
    elements = _Reader(body.take(body.octet("UDHL"), "header"), base + 1)
    concatenation: Concatenation | None = None
    ports: tuple[int, int] | None = None
    while elements.left:
        kind = elements.octet("IEI")
        data = elements.take(elements.octet("IEI length"), f"element {kind:02x}")
        if (kind, len(data)) in ((CONCATENATED_8_BIT, 3), (CONCATENATED_16_BIT, 4)):
            concatenation = Concatenation(int.from_bytes(data[:-2], "big"), data[-2], data[-1])
        elif (kind, len(data)) == (PORTS_16_BIT, 4):
            ports = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:], "big")
    return UserData(body.take(body.left, "TP-UD"), concatenation, ports)
