"""Clients on real sockets, in a thread beside the event loop of a fleet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from cosemic.client import BlockingMeter
from cosemic.client.recovery import NONE, Recovery
from cosemic.security import CounterStore, MemoryCounterStore
from cosemic.simulator import Endpoint, Fleet
from cosemic.simulator.security import HIGH_LEVEL

T = TypeVar("T")


@contextmanager
def opened(
    endpoint: Endpoint, counters: CounterStore | None = None, recovery: Recovery = NONE, timeout: float = 5
) -> Iterator[BlockingMeter]:
    """A client that has nothing but the endpoint."""
    security: dict[str, Any] = dict(endpoint.security)
    if endpoint.kind in HIGH_LEVEL:
        security["counters"] = MemoryCounterStore() if counters is None else counters
    url = f"{endpoint.url}&timeout={timeout}"
    with BlockingMeter.connect(url, security, recovery=recovery) as meter:
        yield meter


def energy_of(endpoint: Endpoint, **options: Any) -> int:
    """The energy drawn, in watt-hours."""
    with opened(endpoint, **options) as meter:
        raw: int = meter.read("1-0:1.8.0").raw
        return raw


def let_go(endpoint: Endpoint) -> None:
    """Let a meter go as soon as its last connection has ended on its side too."""
    for _ in range(2000):
        endpoint.site.let_go()
        if not endpoint.site.present:
            return
        time.sleep(0.001)
    raise AssertionError("somebody talks to it still")


def beside(fleet: Fleet, work: Callable[[], T]) -> T:
    """Run blocking work while a fleet serves."""

    async def body() -> T:
        async with fleet:
            return await asyncio.to_thread(work)

    return asyncio.run(body())


def served(fleet: Fleet, work: Callable[[Fleet], Awaitable[T]]) -> T:
    """Run asynchronous work while a fleet serves."""

    async def body() -> T:
        async with fleet:
            return await work(fleet)

    return asyncio.run(body())
