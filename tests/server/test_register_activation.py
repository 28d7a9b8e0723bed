"""Register activation: which registers count under which mask (class 6)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import ObjectDefinition, RegisterActivation, RegisterActMask
from cosemic.server.register_activation import RegisterActivationObject
from cosemic.server.scripts import ScriptTableObject, writing
from cosemic.server.state import StateFile
from cosemic.values import DataAccessResult, Obis
from tests.server.time_support import Running, utc

NAME = "0-0:14.0.0"
NOW = utc(2026, 7, 1, 12)
T1, T2, EXPORT, TOTAL = (
    ObjectDefinition(3, Obis(name)) for name in ("1-0:1.8.1", "1-0:1.8.2", "1-0:2.8.0", "1-0:1.8.0")
)
DAY, NIGHT = RegisterActMask(b"day", (1, 3)), RegisterActMask(b"night", (2, 3))
OTHER = DataAccessResult.OTHER_REASON
SUCCESS = DataAccessResult.SUCCESS


def activation(running: Running, mask: bytes = b"day", **options: Any) -> RegisterActivationObject:
    return running.device.add(RegisterActivationObject(NAME, (T1, T2, EXPORT), (DAY, NIGHT), mask, **options))


def counting(served: RegisterActivationObject) -> list[ObjectDefinition]:
    return [one for one in (T1, T2, EXPORT, TOTAL) if served.active(one.class_id, one.logical_name)]


def write(running: Running, attribute: int, value: Any) -> DataAccessResult:
    declared = RegisterActivation.attributes[attribute].type
    return running.set(6, NAME, attribute, EncodedData.from_typed(declared.encode(value)))


def call(running: Running, method: int, value: Any) -> str:
    declared = RegisterActivation.methods[method].parameter
    return running.act(6, NAME, method, EncodedData.from_typed(declared.encode(value)))


def test_registers_of_the_active_mask_count_and_those_that_are_not_assigned() -> None:
    running = Running(NOW)
    served = activation(running)
    assert counting(served) == [T1, EXPORT, TOTAL]
    assert write(running, 4, b"night") is SUCCESS
    assert counting(served) == [T2, EXPORT, TOTAL]
    assert write(running, 4, b"") is SUCCESS
    assert counting(served) == [TOTAL]
    assert served.active_mask == b""
    assert served.active(4, T1.logical_name)  # of another class


def test_a_script_switches_the_tariff_and_who_counts_is_told_before() -> None:
    running = Running(NOW)
    served = activation(running, writable=False)
    told: list[tuple[dt.datetime, list[ObjectDefinition]]] = []
    served.changing.append(lambda at: told.append((at, counting(served))))
    switch = [writing(RegisterActivation(NAME).active_mask, b"night")]
    running.device.add(ScriptTableObject(running.device, "0-0:10.0.101", {2: switch})).execute(2, NOW)
    assert told == [(NOW, [T1, EXPORT, TOTAL])]
    assert counting(served) == [T2, EXPORT, TOTAL]


def test_what_is_refused_is_not_told() -> None:
    running = Running(NOW)
    served = activation(running)
    told: list[dt.datetime] = []
    served.changing.append(told.append)
    assert write(running, 4, b"noon") is OTHER
    assert told == []
    assert served.active_mask == b"day"


def test_registers_and_masks_are_added() -> None:
    running = Running(NOW)
    served = activation(running)
    assert call(running, 1, TOTAL) == "success"
    assert counting(served) == [T1, EXPORT]
    assert call(running, 2, RegisterActMask(b"all", (1, 2, 3, 4))) == "success"
    assert write(running, 4, b"all") is SUCCESS
    assert counting(served) == [T1, T2, EXPORT, TOTAL]
    assert call(running, 2, RegisterActMask(b"all", (4,))) == "success"
    assert counting(served) == [TOTAL]
    assert [mask[0] for mask in running.view.get(6, NAME, 3).value()] == [b"day", b"night", b"all"]


def test_masks_are_deleted_but_not_the_active_one() -> None:
    running = Running(NOW)
    served = activation(running)
    assert call(running, 3, b"day") == "temporary-failure"
    assert call(running, 3, b"noon") == "other-reason"
    assert call(running, 3, b"night") == "success"
    assert write(running, 4, b"night") is OTHER
    assert write(running, 3, ()) is DataAccessResult.TEMPORARY_FAILURE
    assert write(running, 4, b"") is SUCCESS
    assert call(running, 3, b"day") == "success"
    assert counting(served) == [TOTAL]


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (2, (T1, T2)),  # the masks want a third
        (2, (T1, T2, T2)),
        (3, (DAY, DAY)),
        (3, (DAY, RegisterActMask(b"", (1,)))),
        (3, (DAY, RegisterActMask(b"x", (4,)))),
        (3, (DAY, RegisterActMask(b"x", (0,)))),
    ],
)
def test_tables_that_do_not_go_together_are_refused(attribute: int, value: Any) -> None:
    running = Running(NOW)
    activation(running)
    before = [running.view.get(6, NAME, number) for number in (2, 3, 4)]
    assert write(running, attribute, value) is OTHER
    assert [running.view.get(6, NAME, number) for number in (2, 3, 4)] == before


def test_a_register_is_assigned_once_and_a_mask_has_registers_that_are() -> None:
    running = Running(NOW)
    activation(running)
    assert call(running, 1, T1) == "other-reason"
    assert call(running, 2, RegisterActMask(b"x", (4,))) == "other-reason"


def test_what_cannot_be_is_refused_when_the_object_is_made() -> None:
    with pytest.raises(ConfigurationError, match="active_mask cannot be"):
        RegisterActivationObject(NAME, (T1, T2, EXPORT), (DAY,), b"night")
    with pytest.raises(ConfigurationError, match="register_assignment cannot be"):
        RegisterActivationObject(NAME, (T1,), (DAY,), b"day")


def test_tables_may_be_fixed_while_the_mask_is_not() -> None:
    running = Running(NOW)
    activation(running, writable=False)
    assert write(running, 2, ()) is DataAccessResult.READ_WRITE_DENIED
    assert write(running, 3, ()) is DataAccessResult.READ_WRITE_DENIED
    assert write(running, 4, b"night") is SUCCESS


def test_the_mask_outlives_the_process(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        running = Running(NOW, file.of("meter"))
        activation(running)
        write(running, 4, b"night")
        call(running, 1, TOTAL)
    with StateFile(tmp_path / "state") as file:
        served = activation(Running(NOW, file.of("meter")))
        assert counting(served) == [T2, EXPORT]


def test_a_mask_is_an_octet_string() -> None:
    running = Running(NOW)
    activation(running)
    assert running.set(6, NAME, 4, EncodedData.of(DataType.UNSIGNED, 1)) is DataAccessResult.TYPE_UNMATCHED
