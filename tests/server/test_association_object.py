"""Association LN: what was agreed, and what clients change of it: secrets, users, and the objects in view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.client import ClientAssociation
from cosemic.association.requests import Get, Open
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.client import BlockingMeter
from cosemic.codec import DataType, EncodedData
from cosemic.errors import AssociationRejected, AuthenticationFailed, ConfigurationError
from cosemic.model import AssociationLNVersion2, Data, Register, ScalerUnit, interface_class
from cosemic.model.access_control import UserListEntry
from cosemic.security import MemoryCounterStore, SecurityMaterial
from cosemic.server import (
    Admission,
    CosemObject,
    LogicalDevice,
    PhysicalDevice,
    data,
    managing,
    only,
    reading,
    rights_from,
    serve_in_thread,
)
from cosemic.server.logical_device import Happening
from cosemic.server.state import StateFile
from cosemic.values import (
    ActionResult,
    ApplicationContext,
    AuthenticationMechanism,
    Conformance,
    DataAccessResult,
    Obis,
    Secret,
    Unit,
    UserDiagnostic,
)
from tests.server.support import NOW, Local, View, device_with

M = AuthenticationMechanism
CURRENT, FIRST, SECOND = "0-0:40.0.0", "0-0:40.0.1", "0-0:40.0.2"
ENERGY, SERIAL = "1-0:1.8.0", "0-0:96.1.0"
KEYS = bytes(range(16)), bytes(range(16, 32))
CLIENT_TITLE, SERVER_TITLE = b"CLT\0\0\0\0\1", b"SRV\0\0\0\0\1"
OTHER_REASON = ActionResult.OTHER_REASON
SUCCESS = ActionResult.SUCCESS
VERSIONS = pytest.mark.parametrize("version", range(4))
WITH_USERS = pytest.mark.parametrize("version", [2, 3])


def register() -> CosemObject:
    return CosemObject(
        Register(ENERGY),
        {"value": (DataType.UNSIGNED, 1), "scaler_unit": ScalerUnit(0, Unit.of("Wh"))},
        writers={"value": None},
        methods={"reset": lambda parameter, situation: None},
    )


def serial() -> CosemObject:
    return data(SERIAL, DataType.OCTET_STRING, b"12345678", writable=True)


def gmac(**changed: Any) -> tuple[ServerSettings, ClientSettings]:
    material = SecurityMaterial.of(*map(Secret, KEYS))
    server = {
        "context_names": frozenset((ApplicationContext.LN_CIPHERED,)),
        "mechanism": M.HLS_GMAC,
        "material": material,
        "counters": MemoryCounterStore(),
        "system_title": SERVER_TITLE,
    }
    client = ClientSettings(
        mechanism=M.HLS_GMAC,
        ciphered=True,
        material=material,
        counters=MemoryCounterStore(),
        system_title=CLIENT_TITLE,
        **changed,
    )
    return ServerSettings(**server), client


def with_secret(mechanism: M, secret: bytes) -> tuple[ServerSettings, ClientSettings]:
    both = {"mechanism": mechanism, "secret": Secret.password(secret)}
    return (
        ServerSettings(**both, system_title=SERVER_TITLE),
        ClientSettings(**both, system_title=CLIENT_TITLE),
    )


def entries(view: View, name: str, version: int) -> dict[tuple[int, Obis], Any]:
    """The object list, decoded as the version declares it."""
    declared = interface_class(15, version)
    assert declared is not None
    found = view.get(15, name, 2)
    assert isinstance(found, EncodedData)
    listed = declared.attributes[2].decode(found.typed())
    return {(entry.class_id, entry.logical_name): entry for entry in listed}


def encoded(device: LogicalDevice, method: str, parameter: Any) -> EncodedData:
    declared = interface_class(15, device.association_version)
    assert declared is not None
    return EncodedData.from_typed(declared.method_named(method).parameter.encode(parameter))


def act(device: LogicalDevice, method: str, parameter: Any, name: str = CURRENT, client_sap: int = 16) -> ActionResult:
    declared = interface_class(15, device.association_version)
    assert declared is not None
    number = declared.method_named(method).index
    given = parameter if isinstance(parameter, EncodedData) else encoded(device, method, parameter)
    result = View(device, client_sap).act(15, name, number, given).result
    assert isinstance(result, ActionResult)
    return result


def happenings(device: LogicalDevice, *names: str) -> list[tuple[str, dict[str, Any]]]:
    """A list to which is added what happens of these names from here on."""
    found: list[tuple[str, dict[str, Any]]] = []

    def listener(happening: Happening) -> None:
        assert happening.at == NOW
        if happening.name in names:
            found.append((happening.name, dict(happening.details)))

    device.listeners.append(listener)
    return found


def kept(path: Path, make: Callable[[Any], LogicalDevice]) -> LogicalDevice:
    """A device as a new process makes it, with what an older one has kept in a file."""
    return make(StateFile(path).of("TST"))


def shown(local: Local, device: LogicalDevice, attribute: str, name: str = CURRENT) -> Any:
    """An attribute of an association, decoded as its version declares it."""
    declared = interface_class(15, device.association_version)
    assert declared is not None
    one = declared.attribute_named(attribute)
    found = local.request(Get(CosemAttributeDescriptor(15, Obis(name), one.index)))
    return one.decode(found.typed()) if isinstance(found, EncodedData) else found


# ---- what was agreed -------------------------------------------------------------------------------------------------


@VERSIONS
def test_the_current_association_shows_what_was_agreed_when_it_was_opened(version: int) -> None:
    server, client = gmac(conformance=Conformance.GET | Conformance.SET, max_pdu_size=1024)
    settings = replace(server, max_pdu_size=512)
    device = device_with(association_version=version, settings=settings, security_setup=Obis("0-0:43.0.0"))
    local = Local(device, 16, client).open()
    assert local.get(1, "0-0:43.1.0", 2) > 0
    context = shown(local, device, "xDLMS_context_info")
    assert context.conformance == Conformance.GET | Conformance.SET
    assert (context.max_receive_pdu_size, context.max_send_pdu_size) == (512, 1024)
    assert (context.dlms_version_number, context.cyphering_info) == (6, b"")
    assert shown(local, device, "application_context_name").context_id == ApplicationContext.LN_CIPHERED
    assert shown(local, device, "authentication_mechanism_name").mechanism_id == M.HLS_GMAC
    assert shown(local, device, "association_status") == 2


def test_another_association_shows_what_its_latest_one_agreed_or_what_is_offered() -> None:
    both = frozenset((ApplicationContext.LN, ApplicationContext.LN_CIPHERED))
    server, client = gmac(conformance=Conformance.GET)
    device = device_with()
    device.admit(Admission(client_sap=17, settings=replace(server, context_names=both), rights=reading()))
    watching = Local(device, 16).open()

    def seen() -> tuple[Any, ...]:
        context = shown(watching, device, "xDLMS_context_info", SECOND)
        name = shown(watching, device, "application_context_name", SECOND)
        return context.conformance, context.max_send_pdu_size, name.context_id

    (_, client_of_17) = device.clients
    client_of_17.settings = replace(client_of_17.settings, conformance=Conformance.SET)
    assert seen()[0] == Conformance.SET
    client_of_17.settings = replace(client_of_17.settings, conformance=None)
    offered = seen()
    assert offered[0] >= Conformance.GET | Conformance.GENERAL_PROTECTION
    assert offered[1:] == (0xFFFF, ApplicationContext.LN_CIPHERED)
    first = Local(device, 17, replace(client, max_pdu_size=100)).open()
    assert seen() == (Conformance.GET, 100, ApplicationContext.LN_CIPHERED)
    plain = replace(client, ciphered=False, max_pdu_size=200)
    second = Local(device, 17, plain).open()
    assert seen() == (Conformance.GET, 200, ApplicationContext.LN)
    second.release()
    assert seen() == (Conformance.GET, 100, ApplicationContext.LN_CIPHERED)
    second.open()
    first.release()
    assert seen() == (Conformance.GET, 200, ApplicationContext.LN)
    second.release()
    assert seen() == offered


def test_an_association_is_pending_while_its_client_has_not_proved_itself() -> None:
    server, client = with_secret(M.HLS_SHA256, b"secret")
    device = device_with()
    device.admit(Admission(client_sap=17, settings=server, rights=reading()))
    watching = Local(device, 16).open()
    machine = ClientAssociation(client)
    machine.send(Open())
    association = PhysicalDevice(device).association(17, 1)
    assert association is not None

    def exchange() -> None:
        association.receive(machine.octets_to_send(), 0.0)
        while answer := association.octets_to_send():
            machine.receive(answer, 0.0)

    statuses = [watching.get(15, SECOND, 8)]
    exchange()
    statuses.append(watching.get(15, SECOND, 8))
    exchange()
    statuses.append(watching.get(15, SECOND, 8))
    association.lost()
    statuses.append(watching.get(15, SECOND, 8))
    assert statuses == [0, 1, 2, 0]
    (client_of_17,) = [one for one in device.clients if one.client_sap == 17]
    assert (client_of_17.pending, client_of_17.standing) == (0, 0)


def test_a_client_that_breaks_off_while_it_is_pending_leaves_nothing_behind() -> None:
    server, client = with_secret(M.HLS_SHA256, b"secret")
    device = device_with(settings=server)
    association = PhysicalDevice(device).association(16, 1)
    assert association is not None
    machine = ClientAssociation(client)
    machine.send(Open())
    association.receive(machine.octets_to_send(), 0.0)
    assert device.clients[0].pending == 1
    association.lost()
    assert device.clients[0].pending == 0


def test_failed_authentication_and_other_refusals_are_told() -> None:
    lls, right = with_secret(M.LLS, b"right")
    hls, known = with_secret(M.HLS_SHA256, b"known")
    device = device_with(settings=lls)
    device.admit(Admission(client_sap=17, settings=hls, rights=reading()))
    told = happenings(device, "association-failed")
    attempts = [
        (16, replace(right, secret=Secret.password("wrong")), AssociationRejected, True),
        (16, ClientSettings(), AssociationRejected, False),
        (17, replace(known, secret=Secret.password("guess")), AuthenticationFailed, True),
    ]
    for client_sap, client, error, _ in attempts:
        with pytest.raises(error):
            Local(device, client_sap, client).open()
    assert [(details["client_sap"], details["authentication"]) for _, details in told] == [
        (client_sap, authentication) for client_sap, _, _, authentication in attempts
    ]
    assert all(details["reason"] for _, details in told)
    Local(device, 16, right).open()
    Local(device, 17, known).open()
    assert len(told) == 3


def test_a_device_that_cannot_keep_what_it_was_told_serves_no_more(tmp_path: Path) -> None:
    lls, right = with_secret(M.LLS, b"right")
    file = StateFile(tmp_path / "state")
    device = LogicalDevice("TST", now=lambda: NOW, state=file.of("TST"))
    device.admit(Admission(client_sap=16, settings=lls, rights=reading()))
    memory = file.of("TST").of("log")
    device.listeners.append(lambda happening: memory.save("last", happening.name.encode()))
    wrong, after = Local(device, 16, replace(right, secret=Secret.password("wrong"))), Local(device, 16, right)
    file.connection.execute("DROP TABLE state")
    with pytest.raises(AssociationRejected):
        wrong.open()
    assert after.open().get(1, "0-0:42.0.0", 2) is DataAccessResult.HARDWARE_FAULT


# ---- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", [M.LLS, M.HLS, M.HLS_MD5, M.HLS_SHA1, M.HLS_SHA256], ids=lambda one: one.label)
@VERSIONS
def test_a_changed_secret_holds_from_the_next_association_on_and_outlives_the_process(
    tmp_path: Path, mechanism: M, version: int
) -> None:
    server, before = with_secret(mechanism, b"before")
    secrets = [b"after", b"last"]

    def make(state: Any) -> LogicalDevice:
        made = LogicalDevice("TST", now=lambda: NOW, association_version=version, state=state)
        made.admit(Admission(client_sap=16, settings=server, rights=managing()))
        return made

    device = kept(tmp_path / "state", make)
    told = happenings(device, "password-changed")
    standing = Local(device, 16, before).open()
    assert standing.set(15, CURRENT, 7, DataType.OCTET_STRING, secrets[0]) is DataAccessResult.SUCCESS
    assert standing.get(15, CURRENT, 8) == 2
    if mechanism is not M.LLS:
        assert act(device, "change_HLS_secret", secrets[1], FIRST) is SUCCESS
    else:
        assert standing.set(15, FIRST, 7, DataType.OCTET_STRING, secrets[1]) is DataAccessResult.SUCCESS
        assert act(device, "change_HLS_secret", b"more") is ActionResult.READ_WRITE_DENIED
    assert [details for _, details in told] == [{"client_sap": 16}] * 2
    for one in (device, kept(tmp_path / "state", make)):
        for secret in (b"before", secrets[0]):
            with pytest.raises((AssociationRejected, AuthenticationFailed)):
                Local(one, 16, replace(before, secret=Secret.password(secret))).open()
        Local(one, 16, replace(before, secret=Secret.password(secrets[1]))).open()


def test_a_secret_that_was_kept_is_not_that_of_another_mechanism(tmp_path: Path) -> None:
    def make(mechanism: M) -> Callable[[Any], LogicalDevice]:
        def made(state: Any) -> LogicalDevice:
            device = LogicalDevice("TST", now=lambda: NOW, state=state)
            device.admit(Admission(client_sap=16, settings=with_secret(mechanism, b"first")[0], rights=managing()))
            return device

        return made

    device = kept(tmp_path / "state", make(M.LLS))
    Local(device, 16, with_secret(M.LLS, b"first")[1]).open().set(15, CURRENT, 7, DataType.OCTET_STRING, b"changed")
    Local(kept(tmp_path / "state", make(M.HLS_MD5)), 16, with_secret(M.HLS_MD5, b"first")[1]).open()
    Local(kept(tmp_path / "state", make(M.LLS)), 16, with_secret(M.LLS, b"changed")[1]).open()


@pytest.mark.parametrize(
    ("mechanism", "secret"),
    [(M.LLS, b""), (M.LLS, bytes(256)), (M.HLS_MD5, b""), (M.HLS_MD5, bytes(256)), (M.HLS, bytes(17))],
)
def test_a_secret_that_could_not_be_used_is_refused_and_changes_nothing(mechanism: M, secret: bytes) -> None:
    server, client = with_secret(mechanism, b"as it was")
    device = device_with(settings=server)
    told = happenings(device, "password-changed")
    local = Local(device, 16, client).open()
    assert local.set(15, CURRENT, 7, DataType.OCTET_STRING, secret) is DataAccessResult.OTHER_REASON
    assert local.set(15, CURRENT, 7, DataType.VISIBLE_STRING, "text") is DataAccessResult.TYPE_UNMATCHED
    if mechanism is not M.LLS:
        assert act(device, "change_HLS_secret", secret) is OTHER_REASON
    Local(device, 16, client).open()
    assert told == []


def test_the_longest_secret_is_taken() -> None:
    server, client = with_secret(M.LLS, b"short")
    device = device_with(settings=server)
    Local(device, 16, client).open().set(15, CURRENT, 7, DataType.OCTET_STRING, bytes(255))
    Local(device, 16, replace(client, secret=Secret.password(bytes(255)))).open()


@pytest.mark.parametrize("mechanism", [M.LOWEST, M.HLS_GMAC], ids=lambda one: one.label)
def test_where_there_is_no_secret_none_is_written_nor_listed(mechanism: M) -> None:
    settings = gmac()[0] if mechanism is M.HLS_GMAC else ServerSettings()
    device = device_with(settings=settings, association_version=3)
    view = View(device)
    for name in (CURRENT, FIRST):
        assert view.set(15, name, 7, EncodedData.of(DataType.OCTET_STRING, b"x")) is DataAccessResult.READ_WRITE_DENIED
        assert act(device, "change_HLS_secret", b"x", name) is ActionResult.READ_WRITE_DENIED
        rights = entries(view, CURRENT, 3)[15, Obis(name)].access_rights
        assert [int(item.access_mode) for item in rights.attribute_access if item.attribute_id == 7] == [0]
        assert 2 not in [item.method_id for item in rights.method_access]


# ---- users -----------------------------------------------------------------------------------------------------------


@WITH_USERS
def test_only_listed_users_open_the_association_and_the_current_one_is_shown(version: int) -> None:
    device = device_with(association_version=version, users={7: "reader", 9: "fitter"})
    for user_id, name in ((7, "reader"), (9, "fitter")):
        local = Local(device, 16, ClientSettings(user_id=user_id)).open()
        for association in (CURRENT, FIRST):
            assert shown(local, device, "current_user", association) == UserListEntry(user_id, name)
        assert shown(local, device, "user_list") == (UserListEntry(7, "reader"), UserListEntry(9, "fitter"))
    for user_id in (None, 8, 0):
        with pytest.raises(AssociationRejected) as refused:
            Local(device, 16, ClientSettings(user_id=user_id)).open()
        assert refused.value.diagnostic == UserDiagnostic.CALLING_AE_INVOCATION_IDENTIFIER_NOT_RECOGNIZED.label
        assert "user" in str(refused.value)


def test_a_meter_is_opened_by_the_user_that_its_url_or_its_settings_name() -> None:
    device = device_with(association_version=2, users={7: "reader", 8: "fitter"})
    current_user = AssociationLNVersion2(CURRENT).current_user
    with serve_in_thread(device) as server:
        for url, security, name in (
            (server.url(16) + "&user=7", None, "reader"),
            (server.url(16), {"user_id": 8}, "fitter"),
            (server.url(16) + "&user=7", {"user_id": 8}, "reader"),
        ):
            with BlockingMeter.connect(url, security=security) as meter:
                assert meter.read(current_user).user_name == name
        with pytest.raises(AssociationRejected, match="user"):
            BlockingMeter.connect(server.url(16)).open()


def test_the_refusal_of_a_user_is_coded_as_the_standard_says() -> None:
    device = device_with(association_version=2, users={7: "reader"})
    association = PhysicalDevice(device).association(16, 1)
    assert association is not None
    machine = ClientAssociation(ClientSettings(user_id=8))
    machine.send(Open())
    aarq = machine.octets_to_send()
    assert bytes.fromhex("a903020108") in aarq
    association.receive(aarq, 0.0)
    answer = association.octets_to_send()
    assert bytes.fromhex("a203020101") in answer
    assert bytes.fromhex("a305a103020106") in answer
    assert a.AARE.decode(answer).result_source_diagnostic == ("acse_service_user", 6)


@WITH_USERS
def test_where_no_user_is_listed_anybody_comes_in_as_nobody(version: int) -> None:
    device = device_with(association_version=version)
    for user_id in (None, 7):
        local = Local(device, 16, ClientSettings(user_id=user_id)).open()
        assert shown(local, device, "current_user") == UserListEntry(0, "")
        assert shown(local, device, "user_list") == ()


def test_each_of_several_associations_shows_its_own_user() -> None:
    device = device_with(association_version=3, users={1: "one", 2: "two"})
    one, two = (Local(device, 16, ClientSettings(user_id=user_id)).open() for user_id in (1, 2))
    assert shown(one, device, "current_user") == UserListEntry(1, "one")
    assert shown(two, device, "current_user") == UserListEntry(2, "two")
    assert shown(one, device, "current_user", FIRST) == UserListEntry(2, "two")


def test_who_guesses_the_password_is_not_told_whether_the_user_is_listed() -> None:
    server, client = with_secret(M.LLS, b"right")
    device = device_with(association_version=2, settings=server, users={7: "reader"})
    for user_id in (7, 8):
        wrong = replace(client, secret=Secret.password("wrong"), user_id=user_id)
        with pytest.raises(AssociationRejected) as refused:
            Local(device, 16, wrong).open()
        assert refused.value.diagnostic == UserDiagnostic.AUTHENTICATION_FAILURE.label


@WITH_USERS
def test_users_are_added_and_removed_from_the_next_association_on_and_kept(tmp_path: Path, version: int) -> None:
    def make(state: Any) -> LogicalDevice:
        made = LogicalDevice("TST", now=lambda: NOW, association_version=version, state=state)
        made.admit(Admission(client_sap=16, settings=ServerSettings(), rights=managing(), users={1: "one"}))
        return made

    def lets_in(one: LogicalDevice) -> set[int]:
        found = set()
        for user_id in (1, 2, 3):
            try:
                Local(one, 16, ClientSettings(user_id=user_id)).open()
                found.add(user_id)
            except AssociationRejected:
                continue
        return found

    device = kept(tmp_path / "state", make)
    told = happenings(device, "user-added", "user-removed")
    steps = [
        ("add_user", UserListEntry(2, "two"), SUCCESS, {1, 2}),
        ("add_user", UserListEntry(2, "second"), SUCCESS, {1, 2}),
        ("remove_user", UserListEntry(2, "two"), OTHER_REASON, {1, 2}),
        ("remove_user", UserListEntry(3, "three"), OTHER_REASON, {1, 2}),
        ("remove_user", UserListEntry(1, "one"), SUCCESS, {2}),
        ("add_user", UserListEntry(3, "x" * 65), OTHER_REASON, {2}),
        ("add_user", UserListEntry(3, "x" * 64), SUCCESS, {2, 3}),
    ]
    for method, entry, result, admitted in steps:
        assert act(device, method, entry) is result
        assert lets_in(device) == admitted
        assert lets_in(kept(tmp_path / "state", make)) == admitted
    assert [(name, details["user_id"]) for name, details in told] == [
        ("user-added", 2), ("user-added", 2), ("user-removed", 1), ("user-added", 3),
    ]  # fmt: skip
    local = Local(kept(tmp_path / "state", make), 16, ClientSettings(user_id=2)).open()
    assert shown(local, device, "user_list") == (UserListEntry(2, "second"), UserListEntry(3, "x" * 64))


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from(("a", "b"))), max_size=12))
def test_whatever_is_added_and_removed_the_list_is_what_lets_in(steps: list[tuple[bool, int, str]]) -> None:
    device = device_with(association_version=2)
    model: dict[int, str] = {}
    for adds, user_id, name in steps:
        result = act(device, "add_user" if adds else "remove_user", UserListEntry(user_id, name))
        if adds:
            model[user_id] = name
        elif model.get(user_id) == name:
            del model[user_id]
        else:
            assert result is OTHER_REASON
            continue
        assert result is SUCCESS
    for user_id in (None, 0, 1, 2, 3, 200):
        local = Local(device, 16, ClientSettings(user_id=user_id))
        if model and user_id not in model:
            with pytest.raises(AssociationRejected):
                local.open()
        else:
            entry = UserListEntry(user_id or 0, model[user_id]) if user_id in model else UserListEntry(0, "")
            assert shown(local.open(), device, "current_user") == entry


@pytest.mark.parametrize("version", [0, 1])
def test_versions_without_users_have_none(version: int) -> None:
    with pytest.raises(ConfigurationError, match="from version 2 on"):
        device_with(association_version=version, users={1: "one"})
    with pytest.raises(ConfigurationError, match="from version 2 on"):
        device_with(association_version=version, settings=ServerSettings(users=frozenset((1,))))
    device = device_with(association_version=version)
    Local(device, 16, ClientSettings(user_id=5)).open()
    for method in (5, 6):
        assert View(device).act(15, CURRENT, method).result is ActionResult.READ_WRITE_DENIED


def test_users_that_cannot_be_are_refused() -> None:
    for users in ({256: "x"}, {-1: "x"}, {1: "x" * 65}, {1: "ü"}):
        with pytest.raises(ConfigurationError):
            Admission(client_sap=16, settings=ServerSettings(), rights=reading(), users=users)
    with pytest.raises(ConfigurationError):
        ServerSettings(users=frozenset((256,)))


def test_users_of_the_settings_are_listed_too() -> None:
    device = device_with(association_version=2, settings=ServerSettings(users=frozenset((4,))))
    local = Local(device, 16, ClientSettings(user_id=4)).open()
    assert shown(local, device, "user_list") == (UserListEntry(4, ""),)


# ---- objects in view -------------------------------------------------------------------------------------------------

LITTLE = rights_from(
    [
        {"objects": ["15/*", "0-0:42.0.0"], "attributes": "read", "methods": "access"},
        {"objects": SERIAL, "attributes": "read"},
    ]
)


def little(version: int, state: Any = None) -> LogicalDevice:
    """A device whose client 16 sees its associations and the serial number; 17 sees everything."""
    device = LogicalDevice("TST", now=lambda: NOW, association_version=version, state=state)
    device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=LITTLE))
    device.admit(Admission(client_sap=17, settings=ServerSettings(), rights=managing()))
    device.add(register())
    device.add(serial())
    return device


@VERSIONS
def test_an_object_that_is_added_is_seen_with_the_rights_that_it_was_given(tmp_path: Path, version: int) -> None:
    device = kept(tmp_path / "state", lambda state: little(version, state))
    told = happenings(device, "object-added")
    whole = entries(View(device, 17), CURRENT, version)[3, Obis(ENERGY)]
    view = View(device)
    assert view.get(3, ENERGY, 2) is DataAccessResult.OBJECT_UNDEFINED
    assert act(device, "add_object", whole) is SUCCESS
    assert told == [("object-added", {"client_sap": 16, "class_id": 3, "obis": Obis(ENERGY)})]
    for one in (device, kept(tmp_path / "state", lambda state: little(version, state))):
        view = View(one)
        assert entries(view, CURRENT, version)[3, Obis(ENERGY)] == whole
        assert entries(view, FIRST, version) == entries(view, CURRENT, version)
        assert view.set(3, ENERGY, 2, EncodedData.of(DataType.UNSIGNED, 2)) is DataAccessResult.SUCCESS
        assert view.get(3, ENERGY, 2).value() == 2
        assert view.act(3, ENERGY, 1).result is SUCCESS


def lessened(entry: Any) -> Any:
    """An entry with the right to read attribute 2, and no other."""
    rights = entry.access_rights
    items = tuple(
        replace(item, access_mode=type(item.access_mode)(item.attribute_id == 2)) for item in rights.attribute_access
    )
    return replace(entry, access_rights=replace(rights, attribute_access=items, method_access=()))


@VERSIONS
def test_an_object_in_view_gets_the_rights_that_it_is_added_with(version: int) -> None:
    device = little(version)
    view = View(device, 17)
    less = lessened(entries(view, CURRENT, version)[3, Obis(ENERGY)])
    assert act(device, "add_object", less, client_sap=17) is SUCCESS
    assert view.get(3, ENERGY, 2).value() == 1
    assert view.get(3, ENERGY, 3) is DataAccessResult.READ_WRITE_DENIED
    assert view.set(3, ENERGY, 2, EncodedData.of(DataType.UNSIGNED, 2)) is DataAccessResult.READ_WRITE_DENIED
    assert view.act(3, ENERGY, 1).result is ActionResult.READ_WRITE_DENIED


@VERSIONS
def test_the_view_of_another_client_is_changed_through_its_association(version: int) -> None:
    device = little(version)
    entry = entries(View(device, 17), CURRENT, version)[3, Obis(ENERGY)]
    assert act(device, "add_object", entry, FIRST, client_sap=17) is SUCCESS
    assert View(device, 16).get(3, ENERGY, 2).value() == 1
    assert act(device, "remove_object", entry, FIRST, client_sap=17) is SUCCESS
    assert View(device, 16).get(3, ENERGY, 2) is DataAccessResult.OBJECT_UNDEFINED
    assert View(device, 17).get(3, ENERGY, 2).value() == 1


@VERSIONS
def test_an_object_that_is_removed_is_seen_no_more_until_it_is_added_again(tmp_path: Path, version: int) -> None:
    device = kept(tmp_path / "state", lambda state: little(version, state))
    told = happenings(device, "object-removed")
    entry = entries(View(device), CURRENT, version)[1, Obis(SERIAL)]
    assert act(device, "remove_object", entry) is SUCCESS
    assert told == [("object-removed", {"client_sap": 16, "class_id": 1, "obis": Obis(SERIAL)})]
    again = kept(tmp_path / "state", lambda state: little(version, state))
    for one in (device, again):
        assert View(one).get(1, SERIAL, 2) is DataAccessResult.OBJECT_UNDEFINED
        assert (1, Obis(SERIAL)) not in entries(View(one), CURRENT, version)
        assert View(one, 17).get(1, SERIAL, 2).value() == b"12345678"
    assert act(again, "remove_object", entry) is OTHER_REASON
    assert act(again, "add_object", entry) is SUCCESS
    assert entries(View(again), CURRENT, version)[1, Obis(SERIAL)] == entry


@VERSIONS
def test_what_every_association_must_show_is_not_removed(version: int) -> None:
    device = little(version)
    before = entries(View(device, 17), CURRENT, version)
    for key in ((15, Obis(CURRENT)), (1, Obis("0-0:42.0.0"))):
        assert act(device, "remove_object", before[key], client_sap=17) is OTHER_REASON
    assert entries(View(device, 17), CURRENT, version) == before


@VERSIONS
def test_every_entry_of_the_list_can_be_added_as_it_is(version: int) -> None:
    server, _ = gmac()
    device = device_with(register(), serial(), association_version=version, settings=server)
    before = entries(View(device), CURRENT, version)
    for entry in before.values():
        assert act(device, "add_object", entry) is SUCCESS
    assert entries(View(device), CURRENT, version) == before


def with_mode(entry: Any, kind: str, number: int, mode: int) -> Any:
    """An entry in which one right is another."""
    items = getattr(entry.access_rights, kind)
    member = "attribute_id" if kind == "attribute_access" else "method_id"
    mode_type = type(items[0].access_mode)
    changed = tuple(
        replace(item, access_mode=mode_type(mode)) if getattr(item, member) == number else item for item in items
    )
    return replace(entry, access_rights=replace(entry.access_rights, **{kind: changed}))


@VERSIONS
def test_what_cannot_be_added_or_removed_is_refused_and_changes_nothing(version: int) -> None:
    device = little(version)
    told = happenings(device, "object-added", "object-removed")
    view = View(device)
    whole = entries(View(device, 17), CURRENT, version)
    energy, number = whole[3, Obis(ENERGY)], whole[1, Obis(SERIAL)]
    before = entries(view, CURRENT, version)
    refused = {
        "another version": replace(energy, version=1),
        "another class": replace(energy, class_id=4),
        "another object": replace(energy, logical_name=Obis("1-0:2.8.0")),
        "a right to write what is not written": with_mode(energy, "attribute_access", 3, 3),
        "a right to read what has no value": with_mode(whole[15, Obis(CURRENT)], "attribute_access", 7, 1),
        "a method that is not served": replace(
            number, access_rights=replace(number.access_rights, method_access=energy.access_rights.method_access)
        ),
    }
    if version == 3:
        refused["a signature"] = with_mode(energy, "attribute_access", 2, 1 | 16)
        refused["a signed answer of a method"] = with_mode(energy, "method_access", 1, 1 | 128)
    for what, entry in refused.items():
        assert act(device, "add_object", entry) is OTHER_REASON, what
    assert act(device, "remove_object", energy) is OTHER_REASON
    for method in (3, 4):
        for wrong in (EncodedData.of(DataType.UNSIGNED, 1), EncodedData.of(DataType.NULL_DATA)):
            assert view.act(15, CURRENT, method, wrong).result is ActionResult.TYPE_UNMATCHED
    assert entries(view, CURRENT, version) == before
    assert told == []


def test_modes_that_the_version_does_not_have_are_of_another_type() -> None:
    for version, mode in ((0, 4), (1, 7), (2, 7)):
        device = little(version)
        octets = encoded(device, "add_object", entries(View(device, 17), CURRENT, version)[3, Obis(ENERGY)]).octets
        # attribute_id 2 (integer), read-write (enum)
        known = bytes.fromhex("0f021603")
        assert octets.count(known) == 1
        wrong = EncodedData(octets.replace(known, bytes((0x0F, 2, 0x16, mode))))
        assert act(device, "add_object", wrong) is ActionResult.TYPE_UNMATCHED


@pytest.mark.parametrize("version", [1, 2, 3])
def test_protection_that_is_given_with_an_object_is_asked_for(version: int) -> None:
    device = little(version)
    mode = {1: 4, 2: 4, 3: 1 | 4}[version]
    entry = with_mode(entries(View(device, 17), CURRENT, version)[3, Obis(ENERGY)], "attribute_access", 2, mode)
    assert act(device, "add_object", entry) is SUCCESS
    assert entries(View(device), CURRENT, version)[3, Obis(ENERGY)] == entry
    assert View(device).get(3, ENERGY, 2) is DataAccessResult.READ_WRITE_DENIED


def test_who_has_no_right_to_the_methods_changes_nothing() -> None:
    device = device_with(register(), rights=only(reading(), CURRENT, SERIAL), association_version=2)
    device.admit(Admission(client_sap=17, settings=ServerSettings(), rights=managing()))
    entry = entries(View(device, 17), CURRENT, 2)[3, Obis(ENERGY)]
    for method, parameter in (
        ("add_object", entry),
        ("remove_object", entry),
        ("add_user", UserListEntry(1, "one")),
        ("remove_user", UserListEntry(1, "one")),
    ):
        assert act(device, method, parameter) is ActionResult.READ_WRITE_DENIED
    assert set(entries(View(device), CURRENT, 2)) == {(15, Obis(CURRENT))}


def test_the_current_association_is_not_another_object() -> None:
    device = device_with()
    declared = interface_class(15, 1)
    assert declared is not None
    with pytest.raises(ConfigurationError):
        device.add(CosemObject(declared(CURRENT), {}))
    device.add(CosemObject(Data(CURRENT), {"value": (DataType.UNSIGNED, 1)}))
    assert View(device).get(1, CURRENT, 2).value() == 1


def test_objects_in_view_that_are_gone_after_a_restart_are_forgotten_until_they_come_back(tmp_path: Path) -> None:
    def make(state: Any, *objects: CosemObject) -> LogicalDevice:
        device = LogicalDevice("TST", now=lambda: NOW, state=state)
        device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=LITTLE))
        device.admit(Admission(client_sap=17, settings=ServerSettings(), rights=managing()))
        for served in objects:
            device.add(served)
        return device

    device = kept(tmp_path / "state", lambda state: make(state, register()))
    entry = entries(View(device, 17), CURRENT, 1)[3, Obis(ENERGY)]
    assert act(device, "add_object", entry) is SUCCESS
    without = kept(tmp_path / "state", make)
    assert View(without).get(3, ENERGY, 2) is DataAccessResult.OBJECT_UNDEFINED
    assert (3, Obis(ENERGY)) not in entries(View(without), CURRENT, 1)
    assert View(kept(tmp_path / "state", lambda state: make(state, register()))).get(3, ENERGY, 2).value() == 1


def test_what_is_written_is_told_with_its_object_and_client() -> None:
    device = device_with(register())
    told = happenings(device, "parameter-written")
    view = View(device)
    assert view.set(3, ENERGY, 2, EncodedData.of(DataType.UNSIGNED, 2)) is DataAccessResult.SUCCESS
    assert view.set(3, ENERGY, 2, EncodedData.of(DataType.LONG, 2)) is DataAccessResult.TYPE_UNMATCHED
    assert view.set(3, ENERGY, 3, EncodedData.of(DataType.LONG, 2)) is DataAccessResult.READ_WRITE_DENIED
    details = {"class_id": 3, "obis": Obis(ENERGY), "attribute": 2, "client_sap": 16}
    assert told == [("parameter-written", details)]
