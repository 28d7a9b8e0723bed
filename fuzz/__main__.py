"""``python -m fuzz --count 10000000``: mutated inputs into every public entry point.

Every target takes octets and must return, or raise an error of :class:`cosemic.errors.CosemicError`. Anything else is a
finding: it is written to ``build/fuzz/`` with the target's name, and the exit status is 1. All processors are used; the
same ``--seed`` makes the same inputs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path

from fuzz.batch import SIZE, work
from fuzz.targets import TARGETS

FOLDER = Path("build/fuzz")
MOST_FINDINGS = 20


def main() -> int:
    """Parse, run, report."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other inputs")
    parser.add_argument("--only", action="append", choices=sorted(TARGETS), help="only this target; may be repeated")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    names = arguments.only or sorted(TARGETS)
    batches = -(-arguments.count // SIZE)
    jobs = ((arguments.seed, min(SIZE, arguments.count - batch * SIZE), batch, names) for batch in range(batches))
    counts = dict.fromkeys(names, 0)
    refused = dict.fromkeys(names, 0)
    findings: list[tuple[str, str, str]] = []
    slowest: tuple[float, str, str] = (0.0, "", "")
    started = shown = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for result in pool.imap_unordered(work, jobs):
            for name in names:
                counts[name] += result["counts"][name]
                refused[name] += result["refused"][name]
            findings += result["findings"]
            slowest = max(slowest, result["slowest"])
            now = time.monotonic()
            if now - shown > 5:
                shown = now
                done = sum(counts.values())
                rate = done / (now - started)
                left = (arguments.count - done) / rate
                print(f"{done:,} of {arguments.count:,} inputs, {rate:,.0f}/s, {left:,.0f} s left", flush=True)
            if len(findings) >= MOST_FINDINGS:
                pool.terminate()
                break
    for name in names:
        print(f"{name:28} {counts[name]:>12,} inputs, {refused[name]:>12,} refused")
    print(f"slowest input: {slowest[0] * 1000:.1f} ms in {slowest[1]} ({len(slowest[2]) // 2} octets)")
    for number, (name, text, trace) in enumerate(findings):
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{name}-{number}.txt").write_text(f"{text}\n\n{trace}", encoding="utf-8")
        print(f"{name}: {text[:120]}\n{trace.strip().splitlines()[-1]}", file=sys.stderr)
    total = sum(counts.values())
    print(f"{total:,} inputs in {time.monotonic() - started:.0f} s, {len(findings)} other exceptions")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
