"""Register monitors: thresholds that a value crosses upwards and downwards, and what runs then (class 21)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, StoreError
from cosemic.model import ActionItem, ActionSet, RegisterMonitor, ValueDefinition
from cosemic.server.objects import CosemObject, data
from cosemic.server.register_monitor import NOTHING, RegisterMonitorObject
from cosemic.server.scripts import NO_SCRIPT, run_script
from cosemic.server.state import StateFile
from cosemic.values import BitString, DataAccessResult, Obis
from tests.effort import examples
from tests.server.time_support import SCRIPTS, Running, script, stamp, utc

NAME = "0-0:16.0.0"
VALUE = "0-0:96.8.0"
MONITORED = ValueDefinition(1, Obis(VALUE), 2)
NOW = utc(2026, 7, 1, 12)
MINUTE = dt.timedelta(minutes=1)
SUCCESS = DataAccessResult.SUCCESS
UNMATCHED = DataAccessResult.TYPE_UNMATCHED


def pair(up: ActionItem | int, down: ActionItem | int) -> ActionSet:
    return ActionSet(*(script(one) if isinstance(one, int) else one for one in (up, down)))


class Monitored(Running):
    """A device whose value is given by hand, with a monitor."""

    def __init__(
        self,
        *thresholds: int,
        state: Any = None,
        kind: DataType = DataType.LONG_UNSIGNED,
        value: Any = 0,
        actions: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(NOW, state)
        self.value: Any = value
        self.kind = kind
        self.device.add(CosemObject(data(VALUE, kind, value).interface, {"value": lambda now: (self.kind, self.value)}))
        pairs = actions or [pair(2 * number + 1, 2 * number + 2) for number in range(len(thresholds))]
        self.monitor = self.device.add(
            RegisterMonitorObject(
                self.device, NAME, MONITORED, [(kind, one) for one in thresholds], pairs, **{"period": 0, **options}
            )
        )

    def see(self, *values: Any) -> list[int]:
        """Let the value be looked at; return the scripts that ran."""
        for value in values:
            self.value = value
            self.monitor.evaluate(self.now)
        ran, self.ran = [number for _, number in self.ran], []
        return ran

    def write(self, attribute: int, value: Any) -> DataAccessResult:
        declared = RegisterMonitor.attributes[attribute].type
        return self.set(21, NAME, attribute, EncodedData.from_typed(declared.encode(value)))


def test_scripts_run_when_the_threshold_is_crossed_and_only_then() -> None:
    running = Monitored(100)
    assert running.see(50) == []
    assert running.see(100) == []  # not above
    assert running.see(101) == [1]
    assert running.see(5000, 101) == []
    assert running.see(100) == [2]
    assert running.see(0) == []


def test_the_first_look_only_learns_the_side() -> None:
    running = Monitored(100)
    assert running.see(500) == []
    assert running.see(100) == [2]


def test_of_several_thresholds_the_nearest_comes_first() -> None:
    running = Monitored(300, 100, 200)
    assert running.see(0, 1000) == [3, 5, 1]
    assert running.see(0) == [2, 6, 4]
    assert running.see(150, 250) == [3, 5]
    assert running.see(150) == [6]


def test_crossing_is_told() -> None:
    running = Monitored(100)
    running.see(0, 101, 0)
    told = [dict(one.details) for one in running.happened if one.name == "monitor-threshold-crossed"]
    assert told == [
        {"monitor": Obis(NAME), "threshold": 100, "value": 101, "upwards": True},
        {"monitor": Obis(NAME), "threshold": 100, "value": 0, "upwards": False},
    ]


def test_a_hysteresis_keeps_a_value_that_flutters_from_crossing() -> None:
    running = Monitored(100, hysteresis=10)
    assert running.see(0, 95, 101) == [1]
    assert running.see(95, 101, 91) == []
    assert running.see(90) == [2]
    assert running.see(100) == []


@given(values=st.lists(st.integers(0, 30), min_size=1, max_size=30), hysteresis=st.integers(0, 12))
@examples(60)
def test_crossings_alternate_and_lead_to_the_side_on_which_the_value_is(values: list[int], hysteresis: int) -> None:
    running = Monitored(15, hysteresis=hysteresis)
    running.see(0)
    ran = running.see(*values)
    assert ran == ([1, 2] * len(ran))[: len(ran)]
    above = len(ran) % 2 == 1
    assert above or values[-1] <= 15
    assert not above or values[-1] > 15 - hysteresis


def test_no_script_may_stand_on_one_side_and_actions_may_be_fewer() -> None:
    running = Monitored(10, 20, actions=[pair(NO_SCRIPT, 7)])
    assert running.see(0, 50, 0) == [7]


@pytest.mark.parametrize(
    ("kind", "threshold", "below", "above"),
    [
        (DataType.FLOAT32, 1.5, 1.5, 1.75),
        (DataType.LONG, -5, -6, 0),
        (DataType.BOOLEAN, False, False, True),
        (DataType.VISIBLE_STRING, "B", "A", "C"),
        (DataType.OCTET_STRING, b"\x01", b"\x00\xff", b"\x01\x00"),
        (DataType.BIT_STRING, BitString("01"), BitString("00"), BitString("10")),
        (DataType.DATE_TIME, stamp("2026-07-01 12:00"), stamp("2026-06-30 23:00"), stamp("2026-07-01 12:01")),
    ],
)
def test_values_of_every_simple_type_have_an_order(kind: DataType, threshold: Any, below: Any, above: Any) -> None:
    running = Monitored(threshold, kind=kind, value=below, hysteresis=0.25 if kind is DataType.FLOAT32 else 0)
    assert running.see(below, above) == [1]


def test_a_value_of_another_type_or_that_is_not_there_is_passed_over() -> None:
    running = Monitored(100)
    assert running.see(0) == []
    running.kind = DataType.UNSIGNED
    assert running.see(200) == []
    running.kind = DataType.LONG_UNSIGNED
    assert running.see(-1) == []  # does not fit its type
    assert running.see(200) == [1]
    assert running.write(3, ValueDefinition(3, Obis("1-0:9.9.9"), 2)) is SUCCESS
    assert running.see(0, 200) == []


def test_the_value_is_looked_at_periodically() -> None:
    running = Monitored(100, period=60)
    looked: list[dt.datetime] = []
    running.device.add(
        CosemObject(data("0-0:96.8.1", DataType.UNSIGNED, 0).interface, {"value": lambda now: looked.append(now)})
    )
    running.go(NOW + 30 * dt.timedelta(seconds=1))
    running.value = 200
    assert running.go(NOW + 10 * MINUTE) == []  # the first look
    running.value = 0
    assert running.go(NOW + 20 * MINUTE) == [(NOW + 11 * MINUTE, 2)]
    assert running.write(2, []) is SUCCESS
    running.value = 200
    assert running.go(NOW + 30 * MINUTE) == []


def test_nothing_is_looked_at_where_nothing_is_monitored() -> None:
    running = Monitored(100, period=60)
    running.write(3, NOTHING)
    assert running.monitor.due(NOW) is None


def test_a_monitor_sees_what_was_switched_at_the_same_moment() -> None:
    running = Monitored(100, period=3600)
    running.go(NOW + 60 * MINUTE)
    running.value = 200
    assert running.go(NOW + 120 * MINUTE) == [(NOW + 120 * MINUTE, 1)]


def test_thresholds_are_of_the_type_of_the_value() -> None:
    running = Monitored(100)
    before = running.view.get(21, NAME, 2)
    assert running.write(2, [(DataType.UNSIGNED, 1)]) is UNMATCHED
    assert running.write(2, [(DataType.LONG_UNSIGNED, 1), (DataType.UNSIGNED, 1)]) is UNMATCHED
    assert running.set(21, NAME, 2, EncodedData.of(DataType.ARRAY, ((DataType.ARRAY, ()),))) is UNMATCHED
    assert running.view.get(21, NAME, 2) == before
    assert running.write(2, [(DataType.LONG_UNSIGNED, 1), (DataType.LONG_UNSIGNED, 2)]) is SUCCESS
    assert running.view.get(21, NAME, 2).value() == [1, 2]


def test_without_a_value_thresholds_are_of_one_type() -> None:
    running = Monitored(100)
    running.write(3, NOTHING)
    mixed = [(DataType.LONG_UNSIGNED, 1), (DataType.UNSIGNED, 1)]
    assert running.write(2, mixed) is DataAccessResult.OTHER_REASON
    assert running.write(2, mixed[1:]) is SUCCESS


def test_only_simple_values_are_monitored() -> None:
    running = Monitored(100)
    assert running.write(3, ValueDefinition(9, SCRIPTS, 2)) is DataAccessResult.OTHER_REASON
    assert running.view.get(21, NAME, 3).value() == (1, Obis(VALUE).octets, 2)


def test_other_thresholds_or_another_value_are_learnt_anew() -> None:
    running = Monitored(100)
    running.see(50)
    running.write(2, [(DataType.LONG_UNSIGNED, 10)])
    assert running.see(50) == []
    assert running.see(0) == [2]
    running.write(4, [pair(5, 6)])
    assert running.see(50) == [5]
    running.write(3, MONITORED)
    assert running.see(0) == []


def test_the_side_outlives_the_process(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        running = Monitored(100, state=file.of("meter"))
        running.write(2, [(DataType.LONG_UNSIGNED, 70)])
        running.see(80)
        running.device.commit()
    with StateFile(tmp_path / "state") as file:
        again = Monitored(100, state=file.of("meter"))
        assert again.see(60) == [2]


def test_what_is_not_writable_is_not_written() -> None:
    assert Monitored(100, writable=False).write(2, []) is DataAccessResult.READ_WRITE_DENIED


def test_period_and_hysteresis_are_not_negative() -> None:
    for wrong in ({"period": -1}, {"hysteresis": -0.5}):
        with pytest.raises(ConfigurationError, match="not negative"):
            Monitored(100, **wrong)


def test_state_that_cannot_be_read_is_not_passed_over() -> None:
    running = Monitored(100)

    def broken(now: dt.datetime) -> Any:
        raise StoreError("the disk is gone")

    running.device.add(CosemObject(data("0-0:96.8.2", DataType.UNSIGNED, 0).interface, {"value": broken}))
    monitor = RegisterMonitorObject(running.device, "0-1:16.0.0", ValueDefinition(1, Obis("0-0:96.8.2"), 2))
    with pytest.raises(StoreError):
        monitor.evaluate(NOW)
    assert run_script(running.device, NO_SCRIPT, NOW)
