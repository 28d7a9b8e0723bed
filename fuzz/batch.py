"""One batch of inputs, in whatever process it runs."""

from __future__ import annotations

import time
import traceback
from typing import Any

from cosemic.errors import CosemicError
from fuzz.mutation import Mutator, seeds
from fuzz.targets import TARGETS

SIZE = 2000
CORPUS = seeds()


def work(job: tuple[int, int, int, list[str]]) -> dict[str, Any]:
    """Run one batch: counts and findings of each target."""
    seed, count, batch, names = job
    mutate = Mutator(CORPUS, (seed << 32) + batch)
    counts = dict.fromkeys(names, 0)
    refused = dict.fromkeys(names, 0)
    findings: list[tuple[str, str, str]] = []
    slowest: tuple[float, str, str] = (0.0, "", "")
    for number in range(count):
        name = names[number % len(names)]
        octets = mutate()
        started = time.perf_counter()
        try:
            TARGETS[name](octets)
        except CosemicError:
            refused[name] += 1
        except BaseException:
            findings.append((name, octets.hex(), traceback.format_exc()))
        taken = time.perf_counter() - started
        counts[name] += 1
        if taken > slowest[0]:
            slowest = (taken, name, octets.hex())
    return {"counts": counts, "refused": refused, "findings": findings, "slowest": slowest}
