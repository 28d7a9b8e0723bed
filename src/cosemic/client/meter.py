"""``Meter`` and ``BlockingMeter``: the same names, the same types, once with ``await``.

What they do is written once, as procedures; the two classes name them (:mod:`cosemic.client.faces`) and open and close.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from functools import cached_property
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

from cosemic.association.notifications import Notified
from cosemic.association.requests import Opened
from cosemic.client.asynchronous import AsyncDriver
from cosemic.client.blocking import BlockingDriver
from cosemic.client.faces import asynchronously, blocking
from cosemic.client.layered import Layers
from cosemic.client.named_meter import NamedMeter
from cosemic.client.procedures.access import AccessProcedures
from cosemic.client.procedures.billing import AsyncBilling, BlockingBilling
from cosemic.client.procedures.breaker import AsyncBreaker, BlockingBreaker
from cosemic.client.procedures.calendar import AsyncCalendar, BlockingCalendar
from cosemic.client.procedures.clock import AsyncClock, BlockingClock
from cosemic.client.procedures.data_protection import AsyncDataProtection, BlockingDataProtection
from cosemic.client.procedures.demand import AsyncDemand, BlockingDemand
from cosemic.client.procedures.events import AsyncEvents, BlockingEvents
from cosemic.client.procedures.firmware import AsyncFirmware, BlockingFirmware
from cosemic.client.procedures.limiter import AsyncLimiter, BlockingLimiter
from cosemic.client.procedures.profiles import ProfileProcedures
from cosemic.client.procedures.push import AsyncPush, BlockingPush
from cosemic.client.procedures.security import AsyncSecurity, BlockingSecurity
from cosemic.client.procedures.unconfirmed import UnconfirmedProcedures
from cosemic.client.scaling import Readable
from cosemic.client.session import MethodTarget, Sendable, Session, Target
from cosemic.client.steps import Procedure
from cosemic.codec import EncodedData
from cosemic.errors import CosemicError, NotAssociated
from cosemic.model import AccessSelection, AttributeReference, MethodReference
from cosemic.model.common import SimpleValue
from cosemic.values import Obis

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")
_NOT_OPEN: Final = "the meter is not open: open it, or use it as a context manager"


class Meter(NamedMeter):
    """A meter on asyncio.

    ::

        async with Meter.connect("tcp://127.0.0.1:4059?client=1&server=1", security="meter.toml") as meter:
            energy = await meter.read("1-0:1.8.0")

    Concurrent calls queue. A cancelled call leaves no late answer behind. Every method raises
    :class:`~cosemic.errors.CosemicError` and nothing else for what the meter or the medium does.
    """

    _driver: AsyncDriver | None = None

    async def open(self) -> Opened:
        """Connect, and open the association. Raises ConnectionFailed, AssociationRejected, SecurityError."""
        self._begin(self._driver)
        # It is there from the beginning: another task queues, and does not open the meter a second time.
        driver = self._driver = AsyncDriver(self.session, self._plan.connect, self._plan.now, self._plan.turn)
        try:
            return await driver.run(self._opening())
        except BaseException:
            if self._driver is driver:
                self._driver = None
            await driver.close()
            raise

    async def close(self) -> None:
        """Release the association and disconnect; a meter that does not answer the release is left all the same."""
        driver, self._driver = self._driver, None
        if driver is None:
            return
        try:
            await driver.run(self.session.release())
        except CosemicError:
            return  # the association ends with the connection
        finally:
            await driver.close()

    async def __aenter__(self) -> Self:
        if self._driver is None:  # ``async with await Meter.connect(...)`` has opened it already
            await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __await__(self) -> Generator[Any, None, Self]:
        async def opened() -> Self:
            await self.open()
            return self

        return opened().__await__()

    async def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure, also one of your own, when its turn comes; returns its value or raises what ends it."""
        if self._driver is None:
            raise NotAssociated("the meter is not open: use it in 'async with', or await open()")
        return await self._driver.run(self._of_third_party(procedure))

    @overload
    async def read(
        self,
        target: AttributeReference[SimpleValue],
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> Readable: ...
    @overload
    async def read(
        self, target: AttributeReference[T], selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> T: ...
    @overload
    async def read(
        self, target: str | Obis, selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> Any: ...
    async def read(
        self, target: Target, selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> Any:
        """Read one attribute, or a part of it; see :meth:`Session.read <cosemic.client.session.Session.read>`."""
        return await self.run(self.session.read(target, selection, layers=layers))

    @overload
    async def write(
        self,
        target: AttributeReference[SimpleValue],
        value: Readable | Sendable,
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> None: ...
    @overload
    async def write(
        self,
        target: AttributeReference[T],
        value: T | Sendable,
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> None: ...
    @overload
    async def write(
        self,
        target: str | Obis,
        value: object,
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> None: ...
    async def write(
        self, target: Target, value: Any, selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> None:
        """Write one attribute, or a part of it; see :meth:`Session.write <cosemic.client.session.Session.write>`."""
        await self.run(self.session.write(target, value, selection, layers=layers))

    @overload
    async def call(
        self, target: MethodReference[P, R], value: P | EncodedData | None = None, *, layers: Layers | None = None
    ) -> R: ...
    @overload
    async def call(self, target: str, value: object = None, *, layers: Layers | None = None) -> Any: ...
    async def call(self, target: MethodTarget, value: Any = None, *, layers: Layers | None = None) -> Any:
        """Invoke a method; see :meth:`Session.call <cosemic.client.session.Session.call>`."""
        return await self.run(self.session.call(target, value, layers=layers))

    async def notifications(self, timeout: float | None = None) -> AsyncIterator[Notified]:
        """Give what the meter says by itself, in order: ``async for notification in meter.notifications(): ...``.

        timeout: seconds without a notification after which this ends; None: when the meter is closed. What comes is
        kept, 1024 notifications at most (then the oldest is dropped, and counted: ``meter.session.inbox.missed``), and
        what asks for a confirmation was confirmed. On links where the meter may not send by itself, :meth:`poll` it.

        Raises ConnectionLost where none can come any more, NotAssociated while the meter is not open.
        """
        driver = self._driver
        if driver is None:
            raise NotAssociated(_NOT_OPEN)
        while (notified := await driver.notified(timeout)) is not None:
            yield notified

    get = asynchronously(Session.get)
    poll = asynchronously(Session.poll)
    pass_on = asynchronously(Session.pass_on)
    read_many = asynchronously(Session.read_many)
    write_many = asynchronously(Session.write_many)
    call_many = asynchronously(Session.call_many)
    objects = asynchronously(Session.objects)
    access = asynchronously(AccessProcedures.access)
    write_unconfirmed = asynchronously(UnconfirmedProcedures.write_unconfirmed)
    call_unconfirmed = asynchronously(UnconfirmedProcedures.call_unconfirmed)
    read_all = asynchronously(AccessProcedures.read_all)
    load_profile = asynchronously(ProfileProcedures.load_profile)
    load_profile_entries = asynchronously(ProfileProcedures.load_profile_entries)
    load_profile_newest = asynchronously(ProfileProcedures.load_profile_newest)
    clock = cached_property(AsyncClock)
    billing = cached_property(AsyncBilling)
    breaker = cached_property(AsyncBreaker)
    calendar = cached_property(AsyncCalendar)
    data_protection = cached_property(AsyncDataProtection)
    demand = cached_property(AsyncDemand)
    events = cached_property(AsyncEvents)
    firmware = cached_property(AsyncFirmware)
    limiter = cached_property(AsyncLimiter)
    push = cached_property(AsyncPush)
    security = cached_property(AsyncSecurity)


class BlockingMeter(NamedMeter):
    """A meter for blocking code; every method as in :class:`Meter`, without ``await``.

    ::

        with BlockingMeter.connect("tcp://127.0.0.1:4059?client=1&server=1", security="meter.toml") as meter:
            energy = meter.read("1-0:1.8.0")

    Calls of several threads queue; :meth:`notifications` lets them pass while it waits.
    """

    _driver: BlockingDriver | None = None

    def open(self) -> Opened:
        """Connect, and open the association. Raises ConnectionFailed, AssociationRejected, SecurityError."""
        self._begin(self._driver)
        driver = BlockingDriver(self.session, self._plan.connect_blocking, self._plan.now)
        try:
            opened = driver.run(self._opening())
        except BaseException:
            driver.close()
            raise
        self._driver = driver
        return opened

    def close(self) -> None:
        """Release the association and disconnect; a meter that does not answer the release is left all the same."""
        driver, self._driver = self._driver, None
        if driver is None:
            return
        try:
            driver.run(self.session.release())
        except CosemicError:
            return  # the association ends with the connection
        finally:
            driver.close()

    def __enter__(self) -> Self:
        if self._driver is None:
            self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure, also one of your own; returns its value or raises what ends it."""
        if self._driver is None:
            raise NotAssociated("the meter is not open: use it in 'with', or call open()")
        return self._driver.run(self._of_third_party(procedure))

    @overload
    def read(
        self,
        target: AttributeReference[SimpleValue],
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> Readable: ...
    @overload
    def read(
        self, target: AttributeReference[T], selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> T: ...
    @overload
    def read(
        self, target: str | Obis, selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> Any: ...
    def read(self, target: Target, selection: AccessSelection | None = None, *, layers: Layers | None = None) -> Any:
        """Read one attribute, or a part of it; see :meth:`Session.read <cosemic.client.session.Session.read>`."""
        return self.run(self.session.read(target, selection, layers=layers))

    @overload
    def write(
        self,
        target: AttributeReference[SimpleValue],
        value: Readable | Sendable,
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> None: ...
    @overload
    def write(
        self,
        target: AttributeReference[T],
        value: T | Sendable,
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> None: ...
    @overload
    def write(
        self,
        target: str | Obis,
        value: object,
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> None: ...
    def write(
        self, target: Target, value: Any, selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> None:
        """Write one attribute, or a part of it; see :meth:`Session.write <cosemic.client.session.Session.write>`."""
        self.run(self.session.write(target, value, selection, layers=layers))

    @overload
    def call(
        self, target: MethodReference[P, R], value: P | EncodedData | None = None, *, layers: Layers | None = None
    ) -> R: ...
    @overload
    def call(self, target: str, value: object = None, *, layers: Layers | None = None) -> Any: ...
    def call(self, target: MethodTarget, value: Any = None, *, layers: Layers | None = None) -> Any:
        """Invoke a method; see :meth:`Session.call <cosemic.client.session.Session.call>`."""
        return self.run(self.session.call(target, value, layers=layers))

    def notifications(self, timeout: float | None = None) -> Iterator[Notified]:
        """Give what the meter says by itself, in order; see :meth:`Meter.notifications`.

        timeout: seconds without a notification after which this ends; None: never. Between calls of this meter what has
        come waits at the connection.
        """
        driver = self._driver
        if driver is None:
            raise NotAssociated(_NOT_OPEN)
        while self._driver is driver and (notified := driver.notified(timeout)) is not None:
            yield notified

    get = blocking(Session.get)
    poll = blocking(Session.poll)
    pass_on = blocking(Session.pass_on)
    read_many = blocking(Session.read_many)
    write_many = blocking(Session.write_many)
    call_many = blocking(Session.call_many)
    objects = blocking(Session.objects)
    access = blocking(AccessProcedures.access)
    write_unconfirmed = blocking(UnconfirmedProcedures.write_unconfirmed)
    call_unconfirmed = blocking(UnconfirmedProcedures.call_unconfirmed)
    read_all = blocking(AccessProcedures.read_all)
    load_profile = blocking(ProfileProcedures.load_profile)
    load_profile_entries = blocking(ProfileProcedures.load_profile_entries)
    load_profile_newest = blocking(ProfileProcedures.load_profile_newest)
    clock = cached_property(BlockingClock)
    billing = cached_property(BlockingBilling)
    breaker = cached_property(BlockingBreaker)
    calendar = cached_property(BlockingCalendar)
    data_protection = cached_property(BlockingDataProtection)
    demand = cached_property(BlockingDemand)
    events = cached_property(BlockingEvents)
    firmware = cached_property(BlockingFirmware)
    limiter = cached_property(BlockingLimiter)
    push = cached_property(BlockingPush)
    security = cached_property(BlockingSecurity)
