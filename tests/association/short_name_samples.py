"""A client and a server that talk with short names, and a provider whose attributes and methods have them."""

from __future__ import annotations

from typing import Any

from cosemic import apdu as a
from cosemic.apdu import CosemAttributeDescriptor, CosemMethodDescriptor, ParameterizedAccess, SelectiveAccessDescriptor
from cosemic.association.service_provider import Access
from cosemic.codec import DataType, EncodedData
from cosemic.security import SecurityPolicy
from cosemic.values import ApplicationContext, AuthenticationMechanism, DataAccessResult
from tests.association.samples import CLOCK, DENIED, ECHO, MISSING, QUIET, REGISTER, M, Shelf, Talk, attribute, settings

NULL = EncodedData.of(DataType.NULL_DATA)
UNKNOWN = 0xFFF8
"""A name that nothing has."""
REGISTER_SN, CLOCK_SN, MISSING_SN = 0x0108, 0x0208, 0x0308
ECHO_SN, QUIET_SN, DENIED_SN = 0x0420, 0x0428, 0x0430
FIRST_SN = 0x1008
"""That of ``attribute(0)``; the others follow, 0x20 apart."""
NAMES: dict[int, CosemAttributeDescriptor | CosemMethodDescriptor] = {
    REGISTER_SN: REGISTER,
    CLOCK_SN: CLOCK,
    MISSING_SN: MISSING,
    ECHO_SN: ECHO,
    QUIET_SN: QUIET,
    DENIED_SN: DENIED,
    **{FIRST_SN + 0x20 * number: attribute(number) for number in range(100)},
}


class NamedShelf(Shelf):
    """A shelf whose contents have short names; it remembers the selections that came."""

    def __init__(self) -> None:
        super().__init__()
        self.selections: list[SelectiveAccessDescriptor | None] = []

    def resolve(self, short_name: int) -> CosemAttributeDescriptor | CosemMethodDescriptor | None:
        return NAMES.get(short_name)

    def get(
        self, attribute: CosemAttributeDescriptor, selection: SelectiveAccessDescriptor | None, access: Access
    ) -> EncodedData | DataAccessResult:
        self.selections.append(selection)
        return super().get(attribute, selection, access)

    def set(
        self,
        attribute: CosemAttributeDescriptor,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        access: Access,
    ) -> DataAccessResult:
        self.selections.append(selection)
        return super().set(attribute, selection, value, access)


def named(number: int) -> int:
    """The short name of ``attribute(number)``."""
    return FIRST_SN + 0x20 * number


def selected(name: int, selector: int, parameter: EncodedData = NULL) -> ParameterizedAccess:
    return ParameterizedAccess(name, selector, parameter)


def sn_settings(
    mechanism: AuthenticationMechanism = M.LOWEST,
    *,
    ciphered: bool = False,
    policy: SecurityPolicy | None = None,
    client: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
    **more: Any,
) -> tuple[Any, Any]:
    """Settings of both sides that fit together, with short names."""
    context = ApplicationContext.SN_CIPHERED if ciphered else ApplicationContext.SN
    ours = {"short_names": True} | (client or {})
    theirs = {"context_names": frozenset((context,))} | (server or {})
    return settings(mechanism, ciphered=ciphered, policy=policy, client=ours, server=theirs, **more)


def sn_talk(mechanism: AuthenticationMechanism = M.LOWEST, *, opened: bool = True, **more: Any) -> Talk:
    """A client and a server with fitting settings and short names, the association open unless told otherwise."""
    made = Talk(*sn_settings(mechanism, **more), NamedShelf())
    if opened:
        made.open()
    return made


def sn_secure(**more: Any) -> Talk:
    """An association with short names under HLS GMAC with authentication and encryption, open."""
    return sn_talk(M.HLS_GMAC, ciphered=True, **more)


def served(conversation: Talk, request: str) -> str:
    """What the server answers to octets."""
    conversation.server.receive(bytes.fromhex(request), conversation.now)
    answer = conversation.server.octets_to_send().hex()
    assert conversation.server.octets_to_send() == b""
    return answer


def decoded(apdus: list[bytes]) -> list[Any]:
    return [a.decode(apdu) for apdu in apdus]
