"""Security settings from files, mappings and the environment."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from cosemic.association.settings import AGREED_BEFOREHAND, BOTH, ClientSettings
from cosemic.dialect import STANDARD
from cosemic.errors import CertificateError, ConfigurationError
from cosemic.security import MemoryCounterStore, Protection, SoftwareSigningKey, security_suite
from cosemic.security.certificates import pkcs8
from cosemic.store import party_settings, security_settings
from cosemic.store.counters import FileCounterStore
from cosemic.store.key_files import make_key_file
from cosemic.store.named_files import OneStorePerFile
from cosemic.store.security_settings import SecuritySettings, load_security, state_folder
from cosemic.values import AuthenticationMechanism as M
from cosemic.values import Obis, Secret
from tests.security.laboratory import SIGNATURE, Token, new_key, new_root, pem_file

EK = "000102030405060708090a0b0c0d0e0f"
AK = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
TITLE = "434f530000000001"
KEYS = {"encryption_key": EK, "authentication_key": AK, "system_title": TITLE}


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(security_settings, "_STORES", OneStorePerFile("counters file", FileCounterStore))


def toml(values: dict[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


FULL: dict[str, Any] = {
    "mechanism": "hls-gmac",
    "suite": 0,
    "client_sap": 1,
    "server_sap": 2,
    "user_id": 7,
    "ciphered": True,
    "system_title": TITLE,
    "server_title": "4d4d4d0000bc614e",
    "encryption_key": EK,
    "authentication_key": AK,
    "dedicated_key": True,
    "protection": "authenticated-encrypted",
    "invocation_counter": "0-0:43.1.3",
    "counters": "my.counters",
}


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_every_documented_name_is_read_from_a_file(tmp_path: Path, suffix: str) -> None:
    documented = (security_settings.__doc__ or "") + (party_settings.__doc__ or "")
    named = {
        line.split("=")[0].strip() for line in documented.splitlines() if line.startswith("    ") and " = " in line
    }
    assert named == (security_settings.NAMES - {"secret"})
    path = tmp_path / f"meter{suffix}"
    path.write_text(json.dumps(FULL) if suffix == ".json" else toml(FULL))
    loaded = load_security(path)
    client = loaded.client
    assert (loaded.client_sap, loaded.server_sap) == (1, 2)
    assert (client.mechanism, client.ciphered, client.dedicated_key) == (M.HLS_GMAC, True, True)
    assert client.user_id == 7
    assert client.system_title.hex() == TITLE
    assert client.server_title == bytes.fromhex("4d4d4d0000bc614e")
    assert client.protection == BOTH
    assert client.invocation_counter == Obis("0-0:43.1.3")
    assert client.material is not None
    assert client.material.encryption_key.reveal().hex() == EK
    assert client.material.authentication_key is not None
    assert client.material.authentication_key.reveal().hex() == AK
    assert isinstance(client.counters, FileCounterStore)
    assert (tmp_path / "my.counters").exists()


# ---- suites, signatures and certificates ----------------------------------------------------------------------------

LONG_EK, LONG_AK = bytes(range(32)).hex(), bytes(range(0xD0, 0xF0)).hex()
METER = "4d4d4d0000bc614e"


def signing(suite: int = 1, **more: Any) -> dict[str, Any]:
    """Settings for hls-ecdsa in a plain context, but for the other side."""
    key = SoftwareSigningKey.generate(security_suite(suite))
    made = {"suite": suite, "signing_key": key.to_secret().reveal().hex(), "system_title": TITLE, "ciphered": False}
    return made | {"public": key.public.octets.hex()} | more


@pytest.mark.parametrize("suite", [0, 1, 2, "2"])
def test_keys_are_those_of_the_suite(suite: int | str) -> None:
    long = int(suite) == 2
    keys = {"encryption_key": LONG_EK, "authentication_key": LONG_AK, "broadcast_key": LONG_AK} if long else KEYS
    client = load_security(KEYS | keys | {"suite": suite}).client
    assert client.material is not None
    assert client.material.suite.id == int(suite)
    assert len(client.material.encryption_key) == (32 if long else 16)
    assert client.mechanism is M.HLS_GMAC


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"suite": 2}, "has 16 octets; security suite 2 .* needs 32"),
        ({"suite": 1, "encryption_key": LONG_EK}, "has 32 octets; security suite 1 .* needs 16"),
        ({"suite": 2, "encryption_key": LONG_EK}, "authentication key has 16"),
        ({"suite": 3}, "suite is a number from 0 to 2"),
        ({"suite": "two"}, "suite is a number from 0 to 2"),
        ({"signing_key": "00" * 32}, "suite 0 has no signatures"),
        ({"suite": 1, "signing_key": "00" * 32}, "not zero"),
        ({"suite": 1, "signing_key": "11" * 48}, "32 octets"),
        ({"suite": 1, "signing_key": "something"}, "not hexadecimal"),
        ({"suite": 1, "signing_key": "11" * 32, "signing_key_file": "a.key"}, "give one of them"),
        ({"suite": 1, "signing_key_file": "a.key"}, "COSEMIC_PASSPHRASE"),
        ({"suite": 1, "server_public_key": "11" * 64}, "needs server_title"),
        ({"suite": 1, "server_public_key": "11" * 64, "server_title": METER}, "point of the curve"),
        ({"suite": 1, "server_public_key": "11" * 64, "trust_anchors": "ca.pem"}, "in place of trust_anchors"),
        ({"suite": 1, "server_certificate": "meter.pem"}, "needs trust_anchors"),
        ({"suite": 1, "trust_anchors": "nowhere.pem"}, "trust_anchors nowhere.pem: No such file"),
        ({"suite": 1, "trust_anchors": b"nothing"}, "certificates of the security settings"),
        ({"mechanism": "hls-ecdsa"}, "private key for signatures"),
    ],
)
def test_suites_and_signatures_that_cannot_be_are_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        load_security(KEYS | changed)
    assert "11" * 20 not in str(caught.value)
    assert EK not in str(caught.value)


@pytest.mark.parametrize("suite", [1, 2])
def test_a_public_key_of_the_meter_is_believed_for_its_title(suite: int) -> None:
    meter = signing(suite).pop("public")
    ours = signing(suite, server_public_key=meter, server_title=METER)
    ours.pop("public")
    client = load_security(ours).client
    assert client.mechanism is M.HLS_ECDSA
    assert client.signers is not None
    assert client.signers.signer(bytes.fromhex(METER)).octets.hex() == meter
    assert client.signing_key is not None
    assert client.signing_key.public.curve.length == {1: 32, 2: 48}[suite]
    assert ours["signing_key"] not in repr(client)
    with pytest.raises(CertificateError):
        client.signers.signer(bytes.fromhex(TITLE))


def test_certificates_and_key_files_lie_beside_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs8, "SCRYPT_N", 2)
    monkeypatch.setenv("COSEMIC_PASSPHRASE", "correct horse")
    root, title, now = new_root(), bytes.fromhex(TITLE), dt.datetime.now(dt.UTC)
    times: dict[str, Any] = {"not_before": now - dt.timedelta(days=1), "not_after": now + dt.timedelta(days=1)}
    key = make_key_file(tmp_path / "client.key", security_suite(1), Secret.password("correct horse"))
    ours = root.issue(key.public, title, SIGNATURE, **times)
    theirs = root.issue(new_key().public, bytes.fromhex(METER), SIGNATURE, **times)
    other = root.issue(new_key().public, bytes.fromhex("4d4d4d00deadbeef"), SIGNATURE, **times)
    pem_file(tmp_path / "client.pem", ours)
    pem_file(tmp_path / "meter.pem", theirs)
    pem_file(tmp_path / "ca.pem", root.certificate)
    path = tmp_path / "meter.toml"
    settings = {"suite": 1, "signing_key_file": "client.key", "certificate": "client.pem", "trust_anchors": "ca.pem"}
    settings |= {"server_certificate": "meter.pem", "system_title": TITLE}
    path.write_text(toml(settings))
    client = load_security(path).client
    assert client.mechanism is M.HLS_ECDSA
    assert client.certificate == ours.octets
    assert client.signing_key is not None
    assert client.signing_key.public == key.public
    assert client.signers is not None
    assert client.signers.signer(bytes.fromhex(METER)) == theirs.public_key
    assert client.signers.signer(bytes.fromhex("4d4d4d00deadbeef"), other.octets) == other.public_key
    with pytest.raises(CertificateError):
        client.signers.signer(bytes.fromhex(METER), other.octets)
    for changed, says in (
        ({"certificate": "meter.pem"}, "is not that of 434F530000000001"),
        ({"certificate": "ca.pem"}, "is not for"),
        ({"system_title": METER, "certificate": "meter.pem", "server_certificate": ""}, "not for the private key"),
        ({"suite": 2, "certificate": ""}, "signing_key_file is on P-256: suite 2 needs P-384"),
    ):
        path.write_text(toml(settings | changed))
        with pytest.raises(ConfigurationError, match=says):
            load_security(path)
    monkeypatch.setenv("COSEMIC_PASSPHRASE", "another horse")
    path.write_text(toml(settings))
    with pytest.raises(ConfigurationError, match=r"client\.key"):
        load_security(path)


def test_a_handle_of_a_private_key_is_taken_as_it_is() -> None:
    token = Token(new_key())
    meter = new_key().public.octets.hex()
    given = {"suite": 1, "signing_key": token, "system_title": TITLE, "server_title": METER, "server_public_key": meter}
    assert load_security(given).client.signing_key is token


def test_the_user_of_the_url_goes_before_that_of_the_settings() -> None:
    assert load_security({"user_id": "7"}).client.user_id == 7
    assert load_security({"user_id": 7}, user_id=0).client.user_id == 0
    assert load_security(None, user_id=255).client.user_id == 255
    for user_id in (256, -1, "me", 1.5, True):
        with pytest.raises(ConfigurationError, match="user_id"):
            load_security({"user_id": user_id})
    with pytest.raises(ConfigurationError, match="0 to 255"):
        load_security(None, user_id=256)


def test_two_files_with_the_same_key_draw_from_the_same_counters_unless_said(tmp_path: Path) -> None:
    path, copy = tmp_path / "meter.toml", tmp_path / "copy.toml"
    path.write_text(toml(KEYS))
    copy.write_text(toml(KEYS))
    one, other = load_security(path).client, load_security(str(copy)).client
    assert (tmp_path / "state" / "counters").exists()
    assert one.counters is other.counters  # one store a file in a process
    contexts = [settings.context() for settings in (one, other)]
    drawn = [context.protect_apdu(b"\xc0\x01")[2:7] for context in contexts for _ in range(2) if context is not None]
    assert len(set(drawn)) == 4
    elsewhere = tmp_path / "deep" / "down.counters"
    path.write_text(toml(KEYS | {"counters": str(elsewhere)}))
    load_security(path)
    assert elsewhere.exists()


def test_without_a_file_the_counters_lie_in_the_state_folder(tmp_path: Path) -> None:
    load_security(KEYS)
    assert (tmp_path / "state" / "counters").exists()
    store = MemoryCounterStore()
    assert load_security(KEYS | {"counters": store}).client.counters is store


def test_where_state_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert state_folder() == tmp_path / "state"
    monkeypatch.delenv("COSEMIC_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert state_folder() == tmp_path / "xdg" / "cosemic"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert state_folder() == tmp_path / "home" / ".local" / "state" / "cosemic"
    monkeypatch.setattr(security_settings.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "appdata"))
    assert state_folder() == tmp_path / "appdata" / "cosemic"


def test_a_store_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError):
        load_security(KEYS | {"counters": str(tmp_path / "file" / "counters")})


def test_the_environment_has_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (FULL | {"counters": "", "dedicated_key": "yes"}).items():
        if name != "counters":
            monkeypatch.setenv(f"COSEMIC_{name.upper()}", str(value))
    loaded = load_security("environment")
    assert (loaded.client_sap, loaded.server_sap) == (1, 2)
    assert loaded.client.dedicated_key
    assert loaded.client.mechanism is M.HLS_GMAC


@pytest.mark.parametrize(
    ("values", "mechanism", "ciphered"),
    [
        ({}, M.LOWEST, False),
        ({"password": "x"}, M.LLS, False),
        ({"secret": "x"}, M.LLS, False),
        (KEYS, M.HLS_GMAC, True),
        (KEYS | {"ciphered": False}, M.HLS_GMAC, False),
        (KEYS | {"mechanism": "lowest"}, M.LOWEST, True),
        (KEYS | {"mechanism": "lls", "password": "x"}, M.LLS, True),
        ({"mechanism": "hls-md5", "secret": "x"}, M.HLS_MD5, False),
    ],
)
def test_what_is_meant_where_it_is_not_said(values: dict[str, Any], mechanism: M, ciphered: bool) -> None:
    client = load_security(values).client
    assert (client.mechanism, client.ciphered) == (mechanism, ciphered)


@pytest.mark.parametrize(
    ("given", "octets"),
    [
        ("12345678", b"12345678"),
        ("hex:0102ff", b"\1\2\xff"),
        (b"\xfe", b"\xfe"),
        (Secret.password("s"), b"s"),
        (bytearray(b"b"), b"b"),
    ],
)
def test_forms_of_a_secret(given: Any, octets: bytes) -> None:
    for name in ("password", "secret"):
        secret = load_security({name: given, "mechanism": "lls"}).client.secret
        assert secret is not None
        assert secret.reveal() == octets


def test_keys_can_be_octets_or_secrets() -> None:
    values = {
        "encryption_key": bytes.fromhex(EK),
        "authentication_key": Secret(bytes.fromhex(AK)),
        "system_title": bytearray.fromhex(TITLE),
    }
    client = load_security(values).client
    assert client.material is not None
    assert client.material.encryption_key.reveal().hex() == EK
    assert client.system_title.hex() == TITLE


@pytest.mark.parametrize("protection", ["authenticated", "encrypted", "authenticated-encrypted"])
def test_forms_of_protection(protection: str) -> None:
    client = load_security(KEYS | {"protection": protection}).client
    assert client.protection == {"authenticated": Protection.AUTHENTICATED, "encrypted": Protection.ENCRYPTED}.get(
        protection, BOTH
    )


def test_time_out_size_and_dialect_come_from_elsewhere() -> None:
    dialect = STANDARD.but(release_request=False)
    client = load_security(None, dialect=dialect, response_timeout=3.0, max_pdu_size=128).client
    assert (client.dialect, client.response_timeout, client.max_pdu_size) == (dialect, 3.0, 128)
    assert load_security(None).client == load_security(None).client
    made = SecuritySettings(ClientSettings(), 5, 6)
    assert load_security(made) is made


SPOILT = "0badc0ffee0badc0ffee0badc0ffee0x"


@pytest.mark.parametrize(
    "values",
    [
        {"encryption_key": SPOILT},
        {"encryption_key": SPOILT[:-1]},
        {"encryption_key": SPOILT[:-2], "system_title": TITLE, "authentication_key": AK},
        {"authentication_key": SPOILT},
        {"authentication_key": AK},
        {"encryption_key": EK},
        {"encryption_key": EK, "system_title": TITLE},
        KEYS | {"system_title": "01"},
        KEYS | {"system_title": SPOILT},
        KEYS | {"server_title": TITLE},
        KEYS | {"password": SPOILT},
        KEYS | {"mechanism": SPOILT},
        KEYS | {"protection": SPOILT},
        KEYS | {"dedicated_key": SPOILT},
        KEYS | {"ciphered": SPOILT},
        KEYS | {"client_sap": SPOILT},
        KEYS | {"invocation_counter": "nonsense"},
        {"client_sap": -1},
        {"client_sap": "9" * 5000},
        {"client_sap": 65536},
        {"server_sap": 1.5},
        {"server_sap": True},
        {"password": SPOILT, "secret": SPOILT},
        {"password": "hex:" + SPOILT},
        {"password": "schl\u00fcssel" + SPOILT},
        {"colour": SPOILT},
        {1: SPOILT},
        {"mechanism": "hls-ecdsa", "secret": SPOILT},
        {"ciphered": True, "password": SPOILT},
        {"dedicated_key": True, "password": SPOILT},
    ],
)
def test_what_is_wrong_is_said_without_quoting_a_key(values: dict[Any, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_security(values)
    shown = f"{caught.value}{caught.value!r}{caught.value.__cause__}"
    for secret in (SPOILT, SPOILT[:-1], SPOILT[:-2], EK, AK):
        assert secret not in shown.lower()


@pytest.mark.parametrize(
    "octets",
    [b"encryption_key = 0badc0ffee", b"\xff\xfe0badc0ffee", b"= 0badc0ffee", b'"0badc0ffee"'],
)
@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_files_that_cannot_be_read_are_not_quoted(octets: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"spoilt{suffix}"
    path.write_bytes(octets)
    with pytest.raises(ConfigurationError, match="spoilt") as caught:
        load_security(path)
    shown = f"{caught.value}{caught.value!r}{caught.value.__cause__}"
    assert "0badc0ffee" not in shown


def test_a_name_that_is_nearly_right_is_guessed() -> None:
    says = r"^mechanisme: not a security setting \(is mechanism meant\?\); known: "
    with pytest.raises(ConfigurationError, match=says):
        load_security({"mechanisme": "lls"})
    with pytest.raises(ConfigurationError, match=r"^colour: not a security setting; known: "):
        load_security({"colour": "red"})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        load_security(tmp_path / "nowhere.toml")
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000)
    with pytest.raises(ConfigurationError):
        load_security(deep)


def test_what_a_url_says_takes_the_place_of_what_made_settings_say() -> None:
    made = load_security({"password": "12345678", "client_sap": 3})
    dialect = STANDARD.but(release_request=False)
    used = load_security(made, dialect=dialect, response_timeout=33.0, max_pdu_size=2000, user_id=7)
    client = used.client
    assert (client.response_timeout, client.max_pdu_size, client.user_id) == (33.0, 2000, 7)
    assert (client.dialect, client.secret, used.client_sap) == (dialect, made.client.secret, 3)
    assert load_security(made) is made


def test_a_pre_established_association_needs_no_mechanism_and_the_titles_of_both() -> None:
    agreed = load_security({"pre_established": True}).client.pre_established
    assert agreed is not None
    assert agreed.conformance == AGREED_BEFOREHAND
    assert load_security({}).client.pre_established is None
    client = load_security(KEYS | {"pre_established": "yes", "server_title": "4d4d4d0000bc614e"}).client
    assert (client.mechanism, client.ciphered, client.protection) == (M.LOWEST, True, BOTH)
    with pytest.raises(ConfigurationError, match="titles of both"):
        load_security(KEYS | {"pre_established": True})
    with pytest.raises(ConfigurationError, match="no authentication"):
        load_security({"pre_established": True, "mechanism": "lls", "password": "12345678"})
