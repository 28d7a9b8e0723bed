"""Sessions that one server process serves: ours beside the simulator of pydlms-client.

A session is: connect, associate with HLS GMAC (suite 0, authenticated and encrypted), four GETs of registers, one day
of load profile by range (96 rows, in blocks), release, close. The meter is that of :mod:`interop.meter` on both. The
same client, in a process of its own, loads each server in turn. A figure is sessions for each second of processor time
of the server process, which is what a machine has to give; beside it stands what the clock on the wall said.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from cosemic.client import Meter
from cosemic.server import Admission, LogicalDevice, reading, serve_in_thread
from cosemic.values import Obis
from interop import meter, ours
from interop.servers import pydlms

GOAL = 5
ROUNDS = 5
SESSIONS = 60
"""In each round, for each server."""
WARM_UP = 5
_ROWS = 96
_TARGETS = [f"3/{Obis(name)}:{index}" for name in meter.REGISTERS for index in (2, 3)]


def device() -> LogicalDevice:
    """The meter of :mod:`interop.meter`, as far as sessions see it, on our server."""
    made = LogicalDevice(meter.DEVICE_NAME.decode())
    ours.add_metering(made)
    settings = ours.settings_of(meter.ASSOCIATIONS["hls-gmac"])
    made.admit(Admission(client_sap=3, settings=settings, rights=reading()))
    return made


@contextmanager
def _ours() -> Iterator[int]:
    with serve_in_thread(device(), host=meter.HOST) as server:
        yield server.port


_SERVERS = {"cosemic": _ours, "pydlms-client": pydlms.serve}


class Server:
    """A server in a process of its own, which tells its processor time when it is asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.sessions", "serve", name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._answer())

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        assert self._process.stdin is not None
        self._process.stdin.write("cpu\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server of {self.name} has ended")
        return line

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def serve(name: str) -> None:
    """Serve the meter; answer every line of the standard input with the processor time."""
    maker: AbstractContextManager[int] = _SERVERS[name]()
    with maker as port:
        print(port, flush=True)
        for _ in sys.stdin:
            print(time.process_time(), flush=True)


async def session(port: int, counters: str) -> None:
    """One session, checked."""
    security: dict[str, Any] = {
        "encryption_key": meter.ENCRYPTION_KEY,
        "authentication_key": meter.AUTHENTICATION_KEY,
        "system_title": ours.TITLE,
        "counters": counters,
    }
    url = f"tcp://{meter.HOST}:{port}?client=3&server={meter.SERVER_SAP}"
    since = meter.FIRST - dt.timedelta(seconds=meter.CAPTURE_PERIOD)
    async with Meter.connect(url, security) as opened:
        for target in _TARGETS:
            await opened.get(target)
        profile = await opened.load_profile(Obis(meter.LOAD_PROFILE), since, since + dt.timedelta(days=1))
        if len(profile) != _ROWS:
            raise RuntimeError(f"{len(profile)} rows instead of {_ROWS}")


async def load(port: int, counters: str, count: int) -> float:
    """Run sessions one after the other (one client title has one order of counters); return the seconds they took."""
    start = time.perf_counter()
    for _ in range(count):
        await session(port, counters)
    return time.perf_counter() - start


@dataclass
class Figures:
    """Sessions a second of one server, one figure a round."""

    by_processor: list[float]
    by_clock: list[float]


@contextmanager
def servers() -> Iterator[list[Server]]:
    """Both servers, running."""
    running: list[Server] = []
    try:
        running.extend(map(Server, _SERVERS))
        yield running
    finally:
        for server in running:
            server.close()


def compare() -> dict[str, Any]:
    """Load both servers in turns; return the object for the JSON file."""
    figures = {name: Figures([], []) for name in _SERVERS}
    with tempfile.TemporaryDirectory(prefix="cosemic-bench-") as folder, servers() as running:
        for server in running:
            asyncio.run(load(server.port, f"{folder}/{server.name}", WARM_UP))
        for _ in range(ROUNDS):
            for server in running:
                before = server.cpu()
                wall = asyncio.run(load(server.port, f"{folder}/{server.name}", SESSIONS))
                used = server.cpu() - before
                figures[server.name].by_processor.append(SESSIONS / used)
                figures[server.name].by_clock.append(SESSIONS / wall)
    medians = {
        name: {
            "by_processor": round(statistics.median(one.by_processor), 1),
            "by_clock": round(statistics.median(one.by_clock), 1),
        }
        for name, one in figures.items()
    }
    mine, other = (medians[name]["by_processor"] for name in _SERVERS)
    ratio = round(mine / other, 2)
    return {
        "workload": "sessions-served",
        "unit": "sessions a second of processor time of the server",
        "figures": medians,
        "ratio": ratio,
        "goal": GOAL,
        "met": ratio >= GOAL,
    }


def show(record: dict[str, Any]) -> None:
    """Print the comparison."""
    print("sessions served (HLS GMAC, four registers, one day of profile), a second of processor time of the server")
    for name, figure in record["figures"].items():
        print(f"  {name:<14} {figure['by_processor']:>8} /s   by the clock on the wall {figure['by_clock']} /s")
    print(f"  ratio {record['ratio']}x, goal {record['goal']}x: {'met' if record['met'] else 'NOT MET'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("serve", "compare"))
    parser.add_argument("name", nargs="?", choices=tuple(_SERVERS))
    options = parser.parse_args()
    if options.what == "serve":
        serve(options.name)
    else:
        show(compare())
