"""The public entry points that octets can reach."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from cosemic import apdu, decode
from cosemic.association.client import ClientAssociation
from cosemic.association.requests import ActionList, Get, GetList, Open, Release, Set
from cosemic.association.server import ServerAssociation
from cosemic.association.service_provider import Access, ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData, Limits, decode_whole
from cosemic.errors import CosemicError, DecodeError
from cosemic.link.contract import ApduReceived
from cosemic.link.hdlc import HdlcParameters, HdlcReassembler, HdlcStreamReader, decode_frame
from cosemic.link.wrapper import WrapperLink, decode_wrapper
from cosemic.security import (
    MemoryCounterStore,
    SecurityContext,
    SecurityMaterial,
    SecurityPolicy,
    open_envelope,
)
from cosemic.server import MeterConnection, PhysicalDevice
from cosemic.simulator import HouseholdMeter
from cosemic.stack import ClientStack
from cosemic.values import (
    ActionResult,
    AuthenticationMechanism,
    DataAccessResult,
    Date,
    DateTime,
    Obis,
    Secret,
    Time,
)
from fuzz.associations import ASSOCIATIONS
from fuzz.codecs import CODECS
from fuzz.files import FILES
from fuzz.papers import PAPERS
from fuzz.protected import PROTECTED
from fuzz.stacks import STACKS
from fuzz.stations import LINKS
from fuzz.target import Target

LIMITS = Limits(depth=16, nodes=200_000, octets=1 << 20)
ENCRYPTION_KEY, AUTHENTICATION_KEY = bytes(range(16)), bytes(range(0xD0, 0xE0))
CLIENT_TITLE, SERVER_TITLE = b"CLI00001", b"SRV00001"
ENERGY = apdu.CosemAttributeDescriptor(3, Obis("1-0:1.8.0"), 2)
METHOD = apdu.CosemMethodDescriptor(3, Obis("1-0:1.8.0"), 1)
BIG = EncodedData.of(DataType.OCTET_STRING, bytes(600))


def values(octets: bytes) -> None:
    """Obis, date and time values."""
    for kind, size in ((Obis, 6), (DateTime, 12), (Date, 5), (Time, 4)):
        try:
            value: Any = kind(octets[:size])
            str(value)
            if isinstance(value, DateTime):
                value.to_datetime()
        except CosemicError:
            continue


def data(octets: bytes) -> None:
    """Data: typed and native agree on what is accepted, and encoding gives back what was typed."""
    try:
        typed = decode_whole(octets, LIMITS, typed=True)
    except DecodeError:
        try:
            decode_whole(octets, LIMITS)
        except DecodeError:
            return
        raise AssertionError("natives accept what the typed form refuses") from None
    decode_whole(octets, LIMITS)
    EncodedData(octets).value(LIMITS)
    again = EncodedData.from_typed(typed)
    assert EncodedData.from_typed(again.typed(LIMITS)) == again


def columns(octets: bytes) -> None:
    """A profile buffer as columns."""
    EncodedData(octets).columns(LIMITS)


def any_apdu(octets: bytes) -> None:
    """Every APDU: what is read can be written, and is read again as the same."""
    value = apdu.decode(octets, LIMITS)
    assert apdu.decode(value.encode(), LIMITS) == value


def hdlc_frame(octets: bytes) -> None:
    """One frame, strict and with the quirk."""
    try:
        decode_frame(octets)
    except DecodeError:
        decode_frame(octets, length_mismatch=True)


def hdlc_stream(octets: bytes) -> None:
    """A stream of frames, cut into two, and its messages."""
    whole, parts = HdlcStreamReader(), HdlcStreamReader()
    middle = len(octets) // 2
    frames = whole.receive(octets)
    assert frames == parts.receive(octets[:middle]) + parts.receive(octets[middle:])
    reassembler = HdlcReassembler()
    for frame in frames:
        reassembler.receive(frame)
        if frame.information[:2] == b"\x81\x80":
            HdlcParameters.decode(frame.information)


def wrapper(octets: bytes) -> None:
    """WPDUs as a stream and as a datagram."""
    link = WrapperLink()
    link.receive(octets[:5], 0.0)
    link.receive(octets[5:], 0.0)
    decode_wrapper(octets)


def envelope(octets: bytes) -> None:
    """A ciphered APDU into a security context: nothing of it can be right."""
    open_envelope(octets)
    _context(SERVER_TITLE, CLIENT_TITLE).unprotect_apdu(octets)


_MATERIAL = SecurityMaterial.of(Secret(ENCRYPTION_KEY), Secret(AUTHENTICATION_KEY))


def _context(own: bytes, peer: bytes) -> SecurityContext:
    return SecurityContext(own, peer, _MATERIAL, MemoryCounterStore())


class Provider:
    """Objects for the server: one value that fits, one that needs blocks."""

    def get(self, attribute: Any, selection: Any, access: Access) -> EncodedData | DataAccessResult:
        return BIG if attribute.attribute_id == 2 else DataAccessResult.OBJECT_UNDEFINED

    def set(self, attribute: Any, selection: Any, value: EncodedData, access: Access) -> DataAccessResult:
        value.value(LIMITS)
        return DataAccessResult.SUCCESS

    def action(self, method: Any, parameters: Any, access: Access) -> apdu.ActionResponseWithOptionalData:
        return apdu.ActionResponseWithOptionalData(ActionResult.SUCCESS, BIG)


def _settings(kind: str) -> tuple[ClientSettings, ServerSettings]:
    ciphered = kind == "gmac"
    common: dict[str, Any] = {}
    if ciphered:
        common = {"mechanism": AuthenticationMechanism.HLS_GMAC, "material": _MATERIAL}
    client = ClientSettings(
        **common, ciphered=ciphered, system_title=CLIENT_TITLE, counters=MemoryCounterStore(), max_pdu_size=200
    )
    server = ServerSettings(
        **common,
        context_names=frozenset((client.application_context,)),
        system_title=SERVER_TITLE,
        counters=MemoryCounterStore(),
        policy=SecurityPolicy(0, 3 if ciphered else 0),
        max_pdu_size=200,
        limits=LIMITS,
    )
    return client, server


def _opened(kind: str) -> tuple[ClientAssociation, ServerAssociation]:
    client_settings, server_settings = _settings(kind)
    client, server = ClientAssociation(client_settings), ServerAssociation(server_settings, Provider())
    _exchange(client, server, Open())
    return client, server


def _exchange(client: ClientAssociation, server: ServerAssociation, request: Any) -> None:
    client.send(request)
    client.tick(0.0)
    while client.busy:
        while out := client.octets_to_send():
            server.receive(out, 0.0)
        while back := server.octets_to_send():
            client.receive(back, 0.0)


_PLAIN = _opened("none")
_CIPHERED = _opened("gmac")


def server_idle(octets: bytes) -> None:
    """A server that nobody has opened."""
    server = ServerAssociation(_settings("gmac")[1], Provider())
    server.receive(octets, 0.0)
    _drain(server)


def server_plain(octets: bytes) -> None:
    """A server whose association stands, without ciphering."""
    global _PLAIN
    server = _PLAIN[1]
    server.receive(octets, 0.0)
    _drain(server)
    if octets[:1] in (b"\x60", b"\x62"):
        _PLAIN = _opened("none")


def server_ciphered(octets: bytes) -> None:
    """A server whose association stands, ciphered."""
    global _CIPHERED
    server = _CIPHERED[1]
    server.receive(octets, 0.0)
    _drain(server)
    if octets[:1] in (b"\x60", b"\x62"):
        _CIPHERED = _opened("gmac")


def server_inside_envelope(octets: bytes) -> None:
    """Octets in a right envelope, which reach the services."""
    client, server = _CIPHERED
    assert client.context is not None
    if octets and octets[0] in (0xC0, 0xC1, 0xC3):
        server.receive(client.context.protect_apdu(octets), 0.0)
        _drain(server)


def _drain(server: ServerAssociation) -> None:
    while out := server.octets_to_send():
        apdu.decode(out)


_REQUESTS = (
    Get(ENERGY),
    GetList((apdu.CosemAttributeDescriptorWithSelection(ENERGY),) * 2),
    Set(ENERGY, BIG),
    ActionList((METHOD, METHOD), (BIG, BIG)),
    Release(),
)


def client_answers(octets: bytes) -> None:
    """A client that waits for an answer."""
    client, _ = _opened("none")
    request = _REQUESTS[octets[-1] % len(_REQUESTS)] if octets else _REQUESTS[0]
    client.send(request)
    while client.octets_to_send():
        pass
    # Answers of the right kind and invoke-id get deeper than any other.
    if octets[:1] in (b"\xc4", b"\xc5", b"\xc7") and len(octets) > 2:
        octets = octets[:2] + bytes((client._terms.invoke,)) + octets[3:]
    client.receive(octets, 0.0)
    while client.octets_to_send():
        pass
    client.receive(octets, 0.0)
    client.cancel()


def client_opening(octets: bytes) -> None:
    """A client that waits for its AARE, and for pass 4."""
    client = ClientAssociation(_settings("gmac")[0])
    client.send(Open())
    client.receive(octets, 0.0)
    client.receive(octets, 0.0)
    client.cancel()


def client_stack(octets: bytes) -> None:
    """A client behind a wrapper."""
    stack = ClientStack(_settings("none")[0], 16, 1)
    stack.send(Open())
    stack.octets_to_send()
    stack.receive(octets[:3], 0.0)
    stack.receive(octets[3:], 0.0)


KEYS = {"ek": ENCRYPTION_KEY, "ak": AUTHENTICATION_KEY, "system_title": CLIENT_TITLE}
KINDS = (None, "apdu", "messages", "data", "hdlcframe", "hdlcstream", "gbt-frames")
QUIRKS = ("action-response-bare-result", "acse-short-lengths", "hdlc-length-mismatch")


def inspector(octets: bytes) -> None:
    """``cosemic.decode`` of every kind: what is given back is ready for JSON, and can be shown."""
    kind = KINDS[octets[-1] % len(KINDS)] if octets else None
    try:
        decoded = decode(octets, keys=KEYS, kind=kind, limits=LIMITS)
    except DecodeError:
        decoded = decode(octets, kind=kind, quirks=QUIRKS, limits=LIMITS)
    json.dumps(decoded.to_dict())
    decoded.explain()


_METER = HouseholdMeter(7, security="hls-gmac", profile_days=1, now=lambda: dt.datetime(2026, 11, 2, tzinfo=dt.UTC))
_DEVICE = PhysicalDevice(_METER)


class _Medium:
    """A connection whose octets nobody reads."""

    peer = "nobody"

    def write(self, octets: bytes, /) -> None:
        _decode_wpdus(octets)

    def close(self) -> None:
        return None


def _decode_wpdus(octets: bytes) -> None:
    """What a meter sends is always whole WPDUs."""
    for event in WrapperLink().receive(octets, 0.0):
        if isinstance(event, ApduReceived):
            apdu.decode(event.apdu)


def meter(octets: bytes) -> None:
    """A household meter behind its connection: raw octets, and an APDU after an association was opened."""
    connection = MeterConnection(_DEVICE, _Medium())
    connection.octets_received(octets)
    opening = bytes.fromhex("601da109060760857405080101be10040e01000000065f1f040000101dffff")
    connection = MeterConnection(_DEVICE, _Medium())
    for message in (opening, octets):
        header = b"\x00\x01\x00\x10\x00\x01" + len(message).to_bytes(2, "big")
        connection.octets_received(header + message)
    connection.connection_lost(None)


_OCTETS: dict[str, Callable[[bytes], None]] = {
    "values": values,
    "data": data,
    "columns": columns,
    "apdu": any_apdu,
    "hdlc-frame": hdlc_frame,
    "hdlc-stream": hdlc_stream,
    "wrapper": wrapper,
    "envelope": envelope,
    "server-idle": server_idle,
    "server-plain": server_plain,
    "server-ciphered": server_ciphered,
    "server-inside-envelope": server_inside_envelope,
    "client-answers": client_answers,
    "client-opening": client_opening,
    "client-stack": client_stack,
    "inspector": inspector,
    "meter": meter,
}
TARGETS: dict[str, Target] = {
    **{name: Target(run, (CosemicError,)) for name, run in _OCTETS.items()},
    **CODECS,
    **LINKS,
    **STACKS,
    **ASSOCIATIONS,
    **PROTECTED,
    **PAPERS,
    **FILES,
}
