"""What all tests share: hypothesis profiles, and a plain word when the vectors are not there.

Profiles: ``check`` (few examples, the same each time) for ``make check``, ``test`` otherwise; ``--hypothesis-profile``
chooses. Where ``CI`` is set Hypothesis itself draws the same examples in every run, so that red means changed code. No
deadlines: how long an example takes says more about the machine than about the code.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests import vectors

settings.register_profile("check", deadline=None, max_examples=30, derandomize=True, database=None)
settings.register_profile("test", deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("test")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in vectors.absent():
        terminalreporter.write_line(f"tests skipped: {line}", yellow=True)
