"""Meters that connect by themselves: each connection becomes a client session (IEC 62056-9-7, meter-initiated).

::

    async with IncomingMeters("tcp://0.0.0.0:4059?client=1", security="meters.toml") as incoming:
        async for meter in incoming:
            async with meter:
                print(await meter.read("1-0:1.8.0"))

The client opens the association on the connection that the meter made. Where that connection is lost the session is
over: only the meter can connect again, and is then another one of ``incoming``. So nothing of ``recovery`` that wants a
new connection applies.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeAlias

from cosemic.client.meter import Meter
from cosemic.client.plan import Plan
from cosemic.client.recovery import STANDARD, Recovery
from cosemic.client.timepiece import TimeSource, machine_time
from cosemic.dialect import STANDARD as STANDARD_DIALECT
from cosemic.dialect import Dialect
from cosemic.errors import ConfigurationError, ConnectionFailed
from cosemic.stack import Medium, Trace, parse_url
from cosemic.stack.media import tls_server_of
from cosemic.store.meters import KnownMeter
from cosemic.store.security_settings import Source
from cosemic.transport.contract import Connection, Receiver
from cosemic.transport.incoming import IncomingConnection
from cosemic.transport.tcp import TcpConnection, TcpServer

MOST_WAITING: Final = 1024
"""Connections that wait to be taken; another one is closed."""
Arrival: TypeAlias = IncomingConnection[TcpConnection]
SecurityOf: TypeAlias = Callable[[str], Source]
"""Takes the address of a meter that has connected, ``host:port``."""


class _ArrivedPlan(Plan):
    """Reaches a meter over the connection that it made, once."""

    def __init__(
        self, meter: KnownMeter, recovery: Recovery, now: TimeSource, trace: Trace | None, arrival: Arrival
    ) -> None:
        super().__init__(meter, recovery.on_one_connection(), now, trace)
        self._arrival: Arrival | None = arrival

    async def connect(self, receiver: Receiver) -> Connection:
        """Take the connection over. Raises ConnectionFailed the second time, ConnectionLost where it has ended."""
        arrival, self._arrival = self._arrival, None
        if arrival is None:
            raise ConnectionFailed("the meter made the connection, and it is gone: wait until the meter connects again")
        connection = arrival.take(receiver)
        self.connected(connection)
        return connection


class IncomingMeters:
    """Listens, and gives each meter that connects; use it as an asynchronous context manager, and iterate.

    url: where to listen, and how meters are spoken to: ``tcp://0.0.0.0:4059?client=1``, ``tls://``, ``hdlc+tcp://``.
    security: of all meters, or a function of the peer's address. timeout: seconds that a meter waits to be taken. port:
    instead of that of the URL; 0 takes a free one. The other arguments as of
    :meth:`Meter.connect <cosemic.client.meter.Meter.connect>`. Raises ConfigurationError.
    """

    def __init__(
        self,
        url: str,
        security: Source | SecurityOf = None,
        *,
        zone: dt.tzinfo | None = None,
        dialect: Dialect = STANDARD_DIALECT,
        recovery: Recovery = STANDARD,
        now: TimeSource = machine_time,
        trace: Trace | None = None,
        timeout: float = 60.0,
        port: int | None = None,
    ) -> None:
        address = parse_url(url)
        if address.medium not in (Medium.TCP, Medium.TLS):
            raise ConfigurationError(f"meters connect over tcp:// or tls://, not {address.scheme}://")
        if address.server_name is not None:
            raise ConfigurationError(
                "a meter that connects has no name to be looked for in its certificate: leave name= out, and give "
                "server_title in the security settings"
            )
        self._url = url
        self._security = security
        self._zone, self._dialect = zone, dialect
        self._recovery, self._now, self._trace = recovery, now, trace
        self._timeout = timeout
        self._arrived: asyncio.Queue[Arrival | None] = asyncio.Queue()
        """None: no more will come."""
        wanted = address.port if port is None else port
        self._server = TcpServer(self._accept, address.host, wanted, tls=tls_server_of(address))

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    def _accept(self, connection: TcpConnection) -> Receiver:
        return IncomingConnection(connection, self._keep, timeout=self._timeout)

    def _keep(self, arrival: Arrival) -> None:
        if self._arrived.qsize() >= MOST_WAITING:
            arrival.connection.close()
        else:
            self._arrived.put_nowait(arrival)

    async def __aenter__(self) -> Self:
        self._arrived = asyncio.Queue()
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.close()
        self._arrived.put_nowait(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Meter:
        """Wait for the next meter; it is not opened yet. Raises ConfigurationError where it has no security settings.

        The iteration ends with the listening.
        """
        while (arrival := await self._arrived.get()) is not None:
            if arrival.ended:
                continue
            try:
                security = self._security(arrival.peer) if callable(self._security) else self._security
                known = KnownMeter("", self._url, security, self._zone, self._dialect)
                return Meter(_ArrivedPlan(known, self._recovery, self._now, self._trace, arrival))
            except BaseException:
                arrival.connection.close()
                raise
        self._arrived.put_nowait(None)  # for others who wait
        raise StopAsyncIteration
