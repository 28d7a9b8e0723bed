"""Many meters in one process, each behind a TCP port of its own.

::

    fleet = Fleet.of(50, seed=1)
    async with fleet:
        for endpoint in fleet.endpoints:
            endpoint.url, endpoint.security       # what a client needs; keys are Secrets
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.security import CounterStore
from cosemic.server import MeterServer
from cosemic.server.logical_device import utc_now
from cosemic.simulator.household import HouseholdMeter
from cosemic.simulator.security import KINDS

FIRST_SERIAL: Final = 1_000_001
_COUNTERS_SINCE: Final = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_COUNTERS_PER_SECOND: Final = 8


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a simulated meter is found, and how it is opened.

    url: with client and server SAP. security: names and values of a security settings file, keys as Secrets. kind:
    ``none``, ``lls`` or ``hls-gmac``.
    """

    url: str
    security: Mapping[str, Any]
    kind: str
    serial: int
    meter: HouseholdMeter


class Fleet:
    """Meters behind TCP ports. Use it as an asynchronous context manager, or call :meth:`start` and :meth:`close`.

    base_port: port of the first meter, the others follow; 0 takes free ones.
    """

    def __init__(self, meters: Sequence[HouseholdMeter], *, host: str = "127.0.0.1", base_port: int = 0) -> None:
        if base_port and not 1 <= base_port <= 65536 - len(meters):
            raise ConfigurationError(f"{len(meters)} meters from port {base_port} on are beyond port 65535")
        self.meters = tuple(meters)
        self._servers = tuple(
            MeterServer(meter, host=host, port=base_port + number if base_port else 0)
            for number, meter in enumerate(self.meters)
        )

    @classmethod
    def of(
        cls,
        count: int,
        seed: int = 0,
        *,
        base_port: int = 0,
        host: str = "127.0.0.1",
        kinds: Sequence[str] = KINDS,
        now: Callable[[], dt.datetime] = utc_now,
        counters: CounterStore | None = None,
        profile_days: int = 14,
    ) -> Fleet:
        """Return a fleet of household meters, the same for the same seed.

        kinds: their security, in turn. counters: where the meters keep invocation counters; None keeps them in memory,
        beginning by the time of day, so that clients that remember the last run go on. Raises ConfigurationError.
        """
        if count < 1 or not kinds:
            raise ConfigurationError("a fleet has at least one meter of one kind")
        meters = [
            HouseholdMeter(
                FIRST_SERIAL + number,
                seed,
                security=kinds[number % len(kinds)],
                now=now,
                counters=counters,
                profile_days=profile_days,
            )
            for number in range(count)
        ]
        if counters is None:
            for meter in meters:
                begin_counters(meter, now())
        return cls(meters, host=host, base_port=base_port)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the meters are; with free ports, only while the fleet is started."""
        return tuple(
            Endpoint(
                server.url(meter.security.client_sap, meter.sap),
                meter.security.client_settings(),
                meter.security.kind,
                meter.serial,
                meter,
            )
            for server, meter in zip(self._servers, self.meters, strict=True)
        )

    async def start(self) -> None:
        """Listen on all ports. Raises ConfigurationError where one cannot be taken; then none is."""
        try:
            for server in self._servers:
                await server.start()
        except ConfigurationError:
            await self.close()
            raise

    async def close(self) -> None:
        """Listen no more, and end all connections."""
        await asyncio.gather(*(server.close() for server in self._servers))

    async def __aenter__(self) -> Fleet:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def begin_counters(meter: HouseholdMeter, now: dt.datetime) -> None:
    """Let the meter's own invocation counters begin by the time of day: higher than those of a run before.

    For simulators that keep no counters: a client that does would take those of a new run for repeated ones.
    """
    seconds = int((now - _COUNTERS_SINCE).total_seconds())
    for client in meter.clients:
        settings = client.settings
        if settings.material is not None:
            counter = settings.counters.transmit_counter(
                settings.material.encryption_key.identity, settings.system_title
            )
            counter.raise_to(max(seconds, 0) * _COUNTERS_PER_SECOND & 0x7FFFFFFF)
