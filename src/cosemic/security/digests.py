"""Digests of files: proof that an image has come as it was sent (class 18; algorithm: FIPS 180-4)."""

from __future__ import annotations

import hashlib


def sha256_of(octets: bytes) -> bytes:
    """Return the SHA-256 of octets: 32 octets."""
    return hashlib.sha256(octets).digest()
