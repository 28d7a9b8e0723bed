"""Processes that send and receive protected APDUs, both ways, and are killed with SIGKILL at random moments.

The processes, and the ledger that no key, title and counter, no transaction-id and no accepted APDU may enter twice,
are those of the tests (tests/store/killed_traffic.py). One kill in six comes while the files lie on the disk of the
machine, where it mostly meets an fsync; the others while they lie in memory, where it meets anything.
"""

from __future__ import annotations

import tempfile
import time

from tests.store.killed_traffic import Tally, folder_in_memory, kill_processes

_SHOWN_EVERY = 10.0
"""Seconds."""
_ON_DISK = 6
"""One kill in so many."""
_LONGEST_ON_DISK = 0.08
"""Seconds that a process lives there at most: some of its steps."""


class _Progress:
    def __init__(self, kills: int) -> None:
        self._kills = kills
        self._began = self._shown = time.monotonic()
        self.before = 0

    def told(self, done: int) -> None:
        """Show how far it is, now and then."""
        now, done = time.monotonic(), self.before + done
        if now - self._shown > _SHOWN_EVERY:
            self._shown = now
            print(f"kill {done:,} of {self._kills:,}, {done / (now - self._began):,.0f} a second", flush=True)


def soak_kills(kills: int, seed: int) -> str:
    """Kill so many processes; returns a summary. Raises AssertionError when something came twice."""
    began, progress = time.monotonic(), _Progress(kills)
    on_disk = kills // _ON_DISK
    whole = Tally()
    for number, (folder, longest) in enumerate(((None, _LONGEST_ON_DISK), (folder_in_memory(), 0.02))):
        part = (on_disk, kills - on_disk)[number]
        with tempfile.TemporaryDirectory(prefix="cosemic-soak-", dir=folder) as made:
            tally = kill_processes(part, seed + number, made, longest, progress.told)
        progress.before += tally.kills
        whole = whole + tally
    return f"{whole}, in {time.monotonic() - began:,.0f} s"
