"""What a contender tells about itself: for each workload that it can do, a `Task`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


def same(value: Any) -> Any:
    """Return the value itself: what a contender delivers is already what the truth is compared with."""
    return value


def with_bytes(table: Any) -> Any:
    """Return a table of lists, with bytes in place of bytearray."""
    return [[bytes(cell) if isinstance(cell, bytearray) else cell for cell in line] for line in table]


@dataclass(frozen=True)
class Task:
    """How a contender does one workload.

    Args:
        run: does the work once with one argument and returns what it delivers; this call is what is timed.
        arguments: given n, yields n arguments, and makes whatever state they need fresh (counters that only rise);
            called before the clock starts.
        plain: makes what `run` returned comparable with the truth; outside of the timed part.
        close: gives back what the task holds (a connection).
    """

    run: Callable[[Any], Any]
    arguments: Callable[[int], Iterable[Any]]
    plain: Callable[[Any], Any] = same
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Contender:
    """One implementation: its distribution name, its version, and a maker for the task of each workload it can do.

    `declined` says, for workloads it cannot do, why (a known limit of the package).
    """

    name: str
    version: str
    tasks: Mapping[str, Callable[[], Task]]
    declined: Mapping[str, str] = field(default_factory=dict)


def always(argument: Any) -> Callable[[int], Iterable[Any]]:
    """The same argument, n times."""
    return lambda n: [argument] * n


def decoding(decoder: Callable[[bytes], Any], octets: bytes, plain: Callable[[Any], Any]) -> Callable[[], Task]:
    """A maker for the task of decoding always the same octets."""
    return lambda: Task(decoder, always(octets), plain)
