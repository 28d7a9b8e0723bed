"""Several meters, or several associations with one, on one connection (IEC 62056-9-7; two-wire buses of IEC 62056-46).

::

    async with SharedMedium("hdlc:///dev/ttyUSB0?baud=9600") as bus:
        for station in (17, 18, 19):
            async with bus.meter(f"client=16&station={station}") as meter:
                print(await meter.read("1-0:1.8.0"))

The medium is opened when the first meter is, and stays open until ``close``. On media where all hear all and only one
may speak, procedures of its meters take turns; over the wrapper they run side by side.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Final, Self

from cosemic.client.meter import Meter
from cosemic.client.plan import Plan, known
from cosemic.client.recovery import STANDARD, Recovery
from cosemic.client.timepiece import TimeSource, machine_time
from cosemic.errors import ConfigurationError, ConnectionLost, TransportError
from cosemic.stack import Framing, Medium, Trace, media, parse_url
from cosemic.store.security_settings import Source
from cosemic.transport.contract import Connection, Receiver
from cosemic.values import LineSettings

_ONE_AT_A_TIME: Final = (Framing.IEC21, Framing.MODEM)


class SharedMedium:
    """A medium that several meters use.

    url: without the options that say which meter is meant; those are given to :meth:`meter`. Use it as an asynchronous
    context manager, or call :meth:`close` at the end. Raises ConfigurationError for links that reach one meter at a
    time: mode E and modems.
    """

    def __init__(self, url: str) -> None:
        address = parse_url(url)
        if address.framing in _ONE_AT_A_TIME:
            raise ConfigurationError(f"{address.scheme}:// reaches one meter at a time: close it before the next one")
        if address.medium is Medium.TLS:
            raise ConfigurationError("TLS is between one client and one meter: it cannot be shared")
        self._url = url
        self._address = address
        self._turn = None if address.framing is Framing.WRAPPER else asyncio.Lock()
        self._opening = asyncio.Lock()
        self._connection: Connection | None = None
        self._branches: list[_Branch] = []

    def meter(
        self,
        options: str = "",
        security: Source = None,
        *,
        recovery: Recovery = STANDARD,
        now: TimeSource = machine_time,
        trace: Trace | None = None,
        **known_as: Any,
    ) -> Meter:
        """Name a meter on the medium; it is opened by ``async with``, as of :meth:`Meter.connect`.

        options: those of the URL that say which one is meant, ``client=16&server=1&station=17``. security and the
        others: as of :meth:`Meter.connect <cosemic.client.meter.Meter.connect>`. Raises ConfigurationError.
        """
        url = self._url + ("&" if "?" in self._url else "?") + options if options else self._url
        given: dict[str, Any] = {"zone": None, "dialect": None, "meters": None} | known_as
        return Meter(_SharedPlan(known(url, security, **given), recovery, now, trace, medium=self))

    async def join(self, receiver: Receiver) -> Connection:
        """Return a connection of one meter on the medium, which is opened where it is not. Raises ConnectionFailed."""
        async with self._opening:
            if self._connection is None:
                self._connection = await media.connect(self._address, self)
        branch = _Branch(self, receiver, self._connection)
        self._branches.append(branch)
        return branch

    @property
    def turn(self) -> asyncio.Lock | None:
        """Held while a procedure runs, where only one may speak."""
        return self._turn

    def leave(self, branch: _Branch) -> None:
        """A meter was closed."""
        if branch in self._branches:
            self._branches.remove(branch)
            asyncio.get_running_loop().call_soon(branch.receiver.connection_lost, None)

    def octets_received(self, octets: bytes, /) -> None:
        """Hand octets to all; each takes what is for it."""
        for branch in tuple(self._branches):
            branch.receiver.octets_received(octets)

    def connection_lost(self, error: TransportError | None, /) -> None:
        """Tell all; the medium is opened again when one of them connects again."""
        self._connection = None
        branches, self._branches = self._branches, []
        for branch in branches:
            branch.receiver.connection_lost(error)

    async def close(self) -> None:
        """Close the medium; meters on it that are open lose their connection."""
        if self._connection is not None:
            self._connection.close()
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _SharedPlan(Plan):
    """Reaches a meter over a medium that others use too."""

    def __init__(self, *args: Any, medium: SharedMedium) -> None:
        super().__init__(*args)
        self._medium = medium
        self.turn = medium.turn

    async def connect(self, receiver: Receiver) -> Connection:
        """Join the medium. Raises ConnectionFailed."""
        connection = await self._medium.join(receiver)
        self.connected(connection)
        return connection


class _Branch:
    """The connection of one meter (:class:`cosemic.transport.contract.ConfigurableConnection`)."""

    def __init__(self, medium: SharedMedium, receiver: Receiver, connection: Connection) -> None:
        self.receiver = receiver
        self._medium = medium
        self._connection = connection
        self._closed = False

    @property
    def peer(self) -> str:
        """The other end of the medium."""
        return self._connection.peer

    def write(self, octets: bytes, /) -> None:
        """Send octets. Raises ConnectionLost after the end."""
        if self._closed:
            raise ConnectionLost("the connection was closed here: connect again")
        self._connection.write(octets)

    def set_line(self, line: LineSettings, /) -> None:
        """Leave the line as it is: it is everybody's."""

    def close(self) -> None:
        """Leave the medium to the others."""
        if not self._closed:
            self._closed = True
            self._medium.leave(self)
