"""Where the time of a workload goes: the functions in which most of it is spent, for the goals that are not met."""

from __future__ import annotations

import cProfile
from pathlib import PurePath
from types import CodeType
from typing import Any

from benchmarks.contender import Task

FILL_NS = 200_000_000
MOST = 6


def hot_spots(task: Task, run_ns: float) -> list[dict[str, Any]]:
    """Profile enough runs to fill a fifth of a second; returns the functions with most time of their own.

    Shares are of the time under the profiler, which makes calls of Python functions look dearer than they are.
    """
    runs = max(1, round(FILL_NS / max(run_ns, 1)))
    arguments = list(task.arguments(runs))
    run = task.run
    profiler = cProfile.Profile()
    profiler.enable()
    for argument in arguments:
        run(argument)
    profiler.disable()
    entries = sorted(profiler.getstats(), key=lambda entry: -entry.inlinetime)
    total = sum(entry.inlinetime for entry in entries) or 1.0
    return [
        {
            "function": _name(entry.code),
            "calls_a_run": round(entry.callcount / runs, 1),
            "share": round(entry.inlinetime / total, 2),
        }
        for entry in entries[:MOST]
    ]


def _name(code: CodeType | str) -> str:
    if isinstance(code, str):
        return code.strip("<>")
    return f"{PurePath(code.co_filename).stem}:{code.co_firstlineno} {code.co_name}"
