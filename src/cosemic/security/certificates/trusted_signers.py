"""Signers that trust anchors vouch for: certificates that were imported, and those that come with an AARQ or AARE."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from cosemic.model.security_setup import CertificateType
from cosemic.security.certificates.certificate import Certificate
from cosemic.security.certificates.certificate_store import CertificateStore
from cosemic.security.certificates.chain import verify_end_entity
from cosemic.security.elliptic import PublicKey


class TrustedSigners:
    """Finds signers by certificates (:class:`~cosemic.security.signers.PeerCertificates`).

    store: trust anchors, sub-CAs, imported certificates, revocation lists and suite. now: gives the instant at which
    certificates have to be valid, with its time zone. take_presented: a certificate that the entity sends itself counts
    like one that was imported; False: it is passed over, so that removing a certificate shuts its entity out.

    A presented certificate that does not hold is refused, whatever was imported.
    """

    def __init__(self, store: CertificateStore, now: Callable[[], dt.datetime], *, take_presented: bool = True) -> None:
        self._store = store
        self._now = now
        self._take_presented = take_presented

    def signer(self, title: bytes, presented: bytes | None = None) -> PublicKey:
        """Return the public key for digital signatures of an entity. Raises CertificateError."""
        store, use = self._store, CertificateType.DIGITAL_SIGNATURE
        if presented is None or not self._take_presented:
            return store.trusted(title, use, self._now()).public_key
        certificate = Certificate.of(presented)
        verify_end_entity(
            certificate,
            use,
            suite=store.suite,
            system_title=title,
            anchors=store.anchors,
            at=self._now(),
            intermediates=[each for each in store.certificates if each.is_authority],
            revocation=store.revocation,
        )
        return certificate.public_key
