"""Meters with short names look like all others: the same session gives the same values; and what is sent for it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from cosemic.apdu import (
    CosemAttributeDescriptor,
    CosemAttributeDescriptorWithSelection,
    CosemMethodDescriptor,
    ParameterizedAccess,
    SelectiveAccessDescriptor,
)
from cosemic.association.requests import (
    INVOKES,
    Action,
    ActionList,
    Get,
    GetList,
    Read,
    Release,
    Set,
    SetList,
    UnconfirmedWrite,
    Write,
)
from cosemic.association.service_provider import ServerSettings
from cosemic.client import BlockingMeter, Meter
from cosemic.client.procedures.breaker import BreakerProcedures
from cosemic.client.procedures.calendar import CalendarProcedures
from cosemic.client.procedures.clock import ClockProcedures
from cosemic.client.procedures.events import EventProcedures
from cosemic.client.procedures.profiles import ProfileProcedures
from cosemic.client.recovery import NONE
from cosemic.client.selections import all_information, by_class, by_entry, by_object, one_object
from cosemic.client.short_names import ShortNames, as_with_logical_names
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ActionFailed, ConnectionLost, CosemicError, DataAccessError, OutcomeUnknown, ServiceFailed
from cosemic.model import Clock, Data, ImageTransfer, LoadProfile, ProfileGeneric, Register, SecuritySetup, SpecDayEntry
from cosemic.model.short_names import Member, MemberKind
from cosemic.security import MemoryCounterStore
from cosemic.server import LogicalDevice, managing, serve_in_thread
from cosemic.server.clients import Admission
from cosemic.simulator import HouseholdMeter
from cosemic.stack import Layer
from cosemic.store.meters import known_meter
from cosemic.store.security_settings import load_security
from cosemic.values import (
    ActionResult,
    ApplicationContext,
    Conformance,
    DataAccessResult,
    Date,
    Obis,
    Priority,
    ServiceClass,
)
from tests.client.procedures.bench import Bench, Fault
from tests.server.support import NOW
from tests.server.test_association_sn import EITHER, ENERGY, SERIAL, register, serial
from tests.simulator.support import meter_at

D, R = DataType, DataAccessResult
ENERGY_AT, LIST = 0x100, 0xFA08
SEVEN = EncodedData.of(D.UNSIGNED, 7)
NOTHING = EncodedData.of(D.NULL_DATA)
BOTH_FACES = pytest.mark.parametrize("short_names", [False, True], ids=["ln", "sn"])


def outcome(use: Callable[[], Any]) -> Any:
    """What comes of a call: its value, rows of a profile as a list; or the kind and code of its error."""
    try:
        value = use()
        return [*value] if isinstance(value, LoadProfile) else value
    except CosemicError as error:
        return type(error), getattr(error, "label", ""), getattr(error, "code", 0)


def whole_session(bench: Bench) -> dict[str, Any]:
    """A session that asks for a little of everything."""
    session = bench.session
    profiles, clock, breaker = ProfileProcedures(session), ClockProcedures(session), BreakerProcedures(session)
    calendar, events = CalendarProcedures(session), EventProcedures(session)
    since, until = NOW - dt.timedelta(hours=6), NOW - dt.timedelta(hours=1)
    day = SpecDayEntry(900, Date.of(year=2026, month=12, day_of_month=24), 1)
    steps: dict[str, Callable[[], Any]] = {
        "register": lambda: session.read("1-0:1.8.0"),
        "many": lambda: session.read_many(["1-0:1.8.0", "1-0:32.7.0", "0-0:96.1.0", "8/0-0:1.0.0:time_zone"] * 5),
        "missing object": lambda: session.read("3/1-0:99.9.9"),
        "another class": lambda: session.read("4/1-0:1.8.0"),
        "no such attribute": lambda: session.read("3/1-0:1.8.0:7"),
        "not in view": lambda: session.read("1-0:99.9.9"),
        "by range": lambda: profiles.load_profile("1-0:99.1.0", since, until),
        "newest": lambda: profiles.load_profile_newest("1-0:99.1.0", 3),
        "by entry": lambda: session.read("7/1-0:99.1.0", by_entry(2, 4, columns=(1, 2))),
        "write": lambda: session.write(Clock("0-0:1.0.0").time_zone, -90),
        "written": lambda: session.read(Clock("0-0:1.0.0").time_zone),
        "write many": lambda: session.write_many(
            [("8/0-0:1.0.0:time_zone", -60), ("3/1-0:1.8.0:scaler_unit", EncodedData.of(D.UNSIGNED, 1))]
        ),
        "not writable": lambda: session.write(Register("1-0:1.8.0").value, 1),
        "wrong type": lambda: session.write("8/0-0:1.0.0:time_zone", EncodedData.of(D.BOOLEAN, True)),
        "clock": lambda: clock.set(NOW + dt.timedelta(minutes=3)),
        "shifted": lambda: clock.shift(-30),
        "disconnect": breaker.disconnect,
        "reconnect": breaker.reconnect,
        "no such method": lambda: session.call("70/0-0:96.3.10:5"),
        "special day": lambda: calendar.insert_special_day(day),
        "special days": calendar.special_days,
        "call many": lambda: session.call_many(
            [("70/0-0:96.3.10:remote_disconnect", None), ("70/0-0:96.3.10:remote_reconnect", None)]
        ),
        "logs": lambda: events.read_all(),
    }
    return {name: outcome(lambda use=use: bench.run(use())) for name, use in steps.items()}


def test_the_same_session_gives_the_same_values() -> None:
    told = []
    for short_names in (False, True):
        meter, _ = meter_at(referencing="both")
        bench = Bench(device=meter, short_names=short_names)
        bench.run(bench.session.open())
        told.append(whole_session(bench))
        assert bench.session.stack.association.settings.short_names is short_names
        bench.run(bench.session.release())
    ln, sn = told
    assert list(ln) == list(sn)
    for step in ln:
        assert repr(ln[step]) == repr(sn[step]), step
    assert ln["missing object"] == (DataAccessError, "object-undefined", 4)
    assert ln["another class"] == (DataAccessError, "object-class-inconsistent", 9)
    assert ln["no such attribute"] == (DataAccessError, "read-write-denied", 3)
    assert len(ln["by range"]) == 20
    assert ln["written"] == -90
    assert ln["disconnect"].output_state is False
    assert ln["reconnect"].output_state is True


def test_objects_and_their_rights_are_the_same_but_for_the_associations() -> None:
    views = []
    for version in range(4):
        for short_names in (False, True):
            meter, _ = meter_at(referencing="both", association_version=version)
            bench = Bench(device=meter, short_names=short_names)
            objects = bench.run(bench.session.objects())
            views.append({(one.class_id, one.logical_name): one for one in objects if one.class_id != 12})
            assert {one.base_name is not None for one in objects} == {short_names}
        ln, sn = views[-2:]
        assert ln.keys() - sn.keys() == {(15, Obis("0-0:40.0.0"))}
        assert sn.keys() < ln.keys()
        for key, one in sn.items():
            if version == 0:
                assert one.access_rights is None, "Association SN has no list of rights before version 2"
            else:
                assert repr(one.access_rights) == repr(ln[key].access_rights)


@BOTH_FACES
def test_parts_of_the_view_are_selected_alike(short_names: bool) -> None:
    meter, _ = meter_at(referencing="both")
    bench = Bench(device=meter, short_names=short_names)
    clock, energy = (8, Obis("0-0:1.0.0")), (3, Obis("1-0:1.8.0"))

    def named(selection: Any) -> list[tuple[int, Obis, bool]]:
        objects = bench.run(bench.session.objects(select=selection))
        rights = [one.access_rights and one.access_rights.attribute_access for one in objects]
        return [(one.class_id, one.logical_name, bool(listed)) for one, listed in zip(objects, rights, strict=True)]

    assert sorted(named(by_class(8, 70))) == [(*clock, False), (70, Obis("0-0:96.3.10"), False)]
    assert named(one_object(clock)) == [(*clock, True)]
    assert sorted(named(by_object(clock, energy, (3, "0-0:1.0.0")))) == sorted([(*clock, True), (*energy, True)])
    assert len(named(all_information())) > 50


# ---- what is sent ----------------------------------------------------------------------------------------------------

VIEW: list[tuple[int, int, int, str]] = [
    (0xFA00, 12, 4, "0-0:40.0.0"),
    (ENERGY_AT, 3, 0, "1-0:1.8.0"),
    (0x130, 7, 1, "1-0:99.1.0"),
    (0x200, 64, 1, "0-0:43.0.0"),
    (0x300, 3, 9, "1-0:2.8.0"),
    (0x400, 3, 0, "1-0:3.8.0"),
    (0x418, 3, 0, "1-0:4.8.0"),
    (0x500, 18, 0, "0-0:44.0.0"),
]


def listed(view: list[tuple[int, int, int, str]] = VIEW) -> EncodedData:
    """An object_list; base names signed, as the standard has them."""
    return EncodedData.from_typed(
        (
            D.ARRAY,
            [
                (
                    D.STRUCTURE,
                    (
                        (D.LONG, base - ((base & 0x8000) << 1)),
                        (D.LONG_UNSIGNED, class_id),
                        (D.UNSIGNED, version),
                        (D.OCTET_STRING, Obis(name).octets),
                    ),
                )
                for base, class_id, version, name in view
            ],
        )
    )


def asked(names: ShortNames, request: Any, *answers: Any) -> tuple[list[Any], Any]:
    """What a request becomes: requests with short names, and its result from their answers."""
    sent: list[Any] = []
    given = iter(answers)
    steps: Generator[Any, Any, Any] = names.transfer(request)
    try:
        step = next(steps)
        while True:
            if isinstance(step, Read) and step.variables == (LIST,):
                step = steps.send((listed(),))
                continue
            sent.append(step)
            answer = next(given)
            step = steps.throw(answer) if isinstance(answer, Exception) else steps.send(answer)
    except StopIteration as done:
        return sent, done.value


def attribute(class_id: int, name: str, number: int) -> CosemAttributeDescriptor:
    return CosemAttributeDescriptor(class_id, Obis(name), number)


def method(class_id: int, name: str, number: int) -> CosemMethodDescriptor:
    return CosemMethodDescriptor(class_id, Obis(name), number)


def test_an_attribute_is_read_and_written_at_its_short_name() -> None:
    names = ShortNames()
    sent, result = asked(names, Get(attribute(3, "1-0:1.8.0", 2)), (SEVEN,))
    assert [one.variables for one in sent] == [(ENERGY_AT + 8,)]
    assert result == SEVEN
    sent, result = asked(names, Set(attribute(3, "1-0:1.8.0", 3), SEVEN), (R.READ_WRITE_DENIED,))
    assert [(one.variables, one.values) for one in sent] == [((ENERGY_AT + 0x10,), (SEVEN,))]
    assert isinstance(sent[0], Write)
    assert result is R.READ_WRITE_DENIED


def test_a_part_of_an_attribute_is_read_with_parameterized_access() -> None:
    selection = SelectiveAccessDescriptor(2, SEVEN)
    sent, _ = asked(ShortNames(), Get(attribute(7, "1-0:99.1.0", 2), selection), (SEVEN,))
    assert [one.variables for one in sent] == [(ParameterizedAccess(0x138, 2, SEVEN),)]
    sent, _ = asked(ShortNames(), Set(attribute(7, "1-0:99.1.0", 2), SEVEN, selection), (R.SUCCESS,))
    assert [one.variables for one in sent] == [(ParameterizedAccess(0x138, 2, SEVEN),)]


def test_an_unconfirmed_change_is_an_unconfirmed_write() -> None:
    unconfirmed = {"service_class": ServiceClass.UNCONFIRMED}
    selection = SelectiveAccessDescriptor(2, SEVEN)
    for request, name, value in (
        (Set(attribute(3, "1-0:1.8.0", 2), SEVEN, **unconfirmed), ENERGY_AT + 8, SEVEN),
        (
            Set(attribute(7, "1-0:99.1.0", 2), SEVEN, selection, **unconfirmed),
            ParameterizedAccess(0x138, 2, SEVEN),
            SEVEN,
        ),
        (Action(method(3, "1-0:1.8.0", 1), **unconfirmed), ENERGY_AT + 0x28, NOTHING),
    ):
        sent, result = asked(ShortNames(), request, None)
        assert [(type(one), one.variables, one.values) for one in sent] == [(UnconfirmedWrite, (name,), (value,))]
        assert result is None


def test_what_a_list_names_and_the_meter_lacks_keeps_its_place() -> None:
    entries = tuple(
        CosemAttributeDescriptorWithSelection(attribute(*one), None)
        for one in ((8, "0-0:1.0.0", 2), (3, "1-0:1.8.0", 2), (4, "1-0:1.8.0", 2), (3, "1-0:1.8.0", 3))
    )
    sent, result = asked(ShortNames(), GetList(entries), (SEVEN, R.READ_WRITE_DENIED))
    assert [one.variables for one in sent] == [(ENERGY_AT + 8, ENERGY_AT + 0x10)]
    assert result == (R.OBJECT_UNDEFINED, SEVEN, R.OBJECT_CLASS_INCONSISTENT, R.READ_WRITE_DENIED)
    one, two = SEVEN, EncodedData.of(D.UNSIGNED, 8)
    sent, result = asked(ShortNames(), SetList(entries, (one, one, one, two)), (R.SUCCESS, R.TYPE_UNMATCHED))
    assert [(one.variables, one.values) for one in sent] == [((ENERGY_AT + 8, ENERGY_AT + 0x10), (one, two))]
    assert result == (R.OBJECT_UNDEFINED, R.SUCCESS, R.OBJECT_CLASS_INCONSISTENT, R.TYPE_UNMATCHED)
    for nothing in (GetList(entries[:1]), SetList(entries[:1], (one,))):
        assert asked(ShortNames(), nothing) == ([], (R.OBJECT_UNDEFINED,))


def test_a_method_is_written_and_one_that_answers_is_read() -> None:
    sent, answer = asked(ShortNames(), Action(method(3, "1-0:1.8.0", 1), SEVEN), (R.SUCCESS,))
    assert [(one.variables, one.values) for one in sent] == [((ENERGY_AT + 0x28,), (SEVEN,))]
    assert (answer.result, answer.return_parameters) == (ActionResult.SUCCESS, None)
    _, answer = asked(ShortNames(), Action(method(3, "1-0:1.8.0", 1)), (R.TEMPORARY_FAILURE,))
    assert answer.result is ActionResult.TEMPORARY_FAILURE
    number = SecuritySetup.generate_certificate_request.index
    offset = SecuritySetup.generate_certificate_request.sn_offset
    request = Action(method(64, "0-0:43.0.0", number), SEVEN)
    sent, answer = asked(ShortNames(), request, (SEVEN,))
    assert [one.variables for one in sent] == [(ParameterizedAccess(0x200 + offset, INVOKES, SEVEN),)]
    assert (answer.result, answer.return_parameters) == (ActionResult.SUCCESS, SEVEN)
    _, answer = asked(ShortNames(), request, (R.OTHER_REASON,))
    assert (answer.result, answer.return_parameters) == (ActionResult.OTHER_REASON, None)


def test_methods_in_a_list_go_in_one_request_where_none_answers() -> None:
    reset = method(3, "1-0:1.8.0", 1)
    both = ActionList((reset, method(3, "1-0:9.9.9", 1), method(7, "1-0:99.1.0", 1)), (SEVEN, SEVEN, SEVEN))
    sent, answers = asked(ShortNames(), both, (R.SUCCESS, R.READ_WRITE_DENIED))
    assert [one.variables for one in sent] == [(ENERGY_AT + 0x28, 0x130 + 0x58)]
    codes = [ActionResult.SUCCESS, ActionResult.OBJECT_UNDEFINED, ActionResult.READ_WRITE_DENIED]
    assert [one.result for one in answers] == codes


def test_methods_in_a_list_with_one_that_answers_go_one_by_one_and_are_never_repeated() -> None:
    answering = method(64, "0-0:43.0.0", SecuritySetup.generate_certificate_request.index)
    both = ActionList((method(3, "1-0:1.8.0", 1), answering), (SEVEN, SEVEN))
    sent, answers = asked(ShortNames(), both, (R.SUCCESS,), (SEVEN,))
    assert [type(one) for one in sent] == [Write, Read]
    assert [one.result for one in answers] == [ActionResult.SUCCESS] * 2
    with pytest.raises(OutcomeUnknown, match="1 of 2 methods"):
        asked(ShortNames(), both, (R.SUCCESS,), ConnectionLost("gone"))
    with pytest.raises(ConnectionLost):
        asked(ShortNames(), both, ConnectionLost("gone"))


def test_no_method_is_called_whose_place_is_not_known() -> None:
    """Register version 9 is not declared; and 1-0:3.8.0 ends where the next object begins: it has no reset."""
    with pytest.raises(ServiceFailed, match="class 3 version 9 is not declared"):
        asked(ShortNames(), Action(method(3, "1-0:2.8.0", 1), SEVEN))
    sent, result = asked(ShortNames(), Get(attribute(3, "1-0:2.8.0", 2)), (SEVEN,))
    assert ([one.variables for one in sent], result) == ([(0x308,)], SEVEN)
    sent, answer = asked(ShortNames(), Action(method(3, "1-0:3.8.0", 1), SEVEN))
    assert (sent, answer.result) == ([], ActionResult.READ_WRITE_DENIED)


def test_other_requests_go_out_as_they_are() -> None:
    sent, _ = asked(ShortNames(), release := Release(), None)
    assert sent == [release]


def test_the_list_is_read_once_and_again_after_an_image_was_activated() -> None:
    names, reads = ShortNames(), []

    def run(request: Any) -> None:
        steps = names.transfer(request)
        step = next(steps)
        while True:
            reads.append(step.variables == (LIST,))
            try:
                step = steps.send((listed() if reads[-1] else R.SUCCESS,))
            except StopIteration:
                return

    activate = ImageTransfer.image_activate.index
    for _ in range(2):
        run(Get(attribute(3, "1-0:1.8.0", 2)))
    run(Action(method(18, "0-0:44.0.0", ImageTransfer.image_verify.index), SEVEN))
    assert reads == [True, False, False, False]
    run(Action(method(18, "0-0:44.0.0", activate), SEVEN))
    run(Get(attribute(3, "1-0:1.8.0", 2)))
    assert reads == [True, False, False, False, False, True, False]


ACTIVATE = method(18, "0-0:44.0.0", ImageTransfer.image_activate.index)
UNCONFIRMED: dict[str, Any] = {"service_class": ServiceClass.UNCONFIRMED}


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (Action(ACTIVATE, SEVEN), ConnectionLost("the meter restarts")),
        (Action(ACTIVATE, SEVEN, **UNCONFIRMED), None),
        (ActionList((method(3, "1-0:1.8.0", 1), ACTIVATE), (SEVEN, SEVEN)), (R.SUCCESS, R.SUCCESS)),
    ],
    ids=["unanswered", "unconfirmed", "in a list"],
)
def test_the_list_is_read_again_however_an_image_was_activated(request_: Any, answer: Any) -> None:
    names = ShortNames()
    with suppress(ConnectionLost):
        asked(names, request_, answer)
    assert next(names.transfer(Get(attribute(3, "1-0:1.8.0", 2)))).variables == (LIST,)


def test_the_list_is_read_again_in_another_association_once_an_image_was_transferred() -> None:
    """The meter may have restarted with other firmware, at a time that its schedule has."""
    names = ShortNames()
    for request, again in (
        (Get(attribute(3, "1-0:1.8.0", 2)), False),
        (Action(method(18, "0-0:44.0.0", ImageTransfer.image_block_transfer.index), SEVEN), True),
        (Get(attribute(3, "1-0:1.8.0", 2)), True),
    ):
        asked(names, request, (R.SUCCESS,))
        names.opened_anew()
        step = next(names.transfer(Get(attribute(3, "1-0:1.8.0", 2))))
        assert (step.variables == (LIST,)) is again


def test_nothing_has_a_priority() -> None:
    for request in (
        Get(attribute(3, "1-0:1.8.0", 2), priority=Priority.HIGH),
        Set(attribute(3, "1-0:1.8.0", 2), SEVEN, priority=Priority.HIGH, **UNCONFIRMED),
    ):
        with pytest.raises(ServiceFailed, match="priority") as caught:
            next(ShortNames().transfer(request))
        assert caught.value.label == "priority-mgmt-supported"


@pytest.mark.parametrize("answer", [R.READ_WRITE_DENIED, SEVEN])
def test_a_list_that_cannot_be_had_is_an_error_that_names_it(answer: Any) -> None:
    steps = ShortNames().transfer(Get(attribute(3, "1-0:1.8.0", 2)))
    next(steps)
    with pytest.raises(CosemicError, match=r"object_list|array"):
        steps.send((answer,))


def test_what_was_agreed_is_told_in_services_of_logical_names_too() -> None:
    C = Conformance
    assert as_with_logical_names(C.READ) == C.READ | C.GET
    assert as_with_logical_names(C.WRITE) & (C.SET | C.ACTION) == C.SET | C.ACTION
    assert as_with_logical_names(C.PARAMETERIZED_ACCESS) & C.SELECTIVE_ACCESS
    assert as_with_logical_names(C.MULTIPLE_REFERENCES) == C.MULTIPLE_REFERENCES


# ---- over an association ---------------------------------------------------------------------------------------------


def device(conformance: Conformance | None = None) -> LogicalDevice:
    made = LogicalDevice("TST0000000000001", now=lambda: NOW)
    made.add(register())
    made.add(serial())
    settings = ServerSettings(context_names=EITHER, conformance=conformance)
    made.admit(Admission(client_sap=16, settings=settings, rights=managing()))
    return made


def test_reading_goes_on_over_a_new_connection_and_the_list_is_not_read_again() -> None:
    bench = Bench(device=device(), short_names=True)
    bench.run(bench.session.read(Register(ENERGY).value))
    bench.faults = {bench.requests + 1: Fault.LOST_AFTER}
    before = bench.requests
    assert bench.run(bench.session.read(Register(ENERGY).value)).raw == 7
    assert (bench.connections, bench.requests - before) == (2, 2)


def test_a_name_is_looked_up_without_the_list_of_rights() -> None:
    bench = Bench(device=device(), short_names=True)
    assert bench.run(bench.session.read(ENERGY)).raw == 7
    assert bench.requests == 2, "the list of objects, then value and scaler"
    bench.run(bench.session.objects())
    assert bench.requests == 3, "the rights"
    bench.run(bench.session.objects())
    assert bench.requests == 3
    bench.run(bench.session.objects(refresh=True))
    assert bench.requests == 5


def test_each_association_object_shows_what_was_agreed_with_its_referencing() -> None:
    made = device()
    bench = Bench(device=made, short_names=True)
    bench.run(bench.session.open())
    assert bench.run(bench.session.read("15/0-0:40.0.1@1:application_context_name")).context_id == 1
    assert bench.run(bench.session.read("15/0-0:40.0.1@1:xDLMS_context_info")).conformance & Conformance.GET


@pytest.mark.parametrize("fault", [Fault.LOST_AFTER, Fault.LOST_BEFORE])
def test_a_change_without_an_answer_is_unknown_and_not_repeated(fault: Fault) -> None:
    bench = Bench(device=device(), short_names=True)
    bench.run(bench.session.read(Data(SERIAL).value))
    for change in (
        lambda: bench.session.write(Data(SERIAL).value, (D.OCTET_STRING, b"87654321")),
        lambda: bench.session.call(Register(ENERGY).reset),
        lambda: bench.session.call("12/0-0:40.0.0@2:read_by_logicalname", ()),
    ):
        bench.fresh()
        bench.faults = {1: fault}
        with pytest.raises(OutcomeUnknown, match="read back"):
            bench.run(change())
        assert bench.requests == 1
        bench.run(bench.session.read(Data(SERIAL).value))


def test_after_a_missing_answer_the_next_call_opens_the_association_anew() -> None:
    """A late answer could not be told from that to the next request: it is not asked in this association."""
    bench = Bench(device=device(), short_names=True)
    bench.run(bench.session.read(Data(SERIAL).value))
    bench.faults = {bench.requests + 1: Fault.MUTE_AFTER}
    with pytest.raises(OutcomeUnknown, match="read back"):
        bench.run(bench.session.write(Data(SERIAL).value, (D.OCTET_STRING, b"87654321")))
    assert bench.run(bench.session.read(Data(SERIAL).value)) == b"87654321"
    assert bench.connections == 2
    bench.session.stack.association.unanswered = True  # as by a call that was cancelled
    assert bench.run(bench.session.read_many([Data(SERIAL).value, Data(SERIAL).value])) == [b"87654321"] * 2
    assert bench.connections == 3


@BOTH_FACES
def test_a_call_that_is_cancelled_amid_a_transfer_does_no_harm_to_the_next(short_names: bool) -> None:
    meter = HouseholdMeter(7, referencing="both", now=lambda: NOW)
    with serve_in_thread(meter) as server:
        url = f"{server.url(meter.security.client_sap)}&max_pdu=64&referencing={'sn' if short_names else 'ln'}"

        async def scenario() -> None:
            async with Meter.connect(url) as one:
                energy = await one.read("3/1-0:1.8.0")
                begin = one.traffic.round_trips
                task = asyncio.ensure_future(one.get("7/1-0:99.1.0"))
                while one.traffic.round_trips < begin + 3:
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert await one.read("3/1-0:1.8.0") == energy

        asyncio.run(scenario())


@BOTH_FACES
def test_what_may_change_the_firmware_has_all_learnt_anew(short_names: bool) -> None:
    meter, _ = meter_at(referencing="both")
    bench = Bench(device=meter, short_names=short_names)
    bench.run(bench.session.objects())
    bench.run(bench.session.read("1-0:1.8.0"))
    bench.run(ProfileProcedures(bench.session).load_profile_newest("1-0:99.1.0", 1))
    assert bench.session.view
    assert bench.session.scalers
    assert bench.session.profiles
    with pytest.raises(ActionFailed):
        bench.run(bench.session.call("18/0-0:44.0.0:image_activate", 0))
    assert (bench.session.view, bench.session.scalers, bench.session.profiles) == (None, {}, {})


def test_what_changes_the_association_has_its_view_read_anew() -> None:
    bench = Bench(device=device(), short_names=True)
    bench.run(bench.session.objects())
    with pytest.raises(ActionFailed):
        bench.run(bench.session.call("12/0-0:40.0.0@2:change_LLS_secret", b"12345678"))
    assert bench.session.view is None


def test_without_multiple_references_all_is_asked_singly() -> None:
    every = Conformance.READ | Conformance.WRITE | Conformance.PARAMETERIZED_ACCESS
    for conformance, requests in ((every, 5), (every | Conformance.MULTIPLE_REFERENCES, 3)):
        bench = Bench(device=device(conformance), short_names=True)
        values = bench.run(bench.session.get_many([Register(ENERGY).value, Data(SERIAL).value]))
        assert [one.value() for one in values] == [7, b"12345678"]
        bench.run(bench.session.call_many([("3/1-0:1.8.0:reset", None), ("3/1-0:1.8.0:reset", None)]))
        assert bench.requests == requests


def test_without_parameterized_access_nothing_is_selected() -> None:
    """Rows are then read all, and what lies outside is cut here."""
    found = []
    for conformance in (None, Conformance.READ | Conformance.WRITE | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ):
        meter, _ = meter_at(referencing="sn")
        client = meter.client(16)
        assert client is not None
        client.settings = replace(client.settings, conformance=conformance)
        bench = Bench(device=meter, short_names=True)
        bench.run(bench.session.open())
        assert bool(bench.session.agreed & Conformance.SELECTIVE_ACCESS) is (conformance is None)
        profiles, buffer = ProfileProcedures(bench.session), ProfileGeneric("1-0:99.1.0").buffer
        rows = bench.run(profiles.load_profile("1-0:99.1.0", NOW - dt.timedelta(hours=2), NOW))
        found.append([(row.interval_start, row.values) for row in rows])
        if conformance is None:
            assert len(bench.run(bench.session.get(buffer, by_entry(1, 2))).value()) == 2
        else:
            with pytest.raises(ServiceFailed, match="parameterized-access"):
                bench.run(bench.session.get(buffer, by_entry(1, 2)))
    assert found[0] == found[1]
    assert len(found[0]) == 8


def test_a_meter_without_short_names_says_so() -> None:
    bench = Bench(register(), short_names=True, recovery=NONE)
    with pytest.raises(CosemicError, match="application-context-name-not-supported"):
        bench.run(bench.session.open())


def test_refused_methods_raise_as_ever() -> None:
    bench = Bench(device=device(), short_names=True)
    with pytest.raises(ActionFailed) as failed:
        bench.run(bench.session.call("12/0-0:40.0.0@2:change_LLS_secret", b"12345678"))
    assert failed.value.label == "read-write-denied"


@pytest.mark.parametrize("security", ["none", "lls", "hls-gmac"])
def test_every_kind_of_security_works_on_both_faces(security: str) -> None:
    meter = HouseholdMeter(7, security=security, referencing="sn", now=lambda: NOW)
    settings = {**meter.security.client_settings(), "referencing": "sn"}
    contexts = {one for client in meter.clients for one in client.settings.context_names}
    assert all(one.short_names for one in contexts)
    with serve_in_thread(meter) as server:
        url = server.url(meter.security.client_sap)

        async def scenario() -> Any:
            async with Meter.connect(url, settings) as other:
                return await other.read("1-0:1.8.0")

        with BlockingMeter.connect(url, settings) as one:
            energy = one.read("1-0:1.8.0")
            assert one.opened is not None
            assert one.opened.conformance & Conformance.READ
        assert asyncio.run(scenario()) == energy
        assert energy.raw == int(meter.curve.imported(NOW.timestamp()))


class Sent:
    """A trace that keeps what was sent."""

    plaintext = False

    def __init__(self) -> None:
        self.apdus: list[bytes] = []

    def connected(self, peer: str) -> None: ...

    def octets(self, layer: Layer, sent: bool, octets: bytes) -> None:
        if sent and layer is Layer.APDU:
            self.apdus.append(octets)


def test_the_public_client_that_reads_the_invocation_counter_has_short_names_too() -> None:
    meter = HouseholdMeter(7, security="hls-gmac", referencing="sn", now=lambda: NOW)
    settings = {**meter.security.client_settings(), "counters": MemoryCounterStore()}
    counter = meter.short_names.name_of(1, Obis("0-0:43.1.0"), Member(MemberKind.ATTRIBUTE, 2))
    assert counter is not None
    sent = Sent()
    with serve_in_thread(meter) as server:
        url = f"{server.url(meter.security.client_sap)}&referencing=sn"
        with BlockingMeter.connect(url, settings, trace=sent) as one:
            one.read("1-0:1.8.0")
    assert bytes((5, 1, 2)) + counter.to_bytes(2) in sent.apdus
    assert bytes((5, 1, 2)) + LIST.to_bytes(2) in sent.apdus


@pytest.mark.parametrize(("version", "asks"), [(0, False), (1, False), (2, True), (4, True)])
def test_rights_are_asked_for_where_the_version_has_them(version: int, asks: bool) -> None:
    steps, sent = ShortNames().view(), []
    try:
        step = next(steps)
        while True:
            sent.append(step.variables)
            step = steps.send((listed([(0xFA00, 12, version, "0-0:40.0.0")]) if len(sent) == 1 else R.OTHER_REASON,))
    except StopIteration as done:
        view = done.value
    assert [one.access_rights for one in view] == [None]
    assert sent == [(LIST,), (0xFA10,)][: 1 + asks]


# ---- how it is said --------------------------------------------------------------------------------------------------


def test_the_url_says_it_before_the_settings_do(tmp_path: Any) -> None:
    assert load_security({"referencing": "sn"}).client.application_context is ApplicationContext.SN
    assert load_security({"referencing": "ln"}).client.application_context is ApplicationContext.LN
    assert load_security({"referencing": "sn"}, short_names=False).client.short_names is False
    with pytest.raises(CosemicError, match="ln or sn"):
        load_security({"referencing": "short"})
    for url, security, short_names in (
        ("tcp://h?client=1", None, False),
        ("tcp://h?client=1&referencing=sn", None, True),
        ("tcp://h?client=1&referencing=SN", {"referencing": "ln"}, True),
        ("tcp://h?client=1&referencing=ln", {"referencing": "sn"}, False),
        ("hdlc:///dev/ttyS0?referencing=sn", None, True),
    ):
        meter = BlockingMeter.connect(url, security)
        assert meter.session.settings.short_names is short_names
        assert (meter.session.short_names is not None) is short_names
    with pytest.raises(CosemicError, match="neither ln nor sn"):
        BlockingMeter.connect("tcp://h?referencing=short")
    file = tmp_path / "meters.toml"
    file.write_text('[meters.old]\nurl = "tcp://h?client=32&referencing=sn"\n')
    assert BlockingMeter.connect(known_meter("old", file).url).session.settings.short_names
