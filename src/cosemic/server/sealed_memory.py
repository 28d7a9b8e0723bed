"""Secrets of an object in the state of its device, sealed: values of JSON (:mod:`cosemic.security.sealing`).

Who has the state file alone learns nothing and can change nothing unseen; who has the configuration of the device too
has the keys, as in any meter that is opened. What is sealed opens in its own place alone: not in another object, nor in
another device with the same keys. An old state file that is put back is not noticed, nor what is taken out of it.
"""

from __future__ import annotations

import json
from typing import Any

from cosemic.errors import DecipheringError, StoreError
from cosemic.security.keys import Key
from cosemic.security.sealing import Sealing
from cosemic.server.state import Memory
from cosemic.values.secret import hidden


class SealedMemory:
    """Values that are kept sealed. root: a key that the device is configured with. place: which device and object."""

    def __init__(self, root: Key, place: str) -> None:
        self._sealing = Sealing(root)
        self._place = place

    def save(self, memory: Memory, name: str, value: Any) -> None:
        """Keep a value. Raises StoreError."""
        value = hidden(value)
        octets = json.dumps(value, separators=(",", ":")).encode()
        memory.save(name, self._sealing.seal(f"{self._place} {name}", octets))

    def load(self, memory: Memory, name: str) -> Any:
        """Return what was kept, None for nothing; repr does not show it. Raises StoreError where it does not open."""
        octets = memory.load(name)
        if octets is None:
            return None
        try:
            return hidden(json.loads(self._sealing.open(f"{self._place} {name}", octets)))
        except (DecipheringError, ValueError):
            raise StoreError(
                "the secrets in the state of the device do not open: it was started with other keys or another "
                "system title before, or the file was changed; give those of then, or begin with a fresh state file"
            ) from None
