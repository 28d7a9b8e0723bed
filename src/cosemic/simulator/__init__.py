"""Simulated meters: one, and fleets of them behind ports, over any link.

::

    with serve_in_thread(HouseholdMeter(1, security="lls")) as server:
        print(server.url(client_sap=2))

- :class:`SimulatedMeter` is a complete meter, as a :class:`MeterPlan` says; :class:`HouseholdMeter` is one in one line.
- :class:`Fleet` puts many of them behind ports; :class:`Site` is the place of one, with its :class:`Faults`, and
  :class:`MeterLink` how it is reached there.
- :class:`Time` is the time they live in, which may run faster. :func:`load_fleet` reads a fleet from a TOML file.
"""

from __future__ import annotations

from cosemic.server import serve_in_thread
from cosemic.simulator.faults import (
    ClockWrong,
    CounterJump,
    Fault,
    FaultOrder,
    Faults,
    Gaps,
    NoAnswer,
    Reboot,
    Reset,
    Slow,
    WrongKey,
    fault_order,
)
from cosemic.simulator.firmware import firmware_image
from cosemic.simulator.fleet import Endpoint, Fleet
from cosemic.simulator.fleet_file import FleetSettings, load_fleet
from cosemic.simulator.links import LINKS, MeterLink
from cosemic.simulator.load_curve import Energy, LoadCurve, Power
from cosemic.simulator.meter import HouseholdMeter, SimulatedMeter
from cosemic.simulator.plan import MeterPlan
from cosemic.simulator.security import KINDS, MeterSecurity
from cosemic.simulator.simulated_time import Time
from cosemic.simulator.site import Site

__all__ = [
    "KINDS",
    "LINKS",
    "ClockWrong",
    "CounterJump",
    "Endpoint",
    "Energy",
    "Fault",
    "FaultOrder",
    "Faults",
    "Fleet",
    "FleetSettings",
    "Gaps",
    "HouseholdMeter",
    "LoadCurve",
    "MeterLink",
    "MeterPlan",
    "MeterSecurity",
    "NoAnswer",
    "Power",
    "Reboot",
    "Reset",
    "SimulatedMeter",
    "Site",
    "Slow",
    "Time",
    "WrongKey",
    "fault_order",
    "firmware_image",
    "load_fleet",
    "serve_in_thread",
]
