"""Lists of references, as a client asks and is answered."""

from __future__ import annotations

from typing import Any

from cosemic.errors import EncodeError, ProtocolError


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
