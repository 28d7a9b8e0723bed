"""The inspector: any octets into layers, names and values.

:func:`decode` acts on nothing that it reads, so it may show what no association would deliver: content whose tag is
wrong or cannot be checked. It is marked so (``tag_ok``).
"""

from cosemic.inspector.decoded import KINDS, Decoded, FrameEntry, decode
from cosemic.inspector.hdlc import HdlcLayer
from cosemic.inspector.layers import Entry, GbtLayer, Layer
from cosemic.inspector.mbus import MbusEntry, MbusLayer, WirelessMbusLayer
from cosemic.inspector.message import Message, Protection, Unreadable

__all__ = [
    "KINDS",
    "Decoded",
    "Entry",
    "FrameEntry",
    "GbtLayer",
    "HdlcLayer",
    "Layer",
    "MbusEntry",
    "MbusLayer",
    "Message",
    "Protection",
    "Unreadable",
    "WirelessMbusLayer",
    "decode",
]
