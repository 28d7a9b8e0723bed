"""Slots of a key store: each holds the master key, sealed with what one unlocker gives."""

from __future__ import annotations

from cosemic.errors import ConfigurationError
from cosemic.store.key_store.derivation import Derivation
from cosemic.store.key_store.file import KeyStoreFile
from cosemic.store.key_store.sealing import BrokenSeal, bound, seal, unseal
from cosemic.store.key_store.unlocking import Unlocker

Slot = tuple[str, str, bytes]
"""Name, derivation and sealed master key, as they stand in the file."""


def slots_of(file: KeyStoreFile) -> list[Slot]:
    """Return all slots, in the order of their names. Raises StoreError."""
    return file.execute("SELECT name, derivation, sealed FROM slots ORDER BY name")


def new_slot(unlocker: Unlocker, store_id: bytes, generation: int, master: bytes) -> Slot:
    """Return a slot for an unlocker. Raises ConfigurationError."""
    unlocker.check_new()
    derivation = unlocker.new_derivation()
    text = derivation.to_text()
    return (
        unlocker.slot,
        text,
        seal(unlocker.derive(derivation), master, _place(store_id, unlocker.slot, generation, text)),
    )


def new_slots(unlockers: tuple[Unlocker, ...], store_id: bytes, generation: int, master: bytes) -> list[Slot]:
    """Return a slot for each unlocker. Raises ConfigurationError, also for none and for two of one name."""
    if not unlockers or len({unlocker.slot for unlocker in unlockers}) != len(unlockers):
        raise ConfigurationError("a key store is opened by a passphrase, by a key file, or by one of each")
    return [new_slot(unlocker, store_id, generation, master) for unlocker in unlockers]


def write_slots(file: KeyStoreFile, slots: list[Slot]) -> None:
    """Have these slots in place of all others. Raises StoreError."""
    file.execute("DELETE FROM slots")
    for slot in slots:
        file.execute("INSERT INTO slots VALUES (?, ?, ?)", *slot)


def open_slot(file: KeyStoreFile, unlocker: Unlocker, store_id: bytes, generation: int) -> bytes:
    """Return the master key. Raises ConfigurationError where the unlocker does not fit, StoreError."""
    slots = {name: (derivation, sealed) for name, derivation, sealed in slots_of(file)}
    if unlocker.slot not in slots:
        raise ConfigurationError(f"the key store {file.path} is not opened by a {unlocker.slot}")
    text, sealed = slots[unlocker.slot]
    key = unlocker.derive(Derivation.from_text(text))
    try:
        return unseal(key, sealed, _place(store_id, unlocker.slot, generation, text))
    except BrokenSeal:
        raise ConfigurationError(
            f"the {unlocker.slot} does not open the key store {file.path}: it is another one, or the file is damaged"
        ) from None


def _place(store_id: bytes, name: str, generation: int, derivation: str) -> bytes:
    return bound(store_id, "slot", name, generation, derivation)
