"""Many meters in one process, each behind a port of its own: of TCP or UDP, over its link; or one at a serial port.

::

    fleet = Fleet.of(50, seed=1)
    async with fleet:
        for endpoint in fleet.endpoints:
            endpoint.url, endpoint.security       # what a client needs; keys are Secrets
        fleet.sites[3].faults.add(Slow(delay=5))

A fleet opens ports; a meter is made when somebody connects to it, and let go when nobody has for a while
(:mod:`cosemic.simulator.site`). What happens to the meters is kept in one file, or in memory as long as the fleet is
there.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.security import CounterStore, MemoryCounterStore
from cosemic.security.general import MemoryTransactionStore, TransactionStore
from cosemic.server.logical_device import utc_now
from cosemic.server.state import IN_MEMORY, StateFile
from cosemic.simulator.faults import FaultOrder
from cosemic.simulator.links import MeterLink
from cosemic.simulator.meter import SimulatedMeter
from cosemic.simulator.plan import CENTRAL_EUROPE, MeterPlan, plans_of
from cosemic.simulator.security import HIGH_LEVEL, MIXED_KINDS, meter_title
from cosemic.simulator.site import IDLE, Site
from cosemic.store.counters import FileCounterStore
from cosemic.store.transactions import FileTransactionStore
from cosemic.transport.lifetime import Starts

LAST_PORT: Final = 65_535
_COUNTERS_SINCE: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_COUNTERS_PER_SECOND: Final = 8
"""At first; half of it after the time in which counters slow down, a third after twice that, and so on."""
_COUNTERS_SLOW_DOWN: Final = dt.timedelta(days=2 * 365)
_OTHER_FILES: Final = 256
"""Files and sockets that a process has open besides its ports: clients among them."""
Progress = Callable[[int, int], None]
"""Takes how many meters of how many listen."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a simulated meter is found, and how it is opened.

    url: with client and server SAP. security: names and values of a security settings file, keys as Secrets. kind:
    ``none``, ``lls``, ``hls-gmac`` or ``hls-ecdsa``. site: the place of the meter, with its faults. third_party:
    settings of the third party that it knows, likewise; empty where it knows none.
    """

    url: str
    security: Mapping[str, Any]
    kind: str
    serial: int
    site: Site
    third_party: Mapping[str, Any] = field(default_factory=dict)

    @property
    def meter(self) -> SimulatedMeter:
        """The meter; it is made where it is not there. Raises StoreError."""
        return self.site.meter


class Fleet(Starts):
    """Meters behind ports. Use it as an asynchronous context manager, or call :meth:`start` and :meth:`close`.

    plans: what the meters are like, and how they are reached. base_port: port of the first one, the others follow; 0
    takes free ones. device: the serial port of the one meter that there is then, in place of host and port. now:
    simulated time, such as a :class:`~cosemic.simulator.simulated_time.Time`. state: file that keeps what happens to
    them; in memory unless told. counters: where they keep invocation counters; unless told in a file beside the state,
    or in memory, beginning by date and time, so that clients that remember the last run go on. transactions: where they
    keep transaction-ids, likewise. faults: and which
    meters have them, drawn from the seed. idle: seconds after which a meter that nobody talks to is let go.

    Raises ConfigurationError; SecurityError and StoreError where counters or state cannot be kept.
    """

    def __init__(
        self,
        plans: Sequence[MeterPlan],
        *,
        host: str = "127.0.0.1",
        base_port: int = 0,
        device: str | None = None,
        now: Callable[[], dt.datetime] = utc_now,
        state: StateFile | str | Path | None = None,
        counters: CounterStore | None = None,
        transactions: TransactionStore | None = None,
        faults: Sequence[FaultOrder] = (),
        seed: int = 0,
        idle: float = IDLE,
    ) -> None:
        serials = [plan.serial for plan in plans]
        if not plans or len(set(serials)) < len(serials):
            raise ConfigurationError("a fleet has meters, each with a serial number of its own")
        if base_port and not 1 <= base_port <= LAST_PORT + 1 - len(plans):
            raise ConfigurationError(f"{len(plans)} meters from port {base_port} on are beyond port {LAST_PORT}")
        if device is not None and len(plans) > 1:
            raise ConfigurationError(f"{len(plans)} meters at the serial port {device}: one fits there")
        self._state = state
        self._kept: StateFile | None = None
        volatile = state is None or str(self.state.path) == IN_MEMORY
        self._begins_counters = counters is None and volatile
        if counters is None:
            counters = MemoryCounterStore() if volatile else FileCounterStore(f"{self.state.path}.counters")
        if transactions is None:
            kept = f"{self.state.path}.transactions" if not volatile else ""
            transactions = FileTransactionStore(kept) if kept else MemoryTransactionStore()
        self.sites = tuple(
            Site(
                plan,
                now=now,
                state=lambda: self.state,
                counters=counters,
                transactions=transactions,
                host=host,
                port=base_port + number if base_port else 0,
                device=device,
                idle=idle,
                made=self._made,
            )
            for number, plan in enumerate(plans)
        )
        """The places of the meters, in their order."""
        for order in faults:
            chosen = order.chosen(serials, seed)
            for site in self.sites:
                if site.plan.serial in chosen:
                    site.faults.add(order.fault)

    @classmethod
    def of(
        cls,
        count: int,
        seed: int = 0,
        *,
        kinds: Sequence[str] = MIXED_KINDS,
        suite: int = 0,
        customers: Sequence[str | None] = (None,),
        zone: dt.tzinfo = CENTRAL_EUROPE,
        profile_days: int = 14,
        link: MeterLink = MeterLink(),  # noqa: B008 - frozen
        host: str = "127.0.0.1",
        base_port: int = 0,
        now: Callable[[], dt.datetime] = utc_now,
        state: StateFile | str | Path | None = None,
        counters: CounterStore | None = None,
        faults: Sequence[FaultOrder] = (),
        idle: float = IDLE,
    ) -> Fleet:
        """Return a fleet of meters, the same for the same seed; serial numbers from 1000001 on.

        kinds, customers: their security and kinds of customers, in turn. suite, zone, profile_days, link: of all, see
        :class:`~cosemic.simulator.plan.MeterPlan`; the others: of Fleet. Raises ConfigurationError.
        """
        if not kinds or not customers:
            raise ConfigurationError("the meters of a fleet are of some kind")
        plans = plans_of(count, seed, customers, kinds, suite=suite, zone=zone, profile_days=profile_days, link=link)
        return cls(
            plans,
            host=host,
            base_port=base_port,
            now=now,
            state=state,
            counters=counters,
            faults=faults,
            seed=seed,
            idle=idle,
        )

    @property
    def state(self) -> StateFile:
        """The file that keeps what happens to the meters. Raises StoreError."""
        if self._kept is None:
            self._kept = self._state if isinstance(self._state, StateFile) else _opened(self._state or IN_MEMORY)
        return self._kept

    @property
    def meters(self) -> tuple[SimulatedMeter, ...]:
        """All meters; they are made where they are not there. Raises StoreError."""
        return tuple(site.meter for site in self.sites)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the meters are; with free ports, only while the fleet is started."""
        return tuple(map(_endpoint, self.sites))

    async def start(self, progress: Progress = lambda done, count: None) -> None:
        """Listen on all ports, or open the serial one.

        Raises ConfigurationError where one cannot be taken; then none is.
        """
        _allow_sockets(len(self.sites) + _OTHER_FILES)
        try:
            for done, site in enumerate(self.sites, 1):
                await site.start()
                progress(done, len(self.sites))
        except ConfigurationError:
            await self.close()
            raise

    async def close(self) -> None:
        """Listen no more, end all connections, and close the file of the state."""
        await asyncio.gather(*(site.close() for site in self.sites))
        if self._kept is not None and isinstance(self._state, str | Path):
            self._kept.close()
            self._kept = None

    def _made(self, meter: SimulatedMeter) -> None:
        if self._begins_counters:
            begin_counters(meter, utc_now())


def begin_counters(meter: SimulatedMeter, now: dt.datetime) -> None:
    """Let the meter's own invocation counters begin by date and time: higher than those of a run before.

    For simulators that keep no counters: a client that does would take those of a new run for repeated ones. They
    begin at a logarithm of the time, each second 8 higher at the start of 2026, 1 in 2040, 0.2 in 2100; so they are
    below 2^31 up to 2164, and never come to the end of their 32 bits. A run that draws more than that ends above where
    the next one begins, and such a client refuses it until time has caught up: keep the counters where that may be.
    """
    passed = max((now - _COUNTERS_SINCE) / _COUNTERS_SLOW_DOWN, 0.0)
    begin = int(_COUNTERS_PER_SECOND * _COUNTERS_SLOW_DOWN.total_seconds() * math.log1p(passed))
    for client in meter.clients:
        settings = client.settings
        if settings.material is not None:
            counter = settings.counters.transmit_counter(
                settings.material.encryption_key.identity, settings.system_title
            )
            counter.raise_to(begin)


def _endpoint(site: Site) -> Endpoint:
    security = site.plan.protection()
    url = site.url(security.client_sap) + ("&referencing=sn" if site.plan.referencing == "sn" else "")
    settings = dict(security.client_settings())
    if security.kind in HIGH_LEVEL:  # by its title an Acceptor knows what it pushes
        settings["server_title"] = meter_title(site.plan.serial).hex()
    return Endpoint(url, settings, security.kind, site.plan.serial, site, security.third_party_settings())


def _opened(path: str | Path) -> StateFile:
    """A file of states that is closed when nobody uses it any more."""
    file = StateFile(path)
    weakref.finalize(file, file.connection.close)
    return file


def _allow_sockets(count: int) -> None:
    """Let this process have so many files open, where the system allows it. Raises ConfigurationError."""
    try:
        import resource
    except ImportError:  # the limit is one of POSIX
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise ConfigurationError(
            f"{count} sockets are needed, and this user may have {hard}: fewer meters, or a higher limit (ulimit -n)"
        )
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
