"""Keys by their certificates: those of one entity and those of the others, as a certificate store has them at the time.

::

    keys = CertifiedKeys(store, now)
    ServerSettings(signing_key=keys.signing_key, signers=keys.signers, ...)
    GeneralParties(signing_key=keys.signing_key, agreement_key=keys.agreement_key, keys=keys.of_others, ...)

The own key pairs are those of the store, which may be made and certified later: a meter that leaves the factory has
none. Until then :attr:`public <cosemic.security.SigningKey.public>` of a handle raises CertificateError
(:func:`~cosemic.security.usable`), and what needs it is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from cosemic.errors import CertificateError
from cosemic.security.certificates.certificate_store import CertificateStore
from cosemic.security.certificates.trusted_signers import TrustedSigners
from cosemic.security.elliptic import PublicKey
from cosemic.security.general.party_keys import TrustedPartyKeys


class CertifiedSigningKey:
    """Our signing key whose certificate serves at the time (a :class:`~cosemic.security.SigningKey`).

    first: the public key until there is one; None: there is none.
    """

    def __init__(self, store: CertificateStore, first: PublicKey | None = None) -> None:
        self._store = store
        self._public = first

    @property
    def public(self) -> PublicKey:
        """The public key; after the certificate was removed the last one. Raises CertificateError before any."""
        with suppress(CertificateError):
            self._public = self._store.signing_key().public
        return self._store.signing_key().public if self._public is None else self._public

    def sign(self, data: bytes) -> bytes:
        """Return the signature r || s. Raises CertificateError without certificate."""
        return self._store.signing_key().sign(data)


class CertifiedAgreementKey:
    """Our key for key agreement whose certificate serves at the time (an :class:`~cosemic.security.AgreementKey`).

    first: the public key until there is one; None: there is none.
    """

    def __init__(self, store: CertificateStore, first: PublicKey | None = None) -> None:
        self._store = store
        self._public = first

    @property
    def public(self) -> PublicKey:
        """The public key; after the certificate was removed the last one. Raises CertificateError before any."""
        with suppress(CertificateError):
            self._public = self._store.agreement_key().public
        return self._store.agreement_key().public if self._public is None else self._public

    def exchange(self, peer: PublicKey) -> bytearray:
        """Return Z, to be wiped. Raises CertificateError without certificate, ConfigurationError for another curve."""
        return self._store.agreement_key().exchange(peer)


class CertifiedKeys:
    """The keys of one entity and of those it deals with.

    store: its certificates and key pairs. now: gives the instant at which certificates have to be valid, aware.
    """

    def __init__(self, store: CertificateStore, now: Callable[[], dt.datetime]) -> None:
        self.signing_key: Final = CertifiedSigningKey(store)
        """The own one, for digital signatures."""
        self.agreement_key: Final = CertifiedAgreementKey(store)
        """The own one, for key agreement."""
        self.signers: Final = TrustedSigners(store, now)
        """Those whose signatures are believed, by what was imported and what they present."""
        self.of_others: Final = TrustedPartyKeys(store, now)
        """Public keys by system title, of what was imported."""
