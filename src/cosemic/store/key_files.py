"""Private keys in files: PKCS#8, encrypted with a passphrase, of their owner alone."""

from __future__ import annotations

from pathlib import Path

from cosemic.errors import ConfigurationError, StoreError
from cosemic.security.certificates.pkcs8 import LONGEST_KEY, decrypt_key, encrypt_key
from cosemic.security.elliptic import SoftwareSigningKey
from cosemic.security.suite import SecuritySuite
from cosemic.store.file_port import FilePort
from cosemic.store.security_settings import others_can_read
from cosemic.values import Secret


def make_key_file(
    path: Path, suite: SecuritySuite, passphrase: Secret, port: FilePort | None = None
) -> SoftwareSigningKey:
    """Return a fresh private key on the curve of the suite that is in the file now.

    Raises ConfigurationError for an empty passphrase and for a suite without a curve, StoreError.
    """
    key = SoftwareSigningKey.generate(suite)
    write_file(path, encrypt_key(key, passphrase), port)
    return key


def read_key_file(path: Path, passphrase: Secret) -> SoftwareSigningKey:
    """Return the private key of a file, which nobody but its owner may read. Raises ConfigurationError, StoreError."""
    try:
        if others_can_read(path):
            raise ConfigurationError(f"{path} can be read by others than its owner: chmod 600 {path}")
        with path.open("rb") as file:
            octets = file.read(LONGEST_KEY + 1)
    except FileNotFoundError:
        raise ConfigurationError(f"there is no key file {path}") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return decrypt_key(octets, passphrase)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def write_file(path: Path, octets: bytes, port: FilePort | None = None) -> Path:
    """Write a file of the owner alone in one step: all of it is there, or what was there before. Raises StoreError."""
    try:
        (port or FilePort()).write_whole(str(path), octets)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    return path
