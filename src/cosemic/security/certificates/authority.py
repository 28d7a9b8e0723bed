"""A certification authority for laboratories and tests (IEC 62056-5-3, X.509 profile; reference, security 13).

Root, sub-CAs, end entities, revocation. It works with a key that is a handle, at instants that are handed in, and keeps
what must not be forgotten in an :class:`AuthorityRegister`: a serial number is entered there before anything is signed
with it, and so never comes twice. It is no public key infrastructure: nobody checks here who asks for what.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cosemic.errors import CertificateError, ConfigurationError
from cosemic.model.security_setup import CertificateType
from cosemic.security.certificates.certificate import INDEFINITE, Certificate, check_instant
from cosemic.security.certificates.der import refuse
from cosemic.security.certificates.request import CertificateRequest, title_names, usage_of
from cosemic.security.certificates.revocation import RevocationList
from cosemic.security.certificates.signing import sign_certificate, sign_list
from cosemic.security.elliptic import PublicKey, SigningKey

SERIAL_LENGTH: Final = 16
"""Octets of the serial numbers given; 126 bits of them are drawn."""
ANY_POLICY: Final = "2.5.29.32.0"
"""Certificate policy of sub-CAs and TLS, unless another is named."""
_LONGEST_NAME: Final = 64
_AUTHORITY_USAGE: Final = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
REASONS: Final = {
    reason.name.replace("_", "-"): reason
    for reason in x509.ReasonFlags
    if reason is not x509.ReasonFlags.remove_from_crl
}
"""Reasons of a revocation by name: key-compromise, superseded, cessation-of-operation ..."""
Revoked = Mapping[int, tuple[dt.datetime, x509.ReasonFlags]]
"""Serial numbers, each with the instant of its revocation and the reason."""


class AuthorityRegister(Protocol):
    """What an authority must not forget. Each change is durable when the call returns; else it raises."""

    def reserve_serial(self, serial_number: int) -> bool:
        """Enter a serial number that is about to be used; False when it was entered before."""

    def record(self, certificate: Certificate) -> None:
        """Keep a certificate that was issued."""

    def is_issued(self, serial_number: int) -> bool:
        """Tell whether a certificate with that serial number was kept."""

    def revoke(self, serial_number: int, at: dt.datetime, reason: x509.ReasonFlags) -> None:
        """Enter a revocation; a second one of the same number changes nothing."""

    def revoked(self) -> Revoked:
        """Return all that was revoked."""

    def next_list_number(self) -> int:
        """Return a number for a revocation list, higher than all before."""


@dataclass(slots=True)
class MemoryRegister:
    """A register that is forgotten with the process: for tests."""

    serials: set[int] = field(default_factory=set)
    issued: dict[int, Certificate] = field(default_factory=dict)
    revocations: dict[int, tuple[dt.datetime, x509.ReasonFlags]] = field(default_factory=dict)
    lists: int = 0

    def reserve_serial(self, serial_number: int) -> bool:
        """Enter a serial number; False when it was entered before."""
        fresh = serial_number not in self.serials
        self.serials.add(serial_number)
        return fresh

    def record(self, certificate: Certificate) -> None:
        """Keep a certificate."""
        self.issued[certificate.serial_number] = certificate

    def is_issued(self, serial_number: int) -> bool:
        """Tell whether a certificate with that serial number was kept."""
        return serial_number in self.issued

    def revoke(self, serial_number: int, at: dt.datetime, reason: x509.ReasonFlags) -> None:
        """Enter a revocation."""
        self.revocations.setdefault(serial_number, (at, reason))

    def revoked(self) -> Revoked:
        """Return all that was revoked."""
        return self.revocations

    def next_list_number(self) -> int:
        """Return a number for a revocation list."""
        self.lists += 1
        return self.lists


class CertificateAuthority:
    """An authority: its key, its certificate and its register.

    key: handle; of the certificate, or ConfigurationError. policy: OBJECT IDENTIFIER of the certificate policy of
    sub-CAs and TLS. random: gives that many octets; for tests.
    """

    def __init__(
        self,
        key: SigningKey,
        certificate: Certificate,
        register: AuthorityRegister,
        *,
        policy: str = ANY_POLICY,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        if not certificate.is_authority or certificate.public_key != key.public:
            raise ConfigurationError(f"{certificate} is not that of a CA with this key: take both from one folder")
        self.certificate = certificate
        self._key = key
        self._register = register
        self._policy = policy
        self._random = random
        self._subject = x509.load_der_x509_certificate(certificate.octets).subject

    @classmethod
    def root(
        cls,
        key: SigningKey,
        name: str,
        register: AuthorityRegister,
        *,
        not_before: dt.datetime,
        not_after: dt.datetime = INDEFINITE,
        path_length: int | None = None,
        policy: str = ANY_POLICY,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> Self:
        """Return a new root, whose certificate is signed by its own key.

        name: CN, 1 to 64 characters. path_length: CAs that may stand below it; None: any. Raises ConfigurationError.
        """
        subject = authority_name(name)
        builder = _begun(key.public, subject, subject, not_before, not_after, _fresh_serial(register, random))
        builder = _of_authority(builder, path_length, _identifier(key.public))
        certificate = Certificate.of(sign_certificate(builder, key))
        certificate.check_issuer(certificate)
        register.record(certificate)
        return cls(key, certificate, register, policy=policy, random=random)

    def issue_authority(
        self,
        public_key: PublicKey,
        name: str,
        *,
        not_before: dt.datetime,
        not_after: dt.datetime = INDEFINITE,
        path_length: int | None = None,
    ) -> Certificate:
        """Return the certificate of a sub-CA: for its public key, CN ``name``, path length as far as ours allows.

        Raises CertificateError where ours allows none, ConfigurationError for an impossible name or validity.
        """
        ours = self.certificate.path_length
        if ours is not None and (ours == 0 or (path_length or 0) >= ours):
            refuse(f"{self.certificate} may have {ours} CAs below it: make the new one under another")
        if path_length is None and ours is not None:
            path_length = ours - 1
        builder = self._begun(public_key, authority_name(name), not_before, not_after)
        builder = _of_authority(builder, path_length, self._identifier())
        return self._issued(builder.add_extension(self._policies(), critical=False))

    def issue(
        self,
        public_key: PublicKey,
        system_title: bytes,
        use: CertificateType,
        *,
        not_before: dt.datetime,
        not_after: dt.datetime = INDEFINITE,
        hardware_type: str | None = None,
        tls_server: bool = True,
        tls_client: bool = True,
    ) -> Certificate:
        """Return the certificate of an end entity.

        system_title: 8 octets. use: digital signature, key agreement or TLS, of the sides that are true. hardware_type:
        OBJECT IDENTIFIER, where the system title is to stand in a HardwareModuleName and not in the subject. Raises
        CertificateError for a key on P-384 under a CA on P-256, ConfigurationError for impossible values.
        """
        subject, alternative = title_names(system_title, hardware_type)
        sides = [
            usage
            for usage, wanted in (
                (ExtendedKeyUsageOID.SERVER_AUTH, tls_server),
                (ExtendedKeyUsageOID.CLIENT_AUTH, tls_client),
            )
            if wanted
        ]
        return self._issue(public_key, subject, alternative, use, not_before, not_after, sides)

    def issue_for(
        self,
        request: CertificateRequest,
        use: CertificateType | None = None,
        *,
        not_before: dt.datetime,
        not_after: dt.datetime = INDEFINITE,
        system_title: bytes | None = None,
    ) -> Certificate:
        """Return the certificate that an end entity asks for: its key and system title, nothing else of the request.

        use: where the request does not say what the key is for. system_title: that the request has to name, where that
        is known. Raises CertificateError where the request says otherwise, or does not say it.
        """
        wanted = request.type if use is None else use
        if request.is_authority or wanted is None or request.type not in (None, wanted):
            if request.type is None and not request.is_authority:
                refuse("the request does not say what the key is for: say it")
            asked = "a CA" if request.is_authority or request.type is None else request.type.label
            refuse(f"the request is for {asked}: ask for the certificate of that, or have it made anew")
        title = request.system_title
        if title is None or system_title not in (None, title):
            refuse(
                f"the request names {title.hex().upper() if title else 'no system title'}"
                + (f", not {system_title.hex().upper()}" if system_title else "")
                + ": have it made anew"
            )
        subject, alternative = (
            (x509.Name([]), x509.SubjectAlternativeName([request.hardware_name]))
            if request.hardware_name is not None and not list(request.subject)
            else title_names(title, None)
        )
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return self._issue(request.public_key, subject, alternative, wanted, not_before, not_after, both)

    def revoke(
        self, serial_number: int, at: dt.datetime, reason: x509.ReasonFlags = x509.ReasonFlags.unspecified
    ) -> None:
        """Revoke a certificate that was issued here; the next list has it. Raises CertificateError for any other."""
        check_instant(at)
        if serial_number == self.certificate.serial_number or not self._register.is_issued(serial_number):
            refuse(f"{self.certificate} has not issued a certificate with the serial number {serial_number:x}")
        if reason is x509.ReasonFlags.remove_from_crl:
            raise ConfigurationError("a revocation cannot be undone: issue a new certificate")
        self._register.revoke(serial_number, at, reason)

    def revocation_list(self, this_update: dt.datetime, next_update: dt.datetime) -> RevocationList:
        """Return a list of all that was revoked, from one instant to the next. Raises ConfigurationError."""
        begins, ends = _instant(this_update), _instant(next_update)
        if begins >= ends:
            raise ConfigurationError("the next revocation list comes after this one: give a later instant")
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._subject)
            .last_update(begins)
            .next_update(ends)
            .add_extension(self._identifier(), critical=False)
            .add_extension(x509.CRLNumber(self._register.next_list_number()), critical=False)
        )
        for serial_number, (at, reason) in sorted(self._register.revoked().items()):
            entry = x509.RevokedCertificateBuilder().serial_number(serial_number).revocation_date(_instant(at))
            if reason is not x509.ReasonFlags.unspecified:
                entry = entry.add_extension(x509.CRLReason(reason), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        made = RevocationList.of(sign_list(builder, self._key))
        made.check_signature(self.certificate)
        return made

    def _issue(
        self,
        public_key: PublicKey,
        subject: x509.Name,
        alternative: x509.SubjectAlternativeName | None,
        use: CertificateType,
        not_before: dt.datetime,
        not_after: dt.datetime,
        sides: list[x509.ObjectIdentifier],
    ) -> Certificate:
        usage = usage_of(use)
        builder = self._begun(public_key, subject, not_before, not_after)
        builder = builder.add_extension(self._identifier(), critical=False).add_extension(usage, critical=True)
        if alternative is not None:
            builder = builder.add_extension(alternative, critical=True)
        if use is CertificateType.TLS:
            if not sides:
                raise ConfigurationError("a certificate of TLS is for the server, the client or both")
            builder = builder.add_extension(x509.ExtendedKeyUsage(sides), critical=False)
            builder = builder.add_extension(self._policies(), critical=False)
        return self._issued(builder)

    def _begun(
        self, public_key: PublicKey, subject: x509.Name, not_before: dt.datetime, not_after: dt.datetime
    ) -> x509.CertificateBuilder:
        if public_key.curve.length > self.certificate.public_key.curve.length:
            refuse("a key on P-384 needs a CA on P-384: make one for suite 2")
        serial_number = _fresh_serial(self._register, self._random)
        return _begun(public_key, subject, self._subject, not_before, not_after, serial_number)

    def _issued(self, builder: x509.CertificateBuilder) -> Certificate:
        """Sign, read back like anybody's, and keep."""
        certificate = Certificate.of(sign_certificate(builder, self._key))
        certificate.check_issuer(self.certificate)
        self._register.record(certificate)
        return certificate

    def _identifier(self) -> x509.AuthorityKeyIdentifier:
        known = self.certificate.key_identifier
        return _identifier(self._key.public) if known is None else x509.AuthorityKeyIdentifier(known, None, None)

    def _policies(self) -> x509.CertificatePolicies:
        return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(self._policy), None)])


def authority_name(name: str) -> x509.Name:
    """Return the subject of a CA: CN. Raises ConfigurationError."""
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ConfigurationError(
            f"a CA has a name of 1 to {_LONGEST_NAME} characters that can be printed, not {name!r}"
        )
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _fresh_serial(register: AuthorityRegister, random: Callable[[int], bytes]) -> int:
    """Draw a serial number, always as long, and have it entered before it is used."""
    for _ in range(8):
        drawn = random(SERIAL_LENGTH)
        number = int.from_bytes(bytes((drawn[0] & 0x7F | 0x40,)) + drawn[1:], "big")
        if register.reserve_serial(number):
            return number
    raise CertificateError("no fresh serial number was drawn: the source of random numbers repeats itself")


def _begun(
    public_key: PublicKey,
    subject: x509.Name,
    issuer: x509.Name,
    not_before: dt.datetime,
    not_after: dt.datetime,
    serial_number: int,
) -> x509.CertificateBuilder:
    begins, ends = _instant(not_before), _instant(not_after)
    if begins >= ends:
        raise ConfigurationError("a certificate ends after it begins: give a later instant")
    key = public_key.to_cryptography()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial_number)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _of_authority(
    builder: x509.CertificateBuilder, path_length: int | None, identifier: x509.AuthorityKeyIdentifier
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(identifier, critical=False)
        .add_extension(_AUTHORITY_USAGE, critical=True)
        .add_extension(x509.BasicConstraints(True, path_length), critical=True)
    )


def _identifier(public_key: PublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key.to_cryptography())


def _instant(at: dt.datetime) -> dt.datetime:
    """Return an instant in UTC, to the second, as certificates have it; years that they have. ConfigurationError."""
    check_instant(at)
    at = at.astimezone(dt.UTC).replace(microsecond=0)
    if at.year < 1950:
        raise ConfigurationError("certificates know no instant before 1950")
    return at
