"""Who pushes to whom: each sender sends all it can to each listener, one of the two ours, and its lines are judged."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Final

from interop import capture, meter, tshark
from interop.matrix import Result
from interop.notifying.forms import FORMS, Form
from interop.peers import distribution

NAME: Final = "notify"
"""Of these cases, where some are chosen, and in front of each."""
SECONDS: Final = 30
"""A sender has so long for everything."""
PATIENCE: Final = 3.0
"""Seconds without a line of a listener, after which none will come."""


@dataclass(frozen=True)
class Notifier:
    """One implementation, as a pair of programs. unsent, unheard: forms that it cannot send or hear, and why."""

    peer: str
    version: str
    module: str
    unsent: Mapping[str, str] = field(default_factory=dict)
    unheard: Mapping[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        """How it is started."""
        return [sys.executable, "-m", self.module, *arguments]


_NEVER_CONFIRMS = "it has no data-notification-confirm"
_ACKNOWLEDGED_BLOCKS = (
    "its blocks of a notification ask for acknowledgements, with window 1, and every other one acknowledges block "
    "65535: E0 01 0003 FFFF 82 0125 ..."
)
_NO_SETTINGS = (
    "it has read C2 00 0003 0100010800FF 02 06 000F4246, and raises when it looks for the object: AttributeError, no "
    "attribute 'settings'"
)
_NO_KEY = (
    "it has read the names of 18 00 01 02 1008 01 06 000F4248, and raises at their values: AttributeError, 'tuple' "
    "object has no attribute 'key'"
)

NOTIFIERS: Final = {
    "cosemic": Notifier("cosemic", distribution("cosemic"), "interop.notifying.ours"),
    "pydlms": Notifier(
        "pydlms-client",
        distribution("pydlms-client"),
        "interop.notifying.pydlms",
        unheard={"confirmed": _NEVER_CONFIRMS},
    ),
    "gurux": Notifier(
        "gurux-dlms",
        distribution("gurux-dlms"),
        "interop.notifying.gurux",
        unsent={
            "blocks": _ACKNOWLEDGED_BLOCKS,
            "blocks-glo": _ACKNOWLEDGED_BLOCKS,
            "event-glo": "it raises 'Invalid GLO command': it has neither CA nor, for this service, DB",
        },
        unheard={
            "confirmed": _NEVER_CONFIRMS,
            "event": _NO_SETTINGS,
            "event-glo": _NO_SETTINGS,
            "report": _NO_KEY,
        },
    ),
}


class _Listening:
    """A listener that runs; what it tells is read as it comes."""

    def __init__(self, notifier: Notifier) -> None:
        self._process = subprocess.Popen(
            notifier.command("listen"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._lines: Queue[dict[str, Any]] = Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.port: int = self._lines.get(timeout=SECONDS)["port"]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                self._lines.put(json.loads(line))

    def heard(self, count: int) -> list[dict[str, Any]]:
        """Return the next lines, or fewer where none comes for a while."""
        lines: list[dict[str, Any]] = []
        with contextlib.suppress(Empty):
            while len(lines) < count:
                lines.append(self._lines.get(timeout=PATIENCE))
        return lines

    def end(self) -> None:
        self._process.terminate()
        self._process.communicate()


@contextmanager
def _listen(notifier: Notifier) -> Iterator[_Listening]:
    listening = _Listening(notifier)
    try:
        yield listening
    finally:
        listening.end()


def _sent(sender: Notifier, port: int, forms: Collection[str]) -> dict[str, dict[str, Any]]:
    command = sender.command("send", str(port), *forms)
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["form"]: line for line in told}


def _wrong(form: Form, sent: dict[str, Any] | None, heard: Sequence[dict[str, Any]]) -> str:
    """What is wrong with one of them, or nothing."""
    if sent is None or "error" in sent:
        return "the sender said nothing" if sent is None else f"sending: {sent['error']}"
    told = [line for line in heard if line.get("told") == form.told]
    if len(told) != 1:
        errors = [line["error"] for line in heard if "error" in line]
        return f"heard {len(told)} times" + (f"; {errors[0]}" if errors else "")
    sender = told[0].get("title"), told[0].get("authenticated")
    if form.ciphered and "title" in told[0] and sender != (meter.METER_TITLE.hex(), True):
        return f"heard as from {sender[0]}, authenticated: {sender[1]}"
    if form.name == "confirmed" and not sent["confirmed"]:
        return "not confirmed"
    return ""


def push(sender: Notifier, listener: Notifier, role: str) -> Iterator[Result]:
    """Let one push to the other; role: of the peer, ``sender`` or ``listener``."""
    peer = sender if role == "sender" else listener
    lacking = {name: why for name in FORMS if (why := sender.unsent.get(name) or listener.unheard.get(name))}
    wanted = [name for name in FORMS if name not in lacking]
    try:
        with _listen(listener) as listening:
            sent = _sent(sender, listening.port, wanted)
            heard = listening.heard(len(wanted))
    except Exception as error:  # whatever a peer does is its answer
        failure = f"{type(error).__name__}: {error}"
        sent, heard = {name: {"error": failure} for name in wanted}, []
    for name, form in FORMS.items():
        why = lacking.get(name) or _wrong(form, sent.get(name), heard)
        passed = None if name in lacking else not why
        yield Result(peer.peer, peer.version, role, f"{NAME} {name}", passed, why or "as sent")


def observe(sender: Notifier, listener: Notifier, path: Path) -> Iterator[Result]:
    """Record what one pushes to the other in clear, and ask tshark what it thinks of it."""
    wanted = [name for name, form in FORMS.items() if not form.ciphered and name not in sender.unsent]
    case = f"{NAME} {sender.peer} pushes to {listener.peer}"
    passed: bool | None = None
    try:
        with _listen(listener) as listening, capture.relay(listening.port) as (port, conversations):
            _sent(sender, port, wanted)
            recorded = list(conversations)
        file = path / f"{sender.peer}-{listener.peer}-{NAME}.pcap"
        capture.write_pcap(file, recorded)
        verdict = tshark.examine(file)
    except tshark.TsharkMissing as missing:
        told = str(missing)
    except Exception as error:  # whatever a peer does is its answer
        passed, told = False, f"{type(error).__name__}: {error}"
    else:
        passed = verdict.frames >= len(wanted) and not verdict.malformed
        told = str(verdict)
    yield Result("tshark", tshark.version(), "observer", case, passed, told)


def results(captures: Path) -> Iterator[Result]:
    """Every peer to us, we to every peer, and what tshark says of both."""
    ours = NOTIFIERS["cosemic"]
    for name, peer in NOTIFIERS.items():
        if name != "cosemic":
            yield from push(ours, peer, "listener")
            yield from push(peer, ours, "sender")
    yield from observe(ours, ours, captures)
    yield from observe(NOTIFIERS["pydlms"], ours, captures)
