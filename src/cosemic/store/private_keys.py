"""Our private keys, as settings name them: in hexadecimal, in a key file, in a token, or as a handle.

::

    signing_key = "..."            agreement_key = "..."            hex; or a handle, from Python
    signing_key_file = "a.key"     agreement_key_file = "b.key"     COSEMIC_PASSPHRASE opens both
    token_signing_key = "sign"     token_agreement_key = "agree"    labels in the token
    token = "head-end"             token_library = "/usr/lib/softhsm/libsofthsm2.so"
    token_pin_file = "pin"         its first line; unless said, COSEMIC_TOKEN_PIN of the environment
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cosemic.errors import ConfigurationError, StoreError
from cosemic.security import (
    AgreementKey,
    PublicKey,
    SecuritySuite,
    SigningKey,
    SoftwareAgreementKey,
    SoftwareSigningKey,
)
from cosemic.store.key_files import read_key_file
from cosemic.store.named_files import path_of
from cosemic.store.security_settings import others_can_read
from cosemic.values import Secret

if TYPE_CHECKING:
    from cosemic.store.pkcs11_token import Pkcs11Token

PASSPHRASE: Final = "COSEMIC_PASSPHRASE"  # noqa: S105 - the name of the variable
TOKEN_PIN: Final = "COSEMIC_TOKEN_PIN"  # noqa: S105 - the name of the variable
TOKEN_NAMES: Final = frozenset(("token", "token_library", "token_pin_file", "token_signing_key", "token_agreement_key"))
_TOKENS_LOCK: Final = threading.Lock()
_TOKENS: Final[dict[tuple[str, str], Pkcs11Token]] = {}
"""Tokens that are open: a process logs in to each once."""


def signing_key(given: Mapping[str, Any], beside: Path | None, suite: SecuritySuite) -> SigningKey | None:
    """Return our key for signatures, where one is given. Raises ConfigurationError, which quotes no key."""
    name = _named(given, "signing")
    if name is None:
        return None
    if name == "token_signing_key":
        key: SigningKey = _token(given, beside).signing_key(str(given[name]))
    elif _is_handle(given[name]):
        return given[name]  # type: ignore[no-any-return]  # held against the suite where it is used
    else:
        key = SoftwareSigningKey.of(_scalar(given, name, beside, suite), suite)
    _check_curve(name, key.public, suite)
    return key


def agreement_key(given: Mapping[str, Any], beside: Path | None, suite: SecuritySuite) -> AgreementKey | None:
    """Return our key for key agreement, where one is given. Raises ConfigurationError, which quotes no key."""
    name = _named(given, "agreement")
    if name is None:
        return None
    if name == "token_agreement_key":
        key: AgreementKey = _token(given, beside).agreement_key(str(given[name]))
    elif _is_handle(given[name]):
        return given[name]  # type: ignore[no-any-return]  # held against the suite where it is used
    else:
        key = SoftwareAgreementKey.of(_scalar(given, name, beside, suite), suite)
    _check_curve(name, key.public, suite)
    return key


def first_line(path: Path, what: str) -> str:
    """Return the first line of a file that nobody but its owner may read. Raises ConfigurationError."""
    try:
        if others_can_read(path):
            raise ConfigurationError(f"{path} can be read by others than its owner: chmod 600 {path}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{what} {path} cannot be read") from None
    if not lines or not lines[0]:
        raise ConfigurationError(f"{what} {path} is empty")
    return lines[0]


def octets_of(name: str, value: object) -> bytes:
    """Return octets that are given as such or in hexadecimal. Raises ConfigurationError, which does not quote them."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, Secret):
        return value.reveal()
    try:
        return bytes.fromhex(value if isinstance(value, str) else "-")
    except ValueError:
        raise ConfigurationError(f"{name} is not hexadecimal") from None


def _named(given: Mapping[str, Any], use: str) -> str | None:
    """Return under which name a key is given."""
    names = [name for name in (f"{use}_key", f"{use}_key_file", f"token_{use}_key") if name in given]
    if len(names) > 1:
        raise ConfigurationError(f"{' and '.join(names)} are one thing: give one of them")
    return names[0] if names else None


def _is_handle(value: object) -> bool:
    return hasattr(value, "public")


def _scalar(given: Mapping[str, Any], name: str, beside: Path | None, suite: SecuritySuite) -> Secret:
    value = given[name]
    if not name.endswith("_file"):
        return value if isinstance(value, Secret) else Secret(octets_of(name, value), "private key")
    if not os.environ.get(PASSPHRASE):
        raise ConfigurationError(f"nothing opens {name}: set {PASSPHRASE} in the environment")
    try:
        key = read_key_file(path_of(value, beside), Secret.password(os.environ[PASSPHRASE]))
    except StoreError as error:
        raise ConfigurationError(str(error)) from None
    _check_curve(name, key.public, suite)
    return key.to_secret()


def _check_curve(name: str, public: PublicKey, suite: SecuritySuite) -> None:
    if public.suite_curve != suite.curve:
        raise ConfigurationError(f"{name} is on {public.suite_curve}: suite {suite.id} needs {suite.curve}")


def _token(given: Mapping[str, Any], beside: Path | None) -> Pkcs11Token:
    if "token" not in given or "token_library" not in given:
        raise ConfigurationError("a key in a token needs token, its label, and token_library, the path of its module")
    library, label = str(given["token_library"]), str(given["token"])
    with _TOKENS_LOCK:
        found = _TOKENS.get((library, label))
        if found is None:
            from cosemic.store.pkcs11_token import Pkcs11Token

            try:
                found = _TOKENS[library, label] = Pkcs11Token(library, label, _pin(given, beside))
            except StoreError as error:
                raise ConfigurationError(str(error)) from None
        return found


def _pin(given: Mapping[str, Any], beside: Path | None) -> Secret:
    if "token_pin_file" in given:
        return Secret.password(first_line(path_of(given["token_pin_file"], beside), "token_pin_file"))
    if not os.environ.get(TOKEN_PIN):
        raise ConfigurationError(f"nothing opens the token: set {TOKEN_PIN} in the environment, or name token_pin_file")
    return Secret.password(os.environ[TOKEN_PIN])
