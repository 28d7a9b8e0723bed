"""A fleet whose process is killed: everything that was answered is there afterwards, and time goes on."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cosemic.client import BlockingMeter
from cosemic.client.recovery import NONE
from cosemic.errors import CosemicError
from cosemic.model import PushSetupVersion0
from cosemic.security import CounterStore, MemoryCounterStore
from cosemic.simulator import firmware_image

FLEET = """
import asyncio, json, sys
from cosemic.simulator import load_fleet
async def main():
    async with load_fleet(sys.argv[1]).fleet() as fleet:
        endpoint = fleet.endpoints[0]
        keys = {name: one.reveal().hex() for name, one in endpoint.security.items() if hasattr(one, "reveal")}
        print(json.dumps([endpoint.url, {**endpoint.security, **keys}]), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
FILE = """
port = 0
state = "fleet.sqlite"
[time]
start = 2026-11-20T11:58:00Z
speed = 30
[[meters]]
count = 2
security = "hls-gmac"
profile_days = 1
"""
NUMBER = PushSetupVersion0("0-0:25.9.0").randomisation_start_interval


@contextmanager
def running(file: Path, counters: CounterStore) -> Iterator[tuple[subprocess.Popen[str], BlockingMeter]]:
    """A process with a fleet, and a client of its first meter."""
    command = [sys.executable, "-c", FLEET, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            url, security = json.loads(child.stdout.readline())
            meter = BlockingMeter.connect(url, {**security, "counters": counters}, recovery=NONE)
            meter.open()
            yield child, meter
        finally:
            child.kill()
            with contextlib.suppress(CosemicError):
                meter.close()


@pytest.mark.slow
def test_what_was_answered_is_there_after_kill_9(tmp_path: Path) -> None:
    file, counters, chance = tmp_path / "fleet.toml", MemoryCounterStore(), random.Random(9)
    file.write_text(FILE, "utf-8")
    number = energy = 0
    for _ in range(4):
        with running(file, counters) as (child, meter):
            found = meter.read(NUMBER)
            assert found in (number, number + 1)  # the last one was perhaps not answered, and made
            number = found
            assert meter.read("1-0:1.8.0").raw >= energy
            killer = threading.Timer(chance.uniform(0.05, 0.3), child.kill)
            killer.start()
            with contextlib.suppress(CosemicError):
                while True:
                    meter.write(NUMBER, number + 1)
                    number += 1
                    energy = meter.read("1-0:1.8.0").raw
            killer.join()
    assert number > 20


@pytest.mark.slow
def test_a_firmware_transfer_goes_on_after_kill_9(tmp_path: Path) -> None:
    file, counters, chance = tmp_path / "fleet.toml", MemoryCounterStore(), random.Random(4)
    file.write_text(FILE, "utf-8")
    image = firmware_image("5.0", octets=60_000)
    acknowledged = 0

    def step(progress: Any) -> None:
        nonlocal acknowledged
        acknowledged = max(acknowledged, progress.blocks)

    for _ in range(2):
        with running(file, counters) as (child, meter):
            assert meter.firmware.state().image_first_not_transferred_block_number >= acknowledged
            killer = threading.Timer(chance.uniform(0.05, 0.15), child.kill)
            killer.start()
            with pytest.raises(CosemicError):
                meter.firmware.update(image, "v5", progress=step, patience=0.1, interval=0.1)
            killer.join()
    assert 0 < acknowledged < 300
    with running(file, counters) as (_, meter):
        meter.firmware.update(image, "v5")
        assert meter.read("1-0:0.2.0") == b"5.0"
    with running(file, counters) as (_, meter):
        assert meter.read("1-0:0.2.0") == b"5.0"
