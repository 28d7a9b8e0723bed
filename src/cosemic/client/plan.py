"""How a meter is reached: from a URL or a known meter to sessions, stacks and connections."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from typing import Final

from cosemic.client.recovery import Recovery
from cosemic.client.session import Session
from cosemic.client.timepiece import TimeSource
from cosemic.dialect import Dialect
from cosemic.stack import MANAGEMENT_LOGICAL_DEVICE, PUBLIC_CLIENT, Address, ClientStack, Trace, parse_url
from cosemic.store.meters import KnownMeter, known_meter
from cosemic.store.security_settings import SecuritySettings, Source, load_security
from cosemic.transport.blocking import BlockingTcpConnection
from cosemic.transport.contract import BlockingConnection, Connection, Receiver
from cosemic.transport.tcp import connect

_SCHEME: Final = ":"
"""What every URL has, and no name of a meter."""


def known(
    url: str,
    security: Source,
    zone: dt.tzinfo | None,
    dialect: Dialect | None,
    meters: str | os.PathLike[str] | None,
) -> KnownMeter:
    """Return what is known of the meter at a URL, or of that name; arguments that are given go first."""
    found = KnownMeter("", url) if _SCHEME in url else known_meter(url, meters)
    return replace(
        found,
        security=found.security if security is None else security,
        zone=found.zone if zone is None else zone,
        dialect=found.dialect if dialect is None else dialect,
    )


class Plan:
    """What connecting needs, on asyncio and blocking. Raises ConfigurationError."""

    def __init__(self, meter: KnownMeter, recovery: Recovery, now: TimeSource, trace: Trace | None) -> None:
        address = parse_url(meter.url)
        self.security: SecuritySettings = load_security(
            meter.security,
            dialect=meter.dialect,
            response_timeout=address.response_timeout,
            max_pdu_size=address.max_pdu_size,
            user_id=address.user_id,
        )
        self.meter = meter
        self.address: Address = address.with_saps(
            client_sap=self.security.client_sap, server_sap=self.security.server_sap
        )
        self.recovery = recovery
        self.now = now
        self.trace = trace

    def stack(self) -> ClientStack:
        """A stack for one connection."""
        client, server = self.address.client_sap, self.address.server_sap
        return ClientStack(
            self.security.client,
            PUBLIC_CLIENT if client is None else client,
            MANAGEMENT_LOGICAL_DEVICE if server is None else server,
            self.trace,
        )

    def session(self) -> Session:
        """A session that knows nothing of the meter yet."""
        session = Session(self.security, self.stack, self.meter.zone or dt.UTC, self.recovery)
        session.load_profiles = self.meter.profiles
        return session

    async def connect(self, receiver: Receiver) -> Connection:
        """Connect on asyncio. Raises ConnectionFailed."""
        address = self.address
        connection = await connect(address.host, address.port, receiver, timeout=address.connect_timeout)
        self._connected(connection)
        return connection

    def connect_blocking(self) -> BlockingConnection:
        """Connect for blocking code. Raises ConnectionFailed."""
        connection = BlockingTcpConnection(self.address.host, self.address.port, self.address.connect_timeout)
        self._connected(connection)
        return connection

    def _connected(self, connection: Connection | BlockingConnection) -> None:
        if self.trace is not None:
            self.trace.connected(connection.peer)
