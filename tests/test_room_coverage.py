"""The coverage table that ends `make test`."""

from __future__ import annotations

from typing import Any

import pytest

from tools.room_coverage import CORE, modules, ranges, show


def entry(
    statements: int, lines: int, branches: int = 0, taken: int = 0, missing: tuple[int, ...] = ()
) -> dict[str, Any]:
    numbers = {
        "num_statements": statements,
        "covered_lines": lines,
        "num_branches": branches,
        "covered_branches": taken,
    }
    return {"summary": numbers, "missing_lines": list(missing), "missing_branches": []}


def report(**changed: dict[str, Any]) -> dict[str, Any]:
    files = {f"src/cosemic/{room}/thing.py": entry(10, 10) for room in CORE} | {"src/cosemic/errors.py": entry(10, 1)}
    return {"files": files | {f"src/cosemic/{room}/thing.py": each for room, each in changed.items()}}


def test_all_core_rooms_at_the_floor_pass_and_other_rooms_do_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(report(codec=entry(50, 48, 50, 47)))
    assert "codec           95.0 %  core\n" in capsys.readouterr().out


def test_a_branch_too_few_fails_and_names_module_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert not show(report(codec=entry(50, 48, 50, 46, missing=(3, 4, 9))))
    assert "codec/thing.py: 94.0 %, not reached: 3-4, 9\n" in capsys.readouterr().out


def test_a_core_room_that_was_not_measured_fails(capsys: pytest.CaptureFixture[str]) -> None:
    without = report()
    del without["files"]["src/cosemic/link/thing.py"]
    assert not show(without)
    assert "link          not measured" in capsys.readouterr().out


def test_a_room_is_the_sum_of_its_modules() -> None:
    assert show(report() | {"files": report()["files"] | {"src/cosemic/link/hdlc/empty.py": entry(0, 0)}})
    assert not show({"files": report()["files"] | {"src/cosemic/link/hdlc/frame.py": entry(10, 0)}})


def test_paths_outside_the_package_are_left_out() -> None:
    assert (
        modules({"files": {"tests/test_it.py": entry(1, 1), "src\\cosemic\\codec\\data.py": entry(1, 1)}})[0].room
        == "codec"
    )


@pytest.mark.parametrize(
    ("lines", "text"),
    [((), ""), ((1,), "1"), ((1, 2, 3), "1-3"), ((1, 3), "1, 3"), ((1, 2, 9, 11, 12), "1-2, 9, 11-12")],
)
def test_line_numbers_are_joined(lines: tuple[int, ...], text: str) -> None:
    assert ranges(lines) == text
