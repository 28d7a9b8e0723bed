"""Objects of our meter that only hold values, one for each class and version that no part of the server brings to life.

Association SN, ports, push, networks, modems, security and the older versions of what behaves in its newest one. The
values are made up; each has the type that IEC 62056-6-2 gives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

from cosemic.codec import DataType
from cosemic.model import (
    AssociationSN,
    AssociationSNVersion0,
    AssociationSNVersion1,
    AssociationSNVersion2,
    AssociationSNVersion3,
    CaptureObjectDefinition,
    DataProtection,
    GPRSModemSetup,
    GSMDiagnostic,
    GSMDiagnosticVersion0,
    GSMDiagnosticVersion1,
    IECHDLCSetup,
    IECHDLCSetupVersion0,
    IPv4Setup,
    MACAddressSetup,
    ProfileGenericVersion0,
    PushSetup,
    PushSetupVersion0,
    PushSetupVersion1,
    PushSetupVersion2,
    SecuritySetup,
    SecuritySetupVersion0,
    SortMethod,
    TCPUDPSetup,
)
from cosemic.model.access_control import (
    AttributeAccessItemV1,
    AttributeAccessItemV3,
    AttributeAccessModeV1,
    AttributeAccessModeV3,
    MethodAccessItemV1,
    MethodAccessItemV3,
    MethodAccessModeV1,
    MethodAccessModeV3,
    UserListEntry,
)
from cosemic.model.association_sn import SNAccessRightsElementV2, SNAccessRightsElementV4, SNObjectListElement
from cosemic.model.internet import IPOption
from cosemic.model.local_ports import Baud
from cosemic.model.modem import (
    AdjacentCellV0,
    AdjacentCellV1,
    CellInfoV0,
    CellInfoV1,
    CircuitSwitchedStatus,
    ModemRegistrationStatus,
    PacketSwitchedStatus,
    QoSElement,
    QualityOfService,
)
from cosemic.model.protection import (
    IdentifiedKey,
    KeyInfoElement,
    KeyInfoType,
    ProtectionOptions,
    ProtectionParametersElement,
    ProtectionType,
)
from cosemic.model.push import (
    PushConfirmationParameters,
    PushMessage,
    PushObjectDefinition,
    PushOperationMethod,
    PushRepetitionDelay,
    RestrictedObjectDefinition,
    RestrictionByDate,
    RestrictionByEntry,
    RestrictionElement,
    RestrictionType,
    SendDestinationAndMethod,
    TransportService,
    WindowElement,
)
from cosemic.model.security_setup import (
    CertificateEntity,
    CertificateInfo,
    CertificateType,
    SecurityPolicyV0,
    SecurityPolicyV1,
    SecuritySuiteV0,
    SecuritySuiteV1,
)
from cosemic.server import CosemObject, data
from cosemic.values import BitString, Date, DateTime, Obis
from interop import meter

_CLOCK, _ENERGY = Obis(meter.CLOCK), Obis(meter.ENERGY_IMPORT)
_STAMP = DateTime(meter.clock_octets(meter.UNTIL))
_DAY = DateTime.of(hour=6, minute=0, second=0, hundredths=0), DateTime.of(hour=22, minute=0, second=0, hundredths=0)

_CLOCK_TIME = CaptureObjectDefinition(8, _CLOCK, 2, 0)
_ENERGY_VALUE = CaptureObjectDefinition(3, _ENERGY, 2, 0)


def _date(day: int) -> Date:
    return Date.of(year=2026, month=11, day_of_month=day)


_PROTECTION = ProtectionParametersElement(
    ProtectionType.AUTHENTICATION_AND_ENCRYPTION,
    ProtectionOptions(
        b"\x01\x02",
        meter.METER_TITLE,
        b"HES\x00\x00\x00\x00\x01",
        b"",
        KeyInfoElement(KeyInfoType.IDENTIFIED_KEY, IdentifiedKey.GLOBAL_UNICAST_ENCRYPTION_KEY),
    ),
)
_RESTRICTIONS = (
    RestrictionElement(RestrictionType.NONE, None),
    RestrictionElement(RestrictionType.BY_DATE, RestrictionByDate(_date(1), _date(2))),
    RestrictionElement(RestrictionType.BY_ENTRY, RestrictionByEntry(1, 96)),
)
_SHORT_NAMES = (
    SNObjectListElement(0xFA00, 12, 4, Obis("0-0:40.0.0")),
    SNObjectListElement(0x2000, 8, 0, _CLOCK),
    SNObjectListElement(0x3000, 3, 0, _ENERGY),
)


def _push(name: str) -> Iterator[CosemObject]:
    common = {
        "send_destination_and_method": SendDestinationAndMethod(
            TransportService.TCP, b"192.0.2.7:4059", PushMessage(0)
        ),
        "communication_window": [WindowElement(*_DAY)],
        "randomisation_start_interval": 60,
        "number_of_retries": 3,
    }
    protected = common | {
        "port_reference": Obis("0-0:25.0.0"),
        "push_client_SAP": 1,
        "push_protection_parameters": [_PROTECTION],
    }
    buffer = (7, Obis(meter.LOAD_PROFILE), 2, 0)
    confirmed: dict[str, Any] = protected | {
        "push_object_list": [PushObjectDefinition(*buffer, one, (_ENERGY_VALUE,)) for one in _RESTRICTIONS],
        "repetition_delay": PushRepetitionDelay(10, 200, 600),
        "push_operation_method": PushOperationMethod.CONFIRMED_RETRY_ON_MISSING_CONFIRMATION,
        "confirmation_parameters": PushConfirmationParameters(_STAMP, 3600),
        "last_confirmation_date_time": _STAMP,
    }
    plain = {"push_object_list": [_CLOCK_TIME, _ENERGY_VALUE], "repetition_delay": 30}
    restricted = {
        "push_object_list": [RestrictedObjectDefinition(*buffer, one) for one in _RESTRICTIONS],
        "repetition_delay": 30,
    }
    yield CosemObject(PushSetupVersion0(name.format(0)), common | plain)
    yield CosemObject(PushSetupVersion1(name.format(1)), protected | restricted)
    yield CosemObject(PushSetupVersion2(name.format(2)), confirmed)
    yield CosemObject(PushSetup(name.format(3)), confirmed)


def _association_sn(name: str) -> Iterator[CosemObject]:
    listed = {"object_list": _SHORT_NAMES}
    secured = listed | {"security_setup_reference": Obis("0-0:43.0.0")}
    v2 = SNAccessRightsElementV2(
        0x3000,
        tuple(AttributeAccessItemV1(n, AttributeAccessModeV1.READ_ONLY, None) for n in (1, 2, 3)),
        (MethodAccessItemV1(1, MethodAccessModeV1.ACCESS),),
    )
    v4 = SNAccessRightsElementV4(
        0x3000,
        tuple(AttributeAccessItemV3(n, AttributeAccessModeV3.READ_ACCESS, None) for n in (1, 2, 3)),
        (MethodAccessItemV3(1, MethodAccessModeV3.ACCESS),),
    )
    users = {
        "user_list": [UserListEntry(1, "operator"), UserListEntry(2, "auditor")],
        "current_user": UserListEntry(0, ""),
    }
    yield CosemObject(AssociationSNVersion0(name.format(0)), listed)
    yield CosemObject(AssociationSNVersion1(name.format(1)), listed)
    yield CosemObject(AssociationSNVersion2(name.format(2)), secured | {"access_rights_list": [v2]})
    yield CosemObject(AssociationSNVersion3(name.format(3)), secured | users | {"access_rights_list": [v2]})
    yield CosemObject(AssociationSN(name.format(4)), secured | users | {"access_rights_list": [v4]})


def _ports(name: str) -> Iterator[CosemObject]:
    values = {
        "comm_speed": Baud.BAUD_9600,
        "window_size_transmit": 1,
        "window_size_receive": 1,
        "max_info_field_length_transmit": 128,
        "max_info_field_length_receive": 128,
        "inter_octet_time_out": 30,
        "inactivity_time_out": 120,
        "device_address": 17,
    }
    yield CosemObject(IECHDLCSetupVersion0(name.format(0)), values)
    yield CosemObject(IECHDLCSetup(name.format(1)), values)


def _internet() -> Iterator[CosemObject]:
    address = IPv4Address("192.0.2.17")
    yield CosemObject(
        TCPUDPSetup("0-0:25.0.0"),
        {
            "TCP_UDP_port": 4059,
            "IP_reference": Obis("0-0:25.1.0"),
            "MSS": 576,
            "nb_of_sim_conn": 2,
            "inactivity_time_out": 180,
        },
    )
    yield CosemObject(
        IPv4Setup("0-0:25.1.0"),
        {
            "DL_reference": Obis("0-0:25.2.0"),
            "IP_address": address,
            "multicast_IP_address": [IPv4Address("233.252.0.1")],
            "IP_options": [IPOption(0x83, 7, bytes(7))],
            "subnet_mask": IPv4Address("255.255.255.0"),
            "gateway_IP_address": IPv4Address("192.0.2.1"),
            "use_DHCP_flag": False,
            "primary_DNS_address": IPv4Address("192.0.2.2"),
            "secondary_DNS_address": IPv4Address("192.0.2.3"),
        },
    )
    yield CosemObject(MACAddressSetup("0-0:25.2.0"), {"MAC_address": bytes.fromhex("02005e100001")})


def _modems(name: str) -> Iterator[CosemObject]:
    yield CosemObject(
        GPRSModemSetup("0-0:25.4.0"),
        {
            "APN": b"meters.example",
            "PIN_code": 1234,
            "quality_of_service": QualityOfService(QoSElement(1, 2, 3, 4, 5), QoSElement(5, 4, 3, 2, 1)),
        },
    )
    common = {
        "operator": "EXAMPLE",
        "status": ModemRegistrationStatus.REGISTERED_HOME,
        "cs_attachment": CircuitSwitchedStatus.INACTIVE,
        "capture_time": _STAMP,
    }
    gprs = {"ps_status": PacketSwitchedStatus.GPRS}
    narrow = {"cell_info": CellInfoV0(0x1234, 0x5678, 21, 0), "adjacent_cells": [AdjacentCellV0(0x1235, 17)]}
    wide = {
        "cell_info": CellInfoV1(0x1234567, 0x5678, 21, 0, 262, 1, 3050),
        "adjacent_cells": [AdjacentCellV1(0x1234568, 17), AdjacentCellV1(0x1234569, 9)],
    }
    yield CosemObject(GSMDiagnosticVersion0(name.format(0)), common | gprs | narrow)
    yield CosemObject(GSMDiagnosticVersion1(name.format(1)), common | gprs | wide)
    yield CosemObject(GSMDiagnostic(name.format(2)), common | wide | {"ps_status": PacketSwitchedStatus.LTE_CAT_NB1})


def _security(name: str) -> Iterator[CosemObject]:
    titles = {"client_system_title": b"HES\x00\x00\x00\x00\x01", "server_system_title": meter.METER_TITLE}
    certificate = CertificateInfo(
        CertificateEntity.SERVER,
        CertificateType.DIGITAL_SIGNATURE,
        b"\x01",
        b"CN=Root",
        meter.METER_TITLE.hex().encode(),
        b"",
    )
    version_0 = {
        "security_policy": SecurityPolicyV0.ALL_MESSAGES_AUTHENTICATED_AND_ENCRYPTED,
        "security_suite": SecuritySuiteV0.AES_GCM_128,
    }
    version_1 = {
        "security_policy": SecurityPolicyV1.AUTHENTICATED_REQUEST | SecurityPolicyV1.AUTHENTICATED_RESPONSE,
        "security_suite": SecuritySuiteV1.AES_GCM_128_ECDSA_P256_ECDH_P256_SHA256,
        "certificates": [certificate],
    }
    yield CosemObject(SecuritySetupVersion0(name.format(1)), titles | version_0)
    yield CosemObject(SecuritySetup(name.format(2)), titles | version_1)
    yield CosemObject(
        DataProtection("0-0:43.2.0"),
        {
            "protection_buffer": bytes(range(20)),
            "protection_object_list": [RestrictedObjectDefinition(3, _ENERGY, 2, 0, _RESTRICTIONS[0])],
            "protection_parameters_get": [_PROTECTION],
            "protection_parameters_set": [_PROTECTION],
            "required_protection": SecurityPolicyV1.AUTHENTICATED_REQUEST | SecurityPolicyV1.AUTHENTICATED_RESPONSE,
        },
    )


def _data(name: str) -> Iterator[CosemObject]:
    """A Data object of every simple type, and of those that hold others."""
    typed: tuple[tuple[DataType, Any], ...] = (
        (DataType.NULL_DATA, None),
        (DataType.BOOLEAN, True),
        (DataType.BIT_STRING, BitString("10110")),
        (DataType.DOUBLE_LONG, -70_000),
        (DataType.DOUBLE_LONG_UNSIGNED, 4_000_000_000),
        (DataType.OCTET_STRING, bytes(range(16))),
        (DataType.VISIBLE_STRING, "visible"),
        (DataType.UTF8_STRING, "Zähler €"),
        (DataType.BCD, 9),
        (DataType.INTEGER, -5),
        (DataType.LONG, -300),
        (DataType.UNSIGNED, 200),
        (DataType.LONG_UNSIGNED, 50_000),
        (DataType.LONG64, -(1 << 40)),
        (DataType.LONG64_UNSIGNED, 1 << 63),
        (DataType.ENUM, 7),
        (DataType.FLOAT32, 1.5),
        (DataType.FLOAT64, -2.25),
        (DataType.DATE_TIME, _STAMP),
        (DataType.DATE, _STAMP.date),
        (DataType.TIME, _STAMP.time),
        (DataType.ARRAY, ((DataType.UNSIGNED, 1), (DataType.UNSIGNED, 2))),
        (DataType.STRUCTURE, ((DataType.UNSIGNED, 1), (DataType.VISIBLE_STRING, "two"))),
        (DataType.ARRAY, ()),
        (DataType.STRUCTURE, ()),
        (DataType.OCTET_STRING, bytes(300)),
        (DataType.ARRAY, ((DataType.LONG_UNSIGNED, 1),) * 200),
    )
    for number, (data_type, value) in enumerate(typed):
        yield data(name.format(number), data_type, value)


def _profile() -> CosemObject:
    cells = (DataType.OCTET_STRING, _STAMP.octets), (DataType.DOUBLE_LONG_UNSIGNED, 12_345_678)
    return CosemObject(
        ProfileGenericVersion0("1-0:99.97.0"),
        {
            "buffer": (DataType.ARRAY, ((DataType.STRUCTURE, cells),) * 2),
            "capture_objects": [_CLOCK_TIME, _ENERGY_VALUE],
            "capture_period": 3600,
            "sort_method": SortMethod.FIFO,
            "sort_object": _CLOCK_TIME,
            "entries_in_use": 2,
            "profile_entries": 10,
        },
    )


def objects() -> Iterator[CosemObject]:
    """All of them."""
    yield from _push("0-{}:25.9.0")
    yield from _association_sn("0-{}:40.9.0")
    yield from _ports("0-{}:22.0.0")
    yield from _internet()
    yield from _modems("0-{}:25.6.0")
    yield from _security("0-{}:43.0.0")
    yield from _data("0-0:96.128.{}")
    yield _profile()
