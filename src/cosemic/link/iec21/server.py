"""The meter's side of IEC 62056-21, modes A to E, sans-IO.

:class:`Iec21Server` has the contract of the house without ``send``: it answers. In mode D it sends what :meth:`push`
gives it, and hears nothing.

============  ============================  ========================================================================
state         gets                          and then
============  ============================  ========================================================================
ASLEEP        NULs for long enough          IDLE; silence: ASLEEP again
IDLE          request with its address      identification. A, B: the read-out at once, OPEN. C, E: IDENTIFIED
IDENTIFIED    option select, option 0       the read-out at the rate selected: READ_OUT
              option 1                      P0 at the rate selected: PROGRAMMING
              ``2 Z 2``                     the same message, then HANDED_OVER (mode E)
              nothing, or anything else     the read-out at 300 baud: READ_OUT
READ_OUT      ACK, or silence               IDLE. NAK: the read-out again
OPEN          a command                     as in PROGRAMMING; silence: IDLE (programming in modes A and B, unsure)
PROGRAMMING   a command                     its answer; NAK where it is damaged. B0, B1: IDLE
              ACK, NAK                      the next partial block, the last message again
              silence                       B0, then IDLE
HANDED_OVER   :meth:`resume`                IDLE; octets go to somebody else
============  ============================  ========================================================================

Whatever the state, a request begins a new session where it can be read: its sender knows nothing of an old one. IDLE is
always at 300 baud. The rate selected may be lower than the one offered.

What the commands do is :mod:`cosemic.link.iec21.commands`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from cosemic.errors import ConfigurationError, CosemicError, ProtocolError, ResponseTimeout
from cosemic.link.contract import Octets
from cosemic.link.iec21 import provider as p
from cosemic.link.iec21 import settings as s
from cosemic.link.iec21.characters import ACK, MODE_B_RATES, MODE_D_LINE, NAK, SOH, line_at
from cosemic.link.iec21.commands import CommandServer
from cosemic.link.iec21.datasets import DataSet, data_block
from cosemic.link.iec21.line import HalfDuplexLine, Quiet
from cosemic.link.iec21.messages import Command, DataMessage, Mode, OptionSelect, Request, Signal
from cosemic.link.iec21.reader import Damaged, Expected
from cosemic.link.iec21.session import Session
from cosemic.values import OPTICAL, LineSettings

WAKING: Final = {s.WakeUp.NORMAL: 2.0, s.WakeUp.FAST: 0.4}
"""Seconds of NULs after which a meter is awake; a reader sends some more."""
FAST_WAKE_UP_ANSWER: Final = Quiet(0.04, 0.2)
"""Between the NULs and the ACK."""
LONGEST_COMMAND: Final = 60.0
"""Seconds."""
_SIGN_OFFS: Final = ("B0", "B1")


class State(Enum):
    """As in the table of this module."""

    ASLEEP = auto()
    IDLE = auto()
    IDENTIFIED = auto()
    READ_OUT = auto()
    OPEN = auto()
    PROGRAMMING = auto()
    HANDED_OVER = auto()
    PUSHING = auto()


@dataclass(frozen=True, slots=True)
class SessionBegan:
    """A reader was identified, and selected something; in modes A and B the read-out goes out of itself."""

    mode: Mode
    programming: bool = False


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The line is HDLC's from now on, with these settings (mode E)."""

    line: LineSettings


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The meter is idle again. error: why, where the reader did not end it in order."""

    error: CosemicError | None = None


Event: TypeAlias = SessionBegan | HandedOver | SessionEnded


class Iec21Server(Session[State, Event]):
    """A meter.

    provider: its data. settings: its identification, which tells the mode, and times. line: how the port is set; None:
    not known, so that it is set at first.
    """

    def __init__(
        self, provider: p.DataProvider, settings: s.ServerSettings | None = None, *, line: LineSettings | None = None
    ) -> None:
        self.settings = settings = settings or s.ServerSettings()
        self.provider = provider
        super().__init__(
            State.IDLE,
            HalfDuplexLine(line, echo=settings.echo),
            inter_character_timeout=settings.inter_character_timeout,
            longest_message=LONGEST_COMMAND,
            max_octets=settings.max_octets,
        )
        self._sent = b""
        self._blocks: list[bytes] = []
        self._commands: CommandServer | None = None
        self._repeats = self._nuls = 0
        self.line.put(MODE_D_LINE if settings.mode_d else OPTICAL)
        if settings.mode_d:
            self._go(State.PUSHING)
        elif settings.wake_up is not s.WakeUp.NONE:
            self._go(State.ASLEEP)
        else:
            self._go(State.IDLE)

    @property
    def mode(self) -> Mode:
        """What the identification and the settings say."""
        identification = self.settings.identification
        if self.settings.mode_d:
            return Mode.D
        if identification.baud in self.settings.rates:
            return Mode.E if identification.offers_mode_e else Mode.C
        return identification.mode

    def receive(self, octets: Octets, now: float) -> list[Event]:
        """Take octets of the line, cut anywhere."""
        others = bytes(octets)
        if self.state is State.ASLEEP:
            count = self._count_nuls(others)
            super().receive(others[:count], now)
            if not self._awake:
                return []
            others = others[count:]
            self._wake()
        return super().receive(others, now) if others else []

    def push(self, datasets: Iterable[DataSet] | None = None) -> None:
        """Send a telegram of mode D: these data sets, or the provider's. Raises ConfigurationError in other modes."""
        if self.state is not State.PUSHING:
            raise ConfigurationError("a meter sends of its own accord in mode D only: set mode_d")
        block = data_block(self.provider.readout(0) if datasets is None else datasets)
        self.line.put(self.settings.identification.encode() + b"\r\n" + block)

    def resume(self) -> None:
        """Take the line back after mode E: it goes to 300 baud. Without effect in other states."""
        if self.state is State.HANDED_OVER:
            self._end()

    def hold(self) -> None:
        """Leave the line to HDLC without limit: somebody is connected."""
        if self.state is State.HANDED_OVER:
            self._go(State.HANDED_OVER)

    def rest(self) -> bytes:
        """Return what came behind the message that handed the line over."""
        return self._reader.rest()

    # ---- sign-on ----------------------------------------------------------------------------------------------------

    @property
    def _awake(self) -> bool:
        """Whether the NULs that came one after the other are enough."""
        return OPTICAL.seconds(self._nuls) >= WAKING[self.settings.wake_up]

    def _count_nuls(self, octets: bytes) -> int:
        """Count NULs until they are enough; return how many octets that took."""
        for number, octet in enumerate(octets, 1):
            self._nuls = 0 if octet else self._nuls + 1
            if self._awake:
                return number
        return len(octets)

    def _wake(self) -> None:
        self._nuls = 0
        if self.settings.wake_up is s.WakeUp.FAST:
            self.line.put(FAST_WAKE_UP_ANSWER, Signal.ACK.encode())
        self._idle()

    def _asleep(self) -> list[Event]:
        self._go(State.ASLEEP)
        return []

    def _asked(self, message: Request) -> list[Event]:
        stood = self.state not in (State.IDLE, State.IDENTIFIED)
        events: list[Event] = self._end(ProtocolError("a reader signs on again")) if stood else []
        settings = self.settings
        if not message.concerns(settings.address):
            self._idle()
            return events
        self._repeats = 0
        self.line.put(settings.reaction, settings.identification.encode())
        mode = self.mode
        if mode in (Mode.C, Mode.E):
            self._go(State.IDENTIFIED, settings.acknowledgement_timeout)
            return events
        line = line_at(MODE_B_RATES[settings.identification.baud]) if mode is Mode.B else OPTICAL
        self._read_out(0, line, State.OPEN, framed=settings.framed)
        return [*events, SessionBegan(mode)]

    def _selected(self, message: OptionSelect) -> list[Event]:
        settings = self.settings
        rate = settings.rates.get(message.baud)
        if rate is None or rate > settings.rates[settings.identification.baud]:
            return []
        line = line_at(rate)
        if (message.protocol, message.option) == (2, 2):
            return self._hand_over(message, line) if self.mode is Mode.E else []
        if message.option == 1:
            return self._enter(line)
        if message.option == 0 or message.option > 5:
            self._read_out(message.option, line, State.READ_OUT)
            return [SessionBegan(Mode.C)]
        return []

    def _not_selected(self) -> list[Event]:
        self._read_out(0, OPTICAL, State.READ_OUT)
        return [SessionBegan(Mode.C)]

    def _hand_over(self, message: OptionSelect, line: LineSettings) -> list[Event]:
        confirmation = self.settings.confirmation
        if confirmation is s.Confirmation.AT_SIGN_ON_RATE:
            self.line.put(self.settings.reaction, message.encode())
        elif confirmation is s.Confirmation.AT_NEW_RATE:
            self.line.put(line, self.settings.reaction, message.encode())
        hdlc = LineSettings(line.baud)
        self.line.put(hdlc)
        self._go(State.HANDED_OVER, self.settings.silence)
        return [SessionBegan(Mode.E), HandedOver(hdlc)]

    # ---- read-out ---------------------------------------------------------------------------------------------------

    def _read_out(self, option: int, line: LineSettings, state: State, *, framed: bool = True) -> None:
        text = data_block(self.provider.readout(option))
        self._sent = DataMessage(text).encode() if framed else text
        self.line.put(line, self.settings.reaction, self._sent)
        self._go(state, self.settings.acknowledgement_timeout)

    def _taken(self, signal: Signal) -> list[Event]:
        return self._end() if signal is Signal.ACK else self._asked_again()

    def _not_taken(self) -> list[Event]:
        return self._end(None if self.state is State.OPEN else ResponseTimeout("the read-out was not acknowledged"))

    # ---- programming mode -------------------------------------------------------------------------------------------

    def _enter(self, line: LineSettings) -> list[Event]:
        self._commands = CommandServer(self.provider, self.settings)
        self.line.put(line)
        self._answer([Command("P0", DataSet("", (self._commands.operand,)).encode())])
        return [SessionBegan(Mode.C, programming=True)]

    def _command(self, message: Command) -> list[Event]:
        if message.command in _SIGN_OFFS:
            return self._signed_off(message)
        if message.command == "P0":
            return []  # the echo of the own one
        began: list[Event] = []
        if self._commands is None:
            self._commands = CommandServer(self.provider, self.settings)
            began.append(SessionBegan(self.mode, programming=True))
        try:
            self._answer(self._commands.serve(message))
        except ProtocolError as error:
            return [*began, *self._break_off(error)]
        return began

    def _answer(self, messages: Sequence[Command | DataMessage | Signal]) -> None:
        """Send the first message; the others when it is acknowledged."""
        first, *self._blocks = (message.encode() for message in messages)
        self._send(first)

    def _send(self, octets: bytes) -> None:
        self._sent = octets
        self._repeats = 0
        self.line.put(self.settings.reaction, octets)
        self._go(State.PROGRAMMING, self.settings.silence)

    def _acknowledged(self, signal: Signal) -> list[Event]:
        if signal is Signal.ACK:
            if self._blocks:
                self._send(self._blocks.pop(0))
            return []
        return self._asked_again()

    def _asked_again(self) -> list[Event]:
        """NAK: the message before, again."""
        if self._repeats >= self.settings.repeats:
            error = ProtocolError(f"the reader asks for the same message more than {self._repeats} times")
            return self._break_off(error) if self.state is State.PROGRAMMING else self._end(error)
        self._repeats += 1
        self.line.put(self.settings.reaction, self._sent)
        programming = self.state is State.PROGRAMMING
        self._go(self.state, self.settings.silence if programming else self.settings.acknowledgement_timeout)
        return []

    def _damaged(self, damaged: Damaged) -> list[Event]:
        """Ask for the message again.

        NAK is the last message then: a reader that answers it with NAK may not have understood it, so that what was
        sent before it must not be sent again.
        """
        if damaged.lead in (SOH, ACK, NAK):
            self._sent = Signal.NAK.encode()
            self.line.put(self.settings.reaction, self._sent)
        return []

    # ---- ends -------------------------------------------------------------------------------------------------------

    def _signed_off(self, message: Command) -> list[Event]:
        if message.command not in _SIGN_OFFS:
            return []
        if message.command == "B1" and self.settings.wake_up is s.WakeUp.FAST:
            self.line.put(self.settings.reaction, Signal.ACK.encode())
        return self._end()

    def _silent(self) -> list[Event]:
        return self._break_off(ResponseTimeout(f"no command for {self.settings.silence:g} s"))

    def _not_connected(self) -> list[Event]:
        return self._end(ResponseTimeout("nobody connects in mode E"))

    def _break_off(self, error: CosemicError) -> list[Event]:
        self.line.put(self.settings.reaction, Command("B0").encode())
        return self._end(error)

    def _end(self, error: CosemicError | None = None) -> list[Event]:
        self._blocks = []
        self._commands = None
        self.line.put(OPTICAL)
        self._idle()
        return [SessionEnded(error)]

    def _idle(self) -> None:
        self._go(State.IDLE, None if self.settings.wake_up is s.WakeUp.NONE else self.settings.awake)

    EXPECTED = {
        State.IDLE: Expected.LINE,
        State.IDENTIFIED: Expected.LINE | Expected.SELECT | Expected.COMMAND,
        State.READ_OUT: Expected.LINE | Expected.SIGNAL | Expected.COMMAND,
        State.OPEN: Expected.LINE | Expected.COMMAND,
        State.PROGRAMMING: Expected.LINE | Expected.SIGNAL | Expected.COMMAND,
    }
    TRANSITIONS = {
        **dict.fromkeys([(state, Request) for state in State], _asked),
        (State.IDENTIFIED, OptionSelect): _selected,
        (State.IDENTIFIED, Command): _signed_off,
        (State.READ_OUT, Signal): _taken,
        (State.READ_OUT, Command): _signed_off,
        (State.OPEN, Command): _command,
        (State.OPEN, Damaged): _damaged,
        (State.PROGRAMMING, Command): _command,
        (State.PROGRAMMING, Signal): _acknowledged,
        (State.PROGRAMMING, Damaged): _damaged,
    }
    TIMEOUTS = {
        State.IDLE: _asleep,
        State.IDENTIFIED: _not_selected,
        State.READ_OUT: _not_taken,
        State.OPEN: _not_taken,
        State.PROGRAMMING: _silent,
        State.HANDED_OVER: _not_connected,
    }
