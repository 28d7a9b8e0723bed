"""A store of the keys of meters: one SQLite file, encrypted at rest, with an audit of every use.

:class:`KeyStore` is what to start with; how things are sealed stands in :mod:`cosemic.store.key_store.vault`, what is
kept of a meter in :mod:`cosemic.store.key_store.records`.
"""

from cosemic.store.key_store.audit import AuditEntry
from cosemic.store.key_store.change import Change
from cosemic.store.key_store.derivation import Derivation
from cosemic.store.key_store.records import NewRecord, RecordInfo, RecordKind, RecordState, StoredMeter
from cosemic.store.key_store.sealing import BrokenSeal
from cosemic.store.key_store.store import KeyStore
from cosemic.store.key_store.unlocking import KeyFile, Passphrase, Unlocker, from_environment

__all__ = [
    "AuditEntry",
    "BrokenSeal",
    "Change",
    "Derivation",
    "KeyFile",
    "KeyStore",
    "NewRecord",
    "Passphrase",
    "RecordInfo",
    "RecordKind",
    "RecordState",
    "StoredMeter",
    "Unlocker",
    "from_environment",
]
