"""What all tests share: hypothesis profiles, and a plain word when the vectors are not there.

Profiles: ``check`` (few examples, the same each time) for ``make check``, ``test`` otherwise; ``--hypothesis-profile``
chooses. Where ``CI`` is set Hypothesis itself draws the same examples in every run, so that red means changed code. No
deadlines: how long an example takes says more about the machine than about the code.
"""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

from cosemic.security import PROCESS_COUNTERS
from tests import vectors
from tests.effort import mark_further_cases

settings.register_profile("check", deadline=None, max_examples=10, derandomize=True, database=None)
settings.register_profile("test", deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("test")


_NUMBERS = itertools.count()
_TESTS_BETWEEN_FREEZES: Final = 500


def _freeze() -> None:
    """What modules, the collection and caches hold stays to the end: the collector need not look through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def _states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSEMIC_STATE", "")
        yield tmp_path_factory.getbasetemp()


@pytest.fixture(autouse=True)
def _own_state(_states: Path) -> None:
    """Counters that nobody names start anew in each test, as in a process and a home folder of its own.

    Without other fixtures: a test takes a millisecond, and so would they.
    """
    number = next(_NUMBERS)
    if number % _TESTS_BETWEEN_FREEZES == 0:
        _freeze()
    os.environ["COSEMIC_STATE"] = f"{_states}{os.sep}state-{number}"
    for kept in (PROCESS_COUNTERS._transmit, PROCESS_COUNTERS._receive, PROCESS_COUNTERS._counters):
        kept.clear()


@pytest.fixture
def pydlms() -> Any:
    return pytest.importorskip("pydlms", reason="pydlms-client is not installed (dependency group peers)")


@pytest.fixture
def children_uncovered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that a test starts take half as long where they do not measure their coverage."""
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_further_cases(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in vectors.absent():
        terminalreporter.write_line(f"tests skipped: {line}", yellow=True)
