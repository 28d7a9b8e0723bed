"""Keys that come wrapped: AES key wrap (RFC 3394) under the transport key of a shipment."""

from __future__ import annotations

from typing import Final, Protocol

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from cosemic.errors import ConfigurationError, DecipheringError
from cosemic.values import Secret

_LENGTHS: Final = (16, 24, 32)
_LONGEST: Final = 1024
FAILED: Final = "the wrapped key cannot be unwrapped: check the transport key, and whether this column is wrapped"


class Unwrapper(Protocol):
    """What opens wrapped keys, here or in a token."""

    def unwrap(self, wrapped: bytes) -> Secret:
        """Return what was wrapped. Raises DecipheringError, the same for all that can be wrong."""


class TransportKey:
    """The transport key of a shipment, in this process: 16, 24 or 32 octets. Raises ConfigurationError."""

    __slots__ = ("_secret",)

    def __init__(self, secret: Secret) -> None:
        if len(secret.reveal()) not in _LENGTHS:
            raise ConfigurationError(f"a transport key has 16, 24 or 32 octets, not {len(secret.reveal())}")
        self._secret = secret

    def unwrap(self, wrapped: bytes) -> Secret:
        """Return what was wrapped. Raises DecipheringError, the same for all that can be wrong."""
        if not 24 <= len(wrapped) <= _LONGEST or len(wrapped) % 8:
            raise DecipheringError(FAILED)
        try:
            return Secret(aes_key_unwrap(self._secret.reveal(), wrapped))
        except InvalidUnwrap:
            raise DecipheringError(FAILED) from None

    def __repr__(self) -> str:
        return f"<TransportKey {self._secret!r}>"
