"""A DLMS/COSEM server: logical devices with their objects, rights and profiles, and the meter on TCP.

- :class:`LogicalDevice` holds :class:`CosemObject` instances and admits clients (:class:`Admission`) with their rights.
- :class:`PhysicalDevice` is logical devices behind one address; sans-IO.
- :class:`MeterServer` puts them on a TCP port; :func:`serve_in_thread` does so beside blocking code.
"""

from __future__ import annotations

from cosemic.association.parties import GeneralParties, ThirdParty
from cosemic.association.service_provider import ServerSettings
from cosemic.server.activity_calendar import ActivityCalendarObject
from cosemic.server.alarms import Alarms, ErrorRegister
from cosemic.server.arbitrator import ArbitratorObject
from cosemic.server.billing import Billing
from cosemic.server.buffer_encoding import BufferEncoding
from cosemic.server.capture_times import Every, Monthly
from cosemic.server.capturing import Capture
from cosemic.server.client_view import ClientView
from cosemic.server.clients import MANAGEMENT_CLIENT, PUBLIC_CLIENT, Admission, AdmittedClient
from cosemic.server.clock import ChangeKind, ClockChange, ClockObject
from cosemic.server.data_protection_object import DataProtectionObject
from cosemic.server.demand import DemandRegisterObject, MaximumDemandObject
from cosemic.server.disconnect import DisconnectControlObject
from cosemic.server.event_log import EventLog
from cosemic.server.image_checks import crc32_at_end, sha256_at_end
from cosemic.server.image_transfer import Image, ImageTransferObject, any_image
from cosemic.server.limiter import LimiterObject
from cosemic.server.local_time import CENTRAL_EUROPEAN, DaylightSaving, rule_of
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.mbus_client import MBusClientObject, MBusIdentity, MBusSlave
from cosemic.server.meter_server import MeterConnection, MeterServer, serve_in_thread
from cosemic.server.metered_energy import MeteredEnergy, Supply
from cosemic.server.objects import AccessRefused, CosemObject, Situation, data
from cosemic.server.physical_device import DeviceAssociation, PhysicalDevice
from cosemic.server.profile import ProfileObject
from cosemic.server.profile_status import ProfileStatusObject
from cosemic.server.push_outlet import PushOutlet
from cosemic.server.push_setup_object import PushSetupObject
from cosemic.server.register_activation import RegisterActivationObject
from cosemic.server.register_monitor import RegisterMonitorObject
from cosemic.server.register_table import RegisterTableObject
from cosemic.server.registers import CountingRegisterObject, ExtendedRegisterObject, RegisterObject, ValueStatus
from cosemic.server.rights import AccessRule, ObjectRights, first, managing, only, reading
from cosemic.server.rights_table import RightsSource, rights_from
from cosemic.server.schedule import ScheduleObject
from cosemic.server.scripts import NO_SCRIPT, ScriptTableObject, executing, run_script, writing
from cosemic.server.single_action_schedule import SingleActionScheduleObject
from cosemic.server.special_days import SpecialDaysObject

__all__ = [
    "CENTRAL_EUROPEAN",
    "MANAGEMENT_CLIENT",
    "NO_SCRIPT",
    "PUBLIC_CLIENT",
    "AccessRefused",
    "AccessRule",
    "ActivityCalendarObject",
    "Admission",
    "AdmittedClient",
    "Alarms",
    "ArbitratorObject",
    "Billing",
    "BufferEncoding",
    "Capture",
    "ChangeKind",
    "ClientView",
    "ClockChange",
    "ClockObject",
    "CosemObject",
    "CountingRegisterObject",
    "DataProtectionObject",
    "DaylightSaving",
    "DemandRegisterObject",
    "DeviceAssociation",
    "DisconnectControlObject",
    "ErrorRegister",
    "EventLog",
    "Every",
    "ExtendedRegisterObject",
    "GeneralParties",
    "Image",
    "ImageTransferObject",
    "LimiterObject",
    "LogicalDevice",
    "MBusClientObject",
    "MBusIdentity",
    "MBusSlave",
    "MaximumDemandObject",
    "MeterConnection",
    "MeterServer",
    "MeteredEnergy",
    "Monthly",
    "ObjectRights",
    "PhysicalDevice",
    "ProfileObject",
    "ProfileStatusObject",
    "PushOutlet",
    "PushSetupObject",
    "RegisterActivationObject",
    "RegisterMonitorObject",
    "RegisterObject",
    "RegisterTableObject",
    "RightsSource",
    "ScheduleObject",
    "ScriptTableObject",
    "ServerSettings",
    "SingleActionScheduleObject",
    "Situation",
    "SpecialDaysObject",
    "Supply",
    "ThirdParty",
    "ValueStatus",
    "any_image",
    "crc32_at_end",
    "data",
    "executing",
    "first",
    "managing",
    "only",
    "reading",
    "rights_from",
    "rule_of",
    "run_script",
    "serve_in_thread",
    "sha256_at_end",
    "writing",
]
