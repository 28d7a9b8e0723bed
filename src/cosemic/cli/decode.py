"""``cosemic decode``: octets into a tree or JSON."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from cosemic.cli._keys import read_keys
from cosemic.dialect import Quirk
from cosemic.errors import ConfigurationError
from cosemic.inspector import KINDS, decode
from cosemic.inspector.arguments import KEY_NAMES

EXAMPLES = """\
examples:
  cosemic decode C401C1001105
  cosemic decode capture.bin --kind messages --keys keys.toml
  COSEMIC_EK=00112233445566778899AABBCCDDEEFF cosemic decode --json < telegram.hex

keys: a TOML or JSON file of names and hexadecimal texts (ek, gbek, dk, ak, kek, system_title), or environment variables
COSEMIC_EK, COSEMIC_AK and so on. Content that could not be verified is shown, and marked.

exit codes: 0 decoded; 1 the octets are not what they should be; 2 wrong arguments, file or key
"""
_HEX_TEXT = re.compile(rb"[0-9A-Fa-fxX\s:;,|_.\-\[\]{}()\"'\\]*")
_LONGEST_NAME = 4096
"""No path is longer; asking the system about longer text is an error on some."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "decode",
        help="show what octets mean",
        description="Show what octets mean: HDLC, wrapper, gateway, block transfer, ACSE, xDLMS, ciphering, Data.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "data",
        nargs="?",
        default="-",
        metavar="HEX|FILE|-",
        help="hexadecimal text, a file of such text or of octets, or - for standard input (default)",
    )
    command.add_argument("--kind", choices=KINDS, help="what the data is (default: one APDU, naked or inside layers)")
    command.add_argument("--keys", metavar="FILE", help="TOML or JSON file with keys")
    command.add_argument(
        "--quirk",
        action="append",
        default=[],
        choices=[quirk.value for quirk in Quirk],
        help="tolerate a deviation; can be given several times",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of a tree")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Decode and print."""
    keys = read_keys(KEY_NAMES, arguments.keys)
    decoded = decode(_read(arguments.data), keys=keys, kind=arguments.kind, quirks=arguments.quirk)
    print(json.dumps(decoded.to_dict(), indent=2) if arguments.json else decoded.explain())
    return 0


def _read(source: str) -> bytes | str:
    """Return the octets or hexadecimal text that the argument is or names."""
    if source == "-":
        return _text_or_octets(sys.stdin.buffer.read())
    path = Path(source)
    try:
        is_file = len(source) <= _LONGEST_NAME and path.is_file()
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        if _HEX_TEXT.fullmatch(source.encode()) is None:
            raise ConfigurationError(f"{source[:60]!r} is neither a file nor hexadecimal text")
        return source
    try:
        return _text_or_octets(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{source} cannot be read: {error.strerror}") from None


def _text_or_octets(content: bytes) -> bytes | str:
    return content.decode("ascii") if _HEX_TEXT.fullmatch(content) else content
