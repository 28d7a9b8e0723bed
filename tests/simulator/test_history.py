"""What a meter has recorded before it was made is what it would have recorded, had it been running."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from cosemic.server import Situation
from cosemic.server.state import StateFile
from cosemic.simulator import MeterPlan, SimulatedMeter
from cosemic.simulator.customers import CUSTOMERS
from tests.simulator.support import BERLIN, entries, standing, value

pytestmark = pytest.mark.slow

PROFILES = ("1-0:99.1.0", "1-0:99.2.0", "0-0:98.1.0")
LOGS = ("0-0:99.98.0*255", "0-0:96.11.0*255")
COUNTED = {(1, "0-0:0.1.1*255", 2), (7, "0-0:98.1.0*255", 7)}
"""How many billing periods there are: those of its life, or those that it is told to remember."""


def shown(meter: SimulatedMeter, *, logs: bool = False) -> dict[tuple[int, str, int], Any]:
    """Every attribute but the event log and what is the client's."""
    at = meter.advance()
    return {
        (served.class_id, str(served.instance_id), index): served.read(index, None, Situation(at)).value()
        for served in meter._objects.values()
        if served.class_id != 15 and (logs or str(served.instance_id) not in LOGS)
        for index in served.readable
    }


@pytest.mark.parametrize("customer", sorted(CUSTOMERS))
@pytest.mark.parametrize(
    ("born", "read"),
    [
        ((2026, 11, 19, 13, 0), (2026, 11, 20, 9, 7)),
        ((2026, 2, 27, 0, 30), (2026, 3, 1, 0, 59)),
        ((2026, 3, 28, 12, 0), (2026, 3, 29, 15, 1)),
        ((2026, 10, 24, 12, 0), (2026, 10, 26, 2, 30)),
        ((2025, 12, 24, 12, 0), (2026, 1, 2, 7, 0)),
        ((2025, 1, 1, 3, 0), (2025, 1, 3, 3, 0)),
    ],
    ids=["day", "month", "spring", "autumn", "christmas", "first day"],
)
def test_life_and_history_are_the_same(customer: str, born: tuple[int, ...], read: tuple[int, ...]) -> None:
    plan = MeterPlan(serial=7, customer=customer, zone=BERLIN, profile_days=2, billing_periods=2)
    moment = dt.datetime(*read, tzinfo=BERLIN)  # type: ignore[misc,arg-type]  # as many fields as it takes
    time = standing(dt.datetime(*born, tzinfo=BERLIN))  # type: ignore[misc,arg-type]  # the same
    lived = SimulatedMeter(plan, now=time)
    time.step(seconds=(moment - time()).total_seconds())
    before, after = shown(lived), shown(SimulatedMeter(plan, now=time))
    assert before.keys() == after.keys()
    for key, one in before.items():
        if key in COUNTED:
            continue
        other = after[key]
        if key[0] == 7 and key[2] == 2:
            count = min(len(one), len(other))
            assert count or not one or not other
            one, other = one[-count:] if count else [], other[-count:] if count else []
        assert one == other, key


def test_a_meter_remembers_as_much_as_it_is_told_to() -> None:
    now = standing(dt.datetime(2026, 6, 17, 13, 0, tzinfo=BERLIN))
    meter = SimulatedMeter(MeterPlan(serial=7, zone=BERLIN, profile_days=10, billing_periods=12), now=now)
    assert [value(meter, 7, name, 7) for name in PROFILES] == [960, 40, 12]
    months = [stamp.astimezone(BERLIN).date() for stamp, _ in entries(meter, "0-0:98.1.0")]
    assert months[0] == dt.date(2025, 7, 1)
    assert months[-1] == dt.date(2026, 6, 1)


def test_before_it_began_to_count_there_is_nothing_to_remember() -> None:
    for now in (dt.datetime(2025, 1, 1, tzinfo=BERLIN), dt.datetime(2025, 1, 1, 2, tzinfo=BERLIN)):
        meter = SimulatedMeter(MeterPlan(serial=7, zone=BERLIN), now=standing(now))
        assert value(meter, 7, "1-0:99.1.0", 7) == 4 * now.hour
        assert [value(meter, 7, name, 7) for name in PROFILES[1:]] == [0, 0]
        assert value(meter, 1, "0-0:0.1.0") == 0


def test_a_past_that_was_lived_step_by_step_is_the_same() -> None:
    time = standing(dt.datetime(2026, 5, 3, 13, 0, tzinfo=BERLIN))
    plan = MeterPlan(serial=7, zone=BERLIN, profile_days=2, billing_periods=1)
    lived, told = (SimulatedMeter(plan, now=time, lived=dt.timedelta(days=days)) for days in (3, 0))
    for name in ("1-0:99.1.0", "1-0:99.2.0"):
        assert value(lived, 7, name) == value(told, 7, name)
    for class_id, name in ((3, "1-0:1.8.1"), (3, "1-0:2.8.0"), (4, "1-0:1.6.0")):
        assert value(lived, class_id, name) == value(told, class_id, name)


def test_a_meter_that_runs_before_it_counts_stands_still() -> None:
    now = standing(dt.datetime(2024, 5, 1, 13, tzinfo=BERLIN))
    meter = SimulatedMeter(MeterPlan(serial=7, zone=BERLIN), now=now)
    rows = entries(meter, "1-0:99.1.0")
    assert len(rows) == 52
    assert {row[1] for _, row in rows} == {value(meter, 3, "1-0:1.8.0")}
    assert value(meter, 3, "1-0:1.7.0") == 0


@pytest.mark.parametrize("security", ["none", "hls-gmac"])
@pytest.mark.parametrize("hours", [0, 1, 30])
def test_a_meter_that_is_made_anew_from_its_state_shows_the_same(security: str, hours: int) -> None:
    time = standing(dt.datetime(2026, 10, 23, 13, 5, tzinfo=BERLIN))
    plan = MeterPlan(serial=7, customer="solar", security=security, zone=BERLIN, profile_days=2, billing_periods=1)
    with StateFile(":memory:") as file:
        first = SimulatedMeter(plan, now=time, state=file.of("meter"))
        told = SimulatedMeter(plan, now=time)
        for meter in (first, told):
            meter.happened("power-down")
        time.step(minutes=20)
        for meter in (first, told):
            meter.happened("power-up")
            meter.breaker.local_disconnect(meter.advance())
            meter.commit()
        time.step(hours=hours)
        first.advance()
        first.commit()
        again = SimulatedMeter(plan, now=time, state=file.of("meter"))
        assert shown(again, logs=True) == shown(first, logs=True) == shown(told, logs=True)
        time.step(days=3)
        assert shown(again, logs=True) == shown(told, logs=True)
