"""Heat cost allocators, heat and cooling, water, other media (IEC 62056-6-1, media 4, 5 and 6, 8 and 9, 15).

Rows of objects have the form of :mod:`cosemic.model.obis_abstract`.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Medium(NamedTuple):
    """Names of quantities (C) and processing (D), and units of the quantities."""

    quantities: dict[int, str]
    processing: dict[int, str]
    units: dict[int, int]


_ALLOCATOR_C: Final = {
    0: "General purpose",
    1: "Unrated integral",
    2: "Rated integral",
    3: "Radiator surface temperature",
    4: "Heating medium temperature",
    5: "Flow (forward) temperature",
    6: "Return temperature",
    7: "Room temperature",
}

_ALLOCATOR_D: Final = {
    0: "current value",
    1: "periodical value",
    2: "set date value",
    3: "billing date value",
    4: "minimum",
    5: "maximum",
    6: "test value",
}

ALLOCATOR: Final = Medium(_ALLOCATOR_C, _ALLOCATOR_D, {1: 255, 2: 255, 3: 9, 4: 9, 5: 9, 6: 9, 7: 9})

_THERMAL_C: Final = {
    0: "General purpose",
    1: "Energy",
    2: "Volume",
    3: "Mass",
    4: "Inlet (flow) volume",
    5: "Inlet (flow) mass",
    6: "Outlet (return) volume",
    7: "Outlet (return) mass",
    8: "Power",
    9: "Flow rate",
    10: "Inlet (flow) temperature",
    11: "Outlet (return) temperature",
    12: "Temperature difference",
    13: "Pressure",
}

_THERMAL_D: Final = {
    0: "current value",
    1: "periodical value 1",
    2: "set date value",
    3: "billing date value",
    4: "minimum 1",
    5: "maximum 1",
    6: "test value",
    7: "instantaneous value",
    8: "time integral 1",
    9: "time integral 2",
    10: "current average",
    11: "last average",
    12: "periodical value 2",
    13: "periodical value 3",
    14: "minimum 2",
    15: "maximum 2",
    20: "under limit occurrence counter",
    21: "under limit duration",
    22: "over limit occurrence counter",
    23: "over limit duration",
    24: "missing data occurrence counter",
    25: "missing data duration",
}

THERMAL: Final = Medium(
    _THERMAL_C,
    _THERMAL_D,
    {1: 30, 2: 13, 3: 20, 4: 13, 5: 20, 6: 13, 7: 20, 8: 27, 9: 15, 10: 9, 11: 9, 12: 52, 13: 24},
)

_WATER_C: Final = {
    0: "General purpose",
    1: "Accumulated volume",
    2: "Flow rate",
    3: "Temperature",
}

_WATER_D: Final = {
    0: "current value",
    1: "periodical value",
    2: "set date value",
    3: "billing date value",
    4: "minimum",
    5: "maximum",
    6: "test value",
}

WATER: Final = Medium(_WATER_C, _WATER_D, {1: 13, 2: 15, 3: 9})

MEDIA_OBJECTS: Final = (
    ("4.b.0.0.0-9.255", "ID {e+1}", (1, 3, 4)),
    ("4.b.0.1.1.255", "Status (VZ) of the historical value counter", (1, 3, 4)),
    ("4.b.0.1.2.255", "Number of available historical values", (1, 3, 4)),
    ("4.b.0.1.10.255", "Set date", (1, 3, 4)),
    ("4.b.0.1.11.255", "Billing date", (1, 3, 4)),
    ("4.b.0.2.0.255", "Program version", (1, 3, 4)),
    ("4.b.0.2.1.255", "Firmware version", (1, 3, 4)),
    ("4.b.0.2.2.255", "Software version", (1, 3, 4)),
    ("4.b.0.2.3.255", "Device measuring principle", (1, 3, 4)),
    ("4.b.0.4.0.255", "Resulting rating factor K", (1, 3, 4)),
    ("4.b.0.4.1.255", "Thermal output rating factor KQ", (1, 3, 4)),
    ("4.b.0.4.2.255", "Thermal coupling factor overall KC", (1, 3, 4)),
    ("4.b.0.4.3.255", "Thermal coupling factor room side KCR", (1, 3, 4)),
    ("4.b.0.4.4.255", "Thermal coupling factor heater side KCH", (1, 3, 4)),
    ("4.b.0.4.5.255", "Low temperature rating factor KT", (1, 3, 4)),
    ("4.b.0.4.6.255", "Display output scaling factor", (1, 3, 4)),
    ("4.b.0.5.10.255", "Start temperature threshold", (1, 3, 4)),
    ("4.b.0.5.11.255", "Difference temperature threshold", (1, 3, 4)),
    ("4.b.0.8.0.255", "Measuring period for average value", (1, 3, 4)),
    ("4.b.0.8.4.255", "Recording interval for consumption profile", (1, 3, 4)),
    ("4.b.0.8.6.255", "Billing period", (1, 3, 4)),
    ("4.b.0.9.1.255", "Local time", (1, 3, 4)),
    ("4.b.0.9.2.255", "Local date", (1, 3, 4)),
    ("4.b.0.9.3.255", "Time stamp of the most recent billing period", (1, 3, 4)),
    ("5,6.b.0.0.0-9.255", "ID {e+1}", (1, 3, 4)),
    ("5,6.b.0.1.1.255", "Status (VZ) of the historical / periodical value counter", (1, 3, 4)),
    ("5,6.b.0.1.2.255", "Number of available historical / periodical values", (1, 3, 4)),
    ("5,6.b.0.1.10.255", "Set date", (1, 3, 4)),
    ("5,6.b.0.1.11.255", "Billing date", (1, 3, 4)),
    ("5,6.b.0.2.0.255", "Program version", (1, 3, 4)),
    ("5,6.b.0.2.1.255", "Firmware version", (1, 3, 4)),
    ("5,6.b.0.2.2.255", "Software version", (1, 3, 4)),
    ("5,6.b.0.2.3.255", "Meter location (flow or return)", (1, 3, 4)),
    ("5,6.b.0.2.4.255", "Device version", (1, 3, 4)),
    ("5,6.b.0.2.10.255", "Serial number of inlet temperature transducer", (1, 3, 4)),
    ("5,6.b.0.2.11.255", "Serial number of outlet temperature transducer", (1, 3, 4)),
    ("5,6.b.0.2.12.255", "Serial number of forward flow transducer", (1, 3, 4)),
    ("5,6.b.0.2.13.255", "Serial number of return flow transducer", (1, 3, 4)),
    ("5,6.b.0.4.1.255", "Heat coefficient k", (1, 3, 4)),
    ("5,6.b.0.4.2.255", "Pressure, backup value", (1, 3, 4)),
    ("5,6.b.0.4.3.255", "Enthalpy", (1, 3, 4)),
    ("5,6.b.0.5.1-9.255", "Threshold limit for rate {e}", (1, 3, 4)),
    ("5,6.b.0.5.21.255", "Maximum contracted flow rate", (1, 3, 4)),
    ("5,6.b.0.5.22.255", "Maximum contracted power", (1, 3, 4)),
    ("5,6.b.0.5.23.255", "Maximum contracted temperature difference", (1, 3, 4)),
    ("5,6.b.0.5.24.255", "Minimum contracted return temperature", (1, 3, 4)),
    ("5,6.b.0.8.0.255", "Averaging period, generic", (1, 3, 4)),
    ("5,6.b.0.8.1.255", "Averaging period, instantaneous", (1, 3, 4)),
    ("5,6.b.0.8.2.255", "Averaging period, volume / flow", (1, 3, 4)),
    ("5,6.b.0.8.3.255", "Averaging period, temperature", (1, 3, 4)),
    ("5,6.b.0.8.4.255", "Averaging period, pressure", (1, 3, 4)),
    ("5,6.b.0.8.5.255", "Averaging period, power", (1, 3, 4)),
    ("5,6.b.0.8.6.255", "Averaging period, flow rate", (1, 3, 4)),
    ("5,6.b.0.8.7.255", "Averaging period, test values", (1, 3, 4)),
    ("5,6.b.0.8.11-14.255", "Measurement period for peak values, period {e-10}", (1, 3, 4)),
    ("5,6.b.0.8.21-24.255", "Measurement period for periodical values, period {e-20}", (1, 3, 4)),
    ("5,6.b.0.8.25.255", "Measurement period for test values", (1, 3, 4)),
    ("5,6.b.0.8.31-33.255", "Recording interval {e-30}", (1, 3, 4)),
    ("5,6.b.0.8.34.255", "Billing period", (1, 3, 4)),
    ("5,6.b.0.9.1.255", "Local time", (1, 3, 4)),
    ("5,6.b.0.9.2.255", "Local date", (1, 3, 4)),
    ("5,6.b.0.9.3.255", "Time stamp of the most recent billing period", (1, 3, 4)),
    ("8,9.b.0.0.0-9.255", "ID {e+1}", (1, 3, 4)),
    ("8,9.b.0.1.1.255", "Status (VZ) of the historical value counter", (1, 3, 4)),
    ("8,9.b.0.1.2.255", "Number of available historical values", (1, 3, 4)),
    ("8,9.b.0.1.10.255", "Due date", (1, 3, 4)),
    ("8,9.b.0.1.11.255", "Billing date", (1, 3, 4)),
    ("8,9.b.0.1.12.255", "Billing date period", (1, 3, 4)),
    ("8,9.b.0.2.0.255", "Program version", (1, 3, 4)),
    ("8,9.b.0.2.3.255", "Device version", (1, 3, 4)),
    ("8,9.b.0.5.1.255", "Contracted maximum consumption", (1, 3, 4)),
    ("8,9.b.0.7.1.255", "Input pulse constant, volume forward", (1, 3, 4)),
    ("8,9.b.0.8.1.255", "Recording interval for load profile", (1, 3, 4)),
    ("8,9.b.0.8.6.255", "Averaging period for actual flow rate", (1, 3, 4)),
    ("8,9.b.0.9.1.255", "Local time", (1, 3, 4)),
    ("8,9.b.0.9.2.255", "Local date", (1, 3, 4)),
    ("8,9.b.0.9.3.255", "Time stamp of the most recent billing period", (1, 3, 4)),
    ("5,6.b.99.1.1-3.255", "Load profile with recording interval {e}", (7,)),
    ("5,6.b.99.2.1-3.255", "Profile of maxima with recording interval {e}", (7,)),
    ("5,6.b.99.3.1.255", "Load profile during test", (7,)),
    ("5,6.b.99.99.e.255", "Certification data log", (7,)),
    ("5,6.b.97.97.0.255", "Overall error status", (1, 3, 4)),
    ("5,6.b.97.97.1.255", "Subsystem where the error occurred", (1, 3, 4)),
    ("5,6.b.97.97.2.255", "Duration of the error condition", (1, 3, 4)),
    ("15.b.1-10.d.e.f", "solar, C {c}, D {d}", ()),
    ("15.b.11-20.d.e.f", "wind, C {c}, D {d}", ()),
)
"""General objects and profiles."""
