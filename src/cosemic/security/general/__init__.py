"""General protection: general-ciphering, general-signing, and layers of both for several parties (9.2.7.2; security 5).

:class:`GeneralProtection` is the entrance; a :class:`LayerPlan` says what is put around an APDU that is sent, and
:class:`GeneralUnprotected` what was found around one. One layer at a time: :func:`seal_ciphering`,
:func:`open_ciphering`, :func:`seal_signing`, :func:`verify_signing`.
"""

from cosemic.security.general.ciphering import open_ciphering, seal_ciphering
from cosemic.security.general.layout import (
    CipheringParts,
    GeneralHeader,
    KeyEstablishment,
    KeyInfo,
    SigningParts,
    read_header,
    split_ciphering,
    split_signing,
)
from cosemic.security.general.opening import Peeling
from cosemic.security.general.parties import OwnParty, Party
from cosemic.security.general.plan import REFUSED, GeneralUnprotected, Layer, LayerPlan, ReceivedLayer
from cosemic.security.general.plan_text import layers_of
from cosemic.security.general.protecting import GeneralProtection
from cosemic.security.general.signing import seal_signing, verify_signing
from cosemic.security.general.transactions import (
    MemoryTransactionStore,
    Transaction,
    TransactionMemory,
    TransactionStore,
)

__all__ = [
    "REFUSED",
    "CipheringParts",
    "GeneralHeader",
    "GeneralProtection",
    "GeneralUnprotected",
    "KeyEstablishment",
    "KeyInfo",
    "Layer",
    "LayerPlan",
    "MemoryTransactionStore",
    "OwnParty",
    "Party",
    "Peeling",
    "ReceivedLayer",
    "SigningParts",
    "Transaction",
    "TransactionMemory",
    "TransactionStore",
    "layers_of",
    "open_ciphering",
    "read_header",
    "seal_ciphering",
    "seal_signing",
    "split_ciphering",
    "split_signing",
    "verify_signing",
]
