"""Durable things of the library: files that keep what must outlive a process."""

from cosemic.store.counters import FileCounterStore
from cosemic.store.meters import KnownMeter, known_meter, known_meters
from cosemic.store.process_memory import protect_memory
from cosemic.store.transactions import FileTransactionStore

__all__ = [
    "FileCounterStore",
    "FileTransactionStore",
    "KnownMeter",
    "known_meter",
    "known_meters",
    "protect_memory",
]
