"""gurux.dlms.java in one JVM: a line of words says a case, a line of JSON what became of it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from queue import Queue
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from interop import jvm, meter
from interop.driver import first_counter
from interop.secure import facts
from interop.secure.cases import ECDSA, GMAC, LLS, NONE, Case

SIGNING: Final = {
    "one-pass": "ONE_PASS_DIFFIE_HELLMAN",
    "static": "STATIC_UNIFIED_MODEL",
    "signing": "GENERAL_SIGNING",
    "glo+signing": "GENERAL_SIGNING",
}
SECONDS: Final = 20
"""It has so long for a case."""
_RUN: Final = count()
"""Each association has counters above those of the one before, even in the same second."""


def _key_pair(own: bytes, other: bytes, use: str, suite: int) -> dict[str, str]:
    private = facts.private(own, use, suite).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = facts.public(other, use, suite).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {f"{use}_private": private.hex(), f"{use}_public": public.hex()}


def words(case: Case, own: bytes, other: bytes, **more: Any) -> str:
    """A case in words."""
    given: dict[str, Any] = {
        "name": case.name,
        "host": meter.HOST,
        "client_sap": facts.CLIENT_SAP,
        "server_sap": meter.SERVER_SAP,
        "suite": case.suite,
        "mechanism": case.mechanism,
        "protection": case.protection,
        "client_title": facts.CLIENT_TITLE.hex(),
        "meter_title": facts.METER_TITLE.hex(),
        "register": facts.REGISTER.hex(),
        "value": facts.VALUE,
        "message": facts.MESSAGE.hex(),
        "content": facts.CONTENT.hex(),
        "breaker": facts.BREAKER.hex(),
        "setup": facts.SETUP.hex(),
        "master_key": facts.master(case.suite).hex(),
        "counter": first_counter() + 1000 * next(_RUN),
    }
    if case.mechanism not in (NONE, GMAC, ECDSA):
        given["secret"] = (facts.PASSWORD if case.mechanism == LLS else facts.HLS_SECRET).hex()
    if case.ciphered or case.mechanism == GMAC:
        given["encryption_key"] = facts.unicast(case.suite).hex()
        given["authentication_key"] = facts.authentication(case.suite).hex()
    if case.form.startswith("general") or case.layered:
        given["general"] = "yes"
    if case.dedicated:
        given["dedicated_key"] = facts.symmetric(0x60, case.suite).hex()
    if case.suite:
        for use in (facts.SIGNATURE, facts.AGREEMENT):
            given |= _key_pair(own, other, use, case.suite)
    if case.mechanism == ECDSA:
        given["challenge"] = bytes(range(32)).hex()
    if case.layered:
        given["signing"] = SIGNING[case.key_info or case.form]
    return " ".join(f"{key}={value}" for key, value in (given | more).items())


class Peer:
    """Its client, or its server, for one case after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def run(self, case: Case, port: int, **more: Any) -> Any:
        """Let its client do a case with the server at a port; returns what it tells, raises what it raised."""
        return self._told(words(case, facts.CLIENT_TITLE, facts.METER_TITLE, port=port, **more))

    @contextmanager
    def serve(self, case: Case, **more: Any) -> Iterator[tuple[int, None]]:
        """Have its server serve one connection of a case; yields its port."""
        yield self._told(words(case, facts.METER_TITLE, facts.CLIENT_TITLE, **more)), None

    def _told(self, line: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        told = json.loads(self._lines.get(timeout=SECONDS))
        if "error" in told:
            raise RuntimeError(told["error"])
        return told["value"]


@contextmanager
def started(program: str) -> Iterator[Peer]:
    """Start its client or its server. Raises JavaMissing."""
    process = subprocess.Popen(
        jvm.command(program),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield Peer(process)
    finally:
        process.kill()
        process.communicate()
