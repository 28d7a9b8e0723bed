"""A device with a Security setup, in every suite and version, and what its methods are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.codec import EncodedData
from cosemic.dialect import STANDARD, Dialect
from cosemic.model import SecuritySetup, SecuritySetupVersion0
from cosemic.model.security_setup import KeyAgreementData, KeyTransferData, SetupKeyId
from cosemic.security import (
    Key,
    KnownSigners,
    MemoryCounterStore,
    Protection,
    SecurityMaterial,
    SecurityPolicy,
    SoftwareSigningKey,
    security_suite,
    wrap_key,
)
from cosemic.security.certificates import CertificateStore
from cosemic.server import PUBLIC_CLIENT, Admission, LogicalDevice, managing, only, reading
from cosemic.server.state import DeviceState
from cosemic.values import ActionResult, ApplicationContext, AuthenticationMechanism, Obis, Secret
from tests.server.support import BOTH, NOW, Local, View

SETUP = Obis("0-0:43.0.0")
MANAGER = 1
NAME = "TST0000000000001"
CLIENT_TITLE, SERVER_TITLE = bytes.fromhex("4D4D4D0000BC614E"), bytes.fromhex("4D4D4D0000000001")
"""Of section 10, item 4, of the reference: client and server."""
CLIENT_KEY = bytes.fromhex("418073C239FA6125011DE4D6CD2E645780289F761BB21BFB0835CB5585E8B373")
SERVER_KEY = bytes.fromhex("AE55414FFE079F9FC95649536BD1C2B5653D200813727E07D501A8B550C69207")
GUEK, GBEK, GAK, KEK = SetupKeyId
_COUNTERS: WeakKeyDictionary[LogicalDevice, MemoryCounterStore] = WeakKeyDictionary()
"""Those of the clients of each device."""
LN = ApplicationContext.LN
CIPHERED = ApplicationContext.LN_CIPHERED
OTHER = ActionResult.OTHER_REASON
KINDS = ((0, 0), (1, 0), (1, 1), (1, 2))
"""Versions and suites."""


def octets(first: int, suite: int = 0) -> Secret:
    return Secret(bytes((first + each) & 0xFF for each in range(security_suite(suite).key_length)))


def material(suite: int = 0, kek: Secret | None = None) -> SecurityMaterial:
    keys = [octets(first, suite) for first in (0x10, 0xD0, 0x40, 0x80)]
    return SecurityMaterial.of(*keys[:2], suite=suite, broadcast_key=keys[2], kek=kek or keys[3])


def signs(suite: int) -> dict[str, SoftwareSigningKey]:
    """Signing keys of client and server; the published ones in suite 1."""
    scalars = {"c": CLIENT_KEY, "s": SERVER_KEY}
    if suite == 2:
        scalars = {"c": octets(1, 2).reveal() + bytes(16), "s": octets(2, 2).reveal() + bytes(16)}
    return {one: SoftwareSigningKey.of(scalar, security_suite(suite)) for one, scalar in scalars.items()}


def server_settings(version: int = 1, suite: int = 0, policy: int = 0, **changed: Any) -> ServerSettings:
    given: dict[str, Any] = {
        "context_names": frozenset((CIPHERED,)),
        "material": material(suite),
        "counters": MemoryCounterStore(),
        "system_title": SERVER_TITLE,
        "policy": SecurityPolicy(version, policy),
    }
    if suite:
        keys = signs(suite)
        given |= {"signing_key": keys["s"], "signers": KnownSigners({CLIENT_TITLE: keys["c"].public})}
    return ServerSettings(**(given | changed))


def client_settings(suite: int = 0, **changed: Any) -> ClientSettings:
    given: dict[str, Any] = {
        "ciphered": True,
        "mechanism": AuthenticationMechanism.HLS_GMAC,
        "material": material(suite),
        "counters": MemoryCounterStore(),
        "system_title": CLIENT_TITLE,
        "server_title": SERVER_TITLE,
    }
    if suite:
        keys = signs(suite)
        given |= {"signing_key": keys["c"], "signers": KnownSigners({SERVER_TITLE: keys["s"].public})}
    return ClientSettings(**(given | changed))


def device_of(
    settings: ServerSettings,
    *,
    state: DeviceState | None = None,
    certificates: CertificateStore | None = None,
) -> LogicalDevice:
    """A device whose client 1 may do everything, and whose public client may read the invocation counter."""
    device = LogicalDevice(NAME, now=lambda: NOW, state=state)
    public = only(reading(), "0-0:42.0.0", "0-0:40.0.0", "0-0:43.1.0")
    device.admit(Admission(client_sap=PUBLIC_CLIENT, settings=ServerSettings(), rights=public))
    device.admit(
        Admission(
            client_sap=MANAGER, settings=settings, rights=managing(), security_setup=SETUP, certificates=certificates
        )
    )
    return device


def settings_of(device: LogicalDevice, client_sap: int = MANAGER) -> ServerSettings:
    client = device.client(client_sap)
    assert client is not None
    return client.settings


def keys_of(device: LogicalDevice) -> dict[SetupKeyId, bytes]:
    of = settings_of(device).material
    assert of is not None
    keys = {GUEK: of.encryption_key, GBEK: of.broadcast_key, GAK: of.authentication_key, KEK: of.kek}
    return {key_id: key.reveal() for key_id, key in keys.items() if key is not None}


def opened(device: LogicalDevice, suite: int = 0, **changed: Any) -> Local:
    settings = settings_of(device)
    counters = _COUNTERS.setdefault(device, MemoryCounterStore())
    given = {"counters": counters, "mechanism": settings.mechanism, "material": settings.material} | changed
    return Local(device, MANAGER, client_settings(suite, **given)).open()


def setup(version: int) -> Any:
    return (SecuritySetup if version else SecuritySetupVersion0)(SETUP)


def transfer(version: int, entries: Sequence[tuple[int, bytes]]) -> EncodedData:
    method = setup(version).key_transfer if version else setup(version).global_key_transfer
    return parameter(method, tuple(KeyTransferData(key_id, wrapped) for key_id, wrapped in entries))


def agreement(entries: Sequence[tuple[int, bytes]]) -> EncodedData:
    return parameter(setup(1).key_agreement, tuple(KeyAgreementData(key_id, data) for key_id, data in entries))


def parameter(method: Any, value: Any) -> EncodedData:
    return EncodedData.from_typed(method.encode(value))


def wrapped(key: Secret, suite: int = 0, kek: Secret | None = None) -> bytes:
    return wrap_key(Key(kek or octets(0x80, suite)), key, security_suite(suite))


def invoke(device: LogicalDevice, method: int, value: EncodedData | None, applied: Protection = BOTH) -> Any:
    """The answer to a method of the Security setup outside of any association."""
    return View(device, MANAGER, applied).act(64, str(SETUP), method, value)


def with_dialect(settings: Any, **changed: Any) -> Any:
    dialect: Dialect = replace(STANDARD, **changed)
    return replace(settings, dialect=dialect)
