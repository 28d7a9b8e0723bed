"""The time that simulated meters live in: as fast as that of the machine, faster, or step by step.

::

    Time(speed=60)                                    a minute each second, from now on
    Time(dt.datetime(2026, 3, 1, tzinfo=dt.UTC))      the first of March, going on as fast as it does here
    time = Time(start, speed=0)                       stands still ...
    time.step(hours=1)                                ... but for this

It is given to meters as their ``now``. Time that is kept in a state goes on from there in the next process, as if it
had gone on meanwhile: a simulated year may pass over night.
"""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable
from typing import Final, Self

from cosemic.errors import ConfigurationError
from cosemic.server.logical_device import utc_now
from cosemic.server.state import Memory, load_json, save_json

_KEPT_AS: Final = "time"


class Time:
    """A time that passes.

    start: aware; None: now. speed: simulated seconds for each second; 0 stands still. clock: tells the seconds of the
    machine. Raises ConfigurationError.
    """

    def __init__(
        self, start: dt.datetime | None = None, speed: float = 1.0, *, clock: Callable[[], float] = time.time
    ) -> None:
        if start is not None and start.utcoffset() is None:
            raise ConfigurationError(f"a start has an offset from UTC: {start.isoformat()}Z")
        self._clock = clock
        self._since = clock()
        self._start = utc_now() if start is None else start.astimezone(dt.UTC)
        self._speed = _checked(speed)

    def __call__(self) -> dt.datetime:
        """Return what time it is, aware. Raises ConfigurationError at the end of the calendar."""
        try:
            return self._start + dt.timedelta(seconds=(self._clock() - self._since) * self._speed)
        except OverflowError:
            raise ConfigurationError("simulated time has come to the end of the calendar: start anew") from None

    @property
    def speed(self) -> float:
        """Simulated seconds for each second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        speed = _checked(speed)
        self._start, self._since = self(), self._clock()
        self._speed = speed

    def step(self, **by: float) -> dt.datetime:
        """Let time pass at once, and return what time it is then; by: as of timedelta (``minutes=15``)."""
        self._start += dt.timedelta(**by)
        return self()

    @staticmethod
    def is_kept(memory: Memory) -> bool:
        """Whether a memory keeps a time. Raises StoreError."""
        return memory.load(_KEPT_AS) is not None

    @classmethod
    def kept(
        cls,
        memory: Memory,
        start: dt.datetime | None = None,
        speed: float = 1.0,
        *,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Return the time that a memory keeps, at this speed from now on; a new one where it keeps none.

        Raises ConfigurationError, StoreError.
        """
        made = cls(start, speed, clock=clock)
        kept = load_json(memory, _KEPT_AS)
        if kept is not None:
            begun, since, its_speed = kept
            made._start = dt.datetime.fromisoformat(begun) + dt.timedelta(seconds=(made._since - since) * its_speed)
        save_json(memory, _KEPT_AS, [made._start.isoformat(), made._since, made._speed])
        return made


def _checked(speed: float) -> float:
    if not (math.isfinite(speed) and speed >= 0):
        raise ConfigurationError(f"time passes at a speed of 0 or more, not {speed}")
    return speed
