"""The protection that attributes and methods need, as a client knows it (reference, security 11).

A client that knows the access rights of its association asks for nothing less protected than they demand, and believes
no answer that is less protected. Where it knows nothing, the server alone decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from cosemic.apdu import CosemAttributeDescriptor, CosemMethodDescriptor
from cosemic.association.requests import (
    Access,
    Action,
    ActionList,
    Get,
    GetList,
    Read,
    Set,
    SetList,
    UnconfirmedWrite,
    Write,
)
from cosemic.security.policy import AttributeAccess, MethodAccess, Requirement
from cosemic.values import Obis

NOTHING: Final = Requirement()


class KnownRights(Protocol):
    """What a client knows of the protection that members of objects need."""

    def of_attribute(self, attribute: CosemAttributeDescriptor) -> Requirement:
        """Return what an attribute needs: nothing where it is not known."""

    def of_method(self, method: CosemMethodDescriptor) -> Requirement:
        """Return what a method needs: nothing where it is not known."""

    def of_short_name(self, name: int) -> Requirement:
        """Return what the attribute or method with a short name needs: nothing where it is not known."""


class ListedRights:
    """The rights that an object_list tells, or an access_rights_list.

    attributes, methods: by class, logical name and number. short_names: short names of some of them.
    """

    def __init__(
        self,
        attributes: Mapping[tuple[int, Obis, int], AttributeAccess],
        methods: Mapping[tuple[int, Obis, int], MethodAccess],
        short_names: Mapping[int, AttributeAccess | MethodAccess] = MappingProxyType({}),
    ) -> None:
        self._attributes = {place: access.requires for place, access in attributes.items()}
        self._methods = {place: access.requires for place, access in methods.items()}
        self._short_names = {name: access.requires for name, access in short_names.items()}

    def of_attribute(self, attribute: CosemAttributeDescriptor) -> Requirement:
        """Return what an attribute needs; nothing for attribute 0, which leaves out what cannot be had so."""
        return self._attributes.get((attribute.class_id, attribute.instance_id, attribute.attribute_id), NOTHING)

    def of_method(self, method: CosemMethodDescriptor) -> Requirement:
        """Return what a method needs."""
        return self._methods.get((method.class_id, method.instance_id, method.method_id), NOTHING)

    def of_short_name(self, name: int) -> Requirement:
        """Return what the attribute or method with a short name needs."""
        return self._short_names.get(name, NOTHING)


NO_RIGHTS: Final = ListedRights({}, {})
"""Nothing is known, and nothing is to be learnt: the server alone decides."""


def needed_by(request: object, rights: KnownRights | None) -> Requirement:
    """Return what all that a request names needs; nothing without rights."""
    if rights is None:
        return NOTHING
    needed = NOTHING
    if isinstance(request, Read | Write | UnconfirmedWrite):
        for variable in request.variables:
            needed |= rights.of_short_name(variable if isinstance(variable, int) else variable.variable_name)
        return needed
    for member in named_by(request):
        if isinstance(member, CosemMethodDescriptor):
            needed |= rights.of_method(member)
        else:
            needed |= rights.of_attribute(member)
    return needed


def named_by(request: object) -> Iterable[Any]:
    """Return the descriptors of all attributes and methods that a request names."""
    if isinstance(request, Get | Set):
        return (request.attribute,)
    if isinstance(request, GetList | SetList):
        return tuple(entry.cosem_attribute_descriptor for entry in request.attributes)
    if isinstance(request, Action):
        return (request.method,)
    if isinstance(request, ActionList):
        return request.methods
    if isinstance(request, Access):
        return tuple(member for entry in request.entries for member in named_by(entry))
    return ()
