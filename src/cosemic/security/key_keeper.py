"""Who keeps the symmetric keys of a meter while they are changed, so that a change can be rolled back.

::

    propose            the new keys are pending, durably, before anything is sent
    promote            the meter has proved that it uses them: they are current, those before previous
    withdraw           the meter has proved that it uses the old ones: nothing is pending any more

Between ``propose`` and the proof a meter is in doubt: it has the current keys or the pending ones, so that both stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

from cosemic.errors import ConfigurationError
from cosemic.model.security_setup import SetupKeyId
from cosemic.values.secret import Secret

Keys = Mapping[SetupKeyId, Secret]


class KeyState(Enum):
    """Where a key stands."""

    PENDING = "pending"
    """On its way to the meter; not yet proved to be in use."""
    CURRENT = "current"
    PREVIOUS = "previous"


class KeyKeeper(Protocol):
    """Keeps the keys of one meter. Whatever it is told is durable when it returns; it raises StoreError otherwise."""

    def keys(self, state: KeyState) -> Keys:
        """Return the keys in a state; of the previous ones those before the current ones."""

    def propose(self, keys: Keys) -> None:
        """Keep keys as pending. Raises ConfigurationError where there are pending ones."""

    def promote(self) -> None:
        """Make the pending keys current, and those in whose place they come previous."""

    def withdraw(self) -> None:
        """Forget the pending keys."""


class MemoryKeyKeeper:
    """A :class:`KeyKeeper` for tests and trials: a meter whose keys are changed with it is lost with the process."""

    def __init__(self, current: Keys) -> None:
        self._keys: dict[KeyState, dict[SetupKeyId, Secret]] = {state: {} for state in KeyState}
        self._keys[KeyState.CURRENT] = dict(current)

    def keys(self, state: KeyState) -> Keys:
        """Return the keys in a state."""
        return dict(self._keys[state])

    def propose(self, keys: Keys) -> None:
        """Keep keys as pending. Raises ConfigurationError where there are pending ones."""
        if self._keys[KeyState.PENDING]:
            raise ConfigurationError("keys are pending already: recover the meter first")
        self._keys[KeyState.PENDING] = dict(keys)

    def promote(self) -> None:
        """Make the pending keys current, and those in whose place they come previous."""
        pending, current = self._keys[KeyState.PENDING], self._keys[KeyState.CURRENT]
        self._keys[KeyState.PREVIOUS] |= {key_id: current[key_id] for key_id in pending if key_id in current}
        self._keys[KeyState.CURRENT] = current | pending
        self._keys[KeyState.PENDING] = {}

    def withdraw(self) -> None:
        """Forget the pending keys."""
        self._keys[KeyState.PENDING] = {}
