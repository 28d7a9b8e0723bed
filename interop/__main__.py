"""Run the matrix, print a table, write the results: `python -m interop --out build/interop.json`.

How every single attribute of our meter fared with every client that reads them all is written beside that, as
`interop-attributes.json`.

`--target` and `--reader` put another implementation where Cosemic's server and client stand, which tests the drivers
themselves: `--target pydlms --reader pydlms`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path

from interop import pushes
from interop.driver import ATTRIBUTES
from interop.matrix import Result, observe, read
from interop.peers import CLIENTS, SERVERS
from interop.secure import runs
from interop.ways import OBSERVED, WAYS, Way


def results(target: str, reader: str, captures: Path, ways: Sequence[Way]) -> Iterator[Result]:
    """Every peer's client against the target, the reader against every peer's server, and what tshark says of both."""
    for name, client in CLIENTS.items():
        if name not in (target, "cosemic"):
            yield from read(client, SERVERS[target], "client", ways)
        if target == "cosemic" and ATTRIBUTES in client.readings:
            yield from read(client, SERVERS["simulated"], "client", ways)
    for name, server in SERVERS.items():
        if name not in (reader, "cosemic", "simulated"):
            yield from read(CLIENTS[reader], server, "server", ways)
    for way in ways:
        if way in OBSERVED:
            yield from observe(CLIENTS[reader], SERVERS[target], way, captures)
            if (reader, target) == ("cosemic", "cosemic"):
                yield from observe(CLIENTS["pydlms"], SERVERS[target], way, captures)
                yield from observe(CLIENTS[reader], SERVERS["pydlms"], way, captures)


def _row(cells: tuple[str, ...]) -> str:
    return "{:<18}{:<10}{:<10}{:<62}{:<9}{}".format(*cells)


def main() -> int:
    """Command line; the exit status is 1 where a case failed."""
    parser = argparse.ArgumentParser(prog="python -m interop", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--target", choices=SERVERS, default="cosemic", help="the server that the clients read")
    parser.add_argument("--reader", choices=CLIENTS, default="cosemic", help="the client that reads the servers")
    parser.add_argument(
        "--only", nargs="+", default=["*"], metavar="WAY", help="as patterns: hdlc-*, mbus, notify, secure, secure-java"
    )
    parser.add_argument("--captures", type=Path, default=Path("build/interop"), help="folder for the pcap files")
    options = parser.parse_args()
    pushed = any(fnmatch(pushes.NAME, pattern) for pattern in options.only)
    ways = [way for name, way in WAYS.items() if any(fnmatch(name, pattern) for pattern in options.only)]
    print(_row(("peer", "version", "role", "case", "passed", "why")))
    done = []
    found = results(options.target, options.reader, options.captures, ways)
    ours = (options.reader, options.target) == ("cosemic", "cosemic")
    secured = runs.results(options.only) if ours else ()
    for result in chain(found, pushes.results(options.captures) if pushed else (), secured):
        done.append(result)
        passed = {True: "differs" if result.differs else "yes", False: "NO", None: "-"}[result.passed]
        print(_row((result.peer, result.version, result.role, result.case, passed, result.why)), flush=True)
    failed = sum(result.passed is False for result in done)
    skipped = sum(result.passed is None for result in done)
    differ = sum(result.differs and bool(result.passed) for result in done)
    passed_ones = len(done) - failed - skipped - differ
    print(f"{len(done)} cases: {passed_ones} passed, {differ} differ, {failed} failed, {skipped} not run")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps([result.to_dict() for result in done], indent=2) + "\n")
        each = options.out.with_name(f"{options.out.stem}-attributes.json")
        lines = ",\n".join(json.dumps(one) for result in done for one in result.attributes_to_dicts())
        each.write_text(f"[\n{lines}\n]\n")
        print(f"wrote {options.out} and {each.name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
