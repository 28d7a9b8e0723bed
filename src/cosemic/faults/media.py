"""What goes wrong on a medium, declared; what did go wrong, counted; and what passed, recorded.

Every direction of a byte stream and every station of a bus has :class:`StreamFaults` of its own. What is written goes
through them in this order::

    write -> frames -> alter -> lost / corrupted frames -> noise before -> lost octets -> bit errors -> line
          -> latency -> chunks -> octets_received

All chance is drawn from the seed, for each kind of fault apart: how a stream is cut into writes changes nothing about
which of its bits are wrong.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

Frames = Callable[[bytes], Sequence[bytes]]
"""Cuts what was written into frames, for the faults that befall whole frames."""
Alter = Callable[[int, bytes], bytes]
"""Gets the number of a frame, from 0, and the frame; returns what goes onto the line instead."""

JOURNAL_OCTETS: Final = 1 << 20
JOURNAL_ENTRIES: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class StreamFaults:
    """What befalls octets on their way from one station.

    Probabilities are from 0 to 1; the faults that name no number or probability never happen.
    """

    chunks: Sequence[int] = ()
    """How many octets are handed in at once, in turn, from the beginning again at the end; none: a write at a time."""
    gathered: float = 0.0
    """Seconds for which what has come is kept, to be handed in together with what follows."""
    latency: float = 0.0
    """Seconds from the end of an octet on the line to its arrival."""
    jitter: float = 0.0
    """Seconds by which arrival may be later still; octets stay in order."""
    bit_error_rate: float = 0.0
    """Probability that a bit is inverted."""
    octet_loss: float = 0.0
    """Probability that an octet is lost; it takes no time on the line then."""
    frame_loss: float = 0.0
    """Probability that a frame is lost as a whole."""
    frame_corruption: float = 0.0
    """Probability that one octet of a frame is replaced by another."""
    noise: float = 0.0
    """Probability that 1 to ``noise_octets`` octets of chance come before a frame."""
    noise_octets: int = 8
    cut_at: int | None = None
    """The medium breaks when so many octets have arrived: all ports learn it."""
    hang_at: int | None = None
    """Nothing arrives any more after so many octets; nobody is told."""
    frames: Frames | None = None
    """What a frame is; None: each write."""
    alter: Alter | None = None
    """Scripted faults."""


FAULTLESS: Final = StreamFaults()


@dataclass(slots=True)
class Counts:
    """What has happened in one direction."""

    writes: int = 0
    frames: int = 0
    octets_written: int = 0
    octets_delivered: int = 0
    frames_lost: int = 0
    frames_corrupted: int = 0
    frames_altered: int = 0
    octets_lost: int = 0
    bits_inverted: int = 0
    noise_octets: int = 0
    octets_collided: int = 0
    octets_misread: int = 0
    """Octets that came to a port of another rate or format."""
    octets_unheard: int = 0
    """Octets that came after the cut, the hang, or the end."""


class Occurrences:
    """Which of many trials an event of some probability befalls; cheap where it is rare."""

    def __init__(self, probability: float, random: Random) -> None:
        self._probability = probability
        self._random = random
        self._skipped = self._gap()

    def among(self, trials: int) -> list[int]:
        """Return which of the next so many trials it befalls, from 0."""
        if self._skipped >= trials:
            self._skipped -= trials
            return []
        found = []
        at = self._skipped
        while at < trials:
            found.append(int(at))
            at += 1 + self._gap()
        self._skipped = at - trials
        return found

    def _gap(self) -> float:
        if self._probability <= 0:
            return math.inf
        if self._probability >= 1:
            return 0
        return math.floor(math.log(1 - self._random.random()) / math.log1p(-self._probability))


class Impairment:
    """The faults of one direction at work on what is written. seed: of all its chance."""

    def __init__(self, faults: StreamFaults, seed: str) -> None:
        self.faults = faults
        self.counts = Counts()
        self._bits = Occurrences(faults.bit_error_rate, Random(f"{seed}/bits"))
        self._octets = Occurrences(faults.octet_loss, Random(f"{seed}/octets"))
        self._lost = Occurrences(faults.frame_loss, Random(f"{seed}/lost"))
        self._corrupted = Occurrences(faults.frame_corruption, Random(f"{seed}/corrupted"))
        self._noise = Occurrences(faults.noise, Random(f"{seed}/noise"))
        self._random = Random(f"{seed}/values")
        self._untouched = (
            not (faults.frame_loss or faults.frame_corruption or faults.noise or faults.octet_loss)
            and not faults.bit_error_rate
            and faults.frames is None
            and faults.alter is None
        )

    def on_line(self, octets: bytes) -> bytearray:
        """Return what goes onto the line for what is written."""
        counts = self.counts
        counts.writes += 1
        counts.octets_written += len(octets)
        if self._untouched:
            counts.frames += 1
            return bytearray(octets)
        cut = self.faults.frames
        line = bytearray()
        for frame in (octets,) if cut is None else cut(octets):
            line += self._framed(frame)
        for at in reversed(self._octets.among(len(line))):
            counts.octets_lost += 1
            del line[at]
        for bit in self._bits.among(8 * len(line)):
            counts.bits_inverted += 1
            line[bit >> 3] ^= 1 << (bit & 7)
        return line

    def garble(self, octets: bytearray, at: int) -> None:
        """Replace an octet by another."""
        octets[at] ^= self._random.randrange(1, 256)

    def delay(self) -> float:
        """Return the seconds from the line to arrival."""
        faults = self.faults
        return faults.latency + (self._random.uniform(0, faults.jitter) if faults.jitter else 0.0)

    def _framed(self, frame: bytes) -> bytearray:
        faults, counts = self.faults, self.counts
        number = counts.frames
        counts.frames += 1
        if faults.alter is not None:
            altered = faults.alter(number, frame)
            counts.frames_altered += altered != frame
            frame = altered
        found = bytearray()
        if self._noise.among(1):
            found += self._random.randbytes(self._random.randint(1, faults.noise_octets))
            counts.noise_octets += len(found)
        if self._lost.among(1):
            counts.frames_lost += 1
            return found
        spoilt = bytearray(frame)
        if self._corrupted.among(1) and spoilt:
            counts.frames_corrupted += 1
            self.garble(spoilt, self._random.randrange(len(spoilt)))
        return found + spoilt


class Passed(NamedTuple):
    """Octets that were handed in at ``station`` at a time, as they came."""

    at: float
    station: str
    octets: bytes


@dataclass(slots=True)
class Journal:
    """What was handed in last, at any station: at most :data:`JOURNAL_OCTETS` octets and as many entries as fit."""

    _entries: deque[Passed] = field(default_factory=deque)
    _octets: int = 0

    def add(self, at: float, station: str, octets: bytes) -> None:
        """Take an entry, and forget the oldest where there are too many."""
        entries = self._entries
        entries.append(Passed(at, station, octets))
        self._octets += len(octets)
        while self._octets > JOURNAL_OCTETS or len(entries) > JOURNAL_ENTRIES:
            self._octets -= len(entries.popleft().octets)

    def __iter__(self) -> Iterator[Passed]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def at(self, station: str) -> bytes:
        """Return all octets that came to a station, end to end, as far as they are kept."""
        return b"".join(each.octets for each in self._entries if each.station == station)
