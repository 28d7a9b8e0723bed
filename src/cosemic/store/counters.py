"""Invocation counters in a file that processes share and that survives ``kill -9`` and loss of power.

An append-only journal of lines, each with the whole state of one (key, system title); the last one holds::

    cosemic-counters 1 <generation, 16 hexadecimal digits>
    <CRC-32> t <key identity> <title> <next> <confirmed 0|1> <trial a-b | -> <burnt a-b,c-d | ->
    <CRC-32> r <key identity> <title> <lowest acceptable>

A change is: lock ``<path>.lock``, read what others have appended, append one line, fsync; only then is a value used or
an APDU executed. What a killed process leaves is an unfinished last line at most, of a change that nobody acted on: it
counts as not written. After it, after a failed write or fsync, and when the journal has grown long, the next change
writes the file anew: ``<path>.new``, fsync, rename, fsync of the folder; a new generation tells other processes to read
it from the start. Any other line that does not check means that the file was damaged: it is refused, since counters
would come again. For the same reason it is never to be restored from a copy.

Locks are flock (POSIX) or msvcrt.locking (Windows), on a file that is never replaced and opened anew for each change,
so that threads, forked children and several stores on one path exclude each other too.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from zlib import crc32

from cosemic.errors import ConfigurationError, SecurityError
from cosemic.security.counters import CounterStore, accepted
from cosemic.security.keys import IDENTITY_LENGTH
from cosemic.security.suite import SYSTEM_TITLE_LENGTH
from cosemic.security.transmit_state import Interval, TransmitState
from cosemic.store.file_port import FilePort

MAGIC: Final = b"cosemic-counters 1 "
HEADER: Final = re.compile(MAGIC + b"[0-9a-f]{16}\n")
HEADER_LENGTH: Final = len(MAGIC) + 17
PLACE_LENGTH: Final = len("t ") + 2 * IDENTITY_LENGTH + len(" ") + 2 * SYSTEM_TITLE_LENGTH
INTERVAL: Final = rb"\d+-\d+"
LINE: Final = re.compile(
    rb"[0-9a-f]{8} "
    rb"(?:t [0-9a-f]{32} [0-9a-f]{16} \d+ [01] (?:-|%(i)s) (?:-|%(i)s(?:,%(i)s)*)"
    rb"|r [0-9a-f]{32} [0-9a-f]{16} \d+)" % {b"i": INTERVAL}
)
START: Final = re.compile(rb"[0-9a-f]{8} [tr] ")
DEFAULT_BLOCK: Final = 64
"""Transmit values that are reserved with one write; a killed process loses as many."""
LOCK_TIMEOUT: Final = 10.0
"""Seconds to wait for another process; a change takes milliseconds."""
COMPACT_LINES: Final = 1000
"""Lines, beyond four for each counter, after which the journal is written anew."""


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
        self._path = os.path.abspath(path)
        self._lock_timeout = lock_timeout
        self._compact_lines = compact_lines
        self._port = port or FilePort()
        self._mutex = threading.Lock()
        self._values: dict[bytes, bytes] = {}
        """What the lines say, by place (kind, key identity and title as they are written)."""
        self._header = b""
        """First line of the file that was read; empty: read it from the start."""
        self._end = 0
        """Octets of the file that were read and checked."""
        self._lines = 0
        self._rewrite = False
        """The end of the file is not to be relied on: write it anew."""
        self._seen = False
        """The file was there once: that it is gone is damage then."""
        with self._locked():
            self._read()
            if not self._seen:
                self._write_anew(self._values)

    def transmit_state(self, key: bytes, title: bytes) -> TransmitState:
        """Return the present state, the initial one when there is none."""
        with self._locked():
            self._read()
            return self._state(_place(b"t", key, title))

    def change_transmit(
        self, key: bytes, title: bytes, change: Callable[[TransmitState], TransmitState]
    ) -> TransmitState:
        """Replace the state by ``change`` of it; see :meth:`CounterStore.change_transmit`."""
        place = _place(b"t", key, title)
        with self._locked():
            self._read()
            before = self._state(place)
            after = change(before)
            if after != before:
                self._save(place, _state_value(after))
            return after

    def lowest_acceptable(self, key: bytes, title: bytes) -> int:
        """Return the lowest counter that is accepted from that originator."""
        with self._locked():
            self._read()
            return int(self._values.get(_place(b"r", key, title), b"0"))

    def accept(self, key: bytes, title: bytes, counter: int, *, fresh: bool = True) -> int:
        """Accept a verified counter; see :meth:`CounterStore.accept`."""
        place = _place(b"r", key, title)
        with self._locked():
            self._read()
            before = int(self._values.get(place, b"0"))
            lowest = accepted(before, counter, fresh)
            if lowest != before:
                self._save(place, b"%d" % lowest)
            return lowest

    def _state(self, place: bytes) -> TransmitState:
        value = self._values.get(place)
        return TransmitState() if value is None else _parse_state(value)

    def _after_fork(self) -> None:
        super()._after_fork()
        self._mutex = threading.Lock()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Exclude threads and processes; turn errors of the operating system into one of ours."""
        port = self._port
        with self._mutex:
            try:
                descriptor = port.open(self._path + ".lock", os.O_RDWR | os.O_CREAT)
                try:
                    port.lock(descriptor, self._lock_timeout)
                    try:
                        yield
                    finally:
                        port.unlock(descriptor)
                finally:
                    port.close(descriptor)
            except OSError as error:
                raise SecurityError(
                    f"the counter store {self._path} cannot be used ({error.strerror or error}); nothing can be "
                    "protected or accepted until it can: see to file, folder and free space"
                ) from error

    def _damaged(self, how: str) -> ConfigurationError:
        return ConfigurationError(
            f"the counter store {self._path} {how}: going on could use counters again. Install new keys, or learn from "
            "the meters where their counters stand and set them by hand in a new file"
        )

    def _read(self) -> None:
        """Take in what was appended since, or everything when the file was written anew."""
        try:
            descriptor = self._port.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            if self._seen:
                raise self._damaged("is gone") from None
            return
        try:
            if self._header and self._port.read(descriptor, 0, HEADER_LENGTH) == self._header:
                # The line end before what is new is read again: it tells that the file did not shrink.
                octets = self._port.read(descriptor, self._end - 1)
                if octets[:1] != b"\n":
                    raise self._damaged("is shorter than it was")
                self._take_in(octets[1:], self._values)
            else:
                self._read_anew(self._port.read(descriptor, 0))
        finally:
            self._port.close(descriptor)

    def _read_anew(self, octets: bytes) -> None:
        if not HEADER.match(octets):
            raise self._damaged("does not begin as such a file does")
        known = self._values
        values: dict[bytes, bytes] = {}
        self._header = b""
        self._end, self._lines = HEADER_LENGTH, 0
        self._take_in(octets[HEADER_LENGTH:], values)
        for place, value in known.items():
            if _first(values.get(place, b"0")) < _first(value):
                raise self._damaged("is older than what it held before")
        self._values = values
        self._header = octets[:HEADER_LENGTH]
        self._seen = True

    def _take_in(self, octets: bytes, values: dict[bytes, bytes]) -> None:
        """Enter whole lines; the last one may be unfinished or torn, and does not count then."""
        *lines, rest = octets.split(b"\n")
        for number, line in enumerate(lines, 1):
            if not _checks(line):
                rest = b"\n".join([*lines[number - 1 :], rest])
                break
            values[line[9 : 9 + PLACE_LENGTH]] = line[10 + PLACE_LENGTH :]
            self._end += len(line) + 1
            self._lines += 1
        # One write was cut short at most: what remains cannot hold a line end before its last octet, or two beginnings.
        if b"\n" in rest[:-1] or len(START.findall(rest)) > 1:
            raise self._damaged(f"does not check at octet {self._end}")
        self._rewrite = self._rewrite or bool(rest)

    def _save(self, place: bytes, value: bytes) -> None:
        """Have one change reach the medium, or raise and rely on nothing that was written."""
        values = self._values
        try:
            if self._rewrite or self._lines >= self._compact_lines + 4 * len(values):
                self._write_anew(values | {place: value})
            else:
                self._append(_line(place, value))
                values[place] = value
        except BaseException:
            self._header = b""
            self._rewrite = True
            raise

    def _append(self, line: bytes) -> None:
        descriptor = self._port.open(self._path, os.O_RDWR)
        try:
            self._write(descriptor, line)
        finally:
            self._port.close(descriptor)
        self._end += len(line)
        self._lines += 1

    def _write_anew(self, values: dict[bytes, bytes]) -> None:
        header = MAGIC + secrets.token_hex(8).encode() + b"\n"
        octets = header + b"".join(_line(place, value) for place, value in values.items())
        descriptor = self._port.open(self._path + ".new", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        try:
            self._write(descriptor, octets)
        finally:
            self._port.close(descriptor)
        self._port.replace(self._path + ".new", self._path)
        self._port.fsync_directory(os.path.dirname(self._path))
        self._values = values
        self._header, self._end, self._lines = header, len(octets), len(values)
        self._rewrite, self._seen = False, True

    def _write(self, descriptor: int, octets: bytes) -> None:
        while octets:
            octets = octets[self._port.write(descriptor, octets) :]
        self._port.fsync(descriptor)


def _place(kind: bytes, key: bytes, title: bytes) -> bytes:
    if len(key) != IDENTITY_LENGTH or len(title) != SYSTEM_TITLE_LENGTH:
        raise ConfigurationError("a counter belongs to a key identity of 16 octets and a system title of 8")
    return b"%s %s %s" % (kind, key.hex().encode(), title.hex().encode())


def _line(place: bytes, value: bytes) -> bytes:
    body = place + b" " + value
    return b"%08x %s\n" % (crc32(body), body)


def _checks(line: bytes) -> bool:
    return LINE.fullmatch(line) is not None and int(line[:8], 16) == crc32(line[9:])


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
