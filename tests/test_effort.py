"""What `make check` leaves out is few of what takes long, the same each time, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings

from tests.effort import ALL_CASES, SOME_CASES, examples, mark_further_cases


class Case(SimpleNamespace):
    """As much of a collected test as is looked at."""

    def __init__(self, nodeid: str, *marks: str) -> None:
        super().__init__(nodeid=nodeid, marks=set(marks))

    def get_closest_marker(self, name: str) -> Any:
        return name if name in self.marks else None

    def add_marker(self, name: str) -> None:
        self.marks.add(name)


def cases(name: str, count: int, *marks: str) -> list[Any]:
    return [Case(f"tests/test_it.py::{name}[{number}]", *marks) for number in range(count)]


def left_out(of: list[Any]) -> list[str]:
    mark_further_cases(of)
    return [case.nodeid for case in of if "further" in case.marks]


def test_of_many_cases_as_many_are_run_as_is_said_and_always_the_same() -> None:
    found = left_out([*cases("test_one", 500), *cases("test_other", 500)])
    assert len(found) == 2 * (500 - SOME_CASES)
    assert found == left_out([*cases("test_one", 500), *cases("test_other", 500)])


def test_few_cases_are_all_run_and_slow_ones_do_not_count() -> None:
    assert left_out(cases("test_it", ALL_CASES) + cases("test_it", 500, "slow")) == []


@pytest.mark.parametrize(("profile", "tried"), [("check", [3, 10, 10]), ("test", [3, 60, 300])])
def test_examples_are_as_many_as_are_asked_for_and_fewer_in_a_check(
    profile: str, tried: list[int], request: pytest.FixtureRequest
) -> None:
    settings.load_profile(profile)
    try:
        assert [examples(most).max_examples for most in (3, 60, 300)] == tried
    finally:
        settings.load_profile(request.config.getoption("--hypothesis-profile") or "test")
