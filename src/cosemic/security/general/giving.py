"""Giving transaction-ids: fresh ones, and those that make a key of static keys (reference, security 5.3).

For C(0e,2s) the key follows from static keys and transaction-id alone, so that each id is entered, durably and ahead of
its use, before a key is made with it. The own ids rise; where another thread has given a higher one to the same
recipient meanwhile, the next is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from cosemic.errors import DecipheringError, SecurityError
from cosemic.security.general.establishing import KeyEstablisher
from cosemic.security.general.layout import GeneralHeader
from cosemic.security.general.parties import Party
from cosemic.security.general.transactions import TransactionStore

T = TypeVar("T")
ATTEMPTS: Final = 16
"""Fresh transaction-ids that are tried: another thread may have given a higher one to the same recipient."""
GIVEN: Final = (
    "this transaction-id was given before under the same static keys, and would repeat key and nonce: take a fresh one"
)


class Overtaken(SecurityError):
    """A fresh transaction-id was not the highest any more when it was to be given."""


def with_fresh_id(transactions: TransactionStore, title: bytes, protect: Callable[[bytes], T]) -> T:
    """Return what ``protect`` makes with a transaction-id that was never given. Raises what it raises."""
    for _ in range(ATTEMPTS - 1):
        try:
            return protect(transactions.next_own(title))
        except Overtaken:
            continue
    return protect(transactions.next_own(title))


def give(
    transactions: TransactionStore, establisher: KeyEstablisher, party: Party, header: GeneralHeader, own_id: bool
) -> None:
    """Enter a transaction-id that makes a key of static keys. own_id: it is a fresh one of :func:`with_fresh_id`.

    Raises SecurityError for one that was given before, Overtaken where another fresh one may do.
    """
    own = transactions.is_own(establisher.own.title, header.transaction_id)
    try:
        if own and transactions.has(establisher.used(party, header, own=False)):
            raise DecipheringError(GIVEN)
        transactions.accept([establisher.used(party, header, own=own)])
    except DecipheringError:
        raise (Overtaken if own and own_id else SecurityError)(GIVEN) from None
