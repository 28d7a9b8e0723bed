"""``cosemic clock``: read, synchronise or set the clock of a meter."""

from __future__ import annotations

import argparse
import datetime as dt
from typing import Any

from cosemic.cli._json import print_json
from cosemic.cli._meter import add_command, meter_of, meter_zone, moment_of
from cosemic.cli._table import table
from cosemic.client import BlockingMeter
from cosemic.client.procedures.clock import Correction, Synchronised
from cosemic.client.procedures.clock_reading import ClockReading

EXAMPLES = """\
  cosemic clock tcp://10.0.0.7                                         what it shows, and how far it is off
  cosemic clock "tcp://10.0.0.7?client=1" --synchronise --security meter.toml
  cosemic clock kitchen --synchronise --threshold 30 --policy shift
  cosemic clock kitchen --set 2026-11-01T06:00:00+01:00

--synchronise corrects the clock where it is off by more than the threshold, by a shift or by setting it, and never over
the end of a capture period: there it waits, or gives up with --refuse. The true time is that of this machine.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = add_command(
        subparsers,
        "clock",
        "read or set the clock of a meter",
        "Read, synchronise or set the clock of a meter.",
        EXAMPLES,
    )
    change = command.add_mutually_exclusive_group()
    change.add_argument("--synchronise", action="store_true", help="correct it where it is off")
    change.add_argument("--set", metavar="TIME", help="set it, by any leap: a time, or now")
    command.add_argument("--threshold", type=float, default=5.0, metavar="S", help="seconds it may be off (default: 5)")
    command.add_argument("--policy", choices=("auto", "shift", "set"), default="auto", help="how it is corrected")
    command.add_argument(
        "--boundary", type=float, default=900.0, metavar="S", help="capture period (default: 900; 0: none)"
    )
    command.add_argument(
        "--refuse", action="store_true", help="give up rather than wait for the end of a capture period"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read or change, and print."""
    with meter_of(arguments) as meter:
        if arguments.synchronise:
            return _show(arguments, _synchronise(meter, arguments))
        if arguments.set is not None:
            time = None if arguments.set == "now" else moment_of(arguments.set, meter_zone(meter))
            return _show(arguments, {"action": "set", "now": _plain(meter.clock.set(time))})
        return _show(arguments, {"now": _plain(meter.clock.read())})


def _synchronise(meter: BlockingMeter, arguments: argparse.Namespace) -> dict[str, Any]:
    done: Synchronised = meter.clock.synchronise(
        arguments.threshold,
        policy=arguments.policy,
        boundary=arguments.boundary,
        crossing="refuse" if arguments.refuse else "wait",
    )
    return {
        "action": done.action.value,
        "waited": done.waited.total_seconds(),
        "before": _plain(done.before),
        "now": _plain(done.after),
    }


def _plain(reading: ClockReading) -> dict[str, Any]:
    offset = reading.offset
    return {
        "shown": str(reading.sent),
        "moment": None if reading.time is None else reading.time.astimezone(dt.UTC).isoformat(),
        "offset": None if offset is None else round(offset.total_seconds(), 3),
        "uncertainty": round(reading.uncertainty.total_seconds(), 3),
    }


def _show(arguments: argparse.Namespace, found: dict[str, Any]) -> int:
    if arguments.json:
        print_json(found)
        return 0
    lines = [(name, one["shown"], _off(one)) for name in ("before", "now") if (one := found.get(name)) is not None]
    if "action" in found:
        nothing = found["action"] == Correction.NOTHING.value
        print("within the threshold: nothing was done" if nothing else f"the clock was {found['action']}")
    print(table(lines))
    return 0


def _off(one: dict[str, Any]) -> str:
    offset = one["offset"]
    if offset is None:
        return "no moment of the calendar"
    side = "ahead of" if offset > 0 else "behind"
    return f"{abs(offset):.1f} s {side} this machine (to {one['uncertainty']:.1f} s)"
