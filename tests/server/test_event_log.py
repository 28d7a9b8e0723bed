"""Event logs: what happens gets the code of its companion, the time it was, and a row (class 7, 6.2)."""

from __future__ import annotations

import datetime as dt
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import CaptureObjectDefinition, Clock, Data, ProfileGeneric
from cosemic.model.event_names import EVENT_NAMES, LOG_NAMES, Companion, event_name
from cosemic.server import ClockObject, LogicalDevice, ProfileObject, data
from cosemic.server.event_codes import event_codes
from cosemic.server.event_log import EventLog
from cosemic.server.local_time import CENTRAL_EUROPEAN
from cosemic.values import DateTime, Obis
from tests.server.running import SUCCESS, Running

STANDARD, FRAUD, DISCONNECTOR = (ProfileGeneric(f"0-0:99.98.{e}") for e in range(3))
CLOCK = Clock("0-0:1.0.0")


def build(device: LogicalDevice, companion: Companion = Companion.IDIS, entries: int = 100) -> list[EventLog]:
    clock = device.add(ClockObject(utc_offset=60, daylight_saving=CENTRAL_EUROPEAN, device=device))
    device.add(ProfileObject(device, "1-0:99.1.0", (), 10))
    device.add(data("0-0:96.1.0", DataType.UNSIGNED, 1, writable=True))
    return [
        EventLog(device, clock, log.instance_id, companion=companion, entries=entries, data_type=DataType.LONG_UNSIGNED)
        for log in (STANDARD, FRAUD, DISCONNECTOR)
    ]


def rows(meter: Running[Any], log: ProfileGeneric = STANDARD) -> list[tuple[str, int]]:
    """Time (without the deviation) and code of the entries."""
    return [(str(DateTime(stamp))[:19], code) for stamp, code, *_ in meter.get(log.buffer)]


def codes(meter: Running[Any], log: ProfileGeneric = STANDARD) -> list[int]:
    return [code for _, code in rows(meter, log)]


def test_what_happens_is_logged_with_its_code_and_time() -> None:
    meter = Running(build)
    meter.device.happened("power-down")
    meter.after(minutes=5)
    meter.device.happened("power-up")
    assert rows(meter) == [("2026-01-31 13:00:00", 1), ("2026-01-31 13:05:00", 2)]
    assert meter.get(Data("0-0:96.11.0").value) == meter.parts[0].last_code == 2


def test_each_log_has_its_own_events() -> None:
    meter = Running(build)
    for name in ("terminal-cover-removed", "remote-disconnection", "power-up", "nothing-known"):
        meter.device.happened(name)
    assert codes(meter) == [2]
    assert codes(meter, FRAUD) == [40]
    assert codes(meter, DISCONNECTOR) == [62]
    assert meter.get(Data("0-0:96.11.1").value) == 40


def test_a_clock_that_is_set_is_logged_with_the_time_before_and_the_time_after() -> None:
    meter = Running(build)
    assert meter.set(CLOCK.time, DateTime.from_datetime(dt.datetime(2026, 2, 3, 4, 5, 6))) is SUCCESS
    assert rows(meter) == [("2026-01-31 13:00:00", 4), ("2026-02-03 04:05:06", 5)]
    assert meter.call(CLOCK.shift_time, 60) is SUCCESS
    assert rows(meter)[2:] == [("2026-02-03 04:05:06", 4), ("2026-02-03 04:06:06", 5)]


def test_daylight_saving_is_logged() -> None:
    meter = Running(build, start=dt.datetime(2026, 3, 28, 23, tzinfo=dt.UTC))
    meter.after(hours=4)
    assert rows(meter) == [("2026-03-29 03:00:00", 3)]


def test_clearing_a_log_is_its_first_entry_and_no_other_log_has_it() -> None:
    meter = Running(build)
    meter.device.happened("power-down")
    meter.device.happened("power-up")
    meter.names()
    assert meter.call(STANDARD.reset) is SUCCESS
    assert codes(meter) == [255]
    assert codes(meter, FRAUD) == []
    assert meter.names() == ["profile-cleared", "event-log-cleared"]


def test_clearing_a_load_profile_is_an_event_of_the_standard_log() -> None:
    meter = Running(build)
    assert meter.call(ProfileGeneric("1-0:99.1.0").reset) is SUCCESS
    assert codes(meter) == [254]


def test_written_parameters_are_events_and_clock_and_alarm_registers_tell_themselves() -> None:
    meter = Running(build)
    written = partial(meter.device.happened, "parameter-written")
    assert meter.set(Data("0-0:96.1.0").value, (DataType.UNSIGNED, 7)) is SUCCESS
    assert codes(meter) == [47]
    written(class_id=20, obis=Obis("0-0:13.0.0"), attribute=7)
    assert codes(meter) == [47, 47, 19]
    written(class_id=8, obis=CLOCK.instance_id, attribute=2)
    written(class_id=1, obis=Obis("0-0:97.98.0"), attribute=2)
    assert codes(meter) == [47, 47, 19]
    written(class_id=1, obis=Obis("0-0:97.98.10"), attribute=2)
    written(class_id=8, obis=CLOCK.instance_id, attribute=3)
    assert codes(meter) == [47, 47, 19, 47, 47]


def test_a_full_log_drops_the_oldest() -> None:
    meter = Running(partial(build, entries=3))
    for name in ("power-down", "power-up", "power-down", "power-up", "clock-invalid"):
        meter.device.happened(name)
    assert codes(meter) == [1, 2, 6]


def test_logs_survive(tmp_path: Path) -> None:
    meter = Running(build, tmp_path / "state")
    meter.device.happened("power-down")
    meter.killed()
    assert codes(meter) == [1]
    assert meter.get(Data("0-0:96.11.0").value) == 1
    meter.device.happened("power-up")
    assert codes(meter) == [1, 2]


def test_a_log_captures_more_columns_and_null_where_there_is_nothing() -> None:
    def build_wide(device: LogicalDevice) -> EventLog:
        clock = device.add(ClockObject(utc_offset=60, device=device))
        device.add(data("0-0:96.1.0", DataType.UNSIGNED, 9))
        columns = [
            (CaptureObjectDefinition(1, Obis(name), 2, 0), DataType.UNSIGNED) for name in ("0-0:96.1.0", "0-0:96.1.1")
        ]
        return EventLog(device, clock, STANDARD.instance_id, {"power-up": 300}, data_type=DataType.LONG_UNSIGNED,
                        columns=columns)  # fmt: skip

    meter = Running(build_wide)
    meter.device.happened("power-up")
    meter.device.happened("power-down")
    ((_, *others),) = meter.get(STANDARD.buffer)
    assert others == [300, 9, None]


@pytest.mark.parametrize("inverted", [False, True])
def test_stamps_have_the_deviation_that_the_clock_has(inverted: bool) -> None:
    def build_inverted(device: LogicalDevice) -> EventLog:
        clock = device.add(ClockObject(utc_offset=60, inverted_deviation=inverted, device=device))
        return EventLog(device, clock, STANDARD.instance_id)

    meter = Running(build_inverted)
    meter.device.happened("power-up")
    shown = meter.get(CLOCK.time)
    meter.set(CLOCK.time, shown)
    assert shown.deviation == (60 if inverted else -60)
    stamps = [DateTime(stamp) for stamp, _ in meter.get(STANDARD.buffer)]
    assert stamps == [shown] * 3  # power-up, and the clock before and after


def test_a_code_beyond_an_octet_is_logged_as_a_longer_number() -> None:
    control = ProfileGeneric("0-0:99.98.6")

    def build_control(device: LogicalDevice) -> EventLog:
        clock = device.add(ClockObject(utc_offset=60, device=device))
        return EventLog(device, clock, control.instance_id, companion=Companion.IS_15959)

    meter = Running(build_control)
    meter.device.happened("manual-disconnection")
    assert codes(meter, control) == [301]
    code = meter.view.get(1, "0-0:96.11.6", 2)
    assert isinstance(code, EncodedData)
    assert code.typed() == (DataType.LONG_UNSIGNED, 301)


@pytest.mark.parametrize("companion", Companion)
@pytest.mark.parametrize("log", range(7))
def test_every_log_holds_all_codes_of_its_companion(companion: Companion, log: int) -> None:
    def build_one(device: LogicalDevice) -> EventLog:
        clock = device.add(ClockObject(utc_offset=60, device=device))
        return EventLog(device, clock, f"0-0:99.98.{log}", companion=companion)

    meter = Running(build_one)
    numbers = sorted(meter.parts.codes.values())
    for code in numbers:
        meter.parts.log(code, meter.now)
    assert codes(meter, ProfileGeneric(f"0-0:99.98.{log}")) == numbers[-100:]


def test_the_log_of_m_bus_control_has_the_codes_of_its_channel() -> None:
    def build_control(device: LogicalDevice) -> EventLog:
        clock = device.add(ClockObject(utc_offset=60, device=device))
        return EventLog(device, clock, "0-2:24.5.0")

    meter = Running(build_control)
    assert set(meter.parts.codes.values()) == {170, 171, 172, 173, 174, 255}
    meter.device.happened("valve-alarm-m-bus-channel-2")
    meter.device.happened("valve-alarm-m-bus-channel-1")
    assert codes(meter, ProfileGeneric("0-2:24.5.0")) == [174]
    assert meter.get(Data("0-2:96.11.4").value) == 174


def test_a_device_has_a_log_once() -> None:
    meter = Running(build)
    with pytest.raises(ConfigurationError):
        EventLog(meter.device, ClockObject(), STANDARD.instance_id)


# ---- codes -----------------------------------------------------------------------------------------------------------

IDIS = {
    0: {
        "power-down": 1, "power-up": 2, "daylight-saving-changed": 3, "clock-invalid": 6, "calendar-activated": 9,
        "alarm-register-cleared": 11, "image-verified": 17, "image-activated": 18, "image-verification-failed": 51,
    },
    1: {"terminal-cover-removed": 40, "meter-cover-removed": 44, "association-failed": 46},
    2: {
        "ready-for-manual-reconnection": 59, "manual-disconnection": 60, "manual-reconnection": 61,
        "remote-disconnection": 62, "remote-reconnection": 63, "local-disconnection": 64, "limiter-exceeded": 65,
        "limiter-normal": 66, "limiter-threshold-changed": 67, "local-reconnection": 69,
    },
}  # fmt: skip


@pytest.mark.parametrize(("log", "happening", "code"), [(e, *one) for e, all_ in IDIS.items() for one in all_.items()])
def test_idis_numbers(log: int, happening: str, code: int) -> None:
    meter = Running(build)
    meter.device.happened(happening)
    assert [codes(meter, one) for one in (STANDARD, FRAUD, DISCONNECTOR)][log] == [code]


@pytest.mark.parametrize(
    ("companion", "happening", "expected"),
    [
        (Companion.DSMR, "remote-disconnection", ([62], [], [])),
        (Companion.DSMR, "terminal-cover-removed", ([], [40], [])),
        (Companion.SMR, "local-reconnection", ([], [], [])),
        (Companion.GOST_R_58940, "manual-reconnection", ([], [], [7])),
        (Companion.GOST_R_58940, "power-up", ([], [], [2])),
        (Companion.UNI_TS_11291, "power-up", ([], [], [])),
        (Companion.IS_15959, "power-up", ([], [], [102])),
    ],
)
def test_other_companions_number_otherwise(companion: Companion, happening: str, expected: Any) -> None:
    meter = Running(partial(build, companion=companion))
    meter.device.happened(happening)
    assert tuple(codes(meter, one) for one in (STANDARD, FRAUD, DISCONNECTOR)) == expected


def test_indian_logs_have_fifty_numbers_each() -> None:
    control = event_codes(Companion.IS_15959, Obis("0-0:99.98.6"))
    assert control == {"load-switch-disconnected": 301, "load-switch-connected": 302}
    assert set(event_codes(Companion.IS_15959, Obis("0-0:99.98.3")).values()) <= set(range(151, 201))


@pytest.mark.parametrize("companion", Companion)
def test_a_log_has_only_codes_that_a_client_can_name(companion: Companion) -> None:
    for e in LOG_NAMES[companion]:
        log = Obis(bytes((0, 0, 99, 98, e, 255)))
        found = event_codes(companion, log)
        assert all(event_name(companion, log, code) for code in found.values())
        assert len(set(found.values())) == len(found)


def test_every_number_of_idis_is_in_a_log() -> None:
    logs = [Obis(f"0-0:99.98.{e}") for e in range(5)] + [Obis(f"0-{channel}:24.5.0") for channel in range(1, 5)]
    found = {code for log in logs for code in event_codes(Companion.IDIS, log).values()}
    assert found == set(EVENT_NAMES[Companion.IDIS][-1])
