"""The P1 telegram of DSMR, ESMR, Fluvius, the Swedish H1 port and others (data sets of IEC 62056-21 mode D).

::

    /XXX5identification CR LF
    CR LF
    1-0:1.8.1(123456.789*kWh) CR LF         address(value)
    0-1:24.2.1(101209112500W)(12785.123*m3) CR LF
    !EF2F CR LF                              CRC-16/ARC from / to !, hexadecimal; none before version 4

A line that begins with a parenthesis goes on with the values of the data set before it. Text is ISO 8859-1. Meters
print the CRC without leading zeros, and one of them on the next line; line noise before the ``/`` and fill behind the
CRC are passed over, another telegram is not. A wrong CRC is reported, not refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cosemic.errors import DecodeError
from cosemic.link.iec21.datasets import DataSet, scan_datasets

_START: Final = re.compile(rb"[^!-.0-~]*/")
"""No printable character but the blank stands before the solidus."""
_IDENTIFICATION: Final = re.compile(rb"[^\r\n]*")
_CRC: Final = re.compile(rb"!\s*([0-9A-Fa-f]{1,4})")


@dataclass(frozen=True, slots=True)
class P1Telegram:
    """A telegram. ``identification`` is its first line; ``crc`` as sent and ``crc_computed`` are None where none is."""

    identification: str
    datasets: tuple[DataSet, ...]
    crc: int | None
    crc_computed: int | None

    @property
    def crc_ok(self) -> bool | None:
        """Whether the CRC is right; None where none is sent."""
        return None if self.crc is None else self.crc == self.crc_computed


def read_p1(octets: bytes) -> P1Telegram:
    """Read one telegram. Raises DecodeError for anything else: no ``/``, no ``!``, a parenthesis that is not closed."""
    begin = _START.match(octets)
    if begin is None:
        raise DecodeError("a telegram that begins with /", 0, "p1")
    start = begin.end() - 1
    identification = _IDENTIFICATION.match(octets, start)
    assert identification is not None  # no octets match too
    datasets, position = scan_datasets(octets, identification.end(), len(octets))
    if octets[position : position + 1] != b"!":
        expected = ") behind this parenthesis" if octets[position : position + 1] == b"(" else "! at the end"
        raise DecodeError(expected, position, "p1")
    again = octets.find(b"/", position)
    if again >= 0:
        raise DecodeError("one telegram, not a second one", again, "p1")
    crc = _CRC.match(octets, position)
    return P1Telegram(
        identification[0].decode("latin-1"),
        datasets,
        None if crc is None else int(crc[1], 16),
        None if crc is None else crc16_arc(octets[start : position + 1]),
    )


def _table() -> tuple[int, ...]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_TABLE: Final = _table()


def crc16_arc(octets: bytes) -> int:
    """Return the CRC-16/ARC (polynomial 8005 reflected, start 0, not inverted; ``123456789`` gives BB3D)."""
    crc = 0
    for octet in octets:
        crc = crc >> 8 ^ _TABLE[(crc ^ octet) & 0xFF]
    return crc
