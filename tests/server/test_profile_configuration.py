"""Attributes of a profile that clients write: what they take, what follows, and that a refusal changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest

from cosemic.codec import DataType, EncodedData
from cosemic.model import CaptureObjectDefinition, ProfileGeneric, SortMethod
from cosemic.server import AccessRefused, ProfileObject, data
from cosemic.server.profile_configuration import NO_OBJECT
from cosemic.server.state import StateFile
from cosemic.values import DataAccessResult, Obis
from tests.server.profile_support import COLUMNS, ENERGY, PROFILE, STAMP, START, STATUS, TYPES, Bench, row, states

ALL = ("capture_objects", "capture_period", "sort_method", "sort_object", "profile_entries")
R = DataAccessResult


def write(bench: Bench, name: str, value: Any) -> DataAccessResult:
    attribute = ProfileGeneric.attribute_named(name)
    encoded = value if isinstance(value, EncodedData) else EncodedData.from_typed(attribute.type.encode(value))
    return bench.view.set(7, PROFILE, attribute.index, encoded)


def configured(bench: Bench) -> list[Any]:
    return [bench.get(index) for index in (3, 4, 5, 6, 8)]


def bench_with(state: StateFile | None = None, **options: Any) -> Bench:
    bench = Bench(state=state)
    bench.device.advance()
    bench.profile(entries=50, **{"capture_period": 900, "writable": ALL, "most_entries": 80, **options})
    bench.pass_(minutes=31)
    assert bench.get(7) == 2
    return bench


CHANGES: list[tuple[str, Any]] = [
    ("capture_objects", (STAMP, ENERGY)),
    ("capture_objects", ()),
    ("capture_objects", (ENERGY, ENERGY)),
    ("capture_objects", (CaptureObjectDefinition(3, ENERGY.logical_name, 3, 2),)),
    ("capture_objects", (CaptureObjectDefinition(3, ENERGY.logical_name, 0, 0),)),
    ("capture_period", 300),
    ("capture_period", 0),
    ("sort_method", SortMethod.LIFO),
    ("sort_object", STAMP),
    ("profile_entries", 1),
    ("profile_entries", 80),
]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_a_change_of_what_the_buffer_holds_resets_it(name: str, value: Any, stored: bool) -> None:
    bench = bench_with(states(stored))
    told: list[str] = []
    bench.device.listeners.append(lambda happening: told.append(happening.name))
    assert write(bench, name, value) is R.SUCCESS
    assert (bench.get(2), bench.get(7)) == ([], 0)
    attribute = ProfileGeneric.attribute_named(name)
    assert bench.view.get(7, PROFILE, attribute.index) == EncodedData.from_typed(attribute.type.encode(value))
    assert told.count("profile-cleared") == 1


@pytest.mark.parametrize("name", ALL)
def test_writing_what_is_there_changes_nothing(name: str) -> None:
    bench = bench_with()
    attribute = ProfileGeneric.attribute_named(name)
    assert write(bench, name, bench.view.get(7, PROFILE, attribute.index)) is R.SUCCESS
    assert bench.get(7) == 2


BUFFER = CaptureObjectDefinition(7, Obis("1-0:99.2.0"), 2, 0)
REFUSED: list[tuple[str, Any, DataAccessResult]] = [
    ("capture_objects", (STAMP, CaptureObjectDefinition(3, Obis("1-0:9.9.9"), 2, 0)), R.OTHER_REASON),
    ("capture_objects", (CaptureObjectDefinition(1, ENERGY.logical_name, 2, 0),), R.OTHER_REASON),
    ("capture_objects", (CaptureObjectDefinition(3, ENERGY.logical_name, 4, 0),), R.OTHER_REASON),
    ("capture_objects", (CaptureObjectDefinition(3, ENERGY.logical_name, -1, 0),), R.OTHER_REASON),
    ("capture_objects", (CaptureObjectDefinition(3, ENERGY.logical_name, 2, 1),), R.OTHER_REASON),
    ("capture_objects", (CaptureObjectDefinition(3, ENERGY.logical_name, 3, 3),), R.OTHER_REASON),
    ("capture_objects", (CaptureObjectDefinition(3, ENERGY.logical_name, 3, 0x1001),), R.OTHER_REASON),
    ("capture_objects", (CaptureObjectDefinition(3, ENERGY.logical_name, 0, 1),), R.OTHER_REASON),
    ("capture_objects", (BUFFER,), R.OTHER_REASON),
    ("capture_objects", (STAMP,) * 256, R.OTHER_REASON),
    ("capture_objects", EncodedData.of(DataType.ARRAY, [(DataType.UNSIGNED, 1)]), R.TYPE_UNMATCHED),
    ("capture_period", EncodedData.of(DataType.UNSIGNED, 60), R.TYPE_UNMATCHED),
    ("sort_method", SortMethod.LARGEST, R.OTHER_REASON),
    ("sort_method", EncodedData.of(DataType.UNSIGNED, 2), R.TYPE_UNMATCHED),
    ("sort_object", CaptureObjectDefinition(3, Obis("1-0:2.8.0"), 2, 0), R.OTHER_REASON),
    ("sort_object", CaptureObjectDefinition(3, ENERGY.logical_name, 3, 0), R.OTHER_REASON),
    ("profile_entries", EncodedData.of(DataType.LONG_UNSIGNED, 5), R.TYPE_UNMATCHED),
]


@pytest.mark.parametrize(("name", "value", "result"), REFUSED)
def test_what_a_profile_cannot_take_is_refused_and_nothing_changed(
    name: str, value: Any, result: DataAccessResult
) -> None:
    bench = bench_with()
    before = configured(bench), bench.get(2)
    assert write(bench, name, value) is result
    assert (configured(bench), bench.get(2)) == before
    bench.pass_(minutes=15)
    assert bench.get(7) == 3


def test_an_element_of_what_cannot_be_read_is_refused() -> None:
    bench = bench_with()

    def refuse(now: dt.datetime) -> Any:
        raise AccessRefused(R.TEMPORARY_FAILURE)

    bench.energy.put("value", refuse)
    assert write(bench, "capture_objects", (CaptureObjectDefinition(3, ENERGY.logical_name, 2, 1),)) is R.OTHER_REASON
    # What can be captured later is a column all the same.
    assert write(bench, "capture_objects", (ENERGY,)) is R.SUCCESS


@pytest.mark.parametrize("name", ["sort_method", "profile_entries"])
def test_values_that_the_standard_does_not_know_are_refused(name: str) -> None:
    bench = bench_with()
    unknown = {"sort_method": (DataType.ENUM, 7), "profile_entries": (DataType.DOUBLE_LONG_UNSIGNED, 0)}[name]
    assert write(bench, name, EncodedData.of(*unknown)) in (R.TYPE_UNMATCHED, R.OTHER_REASON)
    assert bench.get(7) == 2


def test_more_entries_than_there_is_room_for_become_that_room() -> None:
    bench = bench_with()
    assert write(bench, "profile_entries", 0xFFFFFFFF) is R.SUCCESS
    assert bench.get(8) == 80
    assert write(bench, "profile_entries", 5000) is R.SUCCESS
    bench.pass_(days=2)
    assert bench.get(7) == 80


def test_without_room_of_its_own_the_configured_entries_are_the_most() -> None:
    bench = bench_with(most_entries=None)
    assert write(bench, "profile_entries", 51) is R.SUCCESS
    assert bench.get(8) == 50
    assert bench.get(7) == 2


def test_what_is_not_configured_to_be_written_is_not() -> None:
    bench = bench_with(writable=("capture_period",))
    assert write(bench, "profile_entries", 5) is R.READ_WRITE_DENIED
    assert bench.get(7) == 2
    assert write(bench, "capture_period", 60) is R.SUCCESS


@pytest.mark.parametrize("computed", [False, True])
def test_a_new_period_is_captured_from_then_on(computed: bool) -> None:
    options: dict[str, Any] = {"writable": ("capture_period",)}
    if computed:

        def made(capture: Any) -> Sequence[Any]:
            return row(capture.shown)[0], 0, int((capture.at - START).total_seconds()) // 60

        options |= {"row": made, "types": TYPES, "since": START}
    bench = bench_with(**options)
    bench.pass_(minutes=2)
    assert write(bench, "capture_period", 600) is R.SUCCESS
    bench.pass_(minutes=20)
    minutes = [one[2] // (1 if computed else 60) for one in bench.get()]
    assert minutes == [40, 50]
    assert write(bench, "capture_period", 0) is R.SUCCESS
    bench.pass_(hours=2)
    assert bench.get(7) == 0


def test_a_period_can_be_given_to_a_profile_that_had_none() -> None:
    bench = Bench()
    bench.device.advance()
    bench.profile(capture_period=0, writable=("capture_period",))
    bench.pass_(hours=2)
    bench.set_clock(hours=1)
    assert bench.get(7) == 0
    assert write(bench, "capture_period", 900) is R.SUCCESS
    bench.pass_(minutes=31)
    assert [minute for _, minute in bench.captured()] == [135, 150]


def test_new_columns_are_captured_from_then_on() -> None:
    bench = bench_with()
    bench.device.add(data("0-0:96.20.0", DataType.OCTET_STRING, b"here"))
    added = CaptureObjectDefinition(1, Obis("0-0:96.20.0"), 2, 0)
    assert write(bench, "capture_objects", (ENERGY, added)) is R.SUCCESS
    bench.pass_(minutes=15)
    assert bench.get(2) == [(45 * 60, b"here")]


def test_a_profile_becomes_a_sorted_one_by_its_sort_object_and_then_its_method() -> None:
    bench = bench_with()
    assert write(bench, "sort_object", ENERGY) is R.SUCCESS
    assert write(bench, "sort_method", SortMethod.LARGEST) is R.SUCCESS
    bench.pass_(minutes=30)
    assert [minute for _, minute in bench.captured()] == [60, 45]
    # Its sort_object can neither be taken away from it nor from its columns.
    assert write(bench, "sort_object", NO_OBJECT) is R.OTHER_REASON
    assert write(bench, "capture_objects", (STAMP, STATUS)) is R.OTHER_REASON
    assert bench.get(7) == 2
    assert write(bench, "sort_method", SortMethod.FIFO) is R.SUCCESS
    assert write(bench, "sort_object", NO_OBJECT) is R.SUCCESS
    assert write(bench, "capture_objects", (STAMP, STATUS)) is R.SUCCESS


# ---- after the process has ended -------------------------------------------------------------------------------------


def reopened(bench: Bench, file: StateFile, **options: Any) -> Bench:
    again = Bench(bench.now, state=file)
    again.profile(entries=50, **{"capture_period": 900, "writable": ALL, "most_entries": 80, **options})
    return again


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_what_was_written_outlives_the_process_and_rows_with_it(name: str, value: Any) -> None:
    file = StateFile(":memory:")
    bench = bench_with(file)
    assert write(bench, name, value) is R.SUCCESS
    bench.pass_(minutes=31)
    before = configured(bench), bench.get(2)
    again = reopened(bench, file)
    assert (configured(again), again.get(2)) == before
    again.pass_(hours=1)
    served = again.device.object(7, PROFILE)
    assert isinstance(served, ProfileObject)
    captures = 0 if value in ((), 0) else 60 // (5 if value == 300 else 15)
    assert again.get(7) == min(len(before[1]) + captures, 1 if value == 1 else 80)


def test_rows_of_another_configuration_are_dropped_when_a_device_starts() -> None:
    file = StateFile(":memory:")
    bench = bench_with(file, writable=())
    assert reopened(bench, file, writable=()).get(7) == 2
    changed = Bench(bench.now, state=file)
    changed.profile(COLUMNS[:2], 50, capture_period=900)
    # The file says so before anything is asked of that device.
    assert not file.changing
    assert file.fetch("SELECT * FROM profile_rows") == []
    assert (changed.get(7), changed.get(2)) == (0, [])
    assert reopened(bench, file, writable=()).get(7) == 0


def test_what_is_no_longer_to_be_written_is_as_configured_again() -> None:
    file = StateFile(":memory:")
    bench = bench_with(file)
    assert write(bench, "capture_period", 60) is R.SUCCESS
    again = reopened(bench, file, writable=("profile_entries",))
    assert again.get(4) == 900


def test_what_was_written_and_does_not_fit_other_columns_is_dropped() -> None:
    file = StateFile(":memory:")
    sorted_by = {"sort_method": SortMethod.LARGEST, "sort_object": STAMP, "writable": ("sort_object",)}
    bench = bench_with(file, **sorted_by)
    assert write(bench, "sort_object", ENERGY) is R.SUCCESS
    bench.pass_(minutes=15)
    assert bench.get(7) == 1
    again = Bench(bench.now, state=file)
    profile = again.profile(COLUMNS[:2], 50, **sorted_by)
    assert (again.get(6)[1], again.get(7)) == (STAMP.logical_name.octets, 0)
    profile.capture(again.now)
    assert again.get(7) == 1


def test_without_anything_kept_a_profile_is_as_configured() -> None:
    bench = Bench(state=StateFile(":memory:"))
    bench.profile(capture_period=900)
    assert configured(bench)[1:] == [900, 1, (0, bytes(6), 0, 0), 1000]
