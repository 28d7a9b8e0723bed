"""What dialling and answering have in common: commands, the data of a call, hanging up (ITU-T V.250, IEC 62056-42).

The state tables are those of :mod:`cosemic.link.modem.dialling` and :mod:`cosemic.link.modem.answering`; this part is
the same in both::

    state        event                                   action                                      next
    preparing    OK                                      the next command of ``init``                preparing, ready *
    calling      CONNECT                                 connect the inner link                      online
    online       octets                                  to and from the inner link                  online
    online       NO CARRIER and silence                  the call is lost                            *
    ending       the inner link has ended, time-out      keep silence                                quiet
    quiet        time ``guard``                          +++                                         escaping
    escaping     OK                                      ATH                                         hanging up
    escaping     time-out                                once more; then ATH all the same            quiet, hanging up
    hanging up   OK, ERROR, time-out                     the call has ended                          *
    quiet, escaping, hanging up   NO CARRIER             the call has ended                          *

    * told apart by the side that dials and the side that answers

Bounds: a line of the modem as :mod:`cosemic.link.modem.results` bounds it; the data of a call as the inner link does.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cosemic.errors import ConfigurationError, ConnectionLost, CosemicError
from cosemic.link.contract import UNARMED, Link, LinkEvent, Octets
from cosemic.link.modem.carrier import CarrierWatch
from cosemic.link.modem.results import Answer, CommandLines, Result, read_answer
from cosemic.values import LineSettings

ESCAPE: Final = b"+++"
HANG_UP: Final = "ATH"
_MOST_ESCAPES: Final = 2
_COMMAND: Final = re.compile(r"[ -~]{1,255}")


class State(Enum):
    """What a modem is being used for."""

    READY = "ready"
    PREPARING = "preparing"
    PAUSING = "pausing"
    CALLING = "calling"
    ONLINE = "online"
    ENDING = "ending"
    QUIET = "quiet"
    ESCAPING = "escaping"
    HANGING_UP = "hanging up"
    FAILED = "failed"


_DATA: Final = frozenset((State.ONLINE, State.ENDING))
Move = Callable[[Answer], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemTimes:
    """How long a modem is waited for, in seconds.

    command: for OK. call: for CONNECT, from ATD or ATA on (register S7 of the modem should not be longer). pause:
    between two attempts to call, or to find the modem. guard: of silence before and after the escape sequence +++, a
    little longer than register S12. carrier: of silence after NO CARRIER in the data of a call, after which the call is
    lost. ending: for the inner link to disconnect.
    """

    command: float = 5.0
    call: float = 90.0
    pause: float = 10.0
    guard: float = 1.1
    carrier: float = 1.0
    ending: float = 30.0


def commands_of(init: str | Sequence[str]) -> tuple[str, ...]:
    """Return the commands that set a modem up; raises ConfigurationError for what is no command line."""
    commands = (init,) if isinstance(init, str) else tuple(init)
    for command in commands:
        if command and not (_COMMAND.fullmatch(command) and command[:2].upper() == "AT"):
            raise ConfigurationError(f"{command!r} is no modem command: AT and what follows, printable, in one line")
    return tuple(filter(None, commands))


class ModemDriver(ABC):
    """A modem at a port; :class:`~cosemic.link.modem.ModemLink` and AnsweringModemLink are made of it."""

    def __init__(self, inner: Link, init: Sequence[str], times: ModemTimes) -> None:
        self.rate: int | None = None
        """bit/s of the connection, where the modem names it."""
        self._inner = inner
        self._init = tuple(init)
        self._times = times
        self._state = State.READY
        self._prepared = 0
        self._escapes = 0
        self._watch: CarrierWatch | None = None
        self._skip_line_feed = False
        self._lines = CommandLines()
        self._due = b""
        self._deadline: float | None = None
        self._seconds = 0.0
        self._now: float | None = None
        self._told: list[LinkEvent] = []
        self._hung_up: Callable[[], None] = self._ready
        hung_up = self._call_ended
        self._moves: dict[tuple[State, Result], Move] = {
            (State.PREPARING, Result.OK): self._next_command,
            (State.CALLING, Result.CONNECT): self._go_online,
            (State.QUIET, Result.NO_CARRIER): hung_up,
            (State.ESCAPING, Result.OK): self._send_hang_up,
            (State.ESCAPING, Result.NO_CARRIER): hung_up,
            (State.HANGING_UP, Result.OK): hung_up,
            (State.HANGING_UP, Result.ERROR): hung_up,
            (State.HANGING_UP, Result.NO_CARRIER): hung_up,
        }
        self._timed: dict[State, Callable[[], None]] = {
            State.ENDING: self._not_ended,
            State.QUIET: self._escape,
            State.ESCAPING: self._not_escaped,
            State.HANGING_UP: self._call_ended,
        }

    # ---- the contract of links --------------------------------------------------------------------------------------

    @property
    def inner(self) -> Link:
        """The link over the call."""
        return self._inner

    @property
    def connection_oriented(self) -> bool:
        """Return True: a call has to stand."""
        return True

    @property
    def connected(self) -> bool:
        """Whether a call stands, and the connection of the inner link on it."""
        return self._state is State.ONLINE and self._inner.connected

    @property
    def state(self) -> State:
        """What the modem is being used for."""
        return self._state

    def line_to_set(self) -> LineSettings | None:
        """Return what the inner link wants the line set to, during a call."""
        return self._inner.line_to_set() if self._state in _DATA else None

    def send(self, apdu: bytes, /, *, source: int | None = None, destination: int | None = None) -> None:
        """Send an APDU over the call. Raises ConnectionLost without one, and what the inner link raises."""
        if self._state is not State.ONLINE:
            raise ConnectionLost(f"no call stands (the modem is {self._state.value}): connect first")
        self._inner.send(apdu, source=source, destination=destination)

    def octets_to_send(self) -> bytes:
        """Return what is due to the modem, or through it."""
        due, self._due = self._due, b""
        if due or self._state not in _DATA:
            return due
        data = self._inner.octets_to_send()
        if data and self._watch is not None:
            self._watch.sent(data)
        return data

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the modem."""
        self._now = now
        if self._state in _DATA:
            self._data(octets)
        elif self._state is not State.FAILED:
            self._lines.add(octets)
            self._commanded()
        return self._events()

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        if self._state is State.FAILED:
            return None
        due = [self._deadline, self._watch.deadline if self._watch else None]
        if self._state in _DATA:
            due.append(self._inner.deadline())
        return min((each for each in due if each is not None), default=None)

    def tick(self, now: float) -> list[LinkEvent]:
        """Tell the time."""
        self._now = now
        watch = self._watch
        if watch is not None and watch.deadline is not None and now >= watch.deadline:
            data = watch.expire()
            if data is None:
                self._leave_call()
                self._carrier_lost()
            else:
                self._inner_events(self._inner.receive(data, now))
        if self._state in _DATA:
            self._inner_events(self._inner.tick(now))
        if self._deadline == UNARMED:
            self._deadline = now + self._seconds
        elif self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self._timed[self._state]()
        return self._events()

    # ---- for those who dial and answer ------------------------------------------------------------------------------

    def _ready(self) -> None:
        self._enter(State.READY)

    @abstractmethod
    def _prepared_to_call(self) -> None:
        """All commands of ``init`` were taken."""

    @abstractmethod
    def _online(self) -> None:
        """A call stands."""

    @abstractmethod
    def _carrier_lost(self) -> None:
        """The call has broken."""

    @abstractmethod
    def _inner_event(self, event: LinkEvent) -> None:
        """Something happened on the inner link."""

    def _tell(self, event: LinkEvent) -> None:
        self._told.append(event)

    def _enter(self, state: State, seconds: float | None = None, command: str | None = None) -> None:
        """Go to a state, with a command to the modem, for so many seconds."""
        self._state = state
        if command is not None:
            self._due += command.encode("ascii") + b"\r"
        self._wait(seconds)

    def _wait(self, seconds: float | None) -> None:
        self._seconds = seconds or 0.0
        if seconds is None:
            self._deadline = None
        else:
            self._deadline = UNARMED if self._now is None else self._now + seconds

    def _prepare(self) -> None:
        """Set the modem up from the first command on."""
        self._prepared = 0
        self._prepare_on()

    def _hang_up(self, then: Callable[[], None]) -> None:
        """End the call, and go on with ``then``."""
        self._hung_up = then
        self._escapes = 0
        self._keep_quiet()

    # ---- moves ------------------------------------------------------------------------------------------------------

    def _commanded(self) -> None:
        """Read what the modem says, up to the data of a call."""
        while self._state not in _DATA and self._state is not State.FAILED:
            line = self._lines.next_line()
            if line is None:
                return
            answer = read_answer(line)
            move = self._moves.get((self._state, answer.result)) if answer else None
            if answer and move:
                move(answer)
        data = self._lines.take()
        if data and self._state in _DATA:
            self._data(data)

    def _next_command(self, answer: Answer) -> None:
        self._prepared += 1
        self._prepare_on()

    def _prepare_on(self) -> None:
        if self._prepared < len(self._init):
            self._enter(State.PREPARING, self._times.command, self._init[self._prepared])
        else:
            self._prepared_to_call()

    def _go_online(self, answer: Answer) -> None:
        self._enter(State.ONLINE)
        self.rate = answer.rate
        self._watch = CarrierWatch(numeric=answer.numeric, guard=self._times.carrier)
        self._skip_line_feed = not answer.numeric
        self._online()

    def _data(self, octets: Octets) -> None:
        now, watch = self._now, self._watch
        if self._skip_line_feed and octets:
            self._skip_line_feed = False
            if octets[0] == 0x0A:
                octets = octets[1:]
        if now is not None and watch is not None:
            data = watch.receive(octets, now)
            if data:
                self._inner_events(self._inner.receive(data, now))

    def _inner_events(self, events: list[LinkEvent]) -> None:
        for event in events:
            self._inner_event(event)

    def _leave_call(self) -> None:
        """What comes from now on is from the modem itself."""
        self._watch = None
        self._lines.take()

    def _not_ended(self) -> None:
        self._hang_up(self._hung_up)

    def _keep_quiet(self) -> None:
        self._leave_call()
        self._enter(State.QUIET, self._times.guard)

    def _escape(self) -> None:
        self._escapes += 1
        self._due += ESCAPE
        self._enter(State.ESCAPING, self._times.guard + self._times.command)

    def _not_escaped(self) -> None:
        if self._escapes < _MOST_ESCAPES:
            self._enter(State.QUIET, self._times.guard)
        else:
            self._send_hang_up()

    def _send_hang_up(self, answer: Answer | None = None) -> None:
        self._enter(State.HANGING_UP, self._times.command, HANG_UP)

    def _call_ended(self, answer: Answer | None = None) -> None:
        self._enter(State.READY)
        self._hung_up()

    def _events(self) -> list[LinkEvent]:
        told, self._told = self._told, []
        self._now = None
        return told


def lost(what: str) -> CosemicError:
    """Return the error of a call that has broken."""
    return ConnectionLost(f"{what}: the telephone connection broke (NO CARRIER); call again, and look at the line")
