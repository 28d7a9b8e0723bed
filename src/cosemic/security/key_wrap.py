"""AES key wrap (RFC 3394) of global keys under the key encryption key (Green Book 9.2.3.3.8; reference, security 7).

::

    key of 16 octets -> 24 octets (suites 0 and 1), key of 32 octets -> 40 octets (suite 2)

Only the exact length of the suite is wrapped or taken; the variant with padding (RFC 5649) is not used in COSEM.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from cosemic.errors import ConfigurationError, DecipheringError
from cosemic.security.keys import Key
from cosemic.security.suite import SecuritySuite
from cosemic.values.secret import Secret

FAILED: Final = "the wrapped key cannot be unwrapped: check the key encryption key and the security suite"


def wrap_key(kek: Key, key: Secret, suite: SecuritySuite) -> bytes:
    """Return ``key`` wrapped under ``kek``: 24 or 40 octets.

    Raises ConfigurationError when either is not of the suite's length.
    """
    if len(kek) != suite.key_length or len(key.reveal()) != suite.key_length:
        raise ConfigurationError(
            f"security suite {suite.id} wraps keys of {suite.key_length} octets under such keys, "
            f"not {len(key.reveal())} octets under {len(kek)}"
        )
    return aes_key_wrap(kek.reveal(), key.reveal())


def unwrap_key(kek: Key, wrapped: bytes, suite: SecuritySuite, kind: str = "key") -> Secret:
    """Return the key that was wrapped under ``kek``, as a secret of that kind.

    Raises DecipheringError, the same for a wrong length, a changed octet and a wrong ``kek``; ConfigurationError when
    ``kek`` is not of the suite's length.
    """
    if len(kek) != suite.key_length:
        raise ConfigurationError(f"the key encryption key has {len(kek)} octets, suite {suite.id} {suite.key_length}")
    if len(wrapped) != suite.wrapped_key_length:
        raise DecipheringError(FAILED)
    try:
        return Secret(aes_key_unwrap(kek.reveal(), bytes(wrapped)), kind)
    except InvalidUnwrap:
        raise DecipheringError(FAILED) from None
