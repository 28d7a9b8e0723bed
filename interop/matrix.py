"""Who reads whom: each client is run against each server, and its lines are judged."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from interop import capture, judgement, jvm, meter, tshark
from interop.driver import ATTRIBUTES
from interop.judgement import AttributeResult
from interop.peers import Client, Running, Server

SECONDS = 60
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
    attributes: list[AttributeResult] = field(default_factory=list)
    """Of the case that reads them all."""

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
    """What a client has said of a server in an association; `why` there is not more of it."""

    client: Client
    server: Server
    association: str
    running: Running
    lines: dict[str, dict[str, Any]]
    why: str

    @classmethod
    def made(cls, client: Client, server: Server, association: str, running: Running, readings: list[str]) -> _Visit:
        lines, why = _lines(client.command(running.port, association, readings))
        return cls(client, server, association, running, lines, why)

    def judged(self, reading: str) -> tuple[bool, str, list[AttributeResult]]:
        """Whether a reading is right, what is to be said of it, and of each attribute."""
        line, watched = self.lines.get(reading), self.running.watched
        client_sap = meter.ASSOCIATIONS[self.association].client_sap
        refused = self.lines.get("association", {}).get("error")
        if refused is not None:
            return False, f"association: {refused}", []
        if line is None or "error" in line:
            return False, self.why or "the client said nothing" if line is None else line["error"], []
        if reading == ATTRIBUTES and watched is not None:
            faults = not self.server.label
            judged = judgement.attributes(line["value"], self.client, client_sap, watched, shows_faults=faults)
            return *judgement.summary(judged, len(watched.view(client_sap))), judged
        wrong = judgement.wrong(reading, line["value"], self.server, watched, client_sap)
        return not wrong, wrong or "as described", []


def _common(client: Client, server: Server, association: str) -> tuple[list[str], dict[str, str]]:
    """What there is to be read and done, and why some of it is not."""
    both = [one for one in server.readings_for(association) if one in client.readings]
    reasons = {**client.lacks, **server.lacks}
    return both, {one: reasons[one] for one in both if one in reasons}


def read(client: Client, server: Server, role: str) -> Iterator[Result]:
    """Let the client do everything that both sides can; a fresh server for each association."""
    peer = client if role == "client" else server

    def result(association: str, reading: str, passed: bool | None, why: str, *more: Any) -> Result:
        case = f"{server.label}{association}/{reading}"
        return Result(peer.peer, peer.version, role, case, passed, why, *more)

    for association in server.associations:
        both, lacking = _common(client, server, association)
        readings = [one for one in both if one not in lacking]
        if association in server.refusals:
            yield from (result(association, one, None, server.refusals[association]) for one in both)
            continue
        try:
            with server.serve(association) as running:
                visit = _Visit.made(client, server, association, running, readings)
        except jvm.JavaMissing as missing:
            yield from (result(association, one, None, str(missing)) for one in both)
            continue
        except Exception as error:  # a server may fail in any way; its failure is the result
            failure = f"the server did not start: {type(error).__name__}: {error}"
            yield from (result(association, one, False, failure) for one in both)
            continue
        for one in both:
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


def observe(client: Client, server: Server, path: Path) -> Iterator[Result]:
    """Record the unciphered associations between the two, and ask tshark what it thinks of them."""
    for association in ("none", "lls"):
        case = f"{association}/{client.peer} reads {server.peer}"
        both, lacking = _common(client, server, association)
        readings = [one for one in both if one not in lacking]
        file = path / f"{client.peer}-{server.peer}-{association}.pcap"
        try:
            with server.serve(association) as running, capture.relay(running.port) as (port, conversations):
                visit = _Visit.made(client, server, association, running._replace(port=port), readings)
                capture.write_pcap(file, conversations)
            verdict = tshark.examine(file)
        except (tshark.TsharkMissing, jvm.JavaMissing) as missing:
            yield Result("tshark", tshark.version(), "observer", case, None, str(missing))
            continue
        except Exception as error:  # a server may fail in any way; its failure is the result
            yield Result("tshark", tshark.version(), "observer", case, False, f"{type(error).__name__}: {error}")
            continue
        complete = all(visit.judged(reading)[0] for reading in readings)
        told = f"{verdict.frames} APDUs, {len(verdict.malformed)} malformed"
        if verdict.malformed:
            told += f": {verdict.malformed[0][:160]}"
        if not complete:
            told += "; the client did not read everything"
        passed = complete and verdict.frames > 0 and not verdict.malformed
        yield Result("tshark", tshark.version(), "observer", case, passed, told)
