"""Header and frame check sequence: CRC-16/X-25 (ISO/IEC 13239; IEC 62056-46).

The polynomial is 1021 with all octets and the result reflected, start FFFF, result inverted, low octet first; the check
value of ``123456789`` is 906E. :func:`binascii.crc_hqx` computes the same polynomial unreflected in C, so the octets
are reflected on the way in and the two octets of the result on the way out; sent low octet first, a reflected
result is its two octets reflected in place.

Behind octets and their right check sequence the register always holds the same: the FCS of a frame goes on behind its
right HCS from there, without the header.
"""

from __future__ import annotations

from binascii import crc_hqx

_REFLECTED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))
_REFLECTED_INVERTED = bytes(octet ^ 0xFF for octet in _REFLECTED)
_RESIDUE = 0x1D0F
"""What the unreflected register holds after octets and their right check sequence."""

_LONG = 1000
"""From about here on it pays to copy octets into a bytearray, which is translated faster than bytes."""


def check_sequence(octets: bytes | bytearray) -> bytes:
    """Return the check sequence of the octets as it follows them: two octets, low octet first."""
    return crc_hqx(octets.translate(_REFLECTED), 0xFFFF).to_bytes(2, "big").translate(_REFLECTED_INVERTED)


def checks(octets: bytes | bytearray) -> bool:
    """Whether the last two octets are the check sequence of those before them."""
    return crc_hqx(octets.translate(_REFLECTED), 0xFFFF) == _RESIDUE


def continued_check_sequence(octets: bytes | bytearray) -> bytes:
    """Return the check sequence of octets that stand behind others with their right check sequence, and of these."""
    if len(octets) > _LONG:
        octets = bytearray(octets)
    return crc_hqx(octets.translate(_REFLECTED), _RESIDUE).to_bytes(2, "big").translate(_REFLECTED_INVERTED)


def continues(octets: bytes | bytearray) -> bool:
    """Whether the last two octets are the continued check sequence of those before them."""
    if len(octets) > _LONG:
        octets = bytearray(octets)
    return crc_hqx(octets.translate(_REFLECTED), _RESIDUE) == _RESIDUE
