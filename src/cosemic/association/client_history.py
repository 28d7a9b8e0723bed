"""What a server remembers of one client from association to association.

Passwords are guessed, and what was recorded in one association is sent again in another. Both are held up here::

    authentication failed      counted; from the 5th in a row on the client is refused for 1 s, 2 s, 4 s ... 60 s,
                               rejected-transient, whatever it proves itself with; a success forgets them all
    dedicated key used before  refused: its invocation counters begin anew in each association, so that the same key
                               would let the APDUs of the first be replayed in the second

The pause is of one client of one logical device: others, and the public client, come in as always. It is short enough
that nobody who knows the secret is kept out for long by somebody who does not.
"""

from __future__ import annotations

import math
from typing import Final

FREE_ATTEMPTS: Final = 5
"""Failures in a row before a client has to wait."""
FIRST_PAUSE: Final = 1.0
"""Seconds; each further failure doubles it."""
LONGEST_PAUSE: Final = 60.0
"""Seconds: a guess a minute."""
MOST_KEYS: Final = 1024
"""Dedicated keys that are remembered; the oldest are forgotten."""


class ClientHistory:
    """One client's failures and dedicated keys, as long as the process lives; ``now`` is in seconds of one clock."""

    def __init__(self) -> None:
        self._failures = 0
        self._refused_until = -math.inf
        self._keys: dict[bytes, None] = {}

    def refuses(self, now: float) -> bool:
        """Whether authentication is not even looked at for the moment."""
        return now < self._refused_until

    def failed(self, now: float) -> None:
        """Count a failed authentication."""
        self._failures += 1
        doublings = self._failures - FREE_ATTEMPTS
        if doublings >= 0:
            # The exponent is bounded, because a float overflows where nobody ever stops guessing.
            self._refused_until = now + min(FIRST_PAUSE * 2.0 ** min(doublings, 64), LONGEST_PAUSE)

    def succeeded(self) -> None:
        """Forget the failures."""
        self._failures = 0
        self._refused_until = -math.inf

    def takes_key(self, identity: bytes) -> bool:
        """Remember a dedicated key by its identity; False where it was used before."""
        if identity in self._keys:
            return False
        if len(self._keys) >= MOST_KEYS:
            del self._keys[next(iter(self._keys))]
        self._keys[identity] = None
        return True
