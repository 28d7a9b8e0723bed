"""Lists of references, as a client asks and is answered, and what is told of each."""

from __future__ import annotations

from typing import Any, TypeVar

from cosemic.errors import EncodeError, ProtocolError
from cosemic.values import DataAccessResult

_Result = TypeVar("_Result")


def count_of(items: tuple[Any, ...], values: tuple[Any, ...] | None = None) -> int:
    """Items of a list; raises EncodeError for none, or when there is not one value for each."""
    if not items:
        raise EncodeError("a list of nothing cannot be asked for")
    if values is not None and len(values) != len(items):
        raise EncodeError(f"{len(values)} values for {len(items)} items")
    return len(items)


def counted(results: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """Return the results, of which there has to be one for each item. Raises ProtocolError."""
    if len(results) != count:
        raise ProtocolError(f"the meter gave {len(results)} results for {count} items")
    return results


def read_result(result: _Result) -> _Result:
    """Return what was read, or why not. Raises ProtocolError for a data-access-result that says success."""
    if result is DataAccessResult.SUCCESS:
        raise ProtocolError("the meter answered success and sent no data: read again; if it stays so, tell its maker")
    return result
