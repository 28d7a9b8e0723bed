"""Fleets behind TCP: meters that are there when somebody talks to them, and what they keep."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import stat
import tomllib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cosemic.client import Meter
from cosemic.errors import ConfigurationError, DataAccessError, StoreError
from cosemic.model import Clock
from cosemic.security import MemoryCounterStore
from cosemic.server.state import StateFile
from cosemic.simulator import Fleet, MeterPlan, Reboot, Time
from cosemic.simulator.fleet import begin_counters
from cosemic.simulator.settings_file import settings_text, write_settings
from cosemic.stack import parse_url
from cosemic.store.security_settings import load_security
from cosemic.values import Secret
from tests.simulator.clients import beside, energy_of, let_go, opened, served
from tests.simulator.support import NOW


def test_every_meter_of_a_mixed_fleet_is_read_with_what_its_endpoint_says() -> None:
    fleet = Fleet.of(6, 3, now=lambda: NOW, profile_days=1)

    async def work(fleet: Fleet) -> None:
        assert Counter(endpoint.kind for endpoint in fleet.endpoints) == {"none": 2, "lls": 2, "hls-gmac": 2}
        found = await asyncio.gather(*(asyncio.to_thread(energy_of, one) for one in fleet.endpoints))
        expected = [site.plan.curve().imported(NOW.timestamp()) for site in fleet.sites]
        assert found == expected
        assert len(set(expected)) == 6

    served(fleet, work)


def test_a_meter_is_made_when_somebody_connects_and_not_before() -> None:
    async def work(fleet: Fleet) -> None:
        assert not any(site.present for site in fleet.sites)
        await asyncio.to_thread(energy_of, fleet.endpoints[3])
        assert [site.present for site in fleet.sites] == [False, False, False, True, False]

    served(Fleet.of(5, now=lambda: NOW, profile_days=1), work)


def test_a_meter_that_nobody_talks_to_is_let_go_and_goes_on_from_its_state() -> None:
    async def work(fleet: Fleet) -> None:
        (endpoint,) = fleet.endpoints
        async with Meter.connect(endpoint.url) as client:
            await client.breaker.disconnect()
            first = endpoint.meter
            endpoint.site.let_go()
            assert endpoint.meter is first  # somebody talks to it
        while endpoint.site.present:
            await asyncio.sleep(0)
        async with Meter.connect(endpoint.url) as client:
            assert not (await client.breaker.state()).output_state
            assert endpoint.meter is not first

    served(Fleet.of(1, kinds=("none",), now=lambda: NOW, profile_days=1, idle=0.0), work)


def test_a_meter_is_not_let_go_between_two_clients() -> None:
    async def work(fleet: Fleet) -> None:
        (endpoint,) = fleet.endpoints
        async with Meter.connect(endpoint.url) as one:
            await one.read("1-0:1.8.0")
            first = endpoint.meter
            async with Meter.connect(endpoint.url) as other:
                await other.read("1-0:1.8.0")
            for _ in range(5):
                await asyncio.sleep(0)
            assert endpoint.site.present
            await one.read("1-0:1.8.0")
            assert endpoint.meter is first

    served(Fleet.of(1, kinds=("none",), now=lambda: NOW, profile_days=1, idle=0.0), work)


def test_counters_go_on_when_a_meter_is_let_go() -> None:
    fleet = Fleet.of(1, kinds=("hls-gmac",), now=lambda: NOW, profile_days=1)
    counters = MemoryCounterStore()

    def work() -> None:
        (endpoint,) = fleet.endpoints
        energy_of(endpoint, counters=counters)
        let_go(endpoint)
        # Also a client that has forgotten its counter, and reads it through the public client.
        assert energy_of(endpoint, counters=counters) == energy_of(endpoint, counters=MemoryCounterStore())

    beside(fleet, work)


def test_what_happens_to_a_fleet_is_kept_in_its_file(tmp_path: Path) -> None:
    counters = MemoryCounterStore()
    time = Time(NOW, speed=0)

    def fleet() -> Fleet:
        return Fleet.of(3, kinds=("hls-gmac",), now=time, profile_days=1, state=tmp_path / "fleet.sqlite")

    first = fleet()

    def work() -> None:
        with opened(first.endpoints[1], counters) as meter:
            meter.breaker.disconnect()

    beside(first, work)
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "fleet.sqlite").stat().st_mode) == 0o600
    assert (tmp_path / "fleet.sqlite.counters").exists()
    time.step(hours=2)
    second = fleet()

    def again() -> list[bool]:
        states = []
        for endpoint in second.endpoints:
            with opened(endpoint, counters) as meter:
                states.append(meter.breaker.state().output_state)
        return states

    assert beside(second, again) == [True, False, True]


def test_a_state_that_cannot_be_kept_is_told_before_a_port_is_open(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be kept"):
        Fleet.of(1, counters=MemoryCounterStore(), state=tmp_path / "no" / "folder")


def test_a_state_that_is_given_stays_open() -> None:
    with StateFile(":memory:") as file:
        beside(Fleet.of(1, kinds=("none",), state=file, profile_days=1), lambda: None)
        assert file.of("anything").load("x") is None


def test_a_state_that_can_be_written_no_more_is_told_to_the_client_and_other_fleets_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = Fleet.of(1, kinds=("none",), now=lambda: NOW, profile_days=1)

    def work() -> None:
        with opened(fleet.endpoints[0]) as meter:
            assert meter.read("1-0:1.8.0")
            with monkeypatch.context() as broken:

                def fail(*_: Any) -> None:
                    raise StoreError("the disk is full")

                broken.setattr(StateFile, "execute", fail)
                for _ in range(2):
                    with pytest.raises(DataAccessError, match="hardware-fault"):
                        meter.write(Clock("0-0:1.0.0").time_zone, -120)
            with pytest.raises(DataAccessError, match="hardware-fault"):
                meter.read("1-0:1.8.0")
        let_go(fleet.endpoints[0])
        assert energy_of(fleet.endpoints[0]) > 0

    beside(fleet, work)


def test_fleets_are_the_same_for_the_same_seed() -> None:
    def shown(seed: int) -> list[str]:
        return [settings_text(site.plan.protection().client_settings()) for site in Fleet.of(3, seed).sites]

    assert shown(1) == shown(1)
    assert shown(1)[1:] != shown(2)[1:]


def test_settings_name_the_meter_by_its_system_title_where_it_has_keys() -> None:
    async def body() -> None:
        async with Fleet.of(3) as fleet:
            titles = {one.kind: one.security.get("server_title") for one in fleet.endpoints}
            assert titles == {"none": None, "lls": None, "hls-gmac": fleet.endpoints[2].meter.system_title.hex()}

    asyncio.run(body())


def test_customers_are_taken_in_turn() -> None:
    fleet = Fleet.of(5, customers=("shop", None, "solar"), kinds=("none",))
    assert [site.plan.customer for site in fleet.sites] == ["shop", None, "solar", "shop", None]


def test_invocation_counters_of_a_later_run_are_higher() -> None:
    def first_counter(now: dt.datetime | None) -> int:
        (meter,) = Fleet.of(1, kinds=("hls-gmac",), counters=MemoryCounterStore(), profile_days=1).meters
        if now is not None:
            begin_counters(meter, now)
        (client,) = (one for one in meter.clients if one.settings.material is not None)
        assert client.settings.material is not None
        identity = client.settings.material.encryption_key.identity
        return client.settings.counters.transmit_counter(identity, client.settings.system_title).next()

    first, second = first_counter(NOW), first_counter(NOW + dt.timedelta(minutes=1))
    assert first + 100 < second < 1 << 31
    assert first_counter(None) == 0


def test_invocation_counters_of_later_runs_are_higher_for_many_years() -> None:
    (meter,) = Fleet.of(1, kinds=("hls-gmac",), counters=MemoryCounterStore(), profile_days=1).meters
    settings = meter.clients[-1].settings
    assert settings.material is not None
    identity = settings.material.encryption_key.identity
    moment, begun = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), [-1]
    while moment.year <= 2100:
        begin_counters(meter, moment)
        begun.append(settings.counters.transmit_state(identity, settings.system_title).next)
        moment += dt.timedelta(days=10)
    days = [later - before for before, later in pairwise(begun)]
    assert min(days[1:]) > 10 * 86_400 // 5
    assert begun[-1] < 1 << 31
    begin_counters(meter, dt.datetime.max.replace(tzinfo=dt.UTC))
    assert begun[-1] < settings.counters.transmit_state(identity, settings.system_title).next < (1 << 32) - 1


def test_a_fleet_without_a_store_begins_its_counters_by_date_and_time() -> None:
    (meter,) = Fleet.of(1, kinds=("hls-gmac",), now=lambda: NOW, profile_days=1).meters
    settings = meter.clients[-1].settings
    assert settings.material is not None
    assert settings.counters.transmit_state(settings.material.encryption_key.identity, meter.system_title).next > 10**6


def test_ports_follow_each_other_and_one_that_is_taken_leaves_none_open() -> None:
    async def body() -> None:
        async with Fleet.of(1) as first:
            taken = parse_url(first.endpoints[0].url).port
            second = Fleet.of(2, base_port=taken - 1)
            with pytest.raises(ConfigurationError):
                await second.start()
        async with Fleet.of(2, base_port=taken - 1) as third:
            assert [parse_url(one.url).port for one in third.endpoints] == [taken - 1, taken]

    asyncio.run(body())


def test_progress_is_told_while_ports_are_opened() -> None:
    steps: list[tuple[int, int]] = []

    async def body() -> None:
        fleet = Fleet.of(3)
        await fleet.start(lambda done, count: steps.append((done, count)))
        await fleet.close()

    asyncio.run(body())
    assert steps == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "options",
    [
        {"count": 0},
        {"count": 1, "kinds": ()},
        {"count": 1, "customers": ()},
        {"count": 3, "base_port": 65534},
        {"count": 1, "base_port": -1},
    ],
)
def test_fleets_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Fleet.of(**options)


def test_two_meters_with_one_serial_number_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="serial number of its own"):
        Fleet([MeterPlan(serial=1), MeterPlan(serial=1, seed=3)])


@pytest.mark.skipif(os.name != "posix", reason="the limit is one of POSIX")
def test_a_fleet_that_may_not_have_so_many_sockets_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    asked: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 1000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    beside(Fleet.of(5), lambda: None)
    assert asked == [(261, 1000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 200))
    with pytest.raises(ConfigurationError, match="ulimit -n"):
        asyncio.run(Fleet.of(5).start())


def test_a_thousand_meters_listen_at_once_and_any_of_them_answers() -> None:
    fleet = Fleet.of(1000, 9, now=lambda: NOW, profile_days=1)

    def work() -> None:
        endpoints = fleet.endpoints
        assert len({endpoint.url for endpoint in endpoints}) == 1000
        for endpoint in (endpoints[0], endpoints[499], endpoints[998]):
            assert energy_of(endpoint) == endpoint.site.plan.curve().imported(NOW.timestamp())
        assert sum(site.present for site in fleet.sites) == 3

    beside(fleet, work)


def test_a_reboot_of_a_meter_that_is_not_there_does_nothing() -> None:
    (site,) = Fleet.of(1).sites
    site.reboot()
    assert not site.present
    assert site.faults.active(Reboot) is None


@pytest.mark.parametrize("password", ['a"b', "a\\b", "\\u0041", "a\nb", "".join(map(chr, range(128)))])
def test_a_password_of_any_characters_is_read_back(password: str) -> None:
    assert tomllib.loads(settings_text({"password": Secret.password(password)})) == {"password": password}


def test_settings_are_written_for_their_owner_alone_and_read_back(tmp_path: Path) -> None:
    for site in Fleet.of(3).sites:
        security = site.plan.protection().client_settings()
        path = tmp_path / "keys" / "meter.toml"
        write_settings(security, path)
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        written = tomllib.loads(path.read_text())
        assert set(written) == set(security)
        loaded, direct = load_security(path), load_security({**security, "counters": MemoryCounterStore()})
        assert loaded.client_sap == direct.client_sap
        assert (loaded.client.mechanism, loaded.client.secret) == (direct.client.mechanism, direct.client.secret)
        assert loaded.client.material == direct.client.material
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_settings({}, tmp_path / "keys" / "meter.toml" / "below.toml")
