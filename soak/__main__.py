"""``python -m soak --association-steps 100000 --kills 10000 --minutes 30``: conversations, kills, months of collection.

First client and server of the application layer, whatever they agree upon (:mod:`soak.associations`). Then processes
that send and receive protected APDUs, and are killed (:mod:`soak.kills`). Then rounds.

Each round moves the meters' clocks on by some hours (more in some rounds than in others), breaks one connection in the
middle, collects, and holds what the store has against what must be there: every interval once, and the last register
value the sum of the intervals. In the end the memory of the process must not have grown with the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import random
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path

from cosemic.head_end import Collector, MeterPoint, Store
from cosemic.simulator import Fleet
from cosemic.store import FileCounterStore
from cosemic.values import Obis
from soak.associations import soak_associations
from soak.kills import soak_kills

PROFILE = Obis("1-0:99.1.0")
PERIOD = dt.timedelta(minutes=15)
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
WARM_UP = 20
"""Rounds before the memory is looked at: caches fill until then."""
MOST_GROWTH = 1.25


class Failed(Exception):
    """What was promised does not hold."""


async def soak(minutes: float, count: int, seed: int, folder: Path) -> str:
    """Run rounds for so many minutes; returns a summary. Raises Failed."""
    draw = random.Random(seed)
    clock = [BEGIN + dt.timedelta(days=1)]
    fleet = Fleet.of(count, seed, now=lambda: clock[0], counters=FileCounterStore(folder / "meters"), profile_days=14)
    ends = time.monotonic() + 60 * minutes
    shown, rounds, first = 0.0, 0, 0
    with Store(folder / "soak.sqlite") as store:
        async with fleet:
            points = [
                MeterPoint(
                    name=str(one.serial),
                    url=one.url,
                    security={**one.security, "counters": str(folder / "head_end")},
                    profiles=(PROFILE,),
                )
                for one in fleet.endpoints
            ]
            while time.monotonic() < ends:
                rounds += 1
                clock[0] += dt.timedelta(minutes=15 * draw.choice((1, 4, 24, 96, 400)))
                await _round(store, points, clock[0], draw)
                _check(store, points, clock[0])
                memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                if rounds == WARM_UP:
                    first = memory
                if first and memory > MOST_GROWTH * first:
                    raise Failed(f"memory grew from {first} to {memory} KiB in {rounds} rounds")
                if time.monotonic() - shown > 10:
                    shown = time.monotonic()
                    print(
                        f"round {rounds}, {clock[0]:%Y-%m-%d}, {store.count_rows():,} rows, {memory // 1024} MiB",
                        flush=True,
                    )
        return f"{rounds} rounds of {count} meters, {store.count_rows():,} rows, up to {clock[0]:%Y-%m-%d}"


async def _round(store: Store, points: list[MeterPoint], now: dt.datetime, draw: random.Random) -> None:
    """Collect; in some rounds it is cancelled in the middle, and done once more."""
    collector = Collector(store, concurrency=16)
    if draw.random() < 0.3:
        task = asyncio.ensure_future(collector.collect(points, BEGIN, now))
        await asyncio.sleep(draw.random() * 0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    outcomes = await collector.collect(points, max(BEGIN, now - dt.timedelta(days=10)), now)
    for point, outcome in zip(points, outcomes, strict=True):
        if outcome.error is not None:
            raise Failed(f"meter {point.name}: {outcome.error}")


def _check(store: Store, points: list[MeterPoint], now: dt.datetime) -> None:
    """Every interval of the last days is there, once."""
    until = now - (now - BEGIN) % PERIOD
    since = max(BEGIN, until - dt.timedelta(days=9))
    for point in points:
        stamps = [one.interval_start for one in store.readings(point.name, PROFILE, Obis("1-0:1.8.0"), since, until)]
        expected = int((until - since) / PERIOD)
        if len(stamps) != len(set(stamps)):
            raise Failed(f"meter {point.name}: an interval stands twice in the store")
        if len(stamps) != expected:
            raise Failed(f"meter {point.name}: {len(stamps)} intervals from {since} to {until}, not {expected}")


def main() -> int:
    """Parse, run, report."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="of rounds; 0: none")
    parser.add_argument("--association-steps", type=int, default=0, metavar="STEPS", help="of conversations before")
    parser.add_argument("--kills", type=int, default=0, help="of processes that use counters, before")
    parser.add_argument("--meters", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.association_steps > 0:
        try:
            print(f"All good: {soak_associations(options.association_steps, options.seed)}.", flush=True)
        except Exception:
            traceback.print_exc()  # Hypothesis has added the shortest steps
            again = f"python -m soak --association-steps {options.association_steps} --minutes 0 --seed {options.seed}"
            print(f"FAILED: the same once more with `{again}`", file=sys.stderr)
            return 1
    if options.kills > 0:
        try:
            print(f"All good: {soak_kills(options.kills, options.seed)}.", flush=True)
        except Exception:
            traceback.print_exc()
            again = f"python -m soak --kills {options.kills} --minutes 0 --seed {options.seed}"
            print(f"FAILED: the same draws, though not the same moments, with `{again}`", file=sys.stderr)
            return 1
    if not options.minutes > 0:
        return 0
    with tempfile.TemporaryDirectory(prefix="cosemic-soak-") as folder:
        try:
            summary = asyncio.run(soak(options.minutes, options.meters, options.seed, Path(folder)))
        except Failed as failure:
            print(f"FAILED: {failure}", file=sys.stderr)
            return 1
    print(f"All good: {summary}; nothing lost, nothing doubled, no growth.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
