"""Finds a meter: goes through media, links, addresses and clients until something answers, and says by which URL.

::

    report = await scan("/dev/ttyUSB0")
    report.best.url             # hdlc:///dev/ttyUSB0?client=16&server=1

- :mod:`~cosemic.client.scan.routes`: what is tried, in which order, declared.
- :mod:`~cosemic.client.scan.calls`: links that only ask who is there, sans-IO.
- :mod:`~cosemic.client.scan.clients`: client SAPs, and what the answers mean; a procedure.
- :mod:`~cosemic.client.scan.line`, :mod:`~cosemic.client.scan.scanner`: run them on asyncio.
- :mod:`~cosemic.client.scan.results`: what is found.
"""

from __future__ import annotations

from typing import Any

from cosemic.client.scan.results import Answer, Finding, Report, Step, Verdict
from cosemic.client.scan.routes import NORMAL, PORTS, QUICK, THOROUGH, Depth, Target
from cosemic.client.scan.scanner import Scanner

__all__ = [
    "NORMAL",
    "PORTS",
    "QUICK",
    "THOROUGH",
    "Answer",
    "Depth",
    "Finding",
    "Report",
    "Scanner",
    "Step",
    "Target",
    "Verdict",
    "scan",
]


async def scan(target: str | Target, **options: Any) -> Report:
    """Scan a place; target and options as of :class:`Scanner`. Raises ConfigurationError, ConnectionFailed."""
    return await Scanner(target, **options).run()
