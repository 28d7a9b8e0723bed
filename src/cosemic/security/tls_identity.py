"""Who a TLS certificate belongs to: the system title in it (IEC 62056-5-3, X.509 profile; IEC 62056-9-7).

TLS has verified the certificate already: validity, usage, path to a trusted root. What is left is whom it names; where
that stands is said in :mod:`cosemic.security.certificates.titles`.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

from cryptography import x509

from cosemic.errors import AuthenticationFailed
from cosemic.security.certificates.titles import named_titles

# TypeError: of a name whose value is a BIT STRING where it may be none.
_UNREADABLE: Final = (
    ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType,
)  # fmt: skip


def certified_system_title(certificate: bytes) -> bytes:
    """Return the system title, 8 octets, that a certificate (DER) names.

    Raises AuthenticationFailed where it cannot be read, or names none, or more than one.
    """
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        titles = named_titles(parsed.subject, parsed.extensions)
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
