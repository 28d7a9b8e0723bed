"""Limiter, register monitor, demand and extended registers: values with units, thresholds in the type they have."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from cosemic.client.procedures.demand import DemandProcedures
from cosemic.client.procedures.limiter import NO_ACTION, LimiterProcedures
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, DeviationSign
from cosemic.errors import (
    ActionFailed,
    ChangeNotMade,
    DataAccessError,
    DecodeError,
    EncodeError,
    OutcomeUnknown,
)
from cosemic.model import (
    ActionItem,
    ActionSet,
    DemandRegister,
    EmergencyProfile,
    ExtendedRegister,
    Limiter,
    LimiterActions,
    Register,
    RegisterMonitor,
    ScalerUnit,
    ValueDefinition,
)
from cosemic.server import CosemObject
from cosemic.server.objects import AccessRefused, data
from cosemic.values import DataAccessResult, DateTime, Obis, Quantity, Unit
from tests.client.procedures.bench import Bench, Fault, both_faces
from tests.server.support import NOW, device_with

T = DataType
WATT = Unit(27)
POWER = ValueDefinition(3, Obis("1-0:1.7.0"), 2)
NOT_SET = DateTime.of()
EAST = dt.timezone(dt.timedelta(hours=2))
ACTIONS = LimiterActions(ActionItem(Obis("0-0:10.0.106"), 1), ActionItem(Obis("0-0:10.0.106"), 2))


def power(value: int = 1500, scaler: int = 1) -> CosemObject:
    return CosemObject(
        Register("1-0:1.7.0"), {"value": (T.DOUBLE_LONG_UNSIGNED, value), "scaler_unit": ScalerUnit(scaler, WATT)}
    )


def limiter(monitored: ValueDefinition = POWER, threshold: Any = (T.DOUBLE_LONG_UNSIGNED, 300)) -> CosemObject:
    writers = (
        "threshold_normal", "threshold_emergency", "min_over_threshold_duration", "min_under_threshold_duration",
        "emergency_profile", "emergency_profile_group_id_list", "actions",
    )  # fmt: skip
    return CosemObject(
        Limiter("0-0:17.0.0"),
        {
            "monitored_value": monitored,
            "threshold_active": threshold,
            "threshold_normal": threshold,
            "threshold_emergency": threshold,
            "min_over_threshold_duration": 60,
            "min_under_threshold_duration": 5,
            "emergency_profile": EmergencyProfile(0, NOT_SET, 0),
            "emergency_profile_group_id_list": [1, 2],
            "emergency_profile_active": False,
            "actions": ACTIONS,
        },
        writers=dict.fromkeys(writers),
    )


@pytest.fixture
def bench() -> Bench:
    return Bench(limiter(), power())


@pytest.fixture
def procedures(bench: Bench) -> LimiterProcedures:
    return LimiterProcedures(bench.session)


def sent(bench: Bench, target: str) -> tuple[Any, Any]:
    found: tuple[Any, Any] = bench.run(bench.session.get(target)).typed()
    return found


# ---- limiter ---------------------------------------------------------------------------------------------------------


def test_a_limiter_is_read_with_the_unit_of_what_it_monitors(bench: Bench, procedures: LimiterProcedures) -> None:
    state = bench.run(procedures.read())
    assert state.threshold_normal == state.threshold_active == state.threshold_emergency == Quantity(300, 1, WATT)
    assert state.monitored_value == POWER
    assert (state.min_over_threshold_duration, state.min_under_threshold_duration) == (60, 5)
    assert (state.emergency_profile_group_id_list, state.emergency_profile_active) == ((1, 2), False)
    assert state.actions == ACTIONS
    assert state.emergency_profile == EmergencyProfile(0, NOT_SET, 0)


def test_what_a_meter_may_keep_to_itself_is_left_out() -> None:
    served = limiter()
    for attribute in (8, 9, 10, 11):
        served._constants.pop(attribute)
        served._writers.pop(attribute, None)
    bench = Bench(served, power())
    state = bench.run(LimiterProcedures(bench.session).read())
    assert (state.actions, state.emergency_profile, state.emergency_profile_group_id_list) == (None, None, ())
    served._constants.pop(6)
    with pytest.raises(DataAccessError, match="min_over_threshold_duration"):
        bench.run(LimiterProcedures(bench.session).read())


@pytest.mark.parametrize("attribute", ["actions", "min_over_threshold_duration", "monitored_value"])
def test_what_is_not_as_declared_is_a_decode_error(attribute: str) -> None:
    served = limiter()
    served.put(attribute, EncodedData.of(T.OCTET_STRING, b"?"))
    bench = Bench(served, power())
    with pytest.raises(DecodeError, match=attribute):
        bench.run(LimiterProcedures(bench.session).read())


def test_thresholds_are_set_exactly_in_the_type_that_they_have(bench: Bench, procedures: LimiterProcedures) -> None:
    bench.run(procedures.set_thresholds(normal=Quantity(5, 3, WATT), emergency=250))
    assert sent(bench, "71/0-0:17.0.0:4") == (T.DOUBLE_LONG_UNSIGNED, 500)
    assert sent(bench, "71/0-0:17.0.0:5") == (T.DOUBLE_LONG_UNSIGNED, 250)
    state = bench.run(procedures.read())
    assert state.threshold_normal == Quantity(5000, 0, WATT)


def test_only_what_is_given_is_set(bench: Bench, procedures: LimiterProcedures) -> None:
    bench.run(procedures.set_thresholds(normal=7))
    assert sent(bench, "71/0-0:17.0.0:5") == (T.DOUBLE_LONG_UNSIGNED, 300)
    bench.run(procedures.set_durations(under=9))
    state = bench.run(procedures.read())
    assert (state.min_over_threshold_duration, state.min_under_threshold_duration) == (60, 9)
    bench.run(procedures.set_durations(over=90))
    assert bench.run(procedures.read()).min_over_threshold_duration == 90


@pytest.mark.parametrize(
    "value", [Quantity(5, 0, WATT), Quantity(5, 3, Unit(30)), Quantity(-10, 3, WATT), "text", 2.5, 1 << 40, b"x"]
)
def test_a_threshold_that_does_not_fit_is_refused_before_anything_is_written(
    bench: Bench, procedures: LimiterProcedures, value: Any
) -> None:
    with pytest.raises(EncodeError):
        bench.run(procedures.set_thresholds(normal=5, emergency=value))
    assert sent(bench, "71/0-0:17.0.0:4") == (T.DOUBLE_LONG_UNSIGNED, 300)


def test_a_threshold_that_was_never_set_gets_the_type_of_the_monitored_value() -> None:
    served = limiter(threshold=EncodedData.of(T.NULL_DATA, None))
    served._writers[4] = lambda value, situation: served.put(
        "threshold_normal", EncodedData.of(T.DOUBLE_LONG_UNSIGNED, value)
    )
    bench = Bench(served, power())
    served._constants.pop(4)
    served._readers[4] = lambda now: EncodedData.of(T.NULL_DATA, None)
    bench.run(LimiterProcedures(bench.session).set_thresholds(normal=Quantity(20, 0, WATT)))
    assert sent(bench, "71/0-0:17.0.0:4") == (T.DOUBLE_LONG_UNSIGNED, 2)


def test_a_monitored_value_that_cannot_be_read_gives_no_type() -> None:
    served = limiter(threshold=EncodedData.of(T.NULL_DATA, None))
    bench = Bench(served)
    with pytest.raises(DataAccessError, match=r"1-0:1\.7\.0"):
        bench.run(LimiterProcedures(bench.session).set_thresholds(normal=1))
    with pytest.raises(DataAccessError, match="monitored_value"):
        bench.run(LimiterProcedures(bench.session).set_thresholds(normal=1, obis="0-1:17.0.0"))


def test_a_threshold_whose_type_nobody_knows_is_not_written_as_nothing() -> None:
    served = limiter(ValueDefinition(1, Obis("0-0:96.1.0"), 2), EncodedData.of(T.NULL_DATA, None))
    bench = Bench(served, data("0-0:96.1.0", T.NULL_DATA, None))
    with pytest.raises(EncodeError, match="have no value"):
        bench.run(LimiterProcedures(bench.session).set_thresholds(normal=5))


def test_thresholds_of_what_has_no_unit_are_numbers() -> None:
    monitored = ValueDefinition(1, Obis("0-0:96.1.0"), 2)
    bench = Bench(limiter(monitored, (T.UNSIGNED, 3)))
    assert bench.run(LimiterProcedures(bench.session).read()).threshold_normal == 3
    with pytest.raises(EncodeError, match="no scaler and unit"):
        bench.run(LimiterProcedures(bench.session).set_thresholds(normal=Quantity(5, 0, WATT)))


def test_an_emergency_is_set(bench: Bench, procedures: LimiterProcedures) -> None:
    begin = dt.datetime(2026, 12, 24, 18, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    bench.run(procedures.set_emergency_profile(7, begin, 3600))
    bench.run(procedures.set_groups([7, 9]))
    state = bench.run(procedures.read())
    assert state.emergency_profile is not None
    assert (state.emergency_profile.emergency_profile_id, state.emergency_profile.emergency_duration) == (7, 3600)
    assert str(state.emergency_profile.emergency_activation_time) == "2026-12-24 18:00:00+01:00"
    assert state.emergency_profile_group_id_list == (7, 9)


@pytest.mark.parametrize(
    ("begin", "sign", "deviation"),
    [
        (NOW.replace(tzinfo=None), DeviationSign.STANDARD, None),
        (NOW.astimezone(EAST), DeviationSign.STANDARD, -120),
        (NOW.astimezone(EAST), DeviationSign.INVERTED, 120),
    ],
)
def test_an_emergency_begins_in_the_own_time_or_the_sign_of_the_meter(
    begin: dt.datetime, sign: DeviationSign, deviation: int | None
) -> None:
    bench = Bench(limiter(), power(), dialect=STANDARD.but(deviation_sign=sign))
    procedures = LimiterProcedures(bench.session)
    bench.run(procedures.set_emergency_profile(7, begin, 60))
    profile = bench.run(procedures.read()).emergency_profile
    assert profile is not None
    assert profile.emergency_activation_time.deviation == deviation


def test_actions_are_set(bench: Bench, procedures: LimiterProcedures) -> None:
    over = ActionItem(Obis("0-0:10.0.106"), 3)
    bench.run(procedures.set_actions(over=over))
    assert bench.run(procedures.read()).actions == LimiterActions(over, NO_ACTION)


@pytest.mark.parametrize("fault", Fault)
def test_a_write_without_answer_is_read_back(bench: Bench, procedures: LimiterProcedures, fault: Fault) -> None:
    bench.faults = {1: fault}
    if fault in (Fault.LOST_AFTER, Fault.MUTE_AFTER):
        bench.run(procedures.set_durations(over=77))
    else:
        with pytest.raises(ChangeNotMade, match="read back: it has not been done") as caught:
            bench.run(procedures.set_durations(over=77))
        assert isinstance(caught.value.__cause__, OutcomeUnknown)
    bench.fresh()
    assert bench.run(procedures.read()).min_over_threshold_duration == (
        77 if fault in (Fault.LOST_AFTER, Fault.MUTE_AFTER) else 60
    )


def test_a_write_that_cannot_be_read_back_stays_unknown(bench: Bench, procedures: LimiterProcedures) -> None:
    bench.faults = dict.fromkeys(range(1, 20), Fault.MUTE_AFTER)
    with pytest.raises(OutcomeUnknown) as caught:
        bench.run(procedures.set_durations(over=77))
    assert "could not be read back" in caught.value.__notes__[0]


def test_both_faces_limit() -> None:
    with both_faces(device_with(limiter(), power())) as run:
        run(lambda meter: meter.limiter.set_thresholds(normal=Quantity(4, 3, WATT)))
        one, other = run(lambda meter: meter.limiter.read())
    assert one == other
    assert one.threshold_normal == Quantity(4, 3, WATT)


# ---- demand ----------------------------------------------------------------------------------------------------------


class DemandMeter:
    """A demand register whose periods begin anew by its methods; ``obeys`` False: it does nothing."""

    def __init__(self) -> None:
        self.begin = DateTime.from_datetime(NOW.replace(minute=30))
        self.calls: list[str] = []
        self.obeys = True
        self.refuses = False
        self.served = CosemObject(
            DemandRegister("1-0:1.4.0"),
            {
                "current_average_value": (T.LONG_UNSIGNED, 123),
                "last_average_value": (T.LONG_UNSIGNED, 456),
                "scaler_unit": ScalerUnit(-1, WATT),
                "status": (T.UNSIGNED, 4),
                "capture_time": DateTime.from_datetime(NOW.replace(minute=15)),
                "start_time_current": lambda now: self.begin,
                "period": 900,
                "number_of_periods": 1,
            },
            methods={
                "reset": lambda _, situation: self.restart("reset"),
                "next_period": lambda _, situation: self.restart("next_period"),
            },
        )

    def restart(self, what: str) -> None:
        if self.refuses:
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        self.calls.append(what)
        if self.obeys:
            self.begin = DateTime.from_datetime(NOW)


def test_a_demand_register_is_read() -> None:
    bench = Bench(DemandMeter().served)
    demand = bench.run(DemandProcedures(bench.session).read("1-0:1.4.0"))
    assert demand.current_average_value == Quantity(123, -1, WATT)
    assert demand.last_average_value == Quantity(456, -1, WATT)
    assert (demand.period, demand.number_of_periods, demand.status) == (900, 1, 4)
    assert str(demand.start_time_current) == "2026-11-20 12:30:56+00:00"
    assert bench.requests == 1


def test_an_extended_register_is_read() -> None:
    maximum = CosemObject(
        ExtendedRegister("1-0:1.6.0"),
        {
            "value": (T.LONG_UNSIGNED, 987),
            "scaler_unit": ScalerUnit(0, WATT),
            "capture_time": DateTime.from_datetime(NOW),
        },
    )
    bench = Bench(maximum)
    found = bench.run(DemandProcedures(bench.session).captured("1-0:1.6.0"))
    assert (found.value, found.status) == (Quantity(987, 0, WATT), None)
    assert found.capture_time == DateTime.from_datetime(NOW)


@pytest.mark.parametrize("method", ["next_period", "reset"])
def test_a_period_is_ended(method: str) -> None:
    meter = DemandMeter()
    bench = Bench(meter.served)
    bench.run(getattr(DemandProcedures(bench.session), method)("1-0:1.4.0"))
    assert meter.calls == [method]
    meter.refuses = True
    with pytest.raises(ActionFailed, match="read-write-denied"):
        bench.run(getattr(DemandProcedures(bench.session), method)("1-0:1.4.0"))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.LOST_BEFORE, ChangeNotMade),
        (Fault.MUTE_BEFORE, ChangeNotMade),
        (Fault.LOST_AFTER, OutcomeUnknown),
        (Fault.MUTE_AFTER, OutcomeUnknown),
    ],
)
def test_a_period_that_began_anew_without_answer_may_have_ended_by_itself(
    fault: Fault, expected: type[Exception]
) -> None:
    bench = Bench(DemandMeter().served)
    bench.faults = {2: fault}
    with pytest.raises(expected):
        bench.run(DemandProcedures(bench.session).reset("1-0:1.4.0"))


def monitor(thresholds: list[Any]) -> CosemObject:
    nothing = ActionSet(NO_ACTION, NO_ACTION)
    return CosemObject(
        RegisterMonitor("0-0:16.0.0"),
        {"thresholds": thresholds, "monitored_value": POWER, "actions": [nothing] * len(thresholds)},
        writers={"thresholds": None},
    )


def test_a_register_monitor_is_read_and_its_thresholds_are_set() -> None:
    bench = Bench(monitor([(T.DOUBLE_LONG_UNSIGNED, 10), (T.DOUBLE_LONG_UNSIGNED, 20)]), power())
    procedures = DemandProcedures(bench.session)
    assert bench.run(procedures.monitor("0-0:16.0.0")).thresholds == (Quantity(10, 1, WATT), Quantity(20, 1, WATT))
    bench.run(procedures.set_thresholds("0-0:16.0.0", [Quantity(3, 3, WATT), 40, 50]))
    assert sent(bench, "21/0-0:16.0.0:2")[1] == tuple((T.DOUBLE_LONG_UNSIGNED, one) for one in (300, 40, 50))
    assert len(bench.run(procedures.monitor("0-0:16.0.0")).actions) == 2
    bench.run(procedures.set_thresholds("0-0:16.0.0", []))
    assert bench.run(procedures.monitor("0-0:16.0.0")).thresholds == ()
    bench.run(procedures.set_thresholds("0-0:16.0.0", [60]))
    assert sent(bench, "21/0-0:16.0.0:2")[1] == ((T.DOUBLE_LONG_UNSIGNED, 60),)


def test_thresholds_that_are_no_array_are_a_decode_error() -> None:
    served = monitor([])
    served.put("thresholds", EncodedData.of(T.UNSIGNED, 1))
    bench = Bench(served, power())
    with pytest.raises(DecodeError, match="array of thresholds"):
        bench.run(DemandProcedures(bench.session).set_thresholds("0-0:16.0.0", [1]))
    with pytest.raises(DecodeError):
        bench.run(DemandProcedures(bench.session).monitor("0-0:16.0.0"))
    with pytest.raises(DataAccessError):
        bench.run(DemandProcedures(bench.session).set_thresholds("0-1:16.0.0", [1]))


def test_both_faces_show_demand() -> None:
    with both_faces(device_with(DemandMeter().served, monitor([(T.DOUBLE_LONG_UNSIGNED, 10)]), power())) as run:
        for use in (
            lambda meter: meter.demand.read("1-0:1.4.0"),
            lambda meter: meter.demand.monitor("0-0:16.0.0"),
            lambda meter: meter.demand.next_period("1-0:1.4.0"),
        ):
            one, other = run(use)
            assert one == other
