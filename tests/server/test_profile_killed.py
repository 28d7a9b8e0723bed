"""``kill -9`` in the middle of captures: no committed row is lost, none is doubled, and entries_in_use is exact."""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cosemic.codec import DataType
from cosemic.errors import StoreError
from cosemic.model import SortMethod
from cosemic.server import Capture, LogicalDevice, ProfileObject, Situation
from cosemic.server.state import StateFile
from cosemic.values import DateTime
from tests.server.profile_support import COLUMNS, ENERGY, PROFILE, QUARTER, START, Bench

ROUNDS = 40
ENTRIES = 60
"""Few enough for the buffers to be full after some rounds."""
SORTED = "1-0:99.2.0"
COMPUTED = "1-0:99.3.0"
TYPES = (DataType.OCTET_STRING, DataType.UNSIGNED, DataType.DOUBLE_LONG)
ROOT = Path(__file__).parents[2]

# One process keeps everything imported; for each line it is given it makes a child that lives until it is killed.
FORKS = """
import os, sys
from pathlib import Path
from tests.server import test_profile_killed as killed
for line in sys.stdin:
    path, seed, told = line.split()
    child = os.fork()
    if not child:
        killed.live(path, int(seed), told)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


class Meter(Bench):
    """Quarters of an hour in three profiles: read from the device, the same sorted, and made by a function."""

    def __init__(self, file: StateFile, now: dt.datetime = START) -> None:
        super().__init__(now, state=file, start=START)
        self.profile(entries=ENTRIES, capture_period=900)
        more: dict[str, dict[str, Any]] = {
            SORTED: {"sort_method": SortMethod.LARGEST, "sort_object": ENERGY},
            COMPUTED: {"row": self._made, "types": TYPES, "since": START},
        }
        for name, options in more.items():
            profile = ProfileObject(
                self.device, name, COLUMNS, ENTRIES, clock=self.clock, capture_period=900, **options
            )
            self.device.add(profile)

    def _made(self, capture: Capture) -> Sequence[Any]:
        return DateTime.from_datetime(capture.shown).octets, 0, self.seconds(capture.at)

    def energies(self, name: str) -> list[int]:
        return [row[2] for row in self.view.get(7, name, 2).value()]


def live(path: str, seed: int, told: str) -> None:
    """Go on from what is kept, and tell the time of each answer that has left, until killed."""
    chance = random.Random(seed)
    with StateFile(path) as file, open(told, "ab", buffering=0) as answers:
        meter = Meter(file)
        assert meter.device.clockwork.done is not None
        meter.now = meter.device.clockwork.done
        while True:
            meter.pass_(seconds=chance.choice([1, 900, 901, 2700, 40_000]))
            name = chance.choice([PROFILE, SORTED, COMPUTED])
            meter.view.get(7, name, 7)
            answers.write(f"{name} {meter.now.isoformat()}\n".encode())


def check(path: Path, told: Path) -> int:
    """Hold what is kept against what must have been captured; return how many captures there were."""
    last = {PROFILE: START, SORTED: START, COMPUTED: START}
    for line in told.read_text().splitlines():
        name, moment = line.split()
        # Every answer makes last what the clockwork has captured; a function makes rows for its own profile only.
        for each in {name, PROFILE, SORTED}:
            last[each] = dt.datetime.fromisoformat(moment)
    with StateFile(path) as file:
        file.connection.execute("PRAGMA integrity_check")
        meter = Meter(file)
        done = meter.device.clockwork.done
        assert done is not None
        assert done >= max(last.values()) - 40_000 * dt.timedelta(seconds=1)
        counts = {}
        for name in last:
            kept = file.fetch(
                "SELECT r.octets FROM profile_rows r JOIN profiles p ON p.number = r.profile WHERE p.name = ?"
                " ORDER BY rank, entry",
                f"7/{name}*255",
            )
            found = [int.from_bytes(octets[-4:]) // 900 for (octets,) in kept]
            entries = file.fetch("SELECT entries FROM profiles WHERE name = ?", f"7/{name}*255")
            assert [(len(found),)] == (entries or [(0,)])
            if name == SORTED:
                found.reverse()
            # One after the other, none missing, none twice, and at least up to the last answer.
            count = found[-1] if found else 0
            assert found == list(range(max(count - ENTRIES, 0) + 1, count + 1))
            assert count >= (last[name] - START) // QUARTER
            counts[name] = count
        assert counts[PROFILE] == counts[SORTED]
        return counts[PROFILE]


@pytest.mark.slow
def test_killed_at_any_moment_a_profile_goes_on_where_it_was(tmp_path: Path) -> None:
    path, told = tmp_path / "state.sqlite", tmp_path / "told"
    told.touch()
    chance = random.Random(7)
    command = [sys.executable, "-c", FORKS]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forks:
        assert forks.stdin is not None
        assert forks.stdout is not None
        reached = [0]
        for number in range(ROUNDS):
            print(path, number, told, file=forks.stdin, flush=True)
            child = int(forks.stdout.readline())
            before = told.stat().st_size
            if number % 4:
                while told.stat().st_size == before:
                    time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.02))
            os.kill(child, signal.SIGKILL)
            assert forks.stdout.readline() == "gone\n"
            reached.append(check(path, told))
            assert reached[-1] >= reached[-2]
        forks.stdin.close()
    assert reached[-1] > ENTRIES * 3
    assert len(set(reached)) > ROUNDS // 2


def test_a_service_that_cannot_be_kept_leaves_no_row_behind(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateFile(path) as file:
        meter = Meter(file)
        meter.pass_(hours=1)
        assert meter.get(7) == 4
    with StateFile(path) as file:
        meter = Meter(file, START + 4 * QUARTER)
        meter.pass_(hours=1)
        meter.device.advance()  # captured, and not committed
        assert len(file.fetch("SELECT * FROM profile_rows")) == 16
        meter.device.fail(StoreError("the disk is full"))
        assert int(meter.get(7)) == 1  # hardware-fault
    with StateFile(path) as file:
        meter = Meter(file, START + 6 * QUARTER)
        assert [energy // 900 for energy in meter.energies(PROFILE)] == [1, 2, 3, 4, 5, 6]
        assert [energy // 900 for energy in meter.energies(COMPUTED)] == [1, 2, 3, 4, 5, 6]


def test_many_devices_keep_their_profiles_in_one_file(tmp_path: Path) -> None:
    def meters(file: StateFile) -> list[ProfileObject]:
        made = []
        for number in range(200):
            name = f"TST{number:013}"
            device = LogicalDevice(name, now=lambda: START, state=file.of(name))
            made.append(device.add(ProfileObject(device, PROFILE, COLUMNS, 5, types=TYPES, recorded=True)))
        return made

    with StateFile(tmp_path / "state.sqlite") as file:
        for number, profile in enumerate(meters(file)):
            profile.extend([((b"", 0, number), START)] * (number % 7))
    with StateFile(tmp_path / "state.sqlite") as file:
        for number, profile in enumerate(meters(file)):
            rows = profile.read(2, None, Situation(START)).value()
            assert rows == [(b"", 0, number)] * min(number % 7, 5)
