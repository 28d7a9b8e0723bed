"""Read, Write and UnconfirmedWrite as a client asks (IEC 62056-5-3; reference, application layer 13).

::

    ReadRequest variables          ->  results | data-block-result, then block-number-access ... last-block
    read-data-block-access ...     ->  block-number ..., then as above
    WriteRequest variables, Data   ->  results
    write-data-block-access ...    ->  block-number ..., then results
    UnconfirmedWriteRequest            nothing

The blocks of an answer are counted from 1, by some meters from 0. What it joins to: :mod:`..joined_short_names`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

from cosemic.apdu import (
    BlockNumberAccess,
    DataBlockResult,
    DataBlockSA,
    ParameterizedAccess,
    ReadDataBlockAccess,
    ReadRequest,
    ReadResponse,
    UnconfirmedWriteRequest,
    WriteDataBlockAccess,
    WriteRequest,
    WriteResponse,
)
from cosemic.association.exchanges.lists import count_of, counted, read_result
from cosemic.association.exchanges.long_answers import LongAnswer
from cosemic.association.exchanges.long_requests import acknowledged, blocks_of
from cosemic.association.joined_short_names import join_read, read_results, variables_octets, writes_octets
from cosemic.association.requests import Read, UnconfirmedWrite, Write
from cosemic.association.terms import (
    BLOCK_TRANSFER_WITH_GET_OR_READ,
    BLOCK_TRANSFER_WITH_SET_OR_WRITE,
    MULTIPLE_REFERENCES,
    PARAMETERIZED_ACCESS,
    READ,
    UNCONFIRMED_WRITE,
    WRITE,
    Exchange,
    Terms,
    unexpected,
)
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ProtocolError, ServiceFailed
from cosemic.values import DataAccessResult

MOST_BLOCKS: Final = 0xFFFF
"""Blocks of one transfer: their numbers have 16 bits."""


def read(request: Read, terms: Terms) -> Exchange:
    """Variables: a tuple of EncodedData or DataAccessResult."""
    terms.need(READ)
    count = count_of(request.variables)
    _need_for(request.variables, terms)
    whole = ReadRequest(request.variables)
    if len(whole.encode()) <= terms.room:
        response = yield whole
    else:
        terms.need(BLOCK_TRANSFER_WITH_GET_OR_READ)
        response = yield from _send_blocks(_read_block, variables_octets(request.variables), terms, ReadResponse)
    results = _answered(response, ReadResponse)
    block = _only(results, "data_block_result")
    if block is not None:
        joined = yield from _receive_blocks(block, terms)
        return join_read(joined, count, terms.limits) if isinstance(joined, bytes) else (joined,) * count
    values = read_results(results)
    if values is None:
        raise ProtocolError("the meter acknowledged a block that is none, or the last one: results were expected")
    values = tuple(map(read_result, values))
    if count > 1 and len(values) == 1 and not isinstance(values[0], EncodedData):
        return values * count  # an error instead of the list is meant for every item
    return counted(values, count)


def write(request: Write, terms: Terms) -> Exchange:
    """Variables, with one value each: a tuple of DataAccessResult."""
    terms.need(WRITE)
    count = count_of(request.variables, request.values)
    _need_for(request.variables, terms)
    whole = WriteRequest(request.variables, request.values)
    if len(whole.encode()) <= terms.room:
        response = yield whole
    else:
        terms.need(BLOCK_TRANSFER_WITH_SET_OR_WRITE)
        raw = writes_octets(request.variables, request.values)
        response = yield from _send_blocks(_write_block, raw, terms, WriteResponse)
    results = _answered(response, WriteResponse)
    if any(one.alternative == "block_number" for one in results):
        raise ProtocolError("the meter acknowledged a block that is none, or the last one: results were expected")
    values = tuple(DataAccessResult.SUCCESS if one.alternative == "success" else one.value for one in results)
    if count > 1 and len(values) == 1 and values[0] != DataAccessResult.SUCCESS:
        return values * count  # the transfer itself failed: nothing was written
    return counted(values, count)


def unconfirmed_write(request: UnconfirmedWrite, terms: Terms) -> Exchange:
    """Variables, with one value each: None, for nothing is answered."""
    terms.need(UNCONFIRMED_WRITE)
    count_of(request.variables, request.values)
    _need_for(request.variables, terms)
    yield UnconfirmedWriteRequest(request.variables, request.values)


def _need_for(variables: tuple[Any, ...], terms: Terms) -> None:
    if len(variables) > 1:
        terms.need(MULTIPLE_REFERENCES)
    if any(isinstance(one, ParameterizedAccess) for one in variables):
        terms.need(PARAMETERIZED_ACCESS)


def _answered(response: Any, wanted: type[ReadResponse] | type[WriteResponse]) -> tuple[Any, ...]:
    if not isinstance(response, wanted):
        raise unexpected(response, wanted.__name__)
    return response.result


def _only(results: tuple[Any, ...], alternative: str) -> Any:
    """The value of the only result, where it is that alternative; else None."""
    return results[0].value if len(results) == 1 and results[0].alternative == alternative else None


# ---- blocks ---------------------------------------------------------------------------------------------------------


def _read_block(block: DataBlockSA) -> ReadRequest:
    return ReadRequest((ReadDataBlockAccess(block.last_block, block.block_number, block.raw_data),))


def _write_block(block: DataBlockSA) -> WriteRequest:
    piece = EncodedData.of(DataType.OCTET_STRING, block.raw_data)
    return WriteRequest((WriteDataBlockAccess(block.last_block, block.block_number),), (piece,))


def _blocks(make: Callable[[DataBlockSA], Any], raw: bytes, room: int) -> Iterator[tuple[Any, bool]]:
    least = room - len(make(DataBlockSA(False, 1, b"")).encode()) - 2  # the length takes one octet, or three
    if len(raw) > max(least, 1) * MOST_BLOCKS:
        raise ServiceFailed(f"the request takes more than {MOST_BLOCKS} blocks: write less at a time")
    return blocks_of(make, make, raw, room)


def _send_blocks(
    make: Callable[[DataBlockSA], Any], raw: bytes, terms: Terms, kind: type[ReadResponse] | type[WriteResponse]
) -> Exchange:
    """Send a request block by block; returns the response to the last one, or the error that ended the transfer."""
    for number, (apdu, last) in enumerate(_blocks(make, raw, terms.room), 1):
        response = yield apdu
        if last:
            return response
        results = _answered(response, kind)
        if _only(results, "data_access_error") is not None:
            return response
        taken = _only(results, "block_number")
        if taken is None:
            raise ProtocolError(f"the meter took block {number} for the last one, and it is not")
        acknowledged(taken, number)
    raise AssertionError("a transfer has at least one block")


def _receive_blocks(block: DataBlockResult, terms: Terms) -> Generator[Any, Any, bytes | DataAccessResult]:
    """Ask for block after block: the joined raw data, or the error that ended the transfer."""
    answer = LongAnswer(terms.limits, first=min(block.block_number, 1))
    while True:
        joined = answer.take(block.block_number, block.raw_data, block.last_block)
        if joined is not None:
            return joined
        terms.need(BLOCK_TRANSFER_WITH_GET_OR_READ)
        following = yield ReadRequest((BlockNumberAccess(block.block_number),))
        results = _answered(following, ReadResponse)
        error = _only(results, "data_access_error")
        if error is not None:
            return read_result(error)  # type: ignore[no-any-return]  # the alternative has that type
        block = _only(results, "data_block_result")
        if block is None:
            raise ProtocolError("the meter answered with results amid a transfer: the next block was expected")
