"""The reader's side of IEC 62056-21, modes A to E, sans-IO.

:class:`Iec21Client` has the one contract of the house: ``send`` takes a request of
:mod:`cosemic.link.iec21.requests`, ``receive`` and ``tick`` return its events, and ``line_to_set`` says when the port
changes its rate. One request is served at a time.

=============  =======================  ======================================================================
state          waits for                and then
=============  =======================  ======================================================================
IDLE           a sign-on, Listen        wakes the meter up, or sends the request message: WAKING, SIGNING_ON
WAKING         ACK                      SIGNING_ON; silence: the next string of NULs
SIGNING_ON     identification           A, B: READING_OUT. C: option select, then READING_OUT or ENTERING.
                                        E: option select ``2 Z 2``, then CONFIRMING
READING_OUT    data message             ACK in mode C; IDLE, or PROGRAMMING where that was asked for (A, B)
ENTERING       command P0               PROGRAMMING
PROGRAMMING    a request                its command: ANSWERING. SignOff, or silence: SIGNING_OFF. B0 came: IDLE
ANSWERING      data message, ACK        what the exchange sends next, or PROGRAMMING. B0 came: IDLE
SIGNING_OFF    its B0 having left       IDLE
CONFIRMING     option select            SWITCHING, at the rate that it names; silence: the same at the rate asked for
SWITCHING      the pause                HANDED_OVER
HANDED_OVER    :meth:`resume`           IDLE; octets go to somebody else
LISTENING      identification, text     IDLE (mode D)
=============  =======================  ======================================================================

What is damaged is asked for again with NAK where the mode has it (C, and programming mode), ``repeats`` times.
A sign-on that leads to nothing is begun anew, ``attempts`` times in all, when the line is quiet. A command that is not
answered is never repeated: a late answer would be taken for that to the next one. The session is ended then.

Identification and option select have no check but the parity of their characters: what is read is right where the mode
has a BCC (and no two errors hide each other in it), the identification itself may be wrong on a bad line.

Bounds: of a message and an answer ``max_octets`` and ``longest_message`` seconds.
"""

from __future__ import annotations

from typing import Final

from cosemic.errors import AssociationError, CosemicError, NotAssociated, ProtocolError, ResponseTimeout, ServiceFailed
from cosemic.link.iec21.characters import line_at
from cosemic.link.iec21.exchanges import EXCHANGES
from cosemic.link.iec21.messages import Command, DataMessage, Identification, Mode, OptionSelect, Signal
from cosemic.link.iec21.reader import Damaged, Expected
from cosemic.link.iec21.requests import (
    Event,
    Execute,
    Failed,
    Listen,
    Password,
    Request,
    SignedOn,
    SignOff,
    Write,
)
from cosemic.link.iec21.settings import ClientSettings
from cosemic.link.iec21.sign_on import LOOK, NO_MODE_E, SIGN_ONS, SignOn, State
from cosemic.values import OPTICAL, LineSettings

_ACKNOWLEDGED: Final = (Password, Write, Execute)
"""Requests that ACK may answer. After others it is an echo."""
_SIGN_OFFS: Final = ("B0", "B1")


class Iec21Client(SignOn):
    """A reader: a hand-held unit, or a head-end behind an optical head.

    settings: how sessions are held. line: how the port is set; None: not known, so that it is set at first.
    """

    def __init__(self, settings: ClientSettings | None = None, *, line: LineSettings | None = None) -> None:
        super().__init__(settings or ClientSettings(), line)

    def send(self, request: Request, /) -> None:
        """Take a request.

        Raises AssociationError where another one is being served, or a session stands already; NotAssociated for a
        command outside of programming mode; EncodeError for what a message cannot hold.
        """
        if self._request is not None:
            raise AssociationError("a request is being served: wait for its end, or cancel it")
        if isinstance(request, (*SIGN_ONS, Listen)):
            if self.state is not State.IDLE:
                raise AssociationError("a session stands already: sign off first")
            self._request, self._attempts = request, 1
            if isinstance(request, Listen):
                self._listen(request)
            else:
                self._sign_on()
            return
        if self.state is not State.PROGRAMMING:
            raise NotAssociated("commands are for programming mode: send EnterProgramming first")
        if isinstance(request, SignOff):
            self._request = request
            self._sign_off()
            return
        exchange = EXCHANGES[type(request)](request, self.settings.max_octets)
        octets = next(exchange).encode()
        self._request, self._exchange = request, exchange
        self._transmit(octets)

    def cancel(self) -> None:
        """Give up the request being served, and its session with it."""
        if self._request is not None:
            self._leave()

    def resume(self) -> None:
        """Take the line back after mode E: it goes to 300 baud. Without effect in other states."""
        if self.state is State.HANDED_OVER:
            self._end(OPTICAL)

    # ---- programming mode -------------------------------------------------------------------------------------------

    def _operand(self, message: Command) -> list[Event]:
        if message.command != "P0":
            return self._signed_off(message)
        try:
            return self._entered(message.datasets, None)
        except CosemicError as error:
            return self._again(error)

    def _transmit(self, octets: bytes) -> None:
        self._sent = octets
        self._repeats = 0
        self.line.put(self._reaction, octets)
        self._go(State.ANSWERING, self.settings.response_timeout)

    def _answered(self, answer: DataMessage | Signal) -> list[Event]:
        request, exchange = self._request, self._exchange
        if answer is Signal.NAK:
            return self._refused_message()
        if exchange is None or (answer is Signal.ACK and not isinstance(request, _ACKNOWLEDGED)):
            return []
        try:
            self._transmit(exchange.send(answer).encode())
        except StopIteration as done:
            return self._complete(State.PROGRAMMING, done.value, self.settings.silence)
        except ServiceFailed as error:
            return self._refuse(error)
        except CosemicError as error:
            return self._abandon(error)
        return []

    def _refused_message(self) -> list[Event]:
        """NAK: the meter has not understood the command, and asks for it again; a password it has refused."""
        if self._repeats >= self.settings.repeats and self._sent == Signal.NAK.encode():
            return self._abandon(ProtocolError(f"both sides ask for the last message again and again: {LOOK}"))
        if isinstance(self._request, Password) or self._repeats >= self.settings.repeats:
            what = self._request.command if isinstance(self._request, Password) else "the command"
            return self._refuse(ServiceFailed(f"the meter refuses {what} (NAK): see password and command", label="NAK"))
        self._repeats += 1
        self.line.put(self._reaction, self._sent)
        self._go(State.ANSWERING, self.settings.response_timeout)
        return []

    def _refuse(self, error: ServiceFailed) -> list[Event]:
        """The meter has declined the request; the session stands."""
        assert self._request is not None
        failed = Failed(self._request, error)
        self._forget()
        self._go(State.PROGRAMMING, self.settings.silence)
        return [failed]

    def _unanswered(self) -> list[Event]:
        return self._abandon(ResponseTimeout(f"no answer in programming mode: {LOOK}; the session is ended"))

    def _signed_off(self, message: Command) -> list[Event]:
        """Another command than B0 or B1 is the echo of an own one."""
        if message.command not in _SIGN_OFFS:
            return []
        return self._abandon(ProtocolError(f"the meter ends the session ({message.command})"), tell=False)

    def _sign_off(self) -> None:
        self.line.put(self._reaction, Command(self.settings.sign_off).encode(), OPTICAL)
        self._go(State.SIGNING_OFF, 0.0)

    def _silent(self) -> list[Event]:
        return self._abandon(AssociationError(f"nothing was asked for {self.settings.silence:g} s: signed off"))

    def _done(self) -> list[Event]:
        return self._complete(State.IDLE, None)

    # ---- mode E -----------------------------------------------------------------------------------------------------

    def _confirmed(self, message: OptionSelect) -> list[Event]:
        rate = self.settings.rates.get(message.baud)
        if (message.protocol, message.option) != (2, 2) or rate is None:
            return self._fail(ProtocolError(f"the meter does not take mode E but answers {message}: {NO_MODE_E}"))
        self._selected = line_at(rate)
        return self._switch()

    def _not_taken(self, _message: DataMessage) -> list[Event]:
        return self._fail(ProtocolError(f"the meter sends its read-out in place of mode E: {NO_MODE_E}"))

    def _switch(self) -> list[Event]:
        self.line.put(LineSettings(self._selected.baud))
        self._go(State.SWITCHING, self.settings.handover_pause)
        return []

    def _switched(self) -> list[Event]:
        assert self.identification is not None
        line = LineSettings(self._selected.baud)
        return self._complete(State.HANDED_OVER, SignedOn(self.identification, Mode.E, line))

    EXPECTED = {
        State.WAKING: Expected.SIGNAL,
        State.SIGNING_ON: Expected.LINE,
        State.READING_OUT: Expected.DATA,
        State.ENTERING: Expected.COMMAND,
        State.PROGRAMMING: Expected.COMMAND,
        State.ANSWERING: Expected.COMMAND | Expected.DATA | Expected.SIGNAL,
        State.CONFIRMING: Expected.SELECT | Expected.DATA,
        State.LISTENING: Expected.LINE,
    }
    TRANSITIONS = {
        (State.WAKING, Signal): SignOn._awake,
        (State.SIGNING_ON, Identification): SignOn._identified,
        (State.READING_OUT, DataMessage): SignOn._read_out,
        (State.READING_OUT, Damaged): SignOn._damaged_readout,
        (State.ENTERING, Command): _operand,
        (State.ENTERING, Damaged): SignOn._ask_again,
        (State.PROGRAMMING, Command): _signed_off,
        (State.ANSWERING, Command): _signed_off,
        (State.ANSWERING, DataMessage): _answered,
        (State.ANSWERING, Signal): _answered,
        (State.ANSWERING, Damaged): SignOn._ask_again,
        (State.CONFIRMING, OptionSelect): _confirmed,
        (State.CONFIRMING, DataMessage): _not_taken,
        (State.LISTENING, Identification): SignOn._heard,
        (State.LISTENING, DataMessage): SignOn._read_out,
        (State.LISTENING, Damaged): SignOn._heard_damaged,
    }
    TIMEOUTS = {
        State.WAKING: SignOn._wake,
        State.SIGNING_ON: SignOn._silence,
        State.READING_OUT: SignOn._silence,
        State.ENTERING: SignOn._silence,
        State.PROGRAMMING: _silent,
        State.ANSWERING: _unanswered,
        State.SIGNING_OFF: _done,
        State.CONFIRMING: _switch,
        State.SWITCHING: _switched,
        State.LISTENING: SignOn._heard_nothing,
    }
