"""``cosemic events``: the event logs of a meter."""

from __future__ import annotations

import argparse
import datetime as dt

from cosemic.cli._json import print_json
from cosemic.cli._meter import add_command, meter_of, meter_zone, moment_of, moment_shown, plain, shown
from cosemic.cli._table import table
from cosemic.client.procedures.events import Event
from cosemic.errors import ConfigurationError
from cosemic.model import Companion

EXAMPLES = """\
  cosemic events "tcp://10.0.0.7?client=1" --security meter.toml
  cosemic events kitchen --log 0-0:99.98.0 --since 2026-11-01
  cosemic events kitchen --logs

Codes get the names of the companion specification that the objects of the meter tell, or that --companion names.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = add_command(
        subparsers, "events", "read the event logs of a meter", "Read what a meter has noted, with names.", EXAMPLES
    )
    command.add_argument("--log", metavar="OBIS", help="one log (default: all)")
    command.add_argument("--logs", action="store_true", help="list the logs only")
    command.add_argument("--since", metavar="TIME", help="first moment (default: the oldest entry)")
    command.add_argument("--until", metavar="TIME", help="the moment after the last (default: the newest entry)")
    command.add_argument("--companion", metavar="NAME", help=f"{', '.join(one.label for one in Companion)}")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read and print."""
    companion = _companion(arguments.companion)
    with meter_of(arguments) as meter:
        zone = meter_zone(meter)
        if arguments.logs:
            logs = meter.events.logs(companion=companion)
            if arguments.json:
                print_json([{"obis": str(one.log), "name": one.name} for one in logs])
            else:
                print(table([(str(one.log), one.name) for one in logs]) or "the meter shows no event log")
            return 0
        since = None if arguments.since is None else moment_of(arguments.since, zone)
        until = None if arguments.until is None else moment_of(arguments.until, zone)
        if arguments.log is not None:
            events = meter.events.read(arguments.log, since, until, companion=companion)
        else:
            events = meter.events.read_all(since, until, companion=companion)
    if arguments.json:
        print_json([_plain(one) for one in events])
        return 0
    if events:
        head = ("time", "code", "event", "log", "details")
        print(table([head, *(_line(one, zone) for one in events)], frozenset({1})))
    print(f"{len(events)} events")
    return 0


def _companion(name: str | None) -> Companion | None:
    known = {one.label: one for one in Companion}
    if name is not None and name.lower() not in known:
        raise ConfigurationError(f"{name!r} is no companion specification known here: {', '.join(known)}")
    return None if name is None else known[name.lower()]


def _plain(event: Event) -> dict[str, object]:
    return {
        "time": None if event.time is None else event.time.astimezone(dt.UTC).isoformat(),
        "code": event.code,
        "name": event.name,
        "log": str(event.log),
        "log_name": event.log_name,
        "details": {name: plain(value) for name, value in event.details.items()},
        "marks": event.marks.names(),
    }


def _line(event: Event, zone: dt.tzinfo) -> tuple[str, ...]:
    details = ", ".join(f"{name} {shown(value)}" for name, value in event.details.items())
    code = "" if event.code is None else str(event.code)
    return moment_shown(event.time, zone), code, event.name, event.log_name, details
