"""What a certificate store holds, to be kept and taken up again: certificates, and key pairs by handles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cosemic.model.security_setup import CertificateType
from cosemic.security.certificates.certificate import Certificate
from cosemic.security.elliptic import AgreementKey, PublicKey, SigningKey


@dataclass(frozen=True, slots=True)
class OwnKeyPair:
    """A key pair of this entity, by handles.

    signing: signs the certification request; of a pair for signatures or TLS, whatever they sign too. agreement: of a
    pair for key agreement, None otherwise. destroy: called when the pair is given up, for a token that keeps it.
    """

    signing: SigningKey
    agreement: AgreementKey | None = None
    destroy: Callable[[], None] | None = None

    @property
    def public(self) -> PublicKey:
        """The public key."""
        return self.signing.public


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a store holds beside its trust anchors.

    authorities: certificates of sub-CAs. ends: those of end entities, this one among them. pending: key pairs that wait
    for their certificate. active: those that serve.
    """

    authorities: tuple[Certificate, ...]
    ends: tuple[Certificate, ...]
    pending: Mapping[CertificateType, OwnKeyPair]
    active: Mapping[CertificateType, OwnKeyPair]
