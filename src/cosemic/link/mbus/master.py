"""The master of a wired M-Bus that reads one DLMS meter: a client's link (IEC 62056-7-3, EN 13757-2).

Only the master begins; each of its frames has one answer, or none::

    SND_NKE -> E5                       the link is reset: both frame counts begin anew
    SND_NKE to FD, SND_UD CI 52 -> E5   the meter with this secondary address is selected; its address is FD then
    SND_UD  -> E5                       a segment of a request, with FCB
    REQ_UD2 -> RSP_UD or E5             a segment of the answer, or nothing yet

============  ==================  ============  =====================  ==================================
state         sent                E5            RSP_UD                 no answer to the last repetition
============  ==================  ============  =====================  ==================================
IDLE
RESETTING     SND_NKE             IDLE, up      -                      IDLE, LinkFailed
DESELECTING   SND_NKE to FD       SELECTING     -                      SELECTING
SELECTING     SND_UD CI 52        IDLE, up      -                      IDLE, LinkFailed
SENDING       SND_UD              next segment, -                      IDLE, LinkDisconnected with error
                                  or POLLING
POLLING       REQ_UD2             PAUSING       joined; next segment,  IDLE, LinkDisconnected with error
                                                or IDLE
PAUSING       nothing             -             -                      (the pause is over:) POLLING
LEAVING       SND_NKE             IDLE, down    -                      IDLE, down
============  ==================  ============  =====================  ==================================

Anything else is passed over: frames of a primary station (an echo of our own), of other addresses, damaged ones, and
answers that come when none is waited for. A frame is repeated unchanged, FCB too, so that the meter can tell it from
the next one; FCB of SND_UD and of REQ_UD2 are counted each for themselves, beginning with 1, and change when the answer
has come (E5 to a REQ_UD2 brings nothing, so the next one is that one repeated).

After a request the meter is asked until an APDU is whole. RSP_UD without DLMS, like E5, says that nothing is ready:
the meter is asked again after ``poll_interval``, up to ``answer_timeout`` from the request; then the link falls silent
without an error, because some requests have no answer. A request that is sent meanwhile goes out first. ACD in an
RSP_UD is taken to say that another APDU waits (unsure: EN 13757-2 calls that data of class 1); it is asked for too.

``line`` is how the bus is set, the one behind a gateway too: each frame ends in bounded time, after
``(repetitions + 1) * (response_timeout + line.seconds(522))`` at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from cosemic.errors import (
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    CosemicError,
    DecodeError,
    ProtocolError,
    ResponseTimeout,
)
from cosemic.link.contract import ApduReceived, LinkConnected, LinkDisconnected, LinkEvent, LinkFailed, Octets
from cosemic.link.mbus.exchange import Answer, Exchange
from cosemic.link.mbus.frame import (
    ACD,
    ALL_ANSWER,
    BUS,
    FCB,
    FCV,
    MAX_ADDRESS,
    MAX_OCTETS,
    REQ_UD2,
    RSP_UD,
    SELECT,
    SELECTED,
    SND_NKE,
    SND_UD,
    MbusFrame,
    SingleCharacter,
    Telegram,
)
from cosemic.link.mbus.header import DeviceAddress, Header
from cosemic.link.mbus.sending import Sender
from cosemic.link.mbus.stream import MbusStreamReader
from cosemic.link.mbus.transport import (
    FROM_METER,
    MAX_PART,
    Reassembler,
    SapOrder,
    Segment,
    carries_dlms,
    decode_segment,
)
from cosemic.link.mbus.transport import MAX_OCTETS as MAX_APDU
from cosemic.values import LineSettings


class State(Enum):
    """Where the master is in its exchange."""

    IDLE = auto()
    RESETTING = auto()
    DESELECTING = auto()
    SELECTING = auto()
    SENDING = auto()
    POLLING = auto()
    PAUSING = auto()
    LEAVING = auto()


class MbusMasterLink:
    """A link to one meter, by its primary address (0 to 250; 254 where it is alone on the bus) or its secondary one.

    source, destination: SAPs of the client and of the logical device, used where ``send`` names none.
    header: None sends requests in segments, CI 00 to 1F; a short or long header sends each in one frame behind it
    (its access number is counted on). Answers are taken in every form.
    sap_order: of a meter's SAPs behind a header; where they fit the link's own only in the other order, that is taken.
    repetitions: of each frame. max_part: octets of an APDU in one segment, 1 to 250. Time-outs in seconds.

    Raises ConfigurationError for what cannot be meant.
    """

    def __init__(
        self,
        address: int | None = None,
        *,
        secondary: DeviceAddress | None = None,
        source: int | None = None,
        destination: int | None = None,
        header: Header | None = None,
        sap_order: SapOrder = SapOrder.SOURCE_FIRST,
        line: LineSettings = BUS,
        response_timeout: float = 0.5,
        repetitions: int = 2,
        poll_interval: float = 0.1,
        answer_timeout: float = 30.0,
        max_part: int = MAX_PART,
        max_apdu: int = MAX_APDU,
    ) -> None:
        if (address is None) == (secondary is None):
            raise ConfigurationError("a meter on M-Bus has a primary or a secondary address here: name one of them")
        if address is not None and not (0 <= address <= MAX_ADDRESS or address == ALL_ANSWER):
            raise ConfigurationError(f"M-Bus address {address} is not in 0..{MAX_ADDRESS}, nor {ALL_ANSWER}")
        if poll_interval <= 0 or answer_timeout <= 0:
            raise ConfigurationError("poll_interval and answer_timeout of an M-Bus link are above 0 s")
        self._address = SELECTED if address is None else address
        self._secondary = secondary
        self._sender = Sender(source, destination, max_part=max_part, from_meter=False, header=header)
        self._order = sap_order
        self._exchange = Exchange(line, response_timeout, repetitions)
        self._poll_interval = poll_interval
        self._answer_timeout = answer_timeout
        self._reader = MbusStreamReader()
        self._reassembler = Reassembler(max_octets=max_apdu, repetitions=True)
        self._state = State.IDLE
        self._connected = self._failed = False
        self._repeated = False
        self._requests: deque[deque[Segment]] = deque()
        self._give_up = 0.0
        self._send_fcb = self._request_fcb = FCB

    # ---- the contract ------------------------------------------------------------------------------------------------

    @property
    def connection_oriented(self) -> bool:
        """Return True: the meter's link is reset, or the meter selected, first."""
        return True

    @property
    def connected(self) -> bool:
        """Whether the meter has acknowledged the reset, or the selection, and has answered since."""
        return self._connected

    def connect(self) -> None:
        """Reset the link to the meter, or select it; without effect where that is done or under way.

        Raises ConnectionFailed where the link has failed.
        """
        if self._failed:
            raise ConnectionFailed("this M-Bus link has failed: make a new one to try again")
        if self._connected or self._state is not State.IDLE:
            return
        self._reassembler.reset()
        # Any meter that was selected answers SND_NKE to FD, or several at once: what comes, or nothing, says nothing.
        primary = self._secondary is None
        state = State.RESETTING if primary else State.DESELECTING
        self._transmit(state, MbusFrame(SND_NKE, self._address), repeated=primary)

    def disconnect(self) -> None:
        """Reset the link once more, so that the meter forgets what it keeps for us (FD: and is selected no more)."""
        if self._connected and self._state is not State.LEAVING:
            self._requests.clear()
            self._transmit(State.LEAVING, MbusFrame(SND_NKE, self._address))

    def line_to_set(self) -> LineSettings | None:
        """Return None: the port is set to the bus when it is opened."""
        return None

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Take a request; it goes out when the one before it has its answer.

        Raises EncodeError where the APDU does not fit its form or a SAP is missing or no octet, ConnectionLost where
        the link is not connected.
        """
        if not self._connected or self._state is State.LEAVING:
            raise ConnectionLost("the M-Bus link is not connected: connect it first")
        self._requests.append(self._sender.segments(apdu, source, destination))
        if self._state in (State.IDLE, State.PAUSING):
            self._send_segment()

    def poll(self) -> None:
        """Ask an idle meter once whether it has something, such as an event; without effect while an exchange runs."""
        if self._connected and self._state is State.IDLE:
            self._give_up = 0.0
            self._request_data()

    def octets_to_send(self) -> bytes:
        """Return the frame that is due."""
        return self._exchange.hand_out()

    def deadline(self) -> float | None:
        """Return when the answer is overdue, or the pause over."""
        return self._exchange.deadline

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the bus, cut anywhere."""
        if self._failed or self._exchange.due():
            return []
        events: list[LinkEvent] = []
        self._exchange.arm(now)
        for telegram in self._reader.receive(octets):
            answer = self._answer_of(telegram)
            if answer is not None:
                self._step(answer, telegram if isinstance(telegram, MbusFrame) else None, now, events)
            if self._exchange.due():
                break  # nothing that came already can be the answer to what has yet to be sent
        return events

    def tick(self, now: float) -> list[LinkEvent]:
        """Repeat the frame whose answer is overdue, or go on after a pause."""
        if self._failed:
            return []
        events: list[LinkEvent] = []
        self._exchange.arm(now)
        if self._exchange.overdue(now):
            self._reader.reset()
            if not self._exchange.repeat(now):
                self._step(Answer.NONE, None, now, events)
        return events

    # ---- what comes --------------------------------------------------------------------------------------------------

    def _answer_of(self, telegram: Telegram) -> Answer | None:
        if isinstance(telegram, SingleCharacter):
            return Answer.ACKNOWLEDGED
        if telegram.short or telegram.from_primary or telegram.function != RSP_UD:
            return None
        # A meter that was called by FD or FE answers with its primary address.
        return Answer.RESPONSE if self._address in (telegram.a, SELECTED, ALL_ANSWER) else None

    def _step(self, answer: Answer, frame: MbusFrame | None, now: float, events: list[LinkEvent]) -> None:
        transition = TRANSITIONS.get((self._state, answer))
        if transition is not None:
            transition(self, frame, now, events)
            self._exchange.arm(now)

    def _reset_acknowledged(self, frame: MbusFrame | None, now: float, events: list[LinkEvent]) -> None:
        self._rest()
        self._connected = True
        self._send_fcb = self._request_fcb = FCB
        events.append(LinkConnected(*self._event_saps()))

    def _deselected(self, frame: MbusFrame | None, now: float, events: list[LinkEvent]) -> None:
        assert self._secondary is not None
        self._transmit(State.SELECTING, MbusFrame(SND_UD | FCV, SELECTED, SELECT, self._secondary.encode()))

    def _unreachable(self, frame: MbusFrame | None, now: float, events: list[LinkEvent]) -> None:
        self._rest()
        self._failed = True
        who = f"at address {self._address}" if self._secondary is None else f"that is {self._secondary}"
        hint = "check the address, the baud rate of the bus, and its wiring"
        error = ResponseTimeout(f"no meter on the M-Bus {who} answers {self._exchange.calls} calls: {hint}")
        events.append(LinkFailed(error))

    def _acknowledged(self, frame: MbusFrame | None, now: float, events: list[LinkEvent]) -> None:
        self._send_fcb ^= FCB
        self._requests[0].popleft()
        if not self._requests[0]:
            self._requests.popleft()
            self._give_up = now + self._answer_timeout
        self._go_on(waiting=True)

    def _nothing_yet(self, frame: MbusFrame | None, now: float, events: list[LinkEvent]) -> None:
        if self._requests and not self._reassembler.pending:
            self._send_segment()
        elif now >= self._give_up and self._reassembler.pending:
            self._lose(ResponseTimeout("the rest of an M-Bus answer does not come"), events)
        elif now >= self._give_up:
            self._rest()
        else:
            self._state = State.PAUSING
            self._exchange.pause(now + self._poll_interval)

    def _pause_over(self, frame: MbusFrame | None, now: float, events: list[LinkEvent]) -> None:
        self._request_data()

    def _answered(self, frame: MbusFrame | None, now: float, events: list[LinkEvent]) -> None:
        assert frame is not None
        self._request_fcb ^= FCB
        if not carries_dlms(frame.ci):
            self._nothing_yet(frame, now, events)
            return
        joined, dropped = self._reassembler.octets, self._reassembler.dropped
        try:
            message = self._reassembler.receive(self._segment_of(frame))
        except DecodeError as error:
            self._lose(error, events)
            return
        if message is not None:
            events.append(ApduReceived(message.part, message.source, message.destination))
            self._go_on(waiting=bool(frame.c & ACD) and now < self._give_up)
        elif self._reassembler.dropped > dropped:
            self._lose(ProtocolError("segments of an M-Bus answer are missing, or it is too long"), events)
        elif self._reassembler.octets > joined:
            self._give_up = now + self._answer_timeout
            self._repeated = False
            self._request_data()
        else:
            # The segment before once more is a late answer to that question, not to this one; twice, it is to this.
            self._repeated = self._reassembler.pending and not self._repeated
            self._request_fcb ^= FCB if self._repeated else 0
            self._nothing_yet(frame, now, events)

    def _unanswered(self, frame: MbusFrame | None, now: float, events: list[LinkEvent]) -> None:
        what = f"the meter at M-Bus address {self._address} left {self._exchange.calls} calls unanswered"
        self._lose(ResponseTimeout(what), events)

    def _left_behind(self, frame: MbusFrame | None, now: float, events: list[LinkEvent]) -> None:
        self._rest()
        self._connected = False
        events.append(LinkDisconnected(*self._event_saps()))

    # ---- what is sent ------------------------------------------------------------------------------------------------

    def _go_on(self, *, waiting: bool) -> None:
        """Send the next request; without one ask on, or rest."""
        if self._requests:
            self._send_segment()
        elif waiting:
            self._request_data()
        else:
            self._rest()

    def _send_segment(self) -> None:
        segment = self._requests[0][0]
        frame = MbusFrame(SND_UD | FCV | self._send_fcb, self._address, segment.ci, segment.encode())
        self._reassembler.reset()
        self._transmit(State.SENDING, frame)

    def _request_data(self) -> None:
        frame = MbusFrame(REQ_UD2 | FCV | self._request_fcb, self._address)
        self._transmit(State.POLLING, frame, longest=MAX_OCTETS)

    def _transmit(self, state: State, frame: MbusFrame, *, longest: int = 1, repeated: bool = True) -> None:
        self._state = state
        self._reader.reset()
        self._exchange.begin(frame.encode(), longest=longest, repeated=repeated)

    def _rest(self) -> None:
        self._state = State.IDLE
        self._exchange.end()

    def _lose(self, error: CosemicError, events: list[LinkEvent]) -> None:
        self._rest()
        self._connected = False
        self._requests.clear()
        events.append(LinkDisconnected(*self._event_saps(), error))

    def _segment_of(self, frame: MbusFrame) -> Segment:
        assert frame.ci is not None
        segment = decode_segment(frame.ci, frame.user_data, self._order)
        swapped = (segment.source, segment.destination) == (self._sender.source, self._sender.destination)
        return segment.swapped() if swapped and frame.ci in FROM_METER else segment

    def _event_saps(self) -> tuple[int, int]:
        return self._sender.destination or 0, self._sender.source or 0


_Transition = Callable[[MbusMasterLink, "MbusFrame | None", float, "list[LinkEvent]"], None]

TRANSITIONS: Final[dict[tuple[State, Answer], _Transition]] = {
    (State.RESETTING, Answer.ACKNOWLEDGED): MbusMasterLink._reset_acknowledged,
    (State.RESETTING, Answer.NONE): MbusMasterLink._unreachable,
    (State.DESELECTING, Answer.ACKNOWLEDGED): MbusMasterLink._deselected,
    (State.DESELECTING, Answer.NONE): MbusMasterLink._deselected,
    (State.SELECTING, Answer.ACKNOWLEDGED): MbusMasterLink._reset_acknowledged,
    (State.SELECTING, Answer.NONE): MbusMasterLink._unreachable,
    (State.SENDING, Answer.ACKNOWLEDGED): MbusMasterLink._acknowledged,
    (State.SENDING, Answer.NONE): MbusMasterLink._unanswered,
    (State.POLLING, Answer.ACKNOWLEDGED): MbusMasterLink._nothing_yet,
    (State.POLLING, Answer.RESPONSE): MbusMasterLink._answered,
    (State.POLLING, Answer.NONE): MbusMasterLink._unanswered,
    (State.PAUSING, Answer.NONE): MbusMasterLink._pause_over,
    (State.LEAVING, Answer.ACKNOWLEDGED): MbusMasterLink._left_behind,
    (State.LEAVING, Answer.NONE): MbusMasterLink._left_behind,
}
"""The table at the top of this module."""
