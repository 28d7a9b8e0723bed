"""The keys of simulated meters in a key store, so that changing them can be tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.simulator import Endpoint
from cosemic.simulator.meter import logical_device_name
from cosemic.simulator.security import HIGH_LEVEL
from cosemic.store.key_store import KeyStore, NewRecord, RecordKind
from cosemic.store.key_store.for_settings import open_store

Entering = Callable[[Endpoint], Endpoint]
PURPOSE: Final = "cosemic simulate"
_KINDS: Final = {
    "encryption_key": RecordKind.ENCRYPTION_KEY,
    "authentication_key": RecordKind.AUTHENTICATION_KEY,
    "master_key": RecordKind.KEK,
}


def enter_keys(path: Path, endpoint: Endpoint, *, renew: bool) -> Endpoint:
    """Enter the keys of a meter into a key store, where it has some; return it with settings that name the store.

    renew: the meter has the keys of its seed again (without state, or with a new one), whatever the store has; else a
    meter that is in the store stays as it is. Raises ConfigurationError, StoreError.
    """
    if endpoint.kind not in HIGH_LEVEL:
        return endpoint
    if not path.is_file():
        raise ConfigurationError(f"there is no key store {path}: `cosemic keys store init` makes one")
    security, name = endpoint.site.plan.protection(), logical_device_name(endpoint.serial)
    records = [NewRecord(kind, getattr(security, field)) for field, kind in _KINDS.items()]
    with open_store({"key_store": str(path.absolute())}, None) as store:
        _enter(store, name, security.suite, records, bytes.fromhex(endpoint.security["server_title"]), renew=renew)
    settings = {key: value for key, value in endpoint.security.items() if key not in (*_KINDS, "kek")}
    return replace(endpoint, security=settings | {"key_store": str(path.absolute()), "meter": name})


def _enter(store: KeyStore, name: str, suite: int, records: list[NewRecord], title: bytes, *, renew: bool) -> None:
    with store.change(PURPOSE) as change:
        if change.look(name) is None:
            change.add_meter(name, suite=suite, system_title=title, records=records)
        elif renew and (differing := change.differing(name, records)):
            change.add(name, differing)
