"""The asyncio driver: carries the octets of a stack, and runs procedures."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, TypeVar

from cosemic.association.requests import Aborted, Completed, Event, Failed, Open, Release, Request
from cosemic.client.session import Procedure
from cosemic.errors import ConnectionLost, CosemicError, ResponseTimeout, TransportError
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
        if self._error is not None or self._connection is None:
            raise self._error or ConnectionLost("the connection is closed: connect again")
        stack = self._stack
        stack.send(request)
        now = self._loop.time()
        stack.tick(now)
        waiter = self._waiter = self._loop.create_future()
        try:
            self._connection.write(stack.octets_to_send())
            self._watch()
            return await waiter
        except asyncio.CancelledError:
            stack.association.cancel()
            self._give_up(request)
            raise
        except ResponseTimeout:
            self._give_up(request)
            raise
        finally:
            self._waiter = None

    def _give_up(self, request: Request) -> None:
        """Close after an unanswered opening or release: its late answer has no invoke-id to be told by."""
        if isinstance(request, Open | Release) and self._connection is not None:
            self._error = ConnectionLost("the connection was given up: nobody answered the opening; connect again")
            self._connection.close()

    def octets_received(self, octets: bytes, /) -> None:
        """Take what comes over the connection."""
        events = self._stack.receive(octets, self._loop.time())
        due = self._stack.octets_to_send()
        if due and self._connection is not None:
            with contextlib.suppress(TransportError):  # connection_lost tells the same
                self._connection.write(due)
        for event in events:
            self._settle(event)

    def connection_lost(self, error: TransportError | None, /) -> None:
        """Learn that the connection has ended."""
        self._error = error or ConnectionLost("the connection was closed here: connect again")
        self._connection = None
        for event in self._stack.lost(self._error):
            self._settle(event)

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
        elif isinstance(event, Failed):
            waiter.set_exception(event.error)
        else:
            waiter.set_exception(event.error)

    def _watch(self) -> None:
        """Keep one timer for all requests: it looks at the deadline of the moment when it goes off."""
        deadline = self._stack.deadline()
        if self._timer is None and deadline is not None:
            self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        for event in self._stack.tick(self._loop.time()):
            self._settle(event)
        self._watch()

    async def close(self) -> None:
        """Close the connection; nothing is left behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            wait = getattr(connection, "wait_closed", None)
            if wait is not None:
                await wait()
