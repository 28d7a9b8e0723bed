"""Short names with other people's software over TCP: pydlms-client both ways, gurux-dlms' client at our meter."""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from cosemic.client import BlockingMeter
from cosemic.errors import DataAccessError
from cosemic.model import ControlState
from cosemic.server import serve_in_thread
from cosemic.simulator import HouseholdMeter
from cosemic.values import DateTime
from tests.server.support import NOW

SINCE = NOW - dt.timedelta(hours=2)
ROWS = 8
"""Quarters of an hour from :data:`SINCE` on."""


@pytest.fixture
def ours() -> Iterator[SimpleNamespace]:
    """Our meter, with short names alone."""
    meter = HouseholdMeter(7, referencing="sn", now=lambda: NOW)
    with serve_in_thread(meter) as server:
        yield SimpleNamespace(
            meter=meter, port=server.port, energy=int(meter.curve.imported(NOW.timestamp())), breaker=meter.breaker
        )


def objects_of(meter: HouseholdMeter) -> set[tuple[int, int, bytes, int]]:
    return {
        (one.class_id, one.version, one.logical_name.octets, int(one.base_name)) for one in meter.short_names.placed
    }


def test_pydlms_reads_writes_and_calls_at_our_meter(ours: SimpleNamespace) -> None:
    pydlms = pytest.importorskip("pydlms", reason="pydlms-client is not installed (group peers)")
    xdlms = pytest.importorskip("pydlms.apdu.xdlms")
    name, data = pydlms.ObisCode, pydlms.DlmsData

    def stamp(moment: dt.datetime) -> Any:
        return data.octet_string(DateTime.from_datetime(moment).octets)

    client = pydlms.DlmsClient.tcp("127.0.0.1", ours.port, client_sap=16, server_logical=1, logical_names=False)
    client.connect()
    try:
        register = client.get_register("1.0.1.8.0.255")
        assert (register.raw, register.scaler, int(register.unit or 0)) == (ours.energy, 0, 30)
        view = {
            (one.class_id, one.version, one.logical_name.to_bytes(), one.base_name)
            for one in client.get_association_view()
        }
        assert view == objects_of(ours.meter)
        selection = xdlms.range_descriptor(stamp(SINCE + dt.timedelta(seconds=1)), stamp(NOW))
        rows = client.read_profile(name.parse("1.0.99.1.0.255"), selection).rows
        assert len(rows) == ROWS
        client.set("0.0.1.0.0.255", 8, 3, data.int16(-90))
        assert client.get("0.0.1.0.0.255", 8, 3).value == -90
        client.action("0.0.96.3.10.255", 70, 1, data.int8(0))
        assert client.get("0.0.96.3.10.255", 70, 3).value == 0
        with pytest.raises(pydlms.exceptions.DlmsError):
            client.set("1.0.1.8.0.255", 3, 2, data.uint32(1))
    finally:
        client.close()


class Gurux:
    """The loop around its client, which makes and reads octets only."""

    def __init__(self, port: int) -> None:
        enums = pytest.importorskip("gurux_dlms.enums", reason="gurux-dlms is not installed (group peers)")
        self.gx = pytest.importorskip("gurux_dlms")
        secure = pytest.importorskip("gurux_dlms.secure")
        self.client = secure.GXDLMSSecureClient(
            False, 16, 1, enums.Authentication.NONE, None, enums.InterfaceType.WRAPPER
        )
        self.medium = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.client.parseAareResponse(self.exchange(self.client.aarqRequest()).data)

    def exchange(self, requests: Any) -> Any:
        reply = self.gx.GXReplyData()
        for request in requests if isinstance(requests, list) else [requests]:
            reply.clear()
            self._one(request, reply)
            while reply.isMoreData():
                self._one(self.client.receiverReady(reply), reply)
        return reply

    def _one(self, request: Any, reply: Any) -> None:
        self.medium.sendall(request)
        received = self.gx.GXByteBuffer()
        while not received.size or not self.client.getData(received, reply, self.gx.GXReplyData()):
            received.set(self.medium.recv(65536))

    def read(self, target: Any, index: int) -> Any:
        return self.client.updateValue(target, index, self.exchange(self.client.read(target, index)).value)


def test_gurux_reads_writes_and_calls_at_our_meter(ours: SimpleNamespace) -> None:
    gurux = Gurux(ours.port)
    types = pytest.importorskip("gurux_dlms.enums").ObjectType
    try:
        reply = gurux.exchange(gurux.client.getObjectsRequest())
        objects = gurux.client.parseObjects(reply.data, True)
        seen = {
            (int(one.objectType), int(one.version), bytes(map(int, one.logicalName.split("."))), int(one.name))
            for one in objects
        }
        assert seen == objects_of(ours.meter)
        assert gurux.read(objects.findByLN(types.REGISTER, "1.0.1.8.0.255"), 2) == ours.energy
        profile = objects.findByLN(types.PROFILE_GENERIC, "1.0.99.1.0.255")
        gurux.read(profile, 3)
        reply = gurux.exchange(gurux.client.readRowsByRange(profile, SINCE + dt.timedelta(seconds=1), NOW))
        assert len(gurux.client.updateValue(profile, 2, reply.value)) == ROWS
        clock = objects.findByLN(types.CLOCK, "0.0.1.0.0.255")
        clock.timeZone = -120
        assert gurux.exchange(gurux.client.write(clock, 3)).error == 0
        assert gurux.read(clock, 3) == -120
        breaker = objects.findByLN(types.DISCONNECT_CONTROL, "0.0.96.3.10.255")
        assert gurux.exchange(breaker.remoteDisconnect(gurux.client)).error == 0
        assert gurux.read(breaker, 3) == ControlState.DISCONNECTED
        energy = objects.findByLN(types.REGISTER, "1.0.1.8.0.255")
        energy.value = 1
        assert gurux.exchange(gurux.client.write(energy, 2)).error == 3, "read-write-denied"
        gurux.exchange(gurux.client.releaseRequest())
    finally:
        gurux.medium.close()


def test_we_read_and_write_at_the_example_meter_of_pydlms() -> None:
    simulator = pytest.importorskip("pydlms.simulator", reason="pydlms-client is not installed (group peers)")
    conformance = pytest.importorskip("pydlms.apdu.xdlms").Conformance
    theirs = simulator.example_meter(conformance=conformance.default_sn())
    server = simulator.serve(theirs)
    host, port = server.server_address
    try:
        with BlockingMeter.connect(f"tcp://{host}:{port}?client=16&server=1&referencing=sn") as meter:
            assert meter.read("1-0:1.8.0").raw == 12345678
            assert str(meter.read("1-0:32.7.0")) == "230.1 V"
            assert meter.read("0-0:42.0.0") == b"PYD1000000000001"
            placed = {(one.class_id, one.logical_name.octets): one.base_name for one in meter.objects()}
            assert placed == {(class_id, name.to_bytes()): base for (class_id, name), base in theirs.base_names.items()}
            assert len(meter.get("7/1-0:99.1.0").value()) > 1
            meter.write("8/0-0:1.0.0:time_zone", -90)
            assert meter.read("8/0-0:1.0.0:time_zone") == -90
            with pytest.raises(DataAccessError, match="object-undefined"):
                meter.read("3/1-0:99.9.9")
    finally:
        server.shutdown()
        server.server_close()
