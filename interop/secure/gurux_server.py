"""gurux-dlms' server for a case: without ciphering, and without high level security."""

from __future__ import annotations

from typing import Any

from gurux_dlms import GXDLMSServer
from gurux_dlms.enums import DataType, SourceDiagnostic
from gurux_dlms.GXUInt32 import GXUInt32
from gurux_dlms.objects import GXDLMSAssociationLogicalName, GXDLMSRegister

from cosemic.model import Register
from cosemic.values import Obis
from interop.clients.gurux import _dotted
from interop.secure import facts, gurux_peer, ours
from interop.secure.cases import LLS, Case
from interop.servers import listening
from interop.servers.gurux import _Server
from interop.ways import TCP


class _Secured(_Server):
    """Who may come in is told by the case."""

    def __init__(self, case: Case) -> None:
        super().__init__(TCP)
        self._secret = gurux_peer.secret(case) if case.mechanism == LLS else None

    def isTarget(self, serverAddress: int, clientAddress: int) -> bool:
        return clientAddress == facts.CLIENT_SAP

    def onValidateAuthentication(self, authentication: Any, password: Any) -> Any:
        fits = self._secret is None or bytes(password or b"") == self._secret
        return SourceDiagnostic.NONE if fits else SourceDiagnostic.AUTHENTICATION_FAILURE


def _build(case: Case) -> GXDLMSServer:
    server = _Secured(case)
    association = GXDLMSAssociationLogicalName()
    register = GXDLMSRegister(_dotted(facts.REGISTER))
    register.value = GXUInt32(facts.VALUE)
    register.setDataType(2, DataType.UINT32)
    register.scaler, register.unit = 0.1, 30
    server.items.append(association)
    server.items.append(register)
    association.objectList.extend(server.items)
    server.initialize()
    return server


def _begin(case: Case, send: listening.Send) -> listening.Take:
    server = _build(case)

    def take(octets: bytes) -> None:
        if answer := server.answer(octets):
            send(answer)

    return take


def run(case: Case) -> None:
    """Our client reads from it, and releases."""
    with listening.listen(lambda send: _begin(case, send)) as port, ours.connected(case, port) as opened:
        got: Any = opened.read(Register(Obis(facts.REGISTER)).value)
        ours.expect("GET", got.raw, facts.VALUE)
