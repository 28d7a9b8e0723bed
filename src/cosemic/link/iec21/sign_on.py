"""The first half of a session of IEC 62056-21, as its reader goes through it: sign-on, read-out, and how it ends.

The state table is that of :mod:`cosemic.link.iec21.client`, which adds programming mode and mode E.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Final

from cosemic.errors import CosemicError, OutcomeUnknown, ProtocolError, ResponseTimeout
from cosemic.link.iec21 import messages as m
from cosemic.link.iec21 import settings as s
from cosemic.link.iec21.characters import MODE_B_RATES, MODE_D_LINE, line_at
from cosemic.link.iec21.datasets import DataSet
from cosemic.link.iec21.exchanges import Exchange
from cosemic.link.iec21.line import HalfDuplexLine, Quiet
from cosemic.link.iec21.messages import Command, DataMessage, Identification, Mode, OptionSelect, Signal
from cosemic.link.iec21.reader import Damaged, Expected
from cosemic.link.iec21.readout import Readout
from cosemic.link.iec21.requests import (
    Completed,
    DataReadout,
    EnterHdlc,
    EnterProgramming,
    Event,
    Execute,
    Failed,
    Listen,
    Request,
    SignedOff,
    SignedOn,
    Write,
)
from cosemic.link.iec21.session import Session
from cosemic.values import OPTICAL, LineSettings

REST: Final = Quiet(2.5, 60.0)
"""Between a session and the next sign-on: longer than a meter waits for any acknowledgement."""
SETTLED: Final = Quiet(1.6, 60.0)
"""Before a sign-off that nobody expects: an answer that is under way has ended, or does not come any more."""
SIGN_ONS: Final = (DataReadout, EnterProgramming, EnterHdlc)
LOOK: Final = "see that the optical head sits right, and that the meter is awake and knows this mode"
NO_MODE_E: Final = "read it in mode C, or without sign-on over HDLC"


class State(Enum):
    """As in the table of this module."""

    IDLE = auto()
    WAKING = auto()
    SIGNING_ON = auto()
    READING_OUT = auto()
    ENTERING = auto()
    PROGRAMMING = auto()
    ANSWERING = auto()
    SIGNING_OFF = auto()
    CONFIRMING = auto()
    SWITCHING = auto()
    HANDED_OVER = auto()
    LISTENING = auto()


class SignOn(Session[State, Event]):
    """What a reader does until the meter is read out, or a session stands."""

    def __init__(self, settings: s.ClientSettings, line: LineSettings | None) -> None:
        self.settings = settings
        super().__init__(
            State.IDLE,
            HalfDuplexLine(line, echo=settings.echo),
            inter_character_timeout=settings.inter_character_timeout,
            longest_message=settings.longest_message,
            max_octets=settings.max_octets,
        )
        self.identification: Identification | None = None
        """Of the meter that answered last."""
        self.mode: Mode | None = None
        """That of the session."""
        self._reaction = s.REACTION
        self._request: Request | None = None
        self._exchange: Exchange | None = None
        self._sent = b""
        self._selected = OPTICAL
        self._attempts = self._repeats = self._strings = 0

    @property
    def busy(self) -> bool:
        """Whether a request is being served."""
        return self._request is not None

    # ---- sign-on ----------------------------------------------------------------------------------------------------

    def _sign_on(self) -> None:
        self._reader.reset()
        self.mode = None
        self._repeats = self._strings = 0
        self._reaction = s.REACTION
        self.line.put(OPTICAL, REST)
        if self.settings.wake_up is s.WakeUp.FAST:
            self._wake()
            return
        if self.settings.wake_up is s.WakeUp.NORMAL:
            self.line.put(s.WAKE_UP_NULS, s.WAKE_UP_PAUSE)
        self._ask()

    def _wake(self) -> list[Event]:
        if self._strings == s.FAST_WAKE_UP_STRINGS:
            return self._again(ResponseTimeout(f"no ACK to {self._strings} fast wake-up strings: {LOOK}"))
        self._strings += 1
        self.line.put(s.FAST_WAKE_UP_NULS)
        self._go(State.WAKING, s.FAST_WAKE_UP_WAIT)
        return []

    def _awake(self, signal: Signal) -> list[Event]:
        if signal is Signal.ACK:
            self.line.put(s.REACTION)
            self._ask()
        return []

    def _ask(self) -> None:
        self.line.put(m.Request(self.settings.address).encode())
        self._go(State.SIGNING_ON, self.settings.response_timeout)

    def _identified(self, message: Identification) -> list[Event]:
        self.identification = message
        self._reaction = s.FAST_REACTION if message.reacts_fast else s.REACTION
        rate = self.settings.rates.get(message.baud)
        if isinstance(self._request, EnterHdlc):
            if rate is None or (self.settings.insist_on_mode_e and not message.offers_mode_e):
                return self._fail(ProtocolError(f"the meter {message} does not offer mode E: {NO_MODE_E}"))
            return self._select(Mode.E, message.baud, rate)
        if rate is not None:
            return self._select(Mode.C, message.baud, rate)
        self.mode = message.mode
        if self.mode is Mode.B:
            self.line.put(line_at(MODE_B_RATES[message.baud]))
        self._go(State.READING_OUT, self.settings.response_timeout, Expected.DATA | Expected.TEXT)
        return []

    def _select(self, mode: Mode, baud: str, rate: int) -> list[Event]:
        """Send the option select message of modes C and E. A rate is that of the meter, or 300 baud."""
        self.mode = mode
        if rate > self.settings.most_baud:
            baud, rate = "0", OPTICAL.baud
        self._selected = line_at(rate)
        timeout = self.settings.response_timeout
        if mode is Mode.E:
            self.line.put(self._reaction, OptionSelect(2, baud, 2).encode())
            if self.settings.confirmation is s.Confirmation.AT_NEW_RATE:
                self.line.put(self._selected)
            none = self.settings.confirmation is s.Confirmation.NONE
            self._go(State.CONFIRMING, 0.0 if none else self.settings.confirmation_timeout)
            return []
        programming = isinstance(self._request, EnterProgramming)
        option = self._request.option if isinstance(self._request, DataReadout) else 1
        self.line.put(self._reaction, OptionSelect(0, baud, option).encode(), self._selected)
        self._go(State.ENTERING if programming else State.READING_OUT, timeout)
        return []

    # ---- read-out ---------------------------------------------------------------------------------------------------

    def _read_out(self, message: DataMessage) -> list[Event]:
        try:
            readout = Readout(str(self.identification), message.datasets)
        except CosemicError as error:
            return self._again(error)
        if self.state is State.LISTENING:
            return self._complete(State.IDLE, readout)
        if isinstance(self._request, EnterProgramming):
            return self._entered((), readout)
        acknowledgement = (self._reaction, Signal.ACK.encode()) if self.mode is Mode.C else ()
        self.line.put(*acknowledgement, OPTICAL)
        return self._complete(State.IDLE, readout)

    def _damaged_readout(self, damaged: Damaged) -> list[Event]:
        if self.mode is Mode.C:
            return self._ask_again(damaged)
        return self._again(ProtocolError("the read-out is damaged, and modes A and B know no repetition"))

    def _listen(self, request: Listen) -> None:
        self._reader.reset()
        self.mode = Mode.D
        self.line.put(MODE_D_LINE)
        self._go(State.LISTENING, request.seconds)

    def _heard(self, message: Identification) -> list[Event]:
        self.identification = message
        self._reader.expected = Expected.LINE | Expected.DATA | Expected.TEXT
        return []

    def _heard_damaged(self, _damaged: Damaged) -> list[Event]:
        self._reader.expected = Expected.LINE
        return []

    def _heard_nothing(self) -> list[Event]:
        return self._fail(ResponseTimeout("no meter was heard: is it in mode D, and does it send of its own accord?"))

    def _entered(self, operand: tuple[DataSet, ...], readout: Readout | None) -> list[Event]:
        assert self.identification is not None
        assert self.mode is not None
        line = self._selected if self.mode is Mode.C else self.line.settings or OPTICAL
        return self._complete(
            State.PROGRAMMING, SignedOn(self.identification, self.mode, line, operand, readout), self.settings.silence
        )

    # ---- ends -------------------------------------------------------------------------------------------------------

    def _ask_again(self, _damaged: Damaged) -> list[Event]:
        if self._repeats >= self.settings.repeats:
            error = ProtocolError(f"{self._repeats + 1} times the same message with a wrong BCC or no end: {LOOK}")
            return self._again(error) if isinstance(self._request, SIGN_ONS) else self._abandon(error)
        self._repeats += 1
        self._sent = Signal.NAK.encode()
        self.line.put(self._reaction, self._sent)
        self._go(self.state, self.settings.response_timeout)
        return []

    def _silence(self) -> list[Event]:
        return self._again(ResponseTimeout(f"the meter is silent in sign-on or read-out: {LOOK}"))

    def _again(self, error: CosemicError) -> list[Event]:
        """Begin the sign-on anew, as long as there are attempts left."""
        if self._attempts >= self.settings.attempts:
            return self._fail(error)
        self._attempts += 1
        if self.state is State.ENTERING:
            self.line.put(SETTLED, Command(self.settings.sign_off).encode())
        self._sign_on()
        return []

    def _complete(self, state: State, result: Any, wait: float | None = None) -> list[Event]:
        assert self._request is not None
        completed = Completed(self._request, result)
        self._forget()
        self._go(state, wait)
        return [completed]

    def _fail(self, error: CosemicError) -> list[Event]:
        assert self._request is not None
        failed = Failed(self._request, error)
        self._leave()
        return [failed]

    def _abandon(self, error: CosemicError, *, tell: bool = True) -> list[Event]:
        """End the session. tell: sign off; otherwise the meter has done so. A change may have been made or not."""
        events: list[Event] = []
        if (request := self._request) is not None:
            if isinstance(request, Write | Execute):
                wording = f"{error}; read back whether the change was made"
                events.append(Failed(request, OutcomeUnknown(wording, request.address)))
            else:
                events.append(Failed(request, error))
        self._leave(tell=tell)
        return [*events, SignedOff(error)]

    def _leave(self, *, tell: bool = True) -> None:
        """Let go of the session, whatever its state, and sign off where the meter may be in programming mode."""
        if tell and self.state in (State.ENTERING, State.PROGRAMMING, State.ANSWERING):
            self.line.put(SETTLED, Command(self.settings.sign_off).encode())
        self._end(MODE_D_LINE if self.state is State.LISTENING else OPTICAL)

    def _end(self, line: LineSettings) -> None:
        self._forget()
        self._reader.reset()
        self.line.put(line)
        self._go(State.IDLE)

    def _forget(self) -> None:
        if self._exchange is not None:
            self._exchange.close()
        self._request = self._exchange = None
