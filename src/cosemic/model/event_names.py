"""What the numbers in event logs mean, and what the logs are for, by companion specification.

An event log is a Profile generic that captures the time and an event code (0-b:96.11.e) for each event. The standard
leaves the codes to companions, which give the same number to different events::

    code   IDIS                  IS 15959                       GOST R 58940, log 2
    1      power down            voltage missing, R phase       power down
    60     manual disconnection  CT of Y phase open, end

IDIS, DSMR and SMR, and IS 15959 number all events of a meter at one go; GOST R 58940 (SPODES) those of each log anew.

Sources are public head-end software and exports of meters, not the texts of the companions: what two of them agree on
is here, and codes left to the manufacturer are not. DSMR is the Dutch 4.x series, SMR the 5.x one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from cosemic.model.obis_names import describe
from cosemic.values import Enumeration, Obis

ANY_LOG: Final = -1
"""In place of value group E of a log: the code means the same in all of them."""
EVENT_CODE: Final = (0, 96, 11)
"""Value groups A, C and D of an event code."""
_EVENT_LOG: Final = (99, 98)
_POWER_FAILURE_LOG: Final = (99, 97)
_M_BUS_LOG: Final = (24, 5)
_COUNTRY: Final = 94
_PROFILE_GENERIC: Final = 7


class Companion(Enumeration):
    """Companion specifications whose logs are known."""

    IDIS = 1
    """Also of most meters that follow no companion of a country."""
    DSMR = 2
    SMR = 3
    IS_15959 = 4
    GOST_R_58940 = 5
    UNI_TS_11291 = 6


# ---- names -----------------------------------------------------------------------------------------------------------


def _numbered(first: int, *names: str) -> dict[int, str]:
    return dict(enumerate(names, first))


def _phases(first: int, name: str, phases: str = "L1 L2 L3") -> dict[int, str]:
    """One name for each phase."""
    return _numbered(first, *(name.format(phase) for phase in phases.split()))


def _spans(first: int, *names: str) -> dict[int, str]:
    """Begin and end of each, by turns."""
    return _numbered(first, *(f"{name}, {what}" for name in names for what in ("begin", "end")))


def _m_bus(first: int, *names: str) -> dict[int, str]:
    """The same for channels 1 to 4, ten apart."""
    return {
        first + 10 * (channel - 1) + offset: f"{name}, M-Bus channel {channel}"
        for channel in range(1, 5)
        for offset, name in enumerate(names)
    }


_COMMON: Final = {
    255: "Event log cleared",
    **_numbered(
        1,
        "Power down",
        "Power up",
        "Daylight saving time enabled or disabled",
        "Clock adjusted (old time)",
        "Clock adjusted (new time)",
        "Clock invalid",
        "Replace battery",
        "Battery voltage low",
        "Tariff schedule activated",
        "Error register cleared",
        "Alarm register cleared",
        "Program memory error",
        "RAM error",
        "Non-volatile memory error",
        "Watchdog error",
        "Measurement system error",
        "Firmware ready for activation",
        "Firmware activated",
        "Passive tariff schedule programmed",
    ),
    **_numbered(
        40,
        "Terminal cover removed",
        "Terminal cover closed",
        "Strong DC field detected",
        "No strong DC field any more",
        "Meter cover removed",
        "Meter cover closed",
        "Authentication failed several times",
        "One or more parameters changed",
    ),
    **_numbered(
        60,
        "Manual disconnection",
        "Manual connection",
        "Remote disconnection",
        "Remote connection",
        "Local disconnection",
        "Limiter threshold exceeded",
        "Limiter threshold kept again",
        "Limiter threshold changed",
    ),
    **_m_bus(
        100,
        "Communication error",
        "Communication works again",
        "Replace battery",
        "Fraud attempt",
        "Clock adjusted",
        "New device found",
        "Permanent error of the device",
    ),
    **_m_bus(
        160, "Manual disconnection", "Manual connection", "Remote disconnection", "Remote connection", "Valve alarm"
    ),
}
"""What IDIS and the Dutch series share."""

_IDIS: Final = {
    **_COMMON,
    **_numbered(
        48,
        "Global key changed",
        "Deciphering or authentication failed",
        "Replay attack",
        "Firmware verification failed",
    ),
    52: "Consumption while disconnected",
    59: "Ready for manual reconnection",
    **_numbered(68, "Disconnection or reconnection failed", "Local reconnection"),
    **_phases(76, "Undervoltage {}"),
    **_phases(79, "Overvoltage {}"),
    **_phases(82, "Voltage missing {}"),
    **_phases(85, "Voltage normal {}"),
    **_numbered(88, "Phase sequence reversed", "Neutral missing", "Phase asymmetry", "Current reversed"),
    **_phases(92, "Bad voltage quality {}"),
    254: "Load profile cleared",
}

_DUTCH: Final = {
    **_COMMON,
    **_numbered(20, "Self-check after firmware update passed", "Communication module removed"),
    22: "Communication module inserted",
    **_numbered(48, "Module cover opened", "Module cover closed"),
    **_numbered(
        71,
        "Metrological maintenance",
        "Technical maintenance",
        "Electricity readings retrieved",
        "Gas readings retrieved",
        "Electricity interval data retrieved",
        "Gas interval data retrieved",
    ),
    **_phases(77, "Undervoltage {}"),
    **_phases(86, "Phase outage {}"),
    89: "Phase outage test",
    **_phases(90, "Phase returned {}"),
}
_DSMR: Final = {**_DUTCH, **_phases(80, "Voltage sag {}"), **_phases(83, "Voltage swell {}")}
_SMR: Final = {**_DUTCH, **_phases(80, "Overvoltage {}"), **_phases(83, "Voltage normal {}")}

_IS_15959: Final = {
    **_spans(1, *(f"Voltage missing, {phase} phase" for phase in "RYB")),
    **_spans(7, "Overvoltage in any phase", "Low voltage in any phase", "Voltage unbalance"),
    **_spans(21, "Phase sequence reversed"),
    **_spans(51, *(f"Current reversed, {phase} phase" for phase in "RYB")),
    **_spans(57, *(f"Current transformer open, {phase} phase" for phase in "RYB")),
    **_spans(63, "Current unbalance", "Current bypassed", "Overcurrent", "Earth loading"),
    **_spans(81, "Current mismatch", "High neutral current"),
    **_spans(101, "Power failure"),
    **_numbered(
        151,
        "Clock set",
        "Demand integration period changed",
        "Profile capture period changed",
        "Schedule of billing dates changed",
        "Activity calendar changed",
    ),
    157: "New firmware activated",
    **_numbered(
        159,
        "Load limit enabled",
        "Load limit disabled",
        "LLS secret changed (meter reader)",
        "HLS key changed (utility setting)",
        "HLS key changed (firmware upgrade)",
        "Global key changed",
        "Event status word filter changed",
        "Maximum demand reset",
        "Metering mode changed",
    ),
    **_spans(
        201,
        "Magnet or electromagnet",
        "Neutral disturbance",
        "Low power factor",
        "Neutral missing (single wire operation)",
        "Communication module removed",
    ),
    **_numbered(
        211,
        "Changed to post-paid mode",
        "Changed to pre-paid mode",
        "Changed to forwarded-only mode",
        "Changed to import-export mode",
    ),
    **_spans(215, "Overload"),
    251: "Meter cover opened",
    253: "Load switch welded",
    **_numbered(301, "Load switch disconnected", "Load switch connected"),
}

_GOST_R_58940: Final = {
    0: {
        **_numbered(
            1, *(f"Voltage {what}, phase {phase}" for phase in ("L1", "L2", "L3") for what in ("missing", "restored"))
        ),
        **_spans(7, "Overvoltage in any phase", "Low voltage in any phase", "Voltage unbalance in negative sequence"),
        **_spans(13, *(f"Overvoltage, phase L{phase}" for phase in (1, 2, 3))),
        **_spans(19, *(f"Voltage dip, phase L{phase}" for phase in (1, 2, 3))),
        **_spans(25, "Wrong phase sequence"),
        **_numbered(27, "Voltage interrupted", "Voltage restored"),
    },
    1: {
        **_spans(1, *(f"Export, phase L{phase}" for phase in (1, 2, 3))),
        **_spans(7, *(f"Current transformer broken, phase L{phase}" for phase in (1, 2, 3))),
        **_spans(13, "Current unbalance", "Current transformer short-circuited", "Overcurrent in any phase"),
        **_spans(19, *(f"Current without voltage, phase L{phase}" for phase in (1, 2, 3))),
        **_spans(25, *(f"Maximum current exceeded, phase L{phase}" for phase in (1, 2, 3))),
        **_spans(
            31,
            "Current without voltage (neutral broken)",
            "Reverse power in a meter of one direction",
            "Power of different directions in the phases",
            "Current while the load relay is off",
        ),
    },
    2: _numbered(
        1,
        "Power down",
        "Power up",
        "Remote disconnection",
        "Remote connection",
        "Consumer may reconnect",
        "Disconnected by the consumer",
        "Connected by the consumer",
        "Disconnected by the power limit",
        "Disconnected by the maximum current",
        "Disconnected by a magnetic field",
        "Disconnected by overvoltage",
        "Connected as the voltage is normal again",
        "Disconnected by current without voltage",
        "Disconnected by current unbalance",
        "Disconnected by temperature",
        "Backup supply on",
        "Backup supply off",
        "Disconnected by an opened cover",
    ),
    4: _numbered(
        1, "Magnetic field, begin", "Magnetic field, end", "Terminal cover seal released", "Housing seal released"
    ),
    5: _numbered(1, "Connection ended", "Connection established"),
    6: _numbered(1, "Unauthorised access attempted", "Protocol violated"),
    7: {
        1: "Meter initialised",
        **_numbered(2, "Measuring unit failed", "Measuring unit works", "Computing unit failed"),
        **_numbered(
            5,
            *(
                f"{part} {what}"
                for part in (
                    "Real-time clock",
                    "Power supply",
                    "Display",
                    "Memory",
                    "Program memory",
                    "Core clocking",
                    "Clock oscillator",
                )
                for what in ("failed", "works")
            ),
        ),
        19: "Computing unit works",
    },
    8: _spans(1, "Tangent threshold exceeded"),
}

EVENT_NAMES: Final[Mapping[Companion, Mapping[int, Mapping[int, str]]]] = MappingProxyType(
    {
        Companion.IDIS: {ANY_LOG: _IDIS},
        Companion.DSMR: {ANY_LOG: _DSMR},
        Companion.SMR: {ANY_LOG: _SMR},
        Companion.IS_15959: {ANY_LOG: _IS_15959},
        Companion.GOST_R_58940: _GOST_R_58940,
        Companion.UNI_TS_11291: {},
    }
)
"""Names by companion, log (value group E, or ANY_LOG) and code."""

LOG_NAMES: Final[Mapping[Companion, Mapping[int, str]]] = MappingProxyType(
    {
        Companion.IDIS: _numbered(
            0, "Standard", "Fraud", "Disconnector control", "M-Bus", "Power quality", "Communication"
        ),
        Companion.DSMR: {0: "Standard", 1: "Fraud", 3: "M-Bus", 4: "Communication sessions"},
        Companion.SMR: {
            0: "Standard",
            1: "Fraud",
            3: "M-Bus",
            4: "Communication sessions",
            5: "Power quality",
            6: "Auxiliary",
            7: "Extended power quality",
            8: "Total harmonic distortion",
        },
        Companion.IS_15959: _numbered(
            0, "Voltage", "Current", "Power", "Transaction", "Others", "Non-rollover", "Control"
        ),
        Companion.GOST_R_58940: _numbered(
            0,
            "Voltage",
            "Current",
            "Switching",
            "Data corrections",
            "External influence",
            "Communication",
            "Access control",
            "Self test",
            "Tangent excess",
            "Power quality",
            "Inputs and outputs",
        ),
        Companion.UNI_TS_11291: {0: "Events", 1: "Metrological", 6: "Radio"},
    }
)
"""Names of the event logs by companion and value group E."""


# ---- lookups ---------------------------------------------------------------------------------------------------------


def event_name(companion: Companion, log: Obis, code: int) -> str | None:
    """Return what an event code in a log means; None where it is not known."""
    names = EVENT_NAMES[companion]
    return names.get(log.e, names.get(ANY_LOG, {})).get(code)


def log_name(companion: Companion, log: Obis) -> str:
    """Return what a log is for."""
    name = LOG_NAMES[companion].get(log.e) if (log.c, log.d) == _EVENT_LOG else None
    return describe(log, _PROFILE_GENERIC) if name is None else f"{name} event log"


def is_event_log(class_id: int, name: Obis) -> bool:
    """Whether an object is a log: of events, of power failures (1-b:99.97.e), of M-Bus control (0-b:24.5.0)."""
    if class_id != _PROFILE_GENERIC:
        return False
    return (name.c, name.d) in (_EVENT_LOG, _POWER_FAILURE_LOG) or (name.a == 0 and (name.c, name.d) == _M_BUS_LOG)


def is_event_code(name: Obis) -> bool:
    """Whether an object holds an event code (0-b:96.11.e)."""
    return (name.a, name.c, name.d) == EVENT_CODE


def companion_of(names: Iterable[Obis]) -> Companion:
    """Return the companion that the objects of a meter speak for: those of a country (0-b:94.d), else IDIS.

    SMR has more logs than DSMR. SPODES also has profiles of its own under 1-0:94.7.
    """
    known = list(names)
    countries = {name.d for name in known if name.c == _COUNTRY}
    if 31 in countries:
        more = any((name.c, name.d) == _EVENT_LOG and name.e >= 5 for name in known)
        return Companion.SMR if more else Companion.DSMR
    for country, companion in _COMPANIONS.items():
        if country in countries:
            return companion
    return Companion.IDIS


_COMPANIONS: Final = {91: Companion.IS_15959, 7: Companion.GOST_R_58940, 39: Companion.UNI_TS_11291}
"""By value group D of the objects of a country."""
