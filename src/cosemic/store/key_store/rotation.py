"""A fresh master key for a key store, and what opens it: all of it in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import Iterator

from cosemic.errors import ConfigurationError
from cosemic.store.key_store.sealing import fresh_key, seal
from cosemic.store.key_store.session import Session, secret_place
from cosemic.store.key_store.slots import new_slot, new_slots, open_slot, slots_of, write_slots
from cosemic.store.key_store.unlocking import Unlocker


def rotate(session: Session, unlockers: tuple[Unlocker, ...], *, data_keys: bool) -> Iterator[tuple[int, int]]:
    """Take a fresh master key into use; yields how many meters are done, of how many.

    unlockers: those of all slots, each of which must open its slot now; they get a fresh salt. data_keys: renew these
    too, and seal all records anew. Raises ConfigurationError, StoreError.
    """
    file, generation = session.file, session.generation + 1
    names = {slot[0] for slot in slots_of(file)}
    if {unlocker.slot for unlocker in unlockers} != names:
        raise ConfigurationError(f"all that opens the key store is needed to rotate it: {' and '.join(sorted(names))}")
    for unlocker in unlockers:
        open_slot(file, unlocker, session.id, session.generation)
    session.check_all()
    master, numbers = fresh_key(), session.numbers()
    slots = new_slots(unlockers, session.id, generation, master)
    root = session.root.under(master)
    for done, number in enumerate(numbers, 1):
        entry = session.entry(number)
        if data_keys:
            session.reseal(entry, fresh_key())
        entry.revision += 1
        entry.seal = seal(entry.key, b"", session.seal_place(entry))
        file.execute(
            "UPDATE meters SET revision = ?, data_key = ?, seal = ? WHERE number = ?",
            entry.revision, seal(master, entry.key, session.key_place(number, generation)), entry.seal, number,
        )  # fmt: skip
        root.add(entry.mark)
        yield done, len(numbers)
    write_slots(file, slots)
    own = seal(master, session.secret, secret_place(session.id, generation))
    file.execute("UPDATE store SET generation = ?, secrets = ?", generation, own)
    session.master, session.generation, session.root = master, generation, root


def set_slot(session: Session, unlocker: Unlocker) -> None:
    """Make the slot of an unlocker, in place of one of the same name. Raises ConfigurationError."""
    slot = new_slot(unlocker, session.id, session.generation, session.master)
    write_slots(session.file, [slot, *(each for each in slots_of(session.file) if each[0] != slot[0])])


def drop_slot(session: Session, name: str) -> None:
    """Take a slot out. Raises ConfigurationError when it is the last one, or there is none of that name."""
    slots = slots_of(session.file)
    kept = [slot for slot in slots if slot[0] != name]
    if not kept or len(kept) == len(slots):
        raise ConfigurationError(f"the key store has no {name}, or nothing else opens it: make another slot first")
    write_slots(session.file, kept)
