"""An append-only journal in a file that processes share and that survives ``kill -9`` and loss of power.

::

    <magic> <generation, 16 hexadecimal digits>
    <CRC-32> <sequence number> <body>         in some journals without the number

A change is: lock ``<path>.lock``, read what others have appended, append one line, fsync; only then is it acted on.
What a killed process leaves is an unfinished last line at most, of a change that nobody acted on: it counts as not
written. After it, after a failed write or fsync, and when the journal has grown long, the next change writes the file
anew: ``<path>.new``, fsync, rename, fsync of the folder; a new generation tells other processes to read it from the
start. Any other line that does not check, or is out of sequence, means that the file was damaged; a last number below
one that was seen, or less in the book than was known, that it is an old copy: all are refused.

What the bodies mean is the business of a :class:`Book`. Each begins with a small letter and a space or colon.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol
from zlib import crc32

from cosemic.errors import ConfigurationError, SecurityError
from cosemic.store.file_port import FilePort

GENERATION: Final = rb"[0-9a-f]{16}\n"
LOCK_TIMEOUT: Final = 10.0
"""Seconds to wait for another process; a change takes milliseconds."""
COMPACT_LINES: Final = 1000
"""Lines, beyond some for each thing that is known, after which a journal is written anew."""
PLAIN_LINE: Final = re.compile(rb"[0-9a-f]{8} ()([a-z][ :][ -~]*)")
PLAIN_START: Final = re.compile(rb"[0-9a-f]{8} [a-z][ :]")
NUMBERED_LINE: Final = re.compile(rb"[0-9a-f]{8} (\d{1,20}) ([a-z][ :][ -~]*)")
NUMBERED_START: Final = re.compile(rb"[0-9a-f]{8} \d{1,20} [a-z][ :]")


class Book(Protocol):
    """What the lines of a journal say."""

    def clear(self) -> None:
        """Forget everything: the file is read from the start."""

    def settle(self) -> bool:
        """Go on with what was taken since :meth:`clear`; False when that is less than was known before it."""

    def take(self, body: bytes) -> bool:
        """Enter one line; False, and nothing is changed, for a body that no line has."""

    def enter(self, body: bytes) -> None:
        """Enter a line of our own."""

    def bodies(self, *more: bytes) -> Iterable[bytes]:
        """Return the lines that say everything that is known, and what ``more`` lines say."""

    def spare(self) -> int:
        """Return how many lines, beyond ``compact_lines``, the file may have before it is written anew."""


class Journal:
    """The file of one book.

    magic: first word of it, ending in a space. name: what it is, for messages. warning: what going on with a damaged
    file would do, and what to do instead. numbered: its lines have sequence numbers.

    Use all others inside :meth:`locked`. Raises SecurityError when the file cannot be read or written (nothing is to be
    acted on then), and ConfigurationError when it is damaged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        book: Book,
        magic: bytes,
        name: str,
        warning: str,
        *,
        numbered: bool = True,
        lock_timeout: float = LOCK_TIMEOUT,
        compact_lines: int = COMPACT_LINES,
        port: FilePort | None = None,
    ) -> None:
        self._path = os.path.abspath(path)
        self._book = book
        self._magic = magic
        self._name = name
        self._warning = warning
        self._numbered = numbered
        self._line_form, self._start_form = (NUMBERED_LINE, NUMBERED_START) if numbered else (PLAIN_LINE, PLAIN_START)
        self._lock_timeout = lock_timeout
        self._compact_lines = compact_lines
        self._port = port or FilePort()
        self._mutex = threading.Lock()
        self._header = b""
        """First line of the file that was read; empty: read it from the start."""
        self._end = 0
        """Octets of the file that were read and checked."""
        self._lines = 0
        self._sequence = 0
        """Of the last change that was seen; never goes down."""
        self._rewrite = False
        """The end of the file is not to be relied on: write it anew."""
        self._seen = False
        """The file was there once: that it is gone is damage then."""
        with self.locked():
            if not self._seen:
                self._write_anew()

    def after_fork(self) -> None:
        """Take a lock that no thread of the parent holds."""
        self._mutex = threading.Lock()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude threads and processes, and have the book up to date."""
        with self._mutex:
            try:
                descriptor = self._port.hold(self._path, self._lock_timeout)
                try:
                    self._read()
                    yield
                finally:
                    self._port.let_go(descriptor)
            except OSError as error:
                raise SecurityError(
                    f"the {self._name} {self._path} cannot be used ({error.strerror or error}); nothing can be "
                    "protected or accepted until it can: see to file, folder and free space"
                ) from error

    def change(self, body: bytes) -> None:
        """Have one line reach the medium, then enter it; or raise, and rely on nothing that was written."""
        try:
            if self._rewrite or self._lines >= self._compact_lines + self._book.spare():
                self._write_anew(body)
            else:
                self._append(body)
        except BaseException:
            self._header = b""
            self._rewrite = True
            raise

    def _damaged(self, how: str) -> ConfigurationError:
        return ConfigurationError(f"the {self._name} {self._path} {how}: {self._warning}")

    def _read(self) -> None:
        try:
            descriptor = self._port.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            if self._seen:
                raise self._damaged("is gone") from None
            return
        try:
            if self._header and self._port.read(descriptor, 0, len(self._header)) == self._header:
                # The line end before what is new is read again: it tells that the file did not shrink.
                octets = self._port.read(descriptor, self._end - 1)
                if octets[:1] != b"\n":
                    raise self._damaged("is shorter than it was")
                self._take_in(octets[1:], self._sequence)
            else:
                self._read_anew(self._port.read(descriptor, 0))
        finally:
            self._port.close(descriptor)

    def _read_anew(self, octets: bytes) -> None:
        header = re.match(re.escape(self._magic) + GENERATION, octets)
        if header is None:
            raise self._damaged("does not begin as such a file does")
        before = self._sequence
        self._header = b""
        self._end, self._lines, self._sequence = header.end(), 0, 0
        self._book.clear()
        try:
            self._take_in(octets[header.end() :], 0)
            if self._sequence < before or not self._book.settle():
                raise self._damaged("is older than what it held before")
        finally:
            self._sequence = max(self._sequence, before)
        self._header = header[0]
        self._seen = True

    def _take_in(self, octets: bytes, sequence: int) -> None:
        """Enter whole lines; the last one may be unfinished or torn, and does not count then."""
        *lines, rest = octets.split(b"\n")
        for number, line in enumerate(lines):
            found = self._line_form.fullmatch(line)
            if (
                found is None
                or int(line[:8], 16) != crc32(line[9:])
                or (self._numbered and self._lines and int(found[1]) != sequence + 1)
                or not self._book.take(found[2])
            ):
                rest = b"\n".join([*lines[number:], rest])
                break
            if self._numbered:
                self._sequence = sequence = int(found[1])
            self._end += len(line) + 1
            self._lines += 1
        # One write was cut short at most: what remains cannot hold a line end before its last octet, or two beginnings.
        if b"\n" in rest[:-1] or len(self._start_form.findall(rest)) > 1:
            raise self._damaged(f"does not check at octet {self._end}")
        self._rewrite = self._rewrite or bool(rest)

    def _line(self, body: bytes, sequence: int) -> bytes:
        text = b"%d %s" % (sequence, body) if self._numbered else body
        return b"%08x %s\n" % (crc32(text), text)

    def _append(self, body: bytes) -> None:
        line = self._line(body, self._sequence + 1)
        self._port.append(self._path, line)
        self._book.enter(body)
        self._sequence += self._numbered
        self._end += len(line)
        self._lines += 1

    def _write_anew(self, *more: bytes) -> None:
        header = self._magic + secrets.token_hex(8).encode() + b"\n"
        bodies = enumerate(self._book.bodies(*more), self._sequence + 1)
        lines = [self._line(body, number) for number, body in bodies]
        octets = header + b"".join(lines)
        self._port.write_whole(self._path, octets)
        for body in more:
            self._book.enter(body)
        self._header, self._end, self._lines = header, len(octets), len(lines)
        self._sequence += len(lines) if self._numbered else 0
        self._rewrite, self._seen = False, True
