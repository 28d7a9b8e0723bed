"""Interface class for M-Bus slaves of a meter: M-Bus client (IEC 62056-6-2, 5.7; EN 13757-3)."""

from __future__ import annotations

from typing import Any, Final

from cosemic.model.common import ControlZero, SimpleData
from cosemic.model.compound import ArrayOf, Structure, field
from cosemic.model.enumerated import EnumOf
from cosemic.model.formats import LogicalName
from cosemic.model.forms import AlsoSeen, SeenAlso
from cosemic.model.interface_class import InterfaceClass, attribute, dynamic, method, static
from cosemic.model.types import DoubleLongUnsigned, LongUnsigned, OctetString, Unsigned
from cosemic.values import Enumeration


class CaptureDefinitionElement(Structure, name="capture_definition_element"):
    """What is captured from the slave: the information blocks of its data record (DIF and DIFE, VIF and VIFE)."""

    data_information_block: bytes = field(OctetString)
    value_information_block: bytes = field(OctetString)


class CaptureDefinitionOfNumber(Structure):
    """The form of one encoder: a data information block of one octet as a number."""

    data_information_block: int = field(Unsigned)
    value_information_block: bytes = field(OctetString)


def _as_octets(element: CaptureDefinitionOfNumber) -> CaptureDefinitionElement:
    return CaptureDefinitionElement(bytes((element.data_information_block,)), element.value_information_block)


class MBusDataElement(Structure, name="mbus_data_element"):
    """A data record for the slave."""

    data_information_block: bytes = field(OctetString)
    value_information_block: bytes = field(OctetString)
    data: Any = field(SimpleData)


class EncryptionKeyStatus(Enumeration):
    """How far the encryption key of the slave has come."""

    NO_ENCRYPTION_KEY = 0
    ENCRYPTION_KEY_SET = 1
    ENCRYPTION_KEY_TRANSFERRED = 2
    ENCRYPTION_KEY_SET_AND_TRANSFERRED = 3
    ENCRYPTION_KEY_IN_USE = 4


_CAPTURE_DEFINITION: Final = ArrayOf(
    AlsoSeen(CaptureDefinitionElement, SeenAlso(CaptureDefinitionOfNumber, _as_octets))
)
_KEY: Final = OctetString[0, 16]
_NO_ADDRESS: Final = (SeenAlso(ControlZero, int),)


class _MBusClient(InterfaceClass):
    """What all versions share. capture_period is in seconds; 0: captured when triggered only."""

    mbus_port_reference = attribute(2, LogicalName, static)
    capture_definition = attribute(3, _CAPTURE_DEFINITION, static)
    capture_period = attribute(4, DoubleLongUnsigned, static)
    primary_address = attribute(5, Unsigned, dynamic)
    identification_number = attribute(6, DoubleLongUnsigned, dynamic)
    manufacturer_id = attribute(7, LongUnsigned, dynamic)
    version_ = attribute(8, Unsigned, dynamic)
    device_type = attribute(9, Unsigned, dynamic)
    access_number = attribute(10, Unsigned, dynamic)
    status = attribute(11, Unsigned, dynamic)
    alarm = attribute(12, Unsigned, dynamic)


class MBusClientVersion0(_MBusClient, class_id=72, version=0, name="M-Bus client"):
    """One slave on the M-Bus: who it is, what is captured from it, its status and its keys."""

    slave_install = method(1, Unsigned, sn_offset=0x60, seen_also=_NO_ADDRESS)
    """The primary address that the slave gets."""
    slave_deinstall = method(2, ControlZero, sn_offset=0x68)
    capture = method(3, ControlZero, sn_offset=0x70)
    reset_alarm = method(4, ControlZero, sn_offset=0x78)
    synchronize_clock = method(5, ControlZero, sn_offset=0x80)
    data_send = method(6, ArrayOf(MBusDataElement), sn_offset=0x88)
    set_encryption_key = method(7, _KEY, sn_offset=0x90)
    """No octets: encryption off."""
    transfer_key = method(8, OctetString, sn_offset=0x98)
    """Wrapped with the default key of the slave."""


class _MBusClientWithKeyStatus(_MBusClient):
    """What the versions since EN 13757-3:2013 share."""

    configuration = attribute(13, LongUnsigned, dynamic)
    encryption_key_status = attribute(14, EnumOf(EncryptionKeyStatus), dynamic)

    slave_install = method(1, Unsigned, sn_offset=0x70, seen_also=_NO_ADDRESS)
    """The primary address that the slave gets."""
    slave_deinstall = method(2, ControlZero, sn_offset=0x78)
    capture = method(3, ControlZero, sn_offset=0x80)
    reset_alarm = method(4, ControlZero, sn_offset=0x88)
    synchronize_clock = method(5, ControlZero, sn_offset=0x90)
    data_send = method(6, ArrayOf(MBusDataElement), sn_offset=0x98)
    set_encryption_key = method(7, _KEY, sn_offset=0xA0)
    """No octets: encryption off."""
    transfer_key = method(8, OctetString, sn_offset=0xA8)
    """Wrapped with the default key of the slave."""


class MBusClientVersion1(_MBusClientWithKeyStatus, class_id=72, version=1, name="M-Bus client"):
    """With the configuration field of EN 13757-3:2013, and the status of the key."""


class MBusClient(_MBusClientWithKeyStatus, class_id=72, version=2, name="M-Bus client"):
    """The version of the newest class lists. Unverified: declared as version 1, its text was not seen."""
