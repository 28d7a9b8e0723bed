"""Virtual time: it passes only from call to call, so that hours of a slow line are tested in a moment.

Calls are made in the order of their times; those of one time in the order in which they were asked for. Nothing else
decides, so that the same test takes the same course every time. The calls have the names of an event loop's
(``call_soon``, ``call_later``, ``call_at``, ``time``), and an instance is a clock itself: ``clock=VirtualTime()``.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

MOST_CALLS_AT_ONCE: Final = 1_000_000
"""Calls at one time, in a row, after which time is taken to stand still."""


class Timer:
    """A call that is to be made; :meth:`cancel` takes it back."""

    __slots__ = ("_call", "when")

    def __init__(self, when: float, call: Callable[[], object]) -> None:
        self.when = when
        self._call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Make the call no more. Does no harm when repeated, or after the call."""
        self._call = None

    def cancelled(self) -> bool:
        """Whether there is nothing to call any more."""
        return self._call is None

    def run(self) -> None:
        """Make the call, once."""
        call, self._call = self._call, None
        if call is not None:
            call()


class VirtualTime:
    """Seconds since some beginning, and the calls that wait for their time.

    now: where it begins; not 0, so that a deadline of 0 lies in the past as on a real clock.
    """

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self._calls: list[tuple[float, int, Timer]] = []
        self._number = 0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def time(self) -> float:
        """Return the time."""
        return self.now

    def call_at(self, when: float, call: Callable[..., object], *arguments: object) -> Timer:
        """Call at that time; at once (but not from within) where it has passed."""
        timer = Timer(max(when, self.now), (lambda: call(*arguments)) if arguments else call)
        self._number += 1
        heappush(self._calls, (timer.when, self._number, timer))
        return timer

    def call_later(self, delay: float, call: Callable[..., object], *arguments: object) -> Timer:
        """Call after so many seconds."""
        return self.call_at(self.now + delay, call, *arguments)

    def call_soon(self, call: Callable[..., object], *arguments: object) -> Timer:
        """Call after what is due now."""
        return self.call_at(self.now, call, *arguments)

    @property
    def next_call(self) -> float | None:
        """When the next call is due; None where none is waiting."""
        calls = self._calls
        while calls and calls[0][2].cancelled():
            heappop(calls)
        return calls[0][0] if calls else None

    def run_until_idle(self, limit: float = 3600.0) -> bool:
        """Make all calls, for ``limit`` seconds at most; return whether none is left.

        Time stands at the last call made, or at the limit. Raises RuntimeError where time does not go on.
        """
        return self._run(self.now + limit, None)

    def run_until(self, condition: Callable[[], object], limit: float = 3600.0) -> bool:
        """Make calls until the condition holds, for ``limit`` seconds at most; return whether it holds."""
        return bool(condition()) or self._run(self.now + limit, condition)

    def run_for(self, seconds: float) -> None:
        """Let so many seconds pass."""
        end = self.now + seconds
        self._run(end, None)
        self.now = end

    def _run(self, end: float, condition: Callable[[], object] | None) -> bool:
        calls, at_once = self._calls, 0
        while calls:
            when, _, timer = calls[0]
            if timer.cancelled():
                heappop(calls)
                continue
            if when > end:
                self.now = end
                return False
            heappop(calls)
            at_once = at_once + 1 if when == self.now else 0
            if at_once > MOST_CALLS_AT_ONCE:
                raise RuntimeError(f"{MOST_CALLS_AT_ONCE} calls, and it is still {when} s: something calls itself")
            self.now = when
            timer.run()
            if condition is not None and condition():
                return True
        return condition is None
