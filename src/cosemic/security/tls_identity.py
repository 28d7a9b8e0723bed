"""Who a TLS certificate belongs to: the system title in it (IEC 62056-5-3, X.509 profile; IEC 62056-9-7).

::

    subject CN                  the system title as 16 hexadecimal digits
    subject empty               SubjectAltName, otherName HardwareModuleName (RFC 4108):
                                hwSerialNum is the 8 octets of the system title

TLS has verified the certificate already: validity, usage, path to a trusted root. What is left is whom it names.
"""

from __future__ import annotations

import re
from hmac import compare_digest
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from cosemic.errors import AuthenticationFailed

HARDWARE_MODULE_NAME: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")
# TypeError: of a name whose value is a BIT STRING where it may be none.
_UNREADABLE: Final = (
    ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType,
)  # fmt: skip
_TITLE: Final = re.compile(r"[0-9A-Fa-f]{16}")
_SEQUENCE, _OBJECT_IDENTIFIER = 0x30, 0x06
_SERIAL: Final = b"\x04\x08"
"""Tag and length of the OCTET STRING hwSerialNum that is a system title."""


def certified_system_title(certificate: bytes) -> bytes:
    """Return the system title, 8 octets, that a certificate (DER) names.

    Raises AuthenticationFailed where it cannot be read, or names none, or more than one.
    """
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        titles = {*_common_names(parsed), *_hardware_names(parsed)}
    except _UNREADABLE as error:
        raise AuthenticationFailed("the peer's certificate cannot be read: it needs a new one") from error
    if len(titles) != 1:
        raise AuthenticationFailed(
            f"the peer's certificate names {'several system titles' if titles else 'no system title'}: one has to "
            "stand in its subject (CN, 16 hexadecimal digits) or be its HardwareModuleName"
        )
    return titles.pop()


def check_certified_title(certificate: bytes | None, system_title: bytes) -> None:
    """Raise AuthenticationFailed unless a certificate (DER) is that of the peer with this system title.

    ``certificate`` is what a connection gives as ``peer_certificate``: None, without TLS, is refused.
    """
    if certificate is None:
        raise AuthenticationFailed("the peer has shown no certificate: connect with TLS")
    named = certified_system_title(certificate)
    if not compare_digest(named, system_title):
        raise AuthenticationFailed(
            f"the peer's certificate is that of {named.hex().upper()}, not of {system_title.hex().upper()}: check the "
            "address, and the system title configured"
        )


def _common_names(certificate: x509.Certificate) -> list[bytes]:
    names = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return [bytes.fromhex(name) for name in names if _TITLE.fullmatch(name)]


def _hardware_names(certificate: x509.Certificate) -> list[bytes]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [
        title
        for name in alternative.get_values_for_type(x509.OtherName)
        if name.type_id == HARDWARE_MODULE_NAME and (title := _serial_number(name.value))
    ]


def _serial_number(name: bytes) -> bytes | None:
    """Return hwSerialNum of SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }, where it is a title."""
    if len(name) < 4 or name[:3] != bytes((_SEQUENCE, len(name) - 2, _OBJECT_IDENTIFIER)):
        return None
    serial = name[4 + name[3] :]
    return serial[2:] if len(serial) == 10 and serial.startswith(_SERIAL) else None
