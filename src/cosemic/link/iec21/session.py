"""What both sides of an IEC 62056-21 session share: octets to messages, messages to steps, and the time-outs between.

A side is three tables, by its states: what it listens for (``EXPECTED``), what a message does (``TRANSITIONS``), and
what silence does (``TIMEOUTS``). Messages that no transition names are passed over.

Three times run, all from the moment when the line is free:

- the *wait* of a state, until a message begins;
- the *inter-character time-out* within a message; then it is :class:`Damaged`; ACK and NAK are one when nothing comes
  for :data:`SIGNAL_QUIET`;
- ``longest_message`` beyond the wait, in which even a peer that goes on for ever has come to an end.

While own octets wait for their turn, what comes is passed over: on a half-duplex line it belongs to what was before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, ClassVar, Final, Generic, TypeVar

from cosemic.link.contract import UNARMED, Octets
from cosemic.link.iec21.line import HalfDuplexLine
from cosemic.link.iec21.messages import Message
from cosemic.link.iec21.reader import Damaged, Expected, MessageReader
from cosemic.values import LineSettings

SIGNAL_QUIET: Final = 0.1
"""Seconds without any other octet that make ACK or NAK a message; three characters at 300 baud."""

StateT = TypeVar("StateT", bound=Enum)
EventT = TypeVar("EventT")


class Session(Generic[StateT, EventT]):
    """One side of a session. Times in seconds; max_octets: of one message."""

    EXPECTED: ClassVar[Mapping[Any, Expected]]
    TRANSITIONS: ClassVar[Mapping[tuple[Any, type], Callable[[Any, Any], list[Any]]]]
    TIMEOUTS: ClassVar[Mapping[Any, Callable[[Any], list[Any]]]]

    def __init__(
        self,
        state: StateT,
        line: HalfDuplexLine,
        *,
        inter_character_timeout: float,
        longest_message: float,
        max_octets: int,
    ) -> None:
        self.state = state
        self.line = line
        self._reader = MessageReader(max_octets=max_octets)
        self._inter_character = inter_character_timeout
        self._longest = longest_message
        self._wait: float | None = None
        self._deadline: float | None = None
        self._character_deadline: float | None = None
        self._stop = float("inf")
        self._heard_at = float("-inf")

    # ---- the contract -----------------------------------------------------------------------------------------------

    def receive(self, octets: Octets, now: float) -> list[EventT]:
        """Take octets of the line, cut anywhere."""
        others = self.line.heard(octets, now)
        self._arm(now)
        if not others or not self._reader.expected or self.line.speaking:
            return []
        if now > self._heard_at + SIGNAL_QUIET:
            self._reader.calm()
        self._heard_at = now
        self._reader.feed(others)
        return self._read(now)

    def octets_to_send(self) -> bytes:
        """Return the octets that are due; they end where the line changes."""
        return self.line.octets_to_send()

    def line_to_set(self) -> LineSettings | None:
        """Return how the port is to be set when the octets handed out have left it, once."""
        return self.line.line_to_set()

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        if (of_line := self.line.deadline()) is not None:
            return of_line
        if self._wait is not None and self._deadline is None:
            return UNARMED
        return self._deadline if self._character_deadline is None else self._character_deadline

    def tick(self, now: float) -> list[EventT]:
        """Tell the time."""
        self.line.tick(now)
        self._arm(now)
        events: list[EventT] = []
        if self._character_deadline is not None:
            if now < self._character_deadline:
                return events
            events = self._broken_off(now)
            if events or self._character_deadline is not None:
                return events
        if self._deadline is not None and now >= self._deadline:
            self._wait = self._deadline = None
            events = self.TIMEOUTS[self.state](self)
            self._arm(now)
        return events

    # ---- for the sides ----------------------------------------------------------------------------------------------

    def _go(self, state: StateT, wait: float | None = None, expected: Expected | None = None) -> None:
        """Enter a state, and wait so many seconds in it from when the line is free."""
        self.state = state
        self._wait = wait
        self._deadline = None
        self._stop = float("inf")
        self._reader.expected = self.EXPECTED.get(state, Expected.NOTHING) if expected is None else expected

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _arm(self, now: float) -> None:
        if self._wait is None or self._deadline is not None or self.line.busy:
            return
        self._deadline = max(now, self.line.free_at) + self._wait
        self._stop = self._deadline + self._longest

    def _read(self, now: float) -> list[EventT]:
        """Handle the messages that are there."""
        reader = self._reader
        events: list[EventT] = []
        while (message := reader.next()) is not None:
            events += self._handle(message)
            if self.line.speaking and reader.expected:
                reader.reset()
        quiet = SIGNAL_QUIET if reader.signalled else self._inter_character
        self._character_deadline = min(now + quiet, self._stop) if reader.pending else None
        self._arm(now)
        return events

    def _handle(self, message: Message | Damaged) -> list[EventT]:
        handler = self.TRANSITIONS.get((self.state, type(message)))
        return [] if handler is None else handler(self, message)

    def _broken_off(self, now: float) -> list[EventT]:
        """The message that has begun does not go on, or has gone on for too long."""
        message = self._reader.give_up()
        if now >= self._stop:
            self._reader.reset()
        events = [] if message is None else self._handle(message)
        if self.line.speaking:
            self._reader.reset()
        return events + self._read(now)
