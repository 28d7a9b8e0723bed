"""What a server keeps to answer requests that come again (IEC 62056-9-7: confirmed services over UDP; reference,
transports 2).

Where datagrams are lost, doubled and late, a client repeats what is not answered: the same invoke-id, the same plain
octets, and under ciphering another counter::

    the request served last         its answer again, protected anew; nothing is executed
    a request served before that    a late double: passed over
    the AARQ that opened            its AARE again; the association goes on
    any other request               served; its answer is kept in place of the last

A late double has an invoke-id that lies behind the last one, as clients count them (0 or 1 to 15, and round again). One
that uses the same id for everything must not be served in this way: it would be given old answers. Long-invoke-ids
(ACCESS) do not come round again: what has the same id and the same octets is a double. Requests with short names have
no id: they are served whenever they come.

Bounds: one answer of ``most`` octets, for :data:`KEPT_FOR`; digests of :data:`PARTS_KEPT` requests of each invoke-id,
and of the last :data:`LONG_KEPT` with a long-invoke-id, for :data:`LATE_FOR`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cosemic.security import Protection
from cosemic.security.digests import sha256_of

KEPT_FOR: Final = 600.0
"""Seconds after the last request in which it may be repeated: a client that has waited longer asks anew."""
LATE_FOR: Final = 60.0
"""Seconds that a datagram may be under way."""
IDS_BEHIND: Final = 11
"""Invoke-ids, of 16, that lie behind the last one; those ahead of it are new, so that some may be lost altogether."""
PARTS_KEPT: Final = 64
"""Requests of one exchange that are known again; what a transfer in blocks has on top cannot be executed alone."""
LONG_KEPT: Final = 64
"""Requests with a long-invoke-id that are known again."""
_IDS: Final = 16
_INVOKE_ID: Final = 2
"""Octet of a request in which the invoke-id stands, in its lower half, or a long-invoke-id begins."""
_LONG_END: Final = 5
_ACCESS_REQUEST: Final = 0xD9


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A plain answer, and the protection that it needs."""

    octets: bytes
    protection: Protection


@dataclass(slots=True)
class _Exchange:
    """Digests of the requests of one invoke-id, the latest at ``at``."""

    at: float
    requests: set[bytes] = field(default_factory=set)


class KeptAnswers:
    """What one association that stands has answered; ``now`` is in seconds of one clock.

    aarq: what opened it. opening: what answered that, the AARE or nothing. most: octets of an answer that is kept.
    """

    def __init__(self, aarq: bytes, opening: Sequence[bytes], most: int) -> None:
        self.opening = opening
        self._aarq = sha256_of(aarq)
        self._most = most
        self._invoke = self._place = 0
        self._last = b""
        self._at = 0.0
        self._answer: KeptAnswer | None = None
        self._exchanges: dict[int, _Exchange] = {}

    def opened_by(self, aarq: bytes) -> bool:
        """Whether this AARQ is the one that opened the association."""
        return sha256_of(aarq) == self._aarq

    @property
    def answer(self) -> KeptAnswer | None:
        """The answer to the request served last; None where none was given, or it was too long to be kept."""
        return self._answer

    def repeats(self, request: bytes, now: float) -> bool:
        """Whether a plain request is the one served last."""
        return sha256_of(request) == self._last and now < self._at + KEPT_FOR

    def comes_late(self, request: bytes, now: float) -> bool:
        """Whether a plain request was served before the last one, and comes once more."""
        place = _place(request)
        exchange = self._exchanges.get(place)
        if exchange is None or now >= exchange.at + LATE_FOR:
            return False
        if place < _IDS and (self._invoke - place) % _IDS > IDS_BEHIND:
            return False
        return sha256_of(request) in exchange.requests

    def serve(self, request: bytes, now: float) -> None:
        """Take note of a plain request before it is served: whatever comes of it, it is not served again."""
        place = _place(request)
        exchange = self._exchanges.get(place)
        if exchange is None or place != self._place:
            self._forget_oldest(place)
            exchange = self._exchanges[place] = _Exchange(now)
        if place < _IDS:
            self._invoke = place
        self._place, self._last, self._at, self._answer = place, sha256_of(request), now, None
        exchange.at = now
        if len(exchange.requests) < PARTS_KEPT:
            exchange.requests.add(self._last)

    def forget_last(self) -> None:
        """Nothing was executed for the request noted last: it may be tried again."""
        self._exchanges[self._place].requests.discard(self._last)
        self._last = b""

    def _forget_oldest(self, place: int) -> None:
        """Keep room for one more with a long-invoke-id."""
        if place >= _IDS and len(self._exchanges) >= _IDS + LONG_KEPT:
            del self._exchanges[next(one for one in self._exchanges if one >= _IDS)]

    def keep(self, octets: bytes, protection: Protection) -> None:
        """Keep the answer to the request served last."""
        if len(octets) <= self._most:
            self._answer = KeptAnswer(octets, protection)


def _place(request: bytes) -> int:
    """The invoke-id, or the long-invoke-id behind all of these."""
    if request[0] == _ACCESS_REQUEST:
        return _IDS + int.from_bytes(request[_INVOKE_ID:_LONG_END])
    return request[_INVOKE_ID] & 0x0F
