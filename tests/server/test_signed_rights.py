"""Rights and policies that ask for digital signatures, in a device: general-signing, third parties, raised policies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cosemic.apdu import CosemAttributeDescriptor, CosemMethodDescriptor
from cosemic.association.requests import Action, Get, PassOn, Set
from cosemic.association.settings import ClientSettings
from cosemic.association.third_party import ThirdParty as Asking
from cosemic.client.known_rights import known_rights
from cosemic.client.view import listed
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, ExceptionReceived, PolicyViolation
from cosemic.model import AssociationLN
from cosemic.security import Protection, Requirement, SecurityPolicy
from cosemic.security.general import LayerPlan
from cosemic.server import Admission, LogicalDevice, data, first, managing, only
from cosemic.values import ActionResult, DataAccessResult, Obis
from tests.association.general_samples import (
    BOTH,
    SIGNED,
    K,
    ciphered,
    material,
    parties,
    signed_then_ciphered,
    third,
)
from tests.association.samples import CLIENT_TITLE, SERVER_TITLE
from tests.association.samples import settings as fitting
from tests.server.support import NOW, Local

MANAGER = 1
SETUP = Obis("0-0:43.0.0")
NOTE = Obis("0-0:96.1.0")
OPEN = Obis("0-0:96.1.1")
BOTH_SIGNED = Requirement(BOTH | SIGNED, BOTH | SIGNED)


def device_of(suite: int = 1, policy: int = 0x6C, **changed: Any) -> tuple[LogicalDevice, ClientSettings]:
    """A device with one object that asks for signatures and one that does not, and the settings of its client."""
    client, server = fitting(
        ciphered=True,
        suite=suite,
        policy=SecurityPolicy(1, policy),
        client={
            "material": material(suite),
            "server_title": SERVER_TITLE,
            "parties": parties(CLIENT_TITLE, suite),
            "require": BOTH,
        },
        server={"material": material(suite), "parties": parties(SERVER_TITLE, suite)} | changed,
    )
    device = LogicalDevice("TST0000000000001", now=lambda: NOW, association_version=3)
    for name in (NOTE, OPEN):
        device.add(data(name, DataType.UNSIGNED, 7, writable=True))
    rights = first(only(managing(BOTH_SIGNED), str(NOTE)), managing())
    device.admit(Admission(client_sap=MANAGER, settings=server, rights=rights, security_setup=SETUP))
    return device, client


def note(name: Obis = NOTE) -> CosemAttributeDescriptor:
    return CosemAttributeDescriptor(1, name, 2)


@pytest.mark.parametrize("suite", [1, 2])
def test_an_attribute_that_asks_for_signatures_is_served_signed_only(suite: int) -> None:
    device, client = device_of(suite)
    local = Local(device, MANAGER, client).open()
    assert local.request(Get(note(OPEN))) == EncodedData.of(DataType.UNSIGNED, 7)
    assert local.request(Get(note())) is DataAccessResult.READ_WRITE_DENIED
    assert local.request(Get(note(), layers=ciphered(K.ONE_PASS))) is DataAccessResult.READ_WRITE_DENIED
    strict = replace(client, require=BOTH | SIGNED, layers=signed_then_ciphered(K.ONE_PASS))
    local.release()
    local = Local(device, MANAGER, strict).open()
    assert local.request(Get(note())) == EncodedData.of(DataType.UNSIGNED, 7)
    assert local.request(Set(note(), EncodedData.of(DataType.UNSIGNED, 8))) is DataAccessResult.SUCCESS
    with pytest.raises(PolicyViolation, match="signed"):
        local.request(Get(note(OPEN)))  # served, but nothing asks the device to sign it


@pytest.mark.parametrize("layers", [None, signed_then_ciphered()], ids=["in the ciphered form", "in layers"])
def test_nothing_is_changed_where_the_answer_could_not_be_signed_as_the_rights_demand(layers: LayerPlan | None) -> None:
    device, client = device_of()
    (manager,) = device.clients
    asks = managing(Requirement(Protection.NONE, SIGNED))
    device.admit(Admission(client_sap=2, settings=manager.settings, rights=asks))
    local = Local(device, 2, client).open()
    answer = local.request(Set(note(OPEN), EncodedData.of(DataType.UNSIGNED, 8), layers=layers))
    assert answer is (DataAccessResult.READ_WRITE_DENIED if layers is None else DataAccessResult.SUCCESS)
    local.release()
    served = Local(device, MANAGER, client).open().request(Get(note(OPEN)))
    assert served == EncodedData.of(DataType.UNSIGNED, 7 if layers is None else 8)


def test_the_association_shows_the_bits_of_signatures() -> None:
    device, client = device_of()
    local = Local(device, MANAGER, client).open()
    objects = local.request(Get(CosemAttributeDescriptor(15, Obis("0-0:40.0.0"), 2)))
    rows = {each.logical_name: each for each in AssociationLN.object_list.decode(objects.typed())}
    (value,) = [each for each in rows[NOTE].access_rights.attribute_access if each.attribute_id == 2]
    assert int(value.access_mode) == 0xFF


def test_a_client_that_has_read_the_rights_asks_for_nothing_less_protected() -> None:
    device, client = device_of()
    local = Local(device, MANAGER, client).open()
    view = listed(local.request(Get(CosemAttributeDescriptor(15, Obis("0-0:40.0.0"), 2))))
    local.release()
    local = Local(device, MANAGER, replace(client, rights=known_rights(view))).open()
    assert local.request(Get(note(OPEN))) == EncodedData.of(DataType.UNSIGNED, 7)
    with pytest.raises(PolicyViolation, match="the request is not signed"):
        local.client.send(Get(note()))
    assert local.request(Get(note(), layers=signed_then_ciphered())) == EncodedData.of(DataType.UNSIGNED, 7)


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_rights_are_known_as_each_version_codes_them(version: int) -> None:
    asks = Requirement(Protection.AUTHENTICATED, Protection.AUTHENTICATED) if version else Requirement()
    client, server = fitting(ciphered=True, suite=1, client={"material": material(1)}, server={"material": material(1)})
    device = LogicalDevice("TST0000000000001", now=lambda: NOW, association_version=version)
    device.add(data(OPEN, DataType.UNSIGNED, 7))
    device.admit(Admission(client_sap=MANAGER, settings=server, rights=managing(asks)))
    local = Local(device, MANAGER, client).open()
    view = listed(local.request(Get(CosemAttributeDescriptor(15, Obis("0-0:40.0.0"), 2))))
    rights = known_rights(view)
    assert rights.of_attribute(note(OPEN)) == asks
    assert rights.of_attribute(note()) == Requirement()
    reply = CosemMethodDescriptor(15, Obis("0-0:40.0.0"), 1)
    assert rights.of_method(reply) == Requirement()


def test_rights_ask_for_signatures_only_where_somebody_makes_them() -> None:
    with pytest.raises(ConfigurationError, match="who signs"):
        device_of(parties=None)


@pytest.mark.parametrize("suite", [1, 2])
def test_a_third_party_has_the_rights_of_the_client_that_brings_it(suite: int) -> None:
    device, client = device_of(suite)
    local = Local(device, MANAGER, client).open()

    def asked(asking: Asking, request: Any) -> Any:
        asking.send(request)
        (event,) = asking.receive(local.request(PassOn(asking.octets_to_send(), layers=ciphered())))
        return event.result  # type: ignore[union-attr]

    assert asked(third(suite), Get(note())) == EncodedData.of(DataType.UNSIGNED, 7)
    unsigned = third(suite, ciphered(K.ONE_PASS))
    assert asked(unsigned, Get(note())) is DataAccessResult.READ_WRITE_DENIED


def raised_to(local: Local, policy: int, layers: LayerPlan | None) -> Any:
    method = CosemMethodDescriptor(64, SETUP, 1)
    return local.request(Action(method, EncodedData.of(DataType.ENUM, policy), layers=layers)).result


def test_a_policy_that_asks_for_signatures_holds_from_the_next_request_on() -> None:
    device, client = device_of()
    local = Local(device, MANAGER, client).open()
    assert raised_to(local, 0xFC, None) is ActionResult.SUCCESS
    with pytest.raises(ExceptionReceived, match="operation-not-possible"):
        local.request(Get(note(OPEN)))
    answer = local.request(Get(note(OPEN), layers=signed_then_ciphered()))
    assert answer == EncodedData.of(DataType.UNSIGNED, 7)
    local.release()
    strict = replace(client, require=BOTH | SIGNED, layers=signed_then_ciphered(K.STATIC))
    assert Local(device, MANAGER, strict).open().request(Get(note(OPEN))) == EncodedData.of(DataType.UNSIGNED, 7)


def test_a_policy_is_not_raised_to_signatures_that_nobody_makes() -> None:
    for changed in ({"parties": None}, {"parties": parties(SERVER_TITLE, 1, signing_key=None)}):
        device, client = device_of_without_rights(**changed)
        local = Local(device, MANAGER, client).open()
        assert raised_to(local, 0xFC, None) is ActionResult.OTHER_REASON
        assert local.request(Get(note(OPEN))) == EncodedData.of(DataType.UNSIGNED, 7)


def device_of_without_rights(**changed: Any) -> tuple[LogicalDevice, ClientSettings]:
    client, server = fitting(
        ciphered=True,
        suite=1,
        policy=SecurityPolicy(1, 0x6C),
        client={"material": material(1)},
        server={"material": material(1)} | changed,
    )
    device = LogicalDevice("TST0000000000001", now=lambda: NOW, association_version=3)
    device.add(data(OPEN, DataType.UNSIGNED, 7))
    device.admit(Admission(client_sap=MANAGER, settings=server, rights=managing(), security_setup=SETUP))
    return device, client
