"""Changing keys: whatever is lost on the way, the meter can be reached afterwards and the keeper knows its keys."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.client.procedures.security import KeyChange
from cosemic.client.recovery import NONE
from cosemic.errors import ActionFailed, ChangeNotMade, ConfigurationError, CosemicError, OutcomeUnknown, StoreError
from cosemic.model.security_setup import SetupKeyId
from cosemic.security import MemoryCounterStore, Protection, SecurityMaterial, security_suite
from cosemic.security.key_keeper import KeyKeeper, KeyState, MemoryKeyKeeper
from cosemic.server import LogicalDevice
from cosemic.store.kept_keys import StoredKeys
from cosemic.store.key_store import KeyFile, KeyStore, NewRecord, RecordKind
from cosemic.values import AuthenticationMechanism
from tests.client.procedures.bench import Fault
from tests.client.procedures.key_bench import KeyBench, keeper_of, meter
from tests.effort import examples
from tests.server.security_support import GAK, GBEK, GUEK, KEK, KINDS, keys_of, octets

CURRENT, PENDING, PREVIOUS = KeyState.CURRENT, KeyState.PENDING, KeyState.PREVIOUS
ALL = (GUEK, GAK, GBEK, KEK)


def revealed(keeper: KeyKeeper, state: KeyState = CURRENT) -> dict[SetupKeyId, bytes]:
    return {key_id: secret.reveal() for key_id, secret in keeper.keys(state).items()}


def assert_known(device: LogicalDevice, keeper: KeyKeeper) -> None:
    """The keeper has the keys of the meter, and nothing is in doubt."""
    kept = revealed(keeper)
    assert kept.items() <= keys_of(device).items()
    assert not keeper.keys(PENDING)


@pytest.mark.parametrize(("version", "suite"), KINDS)
def test_fresh_keys_are_proved_and_kept(version: int, suite: int) -> None:
    device, keeper = meter(version, suite), keeper_of(suite)
    bench = KeyBench(device, suite)
    before = revealed(keeper)
    assert bench.run(bench.security.change_keys(keeper, ALL)) == KeyChange(True, ALL)
    assert_known(device, keeper)
    assert revealed(keeper, PREVIOUS) == before
    assert not {*before.values()} & {*revealed(keeper).values()}
    assert {len(key) for key in revealed(keeper).values()} == {security_suite(suite).key_length}
    assert bench.run(bench.security.state()).suite.id == suite  # the association stands under the new keys
    assert bench.run(bench.security.change_keys(keeper)).made  # and once more, under the new master key
    assert_known(device, keeper)


def test_given_keys_are_taken() -> None:
    device, keeper = meter(), keeper_of()
    bench = KeyBench(device)
    given = {GUEK: octets(0x21), KEK: octets(0x31)}
    bench.run(bench.security.change_keys(keeper, given))
    assert revealed(keeper) == {GUEK: octets(0x21).reveal(), GAK: octets(0xD0).reveal(), KEK: octets(0x31).reveal()}
    assert_known(device, keeper)


def requests_of_a_change(version: int = 1) -> int:
    bench = KeyBench(meter(version))
    bench.run(bench.session.open())
    before = bench.requests
    bench.run(bench.security.change_keys(keeper_of(), ALL))
    return bench.requests - before


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("fault", list(Fault))
def test_whatever_is_lost_the_meter_is_reached_again(fault: Fault, version: int) -> None:
    whole = requests_of_a_change(version)
    assert whole == 5  # the association view, key_transfer, two passes of the new association, a reading in it
    outcomes = []
    for number in range(1, whole + 1):
        device, keeper, counters = meter(version), keeper_of(), MemoryCounterStore()
        bench = KeyBench(device, counters=counters)
        bench.run(bench.session.open())
        bench.requests, bench.faults = 0, {number: fault}
        try:
            outcomes.append(bench.run(bench.security.change_keys(keeper, ALL)).made)
            assert_known(device, keeper)
        except ChangeNotMade:
            outcomes.append(False)
            assert_known(device, keeper)
        again = KeyBench(device, counters=counters)
        again.run(again.security.open_with(keeper))
        assert again.run(again.security.state()).policy.value == 0
        assert_known(device, keeper)
    # One answer that is lost never leaves the keys in doubt; what did not arrive was not done.
    assert outcomes.count(False) == (fault in (Fault.LOST_BEFORE, Fault.MUTE_BEFORE))


@pytest.mark.parametrize("fault", list(Fault))
def test_without_recovery_nothing_is_lost_either(fault: Fault) -> None:
    for number in range(1, requests_of_a_change() + 1):
        device, keeper, counters = meter(), keeper_of(), MemoryCounterStore()
        bench = KeyBench(device, counters=counters, recovery=NONE)
        bench.run(bench.session.open())
        bench.requests, bench.faults = 0, {number: fault, number + 1: fault, number + 2: fault}
        try:
            bench.run(bench.security.change_keys(keeper, ALL))
        except OutcomeUnknown:
            assert keeper.keys(PENDING)
        except CosemicError:
            pass
        else:
            assert_known(device, keeper)
        again = KeyBench(device, counters=counters)
        again.run(again.security.open_with(keeper))
        assert_known(device, keeper)


def test_a_client_that_is_killed_at_any_step_recovers_the_meter() -> None:
    ended = False
    settled = set()
    step = 0
    while not ended:
        device, keeper, counters = meter(), keeper_of(), MemoryCounterStore()
        before = keys_of(device)
        bench = KeyBench(device, counters=counters)
        bench.run(bench.session.open())
        ended = bench.until(step, bench.security.change_keys(keeper, ALL))
        again = KeyBench(device, counters=counters)
        again.run(again.security.open_with(keeper))
        assert_known(device, keeper)
        settled.add(keys_of(device) == before)
        step += 1
    assert settled == {True, False}
    assert step > 5


@given(st.lists(st.dictionaries(st.integers(1, 12), st.sampled_from(Fault), max_size=8), min_size=1, max_size=4))
@examples(40, deadline=None)
def test_after_any_faults_in_any_number_of_lives_the_meter_is_recovered(lives: list[dict[int, Fault]]) -> None:
    device, keeper, counters = meter(), keeper_of(), MemoryCounterStore()
    before = KeyBench(device, counters=counters)
    before.run(before.session.open())  # the counters of the keys before are known
    for faults in lives:
        bench = KeyBench(device, counters=counters)
        bench.faults = faults
        with suppress(CosemicError):
            bench.run(bench.security.open_with(keeper))
            bench.run(bench.security.change_keys(keeper, ALL))
            assert_known(device, keeper)
    again = KeyBench(device, counters=counters)
    again.run(again.security.open_with(keeper))
    assert_known(device, keeper)


def test_a_meter_that_cannot_be_reached_stays_in_doubt_until_it_can() -> None:
    device, keeper, counters = meter(), keeper_of(), MemoryCounterStore()
    bench = KeyBench(device, counters=counters)
    bench.run(bench.security.state())  # the association view is known from here on
    bench.faults = dict.fromkeys(range(bench.requests + 1, 100), Fault.LOST_AFTER)
    old = revealed(keeper)
    with pytest.raises(OutcomeUnknown, match="both are kept"):
        bench.run(bench.security.change_keys(keeper))
    assert revealed(keeper) == old
    assert set(keeper.keys(PENDING)) == {GUEK, GAK}
    with pytest.raises(OutcomeUnknown):
        bench.run(bench.security.recover_keys(keeper))
    bench.fresh()
    assert bench.run(bench.security.recover_keys(keeper)) == KeyChange(True, (GUEK, GAK))
    assert_known(device, keeper)
    assert bench.run(bench.security.recover_keys(keeper)) == KeyChange(False, ())


def test_a_change_that_was_interrupted_is_settled_before_another() -> None:
    device, keeper = meter(), keeper_of()
    bench = KeyBench(device)
    interrupted = {GUEK: octets(0x61), GAK: octets(0x62)}
    keeper.propose(interrupted)
    assert bench.run(bench.security.change_keys(keeper)).made
    assert_known(device, keeper)
    assert revealed(keeper, PREVIOUS)[GUEK] == octets(0x10).reveal()  # those that never arrived were not current


def test_a_refusal_leaves_nothing_pending() -> None:
    device, keeper = meter(), keeper_of()
    wrong = MemoryKeyKeeper({**keeper.keys(CURRENT), KEK: octets(0x55)})
    bench = KeyBench(device)
    with pytest.raises(ActionFailed):
        bench.run(bench.security.change_keys(wrong))
    assert not wrong.keys(PENDING)
    assert keys_of(device)[GUEK] == octets(0x10).reveal()
    assert bench.run(bench.security.state())


def test_success_is_not_believed_before_it_is_proved() -> None:
    device, keeper = meter(), keeper_of()
    client = device.client(1)
    assert client is not None
    before = client.settings
    bench = KeyBench(device)
    bench.run(bench.session.open())

    def forget(happening: Any) -> None:
        client.settings = before

    device.listeners.append(forget)
    with pytest.raises(ChangeNotMade, match="goes on with the old keys"):
        bench.run(bench.security.change_keys(keeper))
    assert_known(device, keeper)


def test_neither_key_set_is_tried_often() -> None:
    device, keeper = meter(), keeper_of()
    bench = KeyBench(device)
    bench.run(bench.session.open())
    third = meter(1, 0, material=client_material(0x99))
    bench.physical = KeyBench(third).physical  # another meter answers, with keys that nobody has
    keeper.propose({GUEK: octets(0x61)})
    told: list[str] = []
    third.listeners.append(lambda happening: told.append(happening.name))
    with pytest.raises(OutcomeUnknown):
        bench.run(bench.security.recover_keys(keeper))
    assert told.count("association-failed") <= 4
    assert set(keeper.keys(PENDING)) == {GUEK}
    assert keeper.keys(CURRENT)


def client_material(first: int) -> SecurityMaterial:
    return SecurityMaterial.of(octets(first), octets(first + 1), kek=octets(first + 2))


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ((KEK,), "unicast encryption key"),
        ((GBEK,), "unicast encryption key"),
        ((), "unicast encryption key"),
        ({GUEK: octets(0x10)}, "in use"),
        ({GUEK: octets(0x80)}, "in use"),
        ({GUEK: octets(1), GAK: octets(1)}, "given twice"),
        ({GUEK: octets(1, 2)}, "16 octets"),
    ],
)
def test_keys_that_cannot_be_proved_are_not_sent(keys: Any, match: str) -> None:
    device, keeper = meter(), keeper_of()
    bench = KeyBench(device)
    bench.run(bench.session.open())
    sent = bench.requests
    with pytest.raises(ConfigurationError, match=match):
        bench.run(bench.security.change_keys(keeper, keys))
    assert bench.requests == sent
    assert not keeper.keys(PENDING)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"protection": Protection.ENCRYPTED, "mechanism": AuthenticationMechanism.LOWEST}, "authenticated"),
        ({"require": Protection.ENCRYPTED, "mechanism": AuthenticationMechanism.LOWEST}, "authenticated"),
        ({"ciphered": False}, "authenticated"),
        ({"dedicated_key": True}, "held back"),
    ],
)
def test_keys_are_not_sent_where_they_cannot_be_proved_or_could_come_late(changed: Any, match: str) -> None:
    bench = KeyBench(meter(), **changed)
    keeper = keeper_of()
    with pytest.raises(ConfigurationError, match=match):
        bench.run(bench.security.change_keys(keeper))
    assert bench.requests == 0
    assert not keeper.keys(PENDING)


def test_without_master_key_nothing_is_pending() -> None:
    keeper = MemoryKeyKeeper({GUEK: octets(0x10), GAK: octets(0xD0)})
    bench = KeyBench(meter(), material=SecurityMaterial.of(octets(0x10), octets(0xD0)))
    with pytest.raises(ConfigurationError, match="master key"):
        bench.run(bench.security.change_keys(keeper))
    assert not keeper.keys(PENDING)


def test_what_cannot_be_kept_is_not_sent() -> None:
    class Full(MemoryKeyKeeper):
        def propose(self, keys: Any) -> None:
            raise StoreError("the disk is full")

    device = meter()
    bench = KeyBench(device)
    before = keys_of(device)
    with pytest.raises(StoreError):
        bench.run(bench.security.change_keys(Full(keeper_of().keys(CURRENT))))
    assert keys_of(device) == before


def test_a_reopened_session_goes_on_with_the_new_keys() -> None:
    device, keeper = meter(), keeper_of()
    bench = KeyBench(device)
    bench.run(bench.security.change_keys(keeper))
    bench.session.forget()
    bench.run(bench.session.open())
    assert bench.run(bench.security.state()).server_system_title == bench.session.settings.server_title


def test_counters_of_both_keys_are_kept() -> None:
    device, keeper, counters = meter(), keeper_of(), MemoryCounterStore()
    bench = KeyBench(device, counters=counters)
    bench.run(bench.session.open())
    old = bench.session.settings.context()
    assert old is not None
    used = counters.transmit_state(old.material.encryption_key.identity, old.own_title).next
    bench.run(bench.security.change_keys(keeper))
    assert counters.transmit_state(old.material.encryption_key.identity, old.own_title).next >= used
    fresh = bench.session.settings.context()
    assert fresh is not None
    assert fresh.material.encryption_key != old.material.encryption_key
    assert fresh.transmit.known


def test_the_key_store_keeps_the_keys_of_a_change(tmp_path: Path) -> None:
    unlocker = KeyFile.make(tmp_path / "unlock.key")
    device = meter()
    with KeyStore.create(tmp_path / "keys", unlocker) as store:
        kinds = {RecordKind.ENCRYPTION_KEY: 0x10, RecordKind.AUTHENTICATION_KEY: 0xD0, RecordKind.KEK: 0x80}
        records = [NewRecord(kind, octets(first)) for kind, first in kinds.items()]
        with store.change("import") as change:
            change.add_meter("meter 7", records=records)
        keeper = StoredKeys(store, "meter 7")
        before = revealed(keeper)
        bench = KeyBench(device)
        bench.run(bench.security.change_keys(keeper, (*ALL[:2], KEK)))
        assert_known(device, keeper)
        assert revealed(keeper, PREVIOUS) == before
        keeper.propose({GUEK: octets(0x66)})
        with pytest.raises(ConfigurationError):
            keeper.propose({GUEK: octets(0x67)})
        assert not bench.run(bench.security.recover_keys(keeper)).made
        assert_known(device, keeper)
