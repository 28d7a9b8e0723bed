"""Secrets of an object in the state of its device, sealed: values of JSON (:mod:`cosemic.security.sealing`).

Who has the state file alone learns nothing and can change nothing unseen; who has the configuration of the device too
has the keys, as in any meter that is opened. An old state file that is put back is not noticed.
"""

from __future__ import annotations

import json
from typing import Any

from cosemic.errors import DecipheringError, StoreError
from cosemic.security.keys import Key
from cosemic.security.sealing import Sealing
from cosemic.server.state import Memory


class SealedMemory:
    """Values that are kept sealed. root: a key that the device is configured with."""

    def __init__(self, root: Key) -> None:
        self._sealing = Sealing(root)

    def save(self, memory: Memory, name: str, value: Any) -> None:
        """Keep a value. Raises StoreError."""
        memory.save(name, self._sealing.seal(name, json.dumps(value, separators=(",", ":")).encode()))

    def load(self, memory: Memory, name: str) -> Any:
        """Return what was kept, None for nothing. Raises StoreError where it does not open."""
        octets = memory.load(name)
        if octets is None:
            return None
        try:
            return json.loads(self._sealing.open(name, octets))
        except (DecipheringError, ValueError):
            raise StoreError(
                "the secrets in the state of the device do not open: it was started with other keys before, or the "
                "file was changed; give the keys of then, or begin with a fresh state file"
            ) from None
