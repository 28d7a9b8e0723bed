"""The supply switch: what each control mode leads to, and what is known when no answer comes."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic.client.procedures.breaker import BreakerProcedures, BreakerState
from cosemic.client.recovery import NONE
from cosemic.errors import (
    ActionFailed,
    ChangeNotMade,
    ConfigurationError,
    ConnectionLost,
    DataAccessError,
    OutcomeUnknown,
    ServiceFailed,
)
from cosemic.model import ControlMode, ControlState, DisconnectControlVersion0, DisconnectControlVersion1
from cosemic.server import CosemObject
from cosemic.server.objects import AccessRefused
from cosemic.values import DataAccessResult
from tests.client.procedures.bench import Bench, Fault, both_faces
from tests.server.support import device_with

OFF, ON, READY = ControlState.DISCONNECTED, ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION


class Switch:
    """A disconnect control by the transition table of IEC 62056-6-2; ``delay`` readings until the relay has moved.

    stuck: the relay does not move. obeys: the state follows the methods.
    """

    def __init__(self, mode: int = 2, state: ControlState = ON, *, version: Any = DisconnectControlVersion1) -> None:
        self.mode = mode
        self.state = state
        self.output = state is ON
        self.delay = 0
        self.stuck = False
        self.obeys = True
        self.refuses: DataAccessResult | None = None
        self.calls: list[str] = []
        self.served = CosemObject(
            version("0-0:96.3.10"),
            {
                "output_state": lambda now: self.look(),
                "control_state": lambda now: self.state,
                "control_mode": lambda now: self.mode_sent(),
            },
            methods={
                "remote_disconnect": lambda _, situation: self.call("disconnect", OFF),
                "remote_reconnect": lambda _, situation: self.call(
                    "reconnect", ON if self.mode in (2, 4, 7) else READY
                ),
            },
        )

    def mode_sent(self) -> Any:
        from cosemic.codec import DataType, EncodedData

        return EncodedData.of(DataType.ENUM, self.mode)

    def look(self) -> bool:
        if self.delay:
            self.delay -= 1
        elif not self.stuck:
            self.output = self.state is ON
        return self.output

    def call(self, what: str, state: ControlState) -> None:
        self.calls.append(what)
        if self.refuses is not None:
            raise AccessRefused(self.refuses)
        if self.obeys and (what == "disconnect" or self.state is OFF):
            self.state = state


def breaker(switch: Switch, **options: Any) -> tuple[Bench, BreakerProcedures]:
    bench = Bench(switch.served, **options)
    return bench, BreakerProcedures(bench.session)


def test_the_state_is_read() -> None:
    bench, procedures = breaker(Switch(1, READY))
    state = bench.run(procedures.state())
    assert state == BreakerState(False, READY, ControlMode.MODE_1)
    assert state.needs_button
    assert state.transitions == "bc f g / d e"


@pytest.mark.parametrize("mode", range(1, 7))
@pytest.mark.parametrize("before", [ON, READY])
def test_every_mode_disconnects(mode: int, before: ControlState) -> None:
    switch = Switch(mode, before)
    bench, procedures = breaker(switch)
    state = bench.run(procedures.disconnect())
    assert (state.control_state, state.output_state) == (OFF, False)
    assert switch.calls == ["disconnect"]


def test_what_is_disconnected_already_is_left_as_it_is() -> None:
    switch = Switch(1, OFF)
    bench, procedures = breaker(switch)
    assert bench.run(procedures.disconnect()).control_state is OFF
    assert switch.calls == []


def test_a_meter_that_is_always_connected_is_not_asked() -> None:
    switch = Switch(0)
    bench, procedures = breaker(switch)
    with pytest.raises(ServiceFailed, match="control_mode is 0") as caught:
        bench.run(procedures.disconnect())
    assert caught.value.label == "not-allowed-by-mode"
    assert switch.calls == []
    assert bench.run(procedures.reconnect()).output_state


@pytest.mark.parametrize(
    ("mode", "reached"), [(1, READY), (2, ON), (3, READY), (4, ON), (5, READY), (6, READY), (7, ON)]
)
def test_reconnection_leads_as_far_as_the_mode_allows(mode: int, reached: ControlState) -> None:
    switch = Switch(mode, OFF)
    bench, procedures = breaker(switch)
    state = bench.run(procedures.reconnect())
    assert state.control_state is reached
    assert state.output_state is (reached is ON)
    assert state.needs_button is (reached is READY)
    assert switch.calls == ["reconnect"]


@pytest.mark.parametrize(("mode", "reached"), [(129, READY), (134, ON)])
def test_a_mode_of_a_country_may_lead_to_either(mode: int, reached: ControlState) -> None:
    switch = Switch(mode, OFF, version=DisconnectControlVersion0)
    switch.call = lambda what, state: setattr(switch, "state", reached)  # type: ignore[method-assign]  # a double for one test
    bench, procedures = breaker(switch)
    state = bench.run(procedures.reconnect())
    assert (state.control_state, state.control_mode, state.transitions) == (reached, mode, "")


@pytest.mark.parametrize(("mode", "state"), [(1, READY), (1, ON), (2, ON)])
def test_what_is_reconnected_already_is_left_as_it_is(mode: int, state: ControlState) -> None:
    switch = Switch(mode, state)
    bench, procedures = breaker(switch)
    assert bench.run(procedures.reconnect()).control_state is state
    assert switch.calls == []


@pytest.mark.parametrize("mode", [2, 4])
def test_a_switch_that_the_meter_opened_itself_is_not_reconnected_remotely(mode: int) -> None:
    switch = Switch(mode, READY)
    bench, procedures = breaker(switch)
    with pytest.raises(ServiceFailed, match="the button at the meter") as caught:
        bench.run(procedures.reconnect())
    assert caught.value.label == "not-allowed-by-mode"
    assert switch.calls == []
    bench.run(procedures.disconnect())
    assert bench.run(procedures.reconnect()).output_state


def test_a_slow_relay_is_waited_for() -> None:
    switch = Switch(2, ON)
    switch.delay = 5
    bench, procedures = breaker(switch)
    assert not bench.run(procedures.disconnect(interval=3.0)).output_state
    assert bench.waited == 3.0 * 4


def test_a_relay_that_does_not_move_is_told() -> None:
    switch = Switch(2, ON)
    switch.stuck = True
    bench, procedures = breaker(switch)
    with pytest.raises(
        ServiceFailed, match=r"disconnected \(0\), supply connected - the switch has not followed"
    ) as caught:
        bench.run(procedures.disconnect(timeout=10.0, interval=2.0))
    assert caught.value.label == "switch-has-not-followed"
    assert bench.waited == 10.0


def test_a_refusal_is_told_at_once() -> None:
    switch = Switch(2, ON)
    switch.refuses = DataAccessResult.TEMPORARY_FAILURE
    bench, procedures = breaker(switch)
    with pytest.raises(ActionFailed, match="temporary-failure"):
        bench.run(procedures.disconnect())
    assert bench.waited == 0


# ---- no answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.LOST_AFTER, Fault.MUTE_AFTER])
def test_an_answer_that_is_lost_is_made_up_for_by_reading_back(fault: Fault) -> None:
    for method, state, reached in (("disconnect", ON, OFF), ("reconnect", OFF, ON)):
        switch = Switch(2, state)
        bench, procedures = breaker(switch)
        bench.faults = {2: fault}
        assert bench.run(getattr(procedures, method)()).control_state is reached
        assert switch.calls == [method]


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.MUTE_BEFORE])
def test_a_command_that_never_arrived_is_told_as_not_made(fault: Fault) -> None:
    switch = Switch(2, ON)
    bench, procedures = breaker(switch)
    bench.faults = {2: fault}
    with pytest.raises(ChangeNotMade, match=r"connected \(1\), supply connected, as before") as caught:
        bench.run(procedures.disconnect(timeout=6.0, interval=2.0))
    assert isinstance(caught.value.__cause__, OutcomeUnknown)
    assert switch.calls == []


def test_a_switch_that_was_left_halfway_without_answer_is_unknown() -> None:
    switch = Switch(2, ON)
    switch.stuck = True
    bench, procedures = breaker(switch)
    bench.faults = {2: Fault.MUTE_AFTER}
    with pytest.raises(OutcomeUnknown, match=r"before it was connected \(1\)"):
        bench.run(procedures.disconnect(timeout=6.0))


def test_without_reading_back_the_outcome_stays_unknown() -> None:
    bench, procedures = breaker(Switch(2, ON), recovery=NONE)
    bench.run(bench.session.open())
    bench.faults = {2: Fault.LOST_AFTER}
    with pytest.raises(OutcomeUnknown):
        bench.run(procedures.disconnect())


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("number", range(1, 5))
def test_a_break_at_any_request_ends_in_the_state_or_in_what_is_known(number: int, fault: Fault) -> None:
    switch = Switch(2, ON)
    bench, procedures = breaker(switch)
    bench.faults = {number: fault}
    try:
        state = bench.run(procedures.disconnect(timeout=4.0))
    except ChangeNotMade:
        assert (number, switch.state) == (2, ON)
    else:
        assert (state.control_state, switch.state) == (OFF, OFF)


# ---- the rest --------------------------------------------------------------------------------------------------------


def test_a_meter_without_switch_says_so() -> None:
    bench, procedures = breaker(Switch())
    with pytest.raises(DataAccessError):
        bench.run(procedures.state(obis="0-1:24.4.0"))


@pytest.mark.parametrize("times", [{"timeout": -1.0}, {"interval": 0.0}, {"timeout": float("nan")}])
def test_times_that_are_none_are_refused(times: dict[str, float]) -> None:
    bench, procedures = breaker(Switch())
    with pytest.raises(ConfigurationError):
        bench.run(procedures.disconnect(**times))


def test_both_faces_switch() -> None:
    switch = Switch(2, ON)
    with both_faces(device_with(switch.served)) as run:
        assert [one.output_state for one in run(lambda meter: meter.breaker.disconnect(interval=0.001))] == [False] * 2
        assert [one.output_state for one in run(lambda meter: meter.breaker.reconnect(interval=0.001))] == [True] * 2
        first, second = run(lambda meter: meter.breaker.state())
    assert first == second == BreakerState(True, ON, ControlMode.MODE_2)


@pytest.mark.parametrize("times", [{"timeout": -1.0}, {"timeout": float("nan")}, {"interval": 0.0}])
def test_a_wait_that_cannot_be_is_refused_before_anything_is_switched(times: dict[str, float]) -> None:
    switch = Switch()
    bench = Bench(switch.served)
    with pytest.raises(ConfigurationError):
        bench.run(BreakerProcedures(bench.session).disconnect(**times))
    assert (switch.calls, switch.state) == ([], ON)


def test_a_switch_that_was_accepted_and_cannot_be_read_back_says_so() -> None:
    switch = Switch()
    bench = Bench(switch.served)
    bench.run(bench.session.open())
    state = bench.run(BreakerProcedures(bench.session).state())
    one_reading = bench.requests
    bench.fresh()
    bench.session.recovery = NONE
    bench.faults = {one_reading + 2: Fault.LOST_BEFORE}
    with pytest.raises(ConnectionLost) as lost:
        bench.run(BreakerProcedures(bench.session).disconnect())
    assert (state.control_state, switch.calls) == (ON, ["disconnect"])
    assert "was accepted" in lost.value.__notes__[0]
