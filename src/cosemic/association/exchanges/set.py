"""SET as a client asks (IEC 62056-5-3; reference, application layer 9, 15).

::

    normal or with-list    ->  normal | with-list
    with-first-datablock   ->  datablock, then with-datablock ... -> last-datablock (-with-list)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cosemic.apdu import (
    DataBlockSA,
    SetRequestNormal,
    SetRequestWithDatablock,
    SetRequestWithFirstDatablock,
    SetRequestWithList,
    SetRequestWithListAndFirstDatablock,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    SetResponseNormal,
    SetResponseWithList,
)
from cosemic.association.exchanges.lists import count_of, counted
from cosemic.association.exchanges.long_requests import acknowledged, blocks_of
from cosemic.association.requests import Set, SetList
from cosemic.association.terms import (
    ATTRIBUTE0_SUPPORTED_WITH_SET,
    BLOCK_TRANSFER_WITH_SET_OR_WRITE,
    MULTIPLE_REFERENCES,
    SELECTIVE_ACCESS,
    SET,
    Exchange,
    Terms,
    unexpected,
)
from cosemic.codec import encode_length
from cosemic.values import DataAccessResult


def set_(request: Set, terms: Terms) -> Exchange:
    """One attribute: DataAccessResult."""
    terms.need(SET)
    if request.selection is not None:
        terms.need(SELECTIVE_ACCESS)
    terms.need_for(request.attribute, request.selection, ATTRIBUTE0_SUPPORTED_WITH_SET)
    whole = SetRequestNormal(terms.invoke, request.attribute, request.selection, request.value)
    if len(whole.encode()) <= terms.room:
        response = yield whole
        if isinstance(response, SetResponseNormal):
            return response.result
        raise unexpected(response, "set-response-normal")

    def first(block: DataBlockSA) -> Any:
        return SetRequestWithFirstDatablock(terms.invoke, request.attribute, request.selection, block)

    response = yield from _send_datablocks(first, request.value.octets, terms)
    if isinstance(response, SetResponseLastDatablock | SetResponseNormal):
        return response.result
    raise unexpected(response, "set-response-last-datablock")


def set_list(request: SetList, terms: Terms) -> Exchange:
    """Several attributes: a tuple of DataAccessResult."""
    terms.need(SET)
    terms.need(MULTIPLE_REFERENCES)
    if any(entry.access_selection is not None for entry in request.attributes):
        terms.need(SELECTIVE_ACCESS)
    for entry in request.attributes:
        terms.need_for(entry.cosem_attribute_descriptor, entry.access_selection, ATTRIBUTE0_SUPPORTED_WITH_SET)
    count = count_of(request.attributes, request.values)
    whole = SetRequestWithList(terms.invoke, request.attributes, request.values)
    if len(whole.encode()) <= terms.room:
        response = yield whole
    else:

        def first(block: DataBlockSA) -> Any:
            return SetRequestWithListAndFirstDatablock(terms.invoke, request.attributes, block)

        raw = encode_length(count) + b"".join(value.octets for value in request.values)
        response = yield from _send_datablocks(first, raw, terms)
    if isinstance(response, SetResponseWithList | SetResponseLastDatablockWithList):
        return counted(response.result, count)
    if isinstance(response, SetResponseNormal | SetResponseLastDatablock) and (
        count == 1 or response.result != DataAccessResult.SUCCESS
    ):
        return (response.result,) * count  # the transfer itself failed: nothing was written
    raise unexpected(response, "set-response-with-list")


def _send_datablocks(first: Callable[[DataBlockSA], Any], raw: bytes, terms: Terms) -> Exchange:
    """Send raw data block by block; returns the response to the last one, or the error that ended the transfer."""
    terms.need(BLOCK_TRANSFER_WITH_SET_OR_WRITE)
    blocks = blocks_of(first, lambda block: SetRequestWithDatablock(terms.invoke, block), raw, terms.room)
    for number, (apdu, last) in enumerate(blocks, 1):
        response = yield apdu
        if isinstance(response, SetResponseNormal | SetResponseLastDatablock) and (
            last or response.result != DataAccessResult.SUCCESS
        ):
            if isinstance(response, SetResponseLastDatablock) and response.result == DataAccessResult.SUCCESS:
                acknowledged(response.block_number, number)
            return response
        if last and isinstance(response, SetResponseLastDatablockWithList):
            acknowledged(response.block_number, number)
            return response
        if last or not isinstance(response, SetResponseDatablock):
            raise unexpected(response, "set-response-last-datablock" if last else "set-response-datablock")
        acknowledged(response.block_number, number)
    raise AssertionError("a transfer has at least one block")
