"""The data transfer services of a client, each as one generator (reference, application layer 8 to 10, 15).

An exchange yields the APDU to send, is given the APDU that answered it, and returns the result::

    GET     normal or with-list         ->  normal | with-list | with-datablock, then next ... last-block
    SET     normal or with-list         ->  normal | with-list
            with-first-datablock        ->  datablock, then with-datablock ... -> last-datablock (-with-list)
    ACTION  normal or with-list         ->  normal | with-list | with-pblock, then next-pblock ... last-block
            with-first-pblock           ->  next-pblock, then with-pblock ... -> as above

:data:`SERVICES` is the table of what the client can do; the conformance it proposes is derived from it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Final

from cosemic.apdu import (
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestWithFirstPblock,
    ActionRequestWithList,
    ActionRequestWithListAndFirstPblock,
    ActionRequestWithPblock,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithOptionalData,
    ActionResponseWithPblock,
    CosemAttributeDescriptorWithSelection,
    DataBlockSA,
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
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
from cosemic.association.joined import join_actions, join_data, join_results
from cosemic.association.requests import Action, ActionList, Get, GetList, Request, Set, SetList
from cosemic.association.terms import (
    ACTION,
    BLOCK_TRANSFER_WITH_ACTION,
    BLOCK_TRANSFER_WITH_GET_OR_READ,
    BLOCK_TRANSFER_WITH_SET_OR_WRITE,
    GET,
    MULTIPLE_REFERENCES,
    SELECTIVE_ACCESS,
    SET,
    Exchange,
    Terms,
    unexpected,
)
from cosemic.codec import EncodedData, encode_length
from cosemic.errors import EncodeError, ProtocolError, ServiceFailed
from cosemic.values import ActionResult, Conformance, DataAccessResult

# ---- GET ------------------------------------------------------------------------------------------------------------


def get(request: Get, terms: Terms) -> Exchange:
    """One attribute: EncodedData or DataAccessResult."""
    terms.need(GET)
    if request.selection is not None:
        terms.need(SELECTIVE_ACCESS)
    response = yield GetRequestNormal(terms.invoke, request.attribute, request.selection)
    if type(response) is GetResponseNormal:
        return response.result
    if isinstance(response, GetResponseWithDatablock):
        joined = yield from _receive_blocks(response, terms)
        return join_data(joined, terms.limits) if isinstance(joined, bytes) else joined
    if isinstance(response, GetResponseWithList) and len(response.result) == 1:
        return response.result[0]
    raise unexpected(response, "get-response-normal or -with-datablock")


def get_list(request: GetList, terms: Terms) -> Exchange:
    """Several attributes: a tuple of EncodedData or DataAccessResult."""
    terms.need(GET)
    terms.need(MULTIPLE_REFERENCES)
    if any(entry.access_selection is not None for entry in request.attributes):
        terms.need(SELECTIVE_ACCESS)
    count = _count(request.attributes)
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
    return _counted(results, count)


def _receive_blocks(response: GetResponseWithDatablock, terms: Terms) -> Generator[Any, Any, bytes | DataAccessResult]:
    """Ask for block after block: the joined raw data, or the error that ended the transfer."""
    parts: list[bytes] = []
    total = 0
    expected = 1
    while True:
        block = response.result
        if not isinstance(block.result, bytes):
            if block.result == DataAccessResult.SUCCESS:
                raise ProtocolError("the meter ended the transfer with success and without data")
            return block.result
        if block.block_number != expected:
            raise ProtocolError(f"the meter sent block {block.block_number}, {expected} was due: read again")
        parts.append(block.result)
        total += len(block.result)
        if total > terms.limits.octets:
            raise ProtocolError(f"the answer is longer than {terms.limits.octets} octets: raise the limit or read less")
        if block.last_block:
            return b"".join(parts)
        if not block.result:
            raise ProtocolError("the meter sent a block without data that is not the last: the transfer would not end")
        terms.need(BLOCK_TRANSFER_WITH_GET_OR_READ)
        answer = yield GetRequestNext(terms.invoke, expected)
        expected += 1
        if isinstance(answer, GetResponseNormal) and not isinstance(answer.result, EncodedData):
            return answer.result
        if not isinstance(answer, GetResponseWithDatablock):
            raise unexpected(answer, "get-response-with-datablock")
        response = answer


# ---- SET ------------------------------------------------------------------------------------------------------------


def set_(request: Set, terms: Terms) -> Exchange:
    """One attribute: DataAccessResult."""
    terms.need(SET)
    if request.selection is not None:
        terms.need(SELECTIVE_ACCESS)
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
    count = _count(request.attributes, request.values)
    whole = SetRequestWithList(terms.invoke, request.attributes, request.values)
    if len(whole.encode()) <= terms.room:
        response = yield whole
    else:

        def first(block: DataBlockSA) -> Any:
            return SetRequestWithListAndFirstDatablock(terms.invoke, request.attributes, block)

        raw = encode_length(count) + b"".join(value.octets for value in request.values)
        response = yield from _send_datablocks(first, raw, terms)
    if isinstance(response, SetResponseWithList | SetResponseLastDatablockWithList):
        return _counted(response.result, count)
    if isinstance(response, SetResponseNormal | SetResponseLastDatablock) and (
        count == 1 or response.result != DataAccessResult.SUCCESS
    ):
        return (response.result,) * count  # the transfer itself failed: nothing was written
    raise unexpected(response, "set-response-with-list")


def _send_datablocks(first: Callable[[DataBlockSA], Any], raw: bytes, terms: Terms) -> Exchange:
    """Send raw data block by block; returns the response to the last one, or the error that ended the transfer."""
    terms.need(BLOCK_TRANSFER_WITH_SET_OR_WRITE)
    blocks = _blocks(first, lambda block: SetRequestWithDatablock(terms.invoke, block), raw, terms.room)
    for number, (apdu, last) in enumerate(blocks, 1):
        response = yield apdu
        if isinstance(response, SetResponseNormal | SetResponseLastDatablock) and (
            last or response.result != DataAccessResult.SUCCESS
        ):
            if isinstance(response, SetResponseLastDatablock) and response.result == DataAccessResult.SUCCESS:
                _acknowledged(response.block_number, number)
            return response
        if last and isinstance(response, SetResponseLastDatablockWithList):
            _acknowledged(response.block_number, number)
            return response
        if last or not isinstance(response, SetResponseDatablock):
            raise unexpected(response, "set-response-last-datablock" if last else "set-response-datablock")
        _acknowledged(response.block_number, number)
    raise AssertionError("a transfer has at least one block")


def _acknowledged(acknowledged: int, sent: int) -> None:
    if acknowledged != sent:
        raise ProtocolError(f"the meter acknowledged block {acknowledged}, {sent} was sent")


def _blocks(
    first: Callable[[DataBlockSA], Any], following: Callable[[DataBlockSA], Any], raw: bytes, room: int
) -> Generator[tuple[Any, bool], None, None]:
    """Cut raw data into the APDUs of a long request, each at most ``room`` octets; tells which is the last."""
    number, at = 1, 0
    while True:
        make = first if number == 1 else following
        free = room - len(make(DataBlockSA(False, number, b"")).encode())
        size = free if free < 128 else free - (free.bit_length() + 7) // 8
        if size < 1:
            raise ServiceFailed(
                f"the meter takes APDUs of {room} octets at most: too small for this request even in blocks"
            )
        last = at + size >= len(raw)
        yield make(DataBlockSA(last, number, raw[at : at + size])), last
        if last:
            return
        at += size
        number += 1


# ---- ACTION ---------------------------------------------------------------------------------------------------------


def action(request: Action, terms: Terms) -> Exchange:
    """One method: ActionResponseWithOptionalData."""
    terms.need(ACTION)
    parameters = request.parameters
    whole = ActionRequestNormal(terms.invoke, request.method, parameters)
    if parameters is None or len(whole.encode()) <= terms.room:
        response = yield whole
    else:

        def first(block: DataBlockSA) -> Any:
            return ActionRequestWithFirstPblock(terms.invoke, request.method, block)

        response = yield from _send_pblocks(first, parameters.octets, terms)
    if isinstance(response, ActionResponseNormal):
        return response.single_response
    if isinstance(response, ActionResponseWithPblock):
        joined = yield from _receive_pblocks(response, terms)
        if isinstance(joined, ActionResponseWithOptionalData):
            return joined
        return join_actions(joined, None, terms.limits)[0]
    raise unexpected(response, "action-response-normal or -with-pblock")


def action_list(request: ActionList, terms: Terms) -> Exchange:
    """Several methods: a tuple of ActionResponseWithOptionalData."""
    terms.need(ACTION)
    terms.need(MULTIPLE_REFERENCES)
    count = _count(request.methods, request.parameters)
    whole = ActionRequestWithList(terms.invoke, request.methods, request.parameters)
    if len(whole.encode()) <= terms.room:
        response = yield whole
    else:

        def first(block: DataBlockSA) -> Any:
            return ActionRequestWithListAndFirstPblock(terms.invoke, request.methods, block)

        raw = encode_length(count) + b"".join(value.octets for value in request.parameters)
        response = yield from _send_pblocks(first, raw, terms)
    if isinstance(response, ActionResponseWithList):
        return _counted(response.list_of_responses, count)
    if isinstance(response, ActionResponseWithPblock):
        joined = yield from _receive_pblocks(response, terms)
        if isinstance(joined, ActionResponseWithOptionalData):
            return (joined,) * count
        return _counted(join_actions(joined, count, terms.limits), count)
    if isinstance(response, ActionResponseNormal) and (
        count == 1 or response.single_response.result != ActionResult.SUCCESS
    ):
        return (response.single_response,) * count
    raise unexpected(response, "action-response-with-list or -with-pblock")


def _send_pblocks(first: Callable[[DataBlockSA], Any], raw: bytes, terms: Terms) -> Exchange:
    """Send parameters block by block; returns the response to the last one, or the error that ended the transfer."""
    terms.need(BLOCK_TRANSFER_WITH_ACTION)
    blocks = _blocks(first, lambda block: ActionRequestWithPblock(terms.invoke, block), raw, terms.room)
    for number, (apdu, last) in enumerate(blocks, 1):
        response = yield apdu
        if last:
            return response
        if isinstance(response, ActionResponseNormal):
            if response.single_response.result == ActionResult.SUCCESS:
                raise ProtocolError(f"the meter took block {number} for the last one, and it is not")
            return response
        if not isinstance(response, ActionResponseNextPblock):
            raise unexpected(response, "action-response-next-pblock")
        _acknowledged(response.block_number, number)
    raise AssertionError("a transfer has at least one block")


def _receive_pblocks(
    response: ActionResponseWithPblock, terms: Terms
) -> Generator[Any, Any, bytes | ActionResponseWithOptionalData]:
    """Ask for block after block of return parameters; an error of the meter ends the transfer."""
    parts: list[bytes] = []
    total = 0
    expected = 1
    while True:
        block = response.pblock
        if block.block_number != expected:
            raise ProtocolError(f"the meter sent block {block.block_number}, {expected} was due")
        parts.append(block.raw_data)
        total += len(block.raw_data)
        if total > terms.limits.octets:
            raise ProtocolError(f"the answer is longer than {terms.limits.octets} octets: raise the limit")
        if block.last_block:
            return b"".join(parts)
        if not block.raw_data:
            raise ProtocolError("the meter sent a block without data that is not the last: the transfer would not end")
        terms.need(BLOCK_TRANSFER_WITH_ACTION)
        answer = yield ActionRequestNextPblock(terms.invoke, expected)
        expected += 1
        if isinstance(answer, ActionResponseNormal):
            result: ActionResponseWithOptionalData = answer.single_response
            if result.result == ActionResult.SUCCESS:
                raise unexpected(answer, "action-response-with-pblock")
            return result
        if not isinstance(answer, ActionResponseWithPblock):
            raise unexpected(answer, "action-response-with-pblock")
        response = answer


def _count(items: tuple[Any, ...], values: tuple[Any, ...] | None = None) -> int:
    """Items of a list; raises EncodeError for none, or when there is not one value for each."""
    if not items:
        raise EncodeError("a list of nothing cannot be asked for")
    if values is not None and len(values) != len(items):
        raise EncodeError(f"{len(values)} values for {len(items)} items")
    return len(items)


def _counted(results: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    if len(results) != count:
        raise ProtocolError(f"the meter gave {len(results)} results for {count} items")
    return results


# ---- the table ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Service:
    """How a request is served, and which conformance bits that makes true."""

    exchange: Callable[[Any, Terms], Exchange]
    conformance: Conformance


SERVICES: Final[dict[type[Request], Service]] = {
    Get: Service(get, Conformance.GET | Conformance.SELECTIVE_ACCESS | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ),
    GetList: Service(get_list, Conformance.GET | Conformance.MULTIPLE_REFERENCES),
    Set: Service(set_, Conformance.SET | Conformance.SELECTIVE_ACCESS | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE),
    SetList: Service(set_list, Conformance.SET | Conformance.MULTIPLE_REFERENCES),
    Action: Service(action, Conformance.ACTION | Conformance.BLOCK_TRANSFER_WITH_ACTION),
    ActionList: Service(action_list, Conformance.ACTION | Conformance.MULTIPLE_REFERENCES),
}
CLIENT_CONFORMANCE: Final = reduce(or_, (service.conformance for service in SERVICES.values()))
"""What the client can do without ciphering."""


def attribute_with_selection(entry: Get) -> CosemAttributeDescriptorWithSelection:
    """A single GET as an entry of a list."""
    return CosemAttributeDescriptorWithSelection(entry.attribute, entry.selection)
