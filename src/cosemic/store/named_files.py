"""Files that settings name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from cosemic.errors import ConfigurationError

T = TypeVar("T")


def path_of(text: object, beside: Path | None) -> Path:
    """Return a path that settings name: beside them, unless it is absolute."""
    path = Path(str(text))
    return path if path.is_absolute() or beside is None else beside.parent / path


class OneStorePerFile(Generic[T]):
    """The stores of this process, one for each file: all associations with the same keys draw from it.

    what: the file is called in messages. make: opens a store.
    """

    def __init__(self, what: str, make: Callable[[Path], T]) -> None:
        self._what: Final = what
        self._make: Final = make
        self._lock: Final = threading.Lock()
        self._stores: dict[str, T] = {}

    def at(self, path: Path) -> T:
        """Return the store of a file, whose folder is made where it is missing. Raises ConfigurationError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"the folder of the {self._what} {path}: {error.strerror}") from None
        key = str(path.resolve())
        with self._lock:
            if key not in self._stores:
                self._stores[key] = self._make(path)
            return self._stores[key]
