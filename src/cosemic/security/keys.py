"""Symmetric keys as handles (Green Book 9.2.5; reference, security 7).

A :class:`Key` is what the functions of this package take: it keeps the cipher object of its octets, can name itself
towards a counter store without giving anything away, and never shows its octets.

========================  ====================================================
encryption key (GUEK)     encrypts unicast APDUs
broadcast key (GBEK)      encrypts broadcast APDUs
authentication key (GAK)  goes into the authenticated data of all of them
dedicated key             encrypts the APDUs of one association
key encryption key (KEK)  wraps the others
========================  ====================================================
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from typing import Final, NoReturn, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cosemic.errors import ConfigurationError
from cosemic.security.suite import SecurityControl, SecuritySuite, security_suite
from cosemic.values.secret import HiddenOctets, Secret

IDENTITY_LENGTH: Final = 16
_IDENTITY_DOMAIN: Final = b"Cosemic invocation counter store, identity of a key, version 1"


class Key:
    """A handle on the octets of one key.

    secret: the octets; a length that AES does not know can only serve as authentication key.

    """

    __slots__ = ("_aad", "_aead", "_identity", "_length", "_secret")

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self._length: Final = len(secret.reveal())
        self._aead: AESGCM | None = None
        self._aad: dict[int, bytes] = {}
        self._identity = b""

    @property
    def identity(self) -> bytes:
        """16 octets that stand for the value of the key in counter stores.

        They are the same in all processes (HMAC-SHA-256 keyed with the key itself, over a fixed text), so nothing of
        the key follows from them.
        """
        if not self._identity:
            self._identity = hmac.digest(self._secret.reveal(), _IDENTITY_DOMAIN, "sha256")[:IDENTITY_LENGTH]
        return self._identity

    @property
    def aead(self) -> AESGCM:
        """The one cipher object of this key. Raises ConfigurationError when it is no AES key."""
        if self._aead is None:
            if self._length not in (16, 32):
                raise ConfigurationError(f"{self!r} has {self._length} octets: an AES key of a suite has 16 or 32")
            self._aead = AESGCM(self._secret.reveal())
        return self._aead

    def authenticated_data(self, control: SecurityControl) -> bytes:
        """Return SC || AK, the authenticated data of an authenticated and encrypted APDU, this being the AK; hidden."""
        aad = self._aad.get(control)
        if aad is None:
            aad = self._aad[control] = HiddenOctets(control.octet + self._secret.reveal())
        return aad

    def reveal(self) -> bytes:
        """Return the octets, for the primitives of this package."""
        return self._secret.reveal()

    def __len__(self) -> int:
        return self._length

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return self._secret == other._secret if isinstance(other, Key) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        return f"<Key {self._secret!r}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a key cannot be pickled; keep it in a key store")


NO_AUTHENTICATION_KEY: Final = Key(Secret(b"", "authentication key"))
"""For profiles that use none: the authenticated data then hold no key (reference, security 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityMaterial:
    """The keys that one association works with.

    encryption_key: GUEK. authentication_key: GAK; :data:`NO_AUTHENTICATION_KEY` where the profile uses none, None
    where it is not known (then only encryption without authentication is possible). broadcast_key: GBEK. kek: key
    encryption key (master key). dedicated_key: see :meth:`with_dedicated_key`.

    Raises ConfigurationError for a key whose length is not that of the suite, and for a dedicated key that equals a
    global one: its counters start anew, so the nonces of the global key would come again.
    """

    suite: SecuritySuite
    encryption_key: Key
    authentication_key: Key | None = None
    broadcast_key: Key | None = None
    dedicated_key: Key | None = None
    kek: Key | None = None

    def __post_init__(self) -> None:
        for name in ("encryption_key", "authentication_key", "broadcast_key", "dedicated_key", "kek"):
            key: Key | None = getattr(self, name)
            empty_allowed = name == "authentication_key"
            if key is not None and len(key) != self.suite.key_length and not (empty_allowed and len(key) == 0):
                raise ConfigurationError(
                    f"the {name.replace('_', ' ')} has {len(key)} octets; security suite {self.suite.id} "
                    f"({self.suite.name}) needs {self.suite.key_length}"
                )
        if self.dedicated_key is not None and self.dedicated_key in (self.encryption_key, self.broadcast_key):
            raise ConfigurationError("the dedicated key is a global key: draw a fresh one for each association")

    @classmethod
    def of(
        cls,
        encryption_key: Secret,
        authentication_key: Secret | None = None,
        *,
        suite: int = 0,
        broadcast_key: Secret | None = None,
        kek: Secret | None = None,
    ) -> SecurityMaterial:
        """Return the material made from secrets: handles are made here. Raises ConfigurationError."""
        return cls(
            suite=security_suite(suite),
            encryption_key=Key(encryption_key),
            authentication_key=None if authentication_key is None else Key(authentication_key),
            broadcast_key=None if broadcast_key is None else Key(broadcast_key),
            kek=None if kek is None else Key(kek),
        )

    def with_dedicated_key(self, key: Key | None) -> SecurityMaterial:
        """Return a copy with the dedicated key of one association, or without one. Raises ConfigurationError."""
        return replace(self, dedicated_key=key)
