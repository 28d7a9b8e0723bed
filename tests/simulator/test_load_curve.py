"""The load curve: the same for the same seed, energy that is the integral of power, the habits of each kind."""

from __future__ import annotations

import datetime as dt
import math
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.simulator.customers import CUSTOMERS, DAY, HOUSEHOLD, SHOP, SLOT, SOLAR, Customer
from cosemic.simulator.load_curve import Energy, LoadCurve, Power

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = int(dt.datetime(2025, 1, 1, tzinfo=BERLIN).timestamp())
MOMENTS = st.integers(BEGIN - 2 * DAY, BEGIN + 800 * DAY)
CURVES = {name: LoadCurve(7, customer, BERLIN) for name, customer in CUSTOMERS.items()}
KINDS = st.sampled_from(sorted(CURVES))
HOUR = 3600


def at(text: str) -> int:
    """Local time in Berlin."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp())


def between(curve: LoadCurve, start: float, end: float) -> Energy:
    before, after = curve.energy(start), curve.energy(end)
    return Energy(*(late - early for early, late in zip(before, after, strict=True)))


@given(KINDS, MOMENTS, st.integers(0, 200))
def test_energy_is_the_integral_of_power_to_the_watt_hour(kind: str, moment: int, slots: int) -> None:
    curve = CURVES[kind]
    start = moment // SLOT * SLOT
    powers = [curve.power(start + number * SLOT) for number in range(slots)]
    drawn, fed = sum(power.imported for power in powers), sum(power.exported for power in powers)
    counted = between(curve, start, start + slots * SLOT)
    assert (counted.imported * HOUR, counted.exported * HOUR) == (drawn * SLOT, fed * SLOT)


@given(KINDS, MOMENTS, st.integers(0, 3 * DAY))
def test_totals_never_fall(kind: str, moment: int, later: int) -> None:
    assert min(between(CURVES[kind], moment, moment + later)) >= 0


@given(MOMENTS, st.lists(MOMENTS, max_size=8), st.sampled_from(list(CUSTOMERS.values())))
def test_the_same_seed_gives_the_same_energy_whatever_was_asked_before(
    moment: int, before: list[int], customer: Customer
) -> None:
    asked, fresh = LoadCurve(3, customer, BERLIN), LoadCurve(3, customer, BERLIN)
    for one in before:
        asked.energy(one)
    assert asked.energy(moment) == fresh.energy(moment)


@given(st.integers(0, 50), st.integers(51, 100))
def test_other_seeds_give_other_customers(one: int, other: int) -> None:
    start, end = at("2026-03-02"), at("2026-03-03")
    assert between(LoadCurve(one), start, end) != between(LoadCurve(other), start, end)


@given(KINDS, MOMENTS, st.integers(1, SLOT - 1))
def test_within_a_slot_energy_rises_evenly(kind: str, moment: int, passed: int) -> None:
    start = moment // SLOT * SLOT
    part, whole = between(CURVES[kind], start, start + passed), between(CURVES[kind], start, start + SLOT)
    assert 0 <= whole.imported * passed / SLOT - part.imported < 1
    assert 0 <= whole.exported * passed / SLOT - part.exported < 1


def test_a_household_draws_most_in_the_evening_and_little_at_night() -> None:
    curve = CURVES["household"]
    days = [at(f"2026-09-{day:02}") for day in range(7, 28) if dt.date(2026, 9, day).isoweekday() < 6]
    night, morning, evening = (
        sum(between(curve, day + hour * HOUR, day + (hour + 3) * HOUR).imported for day in days) for hour in (1, 6, 18)
    )
    assert 2 * night < morning < evening
    daily = between(curve, at("2026-09-07"), at("2026-10-05")).imported / 28
    assert 3_000 < daily < 20_000


@pytest.mark.parametrize("day", ["2026-01-14", "2026-07-15"], ids=["winter", "summer"])
def test_a_shop_is_open_by_local_time(day: str) -> None:
    curve, midnight = CURVES["shop"], at(day)
    drawn = [between(curve, midnight + h * HOUR, midnight + (h + 1) * HOUR).imported for h in range(24)]
    closed = [*drawn[:7], *drawn[19:]]
    assert min(drawn[9:17]) > 3 * max(closed)
    assert max(drawn) < 1.3 * min(drawn[9:17])


@pytest.mark.parametrize("day", ["2026-11-22", "2026-12-25", "2027-01-01"], ids=["sunday", "christmas", "new year"])
def test_a_shop_is_closed_on_sundays_and_holidays(day: str) -> None:
    curve, midnight = CURVES["shop"], at(day)
    drawn = [between(curve, midnight + h * HOUR, midnight + (h + 1) * HOUR).imported for h in range(24)]
    assert max(drawn) < 1.5 * min(drawn)
    working = between(curve, at("2026-11-18"), at("2026-11-19")).imported
    assert sum(drawn) < 0.5 * working


def test_on_saturdays_a_shop_closes_early() -> None:
    curve, midnight = CURVES["shop"], at("2026-11-21")
    morning, afternoon = (
        between(curve, midnight + hour * HOUR, midnight + (hour + 3) * HOUR).imported for hour in (10, 15)
    )
    assert morning > 3 * afternoon


def test_the_sun_feeds_in_by_day_more_in_summer_and_only_where_there_are_panels() -> None:
    curve, june, december = CURVES["solar"], at("2026-06-01"), at("2026-12-01")
    fed_in_june, fed_in_december = (between(curve, start, start + 28 * DAY).exported for start in (june, december))
    assert fed_in_june > 3 * fed_in_december > 0
    for start in (june, december):
        for day in range(28):
            assert between(curve, start + day * DAY - 4 * HOUR, start + day * DAY + 7 * HOUR).exported == 0
    assert between(CURVES["household"], june, june + 30 * DAY).exported == 0


@given(st.integers(0, 800))
def test_panels_cover_what_the_house_needs_while_they_feed_in(day: int) -> None:
    curve = CURVES["solar"]
    powers = [curve.power(moment) for moment in range(curve.midnight(day), curve.midnight(day + 1), SLOT)]
    assert not any(power.imported and power.exported for power in powers)
    assert 0 < max(power.exported for power in powers) < 30_000


def test_the_sun_is_highest_around_noon_of_normal_time_the_whole_year() -> None:
    for day, noon in (("2026-01-14", 12.3), ("2026-07-15", 13.3)):
        midnight = at(day)
        fed = [CURVES["solar"].power(midnight + slot * SLOT).exported for slot in range(96)]
        hours = [slot / 4 for slot, power in enumerate(fed) if power]
        assert abs((hours[0] + hours[-1]) / 2 - noon) <= 0.5


def test_before_its_first_day_a_meter_stands_still() -> None:
    for curve in CURVES.values():
        assert curve.energy(0) == curve.energy(BEGIN - HOUR) == curve.energy(BEGIN)
        assert curve.power(0) == Power(0, 0, 0)
        assert curve.energy(BEGIN + DAY).imported > curve.energy(BEGIN).imported


@pytest.mark.parametrize(("day", "slots"), [("2026-03-29", 92), ("2026-10-25", 100), ("2026-03-30", 96)])
def test_days_are_local_days_and_have_the_length_they_have(day: str, slots: int) -> None:
    start = at(day)
    end = at((dt.date.fromisoformat(day) + dt.timedelta(days=1)).isoformat())
    assert end - start == slots * SLOT
    for curve in CURVES.values():
        number = curve.day_of(start)
        assert (curve.midnight(number), curve.midnight(number + 1)) == (start, end)
        assert (curve.day_of(start - 1), curve.day_of(end - 1), curve.day_of(end)) == (number - 1, number, number + 1)
        counted = [curve.imported(start + slot * SLOT) for slot in range(slots + 1)]
        assert counted == sorted(counted)
        assert counted[-1] > counted[0]


@pytest.mark.parametrize(
    "zone", [BERLIN, dt.UTC, ZoneInfo("Asia/Kolkata"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/New_York")]
)
def test_tariff_1_has_what_comes_on_working_days_from_6_to_22_h(zone: dt.tzinfo) -> None:
    first, last = dt.date(2026, 3, 16), dt.date(2026, 4, 20)
    days = [first + dt.timedelta(days=number) for number in range((last - first).days)]

    def moment(day: dt.date, hour: int = 0) -> float:
        return dt.datetime.combine(day, dt.time(hour), zone).timestamp()

    for customer in CUSTOMERS.values():
        curve = LoadCurve(11, customer, zone)
        numbers = [curve.day_of(moment(day)) for day in (first, last)]
        (drawn_before, fed_before), (drawn, fed) = curve.tariff_1(numbers)
        working = [day for day in days if day.isoweekday() < 6]
        counted = [between(curve, moment(day, 6), moment(day, 22)) for day in working]
        assert drawn - drawn_before == sum(one.imported for one in counted)
        assert fed - fed_before == sum(one.exported for one in counted)


def test_holidays_are_no_working_days_of_tariff_1() -> None:
    curve = CURVES["household"]
    first, last = (curve.day_of(at(day)) for day in ("2026-12-24", "2026-12-28"))
    (before, _), (after, _) = curve.tariff_1([first, last])
    thursday = at("2026-12-24")
    assert after - before == between(curve, thursday + 6 * HOUR, thursday + 22 * HOUR).imported


@given(KINDS, st.integers(0, 800))
def test_the_peak_of_a_day_is_its_greatest_slot_the_first_of_equals(kind: str, day: int) -> None:
    curve = CURVES[kind]
    start, end = curve.midnight(day), curve.midnight(day + 1)
    slots = [(between(curve, slot, slot + SLOT).imported, slot + SLOT) for slot in range(start, end, SLOT)]
    most = max(energy for energy, _ in slots)
    assert curve.peak(day) == (most, next(stop for energy, stop in slots if energy == most))


@given(KINDS, MOMENTS)
def test_current_goes_with_voltage_and_apparent_power(kind: str, moment: int) -> None:
    curve = CURVES[kind]
    power, volts, amperes = curve.power(moment), curve.voltage(moment) / 10, curve.current(moment) / 100
    apparent = math.hypot(power.imported - power.exported, power.reactive)
    assert 200 < volts < 260
    assert abs(volts * amperes - apparent) <= volts * 0.005 + 1e-6
    assert 4990 <= curve.frequency(moment) <= 5010


@given(KINDS, MOMENTS)
def test_reactive_energy_is_a_fixed_share_of_what_is_drawn(kind: str, moment: int) -> None:
    curve, (least, most) = CURVES[kind], CUSTOMERS[kind].reactive
    energy, power = curve.energy(moment), curve.power(moment)
    assert least * energy.imported // 1000 <= energy.reactive <= most * energy.imported // 1000
    assert least * power.imported // 1000 <= power.reactive <= most * power.imported // 1000


@pytest.mark.parametrize("customer", [HOUSEHOLD, SHOP, SOLAR], ids=lambda one: one.name)
def test_an_average_working_day_takes_what_such_a_customer_takes(customer: Customer) -> None:
    days = [at(f"2026-{month:02}-{day:02}") for month in (4, 10) for day in range(12, 26)]
    working = [day for day in days if dt.datetime.fromtimestamp(day, BERLIN).isoweekday() < 6]
    for seed in range(5):
        curve = LoadCurve(seed, customer, BERLIN)
        average = sum(between(curve, day, day + DAY).imported for day in working) / len(working)
        assert 0.8 * customer.daily[0] < average < 1.2 * customer.daily[1]
