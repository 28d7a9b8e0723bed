"""Ports that fail: a process that dies at the nth call, a medium that fails, a disk that loses power."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cosemic.store.file_port import FilePort


class Killed(BaseException):
    """The process is gone; nothing that it would have done afterwards happens."""


class MortalPort(FilePort):
    """Dies at call ``at`` (from 1) of those that matter: ``before`` it, in the ``middle`` of a write, or ``after`` it.

    ``calls`` names those that were made. Descriptors are closed even then, as the kernel does it.
    """

    def __init__(self, at: int = 0, how: str = "before", beneath: FilePort | None = None) -> None:
        self.at = at
        self.how = how
        self.beneath = beneath or FilePort()
        self.calls: list[str] = []
        self.dead = False

    def _call(self, name: str, do: Callable[[], Any], halfway: Callable[[], Any] | None = None) -> Any:
        if self.dead:
            raise Killed
        self.calls.append(name)
        if len(self.calls) == self.at:
            self.dead = True
            if self.how == "after":
                do()
            elif self.how == "middle" and halfway is not None:
                halfway()
            raise Killed
        return do()

    def open(self, path: str, flags: int) -> int:
        if self.dead:
            raise Killed
        return self.beneath.open(path, flags)

    def read(self, descriptor: int, offset: int, size: int | None = None) -> bytes:
        if self.dead:
            raise Killed
        return self.beneath.read(descriptor, offset, size)

    def lock(self, descriptor: int, timeout: float) -> None:
        if self.dead:
            raise Killed
        self.beneath.lock(descriptor, timeout)

    def unlock(self, descriptor: int) -> None:
        if self.dead:
            raise Killed
        self.beneath.unlock(descriptor)

    def close(self, descriptor: int) -> None:
        self.beneath.close(descriptor)

    def write(self, descriptor: int, octets: bytes) -> int:
        return int(
            self._call(
                "write",
                lambda: self.beneath.write(descriptor, octets),
                lambda: self.beneath.write(descriptor, octets[: len(octets) // 2]),
            )
        )

    def fsync(self, descriptor: int) -> None:
        self._call("fsync", lambda: self.beneath.fsync(descriptor))

    def replace(self, source: str, target: str) -> None:
        self._call("replace", lambda: self.beneath.replace(source, target))

    def fsync_directory(self, path: str) -> None:
        self._call("fsync_directory", lambda: self.beneath.fsync_directory(path))


class FailingPort(FilePort):
    """Fails with OSError at call ``at`` (from 1) of write, fsync, replace and fsync of the folder, then works again.

    A write that fails has written half of the octets; with ``short`` it does not fail but says so.
    """

    def __init__(self, at: int = 0, *, short: bool = False) -> None:
        self.at = at
        self.short = short
        self.count = 0

    def _due(self) -> bool:
        self.count += 1
        return self.count == self.at

    def write(self, descriptor: int, octets: bytes) -> int:
        if not self._due():
            return super().write(descriptor, octets)
        written = super().write(descriptor, octets[: len(octets) // 2])
        if self.short:
            return written
        raise OSError(28, "No space left on device")

    def fsync(self, descriptor: int) -> None:
        if self._due() and not self.short:
            raise OSError(5, "Input/output error")
        super().fsync(descriptor)

    def replace(self, source: str, target: str) -> None:
        if self._due() and not self.short:
            raise OSError(13, "Permission denied")
        super().replace(source, target)

    def fsync_directory(self, path: str) -> None:
        if self._due() and not self.short:
            raise OSError(5, "Input/output error")
        super().fsync_directory(path)


@dataclass
class Content:
    """Octets of one file: those that reached the medium, and those that a process sees."""

    durable: bytes = b""
    visible: bytes = b""


@dataclass
class Disk(FilePort):
    """A folder in memory that forgets on loss of power what was not told to be kept.

    ``names`` is the folder as processes see it, ``durable_names`` as it is on the medium.
    """

    names: dict[str, Content] = field(default_factory=dict)
    durable_names: dict[str, Content] = field(default_factory=dict)
    opened: dict[int, Content] = field(default_factory=dict)

    def lose_power(self, keep_names: bool, kept: float, zeros: bool) -> None:
        """Come back with the names of before or after what was not synchronised, and a part of the octets.

        kept: share of the octets that did reach the medium. zeros: the file is long enough, but holds zeros there.
        """
        names = self.names if keep_names else self.durable_names
        for content in names.values():
            new = content.visible[len(content.durable) :]
            part = new[: int(len(new) * kept)]
            content.durable += part + (bytes(len(new) - len(part)) if zeros else b"")
            content.visible = content.durable
        self.names, self.durable_names = dict(names), dict(names)
        self.opened.clear()

    def open(self, path: str, flags: int) -> int:
        if path not in self.names:
            if not flags & os.O_CREAT:
                raise FileNotFoundError(path)
            self.names[path] = Content()
        if flags & os.O_TRUNC:
            self.names[path] = Content()
        descriptor = len(self.opened)
        self.opened[descriptor] = self.names[path]
        return descriptor

    def close(self, descriptor: int) -> None: ...

    def lock(self, descriptor: int, timeout: float) -> None: ...

    def unlock(self, descriptor: int) -> None: ...

    def read(self, descriptor: int, offset: int, size: int | None = None) -> bytes:
        return self.opened[descriptor].visible[offset : None if size is None else offset + size]

    def write(self, descriptor: int, octets: bytes) -> int:
        self.opened[descriptor].visible += octets
        return len(octets)

    def fsync(self, descriptor: int) -> None:
        content = self.opened[descriptor]
        content.durable = content.visible

    def replace(self, source: str, target: str) -> None:
        self.names[target] = self.names.pop(source)

    def fsync_directory(self, path: str) -> None:
        self.durable_names = dict(self.names)
