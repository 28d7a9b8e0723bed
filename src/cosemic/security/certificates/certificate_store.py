"""The certificates that an entity holds, and its own key pairs (IEC 62056-6-2, Security setup; reference, security 12).

::

    trust anchors     placed out of band; exported, never imported, never removed
    sub-CAs           imported when they lead to an anchor
    own               one key pair and certificate a purpose; a fresh pair serves once its certificate was imported,
                      and removing the certificate destroys the pair
    of others         one certificate for each system title and purpose; a new one takes the place of the old

Nothing is imported that does not lead to a trust anchor at that instant, and nothing is used that does not any more. In
memory: whoever wants to keep it, keeps :attr:`CertificateStore.certificates` and imports them again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from itertools import pairwise
from typing import Final

from cosemic.dialect import STANDARD, CertificateSerial, Dialect
from cosemic.errors import CertificateError, ConfigurationError
from cosemic.model.security_setup import (
    CertificateByEntity,
    CertificateBySerial,
    CertificateEntity,
    CertificateIdentification,
    CertificateInfo,
    CertificateType,
)
from cosemic.security.certificates import der
from cosemic.security.certificates.certificate import Certificate
from cosemic.security.certificates.chain import verify_chain
from cosemic.security.certificates.der import refuse
from cosemic.security.certificates.holdings import Holdings, OwnKeyPair
from cosemic.security.certificates.request import make_request, usage_of
from cosemic.security.certificates.revocation import RevocationLists
from cosemic.security.certificates.titles import checked_title
from cosemic.security.elliptic import AgreementKey, PublicKey, SigningKey, SoftwareAgreementKey, SoftwareSigningKey
from cosemic.security.suite import SecuritySuite

DEFAULT_LIMIT: Final = 64
"""Certificates in a store, the trust anchors among them."""
_OPPOSITE: Final = {
    CertificateEntity.SERVER: CertificateEntity.CLIENT,
    CertificateEntity.CLIENT: CertificateEntity.SERVER,
    CertificateEntity.OTHER: CertificateEntity.SERVER,
}
Named = CertificateIdentification | CertificateByEntity | CertificateBySerial


def software_key_pair(use: CertificateType, suite: SecuritySuite) -> OwnKeyPair:
    """Return a fresh key pair in this process. Raises ConfigurationError for a suite without a curve."""
    key = SoftwareSigningKey.generate(suite)
    agreement = SoftwareAgreementKey.of(key.to_secret(), suite) if use is CertificateType.KEY_AGREEMENT else None
    return OwnKeyPair(key, agreement)


class CertificateStore:
    """The certificates and key pairs of one entity.

    system_title: of this entity, 8 octets. suite: security suite; its curve is that of all end entities. entity: what
    this one is. anchors: trust anchors. third_parties: system titles that are OTHER; any else that is not ours is that
    of a client here in a server, and that of a server in a client. revocation: lists that certificates are checked by;
    None, as in meters: not checked. limit: certificates at most. make_key_pair: where the key pairs come from.
    hardware_type: see :func:`~cosemic.security.certificates.request.make_request`. dialect: form of serial numbers.

    Methods raise CertificateError for certificates that are refused, not there, or not usable, and change nothing then.
    """

    def __init__(
        self,
        system_title: bytes,
        suite: SecuritySuite,
        *,
        entity: CertificateEntity = CertificateEntity.SERVER,
        anchors: Iterable[Certificate] = (),
        third_parties: Collection[bytes] = (),
        revocation: RevocationLists | None = None,
        limit: int = DEFAULT_LIMIT,
        make_key_pair: Callable[[CertificateType, SecuritySuite], OwnKeyPair] = software_key_pair,
        hardware_type: str | None = None,
        dialect: Dialect = STANDARD,
    ) -> None:
        self.system_title: Final = checked_title(system_title)
        self.suite: Final = suite
        self.revocation = revocation
        if entity not in _OPPOSITE:
            raise ConfigurationError("a store is that of a server, a client or a third party")
        self.anchors: Final = tuple(dict.fromkeys(anchors))
        if not all(each.is_authority for each in self.anchors):
            raise ConfigurationError("a trust anchor is the certificate of a CA: place that of the root or a sub-CA")
        self._entity = entity
        self._third_parties = frozenset(third_parties)
        self._limit = limit
        self._make_key_pair = make_key_pair
        self._hardware_type = hardware_type
        self._dialect = dialect
        self._authorities: dict[bytes, Certificate] = {}
        """Sub-CAs by their octets."""
        self._others: dict[tuple[bytes, CertificateType], Certificate] = {}
        """End entities, this one too, by system title and type."""
        self._pending: dict[CertificateType, OwnKeyPair] = {}
        self._active: dict[CertificateType, OwnKeyPair] = {}
        self._chains: dict[tuple[bytes, CertificateType], tuple[Certificate, ...]] = {}
        """The way of each to its trust anchor, as long as no certificate is removed."""

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """All: trust anchors, sub-CAs, end entities."""
        return (*self.anchors, *self._authorities.values(), *self._others.values())

    def rows(self) -> list[CertificateInfo]:
        """Return what the attribute certificates of a Security setup shows; names are DER."""
        return [
            CertificateInfo(
                self.entity_of(each),
                each.type,
                self.serial_octets(each),
                each.issuer,
                each.subject,
                each.subject_alt_name,
            )
            for each in self.certificates
        ]

    def entity_of(self, certificate: Certificate) -> CertificateEntity:
        """Tell whose certificate one is."""
        if certificate.is_authority:
            return CertificateEntity.CERTIFICATION_AUTHORITY
        if certificate.system_title == self.system_title:
            return self._entity
        return CertificateEntity.OTHER if certificate.system_title in self._third_parties else _OPPOSITE[self._entity]

    def serial_octets(self, certificate: Certificate) -> bytes:
        """Return a serial number as the dialect writes it."""
        encoded = certificate.serial_octets
        return encoded if self._dialect.certificate_serial is CertificateSerial.DER else encoded[2:].lstrip(b"\0")

    def import_certificate(self, octets: bytes, at: dt.datetime) -> Certificate:
        """Take a certificate, DER, of an end entity or sub-CA, and return it.

        It has to lead to a trust anchor at ``at``, and be on the curve of the suite; one of our own has to belong to
        the key pair that was generated last, or to the one that serves, and makes it serve.
        """
        certificate = Certificate.of(octets)
        if certificate in self.certificates:
            if certificate in self.anchors:
                refuse(f"{certificate} is a trust anchor, which is there already")
            return certificate
        if certificate.is_authority and certificate.is_self_issued:
            refuse(f"{certificate} is that of a root: trust anchors are placed out of band, not imported")
        if not certificate.is_authority:
            certificate.check_use(certificate.type, self.suite)
        chain = self._verified(certificate, at)
        same = [one for one in self.certificates if _name(one) == _name(certificate)]
        if same:
            refuse(f"{certificate} has issuer and serial number of another one: its CA has given it twice")
        place = self._place(certificate)
        if (place is None or place not in self._others) and len(self.certificates) >= self._limit:
            refuse(f"there are {self._limit} certificates already: remove one that is not needed")
        if place is None:
            self._authorities[certificate.octets] = certificate
            return certificate
        if certificate.system_title == self.system_title:
            self._activate(certificate)
        self._others[place], self._chains[place] = certificate, chain
        return certificate

    def _activate(self, certificate: Certificate) -> None:
        """Have the key pair that the certificate belongs to serve."""
        use = certificate.type
        pending, active = self._pending.get(use), self._active.get(use)
        if pending is not None and pending.public == certificate.public_key:
            self._active[use] = self._pending.pop(use)
            _give_up(active)
        elif active is None or active.public != certificate.public_key:
            refuse(f"{certificate} is not for a key pair of ours: generate a key pair and request one for it")

    @property
    def holdings(self) -> Holdings:
        """All but the trust anchors, as :meth:`take_up` takes it."""
        ends = tuple(self._others.values())
        return Holdings(tuple(self._authorities.values()), ends, dict(self._pending), dict(self._active))

    def take_up(self, holdings: Holdings) -> None:
        """Hold from now on what a store of this entity held before: nothing is verified until it is used."""
        self._authorities = {each.octets: each for each in holdings.authorities}
        self._others = {(each.system_title or b"", each.type): each for each in holdings.ends}
        self._pending, self._active = dict(holdings.pending), dict(holdings.active)
        self._chains.clear()

    def find(self, named: Named) -> Certificate:
        """Return the one certificate that is named by entity, type and title, or by serial number and issuer.

        Serial numbers are compared as numbers; DER INTEGERs and magnitudes are taken. A CA has no system title: where
        there are several, it is named by serial number.
        """
        if isinstance(named, CertificateIdentification):
            named = named.certification_identification_options
        found = [each for each in self.certificates if self._is_named(each, named)]
        if len(found) != 1:
            refuse(
                "several certificates are named so: name it by serial number and issuer"
                if found
                else "there is no such certificate: see the attribute certificates for what there is"
            )
        return found[0]

    def export_certificate(self, named: Named) -> bytes:
        """Return a certificate, DER; see :meth:`find`."""
        return self.find(named).octets

    def remove_certificate(self, named: Named) -> Certificate:
        """Remove a certificate and return it; with one of ours, the key pair that it belongs to is given up."""
        certificate = self.find(named)
        if certificate in self.anchors:
            refuse(f"{certificate} is a trust anchor: it cannot be removed this way")
        place = self._place(certificate)
        if place is None:
            del self._authorities[certificate.octets]
        else:
            del self._others[place]
            if certificate.system_title == self.system_title:
                _give_up(self._active.pop(certificate.type, None))
        self._chains.clear()
        return certificate

    def trusted(self, system_title: bytes, use: CertificateType, at: dt.datetime) -> Certificate:
        """Return the certificate of an entity for a use, when it leads to a trust anchor at ``at``."""
        place = system_title, use
        certificate = self._others.get(place)
        if certificate is None:
            raise CertificateError(
                f"there is no certificate of {system_title.hex().upper()} for {use.label}: import it"
            )
        chain = self._chains.get(place)
        if chain is None:
            self._chains[place] = self._verified(certificate, at)
        else:
            self._check_again(chain, at)
        return certificate

    def generate_key_pair(self, use: CertificateType) -> PublicKey:
        """Make a key pair for signatures, key agreement or TLS, and return its public key.

        The one that serves goes on serving until a certificate of the new one is imported.
        """
        usage_of(use)
        pair = self._make_key_pair(use, self.suite)
        _give_up(self._pending.get(use))
        self._pending[use] = pair
        return pair.public

    def certificate_request(self, use: CertificateType) -> bytes:
        """Return a certification request, DER, for the key pair that was generated last, or the one that serves."""
        pair = self._pending.get(use) or self._active.get(use)
        if pair is None:
            raise CertificateError(f"there is no key pair for {use.label}: generate one first")
        return make_request(pair.signing, self.system_title, use, hardware_type=self._hardware_type)

    def install(self, pair: OwnKeyPair, octets: bytes, at: dt.datetime) -> Certificate:
        """Take a key pair of ours together with its certificate, as a meter maker does."""
        certificate = Certificate.of(octets)
        use = certificate.type
        if certificate.system_title != self.system_title or certificate.public_key != pair.public:
            refuse(f"{certificate} is not ours, or not for this key pair")
        if certificate in self._others.values():
            return certificate
        before = self._pending.get(use)
        self._pending[use] = pair
        try:
            return self.import_certificate(octets, at)
        finally:
            if before is None:
                self._pending.pop(use, None)
            else:
                self._pending[use] = before

    def own_certificate(self, use: CertificateType) -> Certificate:
        """Return our certificate for a use."""
        certificate = self._others.get((self.system_title, use))
        if certificate is None:
            raise CertificateError(f"there is no certificate of our own for {use.label}: request and import one")
        return certificate

    def signing_key(self, use: CertificateType = CertificateType.DIGITAL_SIGNATURE) -> SigningKey:
        """Return our private key for signatures, or for TLS, whose certificate was imported."""
        return self._pair(use).signing

    def agreement_key(self) -> AgreementKey:
        """Return our private key for key agreement, whose certificate was imported."""
        agreement = self._pair(CertificateType.KEY_AGREEMENT).agreement
        if agreement is None:
            raise CertificateError("our key pair for key agreement does not agree on keys: generate another one")
        return agreement

    def _pair(self, use: CertificateType) -> OwnKeyPair:
        self.own_certificate(use)
        pair = self._active.get(use)
        if pair is None:
            raise CertificateError(f"the key pair of our certificate for {use.label} is not here: generate another one")
        return pair

    def _place(self, certificate: Certificate) -> tuple[bytes, CertificateType] | None:
        """Where an end entity's stands; None for a CA's."""
        title = certificate.system_title
        return None if title is None else (title, certificate.type)

    def _verified(self, certificate: Certificate, at: dt.datetime) -> tuple[Certificate, ...]:
        return verify_chain(
            certificate,
            anchors=self.anchors,
            at=at,
            intermediates=self._authorities.values(),
            revocation=self.revocation,
        )

    def _check_again(self, chain: tuple[Certificate, ...], at: dt.datetime) -> None:
        """Check of a chain what time and revocation lists change."""
        for each in chain:
            each.check_validity(at)
        if self.revocation is not None:
            for each, issuer in pairwise(chain):
                self.revocation.check(each, issuer, at)

    def _is_named(self, certificate: Certificate, named: CertificateByEntity | CertificateBySerial) -> bool:
        if isinstance(named, CertificateBySerial):
            return certificate.issuer == named.issuer and certificate.serial_number in serial_numbers(
                named.serial_number
            )
        title = certificate.system_title or b""
        entity = self.entity_of(certificate)
        return (entity, certificate.type, title) == (
            named.certificate_entity,
            named.certificate_type,
            named.system_title,
        )


def serial_numbers(octets: bytes) -> set[int]:
    """Return the numbers that an octet-string may stand for: of its octets, and of the DER INTEGER that it is.

    None for one that is longer than a serial number. Where certificates of both are there, neither is found.
    """
    if not 1 <= len(octets) <= der.LONGEST_SERIAL + 3:
        return set()
    numbers = {int.from_bytes(octets, "big")}
    with suppress(CertificateError):
        numbers.add(der.serial_number(der.whole(octets, "serial number", der.INTEGER)))
    return numbers


def _give_up(pair: OwnKeyPair | None) -> None:
    if pair is not None and pair.destroy is not None:
        pair.destroy()


def _name(certificate: Certificate) -> tuple[bytes, int]:
    return certificate.issuer, certificate.serial_number
