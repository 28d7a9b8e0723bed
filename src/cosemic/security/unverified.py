"""Deciphering without verifying: for the inspector alone.

A decoder of recorded octets may show what a message seems to say though its authentication key is missing or its tag is
wrong, marked so. Nothing that acts on what it reads may import this module (security 4.1; the contracts of the rooms
hold it).
"""

from __future__ import annotations

from cosemic.errors import DecodeError
from cosemic.security.keys import Key
from cosemic.security.protection import HEADER_LENGTH
from cosemic.security.suite import SYSTEM_TITLE_LENGTH, TAG_LENGTH, SecurityControl


def decipher_unverified(octets: bytes, key: Key | None, system_title: bytes) -> bytes:
    """Return what ``SC IC body [T]`` seems to carry; anybody may have written it.

    key: the encryption key; not needed, and may be None, where the octets are not encrypted. system_title: 8 octets,
    the originator's. Raises DecodeError when the octets are too short, or the key or title that is needed is missing.
    """
    control = SecurityControl(octets[0]) if octets else SecurityControl(0)
    end = len(octets) - (TAG_LENGTH if control.authenticated else 0)
    if end < HEADER_LENGTH:
        raise DecodeError("security header and authentication tag", len(octets))
    body = octets[HEADER_LENGTH:end]
    if not control.encrypted:
        return body
    if key is None or len(system_title) != SYSTEM_TITLE_LENGTH:
        raise DecodeError("an encryption key and a system title of 8 octets are needed to read this", HEADER_LENGTH)
    return key.aead.encrypt(system_title + octets[1:HEADER_LENGTH], body, None)[:-16]
