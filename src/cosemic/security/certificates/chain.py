"""From a certificate to a trust anchor (RFC 5280, 6; IEC 62056-5-3; reference, security 13).

::

    end entity  <-  sub-CA  <-  ...  <-  root          each signed by the next; the last is a trust anchor

Of every one: validity at the instant that is handed in, use, path length, signature, a CA on a curve that is not below
that of the key it vouches for, and, where lists are handed in, that it was not revoked. A chain has few certificates
and the search makes few signature checks, whatever is thrown at it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cosemic.errors import CertificateError
from cosemic.model.security_setup import CertificateType
from cosemic.security.certificates.certificate import Certificate, check_instant, identifiers_fit
from cosemic.security.certificates.der import refuse
from cosemic.security.certificates.revocation import RevocationLists
from cosemic.security.suite import SecuritySuite

DEFAULT_DEPTH: Final = 4
"""CAs in a chain, the trust anchor among them."""
MOST_CHECKS: Final = 16
"""Signatures of certificates that are looked at in one search."""


@dataclass(slots=True)
class _Search:
    """One search for a chain."""

    anchors: frozenset[Certificate]
    issuers: dict[bytes, list[Certificate]]
    at: dt.datetime
    depth: int
    revocation: RevocationLists | None
    checks: int = 0
    refused: CertificateError | None = field(default=None)
    """Why the first way that was tried led nowhere."""

    def climb(self, chain: tuple[Certificate, ...]) -> tuple[Certificate, ...] | None:
        """Return the chain led on to an anchor, or None."""
        last = chain[-1]
        if last in self.anchors:
            return chain
        if sum(each.is_authority for each in chain) >= self.depth:
            self._note(CertificateError(f"the chain of {chain[0]} has more than {self.depth} CAs"))
            return None
        for issuer in self.issuers.get(last.issuer, ()):
            if issuer in chain or not identifiers_fit(last.authority_key_identifier, issuer.key_identifier):
                continue
            if self.checks == MOST_CHECKS:
                self._note(CertificateError(f"no chain was found for {chain[0]} with {MOST_CHECKS} checks"))
                return None
            self.checks += 1
            try:
                self._check(chain, issuer)
            except CertificateError as error:
                self._note(error)
                continue
            found = self.climb((*chain, issuer))
            if found is not None:
                return found
        return None

    def _check(self, chain: tuple[Certificate, ...], issuer: Certificate) -> None:
        below = sum(each.is_authority for each in chain)
        issuer.check_validity(self.at)
        if issuer.path_length is not None and below > issuer.path_length:
            refuse(f"{issuer} may have {issuer.path_length} CAs below it, and has {below}")
        chain[-1].check_issuer(issuer)
        if self.revocation is not None:
            self.revocation.check(chain[-1], issuer, self.at)

    def _note(self, error: CertificateError) -> None:
        if self.refused is None:
            self.refused = error


def verify_chain(
    certificate: Certificate,
    *,
    anchors: Iterable[Certificate],
    at: dt.datetime,
    intermediates: Iterable[Certificate] = (),
    revocation: RevocationLists | None = None,
    depth: int = DEFAULT_DEPTH,
) -> tuple[Certificate, ...]:
    """Return the chain: the certificate, sub-CAs, and the trust anchor that it leads to.

    anchors: what is trusted, roots or sub-CAs. intermediates: sub-CAs that may stand between. at: an instant, with its
    time zone. revocation: lists by which each certificate below the anchor is checked; None: it is not looked at, as
    in meters. depth: CAs in a chain at most. The path length of a CA counts the CAs below it, a CA that is verified
    too. Raises CertificateError, with the reason why the first way that was tried leads nowhere.
    """
    check_instant(at)
    certificate.check_validity(at)
    trusted = frozenset(anchors)
    issuers: dict[bytes, list[Certificate]] = {}
    for each in dict.fromkeys((*trusted, *intermediates)):
        if each.is_authority:
            issuers.setdefault(each.subject, []).append(each)
    search = _Search(trusted, issuers, at, depth, revocation)
    if not certificate.is_authority:
        search.anchors = frozenset(each for each in trusted if each.is_authority)
    chain = search.climb((certificate,))
    if chain is None:
        raise search.refused or CertificateError(
            f"nobody who is trusted vouches for {certificate}: the certificate of its CA is missing"
        )
    return chain


def verify_end_entity(
    certificate: Certificate,
    use: CertificateType,
    *,
    suite: SecuritySuite,
    system_title: bytes | None,
    anchors: Iterable[Certificate],
    at: dt.datetime,
    intermediates: Iterable[Certificate] = (),
    revocation: RevocationLists | None = None,
    depth: int = DEFAULT_DEPTH,
) -> tuple[Certificate, ...]:
    """Return the chain of a certificate that is for ``use``, on the curve of the suite, and that of ``system_title``.

    system_title: 8 octets of the expected originator; None where the certificate is to say who it is. The rest is as in
    :func:`verify_chain`. Raises CertificateError.
    """
    certificate.check_use(use, suite, system_title)
    return verify_chain(
        certificate, anchors=anchors, at=at, intermediates=intermediates, revocation=revocation, depth=depth
    )
