"""DLMS over M-Bus (IEC 62056-7-3, EN 13757-2, -3, -4, -7), wired and by radio.

- :mod:`~cosemic.link.mbus.frame`, :mod:`~cosemic.link.mbus.stream`: wired frames, and finding them in a stream.
- :mod:`~cosemic.link.mbus.header`: device addresses, short and long headers.
- :mod:`~cosemic.link.mbus.transport`: CI fields of DLMS, segments, joining them.
- :mod:`~cosemic.link.mbus.wireless`, :mod:`~cosemic.link.mbus.extended`: frames by radio, and the layers inside them.
- :mod:`~cosemic.link.mbus.master`, :mod:`~cosemic.link.mbus.slave`: the link layer both ways.
- :mod:`~cosemic.link.mbus.push`: meters that send without being asked.
"""

from __future__ import annotations

from cosemic.link.mbus.extended import ExtendedLinkLayer, FragmentationLayer, split_layers
from cosemic.link.mbus.frame import BUS, E5, MbusFrame, SingleCharacter, Telegram, decode_frame
from cosemic.link.mbus.header import (
    LONG_HEADER,
    DeviceAddress,
    LongHeader,
    ShortHeader,
    manufacturer_code,
    manufacturer_letters,
)
from cosemic.link.mbus.master import MbusMasterLink
from cosemic.link.mbus.push import MbusPushLink, WirelessPushLink
from cosemic.link.mbus.slave import MbusSlaveLink
from cosemic.link.mbus.stream import MbusStreamReader
from cosemic.link.mbus.transport import (
    LAST_SEGMENT_CI,
    Reassembler,
    SapOrder,
    Segment,
    carries_dlms,
    decode_segment,
    segments,
)
from cosemic.link.mbus.wireless import WirelessFormat, WirelessFrame, decode_wireless

__all__ = [
    "BUS",
    "E5",
    "LAST_SEGMENT_CI",
    "LONG_HEADER",
    "DeviceAddress",
    "ExtendedLinkLayer",
    "FragmentationLayer",
    "LongHeader",
    "MbusFrame",
    "MbusMasterLink",
    "MbusPushLink",
    "MbusSlaveLink",
    "MbusStreamReader",
    "Reassembler",
    "SapOrder",
    "Segment",
    "ShortHeader",
    "SingleCharacter",
    "Telegram",
    "WirelessFormat",
    "WirelessFrame",
    "WirelessPushLink",
    "carries_dlms",
    "decode_frame",
    "decode_segment",
    "decode_wireless",
    "manufacturer_code",
    "manufacturer_letters",
    "segments",
    "split_layers",
]
