"""What is fuzzed: a function that takes octets, what its inputs are made of, and the errors that it may end in."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from cosemic.errors import CosemicError
from fuzz.mutation import mutated, seeds

Mutate: TypeAlias = Callable[[list[bytes], random.Random], bytes]
"""Makes an input of a corpus."""


@cache
def vectors(kind: str | None = None) -> list[bytes]:
    """The corpus of all targets that name no other; kind: of the records of that kind."""
    return seeds(kind)


@dataclass(frozen=True, slots=True)
class Target:
    """A public entry point that octets can reach.

    run: takes any octets; an AssertionError of it is a finding, too. It may return how many octets it has handed in,
    where these are more than it was given. errors: what it may raise, anything else is a finding. corpus: octets that
    are right, made once in each process. mutate: makes them wrong.
    """

    run: Callable[[bytes], int | None]
    errors: tuple[type[CosemicError], ...] = ()
    corpus: Callable[[], list[bytes]] = vectors
    mutate: Mutate = mutated
