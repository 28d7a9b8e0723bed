"""What a durable store asks of the operating system, in one replaceable object.

Tests hand in a port that stops at the nth call, to show what is left of a process that was killed there.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ACCESS: Final = 0o600
FLAGS: Final[int] = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
LOCK_PAUSE: Final = 0.0005
READ_SIZE: Final = 1 << 20


class FilePort:
    """Files of the operating system, and what the stores do with them. Every method raises OSError."""

    def open(self, path: str, flags: int) -> int:
        """Open a file for the present user alone."""
        return os.open(path, flags | FLAGS, ACCESS)

    def close(self, descriptor: int) -> None:
        """Close a file; a lock on it is given up."""
        os.close(descriptor)

    def lock(self, descriptor: int, timeout: float) -> None:
        """Lock a file against all other openings of it, in this process too; TimeoutError after ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while True:
            try:
                if sys.platform == "win32":
                    msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                else:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                if time.monotonic() >= end:
                    raise TimeoutError(f"locked by another process for more than {timeout:g} s") from None
                time.sleep(LOCK_PAUSE)
            else:
                return

    def unlock(self, descriptor: int) -> None:
        """Give up a lock."""
        if sys.platform == "win32":
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    def read(self, descriptor: int, offset: int, size: int | None = None) -> bytes:
        """Read ``size`` octets, or everything, from ``offset`` on; fewer at the end of the file."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        if size is not None:
            return os.read(descriptor, size)
        parts = []
        while part := os.read(descriptor, READ_SIZE):
            parts.append(part)
        return b"".join(parts)

    def write(self, descriptor: int, octets: bytes) -> int:
        """Write at the end of what is there; returns how many octets were written."""
        os.lseek(descriptor, 0, os.SEEK_END)
        return os.write(descriptor, octets)

    def fsync(self, descriptor: int) -> None:
        """Have what was written reach the medium."""
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)

    def replace(self, source: str, target: str) -> None:
        """Give a file the name of another one, which is gone then, in one step."""
        os.replace(source, target)

    def fsync_directory(self, path: str) -> None:
        """Have names reach the medium; Windows does so by itself."""
        if sys.platform != "win32":
            descriptor = os.open(path, os.O_RDONLY | FLAGS)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def hold(self, path: str, timeout: float) -> int:
        """Lock ``<path>.lock`` and return what :meth:`let_go` takes; TimeoutError after ``timeout`` seconds.

        That file is never replaced and opened anew each time, so that threads, forked children and several stores on
        one path exclude each other too. No context manager: taking counters is held up by little else.
        """
        descriptor = self.open(path + ".lock", os.O_RDWR | os.O_CREAT)
        try:
            self.lock(descriptor, timeout)
        except BaseException:
            self.close(descriptor)
            raise
        return descriptor

    def let_go(self, descriptor: int) -> None:
        """Give up what :meth:`hold` has locked."""
        try:
            self.unlock(descriptor)
        finally:
            self.close(descriptor)

    def append(self, path: str, octets: bytes) -> None:
        """Have octets reach the medium at the end of a file that is there."""
        self._write_all(path, os.O_RDWR, octets)

    def write_whole(self, path: str, octets: bytes) -> None:
        """Have a file hold just these octets, in one step: all of them reached the medium, or it is as it was before.

        They are written to ``<path>.new`` first, of which a killed process may leave a part.
        """
        self._write_all(path + ".new", os.O_RDWR | os.O_CREAT | os.O_TRUNC, octets)
        self.replace(path + ".new", path)
        self.fsync_directory(os.path.dirname(path) or os.curdir)

    def _write_all(self, path: str, flags: int, octets: bytes) -> None:
        descriptor = self.open(path, flags)
        try:
            while octets:
                octets = octets[self.write(descriptor, octets) :]
            self.fsync(descriptor)
        finally:
            self.close(descriptor)
