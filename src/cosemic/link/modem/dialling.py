"""A modem that dials a meter, below the link that talks to it (IEC 62056-42, ITU-T V.250).

State table; hanging up is that of :mod:`cosemic.link.modem.driver`::

    state       event                           action                                              next
    ready       connect()                       the first command of ``init``                       preparing
    preparing   OK                              the next; after the last ATD and the number         preparing, calling
    preparing   ERROR                           fail: the command is wrong                          failed
    preparing   time-out, the first time        end a call that may stand still: +++, ATH           quiet; preparing
    preparing   time-out, again                 fail: no modem                                      failed
    calling     CONNECT                         connect the inner link                              online
    calling     BUSY, NO ANSWER, NO CARRIER,    wait; after ``attempts`` of them fail               pausing, failed
                NO DIALTONE, time-out
    calling     ERROR                           fail: the number is wrong                           failed
    calling     disconnect()                    CR, which takes the call back                       hanging up
    pausing     time ``pause``                  the first command of ``init``                       preparing
    pausing, preparing   disconnect()           ATH                                                 hanging up
    online      disconnect()                    disconnect the inner link                           ending
    online      the inner link has ended        hang up, then tell it                               quiet
    online, ending   NO CARRIER and silence     fail: the call is lost                              failed
    hanging up  CONNECT                         hang up                                             quiet
    hanging up  done                            tell LinkDisconnected                               ready

A failed link is over: make a new one to call again. What is told of an inner link without a data link connection has
the SAPs 0 (no-station).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Final

from cosemic.errors import ConfigurationError, ConnectionFailed, CosemicError
from cosemic.link.contract import Link, LinkConnected, LinkDisconnected, LinkEvent, LinkFailed
from cosemic.link.modem.driver import HANG_UP, ModemDriver, ModemTimes, State, commands_of, lost
from cosemic.link.modem.results import Answer, Result

_NUMBER: Final = re.compile(r"[0-9A-D*#+,TPW!@() ./-]*[0-9*#][0-9A-D*#+,TPW!@() ./-]*", re.IGNORECASE)
_NO_STATION: Final = 0

_REASONS: Final[dict[Result, str]] = {
    Result.BUSY: "{} is engaged (BUSY): another system may be reading the meter, try again later",
    Result.NO_ANSWER: "{} does not answer (NO ANSWER): check the number, and whether the meter's modem has power",
    Result.NO_CARRIER: (
        "no data connection to {} (NO CARRIER): check that a modem answers there, not a telephone, and that both "
        "modems may use a common modulation"
    ),
    Result.NO_DIALTONE: "no dialling tone (NO DIALTONE): check telephone cable, SIM and antenna of this modem",
}


class ModemLink(ModemDriver):
    """A meter behind a telephone number.

    inner: the link over the call, HDLC as a rule. dial: the number, as it stands behind ATD: ``T`` or ``P`` for tones
    or pulses and ``,`` for a pause may be in it. init: command, or commands, that set the modem up. attempts: how often
    the number is dialled. times: see :class:`ModemTimes`. Raises ConfigurationError for a number or command that cannot
    be sent.

    Its errors: ConfigurationError where the modem refuses a command, ConnectionFailed where no call comes about,
    ConnectionLost where it breaks.
    """

    def __init__(
        self,
        inner: Link,
        *,
        dial: str,
        init: str | Sequence[str] = "ATZ",
        attempts: int = 3,
        times: ModemTimes = ModemTimes(),  # noqa: B008 - frozen
    ) -> None:
        if len(dial) > 64 or not _NUMBER.fullmatch(dial):
            raise ConfigurationError(f"{dial!r} is no telephone number: digits, and T P W , + * # where needed")
        if attempts < 1:
            raise ConfigurationError("a number has to be dialled once or more")
        super().__init__(inner, commands_of(init), times)
        self._number = dial
        self._attempts = attempts
        self._dialled = 0
        self._woken = False
        for result in _REASONS:
            self._moves[State.CALLING, result] = self._not_connected
        self._moves |= {
            (State.PREPARING, Result.ERROR): self._command_refused,
            (State.CALLING, Result.ERROR): self._number_refused,
            (State.HANGING_UP, Result.CONNECT): self._connected_late,
        }
        self._timed |= {
            State.PREPARING: self._unanswered,
            State.CALLING: self._no_result,
            State.PAUSING: self._prepare,
        }

    def connect(self) -> None:
        """Begin to call; without effect where a call stands, or is being made.

        Raises ConnectionFailed where the link has failed.
        """
        if self._state is State.FAILED:
            raise ConnectionFailed("this modem link has failed: make a new one to call again")
        if self._state is State.READY:
            self._dialled = 0
            self._woken = False
            self._prepare()

    def disconnect(self) -> None:
        """Begin to end the call, in order: first the connection of the inner link. Without effect without a call."""
        over = partial(self._over, LinkDisconnected(_NO_STATION, _NO_STATION))
        if self._state in (State.ONLINE, State.CALLING, State.PREPARING, State.PAUSING):
            self._hung_up = over
        if self._state is State.ONLINE:
            if self._inner.connection_oriented:
                self._inner.disconnect()
                self._enter(State.ENDING, self._times.ending)
            else:
                self._hang_up(over)
        elif self._state is State.CALLING:
            self._enter(State.HANGING_UP, self._times.command, "")
        elif self._state in (State.PREPARING, State.PAUSING):
            self._enter(State.HANGING_UP, self._times.command, HANG_UP)
        elif self._hung_up == self._prepare:
            self._hung_up = over

    # ---- moves ------------------------------------------------------------------------------------------------------

    def _prepared_to_call(self) -> None:
        self._dialled += 1
        self._enter(State.CALLING, self._times.call, f"ATD{self._number}")

    def _command_refused(self, answer: Answer) -> None:
        self._fail(ConfigurationError(f"the modem refuses {self._init[self._prepared]} ({answer.text}): correct init="))

    def _number_refused(self, answer: Answer) -> None:
        self._fail(
            ConfigurationError(
                f"the modem refuses to dial {self._number} ({answer.text}): correct the number, or init="
            )
        )

    def _unanswered(self) -> None:
        if not self._woken:
            self._woken = True
            self._hang_up(self._prepare)
            return
        command, seconds = self._init[self._prepared], self._times.command
        unanswered = f"the modem does not answer {command} within {seconds:g} s, not even after +++ and ATH"
        self._fail(ConnectionFailed(f"{unanswered}: check its power and cable, the port, its rate and format"))

    def _not_connected(self, answer: Answer) -> None:
        self._try_again(_REASONS[answer.result].format(self._number))

    def _no_result(self) -> None:
        self._due += b"\r"
        self._try_again(f"no connection to {self._number} within {self._times.call:g} s: check number and modem")

    def _try_again(self, reason: str) -> None:
        if self._dialled < self._attempts:
            self._enter(State.PAUSING, self._times.pause)
            return
        self._fail(ConnectionFailed(f"{reason} ({self._dialled} attempts)" if self._dialled > 1 else reason))

    def _connected_late(self, answer: Answer) -> None:
        self._hang_up(self._hung_up)

    def _online(self) -> None:
        if self._inner.connection_oriented:
            self._inner.connect()
        else:
            self._tell(LinkConnected(_NO_STATION, _NO_STATION))

    def _carrier_lost(self) -> None:
        self._fail(lost(self._number))

    def _inner_event(self, event: LinkEvent) -> None:
        if not isinstance(event, LinkDisconnected | LinkFailed):
            self._tell(event)
        elif self._state in (State.ENDING, State.ONLINE):
            self._hang_up(partial(self._over, event))

    def _over(self, event: LinkEvent) -> None:
        """The call has ended as was asked for, or after the inner link."""
        if isinstance(event, LinkFailed):
            self._fail(event.error)
        else:
            self._tell(event)

    def _fail(self, error: CosemicError) -> None:
        self._enter(State.FAILED)
        self._watch = None
        self._tell(LinkFailed(error))
