"""Faults on the way between a client and a simulated meter: no answer, slow answers, resets, reboots.

::

    medium  --octets-->  FaultyConnection  --octets-->  MeterConnection of the device
    medium  <--octets--  FaultyConnection  <--answer--  MeterConnection of the device

One answer is what the device writes at once: of a link with frames of its own, each burst of them. Of an answer that is
cut off by a reset half is sent; the one at which the meter is rebooted is lost, and what was asked for is done. Where
there is no power the connection is reset; on UDP and at a serial port, where no reset is to be seen, the meter falls
silent and knows nothing of what was before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from cosemic.errors import TransportError
from cosemic.server import MeterConnection
from cosemic.simulator.faults import Faults, NoAnswer, Reboot, Reset, Slow
from cosemic.transport.contract import Connection
from cosemic.transport.outlet import LineControl
from cosemic.transport.tcp import TcpConnection
from cosemic.values import LineSettings

MOST_BEFORE_RESET: Final = 10
MOST_BEFORE_REBOOT: Final = 20
"""Answers, where a fault does not say."""


class Place(Protocol):
    """What a connection needs of the place of its meter."""

    @property
    def faults(self) -> Faults:
        """Its faults."""

    def prepare(self) -> bool:
        """Let faults of the device take effect; return whether it has power."""

    def reboot(self) -> None:
        """Have the device made anew, and all connections reset."""

    def left(self, connection: FaultyConnection) -> None:
        """Learn that a connection has ended."""


class FaultyConnection:
    """A connection to the meter of a place: the receiver of what comes, and the connection that the device sees.

    number: of the connection, by which chance cuts it. answering: makes what answers on a connection.
    """

    def __init__(
        self, place: Place, connection: Connection, number: int, answering: Callable[[Connection], MeterConnection]
    ) -> None:
        self._place = place
        self._connection = connection
        self._number = number
        self._answers = 0
        self._ended = False
        self._mute = False
        self._ready = 0.0
        """By the clock of the event loop: when the last answer leaves, where answers are late."""
        self._receiver = answering(self)

    # ---- towards the medium -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Let a link that sends or waits before anything comes begin."""
        self._receiver.begin()

    def octets_received(self, octets: bytes, /) -> None:
        """Hand on what came, unless a fault keeps it back."""
        if not self._place.prepare():
            self.reset()
            return
        silent = self._place.faults.active(NoAnswer)
        if silent is None or silent.executes:
            self._mute = silent is not None
            self._receiver.octets_received(octets)

    def connection_lost(self, error: TransportError | None, /) -> None:
        """Tell the device, and the place."""
        self._ended = True
        self._place.left(self)
        self._receiver.connection_lost(error)

    # ---- towards the device -----------------------------------------------------------------------------------------

    @property
    def peer(self) -> str:
        """The other end."""
        return self._connection.peer

    def write(self, octets: bytes, /) -> None:
        """Send an answer, unless a fault keeps it back."""
        if self._ended or self._mute:
            return
        self._answers += 1
        faults = self._place.faults
        if self._reboots(faults):
            self._place.reboot()
        elif self._is_cut(faults):
            self._connection.write(octets[: len(octets) // 2])
            self.reset()
        else:
            slow = faults.active(Slow)
            self._send(octets, 0.0 if slow is None else slow.delay)

    def set_line(self, line: LineSettings, /) -> None:
        """Set the port, where there is one, after the answers that are late."""
        loop = asyncio.get_running_loop()
        if self._ready > loop.time():
            loop.call_at(self._ready, self._set_line, line)
        else:
            self._set_line(line)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def reset(self) -> None:
        """Have the client see a reset, where the medium can show one."""
        self._ended = True
        if isinstance(self._connection, TcpConnection):
            self._connection.reset()
        else:
            self._connection.close()

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _reboots(self, faults: Faults) -> bool:
        reboot = faults.active(Reboot)
        if reboot is None:
            return False
        after = faults.drawn(Reboot, 0, MOST_BEFORE_REBOOT) if reboot.after is None else reboot.after
        return faults.answers(Reboot) == after

    def _is_cut(self, faults: Faults) -> bool:
        reset = faults.active(Reset)
        if reset is None:
            return False
        after = faults.drawn(Reset, self._number, MOST_BEFORE_RESET) if reset.after is None else reset.after
        return self._answers >= after

    def _send(self, octets: bytes, delay: float) -> None:
        """Send octets after a time, behind those that wait already."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not delay and self._ready <= now:
            self._connection.write(octets)
            return
        self._ready = max(self._ready, now + delay)
        loop.call_at(self._ready, self._send_late, octets)

    def _set_line(self, line: LineSettings) -> None:
        if not self._ended and isinstance(self._connection, LineControl):
            self._connection.set_line(line)

    def _send_late(self, octets: bytes) -> None:
        if not self._ended:
            self._connection.write(octets)
