"""Every test of transports is watched for file descriptors that it leaves open."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """No test leaves a file descriptor open (where the system lists them)."""
    listing = "/proc/self/fd"
    before = len(os.listdir(listing)) if os.path.isdir(listing) else 0
    yield
    gc.collect()
    after = len(os.listdir(listing)) if os.path.isdir(listing) else 0
    assert after <= before
