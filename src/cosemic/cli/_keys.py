"""Keys from a file and from the environment; never from arguments, which every user of a machine can see.

::

    keys.toml        ek = "000102030405060708090a0b0c0d0e0f"
                     ak = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
                     system_title = "4d4d4d0000bc614e"
    environment      COSEMIC_EK, COSEMIC_AK, COSEMIC_SYSTEM_TITLE ...: the same names; the file goes first
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from cosemic.errors import ConfigurationError

PREFIX = "COSEMIC_"


def read_keys(names: tuple[str, ...], path: str | None, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return hexadecimal text by key name, of ``names`` only from the environment, of any from the file.

    path: a TOML or JSON file of names and hexadecimal texts, or None. Raises ConfigurationError when it cannot be read.
    """
    found = {name: environment[PREFIX + name.upper()] for name in names if PREFIX + name.upper() in environment}
    return found | _from_file(Path(path)) if path is not None else found


def _from_file(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the key file {path} cannot be read: {error}") from None
    try:
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError, RecursionError):
        # The message of the parser may quote the line, and so a key.
        raise ConfigurationError(f"the key file {path} is no {'JSON' if path.suffix == '.json' else 'TOML'}") from None
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise ConfigurationError(f"the key file {path} does not hold names and hexadecimal texts alone")
    return content
