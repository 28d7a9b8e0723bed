"""Moments as the client takes them: the true time, by which clocks of meters are compared and set, and naive times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from cosemic.errors import ConfigurationError

TimeSource = Callable[[], dt.datetime]
"""Returns the time, aware. Another one than the clock of this machine may be a reference over the network."""


def machine_time() -> dt.datetime:
    """Return the time of this machine, in UTC."""
    return dt.datetime.now(dt.UTC)


def aware(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return a moment as it is where it is aware; a naive one is in the zone."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def true_time(source: TimeSource) -> dt.datetime:
    """Ask a time source. Raises ConfigurationError where it gives a naive time."""
    now = source()
    if now.tzinfo is None:
        raise ConfigurationError(f"the time source gives {now} without time zone: return an aware datetime")
    return now
