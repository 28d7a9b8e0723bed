"""Key octets and passwords that cannot slip into a log, an exception, a pickle or a trace.

What is shown of a key is a fingerprint, keyed with a salt that is drawn anew in each process: it tells two keys of one
run apart and says nothing outside of it. Of a password not even that is shown: passwords can be guessed.

A secret overwrites its own octets when nobody holds it any more. That shortens the time that they are in memory, and
promises no more: Python cannot overwrite ``bytes`` and ``str``, so that what a secret was made from (a line of a file,
an unwrapped key), what :meth:`Secret.reveal` has returned, and the copies of cipher objects stay until their memory is
used again; memory may be swapped; and what is alive when a process ends is not overwritten at all. Against those who
can read the memory of a process only the operating system helps (:mod:`cosemic.store.process_memory`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from cosemic.errors import ConfigurationError

if TYPE_CHECKING:
    from typing_extensions import Buffer

_SALT: Final = secrets.token_bytes(32)
_PASSWORD: Final = "password"  # noqa: S105 - the name of the kind, not a password


class HiddenOctets(bytes):
    """Octets with a key among them, that do not show themselves: they stand in the local variables of functions, which
    some tools put into tracebacks. They are not pickled. What is cut from them is plain octets; what is joined to them
    is hidden, too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} octets, hidden>"

    __str__ = __repr__

    def __add__(self, other: Buffer) -> HiddenOctets:
        return HiddenOctets(bytes.__add__(self, other))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("octets with a key among them are not pickled")


class HiddenText(str):
    """Text of settings that may hold a key, or a password in a wrong place: repr does not show it, ``str`` does."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} characters, hidden>"


def hidden(value: Any) -> Any:
    """Return text and octets of settings so that repr does not show them; those in tables and lists, too."""
    match value:
        case str():
            return HiddenText(value)
        case bytes() | bytearray():
            return HiddenOctets(value)
        case Mapping():
            return {name: hidden(one) for name, one in value.items()}
        case list():
            return [hidden(one) for one in value]
        case _:
            return value


class Secret:
    """Octets of a key or password; only :meth:`reveal` gives them away.

    octets: the key or password.
    kind: what it is, for the reader of a message: ``"key"``, ``"authentication key"`` ...; with ``"password"`` no
        fingerprint is shown.

    Compares in constant time; can be a dictionary key; cannot be pickled, iterated or changed. The octets are copied,
    and overwritten in the end (see the module for what that is worth).

    >>> Secret.password("12345678")
    <Secret password>
    """

    __slots__ = ("__octets", "kind")
    kind: str
    __octets: bytearray

    def __init__(self, octets: bytes | bytearray | memoryview, kind: str = "key") -> None:
        if not isinstance(octets, bytes | bytearray | memoryview):
            raise TypeError(f"a secret is made from octets, not from {type(octets).__name__}")
        object.__setattr__(self, "_Secret__octets", bytearray(octets))
        object.__setattr__(self, "kind", kind)

    @classmethod
    def password(cls, text: str | bytes) -> Self:
        """Return a password; text is sent as ASCII. Raises ConfigurationError for other characters."""
        if isinstance(text, str):
            if not text.isascii():
                raise ConfigurationError("a password given as text is ASCII; give any other as octets")
            text = text.encode("ascii")
        return cls(text, _PASSWORD)

    @classmethod
    def from_hex(cls, text: str, kind: str = "key") -> Self:
        """Return the secret that hexadecimal text stands for, spaces allowed. Raises ConfigurationError."""
        digits = "".join(text.split())
        if len(digits) % 2 or set(digits) - set("0123456789abcdefABCDEF"):
            raise ConfigurationError(f"the {kind} is not hexadecimal text of whole octets ({len(digits)} characters)")
        return cls(bytes.fromhex(digits), kind)

    def reveal(self) -> bytes:
        """Return the octets: for the function that needs them, never to be kept or printed."""
        return bytes(self.__octets)

    def matches(self, octets: bytes) -> bool:
        """Tell in constant time (over equal lengths) whether ``octets`` are the secret."""
        return hmac.compare_digest(self.__octets, octets)

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that differ for different keys and from process to process; empty for a password."""
        return "" if self.kind == _PASSWORD else self.__digest()[:4].hex()

    def __digest(self) -> bytes:
        return hashlib.blake2b(self.__octets, digest_size=16, key=_SALT).digest()

    def __eq__(self, other: object) -> bool:
        return hmac.compare_digest(self.__octets, other.__octets) if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.__digest())

    def __del__(self) -> None:
        try:
            octets = self.__octets
        except AttributeError:  # it was never made
            return
        octets[:] = bytes(len(octets))

    def __repr__(self) -> str:
        return f"<Secret {' '.join(filter(None, (self.kind, self.fingerprint)))}>"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a secret cannot be changed")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled; keep it in a key store")
