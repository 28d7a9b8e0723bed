"""The simulated meters of the demo, in a process of their own: real sockets, and a core that is not ours.

::

    parent                                   child: python -m cosemic.cli._fleet_process COUNT SEED DAYS COUNTERS
        <-- one line of JSON: where the meters are
        end of standard input -->                   ends

The child also ends when the parent is killed, for that ends its standard input. Passwords and keys go through the pipe.
The meters keep their invocation counters in a file, as real ones keep theirs: no run uses those of another again.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosemic.errors import CosemicError
from cosemic.values import Secret

PATIENCE: Final = 10.0
"""Seconds that the child may take to end."""


@dataclass(frozen=True, slots=True)
class SimulatedMeter:
    """Where a simulated meter is, and what a client needs to open it."""

    serial: int
    kind: str
    url: str
    security: dict[str, Any]


@contextmanager
def running_fleet(count: int, seed: int, days: int, counters: Path) -> Iterator[list[SimulatedMeter]]:
    """Run meters, with load profiles of some days, and end them afterwards.

    counters: the file of their invocation counters; its folder must exist.

    Raises CosemicError if they do not start.
    """
    command = [sys.executable, "-m", __name__, str(count), str(seed), str(days), str(counters)]
    # A process group of its own: Ctrl-C in the terminal is for the parent, which ends the child when it has put its own
    # things in order.
    child = subprocess.Popen(  # noqa: S603  # a list, no shell
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    )
    try:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise CosemicError("the simulated meters did not start: what they said stands above")
        yield [SimulatedMeter(**item) for item in json.loads(line)]
    finally:
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


async def serve(count: int, seed: int, days: int, counters: str) -> None:
    """Run meters until standard input ends. Raises BrokenPipeError when nobody wants to know where they are."""
    # Imported here, when Ctrl-C is ignored already; and the parent needs none of it.
    from cosemic.simulator import Fleet
    from cosemic.store.counters import FileCounterStore

    async with Fleet.of(count, seed, profile_days=days, counters=FileCounterStore(counters)) as fleet:
        meters = [
            {
                "serial": endpoint.serial,
                "kind": endpoint.kind,
                "url": endpoint.url,
                "security": {name: _open(name, value) for name, value in endpoint.security.items()},
            }
            for endpoint in fleet.endpoints
        ]
        print(json.dumps(meters), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


def _open(name: str, value: Any) -> Any:
    if not isinstance(value, Secret):
        return value
    octets = value.reveal()
    return octets.decode() if name == "password" else octets.hex()


def main(arguments: Sequence[str]) -> None:
    """Run meters as the arguments say, until standard input ends."""
    # Where there are no process groups, Ctrl-C reaches parent and child alike.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from cosemic.store.process_memory import protect_memory

    protect_memory()
    count, seed, days, counters = arguments
    try:
        asyncio.run(serve(int(count), int(seed), int(days), counters))
    except CosemicError as error:
        sys.exit(f"cosemic: {error}")
    except BrokenPipeError:
        # The parent was stopped meanwhile; what is left must not fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main(sys.argv[1:])
