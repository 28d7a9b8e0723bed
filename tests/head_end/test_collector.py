"""The collector against simulated meters on TCP: only what is missing is read, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cosemic.client import Meter
from cosemic.codec import EncodedData
from cosemic.errors import ConnectionLost, CosemicError, DecodeError, TransportError
from cosemic.head_end import Collector, Interval, MeterPoint, Outcome, Progress, Stage, Store, collector
from cosemic.security import MemoryCounterStore
from cosemic.simulator import Endpoint, Fleet
from cosemic.values import Obis
from tests.head_end.samples import ENERGY, PROFILE, QUARTER

NOW = dt.datetime(2026, 11, 20, 12, 5, tzinfo=dt.UTC)
UNTIL = NOW.replace(minute=0)
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "FIRST_PAUSE", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "readings.sqlite") as made:
        yield made


class Clock:
    """The time that meters believe in."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now


def point(endpoint: Endpoint, counters: MemoryCounterStore, **more: Any) -> MeterPoint:
    security = dict(endpoint.security) | {"counters": counters}
    return MeterPoint(**{"name": str(endpoint.serial), "url": endpoint.url, "security": security} | more)


@asynccontextmanager
async def fleet_of(count: int, clock: Clock | None = None, **more: Any) -> AsyncIterator[list[MeterPoint]]:
    counters = MemoryCounterStore()
    async with Fleet.of(count, 7, now=clock or Clock(), profile_days=4) as fleet:
        yield [point(endpoint, counters, **{"profiles": (PROFILE,)} | more) for endpoint in fleet.endpoints]


def collect(store: Store, count: int, **more: Any) -> list[Outcome]:
    async def run() -> list[Outcome]:
        async with fleet_of(count) as points:
            return await Collector(store, **more).collect(points, UNTIL - DAY, UNTIL)

    return asyncio.run(run())


def expected_readings(count: int, since: dt.datetime, until: dt.datetime) -> dict[str, list[int]]:
    """What the load curves of the fleet say, without any protocol between."""
    numbers = range(1, (until - since) // QUARTER + 1)
    return {
        str(meter.serial): [meter.curve.energy((since + n * QUARTER).timestamp()).imported for n in numbers]
        for meter in Fleet.of(count, 7).meters
    }


def stored_readings(store: Store, since: dt.datetime, until: dt.datetime) -> dict[str, list[int]]:
    return {
        record.name: [one.value.raw for one in store.readings(record.name, PROFILE, ENERGY, since, until)]
        for record in store.meters()
    }


def test_a_first_run_collects_everything_of_every_kind_of_meter(store: Store) -> None:
    outcomes = collect(store, 3)
    assert [(each.error, each.rows, each.gaps, each.attempts) for each in outcomes] == [(None, 96, 1, 1)] * 3
    assert [each.device_name for each in outcomes] == [f"CSM000000100000{n}" for n in (1, 2, 3)]
    assert all(each.registers[ENERGY].unit.symbol == "Wh" for each in outcomes)
    assert stored_readings(store, UNTIL - DAY, UNTIL) == expected_readings(3, UNTIL - DAY, UNTIL)
    for record, outcome in zip(store.meters(), outcomes, strict=True):
        assert store.coverage(record.name, PROFILE) == [Interval(UNTIL - DAY, UNTIL)]
        assert store.registers(record.name) == outcome.registers
        assert record.objects == outcome.objects


def test_a_second_run_reads_only_the_intervals_that_have_come_since(store: Store) -> None:
    clock = Clock()

    async def run() -> list[list[Outcome]]:
        runs = []
        async with fleet_of(3, clock) as points:
            for until in (UNTIL, UNTIL, UNTIL + 2 * QUARTER):
                clock.now = until + dt.timedelta(minutes=5)
                runs.append(await Collector(store).collect(points, until - DAY, until))
        return runs

    first, same, later = asyncio.run(run())
    assert [each.rows for each in first] == [96, 96, 96]
    assert [(each.rows, each.gaps) for each in same] == [(0, 0)] * 3
    assert all(idle.round_trips < busy.round_trips for idle, busy in zip(same, first, strict=True))
    assert [(each.rows, each.gaps) for each in later] == [(2, 1)] * 3
    assert all(few.octets < many.octets - 94 * 20 for few, many in zip(later, first, strict=True))
    whole = (UNTIL - DAY, UNTIL + 2 * QUARTER)
    assert stored_readings(store, *whole) == expected_readings(3, *whole)
    assert store.count_readings() == 3 * 98 * 3


def test_a_hole_in_the_middle_is_all_that_is_read_again(store: Store) -> None:
    hole = Interval(UNTIL - DAY / 2, UNTIL - DAY / 4)

    async def run() -> list[Outcome]:
        async with fleet_of(1) as points:
            reader = Collector(store)
            await reader.collect(points, UNTIL - DAY, hole.since)
            await reader.collect(points, hole.until, UNTIL)
            return await reader.collect(points, UNTIL - DAY, UNTIL)

    (outcome,) = asyncio.run(run())
    assert (outcome.gaps, outcome.rows) == (1, 24)
    assert stored_readings(store, UNTIL - DAY, UNTIL) == expected_readings(1, UNTIL - DAY, UNTIL)


def test_what_the_meter_has_not_written_yet_is_not_taken_for_done(store: Store) -> None:
    async def run() -> list[Outcome]:
        clock = Clock()
        clock.now = UNTIL - dt.timedelta(minutes=20)  # this meter is late
        async with fleet_of(1, clock) as points:
            outcomes = await Collector(store).collect(points, UNTIL - DAY, UNTIL)
            clock.now = NOW
            return outcomes + await Collector(store).collect(points, UNTIL - DAY, UNTIL)

    first, second = asyncio.run(run())
    assert (first.rows, second.rows) == (94, 2)
    assert stored_readings(store, UNTIL - DAY, UNTIL) == expected_readings(1, UNTIL - DAY, UNTIL)


def test_a_meter_that_fails_is_reported_and_the_others_go_on(store: Store) -> None:
    async def run() -> list[Outcome]:
        async with fleet_of(3) as points:
            wrong = MeterPoint(name="wrong", url=points[1].url, security={"password": "00000000", "client_sap": 2})
            nobody = MeterPoint(name="nobody", url="tcp://127.0.0.1:1")
            return await Collector(store, concurrency=2).collect([nobody, wrong, *points], UNTIL - DAY, UNTIL)

    nobody, wrong, *others = asyncio.run(run())
    assert isinstance(nobody.error, TransportError)
    assert nobody.attempts == 3
    assert wrong.error is not None
    assert (wrong.attempts, wrong.rows) == (1, 0)  # a password does not become right
    assert [(each.error, each.rows) for each in others] == [(None, 96)] * 3
    assert [record.name for record in store.meters()] == [each.meter for each in others]


@pytest.mark.parametrize(
    ("class_id", "name", "attribute", "octets", "rows"),
    [
        (7, "1-0:99.1.0", "sort_method", "090141", None),
        (7, "1-0:99.1.0", "capture_period", "00", None),
        (7, "1-0:99.1.0", "capture_objects", "00", None),
        (3, "1-0:1.8.0", "scaler_unit", "1105", 96),
        (3, "1-0:1.8.0", "scaler_unit", "00", 96),
    ],
)
def test_a_meter_that_gives_values_of_other_types_is_alone_with_it(
    store: Store, class_id: int, name: str, attribute: str, octets: str, rows: int | None
) -> None:
    async def run() -> list[Outcome]:
        fleet = Fleet.of(2, 7, kinds=("none",), now=Clock(), profile_days=2)
        spoilt = fleet.meters[0].object(class_id, name)
        assert spoilt is not None
        spoilt.put(attribute, EncodedData(bytes.fromhex(octets)))
        async with fleet:
            points = [point(endpoint, MemoryCounterStore(), profiles=(PROFILE,)) for endpoint in fleet.endpoints]
            return await Collector(store).collect(points, UNTIL - DAY, UNTIL)

    spoilt, sound = asyncio.run(run())
    assert (sound.error, sound.rows) == (None, 96)
    if rows is None:
        assert isinstance(spoilt.error, DecodeError)
        assert spoilt.attempts == 1
    else:
        assert (spoilt.error, spoilt.rows) == (None, rows)
        assert isinstance(spoilt.registers[ENERGY], int)


def test_a_fault_of_our_own_that_a_meter_brings_out_leaves_the_others_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_profile = Meter.load_profile
    visited: list[Meter] = []

    async def faulty(meter: Meter, *arguments: Any) -> Any:
        visited.append(meter)
        if meter is visited[0]:
            raise ZeroDivisionError("oops")
        return await load_profile(meter, *arguments)

    monkeypatch.setattr(Meter, "load_profile", faulty)
    outcomes = collect(store, 3, concurrency=1)
    assert [each.rows for each in outcomes] == [0, 96, 96]
    assert isinstance(outcomes[0].error, CosemicError)
    assert "ZeroDivisionError: oops" in str(outcomes[0].error)
    assert outcomes[0].attempts == 1
    assert isinstance(outcomes[0].error.__cause__, ZeroDivisionError)


def test_what_is_missing_and_remarked_is_counted_once_however_many_attempts_it_takes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_profile = Meter.load_profile
    asked: list[Obis] = []

    async def broken_twice(meter: Meter, profile: Obis, *window: Any) -> Any:
        asked.append(profile)
        if asked.count(PROFILE) in (1, 2) and profile == PROFILE:
            raise ConnectionLost("the line broke")
        return await load_profile(meter, profile, *window)

    monkeypatch.setattr(Meter, "load_profile", broken_twice)

    async def run() -> list[Outcome]:
        async with fleet_of(1, profiles=(Obis("1-0:99.9.0"), PROFILE)) as points:
            return await Collector(store).collect(points, UNTIL - DAY, UNTIL)

    (outcome,) = asyncio.run(run())
    assert (outcome.error, outcome.attempts, outcome.rows) == (None, 3, 96)
    assert outcome.gaps == 2
    assert len(outcome.remarks) == 1


def test_a_connection_that_breaks_is_made_anew_and_nothing_is_read_twice(store: Store) -> None:
    async def run() -> Outcome:
        async with fleet_of(1) as points, breaking(points[0].url, (300, 1500)) as url:
            broken = MeterPoint(name="m", url=url, security=points[0].security, profiles=(PROFILE,))
            (outcome,) = await Collector(store).collect([broken], UNTIL - DAY, UNTIL)
            return outcome

    outcome = asyncio.run(run())
    assert (outcome.error, outcome.attempts, outcome.rows) == (None, 3, 96)
    assert store.count_rows() == 96


@asynccontextmanager
async def breaking(url: str, limits: Sequence[int]) -> AsyncIterator[str]:
    """A line to a meter that breaks after so many octets of answers, once for each limit."""
    port, query = int(url.split(":")[2].split("?")[0]), url.split("?")[1]
    left = list(limits)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: float) -> None:
        carried = 0
        while carried < limit and (octets := await reader.read(4096)):
            carried += len(octets)
            if carried < limit:
                writer.write(octets)
        writer.transport.abort()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        limit = left.pop(0) if left else float("inf")
        theirs, ours = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, ours, float("inf")), carry(theirs, writer, limit), return_exceptions=True)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}?{query}"
    finally:
        server.close()


def test_another_meter_at_the_same_address_is_not_mixed_in(store: Store) -> None:
    async def run() -> list[Outcome]:
        async with fleet_of(2, name="kitchen") as (one, other):
            return [
                *await Collector(store).collect([one], UNTIL - DAY, UNTIL - DAY / 2),
                *await Collector(store).collect([other], UNTIL - DAY, UNTIL),
            ]

    first, second = asyncio.run(run())
    assert first.done
    assert isinstance(second.error, CosemicError)
    assert "CSM0000001000002 answers where CSM0000001000001 answered before" in str(second.error)
    assert store.count_rows() == 48


def test_all_load_profiles_are_collected_where_none_is_named(store: Store) -> None:
    async def run() -> list[Outcome]:
        async with fleet_of(1, profiles=None) as points:
            return await Collector(store).collect(points, UNTIL - 3 * DAY, UNTIL)

    (outcome,) = asyncio.run(run())
    daily = Obis("1-0:99.2.0")
    midnight = UNTIL.replace(hour=23) - DAY  # local midnight is 23:00 UTC
    assert outcome.rows == 3 * 96 + 2  # a day belongs to where its middle is
    assert store.coverage(outcome.meter, daily) == [Interval(UNTIL - 3 * DAY, midnight)]


def test_a_profile_that_is_not_there_is_a_remark_and_no_failure(store: Store) -> None:
    async def run() -> list[Outcome]:
        async with fleet_of(1, profiles=(Obis("1-0:99.9.0"), PROFILE)) as points:
            return await Collector(store).collect(points, UNTIL - DAY, UNTIL)

    (outcome,) = asyncio.run(run())
    assert outcome.done
    assert outcome.rows == 96
    assert "1-0:99.9.0" in outcome.remarks[0]


def test_a_gap_of_months_is_committed_in_portions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "LONGEST_READ", dt.timedelta(hours=5))
    steps: list[Progress] = []
    (outcome,) = collect(store, 1, report=steps.append)
    assert (outcome.gaps, outcome.rows) == (1, 96)
    assert [step.rows for step in steps if step.rows] == [20, 20, 20, 20, 16]
    assert stored_readings(store, UNTIL - DAY, UNTIL) == expected_readings(1, UNTIL - DAY, UNTIL)


def test_every_visit_tells_how_far_it_is(store: Store) -> None:
    steps: list[Progress] = []
    collect(store, 2, concurrency=1, report=steps.append)
    stages = [Stage.CONNECTING, Stage.OBJECTS, Stage.REGISTERS, Stage.PROFILE, Stage.PROFILE, Stage.DONE]
    assert [(step.meter, step.stage) for step in steps] == [(m, s) for m in ("1000001", "1000002") for s in stages]


def test_the_store_failing_ends_the_run(store: Store) -> None:
    store.close()
    with pytest.raises(CosemicError, match="closed"):
        collect(store, 4)


def test_an_authentication_that_fails_is_not_tried_again(store: Store) -> None:
    async def run() -> list[Outcome]:
        async with Fleet.of(1, 7, kinds=("hls-gmac",), now=Clock()) as fleet:
            endpoint = fleet.endpoints[0]
            forged = dict(endpoint.security) | {"authentication_key": bytes(16), "counters": MemoryCounterStore()}
            return await Collector(store).collect(
                [MeterPoint(name="m", url=endpoint.url, security=forged)], UNTIL - DAY, UNTIL
            )

    (outcome,) = asyncio.run(run())
    assert outcome.attempts == 1
    assert outcome.error is not None
    assert not isinstance(outcome.error, TransportError)
