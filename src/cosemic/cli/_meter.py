"""What the commands that talk to a meter share: its arguments, and how values are shown and written as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import shlex
import sys
import zoneinfo
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from cosemic.cli._json import NOT_NUMBERS
from cosemic.client import BlockingMeter
from cosemic.client.plan import known
from cosemic.client.timepiece import aware
from cosemic.client.trace import PcapTrace, TextTrace
from cosemic.errors import ConfigurationError, CosemicError, TransportError
from cosemic.security.key_keeper import KeyKeeper
from cosemic.stack import Framing, Medium, parse_url
from cosemic.store.third_party_settings import load_third_party
from cosemic.values import BitString, Date, DateTime, Obis, Quantity, Time

HELP: Final = """\
URL        tcp://HOST:PORT?client=SAP&server=SAP&timeout=SECONDS, port 4059 unless said; quoted, for the
           shell takes ? and & for itself; tls:// udp://; hdlc:// iec21:// modem:// mbus:// with a serial port, as
           hdlc:///dev/ttyUSB0?station=17, or each with +tcp:// or +tls:// and HOST:PORT; gateway+ before any of
           them. `cosemic read --help` lists the options, `cosemic scan` finds the URL that works. Or the name of a
           known meter, of the file that --meters or COSEMIC_METERS names, or meters.toml in the state folder
security   a TOML or JSON file with mechanism, client_sap, password, keys; without --security the same names in the
           environment, as COSEMIC_PASSWORD or COSEMIC_ENCRYPTION_KEY; with neither, the public client. Keys and
           passwords never stand in a command, where every user of the machine can see them.
layers     in place of those that the security settings say: sign, cipher, authenticate, encrypt, with + between, the
           innermost first; behind a colon where the key comes from: global-unicast, wrapped, one-pass, static, absent.
           The settings hold what that needs: key_infos, signing_key, agreement_key, and the keys of the meter
trace      --trace - writes the octets of every layer to the terminal; --trace FILE.pcap what passes the medium,
           for Wireshark; --trace-plain shows the plaintext of ciphered APDUs too. Keys are in neither.

exit codes: 0 done; 1 the meter did not answer or refused; 2 wrong arguments, file or key; 3 a change was sent and not
            answered: whether it was made is not known
"""
_SHOWN_IN: Final = {"Wh": "kWh", "varh": "kvarh", "VAh": "kVAh"}
"""Energies as bills have them; sent in other multiples, they are no less exact."""


def add_command(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    about: str,
    description: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a command that talks to one meter, with the arguments that all of them have."""
    command = subparsers.add_parser(
        name,
        help=about,
        description=description,
        epilog=f"examples:\n{example}\n{HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "url", metavar="URL", help="where the meter is: tcp://HOST:PORT?client=16&server=1, or its name"
    )
    command.add_argument("--security", metavar="FILE", help="TOML or JSON file with password or keys")
    command.add_argument("--meters", metavar="FILE", help="TOML file of known meters")
    command.add_argument(
        "--layers", metavar="LAYERS", help="general protection of every request: sign+cipher:one-pass, see below"
    )
    command.add_argument(
        "--third-party", metavar="FILE", help="settings of a third party to ask for: --security is that of its broker"
    )
    command.add_argument(
        "--zone", help="time zone of the meter: Europe/Berlin (default: UTC, or that of the known meter)"
    )
    command.add_argument("--json", action="store_true", help=f"print JSON; {NOT_NUMBERS}")
    command.add_argument("--trace", metavar="-|FILE", help="octets of every layer: - to the terminal, or a pcap file")
    command.add_argument(
        "--trace-plain", action="store_true", help="show the plaintext of ciphered APDUs in the trace too"
    )
    return command


@contextmanager
def meter_of(arguments: argparse.Namespace, keeper: KeyKeeper | None = None) -> Iterator[BlockingMeter]:
    """Open the meter that the arguments name, with the trace they ask for. Raises CosemicError.

    keeper: keeps its keys, while they are changed.
    """
    zone = None if arguments.zone is None else zone_of(arguments.zone)
    third_party = None if arguments.third_party is None else load_third_party(arguments.third_party)
    with ExitStack() as held:
        trace: TextTrace | PcapTrace | None = None
        if arguments.trace not in (None, "-"):
            trace = held.enter_context(PcapTrace(arguments.trace))
        elif arguments.trace == "-" or arguments.trace_plain:
            trace = TextTrace(sys.stderr, plaintext=arguments.trace_plain)
        meter = BlockingMeter.connect(
            arguments.url,
            security_of(arguments),
            zone=zone,
            meters=arguments.meters,
            trace=trace,
            keeper=keeper,
            layers=arguments.layers,
            third_party=third_party,
        )
        try:
            held.enter_context(meter)
        except TransportError as error:
            place = place_of(arguments.url)
            if place and error.__cause__ is None:  # a medium that cannot be used has its own error
                error.add_note(
                    f"to find the link, address and client SAP that answer: cosemic scan {shlex.quote(place)}"
                )
            raise
        except CosemicError as error:
            if keeper is None:
                _tell_of_doubt(arguments, error)
            raise
        yield meter


def _tell_of_doubt(arguments: argparse.Namespace, error: CosemicError) -> None:
    """Where a change of keys was interrupted, current keys that are refused are no wonder."""
    from cosemic.store.kept_keys import pending_keys  # by few calls; the others need not wait for it

    with suppress(CosemicError):
        if names := pending_keys(known(arguments.url, security_of(arguments), None, None, arguments.meters).security):
            error.add_note(f"a change of keys was interrupted, and is not settled yet ({', '.join(names)})")
            error.add_note(recover_command(arguments))


def recover_command(arguments: argparse.Namespace) -> str:
    """Return how a change of keys is settled, to type in."""
    words = ["cosemic", "keys", "change", arguments.url, "--recover"]
    for name in ("security", "meters", "layers"):
        if (value := getattr(arguments, name)) is not None:
            words += [f"--{name}", value]
    return f"to find out which keys the meter has: {shlex.join(words)}"


def security_of(arguments: argparse.Namespace) -> str | None:
    """Return the security settings that the arguments name; the environment for a URL without."""
    if arguments.security is None and "://" in arguments.url:
        return "environment"
    named: str | None = arguments.security
    return named


def place_of(url: str) -> str:
    """Return what ``cosemic scan`` takes of a URL; nothing of a name, a modem, a gateway or a port without its path."""
    if "://" not in url:
        return ""
    address = parse_url(url)
    if address.gateway or address.framing is Framing.MODEM:
        return ""
    if address.medium is Medium.SERIAL:
        return address.device if address.device.upper().startswith(("/", "./", "../", "\\", "COM")) else ""
    return f"{f'[{address.host}]' if ':' in address.host else address.host}:{address.port}"


def meter_zone(meter: BlockingMeter) -> dt.tzinfo:
    """Return the zone in which times of a meter are given and shown."""
    return meter.session.zone


def zone_of(name: str) -> dt.tzinfo:
    """Return a time zone by its name. Raises ConfigurationError."""
    if name.upper() == "UTC":
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(f"{name!r} is no time zone of this machine: Europe/Berlin, UTC ...") from None


def moment_of(text: str, zone: dt.tzinfo) -> dt.datetime:
    """Return a time that was typed in, aware; naive ones are in the zone. Raises ConfigurationError."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no time: 2026-11-01, 2026-11-01T06:30+01:00") from None
    if not dt.MINYEAR < moment.year < dt.MAXYEAR:  # no room to reckon with
        raise ConfigurationError(f"{text!r} is no time of a meter")
    return aware(moment, zone)


def moment_shown(moment: dt.datetime | None, zone: dt.tzinfo) -> str:
    """Return a time to the second, in the zone; a question mark for none."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}" if moment is not None else "?"


def shown(value: Any) -> str:
    """Return a value as people read it: energies in kWh, octets as text where they are, else hexadecimal."""
    if isinstance(value, Quantity):
        return f"{number_in(value):f} {unit_shown(value.unit.symbol)}" if value.unit != 255 else str(value)
    if isinstance(value, Obis | DateTime | Date | Time | BitString):
        return str(value)
    if isinstance(value, bytes):
        text = value.decode("latin-1")
        return f"{value.hex()}  {text!r}" if text and text.isascii() and text.isprintable() else value.hex()
    if isinstance(value, Enum):
        return f"{value.name.lower()} ({value.value})"
    if isinstance(value, tuple | list):
        return (
            "[" + ", ".join(f"({shown(one)})" if dataclasses.is_dataclass(one) else shown(one) for one in value) + "]"
        )
    if _has_fields(value):
        return ", ".join(f"{item.name} {shown(getattr(value, item.name))}" for item in dataclasses.fields(value))
    return "" if value is None else str(value)


def _has_fields(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type | Quantity)


def number_in(value: Quantity) -> Decimal:
    """Return the number in the unit that is shown, exact."""
    return value.to(unit_shown(value.unit.symbol))


def unit_shown(symbol: str) -> str:
    """Return the unit that values of a unit are shown in."""
    return _SHOWN_IN.get(symbol, symbol)


def plain(value: Any) -> Any:
    """Return what ``json.dumps`` takes; a Quantity as number with unit, and raw and scaler as sent, which are exact."""
    if isinstance(value, Quantity):
        return {"value": float(value), "unit": value.unit.symbol, "raw": value.raw, "scaler": value.scaler}
    if isinstance(value, Obis | DateTime | Date | Time | BitString):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if _has_fields(value):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, bool | int | float | str | None) else str(value)
