"""Time several ways of doing the same work, in turns.

Each contender is warmed up and calibrated (how many runs fill a repeat), then all take turns, one repeat each, so that
a slow second of the machine hits all of them. A figure is nanoseconds for one run: median, smallest, largest and the
distance between the quartiles of the repeats. The garbage collector stays on, as in use, and is emptied before each
repeat.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from time import perf_counter_ns
from typing import Any

from benchmarks.contender import Task

REPEATS = 9
REPEAT_NS = 30_000_000
SLOW_NS = 400_000_000
HOPELESS = 2
"""A rival whose run takes longer than `SLOW_NS`, and `HOPELESS` times as long as the fastest rival's, runs once."""


@dataclass(frozen=True)
class Figure:
    """Nanoseconds for one run."""

    median_ns: float
    min_ns: float
    max_ns: float
    iqr_ns: float
    repeats: int
    runs_a_repeat: int

    def to_dict(self) -> dict[str, Any]:
        """The figure as it is written to the JSON file."""
        return {key: round(value, 1) for key, value in asdict(self).items()}


def _once(task: Task, runs: int) -> float:
    arguments = task.arguments(runs)
    run = task.run
    gc.collect()
    start = perf_counter_ns()
    for argument in arguments:
        run(argument)
    return (perf_counter_ns() - start) / runs


def _calibrate(task: Task, repeat_ns: float) -> tuple[int, float]:
    runs = 1
    while True:
        each = _once(task, runs)
        if each * runs >= repeat_ns / 3:
            return max(1, round(repeat_ns / each)), each
        runs *= 4


def measure(
    tasks: Mapping[str, Task], rivals: Collection[str], repeat_ns: float = REPEAT_NS, repeats: int = REPEATS
) -> dict[str, Figure]:
    """Return the figure of each task; all do the same work and take turns in the mapping's order.

    rivals: the names that are compared among each other to find the one that is fast enough to be repeated. repeat_ns,
    repeats: how long a repeat takes, and how many there are.
    """
    calibrated = {name: _calibrate(task, repeat_ns) for name, task in tasks.items()}
    fastest = min((each for name, (_, each) in calibrated.items() if name in rivals), default=0.0)
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for name, (_, each) in calibrated.items():
        if name in rivals and each > SLOW_NS and each > HOPELESS * fastest:
            times[name].append(each)
    turns = [name for name in tasks if not times[name]]
    for _ in range(repeats):
        for name in turns:
            times[name].append(_once(tasks[name], calibrated[name][0]))
    return {name: _figure(values, calibrated[name][0]) for name, values in times.items()}


def _figure(values: list[float], runs: int) -> Figure:
    quarter, _, three_quarters = statistics.quantiles(values, n=4) if len(values) > 1 else (0.0, 0.0, 0.0)
    return Figure(statistics.median(values), min(values), max(values), three_quarters - quarter, len(values), runs)
