"""``cosemic keys store``, and settings that name a meter in a key store."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cosemic.cli import main
from cosemic.errors import ConfigurationError
from cosemic.security import SoftwareSigningKey, security_suite
from cosemic.store.key_store import KeyFile, KeyStore, NewRecord, RecordKind
from cosemic.store.key_store.for_settings import from_key_store
from cosemic.store.security_settings import NAMES, load_security
from cosemic.values import AuthenticationMechanism, Secret
from tests.store.kept_keys import CHEAP, GAK, GUEK, Kept, key, record

MAPPING = """
format = "csv"
[columns]
name = "serial"
[keys]
encryption-key = "guek"
kek = { column = "mk", wrapped = true }
"""
TRANSPORT = "00112233445566778899AABBCCDDEEFF"
WRAPPED = "26DE33DDF46BB04F7762E931BD7590FAEE90B48687571982"
"""Key wrap of 000102...0F under that key (reference, security 7)."""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    kept = Kept(tmp_path)
    monkeypatch.setenv("COSEMIC_KEY_STORE_KEY_FILE", str(kept.key_file.path))
    return kept


def told(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    capsys.readouterr()
    assert main(["keys", "store", *map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["keys", "store", *map(str, arguments)]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_a_store_is_made_filled_looked_at_and_tidied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, unlock = tmp_path / "meters.keys", tmp_path / "unlock.key"
    by = ("--key-file", unlock)
    assert "keep a copy of it" in said(capsys, "init", store, *by)
    (tmp_path / "maker.toml").write_text(MAPPING)
    (tmp_path / "transport").write_text(TRANSPORT)
    (tmp_path / "transport").chmod(0o600)
    (tmp_path / "pallet.csv").write_text(f"serial,guek,mk\nA1,{'11' * 16},{WRAPPED}\nA2,{'22' * 16},{WRAPPED}\n")
    take = ("import", store, tmp_path / "pallet.csv", *by, "--mapping", tmp_path / "maker.toml")
    wrapped = (*take, "--transport-key-file", tmp_path / "transport")
    assert "name the transport key (--transport-key-file)" in said(capsys, *take, code=2)
    missing = said(capsys, *take, "--transport-key-file", tmp_path / "nowhere", code=2)
    assert "nowhere cannot be read: No such file" in missing
    (tmp_path / "wrong").write_text("00" * 16)
    (tmp_path / "wrong").chmod(0o600)
    assert "check the transport key" in said(capsys, *take, "--transport-key-file", tmp_path / "wrong", code=1)
    assert told(capsys, *wrapped, "--dry-run") | {"warnings": []} == {
        "imported": False, "new": 2, "renewed": 0, "same": 0, "faults": [], "warnings": [],
    }  # fmt: skip
    assert "imported: 2 new, 0 renewed, 0 there already" in said(capsys, *wrapped)
    with KeyStore(store, KeyFile(unlock)) as opened:
        assert opened.key("A1", RecordKind.KEK, purpose="test").reveal() == bytes(range(16))
    (tmp_path / "pallet.csv").write_text(f"serial,guek,mk\nA1,{'12' * 16},{WRAPPED}\nA3,zz,{WRAPPED}\n")
    text = said(capsys, *wrapped, code=1)
    assert "line 3: encryption-key is not hexadecimal" in text
    assert "nothing was imported: 2 faults" in text
    (tmp_path / "pallet.csv").write_text(f"serial,guek,mk\nA1,{'12' * 16},{WRAPPED}\n")
    assert "1 renewed" in said(capsys, *wrapped, "--renew")
    listed = told(capsys, "list", store, *by)["meters"]
    assert [each["meter"] for each in listed] == ["A1", "A2"]
    assert {record["fingerprint"] for each in listed for record in each["records"]} == {None}  # needs no key
    shown = told(capsys, "show", store, "A1", *by)
    assert [(each["record"], each["version"], each["state"]) for each in shown["records"]] == [
        ("encryption-key", 1, "previous"), ("encryption-key", 2, "current"), ("kek", 1, "current"),
    ]  # fmt: skip
    assert "forgotten: 1 version of encryption-key" in said(capsys, "forget", store, "A1", "encryption-key", *by)
    assert "A2 is forgotten" in said(capsys, "forget", store, "A2", "--whole-meter", *by)
    assert "name a record" in said(capsys, "forget", store, "A1", *by, code=2)
    assert "for 1 meter\n" in said(capsys, "rotate", store, *by, "--data-keys")
    noted = told(capsys, "audit", store, *by, "--last", 2)
    assert [each["action"] for each in noted["entries"]] == ["remove meter", "rotate data keys"]
    assert told(capsys, "audit", store, *by, "--last", 0)["entries"] == []
    assert "1 meter and " in said(capsys, "audit", store, *by)
    assert "are as they were written" in said(capsys, "audit", store, *by, "--expect", noted["note"])
    assert "is not the one that was noted" in said(capsys, "audit", store, *by, "--expect", f"3:{'00' * 32}", code=1)


def test_a_passphrase_opens_and_is_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosemic.store.key_store.derivation.Derivation.for_passphrase", lambda: CHEAP.again())
    store = tmp_path / "meters.keys"
    assert "COSEMIC_KEY_STORE_PASSPHRASE" in said(capsys, "init", store, code=2)
    monkeypatch.setenv("COSEMIC_KEY_STORE_PASSPHRASE", "the first one")
    said(capsys, "init", store)
    assert "is there already" in said(capsys, "init", store, code=2)
    (tmp_path / "new").write_text("the second one\n")
    (tmp_path / "new").chmod(0o644)
    assert "chmod 600" in said(capsys, "rotate", store, "--new-passphrase-file", tmp_path / "new", code=2)
    (tmp_path / "new").chmod(0o600)
    said(capsys, "rotate", store, "--new-passphrase-file", tmp_path / "new")
    assert "does not open" in said(capsys, "list", store, code=2)
    assert "no meters" in said(capsys, "list", store, "--passphrase-file", tmp_path / "new")


def test_rotation_asks_for_the_key_file_too(
    kept: Kept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.store.kept_keys import passphrase

    kept.change(lambda store: store.set_unlocker(passphrase("the first one"), purpose="test"))
    monkeypatch.delenv("COSEMIC_KEY_STORE_KEY_FILE")
    monkeypatch.setenv("COSEMIC_KEY_STORE_PASSPHRASE", "the first one")
    assert "a key file opens the store too" in said(capsys, "rotate", kept.path, code=2)


def test_a_damaged_store_ends_with_1(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    octets = bytearray(kept.path.read_bytes())
    octets[4096:] = bytes(len(octets) - 4096)
    kept.path.write_bytes(octets)
    assert "cosemic: " in said(capsys, "audit", kept.path, code=1)
    assert "there is no key store" in said(capsys, "list", kept.path.parent / "none", code=2)


def settings(folder: Path, **more: Any) -> Path:
    values = {"key_store": "meters.keys", "meter": "m1", "system_title": "434f530000000001"} | more
    path = folder / "meter.toml"
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    return path


def test_settings_take_their_keys_from_the_store(kept: Kept, tmp_path: Path) -> None:
    client = load_security(settings(tmp_path)).client
    assert client.material is not None
    assert client.material.encryption_key.reveal() == key(1).reveal()
    assert client.material.authentication_key is not None
    assert client.mechanism is AuthenticationMechanism.from_label("hls-gmac")
    assert client.server_title == b"COSMETR1"
    with kept.open() as store:
        used = [(each.what, each.purpose) for each in store.audit() if each.action == "use"]
    assert ("encryption-key/1", "security settings") in used
    assert not any(what.startswith("secret") for what, _ in used), "what is not needed is not taken out"


def test_the_secret_is_that_of_the_client_sap(kept: Kept, tmp_path: Path) -> None:
    def add(store: KeyStore) -> None:
        with store.change("test") as change:
            change.add_meter("lls", records=[NewRecord(RecordKind.SECRET, Secret(b"87654321"), "2")])

    kept.change(add)
    client = load_security(settings(tmp_path, meter="lls", client_sap=2)).client
    assert client.secret == Secret(b"87654321")
    assert client.mechanism is AuthenticationMechanism.from_label("lls")
    mixed = load_security(settings(tmp_path, mechanism="lls", client_sap=1)).client
    assert mixed.secret == Secret(b"12345678")


def test_a_key_file_is_named_beside_the_settings(kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COSEMIC_KEY_STORE_KEY_FILE")
    with pytest.raises(ConfigurationError, match="nothing opens the key store"):
        load_security(settings(tmp_path))
    assert load_security(settings(tmp_path, key_store_key_file="unlock.key")).client.material is not None
    if os.name == "posix":
        kept.key_file.path.chmod(0o644)
        with pytest.raises(ConfigurationError, match="chmod 600"):
            load_security(settings(tmp_path, key_store_key_file="unlock.key"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"encryption_key": "00" * 16}, "encryption_key: in the key store too"),
        ({"password": "12345678"}, "password: in the key store too"),
        ({"meter": "m9"}, "no meter m9"),
        ({"key_store": "none.keys"}, "there is no key store"),
    ],
)
def test_settings_that_do_not_fit_the_store_are_refused(
    kept: Kept, tmp_path: Path, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_security(settings(tmp_path, **more))


def test_a_meter_without_a_store_is_refused(kept: Kept) -> None:
    with pytest.raises(ConfigurationError, match="stand together"):
        load_security({"meter": "m1"})


def test_the_environment_names_a_meter_in_a_store(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEMIC_KEY_STORE", str(kept.path))
    monkeypatch.setenv("COSEMIC_METER", "m2")
    monkeypatch.setenv("COSEMIC_SYSTEM_TITLE", "434f530000000001")
    material = load_security("environment").client.material
    assert material is not None
    assert material.encryption_key.reveal() == key(4).reveal()


def with_suite_1(store: KeyStore) -> None:
    with store.change("test") as change:
        change.add_meter("s1", suite=1, system_title=b"COSMETS1", records=[record(GUEK, 1), record(GAK, 2)])
        own = NewRecord(RecordKind.SIGNING_KEY, SoftwareSigningKey.generate(security_suite(1)).to_secret())
        change.add_meter("head-end", suite=1, system_title=b"COSHES01", records=[own])
        other = NewRecord(RecordKind.SIGNING_KEY, SoftwareSigningKey.generate(security_suite(2)).to_secret())
        change.add_meter("head-end 2", suite=2, records=[other])


def test_the_suite_is_that_of_the_meter_in_the_store(kept: Kept, tmp_path: Path) -> None:
    kept.change(with_suite_1)
    material = load_security(settings(tmp_path, meter="s1")).client.material
    assert material is not None
    assert material.suite.id == 1


def test_settings_take_our_signing_key_and_title_from_the_store(kept: Kept) -> None:
    kept.change(with_suite_1)
    values = {"key_store": str(kept.path), "meter": "s1", "key_store_client": "head-end", "mechanism": "hls-gmac"}
    taken = from_key_store(values, None, NAMES)
    assert taken["system_title"] == b"COSHES01"
    with kept.open() as store:
        assert taken["signing_key"].public == store.signing_key("head-end", purpose="test").public
    assert from_key_store(values | {"system_title": "00"}, None, NAMES)["system_title"] == "00"
    with pytest.raises(ConfigurationError, match="is of security suite 2"):
        from_key_store(values | {"key_store_client": "head-end 2"}, None, NAMES)
    with pytest.raises(ConfigurationError, match="give one of them"):
        from_key_store(values | {"signing_key": "00"}, None, NAMES)


def test_a_meter_of_another_suite_is_not_taken_where_settings_know_none(kept: Kept) -> None:
    kept.change(with_suite_1)
    with pytest.raises(ConfigurationError, match="security suite 1"):
        from_key_store({"key_store": str(kept.path), "meter": "s1"}, None, NAMES - {"suite"})
