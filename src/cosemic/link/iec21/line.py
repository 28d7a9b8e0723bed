"""One end of a half-duplex line: what is to be sent, changed and waited for, in its order and at its time.

A machine puts *steps*; they are taken one after the other::

    line.put(Quiet(0.2, 1.5), b"\\x06050\\r\\n", line_at(9600))

=============  ======================================================================================================
step           is over
=============  ======================================================================================================
octets         when they have been handed out; they leave the port at its rate
LineSettings   when they have been handed out; the driver sets them when what was sent before has left
Quiet          when nothing was on the line for ``least`` seconds, but after ``most`` at the latest
=============  ======================================================================================================

``Quiet`` is the reaction time t_r of IEC 62056-21, 6.4: both sides answer 200 (20) to 1500 ms after the last character.
The time at which octets have left is reckoned from their number and the rate, because no port tells it.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple, TypeAlias

from cosemic.link.contract import UNARMED, Octets
from cosemic.values import LineSettings

MOST_ECHO: Final = 1 << 16
"""Octets of which the echo is awaited at most."""
_NEVER: Final = float("-inf")


class Quiet(NamedTuple):
    """Wait until the line was quiet for ``least`` seconds; after ``most`` seconds go on all the same."""

    least: float
    most: float


Step: TypeAlias = bytes | LineSettings | Quiet


class EchoFilter:
    """Takes own octets out of what comes, as behind an optical head or a two-wire converter.

    An octet that differs while own octets are on the line is a damaged echo. Later it is the peer's: then there is no
    echo, and octets that were taken for it after the sending are given back.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._late = bytearray()

    def sent(self, octets: bytes) -> None:
        """Expect the echo of these octets."""
        self._pending += octets
        del self._pending[:-MOST_ECHO]
        self._late.clear()

    def received(self, octets: bytes, on_line: bool) -> bytes:
        """Return what of the octets is not echo. on_line: own octets are on the line still."""
        pending, late = self._pending, self._late
        for at, octet in enumerate(octets):
            if not pending:
                late.clear()
                return octets[at:]
            if not on_line:
                if octet != pending[0]:
                    pending.clear()
                    others = bytes(late) + octets[at:]
                    late.clear()
                    return others
                late.append(octet)
            del pending[0]
        return b""


class HalfDuplexLine:
    """The steps of one machine. settings: how the port is set; None: not known, so that it is set at first.

    echo: own octets come back and are taken out of what is heard.
    """

    def __init__(self, settings: LineSettings | None = None, *, echo: bool = False) -> None:
        self.settings = settings
        self.free_at = _NEVER
        """When what was handed out has left the port, as of the last :meth:`tick`."""
        self._heard_at = _NEVER
        self._steps: deque[Step] = deque()
        self._to_set: LineSettings | None = None
        self._leaving = 0.0
        self._untold = False
        self._quiet: tuple[float, float] | None = None
        self._echo = EchoFilter() if echo else None

    @property
    def busy(self) -> bool:
        """Whether a step is left, or the time of the last one has not been told yet."""
        return bool(self._steps) or self._untold

    @property
    def stepping(self) -> bool:
        """Whether a step is left, or a change of the line has not been taken."""
        return bool(self._steps) or self._to_set is not None

    @property
    def speaking(self) -> bool:
        """Whether octets wait for their turn."""
        return any(type(step) is bytes for step in self._steps)

    def put(self, *steps: Step) -> None:
        """Put steps behind those that are left."""
        self._steps.extend(steps)

    def octets_to_send(self) -> bytes:
        """Return the octets that are due; they end where the line changes."""
        steps, octets = self._steps, b""
        # What comes behind a change waits for the next tick: the change has to be made first.
        while self._to_set is None and not (self._untold and not octets) and steps:
            step = steps[0]
            if isinstance(step, Quiet):
                break
            steps.popleft()
            if isinstance(step, bytes):
                octets += step
            elif step != self.settings:
                self._leave(octets)
                self._to_set = self.settings = step
                self._untold = True
                return octets
        self._leave(octets)
        return octets

    def line_to_set(self) -> LineSettings | None:
        """Return the change that is due, once."""
        settings, self._to_set = self._to_set, None
        return settings

    def others_sent(self, octets: bytes) -> bytes:
        """Take note of octets that somebody else puts on this line, and return them."""
        self._leave(octets)
        return octets

    def heard(self, octets: Octets, now: float) -> bytes:
        """Take what came; return it without echo."""
        self.tick(now)
        others = bytes(octets)
        if self._echo is not None:
            others = self._echo.received(others, now <= self.free_at)
        self._heard_at = now
        if self._quiet is not None and isinstance(step := self._steps[0], Quiet):
            self._quiet = max(self._quiet[0], now + step.least), self._quiet[1]
        return others

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, None where nothing is left to do."""
        if self._untold or (self._steps and self._quiet is None):
            return UNARMED
        return None if self._quiet is None else min(self._quiet)

    def tick(self, now: float) -> None:
        """Tell the time."""
        if self._leaving:
            self.free_at = max(self.free_at, now) + self._leaving
        self._leaving, self._untold = 0.0, False
        while self._steps and isinstance(step := self._steps[0], Quiet):
            if self._quiet is None:
                begin = max(self.free_at, self._heard_at)
                self._quiet = max(now, begin + step.least), max(now, self.free_at) + step.most
            if now < min(self._quiet):
                return
            self._quiet = None
            self._steps.popleft()

    def _leave(self, octets: bytes) -> None:
        if not octets:
            return
        if self._echo is not None:
            self._echo.sent(octets)
        if self.settings is not None:
            self._leaving += self.settings.seconds(len(octets))
        self._untold = True
