"""General protection, protected data and compression; associations in layers, with a third party."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from typing import Any, Final

from cosemic.association.requests import Action, Get, Open, PassOn, Release, Set
from cosemic.association.third_party import ThirdParty, ThirdPartySettings
from cosemic.codec import EncodedData
from cosemic.dialect import STANDARD
from cosemic.errors import CosemicError, DecipheringError, DecodeError, InvocationCounterError
from cosemic.model import DataProtection, ProtectedAttributes
from cosemic.model.protection import ProtectionParametersElement
from cosemic.security import MemoryCounterStore, SecurityPolicy, SoftwareAgreementKey, security_suite
from cosemic.security.compression import compress, decompress
from cosemic.security.data_parameters import asking as asked_for
from cosemic.security.data_parameters import element_of, received, wanted
from cosemic.security.data_protection import DataProtector
from cosemic.security.general import KeyEstablishment, Layer, LayerPlan, read_header, split_ciphering, split_signing
from fuzz import recording as on
from fuzz import stations as st
from fuzz.associations import answering, asking
from fuzz.conversation import Message, decode, disturb, encode
from fuzz.mutation import disturbed, mutated
from fuzz.parties import (
    BOTH,
    CLIENT,
    SERVER,
    SIGNED,
    THIRD,
    K,
    Transactions,
    lying,
    material,
    others,
    own,
    parties,
    plans,
    protection,
    resealed,
)
from fuzz.playing import Subject
from fuzz.stacks import BIG, CLOCK, METHOD, NAME, OBJECTS, VALUE
from fuzz.target import Mutate, Target, vectors

GET: Final = bytes.fromhex("c001c100080000010000ff0200")
MOST_EXPANDED: Final = 4096

# ---- layers ---------------------------------------------------------------------------------------------------------


@cache
def sealed(suite: int) -> list[bytes]:
    """A GET in every plan, and what a third party has the client hand on."""
    client = protection(CLIENT, suite)
    found = [client.protect(GET, plan) for plan in plans(suite)]
    if suite:
        third = protection(THIRD, suite, 1 << 20)
        inner = third.protect(GET, LayerPlan((Layer(recipient=SERVER, key_info=K.ONE_PASS),)))
        found += [inner, client.protect(inner, plans(suite)[0])]
    return found


def layout(octets: bytes) -> None:
    """Layers are taken apart, and are what they were when they are put together."""
    header, end = read_header(octets)
    assert octets[1:end].endswith(header.other_information)
    if octets[0] == 0xDD:
        parts = split_ciphering(octets)
        assert octets.endswith(parts.content)
        info = parts.key_info
        assert octets.find(info.kind.octets, end) == end
    else:
        signing = split_signing(octets)
        assert octets.endswith(signing.signature)
        assert signing.sized_content.endswith(signing.content)


def opening(suite: int, octets: bytes) -> None:
    """A server takes layers off, or refuses and has changed nothing."""
    server = protection(SERVER, suite, 1 << 30)
    receiving = server._receiving
    counters, transactions = receiving.counters, receiving.transactions
    assert isinstance(counters, MemoryCounterStore)
    try:
        peeling = server.peel(octets)
    except CosemicError:
        assert not counters._receive
        assert not transactions._known  # type: ignore[attr-defined]
        raise
    found = peeling.accept()
    assert found.layers
    assert len(found.layers) <= 4
    repr(found)
    try:
        server.unprotect(octets)
    except (DecipheringError, InvocationCounterError):
        return
    protects = [each for each in found.layers if each.protection]
    assert not protects, "it was accepted twice"


# ---- data -----------------------------------------------------------------------------------------------------------

_ATTRIBUTES: Final = DataProtection("0-0:43.2.0").protection_parameters_get
_KINDS: Final = (K.GLOBAL_UNICAST, K.WRAPPED, K.ONE_PASS, K.STATIC)


def protector(title: bytes, first: int) -> DataProtector:
    return DataProtector(
        own(title, 1),
        others(title, 1),
        suite=security_suite(1),
        counters=MemoryCounterStore(),
        transactions=Transactions(first),
        draw=lambda length: bytes(range(length)),
        make_ephemeral=lambda suite: SoftwareAgreementKey.of(b"\x07" * suite.coordinate_length, suite),
    )


@cache
def _layers() -> list[list[Layer]]:
    signing = Layer(recipient=SERVER, protection=SIGNED)
    ciphers = [Layer(recipient=SERVER, protection=BOTH, key_info=kind) for kind in _KINDS]
    return [[signing], *([each] for each in ciphers), *([signing, each] for each in ciphers), [ciphers[0], signing]]


@cache
def data() -> list[bytes]:
    """protected_attributes as they stand in a protection_buffer."""
    client = protector(CLIENT, 1)
    made = [client.protect(b"\x12\x00\x07", layers) for layers in _layers()]
    return [_together(each.parameters, each.octets) for each in made]


def lying_data(corpus: list[bytes], draw: random.Random) -> bytes:
    """Change protected data on the way, or data and other_information before they are rightly protected."""
    if draw.random() < 0.5:
        return mutated(corpus, draw)
    client = protector(CLIENT, draw.randrange(1 << 16))
    other = disturbed(b"\x00", vectors(), draw)[:200]
    layers = [replace(each, other_information=other) for each in draw.choice(_layers())]
    made = client.protect(disturbed(b"\x12\x00\x07", vectors(), draw)[:2000], layers)
    return _together(made.parameters, made.octets)


def _together(parameters: tuple[ProtectionParametersElement, ...], octets: bytes) -> bytes:
    return EncodedData.from_typed(ProtectedAttributes.encode(ProtectedAttributes(parameters, octets))).octets


def protected_data(octets: bytes) -> None:
    """Parameters and data: read, written again, opened, or refused; and asked for."""
    content = ProtectedAttributes.decode(EncodedData(octets).typed())
    assert _together(content.protection_parameters, content.protected_attributes) is not None
    for element in content.protection_parameters[:8]:
        with suppress(CosemicError):
            element_of(*received(element, STANDARD))
            asked_for(wanted(element, SERVER, CLIENT), SERVER)
    server = protector(SERVER, 1 << 30)
    opened = server.open(content.protected_attributes, content.protection_parameters)
    opened.accept()
    repr(opened)
    try:
        server.open(content.protected_attributes, content.protection_parameters)
    except DecipheringError:
        return
    raise AssertionError("it was accepted twice")


# ---- compression ----------------------------------------------------------------------------------------------------


@cache
def packets() -> list[bytes]:
    """Packets of all kinds of octets, long runs among them."""
    texts = [each for each in vectors() if len(each) < 600]
    return [compress(each) for each in (*texts, bytes(5000), bytes(range(256)) * 4, b"", b"abcab" * 300)]


def expansion(octets: bytes) -> None:
    """A packet expands to no more than was allowed; what it expands to goes there and back."""
    assert decompress(compress(octets), len(octets)) == octets
    found = decompress(octets, MOST_EXPANDED)
    assert len(found) <= MOST_EXPANDED
    assert decompress(compress(found), MOST_EXPANDED) == found


# ---- associations ---------------------------------------------------------------------------------------------------

_REQUESTS: Final[tuple[Callable[[], Any], ...]] = (
    Open,
    lambda: Get(NAME),
    lambda: Get(OBJECTS),
    lambda: Set(NAME, BIG),
    lambda: Action(METHOD, VALUE),
    lambda: Get(CLOCK),
    Release,
)


def _handing_on(suite: int) -> tuple[Callable[[], Any], ...]:
    """The requests of a third party, whose ids are those of this moment."""
    mine = own(THIRD, suite)
    known = parties(THIRD, suite, 1 << 20)
    asking_one = ThirdParty(
        ThirdPartySettings(
            title=THIRD,
            server_title=SERVER,
            suite=security_suite(suite),
            layers=LayerPlan(
                (
                    Layer(recipient=SERVER, key_info=KeyEstablishment.STATIC),
                    Layer(recipient=SERVER, protection=SIGNED),
                )
            ),
            authentication_key=others(SERVER, suite)[-1].authentication_key,  # type: ignore[arg-type]
            transactions=Transactions(1 << 20),
            keys=known.keys,
            signing_key=mine.signing_key,
            agreement_key=mine.agreement_key,
        )
    )

    def one(request: Any) -> Any:
        asking_one.cancel()
        asking_one.send(request)
        return PassOn(asking_one.octets_to_send())

    return Open, lambda: one(Get(NAME)), lambda: one(Set(NAME, VALUE)), lambda: Get(CLOCK), lambda: one(Get(NAME))


def layered_client(suite: int, plan: LayerPlan | None, *, broker: bool = False, **more: Any) -> Subject:
    requests = _handing_on(suite) if broker else _REQUESTS
    return asking(
        requests, ciphered=True, material=material(suite), mechanism=0, server_title=SERVER, max_pdu_size=1000,
        parties=parties(CLIENT, suite, 1), layers=plan, **more,
    )  # fmt: skip


def layered_server(suite: int, **more: Any) -> Subject:
    return answering(
        ciphered=True, material=material(suite), mechanism=0, max_pdu_size=1000,
        parties=parties(SERVER, suite, 1 << 30), **more,
    )  # fmt: skip


def _pair(suite: int, plan: LayerPlan | None, policy: SecurityPolicy, broker: bool = False) -> st.Pair:
    client = partial(layered_client, suite, plan, broker=broker)
    return st.Pair(on.over_datagrams, client, partial(layered_server, suite, policy=policy))


_SIGNING: Final = Layer(recipient=SERVER, protection=SIGNED)


def _ciphering(kind: KeyEstablishment) -> Layer:
    return Layer(recipient=SERVER, key_info=kind)


_CIPHERED, _EVERYTHING = SecurityPolicy(0, 3), SecurityPolicy(1, 0xFC)
SUITES: Final = (0, 1, 2, 1)
"""Of the pairs below, in their order."""
_PAIRS: Final = (
    _pair(0, LayerPlan((_ciphering(K.GLOBAL_UNICAST),)), _CIPHERED),
    _pair(1, LayerPlan((_ciphering(K.STATIC), _SIGNING)), _EVERYTHING),
    _pair(2, LayerPlan((_SIGNING, _ciphering(K.GLOBAL_UNICAST))), _EVERYTHING),
    _pair(1, LayerPlan((_ciphering(K.ABSENT),)), _CIPHERED, True),
)


def in_layers(corpus: list[bytes], draw: random.Random) -> bytes:
    """Change a conversation, or what stands inside the layers of one of its messages."""
    if draw.random() < 0.5:
        return disturb(corpus, draw)
    scenario, messages = decode(draw.choice(corpus))
    suite = SUITES[scenario % len(SUITES)]
    layers = [number for number, each in enumerate(messages) if each.octets[:1] in (b"\xdd", b"\xdf")]
    if not layers:
        return disturb(corpus, draw)
    at = draw.choice(layers)
    words = [each.octets for each in messages]
    changed = resealed(messages[at].octets, suite, lambda inside: disturbed(inside, words, draw))
    messages[at] = Message(changed, messages[at].pause, messages[at].inlet, messages[at].act)
    return encode(scenario, messages)


_CLIENTS, _SERVERS = st.two(_PAIRS)


def _sealed_wrongly(suite: int) -> Mutate:
    return lambda corpus, draw: lying(corpus, draw, suite)


_REFUSED: Final = (DecipheringError, InvocationCounterError)
PROTECTED: Final[dict[str, Target]] = {
    "general-layout": Target(layout, (DecodeError,), lambda: sealed(1) + sealed(0), mutated),
    **{
        f"general-opening-{suite}": Target(
            partial(opening, suite), _REFUSED, partial(sealed, suite), _sealed_wrongly(suite)
        )
        for suite in (0, 1, 2)
    },
    "protected-data": Target(protected_data, (CosemicError,), data, lying_data),
    "compression": Target(expansion, (DecodeError,), packets),
    "layered-client": replace(_CLIENTS, mutate=in_layers),
    "layered-server": replace(_SERVERS, mutate=in_layers),
}
