"""Keys that a general-ciphering was agreed on with, as far as they can be computed again (reference, security 8).

C(1e,1s) needs the recipient's private key, since the originator's was of that message alone; C(0e,2s) that of either
side and the public key of the other. Nobody vouches for an ephemeral key here: its signature is not looked at.
"""

from __future__ import annotations

from cosemic.apdu import AgreedKey, GeneralCiphering
from cosemic.dialect import STANDARD
from cosemic.errors import ConfigurationError, DecipheringError, DecodeError
from cosemic.security.elliptic import PublicKey, SoftwareAgreementKey
from cosemic.security.key_agreement import static_unified
from cosemic.security.key_derivation import Algorithm, kdf
from cosemic.security.keys import Key
from cosemic.security.suite import SUITES

SUITE_MASK = 0x0F
"""Of a security control."""
ONE_PASS, STATIC = b"\x01", b"\x02"


def agreed_key(pdu: GeneralCiphering, info: AgreedKey, own: SoftwareAgreementKey, peer: PublicKey | None) -> Key | None:
    """Return the key of a message; None where the keys do not fit.

    own: private key of one of its two parties. peer: public key of the other one, for C(0e,2s).
    """
    suite = next(suite for suite in SUITES.values() if suite.curve == own.public.suite_curve)
    if pdu.ciphered_content[0] & SUITE_MASK != suite.id:
        return None
    titles = pdu.originator_system_title, pdu.recipient_system_title
    try:
        if info.key_parameters == STATIC and peer is not None:
            return static_unified(own, peer, *titles, pdu.transaction_id, suite=suite)
        if info.key_parameters == ONE_PASS:
            z = own.exchange(PublicKey.of(info.key_ciphered_data[: suite.public_key_length], suite))
            return kdf(suite, z, Algorithm.for_encryption(suite), *titles, STANDARD)
    except (ConfigurationError, DecipheringError, DecodeError):
        pass
    return None
