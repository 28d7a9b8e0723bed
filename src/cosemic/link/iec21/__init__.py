"""IEC 62056-21: read-out and programming of meters over an optical head or a current loop, modes A to E.

:class:`Iec21Client` reads, :class:`Iec21Server` is a meter; :class:`ModeEClientLink` and :class:`ModeEServerLink` sign
on and hand over to HDLC. :func:`read_readout` and :func:`read_command` read what somebody has captured.

>>> client = Iec21Client()
>>> client.send(DataReadout())      # a driver brings Completed(request, readout)
>>> readout.value("1.8.0")
Quantity(raw=1234, scaler=2, unit=Unit(30: Wh))
"""

from cosemic.link.iec21.client import Iec21Client
from cosemic.link.iec21.datasets import DataSet, Value
from cosemic.link.iec21.messages import Command, DataMessage, Identification, Mode, OptionSelect, Signal
from cosemic.link.iec21.mode_e import ModeEClientLink, ModeEServerLink
from cosemic.link.iec21.provider import DataProvider, MeterData
from cosemic.link.iec21.readout import CapturedCommand, Readout, read_command, read_readout
from cosemic.link.iec21.requests import (
    Completed,
    DataReadout,
    EnterHdlc,
    EnterProgramming,
    Event,
    Execute,
    Failed,
    Listen,
    Password,
    Read,
    Request,
    SignedOff,
    SignedOn,
    SignOff,
    Write,
)
from cosemic.link.iec21.server import HandedOver, Iec21Server, SessionBegan, SessionEnded
from cosemic.link.iec21.settings import ClientSettings, Confirmation, ServerSettings, WakeUp

__all__ = [
    "CapturedCommand",
    "ClientSettings",
    "Command",
    "Completed",
    "Confirmation",
    "DataMessage",
    "DataProvider",
    "DataReadout",
    "DataSet",
    "EnterHdlc",
    "EnterProgramming",
    "Event",
    "Execute",
    "Failed",
    "HandedOver",
    "Identification",
    "Iec21Client",
    "Iec21Server",
    "Listen",
    "MeterData",
    "Mode",
    "ModeEClientLink",
    "ModeEServerLink",
    "OptionSelect",
    "Password",
    "Read",
    "Readout",
    "Request",
    "ServerSettings",
    "SessionBegan",
    "SessionEnded",
    "SignOff",
    "Signal",
    "SignedOff",
    "SignedOn",
    "Value",
    "WakeUp",
    "Write",
    "read_command",
    "read_readout",
]
