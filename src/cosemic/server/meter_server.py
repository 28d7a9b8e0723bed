"""A meter on TCP: associations and logical devices behind one port (IEC 62056-9-7).

Each connection is a :class:`~cosemic.server.meter_session.MeterSession` of its own. The number of connections is
bounded by ``max_connections``, an APDU by ``max_apdu``; a connection that is silent for ``inactivity_timeout`` is
closed.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

from cosemic.errors import ConfigurationError, TransportError
from cosemic.link.contract import Link
from cosemic.link.wrapper import MAX_APDU, PORT, WrapperLink
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.meter_session import MeterSession
from cosemic.server.physical_device import PhysicalDevice
from cosemic.server.push_outlet import PushOutlet
from cosemic.transport.contract import Connection, Receiver
from cosemic.transport.lifetime import Starts
from cosemic.transport.outlet import send_due
from cosemic.transport.tcp import TcpConnection, TcpServer

DeviceSource: TypeAlias = Callable[[], PhysicalDevice]


class MeterConnection:
    """One connection to a physical device (:class:`cosemic.transport.contract.Receiver`), over any medium.

    link: of this connection; the wrapper unless told. inactivity_timeout: seconds without octets after which the
    connection is closed; None waits for ever. certified: clients are those of their TLS certificates, see
    :class:`~cosemic.server.meter_session.MeterSession`. clock: tells the seconds by which clients that fail to
    authenticate are held up, and those of the link; the same one for all connections to a device, which event loops in
    several threads may serve.
    """

    def __init__(
        self,
        device: PhysicalDevice,
        connection: Connection,
        *,
        link: Link | None = None,
        max_apdu: int = MAX_APDU,
        inactivity_timeout: float | None = None,
        certified: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = MeterSession(
            device,
            WrapperLink(max_apdu=max_apdu) if link is None else link,
            certified=certified,
            certificate=getattr(connection, "peer_certificate", None),
        )
        self._clock = clock
        self._connection = connection
        self._timeout = inactivity_timeout
        self._heard = 0
        """How often octets have come."""
        self._timer: asyncio.TimerHandle | None = None
        self._link_timer: asyncio.TimerHandle | None = None
        if inactivity_timeout is not None:
            self._watch(asyncio.get_running_loop(), inactivity_timeout)

    def begin(self) -> None:
        """Let a link that sends or waits before anything comes begin."""
        self._tick()

    def octets_received(self, octets: bytes, /) -> None:
        """Answer what came."""
        self._heard += 1
        self._session.receive(octets, self._clock())
        self._settle()

    def connection_lost(self, error: TransportError | None, /) -> None:
        """Abort all associations."""
        for timer in (self._timer, self._link_timer):
            if timer is not None:
                timer.cancel()
        self._session.lost()

    def _settle(self) -> None:
        """Send what is due, and see to it that the link is told the time."""
        session = self._session
        with suppress(TransportError):  # connection_lost tells the same
            send_due(session, self._connection)
        if session.ended:
            self._connection.close()
            return
        deadline = session.deadline()
        if deadline is None:
            return
        if self._link_timer is not None:
            self._link_timer.cancel()
        self._link_timer = asyncio.get_running_loop().call_later(max(deadline - self._clock(), 0.0), self._tick)

    def _tick(self) -> None:
        self._session.tick(self._clock())
        self._settle()

    def _watch(self, loop: asyncio.AbstractEventLoop, timeout: float, heard: int = -1) -> None:
        """Close the connection when nothing was heard since the last look."""
        if heard == self._heard:
            self._connection.close()
            return
        self._timer = loop.call_later(timeout, self._watch, loop, timeout, self._heard)


class MeterServer(Starts):
    """A physical device on a TCP port.

    devices: logical devices, or one PhysicalDevice of them, or a function that gives it when somebody connects. host:
    address or name, None for all addresses. port: 0 takes a free one. link: makes the link of each connection, such as
    an :class:`~cosemic.link.hdlc.HdlcSecondaryLink`; the wrapper unless told. tls: what
    :func:`cosemic.transport.tls.tls_context` gives for a server. Use it as an asynchronous context manager, or call
    :meth:`start` and :meth:`close`. What the device sends by itself is carried meanwhile, where it has push setups and
    is not made by a function (:mod:`cosemic.server.push_outlet`).
    """

    def __init__(
        self,
        *devices: LogicalDevice | PhysicalDevice | DeviceSource,
        host: str | None = "127.0.0.1",
        port: int = PORT,
        max_apdu: int = MAX_APDU,
        max_connections: int = 1024,
        inactivity_timeout: float | None = 600.0,
        link: Callable[[], Link] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._device = device_source(*devices)
        self._link = link
        self._tls = tls
        self._host = host
        self._max_apdu = max_apdu
        self._max_connections = max_connections
        self._inactivity_timeout = inactivity_timeout
        self._server = TcpServer(self._receiver, host, port, tls=tls)
        self._is_made = len(devices) == 1 and callable(devices[0])
        self._outlet: PushOutlet | None = None

    @property
    def device(self) -> PhysicalDevice:
        """The device."""
        return self._device()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.connections)

    def url(self, client_sap: int, server_sap: int = 1) -> str:
        """Return the URL by which a client on this machine reaches a logical device."""
        host = self._host or "127.0.0.1"
        return f"tcp://{f'[{host}]' if ':' in host else host}:{self.port}?client={client_sap}&server={server_sap}"

    async def start(self) -> None:
        """Listen. Raises ConfigurationError where the address cannot be taken."""
        await self._server.start()
        if not self._is_made and any(device.outbox.sources for device in self.device.devices):
            self._outlet = PushOutlet(self.device)
            await self._outlet.start()

    async def close(self) -> None:
        """Listen no more, and end all connections."""
        if self._outlet is not None:
            await self._outlet.close()
            self._outlet = None
        await self._server.close()

    def answering(self, connection: TcpConnection) -> Receiver:
        """Return what answers on a connection; a subclass may put something between."""
        return self.meter_connection(connection)

    def meter_connection(self, connection: Connection) -> MeterConnection:
        """Return the device on a connection."""
        return MeterConnection(
            self.device,
            connection,
            link=None if self._link is None else self._link(),
            max_apdu=self._max_apdu,
            inactivity_timeout=self._inactivity_timeout,
            certified=self._tls is not None,
        )

    def _receiver(self, connection: TcpConnection) -> Receiver:
        receiver = self.answering(connection)
        if self.connections > self._max_connections:
            connection.close()
        return receiver


def device_source(*devices: LogicalDevice | PhysicalDevice | DeviceSource) -> DeviceSource:
    """Return what gives the physical device: the function that is given, or one for the devices given.

    Raises ConfigurationError.
    """
    only = devices[0] if len(devices) == 1 else None
    if callable(only):
        return only
    logical = [device for device in devices if isinstance(device, LogicalDevice)]
    if not isinstance(only, PhysicalDevice) and len(logical) != len(devices):
        raise ConfigurationError("a server is of one physical device, of logical devices, or of one function")
    device = only if isinstance(only, PhysicalDevice) else PhysicalDevice(*logical)
    return lambda: device


@contextmanager
def serve_in_thread(
    *devices: LogicalDevice | PhysicalDevice,
    host: str = "127.0.0.1",
    port: int = 0,
    link: Callable[[], Link] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[MeterServer]:
    """Run a meter in a thread with an event loop of its own, for blocking code; yields the server, listening.

    Arguments as of :class:`MeterServer`. Raises ConfigurationError where the address cannot be taken.
    """
    server = MeterServer(*devices, host=host, port=port, link=link, tls=tls)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="cosemic meter", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
