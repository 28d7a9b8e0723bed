"""The blocking driver: a socket, a stack and a loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from cosemic.association.notifications import Notified
from cosemic.association.requests import Aborted, Completed, Event, Failed, may_change
from cosemic.client.session import Session
from cosemic.client.steps import Connect, DriverStep, Now, Procedure, Step, Wait
from cosemic.client.timepiece import TimeSource, true_time
from cosemic.errors import ConnectionLost, CosemicError, ResponseTimeout
from cosemic.stack import StackRequest
from cosemic.transport.contract import BlockingConnection
from cosemic.transport.outlet import send_due

T = TypeVar("T")
_HELD: Final = 0.1
"""Seconds for which the wait for a notification keeps the calls of other threads waiting."""
_LEFT_TO_OTHERS: Final = 0.001
"""Seconds in which one of them takes its turn: a lock that is taken again at once is not handed on."""


class BlockingDriver:
    """One meter's connection and the stack on it.

    connect: makes a connection. now: the true time, for procedures.

    Calls of several threads queue: one runs at a time. The wait for a notification lets them pass.
    """

    def __init__(self, session: Session, connect: Callable[[], BlockingConnection], now: TimeSource) -> None:
        self.session = session
        self._connect = connect
        self._now = now
        self._connection: BlockingConnection | None = None
        self._error: CosemicError | None = None
        self._turn = threading.RLock()
        """Held while a procedure runs: a thread that reads here would take the answer to another's request."""

    def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure when its turn comes; returns its value or raises what ends it."""
        with self._turn:
            return self._drive(procedure)

    def _drive(self, procedure: Procedure[T]) -> T:
        try:
            step = next(procedure)
            while True:
                try:
                    result = self._perform(step)
                except CosemicError as error:
                    step = procedure.throw(error)
                else:
                    step = procedure.send(result)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # the value of the procedure
        finally:
            procedure.close()

    def _perform(self, step: Step) -> Any:
        if not isinstance(step, DriverStep):
            return self._ask(step)
        if isinstance(step, Wait):
            return time.sleep(step.seconds)
        if isinstance(step, Now):
            return true_time(self._now)
        if isinstance(step, Connect):
            return self._connect_anew()
        return self._drive(self.session.open())

    def _connect_anew(self) -> None:
        self.close()
        self.session.connected_anew()
        self._connection = self._connect()
        self._error = None

    def _ask(self, request: StackRequest) -> Any:
        connection, stack = self._connection, self.session.stack
        if connection is None or self._error is not None:
            raise ConnectionLost(str(self._error or "the connection is closed: connect again"))
        if may_change(request):
            self._look(connection)
        stack.send(request)
        try:
            events = self._events(connection)
        except ConnectionLost as error:
            events = self._asked_for(stack.lost(error))
        except BaseException:
            stack.cancel()  # interrupted
            raise
        first, *rest = events
        if rest:
            self._settle(rest, connection)
        if isinstance(first, Completed):
            return first.result
        self._settle([first], connection)
        raise first.error

    def notified(self, timeout: float | None) -> Notified | None:
        """Wait for a notification; None after so many seconds without one. Raises ConnectionLost."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._turn:
                found = self._heard(until)
            if found is not None or (until is not None and time.monotonic() >= until):
                return found
            time.sleep(_LEFT_TO_OTHERS)

    def _heard(self, until: float | None) -> Notified | None:
        """Wait for a notification as long as others that want their turn can be kept waiting."""
        inbox, stack = self.session.inbox, self.session.stack
        found = inbox.take()
        if found is not None:
            return found
        connection = self._connection
        if connection is None or self._error is not None:
            raise ConnectionLost(str(self._error or "the connection is closed: connect again"))
        deadline = min(at for at in (until, stack.deadline(), time.monotonic() + _HELD) if at is not None)
        try:
            octets = connection.read(deadline)
            events = stack.receive(octets, time.monotonic()) if octets else stack.lost(_closed(connection))
        except ResponseTimeout:
            events = stack.tick(max(deadline, time.monotonic()))
        except ConnectionLost as error:
            events = stack.lost(error)
        self._settle(events, connection)
        if self._error is None:
            self._send(connection)
        return inbox.take()

    def _settle(self, events: Sequence[Event], connection: BlockingConnection) -> None:
        """Close the connection where the association has ended."""
        for event in events:
            if isinstance(event, Notified):
                self.session.inbox.put(event)
            elif isinstance(event, Aborted):
                self._error = event.error
                connection.close()

    def _look(self, connection: BlockingConnection) -> None:
        """Take what has come already. Raises ConnectionLost where it is the end: a change is not to be lost in it."""
        try:
            octets = connection.read(time.monotonic())
        except ResponseTimeout:
            return
        except ConnectionLost as error:
            self._settle(self.session.stack.lost(error), connection)
            raise
        if octets:
            self._settle(self.session.stack.receive(octets, time.monotonic()), connection)
        else:
            self._settle(self.session.stack.lost(_closed(connection)), connection)
        if self._error is not None:
            raise ConnectionLost(str(self._error))

    def _events(self, connection: BlockingConnection) -> list[Completed | Failed | Aborted]:
        """Send and receive until something has come of the request. Raises ConnectionLost."""
        stack = self.session.stack
        self._send(connection)
        events = self._asked_for(stack.tick(time.monotonic()))  # time-outs begin when the request has left
        if not stack.steady:
            self._send(connection)
        while not events:
            deadline = stack.deadline()
            try:
                octets = connection.read(deadline)
            except ResponseTimeout:
                # The connection says that the deadline has passed, whatever our clock does.
                came = stack.tick(time.monotonic() if deadline is None else max(deadline, time.monotonic()))
            else:
                if not octets:
                    raise _closed(connection)
                came = stack.receive(octets, time.monotonic())
            if came:
                events = self._asked_for(came)
            self._send(connection)
        return events

    def _asked_for(self, events: list[Event]) -> list[Completed | Failed | Aborted]:
        """Keep the notifications; return the other events."""
        found: list[Completed | Failed | Aborted] = []
        for event in events:
            if isinstance(event, Notified):
                self.session.inbox.put(event)
            else:
                found.append(event)
        return found

    def _send(self, connection: BlockingConnection) -> None:
        """Send what is due. Raises ConnectionLost."""
        stack = self.session.stack
        send_due(stack, connection, whole=stack.whole)

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        self._error = self._error or ConnectionLost("the connection was closed here: connect again")
        if connection is not None:
            connection.close()


def _closed(connection: BlockingConnection) -> ConnectionLost:
    return ConnectionLost(f"{connection.peer} closed the connection: connect again")
