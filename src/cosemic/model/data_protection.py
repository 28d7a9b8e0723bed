"""Interface class for protection of data itself, whatever carries it: COSEM data protection (IEC 62056-6-2, 5.3).

The lists of protection parameters are applied in their order, and taken off the other way. What is protected are the
values of all that is listed as one structure, A-XDR encoded; in invocations the parameter, or what the method returns.
"""

from __future__ import annotations

from cosemic.model.common import MethodDefinition
from cosemic.model.compound import ArrayOf, Structure, field
from cosemic.model.enumerated import BitsOf
from cosemic.model.interface_class import InterfaceClass, attribute, dynamic, method, static
from cosemic.model.protection import ProtectionParametersElement
from cosemic.model.push import RestrictedObjectDefinition
from cosemic.model.security_setup import SecurityPolicyV1
from cosemic.model.types import Enum, OctetString

_OBJECTS = ArrayOf(RestrictedObjectDefinition)
_PARAMETERS = ArrayOf(ProtectionParametersElement)


class GetProtectedAttributesRequest(Structure):
    """What is to be read, and how it is to be protected."""

    object_list: tuple[RestrictedObjectDefinition, ...] = field(_OBJECTS)
    get_protection_parameters: tuple[ProtectionParametersElement, ...] = field(_PARAMETERS)


class ProtectedAttributes(Structure):
    """Values, and how they are protected; the protection_buffer holds the same."""

    protection_parameters: tuple[ProtectionParametersElement, ...] = field(_PARAMETERS)
    protected_attributes: bytes = field(OctetString)


class SetProtectedAttributesRequest(Structure):
    """What is to be written, how the values are protected, and the values."""

    object_list: tuple[RestrictedObjectDefinition, ...] = field(_OBJECTS)
    set_protection_parameters: tuple[ProtectionParametersElement, ...] = field(_PARAMETERS)
    protected_attributes: bytes = field(OctetString)


class InvokeProtectedMethodRequest(Structure):
    """Which method is to be invoked, how its parameter is protected, and the parameter."""

    object_method_definition: MethodDefinition = field(MethodDefinition)
    protection_parameters: tuple[ProtectionParametersElement, ...] = field(_PARAMETERS)
    protected_method_invocation_parameters: bytes = field(OctetString)


class ProtectedMethodReturn(Structure):
    """What a method has returned, and how it is protected."""

    protection_parameters: tuple[ProtectionParametersElement, ...] = field(_PARAMETERS)
    protected_method_return_parameters: bytes = field(OctetString)


class DataProtection(InterfaceClass, class_id=30, version=0, name="COSEM data protection"):
    """Attributes read and written, and methods invoked, with their data protected from end to end."""

    protection_buffer = attribute(2, OctetString, dynamic)
    """Values of the protection_object_list: A-XDR encoded, protection parameters and protected data."""
    protection_object_list = attribute(3, _OBJECTS, static)
    protection_parameters_get = attribute(4, _PARAMETERS, static)
    """How the protection_buffer is protected when it is read."""
    protection_parameters_set = attribute(5, _PARAMETERS, static)
    """How the protection_buffer has to be protected when it is written."""
    required_protection = attribute(6, BitsOf(Enum, SecurityPolicyV1, "security_policy_v1"), static)
    """The least protection of data that come in, and of data that go out."""

    get_protected_attributes = method(1, GetProtectedAttributesRequest, returns=ProtectedAttributes, sn_offset=0x30)
    set_protected_attributes = method(2, SetProtectedAttributesRequest, sn_offset=0x38)
    invoke_protected_method = method(3, InvokeProtectedMethodRequest, returns=ProtectedMethodReturn, sn_offset=0x40)
