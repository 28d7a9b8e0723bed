"""Interface class for the supply switch: Disconnect control (IEC 62056-6-2, 5.5).

The switch is in one of three states; a transition leads from one to another, and control_mode says which are allowed::

    a  remote_reconnect     DISCONNECTED            -> CONNECTED
    b  remote_disconnect    CONNECTED               -> DISCONNECTED
    c  remote_disconnect    READY_FOR_RECONNECTION  -> DISCONNECTED
    d  remote_reconnect     DISCONNECTED            -> READY_FOR_RECONNECTION
    e  manual_reconnect     READY_FOR_RECONNECTION  -> CONNECTED
    f  manual_disconnect    CONNECTED               -> READY_FOR_RECONNECTION
    g  local_disconnect     CONNECTED               -> READY_FOR_RECONNECTION
    h  local_reconnect      READY_FOR_RECONNECTION  -> CONNECTED

Remote is by a method, manual by a hand at the meter, local by the meter itself (Limiter, schedule).
"""

from __future__ import annotations

from typing import Final

from cosemic.model.common import ControlZero
from cosemic.model.enumerated import EnumOf
from cosemic.model.forms import SeenAlso
from cosemic.model.interface_class import InterfaceClass, attribute, dynamic, method, static
from cosemic.model.types import Boolean
from cosemic.values import Enumeration


class ControlState(Enumeration):
    """State of the switch as the meter sees it."""

    DISCONNECTED = 0
    CONNECTED = 1
    READY_FOR_RECONNECTION = 2


class ControlMode(Enumeration):
    """Which transitions are allowed: see :data:`TRANSITIONS`."""

    ALWAYS_CONNECTED = 0
    MODE_1 = 1
    MODE_2 = 2
    MODE_3 = 3
    MODE_4 = 4
    MODE_5 = 5
    MODE_6 = 6
    MODE_7 = 7


TRANSITIONS: Final = {
    ControlMode.MODE_1: "bc f g / d e",
    ControlMode.MODE_2: "bc f g / a e",
    ControlMode.MODE_3: "bc g / d e",
    ControlMode.MODE_4: "bc g / a e",
    ControlMode.MODE_5: "bc f g / d e h",
    ControlMode.MODE_6: "bc g / d e h",
    ControlMode.MODE_7: "bc g / a i e h",
}
"""Letters of the allowed transitions: disconnections, slash, reconnections. No transition where the mode is not listed.

Mode 7 is known from one implementation only; its transition i is a reconnection, local or remote, from a new state.
"""

_MODES: Final = EnumOf(
    ControlMode, members=[mode for mode in ControlMode if mode is not ControlMode.MODE_7], labels=TRANSITIONS
)
_MODES_OF_SPODES: Final = EnumOf(ControlMode, members=(), ranges={"spodes": range(129, 135)})


class _DisconnectControl(InterfaceClass):
    """What all versions share."""

    output_state = attribute(2, Boolean, dynamic)
    """Whether the supply is connected in fact."""
    control_state = attribute(3, EnumOf(ControlState), dynamic)

    remote_disconnect = method(1, ControlZero, sn_offset=0x20)
    remote_reconnect = method(2, ControlZero, sn_offset=0x28)


class DisconnectControlVersion0(_DisconnectControl, class_id=70, version=0, name="Disconnect control"):
    """The supply switch or valve; the version that meters have. The modes of SPODES are 129 to 134."""

    control_mode = attribute(4, _MODES, static, seen_also=(SeenAlso(_MODES_OF_SPODES, int),))


class DisconnectControlVersion1(_DisconnectControl, class_id=70, version=1, name="Disconnect control"):
    """With one more mode. Unverified: known from one implementation, which does not name the version."""

    control_mode = attribute(4, EnumOf(ControlMode, labels=TRANSITIONS), static)


class DisconnectControl(_DisconnectControl, class_id=70, version=2, name="Disconnect control"):
    """The version of the newest class list. Unverified: declared as version 0, its text was not seen."""

    control_mode = attribute(4, _MODES, static)
