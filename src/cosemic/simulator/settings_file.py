"""Security settings of a simulated meter as a TOML file that clients take; only its owner may read it.

The names are those of :mod:`cosemic.store.security_settings`. The file says that its keys are those of a simulator.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.values import Secret

_HEAD: Final = "# Keys of a simulated meter, computed from a seed: never use them for a real one.\n"
_OWNER_ONLY: Final = 0o600


def settings_text(security: Mapping[str, Any]) -> str:
    """Return settings as TOML, keys in hexadecimal, the password as text."""
    return _HEAD + "".join(f"{name} = {_toml(value)}\n" for name, value in security.items())


def write_settings(security: Mapping[str, Any], path: Path) -> None:
    """Write settings into a file of mode 0600, in place of one that is there.

    Raises ConfigurationError where the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        # Made with its mode, so that nobody can open it in between.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "w", encoding="utf-8") as file:
            file.write(settings_text(security))
    except OSError as error:
        raise ConfigurationError(f"the security settings cannot be written to {path}: {error.strerror}") from None


def _toml(value: Any) -> str:
    if isinstance(value, Secret):
        octets = value.reveal()
        value = octets.decode("ascii") if value.kind == "password" else octets.hex()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    # A string of JSON is one of TOML, but for DEL.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
