"""Notifications of a meter that nobody has taken yet (IEC 62056-5-3: DATA-NOTIFICATION, EVENT-NOTIFICATION)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from cosemic.association.notifications import Notified

MOST_KEPT: Final = 1024
"""Notifications that are kept; when one more comes, the oldest is dropped."""


class Inbox:
    """A queue that drops the oldest. ``missed`` counts what was dropped."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self.missed = 0
        self._kept: deque[Notified] = deque()
        self._most = most
        self._waiting: set[Callable[[], object]] = set()

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, notified: Notified) -> None:
        """Keep a notification, and wake who waits for one."""
        self._kept.append(notified)
        if len(self._kept) > self._most:
            self._kept.popleft()
            self.missed += 1
        self.wake()

    def take(self) -> Notified | None:
        """Return the oldest, None where there is none."""
        return self._kept.popleft() if self._kept else None

    def tell(self, wake: Callable[[], object]) -> None:
        """Call, whenever a notification comes or none can come any more, until :meth:`forget`."""
        self._waiting.add(wake)

    def forget(self, wake: Callable[[], object]) -> None:
        """Call no more."""
        self._waiting.discard(wake)

    def wake(self) -> None:
        """Call all who wait: each looks again."""
        for wake in tuple(self._waiting):
            wake()
