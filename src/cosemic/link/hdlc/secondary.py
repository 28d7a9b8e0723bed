"""The secondary station of HDLC in normal response mode: a physical device with its logical devices (IEC 62056-46).

There is one data link connection for each pair of client SAP and logical device. A station answers only when it has the
turn (P = 1), and ends with F = 1.

============  =======================  =====================================================================
frame         no connection (NDM)      connection (NRM)
============  =======================  =====================================================================
SNRM          UA: connection; or DM    the old connection ends; UA: a new one, numbers from 0; or DM
DISC          DM                       UA, the connection ends
I             DM                       taken; discarded when it is not expected, or the station is busy or full
RR, RNR       DM                       N(R) is taken
UI            given, never answered    given, never answered
wrong N(R)    DM                       FRMR with Z, the connection ends
too long      DM                       FRMR with Y, the connection ends
information   DM                       FRMR with X, the connection ends (RR and RNR have none)
silence       -                        after ``inactivity_timeout`` the connection ends
============  =======================  =====================================================================

DM only with P = 1. Full is a station with :data:`MOST_WAITING` octets of answers that are not acknowledged. What is
done with the turn, the first that applies; held event notifications go before, in UI:

====================================================  ================================================================
I frames are not acknowledged, or new                 these from the client's N(R) on, F = 1 in the last one
an APDU was given, and may be answered                waits for ``send``, at most ``answer_delay``
otherwise                                             RR, or RNR while the station is busy
====================================================  ================================================================

Addresses: an answer has the form that the client used. A form (length) that the station does not use is discarded, as
is NO_STATION. ALL_STATION, as upper or lower part, is for UI only; its SAP is 7F in every length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Final, TypeAlias

from cosemic.errors import ConfigurationError, ConnectionLost, CosemicError, DecodeError, EncodeError, ProtocolError
from cosemic.link.contract import UNARMED, ApduReceived, LinkConnected, LinkDisconnected, LinkEvent, Octets
from cosemic.link.hdlc.addresses import ALL_STATION, NO_STATION, calling, is_broadcast
from cosemic.link.hdlc.fields import DEFAULT_MAX_INFO, LLC_REQUEST, LLC_RESPONSE, FrameReject
from cosemic.link.hdlc.frame import Control, HdlcAddress, HdlcFrame
from cosemic.link.hdlc.line import FrameLine
from cosemic.link.hdlc.negotiation import Agreement, agreed_by_server
from cosemic.link.hdlc.numbered import Arrival, NumberedTransfer, segments
from cosemic.link.hdlc.reassembly import HdlcReassembler, is_whole
from cosemic.link.hdlc.settings import MAX_APDU, HdlcSettings
from cosemic.values import LineSettings
from cosemic.values.enumerations import FrameType

MAX_CONNECTIONS: Final = 16
MOST_WAITING: Final = 1 << 20
"""Octets of answers that a client has not acknowledged; until it does so, its I frames are not taken."""
MOST_HELD: Final = 16
"""Event notifications held for each client; the oldest gives way."""
_MOST_OPEN: Final = 16
_RESPONSES: Final = frozenset((FrameType.UA, FrameType.DM, FrameType.FRMR))
_Key: TypeAlias = tuple[int, int]
"""Client SAP and logical device."""


class _Connection:
    """One data link connection. address: the own one, as the client writes it."""

    def __init__(self, frame: HdlcFrame, agreement: Agreement, transfer: NumberedTransfer) -> None:
        self.client = frame.source
        self.address = frame.destination
        self.agreement = agreement
        self.transfer = transfer
        self.has_turn = False
        self.owes_answer = False
        self.hold_until: float | None = None
        self.leave_at: float | None = None

    @property
    def waits_for_answer(self) -> bool:
        """Whether the turn is kept for an answer."""
        return self.has_turn and self.owes_answer and self.hold_until is not None and not self.transfer.due


class HdlcSecondaryLink:
    """The stations of one physical device.

    lower: its lower address; None: it takes any, as where it is alone on the line. devices: upper addresses of its
    logical devices; None: any. sizes: lengths of its address in octets; others are discarded. settings: see
    :class:`~cosemic.link.hdlc.settings.HdlcSettings`. max_apdu, max_connections: bounds of the memory held.

    Raises ConfigurationError for a lower address that is none.
    """

    def __init__(
        self,
        lower: int | None = None,
        devices: Collection[int] | None = None,
        settings: HdlcSettings | None = None,
        *,
        sizes: Collection[int] = (1, 2, 4),
        max_apdu: int = MAX_APDU,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        if lower is not None and not 1 <= lower <= 0x3FFD:
            raise ConfigurationError(f"lower HDLC address {lower} is not in 1..16381")
        self.settings = settings or HdlcSettings()
        self.busy = False
        """Whether the station takes no I frames for the moment; it says so by RNR."""
        self._lower = lower
        self._devices = None if devices is None else frozenset(devices)
        self._sizes = frozenset(sizes)
        self._max_apdu = max_apdu
        self._max_connections = max_connections
        self._line = FrameLine(self.settings.inter_octet_timeout, _RESPONSES)
        self._messages = HdlcReassembler(max_octets=2 * max_apdu, max_open=_MOST_OPEN)
        self._connections: dict[_Key, _Connection] = {}
        self._held: dict[int, deque[tuple[int, bytes]]] = {}
        self._ended: list[LinkEvent] = []

    # ---- the contract -----------------------------------------------------------------------------------------------

    @property
    def connection_oriented(self) -> bool:
        """Return True: APDUs go over data link connections."""
        return True

    @property
    def connected(self) -> bool:
        """Whether any connection stands."""
        return bool(self._connections)

    @property
    def connections(self) -> tuple[tuple[int, int], ...]:
        """Client SAP and logical device of each connection."""
        return tuple(self._connections)

    def connect(self) -> None:
        """Do nothing: the client connects."""

    def disconnect(self) -> None:
        """Leave all connections; a client is told (DM) when it asks for something. The next call gives the events."""
        self._ended += [LinkDisconnected(*key) for key in self._connections]
        self._connections.clear()

    def line_to_set(self) -> LineSettings | None:
        """Return None: no port is changed."""
        return None

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Take an APDU to a client in I frames, with its next turn.

        None stands for the SAPs of the only connection. To a client without a connection nothing is sent: it has lost
        its association. Raises EncodeError where SAPs are missing and there is not exactly one connection.
        """
        if source is None or destination is None:
            if len(self._connections) != 1:
                raise EncodeError(f"{len(self._connections)} HDLC connections stand: say source and destination SAP")
            connection = next(iter(self._connections.values()), None)
        else:
            connection = self._connections.get((destination, source))
        if connection is not None:
            connection.transfer.put(apdu)
            connection.owes_answer = False

    def unanswered(self, source: int, destination: int) -> None:
        """Learn that what came last gets no answer: the turn goes back at once. SAPs as of :meth:`send`."""
        connection = self._connections.get((destination, source))
        if connection is not None:
            connection.owes_answer = False

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the stream, cut and disturbed anywhere."""
        events = self._told()
        for frame in self._line.receive(octets, now):
            self._take(frame, now, events)
        return events

    def octets_to_send(self) -> bytes:
        """Return the frames that are due, end to end."""
        for connection in self._connections.values():
            if connection.has_turn and not connection.waits_for_answer:
                self._use_turn(connection)
        return self._line.octets_to_send()

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        if self._ended:
            return UNARMED
        times = [self._line.deadline()]
        for connection in self._connections.values():
            times += (connection.leave_at, connection.hold_until if connection.waits_for_answer else None)
        return min((at for at in times if at is not None), default=None)

    def tick(self, now: float) -> list[LinkEvent]:
        """Tell the time: unfinished frames, answers that are not there yet, clients that are silent."""
        events = self._told()
        for frame in self._line.tick(now):
            self._take(frame, now, events)
        for key, connection in list(self._connections.items()):
            if connection.hold_until is not None and now >= connection.hold_until:
                connection.hold_until = None
            if connection.leave_at is not None and now >= connection.leave_at:
                silent = f"client SAP {key[0]} has been silent for {self.settings.inactivity_timeout:g} s"
                self._leave(key, ConnectionLost(f"{silent} (inactivity time-out): it has to connect again"), events)
        return events

    # ---- beside the contract ----------------------------------------------------------------------------------------

    def notify(self, apdu: bytes, *, source: int = 1, destination: int, held: bool = True) -> None:
        """Take an APDU to a client in UI frames, unconfirmed: an event notification or a push.

        ``held``: until this client passes the turn, at most :data:`MOST_HELD` of them; otherwise it is sent at once, as
        on a line of which the meter is the only sender.
        """
        if held:
            self._held.setdefault(destination, deque(maxlen=MOST_HELD)).append((source, apdu))
        else:
            lower = None if self._sizes == {1} else self._lower
            self._put_unnumbered(HdlcAddress(source, lower), HdlcAddress(destination), [(source, apdu)], final=0)

    # ---- frames of clients ------------------------------------------------------------------------------------------

    def _told(self) -> list[LinkEvent]:
        events, self._ended = self._ended, []
        return events

    def _take(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        if not self._is_addressed(frame):
            return
        if frame.control.type is FrameType.UI:
            self._take_unnumbered(frame, now, events)
        elif not is_broadcast(frame.destination):
            key = _key(frame)
            connection = self._connections.get(key)
            if connection is not None:
                connection.address = frame.destination
                self._stay(connection, now)
            transition = TRANSITIONS.get((connection is not None, frame.control.type))
            if transition is not None:
                transition(self, frame, now, events)

    def _is_addressed(self, frame: HdlcFrame) -> bool:
        destination, source = frame.destination, frame.source
        if source.size != 1 or NO_STATION in (source.upper, destination.upper, destination.lower):
            return False
        if destination.size not in self._sizes and not is_broadcast(destination):
            return False
        everybody = destination.all_station
        if self._lower is not None and destination.lower not in (self._lower, None, everybody, calling(destination)):
            return False
        return self._devices is None or destination.upper == everybody or destination.upper in self._devices

    def _take_unnumbered(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        message = self._messages.receive(frame)
        if message is not None and is_whole(message, LLC_REQUEST):
            upper = frame.destination.upper
            sap = ALL_STATION if upper == frame.destination.all_station else upper
            events.append(ApduReceived(message.octets, frame.source.upper, sap))
        if not frame.control.pf or is_broadcast(frame.destination):
            return
        connection = self._connections.get(_key(frame))
        if connection is not None:
            self._stay(connection, now)
            self._give_turn(connection, now)
        else:
            self._put_unnumbered(frame.destination, frame.source, self._taken_from_held(frame.source), final=1)

    def _connect(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        key, settings = _key(frame), self.settings
        if self._connections.pop(key, None) is not None:
            events.append(LinkDisconnected(*key))
        try:
            agreement, information = agreed_by_server(Agreement.of(settings), frame.information)
        except (DecodeError, EncodeError):
            self._respond(frame, FrameType.DM)
            return
        if len(self._connections) >= self._max_connections:
            self._respond(frame, FrameType.DM)
            return
        room = settings.room(agreement.max_info_tx, frame.destination, frame.source)
        transfer = NumberedTransfer(LLC_RESPONSE, room, agreement, self._max_apdu)
        self._connections[key] = connection = _Connection(frame, agreement, transfer)
        self._stay(connection, now)
        self._respond(frame, FrameType.UA, information)
        events.append(LinkConnected(*key))

    def _disconnect(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        self._respond(frame, FrameType.UA)
        self._leave(_key(frame), None, events)

    def _refuse(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        if frame.control.pf:
            self._respond(frame, FrameType.DM)

    def _take_numbered(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        connection, control = self._connections[_key(frame)], frame.control
        if connection.transfer.acknowledge(control.nr or 0) is None:
            self._reject(frame, events, invalid_nr=True)
            return
        if control.type is FrameType.I:
            if len(frame.information) > connection.agreement.max_info_rx:
                self._reject(frame, events, information_too_long=True)
                return
            if not self._take_information(connection, frame, events):
                return
        elif frame.information:
            self._reject(frame, events, information_not_permitted=True)
            return
        if control.pf:
            self._give_turn(connection, now)

    def _take_information(self, connection: _Connection, frame: HdlcFrame, events: list[LinkEvent]) -> bool:
        """Take an I frame, if it is the next; return whether the connection still stands."""
        transfer = connection.transfer
        full = transfer.waiting >= MOST_WAITING
        if self.busy or full or transfer.arrival(frame.control.ns or 0) is not Arrival.TAKEN:
            return True
        try:
            apdu = transfer.take(frame.information, frame.segmented)
        except ProtocolError:
            self._reject(frame, events, information_too_long=True)
            return False
        if apdu:
            connection.owes_answer = True
            events.append(ApduReceived(apdu, *_key(frame)))
        return True

    # ---- own frames -------------------------------------------------------------------------------------------------

    def _respond(self, frame: HdlcFrame, type_: FrameType, information: bytes = b"") -> None:
        self._line.put(frame.source, frame.destination, Control(type_), information)

    def _reject(self, frame: HdlcFrame, events: list[LinkEvent], **reasons: bool) -> None:
        transfer = self._connections[_key(frame)].transfer
        reject = FrameReject(frame.control.encode(), transfer.vs, transfer.vr, False, **reasons)
        self._respond(frame, FrameType.FRMR, reject.encode())
        broke = f"client SAP {frame.source.upper} broke the rules of HDLC (FRMR: {reject.reasons})"
        self._leave(_key(frame), ProtocolError(broke), events)

    def _give_turn(self, connection: _Connection, now: float) -> None:
        if not connection.has_turn:
            connection.has_turn = True
            connection.hold_until = now + self.settings.answer_delay

    def _use_turn(self, connection: _Connection) -> None:
        client, address, transfer = connection.client, connection.address, connection.transfer
        connection.has_turn = False
        self._put_unnumbered(address, client, self._taken_from_held(client), final=0)
        supervisory = FrameType.RNR if self.busy else FrameType.RR
        for frame in transfer.burst() if transfer.due else [transfer.supervisory(supervisory)]:
            self._line.put(client, address, *frame)

    def _taken_from_held(self, client: HdlcAddress) -> Collection[tuple[int, bytes]]:
        return self._held.pop(client.upper, ())

    def _put_unnumbered(
        self, address: HdlcAddress, client: HdlcAddress, apdus: Collection[tuple[int, bytes]], final: int
    ) -> None:
        """Put APDUs into UI frames, F = ``final`` in the last one; ``address`` gives the form of the own addresses."""
        room = self.settings.room(min(DEFAULT_MAX_INFO, self.settings.max_info_transmit), address, client)
        frames = [
            (HdlcAddress(upper, address.lower, address.size), segment)
            for upper, apdu in apdus
            for segment in segments(LLC_RESPONSE + apdu, room)
        ]
        for number, (source, segment) in enumerate(frames, 1):
            self._line.put(client, source, Control(FrameType.UI, pf=final if number == len(frames) else 0), *segment)

    # ---- the end ----------------------------------------------------------------------------------------------------

    def _stay(self, connection: _Connection, now: float) -> None:
        timeout = self.settings.inactivity_timeout
        connection.leave_at = now + timeout if timeout else None

    def _leave(self, key: _Key, error: CosemicError | None, events: list[LinkEvent]) -> None:
        del self._connections[key]
        events.append(LinkDisconnected(*key, error))


def _key(frame: HdlcFrame) -> _Key:
    return frame.source.upper, frame.destination.upper


_Transition: TypeAlias = Callable[[HdlcSecondaryLink, HdlcFrame, float, list[LinkEvent]], None]
TRANSITIONS: Final[dict[tuple[bool, FrameType], _Transition]] = {
    (False, FrameType.SNRM): HdlcSecondaryLink._connect,
    (False, FrameType.DISC): HdlcSecondaryLink._refuse,
    (False, FrameType.I): HdlcSecondaryLink._refuse,
    (False, FrameType.RR): HdlcSecondaryLink._refuse,
    (False, FrameType.RNR): HdlcSecondaryLink._refuse,
    (True, FrameType.SNRM): HdlcSecondaryLink._connect,
    (True, FrameType.DISC): HdlcSecondaryLink._disconnect,
    (True, FrameType.I): HdlcSecondaryLink._take_numbered,
    (True, FrameType.RR): HdlcSecondaryLink._take_numbered,
    (True, FrameType.RNR): HdlcSecondaryLink._take_numbered,
}
"""By whether the connection stands, and the type of the frame; UI stands apart."""
