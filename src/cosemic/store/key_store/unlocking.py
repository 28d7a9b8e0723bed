"""What opens a key store: a passphrase that somebody types, the environment, or a key file for unattended use.

::

    slot "passphrase"    Passphrase    typed in, from the file of a service manager, or COSEMIC_KEY_STORE_PASSPHRASE
    slot "key file"      KeyFile       64 hexadecimal digits in a file of its owner alone; COSEMIC_KEY_STORE_KEY_FILE

A store has one slot or both; each opens it by itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from cosemic.errors import ConfigurationError, StoreError
from cosemic.store.file_port import FLAGS
from cosemic.store.key_store.derivation import PLAIN, Derivation
from cosemic.store.key_store.sealing import KEY_LENGTH, fresh_key
from cosemic.values import Secret
from cosemic.values.secret import HiddenOctets

PASSPHRASE_VARIABLE: Final = "COSEMIC_KEY_STORE_PASSPHRASE"  # noqa: S105 - the name of the variable
KEY_FILE_VARIABLE: Final = "COSEMIC_KEY_STORE_KEY_FILE"
SHORTEST_PASSPHRASE: Final = 8
"""Octets of a passphrase for a new slot."""


class Unlocker(Protocol):
    """What opens one slot of a key store."""

    @property
    def slot(self) -> str:
        """The name of the slot."""

    def check_new(self) -> None:
        """Raise ConfigurationError where it is not good enough for a new slot."""

    def new_derivation(self) -> Derivation:
        """Return how keys are derived in a new slot."""

    def derive(self, derivation: Derivation) -> bytes:
        """Return the 32 octets that the master key is sealed under. Raises ConfigurationError, StoreError."""


class Passphrase:
    """Opens a store with a passphrase.

    derivation: for new slots, in place of the usual one.
    """

    slot: Final = "passphrase"
    __slots__ = ("_derivation", "_secret")

    def __init__(self, secret: Secret | str, *, derivation: Derivation | None = None) -> None:
        self._secret = secret if isinstance(secret, Secret) else Secret(secret.encode("utf-8"), "passphrase")
        self._derivation = derivation

    def check_new(self) -> None:
        """Raise ConfigurationError for fewer than eight octets."""
        if len(self._secret.reveal()) < SHORTEST_PASSPHRASE:
            raise ConfigurationError(
                f"the passphrase is too short: {SHORTEST_PASSPHRASE} characters or more, better some words"
            )

    def new_derivation(self) -> Derivation:
        """Return Argon2id or scrypt with a fresh salt."""
        return Derivation.for_passphrase() if self._derivation is None else self._derivation.again()

    def derive(self, derivation: Derivation) -> bytes:
        """Return 32 octets, after some tenths of a second. Raises StoreError for the derivation of key files."""
        if derivation.kind == PLAIN:
            raise StoreError("the key store would take a passphrase without stretching it; it is not opened")
        return derivation.derive(self._secret)

    def __repr__(self) -> str:
        return "<Passphrase>"


class KeyFile:
    """Opens a store with a key file, which is read anew each time and must be its owner's alone."""

    slot: Final = "key file"
    __slots__ = ("path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @classmethod
    def make(cls, path: str | os.PathLike[str]) -> KeyFile:
        """Write a fresh key file of its owner alone. Raises StoreError, where there is a file of that name too."""
        text = HiddenOctets(fresh_key().hex().encode() + b"\n")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"the key file {os.fspath(path)} cannot be made: {error.strerror}") from None
        return cls(path)

    def check_new(self) -> None:
        """Raise ConfigurationError where the file cannot be used."""
        self._read()

    def new_derivation(self) -> Derivation:
        """Return the derivation of key files with a fresh salt."""
        return Derivation.for_key_file()

    def derive(self, derivation: Derivation) -> bytes:
        """Return 32 octets. Raises ConfigurationError for a file that others can read, or that is no key file."""
        return derivation.derive(self._read())

    def _read(self) -> Secret:
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = HiddenOctets(file.read(2 * KEY_LENGTH + 3))
        except OSError as error:
            raise ConfigurationError(f"the key file {self.path} cannot be read: {error.strerror}") from None
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigurationError(f"{self.path} can be read by others than its owner: chmod 600 {self.path}")
        try:
            octets = HiddenOctets(bytes.fromhex(text.decode("ascii")))
        except ValueError:
            octets = HiddenOctets()
        if len(octets) != KEY_LENGTH:
            raise ConfigurationError(f"{self.path} is no key file: it holds one line of {2 * KEY_LENGTH} hex digits")
        return Secret(octets, "key of a key file")

    def __repr__(self) -> str:
        return f"<KeyFile {self.path}>"


def from_environment(environment: Mapping[str, str] | None = None) -> Unlocker | None:
    """Return what the environment opens stores with, the key file first; None where it names nothing."""
    environment = os.environ if environment is None else environment
    if path := environment.get(KEY_FILE_VARIABLE):
        return KeyFile(path)
    if text := environment.get(PASSPHRASE_VARIABLE):
        return Passphrase(Secret(text.encode("utf-8", "surrogateescape"), "passphrase"))
    return None
