"""What a liar knows when it tells its lie."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from cosemic.faults.lies.lie import Lie, Moment, Role, moment_of
from cosemic.faults.lies.seals import Seal, Seals
from cosemic.security import SecurityMaterial

MOST_KEPT: Final = 8
"""APDUs of each side that are remembered."""
MOST_ANSWERS: Final = 1024
"""First answers after a lie that are remembered."""
ANSWER_OCTETS: Final = 64
"""First octets of each of them."""
_DATA_NOTIFICATION_CONFIRM: Final = b"\x10"
_SHORT_NAMES: Final = (b"\x05", b"\x06")
"""Read and Write, whose block numbers have two octets."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the honest half of a liar is about to send. seal: None for an APDU without protection of its own."""

    apdu: bytes
    plain: bytes
    seal: Seal | None


class Scene:
    """The session as the liar sees it, up to now.

    ``request``: the request that is being served, plain. ``heard``: APDUs of the peer as they came, the last one last.
    ``answers``: the beginnings of those that came after the lie, plain. ``said``: own APDUs as they were sent.
    ``told``: how often the lie was told.
    """

    def __init__(self, lie: Lie, role: Role, material: SecurityMaterial | None) -> None:
        self.lie = lie
        self.role = role
        self.seals = Seals(role, material)
        self.request = b""
        self.heard: deque[bytes] = deque(maxlen=MOST_KEPT)
        self.answers: list[bytes] = []
        self.said: deque[bytes] = deque(maxlen=MOST_KEPT)
        self.told = 0
        self._passed = 0

    def hears(self, apdu: bytes) -> None:
        """An APDU of the peer has come."""
        self.heard.append(apdu)
        self.seals.learn(apdu)
        plain = self.seals.of_peer(apdu)
        if self.told and len(self.answers) < MOST_ANSWERS:
            self.answers.append(plain[:ANSWER_OCTETS])
        if self.role is Role.SERVER or moment_of(plain) is Moment.PUSHING:
            self.request = plain

    def says(self, apdu: bytes) -> Said:
        """The honest half is about to send an APDU: return it as it would go out if there were no lie any more."""
        self.seals.learn(apdu)
        plain, seal = self.seals.own(apdu)
        if seal is not None:
            fresh = self.seals.fresh(seal)
            apdu = apdu if fresh == seal else fresh.around(plain)
            seal = fresh
        confirms = plain[:1] == _DATA_NOTIFICATION_CONFIRM
        if (self.role is Role.CLIENT and not confirms) or moment_of(plain) is Moment.PUSHING:
            self.request = plain
        return Said(apdu, plain, seal)

    def occasion(self) -> bool:
        """Whether the lie may be told in the present exchange."""
        if moment_of(self.request) is not self.lie.moment or self._told_enough():
            return False
        self._passed += 1
        return self._passed > self.lie.passing

    @property
    def connecting(self) -> bool:
        """Whether nothing was said yet, and the lie may be told about that."""
        silent = not self.said and not self.heard
        return silent and self.lie.moment is Moment.CONNECTING and not self._told_enough()

    def _told_enough(self) -> bool:
        return self.lie.times is not None and self.told >= self.lie.times

    @property
    def invoke(self) -> int:
        """Invoke-id and priority of the request."""
        return self.request[2] if len(self.request) > 2 else 0

    @property
    def long_invoke(self) -> bytes:
        """Long-invoke-id and priority of the request, as octets."""
        return self.request[1:5]

    @property
    def block_number(self) -> int:
        """The number of the block that the request names, or brings."""
        at = 3 if moment_of(self.request) is Moment.BLOCK_READING else 4
        size = 2 if self.request[:1] in _SHORT_NAMES else 4
        return int.from_bytes(self.request[at : at + size], "big")

    def sealed(self, plain: bytes, said: Said) -> bytes:
        """Return an APDU with the protection that the honest one would have, its counter included."""
        if said.seal is None or not plain:
            return plain
        return said.seal.fitting(plain).around(plain)

    def another(self, plain: bytes, said: Said) -> bytes:
        """Return one more APDU, protected like the honest one, under a counter of its own."""
        if said.seal is None:
            return plain
        return self.seals.fresh(said.seal).fitting(plain).around(plain)
