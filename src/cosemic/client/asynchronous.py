"""The asyncio driver: carries the octets of a stack, and runs procedures."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from cosemic.association.notifications import Notified
from cosemic.association.requests import Aborted, Completed, Event
from cosemic.client.session import Session
from cosemic.client.steps import Connect, DriverStep, Now, Procedure, Step, Wait
from cosemic.client.timepiece import TimeSource, true_time
from cosemic.errors import ConnectionLost, CosemicError, TransportError
from cosemic.stack import StackRequest
from cosemic.transport.contract import Connection, Receiver
from cosemic.transport.outlet import send_due

T = TypeVar("T")
_CLOSED = "the meter was closed: open it again"


class AsyncDriver:
    """One meter's connection and the stack on it; a :class:`cosemic.transport.contract.Receiver`.

    connect: makes a connection of which a receiver is told. now: the true time, for procedures. turn: held while one
    runs; of this meter alone unless told.

    Procedures queue: one runs at a time. A cancelled one gives up its request; what still comes in answer to it is
    passed over by the association.
    """

    def __init__(
        self,
        session: Session,
        connect: Callable[[Receiver], Awaitable[Connection]],
        now: TimeSource,
        turn: asyncio.Lock | None = None,
    ) -> None:
        self.session = session
        self._connect = connect
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._turn = turn or asyncio.Lock()
        self._takes_turns = turn is not None
        self._broken_off = False
        self._connection: Connection | None = None
        self._waiter: asyncio.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._error: CosemicError | None = None
        self._ended = self._loop.create_future()
        self._closed = False

    async def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure when its turn comes; returns its value or raises what ends it.

        Raises ConnectionLost after :meth:`close`.
        """
        async with self._turn:
            self._refuse_if_closed()
            try:
                return await self._drive(procedure)
            finally:
                self._end_turn()

    def _end_turn(self) -> None:
        """Leave a medium that others use, where a request has no answer: repetitions would come in their turn."""
        broken_off, self._broken_off = self._broken_off, False
        under_way = broken_off and self.session.stack.deadline() is not None
        if under_way and self._takes_turns and self._connection is not None:
            self._connection.close()

    async def _drive(self, procedure: Procedure[T]) -> T:
        try:
            step = next(procedure)
            while True:
                try:
                    result = await self._perform(step)
                except CosemicError as error:
                    if self._closed:
                        raise  # it is not to connect again
                    step = procedure.throw(error)
                else:
                    step = procedure.send(result)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # the value of the procedure
        finally:
            procedure.close()

    async def _perform(self, step: Step) -> Any:
        if not isinstance(step, DriverStep):
            return await self._ask(step)
        if isinstance(step, Wait):
            return await asyncio.sleep(step.seconds)
        if isinstance(step, Now):
            return true_time(self._now)
        if isinstance(step, Connect):
            return await self._connect_anew()
        return await self._drive(self.session.open())

    async def _connect_anew(self) -> None:
        await self._disconnect()
        self._refuse_if_closed()
        self.session.connected_anew()
        self._error = None
        self._ended = self._loop.create_future()
        self._connection = await self._connect(self)
        try:
            self._refuse_if_closed()
        except ConnectionLost:  # it was closed while it was being connected
            await self._disconnect()
            raise

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ConnectionLost(_CLOSED)

    async def _ask(self, request: StackRequest) -> Any:
        connection, stack = self._connection, self.session.stack
        if connection is None or self._error is not None:
            raise ConnectionLost(str(self._error or "the connection is closed: connect again"))
        stack.send(request)
        waiter = self._waiter = self._loop.create_future()
        try:
            events = stack.tick(self._loop.time())
            self._send()
            for event in events:
                self._settle(event)
            self._watch()
            return await waiter
        except BaseException:
            self._broken_off = True
            raise
        finally:
            self._waiter = None
            stack.cancel()  # where it ended without an event: cancelled, or nothing could be written

    async def notified(self, timeout: float | None) -> Notified | None:
        """Wait for a notification; None after so many seconds without one, and after :meth:`close`.

        Raises ConnectionLost where none can come any more.
        """
        inbox, something = self.session.inbox, asyncio.Event()
        inbox.tell(something.set)
        try:
            async with asyncio.timeout(timeout):
                while (found := inbox.take()) is None and not self._closed:
                    if self._error is not None:
                        raise ConnectionLost(str(self._error))
                    something.clear()
                    await something.wait()
                return found
        except TimeoutError:
            return None
        finally:
            inbox.forget(something.set)

    def octets_received(self, octets: bytes, /) -> None:
        """Take what comes over the connection."""
        stack = self.session.stack
        self._take(stack.receive(octets, self._loop.time()))
        if not stack.steady:
            self._watch()

    def connection_lost(self, error: TransportError | None, /) -> None:
        """Learn that the connection has ended."""
        if self._connection is None:
            return  # it was never used: it was not the right meter's
        self._error = self._error or error or ConnectionLost("the connection was closed here: connect again")
        self._connection = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for event in self.session.stack.lost(self._error):
            self._settle(event)
        self.session.inbox.wake()
        if not self._ended.done():
            self._ended.set_result(None)

    def _settle(self, event: Event) -> None:
        if isinstance(event, Notified):
            self.session.inbox.put(event)
            return
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

    def _take(self, events: list[Event]) -> None:
        """Send what is due, then let the events count."""
        with contextlib.suppress(TransportError):  # connection_lost tells the same
            self._send()
        for event in events:
            self._settle(event)

    def _send(self) -> None:
        """Send what is due. Raises ConnectionLost."""
        connection, stack = self._connection, self.session.stack
        if connection is None:
            return
        send_due(stack, connection, whole=stack.whole)

    def _watch(self) -> None:
        """Keep one timer for all requests: it looks at the deadline of the moment when it goes off."""
        deadline = self.session.stack.deadline()
        if deadline is None:
            return
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        self._take(self.session.stack.tick(self._loop.time()))
        self._watch()

    async def close(self) -> None:
        """Close the connection and wait until it has ended; nothing is left behind, and nothing connects again.

        What is still running, in another task, ends with the next error.
        """
        self._closed = True
        await self._disconnect()

    async def _disconnect(self) -> None:
        connection = self._connection
        if connection is not None:
            connection.close()
            await asyncio.shield(self._ended)
