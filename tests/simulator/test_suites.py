"""Simulated meters of security suites 1 and 2 over TCP: what a client needs is what their settings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosemic.client import BlockingMeter
from cosemic.errors import AssociationRejected, AuthenticationFailed, ConfigurationError, CosemicError
from cosemic.model import SecuritySetup, SecuritySetupVersion0
from cosemic.security import MemoryCounterStore, SoftwareSigningKey, security_suite
from cosemic.simulator import Fleet, MeterSecurity, names
from cosemic.simulator.settings_file import write_settings
from cosemic.store.security_settings import load_security
from cosemic.values import AuthenticationMechanism, Secret
from tests.simulator.clients import beside, energy_of, opened
from tests.simulator.support import NOW, meter_at

EVERY = [("hls-gmac", 0), ("hls-gmac", 1), ("hls-gmac", 2), ("hls-ecdsa", 1), ("hls-ecdsa", 2)]
every = pytest.mark.parametrize(("kind", "suite"), EVERY)


def fleet(kind: str, suite: int) -> Fleet:
    return Fleet.of(1, 3, kinds=(kind,), suite=suite, now=lambda: NOW, profile_days=1)


@every
def test_a_meter_is_read_written_and_switched(kind: str, suite: int) -> None:
    served = fleet(kind, suite)

    def work() -> None:
        (endpoint,) = served.endpoints
        with opened(endpoint) as meter:
            assert meter.read("1-0:1.8.0").raw == served.sites[0].plan.curve().imported(NOW.timestamp())
            assert meter.breaker.state().output_state
            meter.breaker.disconnect()
            assert not meter.breaker.state().output_state
            setup = SecuritySetup(names.SECURITY_SETUP) if suite else SecuritySetupVersion0(names.SECURITY_SETUP)
            assert meter.get(setup.security_suite).value() == suite
            assert meter.get(setup.security_policy).value() == (0x6C if suite else 3)

    beside(served, work)


@every
def test_the_settings_file_of_a_meter_opens_it(kind: str, suite: int, tmp_path: Path) -> None:
    served = fleet(kind, suite)
    path = tmp_path / "meter.toml"

    def work() -> None:
        (endpoint,) = served.endpoints
        write_settings({**endpoint.security, "counters": "own.counters"}, path)
        client = load_security(path).client
        assert client.mechanism is AuthenticationMechanism.from_label(kind)
        assert client.material is not None
        assert client.material.suite is security_suite(suite)
        with BlockingMeter.connect(endpoint.url, str(path)) as meter:
            assert meter.read("1-0:1.8.0").raw == energy_of(endpoint, counters=client.counters)

    beside(served, work)


@pytest.mark.parametrize("suite", [1, 2])
def test_who_has_the_keys_and_not_the_private_key_stays_outside(suite: int) -> None:
    served = fleet("hls-ecdsa", suite)

    def work() -> None:
        (endpoint,) = served.endpoints
        stranger = SoftwareSigningKey.generate(security_suite(suite)).to_secret()
        for changed, error in (
            ({"signing_key": stranger}, AuthenticationFailed),
            ({"mechanism": "hls-gmac"}, AssociationRejected),
            ({"system_title": "43534dc100000002"}, AssociationRejected),
        ):
            security = {**endpoint.security, **changed, "counters": MemoryCounterStore()}
            with pytest.raises(error), BlockingMeter.connect(endpoint.url, security) as meter:
                meter.read("1-0:1.8.0")

    beside(served, work)


def test_keys_are_drawn_from_the_seed_in_the_length_of_the_suite() -> None:
    zero = MeterSecurity.of("hls-gmac", 7, 3)
    assert len(zero.encryption_key.reveal()) == 16
    assert MeterSecurity.of("hls-gmac", 7, 3, 1).encryption_key == zero.encryption_key
    for suite, octets in ((1, 32), (2, 48)):
        one, same, other = (MeterSecurity.of("hls-ecdsa", 7, seed, suite) for seed in (3, 3, 4))
        assert one == same
        assert one.client_signs != other.client_signs
        assert one.client_signs is not None
        assert one.meter_signs is not None
        assert len({one.client_signs.reveal(), one.meter_signs.reveal()}) == 2
        assert len(one.client_signs.reveal()) == len(one.meter_signs.reveal()) == octets
        shown = repr(one) + repr(one.client_settings())
        assert one.client_signs.reveal().hex() not in shown
        assert repr(one.client_signs.reveal())[2:-1] not in shown


@pytest.mark.parametrize("suite", [3, -1, True, "1"])
def test_suites_that_are_not_there_are_refused(suite: int) -> None:
    with pytest.raises(ConfigurationError, match="0, 1 or 2"):
        MeterSecurity.of("hls-gmac", 1, 0, suite)


def test_signatures_need_a_suite_that_has_them() -> None:
    with pytest.raises(ConfigurationError, match="suite 1 or 2"):
        meter_at(security="hls-ecdsa")
    bare = MeterSecurity("hls-ecdsa", Secret.password("x"), Secret(bytes(16)), Secret(bytes(16)), 1)
    with pytest.raises(CosemicError, match="private keys of both sides"):
        bare.management_settings(bytes(8), MemoryCounterStore())
