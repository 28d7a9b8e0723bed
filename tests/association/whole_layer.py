"""A client's stack and a server behind its side of the link, in virtual time, and what has to come of every request.

::

    client                    medium                 server
    ClientStack -- link --  octets, cut  -- link -- ServerAssociation -- Device
                                   |
                            Wire looks at all APDUs

Nothing is lost on this medium: every request ends in the outcome that the oracle says, and both sides are idle then.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from cosemic import apdu as a
from cosemic.association.control import State
from cosemic.association.notifications import Notified, NotifyData
from cosemic.association.requests import Aborted, Accessed, Completed, Failed, Open, Opened, Release
from cosemic.association.server import ServerAssociation
from cosemic.association.server_events import NotificationConfirmed
from cosemic.errors import (
    AssociationError,
    AssociationRejected,
    CosemicError,
    EncodeError,
    ExceptionReceived,
    OutcomeUnknown,
    ProtocolError,
    ServiceErrorReceived,
    ServiceFailed,
)
from cosemic.link.contract import ApduReceived, Link, LinkDisconnected
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink, HdlcSecondaryLink
from cosemic.link.wrapper import WrapperLink
from cosemic.security import MemoryCounterStore
from cosemic.stack import ClientStack, Disconnect, Poll
from cosemic.values import Conformance
from tests.association.whole_layer_oracle import NotSent, Oracle, Refused
from tests.association.whole_layer_shelf import Device
from tests.association.whole_layer_terms import Station, Terms, longest
from tests.association.whole_layer_wire import Wire

CLIENT_SAP, SERVER_SAP = 16, 1
MOST_TURNS = 100_000
MOST_KEPT = 1024
"""Octets that a side without an association may hold on to: digests of notifications, but no transfer."""
_ALL = int(Conformance((1 << 24) - 1))
_ERRORS = {"not-supported": ("service-not-supported", "service-unsupported"), "pdu-too-long": ("pdu-size",)}


class ServerEnd:
    """The server behind its side of the link."""

    def __init__(self, link: Link, association: ServerAssociation) -> None:
        self.link = link
        self.association = association
        self.taken = 0
        """APDUs that came."""
        self.interjections: dict[int, Callable[[], None]] = {}
        """What happens after so many APDUs."""
        self.confirmed: list[Any] = []

    def receive(self, octets: bytes, now: float) -> None:
        self.happened(self.link.receive(octets, now), now)

    def tick(self, now: float) -> None:
        self.happened(self.link.tick(now), now)
        self.association.tick(now)
        self.flush()

    def happened(self, events: list[Any], now: float) -> None:
        for event in events:
            if isinstance(event, ApduReceived):
                told = self.association.receive(event.apdu, now)
                self.confirmed += [one.confirmation for one in told if isinstance(one, NotificationConfirmed)]
                self.taken += 1
                interjection = self.interjections.pop(self.taken, None)
                if interjection is not None:
                    interjection()
                if not self.flush() and isinstance(self.link, HdlcSecondaryLink):
                    self.link.unanswered(SERVER_SAP, CLIENT_SAP)
            elif isinstance(event, LinkDisconnected):
                self.association.lost()

    def flush(self) -> int:
        """Send what is due; return how many APDUs that is."""
        sent = 0
        while answer := self.association.octets_to_send():
            self.link.send(answer, source=SERVER_SAP, destination=CLIENT_SAP)
            sent += 1
        return sent

    def deadline(self) -> float | None:
        return earliest(self.link.deadline(), self.association.deadline())


class Conversation:
    """One connection. hdlc: stations of both sides, None for the wrapper. seed: how octets are cut, by ``pieces``."""

    def __init__(self, hdlc: tuple[Station, Station] | None, seed: int, pieces: int) -> None:
        self.now = 1000.0
        self.wire = Wire()
        self.device = Device()
        self.terms = Terms()
        self.oracle = Oracle(self.terms, Device())
        self.associated = False
        self.events: list[Any] = []
        self._cuts = random.Random(seed)
        self._pieces = pieces
        self._counters = MemoryCounterStore(), MemoryCounterStore()
        self._hdlc = hdlc
        self._connect()

    def _connect(self) -> None:
        """Make a connection, without an association."""
        hdlc = self._hdlc
        ours, theirs = self.terms.settings(*self._counters)
        self.stack = ClientStack(ours, CLIENT_SAP, SERVER_SAP, self.wire, self._link)
        link: Link = WrapperLink() if hdlc is None else HdlcSecondaryLink(settings=hdlc[1].settings())
        self.server = ServerEnd(link, ServerAssociation(theirs, self.device))

    def _link(self, client: int, server: int) -> Link:
        if self._hdlc is None:
            return WrapperLink(client, server)
        return HdlcPrimaryLink(client, HdlcAddress(server), self._hdlc[0].settings())

    # ---- what is done -----------------------------------------------------------------------------------------------

    def open(self, terms: Terms, disconnect: bool = False) -> None:
        """Open an association with these terms, in the place of the one that stands, if any."""
        if disconnect and self.stack.linked:
            assert isinstance(self._run(Disconnect()), Completed)
        ours, theirs = terms.settings(*self._counters)
        self.stack.use(ours, CLIENT_SAP, SERVER_SAP)
        self.server.association = ServerAssociation(theirs, self.device)
        self.wire.begin(terms)
        self.terms = terms
        self.oracle = Oracle(terms, self.oracle.device)
        event = self._run(Open())
        self.associated = not terms.refused
        if terms.refused:
            assert isinstance(event, Failed), event
            assert isinstance(event.error, AssociationRejected | ProtocolError | ServiceFailed)
            assert terms.refused in str(event.error)
            return
        assert isinstance(event, Completed), event
        opened = event.result
        assert isinstance(opened, Opened)
        assert opened.conformance == terms.agreed, (opened.conformance ^ terms.agreed).names()
        assert opened.max_pdu_size == terms.server.size
        self.wire.standing = True

    def ask(self, request: Any, careless: bool = False) -> None:
        """Ask for something, and hold what comes of it against the oracle."""
        if not self.associated:
            self._refused_outside(request)
            return
        expected = self.oracle.outcome(request, careless)
        self.wire.again()
        self.wire.careless = careless
        terms = self.stack.association._terms
        agreed, sent = terms.agreed, self.wire.apdus
        terms.agreed = _ALL if careless else agreed
        try:
            event = self._run(request)
        except (ServiceFailed, EncodeError) as error:
            if not isinstance(expected, NotSent):
                raise AssertionError(f"refused by the client; expected: {_short(expected)}") from error
            assert self.wire.apdus == sent, "refused, and sent all the same"
            assert not self.stack.busy
        else:
            self._judge(event, expected)
        finally:
            terms.agreed = agreed
            self.wire.careless = False
        self.check()
        if self.stack.association.unanswered:
            # An error came in clear where it may be forged, and no invoke-id joins it to what was asked.
            assert careless
            assert self.terms.ciphered
            self._connect()
            self.open(self.terms)

    def notify(self, notification: Any, bit: Conformance, request: Any, after: int) -> None:
        """The server says something of its own after so many APDUs of a request."""
        octets = notification.apdu().encode()
        refusals: list[CosemicError] = []

        def say() -> None:
            try:
                self.server.association.send(octets)
            except CosemicError as error:
                refusals.append(error)

        told = len(self.events)
        confirmed = len(self.server.confirmed)
        self.server.interjections = {self.server.taken + after: say}
        self.ask(request)
        if self.server.interjections:  # the request has had fewer APDUs
            self.server.interjections.clear()
            say()
            self.server.flush()
        self.settle()
        if self._hdlc is not None:  # only with an answer, or after a poll, a secondary sends
            assert isinstance(self._run(Poll()), Completed)
        notified = [one for one in self.events[told:] if isinstance(one, Notified)]
        if not self._may_notify(octets, bit):
            assert refusals
            assert isinstance(refusals[0], ServiceFailed)
            assert not notified
            return
        assert not refusals, refusals
        assert [one.apdu.encode() for one in notified] == [octets]
        assert notified[0].protection == self.terms.protection
        wanted = isinstance(notification, NotifyData) and notification.confirmed and self.terms.confirms
        numbers = [one.long_invoke_id_and_priority.invoke_id for one in self.server.confirmed[confirmed:]]
        assert numbers == ([notification.long_invoke_id] if wanted else [])

    def _may_notify(self, octets: bytes, bit: Conformance) -> bool:
        terms = self.terms
        general = terms.general_answers(octets[0] == 0x0F)
        needed = bit | (Conformance.GENERAL_PROTECTION if general else Conformance(0))
        if needed & ~terms.agreed:
            return False
        return terms.in_general_blocks or len(octets) <= longest_exactly(terms, general)

    def release(self) -> None:
        """Release, and hold on to nothing."""
        if self.associated:
            self.wire.again()
            event = self._run(Release())
            assert isinstance(event, Completed), event
            self.associated = self.wire.standing = False
        self.settle()
        assert self.server.association.state is State.IDLE or self.terms.refused
        assert held(self.stack.association) < MOST_KEPT
        assert held(self.server.association, self.device) < MOST_KEPT or self.terms.refused

    def check(self) -> None:
        """Both sides are idle, and the device is as the model says."""
        assert self.device.changes == self.oracle.device.changes, _differing(self)
        assert self.device.values == self.oracle.device.values
        assert self.device.applied <= {self.terms.protection}
        self.device.applied.clear()
        for device in (self.device, self.oracle.device):
            device.changes.clear()
        assert not self.stack.busy
        assert self.stack.association.deadline() is None
        assert not self.stack.association.octets_to_send()
        assert not self.server.association.octets_to_send()
        assert self.wire.idle(), "blocks are missing"

    def settle(self) -> None:
        """Let the time pass until nothing is awaited any more."""
        self._go_on(lambda: self.stack.deadline() is None and self.server.deadline() is None)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _refused_outside(self, request: Any) -> None:
        sent = self.wire.apdus
        try:
            self.stack.send(request)
        except AssociationError:
            assert self.wire.apdus == sent
            return
        raise AssertionError("a service outside an association")

    def _judge(self, event: Any, expected: Any) -> None:
        log = "\n".join(self.wire.log[-12:])
        if isinstance(expected, Refused):
            assert isinstance(event, Failed), f"expected {expected}, came {_short(event)}\n{log}"
            error: BaseException | None = event.error
            if isinstance(error, OutcomeUnknown):
                assert self.terms.ciphered, "what is refused in clear is not unknown"
                error = error.__cause__
            assert isinstance(error, ServiceErrorReceived if self.terms.short_names else ExceptionReceived), event
            assert self.terms.short_names or expected.label in str(error), f"{expected}: {error}"
            return
        assert not isinstance(expected, NotSent), f"{expected.why}; sent all the same: {_short(event)}\n{log}"
        assert isinstance(event, Completed), f"expected {_short(expected)}, came {event}\n{log}"
        result = _plain(event.result)
        assert result == expected, f"expected {_short(expected)}, came {_short(result)}\n{log}"

    def _run(self, request: Any) -> Any:
        """Send a request, and go on until its event has come and nothing is under way."""
        before = len(self.events)
        self.stack.send(request)
        self._tell()
        unanswered = []

        def ended() -> bool:
            unanswered[:] = [one for one in self.events[before:] if isinstance(one, Completed | Failed | Aborted)]
            return bool(unanswered)

        self._go_on(ended)
        if self._hdlc is not None and isinstance(unanswered[0], Completed) and unanswered[0].result is None:
            self.settle()  # nothing was answered: the link may still be sending
        assert len(unanswered) == 1, unanswered
        assert unanswered[0].request is request
        return unanswered[0]

    def _go_on(self, done: Callable[[], bool]) -> None:
        for _ in range(MOST_TURNS):
            if self._carry():
                continue
            if done():
                return
            deadline = earliest(self.stack.deadline(), self.server.deadline())
            assert deadline is not None, "nothing happens any more"
            self.now = max(self.now, deadline)
            self._tell()
        raise AssertionError("it never ends")

    def _tell(self) -> None:
        deadline = self.stack.deadline()
        if deadline is not None and deadline <= self.now:
            self.events += self.stack.tick(self.now)
        deadline = self.server.deadline()
        if deadline is not None and deadline <= self.now:
            self.server.tick(self.now)

    def _carry(self) -> bool:
        """Carry what is due over and back; whether anything was."""
        there = self.stack.octets_to_send()
        for piece in self._cut(there):
            self.server.receive(piece, self.now)
        self._tell()
        self.server.flush()
        back = self.server.link.octets_to_send()
        for piece in self._cut(back):
            self.events += self.stack.receive(piece, self.now)
        if back:
            self._tell()
        return bool(there or back)

    def _cut(self, octets: bytes) -> list[bytes]:
        """Octets in chunks, ``pieces`` of them more or less; none is lost."""
        if not octets or self._pieces <= 1:
            return [octets] if octets else []
        size = max(2 * len(octets) // self._pieces, 1)
        found, at = [], 0
        while at < len(octets):
            end = at + self._cuts.randint(1, size)
            found.append(octets[at:end])
            at = end
        return found


def earliest(*deadlines: float | None) -> float | None:
    return min((one for one in deadlines if one is not None), default=None)


def longest_exactly(terms: Terms, general: bool) -> int:
    """Octets of the longest plain notification: what of the protection is not used takes no room."""
    tag = 0 if not terms.ciphered or int(terms.protection) & 1 else 12
    return longest(terms.client.size, terms.ciphered, general, spare=tag)


def held(side: Any, *beside: Any) -> int:
    """Octets of all strings that one side holds on to."""
    passed = {id(one) for one in (side.settings, *beside)}
    found, left = 0, [side]
    while left:
        one = left.pop()
        if id(one) in passed or isinstance(one, type | MemoryCounterStore | random.Random):
            continue
        passed.add(id(one))
        if isinstance(one, bytes | bytearray):
            found += len(one)
        elif isinstance(one, dict):
            left += [*one, *one.values()]
        elif isinstance(one, list | tuple | set | frozenset) or type(one).__name__ == "deque":
            left += one
        elif type(one).__module__.startswith(("cosemic.association", "cosemic.apdu", "cosemic.codec")):
            left += getattr(one, "__dict__", {}).values()
            slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
            left += [getattr(one, name) for name in slots if hasattr(one, name)]
    return found


def _plain(result: Any) -> Any:
    """A result without the types that carry it."""
    if isinstance(result, Accessed):
        return [(one.result, one.data) for one in result.results]
    if isinstance(result, a.ActionResponseWithOptionalData):
        return result.result, result.return_parameters
    return [_plain(one) for one in result] if isinstance(result, tuple) else result


def _short(thing: Any) -> str:
    text = repr(thing)
    return text if len(text) < 400 else f"{text[:400]} ... ({len(text)})"


def _differing(conversation: Conversation) -> str:
    return f"came {_short(conversation.device.changes)}, not {_short(conversation.oracle.device.changes)}"
