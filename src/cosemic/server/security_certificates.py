"""Certificates and key pairs of a Security setup, kept in the state of the device (class 64, version 1).

The store is that of :class:`~cosemic.security.certificates.CertificateStore`; what clients do to it outlives the
process, private keys sealed (:mod:`cosemic.server.sealed_memory`). Key pairs of a token are not kept: the token does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cosemic.errors import CosemicError, StoreError
from cosemic.model.security_setup import CertificateType
from cosemic.security import SecuritySuite, SoftwareAgreementKey, SoftwareSigningKey
from cosemic.security.certificates import Certificate, CertificateStore, Holdings, OwnKeyPair
from cosemic.server.sealed_memory import SealedMemory
from cosemic.server.state import Memory
from cosemic.values.secret import HiddenOctets, hidden

_NAME: Final = "certificates"


def keep(store: CertificateStore, sealed: SealedMemory, memory: Memory) -> None:
    """Keep what a store holds beside its trust anchors. Raises StoreError."""
    held = store.holdings
    sealed.save(
        memory,
        _NAME,
        {
            "authorities": [each.octets.hex() for each in held.authorities],
            "ends": [each.octets.hex() for each in held.ends],
            "pending": _scalars(held.pending),
            "active": _scalars(held.active),
        },
    )


def take_up(store: CertificateStore, sealed: SealedMemory, memory: Memory) -> None:
    """Have a store hold what was kept, in place of what it was made with. Raises StoreError."""
    kept: dict[str, Any] | None = sealed.load(memory, _NAME)
    if kept is None:
        return
    held = store.holdings
    try:
        store.take_up(
            Holdings(
                tuple(Certificate.of(bytes.fromhex(each)) for each in kept["authorities"]),
                tuple(Certificate.of(bytes.fromhex(each)) for each in kept["ends"]),
                _of_tokens(held.pending) | _pairs(kept["pending"], store.suite),
                _of_tokens(held.active) | _pairs(kept["active"], store.suite),
            )
        )
    except (CosemicError, ValueError):
        raise StoreError(
            "certificates in the state of the device do not fit its configuration: begin with a fresh state file"
        ) from None


def _scalars(pairs: Mapping[CertificateType, OwnKeyPair]) -> dict[str, str]:
    return {
        str(use.value): hidden(pair.signing.to_secret().reveal().hex())
        for use, pair in pairs.items()
        if isinstance(pair.signing, SoftwareSigningKey)
    }


def _of_tokens(pairs: Mapping[CertificateType, OwnKeyPair]) -> dict[CertificateType, OwnKeyPair]:
    return {use: pair for use, pair in pairs.items() if not isinstance(pair.signing, SoftwareSigningKey)}


def _pairs(scalars: Mapping[str, str], suite: SecuritySuite) -> dict[CertificateType, OwnKeyPair]:
    pairs = {}
    for number, digits in scalars.items():
        use, scalar = CertificateType(int(number)), HiddenOctets(bytes.fromhex(digits))
        agreement = SoftwareAgreementKey.of(scalar, suite) if use is CertificateType.KEY_AGREEMENT else None
        pairs[use] = OwnKeyPair(SoftwareSigningKey.of(scalar, suite), agreement)
    return pairs
