"""Security setup on the server: policy and keys, what is refused, and what holds when (class 64)."""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from cosemic.apdu import CosemMethodDescriptor
from cosemic.association.parties import GeneralParties
from cosemic.association.requests import Action
from cosemic.association.service_provider import Access, Agreement
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, CosemicError, StoreError
from cosemic.model import SecuritySetup
from cosemic.model.security_setup import KeyTransferData
from cosemic.security import (
    EphemeralAgreement,
    MemoryCounterStore,
    Protection,
    PublicKey,
    SecurityMaterial,
    SoftwareAgreementKey,
    security_suite,
)
from cosemic.security.general import MemoryTransactionStore
from cosemic.security.signatures import verify
from cosemic.server import Admission, LogicalDevice, ScriptTableObject, managing
from cosemic.server import security_setup_object as under_test
from cosemic.server.objects import AccessRefused, Situation
from cosemic.server.scripts import executing
from cosemic.server.state import StateFile
from cosemic.values import ActionResult, AuthenticationMechanism, Conformance, DataAccessResult, Obis, Secret
from tests.server.security_support import (
    CIPHERED,
    CLIENT_TITLE,
    GAK,
    GBEK,
    GUEK,
    KEK,
    KINDS,
    LN,
    MANAGER,
    NAME,
    OTHER,
    SERVER_TITLE,
    SETUP,
    agreement,
    client_settings,
    device_of,
    invoke,
    keys_of,
    octets,
    opened,
    server_settings,
    settings_of,
    signs,
    transfer,
    with_dialect,
    wrapped,
)
from tests.server.support import BOTH, NOW, Local, View

DONE = ActionResult.SUCCESS
SCRIPTS = "0-0:10.0.100"
TYPE = ActionResult.TYPE_UNMATCHED
ENUM = DataType.ENUM
EPHEMERAL = bytes.fromhex("34A8C23A34DBB519D09B245754C85A6CFE05D14A063EFA5AA41545AA8241EFAE")
CLIENT_Q = bytes.fromhex(
    "2914D60E10AB705F62ED6CC349D7CB99B9AB3F3978E59278C7AF595B3AF987941372DAB6D5AF1FA867E134167E6F23DE664A6693E05F4341"
    "4611058D1B48F894"
)
CLIENT_SIGNATURE = bytes.fromhex(
    "06F0607702AA0E2435A183E2F6B1ECD19629712E389A213610C03F77B2590860EA840AF5C3FA1F2BCDF055D4744E9A01CE9A0E55026BCAA4"
    "EEBEB764CED64BB3"
)
AGREED = Agreement(CIPHERED, Conformance.ACTION, 0, 0, CLIENT_TITLE)


def activate(device: LogicalDevice, value: int) -> ActionResult:
    return invoke(device, 1, EncodedData.of(ENUM, value)).result


def send(device: LogicalDevice, entries: list[tuple[int, bytes]]) -> ActionResult:
    version = settings_of(device).policy.version
    return invoke(device, 2, transfer(version, entries)).result


# ---- security_activate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), list(product(range(4), range(6))))
def test_policies_of_version_0_become_stronger_and_nothing_else(before: int, after: int) -> None:
    device = device_of(server_settings(0, policy=before))
    stronger = after < 4 and after & before == before
    assert activate(device, after) is (DONE if stronger else OTHER if after < 4 else TYPE)
    assert settings_of(device).policy.value == (after if stronger else before)


@pytest.mark.parametrize("before", [0, 0x04, 0x6C, 0x20])
def test_policies_of_version_1_become_stronger_and_nothing_else(before: int) -> None:
    for after in range(256):
        device = device_of(server_settings(1, policy=before))
        # Digital signatures are not served in associations, so that a policy that asks for them shuts everybody out.
        stronger = not after & 0b10010011 and after & before == before
        assert (after, activate(device, after)) == (after, DONE if stronger else OTHER if not after & 3 else TYPE)
        assert settings_of(device).policy.value == (after if stronger else before)


@pytest.mark.parametrize("version", [0, 1])
def test_a_policy_of_another_type_is_refused(version: int) -> None:
    device = device_of(server_settings(version))
    assert invoke(device, 1, EncodedData.of(DataType.UNSIGNED, 4)).result is TYPE
    assert invoke(device, 1, None).result is TYPE


@pytest.mark.parametrize(("version", "policy"), [(0, 3), (1, 0x6C)])
def test_a_policy_holds_from_the_next_request_on(version: int, policy: int) -> None:
    device = device_of(server_settings(version, mechanism=AuthenticationMechanism.LOWEST))
    weak = opened(device, protection=Protection.AUTHENTICATED, mechanism=AuthenticationMechanism.LOWEST)
    assert weak.act(64, str(SETUP), 1, EncodedData.of(ENUM, policy)).result == DONE
    with pytest.raises(CosemicError):
        weak.get(64, str(SETUP), 2)
    strong = opened(device, mechanism=AuthenticationMechanism.LOWEST)
    assert strong.get(64, str(SETUP), 2) == policy


def test_a_policy_shuts_contexts_without_ciphering(tmp_path: Path) -> None:
    both = frozenset((LN, CIPHERED))
    settings = server_settings(1, context_names=both, mechanism=AuthenticationMechanism.LOWEST)
    with StateFile(tmp_path / "state") as file:
        device = device_of(settings, state=file.of(NAME))
        plain = Local(device, MANAGER).open()
        assert plain.get(64, str(SETUP), 2) == 0
        assert activate(device, 0x20) is DONE  # of answers alone
        assert plain.get(64, str(SETUP), 2) is DataAccessResult.READ_WRITE_DENIED
        assert plain.set(64, str(SETUP), 2, ENUM, 0) is DataAccessResult.READ_WRITE_DENIED
        with pytest.raises(CosemicError):
            Local(device, MANAGER).open()
    with StateFile(tmp_path / "state") as file, pytest.raises(CosemicError):
        Local(device_of(settings, state=file.of(NAME)), MANAGER).open()


def test_a_policy_that_no_association_can_fulfil_is_refused() -> None:
    settings = server_settings(1, context_names=frozenset((LN,)))
    device = device_of(settings)
    assert activate(device, 0x04) is OTHER
    assert settings_of(device) is settings


# ---- key_transfer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "suite"), KINDS)
@pytest.mark.parametrize("key_id", [GUEK, GBEK, GAK, KEK])
def test_each_key_is_transferred(version: int, suite: int, key_id: Any) -> None:
    device = device_of(server_settings(version, suite))
    before, fresh = keys_of(device), octets(0x33, suite)
    assert send(device, [(key_id, wrapped(fresh, suite))]) is DONE
    assert keys_of(device) == before | {key_id: fresh.reveal()}


def test_the_published_key_wrap_is_taken() -> None:
    kek = Secret(bytes.fromhex("00112233445566778899AABBCCDDEEFF"))
    guek, gak = octets(0x10), octets(0xD0)
    device = device_of(server_settings(0, material=SecurityMaterial.of(guek, gak, kek=kek)))
    assert send(device, [(GUEK, bytes.fromhex("26DE33DDF46BB04F7762E931BD7590FAEE90B48687571982"))]) is DONE
    assert keys_of(device)[GUEK] == bytes(range(16))


def test_all_keys_of_a_list_are_wrapped_under_the_master_key_of_before() -> None:
    device = device_of(server_settings())
    fresh = {key_id: octets(0x60 + key_id.value) for key_id in (KEK, GUEK, GBEK, GAK)}
    assert send(device, [(key_id, wrapped(key)) for key_id, key in fresh.items()]) is DONE
    assert keys_of(device) == {key_id: key.reveal() for key_id, key in fresh.items()}
    assert send(device, [(GUEK, wrapped(octets(1)))]) is OTHER  # under the master key that was
    assert send(device, [(GUEK, wrapped(octets(1), kek=fresh[KEK]))]) is DONE


@pytest.mark.parametrize(("version", "suite"), KINDS)
def test_every_changed_bit_of_a_wrapped_key_is_refused_with_the_whole_list(version: int, suite: int) -> None:
    device = device_of(server_settings(version, suite))
    settings = settings_of(device)
    good, bad = wrapped(octets(0x33, suite), suite), wrapped(octets(0x55, suite), suite)
    for bit in range(8 * len(bad)):
        flipped = (int.from_bytes(bad, "big") ^ 1 << bit).to_bytes(len(bad), "big")
        assert send(device, [(GAK, good), (GUEK, flipped)]) is OTHER
    assert settings_of(device) is settings


@pytest.mark.parametrize(("version", "suite"), KINDS)
def test_wrapped_keys_have_the_length_of_the_suite(version: int, suite: int) -> None:
    device = device_of(server_settings(version, suite))
    settings, exact = settings_of(device), security_suite(suite).wrapped_key_length
    whole = wrapped(octets(0x33, suite), suite)
    for length in range(64):
        if length != exact:
            assert send(device, [(GUEK, (whole * 3)[:length])]) is OTHER
    other = 2 if suite != 2 else 0
    assert send(device, [(GUEK, wrapped(octets(0x33, other), other, octets(0x80, other)))]) is OTHER
    assert settings_of(device) is settings


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [(0, 0x33), (0, 0x44)],
        [(2, 0x33), (0, 0x44), (2, 0x33)],
        [(4, 0x33)],
        [(255, 0x33)],
        [(0, 0x33), (4, 0x44)],
        [(0, 1), (1, 2), (2, 3), (3, 4), (0, 5)],
    ],
)
def test_repeated_unknown_and_missing_key_ids_change_nothing(entries: list[tuple[int, int]]) -> None:
    device = device_of(server_settings())
    settings = settings_of(device)
    rows = [[(ENUM, key_id), (DataType.OCTET_STRING, wrapped(octets(first)))] for key_id, first in entries]
    array = EncodedData.of(DataType.ARRAY, [(DataType.STRUCTURE, row) for row in rows])
    assert invoke(device, 2, array).result in (OTHER, TYPE)
    assert settings_of(device) is settings


def test_without_master_key_none_is_transferred() -> None:
    device = device_of(server_settings(material=SecurityMaterial.of(octets(0x10), octets(0xD0))))
    assert send(device, [(GUEK, wrapped(octets(0x33)))]) is OTHER
    assert keys_of(device)[GUEK] == octets(0x10).reveal()


@pytest.mark.parametrize(("version", "suite"), KINDS)
def test_the_answer_comes_under_the_old_keys_and_the_next_request_under_the_new(version: int, suite: int) -> None:
    device = device_of(server_settings(version, suite, mechanism=AuthenticationMechanism.HLS_GMAC))
    local = opened(device, suite)
    old, fresh = settings_of(device).material, octets(0x33, suite)
    parameters = transfer(version, [(GUEK, wrapped(fresh, suite)), (GAK, wrapped(octets(0x77, suite), suite))])
    assert local.act(64, str(SETUP), 2, parameters).result == DONE  # it could be deciphered with the old keys
    with pytest.raises(CosemicError):
        local.get(64, str(SETUP), 2)
    assert local.client.context is not None
    with pytest.raises(CosemicError):
        opened(device, suite, material=old)
    # The same association goes on, when its client takes the new keys too.
    other = opened(device, suite)
    assert other.get(64, str(SETUP), 2) == 0


def test_an_association_that_stands_goes_on_under_the_new_keys() -> None:
    device = device_of(server_settings(mechanism=AuthenticationMechanism.HLS_GMAC))
    first, second = opened(device), opened(device)
    assert first.act(64, str(SETUP), 2, transfer(1, [(GUEK, wrapped(octets(0x33)))])).result == DONE
    with pytest.raises(CosemicError):
        second.get(64, str(SETUP), 2)
    material = settings_of(device).material
    assert material is not None
    assert second.client.context is not None
    fresh = client_settings(material=material).context()
    assert fresh is not None
    fresh.set_peer_title(SERVER_TITLE)
    second.client.context = fresh
    assert second.get(64, str(SETUP), 2) == 0


def test_counters_of_a_fresh_key_begin_at_0_and_those_of_the_present_one_go_on() -> None:
    device = device_of(server_settings(mechanism=AuthenticationMechanism.HLS_GMAC))
    client = device.client(MANAGER)
    assert client is not None
    counters = MemoryCounterStore()
    local = opened(device, counters=counters)
    local.get(64, str(SETUP), 2)
    lowest = client.lowest_acceptable_counter()
    assert lowest > 2
    present = octets(0x10)
    assert local.act(64, str(SETUP), 2, transfer(1, [(GUEK, wrapped(present))])).result == DONE
    assert client.lowest_acceptable_counter() == lowest + 1
    assert local.get(64, str(SETUP), 2) == 0
    assert local.act(64, str(SETUP), 2, transfer(1, [(GUEK, wrapped(octets(0x33)))])).result == DONE
    assert client.lowest_acceptable_counter() == 0
    opened(device, counters=counters)
    assert 0 < client.lowest_acceptable_counter() < 4


def test_an_association_with_a_dedicated_key_keeps_its_keys_and_counters() -> None:
    device = device_of(server_settings(mechanism=AuthenticationMechanism.HLS_GMAC))
    local = opened(device, dedicated_key=True)
    assert local.act(64, str(SETUP), 2, transfer(1, [(GUEK, wrapped(octets(0x33)))])).result == DONE
    assert local.get(64, str(SETUP), 2) == 0
    assert opened(device).get(64, str(SETUP), 2) == 0


def test_a_key_transfer_that_was_held_back_comes_too_late() -> None:
    device = device_of(server_settings(mechanism=AuthenticationMechanism.HLS_GMAC))
    first = opened(device)
    method = CosemMethodDescriptor(64, SETUP, 2)
    first.client.send(Action(method, transfer(1, [(GUEK, wrapped(octets(0x33)))])))
    first.client.tick(0.0)
    held = first.client.octets_to_send()
    assert opened(device).get(64, str(SETUP), 2) == 0  # the present keys are proved
    first.server.receive(held, 0.0)
    assert first.server.octets_to_send()[:2] == bytes.fromhex("d801")
    assert keys_of(device)[GUEK] == octets(0x10).reveal()


@pytest.mark.parametrize("applied", [Protection.NONE, Protection.ENCRYPTED])
def test_keys_are_not_taken_from_a_request_that_could_be_a_recorded_one(applied: Protection) -> None:
    device = device_of(server_settings(1, 1))
    settings = settings_of(device)
    denied = ActionResult.READ_WRITE_DENIED
    assert invoke(device, 2, transfer(1, [(GUEK, wrapped(octets(0x33)))]), applied).result is denied
    assert invoke(device, 3, agreement([(GUEK, CLIENT_Q + CLIENT_SIGNATURE)]), applied).result is denied
    assert settings_of(device) is settings
    assert invoke(device, 2, transfer(1, [(GUEK, wrapped(octets(0x33)))]), Protection.AUTHENTICATED).result is DONE


def test_a_script_transfers_no_keys() -> None:
    device = device_of(server_settings(1, 1))
    before = keys_of(device)
    sent = (KeyTransferData(GUEK, wrapped(octets(0x33))),)
    device.add(ScriptTableObject(device, SCRIPTS, {1: [executing(SecuritySetup(SETUP).key_transfer, sent)]}))
    answer = View(device, MANAGER, Protection.NONE).act(9, SCRIPTS, 1, EncodedData.of(DataType.LONG_UNSIGNED, 1))
    assert answer.result is OTHER
    assert keys_of(device) == before


def test_keys_change_for_all_clients_of_the_setup() -> None:
    settings = server_settings(mechanism=AuthenticationMechanism.LOWEST)
    device = device_of(settings)
    device.admit(Admission(client_sap=2, settings=settings, rights=managing(), security_setup=SETUP))
    assert send(device, [(GUEK, wrapped(octets(0x33)))]) is DONE
    assert settings_of(device, 2).material is settings_of(device).material
    device.admit(Admission(client_sap=3, settings=settings, rights=managing(), security_setup=SETUP))
    assert settings_of(device, 3).material == settings_of(device).material
    other = server_settings(policy=0x04)
    with pytest.raises(ConfigurationError, match="one set of keys"):
        device.admit(Admission(client_sap=4, settings=other, rights=managing(), security_setup=SETUP))


def test_the_same_keys_need_one_store_of_counters() -> None:
    """Otherwise two clients are answered under the same key and nonce."""
    settings = server_settings(mechanism=AuthenticationMechanism.LOWEST)
    device = device_of(settings)
    apart = replace(settings, counters=MemoryCounterStore())
    with pytest.raises(ConfigurationError, match="one store of invocation counters"):
        device.admit(Admission(client_sap=2, settings=apart, rights=managing(), security_setup=SETUP))


def test_transaction_ids_are_kept_in_one_store_for_all_clients() -> None:
    """Otherwise what a third party has asked through one client is served again through another."""
    kept = GeneralParties(transactions=MemoryTransactionStore())
    settings = server_settings(mechanism=AuthenticationMechanism.LOWEST, parties=kept)
    device = device_of(settings)
    apart = replace(settings, parties=replace(kept, transactions=MemoryTransactionStore()))
    with pytest.raises(ConfigurationError, match="the same one"):
        device.admit(Admission(client_sap=2, settings=apart, rights=managing()))
    assert device.client(2) is None
    device.admit(Admission(client_sap=2, settings=settings, rights=managing()))


def test_a_key_change_is_told_without_the_key() -> None:
    device, told = device_of(server_settings()), []
    device.listeners.append(told.append)
    fresh = octets(0x33)
    assert send(device, [(GUEK, wrapped(fresh)), (KEK, wrapped(octets(0x44)))]) is DONE
    assert [(one.name, one.details["key"]) for one in told] == [
        ("global-key-changed", "global-unicast-encryption-key"),
        ("global-key-changed", "master-key"),
    ]
    assert fresh.reveal().hex() not in repr(told)


# ---- what is kept ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "suite"), KINDS)
def test_keys_and_policy_are_kept_before_the_answer_leaves(tmp_path: Path, version: int, suite: int) -> None:
    policy = 0x6C if version else 3
    fresh = {key_id: octets(0x60 + 7 * key_id.value, suite) for key_id in (KEK, GUEK, GBEK, GAK)}
    settings = server_settings(version, suite)
    with StateFile(tmp_path / "state") as file, StateFile(tmp_path / "state") as reader:
        device = device_of(settings, state=file.of(NAME))
        assert send(device, [(key_id, wrapped(key, suite)) for key_id, key in fresh.items()]) is DONE
        assert activate(device, policy) is DONE
        other = device_of(settings, state=reader.of(NAME))  # another process, while this one goes on
        assert keys_of(other) == keys_of(device) == {key_id: key.reveal() for key_id, key in fresh.items()}
        assert settings_of(other).policy.value == policy
        assert activate(other, 0) is OTHER
        held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for key in fresh.values():
        raw = key.reveal()
        for form in (raw, raw.hex().encode(), raw.hex().upper().encode(), base64.b64encode(raw)):
            assert form[:12] not in held


@pytest.mark.parametrize(
    ("version", "activated", "configured", "holds"),
    [(0, 1, 2, 3), (0, 3, 1, 3), (1, 0x04, 0x6C, 0x6C), (1, 0x24, 0x08, 0x2C)],
)
def test_a_policy_that_is_configured_meanwhile_holds_as_well(
    tmp_path: Path, version: int, activated: int, configured: int, holds: int
) -> None:
    with StateFile(tmp_path / "state") as file:
        assert activate(device_of(server_settings(version), state=file.of(NAME)), activated) is DONE
        again = device_of(server_settings(version, policy=configured), state=file.of(NAME))
        assert settings_of(again).policy.value == holds


def test_a_state_of_other_keys_does_not_open(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        assert send(device_of(server_settings(), state=file.of(NAME)), [(GUEK, wrapped(octets(0x33)))]) is DONE
        other = server_settings(material=SecurityMaterial.of(octets(0x10), octets(0xD0), kek=octets(0x81)))
        with pytest.raises(StoreError, match="fresh state file"):
            device_of(other, state=file.of(NAME))


def test_a_changed_state_does_not_open(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        state = file.of(NAME)
        assert send(device_of(server_settings(), state=state), [(GUEK, wrapped(octets(0x33)))]) is DONE
        name = f"64/{SETUP} keys"
        kept = state.load(name)
        assert kept is not None
        for position in (0, 12, len(kept) - 1):
            changed = bytearray(kept)
            changed[position] ^= 1
            state.save(name, bytes(changed))
            with pytest.raises(StoreError):
                device_of(server_settings(), state=state)
        state.save(f"64/{SETUP} policy", kept)  # one secret in the place of another
        state.save(name, kept)
        with pytest.raises(StoreError):
            device_of(server_settings(), state=state)


def test_what_is_sealed_for_one_setup_does_not_open_in_another(tmp_path: Path) -> None:
    """Neither in the same device nor in another one, though all have the same keys."""
    second = "0-0:43.0.1"

    def device(name: str = NAME, title: bytes = SERVER_TITLE) -> LogicalDevice:
        made = LogicalDevice(name, now=lambda: NOW, state=file.of(name))
        for client_sap, instance in ((MANAGER, SETUP), (2, Obis(second))):
            settings = server_settings(1, 1, system_title=title)
            made.admit(Admission(client_sap=client_sap, settings=settings, rights=managing(), security_setup=instance))
        return made

    with StateFile(tmp_path / "state") as file:
        first = device()
        assert activate(first, 0x6C) is DONE
        weaker = View(first, 2, BOTH).act(64, second, 1, EncodedData.of(ENUM, 4))
        assert weaker.result is DONE
        state, other = file.of(NAME), file.of("TST0000000000002")
        kept, moved = state.load(f"64/{SETUP} policy"), state.load(f"64/{second}*255 policy")
        assert kept is not None
        assert moved is not None
        state.save(f"64/{SETUP} policy", moved)
        with pytest.raises(StoreError):
            device()
        state.save(f"64/{SETUP} policy", kept)
        assert settings_of(device()).policy.value == 0x6C
        other.save(f"64/{SETUP} policy", kept)
        with pytest.raises(StoreError):
            device("TST0000000000002", bytes(7) + b"2")


def test_a_change_that_cannot_be_kept_is_not_answered_as_done(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        device = device_of(server_settings(), state=file.of(NAME))
        file.connection.execute("DROP TABLE state")
        assert send(device, [(GUEK, wrapped(octets(0x33)))]) is ActionResult.HARDWARE_FAULT
        assert activate(device, 4) is ActionResult.HARDWARE_FAULT  # it serves no more


# ---- key_agreement --------------------------------------------------------------------------------------------------


def agree(device: LogicalDevice, entries: list[tuple[int, bytes]], agreed: Agreement | None = AGREED) -> Any:
    """The answers of key_agreement, (key_id, key_data) each; an action-result where it is refused."""
    served = device.object(64, SETUP)
    assert served is not None
    try:
        found = served.invoke(3, agreement(entries), Situation(NOW, MANAGER, agreed, Access(BOTH, agreed)))
    except AccessRefused as refused:
        return ActionResult[refused.result.name]
    assert found is not None
    return [(row[0], row[1]) for row in found.value()]


@pytest.mark.parametrize(
    ("arc", "key"), [(5, "C5F4512846EDE51CFB8CCF59F08A694E"), (6, "E025CA6F9EE8D2B40F993739D44CFBC0")]
)
def test_the_published_key_agreement_gives_the_published_key(
    arc: int, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ephemeral = SoftwareAgreementKey.of(EPHEMERAL, security_suite(1))
    fixed = partial(EphemeralAgreement, make_ephemeral=lambda suite: ephemeral)
    monkeypatch.setattr(under_test, "EphemeralAgreement", fixed)
    device = device_of(with_dialect(server_settings(1, 1), kdf_algorithm_arc=arc))
    ((key_id, data),) = agree(device, [(GUEK, CLIENT_Q + CLIENT_SIGNATURE)])
    assert keys_of(device)[GUEK] == bytes.fromhex(key)
    assert (key_id, data[:64]) == (0, ephemeral.public.octets)
    verify(signs(1)["s"].public, b"\0" + data[:64], data[64:])


@pytest.mark.parametrize("suite", [1, 2])
def test_all_four_keys_are_agreed_and_both_sides_have_them(suite: int) -> None:
    device = device_of(server_settings(1, suite))
    client = EphemeralAgreement(
        signs(suite)["c"], signs(suite)["s"].public, CLIENT_TITLE, SERVER_TITLE, suite=security_suite(suite)
    )
    before = keys_of(device)
    answers = agree(device, [(key_id, client.offer(key_id)) for key_id in range(4)])
    keys = client.accept_all(answers)
    assert keys_of(device) == {key_id: keys[key_id.value].reveal() for key_id in before}
    assert not {*keys_of(device).values()} & {*before.values()}


def test_every_changed_octet_of_an_offer_is_refused_with_the_whole_list() -> None:
    device = device_of(server_settings(1, 1))
    settings = settings_of(device)
    client = EphemeralAgreement(
        signs(1)["c"], signs(1)["s"].public, CLIENT_TITLE, SERVER_TITLE, suite=security_suite(1)
    )
    good, bad = client.offer(2), CLIENT_Q + CLIENT_SIGNATURE
    for position in range(len(bad)):
        changed = bytearray(bad)
        changed[position] ^= 1
        assert agree(device, [(2, good), (0, bytes(changed))]) is OTHER
    for entries in (
        [(1, bad)],  # the signature is over another key_id
        [(0, bad), (0, bad)],
        [(0, bad[:-1])],
        [(0, bad + b"\0")],
        [(0, b"")],
        [],
    ):
        assert agree(device, entries) is OTHER
    assert settings_of(device) is settings


def test_offers_of_others_and_without_a_title_are_refused() -> None:
    device = device_of(server_settings(1, 1))
    settings = settings_of(device)
    offer = [(0, CLIENT_Q + CLIENT_SIGNATURE)]
    stranger = Agreement(CIPHERED, Conformance.ACTION, 0, 0, b"STRANGER")
    mirrored = Agreement(CIPHERED, Conformance.ACTION, 0, 0, SERVER_TITLE)
    nobody = Agreement(CIPHERED, Conformance.ACTION, 0, 0, None)
    for agreed in (None, stranger, mirrored, nobody):
        assert agree(device, offer, agreed) is OTHER
    small = Agreement(CIPHERED, Conformance.ACTION, 0, 128, CLIENT_TITLE)
    assert agree(device, offer, small) is OTHER  # further blocks of the answer would be asked for under other keys
    assert settings_of(device) is settings


def test_a_point_that_is_off_the_curve_is_refused_though_it_is_signed() -> None:
    device = device_of(server_settings(1, 1))
    off = bytearray(CLIENT_Q)
    off[-1] ^= 1
    with pytest.raises(CosemicError):
        PublicKey.of(bytes(off), security_suite(1))
    signature = signs(1)["c"].sign(b"\0" + bytes(off))
    assert agree(device, [(0, bytes(off) + signature)]) is OTHER


def test_methods_that_need_signatures_are_not_announced_without_them() -> None:
    for version, suite, served in ((0, 0, {1, 2}), (1, 0, {1, 2}), (1, 1, {1, 2, 3}), (1, 2, {1, 2, 3})):
        found = device_of(server_settings(version, suite)).object(64, SETUP)
        assert found is not None
        assert found.invocable == served
    assert invoke(device_of(server_settings()), 3, agreement([(0, b"")])).result is ActionResult.READ_WRITE_DENIED


def test_version_0_knows_suite_0_alone() -> None:
    with pytest.raises(ConfigurationError, match="version 1"):
        device_of(server_settings(0, 1))


@pytest.mark.parametrize("method", range(9))
@pytest.mark.parametrize("parameters", ["0f00", "0100", "0200", "1600", "0900", "01010202160009", "010102021600090101"])
def test_any_parameter_is_answered(method: int, parameters: str) -> None:
    device = device_of(server_settings(1, 1))
    settings = settings_of(device)
    try:
        value = EncodedData(bytes.fromhex(parameters))
        invoke(device, method, value)
    except CosemicError:  # the octets are no data: an association would not take them
        pass
    assert settings_of(device).material is settings.material


def test_the_invocation_counter_object_goes_with_the_key() -> None:
    device = device_of(server_settings(mechanism=AuthenticationMechanism.HLS_GMAC))
    local = opened(device)
    shown = Local(device, 16).open()
    before = shown.get(1, "0-0:43.1.0", 2)
    assert before > 0
    assert local.act(64, str(SETUP), 2, transfer(1, [(GUEK, wrapped(octets(0x33)))])).result == DONE
    assert shown.get(1, "0-0:43.1.0", 2) == 0
