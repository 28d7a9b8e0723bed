"""Who takes part in general protection, and what one side knows of them (reference, security 14).

Client, server and third parties protect what they exchange by layers of their own. Client and server share the global
keys; a third party holds none of them, so that it can only agree keys, and sign. A broker hands on what parties without
an association of their own have protected: it may put its layer around theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.security.elliptic import AgreementKey, PublicKey, SigningKey
from cosemic.security.general.layout import KeyEstablishment
from cosemic.security.keys import Key, SecurityMaterial
from cosemic.security.suite import SYSTEM_TITLE_LENGTH, SecuritySuite

PREFERRED: Final = (
    KeyEstablishment.GLOBAL_UNICAST,
    KeyEstablishment.ONE_PASS,
    KeyEstablishment.STATIC,
    KeyEstablishment.WRAPPED,
    KeyEstablishment.ABSENT,
)
"""Which of the permitted forms is used towards a party unless a layer says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnParty:
    """This side. title: 8 octets. signing_key, agreement_key: handles of the static keys, where there are any."""

    title: bytes
    signing_key: SigningKey | None = None
    agreement_key: AgreementKey | None = None

    def check(self, suite: SecuritySuite) -> None:
        """Raise ConfigurationError for a title that is none, and for keys that are not of the suite."""
        _check_title(self.title)
        for handle in (self.signing_key, self.agreement_key):
            _check_curve(None if handle is None else handle.public, suite)


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """What this side knows of another one.

    title: 8 octets. key_infos: the forms of key-info that are taken from it, and that it takes; all others are refused.
    material: the keys shared with it; None for a third party. authentication_key: AK of what is exchanged with it, that
    of ``material`` when None; :data:`~cosemic.security.keys.NO_AUTHENTICATION_KEY` where none is used. signing: its
    public key for digital signatures. agreement: its static public key for key agreement. broker: layers of other
    originators may stand inside its own. encryption_alone: layers of it that are encrypted and not authenticated are
    taken: only where the policy is exactly that.

    Raises ConfigurationError for forms that its keys do not allow; so of a party without ``material`` all but agreed
    keys.
    """

    title: bytes
    key_infos: frozenset[KeyEstablishment] = frozenset()
    material: SecurityMaterial | None = None
    authentication_key: Key | None = None
    signing: PublicKey | None = None
    agreement: PublicKey | None = None
    broker: bool = False
    encryption_alone: bool = False

    def __post_init__(self) -> None:
        _check_title(self.title)
        material = self.material
        possible = {
            KeyEstablishment.ABSENT: material is not None,
            KeyEstablishment.GLOBAL_UNICAST: material is not None,
            KeyEstablishment.GLOBAL_BROADCAST: material is not None and material.broadcast_key is not None,
            KeyEstablishment.WRAPPED: material is not None and material.kek is not None,
            KeyEstablishment.ONE_PASS: self.signing is not None or self.agreement is not None,
            KeyEstablishment.STATIC: self.agreement is not None,
        }
        for kind in self.key_infos:
            if not possible[kind]:
                raise ConfigurationError(
                    f"key-info {kind.label} of {self.title.hex()} needs keys that are not given; a third party, "
                    "without global keys, can only agree keys"
                )

    @property
    def ak(self) -> Key | None:
        """AK of what is exchanged with it, None where it is not known."""
        if self.authentication_key is None and self.material is not None:
            return self.material.authentication_key
        return self.authentication_key

    @property
    def preferred(self) -> KeyEstablishment:
        """The form of key-info that is used towards it. Raises ConfigurationError when none is permitted."""
        for kind in PREFERRED:
            if kind in self.key_infos:
                return kind
        raise ConfigurationError(f"nothing can be enciphered for {self.title.hex()}: permit a form of key-info")

    def check(self, own: OwnParty, suite: SecuritySuite) -> None:
        """Raise ConfigurationError for keys that are not of the suite, and for a title or key that is the own one."""
        if self.title == own.title:
            raise ConfigurationError(f"the system title {self.title.hex()} of the other party is the own one")
        if self.material is not None and self.material.suite != suite:
            raise ConfigurationError(f"the keys of {self.title.hex()} are of suite {self.material.suite.id}")
        length = suite.key_length if self.authentication_key is None else len(self.authentication_key)
        if length not in (0, suite.key_length):
            raise ConfigurationError(f"the authentication key of {self.title.hex()} has {length} octets")
        owned = [handle.public for handle in (own.signing_key, own.agreement_key) if handle is not None]
        for public in (self.signing, self.agreement):
            _check_curve(public, suite)
            if public in owned:
                raise ConfigurationError(f"a public key of {self.title.hex()} is an own one: check the certificates")


def known_parties(own: OwnParty, parties: Iterable[Party], suite: SecuritySuite) -> Mapping[bytes, Party]:
    """Return parties by their titles. Raises ConfigurationError for what cannot go together with this side."""
    own.check(suite)
    known: dict[bytes, Party] = {}
    for party in parties:
        party.check(own, suite)
        if party.title in known:
            raise ConfigurationError(f"the system title {party.title.hex()} is that of two parties")
        known[party.title] = party
    return MappingProxyType(known)


def _check_title(title: bytes) -> None:
    if len(title) != SYSTEM_TITLE_LENGTH:
        raise ConfigurationError(f"a system title has 8 octets, not {len(title)}")


def _check_curve(public: PublicKey | None, suite: SecuritySuite) -> None:
    if public is not None and public.suite_curve != suite.curve:
        raise ConfigurationError(
            f"a public key on {public.suite_curve} cannot be used in security suite {suite.id} ({suite.name})"
        )
