"""Who reads whom, and the judgement: each client's lines against the description of the meter."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Any

from interop import capture, jvm, meter, tshark
from interop.driver import READINGS

SECONDS = 40
"""A client has so long for one association. dlms-cosem loops for ever on a truncated value."""


@dataclass(frozen=True)
class Result:
    """One line of the matrix: `passed` is None where the case could not be run; `why` says what happened."""

    peer: str
    version: str
    role: str
    case: str
    passed: bool | None
    why: str

    def to_dict(self) -> dict[str, Any]:
        """As it is written to the JSON file."""
        return asdict(self)


def _distribution(name: str) -> str:
    try:
        return distribution_version(name)
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True)
class Client:
    """A program that reads a meter: how to start it for a port, an association and some readings."""

    peer: str
    version: str
    command: Callable[[int, str, Sequence[str]], list[str]]


@dataclass(frozen=True)
class Server:
    """A meter to be read: what it can do, and what is known to be wrong with it."""

    peer: str
    version: str
    serve: Callable[[str], AbstractContextManager[int]]
    associations: Sequence[str] = tuple(meter.ASSOCIATIONS)
    readings: Sequence[str] = READINGS
    view: frozenset[tuple[int, bytes]] = frozenset(meter.VIEW)
    faults: dict[str, str] = field(default_factory=dict)
    """Association name: why a client must refuse it."""


def _python(module: str) -> Callable[[int, str, Sequence[str]], list[str]]:
    return lambda port, association, readings: [sys.executable, "-m", module, str(port), association, *readings]


def _java(program: str) -> Callable[[int, str, Sequence[str]], list[str]]:
    return lambda port, association, _: jvm.command(program, str(port), association)


@contextmanager
def _serve(module: str) -> Iterator[int]:
    """Import the server only when it is wanted: a peer that is not installed must not hinder the others."""
    from importlib import import_module

    with import_module(module).serve() as port:
        yield port


CLIENTS = {
    "cosemic": Client("cosemic", _distribution("cosemic"), _python("interop.ours")),
    "pydlms": Client("pydlms-client", _distribution("pydlms-client"), _python("interop.clients.pydlms")),
    "gurux": Client("gurux-dlms", _distribution("gurux-dlms"), _python("interop.clients.gurux")),
    "dlms-cosem": Client("dlms-cosem", _distribution("dlms-cosem"), _python("interop.clients.dlms_cosem")),
    "gurux.java": Client("gurux.dlms.java", jvm.version("gurux.dlms"), _java("GuruxClient")),
    "jdlms": Client("jDLMS", jvm.version("jdlms"), _java("JdlmsClient")),
}

SERVERS = {
    "cosemic": Server("cosemic", _distribution("cosemic"), lambda _: _serve("interop.ours")),
    "pydlms": Server("pydlms-client", _distribution("pydlms-client"), lambda _: _serve("interop.servers.pydlms")),
    "gurux": Server(
        "gurux-dlms",
        _distribution("gurux-dlms"),
        lambda _: _serve("interop.servers.gurux"),
        associations=("none",),
        readings=("register", "view"),
        view=frozenset((3, name) for name in meter.REGISTERS),
    ),
    "gurux.java": Server(
        "gurux.dlms.java", jvm.version("gurux.dlms"), lambda association: jvm.serve("GuruxServer", association)
    ),
    "jdlms": Server(
        "jDLMS",
        jvm.version("jdlms"),
        lambda association: jvm.serve("JdlmsServer", association),
        view=frozenset(meter.VIEW - {(1, meter.LOGICAL_DEVICE_NAME)}),
        faults={"lls": "its AARE to a plain AARQ with a password names the ciphered context; a client has to refuse"},
    ),
}


def _wrong(reading: str, told: Any, server: Server) -> str:
    """What is wrong with a reading, or nothing."""
    match reading:
        case "register":
            expected: Any = list(meter.REGISTERS[meter.ENERGY_IMPORT])
        case "profile":
            expected = [[meter.clock_octets(stamp).hex(), *cells] for stamp, *cells in meter.selected_rows()]
        case _:
            seen = {(class_id, bytes.fromhex(name)) for class_id, _, name in told}
            missing = ", ".join(f"{class_id}/{name.hex()}" for class_id, name in sorted(server.view - seen))
            return f"the view lacks {missing}" if missing else ""
    if told == expected:
        return ""
    if reading == "profile" and len(told) != len(expected):
        return f"{len(told)} rows instead of {len(expected)}"
    return f"read {str(told)[:120]} instead of {str(expected)[:120]}"


def _lines(command: list[str]) -> tuple[dict[str, dict[str, Any]], str]:
    """Run a client; returns its lines by reading, and why there are not more of them."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        try:
            code = subprocess.run(command, stdout=out, stderr=said, timeout=SECONDS, check=False).returncode
            why = f"the client ended with {code}" if code else ""
        except subprocess.TimeoutExpired:
            why = f"the client had not finished after {SECONDS} s"
        out.seek(0)
        said.seek(0)
        told = [json.loads(line) for line in out if line.startswith("{")]
        last = [line.strip() for line in said if line.strip()][-1:]
    if why and last:
        why = f"{why}: {last[0][:160]}"
    return {line["reading"]: line for line in told}, why


def _case(reading: str, lines: dict[str, dict[str, Any]], why: str, server: Server) -> tuple[bool, str]:
    association = lines.get("association", {})
    if "error" in association:
        return False, f"association: {association['error']}"
    line = lines.get(reading)
    if line is None:
        return False, why or "the client said nothing"
    if "error" in line:
        return False, line["error"]
    wrong = _wrong(reading, line["value"], server)
    return not wrong, wrong or "as described"


def read(client: Client, server: Server, role: str) -> Iterator[Result]:
    """Let the client read everything that the server has; a fresh server for each association."""
    peer = client if role == "client" else server
    for association in server.associations:
        cases = [f"{association}/{reading}" for reading in server.readings]
        if association in server.faults:
            yield from (Result(peer.peer, peer.version, role, case, None, server.faults[association]) for case in cases)
            continue
        try:
            with server.serve(association) as port:
                lines, why = _lines(client.command(port, association, server.readings))
        except jvm.JavaMissing as missing:
            yield from (Result(peer.peer, peer.version, role, case, None, str(missing)) for case in cases)
            continue
        except Exception as error:  # a server may fail in any way; its failure is the result
            failure = f"the server did not start: {type(error).__name__}: {error}"
            yield from (Result(peer.peer, peer.version, role, case, False, failure) for case in cases)
            continue
        for reading, case in zip(server.readings, cases, strict=True):
            yield Result(peer.peer, peer.version, role, case, *_case(reading, lines, why, server))


def observe(client: Client, server: Server, path: Path) -> Iterator[Result]:
    """Record the unciphered associations between the two, and ask tshark what it thinks of them."""
    for association in ("none", "lls"):
        case = f"{association}/{client.peer} reads {server.peer}"
        file = path / f"{client.peer}-{server.peer}-{association}.pcap"
        try:
            with server.serve(association) as target, capture.relay(target) as (port, conversations):
                lines, why = _lines(client.command(port, association, server.readings))
                capture.write_pcap(file, conversations)
            verdict = tshark.examine(file)
        except (tshark.TsharkMissing, jvm.JavaMissing) as missing:
            yield Result("tshark", tshark.version(), "observer", case, None, str(missing))
            continue
        except Exception as error:  # a server may fail in any way; its failure is the result
            yield Result("tshark", tshark.version(), "observer", case, False, f"{type(error).__name__}: {error}")
            continue
        complete = all(_case(reading, lines, why, server)[0] for reading in server.readings)
        told = f"{verdict.frames} APDUs, {len(verdict.malformed)} malformed"
        if verdict.malformed:
            told += f": {verdict.malformed[0][:160]}"
        if not complete:
            told += "; the client did not read everything"
        passed = complete and verdict.frames > 0 and not verdict.malformed
        yield Result("tshark", tshark.version(), "observer", case, passed, told)
