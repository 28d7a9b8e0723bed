"""What a peer says to a station, as one string of octets that can be kept, mutated and said again.

::

    scenario (1)   { where (1)  pause (1)  length (2)  octets (length) }...

``scenario`` chooses among the stations of a target. Of ``where`` the low half chooses the inlet at which the octets
come (a gateway has several), the high half what the user of the station does before: nothing, or one of its acts; and
:data:`PIECES`: the octets come one by one. ``pause`` is the time before, see :data:`PAUSES`.

Whatever the octets are, they are such a conversation.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, NamedTuple

from fuzz.mutation import disturbed
from fuzz.repair import repaired

PAUSES: Final = (0.0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 6.0, 15.0, 61.0, 130.0)
"""Seconds."""
PIECES: Final = 0xF
MOST_OCTETS: Final = 8192


class Message(NamedTuple):
    """Octets that come at once."""

    octets: bytes
    pause: int = 0
    inlet: int = 0
    act: int = 0

    def encode(self) -> bytes:
        octets = self.octets[:0xFFFF]
        return bytes((self.act << 4 | self.inlet, self.pause)) + len(octets).to_bytes(2, "big") + octets


def pause_of(seconds: float) -> int:
    """Return the number of the shortest pause that is not shorter."""
    return min(bisect_left(PAUSES, seconds - 1e-9), len(PAUSES) - 1)


def encode(scenario: int, messages: Iterable[Message]) -> bytes:
    """Return the octets."""
    return bytes((scenario,)) + b"".join(message.encode() for message in messages)


def decode(octets: bytes) -> tuple[int, list[Message]]:
    """Return scenario and messages; what is cut off at the end is shorter."""
    messages = []
    start = 1
    while start + 4 <= len(octets):
        where, pause, length = octets[start], octets[start + 1], int.from_bytes(octets[start + 2 : start + 4], "big")
        messages.append(Message(octets[start + 4 : start + 4 + length], pause % len(PAUSES), where & 0x0F, where >> 4))
        start += 4 + length
    return (octets[0] if octets else 0), messages


def disturb(corpus: list[bytes], draw: random.Random) -> bytes:
    """Make an input of conversations: most of it is as it was, so that a station gets deep into its states."""
    scenario, messages = decode(draw.choice(corpus))
    for _ in range(1 + int(draw.random() * 4)):
        if not messages:
            break
        draw.choice(_CHANGES)(messages, draw, corpus)
    if draw.random() < 0.02:
        return encode(scenario, messages)[: int(draw.random() * MOST_OCTETS)]
    return encode(scenario, messages)[:MOST_OCTETS]


def _change(messages: list[Message], draw: random.Random, corpus: list[bytes]) -> None:
    """Change octets, and in general make the check sequences right again."""
    at = int(draw.random() * len(messages))
    octets = disturbed(messages[at].octets, _words(corpus, draw), draw)
    messages[at] = messages[at]._replace(octets=repaired(octets) if draw.random() < 0.7 else octets)


def _double(messages: list[Message], draw: random.Random, corpus: list[bytes]) -> None:
    at = int(draw.random() * len(messages))
    later = at + 1 + int(draw.random() * 3)
    messages[later:later] = [messages[at]._replace(act=0)] * (1 + int(draw.random() ** 4 * 20))


def _lose(messages: list[Message], draw: random.Random, corpus: list[bytes]) -> None:
    at = int(draw.random() * len(messages))
    del messages[at : at + 1 + int(draw.random() ** 3 * 4)]


def _swap(messages: list[Message], draw: random.Random, corpus: list[bytes]) -> None:
    at, other = (int(draw.random() * len(messages)) for _ in range(2))
    messages[at], messages[other] = messages[other], messages[at]


def _move_on(messages: list[Message], draw: random.Random, corpus: list[bytes]) -> None:
    """Leave out everything before, so that answers come early, or to nothing."""
    del messages[: int(draw.random() * len(messages))]


def _foreign(messages: list[Message], draw: random.Random, corpus: list[bytes]) -> None:
    """Put in what was said elsewhere."""
    words = _words(corpus, draw)
    at = int(draw.random() * (len(messages) + 1))
    messages.insert(at, Message(draw.choice(words), int(draw.random() * 9), int(draw.random() * 4)))


def _wait(messages: list[Message], draw: random.Random, corpus: list[bytes]) -> None:
    at = int(draw.random() * len(messages))
    messages[at] = messages[at]._replace(pause=int(draw.random() * len(PAUSES)))


def _act(messages: list[Message], draw: random.Random, corpus: list[bytes]) -> None:
    at = int(draw.random() * len(messages))
    messages[at] = messages[at]._replace(act=int(draw.random() * 16))


def _cut(messages: list[Message], draw: random.Random, corpus: list[bytes]) -> None:
    at = int(draw.random() * len(messages))
    message = messages[at]
    middle = int(draw.random() * (len(message.octets) + 1))
    rest = Message(message.octets[middle:], int(draw.random() * len(PAUSES)), message.inlet)
    messages[at : at + 1] = [message._replace(octets=message.octets[:middle]), rest]


def _join(messages: list[Message], draw: random.Random, corpus: list[bytes]) -> None:
    at = int(draw.random() * len(messages))
    messages[at : at + 2] = [messages[at]._replace(octets=b"".join(each.octets for each in messages[at : at + 2]))]


def _words(corpus: list[bytes], draw: random.Random) -> list[bytes]:
    """Messages of another conversation."""
    return [each.octets for each in decode(draw.choice(corpus))[1]] or [b"\x00"]


_CHANGES: Final = (_change,) * 8 + (_double, _double, _lose, _swap, _move_on, _foreign, _wait, _act, _act, _cut, _join)
