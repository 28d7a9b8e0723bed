"""From procedures to methods: each procedure is written once, and has a face on asyncio and a blocking one.

A topic is a :class:`ProcedureGroup`; its faces name the procedures they offer, and nothing else::

    class ClockProcedures(ProcedureGroup):
        def read(self) -> Procedure[ClockReading]: ...

    class AsyncClock(AsyncGroup):
        read = asynchronously(ClockProcedures.read)      # async def read(self) -> ClockReading

    class BlockingClock(BlockingGroup):
        read = blocking(ClockProcedures.read)            # def read(self) -> ClockReading

A group hangs on a meter as ``clock = cached_property(AsyncClock)``. Parameters, their types and the docstring of the
procedure are those of the method. An overload does not survive: where a procedure has one, the faces write it down.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from cosemic.client.steps import Procedure

if TYPE_CHECKING:
    from cosemic.client.session import Session

P = ParamSpec("P")
T = TypeVar("T")

_GROUPS: Final[dict[Any, type[ProcedureGroup]]] = {}
"""Which group a procedure belongs to; those that are in none are procedures of the session itself."""


class ProcedureGroup:
    """What a client does about one topic: methods that are procedures, on one session.

    ``session`` carries the services: ``yield from self.session.get(...)``. A group keeps nothing of its own: what is
    learnt of a meter belongs to the session.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    def __init_subclass__(cls) -> None:
        _GROUPS.update({member: cls for member in vars(cls).values() if inspect.isfunction(member)})


class AsyncRunner(Protocol):
    """What runs procedures on asyncio."""

    @property
    def session(self) -> Session:
        """The meter as procedures see it."""

    async def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure; returns its value or raises what ends it."""


class BlockingRunner(Protocol):
    """What runs procedures in blocking code."""

    @property
    def session(self) -> Session:
        """The meter as procedures see it."""

    def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure; returns its value or raises what ends it."""


class AsyncGroup:
    """The face of a group on asyncio; hangs on a meter."""

    def __init__(self, meter: AsyncRunner) -> None:
        self.session = meter.session
        self._meter = meter

    async def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure; returns its value or raises what ends it."""
        return await self._meter.run(procedure)


class BlockingGroup:
    """The face of a group for blocking code; hangs on a meter."""

    def __init__(self, meter: BlockingRunner) -> None:
        self.session = meter.session
        self._meter = meter

    def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure; returns its value or raises what ends it."""
        return self._meter.run(procedure)


def asynchronously(
    procedure: Callable[Concatenate[Any, P], Procedure[T]],
) -> Callable[Concatenate[AsyncRunner, P], Coroutine[Any, Any, T]]:
    """Turn a procedure of a group, or of Session, into the ``async`` method of a face."""
    group = _GROUPS.get(procedure)

    @wraps(procedure)
    async def method(face: AsyncRunner, /, *args: P.args, **kwargs: P.kwargs) -> T:
        session = face.session
        return await face.run(procedure(session if group is None else group(session), *args, **kwargs))

    return _described(method, procedure)


def blocking(
    procedure: Callable[Concatenate[Any, P], Procedure[T]],
) -> Callable[Concatenate[BlockingRunner, P], T]:
    """Turn a procedure of a group, or of Session, into the method of a blocking face."""
    group = _GROUPS.get(procedure)

    @wraps(procedure)
    def method(face: BlockingRunner, /, *args: P.args, **kwargs: P.kwargs) -> T:
        session = face.session
        return face.run(procedure(session if group is None else group(session), *args, **kwargs))

    return _described(method, procedure)


M = TypeVar("M", bound=Callable[..., Any])


def _described(method: M, procedure: Callable[..., Any]) -> M:
    """Give a method the signature of its procedure, which returns what the procedure says it will."""
    signature = inspect.signature(procedure)
    returned = str(signature.return_annotation).removeprefix("Procedure[").removesuffix("]")
    method.__dict__["__signature__"] = signature.replace(return_annotation=returned)
    method.__annotations__ = {**procedure.__annotations__, "return": returned}
    return method
