"""ACTION as a client asks (IEC 62056-5-3; reference, application layer 10, 15).

::

    normal or with-list  ->  normal | with-list | with-pblock, then next-pblock ... last-block
    with-first-pblock    ->  next-pblock, then with-pblock ... -> as above
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

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
    DataBlockSA,
)
from cosemic.association.exchanges.lists import count_of, counted
from cosemic.association.exchanges.long_answers import LongAnswer
from cosemic.association.exchanges.long_requests import acknowledged, blocks_of
from cosemic.association.joined import join_actions
from cosemic.association.requests import Action, ActionList
from cosemic.association.terms import (
    ACTION,
    BLOCK_TRANSFER_WITH_ACTION,
    MULTIPLE_REFERENCES,
    Exchange,
    Terms,
    unexpected,
)
from cosemic.codec import encode_length
from cosemic.errors import ProtocolError
from cosemic.values import ActionResult


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
    count = count_of(request.methods, request.parameters)
    whole = ActionRequestWithList(terms.invoke, request.methods, request.parameters)
    if len(whole.encode()) <= terms.room:
        response = yield whole
    else:

        def first(block: DataBlockSA) -> Any:
            return ActionRequestWithListAndFirstPblock(terms.invoke, request.methods, block)

        raw = encode_length(count) + b"".join(value.octets for value in request.parameters)
        response = yield from _send_pblocks(first, raw, terms)
    if isinstance(response, ActionResponseWithList):
        return counted(response.list_of_responses, count)
    if isinstance(response, ActionResponseWithPblock):
        joined = yield from _receive_pblocks(response, terms)
        if isinstance(joined, ActionResponseWithOptionalData):
            return (joined,) * count
        return counted(join_actions(joined, count, terms.limits), count)
    if isinstance(response, ActionResponseNormal) and (
        count == 1 or response.single_response.result != ActionResult.SUCCESS
    ):
        return (response.single_response,) * count
    raise unexpected(response, "action-response-with-list or -with-pblock")


def _send_pblocks(first: Callable[[DataBlockSA], Any], raw: bytes, terms: Terms) -> Exchange:
    """Send parameters block by block; returns the response to the last one, or the error that ended the transfer."""
    terms.need(BLOCK_TRANSFER_WITH_ACTION)
    blocks = blocks_of(first, lambda block: ActionRequestWithPblock(terms.invoke, block), raw, terms.room)
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
        acknowledged(response.block_number, number)
    raise AssertionError("a transfer has at least one block")


def _receive_pblocks(
    response: ActionResponseWithPblock, terms: Terms
) -> Generator[Any, Any, bytes | ActionResponseWithOptionalData]:
    """Ask for block after block of return parameters; an error of the meter ends the transfer."""
    answer = LongAnswer(terms.limits)
    while True:
        block = response.pblock
        joined = answer.take(block.block_number, block.raw_data, block.last_block)
        if joined is not None:
            return joined
        terms.need(BLOCK_TRANSFER_WITH_ACTION)
        following = yield ActionRequestNextPblock(terms.invoke, block.block_number)
        if isinstance(following, ActionResponseNormal):
            result: ActionResponseWithOptionalData = following.single_response
            if result.result == ActionResult.SUCCESS:
                raise unexpected(following, "action-response-with-pblock")
            return result
        if not isinstance(following, ActionResponseWithPblock):
            raise unexpected(following, "action-response-with-pblock")
        response = following
