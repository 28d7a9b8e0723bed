"""A session with a liar on one side: the meter and clients that it is told to, what is asked, and what is right."""

from __future__ import annotations

import gc
from dataclasses import replace
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from cosemic.apdu import CosemAttributeDescriptor, CosemMethodDescriptor
from cosemic.association.requests import Action, Get, GetList, Open, Release, Request, Set, SetList
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData, Limits
from cosemic.faults import ByteStream, StreamFaults, VirtualTime
from cosemic.faults.lies import Lie, LyingLink, Moment, Setting, lying_client, lying_server
from cosemic.faults.sessions import ClientStation, MeterStation
from cosemic.link.contract import Link
from cosemic.link.hdlc import HdlcAddress, HdlcPrimaryLink, HdlcSecondaryLink, HdlcSettings
from cosemic.link.wrapper import MAX_APDU, WrapperLink
from cosemic.model import ImageTransfer, Register, ScalerUnit
from cosemic.server import Admission, CosemObject, LogicalDevice, PhysicalDevice, RegisterObject, data, managing
from cosemic.server.meter_session import MeterSession
from cosemic.stack import ClientStack
from cosemic.values import ActionResult, DataAccessResult, Obis, Unit
from tests.association.samples import SERVER_TITLE, M, listed, octets, settings

CLIENT_SAP, SERVER_SAP = 16, 1
REGISTER = CosemAttributeDescriptor(3, Obis("1-0:1.8.0"), 2)
NUMBER = CosemAttributeDescriptor(1, Obis("0-0:96.1.0"), 2)
LONG = CosemAttributeDescriptor(1, Obis("0-0:96.1.1"), 2)
BLOCK = CosemMethodDescriptor(18, Obis("0-0:44.0.0"), 2)
ENERGY, SEVEN = 12345678, EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, 7)
EIGHT = EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, 8)
PDU = 256
"""Octets of the largest APDU that either side takes."""
TRANSFER = 20_000
"""Octets of the longest transfer that either side takes."""
TIME_OUT = 10.0
HELD = TRANSFER + MAX_APDU
"""Octets that a peer may hold of what a liar sends: one transfer, and one WPDU."""
SUCCESS = DataAccessResult.SUCCESS


def block(length: int) -> EncodedData:
    """The parameter of image_block_transfer."""
    return EncodedData.from_typed(
        (DataType.STRUCTURE, ((DataType.DOUBLE_LONG_UNSIGNED, 0), (DataType.OCTET_STRING, bytes(length))))
    )


def request_of(moment: Moment) -> Request:
    """What is asked when a lie of this moment is to be told."""
    match moment:
        case Moment.CONNECTING | Moment.OPENING | Moment.PROVING:
            return Open()
        case Moment.READING:
            return Get(REGISTER)
        case Moment.BLOCK_READING:
            return Get(LONG)
        case Moment.LIST_READING:
            return GetList(listed(REGISTER, NUMBER))
        case Moment.WRITING:
            return Set(NUMBER, EIGHT)
        case Moment.BLOCK_WRITING:
            return Set(LONG, octets(900, 1))
        case Moment.LIST_WRITING:
            return SetList(listed(NUMBER, NUMBER), (EIGHT, EIGHT))
        case Moment.INVOKING:
            return Action(BLOCK, block(10))
        case Moment.BLOCK_INVOKING:
            return Action(BLOCK, block(900))
        case Moment.RELEASING:
            return Release()


class Scenery:
    """A meter, the settings of its client, and a medium, for lies told in one kind of association."""

    def __init__(self, setting: Setting, *, hdlc: bool = False) -> None:
        self._hdlc = hdlc
        sizes: dict[str, Any] = {"max_pdu_size": PDU}
        ours = sizes | {"limits": Limits(octets=TRANSFER), "response_timeout": TIME_OUT}
        theirs = sizes | {"max_transfer": TRANSFER}
        client: ClientSettings
        server: ServerSettings
        if setting in (Setting.CIPHERED, Setting.DEDICATED):
            ours |= {"dedicated_key": setting is Setting.DEDICATED}
            client, server = settings(M.HLS_GMAC, ciphered=True, client=ours, server=theirs)
        else:
            mechanism = M.LLS if setting is Setting.PASSWORD else M.LOWEST
            client, server = settings(mechanism, client=ours, server=theirs)
        self.settings = client
        self.material = client.material
        self.blocks: list[Any] = []
        """What was given to image_block_transfer."""
        device = LogicalDevice("TST0000000000001", sap=SERVER_SAP)
        device.add(RegisterObject(REGISTER.instance_id, DataType.DOUBLE_LONG_UNSIGNED, SCALE, ENERGY))
        self.number = device.add(data(NUMBER.instance_id, DataType.DOUBLE_LONG_UNSIGNED, 7, writable=True))
        self.long = device.add(data(LONG.instance_id, DataType.OCTET_STRING, octets(900).value(), writable=True))
        device.add(
            CosemObject(
                ImageTransfer(BLOCK.instance_id),
                {},
                methods={"image_block_transfer": lambda given, situation: self.blocks.append(given)},
            )
        )
        device.admit(Admission(client_sap=CLIENT_SAP, settings=server, rights=managing()))
        self.device = PhysicalDevice(device)
        self.time = VirtualTime()

    def stream(self) -> ByteStream:
        """A fresh connection, which hands in at most 4 KiB at a time."""
        chunks = StreamFaults(chunks=(4096,))
        return ByteStream(self.time, from_client=chunks, from_server=chunks)

    def clients_link(self, client_sap: int, server_sap: int) -> Link:
        """A link for a client."""
        if not self._hdlc:
            return WrapperLink()
        return HdlcPrimaryLink(client_sap, HdlcAddress(server_sap), HdlcSettings(response_timeout=1.0))

    def meters_link(self) -> Link:
        """A link for the meter."""
        return HdlcSecondaryLink(devices={SERVER_SAP}) if self._hdlc else WrapperLink()

    def honest_stack(self) -> ClientStack:
        """An honest client."""
        return ClientStack(self.settings, CLIENT_SAP, SERVER_SAP, link=self.clients_link)

    def honest(self) -> ClientStation:
        """An honest client on a fresh connection to the honest meter."""
        stream = self.stream()
        MeterStation(MeterSession(self.device, self.meters_link()), stream.server)
        return ClientStation(self.honest_stack(), stream.client)

    def told_by_server(self, lie: Lie) -> tuple[WatchedClient, LyingLink]:
        """An honest client on a connection to a meter that lies."""
        stream = self.stream()
        session, link = lying_server(lie, self.device, self.meters_link(), self.material)
        MeterStation(session, stream.server)
        return WatchedClient(self.honest_stack(), stream.client), link

    def told_by_client(self, lie: Lie) -> tuple[ClientStation, LyingLink, WatchedMeter]:
        """A client that lies on a connection to an honest meter."""
        stream = self.stream()
        meter = WatchedMeter(MeterSession(self.device, self.meters_link()), stream.server)
        settings = replace(self.settings, server_title=SERVER_TITLE)  # a liar knows whom it lies to
        stack, link = lying_client(lie, settings, CLIENT_SAP, SERVER_SAP, self.clients_link)
        return ClientStation(stack, stream.client), link, meter

    def untouched(self) -> bool:
        """Whether nothing was changed in the meter."""
        values = [served.read(2, None, NO_SITUATION) for served in (self.number, self.long)]
        return values == [SEVEN, octets(900)] and not self.blocks


SCALE = ScalerUnit(0, Unit.of("Wh"))
NO_SITUATION: Any = None


def right(moment: Moment, result: Any) -> bool:
    """Whether a result is what the honest meter gives; reads a value as its attribute is declared."""
    match moment:
        case Moment.READING:
            return bool(Register(REGISTER.instance_id).value.decode(result.typed()) == ENERGY)
        case Moment.BLOCK_READING:
            return bool(result == octets(900))
        case Moment.LIST_READING:
            return [one.value() for one in result] == [ENERGY, 7]
        case Moment.WRITING | Moment.BLOCK_WRITING:
            return result is SUCCESS
        case Moment.LIST_WRITING:
            return bool(result == (SUCCESS, SUCCESS))
        case Moment.INVOKING | Moment.BLOCK_INVOKING:
            return result.result is ActionResult.SUCCESS
        case Moment.CONNECTING | Moment.OPENING | Moment.PROVING:
            return bool(result.dlms_version == 6)
        case Moment.RELEASING:
            return result is None


class WatchedClient(ClientStation):
    """Tells the most octets that its stack held at a time."""

    peak = 0

    def octets_received(self, octets: bytes, /) -> None:
        super().octets_received(octets)
        self.peak = max(self.peak, held(self.stack))


class WatchedMeter(MeterStation):
    """Tells the most octets that its session held at a time."""

    peak = 0

    def octets_received(self, octets: bytes, /) -> None:
        super().octets_received(octets)
        self.peak = max(self.peak, held(self.session))


_NOT_HELD = (type, ModuleType, FunctionType, BuiltinFunctionType, VirtualTime, LogicalDevice)


def held(root: object) -> int:
    """Octets and characters that can be reached from an object."""
    seen = {id(root)}
    waiting, total = [root], 0
    while waiting:
        for each in gc.get_referents(waiting.pop()):
            if id(each) in seen or isinstance(each, _NOT_HELD):
                continue
            seen.add(id(each))
            if isinstance(each, bytes | bytearray | str):
                total += len(each)
            else:
                waiting.append(each)
    return total
