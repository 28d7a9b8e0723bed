"""``cosemic objects``: what a meter shows in its association view."""

from __future__ import annotations

import argparse

from cosemic.cli._json import print_json
from cosemic.cli._meter import add_command, meter_of, plain
from cosemic.cli._table import table
from cosemic.model import describe, interface_class

EXAMPLES = """\
  cosemic objects "tcp://10.0.0.7?client=16"
  cosemic objects "tcp://10.0.0.7?client=1" --security meter.toml --json
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = add_command(
        subparsers,
        "objects",
        "list the objects of a meter",
        "List the objects that a meter shows to this client (object_list of its Association).",
        EXAMPLES,
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the list and print it."""
    with meter_of(arguments) as meter:
        objects = sorted(meter.objects(), key=lambda one: (one.logical_name, one.class_id))
    named = [(one, _class_name(one.class_id, one.version), describe(one.logical_name, one.class_id)) for one in objects]
    if arguments.json:
        items = [
            {
                "class_id": one.class_id,
                "version": one.version,
                "obis": str(one.logical_name),
                "class_name": class_name,
                "name": name,
                "access_rights": plain(one.access_rights),
                **({} if one.base_name is None else {"base_name": one.base_name}),
            }
            for one, class_name, name in named
        ]
        print_json(items)
        return 0
    lines: list[tuple[str, ...]] = [("class", "OBIS", "what it is", "interface class")]
    lines += [
        (f"{one.class_id} v{one.version}", str(one.logical_name), name, class_name) for one, class_name, name in named
    ]
    if any(one.base_name is not None for one in objects):
        bases = ["base name", *("" if one.base_name is None else f"{one.base_name:04X}" for one in objects)]
        lines = [(base, *line) for base, line in zip(bases, lines, strict=True)]
    print(table(lines))
    print(f"{len(objects)} objects")
    return 0


def _class_name(class_id: int, version: int) -> str:
    known = interface_class(class_id, version) or interface_class(class_id)
    return known.class_name if known is not None else ""
