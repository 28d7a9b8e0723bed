"""What protection is needed: security policies and access rights (classes 64, 15, 12; reference, security 11).

::

    security_policy, Security setup version 0    0 nothing, 1 authenticated, 2 encrypted, 3 both; both directions
    security_policy, Security setup version 1    bit field, bits 0 and 1 reserved
    access rights, Association LN version 0      attribute 0 none, 1 read, 2 write, 3 both; method boolean
      LN versions 1, 2; SN versions 2, 3         also attribute 4, 5, 6: the same with authentication; method 2
      LN version 3; SN version 4                 bit field, bit 0 read or access, bit 1 write

    bit fields        2  authenticated request     5  authenticated response
                      3  encrypted request         6  encrypted response
                      4  digitally signed request  7  digitally signed response

What an attribute or method needs is the union of policy and rights. More than that is accepted, less is refused. Which
coding holds follows from the version of the class, never from the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from cosemic.errors import DecodeError, EncodeError, PolicyViolation
from cosemic.security.suite import Protection


@dataclass(frozen=True, slots=True)
class Requirement:
    """Least protection of a request and of its response; ``|`` is the union."""

    request: Protection = Protection.NONE
    response: Protection = Protection.NONE

    def __or__(self, other: Requirement) -> Requirement:
        return Requirement(self.request | other.request, self.response | other.response)

    def covers(self, other: Requirement) -> bool:
        """Tell whether this asks for all that ``other`` asks for."""
        return (self | other) == self

    @classmethod
    def from_bits(cls, octet: int) -> Requirement:
        """Return what bits 2 to 7 of a policy or access mode ask for."""
        return cls(Protection(octet >> 2 & 7), Protection(octet >> 5 & 7))

    @property
    def bits(self) -> int:
        """Bits 2 to 7 of a policy or access mode."""
        return int(self.request) << 2 | int(self.response) << 5


UNKNOWN_TO_CODING: Final = "access rights of this association version cannot ask for this protection: use the policy"
AUTHENTICATION: Final = Requirement(Protection.AUTHENTICATED, Protection.AUTHENTICATED)


def check_protection(required: Protection, applied: int, what: str = "the APDU") -> None:
    """Raise PolicyViolation unless ``applied`` holds all of ``required``."""
    if missing := int(required) & ~applied:
        names = " and ".join(str(each.name).lower() for each in Protection(missing))
        raise PolicyViolation(f"{what} is not {names}, as the security policy or the access rights demand")


@dataclass(frozen=True, slots=True)
class SecurityPolicy:
    """The attribute security_policy of Security setup (class 64).

    version: of the class, 0 or 1. value: as coded there. Raises DecodeError for a value that the version does not have;
    in version 1 these are 1 to 3 among others, which are not to be read as those of version 0.
    """

    version: int = 0
    value: int = 0

    def __post_init__(self) -> None:
        if self.version == 0 and 0 <= self.value <= 3:
            return
        if self.version == 1 and 0 <= self.value <= 0xFF and not self.value & 3:
            return
        raise DecodeError(f"a security_policy of Security setup version {self.version}, not {self.value}")

    @property
    def requires(self) -> Requirement:
        """What every request and response must be protected with."""
        if self.version == 0:
            return Requirement(Protection(self.value), Protection(self.value))
        return Requirement.from_bits(self.value)

    def may_become(self, other: SecurityPolicy) -> bool:
        """Tell whether security_activate may change this policy into ``other``: it can only be strengthened."""
        return self.version == other.version and other.requires.covers(self.requires)


class AccessCoding(Enum):
    """How access modes are coded; :func:`access_coding` tells by class and version."""

    PLAIN = 0
    AUTHENTICATED = 1
    BIT_FIELD = 2


_LN_CODINGS: Final = {
    0: AccessCoding.PLAIN,
    1: AccessCoding.AUTHENTICATED,
    2: AccessCoding.AUTHENTICATED,
    3: AccessCoding.BIT_FIELD,
}
_SN_CODINGS: Final = {2: AccessCoding.AUTHENTICATED, 3: AccessCoding.AUTHENTICATED, 4: AccessCoding.BIT_FIELD}


def access_coding(version: int, *, short_names: bool = False) -> AccessCoding:
    """Return the coding of Association LN (or SN) of that version. Raises DecodeError when it has none."""
    coding = (_SN_CODINGS if short_names else _LN_CODINGS).get(version)
    if coding is None:
        name = "Association SN" if short_names else "Association LN"
        raise DecodeError(f"a version of {name} with known access rights, not {version}")
    return coding


@dataclass(frozen=True, slots=True)
class AttributeAccess:
    """What may be done with an attribute, and under which protection."""

    readable: bool = False
    writable: bool = False
    requires: Requirement = Requirement()

    @classmethod
    def decode(cls, mode: int, coding: AccessCoding) -> Self:
        """Return the meaning of an access_mode. Raises DecodeError for a number that the coding does not have."""
        if coding is AccessCoding.BIT_FIELD and 0 <= mode <= 0xFF:
            return cls(bool(mode & 1), bool(mode & 2), Requirement.from_bits(mode))
        if coding is not AccessCoding.BIT_FIELD and 0 <= mode <= 3:
            return cls(bool(mode & 1), bool(mode & 2))
        if coding is AccessCoding.AUTHENTICATED and 4 <= mode <= 6:
            return cls(mode != 5, mode != 4, AUTHENTICATION)
        raise DecodeError(f"an access mode of an attribute, coding {coding.name.lower()}, not {mode}")

    def encode(self, coding: AccessCoding) -> int:
        """Return the access_mode that says this, or as much access with more protection.

        Raises EncodeError where the coding knows no protection that covers what is required.
        """
        access = self.readable | self.writable << 1
        if coding is AccessCoding.BIT_FIELD:
            return access | self.requires.bits
        if self.requires == Requirement() or not access:
            return access
        if coding is AccessCoding.AUTHENTICATED and AUTHENTICATION.covers(self.requires):
            return access + 3
        raise EncodeError(UNKNOWN_TO_CODING)


@dataclass(frozen=True, slots=True)
class MethodAccess:
    """Whether a method may be invoked, and under which protection."""

    accessible: bool = False
    requires: Requirement = Requirement()

    @classmethod
    def decode(cls, mode: int, coding: AccessCoding) -> Self:
        """Return the meaning of an access_mode (0 or 1 for the boolean). Raises DecodeError for an unknown number."""
        if coding is AccessCoding.BIT_FIELD and 0 <= mode <= 0xFF:
            return cls(bool(mode & 1), Requirement.from_bits(mode))
        if coding is not AccessCoding.BIT_FIELD and 0 <= mode <= 1:
            return cls(bool(mode))
        if coding is AccessCoding.AUTHENTICATED and mode == 2:
            return cls(True, AUTHENTICATION)
        raise DecodeError(f"an access mode of a method, coding {coding.name.lower()}, not {mode}")

    def encode(self, coding: AccessCoding) -> int:
        """Return the access_mode that says this; see :meth:`AttributeAccess.encode`."""
        if coding is AccessCoding.BIT_FIELD:
            return self.accessible | self.requires.bits
        if self.requires == Requirement() or not self.accessible:
            return int(self.accessible)
        if coding is AccessCoding.AUTHENTICATED and AUTHENTICATION.covers(self.requires):
            return 2
        raise EncodeError(UNKNOWN_TO_CODING)
