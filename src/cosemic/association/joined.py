"""What the raw data of a long transfer joins to (reference, application layer 9, 10, 15).

::

    GET, one attribute         Data
    GET, list                  SEQUENCE OF Get-Data-Result, with its count
    SET, one attribute         Data
    SET and ACTION, list       SEQUENCE OF Data, with its count
    ACTION answer, one         Get-Data-Result | Data | count and Action-Response-With-Optional-Data (unsure: all read)
    ACTION answer, list        Get-Data-Results or Data end to end | SEQUENCE OF Action-Response-With-Optional-Data
"""

from __future__ import annotations

from collections.abc import Callable
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

    Of a list the form that names each result goes before bare Data, which imply success. Raises DecodeError when none
    of the forms fits.
    """
    wanted = 1 if count is None else count
    forms: list[Callable[[], tuple[ActionResponseWithOptionalData, ...] | None]] = [
        lambda: _end_to_end(raw, wanted, True, limits),
        lambda: _end_to_end(raw, wanted, False, limits),
    ]
    forms.insert(2 if count is None else 1, lambda: _with_results(raw, wanted, limits))
    for form in forms:
        found = form()
        if found is not None:
            return found
    raise DecodeError(f"the answers of {wanted} methods", 0, "action-response-with-pblock")


def _with_results(raw: bytes, wanted: int, limits: Limits) -> tuple[ActionResponseWithOptionalData, ...] | None:
    try:
        responses = _Responses.decode(raw, limits).response
    except DecodeError:
        return None
    return responses if len(responses) == wanted else None


def _end_to_end(
    raw: bytes, wanted: int, choice: bool, limits: Limits
) -> tuple[ActionResponseWithOptionalData, ...] | None:
    """Return parameters one after the other, each with the choice octet of Get-Data-Result in front, or bare."""
    found: list[ActionResponseWithOptionalData] = []
    at = 0
    while at < len(raw) and len(found) < wanted:
        if choice and raw[at] != 0:
            return None
        start = at + choice
        try:
            at = scan(raw, start, limits)
        except DecodeError:
            return None
        found.append(ActionResponseWithOptionalData(ActionResult.SUCCESS, EncodedData(raw[start:at])))
    return tuple(found) if at == len(raw) and len(found) == wanted else None
