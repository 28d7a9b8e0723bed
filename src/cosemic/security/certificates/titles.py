"""System titles in the names of certificates and requests (IEC 62056-5-3, X.509 profile; reference, security 13).

::

    subject CN                  the system title as 16 hexadecimal digits
    subject empty               SubjectAltName, otherName HardwareModuleName (RFC 4108):
                                SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING: the system title }
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from cosemic.errors import ConfigurationError
from cosemic.security.certificates.der import OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, tlv
from cosemic.security.suite import SYSTEM_TITLE_LENGTH

HARDWARE_MODULE_NAME: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")
_TITLE: Final = re.compile(r"[0-9A-Fa-f]{16}")
_SERIAL: Final = bytes((OCTET_STRING, SYSTEM_TITLE_LENGTH))
"""Tag and length of the OCTET STRING hwSerialNum that is a system title."""


def named_titles(subject: x509.Name, extensions: x509.Extensions) -> set[bytes]:
    """Return the system titles that a certificate or request names: one, unless something is wrong with it."""
    names = [str(name.value) for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return {*(bytes.fromhex(name) for name in names if _TITLE.fullmatch(name)), *_hardware_titles(extensions)}


def titled_subject(system_title: bytes) -> x509.Name:
    """Return the subject of the entity with that system title: CN of 16 hexadecimal digits in capitals."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, checked_title(system_title).hex().upper())])


def hardware_module_name(system_title: bytes, hardware_type: str) -> x509.SubjectAlternativeName:
    """Return the SubjectAltName of the entity with that system title; hardware_type: OBJECT IDENTIFIER of its maker.

    Raises ConfigurationError.
    """
    try:
        # The only extension that is a bare OBJECT IDENTIFIER in a SEQUENCE gives its DER.
        identifier = x509.ExtendedKeyUsage([x509.ObjectIdentifier(hardware_type)]).public_bytes()[2:]
    except ValueError:
        raise ConfigurationError(f"the hardware type {hardware_type!r} is no object identifier, as 1.2.3.4") from None
    name = tlv(SEQUENCE, identifier, tlv(OCTET_STRING, checked_title(system_title)))
    return x509.SubjectAlternativeName([x509.OtherName(HARDWARE_MODULE_NAME, name)])


def checked_title(system_title: bytes) -> bytes:
    """Return a system title. Raises ConfigurationError when it has not 8 octets."""
    if len(system_title) != SYSTEM_TITLE_LENGTH:
        raise ConfigurationError(f"a system title has {SYSTEM_TITLE_LENGTH} octets, not {len(system_title)}")
    return bytes(system_title)


def hardware_names(alternative: x509.SubjectAlternativeName) -> Iterator[x509.OtherName]:
    """Give the HardwareModuleNames whose serial number is a system title."""
    for name in alternative.get_values_for_type(x509.OtherName):
        if name.type_id == HARDWARE_MODULE_NAME and _serial_number(name.value):
            yield name


def _hardware_titles(extensions: x509.Extensions) -> list[bytes]:
    try:
        alternative = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [_serial_number(name.value) for name in hardware_names(alternative)]


def _serial_number(name: bytes) -> bytes:
    """Return hwSerialNum, where the octets are a whole HardwareModuleName and it is a title; else nothing."""
    if len(name) < 4 or name[:3] != bytes((SEQUENCE, len(name) - 2, OBJECT_IDENTIFIER)):
        return b""
    serial = name[4 + name[3] :]
    return serial[2:] if len(serial) == 10 and serial.startswith(_SERIAL) else b""
