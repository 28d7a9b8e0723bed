"""Envelopes of a key store: the master key over data keys, a data key over the records of one meter, one root over all.

::

    slot      sealed with the key that a passphrase or key file gives   master key      bound to store, slot, derivation
    secret    sealed with the master key                                for the audit   bound to store
    meter     sealed with the master key                                data key        bound to store, meter
    record    sealed with the data key                                  padded octets   bound to store, meter, kind,
                                                                                        label, version
    seal      tag under the data key over the meter's name, title, suite and revision, and over kind, label, version,
              state, instant and sealed octets of each of its records
    root      sealed with the master key                                see root.py     bound to store, all slots

What the master key seals is bound to its generation too. A record is not moved to another meter, kind or version, and
neither a record, nor a meter, nor a slot, nor the end of the audit is put back to what it was, or taken out, without
notice: seal or root does not fit then. What cannot be noticed from the file alone is that the whole of it was put back
to one older copy: only a process that has it open sees that the audit or the generation went back. See :mod:`.audit`
for what helps.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cosemic.errors import ConfigurationError, StoreError
from cosemic.store.key_store.file import TABLES, KeyStoreFile
from cosemic.store.key_store.root import Root
from cosemic.store.key_store.sealing import CHANGED, BrokenSeal, fresh_key, seal
from cosemic.store.key_store.session import Session, root_place, secret_place
from cosemic.store.key_store.slots import new_slots, open_slot, write_slots
from cosemic.store.key_store.unlocking import Unlocker

VERSION: Final = 1


class Vault:
    """A file whose master key is known. Raises ConfigurationError where the unlocker does not fit, StoreError.

    Where another process has rotated the master key meanwhile, the unlocker is asked once more.
    """

    def __init__(self, file: KeyStoreFile, unlocker: Unlocker) -> None:
        self.file = file
        self._unlocker = unlocker
        self._id = b""
        self._generation = -1
        self._master = b""
        self._checked: set[int] = set()
        self._seen = -1
        self._last = 0
        with self.transaction(write=False):
            pass

    @staticmethod
    def make(file: KeyStoreFile, unlockers: tuple[Unlocker, ...]) -> Vault:
        """Fill a fresh file; each unlocker has its slot. Raises ConfigurationError, StoreError."""
        store_id, master = secrets.token_bytes(16), fresh_key()
        slots = sorted(new_slots(unlockers, store_id, 0, master))
        with file.transaction():
            if file.execute("SELECT 1 FROM sqlite_master"):
                raise ConfigurationError(f"{file.path} is there already; a key store is made in a file of its own")
            for statement in TABLES:
                file.execute(statement)
            write_slots(file, slots)
            own = seal(master, fresh_key(), secret_place(store_id, 0))
            root = seal(master, Root(master).to_octets(), root_place(store_id, 0, slots))
            file.execute("INSERT INTO store VALUES (1, ?, ?, 0, ?, ?)", VERSION, store_id, own, root)
        return Vault(file, unlockers[0])

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[Session]:
        """Yield what reads and changes meters; all changes happen together, or none. Raises StoreError."""
        with self.file.transaction(write=write):
            rows = self.file.execute("SELECT version, id, generation, secrets, root FROM store")
            if len(rows) != 1 or rows[0][0] != VERSION:
                raise StoreError(f"{self.file.path} is no key store of version {VERSION}")
            _, store_id, generation, own, root = rows[0]
            self._unlock(store_id, generation)
            session = Session(self.file, store_id, generation, self._master, own, root, self._still_checked())
            if session.head.number < self._last:
                raise BrokenSeal(CHANGED)
            yield session
            if write:
                session.finish()
        self._last = session.head.number
        if session.generation != generation:  # rotated here, and on the medium now
            self._master, self._generation = session.master, session.generation

    def _still_checked(self) -> set[int]:
        """Return the buckets that were checked here, and in which no other connection can have written since."""
        ((seen,),) = self.file.execute("PRAGMA data_version")
        if seen != self._seen:
            self._seen = seen
            self._checked.clear()
        return self._checked

    def _unlock(self, store_id: bytes, generation: int) -> None:
        if (store_id, generation) == (self._id, self._generation):
            return
        if self._id and (store_id != self._id or generation < self._generation):
            raise BrokenSeal(CHANGED)
        self._master = open_slot(self.file, self._unlocker, store_id, generation)
        self._id, self._generation = store_id, generation

    def unlock_with(self, unlocker: Unlocker) -> None:
        """Ask another unlocker from now on, when the master key has been rotated elsewhere."""
        self._unlocker = unlocker
