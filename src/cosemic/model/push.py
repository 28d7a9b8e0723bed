"""Interface class for data that a meter sends by itself: Push setup (IEC 62056-6-2, 5.3).

What each version adds::

    version   push_object_list                    repetition_delay        besides
    0         attributes                          seconds
    1         and a restriction of the buffer     seconds                 port, client SAP, protection
    2, 3      and columns of the buffer           with back-off           operation method, confirmation, reset

What tells version 3 from version 2 is not established: both are declared alike.
"""

from __future__ import annotations

from typing import Final

from cosemic.model.common import CaptureObjectDefinition, ControlZero
from cosemic.model.compound import ArrayOf, Choice, Structure, field
from cosemic.model.enumerated import EnumOf
from cosemic.model.formats import DateOctets, DateTimeData, DateTimeOctets, LogicalName
from cosemic.model.forms import AlsoSeen, SeenAlso
from cosemic.model.interface_class import InterfaceClass, attribute, dynamic, method, static
from cosemic.model.protection import ProtectionParametersElement
from cosemic.model.types import DoubleLongUnsigned, Integer, LongUnsigned, NullData, OctetString, Unsigned
from cosemic.values import Date, DateTime, Enumeration, Obis

# ---- what is pushed --------------------------------------------------------------------------------------------------


class RestrictionType(Enumeration):
    """How the entries of a buffer are chosen."""

    NONE = 0
    BY_DATE = 1
    BY_ENTRY = 2


_DAY: Final[Choice[Date | DateTime]] = Choice(DateOctets, DateTimeOctets)


class RestrictionByDate(Structure, name="restriction_by_date"):
    """Entries from a date to a date."""

    from_date: Date | DateTime = field(_DAY)
    to_date: Date | DateTime = field(_DAY)


class RestrictionByEntry(Structure, name="restriction_by_entry"):
    """Entries from a number to a number."""

    from_entry: int = field(DoubleLongUnsigned)
    to_entry: int = field(DoubleLongUnsigned)


class EntryRange(Structure, name="entry_range"):
    """Entries from a number to a number, in fewer octets; one encoder sends them as restriction."""

    from_entry: int = field(LongUnsigned)
    to_entry: int = field(LongUnsigned)


def _by_entry(entries: EntryRange) -> RestrictionByEntry:
    return RestrictionByEntry(entries.from_entry, entries.to_entry)


_RESTRICTION: Final[Choice[RestrictionByDate | RestrictionByEntry | None]] = Choice(
    none=NullData, by_date=RestrictionByDate, by_entry=AlsoSeen(RestrictionByEntry, SeenAlso(EntryRange, _by_entry))
)


class RestrictionElement(Structure, name="restriction_element"):
    """Which entries of a buffer."""

    restriction_type: RestrictionType | int = field(EnumOf(RestrictionType))
    restriction_value: RestrictionByDate | RestrictionByEntry | None = field(_RESTRICTION)


class RestrictedObjectDefinition(Structure, name="restricted_object_definition"):
    """Which attribute, and of a buffer which entries."""

    class_id: int = field(LongUnsigned)
    logical_name: Obis = field(LogicalName)
    attribute_index: int = field(Integer)
    data_index: int = field(LongUnsigned)
    restriction: RestrictionElement = field(RestrictionElement)


class PushObjectDefinition(Structure, name="push_object_definition_v2"):
    """Which attribute, and of a buffer which entries and columns; no columns: all."""

    class_id: int = field(LongUnsigned)
    logical_name: Obis = field(LogicalName)
    attribute_index: int = field(Integer)
    data_index: int = field(LongUnsigned)
    restriction: RestrictionElement = field(RestrictionElement)
    columns: tuple[CaptureObjectDefinition, ...] = field(ArrayOf(CaptureObjectDefinition))


# ---- where to, when, how -------------------------------------------------------------------------------------------


class TransportService(Enumeration):
    """What carries the message; 200 to 255 are the manufacturer's, 8 to 10 came with newer versions."""

    TCP = 0
    UDP = 1
    FTP = 2
    SMTP = 3
    SMS = 4
    HDLC = 5
    M_BUS = 6
    ZIGBEE = 7
    DLMS_GATEWAY = 8
    COAP_RELIABLE = 9
    COAP_UNRELIABLE = 10


class PushMessage(Enumeration):
    """How the message is encoded; 128 to 255 are the manufacturer's."""

    A_XDR_APDU = 0
    XML_APDU = 1


class SendDestinationAndMethod(Structure, name="send_destination_and_method"):
    """Where to and how; the destination is text of the transport service: host:port, a telephone number ..."""

    transport_service: TransportService | int = field(
        EnumOf(TransportService, ranges={"manufacturer": range(200, 256)})
    )
    destination: bytes = field(OctetString)
    message: PushMessage | int = field(EnumOf(PushMessage, ranges={"manufacturer": range(128, 256)}))


class WindowElement(Structure, name="window_element"):
    """A window in time; with wildcards it comes again."""

    start_time: DateTime = field(DateTimeOctets)
    end_time: DateTime = field(DateTimeOctets)


class PushRepetitionDelay(Structure, name="push_repetition_delay"):
    """Delay before the n-th repetition: min * (exponent / 100) ** (n - 1), at most max; min and max in seconds."""

    repetition_delay_min: int = field(LongUnsigned)
    repetition_delay_exponent: int = field(LongUnsigned)
    repetition_delay_max: int = field(LongUnsigned)


class PushOperationMethod(Enumeration):
    """Whether the push is confirmed, and what a repetition waits for."""

    UNCONFIRMED_RETRY_ON_LOWER_LAYER_FAILURE = 0
    UNCONFIRMED_RETRY_ON_MISSING_LOWER_LAYER_CONFIRMATION = 1
    CONFIRMED_RETRY_ON_MISSING_CONFIRMATION = 2


class PushConfirmationParameters(Structure, name="push_confirmation_parameters"):
    """From when on data waits for confirmation, and for how many seconds."""

    confirmation_start_date: DateTime = field(DateTimeData)
    confirmation_interval: int = field(DoubleLongUnsigned)


# ---- the class -------------------------------------------------------------------------------------------------------


class _PushSetup(InterfaceClass):
    """What all versions share. An empty push_object_list stops the push; an empty communication_window is always."""

    send_destination_and_method = attribute(3, SendDestinationAndMethod, static)
    communication_window = attribute(4, ArrayOf(WindowElement), static)
    randomisation_start_interval = attribute(5, LongUnsigned, static)
    """Seconds; the push starts at a random moment of it."""
    number_of_retries = attribute(6, Unsigned, static)


class PushSetupVersion0(_PushSetup, class_id=40, version=0, name="Push setup"):
    """What to push, where to, and when; attribute_index 0 stands for all public attributes of an object."""

    push_object_list = attribute(2, ArrayOf(CaptureObjectDefinition), static)
    repetition_delay = attribute(7, LongUnsigned, static)
    """Seconds."""

    push = method(1, ControlZero, sn_offset=0x38)


class _WithProtection(_PushSetup):
    """What the versions that know port, client and protection share."""

    port_reference = attribute(8, LogicalName, static)
    push_client_SAP = attribute(9, Integer, static)  # noqa: N815 - the standard's name
    push_protection_parameters = attribute(10, ArrayOf(ProtectionParametersElement), static)


class PushSetupVersion1(_WithProtection, class_id=40, version=1, name="Push setup"):
    """With port, client SAP, protection, and a restriction of what is pushed of a buffer."""

    push_object_list = attribute(2, ArrayOf(RestrictedObjectDefinition), static)
    repetition_delay = attribute(7, LongUnsigned, static)
    """Seconds."""

    push = method(1, ControlZero, sn_offset=0x50)


class _WithConfirmation(_WithProtection):
    """What versions 2 and 3 share."""

    push_object_list = attribute(2, ArrayOf(PushObjectDefinition), static)
    repetition_delay = attribute(7, PushRepetitionDelay, static)
    push_operation_method = attribute(11, EnumOf(PushOperationMethod), static)
    confirmation_parameters = attribute(12, PushConfirmationParameters, static)
    last_confirmation_date_time = attribute(13, DateTimeData, dynamic)

    push = method(1, ControlZero, sn_offset=0x68)
    reset = method(2, ControlZero, sn_offset=0x70)


class PushSetupVersion2(_WithConfirmation, class_id=40, version=2, name="Push setup"):
    """With columns of a buffer, confirmation, and delays that grow."""


class PushSetup(_WithConfirmation, class_id=40, version=3, name="Push setup"):
    """What to push, to whom, when, with which protection and confirmation."""
