"""Certificate revocation lists (RFC 5280, 5; reference, security 13).

::

    CertificateList = SEQUENCE { tbsCertList, signatureAlgorithm, signature }
    tbsCertList = SEQUENCE { version 1, signatureAlgorithm, issuer, thisUpdate, nextUpdate,
                             revokedCertificates, [0] extensions }
    revokedCertificates = SEQUENCE OF { serialNumber, revocationDate, extensions }

A list is complete, of one issuer, and signed by it. Lists of parts (delta, by distribution point, of other issuers)
have critical extensions, and are refused like all with one that is not known. Whoever stands in a list is revoked,
whatever the date beside it.
"""

from __future__ import annotations

import datetime as dt
from typing import Final, Self

from cryptography import x509

from cosemic.errors import CertificateError
from cosemic.security.certificates import der
from cosemic.security.certificates.certificate import (
    UNREADABLE,
    Certificate,
    check_critical,
    check_instant,
    identifiers_fit,
    readable,
    signed_by,
    taken_apart,
)
from cosemic.security.certificates.der import refuse

LONGEST_LIST: Final = 1 << 20
"""Octets of a revocation list that is looked at: some 25,000 certificates."""
MOST_LISTS: Final = 64
_VERSION_2: Final = bytes.fromhex("020101")
_OF_LIST: Final = (x509.AuthorityKeyIdentifier, x509.CRLNumber)
_OF_ENTRY: Final = (x509.CRLReason, x509.InvalidityDate)
_TIMES: Final = (0x17, 0x18)
"""UTCTime, GeneralizedTime."""


class RevocationList:
    """A list that was read; not necessarily a genuine one: see :meth:`check`.

    ``octets``: DER. ``issuer``: DER Name. ``number``: grows from list to list. ``this_update``, ``next_update``: UTC.
    ``revoked``: serial numbers, each with the instant of its revocation and the reason.
    """

    __slots__ = (
        "authority_key_identifier", "issuer", "issuer_text", "next_update", "number", "octets", "revoked", "signature",
        "signing_curve", "this_update", "to_be_signed",
    )  # fmt: skip

    def __init__(self, octets: bytes) -> None:
        if len(octets) > LONGEST_LIST:
            refuse(f"a revocation list has at most {LONGEST_LIST} octets, not {len(octets)}")
        self.octets = octets = bytes(octets)
        (self.to_be_signed, self.signature), fields, self.signing_curve = taken_apart(octets, "revocation list")
        if fields[:1] and fields[0].whole != _VERSION_2:
            refuse("the revocation list is not of version 2")
        tags = [field.tag for field in fields]
        if tags[3:4] and (len(tags) < 5 or tags[4] not in _TIMES):
            refuse("the revocation list does not say when the next one comes")
        if tags[-1:] == [0xA0]:
            der.check_issuer_serials(fields[-1].contents, "revocation list")
        self.issuer = fields[2].whole if len(fields) > 2 else b""
        try:
            self._take_library(x509.load_der_x509_crl(octets))
        except UNREADABLE as error:
            raise CertificateError("the revocation list cannot be read: get it anew") from error

    @classmethod
    def of(cls, octets: bytes) -> Self:
        """Return the list that the octets, DER, are. Raises CertificateError for any that are none of ours."""
        return cls(octets)

    def _take_library(self, parsed: x509.CertificateRevocationList) -> None:
        check_critical(parsed.extensions, _OF_LIST, "revocation list")
        number = authority = None
        for extension in parsed.extensions:
            if isinstance(extension.value, x509.CRLNumber):
                number = extension.value.crl_number
            elif isinstance(extension.value, x509.AuthorityKeyIdentifier):
                authority = extension.value.key_identifier
            elif isinstance(extension.value, x509.DeltaCRLIndicator | x509.IssuingDistributionPoint):
                refuse("the revocation list is one of parts: get the complete one")
        this_update, next_update = parsed.last_update_utc, parsed.next_update_utc
        if number is None or next_update is None or next_update <= this_update:
            refuse("the revocation list has no number, or does not say when the next one comes")
        self.number, self.authority_key_identifier = number, authority
        self.this_update, self.next_update = this_update, next_update
        self.issuer_text = readable(parsed.issuer)
        self.revoked: dict[int, tuple[dt.datetime, x509.ReasonFlags]] = {}
        for entry in parsed:
            check_critical(entry.extensions, _OF_ENTRY, "revocation list")
            reasons = [one.value.reason for one in entry.extensions if isinstance(one.value, x509.CRLReason)]
            reason = reasons[0] if reasons else x509.ReasonFlags.unspecified
            self.revoked[entry.serial_number] = entry.revocation_date_utc, reason

    def check(self, issuer: Certificate, at: dt.datetime) -> None:
        """Raise CertificateError unless the list is that of ``issuer``, signed by it, and the current one at ``at``.

        The certificate of the issuer must have been verified.
        """
        self.check_signature(issuer)
        self.check_current(at)

    def check_current(self, at: dt.datetime) -> None:
        """Raise CertificateError unless the list is the current one at ``at``, an instant with time zone."""
        check_instant(at)
        if at < self.this_update:
            refuse(f"{self} is of the future: check the clock")
        if at > self.next_update:
            refuse(f"{self} is out of date since {self.next_update:%Y-%m-%d %H:%M:%S} UTC: get the next one")

    def check_signature(self, issuer: Certificate) -> None:
        """Raise CertificateError unless the list is that of ``issuer`` and signed by it."""
        ours = issuer.subject == self.issuer and identifiers_fit(self.authority_key_identifier, issuer.key_identifier)
        if not issuer.is_authority or not ours:
            refuse(f"{self} is not that of {issuer}")
        if not signed_by(issuer.public_key, self.signing_curve, self.to_be_signed, self.signature):
            refuse(f"{self} was not signed by {issuer}")

    def __str__(self) -> str:
        return f"the revocation list {self.number} of {self.issuer_text}"

    def __repr__(self) -> str:
        return f"<RevocationList {self.number} of {self.issuer_text!r}: {len(self.revoked)} certificates>"

    def __eq__(self, other: object) -> bool:
        return self.octets == other.octets if isinstance(other, RevocationList) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.octets)


class RevocationLists:
    """The newest list of each CA.

    required: a certificate whose issuer has no current list here is refused; otherwise it counts as not revoked.
    """

    def __init__(self, *, required: bool = True) -> None:
        self.required = required
        self._lists: dict[tuple[bytes, bytes], RevocationList] = {}

    def add(self, revocation_list: RevocationList, issuer: Certificate) -> None:
        """Keep a list of a CA whose certificate was verified.

        Raises CertificateError when it is not signed by it, or is older than the one that is kept.
        """
        revocation_list.check_signature(issuer)
        place = _place(issuer)
        kept = self._lists.get(place)
        if kept is not None and revocation_list.number < kept.number:
            refuse(f"{revocation_list} is older than number {kept.number}, which is known")
        if kept is None and len(self._lists) == MOST_LISTS:
            refuse(f"there are {MOST_LISTS} revocation lists already")
        self._lists[place] = revocation_list

    def check(self, certificate: Certificate, issuer: Certificate, at: dt.datetime) -> None:
        """Raise CertificateError when the issuer has revoked the certificate, or has no list here that is current."""
        found = self._lists.get(_place(issuer))
        if found is None:
            if self.required:
                refuse(f"there is no revocation list of {issuer}: get it")
            return
        if certificate.serial_number in found.revoked:
            since, reason = found.revoked[certificate.serial_number]
            refuse(f"{certificate} was revoked on {since:%Y-%m-%d %H:%M:%S} UTC ({reason.value}): do not trust it")
        if self.required:
            found.check_current(at)


def _place(issuer: Certificate) -> tuple[bytes, bytes]:
    return issuer.subject, issuer.public_key.octets
