"""Association SN: what it shows and does in each version, as one client sees it; and where objects stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cosemic.apdu import CosemAttributeDescriptor, CosemMethodDescriptor
from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import (
    ObjectDefinition,
    Register,
    ScalerUnit,
    ScriptTable,
    ShortName,
    SNObjectListElement,
    interface_class,
)
from cosemic.model.access_control import UserListEntry
from cosemic.model.common import ValueDefinition
from cosemic.model.interface_class import AccessSelection
from cosemic.model.short_names import ASSOCIATION, LOGICAL_DEVICE_NAME, Member, MemberKind, NameSpace
from cosemic.security import AttributeAccess, Protection, Requirement, SecurityMaterial
from cosemic.server import Admission, CosemObject, LogicalDevice, PhysicalDevice, data, first, managing, only, reading
from cosemic.server.objects import Situation
from cosemic.server.rights import ObjectRights
from cosemic.server.state import StateFile
from cosemic.values import (
    ActionResult,
    ApplicationContext,
    AuthenticationMechanism,
    DataAccessResult,
    Obis,
    Secret,
    Unit,
)
from tests.server.support import NOW, View, device_with

ENERGY, SERIAL, CURRENT = "1-0:1.8.0", "0-0:96.1.0", "0-0:40.0.0"
SHORT = frozenset((ApplicationContext.SN,))
EITHER = SHORT | {ApplicationContext.LN}
LN_OF = {0: 0, 1: 0, 2: 1, 3: 2, 4: 3}
"""Version of Association LN that goes with one of Association SN."""
VERSIONS = pytest.mark.parametrize("version", range(5))
WITH_RIGHTS = pytest.mark.parametrize("version", [2, 3, 4])
OLD = pytest.mark.parametrize("version", [0, 1, 2])
WITH_USERS = pytest.mark.parametrize("version", [3, 4])
ENERGY_AT, SERIAL_AT = 0x100, 0x130


def register() -> CosemObject:
    return CosemObject(
        Register(ENERGY),
        {"value": (DataType.UNSIGNED, 7), "scaler_unit": ScalerUnit(0, Unit.of("Wh"))},
        writers={"value": None},
        methods={"reset": lambda parameter, situation: None},
    )


def serial() -> CosemObject:
    return data(SERIAL, DataType.OCTET_STRING, b"12345678", writable=True)


def device_of(version: int, **changed: Any) -> LogicalDevice:
    """A device whose client 16 may do everything, with short names alone."""
    device = LogicalDevice(
        "TST0000000000001",
        now=lambda: NOW,
        association_version=LN_OF[version],
        association_sn_version=version,
        base_names=changed.pop("base_names", {}),
        state=changed.pop("state", None),
    )
    device.add(register())
    device.add(serial())
    said = {"client_sap": 16, "settings": ServerSettings(context_names=SHORT), "rights": managing()} | changed
    device.admit(Admission(**said))
    return device


def member(version: int, kind: MemberKind, name: str) -> Any:
    declared = interface_class(12, version)
    assert declared is not None
    return declared.attribute_named(name) if kind is MemberKind.ATTRIBUTE else declared.method_named(name)


def shown(view: View, version: int, name: str, selection: AccessSelection | None = None) -> Any:
    attribute = member(version, MemberKind.ATTRIBUTE, name)
    found = view.get(12, CURRENT, attribute.index, selection)
    return attribute.decode(found.typed()) if isinstance(found, EncodedData) else found


def call(view: View, version: int, name: str, parameter: Any) -> Any:
    """What a method answers: its result, or what it returns."""
    method = member(version, MemberKind.METHOD, name)
    answer = view.act(12, CURRENT, method.index, EncodedData.from_typed(method.parameter.encode(parameter)))
    if answer.result is not ActionResult.SUCCESS or method.returns is None:
        return answer.result
    assert isinstance(answer.return_parameters, EncodedData)
    return method.returns.decode(answer.return_parameters.typed())


def elements(version: int) -> list[tuple[int, int, int, str]]:
    return [
        (0xFA00, 12, version, CURRENT),
        (0xFD00, 1, 0, "0-0:42.0.0"),
        (ENERGY_AT, 3, 0, ENERGY),
        (SERIAL_AT, 1, 0, SERIAL),
        (0x140, 12, version, "0-0:40.0.1"),
    ]


def plain(found: Any) -> list[tuple[int, int, int, str]]:
    return [
        (int(one.base_name), one.class_id, one.version, str(one.logical_name).removesuffix("*255")) for one in found
    ]


# ---- where objects stand ---------------------------------------------------------------------------------------------


@VERSIONS
def test_object_list_has_every_object_in_view_with_its_base_name(version: int) -> None:
    assert plain(shown(View(device_of(version)), version, "object_list")) == elements(version)


def test_each_short_name_leads_to_the_attribute_or_method_that_stands_there() -> None:
    view = View(device_of(4)).view
    energy = Obis(ENERGY)
    assert view.resolve(ENERGY_AT) == CosemAttributeDescriptor(3, energy, 1)
    assert view.resolve(ENERGY_AT + 8) == CosemAttributeDescriptor(3, energy, 2)
    assert view.resolve(ENERGY_AT + 0x28) == CosemMethodDescriptor(3, energy, 1)
    assert view.resolve(0xFA08) == CosemAttributeDescriptor(12, Obis(CURRENT), 2)
    assert view.resolve(0xFA58) == CosemMethodDescriptor(12, Obis(CURRENT), 8)
    assert view.resolve(0xFD08) == CosemAttributeDescriptor(1, Obis("0-0:42.0.0"), 2)
    for nothing in (0, ENERGY_AT - 8, ENERGY_AT + 4, ENERGY_AT + 0x18, ENERGY_AT + 0x30 + 4, 0xFFFF):
        assert view.resolve(nothing) is None


def test_what_a_client_does_not_see_has_no_short_name_for_it() -> None:
    device = device_of(4)
    device.admit(
        Admission(
            client_sap=17,
            settings=ServerSettings(context_names=SHORT),
            rights=first(only(reading(), ENERGY, CURRENT)),
        )
    )
    other = View(device, 17)
    assert other.view.resolve(ENERGY_AT) is not None
    assert other.view.resolve(SERIAL_AT) is None
    assert [one[0] for one in plain(shown(other, 4, "object_list"))] == [0xFA00, ENERGY_AT]


def test_configured_base_names_hold_and_wrong_ones_are_refused() -> None:
    device = device_of(4, base_names={f"3/{ENERGY}": 0x2000})
    assert device.short_names.name_of(3, Obis(ENERGY), Member(MemberKind.ATTRIBUTE, 2)) == 0x2008
    assert device.short_names.name_of(1, Obis(SERIAL), Member(MemberKind.ATTRIBUTE, 1)) == 0x100
    for names, why in (
        ({f"3/{ENERGY}": 0x2001}, "multiple of 8"),
        ({f"3/{ENERGY}": 0xFA08}, "overlap"),
        ({f"3/{ENERGY}": 0x2000, f"1/{SERIAL}": 0x2008}, "overlap"),
        ({ENERGY: 0x2000}, "no object"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            device_of(4, base_names=names)


def test_objects_that_come_after_the_client_get_names_as_those_before() -> None:
    early, late = LogicalDevice("TST1", now=lambda: NOW), LogicalDevice("TST1", now=lambda: NOW)
    admission = Admission(client_sap=16, settings=ServerSettings(context_names=EITHER), rights=managing())
    late.admit(admission)
    for device in (early, late):
        device.add(register())
        device.add(serial())
    early.admit(admission)
    names = {one.logical_name: one.base_name for one in late.short_names.placed}
    assert names[Obis(ENERGY)] < names[Obis(SERIAL)]
    assert late.short_names.object(3, Obis(ENERGY)) is not None
    assert len(early.short_names.placed) == len(late.short_names.placed) == 5
    space = NameSpace()
    for one in late.short_names.placed:
        space.put(one)


def test_a_device_without_such_clients_has_no_base_names() -> None:
    device = device_with(register())
    assert device.short_names.placed == ()
    assert View(device).view.resolve(0xFA08) is None
    assert device.object(12, CURRENT) is None
    assert View(device).get(12, CURRENT, 2) is not None
    assert View(device).get(12, CURRENT, 2) == DataAccessResult.OBJECT_CLASS_INCONSISTENT


def test_the_sap_assignment_stands_at_its_reserved_name() -> None:
    device = device_of(4)
    PhysicalDevice(device)
    assert View(device).view.resolve(0xFC08) == CosemAttributeDescriptor(17, Obis("0-0:41.0.0"), 2)
    assert LOGICAL_DEVICE_NAME in {one.base_name for one in device.short_names.placed}
    assert ASSOCIATION in {one.base_name for one in device.short_names.placed}


def test_the_script_table_for_broadcasts_stands_at_its_reserved_name() -> None:
    device = device_of(4)
    device.add(CosemObject(ScriptTable("0-0:10.0.125"), {"scripts": ()}, methods={"execute": lambda *_: None}))
    view = View(device).view
    assert view.resolve(0xFB08) == CosemAttributeDescriptor(9, Obis("0-0:10.0.125"), 2)
    assert view.resolve(0xFB20) == CosemMethodDescriptor(9, Obis("0-0:10.0.125"), 1)


@pytest.mark.parametrize(("long", "short"), [(1, 3), (0, 2), (3, 0), (2, 4)])
def test_versions_that_code_rights_differently_do_not_go_together(long: int, short: int) -> None:
    with pytest.raises(ConfigurationError, match="Association SN has version"):
        LogicalDevice("TST", association_version=long, association_sn_version=short)


def test_a_client_with_either_referencing_has_both_current_associations() -> None:
    device = device_with(register(), settings=ServerSettings(context_names=EITHER))
    view = View(device)
    assert isinstance(view.get(15, CURRENT, 2), EncodedData)
    listed = plain(shown(view, 2, "object_list"))
    assert (0xFA00, 12, 2, CURRENT) in listed
    assert [one[1] for one in listed if one[3] == CURRENT] == [12], "the one with logical names has no base name"
    assert device.object(15, "0-0:40.0.1") is not None


# ---- parts of the lists ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_object_list_by_class_and_by_object(version: int) -> None:
    view, attribute = View(device_of(version)), member(version, MemberKind.ATTRIBUTE, "object_list")
    of_class = shown(view, version, "object_list", attribute.selector(1).select(1))
    assert plain(of_class) == [elements(version)[1], elements(version)[3]]
    named = attribute.selector(2).select(ObjectDefinition(3, Obis(ENERGY)))
    assert plain(shown(view, version, "object_list", named)) == [elements(version)[2]]
    missing = attribute.selector(2).select(ObjectDefinition(3, Obis(SERIAL)))
    assert plain(shown(view, version, "object_list", missing)) == []
    wrong = AccessSelection(1, (DataType.OCTET_STRING, b"1"))
    assert shown(view, version, "object_list", wrong) == DataAccessResult.TYPE_UNMATCHED
    unknown = AccessSelection(3, (DataType.LONG_UNSIGNED, 1))
    assert shown(view, version, "object_list", unknown) == DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


def test_version_0_has_methods_in_place_of_selections() -> None:
    view = View(device_of(0))
    assert shown(view, 0, "object_list", AccessSelection(1, (DataType.LONG_UNSIGNED, 1))) == (
        DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    )
    assert plain(call(view, 0, "getlist_by_classid", 3)) == [elements(0)[2]]
    wanted = (ObjectDefinition(1, Obis(SERIAL)), ObjectDefinition(8, Obis(SERIAL)))
    assert plain(call(view, 0, "getobj_by_logicalname", wanted)) == [elements(0)[3]]


@WITH_RIGHTS
def test_access_rights_list_whole_and_by_base_name(version: int) -> None:
    device = device_of(version)
    device.admit(
        Admission(client_sap=17, settings=ServerSettings(context_names=SHORT), rights=only(reading(), ENERGY, CURRENT))
    )
    whole = shown(View(device), version, "access_rights_list")
    assert [int(one.base_name) for one in whole][:4] == [one[0] for one in elements(version)][:4]
    attribute = member(version, MemberKind.ATTRIBUTE, "access_rights_list")
    (mine,) = shown(View(device), version, "access_rights_list", attribute.selector(1).select(ShortName(ENERGY_AT)))
    assert mine == whole[2]
    assert [(one.attribute_id, int(one.access_mode)) for one in mine.attribute_access] == [(1, 1), (2, 3), (3, 1)]
    assert [(one.method_id, int(one.access_mode)) for one in mine.method_access] == [(1, 1)]
    theirs = shown(View(device, 17), version, "access_rights_list")[1]
    assert [int(one.access_mode) for one in theirs.attribute_access] == [1, 1, 1]
    assert [int(one.access_mode) for one in theirs.method_access] == [0]
    nothing = attribute.selector(1).select(ShortName(0x4000))
    assert shown(View(device), version, "access_rights_list", nothing) == ()


def test_rights_under_protection_are_coded_as_the_version_does() -> None:
    authenticated = Requirement(Protection.AUTHENTICATED, Protection.NONE)
    keys = SecurityMaterial.of(Secret(bytes(16)), Secret(bytes(range(16))))
    for version, mode in ((2, 4), (3, 4), (4, 1 | 4)):
        device = device_of(version)
        settings = ServerSettings(
            context_names=frozenset((ApplicationContext.SN_CIPHERED,)), material=keys, system_title=b"SRV\0\0\0\0\1"
        )
        device.admit(Admission(client_sap=18, settings=settings, rights=reading(authenticated)))
        view = View(device, 18, Protection.AUTHENTICATED)
        rights = {int(one.base_name): one for one in shown(view, version, "access_rights_list")}
        assert int(rights[ENERGY_AT].attribute_access[1].access_mode) == mode


@OLD
def test_get_attributes_and_methods_gives_the_rights_to_the_objects_named(version: int) -> None:
    view = View(device_of(version))
    wanted = (ObjectDefinition(3, Obis(ENERGY)), ObjectDefinition(3, Obis("1-0:2.8.0")))
    (rights,) = call(view, version, "get_attributes_and_methods", wanted)
    assert rights.base_name == ENERGY_AT
    # Versions 0 and 1 code the right to a method as a boolean.
    parameters = member(version, MemberKind.METHOD, "get_attributes_and_methods").parameter.encode(wanted)
    method = view.act(12, CURRENT, 4, EncodedData.from_typed(parameters))
    assert isinstance(method.return_parameters, EncodedData)
    ((base, attributes, methods),) = method.return_parameters.value()
    assert base == ENERGY_AT
    assert [(one[0], one[1]) for one in attributes] == [(1, 1), (2, 3), (3, 1)]
    assert methods == ([(1, 1)] if version == 2 else [(1, True)])


# ---- values by logical name ------------------------------------------------------------------------------------------


def value(class_id: int, name: str, index: int) -> ValueDefinition:
    return ValueDefinition(class_id, Obis(name), index)


@VERSIONS
def test_read_by_logical_name_gives_the_values_in_turn(version: int) -> None:
    view = View(device_of(version))
    given = call(view, version, "read_by_logicalname", (value(3, ENERGY, 2), value(1, SERIAL, 2)))
    assert given == (7, b"12345678")
    (whole,) = call(view, version, "read_by_logicalname", (value(3, ENERGY, 0),))
    assert whole == (Obis(ENERGY).octets, 7, (0, 30))


def test_read_by_logical_name_refuses_what_the_client_may_not_read() -> None:
    view = View(
        device_of(4, rights=lambda served: None if str(served.instance_id).startswith("0-0:96") else managing()(served))
    )
    asked = call(view, 4, "read_by_logicalname", (value(3, ENERGY, 2), value(1, SERIAL, 2)))
    assert asked is ActionResult.OBJECT_UNDEFINED
    assert call(view, 4, "read_by_logicalname", (value(3, ENERGY, 9),)) is ActionResult.READ_WRITE_DENIED
    assert call(view, 4, "read_by_logicalname", (value(8, ENERGY, 2),)) is ActionResult.OBJECT_CLASS_INCONSISTENT
    many = (value(3, ENERGY, 2),) * 257
    assert call(view, 4, "read_by_logicalname", many) is ActionResult.OTHER_REASON
    assert len(call(view, 4, "read_by_logicalname", many[:256])) == 256


def test_read_by_logical_name_gives_nothing_that_may_only_be_written() -> None:
    def rights(served: CosemObject) -> ObjectRights | None:
        if served.class_id != Register.class_id:
            return managing()(served)
        return ObjectRights({1: AttributeAccess(True), 2: AttributeAccess(False, True), 3: AttributeAccess(True)})

    view = View(device_of(4, rights=rights))
    assert call(view, 4, "read_by_logicalname", (value(3, ENERGY, 3),)) == ((0, 30),)
    assert call(view, 4, "read_by_logicalname", (value(3, ENERGY, 2),)) is ActionResult.READ_WRITE_DENIED
    assert call(view, 4, "read_by_logicalname", (value(3, ENERGY, 0),)) is ActionResult.SCOPE_OF_ACCESS_VIOLATED


def test_read_by_logical_name_gives_nothing_with_less_protection_than_the_value_has() -> None:
    authenticated = Requirement(Protection.AUTHENTICATED, Protection.AUTHENTICATED)
    settings = ServerSettings(
        context_names=frozenset((ApplicationContext.SN_CIPHERED,)),
        material=SecurityMaterial.of(Secret(bytes(16)), Secret(bytes(range(16)))),
        system_title=b"SRV\0\0\0\0\1",
    )
    rights = first(only(managing(), f"12/{CURRENT}"), managing(authenticated))
    device = device_of(4, settings=settings, rights=rights)
    wanted = (value(3, ENERGY, 2),)
    assert call(View(device), 4, "read_by_logicalname", wanted) is ActionResult.READ_WRITE_DENIED
    whole = (value(3, ENERGY, 0),)
    protected = View(device, applied=Protection.AUTHENTICATED)
    assert call(protected, 4, "read_by_logicalname", whole) is ActionResult.SCOPE_OF_ACCESS_VIOLATED
    assert protected.get(3, ENERGY, 2).value() == 7


def test_read_by_logical_name_of_the_association_of_another_client_reads_as_who_asks() -> None:
    both = Protection.AUTHENTICATED | Protection.ENCRYPTED
    device = device_of(4)
    for client_sap, rights in (
        (17, only(managing(), "0-0:40.0.1")),
        (18, first(only(managing(), "0-0:40.0.1"), managing(Requirement(both, both)))),
    ):
        device.admit(Admission(client_sap=client_sap, settings=ServerSettings(), rights=rights))
    wanted = EncodedData(bytes.fromhex("0101 0203 12 0003 0906 0100010800ff 0f 02"))
    for client_sap, result in ((17, ActionResult.OBJECT_UNDEFINED), (18, ActionResult.READ_WRITE_DENIED)):
        answer = View(device, client_sap).act(12, "0-0:40.0.1", 3, wanted)
        assert (answer.result, answer.return_parameters) == (result, None)
    answer = View(device, 16).act(12, "0-0:40.0.1", 3, wanted)
    assert answer.return_parameters == EncodedData(bytes.fromhex("0201 1107"))


def test_the_answers_to_many_values_are_bounded() -> None:
    device = device_of(4, settings=ServerSettings(context_names=SHORT, max_transfer=30))
    wanted = (value(1, SERIAL, 2),)
    assert call(View(device), 4, "read_by_logicalname", wanted * 3) == (b"12345678",) * 3
    assert call(View(device), 4, "read_by_logicalname", wanted * 4) is ActionResult.OTHER_REASON


# ---- secrets and users -----------------------------------------------------------------------------------------------


def with_secret(mechanism: AuthenticationMechanism) -> ServerSettings:
    return ServerSettings(
        context_names=SHORT,
        mechanism=mechanism,
        secret=Secret.password(b"0123456789abcdef"),
        system_title=b"SRV\0\0\0\0\1",
    )


@VERSIONS
@pytest.mark.parametrize("mechanism", [AuthenticationMechanism.LLS, AuthenticationMechanism.HLS_MD5])
def test_the_secret_is_changed_and_kept(version: int, mechanism: AuthenticationMechanism, tmp_path: Path) -> None:
    low = mechanism is AuthenticationMechanism.LLS
    right, wrong = ("change_LLS_secret", "change_HLS_secret") if low else ("change_HLS_secret", "change_LLS_secret")

    def made() -> LogicalDevice:
        state = StateFile(tmp_path / "state").of("TST")
        return device_of(version, settings=with_secret(mechanism), state=state)

    device = made()
    view = View(device)
    if version < 3:
        assert call(view, version, wrong, b"new secret") is ActionResult.READ_WRITE_DENIED
        assert call(view, version, right, b"new secret") is ActionResult.SUCCESS
        assert call(view, version, right, b"") is ActionResult.OTHER_REASON
    else:
        assert call(view, version, "change_secret", b"new secret") is ActionResult.SUCCESS
        assert call(view, version, "change_secret", b"") is ActionResult.OTHER_REASON
    for one in (device, made()):
        client = one.client(16)
        assert client is not None
        assert client.settings.secret is not None
        assert client.settings.secret.reveal() == b"new secret"


@WITH_USERS
def test_users_are_listed_added_and_removed(version: int) -> None:
    device = device_of(version, users={7: "reader"})
    view = View(device)
    assert shown(view, version, "user_list") == (UserListEntry(7, "reader"),)
    assert call(view, version, "add_user", UserListEntry(9, "fitter")) is ActionResult.SUCCESS
    assert call(view, version, "remove_user", UserListEntry(7, "reader")) is ActionResult.SUCCESS
    assert shown(view, version, "user_list") == (UserListEntry(9, "fitter"),)
    assert shown(view, version, "current_user") == UserListEntry(0, "")
    client = device.client(16)
    assert client is not None
    assert client.settings.users == {9}


@WITH_RIGHTS
def test_the_security_setup_is_named_where_there_is_one(version: int) -> None:
    assert shown(View(device_of(version)), version, "security_setup_reference") == Obis(bytes(6))
    device = device_of(version, security_setup=Obis("0-0:43.0.0"))
    assert shown(View(device), version, "security_setup_reference") == Obis("0-0:43.0.0")


@VERSIONS
def test_the_reply_of_high_level_security_is_listed_and_not_served_any_more(version: int) -> None:
    name = "reply_to_HLS_challenge" if version == 0 else "reply_to_HLS_authentication"
    device = device_of(version, settings=with_secret(AuthenticationMechanism.HLS_MD5), rights=reading())
    served = device.client(16)
    assert served is not None
    current = device.object_for(served, 12, Obis(CURRENT))
    assert current is not None
    assert served.rights_to(current).method(8).accessible
    assert call(View(device), version, name, bytes(16)) is ActionResult.READ_WRITE_DENIED
    plainly = device_of(version)
    assert call(View(plainly), version, name, bytes(16)) is ActionResult.READ_WRITE_DENIED
    if version == 0:
        assert not served.rights_to(current).method(1).accessible, "method 1 is no reply in this class"


def test_reading_is_as_declared_whatever_the_attribute() -> None:
    device = device_of(4)
    client = device.client(16)
    assert client is not None
    current = device.object_for(client, 12, Obis(CURRENT))
    assert current is not None
    for index, attribute in current.interface.attributes.items():
        attribute.decode(current.read(index, None, Situation(NOW)).typed())
    assert View(device).get(12, CURRENT, 7) is DataAccessResult.READ_WRITE_DENIED
    assert SNObjectListElement.encode(SNObjectListElement(0xFA00, 12, 4, Obis(CURRENT)))
