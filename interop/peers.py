"""The implementations of the matrix: how their programs are started, what they can do, and what is wrong with them.

What is said here of a peer was found out with the reference text at hand, and holds for the version that
`pyproject.toml` or `pom.xml` names. A fault that does not show any more fails the case, so that the lists stay true.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version
from typing import NamedTuple

from interop import jvm, meter
from interop.deeds import AT_ONCE, DONE_BY_OURS, DONE_TO_OURS, NOTIFIED
from interop.driver import ATTRIBUTES, READINGS
from interop.watched import Watched
from interop.ways import GBT, HDLC, MBUS, MODE_E, SN, TCP, Place, Way

Attribute = tuple[int, int, int]
"""class_id, version, attribute."""


class Running(NamedTuple):
    """A server that can be reached at a port or a path; the meter itself where it is ours."""

    where: int | str
    watched: Watched | None = None


def reason(lacks: Mapping[str, str], way: Way, association: str, reading: str) -> str:
    """Why it cannot be, or nothing: by the reading, or by patterns of `WAY ASSOCIATION/READING`."""
    case = f"{way.name} {association}/{reading}"
    return next((why for what, why in lacks.items() if what == reading or fnmatch(case, what)), "")


@dataclass(frozen=True)
class Client:
    """A program that reads a meter: how to start it for a place, an association and some readings."""

    peer: str
    version: str
    command: Callable[[Place, str, Sequence[str]], list[str]]
    readings: Sequence[str] = READINGS
    misunderstood: Mapping[Attribute, str] = field(default_factory=dict)
    """Attributes whose values its own decoder does not take: why the fault is not ours."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Reading, or pattern of cases: why it cannot do it."""
    ways: Sequence[Way] = (TCP,)


@dataclass(frozen=True)
class Server:
    """A meter to be read: what it can do, and what is known to be wrong with it."""

    peer: str
    version: str
    serve: Callable[[str, Way], AbstractContextManager[Running]]
    associations: Sequence[str] = tuple(meter.ASSOCIATIONS)
    readings: Sequence[str] = (*READINGS, *DONE_BY_OURS)
    managed: bool = False
    """Whether only some associations may change it."""
    view: frozenset[tuple[int, bytes]] = frozenset(meter.VIEW)
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Association name: why a client must refuse it."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Reading, or pattern of cases: why it cannot be had there."""
    ways: Sequence[Way] = (TCP,)
    label: str = ""
    """In front of its cases, where it is not the meter that all others show."""

    def readings_for(self, association: str, way: Way) -> list[str]:
        """What can be read, and done, in an association."""
        deeds = meter.ASSOCIATIONS[association].manages or not self.managed
        return [one for one in self.readings if way.has(one) and (deeds or one in (*READINGS, ATTRIBUTES))]


def distribution(name: str) -> str:
    """The version that is installed, or nothing."""
    try:
        return distribution_version(name)
    except PackageNotFoundError:
        return ""


def _python(module: str) -> Callable[[Place, str, Sequence[str]], list[str]]:
    return lambda place, association, readings: [sys.executable, "-m", module, str(place), association, *readings]


def _java(program: str) -> Callable[[Place, str, Sequence[str]], list[str]]:
    return lambda place, association, readings: jvm.command(program, str(place), association, *readings)


def _serve(module: str) -> Callable[[str, Way], AbstractContextManager[Running]]:
    """Import the server only when it is wanted: a peer that is not installed must not hinder the others."""

    @contextmanager
    def serve(_: str, way: Way) -> Iterator[Running]:
        with import_module(module).serve(way) as where:
            yield Running(where)

    return serve


def _serve_java(program: str) -> Callable[[str, Way], AbstractContextManager[Running]]:
    @contextmanager
    def serve(association: str, way: Way) -> Iterator[Running]:
        with jvm.serve(program, association, way.name) as port:
            yield Running(port)

    return serve


@contextmanager
def _serve_ours(association: str, way: Way, *, simulated: bool = False) -> Iterator[Running]:
    with import_module("interop.ours").serve(association, way, simulated=simulated) as (where, watched):
        yield Running(where, watched)


_SOME_OF_ALL = (*READINGS, ATTRIBUTES, *DONE_TO_OURS)
_ALL = (*_SOME_OF_ALL, *AT_ONCE)
_BY_OURS = tuple(dict.fromkeys((*READINGS, "message", "value", *AT_ONCE, *DONE_BY_OURS, NOTIFIED)))

_TWO_FRAMES = (
    "of a burst it takes two frames: where the second has F = 0 it keeps the number in a local variable, and drops the "
    "third, in sequence, as 'Invalid HDLC Frame'"
)
_FINAL_ONLY = "it takes an I frame only where F = 1, and drops a burst as 'Invalid HDLC Frame'"
_UNACKNOWLEDGED = (
    "it answers the I frame N(S) = 0 with N(R) = 0 (control field 10 in place of 30), so that the request is sent "
    "again; and on an SNRM without information field (7E A0 07 03 21 93 0F 01 7E) it closes the connection"
)
_SOME = (HDLC[0], HDLC[3], HDLC[5])
"""Each value of window, information field and address: for peers that take their time."""
_VERSION_0_ONLY = "it has the push_object_list of version 0 alone: structures of four"
_FLAT_RESTRICTION = "it reads restriction_type, from and to from one structure, and writes the last two into another"
_KEY_ID_IN_STRUCTURE = "it wants identified_key_options, an enum, in a structure of its own"
_SECONDS_ONLY = "it has the repetition_delay of versions 0 and 1 alone: a number"
_BITS_AS_TEXT = "it takes the bit-strings for text, of which it has made objects before"
_UP_TO_CDMA = "it has the values of ps_status up to CDMA, those of version 1"

_PYDLMS = {(40, version, 2): _VERSION_0_ONLY for version in (1, 2, 3)}
_GURUX = {(40, version, 10): _KEY_ID_IN_STRUCTURE for version in (1, 2, 3)} | {
    (40, version, 2): _FLAT_RESTRICTION for version in (2, 3)
}
_GURUX_JAVA = {(40, version, 7): _SECONDS_ONLY for version in (2, 3)} | {
    (68, 0, 5): _BITS_AS_TEXT,
    (47, 2, 5): _UP_TO_CDMA,
}


def _bursts(why: str) -> dict[str, str]:
    """What bursts of I frames are sent for: the view always, the rows of the profile where they do not fit in one."""
    return {"hdlc-w7-*/view": why, "hdlc-w7-i128-*/profile": why}


_PROOF_WRITTEN = (
    "with short names it sends its proof by WriteRequest, 06 01 02 FA58 01 09 11 ..., which returns nothing, 0D 01 00, "
    "and misses that of the meter: a method that returns something is called by ReadRequest, 05 01 04 FA58 00 09 11 ..."
)


CLIENTS = {
    "cosemic": Client(
        "cosemic",
        distribution("cosemic"),
        _python("interop.ours"),
        _BY_OURS,
        ways=(TCP, SN, *GBT, *HDLC, MODE_E, *MBUS),
    ),
    "pydlms": Client(
        "pydlms-client",
        distribution("pydlms-client"),
        _python("interop.clients.pydlms"),
        _ALL,
        _PYDLMS,
        ways=(TCP, SN, *GBT, *HDLC, MODE_E, *MBUS),
    ),
    "gurux": Client(
        "gurux-dlms",
        distribution("gurux-dlms"),
        _python("interop.clients.gurux"),
        _ALL,
        _GURUX,
        _bursts(_TWO_FRAMES)
        | {
            "act-list": "it has no ACTION with list",
            "access": "it builds no ACCESS with set or action: AttributeError, no attribute 'settings'",
            "tcp hls-gmac/access-read": "ciphered, it has ACCESS only where general-protection is agreed upon; then it "
            "uses general-glo for everything, as on gbt-*",
            "sn hls-gmac/*": "with short names an assertion of its own ends what is ciphered",
            "sn */long-message": "of a long WriteRequest it sends the head of the value alone, as the last block, "
            "without its name, 06 01 07 01 0001 01 09 04 09 82 07 D0; at an answer in blocks, 0C 01 02 00 0001 ..., it "
            "raises AttributeError, no attribute 'getMoreData'",
            "sn */shift-clock": "its table of short names has no method 6 for a Clock: ValueError, methodIndex",
            "gbt-* */long-*": "its blocks are two octets longer than the 512 that were agreed upon, E0 01 0001 0000 82 "
            "01F9 and 505 octets, and are refused with D8 01 04, pdu-too-long",
        },
        ways=(TCP, SN, *GBT, *HDLC, MODE_E),
    ),
    "dlms-cosem": Client(
        "dlms-cosem",
        distribution("dlms-cosem"),
        _python("interop.clients.dlms_cosem"),
        (*READINGS, *DONE_TO_OURS),
        lacks={
            "entries": "it selects by range only",
            "image": "it writes lengths above 127 in one octet: a block of 200 octets is not to be read",
        },
        ways=(TCP, *(way for way in HDLC if (way.window, way.max_info) == (1, 128))),
    ),
    "gurux.java": Client(
        "gurux.dlms.java",
        jvm.version("gurux.dlms"),
        _java("GuruxClient"),
        _SOME_OF_ALL,
        _GURUX_JAVA,
        _bursts(_FINAL_ONLY) | {"sn hls-gmac/*": _PROOF_WRITTEN},
        (TCP, SN, *GBT, *_SOME),
    ),
    "jdlms": Client(
        "jDLMS", jvm.version("jdlms"), _java("JdlmsClient"), (*READINGS, *DONE_TO_OURS), ways=(TCP, HDLC[0], HDLC[2])
    ),
}

_WRITES_METHODS = (
    "it takes a WriteRequest to the name of a method, 06 01 02 18 20 01 0F 00 to remote_disconnect of the switch at "
    "1800, for one of attribute 5, answers 0D 01 00 and does nothing; it calls methods for a ReadRequest alone"
)
_RAISES = "its handlers of SET and ACTION raise before they have done anything, and it answers hardware-fault"
_ONE_COUNTER = (
    "with short names all its ciphered answers have one invocation counter, 2C 27 30 00000001 ..., 2C 81 EE 30 "
    "00000001 ...: a client has to refuse"
)
_BLOCKS_UNASKED = (
    "with short names it answers in blocks, 0C 01 02 00 0001 82 01F7 ..., though of 1C1BA0 it has agreed to 1C0320, "
    "without block-transfer-with-get-or-read"
)
_NO_SHORT_NAMES = (
    "with short names its server calls what is no function: object_list, 05 01 02 FA08, it answers with "
    "hardware-fault, every other read twice, 05 01 02 0208 with 0C 01 00 06 00BC614E 0C 01 01 01, and every write "
    "with 0D 01 01 01"
)
_FRMR = (
    "it agrees to ACCESS, and answers D9 40000001 00 02 01 0003 0100010800FF 02 01 0003 0100010800FF 03 02 00 00, on "
    "the wrapper, with the HDLC frame 7E A0 07 21 03 97 2B E1 7E"
)
_NO_SELECTION = "its server answers every selection of rows with hardware-fault"

SERVERS = {
    "cosemic": Server(
        "cosemic",
        distribution("cosemic"),
        _serve_ours,
        readings=_ALL,
        managed=True,
        ways=(TCP, SN, *GBT, *HDLC, MODE_E, *MBUS),
    ),
    "simulated": Server(
        "cosemic",
        distribution("cosemic"),
        lambda association, way: _serve_ours(association, way, simulated=True),
        associations=("none",),
        readings=("view", ATTRIBUTES),
        view=frozenset(((8, meter.CLOCK), (1, meter.LOGICAL_DEVICE_NAME), (7, meter.LOAD_PROFILE))),
        label="simulated ",
    ),
    "pydlms": Server(
        "pydlms-client",
        distribution("pydlms-client"),
        _serve("interop.servers.pydlms"),
        readings=_BY_OURS,
        # With short names it passes over the selection of rows and sends them all: our client takes those it wants.
        lacks=dict.fromkeys(("sn */disconnect", "sn */shift-clock"), _WRITES_METHODS),
        ways=(TCP, SN, *GBT, *HDLC, MODE_E, *MBUS),
    ),
    "gurux": Server(
        "gurux-dlms",
        distribution("gurux-dlms"),
        _serve("interop.servers.gurux"),
        associations=("none",),
        view=frozenset(meter.VIEW - {(1, meter.LOGICAL_DEVICE_NAME), (7, meter.LOAD_PROFILE)}),
        lacks={"sn *": _NO_SHORT_NAMES, "access-read": _FRMR}
        | dict.fromkeys(("profile", "entries"), _NO_SELECTION)
        | dict.fromkeys(("image", "disconnect", "reconnect", "set-clock", "shift-clock", "synchronise"), _RAISES),
        ways=(TCP, SN, *HDLC, MODE_E),
    ),
    "gurux.java": Server(
        "gurux.dlms.java",
        jvm.version("gurux.dlms"),
        _serve_java("GuruxServer"),
        ways=(TCP, SN, *GBT, *_SOME),
        lacks={
            "entries": "its server takes from_entry for an index from 0, and to_entry for a number of rows",
            "sn hls-gmac/*": _ONE_COUNTER,
            "sn */profile": _BLOCKS_UNASKED,
        },
    ),
    "jdlms": Server(
        "jDLMS",
        jvm.version("jdlms"),
        _serve_java("JdlmsServer"),
        lacks={"hdlc-*": _UNACKNOWLEDGED, "access-read": "it does not agree to ACCESS"},
        ways=(TCP, HDLC[0]),
        view=frozenset(meter.VIEW - {(1, meter.LOGICAL_DEVICE_NAME)}),
        refusals={"lls": "its AARE to a plain AARQ with a password names the ciphered context; a client has to refuse"},
    ),
}
