"""The place of one simulated meter: its port, its link, its faults, and the device, while somebody talks to it.

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
from contextlib import suppress
from typing import Final, NamedTuple

from cosemic.errors import CosemicError
from cosemic.security import CounterStore
from cosemic.security.general import TransactionStore
from cosemic.server import MeterConnection, PhysicalDevice, PushOutlet
from cosemic.server.state import StateFile
from cosemic.simulator.device_faults import DeviceFaults
from cosemic.simulator.faults import Faults, Gaps
from cosemic.simulator.faulty_connection import FaultyConnection
from cosemic.simulator.meter import SimulatedMeter, logical_device_name
from cosemic.simulator.plan import MeterPlan
from cosemic.simulator.served_port import ServedPort
from cosemic.transport.contract import Connection
from cosemic.transport.tcp import TcpServer
from cosemic.transport.udp_server import UdpServer

IDLE: Final = 60.0
"""Seconds after which a device is let go."""
SILENT: Final = 600.0
"""Seconds after which a connection that is silent is closed."""
MOST_CONNECTIONS: Final = 1024


class _Made(NamedTuple):
    """A device that is there."""

    meter: SimulatedMeter
    physical: PhysicalDevice
    faults: DeviceFaults
    outlet: PushOutlet


class Site:
    """A simulated meter behind a port of a network, or at a serial port.

    plan: what it is like, and how it is reached. now: simulated time. state: gives the file that keeps what happens to
    it. counters, transactions: where its invocation counters and transaction-ids are kept. host, port: of a network;
    port 0 takes a free one. device: name of a serial port, in their place. idle: seconds after the last connection
    until the device is let go. made: called with each device that is made. Raises ConfigurationError for a link that no
    serial port carries.
    """

    def __init__(
        self,
        plan: MeterPlan,
        *,
        now: Callable[[], dt.datetime],
        state: Callable[[], StateFile],
        counters: CounterStore,
        transactions: TransactionStore | None = None,
        host: str | None = "127.0.0.1",
        port: int = 0,
        device: str | None = None,
        idle: float = IDLE,
        made: Callable[[SimulatedMeter], None] = lambda meter: None,
    ) -> None:
        self.plan = plan
        self.faults = Faults(now, plan.curve_seed)
        """Put them on and off as you like."""
        self.device = device
        """Name of the serial port; None on a network."""
        self._host = host
        self._now = now
        self._state = state
        self._counters = counters
        self._transactions = transactions
        self._idle = idle
        self._tell_made = made
        self._made: _Made | None = None
        self._accepted = 0
        self._standing: set[FaultyConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._server: TcpServer | UdpServer | ServedPort
        if device is not None:
            self._server = ServedPort(self._answering, device, plan.link.line)
        elif plan.link.udp:
            self._server = UdpServer(self._answering, host, port)
        else:
            self._server = TcpServer(self._answering, host, port)

    @property
    def port(self) -> int:
        """The port of the network that is listened on; 0 at a serial port."""
        return self._server.port

    def url(self, client_sap: int, server_sap: int = 1) -> str:
        """Return the URL by which a client on this machine reaches the meter."""
        serial, link = self.plan.serial, self.plan.link
        if self.device is not None:
            return link.url(serial, client_sap, server_sap, device=self.device)
        host = self._host or "127.0.0.1"
        endpoint = f"{f'[{host}]' if ':' in host else host}:{self.port}"
        return link.url(serial, client_sap, server_sap, endpoint=endpoint)

    async def start(self) -> None:
        """Listen, or open the port. Raises ConfigurationError where that cannot be."""
        await self._server.start()
        if self.plan.push is not None:
            self._present()

    @property
    def meter(self) -> SimulatedMeter:
        """The device; it is made where it is not there. Raises ConfigurationError, StoreError."""
        return self._present().meter

    @property
    def present(self) -> bool:
        """Whether the device is there."""
        return self._made is not None

    def let_go(self) -> None:
        """Let the device go, unless somebody talks to it; it is made anew from its state when it is wanted.

        One that sends by itself stays, so that it does.
        """
        if not self._standing and self._made is not None and not self._made.meter.outbox.used:
            self._cut()

    def reboot(self) -> None:
        """Cut the power of the device for a moment: connections are reset, and it goes on from its state."""
        if self._made is not None:
            sends = self._made.meter.outbox.used
            self._made.meter.happened("power-down")
            self._cut()
            if sends:
                self._present().meter.happened("power-up")
        for connection in tuple(self._standing):
            connection.reset()

    def _cut(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            made.outlet.cut()

    # ---- for connections --------------------------------------------------------------------------------------------

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
        await self._server.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._made is not None:
            await self._made.outlet.close()
            self._made = None

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _answering(self, connection: Connection) -> FaultyConnection:
        """Return what answers on a connection, with the faults before it."""
        self._accepted += 1
        receiver = FaultyConnection(self, connection, self._accepted, self._meter_connection)
        self._standing.add(receiver)
        if len(self._server.connections) > MOST_CONNECTIONS:
            connection.close()
        return receiver

    def _meter_connection(self, connection: Connection) -> MeterConnection:
        link = self.plan.link.make(self.plan.serial, lambda: self.meter)
        silent = SILENT if isinstance(self._server, TcpServer) else None
        return MeterConnection(self._present().physical, connection, link=link, inactivity_timeout=silent)

    def _present(self) -> _Made:
        if self._made is None:
            state = self._state().of(logical_device_name(self.plan.serial))
            gaps = self.faults.of(Gaps)
            lived = dt.timedelta(days=self.plan.profile_days if gaps is not None and gaps.always else 0)
            meter = SimulatedMeter(
                self.plan,
                now=self._now,
                state=state,
                counters=self._counters,
                transactions=self._transactions,
                lived=lived,
            )
            physical = PhysicalDevice(meter)
            outlet = PushOutlet(physical, ready=self.prepare)
            self._made = _Made(meter, physical, DeviceFaults(meter, self.faults), outlet)
            self._tell_made(meter)
            with suppress(RuntimeError):  # nothing is sent where no event loop runs
                outlet.begin()
        return self._made
