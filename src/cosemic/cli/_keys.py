"""Keys from a file and from the environment; never from arguments, which every user of a machine can see.

::

    keys.toml        ek = "000102030405060708090a0b0c0d0e0f"
                     ak = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
                     system_title = "4d4d4d0000bc614e"
    environment      COSEMIC_EK, COSEMIC_AK, COSEMIC_SYSTEM_TITLE ...: the same names; the file goes first

The long names of :mod:`cosemic.store.security_settings` are taken as well, in both places (``encryption_key`` is
``ek``); what else such a file of settings holds is passed over, so that the settings of a meter can be given.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cosemic.errors import ConfigurationError

PREFIX = "COSEMIC_"
LONG_NAMES: Final = {
    "encryption_key": "ek",
    "broadcast_encryption_key": "gbek",
    "broadcast_key": "gbek",
    "dedicated_key": "dk",
    "authentication_key": "ak",
    "server_title": "public_key_of",
    "server_public_key": "public_key",
    "server_agreement_key": "agreement_public_key",
}
PASSED_OVER: Final = frozenset(
    (
        "mechanism", "client_sap", "server_sap", "password", "secret", "ciphered", "protection", "require",
        "invocation_counter", "counters", "user_id", "pre_established", "referencing", "key_store", "meter",
        "key_store_key_file", "key_store_client", "send_certificate", "check_rights", "suite", "signing_key",
        "signing_key_file", "certificate", "server_certificate", "trust_anchors", "layers", "key_infos",
        "sealed_inside", "brokers_for", "transactions", "date_time_tolerance", "max_layers", "agreement_key_file",
        "agreement_certificate", "certificates", "revocation_lists", "token", "token_library", "token_pin_file",
        "token_signing_key", "token_agreement_key",
    )
)  # fmt: skip
"""Security settings that open nothing here."""
_FLAGS: Final = ("", "true", "false", "1", "0", "yes", "no")
"""What a setting of a long name may be without being a key: none, or whether a dedicated key is to be made."""


def read_keys(names: tuple[str, ...], path: str | None, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return hexadecimal text by short key name, of ``names`` only from the environment, of any from the file.

    path: a TOML or JSON file of names and hexadecimal texts, or None. Raises ConfigurationError when it cannot be read.
    """
    known = (*names, *(long for long, short in LONG_NAMES.items() if short in names))
    found = _short({name: environment[key] for name in known if (key := PREFIX + name.upper()) in environment})
    return found | _short(_from_file(Path(path))) if path is not None else found


def _short(given: Mapping[str, str]) -> dict[str, str]:
    """The keys by their short names; a key that is given by both has the value of the short one."""
    long = {LONG_NAMES[name]: text for name, text in given.items() if name in LONG_NAMES and text.lower() not in _FLAGS}
    return long | {name: text for name, text in given.items() if name not in LONG_NAMES}


def _from_file(path: Path) -> dict[str, str]:
    content = _content(path)
    if not isinstance(content, dict):
        raise ConfigurationError(f"the key file {path} does not hold names and hexadecimal texts alone")
    keys = {name: value for name, value in content.items() if name not in PASSED_OVER}
    if isinstance(keys.get("dedicated_key"), bool):
        del keys["dedicated_key"]
    if not all(isinstance(value, str) for value in keys.values()):
        raise ConfigurationError(f"the key file {path} does not hold names and hexadecimal texts alone")
    return keys


def _content(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the key file {path} cannot be read: {error}") from None
    try:
        return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError, RecursionError):
        # The message of the parser may quote the line, and so a key.
        raise ConfigurationError(f"the key file {path} is no {'JSON' if path.suffix == '.json' else 'TOML'}") from None
