"""Push setup (class 40): attributes of every version, what is refused, when it is sent, and how often."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from cosemic.association.notifications import NotifyData
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import ActionItem, ExecutionTime, PushSetup, SingleActionScheduleType, TCPUDPSetup, ValueDefinition
from cosemic.model.monitors import ActionSet
from cosemic.model.protection import (
    IdentifiedKey,
    KeyInfoElement,
    KeyInfoType,
    ProtectionOptions,
    ProtectionParametersElement,
    ProtectionType,
)
from cosemic.model.push import (
    PushConfirmationParameters,
    PushMessage,
    PushOperationMethod,
    PushRepetitionDelay,
    PushSetupVersion0,
    PushSetupVersion1,
    PushSetupVersion2,
    RestrictionByDate,
    RestrictionByEntry,
    RestrictionElement,
    RestrictionType,
    SendDestinationAndMethod,
    TransportService,
    WindowElement,
)
from cosemic.server import (
    NO_SCRIPT,
    Alarms,
    CosemObject,
    LogicalDevice,
    PushSetupObject,
    RegisterMonitorObject,
    ScriptTableObject,
    SingleActionScheduleObject,
    executing,
    managing,
    only,
)
from cosemic.server.push.attempts import repetition_delay
from cosemic.server.push.destination import destination_of
from cosemic.server.push.outbox import MOST_WAITING, Delivery, Outbox, Outgoing
from cosemic.server.push.refusal import PushRefused
from cosemic.server.state import StateFile
from cosemic.values import DataAccessResult, DateTime, Obis
from tests.server.push_support import (
    ACKNOWLEDGED,
    CONFIRMED,
    FAILED,
    PUSH,
    SENT,
    VALUE,
    ZERO,
    Pushing,
    body_of,
    listed,
    tcp,
)
from tests.server.support import View
from tests.server.time_support import at, on, stamp, utc

START = utc(2026, 11, 20, 12)
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)
SUCCESS = DataAccessResult.SUCCESS
REFUSED = DataAccessResult.OTHER_REASON
VERSIONS = {0: PushSetupVersion0, 1: PushSetupVersion1, 2: PushSetupVersion2, 3: PushSetup}
CONFIRM = PushOperationMethod.CONFIRMED_RETRY_ON_MISSING_CONFIRMATION
LOWER_LAYER = PushOperationMethod.UNCONFIRMED_RETRY_ON_MISSING_LOWER_LAYER_CONFIRMATION


def window(start: str, end: str) -> WindowElement:
    return WindowElement(stamp(start), stamp(end))


def protection(kind: ProtectionType, **changed: Any) -> ProtectionParametersElement:
    key = KeyInfoElement(KeyInfoType.IDENTIFIED_KEY, IdentifiedKey.GLOBAL_UNICAST_ENCRYPTION_KEY)
    options = {
        "transaction_id": b"",
        "originator_system_title": b"",
        "recipient_system_title": b"",
        "other_information": b"",
        "key_info": key,
    }
    return ProtectionParametersElement(kind, ProtectionOptions(**options | changed))


# ---- attributes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_serves_the_attributes_and_methods_that_it_declares(version: int) -> None:
    setup = Pushing(START, version=version).setup
    declared = VERSIONS[version]
    assert type(setup.interface) is declared
    assert setup.readable == set(declared.attributes)
    assert setup.invocable == set(declared.methods)
    assert setup.writable == set(declared.attributes) - {1, 13}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_written_is_read_back_and_outlives_the_process(version: int, tmp_path: Path) -> None:
    written: dict[int, Any] = {
        2: (listed(version, 1, VALUE, 2), listed(version, 40, PUSH, 1)),
        3: tcp("head-end.example:4059", TransportService.UDP),
        4: (window("*-*-* 22:00:00", "*-*-* 06:00:00"),),
        5: 300,
        6: 4,
        7: 60 if version < 2 else PushRepetitionDelay(10, 200, 60),
        8: Obis("0-0:25.0.0"),
        9: 16,
        10: (),
        11: CONFIRM,
        12: PushConfirmationParameters(stamp("2026-11-01 00:00:00"), 20),
    }
    pushing = Pushing(START, StateFile(tmp_path / "state").of("d"), version=version)
    for attribute in sorted(pushing.setup.writable):
        assert pushing.set(attribute, written[attribute]) is SUCCESS, attribute
    again = Pushing(START, StateFile(tmp_path / "state").of("d"), version=version)
    for attribute in sorted(pushing.setup.writable):
        assert pushing.get(attribute) == again.get(attribute) == written[attribute]


BY_DATE = RestrictionElement(RestrictionType.BY_DATE, RestrictionByDate(on("2026-11-01"), on("2026-11-02")))
BY_ENTRY = RestrictionElement(RestrictionType.BY_ENTRY, RestrictionByEntry(1, 2))


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (2, [listed(2, 1, VALUE, 3)]),  # no such attribute
        (2, [listed(2, 1, "0-0:96.1.9", 2)]),  # no such object
        (2, [listed(2, 1, VALUE, 2, 0x1001)]),  # ranges are of buffers
        (2, [listed(2, 1, VALUE, 2, 0, BY_DATE)]),
        (2, [listed(2, 1, VALUE, 2, 0, RestrictionElement(RestrictionType.BY_DATE, None))]),
        (2, [listed(2, 1, VALUE, 2)] * 256),
        (3, tcp("no port:")),
        (3, tcp("10.0.0.1:0")),
        (3, tcp("10.0.0.1:65536")),
        (3, tcp("[::1")),
        (3, tcp("a b:4059")),
        (3, tcp("x" * 256)),
        (4, [WindowElement(DateTime(bytes.fromhex("ffffffffff19000000800000")), stamp("*-*-* 06:00:00"))]),  # 25 h
        (4, [WindowElement(stamp("2026-02-30 00:00:00"), stamp("*-*-* 06:00:00"))]),
        (4, [window("*-*-* 00:00:00", "*-*-* 06:00:00")] * 33),
        (9, 0),
        (9, -3),
        (9, 17),  # not let in
        (10, [protection(ProtectionType.AUTHENTICATION)]),  # no keys
        (12, PushConfirmationParameters(stamp("*-11-01 00:00:00"), 20)),
    ],
)
def test_what_could_not_be_pushed_is_refused_and_changes_nothing(attribute: int, value: Any) -> None:
    pushing = Pushing(START)
    before = pushing.get(attribute)
    assert pushing.set(attribute, value) is REFUSED
    assert pushing.get(attribute) == before


def test_values_of_another_type_are_refused_as_that() -> None:
    pushing = Pushing(START)
    wrong = EncodedData.of(DataType.BOOLEAN, True)
    for attribute in sorted(pushing.setup.writable):
        assert View(pushing.device).set(40, PUSH, attribute, wrong) is DataAccessResult.TYPE_UNMATCHED, attribute
    for attribute in (1, 13):
        assert View(pushing.device).set(40, PUSH, attribute, wrong) is DataAccessResult.READ_WRITE_DENIED


def test_a_client_cannot_have_pushed_what_it_may_not_read_itself() -> None:
    pushing = Pushing(START, rights=only(managing(), PUSH), push_object_list=())
    assert pushing.set(2, [listed(2, 1, VALUE, 2)]) is DataAccessResult.READ_WRITE_DENIED
    assert pushing.set(2, [listed(2, 40, PUSH, 1), listed(2, 40, PUSH, 3)]) is SUCCESS


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="versions 0 to 3, not 4"):
        Pushing(START, version=4)


@pytest.mark.parametrize(
    ("text", "port", "expected"),
    [
        ("10.0.0.1:4061", 4059, "tcp://10.0.0.1:4061"),
        ("10.0.0.1", 4060, "tcp://10.0.0.1:4060"),
        ("[2001:db8::1]:4061", 4059, "tcp://[2001:db8::1]:4061"),
        ("[2001:db8::1]", 4059, "tcp://[2001:db8::1]:4059"),
        ("2001:db8::1", 4059, "tcp://[2001:db8::1]:4059"),
        ("head-end.example:1\0\0", 4059, "tcp://head-end.example:1"),
    ],
)
def test_destinations_are_host_and_port(text: str, port: int, expected: str) -> None:
    assert str(destination_of(tcp(text), port)) == expected


@pytest.mark.parametrize("service", [one for one in TransportService if one > 1])
def test_other_transport_services_fail_by_name_and_are_not_tried_again(service: TransportService) -> None:
    pushing = Pushing(START, send_destination_and_method=tcp("x", service), number_of_retries=3)
    assert pushing.push() == "success"
    assert pushing.go(START + HOUR) == []
    (failed,) = [one for one in pushing.told if one.name.startswith("push-")]
    assert failed.name == "push-failed"
    assert service.label in failed.details["reason"]


def test_xml_and_no_destination_fail_by_name() -> None:
    with pytest.raises(PushRefused, match="message 0"):
        destination_of(SendDestinationAndMethod(TransportService.TCP, b"10.0.0.1:1", PushMessage.XML_APDU))
    with pytest.raises(PushRefused, match="no destination is set"):
        destination_of(tcp(""))


@pytest.mark.parametrize("host", ["a..b:1", ".:1", "x" * 64 + ".example:1", "localhost:4059:1"])
def test_a_host_that_can_never_be_looked_up_is_no_destination(host: str) -> None:
    with pytest.raises(PushRefused, match="host:port"):
        destination_of(tcp(host))


# ---- the message -----------------------------------------------------------------------------------------------------


def test_the_message_is_a_data_notification_of_the_listed_values_in_order() -> None:
    pushing = Pushing(START, push_object_list=(listed(2, 40, PUSH, 1), listed(2, 1, VALUE, 2)))
    assert pushing.push() == "success"
    ((moment, outgoing),) = pushing.go(START, SENT)
    assert moment == START
    assert (outgoing.source, outgoing.client) == (1, 16)
    assert str(outgoing.destination) == "tcp://10.0.0.1:4059"
    notification = outgoing.notification
    assert isinstance(notification, NotifyData)
    octets = notification.apdu().encode()
    # 0F, long-invoke-id 1 unconfirmed, 12 octets of local time 13:00 with deviation -60, structure of two values
    assert octets.hex() == "0f000000010c07ea0b14050d000000ffc400" + "0202" + "0906" + "0000190900ff" + "120007"
    assert pushing.names() == ["push-delivered"]


def test_messages_are_numbered_one_by_one_over_all_setups_and_restarts(tmp_path: Path) -> None:
    numbers = []
    for _ in range(2):
        pushing = Pushing(START, StateFile(tmp_path / "state").of("d"))
        for _ in range(2):
            pushing.push()
            ((_, outgoing),) = pushing.go(START, SENT)
            assert isinstance(outgoing.notification, NotifyData)
            numbers.append(outgoing.notification.long_invoke_id)
    assert numbers == [1, 2, 3, 4]


def test_the_push_client_of_version_0_is_as_configured() -> None:
    pushing = Pushing(START, version=0)
    pushing.push()
    ((_, outgoing),) = pushing.go(START, SENT)
    assert outgoing.client == 16
    without = Pushing(START, version=0, push_client_SAP=1)
    without.push()
    assert without.go(START) == []
    assert without.names() == ["push-failed"]


def test_port_reference_gives_the_port_that_the_destination_leaves_out() -> None:
    pushing = Pushing(START, send_destination_and_method=tcp("10.0.0.1"), port_reference=Obis("0-0:25.0.0"))
    pushing.device.add(CosemObject(TCPUDPSetup("0-0:25.0.0"), {"TCP_UDP_port": 4077}))
    pushing.push()
    ((_, outgoing),) = pushing.go(START, SENT)
    assert outgoing.destination.port == 4077


def test_an_empty_list_pushes_nothing() -> None:
    pushing = Pushing(START, push_object_list=(), triggers=("alarm-raised",))
    assert pushing.push() == "other-reason"
    pushing.device.happened("alarm-raised")
    assert pushing.go(START + HOUR) == []


# ---- attempts --------------------------------------------------------------------------------------------------------


def offsets(attempts: list[tuple[dt.datetime, Outgoing]], start: dt.datetime = START) -> list[float]:
    return [(moment - start).total_seconds() for moment, _ in attempts]


def test_seconds_of_versions_0_and_1_separate_all_retries() -> None:
    for version in (0, 1):
        pushing = Pushing(START, version=version, number_of_retries=3, repetition_delay=60)
        pushing.push()
        assert offsets(pushing.go(START + HOUR, FAILED)) == [0, 60, 120, 180]
        assert pushing.names() == ["push-attempt-failed"] * 3 + ["push-failed"]


def test_the_delay_grows_from_version_2_on_up_to_its_maximum() -> None:
    delay = PushRepetitionDelay(10, 150, 30)
    for version in (2, 3):
        pushing = Pushing(START, version=version, number_of_retries=5, repetition_delay=delay)
        pushing.push()
        # 10, 15, 22.5, 33.75 -> 30, 30
        assert offsets(pushing.go(START + HOUR, FAILED)) == [0, 10, 25, 47.5, 77.5, 107.5]


def test_delays_are_exact_and_bounded_for_any_numbers() -> None:
    assert repetition_delay(PushRepetitionDelay(65535, 65535, 65535), 255) == 65535 * SECOND
    assert repetition_delay(PushRepetitionDelay(100, 50, 65535), 3) == 25 * SECOND
    assert repetition_delay(PushRepetitionDelay(5, 0, 100), 2) == 0 * SECOND
    assert repetition_delay(7, 200) == 7 * SECOND


def test_all_attempts_of_a_push_are_the_same_message() -> None:
    pushing = Pushing(START, number_of_retries=2, repetition_delay=60)
    pushing.push()
    pushing.go(START, FAILED)
    value = EncodedData.of(DataType.LONG_UNSIGNED, 8)
    assert View(pushing.device).set(1, VALUE, 2, value) is SUCCESS
    attempts = pushing.go(START + HOUR, FAILED)
    assert [body_of(one) for _, one in attempts] == [(7,), (7,)]
    assert len({one.notification.long_invoke_id for _, one in attempts}) == 1  # type: ignore[union-attr]


def test_the_message_is_made_anew_when_what_it_is_made_of_changes() -> None:
    pushing = Pushing(START, number_of_retries=2, repetition_delay=60)
    pushing.push()
    pushing.go(START, FAILED)
    assert pushing.set(2, [listed(2, 40, PUSH, 1)]) is SUCCESS
    assert pushing.sent(START + HOUR) == (bytes(Obis(PUSH)),)
    assert pushing.names()[-1] == "push-delivered"


def test_a_trigger_while_it_waits_is_the_same_push_and_one_while_it_retries_makes_one_more() -> None:
    pushing = Pushing(START, number_of_retries=1, repetition_delay=60, randomisation_start_interval=600)
    for _ in range(3):
        pushing.push()
    first = pushing.go(START + HOUR)
    assert len(first) == 1
    for _ in range(3):
        pushing.push()
    pushing.device.outbox.finish(first[0][1], SENT)
    assert len(pushing.go(START + 2 * HOUR, SENT)) == 1
    assert pushing.go(START + 9 * HOUR, SENT) == []


@pytest.mark.parametrize(
    ("method", "result", "delivered"),
    [
        (PushOperationMethod.UNCONFIRMED_RETRY_ON_LOWER_LAYER_FAILURE, SENT, True),
        (LOWER_LAYER, SENT, False),
        (LOWER_LAYER, ACKNOWLEDGED, True),
        (CONFIRM, ACKNOWLEDGED, False),
        (CONFIRM, CONFIRMED, True),
    ],
)
def test_what_counts_as_delivered_follows_from_the_operation_method(
    method: PushOperationMethod, result: Any, delivered: bool
) -> None:
    pushing = Pushing(START, push_operation_method=method)
    pushing.push()
    ((_, outgoing),) = pushing.go(START, result)
    assert isinstance(outgoing.notification, NotifyData)
    assert outgoing.notification.confirmed is (method is CONFIRM)
    assert pushing.names() == ["push-delivered" if delivered else "push-failed"]


def test_a_confirmation_is_waited_for_as_long_as_is_set_up_and_its_time_is_kept(tmp_path: Path) -> None:
    parameters = PushConfirmationParameters(DateTime.of(), 45)
    options = {"push_operation_method": CONFIRM, "confirmation_parameters": parameters}
    pushing = Pushing(START, StateFile(tmp_path / "state").of("d"), **options)
    assert pushing.get(13).is_unspecified
    pushing.push()
    ((_, outgoing),) = pushing.go(START)
    assert outgoing.settings.response_timeout == 45
    pushing.now = START + 20 * SECOND
    pushing.device.outbox.finish(outgoing, CONFIRMED)
    assert str(pushing.get(13)) == "2026-11-20 13:00:20+01:00"
    again = Pushing(pushing.now, StateFile(tmp_path / "state").of("d"), **options)
    assert str(again.get(13)) == "2026-11-20 13:00:20+01:00"
    assert View(again.device).act(40, PUSH, 2, ZERO).result.label == "success"
    assert again.get(13).is_unspecified


def test_reset_gives_up_what_is_under_way() -> None:
    pushing = Pushing(START, number_of_retries=5, repetition_delay=60)
    pushing.push()
    ((_, outgoing),) = pushing.go(START)
    assert View(pushing.device).act(40, PUSH, 2, ZERO).result.label == "success"
    pushing.device.outbox.finish(outgoing, FAILED)
    assert pushing.go(START + HOUR) == []
    pushing.push()
    assert len(pushing.go(START + HOUR, SENT)) == 1


def test_the_queue_is_bounded_and_what_does_not_fit_counts_as_failed() -> None:
    pushing = Pushing(START)
    outbox: Outbox = pushing.device.outbox
    pushing.push()
    ((_, outgoing),) = pushing.go(START)
    assert all(outbox.put(outgoing) for _ in range(MOST_WAITING))
    assert not outbox.put(outgoing)
    outbox.finish(outgoing, SENT)
    pushing.push()
    pushing.device.advance()
    assert pushing.names() == ["push-delivered", "push-failed"]


# ---- windows ---------------------------------------------------------------------------------------------------------


def test_a_push_waits_for_the_window_over_midnight() -> None:
    pushing = Pushing(START, communication_window=(window("*-*-* 22:00:00", "*-*-* 06:00:00"),))
    pushing.push()
    assert [moment for moment, _ in pushing.go(START + 24 * HOUR, SENT)] == [utc(2026, 11, 20, 21)]
    pushing.go(utc(2026, 11, 22, 4, 59, 59))
    pushing.push()
    assert len(pushing.go(utc(2026, 11, 22, 4, 59, 59), SENT)) == 1
    pushing.go(utc(2026, 11, 22, 5))
    pushing.push()  # 06:00 local is outside
    assert [moment for moment, _ in pushing.go(utc(2026, 11, 23), SENT)] == [utc(2026, 11, 22, 21)]


def test_retries_wait_for_the_window_too() -> None:
    pushing = Pushing(
        utc(2026, 11, 20, 4, 30),
        communication_window=(window("*-*-* 22:00:00", "*-*-* 06:00:00"),),
        number_of_retries=2,
        repetition_delay=1200,
    )
    pushing.push()
    moments = [moment for moment, _ in pushing.go(utc(2026, 11, 22), FAILED)]
    assert moments == [utc(2026, 11, 20, 4, 30), utc(2026, 11, 20, 4, 50), utc(2026, 11, 20, 21)]


def test_windows_follow_the_nights_of_daylight_saving() -> None:
    windows = (window("*-*-* 02:30:00", "*-*-* 03:30:00"),)
    skipped = Pushing(utc(2026, 3, 28, 23), communication_window=windows)
    skipped.push()  # 02:30 is skipped: open from the switch at 03:00 on
    assert [moment for moment, _ in skipped.go(utc(2026, 3, 30), SENT)] == [utc(2026, 3, 29, 1)]
    twice = Pushing(utc(2026, 10, 24, 23), communication_window=windows)
    twice.push()  # 02:30 comes twice: the first counts
    assert [moment for moment, _ in twice.go(utc(2026, 10, 26), SENT)] == [utc(2026, 10, 25, 0, 30)]
    nothing_left = Pushing(utc(2026, 3, 28, 23), communication_window=(window("*-*-* 02:10:00", "*-*-* 02:40:00"),))
    nothing_left.push()
    assert [moment for moment, _ in nothing_left.go(utc(2026, 3, 31), SENT)] == [utc(2026, 3, 30, 0, 10)]


def test_a_window_that_begins_when_it_ends_is_always_open() -> None:
    pushing = Pushing(utc(2026, 11, 20, 23), communication_window=(window("*-*-* 00:00:00", "*-*-* 00:00:00"),))
    pushing.push()
    assert len(pushing.go(utc(2026, 11, 20, 23), SENT)) == 1


def test_what_nobody_was_there_to_send_waits_for_a_window_again() -> None:
    pushing = Pushing(START, communication_window=(window("*-*-* 22:00:00", "*-*-* 23:00:00"),))
    pushing.push()
    pushing.now = utc(2026, 11, 21, 5)  # nothing was done meanwhile
    assert [moment for moment, _ in pushing.go(utc(2026, 11, 22), SENT)] == [utc(2026, 11, 21, 21)]
    always = Pushing(START, randomisation_start_interval=60)
    always.push()
    always.now = START + 5 * HOUR
    assert [moment for moment, _ in always.go(START + 6 * HOUR, SENT)] == [START + 5 * HOUR]


def test_a_window_with_a_deviation_is_meant_in_that() -> None:
    element = WindowElement(stamp("*-*-* 22:00:00", 0), stamp("*-*-* 23:00:00", 0))
    pushing = Pushing(START, communication_window=(element,))
    pushing.push()
    assert [moment for moment, _ in pushing.go(START + 24 * HOUR, SENT)] == [utc(2026, 11, 20, 22)]


def test_a_window_of_one_day_that_has_passed_gives_the_push_up() -> None:
    pushing = Pushing(START, communication_window=(window("2026-11-19 00:00:00", "2026-11-19 01:00:00"),))
    assert pushing.push() == "success"
    assert pushing.go(START + 24 * HOUR) == []
    assert pushing.names() == ["push-failed"]


def test_ends_that_are_not_specified_are_ever_and_for_ever() -> None:
    ever = WindowElement(DateTime.of(), stamp("2026-11-20 14:00:00"))
    pushing = Pushing(START, communication_window=(ever,))
    pushing.push()
    assert len(pushing.go(START, SENT)) == 1
    pushing.go(START + HOUR)  # 14:00 local
    pushing.push()
    assert pushing.go(START + 48 * HOUR, SENT) == []
    for_ever = WindowElement(stamp("2026-11-21 00:00:00"), DateTime.of())
    pushing = Pushing(START, communication_window=(for_ever,))
    pushing.push()
    assert [moment for moment, _ in pushing.go(START + 48 * HOUR, SENT)] == [utc(2026, 11, 20, 23)]


def test_another_window_and_another_time_are_looked_at_again() -> None:
    pushing = Pushing(START, communication_window=(window("*-*-* 22:00:00", "*-*-* 23:00:00"),))
    pushing.push()
    assert pushing.set(4, (window("*-*-* 15:00:00", "*-*-* 16:00:00"),)) is SUCCESS
    assert [moment for moment, _ in pushing.go(START + 3 * HOUR, SENT)] == [utc(2026, 11, 20, 14)]
    pushing.push()
    pushing.go(utc(2026, 11, 20, 15, 30))
    value = EncodedData.of(DataType.OCTET_STRING, stamp("2026-11-21 15:30:00").octets)
    assert View(pushing.device).set(8, "0-0:1.0.0", 2, value) is SUCCESS
    assert len(pushing.go(utc(2026, 11, 20, 15, 30), SENT)) == 1


def test_the_start_is_put_off_at_random_within_interval_and_window() -> None:
    delays = set()
    for seed in range(40):
        pushing = Pushing(START, randomisation_start_interval=300, seed=seed)
        pushing.push()
        ((moment, _),) = pushing.go(START + HOUR, SENT)
        delays.add((moment - START).total_seconds())
    assert min(delays) >= 0
    assert max(delays) < 300
    assert max(delays) - min(delays) > 200
    for seed in range(40):
        short = (window("*-*-* 22:00:00", "*-*-* 22:01:00"),)
        pushing = Pushing(START, randomisation_start_interval=3600, communication_window=short, seed=seed)
        pushing.push()
        ((moment, _),) = pushing.go(START + 24 * HOUR, SENT)
        assert utc(2026, 11, 20, 21) <= moment < utc(2026, 11, 20, 21, 1)


# ---- triggers --------------------------------------------------------------------------------------------------------

SCRIPTS = Obis("0-0:10.0.108")
PUSHES = executing(PushSetup(PUSH).push, 0)


def test_a_schedule_pushes_through_the_script_table() -> None:
    pushing = Pushing(START)
    device, clock = pushing.device, pushing.clock
    device.add(ScriptTableObject(device, SCRIPTS, {1: (PUSHES,)}))
    times = [ExecutionTime(at(f"*:{minute}:00"), on()) for minute in (0, 30)]
    schedule_type = SingleActionScheduleType.N_ENTRIES_DIFFERENT_TIME_WILDCARD_DATE
    device.add(SingleActionScheduleObject(device, clock, "0-0:15.0.4", ActionItem(SCRIPTS, 1), times, schedule_type))
    moments = [moment for moment, _ in pushing.go(START + HOUR, SENT)]
    assert moments == [START + 0.5 * HOUR, START + HOUR]


def test_alarms_and_power_up_push_where_they_are_triggers() -> None:
    pushing = Pushing(START, triggers=("alarm-raised", "power-up"))
    alarms = Alarms(pushing.device)
    pushing.device.happened("meter-cover-removed")
    assert alarms.descriptor.bits == 1 << 13
    assert len(pushing.go(START, SENT)) == 1
    pushing.device.happened("power-down")
    pushing.now += HOUR
    pushing.device.happened("power-up")
    assert [moment for moment, _ in pushing.go(pushing.now, SENT)] == [START + HOUR]
    silent = Pushing(START)
    Alarms(silent.device)
    silent.device.happened("meter-cover-removed")
    assert silent.go(START, SENT) == []


def test_nothing_is_sent_without_power() -> None:
    pushing = Pushing(START, randomisation_start_interval=60)
    pushing.push()
    pushing.device.happened("power-down")
    assert pushing.setup.process.due(START) is None
    assert pushing.go(START + HOUR, SENT) == []
    pushing.device.happened("power-up")
    assert [moment for moment, _ in pushing.go(START + HOUR, SENT)] == [START + HOUR]


def test_a_register_monitor_pushes_when_a_value_crosses_its_threshold() -> None:
    pushing = Pushing(START)
    device = pushing.device
    device.add(ScriptTableObject(device, SCRIPTS, {1: (PUSHES,)}))
    device.add(
        RegisterMonitorObject(
            device,
            "0-0:16.0.0",
            ValueDefinition(1, Obis(VALUE), 2),
            [(DataType.LONG_UNSIGNED, 100)],
            [ActionSet(ActionItem(SCRIPTS, 1), NO_SCRIPT)],
        )
    )
    pushing.go(START + HOUR)
    assert View(device).set(1, VALUE, 2, EncodedData.of(DataType.LONG_UNSIGNED, 101)) is SUCCESS
    assert pushing.sent(START + 1.5 * HOUR) == (101,)


# ---- restart ---------------------------------------------------------------------------------------------------------


def test_what_waits_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state"
    pushing = Pushing(START, StateFile(path).of("d"), randomisation_start_interval=600)
    pushing.push()
    due = pushing.setup.process.attempts
    assert due is not None
    again = Pushing(START + SECOND, StateFile(path).of("d"), start=START, randomisation_start_interval=600, seed=99)
    assert [moment for moment, _ in again.go(START + HOUR, SENT)] == [due.due]


def test_retries_left_and_message_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state"
    options: dict[str, Any] = {"number_of_retries": 3, "repetition_delay": 60}
    pushing = Pushing(START, StateFile(path).of("d"), **options)
    pushing.push()
    pushing.go(START + 70 * SECOND, FAILED)  # two attempts of four
    again = Pushing(pushing.now, StateFile(path).of("d"), **options)
    again.value.put("value", (DataType.LONG_UNSIGNED, 9))
    attempts = again.go(START + HOUR, FAILED)
    assert offsets(attempts) == [120, 180]
    assert [body_of(one) for _, one in attempts] == [(7,), (7,)]


def test_an_attempt_whose_result_is_not_known_after_a_restart_counts_as_failed(tmp_path: Path) -> None:
    path = tmp_path / "state"
    options: dict[str, Any] = {"number_of_retries": 1, "repetition_delay": 60}
    pushing = Pushing(START, StateFile(path).of("d"), **options)
    pushing.push()
    assert len(pushing.go(START)) == 1
    again = Pushing(START + SECOND, StateFile(path).of("d"), **options)
    assert offsets(again.go(START + HOUR, FAILED)) == [61]
    assert again.names() == ["push-attempt-failed", "push-failed"]


def test_a_push_client_that_is_not_let_in_is_named() -> None:
    device = LogicalDevice("TST0000000000001", now=lambda: START, start=START)
    pushing = Pushing(START)
    setup = device.add(PushSetupObject(device, pushing.clock, PUSH, (listed(3, 1, VALUE, 2),), tcp()))
    with pytest.raises(PushRefused, match="no association for client 1"):
        setup.push_client()


def test_result_kinds_hold_the_ones_before() -> None:
    assert Delivery.FAILED < Delivery.SENT < Delivery.ACKNOWLEDGED < Delivery.CONFIRMED
