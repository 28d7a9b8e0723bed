"""GET as a client asks (IEC 62056-5-3; reference, application layer 8, 15).

::

    normal or with-list  ->  normal | with-list | with-datablock, then next ... last-block
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from cosemic.apdu import (
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
)
from cosemic.association.exchanges.lists import count_of, counted, read_result
from cosemic.association.exchanges.long_answers import LongAnswer
from cosemic.association.joined import join_data, join_results
from cosemic.association.requests import Get, GetList
from cosemic.association.terms import (
    ATTRIBUTE0_SUPPORTED_WITH_GET,
    BLOCK_TRANSFER_WITH_GET_OR_READ,
    GET,
    MULTIPLE_REFERENCES,
    SELECTIVE_ACCESS,
    Exchange,
    Terms,
    unexpected,
)
from cosemic.codec import EncodedData
from cosemic.values import DataAccessResult


def get(request: Get, terms: Terms) -> Exchange:
    """One attribute: EncodedData or DataAccessResult."""
    terms.need(GET)
    if request.selection is not None:
        terms.need(SELECTIVE_ACCESS)
    terms.need_for(request.attribute, request.selection, ATTRIBUTE0_SUPPORTED_WITH_GET)
    response = yield GetRequestNormal(terms.invoke, request.attribute, request.selection)
    if type(response) is GetResponseNormal:
        return read_result(response.result)
    if isinstance(response, GetResponseWithDatablock):
        joined = yield from _receive_blocks(response, terms)
        return join_data(joined, terms.limits) if isinstance(joined, bytes) else joined
    if isinstance(response, GetResponseWithList) and len(response.result) == 1:
        return read_result(response.result[0])
    raise unexpected(response, "get-response-normal or -with-datablock")


def get_list(request: GetList, terms: Terms) -> Exchange:
    """Several attributes: a tuple of EncodedData or DataAccessResult."""
    terms.need(GET)
    terms.need(MULTIPLE_REFERENCES)
    if any(entry.access_selection is not None for entry in request.attributes):
        terms.need(SELECTIVE_ACCESS)
    for entry in request.attributes:
        terms.need_for(entry.cosem_attribute_descriptor, entry.access_selection, ATTRIBUTE0_SUPPORTED_WITH_GET)
    count = count_of(request.attributes)
    response = yield GetRequestWithList(terms.invoke, request.attributes)
    results: Any
    if isinstance(response, GetResponseWithList):
        results = response.result
    elif isinstance(response, GetResponseWithDatablock):
        joined = yield from _receive_blocks(response, terms)
        results = join_results(joined, terms.limits) if isinstance(joined, bytes) else (joined,) * count
    elif isinstance(response, GetResponseNormal) and (count == 1 or not isinstance(response.result, EncodedData)):
        results = (response.result,) * count  # an error instead of the list is meant for every item
    else:
        raise unexpected(response, "get-response-with-list or -with-datablock")
    return tuple(map(read_result, counted(results, count)))


def _receive_blocks(response: GetResponseWithDatablock, terms: Terms) -> Generator[Any, Any, bytes | DataAccessResult]:
    """Ask for block after block: the joined raw data, or the error that ended the transfer."""
    answer = LongAnswer(terms.limits)
    while True:
        block = response.result
        if not isinstance(block.result, bytes):
            return read_result(block.result)
        joined = answer.take(block.block_number, block.result, block.last_block)
        if joined is not None:
            return joined
        terms.need(BLOCK_TRANSFER_WITH_GET_OR_READ)
        following = yield GetRequestNext(terms.invoke, block.block_number)
        if isinstance(following, GetResponseNormal) and not isinstance(following.result, EncodedData):
            return read_result(following.result)
        if not isinstance(following, GetResponseWithDatablock):
            raise unexpected(following, "get-response-with-datablock")
        response = following
