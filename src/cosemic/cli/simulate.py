"""``cosemic simulate``: household meters on TCP, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

from cosemic.cli._json import print_json
from cosemic.cli._meter import table
from cosemic.simulator import KINDS, Fleet
from cosemic.simulator.settings_file import write_settings
from cosemic.store.security_settings import state_folder

MIXED = "mixed"
EXAMPLES = """\
examples:
  cosemic simulate
  cosemic simulate --meters 50 --security mixed --port 5000
  cosemic simulate --security hls-gmac --keys . --json

For each meter a file of security settings is written, which `cosemic read URL --security FILE` takes; only you can read
it. Its name holds serial number, security and port: meter-1000001-hls-gmac-4059.toml.
The keys are computed from the seed: never use them for a real meter.

exit codes: 0 ended by Ctrl-C; 2 wrong arguments, or the port is taken
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "simulate",
        help="run simulated meters",
        description="Run simulated household meters on TCP, each on a port of its own, until Ctrl-C.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--meters", type=int, default=1, metavar="N", help="how many (default: 1)")
    command.add_argument("--port", type=int, default=4059, help="of the first; 0 takes free ones (default: 4059)")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    command.add_argument(
        "--security", choices=(*KINDS, MIXED), default=KINDS[0], help="how they are protected (default: none)"
    )
    command.add_argument("--seed", type=int, default=0, help="makes load curves and keys (default: 0)")
    command.add_argument("--keys", metavar="FOLDER", help="where the files of security settings are written")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    kinds = KINDS if arguments.security == MIXED else (arguments.security,)
    fleet = Fleet.of(arguments.meters, arguments.seed, base_port=arguments.port, host=arguments.host, kinds=kinds)
    folder = state_folder() / "simulator" if arguments.keys is None else Path(arguments.keys)
    try:
        asyncio.run(_serve(fleet, folder, arguments.json))
    except KeyboardInterrupt:
        print("\nstopped: the simulated meters are gone, their settings files stay", file=sys.stderr)
    return 0


async def _serve(fleet: Fleet, folder: Path, as_json: bool) -> None:
    async with fleet:
        rows = []
        for endpoint in fleet.endpoints:
            path = folder / f"meter-{endpoint.serial}-{endpoint.kind}-{urlsplit(endpoint.url).port}.toml"
            write_settings(endpoint.security, path)
            rows.append((endpoint.url, endpoint.kind, str(path)))
        if as_json:
            names = ("url", "security", "settings")
            print_json([dict(zip(names, row, strict=True)) for row in rows])
        else:
            print(table([("URL", "SECURITY", "SETTINGS"), *rows]), flush=True)
            url, _, settings = rows[0]
            print("Ctrl-C ends it. Try in another terminal:")
            print(f'  cosemic read "{url}" 1-0:1.8.0 --security "{settings}"', flush=True)
        await asyncio.Event().wait()
