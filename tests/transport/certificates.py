"""Certificates for tests, made when they are asked for: C(TLS) of meters and head-ends, and what is wrong with some."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
METER_TITLE = bytes.fromhex("4D4D4D0000BC614E")
HEAD_END_TITLE = bytes.fromhex("4844450000000001")
HARDWARE_MODULE_NAME = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")
BOTH_SIDES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass
class Identity:
    """A certificate and its key, in a PEM file each and in one together."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    folder: Path
    name: str

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def certificate_file(self) -> Path:
        return self._file("crt", self.certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def key_file(self) -> Path:
        return self.key_file_with(serialization.NoEncryption())

    @property
    def both(self) -> Path:
        return self._file("pem", self.certificate_file.read_bytes() + self.key_file.read_bytes())

    def key_file_with(self, protection: serialization.KeySerializationEncryption) -> Path:
        octets = self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
        return self._file("key", octets)

    def _file(self, kind: str, octets: bytes) -> Path:
        path = self.folder / f"{self.name}.{kind}"
        path.write_bytes(octets)
        return path


class Authority:
    """A root CA."""

    def __init__(self, folder: Path, name: str = "root") -> None:
        self.folder = folder
        self.identity = self._sign(
            name, _named(name), ec.generate_private_key(ec.SECP256R1()), None, NOW - dt.timedelta(days=1), 10, None, ()
        )

    @property
    def file(self) -> Path:
        return self.identity.certificate_file

    def issue(
        self,
        name: str,
        *,
        subject: x509.Name | None = None,
        begins: dt.datetime = NOW - dt.timedelta(hours=1),
        days: float = 1,
        alternative: x509.SubjectAlternativeName | None = None,
        usages: tuple[x509.ObjectIdentifier, ...] = BOTH_SIDES,
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _named(name) if subject is None else subject
        return self._sign(name, subject, key, self.identity, begins, days, alternative, usages)

    def _sign(
        self,
        name: str,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        issuer: Identity | None,
        begins: dt.datetime,
        days: float,
        alternative: x509.SubjectAlternativeName | None,
        usages: tuple[x509.ObjectIdentifier, ...],
    ) -> Identity:
        ca = issuer is None
        signing = key if issuer is None else issuer.key
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + dt.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
            .add_extension(x509.KeyUsage(not ca, False, False, False, not ca, ca, ca, False, False), critical=True)
        )
        if ca:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        else:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if alternative is not None:
            builder = builder.add_extension(alternative, critical=not list(subject))
        return Identity(builder.sign(signing, hashes.SHA256()), key, self.folder, name)


def hardware_name(title: bytes) -> x509.SubjectAlternativeName:
    """The system title as hwSerialNum of a HardwareModuleName (RFC 4108)."""
    value = bytes.fromhex("06032A0304") + bytes((4, len(title))) + title
    return x509.SubjectAlternativeName([x509.OtherName(HARDWARE_MODULE_NAME, bytes((0x30, len(value))) + value)])


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
