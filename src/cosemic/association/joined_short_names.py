"""What the raw data of a long transfer with short names joins to (reference, application layer 13).

::

    ReadRequest     its variables, with their count
    WriteRequest    its variables and its Data, each with their count
    ReadResponse    its results, with their count | Data end to end | Data, then results end to end (all are read)

The first is the body of the APDU without its tag. Nothing in it may be part of a transfer itself.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from cosemic.apdu import ParameterizedAccess, ReadResult
from cosemic.apdu.short_name import VariableAccessSpecification
from cosemic.codec import EncodedData, Limits, Sequence
from cosemic.codec.encoded import scan
from cosemic.errors import DecodeError
from cosemic.values import DataAccessResult

Variable: TypeAlias = int | ParameterizedAccess
"""A variable-name, or one with parameterized access."""
_DATA: Final = 0
_DATA_ACCESS_ERROR: Final = 1


class _Variables(Sequence):
    variable: tuple[VariableAccessSpecification, ...]


class _Writes(Sequence):
    variable: tuple[VariableAccessSpecification, ...]
    value: tuple[EncodedData, ...]


class _Results(Sequence):
    result: tuple[ReadResult, ...]


def plain_variables(specifications: tuple[Any, ...]) -> tuple[Variable, ...] | None:
    """Return the variables that are named; None where one of the specifications is part of a block transfer."""
    plain = all(isinstance(one, int | ParameterizedAccess) for one in specifications)
    return specifications if plain else None


def read_results(results: tuple[ReadResult, ...]) -> tuple[EncodedData | DataAccessResult, ...] | None:
    """Return data and errors; None where one of the results is part of a block transfer."""
    plain = all(one.alternative in ("data", "data_access_error") for one in results)
    return tuple(one.value for one in results) if plain else None


def results_octets(results: tuple[ReadResult, ...]) -> bytes:
    """Results with their count, as octets."""
    return _Results(results).encode()


def variables_octets(variables: tuple[Variable, ...]) -> bytes:
    """Variables with their count, as octets."""
    return _Variables(variables).encode()


def writes_octets(variables: tuple[Variable, ...], values: tuple[EncodedData, ...]) -> bytes:
    """Variables and values with their counts, as octets."""
    return _Writes(variables, values).encode()


def join_variables(raw: bytes, limits: Limits) -> tuple[Variable, ...]:
    """Variables with their count. Raises DecodeError."""
    return _named(_Variables.decode(raw, limits).variable)


def join_writes(raw: bytes, limits: Limits) -> tuple[tuple[Variable, ...], tuple[EncodedData, ...]]:
    """Variables and values with their counts. Raises DecodeError."""
    writes = _Writes.decode(raw, limits)
    return _named(writes.variable), writes.value


def _named(specifications: tuple[Any, ...]) -> tuple[Variable, ...]:
    variables = plain_variables(specifications)
    if variables is None:
        raise DecodeError("variable-name or parameterized-access: a block transfer is no part of another", 0)
    return variables


def join_read(raw: bytes, count: int, limits: Limits) -> tuple[EncodedData | DataAccessResult, ...]:
    """The results of so many variables, in whichever of the forms uses up all octets. Raises DecodeError for none."""
    found = _counted(raw, count, limits) or _end_to_end(raw, count, False, limits)
    if found is None and count > 1:
        found = _end_to_end(raw, count, True, limits)
    if found is None:
        raise DecodeError(f"the results of {count} variables", 0, "data-block-result")
    return found


def _counted(raw: bytes, count: int, limits: Limits) -> tuple[Any, ...] | None:
    try:
        results = read_results(_Results.decode(raw, limits).result)
    except DecodeError:
        return None
    if results is None or len(results) != count or DataAccessResult.SUCCESS in results:
        return None
    return results


def _end_to_end(raw: bytes, count: int, choice: bool, limits: Limits) -> tuple[Any, ...] | None:
    """Data one after the other; choice: all but the first have the choice octet of a result in front."""
    found: list[EncodedData | DataAccessResult] = []
    at = 0
    while at < len(raw) and len(found) < count:
        if choice and found:
            kind, at = raw[at], at + 1
            if kind == _DATA_ACCESS_ERROR and at < len(raw) and raw[at] in DataAccessResult._value2member_map_:
                found.append(DataAccessResult(raw[at]))
                at += 1
                continue
            if kind != _DATA:
                return None
        try:
            end = scan(raw, at, limits)
        except DecodeError:
            return None
        found.append(EncodedData(raw[at:end]))
        at = end
    return tuple(found) if at == len(raw) and len(found) == count else None
