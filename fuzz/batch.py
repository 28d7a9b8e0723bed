"""One batch of inputs, in whatever process it runs."""

from __future__ import annotations

import random
import time
import traceback
from dataclasses import dataclass, field
from typing import NamedTuple

from fuzz.targets import TARGETS

SIZE = 2000
MANY = 8192
"""Octets; what takes longer because more was handed in is not slower."""


class Finding(NamedTuple):
    """An input, in hexadecimal, and what it raised."""

    octets: str
    trace: str


class Job(NamedTuple):
    """Which inputs are made and run."""

    seed: int
    inputs: int
    number: int
    names: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """What came of the inputs of one target.

    slowest: seconds of the processor, for each :data:`MANY` octets where there were more, and the input in hexadecimal.
    findings: the shortest for each kind of exception
    and place.
    """

    count: int = 0
    refused: int = 0
    slowest: tuple[float, str] = (0.0, "")
    findings: dict[str, Finding] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Take what came of more inputs."""
        self.count += other.count
        self.refused += other.refused
        self.slowest = max(self.slowest, other.slowest)
        for place, finding in other.findings.items():
            self.found(place, finding)

    def found(self, place: str, finding: Finding) -> None:
        """Take a finding, unless a shorter one is there."""
        known = self.findings.get(place)
        if known is None or len(finding.octets) < len(known.octets):
            self.findings[place] = finding


def run(name: str, octets: bytes, tally: Tally) -> None:
    """Run one input."""
    target = TARGETS[name]
    started = time.process_time()
    handed_in: int | None = None
    try:
        handed_in = target.run(octets)
    except target.errors:
        tally.refused += 1
    except BaseException as error:
        place = f"{type(error).__name__} {traceback.extract_tb(error.__traceback__)[-1]}"
        tally.found(place, Finding(octets.hex(), traceback.format_exc()))
    taken = (time.process_time() - started) * MANY / max(handed_in or 0, MANY)
    tally.count += 1
    tally.slowest = max(tally.slowest, (taken, octets.hex()))


def work(job: Job) -> dict[str, Tally]:
    """Run one batch."""
    tallies = {name: Tally() for name in job.names}
    draws = {name: random.Random(f"{job.seed}/{job.number}/{name}") for name in job.names}
    for number in range(job.inputs):
        name = job.names[number % len(job.names)]
        target = TARGETS[name]
        run(name, target.mutate(target.corpus(), draws[name]), tallies[name])
    return tallies
