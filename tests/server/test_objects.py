"""What objects of a device answer to GET, SET and ACTION, and what they refuse with."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, EncodeError
from cosemic.model import AccessSelection, Register, ScalerUnit, interface_class
from cosemic.server import AccessRefused, ClockObject, CosemObject, Situation, data
from cosemic.values import ActionResult, DataAccessResult, DateTime, Obis, Unit
from tests.server.support import NOW, Local, View, device_with

ENERGY = "1-0:1.8.0"
CLOCK = "0-0:1.0.0"
ZERO = EncodedData.of(DataType.INTEGER, 0)


def register(**changed: Any) -> CosemObject:
    values = {"value": (DataType.DOUBLE_LONG_UNSIGNED, 1234), "scaler_unit": ScalerUnit(-1, Unit.of("Wh"))}
    return CosemObject(Register(ENERGY), values, **changed)


def test_constants_and_functions_of_the_time_are_read_as_declared() -> None:
    seconds = data("0-0:96.8.0", DataType.DOUBLE_LONG_UNSIGNED, lambda now: int((now - NOW).total_seconds()) + 7)
    client = Local(device_with(register(), seconds), 16).open()
    assert client.get(3, ENERGY, 1) == Obis(ENERGY).octets
    assert client.get(3, ENERGY, 2) == 1234
    assert client.get(3, ENERGY, 3) == (-1, 30)
    assert client.get(1, "0-0:96.8.0", 2) == 7
    assert client.get(1, "0-0:42.0.0", 2) == b"TST0000000000001"


@pytest.mark.parametrize(
    ("class_id", "name", "attribute", "result"),
    [
        (3, "1-0:9.9.9", 2, DataAccessResult.OBJECT_UNDEFINED),
        (1, ENERGY, 2, DataAccessResult.OBJECT_CLASS_INCONSISTENT),
        (9999, ENERGY, 2, DataAccessResult.OBJECT_CLASS_INCONSISTENT),
        (3, ENERGY, 4, DataAccessResult.READ_WRITE_DENIED),
        (3, ENERGY, -1, DataAccessResult.READ_WRITE_DENIED),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    class_id: int, name: str, attribute: int, result: DataAccessResult
) -> None:
    client = Local(device_with(register()), 16).open()
    assert client.get(class_id, name, attribute) is result
    assert client.set(class_id, name, attribute, DataType.UNSIGNED, 1) is result
    assert client.act(class_id, name, 1).result is ActionResult[result.name]


def test_an_attribute_that_is_only_readable_is_not_written() -> None:
    client = Local(device_with(register()), 16).open()
    assert client.set(3, ENERGY, 2, DataType.DOUBLE_LONG_UNSIGNED, 5) is DataAccessResult.READ_WRITE_DENIED
    assert client.get(3, ENERGY, 2) == 1234


def test_a_written_value_is_kept_if_it_has_the_type_of_the_one_before() -> None:
    client = Local(device_with(register(writers={"value": None, "scaler_unit": None})), 16).open()
    assert client.set(3, ENERGY, 2, DataType.DOUBLE_LONG_UNSIGNED, 5) is DataAccessResult.SUCCESS
    assert client.get(3, ENERGY, 2) == 5
    for data_type, value in ((DataType.UNSIGNED, 6), (DataType.ARRAY, ()), (DataType.NULL_DATA, None)):
        assert client.set(3, ENERGY, 2, data_type, value) is DataAccessResult.TYPE_UNMATCHED
    assert client.set(3, ENERGY, 3, DataType.UNSIGNED, 6) is DataAccessResult.TYPE_UNMATCHED
    assert client.get(3, ENERGY, 2) == 5


def test_a_writer_takes_the_decoded_value_and_may_refuse_it() -> None:
    taken: list[Any] = []

    def writer(value: Any, situation: Situation) -> None:
        if value.scaler > 3:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        taken.append((value, situation.client_sap, situation.now))

    view = View(device_with(register(writers={"scaler_unit": writer})))
    good, bad = (EncodedData.from_typed(ScalerUnit.encode(ScalerUnit(n, Unit.of("W")))) for n in (2, 4))
    assert view.set(3, ENERGY, 3, good) is DataAccessResult.SUCCESS
    assert view.set(3, ENERGY, 3, bad) is DataAccessResult.OTHER_REASON
    assert taken == [(ScalerUnit(2, Unit.of("W")), 16, NOW)]


def test_selective_access_to_an_attribute_that_has_none_violates_the_scope() -> None:
    view = View(device_with(register()))
    selection = AccessSelection(1, (DataType.NULL_DATA, None))
    assert view.get(3, ENERGY, 2, selection) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


def test_only_served_methods_are_invoked() -> None:
    calls: list[Any] = []
    view = View(device_with(register(methods={"reset": lambda parameter, situation: calls.append(parameter)})))
    for parameters in (ZERO, None, EncodedData.of(DataType.NULL_DATA)):
        assert view.act(3, ENERGY, 1, parameters).result is ActionResult.SUCCESS
    for parameters in (EncodedData.of(DataType.INTEGER, 1), EncodedData.of(DataType.UNSIGNED, 0)):
        assert view.act(3, ENERGY, 1, parameters).result is ActionResult.TYPE_UNMATCHED
    assert calls == [0, 0, 0]
    assert View(device_with(register())).act(3, ENERGY, 1, ZERO).result is ActionResult.READ_WRITE_DENIED


def test_a_method_that_needs_data_is_not_invoked_without() -> None:
    view = View(device_with(ClockObject()))
    assert view.act(8, CLOCK, 6, None).result is ActionResult.TYPE_UNMATCHED


def test_a_value_that_cannot_be_sent_is_a_fault_of_the_device() -> None:
    broken = data("0-0:96.8.0", DataType.UNSIGNED, lambda now: 256)
    assert View(device_with(broken)).get(1, "0-0:96.8.0", 2) is DataAccessResult.HARDWARE_FAULT


def test_what_a_method_returns_is_of_its_declared_type() -> None:
    answers: list[Any] = [b"good", 5]
    interface = interface_class(15, 1)
    assert interface is not None
    served = CosemObject(
        interface("0-0:40.0.9"), {}, methods={"reply_to_HLS_authentication": lambda value, situation: answers.pop(0)}
    )
    view = View(device_with(served))
    challenge = EncodedData.of(DataType.OCTET_STRING, b"x")
    assert view.act(15, "0-0:40.0.9", 1, challenge).return_parameters == EncodedData.of(DataType.OCTET_STRING, b"good")
    assert view.act(15, "0-0:40.0.9", 1, challenge).result is ActionResult.HARDWARE_FAULT


def test_a_value_can_be_replaced_while_the_device_runs() -> None:
    served = register()
    view = View(device_with(served))
    served.put("value", lambda now: (DataType.UNSIGNED, 3))
    assert view.get(3, ENERGY, 2).value() == 3
    served.put("value", (DataType.UNSIGNED, 4))
    assert view.get(3, ENERGY, 2).value() == 4


def test_what_does_not_fit_the_class_is_refused_when_the_object_is_made() -> None:
    with pytest.raises(ConfigurationError, match="no attribute 'colour'"):
        CosemObject(Register(ENERGY), {"colour": 1})
    with pytest.raises(ConfigurationError, match="no method 'paint'"):
        CosemObject(Register(ENERGY), {}, methods={"paint": lambda parameter, situation: None})
    with pytest.raises(ConfigurationError, match="no value to replace"):
        CosemObject(Register(ENERGY), {}, writers={"value": None})
    with pytest.raises(EncodeError):
        CosemObject(Register(ENERGY), {"scaler_unit": 5})


def test_the_clock_shows_local_time_and_can_be_set() -> None:
    clock = ClockObject(utc_offset=60)
    client = Local(device_with(clock), 16).open()
    assert str(DateTime(client.get(8, CLOCK, 2))) == "2026-11-20 13:34:56+01:00"
    assert client.get(8, CLOCK, 3) == -60
    new = DateTime.from_datetime(dt.datetime(2026, 11, 20, 13, 0, 5))  # no deviation: in the zone of the meter
    assert client.set(8, CLOCK, 2, DataType.OCTET_STRING, new.octets) is DataAccessResult.SUCCESS
    assert str(DateTime(client.get(8, CLOCK, 2))) == "2026-11-20 13:00:05+01:00"
    assert client.set(8, CLOCK, 3, DataType.LONG, -120) is DataAccessResult.SUCCESS
    assert str(DateTime(client.get(8, CLOCK, 2))) == "2026-11-20 14:00:05+02:00"
    assert client.set(8, CLOCK, 3, DataType.LONG, 841) is DataAccessResult.TYPE_UNMATCHED


@pytest.mark.parametrize(
    "octets",
    [DateTime.of(year=2026, month=11).octets, DateTime.of(year=9999, month=12, day_of_month=31, hour=0).octets],
)
def test_the_clock_is_not_set_to_a_pattern_or_beyond_the_calendar(octets: bytes) -> None:
    view = View(device_with(ClockObject()))
    value = EncodedData.of(DataType.OCTET_STRING, octets)
    assert view.set(8, CLOCK, 2, value) is DataAccessResult.OTHER_REASON
    assert view.set(8, CLOCK, 2, EncodedData.of(DataType.OCTET_STRING, octets[1:])) is DataAccessResult.TYPE_UNMATCHED


@pytest.mark.parametrize(
    ("method", "parameter", "shown"),
    [
        (1, ZERO, "2026-11-20 13:30:00+01:00"),
        (2, ZERO, "2026-11-20 14:00:00+01:00"),
        (3, ZERO, "2026-11-20 13:35:00+01:00"),
        (6, EncodedData.of(DataType.LONG, -900), "2026-11-20 13:19:56+01:00"),
    ],
)
def test_the_clock_is_adjusted_to_the_nearest_step_or_shifted(method: int, parameter: EncodedData, shown: str) -> None:
    clock = ClockObject(measuring_period=3600)
    view = View(device_with(clock))
    assert view.act(8, CLOCK, method, parameter).result is ActionResult.SUCCESS
    assert str(clock.stamp(NOW)) == shown


def test_a_clock_with_inverted_deviation_reads_what_it_shows() -> None:
    clock = ClockObject(utc_offset=60, inverted_deviation=True)
    view = View(device_with(clock))
    shown = view.get(8, CLOCK, 2)
    assert DateTime(shown.value()).deviation == view.get(8, CLOCK, 3).value() == 60
    assert view.set(8, CLOCK, 2, shown) is DataAccessResult.SUCCESS
    assert clock.time(NOW) == NOW
