"""``python -m fuzz --count 10000000``: mutated inputs into every public entry point.

Every target takes octets, and ends in values or events, or in one of the errors that it declares. Anything else is a
finding: it is written to ``build/fuzz/`` with the target's name, and the exit status is 1. All processors are used; the
same ``--seed`` makes the same inputs. ``--only`` chooses targets by name or pattern (``stack-*``); ``--input`` runs a
finding again.
"""

from __future__ import annotations

import argparse
import fnmatch
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from fuzz.batch import SIZE, Job, Tally, run, work
from fuzz.targets import TARGETS

FOLDER = Path("build/fuzz")
MOST_FINDINGS = 20
SLOW = 0.05
"""Seconds; the input of a target that takes longer is kept, to be looked at."""


def main() -> int:
    """Parse, run, report."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000_000, help="inputs in all")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds, whatever is left")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other inputs")
    parser.add_argument("--only", action="append", default=[], help="name or pattern of targets; may be repeated")
    parser.add_argument("--input", help="run this one input, hexadecimal or a file of it, on the targets of --only")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    patterns = arguments.only or ["*"]
    names = tuple(name for name in sorted(TARGETS) if any(fnmatch.fnmatch(name, each) for each in patterns))
    if not names:
        parser.error(f"no target is called {' or '.join(patterns)}: {', '.join(sorted(TARGETS))}")
    started = time.monotonic()
    tallies = {name: Tally() for name in names}
    if arguments.input is not None:
        octets = _read(arguments.input)
        for name in names:
            run(name, octets, tallies[name])
    else:
        size = max(SIZE // 4, len(names))
        jobs = (
            Job(arguments.seed, min(size, arguments.count - start), number, names)
            for number, start in enumerate(range(0, arguments.count, size))
        )
        _run_all(jobs, tallies, arguments, started)
    return _report(tallies, time.monotonic() - started)


def _read(text: str) -> bytes:
    path = Path(text)
    if len(text) < 256 and path.is_file():
        text = path.read_text(encoding="utf-8").split()[0]
    return bytes.fromhex(text)


def _run_all(jobs: Iterator[Job], tallies: dict[str, Tally], arguments: argparse.Namespace, started: float) -> None:
    shown = started
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for results in pool.imap_unordered(work, jobs):
            for name, tally in results.items():
                tallies[name].add(tally)
            now = time.monotonic()
            if now - shown > 5:
                shown = now
                done = sum(each.count for each in tallies.values())
                rate = done / (now - started)
                left = (arguments.count - done) / rate
                print(f"{done:,} of {arguments.count:,} inputs, {rate:,.0f}/s, {left:,.0f} s left", flush=True)
            late = arguments.seconds is not None and now - started > arguments.seconds
            if late or sum(len(each.findings) for each in tallies.values()) >= MOST_FINDINGS:
                pool.terminate()
                break


def _report(tallies: dict[str, Tally], seconds: float) -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, tally in tallies.items():
        for old in FOLDER.glob(f"{name}-[0-9s]*.txt"):
            old.unlink()
        slowest, octets = tally.slowest
        print(
            f"{name:24} {tally.count:>10,} inputs, {tally.refused:>10,} refused, "
            f"slowest {slowest * 1000:8.1f} ms ({len(octets) // 2} octets)"
        )
        if slowest > SLOW:
            (FOLDER / f"{name}-slowest.txt").write_text(f"{octets}\n", encoding="utf-8")
        for number, finding in enumerate(tally.findings.values()):
            (FOLDER / f"{name}-{number}.txt").write_text(f"{finding.octets}\n\n{finding.trace}", encoding="utf-8")
            print(f"{name}: {finding.octets[:120]}\n{finding.trace.strip().splitlines()[-1]}", file=sys.stderr)
    findings = sum(len(each.findings) for each in tallies.values())
    print(f"{sum(each.count for each in tallies.values()):,} inputs in {seconds:.0f} s, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
