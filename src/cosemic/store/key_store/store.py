"""The key store that the rest of the library works with."""

from __future__ import annotations

import datetime as dt
import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.security import (
    AgreementKey,
    Key,
    SecurityMaterial,
    SigningKey,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    security_suite,
)
from cosemic.security.certificates import Certificate
from cosemic.store.key_store import rotation
from cosemic.store.key_store.audit import AuditEntry
from cosemic.store.key_store.change import Change
from cosemic.store.key_store.file import LOCK_TIMEOUT, KeyStoreFile
from cosemic.store.key_store.records import RecordKind, RecordState, StoredMeter
from cosemic.store.key_store.session import Entry, Place
from cosemic.store.key_store.unlocking import Unlocker
from cosemic.store.key_store.vault import Vault
from cosemic.transport.lifetime import Closes
from cosemic.values import Secret

Progress = Callable[[int, int], None]
"""Takes how many meters are done, of how many."""
_MATERIAL: Final = {
    "encryption_key": RecordKind.ENCRYPTION_KEY,
    "authentication_key": RecordKind.AUTHENTICATION_KEY,
    "broadcast_key": RecordKind.BROADCAST_KEY,
    "kek": RecordKind.KEK,
}


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class KeyStore(Closes):
    """Keys of meters in one file, encrypted (:mod:`cosemic.store.key_store.vault`).

    unlocker: a :class:`Passphrase` or :class:`KeyFile`. who: stands in the audit; the user of this process when None.
    clock: gives aware instants. timeout: seconds to wait for other processes.

    Keys come out as handles, and each time one does, the audit is on the medium first. Several threads and processes
    may use one store. Raises ConfigurationError for a wrong passphrase or key file, StoreError for a file that is
    damaged, was changed by another hand, or cannot be read or written.

    ::

        with KeyStore("meters.keys", KeyFile("unlock.key")) as store:
            material = store.material("meter 7", purpose="reading")
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        unlocker: Unlocker,
        *,
        who: str | None = None,
        clock: Callable[[], dt.datetime] = _utc_now,
        timeout: float = LOCK_TIMEOUT,
    ) -> None:
        self._who: Final = _user() if who is None else who
        self._clock = clock
        self._file = KeyStoreFile(path, timeout=timeout)
        try:
            self._vault = Vault(self._file, unlocker)
        except BaseException:
            self._file.close()
            raise

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *unlockers: Unlocker,
        who: str | None = None,
        clock: Callable[[], dt.datetime] = _utc_now,
    ) -> KeyStore:
        """Make an empty store that each of the unlockers opens. Raises ConfigurationError, StoreError."""
        for unlocker in unlockers:
            unlocker.check_new()
        with KeyStoreFile(path, fresh=True) as file:
            Vault.make(file, unlockers)
        store = cls(path, unlockers[0], who=who, clock=clock)
        with store.change("a new key store") as change:
            change.note("create")
        return store

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def close(self) -> None:
        """Close the file; handles that were given out go on."""
        self._file.close()

    @contextmanager
    def change(self, purpose: str) -> Iterator[Change]:
        """Yield what changes the store: all of it when the block ends, nothing when an exception leaves it."""
        with self._vault.transaction() as session:
            yield Change(session, self._who, purpose, self._clock)

    @contextmanager
    def view(self) -> Iterator[Change]:
        """Yield what shows one state of the store: what would change it raises StoreError."""
        with self._vault.transaction(write=False) as session:
            yield Change(session, self._who, "", self._clock)

    def meters(self) -> list[StoredMeter]:
        """Return all meters, without what is kept of them; finds that one was taken out. Raises StoreError."""
        with self._vault.transaction(write=False) as session:
            session.check_all()
            change = Change(session, self._who, "", self._clock)
            return [change.info(session.entry(number)) for number in session.numbers()]

    def meter(self, name: str) -> StoredMeter:
        """Return one meter with the fingerprints of its keys. Raises ConfigurationError where there is none."""
        with self.change("to show fingerprints") as change:
            change.note("show", name)
            return change.info(change.entry(name), fingerprints=True)

    def material(self, meter: str, *, purpose: str, pending: bool = False) -> SecurityMaterial:
        """Return the symmetric keys of a meter.

        pending: the pending version where there is one, else the current. Raises ConfigurationError where the meter has
        no encryption key.
        """
        with self.change(purpose) as change:
            entry = change.entry(meter)
            keys: dict[str, Key] = {}
            for name, kind in _MATERIAL.items():
                place = _place(change, entry, kind, "", RecordState.PENDING) if pending else None
                place = place or _place(change, entry, kind, "", RecordState.CURRENT)
                if place is not None:
                    keys[name] = Key(Secret(change.use(entry, place), name.replace("_", " ")))
            if "encryption_key" not in keys:
                raise ConfigurationError(f"the key store has no encryption-key of {meter}: import it")
            return SecurityMaterial(suite=security_suite(entry.suite), **keys)

    def key(self, meter: str, kind: RecordKind, *, purpose: str, state: RecordState = RecordState.CURRENT) -> Key:
        """Return one symmetric key; of the previous ones the newest. Raises ConfigurationError where there is none."""
        return Key(Secret(self._take(meter, kind, "", state, purpose)[1], kind.value))

    def secret(self, meter: str, client: int, *, purpose: str, state: RecordState = RecordState.CURRENT) -> Secret:
        """Return LLS password or HLS secret of one client. Raises ConfigurationError where there is none."""
        return Secret.password(self._take(meter, RecordKind.SECRET, str(client), state, purpose)[1])

    def signing_key(self, holder: str, *, purpose: str, state: RecordState = RecordState.CURRENT) -> SigningKey:
        """Return the private key for signatures. Raises ConfigurationError where there is none."""
        suite, scalar = self._take(holder, RecordKind.SIGNING_KEY, "", state, purpose)
        return SoftwareSigningKey.of(scalar, security_suite(suite))

    def agreement_key(self, holder: str, *, purpose: str, state: RecordState = RecordState.CURRENT) -> AgreementKey:
        """Return the private key for key agreement. Raises ConfigurationError where there is none."""
        suite, scalar = self._take(holder, RecordKind.AGREEMENT_KEY, "", state, purpose)
        return SoftwareAgreementKey.of(scalar, security_suite(suite))

    def certificate(self, holder: str, label: str = "", *, purpose: str) -> Certificate:
        """Return a certificate. Raises ConfigurationError where there is none."""
        return Certificate.of(self._take(holder, RecordKind.CERTIFICATE, label, RecordState.CURRENT, purpose)[1])

    def audit(self) -> Iterator[AuditEntry]:
        """Yield the audit from its beginning, each entry checked. Raises StoreError where it was changed."""
        with self._vault.transaction(write=False) as session:
            yield from session.audit.entries(session.head)

    def check(self) -> int:
        """Check everything: all meters, all records, the whole audit; returns how many meters. Raises StoreError."""
        with self._vault.transaction(write=False) as session:
            session.check_all()
            numbers = session.numbers()
            for number in numbers:
                entry = session.entry(number)
                for place in entry.rows:
                    session.take(entry, place)
            for _ in session.audit.entries(session.head):
                pass
        return len(numbers)

    def rotate(
        self, *unlockers: Unlocker, purpose: str, data_keys: bool = False, progress: Progress | None = None
    ) -> None:
        """Take a fresh master key into use; when it fails or is killed, the old one stays, with everything under it.

        unlockers: all that opens the store. data_keys: renew these too, so that who has had the old master key and an
        old copy of the file can read nothing that is in the store from now on; what was in the old copy, he can.
        """
        with self._vault.transaction() as session:
            for done, whole in rotation.rotate(session, unlockers, data_keys=data_keys):
                if progress is not None:
                    progress(done, whole)
            Change(session, self._who, purpose, self._clock).note("rotate data keys" if data_keys else "rotate")
        self._file.clear_log()

    def set_unlocker(self, unlocker: Unlocker, *, purpose: str) -> None:
        """Have a passphrase or key file open the store, in place of the passphrase or key file before.

        The master key stays: :meth:`rotate` it where the old passphrase is known to others.
        """
        with self._vault.transaction() as session:
            rotation.set_slot(session, unlocker)
            Change(session, self._who, purpose, self._clock).note(f"new {unlocker.slot}")
        self._vault.unlock_with(unlocker)
        self._file.clear_log()

    def drop_unlocker(self, slot: str, *, purpose: str) -> None:
        """Have the ``"passphrase"`` or the ``"key file"`` open the store no more. Raises ConfigurationError."""
        with self._vault.transaction() as session:
            rotation.drop_slot(session, slot)
            Change(session, self._who, purpose, self._clock).note(f"drop {slot}")
        self._file.clear_log()

    def unlocked_by(self) -> list[str]:
        """Return the names of what opens the store."""
        with self._vault.transaction(write=False) as session:
            return session.slot_names()

    def _take(self, meter: str, kind: RecordKind, label: str, state: RecordState, purpose: str) -> tuple[int, bytes]:
        with self.change(purpose) as change:
            entry = change.entry(meter)
            place = _place(change, entry, kind, label, state)
            if place is None:
                name = f"{kind.value}:{label}" if label else kind.value
                raise ConfigurationError(f"the key store has no {state.value} {name} of {meter}: import it")
            return entry.suite, change.use(entry, place)

    def __repr__(self) -> str:
        return f"<KeyStore {self.path}>"


def _place(change: Change, entry: Entry, kind: RecordKind, label: str, state: RecordState) -> Place | None:
    return change.place(entry, kind.value, label, state.value)


def _user() -> str:
    """The user of this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
