"""The key store as the keeper of one meter's keys while they are changed (:mod:`cosemic.security.key_keeper`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.model.security_setup import SetupKeyId
from cosemic.security.key_keeper import Keys, KeyState
from cosemic.store.key_store import KeyStore
from cosemic.store.key_store.for_settings import open_store
from cosemic.store.key_store.records import NewRecord, RecordKind, RecordState
from cosemic.store.security_settings import SecuritySettings, Source, settings_of
from cosemic.values import Secret

_KINDS: Final = {
    SetupKeyId.GLOBAL_UNICAST_ENCRYPTION_KEY: RecordKind.ENCRYPTION_KEY,
    SetupKeyId.GLOBAL_BROADCAST_ENCRYPTION_KEY: RecordKind.BROADCAST_KEY,
    SetupKeyId.AUTHENTICATION_KEY: RecordKind.AUTHENTICATION_KEY,
    SetupKeyId.MASTER_KEY: RecordKind.KEK,
}


class StoredKeys:
    """A :class:`~cosemic.security.key_keeper.KeyKeeper` on a key store.

    meter: its name in the store. purpose: stands in the audit. Methods raise ConfigurationError where the store has no
    such meter, StoreError.
    """

    def __init__(self, store: KeyStore, meter: str, *, purpose: str = "key change") -> None:
        self._store = store
        self._meter = meter
        self._purpose = purpose

    def keys(self, state: KeyState) -> Keys:
        """Return the keys in a state."""
        found: dict[SetupKeyId, Secret] = {}
        with self._store.change(self._purpose) as change:
            entry = change.entry(self._meter)
            for key_id, kind in _KINDS.items():
                place = change.place(entry, kind.value, "", state.value)
                if place is not None:
                    found[key_id] = Secret(change.use(entry, place), kind.value.replace("-", " "))
        return found

    def propose(self, keys: Keys) -> None:
        """Keep keys as pending. Raises ConfigurationError where one of them is pending."""
        records = [NewRecord(_KINDS[key_id], secret) for key_id, secret in keys.items()]
        with self._store.change(self._purpose) as change:
            change.add(self._meter, records, pending=True)

    def promote(self) -> None:
        """Make the pending keys current, and those in whose place they come previous."""
        with self._store.change(self._purpose) as change:
            entry = change.entry(self._meter)
            pending = KeyState.PENDING.value
            names = [kind.value for kind in _KINDS.values() if change.place(entry, kind.value, "", pending)]
            change.promote(self._meter, names)

    def withdraw(self) -> None:
        """Forget the pending keys."""
        with self._store.change(self._purpose) as change:
            entry = change.entry(self._meter)
            for kind in _KINDS.values():
                place = change.place(entry, kind.value, "", KeyState.PENDING.value)
                if place is not None:
                    change.forget(self._meter, kind.value, place[2])


def pending_keys(source: Source) -> tuple[str, ...]:
    """Return the names of the keys of a meter that are pending in its key store; none where settings name no store.

    No key comes out, so that nothing is entered into the audit. source: as of :func:`kept_keys`. Raises
    ConfigurationError, StoreError.
    """
    if isinstance(source, SecuritySettings):
        return ()
    values, beside = settings_of(source)
    if "key_store" not in values or "meter" not in values:
        return ()
    with open_store(values, beside) as store:
        records = store.meter(str(values["meter"])).records
    return tuple(record.name for record in records if record.state is RecordState.PENDING)


@contextmanager
def kept_keys(source: Source, *, purpose: str = "key change") -> Iterator[StoredKeys]:
    """Yield the keeper of the keys of a meter whose security settings name a key store, which is open meanwhile.

    source: as of :func:`~cosemic.store.security_settings.load_security`. Raises ConfigurationError, StoreError.
    """
    if isinstance(source, SecuritySettings):
        raise ConfigurationError("name a file of security settings, whose key_store keeps the keys of the meter")
    values, beside = settings_of(source)
    if "key_store" not in values or "meter" not in values:
        raise ConfigurationError(
            "keys that are changed are kept in a key store: say key_store and meter in the security settings, in place "
            "of keys (`cosemic keys store --help`)"
        )
    with open_store(values, beside) as store:
        yield StoredKeys(store, str(values["meter"]), purpose=purpose)
