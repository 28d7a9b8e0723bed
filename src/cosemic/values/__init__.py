"""The vocabulary of COSEM: what stands in APDUs and attributes, as values (IEC 62056-6-1, 62056-6-2, 62056-5-3).

Every value here is immutable, compares and hashes by what it means on the wire, and knows nothing of how it got there.
"""

from __future__ import annotations

from cosemic.values.bit_string import BitString
from cosemic.values.conformance import (
    LN_CONFORMANCE,
    LN_ONLY_CONFORMANCE,
    SHARED_CONFORMANCE,
    SN_CONFORMANCE,
    SN_ONLY_CONFORMANCE,
    Conformance,
)
from cosemic.values.date_time import ClockStatus, DateTime
from cosemic.values.dates import (
    DAYLIGHT_SAVINGS_BEGIN,
    DAYLIGHT_SAVINGS_END,
    LAST_DAY,
    NOT_SPECIFIED,
    SECOND_LAST_DAY,
    Date,
    Time,
)
from cosemic.values.enumerations import (
    ERROR_VALUES,
    AcseRequirement,
    ActionResult,
    ApplicationContext,
    AssociationResult,
    AuthenticationMechanism,
    DataAccessResult,
    Enumeration,
    ErrorClass,
    ErrorService,
    FrameType,
    GatewayType,
    KekId,
    KeyId,
    Priority,
    ProtocolVersionBit,
    ProviderDiagnostic,
    ReleaseRequestReason,
    ReleaseResponseReason,
    ServiceClass,
    ServiceError,
    SmlBody,
    StateError,
    TicMode,
    UserDiagnostic,
    error_value,
    error_value_label,
    lookup,
)
from cosemic.values.line_settings import OPTICAL, LineSettings, Parity
from cosemic.values.obis import Obis, obis_of
from cosemic.values.quantity import Quantity
from cosemic.values.secret import Secret
from cosemic.values.unit import Unit

__all__ = [
    "DAYLIGHT_SAVINGS_BEGIN",
    "DAYLIGHT_SAVINGS_END",
    "ERROR_VALUES",
    "LAST_DAY",
    "LN_CONFORMANCE",
    "LN_ONLY_CONFORMANCE",
    "NOT_SPECIFIED",
    "OPTICAL",
    "SECOND_LAST_DAY",
    "SHARED_CONFORMANCE",
    "SN_CONFORMANCE",
    "SN_ONLY_CONFORMANCE",
    "AcseRequirement",
    "ActionResult",
    "ApplicationContext",
    "AssociationResult",
    "AuthenticationMechanism",
    "BitString",
    "ClockStatus",
    "Conformance",
    "DataAccessResult",
    "Date",
    "DateTime",
    "Enumeration",
    "ErrorClass",
    "ErrorService",
    "FrameType",
    "GatewayType",
    "KekId",
    "KeyId",
    "LineSettings",
    "Obis",
    "Parity",
    "Priority",
    "ProtocolVersionBit",
    "ProviderDiagnostic",
    "Quantity",
    "ReleaseRequestReason",
    "ReleaseResponseReason",
    "Secret",
    "ServiceClass",
    "ServiceError",
    "SmlBody",
    "StateError",
    "TicMode",
    "Time",
    "Unit",
    "UserDiagnostic",
    "error_value",
    "error_value_label",
    "lookup",
    "obis_of",
]
