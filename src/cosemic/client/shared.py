"""Several meters, or several associations with one, on one connection (IEC 62056-9-7; two-wire buses of IEC 62056-46).

::

    async with SharedMedium("hdlc:///dev/ttyUSB0?baud=9600") as bus:
        for station in (17, 18, 19):
            async with bus.meter(f"client=16&station={station}") as meter:
                print(await meter.read("1-0:1.8.0"))

The medium is opened when the first meter is, and stays open until ``close``. On media where all hear all and only one
may speak, procedures of its meters take turns; over the wrapper they run side by side. A meter whose call was given up
in the middle leaves the medium, so that nothing of it comes in the turn of another; it joins again with the next call.

One meter at a time is between a pair of SAPs. The public client that reads an invocation counter is one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from cosemic.association.parties import GeneralParties
from cosemic.association.settings import ClientSettings
from cosemic.association.third_party import ThirdPartySettings
from cosemic.client.layered import Layers
from cosemic.client.meter import Meter
from cosemic.client.plan import Plan, known
from cosemic.client.recovery import STANDARD, Recovery
from cosemic.client.timepiece import TimeSource, machine_time
from cosemic.errors import AssociationError, ConfigurationError, ConnectionLost, TransportError
from cosemic.link.wrapper import HEADER_LENGTH, VERSION
from cosemic.stack import ClientStack, Framing, Medium, Trace, media, parse_url
from cosemic.store.security_settings import Source
from cosemic.transport.contract import Connection, Receiver
from cosemic.values import LineSettings

_ONE_AT_A_TIME: Final = (Framing.IEC21, Framing.MODEM)
_WHICH: Final = ("network", "gateway_device", "station", "identification", "client_sap", "server_sap")
"""What of an address tells the meters on one medium apart, and their associations."""
Place: TypeAlias = tuple[object, ...]


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
        self._stream = address.framing is Framing.WRAPPER and address.medium is Medium.TCP
        self._cut = bytearray()
        """What has come of a WPDU: who joins in the middle of it must not see the rest."""
        self._opening = asyncio.Lock()
        self._connection: Connection | None = None
        self._over = asyncio.Event()
        self._closed = False
        self._branches: list[_Branch] = []

    def meter(
        self,
        options: str = "",
        security: Source = None,
        *,
        recovery: Recovery = STANDARD,
        now: TimeSource = machine_time,
        trace: Trace | None = None,
        parties: GeneralParties | None = None,
        layers: Layers | None = None,
        third_party: ThirdPartySettings | None = None,
        **known_as: Any,
    ) -> Meter:
        """Name a meter on the medium; it is opened by ``async with``, as of :meth:`Meter.connect`.

        options: those of the URL that say which one is meant, ``client=16&server=1&station=17``. security and the
        others: as of :meth:`Meter.connect <cosemic.client.meter.Meter.connect>`. Raises ConfigurationError.
        """
        url = self._url + ("&" if "?" in self._url else "?") + options if options else self._url
        given: dict[str, Any] = {"zone": None, "dialect": None, "meters": None} | known_as
        named = known(url, security, **given)
        plan = _SharedPlan(named, recovery, now, trace, medium=self, parties=parties, layers=layers)
        return Meter(plan, third_party=third_party)

    async def join(self, receiver: Receiver, plan: _SharedPlan | None = None) -> Connection:
        """Return a connection of one meter on the medium, which is opened where it is not.

        Raises ConnectionFailed; ConfigurationError after :meth:`close`, AssociationError where another meter is between
        the same SAPs.
        """
        async with self._opening:
            if self._closed:
                raise ConfigurationError("the shared medium was closed: make another one")
            if plan is not None:
                self.refuse_twice(plan, plan.places)
            if self._connection is None:
                self._cut.clear()
                self._over.clear()
                self._connection = await media.connect(self._address, self)
            branch = _Branch(self, receiver, self._connection, plan)
            self._branches.append(branch)
            return branch

    def refuse_twice(self, plan: _SharedPlan, places: set[Place]) -> None:
        """Raise AssociationError where another meter that is open is at one of these places: each would hear both."""
        for branch in self._branches:
            if branch.plan not in (None, plan) and branch.plan.places & places:
                raise AssociationError(
                    f"another meter on this medium is open between client SAP {branch.plan.current.client_sap} and "
                    f"server SAP {branch.plan.current.server_sap} too: use that one, or close it first"
                )

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
        if not self._stream:
            self._hand_on(octets)
            return
        self._cut += octets
        while len(self._cut) >= HEADER_LENGTH:
            end = HEADER_LENGTH + int.from_bytes(self._cut[6:HEADER_LENGTH])
            if int.from_bytes(self._cut[:2]) != VERSION:
                self._hand_on(bytes(self._cut))  # each fails, and says why
                self._cut.clear()
                if self._connection is not None:
                    self._connection.close()
            elif len(self._cut) < end:
                return
            else:
                self._hand_on(bytes(self._cut[:end]))
                del self._cut[:end]

    def _hand_on(self, octets: bytes) -> None:
        for branch in tuple(self._branches):
            if branch in self._branches:  # one may leave because of what another has heard
                branch.receiver.octets_received(octets)

    def connection_lost(self, error: TransportError | None, /) -> None:
        """Tell all; the medium is opened again when one of them connects again."""
        self._connection = None
        self._over.set()
        branches, self._branches = self._branches, []
        for branch in branches:
            branch.receiver.connection_lost(error)

    async def close(self) -> None:
        """Close the medium, and wait until it is; meters on it that are open lose their connection for good."""
        self._closed = True
        async with self._opening:
            if self._connection is not None:
                self._connection.close()
                await self._over.wait()

    async def __aenter__(self) -> Self:
        self._closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _SharedPlan(Plan):
    """Reaches a meter over a medium that others use too."""

    def __init__(self, *args: Any, medium: SharedMedium, **others: Any) -> None:
        super().__init__(*args, **others)
        self._medium = medium
        self.turn = medium.turn
        self.current = self.stack()

    @property
    def places(self) -> set[Place]:
        """Where it is: between its own SAPs, and those that it uses now."""
        return {self._place(*self._saps), self._place(self.current.client_sap, self.current.server_sap)}

    def stack(self) -> ClientStack:
        """A stack for one connection."""
        made = self.current = _SharedStack(self.security.client, *self._saps, self.trace, self._link)
        made.refuse = self._refuse
        return made

    def _refuse(self, client_sap: int, server_sap: int) -> None:
        self._medium.refuse_twice(self, {self._place(client_sap, server_sap)})

    def _place(self, client_sap: int, server_sap: int) -> Place:
        address = replace(self.address, client_sap=client_sap, server_sap=server_sap)
        return tuple(getattr(address, name) for name in _WHICH)

    async def connect(self, receiver: Receiver) -> Connection:
        """Join the medium. Raises ConnectionFailed, AssociationError where another meter is between the same SAPs."""
        connection = await self._medium.join(receiver, self)
        self.connected(connection)
        return connection


class _SharedStack(ClientStack):
    """Takes other SAPs only where no other meter on the medium has them."""

    refuse: Callable[[int, int], None]

    def use(self, settings: ClientSettings, client_sap: int, server_sap: int) -> None:
        self.refuse(client_sap, server_sap)
        super().use(settings, client_sap, server_sap)


class _Branch:
    """The connection of one meter (:class:`cosemic.transport.contract.ConfigurableConnection`)."""

    def __init__(
        self, medium: SharedMedium, receiver: Receiver, connection: Connection, plan: _SharedPlan | None
    ) -> None:
        self.receiver = receiver
        self.plan = plan
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
