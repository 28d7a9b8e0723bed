"""What general block transfer saves on a slow link: 64 KiB read in blocks of GET, and in general blocks.

The link takes 100 ms there and back and is as wide as one likes, so that round trips are all that counts. Time is
virtual (:mod:`cosemic.faults`): the figures are the same on every machine. The meter is our server; pydlms-client, the
one peer with general block transfer whose socket can be exchanged, reads the same meter over the same link.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from pydlms import DlmsClient, ObisCode
from pydlms.association import AssociationSettings
from pydlms.transports.base import Transport
from pydlms.wrapper import WrapperLink as PydlmsWrapperLink

from benchmarks import samples
from cosemic import apdu
from cosemic.association.requests import Get, Open
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ResponseTimeout
from cosemic.faults import ByteStream, Port, StreamFaults, VirtualTime
from cosemic.faults.blocking_port import BlockingPort
from cosemic.faults.sessions import ClientStation, MeterStation
from cosemic.link.wrapper import WrapperLink
from cosemic.server import Admission, LogicalDevice, PhysicalDevice, data, reading
from cosemic.server.meter_session import MeterSession
from cosemic.stack import ClientStack
from cosemic.values import Obis

ROUND_TRIP: Final = 0.1
"""Seconds."""
OCTETS: Final = 1 << 16
PDU_SIZE: Final = 1024
WINDOW: Final = 8
GOAL: Final = 6
"""65 blocks take 65 round trips, and 9 in windows of 8: the first comes alone, as its sender knows no window yet."""
_NAME: Final = samples.ACCESSED[0]


class WrongAnswer(Exception):
    """Something else was read than the meter holds."""


def _link() -> ByteStream:
    """A link with the meter at its end."""
    faults = StreamFaults(latency=ROUND_TRIP / 2)
    link = ByteStream(VirtualTime(), from_client=faults, from_server=faults)
    device = LogicalDevice("MTR0000000000001")
    device.add(data(Obis(_NAME), DataType.OCTET_STRING, _value()))
    settings = ServerSettings(max_pdu_size=PDU_SIZE, block_window=WINDOW)
    device.admit(Admission(client_sap=samples.CLIENT_ADDRESS, settings=settings, rights=reading()))
    MeterStation(MeterSession(PhysicalDevice(device), WrapperLink()), link.server)
    return link


def _value() -> bytes:
    return bytes(n * n % 251 for n in range(OCTETS))


def _ours(*, general: bool) -> float:
    """Virtual seconds of one GET."""
    link = _link()
    settings = ClientSettings(max_pdu_size=PDU_SIZE, general_blocks=general, block_window=WINDOW)
    client = ClientStation(ClientStack(settings, samples.CLIENT_ADDRESS, samples.METER_ADDRESS), link.client)
    client.ask(Open())
    begun = client.time.now
    found = client.ask(Get(apdu.CosemAttributeDescriptor(1, Obis(_NAME), 2)))
    if found != EncodedData.of(DataType.OCTET_STRING, _value()):
        raise WrongAnswer("delivers something else than the truth")
    return client.time.now - begun


class _VirtualTransport(Transport):
    """Its octets over a port in virtual time."""

    def __init__(self, port: Port) -> None:
        self._port = BlockingPort(port)
        self._came = b""

    def open(self) -> None:
        """It is open."""

    def close(self) -> None:
        self._port.close()

    def _write(self, data: bytes) -> None:
        self._port.write(data)

    def _read(self, max_bytes: int, timeout: float) -> bytes:
        try:
            came = self._came or self._port.read(time.monotonic() + timeout)
        except ResponseTimeout:
            return b""
        self._came = came[max_bytes:]
        return came[:max_bytes]


def _pydlms(*, general: bool) -> float:
    """Virtual seconds of one GET."""
    link = _link()
    wrapper = PydlmsWrapperLink(_VirtualTransport(link.client), samples.CLIENT_ADDRESS, samples.METER_ADDRESS)
    settings = AssociationSettings(max_receive_pdu_size=PDU_SIZE, propose_gbt=general, gbt_window=WINDOW)
    client = DlmsClient(wrapper, settings).connect()
    begun = link.time.now
    found = client.get(ObisCode.from_bytes(_NAME), 1, 2).value
    if found != _value():
        raise WrongAnswer("delivers something else than the truth")
    return link.time.now - begun


def _figures(read: Callable[..., float]) -> dict[str, Any]:
    try:
        by_service, general = read(general=False), read(general=True)
    except Exception as error:  # a contender may fail in any way; its failure is the result
        return {"why": f"{type(error).__name__}: {error}"}
    return {
        "service_blocks_s": round(by_service, 3),
        "general_blocks_s": round(general, 3),
        "ratio": round(by_service / general, 2),
    }


def compare() -> dict[str, Any]:
    """Read both ways with both clients; return the object for the JSON file."""
    figures = {"cosemic": _figures(_ours), "pydlms-client": _figures(_pydlms)}
    ratio = figures["cosemic"].get("ratio")
    return {
        "workload": "gbt-100ms",
        "octets": OCTETS,
        "pdu_size": PDU_SIZE,
        "window": WINDOW,
        "round_trip_s": ROUND_TRIP,
        "unit": "virtual seconds",
        "figures": figures,
        "ratio": ratio,
        "goal": GOAL,
        "met": ratio is not None and ratio >= GOAL,
    }


def show(record: dict[str, Any]) -> None:
    """Print the comparison."""
    print(
        f"{OCTETS:,} octets over a link of {1000 * ROUND_TRIP:g} ms there and back, APDUs of {PDU_SIZE:,} octets, "
        "virtual seconds"
    )
    for name, figure in record["figures"].items():
        if "why" in figure:
            print(f"  {name:<14} {figure['why']}")
            continue
        print(
            f"  {name:<14} blocks of GET {figure['service_blocks_s']:.2f} s, general blocks in windows of {WINDOW} "
            f"{figure['general_blocks_s']:.2f} s: {figure['ratio']}x"
        )
    print(f"  ratio {record['ratio']}x, goal {record['goal']}x: {'met' if record['met'] else 'NOT MET'}")
