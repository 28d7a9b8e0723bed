"""Disconnect control of a device (class 70 versions 0 to 2; IEC 62056-6-2, 5.5): the supply switch or valve.

::

    a  remote_reconnect     DISCONNECTED            -> CONNECTED
    b  remote_disconnect    CONNECTED               -> DISCONNECTED
    c  remote_disconnect    READY_FOR_RECONNECTION  -> DISCONNECTED
    d  remote_reconnect     DISCONNECTED            -> READY_FOR_RECONNECTION
    e  manual_reconnect     READY_FOR_RECONNECTION  -> CONNECTED
    f  manual_disconnect    CONNECTED               -> READY_FOR_RECONNECTION
    g  local_disconnect     CONNECTED               -> READY_FOR_RECONNECTION
    h  local_reconnect      READY_FOR_RECONNECTION  -> CONNECTED

control_mode says which of them there are (:data:`cosemic.model.disconnect.TRANSITIONS`). In mode 0 the switch is always
connected, and a client that writes mode 0 connects it; any other mode leaves the state as it is. Of mode 7, which only
version 1 has, transition i is not known and never made. output_state is true in CONNECTED alone.

A hand at the meter and the meter itself (limiter, schedule: as a built-in script) move the switch with the methods of
Python: what the mode does not allow leaves the switch as it is. Methods of COSEM are answered:

==================  ====================================================================================================
success             the transition is made, or the switch is already where the method leads to
other-reason        the mode has no such transition
temporary-failure   the mode has none from this state: in modes 2 and 4 READY_FOR_RECONNECTION waits for a hand
==================  ====================================================================================================

The device tells ``remote-disconnection``, ``remote-reconnection``, ``ready-for-manual-reconnection`` (transition d),
``manual-disconnection``, ``manual-reconnection``, ``local-disconnection``, ``local-reconnection``, with detail obis.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

from cosemic.errors import ConfigurationError
from cosemic.model import ControlMode, ControlState, DisconnectControl, DisconnectControlVersion0
from cosemic.model.disconnect import TRANSITIONS, DisconnectControlVersion1
from cosemic.server.kept import KeptObject
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused
from cosemic.values import DataAccessResult, Obis

_VERSIONS: Final = {0: DisconnectControlVersion0, 1: DisconnectControlVersion1, 2: DisconnectControl}


class _Transition(NamedTuple):
    """What causes it, where it leads from and to, and what the device tells of it."""

    cause: str
    source: ControlState
    target: ControlState
    happening: str


_DISCONNECTED, _CONNECTED, _READY = ControlState
_TRANSITIONS: Final = {
    "a": _Transition("remote_reconnect", _DISCONNECTED, _CONNECTED, "remote-reconnection"),
    "b": _Transition("remote_disconnect", _CONNECTED, _DISCONNECTED, "remote-disconnection"),
    "c": _Transition("remote_disconnect", _READY, _DISCONNECTED, "remote-disconnection"),
    "d": _Transition("remote_reconnect", _DISCONNECTED, _READY, "ready-for-manual-reconnection"),
    "e": _Transition("manual_reconnect", _READY, _CONNECTED, "manual-reconnection"),
    "f": _Transition("manual_disconnect", _CONNECTED, _READY, "manual-disconnection"),
    "g": _Transition("local_disconnect", _CONNECTED, _READY, "local-disconnection"),
    "h": _Transition("local_reconnect", _READY, _CONNECTED, "local-reconnection"),
}


class DisconnectControlObject(KeptObject):
    """A disconnect control.

    device: that tells what happens. mode: control_mode. state: control_state, CONNECTED in mode 0. version: 0 to 2.
    writable: names of attributes that clients may write.

    Raises ConfigurationError; EncodeError for a mode that the version does not have.
    """

    def __init__(
        self,
        device: LogicalDevice,
        instance_id: Obis | str = "0-0:96.3.10",
        mode: ControlMode = ControlMode.MODE_1,
        state: ControlState = ControlState.CONNECTED,
        *,
        version: int = 0,
        writable: Collection[str] = ("control_mode",),
    ) -> None:
        if version not in _VERSIONS:
            raise ConfigurationError(f"Disconnect control has versions 0 to 2, not {version}")
        if mode is ControlMode.ALWAYS_CONNECTED and state is not _CONNECTED:
            raise ConfigurationError("in control mode 0 the switch is always connected")
        if not set(writable) <= {"control_mode"}:
            raise ConfigurationError("of Disconnect control only control_mode is written")
        self.changing: list[Callable[[dt.datetime], None]] = []
        """Called with true time just before the supply is connected or disconnected."""
        self._device = device
        super().__init__(
            _VERSIONS[version](instance_id),
            {"control_state": state, "control_mode": mode},
            writable=writable,
            methods={
                "remote_disconnect": lambda _, situation: self._remote("remote_disconnect", situation.now),
                "remote_reconnect": lambda _, situation: self._remote("remote_reconnect", situation.now),
            },
        )
        self.put("output_state", lambda now: self.connected)

    # ---- what it shows ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> ControlState:
        """The control_state."""
        state: ControlState = self.value("control_state")
        return state

    @property
    def mode(self) -> ControlMode:
        """The control_mode."""
        mode: ControlMode = self.value("control_mode")
        return mode

    @property
    def connected(self) -> bool:
        """Whether the supply is connected: the output_state."""
        return self.state is _CONNECTED

    # ---- by hand, and by the meter itself ---------------------------------------------------------------------------

    def manual_disconnect(self, at: dt.datetime) -> None:
        """Disconnect by hand, at a moment of true time, if the mode allows it. Raises StoreError."""
        self._move("manual_disconnect", at)

    def manual_reconnect(self, at: dt.datetime) -> None:
        """Reconnect by hand, if the mode allows it. Raises StoreError."""
        self._move("manual_reconnect", at)

    def press_button(self, at: dt.datetime) -> None:
        """Press the one button of the meter: connect or disconnect, if the mode allows it. Raises StoreError."""
        self._move("manual_disconnect" if self.connected else "manual_reconnect", at)

    def local_disconnect(self, at: dt.datetime) -> None:
        """Disconnect by the meter itself, if the mode allows it. Raises StoreError."""
        self._move("local_disconnect", at)

    def local_reconnect(self, at: dt.datetime) -> None:
        """Reconnect by the meter itself, if the mode allows it. Raises StoreError."""
        self._move("local_reconnect", at)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Let what counts the supply settle, where mode 0 is going to connect it."""
        if at is not None and value is ControlMode.ALWAYS_CONNECTED and not self.connected:
            self._tell_changing(at)

    def taken(self, name: str, at: dt.datetime) -> None:
        """Connect the supply in mode 0."""
        if self.mode is ControlMode.ALWAYS_CONNECTED and not self.connected:
            self.keep("control_state", _CONNECTED)

    def _remote(self, cause: str, at: dt.datetime) -> None:
        ways = [one for one in self._ways() if one.cause == cause]
        if not ways:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        if not self._move(cause, at) and self.state not in {one.target for one in ways} | self._beyond(cause):
            raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)

    @staticmethod
    def _beyond(cause: str) -> set[ControlState]:
        """States in which nothing is left to do for a method: what is connected need not get ready for it."""
        return {_CONNECTED} if cause == "remote_reconnect" else {_DISCONNECTED}

    def _move(self, cause: str, at: dt.datetime) -> bool:
        """Make the transition that something causes in this state; return whether there is one."""
        state = self.state
        for one in self._ways():
            if (one.cause, one.source) == (cause, state):
                if _CONNECTED in (one.source, one.target):
                    self._tell_changing(at)
                self.keep("control_state", one.target)
                self._device.tell(one.happening, at, obis=self.instance_id)
                return True
        return False

    def _ways(self) -> list[_Transition]:
        letters = TRANSITIONS.get(self.mode, "")
        return [one for letter, one in _TRANSITIONS.items() if letter in letters]

    def _tell_changing(self, at: dt.datetime) -> None:
        for follower in self.changing:
            follower(at)
