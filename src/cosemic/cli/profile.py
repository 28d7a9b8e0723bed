"""``cosemic profile``: rows of a load profile."""

from __future__ import annotations

import argparse
import datetime as dt
from typing import Any

from cosemic.cli._json import print_json
from cosemic.cli._meter import (
    add_command,
    meter_of,
    meter_zone,
    moment_of,
    moment_shown,
    number_in,
    shown,
    unit_shown,
)
from cosemic.cli._table import table
from cosemic.model import Column, LoadProfile, Row
from cosemic.values import Obis, Quantity

EXAMPLES = """\
  cosemic profile tcp://10.0.0.7 1-0:99.1.0
  cosemic profile tcp://10.0.0.7 1-0:99.1.0 --since 2026-11-01 --until 2026-11-02 --zone Europe/Berlin
  cosemic profile "tcp://10.0.0.7?client=1" 1-0:99.1.0 --since 2026-11-01T06:00+01:00 --security meter.toml --json

Intervals that lie in [since, until) are shown. Times without offset are in the zone of the meter.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = add_command(
        subparsers,
        "profile",
        "read a load profile",
        "Read the rows of a load profile, with columns, scalers and units as the meter names them.",
        EXAMPLES,
    )
    command.add_argument("obis", metavar="OBIS", help="the profile: 1-0:99.1.0")
    command.add_argument("--since", metavar="TIME", help="first interval (default: a day before --until)")
    command.add_argument("--until", metavar="TIME", help="end of the last interval (default: now)")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the rows and print them."""
    obis = Obis(arguments.obis)
    with meter_of(arguments) as meter:
        zone = meter_zone(meter)
        until = moment_of(arguments.until, zone) if arguments.until else dt.datetime.now(zone).replace(microsecond=0)
        since = moment_of(arguments.since, zone) if arguments.since else until - dt.timedelta(days=1)
        found = meter.load_profile(obis, since, until)
    if arguments.json:
        print_json(found.to_dict())
    elif len(found) == 0:
        print(f"{obis} has no rows between {since} and {until}; what time the meter has says `cosemic clock`")
    else:
        print(_shown(found, zone))
    return 0


def _shown(found: LoadProfile, zone: dt.tzinfo) -> str:
    """The columns by their names first, then a table of rows."""
    columns = found.columns
    legend = [(f"[{index}]", str(one.obis), one.name, _unit(one)) for index, one in enumerate(columns, 1)]
    head = ("from", "to", *(f"{number} {unit}".rstrip() for number, _, _, unit in legend), "marks")
    numbers = frozenset(range(2, 2 + len(columns)))
    return f"{table(legend)}\n\n{table([head, *(_line(row, zone) for row in found)], numbers)}\n{len(found)} rows"


def _unit(column: Column) -> str:
    return unit_shown(column.unit.symbol) if column.unit is not None and column.unit != 255 else ""


def _line(row: Row, zone: dt.tzinfo) -> tuple[str, ...]:
    marks = row.marks.names() + (row.clock_status.names() if row.clock_status else [])
    return (
        moment_shown(row.interval_start, zone),
        moment_shown(row.interval_end, zone),
        *(_cell(value) for value in row.values),
        ", ".join(marks),
    )


def _cell(value: Any) -> str:
    return f"{number_in(value):f}" if isinstance(value, Quantity) and value.unit != 255 else shown(value)
