"""``cosemic firmware``: the image transfer of a meter."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cosemic.cli._json import print_json
from cosemic.cli._meter import add_command, meter_of, meter_zone, moment_of, plain, shown
from cosemic.cli._progress import counted
from cosemic.cli._table import table
from cosemic.client import BlockingMeter
from cosemic.client.procedures.firmware import Activation, FirmwareProgress
from cosemic.errors import ConfigurationError

EXAMPLES = """\
  cosemic firmware "tcp://10.0.0.7?client=1" --security meter.toml             how far the meter is
  cosemic firmware kitchen --update image.bin --identifier FW_1.2.3
  cosemic firmware kitchen --update image.bin --identifier FW_1.2.3 --activate 2026-12-01T02:00
  cosemic firmware kitchen --update image.bin --identifier FW_1.2.3 --activate not

An update that was interrupted is taken up where it stands: call it again. Only blocks that the meter misses are sent.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = add_command(
        subparsers,
        "firmware",
        "show or update the firmware of a meter",
        "Show how far the image transfer of a meter is, or transfer, verify and activate an image.",
        EXAMPLES,
    )
    command.add_argument("--update", metavar="FILE", help="the image")
    command.add_argument("--identifier", metavar="TEXT", help="image_identifier, as the maker gives it; hex: in octets")
    command.add_argument("--activate", default="now", metavar="WHEN", help="now, not, or a time (default: now)")
    command.add_argument("--enable", action="store_true", help="enable the image transfer where it is disabled")
    command.add_argument("--restart", action="store_true", help="begin anew, whatever the meter has already")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show, or update with progress."""
    if arguments.update is None:
        with meter_of(arguments) as meter:
            return _show(arguments, meter.firmware.state())
    if arguments.identifier is None:
        raise ConfigurationError("--update wants --identifier: the image_identifier that the maker gives")
    try:
        image = Path(arguments.update).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the image {arguments.update} cannot be read: {error.strerror}") from None
    with meter_of(arguments) as meter, _progress() as report, _interruptible():
        done = meter.firmware.update(
            image,
            _identifier(arguments.identifier),
            activate=_activation(arguments.activate, meter),
            enable=arguments.enable,
            resume=not arguments.restart,
            progress=report,
        )
    return _show(arguments, done)


def _identifier(text: str) -> str | bytes:
    try:
        return bytes.fromhex(text[4:]) if text.startswith("hex:") else text
    except ValueError:
        raise ConfigurationError(f"{text!r} is no hexadecimal") from None


def _activation(text: str, meter: BlockingMeter) -> Activation:
    match text:
        case "now":
            return "now"
        case "not":
            return "not"
        case _:
            return moment_of(text, meter_zone(meter))


@contextmanager
def _progress() -> Iterator[Callable[[FirmwareProgress], None]]:
    with counted("transferring image", "blocks") as show:

        def report(step: FirmwareProgress) -> None:
            show(step.blocks, step.of_blocks, getattr(step.status, "label", str(step.status)))

        yield report


@contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print("cosemic: interrupted; the same call goes on where the transfer stands", file=sys.stderr)
        raise


def _show(arguments: argparse.Namespace, found: Any) -> int:
    fields: dict[str, Any] = plain(found)
    status = getattr(found, "image_transfer_status", getattr(found, "status", None))
    if arguments.json:
        print_json({**fields, "label": getattr(status, "label", None)})
    else:
        print(table([(name, _text(name, getattr(found, name))) for name in fields]))
    return 0


def _text(name: str, value: Any) -> str:
    return value.decode("latin-1") if name == "identifier" and value.isascii() else shown(value)
