"""Durable things of the library: files that keep what must outlive a process."""

from cosemic.store.counters import FileCounterStore

__all__ = ["FileCounterStore"]
