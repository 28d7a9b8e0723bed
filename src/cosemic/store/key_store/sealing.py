"""Octets under AES-256-GCM, bound to the place where they stand.

::

    sealed    nonce (12, random) | ciphertext | tag (16)
    bound     each part of the place behind its length (4 octets): no two places have the same authenticated data
    padded    length (4) | octets | zeros up to a multiple of 64, so that the size of a password does not show

One key seals fewer than 2^32 times: a master key is renewed by rotation long before, a data key is that of one meter.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cosemic.errors import StoreError
from cosemic.values.secret import HiddenOctets

KEY_LENGTH: Final = 32
"""Octets of master keys and data keys: AES-256, whatever suite the meters have."""
NONCE_LENGTH, TAG_LENGTH, BLOCK = 12, 16, 64
CHANGED: Final = (
    "the key store was changed by another hand, or is damaged: take no key from it, restore a copy, and look at its "
    "audit"
)


class BrokenSeal(StoreError):
    """Sealed octets are not those that were sealed under this key for this place."""


def bound(*parts: str | int | bytes) -> bytes:
    """Return authenticated data that stand for these parts in this order, and for no others."""
    octets = [part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(each).to_bytes(4, "big") + each for each in octets)


def seal(key: bytes, octets: bytes, place: bytes) -> bytes:
    """Return octets sealed for a place."""
    nonce = secrets.token_bytes(NONCE_LENGTH)
    return nonce + AESGCM(key).encrypt(nonce, octets, place)


def unseal(key: bytes, sealed: bytes, place: bytes) -> bytes:
    """Return what was sealed for that place. Raises BrokenSeal, the same for every reason."""
    if len(sealed) < NONCE_LENGTH + TAG_LENGTH:
        raise BrokenSeal(CHANGED)
    try:
        return HiddenOctets(AESGCM(key).decrypt(sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:], place))
    except InvalidTag:
        raise BrokenSeal(CHANGED) from None


def padded(octets: bytes) -> bytes:
    """Return octets whose length tells little of theirs."""
    whole = HiddenOctets(len(octets).to_bytes(4, "big") + octets)
    return whole + bytes(-len(whole) % BLOCK)


def unpadded(octets: bytes) -> bytes:
    """Return what was padded. Raises BrokenSeal."""
    length = int.from_bytes(octets[:4], "big")
    if len(octets) < 4 or length > len(octets) - 4:
        raise BrokenSeal(CHANGED)
    return HiddenOctets(octets[4 : 4 + length])


def subkey(key: bytes, purpose: bytes) -> bytes:
    """Return a key of 32 octets for one purpose, from which nothing of ``key`` follows (HMAC-SHA-256)."""
    return HiddenOctets(hmac.digest(key, b"Cosemic key store, version 1: " + purpose, "sha256"))


def fresh_key() -> bytes:
    """Return a random key of 32 octets."""
    return HiddenOctets(secrets.token_bytes(KEY_LENGTH))
