"""An event loop of asyncio in virtual time: code of asyncio runs over simulated media as it stands, without waiting.

::

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(time)) as runner:
        runner.run(scenario())

When no task can go on, time passes to the next call: a timer of the loop, or one of :class:`VirtualTime`. Where neither
is left nothing can happen any more, and RuntimeError is raised instead of waiting for ever; so no threads and sockets.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

from cosemic.faults.virtual_time import VirtualTime


class _NoWaiting(selectors.DefaultSelector):
    """Lets virtual time pass where others wait for files."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time

    def select(self, timeout: float | None = None) -> list[Any]:
        """Make the next calls, up to the timeout."""
        ready = super().select(0)
        time = self._time
        following = time.next_call
        if not ready and timeout is None and following is None:
            raise RuntimeError("nothing is left that could happen, and somebody waits for it")
        if timeout == 0:
            time.run_for(0)
        elif not ready and following is not None and (timeout is None or following <= time.now + timeout):
            time.run_for(following - time.now)
        elif not ready and timeout is not None:
            time.run_for(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__(_NoWaiting(time))
        self._virtual_time = time

    def time(self) -> float:
        """Return the virtual time."""
        return self._virtual_time.now
