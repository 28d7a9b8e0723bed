"""``cosemic keys ca``, ``issue``, ``csr`` and ``show``, as a user calls them."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cosemic.cli import main
from cosemic.security.certificates import Certificate, CertificateRequest, RevocationList
from cosemic.security.certificates import pkcs8 as pkcs8_module
from cosemic.security.certificates.pem import ENCRYPTED_KEY, REVOCATION_LIST, from_pem
from cosemic.store.key_files import read_key_file
from cosemic.values import Secret
from tests.security.laboratory import SIGNATURE, TLS, needs_openssl, openssl

TITLE = "4D4D4D0000BC614E"
PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("COSEMIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COSEMIC_PASSPHRASE", PASSPHRASE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pkcs8_module, "SCRYPT_N", 2)
    monkeypatch.setattr(pkcs8_module, "SCRYPT_P", 1)


def keys(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["keys", *arguments]) == code
    captured = capsys.readouterr()
    return captured.out if code != 2 else captured.err


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    return json.loads(keys(capsys, *arguments, "--json", code=code))


@pytest.fixture
def lab(capsys: pytest.CaptureFixture[str]) -> Path:
    """Root, sub-CA, and a meter's certificate of it: lab, lab/meters, meter.pem."""
    keys(capsys, "ca", "create", "lab", "--name", "Lab root", "--path-length", "1")
    keys(capsys, "ca", "create", "lab/meters", "--name", "Lab meters", "--under", "lab")
    keys(capsys, "csr", "meter.key", "--title", TITLE, "--for", "signature", "--out", "meter.csr")
    keys(capsys, "issue", "lab/meters", "meter.csr", "--out", "meter.pem")
    return Path("lab")


CHAIN = ("--anchor", "lab/ca.pem", "--intermediate", "lab/meters/ca.pem")


def certificate(path: str) -> Certificate:
    return Certificate.of(from_pem(Path(path).read_bytes())[0][1])


def test_from_nothing_to_a_certificate_that_leads_to_the_root(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leaf = certificate("meter.pem")
    assert (leaf.type, leaf.system_title) == (SIGNATURE, bytes.fromhex(TITLE))
    (item,) = as_json(capsys, "show", "meter.pem", *CHAIN)
    assert (item["kind"], item["for"], item["system_title"], item["warnings"]) == (
        "certificate",
        "digital-signature",
        TITLE,
        [],
    )
    assert (item["valid_until"], item["issuer"], item["curve"]) == (None, "CN=Lab meters", "P-256")
    assert int(item["serial_number"], 16) == leaf.serial_number
    shown = keys(capsys, "show", "meter.pem", "--anchor", "lab/ca.pem", code=1)
    assert "the certificate of its CA is missing" in shown


def test_a_revoked_certificate_is_told(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    serial = f"{certificate('meter.pem').serial_number:X}"
    first = as_json(capsys, "ca", "crl", "lab/meters")
    assert (first["number"], first["revoked"]) == (1, [])
    keys(capsys, "show", "meter.pem", *CHAIN, "--crl", "lab/meters/ca.crl")
    revoked = as_json(capsys, "ca", "revoke", "lab/meters", serial, "--reason", "superseded", "--out", "new.crl")
    assert (revoked["number"], revoked["revoked"][0]["serial_number"]) == (2, serial)
    assert Path("new.crl").read_bytes() == Path("lab/meters/ca.crl").read_bytes()
    (item,) = as_json(capsys, "show", "meter.pem", *CHAIN, "--crl", "new.crl", code=1)
    assert "was revoked" in item["warnings"][0]
    (folder,) = as_json(capsys, "show", "lab/meters")
    assert [(each["serial_number"], each["revoked"]) for each in folder["issued"]] == [(serial, True)]
    made = RevocationList.of(from_pem(Path("new.crl").read_bytes(), REVOCATION_LIST)[0][1])
    assert set(made.revoked) == {int(serial, 16)}
    before = Path("lab/meters/register").read_bytes()
    assert main(["keys", "ca", "revoke", "lab/meters", serial, "5"]) == 1
    assert "has not issued 5; nothing was revoked" in capsys.readouterr().err
    assert Path("lab/meters/register").read_bytes() == before


def test_der_is_written_and_read_as_meters_take_it(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys(capsys, "csr", "meter.key", "--title", TITLE, "--for", "tls", "--der", "--out", "tls.csr")
    assert CertificateRequest.of(Path("tls.csr").read_bytes()).type is TLS
    keys(capsys, "issue", "lab/meters", "tls.csr", "--title", TITLE, "--days", "30", "--der", "--out", "tls.crt")
    keys(capsys, "ca", "crl", "lab/meters")
    leaf = Certificate.of(Path("tls.crt").read_bytes())
    assert (leaf.not_after - leaf.not_before).days == 30
    made = from_pem(Path("lab/meters/ca.crl").read_bytes(), REVOCATION_LIST)[0][1]
    Path("ca.crl").write_bytes(made)
    items = as_json(capsys, "show", "tls.crt", "tls.csr", "ca.crl", "lab")
    assert [item["kind"] for item in items] == ["certificate", "request", "revocation list", "authority"]
    assert items[1]["for"] == "tls"
    assert "DER goes into a file" in keys(capsys, "issue", "lab/meters", "tls.csr", "--der", code=2)


def test_without_out_pem_goes_to_standard_output(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = keys(capsys, "issue", "lab/meters", "meter.csr")
    assert Certificate.of(from_pem(text.encode())[0][1]).public_key == certificate("meter.pem").public_key
    item = as_json(capsys, "csr", "meter.key", "--title", TITLE, "--for", "key-agreement", "--hardware-type", "1.2.3")
    assert (item["for"], item["file"]) == ("key-agreement", None)
    assert item["pem"].startswith("-----BEGIN CERTIFICATE REQUEST-----\n")


def test_keys_are_made_once_and_are_never_shown(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("meter.key").read_bytes()
    printed = keys(capsys, "csr", "meter.key", "--title", TITLE, "--for", "tls")
    assert Path("meter.key").read_bytes() == before
    printed += keys(capsys, "show", "meter.key", "lab/ca.key", "lab", "lab/meters")
    printed += json.dumps(as_json(capsys, "show", "meter.key"))
    assert "private key" in printed
    assert "PRIVATE" not in printed
    for name in ("meter.key", "lab/ca.key"):
        secret = read_key_file(Path(name), Secret(PASSPHRASE.encode())).to_secret().reveal()
        assert secret.hex() not in printed.lower()
        assert from_pem(Path(name).read_bytes(), ENCRYPTED_KEY)[0][1].hex() not in printed.lower()
    assert PASSPHRASE not in printed


@pytest.mark.skipif(os.name != "posix", reason="only here do files have modes")
def test_key_files_that_others_can_read_or_that_are_not_encrypted_are_doubtful(
    lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Path("meter.key").stat().st_mode & 0o777 == 0o600
    plain = Path("plain.key")
    plain.write_text("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n")
    plain.chmod(0o644)
    (item,) = as_json(capsys, "show", "plain.key", code=1)
    assert item["encrypted"] is False
    assert ["not encrypted" in item["warnings"][0], "chmod 600" in item["warnings"][1]] == [True, True]
    Path("meter.key").chmod(0o644)
    assert "chmod 600" in keys(capsys, "csr", "meter.key", "--title", TITLE, "--for", "tls", code=2)


def test_the_passphrase_comes_from_a_file_the_environment_or_a_prompt(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("secret").write_text("another long one\nsecond line\n")
    Path("secret").chmod(0o644)
    create = ("ca", "create", "lab", "--name", "Lab", "--passphrase-file", "secret")
    assert "secret can be read by others than its owner: chmod 600 secret" in keys(capsys, *create, code=2)
    Path("secret").chmod(0o600)
    keys(capsys, "ca", "create", "lab", "--name", "Lab", "--passphrase-file", "secret")
    assert "passphrase is wrong" in keys(capsys, "ca", "crl", "lab", code=2)
    keys(capsys, "ca", "crl", "lab", "--passphrase-file", "secret")
    sub = ("ca", "create", "sub", "--name", "Sub", "--under", "lab")
    assert "passphrase is wrong" in keys(capsys, *sub, code=2)
    keys(capsys, *sub, "--parent-passphrase-file", "secret")
    keys(capsys, "ca", "crl", "sub")
    monkeypatch.setenv("COSEMIC_PARENT_PASSPHRASE", "another long one")
    keys(capsys, "ca", "create", "sub2", "--name", "Sub", "--under", "lab")
    monkeypatch.delenv("COSEMIC_PASSPHRASE")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    message = keys(capsys, "ca", "crl", "sub", code=2)
    assert "set COSEMIC_PASSPHRASE, or name a file that holds it: --passphrase-file" in message

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    typed = iter([PASSPHRASE, "one long phrase", "another phrase", "short", "short"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    keys(capsys, "ca", "crl", "sub")
    assert "differ" in keys(capsys, "ca", "create", "new", "--name", "New", code=2)
    assert "too short" in keys(capsys, "ca", "create", "new", "--name", "New", code=2)
    assert not Path("new").exists()
    Path("empty").touch(mode=0o600)
    for name, reason in (("empty", "is empty"), ("missing", "cannot be read: No such file or directory\n")):
        assert f"{name} {reason}" in keys(capsys, "ca", "crl", "sub", "--passphrase-file", name, code=2)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("ca", "create", "lab", "--name", "Other"), 2, "holds an authority already"),
        (("ca", "create", "x", "--name", "X", "--under", "nowhere"), 2, "holds no authority"),
        (("ca", "create", "x", "--name", "X" * 65), 2, "1 to 64 characters"),
        (("ca", "create", "x", "--name", "X", "--under", "lab/meters"), 1, "may have 0 CAs below it"),
        (("ca", "create", "x", "--name", "X", "--under", "lab", "--suite", "2"), 1, "needs a CA on P-384"),
        (("ca", "crl", "nowhere"), 2, "holds no authority"),
        (("ca", "crl", "lab", "--days", "0"), 2, "later instant"),
        (("ca", "revoke", "lab", "xyz"), 2, "a serial number is hexadecimal"),
        (("issue", "lab/meters", "meter.csr", "--for", "tls"), 1, "the request is for digital-signature"),
        (("issue", "lab/meters", "meter.csr", "--title", "4D4D4D0000000001"), 1, "not 4D4D4D0000000001"),
        (("issue", "lab/meters", "meter.csr", "--title", "meter"), 2, "16 hexadecimal digits"),
        (("issue", "lab/meters", "meter.pem"), 1, "meter.pem: the file holds no certificate request"),
        (("issue", "lab/meters", "nowhere.csr"), 2, "cannot be read"),
        (("csr", "new.key", "--title", "00", "--for", "tls"), 2, "16 hexadecimal digits"),
        (("csr", "meter.pem", "--title", TITLE, "--for", "tls"), 2, "meter.pem: the private key cannot be read"),
        (("csr", "no/new.key", "--title", TITLE, "--for", "tls"), 1, "cannot be written"),
        (("show", "nowhere.pem"), 2, "cannot be read"),
        (("show", "empty"), 1, "empty: the file holds no certificate"),
        (("show", "."), 2, "holds no authority"),
        (("show", "meter.pem", "--crl", "lab/meters/ca.crl"), 2, "a certificate that is trusted: name it, --anchor"),
        (("show", "meter.pem", *CHAIN[2:], "--crl", "lab/meters/ca.crl"), 2, "name it, --anchor"),
        (("show", "meter.pem", *CHAIN[:2], "--crl", "lab/meters/ca.crl"), 2, "with --anchor or --intermediate"),
    ],
)
def test_what_is_refused_says_what_to_do(
    arguments: tuple[str, ...], code: int, reason: str, lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").write_text("")
    keys(capsys, "ca", "crl", "lab/meters")
    assert main(["keys", *arguments]) == code
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.out == ""


def test_keys_of_security_settings_are_still_shown_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Path("meter.toml")
    settings.write_text(f'encryption_key = "{"5a" * 16}"\n')
    settings.chmod(0o600)
    for arguments in (("meter.toml",), ("fingerprints", "meter.toml"), ("--", "meter.toml")):
        assert "encryption_key" in keys(capsys, *arguments)
    for arguments in (("--json", "meter.toml"), ("meter.toml", "--json")):
        assert main(["keys", *arguments]) == 0
        assert json.loads(capsys.readouterr().out)["keys"][0]["name"] == "encryption_key"
    ca = Path("ca")
    ca.write_text(settings.read_text())
    assert main(["keys", "./ca"]) in (0, 1)
    assert main(["keys"]) == 2
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["ca", "issue", "csr", "show", "fingerprints"])
def test_help_has_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = keys(capsys, command, "--help")
    assert f"  cosemic keys {command}" in text
    assert "exit codes: 0" in text


@needs_openssl
def test_openssl_agrees_with_what_the_commands_make(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys(capsys, "ca", "crl", "lab")
    keys(capsys, "ca", "crl", "lab/meters")
    Path("all.crl").write_bytes(Path("lab/ca.crl").read_bytes() + Path("lab/meters/ca.crl").read_bytes())
    verify = (
        "verify", "-x509_strict", "-crl_check_all", "-CRLfile", "all.crl", "-CAfile", "lab/ca.pem", "-untrusted",
        "lab/meters/ca.pem", "meter.pem",
    )  # fmt: skip
    assert openssl(*verify) == "meter.pem: OK\n"
    assert "verify OK" in openssl("req", "-verify", "-noout", "-in", "meter.csr")
    keys(capsys, "ca", "revoke", "lab/meters", f"{certificate('meter.pem').serial_number:x}")
    Path("all.crl").write_bytes(Path("lab/ca.crl").read_bytes() + Path("lab/meters/ca.crl").read_bytes())
    assert "certificate revoked" in openssl(*verify)
