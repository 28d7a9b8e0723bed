"""Asks a meter, client SAP by client SAP, for an association without password and keys; and what its answer means.

===================================  =========  ====================================================================
answer to the AARQ                   verdict    and then
===================================  =========  ====================================================================
AARE accepted                        OPEN       the logical device name (0-0:42.0.0) is read; RLRQ
AARE, authentication-required        PROTECTED  it asks for high level security
AARE refused: authentication,        PROTECTED  :data:`WANTS_SECRETS`
context, titles                                 where it is the context, short names are tried at once
AARE ciphered                        PROTECTED
AARE refused otherwise               REFUSED    some meters say no reason where a password is wanted
exception-response,                  REFUSED
confirmedServiceError
DM, FRMR to SNRM                     REFUSED    another client SAP, or somebody else is connected
UA, E5; nothing to the AARQ          SILENT     the link is there, this client is not
nothing at all                       (none)
===================================  =========  ====================================================================

What came on the link is overheard (:class:`Overheard`): it tells HDLC and M-Bus stations apart from silence, and by
which primary address an M-Bus device answers that was called as whoever is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.requests import Get, Open, Release
from cosemic.client.associating import transferred
from cosemic.client.scan.results import Answer, Finding, Verdict
from cosemic.client.session import Session
from cosemic.client.short_names import ShortNames
from cosemic.client.steps import Connect, Procedure, Wait
from cosemic.codec import EncodedData
from cosemic.errors import (
    AssociationRejected,
    ConnectionLost,
    CosemicError,
    DecodeError,
    ExceptionReceived,
    ProtocolError,
    SecurityError,
    ServiceErrorReceived,
)
from cosemic.link.hdlc import HdlcStreamReader
from cosemic.link.mbus import E5, MbusFrame, MbusStreamReader
from cosemic.link.mbus.frame import MAX_ADDRESS, RSP_UD
from cosemic.stack import Disconnect, Framing, Layer, Trace
from cosemic.values import Obis, UserDiagnostic
from cosemic.values.enumerations import FrameType

LOGICAL_DEVICE_NAME: Final = CosemAttributeDescriptor(1, Obis("0-0:42.0.0"), 2)
WANTS_SECRETS: Final = frozenset(
    one.label
    for one in (
        UserDiagnostic.AUTHENTICATION_REQUIRED,
        UserDiagnostic.AUTHENTICATION_FAILURE,
        UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED,
        UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNIZED,
        UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED,
        UserDiagnostic.CALLING_AP_TITLE_NOT_RECOGNIZED,
    )
)
"""Diagnostics of an AARE that refuses somebody who comes without password and keys."""
_ANOTHER_CONTEXT: Final = UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED.label
MOST_CLOSED: Final = 2
"""Connections that are closed on an AARQ, in a row, after which no other client SAP is tried."""
RECONNECT_AFTER: Final = 0.5
"""Seconds that a meter or converter may need until it takes the next connection."""
ADVICE: Final = "found, but it wants a password or keys: add --security"
_LINK_ANSWERS: Final = {FrameType.UA: Answer.UA, FrameType.DM: Answer.DM, FrameType.FRMR: Answer.FRMR}


class Overheard:
    """A trace that looks at the frames that come back, and hands on to another trace."""

    def __init__(self, framing: Framing, trace: Trace | None) -> None:
        self.plaintext = trace is not None and trace.plaintext
        self.answer: Answer | None = None
        """The last answer of the link itself; None: nothing came since :meth:`forget`."""
        self.address: int | None = None
        """Primary address on the M-Bus."""
        self._trace = trace
        self._hdlc = HdlcStreamReader() if framing in (Framing.HDLC, Framing.IEC21) else None
        self._mbus = MbusStreamReader() if framing is Framing.MBUS else None

    def forget(self) -> None:
        """Forget the last answer."""
        self.answer = None

    def connected(self, peer: str) -> None:
        """Hand on."""
        if self._trace is not None:
            self._trace.connected(peer)

    def octets(self, layer: Layer, sent: bool, octets: bytes) -> None:
        """Look, and hand on."""
        if layer is Layer.MEDIUM and not sent:
            self._look(octets)
        if self._trace is not None:
            self._trace.octets(layer, sent, octets)

    def _look(self, octets: bytes) -> None:
        for frame in [] if self._hdlc is None else self._hdlc.receive(octets):
            self.answer = _LINK_ANSWERS.get(frame.control.type, self.answer)
        for telegram in [] if self._mbus is None else self._mbus.receive(octets):
            if telegram == E5:
                self.answer = Answer.E5
            elif isinstance(telegram, MbusFrame) and telegram.function == RSP_UD and 0 < telegram.a <= MAX_ADDRESS:
                self.answer, self.address = Answer.E5, telegram.a


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of asking as one client SAP; verdict None: nothing is there.

    name: that of the logical device. short_names: it answers to short names, and not to logical ones.
    """

    client_sap: int
    verdict: Verdict | None
    answer: Answer
    text: str
    name: str | None = None
    short_names: bool = False

    def finding(self, url: str, identification: str | None = None) -> Finding:
        """Return it as a finding. url: what reaches the meter as this client."""
        assert self.verdict is not None
        url += "&referencing=sn" if self.short_names else ""
        return Finding(self.verdict, url, self.answer, self.text, self.client_sap, self.name, identification)


def ask_clients(
    session: Session,
    clients: Sequence[int],
    overheard: Overheard,
    asking: Callable[[int], None],
    judged: Callable[[Judgement], None],
) -> Procedure[None]:
    """Ask for an association as each of the clients.

    asking: is told of each before it is asked. judged: is told what came of it.

    Raises ConnectionFailed where the medium cannot be connected, or not again.
    """
    server = session.stack.server_sap
    yield Connect()
    fresh, standing, closed = True, True, 0
    for client in clients:
        asking(client)
        if not standing:
            yield from _connect_again()
            fresh = True
        overheard.forget()
        judgement = yield from _ask(session, client, server, overheard)
        if judgement.answer is Answer.CLOSED and not fresh:
            # It was closed after the client before: by a meter that has refused it, or because its link has failed.
            yield from _connect_again()
            judgement = yield from _ask(session, client, server, overheard)
        judged(judgement)
        closed = closed + 1 if judgement.answer is Answer.CLOSED else 0
        if closed >= MOST_CLOSED:
            return
        fresh = False
        standing = yield from _leave(session, judgement)


def _connect_again() -> Procedure[None]:
    yield Wait(RECONNECT_AFTER)
    yield Connect()


def _ask(session: Session, client: int, server: int, overheard: Overheard) -> Procedure[Judgement]:
    short_names = False
    try:
        if session.stack.client_sap != client:
            session.stack.use(session.settings, client, server)
        yield Open()
    except CosemicError as error:
        refused = Judgement(client, *judge(error, overheard.answer))
        if not isinstance(error, AssociationRejected) or error.diagnostic != _ANOTHER_CONTEXT:
            return refused
        again = yield from _ask_with_short_names(session, client, server, overheard)
        if again is not None:
            return again if again.verdict is Verdict.PROTECTED else refused
        short_names = True
    name: str | None = None
    try:
        found = yield from transferred(Get(LOGICAL_DEVICE_NAME), ShortNames() if short_names else None)
        if isinstance(found, EncodedData) and isinstance(value := found.value(), bytes):
            name = value.decode("latin-1")
    except CosemicError:
        name = None  # it is not shown to everybody, or not there; the association stands all the same
    text = f"works without password and keys{', with short names' if short_names else ''}"
    return Judgement(client, Verdict.OPEN, Answer.ACCEPTED, text, name, short_names)


def _ask_with_short_names(
    session: Session, client: int, server: int, overheard: Overheard
) -> Procedure[Judgement | None]:
    """Ask again on the same connection; None: the association stands."""
    try:
        session.stack.use(replace(session.settings, short_names=True), client, server)
        yield Open()
    except CosemicError as error:
        another = isinstance(error, AssociationRejected) and error.diagnostic == _ANOTHER_CONTEXT
        verdict, answer, text = judge(error, overheard.answer)
        return Judgement(client, None if another else verdict, answer, text, short_names=True)
    return None


def _leave(session: Session, judgement: Judgement) -> Procedure[bool]:
    """End association and data link connection; return whether the next client can be asked on this connection."""
    try:
        if session.opened is not None:
            yield Release()
        if session.stack.linked:
            yield Disconnect()
    except CosemicError:
        return False
    return judgement.answer not in (Answer.CLOSED, Answer.UNREADABLE)


def judge(error: CosemicError, link: Answer | None) -> tuple[Verdict | None, Answer, str]:
    """Return what an opening that failed means; verdict None: nothing is there. link: what the link itself answered."""
    text = str(error)
    if isinstance(error, SecurityError):
        return Verdict.PROTECTED, Answer.CHALLENGE, f"{ADVICE}; {text}"
    if isinstance(error, AssociationRejected):
        if error.diagnostic in WANTS_SECRETS:
            return Verdict.PROTECTED, Answer.REJECTED, f"{ADVICE}; {text}"
        return Verdict.REFUSED, Answer.REJECTED, f"{text}; some meters say so where --security is wanted"
    if isinstance(error, ExceptionReceived):
        return Verdict.REFUSED, Answer.EXCEPTION, text
    if isinstance(error, ServiceErrorReceived):
        return Verdict.REFUSED, Answer.SERVICE_ERROR, text
    if isinstance(error, ProtocolError | DecodeError):
        # The wrapper has no check of its own: what cannot be read there may be anything.
        return None if link is None else Verdict.REFUSED, Answer.UNREADABLE, text
    if link in (Answer.DM, Answer.FRMR):
        return Verdict.REFUSED, link, text
    if link is not None:
        return Verdict.SILENT, link, f"the link answers ({link.value}), and no association: no such client or device"
    if isinstance(error, ConnectionLost):
        return None, Answer.CLOSED, text
    return None, Answer.NOTHING, text
