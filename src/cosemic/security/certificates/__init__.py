"""X.509 certificates of DLMS/COSEM: profile, chains, revocation, requests, stores, an authority for laboratories.

Any octets give a value or one :class:`~cosemic.errors.CertificateError`; instants are handed in; private keys are
handles (:mod:`cosemic.security.elliptic`). No files: where they live is the business of :mod:`cosemic.store`.
"""

from cosemic.security.certificates.authority import (
    AuthorityRegister,
    CertificateAuthority,
    MemoryRegister,
)
from cosemic.security.certificates.certificate import INDEFINITE, Certificate
from cosemic.security.certificates.certificate_store import CertificateStore, software_key_pair
from cosemic.security.certificates.chain import verify_chain, verify_end_entity
from cosemic.security.certificates.holdings import Holdings, OwnKeyPair
from cosemic.security.certificates.request import CertificateRequest, make_request
from cosemic.security.certificates.revocation import RevocationList, RevocationLists
from cosemic.security.certificates.trusted_signers import TrustedSigners

__all__ = [
    "INDEFINITE",
    "AuthorityRegister",
    "Certificate",
    "CertificateAuthority",
    "CertificateRequest",
    "CertificateStore",
    "Holdings",
    "MemoryRegister",
    "OwnKeyPair",
    "RevocationList",
    "RevocationLists",
    "TrustedSigners",
    "make_request",
    "software_key_pair",
    "verify_chain",
    "verify_end_entity",
]
