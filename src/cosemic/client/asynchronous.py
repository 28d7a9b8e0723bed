"""The asyncio driver: carries the octets of a stack, and runs procedures."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, TypeVar

from cosemic.association.requests import Aborted, Completed, Event, Request
from cosemic.client.session import Procedure
from cosemic.errors import ConnectionLost, CosemicError, TransportError
from cosemic.stack import Address, ClientStack
from cosemic.transport.contract import Connection
from cosemic.transport.tcp import connect

T = TypeVar("T")


class AsyncDriver:
    """One connection and the stack on it; a :class:`cosemic.transport.contract.Receiver`.

    Procedures queue: one runs at a time. A cancelled one gives up its request; what still comes in answer to it is
    passed over by the association.
    """

    def __init__(self, stack: ClientStack) -> None:
        self._stack = stack
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._connection: Connection | None = None
        self._waiter: asyncio.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._error: CosemicError | None = None
        self._ended = self._loop.create_future()

    async def connect(self, address: Address) -> None:
        """Connect the medium. Raises ConnectionFailed."""
        self._connection = await connect(address.host, address.port, self, timeout=address.connect_timeout)

    def attach(self, connection: Connection) -> None:
        """Use a connection that stands."""
        self._connection = connection

    async def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure when its turn comes; returns its value or raises what ends it."""
        async with self._turn:
            try:
                request = next(procedure)
                while True:
                    try:
                        result = await self._perform(request)
                    except CosemicError as error:
                        request = procedure.throw(error)
                    else:
                        request = procedure.send(result)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # the value of the procedure
            finally:
                procedure.close()

    async def _perform(self, request: Request) -> Any:
        connection, stack = self._connection, self._stack
        if connection is None or self._error is not None:
            raise ConnectionLost(str(self._error or "the connection is closed: connect again"))
        stack.send(request)
        waiter = self._waiter = self._loop.create_future()
        try:
            stack.tick(self._loop.time())
            connection.write(stack.octets_to_send())
            if self._timer is None:
                self._watch()
            return await waiter
        finally:
            self._waiter = None
            stack.cancel()  # where it ended without an event: cancelled, or nothing could be written

    def octets_received(self, octets: bytes, /) -> None:
        """Take what comes over the connection."""
        stack = self._stack
        events = stack.receive(octets, self._loop.time())
        due = stack.octets_to_send()
        if due and self._connection is not None:
            with contextlib.suppress(TransportError):  # connection_lost tells the same
                self._connection.write(due)
        for event in events:
            self._settle(event)

    def connection_lost(self, error: TransportError | None, /) -> None:
        """Learn that the connection has ended."""
        self._error = self._error or error or ConnectionLost("the connection was closed here: connect again")
        self._connection = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for event in self._stack.lost(self._error):
            self._settle(event)
        if not self._ended.done():
            self._ended.set_result(None)

    def _settle(self, event: Event) -> None:
        waiter = self._waiter
        if isinstance(event, Aborted):
            self._error = self._error or event.error
            if self._connection is not None:
                self._connection.close()
        if waiter is None or waiter.done():
            return
        if isinstance(event, Completed):
            waiter.set_result(event.result)
        else:
            waiter.set_exception(event.error)

    def _watch(self) -> None:
        """Keep one timer for all requests: it looks at the deadline of the moment when it goes off."""
        deadline = self._stack.deadline()
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        for event in self._stack.tick(self._loop.time()):
            self._settle(event)
        self._watch()

    async def close(self) -> None:
        """Close the connection and wait until it has ended; nothing is left behind."""
        connection = self._connection
        if connection is not None:
            connection.close()
            await asyncio.shield(self._ended)
