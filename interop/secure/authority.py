"""An authority for the certificates of a case, and what a meter of ours has of it."""

from __future__ import annotations

import datetime as dt
from typing import Final

from cosemic.model.security_setup import CertificateType
from cosemic.security import security_suite
from cosemic.security.certificates import (
    Certificate,
    CertificateAuthority,
    CertificateRequest,
    CertificateStore,
    MemoryRegister,
)
from interop.secure import facts, ours

_DAY: Final = dt.timedelta(days=1)


class Authority:
    """A root of its own for each case."""

    def __init__(self, suite: int) -> None:
        self._suite = suite
        self._now = dt.datetime.now(dt.UTC)
        self._root = CertificateAuthority.root(
            ours.signing_key(b"ROOT0001", suite),
            "Interop Root",
            MemoryRegister(),
            not_before=self._now - _DAY,
            not_after=self._now + 30 * _DAY,
        )

    def store(self) -> CertificateStore:
        """The certificates of our meter: it trusts this root."""
        return CertificateStore(facts.METER_TITLE, security_suite(self._suite), anchors=(self._root.certificate,))

    def certified(self, request: bytes) -> Certificate:
        """The certificate that a request of the meter asks for."""
        return self._root.issue_for(
            CertificateRequest(request),
            not_before=self._now - _DAY,
            not_after=self._now + 10 * _DAY,
            system_title=facts.METER_TITLE,
        )

    def issued(self, title: bytes, use: CertificateType = CertificateType.DIGITAL_SIGNATURE) -> Certificate:
        """A certificate for the key that a party has."""
        keys = {CertificateType.DIGITAL_SIGNATURE: ours.signing_key, CertificateType.KEY_AGREEMENT: ours.agreement_key}
        return self._root.issue(
            keys[use](title, self._suite).public,
            title,
            use,
            not_before=self._now - _DAY,
            not_after=self._now + 10 * _DAY,
        )
