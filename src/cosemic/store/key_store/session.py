"""Meters and their records within one transaction on a key store; what is sealed how, see :mod:`.vault`."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from cosemic.store.key_store.audit import Audit, Head
from cosemic.store.key_store.file import KeyStoreFile
from cosemic.store.key_store.records import RecordKind
from cosemic.store.key_store.root import BUCKET_BITS, BUCKETS, NUMBER_BITS, Mark, Root
from cosemic.store.key_store.sealing import (
    CHANGED,
    BrokenSeal,
    bound,
    fresh_key,
    padded,
    seal,
    subkey,
    unpadded,
    unseal,
)
from cosemic.store.key_store.slots import Slot, slots_of

Place = tuple[str, str, int]
"""Of a record in its meter: kind, label, version."""
_HERE: Final = "WHERE meter = ? AND kind = ? AND label = ? AND version = ?"


@dataclass(slots=True)
class Row:
    """A record as it stands in the file."""

    state: str
    added: str
    sealed: bytes


@dataclass(slots=True)
class Entry:
    """A meter as it stands in the file, found to be whole. key: the data key."""

    number: int
    name: str
    title: bytes
    suite: int
    revision: int
    seal: bytes
    key: bytes = field(repr=False)
    rows: dict[Place, Row] = field(repr=False)

    @property
    def mark(self) -> Mark:
        """What stands for this state of it in the root."""
        return self.number, self.revision, self.seal


class Session:
    """One transaction on the meters of a store. Raises BrokenSeal wherever something is not as it was left.

    own, root: the store's secret and root, sealed. checked: buckets that need no check, as nobody else has written
    since they were checked; more are entered here.
    """

    def __init__(
        self,
        file: KeyStoreFile,
        store_id: bytes,
        generation: int,
        master: bytes,
        own: bytes,
        root: bytes,
        checked: set[int],
    ) -> None:
        self.file = file
        self.id: Final = store_id
        self.generation = generation
        self.master = master
        self.secret: Final = unseal(master, own, secret_place(store_id, generation))
        self.root = Root(master, unseal(master, root, root_place(store_id, generation, slots_of(file))))
        self.audit = Audit(file, store_id, subkey(self.secret, b"audit"))
        self._fingerprint_key = subkey(self.secret, b"fingerprint")
        self._checked = checked
        self._changed: dict[int, Entry] = {}

    @property
    def head(self) -> Head:
        """The end of the audit."""
        return self.root.head

    def fingerprint(self, kind: str, octets: bytes) -> str:
        """Return 16 digits that stand for a key in this store; nothing for a secret, which can be guessed."""
        if kind == RecordKind.SECRET.value:
            return ""
        return hmac.digest(self._fingerprint_key, octets, "sha256")[:8].hex()

    def numbers(self) -> list[int]:
        """Return the numbers of all meters, in the order of their names."""
        return [row[0] for row in self.file.execute("SELECT number FROM meters ORDER BY name")]

    def slot_names(self) -> list[str]:
        """Return what opens the store."""
        return [slot[0] for slot in slots_of(self.file)]

    def find(self, *, name: str = "", title: bytes = b"") -> Entry | None:
        """Return the meter with that name or system title; None where there is none, and never was one."""
        column, value = ("name", name) if name else ("title", title)
        rows = self.file.execute(f"SELECT number FROM meters WHERE {column} = ?", value)  # noqa: S608 - a fixed word
        return self.entry(rows[0][0]) if rows else None

    def entry(self, number: int) -> Entry:
        """Return one meter, found to be whole and no older than it should be."""
        if number in self._changed:
            return self._changed[number]
        self._check(number >> BUCKET_BITS)
        found = self.file.execute(
            "SELECT name, title, suite, revision, data_key, seal FROM meters WHERE number = ?", number
        )
        if len(found) != 1:  # the table says otherwise than its index, or a meter goes by two numbers
            raise BrokenSeal(CHANGED)
        name, title, suite, revision, wrapped, mark = found[0]
        key = unseal(self.master, wrapped, self.key_place(number, self.generation))
        rows = {
            (kind, label, version): Row(state, added, sealed)
            for kind, label, version, state, added, sealed in self.file.rows(
                "SELECT kind, label, version, state, added, sealed FROM records WHERE meter = ?", number
            )
        }
        entry = Entry(number, name, title or b"", suite, revision, mark, key, rows)
        unseal(key, mark, self.seal_place(entry))
        return entry

    def make(self, name: str, title: bytes, suite: int) -> Entry:
        """Return a new meter, without records."""
        entry = Entry(secrets.randbits(NUMBER_BITS), name, title, suite, 0, b"", fresh_key(), {})
        self._check(entry.number >> BUCKET_BITS)
        wrapped = seal(self.master, entry.key, self.key_place(entry.number, self.generation))
        self.file.execute(
            "INSERT INTO meters VALUES (?, ?, ?, ?, ?, ?, ?)",
            entry.number, name, title or None, suite, 0, wrapped, b"",
        )  # fmt: skip
        self._changed[entry.number] = entry
        return entry

    def put(self, entry: Entry, place: Place, state: str, added: str, octets: bytes) -> None:
        """Keep a record of a meter."""
        self._touch(entry)
        sealed = seal(entry.key, padded(octets), self._record_place(entry, place))
        entry.rows[place] = Row(state, added, sealed)
        self.file.execute(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", entry.number, *place, state, added, sealed
        )

    def take(self, entry: Entry, place: Place) -> bytes:
        """Return the octets of a record."""
        return unpadded(unseal(entry.key, entry.rows[place].sealed, self._record_place(entry, place)))

    def set_state(self, entry: Entry, place: Place, state: str) -> None:
        """Give a record another state."""
        self._touch(entry)
        entry.rows[place].state = state
        self.file.execute(f"UPDATE records SET state = ? {_HERE}", state, entry.number, *place)  # noqa: S608

    def drop(self, entry: Entry, place: Place) -> None:
        """Take a record out."""
        self._touch(entry)
        del entry.rows[place]
        self.file.execute(f"DELETE FROM records {_HERE}", entry.number, *place)  # noqa: S608

    def remove(self, entry: Entry) -> None:
        """Take a meter out, and its data key."""
        if self._changed.pop(entry.number, None) is None:
            self.root.take_out(entry.mark)
        self.file.execute("DELETE FROM records WHERE meter = ?", entry.number)
        self.file.execute("DELETE FROM meters WHERE number = ?", entry.number)

    def reseal(self, entry: Entry, fresh: bytes) -> None:
        """Have a fresh data key for a meter, and its records under it."""
        octets = {place: self.take(entry, place) for place in entry.rows}
        entry.key = fresh
        for place, value in octets.items():
            entry.rows[place].sealed = sealed = seal(fresh, padded(value), self._record_place(entry, place))
            self.file.execute(f"UPDATE records SET sealed = ? {_HERE}", sealed, entry.number, *place)  # noqa: S608

    def check_all(self) -> None:
        """Check what no single meter shows: that none was taken out, and that each record has its meter."""
        if self.file.execute("SELECT 1 FROM records WHERE meter NOT IN (SELECT number FROM meters) LIMIT 1"):
            raise BrokenSeal(CHANGED)
        for bucket in range(BUCKETS):
            self._check(bucket)

    def finish(self) -> None:
        """Write seals and root; the last thing before the commit."""
        for entry in self._changed.values():
            entry.revision += 1
            entry.seal = seal(entry.key, b"", self.seal_place(entry))
            self.file.execute(
                "UPDATE meters SET revision = ?, seal = ? WHERE number = ?", entry.revision, entry.seal, entry.number
            )
            self.root.add(entry.mark)
        place = root_place(self.id, self.generation, slots_of(self.file))
        self.file.execute("UPDATE store SET root = ?", seal(self.master, self.root.to_octets(), place))

    def _touch(self, entry: Entry) -> None:
        """Take a meter out of the root, before its first change."""
        if entry.number not in self._changed:
            self.root.take_out(entry.mark)
            self._changed[entry.number] = entry

    def _check(self, bucket: int) -> None:
        """Check a bucket, before the first change in it."""
        if not 0 <= bucket < BUCKETS:
            raise BrokenSeal(CHANGED)
        if bucket not in self._checked:
            first, last = bucket << BUCKET_BITS, (bucket + 1 << BUCKET_BITS) - 1
            statement = "SELECT number, revision, seal FROM meters WHERE number BETWEEN ? AND ?"
            self.root.check(bucket, self.file.rows(statement, first, last))
            self._checked.add(bucket)

    def key_place(self, number: int, generation: int) -> bytes:
        """What the data key of a meter is bound to."""
        return bound(self.id, "data key", generation, number)

    def seal_place(self, entry: Entry) -> bytes:
        """What the seal of a meter is over."""
        parts: list[str | int | bytes] = [self.id, "meter", entry.number, entry.name, entry.title]
        parts += [entry.suite, entry.revision]
        for place, row in sorted(entry.rows.items(), key=lambda each: each[0]):
            parts += [*place, row.state, row.added, hashlib.sha256(row.sealed).digest()]
        return bound(*parts)

    def _record_place(self, entry: Entry, place: Place) -> bytes:
        return bound(self.id, "record", entry.number, *place)


def secret_place(store_id: bytes, generation: int) -> bytes:
    """What the store's own secret is bound to."""
    return bound(store_id, "secret", generation)


def root_place(store_id: bytes, generation: int, slots: list[Slot]) -> bytes:
    """What the root is bound to."""
    return bound(store_id, "root", generation, *(part for slot in slots for part in slot))
