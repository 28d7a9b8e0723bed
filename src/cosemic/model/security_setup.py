"""Interface class for policy, keys and certificates: Security setup (IEC 62056-6-2, 5.3)."""

from __future__ import annotations

from enum import IntFlag
from typing import Final

from cosemic.model.compound import ArrayOf, Choice, Structure, field
from cosemic.model.enumerated import BitsOf, EnumOf
from cosemic.model.formats import Pkcs10Request, SystemTitle, X509Certificate
from cosemic.model.interface_class import InterfaceClass, attribute, dynamic, method, static
from cosemic.model.types import Enum, OctetString
from cosemic.values import Enumeration


class SecurityPolicyV0(Enumeration):
    """What version 0 asks of all messages."""

    NOTHING = 0
    ALL_MESSAGES_AUTHENTICATED = 1
    ALL_MESSAGES_ENCRYPTED = 2
    ALL_MESSAGES_AUTHENTICATED_AND_ENCRYPTED = 3


class SecurityPolicyV1(IntFlag):
    """What version 1 asks of requests and responses; 0: nothing. Bits 0 and 1 are not used."""

    AUTHENTICATED_REQUEST = 4
    ENCRYPTED_REQUEST = 8
    DIGITALLY_SIGNED_REQUEST = 16
    AUTHENTICATED_RESPONSE = 32
    ENCRYPTED_RESPONSE = 64
    DIGITALLY_SIGNED_RESPONSE = 128


class SecuritySuiteV0(Enumeration):
    """The suite of version 0."""

    AES_GCM_128 = 0


class SecuritySuiteV1(Enumeration):
    """The suites of version 1."""

    AES_GCM_128 = 0
    AES_GCM_128_ECDSA_P256_ECDH_P256_SHA256 = 1
    AES_GCM_256_ECDSA_P384_ECDH_P384_SHA384 = 2


class SetupKeyId(Enumeration):
    """Which key is transferred or agreed."""

    GLOBAL_UNICAST_ENCRYPTION_KEY = 0
    GLOBAL_BROADCAST_ENCRYPTION_KEY = 1
    AUTHENTICATION_KEY = 2
    MASTER_KEY = 3


class KeyPair(Enumeration):
    """What a key pair is for."""

    DIGITAL_SIGNATURE = 0
    KEY_AGREEMENT = 1
    TLS = 2


class CertificateEntity(Enumeration):
    """Whose certificate it is."""

    SERVER = 0
    CLIENT = 1
    CERTIFICATION_AUTHORITY = 2
    OTHER = 3


class CertificateType(Enumeration):
    """What the certificate is for."""

    DIGITAL_SIGNATURE = 0
    KEY_AGREEMENT = 1
    TLS = 2
    OTHER = 3


class CertificateIdentificationType(Enumeration):
    """How a certificate is named."""

    BY_ENTITY = 0
    BY_SERIAL = 1


_KEY_ID: Final = EnumOf(SetupKeyId, "key_id")
_KEY_PAIR: Final = EnumOf(KeyPair, "key_pair_type")
_ENTITY: Final = EnumOf(CertificateEntity, "certificate_entity")
_TYPE: Final = EnumOf(CertificateType, "certificate_type")


class KeyTransferData(Structure, name="key_transfer_data"):
    """A key, wrapped with the master key."""

    key_id: SetupKeyId | int = field(_KEY_ID)
    key_wrapped: bytes = field(OctetString)


class KeyAgreementData(Structure, name="key_agreement_data"):
    """One side's part of a key agreement: ephemeral public key and signature."""

    key_id: SetupKeyId | int = field(_KEY_ID)
    key_data: bytes = field(OctetString)


class CertificateInfo(Structure, name="certificate_info"):
    """A certificate that the server holds."""

    certificate_entity: CertificateEntity | int = field(_ENTITY)
    certificate_type: CertificateType | int = field(_TYPE)
    serial_number: bytes = field(OctetString)
    issuer: bytes = field(OctetString)
    subject: bytes = field(OctetString)
    subject_alt_name: bytes = field(OctetString)


class CertificateByEntity(Structure):
    """The certificate of an entity, by its system title."""

    certificate_entity: CertificateEntity | int = field(_ENTITY)
    certificate_type: CertificateType | int = field(_TYPE)
    system_title: bytes = field(SystemTitle)


class CertificateBySerial(Structure):
    """The certificate with a serial number of an issuer."""

    serial_number: bytes = field(OctetString)
    issuer: bytes = field(OctetString)


_Options: Final[Choice[CertificateByEntity | CertificateBySerial]] = Choice(
    by_entity=CertificateByEntity, by_serial=CertificateBySerial
)


class CertificateIdentification(Structure, name="certificate_identification"):
    """Which certificate."""

    certificate_identification_type: CertificateIdentificationType | int = field(EnumOf(CertificateIdentificationType))
    certification_identification_options: CertificateByEntity | CertificateBySerial = field(_Options)


class _SecuritySetup(InterfaceClass):
    """What both versions share."""

    client_system_title = attribute(4, SystemTitle[8], dynamic)
    server_system_title = attribute(5, SystemTitle[8], static)


_POLICY_V0: Final = EnumOf(SecurityPolicyV0, "security_policy_v0")
_POLICY_V1: Final = BitsOf(Enum, SecurityPolicyV1, "security_policy_v1")


class SecuritySetupVersion0(_SecuritySetup, class_id=64, version=0, name="Security setup"):
    """Policy and symmetric keys of suite 0."""

    security_policy = attribute(2, _POLICY_V0, static)
    security_suite = attribute(3, EnumOf(SecuritySuiteV0), static)

    security_activate = method(1, _POLICY_V0, sn_offset=0x28)
    """A policy can be made stronger, never weaker."""
    global_key_transfer = method(2, ArrayOf(KeyTransferData), sn_offset=0x30)


class SecuritySetup(_SecuritySetup, class_id=64, version=1, name="Security setup"):
    """Policy for requests and responses, three suites, key agreement and certificates."""

    security_policy = attribute(2, _POLICY_V1, static)
    security_suite = attribute(3, EnumOf(SecuritySuiteV1), static)
    certificates = attribute(6, ArrayOf(CertificateInfo), dynamic)

    security_activate = method(1, _POLICY_V1, sn_offset=0x30)
    """A policy can be made stronger, never weaker."""
    key_transfer = method(2, ArrayOf(KeyTransferData), sn_offset=0x38)
    key_agreement = method(3, ArrayOf(KeyAgreementData), returns=ArrayOf(KeyAgreementData), sn_offset=0x40)
    generate_key_pair = method(4, _KEY_PAIR, sn_offset=0x48)
    generate_certificate_request = method(5, _KEY_PAIR, returns=Pkcs10Request, sn_offset=0x50)
    import_certificate = method(6, X509Certificate, sn_offset=0x58)
    export_certificate = method(7, CertificateIdentification, returns=X509Certificate, sn_offset=0x60)
    remove_certificate = method(8, CertificateIdentification, sn_offset=0x68)
