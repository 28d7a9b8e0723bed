"""M-Bus against other people's software, in process: pyMeterBus, and the master and the meter of pydlms-client."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic.link.contract import ApduReceived
from cosemic.link.mbus import (
    E5,
    DeviceAddress,
    LongHeader,
    MbusFrame,
    MbusMasterLink,
    MbusSlaveLink,
    ShortHeader,
    SingleCharacter,
    WirelessFormat,
    WirelessFrame,
    decode_frame,
)
from tests.link.mbus_samples import CLIENT, SERVER, answer_to

DEVICE = DeviceAddress("12345678", 0x2CCD, 1, 2)
SIZES = (0, 1, 250, 251, 3000)


# ---- pyMeterBus ------------------------------------------------------------------------------------------------------


@pytest.fixture
def meterbus() -> Any:
    return pytest.importorskip("meterbus", reason="pyMeterBus is not installed (dependency group peers)")


class Wire:
    """What pyMeterBus takes for a serial port: a slave of ours is at its other end."""

    def __init__(self, slave: MbusSlaveLink) -> None:
        self.slave = slave
        self.answer = b""
        self.written: list[bytes] = []

    def write(self, octets: bytearray) -> None:
        self.written.append(bytes(octets))
        self.slave.receive(octets, 0.0)
        self.answer += self.slave.octets_to_send()

    def read(self, length: int) -> bytes:
        taken, self.answer = self.answer[:length], self.answer[length:]
        return taken


def test_pymeterbus_reads_our_frames(meterbus: Any) -> None:
    assert isinstance(meterbus.load(E5.encode()), meterbus.TelegramACK)
    short = meterbus.load(MbusFrame(0x7B, 5).encode())
    assert (short.header.cField.parts, short.header.aField.parts) == ([0x7B], [5])
    control = meterbus.load(MbusFrame(0x53, 0xFE, 0x50).encode())
    assert (control.header.cField.parts, control.body.bodyHeader.ci_field.parts) == ([0x53], [0x50])
    content = LongHeader(DEVICE, ShortHeader(0x2A)).encode() + bytes.fromhex("0c1427048502")
    long = meterbus.load(MbusFrame(0x08, 5, 0x72, content).encode())
    assert long.check_crc()
    assert long.manufacturer == "KFM"
    assert long.secondary_address == "12345678CD2C0102"
    assert float(long.records[0].parsed_value) == pytest.approx(28504.27)


def test_pymeterbus_refuses_our_frames_when_they_are_damaged(meterbus: Any) -> None:
    for frame in (MbusFrame(0x7B, 5), MbusFrame(0x08, 5, 0x72, LongHeader(DEVICE).encode())):
        octets = bytearray(frame.encode())
        octets[-2] ^= 1
        with pytest.raises(meterbus.exceptions.MBusFrameCRCError):
            meterbus.load(bytes(octets))


def test_we_read_the_frames_of_pymeterbus_and_answer_them(meterbus: Any) -> None:
    slave = MbusSlaveLink(5, secondary=DEVICE)
    wire = Wire(slave)
    meterbus.send_ping_frame(wire, 5)
    assert decode_frame(wire.written[-1]) == MbusFrame(0x40, 5)
    assert isinstance(meterbus.load(meterbus.recv_frame(wire, 1)), meterbus.TelegramACK)
    meterbus.send_select_frame(wire, "12345678CD2C0102")
    assert decode_frame(wire.written[-1]) == MbusFrame(0x73, 0xFD, 0x52, DEVICE.encode())
    assert slave.selected
    assert meterbus.recv_frame(wire, 1) == b"\xe5"
    meterbus.send_request_frame(wire, 5)
    assert decode_frame(wire.written[-1]) == MbusFrame(0x5B, 5)
    assert meterbus.recv_frame(wire, 1) == b"\xe5"
    control = meterbus.TelegramControl()
    control.header.aField.parts = [5]
    control.set_application_reset()
    meterbus.serial_send(wire, control)
    assert decode_frame(wire.written[-1]) == MbusFrame(0x53, 5, 0x50)


def test_pymeterbus_reads_our_wireless_frames_without_crcs(meterbus: Any) -> None:
    payload = b"\x7a" + ShortHeader(0x2A).encode() + bytes.fromhex("2f2f0c1427048502")
    read = meterbus.load(WirelessFrame(0x44, DEVICE, payload).encode(WirelessFormat.STRIPPED))
    assert isinstance(read, meterbus.WTelegramSndNr)
    header = read.interpreted["header"]
    assert (header["manufacturer"], header["identification"]) == ("KFM", "0x12, 0x34, 0x56, 0x78")
    assert (header["version"], header["device_type"], header["access_no"]) == ("0x1", "0x2", 0x2A)
    assert float(read.records[0].parsed_value) == pytest.approx(28504.27)


# ---- pydlms-client ---------------------------------------------------------------------------------------------------


class Endless:
    """A clock on which a little time passes whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def their_master(slave: MbusSlaveLink, clock: Endless, executed: list[bytes], **settings: Any) -> Any:
    """Their master on an in-memory transport at whose other end is our slave, which answers each request."""
    base = pytest.importorskip("pydlms.transports.base", reason="pydlms-client is not installed (group peers)")
    mbus_link = pytest.importorskip("pydlms.mbus_link")

    class Transport(base.Transport):
        pending = b""

        def open(self) -> None:
            self.pending = b""

        def close(self) -> None:
            self.pending = b""

        def _write(self, octets: bytes) -> None:
            for event in slave.receive(octets, clock.now):
                assert isinstance(event, ApduReceived)
                executed.append(event.apdu)
                slave.send(answer_to(event.apdu), source=event.destination, destination=event.source)
            self.pending += slave.octets_to_send()

        def _read(self, max_bytes: int, timeout: float) -> bytes:
            taken, self.pending = self.pending[:max_bytes], self.pending[max_bytes:]
            clock.now += 0.0 if taken else timeout
            return taken

    return mbus_link.MbusLink(Transport(), clock=clock, sleep=clock.sleep, max_apdu_size=60000, **settings)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("addressed", [{"primary_address": 5}, {"secondary_address": "12345678CD2C0102"}], ids=str)
def test_the_master_of_pydlms_reads_our_meter(size: int, addressed: dict[str, Any]) -> None:
    clock, executed = Endless(), []
    slave = MbusSlaveLink(5, secondary=DEVICE)
    link = their_master(slave, clock, executed, client_sap=CLIENT, server_sap=SERVER, **addressed)
    link.connect()
    for number in range(3):
        request = bytes((number,)) + bytes(size)
        link.send_apdu(request)
        assert link.receive_apdu() == answer_to(request)
    assert len(executed) == 3
    assert link.repetitions == 0


class TheirMeter:
    """Their slave, with what it sends; ``simulator`` is the meter behind it."""

    def __init__(self, simulator: Any, address: int, **options: Any) -> None:
        module = pytest.importorskip("pydlms.simulator", reason="pydlms-client is not installed (group peers)")
        self.sent = b""
        self.server = module.MbusServer(simulator, self, address, **options)

    def sendall(self, octets: bytes) -> None:
        self.sent += octets

    def exchange(self, master: MbusMasterLink) -> list[Any]:
        """Let the two talk until the master has nothing to say; time passes to its deadlines."""
        events: list[Any] = []
        now = 1.0
        for _ in range(10_000):
            if octets := master.octets_to_send():
                events += master.tick(now)
                self.server.feed(octets)
                answer, self.sent = self.sent, b""
                events += master.receive(answer, now)
            elif (deadline := master.deadline()) is not None:
                now = max(now, deadline)
                events += master.tick(now)
            else:
                return events
        raise AssertionError("the two never come to rest")


class Answering:
    """The part of their simulator that a slave needs."""

    def __init__(self) -> None:
        self.executed: list[bytes] = []

    def handle_all(self, apdu: bytes, _session: Any) -> list[bytes]:
        self.executed.append(apdu)
        return [answer_to(apdu)]

    def take_pushes(self) -> list[Any]:
        return []


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"idle_ack": True, "not_ready": 3},
        {"not_ready": 3},
        {"max_segment": 30},
        {"drop_ack": [1, 3], "drop_response": [2, 4], "corrupt_response": [6]},
        {"max_segment": 30, "repeat_response": [2, 5]},
    ],
    ids=str,
)
@pytest.mark.parametrize("secondary", [False, True])
def test_our_master_reads_the_meter_of_pydlms(options: dict[str, Any], secondary: bool) -> None:
    simulator = Answering()
    meter = TheirMeter(simulator, 5, secondary=DEVICE.encode(), **options)
    address: dict[str, Any] = {"secondary": DEVICE} if secondary else {"address": 5}
    master = MbusMasterLink(source=CLIENT, destination=SERVER, **address)
    master.connect()
    assert len(meter.exchange(master)) == 1
    assert master.connected
    for size in SIZES:
        request = bytes((size & 0xFF,)) + bytes(size)
        master.send(request)
        assert meter.exchange(master) == [ApduReceived(answer_to(request), SERVER, CLIENT)]
    assert len(simulator.executed) == len(SIZES)


def test_our_master_associates_with_the_example_meter_of_pydlms() -> None:
    module = pytest.importorskip("pydlms.simulator", reason="pydlms-client is not installed (group peers)")
    meter = TheirMeter(module.example_meter(), 5)
    master = MbusMasterLink(5, source=CLIENT, destination=SERVER)
    master.connect()
    meter.exchange(master)
    master.send(bytes.fromhex("601da109060760857405080101be10040e01000000065f1f0400007e1fffff"))
    (aare,) = meter.exchange(master)
    assert aare.apdu[0] == 0x61
    assert bytes.fromhex("a203020100") in aare.apdu
    master.send(bytes.fromhex("c001c100080000010000ff0200"))
    (response,) = meter.exchange(master)
    assert response.apdu[:4] == bytes.fromhex("c401c100")


def test_frames_of_pydlms_are_ours_and_the_other_way_round() -> None:
    mbus = pytest.importorskip("pydlms.mbus", reason="pydlms-client is not installed (group peers)")
    device = {"identification": 0x12345678, "manufacturer": 0x2CCD, "version": 1, "device_type": 2}
    for ci, header, fields in (
        (0x11, None, None),
        (0x7D, ShortHeader(1, 2), {}),
        (0x7C, LongHeader(DEVICE, ShortHeader(1, 2)), device),
    ):
        theirs = None
        if fields is not None:
            theirs = mbus.MbusTransportHeader("up", 1, 2, 0, **fields)
        octets = mbus.encode_mbus_frame(mbus.MbusFrame(0x08, 5, ci, SERVER, CLIENT, b"part", theirs))
        user_data = (b"" if header is None else header.encode()) + bytes((SERVER, CLIENT)) + b"part"
        ours = MbusFrame(0x08, 5, ci, user_data)
        assert ours.encode() == octets
        assert decode_frame(octets) == ours
        assert mbus.decode_mbus_frame(ours.encode()).data == b"part"
    assert isinstance(decode_frame(b"\xe5"), SingleCharacter)
