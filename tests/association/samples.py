"""A client and a server that talk without a medium, a provider that holds values, and settings that fit together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cosemic.apdu import (
    ActionResponseWithOptionalData,
    CosemAttributeDescriptor,
    CosemAttributeDescriptorWithSelection,
    CosemMethodDescriptor,
    SelectiveAccessDescriptor,
)
from cosemic.association.client import ClientAssociation
from cosemic.association.requests import Completed, Event, Failed, Open, Opened, Request
from cosemic.association.server import ServerAssociation
from cosemic.association.server_events import ServerEvent
from cosemic.association.service_provider import Access, ServerSettings
from cosemic.association.settings import BOTH, ClientSettings
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, Dialect
from cosemic.security import (
    KnownSigners,
    MemoryCounterStore,
    Protection,
    SecurityMaterial,
    SecurityPolicy,
    SoftwareSigningKey,
    security_suite,
)
from cosemic.values import ActionResult, ApplicationContext, AuthenticationMechanism, DataAccessResult, Obis, Secret

CLIENT_TITLE = bytes.fromhex("4D4D4D0000000001")
SERVER_TITLE = bytes.fromhex("4D4D4D0000BC614E")
OTHER_TITLE = bytes.fromhex("4D4D4D00DEADBEEF")
EK = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
AK = bytes.fromhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
LONG_EK, LONG_AK = bytes(range(32)), bytes(range(0xD0, 0xF0))
"""Of suite 2."""
SIGNING = {
    suite: {
        title: SoftwareSigningKey.of(title * (length // 8), security_suite(suite))
        for title in (CLIENT_TITLE, SERVER_TITLE)
    }
    for suite, length in ((1, 32), (2, 48))
}
"""Private keys for signatures, by suite and system title."""
PASSWORD = b"open sesame"
M = AuthenticationMechanism
REGISTER = CosemAttributeDescriptor(3, Obis("1-0:1.8.0"), 2)
CLOCK = CosemAttributeDescriptor(8, Obis("0-0:1.0.0"), 2)
MISSING = CosemAttributeDescriptor(3, Obis("1-0:99.9.0"), 2)
ECHO = CosemMethodDescriptor(9, Obis("0-0:10.0.0"), 1)
QUIET = CosemMethodDescriptor(9, Obis("0-0:10.0.0"), 2)
DENIED = CosemMethodDescriptor(9, Obis("0-0:10.0.0"), 3)
VALUE = EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, 12345678)
Tamper = Callable[[bytes], bytes | None]


def octets(length: int, seed: int = 0) -> EncodedData:
    """An octet-string of so many octets, no two neighbours alike."""
    return EncodedData.of(DataType.OCTET_STRING, bytes((seed + 7 * n) % 251 for n in range(length)))


def listed(*attributes: CosemAttributeDescriptor) -> tuple[CosemAttributeDescriptorWithSelection, ...]:
    return tuple(CosemAttributeDescriptorWithSelection(one) for one in attributes)


def attribute(number: int) -> CosemAttributeDescriptor:
    return CosemAttributeDescriptor(1, Obis(bytes((1, 0, 96, number, 0, 255))), 2)


class Shelf:
    """A provider that holds octets by attribute and says what it was asked."""

    def __init__(self) -> None:
        self.values: dict[bytes, EncodedData] = {REGISTER.encode(): VALUE}
        self.calls: list[tuple[str, Any]] = []
        self.protection: list[Protection] = []
        self.response = Protection.NONE

    def put(self, where: CosemAttributeDescriptor, value: EncodedData) -> None:
        self.values[where.encode()] = value

    def _note(self, kind: str, what: Any, access: Access) -> None:
        self.calls.append((kind, what))
        self.protection.append(access.applied)
        access.require_response(self.response)

    def get(
        self, attribute: CosemAttributeDescriptor, selection: SelectiveAccessDescriptor | None, access: Access
    ) -> EncodedData | DataAccessResult:
        self._note("get", attribute, access)
        return self.values.get(attribute.encode(), DataAccessResult.OBJECT_UNDEFINED)

    def set(
        self,
        attribute: CosemAttributeDescriptor,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        access: Access,
    ) -> DataAccessResult:
        self._note("set", (attribute, value), access)
        if attribute == MISSING:
            return DataAccessResult.OBJECT_UNDEFINED
        self.values[attribute.encode()] = value
        return DataAccessResult.SUCCESS

    def action(
        self, method: CosemMethodDescriptor, parameters: EncodedData | None, access: Access
    ) -> ActionResponseWithOptionalData:
        self._note("action", (method, parameters), access)
        if method == DENIED:
            return ActionResponseWithOptionalData(ActionResult.READ_WRITE_DENIED)
        return ActionResponseWithOptionalData(ActionResult.SUCCESS, parameters if method == ECHO else None)


class Talk:
    """One client, one server, and what passes between them; either direction can be tampered with."""

    def __init__(
        self,
        client: ClientSettings | None = None,
        server: ServerSettings | None = None,
        provider: Shelf | None = None,
    ) -> None:
        self.shelf = provider or Shelf()
        self.client = ClientAssociation(client or ClientSettings())
        self.server = ServerAssociation(server or ServerSettings(), self.shelf)
        self.requests: list[bytes] = []
        self.answers: list[bytes] = []
        self.server_events: list[ServerEvent] = []
        self.now = 1000.0
        self.to_server: Tamper = lambda apdu: apdu
        self.to_client: Tamper = lambda apdu: apdu

    def event(self, request: Request) -> Event:
        """The event that ends a request; where nothing is answered, time passes."""
        self.client.send(request)
        found = self.client.tick(self.now)
        while not found:
            found = self.step()
        assert len(found) == 1
        return found[0]

    def step(self) -> list[Event]:
        """Carry what is due once over and back, or let the time-out come."""
        apdu = self.client.octets_to_send()
        if not apdu:
            deadline = self.client.deadline()
            assert deadline is not None
            self.now = max(deadline, self.now)
            return self.client.tick(self.now)
        self.requests.append(apdu)
        changed = self.to_server(apdu)
        if changed is not None:
            self.server_events += self.server.receive(changed, self.now)
        events: list[Event] = []
        while answer := self.server.octets_to_send():
            self.answers.append(answer)
            back = self.to_client(answer)
            if back is not None:
                events += self.client.receive(back, self.now)
        return events

    def ask(self, request: Request) -> Any:
        """The result of a request; its error is raised."""
        event = self.event(request)
        if isinstance(event, Completed):
            assert event.request is request
            return event.result
        assert isinstance(event, Failed)
        raise event.error

    def open(self) -> Opened:
        opened: Opened = self.ask(Open())
        return opened


def material(suite: int = 0) -> SecurityMaterial:
    keys = (LONG_EK, LONG_AK) if suite == 2 else (EK, AK)
    return SecurityMaterial.of(Secret(keys[0], "encryption key"), Secret(keys[1], "authentication key"), suite=suite)


def settings(
    mechanism: AuthenticationMechanism = M.LOWEST,
    *,
    ciphered: bool = False,
    suite: int | None = None,
    policy: SecurityPolicy | None = None,
    client: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
    dialect: Dialect = STANDARD,
) -> tuple[ClientSettings, ServerSettings]:
    """Settings of both sides that fit together; ``client`` and ``server`` change single ones.

    suite: 0, or with HLS ECDSA 1, unless told.
    """
    signed = mechanism is M.HLS_ECDSA
    if suite is None:
        suite = 1 if signed else 0
    secret = None if mechanism in (M.LOWEST, M.HLS_GMAC) or signed else Secret.password(PASSWORD)
    keys = material(suite) if ciphered or mechanism is M.HLS_GMAC else None
    titled = ciphered or signed or mechanism in (M.HLS_GMAC, M.HLS_SHA256)
    if policy is None:
        policy = SecurityPolicy(0, 3) if ciphered else SecurityPolicy()
    ours: dict[str, Any] = {
        "mechanism": mechanism,
        "secret": secret,
        "material": keys,
        "ciphered": ciphered,
        "counters": MemoryCounterStore(),
        "system_title": CLIENT_TITLE if titled else b"",
        "dialect": dialect,
    }
    theirs: dict[str, Any] = {
        "context_names": frozenset((ApplicationContext.LN_CIPHERED if ciphered else ApplicationContext.LN,)),
        "mechanism": mechanism,
        "secret": secret,
        "material": keys,
        "counters": MemoryCounterStore(),
        "system_title": SERVER_TITLE if titled else b"",
        "policy": policy,
        "dialect": dialect,
    }
    if signed:
        signers = KnownSigners({title: key.public for title, key in SIGNING[suite].items()})
        ours |= {"signing_key": SIGNING[suite][CLIENT_TITLE], "signers": signers}
        theirs |= {"signing_key": SIGNING[suite][SERVER_TITLE], "signers": signers}
    return ClientSettings(**(ours | (client or {}))), ServerSettings(**(theirs | (server or {})))


def talk(mechanism: AuthenticationMechanism = M.LOWEST, *, opened: bool = True, **more: Any) -> Talk:
    """A client and a server with fitting settings, the association open unless told otherwise."""
    made = Talk(*settings(mechanism, **more))
    if opened:
        made.open()
    return made


def secure(**more: Any) -> Talk:
    """An association under HLS GMAC with authentication and encryption, open."""
    return talk(M.HLS_GMAC, ciphered=True, **more)


__all__ = ["BOTH", "replace"]
