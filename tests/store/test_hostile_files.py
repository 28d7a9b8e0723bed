"""Files of ours that somebody else has written: one declared error, however well their check sums fit."""

from __future__ import annotations

import base64
import re
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, SecurityError, StoreError
from cosemic.store.authority_folder import HEADER, FolderRegister
from cosemic.store.key_store import BrokenSeal, KeyFile, KeyStore, NewRecord, RecordKind
from cosemic.store.transactions import FileTransactionStore
from cosemic.values import Secret

TITLE = b"CLI00001"
HEX = TITLE.hex()


def journal(path: Path, *bodies: str) -> Path:
    lines = [f"{number} {body}" for number, body in enumerate(bodies, 1)]
    text = "".join(f"{crc32(line.encode()):08x} {line}\n" for line in lines)
    path.write_text(f"cosemic-transactions 1 {'0' * 16}\n{text}", encoding="ascii")
    return path


@pytest.mark.parametrize(
    "bodies",
    [
        (f"o {HEX} 9 3",),
        (f"o {HEX} 9 {1 << 65}",),
        (f"o {HEX} 9 {'9' * 20}",),
        (f"o {HEX} 9 100", f"o {HEX} 9 50"),
        (f"o {HEX} 9 100", f"o {HEX} 3 200"),
    ],
    ids=["ends before it begins", "too high", "of twenty digits", "goes back", "begins elsewhere"],
)
def test_own_numbers_that_cannot_be_are_damage(bodies: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not check"):
        FileTransactionStore(journal(tmp_path / "t", *bodies, "f " + "0" * 32))


def test_when_all_own_numbers_were_given_there_is_an_error_and_no_number_again(tmp_path: Path) -> None:
    store = FileTransactionStore(journal(tmp_path / "t", f"o {HEX} 9 {(1 << 64) - 64}"))
    last = [store.next_own(TITLE) for _ in range(64)]
    assert last[-1] == b"\xff" * 8
    for _ in range(2):
        with pytest.raises(SecurityError, match="another system title"):
            store.next_own(TITLE)


# ---- the register of an authority -----------------------------------------------------------------------------------

USES: tuple[Callable[[FolderRegister], object], ...] = (
    FolderRegister.issued,
    FolderRegister.revoked,
    FolderRegister.next_list_number,
    lambda register: register.reserve_serial(7),
    lambda register: register.is_issued(7),
)


def register(path: Path, body: str) -> FolderRegister:
    path.write_bytes(HEADER + f"{crc32(body.encode()):08x} {body}\n".encode())
    return FolderRegister(path)


@pytest.mark.parametrize(
    "body",
    [
        "serial zz", "serial", "serial " + "f" * 50, "list " + "9" * 5000, "list -1", "other 7", "issued 7 ?",
        "issued 7 AAAAA", "revoked 7 now key_compromise", "revoked 7 20-11-20T12:00:00+00:00 superseded",
        "revoked 7 2026-11-20T12:00:00 superseded", "revoked 7 2026-11-20T12:00:00+00:00 nothing",
    ],
)  # fmt: skip
def test_a_line_of_the_register_that_checks_and_says_nothing_is_damage(body: str, tmp_path: Path) -> None:
    for use in USES:
        with pytest.raises(ConfigurationError, match="does not check in line 2"):
            use(register(tmp_path / "register", body))


def test_what_stands_in_place_of_a_certificate_is_damage(tmp_path: Path) -> None:
    kept = register(tmp_path / "register", "issued 7 " + base64.b64encode(b"0\0").decode())
    with pytest.raises(ConfigurationError, match="no certificate"):
        kept.issued()


@settings(max_examples=20)
@given(
    st.sampled_from(["serial", "issued", "revoked", "list"]), st.text(alphabet="0123456789abcdef:+-T =", max_size=60)
)
def test_any_line_that_checks_gives_values_or_one_error(kind: str, rest: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for use in USES:
            with suppress(ConfigurationError):
                use(register(Path(folder) / "register", f"{kind} {rest}"))


# ---- the key store --------------------------------------------------------------------------------------------------


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, KeyFile]:
    unlocker = KeyFile.make(tmp_path / "unlock.key")
    path = tmp_path / "meters.keys"
    with KeyStore.create(path, unlocker, who="test") as store:
        with store.change("to have one") as change:
            record = NewRecord(RecordKind.ENCRYPTION_KEY, Secret(bytes(16)))
            change.add_meter("meter 1", suite=0, system_title=TITLE, records=[record])
        store._file.clear_log()
    return path, unlocker


def test_a_meter_that_the_index_does_not_find_again_is_noticed(made: tuple[Path, KeyFile]) -> None:
    path, unlocker = made
    with KeyStore(path, unlocker) as store, store._vault.transaction(write=False) as session:
        (number,) = session.numbers()
        with pytest.raises(BrokenSeal):
            session.entry(number ^ 1)


def test_names_that_are_no_text_are_one_error(made: tuple[Path, KeyFile]) -> None:
    # SQLite quotes what stands in the file in what it says of it.
    path, unlocker = made
    octets = path.read_bytes()
    at = octets.index(b"CREATE TABLE store")
    path.write_bytes(octets[:at] + b"CREATE TABL\xb7 store" + octets[at + 18 :])
    with pytest.raises(StoreError):
        KeyStore(path, unlocker)


@pytest.mark.parametrize(
    "change",
    ["records SET sealed = 1.5", "records SET state = x'00'", "meters SET suite = 'a'", "meters SET title = 7",
     "slots SET sealed = 2.5", "slots SET derivation = 7", "store SET root = NULL", "store SET generation = 'x'",
     "audit SET mac = 1", "meters SET data_key = 9"],
)  # fmt: skip
def test_a_value_of_another_type_than_its_column_is_one_error(change: str, made: tuple[Path, KeyFile]) -> None:
    # STRICT holds for what SQLite writes, not for what it reads: written here where the tables are not strict.
    path, unlocker = made
    database = sqlite3.connect(path)
    strict = dict(database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    _rewrite(path, {name: re.sub("STRICT,? ?| NOT NULL", "", sql) for name, sql in strict.items()})
    database.close()
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE {change}")
    database.close()
    _rewrite(path, strict)
    with pytest.raises(StoreError):
        _use(path, unlocker)


def _use(path: Path, unlocker: KeyFile) -> None:
    with KeyStore(path, unlocker) as store:
        store.material("meter 1", purpose="test")
        store.check()


def _rewrite(path: Path, schema: dict[str, str]) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA writable_schema = ON")
        for name, sql in schema.items():
            database.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, name))
    database.close()
