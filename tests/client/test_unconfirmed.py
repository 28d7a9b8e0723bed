"""What a user sends without an answer: to one meter, and to all stations."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings, PreEstablished
from cosemic.client import BlockingMeter, Meter, Read
from cosemic.client.plan import Plan
from cosemic.codec import DataType, EncodedData
from cosemic.errors import AssociationError, ConfigurationError, EncodeError, ServiceFailed
from cosemic.model import ScalerUnit
from cosemic.security import MemoryCounterStore, SecurityMaterial, SecurityPolicy
from cosemic.server import Admission, LogicalDevice, PhysicalDevice, data, managing
from cosemic.server.meter_server import MeterConnection
from cosemic.stack import Layer
from cosemic.store.security_settings import load_security
from cosemic.transport.contract import Connection, Receiver
from cosemic.transport.memory import BlockingMemoryConnection
from cosemic.values import ApplicationContext, Obis, Priority, Secret, Unit
from tests.association.samples import AK, CLIENT_TITLE, EK, SERVER_TITLE
from tests.client.meters import ENERGY, World, serving
from tests.server.support import NOW
from tests.transport.samples import run

NAME = "1/0-0:96.1.0:2"
BROADCAST_KEY = bytes(range(0x40, 0x50))


def text(octets: bytes) -> EncodedData:
    return EncodedData.of(DataType.OCTET_STRING, octets)


def test_one_meter_is_written_and_called_without_an_answer() -> None:
    world = World()
    with serving(world) as port, BlockingMeter.connect(f"tcp://127.0.0.1:{port}") as meter:
        round_trips = meter.traffic.round_trips
        assert meter.write_unconfirmed(NAME, text(b"new")) is None
        assert meter.call_unconfirmed(f"3/{ENERGY}:reset") is None
        assert meter.get(NAME) == text(b"new")
        assert meter.traffic.round_trips == round_trips + 3
        meter.write_unconfirmed(NAME, text(b"first"), priority=Priority.HIGH)
        assert world.received[-1][0] in (0xC0, 0xC1)
        assert meter.get(NAME) == text(b"first")
        with pytest.raises(EncodeError):
            meter.write_unconfirmed("8/0-0:1.0.0:2", "no time")
    assert [kind for kind, _ in world.shelf.calls if kind != "get"] == ["set", "action", "set"]
    sent = [apdu for apdu in world.received if apdu[0] in (0xC1, 0xC3)]
    assert [apdu[2] & 0xC0 for apdu in sent] == [0x00, 0x00, 0x80]


def test_both_faces_have_it() -> None:
    async def body() -> None:
        world = World()
        async with world.server() as server, Meter.connect(f"tcp://127.0.0.1:{server.port}") as meter:
            await meter.write_unconfirmed(NAME, text(b"new"))
            await meter.call_unconfirmed(f"3/{ENERGY}:reset")
            assert await meter.get(NAME) == text(b"new")

    run(body)


def test_what_was_learnt_of_an_object_is_forgotten() -> None:
    world = World()
    with serving(world) as port, BlockingMeter.connect(f"tcp://127.0.0.1:{port}") as meter:
        meter.read(f"3/{ENERGY}:2")
        assert meter.session.scalers
        meter.write_unconfirmed(f"3/{ENERGY}:3", ScalerUnit(-1, Unit(30)))
        assert not meter.session.scalers


# ---- all stations ---------------------------------------------------------------------------------------------------


class Sent:
    """A trace that keeps the APDUs sent."""

    plaintext = False

    def __init__(self, apdus: list[bytes]) -> None:
        self.apdus = apdus

    def connected(self, peer: str) -> None: ...

    def octets(self, layer: Layer, sent: bool, octets: bytes) -> None:
        if sent and layer is Layer.APDU:
            self.apdus.append(octets)


class House:
    """A meter of two logical devices that stand open for client 1, without opening."""

    def __init__(self, ciphered: bool) -> None:
        self.ciphered = ciphered
        self.devices = []
        for sap in (1, 2):
            keys: dict[str, Any] = {}
            if ciphered:
                keys = {
                    "context_names": frozenset((ApplicationContext.LN_CIPHERED,)), "policy": SecurityPolicy(0, 3),
                    "material": SecurityMaterial.of(
                        Secret(bytes((sap,)) * 16), Secret(AK), broadcast_key=Secret(BROADCAST_KEY)
                    ),
                    "counters": MemoryCounterStore(), "system_title": SERVER_TITLE[:-1] + bytes((sap,)),
                    "client_title": CLIENT_TITLE,
                }  # fmt: skip
            device = LogicalDevice(f"DEV{sap}", sap=sap, now=lambda: NOW)
            device.add(data("0-0:96.1.0", DataType.OCTET_STRING, b"old", writable=True))
            settings = ServerSettings(pre_established=PreEstablished(), **keys)
            device.admit(Admission(client_sap=1, settings=settings, rights=managing()))
            self.devices.append(device)
        self.meter = PhysicalDevice(*self.devices)

    def __call__(self, connection: Connection) -> Receiver:
        return MeterConnection(self.meter, connection)

    @property
    def values(self) -> list[bytes]:
        return [one.read(1, Obis("0-0:96.1.0"), 2, NOW).value() for one in self.devices]


@pytest.fixture
def house(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> House:
    """What answers at every address."""
    made = House(request.param)
    monkeypatch.setattr(Plan, "connect_blocking", lambda self: BlockingMemoryConnection(made))
    return made


def security(**more: str) -> dict[str, Any]:
    return {
        "encryption_key": EK.hex(), "authentication_key": AK.hex(), "system_title": CLIENT_TITLE.hex(),
        "broadcast_key": BROADCAST_KEY.hex(), **more,
    }  # fmt: skip


@pytest.mark.parametrize("house", [False, True], ids=["plain", "ciphered"], indirect=True)
def test_a_url_with_the_sap_of_all_stations_reaches_them_all(house: House) -> None:
    keys = security() if house.ciphered else None
    with BlockingMeter.connect("tcp://127.0.0.1:1?client=1&server=127", keys) as meters:
        assert meters.opened is not None
        assert meters.opened.confirmed is False
        meters.write_unconfirmed(NAME, text(b"all"))
        access = partial(meters.access, [Read(NAME)])
        for ask in (lambda: meters.read(NAME), lambda: meters.write(NAME, text(b"x")), meters.objects, access):
            with pytest.raises(AssociationError, match="nothing is answered"):
                ask()
        with pytest.raises(AssociationError, match="nothing is answered"):
            meters.write_unconfirmed("0-0:96.1.0", text(b"x"))  # its class would have to be read
        with pytest.raises(ServiceFailed, match="priority"):
            meters.write_unconfirmed(NAME, text(b"x"), priority=Priority.HIGH)
        assert meters.traffic.octets_received == 0
    assert house.values == [b"all", b"all"]


@pytest.mark.parametrize("house", [False], indirect=True)
def test_all_stations_with_short_names_are_reached_at_the_reserved_ones(house: House) -> None:
    """Nothing is answered, so that no other short name can be read."""
    sent: list[bytes] = []
    with BlockingMeter.connect("tcp://127.0.0.1:1?client=1&server=127&referencing=sn", trace=Sent(sent)) as meters:
        meters.call_unconfirmed("9/0-0:10.0.125:execute", 1)
        assert [one.hex() for one in sent] == ["160102fb2001120001"]
        with pytest.raises(AssociationError, match="nothing is answered") as caught:
            meters.write_unconfirmed(NAME, text(b"all"))
    (note,) = caught.value.__notes__
    assert note.endswith("reserved: 9/0-0:10.0.125*255, 17/0-0:41.0.0*255, 1/0-0:42.0.0*255")


def test_all_stations_with_ciphering_need_the_broadcast_key() -> None:
    keys = security()
    del keys["broadcast_key"]
    with pytest.raises(ConfigurationError, match="no broadcast key"):
        BlockingMeter.connect("tcp://127.0.0.1:1?client=1&server=127", keys)
    with pytest.raises(ConfigurationError, match="need encryption_key"):
        load_security({"broadcast_key": BROADCAST_KEY.hex()})
    loaded = load_security(security()).client.material
    assert loaded is not None
    assert loaded.broadcast_key is not None
    assert BROADCAST_KEY.hex() not in repr(load_security(security()))


def test_a_url_names_no_user_above_255() -> None:
    with pytest.raises(ConfigurationError, match=r"user=256 is not in 0\.\.255"):
        BlockingMeter.connect("tcp://127.0.0.1?user=256")
    assert ClientSettings(user_id=255).user_id == 255
