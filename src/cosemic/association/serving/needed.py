"""Which conformance bits a request needs for what it names, beside those of its service (reference, application layer
6.3, 7).

::

    selective-access                      an attribute in part; in ACCESS that is part of the service
    attribute0-supported-with-get, -set   attribute 0, all attributes of an object
"""

from __future__ import annotations

from typing import Any, Final

from cosemic import apdu as a
from cosemic.values import Conformance

NOTHING: Final = Conformance(0)
BY_CONTENTS: Final = (
    Conformance.SELECTIVE_ACCESS | Conformance.ATTRIBUTE0_SUPPORTED_WITH_GET | Conformance.ATTRIBUTE0_SUPPORTED_WITH_SET
)
"""All of them."""
_OF_ALL: Final = {
    "get": Conformance.ATTRIBUTE0_SUPPORTED_WITH_GET,
    "get_with_selection": Conformance.ATTRIBUTE0_SUPPORTED_WITH_GET,
    "set": Conformance.ATTRIBUTE0_SUPPORTED_WITH_SET,
    "set_with_selection": Conformance.ATTRIBUTE0_SUPPORTED_WITH_SET,
}
_GETS: Final = (a.GetRequestNormal, a.GetRequestWithList)


def needed_by_contents(request: Any) -> Conformance:
    """Return the bits."""
    if isinstance(request, a.AccessRequest):
        return _needed_by_entries(request)
    attribute = getattr(request, "cosem_attribute_descriptor", None)
    if attribute is not None:
        if attribute.attribute_id and request.access_selection is None:
            return NOTHING
        named = [(attribute, request.access_selection)]
    else:
        entries = getattr(request, "attribute_descriptor_list", ())
        named = [(entry.cosem_attribute_descriptor, entry.access_selection) for entry in entries]
    bits = NOTHING
    for one, selection in named:
        if selection is not None:
            bits |= Conformance.SELECTIVE_ACCESS
        if not one.attribute_id:
            bits |= _OF_ALL["get" if isinstance(request, _GETS) else "set"]
    return bits


def _needed_by_entries(request: a.AccessRequest) -> Conformance:
    bits = NOTHING
    for entry in request.access_request_specification:
        named = entry.value
        if isinstance(named, a.AccessRequestWithSelection):
            named = named.cosem_attribute_descriptor
        if isinstance(named, a.CosemAttributeDescriptor) and not named.attribute_id:
            bits |= _OF_ALL[entry.alternative]
    return bits
