"""``Meter`` and ``BlockingMeter``: the same names, the same types, once with ``await``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, Self

from cosemic.association.requests import Opened
from cosemic.client.asynchronous import AsyncDriver
from cosemic.client.blocking import BlockingDriver
from cosemic.client.session import Session, Target
from cosemic.codec import EncodedData
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import AssociationError, ConnectionLost, CosemicError, NotAssociated
from cosemic.model import AccessSelection, MethodReference
from cosemic.model.profile import LoadProfile
from cosemic.stack import MANAGEMENT_LOGICAL_DEVICE, PUBLIC_CLIENT, Address, ClientStack, Traffic, parse_url
from cosemic.store.security_settings import SecuritySettings, Source, load_security
from cosemic.values import Obis


class _Plan:
    """What connecting needs: made from URL and settings, used by both faces."""

    def __init__(self, url: str, security: Source, zone: dt.tzinfo, dialect: Dialect) -> None:
        address = parse_url(url)
        self.security: SecuritySettings = load_security(
            security, dialect=dialect, response_timeout=address.response_timeout, max_pdu_size=address.max_pdu_size
        )
        self.address: Address = address.but(client_sap=self.security.client_sap, server_sap=self.security.server_sap)
        self.zone = zone

    def stack(self) -> ClientStack:
        """A stack for one connection."""
        client, server = self.address.client_sap, self.address.server_sap
        return ClientStack(
            self.security.client,
            PUBLIC_CLIENT if client is None else client,
            MANAGEMENT_LOGICAL_DEVICE if server is None else server,
        )

    def session(self) -> Session:
        """A fresh stack, and nothing known of the meter yet."""
        return Session(self.security, self.stack(), self.zone)


class Meter:
    """A meter on asyncio.

    ::

        async with Meter.connect("tcp://127.0.0.1:4059?client=1&server=1", security="meter.toml") as meter:
            energy = await meter.read("1-0:1.8.0")

    Concurrent calls queue. A cancelled call leaves no late answer behind. Every method raises
    :class:`~cosemic.errors.CosemicError` and nothing else for what the meter or the medium does.
    """

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._session = plan.session()
        self._used = False
        self._driver: AsyncDriver | None = None

    @classmethod
    def connect(
        cls, url: str, security: Source = None, *, zone: dt.tzinfo = dt.UTC, dialect: Dialect = STANDARD
    ) -> Meter:
        """Name a meter; it is connected and opened by ``async with``, ``await`` or :meth:`open`.

        url: see :mod:`cosemic.stack`. security: see :mod:`cosemic.store.security_settings`; None for a public client.
        zone: of the meter, for its stamps without deviation and for naive times. Raises ConfigurationError.
        """
        return cls(_Plan(url, security, zone, dialect))

    async def open(self) -> Opened:
        """Connect, and open the association. Raises ConnectionFailed, AssociationRejected, SecurityError."""
        if self._driver is not None:
            raise AssociationError("the meter is open already")
        if self._used:
            self._session = self._plan.session()
        self._used = True
        session = self._session
        while True:
            driver = AsyncDriver(session.stack)
            await driver.connect(self._plan.address)
            try:
                opened = await driver.run(session.open())
            except ConnectionLost:
                await driver.close()
                if not session.asked_first:
                    raise
                session.connected_anew(self._plan.stack())
            except BaseException:
                await driver.close()
                raise
            else:
                self._driver = driver
                return opened

    async def close(self) -> None:
        """Release the association and disconnect; a meter that does not answer the release is left all the same."""
        driver, self._driver = self._driver, None
        if driver is None:
            return
        try:
            await driver.run(self._session.release())
        except CosemicError:
            return  # the association ends with the connection
        finally:
            await driver.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __await__(self) -> Generator[Any, None, Meter]:
        async def opened() -> Meter:
            await self.open()
            return self

        return opened().__await__()

    async def read(self, target: Target) -> Any:
        """Read one attribute: a Quantity where it has scaler and unit, else what its class says.

        target: ``"1-0:1.8.0"`` (looked up in the association view), ``"3/1-0:1.8.0*255:2"`` or an attribute reference.
        Raises DataAccessError.
        """
        return await self._running.run(self._session.read(target))

    async def read_many(self, targets: Sequence[Target]) -> list[Any]:
        """Read several attributes, in lists where the meter agrees to them. Raises DataAccessError."""
        return await self._running.run(self._session.read_many(targets))

    async def get(self, target: Target, selection: AccessSelection | None = None) -> EncodedData:
        """Read one attribute as it was sent. Raises DataAccessError."""
        return await self._running.run(self._session.get(target, selection))

    async def write(self, target: Target, value: object) -> None:
        """Write one attribute. Raises DataAccessError, EncodeError; OutcomeUnknown when no answer came."""
        await self._running.run(self._session.write(target, value))

    async def call(self, target: str | MethodReference[Any, Any], value: object = None) -> Any:
        """Invoke a method. Raises ActionFailed, EncodeError; OutcomeUnknown when no answer came."""
        return await self._running.run(self._session.call(target, value))

    async def objects(self, *, refresh: bool = False) -> list[Any]:
        """Return the association view: class_id, version, logical_name and access_rights of each object."""
        return await self._running.run(self._session.objects(refresh))

    async def load_profile(self, obis: Obis | str, since: dt.datetime | str, until: dt.datetime | str) -> LoadProfile:
        """Read the intervals of a profile in [since, until)."""
        return await self._running.run(self._session.load_profile(obis, since, until))

    @property
    def opened(self) -> Opened | None:
        """What was agreed when the association was opened."""
        return self._session.opened

    @property
    def traffic(self) -> Traffic:
        """What the last connection cost: round trips and octets."""
        return self._session.stack.traffic

    @property
    def _running(self) -> AsyncDriver:
        if self._driver is None:
            raise NotAssociated("the meter is not open: use it in 'async with', or await open()")
        return self._driver


class BlockingMeter:
    """A meter for blocking code; every method as in :class:`Meter`, without ``await``.

    ::

        with BlockingMeter.connect("tcp://127.0.0.1:4059?client=1&server=1", security="meter.toml") as meter:
            energy = meter.read("1-0:1.8.0")

    One thread uses it at a time.
    """

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._session = plan.session()
        self._used = False
        self._driver: BlockingDriver | None = None

    @classmethod
    def connect(
        cls, url: str, security: Source = None, *, zone: dt.tzinfo = dt.UTC, dialect: Dialect = STANDARD
    ) -> BlockingMeter:
        """Name a meter; it is connected and opened by ``with`` or :meth:`open`. See :meth:`Meter.connect`."""
        return cls(_Plan(url, security, zone, dialect))

    def open(self) -> Opened:
        """Connect, and open the association. Raises ConnectionFailed, AssociationRejected, SecurityError."""
        if self._driver is not None:
            raise AssociationError("the meter is open already")
        if self._used:
            self._session = self._plan.session()
        self._used = True
        session = self._session
        while True:
            driver = BlockingDriver.connect(session.stack, self._plan.address)
            try:
                opened = driver.run(session.open())
            except ConnectionLost:
                driver.close()
                if not session.asked_first:
                    raise
                session.connected_anew(self._plan.stack())
            except BaseException:
                driver.close()
                raise
            else:
                self._driver = driver
                return opened

    def close(self) -> None:
        """Release the association and disconnect; a meter that does not answer the release is left all the same."""
        driver, self._driver = self._driver, None
        if driver is None:
            return
        try:
            driver.run(self._session.release())
        except CosemicError:
            return  # the association ends with the connection
        finally:
            driver.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, target: Target) -> Any:
        """Read one attribute; see :meth:`Meter.read`."""
        return self._running.run(self._session.read(target))

    def read_many(self, targets: Sequence[Target]) -> list[Any]:
        """Read several attributes; see :meth:`Meter.read_many`."""
        return self._running.run(self._session.read_many(targets))

    def get(self, target: Target, selection: AccessSelection | None = None) -> EncodedData:
        """Read one attribute as it was sent; see :meth:`Meter.get`."""
        return self._running.run(self._session.get(target, selection))

    def write(self, target: Target, value: object) -> None:
        """Write one attribute; see :meth:`Meter.write`."""
        self._running.run(self._session.write(target, value))

    def call(self, target: str | MethodReference[Any, Any], value: object = None) -> Any:
        """Invoke a method; see :meth:`Meter.call`."""
        return self._running.run(self._session.call(target, value))

    def objects(self, *, refresh: bool = False) -> list[Any]:
        """Return the association view; see :meth:`Meter.objects`."""
        return self._running.run(self._session.objects(refresh))

    def load_profile(self, obis: Obis | str, since: dt.datetime | str, until: dt.datetime | str) -> LoadProfile:
        """Read the intervals of a profile in [since, until); see :meth:`Meter.load_profile`."""
        return self._running.run(self._session.load_profile(obis, since, until))

    @property
    def opened(self) -> Opened | None:
        """What was agreed when the association was opened."""
        return self._session.opened

    @property
    def traffic(self) -> Traffic:
        """What the last connection cost: round trips and octets."""
        return self._session.stack.traffic

    @property
    def _running(self) -> BlockingDriver:
        if self._driver is None:
            raise NotAssociated("the meter is not open: use it in 'with', or call open()")
        return self._driver
