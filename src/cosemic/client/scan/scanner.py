"""Goes the routes of a target, one after the other, until a meter is found.

::

    route  --> link asked who is there: HDLC, mode E, M-Bus, TLS      (calls, line)
           --> client SAPs asked for an association                   (clients), the wrapper at once
           --> findings, each with the URL that was tried

Time is bounded: each trial is a call, an opening or a client SAP, and has a longest time; their sum is the estimate.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeAlias

from cosemic.association.settings import ClientSettings
from cosemic.client import recovery
from cosemic.client.asynchronous import AsyncDriver
from cosemic.client.scan.calls import HdlcCalls, TlsCall
from cosemic.client.scan.clients import RECONNECT_AFTER, Judgement, Overheard, ask_clients
from cosemic.client.scan.line import Connector, LinkDriver
from cosemic.client.scan.results import Answer, Finding, Report, Step, Verdict, sorted_findings
from cosemic.client.scan.routes import ANSWER_OCTETS, NORMAL, Depth, Route, Target, hdlc_addresses, places, routes
from cosemic.client.session import Session
from cosemic.client.timepiece import machine_time
from cosemic.errors import ConfigurationError, ConnectionFailed
from cosemic.link.contract import Link, LinkEvent, LinkFailed
from cosemic.link.hdlc import HdlcAddress
from cosemic.link.iec21 import ClientSettings as SignOn
from cosemic.link.iec21 import ModeEClientLink, WakeUp
from cosemic.link.mbus.frame import ALL_ANSWER, BUS, MAX_OCTETS
from cosemic.stack import Address, ClientStack, Framing, Medium, Trace, link_factory, media, over_datagrams, parse_url
from cosemic.store.security_settings import SecuritySettings
from cosemic.transport.contract import Connection, Receiver
from cosemic.values import LineSettings

CONNECT: Final = 5.0
"""Seconds that connecting may take."""
SIGN_ON: Final = 6.0
"""Seconds of a sign-on that is not answered, and of the handing over of one that is, beside the calls."""
WAKING: Final = 4.0
_MOST_PATIENCE: Final = 600.0
_MBUS_ANSWER: Final = 0.5
"""Seconds until a device on the M-Bus answers; each frame is sent twice."""
_LEAST_ANSWER: Final = 2.0
"""Seconds that a meter that is there may take for an answer."""
_LONG_ANSWER: Final = 200
"""Octets of an AARE and its frames."""
_AFTER_SIGN_ON: Final = LineSettings(2400)
"""A slow rate that a meter in mode E may choose."""
_FOUR_OCTETS: Final = 0x80
"""Parts of an HDLC address below need to be told that the address has four octets."""
_LARGEST_SAP: Final = {Framing.HDLC: 0x7F, Framing.IEC21: 0x7F, Framing.MBUS: 0xFF}
_Options: TypeAlias = dict[str, int]
Progress: TypeAlias = Callable[[Step], None]


class Scanner:
    """One scan. :meth:`run` it; :meth:`report` tells what was found, also before it has come to its end.

    target: as :meth:`Target.parse` reads it. depth: how much is tried. ports: of a host, in place of the usual ones.
    clients: SAPs, in place of those of the depth. serial_number: digits, for addresses that are made from it. patience:
    seconds that an answer may take, in place of those of the depth. connect: makes connections. progress: is told of
    each trial. trace: sees all octets.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        target: str | Target,
        *,
        depth: Depth = NORMAL,
        ports: Sequence[int] = (),
        clients: Sequence[int] = (),
        serial_number: str = "",
        patience: float | None = None,
        connect: Connector = media.connect,
        progress: Progress = lambda step: None,
        trace: Trace | None = None,
    ) -> None:
        if serial_number and not (serial_number.isascii() and serial_number.isdecimal() and len(serial_number) <= 32):
            raise ConfigurationError(f"a serial number is of up to 32 digits here, not {serial_number!r}")
        if any(not 1 <= client <= 0xFFFF for client in clients):
            raise ConfigurationError("client SAPs are 1 to 65535")
        if patience is not None and not 0 < patience <= _MOST_PATIENCE:
            raise ConfigurationError(f"the time for an answer is above 0 s, up to {_MOST_PATIENCE:g}, not {patience:g}")
        self.target = Target.parse(target) if isinstance(target, str) else target
        if ports and (self.target.device or self.target.port is not None):
            raise ConfigurationError(f"ports are for a host alone: {self.target} says which one it is")
        self._depth = replace(depth, clients=tuple(clients)) if clients else depth
        self._addresses = hdlc_addresses(depth, serial_number)
        self._patience = patience or (depth.serial_patience if self.target.device else depth.patience)
        self._connect = connect
        self._progress = progress
        self._trace = trace
        self._routes = {
            place: list(routes(self.target, place, depth, serial_number)) for place in places(self.target, depth, ports)
        }
        self._findings: list[Finding] = []
        self._hints: dict[str, None] = {}
        self._trials = 0
        self._connections = 0
        """How many the present place has taken."""
        self._after = 0, 0.0
        """Trials and seconds of the routes that come after this one, at most."""
        self._phase = 0, 0.0
        """Trials that are left of this one, and the seconds of each."""
        self._clock: Callable[[], float] = lambda: 0.0
        self._begun = 0.0
        self._ended: float | None = None

    @property
    def estimate(self) -> float:
        """Seconds that the scan takes at most where nothing is there."""
        return sum(seconds for _, seconds in map(self._bounds, self._all_routes()))

    def report(self) -> Report:
        """Return what was found so far."""
        seconds = (self._clock() if self._ended is None else self._ended) - self._begun
        findings = sorted_findings(self._findings)
        return Report(str(self.target), findings, tuple(self._hints), self._trials, seconds, self._ended is not None)

    async def run(self) -> Report:
        """Go all routes. Raises ConnectionFailed and ConfigurationError for a serial port that cannot be opened."""
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        bounds = [self._bounds(route) for route in self._all_routes()]
        found = False
        for ways in self._routes.values():
            unreachable: set[Medium] = set()
            self._connections = 0
            found = found and not self._depth.every_place
            for route in ways:
                del bounds[0]
                self._after = sum(trials for trials, _ in bounds), sum(seconds for _, seconds in bounds)
                if not found and _carrier(route) not in unreachable:
                    known = len(self._findings)
                    await self._try(route, unreachable)
                    found = any(one.verdict is not Verdict.OTHER for one in self._findings[known:])
        self._ended = self._clock()
        return self.report()

    def _all_routes(self) -> Iterator[Route]:
        return (route for ways in self._routes.values() for route in ways)

    async def _try(self, route: Route, unreachable: set[Medium]) -> None:
        try:
            await self._go(route)
        except ConnectionFailed as error:
            if route.medium is Medium.SERIAL:
                raise
            unreachable.add(_carrier(route))
            self._hints[str(error)] = None

    # ---- time -------------------------------------------------------------------------------------------------------

    def _bounds(self, route: Route) -> tuple[int, float]:
        """Return how many trials a route has where nothing is there, and how many seconds they take at most."""
        if route.framing is Framing.WRAPPER and route.medium is not Medium.TLS:
            trials = len(self._depth.clients) * len(self._depth.devices)
            return trials, trials * self._patience
        if route.framing is Framing.HDLC:
            trials = len(self._addresses)
            return trials, trials * self._call_time(route)
        if route.framing is Framing.IEC21:
            return 1, SIGN_ON + WAKING * route.wake_up
        return 1, self._call_time(route)

    def _call_time(self, route: Route) -> float:
        """Return how long a call may take: patience, and the octets of both sides on the line."""
        if route.framing is Framing.MBUS:  # selected first, where it is called by its identification
            return (3 if route.sign_on else 2) * (_MBUS_ANSWER + BUS.seconds(MAX_OCTETS))
        line = _AFTER_SIGN_ON if route.framing is Framing.IEC21 else route.line
        return self._patience + (0.0 if line is None else line.seconds(ANSWER_OCTETS))

    def _answer_time(self, route: Route) -> float:
        """Return how long a meter that is there may take to answer an AARQ."""
        if route.framing is Framing.WRAPPER:
            return self._patience
        line = _AFTER_SIGN_ON if route.framing is Framing.IEC21 else route.line
        return max(self._patience, _LEAST_ANSWER) + (0.0 if line is None else line.seconds(_LONG_ANSWER))

    def _expect(self, trials: int, seconds: float) -> None:
        """Learn what is about to be tried: so many trials, each of so many seconds at most."""
        self._phase = trials, seconds

    def _trying(self, what: str) -> None:
        """Tell of a trial."""
        (left, each), (trials, seconds) = self._phase, self._after
        self._trials += 1
        self._phase = max(left - 1, 0), each
        self._progress(Step(self._trials - 1, self._trials + max(left - 1, 0) + trials, what, left * each + seconds))

    # ---- one route --------------------------------------------------------------------------------------------------

    async def _go(self, route: Route) -> None:
        if route.medium is Medium.TLS:
            await self._call_tls(route)
        elif route.framing is Framing.WRAPPER:
            for device in self._depth.devices:
                await self._ask(route, device, {})
        elif route.framing is Framing.MBUS:
            await self._call_mbus(route)
        else:
            await self._call_hdlc(route)

    async def _call_tls(self, route: Route) -> None:
        self._expect(*self._bounds(route))
        self._trying(str(route))
        event, _ = await self._link(TlsCall(self._patience), route.url())
        if not isinstance(event, LinkFailed):
            text = "TLS is spoken here: tls://, with ca= and certificate= (PEM files), and server_title in the settings"
            self._findings.append(Finding(Verdict.OTHER, "", Answer.TLS, text))

    async def _call_mbus(self, route: Route) -> None:
        options: _Options = {} if route.sign_on else {"station": ALL_ANSWER}
        self._expect(*self._bounds(route))
        self._trying(str(route))
        link = link_factory(self._probing(route, route.url(**options)))(route.caller, self._depth.devices[0])
        event, driver = await self._link(link, route.url(**options))
        if isinstance(event, LinkFailed):
            self._notice(route, driver)
            return
        for device in self._depth.devices:
            await self._ask(route, device, options)

    async def _call_hdlc(self, route: Route) -> None:
        """Call HDLC addresses, behind the sign-on where there is one; ask the clients of who answers."""
        calls, link = self._calls(route)
        event, driver = await self._link(link, route.url())
        if driver.echoed and (route.framing, route.medium) == (Framing.IEC21, Medium.SERIAL):
            route = replace(route, echo=True)
            if calls.heard is None:
                calls, link = self._calls(route)
                event, driver = await self._link(link, route.url())
        signed_on = link.client.identification if isinstance(link, ModeEClientLink) else None
        identification = None if signed_on is None else str(signed_on)
        if calls.heard is not None:
            address = calls.heard.address
            options: _Options = {} if address.lower is None else {"station": address.lower}
            if address.size == 4 and address.lower is not None and max(address.upper, address.lower) < _FOUR_OCTETS:
                options["address"] = 4
            await self._ask(route, address.upper, options, identification)
        elif identification is not None:
            self._signed_on_in_vain(event, identification)
        else:
            self._notice(route, driver)

    def _signed_on_in_vain(self, event: LinkEvent, identification: str) -> None:
        why = str(event.error) if isinstance(event, LinkFailed) else "no HDLC behind the sign-on"
        text = (
            f"a meter of IEC 62056-21 ({identification}) is here, and no HDLC answers: {why}. Where it has mode E, its "
            "HDLC address may come from its serial number: add --serial-number"
        )
        self._findings.append(Finding(Verdict.OTHER, "", Answer.IDENTIFICATION, text, identification=identification))

    def _calls(self, route: Route) -> tuple[HdlcCalls, Link]:
        def calling(address: HdlcAddress) -> None:
            lower = "" if address.lower is None else f"/{address.lower}"
            self._trying(f"{route}, address {address.upper}{lower} of {address.size} octets")

        calls = HdlcCalls(route.caller, self._addresses, self._call_time(route), calling)
        self._expect(len(self._addresses), self._call_time(route))
        if route.framing is Framing.HDLC:
            return calls, calls
        self._expect(*self._bounds(route))
        self._trying(str(route))
        self._expect(len(self._addresses), self._call_time(route))
        settings = SignOn(
            address=route.sign_on,
            wake_up=WakeUp.NORMAL if route.wake_up else WakeUp.NONE,
            attempts=1,
            echo=route.echo,
        )
        return calls, ModeEClientLink(calls, settings)

    async def _link(self, link: Link, url: str) -> tuple[LinkEvent, LinkDriver]:
        address = parse_url(url)
        if address.medium is Medium.TLS:
            address = replace(address, medium=Medium.TCP)
        driver = LinkDriver(link, self._trace)
        return await driver.run(replace(address, connect_timeout=CONNECT), self._connected), driver

    def _notice(self, route: Route, driver: LinkDriver) -> None:
        """Tell of octets that mean nothing: something is there, at another speed or in another language."""
        if driver.came:
            shown = driver.came.hex(" ") + (" ..." if driver.count > len(driver.came) else "")
            self._hints[f"{route}: {driver.count} octets came that are no answer to it: {shown}"] = None

    # ---- associations -----------------------------------------------------------------------------------------------

    async def _ask(self, route: Route, server: int, options: _Options, identification: str | None = None) -> None:
        """Ask one logical device as all client SAPs."""
        overheard = Overheard(route.framing, self._trace)
        most = _LARGEST_SAP.get(route.framing, 0xFFFF)
        clients = [one for one in self._depth.clients if one <= most] or [route.caller]
        address = self._probing(route, route.url(client=clients[0], server=server, **options))
        settings = ClientSettings(response_timeout=self._answer_time(route))
        if route.medium is Medium.UDP:
            settings = over_datagrams(settings, address)
        self._expect(len(clients), self._answer_time(route))
        if route.framing is not Framing.WRAPPER and not self._depth.every_place:
            self._after = 0, 0.0
        silent: list[Judgement] = []
        told = len(self._findings)

        def judged(judgement: Judgement) -> None:
            if overheard.address is not None and options.get("station") == ALL_ANSWER:
                options["station"] = overheard.address
            if judgement.verdict is Verdict.SILENT:
                silent.append(judgement)
            elif judgement.verdict is not None:
                url = route.url(client=judgement.client_sap, server=server, **options)
                self._findings.append(judgement.finding(url, identification))
            elif judgement.answer is not Answer.NOTHING:
                self._hints[f"{route}: {judgement.text}"] = None

        session = Session(
            SecuritySettings(settings),
            lambda: ClientStack(settings, clients[0], server, overheard, link_factory(address)),
            dt.UTC,
            recovery.NONE,
        )
        driver = AsyncDriver(session, partial(self._connected, address, trace=overheard), machine_time)
        try:
            await driver.run(
                ask_clients(session, clients, overheard, lambda sap: self._trying(f"{route}, client SAP {sap}"), judged)
            )
        finally:
            if silent and len(self._findings) == told:
                url = route.url(client=silent[0].client_sap, server=server, **options)
                asked = ", ".join(str(one.client_sap) for one in silent)
                found = replace(silent[0], text=f"{silent[0].text} (asked as {asked}): name others with --clients")
                self._findings.append(found.finding(url, identification))
            await driver.close()

    def _probing(self, route: Route, url: str) -> Address:
        """Return what a URL says, with the times of a trial."""
        seconds = self._answer_time(route)
        return replace(parse_url(url), response_timeout=seconds, retries=1, connect_timeout=CONNECT)

    async def _connected(self, address: Address, receiver: Receiver, trace: Trace | None = None) -> Connection:
        """Connect; once more where a place that has taken connections before takes none just now."""
        try:
            connection = await self._connect(address, receiver)
        except ConnectionFailed:
            if address.medium is Medium.SERIAL or not self._connections:
                raise
            await asyncio.sleep(RECONNECT_AFTER)
            connection = await self._connect(address, receiver)
        self._connections += 1
        if trace is not None:
            trace.connected(connection.peer)
        return connection


def _carrier(route: Route) -> Medium:
    return Medium.TCP if route.medium is Medium.TLS else route.medium
