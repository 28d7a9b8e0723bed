"""Conversations between a client and a server of the application layer, whatever they agree upon: so many steps.

The machinery, and the plain model that says what has to come of each step, are those of the tests
(tests/association/whole_layer.py). Of a failure the shortest steps that show it are printed.
"""

from __future__ import annotations

import time

from tests.association import whole_layer_machine

_SHOWN_EVERY = 10.0
"""Seconds."""


class _Progress:
    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._began = self._shown = time.monotonic()

    def told(self, done: int) -> None:
        """Show how far it is, now and then."""
        now = time.monotonic()
        if now - self._shown > _SHOWN_EVERY:
            self._shown = now
            where = f"of {self._steps:,}" if done <= self._steps else "(looking for the shortest steps that fail)"
            print(f"step {done:,} {where}, {done / (now - self._began):,.0f} a second", flush=True)


def soak_associations(steps: int, seed: int) -> str:
    """Run so many steps; returns a summary. Raises what fails, with the shortest steps that show it as notes."""
    began = time.monotonic()
    done = whole_layer_machine.run(steps, seed, _Progress(steps).told)
    return f"{done:,} steps of client and server in {time.monotonic() - began:,.0f} s"
