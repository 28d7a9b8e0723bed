"""DER, as far as certificates need it (ISO/IEC 8825-1, 10): taken apart strictly, and put together.

::

    tag | length | contents     length: 00..7F, or 81..83 and the fewest octets that hold it; tags below 31 only

The library that reads certificates is not asked for what decides: which octets are signed, serial number, algorithm and
public key are cut out here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

from cosemic.errors import CertificateError

SEQUENCE: Final = 0x30
SET: Final = 0x31
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
LONGEST_SERIAL: Final = 20
"""Octets of a serial number (RFC 5280, 4.1.2.2)."""
_AUTHORITY_KEY_IDENTIFIER: Final = bytes.fromhex("0603551d23")
_ISSUER_SERIAL: Final = 0x82
_MOST_ELEMENTS: Final = 16
"""Of a structure that is taken apart here; none has more."""


@dataclass(frozen=True, slots=True)
class Element:
    """One value: its tag, its contents, and all of it with tag and length."""

    tag: int
    contents: bytes
    whole: bytes


def refuse(reason: str) -> NoReturn:
    """Raise CertificateError."""
    raise CertificateError(reason)


def elements(octets: bytes, what: str) -> list[Element]:
    """Return the values that stand one behind the other, in ``what``. Raises CertificateError."""
    found: list[Element] = []
    start = 0
    while start < len(octets):
        if len(found) == _MOST_ELEMENTS:
            refuse(f"the {what} has more parts than one has")
        found.append(element := _read(octets, start, what))
        start += len(element.whole)
    return found


def whole(octets: bytes, what: str, tag: int = SEQUENCE) -> Element:
    """Return the one value that the octets are. Raises CertificateError when they are another, or none, or more."""
    element = _read(octets, 0, what)
    if element.tag != tag or len(element.whole) != len(octets):
        refuse(f"the {what} is not one DER value of the right kind")
    return element


def _read(octets: bytes, start: int, what: str) -> Element:
    head = octets[start : start + 5]
    if len(head) < 2 or head[0] & 0x1F == 0x1F:
        refuse(f"the {what} is cut short, or is no DER")
    length, width = head[1], 2
    if length >= 0x80:
        width += length & 0x7F
        length = int.from_bytes(head[2:width], "big")
        if not 3 <= width <= len(head) or length < 0x80 or length.bit_length() <= 8 * (width - 3):
            refuse(f"the {what} is cut short, or is no DER")
    end = start + width + length
    if end > len(octets):
        refuse(f"the {what} is cut short")
    return Element(head[0], octets[start + width : end], octets[start:end])


def serial_number(element: Element) -> int:
    """Return a serial number: positive, of at most 20 octets, written with the fewest. Raises CertificateError."""
    octets = element.contents
    if element.tag != INTEGER or not 1 <= len(octets) <= LONGEST_SERIAL or octets[0] >= 0x80 or not any(octets):
        refuse("a serial number is a positive number of at most 20 octets")
    if len(octets) > 1 and octets[0] == 0 and octets[1] < 0x80:
        refuse("a serial number is written with the fewest octets that hold it")
    return int.from_bytes(octets, "big")


def check_issuer_serials(extensions: bytes, what: str) -> None:
    """Raise CertificateError unless the issuer's serial number in an AuthorityKeyIdentifier, if there is one, is one.

    extensions: DER, SEQUENCE OF. The library takes any, and warns.
    """
    for extension in elements(whole(extensions, what).contents, what):
        parts = elements(extension.contents, what)
        if parts[:1] and parts[0].whole == _AUTHORITY_KEY_IDENTIFIER:
            for part in elements(whole(parts[-1].contents, what).contents, what):
                if part.tag == _ISSUER_SERIAL:
                    serial_number(Element(INTEGER, part.contents, part.whole))


def tlv(tag: int, *contents: bytes) -> bytes:
    """Return a value; its contents are joined."""
    joined = b"".join(contents)
    if len(joined) < 0x80:
        return bytes((tag, len(joined))) + joined
    length = len(joined).to_bytes((len(joined).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + joined


def integer(number: int) -> bytes:
    """Return an INTEGER that is not negative."""
    return tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
