"""``cosemic read``: attributes of a meter."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from cosemic.cli._json import print_json
from cosemic.cli._meter import add_command, meter_of, plain, shown
from cosemic.cli._table import table
from cosemic.client import BlockingMeter
from cosemic.client.targets import parse
from cosemic.errors import DataAccessError
from cosemic.model import describe
from cosemic.stack import OPTIONS
from cosemic.values import Obis

_OPTIONS: Final = "\n".join(f"           {name:15} {option.meaning}" for name, option in OPTIONS.items())
EXAMPLES: Final = f"""\
  cosemic read "tcp://10.0.0.7?client=16" 1-0:1.8.0 1-0:2.8.0
  cosemic read "tcp://10.0.0.7?client=1" 1-0:1.8.0 --security meter.toml --json
  cosemic read tcp://10.0.0.7 8/0-0:1.0.0:time
  cosemic read "hdlc:///dev/ttyUSB0?baud=9600&station=17&client=16" 1-0:1.8.0

TARGET     1-0:1.8.0 is the value of that object; 3/1-0:1.8.0:3 names class and attribute, by number or by the name
           that the standard gives it: 3/1-0:1.8.0:scaler_unit

options    of the URL, NAME=VALUE with ? before the first and & between:
{_OPTIONS}
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = add_command(subparsers, "read", "read attributes of a meter", "Read attributes of a meter.", EXAMPLES)
    command.add_argument("target", nargs="+", metavar="TARGET", help="OBIS code, or CLASS/OBIS:ATTRIBUTE")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read and print; what is refused does not keep the others from being shown."""
    named = [(target, parse(target).instance_id) for target in arguments.target]
    with meter_of(arguments) as meter:
        found = _read(meter, arguments.target)
    refused = [value for value in found if isinstance(value, DataAccessError)]
    if arguments.json:
        items = zip(named, found, strict=True)
        print_json([_item(target, obis, value) for (target, obis), value in items])
    else:
        lines = [
            (target, describe(obis), shown(value))
            for (target, obis), value in zip(named, found, strict=True)
            if not isinstance(value, DataAccessError)
        ]
        print(table(lines), end="\n" if lines else "")
    for error in refused:
        print(f"cosemic: {error}", file=sys.stderr)
    return 1 if refused else 0


def _read(meter: BlockingMeter, targets: list[str]) -> list[Any]:
    """Values, or the error of those that are refused."""
    try:
        return meter.read_many(targets)
    except DataAccessError as error:
        if len(targets) == 1:
            return [error]
    return [value for target in targets for value in _read(meter, [target])]


def _item(target: str, obis: Obis, value: Any) -> dict[str, Any]:
    item = {"target": target, "obis": str(obis), "name": describe(obis)}
    if isinstance(value, DataAccessError):
        return item | {"error": {"code": value.code, "label": value.label, "text": str(value)}}
    inner = plain(value)
    return item | (inner if isinstance(inner, dict) and "raw" in inner else {"value": inner})
