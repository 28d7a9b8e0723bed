"""``cosemic write``: one attribute of a meter."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import Any

from cosemic.cli._json import print_json
from cosemic.cli._meter import add_command, meter_of, plain, shown
from cosemic.client import BlockingMeter
from cosemic.codec import DataType, EncodedData
from cosemic.errors import CosemicError
from cosemic.model import AttributeReference
from cosemic.model.compound import AnyType, Choice
from cosemic.model.plain_values import parsed, typed_of, value_of

EXAMPLES = """\
  cosemic write "tcp://10.0.0.7?client=1" 8/0-0:1.0.0:time_zone 60 --security meter.toml
  cosemic write kitchen 7/1-0:99.1.0:capture_period 900
  cosemic write kitchen 1/0-0:96.1.9:value text:cellar
  cosemic write kitchen 71/0-0:17.0.0:threshold_normal 3000 --type double-long-unsigned

VALUE      JSON, or text: a number, true, "2026-11-01T06:00+01:00", an OBIS code, octets in hexadecimal or behind text:,
           names of enumerations, objects and lists for structures and arrays. Where the class leaves the type open,
           that of the present value is taken, or --type says it.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = add_command(
        subparsers,
        "write",
        "write an attribute of a meter",
        "Write one attribute of a meter, and read it back.",
        EXAMPLES,
    )
    command.add_argument("target", metavar="TARGET", help="CLASS/OBIS:ATTRIBUTE")
    command.add_argument("value", metavar="VALUE", help="JSON or text")
    command.add_argument("--type", metavar="TYPE", help="type of the value, such as long-unsigned")
    command.add_argument("--no-check", action="store_true", help="do not read back")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write, read back, and print what is there now."""
    given = parsed(arguments.value)
    with meter_of(arguments) as meter:
        reference = meter.run(meter.session.attribute(arguments.target))
        meter.write(reference, _value(meter, reference, given, arguments.type))
        now: Any = None
        if not arguments.no_check:
            with suppress(CosemicError):  # some can be written only
                now = meter.read(reference)
    if arguments.json:
        print_json({"target": arguments.target, "written": True, "now": plain(now)})
    else:
        print(f"{reference}: written" + (f", now {shown(now)}" if now is not None else ""))
    return 0


def _value(meter: BlockingMeter, reference: AttributeReference[Any], given: Any, label: str | None) -> Any:
    """What is written, as the type that is named, declared, or there now."""
    declared = reference.attribute.type
    if label is not None:
        return EncodedData.from_typed(typed_of(label, given))
    open_type = isinstance(declared, AnyType | Choice) and not isinstance(given, dict | list)
    if open_type and (present := _present_type(meter, reference)) is not None:
        return EncodedData.from_typed(typed_of(present.label, given))
    return value_of(declared, given)


def _present_type(meter: BlockingMeter, reference: AttributeReference[Any]) -> DataType | None:
    """The type of the value that is there; None where that cannot be read, or is not simple."""
    try:
        present = meter.get(reference).type
    except CosemicError:
        return None
    if present in (DataType.ARRAY, DataType.STRUCTURE, DataType.COMPACT_ARRAY, DataType.NULL_DATA):
        return None
    return present
