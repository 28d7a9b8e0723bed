"""The gateway protocol (IEC 62056-5-3, Annex C): clients reach devices of another network through a gateway.

:class:`GatewayLink` is the client's link to one device, :class:`Gateway` the gateway with its
:class:`GatewayLine` for each medium of the network below.
"""

from cosemic.link.gateway.line import DeviceId, GatewayLine, expects_answer
from cosemic.link.gateway.prefix import GatewayLink
from cosemic.link.gateway.station import Gateway, Unreachable

__all__ = ["DeviceId", "Gateway", "GatewayLine", "GatewayLink", "Unreachable", "expects_answer"]
