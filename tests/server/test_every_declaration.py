"""Every attribute and method that the model declares, served by a device on TCP: with all rights, and with lesser ones.

One port has four logical devices, of Association LN versions 0 to 3 at SAPs 1 to 4. Each serves an object of every
declared class and version, and lets in a client for each kind of right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosemic.apdu import (
    CosemAttributeDescriptor,
    CosemAttributeDescriptorWithSelection,
    CosemMethodDescriptor,
    SelectiveAccessDescriptor,
)
from cosemic.association.requests import ActionList, Completed, Get, GetList, Open, Request, Set, SetList
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.client import BlockingMeter
from cosemic.codec import DataType, EncodedData
from cosemic.model import AccessSelection, AttributeReference, InterfaceClass, MethodReference, interface_classes
from cosemic.security import MemoryCounterStore, SecurityMaterial
from cosemic.server import Admission, CosemObject, LogicalDevice, MeterServer, Situation, rights_from, serve_in_thread
from cosemic.stack import ClientStack
from cosemic.transport.blocking import BlockingTcpConnection
from cosemic.values import (
    ActionResult,
    ApplicationContext,
    AuthenticationMechanism,
    DataAccessResult,
    Obis,
    Secret,
)
from tests.model.strategies import illegal_typed_of, writings_of
from tests.server.support import NOW

pytestmark = pytest.mark.slow

DENIED = DataAccessResult.READ_WRITE_DENIED
SUCCESS = DataAccessResult.SUCCESS
NULL = EncodedData.of(DataType.NULL_DATA)
KEYS = bytes(range(16)), bytes(range(16, 32))
CLIENT_TITLE, SERVER_TITLE = b"CLT\0\0\0\0\1", b"SRV\0\0\0\0\1"
EVERYTHING = {"objects": "*", "attributes": "read-write", "methods": "access"}
PUBLIC, CIPHERED, ALL, NONE, READING, WRITING, AUTHENTICATED, HIDDEN = 16, 1, 2, 3, 4, 5, 6, 7
RIGHTS: dict[int, dict[str, Any]] = {
    ALL: EVERYTHING,
    NONE: {"objects": "*"},
    READING: {"objects": "*", "attributes": "read"},
    WRITING: {"objects": "*", "attributes": "write"},
    AUTHENTICATED: EVERYTHING | {"requires": "authenticated"},
    HIDDEN: {"objects": "0-0:42.0.0"},
}
VERSIONS = range(4)
CLASSES = interface_classes()

each_class = pytest.mark.parametrize("declared", CLASSES, ids=lambda one: f"{one.class_id}v{one.version}")
few = settings(max_examples=2)
once = settings(max_examples=1)


class Served(CosemObject):
    """Keeps whatever is written, answers what it was told to, and selects all."""

    def __init__(self, declared: type[InterfaceClass]) -> None:
        name = Obis(bytes((0, declared.version, 250, declared.class_id >> 8, declared.class_id & 0xFF, 255)))
        self.called: list[tuple[str, Any]] = []
        self.answers: dict[str, Any] = {}
        self.selected: list[Any] = []
        names = [one.name for one in declared.attributes.values()]
        super().__init__(
            declared(name),
            dict.fromkeys(names[1:], NULL),
            writers=dict.fromkeys(names),
            methods={one.name: self._handler(one.name) for one in declared.methods.values()},
        )

    def _handler(self, name: str) -> Any:
        def handle(parameter: Any, situation: Situation) -> Any:
            self.called.append((name, parameter))
            return self.answers.get(name)

        return handle

    def selectors(self, attribute_id: int) -> tuple[int, ...]:
        return tuple(one.number for one in self.interface.attributes[attribute_id].selectors)

    def select(self, attribute_id: int, selection: SelectiveAccessDescriptor, situation: Situation) -> EncodedData:
        if selection.access_selector not in self.selectors(attribute_id):
            return super().select(attribute_id, selection, situation)
        selector = self.interface.attributes[attribute_id].selector(selection.access_selector)
        self.selected.append(self._decode(selector.parameters, selection.access_parameters))
        return self.read(attribute_id, None, situation)

    def present(self, index: int) -> EncodedData:
        return self.read(index, None, Situation(NOW))


class Raw:
    """A client on TCP whose requests and results are those of its association."""

    def __init__(self, server: MeterServer, client_sap: int, server_sap: int) -> None:
        self._connection = BlockingTcpConnection("127.0.0.1", server.port, 5.0)
        self._stack = ClientStack(ClientSettings(), client_sap, server_sap)
        self.request(Open())

    def request(self, request: Request) -> Any:
        self._stack.send(request)
        self._stack.tick(0.0)
        self._connection.write(self._stack.octets_to_send())
        while not (events := self._stack.receive(self._connection.read(), 0.0)):
            self._connection.write(self._stack.octets_to_send())
        (event,) = events
        assert isinstance(event, Completed), event
        return event.result

    def close(self) -> None:
        self._connection.close()


@dataclass
class World:
    server: MeterServer
    meters: dict[int, BlockingMeter]
    """With all rights, by SAP: at 4 with HLS-GMAC, at 1 without security."""
    objects: list[dict[type[InterfaceClass], Served]]
    """By SAP, from 1 on."""
    clients: dict[tuple[int, int], Raw] = field(default_factory=dict)

    def raw(self, client_sap: int, version: int) -> Raw:
        """A client of the device with that version of Association LN."""
        key = client_sap, version
        if key not in self.clients:
            self.clients[key] = Raw(self.server, client_sap, version + 1)
        return self.clients[key]


def device_of(version: int) -> tuple[LogicalDevice, dict[type[InterfaceClass], Served]]:
    device = LogicalDevice(f"TST{version}", sap=version + 1, now=lambda: NOW, association_version=version)
    objects = {declared: device.add(Served(declared)) for declared in CLASSES}
    ciphered = ServerSettings(
        context_names=frozenset((ApplicationContext.LN_CIPHERED,)),
        mechanism=AuthenticationMechanism.HLS_GMAC,
        material=SecurityMaterial.of(*map(Secret, KEYS)),
        counters=MemoryCounterStore(),
        system_title=SERVER_TITLE,
    )
    rule = EVERYTHING if version == 0 else RIGHTS[AUTHENTICATED]
    device.admit(
        Admission(client_sap=CIPHERED, settings=ciphered, rights=rights_from(rule), security_setup=Obis("0-0:43.0.0"))
    )
    for client_sap, rule in RIGHTS.items():
        if client_sap != AUTHENTICATED or version > 0:
            device.admit(Admission(client_sap=client_sap, settings=ServerSettings(), rights=rights_from(rule)))
    public = rights_from({"objects": "0-0:43.1.0", "attributes": "read"})
    device.admit(Admission(client_sap=PUBLIC, settings=ServerSettings(), rights=public))
    return device, objects


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    devices = [device_of(version) for version in VERSIONS]
    security = {
        "encryption_key": KEYS[0],
        "authentication_key": KEYS[1],
        "system_title": CLIENT_TITLE,
        "counters": MemoryCounterStore(),
    }
    with serve_in_thread(*(device for device, _ in devices)) as server:
        hls_gmac = BlockingMeter.connect(server.url(CIPHERED, 4), security=security)
        plain = BlockingMeter.connect(server.url(ALL, 1))
        with hls_gmac, plain:
            world = World(server, {4: hls_gmac, 1: plain}, [objects for _, objects in devices])
            yield world
            for client in world.clients.values():
                client.close()


def attribute(served: CosemObject, index: int) -> CosemAttributeDescriptor:
    return CosemAttributeDescriptor(served.class_id, served.instance_id, index)


def without_selection(served: CosemObject, indexes: Any) -> tuple[CosemAttributeDescriptorWithSelection, ...]:
    return tuple(CosemAttributeDescriptorWithSelection(attribute(served, index)) for index in indexes)


def methods_of(served: CosemObject, indexes: Any) -> tuple[CosemMethodDescriptor, ...]:
    return tuple(CosemMethodDescriptor(served.class_id, served.instance_id, index) for index in indexes)


@dataclass
class Sample:
    """Values for all attributes of an object, others of the same type to write, and parameters of its methods."""

    values: dict[str, Any]
    others: tuple[EncodedData, ...]
    parameters: tuple[EncodedData, ...]

    @classmethod
    def drawn(cls, declared: type[InterfaceClass], data: st.DataObject) -> Sample:
        values, others = {}, []
        for one in declared.attributes.values():
            pair = [data.draw(writings_of(one.type))[0] for _ in range(2)]
            present, other = (EncodedData.from_typed(one.type.encode(value)) for value in pair)
            values[one.name] = pair[0]
            others.append(other if other.type is present.type else present)
        types = [one.parameter for one in declared.methods.values()]
        parameters = (EncodedData.from_typed(one.encode(data.draw(writings_of(one))[0])) for one in types)
        return cls(values, tuple(others), tuple(parameters))

    def fill(self, served: Served) -> list[EncodedData]:
        """Give every attribute its value; returns them."""
        for name, value in self.values.items():
            served.put(name, value)
        served.called.clear()
        return [served.present(index) for index in served.interface.attributes]


def test_the_classes_of_a_meter_are_declared() -> None:
    assert {one.class_id for one in CLASSES} >= {
        1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 17, 18, 20, 21, 22, 23, 40, 41, 42, 43, 45, 47, 61, 64, 68, 70, 71, 72
    }  # fmt: skip
    assert {one.version for one in CLASSES if one.class_id == 15} == {*VERSIONS}


# ---- all rights ------------------------------------------------------------------------------------------------------


@each_class
@few
@given(data=st.data())
def test_every_attribute_is_read_as_it_is_and_written_back(
    world: World, declared: type[InterfaceClass], data: st.DataObject
) -> None:
    for index, one in declared.attributes.items():
        value, read = data.draw(writings_of(one.type))
        other, read_after = data.draw(writings_of(one.type))
        encoded = EncodedData.from_typed(one.type.encode(other))
        for sap, meter in world.meters.items():
            served = world.objects[sap - 1][declared]
            reference = AttributeReference(declared.class_id, served.instance_id, index, one)
            served.put(one.name, value)
            found = meter.get(reference)
            assert found == EncodedData.from_typed(one.type.encode(value))
            assert reference.decode(found.typed()) == read
            if encoded.type is not found.type:
                served.put(one.name, other)
            meter.write(reference, other)
            assert served.present(index) == encoded
            assert reference.decode(meter.get(reference).typed()) == read_after


@each_class
@few
@given(data=st.data())
def test_every_method_reaches_its_handler_and_its_answer_comes_back(
    world: World, declared: type[InterfaceClass], data: st.DataObject
) -> None:
    for index, one in declared.methods.items():
        parameter, received = data.draw(writings_of(one.parameter))
        answer, returned = (None, None) if one.returns is None else data.draw(writings_of(one.returns))
        for sap, meter in world.meters.items():
            served = world.objects[sap - 1][declared]
            served.called.clear()
            served.answers[one.name] = answer
            reference = MethodReference(declared.class_id, served.instance_id, index, one)
            assert meter.call(reference, parameter) == returned
            assert served.called == [(one.name, received)]


@each_class
@few
@given(data=st.data())
def test_every_declared_selection_is_taken_and_no_other(
    world: World, declared: type[InterfaceClass], data: st.DataObject
) -> None:
    served, client = world.objects[1][declared], world.raw(ALL, 1)
    for index, one in declared.attributes.items():
        served.put(one.name, data.draw(writings_of(one.type))[0])
        numbers = {selector.number for selector in one.selectors}
        for selector in one.selectors:
            served.selected.clear()
            written, read = data.draw(writings_of(selector.parameters))
            chosen = selective(selector.select(written))
            assert client.request(Get(attribute(served, index), chosen)) == served.present(index)
            assert served.selected == [read]
            illegal = illegal_typed_of(selector.parameters)
            if not illegal.is_empty:
                chosen = selective(AccessSelection(selector.number, data.draw(illegal)))
                assert client.request(Get(attribute(served, index), chosen)) is DataAccessResult.TYPE_UNMATCHED
        other = SelectiveAccessDescriptor(max(numbers, default=0) + 1, NULL)
        assert client.request(Get(attribute(served, index), other)) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
        written_in_part = Set(attribute(served, index), served.present(index), other)
        assert client.request(written_in_part) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


def selective(selection: AccessSelection) -> SelectiveAccessDescriptor:
    return SelectiveAccessDescriptor(selection.selector, EncodedData.from_typed(selection.parameters))


@each_class
@few
@given(data=st.data())
def test_values_and_parameters_of_another_type_are_refused_and_change_nothing(
    world: World, declared: type[InterfaceClass], data: st.DataObject
) -> None:
    served, client = world.objects[1][declared], world.raw(ALL, 1)
    before = dict(zip(declared.attributes, Sample.drawn(declared, data).fill(served), strict=True))
    for index, one in declared.attributes.items():
        illegal = illegal_typed_of(one.type)
        if illegal.is_empty:
            # Any type will do, as long as it is that of the value in its place.
            wrong = next(kind for kind in (DataType.UNSIGNED, DataType.LONG) if kind is not before[index].type)
            value = EncodedData.of(wrong, 1)
        else:
            value = EncodedData.from_typed(data.draw(illegal))
        assert client.request(Set(attribute(served, index), value)) is DataAccessResult.TYPE_UNMATCHED
    illegal_parameters = {
        index: EncodedData.from_typed(data.draw(illegal))
        for index, one in declared.methods.items()
        if not (illegal := illegal_typed_of(one.parameter)).is_empty
    }
    # null-data stands for no parameters, which methods that need none take.
    calls = {index: value for index, value in illegal_parameters.items() if value != NULL}
    if calls:
        answers = client.request(ActionList(methods_of(served, calls), tuple(calls.values())))
        assert {answer.result for answer in answers} == {ActionResult.TYPE_UNMATCHED}
    assert served.called == []
    assert {index: served.present(index) for index in declared.attributes} == before


# ---- lesser rights ---------------------------------------------------------------------------------------------------


@dataclass
class Results:
    """What reading all, writing all and invoking all has come to."""

    before: list[EncodedData]
    read: list[Any]
    written: set[DataAccessResult]
    invoked: set[ActionResult]
    after: list[EncodedData]
    called: bool


def results(world: World, client_sap: int, version: int, declared: type[InterfaceClass], sample: Sample) -> Results:
    served, client = world.objects[version][declared], world.raw(client_sap, version)
    before = sample.fill(served)
    listed = without_selection(served, declared.attributes)
    read = client.request(GetList(listed))
    written = client.request(SetList(listed, sample.others))
    invoked = set()
    if declared.methods:
        called = client.request(ActionList(methods_of(served, declared.methods), sample.parameters))
        invoked = {answer.result for answer in called}
    after = [served.present(index) for index in declared.attributes]
    return Results(before, list(read), {*written}, invoked, after, bool(served.called))


@each_class
@once
@given(data=st.data())
def test_without_a_right_nothing_is_read_written_or_invoked(
    world: World, declared: type[InterfaceClass], data: st.DataObject
) -> None:
    sample = Sample.drawn(declared, data)
    for version in VERSIONS:
        denied = [(NONE, DENIED), (HIDDEN, DataAccessResult.OBJECT_UNDEFINED)]
        denied += [(AUTHENTICATED, DENIED)] if version > 0 else []
        for client_sap, result in denied:
            come = results(world, client_sap, version, declared, sample)
            assert {*come.read, *come.written} == {result}
            assert come.invoked <= {ActionResult[result.name]}
            assert come.after == come.before
            assert not come.called


@each_class
@once
@given(data=st.data())
def test_who_may_only_read_changes_nothing(world: World, declared: type[InterfaceClass], data: st.DataObject) -> None:
    sample = Sample.drawn(declared, data)
    for version in VERSIONS:
        come = results(world, READING, version, declared, sample)
        assert come.read == come.before
        assert come.written == {DENIED}
        assert come.invoked <= {ActionResult.READ_WRITE_DENIED}
        assert come.after == come.before
        assert not come.called


@each_class
@once
@given(data=st.data())
def test_who_may_only_write_sees_nothing(world: World, declared: type[InterfaceClass], data: st.DataObject) -> None:
    sample = Sample.drawn(declared, data)
    for version in VERSIONS:
        come = results(world, WRITING, version, declared, sample)
        assert {*come.read} == {DENIED}
        assert come.written == {SUCCESS}
        assert come.after == [*sample.others]
        assert come.invoked <= {ActionResult.READ_WRITE_DENIED}
        assert not come.called


@each_class
def test_what_is_not_there_is_refused_by_what_it_is(world: World, declared: type[InterfaceClass]) -> None:
    served, client = world.objects[1][declared], world.raw(ALL, 1)
    attributes = [-1, max(declared.attributes) + 1, 127]  # attribute 0 is all of them: test_attribute_0
    assert set(client.request(GetList(without_selection(served, attributes)))) == {DENIED}
    values = (NULL,) * len(attributes)
    assert set(client.request(SetList(without_selection(served, attributes), values))) == {DENIED}
    methods = [-1, 0, max(declared.methods, default=0) + 1]
    answers = client.request(ActionList(methods_of(served, methods), (NULL,) * len(methods)))
    assert {answer.result for answer in answers} == {ActionResult.READ_WRITE_DENIED}
    for class_id, name, result in (
        (declared.class_id, Obis("9-9:9.9.9"), DataAccessResult.OBJECT_UNDEFINED),
        (0xFFFF, served.instance_id, DataAccessResult.OBJECT_CLASS_INCONSISTENT),
    ):
        descriptor = CosemAttributeDescriptor(class_id, name, 1)
        assert client.request(Get(descriptor)) is result
        assert client.request(Set(descriptor, NULL)) is result
        (answer,) = client.request(ActionList((CosemMethodDescriptor(class_id, name, 1),), (NULL,)))
        assert answer.result is ActionResult[result.name]
