"""A modem that answers calls, below the link of a meter (IEC 62056-42, ITU-T V.250; classes 27, 28 of IEC 62056-6-2).

State table; hanging up is that of :mod:`cosemic.link.modem.driver`::

    state       event                           action                                              next
    (made)      octets_to_send()                the first command of ``init``                       preparing
    preparing   OK                              the next; after the last ATS0                       preparing, ready
    preparing   ERROR, time-out                 wait; the modem may not have power yet              pausing
    pausing     time ``pause``                  the first command of ``init``                       preparing
    ready       RING                            count; after ``rings`` of them ATA                  ready, calling
    ready, calling   CONNECT                    a new inner link                                    online
    calling     NO CARRIER, NO ANSWER, BUSY,    wait for the next call                              ready
                ERROR, time-out
    online      NO CARRIER and silence          tell that all connections have ended                ready
    online      the inner link fails,           hang up, then the same                              quiet, then ready
                silence, disconnect()

The link itself never fails: the next caller may do better. Each call has an inner link of its own, so that nothing of
one caller is left to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from cosemic.errors import ConfigurationError, ConnectionLost, CosemicError
from cosemic.link.contract import Link, LinkDisconnected, LinkEvent, LinkFailed, Octets
from cosemic.link.modem.driver import ModemDriver, ModemTimes, State, commands_of, lost
from cosemic.link.modem.results import Answer, Result

MOST_CONNECTIONS: Final = 256
"""Pairs of SAPs that are remembered during a call, to tell of their end."""
_RING_GAP: Final = 10.0
"""Seconds after which a RING belongs to another call."""
_PATIENCE: Final = 2
"""Rings that a modem that answers by itself may be late by."""


class AnsweringModemLink(ModemDriver):
    """The modem of a meter.

    make: makes the link for one call. init: command, or commands, that set the modem up; ATS0 follows them. rings:
    after how many a call is answered. auto_answer: the modem does it (ATS0=rings); otherwise it is told to (ATS0=0,
    ATA). inactivity_timeout: seconds without octets after which a caller is cut off, so that the line is free for
    others; 0: never. times: see :class:`ModemTimes`. Raises ConfigurationError for what cannot be.
    """

    def __init__(
        self,
        make: Callable[[], Link],
        *,
        init: str | Sequence[str] = "ATZ",
        rings: int = 1,
        auto_answer: bool = False,
        inactivity_timeout: float = 300.0,
        times: ModemTimes = ModemTimes(),  # noqa: B008 - frozen
    ) -> None:
        if not 1 <= rings <= 255:
            raise ConfigurationError(f"a call is answered after 1 to 255 rings, not {rings}")
        answer_after = rings if auto_answer else 0
        super().__init__(make(), (*commands_of(init), f"ATS0={answer_after}"), times)
        self.trouble: CosemicError | None = None
        """Why the modem cannot be set up at the moment."""
        self._make = make
        self._rings = rings + (_PATIENCE if auto_answer else 0)
        self._inactivity_timeout = inactivity_timeout
        self._rung = 0
        self._last_ring: float | None = None
        self._started = False
        self._connections: dict[tuple[int, int], None] = {}
        for result in (Result.NO_CARRIER, Result.NO_ANSWER, Result.BUSY, Result.ERROR):
            self._moves[State.CALLING, result] = self._not_connected
        self._moves |= {
            (State.PREPARING, Result.ERROR): self._command_refused,
            (State.READY, Result.RING): self._ring,
            (State.READY, Result.CONNECT): self._go_online,
        }
        self._timed |= {
            State.PREPARING: self._unanswered,
            State.PAUSING: self._prepare,
            State.CALLING: self._no_result,
            State.ONLINE: self._silent,
        }

    def connect(self) -> None:
        """Do nothing: it is the caller who connects."""

    def disconnect(self) -> None:
        """Hang up; without effect without a call."""
        if self._state is State.ONLINE:
            self._hang_up(partial(self._over, None))

    def octets_to_send(self) -> bytes:
        """Return what is due to the modem, or through it; begins to set the modem up."""
        if not self._started:
            self._started = True
            self._prepare()
        return super().octets_to_send()

    def receive(self, octets: Octets, now: float) -> list[LinkEvent]:
        """Take octets of the modem."""
        events = super().receive(octets, now)
        if self._state is State.ONLINE and self._inactivity_timeout:
            self._deadline = now + self._inactivity_timeout
        return events

    # ---- moves ------------------------------------------------------------------------------------------------------

    def _prepared_to_call(self) -> None:
        self.trouble = None
        self._ready()

    def _command_refused(self, answer: Answer) -> None:
        refused = self._init[self._prepared]
        self._put_off(ConfigurationError(f"the modem refuses {refused} ({answer.text}): correct init="))

    def _unanswered(self) -> None:
        unanswered = self._init[self._prepared]
        self._put_off(ConnectionLost(f"the modem does not answer {unanswered}: check its power, port and rate"))

    def _put_off(self, trouble: CosemicError) -> None:
        self.trouble = trouble
        self._enter(State.PAUSING, self._times.pause)

    def _ring(self, answer: Answer) -> None:
        now = self._now
        if now is None or self._last_ring is None or now - self._last_ring > _RING_GAP:
            self._rung = 0
        self._last_ring = now
        self._rung += 1
        if self._rung >= self._rings:
            self._rung = 0
            self._enter(State.CALLING, self._times.call, "ATA")

    def _not_connected(self, answer: Answer) -> None:
        self._ready()

    def _no_result(self) -> None:
        self._due += b"\r"
        self._ready()

    def _online(self) -> None:
        self._inner = self._make()
        self._connections.clear()
        self._rung = 0
        if self._inactivity_timeout:
            self._wait(self._inactivity_timeout)

    def _silent(self) -> None:
        self._hang_up(
            partial(self._over, ConnectionLost(f"the caller has said nothing for {self._inactivity_timeout:g} s"))
        )

    def _carrier_lost(self) -> None:
        self._over(lost("the caller"))

    def _inner_event(self, event: LinkEvent) -> None:
        if isinstance(event, LinkFailed):
            if self._state is State.ONLINE:
                self._hang_up(partial(self._over, event.error))
            return
        pair = event.source, event.destination
        if isinstance(event, LinkDisconnected):
            self._connections.pop(pair, None)
        elif len(self._connections) < MOST_CONNECTIONS:
            self._connections[pair] = None
        self._tell(event)

    def _over(self, error: CosemicError | None) -> None:
        """The call has ended, and all connections with it."""
        self._ready()
        for pair in self._connections:
            self._tell(LinkDisconnected(*pair, error))
        self._connections.clear()
