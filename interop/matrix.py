"""Who reads whom: each client is run against each server, and its lines are judged."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from interop import capture, judgement, jvm, meter, pymeterbus, tshark
from interop.driver import ATTRIBUTES
from interop.judgement import AttributeResult
from interop.peers import Client, Running, Server, reason
from interop.ways import TCP, Place, Way

RELEASE = "release"
"""Judged where the association is not all that ends: the data link connection does, too."""
SECONDS = 60
"""A client has so long for one association. dlms-cosem loops for ever on a truncated value."""


@dataclass(frozen=True)
class Result:
    """One line of the matrix: `passed` is None where the case could not be run; `why` says what happened. differs: the
    peer does otherwise than the standard, which the case shows; passed where our side holds to the standard."""

    peer: str
    version: str
    role: str
    case: str
    passed: bool | None
    why: str
    attributes: list[AttributeResult] = field(default_factory=list)
    """Of the case that reads them all."""
    differs: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As it is written to the JSON file; without what has a file of its own."""
        told = asdict(self)
        del told["attributes"]
        return told

    def attributes_to_dicts(self) -> list[dict[str, Any]]:
        """How each attribute fared, with who read it and how."""
        return [{"peer": self.peer, "case": self.case, **asdict(one)} for one in self.attributes]


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


@dataclass(frozen=True)
class _Visit:
    """What a client has said of a server on a way in an association; `why` there is not more of it."""

    client: Client
    server: Server
    way: Way
    association: str
    running: Running
    lines: dict[str, dict[str, Any]]
    why: str

    @classmethod
    def made(
        cls, client: Client, server: Server, way: Way, association: str, running: Running, readings: list[str]
    ) -> _Visit:
        lines, why = _lines(client.command(Place(way, running.where), association, readings))
        return cls(client, server, way, association, running, lines, why)

    def judged(self, reading: str) -> tuple[bool, str, list[AttributeResult]]:
        """Whether a reading is right, what is to be said of it, and of each attribute."""
        line, watched = self.lines.get(reading), self.running.watched
        client_sap = meter.ASSOCIATIONS[self.association].client_sap
        refused = self.lines.get("association", {}).get("error")
        if refused is not None:
            return False, f"association: {refused}", []
        if line is None or "error" in line:
            return False, self.why or "the client said nothing" if line is None else line["error"], []
        if reading == RELEASE:
            return True, "in order", []
        if reading == ATTRIBUTES and watched is not None:
            faults = not self.server.label
            judged = judgement.attributes(line["value"], self.client, client_sap, watched, shows_faults=faults)
            return *judgement.summary(judged, len(watched.view(client_sap))), judged
        wrong = judgement.wrong(reading, line["value"], self.server, watched, client_sap)
        return not wrong, wrong or "as described", []


def _common(client: Client, server: Server, way: Way, association: str) -> tuple[list[str], dict[str, str]]:
    """What there is to be read and done, and why some of it is not."""
    both = [one for one in server.readings_for(association, way) if one in client.readings]
    reasons = {one: reason({**client.lacks, **server.lacks}, way, association, one) for one in both}
    return both, {one: why for one, why in reasons.items() if why}


def read(client: Client, server: Server, role: str, ways: Collection[Way]) -> Iterator[Result]:
    """Let the client do everything that both sides can on each of these ways that both sides know."""
    for way in ways:
        if way in client.ways and way in server.ways:
            yield from _read_on(way, client, server, role)


def _read_on(way: Way, client: Client, server: Server, role: str) -> Iterator[Result]:
    """A fresh server for each association."""
    peer = client if role == "client" else server
    label = server.label if way is TCP else f"{way.name} "

    def result(association: str, reading: str, passed: bool | None, why: str, *more: Any) -> Result:
        return Result(peer.peer, peer.version, role, f"{label}{association}/{reading}", passed, why, *more)

    for association in server.associations:
        both, lacking = _common(client, server, way, association)
        readings = [one for one in both if one not in lacking]
        if association in server.refusals or not readings:
            refused = server.refusals.get(association, "")
            yield from (result(association, one, None, refused or lacking[one]) for one in both)
            continue
        try:
            with server.serve(association, way) as running:
                visit = _Visit.made(client, server, way, association, running, readings)
        except jvm.JavaMissing as missing:
            yield from (result(association, one, None, str(missing)) for one in both)
            continue
        except Exception as error:  # a server may fail in any way; its failure is the result
            failure = f"the server did not start: {type(error).__name__}: {error}"
            yield from (result(association, one, False, failure) for one in both)
            continue
        for one in both if way is TCP else (*both, RELEASE):
            if one in lacking:
                yield result(association, one, None, lacking[one])
            else:
                yield result(association, one, *visit.judged(one))
        yield from (result(association, *fault) for fault in _faults(visit))


def _faults(visit: _Visit) -> Iterator[tuple[str, None, str]]:
    """What the client did not understand: cases that could not be run."""
    if ATTRIBUTES in visit.lines:
        judged = visit.judged(ATTRIBUTES)[2]
        faults = {
            (one.class_id, one.version, one.attribute): one.why for one in judged if one.outcome == "misunderstood"
        }
        for (class_id, version, attribute), why in sorted(faults.items()):
            yield f"class {class_id} v{version}, attribute {attribute}", None, why


def observe(client: Client, server: Server, way: Way, path: Path) -> Iterator[Result]:
    """Record the unciphered associations between the two, and ask an observer what it thinks of them."""
    for association in ("none", "lls"):
        case = f"{'' if way is TCP else f'{way.name} '}{association}/{client.peer} reads {server.peer}"
        look = _on_the_bus if way.framing == "mbus" else _in_the_capture
        name, version, passed, told = look(client, server, way, association, path)
        yield Result(name, version, "observer", case, passed, told)


def _recorded(client: Client, server: Server, way: Way, association: str) -> tuple[list[capture.Conversation], str]:
    """Return what went over the wire, and what is to be said where the client did not read everything."""
    both, lacking = _common(client, server, way, association)
    readings = [one for one in both if one not in lacking]
    with server.serve(association, way) as running, capture.relay(running.where) as (port, conversations):
        visit = _Visit.made(client, server, way, association, running._replace(where=port), readings)
        recorded = list(conversations)
    complete = all(visit.judged(reading)[0] for reading in readings)
    return recorded, "" if complete else "; the client did not read everything"


def _in_the_capture(
    client: Client, server: Server, way: Way, association: str, path: Path
) -> tuple[str, str, bool | None, str]:
    """What tshark says."""
    passed: bool | None = None
    if way.address != 1:
        return "tshark", tshark.version(), None, tshark.ONE_OCTET_ONLY
    try:
        conversations, missed = _recorded(client, server, way, association)
        file = path / f"{client.peer}-{server.peer}-{way.name}-{association}.pcap"
        capture.write_pcap(file, conversations)
        verdict = tshark.examine(file)
    except (tshark.TsharkMissing, jvm.JavaMissing) as missing:
        told = str(missing)
    except Exception as error:  # a server may fail in any way; its failure is the result
        passed, told = False, f"{type(error).__name__}: {error}"
    else:
        passed = not missed and verdict.frames > 0 and not verdict.malformed
        told = f"{verdict}{missed}"
    return "tshark", tshark.version(), passed, told


def _on_the_bus(
    client: Client, server: Server, way: Way, association: str, path: Path
) -> tuple[str, str, bool | None, str]:
    """What pyMeterBus says."""
    passed: bool | None = None
    try:
        conversations, missed = _recorded(client, server, way, association)
        frames, wrong = pymeterbus.examine(conversations)
    except pymeterbus.PyMeterBusMissing as missing:
        told = str(missing)
    except Exception as error:  # a server may fail in any way; its failure is the result
        passed, told = False, f"{type(error).__name__}: {error}"
    else:
        passed = bool(frames) and not wrong and not missed
        told = f"{frames}{'; ' if wrong else ''}{wrong[:160]}{missed}"
    return "pyMeterBus", pymeterbus.version(), passed, told
