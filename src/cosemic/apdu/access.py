"""ACCESS (IEC 62056-5-3, Access-Request and Access-Response).

::

    D9 long-invoke-id  date-time  count { specification }  count { Data }
    DA long-invoke-id  date-time  [count { specification }]  count { Data }  count { result }

The data list stands before the result list; both have one entry for each specification.
"""

from __future__ import annotations

from cosemic.apdu.common import (
    CosemAttributeDescriptor,
    CosemMethodDescriptor,
    LongInvokeId,
    SelectiveAccessDescriptor,
)
from cosemic.codec import EncodedData, OctetString, Sequence, TaggedChoice, alternative
from cosemic.values import ActionResult, DataAccessResult


class AccessRequestWithSelection(Sequence):
    """Access-Request-Get-With-Selection and Access-Request-Set-With-Selection."""

    cosem_attribute_descriptor: CosemAttributeDescriptor
    access_selection: SelectiveAccessDescriptor


class AccessRequestSpecification(TaggedChoice):
    """Access-Request-Specification."""

    get: CosemAttributeDescriptor = alternative(1)
    set: CosemAttributeDescriptor = alternative(2)
    action: CosemMethodDescriptor = alternative(3)
    get_with_selection: AccessRequestWithSelection = alternative(4)
    set_with_selection: AccessRequestWithSelection = alternative(5)


class AccessResponseSpecification(TaggedChoice):
    """Access-Response-Specification: the result of one entry."""

    get: DataAccessResult = alternative(1)
    set: DataAccessResult = alternative(2)
    action: ActionResult = alternative(3)


class AccessRequest(Sequence, tag=217):
    """Access-Request; the data of a get is null-data."""

    long_invoke_id_and_priority: LongInvokeId
    date_time: OctetString
    access_request_specification: tuple[AccessRequestSpecification, ...]
    access_request_list_of_data: tuple[EncodedData, ...]


class AccessResponse(Sequence, tag=218):
    """Access-Response; the data of a set, of a failure and of a method without return is null-data."""

    long_invoke_id_and_priority: LongInvokeId
    date_time: OctetString
    access_request_specification: tuple[AccessRequestSpecification, ...] | None
    access_response_list_of_data: tuple[EncodedData, ...]
    access_response_specification: tuple[AccessResponseSpecification, ...]
