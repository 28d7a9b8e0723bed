"""Takes what meters send by themselves and meters that want to be read, on one port (IEC 62056-9-7).

::

    async with Acceptor("tcp://0.0.0.0:4059?client=1", "meters.toml", udp=True) as acceptor:
        async for event in acceptor:
            if isinstance(event, Pushed):
                print(event.known, event.notified.apdu)
            else:
                async with event.meter as meter:
                    print(await meter.read("1-0:1.8.0"))

What comes first on a connection decides (:mod:`cosemic.client.caller`). A meter that pushes and keeps the connection
open, or says nothing, is recognised (:mod:`cosemic.client.recognising`) and given as
:class:`~cosemic.client.called.Called`, with the settings of the known meter; where nobody opens it, it may go on
pushing until it has been silent for long, and so it may while it is read. Over TLS every meter is recognised by its
certificate, before anything it says is believed.

Who is not recognised is noted in ``quarantine`` and closed: it is given no keys, no password and no settings, and
nothing of what it sends. Bounds: :data:`MOST_CALLERS` connections, :data:`MOST_WAITING` events that nobody has taken
(further notifications are not confirmed, so that their senders repeat them), :data:`MOST_ASKED` callers that are asked
who they are at a time, :data:`ASKING` seconds for that, 64 MiB of notifications in blocks that are not complete.
"""

from __future__ import annotations

import asyncio
from functools import partial
from types import TracebackType
from typing import Final, Self

from cosemic.association.notifications import NotificationRefused, Notified
from cosemic.association.notified import (
    Confirming,
    NotificationReceiver,
    Originator,
    Originators,
    ReceiverEvent,
    ReceivingSettings,
)
from cosemic.client.asking import Asking
from cosemic.client.called import AcceptorEvent, Called, CallerPlan, Pushed
from cosemic.client.caller import Caller, Patience
from cosemic.client.meter import Meter
from cosemic.client.recognising import (
    Identity,
    KnownMeters,
    Meters,
    Quarantine,
    Recognised,
    Stranger,
    gives_password_away,
)
from cosemic.client.recovery import STANDARD, Recovery
from cosemic.client.timepiece import TimeSource, machine_time
from cosemic.errors import ConfigurationError, CosemicError
from cosemic.link.wrapper import WrapperHeader
from cosemic.security import Protection
from cosemic.security.tls_identity import certified_system_title
from cosemic.stack import Framing, Medium, Trace, parse_url
from cosemic.stack.media import tls_server_of
from cosemic.store.meters import KnownMeter
from cosemic.transport.contract import Receiver
from cosemic.transport.tcp import TcpConnection, TcpServer
from cosemic.transport.udp_server import UdpPeer, UdpServer

MOST_CALLERS: Final = 4096
"""Connections at a time; another one is closed."""
MOST_WAITING: Final = 1024
"""Events that wait to be taken."""
MOST_ASKED: Final = 64
"""Callers that are asked for their name at a time."""
ASKING: Final = 60.0
"""Seconds in which a caller has to have said who it is, however long each of its answers takes."""
MOST_REFUSED: Final = 16
"""Notifications of a known meter that are refused on one connection before it is closed."""
_BOTH: Final = Protection.AUTHENTICATED | Protection.ENCRYPTED


class Acceptor:
    """Listens for meters; use it as an asynchronous context manager, and iterate.

    url: where: ``tcp://0.0.0.0:4059?client=1`` or ``tls://``; its options hold for meters whose own URL is of another
    kind. meters: the known ones. udp: take notifications over UDP on the same port too. port: instead of that of the
    URL; 0 takes a free one. require: NONE takes notifications in clear too, of whom anybody may be the sender; those of
    a known meter with keys need the protection that its security settings demand, whatever stands here. broadcast:
    those under the broadcast key of a known meter are taken. confirming: when notifications that ask for it are
    confirmed. ask_names: a caller that cannot be recognised is asked for its name, as public client. patience: see
    :class:`~cosemic.client.caller.Patience`. The other arguments as of :meth:`Meter.connect
    <cosemic.client.meter.Meter.connect>`.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        url: str,
        meters: Meters = None,
        *,
        udp: bool = False,
        port: int | None = None,
        require: Protection = _BOTH,
        broadcast: bool = False,
        confirming: Confirming = Confirming.AT_ONCE,
        ask_names: bool = True,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        recovery: Recovery = STANDARD,
        now: TimeSource = machine_time,
        trace: Trace | None = None,
    ) -> None:
        address = parse_url(url)
        if address.medium not in (Medium.TCP, Medium.TLS) or address.framing is not Framing.WRAPPER or address.gateway:
            raise ConfigurationError(f"meters call over tcp:// or tls://, not {address.scheme}://")
        if address.medium is Medium.TLS and udp:
            raise ConfigurationError("over UDP there is no certificate: listen with TLS alone, or with TCP and UDP")
        self.missed = 0
        """Notifications that came while too many waited; those that were to be confirmed will come again."""
        self._url, self._address, self._udp = url, address, udp
        self._known = KnownMeters(meters)
        self._confirming, self._ask_names, self._patience = confirming, ask_names, patience
        self._recovery, self._now, self._trace = recovery, now, trace
        self._quarantine = Quarantine()
        self._callers: set[Caller] = set()
        self._asking: set[asyncio.Task[None]] = set()
        self._originators = Originators(
            ReceivingSettings(
                keys=self._keys,
                require=require,
                broadcast=broadcast,
                confirming=Confirming.NEVER if confirming is Confirming.NEVER else Confirming.WHEN_TOLD,
            )
        )
        self._events: asyncio.Queue[AcceptorEvent | None] = asyncio.Queue()
        """None: no more will come."""
        wanted = address.port if port is None else port
        self._server = TcpServer(self._accept, address.host, wanted, tls=tls_server_of(address))
        self._datagrams: UdpServer | None = None

    # ---- what is known ----------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    @property
    def quarantine(self) -> tuple[Stranger, ...]:
        """Callers that were not recognised; who called last comes last."""
        return self._quarantine.strangers

    def forget(self, stranger: Stranger) -> None:
        """Forget a stranger."""
        self._quarantine.forget(stranger)

    def learn(self, meters: Meters) -> None:
        """Know these meters from now on, and no others, which are closed unless they are read just now.

        Raises ConfigurationError; nothing has changed then.
        """
        self._known = KnownMeters(meters)
        for caller in tuple(self._callers):
            if caller.recognised is not None:
                caller.recognised = self._known.again(caller.recognised)
                if caller.recognised is None and not caller.taken:
                    self._keep_apart(caller, "it is no known meter any more")

    def _keys(self, title: bytes | None) -> Originator | None:
        return self._known.originator(title)

    # ---- listening --------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._events = asyncio.Queue()
        await self._server.start()
        if self._udp:
            try:
                self._datagrams = UdpServer(self._accept_datagrams, self._address.host, self._server.port)
                await self._datagrams.start()
            except BaseException:
                await self._server.close()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asking = tuple(self._asking)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        if self._datagrams is not None:
            await self._datagrams.close()
        await self._server.close()
        self._events.put_nowait(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AcceptorEvent:
        """Wait for the next notification or meter; the iteration ends with the listening."""
        event = await self._events.get()
        if event is None:
            self._events.put_nowait(None)  # for others who wait
            raise StopAsyncIteration
        return event

    def _accept(self, connection: TcpConnection) -> Receiver:
        caller = Caller(connection, self, self._patience)
        self._callers.add(caller)
        if len(self._callers) > MOST_CALLERS:
            caller.close()
        elif self._address.medium is Medium.TLS:
            self._recognise_by_certificate(caller, connection.peer_certificate)
        return caller

    def _accept_datagrams(self, peer: UdpPeer) -> Receiver:
        return Caller(peer, self, self._patience, datagrams=True)

    # ---- callers ----------------------------------------------------------------------------------------------------

    def receiver(self) -> NotificationReceiver:
        """Return what takes the notifications of one caller."""
        return NotificationReceiver(self._originators.settings, originators=self._originators)

    def heard(self, caller: Caller, events: list[ReceiverEvent], header: WrapperHeader) -> None:
        """Learn what a caller has sent."""
        for event in events:
            if isinstance(event, Notified):
                self._pushed(caller, event, header)
            elif isinstance(event, NotificationRefused):
                self._refused(caller, event)

    def silent(self, caller: Caller) -> None:
        """Learn that a caller waits: it is somebody who wants to be read, or, if nobody does so, to push more."""
        if caller.ended:
            return
        recognised = caller.recognised
        if recognised is not None and (recognised.proven or caller.offers):
            self._called(caller, recognised)
        elif not self._ask_names:
            self._keep_apart(caller, "it does not say who it is")
        elif len(self._asking) >= MOST_ASKED:
            caller.close()
        else:
            task = asyncio.get_running_loop().create_task(self._ask(caller))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    def wrong(self, caller: Caller, error: CosemicError) -> None:
        """Learn that a caller sends what is no WPDU."""
        self._keep_apart(caller, str(error))

    def gone(self, caller: Caller) -> None:
        """Learn that the connection has ended."""
        self._callers.discard(caller)

    def _pushed(self, caller: Caller, notified: Notified, header: WrapperHeader) -> None:
        title, sender = notified.system_title, caller.recognised
        if sender is None or sender.by is not Identity.CERTIFICATE:
            # What a caller says of itself, or has sent before, is no proof of who has sent this one.
            sender = None
            if title is not None and notified.authenticated and not notified.broadcast:
                sender = self._known.of_title(title, Identity.SYSTEM_TITLE, proven=True)
            caller.recognised = caller.recognised or sender
        elif title is not None and sender.security.client.server_title != title:
            self._keep_apart(caller, "its notification is of another meter than its certificate", title=title)
            return
        if self._events.qsize() >= MOST_WAITING:
            self.missed += 1
            caller.receiver.forget(notified)
            return
        caller.notified += 1
        confirm = partial(caller.confirm, notified, header)
        known = None if sender is None else sender.known
        self._events.put_nowait(Pushed(notified, caller.peer, known, confirm))
        if self._confirming is Confirming.AT_ONCE and notified.wants_confirmation and not notified.broadcast:
            try:
                confirm()
            except CosemicError as error:
                self._note(caller, f"its notification could not be confirmed: {error}", title=title)

    def _refused(self, caller: Caller, refused: NotificationRefused) -> None:
        caller.refused += 1
        if caller.recognised is None or caller.refused > MOST_REFUSED:
            self._keep_apart(caller, str(refused.error), title=refused.system_title)
        else:
            self._note(caller, str(refused.error), title=refused.system_title)

    # ---- who it is --------------------------------------------------------------------------------------------------

    def _recognise_by_certificate(self, caller: Caller, certificate: bytes | None) -> None:
        title: bytes | None = None
        reason = "it has shown no certificate"
        try:
            if certificate is not None:
                title = certified_system_title(certificate)
                caller.recognised = self._known.of_title(title, Identity.CERTIFICATE, proven=True)
                reason = "its certificate is of no known meter"
        except CosemicError as error:
            reason = str(error)
        if caller.recognised is None:
            self._keep_apart(caller, reason, title=title)

    async def _ask(self, caller: Caller) -> None:
        """Ask a caller who it is, as public client, which knows nothing that could be given away."""
        asking = Asking(caller, self._known, self._address, self._recovery, self._now)
        try:
            async with asyncio.timeout(ASKING):
                recognised = await asking.run()
        except (CosemicError, TimeoutError) as error:
            why = str(error) or f"it has not said so within {ASKING:g} s"
            self._keep_apart(caller, f"asked who it is: {why}", title=asking.title, name=asking.name)
            return
        except BaseException:
            caller.close()
            raise
        title, name = asking.title, asking.name
        caller.take_back()
        if recognised is None:
            self._keep_apart(caller, "it is no known meter", title=title, name=name)
        elif gives_password_away(recognised):
            why = "it says that it is a known meter, and has not proved it: a password would be given away"
            self._keep_apart(caller, why, title=title, name=name)
        else:
            caller.recognised = recognised
            self._called(caller, recognised)

    def _called(self, caller: Caller, recognised: Recognised) -> None:
        """Offer a known meter as a session; where nobody took it in time, it may go on pushing, or is closed."""
        if caller.ended:
            return
        if caller.rests or (caller.offers and not caller.notified):
            caller.close()
            return
        if caller.offers:
            caller.rest()
            return
        if self._events.qsize() >= MOST_WAITING:
            caller.offer_later()
            return
        known = recognised.known
        meter = Meter(CallerPlan(self._reached(recognised), self._recovery, self._now, self._trace, caller))
        caller.offered()
        self._events.put_nowait(Called(meter, known, recognised.by, recognised.proven))

    def _reached(self, recognised: Recognised) -> KnownMeter:
        """The known meter with a URL of the kind of this connection, and the security that it was recognised with."""
        known = recognised.known
        own = parse_url(known.url)
        same = own.framing is Framing.WRAPPER and not own.gateway and own.medium is Medium.TCP
        url = known.url if same else self._url
        return KnownMeter(known.name, url, recognised.security, known.zone, known.dialect, known.profiles)

    def _keep_apart(self, caller: Caller, reason: str, *, title: bytes | None = None, name: str = "") -> None:
        self._note(caller, reason, title=title, name=name)
        caller.close()

    def _note(self, caller: Caller, reason: str, *, title: bytes | None = None, name: str = "") -> None:
        self._quarantine.note(caller.peer, reason, asyncio.get_running_loop().time(), title=title, name=name)


__all__ = ["Acceptor", "AcceptorEvent", "Called", "Identity", "Patience", "Pushed", "Stranger"]
