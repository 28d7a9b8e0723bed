"""Signing certificates, requests and revocation lists with any :class:`~cosemic.security.elliptic.SigningKey`.

The builders of the library sign only with keys of the library. So they sign a draft with a key that is made for it and
forgotten; what a draft says does not depend on that key, but for the public key in a request, which is put in its place
(both are of the same length). What was to be signed is then signed by the handle, and put together anew::

    SEQUENCE { what is signed, AlgorithmIdentifier, BIT STRING 00 | SEQUENCE { r INTEGER, s INTEGER } }

A token that signs and never shows its key serves like a key in this process.
"""

from __future__ import annotations

from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cosemic.errors import ConfigurationError
from cosemic.security.certificates import der
from cosemic.security.certificates.certificate import ALGORITHMS
from cosemic.security.elliptic import P384, Curve, PublicKey, SigningKey


def sign_certificate(builder: x509.CertificateBuilder, key: SigningKey) -> bytes:
    """Return the certificate, DER, of a builder that lacks nothing, signed by the key of its issuer."""
    draft = builder.sign(_draft_key(key.public.curve), _hash(key.public.curve))
    return _signed(draft.tbs_certificate_bytes, key)


def sign_list(builder: x509.CertificateRevocationListBuilder, key: SigningKey) -> bytes:
    """Return the revocation list, DER, of a builder that lacks nothing, signed by the key of its issuer."""
    draft = builder.sign(_draft_key(key.public.curve), _hash(key.public.curve))
    return _signed(draft.tbs_certlist_bytes, key)


def sign_request(builder: x509.CertificateSigningRequestBuilder, key: SigningKey) -> bytes:
    """Return the certification request, DER, for the public key of ``key``, signed by it."""
    draft_key = _draft_key(key.public.curve)
    draft = builder.sign(draft_key, _hash(key.public.curve)).tbs_certrequest_bytes
    theirs, ours = _info(draft_key.public_key()), public_key_info(key.public)
    head, found, rest = draft.partition(theirs)
    assert found, "a request holds the public key that it is made with"
    return _signed(head + ours + rest, key)


def public_key_info(public: PublicKey) -> bytes:
    """Return the subjectPublicKeyInfo, DER, of a key."""
    return _info(public.to_cryptography())


def _info(public: ec.EllipticCurvePublicKey) -> bytes:
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _signed(to_be_signed: bytes, key: SigningKey) -> bytes:
    curve = key.public.curve
    signature = curve.der_signature(key.sign(to_be_signed))
    if signature is None:
        raise ConfigurationError("the key does not sign: what it gave is no signature of its curve; check the token")
    return der.tlv(der.SEQUENCE, to_be_signed, _algorithm(curve), der.tlv(der.BIT_STRING, b"\0", signature))


def _algorithm(curve: Curve) -> bytes:
    return next(octets for octets, signing in ALGORITHMS.items() if signing is curve)


def _hash(curve: Curve) -> hashes.SHA256 | hashes.SHA384:
    return hashes.SHA384() if curve is P384 else hashes.SHA256()


@cache
def _draft_key(curve: Curve) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve.cryptography)
