"""Titles, keys, secrets and objects: what both sides of every case know.

Private keys are numbers made of titles, so that every program has the same ones without a file.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from interop import meter

CLIENT_SAP: Final = 1
CLIENT_TITLE: Final = b"HES\x00\x00\x00\x00\x01"
METER_TITLE: Final = meter.METER_TITLE
THIRD_TITLE: Final = b"TPY\x00\x00\x00\x00\x01"
PASSWORD: Final = b"12345678"
HLS_SECRET: Final = b"SECRET0123456789"
"""Of mechanisms 2, 3, 4 and 6; 16 octets, because mechanism 2 is AES-128 by convention."""

REGISTER: Final = meter.ENERGY_IMPORT
VALUE: Final = meter.REGISTERS[meter.ENERGY_IMPORT][0]
MESSAGE: Final = meter.MESSAGE
CONTENT: Final = bytes(n % 7 for n in range(300))
"""What is written to the message and read back: more than 255 octets, and compressible."""
BREAKER: Final = meter.BREAKER
SETUP: Final = bytes.fromhex("00002b0000ff")

_CURVES: Final = {1: ec.SECP256R1(), 2: ec.SECP384R1()}
SIGNATURE, AGREEMENT = "signature", "agreement"
"""Uses of a private key."""


def key_length(suite: int) -> int:
    """Octets of a symmetric key."""
    return 32 if suite == 2 else 16


def symmetric(first: int, suite: int) -> bytes:
    """Octets that rise from a first one."""
    return bytes((first + each) & 0xFF for each in range(key_length(suite)))


def unicast(suite: int) -> bytes:
    """The global unicast encryption key."""
    return symmetric(0x00, suite)


def authentication(suite: int) -> bytes:
    """The authentication key."""
    return symmetric(0xD0, suite)


def broadcast(suite: int) -> bytes:
    """The global broadcast encryption key."""
    return symmetric(0x40, suite)


def master(suite: int) -> bytes:
    """The master key."""
    return symmetric(0x80, suite)


def fresh(suite: int, key_id: int) -> bytes:
    """A key that takes the place of one of those."""
    return symmetric(0x21 + 0x31 * key_id, suite)


def scalar(title: bytes, use: str, suite: int) -> bytes:
    """The number of a private key, in octets."""
    made = hashlib.sha384(title + use.encode()).digest()
    return made[: 48 if suite == 2 else 32]


def private(title: bytes, use: str, suite: int) -> ec.EllipticCurvePrivateKey:
    """A private key as `cryptography` has it."""
    return ec.derive_private_key(int.from_bytes(scalar(title, use, suite), "big"), _CURVES[suite])


def public(title: bytes, use: str, suite: int) -> ec.EllipticCurvePublicKey:
    """A public key as `cryptography` has it."""
    return private(title, use, suite).public_key()
