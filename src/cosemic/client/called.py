"""What comes of a caller: a notification, or a known meter that can be opened on its connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cosemic.association.notifications import Notified
from cosemic.client.caller import Caller
from cosemic.client.meter import Meter
from cosemic.client.plan import Plan
from cosemic.client.recognising import Identity
from cosemic.client.recovery import Recovery
from cosemic.client.timepiece import TimeSource
from cosemic.stack import PUBLIC_CLIENT, Trace
from cosemic.store.meters import KnownMeter
from cosemic.transport.contract import Connection, Receiver


@dataclass(frozen=True, slots=True)
class Pushed:
    """A notification came. known: the meter, where its notification is authenticated, or its certificate names it."""

    notified: Notified
    peer: str
    known: KnownMeter | None
    _confirm: Callable[[], None] = field(repr=False, compare=False)

    def confirm(self) -> None:
        """Confirm it, where the acceptor confirms when told: after what it brings was stored.

        Raises AssociationError for one that asks for no confirmation, SecurityError.
        """
        self._confirm()


@dataclass(frozen=True, slots=True)
class Called:
    """A known meter has called, and can be opened on its connection, once; ``by`` says how it was recognised.

    proven: nobody else can have said so. Otherwise only the association will prove it, where its settings want proof.
    """

    meter: Meter
    known: KnownMeter
    by: Identity
    proven: bool


AcceptorEvent = Pushed | Called


class CallerPlan(Plan):
    """Reaches a meter over the connection that it made, once."""

    def __init__(
        self, meter: KnownMeter, recovery: Recovery, now: TimeSource, trace: Trace | None, caller: Caller
    ) -> None:
        super().__init__(meter, recovery.on_one_connection(), now, trace)
        self._caller = caller

    async def connect(self, receiver: Receiver) -> Connection:
        """Take the connection over. Raises ConnectionLost where it has ended, or was taken."""
        client, server = self._saps
        connection = self._caller.take(receiver, frozenset(((server, client), (server, PUBLIC_CLIENT))))
        self.connected(connection)
        return connection
