"""What all tests share: hypothesis profiles, and a plain word when the vectors are not there.

Profiles: ``check`` (few examples, the same each time) for ``make check``, ``test`` otherwise; ``--hypothesis-profile``
chooses. Where ``CI`` is set Hypothesis itself draws the same examples in every run, so that red means changed code. No
deadlines: how long an example takes says more about the machine than about the code.
"""

from __future__ import annotations

import gc
import itertools

import pytest
from hypothesis import HealthCheck, settings

from cosemic.security import PROCESS_COUNTERS
from tests import vectors

settings.register_profile("check", deadline=None, max_examples=10, derandomize=True, database=None)
settings.register_profile("test", deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("test")


_NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters that nobody names go to a folder of the test, not to the user's."""
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path_factory.getbasetemp() / f"state-{next(_NUMBERS)}"))


@pytest.fixture(autouse=True)
def _own_counters() -> None:
    """Counters that nobody names start anew in each test, as in a process of its own."""
    for kept in (PROCESS_COUNTERS._transmit, PROCESS_COUNTERS._receive, PROCESS_COUNTERS._counters):
        kept.clear()


def pytest_collection_finish() -> None:
    """What modules and the collection made stays to the end; the collector need not look through it at each test."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in vectors.absent():
        terminalreporter.write_line(f"tests skipped: {line}", yellow=True)
