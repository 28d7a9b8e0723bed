"""Where the public keys of other parties are found, by system title: for signatures and for key agreement.

:class:`KnownPartyKeys` holds keys that were agreed upon beforehand, :class:`TrustedPartyKeys` those of certificates
that lead to a trust anchor at the time of asking. Who has no key for a use is not an error by itself: what needs that
key is refused then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from cosemic.errors import CertificateError, ConfigurationError
from cosemic.model.security_setup import CertificateType
from cosemic.security.certificates.certificate_store import CertificateStore
from cosemic.security.elliptic import PublicKey
from cosemic.security.suite import SYSTEM_TITLE_LENGTH


class PartyKeys(Protocol):
    """Finds the verified public keys of parties by their system title, 8 octets."""

    def signing_key_of(self, title: bytes) -> PublicKey | None:
        """Return the key with which signatures of that party are verified; None where none can be believed."""

    def agreement_key_of(self, title: bytes) -> PublicKey | None:
        """Return the static key of that party for key agreement; None where none can be believed."""


class KnownPartyKeys:
    """Public keys that were agreed upon beforehand, by system title.

    signing: for signatures. agreement: for key agreement. Raises ConfigurationError for a title that has not 8 octets.
    """

    def __init__(
        self, signing: Mapping[bytes, PublicKey] | None = None, agreement: Mapping[bytes, PublicKey] | None = None
    ) -> None:
        self._signing = dict(signing or {})
        self._agreement = dict(agreement or {})
        for title in (*self._signing, *self._agreement):
            if len(title) != SYSTEM_TITLE_LENGTH:
                raise ConfigurationError(f"a system title has 8 octets, not {len(title)}")

    def signing_key_of(self, title: bytes) -> PublicKey | None:
        """Return the key for signatures, where one is known."""
        return self._signing.get(title)

    def agreement_key_of(self, title: bytes) -> PublicKey | None:
        """Return the key for key agreement, where one is known."""
        return self._agreement.get(title)


class TrustedPartyKeys:
    """Public keys of certificates.

    store: trust anchors, imported certificates, revocation lists. now: gives the instant at which certificates have to
    be valid, with its time zone.
    """

    def __init__(self, store: CertificateStore, now: Callable[[], dt.datetime]) -> None:
        self._store = store
        self._now = now

    def signing_key_of(self, title: bytes) -> PublicKey | None:
        """Return the key for signatures, where a certificate for it is valid."""
        return self._key(title, CertificateType.DIGITAL_SIGNATURE)

    def agreement_key_of(self, title: bytes) -> PublicKey | None:
        """Return the key for key agreement, where a certificate for it is valid."""
        return self._key(title, CertificateType.KEY_AGREEMENT)

    def _key(self, title: bytes, use: CertificateType) -> PublicKey | None:
        try:
            return self._store.trusted(title, use, self._now()).public_key
        except CertificateError:
            return None


NO_PARTY_KEYS: Final = KnownPartyKeys()
"""Nobody's keys are known: for parties that share global keys."""
