"""Simulated meters: a household meter, and fleets of them behind TCP ports.

::

    with serve_in_thread(HouseholdMeter(1, security="lls")) as server:
        print(server.url(client_sap=2))
"""

from __future__ import annotations

from cosemic.server import serve_in_thread
from cosemic.simulator.fleet import Endpoint, Fleet
from cosemic.simulator.household import HouseholdMeter
from cosemic.simulator.load_curve import Energy, LoadCurve
from cosemic.simulator.security import KINDS, MeterSecurity

__all__ = ["KINDS", "Endpoint", "Energy", "Fleet", "HouseholdMeter", "LoadCurve", "MeterSecurity", "serve_in_thread"]
