"""The protection that attributes and methods need, as a client knows it (reference, security 11).

A client that knows the access rights of its association asks for nothing less protected than they demand, and believes
no answer that is less protected. Where it knows nothing, the server alone decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from cosemic.apdu import CosemAttributeDescriptor, CosemMethodDescriptor
from cosemic.association.requests import Access, Action, ActionList, Get, GetList, Set, SetList
from cosemic.security.policy import AttributeAccess, MethodAccess, Requirement
from cosemic.values import Obis

NOTHING: Final = Requirement()


class KnownRights(Protocol):
    """What a client knows of the protection that members of objects need."""

    def of_attribute(self, attribute: CosemAttributeDescriptor) -> Requirement:
        """Return what an attribute needs: nothing where it is not known."""

    def of_method(self, method: CosemMethodDescriptor) -> Requirement:
        """Return what a method needs: nothing where it is not known."""


class ListedRights:
    """The rights that an object_list tells; attributes, methods: by class, logical name and number."""

    def __init__(
        self,
        attributes: Mapping[tuple[int, Obis, int], AttributeAccess],
        methods: Mapping[tuple[int, Obis, int], MethodAccess],
    ) -> None:
        self._attributes = {place: access.requires for place, access in attributes.items()}
        self._methods = {place: access.requires for place, access in methods.items()}

    def of_attribute(self, attribute: CosemAttributeDescriptor) -> Requirement:
        """Return what an attribute needs; nothing for attribute 0, which leaves out what cannot be had so."""
        return self._attributes.get((attribute.class_id, attribute.instance_id, attribute.attribute_id), NOTHING)

    def of_method(self, method: CosemMethodDescriptor) -> Requirement:
        """Return what a method needs."""
        return self._methods.get((method.class_id, method.instance_id, method.method_id), NOTHING)


def needed_by(request: object, rights: KnownRights | None) -> Requirement:
    """Return what all that a request names needs; nothing for requests with short names, and without rights."""
    if rights is None:
        return NOTHING
    needed = NOTHING
    for member in _named(request):
        if isinstance(member, CosemMethodDescriptor):
            needed |= rights.of_method(member)
        else:
            needed |= rights.of_attribute(member)
    return needed


def _named(request: object) -> Iterable[Any]:
    if isinstance(request, Get | Set):
        return (request.attribute,)
    if isinstance(request, GetList | SetList):
        return tuple(entry.cosem_attribute_descriptor for entry in request.attributes)
    if isinstance(request, Action):
        return (request.method,)
    if isinstance(request, ActionList):
        return request.methods
    if isinstance(request, Access):
        return tuple(member for entry in request.entries for member in _named(entry))
    return ()
