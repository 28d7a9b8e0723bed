"""Where the plain reader of declared types stands, and the errors that it makes for that place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cosemic.codec.length import read_length
from cosemic.codec.limits import Limits
from cosemic.errors import DecodeError


class Cursor:
    """Where the plain reader stands: buffer, position, limits, the path of the field.

    ``nodes`` is how many values are still allowed: all Data and lists of an APDU share them.
    """

    __slots__ = ("buffer", "limits", "nodes", "path", "position")

    def __init__(self, buffer: bytes, limits: Limits, path: str, position: int = 0) -> None:
        self.buffer = buffer
        self.limits = limits
        self.nodes = limits.nodes
        self.position = position
        self.path = [path]

    def take(self, count: int, what: str) -> bytes:
        """Return the next ``count`` octets; raises DecodeError when there are fewer."""
        end = self.position + count
        if end > len(self.buffer):
            raise self.error(f"{count} octets of {what}, {len(self.buffer) - self.position} are left", len(self.buffer))
        octets = self.buffer[self.position : end]
        self.position = end
        return octets

    def length(self) -> int:
        """Read a length or count."""
        with self.located():
            number, self.position = read_length(self.buffer, self.position)
        return number

    def error(self, expected: str, offset: int | None = None) -> DecodeError:
        """Make the DecodeError for this place."""
        return self._located(DecodeError(expected, self.position if offset is None else offset))

    @contextmanager
    def located(self, offset: int = 0) -> Iterator[None]:
        """Give a DecodeError from inside the path of this field; its offset was counted from ``offset``."""
        try:
            yield
        except DecodeError as error:
            raise self._located(error, offset) from None

    def _located(self, error: DecodeError, offset: int = 0) -> DecodeError:
        return error.within(".".join(self.path).replace(".[", "["), offset)
