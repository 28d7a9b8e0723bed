"""The supply switch or valve of the premises: its state, disconnection, reconnection (Disconnect control, class 70).

What remote_reconnect leads to depends on control_mode; the letters are the transitions of the standard
(:data:`cosemic.model.disconnect.TRANSITIONS`)::

    a  DISCONNECTED -> CONNECTED                    modes 2, 4, 7
    d  DISCONNECTED -> READY_FOR_RECONNECTION       modes 1, 3, 5, 6: somebody has to press the button at the meter

Either leads out of DISCONNECTED alone. Which of both the modes of a country lead to is not known: both are taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.procedures.changing import awaited, polls, unread
from cosemic.client.procedures.reading import read_as
from cosemic.client.steps import Procedure
from cosemic.errors import ChangeNotMade, CosemicError, OutcomeUnknown, ServiceFailed
from cosemic.model import ControlMode, ControlState, DisconnectControl, MethodReference
from cosemic.model.disconnect import TRANSITIONS
from cosemic.values import Obis

BREAKER: Final = Obis("0-0:96.3.10")


@dataclass(frozen=True, slots=True)
class BreakerState:
    """State of a switch.

    output_state: whether the supply is connected in fact. control_state: how the meter sees it. control_mode: which
    transitions are allowed; a number where it is a country's own.
    """

    output_state: bool
    control_state: ControlState | int
    control_mode: ControlMode | int

    @property
    def needs_button(self) -> bool:
        """Whether the supply waits for somebody to press the button at the meter."""
        return self.control_state == ControlState.READY_FOR_RECONNECTION

    @property
    def transitions(self) -> str:
        """Letters of the transitions that control_mode allows; nothing where they are not known, or there are none."""
        return next((letters for mode, letters in TRANSITIONS.items() if mode == self.control_mode), "")


def _disconnected(state: BreakerState) -> bool:
    return state.control_state == ControlState.DISCONNECTED and not state.output_state


def _connected(state: BreakerState) -> bool:
    return state.control_state == ControlState.CONNECTED and state.output_state


def _ready(state: BreakerState) -> bool:
    return state.control_state == ControlState.READY_FOR_RECONNECTION and not state.output_state


def _reconnected(state: BreakerState) -> bool:
    return _connected(state) or _ready(state)


class BreakerProcedures(ProcedureGroup):
    """The supply switch of a meter; valves of other media have another ``obis`` (0-1:24.4.0)."""

    def state(self, *, obis: Obis | str = BREAKER) -> Procedure[BreakerState]:
        """Read whether the supply is connected. Raises DataAccessError. Disconnect control, IEC 62056-6-2, 5.5."""
        return read_as(self.session, BreakerState, DisconnectControl(obis))

    def disconnect(
        self, *, timeout: float = 60.0, interval: float = 2.0, obis: Obis | str = BREAKER
    ) -> Procedure[BreakerState]:
        """Disconnect the supply, and return the state as it is read back then; already disconnected does no harm.

        timeout: seconds in which the switch has to follow; interval: between two readings.

        Raises ServiceFailed where the mode does not allow it, the meter refuses or the switch does not follow;
        ChangeNotMade, OutcomeUnknown where no answer came; ConfigurationError for times that cannot be, before anything
        is switched. Disconnect control, IEC 62056-6-2, 5.5.
        """
        before = yield from self.state(obis=obis)
        if before.control_mode == ControlMode.ALWAYS_CONNECTED:
            raise _not_allowed(before, "the meter never disconnects in it: set another mode first")
        method = DisconnectControl(obis).remote_disconnect
        return (yield from self._switch(method, before, _disconnected, timeout, interval))

    def reconnect(
        self, *, timeout: float = 60.0, interval: float = 2.0, obis: Obis | str = BREAKER
    ) -> Procedure[BreakerState]:
        """Reconnect the supply as far as control_mode allows, and return the state as it is read back then.

        Where the mode asks for a hand at the meter the supply is ready for reconnection then: see
        :attr:`BreakerState.needs_button`. timeout: seconds in which the switch has to follow; interval: between two
        readings.

        Raises ServiceFailed where the meter refuses or the switch does not follow; ChangeNotMade, OutcomeUnknown where
        no answer came; ConfigurationError for times that cannot be, before anything is switched. Disconnect control,
        IEC 62056-6-2, 5.5.
        """
        before = yield from self.state(obis=obis)
        reached = _reconnected
        if "a" in before.transitions:
            reached = _connected
            if _ready(before):
                raise _not_allowed(
                    before,
                    "from ready-for-reconnection (2) only the button at the meter leads on: have it pressed, or "
                    "disconnect first, and reconnect then",
                )
        method = DisconnectControl(obis).remote_reconnect
        return (yield from self._switch(method, before, reached, timeout, interval))

    def _switch(
        self,
        method: MethodReference[int, None],
        before: BreakerState,
        reached: Callable[[BreakerState], bool],
        timeout: float,
        interval: float,
    ) -> Procedure[BreakerState]:
        polls(timeout, interval)  # a wait that cannot be is refused before anything is switched
        if reached(before):
            return before
        unknown: OutcomeUnknown | None = None
        try:
            yield from self.session.call(method)
        except OutcomeUnknown as error:
            unknown = error
        try:
            after = yield from awaited(
                lambda: self.state(obis=method.instance_id), reached, timeout=timeout, interval=interval
            )
        except CosemicError as error:
            if unknown is None:
                error.add_note(
                    f"{method} was accepted; whether the switch has followed could not be read: read it again"
                )
                raise
            raise unread(unknown, error) from unknown.__cause__
        if reached(after):
            return after
        text = f"{method}: {timeout:g} s later the state is {_described(after)}"
        if unknown is None:
            raise ServiceFailed(
                f"{text} - the switch has not followed: read it again later, and have it looked at if it stays so",
                int(after.control_state),
                "switch-has-not-followed",
                str(method),
            )
        if after == before:
            raise ChangeNotMade(f"{text}, as before; no answer came: call again") from unknown
        raise OutcomeUnknown(f"{text}, before it was {_described(before)}; no answer came: read it again") from unknown


def _described(state: BreakerState) -> str:
    label = getattr(state.control_state, "label", "not listed")
    return f"{label} ({int(state.control_state)}), supply {'' if state.output_state else 'not '}connected"


def _not_allowed(state: BreakerState, why: str) -> ServiceFailed:
    mode = int(state.control_mode)
    return ServiceFailed(f"control_mode is {mode}, the state {_described(state)}: {why}", mode, "not-allowed-by-mode")


class AsyncBreaker(AsyncGroup):
    """The supply switch of a meter, on asyncio."""

    state = asynchronously(BreakerProcedures.state)
    disconnect = asynchronously(BreakerProcedures.disconnect)
    reconnect = asynchronously(BreakerProcedures.reconnect)


class BlockingBreaker(BlockingGroup):
    """The supply switch of a meter, for blocking code."""

    state = blocking(BreakerProcedures.state)
    disconnect = blocking(BreakerProcedures.disconnect)
    reconnect = blocking(BreakerProcedures.reconnect)
