"""Collecting from many meters: the store knows what is there, the collector reads what is missing."""

from cosemic.errors import StoreError
from cosemic.head_end.collector import Collector, MeterPoint, Outcome, Progress, Stage
from cosemic.head_end.store import Interval, MeterRecord, Store, StoredReading

__all__ = [
    "Collector",
    "Interval",
    "MeterPoint",
    "MeterRecord",
    "Outcome",
    "Progress",
    "Stage",
    "Store",
    "StoreError",
    "StoredReading",
]
