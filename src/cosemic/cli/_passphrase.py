"""Passphrases of key files: from a file, the environment or a prompt; never from arguments."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.store.security_settings import others_can_read
from cosemic.values import Secret

VARIABLE: Final = "COSEMIC_PASSPHRASE"
PARENT_VARIABLE: Final = "COSEMIC_PARENT_PASSPHRASE"
SHORTEST: Final = 8
"""Characters of a passphrase for a new key."""
HELP: Final = f"file whose first line is the passphrase (otherwise {VARIABLE} in the environment, or asked for)"


def passphrase(
    path: str | None,
    what: str,
    *,
    variable: str = VARIABLE,
    new: bool = False,
    option: str = "--passphrase-file",
) -> Secret:
    """Return a passphrase: from the file that was named, else from the environment, else typed in.

    what: whose it is, for prompt and messages. new: of a key that is made, typed in twice. option: by which the
    file is named. Raises ConfigurationError.
    """
    if path is not None:
        text = _first_line(Path(path))
    elif variable in os.environ:
        text = os.environ[variable]
    elif sys.stdin is not None and sys.stdin.isatty():
        text = getpass.getpass(f"Passphrase of {what}: ")
        if new and getpass.getpass("The same once more: ") != text:
            raise ConfigurationError("the two passphrases differ: try again")
    else:
        raise ConfigurationError(
            f"the passphrase of {what} is missing: set {variable}, or name a file that holds it: {option}"
        )
    if new and len(text) < SHORTEST:
        raise ConfigurationError(f"the passphrase of {what} is too short: {SHORTEST} characters or more")
    return Secret(text.encode("utf-8", "surrogateescape"), "passphrase")


def _first_line(path: Path) -> str:
    try:
        if path.is_file() and others_can_read(path):
            raise ConfigurationError(f"{path} can be read by others than its owner: chmod 600 {path}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigurationError(f"the passphrase file {path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"the passphrase file {path} holds no text in UTF-8") from None
    if not lines or not lines[0]:
        raise ConfigurationError(f"the passphrase file {path} is empty")
    return lines[0]
