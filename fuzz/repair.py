"""Lengths and check sequences made right again, so that octets that were changed reach what lies behind them."""

from __future__ import annotations

from typing import Final

from cosemic.link.hdlc.checks import check_sequence
from cosemic.link.iec21.characters import block_check
from cosemic.link.mbus.frame import MAX_LENGTH

_FLAG: Final = 0x7E
_LEAST: Final = 7
"""Octets of an HDLC frame without flags and information."""


def repaired(octets: bytes) -> bytes:
    """Return the frame that these octets nearly are; what is none is returned as it is."""
    repair = _REPAIRS.get(octets[0]) if octets else None
    return octets if repair is None else repair(octets)


def _hdlc(octets: bytes) -> bytes:
    content = octets.strip(b"\x7e")
    if len(content) < _LEAST:
        return octets
    at = 2
    for _ in range(2):
        while at < len(content) and not content[at] & 1:
            at += 1
        at += 1
    header, rest = content[: at + 1], content[at + 1 :]
    information = rest[2:-2]
    length = min(len(header) + (len(information) + 2 if information else 0) + 2, 0x7FF)
    head = bytes((header[0] & 0xF8 | length >> 8, length & 0xFF)) + header[2:]
    body = head + check_sequence(head) + information if information else head
    return b"\x7e" + body + check_sequence(body) + b"\x7e"


def _long_frame(octets: bytes) -> bytes:
    counted = octets[4:-2][:MAX_LENGTH]
    length = len(counted)
    return bytes((0x68, length, length, 0x68)) + counted + bytes((sum(counted) & 0xFF, 0x16))


def _short_frame(octets: bytes) -> bytes:
    if len(octets) < 3:
        return octets
    return bytes((0x10, octets[1], octets[2], octets[1] + octets[2] & 0xFF, 0x16))


def _block(octets: bytes) -> bytes:
    end = max(octets.rfind(b"\x03"), octets.rfind(b"\x04"))
    if end < 1:
        octets, end = octets + b"\x03", len(octets)
    return octets[: end + 1] + bytes((block_check(octets[1 : end + 1]),))


def _wpdu(octets: bytes) -> bytes:
    return b"\x00\x01" + octets[2:6] + (len(octets) - 8).to_bytes(2, "big") + octets[8:] if len(octets) > 8 else octets


_REPAIRS: Final = {
    _FLAG: _hdlc,
    0x68: _long_frame,
    0x10: _short_frame,
    0x01: _block,
    0x02: _block,
    0x00: _wpdu,
}
