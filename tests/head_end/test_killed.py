"""``kill -9`` while meters are collected: nothing half, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cosemic.cli._fleet_process import running_fleet
from cosemic.head_end import Collector, Interval, MeterPoint, Store
from cosemic.simulator import HouseholdMeter
from tests.head_end.samples import ENERGY, PROFILE, QUARTER

METERS = 15
SEED = 3
DAYS = 7
ROWS = DAYS * 96
COLLECT = """
import datetime as dt, json, sys
import asyncio
from cosemic.head_end import Collector, MeterPoint, Store
from cosemic.values import Obis

path, since, until, meters = sys.argv[1:]
points = [MeterPoint(**meter, profiles=(Obis("1-0:99.1.0"),)) for meter in json.loads(meters)]
window = dt.datetime.fromisoformat(since), dt.datetime.fromisoformat(until)
print("ready", flush=True)
with Store(path) as store:
    asyncio.run(Collector(store, concurrency=4).collect(points, *window))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("children_uncovered")
def test_a_killed_collection_leaves_whole_meters_and_the_rest_is_read_without_doubles(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    until = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    since = until - dt.timedelta(days=DAYS)
    chance = random.Random(20)
    with running_fleet(METERS, SEED, DAYS + 1, tmp_path / "meters") as meters:
        security = {"counters": str(tmp_path / "client")}
        described = [{"name": str(m.serial), "url": m.url, "security": m.security | security} for m in meters]
        points = [MeterPoint(**item, profiles=(PROFILE,)) for item in described]
        with Store(path) as store:  # first contact: from here on the invocation counters are known
            asyncio.run(Collector(store).collect(points, since, since))
        seen = [0]
        delays = [0.02, 0.2, *(chance.uniform(0.0, 0.4) for _ in range(4))]
        while delays:
            arguments = [str(path), since.isoformat(), until.isoformat(), json.dumps(described)]
            child = subprocess.Popen([sys.executable, "-c", COLLECT, *arguments], stdout=subprocess.PIPE)
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(delay := delays.pop(0))
            child.kill()
            child.communicate()
            seen.append(whole_meters(path, since, until))
            assert seen[-1] >= seen[-2]
            if not delays and seen[-1] == 0 and delay < 10:  # a machine that has much else to do
                delays.append(max(delay, 0.4) * 1.5)
        assert any(0 < count < METERS for count in seen), seen
        with Store(path) as store:
            outcomes = asyncio.run(Collector(store).collect(points, since, until))
            assert [outcome.error for outcome in outcomes] == [None] * METERS
            assert sum(outcome.rows for outcome in outcomes) == (METERS - seen[-1]) * ROWS
            assert store.count_readings() == METERS * ROWS * 3
            for meter in meters:
                curve = HouseholdMeter(meter.serial, SEED).curve
                expected = [curve.energy((since + n * QUARTER).timestamp()).imported for n in range(1, ROWS + 1)]
                found = store.readings(str(meter.serial), PROFILE, ENERGY, since, until)
                assert [one.value.raw for one in found] == expected


def whole_meters(path: Path, since: dt.datetime, until: dt.datetime) -> int:
    """How many meters are stored in whole; no other may have any row or coverage."""
    whole = 0
    with Store(path) as store:
        for record in store.meters():
            covered, count = store.coverage(record.name, PROFILE), store.count_readings(record.name)
            assert (covered, count) in (([], 0), ([Interval(since, until)], ROWS * 3))
            whole += bool(covered)
    return whole
