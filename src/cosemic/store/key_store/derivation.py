"""From a passphrase, or from the octets of a key file, to the key that the master key is sealed under.

::

    argon2id      memory (KiB), passes, lanes     passphrases, where the installed library has it (RFC 9106)
    scrypt        n, r, p                         passphrases otherwise (RFC 7914)
    hmac-sha256                                   key files: 32 random octets need no stretching

Kind, parameters and salt stand in the file. Whoever writes to the file chooses them, so they are bounded on reading:
from below, that a guess keeps its price, and from above, that no file can ask for gigabytes or hours.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from cosemic.errors import ConfigurationError, StoreError
from cosemic.store.key_store.sealing import KEY_LENGTH
from cosemic.values import Secret
from cosemic.values.secret import HiddenOctets

try:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
except ImportError:  # before cryptography 44
    Argon2id = None  # type: ignore[assignment,misc]

ARGON2ID, SCRYPT, PLAIN = "argon2id", "scrypt", "hmac-sha256"
MOST_MEMORY: Final = 256 << 20
"""Octets that one derivation may take."""
MOST_WORK: Final = 2 << 30
"""Octets that it may go through: memory by passes."""
SALT_LENGTH: Final = 16
_RANGES: Final[dict[str, dict[str, tuple[int, int]]]] = {
    ARGON2ID: {"memory": (8 << 10, MOST_MEMORY >> 10), "passes": (1, 64), "lanes": (1, 16)},
    SCRYPT: {"n": (1 << 14, 1 << 20), "r": (8, 32), "p": (1, 16)},
    PLAIN: {},
}
"""Smallest and largest value of each parameter that is taken from a file."""
_LONGEST: Final = 1024
_NO_ARGON2ID: Final = (
    "this key store stretches its passphrase with Argon2id, which the installed library does not have: install "
    "cryptography 44 or later"
)


@dataclass(frozen=True, slots=True)
class Derivation:
    """One way to derive a key: kind, parameters by name, salt. Raises StoreError for parameters out of bounds."""

    kind: str
    parameters: tuple[tuple[str, int], ...]
    salt: bytes

    def __post_init__(self) -> None:
        values = dict(self.parameters)
        ranges = _RANGES.get(self.kind)
        if ranges is None or set(values) != set(ranges) or len(self.salt) != SALT_LENGTH:
            raise StoreError("the key store names a derivation of keys that is not known here")
        if any(
            type(values[name]) is not int or not low <= values[name] <= high for name, (low, high) in ranges.items()
        ):
            raise StoreError(f"the key store asks for {self.kind} with parameters out of bounds; it is not opened")
        memory, passes = 0, 1
        if self.kind == ARGON2ID:
            memory, passes = values["memory"] << 10, values["passes"]
        elif self.kind == SCRYPT:
            memory, passes = 128 * values["n"] * values["r"], values["p"]
            if values["n"] & values["n"] - 1:
                raise StoreError("the key store asks for scrypt with an n that is no power of two; it is not opened")
        if memory > MOST_MEMORY or memory * passes > MOST_WORK:
            raise StoreError(f"the key store asks for {self.kind} with parameters out of bounds; it is not opened")

    @classmethod
    def for_passphrase(cls, kind: str | None = None, **parameters: int) -> Self:
        """Return a derivation with a fresh salt: Argon2id where it is there, else scrypt; or the kind that is named.

        parameters: in place of the usual ones, which take some tenths of a second.
        """
        kind = kind or (ARGON2ID if has_argon2id() else SCRYPT)
        usual = {"memory": 64 << 10, "passes": 3, "lanes": 4} if kind == ARGON2ID else {"n": 1 << 17, "r": 8, "p": 1}
        return cls(kind, tuple((usual | parameters).items()), secrets.token_bytes(SALT_LENGTH))

    @classmethod
    def for_key_file(cls) -> Self:
        """Return the derivation of key files, with a fresh salt."""
        return cls(PLAIN, (), secrets.token_bytes(SALT_LENGTH))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the derivation that a file names. Raises StoreError."""
        try:
            content: Any = json.loads(text) if len(text) <= _LONGEST else None
            salt = bytes.fromhex(content.pop("salt"))
            return cls(str(content.pop("kind")), tuple(content.items()), salt)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            raise StoreError("the key store names a derivation of keys that cannot be read") from None

    def to_text(self) -> str:
        """Return what stands in the file."""
        return json.dumps({"kind": self.kind, "salt": self.salt.hex()} | dict(self.parameters), sort_keys=True)

    def again(self) -> Self:
        """Return the same with a fresh salt."""
        return type(self)(self.kind, self.parameters, secrets.token_bytes(SALT_LENGTH))

    def derive(self, secret: Secret) -> bytes:
        """Return 32 octets. Raises ConfigurationError where the library lacks the kind."""
        values = dict(self.parameters)
        octets = HiddenOctets(secret.reveal())
        if self.kind == PLAIN:
            return HiddenOctets(hmac.digest(octets, b"Cosemic key store, key file" + self.salt, "sha256"))
        if self.kind == SCRYPT:
            return HiddenOctets(Scrypt(self.salt, KEY_LENGTH, values["n"], values["r"], values["p"]).derive(octets))
        if Argon2id is None:
            raise ConfigurationError(_NO_ARGON2ID)
        try:
            argon = Argon2id(
                salt=self.salt,
                length=KEY_LENGTH,
                iterations=values["passes"],
                lanes=values["lanes"],
                memory_cost=values["memory"],
            )
        except UnsupportedAlgorithm:
            raise ConfigurationError(_NO_ARGON2ID) from None
        return HiddenOctets(argon.derive(octets))


def has_argon2id() -> bool:
    """Whether the installed library and the OpenSSL beneath it have Argon2id."""
    if Argon2id is None:
        return False
    try:
        Argon2id(salt=bytes(SALT_LENGTH), length=KEY_LENGTH, iterations=1, lanes=1, memory_cost=8)
    except UnsupportedAlgorithm:
        return False
    return True
