"""``cosemic keys``: what is in security settings, by fingerprints; keys themselves are never shown.

A fingerprint is drawn anew with every call: it tells which keys are the same in what is compared in one call, and
nothing to those who see it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosemic.cli._json import print_json
from cosemic.cli._table import table
from cosemic.errors import ConfigurationError
from cosemic.store.security_settings import SECRETS, others_can_read, read_settings
from cosemic.values import Secret

EXAMPLES: Final = """\
examples:
  cosemic keys meter.toml
  cosemic keys meters/*.toml --json

Equal fingerprints within one call are equal keys; from call to call they differ. Warned of: a key that stands in
several files or twice in one, keys that are printed in manuals, and files that others than their owner may read.

exit codes: 0 nothing to warn of; 1 there is; 2 a file cannot be read, or wrong arguments
"""
_PUBLISHED: Final = frozenset(
    (
        "000102030405060708090a0b0c0d0e0f",
        "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    )
)
"""Keys of the examples in the standard, which many meters leave the factory with."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A secret of one file."""

    file: str
    name: str
    secret: Secret


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "keys",
        help="show the fingerprints of keys",
        description="Show which keys and passwords security settings hold, by fingerprints, and what is doubtful.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", nargs="+", metavar="FILE", help="security settings: TOML or JSON")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    found: list[_Found] = []
    doubts: list[str] = []
    for file in dict.fromkeys(arguments.file):
        settings = read_settings(Path(file))
        doubts += _mode(Path(file))
        found += [_Found(file, name, _secret(name, settings[name])) for name in sorted(SECRETS & set(settings))]
    doubts += _doubts(found)
    if arguments.json:
        items = [
            {
                "file": one.file,
                "name": one.name,
                "octets": len(one.secret.reveal()),
                "fingerprint": one.secret.fingerprint,
            }
            for one in found
        ]
        print_json({"keys": items, "warnings": doubts})
    else:
        rows = [
            (one.file, one.name, f"{len(one.secret.reveal())} octets", one.secret.fingerprint or "-") for one in found
        ]
        print(table([("file", "name", "size", "fingerprint"), *rows]) if rows else "no keys")
        for doubt in doubts:
            print(f"warning: {doubt}")
    return 1 if doubts else 0


def _secret(name: str, value: Any) -> Secret:
    """A key as its octets; a password as the octets it is sent as, without fingerprint: it could be guessed."""
    text = str(value)
    if name in ("password", "secret") and not text.startswith("hex:"):
        return Secret.password(text)
    try:
        octets = bytes.fromhex(text.removeprefix("hex:"))
    except ValueError:
        raise ConfigurationError(f"{name} is no hexadecimal") from None
    return Secret(octets)


def _mode(path: Path) -> list[str]:
    return [f"{path} can be read by others than its owner: chmod 600 {path}"] if others_can_read(path) else []


def _doubts(found: list[_Found]) -> list[str]:
    doubts = [
        f"{one.file}: {one.name} is a key that is printed in manuals"
        for one in found
        if one.secret.reveal().hex() in _PUBLISHED or not any(one.secret.reveal())
    ]
    first: dict[Secret, _Found] = {}
    for one in found:
        other = first.setdefault(one.secret, one)
        if other is not one:
            doubts.append(f"{one.file}: {one.name} is the same as {other.name} of {other.file}")
    return doubts
