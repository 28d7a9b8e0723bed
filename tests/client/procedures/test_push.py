"""Push setups of every version: what is given goes out in the form that the version has."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from cosemic.client.procedures.push import ALL_ENTRIES, PushProcedures
from cosemic.codec import DataType
from cosemic.errors import ActionFailed, ChangeNotMade, ConfigurationError, DataAccessError, EncodeError, OutcomeUnknown
from cosemic.model import (
    CaptureObjectDefinition,
    Clock,
    PushSetup,
    PushSetupVersion0,
    PushSetupVersion1,
    PushSetupVersion2,
    Register,
)
from cosemic.model.push import (
    PushConfirmationParameters,
    PushMessage,
    PushObjectDefinition,
    PushOperationMethod,
    PushRepetitionDelay,
    RestrictedObjectDefinition,
    RestrictionByEntry,
    RestrictionElement,
    RestrictionType,
    SendDestinationAndMethod,
    TransportService,
    WindowElement,
)
from cosemic.server import CosemObject, managing, only
from cosemic.server.objects import AccessRefused
from cosemic.values import DataAccessResult, DateTime, Obis
from tests.client.procedures.bench import Bench, Fault, both_faces
from tests.server.support import NOW, device_with

VERSIONS = {0: PushSetupVersion0, 1: PushSetupVersion1, 2: PushSetupVersion2, 3: PushSetup}
CLOCK = CaptureObjectDefinition(8, Obis("0-0:1.0.0"), 2, 0)
LAST_TEN = RestrictionElement(RestrictionType.BY_ENTRY, RestrictionByEntry(1, 10))
EVERY_VERSION = pytest.mark.parametrize("version", VERSIONS)


class PushMeter:
    """A push setup of a version; counts the pushes."""

    def __init__(self, version: int) -> None:
        self.pushes = 0
        self.refuses = False
        values: dict[str, Any] = {
            "push_object_list": [],
            "send_destination_and_method": SendDestinationAndMethod(TransportService.TCP, b"", PushMessage.A_XDR_APDU),
            "communication_window": [],
            "randomisation_start_interval": 30,
            "number_of_retries": 2,
            "repetition_delay": 60 if version < 2 else PushRepetitionDelay(60, 150, 600),
        }
        if version >= 1:
            values |= {"port_reference": Obis("0-0:25.0.0"), "push_client_SAP": 1, "push_protection_parameters": []}
        if version >= 2:
            values |= {
                "push_operation_method": PushOperationMethod.CONFIRMED_RETRY_ON_MISSING_CONFIRMATION,
                "confirmation_parameters": PushConfirmationParameters(DateTime.of(), 10),
                "last_confirmation_date_time": DateTime.from_datetime(NOW),
            }
        written = ("push_object_list", "send_destination_and_method", "communication_window")
        times = ("randomisation_start_interval", "number_of_retries", "repetition_delay")
        self.served = CosemObject(
            VERSIONS[version]("0-0:25.9.0"),  # type: ignore[abstract]  # each of the four can be made
            values,
            writers=dict.fromkeys((*written, *times)),
            methods={"push": self.push},
        )

    def push(self, _: Any, situation: Any) -> None:
        if self.refuses:
            raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)
        self.pushes += 1


def push_of(version: int, **options: Any) -> tuple[PushMeter, Bench, PushProcedures]:
    meter = PushMeter(version)
    bench = Bench(meter.served, **options)
    return meter, bench, PushProcedures(bench.session)


@EVERY_VERSION
def test_a_setup_is_read_with_what_its_version_has(version: int) -> None:
    _, bench, procedures = push_of(version)
    state = bench.run(procedures.read())
    assert (state.randomisation_start_interval, state.number_of_retries) == (30, 2)
    assert state.repetition_delay == (60 if version < 2 else PushRepetitionDelay(60, 150, 600))
    assert state.port_reference == (Obis("0-0:25.0.0") if version >= 1 else None)
    assert (state.push_client_SAP, state.push_protection_parameters) == (1 if version >= 1 else None, ())
    assert (state.push_operation_method is None) is (version < 2)
    assert (state.last_confirmation_date_time is None) is (version < 2)


@EVERY_VERSION
def test_objects_are_set_in_the_form_of_the_version(version: int) -> None:
    _, bench, procedures = push_of(version)
    bench.run(procedures.set_objects([CLOCK, Register("1-0:1.8.0").value]))
    pushed = bench.run(procedures.read()).push_object_list
    assert [(one.class_id, str(one.logical_name), one.attribute_index, one.data_index) for one in pushed] == [
        (8, "0-0:1.0.0*255", 2, 0),
        (3, "1-0:1.8.0*255", 2, 0),
    ]
    kind = (CaptureObjectDefinition, RestrictedObjectDefinition, PushObjectDefinition, PushObjectDefinition)[version]
    assert all(type(one) is kind for one in pushed)
    assert all(getattr(one, "restriction", ALL_ENTRIES) == ALL_ENTRIES for one in pushed)
    bench.run(procedures.set_objects([]))
    assert bench.run(procedures.read()).push_object_list == ()


@EVERY_VERSION
def test_a_restriction_goes_where_the_version_knows_it(version: int) -> None:
    _, bench, procedures = push_of(version)
    buffer = RestrictedObjectDefinition(7, Obis("1-0:99.1.0"), 2, 0, LAST_TEN)
    if version < 1:
        with pytest.raises(ConfigurationError, match="version 0 of Push setup: without a restriction"):
            bench.run(procedures.set_objects([buffer]))
        return
    bench.run(procedures.set_objects([buffer]))
    (pushed,) = bench.run(procedures.read()).push_object_list
    assert not isinstance(pushed, CaptureObjectDefinition)
    assert pushed.restriction == LAST_TEN


@EVERY_VERSION
def test_columns_go_where_the_version_knows_them(version: int) -> None:
    _, bench, procedures = push_of(version)
    buffer = PushObjectDefinition(7, Obis("1-0:99.1.0"), 2, 0, ALL_ENTRIES, (CLOCK,))
    if version < 2:
        with pytest.raises(ConfigurationError, match="columns"):
            bench.run(procedures.set_objects([buffer]))
        return
    bench.run(procedures.set_objects([buffer]))
    assert bench.run(procedures.read()).push_object_list == (buffer,)


@EVERY_VERSION
def test_destination_randomisation_and_retries(version: int) -> None:
    _, bench, procedures = push_of(version)
    bench.run(procedures.set_destination("10.0.0.1:4059"))
    bench.run(procedures.set_randomisation(120))
    bench.run(procedures.set_retries(5))
    state = bench.run(procedures.read())
    assert state.send_destination_and_method == SendDestinationAndMethod(
        TransportService.TCP, b"10.0.0.1:4059", PushMessage.A_XDR_APDU
    )
    assert (state.randomisation_start_interval, state.number_of_retries) == (120, 5)
    assert state.repetition_delay == (60 if version < 2 else PushRepetitionDelay(60, 150, 600))
    bench.run(procedures.set_retries(1, 90))
    assert bench.run(procedures.read()).repetition_delay == (90 if version < 2 else PushRepetitionDelay(90, 100, 90))
    growing = PushRepetitionDelay(10, 200, 80)
    if version < 2:
        with pytest.raises(ConfigurationError, match="a delay that grows"):
            bench.run(procedures.set_retries(3, growing))
        assert bench.run(procedures.read()).number_of_retries == 1
    else:
        bench.run(procedures.set_retries(3, growing))
        assert bench.run(procedures.read()).repetition_delay == growing


def test_a_destination_of_another_service() -> None:
    _, bench, procedures = push_of(1)
    bench.run(procedures.set_destination(b"\x2b49", TransportService.SMS, 200))
    found = bench.run(procedures.read()).send_destination_and_method
    assert (found.transport_service, found.destination, found.message) == (TransportService.SMS, b"+49", 200)
    with pytest.raises(EncodeError):
        bench.run(procedures.set_destination("x", 99))


def test_windows_are_times_or_patterns() -> None:
    _, bench, procedures = push_of(0)
    nightly = WindowElement(DateTime.of(hour=1, minute=0, second=0), DateTime.of(hour=3, minute=0, second=0))
    later = NOW + dt.timedelta(hours=2)
    local = dt.datetime(2026, 12, 1, 0, 0), dt.datetime(2026, 12, 2, 0, 0)
    bench.run(procedures.set_windows([nightly, (NOW, later), local]))
    first, second, third = bench.run(procedures.read()).communication_window
    assert first == nightly
    assert second.start_time.to_datetime() == NOW
    assert second.end_time.to_datetime() == later
    assert third.start_time.deviation is None
    for wrong in ((later, NOW), (NOW, NOW), (NOW, later.replace(tzinfo=None))):
        with pytest.raises(ConfigurationError, match="no window"):
            bench.run(procedures.set_windows([wrong]))
    bench.run(procedures.set_windows([]))
    assert bench.run(procedures.read()).communication_window == ()


@EVERY_VERSION
def test_a_push_by_hand(version: int) -> None:
    meter, bench, procedures = push_of(version)
    bench.run(procedures.push())
    assert meter.pushes == 1
    meter.refuses = True
    with pytest.raises(ActionFailed, match="temporary-failure"):
        bench.run(procedures.push())


@pytest.mark.parametrize("fault", Fault)
def test_a_push_without_answer_is_unknown(fault: Fault) -> None:
    meter, bench, procedures = push_of(0)
    bench.run(procedures.read())
    bench.fresh()
    bench.faults = {1: fault}
    with pytest.raises(OutcomeUnknown):
        bench.run(procedures.push())
    assert meter.pushes == (fault in (Fault.LOST_AFTER, Fault.MUTE_AFTER))


@pytest.mark.parametrize("fault", Fault)
def test_a_setting_without_answer_is_read_back(fault: Fault) -> None:
    _, bench, procedures = push_of(2)
    bench.run(procedures.read())
    bench.fresh()
    bench.faults = {1: fault}
    if fault in (Fault.LOST_AFTER, Fault.MUTE_AFTER):
        bench.run(procedures.set_objects([Clock("0-0:1.0.0").time]))
    else:
        with pytest.raises(ChangeNotMade, match="push_object_list"):
            bench.run(procedures.set_objects([Clock("0-0:1.0.0").time]))


def test_a_meter_without_view_is_taken_for_the_newest_version() -> None:
    _, bench, procedures = push_of(3, rights=only(managing(), "0-0:25.9.0"))
    bench.run(procedures.set_objects([CLOCK]))
    assert bench.run(procedures.read()).push_object_list == (
        PushObjectDefinition(8, Obis("0-0:1.0.0"), 2, 0, ALL_ENTRIES, ()),
    )


def test_a_version_that_is_not_known_is_taken_for_the_newest() -> None:
    meter, bench, procedures = push_of(3)
    bench.run(bench.session.objects())
    view = bench.session.view
    assert view is not None
    bench.session.view = [replace(one, version=9) if one.class_id == 40 else one for one in view]
    bench.run(procedures.push())
    assert meter.pushes == 1


def test_a_setup_that_is_not_there() -> None:
    _, bench, procedures = push_of(0)
    with pytest.raises(DataAccessError):
        bench.run(procedures.read(obis="0-1:25.9.0"))


def test_both_faces_push() -> None:
    meter = PushMeter(2)
    with both_faces(device_with(meter.served)) as run:
        run(lambda m: m.push.set_objects([CLOCK]))
        run(lambda m: m.push.push())
        one, other = run(lambda m: m.push.read())
    assert one == other
    assert meter.pushes == 2


def test_the_data_type_of_a_number_is_that_of_the_class() -> None:
    _, bench, procedures = push_of(0)
    bench.run(procedures.set_randomisation(5))
    assert bench.run(bench.session.get("40/0-0:25.9.0@0:5")).type is DataType.LONG_UNSIGNED
