"""How much work and memory one decode may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one decode; beyond them it ends in :class:`~cosemic.errors.DecodeError`.

    depth: nesting of arrays and structures.
    nodes: values in all Data and lists of one APDU, containers and nulls included (a null costs one octet, or none in a
        compact-array, which for that reason holds no more than 16 values for each of its octets, and 64).
    octets: length of what is given to the decoder.
    """

    depth: int = 32
    nodes: int = 1 << 21
    octets: int = 1 << 26


DEFAULT_LIMITS = Limits()
