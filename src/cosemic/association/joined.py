"""What the raw data of a long transfer joins to (application_layer.md 9, 10, 15).

::

    GET, one attribute         Data
    GET, list                  SEQUENCE OF Get-Data-Result, with its count
    SET, one attribute         Data
    SET and ACTION, list       SEQUENCE OF Data, with its count
    ACTION answer, one         Get-Data-Result | Data | count and Action-Response-With-Optional-Data (unsure: all read)
    ACTION answer, list        Get-Data-Results or Data end to end | SEQUENCE OF Action-Response-With-Optional-Data
"""

from __future__ import annotations

from typing import Any

from cosemic.apdu import ActionResponseWithOptionalData, GetDataResult
from cosemic.codec import EncodedData, Limits, Sequence
from cosemic.codec.encoded import scan
from cosemic.errors import DecodeError
from cosemic.values import ActionResult


class _Results(Sequence):
    result: tuple[GetDataResult, ...]


class _Values(Sequence):
    value: tuple[EncodedData, ...]


class _Responses(Sequence):
    response: tuple[ActionResponseWithOptionalData, ...]


def join_data(raw: bytes, limits: Limits) -> EncodedData:
    """One Data, whole. Raises DecodeError."""
    end = scan(raw, 0, limits)
    if end != len(raw):
        raise DecodeError(f"the end of the Data, not {len(raw) - end} more octets", end)
    return EncodedData(raw)


def join_results(raw: bytes, limits: Limits) -> tuple[Any, ...]:
    """Get-Data-Results with their count. Raises DecodeError."""
    return _Results.decode(raw, limits).result


def join_values(raw: bytes, limits: Limits) -> tuple[EncodedData, ...]:
    """Data values with their count. Raises DecodeError."""
    return _Values.decode(raw, limits).value


def results_octets(results: tuple[Any, ...]) -> bytes:
    """Get-Data-Results with their count, as octets."""
    return _Results(results).encode()


def responses_octets(responses: tuple[ActionResponseWithOptionalData, ...]) -> bytes:
    """Action-Response-With-Optional-Data with their count, as octets."""
    return _Responses(responses).encode()


def join_actions(raw: bytes, count: int | None, limits: Limits) -> tuple[ActionResponseWithOptionalData, ...]:
    """Answers to one method (``count`` None) or to a list, in whichever of the forms uses up all octets.

    Raises DecodeError when none does.
    """
    wanted = 1 if count is None else count
    for choice in (True, False):
        found: list[ActionResponseWithOptionalData] = []
        at = 0
        while at < len(raw) and len(found) < wanted:
            if choice and raw[at] != 0:
                break
            start = at + choice
            try:
                at = scan(raw, start, limits)
            except DecodeError:
                break
            found.append(ActionResponseWithOptionalData(ActionResult.SUCCESS, EncodedData(raw[start:at])))
        if at == len(raw) and len(found) == wanted:
            return tuple(found)
    responses = _Responses.decode(raw, limits).response
    if len(responses) != wanted:
        raise DecodeError(f"{wanted} answers, not {len(responses)}")
    return responses
