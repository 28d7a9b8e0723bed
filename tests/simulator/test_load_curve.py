"""The load curve: the same for the same seed, energy that is the integral of power, the shape of a household."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.simulator.load_curve import DAY, FIRST_DAY, SLOT, Energy, LoadCurve

BEGIN = FIRST_DAY * DAY
MOMENTS = st.integers(BEGIN - 2 * DAY, BEGIN + 800 * DAY)
CURVE = LoadCurve(7, zone=3600, solar=True)


def midnight(text: str) -> int:
    """Local midnight, an hour before that of UTC."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) - 3600


@given(MOMENTS, st.integers(0, 3))
def test_energy_over_a_slot_is_power_times_its_length(moment: int, slots: int) -> None:
    start = moment // SLOT * SLOT
    drawn = fed = 0
    for number in range(slots):
        power = CURVE.power(start + number * SLOT)
        drawn, fed = drawn + power[0] * SLOT // 3600, fed + power[1] * SLOT // 3600
    before, after = CURVE.energy(start), CURVE.energy(start + slots * SLOT)
    assert (after.imported - before.imported, after.export - before.export) == (drawn, fed)


@given(MOMENTS, st.integers(0, 3 * DAY))
def test_registers_never_fall(moment: int, later: int) -> None:
    before, after = CURVE.energy(moment), CURVE.energy(moment + later)
    assert before.tariff_1 <= after.tariff_1
    assert before.tariff_2 <= after.tariff_2
    assert before.export <= after.export
    assert after.imported == after.tariff_1 + after.tariff_2


@given(MOMENTS, st.lists(MOMENTS, max_size=5))
def test_the_same_seed_gives_the_same_energy_whatever_was_asked_before(moment: int, before: list[int]) -> None:
    asked, fresh = LoadCurve(3), LoadCurve(3)
    for one in before:
        asked.energy(one)
    assert asked.energy(moment) == fresh.energy(moment)


@given(st.integers(0, 50), st.integers(51, 100))
def test_other_seeds_give_other_households(one: int, other: int) -> None:
    moment = BEGIN + 300 * DAY
    assert LoadCurve(one).energy(moment) != LoadCurve(other).energy(moment)


def test_tariff_1_counts_on_working_days_from_6_to_22_only() -> None:
    friday = midnight("2026-11-20")
    hours = [
        (friday, 6, False),
        (friday + 6 * 3600, 16, True),
        (friday + 22 * 3600, 2, False),
        (friday + DAY, 48, False),
    ]
    for start, length, first in hours:
        before, after = CURVE.energy(start), CURVE.energy(start + length * 3600)
        assert (after.tariff_1 > before.tariff_1) is first
        assert (after.tariff_2 > before.tariff_2) is not first


def test_a_household_draws_most_in_the_evening_and_little_at_night() -> None:
    def drawn(day: int, first: int, last: int) -> int:
        start = midnight("2026-09-07") + day * DAY  # a Monday
        return CURVE.energy(start + last * 3600).imported - CURVE.energy(start + first * 3600).imported

    days = [day for day in range(28) if day % 7 < 5]
    night, morning, evening = (sum(drawn(day, first, first + 3) for day in days) for first in (1, 6, 18))
    assert 2 * night < morning < evening
    daily = sum(drawn(day, 0, 24) for day in range(28)) / 28
    assert 3_000 < daily < 25_000


def test_the_sun_feeds_in_by_day_more_in_summer_and_only_where_there_is_a_plant() -> None:
    def fed(curve: LoadCurve, start: int, length: int) -> int:
        return curve.energy(start + length).export - curve.energy(start).export

    june, december = midnight("2026-06-01"), midnight("2026-12-01")
    assert fed(CURVE, june, 30 * DAY) > 2 * fed(CURVE, december, 30 * DAY) > 0
    assert fed(CURVE, december, 5 * 3600) == fed(CURVE, june, 3 * 3600) == 0
    assert fed(LoadCurve(7), june, 30 * DAY) == 0
    assert LoadCurve(7).energy(june).export == 0


def test_before_its_first_day_a_meter_stands_still() -> None:
    assert CURVE.energy(0) == CURVE.energy(BEGIN - 3600)
    assert CURVE.power(0) == (0, 0)


@pytest.mark.parametrize("moment", [BEGIN + 100 * DAY + 17, BEGIN + 100 * DAY + 899])
def test_within_a_slot_energy_rises_evenly(moment: int) -> None:
    start = moment // SLOT * SLOT
    part = (moment - start) / SLOT
    before, at, after = (CURVE.energy(one) for one in (start, moment, start + SLOT))
    assert isinstance(at, Energy)
    assert abs((at.imported - before.imported) - part * (after.imported - before.imported)) <= 2
