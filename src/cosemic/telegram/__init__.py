"""Readers of what meters push or show without APDUs. No I/O: octets in, a value or a DecodeError out."""

from cosemic.link.iec21.datasets import DataSet
from cosemic.telegram.p1 import P1Telegram, crc16_arc, read_p1

__all__ = ["DataSet", "P1Telegram", "crc16_arc", "read_p1"]
