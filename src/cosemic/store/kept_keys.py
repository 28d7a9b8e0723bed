"""The key store as the keeper of one meter's keys while they are changed (:mod:`cosemic.security.key_keeper`)."""

from __future__ import annotations

from typing import Final

from cosemic.model.security_setup import SetupKeyId
from cosemic.security.key_keeper import Keys, KeyState
from cosemic.store.key_store import KeyStore
from cosemic.store.key_store.records import NewRecord, RecordKind
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
