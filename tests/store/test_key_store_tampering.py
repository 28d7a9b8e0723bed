"""Another hand on the file of a key store: what it moves, puts back, takes out or writes anew does not pass."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cosemic.errors import ConfigurationError, CosemicError, StoreError
from cosemic.store.key_store import BrokenSeal, KeyStore, RecordKind
from tests.store.kept_keys import GUEK, KEK, Kept, passphrase, record


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


@contextmanager
def hand(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection
        connection.commit()


def snapshot(kept: Kept, statement: str) -> list[tuple[object, ...]]:
    with hand(kept.path) as file:
        return file.execute(statement).fetchall()


def swap_records(file: sqlite3.Connection) -> None:
    rows = file.execute("SELECT meter, sealed FROM records WHERE kind = 'authentication-key'").fetchall()
    (one, first), (two, second) = rows
    for meter, sealed in ((one, second), (two, first)):
        file.execute("UPDATE records SET sealed = ? WHERE meter = ? AND kind = 'authentication-key'", (sealed, meter))


def swap_kinds(file: sqlite3.Connection) -> None:
    file.execute("UPDATE records SET kind = 'x' WHERE kind = 'encryption-key'")
    file.execute("UPDATE records SET kind = 'encryption-key' WHERE kind = 'kek'")
    file.execute("UPDATE records SET kind = 'kek' WHERE kind = 'x'")


def swap_meters(file: sqlite3.Connection) -> None:
    file.execute("UPDATE meters SET name = 'x', title = NULL WHERE name = 'm1'")
    file.execute("UPDATE meters SET name = 'm1' WHERE name = 'm2'")
    file.execute("UPDATE meters SET name = 'm2' WHERE name = 'x'")


def swap_data_keys(file: sqlite3.Connection) -> None:
    (one, first), (two, second) = file.execute("SELECT number, data_key FROM meters").fetchall()
    file.execute("UPDATE meters SET data_key = ? WHERE number = ?", (second, one))
    file.execute("UPDATE meters SET data_key = ? WHERE number = ?", (first, two))


TRICKS: list[Callable[[sqlite3.Connection], object]] = [
    swap_records,
    swap_kinds,
    swap_meters,
    swap_data_keys,
    lambda file: file.execute("UPDATE records SET version = 2 WHERE kind = 'encryption-key'"),
    lambda file: file.execute("UPDATE records SET state = 'previous' WHERE kind = 'kek'"),
    lambda file: file.execute("UPDATE records SET added = '2020-01-01T00:00:00+00:00'"),
    lambda file: file.execute("UPDATE records SET label = '2' WHERE kind = 'secret'"),
    lambda file: file.execute("DELETE FROM records WHERE kind = 'kek'"),
    lambda file: file.execute("UPDATE meters SET suite = 1"),
    lambda file: file.execute("UPDATE meters SET title = NULL"),
    lambda file: file.execute("UPDATE meters SET revision = revision + 1"),
    lambda file: file.execute("UPDATE meters SET number = number + 1"),
    lambda file: file.execute("UPDATE meters SET number = -1 WHERE name = 'm1'"),
    lambda file: file.execute("DELETE FROM meters WHERE name = 'm1'"),
    lambda file: file.execute(
        "INSERT INTO meters SELECT number + 1, 'm3', NULL, suite, revision, data_key, seal FROM meters LIMIT 1"
    ),
    lambda file: file.execute("UPDATE store SET root = zeroblob(4200)"),
    lambda file: file.execute("UPDATE store SET secrets = zeroblob(60)"),
    lambda file: file.execute("UPDATE store SET id = zeroblob(16)"),
    lambda file: file.execute("UPDATE store SET generation = 1"),
    lambda file: file.execute("UPDATE store SET version = 2"),
    lambda file: file.execute("DELETE FROM store"),
    lambda file: file.execute("DELETE FROM slots"),
    lambda file: file.execute("INSERT INTO slots VALUES ('passphrase', '{}', x'00')"),
    lambda file: file.execute("UPDATE slots SET derivation = '{}'"),
    lambda file: file.execute("UPDATE records SET sealed = x''"),
    lambda file: file.execute("CREATE TRIGGER t AFTER INSERT ON audit BEGIN DELETE FROM audit; END"),
    lambda file: file.execute("CREATE VIEW v AS SELECT 1"),
    lambda file: file.execute(
        "INSERT INTO records SELECT 5, kind, label, version, state, added, sealed FROM records WHERE kind = 'kek'"
    ),
]


@pytest.mark.parametrize("number", range(len(TRICKS)))
def test_what_was_moved_changed_or_taken_out_is_noticed(kept: Kept, number: int) -> None:
    with hand(kept.path) as file:
        TRICKS[number](file)
    with pytest.raises((StoreError, ConfigurationError)), kept.open() as store:
        store.check()


@pytest.mark.parametrize("number", range(16))
def test_no_meter_that_was_changed_gives_a_key(kept: Kept, number: int) -> None:
    with hand(kept.path) as file:
        TRICKS[number](file)
    with pytest.raises(CosemicError), kept.open() as store:
        _ = [store.material(meter, purpose="test") for meter in ("m1", "m2")]


def test_every_octet_of_a_sealed_value_counts(kept: Kept) -> None:
    for table, column in (("records", "sealed"), ("meters", "data_key"), ("meters", "seal"), ("slots", "sealed")):
        ((whole,),) = snapshot(kept, f"SELECT {column} FROM {table} LIMIT 1")
        assert isinstance(whole, bytes)
        for place in range(0, len(whole), 5):
            changed = bytearray(whole)
            changed[place] ^= 1
            with hand(kept.path) as file:
                file.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (bytes(changed), whole))
            with pytest.raises(CosemicError), kept.open() as store:
                store.check()
            with hand(kept.path) as file:
                file.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (whole, bytes(changed)))
    with kept.open() as store:
        assert store.check() == 2


def restore(kept: Kept, table: str, rows: list[tuple[object, ...]]) -> None:
    with hand(kept.path) as file:
        file.execute(f"DELETE FROM {table}")
        for row in rows:
            file.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


@pytest.mark.parametrize(
    "tables", [("records",), ("meters",), ("meters", "records"), ("store",), ("slots",), ("audit",)]
)
def test_a_part_that_was_put_back_is_noticed(kept: Kept, tables: tuple[str, ...]) -> None:
    older = {table: snapshot(kept, f"SELECT * FROM {table}") for table in tables}
    with kept.open() as store:
        with store.change("test") as change:
            change.add("m1", [record(GUEK, 11)])
        store.set_unlocker(passphrase(), purpose="test")
    for table, rows in older.items():
        restore(kept, table, rows)
    with pytest.raises((StoreError, ConfigurationError)), kept.open() as store:
        _ = list(store.audit()), store.material("m1", purpose="test")


def test_a_forgotten_key_and_a_removed_meter_do_not_come_back(kept: Kept) -> None:
    older = {table: snapshot(kept, f"SELECT * FROM {table}") for table in ("meters", "records")}
    with kept.open() as store, store.change("test") as change:
        change.remove_meter("m1")
    for table, rows in older.items():
        restore(kept, table, rows)
    with pytest.raises(StoreError), kept.open() as store:
        store.material("m1", purpose="test")


def test_an_older_master_key_does_not_come_back(kept: Kept) -> None:
    older = {table: snapshot(kept, f"SELECT * FROM {table}") for table in ("store", "slots")}
    with kept.open() as store:
        store.rotate(kept.key_file, purpose="test")
        for table, rows in older.items():
            restore(kept, table, rows)
        with pytest.raises(StoreError):
            store.material("m1", purpose="test")
    with pytest.raises(StoreError), kept.open() as store:
        store.material("m1", purpose="test")


def test_a_record_opens_in_its_own_place_alone(kept: Kept) -> None:
    """Below the seal of the meter, which would notice it first."""
    with kept.open() as store, store.view() as view:
        one, two, session = view.entry("m1"), view.entry("m2"), view._session
        places = list(one.rows)
        for place in places:
            for other in places:
                if other != place:
                    one.rows[place], kept_row = one.rows[other], one.rows[place]
                    with pytest.raises(BrokenSeal):
                        session.take(one, place)
                    one.rows[place] = kept_row
            one.rows[(*place[:2], 7)] = one.rows[place]
            with pytest.raises(BrokenSeal):
                session.take(one, (*place[:2], 7))
        two.key = one.key
        two.rows[places[0]] = one.rows[places[0]]
        with pytest.raises(BrokenSeal):
            session.take(two, places[0])


def test_an_earlier_record_of_the_same_version_does_not_come_back(kept: Kept) -> None:
    with kept.open() as store:
        with store.change("test") as change:
            change.add("m1", [record(GUEK, 11)], pending=True)
        ((older,),) = snapshot(kept, "SELECT sealed FROM records WHERE state = 'pending'")
        with store.change("test") as change:
            change.forget("m1", "encryption-key", 2)
            change.add("m1", [record(GUEK, 12)], pending=True)
        with hand(kept.path) as file:
            file.execute("UPDATE records SET sealed = ? WHERE state = 'pending'", (older,))
        with pytest.raises(BrokenSeal):
            store.material("m1", purpose="test", pending=True)


def test_a_store_that_is_open_notices_what_others_write(kept: Kept) -> None:
    older = {table: snapshot(kept, f"SELECT * FROM {table}") for table in ("meters", "records")}
    with kept.open() as store:
        with store.change("test") as change:
            change.add("m1", [record(GUEK, 11)])
        store.material("m1", purpose="test")
        for table, rows in older.items():
            restore(kept, table, rows)
        with pytest.raises(BrokenSeal):
            store.material("m1", purpose="test")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM audit WHERE number = 2", "between entry 1 and entry 3"),
        ("DELETE FROM audit WHERE number = 1", "between entry 0 and entry 2"),
        ("DELETE FROM audit WHERE number = (SELECT MAX(number) FROM audit)", "it ends at entry"),
        ("DELETE FROM audit", "it ends at entry 0"),
        ("UPDATE audit SET who = 'somebody' WHERE number = 3", "entry 3 is not the one"),
        ("UPDATE audit SET at = 'yesterday' WHERE number = 3", "entry 3 is not the one"),
        ("UPDATE audit SET mac = zeroblob(32) WHERE number = 3", "entry 3 is not the one"),
        ("UPDATE audit SET fingerprint = '' WHERE number = 3", "entry 3 is not the one"),
        (
            "INSERT INTO audit SELECT number + 100, at, who, purpose, action, meter, what, fingerprint, mac FROM audit",
            "are missing",
        ),
    ],
)
def test_what_was_done_to_the_audit_shows(kept: Kept, statement: str, said: str) -> None:
    with hand(kept.path) as file:
        file.execute(statement)
    with kept.open() as store, pytest.raises(StoreError, match=said):
        list(store.audit())


def test_a_moved_audit_entry_shows(kept: Kept) -> None:
    with hand(kept.path) as file:
        file.execute("UPDATE audit SET number = 1000 WHERE number = 3")
        file.execute("UPDATE audit SET number = 3 WHERE number = 4")
        file.execute("UPDATE audit SET number = 4 WHERE number = 1000")
    with kept.open() as store, pytest.raises(StoreError, match="entry 3 is not"):
        list(store.audit())


def test_an_entry_of_another_course_of_things_shows(kept: Kept, tmp_path: Path) -> None:
    shutil.copy(kept.path, tmp_path / "copy")
    entries = []
    for purpose in ("at night", "by day"):
        shutil.copy(tmp_path / "copy", kept.path)
        with kept.open() as store:
            for _ in range(3):
                store.key("m1", KEK, purpose=purpose)
        entries.append(snapshot(kept, "SELECT * FROM audit ORDER BY number"))
    number = entries[0][-2][0]
    with hand(kept.path) as file:
        file.execute("DELETE FROM audit WHERE number = ?", (number,))
        file.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", entries[0][-2])
    with kept.open() as store, pytest.raises(StoreError, match=f"entry {number} is not"):
        list(store.audit())


def test_the_whole_file_put_back_shows_only_by_what_was_noted(kept: Kept, tmp_path: Path) -> None:
    shutil.copy(kept.path, tmp_path / "copy")
    with kept.open() as store:
        store.key("m1", KEK, purpose="test")
        *_, last = store.audit()
    shutil.copy(tmp_path / "copy", kept.path)
    with kept.open() as store:
        store.check()
        assert (last.number, last.mac) not in [(each.number, each.mac) for each in store.audit()]


@pytest.mark.parametrize("rotated", [False, True])
def test_the_whole_file_put_back_under_an_open_store_is_noticed(kept: Kept, rotated: bool) -> None:
    older = {
        table: snapshot(kept, f"SELECT * FROM {table}") for table in ("store", "slots", "meters", "records", "audit")
    }
    with kept.open() as store:
        if rotated:
            store.rotate(kept.key_file, purpose="test")
        store.key("m1", KEK, purpose="test")
        for table, rows in older.items():
            restore(kept, table, rows)
        with pytest.raises(BrokenSeal):
            store.key("m1", KEK, purpose="test")


def test_an_older_master_key_is_noticed_by_an_open_store_whatever_has_happened_under_it(kept: Kept) -> None:
    tables = ("store", "slots", "meters", "records", "audit")
    older = {table: snapshot(kept, f"SELECT * FROM {table}") for table in tables}
    with kept.open() as store:
        store.rotate(kept.key_file, purpose="test")
        for table, rows in older.items():
            restore(kept, table, rows)
        with kept.open() as other:
            _ = [other.key("m1", KEK, purpose="test") for _ in range(5)]
        with pytest.raises(BrokenSeal):
            store.key("m1", KEK, purpose="test")


def test_any_octets_in_place_of_the_file_give_one_error(kept: Kept, tmp_path: Path) -> None:
    octets = kept.path.read_bytes()
    for place in range(0, len(octets), 997):
        changed = bytearray(octets)
        changed[place] ^= 0x55
        path = tmp_path / "changed"
        path.write_bytes(changed)
        try:
            with KeyStore(path, kept.key_file) as store:
                store.check()
                assert store.key("m1", RecordKind.KEK, purpose="test").reveal() == b"\3" * 16
        except CosemicError:
            pass
        for each in tmp_path.glob("changed*"):
            each.unlink()
