"""The audit of a key store: who did what with which key, for what; nothing of it can be taken out unseen.

::

    number   at (UTC)   who   purpose   action   meter   what (kind:label/version)   fingerprint   mac

    mac      HMAC-SHA-256 over the mac before and all fields, under a key that is sealed in the store

The number and the mac of the last entry are in the root (:mod:`cosemic.store.key_store.vault`), so that entries cannot
be cut off at the end either. What no file can show is that the whole of it was put back to an older copy: for that,
note number and mac elsewhere now and then, and look for them again.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cosemic.errors import StoreError
from cosemic.store.key_store.file import KeyStoreFile
from cosemic.store.key_store.sealing import bound

NO_MAC: Final = bytes(32)
"""What stands before the first entry."""
LONGEST_TEXT: Final = 200
"""Characters of who and purpose; what is longer is cut."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. number: from 1. mac: note the last one elsewhere to show later that nothing behind it was undone."""

    number: int
    at: dt.datetime
    who: str
    purpose: str
    action: str
    meter: str
    what: str
    fingerprint: str
    mac: bytes


@dataclass(slots=True)
class Head:
    """The end of the audit."""

    number: int
    mac: bytes


class Audit:
    """The entries of one store. key: of the macs."""

    def __init__(self, file: KeyStoreFile, store_id: bytes, key: bytes) -> None:
        self._file = file
        self._id = store_id
        self._key = key

    def append(
        self, head: Head, at: dt.datetime, who: str, purpose: str, action: str, meter: str, what: str, fingerprint: str
    ) -> None:
        """Add an entry behind the head, which moves on; within a transaction."""
        who, purpose = _text(who), _text(purpose)
        fields = (at.astimezone(dt.UTC).isoformat(), who, purpose, action, meter, what, fingerprint)
        number = head.number + 1
        mac = self._mac(head.mac, number, fields)
        self._file.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", number, *fields, mac)
        head.number, head.mac = number, mac

    def entries(self, head: Head) -> Iterator[AuditEntry]:
        """Yield all entries, each one checked; within a transaction. Raises StoreError at one that does not fit."""
        number, mac = 0, NO_MAC
        for row in self._file.rows("SELECT * FROM audit ORDER BY number"):
            fields = row[1:8]
            if row[0] != number + 1:
                raise StoreError(
                    f"the audit was changed: between entry {number} and entry {row[0]} entries are missing"
                )
            number, expected = row[0], self._mac(mac, row[0], fields)
            if not hmac.compare_digest(expected, row[8]):
                raise StoreError(f"the audit was changed: entry {number} is not the one that was written")
            mac = expected
            at, who, purpose, action, meter, what, fingerprint = fields
            instant = dt.datetime.fromisoformat(at)
            yield AuditEntry(number, instant, who, purpose, action, meter, what, fingerprint, mac)
        if (number, mac) != (head.number, head.mac):
            raise StoreError(f"the audit was changed: it ends at entry {number}, and {head.number} were written")

    def _mac(self, before: bytes, number: int, fields: tuple[str, ...]) -> bytes:
        return hmac.digest(self._key, bound(self._id, "audit", before, number, *fields), "sha256")


def _text(text: str) -> str:
    """Text in one line that is not too long."""
    return "".join(each if each.isprintable() else " " for each in text[:LONGEST_TEXT])
