"""Where frames begin and end in what is written at once, so that faults befall one frame of a burst and not the rest.

For :attr:`StreamFaults.frames <cosemic.faults.media.StreamFaults.frames>`. What is returned is end to end what was
given, whatever was given.
"""

from __future__ import annotations

from typing import Final

_FORMAT_TYPE_3: Final = 0xA


def hdlc_frames(octets: bytes) -> list[bytes]:
    """Cut HDLC frames (IEC 62056-46, format type 3) behind each closing flag; the next may have no flag of its own."""
    frames = []
    start = 0
    while start < len(octets):
        at = start
        while octets[at : at + 1] == b"\x7e":
            at += 1
        field = octets[at : at + 2]
        end = len(octets)
        if len(field) == 2 and field[0] >> 4 == _FORMAT_TYPE_3:
            end = at + ((field[0] & 0x07) << 8 | field[1])
            end += octets[end : end + 1] == b"\x7e"
        # A length of nothing would stand still.
        end = max(end, start + 1)
        frames.append(octets[start:end])
        start = end
    return frames


def wpdus(octets: bytes) -> list[bytes]:
    """Cut WPDUs (IEC 62056-4-7) behind each APDU."""
    found = []
    start = 0
    while start < len(octets):
        end = start + 8 + int.from_bytes(octets[start + 6 : start + 8], "big")
        found.append(octets[start:end])
        start = end
    return found
