"""Script tables: actions in their order, without rights, as one; and scripts that the device itself knows (class 9)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, EncodeError, StoreError
from cosemic.model import ActionSpecification, Clock, Data, Register, ScalerUnit, Script, ScriptTable
from cosemic.model.schedules import ServiceId
from cosemic.server.objects import AccessRefused, CosemObject, data
from cosemic.server.scripts import NO_SCRIPT, ScriptTableObject, executing, run_script, writing
from cosemic.server.state import StateFile
from cosemic.values import DataAccessResult, Obis, Unit
from tests.server.time_support import CLOCK, SCRIPTS, Running, script, utc

NOW = utc(2026, 7, 1, 12)
TABLE = "0-0:10.0.1"
VALUE, OTHER_VALUE, FIXED = "0-0:96.13.0", "0-0:96.13.1", "0-0:96.1.0"
OTHER = DataAccessResult.OTHER_REASON


def number(value: int) -> tuple[DataType, int]:
    return DataType.UNSIGNED, value


def running_with(scripts: Any, **options: Any) -> Running:
    running = Running(NOW)
    for name in (VALUE, OTHER_VALUE):
        running.device.add(data(name, DataType.UNSIGNED, 0, writable=True))
    running.device.add(data(FIXED, DataType.UNSIGNED, 0))
    running.device.add(ScriptTableObject(running.device, TABLE, scripts, **options))
    return running


def execute(running: Running, identifier: int) -> str:
    return running.act(9, TABLE, 1, EncodedData.of(DataType.LONG_UNSIGNED, identifier))


def values(running: Running) -> list[int]:
    return [running.view.get(1, name, 2).value() for name in (VALUE, OTHER_VALUE)]


def encoded(*scripts: Script) -> EncodedData:
    return EncodedData.from_typed(ScriptTable.scripts.type.encode(scripts))


def test_actions_are_done_in_their_order_at_the_time_of_the_device() -> None:
    seen: list[Any] = []
    running = running_with(
        {
            1: [
                writing(Data(VALUE).value, number(5)),
                executing(Register("1-0:1.8.0").reset),
                executing(Clock(CLOCK).shift_time, 60),
            ]
        }
    )

    def reset(parameter: int, situation: Any) -> None:
        seen.append((parameter, situation.now, situation.client_sap, values(running)[0]))

    register = {"value": (DataType.UNSIGNED, 1), "scaler_unit": ScalerUnit(0, Unit.of("Wh"))}
    running.device.add(CosemObject(Register("1-0:1.8.0"), register, methods={"reset": reset}))
    assert execute(running, 1) == "success"
    assert seen == [(0, NOW, 0, 5)]
    assert running.clock.offset == dt.timedelta(seconds=60)


def test_a_script_needs_no_rights_of_its_client() -> None:
    running = running_with({1: [writing(Data(VALUE).value, number(5))]})
    client = running.device.client(16)
    assert client is not None
    assert execute(running, 1) == "success"
    assert values(running)[0] == 5


def test_what_was_run_is_told_with_its_result() -> None:
    running = running_with({1: [writing(Data(VALUE).value, number(5))], 2: [writing(Data(FIXED).value, number(5))]})
    for identifier in (1, 2, 3):
        execute(running, identifier)
    told = [dict(one.details) for one in running.happened if one.name == "script-executed"]
    assert told == [{"script_table": Obis(TABLE), "script_identifier": 1, "result": DataAccessResult.SUCCESS}]


def test_nothing_is_done_where_a_target_is_not_there() -> None:
    first = writing(Data(VALUE).value, number(5))
    running = running_with(
        {
            1: [first, writing(Data("0-0:96.99.0").value, number(1))],
            2: [first, writing(Data(FIXED).value, number(1))],
            3: [first, executing(Register("1-0:1.8.0").reset)],
            4: [first, ActionSpecification(ServiceId.EXECUTE_METHOD, 1, Obis(VALUE), 1, number(0))],
        }
    )
    for identifier in (1, 2, 3, 4, 99):
        assert execute(running, identifier) == "other-reason"
    assert values(running) == [0, 0]


def test_actions_behind_one_that_is_refused_are_left_out() -> None:
    running = running_with(
        {
            1: [
                writing(Data(VALUE).value, number(5)),
                writing(Data(VALUE).value, (DataType.LONG, 5)),  # not of the type that is there
                writing(Data(OTHER_VALUE).value, number(5)),
            ]
        }
    )
    assert execute(running, 1) == "other-reason"
    assert values(running) == [5, 0]
    assert running.happened[-1].details["result"] is DataAccessResult.TYPE_UNMATCHED


def test_a_built_in_script_is_a_function_of_the_time() -> None:
    ran: list[dt.datetime] = []
    running = running_with({1: ran.append})
    assert execute(running, 1) == "success"
    assert ran == [NOW]
    assert running.view.get(9, TABLE, 2) == encoded(Script(1, ()))


def test_a_built_in_script_may_refuse() -> None:
    def refuse(at: dt.datetime) -> None:
        raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)

    running = running_with({1: refuse})
    assert execute(running, 1) == "other-reason"
    assert running.happened[-1].details["result"] is DataAccessResult.TEMPORARY_FAILURE


def test_scripts_that_lead_to_themselves_come_to_an_end() -> None:
    table = ScriptTable(TABLE)
    running = running_with(
        {1: [executing(table.execute, 2), writing(Data(VALUE).value, number(1))], 2: [executing(table.execute, 1)]}
    )
    assert execute(running, 1) == "other-reason"
    results = [one.details["result"] for one in running.happened if one.name == "script-executed"]
    assert results == [DataAccessResult.TEMPORARY_FAILURE, DataAccessResult.OTHER_REASON]
    assert values(running) == [0, 0]
    assert execute(running, 2) == "other-reason"


def test_scripts_can_be_written() -> None:
    running = running_with({1: []})
    written = encoded(Script(7, (writing(Data(VALUE).value, number(9)),)), Script(8, ()))
    assert running.set(9, TABLE, 2, written) is DataAccessResult.SUCCESS
    assert running.view.get(9, TABLE, 2) == written
    assert (execute(running, 7), execute(running, 8), execute(running, 1)) == ("success", "success", "other-reason")
    assert values(running)[0] == 9


@pytest.mark.parametrize(
    ("scripts", "result"),
    [
        (encoded(Script(0, ())), OTHER),
        (encoded(Script(1, ()), Script(1, ())), OTHER),
        (encoded(Script(2, (writing(Data(VALUE).value, number(9)),))), OTHER),  # built in
        (EncodedData.of(DataType.ARRAY, ((DataType.UNSIGNED, 1),)), DataAccessResult.TYPE_UNMATCHED),
    ],
)
def test_scripts_that_cannot_be_told_apart_are_refused(scripts: EncodedData, result: DataAccessResult) -> None:
    ran: list[dt.datetime] = []
    running = running_with({1: [writing(Data(VALUE).value, number(9))], 2: ran.append})
    before = running.view.get(9, TABLE, 2)
    assert running.set(9, TABLE, 2, scripts) is result
    assert running.view.get(9, TABLE, 2) == before


def test_a_built_in_script_stays_when_scripts_are_written() -> None:
    ran: list[dt.datetime] = []
    running = running_with({2: ran.append})
    assert running.set(9, TABLE, 2, encoded(Script(1, ()), Script(2, ()))) is DataAccessResult.SUCCESS
    assert running.set(9, TABLE, 2, encoded()) is DataAccessResult.SUCCESS
    assert execute(running, 2) == "success"
    assert ran == [NOW]


def test_a_table_may_be_fixed() -> None:
    running = running_with({1: []}, writable=False)
    assert running.set(9, TABLE, 2, encoded()) is DataAccessResult.READ_WRITE_DENIED


def test_written_scripts_outlive_the_process(tmp_path: Path) -> None:
    def meter(file: StateFile) -> Running:
        running = Running(NOW, file.of("meter"))
        running.device.add(data(VALUE, DataType.UNSIGNED, 0, writable=True))
        running.device.add(ScriptTableObject(running.device, TABLE, {}))
        return running

    with StateFile(tmp_path / "state") as file:
        meter(file).set(9, TABLE, 2, encoded(Script(7, (writing(Data(VALUE).value, number(9)),))))
    with StateFile(tmp_path / "state") as file:
        assert execute(meter(file), 7) == "success"


def test_what_has_no_type_or_no_identifier_is_refused_when_the_table_is_made() -> None:
    running = Running(NOW)
    with pytest.raises(EncodeError):
        ScriptTableObject(
            running.device, TABLE, {1: [ActionSpecification(ServiceId.WRITE_ATTRIBUTE, 1, Obis(VALUE), 2, 5)]}
        )
    with pytest.raises(ConfigurationError, match="scripts cannot be"):
        ScriptTableObject(running.device, TABLE, {0: []})


def test_others_run_scripts_and_learn_whether_they_ran() -> None:
    running = Running(NOW)

    def broken(at: dt.datetime) -> None:
        raise EncodeError("a value that does not fit")

    running.device.add(ScriptTableObject(running.device, TABLE, {1: broken}))
    assert run_script(running.device, script(3), NOW)
    assert running.ran == [(NOW, 3)]
    assert run_script(running.device, NO_SCRIPT, NOW)
    assert not run_script(running.device, script(99), NOW)
    assert not run_script(running.device, type(NO_SCRIPT)(Obis("0-0:10.0.99"), 1), NOW)
    assert not run_script(running.device, type(NO_SCRIPT)(Obis(TABLE), 1), NOW)
    assert running.happened[-1].details["result"] is DataAccessResult.HARDWARE_FAULT
    assert script(3).script_logical_name == SCRIPTS


def test_state_that_cannot_be_kept_is_not_passed_over() -> None:
    running = Running(NOW)

    def broken(at: dt.datetime) -> None:
        raise StoreError("the disk is full")

    running.device.add(ScriptTableObject(running.device, TABLE, {1: broken}))
    with pytest.raises(StoreError):
        run_script(running.device, type(NO_SCRIPT)(Obis(TABLE), 1), NOW)
