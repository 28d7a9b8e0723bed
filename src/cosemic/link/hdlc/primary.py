"""The primary station of HDLC in normal response mode: the client's side of one data link connection (IEC 62056-46).

Two-way alternate: the secondary sends only after a frame with P = 1, and ends with one with F = 1. ::

    DISCONNECTED --- connect: SNRM ---> CONNECTING --- UA ---> HOLDING the turn <--- F = 1 --- AWAITING
         ^                                                        |     |--- I.. or RR, P = 1 --->|
         |------- UA, DM --- DISCONNECTING <--- disconnect: DISC--|

==============  =================  ===================  ======================  ======================================
state           UA                 DM, FRMR             I, RR, RNR              response time-out
==============  =================  ===================  ======================  ======================================
DISCONNECTED    -                  -                    -                       (none)
CONNECTING      agreed: HOLDING    SNRM again (1)       -                       SNRM again (1)
HOLDING         -                  lost: DISCONNECTED   taken                   (none)
AWAITING        -                  lost: DISCONNECTED   taken, F = 1: HOLDING   HOLDING, the same or RR is sent (2)
DISCONNECTING   DISCONNECTED       DISCONNECTED         -                       DISC again (1)
FAILED          -                  -                    -                       (none)
==============  =================  ===================  ======================  ======================================

(1) at most ``repeats`` times; then CONNECTING ends in FAILED, DISCONNECTING in DISCONNECTED. (2) as
:mod:`~cosemic.link.hdlc.turn` says, which also has what is done with the turn. UI frames are given in every state, and
sent while the turn is held or there is no connection.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, auto
from typing import Final, TypeAlias

from cosemic.errors import (
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    CosemicError,
    EncodeError,
    ProtocolError,
)
from cosemic.link.contract import UNARMED, ApduReceived, LinkConnected, LinkDisconnected, LinkEvent, LinkFailed, Octets
from cosemic.link.hdlc.addresses import same_device, same_station, written
from cosemic.link.hdlc.fields import DEFAULT_MAX_INFO, LLC_REQUEST, LLC_RESPONSE, reject_reasons
from cosemic.link.hdlc.frame import Control, HdlcAddress, HdlcFrame
from cosemic.link.hdlc.line import POLL, FrameLine
from cosemic.link.hdlc.negotiation import Agreement, agreed_by_client, offered
from cosemic.link.hdlc.numbered import NumberedTransfer, segments
from cosemic.link.hdlc.reassembly import HdlcReassembler, is_whole
from cosemic.link.hdlc.response_timer import ResponseTimer
from cosemic.link.hdlc.settings import MAX_APDU, HdlcSettings
from cosemic.link.hdlc.turn import Turn
from cosemic.values import LineSettings
from cosemic.values.enumerations import FrameType


class State(IntEnum):
    """Of the primary station."""

    DISCONNECTED = auto()
    CONNECTING = auto()
    HOLDING = auto()
    AWAITING = auto()
    DISCONNECTING = auto()
    FAILED = auto()


# What every round trip asks is looked up once: members of an enumeration are dear to reach through their class.
_DISCONNECTED, _CONNECTING, _HOLDING, _AWAITING, _DISCONNECTING, _FAILED = State
_CONNECTED: Final = (_HOLDING, _AWAITING)
_WAITING: Final = (_AWAITING, _CONNECTING, _DISCONNECTING)
_UI_FRAME: Final = FrameType.UI
_new = tuple.__new__
_UI: Final = Control(FrameType.UI, pf=0)
_MOST_OPEN: Final = 4
"""Messages in UI frames that are joined at a time."""


class HdlcPrimaryLink:
    """One data link connection of a client.

    client: its SAP (1..127; 16 is the public client). server: the address of the meter; its upper part is the SAP of
    the logical device. Answers in another length of this address are taken. settings: see
    :class:`~cosemic.link.hdlc.settings.HdlcSettings`. max_apdu: the longest APDU that is joined from segments, in
    octets; it bounds the memory held.

    Raises ConfigurationError for a client SAP that is none.
    """

    def __init__(
        self, client: int, server: HdlcAddress, settings: HdlcSettings | None = None, *, max_apdu: int = MAX_APDU
    ) -> None:
        if not 1 <= client <= 0x7F:
            raise ConfigurationError(f"client SAP {client} is not in 1..127: its HDLC address has one octet")
        self.settings = settings or HdlcSettings()
        self.agreement = Agreement()
        """What was negotiated for the present connection, or the last one."""
        self._client = HdlcAddress(client)
        self._server = server
        self.all_station = server.all_station
        """The SAP of all stations: 7F, or 3FFF where the server address has four octets."""
        self._max_apdu = max_apdu
        self._state = _DISCONNECTED
        self._line = FrameLine(self.settings.inter_octet_timeout, frozenset((FrameType.SNRM, FrameType.DISC)))
        self._messages = HdlcReassembler(max_octets=2 * max_apdu, max_open=_MOST_OPEN)
        self._broadcasts: list[bytes] = []
        self._turn = self._new_turn()
        self._timer = ResponseTimer(self.settings)
        self._repeats = 0
        self._refused_with = ""
        self._ending = False

    # ---- the contract -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """State of the station."""
        return self._state

    @property
    def connection_oriented(self) -> bool:
        """Return True: APDUs go over a data link connection."""
        return True

    @property
    def connected(self) -> bool:
        """Whether the data link connection stands."""
        return self._state in _CONNECTED and not self._ending

    def connect(self) -> None:
        """Send SNRM; LinkConnected or LinkFailed tells the end. Raises ConnectionFailed where the link has failed."""
        if self._state is _FAILED:
            raise ConnectionFailed("this HDLC link has failed: make a new one to try again")
        if self._state is _DISCONNECTED:
            self._command(_CONNECTING)

    def disconnect(self) -> None:
        """Send DISC as soon as the turn is here, at the latest after one response time-out."""
        self._ending = self._state in _CONNECTED or self._state is _CONNECTING

    def line_to_set(self) -> LineSettings | None:
        """Return None: no port is changed."""
        return None

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Take an APDU to the peer in I frames; or, to ALL_STATION, to all in UI frames, which nobody answers.

        ALL_STATION is 7F, or 3FFF where the server address has four octets. Raises EncodeError for other SAPs than
        those of this connection, ConnectionLost where it does not stand.
        """
        client, server = self._client.upper, self._server.upper
        if source != client and source is not None:
            raise EncodeError(f"source SAP {source} on an HDLC connection of client SAP {client}: make a link for each")
        if destination == self.all_station:
            self._broadcasts.append(apdu)
            return
        if destination != server and destination is not None:
            raise EncodeError(f"SAP {destination} on an HDLC connection to SAP {server}: make a link for each")
        if not self.connected:
            raise ConnectionLost("there is no HDLC connection: call connect() and wait for LinkConnected")
        self._turn.put(apdu)

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the stream, cut and disturbed anywhere."""
        if self._state is _FAILED:
            return []
        events: list[LinkEvent] = []
        if self._timer.deadline == UNARMED:
            self._timer.arm(now)
        for frame in self._line.receive(octets, now):
            self._take(frame, now, events)
        if self._line.receiving:
            self._timer.hear(len(octets), self.agreement, now)
        return events

    def octets_to_send(self) -> bytes:
        """Return the frames that are due, end to end."""
        if self._state is _HOLDING and self._ending:
            self._command(_DISCONNECTING)
        elif self._state is _HOLDING:
            self._use_turn()
        elif self._broadcasts and self._state is _DISCONNECTED:
            self._send_broadcasts()
        octets = self._line.octets_to_send()
        if octets and self._state in _WAITING:
            self._timer.start(len(octets))
        return octets

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        if self._state is _FAILED:
            return None
        first = self._timer.deadline
        for at in (self._turn.poll_at, self._line.deadline()):
            if at is not None and (first is None or at < first):
                first = at
        return first

    def tick(self, now: float) -> list[LinkEvent]:
        """Start the response time-out of what was handed out, or let a time-out run out."""
        if self._state is _FAILED:
            return []
        events: list[LinkEvent] = []
        for frame in self._line.tick(now):
            self._take(frame, now, events)
        if self._timer.deadline == UNARMED:
            self._timer.arm(now)
        elif self._timer.has_run_out(now):
            self._timed_out(now, events)
        self._turn.tick(now)
        return events

    # ---- beside the contract ----------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Give the turn to the peer for what it may hold back, such as an event notification.

        It is an RR on a connection, otherwise an empty UI frame with P = 1 (Trigger_EventNotification_Sending).
        """
        if self._state in _CONNECTED:
            self._turn.poll()
        elif self._state is _DISCONNECTED:
            self._line.put(self._server, self._client, Control(FrameType.UI, pf=POLL))

    # ---- own frames -------------------------------------------------------------------------------------------------

    def _new_turn(self) -> Turn:
        room = self.settings.room(self.agreement.max_info_tx, self._server, self._client)
        return Turn(NumberedTransfer(LLC_REQUEST, room, self.agreement, self._max_apdu), self.settings)

    def _command(self, state: State) -> None:
        """Go into a state that begins with a command, and send it."""
        self._enter(state)
        self._refused_with = ""
        self._send_command()

    def _enter(self, state: State) -> None:
        """Go into a state in which nothing of an earlier connection is left."""
        self._state = state
        self._turn = self._new_turn()
        self._timer.stop()
        self._repeats = 0
        self._ending = False

    def _send_command(self) -> None:
        self._timer.stop()
        if self._state is _CONNECTING:
            information = offered(Agreement.of(self.settings))
            self._line.put(self._server, self._client, Control(FrameType.SNRM), information)
        else:
            self._line.put(self._server, self._client, Control(FrameType.DISC))

    def _use_turn(self) -> None:
        if self._broadcasts:
            self._send_broadcasts()
        frames = self._turn.use()
        for frame in frames:
            self._line.put(self._server, self._client, *frame)
        if frames:
            self._state = _AWAITING

    def _send_broadcasts(self) -> None:
        """Send what is for all, in segments that every station can take."""
        lower = None if self._server.lower is None else self.all_station
        address = HdlcAddress(self.all_station, lower, self._server.size)
        room = self.settings.room(min(DEFAULT_MAX_INFO, self.settings.max_info_transmit), address, self._client)
        for apdu in self._broadcasts:
            for segment in segments(LLC_REQUEST + apdu, room):
                self._line.put(address, self._client, _UI, *segment)
        self._broadcasts.clear()

    # ---- time -------------------------------------------------------------------------------------------------------

    def _timed_out(self, now: float, events: list[LinkEvent]) -> None:
        for frame in self._line.give_up():
            self._take(frame, now, events)
        if not self._timer.has_run_out(now):
            return
        if self._ending:
            self._command(_DISCONNECTING)
        elif self._state is _AWAITING:
            self._take_turn(self._turn.timed_out(), events)
        else:
            self._command_again(events)

    def _command_again(self, events: list[LinkEvent]) -> None:
        self._repeats += 1
        if self._repeats <= self.settings.repeats:
            self._send_command()
        elif self._state is _DISCONNECTING:
            self._disconnected(None, events)
        else:
            self._fail(events)

    # ---- frames of the peer -----------------------------------------------------------------------------------------

    def _take(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        if frame.control.type is _UI_FRAME:
            self._take_unnumbered(frame, now, events)
            return
        take = _TAKEN.get((self._state, frame.control.type))
        mine = frame.destination.octets == self._client.octets and same_station(frame.source, self._server)
        if take is not None and mine:
            take(self, frame, now, events)

    def _take_unnumbered(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        destination = frame.destination
        if destination.upper not in (self._client.upper, destination.all_station):
            return
        if not same_device(frame.source, self._server):
            return
        message = self._messages.receive(frame)
        if message is not None and is_whole(message, LLC_RESPONSE):
            events.append(ApduReceived(message.octets, frame.source.upper, destination.upper))
        self._go_on(frame, now, events)

    def _agree(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        if self._ending:
            self._command(_DISCONNECTING)
            return
        self.agreement = agreed_by_client(Agreement.of(self.settings), frame.information)
        self._enter(_HOLDING)
        events.append(LinkConnected(self._server.upper, self._client.upper))

    def _refuse(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        """DM and FRMR may still answer to a frame of an earlier connection: SNRM once more."""
        self._refused_with = frame.control.type.label
        if self._ending:
            self._disconnected(None, events)
        else:
            self._command_again(events)

    def _leave(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        why = "after its inactivity time-out, or a restart"
        error: CosemicError = ConnectionLost(f"the meter has left the HDLC connection (DM), {why}: connect again")
        # DM to frames that were sent for the first time: had they been taken, RR or an answer had come.
        refused = self._turn.fresh
        if frame.control.type is FrameType.FRMR:
            reasons, refused = reject_reasons(frame.information), False
            error = ProtocolError(f"the meter rejects a frame (FRMR: {reasons}): connect again")
        self._disconnected(None if self._ending else error, events, refused=refused)

    def _end(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        self._disconnected(None, events)

    def _take_numbered(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        try:
            counts, apdu = self._turn.take(frame)
        except ProtocolError as error:
            self._disconnected(error, events)
            return
        if apdu:
            events.append(_new(ApduReceived, (apdu, self._server.upper, self._client.upper)))
        if counts:
            self._go_on(frame, now, events)

    def _go_on(self, frame: HdlcFrame, now: float, events: list[LinkEvent]) -> None:
        """Where the secondary has the turn: wait for its next frame, or take the turn."""
        if self._state is not _AWAITING:
            return
        if frame.control.pf:
            self._take_turn(self._turn.came(now), events)
        else:
            self._timer.go_on(now)

    def _take_turn(self, error: CosemicError | None, events: list[LinkEvent]) -> None:
        self._state = _HOLDING
        self._timer.stop()
        if error is not None:
            self._disconnected(None if self._ending else error, events)

    # ---- the end ----------------------------------------------------------------------------------------------------

    def _disconnected(self, error: CosemicError | None, events: list[LinkEvent], *, refused: bool = False) -> None:
        self._enter(_DISCONNECTED)
        events.append(LinkDisconnected(self._server.upper, self._client.upper, error, refused))

    def _fail(self, events: list[LinkEvent]) -> None:
        tried = f"SNRM sent {self.settings.repeats + 1} times, {self.settings.response_timeout:g} s each"
        to = f"server {written(self._server)} from client SAP {self._client.upper}"
        if self._refused_with:
            what = f"the meter refuses an HDLC connection ({self._refused_with} to SNRM)"
            advice = "check the client SAP, and that nobody else is connected"
        else:
            what = f"no UA on {tried}"
            advice = "check the line, its speed, the server address and the client SAP"
        self._enter(_FAILED)
        events.append(LinkFailed(ConnectionFailed(f"{what}, to {to}: {advice}")))


_Taking: TypeAlias = Callable[[HdlcPrimaryLink, HdlcFrame, float, list[LinkEvent]], None]
_TAKEN: Final[dict[tuple[State, FrameType], _Taking]] = {
    (state, type_): take
    for states, types, take in (
        ({_CONNECTING}, {FrameType.UA}, HdlcPrimaryLink._agree),
        ({_CONNECTING}, {FrameType.DM, FrameType.FRMR}, HdlcPrimaryLink._refuse),
        (_CONNECTED, {FrameType.I, FrameType.RR, FrameType.RNR}, HdlcPrimaryLink._take_numbered),
        (_CONNECTED, {FrameType.DM, FrameType.FRMR}, HdlcPrimaryLink._leave),
        ({_DISCONNECTING}, {FrameType.UA, FrameType.DM, FrameType.FRMR}, HdlcPrimaryLink._end),
    )
    for state in states
    for type_ in types
}
