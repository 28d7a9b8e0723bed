"""Whose signatures are believed: public keys for digital signatures, by system title (Green Book 9.2.3.4).

Whoever checks a signature asks a :class:`PeerCertificates` for the key of the signer, and hands in the certificate that
the signer has sent itself, where it has: mechanism 7 lets it travel in calling- and responding-AE-qualifier, as the
octets of its DER. :class:`KnownSigners` knows keys that were agreed upon beforehand; certificates and trust anchors are
those of :class:`cosemic.security.certificates.TrustedSigners`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cosemic.errors import CertificateError, ConfigurationError
from cosemic.security.elliptic import PublicKey
from cosemic.security.suite import SYSTEM_TITLE_LENGTH


class PeerCertificates(Protocol):
    """Finds the verified public keys of others."""

    def signer(self, title: bytes, presented: bytes | None = None) -> PublicKey:
        """Return the public key for digital signatures of the entity with that system title, 8 octets.

        presented: the certificate that it has sent itself, DER; anything may stand there. Raises CertificateError
        where no key can be believed to be that entity's, and for a presented certificate that does not hold.
        """


class KnownSigners:
    """Public keys that were agreed upon beforehand, by system title; what is presented is passed over.

    Raises ConfigurationError for a title that has not 8 octets.
    """

    def __init__(self, keys: Mapping[bytes, PublicKey]) -> None:
        for title in keys:
            if len(title) != SYSTEM_TITLE_LENGTH:
                raise ConfigurationError(f"a system title has 8 octets, not {len(title)}")
        self._keys = dict(keys)

    def signer(self, title: bytes, presented: bytes | None = None) -> PublicKey:
        """Return the key of that entity. Raises CertificateError where none is known."""
        try:
            return self._keys[title]
        except KeyError:
            raise CertificateError(
                f"no public key of {title.hex().upper()} is known: give the one for its signatures, or its certificate"
            ) from None
