"""A meter on UDP, on a serial port, and one that connects by itself (IEC 62056-9-7, 62056-46, 62056-21).

::

    async with UdpMeterServer(device, port=4059): ...
    async with MeterPort.on_serial(device, "/dev/ttyUSB0", lambda: HdlcSecondaryLink(17), line=LineSettings(9600)): ...
    async with MeterPort.calling(device, "head-end.example", 4059): ...

On UDP each peer address has associations of its own, which end when it has been silent for ``idle_timeout``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from cosemic.errors import ConfigurationError, TransportError
from cosemic.link.contract import Link
from cosemic.link.wrapper import MAX_APDU, PORT, DatagramWrapperLink, WrapperLink
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.meter_server import DeviceSource, MeterConnection, device_source
from cosemic.server.physical_device import PhysicalDevice
from cosemic.transport import tcp
from cosemic.transport.contract import Connection, Receiver
from cosemic.transport.datagrams import MulticastGroup
from cosemic.transport.lifetime import Starts
from cosemic.transport.serial_connection import open_serial
from cosemic.transport.udp_server import IDLE_TIME, UdpServer
from cosemic.values import LineSettings


class UdpMeterServer(Starts):
    """A physical device on a UDP port; arguments as of :class:`~cosemic.server.meter_server.MeterServer`.

    groups: multicast groups that are joined. max_peers, idle_timeout: how many peers are remembered, and for how long.
    """

    def __init__(
        self,
        *devices: LogicalDevice | PhysicalDevice | DeviceSource,
        host: str | Sequence[str] | None = "127.0.0.1",
        port: int = PORT,
        groups: Sequence[MulticastGroup] = (),
        max_apdu: int = MAX_APDU,
        max_peers: int = 1024,
        idle_timeout: float = IDLE_TIME,
    ) -> None:
        self._device = device_source(*devices)
        self._max_apdu = max_apdu
        self._server = UdpServer(
            self._receiver, host, port, groups=groups, max_peers=max_peers, idle_timeout=idle_timeout
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    async def start(self) -> None:
        """Listen. Raises ConfigurationError where the address cannot be taken."""
        await self._server.start()

    async def close(self) -> None:
        """Listen no more, and end all associations."""
        await self._server.close()

    def _receiver(self, connection: Connection) -> Receiver:
        return MeterConnection(self._device(), connection, link=DatagramWrapperLink(max_apdu=self._max_apdu))


class MeterPort(Starts):
    """A physical device on a connection that its own side opens: a serial port, or TCP to its head-end.

    connect: opens the connection; see :meth:`on_serial` and :meth:`calling`. link: makes its link. certified: as of
    :class:`~cosemic.server.meter_server.MeterConnection`. ended: is called when the connection has ended. Use it as an
    asynchronous context manager, or call :meth:`start` and :meth:`close`.
    """

    def __init__(
        self,
        device: LogicalDevice | PhysicalDevice | DeviceSource,
        connect: Callable[[Receiver], Awaitable[Connection]],
        link: Callable[[], Link],
        *,
        certified: bool = False,
        ended: Callable[[], object] = lambda: None,
    ) -> None:
        self._device = device_source(device)
        self._certified = certified
        self._connect = connect
        self._link = link
        self._ended = ended
        self._connection: Connection | None = None
        self._relay: _Relay | None = None

    @classmethod
    def on_serial(
        cls,
        device: LogicalDevice | PhysicalDevice | DeviceSource,
        name: str,
        link: Callable[[], Link],
        *,
        line: LineSettings,
        ended: Callable[[], object] = lambda: None,
    ) -> Self:
        """Return the device on the serial port of that name; ``line``: as it is set at first."""
        return cls(device, lambda receiver: open_serial(name, receiver, line=line, pause=True), link, ended=ended)

    @classmethod
    def calling(
        cls,
        device: LogicalDevice | PhysicalDevice | DeviceSource,
        host: str,
        port: int,
        link: Callable[[], Link] = WrapperLink,
        *,
        timeout: float = 10.0,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        ended: Callable[[], object] = lambda: None,
    ) -> Self:
        """Return the device that connects to its head-end by itself (IEC 62056-9-7), which then is its client.

        tls: its context; one that does not check the host's name binds the head-end to the system title that its
        association names, see :class:`~cosemic.server.meter_session.MeterSession`.
        """
        certified = tls is not None and not tls.check_hostname

        async def connect(receiver: Receiver) -> Connection:
            return await tcp.connect(host, port, receiver, timeout=timeout, tls=tls, server_name=server_name)

        return cls(device, connect, link, certified=certified, ended=ended)

    async def start(self) -> None:
        """Connect. Raises ConnectionFailed, ConfigurationError, AuthenticationFailed (TLS)."""
        if self._connection is not None:
            raise ConfigurationError("the meter is connected already")
        relay = _Relay(self._over)
        connection = await self._connect(relay)
        self._connection, self._relay = connection, relay
        try:
            relay.served = MeterConnection(self._device(), connection, link=self._link(), certified=self._certified)
        except BaseException:
            connection.close()
            raise
        relay.served.begin()

    def _over(self) -> None:
        self._connection = None
        self._ended()

    async def close(self) -> None:
        """Close the connection, end all associations, and wait until that is done."""
        if self._connection is not None and self._relay is not None:
            self._connection.close()
            await asyncio.shield(self._relay.over)


class _Relay:
    """Hands on what comes, once the device is there; what comes before is from before its time."""

    def __init__(self, ended: Callable[[], object]) -> None:
        self.served: MeterConnection | None = None
        self.over = asyncio.get_running_loop().create_future()
        self._ended = ended

    def octets_received(self, octets: bytes, /) -> None:
        if self.served is not None:
            self.served.octets_received(octets)

    def connection_lost(self, error: TransportError | None, /) -> None:
        if self.served is not None:
            self.served.connection_lost(error)
        self.over.set_result(None)
        self._ended()
