"""What security settings say of digital signatures: our private key and certificate, and whose signatures are believed.

The names are those of :mod:`cosemic.store.security_settings`. Files lie beside the settings, unless their
names are absolute.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cosemic.errors import CertificateError, ConfigurationError, DecodeError, StoreError
from cosemic.model.security_setup import CertificateEntity, CertificateType
from cosemic.security import KnownSigners, PeerCertificates, PublicKey, SecuritySuite, SigningKey, SoftwareSigningKey
from cosemic.security.certificates import Certificate, CertificateStore, TrustedSigners
from cosemic.security.certificates.pem import LONGEST_FILE, from_pem
from cosemic.store.key_files import read_key_file
from cosemic.store.security_settings import SIGNATURES
from cosemic.values import Secret

PASSPHRASE: Final = "COSEMIC_PASSPHRASE"  # noqa: S105 - the name of the variable
_SIGNATURE: Final = CertificateType.DIGITAL_SIGNATURE


def signature_settings(
    values: Mapping[str, Any],
    beside: Path | None,
    suite: SecuritySuite,
    system_title: bytes,
    server_title: bytes | None,
) -> dict[str, Any]:
    """Return ``signing_key``, ``signers`` and ``certificate`` of client settings, those that are said.

    Raises ConfigurationError, which quotes no key.
    """
    given = {name: values[name] for name in SIGNATURES if values.get(name) not in (None, "")}
    if not given:
        return {}
    if suite.curve is None:
        raise ConfigurationError(f"{', '.join(sorted(given))}: security suite {suite.id} has no signatures, set suite")
    found: dict[str, Any] = {}
    key = _signing_key(given, beside, suite)
    if key is not None:
        found["signing_key"] = key
    try:
        signers = _signers(given, beside, suite, system_title, server_title)
        if signers is not None:
            found["signers"] = signers
        if "certificate" in given:
            found["certificate"] = _own(_one(given, "certificate", beside), key, suite, system_title)
    except CertificateError as error:
        raise ConfigurationError(f"certificates of the security settings: {error}") from None
    return found


def _signing_key(given: Mapping[str, Any], beside: Path | None, suite: SecuritySuite) -> SigningKey | None:
    if "signing_key_file" in given:
        if "signing_key" in given:
            raise ConfigurationError("signing_key and signing_key_file are one thing: give one of them")
        if not os.environ.get(PASSPHRASE):
            raise ConfigurationError(f"nothing opens signing_key_file: set {PASSPHRASE} in the environment")
        try:
            key = read_key_file(_path(given["signing_key_file"], beside), Secret.password(os.environ[PASSPHRASE]))
        except StoreError as error:
            raise ConfigurationError(str(error)) from None
    elif "signing_key" not in given:
        return None
    else:
        value = given["signing_key"]
        if not isinstance(value, str | bytes | bytearray | Secret):
            handle: SigningKey = value
            return handle
        secret = value if isinstance(value, Secret) else Secret(_octets("signing_key", value), "private key")
        key = SoftwareSigningKey.of(secret, suite)
    if key.public.suite_curve != suite.curve:
        raise ConfigurationError(
            f"signing_key_file is on {key.public.suite_curve}: suite {suite.id} needs {suite.curve}"
        )
    return key


def _signers(
    given: Mapping[str, Any], beside: Path | None, suite: SecuritySuite, system_title: bytes, server_title: bytes | None
) -> PeerCertificates | None:
    if "server_public_key" in given:
        if "trust_anchors" in given or "server_certificate" in given:
            raise ConfigurationError("server_public_key stands in place of trust_anchors and server_certificate")
        if server_title is None:
            raise ConfigurationError("server_public_key needs server_title beside it: whose key it is")
        try:
            public = PublicKey.of(_octets("server_public_key", given["server_public_key"]), suite)
        except DecodeError as error:
            raise ConfigurationError(f"server_public_key: {error}") from None
        return KnownSigners({server_title: public})
    if "trust_anchors" not in given:
        if "server_certificate" in given:
            raise ConfigurationError("server_certificate needs trust_anchors beside it: who vouches for it")
        return None
    anchors = _certificates(given, "trust_anchors", beside)
    store = CertificateStore(system_title, suite, entity=CertificateEntity.CLIENT, anchors=anchors)
    if "server_certificate" in given:
        store.import_certificate(_one(given, "server_certificate", beside).octets, _now())
    return TrustedSigners(store, _now)


def _own(certificate: Certificate, key: SigningKey | None, suite: SecuritySuite, system_title: bytes) -> bytes:
    """Return our certificate, DER, when it is ours: of our key and our title, for signatures."""
    certificate.check_use(_SIGNATURE, suite, system_title)
    if key is None or key.public != certificate.public_key:
        raise CertificateError(f"{certificate} is not for the private key that is given as signing_key")
    return certificate.octets


def _one(given: Mapping[str, Any], name: str, beside: Path | None) -> Certificate:
    found = _certificates(given, name, beside)
    if len(found) != 1:
        raise ConfigurationError(f"{name} is one certificate, and the file holds {len(found)}")
    return found[0]


def _certificates(given: Mapping[str, Any], name: str, beside: Path | None) -> list[Certificate]:
    value = given[name]
    octets = bytes(value) if isinstance(value, bytes | bytearray) else _read(name, _path(value, beside))
    return [Certificate.of(der) for _, der in from_pem(octets)]


def _read(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise ConfigurationError(f"{name} {path}: {error.strerror}") from None


def _octets(name: str, value: str | bytes | bytearray) -> bytes:
    if isinstance(value, str):
        try:
            return bytes.fromhex(value)
        except ValueError:
            raise ConfigurationError(f"{name} is not hexadecimal") from None
    return bytes(value)


def _path(text: object, beside: Path | None) -> Path:
    path = Path(str(text))
    return path if path.is_absolute() or beside is None else beside.parent / path


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
