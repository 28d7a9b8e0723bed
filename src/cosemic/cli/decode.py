"""``cosemic decode``: octets into a tree or JSON."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from cosemic.cli._json import NOT_NUMBERS, print_json
from cosemic.cli._keys import read_keys
from cosemic.dialect import Quirk
from cosemic.errors import ConfigurationError
from cosemic.inspector import KINDS, decode
from cosemic.inspector.arguments import KEY_NAMES

EXAMPLES = """\
examples:
  cosemic decode C401C1001105
  cosemic decode capture.bin --kind messages --keys keys.toml
  cosemic decode --json --keys meter.toml < telegram.hex
  cosemic decode signed.bin --certificate meter.pem --expand

kinds:
  apdu        one APDU, naked or inside layers: HDLC, wrapper, M-Bus, gateway, blocks (the default)
  messages    several messages, one after the other
  hdlcframe   one HDLC frame without flags
  hdlcstream  HDLC frames with flags, each for itself
  mbusstream  wired M-Bus frames, each for itself
  wmbus       one wireless M-Bus frame, with its CRCs or without
  amis        wired M-Bus frames, the last one in OMS security mode 5 (key mbus_key)
  gbt-frames  general-block-transfer APDUs, joined
  data        one Data, as attributes have it
  p1          one P1 telegram
  readout     one read-out of IEC 62056-21
  progcmd     one programming command of IEC 62056-21

keys: a TOML or JSON file of names and hexadecimal texts, as ek = "000102030405060708090a0b0c0d0e0f"
  ek            global encryption key; or encryption_key
  gbek          global broadcast encryption key; or broadcast_encryption_key
  dk            dedicated key; or dedicated_key
  ak            authentication key; or authentication_key
  kek           master key
  mbus_key      of M-Bus security mode 5 (kind amis)
  system_title  of the sender, where the APDU does not carry it
  public_key    of the signer of a general-signing; or server_public_key, or --certificate
  agreement_key          private key of one party of a general-ciphering whose key was agreed on (of the recipient, but
                         where that was done with static keys of both)
  agreement_public_key   of the other party; or server_agreement_key, or --certificate
  public_key_of          system title of the party whose public keys these are; or server_title
A file of security settings, as `cosemic read --security` takes it, will do. What it does not name is looked up in the
environment: COSEMIC_EK or COSEMIC_ENCRYPTION_KEY, and so on. Keys never stand in a command, where every user of
the machine can see them. Content that could not be verified is shown, and marked.

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
        description="Show what octets mean: HDLC, wrapper, M-Bus, gateway, blocks, ACSE, xDLMS, ciphering, Data, P1.",
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
    command.add_argument("--kind", choices=KINDS, help="what the data is, see below (default: apdu)")
    command.add_argument("--keys", metavar="FILE", help="TOML or JSON file with keys, see below")
    command.add_argument(
        "--certificate",
        action="append",
        default=[],
        metavar="FILE",
        help="certificate of the signer, or of the other party of a key agreement; can be given several times",
    )
    command.add_argument("--expand", action="store_true", help="expand what is compressed (ITU-T V.44), and read it")
    command.add_argument(
        "--quirk",
        action="append",
        default=[],
        choices=[quirk.value for quirk in Quirk],
        help="tolerate a deviation; can be given several times",
    )
    command.add_argument("--json", action="store_true", help=f"print JSON instead of a tree; {NOT_NUMBERS}")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Decode and print."""
    keys = read_keys(KEY_NAMES, arguments.keys) | _public_keys(arguments.certificate)
    decoded = decode(
        _read(arguments.data), keys=keys, kind=arguments.kind, quirks=arguments.quirk, expand=arguments.expand
    )
    if arguments.json:
        print_json(decoded.to_dict())
    else:
        print(decoded.explain())
    return 0


def _public_keys(files: list[str]) -> dict[str, str]:
    """The public keys of certificates, which are of one party; nobody vouches for them here."""
    found: dict[str, str] = {}
    for file in files:
        from cosemic.model.security_setup import CertificateType
        from cosemic.security.certificates import Certificate
        from cosemic.security.certificates.pem import from_pem

        try:
            octets = Path(file).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
        for _, der in from_pem(octets):
            each = Certificate.of(der)
            name = "agreement_public_key" if each.type is CertificateType.KEY_AGREEMENT else "public_key"
            title = (each.system_title or b"").hex()
            if not title or name in found or found.setdefault("public_key_of", title) != title:
                raise ConfigurationError(f"{file}: give one certificate for each use, of one meter, client or party")
            found[name] = each.public_key.octets.hex()
    return found


def _read(source: str) -> bytes | str:
    """Return the octets or hexadecimal text that the argument is or names."""
    if source == "-":
        return _text_or_octets(sys.stdin.buffer.read())
    path = Path(source)
    try:
        # Pipes too: <(command) of a shell is one.
        is_file = len(source) <= _LONGEST_NAME and path.exists() and not path.is_dir()
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        if _HEX_TEXT.fullmatch(os.fsencode(source)) is None:
            raise ConfigurationError(f"{source[:60]!r} is neither a file nor hexadecimal text")
        return source
    try:
        return _text_or_octets(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{source} cannot be read: {error.strerror}") from None


def _text_or_octets(content: bytes) -> bytes | str:
    return content.decode("ascii") if _HEX_TEXT.fullmatch(content) else content
