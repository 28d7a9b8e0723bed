"""PEM, in which certificates, requests, lists and keys lie in files (RFC 7468), beside DER as it is.

::

    -----BEGIN CERTIFICATE-----
    base64, 64 characters a line
    -----END CERTIFICATE-----
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from cosemic.errors import CertificateError
from cosemic.security.certificates.der import SEQUENCE, refuse

CERTIFICATE: Final = "CERTIFICATE"
REQUEST: Final = "CERTIFICATE REQUEST"
REVOCATION_LIST: Final = "X509 CRL"
ENCRYPTED_KEY: Final = "ENCRYPTED PRIVATE KEY"
LONGEST_FILE: Final = 1 << 22
"""Octets of a file that is looked at."""
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,32})-----\r?\n([A-Za-z0-9+/=\r\n \t]*)-----END \1-----")
_LABELS: Final = {"NEW CERTIFICATE REQUEST": REQUEST, "X.509 CRL": REVOCATION_LIST}
"""Other names that are in use."""
_LINE: Final = 64


def to_pem(octets: bytes, label: str = CERTIFICATE) -> bytes:
    """Return DER as PEM."""
    text = base64.b64encode(octets)
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    name = label.encode()
    return b"\n".join((b"-----BEGIN " + name + b"-----", *lines, b"-----END " + name + b"-----", b""))


def from_pem(octets: bytes, label: str | None = CERTIFICATE) -> list[tuple[str, bytes]]:
    """Return what a file holds: labels and DER; of a file that is DER itself, its octets under ``label``.

    ``label``: of what is looked for; others are passed over. None: all of PEM, and DER has the label "". Raises
    CertificateError where there is none, or a block is broken.
    """
    if len(octets) > LONGEST_FILE:
        refuse(f"the file has more than {LONGEST_FILE} octets: it does not hold certificates alone")
    if octets[:1] == bytes((SEQUENCE,)):
        return [(label or "", octets)]
    found = []
    for match in _BLOCK.finditer(octets):
        name = match[1].decode("ascii")
        name = _LABELS.get(name, name)
        if label in (None, name):
            try:
                found.append((name, base64.b64decode(b"".join(match[2].split()), validate=True)))
            except binascii.Error:
                raise CertificateError(f"the {name} in the file is not whole: get the file anew") from None
    if not found:
        refuse(f"the file holds no {(label or 'certificate, request, list or key').lower()}, neither PEM nor DER")
    return found
