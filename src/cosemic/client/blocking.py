"""The blocking driver: a socket, a stack and a loop."""

from __future__ import annotations

import time
from typing import Any, TypeVar

from cosemic.association.requests import Aborted, Completed, Event, Request
from cosemic.client.session import Procedure
from cosemic.errors import ConnectionLost, CosemicError, ResponseTimeout
from cosemic.stack import Address, ClientStack
from cosemic.transport.blocking import BlockingTcpConnection
from cosemic.transport.contract import BlockingConnection

T = TypeVar("T")


class BlockingDriver:
    """One connection and the stack on it; one thread uses it at a time."""

    def __init__(self, stack: ClientStack, connection: BlockingConnection) -> None:
        self._stack = stack
        self._connection = connection
        self._error: CosemicError | None = None

    @classmethod
    def connect(cls, stack: ClientStack, address: Address) -> BlockingDriver:
        """Connect the medium. Raises ConnectionFailed."""
        return cls(stack, BlockingTcpConnection(address.host, address.port, address.connect_timeout))

    def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure; returns its value or raises what ends it."""
        try:
            request = next(procedure)
            while True:
                try:
                    result = self._perform(request)
                except CosemicError as error:
                    request = procedure.throw(error)
                else:
                    request = procedure.send(result)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # the value of the procedure
        finally:
            procedure.close()

    def _perform(self, request: Request) -> Any:
        if self._error is not None:
            raise ConnectionLost(str(self._error))
        stack = self._stack
        stack.send(request)
        try:
            events = self._events()
        except ConnectionLost as error:
            events = stack.lost(error)
        finally:
            stack.cancel()  # where it ended without an event: interrupted
        for event in events:
            if isinstance(event, Aborted):
                self._error = event.error
                self._connection.close()
        first = events[0]
        if isinstance(first, Completed):
            return first.result
        raise first.error

    def _events(self) -> list[Event]:
        """Send and receive until something has come of the request. Raises ConnectionLost."""
        stack, connection = self._stack, self._connection
        stack.tick(time.monotonic())
        connection.write(stack.octets_to_send())
        events: list[Event] = []
        while not events:
            deadline = stack.deadline()
            try:
                octets = connection.read(deadline)
            except ResponseTimeout:
                # The connection says that the deadline has passed, whatever our clock does.
                events = stack.tick(time.monotonic() if deadline is None else max(deadline, time.monotonic()))
                continue
            if not octets:
                raise ConnectionLost(f"{connection.peer} closed the connection: connect again")
            events = stack.receive(octets, time.monotonic())
            due = stack.octets_to_send()
            if due:
                connection.write(due)
        return events

    def close(self) -> None:
        """Close the connection."""
        self._error = self._error or ConnectionLost("the connection was closed here: connect again")
        self._connection.close()
