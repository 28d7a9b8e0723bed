"""``cosemic call``: one method of a meter."""

from __future__ import annotations

import argparse

from cosemic.cli._json import print_json
from cosemic.cli._meter import add_command, meter_of, plain, shown
from cosemic.codec import EncodedData
from cosemic.model.plain_values import parsed, typed_of, value_of

EXAMPLES = """\
  cosemic call "tcp://10.0.0.7?client=1" 3/1-0:1.8.0:reset --security meter.toml
  cosemic call kitchen 9/0-0:10.0.1:execute 1
  cosemic call kitchen 8/0-0:1.0.0:shift_time -- -5

PARAMETER  JSON or text, as `cosemic write` takes values; left out where the method needs none.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = add_command(
        subparsers, "call", "call a method of a meter", "Call one method of an object of a meter.", EXAMPLES
    )
    command.add_argument("target", metavar="TARGET", help="CLASS/OBIS:METHOD")
    command.add_argument("parameter", nargs="?", metavar="PARAMETER", help="JSON or text")
    command.add_argument("--type", metavar="TYPE", help="type of the parameter, such as long-unsigned")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Call, and print what comes back."""
    with meter_of(arguments) as meter:
        reference = meter.run(meter.session.method(arguments.target))
        value = None
        if arguments.parameter is not None:
            given = parsed(arguments.parameter)
            if arguments.type is not None:
                value = EncodedData.from_typed(typed_of(arguments.type, given))
            else:
                value = value_of(reference.method.parameter, given)
        answer = meter.call(reference, value)
    if arguments.json:
        print_json({"target": arguments.target, "called": True, "answer": plain(answer)})
    else:
        print(f"{reference}: success" + (f", answer {shown(answer)}" if answer is not None else ""))
    return 0
