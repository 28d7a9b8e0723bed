"""Security suites 0 to 2: protection of APDUs, policies, invocation counters, high level security, keys and signatures.

No sockets and no files: keys are handles (:class:`Key`), counters are kept by a :class:`CounterStore`. An association
works with a :class:`SecurityContext`; the primitives below it (:func:`protect`, :func:`unprotect`) take the keys of all
suites.
"""

from cosemic.security.authentication import OUTSTANDING, HlsClient, HlsServer, OutstandingChallenges
from cosemic.security.compression import compress, decompress
from cosemic.security.context import SecurityContext, is_ciphered, system_title_of
from cosemic.security.counters import PROCESS_COUNTERS, CounterStore, MemoryCounterStore
from cosemic.security.counting import ReceiveCounter, TransmitCounter
from cosemic.security.credentials import SERVED_MECHANISMS, TITLED_MECHANISMS, WITHOUT_SECRET, HlsCredentials
from cosemic.security.elliptic import (
    AgreementKey,
    PublicKey,
    SigningKey,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    usable,
)
from cosemic.security.envelopes import Envelope, open_envelope, seal_envelope
from cosemic.security.hls import aes_128_ecb, make_challenge, password_matches
from cosemic.security.key_agreement import (
    EphemeralAgreement,
    one_pass_originator,
    one_pass_recipient,
    static_unified,
)
from cosemic.security.key_derivation import Algorithm, kdf
from cosemic.security.key_keeper import KeyKeeper, KeyState, MemoryKeyKeeper
from cosemic.security.key_wrap import unwrap_key, wrap_key
from cosemic.security.keys import NO_AUTHENTICATION_KEY, Key, SecurityMaterial
from cosemic.security.policy import (
    AccessCoding,
    AttributeAccess,
    MethodAccess,
    Requirement,
    SecurityPolicy,
    access_coding,
    check_protection,
)
from cosemic.security.protection import Unprotected, protect, unprotect
from cosemic.security.signers import KnownSigners, PeerCertificates
from cosemic.security.suite import (
    ASSOCIATION_SUITES,
    SUITES,
    Protection,
    SecurityControl,
    SecuritySuite,
    security_suite,
)
from cosemic.security.transmit_state import TransmitState

__all__ = [
    "ASSOCIATION_SUITES",
    "NO_AUTHENTICATION_KEY",
    "OUTSTANDING",
    "PROCESS_COUNTERS",
    "SERVED_MECHANISMS",
    "SUITES",
    "TITLED_MECHANISMS",
    "WITHOUT_SECRET",
    "AccessCoding",
    "AgreementKey",
    "Algorithm",
    "AttributeAccess",
    "CounterStore",
    "Envelope",
    "EphemeralAgreement",
    "HlsClient",
    "HlsCredentials",
    "HlsServer",
    "Key",
    "KeyKeeper",
    "KeyState",
    "KnownSigners",
    "MemoryCounterStore",
    "MemoryKeyKeeper",
    "MethodAccess",
    "OutstandingChallenges",
    "PeerCertificates",
    "Protection",
    "PublicKey",
    "ReceiveCounter",
    "Requirement",
    "SecurityContext",
    "SecurityControl",
    "SecurityMaterial",
    "SecurityPolicy",
    "SecuritySuite",
    "SigningKey",
    "SoftwareAgreementKey",
    "SoftwareSigningKey",
    "TransmitCounter",
    "TransmitState",
    "Unprotected",
    "access_coding",
    "aes_128_ecb",
    "check_protection",
    "compress",
    "decompress",
    "is_ciphered",
    "kdf",
    "make_challenge",
    "one_pass_originator",
    "one_pass_recipient",
    "open_envelope",
    "password_matches",
    "protect",
    "seal_envelope",
    "security_suite",
    "static_unified",
    "system_title_of",
    "unprotect",
    "unwrap_key",
    "usable",
    "wrap_key",
]
