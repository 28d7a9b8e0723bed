"""Certification requests, PKCS#10 (RFC 2986; IEC 62056-6-2, Security setup method 5; reference, security 13).

::

    CertificationRequest = SEQUENCE { certificationRequestInfo, signatureAlgorithm, signature }
    certificationRequestInfo = SEQUENCE { version 0, subject, subjectPublicKeyInfo, [0] attributes }

The subject is that of the certificate wanted; the signature, by the new key, shows that whoever asks has it. What the
key is for stands in an extensionRequest with KeyUsage, which may be missing.
"""

from __future__ import annotations

from typing import Final, Self

from cryptography import x509

from cosemic.errors import CertificateError, ConfigurationError
from cosemic.model.security_setup import CertificateType
from cosemic.security.certificates import der
from cosemic.security.certificates.certificate import (
    LONGEST_CERTIFICATE,
    TYPES,
    UNREADABLE,
    key_usages,
    read_public_key,
    readable,
    signed_by,
    taken_apart,
)
from cosemic.security.certificates.der import refuse
from cosemic.security.certificates.signing import sign_request
from cosemic.security.certificates.titles import hardware_module_name, hardware_names, named_titles, titled_subject
from cosemic.security.elliptic import SigningKey

_EXTENSION_REQUEST: Final = bytes.fromhex("06092a864886f70d01090e")
_VERSION_1: Final = bytes.fromhex("020100")


class CertificateRequest:
    """A request that was read, and whose signature was checked: whoever made it has the key.

    ``octets``: DER. ``public_key``: to be certified. ``system_title``: 8 octets, None where it names none (a sub-CA's).
    ``subject``: the Name wanted, as the library has it. ``type``: what the key is for, None where it does not say so.
    ``hardware_name``: its HardwareModuleName, None without. ``is_authority``: asks for the certificate of a CA.
    """

    __slots__ = ("hardware_name", "is_authority", "octets", "public_key", "subject", "system_title", "type")

    def __init__(self, octets: bytes) -> None:
        if len(octets) > LONGEST_CERTIFICATE:
            refuse(f"a certification request has at most {LONGEST_CERTIFICATE} octets, not {len(octets)}")
        self.octets = octets = bytes(octets)
        (signed, signature), fields, curve = taken_apart(octets, "certification request")
        if fields[:1] and fields[0].whole != _VERSION_1:
            refuse("the certification request is not of version 1")
        if [field.tag for field in fields] != [der.INTEGER, der.SEQUENCE, der.SEQUENCE, 0xA0]:
            refuse("the certification request does not consist of subject, key and attributes")
        self.public_key = read_public_key(fields[2].whole, "certification request")
        for attribute in der.elements(fields[3].contents, "certification request"):
            parts = der.elements(attribute.contents, "certification request")
            if len(parts) == 2 and parts[0].whole == _EXTENSION_REQUEST:
                der.check_issuer_serials(parts[1].contents, "certification request")
        if not signed_by(self.public_key, curve, signed, signature):
            refuse("the certification request is not signed by the key that it brings: make a new one")
        try:
            self._take_library(x509.load_der_x509_csr(octets))
        except UNREADABLE as error:
            raise CertificateError("the certification request cannot be read: make a new one") from error

    @classmethod
    def of(cls, octets: bytes) -> Self:
        """Return the request that the octets, DER, are.

        Raises CertificateError for any that are none, and where it is not signed by the key that it brings.
        """
        return cls(octets)

    def _take_library(self, parsed: x509.CertificateSigningRequest) -> None:
        extensions = parsed.extensions
        self.subject = parsed.subject
        titles = named_titles(parsed.subject, extensions)
        if len(titles) > 1:
            refuse("the certification request names several system titles")
        self.system_title = titles.pop() if titles else None
        self.type: CertificateType | None = None
        self.is_authority = False
        self.hardware_name: x509.OtherName | None = None
        for extension in extensions:
            if isinstance(extension.value, x509.BasicConstraints):
                self.is_authority = extension.value.ca
            elif isinstance(extension.value, x509.KeyUsage):
                self.type = TYPES.get(key_usages(extension.value))
            elif isinstance(extension.value, x509.SubjectAlternativeName):
                self.hardware_name = next(hardware_names(extension.value), None)

    def __eq__(self, other: object) -> bool:
        return self.octets == other.octets if isinstance(other, CertificateRequest) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.octets)

    def __repr__(self) -> str:
        return f"<CertificateRequest of {readable(self.subject)!r}>"


def make_request(
    key: SigningKey, system_title: bytes, use: CertificateType, *, hardware_type: str | None = None
) -> bytes:
    """Return a certification request, DER, for the public key of ``key``.

    use: what the key is for: digital signature, key agreement or TLS. hardware_type: OBJECT IDENTIFIER of the maker's
    kind of device, where the system title is to stand in a HardwareModuleName and not in the subject. Raises
    ConfigurationError.
    """
    subject, alternative = title_names(system_title, hardware_type)
    builder = x509.CertificateSigningRequestBuilder(subject).add_extension(usage_of(use), critical=True)
    if alternative is not None:
        builder = builder.add_extension(alternative, critical=True)
    return sign_request(builder, key)


def title_names(system_title: bytes, hardware_type: str | None) -> tuple[x509.Name, x509.SubjectAlternativeName | None]:
    """Return subject and SubjectAltName of the entity with that system title."""
    if hardware_type is None:
        return titled_subject(system_title), None
    return x509.Name([]), hardware_module_name(system_title, hardware_type)


def usage_of(use: CertificateType) -> x509.KeyUsage:
    """Return the KeyUsage of an end entity. Raises ConfigurationError for other uses."""
    usages = next((usages for usages, type_ in TYPES.items() if type_ is use), None)
    if usages is None:
        raise ConfigurationError(f"a certificate is for digital signature, key agreement or TLS, not for {use.label}")
    signs, agrees = "digital_signature" in usages, "key_agreement" in usages
    return x509.KeyUsage(signs, False, False, False, agrees, False, False, False, False)
