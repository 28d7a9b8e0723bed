"""The keys, titles and APDUs of the published examples (security.md 10), and contexts made from them."""

from __future__ import annotations

from typing import Any

from cosemic.security import (
    CounterStore,
    HlsCredentials,
    KnownSigners,
    MemoryCounterStore,
    SecurityContext,
    SecurityMaterial,
    SoftwareSigningKey,
    security_suite,
)
from cosemic.security.keys import Key
from cosemic.values.enumerations import AuthenticationMechanism
from cosemic.values.secret import Secret

CLIENT = bytes.fromhex("4D4D4D0000000001")
SERVER = bytes.fromhex("4D4D4D0000BC614E")
EK = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
AK = bytes.fromhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
GBEK = bytes.fromhex("0F0E0D0C0B0A09080706050403020100")
DEDICATED = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
COUNTER = 0x01234567
GET = bytes.fromhex("C0010000080000010000FF0200")
GET_RESPONSE = bytes.fromhex("C401000006000004D2")
INITIATE = bytes.fromhex("01011000112233445566778899AABBCCDDEEFF0000065F1F0400007E1F04B0")
CTOS = bytes.fromhex("4B35366956616759")
STOC = bytes.fromhex("503677524A323146")
CLIENT_SIGNS = SoftwareSigningKey.of(
    bytes.fromhex("418073C239FA6125011DE4D6CD2E645780289F761BB21BFB0835CB5585E8B373"), security_suite(1)
)
SERVER_SIGNS = SoftwareSigningKey.of(
    bytes.fromhex("AE55414FFE079F9FC95649536BD1C2B5653D200813727E07D501A8B550C69207"), security_suite(1)
)
SIGNERS = KnownSigners({CLIENT: CLIENT_SIGNS.public, SERVER: SERVER_SIGNS.public})


def key(octets: bytes) -> Key:
    return Key(Secret(octets))


def material(**changed: Any) -> SecurityMaterial:
    keys: dict[str, Any] = {
        "suite": security_suite(0),
        "encryption_key": key(EK),
        "authentication_key": key(AK),
    }
    return SecurityMaterial(**(keys | changed))


def client(
    counters: CounterStore | None = None, *, keys: SecurityMaterial | None = None, **more: Any
) -> SecurityContext:
    return SecurityContext(CLIENT, SERVER, keys or material(), counters or MemoryCounterStore(), **more)


def server(
    counters: CounterStore | None = None, *, keys: SecurityMaterial | None = None, **more: Any
) -> SecurityContext:
    return SecurityContext(SERVER, CLIENT, keys or material(), counters or MemoryCounterStore(), **more)


def credentials(mechanism: AuthenticationMechanism, side: str, **changed: Any) -> HlsCredentials:
    """Return what ``"client"`` or ``"server"`` proves itself with, in any mechanism."""
    given: dict[str, Any] = {"mechanism": mechanism}
    if mechanism is AuthenticationMechanism.HLS_GMAC:
        given["context"] = client() if side == "client" else server()
    elif mechanism is AuthenticationMechanism.HLS_ECDSA:
        ours = (CLIENT, CLIENT_SIGNS) if side == "client" else (SERVER, SERVER_SIGNS)
        given |= {"own_title": ours[0], "signing_key": ours[1], "signers": SIGNERS}
    else:
        given |= {"secret": Secret(b"SECRET0123456789"), "own_title": CLIENT if side == "client" else SERVER}
    return HlsCredentials(**(given | changed))
