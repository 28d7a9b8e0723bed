"""A client that has read the object list asks for nothing that is less protected than the access rights say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.requests import Get, Read, Request
from cosemic.client import BlockingMeter, Meter
from cosemic.client.steps import Procedure
from cosemic.client.view import ListedObject
from cosemic.codec import DataType
from cosemic.errors import ActionFailed, DataAccessError, PolicyViolation
from cosemic.security import MemoryCounterStore, Protection, Requirement
from cosemic.security.general import MemoryTransactionStore
from cosemic.server import MANAGEMENT_CLIENT, PUBLIC_CLIENT, first, managing, only, serve_in_thread
from cosemic.simulator import MeterPlan, SimulatedMeter
from cosemic.values import Obis
from tests.simulator.support import NOW

ENERGY, EXPORT, BREAKER = "1-0:1.8.0", "1-0:2.8.0", "0-0:96.3.10"
SIGNED = Requirement(request=Protection.SIGNED)
AUTHENTICATED = Requirement(request=Protection.AUTHENTICATED)
LAYERS = "sign+cipher"


def meter_with(client: int, requires: Requirement, **said: Any) -> SimulatedMeter:
    rights = first(only(managing(requires=requires), ENERGY, BREAKER), managing())
    plan = MeterPlan(serial=11, profile_days=1, rights={client: rights}, **said)
    return SimulatedMeter(plan, now=lambda: NOW)


@pytest.fixture(scope="module")
def signing() -> Iterator[tuple[str, SimulatedMeter]]:
    """A meter of which the management client wants some things signed."""
    meter = meter_with(MANAGEMENT_CLIENT, SIGNED, security="hls-gmac", suite=1, association_version=3)
    with serve_in_thread(meter) as server:
        yield server.url(client_sap=MANAGEMENT_CLIENT), meter


def settings(meter: SimulatedMeter, **more: Any) -> dict[str, Any]:
    kept = {"counters": MemoryCounterStore(), "transactions": MemoryTransactionStore()}
    return dict(meter.security.client_settings()) | kept | more


def octets_sent(meter: Any) -> int:
    sent: int = meter.traffic.octets_sent
    return sent


def test_what_the_rights_want_signed_is_not_asked_for_unsigned(signing: tuple[str, SimulatedMeter]) -> None:
    url, served = signing
    with BlockingMeter.connect(url, settings(served)) as meter:
        with pytest.raises(DataAccessError) as refused:  # by the meter: nothing is known yet
            meter.get(f"3/{ENERGY}:2")
        assert "access rights of the meter" not in str(refused.value)
        meter.objects()
        before = octets_sent(meter)
        with pytest.raises(DataAccessError, match=r"3/1-0:1\.8\.0\*255:2: the access rights .* want this signed") as no:
            meter.get(f"3/{ENERGY}:2")
        assert (no.value.code, no.value.label) == (3, "read-write-denied")
        with pytest.raises(DataAccessError):
            meter.write(f"3/{ENERGY}:2", (DataType.DOUBLE_LONG_UNSIGNED, 1))
        with pytest.raises(ActionFailed, match=r"70/0-0:96\.3\.10\*255:1"):
            meter.call(f"70/{BREAKER}:1")
        assert octets_sent(meter) == before
        assert meter.read(EXPORT) is not None
        assert meter.read(ENERGY, layers=LAYERS) is not None
        meter.call(f"70/{BREAKER}:1", layers=LAYERS)
        with pytest.raises(DataAccessError, match="want this signed"):  # the layers were those of that call
            meter.get(f"3/{ENERGY}:2")


def test_one_that_lacks_protection_does_not_spoil_a_list(signing: tuple[str, SimulatedMeter]) -> None:
    url, served = signing
    with BlockingMeter.connect(url, settings(served)) as meter:
        meter.objects()
        assert meter.read_all(f"3/{EXPORT}")
        with pytest.raises(DataAccessError, match="read-write-denied"):
            meter.read_many([EXPORT, ENERGY])
        assert meter.read_many([EXPORT, ENERGY], layers=LAYERS)


def test_what_was_learnt_is_forgotten_where_it_may_have_changed(signing: tuple[str, SimulatedMeter]) -> None:
    url, served = signing
    with BlockingMeter.connect(url, settings(served)) as meter:
        meter.objects()
        assert meter.session.settings.rights is not None
        meter.session.forget_view()
        assert meter.session.settings.rights is None
        with pytest.raises(DataAccessError) as refused:
            meter.get(f"3/{ENERGY}:2")
        assert "access rights of the meter" not in str(refused.value)
        meter.objects()
    with meter:  # opened again: it may be another one
        assert meter.session.settings.rights is None


def test_nothing_is_checked_where_the_settings_say_so(signing: tuple[str, SimulatedMeter]) -> None:
    url, served = signing
    with BlockingMeter.connect(url, settings(served, check_rights=False)) as meter:
        meter.objects()
        before = octets_sent(meter)
        with pytest.raises(DataAccessError):
            meter.get(f"3/{ENERGY}:2")
        assert octets_sent(meter) > before


def test_a_lost_connection_does_not_lose_the_rights(signing: tuple[str, SimulatedMeter]) -> None:
    url, served = signing
    with BlockingMeter.connect(url, settings(served)) as meter:
        meter.objects()
        meter.run(meter.session.open())
        before = octets_sent(meter)
        with pytest.raises(DataAccessError, match="want this signed"):
            meter.get(f"3/{ENERGY}:2")
        assert octets_sent(meter) == before
        assert meter.session.stack.association._known_rights is not None


def test_the_same_on_asyncio(signing: tuple[str, SimulatedMeter]) -> None:
    url, served = signing

    async def run() -> None:
        async with Meter.connect(url, settings(served)) as meter:
            await meter.objects()
            with pytest.raises(DataAccessError, match="want this signed"):
                await meter.get(f"3/{ENERGY}:2")
            assert await meter.get(f"3/{ENERGY}:2", layers=LAYERS)

    asyncio.run(run())


@pytest.mark.parametrize("version", [1, 3])
@pytest.mark.parametrize("referencing", ["ln", "sn"])
def test_a_public_client_asks_for_nothing_that_has_to_be_authenticated(referencing: str, version: int) -> None:
    meter = meter_with(PUBLIC_CLIENT, AUTHENTICATED, association_version=version, referencing=referencing)
    with (
        serve_in_thread(meter) as server,
        BlockingMeter.connect(f"{server.url(client_sap=PUBLIC_CLIENT)}&referencing={referencing}") as client,
    ):
        view = client.objects()
        if all(one.access_rights is None for one in view):
            pytest.skip("this version of Association SN shows no rights")
        before = octets_sent(client)
        with pytest.raises(DataAccessError, match="want this authenticated"):
            client.get(f"3/{ENERGY}:2")
        with pytest.raises(ActionFailed):
            client.call(f"70/{BREAKER}:1")
        with pytest.raises(PolicyViolation, match="not authenticated"):  # the association itself knows them too
            client.run(asked(request_for(view, ENERGY)))
        assert octets_sent(client) == before
        assert client.get(f"3/{EXPORT}:2")
        assert client.run(asked(request_for(view, EXPORT)))


def test_no_answer_is_asked_for_that_would_have_to_be_protected_and_cannot_be() -> None:
    requires = Requirement(response=Protection.AUTHENTICATED)
    meter = meter_with(PUBLIC_CLIENT, requires, association_version=3)
    with serve_in_thread(meter) as server, BlockingMeter.connect(server.url(client_sap=PUBLIC_CLIENT)) as client:
        view = client.objects()
        before = octets_sent(client)
        with pytest.raises(DataAccessError, match="want this authenticated"):
            client.get(f"3/{ENERGY}:2")
        with pytest.raises(PolicyViolation, match="the answer is not authenticated"):
            client.run(asked(request_for(view, ENERGY)))
        assert octets_sent(client) == before


def request_for(view: list[ListedObject], name: str) -> Request:
    """What asks for the value of a register, by the names that the view has."""
    (row,) = [one for one in view if one.logical_name == Obis(name)]
    if row.base_name is None:
        return Get(CosemAttributeDescriptor(3, row.logical_name, 2))
    return Read((row.base_name + 8,))


def asked(request: Request) -> Procedure[Any]:
    """Ask past all that the session knows."""
    return (yield request)
