"""The implementations of the matrix: how their programs are started, what they can do, and what is wrong with them.

What is said here of a peer was found out with the reference text at hand, and holds for the version that
`pyproject.toml` or `pom.xml` names. A fault that does not show any more fails the case, so that the lists stay true.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version
from typing import NamedTuple

from interop import jvm, meter
from interop.deeds import DONE_BY_OURS, DONE_TO_OURS
from interop.driver import ATTRIBUTES, READINGS
from interop.watched import Watched

Attribute = tuple[int, int, int]
"""class_id, version, attribute."""


class Running(NamedTuple):
    """A server that listens; the meter itself where it is ours."""

    port: int
    watched: Watched | None = None


@dataclass(frozen=True)
class Client:
    """A program that reads a meter: how to start it for a port, an association and some readings."""

    peer: str
    version: str
    command: Callable[[int, str, Sequence[str]], list[str]]
    readings: Sequence[str] = READINGS
    misunderstood: Mapping[Attribute, str] = field(default_factory=dict)
    """Attributes whose values its own decoder does not take: why the fault is not ours."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Reading: why it cannot do it."""


@dataclass(frozen=True)
class Server:
    """A meter to be read: what it can do, and what is known to be wrong with it."""

    peer: str
    version: str
    serve: Callable[[str], AbstractContextManager[Running]]
    associations: Sequence[str] = tuple(meter.ASSOCIATIONS)
    readings: Sequence[str] = (*READINGS, *DONE_BY_OURS)
    managed: bool = False
    """Whether only some associations may change it."""
    view: frozenset[tuple[int, bytes]] = frozenset(meter.VIEW)
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Association name: why a client must refuse it."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Reading: why it cannot be had there."""
    label: str = ""
    """In front of its cases, where it is not the meter that all others show."""

    def readings_for(self, association: str) -> list[str]:
        """What can be read, and done, in an association."""
        deeds = meter.ASSOCIATIONS[association].manages or not self.managed
        return [one for one in self.readings if deeds or one in (*READINGS, ATTRIBUTES)]


def _distribution(name: str) -> str:
    try:
        return distribution_version(name)
    except PackageNotFoundError:
        return ""


def _python(module: str) -> Callable[[int, str, Sequence[str]], list[str]]:
    return lambda port, association, readings: [sys.executable, "-m", module, str(port), association, *readings]


def _java(program: str) -> Callable[[int, str, Sequence[str]], list[str]]:
    return lambda port, association, readings: jvm.command(program, str(port), association, *readings)


@contextmanager
def _serve(module: str) -> Iterator[Running]:
    """Import the server only when it is wanted: a peer that is not installed must not hinder the others."""
    with import_module(module).serve() as port:
        yield Running(port)


@contextmanager
def _serve_java(program: str, association: str) -> Iterator[Running]:
    with jvm.serve(program, association) as port:
        yield Running(port)


@contextmanager
def _serve_ours(association: str, *, simulated: bool = False) -> Iterator[Running]:
    with import_module("interop.ours").serve(association, simulated=simulated) as (port, watched):
        yield Running(port, watched)


_ALL = (*READINGS, ATTRIBUTES, *DONE_TO_OURS)

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

CLIENTS = {
    "cosemic": Client("cosemic", _distribution("cosemic"), _python("interop.ours"), (*READINGS, *DONE_BY_OURS)),
    "pydlms": Client("pydlms-client", _distribution("pydlms-client"), _python("interop.clients.pydlms"), _ALL, _PYDLMS),
    "gurux": Client("gurux-dlms", _distribution("gurux-dlms"), _python("interop.clients.gurux"), _ALL, _GURUX),
    "dlms-cosem": Client(
        "dlms-cosem",
        _distribution("dlms-cosem"),
        _python("interop.clients.dlms_cosem"),
        (*READINGS, *DONE_TO_OURS),
        lacks={
            "entries": "it selects by range only",
            "image": "it writes lengths above 127 in one octet: a block of 200 octets is not to be read",
        },
    ),
    "gurux.java": Client("gurux.dlms.java", jvm.version("gurux.dlms"), _java("GuruxClient"), _ALL, _GURUX_JAVA),
    "jdlms": Client("jDLMS", jvm.version("jdlms"), _java("JdlmsClient"), (*READINGS, *DONE_TO_OURS)),
}

_RAISES = "its handlers of SET and ACTION raise before they have done anything, and it answers hardware-fault"
_NO_SELECTION = "its server answers every selection of rows with hardware-fault"

SERVERS = {
    "cosemic": Server("cosemic", _distribution("cosemic"), _serve_ours, readings=_ALL, managed=True),
    "simulated": Server(
        "cosemic",
        _distribution("cosemic"),
        lambda association: _serve_ours(association, simulated=True),
        associations=("none",),
        readings=("view", ATTRIBUTES),
        view=frozenset(((8, meter.CLOCK), (1, meter.LOGICAL_DEVICE_NAME), (7, meter.LOAD_PROFILE))),
        label="simulated ",
    ),
    "pydlms": Server("pydlms-client", _distribution("pydlms-client"), lambda _: _serve("interop.servers.pydlms")),
    "gurux": Server(
        "gurux-dlms",
        _distribution("gurux-dlms"),
        lambda _: _serve("interop.servers.gurux"),
        associations=("none",),
        view=frozenset(meter.VIEW - {(1, meter.LOGICAL_DEVICE_NAME), (7, meter.LOAD_PROFILE)}),
        lacks=dict.fromkeys(("profile", "entries"), _NO_SELECTION)
        | dict.fromkeys(("image", "disconnect", "reconnect", "set-clock", "shift-clock", "synchronise"), _RAISES),
    ),
    "gurux.java": Server(
        "gurux.dlms.java",
        jvm.version("gurux.dlms"),
        lambda association: _serve_java("GuruxServer", association),
        lacks={"entries": "its server takes from_entry for an index from 0, and to_entry for a number of rows"},
    ),
    "jdlms": Server(
        "jDLMS",
        jvm.version("jdlms"),
        lambda association: _serve_java("JdlmsServer", association),
        view=frozenset(meter.VIEW - {(1, meter.LOGICAL_DEVICE_NAME)}),
        refusals={"lls": "its AARE to a plain AARQ with a password names the ciphered context; a client has to refuse"},
    ),
}
