"""Transaction-ids in a file that processes share (reference, security 5.3): a :mod:`~cosemic.store.journal`.

::

    o <title> <first> <following>         own numbers: those below ``following`` are reserved
    a:<scope>:<title>:<id> ...            accepted ids, those of one message in one line
    h:<scope>:<title>:<id> ...            the highest accepted number, likewise and in the same line
    f <scope>                             keys that are gone: nothing is known of them

Own ids are reserved in blocks ahead of their use; an id is accepted when its line is on the medium. The file is never
to be restored from a copy: own ids would come again, and with static keys their keys; so would what was accepted.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Final

from cosemic.dialect import TransactionIds
from cosemic.errors import ConfigurationError, SecurityError
from cosemic.security.forking import tell_in_child
from cosemic.security.general import Transaction, TransactionMemory, TransactionStore
from cosemic.security.general.transactions import (
    FIRST_LIMIT,
    MOST_REMEMBERED,
    SCOPE_LENGTH,
    TRANSACTION_ID_LENGTH,
    check_distinct,
    within,
)
from cosemic.security.suite import SYSTEM_TITLE_LENGTH
from cosemic.store.file_port import FilePort
from cosemic.store.journal import COMPACT_LINES, LOCK_TIMEOUT, Journal

MAGIC: Final = b"cosemic-transactions 1 "
DEFAULT_BLOCK: Final = 64
"""Own transaction-ids that are reserved with one write; a killed process loses as many."""
_LAST: Final = 1 << 8 * TRANSACTION_ID_LENGTH
_OWN: Final = re.compile(rb"o ([0-9a-f]{16}) (\d{1,20}) (\d{1,20})")
_ACCEPTED: Final = re.compile(rb"([ah]):([0-9a-f]{32}):([0-9a-f]{16}):([0-9a-f]{2,64})")
_FORGOTTEN: Final = re.compile(rb"f ([0-9a-f]{32})")
Place = tuple[bytes, bytes]
"""Scope and title."""


class _Book:
    """What the journal says; see the table of the module."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.own: dict[bytes, tuple[int, int]] = {}
        self.known: dict[Place, TransactionMemory] = {}

    def clear(self) -> None:
        self.own = {}
        self.known = {}

    def settle(self) -> bool:
        return True

    def take(self, body: bytes) -> bool:
        if own := _OWN.fullmatch(body):
            title, first, following = bytes.fromhex(own[1].decode()), int(own[2]), int(own[3])
            known = self.own.get(title, (first, first))
            if known[0] != first or not known[1] <= following <= _LAST:
                return False
            self.own[title] = first, following
            return True
        if gone := _FORGOTTEN.fullmatch(body):
            lost = bytes.fromhex(gone[1].decode())
            self.known = {place: memory for place, memory in self.known.items() if place[0] != lost}
            return True
        found = [_ACCEPTED.fullmatch(word) for word in body.split(b" ")]
        for each in found:
            if each is None or len(each[4]) % 2:
                return False
        for each in found:
            assert each is not None
            rule = TransactionIds.RISING if each[1] == b"h" else TransactionIds.REMEMBERED
            scope, title, value = (bytes.fromhex(each[number].decode()) for number in (2, 3, 4))
            transaction = Transaction(scope, title, value, rule)
            place = transaction.scope, transaction.title
            self.known.setdefault(place, TransactionMemory(self.most)).add(transaction)
        return True

    def enter(self, body: bytes) -> None:
        self.take(body)

    def spare(self) -> int:
        return 2 * (len(self.own) + sum(1 + len(memory.remembered) for memory in self.known.values()))

    def bodies(self, *more: bytes) -> Iterator[bytes]:
        for title, (first, following) in self.own.items():
            yield own_body(title, first, following)
        for (scope, title), memory in self.known.items():
            if memory.highest >= 0:
                octets = memory.highest.to_bytes(max(1, (memory.highest.bit_length() + 7) // 8), "big")
                yield word(Transaction(scope, title, octets, TransactionIds.RISING))
            for each in sorted(memory.remembered):
                yield word(Transaction(scope, title, each, TransactionIds.REMEMBERED))
        yield from more


class FileTransactionStore(TransactionStore):
    """A transaction store in one file (and ``.lock`` and ``.new`` beside it), for any number of threads and processes.

    path: of the file; its folder must exist. block: own ids reserved at a time. most: as in
    :class:`~cosemic.security.general.TransactionStore`. lock_timeout: seconds to wait for other processes.
    compact_lines: lines beyond twice those needed after which the file is written anew. port: the operating system.

    Methods raise SecurityError when the file cannot be read or written (nothing is given or accepted then), and
    ConfigurationError when it is damaged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        block: int = DEFAULT_BLOCK,
        most: int = MOST_REMEMBERED,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        compact_lines: int = COMPACT_LINES,
        port: FilePort | None = None,
    ) -> None:
        if block < 1:
            raise ConfigurationError(f"a block of transaction-ids has at least one, not {block}")
        super().__init__(most)
        self._block = block
        self._book = _Book(most)
        self._left: dict[bytes, tuple[int, int]] = {}
        """Own numbers that are reserved and not given, by title: the next one, and the one behind the last."""
        self._journal = Journal(
            path,
            self._book,
            MAGIC,
            "transaction store",
            "going on could accept again what was accepted. Install new keys, and begin a new file",
            lock_timeout=lock_timeout,
            compact_lines=compact_lines,
            port=port,
        )
        tell_in_child(self)

    def next_own(self, title: bytes) -> bytes:
        """Return an id that was never given, in no process; see :meth:`TransactionStore.next_own`."""
        _check_length(title, SYSTEM_TITLE_LENGTH)
        with self._journal.locked():
            number, stop = self._left.get(title, (0, 0))
            # Another process has reserved since: what is left here would lie below the ids that it has given.
            if number >= stop or self._book.own[title][1] != stop:
                first, number = self._book.own.get(title) or (secrets.randbelow(FIRST_LIMIT),) * 2
                stop = number + self._block
                if stop > _LAST:
                    raise SecurityError("all own transaction-ids were given: take another system title")
                self._journal.change(own_body(title, first, stop))
            self._left[title] = number + 1, stop
        return number.to_bytes(TRANSACTION_ID_LENGTH, "big")

    def is_own(self, title: bytes, transaction_id: bytes) -> bool:
        """Tell whether :meth:`next_own` may have returned that id."""
        with self._journal.locked():
            first, following = self._book.own.get(title, (0, 0))
        return within(first, following, transaction_id)

    def has(self, transaction: Transaction) -> bool:
        """Tell whether an id cannot be accepted any more."""
        with self._journal.locked():
            return self._memory(transaction).has(transaction.transaction_id)

    def accept(self, transactions: Sequence[Transaction]) -> None:
        """Accept ids, all or none; see :meth:`TransactionStore.accept`."""
        if not transactions:
            return
        check_distinct(transactions)
        for each in transactions:
            _check_length(each.scope, SCOPE_LENGTH)
            _check_length(each.title, SYSTEM_TITLE_LENGTH)
        with self._journal.locked():
            for each in transactions:
                self._memory(each).check(each)
            self._journal.change(b" ".join(word(each) for each in transactions))

    def forget(self, scope: bytes) -> None:
        """Drop what is known of keys that are gone."""
        _check_length(scope, SCOPE_LENGTH)
        with self._journal.locked():
            if any(place[0] == scope for place in self._book.known):
                self._journal.change(b"f " + scope.hex().encode())

    def _memory(self, transaction: Transaction) -> TransactionMemory:
        return self._book.known.get((transaction.scope, transaction.title)) or TransactionMemory(self.most)

    def _after_fork(self) -> None:
        """Own ids that the parent has reserved are the parent's."""
        self._journal.after_fork()
        self._left = {}


def own_body(title: bytes, first: int, following: int) -> bytes:
    """Return the line that says which own numbers are reserved."""
    return b"o %s %d %d" % (title.hex().encode(), first, following)


def word(transaction: Transaction) -> bytes:
    """Return what a line says of one accepted id."""
    kind = b"h" if transaction.rule is TransactionIds.RISING else b"a"
    return b":".join((kind, *(octets.hex().encode() for octets in transaction[:3])))


def _check_length(octets: bytes, length: int) -> None:
    if len(octets) != length:
        raise ConfigurationError("a transaction-id belongs to a scope of 16 octets and a system title of 8")
