"""The meter as a client sees it, on asyncio and blocking."""

from cosemic.client.meter import BlockingMeter, Meter
from cosemic.client.procedures.access import Call, Read, Write
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
    "Call",
    "Meter",
    "PcapTrace",
    "Read",
    "Recovery",
    "Rule",
    "TextTrace",
    "Write",
    "all_information",
    "by_class",
    "by_entry",
    "by_object",
    "by_range",
    "by_time",
    "one_object",
]
