"""Disconnect control: which transition is made in which mode and state, and what a client is told (class 70)."""

from __future__ import annotations

import datetime as dt
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, EncodeError
from cosemic.model import ControlMode, ControlState, DisconnectControlVersion0
from cosemic.model.disconnect import DisconnectControlVersion1
from cosemic.server import LogicalDevice
from cosemic.server.disconnect import DisconnectControlObject
from tests.server.running import NOT_NOW, REFUSED, START, SUCCESS, UNMATCHED, Running

SWITCH = DisconnectControlVersion0("0-0:96.3.10")
OFF, ON, READY = ControlState
REMOTE = ("remote_disconnect", "remote_reconnect")
BY_HAND = ("manual_disconnect", "manual_reconnect", "local_disconnect", "local_reconnect")

ALL_MODES = {
    ("remote_disconnect", ON): OFF,
    ("remote_disconnect", READY): OFF,
    ("local_disconnect", ON): READY,
    ("manual_reconnect", READY): ON,
}
TO_READY = {("remote_reconnect", OFF): READY}
TO_ON = {("remote_reconnect", OFF): ON}
MANUAL = {("manual_disconnect", ON): READY}
LOCAL = {("local_reconnect", READY): ON}
EXPECTED = {
    ControlMode.ALWAYS_CONNECTED: {},
    ControlMode.MODE_1: ALL_MODES | TO_READY | MANUAL,
    ControlMode.MODE_2: ALL_MODES | TO_ON | MANUAL,
    ControlMode.MODE_3: ALL_MODES | TO_READY,
    ControlMode.MODE_4: ALL_MODES | TO_ON,
    ControlMode.MODE_5: ALL_MODES | TO_READY | MANUAL | LOCAL,
    ControlMode.MODE_6: ALL_MODES | TO_READY | LOCAL,
    ControlMode.MODE_7: ALL_MODES | TO_ON | LOCAL,
}
HAPPENINGS = {
    ("remote_disconnect", OFF): "remote-disconnection",
    ("remote_reconnect", ON): "remote-reconnection",
    ("remote_reconnect", READY): "ready-for-manual-reconnection",
    ("manual_disconnect", READY): "manual-disconnection",
    ("manual_reconnect", ON): "manual-reconnection",
    ("local_disconnect", READY): "local-disconnection",
    ("local_reconnect", ON): "local-reconnection",
}


def build(
    device: LogicalDevice, mode: ControlMode = ControlMode.MODE_1, state: ControlState = ON, version: int = 0
) -> DisconnectControlObject:
    return device.add(DisconnectControlObject(device, SWITCH.instance_id, mode, state, version=version))


def possible() -> list[tuple[ControlMode, ControlState]]:
    return [(mode, state) for mode, state in product(ControlMode, ControlState) if mode or state is ON]


@pytest.mark.parametrize(("mode", "state"), possible())
@pytest.mark.parametrize("cause", [*REMOTE, *BY_HAND])
def test_each_mode_makes_its_transitions_and_no_others(mode: ControlMode, state: ControlState, cause: str) -> None:
    meter = Running(partial(build, mode=mode, state=state, version=1))
    changing: list[dt.datetime] = []
    meter.parts.changing.append(changing.append)
    target = EXPECTED[mode].get((cause, state))
    if cause in REMOTE:
        result = meter.call(getattr(SWITCH, cause))
        wanted = [after for (why, _), after in EXPECTED[mode].items() if why == cause]
        settled = [*wanted, ON] if cause == "remote_reconnect" else wanted
        assert result is (REFUSED if not wanted else SUCCESS if target is not None or state in settled else NOT_NOW)
    else:
        getattr(meter.parts, cause)(START)
    after = state if target is None else target
    assert meter.parts.state is after
    assert meter.get(SWITCH.output_state) is (after is ON) is meter.parts.connected
    assert meter.names() == ([] if target is None else [HAPPENINGS[cause, target]])
    assert changing == ([START] if (after is ON) is not (state is ON) else [])


def test_the_button_disconnects_and_reconnects() -> None:
    meter = Running(build)
    meter.parts.press_button(START)
    assert meter.parts.state is READY
    meter.parts.press_button(START)
    assert meter.parts.state is ON


@given(st.lists(st.sampled_from([*REMOTE, *BY_HAND]), max_size=30), st.sampled_from(ControlMode))
def test_a_walk_follows_the_table(walk: list[str], mode: ControlMode) -> None:
    meter = Running(partial(build, mode=mode, version=1))
    state = ON
    for cause in walk:
        if cause in REMOTE:
            meter.call(getattr(SWITCH, cause))
        else:
            getattr(meter.parts, cause)(START)
        state = EXPECTED[mode].get((cause, state), state)
        assert meter.get(SWITCH.control_state) is state


def test_state_and_mode_survive(tmp_path: Path) -> None:
    meter = Running(build, tmp_path / "state")
    assert meter.set(SWITCH.control_mode, ControlMode.MODE_2) is SUCCESS
    assert meter.call(SWITCH.remote_disconnect) is SUCCESS
    meter.killed()
    assert meter.get(SWITCH.control_state) is OFF
    assert meter.get(SWITCH.control_mode) is ControlMode.MODE_2
    assert meter.get(SWITCH.output_state) is False


def test_writing_mode_0_connects_and_tells_what_follows_before() -> None:
    meter = Running(build)
    seen: list[bool] = []
    meter.parts.changing.append(lambda at: seen.append(meter.parts.connected))
    assert meter.call(SWITCH.remote_disconnect) is SUCCESS
    assert meter.set(SWITCH.control_mode, ControlMode.ALWAYS_CONNECTED) is SUCCESS
    assert meter.parts.state is ON
    assert meter.set(SWITCH.control_mode, ControlMode.ALWAYS_CONNECTED) is SUCCESS
    assert seen == [True, False]


def test_another_mode_leaves_the_state() -> None:
    meter = Running(build)
    assert meter.call(SWITCH.remote_disconnect) is SUCCESS
    assert meter.set(SWITCH.control_mode, ControlMode.MODE_4) is SUCCESS
    assert meter.parts.state is OFF


def test_mode_7_is_one_of_version_1_only() -> None:
    meter = Running(build)
    assert meter.put(SWITCH.control_mode, EncodedData.of(DataType.ENUM, 7)) is UNMATCHED
    other = Running(partial(build, version=1))
    assert other.set(DisconnectControlVersion1(SWITCH.instance_id).control_mode, ControlMode.MODE_7) is SUCCESS
    with pytest.raises(EncodeError):
        Running(partial(build, mode=ControlMode.MODE_7, version=2))


def test_what_cannot_be_configured_says_so() -> None:
    device = LogicalDevice("TST")
    with pytest.raises(ConfigurationError, match="versions"):
        DisconnectControlObject(device, version=3)
    with pytest.raises(ConfigurationError, match="always connected"):
        DisconnectControlObject(device, mode=ControlMode.ALWAYS_CONNECTED, state=OFF)
    with pytest.raises(ConfigurationError, match="only control_mode"):
        DisconnectControlObject(device, writable=("control_state",))
