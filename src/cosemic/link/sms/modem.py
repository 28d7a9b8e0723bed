"""Short messages over a modem at a serial port, in PDU mode (3GPP TS 27.005, 4).

::

    to the modem     AT+CMGS=<octets of the TPDU> CR      after "> ": 00 and the TPDU in hexadecimal, Ctrl-Z
    from the modem   +CMGS: <reference>  OK               sent
                     +CMT: [<alpha>],<octets> CR LF service centre and TPDU in hexadecimal CR LF         received

State table::

    state        event                  action                                                 next
    (made)       octets_to_send()       the first command of ``init``                          preparing
    preparing    OK                     the next command; after the last nothing               preparing, ready
    preparing    ERROR, time-out        after ``attempts`` of them fail                        preparing, failed
    ready        a TPDU is due          AT+CMGS                                                announcing
    announcing   "> "                   the TPDU and Ctrl-Z                                    sending
    announcing   ERROR, time-out        ESC where it is one; wait, or fail after ``attempts``  pausing, failed
    sending      OK                     the TPDU is sent                                       ready
    sending      ERROR                  as when announcing                                     pausing, failed
    sending      time-out               ESC; it may be sent: who waits for an answer will see  ready
    pausing      time ``pause``         AT+CMGS again                                          announcing
    any          +CMT, the line behind  hand the TPDU to the inner link                        the same

What is received is confirmed by the modem itself (no AT+CSMS=1), and delivered at once (AT+CNMI): messages that lie in
the store of the modem are not looked for.

Bounds: one TPDU under way; a line as :mod:`cosemic.link.modem.results` bounds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cosemic.errors import ConfigurationError, ConnectionFailed, CosemicError, TransportError
from cosemic.link.connectionless import Connectionless
from cosemic.link.contract import UNARMED, Link, LinkEvent, LinkFailed, Octets
from cosemic.link.modem.driver import commands_of
from cosemic.link.modem.results import BLANKS, CommandLines, Result, read_answer

PDU_MODE: Final = ("ATE0", "AT+CMGF=0", "AT+CNMI=2,2,0,0,0")
"""No echo; PDU mode; messages are delivered to the port at once, without status reports."""
PROMPT: Final = ">"
CTRL_Z: Final = b"\x1a"
CANCEL: Final = b"\x1b\r"
"""ESC leaves a message that is being entered; CR ends the line where there is none."""
_DEFAULT_CENTRE: Final = b"\x00"
"""The service centre that the SIM names."""
_INDICATION: Final = re.compile(r'\+CMT:\s*(?:"?[^",]*"?\s*,\s*)?(\d{1,3})\s*')


class SmsState(Enum):
    """What the modem is being used for."""

    READY = "ready"
    PREPARING = "preparing"
    ANNOUNCING = "announcing"
    SENDING = "sending"
    PAUSING = "pausing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsTimes:
    """How long a modem is waited for, in seconds. command: for OK, and for ``> ``. sending: for the network to take a
    message. pause: between two attempts.
    """

    command: float = 5.0
    sending: float = 60.0
    pause: float = 10.0


def announced(tpdu: bytes) -> tuple[bytes, bytes]:
    """Return what a modem is told to send a TPDU: the command, and what follows the prompt."""
    return b"AT+CMGS=%d\r" % len(tpdu), (_DEFAULT_CENTRE + tpdu).hex().upper().encode("ascii") + CTRL_Z


def indicated(announcement: str, line: str) -> bytes | None:
    """Return the TPDU of a +CMT and the line behind it, without its service centre; None where they do not fit."""
    found = _INDICATION.fullmatch(announcement)
    try:
        octets = bytes.fromhex(line)
    except ValueError:
        return None
    if not found or not octets:
        return None
    tpdu = octets[1 + octets[0] :]
    return tpdu if len(tpdu) == int(found[1]) else None


class SmsModemLink(Connectionless):
    """An SmsLink over a modem.

    inner: the link whose datagrams are TPDUs. init: commands that set the modem up. attempts: how often a command or
    message is tried. times: see :class:`SmsTimes`. Raises ConfigurationError for a command that cannot be sent.
    """

    def __init__(
        self,
        inner: Link,
        *,
        init: str | Sequence[str] = PDU_MODE,
        attempts: int = 3,
        times: SmsTimes = SmsTimes(),
    ) -> None:
        if attempts < 1:
            raise ConfigurationError("a message has to be sent once or more")
        self.passed_over = 0
        """Indications of a message that could not be read."""
        self._inner = inner
        self._init = commands_of(init)
        self._attempts = attempts
        self._times = times
        self._state = SmsState.READY
        self._prepared: int | None = None
        self._tried = 0
        self._tpdu = b""
        self._announcement: str | None = None
        self._lines = CommandLines()
        self._due = b""
        self._deadline: float | None = None
        self._seconds = 0.0
        self._now: float | None = None
        self._told: list[LinkEvent] = []
        self._moves: dict[tuple[SmsState, Result], Callable[[str], None]] = {
            (SmsState.PREPARING, Result.OK): self._next_command,
            (SmsState.PREPARING, Result.ERROR): self._command_failed,
            (SmsState.ANNOUNCING, Result.ERROR): self._not_sent,
            (SmsState.SENDING, Result.OK): self._sent,
            (SmsState.SENDING, Result.ERROR): self._not_sent,
        }
        self._timed: dict[SmsState, Callable[[str], None]] = {
            SmsState.PREPARING: self._command_failed,
            SmsState.ANNOUNCING: self._no_prompt,
            SmsState.SENDING: self._not_confirmed,
            SmsState.PAUSING: self._announce,
        }

    @property
    def state(self) -> SmsState:
        """What the modem is being used for."""
        return self._state

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Send an APDU; raises what the inner link raises."""
        self._inner.send(apdu, source=source, destination=destination)

    def octets_to_send(self) -> bytes:
        """Return what is due to the modem; begins to set it up."""
        if self._prepared is None:
            self._prepare(0)
        self._take_next()
        due, self._due = self._due, b""
        return due

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the modem."""
        if self._state is SmsState.FAILED:
            return []
        self._now = now
        self._lines.add(octets)
        while (line := self._lines.next_line()) is not None:
            self._line(line, now)
        if self._state is SmsState.ANNOUNCING and self._lines.unfinished().lstrip(BLANKS).startswith(PROMPT):
            self._lines.add(self._lines.take().partition(PROMPT.encode())[2])
            self._prompted()
        return self._events()

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        due = (self._deadline, self._inner.deadline())
        return min((each for each in due if each is not None), default=None)

    def tick(self, now: float) -> list[LinkEvent]:
        """Tell the time."""
        self._now = now
        self._told += self._inner.tick(now)
        if self._deadline == UNARMED:
            self._deadline = now + self._seconds
        elif self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self._timed[self._state]("no answer in time")
        return self._events()

    # ---- moves ------------------------------------------------------------------------------------------------------

    def _line(self, line: str, now: float) -> None:
        if self._state is SmsState.FAILED:
            return
        if self._state is SmsState.ANNOUNCING and line.startswith(PROMPT):
            # What is told right behind the prompt makes a line of it.
            self._prompted()
            line = line.removeprefix(PROMPT).strip(BLANKS)
            if not line:
                return
        announcement, self._announcement = self._announcement, None
        if announcement is not None:
            tpdu = indicated(announcement, line)
            if tpdu is not None:
                self._told += self._inner.receive(tpdu, now)
                return
            self.passed_over += 1
        if line.startswith("+CMT:"):
            self._announcement = line
            return
        answer = read_answer(line)
        move = self._moves.get((self._state, answer.result)) if answer else None
        if move:
            move(line)

    def _prompted(self) -> None:
        self._due += announced(self._tpdu)[1]
        self._enter(SmsState.SENDING, self._times.sending)

    def _enter(self, state: SmsState, seconds: float | None = None) -> None:
        self._state = state
        self._seconds = seconds or 0.0
        if seconds is None:
            self._deadline = None
        else:
            self._deadline = UNARMED if self._now is None else self._now + seconds

    def _prepare(self, command: int) -> None:
        self._prepared = command
        if command < len(self._init):
            self._due += self._init[command].encode("ascii") + b"\r"
            self._enter(SmsState.PREPARING, self._times.command)
        else:
            self._enter(SmsState.READY)

    def _next_command(self, text: str) -> None:
        self._tried = 0
        self._prepare((self._prepared or 0) + 1)

    def _command_failed(self, text: str) -> None:
        command = self._init[self._prepared or 0]
        self._tried += 1
        if self._tried < self._attempts:
            self._prepare(self._prepared or 0)
        else:
            self._fail(
                ConnectionFailed(f"the modem does not take {command} ({text}): check its power, port, rate and SIM")
            )

    def _take_next(self) -> None:
        if self._state is SmsState.READY:
            self._tpdu = self._inner.octets_to_send()
            if self._tpdu:
                self._tried = 0
                self._announce("")

    def _announce(self, text: str) -> None:
        self._due += announced(self._tpdu)[0]
        self._enter(SmsState.ANNOUNCING, self._times.command)

    def _sent(self, text: str) -> None:
        self._tpdu = b""
        self._enter(SmsState.READY)

    def _no_prompt(self, text: str) -> None:
        self._due += CANCEL
        self._not_sent(text)

    def _not_confirmed(self, text: str) -> None:
        self._due += CANCEL
        self._sent(text)

    def _not_sent(self, text: str) -> None:
        self._tried += 1
        if self._tried < self._attempts:
            self._enter(SmsState.PAUSING, self._times.pause)
            return
        self._fail(
            TransportError(
                f"the short message was not sent ({text}), in {self._tried} attempts: check registration, credit and "
                "service centre of the SIM, and the number"
            )
        )

    def _fail(self, error: CosemicError) -> None:
        self._enter(SmsState.FAILED)
        self._told.append(LinkFailed(error))

    def _events(self) -> list[LinkEvent]:
        told, self._told = self._told, []
        self._now = None
        return told
