"""The peer that lies: an honest client or meter whose link tells one lie.

::

    stack or session  --APDU-->  LyingLink: tell  -->  link  --frames-->  reframe, pace  -->  medium
                      <--APDU--  LyingLink: hears <--  link  <--octets--------------------  medium

Everything but the lie is the honest half's: :class:`~cosemic.stack.ClientStack`,
:class:`~cosemic.server.meter_session.MeterSession`, their associations, and the link inside. What the peer answers to
the lie goes to the honest half, which makes of it what it can.

What a lie holds back leaves in order, in its time: ``deadline`` and ``tick`` are those of any link, so that a liar runs
in virtual time and on a real connection alike. Held are the pieces of one lie and what is sent behind them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from cosemic.association.settings import ClientSettings
from cosemic.faults.lies.lie import Lie, Role
from cosemic.faults.lies.scene import Scene
from cosemic.link.contract import UNARMED, ApduReceived, Link, LinkEvent, Octets
from cosemic.link.wrapper import WrapperLink
from cosemic.security import SecurityMaterial
from cosemic.server import LogicalDevice, MeterConnection, MeterServer, PhysicalDevice
from cosemic.server.meter_session import MeterSession
from cosemic.stack import ClientStack
from cosemic.transport.contract import Connection
from cosemic.values import LineSettings


class LyingLink:
    """A link that tells a lie, and is the link inside in everything else. material: the keys of ciphered sessions."""

    def __init__(
        self, lie: Lie, role: Role, inside: Link | None = None, material: SecurityMaterial | None = None
    ) -> None:
        self.scene = Scene(lie, role, material)
        self._lie = lie
        self._inside: Link = WrapperLink() if inside is None else inside
        self._armed = False
        self._held: deque[tuple[float, bytes]] = deque()
        """Pieces, and the seconds of silence before each."""
        self._due: float | None = None
        """When the first of them is sent; None until the time is told."""
        self._ready: deque[bytes] = deque()

    @property
    def connection_oriented(self) -> bool:
        """As the link inside."""
        return self._inside.connection_oriented

    @property
    def connected(self) -> bool:
        """As the link inside."""
        return self._inside.connected

    def connect(self) -> None:
        """Connect the link inside."""
        self._inside.connect()

    def disconnect(self) -> None:
        """Disconnect the link inside."""
        self._inside.disconnect()

    def line_to_set(self) -> LineSettings | None:
        """As the link inside."""
        return self._inside.line_to_set()

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Send an APDU, or what the lie makes of it."""
        scene = self.scene
        said = scene.says(apdu)
        apdus = [said.apdu]
        if scene.occasion():
            told = None if self._lie.tell is None else self._lie.tell(said, scene)
            self._armed = self._lie.tell is None
            if told is not None:
                scene.told += 1
                apdus = list(told)
        for each in apdus:
            scene.said.append(each)
            self._inside.send(each, source=source, destination=destination)

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the medium."""
        self._release(now)
        events = self._inside.receive(octets, now)
        self._hear(events)
        return events

    def octets_to_send(self) -> bytes:
        """Return the next octets that are due."""
        octets = self._inside.octets_to_send()
        for delay, piece in self._put(octets) if octets else ():
            if delay or self._held:
                self._held.append((delay, piece))
            else:
                self._ready.append(piece)
        return self._ready.popleft() if self._ready else b""

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, for the link inside or for what is held back."""
        inside = self._inside.deadline()
        if not self._held:
            return inside
        own = UNARMED if self._due is None else self._due
        return own if inside is None else min(own, inside)

    def tick(self, now: float) -> list[LinkEvent]:
        """Tell the time."""
        self._release(now)
        events = self._inside.tick(now)
        self._hear(events)
        return events

    def _hear(self, events: list[LinkEvent]) -> None:
        for event in events:
            if isinstance(event, ApduReceived):
                self.scene.hears(event.apdu)

    def _put(self, octets: bytes) -> list[tuple[float, bytes]]:
        """Return what is sent for octets of the link inside: with the lie about frames or time, where it is told."""
        honest = [(0.0, octets)]
        if not self._armed and not self.scene.connecting:
            return honest
        reframe, pace = self._lie.reframe, self._lie.pace
        if pace is not None:
            pieces = list(pace(octets))
        elif reframe is not None:
            changed = reframe(octets, self.scene)
            if changed is None:
                return honest
            pieces = [(0.0, changed)]
        else:
            return honest
        self._armed = False
        self.scene.told += 1
        return pieces

    def _release(self, now: float) -> None:
        """Let go what was held back long enough."""
        while self._held:
            delay, piece = self._held[0]
            if self._due is None:
                self._due = now + delay
            if now < self._due:
                return
            self._held.popleft()
            self._due = None
            self._ready.append(piece)


def lying_client(
    lie: Lie,
    settings: ClientSettings,
    client_sap: int,
    server_sap: int,
    link: Callable[[int, int], Link] | None = None,
) -> tuple[ClientStack, LyingLink]:
    """Return a client that tells a lie, and its link, which shows what came of it. link: the wrapper unless told."""
    lying = LyingLink(lie, Role.CLIENT, link and link(client_sap, server_sap), settings.material)
    lying.scene.seals.know(settings.server_title)
    return ClientStack(settings, client_sap, server_sap, link=lambda _client, _server: lying), lying


def lying_server(
    lie: Lie,
    device: PhysicalDevice | LogicalDevice,
    link: Link | None = None,
    material: SecurityMaterial | None = None,
) -> tuple[MeterSession, LyingLink]:
    """Return one connection to a meter that tells a lie, and its link. material: the keys of its ciphered client."""
    lying = LyingLink(lie, Role.SERVER, link, material)
    return MeterSession(device if isinstance(device, PhysicalDevice) else PhysicalDevice(device), lying), lying


class LyingMeterServer(MeterServer):
    """A meter on TCP that tells a lie on each connection. material: the keys of its ciphered client."""

    def __init__(
        self,
        lie: Lie,
        *devices: LogicalDevice | PhysicalDevice,
        host: str | None = "127.0.0.1",
        port: int = 0,
        material: SecurityMaterial | None = None,
    ) -> None:
        super().__init__(*devices, host=host, port=port)
        self._lie = lie
        self._material = material

    def meter_connection(self, connection: Connection) -> MeterConnection:
        """Return the liar on a connection."""
        return MeterConnection(self.device, connection, link=LyingLink(self._lie, Role.SERVER, material=self._material))
