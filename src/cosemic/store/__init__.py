"""Durable things of the library: files that keep what must outlive a process."""

from cosemic.store.counters import FileCounterStore
from cosemic.store.meters import KnownMeter, known_meter, known_meters

__all__ = ["FileCounterStore", "KnownMeter", "known_meter", "known_meters"]
