"""Associations whose APDUs come as they are: short names, ACCESS, general block transfer, notifications."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from cosemic import apdu
from cosemic.association.notifications import Notified, NotifyData, NotifyEvent, ReportInformation
from cosemic.association.notified import Confirming, NotificationReceiver, Originator, ReceivingSettings
from cosemic.association.notifying import NotificationSender, NotifyingSettings
from cosemic.association.repeating import client_association
from cosemic.association.requests import (
    Access,
    Action,
    Get,
    Open,
    Read,
    Release,
    Set,
    UnconfirmedWrite,
    Write,
)
from cosemic.association.server import ServerAssociation
from cosemic.association.server_events import Associated
from cosemic.association.service_provider import Access as Situation
from cosemic.association.service_provider import ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData, Limits
from cosemic.security import MemoryCounterStore, Protection, SecurityPolicy
from cosemic.values import ApplicationContext
from fuzz import recording as on
from fuzz import stations as st
from fuzz.playing import Subject
from fuzz.stacks import (
    BIG,
    CLIENT_TITLE,
    CLOCK,
    MATERIAL,
    METHOD,
    NAME,
    OBJECTS,
    SERVER_TITLE,
    VALUE,
    Association,
    Provider,
    drawn,
    secured,
)
from fuzz.target import Target

_MOST: Final = 4000
"""Octets of a transfer that either side takes."""
_LIMITS: Final = Limits(depth=16, nodes=20_000, octets=_MOST)
_TIME_OUT: Final = 2.0
_NAMES: Final[dict[int, Any]] = {0x0108: CLOCK, 0x0208: NAME, 0x0308: OBJECTS, 0x0420: METHOD}
_PARAMETER: Final = apdu.ParameterizedAccess(0x0308, 2, BIG)
_INVOCATION: Final = apdu.ParameterizedAccess(0x0420, 0, VALUE)

_SHORT_NAMES: Final[tuple[Callable[[], Any], ...]] = (
    Open,
    lambda: Read((0x0108,)),
    lambda: Read((0x0308,)),
    lambda: Read((0x0108, 0x0208, 0x0308)),
    lambda: Read((_PARAMETER,)),
    lambda: Read((_INVOCATION,)),
    lambda: Write((0x0208,), (VALUE,)),
    lambda: Write((0x0108, 0x0208), (VALUE, BIG)),
    lambda: UnconfirmedWrite((0x0208,), (VALUE,)),
    Release,
    Open,
    lambda: Read((0x0108,)),
)
_ACCESS: Final[tuple[Callable[[], Any], ...]] = (
    Open,
    lambda: Access((Get(NAME), Get(CLOCK))),
    lambda: Access((Get(NAME), Set(CLOCK, VALUE), Action(METHOD, VALUE)), break_on_error=True, self_descriptive=True),
    lambda: Access((Get(NAME, apdu.SelectiveAccessDescriptor(1, VALUE)),), date_time=bytes(12)),
    lambda: Get(NAME),
    lambda: Access((Get(OBJECTS), Get(NAME))),
)
_BLOCKS: Final[tuple[Callable[[], Any], ...]] = (
    Open,
    lambda: Get(NAME),
    lambda: Get(OBJECTS),
    lambda: Set(NAME, BIG),
    lambda: Action(METHOD, BIG),
    lambda: Access((Get(OBJECTS), Set(NAME, BIG))),
    lambda: Get(CLOCK),
    Release,
)
_READS: Final[tuple[Callable[[], Any], ...]] = (
    Open,
    *(lambda: Get(NAME),) * 3,
    lambda: Get(OBJECTS),
    lambda: Get(NAME),
)


class NamedProvider(Provider):
    """Objects with short names, too."""

    def get(self, attribute: Any, selection: Any, access: Situation) -> Any:
        return BIG if attribute == OBJECTS and selection is None else VALUE

    def resolve(self, short_name: int) -> Any:
        return _NAMES.get(short_name)


def asking(requests: tuple[Callable[[], Any], ...], *, ciphered: bool = False, **settings: Any) -> Subject:
    """A client that sends one request after the other, whatever becomes of them."""
    chosen = ClientSettings(
        ciphered=ciphered, system_title=CLIENT_TITLE if ciphered else b"", counters=MemoryCounterStore(),
        limits=_LIMITS, response_timeout=_TIME_OUT, **{"max_pdu_size": 200} | secured(ciphered) | settings,
    )  # fmt: skip
    association = client_association(chosen)
    association.randomness = drawn(1)
    left = list(requests)

    def go_on(event: Any = None) -> None:
        while left and not association.busy:
            association.send(left.pop(0)())

    def check() -> None:
        assert not association.busy, f"{association.deadline()} after a long silence"

    return Subject(Association(association), go_on, (association.cancel, go_on), go_on, check=check)


def answering(
    *, ciphered: bool = False, short_names: bool = False, announces: tuple[bytes, ...] = (), **settings: Any
) -> Subject:
    """A server; announces: the notifications that it sends to whoever is associated."""
    context = ApplicationContext.of(short_names=short_names, ciphered=ciphered)
    chosen = ServerSettings(
        context_names=frozenset((context,)), system_title=SERVER_TITLE, counters=MemoryCounterStore(),
        limits=_LIMITS, block_timeout=_TIME_OUT,
        **{"max_pdu_size": 200, "max_transfer": _MOST, "policy": SecurityPolicy(0, 3 if ciphered else 0)}
        | secured(ciphered) | settings,
    )  # fmt: skip
    association = ServerAssociation(chosen, NamedProvider(), randomness=drawn(1 << 32))

    def announce(event: Any = None) -> None:
        for octets in announces:
            association.send(octets)

    def react(event: Any) -> None:
        if isinstance(event, Associated):
            announce()

    return Subject(Association(association), react, (announce,))


# ---- outside associations -------------------------------------------------------------------------------------------

_BODY: Final = EncodedData.from_typed(
    (DataType.STRUCTURE, ((DataType.UNSIGNED, 5), (DataType.OCTET_STRING, bytes(90))))
)
_NOTIFICATIONS: Final[tuple[Callable[[], Any], ...]] = (
    lambda: NotifyData(_BODY, confirmed=True),
    lambda: NotifyData(_BODY, date_time=bytes.fromhex("07ea0b14050e1e0000ffc400")),
    lambda: NotifyEvent(NAME, VALUE),
    lambda: ReportInformation((0x0108,), (VALUE,)),
    lambda: NotifyData(BIG, confirmed=True),
    lambda: NotifyData(_BODY, confirmed=True),
)


def notifying(*, ciphered: bool = False, **settings: Any) -> Subject:
    """A device that sends one notification after the other."""
    keys: dict[str, Any] = {"material": MATERIAL} if ciphered else {"protection": Protection.NONE}
    chosen = NotifyingSettings(
        system_title=SERVER_TITLE, recipient_title=CLIENT_TITLE, counters=MemoryCounterStore(), max_pdu_size=200,
        response_timeout=_TIME_OUT, repetitions=2, limits=_LIMITS, **keys, **settings,
    )  # fmt: skip
    sender = NotificationSender(chosen)
    left = list(_NOTIFICATIONS)

    def go_on(event: Any = None) -> None:
        while left and not sender.busy:
            sender.send(left.pop(0)())

    def check() -> None:
        assert not sender.busy, f"{sender.deadline()} after a long silence"

    return Subject(Association(sender), go_on, (sender.cancel, go_on), go_on, check=check)


def listening(*, ciphered: bool = False, **settings: Any) -> Subject:
    """Who receives notifications."""
    known = Originator(SERVER_TITLE, MATERIAL)
    keys: dict[str, Any] = {"keys": {SERVER_TITLE: known}.get} if ciphered else {"require": Protection.NONE}
    chosen = ReceivingSettings(
        system_title=CLIENT_TITLE, counters=MemoryCounterStore(), max_octets=_MOST, block_timeout=_TIME_OUT,
        limits=_LIMITS, **keys, **settings,
    )  # fmt: skip
    receiver = NotificationReceiver(chosen)

    def react(event: Any) -> None:
        told = settings.get("confirming") is Confirming.WHEN_TOLD
        if told and isinstance(event, Notified) and event.wants_confirmation:
            receiver.confirm(event)

    return Subject(Association(receiver), react)


# ---- the targets ----------------------------------------------------------------------------------------------------

_ANNOUNCED: Final = (
    bytes.fromhex("0f00000001000202110509080001020304050607"),
    bytes.fromhex("0f400000020002021105" + "1106"),
    bytes.fromhex("c20000080000010000ff02120005"),
    bytes.fromhex("0f4000000300") + BIG.octets,
)
_SEVERAL: Final[dict[str, Any]] = {"general_blocks": True, "block_window": 3, "block_retries": 2}
_BOTH: Final = (False, True)


def _pair(client: Callable[..., Subject], server: Callable[..., Subject], ciphered: bool) -> st.Pair:
    return st.Pair(on.over_datagrams, partial(client, ciphered=ciphered), partial(server, ciphered=ciphered))


_PAIRS: Final[dict[tuple[str, str], tuple[st.Pair, ...]]] = {
    ("short-names-client", "short-names-server"): tuple(
        _pair(partial(asking, _SHORT_NAMES, short_names=True), partial(answering, short_names=True), ciphered)
        for ciphered in _BOTH
    ),
    ("access-client", "access-server"): tuple(_pair(partial(asking, _ACCESS), answering, each) for each in _BOTH),
    ("general-blocks-client", "general-blocks-server"): (
        *(_pair(partial(asking, _BLOCKS, **_SEVERAL), partial(answering, block_retries=2), each) for each in _BOTH),
        _pair(
            partial(asking, _BLOCKS, repetitions=2, repeat_changes=True, **_SEVERAL),
            partial(answering, block_retries=2, keep_answers=True),
            False,
        ),
    ),
    ("notified-client", "announcing-server"): tuple(
        _pair(partial(asking, _READS, **_SEVERAL), partial(answering, announces=_ANNOUNCED), each) for each in _BOTH
    ),
    ("notification-receiver", "notification-sender"): (
        *(_pair(listening, notifying, each) for each in _BOTH),
        _pair(partial(listening, confirming=Confirming.WHEN_TOLD), notifying, True),
    ),
}

ASSOCIATIONS: Final[dict[str, Target]] = {
    name: target for names, pairs in _PAIRS.items() for name, target in zip(names, st.two(pairs), strict=True)
}
