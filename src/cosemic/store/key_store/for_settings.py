"""Security settings that name a meter in a key store in place of keys.

::

    key_store = "meters.keys"           # beside the settings, unless it begins with /
    meter = "CSM0000000000001"
    key_store_key_file = "unlock.key"   # key file that opens it; unless said, the environment says what does
    key_store_client = "head-end"       # our own entry in it: its signing key and system title
    client_sap = 1                      # whose password or HLS secret it is; 1 unless said

What the settings say themselves goes first, except keys: those are in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.security import SecurityMaterial
from cosemic.store.key_store.records import RecordKind, RecordState
from cosemic.store.key_store.store import KeyStore
from cosemic.store.key_store.unlocking import KEY_FILE_VARIABLE, PASSPHRASE_VARIABLE, KeyFile, from_environment
from cosemic.values import Secret

NAMES: Final = frozenset(("key_store", "meter", "key_store_key_file", "key_store_client"))
KEYS: Final = frozenset(("encryption_key", "authentication_key", "broadcast_key", "password", "secret"))
_WITHOUT_SECRET: Final = frozenset(("lowest", "hls-gmac", "hls-ecdsa"))
"""Mechanisms that work with keys, or with nothing."""
PURPOSE: Final = "security settings"


def from_key_store(values: Mapping[str, Any], beside: Path | None, known: frozenset[str]) -> dict[str, Any]:
    """Return the settings with the keys of the store in them, as secrets.

    known: names of settings; where ``suite`` is none of them, meters of suite 0 alone are taken. Raises
    ConfigurationError, StoreError.
    """
    settings = {name: value for name, value in values.items() if name not in NAMES}
    if "key_store" not in values or "meter" not in values:
        raise ConfigurationError("key_store and meter stand together: the file, and the name of the meter in it")
    if doubled := KEYS & set(settings):
        raise ConfigurationError(f"{', '.join(sorted(doubled))}: in the key store too; keys stand in one place")
    unlocker = from_environment()
    if "key_store_key_file" in values:
        unlocker = KeyFile(_path(values["key_store_key_file"], beside))
    if unlocker is None:
        raise ConfigurationError(
            f"nothing opens the key store: set {PASSPHRASE_VARIABLE} or {KEY_FILE_VARIABLE}, or name key_store_key_file"
        )
    name, client = str(values["meter"]), str(settings.get("client_sap", 1))
    with KeyStore(_path(values["key_store"], beside), unlocker) as store:
        with store.view() as view:
            meter = view.info(view.entry(name))
        current = {(record.kind, record.label) for record in meter.records if record.state is RecordState.CURRENT}
        if meter.suite.id and "suite" not in known:
            raise ConfigurationError(f"{name} is of security suite {meter.suite.id}, which settings do not know yet")
        if "suite" in known:
            settings.setdefault("suite", meter.suite.id)
        if (RecordKind.ENCRYPTION_KEY, "") in current:
            settings |= _keys(store.material(name, purpose=PURPOSE))
        if (RecordKind.SECRET, client) in current and _needs_secret(settings):
            settings["secret"] = store.secret(name, int(client), purpose=PURPOSE)
        if own := str(values.get("key_store_client", "")):
            settings |= _own(store, own, settings, known)
    if meter.system_title:
        settings.setdefault("server_title", meter.system_title)
    return settings


def _own(store: KeyStore, name: str, settings: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return our signing key, as a handle, and our system title, unless the settings say another."""
    with store.view() as view:
        own = view.info(view.entry(name))
    found: dict[str, Any] = {"system_title": own.system_title} if own.system_title else {}
    current = {record.kind for record in own.records if record.state is RecordState.CURRENT}
    if RecordKind.SIGNING_KEY in current and "signing_key" in known:
        if {"signing_key", "signing_key_file"} & set(settings):
            raise ConfigurationError(f"the signing key is that of {name} in the key store too: give one of them")
        if own.suite.id != settings.get("suite"):
            raise ConfigurationError(f"{name} is of security suite {own.suite.id}, the meter of another one")
        found["signing_key"] = store.signing_key(name, purpose=PURPOSE)
    return found | {key: settings[key] for key in ("system_title",) if key in settings}


def _needs_secret(settings: Mapping[str, Any]) -> bool:
    """Whether the association needs a password or HLS secret beside the keys: where it does not, none is taken out."""
    return settings.get("mechanism", "lowest" if "encryption_key" in settings else "lls") not in _WITHOUT_SECRET


def _keys(material: SecurityMaterial) -> dict[str, Secret]:
    keys = {name: getattr(material, name) for name in ("encryption_key", "authentication_key", "broadcast_key")}
    return {name: Secret(key.reveal(), name.replace("_", " ")) for name, key in keys.items() if key is not None}


def _path(text: object, beside: Path | None) -> Path:
    path = Path(str(text))
    return path if path.is_absolute() or beside is None else beside.parent / path
