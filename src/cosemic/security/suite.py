"""Security suites and the security control octet (Green Book 9.2.3.7 and 9.2.7.2.4.2; reference, security 1 and 3).

::

    security control   bit 7 compression | 6 key set, 1: broadcast | 5 encryption | 4 authentication | 3..0 suite
    security header    security control (1) | invocation counter (4)

A suite names the lengths of its keys, its curve and its hash; tag, nonce, system title and invocation counter are of
one length in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Final, Literal, NoReturn, Self

from cosemic.errors import ConfigurationError

TAG_LENGTH: Final = 12
"""Octets of an authentication tag: the leftmost 96 bits of the GCM tag."""
SYSTEM_TITLE_LENGTH: Final = 8
COUNTER_LENGTH: Final = 4
COUNTER_LIMIT: Final = 0xFFFF_FFFF
"""The invocation counter that is never sent and never accepted."""

EllipticCurve = Literal["P-256", "P-384"]
"""A curve by its name in FIPS 186: of signatures and of key agreement."""
HashName = Literal["sha256", "sha384"]
"""A hash by its name in :mod:`hashlib`."""


class Protection(IntFlag):
    """Kinds of protection of one APDU; the numbers are those of security_policy version 0."""

    NONE = 0
    AUTHENTICATED = 1
    ENCRYPTED = 2
    SIGNED = 4


@dataclass(frozen=True, slots=True)
class SecuritySuite:
    """One row of the table of suites.

    id: bits 3..0 of the security control. name: as in the standard.
    key_length: octets of encryption key, authentication key and key encryption key.
    curve, hash_name: of digital signature, key agreement and key derivation; None in a suite without public keys.
    compression: APDUs may be compressed (ITU-T V.44).
    """

    id: int
    name: str
    key_length: int
    curve: EllipticCurve | None = None
    hash_name: HashName | None = None
    compression: bool = False

    @property
    def wrapped_key_length(self) -> int:
        """Octets of a key of this suite after AES key wrap (RFC 3394)."""
        return self.key_length + 8

    @property
    def coordinate_length(self) -> int:
        """Octets of a coordinate, of a private key and of Z: 32, 48, or 0 without a curve."""
        return COORDINATE_LENGTHS[self.curve]

    @property
    def public_key_length(self) -> int:
        """Octets of a public key x || y: 64, 96, or 0 without a curve."""
        return 2 * COORDINATE_LENGTHS[self.curve]

    @property
    def signature_length(self) -> int:
        """Octets of a signature r || s: 64, 96, or 0 without a curve."""
        return 2 * COORDINATE_LENGTHS[self.curve]


COORDINATE_LENGTHS: Final[dict[EllipticCurve | None, int]] = {None: 0, "P-256": 32, "P-384": 48}

SUITES: Final[dict[int, SecuritySuite]] = {
    0: SecuritySuite(0, "AES-GCM-128", 16),
    1: SecuritySuite(1, "ECDH-ECDSA-AES-GCM-128-SHA-256", 16, "P-256", "sha256", compression=True),
    2: SecuritySuite(2, "ECDH-ECDSA-AES-GCM-256-SHA-384", 32, "P-384", "sha384", compression=True),
}
"""The suites by id. A further one of a national profile is entered here, as long as it runs on AES-GCM."""

ASSOCIATION_SUITES: Final = frozenset({0, 1, 2})
"""Suites in which associations are opened and served."""


def security_suite(number: int) -> SecuritySuite:
    """Return the suite with that id. Raises ConfigurationError when there is none."""
    try:
        return SUITES[number]
    except KeyError:
        known = ", ".join(str(each) for each in sorted(SUITES))
        raise ConfigurationError(f"security suite {number} is not known: use one of {known}") from None


class SecurityControl(int):
    """The first octet of a security header; there is one object for each of the 256 values.

    >>> SecurityControl(0x30).encrypted, SecurityControl.of(0, authenticated=True)
    (True, SecurityControl(0x10: authentication, suite 0))
    """

    octet: bytes
    """The one octet."""
    compressed: bool
    broadcast: bool
    encrypted: bool
    authenticated: bool
    suite: int
    protection: int
    """What it applies, as the number of a :class:`Protection`."""

    def __new__(cls, value: int) -> Self:
        """Return the object for an octet. Raises ValueError outside 0 to 255."""
        if not 0 <= value <= 0xFF:
            raise ValueError(f"a security control is one octet, not {value}")
        return CONTROLS[value]  # type: ignore[return-value]  # the table holds this class only

    @classmethod
    def _made(cls, value: int) -> SecurityControl:
        self = int.__new__(cls, value)
        self.__dict__.update(
            octet=bytes((value,)),
            compressed=bool(value & 0x80),
            broadcast=bool(value & 0x40),
            encrypted=bool(value & 0x20),
            authenticated=bool(value & 0x10),
            suite=value & 0x0F,
            protection=value >> 4 & 3,
        )
        return self

    @classmethod
    def of(
        cls, suite: int, *, authenticated: bool = False, encrypted: bool = False, broadcast: bool = False
    ) -> SecurityControl:
        """Return the control for a suite and the protection wanted."""
        return CONTROLS[suite & 0x0F | authenticated << 4 | encrypted << 5 | broadcast << 6]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a security control cannot be changed")

    def __repr__(self) -> str:
        names = ("compression", "broadcast", "encryption", "authentication")
        parts = [name for bit, name in zip((0x80, 0x40, 0x20, 0x10), names, strict=True) if self & bit]
        return f"SecurityControl(0x{int(self):02x}: {', '.join([*parts, f'suite {self.suite}'])})"


CONTROLS: Final = tuple(SecurityControl._made(value) for value in range(256))
"""The security controls by octet."""

COMPRESSED_CONTROLS: Final = frozenset(
    control
    for control in CONTROLS
    if control.compressed and control.authenticated and control.suite in SUITES and SUITES[control.suite].compression
)
"""The security controls under which octets may be compressed: never without a tag, that is checked before expanding."""
