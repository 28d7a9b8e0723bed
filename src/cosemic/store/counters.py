"""Invocation counters in a file that processes share and that survives ``kill -9`` and loss of power.

A :mod:`~cosemic.store.journal` of lines without numbers, each with the whole state of one (key, system title); the last
one holds::

    cosemic-counters 1 <generation, 16 hexadecimal digits>
    <CRC-32> t <key identity> <title> <next> <confirmed 0|1> <trial a-b | -> <burnt a-b,c-d | ->
    <CRC-32> r <key identity> <title> <lowest acceptable>

Only when its line is on the medium is a value used or an APDU executed. A file that is damaged or older than what was
seen of it is refused, since counters would come again; for the same reason it is never to be restored from a copy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.security.counters import CounterStore
from cosemic.security.counting import accepted
from cosemic.security.keys import IDENTITY_LENGTH
from cosemic.security.suite import SYSTEM_TITLE_LENGTH
from cosemic.security.transmit_state import Interval, TransmitState
from cosemic.store.file_port import FilePort
from cosemic.store.journal import COMPACT_LINES, LOCK_TIMEOUT, Journal

MAGIC: Final = b"cosemic-counters 1 "
PLACE_LENGTH: Final = len("t ") + 2 * IDENTITY_LENGTH + len(" ") + 2 * SYSTEM_TITLE_LENGTH
INTERVAL: Final = rb"\d{1,20}-\d{1,20}"
BODY: Final = re.compile(
    rb"t [0-9a-f]{32} [0-9a-f]{16} \d{1,20} [01] (?:-|%(i)s) (?:-|%(i)s(?:,%(i)s)*)"
    rb"|r [0-9a-f]{32} [0-9a-f]{16} \d{1,20}" % {b"i": INTERVAL}
)
DEFAULT_BLOCK: Final = 64
"""Transmit values that are reserved with one write; a killed process loses as many."""


class _Book:
    """What the lines say, by place (kind, key identity and title as they are written)."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self._known = self.values
        """Those that were read and found to be in order last."""

    def clear(self) -> None:
        self.values = {}

    def settle(self) -> bool:
        for place, value in self._known.items():
            if _first(self.values.get(place, b"0")) < _first(value):
                return False
        self._known = self.values
        return True

    def take(self, body: bytes) -> bool:
        if BODY.fullmatch(body) is None:
            return False
        self.enter(body)
        return True

    def enter(self, body: bytes) -> None:
        self.values[body[:PLACE_LENGTH]] = body[PLACE_LENGTH + 1 :]

    def bodies(self, *more: bytes) -> Iterator[bytes]:
        for place, value in (self.values | dict(map(_parted, more))).items():
            yield place + b" " + value

    def spare(self) -> int:
        return 4 * len(self.values)


class FileCounterStore(CounterStore):
    """A counter store in one file (and ``.lock`` and ``.new`` beside it), for any number of threads and processes.

    path: of the file; its folder must exist. block: transmit values reserved at a time. lock_timeout: seconds to wait
    for other processes. compact_lines: lines beyond four for each counter after which the file is written anew. port:
    the operating system. Each block and each accepted counter costs one fsync, some 0.1 to 10 ms, during which the
    calling thread waits.

    Methods raise SecurityError when the file cannot be read or written (nothing is used or accepted then), and
    ConfigurationError when it is damaged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        block: int = DEFAULT_BLOCK,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        compact_lines: int = COMPACT_LINES,
        port: FilePort | None = None,
    ) -> None:
        if block < 1:
            raise ConfigurationError(f"a block of counters has at least one value, not {block}")
        super().__init__(block)
        self._book = _Book()
        self._journal = Journal(
            path,
            self._book,
            MAGIC,
            "counter store",
            "going on could use counters again. Install new keys, or learn from the meters where their counters stand "
            "and set them by hand in a new file",
            numbered=False,
            lock_timeout=lock_timeout,
            compact_lines=compact_lines,
            port=port,
        )

    def transmit_state(self, key: bytes, title: bytes) -> TransmitState:
        """Return the present state, the initial one when there is none."""
        with self._journal.locked():
            return self._state(_place(b"t", key, title))

    def change_transmit(
        self, key: bytes, title: bytes, change: Callable[[TransmitState], TransmitState]
    ) -> TransmitState:
        """Replace the state by ``change`` of it; see :meth:`CounterStore.change_transmit`."""
        place = _place(b"t", key, title)
        with self._journal.locked():
            before = self._state(place)
            after = change(before)
            if after != before:
                self._journal.change(place + b" " + _state_value(after))
            return after

    def lowest_acceptable(self, key: bytes, title: bytes) -> int:
        """Return the lowest counter that is accepted from that originator."""
        with self._journal.locked():
            return int(self._book.values.get(_place(b"r", key, title), b"0"))

    def highest_acceptable(self, key: bytes) -> int:
        """Return the lowest counter that is accepted from whoever has come furthest under this key."""
        prefix = b"r %s " % key.hex().encode()
        with self._journal.locked():
            return max((int(each) for place, each in self._book.values.items() if place.startswith(prefix)), default=0)

    def accept(self, key: bytes, title: bytes, counter: int, *, fresh: bool = True) -> int:
        """Accept a verified counter; see :meth:`CounterStore.accept`."""
        place = _place(b"r", key, title)
        with self._journal.locked():
            before = int(self._book.values.get(place, b"0"))
            lowest = accepted(before, counter, fresh)
            if lowest != before:
                self._journal.change(b"%s %d" % (place, lowest))
            return lowest

    def _state(self, place: bytes) -> TransmitState:
        value = self._book.values.get(place)
        return TransmitState() if value is None else _parse_state(value)

    def _after_fork(self) -> None:
        super()._after_fork()
        self._journal.after_fork()


def _place(kind: bytes, key: bytes, title: bytes) -> bytes:
    if len(key) != IDENTITY_LENGTH or len(title) != SYSTEM_TITLE_LENGTH:
        raise ConfigurationError("a counter belongs to a key identity of 16 octets and a system title of 8")
    return b"%s %s %s" % (kind, key.hex().encode(), title.hex().encode())


def _parted(body: bytes) -> tuple[bytes, bytes]:
    return body[:PLACE_LENGTH], body[PLACE_LENGTH + 1 :]


def _first(value: bytes) -> int:
    return int(value.partition(b" ")[0])


def _state_value(state: TransmitState) -> bytes:
    trial = b"%d-%d" % state.trial if state.trial else b"-"
    burnt = b",".join(b"%d-%d" % each for each in state.burnt) or b"-"
    return b"%d %d %s %s" % (state.next, state.confirmed, trial, burnt)


def _parse_state(value: bytes) -> TransmitState:
    first, confirmed, trial, burnt = value.split(b" ")
    intervals = () if burnt == b"-" else tuple(_parse_interval(each) for each in burnt.split(b","))
    return TransmitState(int(first), confirmed == b"1", None if trial == b"-" else _parse_interval(trial), intervals)


def _parse_interval(text: bytes) -> Interval:
    first, stop = text.split(b"-")
    return int(first), int(stop)
