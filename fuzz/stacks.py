"""Whole sides: a client's stack, and a meter's session, behind every link; associations that repeat."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cache, partial
from itertools import count
from typing import Any, Final

from cosemic import apdu
from cosemic.association.repeating import RepeatingClient
from cosemic.association.requests import Action, Get, GetList, Open, Release, Set
from cosemic.association.server import ServerAssociation
from cosemic.association.service_provider import Access, ServerSettings
from cosemic.association.settings import ClientSettings, PreEstablished
from cosemic.codec import DataType, EncodedData
from cosemic.link.contract import Link
from cosemic.link.gateway import Gateway, GatewayLink
from cosemic.link.mbus import ShortHeader
from cosemic.link.sms import SmsModemLink
from cosemic.link.wrapper import DatagramWrapperLink, WrapperLink
from cosemic.security import MemoryCounterStore, SecurityMaterial, SecurityPolicy
from cosemic.server import PhysicalDevice
from cosemic.server.meter_session import MeterSession
from cosemic.simulator import HouseholdMeter
from cosemic.stack import ClientStack, Disconnect
from cosemic.values import ActionResult, AuthenticationMechanism, DataAccessResult, Obis, Secret
from fuzz import recording as on
from fuzz import stations as st
from fuzz.playing import Subject, conversing
from fuzz.target import Target

CLOCK: Final = apdu.CosemAttributeDescriptor(8, Obis("0-0:1.0.0"), 2)
NAME: Final = apdu.CosemAttributeDescriptor(1, Obis("0-0:42.0.0"), 2)
OBJECTS: Final = apdu.CosemAttributeDescriptor(15, Obis("0-0:40.0.0"), 2)
METHOD: Final = apdu.CosemMethodDescriptor(8, Obis("0-0:1.0.0"), 1)
VALUE: Final = EncodedData.of(DataType.OCTET_STRING, bytes(range(12)))
BIG: Final = EncodedData.of(DataType.OCTET_STRING, bytes(700))


def _all(attribute: Any) -> Any:
    return apdu.CosemAttributeDescriptorWithSelection(attribute)


REQUESTS: Final[tuple[Callable[[], Any], ...]] = (
    Open,
    lambda: Get(NAME),
    lambda: Get(OBJECTS),
    lambda: GetList((_all(NAME), _all(CLOCK))),
    lambda: Set(CLOCK, VALUE),
    lambda: Set(NAME, BIG),
    lambda: Action(METHOD, VALUE),
    Release,
    Disconnect,
    Open,
    lambda: Get(CLOCK),
)
LATE: Final = 30.0
"""Response time-out of an association, longer than links need."""


def client(
    link: Callable[[], Link],
    requests: tuple[Callable[[], Any], ...] = REQUESTS,
    *,
    max_pdu_size: int = 300,
    **settings: Any,
) -> Subject:
    """A stack whose user sends one request after the other, whatever becomes of them."""
    chosen = ClientSettings(response_timeout=LATE, max_pdu_size=max_pdu_size, **settings)
    stack = ClientStack(chosen, st.CLIENT, st.SERVER, link=lambda client_sap, server_sap: link())
    left = list(requests)

    def send(make: Callable[[], Any]) -> None:
        # Where there is no data link connection nothing would end the request.
        if make is not Disconnect or stack.linked:
            stack.send(make())

    def go_on(event: Any = None) -> None:
        while left and not stack.busy:
            send(left.pop(0))

    def check() -> None:
        assert not stack.busy, f"a request is served for ever: {stack.association.deadline()}"

    acts: list[Callable[[], object]] = [stack.cancel, go_on]
    acts += [partial(send, make) for make in requests]
    return Subject(stack, go_on, acts, go_on, check=check, most_held=1 << 17)


@cache
def device() -> PhysicalDevice:
    """A meter."""
    return PhysicalDevice(HouseholdMeter(7, profile_days=1, now=lambda: dt.datetime(2026, 11, 2, tzinfo=dt.UTC)))


def session(link: Callable[[], Any], of: Callable[[], Any] = device, **options: Any) -> Subject:
    """A meter's session."""
    machine = MeterSession(of(), link())

    def check() -> None:
        machine.lost()

    return Subject(machine, check=check, most_held=1 << 17, **options)


class Provider:
    """Objects for the server: one value that fits, one that needs blocks."""

    def get(self, attribute: Any, selection: Any, access: Access) -> EncodedData | DataAccessResult:
        return BIG if attribute == OBJECTS else VALUE

    def set(self, attribute: Any, selection: Any, value: EncodedData, access: Access) -> DataAccessResult:
        return DataAccessResult.SUCCESS

    def action(self, method: Any, parameters: Any, access: Access) -> apdu.ActionResponseWithOptionalData:
        return apdu.ActionResponseWithOptionalData(ActionResult.SUCCESS, BIG)


class AgreedDevice:
    """A device whose association stands beforehand, as one that is reached by short messages."""

    def pre_established(self, client_sap: int) -> tuple[int, ...]:
        return (st.SERVER,)

    def association(self, client_sap: int, server_sap: int) -> AgreedAssociation:
        return AgreedAssociation(ServerSettings(max_pdu_size=300, max_transfer=2000, **_AGREED), Provider())


class AgreedAssociation(ServerAssociation):
    """Never gone."""

    gone = False


_WRAPPER: Final = partial(WrapperLink, max_apdu=4000)
_DATAGRAM: Final = partial(DatagramWrapperLink, max_apdu=4000)
_REPEATING: Final[dict[str, Any]] = {"repetitions": 2}
_AGREED: Final[dict[str, Any]] = {"pre_established": PreEstablished(max_pdu_size=500)}
_NO_RELEASE: Final = (*REQUESTS[:3], *REQUESTS[4:7])


def _prefixed(link: Callable[[], Link]) -> Callable[[], Link]:
    return lambda: GatewayLink(link(), *st.BEHIND)


_STACKS: Final = {
    "tcp": st.Pair(on.over_stream, lambda: client(_WRAPPER), lambda: session(_WRAPPER)),
    "udp": st.Pair(on.over_datagrams, lambda: client(_DATAGRAM, **_REPEATING), lambda: session(_DATAGRAM)),
    "hdlc": st.Pair(on.over_stream, lambda: client(st.primary), lambda: session(st.secondary)),
    "iec21": st.Pair(on.over_optical, lambda: client(st.mode_e_client), lambda: session(st.mode_e_server)),
    "mbus": st.Pair(on.over_stream, lambda: client(st.master), lambda: session(st.slave)),
    "mbus-header": st.Pair(
        on.over_stream,
        lambda: client(lambda: st.master(header=ShortHeader()), REQUESTS[:5] + REQUESTS[6:], max_pdu_size=200),
        lambda: session(st.slave),
    ),
    "modem": st.Pair(on.over_telephones, lambda: client(st.dialling), lambda: session(st.answered, rests=False)),
    "gateway": st.Pair(on.over_stream, lambda: client(_prefixed(_WRAPPER)), lambda: session(_prefixed(_WRAPPER))),
    "sms": st.Pair(
        on.over_short_messages,
        lambda: client(lambda: st.sms(on.METER), _NO_RELEASE, **_AGREED),
        lambda: session(lambda: st.sms(None), AgreedDevice),
    ),
    "sms-modem": st.Pair(
        on.over_sms_modems,
        lambda: client(lambda: SmsModemLink(st.sms(on.METER))),
        lambda: session(lambda: SmsModemLink(st.sms(None))),
    ),
}


def _gateway_itself() -> Subject:
    return session(lambda: Gateway(_WRAPPER()))


# ---- associations on datagrams --------------------------------------------------------------------------------------

MATERIAL: Final = SecurityMaterial.of(Secret(bytes(range(16))), Secret(bytes(range(0xD0, 0xE0))))
CLIENT_TITLE, SERVER_TITLE = b"CLI00001", b"SRV00001"


class Association:
    """An association, or what sends or receives notifications, as a machine of its own: an APDU is a datagram."""

    def __init__(self, association: Any) -> None:
        self.association = association

    def receive(self, octets: bytes, now: float) -> Any:
        return self.association.receive(bytes(octets), now)

    def octets_to_send(self) -> bytes:
        return self.association.octets_to_send()

    def line_to_set(self) -> None:
        return None

    def deadline(self) -> float | None:
        return self.association.deadline()

    def tick(self, now: float) -> Any:
        return self.association.tick(now)


def drawn(first: int) -> Callable[[int], bytes]:
    """Challenges that are the same in each process, and others on the other side."""
    numbers = count(first)
    return lambda length: next(numbers).to_bytes(length, "big")


def secured(ciphered: bool) -> dict[str, Any]:
    return {"mechanism": AuthenticationMechanism.HLS_GMAC, "material": MATERIAL} if ciphered else {}


def repeating(ciphered: bool, **settings: Any) -> Subject:
    """A client that repeats."""
    chosen = ClientSettings(
        ciphered=ciphered, system_title=CLIENT_TITLE if ciphered else b"", counters=MemoryCounterStore(),
        max_pdu_size=200, repetitions=3, response_timeout=2.0, **secured(ciphered), **settings,
    )  # fmt: skip
    association = RepeatingClient(chosen, randomness=drawn(1))
    left = [make for make in REQUESTS if make is not Disconnect]

    def go_on(event: Any = None) -> None:
        while left and not association.busy:
            association.send(left.pop(0)())

    def check() -> None:
        assert not association.busy, f"{association.deadline()} after a long silence"

    acts = (association.cancel, go_on)
    return Subject(Association(association), go_on, acts, go_on, check=check)


def keeping(ciphered: bool) -> Subject:
    """A server that keeps its answers."""
    client_settings = ClientSettings(
        ciphered=ciphered, system_title=CLIENT_TITLE if ciphered else b"", **secured(ciphered)
    )
    settings = ServerSettings(
        context_names=frozenset((client_settings.application_context,)), system_title=SERVER_TITLE,
        counters=MemoryCounterStore(), policy=SecurityPolicy(0, 3 if ciphered else 0), max_pdu_size=200,
        keep_answers=True, max_transfer=2000, **secured(ciphered),
    )  # fmt: skip
    return Subject(Association(ServerAssociation(settings, Provider(), randomness=drawn(1 << 32))))


_ASSOCIATIONS: Final = (
    st.Pair(on.over_datagrams, lambda: repeating(False), lambda: keeping(False)),
    st.Pair(on.over_datagrams, lambda: repeating(True), lambda: keeping(True)),
    st.Pair(on.over_datagrams, lambda: repeating(False, repeat_changes=True), lambda: keeping(False)),
)

STACKS: Final[dict[str, Target]] = {
    name: target
    for link, pair in _STACKS.items()
    for name, target in zip((f"stack-{link}", f"session-{link}"), st.two((pair,), cut=False), strict=True)
} | dict(zip(("repeating-client", "keeping-server"), st.two(_ASSOCIATIONS), strict=True))
STACKS["session-gateway-itself"] = conversing(
    [_gateway_itself],
    lambda: [_STACKS["tcp"].medium(_STACKS["tcp"].client(), _STACKS["tcp"].server())[1]],
    streams=False,
)
