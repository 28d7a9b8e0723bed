"""A key store as tests make it: opened by a key file, which costs no stretching."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from cosemic.store.key_store import Derivation, KeyFile, KeyStore, NewRecord, Passphrase, RecordKind
from cosemic.values import Secret

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
CHEAP = Derivation.for_passphrase("scrypt", n=1 << 14)
"""The least that is taken from a file."""
GUEK, GAK, KEK = RecordKind.ENCRYPTION_KEY, RecordKind.AUTHENTICATION_KEY, RecordKind.KEK


def clock() -> dt.datetime:
    return NOW


def key(number: int, length: int = 16) -> Secret:
    return Secret(bytes([number]) * length)


def record(kind: RecordKind, number: int, label: str = "") -> NewRecord:
    return NewRecord(kind, key(number), label)


def passphrase(text: str = "correct horse") -> Passphrase:
    return Passphrase(text, derivation=CHEAP)


class Kept:
    """A store with meters m1 (GUEK, GAK, KEK, secret of client 1) and m2 (GUEK, GAK), its file and its key file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "meters.keys"
        self.key_file = KeyFile.make(folder / "unlock.key")
        with (
            KeyStore.create(self.path, self.key_file, who="tester", clock=clock) as store,
            store.change("test") as made,
        ):
            password = NewRecord(RecordKind.SECRET, Secret(b"12345678"), "1")
            records = [record(GUEK, 1), record(GAK, 2), record(KEK, 3), password]
            made.add_meter("m1", system_title=b"COSMETR1", records=records)
            made.add_meter("m2", system_title=b"COSMETR2", records=[record(GUEK, 4), record(GAK, 2)])

    def open(self) -> KeyStore:
        return KeyStore(self.path, self.key_file, who="tester", clock=clock)

    def change(self, do: Callable[[KeyStore], object]) -> None:
        with self.open() as store:
            do(store)
