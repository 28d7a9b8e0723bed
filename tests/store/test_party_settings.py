"""General protection in security settings: keys, certificates, layers, third parties, transactions."""

from __future__ import annotations

import datetime as dt
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from cosemic.association.settings import BOTH, ClientSettings
from cosemic.errors import ConfigurationError
from cosemic.security import Protection, SoftwareAgreementKey, SoftwareSigningKey, security_suite
from cosemic.security.certificates import Certificate, pkcs8
from cosemic.security.certificates.authority import CertificateAuthority
from cosemic.security.certificates.pem import REVOCATION_LIST, to_pem
from cosemic.security.general import KeyEstablishment, LayerPlan, MemoryTransactionStore
from cosemic.store import party_settings, private_keys
from cosemic.store.key_files import make_key_file
from cosemic.store.key_store import KeyFile, KeyStore, NewRecord, RecordKind
from cosemic.store.meters import known_meter
from cosemic.store.named_files import OneStorePerFile
from cosemic.store.party_settings import recent
from cosemic.store.security_settings import load_security
from cosemic.store.third_party_settings import load_third_party
from cosemic.store.transactions import FileTransactionStore
from cosemic.values import DateTime, Secret
from tests.security.laboratory import AGREEMENT, SIGNATURE, Token, below, new_key, new_root, pem_file

K = KeyEstablishment
EK, AK = "000102030405060708090a0b0c0d0e0f", "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
TITLE, METER, THIRD = "434f530000000001", "4d4d4d0000bc614e", "5454540000000007"
SUITE = security_suite(1)


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(party_settings, "_STORES", OneStorePerFile("transactions file", FileTransactionStore))


def scalar(suite: int = 1) -> tuple[str, str]:
    """A private key and its public one, in hexadecimal."""
    key = SoftwareSigningKey.generate(security_suite(suite))
    return key.to_secret().reveal().hex(), key.public.octets.hex()


OURS, OUR_AGREEMENT, THEIRS, THEIR_AGREEMENT = scalar(), scalar(), scalar(), scalar()
KEYS: dict[str, Any] = {
    "suite": 1,
    "encryption_key": EK,
    "authentication_key": AK,
    "system_title": TITLE,
    "server_title": METER,
    "mechanism": "hls-gmac",
}
PARTY: dict[str, Any] = KEYS | {
    "signing_key": OURS[0],
    "agreement_key": OUR_AGREEMENT[0],
    "server_public_key": THEIRS[1],
    "server_agreement_key": THEIR_AGREEMENT[1],
}


def toml(values: dict[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def client(**values: Any) -> ClientSettings:
    return load_security(PARTY | values).client


def test_every_name_of_parties_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "meter.toml"
    path.write_text(
        toml(
            PARTY
            | {
                "layers": ["sign", "cipher:one-pass"],
                "key_infos": ["one-pass", "wrapped"],
                "sealed_inside": True,
                "brokers_for": [THIRD],
                "transactions": "own.transactions",
                "date_time_tolerance": 300,
                "max_layers": 3,
                "kek": EK[::-1],
                "require": "authenticated-encrypted-signed",
            }
        )
    )
    found = load_security(path).client
    parties = found.parties
    assert parties is not None
    assert found.layers is not None
    assert [(one.protection, one.key_info) for one in found.layers.layers] == [
        (BOTH, K.ONE_PASS),
        (Protection.SIGNED, None),
    ]
    assert all(one.recipient.hex() == METER for one in found.layers.layers)
    assert parties.key_infos == {K.ONE_PASS, K.WRAPPED}
    assert found.sealed_inside
    assert parties.brokers_for == (bytes.fromhex(THIRD),)
    assert isinstance(parties.transactions, FileTransactionStore)
    parties.transactions.next_own(found.system_title)
    assert (tmp_path / "own.transactions").exists()
    assert parties.date_time_accepted is not None
    assert parties.max_layers == 3
    assert found.require == BOTH | Protection.SIGNED
    assert parties.signing_key is found.signing_key
    assert parties.signing_key is not None
    assert parties.signing_key.public.octets.hex() == OURS[1]
    assert parties.agreement_key is not None
    assert parties.agreement_key.public.octets.hex() == OUR_AGREEMENT[1]
    title = bytes.fromhex(METER)
    signing, agreement = parties.keys.signing_key_of(title), parties.keys.agreement_key_of(title)
    assert signing is not None
    assert agreement is not None
    assert (signing.octets.hex(), agreement.octets.hex()) == (THEIRS[1], THEIR_AGREEMENT[1])
    assert found.material is not None
    assert found.material.kek is not None
    for secret in (OURS[0], OUR_AGREEMENT[0], EK[::-1]):
        assert secret not in repr(found)


def test_settings_without_layers_have_no_parties() -> None:
    found = client()
    assert (found.parties, found.layers) == (None, None)
    assert not found.sealed_inside


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ({"layers": "cipher"}, {K.GLOBAL_UNICAST}),
        ({"layers": "sign"}, {K.GLOBAL_UNICAST}),
        ({"layers": "sign+cipher:static"}, {K.STATIC}),
        ({"layers": "cipher:static", "key_infos": ["static", "global-unicast"]}, {K.STATIC, K.GLOBAL_UNICAST}),
        ({"key_infos": "one-pass, static"}, {K.ONE_PASS, K.STATIC}),
        ({"brokers_for": [THIRD]}, {K.GLOBAL_UNICAST}),
    ],
)
def test_only_the_forms_of_key_info_that_are_said_are_taken(said: dict[str, Any], taken: set[KeyEstablishment]) -> None:
    parties = client(**said).parties
    assert parties is not None
    assert parties.key_infos == taken


def test_the_environment_has_commas_in_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (PARTY | {"brokers_for": f"{THIRD}, {THIRD[:-1]}8", "layers": "sign+cipher:static"}).items():
        monkeypatch.setenv(f"COSEMIC_{name.upper()}", str(value))
    parties = load_security("environment").client.parties
    assert parties is not None
    assert [one.hex() for one in parties.brokers_for] == [THIRD, THIRD[:-1] + "8"]


def test_transactions_of_all_settings_lie_in_one_file_unless_said(tmp_path: Path) -> None:
    one, other = client(layers="cipher").parties, client(layers="sign").parties
    assert one is not None
    assert other is not None
    assert one.transactions is other.transactions
    assert one.transactions.next_own(b"COSTITLE") != other.transactions.next_own(b"COSTITLE")
    assert (tmp_path / "state" / "transactions").exists()
    kept = MemoryTransactionStore()
    given = client(layers="cipher", transactions=kept).parties
    assert given is not None
    assert given.transactions is kept


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"layers": "seal"}, "a layer is one of sign, cipher"),
        ({"layers": 7}, 'layers are a text, "sign\\+cipher"'),
        ({"layers": "cipher:wrapped"}, "wrapped keys need the master key"),
        ({"layers": "cipher", "key_infos": ["rsa"]}, "a key-info is one of"),
        ({"layers": "cipher", "key_infos": 5}, "key_infos is a list of texts"),
        ({"layers": "cipher", "brokers_for": ["xy"]}, "brokers_for is not hexadecimal"),
        ({"layers": "cipher", "brokers_for": ["00"]}, "system titles of 8 octets"),
        ({"layers": "cipher", "max_layers": 0}, "max_layers is a number from 1 to 16"),
        ({"layers": "cipher", "date_time_tolerance": "soon"}, "date_time_tolerance is a number"),
        ({"layers": "cipher", "server_title": ""}, "server_title"),
        ({"max_layers": 3}, "of use with general protection alone"),
        ({"layers": "cipher", "encryption_key": "", "authentication_key": ""}, "parties need a ciphered association"),
        ({"layers": "cipher", "require": "sealed"}, "require is one of authenticated"),
        ({"agreement_key": "11" * 31}, "32 octets"),
        ({"agreement_key": "nothing"}, "agreement_key is not hexadecimal"),
        ({"agreement_key_file": "a.key"}, "are one thing: give one of them"),
        ({"server_agreement_key": "11" * 64}, "point of the curve"),
        ({"trust_anchors": "ca.pem"}, "in place of trust_anchors"),
        ({"certificates": ["sub.pem"]}, "in place of trust_anchors"),
        ({"suite": 0}, "suite 0 has no signatures"),
        ({"signing_key": "", "token_signing_key": "sign"}, "token, its label, and token_library"),
    ],
)
def test_what_cannot_be_is_said_without_a_key(said: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        client(**said)
    for secret in (OURS[0], OUR_AGREEMENT[0], "11" * 31):
        assert secret not in str(caught.value)


def test_access_rights_are_checked_unless_said() -> None:
    assert client().rights is None
    unchecked = client(check_rights=False).rights
    assert unchecked is not None
    assert unchecked.of_short_name(8).bits == 0


@pytest.mark.parametrize(
    ("moment", "recently"),
    [(0, True), (-250, True), (250, True), (-400, False), (400, False), (None, False)],
)
def test_date_times_count_while_they_are_recent(moment: int | None, recently: bool) -> None:
    check = recent(dt.timedelta(seconds=300))
    if moment is None:
        assert not check(bytes.fromhex("ffffffffffffffffff8000ff"))
        assert not check(bytes.fromhex("07ea0b14ff0c00000080 00ff".replace(" ", "")))  # no deviation
    else:
        stamp = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=moment)
        assert check(DateTime.from_datetime(stamp).octets) is recently


# ---- certificates and key files --------------------------------------------------------------------------------------


class Laboratory:
    """A root, a sub-CA that issues, certificates of meter and client, key files."""

    def __init__(self, folder: Path) -> None:
        now = dt.datetime.now(dt.UTC)
        self.times: dict[str, Any] = {"not_before": now - dt.timedelta(days=1), "not_after": now + dt.timedelta(days=1)}
        self.folder, self.root = folder, new_root()
        self.sub: CertificateAuthority = below(self.root)
        secret = Secret.password("correct horse")
        self.signing = make_key_file(folder / "sign.key", SUITE, secret)
        self.agreement = make_key_file(folder / "agree.key", SUITE, secret)
        self.meter_signs, self.meter_agrees = new_key(), new_key()
        pem_file(folder / "ca.pem", self.root.certificate)
        pem_file(folder / "client.pem", self.issue(self.signing, TITLE, SIGNATURE))
        pem_file(folder / "agree.pem", self.issue(self.agreement, TITLE, AGREEMENT))
        pem_file(folder / "meter.pem", self.issue(self.meter_signs, METER, SIGNATURE))
        pem_file(folder / "meter-agree.pem", self.issue(self.meter_agrees, METER, AGREEMENT))
        pem_file(folder / "sub.pem", self.sub.certificate)

    def issue(self, key: SoftwareSigningKey, title: str, use: Any, **times: Any) -> Certificate:
        return self.sub.issue(key.public, bytes.fromhex(title), use, **(self.times | times))

    def settings(self, **more: Any) -> Path:
        """A file of settings of key files and certificates, the meter's before the sub-CA that has issued them."""
        values = KEYS | {
            "signing_key_file": "sign.key",
            "agreement_key_file": "agree.key",
            "certificate": "client.pem",
            "agreement_certificate": "agree.pem",
            "mechanism": "hls-ecdsa",
            "trust_anchors": "ca.pem",
            "certificates": ["meter-agree.pem", "meter.pem", "sub.pem"],
            "layers": "sign+cipher:static",
        }
        path = self.folder / "meter.toml"
        path.write_text(toml({name: value for name, value in (values | more).items() if value is not None}))
        return path


@pytest.fixture
def laboratory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    monkeypatch.setattr(pkcs8, "SCRYPT_N", 2)
    monkeypatch.setenv("COSEMIC_PASSPHRASE", "correct horse")
    return Laboratory(tmp_path)


def test_key_files_and_certificates_of_a_chain(laboratory: Laboratory) -> None:
    found = load_security(laboratory.settings()).client
    assert found.parties is not None
    keys, meter = found.parties.keys, bytes.fromhex(METER)
    assert keys.signing_key_of(meter) == laboratory.meter_signs.public
    assert keys.agreement_key_of(meter) == laboratory.meter_agrees.public
    assert keys.agreement_key_of(bytes.fromhex(THIRD)) is None
    assert found.parties.agreement_key is not None
    assert found.parties.agreement_key.public == laboratory.agreement.public
    assert found.certificate is not None
    assert found.signers is not None
    assert found.signers.signer(meter) == laboratory.meter_signs.public


def test_a_revoked_certificate_is_believed_no_more(laboratory: Laboratory) -> None:
    now = dt.datetime.now(dt.UTC)
    revoked = laboratory.issue(laboratory.meter_agrees, METER, AGREEMENT)
    pem_file(laboratory.folder / "meter-agree.pem", revoked)
    lists = []
    for authority in (laboratory.root, laboratory.sub):
        made = authority.revocation_list(now - dt.timedelta(hours=1), now + dt.timedelta(days=1))
        lists.append(made)
    for name, made in zip(("root.crl", "sub.crl"), lists, strict=True):
        (laboratory.folder / name).write_bytes(to_pem(made.octets, REVOCATION_LIST))
    path = laboratory.settings(revocation_lists=["root.crl", "sub.crl"])
    assert load_security(path).client.parties is not None
    laboratory.sub.revoke(revoked.serial_number, now - dt.timedelta(minutes=5))
    newer = laboratory.sub.revocation_list(now - dt.timedelta(minutes=1), now + dt.timedelta(days=1))
    (laboratory.folder / "sub.crl").write_bytes(to_pem(newer.octets, REVOCATION_LIST))
    with pytest.raises(ConfigurationError, match="revoked"):
        load_security(path)
    with pytest.raises(ConfigurationError, match="there is no revocation list"):
        load_security(laboratory.settings(revocation_lists=["root.crl"]))


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"agreement_certificate": "client.pem"}, "not for key agreement|is not for"),
        ({"agreement_certificate": "meter-agree.pem"}, "is not that of 434F530000000001"),
        ({"agreement_key_file": "sign.key"}, "not for the private key that is given as agreement_key"),
        ({"certificates": ["meter.pem"]}, "certificates of the security settings"),
        ({"trust_anchors": None}, "certificates needs trust_anchors"),
        ({"certificates": ["nowhere.pem"]}, "nowhere.pem: No such file"),
        ({"revocation_lists": ["ca.pem"]}, "certificates of the security settings"),
    ],
)
def test_certificates_that_do_not_hold_are_refused(laboratory: Laboratory, said: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        load_security(laboratory.settings(**said))


# ---- key store, tokens, known meters ---------------------------------------------------------------------------------


def stored(laboratory: Laboratory, **more: NewRecord) -> Path:
    """A key store with the meter and its certificates, and the head-end with its keys and certificates."""

    def certificate(name: str) -> Secret:
        return Secret((laboratory.folder / name).read_bytes())

    key_file = KeyFile.make(laboratory.folder / "unlock.key")
    path = laboratory.folder / "meters.keys"
    records = [
        NewRecord(RecordKind.ENCRYPTION_KEY, Secret(bytes.fromhex(EK))),
        NewRecord(RecordKind.AUTHENTICATION_KEY, Secret(bytes.fromhex(AK))),
        NewRecord(RecordKind.KEK, Secret(bytes.fromhex(EK)[::-1])),
        NewRecord(RecordKind.CERTIFICATE, certificate("meter.pem"), "signature"),
        NewRecord(RecordKind.CERTIFICATE, certificate("meter-agree.pem"), "key-agreement"),
    ]
    ours = [
        NewRecord(RecordKind.SIGNING_KEY, laboratory.signing.to_secret()),
        NewRecord(RecordKind.AGREEMENT_KEY, laboratory.agreement.to_secret()),
        NewRecord(RecordKind.CERTIFICATE, certificate("client.pem"), "signature"),
    ]
    with KeyStore.create(path, key_file) as store, store.change("test") as change:
        change.add_meter("kitchen", suite=1, system_title=bytes.fromhex(METER), records=records)
        change.add_meter("head-end", suite=1, system_title=bytes.fromhex(TITLE), records=ours)
    return path


STORED = {
    "key_store": "meters.keys",
    "meter": "kitchen",
    "key_store_key_file": "unlock.key",
    "key_store_client": "head-end",
    "mechanism": "hls-ecdsa",
    "layers": "sign+cipher:one-pass",
}


def write(folder: Path, values: dict[str, Any]) -> Path:
    path = folder / "stored.toml"
    path.write_text(toml(values))
    return path


def test_keys_and_certificates_of_the_key_store(laboratory: Laboratory) -> None:
    stored(laboratory)
    found = load_security(write(laboratory.folder, STORED)).client
    assert found.parties is not None
    keys, meter = found.parties.keys, bytes.fromhex(METER)
    assert keys.signing_key_of(meter) == laboratory.meter_signs.public
    assert keys.agreement_key_of(meter) == laboratory.meter_agrees.public
    assert keys.agreement_key_of(bytes.fromhex(TITLE)) is None
    assert found.parties.agreement_key is not None
    assert found.parties.agreement_key.public == laboratory.agreement.public
    assert found.signing_key is not None
    assert found.signing_key.public == laboratory.signing.public
    assert found.signers is not None
    assert found.signers.signer(meter) == laboratory.meter_signs.public
    assert found.certificate is None
    assert found.material is not None
    assert found.material.kek is None
    sent = load_security(write(laboratory.folder, STORED | {"send_certificate": True})).client
    assert sent.certificate is not None
    wrapped = load_security(write(laboratory.folder, STORED | {"layers": "cipher:wrapped"})).client
    assert wrapped.material is not None
    assert wrapped.material.kek is not None


def test_certificates_of_the_key_store_lead_to_the_trust_anchors_where_there_are_any(laboratory: Laboratory) -> None:
    stored(laboratory)
    other = new_root(name="Other")
    pem_file(laboratory.folder / "other.pem", other.certificate)
    with pytest.raises(ConfigurationError, match="certificates of the security settings"):
        load_security(write(laboratory.folder, STORED | {"trust_anchors": "other.pem"}))
    pem_file(laboratory.folder / "both.pem", laboratory.root.certificate, laboratory.sub.certificate)
    found = load_security(write(laboratory.folder, STORED | {"trust_anchors": "both.pem"})).client
    assert found.parties is not None
    assert found.parties.keys.agreement_key_of(bytes.fromhex(METER)) == laboratory.meter_agrees.public


def test_a_certificate_of_the_key_store_that_has_expired_is_not_believed(laboratory: Laboratory) -> None:
    now = dt.datetime.now(dt.UTC)
    expired = laboratory.issue(laboratory.meter_agrees, METER, AGREEMENT, not_after=now - dt.timedelta(hours=1))
    pem_file(laboratory.folder / "meter-agree.pem", expired)
    stored(laboratory)
    found = load_security(write(laboratory.folder, STORED)).client
    assert found.parties is not None
    assert found.parties.keys.agreement_key_of(bytes.fromhex(METER)) is None


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"kek": EK}, "keys stand in one place"),
        ({"agreement_key": OUR_AGREEMENT[0]}, "the agreement-key is that of head-end in the key store too"),
        ({"key_store_client": "kitchen", "send_certificate": "maybe"}, "send_certificate is true or false"),
    ],
)
def test_what_is_in_the_key_store_stands_nowhere_else(laboratory: Laboratory, said: dict[str, Any], says: str) -> None:
    stored(laboratory)
    with pytest.raises(ConfigurationError, match=says):
        load_security(write(laboratory.folder, STORED | said))


def test_handles_are_taken_as_they_are() -> None:
    token, agreement = Token(new_key()), SoftwareAgreementKey.generate(SUITE)
    parties = client(signing_key=token, agreement_key=agreement, layers="sign").parties
    assert parties is not None
    assert parties.signing_key is token
    assert parties.agreement_key is agreement


def test_a_token_needs_its_pin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(private_keys.TOKEN_PIN, raising=False)
    token = {"signing_key": "", "token": "lab", "token_library": "/nowhere.so", "token_signing_key": "sign"}
    pytest.importorskip("pkcs11")
    with pytest.raises(ConfigurationError, match="COSEMIC_TOKEN_PIN in the environment, or name token_pin_file"):
        client(**token)
    pin = tmp_path / "pin"
    pin.write_text("")
    pin.chmod(0o600)
    with pytest.raises(ConfigurationError, match="is empty"):
        client(**token, token_pin_file=str(pin))
    pin.write_text("1234\n")
    with pytest.raises(ConfigurationError, match=r"nowhere\.so"):
        client(**token, token_pin_file=str(pin))


def test_known_meters_have_parties_too(tmp_path: Path) -> None:
    table = toml(PARTY | {"layers": "sign+cipher:static", "transactions": "t", "counters": "c"})
    meters = tmp_path / "meters.toml"
    meters.write_text(f'[meters.kitchen]\nurl = "tcp://127.0.0.1"\n[meters.kitchen.security]\n{table}')
    meters.chmod(0o600)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = known_meter("kitchen", meters)
    found = load_security(known.security).client
    assert isinstance(found.layers, LayerPlan)
    assert found.parties is not None
    found.parties.transactions.next_own(found.system_title)
    assert (tmp_path / "t").exists()


# ---- third parties ---------------------------------------------------------------------------------------------------

ASKING: dict[str, Any] = {
    "system_title": THIRD,
    "server_title": METER,
    "suite": 1,
    "layers": "sign+cipher:one-pass",
    "authentication_key": AK,
    "signing_key": OURS[0],
    "agreement_key": OUR_AGREEMENT[0],
    "server_public_key": THEIRS[1],
    "server_agreement_key": THEIR_AGREEMENT[1],
}


def test_settings_of_a_third_party(tmp_path: Path) -> None:
    path = tmp_path / "third.toml"
    path.write_text(toml(ASKING | {"transactions": "third.transactions", "require": "signed"}))
    found = load_third_party(path)
    assert (found.title.hex(), found.server_title.hex(), found.suite.id) == (THIRD, METER, 1)
    assert found.key_infos == {K.ONE_PASS}
    assert len(found.authentication_key) == 16
    assert found.require is Protection.SIGNED
    found.transactions.next_own(found.title)
    assert (tmp_path / "third.transactions").exists()
    assert OURS[0] not in repr(found)
    assert len(load_third_party({n: v for n, v in ASKING.items() if n != "authentication_key"}).authentication_key) == 0


def test_a_third_party_has_its_keys_in_a_key_store(laboratory: Laboratory) -> None:
    stored(laboratory)
    said = {name: STORED[name] for name in ("key_store", "meter", "key_store_key_file", "key_store_client", "layers")}
    found = load_third_party(write(laboratory.folder, said))
    assert (found.title.hex(), found.server_title.hex(), found.suite.id) == (TITLE, METER, 1)
    assert found.signing_key is not None
    assert found.agreement_key is not None
    assert found.signing_key.public == laboratory.signing.public
    assert found.agreement_key.public == laboratory.agreement.public
    assert found.keys.agreement_key_of(found.server_title) == laboratory.meter_agrees.public
    with KeyStore(laboratory.folder / "meters.keys", KeyFile(laboratory.folder / "unlock.key")) as store:
        used = {entry.what for entry in store.audit() if entry.action == "use"}
    assert not any("encryption-key" in what or "kek" in what for what in used)
    with pytest.raises(ConfigurationError, match="key_store and key_store_client"):
        load_third_party(write(laboratory.folder, {name: said[name] for name in said if name != "key_store_client"}))


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"encryption_key": EK}, "encryption_key: no setting of a third party"),
        ({"layers": ""}, "a third party needs layers"),
        ({"server_title": ""}, "a third party needs server_title"),
        ({"suite": 3}, "suite of a third party is 1 or 2"),
        ({"layers": "cipher"}, "can only agree on keys"),
        ({"layers": "cipher:wrapped"}, "can only agree on keys"),
        ({"authentication_key": "xy"}, "authentication_key is not hexadecimal"),
        ({"system_title": "00"}, "8 octets"),
    ],
)
def test_third_parties_that_cannot_be_are_refused(said: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        load_third_party(ASKING | said)
