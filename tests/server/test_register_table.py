"""The register table: the same attribute of objects that differ in value group E (class 61)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cosemic.codec import DataType
from cosemic.errors import ConfigurationError
from cosemic.model import RegisterTable, ScalerUnit, TableCellDefinition
from cosemic.server import LogicalDevice
from cosemic.server.metered_energy import MeteredEnergy, Supply
from cosemic.server.register_table import RegisterTableObject
from cosemic.values import Obis, Unit
from tests.server.running import REFUSED, START, SUCCESS, Running, curve

WATT_HOURS = ScalerUnit(0, Unit.of("Wh"))
TABLE = RegisterTable("1-0:98.10.0")
SOURCE = curve(100)


def definition(*numbers: Any, name: str = "1-0:1.8.255") -> TableCellDefinition:
    return TableCellDefinition(3, Obis(name), numbers, 2)


def build(device: LogicalDevice) -> RegisterTableObject:
    MeteredEnergy(device, Supply(device)).add("1-0:1.8.0", WATT_HOURS, SOURCE, tariffs=(7,))
    return device.add(
        RegisterTableObject(
            device,
            TABLE.instance_id,
            definition(0, 1, 4),
            WATT_HOURS,
            writable=("table_cell_definition", "scaler_unit"),
        )
    )


def test_cells_are_captured_together_and_what_cannot_be_read_is_null() -> None:
    meter = Running(build)
    assert meter.get(TABLE.table_cell_values) == ()
    assert meter.call(TABLE.capture) is SUCCESS
    assert meter.get(TABLE.table_cell_values) == (SOURCE(START), SOURCE(START), None)
    meter.after(hours=1)
    assert meter.get(TABLE.table_cell_values) == (SOURCE(START), SOURCE(START), None)


def test_captured_values_survive_and_reset_drops_them(tmp_path: Path) -> None:
    meter = Running(build, tmp_path / "state")
    assert meter.call(TABLE.capture) is SUCCESS
    meter.killed()
    assert len(meter.get(TABLE.table_cell_values)) == 3
    assert meter.call(TABLE.reset) is SUCCESS
    assert meter.get(TABLE.table_cell_values) == ()
    meter.killed()
    assert meter.get(TABLE.table_cell_values) == ()


def test_another_definition_drops_the_values_of_the_other_cells() -> None:
    meter = Running(build)
    assert meter.call(TABLE.capture) is SUCCESS
    assert meter.set(TABLE.scaler_unit, ScalerUnit(3, Unit.of("Wh"))) is SUCCESS
    assert len(meter.get(TABLE.table_cell_values)) == 3
    assert meter.set(TABLE.table_cell_definition, definition(1)) is SUCCESS
    assert meter.get(TABLE.table_cell_values) == ()
    assert meter.call(TABLE.capture) is SUCCESS
    assert meter.get(TABLE.table_cell_values) == (SOURCE(START),)


@pytest.mark.parametrize(
    "wanted",
    [
        definition(1, name="1-0:1.8.0"),
        definition(1, 1),
        definition((DataType.LONG_UNSIGNED, 256)),
        definition((DataType.OCTET_STRING, b"\x01")),
        definition((DataType.BOOLEAN, True)),
    ],
    ids=["no wildcard", "twice", "beyond", "octets", "boolean"],
)
def test_a_definition_that_names_no_objects_is_refused(wanted: TableCellDefinition) -> None:
    meter = Running(build)
    assert meter.set(TABLE.table_cell_definition, wanted) is REFUSED
    assert meter.get(TABLE.table_cell_definition) == definition(0, 1, 4)
    with pytest.raises(ConfigurationError):
        RegisterTableObject(meter.device, TABLE.instance_id, wanted, WATT_HOURS)
