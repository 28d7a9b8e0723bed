"""Fleets behind TCP, and the command that runs one."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import stat
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.requests import Completed, Get, Open, Release
from cosemic.codec import EncodedData
from cosemic.errors import ConfigurationError
from cosemic.security import MemoryCounterStore
from cosemic.simulator import Endpoint, Fleet
from cosemic.simulator.household import ENERGY
from cosemic.simulator.settings_file import settings_text, write_settings
from cosemic.stack import ClientStack, parse_url
from cosemic.store.security_settings import load_security
from cosemic.transport.blocking import BlockingTcpConnection
from tests.server.support import NOW

COMMAND = """
import signal, sys
from cosemic.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(sys.argv[1:]))
"""


def energy_of(endpoint: Endpoint) -> int:
    """What a client that has nothing but the endpoint reads."""
    values = {**endpoint.security, **({"counters": MemoryCounterStore()} if endpoint.kind == "hls-gmac" else {})}
    address, security = parse_url(endpoint.url), load_security(values)
    assert (address.client_sap, address.server_sap) == (security.client_sap, security.server_sap)
    stack = ClientStack(security.client, security.client_sap or 0, security.server_sap or 0)
    result: Any = None
    with BlockingTcpConnection(address.host, address.port, timeout=5) as connection:
        for request in (Open(), Get(CosemAttributeDescriptor(3, ENERGY, 2)), Release()):
            stack.send(request)
            connection.write(stack.octets_to_send())
            while not (events := stack.receive(connection.read(), 0.0)):
                connection.write(stack.octets_to_send())
            event = events[0]
            assert isinstance(event, Completed), event
            result = event.result if isinstance(request, Get) else result
    assert isinstance(result, EncodedData)
    return int(result.value())


def test_every_meter_of_a_mixed_fleet_is_read_with_what_its_endpoint_says() -> None:
    async def body() -> None:
        async with Fleet.of(6, 3, now=lambda: NOW, profile_days=1) as fleet:
            assert Counter(endpoint.kind for endpoint in fleet.endpoints) == {"none": 2, "lls": 2, "hls-gmac": 2}
            found = await asyncio.gather(*(asyncio.to_thread(energy_of, one) for one in fleet.endpoints))
            expected = [meter.curve.energy(NOW.timestamp()).imported for meter in fleet.meters]
            assert found == expected
            assert len(set(expected)) == 6

    asyncio.run(body())


def test_fleets_are_the_same_for_the_same_seed() -> None:
    def settings(seed: int) -> list[str]:
        return [settings_text(meter.security.client_settings()) for meter in Fleet.of(3, seed, profile_days=1).meters]

    assert settings(1) == settings(1)
    assert settings(1)[1:] != settings(2)[1:]


def test_invocation_counters_of_a_later_run_are_higher() -> None:
    def first_counter(fleet: Fleet) -> int:
        (client,) = (one for one in fleet.meters[0].clients if one.settings.material is not None)
        settings = client.settings
        assert settings.material is not None
        return settings.counters.transmit_counter(
            settings.material.encryption_key.identity, settings.system_title
        ).next()

    def at(now: dt.datetime) -> Fleet:
        return Fleet.of(1, kinds=("hls-gmac",), now=lambda: now, profile_days=1)

    first, second = first_counter(at(NOW)), first_counter(at(NOW + dt.timedelta(minutes=1)))
    assert first + 100 < second < 1 << 31
    store = MemoryCounterStore()
    assert first_counter(Fleet.of(1, kinds=("hls-gmac",), counters=store, profile_days=1)) == 0


def test_ports_follow_each_other_and_one_that_is_taken_leaves_none_open() -> None:
    async def body() -> None:
        async with Fleet.of(1, profile_days=1) as first:
            taken = parse_url(first.endpoints[0].url).port
            second = Fleet.of(2, base_port=taken - 1, profile_days=1)
            with pytest.raises(ConfigurationError):
                await second.start()
        async with Fleet.of(2, base_port=taken - 1, profile_days=1) as third:
            assert [parse_url(one.url).port for one in third.endpoints] == [taken - 1, taken]

    asyncio.run(body())


def test_fleets_that_cannot_be_are_refused() -> None:
    for options in (
        {"count": 0},
        {"count": 1, "kinds": ()},
        {"count": 3, "base_port": 65534},
        {"count": 1, "base_port": -1},
    ):
        with pytest.raises(ConfigurationError):
            Fleet.of(**options)  # type: ignore[arg-type]  # wrong on purpose


def test_settings_are_written_for_their_owner_alone_and_read_back(tmp_path: Path) -> None:
    for meter in Fleet.of(3, profile_days=1).meters:
        security = meter.security.client_settings()
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


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_the_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    arguments = ["simulate", "--meters", "2", "--port", "0", "--security", "mixed", "--keys", str(tmp_path), "--json"]
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = ""
        while not lines.endswith("\n]\n"):
            line = process.stdout.readline()
            assert line, "ended before it served"
            lines += line
        found = json.loads(lines)
        assert [one["security"] for one in found] == ["none", "lls"]
        for one in found:
            values = tomllib.loads(Path(one["settings"]).read_text())
            address = parse_url(one["url"])
            assert Path(one["settings"]).stem.endswith(f"-{one['security']}-{address.port}")
            assert address.client_sap == values["client_sap"]
            BlockingTcpConnection(address.host, address.port, timeout=5).close()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr.read().startswith("\nstopped: ")
