"""Telling stores that they are in a forked child: what their parent has reserved is not theirs."""

from __future__ import annotations

import os
from typing import Final, Protocol
from weakref import WeakSet


class Forgetful(Protocol):
    """A store with values of its process alone."""

    def _after_fork(self) -> None:
        """Forget them: this is the child."""


def tell_in_child(store: Forgetful) -> None:
    """Have a store told in each child that this process forks, as long as it lives."""
    _told.add(store)


def _tell() -> None:
    for store in list(_told):
        store._after_fork()


_told: Final[WeakSet[Forgetful]] = WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tell)
