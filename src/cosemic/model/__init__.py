"""The object model of COSEM: interface classes, their types, OBIS descriptions, and what a profile buffer means.

Purely declarative (IEC 62056-6-2, IEC 62056-6-1): nothing here reads or writes a meter. Importing the package declares
every interface class, so that :func:`interface_class` finds it.
"""

from __future__ import annotations

from cosemic.model.access_control import (
    AssociationLN,
    AssociationLNVersion0,
    AssociationLNVersion1,
    AssociationLNVersion2,
    SAPAssignment,
)
from cosemic.model.common import (
    CaptureObjectDefinition,
    EntryDescriptor,
    ObjectDefinition,
    RangeDescriptor,
    ScalerUnit,
    ValueDefinition,
)
from cosemic.model.data_storage import Data, ProfileGeneric, ProfileGenericVersion0, Register, SortMethod
from cosemic.model.interface_class import (
    AccessSelection,
    Attribute,
    AttributeReference,
    InterfaceClass,
    Method,
    MethodReference,
    Selector,
    Storage,
    interface_class,
    interface_classes,
    versions,
)
from cosemic.model.obis_names import describe, unit_hint
from cosemic.model.profile import LoadProfile, Mark, Row
from cosemic.model.profile_columns import Column, entry_descriptor, range_descriptor, range_of, scaler_unit_of
from cosemic.model.security_setup import SecuritySetup, SecuritySetupVersion0
from cosemic.model.time import Clock
from cosemic.model.types import Deviation, Reading

__all__ = [
    "AccessSelection",
    "AssociationLN",
    "AssociationLNVersion0",
    "AssociationLNVersion1",
    "AssociationLNVersion2",
    "Attribute",
    "AttributeReference",
    "CaptureObjectDefinition",
    "Clock",
    "Column",
    "Data",
    "Deviation",
    "EntryDescriptor",
    "InterfaceClass",
    "LoadProfile",
    "Mark",
    "Method",
    "MethodReference",
    "ObjectDefinition",
    "ProfileGeneric",
    "ProfileGenericVersion0",
    "RangeDescriptor",
    "Reading",
    "Register",
    "Row",
    "SAPAssignment",
    "ScalerUnit",
    "SecuritySetup",
    "SecuritySetupVersion0",
    "Selector",
    "SortMethod",
    "Storage",
    "ValueDefinition",
    "describe",
    "entry_descriptor",
    "interface_class",
    "interface_classes",
    "range_descriptor",
    "range_of",
    "scaler_unit_of",
    "unit_hint",
    "versions",
]
