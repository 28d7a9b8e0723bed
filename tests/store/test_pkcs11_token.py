"""Keys in a PKCS#11 token, against SoftHSM (Debian: apt-get install softhsm2)."""

from __future__ import annotations

import pickle
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from cosemic.errors import ConfigurationError, DecipheringError, StoreError
from cosemic.security import SoftwareAgreementKey, security_suite
from cosemic.security.signatures import verify
from cosemic.store.key_store import KeyFile, KeyStore, NewRecord, RecordKind
from cosemic.store.key_store.shipments import Shipped, parse_mapping, shipped_meters
from cosemic.store.pkcs11_token import Pkcs11Token
from cosemic.values import Secret

LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
LIBRARY = next((each for each in LIBRARIES if Path(each).exists()), None)
PIN = "648-301-27"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pkcs11Token]:
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed: pip install 'cosemic[pkcs11]'")
    tool = shutil.which("softhsm2-util")
    if LIBRARY is None or tool is None:
        pytest.skip("SoftHSM is not installed: apt-get install softhsm2")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
    arguments = ["--init-token", "--free", "--label", "lab", "--pin", PIN, "--so-pin", "so-" + PIN]
    subprocess.run([tool, *arguments], check=True, capture_output=True)
    with pytest.raises(ConfigurationError, match="PIN of token lab is wrong") as caught:
        Pkcs11Token(LIBRARY, "lab", Secret.password("wrong-pin"))
    assert "wrong-pin" not in str(caught.value)
    with Pkcs11Token(LIBRARY, "lab", Secret.password(PIN)) as opened:
        yield opened
    patch.undo()


@pytest.mark.parametrize("number", [1, 2])
def test_a_signature_of_the_token_is_one_of_its_public_key(token: Pkcs11Token, number: int) -> None:
    suite = security_suite(number)
    key = token.generate_signing_key(suite, f"signing {number}")
    signature = key.sign(b"AARQ")
    assert len(signature) == suite.signature_length
    verify(key.public, b"AARQ", signature)
    assert token.signing_key(f"signing {number}").public == key.public


@pytest.mark.parametrize("number", [1, 2])
def test_the_token_agrees_with_a_key_outside_of_it(token: Pkcs11Token, number: int) -> None:
    suite = security_suite(number)
    key, peer = token.generate_agreement_key(suite, f"agreement {number}"), SoftwareAgreementKey.generate(suite)
    assert key.exchange(peer.public) == peer.exchange(key.public)
    other = SoftwareAgreementKey.generate(security_suite(3 - number))
    with pytest.raises(ConfigurationError, match="agree on nothing"):
        key.exchange(other.public)


def test_what_the_token_wraps_it_unwraps_and_nothing_else(token: Pkcs11Token) -> None:
    token.generate_secret_key(32, "transport")
    key = token.wrapping_key("transport")
    for secret in (Secret(bytes(range(16))), Secret(bytes(range(32)))):
        wrapped = key.wrap(secret)
        assert len(wrapped) == len(secret.reveal()) + 8
        assert key.unwrap(wrapped) == secret
        for place in range(len(wrapped)):
            changed = bytearray(wrapped)
            changed[place] ^= 1
            with pytest.raises(DecipheringError):
                key.unwrap(bytes(changed))
    with pytest.raises(DecipheringError):
        key.unwrap(bytes(23))
    with pytest.raises(DecipheringError):
        key.unwrap(aes_key_wrap(bytes(32), bytes(16)))


def test_wrapped_keys_of_a_shipment_are_opened_by_the_token(token: Pkcs11Token) -> None:
    token.generate_secret_key(16, "shipment")
    key = token.wrapping_key("shipment")
    mapping = parse_mapping(
        {"format": "csv", "columns": {"name": "n"}, "keys": {"kek": {"column": "k", "wrapped": True}}}
    )
    (meter,) = shipped_meters(b"n,k\nm1," + key.wrap(Secret(b"k" * 16)).hex().encode(), mapping, key)
    assert isinstance(meter, Shipped)
    assert meter.records[0].secret == Secret(b"k" * 16)


def test_gcm_of_the_token_is_gcm(token: Pkcs11Token) -> None:
    token.generate_secret_key(16, "gcm")
    key = token.encryption_key("gcm")
    sealed = key.encrypt(bytes(12), b"GET", b"\x30")
    assert len(sealed) == 3 + 16
    assert key.decrypt(bytes(12), sealed, b"\x30") == b"GET"
    # Counter mode: the key stream of one IV is the same for all plaintexts, as in AESGCM.
    assert bytes(a ^ b for a, b in zip(key.encrypt(bytes(12), b"\0\0\0", b""), sealed, strict=False))[:3] == b"GET"
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 0x80
        with pytest.raises(DecipheringError):
            key.decrypt(bytes(12), bytes(changed), b"\x30")
    with pytest.raises(DecipheringError):
        key.decrypt(bytes(12), sealed, b"\x31")
    with pytest.raises(ConfigurationError):
        key.encrypt(bytes(16), b"", b"")


def test_gcm_of_the_token_is_that_of_the_library(token: Pkcs11Token) -> None:
    module, octets = token.module, bytes(range(16))
    with token.working() as session:
        session.create_object(
            token.attributes(
                CLASS=module.ObjectClass.SECRET_KEY, KEY_TYPE=module.KeyType.AES, VALUE=octets, LABEL="known",
                TOKEN=False, ENCRYPT=True,
            )
        )  # fmt: skip
    sealed = token.encryption_key("known").encrypt(b"n" * 12, b"data", b"aad")
    assert sealed == AESGCM(octets).encrypt(b"n" * 12, b"data", b"aad")


def test_a_token_opens_a_key_store(token: Pkcs11Token, tmp_path: Path) -> None:
    token.generate_secret_key(32, "master")
    token.generate_secret_key(32, "other master")
    unlocker = token.unlocker("master")
    with KeyStore.create(tmp_path / "keys", unlocker) as store, store.change("test") as change:
        change.add_meter("m1", records=[NewRecord(RecordKind.KEK, Secret(b"k" * 16))])
    with KeyStore(tmp_path / "keys", unlocker) as store:
        store.rotate(unlocker, purpose="test")
        assert store.key("m1", RecordKind.KEK, purpose="test").reveal() == b"k" * 16
    with pytest.raises(ConfigurationError, match="does not open"):
        KeyStore(tmp_path / "keys", token.unlocker("other master"))
    with pytest.raises(ConfigurationError, match="not opened by a key file"):
        KeyStore(tmp_path / "keys", KeyFile.make(tmp_path / "key"))


def test_nothing_of_a_token_is_shown_or_pickled(token: Pkcs11Token) -> None:
    token.generate_secret_key(16, "shown")
    key = token.wrapping_key("shown")
    assert repr(key) == "<TokenWrappingKey in token lab>"
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_what_is_not_there_is_said(token: Pkcs11Token) -> None:
    assert LIBRARY is not None
    with pytest.raises(ConfigurationError, match="0 objects private key with label nobody"):
        token.signing_key("nobody")
    with pytest.raises(ConfigurationError, match="no token another"):
        Pkcs11Token(LIBRARY, "another", Secret.password(PIN))
    with pytest.raises(ConfigurationError, match="open in this process"):
        Pkcs11Token(LIBRARY, "lab", Secret.password(PIN))
    with pytest.raises((ConfigurationError, StoreError)):
        Pkcs11Token("/nowhere/module.so", "lab", Secret.password(PIN))


def test_security_settings_name_keys_in_the_token(
    token: Pkcs11Token, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from cosemic.store import private_keys
    from cosemic.store.security_settings import load_security

    suite = security_suite(1)
    signing = token.generate_signing_key(suite, "settings sign")
    agreement = token.generate_agreement_key(suite, "settings agree")
    meter, meter_agrees = SoftwareAgreementKey.generate(suite), SoftwareAgreementKey.generate(suite)
    monkeypatch.setitem(private_keys._TOKENS, (str(LIBRARY), "lab"), token)  # it is open in this process
    settings = {
        "suite": 1,
        "system_title": "434f530000000001",
        "server_title": "4d4d4d0000bc614e",
        "encryption_key": "00" * 15 + "01",
        "authentication_key": "00" * 15 + "02",
        "token": "lab",
        "token_library": str(LIBRARY),
        "token_signing_key": "settings sign",
        "token_agreement_key": "settings agree",
        "server_public_key": meter.public.octets.hex(),
        "server_agreement_key": meter_agrees.public.octets.hex(),
        "layers": "sign+cipher:static",
        "transactions": str(tmp_path / "transactions"),
        "counters": str(tmp_path / "counters"),
    }
    parties = load_security(settings).client.parties
    assert parties is not None
    assert parties.signing_key is not None
    assert parties.agreement_key is not None
    assert parties.signing_key.public == signing.public
    assert parties.agreement_key.public == agreement.public
    verify(signing.public, b"APDU", parties.signing_key.sign(b"APDU"))
    with pytest.raises(ConfigurationError, match="objects private key with label nothing"):
        load_security(settings | {"token_signing_key": "nothing"})
