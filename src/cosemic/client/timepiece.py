"""The true time, as far as this side knows it: what clocks of meters are compared with and set by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from cosemic.errors import ConfigurationError

TimeSource = Callable[[], dt.datetime]
"""Returns the time, aware. Another one than the clock of this machine may be a reference over the network."""


def machine_time() -> dt.datetime:
    """Return the time of this machine, in UTC."""
    return dt.datetime.now(dt.UTC)


def true_time(source: TimeSource) -> dt.datetime:
    """Ask a time source. Raises ConfigurationError where it gives a naive time."""
    now = source()
    if now.tzinfo is None:
        raise ConfigurationError(f"the time source gives {now} without time zone: return an aware datetime")
    return now
