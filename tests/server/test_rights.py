"""Rights: what each version of Association LN shows, and that what it shows is what holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData
from cosemic.errors import AssociationRejected, ConfigurationError, SecurityError, StoreError
from cosemic.model import AccessSelection, AssociationLN, Register, ScalerUnit, interface_class
from cosemic.security import (
    AttributeAccess,
    MemoryCounterStore,
    MethodAccess,
    Protection,
    Requirement,
    SecurityMaterial,
    SecurityPolicy,
)
from cosemic.server import Admission, CosemObject, LogicalDevice, ObjectRights, data, first, managing, only, reading
from cosemic.values import (
    ActionResult,
    ApplicationContext,
    AuthenticationMechanism,
    DataAccessResult,
    Obis,
    Secret,
    Unit,
)
from tests.server.support import BOTH, NOW, Local, View, device_with

ENERGY = Obis("1-0:1.8.0")
NONE, AUTHENTICATED = Protection.NONE, Protection.AUTHENTICATED
MATERIAL = SecurityMaterial.of(Secret(bytes(range(16))), Secret(bytes(range(16, 32))))
CIPHERED = ServerSettings(
    context_names=frozenset((ApplicationContext.LN_CIPHERED,)), material=MATERIAL, system_title=b"TST\0\0\0\0\1"
)
APPLIED = (NONE, AUTHENTICATED, Protection.ENCRYPTED, BOTH)


def register() -> CosemObject:
    return CosemObject(
        Register(ENERGY),
        {"value": (DataType.UNSIGNED, 1), "scaler_unit": ScalerUnit(0, Unit.of("Wh"))},
        writers={"value": None},
        methods={"reset": lambda parameter, situation: None},
    )


def shown(device: LogicalDevice, version: int, client_sap: int = 16) -> dict[Obis, Any]:
    """The object list, by logical name, decoded as the version declares it."""
    declared = interface_class(15, version)
    assert declared is not None
    result = View(device, client_sap, BOTH).get(15, "0-0:40.0.0", 2)
    return {entry.logical_name: entry for entry in declared.attributes[2].decode(result.typed())}


def expressible() -> Iterator[tuple[int, AttributeAccess, MethodAccess]]:
    """Every access right that each version can show as it is."""
    for read, write in product((False, True), repeat=2):
        for version in (0, 1, 2):
            yield version, AttributeAccess(read, write), MethodAccess(write)
        for version in (1, 2):
            if read or write:
                both = Requirement(AUTHENTICATED, AUTHENTICATED)
                yield version, AttributeAccess(read, write, both), MethodAccess(write, both if write else Requirement())
        for request, response in product(APPLIED, repeat=2):
            requires = Requirement(request, response)
            yield 3, AttributeAccess(read, write, requires), MethodAccess(write, requires)


@pytest.mark.parametrize(("version", "attribute", "method"), [*expressible()])
def test_rights_are_shown_as_the_version_codes_them_and_hold(
    version: int, attribute: AttributeAccess, method: MethodAccess
) -> None:
    def rule(served: CosemObject) -> ObjectRights | None:
        if served.instance_id != ENERGY:
            return managing()(served)
        return ObjectRights({2: attribute}, {1: method})

    device = device_with(register(), association_version=version, settings=CIPHERED, rights=rule)
    rights = shown(device, version)[ENERGY].access_rights
    modes = {item.attribute_id: int(item.access_mode) for item in rights.attribute_access}
    bits = attribute.readable | attribute.writable << 1
    requires = attribute.requires
    if version == 3:
        expected = bits | requires.bits
        expected_method = int(method.accessible) | method.requires.bits
    else:
        expected = bits + 3 * (requires != Requirement())
        expected_method = method.accessible + (method.requires != Requirement())
    assert modes == {1: 0, 2: expected, 3: 0}
    assert [(item.method_id, int(item.access_mode)) for item in rights.method_access] == [(1, expected_method)]

    for applied in APPLIED:
        view = View(device, applied=applied)
        protected = not requires.request & ~applied
        assert isinstance(view.get(3, str(ENERGY), 2), EncodedData) == (attribute.readable and protected)
        if attribute.readable and protected:
            assert view.last.response == requires.response
        written = view.set(3, str(ENERGY), 2, EncodedData.of(DataType.UNSIGNED, 2))
        assert (written is DataAccessResult.SUCCESS) == (attribute.writable and protected)
        invoked = view.act(3, str(ENERGY), 1).result
        allowed = method.accessible and not method.requires.request & ~applied
        assert invoked is (ActionResult.SUCCESS if allowed else ActionResult.READ_WRITE_DENIED)
        assert view.get(3, str(ENERGY), 3) is DataAccessResult.READ_WRITE_DENIED


def test_a_version_that_has_no_code_for_the_protection_refuses_the_rights() -> None:
    for version, requires in (
        (0, Requirement(AUTHENTICATED)),
        (1, Requirement(BOTH)),
        (2, Requirement(NONE, Protection.ENCRYPTED)),
        (3, Requirement(Protection.SIGNED)),
    ):
        with pytest.raises(ConfigurationError):
            device_with(register(), association_version=version, rights=reading(requires))


def test_where_a_version_codes_more_protection_than_asked_for_that_holds() -> None:
    device = device_with(
        register(), association_version=1, settings=CIPHERED, rights=reading(Requirement(AUTHENTICATED))
    )
    view = View(device, applied=AUTHENTICATED)
    assert isinstance(view.get(3, str(ENERGY), 2), EncodedData)
    assert view.last.response == AUTHENTICATED


def test_an_answer_that_cannot_be_protected_is_not_given() -> None:
    device = device_with(register(), association_version=3, rights=reading(Requirement(NONE, AUTHENTICATED)))
    assert View(device).get(3, str(ENERGY), 2) is DataAccessResult.READ_WRITE_DENIED


def test_what_a_client_does_not_see_is_undefined_to_it_and_not_listed() -> None:
    device = device_with(register(), rights=only(reading(), "15/0-0:40.0.0", "0-0:42.0.0"))
    assert set(shown(device, 1)) == {Obis("0-0:40.0.0"), Obis("0-0:42.0.0")}
    view = View(device)
    assert view.get(3, str(ENERGY), 2) is DataAccessResult.OBJECT_UNDEFINED
    assert view.get(1, str(ENERGY), 2) is DataAccessResult.OBJECT_UNDEFINED


def test_the_first_rule_that_shows_an_object_decides() -> None:
    device = device_with(register(), rights=first(only(managing(), ENERGY), reading()))
    view = View(device)
    assert view.set(3, str(ENERGY), 2, EncodedData.of(DataType.UNSIGNED, 9)) is DataAccessResult.SUCCESS
    assert (
        view.set(15, "0-0:40.0.0", 7, EncodedData.of(DataType.OCTET_STRING, b"x")) is DataAccessResult.READ_WRITE_DENIED
    )
    with pytest.raises(ConfigurationError):
        only(reading(), "one/0-0:42.0.0")


def test_each_selector_of_the_object_list_gives_what_it_names() -> None:
    device = device_with(register(), data("0-0:96.1.0", DataType.UNSIGNED, 1))
    view, declared = View(device), AssociationLN.attributes[2]
    reference = interface_class(15, 1)
    assert reference is not None
    whole = {
        entry.logical_name: entry for entry in reference.attributes[2].decode(view.get(15, "0-0:40.0.0", 2).typed())
    }

    def selected(number: int, parameters: Any) -> list[Any]:
        result = view.get(15, "0-0:40.0.0", 2, declared.selector(number).select(parameters))
        return list(reference.attributes[2].decode(result.typed()))

    everything = selected(1, None)
    assert [entry.logical_name for entry in everything] == list(whole)
    assert all(entry.access_rights.attribute_access == () for entry in everything)
    assert {entry.logical_name for entry in selected(2, (3, 15))} == {ENERGY, Obis("0-0:40.0.0"), Obis("0-0:40.0.1")}
    definition = declared.selector(4).parameters
    energy, unknown = definition(3, ENERGY), definition(4, ENERGY)  # type: ignore[operator]  # a declared structure
    assert selected(3, (energy, unknown)) == [whole[ENERGY]]
    assert selected(4, energy) == [whole[ENERGY]]
    assert selected(4, unknown) == []


@pytest.mark.parametrize("version", range(4))
def test_the_object_list_says_which_attributes_have_selective_access(version: int) -> None:
    device = device_with(register(), association_version=version)
    entries = shown(device, version)
    for name, selective in ((Obis("0-0:40.0.0"), {2: (1, 2, 3, 4)}), (ENERGY, {})):
        items = entries[name].access_rights.attribute_access
        assert {item.attribute_id: item.access_selectors for item in items if item.access_selectors} == selective
        assert {item.access_selectors for item in items} == {None, *selective.values()}


def test_selections_of_the_object_list_that_make_no_sense_are_refused() -> None:
    view = View(device_with())
    for selector, parameters, result in (
        (5, (DataType.NULL_DATA, None), DataAccessResult.SCOPE_OF_ACCESS_VIOLATED),
        (2, (DataType.NULL_DATA, None), DataAccessResult.TYPE_UNMATCHED),
        (4, (DataType.STRUCTURE, ((DataType.LONG_UNSIGNED, 3),)), DataAccessResult.TYPE_UNMATCHED),
    ):
        assert view.get(15, "0-0:40.0.0", 2, AccessSelection(selector, parameters)) is result
    selection = AccessSelection(1, (DataType.NULL_DATA, None))
    assert view.get(15, "0-0:40.0.0", 3, selection) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


@pytest.mark.parametrize("version", range(4))
def test_every_attribute_of_the_association_is_of_its_declared_type(version: int) -> None:
    device = device_with(association_version=version, settings=CIPHERED, security_setup=Obis("0-0:43.0.0"))
    declared = interface_class(15, version)
    assert declared is not None
    view = View(device)
    values = {}
    for index, attribute in declared.attributes.items():
        result = view.get(15, "0-0:40.0.0", index)
        if index == 7:
            assert result is DataAccessResult.READ_WRITE_DENIED
            continue
        values[attribute.name] = attribute.decode(result.typed())
    assert (values["associated_partners_id"].client_SAP, values["associated_partners_id"].server_SAP) == (16, 1)
    assert values["application_context_name"].context_id == ApplicationContext.LN_CIPHERED
    assert values["authentication_mechanism_name"].mechanism_id == 0
    assert values["association_status"] == 2
    assert version == 0 or values["security_setup_reference"] == Obis("0-0:43.0.0")
    assert version < 2 or (values["user_list"], values["current_user"].user_id) == ((), 0)
    assert "general-protection" in values["xDLMS_context_info"].conformance.names()


@pytest.mark.parametrize("policy_version", [0, 1])
def test_the_security_setup_shows_policy_and_titles_and_no_key(policy_version: int) -> None:
    policy = SecurityPolicy(policy_version, (3, 0x6C)[policy_version])
    settings = ServerSettings(
        context_names=CIPHERED.context_names, material=MATERIAL, system_title=CIPHERED.system_title, policy=policy
    )
    device = device_with(settings=settings, security_setup=Obis("0-0:43.0.0"))
    served = device.object(64, "0-0:43.0.0")
    assert served is not None
    assert served.interface.version == policy_version
    view = View(device, applied=BOTH)
    values = [view.get(64, "0-0:43.0.0", index).value() for index in sorted(served.readable)]
    assert values[1:5] == [policy.value, 0, bytes(8), CIPHERED.system_title]
    assert served.invocable == {1, 2}  # security_activate and key_transfer; the others need certificates
    assert view.get(1, "0-0:43.1.0", 2).value() == 0


class BrokenStore(MemoryCounterStore):
    """A counter store whose medium goes away."""

    def lowest_acceptable(self, key: bytes, title: bytes) -> int:
        raise SecurityError("the counter store cannot be used")


def test_what_fails_behind_an_object_is_a_hardware_fault() -> None:
    settings = replace(CIPHERED, client_title=b"CLT\0\0\0\0\1", counters=BrokenStore())

    def fails(*_: Any) -> Any:
        raise StoreError("the disk is gone")

    broken = CosemObject(
        Register(ENERGY),
        {"value": fails, "scaler_unit": ScalerUnit(0, Unit.of("Wh"))},
        writers={"value": fails},
        methods={"reset": fails},
    )
    device = device_with(broken, settings=settings, security_setup=Obis("0-0:43.0.0"))
    view = View(device, applied=BOTH)
    fault = DataAccessResult.HARDWARE_FAULT
    assert view.get(1, "0-0:43.1.0", 2) is fault  # the invocation counter
    assert view.get(3, str(ENERGY), 2) is fault
    assert view.set(3, str(ENERGY), 2, EncodedData.of(DataType.UNSIGNED, 2)) is fault
    assert view.act(3, str(ENERGY), 1).result is ActionResult.HARDWARE_FAULT


@pytest.mark.parametrize("long", [False, True], ids=["short", "long"])
def test_a_long_set_or_action_is_refused_like_a_short_one_but_before_it_has_come(long: bool) -> None:
    seen = device_with(register(), data("0-0:96.1.1", DataType.OCTET_STRING, b"", writable=True), rights=reading())
    size = 300 if long else 3
    local = Local(seen, 16, ClientSettings(max_pdu_size=128))
    seen.clients[0].settings = replace(seen.clients[0].settings, max_pdu_size=128)
    local.open()
    before = local.exchanged
    value = bytes(size)
    assert local.set(1, "9-9:99.99.99", 2, DataType.OCTET_STRING, value) is DataAccessResult.OBJECT_UNDEFINED
    assert local.set(7, str(ENERGY), 2, DataType.OCTET_STRING, value) is DataAccessResult.OBJECT_CLASS_INCONSISTENT
    assert local.set(1, "0-0:96.1.1", 2, DataType.OCTET_STRING, value) is DataAccessResult.READ_WRITE_DENIED
    octets = EncodedData.of(DataType.OCTET_STRING, value)
    assert local.act(3, "9-9:99.99.99", 1, octets).result is ActionResult.OBJECT_UNDEFINED
    assert local.act(3, str(ENERGY), 1, octets).result is ActionResult.READ_WRITE_DENIED
    assert local.exchanged == before + 5


def test_a_long_set_that_is_allowed_is_executed() -> None:
    device = device_with(data("0-0:96.1.1", DataType.OCTET_STRING, b"", writable=True))
    device.clients[0].settings = replace(device.clients[0].settings, max_pdu_size=128)
    local = Local(device, 16).open()
    assert local.set(1, "0-0:96.1.1", 2, DataType.OCTET_STRING, bytes(300)) is DataAccessResult.SUCCESS
    assert local.get(1, "0-0:96.1.1", 2) == bytes(300)
    assert local.exchanged > 4


def test_the_password_is_written_never_read_and_holds_for_the_next_association() -> None:
    lls = ServerSettings(mechanism=AuthenticationMechanism.LLS, secret=Secret.password("before"))
    device = device_with(settings=lls)

    def client(password: str) -> Local:
        return Local(
            device, 16, ClientSettings(mechanism=AuthenticationMechanism.LLS, secret=Secret.password(password))
        )

    standing = client("before").open()
    assert standing.get(15, "0-0:40.0.0", 7) is DataAccessResult.READ_WRITE_DENIED
    assert standing.set(15, "0-0:40.0.1", 7, DataType.OCTET_STRING, b"") is DataAccessResult.OTHER_REASON
    assert standing.set(15, "0-0:40.0.1", 7, DataType.OCTET_STRING, b"after") is DataAccessResult.SUCCESS
    assert standing.get(15, "0-0:40.0.1", 8) == 2
    with pytest.raises(AssociationRejected):
        client("before").open()
    client("after").open()
    # The same connection, too, is opened again with the new one only.
    standing.release()
    with pytest.raises(AssociationRejected):
        standing.open()
    assert View(device_with()).set(15, "0-0:40.0.0", 7, EncodedData.of(DataType.OCTET_STRING, b"x")) is (
        DataAccessResult.READ_WRITE_DENIED
    )


def test_the_status_of_another_association_follows_what_happens_to_it() -> None:
    device = device_with()
    device.admit(Admission(client_sap=17, settings=ServerSettings(), rights=reading()))
    watching = Local(device, 16).open()
    statuses = [watching.get(15, "0-0:40.0.2", 8)]
    other = Local(device, 17).open()
    statuses.append(watching.get(15, "0-0:40.0.2", 8))
    other.release()
    statuses.append(watching.get(15, "0-0:40.0.2", 8))
    other = Local(device, 17).open()
    other.server.lost()
    statuses.append(watching.get(15, "0-0:40.0.2", 8))
    assert statuses == [0, 2, 0, 0]
    assert watching.get(15, "0-0:40.0.2", 3) == (17, 1)


def test_a_device_is_not_set_up_twice_over() -> None:
    device = device_with(register())
    with pytest.raises(ConfigurationError):
        device.add(register())
    with pytest.raises(ConfigurationError):
        device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=reading()))
    with pytest.raises(ConfigurationError):
        Admission(client_sap=128, settings=ServerSettings(), rights=reading())
    for name, sap, version in (("", 1, 1), ("seventeen letters", 1, 1), ("ok", 0, 1), ("ok", 16384, 1), ("ok", 1, 4)):
        with pytest.raises(ConfigurationError):
            LogicalDevice(name, sap=sap, association_version=version, now=lambda: NOW)


def test_clients_that_share_a_security_setup_share_the_object() -> None:
    device = device_with(settings=CIPHERED, security_setup=Obis("0-0:43.0.2"))
    device.admit(Admission(client_sap=17, settings=CIPHERED, rights=reading(), security_setup=Obis("0-0:43.0.2")))
    for client_sap in (16, 17):
        view = View(device, client_sap, BOTH)
        assert view.get(64, "0-0:43.0.2", 5).value() == CIPHERED.system_title
        assert view.get(1, "0-0:43.1.2", 2).value() == 0
        assert view.get(15, "0-0:40.0.0", 9).value() == Obis("0-0:43.0.2")


def test_an_association_with_high_level_security_lists_the_method_that_ends_it_pending() -> None:
    gmac = ServerSettings(
        context_names=CIPHERED.context_names,
        mechanism=AuthenticationMechanism.HLS_GMAC,
        material=MATERIAL,
        system_title=CIPHERED.system_title,
    )
    others = [(number, 1) for number in (3, 4, 5, 6)]
    for settings, expected in ((gmac, [(1, 1)]), (CIPHERED, [])):
        device = device_with(settings=settings, association_version=2)
        device.admit(Admission(client_sap=17, settings=settings, rights=reading()))
        # It is served by the current association only, whatever the rights are.
        for client_sap, granted in ((16, others), (17, [(number, 0) for number, _ in others])):
            for name, listed in (("0-0:40.0.0", expected), ("0-0:40.0.1", []), ("0-0:40.0.2", [])):
                rights = shown(device, 2, client_sap)[Obis(name)].access_rights
                methods = [(item.method_id, item.access_mode) for item in rights.method_access]
                assert methods == listed + granted
        answer = View(device, applied=BOTH).act(15, "0-0:40.0.0", 1, EncodedData.of(DataType.OCTET_STRING, bytes(17)))
        assert answer.result is ActionResult.READ_WRITE_DENIED
