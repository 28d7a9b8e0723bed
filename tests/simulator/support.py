"""Simulated meters whose time is moved by hand, and what a client reads of them without a wire between."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from cosemic.codec import EncodedData
from cosemic.security import MemoryCounterStore
from cosemic.simulator import HouseholdMeter, MeterPlan, SimulatedMeter, Time
from cosemic.simulator.security import HIGH_LEVEL
from cosemic.store.security_settings import load_security
from cosemic.values import DateTime, Obis
from tests.server.support import NOW, Local, View

BERLIN = ZoneInfo("Europe/Berlin")


def standing(start: dt.datetime = NOW) -> Time:
    """Time that only stands, and is stepped."""
    return Time(start, speed=0)


def meter_at(time: Time | None = None, **options: Any) -> tuple[SimulatedMeter, Time]:
    """A meter of seed 5, with a short past unless told."""
    time = standing() if time is None else time
    plan: dict[str, Any] = {"serial": 1, "seed": 5, "profile_days": 2, "billing_periods": 1, "zone": BERLIN} | options
    return SimulatedMeter(MeterPlan(**plan), now=time), time


def client_of(meter: SimulatedMeter, **changed: Any) -> Local:
    """The client that the meter's settings are made for."""
    values = {**meter.security.client_settings(), **changed}
    if meter.security.kind in HIGH_LEVEL:
        values.setdefault("counters", MemoryCounterStore())
    return Local(meter, meter.security.client_sap, load_security(values).client)


def value(meter: SimulatedMeter, class_id: int, name: Obis | str, attribute: int = 2) -> Any:
    """What the public client of a meter without security reads."""
    found = View(meter).get(class_id, str(name), attribute)
    assert isinstance(found, EncodedData), found
    return found.value()


def entries(meter: SimulatedMeter, name: Obis | str) -> list[tuple[dt.datetime, tuple[Any, ...]]]:
    """The rows of a profile, with the moments of their stamps."""
    return [(DateTime(stamp).to_datetime(), tuple(rest)) for stamp, *rest in value(meter, 7, name)]


__all__ = ["BERLIN", "NOW", "HouseholdMeter", "Local", "View", "client_of", "entries", "meter_at", "standing", "value"]
