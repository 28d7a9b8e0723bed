"""gurux-dlms' two sides of a case, suite 0 alone: its library makes and reads octets, medium and loop are ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from gurux_dlms import GXByteBuffer, GXReplyData
from gurux_dlms.ecdsa import GXPrivateKey, GXPublicKey
from gurux_dlms.enums import Authentication, Conformance, DataType, InterfaceType, Security
from gurux_dlms.internal._GXCommon import _GXCommon
from gurux_dlms.internal._GXDataInfo import _GXDataInfo
from gurux_dlms.objects import GXDLMSData, GXDLMSDisconnectControl, GXDLMSObject, GXDLMSRegister
from gurux_dlms.objects.enums import SecuritySuite
from gurux_dlms.secure import GXDLMSSecureClient

from interop import meter
from interop.clients.gurux import Refused, _dotted, _Tcp
from interop.driver import first_counter
from interop.secure import facts
from interop.secure.cases import ECDSA, GMAC, LLS, MD5, NONE, SECRET, SHA1, SHA256, Case
from interop.secure.ours import expect

AUTHENTICATION: Final = {
    NONE: Authentication.NONE,
    LLS: Authentication.LOW,
    SECRET: Authentication.HIGH,
    MD5: Authentication.HIGH_MD5,
    SHA1: Authentication.HIGH_SHA1,
    GMAC: Authentication.HIGH_GMAC,
    SHA256: Authentication.HIGH_SHA256,
    ECDSA: Authentication.HIGH_ECDSA,
}
SECURITY: Final = {
    "": Security.NONE,
    "a": Security.AUTHENTICATION,
    "e": Security.ENCRYPTION,
    "ae": Security.AUTHENTICATION_ENCRYPTION,
}
CHALLENGE: Final = bytes(range(32))
"""For mechanism 7: of its own accord it draws 16 octets."""


def secret(case: Case) -> bytes | None:
    """Password or HLS secret."""
    if case.mechanism in (NONE, GMAC, ECDSA):
        return None
    return facts.PASSWORD if case.mechanism == LLS else facts.HLS_SECRET


class Reader:
    """Its client, with the association of a case open."""

    def __init__(self, case: Case, port: int, challenge: bytes = CHALLENGE) -> None:
        authentication = AUTHENTICATION[case.mechanism], secret(case)
        self._client = client = GXDLMSSecureClient(
            True, facts.CLIENT_SAP, meter.SERVER_SAP, *authentication, InterfaceType.WRAPPER
        )
        client.proposedConformance &= ~(Conformance.GENERAL_BLOCK_TRANSFER | Conformance.GENERAL_PROTECTION)
        if case.form.startswith("general"):
            # It uses general-glo for all where that bit is agreed.
            client.proposedConformance |= Conformance.GENERAL_PROTECTION
        ciphering = client.ciphering
        ciphering.systemTitle = facts.CLIENT_TITLE
        if case.ciphered or case.mechanism == GMAC:
            ciphering.security = SECURITY[case.protection]
            ciphering.securitySuite = SecuritySuite(case.suite)
            ciphering.blockCipherKey = bytearray(facts.unicast(case.suite))
            ciphering.authenticationKey = bytearray(facts.authentication(case.suite))
            ciphering.invocationCounter = first_counter()
        if case.dedicated:
            ciphering.dedicatedKey = bytearray(facts.symmetric(0x60, case.suite))
        if case.mechanism == ECDSA:
            point = facts.public(facts.METER_TITLE, facts.SIGNATURE, case.suite)
            ciphering.signingKeyPair = (
                GXPublicKey.fromRawBytes(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)),
                GXPrivateKey.fromRawBytes(facts.scalar(facts.CLIENT_TITLE, facts.SIGNATURE, case.suite)),
            )
            if challenge:
                client.ctoSChallenge = challenge
        self._medium = _Tcp(port)
        client.parseAareResponse(self._exchange(client.aarqRequest()).data)
        if client.isAuthenticationRequired:
            reply = self._exchange(client.getApplicationAssociationRequest())
            client.parseApplicationAssociationResponse(reply.data)

    def _exchange(self, requests: Any) -> Any:
        reply = GXReplyData()
        for request in requests if isinstance(requests, list) else [requests]:
            reply.clear()
            self._frame(request, reply)
            while reply.isMoreData():
                self._frame(self._client.receiverReady(reply), reply)
        if reply.error:
            raise Refused(reply.error)
        return reply

    def _frame(self, request: Any, reply: Any) -> None:
        self._medium.send(request)
        received, notify = GXByteBuffer(), GXReplyData()
        while not received.available() or not self._client.getData(received, reply, notify):
            received.set(self._medium.receive())

    def _get(self, target: GXDLMSObject, index: int) -> Any:
        reply = self._exchange(self._client.read(target, index))
        return _GXCommon.getData(self._client.settings, GXByteBuffer(reply.data.array()), _GXDataInfo())

    def use(self) -> None:
        """Read, write and act."""
        register = GXDLMSRegister(_dotted(facts.REGISTER))
        expect("GET", int(self._get(register, 2)), facts.VALUE)
        message = GXDLMSData(_dotted(facts.MESSAGE))
        message.value = facts.CONTENT
        message.setDataType(2, DataType.OCTET_STRING)
        self._exchange(self._client.write(message, 2))
        expect("SET", bytes(self._get(message, 2)), facts.CONTENT)
        breaker = GXDLMSDisconnectControl(_dotted(facts.BREAKER))
        self._exchange(breaker.remoteDisconnect(self._client))
        expect("ACTION", int(self._get(breaker, 3)), 0)

    def call(self, make: Callable[[Any], Any]) -> None:
        """Send what an object makes for its client."""
        self._exchange(make(self._client))

    def close(self) -> None:
        """Release the association."""
        self._exchange(self._client.releaseRequest())
        self._medium.close()


def run(case: Case, port: int, challenge: bytes = CHALLENGE) -> None:
    """Its client: open, do all, release."""
    reading = Reader(case, port, challenge)
    reading.use()
    reading.close()
