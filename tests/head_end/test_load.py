"""The load of a fleet from what is stored of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from cosemic.head_end import Interval, Store
from cosemic.head_end.load import Load, fleet_load
from tests.head_end.samples import COLUMNS, ENERGY, PROFILE, QUARTER, START, quarter, rows


def load_of(store: Store, meters: Sequence[str], first: int, last: int, period: dt.timedelta = QUARTER) -> list[Load]:
    return fleet_load(store, meters, PROFILE, ENERGY, quarter(first), quarter(last), period)


def put(store: Store, meter: str, numbers: Sequence[int], factor: int) -> None:
    store.commit(
        meter,
        profile=PROFILE,
        columns=COLUMNS[1:],
        rows=rows(numbers, factor=factor),
        covered=Interval(START, quarter(96)),
    )


def test_power_is_the_energy_between_two_intervals_by_time(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        put(store, "a", range(10), 100)  # 10 Wh in a quarter: 40 W
        put(store, "b", range(10), 50)
        found = load_of(store, ["a", "b"], 2, 5)
    assert found == [Load(quarter(2), 60.0, 2), Load(quarter(3), 60.0, 2), Load(quarter(4), 60.0, 2)]


def test_what_is_not_there_adds_nothing_and_is_not_counted(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        put(store, "a", range(8), 100)
        put(store, "b", [0, 1, 2, 4, 5], 100)
        found = load_of(store, ["a", "b", "nobody"], 0, 8)
    # The first interval has none before it; b lacks 3, and so does not know what 4 used either.
    assert [each.meters for each in found] == [0, 2, 2, 1, 1, 2, 1, 1]
    assert [each.power for each in found] == [0, 80, 80, 40, 40, 80, 40, 40]


def test_longer_periods_hold_the_mean(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        put(store, "a", range(13), 100)
        (hour, *_), count = (found := load_of(store, ["a"], 4, 12, 4 * QUARTER)), len(found)
    assert count == 2
    assert (hour.power, hour.meters) == (40.0, 1)
