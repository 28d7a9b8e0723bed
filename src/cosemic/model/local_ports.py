"""Interface class for ports that carry HDLC frames: IEC HDLC setup (IEC 62056-6-2, 5.6; IEC 62056-46)."""

from __future__ import annotations

from typing import Final

from cosemic.model.enumerated import EnumOf
from cosemic.model.interface_class import InterfaceClass, attribute, static
from cosemic.model.types import LongUnsigned, Unsigned
from cosemic.values import Enumeration


class Baud(Enumeration):
    """Speed of a port; the name says it in bits per second."""

    BAUD_300 = 0
    BAUD_600 = 1
    BAUD_1200 = 2
    BAUD_2400 = 3
    BAUD_4800 = 4
    BAUD_9600 = 5
    BAUD_19200 = 6
    BAUD_38400 = 7
    BAUD_57600 = 8
    BAUD_115200 = 9

    @property
    def bits_per_second(self) -> int:
        """The speed as a number: 9600."""
        return int(self.name.removeprefix("BAUD_"))


BaudRate: Final = EnumOf(Baud, "baud")


class _IECHDLCSetup(InterfaceClass):
    """What both versions share. Lengths are in octets, windows in frames."""

    comm_speed = attribute(2, BaudRate, static, default=Baud.BAUD_9600)
    window_size_transmit = attribute(3, Unsigned.within(1, 7), static, default=1)
    window_size_receive = attribute(4, Unsigned.within(1, 7), static, default=1)
    inactivity_time_out = attribute(8, LongUnsigned, static, default=120)
    """Seconds; 0: never."""
    device_address = attribute(9, LongUnsigned.within(0x10, 0x3FFD), static)
    """The lower HDLC address; at most 0x7D where one octet carries it."""


class IECHDLCSetup(_IECHDLCSetup, class_id=23, version=1, name="IEC HDLC setup"):
    """One HDLC channel: speed, window sizes, lengths of information fields, time-outs, address."""

    max_info_field_length_transmit = attribute(5, LongUnsigned.within(32, 2030), static, default=128)
    max_info_field_length_receive = attribute(6, LongUnsigned.within(32, 2030), static, default=128)
    inter_octet_time_out = attribute(7, LongUnsigned.within(20, 6000), static, default=25)
    """Milliseconds."""


class IECHDLCSetupVersion0(_IECHDLCSetup, class_id=23, version=0, name="IEC HDLC setup"):
    """The first form: information fields of at most 128 octets."""

    max_info_field_length_transmit = attribute(5, Unsigned.within(32, 128), static, default=128)
    max_info_field_length_receive = attribute(6, Unsigned.within(32, 128), static, default=128)
    inter_octet_time_out = attribute(7, LongUnsigned.within(20, 1000), static, default=30)
    """Milliseconds."""
