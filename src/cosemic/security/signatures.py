"""Digital signatures of APDUs, key agreement and mechanism 7 (Green Book 9.2.3.4.4; reference, security 9).

::

    suite 1   ECDSA on P-256 with SHA-256   r (32) | s (32)
    suite 2   ECDSA on P-384 with SHA-384   r (48) | s (48)

The hash goes once over the octets. With s, also order - s makes a signature that holds: a signature is not a name of
what it signs. Signing is a :class:`~cosemic.security.elliptic.SigningKey`'s.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature

from cosemic.errors import SignatureInvalid
from cosemic.security.elliptic import PublicKey

FAILED: Final = "the signature is not that of the signer over these octets: check certificates and titles of both sides"


def verify(public: PublicKey, data: bytes, signature: bytes) -> None:
    """Return when ``signature``, r || s, is that of ``public`` over ``data``.

    Raises SignatureInvalid, always the same: for another length than 64 or 96 octets, for r or s of zero or not below
    the order, and for one that does not fit.
    """
    der = public.curve.der_signature(signature)
    if der is None:
        raise SignatureInvalid(FAILED)
    try:
        public.to_cryptography().verify(der, data, public.curve.verifying)
    except InvalidSignature:
        raise SignatureInvalid(FAILED) from None
