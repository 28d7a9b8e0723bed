"""How a meter is reached: from a URL or a known meter to sessions, stacks and connections."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from dataclasses import replace
from typing import Final

from cosemic.association.parties import GeneralParties
from cosemic.association.settings import to_all_stations
from cosemic.client.layered import Layers
from cosemic.client.recovery import Recovery
from cosemic.client.session import Session
from cosemic.client.timepiece import TimeSource
from cosemic.dialect import Dialect
from cosemic.errors import ConfigurationError, CosemicError
from cosemic.link.wrapper import ALL_STATION
from cosemic.security.tls_identity import check_certified_title
from cosemic.stack import (
    MANAGEMENT_LOGICAL_DEVICE,
    PUBLIC_CLIENT,
    Address,
    ClientStack,
    Framing,
    Medium,
    Trace,
    association_timeout,
    in_blocks,
    link_factory,
    media,
    over_datagrams,
    parse_url,
)
from cosemic.store.meters import KnownMeter, known_meter
from cosemic.store.party_settings import plan_of
from cosemic.store.security_settings import SecuritySettings, Source, load_security
from cosemic.transport.contract import BlockingConnection, Connection, Receiver

_ALL_STATION_WIDE: Final = 0x3FFF
"""The SAP of all stations in HDLC addresses of four octets."""
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

    def __init__(
        self,
        meter: KnownMeter,
        recovery: Recovery,
        now: TimeSource,
        trace: Trace | None,
        *,
        parties: GeneralParties | None = None,
        layers: Layers | None = None,
    ) -> None:
        address = parse_url(meter.url)
        self.security: SecuritySettings = load_security(
            meter.security,
            dialect=meter.dialect,
            response_timeout=association_timeout(address),
            max_pdu_size=address.max_pdu_size,
            user_id=address.user_id,
            short_names=address.short_names,
        )
        client = in_blocks(self.security.client, address)
        if parties is not None or layers is not None:
            plan = client.layers if layers is None else plan_of(layers, client.server_title or b"")
            client = replace(client, parties=parties or client.parties, layers=plan)
        if address.medium is Medium.UDP:
            client = over_datagrams(client, address)
        if client is not self.security.client:
            self.security = replace(self.security, client=client)
        self.meter = meter
        self.address: Address = address.with_saps(
            client_sap=self.security.client_sap, server_sap=self.security.server_sap
        )
        if self._saps[1] == ALL_STATION or (self._saps[1] == _ALL_STATION_WIDE and address.framing is Framing.HDLC):
            self.security = replace(self.security, client=to_all_stations(self.security.client))
        self.recovery = recovery
        self.now = now
        self.trace = trace
        self.turn: asyncio.Lock | None = None
        """Held while a procedure runs, where others use the same medium and only one may speak."""
        self._link = link_factory(self.address)
        self._certified = address.medium is Medium.TLS and address.server_name is None
        if self._certified and self.security.client.server_title is None:
            raise ConfigurationError(
                "TLS wants to know whom it reaches: server_title in the security settings, or name= in the URL"
            )
        self._link(*self._saps)

    @property
    def _saps(self) -> tuple[int, int]:
        client, server = self.address.client_sap, self.address.server_sap
        return (
            PUBLIC_CLIENT if client is None else client,
            MANAGEMENT_LOGICAL_DEVICE if server is None else server,
        )

    def stack(self) -> ClientStack:
        """A stack for one connection."""
        return ClientStack(self.security.client, *self._saps, self.trace, self._link)

    def session(self) -> Session:
        """A session that knows nothing of the meter yet."""
        session = Session(self.security, self.stack, self.meter.zone or dt.UTC, self.recovery)
        session.load_profiles = self.meter.profiles
        return session

    async def connect(self, receiver: Receiver) -> Connection:
        """Connect on asyncio. Raises ConnectionFailed, and AuthenticationFailed with TLS."""
        connection = await media.connect(self.address, receiver)
        self.connected(connection)
        return connection

    def connect_blocking(self) -> BlockingConnection:
        """Connect for blocking code. Raises ConnectionFailed, and AuthenticationFailed with TLS."""
        connection = media.connect_blocking(self.address)
        self.connected(connection)
        return connection

    def connected(self, connection: Connection | BlockingConnection) -> None:
        """See to it that it is the meter meant that was connected (TLS). Raises AuthenticationFailed."""
        title = self.security.client.server_title
        if self._certified and title is not None:
            try:
                check_certified_title(getattr(connection, "peer_certificate", None), title)
            except CosemicError:
                connection.close()
                raise
        if self.trace is not None:
            self.trace.connected(connection.peer)
