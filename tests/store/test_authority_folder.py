"""The folder of an authority: what is in it, what a killed process leaves, and damage."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cosemic.errors import CertificateError, ConfigurationError, StoreError
from cosemic.security.certificates import CertificateAuthority, verify_chain
from cosemic.security.certificates import pkcs8 as pkcs8_module
from cosemic.security.certificates.pem import ENCRYPTED_KEY, from_pem, to_pem
from cosemic.security.certificates.pkcs8 import decrypt_key, encrypt_key
from cosemic.security.elliptic import SoftwareSigningKey
from cosemic.security.suite import security_suite
from cosemic.store.authority_folder import AuthorityFolder, FolderRegister
from cosemic.store.key_files import make_key_file, read_key_file, write_file
from cosemic.values import Secret
from tests.security.laboratory import AT, SUITE_1, SUITE_2, YEAR, Token, issued, needs_openssl, new_key, openssl
from tests.store.disks import FailingPort, Killed, MortalPort

PASSPHRASE = Secret(b"correct horse battery", "passphrase")
WRONG = Secret(b"wrong", "passphrase")
posix = pytest.mark.skipif(os.name != "posix", reason="only here do files have modes")


@pytest.fixture(autouse=True)
def _little_work(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The derivation of keys is slow on purpose; one test does all of it."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(pkcs8_module, "SCRYPT_N", 2)
        monkeypatch.setattr(pkcs8_module, "SCRYPT_P", 1)


def made(path: Path) -> AuthorityFolder:
    folder = AuthorityFolder(path)
    folder.create_root("Root", SUITE_1, PASSPHRASE, not_before=AT - YEAR)
    return folder


def test_an_authority_is_opened_again_with_all_that_it_did(tmp_path: Path) -> None:
    folder = made(tmp_path / "lab" / "root")
    leaf = issued(folder.open(PASSPHRASE))
    again = AuthorityFolder(folder.path).open(PASSPHRASE)
    again.revoke(leaf.serial_number, AT)
    first = again.revocation_list(AT, AT + YEAR)
    second = AuthorityFolder(folder.path).open(PASSPHRASE).revocation_list(AT, AT + YEAR)
    assert (first.number, second.number, set(second.revoked)) == (1, 2, {leaf.serial_number})
    assert folder.register.issued() == [again.certificate, leaf]
    assert folder.register.revoked()[leaf.serial_number][0] == AT
    assert not folder.register.reserve_serial(leaf.serial_number)
    verify_chain(leaf, anchors=folder.certificates(), at=AT)


def test_a_sub_authority_keeps_the_certificates_above_it(tmp_path: Path) -> None:
    root = made(tmp_path / "root")
    sub = AuthorityFolder(tmp_path / "sub")
    sub.create_under(root, PASSPHRASE, "Sub", SUITE_1, WRONG, not_before=AT)
    assert sub.certificates()[1:] == root.certificates()
    assert root.register.issued()[1:] == sub.certificates()[:1]
    leaf = issued(sub.open(WRONG))
    own, *above = sub.certificates()
    assert verify_chain(leaf, anchors=above, intermediates=[own], at=AT) == (leaf, own, *above)
    with pytest.raises(CertificateError, match="needs a CA on P-384"):
        AuthorityFolder(tmp_path / "strong").create_under(root, PASSPHRASE, "Sub 2", SUITE_2, PASSPHRASE, not_before=AT)
    with pytest.raises(ConfigurationError, match="passphrase is wrong"):
        AuthorityFolder(tmp_path / "x").create_under(root, WRONG, "Sub", SUITE_1, WRONG, not_before=AT)
    assert not (tmp_path / "x").exists()


def test_a_folder_holds_one_authority(tmp_path: Path) -> None:
    folder = made(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigurationError, match="holds an authority already"):
        folder.create_root("Other", SUITE_1, PASSPHRASE, not_before=AT)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigurationError, match="holds no authority: make one with"):
        AuthorityFolder(tmp_path / "other").open(PASSPHRASE)


@posix
def test_what_is_secret_is_the_owners_alone(tmp_path: Path) -> None:
    folder = made(tmp_path / "lab")
    folder.save_list(folder.open(PASSPHRASE).revocation_list(AT, AT + YEAR))
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.path.iterdir()} == {0o600}
    (folder.path / "ca.key").chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"chmod 600 .*ca\.key"):
        folder.open(PASSPHRASE)


def test_a_wrong_passphrase_opens_nothing_and_no_message_tells_of_the_key(tmp_path: Path) -> None:
    folder = made(tmp_path)
    text = (tmp_path / "ca.key").read_text()
    assert text.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    with pytest.raises(
        ConfigurationError, match=r"ca\.key: the private key cannot be read: the passphrase is wrong"
    ) as error:
        folder.open(WRONG)
    assert not any(line in str(error.value) for line in text.splitlines())
    assert error.value.__suppress_context__
    with pytest.raises(ConfigurationError, match="give one"):
        make_key_file(tmp_path / "k", SUITE_1, Secret(b""))
    assert not (tmp_path / "k").exists()


def test_a_key_of_another_authority_is_refused(tmp_path: Path) -> None:
    folder = made(tmp_path)
    make_key_file(tmp_path / "ca.key", SUITE_1, PASSPHRASE)
    with pytest.raises(ConfigurationError, match="take both from one folder"):
        folder.open(PASSPHRASE)


@pytest.mark.parametrize("damage", ["cut", "changed", "line", "header", "gone", "appended"])
def test_nothing_is_issued_with_a_damaged_register(damage: str, tmp_path: Path) -> None:
    folder = made(tmp_path)
    authority = folder.open(PASSPHRASE)
    path = tmp_path / "register"
    octets = path.read_bytes()
    changed = {
        "cut": octets[:-5],
        "changed": octets.replace(b" serial ", b" serail ", 1),
        "line": octets.replace(b"\n", b"\n\n", 1),
        "header": b"x" + octets,
        "gone": None,
        "appended": octets + b"0",
    }[damage]
    path.unlink() if changed is None else path.write_bytes(changed)
    for use in (lambda: folder.open(PASSPHRASE), lambda: issued(authority), folder.register.revoked):
        with pytest.raises(ConfigurationError, match=r"the register .* forget revocations"):
            use()
    assert changed is None or path.read_bytes() == changed


@pytest.mark.parametrize("how", ["before", "middle", "after"])
def test_whatever_instant_it_is_killed_no_serial_number_comes_twice(how: str, tmp_path: Path) -> None:
    key = new_key()
    calls = None
    for at in range(1, 40):
        path = tmp_path / f"register {at}"
        FolderRegister(path).create()
        root = CertificateAuthority.root(key, "Root", FolderRegister(path), not_before=AT - YEAR)
        port, token = MortalPort(at, how), Token(key)
        authority = CertificateAuthority(token, root.certificate, FolderRegister(path, port=port))
        leaf = None
        try:
            leaf = issued(authority)
            authority.revoke(leaf.serial_number, AT)
            number = authority.revocation_list(AT, AT + YEAR).number
            calls = len(port.calls)
        except Killed:
            number = 0
        again = FolderRegister(path)
        for signed in token.signed:
            known = [each for each in again.issued() if each.to_be_signed == signed]
            assert not known or not again.reserve_serial(known[0].serial_number)
        lines = path.read_bytes().count(b" serial ")
        assert lines >= 1 + bool(token.signed)
        assert again.next_list_number() > number
        if leaf is not None:
            assert again.is_issued(leaf.serial_number)
        if calls is not None:
            break
    assert calls is not None
    assert calls >= 12


@pytest.mark.parametrize("at", range(1, 13))
def test_a_folder_whose_making_was_killed_can_be_made_again(at: int, tmp_path: Path) -> None:
    killed = AuthorityFolder(tmp_path / "lab", port=MortalPort(at, "middle"))
    with pytest.raises(Killed):
        killed.create_root("Root", SUITE_1, PASSPHRASE, not_before=AT)
    folder = made(tmp_path / "lab")
    issued(folder.open(PASSPHRASE))


def test_a_full_disk_is_one_error_and_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "no-folder" / "file"
    with pytest.raises(StoreError, match="cannot be written"):
        write_file(path, b"x")
    with pytest.raises(StoreError, match="cannot be used"):
        FolderRegister(path).reserve_serial(5)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be made"):
        AuthorityFolder(tmp_path / "file" / "x").create_root("Root", SUITE_1, PASSPHRASE, not_before=AT)
    with pytest.raises(ConfigurationError, match="there is no key file"):
        read_key_file(tmp_path / "key", PASSPHRASE)


@pytest.mark.parametrize("suite", [1, 2])
def test_a_key_comes_back_from_its_file(suite: int, tmp_path: Path) -> None:
    key = make_key_file(tmp_path / "k", security_suite(suite), PASSPHRASE)
    assert read_key_file(tmp_path / "k", PASSPHRASE).to_secret() == key.to_secret()
    octets = (tmp_path / "k").read_bytes()
    scalar = key.to_secret().reveal()
    assert scalar not in from_pem(octets, ENCRYPTED_KEY)[0][1]
    assert encrypt_key(key, PASSPHRASE) != octets
    assert max(map(len, octets.splitlines())) == 64


@pytest.mark.parametrize("at", range(1, 9))
def test_a_disk_that_fails_stops_the_authority_until_it_works_again(at: int, tmp_path: Path) -> None:
    folder = made(tmp_path)
    token = Token(read_key_file(tmp_path / "ca.key", PASSPHRASE))
    register = FolderRegister(tmp_path / "register", port=FailingPort(at))
    authority = CertificateAuthority(token, folder.certificates()[0], register)
    with pytest.raises(StoreError, match="cannot be written"):
        issued(authority)
    assert len(token.signed) == (at > 4)
    leaf = issued(authority)
    assert register.is_issued(leaf.serial_number)


def test_keys_that_are_not_ours_are_refused_with_what_to_do() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    def plain(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    p521, edwards = ec.generate_private_key(ec.SECP521R1()), ed25519.Ed25519PrivateKey.generate()
    p256 = SoftwareSigningKey.generate(SUITE_1)
    assert decrypt_key(plain(p256.to_cryptography()), None).to_secret() == p256.to_secret()
    for octets, passphrase, reason in (
        (plain(p521), None, "not on P-256 or P-384"),
        (plain(edwards), None, "not on P-256 or P-384"),
        (plain(p256.to_cryptography()), PASSPHRASE, "not encrypted, and a passphrase is given"),
        (encrypt_key(p256, PASSPHRASE), None, "it is encrypted: give the passphrase"),
        (to_pem(b"0\0", ENCRYPTED_KEY), PASSPHRASE, "passphrase is wrong, or it is no key"),
        (b"", PASSPHRASE, "passphrase is wrong, or it is no key"),
        (bytes(9000), None, "too long"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            decrypt_key(octets, passphrase)


@pytest.mark.slow
@needs_openssl
def test_openssl_and_the_library_read_the_key_with_its_passphrase_alone(tmp_path: Path) -> None:
    for suite in (1, 2):
        key = make_key_file(tmp_path / "k", security_suite(suite), PASSPHRASE)
        read = load_pem_private_key((tmp_path / "k").read_bytes(), PASSPHRASE.reveal())
        assert read.private_numbers() == key.to_cryptography().private_numbers()  # type: ignore[union-attr]
        said = openssl("pkey", "-in", tmp_path / "k", "-passin", "pass:correct horse battery", "-pubout")
        assert "BEGIN PUBLIC KEY" in said
        assert "BEGIN" not in openssl("pkey", "-in", tmp_path / "k", "-passin", "pass:wrong")
