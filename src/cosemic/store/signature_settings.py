"""What security settings say of private keys and certificates: ours, and whose signatures are believed.

The names are those of :mod:`cosemic.store.security_settings`. Files lie beside the settings, unless their
names are absolute.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosemic.errors import CertificateError, ConfigurationError
from cosemic.model.security_setup import CertificateType
from cosemic.security import AgreementKey, SecuritySuite, SigningKey
from cosemic.security.certificates import Certificate
from cosemic.security.general.party_keys import NO_PARTY_KEYS, PartyKeys
from cosemic.store.private_keys import agreement_key, signing_key
from cosemic.store.public_keys import believed, one_certificate
from cosemic.store.security_settings import SIGNATURES


def signature_settings(
    values: Mapping[str, Any],
    beside: Path | None,
    suite: SecuritySuite,
    system_title: bytes,
    server_title: bytes | None,
) -> tuple[dict[str, Any], AgreementKey | None, PartyKeys]:
    """Return ``signing_key``, ``signers`` and ``certificate`` of client settings, those that are said; our key for key
    agreement, and the keys of others for general protection.

    Raises ConfigurationError, which quotes no key.
    """
    given = {name: values[name] for name in SIGNATURES if values.get(name) not in (None, "")}
    if not given:
        return {}, None, NO_PARTY_KEYS
    if suite.curve is None:
        raise ConfigurationError(f"{', '.join(sorted(given))}: security suite {suite.id} has no signatures, set suite")
    found: dict[str, Any] = {}
    signs, agrees = signing_key(given, beside, suite), agreement_key(given, beside, suite)
    if signs is not None:
        found["signing_key"] = signs
    try:
        others = believed(given, beside, suite, system_title, server_title)
        if others is not None:
            found["signers"] = others.signers
        if "certificate" in given:
            ours = one_certificate(given, "certificate", beside)
            _check_own(ours, CertificateType.DIGITAL_SIGNATURE, "signing_key", signs, suite, system_title)
            found["certificate"] = ours.octets
        if "agreement_certificate" in given:
            ours = one_certificate(given, "agreement_certificate", beside)
            _check_own(ours, CertificateType.KEY_AGREEMENT, "agreement_key", agrees, suite, system_title)
    except CertificateError as error:
        raise ConfigurationError(f"certificates of the security settings: {error}") from None
    return found, agrees, NO_PARTY_KEYS if others is None else others.keys


def _check_own(
    certificate: Certificate,
    use: CertificateType,
    name: str,
    key: SigningKey | AgreementKey | None,
    suite: SecuritySuite,
    system_title: bytes,
) -> None:
    """Raise CertificateError for a certificate that is not ours: of our key, our title and that use."""
    certificate.check_use(use, suite, system_title)
    if key is None or key.public != certificate.public_key:
        raise CertificateError(f"{certificate} is not for the private key that is given as {name}")
