"""A meter on the bench: real objects behind a real server and client, without sockets or time; it can be made to fail.

:class:`Bench` runs procedures with the blocking driver over memory; waits pass at once and are added up. Faults are
named by the number of the request (APDUs that ask for a service, from 1)::

    LOST_BEFORE     the connection breaks, the request never arrives
    LOST_AFTER      the meter does what it is asked, the connection breaks before it answers
    MUTE_BEFORE     the request is lost, the connection stands
    MUTE_AFTER      the answer is lost, the connection stands
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, TypeVar

from cosemic import dialect as dialects
from cosemic.client import BlockingMeter, Meter
from cosemic.client.blocking import BlockingDriver
from cosemic.client.recovery import STANDARD, Recovery
from cosemic.client.session import Session
from cosemic.client.steps import Step, Wait
from cosemic.dialect import Dialect
from cosemic.errors import ConnectionFailed, TransportError
from cosemic.server import CosemObject, LogicalDevice, PhysicalDevice
from cosemic.server.meter_server import MeterConnection, serve_in_thread
from cosemic.stack import ClientStack
from cosemic.store.security_settings import load_security
from cosemic.transport.contract import Connection
from cosemic.transport.memory import BlockingMemoryConnection
from tests.server.support import NOW, device_with

T = TypeVar("T")
SERVICES = frozenset((0xC0, 0xC1, 0xC3, 0x05, 0x06))
"""First octets of GET, SET, ACTION, Read and Write requests; the wrapper has eight in front."""
_HEADER = 8


class Fault(Enum):
    LOST_BEFORE = "lost before"
    LOST_AFTER = "lost after"
    MUTE_BEFORE = "mute before"
    MUTE_AFTER = "mute after"


class _End:
    """The meter's end of a connection, with faults."""

    def __init__(self, bench: Bench, connection: Connection) -> None:
        self.bench = bench
        self.connection = connection
        self.peer = "bench"
        self.muted = False
        self.meter = MeterConnection(bench.physical, self)

    def write(self, octets: bytes, /) -> None:
        if not self.muted:
            self.connection.write(octets)

    def close(self) -> None:
        self.connection.close()

    def octets_received(self, octets: bytes, /) -> None:
        fault = self.bench.fault_of(octets)
        if fault is Fault.LOST_BEFORE:
            self.connection.close()
            return
        self.muted = fault in (Fault.LOST_AFTER, Fault.MUTE_AFTER)
        if fault is not Fault.MUTE_BEFORE:
            self.meter.octets_received(octets)
        self.muted = False
        if fault is Fault.LOST_AFTER or self.bench.hanging_up:
            self.bench.hanging_up = False
            self.connection.close()

    def connection_lost(self, error: TransportError | None, /) -> None:
        self.meter.connection_lost(error)


class Bench(BlockingDriver):
    """A device and a client of it; ``faults`` by number of the request.

    unreachable: so many attempts to connect fail. hanging_up: the meter closes the connection after its next answer.
    """

    def __init__(
        self,
        *objects: CosemObject,
        device: LogicalDevice | None = None,
        zone: dt.tzinfo = dt.UTC,
        recovery: Recovery = STANDARD,
        dialect: Dialect = dialects.STANDARD,
        short_names: bool = False,
        **changed: Any,
    ) -> None:
        self.device = device or device_with(*objects, **changed)
        self.physical = PhysicalDevice(self.device)
        self.faults: dict[int, Fault] = {}
        self.unreachable = 0
        self.hanging_up = False
        self.requests = 0
        self.connections = 0
        self.waited = 0.0
        security = load_security(None, dialect=dialect, short_names=short_names or None)
        session = Session(security, lambda: ClientStack(security.client, 16, 1), zone, recovery)
        super().__init__(session, self._memory, lambda: NOW)

    def _memory(self) -> BlockingMemoryConnection:
        if self.unreachable:
            self.unreachable -= 1
            raise ConnectionFailed("nobody answers")
        self.connections += 1
        return BlockingMemoryConnection(lambda connection: _End(self, connection))

    def fault_of(self, octets: bytes) -> Fault | None:
        """Count a request; return what is to go wrong with it."""
        if octets[_HEADER] not in SERVICES:
            return None
        self.requests += 1
        return self.faults.get(self.requests)

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Wait):
            self.waited += step.seconds
            return None
        return super()._perform(step)

    def fresh(self) -> None:
        """Count requests anew, without faults."""
        self.requests = 0
        self.faults = {}


@contextmanager
def both_faces(device: LogicalDevice, **settings: Any) -> Iterator[Callable[[Callable[[Any], Any]], list[Any]]]:
    """Serve a device; yields what runs a function of a meter on both faces and returns both results."""
    with serve_in_thread(device) as server:
        url = server.url(16)

        def run(use: Callable[[Any], Any]) -> list[Any]:
            with BlockingMeter.connect(url, **settings) as meter:
                one = use(meter)

            async def scenario() -> Any:
                async with Meter.connect(url, **settings) as meter:
                    return await use(meter)

            return [one, asyncio.run(scenario())]

        yield run
