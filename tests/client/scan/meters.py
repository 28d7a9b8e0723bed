"""Meters for scans, at the far end of media in virtual time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from cosemic.client.scan import Report, Scanner, Step
from cosemic.errors import ConnectionFailed, TransportError
from cosemic.faults import ByteStream, Port, VirtualTime
from cosemic.faults.virtual_loop import VirtualLoop
from cosemic.link.contract import Link
from cosemic.server import MeterConnection, PhysicalDevice
from cosemic.simulator import MeterPlan, SimulatedMeter
from cosemic.stack import Address, Medium
from cosemic.stack.links import line_of
from cosemic.transport.contract import Connection, Receiver
from cosemic.values import LineSettings
from tests.server.support import NOW

NAME = "CSM0000012345678"
Answering = Callable[[Port], Any]
"""Puts something at the far end."""


@functools.cache
def device(security: str = "none", referencing: str = "ln") -> PhysicalDevice:
    """The meter with serial number 12345678."""
    plan = MeterPlan(serial=12345678, security=security, profile_days=1, billing_periods=0, referencing=referencing)
    return PhysicalDevice(SimulatedMeter(plan, now=lambda: NOW))


def meter(link: Callable[[], Link], security: str = "none", referencing: str = "ln") -> Answering:
    """A meter behind a link."""

    def put(port: Port) -> None:
        connection = MeterConnection(device(security, referencing), port, link=link(), clock=port.time)
        port.attach(connection)
        connection.begin()

    return put


class Scripted:
    """Something that answers what comes with what a function says."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self.answer = answer

    def __call__(self, port: Port) -> None:
        class Receiving:
            def octets_received(inner, octets: bytes) -> None:
                answer = self.answer(octets)
                if answer is None:
                    port.close()
                elif answer:
                    port.write(answer)

            def connection_lost(inner, error: object) -> None: ...

        port.attach(Receiving())


def silence(port: Port) -> None:
    """Nobody."""


class Counted:
    """A receiver of which somebody wants to know when it has been told the end."""

    def __init__(self, receiver: Receiver, ended: Callable[[], None]) -> None:
        self.octets_received = receiver.octets_received
        self._receiver = receiver
        self._ended = ended

    def connection_lost(self, error: TransportError | None, /) -> None:
        self._ended()
        self._receiver.connection_lost(error)


class World:
    """A serial port with something at the far end of its line, and hosts on a network.

    served: what is at the far end of the serial line, which is set to ``line``. hosts: by port, what listens on TCP.
    """

    def __init__(
        self,
        served: Answering = silence,
        line: LineSettings | None = None,
        hosts: dict[int, Answering] | None = None,
        **medium: Any,
    ) -> None:
        self.time = VirtualTime()
        self.hosts = hosts or {}
        self.connected: list[Address] = []
        self.steps: list[Step] = []
        self.line = line or LineSettings(9600)
        self.serial = ByteStream(self.time, line=self.line, **medium)
        self._served: Answering | None = served
        self._open = 0

    async def connect(self, address: Address, receiver: Receiver) -> Connection:
        """Connect, as a scanner does."""
        self.connected.append(address)
        if address.medium is Medium.SERIAL:
            assert self._open == 0, "a serial port is opened once at a time"
            self._open += 1
            receiver = Counted(receiver, self._closed)
            if self._served is not None:  # now that there is an event loop
                self._served(self.serial.server)
                self._served = None
            port = self.serial.client
            port.reopen()
            port.set_line(line_of(address))
        elif address.medium is Medium.TCP and address.port in self.hosts:
            stream = ByteStream(self.time)
            self.hosts[address.port](stream.server)
            port = stream.client
        elif address.medium is Medium.UDP:
            port = ByteStream(self.time).client  # datagrams that nobody answers
        else:
            raise ConnectionFailed(f"nobody listens at port {address.port}")
        port.attach(receiver)
        return port

    def _closed(self) -> None:
        self._open -= 1

    def scanner(self, target: str, **options: Any) -> Scanner:
        """A scanner of this world."""
        return Scanner(target, connect=self.connect, progress=self.steps.append, **options)

    def scan(self, target: str, **options: Any) -> Report:
        """Scan in virtual time."""
        return self.run(lambda: self.scanner(target, **options).run())

    def run(self, work: Callable[[], Any]) -> Any:
        """Run something asynchronous in virtual time."""

        async def body() -> Any:
            return await work()

        with asyncio.Runner(loop_factory=lambda: VirtualLoop(self.time)) as runner:
            return runner.run(body())
