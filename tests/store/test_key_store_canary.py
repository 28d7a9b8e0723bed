"""Keys and passphrases of a key store are in no file, log, exception or output of ours."""

from __future__ import annotations

import base64
import logging
import secrets
import traceback
from pathlib import Path
from typing import Any

import pytest

from cosemic.cli import main
from cosemic.errors import CosemicError
from cosemic.security import SoftwareSigningKey, security_suite
from cosemic.store.key_store import KeyFile, KeyStore, NewRecord, Passphrase, RecordKind
from cosemic.store.key_store.shipments import import_shipment, parse_mapping, shipped_meters
from cosemic.values import Secret
from tests.store.kept_keys import CHEAP


def forms(octets: bytes) -> list[bytes]:
    """An octet string as it may have slipped out: raw, hexadecimal, base64, as Python shows it."""
    text = base64.b64encode(octets).rstrip(b"=")
    shown = repr(octets)[2:-1].encode()
    return [octets, octets.hex().encode(), octets.hex().upper().encode(), text[: len(text) // 4 * 4], shown]


def test_no_key_and_no_passphrase_is_in_the_files_or_in_what_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    canaries = {kind: secrets.token_bytes(16) for kind in ("GUEK", "GAK", "KEK", "new GUEK", "shipped")}
    canaries["password"] = secrets.token_urlsafe(18).encode()
    signing = SoftwareSigningKey.generate(security_suite(1))
    canaries["scalar"] = signing.to_secret().reveal()
    passphrase = secrets.token_urlsafe(18)
    canaries["passphrase"] = passphrase.encode()
    said: list[str] = []

    def failing(do: Any, *arguments: Any, **named: Any) -> None:
        with pytest.raises(CosemicError) as caught:
            do(*arguments, **named)
        said.append("".join(traceback.format_exception(caught.value)))

    path, file = tmp_path / "meters.keys", KeyFile.make(tmp_path / "unlock.key")
    canaries["key file"] = bytes.fromhex(file.path.read_text())
    unlocker = Passphrase(passphrase, derivation=CHEAP)
    with KeyStore.create(path, unlocker, file) as store:
        records = [
            NewRecord(RecordKind.ENCRYPTION_KEY, Secret(canaries["GUEK"])),
            NewRecord(RecordKind.AUTHENTICATION_KEY, Secret(canaries["GAK"])),
            NewRecord(RecordKind.KEK, Secret(canaries["KEK"])),
            NewRecord(RecordKind.SECRET, Secret(canaries["password"]), "1"),
            NewRecord(RecordKind.SIGNING_KEY, Secret(canaries["scalar"])),
        ]
        with store.change("test") as change:
            change.add_meter("m1", suite=1, records=records)
            change.add("m1", [NewRecord(RecordKind.ENCRYPTION_KEY, Secret(canaries["new GUEK"]))], pending=True)
            said.append(repr(change.entry("m1")) + repr(change.look("m1")) + repr(records))
        said += map(repr, (store, unlocker, file, store.material("m1", purpose="test"), store.meters()))
        said.append(repr(store.secret("m1", 1, purpose="test")) + repr(store.signing_key("m1", purpose="test")))
        files = b"".join(each.read_bytes() for each in tmp_path.glob("meters.keys*"))  # the -wal too, before it is gone
        store.rotate(unlocker, file, purpose="test", data_keys=True)
        with store.change("test") as change:
            change.promote("m1")
            change.forget("m1", "encryption-key")
        mapping = parse_mapping({"format": "csv", "columns": {"name": "n"}, "keys": {"kek": "k"}})
        shipment = b"n,k\nm9," + canaries["shipped"].hex().encode() + b"\nm8," + canaries["shipped"].hex().encode()[:-3]
        said.append(repr(import_shipment(store, shipped_meters(shipment, mapping), purpose="test")))
        shipment = shipment.rpartition(b"\n")[0]
        said.append(repr(import_shipment(store, shipped_meters(shipment, mapping), purpose="test")))
        wrong = NewRecord(RecordKind.KEK, Secret(canaries["KEK"] + b"."))
        with store.change("test") as change:
            failing(change.add, "m1", [wrong])
    failing(KeyStore, path, Passphrase(passphrase + "."))
    monkeypatch.setenv("COSEMIC_KEY_STORE_PASSPHRASE", passphrase)
    for command in ("list", "audit", "rotate"):
        main(["keys", "store", command, str(path), "--key-file", str(file.path), "--json"])
    main(["keys", "store", "show", str(path), "m1"])
    main(["keys", "store", "show", str(path), passphrase[:4]])
    files += b"".join(each.read_bytes() for each in tmp_path.glob("meters.keys*"))
    out, err = capfd.readouterr()
    everything = files + "\n".join([*said, caplog.text, out, err]).encode()
    assert b"m1" in files
    assert "encryption-key" in out
    for name, octets in canaries.items():
        for form in forms(octets):
            assert form not in everything, name
