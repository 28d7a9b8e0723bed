"""References of the model as the descriptors of a request (IEC 62056-5-3, COSEMpdu)."""

from __future__ import annotations

from typing import Any

from cosemic.apdu import CosemAttributeDescriptor, CosemMethodDescriptor, SelectiveAccessDescriptor
from cosemic.codec import EncodedData
from cosemic.model import AccessSelection, AttributeReference, MethodReference


def attribute_descriptor(reference: AttributeReference[Any]) -> CosemAttributeDescriptor:
    """Return what names an attribute."""
    return CosemAttributeDescriptor(reference.class_id, reference.instance_id, reference.attribute_id)


def method_descriptor(reference: MethodReference[Any, Any]) -> CosemMethodDescriptor:
    """Return what names a method."""
    return CosemMethodDescriptor(reference.class_id, reference.instance_id, reference.method_id)


def selective_access(selection: AccessSelection) -> SelectiveAccessDescriptor:
    """Return what selects a part of an attribute. Raises EncodeError."""
    return SelectiveAccessDescriptor(selection.selector, EncodedData.from_typed(selection.parameters))
