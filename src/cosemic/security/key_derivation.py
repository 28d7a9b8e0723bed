"""The concatenation KDF of key agreement (NIST SP 800-56A, 5.8.1; Green Book 9.2.3.4.6.5; reference, security 8.4).

::

    K             leftmost 128 or 256 bits of H(00000001 | Z | OtherInfo), H being the hash of the suite: one round
    OtherInfo     AlgorithmID (7) | PartyUInfo | PartyVInfo
    AlgorithmID   60 85 74 05 08 03 0n, the value octets of {2 16 756 5 8 3 n}; 06 for the 05 where the dialect says so
    PartyUInfo    system title of U (8); static unified model: and the transaction-id with its length
    PartyVInfo    system title of V (8)
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import Final

from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import ConfigurationError
from cosemic.security.elliptic import curve_of
from cosemic.security.keys import Key
from cosemic.security.suite import SecuritySuite
from cosemic.values.secret import Secret

ARCS: Final = (5, 6)


class Algorithm(IntEnum):
    """What a derived key will be used with: the last octet of AlgorithmID."""

    AES_GCM_128 = 0
    AES_GCM_256 = 1
    AES_WRAP_128 = 2
    AES_WRAP_256 = 3

    @property
    def key_length(self) -> int:
        """Octets of its key: 16 or 32."""
        return 32 if self & 1 else 16

    @classmethod
    def for_encryption(cls, suite: SecuritySuite) -> Algorithm:
        """Return the algorithm of encryption and authentication keys of a suite."""
        return cls.AES_GCM_256 if suite.key_length == 32 else cls.AES_GCM_128

    @classmethod
    def for_wrapping(cls, suite: SecuritySuite) -> Algorithm:
        """Return the algorithm of key encryption keys of a suite."""
        return cls.AES_WRAP_256 if suite.key_length == 32 else cls.AES_WRAP_128

    def identifier(self, arc: int = 5) -> bytes:
        """Return AlgorithmID, 7 octets. Raises ConfigurationError when ``arc`` is neither 5 nor 6."""
        if arc not in ARCS:
            raise ConfigurationError(f"kdf_algorithm_arc is 5 or 6, not {arc}")
        return bytes((0x60, 0x85, 0x74, arc, 0x08, 0x03, self))


def kdf(
    suite: SecuritySuite,
    z: bytes | bytearray,
    algorithm: Algorithm,
    party_u: bytes,
    party_v: bytes,
    dialect: Dialect = STANDARD,
) -> Key:
    """Return the key that follows from Z, 16 or 32 octets.

    z: 32 or 48 octets, wiped by the caller. algorithm: the use of the key. party_u, party_v: PartyUInfo, PartyVInfo.
    Raises ConfigurationError for a suite without key agreement, another length of Z, and an algorithm whose keys are
    not of the suite's length.
    """
    curve = curve_of(suite)
    if len(z) != curve.length or algorithm.key_length != suite.key_length:
        raise ConfigurationError(
            f"security suite {suite.id} makes keys of {suite.key_length} octets from {curve.length}, not "
            f"{algorithm.key_length} from {len(z)}"
        )
    other_info = algorithm.identifier(dialect.kdf_algorithm_arc) + party_u + party_v
    return Key(Secret(concatenation_kdf(curve.hash_name, z, other_info, suite.key_length), "agreed key"))


def concatenation_kdf(hash_name: str, z: bytes | bytearray, other_info: bytes, length: int) -> bytes:
    """Return the first round of the KDF, cut to ``length`` octets, which is at most the length of the hash."""
    digest = hashlib.new(hash_name, b"\0\0\0\1")
    digest.update(z)
    digest.update(other_info)
    return digest.digest()[:length]
