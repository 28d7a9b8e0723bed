"""Run the workloads, print a table, write the figures: `python -m benchmarks --out build/bench.json [--only ...]`."""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks import block_transfer, idle_fleet, ours, security_forms, sessions
from benchmarks.contender import Contender, Task
from benchmarks.hot_spots import hot_spots
from benchmarks.peers import dlms_cosem, gurux, pydlms
from benchmarks.responder import responder
from benchmarks.timing import Figure, measure
from benchmarks.workloads import WORKLOADS, Workload

_SYSTEMS: Final[dict[str, Any]] = {
    security_forms.NAME: security_forms,
    "gbt-100ms": block_transfer,
    "sessions-served": sessions,
    "idle-fleet": idle_fleet,
}
"""Measured as a whole: beside the primitives, in virtual time, or in processes of their own."""


class WrongAnswer(Exception):
    """A contender delivered something else than the truth."""


def _checked(contender: Contender, name: str, truth: Any) -> Task:
    task = contender.tasks[name]()
    try:
        for argument in task.arguments(1):
            if task.plain(task.run(argument)) != truth:
                raise WrongAnswer("delivers something else than the truth")
    except BaseException:
        task.close()
        raise
    return task


def run(workload: Workload, contenders: Sequence[Contender]) -> dict[str, Any]:
    """Check and time one workload; returns its object of the JSON file."""
    truth = workload.truth()
    tasks: dict[str, Task] = {}
    without: dict[str, str] = {}
    for contender in contenders:
        if workload.name not in contender.tasks:
            without[contender.name] = contender.declined.get(workload.name, "not there yet")
            continue
        try:
            tasks[contender.name] = _checked(contender, workload.name, truth)
        except Exception as error:  # a contender may fail in any way; its failure is the result
            without[contender.name] = f"{type(error).__name__}: {error}"
    mine = contenders[0].name
    if workload.beside and mine in tasks:
        tasks[workload.beside] = _checked(contenders[0], workload.beside, truth)
    del truth
    gc.collect()
    try:
        figures = measure(tasks, [name for name in tasks if name not in (mine, workload.beside)])
        record = _record(workload, contenders, figures, without)
        if record["met"] is False:
            record["profile"] = hot_spots(tasks[mine], figures[mine].median_ns)
    finally:
        for task in tasks.values():
            task.close()
    return record


def _record(
    workload: Workload, contenders: Sequence[Contender], figures: dict[str, Figure], without: dict[str, str]
) -> dict[str, Any]:
    def told(contender: Contender) -> dict[str, Any]:
        figure = figures.get(contender.name)
        result = figure.to_dict() if figure else {"why": without[contender.name]}
        return {"version": contender.version, **result}

    mine, *peers = contenders
    theirs = {peer.name: figures[peer.name].median_ns for peer in peers if peer.name in figures}
    fastest = min(theirs, key=lambda name: theirs[name], default=None)
    ratio = None
    if mine.name in figures and fastest is not None:
        ratio = round(theirs[fastest] / figures[mine.name].median_ns, 2)
    wanted, beside = ratio, None
    if workload.beside in figures:
        other = figures[workload.beside]
        wanted = round(other.median_ns / figures[mine.name].median_ns, 2)
        beside = {"name": workload.beside, "ratio": wanted, **other.to_dict()}
    return {
        "name": workload.name,
        "what": workload.what,
        "ours": told(mine),
        "peers": {peer.name: told(peer) for peer in peers},
        "fastest_peer": fastest,
        "ratio": ratio,
        "goal": workload.goal,
        "beside": beside,
        "met": None if wanted is None else wanted >= workload.goal,
    }


def _time(ns: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.0f} ns"


def _cell(told: dict[str, Any]) -> str:
    if "median_ns" not in told:
        return "-"
    spread = 100 * told["iqr_ns"] / told["median_ns"]
    return f"{_time(told['median_ns'])} ±{spread:.0f}%" if told["repeats"] > 1 else f"{_time(told['median_ns'])} once"


def _line(cells: Sequence[str]) -> str:
    return (
        f"{cells[0]:<30}"
        + "".join(f"{cell:>18}" for cell in cells[1:-3])
        + "".join(f"{cell:>8}" for cell in cells[-3:])
    )


def _print(record: dict[str, Any]) -> None:
    ratio = "-" if record["ratio"] is None else f"{record['ratio']:g}x"
    met = {None: "-", True: "yes", False: "NO"}[record["met"]]
    cells = [_cell(record["ours"]), *(_cell(told) for told in record["peers"].values())]
    print(_line([record["name"], *cells, ratio, f"{record['goal']:g}x", met]), flush=True)
    if (beside := record["beside"]) is not None:
        print(f"    {beside['name']} by cosemic: {_cell(beside)}, {beside['ratio']:g}x: what the goal is about")
    for name, told in [("cosemic", record["ours"]), *record["peers"].items()]:
        if "why" in told and told["why"] != "not there yet":
            print(f"    {name}: {told['why']}")
    for spot in record.get("profile", [])[:3]:
        print(f"    {spot['share']:.0%} in {spot['function']}, {spot['calls_a_run']:g} calls a run")


@contextmanager
def _one_core(wanted: bool) -> Iterator[None]:
    """Keep this process on the core where the responder runs.

    Between two cores a round trip mostly measures how long an idle core takes to wake, the same for every contender and
    several times the work that is compared.
    """
    if not wanted or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--only", nargs="*", default=[], help="workloads by (parts of) their names")
    options = parser.parse_args()
    chosen = [w for w in WORKLOADS if not options.only or any(part in w.name for part in options.only)]
    start = time.monotonic()
    with responder() as address:
        contenders = [module.contender(address) for module in (ours, pydlms, gurux, dlms_cosem)]
        print(f"Python {platform.python_version()}; median and distance between quartiles, time of one run")
        print(_line(["workload", *(f"{c.name} {c.version}"[:17] for c in contenders), "ratio", "goal", "met"]))
        records = []
        for workload in chosen:
            with _one_core(workload.over_tcp):
                records.append(run(workload, contenders))
            _print(records[-1])
    for name, system in _SYSTEMS.items():
        if not options.only or any(part in name for part in options.only):
            records.append(system.compare())
            system.show(records[-1])
    print(f"{time.monotonic() - start:.0f} s; ratio: time of the fastest peer divided by ours")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(records, indent=2) + "\n")
        print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
