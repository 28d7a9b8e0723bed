"""Security settings of a meter: from a TOML or JSON file, a mapping, or the environment.

::

    mechanism = "hls-gmac"             # lowest, lls, hls, hls-md5, hls-sha1, hls-gmac, hls-sha256
    client_sap = 1                     # used where the URL names none
    server_sap = 1
    password = "12345678"              # LLS; or secret = "...", for HLS 2, 3, 4, 6 (text, or hex: behind "hex:")
    ciphered = true                    # application context with ciphering; true with encryption_key unless said
    system_title = "434f530000000001"  # ours; hex
    server_title = "..."               # the meter's, where it must be one certain
    encryption_key = "..."             # hex
    authentication_key = "..."         # hex
    dedicated_key = false
    protection = "authenticated-encrypted"   # or authenticated, encrypted
    counters = "meter.counters"        # file of invocation counters; beside this file unless said

In the environment the same names in capitals behind ``COSEMIC_``.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosemic.association.settings import BOTH, ClientSettings
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import ConfigurationError
from cosemic.security import CounterStore, Protection, SecurityMaterial
from cosemic.store.counters import FileCounterStore
from cosemic.values import AuthenticationMechanism, Secret

PREFIX: Final = "COSEMIC_"
_NAMES: Final = frozenset(
    (
        "mechanism", "client_sap", "server_sap", "password", "secret", "ciphered", "system_title", "server_title",
        "encryption_key", "authentication_key", "dedicated_key", "protection", "counters",
    )
)  # fmt: skip
_PROTECTIONS: Final = {
    "authenticated-encrypted": BOTH,
    "authenticated": Protection.AUTHENTICATED,
    "encrypted": Protection.ENCRYPTED,
}
_STORES: Final[dict[str, CounterStore]] = {}
"""One store a file in this process: all associations with the same keys draw from it."""


@dataclass(frozen=True, slots=True)
class SecuritySettings:
    """What a client needs to know of a meter's security; see the module's text."""

    client: ClientSettings
    client_sap: int | None = None
    server_sap: int | None = None


Source = str | os.PathLike[str] | Mapping[str, Any] | SecuritySettings | None
"""A file, the settings themselves, ``"environment"``, or None for a public client."""


def load_security(
    source: Source,
    *,
    dialect: Dialect = STANDARD,
    response_timeout: float | None = None,
    max_pdu_size: int | None = None,
) -> SecuritySettings:
    """Return the settings that a source holds. Raises ConfigurationError, which never quotes a key."""
    if isinstance(source, SecuritySettings):
        return source
    values: Mapping[str, Any]
    beside: Path | None = None
    if source is None:
        values = {}
    elif isinstance(source, Mapping):
        values = source
    elif source == "environment":
        values = {name: os.environ[key] for name in _NAMES if (key := PREFIX + name.upper()) in os.environ}
    else:
        beside = Path(source)
        values = _read_file(beside)
    unknown = set(values) - _NAMES
    if unknown:
        raise ConfigurationError(
            f"{', '.join(sorted(unknown))}: not a security setting; known: {', '.join(sorted(_NAMES))}"
        )
    limits: dict[str, Any] = {}
    if response_timeout is not None:
        limits["response_timeout"] = response_timeout
    if max_pdu_size is not None:
        limits["max_pdu_size"] = max_pdu_size
    client = _client_settings(values, beside, dialect, limits)
    return SecuritySettings(client, _sap(values, "client_sap"), _sap(values, "server_sap"))


def _client_settings(
    values: Mapping[str, Any], beside: Path | None, dialect: Dialect, limits: dict[str, Any]
) -> ClientSettings:
    material: SecurityMaterial | None = None
    encryption_key = _octets(values, "encryption_key")
    authentication_key = _octets(values, "authentication_key")
    if encryption_key is not None:
        material = SecurityMaterial.of(
            Secret(encryption_key, "encryption key"),
            None if authentication_key is None else Secret(authentication_key, "authentication key"),
        )
        limits["counters"] = _counters(values, beside)
    elif authentication_key is not None:
        raise ConfigurationError("authentication_key needs encryption_key beside it")
    secret = _secret(values)
    default = "hls-gmac" if material is not None else "lls" if secret is not None else "lowest"
    protection = str(values.get("protection", "authenticated-encrypted"))
    if protection not in _PROTECTIONS:
        raise ConfigurationError(f"protection is one of {', '.join(_PROTECTIONS)}, not {protection!r}")
    return ClientSettings(
        mechanism=AuthenticationMechanism.from_label(str(values.get("mechanism", default))),
        secret=secret,
        ciphered=_flag(values, "ciphered", material is not None),
        material=material,
        system_title=_octets(values, "system_title") or b"",
        server_title=_octets(values, "server_title"),
        protection=_PROTECTIONS[protection],
        dedicated_key=_flag(values, "dedicated_key", False),
        dialect=dialect,
        **limits,
    )


def _read_file(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"security settings {path.name}: {error.strerror}") from None
    try:
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise ConfigurationError(f"security settings {path.name} are no {kind}") from None
    if not isinstance(values, dict):
        raise ConfigurationError(f"security settings {path.name} are no table of names and values")
    return values


def _octets(values: Mapping[str, Any], name: str) -> bytes | None:
    value = values.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, Secret):
        return value.reveal()
    try:
        return bytes.fromhex(str(value))
    except ValueError:
        raise ConfigurationError(f"{name} is not hexadecimal") from None


def _secret(values: Mapping[str, Any]) -> Secret | None:
    value = values.get("secret", values.get("password"))
    if value is None or isinstance(value, Secret):
        return value
    if isinstance(value, str) and value.startswith("hex:"):
        return Secret.password(_octets({"secret": value[4:]}, "secret") or b"")
    return Secret.password(bytes(value) if isinstance(value, bytes | bytearray) else str(value))


def _flag(values: Mapping[str, Any], name: str, default: bool) -> bool:
    value = values.get(name, default)
    if isinstance(value, str):
        if value.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ConfigurationError(f"{name} is true or false")
        return value.lower() in ("true", "1", "yes")
    return bool(value)


def _sap(values: Mapping[str, Any], name: str) -> int | None:
    value = values.get(name)
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name} is a number") from None


def _counters(values: Mapping[str, Any], beside: Path | None) -> CounterStore:
    """The store that the settings name; durable, for a counter must never be used twice."""
    named = values.get("counters")
    if isinstance(named, CounterStore):
        return named
    if named is not None:
        path = Path(str(named))
        path = path if path.is_absolute() or beside is None else beside.parent / path
    elif beside is not None:
        path = beside.with_suffix(".counters")
    else:
        path = state_folder() / "counters"
    key = str(path.resolve())
    if key not in _STORES:
        path.parent.mkdir(parents=True, exist_ok=True)
        _STORES[key] = FileCounterStore(path)
    return _STORES[key]


def state_folder() -> Path:
    """Where Cosemic keeps what must outlive a process, unless told otherwise: COSEMIC_STATE, or the user's folder."""
    if named := os.environ.get("COSEMIC_STATE"):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "cosemic"
    return Path(os.environ.get("XDG_STATE_HOME", str(Path.home() / ".local/state"))) / "cosemic"
