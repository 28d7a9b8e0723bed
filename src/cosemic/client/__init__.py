"""The meter as a client sees it, on asyncio and blocking."""

from cosemic.client.meter import BlockingMeter, Meter
from cosemic.client.recovery import Recovery, Rule
from cosemic.client.selections import (
    all_information,
    by_class,
    by_entry,
    by_object,
    by_range,
    by_time,
    one_object,
)
from cosemic.client.trace import PcapTrace, TextTrace

__all__ = [
    "BlockingMeter",
    "Meter",
    "PcapTrace",
    "Recovery",
    "Rule",
    "TextTrace",
    "all_information",
    "by_class",
    "by_entry",
    "by_object",
    "by_range",
    "by_time",
    "one_object",
]
