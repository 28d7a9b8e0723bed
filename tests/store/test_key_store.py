"""The key store: what comes out is what was put in, to those who can open it, and in no other way."""

from __future__ import annotations

import copy
import datetime as dt
import multiprocessing
import os
import pickle
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cosemic.errors import ConfigurationError, StoreError
from cosemic.security import SoftwareAgreementKey, SoftwareSigningKey, security_suite
from cosemic.security.certificates import CertificateAuthority, MemoryRegister
from cosemic.security.signatures import verify
from cosemic.store.key_store import (
    BrokenSeal,
    Derivation,
    KeyFile,
    KeyStore,
    NewRecord,
    Passphrase,
    RecordKind,
    RecordState,
    from_environment,
)
from cosemic.store.key_store.derivation import MOST_MEMORY, has_argon2id
from cosemic.values import Secret
from tests.store.kept_keys import GAK, GUEK, KEK, NOW, Kept, key, passphrase, record


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_the_keys_of_a_meter_come_out_as_material(kept: Kept) -> None:
    with kept.open() as store:
        material = store.material("m1", purpose="reading")
    assert [material.encryption_key.reveal(), material.suite.id] == [b"\1" * 16, 0]
    assert material.authentication_key is not None
    assert material.authentication_key.reveal() == b"\2" * 16
    assert material.kek is not None
    assert material.kek.reveal() == b"\3" * 16
    assert material.broadcast_key is None


def test_a_secret_is_that_of_one_client(kept: Kept) -> None:
    with kept.open() as store:
        assert store.secret("m1", 1, purpose="reading") == Secret(b"12345678")
        with pytest.raises(ConfigurationError, match="no current secret:2 of m1"):
            store.secret("m1", 2, purpose="reading")


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("form", ["scalar", "PKCS#8"])
def test_private_keys_come_out_as_handles(kept: Kept, number: int, form: str) -> None:
    suite = security_suite(number)
    signing, agreement = SoftwareSigningKey.generate(suite), SoftwareAgreementKey.generate(suite)

    def octets(private: SoftwareSigningKey | SoftwareAgreementKey) -> Secret:
        if form == "scalar":
            return private.to_secret()
        return Secret(private.to_cryptography().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    records = [
        NewRecord(RecordKind.SIGNING_KEY, octets(signing)),
        NewRecord(RecordKind.AGREEMENT_KEY, octets(agreement)),
    ]
    with kept.open() as store:
        with store.change("test") as change:
            change.add_meter("client", suite=number, records=records)
        handle = store.signing_key("client", purpose="test")
        verify(signing.public, b"data", handle.sign(b"data"))
        peer = SoftwareAgreementKey.generate(suite)
        assert store.agreement_key("client", purpose="test").exchange(peer.public) == agreement.exchange(peer.public)


def test_a_private_key_of_another_curve_is_refused(kept: Kept) -> None:
    other = SoftwareSigningKey.generate(security_suite(2)).to_cryptography()
    octets = Secret(other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    with kept.open() as store, store.change("test") as change, pytest.raises(ConfigurationError, match="P-384"):
        change.add_meter("client", suite=1, records=[NewRecord(RecordKind.SIGNING_KEY, octets)])


def test_a_certificate_comes_out_as_one(kept: Kept) -> None:
    signing = SoftwareSigningKey.generate(security_suite(1))
    authority = CertificateAuthority.root(signing, "Lab", MemoryRegister(), not_before=NOW)
    certificate = authority.certificate
    with kept.open() as store:
        with store.change("test") as change:
            change.add("m1", [NewRecord(RecordKind.CERTIFICATE, Secret(certificate.octets), "root")])
        assert store.certificate("m1", "root", purpose="test") == certificate


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (record(GUEK, 1, "x"), "has no label"),
        (NewRecord(GUEK, key(1, 15)), "15 octets; security suite 0 needs 16"),
        (NewRecord(RecordKind.SECRET, Secret(b"pw"), ""), "client SAP"),
        (NewRecord(RecordKind.SECRET, Secret(b"pw"), "70000"), "client SAP"),
        (NewRecord(RecordKind.SECRET, Secret(b""), "1"), "0 octets"),
        (NewRecord(RecordKind.SIGNING_KEY, key(1, 32)), "no public keys"),
        (NewRecord(RecordKind.CERTIFICATE, Secret(b"none")), "certificate cannot be read"),
    ],
)
def test_what_is_no_such_record_is_refused_and_nothing_of_the_change_kept(
    kept: Kept, bad: NewRecord, said: str
) -> None:
    with kept.open() as store:
        with pytest.raises(ConfigurationError, match=said), store.change("test") as change:
            change.add("m2", [record(KEK, 9), bad])
        assert [each.kind for each in store.meter("m2").records] == [GAK, GUEK]


def test_a_pending_key_becomes_current_and_the_current_previous_and_back(kept: Kept) -> None:
    def states() -> dict[int, str]:
        return {each.version: each.state.value for each in store.meter("m1").records if each.kind is GUEK}

    with kept.open() as store:
        with store.change("key change") as change:
            change.add("m1", [record(GUEK, 11), record(GAK, 12)], pending=True)
        assert store.material("m1", purpose="test").encryption_key.reveal() == b"\1" * 16
        assert store.material("m1", purpose="test", pending=True).encryption_key.reveal() == b"\x0b" * 16
        with pytest.raises(ConfigurationError, match="pending already"), store.change("again") as change:
            change.add("m1", [record(GUEK, 13)], pending=True)
        with store.change("proven") as change:
            change.promote("m1")
        assert states() == {1: "previous", 2: "current"}
        assert store.key("m1", GUEK, purpose="test", state=RecordState.PREVIOUS).reveal() == b"\1" * 16
        with store.change("it does not work") as change:
            change.roll_back("m1", ["encryption-key", "authentication-key"])
        assert states() == {1: "current", 2: "previous"}
        assert store.material("m1", purpose="test").encryption_key.reveal() == b"\1" * 16
        with store.change("tidy") as change:
            assert change.forget("m1", "encryption-key") == 1
        assert states() == {1: "current"}
        with pytest.raises(ConfigurationError, match="no pending record of m1"), store.change("none") as change:
            change.promote("m1")
        with pytest.raises(ConfigurationError, match="of a record of m1: kek"), store.change("none") as change:
            change.roll_back("m1", ["kek", "authentication-key"])
        with pytest.raises(ConfigurationError, match="is current"), store.change("none") as change:
            change.forget("m1", "encryption-key", 1)


def test_a_meter_is_removed_with_all_that_was_kept(kept: Kept) -> None:
    with kept.open() as store:
        with store.change("scrapped") as change:
            change.remove_meter("m1")
        assert [meter.name for meter in store.meters()] == ["m2"]
        with pytest.raises(ConfigurationError, match="no meter m1"):
            store.material("m1", purpose="test")
        store.check()
        with store.change("again") as change:  # made and removed in one change leaves nothing behind
            change.add_meter("m3", records=[record(GUEK, 1)])
            change.remove_meter("m3")
        assert store.check() == 1


def test_names_and_titles_are_those_of_one_meter(kept: Kept) -> None:
    with kept.open() as store:
        with pytest.raises(ConfigurationError, match="meter m1 already"), store.change("test") as change:
            change.add_meter("m1")
        with pytest.raises(ConfigurationError, match="already: m2"), store.change("test") as change:
            change.add_meter("m3", system_title=b"COSMETR2")
        for name in ("", " m", "m\n", "m" * 65):
            with pytest.raises(ConfigurationError, match="name of a meter"), store.change("test") as change:
                change.add_meter(name)


def test_each_use_stands_in_the_audit_with_a_fingerprint_and_no_key(kept: Kept) -> None:
    with kept.open() as store:
        store.material("m2", purpose="reading")
        store.secret("m1", 1, purpose="LLS\nforged line")
        entries = list(store.audit())
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    used = [(each.who, each.purpose, each.meter, each.what) for each in entries if each.action == "use"]
    assert used == [
        ("tester", "reading", "m2", "encryption-key/1"),
        ("tester", "reading", "m2", "authentication-key/1"),
        ("tester", "LLS forged line", "m1", "secret:1/1"),
    ]
    assert all(entry.at == NOW for entry in entries)
    keyed = {entry.what: entry.fingerprint for entry in entries if entry.meter == "m2" and entry.what}
    assert len(set(keyed.values())) == len(keyed) == 2
    assert next(entry.fingerprint for entry in entries if entry.what.startswith("secret")) == ""


def test_fingerprints_stay_and_tell_equal_keys(kept: Kept) -> None:
    def shown(meter: str) -> dict[RecordKind, str]:
        with kept.open() as store:
            return {each.kind: each.fingerprint for each in store.meter(meter).records}

    assert shown("m1") == shown("m1")
    assert shown("m1")[GAK] == shown("m2")[GAK]
    assert shown("m1")[GUEK] != shown("m2")[GUEK]


def test_a_use_that_cannot_be_entered_into_the_audit_gives_no_key(kept: Kept) -> None:
    with kept.open() as store, kept.open() as other:
        other._file._connection.execute("PRAGMA busy_timeout = 0")  # type: ignore[union-attr]
        with store.change("long one"), pytest.raises(StoreError, match="SQLITE_BUSY"):
            other.material("m1", purpose="reading")
        assert other.material("m1", purpose="reading").encryption_key.reveal() == b"\1" * 16


def test_a_view_changes_nothing(kept: Kept) -> None:
    with kept.open() as store:
        with pytest.raises(StoreError, match="READONLY"), store.view() as view:
            view.add("m1", [record(KEK, 9)])
        store.check()


def test_rotation_keeps_every_key_and_shuts_out_the_old_master_key(kept: Kept) -> None:
    old = kept.path.read_bytes()
    done: list[tuple[int, int]] = []
    with kept.open() as store, kept.open() as other:
        before = other.material("m1", purpose="test").encryption_key
        store.rotate(kept.key_file, purpose="yearly", progress=lambda *each: done.append(each))
        assert other.material("m1", purpose="test").encryption_key == before, "the other process asks its unlocker"
        store.rotate(kept.key_file, purpose="leak", data_keys=True)
        assert store.material("m1", purpose="test").encryption_key == before
        assert store.check() == 2
        actions = [each.action for each in store.audit()]
    assert done == [(1, 2), (2, 2)]
    assert [each for each in actions if each.startswith("rotate")] == ["rotate", "rotate data keys"]
    assert old != kept.path.read_bytes()


def test_rotation_needs_all_that_opens_the_store(kept: Kept, tmp_path: Path) -> None:
    with kept.open() as store:
        store.set_unlocker(passphrase(), purpose="test")
        assert store.unlocked_by() == ["key file", "passphrase"]
        for wrong in ([kept.key_file], [kept.key_file, passphrase("another one")], []):
            with pytest.raises(ConfigurationError):
                store.rotate(*wrong, purpose="test")
        store.rotate(kept.key_file, passphrase(), purpose="test")
    for unlocker in (kept.key_file, passphrase()):
        with KeyStore(kept.path, unlocker) as store:
            assert store.check() == 2


def test_a_passphrase_is_changed(kept: Kept) -> None:
    with kept.open() as store:
        store.set_unlocker(passphrase("the first one"), purpose="test")
        store.drop_unlocker("key file", purpose="test")
        with pytest.raises(ConfigurationError, match="nothing else opens it"):
            store.drop_unlocker("passphrase", purpose="test")
        store.set_unlocker(passphrase("the second one"), purpose="test")
        store.rotate(passphrase("the second one"), purpose="test")
    for wrong in (passphrase("the first one"), kept.key_file):
        with pytest.raises(ConfigurationError, match="open"):
            KeyStore(kept.path, wrong)
    with KeyStore(kept.path, passphrase("the second one")) as store:
        assert store.check() == 2


@pytest.mark.parametrize("kind", ["argon2id", "scrypt"])
def test_both_derivations_open_what_they_closed(tmp_path: Path, kind: str) -> None:
    if kind == "argon2id" and not has_argon2id():
        pytest.skip("the installed library has no Argon2id")
    cheap = {"memory": 8 << 10, "passes": 1, "lanes": 1} if kind == "argon2id" else {"n": 1 << 14}
    unlocker = Passphrase("correct horse", derivation=Derivation.for_passphrase(kind, **cheap))
    KeyStore.create(tmp_path / "keys", unlocker).close()
    with KeyStore(tmp_path / "keys", Passphrase("correct horse")) as store:
        assert store.meters() == []
    with pytest.raises(ConfigurationError, match="passphrase does not open"):
        KeyStore(tmp_path / "keys", Passphrase("correct horsf"))


SALT = '"salt": "' + "00" * 16 + '"'


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "scrypt", "n": 1073741824, "r": 8, "p": 1, ' + SALT + "}",
        '{"kind": "scrypt", "n": 1048576, "r": 32, "p": 16, ' + SALT + "}",
        '{"kind": "scrypt", "n": 16385, "r": 8, "p": 1, ' + SALT + "}",
        '{"kind": "scrypt", "n": 2, "r": 8, "p": 1, ' + SALT + "}",
        '{"kind": "scrypt", "n": 16384, "r": 8, "p": true, ' + SALT + "}",
        '{"kind": "scrypt", "n": 16384.0, "r": 8, "p": 1, ' + SALT + "}",
        '{"kind": "scrypt", "n": "16384", "r": 8, "p": 1, ' + SALT + "}",
        '{"kind": "argon2id", "memory": 4194304, "passes": 3, "lanes": 4, ' + SALT + "}",
        '{"kind": "argon2id", "memory": 262144, "passes": 64, "lanes": 4, ' + SALT + "}",
        '{"kind": "argon2id", "memory": 1, "passes": 1, "lanes": 1, ' + SALT + "}",
        '{"kind": "argon2id", "memory": 65536, "passes": 3, "lanes": 4, "more": 1, ' + SALT + "}",
        '{"kind": "hmac-sha256", ' + SALT + "}",
        '{"kind": "none", ' + SALT + "}",
        '{"kind": "scrypt", "n": 16384, "r": 8, "p": 1, "salt": ""}',
        "[" * 1000,
        "{}",
        "5",
        "x" * 2000,
    ],
)
def test_a_hostile_file_asks_for_no_gigabytes_and_no_weak_derivation(tmp_path: Path, text: str) -> None:
    with pytest.raises(StoreError):
        passphrase().derive(Derivation.from_text(text))


def test_the_most_that_is_taken_is_some_hundred_megabytes() -> None:
    assert MOST_MEMORY <= 256 << 20
    usual = dict(Derivation.for_passphrase("scrypt").parameters)
    assert 128 * usual["n"] * usual["r"] >= 128 << 20


def test_a_short_passphrase_is_refused_for_a_new_store(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="too short"):
        KeyStore.create(tmp_path / "keys", Passphrase("1234567"))
    assert not (tmp_path / "keys").exists()


def test_key_files_are_their_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    file = KeyFile.make(tmp_path / "key")
    assert file.path.stat().st_mode & 0o777 == 0o600 or os.name != "posix"
    with pytest.raises(StoreError, match="cannot be made"):
        KeyFile.make(tmp_path / "key")
    KeyStore.create(tmp_path / "store", file).close()
    assert (tmp_path / "store").stat().st_mode & 0o777 == 0o600 or os.name != "posix"
    if os.name == "posix":
        file.path.chmod(0o640)
        with pytest.raises(ConfigurationError, match="chmod 600"):
            KeyStore(tmp_path / "store", file)
        file.path.chmod(0o600)
    file.path.write_text("no key")
    with pytest.raises(ConfigurationError, match="no key file"):
        KeyStore(tmp_path / "store", file)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        KeyStore(tmp_path / "store", KeyFile(tmp_path / "none"))


def test_the_environment_names_what_opens_a_store(tmp_path: Path) -> None:
    assert from_environment({}) is None
    assert isinstance(from_environment({"COSEMIC_KEY_STORE_PASSPHRASE": "x"}), Passphrase)
    both = from_environment({"COSEMIC_KEY_STORE_PASSPHRASE": "x", "COSEMIC_KEY_STORE_KEY_FILE": "key"})
    assert isinstance(both, KeyFile)
    assert both.path == Path("key")


def test_no_store_is_made_over_a_file_and_none_opened_that_is_not_there(kept: Kept, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there already"):
        KeyStore.create(kept.path, kept.key_file)
    with pytest.raises(ConfigurationError, match="there is no key store"):
        KeyStore(tmp_path / "none", kept.key_file)
    (tmp_path / "text").write_text("no database at all, but some text" * 100)
    with pytest.raises(StoreError, match="is no key store: another file was named"):
        KeyStore(tmp_path / "text", kept.key_file)
    (tmp_path / "empty").touch()
    with pytest.raises(StoreError, match="no key store of this version"):
        KeyStore(tmp_path / "empty", kept.key_file)


def test_unlockers_and_stores_show_nothing_and_are_not_pickled(kept: Kept) -> None:
    assert "correct" not in repr(passphrase())
    with kept.open() as store:
        key_handle = store.key("m1", GUEK, purpose="test")
        assert repr(store) == f"<KeyStore {kept.path}>"
        with pytest.raises(TypeError):
            pickle.dumps(key_handle)
        with pytest.raises(TypeError):
            pickle.dumps(passphrase())
        with store.view() as view:
            assert repr(b"\1" * 16)[2:-1] not in repr(view.entry("m1"))
            assert "key=" not in repr(view.entry("m1"))
    with pytest.raises(StoreError, match="was closed"):
        store.meters()
    assert copy.copy(key_handle) is key_handle


def test_threads_share_one_store(kept: Kept) -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                assert store.material("m1", purpose="thread").encryption_key.reveal() == b"\1" * 16
        except BaseException as error:
            errors.append(error)

    with kept.open() as store:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert not errors
        assert sum(each.purpose == "thread" for each in store.audit()) == 4 * 5 * 3


def _use_many(path: str, key_file: str, times: int) -> None:
    with KeyStore(path, KeyFile(key_file)) as store:
        for _ in range(times):
            store.key("m1", GUEK, purpose="process")


@pytest.mark.slow
def test_processes_share_one_store(kept: Kept) -> None:
    context = multiprocessing.get_context("spawn")
    arguments = (str(kept.path), str(kept.key_file.path), 40)
    processes = [context.Process(target=_use_many, args=arguments) for _ in range(3)]
    for each in processes:
        each.start()
    with kept.open() as store:
        for _ in range(3):
            store.rotate(kept.key_file, purpose="meanwhile")
        for each in processes:
            each.join(60)
        assert [each.exitcode for each in processes] == [0, 0, 0]
        assert sum(each.purpose == "process" for each in store.audit()) == 3 * 40
        assert store.check() == 2


def test_a_broken_seal_is_a_store_error() -> None:
    assert issubclass(BrokenSeal, StoreError)


def test_instants_are_kept_in_utc(kept: Kept) -> None:
    with kept.open() as store:
        assert {each.added for meter in store.meters() for each in meter.records} == {NOW}
        assert all(each.added.tzinfo is dt.UTC for each in store.meter("m1").records)


def test_the_size_of_what_is_sealed_does_not_tell_that_of_a_password(kept: Kept) -> None:
    with kept.open() as store, store.change("test") as change:
        for client, length in enumerate((1, 8, 30, 60), 2):
            change.add("m1", [NewRecord(RecordKind.SECRET, Secret(b"p" * length), str(client))])
        rows = change.entry("m1").rows
        assert len({len(row.sealed) for place, row in rows.items() if place[0] == "secret"}) == 1
