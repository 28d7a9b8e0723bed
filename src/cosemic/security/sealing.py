"""Octets of a device at rest, sealed under a key that their file does not hold (AES-256-GCM).

::

    nonce (12) | ciphertext | tag (16)      the name of the place is authenticated with it

The sealing key follows (HMAC-SHA-256) from a key that the device is configured with, and serves for nothing else.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cosemic.errors import DecipheringError
from cosemic.security.keys import Key

_DOMAIN: Final = b"Cosemic device state, sealing of an object's secrets, version 1"
_NONCE: Final = 12


class Sealing:
    """Seals and opens octets. root: the key that the sealing key follows from."""

    def __init__(self, root: Key) -> None:
        self._cipher = AESGCM(hmac.digest(root.reveal(), _DOMAIN, "sha256"))

    def seal(self, name: str, octets: bytes) -> bytes:
        """Return octets sealed for the place of that name."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, octets, name.encode())

    def open(self, name: str, sealed: bytes) -> bytes:
        """Return what was sealed. Raises DecipheringError for another root or name, and for changed octets."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
        except (InvalidTag, ValueError):
            raise DecipheringError("what was sealed does not open: another key, another place, or changed") from None
