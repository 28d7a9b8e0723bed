"""The root of a key store: one sealed value over all meters, all slots and the end of the audit.

::

    number of the last audit entry (8) | its mac (32) | 256 sums (16 each)

    sum         of MAC(number, revision, seal) over the meters whose number begins with that octet, modulo 2^128
    MAC         the first 16 octets of HMAC-SHA-256 under a key that comes from the master key

A change of one meter costs two MACs, whatever the number of meters is; reading one costs those of its 256th part.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final

from cosemic.store.key_store.audit import NO_MAC, Head
from cosemic.store.key_store.sealing import CHANGED, BrokenSeal, bound, subkey

BUCKETS: Final = 256
BUCKET_BITS: Final = 55
"""A number of a meter has 63 random bits; the first eight name its bucket."""
NUMBER_BITS: Final = 63
_SUM: Final = 16
_LIMIT: Final = 1 << 8 * _SUM
_HEAD: Final = 8 + len(NO_MAC)
Mark = tuple[int, int, bytes]
"""What stands for one state of one meter: number, revision, seal."""


class Root:
    """The root, unsealed. head: the end of the audit."""

    __slots__ = ("_key", "_sums", "head")

    def __init__(self, master: bytes, octets: bytes | None = None) -> None:
        """Take the root of a store apart; None: that of an empty one. Raises BrokenSeal."""
        if octets is None:
            octets = bytes(_HEAD + BUCKETS * _SUM)
        elif len(octets) != _HEAD + BUCKETS * _SUM:
            raise BrokenSeal(CHANGED)
        self._key = subkey(master, b"root")
        self.head = Head(int.from_bytes(octets[:8], "big"), octets[8:_HEAD])
        self._sums = [int.from_bytes(octets[at : at + _SUM], "big") for at in range(_HEAD, len(octets), _SUM)]

    def under(self, master: bytes) -> Root:
        """Return a root without meters under another master key; the audit goes on."""
        fresh = Root(master)
        fresh.head = self.head
        return fresh

    def to_octets(self) -> bytes:
        """Return what is sealed."""
        sums = b"".join(each.to_bytes(_SUM, "big") for each in self._sums)
        return self.head.number.to_bytes(8, "big") + self.head.mac + sums

    def add(self, mark: Mark) -> None:
        """Enter a state of a meter."""
        bucket = mark[0] >> BUCKET_BITS
        self._sums[bucket] = (self._sums[bucket] + self._mac(mark)) % _LIMIT

    def take_out(self, mark: Mark) -> None:
        """Take out a state of a meter that was entered."""
        bucket = mark[0] >> BUCKET_BITS
        self._sums[bucket] = (self._sums[bucket] - self._mac(mark)) % _LIMIT

    def check(self, bucket: int, marks: Iterable[Mark]) -> None:
        """Raise BrokenSeal unless these are all meters of a bucket, in the states that were entered."""
        if sum(map(self._mac, marks)) % _LIMIT != self._sums[bucket]:
            raise BrokenSeal(CHANGED)

    def _mac(self, mark: Mark) -> int:
        return int.from_bytes(hmac.digest(self._key, bound(*mark), "sha256")[:_SUM], "big")
