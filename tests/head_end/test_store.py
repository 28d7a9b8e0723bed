"""The store of the head-end: coverage is the truth, at least once, written once."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.head_end import Interval, Store, StoreError
from cosemic.model import Mark, Row
from cosemic.values import Obis, Quantity, Unit
from tests.head_end.samples import COLUMNS, ENERGY, PROFILE, QUARTER, START, STATUS, quarter, rows

DAY = Interval(START, START + dt.timedelta(days=1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "readings.sqlite") as made:
        yield made


def commit(store: Store, first: int, last: int, meter: str = "m") -> int:
    return put(store, rows(range(first, last)), Interval(quarter(first), quarter(last)), meter)


def put(store: Store, found: list[Row], covered: Interval, meter: str = "m", profile: Obis = PROFILE) -> int:
    return store.commit(meter, profile=profile, columns=COLUMNS[1:], rows=found, covered=covered)


class FullDisk(sqlite3.Connection):
    """A connection to the store, on a disk that is full when a transaction ends."""

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        if statement[0] != "COMMIT":
            return super().execute(*statement)
        super().execute("ROLLBACK")  # as SQLite does by itself
        raise sqlite3.OperationalError("database or disk is full")


@contextmanager
def disk_full(store: Store) -> Iterator[None]:
    usual = store._database
    store._database = sqlite3.connect(store.path, isolation_level=None, factory=FullDisk)
    try:
        yield
    finally:
        store._database.close()
        store._database = usual


def test_everything_is_missing_of_a_meter_that_nobody_has_read(store: Store) -> None:
    assert store.missing("m", PROFILE, *DAY) == [DAY]
    assert store.meters() == []


def test_what_was_committed_is_missing_no_more(store: Store) -> None:
    assert commit(store, 10, 20) == 10
    assert store.missing("m", PROFILE, *DAY) == [Interval(START, quarter(10)), Interval(quarter(20), DAY.until)]
    assert store.missing("m", PROFILE, quarter(10), quarter(20)) == []
    assert store.missing("m", PROFILE, quarter(12), quarter(25)) == [Interval(quarter(20), quarter(25))]
    assert store.missing("m", Obis("1-0:99.2.0"), *DAY) == [DAY]
    assert store.missing("another", PROFILE, *DAY) == [DAY]


def test_a_repeat_changes_nothing(store: Store) -> None:
    commit(store, 0, 10)
    before = store.readings("m", PROFILE, ENERGY, *DAY)
    assert put(store, rows(range(5, 15), factor=7), Interval(quarter(5), quarter(15))) == 5
    assert store.readings("m", PROFILE, ENERGY, *DAY)[:10] == before
    assert (store.count_rows("m"), store.count_rows(), store.count_readings("m")) == (15, 15, 2 * 15)
    assert store.coverage("m", PROFILE) == [Interval(START, quarter(15))]


def test_a_reading_comes_back_as_it_was_sent(store: Store) -> None:
    commit(store, 0, 1)
    (reading,) = store.readings("m", PROFILE, ENERGY, *DAY)
    assert (reading.interval_start, reading.interval_end) == (START, quarter(1))
    assert (reading.value.raw, reading.value.scaler, reading.value.unit) == (1_000_000, -1, Unit(30))
    assert reading.status == 0
    assert [one.value for one in store.readings("m", PROFILE, STATUS, *DAY)] == [0]


def test_a_number_beyond_64_bits_of_sqlite_comes_back_exact(store: Store) -> None:
    great = Quantity((1 << 64) - 1, 0, Unit(30))
    store.commit("m", registers={ENERGY: great})
    assert store.registers("m")[ENERGY].raw == (1 << 64) - 1


def test_rows_with_one_interval_are_both_kept_and_marked(store: Store) -> None:
    twice = rows([0, 1, 1, 2])
    assert put(store, twice, Interval(START, quarter(3))) == 4
    put(store, twice, Interval(START, quarter(3)))
    found = store.readings("m", PROFILE, ENERGY, *DAY)
    assert [one.interval_start for one in found] == [START, quarter(1), quarter(1), quarter(2)]
    assert [bool(one.marks & Mark.REPEATED) for one in found] == [False, True, True, False]


def test_two_profiles_of_one_register_do_not_meet(store: Store) -> None:
    commit(store, 0, 4)
    daily = Obis("1-0:99.2.0")
    put(store, rows([0], factor=0), Interval(START, quarter(1)), profile=daily)
    assert len(store.readings("m", PROFILE, ENERGY, *DAY)) == 4
    assert len(store.readings("m", daily, ENERGY, *DAY)) == 1


def test_registers_keep_the_latest_value(store: Store) -> None:
    store.commit("m", device_name="MTR1", objects=8, registers={ENERGY: Quantity(1, 0, Unit(30))})
    now = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    store.commit("m", registers={ENERGY: Quantity(2, -1, Unit(30))}, now=now)
    assert store.registers("m") == {ENERGY: Quantity(2, -1, Unit(30))}
    record = store.meter("m")
    assert record is not None
    assert (record.device_name, record.objects, record.collected) == ("MTR1", 8, now)


def test_a_commit_that_fails_leaves_neither_readings_nor_coverage(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    with Store(path) as store:
        commit(store, 0, 2)
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON coverage BEGIN SELECT raise(ABORT, 'disk full'); END")
        with pytest.raises(StoreError, match="disk full"):
            commit(store, 2, 9, "new")
        with pytest.raises(StoreError):
            commit(store, 2, 9)
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TRIGGER full")
        assert store.meter("new") is None
        assert store.count_readings() == 4
        assert store.missing("m", PROFILE, START, quarter(9)) == [Interval(quarter(2), quarter(9))]
        assert commit(store, 2, 9, "new") == 7
        assert commit(store, 2, 9) == 7


def test_a_meter_whose_first_commit_fails_at_its_end_is_numbered_anew(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    with Store(path) as store:
        commit(store, 0, 2)
        with disk_full(store), pytest.raises(StoreError, match="full"):
            commit(store, 0, 2, "new")
        assert store.meter("new") is None
        assert commit(store, 0, 2, "new") == 2
    with Store(path) as store:
        assert [one.name for one in store.meters()] == ["m", "new"]
        assert len(store.readings("new", PROFILE, ENERGY, *DAY)) == 2
        commit(store, 0, 0, "another")
        assert store.readings("another", PROFILE, ENERGY, *DAY) == []


def test_the_file_is_found_as_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    with Store(path) as store:
        commit(store, 0, 4)
    with Store(path) as store:
        assert store.coverage("m", PROFILE) == [Interval(START, quarter(4))]
        assert commit(store, 0, 4) == 0


def test_two_processes_may_write(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    with Store(path) as one, Store(path) as other:
        commit(one, 0, 4)
        commit(other, 4, 8)
        commit(one, 8, 10)
        assert other.coverage("m", PROFILE) == [Interval(START, quarter(10))]


def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_bytes(b"this is a letter, not a database; " * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store(text)
    foreign = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as database:
        database.execute("CREATE TABLE theirs (x)")
    before = foreign.read_bytes()
    with pytest.raises(StoreError, match="no store of this version"):
        Store(foreign)
    assert foreign.read_bytes() == before
    with pytest.raises(StoreError):
        Store(tmp_path / "nowhere" / "readings.sqlite")


def test_people_find_readings_with_names_in_the_view(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    with Store(path) as store:
        commit(store, 0, 1)
    with closing(sqlite3.connect(path)) as database:
        (line,) = database.execute("SELECT * FROM load_profile WHERE object = ?", (str(ENERGY),)).fetchall()
    assert line[:8] == (
        "m", str(PROFILE), str(ENERGY), 2, "2026-11-01 00:00:00", "2026-11-01 00:15:00", 1_000_000, -1
    )  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(0, 96), st.integers(0, 96)), max_size=8),
    st.tuples(st.integers(0, 96), st.integers(0, 96)),
)
def test_missing_is_what_is_expected_minus_what_is_covered(
    covered: list[tuple[int, int]], window: tuple[int, int]
) -> None:
    with Store(":memory:") as store:
        for first, last in covered:
            store.commit("m", profile=PROFILE, covered=Interval(quarter(first), quarter(last)))
        found = store.missing("m", PROFILE, quarter(window[0]), quarter(window[1]))
        intervals = store.coverage("m", PROFILE)
    done = {number for first, last in covered for number in range(first, last)}
    quarters = [n for gap in found for n in range((gap.since - START) // QUARTER, (gap.until - START) // QUARTER)]
    assert quarters == [number for number in range(*window) if number not in done]
    assert all(before.until < after.since for before, after in pairwise(intervals))
