"""A DLMS/COSEM server: logical devices with their objects, rights and profiles, and the meter on TCP.

- :class:`LogicalDevice` holds :class:`CosemObject` instances and admits clients (:class:`Admission`) with their rights.
- :class:`PhysicalDevice` is logical devices behind one address; sans-IO.
- :class:`MeterServer` puts them on a TCP port; :func:`serve_in_thread` does so beside blocking code.
"""

from __future__ import annotations

from cosemic.server.clients import MANAGEMENT_CLIENT, PUBLIC_CLIENT, Admission, AdmittedClient
from cosemic.server.clock import ClockObject
from cosemic.server.logical_device import ClientView, LogicalDevice
from cosemic.server.meter_server import MeterConnection, MeterServer, serve_in_thread
from cosemic.server.objects import AccessRefused, CosemObject, Situation, data
from cosemic.server.physical_device import DeviceAssociation, PhysicalDevice
from cosemic.server.profile import ProfileObject, centiseconds
from cosemic.server.rights import AccessRule, ObjectRights, first, managing, only, reading
from cosemic.server.rows import ProfileRows

__all__ = [
    "MANAGEMENT_CLIENT",
    "PUBLIC_CLIENT",
    "AccessRefused",
    "AccessRule",
    "Admission",
    "AdmittedClient",
    "ClientView",
    "ClockObject",
    "CosemObject",
    "DeviceAssociation",
    "LogicalDevice",
    "MeterConnection",
    "MeterServer",
    "ObjectRights",
    "PhysicalDevice",
    "ProfileObject",
    "ProfileRows",
    "Situation",
    "centiseconds",
    "data",
    "first",
    "managing",
    "only",
    "reading",
    "serve_in_thread",
]
