"""Authorities, keys and certificates for tests, and the openssl of the machine to hold them against."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cosemic.model.security_setup import CertificateType
from cosemic.security.certificates import Certificate, CertificateAuthority, MemoryRegister
from cosemic.security.certificates.pem import to_pem
from cosemic.security.elliptic import PublicKey, SoftwareSigningKey
from cosemic.security.suite import security_suite

AT = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
YEAR = dt.timedelta(days=365)
METER = bytes.fromhex("4D4D4D0000BC614E")
CLIENT = bytes.fromhex("4D4D4D0000000001")
SUITE_1, SUITE_2 = security_suite(1), security_suite(2)
SIGNATURE, AGREEMENT, TLS = CertificateType.DIGITAL_SIGNATURE, CertificateType.KEY_AGREEMENT, CertificateType.TLS
USES = (SIGNATURE, AGREEMENT, TLS)
OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="no openssl here: nothing to hold our certificates against")


class Token:
    """A signing key that signs, and does nothing else: what a token offers."""

    def __init__(self, key: SoftwareSigningKey) -> None:
        self._key = key
        self.signed: list[bytes] = []

    @property
    def public(self) -> PublicKey:
        return self._key.public

    def sign(self, data: bytes) -> bytes:
        self.signed.append(data)
        return self._key.sign(data)


def new_key(suite: int = 1) -> SoftwareSigningKey:
    return SoftwareSigningKey.generate(security_suite(suite))


def new_root(suite: int = 1, path_length: int | None = None, name: str = "Root") -> CertificateAuthority:
    key = new_key(suite)
    return CertificateAuthority.root(
        key, name, MemoryRegister(), not_before=AT - YEAR, not_after=AT + 20 * YEAR, path_length=path_length
    )


def below(
    parent: CertificateAuthority,
    suite: int = 1,
    *,
    name: str = "Sub",
    begins: dt.datetime = AT - YEAR,
    ends: dt.datetime = AT + 10 * YEAR,
    path_length: int | None = None,
) -> CertificateAuthority:
    key = new_key(suite)
    certificate = parent.issue_authority(key.public, name, not_before=begins, not_after=ends, path_length=path_length)
    return CertificateAuthority(key, certificate, MemoryRegister())


def issued(
    authority: CertificateAuthority,
    title: bytes = METER,
    use: CertificateType = SIGNATURE,
    *,
    suite: int = 1,
    begins: dt.datetime = AT - dt.timedelta(days=1),
    ends: dt.datetime = AT + YEAR,
) -> Certificate:
    return authority.issue(new_key(suite).public, title, use, not_before=begins, not_after=ends)


def openssl(*arguments: str | Path) -> str:
    """Run it; the text that it prints, of both streams."""
    assert OPENSSL is not None
    ran = subprocess.run([OPENSSL, *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False)
    return ran.stdout + ran.stderr


def pem_file(path: Path, *certificates: Certificate) -> Path:
    path.write_bytes(b"".join(to_pem(each.octets) for each in certificates))
    return path


Extension = tuple[x509.ExtensionType, bool]
USAGE = x509.KeyUsage(True, False, False, False, False, False, False, False, False)


def by_hand(
    *extensions: Extension,
    subject: x509.Name | None = None,
    issuer: str = "Root",
    key: ec.EllipticCurvePublicKey | object = None,
    signer: ec.EllipticCurvePrivateKey | None = None,
    digest: hashes.HashAlgorithm | None = None,
    begins: dt.datetime = AT - YEAR,
    ends: dt.datetime = AT + YEAR,
    serial: int = 7,
) -> bytes:
    """A certificate that is made by the library alone, with what it is told and nothing else."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(common_name(METER.hex().upper()) if subject is None else subject)
        .issuer_name(common_name(issuer))
        .public_key(ec.generate_private_key(ec.SECP256R1()).public_key() if key is None else key)  # type: ignore[arg-type]
        .serial_number(serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    made = builder.sign(signer or ec.generate_private_key(ec.SECP256R1()), digest or hashes.SHA256())
    return made.public_bytes(Encoding.DER)


def common_name(*names: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
