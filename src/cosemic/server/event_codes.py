"""Which events what happens in a device is, and which codes they have in which log (companions; model.event_names).

::

    happening (LogicalDevice.tell)      events, by name                             IDIS, log 0
    power-up                            power-up, power-failure-end                 2
    clock-set                           clock-adjusted-old-time, -new-time ...      4, stamped with the time before; 5
    terminal-cover-removed              terminal-cover-removed                      -   (log 1: 40)

The name of an event is that of :data:`~cosemic.model.event_names.EVENT_NAMES` in kebab-case, and a happening is the
event of its own name: so a simulator may tell any of them. IDIS, DSMR and SMR number the events of all logs at one go;
which log has which of them is recalled, not seen in a text (unsure): give a log codes of its own where it differs.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final

from cosemic.model.event_names import ANY_LOG, EVENT_NAMES, Companion, is_event_log
from cosemic.server.logical_device import Happening
from cosemic.values import Obis

_CLEARED: Final = 255
M_BUS_LOG: Final = (24, 5)
"""Value groups C and D of the log of an M-Bus channel."""
_ERROR_CODES: Final = 97
_FILTERS: Final = range(10, 20)
"""Value groups C of error and alarm registers, and E of alarm filters: all but these tell what is written to them."""
_PROFILE: Final = 7
_CLOCK_TIME: Final = (8, 2)

_DUTCH: Final = {
    0: (range(1, 40), (47,), range(60, 68), range(71, 77)),
    1: (range(40, 47), (48, 49)),
    3: (range(100, 200),),
}
_ALLOTTED: Final[Mapping[Companion, Mapping[int, tuple[range | tuple[int, ...], ...]]]] = {
    Companion.IDIS: {
        0: (range(1, 40), (47, 48, 51, 254)),
        1: (range(40, 47), (49, 50)),
        2: ((52,), range(59, 70)),
        3: (range(100, 160),),
        4: (range(76, 95),),
    },
    Companion.DSMR: {**_DUTCH, 0: (*_DUTCH[0], range(77, 93))},
    Companion.SMR: {**_DUTCH, 5: (range(77, 93),)},
    Companion.IS_15959: {log: (range(1 + 50 * log, 51 + 50 * log),) for log in range(7)},
}
"""Codes by companion and value group E of the log, where the codes of all logs are numbered at one go."""

_EVENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "power-down": ("power-down", "power-failure-begin"),
    "power-up": ("power-up", "power-failure-end"),
    "daylight-saving-changed": ("daylight-saving-time-enabled-or-disabled",),
    "calendar-activated": ("tariff-schedule-activated",),
    "demand-reset": ("maximum-demand-reset",),
    "image-verified": ("firmware-ready-for-activation",),
    "image-verification-failed": ("firmware-verification-failed",),
    "image-activated": ("firmware-activated", "new-firmware-activated"),
    "association-failed": ("authentication-failed-several-times", "unauthorised-access-attempted"),
    "limiter-exceeded": ("limiter-threshold-exceeded",),
    "limiter-normal": ("limiter-threshold-kept-again",),
    "ready-for-manual-reconnection": ("ready-for-manual-reconnection", "consumer-may-reconnect"),
    "remote-disconnection": ("remote-disconnection", "load-switch-disconnected"),
    "manual-disconnection": ("manual-disconnection", "load-switch-disconnected", "disconnected-by-the-consumer"),
    "local-disconnection": ("local-disconnection", "load-switch-disconnected", "disconnected-by-the-power-limit"),
    "remote-reconnection": ("remote-connection", "load-switch-connected"),
    "manual-reconnection": ("manual-connection", "load-switch-connected", "connected-by-the-consumer"),
    "local-reconnection": ("local-reconnection", "load-switch-connected"),
}
"""Events of what happens under another name; in each companion at most one of them is numbered in a log."""

_PARAMETERS: Final[Mapping[tuple[int, int], tuple[str, ...]]] = {
    (5, 8): ("demand-integration-period-changed",),
    (_PROFILE, 4): ("profile-capture-period-changed",),
    **dict.fromkeys(
        ((20, n) for n in range(6, 10)), ("passive-tariff-schedule-programmed", "activity-calendar-changed")
    ),
    (22, 4): ("schedule-of-billing-dates-changed",),
}
"""What writing some attributes is besides, by class and attribute."""


def event_codes(companion: Companion, log: Obis) -> dict[str, int]:
    """Return the codes that a log of a companion has, by the name of the event in kebab-case."""
    names = EVENT_NAMES[companion]
    numbered = names.get(log.e, names.get(ANY_LOG, {}))
    allotted = _ALLOTTED.get(companion)
    if (log.c, log.d) == M_BUS_LOG:
        wanted = set(range(150 + 10 * log.b, 160 + 10 * log.b))
    elif allotted is None:
        wanted = set(numbered)
    else:
        wanted = {code for codes in allotted.get(log.e, ()) for code in codes}
    return {_in_kebab_case(name): code for code, name in numbered.items() if code in wanted or code == _CLEARED}


def events(happening: Happening) -> list[tuple[str, dt.datetime | None]]:
    """Return the events, by name, that a happening is; with the time that the clock showed where that was another."""
    name, details = happening.name, happening.details
    if name in ("clock-set", "clock-adjusted"):
        return [("clock-adjusted-old-time", details["before"]), ("clock-adjusted-new-time", None), ("clock-set", None)]
    if name == "parameter-written":
        return [(one, None) for one in _written(details["class_id"], details["obis"], details["attribute"])]
    if name == "profile-cleared":
        return [] if is_event_log(_PROFILE, details["obis"]) else [("load-profile-cleared", None)]
    return [(one, None) for one in _EVENTS.get(name, (name,))]


def _written(class_id: int, name: Obis, attribute: int) -> tuple[str, ...]:
    if (class_id, attribute) == _CLOCK_TIME or (name.c == _ERROR_CODES and name.e not in _FILTERS):
        return ()
    return "one-or-more-parameters-changed", *_PARAMETERS.get((class_id, attribute), ())


def _in_kebab_case(name: str) -> str:
    return "-".join(re.findall("[a-z0-9]+", name.lower()))
