"""The blocking driver: a socket, a stack and a loop."""

from __future__ import annotations

import time
from typing import Any, TypeVar

from cosemic.association.requests import Aborted, Completed, Failed, Open, Release, Request
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
            raise self._error
        stack, connection = self._stack, self._connection
        stack.send(request)
        try:
            stack.tick(time.monotonic())
            connection.write(stack.octets_to_send())
            while True:
                try:
                    octets = connection.read(stack.deadline())
                except ResponseTimeout:
                    events = stack.tick(time.monotonic())
                else:
                    if not octets:
                        raise ConnectionLost("the meter closed the connection: connect again")
                    events = stack.receive(octets, time.monotonic())
                    due = stack.octets_to_send()
                    if due:
                        connection.write(due)
                for event in events:
                    if isinstance(event, Completed):
                        return event.result
                    if isinstance(event, Aborted):
                        self._error = event.error
                    if isinstance(event, Failed | Aborted):
                        raise event.error
        except ConnectionLost as error:
            self._error = error
            for event in stack.lost(error):
                if isinstance(event, Failed):
                    raise event.error from None
            raise
        except BaseException as error:
            unanswered = stack.association.busy or isinstance(error, ResponseTimeout)
            if stack.association.busy:
                stack.association.cancel()
            if unanswered and isinstance(request, Open | Release):
                # Its late answer has no invoke-id to be told by.
                self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._error = self._error or ConnectionLost("the connection was closed here: connect again")
        self._connection.close()
