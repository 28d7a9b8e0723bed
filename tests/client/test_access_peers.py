"""ACCESS against another implementation, over TCP: pydlms-client's client at our meter, our client at its simulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cosemic.client import BlockingMeter, Call, Read, Write
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ActionFailed, DataAccessError
from cosemic.model import Clock, Data, Register, ScalerUnit
from cosemic.values import Obis, Quantity, Unit
from tests.association.samples import AK, EK, M, settings
from tests.client.meters import CLIENT, ENERGY, PUBLIC, World, serving

SERIAL = Data("0-0:96.1.0").value
TITLE = b"PYD\x00\x00\x00\x00\x02"
METER_TITLE = b"PYD\x00\x00\x00\x00\x01"


@pytest.mark.parametrize("ciphered", [False, True])
def test_pydlms_client_at_our_meter(pydlms: Any, ciphered: bool) -> None:
    from pydlms.client import AccessAction, AccessGet, AccessSet

    _, theirs = settings(M.LOWEST, ciphered=ciphered)
    world = World({CLIENT: theirs})
    options: dict[str, Any] = {}
    if ciphered:
        options["security"] = pydlms.SecurityContext(EK, AK, client_system_title=TITLE, invocation_counter=1)
    operations = [
        AccessGet(ENERGY, 3, 2),
        AccessSet("0-0:96.1.0", 1, 2, pydlms.DlmsData.octet_string(b"new")),
        AccessGet("0-0:96.1.0", 1, 2),
        AccessAction("0-0:10.0.0", 9, 1, pydlms.DlmsData.uint8(7)),
        AccessGet("1-0:99.9.0", 3, 2),
        AccessAction("0-0:10.0.0", 9, 3),
    ]
    with serving(world) as port:
        client = pydlms.DlmsClient.tcp("127.0.0.1", port, client_sap=CLIENT, propose_access=True, **options)
        client.connect()
        try:
            found = client.access(operations)
            broken = client.access(operations[4:] + operations[:1], break_on_error=True)
            stamped = client.access(operations[:1], date_time=bytes.fromhex("07ea0b14050e1e0000ffc400"))
        finally:
            client.close()
    assert [int(one.result) for one in found] == [0, 0, 0, 0, 4, 3]
    assert [one.data.value for one in found[:4]] == [12345678, None, b"new", 7]
    assert [int(one.result) for one in broken] == [4, 250, 250]
    assert stamped[0].ok


@pytest.fixture
def simulator(pydlms: Any) -> Iterator[tuple[Any, int]]:
    from pydlms.simulator import ClientProfile, MeterSimulator, serve

    def name(obis: str) -> Any:
        return pydlms.ObisCode.from_bytes(Obis(obis).octets)

    data = pydlms.DlmsData
    made = MeterSimulator(system_title=METER_TITLE, encryption_key=EK, authentication_key=AK)
    made.clients[PUBLIC] = ClientProfile()
    made.clients[CLIENT] = ClientProfile(pydlms.Mechanism(5), ciphered=True)
    unit = data.structure([data.int8(-3), data.enum(30)])
    made.add_object(3, name(ENERGY), {2: data.uint32(12345678), 3: unit})
    made.add_object(1, name("0-0:96.1.0"), {2: data.octet_string(b"serial")})
    server = serve(made)
    try:
        yield made, server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("ciphered", [False, True])
def test_our_client_at_the_simulator_of_pydlms(simulator: tuple[Any, int], ciphered: bool, tmp_path: Path) -> None:
    _, port = simulator
    security: dict[str, Any] | None = None
    if ciphered:
        keys = {"encryption_key": EK, "authentication_key": AK}
        security = {**keys, "system_title": TITLE, "counters": str(tmp_path / "counters")}
    entries = [
        Read(Register(ENERGY).value),
        Write(SERIAL, EncodedData.of(DataType.OCTET_STRING, b"new")),
        Read(SERIAL),
        Read(Register(ENERGY).scaler_unit),
        Read(Register("1-0:99.9.0").value),
        Call(Clock("0-0:1.0.0").shift_time, 5),
        Read(SERIAL),
    ]
    url = f"tcp://127.0.0.1:{port}?client={CLIENT if ciphered else PUBLIC}&server=1"
    with BlockingMeter.connect(url, security) as meter:
        values = meter.access(entries)
        assert values[:4] == [
            Quantity(12345678, -3, Unit.of("Wh")),
            None,
            b"new",
            ScalerUnit(-3, Unit.of("Wh")),
        ]
        assert [type(one) for one in values[4:]] == [DataAccessError, ActionFailed, bytes]
        broken = meter.access(entries, break_on_error=True)
        assert [getattr(one, "code", None) for one in broken[4:]] == [4, 250, 250]
        assert meter.read_all(Register(ENERGY))["value"] == Quantity(12345678, -3, Unit.of("Wh"))
