"""``cosemic keys``: what is in security settings, by fingerprints, and certificates; keys themselves are never shown.

``cosemic keys FILE ...`` is short for ``cosemic keys fingerprints FILE ...``. A fingerprint is drawn anew with every
call: it tells which keys are the same in what is compared in one call, and nothing to those who see it.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosemic.cli import _key_change, _key_commands, _key_show, _key_store
from cosemic.cli._json import print_json
from cosemic.cli._key_commands import add_command
from cosemic.cli._table import table
from cosemic.errors import ConfigurationError
from cosemic.security.suite import SUITES
from cosemic.store.security_settings import SECRETS, others_can_read, read_settings
from cosemic.values import Secret

EXAMPLES: Final = """\
examples:
  cosemic keys meter.toml                         fingerprints of the keys in security settings
  cosemic keys meters/*.toml --json
  cosemic keys ca create lab --name "Lab root"    certificates: `cosemic keys ca --help` ...
  cosemic keys csr client.key --title 4844450000000001 --for signature --out client.csr
  cosemic keys issue lab client.csr --out client.pem
  cosemic keys show client.pem --anchor lab/ca.pem
  cosemic keys store init meters.keys             encrypted file of keys: `cosemic keys store --help`
  cosemic keys change "tcp://10.0.0.7?client=1" --security meter.toml     new keys for a meter: `... change --help`

A file that is called like a command is named with its folder: ./ca. Passphrases come from COSEMIC_PASSPHRASE, a file or
a prompt.

exit codes: 0 done; 1 refused, or there is something to warn of; 2 a file cannot be read, or wrong arguments
"""
FINGERPRINT_EXAMPLES: Final = """\
examples:
  cosemic keys fingerprints meter.toml
  cosemic keys meters/*.toml --json

Equal fingerprints within one call are equal keys; from call to call they differ. Warned of: a key that stands in
several files or twice in one, keys that are printed in manuals or not as long as the suite needs them, and files that
others than their owner may read.

exit codes: 0 nothing to warn of; 1 there is; 2 a file cannot be read, or wrong arguments
"""
FINGERPRINTS: Final = "fingerprints"
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
    command = add_command(subparsers, "keys", "keep, change and compare keys; make and show certificates", EXAMPLES)
    commands = command.add_subparsers(title="commands", metavar="COMMAND", required=True)
    fingerprints = add_command(
        commands,
        FINGERPRINTS,
        "show which keys and passwords security settings hold, by fingerprints, and what is doubtful",
        FINGERPRINT_EXAMPLES,
    )
    fingerprints.add_argument("file", nargs="+", metavar="FILE", help="security settings: TOML or JSON")
    fingerprints.add_argument("--json", action="store_true", help="print JSON")
    fingerprints.set_defaults(run=run)
    _key_commands.register(commands)
    _key_show.register(add_command(commands, "show", "show certificates, requests and lists", _key_show.EXAMPLES))
    _key_store.register(commands)
    _key_change.register(commands)
    plain = command.parse_known_args

    def with_command(args: Any = None, namespace: Any = None) -> Any:
        return plain(_named(args, commands.choices), namespace)

    command.parse_known_args = with_command  # type: ignore[method-assign]


def _named(arguments: Sequence[str] | None, commands: Collection[str]) -> Sequence[str] | None:
    """Put the command in front that is meant where none is named."""
    words = [word for word in arguments or () if not word.startswith("-")]
    if arguments is None or not words or words[0] in commands:
        return arguments
    return [FINGERPRINTS, *arguments]


def run(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    found: list[_Found] = []
    doubts: list[str] = []
    for file in dict.fromkeys(arguments.file):
        settings = read_settings(Path(file))
        doubts += _mode(Path(file))
        here = [_Found(file, name, _secret(name, settings[name])) for name in sorted(SECRETS & set(settings))]
        doubts += _lengths(settings.get("suite", 0), here)
        found += here
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


def _lengths(suite: Any, found: list[_Found]) -> list[str]:
    """Doubts about keys that are not of the security suite that a file names."""
    if str(suite) not in map(str, SUITES):
        return [f"{one.file}: there is no security suite {suite}" for one in found[:1]]
    of = SUITES[int(suite)]
    needed = dict.fromkeys(("encryption_key", "authentication_key", "broadcast_key"), of.key_length)
    needed["kek"] = of.key_length
    needed |= dict.fromkeys(("signing_key", "agreement_key"), of.coordinate_length)
    return [
        f"{one.file}: {one.name} has {size} octets, where security suite {of.id} needs {needed[one.name] or 'none'}"
        for one in found
        if one.name in needed and (size := len(one.secret.reveal())) != needed[one.name]
    ]


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
