"""The public keys of others that settings believe: for signatures, and for key agreement.

::

    agreed upon beforehand      server_public_key, server_agreement_key
    vouched for                 trust_anchors; server_certificate and certificates lead to one of them, and are valid
                                when they are used; revocation_lists are asked where they are given
    in the key store            certificates that lie beside the keys of the meter: they are valid when they are used,
                                and lead to a trust anchor where there are any
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosemic.errors import CertificateError, ConfigurationError, DecodeError
from cosemic.model.security_setup import CertificateEntity, CertificateType
from cosemic.security import KnownSigners, PeerCertificates, PublicKey, SecuritySuite
from cosemic.security.certificates import Certificate, CertificateStore, TrustedSigners
from cosemic.security.certificates.pem import LONGEST_FILE, REVOCATION_LIST, from_pem
from cosemic.security.certificates.revocation import RevocationList, RevocationLists
from cosemic.security.general.party_keys import KnownPartyKeys, PartyKeys, TrustedPartyKeys
from cosemic.store.named_files import path_of
from cosemic.store.private_keys import octets_of

_KEYS: Final = ("server_public_key", "server_agreement_key")
_VOUCHED: Final = ("trust_anchors", "server_certificate", "certificates", "revocation_lists")
Now = Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class Believed:
    """Public keys of others: ``signers`` of mechanism 7, ``keys`` of general protection."""

    signers: PeerCertificates
    keys: PartyKeys


@dataclass(frozen=True, slots=True)
class StoredCertificates:
    """Certificates of a meter as a key store gives them, in place of the names of files."""

    certificates: tuple[Certificate, ...]


class KeptCertificates:
    """Public keys of certificates that are kept beside the keys of a meter, and are believed for that.

    They have to be valid at ``now()``; of several for one use the newest counts. What is presented is passed over.
    """

    def __init__(self, certificates: Iterable[Certificate], suite: SecuritySuite, now: Now) -> None:
        self._certificates = sorted(certificates, key=lambda one: one.not_before, reverse=True)
        self._suite = suite
        self._now = now

    def signer(self, title: bytes, presented: bytes | None = None) -> PublicKey:
        """Return the public key for digital signatures of an entity. Raises CertificateError."""
        return self._key(title, CertificateType.DIGITAL_SIGNATURE)

    def signing_key_of(self, title: bytes) -> PublicKey | None:
        """Return the key for signatures, where a certificate for it is valid."""
        with suppress(CertificateError):
            return self._key(title, CertificateType.DIGITAL_SIGNATURE)
        return None

    def agreement_key_of(self, title: bytes) -> PublicKey | None:
        """Return the key for key agreement, where a certificate for it is valid."""
        with suppress(CertificateError):
            return self._key(title, CertificateType.KEY_AGREEMENT)
        return None

    def _key(self, title: bytes, use: CertificateType) -> PublicKey:
        refused: CertificateError | None = None
        for each in self._certificates:
            if (each.system_title, each.type) == (title, use):
                try:
                    each.check_use(use, self._suite, title)
                    each.check_validity(self._now())
                except CertificateError as error:
                    refused = refused or error
                else:
                    return each.public_key
        raise refused or CertificateError(
            f"the key store has no certificate of {title.hex().upper()} for {use.label}: import it beside its keys"
        )


def believed(
    given: Mapping[str, Any], beside: Path | None, suite: SecuritySuite, own_title: bytes, server_title: bytes | None
) -> Believed | None:
    """Return whose keys are believed, where anything is said of it. Raises ConfigurationError, CertificateError."""
    if any(name in given for name in _KEYS):
        if both := [name for name in _VOUCHED if name in given]:
            raise ConfigurationError(
                f"server_public_key and server_agreement_key stand in place of trust_anchors and certificates: leave "
                f"out {', '.join(both)}"
            )
        return _agreed_upon(given, suite, server_title)
    extra = given.get("certificates")
    if "trust_anchors" not in given:
        if isinstance(extra, StoredCertificates) and extra.certificates:
            kept = KeptCertificates(extra.certificates, suite, _now)
            return Believed(kept, kept)
        for name in _VOUCHED[1:]:
            if name in given and not isinstance(given[name], StoredCertificates):
                raise ConfigurationError(f"{name} needs trust_anchors beside it: who vouches for it")
        return None
    anchors = certificates_of(given, "trust_anchors", beside)
    store = CertificateStore(
        own_title,
        suite,
        entity=CertificateEntity.CLIENT,
        anchors=anchors,
        revocation=_revocation(given, beside, anchors),
    )
    wanted = [one_certificate(given, "server_certificate", beside)] if "server_certificate" in given else []
    if isinstance(extra, StoredCertificates):
        wanted += extra.certificates
    elif extra is not None:
        wanted += certificates_of(given, "certificates", beside)
    _import(store, wanted)
    return Believed(TrustedSigners(store, _now), TrustedPartyKeys(store, _now))


def certificates_of(given: Mapping[str, Any], name: str, beside: Path | None) -> list[Certificate]:
    """Return the certificates of a file, or of several. Raises ConfigurationError, CertificateError."""
    return [Certificate.of(der) for der in _blocks(given[name], name, beside)]


def one_certificate(given: Mapping[str, Any], name: str, beside: Path | None) -> Certificate:
    """Return the certificate that has to stand alone in a file. Raises ConfigurationError, CertificateError."""
    if isinstance(given[name], Certificate):
        return given[name]  # type: ignore[no-any-return]  # what it was found to be
    found = certificates_of(given, name, beside)
    if len(found) != 1:
        raise ConfigurationError(f"{name} is one certificate, and the file holds {len(found)}")
    return found[0]


def _agreed_upon(given: Mapping[str, Any], suite: SecuritySuite, server_title: bytes | None) -> Believed:
    if server_title is None:
        named = " and ".join(name for name in _KEYS if name in given)
        raise ConfigurationError(f"{named} needs server_title beside it: whose key it is")
    found: dict[str, dict[bytes, PublicKey]] = {name: {} for name in _KEYS}
    for name in _KEYS:
        if name in given:
            try:
                found[name][server_title] = PublicKey.of(octets_of(name, given[name]), suite)
            except DecodeError as error:
                raise ConfigurationError(f"{name}: {error}") from None
    signing, agreement = (found[name] for name in _KEYS)
    return Believed(KnownSigners(signing), KnownPartyKeys(signing, agreement))


def _import(store: CertificateStore, certificates: Iterable[Certificate]) -> None:
    """Take certificates in whatever order they stand: a sub-CA before those that it has issued, the newest last.

    One that is refused does not matter where a newer one for the same use was taken.
    """
    left = sorted(certificates, key=lambda one: one.not_before)
    while left:
        refused: list[tuple[Certificate, CertificateError]] = []
        for each in left:
            try:
                store.import_certificate(each.octets, _now())
            except CertificateError as error:
                refused.append((each, error))
        if len(refused) == len(left):
            refused = [(each, error) for each, error in refused if not _is_renewed(each, store.certificates)]
            if refused:
                raise refused[0][1]
            return
        left = [each for each, _ in refused]


def _is_renewed(old: Certificate, known: Iterable[Certificate]) -> bool:
    use = old.system_title, old.type
    return not old.is_authority and any(
        (one.system_title, one.type) == use and one.not_before > old.not_before for one in known
    )


def _revocation(
    given: Mapping[str, Any], beside: Path | None, anchors: Iterable[Certificate]
) -> RevocationLists | None:
    """The lists that are given; each CA that certificates lead through has to have one then."""
    if "revocation_lists" not in given:
        return None
    known = list(anchors)
    if "certificates" in given and not isinstance(given["certificates"], StoredCertificates):
        known += [each for each in certificates_of(given, "certificates", beside) if each.is_authority]
    lists = RevocationLists()
    for der in _blocks(given["revocation_lists"], "revocation_lists", beside, REVOCATION_LIST):
        found = RevocationList(der)
        issuers = [each for each in known if each.subject == found.issuer]
        if not issuers:
            raise CertificateError(f"{found} is of a CA that is not among trust_anchors and certificates")
        lists.add(found, _signer(found, issuers))
    return lists


def _signer(found: RevocationList, issuers: Iterable[Certificate]) -> Certificate:
    """Return the CA of a list: after it has changed its key, several have its name. Raises CertificateError."""
    refused: CertificateError | None = None
    for each in issuers:
        try:
            found.check_signature(each)
        except CertificateError as error:
            refused = refused or error
        else:
            return each
    assert refused is not None
    raise refused


def _blocks(value: object, name: str, beside: Path | None, label: str | None = None) -> list[bytes]:
    """Return the DER of files that are named: one, or several."""
    found: list[bytes] = []
    for one in value if isinstance(value, list | tuple) else [value]:
        octets = bytes(one) if isinstance(one, bytes | bytearray) else _read(name, path_of(one, beside))
        found += [der for _, der in (from_pem(octets) if label is None else from_pem(octets, label))]
    return found


def _read(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise ConfigurationError(f"{name} {path}: {error.strerror}") from None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
