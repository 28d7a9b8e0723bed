"""Transaction-ids: given once, accepted once (Green Book 9.2.7.2.4.8; reference, security 5.3).

The key of one message starts its invocation counter anew, so that no counter tells a message from a copy of it; nor is
there one beside a digital signature. What does is the transaction-id: an originator's is accepted once, as long as the
keys live that the message was protected with. For C(0e,2s) the key follows from static keys and transaction-id alone,
so that the originator, too, must never *give* one twice to the same recipient.

::

    accepted    scope | originator | transaction-id       scope: 16 octets that stand for the keys concerned
    own         a number of 8 octets that rises           from a random one on, so that what a lost store had given
                                                          does not come again

Which ids are known to have been used is the same for every store: :class:`TransactionMemory`. It is bounded: an
originator whose numbers rise never meets the bound, since the lower half of what is remembered gives way to one number,
up to which everything is refused. With other keys the memory of a scope is of no use any more
(:meth:`TransactionStore.forget`).
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from cosemic.dialect import TransactionIds
from cosemic.errors import ConfigurationError, DecipheringError, SecurityError
from cosemic.security.forking import tell_in_child

TRANSACTION_ID_LENGTH: Final = 8
"""Octets of the own transaction-ids."""
LONGEST_TRANSACTION_ID: Final = 32
"""Octets of the longest that is taken."""
SCOPE_LENGTH: Final = 16
FIRST_LIMIT: Final = 1 << 62
"""Own transaction-ids begin below this number."""
READY: Final = 32
"""Own transaction-ids that are made at a time."""
MOST_REMEMBERED: Final = 1 << 16
"""Transaction-ids that are remembered of one originator under one scope, unless told otherwise."""
_DOMAIN: Final = b"Cosemic transaction store, scope of keys, version 1"

REPEATED: Final = "the transaction-id was used before, or is empty or too long: each message takes a new one"
FULL: Final = (
    "no more transaction-ids can be remembered of this originator, and only one above all of them is accepted: let its "
    "numbers rise, or install new keys"
)


class Transaction(NamedTuple):
    """A use of a transaction-id. scope: 16 octets (:func:`scope_of`). title: of the originator, 8 octets."""

    scope: bytes
    title: bytes
    transaction_id: bytes
    rule: TransactionIds


@lru_cache(maxsize=1024)
def scope_of(kind: str, *keys: bytes) -> bytes:
    """Return the 16 octets that stand for a use and for keys: identities of secret ones, or public ones."""
    digest = hashlib.sha256(_DOMAIN)
    for each in (kind.encode(), *keys):
        digest.update(len(each).to_bytes(2, "big") + each)
    return digest.digest()[:SCOPE_LENGTH]


class TransactionMemory:
    """What is known of one (scope, originator). highest: all ids up to this number are refused; remembered: others that
    were accepted, ``most`` at the most."""

    __slots__ = ("highest", "most", "remembered")

    def __init__(self, most: int, highest: int = -1, remembered: Iterable[bytes] = ()) -> None:
        self.most = most
        self.highest = highest
        self.remembered = set(remembered)

    def has(self, transaction_id: bytes) -> bool:
        """Tell whether an id cannot be accepted any more, whichever rule others were accepted under."""
        if not 0 < len(transaction_id) <= LONGEST_TRANSACTION_ID or transaction_id in self.remembered:
            return True
        return number_of(transaction_id) <= self.highest

    def check(self, transaction: Transaction) -> None:
        """Raise unless the id can be accepted: DecipheringError when it was, SecurityError when the memory is full."""
        if self.has(transaction.transaction_id):
            raise DecipheringError(REPEATED)
        full = transaction.rule is TransactionIds.REMEMBERED and len(self.remembered) >= self.most
        if full and number_of(transaction.transaction_id) <= max(map(number_of, self.remembered)):
            raise SecurityError(FULL)

    def add(self, transaction: Transaction) -> None:
        """Enter an id that was checked."""
        if transaction.rule is TransactionIds.RISING:
            self.highest = number_of(transaction.transaction_id)
            return
        if len(self.remembered) >= self.most:
            numbers = sorted(map(number_of, self.remembered))
            self.highest = max(self.highest, numbers[(len(numbers) - 1) // 2])
            self.remembered = {each for each in self.remembered if number_of(each) > self.highest}
        self.remembered.add(transaction.transaction_id)


class TransactionStore(ABC):
    """Keeps transaction-ids; every method may be called from any thread.

    most: ids that are remembered of one originator under one scope; then only one above all of them is accepted, and
    what lies below the middle of them is refused for ever.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        if most < 1:
            raise ConfigurationError(f"at least one transaction-id has to be remembered, not {most}")
        self.most: Final = most

    @abstractmethod
    def next_own(self, title: bytes) -> bytes:
        """Return a transaction-id of 8 octets that this originator has never given, in no process."""

    @abstractmethod
    def is_own(self, title: bytes, transaction_id: bytes) -> bool:
        """Tell whether :meth:`next_own` may have returned that id for that title."""

    @abstractmethod
    def has(self, transaction: Transaction) -> bool:
        """Tell whether an id cannot be accepted any more: enough to refuse, not to accept."""

    @abstractmethod
    def accept(self, transactions: Sequence[Transaction]) -> None:
        """Accept the ids of one verified message, once: as one step, all or none; durable when this returns.

        Raises DecipheringError when one of them was used before, or comes twice; SecurityError when there is no room.
        """

    @abstractmethod
    def forget(self, scope: bytes) -> None:
        """Drop what is known of keys that are gone."""


class MemoryTransactionStore(TransactionStore):
    """Transaction-ids that live as long as the process: for simulators and tests, and for keys that live no longer.

    A process that forked has none of it to itself, so that it is refused (ConfigurationError).
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        super().__init__(most)
        self._lock = threading.Lock()
        self._forked = False
        self._own: dict[bytes, tuple[int, int]] = {}
        """First own number, and the one behind those that are ready, by title."""
        self._ready: dict[bytes, deque[bytes]] = {}
        """Own ids in their order, by title: each is taken by one atomic step, without the lock."""
        self._known: dict[tuple[bytes, bytes], TransactionMemory] = {}
        tell_in_child(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._forked = True
        self._ready.clear()

    def _check_process(self) -> None:
        if self._forked:
            raise ConfigurationError("this transaction store lives in the memory of the parent process: use a file")

    def next_own(self, title: bytes) -> bytes:
        """Return an id that was never given; see :meth:`TransactionStore.next_own`."""
        while True:
            try:
                return self._ready[title].popleft()
            except (KeyError, IndexError):
                pass
            self._make_ready(title)

    def _make_ready(self, title: bytes) -> None:
        self._check_process()
        with self._lock:
            ready = self._ready.setdefault(title, deque())
            if not ready:  # otherwise another thread was here
                first, number = self._own.get(title) or (secrets.randbelow(FIRST_LIMIT),) * 2
                self._own[title] = first, number + READY
                ready.extend(each.to_bytes(TRANSACTION_ID_LENGTH, "big") for each in range(number, number + READY))

    def is_own(self, title: bytes, transaction_id: bytes) -> bool:
        """Tell whether the id was given by :meth:`next_own`."""
        first, following = self._own.get(title, (0, 0))
        return within(first, following, transaction_id)

    def has(self, transaction: Transaction) -> bool:
        """Tell whether an id cannot be accepted any more."""
        memory = self._known.get((transaction.scope, transaction.title))
        if memory is None:
            return not 0 < len(transaction.transaction_id) <= LONGEST_TRANSACTION_ID
        return memory.has(transaction.transaction_id)

    def accept(self, transactions: Sequence[Transaction]) -> None:
        """Accept ids, all or none; see :meth:`TransactionStore.accept`."""
        self._check_process()
        if len(transactions) > 1:
            check_distinct(transactions)
        with self._lock:
            checked = [(self._checked(each), each) for each in transactions]
            for memory, each in checked:
                self._known[each.scope, each.title] = memory
                memory.add(each)

    def forget(self, scope: bytes) -> None:
        """Drop what is known of keys that are gone."""
        with self._lock:
            self._known = {place: memory for place, memory in self._known.items() if place[0] != scope}

    def _checked(self, transaction: Transaction) -> TransactionMemory:
        memory = self._known.get((transaction.scope, transaction.title)) or TransactionMemory(self.most)
        memory.check(transaction)
        return memory


def number_of(transaction_id: bytes) -> int:
    """Return an id as the number that it is where ids rise."""
    return int.from_bytes(transaction_id, "big")


def within(first: int, following: int, transaction_id: bytes) -> bool:
    """Tell whether an id is one of the own numbers from ``first`` to below ``following``."""
    return len(transaction_id) == TRANSACTION_ID_LENGTH and first <= int.from_bytes(transaction_id, "big") < following


def check_distinct(transactions: Sequence[Transaction]) -> None:
    """Raise DecipheringError when one message uses ids of one originator twice under one scope: a rule of stores."""
    places = {(each.scope, each.title) for each in transactions}
    if len(places) != len(transactions):
        raise DecipheringError(REPEATED)
