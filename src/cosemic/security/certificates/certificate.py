"""X.509 certificates of the DLMS/COSEM profile (IEC 62056-5-3; Green Book 9.2.6; RFC 5280; reference, security 13).

::

    Certificate = SEQUENCE { tbsCertificate, signatureAlgorithm, signature }
    tbsCertificate = SEQUENCE { [0] version 2, serialNumber, signatureAlgorithm, issuer, validity, subject,
                                subjectPublicKeyInfo, [3] extensions }

=================  =================================  ==============================================================
certificate        KeyUsage (critical)                beside it
=================  =================================  ==============================================================
root, sub-CA       keyCertSign and cRLSign            BasicConstraints (critical), perhaps with a path length
digital signature  digitalSignature                   one system title; neither BasicConstraints nor ExtendedKeyUsage
key agreement      keyAgreement                       the same
TLS                digitalSignature and keyAgreement  the same, but ExtendedKeyUsage: serverAuth, clientAuth or both
=================  =================================  ==============================================================

Keys are on P-256 or P-384, written without compression; a CA signs with the hash of its curve. A certificate that is
otherwise, or that has a critical extension that is not one of these, a name or a policy, is refused when it is read:
there is no :class:`Certificate` that does not fit. Whether it is genuine is the chain's
(:mod:`cosemic.security.certificates.chain`).
"""

from __future__ import annotations

import datetime as dt
from typing import Final, Self, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID

from cosemic.errors import CertificateError, ConfigurationError, DecodeError
from cosemic.model.security_setup import CertificateType
from cosemic.security.certificates import der
from cosemic.security.certificates.der import refuse
from cosemic.security.certificates.titles import named_titles
from cosemic.security.elliptic import P256, P384, Curve, PublicKey
from cosemic.security.suite import SecuritySuite

LONGEST_CERTIFICATE: Final = 8192
"""Octets of a certificate or certification request that is looked at; usual are 400 to 1,000."""
INDEFINITE: Final = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
"""The end of a validity that has none (RFC 5280, 4.1.2.5)."""
UNREADABLE: Final = (
    ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType, CryptographyDeprecationWarning,
)  # fmt: skip
"""What the library raises over octets that it cannot make sense of; the warning, where warnings are errors."""
ALGORITHMS: Final[dict[bytes, Curve]] = {
    bytes.fromhex("300a06082a8648ce3d040302"): P256,
    bytes.fromhex("300a06082a8648ce3d040303"): P384,
}
"""AlgorithmIdentifiers, DER: ecdsa-with-SHA256 and ecdsa-with-SHA384, and the curve of the keys that sign so."""
_KEYS: Final[dict[bytes, Curve]] = {
    bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"): P256,
    bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004"): P384,
}
"""What stands before x || y in a subjectPublicKeyInfo."""
_VERSION_3: Final = bytes.fromhex("a003020102")
_RECOGNISED: Final = (
    x509.KeyUsage, x509.BasicConstraints, x509.SubjectAlternativeName, x509.ExtendedKeyUsage, x509.CertificatePolicies,
    x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier,
)  # fmt: skip
_LONGEST_TEXT: Final = 120
_SIGN, _AGREE = "digital_signature", "key_agreement"
_AUTHORITY: Final = frozenset(("key_cert_sign", "crl_sign"))
_USAGES: Final = (_SIGN, "content_commitment", "key_encipherment", "data_encipherment", _AGREE, *sorted(_AUTHORITY))
TYPES: Final = {
    frozenset((_SIGN,)): CertificateType.DIGITAL_SIGNATURE,
    frozenset((_AGREE,)): CertificateType.KEY_AGREEMENT,
    frozenset((_SIGN, _AGREE)): CertificateType.TLS,
}
"""What an end entity's key usage is for."""
Kind = TypeVar("Kind", bound=x509.ExtensionType)
_SIDES: Final = frozenset((ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH))


class Certificate:
    """A certificate that was read and fits the profile; not necessarily a genuine one.

    ``octets``: DER. ``serial_number``: as number. ``issuer``, ``subject``: DER Names; ``issuer_text``,
    ``subject_text``: to be read. ``subject_alt_name``: DER GeneralNames, empty without. ``not_before``, ``not_after``:
    UTC, both included. ``public_key``: of the subject. ``type``: what an end entity's is for; OTHER of a CA.
    ``is_authority``: of a CA. ``path_length``: how many CAs may stand below this one, None for any. ``system_title``:
    8 octets, None of a CA. ``key_identifier``, ``authority_key_identifier``: None where they do not stand there.
    ``tls_server``, ``tls_client``: sides of TLS that it is for. ``to_be_signed``, ``signature``, ``signing_curve``:
    what its issuer has signed, and how.

    Compares by octets.
    """

    __slots__ = (
        "authority_key_identifier", "is_authority", "issuer", "issuer_text", "key_identifier", "not_after",
        "not_before", "octets", "path_length", "public_key", "serial_number", "signature", "signing_curve", "subject",
        "subject_alt_name", "subject_text", "system_title", "tls_client", "tls_server", "to_be_signed", "type",
    )  # fmt: skip

    def __init__(self, octets: bytes) -> None:
        if len(octets) > LONGEST_CERTIFICATE:
            refuse(f"a certificate has at most {LONGEST_CERTIFICATE} octets, not {len(octets)}")
        self.octets = octets = bytes(octets)
        signed, fields, self.signing_curve = taken_apart(octets, "certificate")
        self.to_be_signed, self.signature = signed
        self._take_fields(fields)
        try:
            self._take_library(x509.load_der_x509_certificate(octets))
        except UNREADABLE as error:
            raise CertificateError("the certificate cannot be read: ask for a new one") from error

    @classmethod
    def of(cls, octets: bytes) -> Self:
        """Return the certificate that the octets, DER, are. Raises CertificateError for any that are none of ours."""
        return cls(octets)

    def _take_fields(self, fields: list[der.Element]) -> None:
        """Take what is cut out by hand."""
        tags = [field.tag for field in fields]
        if fields[:1] and fields[0].whole != _VERSION_3:
            refuse("the certificate is not of X.509 version 3")
        if tags != [0xA0, der.INTEGER, *[der.SEQUENCE] * 5, 0xA3]:
            refuse("the certificate does not have the fields of the profile: names, validity, key and extensions")
        self.serial_number = der.serial_number(fields[1])
        self.issuer, self.subject = fields[3].whole, fields[5].whole
        self.public_key = read_public_key(fields[6].whole, "certificate")
        der.check_issuer_serials(fields[7].contents, "certificate")

    def _take_library(self, parsed: x509.Certificate) -> None:
        """Take what the library reads, and hold it against the profile."""
        self.not_before, self.not_after = parsed.not_valid_before_utc, parsed.not_valid_after_utc
        if self.not_before > self.not_after:
            refuse("the certificate ends before it begins")
        extensions = parsed.extensions
        check_critical(extensions, _RECOGNISED, "certificate")
        self.subject_text, self.issuer_text = readable(parsed.subject), readable(parsed.issuer)
        key_identifier = _extension(extensions, x509.SubjectKeyIdentifier)
        self.key_identifier = None if key_identifier is None else key_identifier.value.digest
        authority = _extension(extensions, x509.AuthorityKeyIdentifier)
        self.authority_key_identifier = None if authority is None else authority.value.key_identifier
        alternative = _extension(extensions, x509.SubjectAlternativeName)
        self.subject_alt_name = b"" if alternative is None else alternative.value.public_bytes()
        if not list(parsed.subject) and (alternative is None or not alternative.critical):
            refuse("the certificate has neither a subject nor a critical SubjectAltName")
        usage = _extension(extensions, x509.KeyUsage)
        if usage is None or not usage.critical:
            refuse("the certificate has no critical KeyUsage")
        usages = key_usages(usage.value)
        self._take_kind(usages, _extension(extensions, x509.BasicConstraints))
        self._take_sides(_extension(extensions, x509.ExtendedKeyUsage))
        titles = named_titles(parsed.subject, extensions)
        if not self.is_authority and len(titles) != 1:
            refuse(
                f"the certificate names {'several system titles' if titles else 'no system title'}: one has to "
                "stand in its subject (CN, 16 hexadecimal digits) or be its HardwareModuleName"
            )
        self.system_title = None if self.is_authority else titles.pop()

    def _take_kind(self, usages: frozenset[str], basic: x509.Extension[x509.BasicConstraints] | None) -> None:
        self.is_authority = basic is not None and basic.value.ca
        self.path_length = None if basic is None else basic.value.path_length
        if basic is not None and not (self.is_authority and basic.critical):
            refuse("BasicConstraints stand in the certificate of a CA, where they are critical, and in no other")
        if self.is_authority != (usages == _AUTHORITY) or not (self.is_authority or usages in TYPES):
            refuse(
                f"a {'CA' if self.is_authority else 'certificate'} with the key usage {_listed(usages)} is not of the "
                "profile: a CA signs certificates and lists; any other is for digitalSignature, keyAgreement or both"
            )
        self.type = CertificateType.OTHER if self.is_authority else TYPES[usages]

    def _take_sides(self, extended: x509.Extension[x509.ExtendedKeyUsage] | None) -> None:
        usages = frozenset() if extended is None else frozenset(extended.value)
        if (self.type is CertificateType.TLS) != bool(usages & _SIDES) or (usages and not usages & _SIDES):
            refuse("ExtendedKeyUsage stands in the certificate of TLS, with serverAuth or clientAuth, and in no other")
        self.tls_server = ExtendedKeyUsageOID.SERVER_AUTH in usages
        self.tls_client = ExtendedKeyUsageOID.CLIENT_AUTH in usages

    @property
    def serial_octets(self) -> bytes:
        """The serial number as DER INTEGER, with tag and length."""
        return der.integer(self.serial_number)

    @property
    def is_self_issued(self) -> bool:
        """Whether issuer and subject are one: of a root, where the signature is its own too."""
        return self.issuer == self.subject

    def check_validity(self, at: dt.datetime) -> None:
        """Raise CertificateError unless it is valid at ``at``, an instant with time zone."""
        check_instant(at)
        if at < self.not_before:
            refuse(f"{self} is not valid yet: it begins {self.not_before:%Y-%m-%d %H:%M:%S} UTC; check the clock")
        if at > self.not_after:
            refuse(f"{self} has expired: it ended {self.not_after:%Y-%m-%d %H:%M:%S} UTC; ask for a new one")

    def check_use(
        self, use: CertificateType, suite: SecuritySuite | None = None, system_title: bytes | None = None
    ) -> None:
        """Raise CertificateError unless it is an end entity's for ``use``, on the curve of the suite, of that title."""
        if self.is_authority or self.type is not use:
            kind = "of a CA" if self.is_authority else f"for {self.type.label}"
            refuse(f"{self} is not for {use.label}: it is {kind}")
        curve = self.public_key.suite_curve
        if suite is not None and curve != suite.curve:
            refuse(f"the key of {self} is on {curve}: security suite {suite.id} needs {suite.curve}")
        if system_title is not None and self.system_title != system_title:
            refuse(f"{self} is not that of {system_title.hex().upper()}: check address and system title")

    def check_issuer(self, issuer: Certificate) -> None:
        """Raise CertificateError unless ``issuer`` is a CA's that may and did sign this one; its own validity is not
        looked at.
        """
        if not issuer.is_authority:
            refuse(f"{issuer} is not that of a CA: it vouches for nobody")
        if issuer.subject != self.issuer or not identifiers_fit(self.authority_key_identifier, issuer.key_identifier):
            refuse(f"{issuer} is not the issuer of {self}")
        if self.public_key.curve.length > issuer.public_key.curve.length:
            refuse(f"the key of {self} is on P-384: a CA on P-256 cannot vouch for it")
        if not signed_by(issuer.public_key, self.signing_curve, self.to_be_signed, self.signature):
            refuse(f"{self} was not signed by {issuer}")

    def __eq__(self, other: object) -> bool:
        return self.octets == other.octets if isinstance(other, Certificate) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.octets)

    def __str__(self) -> str:
        who = self.subject_text or (self.system_title.hex().upper() if self.system_title else "")
        return f"the certificate {self.serial_number:x} of {who}"

    def __repr__(self) -> str:
        kind = "CA" if self.is_authority else self.type.label
        return f"<Certificate {self.serial_number:x}, {kind}, {self.subject_text or self.system_title!r}>"

    def __reduce__(self) -> tuple[object, ...]:
        return Certificate.of, (self.octets,)


def taken_apart(octets: bytes, what: str) -> tuple[tuple[bytes, bytes], list[der.Element], Curve]:
    """Return what is signed and the DER signature, the fields of what is signed, and the curve that signs so.

    Raises CertificateError. The algorithm that stands among the fields of a certificate or list has to be the same.
    """
    parts = der.elements(der.whole(octets, what).contents, what)
    if [part.tag for part in parts] != [der.SEQUENCE, der.SEQUENCE, der.BIT_STRING]:
        refuse(f"the {what} does not consist of what is signed, algorithm and signature")
    signed, algorithm, signature = parts
    curve = ALGORITHMS.get(algorithm.whole)
    if curve is None:
        refuse(f"the {what} is signed neither with ecdsa-with-SHA256 nor with ecdsa-with-SHA384")
    if signature.contents[:1] != b"\0":
        refuse(f"the signature of the {what} does not consist of whole octets")
    fields = der.elements(signed.contents, what)
    named = {"certificate": 2, "revocation list": 1}.get(what)
    if named is not None and [field.whole for field in fields[named : named + 1]] != [algorithm.whole]:
        refuse(f"the {what} names two signature algorithms")
    return (signed.whole, signature.contents[1:]), fields, curve


def read_public_key(octets: bytes, what: str) -> PublicKey:
    """Return the key of a subjectPublicKeyInfo, fully validated. Raises CertificateError."""
    for prefix, curve in _KEYS.items():
        if octets.startswith(prefix):
            try:
                return PublicKey(curve, octets[len(prefix) :])
            except DecodeError as error:
                raise CertificateError(f"the {what} holds no valid public key: {error.expected} is expected") from None
    return refuse(f"the {what} holds no public key on P-256 or P-384 that is written without compression")


def signed_by(public: PublicKey, curve: Curve, data: bytes, signature: bytes) -> bool:
    """Tell whether a DER signature that names the hash of ``curve`` is that of the key over the octets."""
    if curve is not public.curve:
        return False
    try:
        public.to_cryptography().verify(signature, data, curve.verifying)
    except InvalidSignature:
        return False
    return True


def identifiers_fit(authority: bytes | None, subject: bytes | None) -> bool:
    """Tell whether a key identifier of an issuer contradicts that of a CA: only where both are there can they."""
    return authority is None or subject is None or authority == subject


def key_usages(usage: x509.KeyUsage) -> frozenset[str]:
    """Return the names of the key usages; those that only say how a key agrees count as one that is not known."""
    found = {name for name in _USAGES if getattr(usage, name)}
    if usage.key_agreement and (usage.encipher_only or usage.decipher_only):
        found.add("encipher_only")
    return frozenset(found)


def readable(name: x509.Name) -> str:
    """Return a name for messages: not long, and without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else "?" for sign in name.rfc4514_string()[:_LONGEST_TEXT])


def check_critical(extensions: x509.Extensions, known: tuple[type[x509.ExtensionType], ...], what: str) -> None:
    """Raise CertificateError for a critical extension that is none of those known."""
    unknown = [one.oid.dotted_string for one in extensions if one.critical and not isinstance(one.value, known)]
    if unknown:
        refuse(f"the {what} has a critical extension that is not of the profile: {', '.join(unknown)[:80]}")


def check_instant(at: dt.datetime) -> None:
    """Raise ConfigurationError for an instant without time zone."""
    if at.tzinfo is None:
        raise ConfigurationError("an instant is handed in with its time zone, as in datetime.now(UTC)")


def _extension(extensions: x509.Extensions, kind: type[Kind]) -> x509.Extension[Kind] | None:
    try:
        return extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _listed(usages: frozenset[str]) -> str:
    return ", ".join(sorted(name.replace("_", " ") for name in usages)) or "none"
