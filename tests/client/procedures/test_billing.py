"""Read-out, billing periods, values of the past, and the end of a billing period."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.client.procedures.billing import BillingProcedures, BillingReset, ages_of
from cosemic.codec import DataType
from cosemic.errors import ActionFailed, ChangeNotMade, DataAccessError, OutcomeUnknown
from cosemic.model import DemandRegister, ExtendedRegister, Register, ScalerUnit, ScriptTable
from cosemic.server import CosemObject, managing, only
from cosemic.server.objects import AccessRefused, data
from cosemic.values import DataAccessResult, DateTime, Obis, Quantity, Unit
from tests.client.procedures.bench import Bench, Fault, both_faces
from tests.client.procedures.profiles import CLOCK, Recorded, stamped
from tests.server.support import NOW, device_with

T = DataType
WH, WATT = Unit(30), Unit(27)


def register(obis: str, value: int = 1, scaler: int = 0) -> CosemObject:
    return CosemObject(
        Register(obis), {"value": (T.DOUBLE_LONG_UNSIGNED, value), "scaler_unit": ScalerUnit(scaler, WH)}
    )


def maximum(obis: str) -> CosemObject:
    stamp = DateTime.from_datetime(NOW)
    return CosemObject(
        ExtendedRegister(obis),
        {"value": (T.LONG_UNSIGNED, 987), "scaler_unit": ScalerUnit(1, WATT), "status": None, "capture_time": stamp},
    )


def demand(obis: str) -> CosemObject:
    average = (T.LONG_UNSIGNED, 5)
    return CosemObject(
        DemandRegister(obis),
        {"current_average_value": average, "last_average_value": average, "scaler_unit": ScalerUnit(0, WATT)},
    )


def billing(*objects: CosemObject, **options: Any) -> tuple[Bench, BillingProcedures]:
    bench = Bench(*objects, **options)
    return bench, BillingProcedures(bench.session)


# ---- read-out --------------------------------------------------------------------------------------------------------


def test_all_registers_are_read_in_lists_with_units_and_progress() -> None:
    energies = [register(f"1-0:{number}.8.0", number, 3) for number in range(1, 41)]
    bench, procedures = billing(*energies, maximum("1-0:1.6.0"), demand("1-0:1.4.0"), data("0-0:96.1.0", T.UNSIGNED, 1))
    told: list[tuple[int, int]] = []
    found = bench.run(procedures.registers(progress=lambda done, of: told.append((done, of))))
    assert len(found.readings) == 40 + 2 + 2
    assert found.failed == ()
    assert found.values()[Obis("1-0:7.8.0")] == Quantity(7, 3, WH)
    assert found.values()[Obis("1-0:1.6.0")] == Quantity(987, 1, WATT)
    by_attribute = {(str(one.obis), one.attribute): one for one in found.readings}
    assert by_attribute["1-0:1.6.0*255", 5].value == DateTime.from_datetime(NOW)
    assert by_attribute["1-0:1.4.0*255", 3].value == Quantity(5, 0, WATT)
    assert by_attribute["1-0:1.8.0*255", 2].name == "Active energy import (+A), time integral 1"
    assert by_attribute["1-0:1.6.0*255", 5].name.endswith(", capture_time")
    assert told == [(16, 44), (32, 44), (44, 44)]
    assert bench.requests <= 1 + 2 * len(told)


def test_what_cannot_be_read_is_named_with_its_error() -> None:
    broken, bare = register("1-0:2.8.0"), register("1-0:3.8.0", 7)
    broken._constants.pop(2)
    bare._constants.pop(3)
    bench, procedures = billing(register("1-0:1.8.0"), broken, bare)
    found = bench.run(procedures.registers())
    assert [str(one.obis) for one in found.failed] == ["1-0:2.8.0*255"]
    assert isinstance(found.failed[0].error, DataAccessError)
    assert found.failed[0].value is None
    assert found.values() == {Obis("1-0:1.8.0"): Quantity(1, 0, WH), Obis("1-0:3.8.0"): 7}


def test_values_of_the_past_are_left_out_of_a_read_out_unless_wanted() -> None:
    bench, procedures = billing(register("1-0:1.8.0", 5), register("1-0:1.8.0*101", 4))
    assert len(bench.run(procedures.registers()).readings) == 1
    found = bench.run(procedures.registers(present=False))
    assert found.values() == {Obis("1-0:1.8.0"): Quantity(5, 0, WH), Obis("1-0:1.8.0*101"): Quantity(4, 0, WH)}


def test_a_meter_without_registers_has_an_empty_read_out() -> None:
    bench, procedures = billing(data("0-0:96.1.0", T.UNSIGNED, 1))
    assert bench.run(procedures.registers()).readings == ()


# ---- closed periods --------------------------------------------------------------------------------------------------

MONTHS = [dt.datetime(2026, month, 1, tzinfo=dt.UTC) for month in (8, 9, 10)]


def closed(obis: str = "0-0:98.1.0") -> Recorded:
    rows = [stamped(at, (T.DOUBLE_LONG_UNSIGNED, 1000 * index)) for index, at in enumerate(MONTHS)]
    return Recorded(obis, [CLOCK, (3, "1-0:1.8.0", 2)], rows)


def test_closed_periods_are_read() -> None:
    bench, procedures = billing(closed(), register("1-0:1.8.0", 5, 1))
    found = bench.run(procedures.periods())
    assert [one.closed for one in found] == MONTHS
    assert found[2].values == (Quantity(2000, 1, WH),)
    assert found[2].by_name() == {(Obis("1-0:1.8.0"), 2): Quantity(2000, 1, WH)}
    some = bench.run(procedures.periods(since=MONTHS[1], until=MONTHS[2]))
    assert [one.closed for one in some] == MONTHS[1:2]


def test_the_first_scheme_of_the_view_is_meant_unless_another_is_named() -> None:
    second, first = closed("1-0:98.2.0"), closed("1-0:98.1.0")
    del first.rows[1:]
    bench, procedures = billing(second, first, register("1-0:1.8.0"))
    assert len(bench.run(procedures.periods())) == 1
    assert len(bench.run(procedures.periods("1-0:98.2.0"))) == 3
    bench, procedures = billing(register("1-0:1.8.0"))
    with pytest.raises(DataAccessError, match="no profile of billing periods"):
        bench.run(procedures.periods())


# ---- values of the past ----------------------------------------------------------------------------------------------


def test_values_of_the_past_are_ordered_by_the_billing_period_counter() -> None:
    past = [register(f"1-0:1.8.0*{number}", 100 + number) for number in (0, 1, 98, 99)]
    bench, procedures = billing(register("1-0:1.8.0"), register("1-0:2.8.0*1"), *past, data("1-0:0.1.0", T.UNSIGNED, 1))
    found = bench.run(procedures.historical("1-0:1.8.0"))
    assert [(one.periods_ago, one.obis.f, one.value) for one in found] == [
        (1, 1, Quantity(101, 0, WH)),
        (2, 0, Quantity(100, 0, WH)),
        (3, 99, Quantity(199, 0, WH)),
        (4, 98, Quantity(198, 0, WH)),
    ]


def test_the_abstract_counter_counts_where_the_other_is_not_there() -> None:
    past = [register(f"1-0:1.8.0*{number}") for number in range(1, 13)]
    bench, procedures = billing(*past, data("0-0:0.1.0", T.UNSIGNED, 3))
    found = bench.run(procedures.historical(Obis("1-0:1.8.0*7")))
    assert [one.obis.f for one in found] == [3, 2, 1, 12, 11, 10, 9, 8, 7, 6, 5, 4]


def test_values_that_say_themselves_how_old_they_are() -> None:
    past = [maximum("1-0:1.6.0*102"), maximum("1-0:1.6.0*101")]
    refused = register("1-0:1.6.0*103")
    refused._constants.pop(2)
    bench, procedures = billing(*past, refused)
    found = bench.run(procedures.historical("1-0:1.6.0"))
    assert [(one.periods_ago, one.obis.f) for one in found] == [(1, 101), (2, 102), (3, 103)]
    assert isinstance(found[2].error, DataAccessError)
    stamps = bench.run(procedures.historical("1-0:1.6.0", 5))
    assert stamps[0].value == DateTime.from_datetime(NOW)


def test_what_is_missing_for_values_of_the_past_is_named() -> None:
    bench, procedures = billing(register("1-0:1.8.0"), register("1-0:2.8.0*1"))
    with pytest.raises(DataAccessError, match=r"no values of the past of 1-0:1\.8\.0"):
        bench.run(procedures.historical("1-0:1.8.0"))
    with pytest.raises(DataAccessError, match="no billing period counter"):
        bench.run(procedures.historical("1-0:2.8.0"))


@given(st.integers(0, 500), st.integers(1, 99))
def test_a_counter_modulo_100_orders_as_the_meter_wrote(periods: int, kept: int) -> None:
    """A meter that has closed so many periods keeps the last ones, each under its own number."""
    written = [period % 100 for period in range(max(0, periods - kept + 1), periods + 1)]
    ages = ages_of(sorted(written), periods % 100)
    assert [number for number, _ in sorted(ages.items(), key=lambda item: item[1])] == written[::-1]
    assert sorted(ages.values()) == list(range(1, len(written) + 1))


@given(st.integers(1, 500), st.integers(2, 98))
def test_a_counter_of_another_modulus_orders_as_the_meter_wrote(periods: int, modulus: int) -> None:
    numbers = [(period - 1) % modulus + 1 for period in range(max(1, periods - modulus + 1), periods + 1)]
    ages = ages_of(sorted(numbers), numbers[-1])
    assert [number for number, _ in sorted(ages.items(), key=lambda item: item[1])] == numbers[::-1]


# ---- the end of a period ---------------------------------------------------------------------------------------------


class BillingMeter:
    """Closes billing periods by script 1; counter, profile: what it shows of that."""

    def __init__(self, *, counter: bool = True, profile: bool = True) -> None:
        self.count = 7
        self.scripts: list[int] = []
        self.profile = closed()
        self.table = CosemObject(ScriptTable("0-0:10.0.1"), {"scripts": []}, methods={"execute": self.execute})
        self.objects = [self.table, register("1-0:1.8.0")]
        self.objects += [data("0-0:0.1.0", T.UNSIGNED, lambda now: self.count)] if counter else []
        self.objects += [self.profile] if profile else []

    def execute(self, script: int, situation: Any) -> None:
        if script != 1:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        self.scripts.append(script)
        self.count += 1
        self.profile.rows.append(self.profile.rows[-1])


def test_a_billing_period_is_ended() -> None:
    meter = BillingMeter()
    bench, procedures = billing(*meter.objects)
    assert bench.run(procedures.end_period()) == BillingReset(7, 8)
    assert meter.scripts == [1]
    with pytest.raises(ActionFailed, match="other-reason"):
        bench.run(procedures.end_period(2))
    bench, procedures = billing(*BillingMeter(counter=False, profile=False).objects)
    assert bench.run(procedures.end_period()) == BillingReset(None, None)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize(
    ("counter", "profile", "arrived", "lost"),
    [
        (True, True, None, ChangeNotMade),
        (True, False, None, ChangeNotMade),
        (False, True, None, OutcomeUnknown),
        (False, False, OutcomeUnknown, OutcomeUnknown),
    ],
)
def test_an_end_without_answer_is_told_from_what_the_meter_shows(
    fault: Fault, counter: bool, profile: bool, arrived: type[Exception] | None, lost: type[Exception]
) -> None:
    meter = BillingMeter(counter=counter, profile=profile)
    bench, procedures = billing(*meter.objects)
    bench.run(bench.session.objects())
    before = bench.requests
    bench.faults = {before + 2 + profile: fault}
    expected = arrived if fault in (Fault.LOST_AFTER, Fault.MUTE_AFTER) else lost
    if expected is None:
        bench.run(procedures.end_period())
    else:
        with pytest.raises(expected):
            bench.run(procedures.end_period())
    assert meter.scripts == [1] * (fault in (Fault.LOST_AFTER, Fault.MUTE_AFTER))


def test_a_period_is_ended_without_view() -> None:
    meter = BillingMeter()
    bench, procedures = billing(*meter.objects, rights=only(managing(), "0-0:10.0.1", "0-0:0.1.0"))
    assert bench.run(procedures.end_period()) == BillingReset(7, 8)


def test_both_faces_bill() -> None:
    meter = BillingMeter()
    with both_faces(device_with(*meter.objects, register("1-0:1.8.0*101"))) as run:
        for use in (
            lambda m: m.billing.periods(),
            lambda m: m.billing.historical("1-0:1.8.0"),
        ):
            one, other = run(use)
            assert one == other
        one, other = run(lambda m: m.billing.registers())
        assert one.values() == other.values() == {Obis("1-0:1.8.0"): Quantity(1, 0, WH)}
        assert run(lambda m: m.billing.end_period()) == [BillingReset(7, 8), BillingReset(8, 9)]


def test_a_number_of_periods_that_cannot_be_read_back_proves_nothing() -> None:
    meter = BillingMeter(counter=False)
    bench, procedures = billing(*meter.objects)
    bench.run(bench.session.objects())
    bench.faults = {bench.requests + 3: Fault.LOST_BEFORE}
    told = iter([2])

    class Rows(list[Any]):
        def __len__(self) -> int:
            for count in told:
                return count
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)

    meter.profile.rows = Rows()
    with pytest.raises(OutcomeUnknown):
        bench.run(procedures.end_period())
    assert meter.scripts == []
