"""The table of services: each row has a test, which fails when the feature is switched off."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from tools.service_table import ROOT, TABLE, Row, proved, rows, table, wrong_in

pytestmark = pytest.mark.usefixtures("children_uncovered")

ROWS = rows()
SAMPLE = 60
"""Rows that are proved here; `make services` proves them all."""


def test_each_row_has_a_test_and_can_be_switched_off_and_the_table_is_written_from_them() -> None:
    assert wrong_in(ROWS) == []
    assert TABLE.read_text(encoding="utf-8") == table(ROWS)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS[:: len(ROWS) // SAMPLE or 1], ids=lambda row: row.title)
def test_a_row_counts(row: Row) -> None:
    assert proved(row) is None


@pytest.mark.slow
def test_a_row_whose_test_does_not_see_the_feature_does_not_count() -> None:
    row = replace(ROWS[0], test="tests/values/test_obis.py")
    assert proved(row) == "its test passes though it is switched off"


def test_rows_that_cannot_be_proved_are_named() -> None:
    row = replace(
        ROWS[0], old="this is nowhere", test="tests/values/test_obis.py::test_that_is_not_there", role="meter"
    )
    wrong = [line.removeprefix(f"{row.title}: ") for line in wrong_in([row, row])]
    one = [
        "the role is one of client, server, both",
        "there is no tests/values/test_obis.py::test_that_is_not_there",
        f"{row.module} has 0 times: this is nowhere",
    ]
    assert wrong == [*one, *one, "twice"]


def test_what_is_not_there_cannot_be_switched_off() -> None:
    command = [
        sys.executable,
        "tools/switched_off.py",
        "values.obis",
        "this is nowhere",
        "",
        "tests/values/test_obis.py",
    ]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 70
