"""How much a run tries: `make test` everything, `make check` a part that is the same each time.

Of a test with many cases, `make check` runs some; the others are marked ``further``. Of drawn examples it tries as many
as its Hypothesis profile says, however many more a test asks for.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from hypothesis import settings

ALL_CASES: Final = 16
"""A test with so many cases or fewer is always run whole."""
SOME_CASES: Final = 12
"""Of a test with more of them, so many are run by `make check`."""


def examples(most: int, **others: Any) -> settings:
    """Return Hypothesis settings with ``most`` examples, in `make check` no more than elsewhere."""
    usual = settings.default
    assert usual is not None
    some = usual.max_examples < settings.get_profile("test").max_examples
    return settings(max_examples=min(most, usual.max_examples) if some else most, **others)


@contextmanager
def uncovered() -> Iterator[None]:
    """Do not measure coverage within: work of minutes that reaches no line which others leave out takes half as long.

    What ``@pytest.mark.no_cover`` is for a test, this is for a part of one, or for a fixture.
    """
    coverage = sys.modules.get("coverage")
    measured = coverage.Coverage.current() if coverage is not None else None
    if measured is not None:
        measured.stop()
    try:
        yield
    finally:
        if measured is not None:
            measured.start()


def mark_further_cases(items: Iterable[pytest.Item]) -> None:
    """Mark the cases that `make check` leaves out: which ones, the name of the test says."""
    cases = defaultdict(list)
    for item in items:
        if item.get_closest_marker("slow") is None:
            cases[item.nodeid.partition("[")[0]].append(item)
    for name, group in cases.items():
        if len(group) > ALL_CASES:
            kept = set(random.Random(name).sample(range(len(group)), SOME_CASES))
            for number, item in enumerate(group):
                if number not in kept:
                    item.add_marker("further")
