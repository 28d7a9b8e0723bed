"""``cosemic simulate``: simulated meters on a network or at a serial port, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from cosemic.cli._json import print_json
from cosemic.cli._key_entry import Entering, enter_keys
from cosemic.cli._progress import counted
from cosemic.cli._table import table
from cosemic.errors import ConfigurationError
from cosemic.security import CounterStore
from cosemic.security.general import TransactionStore
from cosemic.simulator import (
    KINDS,
    LINKS,
    Endpoint,
    Fleet,
    FleetSettings,
    MeterLink,
    fault_order,
    firmware_image,
    load_fleet,
)
from cosemic.simulator.customers import CUSTOMERS
from cosemic.simulator.faults import FAULTS
from cosemic.simulator.fleet_file import PORT, zone_named
from cosemic.simulator.plan import CENTRAL_EUROPE, plans_of
from cosemic.simulator.security import MIXED_KINDS, REFERENCING
from cosemic.simulator.settings_file import write_settings
from cosemic.store.counters import FileCounterStore
from cosemic.store.security_settings import state_folder
from cosemic.store.transactions import FileTransactionStore

MIXED: Final = "mixed"
MOST_LISTED: Final = 20
"""Meters that are listed; with --json all are."""
EXAMPLES: Final = f"""\
examples:
  cosemic simulate
  cosemic simulate --meters 50 --security mixed --port 5000
  cosemic simulate --security hls-gmac --keys . --json
  cosemic simulate --security hls-ecdsa --suite 1 --layers sign+cipher:one-pass --third-party
  cosemic simulate --security hls-gmac --key-store meters.keys --state meter.sqlite
  cosemic simulate --zone Europe/Berlin --speed 60 --state meter.sqlite
  cosemic simulate --meters 200 --fault no-answer@10% --fault slow:delay=5@5%
  cosemic simulate --link hdlc --station serial --port 5000
  cosemic simulate --udp
  cosemic simulate --speed 60 --push 127.0.0.1:4060
  cosemic simulate --referencing sn
  cosemic simulate --serial /dev/ttyUSB0 --link iec21
  cosemic simulate fleet.toml
  cosemic simulate --make-image firmware.bin --image-version 2.0.0

For each meter a file of security settings is written, which `cosemic read URL --security FILE` takes; only you can read
it. Its name holds serial number, security and port: meter-1000001-hls-gmac-4059.toml.
With --serial the name of the serial port stands in place of the port.
The keys are computed from the seed: never use them for a real meter.
In suites 1 and 2 client and meter have keys for signatures and key agreement too; --layers has the settings say in what
general protection every service goes. --third-party has each meter know a third party, whose settings are written into
a file of their own (third-party-1000001-4059.toml): `cosemic read URL --security FILE --third-party FILE`.
With --key-store the keys are in that key store (`cosemic keys store --help`), where `cosemic keys change` keeps new
ones.

FILE describes meters in TOML: how many, of which customers, protected how, with which objects, rights and faults. See
examples/meter.toml and examples/fleet.toml, and `python -m pydoc cosemic.simulator.fleet_file`.
Faults are {", ".join(FAULTS)};
what is said of them, such as slow:delay=5,begin=60,length=30,every=600: `python -m pydoc cosemic.simulator.faults`.

exit codes: 0 ended by Ctrl-C or SIGTERM; 2 wrong arguments, or the port is taken
"""
_OF_A_FILE: Final = (
    "meters", "security", "suite", "customer", "zone", "seed", "speed", "start", "link", "udp", "station",
    "referencing", "push", "layers", "third_party",
)  # fmt: skip
"""Arguments that a file says itself."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "simulate",
        help="run simulated meters",
        description="Run simulated meters, each on a port of its own, or one at a serial port, until Ctrl-C.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", nargs="?", metavar="FILE", help="TOML file that describes the meters")
    command.add_argument("--meters", type=int, metavar="N", help="how many (default: 1)")
    command.add_argument("--port", type=int, help=f"of the first; 0 takes free ones (default: {PORT})")
    command.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    command.add_argument("--link", choices=LINKS, help="how they are reached (default: wrapper; iec21: mode E)")
    command.add_argument("--udp", action="store_true", default=None, help="the wrapper on UDP in place of TCP")
    command.add_argument(
        "--station", metavar="N|serial", help="lower HDLC or M-Bus address; serial: from the serial number"
    )
    command.add_argument("--serial", metavar="PORT", help="serve one meter at a serial port: /dev/ttyUSB0, COM3")
    command.add_argument("--security", choices=(*KINDS, MIXED), help="how they are protected (default: none)")
    command.add_argument(
        "--suite",
        type=int,
        choices=(0, 1, 2),
        help="security suite of hls-gmac (default: 0) and hls-ecdsa (default: 1)",
    )
    command.add_argument(
        "--referencing", choices=(*REFERENCING,), help="by logical names, short names or both (default: ln)"
    )
    command.add_argument(
        "--layers", metavar="LAYERS", help="general protection that the settings say: cipher, sign+cipher:one-pass"
    )
    command.add_argument(
        "--third-party", action="store_true", default=None, help="a third party behind the client; suites 1 and 2"
    )
    command.add_argument("--customer", choices=(*CUSTOMERS, MIXED), help="whose they are (default: households)")
    command.add_argument("--zone", help="time zone of their clocks: Europe/Berlin (default: UTC+1 all the year)")
    command.add_argument("--seed", type=int, help="makes load curves and keys (default: 0)")
    command.add_argument("--speed", type=float, metavar="X", help="simulated seconds for each second (default: 1)")
    command.add_argument("--start", metavar="TIME", help="when simulated time begins: 2026-03-01T00:00+01:00")
    command.add_argument("--state", metavar="FILE", help="keeps what happens to them; without it all ends with Ctrl-C")
    command.add_argument(
        "--push", metavar="HOST:PORT", help="where their registers are sent every quarter of an hour, over TCP"
    )
    command.add_argument("--fault", action="append", default=[], metavar="FAULT[:NAME=VALUE,...][@SHARE]", help="fault")
    command.add_argument("--keys", metavar="FOLDER", help="where the files of security settings are written")
    command.add_argument("--key-store", metavar="FILE", help="key store that their keys are entered into")
    command.add_argument("--make-image", metavar="FILE", help="write an image to try firmware updates with, and end")
    command.add_argument("--image-version", default="2.0.0", metavar="TEXT", help="of the image (default: 2.0.0)")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C, or write an image."""
    if arguments.make_image is not None:
        return _make_image(arguments)
    settings = _settings(arguments)
    folder = state_folder() / "simulator" if settings.keys is None else settings.keys
    fresh = settings.state is None or not settings.state.exists()
    kept = _kept(settings)
    fleet = settings.fleet(*kept) if kept is not None else settings.fleet()
    enter = _no_entry
    if arguments.key_store is not None:
        enter = partial(enter_keys, Path(arguments.key_store), renew=fresh)
    try:
        asyncio.run(_serve(fleet, folder, arguments.json, enter))
    except KeyboardInterrupt:
        print(file=sys.stderr)
    stays = "their settings files stay" + ("" if settings.state is None else f", and their state in {settings.state}")
    print(f"stopped: the simulated meters are gone, {stays}", file=sys.stderr)
    return 0


def _kept(settings: FleetSettings) -> tuple[CounterStore, TransactionStore] | None:
    """Where invocation counters and transaction-ids outlive the run: the same seed gives the same keys, and clients
    remember."""
    if settings.state is not None:
        return None  # beside the state
    folder = state_folder() / "simulator"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"invocation counters cannot be kept in {folder}: {error.strerror}") from None
    return FileCounterStore(folder / "counters"), FileTransactionStore(folder / "transactions")


def _no_entry(endpoint: Endpoint) -> Endpoint:
    return endpoint


def _settings(arguments: argparse.Namespace) -> FleetSettings:
    """What the file says, or the arguments; the arguments that go with both hold."""
    if arguments.serial is not None and (arguments.port is not None or arguments.host is not None):
        raise ConfigurationError("a meter at a serial port has no --port and no --host")
    if arguments.file is None:
        settings = _from_arguments(arguments)
    else:
        said = [f"--{name.replace('_', '-')}" for name in _OF_A_FILE if getattr(arguments, name) is not None]
        if said:
            raise ConfigurationError(f"{', '.join(said)}: {arguments.file} says that itself; change it there")
        settings = load_fleet(arguments.file)
    given: dict[str, Any] = {
        "host": arguments.host,
        "port": arguments.port,
        "serial": arguments.serial,
        "state": arguments.state and Path(arguments.state),
        "keys": arguments.keys and Path(arguments.keys),
    }
    faults = (*settings.faults, *map(fault_order, arguments.fault))
    return replace(settings, faults=faults, **{name: one for name, one in given.items() if one is not None})


def _from_arguments(arguments: argparse.Namespace) -> FleetSettings:
    security, customer = arguments.security or KINDS[0], arguments.customer
    seed, zone = arguments.seed or 0, arguments.zone
    plans = plans_of(
        1 if arguments.meters is None else arguments.meters,
        seed,
        (*CUSTOMERS,) if customer == MIXED else (customer,),
        MIXED_KINDS if security == MIXED else (security,),
        suite=(1 if security == "hls-ecdsa" else 0) if arguments.suite is None else arguments.suite,
        zone=CENTRAL_EUROPE if zone is None else zone_named(zone),
        push=arguments.push,
        referencing=arguments.referencing or "ln",
        layers=arguments.layers,
        third_party=bool(arguments.third_party),
        link=MeterLink(link=arguments.link or LINKS[0], udp=bool(arguments.udp), station=_station(arguments.station)),
    )
    return FleetSettings(
        plans=plans,
        seed=seed,
        start=None if arguments.start is None else _moment(arguments.start),
        speed=1.0 if arguments.speed is None else arguments.speed,
    )


def _station(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no time: 2026-03-01T00:00+01:00") from None


async def _serve(fleet: Fleet, folder: Path, as_json: bool, enter: Entering) -> None:
    stopped = asyncio.Event()
    with suppress(NotImplementedError):  # on Windows, where there is no such signal to wait for
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    try:
        with counted("opening ports", "meters") as progress:
            await fleet.start(lambda done, count: progress(done, count, ""))
        _ = fleet.sites[0].meter  # a state that is of other keys is told now, and not by each connection
        _show([enter(one) for one in fleet.endpoints], folder, as_json)
        await stopped.wait()
    finally:
        await fleet.close()


def _show(endpoints: Sequence[Endpoint], folder: Path, as_json: bool) -> None:
    """Write the files of security settings, and tell where the meters are."""
    rows = []
    for endpoint in endpoints:
        where = endpoint.site.port or Path(endpoint.site.device or "").name
        path = folder / f"meter-{endpoint.serial}-{endpoint.kind}-{where}.toml"
        write_settings(endpoint.security, path)
        third = ""
        if endpoint.third_party:
            third = str(folder / f"third-party-{endpoint.serial}-{where}.toml")
            write_settings(endpoint.third_party, Path(third))
        rows.append((endpoint.url, endpoint.kind, str(path), third))
    if as_json:
        print_json([dict(zip(("url", "security", "settings", "third_party"), row, strict=True)) for row in rows])
        return
    print(table([("URL", "SECURITY", "SETTINGS"), *(row[:3] for row in rows[:MOST_LISTED])]))
    if len(rows) > MOST_LISTED:
        print(f"... and {len(rows) - MOST_LISTED} more, up to {rows[-1][0]}")
    url, kind, settings, third = rows[0]
    other = ", with the name of the port at the other end of the line" if endpoints[0].site.device else ""
    print(f"Ctrl-C ends it. Try in another terminal{other}:")
    print(f'  cosemic read "{url}" 1-0:1.8.0 --security "{settings}"')
    if kind != "lls":  # whose client reads only
        print(f'  cosemic clock "{url}" --synchronise --security "{settings}"')
        print(f'  cosemic breaker "{url}" disconnect --security "{settings}"')
    if endpoints[0].security.get("key_infos") and "layers" not in endpoints[0].security:
        print(f'  cosemic read "{url}" 1-0:1.8.0 --security "{settings}" --layers sign+cipher:one-pass')
    if third:
        print(f'  cosemic read "{url}" 1-0:1.8.0 --security "{settings}" --third-party "{third}"')
    if "key_store" in endpoints[0].security:
        layers = " --layers cipher:global-unicast" if "layers" in endpoints[0].security else ""
        print(f'  cosemic keys change "{url}" --security "{settings}"{layers}')
    sys.stdout.flush()


def _make_image(arguments: argparse.Namespace) -> int:
    path, version = arguments.make_image, arguments.image_version
    image = firmware_image(version)
    try:
        Path(path).write_bytes(image)
    except OSError as error:
        raise ConfigurationError(f"the image cannot be written to {path}: {error.strerror}") from None
    if arguments.json:
        print_json({"file": path, "octets": len(image), "version": version})
    else:
        print(f"{path}: image of firmware {version}, {len(image)} octets. Try it on a simulated meter:")
        print(f'  cosemic firmware "tcp://127.0.0.1:{PORT}?client=16" --update "{path}" --identifier {version}')
    return 0
