"""Simulated meters that are spoken to in layers, over TCP: with what their settings files say, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.requests import Completed, Get
from cosemic.association.third_party import ThirdParty
from cosemic.client import BlockingMeter, Meter
from cosemic.client.shared import SharedMedium
from cosemic.errors import ConfigurationError, DataAccessError, DecodeError, ServiceFailed
from cosemic.security.general.layout import LAYER_TAGS
from cosemic.simulator import Endpoint, Fleet, MeterPlan, load_fleet
from cosemic.simulator.settings_file import write_settings
from cosemic.stack import Layer
from cosemic.store.security_settings import load_security
from cosemic.store.third_party_settings import load_third_party
from cosemic.values import Obis
from tests.simulator.clients import beside
from tests.simulator.support import NOW

ENERGY = "1-0:1.8.0"
SIGNED_INSIDE = "sign+cipher:one-pass"
SUITES = [
    (0, "cipher"),
    pytest.param(0, "cipher:wrapped", marks=pytest.mark.slow),
    (1, SIGNED_INSIDE),
    pytest.param(1, "cipher:static+sign", marks=pytest.mark.slow),
    pytest.param(2, SIGNED_INSIDE, marks=pytest.mark.slow),
]
layered = pytest.mark.parametrize(("suite", "layers"), SUITES)


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path / "state"))


class Seen:
    """The first octets of the APDUs that were sent."""

    plaintext = False

    def __init__(self) -> None:
        self.tags: list[int] = []

    def octets(self, layer: Layer, sent: bool, octets: bytes) -> None:
        if layer is Layer.APDU and sent:
            self.tags.append(octets[0])

    def connected(self, peer: str) -> None:
        self.peer = peer


def fleet(suite: int, layers: str | None = None, **said: Any) -> Fleet:
    plan = MeterPlan(serial=7, seed=3, security="hls-gmac", suite=suite, layers=layers, profile_days=1, **said)
    return Fleet((plan,), now=lambda: NOW)


def files_of(endpoint: Endpoint, folder: Path) -> tuple[Path, Path]:
    """The settings files of client and third party."""
    ours, theirs = folder / "meter.toml", folder / "third.toml"
    write_settings(endpoint.security, ours)
    if endpoint.third_party:
        write_settings(endpoint.third_party, theirs)
    return ours, theirs


def served(fleet: Fleet, work: Callable[[Endpoint], None]) -> None:
    beside(fleet, lambda: work(fleet.endpoints[0]))


@layered
def test_a_settings_file_is_enough_to_read_write_and_call_in_layers(suite: int, layers: str, tmp_path: Path) -> None:
    seen = Seen()

    def work(endpoint: Endpoint) -> None:
        path, _ = files_of(endpoint, tmp_path)
        with BlockingMeter.connect(endpoint.url, str(path), trace=seen) as meter:
            seen.tags.clear()
            energy = meter.read(ENERGY)
            assert energy.raw == endpoint.site.plan.curve().imported(NOW.timestamp())
            meter.breaker.disconnect()
            assert not meter.breaker.state().output_state
            assert len(meter.load_profile_newest("1-0:99.1.0", 10)) == 10
            meter.write("8/0-0:1.0.0:time_zone", 60)
            assert seen.tags
            assert set(seen.tags) <= LAYER_TAGS

    served(fleet(suite, layers), work)


def test_one_request_goes_in_layers_and_the_next_without(tmp_path: Path) -> None:
    seen = Seen()

    def work(endpoint: Endpoint) -> None:
        path, _ = files_of(endpoint, tmp_path)
        with BlockingMeter.connect(endpoint.url, str(path), trace=seen) as meter:
            meter.objects()
            for layers in ("sign+cipher:static", ["cipher:one-pass", "sign"]):
                seen.tags.clear()
                plain = meter.get(ENERGY)
                assert not set(seen.tags) & LAYER_TAGS
                seen.tags.clear()
                assert meter.get(ENERGY, layers=layers) == plain
                assert meter.read(ENERGY, layers=layers).raw == plain.value()
                assert meter.read_many([ENERGY, "1-0:2.8.0"], layers=layers)
                assert set(seen.tags) <= LAYER_TAGS
            with pytest.raises(ServiceFailed, match="as the security policy of the meter demands"):
                meter.get(ENERGY, layers="sign")
            with pytest.raises(ConfigurationError, match="a layer is one of sign, cipher"):
                meter.read(ENERGY, layers="seal")

    served(fleet(1), work)


def test_the_same_on_asyncio(tmp_path: Path) -> None:
    seen = Seen()

    async def run() -> None:
        async with fleet(1, third_party=True) as made:
            (endpoint,) = made.endpoints
            path, third = files_of(endpoint, tmp_path)
            async with Meter.connect(endpoint.url, str(path), trace=seen, layers="sign+cipher") as meter:
                seen.tags.clear()
                energy = await meter.read(ENERGY)
                assert energy == await meter.read(ENERGY, layers="cipher:one-pass")
                await meter.write("8/0-0:1.0.0:time_zone", 60, layers=SIGNED_INSIDE)
                assert set(seen.tags) <= LAYER_TAGS
            async with Meter.connect(endpoint.url, str(path), third_party=load_third_party(third)) as meter:
                assert await meter.read(ENERGY) == energy

    asyncio.run(run())


def test_on_a_shared_medium_too(tmp_path: Path) -> None:
    async def run() -> None:
        async with fleet(1, third_party=True) as made:
            (endpoint,) = made.endpoints
            path, third = files_of(endpoint, tmp_path)
            address, _, options = endpoint.url.partition("?")
            async with SharedMedium(address) as medium:
                async with medium.meter(options, str(path), layers=SIGNED_INSIDE) as meter:
                    energy = await meter.read(ENERGY)
                asking = load_third_party(third)
                async with medium.meter(options, str(path), third_party=asking) as meter:
                    assert await meter.read(ENERGY) == energy

    asyncio.run(run())


def test_a_third_party_reads_writes_and_calls_through_the_broker(tmp_path: Path) -> None:
    def work(endpoint: Endpoint) -> None:
        path, third = files_of(endpoint, tmp_path)
        asking = load_third_party(third)
        with BlockingMeter.connect(endpoint.url, str(path), third_party=asking) as meter:
            assert meter.read(ENERGY).raw == endpoint.site.plan.curve().imported(NOW.timestamp())
            assert meter.objects()
            meter.breaker.disconnect()
            assert not meter.breaker.state().output_state
            with pytest.raises(DataAccessError):
                meter.get("3/1-0:9.9.9:2")

    served(fleet(1, third_party=True), work)


def test_a_third_party_that_the_broker_does_not_know_is_not_served(tmp_path: Path) -> None:
    def work(endpoint: Endpoint) -> None:
        _, third = files_of(endpoint, tmp_path)
        ours = {name: value for name, value in endpoint.security.items() if name != "brokers_for"}
        with (
            BlockingMeter.connect(endpoint.url, ours, third_party=load_third_party(third)) as meter,
            pytest.raises(ConfigurationError, match="brokers_for"),
        ):
            meter.read(ENERGY)

    served(fleet(1, third_party=True), work)


def test_a_third_party_with_another_key_is_refused(tmp_path: Path) -> None:
    def work(endpoint: Endpoint) -> None:
        path, _ = files_of(endpoint, tmp_path)
        asking = load_third_party({**endpoint.third_party, "signing_key": "11" * 32})
        with (
            BlockingMeter.connect(endpoint.url, str(path), third_party=asking) as meter,
            pytest.raises(ServiceFailed, match="deciphering-error"),
        ):
            meter.read(ENERGY)

    served(fleet(1, third_party=True), work)


def test_a_fleet_file_says_layers_and_third_parties(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text('[meter]\nsecurity = "hls-ecdsa"\nsuite = 1\nlayers = "sign+cipher:static"\nthird_party = true\n')
    (plan,) = load_fleet(path).plans
    settings = plan.protection().client_settings()
    assert settings["layers"] == "sign+cipher:static"
    assert settings["brokers_for"] == ["43534dd100000001"]
    assert plan.protection().third_party_settings()["system_title"] == "43534dd100000001"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('security = "lls"\nlayers = "sign"', "hls-gmac or hls-ecdsa"),
        ('security = "hls-gmac"\nlayers = "sign"', "suite 0 has no signatures"),
        ('security = "hls-gmac"\nlayers = "wrap"', "a layer is one of sign, cipher"),
        ('security = "hls-gmac"\nthird_party = true', "suite 1 or 2"),
        ('security = "none"\nthird_party = true', "suite 1 or 2"),
    ],
)
def test_meters_that_cannot_be_are_refused(said: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(f"[meter]\n{said}\n")
    with pytest.raises(ConfigurationError, match=why):
        load_fleet(path)


def test_what_a_third_party_has_made_is_handed_on_by_both_faces(tmp_path: Path) -> None:
    """The third party is somewhere else: only octets come and go."""

    def asked(settings: Path, answer: Callable[[bytes], bytes]) -> Any:
        asking = ThirdParty(load_third_party(settings))
        asking.send(Get(CosemAttributeDescriptor(3, Obis(ENERGY), 2)))
        (event,) = asking.receive(answer(asking.octets_to_send()))
        assert isinstance(event, Completed)
        return event.result.value()

    async def run() -> None:
        async with fleet(1, third_party=True) as made:
            (endpoint,) = made.endpoints
            path, third = files_of(endpoint, tmp_path)
            energy = endpoint.site.plan.curve().imported(NOW.timestamp())
            async with Meter.connect(endpoint.url, str(path)) as meter:
                apdu = ThirdParty(load_third_party(third))
                apdu.send(Get(CosemAttributeDescriptor(3, Obis(ENERGY), 2)))
                (event,) = apdu.receive(await meter.pass_on(apdu.octets_to_send(), layers="sign+cipher"))
                assert isinstance(event, Completed)
                assert event.result.value() == energy
                with pytest.raises(DecodeError):
                    await meter.pass_on(b"\xc0\x01\xc1")

            def blocking() -> None:
                with BlockingMeter.connect(endpoint.url, str(path)) as other:
                    assert asked(third, other.pass_on) == energy

            await asyncio.to_thread(blocking)

    asyncio.run(run())


def test_layers_and_parties_can_be_given_in_place_of_those_of_the_settings(tmp_path: Path) -> None:
    seen = Seen()

    def work(endpoint: Endpoint) -> None:
        path, _ = files_of(endpoint, tmp_path)
        known = load_security(path).client
        plain = {name: value for name, value in endpoint.security.items() if name not in ("key_infos", "layers")}
        with pytest.raises(ConfigurationError, match="layers need parties"):
            BlockingMeter.connect(endpoint.url, plain, layers="cipher")
        with BlockingMeter.connect(
            endpoint.url, plain, parties=known.parties, layers=SIGNED_INSIDE, trace=seen
        ) as meter:
            seen.tags.clear()
            assert meter.read(ENERGY)
            assert set(seen.tags) <= LAYER_TAGS
        with (
            BlockingMeter.connect(endpoint.url, plain) as meter,
            pytest.raises(ConfigurationError, match="layers need general protection: say key_infos"),
        ):
            meter.read(ENERGY, layers="cipher")

    served(fleet(1), work)
