"""Protection parameters: how data that is stored or pushed is protected (IEC 62056-6-2, 5.3; IEC 62056-5-3, 5.7).

::

    protection_parameters_element
        protection_type        authentication, encryption, both, digital signature
        protection_options     transaction id, system titles, other information
            key_info           identified key | wrapped key | agreed key
"""

from __future__ import annotations

from typing import Any, Final

from cosemic.model.compound import Choice, Structure, field
from cosemic.model.enumerated import EnumOf
from cosemic.model.formats import SystemTitle
from cosemic.model.forms import AlsoSeen, SeenAlso
from cosemic.model.types import OctetString
from cosemic.values import Enumeration, KekId


class ProtectionType(Enumeration):
    """What is done to the data."""

    AUTHENTICATION = 0
    ENCRYPTION = 1
    AUTHENTICATION_AND_ENCRYPTION = 2
    DIGITAL_SIGNATURE = 3


class KeyInfoType(Enumeration):
    """How the key is named."""

    IDENTIFIED_KEY = 0
    WRAPPED_KEY = 1
    AGREED_KEY = 2


class IdentifiedKey(Enumeration):
    """A key that both sides have."""

    GLOBAL_UNICAST_ENCRYPTION_KEY = 0
    GLOBAL_BROADCAST_ENCRYPTION_KEY = 1


class WrappedKeyOptions(Structure, name="wrapped_key_options"):
    """A key that comes with the data, wrapped."""

    kek_id: KekId | int = field(EnumOf(KekId))
    key_ciphered_data: bytes = field(OctetString)


class AgreedKeyOptions(Structure, name="agreed_key_options"):
    """A key that both sides derive."""

    key_parameters: bytes = field(OctetString)
    key_ciphered_data: bytes = field(OctetString)


class IdentifiedKeyStructure(Structure):
    """An identified key in the form of one server."""

    key_id: IdentifiedKey | int = field(EnumOf(IdentifiedKey, "identified_key_options"))


def _key_id(options: IdentifiedKeyStructure) -> IdentifiedKey | int:
    return options.key_id


KeyInfoOptions = IdentifiedKey | int | WrappedKeyOptions | AgreedKeyOptions
_IDENTIFIED_KEY: Final[AlsoSeen[Any]] = AlsoSeen(
    EnumOf(IdentifiedKey, "identified_key_options"), SeenAlso(IdentifiedKeyStructure, _key_id)
)
_KEY_INFO_OPTIONS: Final[Choice[KeyInfoOptions]] = Choice(
    identified_key=_IDENTIFIED_KEY, wrapped_key=WrappedKeyOptions, agreed_key=AgreedKeyOptions
)


class KeyInfoElement(Structure, name="key_info_element"):
    """Which key."""

    key_info_type: KeyInfoType | int = field(EnumOf(KeyInfoType))
    key_info_options: KeyInfoOptions = field(AlsoSeen(_KEY_INFO_OPTIONS, *_IDENTIFIED_KEY.seen_also))
    """The other form of an identified key has the tag of the other two: it is what fits neither."""


class ProtectionOptions(Structure, name="protection_options"):
    """Who protects for whom, and with which key; for a digital signature key_info says nothing."""

    transaction_id: bytes = field(OctetString)
    originator_system_title: bytes = field(SystemTitle)
    recipient_system_title: bytes = field(SystemTitle)
    other_information: bytes = field(OctetString)
    key_info: KeyInfoElement = field(KeyInfoElement)


class ProtectionParametersElement(Structure, name="protection_parameters_element"):
    """One layer of protection; a list of them is applied in its order."""

    protection_type: ProtectionType | int = field(EnumOf(ProtectionType))
    protection_options: ProtectionOptions = field(ProtectionOptions)
