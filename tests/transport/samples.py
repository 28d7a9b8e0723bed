"""What the tests of transports share: receivers, and a check that nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from cosemic.errors import TransportError
from cosemic.transport.contract import Connection

HOST = "127.0.0.1"
RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Recorder:
    """Keeps what came, and lets tests wait for it."""

    def __init__(self, connection: Connection | None = None) -> None:
        self.connection = connection
        self.octets = b""
        self.ends: list[TransportError | None] = []
        self._changed = asyncio.Event()

    def octets_received(self, octets: bytes, /) -> None:
        assert not self.ends
        assert octets
        self.octets += octets
        self._changed.set()

    def connection_lost(self, error: TransportError | None, /) -> None:
        self.ends.append(error)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def has(self, octets: bytes) -> None:
        await self.until(lambda: len(self.octets) >= len(octets))
        assert self.octets == octets

    async def ended(self) -> TransportError | None:
        await self.until(lambda: bool(self.ends))
        assert len(self.ends) == 1
        return self.ends[0]


class Echo(Recorder):
    def octets_received(self, octets: bytes, /) -> None:
        assert self.connection is not None
        self.connection.write(octets)


def accepting() -> tuple[list[Recorder], Callable[[Connection], Recorder]]:
    """What a server is given to accept connections with, and the recorders of those that it has accepted."""
    accepted: list[Recorder] = []

    def accept(connection: Connection) -> Recorder:
        accepted.append(Recorder(connection))
        return accepted[-1]

    return accepted, accept


async def give_up_after(turns: int, opening: Coroutine[Any, Any, Any]) -> None:
    """Cancel the opening of a connection after so many turns of the loop; one that came nevertheless is closed."""
    attempt = asyncio.create_task(opening)
    for _ in range(turns):
        await asyncio.sleep(0)
    attempt.cancel()
    try:
        opened = await attempt
    except asyncio.CancelledError:
        return
    if opened is not None:
        opened.close()
        await opened.wait_closed()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run the scenario; afterwards no task, timer, thread or socket of it may be left."""

    async def whole() -> None:
        await scenario()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        timers: list[asyncio.TimerHandle] = getattr(asyncio.get_running_loop(), "_scheduled", [])
        assert all(timer.cancelled() for timer in timers)

    problems: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        await whole()

    before = threading.active_count()
    asyncio.run(watched(), debug=True)
    gc.collect()
    assert threading.active_count() == before
    assert problems == []


def free_port(host: str = HOST) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


def has_ipv6() -> bool:
    try:
        free_port("::1")
    except OSError:
        return False
    return True
