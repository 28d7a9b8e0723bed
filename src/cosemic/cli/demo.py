"""``cosemic demo``: a fleet of simulated meters behind real TCP sockets, collected and shown."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cosemic.cli._demo_report import ENERGY, DemoReport
from cosemic.cli._fleet_process import SimulatedMeter, running_fleet
from cosemic.cli._json import print_json
from cosemic.cli._progress import progress
from cosemic.errors import ConfigurationError
from cosemic.head_end import Collector, MeterPoint, Store
from cosemic.head_end.load import fleet_load
from cosemic.values import Obis

PROFILE: Final = Obis("1-0:99.1.0")
PERIOD: Final = dt.timedelta(minutes=15)
DAY: Final = dt.timedelta(days=1)
MOST_DAYS: Final = 365
EXAMPLES: Final = """\
examples:
  cosemic demo
  cosemic demo --meters 200 --days 30 --store fleet.sqlite
  cosemic demo --json | jq .round_trips

Run it again: only what is missing in the store is read. To start anew, remove the store (demo.sqlite). Invocation
counters of meters and collector are kept in the folder beside it (demo.counters).

exit codes: 0 all meters were read; 1 at least one was not; 2 wrong arguments
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "demo",
        help="collect from a fleet of simulated meters",
        description="Start simulated meters (no security, LLS, HLS GMAC with ciphering) behind TCP sockets, discover "
        "their objects, read registers and load profiles of all at the same time into an SQLite file, and show them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--meters", type=int, default=50, metavar="N", help="how many (default: 50)")
    command.add_argument("--days", type=int, default=7, metavar="D", help="days of load profile (default: 7)")
    command.add_argument("--seed", type=int, default=1, metavar="S", help="other meters, other keys (default: 1)")
    command.add_argument("--store", default="demo.sqlite", metavar="FILE", help="where it goes (default: demo.sqlite)")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Collect and show."""
    count, days = arguments.meters, arguments.days
    if count < 1 or not 1 <= days <= MOST_DAYS:
        raise ConfigurationError(f"the demo takes 1 meter or more, and 1 to {MOST_DAYS} days")
    begun = time.monotonic()
    try:
        with Store(arguments.store) as store:
            counters = _counters(Path(arguments.store))
            with running_fleet(count, arguments.seed, days + 1, counters / "meters") as meters:
                points = [_point(meter, arguments.seed, counters / "head_end") for meter in meters]
                report = _collect(store, meters, points, days * DAY, begun)
    except KeyboardInterrupt:
        print("cosemic: stopped. Run it again: it goes on where it stopped.", file=sys.stderr)
        return 1
    if arguments.json:
        print_json(report.to_dict())
    else:
        print(report.text())
    return 1 if report.failed else 0


def _collect(
    store: Store, meters: Sequence[SimulatedMeter], points: Sequence[MeterPoint], window: dt.timedelta, begun: float
) -> DemoReport:
    """Read what the store has not got of the time up to now."""
    now = dt.datetime.now(dt.UTC)
    until = now - (now - dt.datetime.min.replace(tzinfo=dt.UTC)) % PERIOD
    before = store.count_rows()
    started = time.monotonic()
    with progress(len(points)) as step:
        outcomes = asyncio.run(Collector(store, report=step).collect(points, until - window, until))
    ended = time.monotonic()
    names = [point.name for point in points]
    return DemoReport(
        store=store.path,
        since=until - window,
        until=until,
        rows_before=before,
        rows_stored=store.count_rows(),
        seconds=ended - started,
        seconds_to_start=started - begun,
        meters=list(zip(meters, outcomes, map(store.count_rows, names), strict=True)),
        load=fleet_load(store, names, PROFILE, ENERGY, until - DAY, until, PERIOD),
    )


def _counters(store: Path) -> Path:
    """Return the folder of invocation counters; made where it is not there."""
    folder = store.with_suffix(".counters").absolute()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made: {error.strerror}") from None
    return folder


def _point(meter: SimulatedMeter, seed: int, counters: Path) -> MeterPoint:
    """One meter to collect from; a meter of another seed is another meter."""
    return MeterPoint(
        name=f"{meter.serial}.{seed}",
        url=meter.url,
        security=meter.security | {"counters": str(counters)},
        profiles=(PROFILE,),
    )
