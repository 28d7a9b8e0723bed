"""The meter as a client sees it, on asyncio and blocking."""

from cosemic.client.meter import BlockingMeter, Meter

__all__ = ["BlockingMeter", "Meter"]
