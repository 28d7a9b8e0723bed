"""The place of one simulated meter: its port, its faults, and the device, which is there while somebody talks to it.

::

    listening    somebody connects: the device is made, or made anew from its state
    connected    faults stand between the connection and the device (:mod:`cosemic.simulator.faulty_connection`)
    idle         some time after the last connection has ended the device is let go; its state stays

So a meter that nobody reads costs little more than its port. What it has missed meanwhile it lives through when it is
made: some 20 ms for each day. A reboot makes the device anew while it is talked to.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Final, NamedTuple

from cosemic.errors import CosemicError
from cosemic.security import CounterStore
from cosemic.server import MeterServer, PhysicalDevice
from cosemic.server.state import StateFile
from cosemic.simulator.device_faults import DeviceFaults
from cosemic.simulator.faults import Faults, Gaps
from cosemic.simulator.faulty_connection import FaultyConnection
from cosemic.simulator.meter import SimulatedMeter, logical_device_name
from cosemic.simulator.plan import MeterPlan
from cosemic.transport.contract import Receiver
from cosemic.transport.tcp import TcpConnection

IDLE: Final = 60.0
"""Seconds after which a device is let go."""


class _Made(NamedTuple):
    """A device that is there."""

    meter: SimulatedMeter
    physical: PhysicalDevice
    faults: DeviceFaults


class Site(MeterServer):
    """A simulated meter behind a TCP port.

    plan: what it is like. now: simulated time. state: gives the file that keeps what happens to it. counters: where its
    invocation counters are kept. idle: seconds after the last connection until the device is let go. made: called with
    each device that is made.
    """

    def __init__(
        self,
        plan: MeterPlan,
        *,
        now: Callable[[], dt.datetime],
        state: Callable[[], StateFile],
        counters: CounterStore,
        host: str | None = "127.0.0.1",
        port: int = 0,
        idle: float = IDLE,
        made: Callable[[SimulatedMeter], None] = lambda meter: None,
    ) -> None:
        super().__init__(lambda: self._present().physical, host=host, port=port)
        self.plan = plan
        self.faults = Faults(now, plan.curve_seed)
        """Put them on and off as you like."""
        self._now = now
        self._state = state
        self._counters = counters
        self._idle = idle
        self._tell_made = made
        self._made: _Made | None = None
        self._accepted = 0
        self._standing: set[FaultyConnection] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def meter(self) -> SimulatedMeter:
        """The device; it is made where it is not there. Raises ConfigurationError, StoreError."""
        return self._present().meter

    @property
    def present(self) -> bool:
        """Whether the device is there."""
        return self._made is not None

    def let_go(self) -> None:
        """Let the device go, unless somebody talks to it; it is made anew from its state when it is wanted."""
        if not self._standing:
            self._made = None

    def reboot(self) -> None:
        """Cut the power of the device for a moment: connections are reset, and it goes on from its state."""
        if self._made is not None:
            self._made.meter.happened("power-down")
            self._made = None
        for connection in tuple(self._standing):
            connection.reset()

    # ---- for connections --------------------------------------------------------------------------------------------

    def answering(self, connection: TcpConnection) -> Receiver:
        """Return what answers on a connection, with the faults before it."""
        self._accepted += 1
        receiver = FaultyConnection(self, connection, self._accepted, self.meter_connection)
        self._standing.add(receiver)
        return receiver

    def prepare(self) -> bool:
        """Let the faults of the device take effect; return whether it has power."""
        made = self._present()
        try:
            made.faults.apply()
        except CosemicError:
            return True  # the device itself tells whoever asks
        return made.faults.powered

    def left(self, connection: FaultyConnection) -> None:
        """Learn that a connection has ended; let the device go some time after the last one."""
        self._standing.discard(connection)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._idle, self.let_go)

    async def close(self) -> None:
        """Listen no more, end all connections, and let the device go."""
        await super().close()
        if self._timer is not None:
            self._timer.cancel()
        self.let_go()

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _present(self) -> _Made:
        if self._made is None:
            state = self._state().of(logical_device_name(self.plan.serial))
            gaps = self.faults.of(Gaps)
            lived = dt.timedelta(days=self.plan.profile_days if gaps is not None and gaps.always else 0)
            meter = SimulatedMeter(self.plan, now=self._now, state=state, counters=self._counters, lived=lived)
            self._made = _Made(meter, PhysicalDevice(meter), DeviceFaults(meter, self.faults))
            self._tell_made(meter)
        return self._made
