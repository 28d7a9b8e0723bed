"""From a URL to a stack: which medium, which link, which SAPs, which times.

- :mod:`~cosemic.stack.url`: what a URL says.
- :mod:`~cosemic.stack.links`: the link that it names.
- :mod:`~cosemic.stack.media`: a connection over the medium that it names.
- :mod:`~cosemic.stack.client_stack`: link and association of a client as one machine.
"""

from __future__ import annotations

from cosemic.stack.client_stack import (
    MANAGEMENT_LOGICAL_DEVICE,
    PUBLIC_CLIENT,
    ClientStack,
    Disconnect,
    Layer,
    Poll,
    StackRequest,
    Trace,
    Traffic,
)
from cosemic.stack.links import association_timeout, in_blocks, link_factory, over_datagrams
from cosemic.stack.url import OPTIONS, SCHEMES, Address, Framing, Medium, parse_url

__all__ = [
    "MANAGEMENT_LOGICAL_DEVICE",
    "OPTIONS",
    "PUBLIC_CLIENT",
    "SCHEMES",
    "Address",
    "ClientStack",
    "Disconnect",
    "Framing",
    "Layer",
    "Medium",
    "Poll",
    "StackRequest",
    "Trace",
    "Traffic",
    "association_timeout",
    "in_blocks",
    "link_factory",
    "over_datagrams",
    "parse_url",
]
