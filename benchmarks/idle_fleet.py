"""A thousand simulated meters in one process: how long until all listen, and what each takes while nobody asks.

In a process of its own, so that what others have allocated does not count. Time runs from the call that makes the fleet
until every port is open; memory is the growth of the resident set over that time, per meter.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

METERS = 1000
START_GOAL = 1.0
MEMORY_GOAL = 100.0
"""KiB."""


def resident() -> int:
    """KiB of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


async def _idle() -> dict[str, float]:
    from cosemic.simulator import Fleet

    before, begun = resident(), time.perf_counter()
    async with Fleet.of(METERS, seed=1):
        return {"seconds": time.perf_counter() - begun, "kib_each": (resident() - before) / METERS}


def compare() -> dict[str, Any]:
    """Start the fleet in a process of its own; return the object for the JSON file."""
    command = [sys.executable, "-m", "benchmarks.idle_fleet"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    seconds, each = round(found["seconds"], 2), round(found["kib_each"], 1)
    return {
        "workload": "idle-fleet",
        "meters": METERS,
        "seconds": seconds,
        "kib_each": each,
        "goal": {"seconds": START_GOAL, "kib_each": MEMORY_GOAL},
        "met": seconds <= START_GOAL and each <= MEMORY_GOAL,
    }


def show(record: dict[str, Any]) -> None:
    """Print the figures."""
    print(
        f"{record['meters']} simulated meters: listening after {record['seconds']} s (goal {START_GOAL} s), "
        f"{record['kib_each']} KiB each (goal {MEMORY_GOAL} KiB): {'met' if record['met'] else 'NOT MET'}"
    )


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_idle())))
