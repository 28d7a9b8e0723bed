"""Unsolicited services (IEC 62056-5-3): DataNotification, DataNotification-Confirm, EventNotification.

::

    0F long-invoke-id  date-time  Data          date-time: 00 | 0C and 12 octets | 09 0C and 12 octets (Kaifa)
    10 long-invoke-id  date-time
    C2 [time]  attribute descriptor  Data       time: 00 | 01 0C and 12 octets | 01 and 12 octets (older ASN.1)
"""

from __future__ import annotations

from typing import Annotated

from cosemic.apdu.common import CosemAttributeDescriptor, LongInvokeId
from cosemic.codec import EncodedData, Hook, OctetString, Sequence, encode_length, read_length
from cosemic.errors import DecodeError


def _read_octets(buffer: bytes, position: int) -> tuple[bytes, int]:
    count, position = read_length(buffer, position)
    end = position + count
    if end > len(buffer):
        raise DecodeError(f"{count} octets of date-time, {len(buffer) - position} are left", len(buffer))
    return buffer[position:end], end


def _read_date_time(buffer: bytes, position: int) -> tuple[bytes, int]:
    """OCTET STRING; 09 0C in its place is a date-time with a Data tag in front, told apart by these two octets."""
    return _read_octets(buffer, position + 1 if buffer[position : position + 2] == b"\x09\x0c" else position)


def _write_date_time(value: bytes) -> bytes:
    """The length in a longer form where nine octets would read as a tag and twelve."""
    return (b"\x81\x09" if len(value) == 9 and value[0] == 0x0C else encode_length(len(value))) + value


def _read_time(buffer: bytes, position: int) -> tuple[bytes | None, int]:
    """OPTIONAL OCTET STRING; twelve octets without length where a year (07..) follows the presence octet."""
    flag = buffer[position : position + 1]
    if flag == b"\x00":
        return None, position + 1
    if flag != b"\x01":
        raise DecodeError("presence 00 or 01 of the time", position)
    if buffer[position + 1 : position + 2] == b"\x07":
        end = position + 13
        if end > len(buffer):
            raise DecodeError(f"{end - len(buffer)} more octets of the time", len(buffer))
        return buffer[position + 1 : end], end
    return _read_octets(buffer, position + 1)


class TimeWithoutLength(bytes):
    """The time of an event-notification, twelve octets, to be sent as older editions do."""

    __slots__ = ()


def _write_time(value: bytes | None) -> bytes:
    """The length in a longer form where seven octets would read as the first of a year."""
    if value is None:
        return b"\x00"
    if isinstance(value, TimeWithoutLength) and len(value) == 12 and value[0] == 7:
        return b"\x01" + value
    return b"\x01" + (b"\x81\x07" if len(value) == 7 else encode_length(len(value))) + value


class DataNotification(Sequence, tag=15):
    """Data-Notification; ``date_time`` is empty where the sender gives none."""

    long_invoke_id_and_priority: LongInvokeId
    date_time: Annotated[bytes, Hook(_read_date_time, _write_date_time, bytes)]
    notification_body: EncodedData


class DataNotificationConfirm(Sequence, tag=16):
    """Data-Notification-Confirm."""

    long_invoke_id_and_priority: LongInvokeId
    date_time: OctetString


class EventNotificationRequest(Sequence, tag=194):
    """Event-Notification-Request; always unconfirmed."""

    time: Annotated[bytes | None, Hook(_read_time, _write_time, bytes)]
    cosem_attribute_descriptor: CosemAttributeDescriptor
    attribute_value: EncodedData
