"""What a serial port makes of characters that were sent at another rate or in another format.

A character on the line (IEC 62056-21, 5; ISO 1177): start bit 0, data bits (least significant first), parity, stop
bits 1; the idle line is 1. The receiver takes a falling edge as the start, and looks at the line in the middle of each
of *its* bits::

    sent 0x55 at 9600 8N1      1 |0|1 0 1 0 1 0 1 0|1
    looked at, 4800 8N1          | . | . | . | . | . | . | . | . | . |

A character whose parity or stop bit is not what it should be is read as 00, as terminal drivers do.
"""

from __future__ import annotations

from typing import Final

from cosemic.values import LineSettings
from cosemic.values.line_settings import Parity

ERRONEOUS: Final = 0x00
"""What is read for a character with a parity or framing error."""


def as_received(octets: bytes, sent: LineSettings, received: LineSettings) -> bytes:
    """Return what a port set to ``received`` reads of octets ``sent`` back to back; there may be none.

    At most one octet comes of each falling edge, and thus no more than five for each octet sent.
    """
    if sent == received:
        return bytes(octets)
    line = signal(octets, sent)
    found = bytearray()
    at = 0
    while True:
        at = line.find(b"\x01\x00", at)
        if at < 0:
            return bytes(found)
        start = at + 1
        samples = [_level(line, start, 2 * bit + 1, sent, received) for bit in range(received.bits)]
        at = start
        if not samples[0]:
            found.append(_character(samples[1:], received))
            # The next edge counts from the middle of the last stop bit on.
            at += (2 * received.bits - 1) * sent.baud // (2 * received.baud)


def signal(octets: bytes, line: LineSettings) -> bytes:
    """Return the levels of the line, 0 or 1 an octet, a bit time each; it begins and ends idle."""
    levels = bytearray((1,))
    for octet in octets:
        data = [octet >> bit & 1 for bit in range(line.data_bits)]
        levels.append(0)
        levels += bytes(data)
        if line.parity is not Parity.NONE:
            levels.append(_parity(data, line.parity))
        levels += b"\x01" * line.stop_bits
    levels.append(1)
    return bytes(levels)


def _level(line: bytes, start: int, half_bits: int, sent: LineSettings, received: LineSettings) -> int:
    """Look at the line so many half bits of the receiver after a start."""
    at = start + half_bits * sent.baud // (2 * received.baud)
    return line[at] if at < len(line) else 1


def _character(levels: list[int], line: LineSettings) -> int:
    data, rest = levels[: line.data_bits], levels[line.data_bits :]
    if line.parity is not Parity.NONE and rest.pop(0) != _parity(data, line.parity):
        return ERRONEOUS
    if not all(rest):
        return ERRONEOUS
    return sum(level << bit for bit, level in enumerate(data))


def _parity(data: list[int], parity: Parity) -> int:
    return (sum(data) + (parity is Parity.ODD)) % 2
