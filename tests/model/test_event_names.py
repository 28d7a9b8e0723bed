"""Names of events and logs: against the codes that the reference gives, and the rules that every table keeps."""

from __future__ import annotations

import re

import pytest

from cosemic.model.event_names import (
    ANY_LOG,
    EVENT_NAMES,
    LOG_NAMES,
    Companion,
    companion_of,
    event_name,
    is_event_code,
    is_event_log,
    log_name,
)
from cosemic.values import Obis
from tests.vectors import reference

LOG = Obis("0-0:99.98.0")
WORDS = {
    "power down": "Power down", "power up": "Power up", "clock adjusted old/new": "Clock adjusted (old time)",
    "clock invalid": "Clock invalid", "replace battery": "Replace battery", "battery low": "Battery voltage low",
    "error register cleared": "Error register cleared", "alarm register cleared": "Alarm register cleared",
    "program memory error": "Program memory error", "RAM error": "RAM error", "watchdog error": "Watchdog error",
    "measurement system error": "Measurement system error", "firmware ready": "Firmware ready for activation",
    "terminal cover removed": "Terminal cover removed", "strong DC field": "Strong DC field detected",
    "meter cover removed": "Meter cover removed", "limiter exceeded": "Limiter threshold exceeded",
    "local disconnection": "Local disconnection", "remote disconnection": "Remote disconnection",
    "remote connection": "Remote connection", "event log cleared": "Event log cleared",
}  # fmt: skip
"""Words of the reference for codes of the IDIS style, and ours."""


def test_idis_names_agree_with_the_codes_of_the_reference() -> None:
    text = reference("cim_and_cas.md").read_text(encoding="utf-8")
    section = text[text.index("Mapping of common meter events") : text.index("EndDeviceControls → DLMS")]
    checked = 0
    for words, name in WORDS.items():
        found = re.search(rf"{re.escape(words)}[^(|/]*\((\d+)", section)
        assert found, words
        assert event_name(Companion.IDIS, LOG, int(found[1])) == name
        checked += 1
    assert checked == len(WORDS)


@pytest.mark.parametrize("companion", Companion)
def test_every_name_is_said_once_in_a_table(companion: Companion) -> None:
    for names in EVENT_NAMES[companion].values():
        assert len(set(names.values())) == len(names)
        assert all(0 <= code <= 0xFFFF for code in names)
        assert all(name.strip() == name and name[0].isupper() for name in names.values())


def test_companions_give_the_same_number_to_different_events() -> None:
    names = {companion: event_name(companion, LOG, 1) for companion in Companion}
    assert names == {
        Companion.IDIS: "Power down",
        Companion.DSMR: "Power down",
        Companion.SMR: "Power down",
        Companion.IS_15959: "Voltage missing, R phase, begin",
        Companion.GOST_R_58940: "Voltage missing, phase L1",
        Companion.UNI_TS_11291: None,
    }


@pytest.mark.parametrize(
    ("companion", "log", "code", "name"),
    [
        (Companion.IDIS, 0, 103, "Fraud attempt, M-Bus channel 1"),
        (Companion.IDIS, 3, 134, "Clock adjusted, M-Bus channel 4"),
        (Companion.IDIS, 3, 191, "Manual connection, M-Bus channel 4"),
        (Companion.IDIS, 4, 94, "Bad voltage quality L3"),
        (Companion.IDIS, 4, 85, "Voltage normal L1"),
        (Companion.DSMR, 0, 85, "Voltage swell L3"),
        (Companion.SMR, 0, 85, "Voltage normal L3"),
        (Companion.SMR, 0, 92, "Phase returned L3"),
        (Companion.IS_15959, 0, 12, "Voltage unbalance, end"),
        (Companion.IS_15959, 1, 68, "Overcurrent, end"),
        (Companion.IS_15959, 2, 101, "Power failure, begin"),
        (Companion.IS_15959, 3, 166, "Maximum demand reset"),
        (Companion.IS_15959, 4, 201, "Magnet or electromagnet, begin"),
        (Companion.IS_15959, 4, 210, "Communication module removed, end"),
        (Companion.IS_15959, 6, 302, "Load switch connected"),
        (Companion.GOST_R_58940, 0, 28, "Voltage restored"),
        (Companion.GOST_R_58940, 1, 30, "Maximum current exceeded, phase L3, end"),
        (Companion.GOST_R_58940, 1, 38, "Current while the load relay is off, end"),
        (Companion.GOST_R_58940, 2, 18, "Disconnected by an opened cover"),
        (Companion.GOST_R_58940, 7, 18, "Clock oscillator works"),
        (Companion.GOST_R_58940, 8, 2, "Tangent threshold exceeded, end"),
        (Companion.GOST_R_58940, 9, 1, None),
        (Companion.IDIS, 0, 30, None),
    ],
)
def test_the_ends_of_every_series(companion: Companion, log: int, code: int, name: str | None) -> None:
    assert event_name(companion, Obis(f"0-0:99.98.{log}"), code) == name


def test_logs_are_named_and_told_from_other_profiles() -> None:
    assert log_name(Companion.IDIS, LOG) == "Standard event log"
    assert log_name(Companion.IDIS, Obis("0-0:99.98.9")) == "Event log"
    assert log_name(Companion.IS_15959, Obis("0-0:99.98.5")) == "Non-rollover event log"
    assert log_name(Companion.DSMR, Obis("1-0:99.97.0")) == "Power failure event log"
    assert is_event_log(7, Obis("7-0:99.98.0"))
    assert is_event_log(7, Obis("0-4:24.5.0"))
    for class_id, name in ((1, "0-0:99.98.0"), (7, "1-0:99.1.0"), (7, "1-0:24.5.0"), (7, "0-0:98.1.0")):
        assert not is_event_log(class_id, Obis(name))
    assert is_event_code(Obis("0-1:96.11.4"))
    assert not is_event_code(Obis("0-0:96.15.4"))
    assert not is_event_code(Obis("1-0:96.11.4"))


@pytest.mark.parametrize("companion", Companion)
def test_logs_of_a_companion_number_from_nothing_on(companion: Companion) -> None:
    names = LOG_NAMES[companion]
    assert min(names) == 0
    assert len(set(names.values())) == len(names)
    assert ANY_LOG not in names


def test_a_meter_without_country_follows_idis() -> None:
    assert companion_of([]) is Companion.IDIS
    assert companion_of([LOG, Obis("0-0:94.46.0")]) is Companion.IDIS
    assert companion_of([Obis("0-0:94.31.0"), Obis("0-0:99.98.4")]) is Companion.DSMR
    assert companion_of(iter([Obis("0-0:99.98.5"), Obis("0-0:94.31.0")])) is Companion.SMR
