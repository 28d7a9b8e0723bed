"""ACCESS as a client asks (IEC 62056-5-3; reference, application layer 11).

::

    access-request  ->  access-response: as many data and results as there were entries, each of the kind asked for

What failed has no value, whatever data the meter sends beside its error.
It has no blocks of its own: what does not fit travels by general block transfer, or not at all.
"""

from __future__ import annotations

from cosemic.apdu import (
    AccessRequest,
    AccessRequestSpecification,
    AccessRequestWithSelection,
    AccessResponse,
    LongInvokeIdAndPriority,
)
from cosemic.association.exchanges.lists import count_of
from cosemic.association.requests import Access, Accessed, AccessResult, Action, Get, Set
from cosemic.association.terms import (
    ACCESS,
    ATTRIBUTE0_SUPPORTED_WITH_GET,
    ATTRIBUTE0_SUPPORTED_WITH_SET,
    Exchange,
    Terms,
    unexpected,
)
from cosemic.codec import DataType, EncodedData
from cosemic.errors import EncodeError, ProtocolError
from cosemic.values import DataAccessResult

_NO_DATA = EncodedData.of(DataType.NULL_DATA)
_STAMPS = (0, 12)
"""Octets of a date-time."""


def access(request: Access, terms: Terms) -> Exchange:
    """Several attributes and methods: :class:`Accessed`."""
    terms.need(ACCESS)
    count = count_of(request.entries)
    if len(request.date_time) not in _STAMPS:
        raise EncodeError(f"a date-time has 12 octets, or none, not {len(request.date_time)}")
    specifications = tuple(_specification(entry, terms) for entry in request.entries)
    response = yield AccessRequest(
        LongInvokeIdAndPriority.of(
            terms.long_invoke,
            self_descriptive=request.self_descriptive,
            break_on_error=request.break_on_error,
            service_class=terms.long_invoke.service_class,
            priority=terms.long_invoke.priority,
        ),
        request.date_time,
        specifications,
        tuple(map(_data, request.entries)),
    )
    if not isinstance(response, AccessResponse):
        raise unexpected(response, "access-response")
    data, results = response.access_response_list_of_data, response.access_response_specification
    if not len(data) == len(results) == count:
        raise ProtocolError(f"the meter gave {len(results)} results and {len(data)} data for {count} entries")
    echoed = response.access_request_specification
    if echoed is not None and echoed != specifications:
        raise ProtocolError("the meter repeats another request than was made: the results may belong to that")
    for number, (result, entry) in enumerate(zip(results, request.entries, strict=True), 1):
        if result.alternative != _KINDS[type(entry)]:
            raise ProtocolError(
                f"entry {number} was a {_KINDS[type(entry)]}: its result is that of {result.alternative}"
            )
    return Accessed(
        tuple(
            AccessResult(one.value, value if one.value == DataAccessResult.SUCCESS else _NO_DATA)
            for one, value in zip(results, data, strict=True)
        ),
        response.date_time,
    )


_KINDS = {Get: "get", Set: "set", Action: "action"}


def _specification(entry: Get | Set | Action, terms: Terms) -> AccessRequestSpecification:
    if isinstance(entry, Action):
        return AccessRequestSpecification("action", entry.method)
    kind = _KINDS[type(entry)]
    bit = ATTRIBUTE0_SUPPORTED_WITH_GET if isinstance(entry, Get) else ATTRIBUTE0_SUPPORTED_WITH_SET
    terms.need_for(entry.attribute, entry.selection, bit)
    if entry.selection is None:
        return AccessRequestSpecification(kind, entry.attribute)
    selected = AccessRequestWithSelection(entry.attribute, entry.selection)
    return AccessRequestSpecification(f"{kind}_with_selection", selected)


def _data(entry: Get | Set | Action) -> EncodedData:
    if isinstance(entry, Set):
        return entry.value
    parameters = entry.parameters if isinstance(entry, Action) else None
    return _NO_DATA if parameters is None else parameters
