"""Security suite 0: protection of APDUs, security policies, invocation counters, high level security, key wrap.

No sockets and no files: keys are handles (:class:`Key`), counters are kept by a :class:`CounterStore`. An association
works with a :class:`SecurityContext`; the primitives below it (:func:`protect`, :func:`unprotect`) take the keys of all
suites.
"""

from cosemic.security.authentication import (
    OUTSTANDING,
    SERVED_MECHANISMS,
    HlsClient,
    HlsCredentials,
    HlsServer,
    OutstandingChallenges,
)
from cosemic.security.context import SecurityContext, is_ciphered, system_title_of
from cosemic.security.counters import (
    PROCESS_COUNTERS,
    CounterStore,
    MemoryCounterStore,
    ReceiveCounter,
    TransmitCounter,
)
from cosemic.security.envelopes import Envelope, open_envelope, seal_envelope
from cosemic.security.hls import aes_128_ecb, make_challenge, password_matches
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
    "AccessCoding",
    "AttributeAccess",
    "CounterStore",
    "Envelope",
    "HlsClient",
    "HlsCredentials",
    "HlsServer",
    "Key",
    "MemoryCounterStore",
    "MethodAccess",
    "OutstandingChallenges",
    "Protection",
    "ReceiveCounter",
    "Requirement",
    "SecurityContext",
    "SecurityControl",
    "SecurityMaterial",
    "SecurityPolicy",
    "SecuritySuite",
    "TransmitCounter",
    "TransmitState",
    "Unprotected",
    "access_coding",
    "aes_128_ecb",
    "check_protection",
    "is_ciphered",
    "make_challenge",
    "open_envelope",
    "password_matches",
    "protect",
    "seal_envelope",
    "security_suite",
    "system_title_of",
    "unprotect",
    "unwrap_key",
    "wrap_key",
]
