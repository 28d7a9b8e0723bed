"""Answers that come block by block (IEC 62056-5-3; reference, application layer 15)."""

from __future__ import annotations

from cosemic.codec import Limits
from cosemic.errors import ProtocolError


class LongAnswer:
    """The blocks of one answer, each checked as it comes: its number, what they come to, and that they end."""

    __slots__ = ("_length", "_limits", "_parts", "due")

    def __init__(self, limits: Limits, first: int = 1) -> None:
        self.due = first
        """Number of the block that comes next."""
        self._limits = limits
        self._parts: list[bytes] = []
        self._length = 0

    def take(self, number: int, raw: bytes, last: bool) -> bytes | None:
        """Take a block: what all of them join to where it is the last, else None. Raises ProtocolError."""
        if number != self.due:
            raise ProtocolError(
                f"the meter sent block {number}, {self.due} was due and the answer is lost: a read can be repeated"
            )
        self._parts.append(raw)
        self._length += len(raw)
        if self._length > self._limits.octets:
            raise ProtocolError(f"the answer is longer than {self._limits.octets} octets: raise the limit or read less")
        if last:
            return b"".join(self._parts)
        if not raw:
            raise ProtocolError("the meter sent a block without data that is not the last: the transfer would not end")
        self.due += 1
        return None
