"""What Hypothesis draws for the tests of the whole application layer: terms, requests, and what a device announces.

Lengths lie around those at which APDUs begin to be cut, so that every border between one APDU and several is met.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from hypothesis import strategies as st

from cosemic.apdu import CosemAttributeDescriptorWithSelection, ParameterizedAccess, SelectiveAccessDescriptor
from cosemic.association.notifications import NotifyData, NotifyEvent, ReportInformation
from cosemic.association.requests import (
    Access,
    Action,
    ActionList,
    Get,
    GetList,
    Read,
    Set,
    SetList,
    UnconfirmedWrite,
    Write,
)
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import ActionPblockContent, BlockRecovery, Edition, LongReadContent, ResponseForm
from cosemic.security import Protection
from cosemic.values import Conformance, Priority, ServiceClass
from tests.association.samples import octets
from tests.association.whole_layer_shelf import (
    ATTRIBUTE_NAMES,
    ATTRIBUTES,
    DENIED,
    ECHO,
    METHOD_NAMES,
    NULL,
    OBJECTS,
    QUIET,
    STAMP,
    UNKNOWN_NAME,
    place,
)
from tests.association.whole_layer_terms import EVERYTHING, LOGICAL_NAMES, SHORT_NAMES, USEFUL, Side, Station, Terms

C = Conformance
BOTH = Protection.AUTHENTICATED | Protection.ENCRYPTED
_OFTEN = C.GENERAL_PROTECTION | C.GET | C.SET | C.ACTION | C.READ | C.WRITE
_OF_A_SIGNATURE = 160
"""Octets of an APDU that holds a signature of suite 2 in any envelope."""
_LONG = 1500
"""Octets from which on APDUs are dear, and met seldom."""

options = st.sets(st.sampled_from([one for one in SHORT_NAMES | LOGICAL_NAMES if not one & USEFUL]), min_size=1)
conformances = st.one_of(
    *(st.just(EVERYTHING) for _ in range(5)),
    *(options.map(lambda missing: EVERYTHING & ~reduce(or_, missing)) for _ in range(3)),
    st.integers(0, int(EVERYTHING)).map(lambda some: C(some) | _OFTEN),
    st.integers(0, int(EVERYTHING)).map(C),
)
sizes = st.one_of(
    st.integers(64, 130),
    st.integers(64, 700),
    st.sampled_from((127, 128, 129, 130, 255, 256, 257, 258, 259, 260, 1024, 0xFFFE, 0xFFFF, 0)),
    st.integers(64, 0xFFFF),
)
windows = st.one_of(st.sampled_from((1, 2, 3, 63)), st.integers(1, 63))
editions = st.one_of(st.just(Edition.GREEN_BOOK_11), st.sampled_from(Edition))
sides = st.builds(
    Side,
    size=sizes,
    conformance=conformances,
    window=windows,
    edition=editions,
    recovery=st.sampled_from(BlockRecovery),
)
protections = st.sampled_from((Protection.NONE, BOTH, BOTH, Protection.AUTHENTICATED, Protection.ENCRYPTED))


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    protection = draw(protections)
    ciphered = bool(protection)
    blocks = draw(st.booleans())
    client, server = draw(sides), draw(sides)
    suite = draw(st.sampled_from((0, 0, 1, 2))) if ciphered else 0
    high_level = ciphered and draw(st.booleans())
    signatures_fit = min(side.size or _LONG for side in (client, server)) >= _OF_A_SIGNATURE
    return Terms(
        client=client,
        server=server,
        suite=suite,
        short_names=draw(st.booleans()),
        protection=protection,
        general=ciphered and client.proposes_general and draw(st.booleans()),
        dedicated=protection == BOTH and draw(st.booleans()),
        high_level=high_level,
        signed=high_level and bool(suite) and signatures_fit and draw(st.booleans()),
        general_blocks=blocks,
        block_requests=blocks and draw(st.booleans()),
        response_form=draw(st.sampled_from((ResponseForm.MIRRORED, ResponseForm.MIRRORED, *ResponseForm)))
        if ciphered
        else ResponseForm.MIRRORED,
        pblock_content=draw(st.sampled_from(ActionPblockContent)),
        long_read_content=draw(st.sampled_from(LongReadContent)),
    )


lengths = st.sampled_from((32, 64, 128, 128, 512, 2030))
frames = st.sampled_from((1, 1, 3, 7))
stations = st.builds(Station, transmit=lengths, receive=lengths, window_transmit=frames, window_receive=frames)
lines = st.one_of(st.none(), st.tuples(stations, stations))
"""HDLC stations of both sides, or None for the wrapper."""
pieces = st.sampled_from((1, 1, 2, 3, 10, 60))
"""Into how many chunks octets are cut."""


# ---- requests -------------------------------------------------------------------------------------------------------


@st.composite
def values(draw: st.DrawFn, size: int) -> EncodedData:
    """Something of a length around that of one APDU of ``size`` octets, or a few of them."""
    kind = draw(st.integers(0, 7))
    if kind < 2:
        return octets(draw(st.integers(0, 40)), kind)
    if kind == 2:
        return NULL
    if kind == 3:
        return EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, draw(st.integers(0, 0xFFFFFFFF)))
    if kind == 4:
        return of_all(draw(st.lists(st.integers(0, 3), min_size=ATTRIBUTES - 1, max_size=ATTRIBUTES + 1)))
    size = size or 0xFFFF
    times = draw(st.sampled_from((1, 1, 1, 2, 3, 0)))
    if size > _LONG:
        size, times = (size, 1) if times == 3 else (times * 100, 1)
    return octets(max(times * size + draw(st.integers(-36, 4)), 0), kind)


def of_all(elements: list[int]) -> EncodedData:
    """A value for attribute 0: null-data for what is to stay, or octets."""
    each = [(DataType.NULL_DATA, None) if not one else (DataType.OCTET_STRING, bytes(9 * one)) for one in elements]
    return EncodedData.from_typed((DataType.STRUCTURE, each))


objects = st.one_of(st.integers(0, OBJECTS - 2), st.integers(0, OBJECTS))
attributes = st.builds(place, objects, st.one_of(st.integers(1, ATTRIBUTES), st.integers(0, ATTRIBUTES)))
methods = st.sampled_from((ECHO, ECHO, QUIET, DENIED))
counts = st.one_of(st.integers(1, 4), st.integers(1, 4), st.integers(5, 34))


@st.composite
def selections(draw: st.DrawFn, size: int) -> SelectiveAccessDescriptor | None:
    if draw(st.integers(0, 4)):
        return None
    return SelectiveAccessDescriptor(draw(st.integers(0, 255)), draw(values(size)))


def classes(draw: st.DrawFn) -> dict[str, Any]:
    """Service class and priority, seldom others than usual."""
    drawn = draw(st.integers(0, 11))
    return {
        "service_class": ServiceClass.UNCONFIRMED if drawn >= 10 else ServiceClass.CONFIRMED,
        "priority": Priority.HIGH if drawn in (9, 11) else Priority.NORMAL,
    }


@st.composite
def gets(draw: st.DrawFn, terms: Terms) -> Get | GetList:
    size, more = terms.server.size, classes(draw)
    if draw(st.booleans()):
        return Get(draw(attributes), draw(selections(size)), **more)
    return GetList(_listed(draw, draw(counts), size), **more)


@st.composite
def sets(draw: st.DrawFn, terms: Terms) -> Set | SetList:
    size, more = terms.server.size, classes(draw)
    if draw(st.booleans()):
        return Set(draw(attributes), draw(values(_either(draw, terms))), draw(selections(size)), **more)
    count = draw(counts)
    return SetList(_listed(draw, count, size), _few(draw, count, size), **more)


@st.composite
def actions(draw: st.DrawFn, terms: Terms) -> Action | ActionList:
    more = classes(draw)
    size = _either(draw, terms)
    if draw(st.booleans()):
        return Action(draw(methods), draw(st.one_of(st.none(), values(size), values(size))), **more)
    count = draw(counts)
    return ActionList(tuple(draw(methods) for _ in range(count)), _few(draw, count, size), **more)


@st.composite
def accesses(draw: st.DrawFn, terms: Terms) -> Access:
    size = _either(draw, terms)

    def entry() -> Get | Set | Action:
        kind = draw(st.integers(0, 2))
        if kind == 0:
            return Get(draw(attributes), draw(selections(size)))
        if kind == 1:
            return Set(draw(attributes), draw(values(size)), draw(selections(size)))
        return Action(draw(methods), draw(st.one_of(st.none(), values(size))))

    return Access(
        tuple(entry() for _ in range(draw(counts))),
        break_on_error=draw(st.booleans()),
        self_descriptive=draw(st.booleans()),
        date_time=draw(st.sampled_from((b"", STAMP))),
        **classes(draw),
    )


names = st.one_of(
    st.sampled_from(sorted(ATTRIBUTE_NAMES)),
    st.sampled_from(sorted(ATTRIBUTE_NAMES)),
    st.sampled_from(sorted(METHOD_NAMES)),
    st.just(UNKNOWN_NAME),
)


@st.composite
def variables(draw: st.DrawFn, size: int, count: int) -> tuple[int | ParameterizedAccess, ...]:
    named = [draw(names) for _ in range(count)]
    return tuple(
        ParameterizedAccess(one, draw(st.integers(0, 3)), draw(values(size))) if draw(st.integers(0, 3)) == 0 else one
        for one in named
    )


@st.composite
def reads(draw: st.DrawFn, terms: Terms) -> Read:
    return Read(draw(variables(_either(draw, terms), draw(counts))))


@st.composite
def writes(draw: st.DrawFn, terms: Terms) -> Write | UnconfirmedWrite:
    count, size = draw(counts), _either(draw, terms)
    kind = UnconfirmedWrite if draw(st.integers(0, 3)) == 0 else Write
    return kind(draw(variables(size, count)), _few(draw, count, size))


def requests(terms: Terms) -> st.SearchStrategy[Any]:
    """A request of the referencing that was agreed; seldom of the other."""
    logical = st.one_of(gets(terms), sets(terms), actions(terms), accesses(terms))
    short = st.one_of(reads(terms), writes(terms), reads(terms), writes(terms))
    usual, other = (short, logical) if terms.short_names else (logical, short)
    return st.integers(0, 19).flatmap(lambda drawn: usual if drawn else other)


def _either(draw: st.DrawFn, terms: Terms) -> int:
    """The size of either side."""
    return (terms.client if draw(st.booleans()) else terms.server).size


def _listed(draw: st.DrawFn, count: int, size: int) -> tuple[CosemAttributeDescriptorWithSelection, ...]:
    return tuple(CosemAttributeDescriptorWithSelection(draw(attributes), draw(selections(size))) for _ in range(count))


def _few(draw: st.DrawFn, count: int, size: int) -> tuple[EncodedData, ...]:
    """So many values; of many, most are alike."""
    found = [draw(values(size)) for _ in range(min(count, 3))]
    return tuple(found[at % len(found)] if at < 6 else octets(at) for at in range(count))


# ---- what the device says of its own accord -------------------------------------------------------------------------


@st.composite
def notifications(draw: st.DrawFn, terms: Terms, number: int) -> tuple[Any, Conformance]:
    """A notification, and the bit that it needs."""
    value = draw(values(terms.client.size))
    kind = draw(st.integers(0, 3))
    if kind < 2:
        stamp = draw(st.sampled_from((b"", STAMP)))
        return NotifyData(value, bool(kind), stamp, long_invoke_id=number), C.DATA_NOTIFICATION
    if terms.short_names:
        return ReportInformation((min(ATTRIBUTE_NAMES),), (value,)), C.INFORMATION_REPORT
    return NotifyEvent(place(0, 1), value), C.EVENT_NOTIFICATION
